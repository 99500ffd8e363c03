/* A run on paper: what it is made from, and the faults that happen in it.
 *
 * One line each, so that faults can be taken out with an editor:
 *
 *     seed 7
 *     servers 3
 *     ...
 *     fault loss at 4521 a 0 b 1 nth 532 length 0 value 9377
 *
 * What a and b are depends on the kind: a server or a client from 0, or a set of them. Lines that
 * begin with '#' are remarks. */

#ifndef TESTS_SIMULATION_REPLAY_H
#define TESTS_SIMULATION_REPLAY_H

#include <stdio.h>

#include "tests/simulation/world.h"

enum { REPLAY_ERROR_SIZE = 160 };

void replay_write (FILE *file, const struct sim_options *options, const struct fault_list *faults);

/* Sets the options that a run is made from, and adds to the faults. false: the file is malformed,
 * and error says where and why. */
bool replay_read (FILE *file, struct sim_options *options, struct fault_list *faults,
                  char error[REPLAY_ERROR_SIZE]);

#endif

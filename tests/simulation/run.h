/* One world from its beginning to its end, in this process or in one of its own. */

#ifndef TESTS_SIMULATION_RUN_H
#define TESTS_SIMULATION_RUN_H

#include <stdio.h>
#include <sys/types.h>

#include "tests/simulation/world.h"

enum { RUN_LINE_SIZE = 2048, RUN_KIND_SIZE = 160, RUN_TEXT_SIZE = 512 };

/* How it ended. */
struct run_result {
    bool failed;
    bool mutated;      /* the mutation that was selected could make a difference */
    int64_t at_ms;     /* the time in the world at its end */
    uint64_t requests; /* of its clients while things went wrong */
    uint64_t counts[FAULT_KINDS];
    size_t searched, given_up; /* znodes: see tests/history/search.h */
    char line[RUN_LINE_SIZE];  /* of one that did not fail: what to say about it */
    char kind[RUN_KIND_SIZE];  /* of failure: equal for the same failure in another run */
    char text[RUN_TEXT_SIZE];  /* what did not hold */
};

/* Here; the process ends if something does not hold. */
void run_here (const struct sim_options *options, struct run_result *result);

/* In a process of its own, whose output is kept. */
struct run_child {
    pid_t pid;
    FILE *output; /* stdout and stderr; NULL: those of this process */
    FILE *faults; /* struct sim_fault, one after the other, as they happened */
    int result;   /* a pipe: a struct run_result */
    uint64_t seed;
};

/* record: whether the faults are wanted. */
void run_begin (struct run_child *self, const struct sim_options *options, bool record);
/* After its process has ended with this status; what is no run_result of its own is a failure. */
void run_end (struct run_child *self, int status, struct run_result *result);
/* Both in one. NULL: neither output nor faults are wanted. The file is the caller's; the faults, by
 * time, are added to the list. */
void run_apart (const struct sim_options *options, struct run_result *result, FILE **output,
                struct fault_list *faults);
/* Likewise, but what it tells is not kept: it goes where the output of this process goes. */
void run_aloud (const struct sim_options *options, struct run_result *result);

/* Copies all of a file, and closes it. */
void run_show (FILE *output, FILE *to);

#endif

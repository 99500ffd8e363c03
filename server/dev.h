/*
 * server/dev.h - cohortd dev --nodes N: an ensemble in one process, for trying things out
 */
#ifndef SERVER_DEV_H
#define SERVER_DEV_H

#include "cohort/test.h"

struct dev_options {
    size_t nodes;
    const char *clients; /* one endpoint for each, separated by commas, or that of the first: the
                            ports of the others follow it */
    const char *admins;  /* as cohort_server_options_t has it; NULL: nobody */
    cohort_log_fn *log;
    int log_level;
    int signals; /* readable: it is to end */
};

/* Runs until `signals`.  0, or COHORT_E... with a text that says what to do. */
int dev_run (const struct dev_options *options, char *error, size_t error_size);

#endif

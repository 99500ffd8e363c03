/*
 * server/server_faults.h - what the test library (cohort/test.h) does to an embedded server, and
 * programs cannot
 *
 * Threads and errors as in cohort/server.h.
 */
#ifndef SERVER_SERVER_FAULTS_H
#define SERVER_SERVER_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "cohort/server.h"

/* Before cohort_server_start: where the numbers of sequential names begin, on all servers. */
void server_first_sequence (cohort_server_t *self, uint64_t number);

/* Moves its wall clock; monotonic time goes on as it does. */
void server_step_wall (cohort_server_t *self, int64_t ms);

/* A server in memory: nothing becomes durable while its disk is stalled.  COHORT_ESTATE: it does
 * not run, or has a folder. */
int server_stall_disk (cohort_server_t *self, bool stalled);

/* Expires a session now: as node_expire. */
int server_expire (cohort_server_t *self, uint64_t session);

#endif

/* Writers that note what was acknowledged: sessions that create znodes, pipelined, each under a
 * parent of its own, with names that count up. */

#ifndef TESTS_CLUSTER_LOAD_H
#define TESTS_CLUSTER_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include "cohort/client.h"

enum { LOAD_SESSIONS_MAX = 1000 };

struct ensemble;
struct load;

struct load_session {
    struct load *load;
    cohort_t *client;
    size_t index;
    size_t sent, acked;
    uint8_t *done; /* one a znode: acknowledged */
};

struct load {
    cohort_loop_t *loop;
    size_t sessions_count, window, total;   /* total: znodes of each session */
    size_t acked;                           /* of all */
    int64_t last_ms;                        /* the newest acknowledgement */
    int64_t longest_from_ms, longest_to_ms; /* the longest time without one */
    struct load_session sessions[LOAD_SESSIONS_MAX];
};

/* Connects the sessions, which are of one loop, and makes their parents. */
void load_init (struct load *self, const char *servers, size_t sessions, size_t window,
                size_t total);
void load_deinit (struct load *self);

/* Closes the sessions: nothing more can be written, but verified. */
void load_end (struct load *self);

/* Writes on until `acked` znodes are acknowledged in all, within limit_ms. Every answer must be
 * success: each znode is created exactly once. */
void load_until (struct load *self, size_t acked, int limit_ms);

/* The server at `endpoint` alone, asked directly, has every acknowledged znode, and none that was
 * not asked for. */
void load_verify (struct load *self, const char *endpoint);

/* Waits until all servers follow one leader, with whole logs; each has every acknowledged znode,
 * and all are equal. Ends the load. */
void load_verify_all (struct load *self, struct ensemble *ensemble);

#endif

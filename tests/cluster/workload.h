/* What the clients of a soak ask for: the mixture of the simulator's clients (tests/simulation),
 * asked by real ones.
 *
 * Each session writes to a key of its own, pipelined. Besides, all of them share, and fight for,
 *
 *      /rN-W    registers, the first of them a counter: set, compared and set, deleted, read behind
 *               a sync, watched
 *      /d-W     folders: sequential children, listed, watched, taken away
 *      /lock-W  ephemerals, which multis name as their condition
 *      /mN      created and deleted by multis, as often as not in vain
 *      /box-W   containers, which go when the last of their children has gone
 *      /tN-W    znodes with a time to live
 *      /tree-W  trees, which are deleted as a whole
 *      /aN-W, /quota-N: workload_rights.c
 *      /live    a folder: each session has an ephemeral there, so that others see when it ends
 *
 * And they follow some of it, with streams and persistent watches of all kinds.
 *
 * W changes every few seconds, so that each of them has a history short enough to be searched.
 * May include: observed.h, client/base. */

#ifndef TESTS_CLUSTER_WORKLOAD_H
#define TESTS_CLUSTER_WORKLOAD_H

#include "client/base/prng.h"
#include "tests/cluster/observed.h"

enum { WORKERS_MAX = 16, WORKER_BEFORE_MAX = 64, REGISTERS = 3 };

#define WORKLOAD_LIVE "/live"

/* What a client knows of a register. */
struct known_register {
    uint64_t window;
    int32_t version; /* -1: look again */
    uint64_t count;
};

/* A client at work. */
struct worker {
    struct observed observed;
    struct prng prng;
    size_t index;
    char own[OBSERVED_PATH_SIZE];
    uint64_t own_value;
    char child[OBSERVED_PATH_SIZE];
    uint64_t lock_zxid, lock_window;
    struct known_register registers[REGISTERS];
    int64_t next_ms;                    /* when it asks again */
    uint32_t before[WORKER_BEFORE_MAX]; /* by which numbers it may be there still, in the history */
    size_t before_count;
    bool fresh_due; /* a write that was asked for by worker_write_fresh is not acknowledged yet */
};

/* Starts a session, or goes on with that of the process before, which is what *self was; options:
 * but for answered, renewed and arg, which are the worker's own. */
void worker_start (struct worker *self, size_t index, uint64_t seed,
                   const struct observed_options *options);

/* Asks for something if it is time to. */
void worker_work (struct worker *self);

/* The path of something of the present window. */
const char *worker_path (const struct worker *self, char path[OBSERVED_PATH_SIZE],
                         const char *prefix, size_t index);

/* Asks for what not everybody may do. */
void worker_claim (struct worker *self);

/* A write to its own key, and another if its session ends, until one is acknowledged: then
 * fresh_due is over. */
void worker_write_fresh (struct worker *self);

#endif

/* A few nodes in one process: disks in memory, a network of queues, a clock of its own. What a test
 * does to it - cut a connection, stop a server, empty its disk - happens at once; nothing happens
 * by itself but time. */

#ifndef COHORT_TESTS_NODE_CLUSTER_H
#define COHORT_TESTS_NODE_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/node/node.h"
#include "tests/unit/node/stub_clients.h"

enum { CLUSTER_MAX = 6 };     /* ids 1 to 5 */
enum { CLUSTER_FOUNDED = 4 }; /* znodes of a new ensemble: /, and /zookeeper with two below it */

struct cluster_server {
    uint32_t id;
    struct disk *disk; /* survives restarts */
    struct store *store;
    struct node *node; /* NULL: down */
    bool paused;       /* does not run; its connections stay */
    bool slow_disk;    /* its store works only when told */
    bool hold_out;     /* the pipes to others are full */
};

struct cluster {
    uint64_t seed;
    int64_t now_ms;
    size_t count;
    struct node_member members[CLUSTER_MAX];
    struct node_options options;                /* for all; the harness fills in the rest */
    struct cluster_server servers[CLUSTER_MAX]; /* by id */
    struct cluster_pipe *pipes[CLUSTER_MAX][CLUSTER_MAX]; /* from, to */
    bool cut[CLUSTER_MAX][CLUSTER_MAX];                   /* from, to: frames vanish */
    uint64_t frames, bytes;
    uint64_t stores; /* made so far */
    /* Frames of at least so many bytes to this server: of what it allocates for each, this fails.
     */
    uint32_t starved;
    size_t starved_size;
    uint64_t fail_at;
    bool failed; /* it has */
};

void cluster_init (struct cluster *self, size_t count, uint64_t seed);
void cluster_deinit (struct cluster *self);

/* 0 or what node_new or node_start said; the text is printed if verbose. */
int cluster_start (struct cluster *self, uint32_t id);
void cluster_start_all (struct cluster *self);
/* Its store only, of a server that is down; what store_open says. */
int cluster_open (struct cluster *self, uint32_t id, struct store **store, char *error,
                  size_t error_size);

/* As kill -9: nothing more is sent, connections break. */
void cluster_kill (struct cluster *self, uint32_t id);
void cluster_empty (struct cluster *self, uint32_t id); /* of a server that is down */
/* So many of the next snapshots that this server writes cannot be read back. */
void cluster_lose_snapshots (struct cluster *self, uint32_t id, unsigned count);

/* Breaks the connections between a and b; they may be made again. */
void cluster_break (struct cluster *self, uint32_t a, uint32_t b);

/* From now on nothing passes between a and b, and no connection can be made. */
void cluster_partition (struct cluster *self, uint32_t a, uint32_t b, bool on);

/* One millisecond. */
void cluster_step (struct cluster *self);
void cluster_run (struct cluster *self, int64_t ms);

/* Runs until fn is true; false: not within ms. */
typedef bool cluster_fn (struct cluster *self, void *arg);
bool cluster_until (struct cluster *self, int64_t ms, cluster_fn *fn, void *arg);

/* The activated leader with the highest epoch, 0: none. */
uint32_t cluster_leader (struct cluster *self);

/* All servers that are up follow one activated leader, and have applied the same. */
bool cluster_settled (struct cluster *self, void *unused);

/* Likewise; and nobody's client waits for anything. */
bool cluster_idle (struct cluster *self, void *unused);

/* cluster_init, cluster_start_all, and until it has settled. */
void cluster_begin (struct cluster *self, size_t count, uint64_t seed);

struct node_status cluster_status (struct cluster *self, uint32_t id);

/* A session made by way of a server; waits until it is there. */
uint64_t cluster_session (struct cluster *self, uint32_t id, uint8_t nonce);

/* By way of a server, numbered from `first`: so many new znodes, each with so many bytes that
 * cannot be compressed.  Waits for nothing. */
void cluster_write (uint32_t id, uint64_t session, uint64_t first, unsigned count, size_t size);

#endif

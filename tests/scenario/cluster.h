/* A cluster of cores in one process, for scenarios and for the random test of the core.
 *
 * Nothing happens by itself: the caller delivers messages one by one, makes disks finish their
 * requests, lets time pass, cuts and makes links, crashes and starts servers. Links are FIFO, and
 * a cut loses a suffix: each end hears of it when the caller lets it. A disk is an image of what
 * is durable and a queue of what is not.
 *
 * After every step the invariants of Zab are checked against what has ever been committed
 * (checker.c); a violation prints the trace's last lines and aborts. */

#ifndef COHORT_TESTS_CLUSTER_H
#define COHORT_TESTS_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "client/base/prng.h"
#include "server/core/zab.h"

enum { CLUSTER_SERVERS_MAX = 9, CLUSTER_DATA_MAX = 24 };

/* An entry with its bytes. */
struct record {
    struct zab_entry entry;
    zxid_t commit; /* the commit index that was written with it */
    uint8_t data[CLUSTER_DATA_MAX];
};

struct records {
    struct record *items;
    size_t count, capacity;
};

/* What a disk, or a memory, holds. */
struct image {
    struct zab_point base;
    int64_t base_stamp_ms;
    struct records log;
    uint32_t accepted_epoch, current_epoch;
    enum zab_trust trust;
    zxid_t suspect;
};

/* A request to the store. */
struct disk_request {
    uint64_t number;
    bool truncate, epochs, whole, install;
    zxid_t truncate_to;
    uint32_t accepted_epoch, current_epoch;
    struct zab_point point;
    int64_t stamp_ms;
    struct records log;
    struct disk_request *next;
};

enum item_type { ITEM_MESSAGE, ITEM_UP, ITEM_DOWN };

/* Something on its way from one server to another. */
struct item {
    enum item_type type;
    struct zab_message message;
    struct zab_point points[ZAB_EPOCHS_MAX];
    struct records log;
    struct item *next;
};

struct queue {
    struct item *first, *last;
    size_t count;
    bool blocked; /* cluster_run leaves it alone */
};

struct server {
    uint32_t id; /* 0: there is none */
    uint64_t store_id;
    struct zab *core; /* NULL: down */
    bool paused;
    bool install_fails; /* the next one */
    bool held;          /* cluster_run leaves its disk alone */
    bool stale;         /* starts with the configurations `before` */
    bool full;          /* its disk finishes no request with entries, nor any behind it */
    struct image disk, memory;
    struct disk_request *requests, *requests_last;
    size_t requests_count;
    zxid_t delivered, committed;
    uint64_t round, round_begun;
    struct zab_point round_floor[64]; /* what was committed when round n began, at n % 64 */
    bool snapshot_due[CLUSTER_SERVERS_MAX + 1]; /* of this server, to that one */
    struct zab_point snapshot[CLUSTER_SERVERS_MAX + 1];
    uint64_t starts;
};

struct cluster {
    struct server servers[CLUSTER_SERVERS_MAX + 1];                        /* by id */
    struct queue queues[CLUSTER_SERVERS_MAX + 1][CLUSTER_SERVERS_MAX + 1]; /* from, to */
    bool up[CLUSTER_SERVERS_MAX + 1][CLUSTER_SERVERS_MAX + 1];        /* as seen by the first */
    bool connected[CLUSTER_SERVERS_MAX + 1][CLUSTER_SERVERS_MAX + 1]; /* symmetric: not cut */
    struct zab_options options; /* of all; id, store_id and seed are filled in */
    struct config_set before;   /* the configurations before the last change of a store */
    int64_t now_ms;
    uint64_t proposals;
    FILE *trace; /* NULL: none */
    struct prng
        *reorder; /* NULL: links are FIFO; else VOTE, PING and PONG have a lane of their own */
    uint64_t steps, delivered_messages;

    /* checker.c */
    bool unchecked;            /* a scenario in which disks have lost what no crash can take */
    struct records committed;  /* K: everything that has ever been committed */
    uint32_t *leader_of_epoch; /* by epoch; 0: none yet */
    size_t leaders_capacity;
    uint64_t activations;
};

/* options: configs, timeouts, chunk size, seed. Nothing is started. */
void cluster_init (struct cluster *self, const struct zab_options *options);
void cluster_deinit (struct cluster *self);

/* A server that is down, with an empty disk. */
void cluster_add (struct cluster *self, uint32_t id, uint64_t store_id);
/* Appends an entry to the disk of a server that is down; content tells entries of one zxid apart
 * (0: the same everywhere). */
void cluster_disk_append (struct cluster *self, uint32_t id, zxid_t zxid, uint64_t content);
/* The disk of a server that is down loses what is behind zxid, and its recovery notices: behind
 * `suspect` nothing was ever written, or, if that is 0, nobody knows what there was. */
void cluster_disk_damage (struct cluster *self, uint32_t id, zxid_t zxid, zxid_t suspect);
/* Makes zxid, which the disk of a server that is down must have, the base of its log. */
void cluster_compact_disk (struct cluster *self, uint32_t id, zxid_t zxid);

void cluster_start (struct cluster *self, uint32_t id);
/* What the disk has not finished is lost, except the first `done` operations (a truncation, an
 * entry, the epochs), which it had just finished unreported. Messages on their way arrive. */
void cluster_crash (struct cluster *self, uint32_t id, size_t done);

/* Both ends hear of it behind what is on its way. False: the old link is not all gone yet. */
bool cluster_connect (struct cluster *self, uint32_t a, uint32_t b);
/* Keeps the first so many items of each direction; then each end hears of it. */
void cluster_cut (struct cluster *self, uint32_t a, uint32_t b, size_t keep_ab, size_t keep_ba);

/* Of what is on its way, item n (from 0) becomes the first; the first becomes the last. */
void cluster_overtake (struct cluster *self, uint32_t from, uint32_t to, size_t n);
void cluster_delay (struct cluster *self, uint32_t from, uint32_t to);
/* Delivers the oldest item; false: there is none, or the receiver is paused. */
bool cluster_deliver (struct cluster *self, uint32_t from, uint32_t to);
/* The oldest request becomes durable; false: there is none, or the server is paused. */
bool cluster_durable (struct cluster *self, uint32_t id, size_t requests);
/* Time passes; whose deadline has come gets its tick. */
void cluster_advance (struct cluster *self, int64_t ms);
/* The earliest deadline of all that run; INT64_MAX: none. */
int64_t cluster_deadline (const struct cluster *self);
/* Delivers once what is on its way now; false: nothing was. */
bool cluster_exchange (struct cluster *self);
/* Exchanges, and finishes disks, until nothing is left to do. */
void cluster_run (struct cluster *self);

bool cluster_can_propose (const struct cluster *self, uint32_t id);
void cluster_propose (struct cluster *self, uint32_t id, size_t count, uint32_t size);
/* The snapshot that `from` owes to `to` arrives whole; false: none is owed. */
bool cluster_snapshot (struct cluster *self, uint32_t from, uint32_t to);
/* The next snapshot of this server will not be installed. */
void cluster_fail_install (struct cluster *self, uint32_t id);
/* Makes zxid, which must have been delivered, the base of the log. */
void cluster_compact (struct cluster *self, uint32_t id, zxid_t zxid);
/* The disk is full, and the core hears of it; or it has room again. */
void cluster_space (struct cluster *self, uint32_t id, bool full);
/* What waits for room is given up, but for the first `done` operations of the oldest request.
 * False: nothing waits, or it does not wait for room, or the server is not LOOKING. */
bool cluster_withdraw (struct cluster *self, uint32_t id, size_t done);
/* A step with an event that needs no more than its type, peer and configs. */
void cluster_event (struct cluster *self, uint32_t id, const struct zab_event *event);

const struct zab_status *cluster_status (const struct cluster *self, uint32_t id);
/* The activated leader with the highest epoch; 0: none. */
uint32_t cluster_leader (const struct cluster *self);

/* ---- image.c ----------------------------------------------------------------------------- */

void records_append (struct records *self, const struct record *record);
void records_free (struct records *self);
struct zab_point image_last (const struct image *self);
/* Whether the log, or its base, holds this point; below the base only the checker can tell. */
bool image_has (const struct image *self, struct zab_point point);
const struct record *image_find (const struct image *self, zxid_t zxid);
void image_truncate (struct image *self, zxid_t zxid);
void image_append (struct image *self, const struct record *record);
void image_install (struct image *self, struct zab_point point, int64_t stamp_ms);
void image_compact (struct image *self, zxid_t zxid);
/* Executes at most `operations` of a request; how many it did. */
size_t image_execute (struct image *self, const struct disk_request *request, size_t operations);

/* ---- checker.c --------------------------------------------------------------------------- */

void checker_after_step (struct cluster *self, struct server *server,
                         const struct zab_update *update);
/* Forgets what was held to be committed, for disks that are set up by hand. */
void checker_seed (struct cluster *self, uint32_t id, zxid_t committed);
void checker_free (struct cluster *self);
_Noreturn void checker_fail (const struct cluster *self, const struct server *server,
                             const char *what);

/* ---- trace.c ----------------------------------------------------------------------------- */

void trace_event (const struct cluster *self, const struct server *server,
                  const struct zab_event *event);
void trace_update (const struct cluster *self, const struct server *server,
                   const struct zab_update *update);
void trace_status (const struct cluster *self, FILE *file);

#endif

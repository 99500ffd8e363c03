/* What the parts of the fake client share: fake.c, its sessions and callbacks; fake_requests.c,
 * what is asked for and carried out; fake_streams.c. Sizes are those of tests; memory running out
 * aborts. */

#ifndef COHORT_TESTS_RECIPES_FAKE_PRIVATE_H
#define COHORT_TESTS_RECIPES_FAKE_PRIVATE_H

#include "tests/unit/recipes/fake.h"
#include "tests/unit/recipes/fake_tree.h"

#define FAKE_CLIENTS_MAX 8

enum fake_request_kind {
    REQUEST_MULTI,
    REQUEST_ONE,
    REQUEST_EXISTS,
    REQUEST_GET,
    REQUEST_LIST,
    REQUEST_SYNC,
    REQUEST_OPEN
};

struct fake_request {
    struct fake_request *next;
    enum fake_request_kind kind;
    cohort_txn_t txn; /* MULTI; ONE: a single operation */
    char *path;       /* EXISTS, GET, LIST */
    cohort_list_options_t list;
    char *prefix, *after; /* LIST: NULL, or the request's own */
    cohort_stream_t *stream;
    cohort_watch_fn *watch; /* EXISTS: NULL, or to be set with it */
    void *watch_arg;
    cohort_result_fn *fn;
    void *arg;
};

/* A one-shot watch that is set. */
struct fake_watch {
    struct fake_watch *next;
    char *path;
    cohort_watch_fn *fn;
    void *arg;
};

enum fake_item_kind { ITEM_RESULT, ITEM_BATCH, ITEM_END, ITEM_TIMER, ITEM_WATCH };

struct fake_item {
    struct fake_item *next;
    enum fake_item_kind kind;
    cohort_result_fn *fn;
    void *arg;
    cohort_result_t result;
    cohort_stat_t stat;
    cohort_op_result_t ops[FAKE_OPS_MAX];
    char *path, *data, *after; /* of the result, owned */
    cohort_child_t *listed;
    size_t listed_count;
    cohort_strings_t names; /* of what is listed */
    cohort_stream_t *stream;
    cohort_timer_t *timer;
    struct fake_watch *watch; /* that has fired, owned until it is told */
    cohort_event_t event;     /* of it; its path is the watch's */
    cohort_batch_t batch;
    cohort_change_t *changes;
};

struct cohort_stream {
    cohort_stream_t *next;
    cohort_t *client;
    char *path;
    int flags;
    bool open; /* its snapshot has been taken */
    bool destroyed;
    int rc; /* why it has ended */
    cohort_batch_fn *fn;
    void *arg;
};

struct cohort_timer {
    cohort_timer_t *next;
    cohort_t *client;
    cohort_timer_fn *fn;
    void *arg;
    int64_t at_ms;
    bool queued, due; /* its item is queued; and it was not set anew since */
    bool destroyed;
};

struct cohort {
    bool ending; /* inside cohort_destroy: what is left is told */
    bool destroyed, held, suspended, refuse, fail_stream;
    enum fake_order order;
    int fail_request, fail_call, calls_until_fail;
    unsigned depth; /* of callbacks */
    cohort_state_t state;
    uint64_t session;
    int64_t valid_ms;
    size_t fragment;
    struct fake_request *requests;
    struct fake_item *items, *missed;
    cohort_stream_t *streams;
    cohort_timer_t *timers;
    struct fake_watch *watches;
    int64_t offset_ms; /* of its clock */
};

struct fake_world {
    uint64_t next_session;
    cohort_t *clients[FAKE_CLIENTS_MAX];
    size_t clients_count;
    size_t renewals;
};

extern struct fake_world fake_world;

/* The client, which is not destroyed. */
cohort_t *fake_alive (cohort_t *client);

/* The request, or NULL when the test wants this call to fail. */
struct fake_request *fake_enqueue (cohort_t *client, enum fake_request_kind kind,
                                   cohort_result_fn *fn, void *arg, int *rc);
struct fake_request *fake_pop_request (cohort_t *client);
void fake_free_request (struct fake_request *request);

/* Queues the answer to a request that was not carried out. */
void fake_answer (cohort_t *client, const struct fake_request *request, int rc);

/* In fake_reads.c: carries out a read, into the item of its answer; and frees what that holds. */
void fake_read (const struct fake_request *request, struct fake_item *item);
void fake_free_result (struct fake_item *item);

/* In fake_timers.c: queues the timers that are due, behind what is queued; runs one; frees all. */
void fake_queue_timers (cohort_t *client);
void fake_run_timer (cohort_timer_t *timer);
void fake_free_timers (cohort_t *client);

/* In fake_watches.c: sets the watch of a read that was carried out; queues those of a path, of all
 * clients, or, as lost, all of one; tells one that has fired. */
void fake_set_watch (cohort_t *client, const struct fake_request *request);
void fake_fire_watches (const char *path, cohort_event_type_t type);
void fake_lose_watches (cohort_t *client);
void fake_run_watch (cohort_t *client, struct fake_item *item);

void fake_append_item (struct fake_item **list, struct fake_item *item);

/* Queues the whole subtree for a stream, which is open from now on. */
void fake_snapshot (cohort_stream_t *stream);
/* Queues a batch for a stream. */
struct fake_item *fake_batch_item (cohort_stream_t *stream, const cohort_batch_t *batch);
/* Queues the end of a stream. */
void fake_end_stream (cohort_stream_t *stream, int rc);

#endif

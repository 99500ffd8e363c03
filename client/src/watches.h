/* One-shot watches: which callbacks wait for which node.
 *
 * The server knows one watch for each path and kind; any number of callbacks of the application
 * share it. Pure. May include: event, wire, base, libc. */

#ifndef COHORT_CLIENT_WATCHES_H
#define COHORT_CLIENT_WATCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "client/base/buf.h"
#include "client/base/map.h"
#include "client/src/event.h"

/* Paths that one frame of re-registrations takes before it ends; it may exceed that by what one
 * bucket of the table holds, and stays below 128 KiB. */
#define WATCHES_REARM_BYTES (96u << 10)

struct watch {
    struct event event;
    struct map_node node; /* in the table: the first of its path and kind */
    struct list same;     /* its followers of the same path and kind, through event.node */
    enum wire_watch_kind kind;
    const char *path; /* inside this allocation */
    cohort_watch_fn *fn;
    void *arg;
    /* Once it has fired. */
    cohort_event_type_t type;
    uint64_t zxid;
};

struct watch_table {
    struct map table;
    uint64_t seed;
    struct map_cursor cursor; /* of the re-registration that is under way */
};

/* A watch on chroot + path; NULL without memory. */
struct watch *watch_new (enum wire_watch_kind kind, const char *chroot, const char *path,
                         cohort_watch_fn *fn, void *arg);
/* One that is in no table. NULL is allowed. */
void watch_free (struct watch *watch);

/* seed: of the hash, so that no server can choose colliding paths. */
void watch_table_init (struct watch_table *watches, uint64_t seed);
void watch_table_deinit (struct watch_table *watches);

/* Takes the watch into the table. */
void watch_table_add (struct watch_table *watches, struct watch *watch);

/* Moves all watches of this path and kind to `fired`, in the order they were set. */
void watch_table_fire (struct watch_table *watches, const struct wire_event *event,
                       struct list *fired);

/* Moves the watches of this type (the numbers of enum WatcherType) on a path, those with fn and arg
 * or, fn NULL, all of them, to `removed`; with `check` they stay. Whether there are any. */
bool watch_table_remove (struct watch_table *watches, int type, const struct watch *like,
                         bool check, struct list *removed);

/* Moves every watch to `fired`, as COHORT_EVENT_WATCH_LOST, in an order that follows from the
 * history and the seed alone. */
void watch_table_lose (struct watch_table *watches, struct list *fired);

/* Re-registration: begin, then chunks until it returns false. A chunk is appended to `out` as
 * elements of struct wire_watch, whose paths are borrowed from the table. The table may change
 * between chunks. A failed buffer means that memory ran out. */
void watch_table_rearm_begin (struct watch_table *watches);
bool watch_table_rearm (struct watch_table *watches, struct buf *out);

#endif

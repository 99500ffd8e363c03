/* The table of one-shot watches. May include: path, base, libc. */

#include "client/src/watches.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "client/src/path.h"

/* What one entry of a re-registration takes on the wire beyond its path, at most. */
#define WATCH_OVERHEAD 16

struct watch_key {
    enum wire_watch_kind kind;
    const char *path;
};

struct watch *watch_new (enum wire_watch_kind kind, const char *chroot, const char *path,
                         cohort_watch_fn *fn, void *arg)
{
    size_t path_size = path_joined_size (chroot, path) + 1;
    struct watch *watch = mem_alloc (sizeof (*watch) + path_size);
    if (watch == NULL) {
        return NULL;
    }
    *watch = (struct watch){.event.kind = EVENT_WATCH, .kind = kind, .fn = fn, .arg = arg};
    list_init (&watch->same);
    char *tail = (char *) (watch + 1);
    path_join (tail, path_size - 1, chroot, path);
    watch->path = tail;
    return watch;
}

void watch_free (struct watch *watch)
{
    if (watch != NULL) {
        COHORT_ASSERT (list_empty (&watch->same));
        mem_free (watch);
    }
}

static bool watch_is (const struct map_node *node, const void *key_p)
{
    const struct watch_key *key = key_p;
    const struct watch *watch = map_entry (node, struct watch, node);
    return watch->kind == key->kind && strcmp (watch->path, key->path) == 0;
}

static uint64_t hash_of (const struct watch_table *watches, const struct watch_key *key)
{
    return hash64 (key->path, strlen (key->path), watches->seed + (uint64_t) key->kind);
}

void watch_table_init (struct watch_table *watches, uint64_t seed)
{
    *watches = (struct watch_table){.seed = seed};
    map_init (&watches->table);
}

static void free_visited (struct map_node *node, void *arg)
{
    (void) arg;
    struct watch *watch = map_entry (node, struct watch, node);
    event_free_all (&watch->same);
    watch_free (watch);
}

void watch_table_deinit (struct watch_table *watches)
{
    map_drain (&watches->table, free_visited, NULL);
    map_deinit (&watches->table);
}

void watch_table_add (struct watch_table *watches, struct watch *watch)
{
    COHORT_ASSERT (!list_linked (&watch->event.node));
    COHORT_ASSERT (list_empty (&watch->same));
    struct watch_key key = {watch->kind, watch->path};
    watch->node.hash = hash_of (watches, &key);
    struct map_node *found = map_find (&watches->table, watch->node.hash, watch_is, &key);
    if (found != NULL) {
        list_push_back (&map_entry (found, struct watch, node)->same, &watch->event.node);
    } else {
        map_insert (&watches->table, &watch->node);
    }
}

/* Moves a watch that is out of the table, and its followers, to the list. */
static void fire (struct watch *first, cohort_event_type_t type, uint64_t zxid, struct list *fired)
{
    struct list group;
    list_init (&group);
    list_push_back (&group, &first->event.node);
    list_splice_back (&group, &first->same);
    for (struct list_node *at = list_first (&group); at != NULL; at = list_next (&group, at)) {
        struct watch *watch = list_entry (at, struct watch, event.node);
        watch->type = type;
        watch->zxid = zxid;
    }
    list_splice_back (fired, &group);
}

void watch_table_fire (struct watch_table *watches, const struct wire_event *event,
                       struct list *fired)
{
    struct watch_key key = {event->kind, event->path};
    struct map_node *found = map_find (&watches->table, hash_of (watches, &key), watch_is, &key);
    if (found != NULL) {
        map_remove (&watches->table, found);
        fire (map_entry (found, struct watch, node), event->type, event->zxid, fired);
    }
}

static struct watch *watch_of (struct list_node *node)
{
    return list_entry (node, struct watch, event.node);
}

/* Moves those of one path and kind that are meant to `removed`, the others stay in their order. */
static bool remove_some (struct watch_table *watches, struct watch *first, const struct watch *like,
                         bool check, struct list *removed)
{
    bool child = first->kind == WIRE_WATCH_CHILDREN, any = false;
    struct list group, stay;
    list_init (&group);
    list_init (&stay);
    map_remove (&watches->table, &first->node);
    list_push_back (&group, &first->event.node);
    list_splice_back (&group, &first->same);
    struct list_node *node;
    while ((node = list_pop_front (&group)) != NULL) {
        struct watch *watch = watch_of (node);
        bool meant = like->fn == NULL || (watch->fn == like->fn && watch->arg == like->arg);
        any |= meant;
        if (meant && !check) {
            watch->type =
                child ? COHORT_EVENT_CHILD_WATCH_REMOVED : COHORT_EVENT_DATA_WATCH_REMOVED;
            list_push_back (removed, node);
        } else {
            list_push_back (&stay, node);
        }
    }
    while ((node = list_pop_front (&stay)) != NULL) {
        watch_table_add (watches, watch_of (node));
    }
    return any;
}

bool watch_table_remove (struct watch_table *watches, int type, const struct watch *like,
                         bool check, struct list *removed)
{
    static const struct {
        enum wire_watch_kind kind;
        int type;
    } kinds[] = {
        {WIRE_WATCH_DATA, COHORT_WATCHER_DATA},
        {WIRE_WATCH_EXISTS, COHORT_WATCHER_DATA},
        {WIRE_WATCH_CHILDREN, COHORT_WATCHER_CHILDREN},
    };
    bool any = false;
    for (size_t i = 0; i < sizeof (kinds) / sizeof (kinds[0]); i++) {
        if (type != COHORT_WATCHER_ANY && type != kinds[i].type) {
            continue;
        }
        struct watch_key key = {kinds[i].kind, like->path};
        struct map_node *found =
            map_find (&watches->table, hash_of (watches, &key), watch_is, &key);
        if (found != NULL) {
            any |=
                remove_some (watches, map_entry (found, struct watch, node), like, check, removed);
        }
    }
    return any;
}

static void lose_visited (struct map_node *node, void *fired)
{
    fire (map_entry (node, struct watch, node), COHORT_EVENT_WATCH_LOST, 0, fired);
}

void watch_table_lose (struct watch_table *watches, struct list *fired)
{
    map_drain (&watches->table, lose_visited, fired);
    COHORT_ASSERT (map_count (&watches->table) == 0);
}

void watch_table_rearm_begin (struct watch_table *watches)
{
    watches->cursor = (struct map_cursor){0};
}

struct rearm_chunk {
    struct buf *out;
    size_t bytes;
};

static void rearm_visited (struct map_node *node, void *arg)
{
    struct rearm_chunk *chunk = arg;
    const struct watch *watch = map_entry (node, struct watch, node);
    struct wire_watch entry = {.kind = watch->kind, .path = watch->path};
    buf_append (chunk->out, &entry, sizeof (entry));
    chunk->bytes += strlen (watch->path) + WATCH_OVERHEAD;
}

bool watch_table_rearm (struct watch_table *watches, struct buf *out)
{
    struct rearm_chunk chunk = {out, 0};
    while (chunk.bytes < WATCHES_REARM_BYTES) {
        if (watches->cursor.done ||
            !map_scan (&watches->table, &watches->cursor, rearm_visited, &chunk)) {
            return false;
        }
    }
    return true;
}

/* A live copy of a subtree: the recipe behind cohort/mirror.h.
 *
 * Two maps: `nodes` is the copy, `staged` what the fragments of the current batch have brought so
 * far, one entry for each path (of several changes to a path only the last one counts, for the
 * stream gives data and stat as of the batch's zxid). The last fragment moves the staged entries
 * over, which allocates nothing and cannot fail, and leaves a list of events behind; only then are
 * handlers run. Whatever goes wrong before that costs the batch and the stream, never the copy: a
 * new stream begins with a snapshot, and the copy gets its differences.
 * May include: the client's public headers, recipes' calls, support and nodemap, libc. */

#include "cohort/mirror.h"

#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "nodemap.h"
#include "support.h"

/* A node of the copy, or a staged change; one allocation holds its links, path and data. */
struct mirror_entry {
    cohort_node_t node;
    struct nodemap_entry link;
    bool deleted;                /* staged: the node is to go */
    uint64_t sweep;              /* last snapshot that had it */
    struct mirror_entry *before; /* event: what it replaced */
    struct mirror_entry *queued; /* event: the next one */
    cohort_mirror_kind_t kind;   /* event */
};

struct mirror_queue {
    struct mirror_entry *first;
    struct mirror_entry **last;
    size_t count;
};

struct cohort_mirror {
    cohort_t *client;
    cohort_stream_t *stream;
    char *path;
    struct nodemap nodes;
    uint64_t zxid;  /* of nodes; 0: no snapshot yet */
    bool current;   /* the stream has delivered a whole snapshot and goes on */
    uint64_t sweep; /* number of snapshots */

    struct nodemap staged;
    bool staging; /* fragments have come and more follow */
    bool staging_snapshot;
    uint64_t staging_zxid;
    cohort_change_t *owners; /* the changes of owner among them, in their order */
    size_t owners_count;

    int64_t current_ms;        /* when the copy was last known to be current */
    struct recipe_calls asked; /* whether it is so again */
    bool ended;                /* an answer says that the session has; the stream is about to */
    uint64_t lost_session;
    int error; /* why it follows no more, or 0 */

    struct recipe_guard guard;
    cohort_clock_fn *clock;
    void *clock_arg;
    cohort_mirror_fn *fn;
    void *arg;
};

static struct mirror_entry *entry_of (struct nodemap_entry *link)
{
    return link == NULL ? NULL : nodemap_owner (link, struct mirror_entry, link);
}

/* ---- Entries ------------------------------------------------------------------------------- */

static struct mirror_entry *entry_new (const cohort_change_t *change)
{
    bool deleted = change->kind == COHORT_CHANGE_DELETED;
    size_t size = deleted ? 0 : change->size;
    size_t path_size = strlen (change->path) + 1;
    size_t links_size = nodemap_levels (change->path) * sizeof (struct nodemap_entry *);
    size_t fixed = sizeof (struct mirror_entry) + links_size + path_size + 1;
    if (size > SIZE_MAX - fixed) {
        return NULL;
    }
    struct mirror_entry *entry = malloc (fixed + size);
    if (entry == NULL) {
        return NULL;
    }
    *entry = (struct mirror_entry){.deleted = deleted};
    entry->link.next = (struct nodemap_entry **) (void *) (entry + 1);
    char *path = (char *) entry->link.next + links_size;
    char *data = path + path_size;
    memcpy (path, change->path, path_size);
    if (size > 0) {
        memcpy (data, change->data, size);
    }
    data[size] = 0;
    entry->link.path = path;
    entry->node.path = path;
    entry->node.data = data;
    entry->node.size = size;
    if (!deleted) {
        entry->node.hidden = change->hidden;
        entry->node.stat = change->stat;
    }
    return entry;
}

static void map_clear (struct nodemap *map)
{
    for (struct nodemap_entry *link = nodemap_pop (map); link != NULL; link = nodemap_pop (map)) {
        free (entry_of (link));
    }
}

static void staging_clear (cohort_mirror_t *self)
{
    map_clear (&self->staged);
    free (self->owners);
    self->owners = NULL;
    self->owners_count = 0;
    self->staging = false;
}

/* ---- Handlers ------------------------------------------------------------------------------ */

/* False: the mirror was destroyed by its handler. */
static bool report (cohort_mirror_t *self, const cohort_mirror_event_t *event)
{
    if (self->fn != NULL && !self->guard.destroyed) {
        self->fn (self, event, self->arg);
    }
    return !self->guard.destroyed;
}

static bool report_plain (cohort_mirror_t *self, cohort_mirror_kind_t kind, int rc, size_t count)
{
    cohort_mirror_event_t event = {
        .kind = kind, .rc = rc, .zxid = self->zxid, .path = self->path, .count = count};
    return report (self, &event);
}

static void enqueue (struct mirror_queue *queue, struct mirror_entry *entry,
                     cohort_mirror_kind_t kind, struct mirror_entry *before)
{
    entry->kind = kind;
    entry->before = before;
    entry->queued = NULL;
    *queue->last = entry;
    queue->last = &entry->queued;
    queue->count++;
}

/* Reports a queue and frees what was replaced or removed. The handler may destroy the mirror; the
 * guard keeps its entries until the caller has left. */
static void report_queue (cohort_mirror_t *self, const struct mirror_queue *queue)
{
    struct mirror_entry *entry = queue->first;
    while (entry != NULL) {
        struct mirror_entry *queued = entry->queued;
        bool removed = entry->kind == COHORT_MIRROR_REMOVED;
        const struct mirror_entry *before = removed ? entry : entry->before;
        cohort_mirror_event_t event = {.kind = entry->kind,
                                       .zxid = self->zxid,
                                       .path = entry->node.path,
                                       .node = removed ? NULL : &entry->node,
                                       .before = before == NULL ? NULL : &before->node};
        report (self, &event);
        free (entry->before);
        entry->before = NULL;
        if (removed) {
            free (entry);
        }
        entry = queued;
    }
}

/* ---- The stream ---------------------------------------------------------------------------- */

static cohort_batch_fn on_batch;
static cohort_result_fn on_asked;

/* Whoever finds the copy out of date is told when it is no more: behind the answer to a sync, which
 * comes when there is a connection again, and behind all that the stream has missed. Without memory
 * for the question the next look asks it. */
static void ask (cohort_mirror_t *self)
{
    struct recipe_call *call = malloc (sizeof (*call));
    if (call != NULL && cohort_sync_async (self->client, on_asked, call) == 0) {
        recipe_call_begin (&self->asked, call, self);
    } else {
        free (call);
    }
}

/* Whether the copy follows the ensemble, as of now. */
static bool look (cohort_mirror_t *self)
{
    bool connected = cohort_state (self->client) == COHORT_CONNECTED;
    bool follows = self->current && !self->ended;
    if (follows && !connected && self->asked.first == NULL) {
        ask (self);
    }
    bool fresh = follows && connected && self->asked.first == NULL;
    if (fresh) {
        self->current_ms = self->clock (self->clock_arg);
    }
    return fresh;
}

static void stream_close (cohort_mirror_t *self)
{
    if (self->stream != NULL) {
        cohort_stream_destroy (&self->stream);
    }
    staging_clear (self);
    recipe_calls_forget (&self->asked);
    self->current = self->ended = false;
}

/* asked: by the application, not by an event. */
static int mirror_open (cohort_mirror_t *self, bool asked)
{
    RECIPE_ASSERT (self->stream == NULL);
    self->error = recipe_renew (self->client, asked ? NULL : &self->lost_session);
    if (self->error == 0) {
        self->stream = cohort_stream_new (self->client, self->path, on_batch, self);
        if (self->stream == NULL) {
            self->error = COHORT_ENOMEM;
        }
    }
    return self->error;
}

/* It follows no more, until it is asked to. */
static void mirror_fail (cohort_mirror_t *self, int rc)
{
    stream_close (self);
    self->error = rc;
    report_plain (self, COHORT_MIRROR_ERROR, rc, 0);
}

/* A new stream on whatever session there is; its snapshot brings the differences. */
static void mirror_reopen (cohort_mirror_t *self)
{
    stream_close (self);
    int rc = mirror_open (self, false);
    if (rc != 0) {
        report_plain (self, COHORT_MIRROR_ERROR, rc, 0);
    }
}

static void mirror_lost (cohort_mirror_t *self)
{
    stream_close (self);
    if (report_plain (self, COHORT_MIRROR_LOST, COHORT_ESESSIONEXPIRED, 0)) {
        mirror_reopen (self);
    }
}

/* ---- Batches ------------------------------------------------------------------------------- */

/* What a session owned is another's: nobody hears of each znode. */
static void change_owner (struct nodemap *nodes, const cohort_change_t *change)
{
    for (struct nodemap_entry *link = nodemap_first (nodes); link != NULL;
         link = nodemap_next (link)) {
        struct mirror_entry *entry = entry_of (link);
        cohort_stat_t *stat = &entry->node.stat;
        if (!entry->deleted && stat->ephemeral_owner == change->from &&
            stat->ozxid <= change->stat.ozxid) {
            stat->ephemeral_owner = change->stat.ephemeral_owner;
            stat->ozxid = change->stat.ozxid;
        }
    }
}

/* What is staged already happened before it, what is in the copy too; what is staged later did
 * not. */
static int stage_owner (cohort_mirror_t *self, const cohort_change_t *change)
{
    cohort_change_t *owners =
        realloc (self->owners, (self->owners_count + 1) * sizeof (*self->owners));
    if (owners == NULL) {
        return COHORT_ENOMEM;
    }
    self->owners = owners;
    self->owners[self->owners_count++] = *change;
    change_owner (&self->staged, change);
    return 0;
}

/* One change of a transaction. */
static void commit_change (cohort_mirror_t *self, struct mirror_entry *entry,
                           struct mirror_queue *queue)
{
    if (entry->deleted) {
        struct mirror_entry *before = entry_of (nodemap_take (&self->nodes, entry->node.path));
        free (entry);
        if (before != NULL) {
            enqueue (queue, before, COHORT_MIRROR_REMOVED, NULL);
        }
        return;
    }
    entry->sweep = self->sweep;
    struct mirror_entry *before = entry_of (nodemap_put (&self->nodes, &entry->link));
    if (before == NULL) {
        enqueue (queue, entry, COHORT_MIRROR_ADDED, NULL);
    } else if (before->node.stat.czxid != entry->node.stat.czxid ||
               before->node.stat.mzxid != entry->node.stat.mzxid ||
               before->node.hidden != entry->node.hidden) {
        enqueue (queue, entry, COHORT_MIRROR_CHANGED, before);
    } else {
        free (before);
    }
}

/* What a snapshot did not have is gone. */
static void commit_sweep (cohort_mirror_t *self, struct mirror_queue *queue)
{
    struct nodemap_entry *link = nodemap_first (&self->nodes);
    while (link != NULL) {
        struct mirror_entry *entry = entry_of (link);
        link = nodemap_next (link);
        if (entry->sweep != self->sweep) {
            struct nodemap_entry *taken = nodemap_take (&self->nodes, entry->node.path);
            RECIPE_ASSERT (taken == &entry->link);
            enqueue (queue, entry, COHORT_MIRROR_REMOVED, NULL);
        }
    }
}

/* The batch is whole: the copy changes at once, then the handlers hear of it. */
static void commit (cohort_mirror_t *self)
{
    struct mirror_queue queue = {.first = NULL};
    queue.last = &queue.first;
    bool snapshot = self->staging_snapshot;
    if (snapshot) {
        self->sweep++;
        recipe_calls_forget (&self->asked); /* it is newer than what they asked about */
    }
    for (size_t i = 0; i < self->owners_count; i++) {
        change_owner (&self->nodes, &self->owners[i]);
    }
    struct nodemap_entry *link;
    while ((link = nodemap_pop (&self->staged)) != NULL) {
        commit_change (self, entry_of (link), &queue);
    }
    if (snapshot) {
        commit_sweep (self, &queue);
    }
    staging_clear (self);
    self->zxid = self->staging_zxid;
    self->current = self->current || snapshot;
    (void) look (self);

    report_queue (self, &queue);
    if (report_plain (self, COHORT_MIRROR_BATCH, 0, queue.count) && snapshot) {
        report_plain (self, COHORT_MIRROR_SYNCED, 0, 0);
    }
}

/* Adds a fragment to what is staged. False: the stream cannot be followed any further. */
static int stage (cohort_mirror_t *self, const cohort_batch_t *batch)
{
    if (batch->first) {
        /* Also after a reconnect in the middle of a batch: it is sent again as a whole. */
        staging_clear (self);
        if (batch->snapshot) {
            self->current = false; /* the copy stays as it is until the snapshot is whole */
        }
        self->staging = true;
        self->staging_snapshot = batch->snapshot != 0;
        self->staging_zxid = batch->zxid;
    } else if (!self->staging || self->staging_zxid != batch->zxid ||
               self->staging_snapshot != (batch->snapshot != 0)) {
        return COHORT_EPROTOCOL;
    }
    if (!self->staging_snapshot && !self->current) {
        return COHORT_EPROTOCOL;
    }
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->changes[i].kind == COHORT_CHANGE_OWNER) {
            int rc = stage_owner (self, &batch->changes[i]);
            if (rc != 0) {
                return rc;
            }
            continue;
        }
        struct mirror_entry *entry = entry_new (&batch->changes[i]);
        if (entry == NULL) {
            return COHORT_ENOMEM;
        }
        free (entry_of (nodemap_put (&self->staged, &entry->link)));
    }
    return 0;
}

static void take_batch (cohort_mirror_t *self, const cohort_batch_t *batch)
{
    if (!batch->snapshot && self->current && batch->zxid <= self->zxid) {
        return;
    }
    int rc = stage (self, batch);
    if (rc != 0) {
        mirror_fail (self, rc);
    } else if (!batch->more) {
        commit (self);
    }
}

static void mirror_free (cohort_mirror_t *self)
{
    map_clear (&self->nodes);
    staging_clear (self);
    free (self->path);
    free (self);
}

static void on_batch (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    cohort_mirror_t *self = arg;
    RECIPE_ASSERT (stream == self->stream);
    recipe_enter (&self->guard);
    int rc = batch == NULL ? cohort_stream_error (stream) : 0;
    if (batch == NULL && rc == COHORT_ESESSIONEXPIRED) {
        mirror_lost (self);
    } else if (batch == NULL) {
        mirror_fail (self, rc); /* too large, or one stream too many: it would be so again */
    } else {
        take_batch (self, batch);
    }
    if (recipe_leave (&self->guard)) {
        mirror_free (self);
    }
}

static void on_asked (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct recipe_call *call = arg;
    cohort_mirror_t *self = call->owner;
    (void) client;
    recipe_call_end (call);
    free (call);
    if (self == NULL) {
        return;
    }
    recipe_enter (&self->guard);
    self->ended = result->rc == COHORT_ESESSIONEXPIRED;
    if (look (self)) {
        report_plain (self, COHORT_MIRROR_SYNCED, 0, 0);
    }
    if (recipe_leave (&self->guard)) {
        mirror_free (self);
    }
}

/* ---- The public functions ------------------------------------------------------------------ */

cohort_mirror_t *cohort_mirror_new (cohort_t *client, const char *path,
                                    const cohort_mirror_options_t *options)
{
    if (client == NULL || path == NULL || (options != NULL && options->size < sizeof (*options))) {
        return NULL;
    }
    cohort_mirror_t *self = malloc (sizeof (*self));
    if (self == NULL) {
        return NULL;
    }
    *self = (cohort_mirror_t){.client = client, .clock = recipe_clock};
    if (options != NULL && options->clock != NULL) {
        self->clock = options->clock;
        self->clock_arg = options->clock_arg;
    }
    self->path = recipe_copy (path, strlen (path));
    if (self->path == NULL || mirror_open (self, true) != 0) {
        mirror_free (self);
        return NULL;
    }
    return self;
}

void cohort_mirror_destroy (cohort_mirror_t **self_p)
{
    cohort_mirror_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->guard.destroyed);
    stream_close (self);
    if (recipe_bury (&self->guard)) {
        mirror_free (self);
    }
}

void cohort_mirror_set_handler (cohort_mirror_t *self, cohort_mirror_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

static int is_current (void *arg)
{
    cohort_mirror_t *self = arg;
    if (self->error != 0) {
        return self->error;
    }
    return look (self) ? 1 : 0;
}

int cohort_mirror_wait (cohort_mirror_t *self, int timeout_ms)
{
    recipe_enter (&self->guard);
    int rc = recipe_wait (self->client, &self->guard, timeout_ms, is_current, self);
    if (recipe_leave (&self->guard)) {
        mirror_free (self);
    }
    return rc;
}

int cohort_mirror_retry (cohort_mirror_t *self)
{
    return self->stream != NULL ? 0 : mirror_open (self, true);
}

static const cohort_node_t *node_of (struct nodemap_entry *link)
{
    return link == NULL ? NULL : &entry_of (link)->node;
}

static struct mirror_entry *entry_of_node (const cohort_node_t *node)
{
    return nodemap_owner (node, struct mirror_entry, node);
}

const cohort_node_t *cohort_mirror_get (cohort_mirror_t *self, const char *path)
{
    return path == NULL ? NULL : node_of (nodemap_find (&self->nodes, path));
}

const cohort_node_t *cohort_mirror_first (cohort_mirror_t *self)
{
    return node_of (nodemap_first (&self->nodes));
}

const cohort_node_t *cohort_mirror_next (cohort_mirror_t *self, const cohort_node_t *node)
{
    (void) self;
    return node == NULL ? NULL : node_of (nodemap_next (&entry_of_node (node)->link));
}

const cohort_node_t *cohort_mirror_first_child (cohort_mirror_t *self, const char *path)
{
    struct nodemap_entry *parent = path == NULL ? NULL : nodemap_find (&self->nodes, path);
    if (parent == NULL) {
        return NULL;
    }
    /* A tree: what follows a node and is below it is its first child. */
    struct nodemap_entry *next = nodemap_next (parent);
    return next != NULL && nodemap_is_below (next->path, path) ? node_of (next) : NULL;
}

const cohort_node_t *cohort_mirror_next_child (cohort_mirror_t *self, const cohort_node_t *child)
{
    if (child == NULL) {
        return NULL;
    }
    struct nodemap_entry *next = nodemap_behind (&self->nodes, child->path);
    if (next == NULL) {
        return NULL;
    }
    /* A sibling, if both have the same text up to the last slash. */
    size_t length = (size_t) (strrchr (child->path, '/') - child->path) + 1;
    return strncmp (next->path, child->path, length) == 0 ? node_of (next) : NULL;
}

size_t cohort_mirror_count (cohort_mirror_t *self)
{
    return self->nodes.count;
}

uint64_t cohort_mirror_zxid (cohort_mirror_t *self)
{
    return self->zxid;
}

int64_t cohort_mirror_stale_ms (cohort_mirror_t *self)
{
    bool fresh = look (self);
    if (self->sweep == 0) {
        return -1;
    }
    if (fresh) {
        return 0;
    }
    /* At least 1: the copy is not current, however short it has been so. */
    int64_t age = self->clock (self->clock_arg) - self->current_ms;
    return age < 1 ? 1 : age;
}

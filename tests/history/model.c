/* A naive model of what the ensemble keeps: looking, and sessions. Operations are in model_ops.c.
 */

#include "tests/history/model_state.h"

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/hash.h"

enum { ARENA_BLOCK = 64 << 10 };

void model_init (struct model *self)
{
    memset (self, 0, sizeof *self);
    arena_init (&self->arena, ARENA_BLOCK, 0);
    map_init (&self->znodes);
    map_init (&self->sessions);
    self->root = model_need (self, "/");
    struct model_version *version = model_push (self, self->root, MODEL_CREATED);
    version->exists = true;
    version->value = "";
}

static void free_znode (struct map_node *node, void *arg)
{
    struct model_znode *znode = map_entry (node, struct model_znode, node);
    (void) arg;
    free (znode->versions);
    free (znode->children);
    free (znode);
}

static void free_results (struct model_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free (results[i].outcomes);
    }
    free (results);
}

static void free_session (struct map_node *node, void *arg)
{
    struct model_session *session = map_entry (node, struct model_session, node);
    (void) arg;
    free_results (session->results, session->results_count);
    for (size_t i = 0; i < session->past_count; i++) {
        free_results (session->past[i].results, session->past[i].results_count);
    }
    free (session->past);
    free (session->origins);
    free (session->ephemerals);
    free (session);
}

void model_deinit (struct model *self)
{
    map_drain (&self->znodes, free_znode, NULL);
    map_drain (&self->sessions, free_session, NULL);
    map_deinit (&self->znodes);
    map_deinit (&self->sessions);
    arena_deinit (&self->arena);
    free (self->changes);
    free (self->lapses);
    free (self->admins);
    free (self->touched);
}

void *model_grow (void *items, size_t count, size_t *capacity, size_t size)
{
    if (count == *capacity) {
        *capacity = *capacity > 0 ? 2 * *capacity : 4;
        items = realloc (items, *capacity * size);
        COHORT_ASSERT (items != NULL);
    }
    return items;
}

/* ---- Znodes ---------------------------------------------------------------------------------- */

static uint64_t path_hash (const char *path)
{
    return hash64 (path, strlen (path), 0);
}

static bool has_path (const struct map_node *node, const void *key)
{
    return strcmp (map_entry (node, struct model_znode, node)->path, key) == 0;
}

static struct model_znode *find (const struct model *self, const char *path)
{
    struct map_node *node = map_find (&self->znodes, path_hash (path), has_path, path);
    return node != NULL ? map_entry (node, struct model_znode, node) : NULL;
}

const struct model_znode *model_find (const struct model *self, const char *path)
{
    return find (self, path);
}

struct model_znode *model_look (struct model *self, const char *path)
{
    return find (self, path);
}

/* Into the list of the parent's, which is in the order of names. */
static void adopt (struct model_znode *parent, struct model_znode *child)
{
    size_t at = parent->children_count;
    parent->children = model_grow (parent->children, parent->children_count,
                                   &parent->children_capacity, sizeof (struct model_znode *));
    while (at > 0 && strcmp (parent->children[at - 1]->name, child->name) > 0) {
        parent->children[at] = parent->children[at - 1];
        at--;
    }
    parent->children[at] = child;
    parent->children_count++;
}

struct model_znode *model_need (struct model *self, const char *path)
{
    struct model_znode *znode = find (self, path);
    if (znode != NULL) {
        return znode;
    }
    size_t size = strlen (path) + 1;
    znode = calloc (1, sizeof *znode + size);
    COHORT_ASSERT (znode != NULL);
    memcpy (znode->path, path, size);
    znode->name = strrchr (znode->path, '/') + 1;
    znode->node.hash = path_hash (path);
    map_insert (&self->znodes, &znode->node);
    return znode;
}

void model_place (struct model_znode *parent, struct model_znode *child)
{
    if (child->parent == NULL) {
        child->parent = parent;
        adopt (parent, child);
    }
    COHORT_ASSERT (child->parent == parent);
}

const struct model_version *model_now (const struct model_znode *znode)
{
    if (znode == NULL || znode->versions_count == 0) {
        return NULL;
    }
    const struct model_version *last = &znode->versions[znode->versions_count - 1];
    return last->exists ? last : NULL;
}

void model_tell (struct model *self, const struct model_change *change)
{
    self->changes = model_grow (self->changes, self->changes_count, &self->changes_capacity,
                                sizeof (struct model_change));
    self->changes[self->changes_count] = *change;
    self->changes[self->changes_count++].zxid = self->zxid;
}

struct model_version *model_push (struct model *self, struct model_znode *znode,
                                  enum model_change_kind change)
{
    size_t at = znode->versions_count;
    znode->versions =
        model_grow (znode->versions, at, &znode->versions_capacity, sizeof (struct model_version));
    struct model_version *version = &znode->versions[at];
    znode->versions_count++;
    if (at > 0) {
        *version = version[-1];
    } else {
        memset (version, 0, sizeof *version);
    }
    version->zxid = self->zxid;
    version->change = change;
    version->order = self->changes_count;
    if (change != MODEL_CHILDREN && change != MODEL_ASIDE) {
        model_tell (self, &(struct model_change){.znode = znode, .version = at});
    }
    self->touched = model_grow (self->touched, self->touched_count, &self->touched_capacity,
                                sizeof (struct model_touch));
    self->touched[self->touched_count++] = (struct model_touch){znode, at};
    return version;
}

size_t model_after (const struct model_znode *znode, uint64_t zxid)
{
    size_t low = 0, high = znode->versions_count;
    if (high > 0 && znode->versions[high - 1].zxid <= zxid) {
        return high; /* mostly it is about the end */
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (znode->versions[middle].zxid <= zxid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct model_version *model_at (const struct model_znode *znode, uint64_t zxid)
{
    size_t after = znode != NULL ? model_after (znode, zxid) : 0;
    return after > 0 && znode->versions[after - 1].exists ? &znode->versions[after - 1] : NULL;
}

const struct model_version *model_behind (const struct model_znode *znode, size_t changes)
{
    size_t at = znode != NULL ? znode->versions_count : 0;
    while (at > 0 && znode->versions[at - 1].order >= changes) {
        at--;
    }
    return at > 0 && znode->versions[at - 1].exists ? &znode->versions[at - 1] : NULL;
}

const char *model_keep (struct model *self, const char *text)
{
    char *copy = arena_strdup (&self->arena, text);
    COHORT_ASSERT (copy != NULL);
    return copy;
}

size_t model_changes_after (const struct model *self, uint64_t zxid)
{
    size_t low = 0, high = self->changes_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->changes[middle].zxid <= zxid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool model_covers (const char *root, const char *path)
{
    size_t size = strcmp (root, "/") == 0 ? 0 : strlen (root);
    return strncmp (root, path, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

uint64_t model_subtree_count (const struct model *self, const char *root, uint64_t zxid)
{
    uint64_t count = 0;
    for (struct map_node *node = map_first (&self->znodes); node != NULL;
         node = map_next (&self->znodes, node)) {
        const struct model_znode *znode = map_entry (node, struct model_znode, node);
        count += model_covers (root, znode->path) && model_at (znode, zxid) != NULL;
    }
    return count;
}

bool model_stat_equal (const cohort_stat_t *a, const cohort_stat_t *b)
{
    return a->czxid == b->czxid && a->mzxid == b->mzxid && a->pzxid == b->pzxid &&
           a->ctime_ms == b->ctime_ms && a->mtime_ms == b->mtime_ms && a->version == b->version &&
           a->cversion == b->cversion && a->aversion == b->aversion &&
           a->data_size == b->data_size && a->ephemeral_owner == b->ephemeral_owner &&
           a->ozxid == b->ozxid && a->child_count == b->child_count && a->mode == b->mode &&
           a->ttl_ms == b->ttl_ms;
}

/* ---- Sessions -------------------------------------------------------------------------------- */

static bool any_key (const struct map_node *node, const void *key)
{
    /* The hash is the id. */
    (void) node;
    (void) key;
    return true;
}

struct model_session *model_find_session (const struct model *self, uint64_t id)
{
    struct map_node *node = map_find (&self->sessions, id, any_key, NULL);
    return node != NULL ? map_entry (node, struct model_session, node) : NULL;
}

const struct model_session *model_session (const struct model *self, uint64_t id)
{
    return model_find_session (self, id);
}

const struct model_result *model_result (const struct model *self, uint64_t session,
                                         uint32_t incarnation, uint64_t number)
{
    const struct model_session *found = model_find_session (self, session);
    if (found == NULL || number == 0) {
        return NULL;
    }
    for (size_t i = 0; i < found->past_count; i++) {
        const struct model_past *past = &found->past[i];
        if (past->incarnation == incarnation) {
            return number <= past->results_count ? &past->results[number - 1] : NULL;
        }
    }
    return found->incarnation == incarnation && number <= found->results_count
               ? &found->results[number - 1]
               : NULL;
}

/* The results of the present incarnation are those of the past. */
static void put_past (struct model_session *session)
{
    session->past = model_grow (session->past, session->past_count, &session->past_capacity,
                                sizeof (struct model_past));
    session->past[session->past_count++] =
        (struct model_past){session->incarnation, session->results, session->results_count};
    session->results = NULL;
    session->results_count = session->results_capacity = 0;
}

/* A client draws a nonce for each session; if it says it again, it means the same one. */
static struct model_session *begin_session (struct model *self, const struct history_entry *entry)
{
    for (struct map_node *node = map_first (&self->sessions); node != NULL;
         node = map_next (&self->sessions, node)) {
        struct model_session *session = map_entry (node, struct model_session, node);
        if (!session->gone && memcmp (session->nonce, entry->nonce, sizeof entry->nonce) == 0) {
            if (!session->dead && !session->killed && session->incarnation == 1 &&
                entry->attach_no > session->attach_no) {
                session->attach_no = entry->attach_no;
                session->server = entry->server;
                model_set_origin (self, session, 1, entry->origin);
            }
            return session;
        }
    }
    struct model_session *session = calloc (1, sizeof *session);
    COHORT_ASSERT (session != NULL);
    session->id = session->node.hash = ++self->last_session;
    memcpy (session->nonce, entry->nonce, sizeof entry->nonce);
    memcpy (session->password, entry->password, sizeof entry->password);
    model_set_origin (self, session, 1, entry->origin);
    session->attach_no = entry->attach_no;
    session->server = entry->server;
    session->incarnation = 1;
    map_insert (&self->sessions, &session->node);
    return session;
}

/* A history may leave passwords out. */
static bool knows_password (const struct model_session *session, const struct history_entry *entry)
{
    static const uint8_t none[sizeof entry->password];
    return memcmp (entry->password, none, sizeof none) == 0 ||
           memcmp (entry->password, session->password, sizeof session->password) == 0;
}

/* A process that has lost what it had asked for takes a later incarnation; its numbers begin
 * anew. */
static void attach (struct model *self, struct model_session *session,
                    const struct history_entry *entry)
{
    bool next = entry->incarnation > session->incarnation;
    bool mine = session->incarnation == 1 ||
                memcmp (session->process, entry->nonce, sizeof entry->nonce) == 0;
    if (!knows_password (session, entry) || session->killed ||
        (!next && (entry->incarnation != session->incarnation || !mine ||
                   entry->attach_no <= session->attach_no))) {
        return;
    }
    if (next) {
        put_past (session);
        session->incarnation = entry->incarnation;
        memcpy (session->process, entry->nonce, sizeof entry->nonce);
    }
    session->attach_no = entry->attach_no;
    session->server = entry->server;
    model_set_origin (self, session, entry->incarnation, entry->origin);
}

static bool is_current (const struct model_session *session, const struct history_entry *entry)
{
    return entry->killed ||
           (entry->attach_no == session->attach_no &&
            (entry->incarnation == 0 || entry->incarnation == session->incarnation));
}

/* What is of no session; false: it is of one. */
static bool apply_to_all (struct model *self, const struct history_entry *entry)
{
    switch (entry->kind) {
    case HISTORY_ENTRY_LAPSE:
        model_lapse (self, entry);
        return true;
    case HISTORY_ENTRY_FOUND:
        model_found (self, entry);
        model_set_admins (self, entry->admins);
        return true;
    case HISTORY_ENTRY_REPLACE_ADMINS:
        model_set_admins (self, entry->admins);
        return true;
    case HISTORY_ENTRY_ADMINS:
        if (!model_has_admins (self, self->zxid)) {
            model_set_admins (self, entry->admins);
        }
        return true;
    default:
        return false;
    }
}

struct model_applied model_apply (struct model *self, const struct history_entry *entry)
{
    COHORT_ASSERT (entry->zxid > self->zxid);
    self->zxid = entry->zxid;
    self->stamp_ms = entry->stamp_ms > self->stamp_ms ? entry->stamp_ms : self->stamp_ms;
    self->touched_count = 0;
    if (entry->kind == HISTORY_ENTRY_SESSION) {
        return (struct model_applied){.session = begin_session (self, entry)};
    }
    if (apply_to_all (self, entry)) {
        return (struct model_applied){.session = NULL};
    }
    struct model_session *session = model_find_session (self, entry->session);
    struct model_applied applied = {.session = session};
    if (session == NULL || (session->dead && entry->kind != HISTORY_ENTRY_REAP)) {
        return applied;
    }
    switch (entry->kind) {
    case HISTORY_ENTRY_ATTACH:
        attach (self, session, entry);
        break;
    case HISTORY_ENTRY_CLOSE:
        applied.closed = is_current (session, entry);
        break;
    case HISTORY_ENTRY_REAP:
        if (session->dead) {
            model_reap (self, session);
        }
        break;
    case HISTORY_ENTRY_WRITE:
        if (!session->killed && entry->incarnation == session->incarnation &&
            entry->number == session->results_count + 1) {
            applied.executed = true;
            applied.closed = model_write (self, session, entry);
            session->closed_by_owner = applied.closed;
        }
        break;
    default:
        break;
    }
    if (applied.closed) {
        session->dead = true;
        session->closed_zxid = entry->zxid;
        model_reap (self, session);
    }
    return applied;
}

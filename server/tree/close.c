/*
 * server/tree/close.c - the end of sessions
 *
 * PURE.  An entry removes at most ENTRY_REAP_MAX ephemerals, so that none takes long; until the
 * last is gone the session stays, dead.
 */
#include "client/base/alloc.h"
#include "client/base/arena.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/tree/change.h"
#include "server/tree/estate.h"
#include "server/tree/ops.h"
#include "server/tree/sort.h"
#include "server/tree/verify.h"

enum { ARENA_BLOCK_SIZE = 64 << 10 };

struct doomed {
    struct znode *znode;
    const char *path;
    size_t path_size;
};

/* Ascending order of the bytes of the paths. */
static int compare_paths (const void *left, const void *right)
{
    const struct doomed *a = left;
    const struct doomed *b = right;
    COHORT_ASSERT (a->znode != b->znode);
    int order =
        memcmp (a->path, b->path, a->path_size < b->path_size ? a->path_size : b->path_size);
    return order != 0 ? order : a->path_size < b->path_size ? -1 : a->path_size > b->path_size;
}

/* The ephemerals of a session one by one, in the order of (estate, czxid); rank grows with these
 * two. */
struct walk {
    const struct session *session;
    const struct estate *estate;
    struct list_node *at;
    zxid_t czxid;
    uint64_t rank;
};

static struct tenure *walk_next (struct walk *walk)
{
    const struct list *estates = &walk->session->estates;
    walk->at = walk->at != NULL ? list_next (&walk->estate->tenures, walk->at) : NULL;
    while (walk->at == NULL) {
        const struct list_node *next =
            walk->estate != NULL ? list_next (estates, &walk->estate->owned) : list_first (estates);
        if (next == NULL) {
            return NULL;
        }
        walk->estate = list_entry (next, const struct estate, owned);
        walk->at = list_first (&walk->estate->tenures);
        walk->czxid = 0;
    }
    struct tenure *tenure = list_entry (walk->at, struct tenure, node);
    walk->rank += tenure->znode->czxid != walk->czxid;
    walk->czxid = tenure->znode->czxid;
    return tenure;
}

/* How many ephemerals of the session, from the first on, have to be looked at to know the first
 * ENTRY_REAP_MAX in the order (estate, czxid, path): those that were created together are in no
 * order. */
static size_t candidates (const struct session *session)
{
    struct walk walk = {.session = session};
    uint64_t last = 0;
    for (size_t count = 0;; count++) {
        if (walk_next (&walk) == NULL || (count >= ENTRY_REAP_MAX && walk.rank != last)) {
            return count;
        }
        last = walk.rank;
    }
}

static struct doomed *doom (struct tree *self, struct arena *arena, struct znode *znode)
{
    struct doomed *doomed = arena_alloc (arena, sizeof (*doomed));
    MEM_NEED (doomed != NULL);
    size_t size;
    bool ok = znode_path (znode, &self->path, &size);
    MEM_NEED (ok);
    doomed->znode = znode;
    doomed->path_size = size;
    doomed->path = arena_dup (arena, self->path.data, size);
    MEM_NEED (doomed->path != NULL);
    return doomed;
}

/* Removes the next ephemerals of a dead session, and the session when none are left. */
static void reap (struct tree *self, struct session *session, struct tree_outcome *outcome)
{
    COHORT_ASSERT (session->dead);
    struct arena arena;
    arena_init (&arena, ARENA_BLOCK_SIZE, 0);
    size_t count = candidates (session);
    struct sort_item *items = arena_alloc (&arena, 2 * count * sizeof (*items));
    MEM_NEED (items != NULL);
    struct walk walk = {.session = session};
    for (size_t i = 0; i < count; i++) {
        const struct tenure *tenure = walk_next (&walk);
        items[i].key = walk.rank;
        items[i].value = doom (self, &arena, tenure->znode);
    }
    sort_items (items, items + count, count, compare_paths);
    for (size_t i = 0; i < count && i < ENTRY_REAP_MAX; i++) {
        const struct doomed *doomed = items[i].value;
        if (!verify_stat (self, doomed->znode) || !verify_stat (self, doomed->znode->parent)) {
            break; /* the state is given up */
        }
        change_delete (self, doomed->znode, doomed->path, doomed->path_size);
    }
    arena_deinit (&arena);
    COHORT_ASSERT (session->ephemeral_count == 0 || count >= ENTRY_REAP_MAX ||
                   tree_damage (self) != NULL);
    if (session->ephemeral_count == 0) {
        change_session_remove (self, session);
        outcome->session_gone = true;
    }
}

void close_and_reap (struct tree *self, struct session *session, struct tree_outcome *outcome)
{
    COHORT_ASSERT (!session->dead);
    change_session_kill (self, session);
    outcome->session_closed = true;
    reap (self, session, outcome);
}

int op_kill_session (struct tree *self, const struct session *session, const struct op *op,
                     struct result_op *result)
{
    if (!session_is_admin (self, session) && !COHORT_MUTATED (anybody_kills)) {
        return COHORT_ENOAUTH;
    }
    struct session *killed = session_find (&self->sessions, op->session);
    result->existed = killed != NULL && !session_over (killed);
    if (result->existed) {
        change_session_condemn (self, killed);
    }
    return 0;
}

void close_apply (struct tree *self, const struct entry_close *close, struct tree_outcome *outcome)
{
    outcome->session = close->session;
    struct session *session = session_find (&self->sessions, close->session);
    if (session == NULL || session->dead) {
        return;
    }
    bool current = (close->attach_no == session->attach_no || COHORT_MUTATED (old_attach_closes)) &&
                   (close->incarnation == 0 || close->incarnation == session->incarnation);
    if (COHORT_MUTATED (kill_unreaped) && close->reason == ENTRY_KILLED &&
        session->ephemeral_count > 0) {
        change_session_kill (self, session);
        outcome->session_closed = true;
    } else if (current || close->reason == ENTRY_KILLED) {
        close_and_reap (self, session, outcome);
    }
}

void reap_apply (struct tree *self, const struct entry_reap *what, struct tree_outcome *outcome)
{
    outcome->session = what->session;
    struct session *session = session_find (&self->sessions, what->session);
    if (session != NULL && session->dead) {
        reap (self, session, outcome);
    }
}

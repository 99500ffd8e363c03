/*
 * server/tree/owned.c - the ephemerals of a session
 *
 * PURE.  They are listed in the order (estate, czxid, path), which is the same on every server: in
 * an estate's list those of one transaction stand as that server has come by them, and are sorted
 * when the list comes to them.  The place in such a list is the path of the last one that was
 * listed, its estate and its czxid; it means the same whether that one is still there or not.
 */
#include <string.h>

#include "client/base/arena.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/tree/estate.h"
#include "server/tree/sort.h"
#include "server/tree/state.h"
#include "server/tree/verify.h"

enum {
    DIGITS = 16,
    PLACE_HEAD = 2 * DIGITS, /* hexadecimal ones before the path */
    GROUP_BLOCK_SIZE = 8 << 10
};

static const char digits[] = "0123456789abcdef";

struct place {
    uint64_t estate;
    zxid_t czxid;
    const char *path;
    size_t path_size;
};

static bool parse_number (const char *text, uint64_t *number)
{
    uint64_t value = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        const char *digit = memchr (digits, text[i], sizeof (digits) - 1);
        if (digit == NULL) {
            return false;
        }
        value = value << 4 | (uint64_t) (digit - digits);
    }
    *number = value;
    return true;
}

static bool parse_place (const struct tree_ephemerals *list, struct place *place)
{
    if (list->after_size <= PLACE_HEAD || list->after[PLACE_HEAD] != '/') {
        return false;
    }
    place->path = list->after + PLACE_HEAD;
    place->path_size = list->after_size - PLACE_HEAD;
    return parse_number (list->after, &place->estate) &&
           parse_number (list->after + DIGITS, &place->czxid);
}

static void put_number (struct buf *out, uint64_t number)
{
    for (int shift = 60; shift >= 0; shift -= 4) {
        buf_u8 (out, (uint8_t) digits[number >> shift & 15]);
    }
}

static void put_place (struct buf *place, const struct tenure *tenure, const char *path,
                       size_t size)
{
    buf_clear (place);
    put_number (place, tenure->estate->id);
    put_number (place, tenure->znode->czxid);
    buf_append (place, path, size);
}

static struct tenure *first_of (const struct list_node *estate)
{
    struct list_node *first =
        list_first (&list_entry (estate, const struct estate, owned)->tenures);
    COHORT_ASSERT (first != NULL);
    return list_entry (first, struct tenure, node);
}

/* NULL: none. */
static struct tenure *first (const struct session *session)
{
    const struct list_node *estate = list_first (&session->estates);
    return estate != NULL ? first_of (estate) : NULL;
}

static struct tenure *next_of (const struct session *session, const struct tenure *tenure)
{
    const struct estate *estate = tenure->estate;
    struct list_node *next = list_next (&estate->tenures, &tenure->node);
    if (next != NULL) {
        return list_entry (next, struct tenure, node);
    }
    const struct list_node *after = list_next (&session->estates, &estate->owned);
    return after != NULL ? first_of (after) : NULL;
}

static bool same_group (const struct tenure *a, const struct tenure *b)
{
    return a->estate == b->estate && a->znode->czxid == b->znode->czxid;
}

/* The first of those that were created together with it. */
static struct tenure *first_together (struct tenure *tenure)
{
    const struct list *all = &tenure->estate->tenures;
    for (struct list_node *at = list_prev (all, &tenure->node); at != NULL;
         at = list_prev (all, at)) {
        struct tenure *before = list_entry (at, struct tenure, node);
        if (!same_group (before, tenure)) {
            break;
        }
        tenure = before;
    }
    return tenure;
}

/* Whether it comes in the order before all that were created with the one at the place. */
static bool lies_before (const struct tenure *tenure, const struct place *place)
{
    return tenure->estate->id < place->estate ||
           (tenure->estate->id == place->estate && tenure->znode->czxid < place->czxid);
}

/* The first of the session that was created with the one at the place, or comes behind those; NULL:
 * none. */
static struct tenure *seek (const struct tree *self, const struct session *session,
                            const struct place *place)
{
    const struct znode *znode =
        znode_find (&self->znodes, self->root, place->path, place->path_size);
    struct tenure *known = znode != NULL ? znode_tenure (znode) : NULL;
    if (known != NULL && tenure_session (known) == session && known->estate->id == place->estate &&
        znode->czxid == place->czxid) {
        return first_together (known);
    }
    const struct list_node *at = list_first (&session->estates);
    while (at != NULL && list_entry (at, const struct estate, owned)->id < place->estate) {
        at = list_next (&session->estates, at);
    }
    struct tenure *tenure = at != NULL ? first_of (at) : NULL;
    while (tenure != NULL && lies_before (tenure, place)) {
        tenure = next_of (session, tenure);
    }
    return tenure;
}

/* ---- Created together -------------------------------------------------------------------- */

struct named {
    const struct znode *znode;
    const char *path;
    size_t path_size;
};

/* Those of one transaction, in the order of their paths. */
struct group {
    struct arena arena;
    struct sort_item *items; /* their values are struct named */
    size_t count;
    struct tenure *behind; /* what comes after them; NULL: nothing */
};

static int compare_texts (const char *a, size_t a_size, const char *b, size_t b_size)
{
    int order = memcmp (a, b, a_size < b_size ? a_size : b_size);
    return order != 0 ? order : a_size < b_size ? -1 : a_size > b_size;
}

static int compare_named (const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    return compare_texts (a->path, a->path_size, b->path, b->path_size);
}

static struct named *name (const struct tree *self, struct group *group, const struct znode *znode)
{
    struct buf *path = &self->scratch->get_path;
    struct named *named = arena_alloc (&group->arena, sizeof (*named));
    size_t size;
    if (named == NULL || !znode_path (znode, path, &size)) {
        return NULL;
    }
    *named = (struct named){znode, arena_dup (&group->arena, path->data, size), size};
    return named->path != NULL ? named : NULL;
}

/* Replaces what is in the group by the one that begins with `first`; false: out of memory. */
static bool gather (const struct tree *self, const struct session *session, struct group *group,
                    struct tenure *first)
{
    arena_reset (&group->arena);
    group->count = 0;
    for (group->behind = first; group->behind != NULL && same_group (group->behind, first);
         group->behind = next_of (session, group->behind)) {
        group->count++;
    }
    group->items = arena_alloc (&group->arena, 2 * group->count * sizeof (*group->items));
    if (group->items == NULL) {
        return false;
    }
    struct tenure *at = first;
    for (size_t i = 0; i < group->count; i++, at = next_of (session, at)) {
        struct named *named = name (self, group, at->znode);
        if (named == NULL) {
            return false;
        }
        group->items[i] = (struct sort_item){0, named};
    }
    sort_items (group->items, group->items + group->count, group->count, compare_named);
    return true;
}

/* ---- Pages ------------------------------------------------------------------------------- */

struct page {
    const struct tree *tree;
    const struct tree_ephemerals *list;
    const struct place *place; /* NULL: from the beginning */
    tree_path_fn *fn;
    void *arg;
    struct buf *next;
    uint32_t listed, looked;
    bool full;
};

static bool begins_with (const char *path, size_t size, const struct tree_ephemerals *list)
{
    return list->prefix_size == 0 ||
           (size >= list->prefix_size && memcmp (path, list->prefix, list->prefix_size) == 0);
}

static bool was_listed (const struct page *page, const struct tenure *tenure,
                        const struct named *named)
{
    const struct place *place = page->place;
    return place != NULL && tenure->estate->id == place->estate &&
           named->znode->czxid == place->czxid &&
           compare_texts (named->path, named->path_size, place->path, place->path_size) <
               (COHORT_MUTATED (page_repeats) ? 0 : 1);
}

/* 0 or COHORT_ECORRUPT. */
static int list_group (struct page *page, const struct group *group)
{
    const struct tree_ephemerals *list = page->list;
    for (size_t i = 0; i < group->count; i++) {
        const struct named *named = group->items[i].value;
        const struct tenure *tenure = znode_tenure (named->znode);
        if (was_listed (page, tenure, named)) {
            continue;
        }
        page->full = (list->limit > 0 && page->listed == list->limit) ||
                     (list->looks > 0 && page->looked == list->looks);
        if (page->full) {
            return 0;
        }
        if (!verify_znode (page->tree, named->znode)) {
            return COHORT_ECORRUPT;
        }
        if (begins_with (named->path, named->path_size, list)) {
            page->full = !page->fn (page->arg, named->path, named->path_size);
            if (page->full) {
                COHORT_ASSERT (page->listed > 0);
                return 0;
            }
            page->listed++;
        }
        page->looked++;
        put_place (page->next, tenure, named->path, named->path_size);
    }
    return 0;
}

int tree_ephemerals (const struct tree *self, uint64_t id, const struct tree_ephemerals *list,
                     tree_path_fn *fn, void *arg, struct buf *next)
{
    struct place place = {0};
    struct group group;
    const struct session *session = session_find (&self->sessions, id);
    if (session == NULL) {
        return COHORT_ESESSIONEXPIRED;
    }
    bool resumed = list->after_size > 0;
    if (resumed && !parse_place (list, &place)) {
        return COHORT_EINVAL;
    }
    struct page page = {.tree = self,
                        .list = list,
                        .place = resumed ? &place : NULL,
                        .fn = fn,
                        .arg = arg,
                        .next = next};
    struct tenure *at = resumed ? seek (self, session, &place) : first (session);
    int rc = 0;
    buf_clear (next);
    arena_init (&group.arena, GROUP_BLOCK_SIZE, GROUP_BLOCK_SIZE);
    while (at != NULL && rc == 0 && !page.full) {
        rc = gather (self, session, &group, at) ? list_group (&page, &group) : COHORT_ENOMEM;
        at = group.behind;
    }
    arena_deinit (&group.arena);
    if (!page.full) {
        buf_clear (next);
    }
    return rc == 0 && next->failed ? COHORT_ENOMEM : rc;
}

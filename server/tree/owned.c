/*
 * server/tree/owned.c - the ephemerals of a session
 *
 * PURE.  The place in such a list is the path of the last one that was listed, its estate and its
 * czxid: if it is gone, the list goes on with the first of that estate that was created then or
 * later, or with the next estate.
 */
#include <string.h>

#include "client/base/assert.h"
#include "server/tree/estate.h"
#include "server/tree/state.h"
#include "server/tree/verify.h"

enum { DIGITS = 16, PLACE_HEAD = 2 * DIGITS }; /* hexadecimal ones before the path */

static const char digits[] = "0123456789abcdef";

struct place {
    uint64_t estate;
    zxid_t czxid;
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
    return list->after_size > PLACE_HEAD && list->after[PLACE_HEAD] == '/' &&
           parse_number (list->after, &place->estate) &&
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

/* The first of the session behind the place; NULL: none. */
static struct tenure *behind (const struct tree *self, const struct session *session,
                              const struct tree_ephemerals *list, const struct place *place)
{
    const struct znode *znode = znode_find (&self->znodes, self->root, list->after + PLACE_HEAD,
                                            list->after_size - PLACE_HEAD);
    const struct tenure *known = znode != NULL ? znode_tenure (znode) : NULL;
    if (known != NULL && tenure_session (known) == session && known->estate->id == place->estate &&
        znode->czxid == place->czxid) {
        return next_of (session, known);
    }
    const struct list_node *at = list_first (&session->estates);
    while (at != NULL && list_entry (at, const struct estate, owned)->id < place->estate) {
        at = list_next (&session->estates, at);
    }
    struct tenure *tenure = at != NULL ? first_of (at) : NULL;
    while (tenure != NULL && tenure->estate->id == place->estate &&
           tenure->znode->czxid < place->czxid) {
        tenure = next_of (session, tenure);
    }
    return tenure;
}

static bool begins_with (const char *path, size_t size, const struct tree_ephemerals *list)
{
    return list->prefix_size == 0 ||
           (size >= list->prefix_size && memcmp (path, list->prefix, list->prefix_size) == 0);
}

int tree_ephemerals (const struct tree *self, uint64_t id, const struct tree_ephemerals *list,
                     tree_path_fn *fn, void *arg, struct buf *next)
{
    struct place place = {0};
    const struct session *session = session_find (&self->sessions, id);
    if (session == NULL) {
        return COHORT_ESESSIONEXPIRED;
    }
    if (list->after_size > 0 && !parse_place (list, &place)) {
        return COHORT_EINVAL;
    }
    const struct tenure *at =
        list->after_size > 0 ? behind (self, session, list, &place) : first (session);
    struct buf *path = &self->scratch->get_path;
    uint32_t listed = 0;
    buf_clear (next);
    for (uint32_t looked = 0; at != NULL; looked++) {
        size_t size;
        if ((list->limit > 0 && listed == list->limit) ||
            (list->looks > 0 && looked == list->looks)) {
            return next->failed ? COHORT_ENOMEM : 0;
        }
        if (!verify_znode (self, at->znode)) {
            return COHORT_ECORRUPT;
        }
        if (!znode_path (at->znode, path, &size)) {
            return COHORT_ENOMEM;
        }
        const char *text = (const char *) path->data;
        if (begins_with (text, size, list)) {
            if (!fn (arg, text, size)) {
                COHORT_ASSERT (listed > 0);
                return next->failed ? COHORT_ENOMEM : 0;
            }
            listed++;
        }
        put_place (next, at, text, size);
        at = next_of (session, at);
    }
    buf_clear (next);
    return 0;
}

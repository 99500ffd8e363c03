/*
 * server/tree/owned.c - the ephemerals of a session
 *
 * PURE.  The place in such a list is the path of the last one that was listed, and since when the
 * session owns it: if it is gone, the list goes on with the first that the session owns since then
 * or later.
 */
#include <string.h>

#include "client/base/assert.h"
#include "server/tree/state.h"
#include "server/tree/verify.h"

enum { PLACE_ZXID = 16 }; /* hexadecimal digits before the path */

static const char digits[] = "0123456789abcdef";

static bool parse_place (const struct tree_ephemerals *list, zxid_t *zxid)
{
    uint64_t value = 0;
    if (list->after_size <= PLACE_ZXID || list->after[PLACE_ZXID] != '/') {
        return false;
    }
    for (size_t i = 0; i < PLACE_ZXID; i++) {
        const char *digit = memchr (digits, list->after[i], PLACE_ZXID);
        if (digit == NULL) {
            return false;
        }
        value = value << 4 | (uint64_t) (digit - digits);
    }
    *zxid = value;
    return true;
}

static void put_place (struct buf *place, const struct tenure *tenure, const char *path,
                       size_t size)
{
    buf_clear (place);
    for (int shift = 60; shift >= 0; shift -= 4) {
        buf_u8 (place, (uint8_t) digits[tenure->ozxid >> shift & 15]);
    }
    buf_append (place, path, size);
}

/* The first behind the place; NULL: none. */
static struct list_node *behind (const struct tree *self, const struct session *session,
                                 const struct tree_ephemerals *list, zxid_t since)
{
    const struct znode *znode = znode_find (&self->znodes, self->root, list->after + PLACE_ZXID,
                                            list->after_size - PLACE_ZXID);
    struct tenure *tenure = znode != NULL ? znode_tenure (znode) : NULL;
    if (tenure != NULL && tenure->session == session && tenure->ozxid == since) {
        return list_next (&session->ephemerals, &tenure->node);
    }
    struct list_node *at = list_first (&session->ephemerals);
    while (at != NULL && list_entry (at, struct tenure, node)->ozxid < since) {
        at = list_next (&session->ephemerals, at);
    }
    return at;
}

static bool begins_with (const char *path, size_t size, const struct tree_ephemerals *list)
{
    return list->prefix_size == 0 ||
           (size >= list->prefix_size && memcmp (path, list->prefix, list->prefix_size) == 0);
}

int tree_ephemerals (const struct tree *self, uint64_t id, const struct tree_ephemerals *list,
                     tree_path_fn *fn, void *arg, struct buf *next)
{
    zxid_t since = 0;
    const struct session *session = session_find (&self->sessions, id);
    if (session == NULL) {
        return COHORT_ESESSIONEXPIRED;
    }
    if (list->after_size > 0 && !parse_place (list, &since)) {
        return COHORT_EINVAL;
    }
    struct list_node *at = list->after_size > 0 ? behind (self, session, list, since)
                                                : list_first (&session->ephemerals);
    struct buf *path = &self->scratch->get_path;
    uint32_t listed = 0;
    buf_clear (next);
    for (uint32_t looked = 0; at != NULL; looked++) {
        const struct tenure *tenure = list_entry (at, struct tenure, node);
        size_t size;
        if ((list->limit > 0 && listed == list->limit) ||
            (list->looks > 0 && looked == list->looks)) {
            return next->failed ? COHORT_ENOMEM : 0;
        }
        if (!verify_znode (self, tenure->znode)) {
            return COHORT_ECORRUPT;
        }
        if (!znode_path (tenure->znode, path, &size)) {
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
        put_place (next, tenure, text, size);
        at = list_next (&session->ephemerals, at);
    }
    buf_clear (next);
    return 0;
}

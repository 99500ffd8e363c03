/*
 * server/tree/backlog.c - what a snapshot writes before its scan goes on
 *
 * PURE.
 *
 * The elements lie in pieces of memory, one behind the other.  A record lies there as it is: its
 * first four bytes are the size of the rest, which is never 0.  A znode is four bytes of 0 and a
 * struct place.
 */
#include "server/tree/backlog.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/bytes.h"
#include "server/tree/znode.h"

enum { PIECE_SIZE = 64 << 10, MARK_SIZE = 4 };

struct piece {
    struct list_node node;
    size_t size;
    size_t used;
    size_t read;
    uint8_t data[];
};

/* Where a znode waits; or what it was before it changed. */
struct place {
    struct znode *znode; /* NULL: it has changed */
    uint8_t *record;     /* then: owned */
    size_t size;
};

enum { PLACE_SIZE = MARK_SIZE + (int) sizeof (struct place) };

static struct piece *piece_at (const struct list_node *node)
{
    return node != NULL ? list_entry (node, struct piece, node) : NULL;
}

/* Room for an element at the end. */
static uint8_t *extend (struct backlog *self, size_t size)
{
    struct piece *piece = piece_at (list_last (&self->pieces));
    if (piece == NULL || piece->size - piece->used < size) {
        size_t room = size > PIECE_SIZE ? size : PIECE_SIZE;
        piece = mem_alloc (sizeof (*piece) + room);
        if (piece == NULL) {
            return NULL;
        }
        *piece = (struct piece){.size = room};
        list_push_back (&self->pieces, &piece->node);
    }
    uint8_t *at = piece->data + piece->used;
    piece->used += size;
    COHORT_ASSERT (piece->used <= piece->size);
    return at;
}

void backlog_init (struct backlog *self)
{
    list_init (&self->pieces);
}

bool backlog_empty (const struct backlog *self)
{
    return list_empty (&self->pieces);
}

bool backlog_add_record (struct backlog *self, const uint8_t *record, size_t size)
{
    COHORT_ASSERT (size > MARK_SIZE);
    COHORT_ASSERT (bytes_get_u32 (record) != 0);
    uint8_t *at = extend (self, size);
    if (at != NULL) {
        memcpy (at, record, size);
    }
    return at != NULL;
}

bool backlog_add_znode (struct backlog *self, struct znode *znode)
{
    struct family *family = znode_family (znode);
    COHORT_ASSERT (family != NULL);
    COHORT_ASSERT (family->waiting == NULL);
    uint8_t *at = extend (self, PLACE_SIZE);
    if (at == NULL) {
        return false;
    }
    struct place place = {.znode = znode};
    bytes_put_u32 (at, 0);
    memcpy (at + MARK_SIZE, &place, sizeof place);
    family->waiting = at + MARK_SIZE;
    return true;
}

bool backlog_replace_znode (struct znode *znode, const uint8_t *record, size_t size)
{
    struct family *family = znode_family (znode);
    struct place place;
    COHORT_ASSERT (family->waiting != NULL);
    memcpy (&place, family->waiting, sizeof place);
    COHORT_ASSERT (place.znode == znode);
    place = (struct place){.record = mem_dup (record, size), .size = size};
    if (place.record == NULL) {
        return false;
    }
    memcpy (family->waiting, &place, sizeof place);
    family->waiting = NULL;
    return true;
}

static bool is_place (const uint8_t *element)
{
    return bytes_get_u32 (element) == 0;
}

bool backlog_first (const struct backlog *self, struct backlog_item *item)
{
    const struct piece *piece = piece_at (list_first (&self->pieces));
    if (piece == NULL) {
        return false;
    }
    COHORT_ASSERT (piece->read < piece->used);
    const uint8_t *at = piece->data + piece->read;
    if (is_place (at)) {
        struct place place;
        memcpy (&place, at + MARK_SIZE, sizeof place);
        *item = (struct backlog_item){place.znode, place.record, place.size};
    } else {
        *item = (struct backlog_item){NULL, at, MARK_SIZE + (size_t) bytes_get_u32 (at)};
    }
    return true;
}

void backlog_pop (struct backlog *self)
{
    struct piece *piece = piece_at (list_first (&self->pieces));
    COHORT_ASSERT (piece != NULL);
    const uint8_t *at = piece->data + piece->read;
    if (is_place (at)) {
        struct place place;
        memcpy (&place, at + MARK_SIZE, sizeof place);
        if (place.znode != NULL) {
            znode_family (place.znode)->waiting = NULL;
        }
        mem_free (place.record);
        piece->read += PLACE_SIZE;
    } else {
        piece->read += MARK_SIZE + (size_t) bytes_get_u32 (at);
    }
    COHORT_ASSERT (piece->read <= piece->used);
    if (piece->read == piece->used) {
        list_remove (&piece->node);
        mem_free (piece);
    }
}

void backlog_clear (struct backlog *self)
{
    while (!backlog_empty (self)) {
        backlog_pop (self);
    }
}

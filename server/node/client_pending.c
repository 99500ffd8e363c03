/* client_pending.c: the memory of the requests that wait: see client_state.h.
 *
 * A queue is a chain of blocks that are filled from the front to the back; a block that has been
 * emptied goes to a pool, so an idle client holds none and a busy one never allocates. */

#include <stdalign.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "server/node/client_state.h"

enum {
    BLOCK_BYTES = 4096, /* of an ordinary block; a larger request has one of its own */
    BLOCKS_KEPT = 1024, /* in the pool */
    ALIGNMENT = 16
};

struct pending_block {
    struct pending_block *next;
    uint32_t size; /* of data */
    uint32_t head; /* the first record */
    uint32_t tail; /* where the next one goes */
    alignas (ALIGNMENT) uint8_t data[];
};

_Static_assert(alignof (struct request) <= ALIGNMENT, "records are aligned well enough");

size_t pending_size (size_t payload)
{
    size_t size = sizeof (struct request) + payload;
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static struct pending_block *block_new (struct clients *self, size_t size)
{
    struct pending_block *block = self->blocks;
    if (size <= BLOCK_BYTES && block != NULL) {
        self->blocks = block->next;
        self->blocks_count--;
    } else {
        size = size < BLOCK_BYTES ? BLOCK_BYTES : size;
        block = mem_alloc (sizeof *block + size);
        if (block == NULL) {
            return NULL;
        }
        block->size = (uint32_t) size;
    }
    block->next = NULL;
    block->head = block->tail = 0;
    return block;
}

static void block_free (struct clients *self, struct pending_block *block)
{
    if (block->size == BLOCK_BYTES && self->blocks_count < BLOCKS_KEPT) {
        block->next = self->blocks;
        self->blocks = block;
        self->blocks_count++;
    } else {
        mem_free (block);
    }
}

bool pending_push (struct clients *self, struct pending *queue, const struct request *request,
                   const void *payload)
{
    size_t size = pending_size (request->size);
    struct pending_block *block = queue->last;
    COHORT_ASSERT (size <= UINT32_MAX);
    if (block == NULL || block->size - block->tail < size) {
        block = block_new (self, size);
        if (block == NULL) {
            return false;
        }
        if (queue->last != NULL) {
            queue->last->next = block;
        } else {
            queue->first = block;
        }
        queue->last = block;
    }
    uint8_t *at = block->data + block->tail;
    memcpy (at, request, sizeof *request);
    if (request->size > 0) {
        memcpy (at + sizeof *request, payload, request->size);
    }
    block->tail += (uint32_t) size;
    queue->count++;
    queue->bytes += size;
    self->queue_bytes += size;
    return true;
}

static const struct request *record_at (const struct pending_block *block, uint32_t offset)
{
    const void *at = block->data + offset;
    return at;
}

const struct request *pending_front (const struct pending *queue)
{
    if (queue->first == NULL) {
        COHORT_ASSERT (queue->count == 0);
        return NULL;
    }
    return record_at (queue->first, queue->first->head);
}

const uint8_t *request_payload (const struct request *request)
{
    return (const uint8_t *) (request + 1);
}

const struct request *pending_next (const struct pending *queue, const struct request *request,
                                    const struct pending_block **block)
{
    if (*block == NULL) {
        *block = queue->first;
    }
    uint32_t offset = (uint32_t) ((const uint8_t *) request - (*block)->data);
    offset += (uint32_t) pending_size (request->size);
    if (offset == (*block)->tail) {
        *block = (*block)->next;
        return *block != NULL ? record_at (*block, (*block)->head) : NULL;
    }
    return record_at (*block, offset);
}

void pending_pop (struct clients *self, struct pending *queue)
{
    struct pending_block *block = queue->first;
    COHORT_ASSERT (block != NULL);
    size_t size = pending_size (pending_front (queue)->size);
    COHORT_ASSERT (queue->bytes >= size);
    COHORT_ASSERT (self->queue_bytes >= size);
    queue->count--;
    queue->bytes -= size;
    self->queue_bytes -= size;
    block->head += (uint32_t) size;
    if (block->head == block->tail) {
        queue->first = block->next;
        if (queue->first == NULL) {
            queue->last = NULL;
        }
        block_free (self, block);
    }
}

void pending_free (struct clients *self)
{
    while (self->blocks != NULL) {
        struct pending_block *block = self->blocks;
        self->blocks = block->next;
        mem_free (block);
    }
    self->blocks_count = 0;
}

/*
 * server/node/ranges.h - entries of the log, encoded for peers
 *
 * Followers need the same entries at the same time: a range is read and encoded once and shared
 * by all frames of a flush.
 */
#ifndef SERVER_NODE_RANGES_H
#define SERVER_NODE_RANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "client/base/buf.h"
#include "server/node/outbox.h"
#include "server/store/store.h"

enum { RANGES_MAX = 8, RANGES_READ = 256 };

struct ranges_item {
    zxid_t after;
    zxid_t through;
    zxid_t reached;
    size_t max_bytes;
    size_t count;
    uint64_t used; /* when last */
    struct buf bytes;
};

/* Private. */
struct ranges {
    struct store *store; /* borrowed */
    size_t count;
    uint64_t uses;
    struct ranges_item items[RANGES_MAX];
};

void ranges_init (struct ranges *self, struct store *store);
void ranges_deinit (struct ranges *self);

/* See outbox_read_fn.  The bytes live until ranges_clear, or PEER_PARTS_MAX further calls. */
bool ranges_read (struct ranges *self, zxid_t after, zxid_t through, size_t max_bytes,
                  struct outbox_range *range);

/* The log has changed, or the flush is over. */
void ranges_clear (struct ranges *self);

#endif

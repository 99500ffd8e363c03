/* The log's entries as a server keeps them, for histories: what a recorder that sees the log needs
 * of server/tree.
 *
 * May include: history.h, server/tree/entry.h, server/node/identity_text.h, client/base. */

#ifndef TESTS_HISTORY_LOG_ENTRY_H
#define TESTS_HISTORY_LOG_ENTRY_H

#include "client/base/arena.h"
#include "tests/history/history.h"

/* What `entry` points to lives in the arena. false: the bytes are no entry. */
bool history_entry_read (struct arena *arena, uint64_t zxid, int64_t stamp_ms, const uint8_t *data,
                         size_t size, struct history_entry *entry);

/* The value of a HISTORY_HAND_OVER: of ENTRY_TOKEN_SIZE bytes. */
const char *history_token (struct arena *arena, const uint8_t *token);

#endif

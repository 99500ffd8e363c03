/* What frames between servers say, as lines of the story: as in the scenarios' traces. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "client/base/arena.h"
#include "server/node/wire_peer.h"
#include "tests/simulation/world.h"

enum { TEXT_SIZE = 220, ARENA_BLOCK = 4096 };

struct text {
    char chars[TEXT_SIZE];
    size_t size;
};

__attribute__ ((format (printf, 2, 3))) static void put (struct text *text, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    int size = vsnprintf (text->chars + text->size, TEXT_SIZE - text->size, format, args);
    va_end (args);
    text->size += size > 0 ? (size_t) size : 0;
    text->size = text->size < TEXT_SIZE ? text->size : TEXT_SIZE - 1;
}

static void put_zxid (struct text *text, zxid_t zxid)
{
    put (text, " %u:%" PRIu64, zxid_epoch (zxid), zxid_counter (zxid));
}

static void put_entries (struct text *text, const struct zab_message *message)
{
    if (message->entries_count == 0) {
        put (text, ": nothing");
        return;
    }
    put_zxid (text, message->entries[0].zxid);
    if (message->entries_count > 1) {
        put (text, " ..");
        put_zxid (text, message->entries[message->entries_count - 1].zxid);
    }
}

static void put_message (struct text *text, const struct zab_message *message)
{
    put (text, "%s", zab_message_name (message->type));
    switch (message->type) {
    case ZAB_VOTE:
        put (text, " %s for %u, epoch %u,", zab_role_name (message->role), message->leader,
             message->epoch);
        put_zxid (text, message->zxid);
        put (text, ", round %" PRIu64, message->round);
        break;
    case ZAB_FOLLOWERINFO:
        put (text, " accepted %u", message->epoch);
        break;
    case ZAB_LEADERINFO:
    case ZAB_NEWLEADER:
        put (text, " epoch %u", message->epoch);
        break;
    case ZAB_ACKEPOCH:
        put (text, " current %u,", message->epoch);
        put_zxid (text, message->zxid);
        put (text, "%s", message->counts ? "" : ", not counted");
        break;
    case ZAB_TRY:
    case ZAB_TRY_ANSWER:
    case ZAB_SYNC_POINT:
        put_zxid (text, message->point.zxid);
        break;
    case ZAB_DIFF:
        put (text, " after");
        put_zxid (text, message->point.zxid);
        put (text, ":");
        put_entries (text, message);
        break;
    case ZAB_PROPOSAL:
        put_entries (text, message);
        break;
    case ZAB_ACK:
    case ZAB_UPTODATE:
    case ZAB_COMMIT:
        put_zxid (text, message->zxid);
        break;
    default:
        break;
    }
}

/* Pings and pongs tell nothing: they are left out. */
static void tell_messages (struct world *self, const struct sim_server *to,
                           const struct peer_frame *frame)
{
    for (size_t i = 0; i < frame->messages_count; i++) {
        const struct zab_message *message = &frame->messages[i];
        struct text text = {.size = 0};
        if (message->type != ZAB_PING && message->type != ZAB_PONG) {
            put_message (&text, message);
            world_tell_detail (self, "%u <- %u %s", to->id, frame->header.from, text.chars);
        }
    }
}

static void tell_rest (struct world *self, const struct sim_server *to,
                       const struct peer_frame *frame)
{
    struct text text = {.size = 0};
    if (frame->has_hello) {
        put (&text, " HELLO");
    }
    if (frame->has_hello_ack) {
        put (&text, " HELLO_ACK");
    }
    if (frame->has_bootstrap) {
        put (&text, " BOOTSTRAP stage %d", (int) frame->bootstrap.stage);
    }
    for (size_t i = 0; i < frame->snapshots_count; i++) {
        put (&text, " SNAPSHOT %d at %" PRIu64, (int) frame->snapshots[i].kind,
             frame->snapshots[i].offset);
    }
    if (frame->forwarded.size > 0) {
        put (&text, " %zu bytes of requests", frame->forwarded.size);
    }
    if (text.size > 0) {
        world_tell_detail (self, "%u <- %u%s", to->id, frame->header.from, text.chars);
    }
}

void trace_frame (struct world *self, const struct sim_server *to, const uint8_t *data, size_t size)
{
    struct arena arena;
    struct peer_frame frame;
    bool header_valid;
    if (!trace_wants_details (self)) {
        return;
    }
    arena_init (&arena, ARENA_BLOCK, 0);
    if (peer_frame_decode (&frame, &arena, data, size, &header_valid) == NULL) {
        tell_rest (self, to, &frame);
        tell_messages (self, to, &frame);
    }
    arena_deinit (&arena);
}

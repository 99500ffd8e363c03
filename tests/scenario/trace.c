/* The trace: what happens, as a story. A line that begins with a server's number is an event; the
 * indented lines behind it are what the server did. */

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "tests/scenario/cluster.h"

enum { TEXT_MAX = 512 };

struct text {
    char chars[TEXT_MAX];
    size_t size;
};

__attribute__ ((format (printf, 2, 3))) static void put (struct text *text, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    int size = vsnprintf (text->chars + text->size, TEXT_MAX - text->size, format, args);
    va_end (args);
    if (size > 0) {
        text->size += (size_t) size;
        if (text->size >= TEXT_MAX) {
            text->size = TEXT_MAX - 1;
        }
    }
}

static void put_zxid (struct text *text, zxid_t zxid)
{
    put (text, "%u:%" PRIu64, zxid_epoch (zxid), zxid_counter (zxid));
}

/* The entries in (after, through]. */
static void put_range (struct text *text, zxid_t after, zxid_t through)
{
    if (after == through) {
        put (text, " nothing");
        return;
    }
    put (text, " (");
    put_zxid (text, after);
    put (text, ", ");
    put_zxid (text, through);
    put (text, "]");
}

/* Whole is not worth a word. */
static void put_trust (struct text *text, enum zab_trust trust, zxid_t suspect)
{
    if (trust != ZAB_WHOLE) {
        put (text, ", %s", zab_trust_name (trust));
    }
    if (trust == ZAB_SUSPECT) {
        put (text, " to ");
        put_zxid (text, suspect);
    }
}

static void put_vote (struct text *text, const struct zab_message *message)
{
    put (text, " %s", zab_role_name (message->role));
    if (message->leader == 0) {
        put (text, " for nobody");
    } else {
        put (text, " for %u, epoch %u, ", message->leader, message->epoch);
        put_zxid (text, message->zxid);
    }
    put (text, ", round %" PRIu64, message->round);
    put_trust (text, message->trust, message->suspect);
}

static void put_space (struct text *text, const struct zab_message *message)
{
    put (text, "%s%s", message->full ? ", full" : "", message->starved ? ", starved" : "");
}

static void put_message (struct text *text, const struct zab_message *message)
{
    put (text, "%s", zab_message_name (message->type));
    switch (message->type) {
    case ZAB_VOTE:
        put_vote (text, message);
        put_space (text, message);
        break;
    case ZAB_FOLLOWERINFO:
        put (text, " accepted %u", message->epoch);
        put_trust (text, message->trust, message->suspect);
        break;
    case ZAB_LEADERINFO:
    case ZAB_NEWLEADER:
        put (text, " epoch %u", message->epoch);
        break;
    case ZAB_ACKEPOCH:
        put (text, " current %u, ", message->epoch);
        put_zxid (text, message->zxid);
        put_trust (text, message->trust, message->suspect);
        put (text, "%s; points", message->counts ? "" : ", not counted");
        for (size_t i = 0; i < message->points_count; i++) {
            put (text, " ");
            put_zxid (text, message->points[i].zxid);
        }
        break;
    case ZAB_TRY:
    case ZAB_TRY_ANSWER:
    case ZAB_SYNC_POINT:
        put (text, " ");
        put_zxid (text, message->point.zxid);
        break;
    case ZAB_DIFF:
        put (text, " after ");
        put_zxid (text, message->point.zxid);
        put (text, ":");
        put_range (text, message->entries_after, message->entries_through);
        break;
    case ZAB_PROPOSAL:
        put_range (text, message->entries_after, message->entries_through);
        break;
    case ZAB_UPTODATE:
    case ZAB_COMMIT:
        put (text, " ");
        put_zxid (text, message->zxid);
        if (message->counts && message->durable > message->zxid) {
            put (text, ", on my disk ");
            put_zxid (text, message->durable);
        }
        break;
    case ZAB_ACK:
        put (text, " ");
        put_zxid (text, message->zxid);
        break;
    case ZAB_PING:
        put (text, " round %" PRIu64 ", committed ", message->nonce);
        put_zxid (text, message->zxid);
        put_space (text, message);
        break;
    case ZAB_PONG:
        put (text, " round %" PRIu64 "%s", message->nonce, message->counts ? "" : ", not counted");
        put_space (text, message);
        break;
    case ZAB_SNAP:
    case ZAB_LEAVING:
        break;
    }
}

void trace_event (const struct cluster *self, const struct server *server,
                  const struct zab_event *event)
{
    if (self->trace == NULL) {
        return;
    }
    struct text text = {.size = 0};
    switch (event->type) {
    case ZAB_EVENT_TICK:
        put (&text, "tick");
        break;
    case ZAB_EVENT_LINK_UP:
        put (&text, "link to %u is up", event->peer);
        break;
    case ZAB_EVENT_LINK_DOWN:
        put (&text, "link to %u is down", event->peer);
        break;
    case ZAB_EVENT_MESSAGE:
        put (&text, "<- %u ", event->message->peer);
        put_message (&text, event->message);
        break;
    case ZAB_EVENT_PROPOSE:
        put (&text, "propose %zu", event->proposals_count);
        break;
    case ZAB_EVENT_DURABLE:
        put (&text, "durable #%" PRIu64, event->persisted);
        break;
    case ZAB_EVENT_SNAPSHOT:
        put (&text, "<- %u snapshot at ", event->peer);
        put_zxid (&text, event->point.zxid);
        break;
    case ZAB_EVENT_INSTALLED:
        put (&text, "installed ");
        put_zxid (&text, event->point.zxid);
        break;
    case ZAB_EVENT_NOT_INSTALLED:
        put (&text, "not installed");
        break;
    case ZAB_EVENT_PROGRESS:
        put (&text, "snapshot to %u moves on", event->peer);
        break;
    case ZAB_EVENT_COMPACTED:
        put (&text, "compacted to ");
        put_zxid (&text, event->point.zxid);
        break;
    case ZAB_EVENT_ROUND:
        put (&text, "begin a round");
        break;
    case ZAB_EVENT_CONFIG:
        put (&text, "new configuration");
        break;
    case ZAB_EVENT_SPACE:
        put (&text, "%s", event->full ? "the disk is full" : "the disk has room");
        break;
    case ZAB_EVENT_WITHDRAWN:
        put (&text, "withdrawn: the log ends at ");
        put_zxid (&text, event->point.zxid);
        break;
    case ZAB_EVENT_STAND:
        put (&text, event->stands ? "may lead" : "must not lead");
        break;
    case ZAB_EVENT_LEAVE:
        put (&text, "leave");
        break;
    }
    fprintf (self->trace, "%" PRId64 " %u %s\n", self->now_ms, server->id, text.chars);
}

static void put_persist (struct text *text, const struct zab_persist *persist)
{
    put (text, "persist #%" PRIu64 ":", persist->number);
    const char *comma = "";
    if (persist->truncate) {
        put (text, "%s truncate to ", comma);
        put_zxid (text, persist->truncate_to);
        comma = ",";
    }
    if (persist->entries_count > 0) {
        put (text, "%s append ", comma);
        put_zxid (text, persist->entries[0].zxid);
        if (persist->entries_count > 1) {
            put (text, " .. ");
            put_zxid (text, persist->entries[persist->entries_count - 1].zxid);
        }
        comma = ",";
    }
    if (persist->epochs) {
        put (text, "%s accepted %u current %u%s", comma, persist->accepted_epoch,
             persist->current_epoch, persist->whole ? ", whole" : "");
        comma = ",";
    }
    if (persist->install) {
        put (text, "%s install the snapshot", comma);
    }
}

static const char *halt_name (enum zab_halt halt)
{
    switch (halt) {
    case ZAB_RUNNING:
        return "running";
    case ZAB_HALT_DIVERGED:
        return "DIVERGED";
    case ZAB_HALT_CORRUPT:
        return "CORRUPT";
    case ZAB_HALT_EXHAUSTED:
        return "EXHAUSTED";
    case ZAB_HALT_MEMORY:
        return "MEMORY";
    }
    return "?";
}

/* Messages of one type to several peers, all else equal, take one line. */
static void trace_messages (const struct cluster *self, const struct zab_update *update)
{
    bool done[32 * ZAB_PEERS_MAX] = {false};
    for (size_t i = 0; i < update->messages_count; i++) {
        if (done[i]) {
            continue;
        }
        struct text first = {.size = 0}, line = {.size = 0};
        put_message (&first, &update->messages[i]);
        put (&line, "    -> %u", update->messages[i].peer);
        for (size_t k = i + 1; k < update->messages_count; k++) {
            struct text other = {.size = 0};
            if (!done[k] && update->messages[k].type == update->messages[i].type) {
                put_message (&other, &update->messages[k]);
                if (strcmp (first.chars, other.chars) == 0) {
                    put (&line, ", %u", update->messages[k].peer);
                    done[k] = true;
                }
            }
        }
        fprintf (self->trace, "%s %s\n", line.chars, first.chars);
    }
}

void trace_update (const struct cluster *self, const struct server *server,
                   const struct zab_update *update)
{
    if (self->trace == NULL) {
        return;
    }
    if (update->note != NULL) {
        if (update->note_peer != 0 && update->note_peer != server->id) {
            fprintf (self->trace, "    %s (%u)\n", update->note, update->note_peer);
        } else {
            fprintf (self->trace, "    %s\n", update->note);
        }
    }
    if (update->status_changed) {
        const struct zab_status *status = zab_status (server->core);
        fprintf (self->trace, "    %s", zab_role_name (status->role));
        if (status->leader != 0 && status->leader != server->id) {
            fprintf (self->trace, " %u", status->leader);
        }
        fprintf (self->trace, ", accepted %u, current %u%s%s%s%s%s%s\n", status->accepted_epoch,
                 status->current_epoch, status->activated ? ", activated" : "",
                 status->leaving ? ", leaving" : "", status->full ? ", full" : "",
                 status->starved ? ", starved" : "", status->trust != ZAB_WHOLE ? ", " : "",
                 status->trust != ZAB_WHOLE ? zab_trust_name (status->trust) : "");
    }
    if (update->halt != ZAB_RUNNING) {
        fprintf (self->trace, "    HALTED: %s\n", halt_name (update->halt));
    }
    for (size_t i = 0; i < update->resets_count; i++) {
        fprintf (self->trace, "    resets the link to %u\n", update->resets[i]);
    }
    if (update->persist.number != 0) {
        struct text text = {.size = 0};
        put_persist (&text, &update->persist);
        fprintf (self->trace, "    %s\n", text.chars);
    }
    trace_messages (self, update);
    if (update->deliver > server->delivered) {
        struct text text = {.size = 0};
        put_zxid (&text, update->deliver);
        fprintf (self->trace, "    delivers up to %s\n", text.chars);
    }
    if (update->round > server->round) {
        fprintf (self->trace, "    round %" PRIu64 " is confirmed\n", update->round);
    }
}

void trace_status (const struct cluster *self, FILE *file)
{
    for (uint32_t id = 1; id <= CLUSTER_SERVERS_MAX; id++) {
        const struct server *server = &self->servers[id];
        if (server->id == 0) {
            continue;
        }
        struct text text = {.size = 0};
        put (&text, "%u: ", id);
        if (server->core == NULL) {
            put (&text, "down");
        } else {
            const struct zab_status *status = zab_status (server->core);
            put (&text, "%s", zab_role_name (status->role));
            if (status->leader != 0 && status->leader != id) {
                put (&text, " %u", status->leader);
            }
            put (&text, "%s, committed ", status->activated ? " (activated)" : "");
            put_zxid (&text, status->committed);
        }
        put (&text, "; disk: accepted %u, current %u, log (", server->disk.accepted_epoch,
             server->disk.current_epoch);
        put_zxid (&text, server->disk.base.zxid);
        put (&text, ", ");
        put_zxid (&text, image_last (&server->disk).zxid);
        put (&text, "]");
        put_trust (&text, server->disk.trust, server->disk.suspect);
        fprintf (file, "%s\n", text.chars);
    }
}

/* Histories as text: writing. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/base/hash.h"
#include "tests/history/text.h"
#include "tests/history/text_kinds.h"

enum { NUMBER_SIZE = 192, PLAIN_MAX = HISTORY_VALUE_SIZE - 1 };

const char *const text_events[] = {"",       "session", "attached", "valid",  "lost",     "gone",
                                   "call",   "return",  "unknown",  "fired",  "batch",    "opened",
                                   "closed", "refused", "told",     "served", "unserved", "seen",
                                   "entry",  "led",     "unled",    "ended",  "forgot",   "heard",
                                   "calm",   "uncalm",  "stalled",  "blind",  "settled"};
const char *const text_ops[] = {"",
                                "create",
                                "delete",
                                "set",
                                "check",
                                "check-czxid",
                                "check-owner",
                                "check-absent",
                                "add",
                                "delete-tree",
                                "close",
                                "kill",
                                "set-acl",
                                "set-admins",
                                "add-auth",
                                "hand-over",
                                "delete-if-present",
                                "reject",
                                "lapsed",
                                "other",
                                "exists",
                                "get",
                                "children",
                                "sync",
                                "count",
                                "ephemerals",
                                "unwatch",
                                "whoami",
                                "page",
                                "get-acl",
                                "get-admins",
                                "sessions"};
const char *const text_entries[] = {"",      "session", "attach", "close",          "reap", "write",
                                    "lapse", "found",   "admins", "replace-admins", "other"};
const size_t text_events_count = sizeof text_events / sizeof text_events[0];
const size_t text_ops_count = sizeof text_ops / sizeof text_ops[0];
const size_t text_entries_count = sizeof text_entries / sizeof text_entries[0];

const char *history_value (const void *data, size_t size, char text[HISTORY_VALUE_SIZE])
{
    const uint8_t *bytes = data;
    bool plain = size <= PLAIN_MAX && (size == 0 || bytes[0] != '#');
    for (size_t i = 0; i < size && plain; i++) {
        plain = bytes[i] >= ' ' && bytes[i] <= '~';
    }
    if (plain) {
        if (size > 0) {
            memcpy (text, data, size);
        }
        text[size] = '\0';
    } else {
        (void) snprintf (text, HISTORY_VALUE_SIZE, "#%zu:%016" PRIx64, size,
                         hash64 (data, size, 0));
    }
    return text;
}

const char *history_stat (const cohort_stat_t *stat, char text[HISTORY_STAT_SIZE])
{
    (void) snprintf (text, HISTORY_STAT_SIZE,
                     "%" PRIu64 "/%" PRIu64 "/%" PRIu64 "/%" PRId64 "/%" PRId64
                     "/%d/%d/%d/%d/%" PRIu64 "/%" PRIu64 "/%u/%d/%" PRId64,
                     stat->czxid, stat->mzxid, stat->pzxid, stat->ctime_ms, stat->mtime_ms,
                     stat->version, stat->cversion, stat->aversion, stat->data_size,
                     stat->ephemeral_owner, stat->ozxid, stat->child_count, stat->mode,
                     stat->ttl_ms);
    return text;
}

bool history_is_write (enum history_op_kind kind)
{
    return kind < HISTORY_EXISTS;
}

/* ---- Pieces ---------------------------------------------------------------------------------- */

#if defined(__GNUC__)
__attribute__ ((format (printf, 2, 3)))
#endif
static void
print (struct buf *out, const char *format, ...)
{
    char text[NUMBER_SIZE];
    va_list args;
    va_start (args, format);
    int size = vsnprintf (text, sizeof text, format, args);
    va_end (args);
    if (size < 0 || (size_t) size >= sizeof text) {
        out->failed = true;
    } else {
        buf_append (out, text, (size_t) size);
    }
}

static void print_text (struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text > ' ' && *text <= '~' && strchr ("%|=#", *text) == NULL) {
            buf_append (out, text, 1);
        } else {
            print (out, "%%%02x", (unsigned char) *text);
        }
    }
}

static void print_stat (struct buf *out, const cohort_stat_t *stat)
{
    char text[HISTORY_STAT_SIZE];
    if (stat != NULL) {
        (void) history_stat (stat, text);
        buf_append (out, text, strlen (text));
    }
}

/* What few operations have: |key:number, where it is not 0. */
static void print_extra (struct buf *out, const char *key, int64_t number)
{
    if (number != 0) {
        print (out, "|%s:%" PRId64, key, number);
    }
}

/* Likewise a text. */
static void print_extra_text (struct buf *out, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        print (out, "|%s:", key);
        print_text (out, text);
    }
}

/* key=text, where there is one. */
static void print_pair (struct buf *out, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        print (out, " %s=", key);
        print_text (out, text);
    }
}

/* op=KIND|path|value|mode|version|zxid|session|code|watch */
static void print_ops (struct buf *out, const struct history_op *ops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct history_op *op = &ops[i];
        print (out, " op=%s|", text_ops[op->kind]);
        print_text (out, op->path);
        print (out, "|");
        print_text (out, op->value);
        print (out, "|%u|%d|%" PRIu64 "|%" PRIu64 "|%d|%d", op->mode, op->version, op->zxid,
               op->session, op->code, op->watch);
        print_extra (out, "absent", op->if_absent);
        print_extra (out, "ttl", op->ttl_ms);
        print_extra (out, "limit", op->limit);
        print_extra (out, "delta", op->delta);
        print_extra (out, "floor", op->floor);
        print_extra (out, "ceiling", op->ceiling);
        print_extra (out, "current", op->linearizable);
        print_extra (out, "check", op->check);
        print_extra (out, "inherited", op->inherited);
        print_extra_text (out, "acl", op->acl);
        print_extra_text (out, "after", op->after);
    }
}

/* What reads have: |data:text, |children:name/name. */
static void print_shown (struct buf *out, const struct history_result *result)
{
    if (result->data != NULL) {
        print (out, "|data:");
        print_text (out, result->data);
    }
    for (size_t i = 0; i < result->children_count; i++) {
        print (out, i == 0 ? "|children:" : "/");
        print_text (out, result->children[i]);
    }
}

static void print_bytes (struct buf *out, const char *key, const uint8_t bytes[16])
{
    print (out, " %s=", key);
    for (size_t i = 0; i < 16; i++) {
        print (out, "%02x", bytes[i]);
    }
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* r=code|path|stat for each operation; child=name. An empty path is none at all. */
static void print_return (struct buf *out, const struct history_return *result)
{
    print (out, " id=%" PRIu64 " code=%d zxid=%" PRIu64, result->id, result->code, result->zxid);
    for (size_t i = 0; i < result->ops_count; i++) {
        const struct history_result *op = &result->ops[i];
        print (out, " r=%d|", op->code);
        print_text (out, op->path != NULL ? op->path : "");
        print (out, "|");
        print_stat (out, op->stat);
        print_extra (out, "value", op->value);
        print_extra (out, "existed", op->existed);
        print_shown (out, op);
    }
    if (result->stat != NULL) {
        print (out, " stat=");
        print_stat (out, result->stat);
    }
    if (result->value != NULL) {
        print (out, " value=");
        print_text (out, result->value);
    }
    for (size_t i = 0; i < result->children_count; i++) {
        print (out, " child=");
        print_text (out, result->children[i]);
    }
    if (result->below != 0) {
        print (out, " below=%" PRId64, result->below);
    }
}

/* change=kind|path|value|stat, and from and hidden */
static void print_batch (struct buf *out, const struct history_batch *batch)
{
    print (out, " stream=%" PRIu64 " path=", batch->stream);
    print_text (out, batch->path);
    print (out, " zxid=%" PRIu64 " snapshot=%d first=%d more=%d", batch->zxid, batch->snapshot,
           batch->first, batch->more);
    if (batch->reset) {
        print (out, " reset=1");
    }
    for (size_t i = 0; i < batch->count; i++) {
        const struct history_change *change = &batch->changes[i];
        print (out, " change=%d|", (int) change->kind);
        print_text (out, change->path);
        print (out, "|");
        print_text (out, change->value != NULL ? change->value : "");
        print (out, "|");
        print_stat (out, change->stat);
        print_extra (out, "from", (int64_t) change->from);
        print_extra (out, "hidden", change->hidden);
    }
}

static bool has_password (const struct history_entry *entry)
{
    static const uint8_t none[sizeof entry->password];
    return memcmp (entry->password, none, sizeof none) != 0;
}

static void print_entry (struct buf *out, const struct history_entry *entry)
{
    print (out, " zxid=%" PRIu64 " stamp=%" PRId64 " what=%s", entry->zxid, entry->stamp_ms,
           text_entries[entry->kind]);
    print_pair (out, "admins", entry->admins);
    if (entry->kind != HISTORY_ENTRY_SESSION && entry->kind < HISTORY_ENTRY_LAPSE) {
        print (out, " session=%" PRIu64, entry->session);
    }
    if (entry->kind == HISTORY_ENTRY_WRITE) {
        print (out, " number=%" PRIu64 " incarnation=%u multi=%d", entry->number,
               entry->incarnation, entry->multi);
        print_ops (out, entry->ops, entry->count);
    } else if (entry->kind == HISTORY_ENTRY_LAPSE || entry->kind == HISTORY_ENTRY_FOUND) {
        print_ops (out, entry->ops, entry->count);
    } else if (entry->kind == HISTORY_ENTRY_CLOSE) {
        print (out, " attach=%" PRIu64 " incarnation=%u killed=%d silent=%d", entry->attach_no,
               entry->incarnation, entry->killed, entry->silent);
    } else if (entry->kind <= HISTORY_ENTRY_ATTACH) {
        print (out, " attach=%" PRIu64 " incarnation=%u server=%u", entry->attach_no,
               entry->incarnation, entry->server);
        print_bytes (out, "nonce", entry->nonce);
        print_pair (out, "origin", entry->origin);
        if (has_password (entry)) {
            print_bytes (out, "password", entry->password);
        }
    }
}

static void print_fired (struct buf *out, const struct history_fired *fired)
{
    print (out, " watch=%d type=%d path=", (int) fired->kind, (int) fired->type);
    print_text (out, fired->path);
    print (out, " zxid=%" PRIu64, fired->zxid);
}

static void print_told (struct buf *out, const struct history_told *told)
{
    print (out, " stream=%" PRIu64 " type=%d path=", told->stream, (int) told->type);
    print_text (out, told->path);
    print (out, " zxid=%" PRIu64, told->zxid);
}

static void print_opened (struct buf *out, const struct history_stream *opened)
{
    print (out, " stream=%" PRIu64 " path=", opened->id);
    print_text (out, opened->path);
    print (out, " flags=%u from=%" PRIu64, opened->flags, opened->from_zxid);
}

void history_format (struct buf *out, const struct history_event *event)
{
    print (out, "%" PRId64 " c%u %s", event->time_ms, event->client, text_events[event->kind]);
    switch (event->kind) {
    case HISTORY_SESSION:
        print (out, " session=%" PRIu64 " timeout=%u grace=%u", event->u.session.id,
               event->u.session.timeout_ms, event->u.session.grace_ms);
        if (event->u.session.incarnation > 1) {
            print (out, " incarnation=%u", event->u.session.incarnation);
        }
        break;
    case HISTORY_ATTACHED:
    case HISTORY_FORGOT:
    case HISTORY_HEARD:
        print (out, " server=%u", event->u.server);
        break;
    case HISTORY_VALID:
        print (out, " until=%" PRId64, event->u.until_ms);
        break;
    case HISTORY_CALL:
        print (out, " id=%" PRIu64 " number=%" PRIu64 " multi=%d", event->u.call.id,
               event->u.call.number, event->u.call.multi);
        print_ops (out, event->u.call.ops, event->u.call.count);
        break;
    case HISTORY_RETURN:
        print_return (out, &event->u.result);
        break;
    case HISTORY_SEEN:
        print (out, " zxid=%" PRIu64, event->u.zxid);
        break;
    case HISTORY_UNKNOWN:
        print (out, " id=%" PRIu64, event->u.id);
        break;
    case HISTORY_FIRED:
        print_fired (out, &event->u.fired);
        break;
    case HISTORY_BATCH:
        print_batch (out, &event->u.batch);
        break;
    case HISTORY_OPENED:
        print_opened (out, &event->u.opened);
        break;
    case HISTORY_CLOSED:
    case HISTORY_REFUSED:
        print (out, " stream=%" PRIu64, event->u.id);
        break;
    case HISTORY_TOLD:
        print_told (out, &event->u.told);
        break;
    case HISTORY_ENTRY:
        print_entry (out, &event->u.entry);
        break;
    case HISTORY_LED:
        if (event->u.epoch != 0) {
            print (out, " epoch=%u", event->u.epoch);
        }
        break;
    case HISTORY_ENDED:
        print (out, " client=%u server=%u attach=%" PRIu64, event->u.ended.client,
               event->u.ended.server, event->u.ended.attach_no);
        break;
    case HISTORY_STALLED:
        print (out, " epoch=%u from=%" PRId64, event->u.stalled.epoch, event->u.stalled.from_ms);
        break;
    default:
        break;
    }
    buf_append (out, "\n", 1);
}

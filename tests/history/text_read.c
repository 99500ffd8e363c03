/* Histories as text: reading. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/history/text.h"
#include "tests/history/text_kinds.h"

enum { STAT_FIELDS = 14, OP_PARTS = 9, RESULT_PARTS = 3, CHANGE_PARTS = 4, PARTS_MAX = 16 };

/* What is being read, and whether it was all well so far. */
struct text {
    struct arena *arena;
    struct objection *objection;
    struct history_event *event;
    bool failed;
    size_t room; /* of what is being collected: ops, results, changes or children */
};

static void *take (struct text *self, size_t count, size_t size)
{
    void *memory = arena_calloc (self->arena, count, size);
    COHORT_ASSERT (memory != NULL);
    return memory;
}

static void fail (struct text *self, const char *what, const char *text)
{
    if (!self->failed) {
        self->failed = true;
        object (self->objection, "%s: \"%s\"", what, text);
    }
}

/* ---- Pieces ---------------------------------------------------------------------------------- */

static int64_t read_signed (struct text *self, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll (text, &end, 0);
    if (end == text || *end != '\0' || errno != 0) {
        fail (self, "not a number", text);
    }
    return value;
}

static uint64_t read_number (struct text *self, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull (text, &end, 0);
    if (end == text || *end != '\0' || errno != 0 || *text == '-') {
        fail (self, "not a number", text);
    }
    return value;
}

static int hex (char digit)
{
    const char *digits = "0123456789abcdef";
    const char *found = digit != '\0' ? strchr (digits, digit) : NULL;
    return found != NULL ? (int) (found - digits) : -1;
}

/* In place. */
static const char *read_text (struct text *self, char *text)
{
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        if (*in != '%') {
            *out++ = *in;
            continue;
        }
        int high = hex (in[1]), low = high >= 0 ? hex (in[2]) : -1;
        if (low < 0) {
            fail (self, "a % that no two digits follow", in);
            break;
        }
        *out++ = (char) (high * 16 + low);
        in += 2;
    }
    *out = '\0';
    return text;
}

/* Cuts the text at each separator. */
static size_t split (char *text, char separator, char *parts[], size_t max)
{
    size_t count = 0;
    for (char *next = text; next != NULL && count < max; count++) {
        parts[count] = next;
        next = strchr (next, separator);
        if (next != NULL) {
            *next++ = '\0';
        }
    }
    return count;
}

static const cohort_stat_t *read_stat (struct text *self, char *text)
{
    char *parts[STAT_FIELDS];
    if (*text == '\0') {
        return NULL;
    }
    cohort_stat_t *stat = take (self, 1, sizeof *stat);
    if (split (text, '/', parts, STAT_FIELDS) != STAT_FIELDS) {
        fail (self, "not a stat", text);
        return NULL;
    }
    *stat = (cohort_stat_t){
        .czxid = read_number (self, parts[0]),
        .mzxid = read_number (self, parts[1]),
        .pzxid = read_number (self, parts[2]),
        .ctime_ms = read_signed (self, parts[3]),
        .mtime_ms = read_signed (self, parts[4]),
        .version = (int32_t) read_signed (self, parts[5]),
        .cversion = (int32_t) read_signed (self, parts[6]),
        .aversion = (int32_t) read_signed (self, parts[7]),
        .data_size = (int32_t) read_signed (self, parts[8]),
        .ephemeral_owner = read_number (self, parts[9]),
        .ozxid = read_number (self, parts[10]),
        .child_count = (uint32_t) read_number (self, parts[11]),
        .mode = (int) read_signed (self, parts[12]),
        .ttl_ms = read_signed (self, parts[13]),
    };
    return stat;
}

static int read_kind (struct text *self, const char *text, const char *const *kinds, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (strcmp (text, kinds[i]) == 0) {
            return (int) i;
        }
    }
    fail (self, "no known kind", text);
    return 1;
}

static void read_bytes (struct text *self, const char *text, uint8_t bytes[16])
{
    if (strlen (text) != 32) {
        fail (self, "not 16 bytes", text);
        return;
    }
    for (size_t i = 0; i < 16; i++) {
        int high = hex (text[2 * i]), low = hex (text[2 * i + 1]);
        if (high < 0 || low < 0) {
            fail (self, "not 16 bytes", text);
            return;
        }
        bytes[i] = (uint8_t) (high * 16 + low);
    }
}

/* ---- Lists: each key again adds one ---------------------------------------------------------- */

/* key:number, behind the parts that all have; NULL: no such key. */
static int64_t *op_extra (struct history_op *op, const char *key, int64_t *spare)
{
    bool converted = strcmp (key, "absent") == 0 || strcmp (key, "limit") == 0 ||
                     strcmp (key, "current") == 0 || strcmp (key, "check") == 0 ||
                     strcmp (key, "inherited") == 0;
    return strcmp (key, "ttl") == 0       ? &op->ttl_ms
           : strcmp (key, "delta") == 0   ? &op->delta
           : strcmp (key, "floor") == 0   ? &op->floor
           : strcmp (key, "ceiling") == 0 ? &op->ceiling
           : converted                    ? spare
                                          : NULL;
}

/* Cuts key:number; NULL: it is not that. */
static char *cut_extra (struct text *self, char *part)
{
    char *number = strchr (part, ':');
    if (number == NULL) {
        fail (self, "not key:number", part);
        return NULL;
    }
    *number = '\0';
    return number + 1;
}

static void read_op_extra (struct text *self, char *part, struct history_op *op)
{
    char *number = cut_extra (self, part);
    int64_t spare = 0;
    if (number != NULL && strcmp (part, "acl") == 0) {
        op->acl = read_text (self, number);
        return;
    }
    if (number != NULL && strcmp (part, "after") == 0) {
        op->after = read_text (self, number);
        return;
    }
    int64_t *place = number != NULL ? op_extra (op, part, &spare) : NULL;
    if (place == NULL) {
        fail (self, "no operation has this", part);
        return;
    }
    *place = read_signed (self, number);
    if (strcmp (part, "absent") == 0) {
        op->if_absent = spare != 0;
    } else if (strcmp (part, "limit") == 0) {
        op->limit = (uint32_t) spare;
    } else if (strcmp (part, "current") == 0) {
        op->linearizable = spare != 0;
    } else if (strcmp (part, "check") == 0) {
        op->check = spare != 0;
    } else if (strcmp (part, "inherited") == 0) {
        op->inherited = spare != 0;
    }
}

/* name/name */
static void read_children (struct text *self, char *names, struct history_result *result)
{
    size_t max = 1;
    for (const char *at = names; *at != '\0'; at++) {
        max += *at == '/';
    }
    char **all = take (self, max, sizeof *all);
    result->children_count = split (names, '/', all, max);
    for (size_t i = 0; i < result->children_count; i++) {
        (void) read_text (self, all[i]);
    }
    result->children = (const char *const *) all;
}

static void read_result_extra (struct text *self, char *part, struct history_result *result)
{
    char *text = cut_extra (self, part);
    if (text != NULL && strcmp (part, "value") == 0) {
        result->value = read_signed (self, text);
    } else if (text != NULL && strcmp (part, "existed") == 0) {
        result->existed = read_signed (self, text) != 0;
    } else if (text != NULL && strcmp (part, "data") == 0) {
        result->data = read_text (self, text);
    } else if (text != NULL && strcmp (part, "children") == 0) {
        read_children (self, text, result);
    } else {
        fail (self, "no result has this", part);
    }
}

static void add_op (struct text *self, char *value, const struct history_op **ops, size_t *count)
{
    char *parts[PARTS_MAX];
    size_t parts_count = split (value, '|', parts, PARTS_MAX);
    if (parts_count < OP_PARTS) {
        fail (self, "not an operation", value);
        return;
    }
    struct history_op *all = take (self, *count + 1, sizeof *all);
    if (*count > 0) {
        memcpy (all, *ops, *count * sizeof *all);
    }
    all[(*count)++] = (struct history_op){
        .kind = (enum history_op_kind) read_kind (self, parts[0], text_ops, text_ops_count),
        .path = read_text (self, parts[1]),
        .value = read_text (self, parts[2]),
        .mode = (uint32_t) read_number (self, parts[3]),
        .version = (int32_t) read_signed (self, parts[4]),
        .zxid = read_number (self, parts[5]),
        .session = read_number (self, parts[6]),
        .code = (int32_t) read_signed (self, parts[7]),
        .watch = read_number (self, parts[8]) != 0,
    };
    for (size_t i = OP_PARTS; i < parts_count; i++) {
        read_op_extra (self, parts[i], &all[*count - 1]);
    }
    *ops = all;
}

static void add_result (struct text *self, char *value)
{
    struct history_return *result = &self->event->u.result;
    char *parts[PARTS_MAX];
    size_t parts_count = split (value, '|', parts, PARTS_MAX);
    if (parts_count < RESULT_PARTS) {
        fail (self, "not a result", value);
        return;
    }
    struct history_result *all = take (self, result->ops_count + 1, sizeof *all);
    if (result->ops_count > 0) {
        memcpy (all, result->ops, result->ops_count * sizeof *all);
    }
    all[result->ops_count++] = (struct history_result){
        .code = (int32_t) read_signed (self, parts[0]),
        .path = *parts[1] != '\0' ? read_text (self, parts[1]) : NULL,
        .stat = read_stat (self, parts[2]),
    };
    for (size_t i = RESULT_PARTS; i < parts_count; i++) {
        read_result_extra (self, parts[i], &all[result->ops_count - 1]);
    }
    result->ops = all;
}

static void add_child (struct text *self, char *value)
{
    struct history_return *result = &self->event->u.result;
    if (result->children_count >= self->room) {
        self->room = self->room > 0 ? 2 * self->room : 16;
        const char **all = take (self, self->room, sizeof *all);
        if (result->children_count > 0) {
            memcpy (all, result->children, result->children_count * sizeof *all);
        }
        result->children = all;
    }
    ((const char **) (uintptr_t) result->children)[result->children_count++] =
        read_text (self, value);
}

static void read_change_extra (struct text *self, char *part, struct history_change *change)
{
    const char *number = cut_extra (self, part);
    if (number != NULL && strcmp (part, "from") == 0) {
        change->from = read_number (self, number);
    } else if (number != NULL && strcmp (part, "hidden") == 0) {
        change->hidden = read_number (self, number) != 0;
    } else {
        fail (self, "no change has this", part);
    }
}

static void add_change (struct text *self, char *value)
{
    struct history_batch *batch = &self->event->u.batch;
    char *parts[PARTS_MAX];
    size_t parts_count = split (value, '|', parts, PARTS_MAX);
    if (parts_count < CHANGE_PARTS) {
        fail (self, "not a change", value);
        return;
    }
    if (batch->count >= self->room) {
        self->room = self->room > 0 ? 2 * self->room : 16;
        struct history_change *all = take (self, self->room, sizeof *all);
        if (batch->count > 0) {
            memcpy (all, batch->changes, batch->count * sizeof *all);
        }
        batch->changes = all;
    }
    struct history_change *change =
        &((struct history_change *) (uintptr_t) batch->changes)[batch->count++];
    *change = (struct history_change){
        .kind = (enum history_change_kind) read_number (self, parts[0]),
        .path = read_text (self, parts[1]),
        .value = read_text (self, parts[2]),
        .stat = read_stat (self, parts[3]),
    };
    for (size_t i = CHANGE_PARTS; i < parts_count; i++) {
        read_change_extra (self, parts[i], change);
    }
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static bool read_session (struct text *self, const char *key, char *value)
{
    struct history_session *session = &self->event->u.session;
    if (strcmp (key, "session") == 0) {
        session->id = read_number (self, value);
    } else if (strcmp (key, "timeout") == 0) {
        session->timeout_ms = (uint32_t) read_number (self, value);
    } else if (strcmp (key, "grace") == 0) {
        session->grace_ms = (uint32_t) read_number (self, value);
    } else if (strcmp (key, "incarnation") == 0) {
        session->incarnation = (uint32_t) read_number (self, value);
    } else {
        return false;
    }
    return true;
}

static bool read_call (struct text *self, const char *key, char *value)
{
    struct history_call *call = &self->event->u.call;
    if (strcmp (key, "id") == 0) {
        call->id = read_number (self, value);
    } else if (strcmp (key, "number") == 0) {
        call->number = read_number (self, value);
    } else if (strcmp (key, "multi") == 0) {
        call->multi = read_number (self, value) != 0;
    } else if (strcmp (key, "op") == 0) {
        add_op (self, value, &call->ops, &call->count);
    } else {
        return false;
    }
    return true;
}

static bool read_return (struct text *self, const char *key, char *value)
{
    struct history_return *result = &self->event->u.result;
    if (strcmp (key, "id") == 0) {
        result->id = read_number (self, value);
    } else if (strcmp (key, "code") == 0) {
        result->code = (int32_t) read_signed (self, value);
    } else if (strcmp (key, "zxid") == 0) {
        result->zxid = read_number (self, value);
    } else if (strcmp (key, "r") == 0) {
        add_result (self, value);
    } else if (strcmp (key, "stat") == 0) {
        result->stat = read_stat (self, value);
    } else if (strcmp (key, "value") == 0) {
        result->value = read_text (self, value);
    } else if (strcmp (key, "child") == 0) {
        add_child (self, value);
    } else if (strcmp (key, "below") == 0) {
        result->below = read_signed (self, value);
    } else {
        return false;
    }
    return true;
}

static bool read_fired (struct text *self, const char *key, char *value)
{
    struct history_fired *fired = &self->event->u.fired;
    if (strcmp (key, "watch") == 0) {
        fired->kind = (enum history_watch_kind) read_number (self, value);
    } else if (strcmp (key, "type") == 0) {
        fired->type = (cohort_event_type_t) read_signed (self, value);
    } else if (strcmp (key, "path") == 0) {
        fired->path = read_text (self, value);
    } else if (strcmp (key, "zxid") == 0) {
        fired->zxid = read_number (self, value);
    } else {
        return false;
    }
    return true;
}

static bool read_batch (struct text *self, const char *key, char *value)
{
    struct history_batch *batch = &self->event->u.batch;
    if (strcmp (key, "stream") == 0) {
        batch->stream = read_number (self, value);
    } else if (strcmp (key, "path") == 0) {
        batch->path = read_text (self, value);
    } else if (strcmp (key, "zxid") == 0) {
        batch->zxid = read_number (self, value);
    } else if (strcmp (key, "snapshot") == 0) {
        batch->snapshot = read_number (self, value) != 0;
    } else if (strcmp (key, "first") == 0) {
        batch->first = read_number (self, value) != 0;
    } else if (strcmp (key, "more") == 0) {
        batch->more = read_number (self, value) != 0;
    } else if (strcmp (key, "reset") == 0) {
        batch->reset = read_number (self, value) != 0;
    } else if (strcmp (key, "change") == 0) {
        add_change (self, value);
    } else {
        return false;
    }
    return true;
}

static bool read_opened (struct text *self, const char *key, char *value)
{
    struct history_stream *opened = &self->event->u.opened;
    if (strcmp (key, "stream") == 0) {
        opened->id = read_number (self, value);
    } else if (strcmp (key, "path") == 0) {
        opened->path = read_text (self, value);
    } else if (strcmp (key, "flags") == 0) {
        opened->flags = (uint32_t) read_number (self, value);
    } else if (strcmp (key, "from") == 0) {
        opened->from_zxid = read_number (self, value);
    } else {
        return false;
    }
    return true;
}

static bool read_told (struct text *self, const char *key, char *value)
{
    struct history_told *told = &self->event->u.told;
    if (strcmp (key, "stream") == 0) {
        told->stream = read_number (self, value);
    } else if (strcmp (key, "type") == 0) {
        told->type = (cohort_event_type_t) read_signed (self, value);
    } else if (strcmp (key, "path") == 0) {
        told->path = read_text (self, value);
    } else if (strcmp (key, "zxid") == 0) {
        told->zxid = read_number (self, value);
    } else {
        return false;
    }
    return true;
}

static bool read_entry (struct text *self, const char *key, char *value)
{
    struct history_entry *entry = &self->event->u.entry;
    if (strcmp (key, "zxid") == 0) {
        entry->zxid = read_number (self, value);
    } else if (strcmp (key, "stamp") == 0) {
        entry->stamp_ms = read_signed (self, value);
    } else if (strcmp (key, "what") == 0) {
        entry->kind =
            (enum history_entry_kind) read_kind (self, value, text_entries, text_entries_count);
    } else if (strcmp (key, "session") == 0) {
        entry->session = read_number (self, value);
    } else if (strcmp (key, "number") == 0) {
        entry->number = read_number (self, value);
    } else if (strcmp (key, "attach") == 0) {
        entry->attach_no = read_number (self, value);
    } else if (strcmp (key, "incarnation") == 0) {
        entry->incarnation = (uint32_t) read_number (self, value);
    } else if (strcmp (key, "server") == 0) {
        entry->server = (uint32_t) read_number (self, value);
    } else if (strcmp (key, "admins") == 0) {
        entry->admins = read_text (self, value);
    } else if (strcmp (key, "origin") == 0) {
        entry->origin = read_text (self, value);
    } else if (strcmp (key, "password") == 0) {
        read_bytes (self, value, entry->password);
    } else if (strcmp (key, "killed") == 0) {
        entry->killed = read_number (self, value) != 0;
    } else if (strcmp (key, "silent") == 0) {
        entry->silent = read_number (self, value) != 0;
    } else if (strcmp (key, "nonce") == 0) {
        read_bytes (self, value, entry->nonce);
    } else if (strcmp (key, "multi") == 0) {
        entry->multi = read_number (self, value) != 0;
    } else if (strcmp (key, "op") == 0) {
        add_op (self, value, &entry->ops, &entry->count);
    } else {
        return false;
    }
    return true;
}

static bool read_stall (struct text *self, const char *key, const char *value)
{
    struct history_stall *stalled = &self->event->u.stalled;
    if (strcmp (key, "epoch") == 0) {
        stalled->epoch = (uint32_t) read_number (self, value);
    } else if (strcmp (key, "from") == 0) {
        stalled->from_ms = read_signed (self, value);
    } else {
        return false;
    }
    return true;
}

static bool read_ended (struct text *self, const char *key, const char *value)
{
    struct history_ended *ended = &self->event->u.ended;
    if (strcmp (key, "client") == 0) {
        ended->client = (uint32_t) read_number (self, value);
    } else if (strcmp (key, "server") == 0) {
        ended->server = (uint32_t) read_number (self, value);
    } else if (strcmp (key, "attach") == 0) {
        ended->attach_no = read_number (self, value);
    } else {
        return false;
    }
    return true;
}

static bool read_key (struct text *self, const char *key, char *value)
{
    switch (self->event->kind) {
    case HISTORY_SESSION:
        return read_session (self, key, value);
    case HISTORY_ATTACHED:
    case HISTORY_FORGOT:
    case HISTORY_HEARD:
        self->event->u.server = (uint32_t) read_number (self, value);
        return strcmp (key, "server") == 0;
    case HISTORY_VALID:
        self->event->u.until_ms = read_signed (self, value);
        return strcmp (key, "until") == 0;
    case HISTORY_CALL:
        return read_call (self, key, value);
    case HISTORY_RETURN:
        return read_return (self, key, value);
    case HISTORY_SEEN:
        self->event->u.zxid = read_number (self, value);
        return strcmp (key, "zxid") == 0;
    case HISTORY_UNKNOWN:
        self->event->u.id = read_number (self, value);
        return strcmp (key, "id") == 0;
    case HISTORY_FIRED:
        return read_fired (self, key, value);
    case HISTORY_BATCH:
        return read_batch (self, key, value);
    case HISTORY_OPENED:
        return read_opened (self, key, value);
    case HISTORY_CLOSED:
    case HISTORY_REFUSED:
        self->event->u.id = read_number (self, value);
        return strcmp (key, "stream") == 0;
    case HISTORY_TOLD:
        return read_told (self, key, value);
    case HISTORY_ENTRY:
        return read_entry (self, key, value);
    case HISTORY_LED:
        self->event->u.epoch = (uint32_t) read_number (self, value);
        return strcmp (key, "epoch") == 0;
    case HISTORY_ENDED:
        return read_ended (self, key, value);
    case HISTORY_STALLED:
        return read_stall (self, key, value);
    default:
        return false;
    }
}

/* ---- Lines ----------------------------------------------------------------------------------- */

bool history_is_blank (const char *line)
{
    line += strspn (line, " \r\n");
    return *line == '\0' || *line == '#';
}

static char *next_word (char **line)
{
    char *word = *line + strspn (*line, " \r\n");
    if (*word == '\0') {
        return NULL;
    }
    *line = word + strcspn (word, " \r\n");
    if (**line != '\0') {
        *(*line)++ = '\0';
    }
    return word;
}

/* Paths and values are never NULL. */
static void begin (struct history_event *event)
{
    if (event->kind == HISTORY_SESSION) {
        event->u.session.incarnation = 1;
    } else if (event->kind == HISTORY_FIRED) {
        event->u.fired.path = "";
    } else if (event->kind == HISTORY_BATCH) {
        event->u.batch.path = "";
    } else if (event->kind == HISTORY_OPENED) {
        event->u.opened.path = "";
    } else if (event->kind == HISTORY_TOLD) {
        event->u.told.path = "";
    }
}

bool history_parse (char *line, struct arena *arena, struct history_event *event,
                    struct objection *objection)
{
    struct text self = {.arena = arena, .objection = objection, .event = event};
    char *time = next_word (&line);
    char *client = next_word (&line);
    char *kind = next_word (&line);
    char *word;
    if (kind == NULL || *client != 'c') {
        return object (objection, "not TIME cN KIND ...");
    }
    *event = (struct history_event){
        .time_ms = read_signed (&self, time),
        .client = (uint32_t) read_number (&self, client + 1),
        .kind = (enum history_kind) read_kind (&self, kind, text_events, text_events_count),
    };
    begin (event);
    while (!self.failed && (word = next_word (&line)) != NULL) {
        char *value = strchr (word, '=');
        if (value == NULL) {
            fail (&self, "not key=value", word);
            break;
        }
        *value++ = '\0';
        if (!read_key (&self, word, value)) {
            fail (&self, "no such key here", word);
        }
    }
    return !self.failed;
}

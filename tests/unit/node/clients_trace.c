/* clients_trace.c: see clients_trace.h. */

#include "tests/unit/node/clients_trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/node/error_text.h"

/* ---- Lines ----------------------------------------------------------------------------------- */

void trace_text (struct buf *out, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start (args, format);
    int size = vsnprintf (text, sizeof text, format, args);
    va_end (args);
    assert_true (size >= 0);
    buf_append (out, text, (size_t) size < sizeof text ? (size_t) size : sizeof text - 1);
}

static const char *take_line (const struct buf *buf, size_t *read)
{
    static char line[1100];
    if (*read >= buf->size) {
        return NULL;
    }
    const char *at = (const char *) buf->data + *read;
    const char *end = memchr (at, '\n', buf->size - *read);
    assert_non_null (end);
    size_t size = (size_t) (end - at);
    *read += size + 1;
    size = size < sizeof line ? size : sizeof line - 1;
    memcpy (line, at, size);
    line[size] = '\0';
    return line;
}

static void check_line (const char *got, const char *wanted, size_t size)
{
    if (got == NULL && wanted == NULL) {
        return;
    }
    if (got == NULL || wanted == NULL || strncmp (got, wanted, size) != 0) {
        fail_msg ("expected \"%s\", got \"%s\"", wanted != NULL ? wanted : "(nothing)",
                  got != NULL ? got : "(nothing)");
    }
}

/* What is compared of a line that is to be all that comes. */
static size_t whole (const char *line)
{
    return line != NULL ? strlen (line) + 1 : 0;
}

const char *next_line (struct peer *peer)
{
    return take_line (&peer->trace, &peer->read);
}

void forget_lines (struct peer *peer)
{
    peer->read = peer->trace.size;
}

void expect (struct peer *peer, const char *line)
{
    check_line (next_line (peer), line, whole (line));
}

void expect_prefix (struct peer *peer, const char *prefix)
{
    check_line (next_line (peer), prefix, strlen (prefix));
}

void expect_note (struct world *world, size_t server, const char *line)
{
    struct world_server *self = &world->servers[server];
    check_line (take_line (&self->notes, &self->notes_read), line, whole (line));
}

void forget_notes (struct world *world, size_t server)
{
    world->servers[server].notes_read = world->servers[server].notes.size;
}

/* ---- What a client receives ------------------------------------------------------------------ */

static void trace_stat (struct peer *peer, const Cohort__Wire__Stat *stat)
{
    if (stat != NULL) {
        trace_text (&peer->trace, " v=%d", stat->version);
        if (stat->ephemeral_owner != 0) {
            trace_text (&peer->trace, " owner=%llx", (unsigned long long) stat->ephemeral_owner);
        }
    }
}

static void trace_data (struct peer *peer, ProtobufCBinaryData data)
{
    if (data.len > 64) {
        trace_text (&peer->trace, "%zu bytes", data.len);
    } else {
        trace_text (&peer->trace, "%.*s", (int) data.len, (const char *) data.data);
    }
}

static const char *code_text (int code)
{
    return error_name (code) + strlen ("COHORT_");
}

/* Of several reads. */
static void trace_read (struct peer *peer, const Cohort__Wire__ReadResult *read)
{
    trace_text (&peer->trace, " {%s", code_text (read->code));
    if (read->data.len > 0) {
        trace_text (&peer->trace, " data=");
        trace_data (peer, read->data);
    }
    trace_stat (peer, read->stat);
    for (size_t i = 0; i < read->n_children && i < 10; i++) {
        trace_text (&peer->trace, "%s%s", i == 0 ? " children=" : ",", read->children[i]);
    }
    if (read->next[0] != '\0') {
        trace_text (&peer->trace, " next=%s", read->next);
    }
    if (read->value != 0) {
        trace_text (&peer->trace, " value=%lld", (long long) read->value);
    }
    trace_text (&peer->trace, "}");
}

static void trace_reads (struct peer *peer, const Cohort__Wire__Reply *reply)
{
    for (size_t i = 0; i < reply->n_reads && i < 10; i++) {
        trace_read (peer, reply->reads[i]);
    }
    for (size_t i = 0; i < reply->n_identities; i++) {
        trace_text (&peer->trace, " %s:%s", reply->identities[i]->scheme, reply->identities[i]->id);
    }
    for (size_t i = 0; i < reply->n_acl; i++) {
        const Cohort__Wire__AclItem *item = reply->acl[i];
        trace_text (&peer->trace, " %u:%.*s:%.*s", item->perms, (int) item->scheme.len,
                    (const char *) item->scheme.data, (int) item->id.len,
                    (const char *) item->id.data);
    }
    if (reply->n_sessions > 0) {
        trace_text (&peer->trace, " sessions=%zu%s", reply->n_sessions,
                    reply->more_sessions ? " more" : "");
    }
    if (reply->value != 0) {
        trace_text (&peer->trace, " value=%lld", (long long) reply->value);
    }
    if (reply->detail[0] != '\0') {
        trace_text (&peer->trace, " (%s)", reply->detail);
    }
}

static void take_reply (struct peer *peer, const Cohort__Wire__Reply *reply)
{
    trace_text (&peer->trace, "reply %llu %s", (unsigned long long) reply->xid,
                code_text (reply->code));
    if (reply->number != 0) {
        trace_text (&peer->trace, " n=%llu", (unsigned long long) reply->number);
    }
    if (reply->expected != 0) {
        trace_text (&peer->trace, " expected=%llu", (unsigned long long) reply->expected);
    }
    if (reply->path[0] != '\0') {
        trace_text (&peer->trace, " path=%s", reply->path);
    }
    if (reply->data.len > 0) {
        trace_text (&peer->trace, " data=");
        trace_data (peer, reply->data);
    }
    trace_stat (peer, reply->stat);
    for (size_t i = 0; i < reply->n_children && i < 10; i++) {
        trace_text (&peer->trace, "%s%s", i == 0 ? " children=" : ",", reply->children[i]);
    }
    for (size_t i = 0; i < reply->n_listed && i < 10; i++) {
        trace_text (&peer->trace, " (%s", reply->listed[i]->name);
        trace_stat (peer, reply->listed[i]->stat);
        if (reply->listed[i]->data.len > 0) {
            trace_text (&peer->trace, " data=");
            trace_data (peer, reply->listed[i]->data);
        }
        trace_text (&peer->trace, "%s", reply->listed[i]->hidden ? " hidden" : "");
        trace_text (&peer->trace, ")");
    }
    if (reply->next[0] != '\0') {
        trace_text (&peer->trace, " next=%s", reply->next);
    }
    peer->listed += reply->n_children + reply->n_listed;
    for (size_t i = 0; i < reply->n_results; i++) {
        const Cohort__Wire__OpResult *result = reply->results[i];
        trace_text (&peer->trace, " [%s %s", code_text (result->code), result->path);
        trace_stat (peer, result->stat);
        trace_text (&peer->trace, "]");
    }
    trace_reads (peer, reply);
    trace_text (&peer->trace, "\n");
    assert_true (reply->zxid > 0);
    peer->replied = reply->zxid;
    peer->settled = reply->zxid > peer->settled ? reply->zxid : peer->settled;
}

static void take_event (struct peer *peer, const Cohort__Wire__WatchEvent *event)
{
    static const char *const types[] = {"?", "CREATED", "DELETED", "CHANGED", "CHILDREN"};
    static const char *const kinds[] = {"?", "data", "exists", "children"};
    assert_in_range (event->type, 1, 4);
    assert_in_range (event->kind, 1, 3);
    assert_true (peer->mad || event->zxid > peer->settled);
    trace_text (&peer->trace, "event %s %s (%s)\n", types[event->type], event->path,
                kinds[event->kind]);
}

static uint64_t stream_since (struct peer *peer, uint64_t id)
{
    for (size_t i = 0; i < WORLD_STREAMS_MAX; i++) {
        if (peer->streams[i].id == id) {
            return peer->streams[i].since;
        }
    }
    return UINT64_MAX;
}

static void count_piece (struct peer *peer, const Cohort__Wire__StreamBatch *piece)
{
    size_t found = 0, bytes = cohort__wire__stream_batch__get_packed_size (piece);
    for (size_t i = 0; i < piece->n_changes; i++) {
        found += piece->changes[i]->kind == 4;
    }
    peer->walk.pieces++;
    peer->walk.nodes += found;
    peer->walk.changes += piece->n_changes - found;
    peer->walk.firsts += piece->first ? 1 : 0;
    peer->walk.wholes += !piece->more;
    peer->walk.nodes_max = found > peer->walk.nodes_max ? found : peer->walk.nodes_max;
    peer->walk.bytes_max = bytes > peer->walk.bytes_max ? bytes : peer->walk.bytes_max;
    peer->walk.bytes += bytes;
    if (peer->walk.take != NULL) {
        peer->walk.take (peer->walk.arg, piece);
    }
}

static void take_batch (struct peer *peer, const Cohort__Wire__StreamBatch *batch)
{
    uint64_t since = stream_since (peer, batch->stream_id);
    /* What a stream has to catch up with lies before its opening. */
    assert_true (peer->mad || batch->zxid <= since || batch->zxid > peer->settled ||
                 batch->snapshot || (batch->n_changes == 0 && !batch->first));
    trace_text (&peer->trace, "batch %llu%s%s%s", (unsigned long long) batch->stream_id,
                batch->snapshot ? " snapshot" : "", batch->first ? " first" : "",
                batch->more ? " more" : "");
    for (size_t i = 0; i < batch->n_changes && i < 10; i++) {
        const Cohort__Wire__Change *change = batch->changes[i];
        if (change->kind == EFFECT_OWNER) {
            assert_non_null (change->owner);
            trace_text (&peer->trace, " owner=%llu>%llu", (unsigned long long) change->owner->from,
                        (unsigned long long) change->owner->to);
            continue;
        }
        bool list = change->kind == EFFECT_ACL;
        assert_true (list || (change->kind >= 1 && change->kind <= (batch->snapshot ? 4 : 3)));
        assert_int_equal (change->stat == NULL, change->kind == EFFECT_DELETED);
        assert_false (change->hidden && change->data.len > 0);
        trace_text (&peer->trace, " %c%s%s", list ? 'a' : "?+-~*"[change->kind], change -> path,
                    change -> hidden ? "!" : "");
        if (change->data.len > 0) {
            trace_text (&peer->trace, "=");
            trace_data (peer, change->data);
        }
    }
    if (batch->n_changes > 10) {
        trace_text (&peer->trace, " ...%zu", batch->n_changes);
    }
    trace_text (&peer->trace, "\n");
    if (!batch->more) {
        peer->batched = batch->zxid;
    }
    if (batch->snapshot && batch->stream_id == peer->walk.id) {
        count_piece (peer, batch);
    }
    if (batch->sent != 0 && !peer->hoards) {
        size_t at = 0;
        while (at < peer->taken_count && peer->taken[at].id != batch->stream_id) {
            at++;
        }
        assert_true (at < WORLD_STREAMS_MAX);
        peer->taken_count += at == peer->taken_count;
        peer->taken[at].id = batch->stream_id;
        peer->taken[at].bytes = batch->sent;
    }
}

static void take_status (struct peer *peer, const Cohort__Wire__Status *status)
{
    trace_text (&peer->trace, "status server=%u role=%s zxid=%llu members=%zu digest=%s",
                status->server_id, status->role,
                (unsigned long long) (status->zxid & ZXID_COUNTER_MAX), status->n_members,
                status->digest != 0 ? "yes" : "no");
    for (size_t i = 0; i < status->n_members; i++) {
        trace_text (&peer->trace, " %u/%s/%s", status->members[i]->id, status->members[i]->role,
                    status->members[i]->client_address);
    }
    trace_text (&peer->trace, "\n");
}

void trace_frame (struct peer *peer, const Cohort__Wire__ServerFrame *frame)
{
    if (frame->welcome != NULL) {
        const Cohort__Wire__Welcome *welcome = frame->welcome;
        assert_memory_equal (welcome->cluster_id.data, world_cluster, 16);
        peer->session = welcome->session_id;
        peer->credit = welcome->credit_bytes;
        trace_text (&peer->trace, "welcome attach=%llu last=%llu timeout=%u\n",
                    (unsigned long long) welcome->attach_no,
                    (unsigned long long) welcome->last_number, welcome->timeout_ms);
    }
    if (frame->held != NULL) {
        trace_text (&peer->trace, "held \"%s\"\n", frame->held->reason);
    }
    for (size_t i = 0; i < frame->n_items; i++) {
        const Cohort__Wire__Item *item = frame->items[i];
        if (item->item_case == COHORT__WIRE__ITEM__ITEM_REPLY) {
            take_reply (peer, item->reply);
        } else if (item->item_case == COHORT__WIRE__ITEM__ITEM_EVENT) {
            take_event (peer, item->event);
        } else {
            assert_int_equal (item->item_case, COHORT__WIRE__ITEM__ITEM_BATCH);
            take_batch (peer, item->batch);
        }
    }
    if (frame->zxid != 0) {
        assert_true (frame->zxid >= peer->settled);
        peer->settled = frame->zxid;
    }
    if (frame->confirmed != 0) {
        trace_text (&peer->trace, "confirmed %llu\n", (unsigned long long) frame->confirmed);
    }
    if (frame->status != NULL) {
        take_status (peer, frame->status);
    }
    if (frame->backup != NULL) {
        trace_text (&peer->trace, "backup part %s: %s\n", code_text (frame->backup->code),
                    frame->backup->text);
    }
    if (frame->refused != NULL) {
        trace_text (&peer->trace, "refused %s: %s\n", code_text (frame->refused->code),
                    frame->refused->text);
    }
}

/* A session under test. */

#include "tests/unit/client/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "tests/unit/client/ended.h"

static void say (struct rig *rig, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

static void say (struct rig *rig, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    size_t room = sizeof (rig->trace) - rig->trace_size;
    int size = vsnprintf (rig->trace + rig->trace_size, room, format, arguments);
    va_end (arguments);
    assert_true (size >= 0 && (size_t) size < room);
    rig->trace_size += (size_t) size;
}

/* ---- What the client sends ------------------------------------------------------------------- */

static void say_hello (struct rig *rig, const Cohort__Wire__Hello *hello)
{
    assert_int_equal (hello->magic, 0x43485254);
    assert_int_equal (hello->nonce.len, 16);
    assert_int_equal (hello->password.len, 16);
    if (hello->session_id == 0) {
        say (rig, " hello create");
    } else {
        say (rig, " hello session %llu", (unsigned long long) hello->session_id);
        assert_int_equal (hello->cluster_id.len, 16);
    }
    say (rig, " attach %llu next %llu", (unsigned long long) hello->attach_no,
         (unsigned long long) hello->next_number);
    if (hello->incarnation != 1) {
        say (rig, " incarnation %u password %u", (unsigned) hello->incarnation,
             (unsigned) hello->password.data[0]);
    }
    if (hello->last_zxid > 0) {
        say (rig, " seen %llu", (unsigned long long) hello->last_zxid);
    }
}

static void say_rearm (struct rig *rig, const Cohort__Wire__Rearm *rearm)
{
    say (rig, " rearm from %llu", (unsigned long long) rearm->last_zxid);
    if (rearm->n_watches > 8) {
        say (rig, " %zu watches", rearm->n_watches);
    }
    for (size_t i = 0; i < rearm->n_watches && rearm->n_watches <= 8; i++) {
        say (rig, " watch %d %s", (int) rearm->watches[i]->kind, ended (rearm->watches[i]->path));
    }
    for (size_t i = 0; i < rearm->n_streams; i++) {
        say (rig, " stream %llu %s from %llu", (unsigned long long) rearm->streams[i]->stream_id,
             ended (rearm->streams[i]->path), (unsigned long long) rearm->streams[i]->from_zxid);
    }
    if (rearm->more) {
        say (rig, " more");
    }
}

static void say_request (struct rig *rig, const Cohort__Wire__Request *request)
{
    const char *name = "?", *path = "";
    switch (request->op_case) {
    case COHORT__WIRE__REQUEST__OP_CREATE:
        name = "create ";
        path = ended (request->create->path);
        break;
    case COHORT__WIRE__REQUEST__OP_DELETE:
        name = "delete ";
        path = ended (request->delete_->path);
        break;
    case COHORT__WIRE__REQUEST__OP_SET:
        name = "set ";
        path = ended (request->set->path);
        break;
    case COHORT__WIRE__REQUEST__OP_ADD_AUTH:
        name = "auth ";
        path = ended (request->add_auth->user);
        break;
    case COHORT__WIRE__REQUEST__OP_MULTI:
        name = "multi";
        break;
    case COHORT__WIRE__REQUEST__OP_CLOSE:
        name = "close";
        break;
    case COHORT__WIRE__REQUEST__OP_EXISTS:
        name = request->exists->watch ? "exists+w " : "exists ";
        path = ended (request->exists->path);
        break;
    case COHORT__WIRE__REQUEST__OP_GET:
        name = request->get->watch ? "get+w " : "get ";
        path = ended (request->get->path);
        break;
    case COHORT__WIRE__REQUEST__OP_CHILDREN:
        name = request->children->watch ? "children+w " : "children ";
        path = ended (request->children->path);
        break;
    case COHORT__WIRE__REQUEST__OP_SYNC:
        name = "sync";
        break;
    case COHORT__WIRE__REQUEST__OP_STREAM_OPEN:
        name = request->stream_open->from_zxid > 0 ? "open-from " : "open ";
        path = ended (request->stream_open->path);
        break;
    case COHORT__WIRE__REQUEST__OP_STREAM_CLOSE:
        name = "unstream";
        break;
    default:
        break;
    }
    say (rig, " | %s%s #%llu", name, path, (unsigned long long) request->xid);
    if (request->number > 0) {
        say (rig, " n%llu ack %llu", (unsigned long long) request->number,
             (unsigned long long) request->ack_to);
    }
}

static void say_frame (struct rig *rig, uint32_t link, const struct buf *bytes)
{
    Cohort__Wire__ClientFrame *frame =
        cohort__wire__client_frame__unpack (ended_allocator (), bytes->size, bytes->data);
    assert_non_null (frame);
    say (rig, "%u>", link);
    if (frame->hello != NULL) {
        rig->attach[link] = frame->hello->attach_no;
        say_hello (rig, frame->hello);
    }
    if (frame->rearm != NULL) {
        say_rearm (rig, frame->rearm);
    }
    if (frame->heartbeat != NULL) {
        say (rig, " beat %llu", (unsigned long long) frame->heartbeat->seq);
    }
    if (frame->ask) {
        say (rig, " ask");
    }
    for (size_t i = 0; i < frame->n_taken; i++) {
        say (rig, " taken %llu/%llu", (unsigned long long) frame->taken[i]->stream_id,
             (unsigned long long) frame->taken[i]->bytes);
    }
    if (frame->n_requests > 8) {
        say (rig, " | %zu requests from #%llu", frame->n_requests,
             (unsigned long long) frame->requests[0]->xid);
    } else {
        for (size_t i = 0; i < frame->n_requests; i++) {
            say_request (rig, frame->requests[i]);
        }
    }
    say (rig, "\n");
    cohort__wire__client_frame__free_unpacked (frame, ended_allocator ());
}

/* ---- What it hands up ------------------------------------------------------------------------ */

static const char *event_name (int type)
{
    switch (type) {
    case COHORT_EVENT_CREATED:
        return "CREATED";
    case COHORT_EVENT_DELETED:
        return "DELETED";
    case COHORT_EVENT_CHANGED:
        return "CHANGED";
    case COHORT_EVENT_CHILDREN:
        return "CHILDREN";
    default:
        return "LOST";
    }
}

static void say_batch (struct rig *rig, struct batch_event *event)
{
    bool more = true;
    while (more) {
        cohort_batch_t batch;
        cohort_change_t *changes;
        more = batch_event_next (event, &batch, &changes);
        assert_true (batch.changes == changes);
        say (rig, "batch %llu%s%s%s at %llu:", (unsigned long long) event->stream->id,
             batch.snapshot ? " snapshot" : "", batch.first ? " first" : "",
             batch.more ? " more" : "", (unsigned long long) batch.zxid);
        for (size_t i = 0; i < batch.count; i++) {
            say (rig, " %s=%.*s", changes[i].path, (int) changes[i].size,
                 changes[i].size > 0 ? (const char *) changes[i].data : "");
        }
        say (rig, "\n");
    }
}

static void say_event (struct rig *rig, struct event *event)
{
    static const char *const states[] = {"connecting", "connected", "suspended", "lost"};
    switch (event->kind) {
    case EVENT_RESULT: {
        const struct request *request = container_of (event, struct request, event);
        say (rig, "result #%llu %s\n", (unsigned long long) request->wire.xid,
             cohort_error_name (request->rc) + strlen ("COHORT_"));
        rig->out_of_memory += request->rc == COHORT_ENOMEM ? 1 : 0;
        break;
    }
    case EVENT_WATCH: {
        const struct watch *watch = container_of (event, struct watch, event);
        say (rig, "watch %s %s at %llu\n", event_name ((int) watch->type), watch->path,
             (unsigned long long) watch->zxid);
        break;
    }
    case EVENT_BATCH:
        say_batch (rig, container_of (event, struct batch_event, event));
        break;
    case EVENT_ENDED:
        say (rig, "stream %llu ended\n",
             (unsigned long long) container_of (event, struct cohort_stream, ended)->id);
        break;
    case EVENT_STATE:
        say (rig, "%s\n", states[container_of (event, struct state_event, event)->state]);
        break;
    case EVENT_TIMER:
    case EVENT_RENEW:
        fail ();
        break;
    }
}

static void open_link (struct rig *rig, uint32_t link, bool open)
{
    assert_true (rig->open[link] != open);
    rig->open[link] = open;
    size_t count = 0;
    for (size_t i = 0; i < RIG_LINKS_MAX; i++) {
        count += rig->open[i];
    }
    assert_true (count <= RIG_OPEN_MAX);
}

static bool drain_once (struct rig *rig)
{
    bool any = false;
    struct session_command command;
    while (session_next_command (rig->session, &command)) {
        any = true;
        assert_true (command.link < RIG_LINKS_MAX);
        open_link (rig, command.link, command.kind == SESSION_CONNECT);
        if (command.kind == SESSION_CONNECT) {
            say (rig, "connect %u %s\n", command.link, command.endpoint);
            memcpy (rig->endpoint[command.link], command.endpoint, sizeof (command.endpoint));
            rig->last_link = command.link;
        } else {
            say (rig, "drop %u\n", command.link);
            rig->up[command.link] = false;
        }
    }
    for (uint32_t link = 1; link <= rig->last_link; link++) {
        struct buf out = {0};
        while (rig->up[link] && session_next_frame (rig->session, link, &out, rig->now)) {
            any = true;
            say_frame (rig, link, &out);
            buf_clear (&out);
        }
        buf_deinit (&out);
    }
    struct list events;
    list_init (&events);
    session_take_events (rig->session, &events);
    struct list_node *node;
    while ((node = list_pop_front (&events)) != NULL) {
        any = true;
        struct event *event = list_entry (node, struct event, node);
        say_event (rig, event);
        event_free (event);
    }
    return any;
}

void rig_drain (struct rig *rig)
{
    while (!rig->busy && drain_once (rig)) {
    }
}

void rig_expect (struct rig *rig, const char *trace)
{
    assert_string_equal (rig->trace, trace);
    rig_forget (rig);
}

void rig_forget (struct rig *rig)
{
    rig->trace[0] = '\0';
    rig->trace_size = 0;
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

static bool begin (struct rig *rig, const char *servers, const struct session_identity *past,
                   bool close_past)
{
    memset (rig, 0, sizeof (*rig));
    rig->now = 1000;
    rig->zxid = 100;
    rig->timeout_ms = rig->grace_ms = 900;
    rig->window = 1000;
    rig->credit = 1 << 20;
    rig->cluster = 7;
    struct hosts hosts;
    char text[256];
    int rc = hosts_parse (&hosts, servers, text, sizeof (text));
    if (rc == COHORT_ENOMEM) {
        return false;
    }
    assert_int_equal (rc, 0);
    struct session_options options = {.hosts = &hosts,
                                      .timeout_ms = 900,
                                      .grace_ms = 900,
                                      .connect_timeout_ms = 200,
                                      .stream_bytes_max = RIG_STREAM_BYTES,
                                      .past = past,
                                      .close_past = close_past};
    memset (options.random.nonce, 1, sizeof (options.random.nonce));
    memset (options.random.password, 2, sizeof (options.random.password));
    rig->session = session_new (&options);
    hosts_deinit (&hosts);
    if (rig->session == NULL) {
        return false;
    }
    session_tick (rig->session, rig->now);
    rig_drain (rig);
    return true;
}

bool rig_try_begin (struct rig *rig, const char *servers)
{
    return begin (rig, servers, NULL, false);
}

void rig_begin (struct rig *rig, const char *servers)
{
    assert_true (rig_try_begin (rig, servers));
}

void rig_begin_past (struct rig *rig, const char *servers, const struct session_identity *past,
                     bool close_past)
{
    assert_true (begin (rig, servers, past, close_past));
}

void rig_end (struct rig *rig)
{
    session_free (&rig->session);
    assert_null (rig->session);
}

void rig_connected (struct rig *rig, const char *servers)
{
    rig_begin (rig, servers);
    rig_up (rig, 1);
    rig_welcome (rig, 1, 1);
    rig_forget (rig);
}

/* ---- Clock, transport, application ----------------------------------------------------------- */

void rig_jump (struct rig *rig, int64_t ms)
{
    rig->now += ms;
    session_tick (rig->session, rig->now);
    rig_drain (rig);
}

void rig_wait (struct rig *rig, int64_t ms)
{
    int64_t end = rig->now + ms;
    while (session_deadline (rig->session) <= end) {
        int64_t due = session_deadline (rig->session);
        rig_jump (rig, due > rig->now ? due - rig->now : 0);
        /* What is due must be done, or time would stand still. */
        assert_true (session_deadline (rig->session) > rig->now);
    }
    rig_jump (rig, end - rig->now);
}

void rig_up (struct rig *rig, uint32_t link)
{
    rig->up[link] = true;
    session_link_up (rig->session, link, rig->now);
    rig_drain (rig);
}

void rig_down (struct rig *rig, uint32_t link)
{
    rig->up[link] = false;
    session_link_down (rig->session, link, COHORT_ECONNECT, rig->now);
    rig_drain (rig);
}

void rig_submit (struct rig *rig, enum wire_kind kind, const char *path, const char *data)
{
    struct request *request = request_new (kind, "", path, data, data != NULL ? strlen (data) : 0);
    if (request == NULL) {
        rig->out_of_memory++;
        return;
    }
    session_submit (rig->session, request, rig->now);
    rig_drain (rig);
}

static void no_watch (cohort_t *self, const cohort_event_t *event, void *arg)
{
    (void) self;
    (void) event;
    (void) arg;
}

void rig_submit_watch (struct rig *rig, enum wire_kind kind, const char *path)
{
    enum wire_watch_kind watch = kind == WIRE_EXISTS ? WIRE_WATCH_EXISTS
                                 : kind == WIRE_GET  ? WIRE_WATCH_DATA
                                                     : WIRE_WATCH_CHILDREN;
    struct request *request = request_new (kind, "", path, NULL, 0);
    if (request == NULL) {
        rig->out_of_memory++;
        return;
    }
    request->watch = watch_new (watch, "", path, no_watch, NULL);
    if (request->watch == NULL) {
        rig->out_of_memory++;
        request_free (request);
        return;
    }
    session_submit (rig->session, request, rig->now);
    rig_drain (rig);
}

struct cohort_stream *rig_stream (struct rig *rig, uint64_t id, const char *path)
{
    struct cohort_stream *stream = stream_new (id, "", path);
    struct request *request = request_new (WIRE_STREAM_OPEN, "", path, NULL, 0);
    if (stream == NULL || request == NULL) {
        rig->out_of_memory++;
        request_free (request);
        if (stream != NULL) {
            stream_release (stream);
        }
        return NULL;
    }
    stream_retain (stream);
    request->stream = stream;
    session_submit (rig->session, request, rig->now);
    rig_drain (rig);
    return stream;
}

void rig_stream_close (struct rig *rig, struct cohort_stream *stream)
{
    struct request *request = request_new (WIRE_STREAM_CLOSE, "", NULL, NULL, 0);
    assert_non_null (request);
    request->stream = stream; /* the test's reference becomes the request's */
    session_submit (rig->session, request, rig->now);
    rig_drain (rig);
}

/* ---- Servers --------------------------------------------------------------------------------- */

void rig_bytes (struct rig *rig, uint32_t link, const void *bytes, size_t size)
{
    session_frame (rig->session, link, bytes, size, rig->now);
    rig_drain (rig);
}

void rig_send (struct rig *rig, uint32_t link, const Cohort__Wire__ServerFrame *frame)
{
    size_t size = cohort__wire__server_frame__get_packed_size (frame);
    /* Not through mem_alloc: a server's memory does not run out here. */
    uint8_t *bytes = malloc (size + 1);
    assert_non_null (bytes);
    cohort__wire__server_frame__pack (frame, bytes);
    session_frame (rig->session, link, bytes, size, rig->now);
    free (bytes);
    rig_drain (rig);
}

void rig_welcome (struct rig *rig, uint32_t link, uint64_t attach_no)
{
    uint8_t cluster[16];
    memset (cluster, rig->cluster, sizeof (cluster));
    Cohort__Wire__Welcome welcome = COHORT__WIRE__WELCOME__INIT;
    welcome.version = 1;
    welcome.cluster_id = (ProtobufCBinaryData){sizeof (cluster), cluster};
    welcome.session_id = 55;
    welcome.timeout_ms = rig->timeout_ms;
    welcome.grace_ms = rig->grace_ms;
    welcome.last_number = rig->last_number;
    welcome.server_id = 1;
    welcome.window = rig->window;
    welcome.silence_ms = rig->silence_ms;
    welcome.credit_bytes = rig->credit;
    welcome.data_size_max = 1 << 20;
    welcome.attach_no = attach_no;
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.welcome = &welcome;
    rig_send (rig, link, &frame);
}

void rig_refuse (struct rig *rig, uint32_t link, int code, const char *redirect)
{
    Cohort__Wire__Refused refused = COHORT__WIRE__REFUSED__INIT;
    refused.code = code;
    refused.text = "so";
    refused.redirect = (char *) (uintptr_t) redirect;
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.refused = &refused;
    rig_send (rig, link, &frame);
}

static void send_item (struct rig *rig, uint32_t link, Cohort__Wire__Item *item)
{
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.items = &item;
    frame.n_items = 1;
    rig_send (rig, link, &frame);
}

static void send_reply (struct rig *rig, uint32_t link, Cohort__Wire__Reply *reply)
{
    Cohort__Wire__Item item = COHORT__WIRE__ITEM__INIT;
    item.item_case = COHORT__WIRE__ITEM__ITEM_REPLY;
    item.reply = reply;
    send_item (rig, link, &item);
}

void rig_reply (struct rig *rig, uint32_t link, uint64_t xid, int code)
{
    Cohort__Wire__Stat stat = COHORT__WIRE__STAT__INIT;
    Cohort__Wire__Reply reply = COHORT__WIRE__REPLY__INIT;
    reply.xid = xid;
    reply.code = code;
    reply.zxid = rig->zxid;
    reply.stat = &stat;
    send_reply (rig, link, &reply);
}

void rig_gap (struct rig *rig, uint32_t link, uint64_t xid, uint64_t number, uint64_t expected)
{
    Cohort__Wire__Reply reply = COHORT__WIRE__REPLY__INIT;
    reply.xid = xid;
    reply.number = number;
    reply.code = COHORT_EGAP;
    reply.expected = expected;
    send_reply (rig, link, &reply);
}

void rig_confirm (struct rig *rig, uint32_t link, uint64_t beat)
{
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.confirmed = beat;
    rig_send (rig, link, &frame);
}

void rig_zxid (struct rig *rig, uint32_t link, uint64_t zxid)
{
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.zxid = zxid;
    rig_send (rig, link, &frame);
}

void rig_hold (struct rig *rig, uint32_t link, const char *reason)
{
    Cohort__Wire__Held held = COHORT__WIRE__HELD__INIT;
    held.reason = (char *) (uintptr_t) reason;
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.held = &held;
    rig_send (rig, link, &frame);
}

void rig_event (struct rig *rig, uint32_t link, int type, int kind, const char *path)
{
    Cohort__Wire__WatchEvent event = COHORT__WIRE__WATCH_EVENT__INIT;
    event.type = (uint32_t) type;
    event.kind = (Cohort__Wire__WatchKind) kind;
    event.path = (char *) (uintptr_t) path;
    event.zxid = rig->zxid;
    Cohort__Wire__Item item = COHORT__WIRE__ITEM__INIT;
    item.item_case = COHORT__WIRE__ITEM__ITEM_EVENT;
    item.event = &event;
    send_item (rig, link, &item);
}

void rig_batch (struct rig *rig, uint32_t link, uint64_t stream, uint64_t zxid, const char *flags,
                const char *path, const char *data)
{
    bool snapshot = strchr (flags, 's') != NULL;
    Cohort__Wire__Stat stat = COHORT__WIRE__STAT__INIT;
    Cohort__Wire__Change change = COHORT__WIRE__CHANGE__INIT;
    Cohort__Wire__Change *changes[] = {&change};
    change.kind = strchr (flags, 'c') != NULL   ? COHORT_CHANGE_CREATED
                  : strchr (flags, 'd') != NULL ? COHORT_CHANGE_DELETED
                  : snapshot                    ? WIRE_CHANGE_FOUND
                                                : COHORT_CHANGE_DATA;
    change.stat = &stat;
    if (path != NULL) {
        change.path = (char *) (uintptr_t) path;
        change.data = (ProtobufCBinaryData){strlen (data), (uint8_t *) (uintptr_t) data};
    }
    Cohort__Wire__StreamBatch batch = COHORT__WIRE__STREAM_BATCH__INIT;
    batch.stream_id = stream;
    batch.zxid = zxid;
    batch.snapshot = snapshot;
    batch.sent = strchr (flags, 't') != NULL ? rig->sent += 100 : 0;
    batch.first = strchr (flags, 'f') != NULL;
    batch.more = strchr (flags, 'm') != NULL;
    batch.n_changes = path != NULL ? 1 : 0;
    batch.changes = changes;
    Cohort__Wire__Item item = COHORT__WIRE__ITEM__INIT;
    item.item_case = COHORT__WIRE__ITEM__ITEM_BATCH;
    item.batch = &batch;
    send_item (rig, link, &item);
}

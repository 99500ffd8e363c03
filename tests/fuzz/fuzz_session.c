/* A client's session machine, fed with frames in any order - such as a server makes, and any bytes
 * - while its application asks for things and connections come and go. Each request is answered
 * once, and what the machine sends is what a server can read.
 *
 * Input: steps, one behind the other; see step. */

#include <string.h>

#include "client/src/event.h"
#include "client/src/requests.h"
#include "client/src/session.h"
#include "client/src/streams.h"
#include "client/src/watches.h"
#include "server/node/wire_client.h"
#include "tests/fuzz/fuzz.h"

enum { STEPS_MAX = 400, LINKS_MAX = 64, TIME_MAX = 2000 };

struct run {
    struct reader input;
    struct session *session;
    int64_t now_ms;
    uint32_t link; /* the newest that was asked for; 0: none */
    uint64_t asked, answered, streams;
    bool closing;
    struct buf frame;
};

/* ---- What the machine says ------------------------------------------------------------------- */

static void take_events (struct run *self)
{
    struct list events;
    struct list_node *node;
    list_init (&events);
    session_take_events (self->session, &events);
    while ((node = list_pop_front (&events)) != NULL) {
        struct event *event = list_entry (node, struct event, node);
        if (event->kind == EVENT_RESULT) {
            self->answered++;
            COHORT_ASSERT (self->answered <= self->asked);
        } else if (event->kind == EVENT_BATCH) {
            bool more = true;
            while (more) {
                cohort_batch_t batch;
                cohort_change_t *changes;
                more = batch_event_next (container_of (event, struct batch_event, event), &batch,
                                         &changes);
            }
        }
        event_free (event);
    }
}

static void take_output (struct run *self)
{
    struct session_command command;
    struct session_identity identity;
    while (session_next_command (self->session, &command)) {
        if (command.kind == SESSION_CONNECT) {
            self->link = command.link;
        }
    }
    (void) session_take_identity (self->session, &identity);
    for (int i = 0; i < 4 && self->link != 0; i++) {
        struct arena arena;
        buf_clear (&self->frame);
        if (!session_next_frame (self->session, self->link, &self->frame, self->now_ms)) {
            break;
        }
        arena_init (&arena, 4096, 0);
        COHORT_ASSERT (wire_client_decode (&arena, self->frame.data, self->frame.size) != NULL);
        arena_deinit (&arena);
    }
    take_events (self);
}

/* ---- What its application wants -------------------------------------------------------------- */

static const char *some_path (struct run *self)
{
    static const char *const paths[] = {"/", "/a", "/a/b", "/n-"};
    return paths[fuzz_below (&self->input, 4)];
}

static void submit (struct run *self)
{
    static const enum wire_kind kinds[] = {WIRE_CREATE, WIRE_SET,        WIRE_DELETE, WIRE_ADD,
                                           WIRE_GET,    WIRE_EXISTS,     WIRE_SYNC,   WIRE_CHILDREN,
                                           WIRE_MULTI,  WIRE_DELETE_TREE};
    enum wire_kind kind = kinds[fuzz_below (&self->input, 10)];
    const char *path = some_path (self);
    struct wire_op ops[] = {{.kind = WIRE_SET, .path = path, .version = -1},
                            {.kind = WIRE_CHECK_ABSENT, .path = "/x"}};
    struct request *request = kind == WIRE_MULTI ? request_new_multi (WIRE_MULTI, "", ops, 2)
                                                 : request_new (kind, "", path, "x", 1);
    COHORT_ASSERT (request != NULL);
    if ((kind == WIRE_GET || kind == WIRE_EXISTS) && fuzz_one_in (&self->input, 2)) {
        request->watch = watch_new (kind == WIRE_GET ? WIRE_WATCH_DATA : WIRE_WATCH_EXISTS, "",
                                    path, NULL, NULL);
        COHORT_ASSERT (request->watch != NULL);
    }
    self->asked++;
    session_submit (self->session, request, self->now_ms);
}

static void follow (struct run *self)
{
    const char *path = some_path (self);
    struct cohort_stream *stream = stream_new (++self->streams, "", path);
    struct request *open = request_new (WIRE_STREAM_OPEN, "", path, NULL, 0);
    COHORT_ASSERT (stream != NULL && open != NULL);
    stream->flags = open->wire.op.flags = fuzz_below (&self->input, 4);
    open->stream = stream; /* its only reference */
    self->asked++;
    session_submit (self->session, open, self->now_ms);
}

/* ---- What a server says ---------------------------------------------------------------------- */

static void put_stat (struct run *self, cohort_stat_t *stat)
{
    *stat = (cohort_stat_t){.czxid = fuzz_number (&self->input),
                            .version = (int32_t) fuzz_below (&self->input, 5)};
}

static void put_welcome (struct run *self)
{
    static const uint8_t cluster[WIRE_CLIENT_ID_SIZE] = {1};
    struct entry_limits limits = {.data_size_max = 1 << 20, .path_size_max = 4096, .window = 16};
    struct wire_client_welcome welcome = {
        .cluster_id = cluster,
        .session = 1 + fuzz_below (&self->input, 2),
        .timeout_ms = 1 + fuzz_below (&self->input, 5000),
        .grace_ms = 1 + fuzz_below (&self->input, 5000),
        .last_number = fuzz_below (&self->input, 4),
        .server = 1,
        .attach_no = 1 + fuzz_below (&self->input, 4),
        .credit_bytes = fuzz_number (&self->input),
        .limits = &limits,
    };
    wire_client_welcome (&self->frame, &welcome);
}

static void put_reply (struct run *self)
{
    cohort_stat_t stat;
    struct wire_client_reply reply = {
        .xid = 1 + fuzz_below (&self->input, 40),
        .number = fuzz_below (&self->input, 40),
        .code = fuzz_one_in (&self->input, 3) ? -(int) fuzz_below (&self->input, 220) : 0,
        .zxid = fuzz_number (&self->input),
    };
    reply.expected = reply.code == COHORT_EGAP ? fuzz_below (&self->input, 40) : 0;
    struct wire_mark mark = wire_client_reply_begin (&self->frame, &reply, 64);
    if (fuzz_one_in (&self->input, 2)) {
        put_stat (self, &stat);
        wire_client_reply_stat (&self->frame, &stat);
        wire_client_reply_data (&self->frame, (const uint8_t *) "data", 4);
        wire_client_reply_name (&self->frame, "name", 4);
    }
    wire_client_item_end (&self->frame, mark);
}

static enum wire_shown some_shown (struct run *self)
{
    return (enum wire_shown) fuzz_below (&self->input, WIRE_HIDDEN + 1);
}

static void put_batch (struct run *self)
{
    cohort_stat_t stat;
    struct wire_client_batch batch = {
        .stream = 1 + fuzz_below (&self->input, 4),
        .zxid = fuzz_number (&self->input),
        .snapshot = fuzz_one_in (&self->input, 2),
        .first = fuzz_one_in (&self->input, 2),
        .reset = fuzz_one_in (&self->input, 4),
    };
    struct wire_mark mark = wire_client_batch_begin (&self->frame, &batch);
    for (uint32_t i = fuzz_below (&self->input, 4); i > 0; i--) {
        const char *path = some_path (self);
        put_stat (self, &stat);
        if (fuzz_one_in (&self->input, 2)) {
            struct tree_node node = {.path = path, .stat = stat};
            wire_client_found (&self->frame, &node, some_shown (self));
        } else {
            static const enum effect_kind kinds[] = {EFFECT_CREATED, EFFECT_DELETED, EFFECT_DATA,
                                                     EFFECT_ACL};
            struct effect effect = {.kind = kinds[fuzz_below (&self->input, 4)],
                                    .path = path,
                                    .path_size = (uint32_t) strlen (path),
                                    .data = (const uint8_t *) "y",
                                    .data_size = 1,
                                    .stat = stat};
            wire_client_change (&self->frame, &effect, some_shown (self));
        }
    }
    wire_client_batch_end (&self->frame, mark, fuzz_one_in (&self->input, 2),
                           fuzz_below (&self->input, 1000));
}

static void put_part (struct run *self)
{
    const char *path;
    switch (fuzz_below (&self->input, 8)) {
    case 0:
        put_welcome (self);
        break;
    case 1:
        if (fuzz_one_in (&self->input, 4)) {
            wire_client_refused (&self->frame, -1 - (int) fuzz_below (&self->input, 220), "no");
        }
        break;
    case 2:
        wire_client_held (&self->frame, fuzz_one_in (&self->input, 2) ? "" : "no quorum");
        break;
    case 3:
        wire_client_seen (&self->frame, fuzz_number (&self->input), fuzz_below (&self->input, 9));
        break;
    case 4:
        path = some_path (self);
        wire_client_event (&self->frame, (enum watch_kind) (1 + fuzz_below (&self->input, 3)),
                           1 + (int) fuzz_below (&self->input, 4), path, strlen (path),
                           fuzz_number (&self->input));
        break;
    case 5:
        put_batch (self);
        break;
    default:
        put_reply (self);
        break;
    }
}

static void receive (struct run *self)
{
    buf_clear (&self->frame);
    if (fuzz_one_in (&self->input, 10)) {
        size_t size;
        const uint8_t *bytes = fuzz_bytes (&self->input, 200, &size);
        buf_append (&self->frame, bytes, size);
    } else {
        for (uint32_t i = 1 + fuzz_below (&self->input, 3); i > 0; i--) {
            put_part (self);
        }
    }
    uint32_t link = fuzz_one_in (&self->input, 10) ? fuzz_below (&self->input, 8) : self->link;
    session_frame (self->session, link, self->frame.data, self->frame.size, self->now_ms);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static void renew (struct run *self)
{
    struct session_view view;
    struct session_random random = {.seed = fuzz_number (&self->input)};
    session_view (self->session, &view);
    if (view.state == COHORT_LOST && !self->closing) {
        take_events (self);
        COHORT_ASSERT (session_renew (self->session, &random, self->now_ms) == 0);
    }
}

static void step (struct run *self)
{
    switch (fuzz_below (&self->input, 12)) {
    case 0:
    case 1:
        submit (self);
        break;
    case 2:
        follow (self);
        break;
    case 3:
        session_link_up (self->session, self->link, self->now_ms);
        break;
    case 4:
        session_link_down (self->session, self->link, COHORT_ECONNECT, self->now_ms);
        break;
    case 5:
        self->now_ms += fuzz_below (&self->input, TIME_MAX);
        session_tick (self->session, self->now_ms);
        break;
    case 6:
        renew (self);
        break;
    case 7:
        if (fuzz_one_in (&self->input, 20)) {
            self->closing = true;
            session_close (self->session, fuzz_one_in (&self->input, 2), self->now_ms);
        }
        break;
    default:
        receive (self);
        break;
    }
    take_output (self);
}

static void one (const uint8_t *data, size_t size)
{
    struct run self = {.now_ms = 1000};
    struct hosts hosts;
    char text[128];
    COHORT_ASSERT (hosts_parse (&hosts, "tcp://a:1,tcp://b:2", text, sizeof (text)) == 0);
    struct session_options options = {.hosts = &hosts,
                                      .timeout_ms = 5000,
                                      .grace_ms = 1000,
                                      .connect_timeout_ms = 500,
                                      .stream_bytes_max = 1 << 20,
                                      .random = {.seed = 1}};
    self.session = session_new (&options);
    COHORT_ASSERT (self.session != NULL);
    reader_init (&self.input, data, size);
    session_tick (self.session, self.now_ms);
    take_output (&self);
    for (int i = 0; i < STEPS_MAX && reader_left (&self.input) > 0; i++) {
        step (&self);
    }
    if (!session_closed (self.session)) {
        session_close (self.session, false, self.now_ms);
    }
    take_events (&self);
    COHORT_ASSERT (self.answered == self.asked);
    session_free (&self.session);
    hosts_deinit (&hosts);
    buf_deinit (&self.frame);
}

static void seeds (fuzz_seed_fn *add, void *arg)
{
    /* Is connected, welcomed, asks, and is answered. */
    static const uint8_t asks[] = {3, 8, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 5, 0, 0, 0, 1, 8, 0, 6, 0,
                                   1, 0, 0, 9, 1, 2, 1, 0, 8, 0, 5, 0, 9, 1, 1, 1, 0, 0, 0, 0, 0};
    uint8_t many[1500];
    for (size_t i = 0; i < sizeof (many); i++) {
        many[i] = (uint8_t) (i * 29 + i / 7);
    }
    add (arg, "asks", asks, sizeof (asks));
    add (arg, "many", many, sizeof (many));
}

const struct fuzz_target fuzz_target = {
    .name = "session",
    .size_max = 4096,
    .one = one,
    .seeds = seeds,
};

/* A server's door for clients: sessions that begin, move, resume and lie, requests in and out of
 * order, watches and streams, connections that end and pipes that are full, while the log goes on
 * and leaders come and go. Whatever is said there, what the server answers is what a client can
 * read, and the state stays sound.
 *
 * Input: steps, one behind the other; see step. */

#include <string.h>

#include "client/src/wire.h"
#include "server/node/clients.h"
#include "tests/fuzz/fuzz.h"

enum { STEPS_MAX = 300, CONNECTIONS = 5, SESSIONS = 4, TIME_MAX = 2000, CHECK_EVERY = 32 };

struct entry_bytes {
    uint8_t *data;
    size_t size;
};

struct run {
    struct reader input;
    struct tree *tree;
    struct clients *clients;
    zxid_t zxid;
    int64_t now_ms;
    struct buf waiting; /* u32 size and bytes of each entry that was submitted */
    bool leader, full;
    uint64_t token;
    uint64_t xids[CONNECTIONS];
    uint64_t numbers[CONNECTIONS];
    struct buf frame;
    struct arena scratch;
};

/* ---- What the door needs --------------------------------------------------------------------- */

static void on_submit (void *arg, const uint8_t *entry, size_t size)
{
    struct run *self = arg;
    buf_blob (&self->waiting, entry, size);
}

static void on_heartbeat (void *arg, uint64_t session, uint64_t attach_no, uint64_t seq)
{
    (void) arg;
    (void) session;
    (void) attach_no;
    (void) seq;
}

static void on_disconnected (void *arg, uint64_t session, uint64_t attach_no)
{
    (void) arg;
    COHORT_ASSERT (session != 0);
    COHORT_ASSERT (attach_no != 0);
}

static void on_sync (void *arg, uint64_t token)
{
    struct run *self = arg;
    COHORT_ASSERT (token > self->token);
    self->token = token;
}

static bool on_send (void *arg, uint64_t connection, const uint8_t *data, size_t size)
{
    struct run *self = arg;
    struct wire_frame *frame = NULL;
    COHORT_ASSERT (connection >= 1 && connection <= CONNECTIONS);
    if (self->full) {
        return false;
    }
    COHORT_ASSERT (wire_decode (data, size, &frame) == 0);
    wire_frame_release (frame);
    return true;
}

static void on_drop (void *arg, uint64_t connection)
{
    struct run *self = arg;
    COHORT_ASSERT (connection >= 1 && connection <= CONNECTIONS);
    self->xids[connection - 1] = self->numbers[connection - 1] = 0;
}

static void on_status (void *arg, struct node_status *status)
{
    (void) arg;
    *status = (struct node_status){.id = 1};
}

/* ---- What clients say ------------------------------------------------------------------------ */

static const char *some_path (struct run *self)
{
    static const char *const paths[] = {"/", "/a", "/a/b", "/a/n-", "/b", "bad", "/c", "/a/b/c"};
    return paths[fuzz_below (&self->input, 8)];
}

static void say (struct run *self, uint64_t connection)
{
    clients_frame (self->clients, connection, self->frame.data, self->frame.size);
    buf_clear (&self->frame);
    arena_reset (&self->scratch);
}

static void say_hello (struct run *self, uint64_t connection)
{
    struct wire_hello hello = {
        .session_id = fuzz_one_in (&self->input, 2) ? fuzz_below (&self->input, SESSIONS + 1) : 0,
        .timeout_ms = (uint32_t) fuzz_number (&self->input),
        .grace_ms = (uint32_t) fuzz_number (&self->input),
        .attach_no = 1 + fuzz_below (&self->input, 4),
        .incarnation = 1 + fuzz_one_in (&self->input, 8),
        .last_zxid = fuzz_one_in (&self->input, 4) ? fuzz_number (&self->input) : 0,
        .next_number = fuzz_below (&self->input, 4),
    };
    hello.nonce[0] = (uint8_t) fuzz_below (&self->input, SESSIONS);
    hello.password[0] = fuzz_one_in (&self->input, 10) ? 1 : 0;
    self->xids[connection - 1] = self->numbers[connection - 1] = 0;
    COHORT_ASSERT (wire_put_hello (&self->frame, &self->scratch, &hello) == 0);
    say (self, connection);
}

enum op_place { OP_ALONE, OP_IN_MULTI, OP_IN_READS };

static enum wire_kind some_kind (struct run *self, enum op_place place)
{
    static const enum wire_kind alone[] = {
        WIRE_CREATE,      WIRE_CREATE,      WIRE_SET,          WIRE_DELETE,  WIRE_ADD,
        WIRE_DELETE_TREE, WIRE_GET,         WIRE_GET,          WIRE_EXISTS,  WIRE_CHILDREN,
        WIRE_COUNT,       WIRE_EPHEMERALS,  WIRE_SYNC,         WIRE_WHOAMI,  WIRE_UNWATCH,
        WIRE_STREAM_OPEN, WIRE_STREAM_OPEN, WIRE_STREAM_CLOSE, WIRE_CLOSE,   WIRE_SET_ACL,
        WIRE_SET_ACL,     WIRE_ADD_AUTH,    WIRE_SET_ADMINS,   WIRE_GET_ACL, WIRE_GET_ADMINS,
        WIRE_SESSIONS};
    static const enum wire_kind in_multi[] = {WIRE_CREATE,      WIRE_CREATE,       WIRE_SET,
                                              WIRE_DELETE,      WIRE_ADD,          WIRE_DELETE_TREE,
                                              WIRE_CHECK,       WIRE_CHECK_ABSENT, WIRE_CHECK_CZXID,
                                              WIRE_CHECK_OWNER, WIRE_SET_ACL};
    static const enum wire_kind in_reads[] = {WIRE_GET, WIRE_EXISTS, WIRE_CHILDREN, WIRE_COUNT};
    switch (place) {
    case OP_IN_MULTI:
        return in_multi[fuzz_below (&self->input, sizeof (in_multi) / sizeof (in_multi[0]))];
    case OP_IN_READS:
        return in_reads[fuzz_below (&self->input, sizeof (in_reads) / sizeof (in_reads[0]))];
    default:
        return alone[fuzz_below (&self->input, sizeof (alone) / sizeof (alone[0]))];
    }
}

static const char *some_acl (struct run *self)
{
    static const char *const lists[] = {NULL,
                                        NULL,
                                        "world:anyone:cdrwa",
                                        "auth::cdrwa",
                                        "digest:anna:4gG+Ivk4HCXTtnTJ2FJDM3NOXe8=:cdrwa",
                                        "ip:0.0.0.0/0:r\nauth::a",
                                        "world:anyone:a\ndigest:a:b:r",
                                        "x509:CN=anna:r"};
    return lists[fuzz_below (&self->input, 8)];
}

static void put_op (struct run *self, struct wire_op *op, enum op_place place)
{
    static const struct wire_list all = {.prefix = "", .after = ""};
    enum wire_kind kind = some_kind (self, place);
    if (kind == WIRE_CLOSE && !fuzz_one_in (&self->input, 8)) {
        kind = WIRE_GET;
    }
    *op = (struct wire_op){
        .kind = kind,
        .path = some_path (self),
        .data = "data",
        .size = fuzz_below (&self->input, 5),
        .mode = fuzz_below (&self->input, 8),
        .if_absent = fuzz_one_in (&self->input, 4),
        .ttl_ms = fuzz_one_in (&self->input, 4) ? fuzz_number (&self->input) : 0,
        .version = (int32_t) fuzz_below (&self->input, 4) - 2,
        .limit = fuzz_below (&self->input, 4),
        .delta = (int64_t) fuzz_number (&self->input),
        .floor = INT64_MIN,
        .ceiling = INT64_MAX,
        .zxid = fuzz_one_in (&self->input, 2) ? 0 : fuzz_number (&self->input),
        .session = fuzz_below (&self->input, SESSIONS + 1),
        .stream_id = fuzz_below (&self->input, 4),
        .flags = fuzz_below (&self->input, 9),
        .watch = fuzz_one_in (&self->input, 2),
        .linearizable = fuzz_one_in (&self->input, 4),
        .watcher = (int) fuzz_below (&self->input, 6),
        .check = fuzz_one_in (&self->input, 2),
        .acl = some_acl (self),
        .inherited = fuzz_one_in (&self->input, 4),
        .scheme = fuzz_one_in (&self->input, 4) ? "digest" : "digest-sha1",
        .user = fuzz_one_in (&self->input, 4) ? "b:d" : "anna",
        .list = kind == WIRE_EPHEMERALS || fuzz_one_in (&self->input, 2) ? &all : NULL,
    };
}

/* Mostly what comes next; but not always. */
static uint64_t next_of (struct run *self, uint64_t *last)
{
    return fuzz_one_in (&self->input, 12) ? fuzz_number (&self->input) | 1 : ++*last;
}

static void say_requests (struct run *self, uint64_t connection)
{
    struct wire_op ops[3][3];
    struct wire_request requests[3] = {{0}};
    const struct wire_request *list[3];
    struct wire_taken taken = {fuzz_below (&self->input, 4), fuzz_number (&self->input)};
    size_t count = 1 + fuzz_below (&self->input, 3);
    for (size_t i = 0; i < count; i++) {
        struct wire_request *request = &requests[i];
        put_op (self, &request->op, OP_ALONE);
        if (fuzz_one_in (&self->input, 6)) {
            bool reads = fuzz_one_in (&self->input, 2);
            for (size_t j = 0; j < 3; j++) {
                put_op (self, &ops[i][j], reads ? OP_IN_READS : OP_IN_MULTI);
            }
            request->op = (struct wire_op){.kind = reads ? WIRE_MULTI_READ : WIRE_MULTI};
            request->ops = ops[i];
            request->ops_count = fuzz_below (&self->input, 4);
        }
        request->xid = next_of (self, &self->xids[connection - 1]);
        request->number =
            wire_is_write (request->op.kind) ? next_of (self, &self->numbers[connection - 1]) : 0;
        request->ack_to = fuzz_below (&self->input, 8);
        list[i] = request;
    }
    struct wire_words words = {
        fuzz_below (&self->input, 9), &taken, fuzz_one_in (&self->input, 4), list, count,
        fuzz_one_in (&self->input, 8)};
    if (wire_put_words (&self->frame, &self->scratch, &words) == 0) {
        say (self, connection);
    }
    buf_clear (&self->frame);
    arena_reset (&self->scratch);
}

static void say_rearm (struct run *self, uint64_t connection)
{
    struct wire_watch watch = {(enum wire_watch_kind) (1 + fuzz_below (&self->input, 3)),
                               some_path (self)};
    struct wire_stream stream = {fuzz_below (&self->input, 4), fuzz_number (&self->input),
                                 some_path (self), fuzz_below (&self->input, 9)};
    struct wire_rearm rearm = {.last_zxid = fuzz_number (&self->input),
                               .watches = &watch,
                               .watch_count = fuzz_below (&self->input, 2),
                               .streams = &stream,
                               .stream_count = fuzz_below (&self->input, 2)};
    COHORT_ASSERT (wire_put_rearm (&self->frame, &self->scratch, &rearm) == 0);
    say (self, connection);
}

static void say_anything (struct run *self, uint64_t connection)
{
    size_t size;
    const uint8_t *bytes = fuzz_bytes (&self->input, 200, &size);
    clients_frame (self->clients, connection, bytes, size);
}

/* ---- The log, and the leader ----------------------------------------------------------------- */

static void apply (struct run *self, const uint8_t *data, size_t size)
{
    struct tree_outcome outcome;
    COHORT_ASSERT (tree_apply (self->tree, ++self->zxid, self->now_ms, data, size, &outcome));
    (void) clients_applied (self->clients, self->zxid, &outcome);
}

/* What waits; what is submitted on the way waits for the next time. */
static void commit (struct run *self)
{
    struct buf waiting = self->waiting;
    struct reader entries;
    self->waiting = (struct buf){0};
    reader_init (&entries, waiting.data, waiting.size);
    while (reader_left (&entries) > 0) {
        size_t size;
        const uint8_t *data = reader_blob (&entries, &size);
        COHORT_ASSERT (data != NULL);
        apply (self, data, size);
    }
    buf_deinit (&waiting);
}

static void set_leader (struct run *self, bool leader)
{
    if (leader != self->leader) {
        self->leader = leader;
        buf_clear (&self->waiting);
        clients_leader (self->clients, leader);
    }
}

static void end_session (struct run *self)
{
    struct tree_session session = {0};
    struct entry entry = {.kind = ENTRY_CLOSE};
    if (!tree_session (self->tree, fuzz_below (&self->input, SESSIONS + 1), &session)) {
        return;
    }
    entry.u.close = (struct entry_close){
        .session = session.id, .attach_no = session.attach_no, .reason = ENTRY_EXPIRED};
    buf_clear (&self->frame);
    entry_encode (&self->frame, &entry);
    apply (self, self->frame.data, self->frame.size);
    buf_clear (&self->frame);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static void happen (struct run *self)
{
    switch (fuzz_below (&self->input, 8)) {
    case 0:
        self->now_ms += fuzz_below (&self->input, TIME_MAX);
        clients_time (self->clients, self->now_ms);
        break;
    case 1:
        set_leader (self, fuzz_one_in (&self->input, 2) || !self->leader);
        break;
    case 2:
        clients_held (self->clients, fuzz_one_in (&self->input, 2) ? CLIENTS_NO_QUORUM : NULL);
        break;
    case 3:
        if (self->token > 0) {
            clients_synced (self->clients, self->token, self->zxid);
        }
        break;
    case 4:
        clients_confirmed (self->clients, fuzz_below (&self->input, SESSIONS + 1),
                           fuzz_below (&self->input, 5), fuzz_below (&self->input, 9));
        break;
    case 5:
        end_session (self);
        break;
    case 6:
        self->full = fuzz_one_in (&self->input, 4);
        break;
    default:
        clients_quarantine (self->clients, fuzz_one_in (&self->input, 8) ? "doubt" : NULL);
        break;
    }
}

static void step (struct run *self)
{
    uint64_t connection = 1 + fuzz_below (&self->input, CONNECTIONS);
    switch (fuzz_below (&self->input, 12)) {
    case 0:
    case 1:
        say_hello (self, connection);
        break;
    case 2:
        say_rearm (self, connection);
        break;
    case 3:
        say_anything (self, connection);
        break;
    case 4:
        clients_closed (self->clients, connection);
        break;
    case 5:
    case 6:
        happen (self);
        break;
    case 7:
        commit (self);
        break;
    default:
        say_requests (self, connection);
        break;
    }
    if (fuzz_one_in (&self->input, 2)) {
        for (int i = 0; i < 8 && clients_flush (self->clients); i++) {
        }
    }
    COHORT_ASSERT (!self->waiting.failed);
}

static void begin (struct run *self)
{
    static const struct node_member member = {.id = 1, .role = CONFIG_VOTER};
    struct tree_options tree = {.effects_bytes_max = 4096};
    struct entry entry = {.kind = ENTRY_CLUSTER};
    struct entry_cluster *cluster = &entry.u.cluster;
    self->tree = tree_new (&tree);
    COHORT_ASSERT (self->tree != NULL);
    cluster->config.count = 1;
    cluster->config.members[0] = (struct config_member){1, CONFIG_VOTER, 1};
    cluster->limits = (struct entry_limits){.data_size_max = 100,
                                            .path_size_max = 100,
                                            .window = 4,
                                            .results_size_max = 2000,
                                            .timeout_min_ms = 100,
                                            .timeout_max_ms = 10000,
                                            .grace_min_ms = 10};
    struct clients_options options = {
        .id = 1,
        .host = {self, on_submit, on_heartbeat, on_disconnected, on_sync},
        .transport = {.arg = self, .client_send = on_send, .client_drop = on_drop},
        .tree = self->tree,
        .pending_bytes_max = 4096,
        .output_bytes_max = 4096,
        .walk_nodes = 2,
        .walk_window = 200,
        .status = on_status,
        .members = &member,
        .members_count = 1,
    };
    self->clients = clients_new (&options);
    COHORT_ASSERT (self->clients != NULL);
    clients_time (self->clients, self->now_ms);
    entry_encode (&self->frame, &entry);
    apply (self, self->frame.data, self->frame.size);
    buf_clear (&self->frame);
    set_leader (self, true);
}

static void one (const uint8_t *data, size_t size)
{
    struct run self = {.now_ms = 1000, .zxid = 100};
    reader_init (&self.input, data, size);
    arena_init (&self.scratch, 4096, 0);
    begin (&self);
    for (int i = 0; i < STEPS_MAX && reader_left (&self.input) > 0; i++) {
        step (&self);
        if (i % CHECK_EVERY == 0) {
            tree_check (self.tree);
        }
    }
    tree_check (self.tree);
    clients_destroy (&self.clients);
    tree_destroy (&self.tree);
    arena_deinit (&self.scratch);
    buf_deinit (&self.frame);
    buf_deinit (&self.waiting);
}

static void seeds (fuzz_seed_fn *add, void *arg)
{
    /* Greets, is committed, asks, is committed. */
    static const uint8_t asks[] = {0, 0, 0, 9, 9, 0, 0, 0, 0, 0, 1, 0, 7, 1, 0, 9, 0, 0, 1, 1,
                                   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 7, 1, 0, 9};
    uint8_t many[2000];
    for (size_t i = 0; i < sizeof (many); i++) {
        many[i] = (uint8_t) (i * 41 + i / 13);
    }
    add (arg, "asks", asks, sizeof (asks));
    add (arg, "many", many, sizeof (many));
}

const struct fuzz_target fuzz_target = {
    .name = "door",
    .size_max = 4096,
    .one = one,
    .seeds = seeds,
};

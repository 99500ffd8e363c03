/* A session of a real client, of which everything is recorded. */

#include "tests/cluster/observed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/cluster/observed_rights.h"

enum { VALID_STEP_MS = 10 };

/* A call without an answer. */
struct call {
    struct list_node node;
    struct observed *owner;
    uint32_t number; /* of the client that has made it */
    uint64_t id;
    bool multi;
    size_t count;
    enum history_op_kind kinds[OBSERVED_OPS_MAX];
    struct armed *armed; /* the watch that is set with it; NULL: none */
    struct purpose purpose;
    char who[OBSERVED_WHO_SIZE]; /* whom it is to prove its client to be; "": nobody */
};

/* A one-shot watch. */
struct armed {
    struct list_node node;
    struct observed *owner;
    uint32_t number;
    enum history_watch_kind kind;
};

static void note (struct observed *self, struct history_event event)
{
    if (!self->crashed) {
        recorder_note (self->options.recorder, event);
    }
}

static void require (int rc, const char *what)
{
    if (rc != 0) {
        fprintf (stderr, "observed: %s: %s\n", what, cohort_error_name (rc));
        abort ();
    }
}

/* ---- Streams --------------------------------------------------------------------------------- */

static void note_batch (struct observed *self, uint64_t stream, const char *path,
                        const cohort_batch_t *batch)
{
    char (*values)[HISTORY_VALUE_SIZE] = calloc (batch->count + 1, sizeof *values);
    struct history_change *changes = calloc (batch->count + 1, sizeof *changes);
    COHORT_ASSERT (values != NULL && changes != NULL);
    for (size_t i = 0; i < batch->count; i++) {
        const cohort_change_t *change = &batch->changes[i];
        bool there = change->kind != COHORT_CHANGE_DELETED;
        changes[i] = (struct history_change){
            .kind = (enum history_change_kind) change->kind,
            .path = change->path,
            .value = there ? history_value (change->data, change->size, values[i]) : NULL,
            .stat = there ? &change->stat : NULL,
            .from = change->from,
            .hidden = change->hidden != 0,
        };
    }
    note (self, (struct history_event){.kind = HISTORY_BATCH,
                                       .client = self->number,
                                       .u.batch = {.stream = stream,
                                                   .path = path,
                                                   .snapshot = batch->snapshot != 0,
                                                   .first = batch->first != 0,
                                                   .more = batch->more != 0,
                                                   .reset = batch->reset != 0,
                                                   .zxid = batch->zxid,
                                                   .changes = changes,
                                                   .count = batch->count}});
    free (changes);
    free (values);
}

static void on_batch (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct observed *self = arg;
    (void) stream;
    if (batch != NULL && !self->lost) {
        note_batch (self, self->whole_id, "/", batch);
        self->whole = batch->more == 0;
        self->streamed = self->whole ? batch->zxid : self->streamed;
    }
}

static void open_stream (struct observed *self)
{
    self->whole_id = ++self->streams;
    self->streamed = 0;
    self->whole = false;
    self->stream = cohort_stream_new (self->client, "/", on_batch, self);
    COHORT_ASSERT (self->stream != NULL);
}

/* ---- Streams with options, persistent watches ------------------------------------------------ */

static void on_followed (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct followed *followed = arg;
    (void) stream;
    if (batch != NULL && !followed->owner->lost) {
        note_batch (followed->owner, followed->id, followed->path, batch);
    }
}

static void on_told (cohort_t *client, const cohort_event_t *event, void *arg)
{
    struct followed *followed = arg;
    struct observed *self = followed->owner;
    (void) client;
    if (event->type != COHORT_EVENT_WATCH_LOST && !self->lost) {
        note (self, (struct history_event){
                        .kind = HISTORY_TOLD,
                        .client = self->number,
                        .u.told = {followed->id, event->type, event->path, event->zxid}});
    }
}

void observed_follow (struct observed *self, size_t index, const char *path, uint32_t flags,
                      uint64_t from_zxid)
{
    struct followed *followed = &self->followed[index];
    COHORT_ASSERT (index < OBSERVED_FOLLOWED_MAX && followed->stream == NULL);
    *followed = (struct followed){.owner = self, .id = ++self->streams};
    (void) snprintf (followed->path, sizeof followed->path, "%s", path);
    bool shallow = (flags & HISTORY_STREAM_SHALLOW) != 0;
    cohort_stream_options_t options = {
        .size = sizeof options, .flags = (int) flags, .from_zxid = from_zxid};
    note (self, (struct history_event){.kind = HISTORY_OPENED,
                                       .client = self->number,
                                       .u.opened = {followed->id, path, flags, from_zxid}});
    followed->stream =
        (flags & HISTORY_STREAM_WATCH) != 0
            ? cohort_watch_new (self->client, path,
                                shallow ? COHORT_WATCH_PERSISTENT : COHORT_WATCH_RECURSIVE, on_told,
                                followed)
            : cohort_stream_new_with (self->client, path, &options, on_followed, followed);
    COHORT_ASSERT (followed->stream != NULL);
}

void observed_leave (struct observed *self, size_t index)
{
    struct followed *followed = &self->followed[index];
    if (followed->stream == NULL) {
        return;
    }
    cohort_stream_destroy (&followed->stream);
    if (!self->lost) {
        note (self, (struct history_event){
                        .kind = HISTORY_CLOSED, .client = self->number, .u.id = followed->id});
    }
}

static void leave_all (struct observed *self)
{
    cohort_stream_destroy (&self->stream);
    for (size_t i = 0; i < OBSERVED_FOLLOWED_MAX; i++) {
        cohort_stream_destroy (&self->followed[i].stream);
    }
}

/* ---- Sessions -------------------------------------------------------------------------------- */

/* Counted from before it was asked for: not more than the client believes. */
static void note_valid (struct observed *self)
{
    int64_t now_ms = recorder_now_ms (self->options.recorder);
    int64_t valid_ms = cohort_valid_ms (self->client);
    int64_t until_ms = valid_ms > 0 ? now_ms + valid_ms : 0;
    int64_t more_ms = until_ms - self->valid_until_ms;
    if (self->session != 0 && (more_ms > VALID_STEP_MS || more_ms < -VALID_STEP_MS)) {
        self->valid_until_ms = until_ms;
        note (self, (struct history_event){
                        .kind = HISTORY_VALID, .client = self->number, .u.until_ms = until_ms});
    }
}

/* As which of its processes it has the session, and with which limits: those of before, if there
 * was one before. What is in the file is in use. */
static void read_state (const struct observed *self, struct history_session *session)
{
    char line[256];
    FILE *file = fopen (self->options.state_file, "r");
    COHORT_ASSERT (file != NULL);
    while (fgets (line, sizeof line, file) != NULL) {
        (void) sscanf (line, "incarnation=%" SCNu32, &session->incarnation);
        (void) sscanf (line, "timeout_ms=%" SCNu32, &session->timeout_ms);
        (void) sscanf (line, "grace_ms=%" SCNu32, &session->grace_ms);
    }
    (void) fclose (file);
}

static void note_connected (struct observed *self)
{
    const struct observed_options *options = &self->options;
    uint64_t session = cohort_session_id (self->client);
    if (session != 0 && self->session == 0) {
        struct history_session known = {session, (uint32_t) options->timeout_ms,
                                        (uint32_t) options->grace_ms, 1};
        self->session = session;
        if (options->state_file != NULL) {
            read_state (self, &known);
        }
        note (self, (struct history_event){
                        .kind = HISTORY_SESSION, .client = self->number, .u.session = known});
    }
    note (self, (struct history_event){.kind = HISTORY_ATTACHED, .client = self->number});
}

static void on_state (cohort_t *client, cohort_state_t state, void *arg)
{
    struct observed *self = arg;
    (void) client;
    if (state == COHORT_CONNECTED && !self->lost) {
        note_connected (self);
    } else if (state == COHORT_LOST) {
        note (self, (struct history_event){.kind = HISTORY_LOST, .client = self->number});
        self->lost = true;
    }
}

static void begin (struct observed *self)
{
    self->number = recorder_new_client (self->options.recorder);
    self->session = self->asked = self->streams = self->acknowledged = 0;
    self->valid_until_ms = 0;
    self->lost = false;
    if (self->options.stream) {
        open_stream (self);
    }
}

void observed_start (struct observed *self, const struct observed_options *options)
{
    cohort_options_t client_options = {.size = sizeof client_options,
                                       .loop = options->loop,
                                       .timeout_ms = options->timeout_ms,
                                       .disconnect_grace_ms = options->grace_ms,
                                       .connect_timeout_ms = 500,
                                       .state_file = options->state_file};
    *self = (struct observed){.options = *options};
    list_init (&self->calls);
    list_init (&self->armed);
    self->client = cohort_new (options->servers, &client_options);
    COHORT_ASSERT (self->client != NULL);
    cohort_set_state_handler (self->client, on_state, self);
    begin (self);
}

/* Its process has ended: nothing is told any more. */
static void bury (struct observed *self)
{
    struct list_node *node;
    note (self, (struct history_event){.kind = HISTORY_GONE, .client = self->number});
    while ((node = list_pop_front (&self->calls)) != NULL) {
        free (list_entry (node, struct call, node));
    }
    while ((node = list_pop_front (&self->armed)) != NULL) {
        free (list_entry (node, struct armed, node));
    }
    self->outstanding = self->watches = 0;
}

void observed_abandon (struct observed *self)
{
    leave_all (self);
    self->crashed = true; /* a process that crashes is not told what its library tells this one */
    cohort_abandon (&self->client);
    self->crashed = false;
    bury (self);
}

void observed_close (struct observed *self)
{
    struct history_op op = {.kind = HISTORY_CLOSE, .path = "", .value = ""};
    leave_all (self);
    note (self, (struct history_event){
                    .kind = HISTORY_CALL,
                    .client = self->number,
                    .u.call = {.id = recorder_new_call (self->options.recorder),
                               .number = ++self->asked,
                               .ops = &op,
                               .count = 1},
                });
    cohort_destroy (&self->client);
    bury (self);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void disarm (struct armed *armed)
{
    armed->owner->watches--;
    list_remove (&armed->node);
    free (armed);
}

static void on_watch (cohort_t *client, const cohort_event_t *event, void *arg)
{
    struct armed *armed = arg;
    (void) client;
    if (event->type != COHORT_EVENT_WATCH_LOST) {
        note (armed->owner, (struct history_event){
                                .kind = HISTORY_FIRED,
                                .client = armed->number,
                                .u.fired = {armed->kind, event->type, event->path, event->zxid}});
    }
    disarm (armed);
}

static bool has_stat (enum history_op_kind kind)
{
    return kind == HISTORY_CREATE || kind == HISTORY_SET || kind == HISTORY_ADD ||
           kind == HISTORY_SET_ACL;
}

static size_t results_of (const struct call *call, const cohort_result_t *result,
                          struct history_result *ops)
{
    if (!call->multi) {
        bool created = call->kinds[0] == HISTORY_CREATE && result->rc == 0;
        ops[0] = (struct history_result){
            .code = result->rc,
            .path = created ? result->path : NULL,
            .stat = has_stat (call->kinds[0]) && result->rc == 0 ? result->stat : NULL,
            .value = result->value,
            .existed = result->existed != 0};
        return 1;
    }
    COHORT_ASSERT (result->ops_count <= call->count);
    for (size_t i = 0; i < result->ops_count; i++) {
        const cohort_op_result_t *op = &result->ops[i];
        ops[i] = (struct history_result){
            .code = op->rc,
            .path = op->path,
            .stat = op->rc == 0 && has_stat (call->kinds[i]) ? &op->stat : NULL,
            .value = op->value,
            .existed = op->existed != 0};
    }
    return result->ops_count;
}

/* Of several reads. */
static void reads_of (const struct call *call, const cohort_result_t *result,
                      struct history_result *ops, char (*values)[HISTORY_VALUE_SIZE])
{
    for (size_t i = 0; i < call->count; i++) {
        const cohort_read_result_t *read = &result->reads[i];
        ops[i] = (struct history_result){.code = read->rc};
        if (read->rc == 0) {
            bool get = call->kinds[i] == HISTORY_GET;
            ops[i].stat = &read->stat;
            ops[i].value = read->count;
            ops[i].data = get ? history_value (read->data, read->size, values[i]) : NULL;
            ops[i].children = read->children != NULL ? read->children->items : NULL;
            ops[i].children_count = read->children != NULL ? read->children->count : 0;
        }
    }
}

static void note_return (struct call *call, const cohort_result_t *result)
{
    struct history_result ops[OBSERVED_OPS_MAX];
    char values[OBSERVED_OPS_MAX][HISTORY_VALUE_SIZE], *value = values[0], *list = NULL;
    struct history_event event = {.kind = HISTORY_RETURN, .client = call->number};
    struct history_return *told = &event.u.result;
    told->id = call->id;
    told->code = result->rc;
    told->zxid = result->zxid;
    if (history_is_write (call->kinds[0])) {
        told->ops = ops;
        told->ops_count = result->zxid != 0 ? results_of (call, result, ops) : 0;
    } else if (call->multi && result->rc == 0) {
        COHORT_ASSERT (result->reads_count == call->count);
        reads_of (call, result, ops, values);
        told->ops = ops;
        told->ops_count = call->count;
    } else if (result->rc == 0) {
        told->below = call->kinds[0] == HISTORY_COUNT ? result->value : 0;
        told->stat = result->stat;
        list = call->kinds[0] == HISTORY_GET_ACL ? rights_text (result->acl) : NULL;
        told->value = call->kinds[0] == HISTORY_GET
                          ? history_value (result->data, result->size, value)
                          : list;
        told->children = result->children != NULL ? result->children->items : NULL;
        told->children_count = result->children != NULL ? result->children->count : 0;
    }
    note (call->owner, event);
    free (list);
}

/* The library proves it anew for a session of the same process, before anything else, and tells
 * nobody what comes of it. */
static void keep_proof (struct observed *self, const char *who)
{
    for (size_t i = 0; i < self->proven_count; i++) {
        if (strcmp (self->proven[i], who) == 0) {
            return;
        }
    }
    COHORT_ASSERT (self->proven_count < OBSERVED_USERS_MAX);
    (void) snprintf (self->proven[self->proven_count++], OBSERVED_WHO_SIZE, "%s", who);
}

static void note_proofs (struct observed *self)
{
    for (size_t i = 0; i < self->proven_count; i++) {
        uint64_t id = recorder_new_call (self->options.recorder);
        struct history_op op = {.kind = HISTORY_ADD_AUTH, .path = "", .value = self->proven[i]};
        note (self, (struct history_event){
                        .kind = HISTORY_CALL,
                        .client = self->number,
                        .u.call = {.id = id, .number = ++self->asked, .ops = &op, .count = 1}});
        note (self,
              (struct history_event){.kind = HISTORY_UNKNOWN, .client = self->number, .u.id = id});
    }
}

static bool sets_watch (const struct call *call, int rc)
{
    return rc == 0 || (call->kinds[0] == HISTORY_EXISTS && rc == COHORT_ENONODE);
}

static void on_result (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct call *call = arg;
    struct observed *self = call->owner;
    (void) client;
    list_remove (&call->node);
    self->outstanding--;
    if (call->armed != NULL && !sets_watch (call, result->rc)) {
        disarm (call->armed);
    }
    if (self->crashed) {
        free (call);
        return;
    }
    if (result->rc == COHORT_ESESSIONEXPIRED || result->rc == COHORT_ECLOSING) {
        note (self, (struct history_event){
                        .kind = HISTORY_UNKNOWN, .client = call->number, .u.id = call->id});
    } else {
        note_return (call, result);
        if (call->who[0] != '\0' && result->rc == 0) {
            keep_proof (self, call->who);
        }
        self->acknowledged += history_is_write (call->kinds[0]) && result->zxid != 0;
        self->options.answered (self->options.arg, self, &call->purpose, result);
    }
    free (call);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static cohort_create_options_t create_options (const struct history_op *op)
{
    return (cohort_create_options_t){.size = sizeof (cohort_create_options_t),
                                     .mode = (int) op->mode,
                                     .ttl_ms = op->ttl_ms,
                                     .if_absent = op->if_absent};
}

static cohort_read_options_t read_options (const struct history_op *op)
{
    return (cohort_read_options_t){.size = sizeof (cohort_read_options_t),
                                   .flags = op->linearizable ? COHORT_READ_LINEARIZABLE : 0};
}

static int ask_multi (struct observed *self, const struct history_op *ops, struct call *call)
{
    cohort_txn_t *txn = cohort_txn_new ();
    COHORT_ASSERT (txn != NULL);
    for (size_t i = 0; i < call->count; i++) {
        const struct history_op *op = &ops[i];
        cohort_create_options_t options = create_options (op);
        switch (op->kind) {
        case HISTORY_CREATE:
            (void) cohort_txn_create_with (txn, op->path, op->value, strlen (op->value), &options);
            break;
        case HISTORY_ADD:
            (void) cohort_txn_add (txn, op->path, op->delta, op->floor, op->ceiling);
            break;
        case HISTORY_DELETE_TREE:
            (void) cohort_txn_delete_tree (txn, op->path, (int) op->limit, op->version);
            break;
        case HISTORY_CHECK_ABSENT:
            (void) cohort_txn_check_absent (txn, op->path);
            break;
        case HISTORY_DELETE:
            (void) cohort_txn_delete (txn, op->path, op->version);
            break;
        case HISTORY_SET:
            (void) cohort_txn_set (txn, op->path, op->value, strlen (op->value), op->version);
            break;
        case HISTORY_CHECK:
            (void) cohort_txn_check (txn, op->path, op->version);
            break;
        case HISTORY_CHECK_CZXID:
            (void) cohort_txn_check_czxid (txn, op->path, op->zxid);
            break;
        default:
            COHORT_ASSERT (op->kind == HISTORY_CHECK_OWNER);
            (void) cohort_txn_check_owner (txn, op->path, op->session, op->zxid);
            break;
        }
    }
    int rc = cohort_multi_async (self->client, txn, on_result, call);
    cohort_txn_destroy (&txn);
    return rc;
}

static int ask_reads (struct observed *self, const struct history_op *ops, struct call *call)
{
    cohort_reads_t *reads = cohort_reads_new ();
    COHORT_ASSERT (reads != NULL);
    for (size_t i = 0; i < call->count; i++) {
        int rc = ops[i].kind == HISTORY_GET        ? cohort_reads_get (reads, ops[i].path)
                 : ops[i].kind == HISTORY_EXISTS   ? cohort_reads_exists (reads, ops[i].path)
                 : ops[i].kind == HISTORY_CHILDREN ? cohort_reads_children (reads, ops[i].path)
                                                   : cohort_reads_count (reads, ops[i].path);
        require (rc, "a read among several");
    }
    cohort_read_options_t options = read_options (&ops[0]);
    int rc = cohort_multi_read_async (self->client, reads, &options, on_result, call);
    cohort_reads_destroy (&reads);
    return rc;
}

static int create (cohort_t *client, const struct history_op *op, struct call *call)
{
    cohort_acl_t *acl = rights_list (op->acl);
    cohort_create_options_t options = create_options (op);
    options.acl = acl;
    int rc = cohort_create_with_async (client, op->path, op->value, strlen (op->value), &options,
                                       on_result, call);
    cohort_acl_destroy (&acl);
    return rc;
}

static int ask_one (struct observed *self, const struct history_op *op, struct call *call)
{
    cohort_t *client = self->client;
    cohort_watch_fn *watch = call->armed != NULL ? on_watch : NULL;
    cohort_read_options_t reading = read_options (op);
    cohort_ephemerals_options_t owned = {.size = sizeof owned,
                                         .prefix = op->value[0] != '\0' ? op->value : NULL,
                                         .limit = (int) op->limit};
    if (rights_concern (op->kind)) {
        return rights_ask (client, op, on_result, call);
    }
    switch (op->kind) {
    case HISTORY_CREATE:
        return create (client, op, call);
    case HISTORY_ADD:
        return cohort_add_async (client, op->path, op->delta, op->floor, op->ceiling, on_result,
                                 call);
    case HISTORY_DELETE_TREE:
        return cohort_delete_tree_async (client, op->path, (int) op->limit, op->version, on_result,
                                         call);
    case HISTORY_DELETE:
        return cohort_delete_async (client, op->path, op->version, on_result, call);
    case HISTORY_SET:
        return cohort_set_async (client, op->path, op->value, strlen (op->value), op->version,
                                 on_result, call);
    case HISTORY_EXISTS:
        return cohort_exists_with_async (client, op->path, &reading, watch, call->armed, on_result,
                                         call);
    case HISTORY_GET:
        return cohort_get_with_async (client, op->path, &reading, watch, call->armed, on_result,
                                      call);
    case HISTORY_COUNT:
        return cohort_count_async (client, op->path, &reading, on_result, call);
    case HISTORY_EPHEMERALS:
        return cohort_ephemerals_async (client, &owned, on_result, call);
    case HISTORY_CHILDREN:
        return cohort_children_async (client, op->path, watch, call->armed, on_result, call);
    default:
        COHORT_ASSERT (op->kind == HISTORY_SYNC);
        return cohort_sync_async (client, on_result, call);
    }
}

static struct armed *arm (struct observed *self, enum history_op_kind kind)
{
    struct armed *armed = calloc (1, sizeof *armed);
    COHORT_ASSERT (armed != NULL);
    armed->owner = self;
    armed->number = self->number;
    armed->kind = kind == HISTORY_GET      ? HISTORY_WATCH_DATA
                  : kind == HISTORY_EXISTS ? HISTORY_WATCH_EXISTS
                                           : HISTORY_WATCH_CHILDREN;
    list_push_back (&self->armed, &armed->node);
    self->watches++;
    return armed;
}

void observed_ask (struct observed *self, bool multi, const struct history_op *ops, size_t count,
                   const struct purpose *purpose)
{
    struct call *call = calloc (1, sizeof *call);
    bool write = history_is_write (ops[0].kind);
    COHORT_ASSERT (call != NULL);
    COHORT_ASSERT (count >= 1 && count <= OBSERVED_OPS_MAX && (multi || count == 1));
    call->owner = self;
    call->number = self->number;
    call->id = recorder_new_call (self->options.recorder);
    call->multi = multi;
    call->count = count;
    call->purpose = *purpose;
    for (size_t i = 0; i < count; i++) {
        call->kinds[i] = ops[i].kind;
    }
    (void) snprintf (call->who, sizeof call->who, "%s",
                     ops[0].kind == HISTORY_ADD_AUTH ? ops[0].value : "");
    call->armed = ops[0].watch ? arm (self, ops[0].kind) : NULL;
    list_push_back (&self->calls, &call->node);
    self->outstanding++;
    note (self, (struct history_event){.kind = HISTORY_CALL,
                                       .client = self->number,
                                       .u.call = {.id = call->id,
                                                  .number = write ? ++self->asked : 0,
                                                  .multi = multi,
                                                  .ops = ops,
                                                  .count = count}});
    int rc = !multi  ? ask_one (self, &ops[0], call)
             : write ? ask_multi (self, ops, call)
                     : ask_reads (self, ops, call);
    require (rc, "a call");
}

/* After LOST: everything of the old session has been told. */
static void renew (struct observed *self)
{
    leave_all (self);
    require (cohort_renew (self->client), "cohort_renew");
    begin (self);
    note_proofs (self);
    self->options.renewed (self->options.arg, self);
}

void observed_turn (struct observed *self)
{
    (void) cohort_dispatch (self->client, 0);
    if (self->lost) {
        renew (self);
    }
    note_valid (self);
}

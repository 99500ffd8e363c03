/* The operations: their arguments, and their asynchronous forms. May include: client, handle, libc.
 */

#include <stdatomic.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/src/acl.h"
#include "client/src/client.h"
#include "client/src/path.h"
#include "client/src/streams.h"
#include "client/src/watches.h"

_Static_assert(COHORT_STREAM_NO_SNAPSHOT == (int) WIRE_STREAM_NO_SNAPSHOT &&
                   COHORT_STREAM_NO_DATA == (int) WIRE_STREAM_NO_DATA &&
                   COHORT_STREAM_SHALLOW == (int) WIRE_STREAM_SHALLOW &&
                   COHORT_STREAM_PROGRESS == (int) WIRE_STREAM_PROGRESS &&
                   COHORT_STREAM_LATEST == (int) WIRE_STREAM_LATEST,
               "the numbers of flags are those of the wire");

const char *client_op_name (enum wire_kind kind)
{
    static const char *const names[] = {
        [WIRE_CREATE] = "create",
        [WIRE_DELETE] = "delete",
        [WIRE_SET] = "set",
        [WIRE_DELETE_TREE] = "delete_tree",
        [WIRE_ADD] = "add",
        [WIRE_CHECK_ABSENT] = "check_absent",
        [WIRE_CHECK] = "check",
        [WIRE_CHECK_CZXID] = "check_czxid",
        [WIRE_CHECK_OWNER] = "check_owner",
        [WIRE_SET_ACL] = "set_acl",
        [WIRE_MULTI] = "multi",
        [WIRE_KILL] = "session_kill",
        [WIRE_HAND_OVER] = "hand_over",
        [WIRE_ADD_AUTH] = "add_auth",
        [WIRE_SET_ADMINS] = "set_admins",
        [WIRE_CLOSE] = "close",
        [WIRE_EXISTS] = "exists",
        [WIRE_GET] = "get",
        [WIRE_CHILDREN] = "children",
        [WIRE_COUNT] = "count",
        [WIRE_EPHEMERALS] = "ephemerals",
        [WIRE_MULTI_READ] = "multi_read",
        [WIRE_WHOAMI] = "whoami",
        [WIRE_GET_ACL] = "get_acl",
        [WIRE_GET_ADMINS] = "get_admins",
        [WIRE_UNWATCH] = "unwatch",
        [WIRE_SESSIONS] = "sessions",
        [WIRE_SYNC] = "sync",
        [WIRE_STREAM_OPEN] = "stream",
        [WIRE_STREAM_CLOSE] = "stream close",
    };
    return names[kind];
}

/* ---- Arguments ------------------------------------------------------------------------------- */

/* That of the ensemble, once it is known; that of any until then. */
static size_t limit_of (_Atomic uint32_t *limit, size_t most)
{
    uint32_t known = atomic_load_explicit (limit, memory_order_relaxed);
    return known > 0 && known < most ? known : most;
}

static int check_path (cohort_t *self, const struct client_call *call)
{
    char text[MAILBOX_TEXT_SIZE];
    bool sequential = call->kind == WIRE_CREATE && (call->mode & COHORT_SEQUENTIAL) != 0;
    int rc = path_check (call->path, sequential, text, sizeof (text));
    if (rc != COHORT_OK) {
        return client_fail (self, rc, "%s: %s", client_op_name (call->kind), text);
    }
    /* Most paths are below the limit of any ensemble, and need not ask for it. */
    size_t size = path_joined_size (self->chroot, call->path);
    if (size <= PATH_SIZE_SURE) {
        return COHORT_OK;
    }
    if (size > PATH_SIZE_MAX) {
        return client_fail (self, COHORT_ETOOBIG, "%s: path and chroot have more than %d bytes",
                            client_op_name (call->kind), PATH_SIZE_MAX);
    }
    size_t limit = limit_of (&self->mailbox.path_size_max, PATH_SIZE_MAX);
    if (size > limit) {
        return client_fail (self, COHORT_ETOOBIG,
                            "%s: path and chroot have %zu bytes, the limit is %zu (pathSizeMax of "
                            "the ensemble)",
                            client_op_name (call->kind), size, limit);
    }
    return COHORT_OK;
}

static int check_data (cohort_t *self, const struct client_call *call)
{
    const char *name = client_op_name (call->kind);
    if (call->data == NULL && call->size > 0) {
        return client_fail (self, COHORT_EINVAL, "%s: data is NULL, size is %zu", name, call->size);
    }
    size_t limit = limit_of (&self->mailbox.data_size_max, CLIENT_DATA_MAX);
    if (call->size > limit) {
        return client_fail (
            self, COHORT_ETOOBIG, "%s: data has %zu bytes, the limit is %zu (%s)", name, call->size,
            limit, limit < CLIENT_DATA_MAX ? "dataSizeMax of the ensemble" : "of any ensemble");
    }
    return COHORT_OK;
}

static int check_list (cohort_t *self, const cohort_list_options_t *options)
{
    if (options->size != sizeof (*options)) {
        return client_fail (self, COHORT_EINVAL, "list: options->size is %zu, expected %zu",
                            options->size, sizeof (*options));
    }
    int flags =
        COHORT_LIST_STAT | COHORT_LIST_DATA | COHORT_LIST_DESCENDING | COHORT_LIST_LINEARIZABLE;
    if ((options->flags & ~flags) != 0) {
        return client_fail (self, COHORT_EINVAL, "list: flags are %d", options->flags);
    }
    if (options->filter < COHORT_LIST_ALL || options->filter > COHORT_LIST_EPHEMERAL) {
        return client_fail (self, COHORT_EINVAL, "list: filter is %d", options->filter);
    }
    if (options->limit < 0) {
        return client_fail (self, COHORT_EINVAL, "list: limit is %d", options->limit);
    }
    const char *names[] = {options->prefix, options->after};
    for (size_t i = 0; i < 2; i++) {
        if (names[i] != NULL && strlen (names[i]) > PATH_SIZE_MAX) {
            return client_fail (self, COHORT_ETOOBIG, "list: %s has more than %d bytes",
                                i == 0 ? "prefix" : "after", PATH_SIZE_MAX);
        }
    }
    return COHORT_OK;
}

const char *client_create_wrong (const struct client_call *call)
{
    int all = COHORT_EPHEMERAL | COHORT_SEQUENTIAL | COHORT_CONTAINER;
    bool ephemeral = (call->mode & COHORT_EPHEMERAL) != 0;
    bool container = (call->mode & COHORT_CONTAINER) != 0;
    if ((call->mode & ~all) != 0) {
        return "mode is not one of COHORT_PERSISTENT, COHORT_EPHEMERAL, COHORT_CONTAINER, with "
               "COHORT_SEQUENTIAL or without";
    }
    if (ephemeral && container) {
        return "a znode cannot be ephemeral and a container";
    }
    if (call->ttl_ms < 0) {
        return "ttl_ms is negative";
    }
    if (call->ttl_ms > 0 && (ephemeral || container)) {
        return "only a persistent znode can have a time to live";
    }
    if (call->if_absent && (call->mode & COHORT_SEQUENTIAL) != 0) {
        return "if_absent and COHORT_SEQUENTIAL: a sequential name is always new";
    }
    return NULL;
}

const char *client_add_wrong (const struct client_call *call)
{
    return call->floor > call->ceiling ? "floor is above ceiling" : NULL;
}

static int check_acl (cohort_t *self, const struct client_call *call)
{
    char text[ACL_TEXT_SIZE];
    int rc = acl_check (call->acl, text, sizeof (text));
    return rc == COHORT_OK
               ? rc
               : client_fail (self, rc, "%s: acl: %.230s", client_op_name (call->kind), text);
}

static int check_call (cohort_t *self, const struct client_call *call)
{
    const char *name = client_op_name (call->kind);
    const char *wrong = call->kind == WIRE_CREATE ? client_create_wrong (call)
                        : call->kind == WIRE_ADD  ? client_add_wrong (call)
                        : call->limit < 0         ? "limit is negative"
                                                  : NULL;
    if (wrong != NULL) {
        return client_fail (self, COHORT_EINVAL, "%s: %s", name, wrong);
    }
    if (call->version < COHORT_ANY_VERSION) {
        return client_fail (self, COHORT_EINVAL, "%s: " CLIENT_VERSION_TEXT, name,
                            (int) call->version);
    }
    bool has_path = call->kind != WIRE_SYNC && call->kind != WIRE_EPHEMERALS &&
                    call->kind != WIRE_WHOAMI && call->kind != WIRE_SESSIONS &&
                    call->kind != WIRE_KILL && call->kind != WIRE_HAND_OVER &&
                    call->kind != WIRE_SET_ADMINS && call->kind != WIRE_GET_ADMINS;
    int rc = has_path ? check_path (self, call) : COHORT_OK;
    rc = rc == COHORT_OK ? check_data (self, call) : rc;
    rc = rc == COHORT_OK && call->acl != NULL ? check_acl (self, call) : rc;
    return rc == COHORT_OK && call->list != NULL ? check_list (self, call->list) : rc;
}

int client_check_path (cohort_t *self, enum wire_kind kind, const char *path)
{
    const struct client_call call = {.kind = kind, .path = path};
    return check_call (self, &call);
}

static int add_watch (cohort_t *self, const struct client_call *call, struct request *request)
{
    enum wire_watch_kind kind = call->kind == WIRE_EXISTS ? WIRE_WATCH_EXISTS
                                : call->kind == WIRE_GET  ? WIRE_WATCH_DATA
                                                          : WIRE_WATCH_CHILDREN;
    request->watch = watch_new (kind, self->chroot, call->path, call->watch, call->watch_arg);
    return request->watch != NULL ? COHORT_OK : COHORT_ENOMEM;
}

static struct request *list_request (const cohort_t *self, const struct client_call *call)
{
    static const cohort_list_options_t all = {.size = sizeof (all)};
    const cohort_list_options_t *options = call->list != NULL ? call->list : &all;
    struct wire_list list = {
        .filter = options->filter,
        .with_stat = (options->flags & COHORT_LIST_STAT) != 0,
        .with_data = (options->flags & COHORT_LIST_DATA) != 0,
        .descending = (options->flags & COHORT_LIST_DESCENDING) != 0,
        .limit = (uint32_t) options->limit,
        .prefix = options->prefix != NULL ? options->prefix : "",
        .after = options->after != NULL ? options->after : "",
    };
    return request_new_list (call->kind, self->chroot, call->path, &list);
}

/* With path, data and list, as they are given. */
static struct request *plain_request (const cohort_t *self, const struct client_call *call)
{
    char *acl = call->acl != NULL ? cohort_acl_print (call->acl, "\n") : NULL;
    struct request *request = NULL;
    if (acl != NULL || call->acl == NULL) {
        request =
            request_new_acl (call->kind, self->chroot, call->path, call->data, call->size, acl);
    }
    mem_free (acl);
    return request;
}

/* One that has a path, and perhaps a watch, and nothing else. */
static bool is_plain_read (const struct client_call *call)
{
    return call->kind == WIRE_GET || call->kind == WIRE_EXISTS || call->kind == WIRE_COUNT;
}

static int read_request (cohort_t *self, const struct client_call *call, struct request **request_p)
{
    int rc = check_path (self, call);
    if (rc != COHORT_OK) {
        return rc;
    }
    struct request *request = request_new (call->kind, self->chroot, call->path, NULL, 0);
    rc = request == NULL       ? COHORT_ENOMEM
         : call->watch != NULL ? add_watch (self, call, request)
                               : COHORT_OK;
    if (rc != COHORT_OK) {
        request_free (request);
        return client_fail (self, rc, "%s: out of memory", client_op_name (call->kind));
    }
    request->wire.op.linearizable = call->linearizable;
    *request_p = request;
    return COHORT_OK;
}

int client_request (cohort_t *self, const struct client_call *call, struct request **request_p)
{
    if (is_plain_read (call)) {
        return read_request (self, call, request_p);
    }
    int rc = check_call (self, call);
    if (rc != COHORT_OK) {
        return rc;
    }
    bool lists = call->kind == WIRE_CHILDREN || call->kind == WIRE_EPHEMERALS;
    struct request *request = lists ? list_request (self, call) : plain_request (self, call);
    bool watches = call->watch != NULL || call->kind == WIRE_UNWATCH;
    rc = request == NULL ? COHORT_ENOMEM : watches ? add_watch (self, call, request) : COHORT_OK;
    if (rc != COHORT_OK) {
        request_free (request);
        return client_fail (self, rc, "%s: out of memory", client_op_name (call->kind));
    }
    request->wire.op.mode = (uint32_t) call->mode;
    request->wire.op.if_absent = call->if_absent;
    request->wire.op.if_present = call->if_present;
    request->wire.op.ttl_ms = (uint64_t) call->ttl_ms;
    request->wire.op.version = call->version;
    request->wire.op.limit = (uint32_t) call->limit;
    request->wire.op.delta = call->delta;
    request->wire.op.floor = call->floor;
    request->wire.op.ceiling = call->ceiling;
    request->wire.op.linearizable =
        call->linearizable ||
        (call->list != NULL && (call->list->flags & COHORT_LIST_LINEARIZABLE) != 0);
    request->wire.op.session = call->session;
    request->wire.op.inherited = call->inherited;
    request->wire.op.watcher = call->watcher;
    /* With a callback named there may be others: the server keeps the watch, and tells nobody if
     * there are none. */
    request->wire.op.check = call->check || call->watch != NULL;
    request->check = call->check;
    *request_p = request;
    return COHORT_OK;
}

/* A path is checked again with this handle's chroot, which the txn does not know. */
static int check_ops (cohort_t *self, const struct wire_op *ops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct client_call call = {
            .kind = ops[i].kind,
            .path = ops[i].path,
            .data = ops[i].data,
            .size = ops[i].size,
            .mode = (int) ops[i].mode,
            .if_absent = ops[i].if_absent,
            .if_present = ops[i].if_present,
            .ttl_ms = (int64_t) ops[i].ttl_ms,
            .limit = (int) ops[i].limit,
            .floor = ops[i].floor,
            .ceiling = ops[i].ceiling,
        };
        int rc = check_call (self, &call);
        if (rc != COHORT_OK) {
            return rc;
        }
    }
    return COHORT_OK;
}

int client_request_multi (cohort_t *self, const cohort_txn_t *txn, struct request **request_p)
{
    if (txn == NULL) {
        return client_fail (self, COHORT_EINVAL, "multi: txn is NULL");
    }
    const char *text = NULL;
    int rc = txn_error (txn, &text);
    if (rc != COHORT_OK) {
        return client_fail (self, rc, "multi: %s", text);
    }
    size_t count = 0;
    const struct wire_op *ops = txn_ops (txn, &count);
    rc = check_ops (self, ops, count);
    if (rc != COHORT_OK) {
        return rc;
    }
    struct request *request = request_new_multi (WIRE_MULTI, self->chroot, ops, count);
    if (request == NULL) {
        return client_fail (self, COHORT_ENOMEM, "multi: out of memory");
    }
    *request_p = request;
    return COHORT_OK;
}

/* ---- Asynchronous forms ---------------------------------------------------------------------- */

int client_submit (cohort_t *self, struct request *request, cohort_result_fn *fn, void *arg)
{
    const char *name = client_op_name (request->wire.op.kind);
    request->fn = fn;
    request->arg = arg;
    int rc = mailbox_submit (&self->mailbox, request, NULL);
    if (rc != COHORT_OK) {
        request_free (request);
        return client_fail (self, rc, "%s: %s", name, cohort_error_text (rc));
    }
    return COHORT_OK;
}

int client_call_async (cohort_t *self, const struct client_call *call, cohort_result_fn *fn,
                       void *arg)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    struct request *request = NULL;
    int rc = client_request (self, call, &request);
    return rc == COHORT_OK ? client_submit (self, request, fn, arg) : rc;
}

int cohort_create_async (cohort_t *self, const char *path, const void *data, size_t size, int mode,
                         const cohort_acl_t *acl, cohort_result_fn *fn, void *arg)
{
    struct client_call call = {
        .kind = WIRE_CREATE, .path = path, .data = data, .size = size, .mode = mode, .acl = acl};
    return client_call_async (self, &call, fn, arg);
}

int client_create_call (cohort_t *self, struct client_call *call,
                        const cohort_create_options_t *options)
{
    if (options == NULL) {
        return COHORT_OK;
    }
    if (options->size != sizeof (*options)) {
        return client_fail (self, COHORT_EINVAL, "create: options->size is %zu, expected %zu",
                            options->size, sizeof (*options));
    }
    call->mode = options->mode;
    call->acl = options->acl;
    call->ttl_ms = options->ttl_ms;
    call->if_absent = options->if_absent != 0;
    return COHORT_OK;
}

int cohort_create_with_async (cohort_t *self, const char *path, const void *data, size_t size,
                              const cohort_create_options_t *options, cohort_result_fn *fn,
                              void *arg)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    struct client_call call = {.kind = WIRE_CREATE, .path = path, .data = data, .size = size};
    int rc = client_create_call (self, &call, options);
    return rc == COHORT_OK ? client_call_async (self, &call, fn, arg) : rc;
}

int cohort_delete_tree_async (cohort_t *self, const char *path, int limit, int32_t version,
                              cohort_result_fn *fn, void *arg)
{
    struct client_call call = {
        .kind = WIRE_DELETE_TREE, .path = path, .limit = limit, .version = version};
    return client_call_async (self, &call, fn, arg);
}

int cohort_add_async (cohort_t *self, const char *path, int64_t delta, int64_t floor,
                      int64_t ceiling, cohort_result_fn *fn, void *arg)
{
    struct client_call call = {
        .kind = WIRE_ADD, .path = path, .delta = delta, .floor = floor, .ceiling = ceiling};
    return client_call_async (self, &call, fn, arg);
}

int cohort_delete_async (cohort_t *self, const char *path, int32_t version, cohort_result_fn *fn,
                         void *arg)
{
    struct client_call call = {.kind = WIRE_DELETE, .path = path, .version = version};
    return client_call_async (self, &call, fn, arg);
}

int cohort_delete_if_present_async (cohort_t *self, const char *path, int32_t version,
                                    cohort_result_fn *fn, void *arg)
{
    struct client_call call = {
        .kind = WIRE_DELETE, .path = path, .version = version, .if_present = true};
    return client_call_async (self, &call, fn, arg);
}

int cohort_exists_async (cohort_t *self, const char *path, cohort_watch_fn *watch, void *watch_arg,
                         cohort_result_fn *fn, void *arg)
{
    struct client_call call = {
        .kind = WIRE_EXISTS, .path = path, .watch = watch, .watch_arg = watch_arg};
    return client_call_async (self, &call, fn, arg);
}

int cohort_get_async (cohort_t *self, const char *path, cohort_watch_fn *watch, void *watch_arg,
                      cohort_result_fn *fn, void *arg)
{
    struct client_call call = {
        .kind = WIRE_GET, .path = path, .watch = watch, .watch_arg = watch_arg};
    return client_call_async (self, &call, fn, arg);
}

int cohort_set_async (cohort_t *self, const char *path, const void *data, size_t size,
                      int32_t version, cohort_result_fn *fn, void *arg)
{
    struct client_call call = {
        .kind = WIRE_SET, .path = path, .data = data, .size = size, .version = version};
    return client_call_async (self, &call, fn, arg);
}

int cohort_children_async (cohort_t *self, const char *path, cohort_watch_fn *watch,
                           void *watch_arg, cohort_result_fn *fn, void *arg)
{
    struct client_call call = {
        .kind = WIRE_CHILDREN, .path = path, .watch = watch, .watch_arg = watch_arg};
    return client_call_async (self, &call, fn, arg);
}

int cohort_list_async (cohort_t *self, const char *path, const cohort_list_options_t *options,
                       cohort_watch_fn *watch, void *watch_arg, cohort_result_fn *fn, void *arg)
{
    struct client_call call = {.kind = WIRE_CHILDREN,
                               .path = path,
                               .watch = watch,
                               .watch_arg = watch_arg,
                               .list = options};
    return client_call_async (self, &call, fn, arg);
}

int cohort_sync_async (cohort_t *self, cohort_result_fn *fn, void *arg)
{
    struct client_call call = {.kind = WIRE_SYNC};
    return client_call_async (self, &call, fn, arg);
}

int cohort_multi_async (cohort_t *self, const cohort_txn_t *txn, cohort_result_fn *fn, void *arg)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    struct request *request = NULL;
    int rc = client_request_multi (self, txn, &request);
    return rc == COHORT_OK ? client_submit (self, request, fn, arg) : rc;
}

/* ---- Streams --------------------------------------------------------------------------------- */

/* The request that opens or closes the stream, with a reference to it. */
static struct request *stream_request (cohort_t *self, enum wire_kind kind, const char *path,
                                       struct cohort_stream *stream)
{
    struct request *request = request_new (kind, self->chroot, path, NULL, 0);
    if (request != NULL) {
        stream_retain (stream);
        request->stream = stream;
        request->wire.op.flags = stream->flags;
    }
    return request;
}

/* What the caller wants of a stream: batches or, for a watch, events. */
struct wanted {
    const char *path;
    int flags; /* COHORT_STREAM_... */
    uint64_t from_zxid;
    cohort_batch_fn *fn;
    cohort_watch_fn *watch_fn;
    void *arg;
};

static cohort_stream_t *open_stream (cohort_t *client, const struct wanted *wanted)
{
    struct client_call call = {.kind = WIRE_STREAM_OPEN, .path = wanted->path};
    if (wanted->fn == NULL && wanted->watch_fn == NULL) {
        client_fail (client, COHORT_EINVAL, "stream: fn is NULL");
        return NULL;
    }
    if (check_call (client, &call) != COHORT_OK) {
        return NULL;
    }
    uint64_t id = mailbox_next_stream (&client->mailbox);
    struct cohort_stream *self = stream_new (id, client->chroot, wanted->path);
    if (self == NULL) {
        client_fail (client, COHORT_ENOMEM, "stream: out of memory");
        return NULL;
    }
    self->client = client;
    self->flags = (uint32_t) wanted->flags;
    self->marks = (wanted->flags & COHORT_STREAM_PROGRESS) != 0;
    self->last_zxid = wanted->from_zxid;
    self->fn = wanted->fn;
    self->watch_fn = wanted->watch_fn;
    self->arg = wanted->arg;
    struct request *open = stream_request (client, WIRE_STREAM_OPEN, wanted->path, self);
    self->close = stream_request (client, WIRE_STREAM_CLOSE, NULL, self);
    if (open == NULL || self->close == NULL) {
        request_free (open);
        request_free (self->close);
        client_fail (client, COHORT_ENOMEM, "stream: out of memory");
    } else if (client_submit (client, open, NULL, NULL) == COHORT_OK) {
        return self;
    } else {
        request_free (self->close);
    }
    stream_release (self);
    return NULL;
}

cohort_stream_t *cohort_stream_new (cohort_t *client, const char *path, cohort_batch_fn *fn,
                                    void *arg)
{
    return cohort_stream_new_with (client, path, NULL, fn, arg);
}

cohort_stream_t *cohort_stream_new_with (cohort_t *client, const char *path,
                                         const cohort_stream_options_t *options,
                                         cohort_batch_fn *fn, void *arg)
{
    static const cohort_stream_options_t plain = {.size = sizeof (plain)};
    int all = COHORT_STREAM_NO_SNAPSHOT | COHORT_STREAM_NO_DATA | COHORT_STREAM_SHALLOW |
              COHORT_STREAM_PROGRESS | COHORT_STREAM_LATEST;
    if (client == NULL) {
        return NULL;
    }
    options = options != NULL ? options : &plain;
    if (options->size != sizeof (*options)) {
        client_fail (client, COHORT_EINVAL, "stream: options->size is %zu, expected %zu",
                     options->size, sizeof (*options));
        return NULL;
    }
    bool shallow = (options->flags & COHORT_STREAM_SHALLOW) != 0;
    if ((options->flags & ~all) != 0 ||
        (shallow && (options->flags & COHORT_STREAM_NO_SNAPSHOT) == 0)) {
        client_fail (client, COHORT_EINVAL,
                     "stream: flags are %d: COHORT_STREAM_... (SHALLOW with NO_SNAPSHOT only)",
                     options->flags);
        return NULL;
    }
    struct wanted wanted = {path, options->flags, options->from_zxid, fn, NULL, arg};
    return open_stream (client, &wanted);
}

cohort_stream_t *cohort_watch_new (cohort_t *client, const char *path, cohort_watch_mode_t mode,
                                   cohort_watch_fn *fn, void *arg)
{
    if (client == NULL) {
        return NULL;
    }
    if (mode != COHORT_WATCH_PERSISTENT && mode != COHORT_WATCH_RECURSIVE) {
        client_fail (client, COHORT_EINVAL, "watch: mode is %d", (int) mode);
        return NULL;
    }
    struct wanted wanted = {path, COHORT_STREAM_NO_SNAPSHOT | COHORT_STREAM_NO_DATA, 0, NULL, fn,
                            arg};
    wanted.flags |= mode == COHORT_WATCH_PERSISTENT ? COHORT_STREAM_SHALLOW : 0;
    return open_stream (client, &wanted);
}

int cohort_stream_error (const cohort_stream_t *self)
{
    return self != NULL ? atomic_load_explicit (&self->rc, memory_order_acquire) : COHORT_EINVAL;
}

void cohort_stream_destroy (cohort_stream_t **self_p)
{
    if (self_p == NULL || *self_p == NULL) {
        return;
    }
    struct cohort_stream *self = *self_p;
    *self_p = NULL;
    atomic_store_explicit (&self->closed, true, memory_order_release);
    struct request *close = self->close;
    self->close = NULL;
    COHORT_ASSERT (close != NULL);
    if (mailbox_submit (&self->client->mailbox, close, NULL) != COHORT_OK) {
        /* The handle is ending, and the stream with it. */
        request_free (close);
    }
    stream_release (self);
}

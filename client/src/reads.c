/* Reads with options, several at once, and watches that are taken back. May include: client,
 * handle, libc. */

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/arena.h"
#include "client/base/assert.h"
#include "client/base/buf.h"
#include "client/src/client.h"
#include "client/src/path.h"

#define ARENA_BLOCK 2048

/* ---- Options --------------------------------------------------------------------------------- */

int client_read_call (cohort_t *self, struct client_call *call,
                      const cohort_read_options_t *options)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    if (options == NULL) {
        return COHORT_OK;
    }
    const char *name = client_op_name (call->kind);
    if (options->size != sizeof (*options)) {
        return client_fail (self, COHORT_EINVAL, "%s: options->size is %zu, expected %zu", name,
                            options->size, sizeof (*options));
    }
    if ((options->flags & ~COHORT_READ_LINEARIZABLE) != 0) {
        return client_fail (self, COHORT_EINVAL, "%s: flags are %d: COHORT_READ_...", name,
                            options->flags);
    }
    call->linearizable = (options->flags & COHORT_READ_LINEARIZABLE) != 0;
    return COHORT_OK;
}

static int read_async (cohort_t *self, struct client_call *call,
                       const cohort_read_options_t *options, cohort_result_fn *fn, void *arg)
{
    int rc = client_read_call (self, call, options);
    return rc == COHORT_OK ? client_call_async (self, call, fn, arg) : rc;
}

int cohort_exists_with_async (cohort_t *self, const char *path,
                              const cohort_read_options_t *options, cohort_watch_fn *watch,
                              void *watch_arg, cohort_result_fn *fn, void *arg)
{
    struct client_call call = {
        .kind = WIRE_EXISTS, .path = path, .watch = watch, .watch_arg = watch_arg};
    return read_async (self, &call, options, fn, arg);
}

int cohort_get_with_async (cohort_t *self, const char *path, const cohort_read_options_t *options,
                           cohort_watch_fn *watch, void *watch_arg, cohort_result_fn *fn, void *arg)
{
    struct client_call call = {
        .kind = WIRE_GET, .path = path, .watch = watch, .watch_arg = watch_arg};
    return read_async (self, &call, options, fn, arg);
}

/* ---- Counts ---------------------------------------------------------------------------------- */

int cohort_count (cohort_t *self, const char *path, const cohort_read_options_t *options,
                  int64_t *count, cohort_stat_t *stat)
{
    struct client_call call = {.kind = WIRE_COUNT, .path = path};
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_read_call (self, &call, options);
    rc = rc == COHORT_OK ? client_call_blocking (self, &call, &request, &result) : rc;
    if (rc != COHORT_OK) {
        return rc;
    }
    if (count != NULL) {
        *count = result.value;
    }
    if (stat != NULL && result.stat != NULL) {
        *stat = *result.stat;
    }
    client_finish (self, request);
    return COHORT_OK;
}

int cohort_count_async (cohort_t *self, const char *path, const cohort_read_options_t *options,
                        cohort_result_fn *fn, void *arg)
{
    struct client_call call = {.kind = WIRE_COUNT, .path = path};
    return read_async (self, &call, options, fn, arg);
}

/* ---- Ephemerals ------------------------------------------------------------------------------ */

/* Below a chroot are the paths that begin with it and a '/'. */
static char *below_chroot (const cohort_t *self, const char *prefix)
{
    size_t chroot = self->chroot_size, own = prefix != NULL ? strlen (prefix) : 0;
    char *joined = mem_alloc (chroot + own + 2);
    if (joined != NULL) {
        memcpy (joined, self->chroot, chroot);
        memcpy (joined + chroot, own > 0 ? prefix : "/", own > 0 ? own : 1);
        joined[chroot + (own > 0 ? own : 1)] = '\0';
    }
    return joined;
}

int client_ephemerals_call (cohort_t *self, const cohort_ephemerals_options_t *options,
                            struct client_call *call, cohort_list_options_t *list, char **prefix)
{
    static const cohort_ephemerals_options_t plain = {.size = sizeof (plain)};
    options = options != NULL ? options : &plain;
    if (options->size != sizeof (*options)) {
        return client_fail (self, COHORT_EINVAL, "ephemerals: options->size is %zu, expected %zu",
                            options->size, sizeof (*options));
    }
    if (options->prefix != NULL && options->prefix[0] != '/') {
        return client_fail (self, COHORT_EPATH, "ephemerals: prefix \"%.120s\": it begins with '/'",
                            options->prefix);
    }
    *call = (struct client_call){.kind = WIRE_EPHEMERALS, .session = options->session};
    const cohort_read_options_t read = {sizeof (read), options->flags};
    int rc = client_read_call (self, call, &read);
    if (rc != COHORT_OK) {
        return rc;
    }
    *prefix = below_chroot (self, options->prefix);
    if (*prefix == NULL) {
        return client_fail (self, COHORT_ENOMEM, "ephemerals: out of memory");
    }
    *list = (cohort_list_options_t){
        .size = sizeof (*list),
        .limit = options->limit,
        .prefix = *prefix,
        .after = options->after,
    };
    call->list = list;
    return COHORT_OK;
}

int cohort_ephemerals_async (cohort_t *self, const cohort_ephemerals_options_t *options,
                             cohort_result_fn *fn, void *arg)
{
    struct client_call call;
    cohort_list_options_t list;
    char *prefix = NULL;
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    int rc = client_ephemerals_call (self, options, &call, &list, &prefix);
    rc = rc == COHORT_OK ? client_call_async (self, &call, fn, arg) : rc;
    mem_free (prefix);
    return rc;
}

/* ---- Who the session is ---------------------------------------------------------------------- */

/* One allocation: the head, the identities, their strings. */
static cohort_identities_t *identities_of (const cohort_result_t *result)
{
    size_t count = result->identities_count;
    size_t total = sizeof (cohort_identities_t) + count * sizeof (cohort_identity_t);
    for (size_t i = 0; i < count; i++) {
        total += strlen (result->identities[i].scheme) + strlen (result->identities[i].id) + 2;
    }
    cohort_identities_t *identities = mem_alloc (total);
    if (identities == NULL) {
        return NULL;
    }
    cohort_identity_t *items = (cohort_identity_t *) (void *) (identities + 1);
    char *tail = (char *) (items + count);
    for (size_t i = 0; i < count; i++) {
        size_t scheme_size = strlen (result->identities[i].scheme) + 1;
        size_t id_size = strlen (result->identities[i].id) + 1;
        items[i].scheme = memcpy (tail, result->identities[i].scheme, scheme_size);
        items[i].id = memcpy (tail + scheme_size, result->identities[i].id, id_size);
        tail += scheme_size + id_size;
    }
    *identities = (cohort_identities_t){count, items};
    return identities;
}

int cohort_whoami (cohort_t *self, cohort_identities_t **identities)
{
    if (self != NULL && identities == NULL) {
        return client_fail (self, COHORT_EINVAL, "whoami: identities is NULL");
    }
    struct client_call call = {.kind = WIRE_WHOAMI};
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_call_blocking (self, &call, &request, &result);
    if (rc != COHORT_OK) {
        return rc;
    }
    cohort_identities_t *copy = identities_of (&result);
    if (copy == NULL) {
        rc = client_fail (self, COHORT_ENOMEM, "whoami: out of memory for the result");
    } else {
        *identities = copy;
    }
    client_finish (self, request);
    return rc;
}

int cohort_whoami_async (cohort_t *self, cohort_result_fn *fn, void *arg)
{
    struct client_call call = {.kind = WIRE_WHOAMI};
    return self != NULL ? client_call_async (self, &call, fn, arg) : COHORT_EINVAL;
}

void cohort_identities_destroy (cohort_identities_t **identities_p)
{
    if (identities_p != NULL) {
        mem_free (*identities_p);
        *identities_p = NULL;
    }
}

/* ---- Several at once ------------------------------------------------------------------------- */

struct cohort_reads {
    struct arena memory; /* paths */
    struct buf ops;      /* struct wire_op, one behind the other */
    int rc;              /* the first error of an add function */
    char text[MAILBOX_TEXT_SIZE];
    struct wire_frame *frame; /* with the results; or NULL */
    const cohort_read_result_t *results;
    size_t results_count;
};

cohort_reads_t *cohort_reads_new (void)
{
    cohort_reads_t *self = mem_calloc (1, sizeof (*self));
    if (self != NULL) {
        arena_init (&self->memory, ARENA_BLOCK, 0);
    }
    return self;
}

void cohort_reads_destroy (cohort_reads_t **self_p)
{
    if (self_p == NULL || *self_p == NULL) {
        return;
    }
    cohort_reads_t *self = *self_p;
    *self_p = NULL;
    wire_frame_release (self->frame);
    arena_deinit (&self->memory);
    buf_deinit (&self->ops);
    mem_free (self);
}

static int add (cohort_reads_t *self, enum wire_kind kind, const char *path)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    char text[MAILBOX_TEXT_SIZE] = "out of memory";
    int rc = path_check (path, false, text, sizeof (text));
    if (rc == COHORT_OK) {
        struct wire_op op = {.kind = kind};
        op.path = arena_dup (&self->memory, path, strlen (path) + 1);
        buf_append (&self->ops, &op, sizeof (op));
        rc = op.path == NULL || self->ops.failed ? COHORT_ENOMEM : COHORT_OK;
    }
    if (rc != COHORT_OK && self->rc == COHORT_OK) {
        self->rc = rc;
        memcpy (self->text, text, sizeof (text));
    }
    return rc;
}

int cohort_reads_exists (cohort_reads_t *self, const char *path)
{
    return add (self, WIRE_EXISTS, path);
}

int cohort_reads_get (cohort_reads_t *self, const char *path)
{
    return add (self, WIRE_GET, path);
}

int cohort_reads_children (cohort_reads_t *self, const char *path)
{
    return add (self, WIRE_CHILDREN, path);
}

int cohort_reads_count (cohort_reads_t *self, const char *path)
{
    return add (self, WIRE_COUNT, path);
}

static int reads_request (cohort_t *self, const cohort_reads_t *reads,
                          const cohort_read_options_t *options, struct request **request_p)
{
    struct client_call call = {.kind = WIRE_MULTI_READ};
    int rc = client_read_call (self, &call, options);
    if (rc != COHORT_OK) {
        return rc;
    }
    if (reads == NULL) {
        return client_fail (self, COHORT_EINVAL, "multi_read: reads is NULL");
    }
    if (reads->rc != COHORT_OK) {
        return client_fail (self, reads->rc, "multi_read: %.220s", reads->text);
    }
    const struct wire_op *ops = (const struct wire_op *) (const void *) reads->ops.data;
    size_t count = reads->ops.size / sizeof (*ops);
    for (size_t i = 0; i < count; i++) {
        /* Checked again with this handle's chroot. */
        rc = client_check_path (self, ops[i].kind, ops[i].path);
        if (rc != COHORT_OK) {
            return rc;
        }
    }
    struct request *request = request_new_multi (WIRE_MULTI_READ, self->chroot, ops, count);
    if (request == NULL) {
        return client_fail (self, COHORT_ENOMEM, "multi_read: out of memory");
    }
    request->wire.op.linearizable = call.linearizable;
    *request_p = request;
    return COHORT_OK;
}

int cohort_multi_read (cohort_t *self, cohort_reads_t *reads, const cohort_read_options_t *options)
{
    struct request *request = NULL;
    cohort_result_t result;
    int rc = reads_request (self, reads, options, &request);
    rc = rc == COHORT_OK ? client_wait (self, &request, &result) : rc;
    if (rc != COHORT_OK) {
        return rc;
    }
    wire_frame_release (reads->frame);
    reads->frame = request->event.frame;
    wire_frame_retain (reads->frame);
    reads->results = result.reads;
    reads->results_count = result.reads_count;
    client_finish (self, request);
    return COHORT_OK;
}

const cohort_read_result_t *cohort_reads_result (const cohort_reads_t *reads, size_t index)
{
    return reads != NULL && index < reads->results_count ? &reads->results[index] : NULL;
}

int cohort_multi_read_async (cohort_t *self, const cohort_reads_t *reads,
                             const cohort_read_options_t *options, cohort_result_fn *fn, void *arg)
{
    struct request *request = NULL;
    int rc = reads_request (self, reads, options, &request);
    return rc == COHORT_OK ? client_submit (self, request, fn, arg) : rc;
}

/* ---- Watches --------------------------------------------------------------------------------- */

static int unwatch_call (cohort_t *self, struct client_call *call, const char *path,
                         cohort_watcher_t type, cohort_watch_fn *watch, void *watch_arg)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    if (type < COHORT_WATCHER_CHILDREN || type > COHORT_WATCHER_ANY) {
        return client_fail (self, COHORT_EINVAL, "unwatch: type is %d: COHORT_WATCHER_...",
                            (int) type);
    }
    *call = (struct client_call){.kind = WIRE_UNWATCH,
                                 .path = path,
                                 .watcher = (int) type,
                                 .watch = watch,
                                 .watch_arg = watch_arg};
    return COHORT_OK;
}

static int unwatch (cohort_t *self, const struct client_call *call)
{
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_call_blocking (self, call, &request, &result);
    if (rc == COHORT_OK) {
        client_finish (self, request);
    }
    return rc;
}

int cohort_unwatch (cohort_t *self, const char *path, cohort_watcher_t type, cohort_watch_fn *fn,
                    void *arg)
{
    struct client_call call;
    int rc = unwatch_call (self, &call, path, type, fn, arg);
    return rc == COHORT_OK ? unwatch (self, &call) : rc;
}

int cohort_unwatch_async (cohort_t *self, const char *path, cohort_watcher_t type,
                          cohort_watch_fn *watch, void *watch_arg, cohort_result_fn *fn, void *arg)
{
    struct client_call call;
    int rc = unwatch_call (self, &call, path, type, watch, watch_arg);
    return rc == COHORT_OK ? client_call_async (self, &call, fn, arg) : rc;
}

int cohort_check_watch (cohort_t *self, const char *path, cohort_watcher_t type,
                        cohort_watch_fn *fn, void *arg)
{
    struct client_call call;
    int rc = unwatch_call (self, &call, path, type, fn, arg);
    call.check = true;
    return rc == COHORT_OK ? unwatch (self, &call) : rc;
}

int cohort_check_watch_async (cohort_t *self, const char *path, cohort_watcher_t type,
                              cohort_watch_fn *watch, void *watch_arg, cohort_result_fn *fn,
                              void *arg)
{
    struct client_call call;
    int rc = unwatch_call (self, &call, path, type, watch, watch_arg);
    call.check = true;
    return rc == COHORT_OK ? client_call_async (self, &call, fn, arg) : rc;
}

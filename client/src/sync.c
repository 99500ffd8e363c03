/* The blocking forms: a request with a waiter of its own, whose result is copied to the caller on
 * the caller's thread. May include: client, handle, libc. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/src/client.h"
#include "client/src/path.h"

/* ---- Waiting --------------------------------------------------------------------------------- */

/* What a call that gave up has to say. A write may still be applied, for it stays queued; of a read
 * the caller loses nothing, so that the reason may stand in place of "unknown". */
static int give_up (cohort_t *self, enum wire_kind kind, const struct published *view)
{
    const char *name = client_op_name (kind);
    if (!wire_is_write (kind) && view->no_quorum) {
        return client_fail (self, COHORT_ENOQUORUM, "%s: %s", name, view->reason);
    }
    const char *fate = wire_is_write (kind) ? "; the write stays queued and is applied once" : "";
    const char *why = view->reason[0] != '\0' ? view->reason : "no answer";
    if (view->state == COHORT_SUSPENDED || view->state == COHORT_CONNECTING) {
        return client_fail (self, COHORT_ETIMEDOUT, "%s: not connected (%s)%s", name, why, fate);
    }
    return client_fail (self, COHORT_ETIMEDOUT, "%s: %s%s", name, why, fate);
}

/* Blocks until the request is answered. 0: *request is done with and the caller's to end with
 * client_finish; whether the operation succeeded is in it. */
static int wait_for (cohort_t *self, struct request **request)
{
    enum wire_kind kind = (*request)->wire.op.kind;
    struct waiter waiter;
    int rc = mailbox_in_callback (&self->mailbox)
                 ? COHORT_EDEADLK
                 : waiter_init (&waiter, &self->mailbox, WAITER_RESULT);
    if (rc != COHORT_OK) {
        request_free (*request);
        return client_fail (self, rc, "%s: %s", client_op_name (kind), cohort_error_text (rc));
    }
    rc = mailbox_submit (&self->mailbox, *request, &waiter);
    if (rc != COHORT_OK) {
        waiter_deinit (&waiter);
        request_free (*request);
        return client_fail (self, rc, "%s: %s", client_op_name (kind), cohort_error_text (rc));
    }
    struct published view;
    rc = waiter_wait (&waiter, mailbox_get_limit (&self->mailbox), &view);
    waiter_deinit (&waiter);
    if (rc != COHORT_OK) {
        return give_up (self, kind, &view);
    }
    *request = waiter.request;
    return COHORT_OK;
}

void client_finish (cohort_t *self, struct request *request)
{
    mailbox_settled (&self->mailbox, request->size);
    request_free (request);
}

/* What an operation needs (docs/acl.md), for who was refused it. */
static const char *need_of (enum wire_kind kind)
{
    switch (kind) {
    case WIRE_CREATE:
        return "CREATE on its parent";
    case WIRE_DELETE:
        return "DELETE on its parent";
    case WIRE_DELETE_TREE:
        return "DELETE on its parent, and on whatever has children below it";
    case WIRE_SET:
        return "WRITE on it";
    case WIRE_ADD:
        return "READ and WRITE on it";
    case WIRE_SET_ACL:
        return "ADMIN on it";
    case WIRE_GET_ACL:
        return "READ or ADMIN on it";
    case WIRE_EXISTS:
        return "READ on it or on its parent";
    case WIRE_MULTI:
        return "what each of its operations needs";
    case WIRE_KILL:
    case WIRE_SESSIONS:
    case WIRE_EPHEMERALS:
    case WIRE_SET_ADMINS:
    case WIRE_GET_ADMINS:
        return "an administrator";
    default:
        return "READ on it";
    }
}

/* What is to be said beyond the text of the code, where the server has said nothing. */
static const char *advice_of (int rc, enum wire_kind kind, char *text, size_t size)
{
    switch (rc) {
    case COHORT_ENOAUTH:
        (void) snprintf (text, size,
                         "it takes %s (whoami tells who this session is; add_auth makes it more)",
                         need_of (kind));
        return text;
    case COHORT_EINVALIDACL:
        return "auth stands for whom this session has proven to be, and it has proven nothing "
               "(add_auth)";
    default:
        return "";
    }
}

/* What one transaction deletes of trees at most (docs/limits.md). */
enum { TREE_LIMIT = 1000 };

/* Which quota stands against an operation: the znode that has it, by its name below the chroot. */
static const char *name_quota (const cohort_t *self, const struct wire_reply *reply, char *text,
                               size_t size)
{
    const char *path = reply->more->quota_path;
    bool within = strncmp (path, self->chroot, self->chroot_size) == 0 &&
                  (self->chroot_size == 0 || path[self->chroot_size] == '/' ||
                   path[self->chroot_size] == '\0');
    (void) snprintf (text, size, "%.200s %s",
                     within ? path_strip (self->chroot, self->chroot_size, path)
                            : "a znode above the chroot",
                     reply->more->detail);
    return text;
}

/* A tree with too many znodes: how many, unless this session may not know, and the limit. */
static int fail_tree (cohort_t *self, const struct request *request, const cohort_result_t *result)
{
    uint32_t limit = request->wire.op.limit;
    limit = limit > 0 && limit < TREE_LIMIT ? limit : TREE_LIMIT;
    char have[32] = "more";
    if (result->value > 0) {
        (void) snprintf (have, sizeof have, "%" PRId64, result->value);
    }
    return client_fail (self, result->rc,
                        "delete_tree %.150s: it has %s znodes%s than one transaction is to delete "
                        "(limit %" PRIu32 ")",
                        result->path, have, result->value > 0 ? ", more" : "", limit);
}

/* The error of the operation itself, if any, with its text. */
static int outcome (cohort_t *self, const struct request *request, const cohort_result_t *result)
{
    if (result->rc == COHORT_OK) {
        return COHORT_OK;
    }
    if (request->wire.op.kind == WIRE_DELETE_TREE && result->rc == COHORT_ETOOBIG) {
        return fail_tree (self, request, result);
    }
    char advice[400];
    const char *detail = request->reply != NULL ? request->reply->more->detail : "";
    if (detail[0] == '\0') {
        detail = advice_of (result->rc, request->wire.op.kind, advice, sizeof advice);
    } else if (request->reply->more->quota_path[0] != '\0') {
        detail = name_quota (self, request->reply, advice, sizeof advice);
    }
    return client_fail (self, result->rc, "%s%s%.150s: %s%s%s",
                        client_op_name (request->wire.op.kind), result->path != NULL ? " " : "",
                        result->path != NULL ? result->path : "", cohort_error_text (result->rc),
                        detail[0] != '\0' ? ": " : "", detail);
}

int client_wait (cohort_t *self, struct request **request, cohort_result_t *result)
{
    int rc = wait_for (self, request);
    if (rc != COHORT_OK) {
        return rc;
    }
    client_result (self, *request, result);
    rc = outcome (self, *request, result);
    if (rc != COHORT_OK) {
        client_finish (self, *request);
    }
    return rc;
}

int client_call_blocking (cohort_t *self, const struct client_call *call, struct request **request,
                          cohort_result_t *result)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    int rc = client_request (self, call, request);
    return rc == COHORT_OK ? client_wait (self, request, result) : rc;
}

static void copy_stat (cohort_stat_t *to, const cohort_stat_t *from)
{
    if (to != NULL && from != NULL) {
        *to = *from;
    }
}

/* The operation took place, only its result cannot be handed over. */
static int no_memory (cohort_t *self, struct request *request)
{
    int rc = client_fail (self, COHORT_ENOMEM, "%s: out of memory for the result",
                          client_op_name (request->wire.op.kind));
    client_finish (self, request);
    return rc;
}

/* ---- The operations -------------------------------------------------------------------------- */

/* A create that took place: hands over what is asked for. */
static int hand_created (cohort_t *self, struct request *request, const cohort_result_t *result,
                         char **created, cohort_stat_t *stat)
{
    if (created != NULL) {
        char *copy = mem_strdup (result->path);
        if (copy == NULL) {
            return no_memory (self, request);
        }
        *created = copy;
    }
    copy_stat (stat, result->stat);
    client_finish (self, request);
    return COHORT_OK;
}

int cohort_create_with (cohort_t *self, const char *path, const void *data, size_t size,
                        const cohort_create_options_t *options, char **created, cohort_stat_t *stat,
                        int *existed)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    struct client_call call = {.kind = WIRE_CREATE, .path = path, .data = data, .size = size};
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_create_call (self, &call, options);
    rc = rc == COHORT_OK ? client_call_blocking (self, &call, &request, &result) : rc;
    if (rc != COHORT_OK) {
        return rc;
    }
    if (existed != NULL) {
        *existed = result.existed;
    }
    return hand_created (self, request, &result, created, stat);
}

int cohort_delete_tree (cohort_t *self, const char *path, int limit, int32_t version,
                        int64_t *deleted)
{
    struct client_call call = {
        .kind = WIRE_DELETE_TREE, .path = path, .limit = limit, .version = version};
    struct request *request = NULL;
    cohort_result_t result = {.value = 0};
    int rc = client_call_blocking (self, &call, &request, &result);
    if (deleted != NULL) {
        *deleted = result.value;
    }
    if (rc == COHORT_OK) {
        client_finish (self, request);
    }
    return rc;
}

int cohort_add (cohort_t *self, const char *path, int64_t delta, int64_t floor, int64_t ceiling,
                int64_t *sum, cohort_stat_t *stat)
{
    struct client_call call = {
        .kind = WIRE_ADD, .path = path, .delta = delta, .floor = floor, .ceiling = ceiling};
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_call_blocking (self, &call, &request, &result);
    if (rc == COHORT_OK) {
        if (sum != NULL) {
            *sum = result.value;
        }
        copy_stat (stat, result.stat);
        client_finish (self, request);
    }
    return rc;
}

int cohort_create (cohort_t *self, const char *path, const void *data, size_t size, int mode,
                   const cohort_acl_t *acl, char **created, cohort_stat_t *stat)
{
    struct client_call call = {
        .kind = WIRE_CREATE, .path = path, .data = data, .size = size, .mode = mode, .acl = acl};
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_call_blocking (self, &call, &request, &result);
    if (rc != COHORT_OK) {
        return rc;
    }
    return hand_created (self, request, &result, created, stat);
}

int cohort_delete (cohort_t *self, const char *path, int32_t version)
{
    struct client_call call = {.kind = WIRE_DELETE, .path = path, .version = version};
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_call_blocking (self, &call, &request, &result);
    if (rc == COHORT_OK) {
        client_finish (self, request);
    }
    return rc;
}

int client_call_existed (cohort_t *self, const struct client_call *call, int *existed)
{
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_call_blocking (self, call, &request, &result);
    if (rc == COHORT_OK) {
        if (existed != NULL) {
            *existed = result.existed;
        }
        client_finish (self, request);
    }
    return rc;
}

int cohort_delete_if_present (cohort_t *self, const char *path, int32_t version, int *existed)
{
    struct client_call call = {
        .kind = WIRE_DELETE, .path = path, .version = version, .if_present = true};
    return client_call_existed (self, &call, existed);
}

int cohort_exists (cohort_t *self, const char *path, cohort_stat_t *stat)
{
    return cohort_exists_with (self, path, NULL, stat);
}

int cohort_exists_with (cohort_t *self, const char *path, const cohort_read_options_t *options,
                        cohort_stat_t *stat)
{
    struct client_call call = {.kind = WIRE_EXISTS, .path = path};
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_read_call (self, &call, options);
    rc = rc == COHORT_OK ? client_call_blocking (self, &call, &request, &result) : rc;
    if (rc == COHORT_OK) {
        copy_stat (stat, result.stat);
        client_finish (self, request);
    }
    return rc;
}

int cohort_get (cohort_t *self, const char *path, void **data, size_t *size, cohort_stat_t *stat)
{
    return cohort_get_with (self, path, NULL, data, size, stat);
}

int cohort_get_with (cohort_t *self, const char *path, const cohort_read_options_t *options,
                     void **data, size_t *size, cohort_stat_t *stat)
{
    if (self != NULL && (data == NULL) != (size == NULL)) {
        return client_fail (self, COHORT_EINVAL, "get: data and size go together");
    }
    struct client_call call = {.kind = WIRE_GET, .path = path};
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_read_call (self, &call, options);
    rc = rc == COHORT_OK ? client_call_blocking (self, &call, &request, &result) : rc;
    if (rc != COHORT_OK) {
        return rc;
    }
    if (data != NULL) {
        char *copy = mem_alloc (result.size + 1);
        if (copy == NULL) {
            return no_memory (self, request);
        }
        if (result.size > 0) {
            memcpy (copy, result.data, result.size);
        }
        copy[result.size] = '\0';
        *data = copy;
        *size = result.size;
    }
    copy_stat (stat, result.stat);
    client_finish (self, request);
    return COHORT_OK;
}

int cohort_set (cohort_t *self, const char *path, const void *data, size_t size, int32_t version,
                cohort_stat_t *stat)
{
    struct client_call call = {
        .kind = WIRE_SET, .path = path, .data = data, .size = size, .version = version};
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_call_blocking (self, &call, &request, &result);
    if (rc == COHORT_OK) {
        copy_stat (stat, result.stat);
        client_finish (self, request);
    }
    return rc;
}

int cohort_sync (cohort_t *self)
{
    struct client_call call = {.kind = WIRE_SYNC};
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_call_blocking (self, &call, &request, &result);
    if (rc == COHORT_OK) {
        client_finish (self, request);
    }
    return rc;
}

/* Says which operation it was that failed, in front of why. */
static void name_operation (cohort_t *self, const cohort_txn_t *txn, const cohort_result_t *result)
{
    static const char multi[] = "multi: ";
    char why[MAILBOX_TEXT_SIZE];
    size_t count, at = 0, skipped = sizeof (multi) - 1;
    const struct wire_op *ops = txn_ops (txn, &count);
    while (at < result->ops_count && at < count && result->ops[at].rc != result->rc) {
        at++;
    }
    if (at >= result->ops_count || at >= count) {
        return; /* it was refused as a whole */
    }
    cohort_errmsg (self, why, sizeof (why));
    (void) client_fail (self, result->rc, "operation %zu of %zu, %s %.150s: %.300s", at + 1, count,
                        client_op_name (ops[at].kind), ops[at].path,
                        strncmp (why, multi, skipped) == 0 ? why + skipped : why);
}

int cohort_multi (cohort_t *self, cohort_txn_t *txn)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    struct request *request = NULL;
    int rc = client_request_multi (self, txn, &request);
    rc = rc == COHORT_OK ? wait_for (self, &request) : rc;
    if (rc != COHORT_OK) {
        return rc;
    }
    cohort_result_t result;
    client_result (self, request, &result);
    if (txn_take_results (txn, &result) != COHORT_OK) {
        return no_memory (self, request);
    }
    rc = outcome (self, request, &result);
    if (rc != COHORT_OK) {
        name_operation (self, txn, &result);
    }
    client_finish (self, request);
    return rc;
}

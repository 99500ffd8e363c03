/* Transactions: a list of operations, and the results of its last commit.
 * May include: client, path, base, libc. */

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/arena.h"
#include "client/base/assert.h"
#include "client/base/buf.h"
#include "client/src/acl.h"
#include "client/src/client.h"
#include "client/src/path.h"

#define ARENA_BLOCK 2048

struct cohort_txn {
    struct arena memory; /* paths and data */
    struct buf ops;      /* struct wire_op, one behind the other */
    int rc;              /* the first error of an add function */
    char text[MAILBOX_TEXT_SIZE];
    struct arena results_memory;
    cohort_op_result_t *results;
    size_t results_count;
};

cohort_txn_t *cohort_txn_new (void)
{
    cohort_txn_t *self = mem_calloc (1, sizeof (*self));
    if (self != NULL) {
        arena_init (&self->memory, ARENA_BLOCK, 0);
        arena_init (&self->results_memory, ARENA_BLOCK, ARENA_BLOCK);
    }
    return self;
}

void cohort_txn_destroy (cohort_txn_t **self_p)
{
    if (self_p == NULL || *self_p == NULL) {
        return;
    }
    cohort_txn_t *self = *self_p;
    *self_p = NULL;
    arena_deinit (&self->memory);
    arena_deinit (&self->results_memory);
    buf_deinit (&self->ops);
    mem_free (self);
}

const struct wire_op *txn_ops (const cohort_txn_t *txn, size_t *count)
{
    *count = txn->ops.size / sizeof (struct wire_op);
    return (const struct wire_op *) (const void *) txn->ops.data;
}

int txn_error (const cohort_txn_t *txn, const char **text)
{
    *text = txn->text;
    return txn->rc;
}

size_t cohort_txn_count (const cohort_txn_t *self)
{
    return self != NULL ? self->ops.size / sizeof (struct wire_op) : 0;
}

/* ---- Adding ---------------------------------------------------------------------------------- */

/* The first error stays, for the commit to return. */
static int fail (cohort_txn_t *self, int rc, const char *text)
{
    if (self->rc == COHORT_OK) {
        self->rc = rc;
        snprintf (self->text, sizeof (self->text), "operation %zu: %.220s", cohort_txn_count (self),
                  text);
    }
    return rc;
}

static int add (cohort_txn_t *self, const struct wire_op *given)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    char text[MAILBOX_TEXT_SIZE];
    bool sequential = given->kind == WIRE_CREATE && (given->mode & COHORT_SEQUENTIAL) != 0;
    int rc = path_check (given->path, sequential, text, sizeof (text));
    if (rc != COHORT_OK) {
        return fail (self, rc, text);
    }
    if (given->version < COHORT_ANY_VERSION) {
        snprintf (text, sizeof (text), CLIENT_VERSION_TEXT, (int) given->version);
        return fail (self, COHORT_EINVAL, text);
    }
    if (given->data == NULL && given->size > 0) {
        return fail (self, COHORT_EINVAL, "data is NULL and size is not 0");
    }
    if (given->size > CLIENT_DATA_MAX) {
        return fail (self, COHORT_ETOOBIG, "data has more than 64 MiB");
    }
    if (cohort_txn_count (self) >= CLIENT_TXN_OPS_MAX) {
        return fail (self, COHORT_ETOOBIG, "a transaction has at most 1024 operations");
    }
    struct wire_op op = *given;
    op.path = arena_strdup (&self->memory, given->path);
    op.data = given->size > 0 ? arena_dup (&self->memory, given->data, given->size) : NULL;
    if (op.path == NULL || (op.data == NULL && given->size > 0) ||
        !buf_reserve (&self->ops, sizeof (op))) {
        return fail (self, COHORT_ENOMEM, "out of memory");
    }
    buf_append (&self->ops, &op, sizeof (op));
    return COHORT_OK;
}

/* The same with a list, NULL: none. */
static int add_acl (cohort_txn_t *self, struct wire_op *op, const cohort_acl_t *acl)
{
    char text[ACL_TEXT_SIZE];
    if (self == NULL || acl == NULL) {
        return add (self, op);
    }
    int rc = acl_check (acl, text, sizeof (text));
    if (rc != COHORT_OK) {
        return fail (self, rc, text);
    }
    char *list = cohort_acl_print (acl, "\n");
    if (list == NULL) {
        return fail (self, COHORT_ENOMEM, "out of memory");
    }
    op->acl = arena_strdup (&self->memory, list);
    mem_free (list);
    return op->acl != NULL ? add (self, op) : fail (self, COHORT_ENOMEM, "out of memory");
}

int cohort_txn_create (cohort_txn_t *self, const char *path, const void *data, size_t size,
                       int mode, const cohort_acl_t *acl)
{
    const cohort_create_options_t options = {.size = sizeof (options), .mode = mode, .acl = acl};
    return cohort_txn_create_with (self, path, data, size, &options);
}

int cohort_txn_create_with (cohort_txn_t *self, const char *path, const void *data, size_t size,
                            const cohort_create_options_t *options)
{
    static const cohort_create_options_t plain = {.size = sizeof (plain)};
    options = options != NULL ? options : &plain;
    if (self != NULL && options->size != sizeof (*options)) {
        return fail (self, COHORT_EINVAL, "options->size is not sizeof (cohort_create_options_t)");
    }
    const struct client_call call = {
        .mode = options->mode, .ttl_ms = options->ttl_ms, .if_absent = options->if_absent != 0};
    const char *wrong = client_create_wrong (&call);
    if (self != NULL && wrong != NULL) {
        return fail (self, COHORT_EINVAL, wrong);
    }
    struct wire_op op = {.kind = WIRE_CREATE,
                         .path = path,
                         .data = data,
                         .size = size,
                         .mode = (uint32_t) options->mode,
                         .if_absent = options->if_absent != 0,
                         .ttl_ms = (uint64_t) options->ttl_ms};
    return add_acl (self, &op, options->acl);
}

int cohort_txn_delete_tree (cohort_txn_t *self, const char *path, int limit, int32_t version)
{
    if (self != NULL && limit < 0) {
        return fail (self, COHORT_EINVAL, "limit is negative");
    }
    struct wire_op op = {
        .kind = WIRE_DELETE_TREE, .path = path, .limit = (uint32_t) limit, .version = version};
    return add (self, &op);
}

int cohort_txn_add (cohort_txn_t *self, const char *path, int64_t delta, int64_t floor,
                    int64_t ceiling)
{
    const struct client_call call = {.floor = floor, .ceiling = ceiling};
    const char *wrong = client_add_wrong (&call);
    if (self != NULL && wrong != NULL) {
        return fail (self, COHORT_EINVAL, wrong);
    }
    struct wire_op op = {
        .kind = WIRE_ADD, .path = path, .delta = delta, .floor = floor, .ceiling = ceiling};
    return add (self, &op);
}

int cohort_txn_delete (cohort_txn_t *self, const char *path, int32_t version)
{
    struct wire_op op = {.kind = WIRE_DELETE, .path = path, .version = version};
    return add (self, &op);
}

int cohort_txn_delete_if_present (cohort_txn_t *self, const char *path, int32_t version)
{
    struct wire_op op = {.kind = WIRE_DELETE, .path = path, .version = version, .if_present = true};
    return add (self, &op);
}

int cohort_txn_set (cohort_txn_t *self, const char *path, const void *data, size_t size,
                    int32_t version)
{
    struct wire_op op = {
        .kind = WIRE_SET, .path = path, .data = data, .size = size, .version = version};
    return add (self, &op);
}

int cohort_txn_set_acl (cohort_txn_t *self, const char *path, const cohort_acl_t *acl,
                        int32_t aversion)
{
    struct wire_op op = {.kind = WIRE_SET_ACL, .path = path, .version = aversion};
    if (self != NULL && acl == NULL) {
        return fail (self, COHORT_EINVALIDACL, "acl is NULL");
    }
    return add_acl (self, &op, acl);
}

int cohort_txn_check (cohort_txn_t *self, const char *path, int32_t version)
{
    struct wire_op op = {.kind = WIRE_CHECK, .path = path, .version = version};
    return add (self, &op);
}

int cohort_txn_check_czxid (cohort_txn_t *self, const char *path, uint64_t czxid)
{
    struct wire_op op = {.kind = WIRE_CHECK_CZXID, .path = path, .zxid = czxid};
    return add (self, &op);
}

int cohort_txn_check_owner (cohort_txn_t *self, const char *path, uint64_t session, uint64_t ozxid)
{
    struct wire_op op = {.kind = WIRE_CHECK_OWNER, .path = path, .session = session, .zxid = ozxid};
    return add (self, &op);
}

int cohort_txn_check_absent (cohort_txn_t *self, const char *path)
{
    struct wire_op op = {.kind = WIRE_CHECK_ABSENT, .path = path};
    return add (self, &op);
}

/* ---- Results --------------------------------------------------------------------------------- */

int txn_take_results (cohort_txn_t *txn, const cohort_result_t *result)
{
    arena_reset (&txn->results_memory);
    txn->results_count = 0;
    txn->results = arena_calloc (&txn->results_memory, result->ops_count, sizeof (*txn->results));
    if (txn->results == NULL) {
        return COHORT_ENOMEM;
    }
    for (size_t i = 0; i < result->ops_count; i++) {
        txn->results[i] = result->ops[i];
        if (result->ops[i].path != NULL) {
            txn->results[i].path = arena_strdup (&txn->results_memory, result->ops[i].path);
            if (txn->results[i].path == NULL) {
                return COHORT_ENOMEM;
            }
        }
    }
    txn->results_count = result->ops_count;
    return COHORT_OK;
}

const cohort_op_result_t *cohort_txn_result (const cohort_txn_t *txn, size_t index)
{
    return txn != NULL && index < txn->results_count ? &txn->results[index] : NULL;
}

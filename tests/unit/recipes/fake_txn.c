/* The transactions of the fake client: see fake_tree.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/recipes/fake.h"
#include "tests/unit/recipes/fake_tree.h"

cohort_txn_t *cohort_txn_new (void)
{
    return fake_must (calloc (1, sizeof (cohort_txn_t)));
}

void fake_txn_clear (cohort_txn_t *txn)
{
    for (size_t i = 0; i < txn->count; i++) {
        free (txn->ops[i].path);
        free (txn->ops[i].data);
    }
    txn->count = 0;
}

void cohort_txn_destroy (cohort_txn_t **self_p)
{
    fake_txn_clear (*self_p);
    free (*self_p);
    *self_p = NULL;
}

size_t cohort_txn_count (const cohort_txn_t *self)
{
    return self->count;
}

void fake_txn_add (cohort_txn_t *txn, struct fake_op op, const char *path, const void *data,
                   size_t size)
{
    assert_true (txn->count < FAKE_OPS_MAX);
    op.path = fake_copy_text (path);
    op.data = fake_copy (data, size);
    op.size = size;
    txn->ops[txn->count++] = op;
}

int cohort_txn_create (cohort_txn_t *self, const char *path, const void *data, size_t size,
                       int mode, const cohort_acl_t *acl)
{
    assert_null (acl);
    fake_txn_add (self, (struct fake_op){.kind = OP_CREATE, .mode = mode}, path, data, size);
    return 0;
}

int cohort_txn_create_with (cohort_txn_t *self, const char *path, const void *data, size_t size,
                            const cohort_create_options_t *options)
{
    assert_null (options->acl);
    struct fake_op op = {.kind = OP_CREATE,
                         .mode = options->mode,
                         .if_absent = options->if_absent != 0,
                         .ttl_ms = options->ttl_ms};
    fake_txn_add (self, op, path, data, size);
    return 0;
}

int cohort_txn_delete (cohort_txn_t *self, const char *path, int32_t version)
{
    fake_txn_add (self, (struct fake_op){.kind = OP_DELETE, .version = version}, path, NULL, 0);
    return 0;
}

int cohort_txn_set (cohort_txn_t *self, const char *path, const void *data, size_t size,
                    int32_t version)
{
    fake_txn_add (self, (struct fake_op){.kind = OP_SET, .version = version}, path, data, size);
    return 0;
}

int cohort_txn_check_czxid (cohort_txn_t *self, const char *path, uint64_t czxid)
{
    fake_txn_add (self, (struct fake_op){.kind = OP_CHECK_CZXID, .czxid = czxid}, path, NULL, 0);
    return 0;
}

int cohort_txn_delete_tree (cohort_txn_t *self, const char *path, int limit, int32_t version)
{
    assert_true (limit >= 0);
    fake_txn_add (self, (struct fake_op){.kind = OP_DELETE_TREE, .version = version}, path, NULL,
                  0);
    return 0;
}

int cohort_txn_add (cohort_txn_t *self, const char *path, int64_t delta, int64_t floor,
                    int64_t ceiling)
{
    struct fake_op op = {.kind = OP_ADD, .delta = delta, .floor = floor, .ceiling = ceiling};
    fake_txn_add (self, op, path, NULL, 0);
    return 0;
}

int cohort_txn_check (cohort_txn_t *self, const char *path, int32_t version)
{
    fake_txn_add (self, (struct fake_op){.kind = OP_CHECK, .version = version}, path, NULL, 0);
    return 0;
}

int cohort_txn_check_owner (cohort_txn_t *self, const char *path, uint64_t session, uint64_t ozxid)
{
    struct fake_op op = {.kind = OP_CHECK_OWNER, .session = session, .czxid = ozxid};
    fake_txn_add (self, op, path, NULL, 0);
    return 0;
}

int cohort_txn_check_absent (cohort_txn_t *self, const char *path)
{
    fake_txn_add (self, (struct fake_op){.kind = OP_CHECK_ABSENT}, path, NULL, 0);
    return 0;
}

static int apply_create (const struct fake_op *op, uint64_t session, cohort_op_result_t *result)
{
    char path[512];
    struct fake_node *parent = fake_parent (op->path);
    bool sequential = (op->mode & COHORT_SEQUENTIAL) != 0;
    assert_false (sequential && op->if_absent);
    if (parent != NULL && parent->stat.ephemeral_owner != 0) {
        return COHORT_ENOCHILDREN4EPHEMERALS;
    }
    snprintf (path, sizeof (path), "%s", op->path);
    if (sequential && parent != NULL) {
        snprintf (path, sizeof (path), "%s%010llu", op->path, (unsigned long long) parent->next++);
    }
    int rc = fake_tree_create (path, op->data, op->size, op->mode & ~COHORT_SEQUENTIAL, session);
    result->existed = rc == COHORT_ENODEEXISTS && op->if_absent;
    rc = result->existed ? 0 : rc;
    if (rc == 0) {
        struct fake_node *node = fake_find (path);
        node->stat.ttl_ms = result->existed ? node->stat.ttl_ms : op->ttl_ms;
        result->path = fake_copy_text (path);
        result->stat = node->stat;
    }
    return rc;
}

static int apply_delete_tree (const struct fake_op *op, cohort_op_result_t *result)
{
    const struct fake_node *top = fake_find (op->path);
    if (top == NULL) {
        return COHORT_ENONODE;
    }
    if (op->version != COHORT_ANY_VERSION && op->version != top->stat.version) {
        return COHORT_EBADVERSION;
    }
    for (size_t i = 0; i < fake_tree.nodes_count;) {
        const struct fake_node *node = &fake_tree.nodes[i];
        if (fake_is_in (node->path, op->path) && node->stat.child_count == 0) {
            char *path = fake_copy_text (node->path);
            assert_int_equal (fake_tree_delete (path, COHORT_ANY_VERSION), 0);
            free (path);
            result->value++;
            i = 0;
        } else {
            i++;
        }
    }
    return 0;
}

static int apply_add (const struct fake_op *op, const struct fake_node *node,
                      cohort_op_result_t *result)
{
    char text[32];
    char *end;
    if (node == NULL) {
        return COHORT_ENONODE;
    }
    int64_t sum = strtoll (node->data, &end, 10) + op->delta;
    if (*end != 0) {
        return COHORT_ENOTNUMBER;
    }
    if (sum < op->floor || sum > op->ceiling) {
        return COHORT_EBOUNDS;
    }
    snprintf (text, sizeof (text), "%lld", (long long) sum);
    result->value = sum;
    return fake_tree_set (op->path, text, strlen (text), COHORT_ANY_VERSION);
}

static int apply_check (const struct fake_op *op, const struct fake_node *node)
{
    if (op->kind == OP_CHECK_ABSENT) {
        return node == NULL ? 0 : COHORT_ENODEEXISTS;
    }
    if (node == NULL) {
        return COHORT_ENONODE;
    }
    if (op->kind == OP_CHECK_CZXID) {
        return node->stat.czxid == op->czxid ? 0 : COHORT_EBADCZXID;
    }
    if (op->kind == OP_CHECK_OWNER) {
        bool same = node->stat.ephemeral_owner == op->session && node->stat.ozxid == op->czxid;
        return same ? 0 : COHORT_EBADOWNER;
    }
    bool same = op->version == COHORT_ANY_VERSION || op->version == node->stat.version;
    return same ? 0 : COHORT_EBADVERSION;
}

static int apply_op (const struct fake_op *op, uint64_t session, cohort_op_result_t *result)
{
    const struct fake_node *node = fake_find (op->path);
    switch (op->kind) {
    case OP_CREATE:
        return apply_create (op, session, result);
    case OP_DELETE:
        if (node != NULL && node->stat.child_count > 0) {
            return COHORT_ENOTEMPTY;
        }
        return fake_tree_delete (op->path, op->version);
    case OP_DELETE_TREE:
        return apply_delete_tree (op, result);
    case OP_SET:
        return fake_tree_set (op->path, op->data, op->size, op->version);
    case OP_ADD:
        return apply_add (op, node, result);
    case OP_CHECK:
    case OP_CHECK_CZXID:
    case OP_CHECK_OWNER:
    case OP_CHECK_ABSENT:
        return apply_check (op, node);
    }
    fail ();
    return COHORT_EUNSUPPORTED;
}

void fake_results_clear (cohort_op_result_t *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free ((void *) results[i].path);
        results[i].path = NULL;
    }
}

int fake_txn_apply (const cohort_txn_t *txn, uint64_t session, cohort_op_result_t *results)
{
    size_t count = fake_tree.nodes_count;
    struct fake_node *saved = fake_must (calloc (count + 1, sizeof (*saved)));
    for (size_t i = 0; i < count; i++) {
        saved[i] = fake_tree.nodes[i];
        saved[i].path = fake_copy_text (fake_tree.nodes[i].path);
        saved[i].data = fake_copy (fake_tree.nodes[i].data, fake_tree.nodes[i].size);
    }
    fake_begin ();
    fake_tree.writes++;
    int rc = 0;
    for (size_t i = 0; i < txn->count; i++) {
        results[i] = (cohort_op_result_t){.rc = COHORT_EROLLEDBACK};
        if (rc == 0) {
            rc = apply_op (&txn->ops[i], session, &results[i]);
            results[i].rc = rc;
            const struct fake_node *node = fake_find (txn->ops[i].path);
            bool changed = txn->ops[i].kind == OP_SET || txn->ops[i].kind == OP_ADD;
            if (rc == 0 && node != NULL && changed) {
                results[i].stat = node->stat;
            }
        }
    }
    if (rc != 0) {
        for (size_t i = 0; i < txn->count; i++) {
            fake_results_clear (&results[i], 1);
            results[i].rc = results[i].rc == 0 ? COHORT_EROLLEDBACK : results[i].rc;
        }
        fake_forget_changes ();
        fake_free_nodes (fake_tree.nodes, fake_tree.nodes_count);
        memcpy (fake_tree.nodes, saved, count * sizeof (*saved));
        fake_tree.nodes_count = count;
    } else {
        fake_free_nodes (saved, count);
    }
    free (saved);
    fake_commit ();
    return rc;
}

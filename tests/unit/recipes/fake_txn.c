/* The transactions of the fake client: see fake_tree.h. */

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

static int apply_op (const struct fake_op *op, uint64_t session)
{
    const struct fake_node *node = fake_find (op->path);
    switch (op->kind) {
    case OP_CREATE:
        return fake_tree_create (op->path, op->data, op->size,
                                 (op->mode & COHORT_EPHEMERAL) ? session : 0);
    case OP_DELETE:
        return fake_tree_delete (op->path, op->version);
    case OP_SET:
        return fake_tree_set (op->path, op->data, op->size, op->version);
    case OP_CHECK_CZXID:
        return node == NULL ? COHORT_ENONODE : node->stat.czxid == op->czxid ? 0 : COHORT_EBADCZXID;
    }
    fail ();
    return COHORT_EUNSUPPORTED;
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
            rc = apply_op (&txn->ops[i], session);
            results[i].rc = rc;
            const struct fake_node *node = fake_find (txn->ops[i].path);
            if (rc == 0 && node != NULL) {
                results[i].stat = node->stat;
            }
        }
    }
    if (rc != 0) {
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

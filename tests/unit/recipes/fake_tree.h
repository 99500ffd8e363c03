/* The ensemble behind the fake client: one tree, changed by transactions. fake.c publishes their
 * changes to streams. Sizes are those of tests; memory running out aborts. */

#ifndef COHORT_TESTS_RECIPES_FAKE_TREE_H
#define COHORT_TESTS_RECIPES_FAKE_TREE_H

#include "cohort/client.h"
#include "tests/unit/unit.h"

#define FAKE_NODES_MAX   4096
#define FAKE_CHANGES_MAX 4096
#define FAKE_OPS_MAX     64

struct fake_node {
    char *path;
    char *data;
    size_t size;
    cohort_stat_t stat;
    uint64_t next; /* number of its next sequential child */
};

enum fake_op_kind {
    OP_CREATE,
    OP_DELETE,
    OP_DELETE_TREE,
    OP_SET,
    OP_ADD,
    OP_CHECK,
    OP_CHECK_CZXID,
    OP_CHECK_OWNER,
    OP_CHECK_ABSENT
};

struct fake_op {
    enum fake_op_kind kind;
    char *path;
    char *data;
    size_t size;
    int mode;
    bool if_absent;
    int64_t ttl_ms;
    int32_t version;
    uint64_t czxid; /* or ozxid */
    uint64_t session;
    int64_t delta, floor, ceiling;
};

struct cohort_txn {
    struct fake_op ops[FAKE_OPS_MAX];
    size_t count;
};

struct fake_tree {
    struct fake_node nodes[FAKE_NODES_MAX];
    size_t nodes_count;
    cohort_change_t changes[FAKE_CHANGES_MAX]; /* of the open transaction; own path and data */
    size_t changes_count;
    bool open;
    uint64_t zxid;
    size_t writes; /* transactions of clients */
};

extern struct fake_tree fake_tree;

void fake_tree_reset (void);

struct fake_node *fake_find (const char *path);

/* What a transaction does, one operation each; their changes are noted in the open one.
 * fake_tree_create needs a final name. */
int fake_tree_create (const char *path, const void *data, size_t size, int mode, uint64_t session);
int fake_tree_set (const char *path, const void *data, size_t size, int32_t version);
int fake_tree_delete (const char *path, int32_t version);

struct fake_node *fake_parent (const char *path);
bool fake_is_in (const char *path, const char *top);

void fake_forget_changes (void);
void fake_free_nodes (struct fake_node *nodes, size_t count);

/* Adds a copy of op, with copies of path and data. */
void fake_txn_add (cohort_txn_t *txn, struct fake_op op, const char *path, const void *data,
                   size_t size);
void fake_txn_clear (cohort_txn_t *txn);

/* All of it or nothing, with a result for each operation; the paths in them are the caller's, to be
 * freed with fake_results_clear. */
int fake_txn_apply (const cohort_txn_t *txn, uint64_t session, cohort_op_result_t *results);
void fake_results_clear (cohort_op_result_t *results, size_t count);

/* In fake_streams.c: the changes of the transaction that has just been made. */
void fake_publish (void);

void *fake_must (void *memory);
void *fake_copy (const void *data, size_t size);
char *fake_copy_text (const char *text);

#endif

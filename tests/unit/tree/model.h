/* A naive model of the replicated state: arrays, searched from the front, and copied as a whole to
 * undo a multi. What it says is what server/tree must do; nothing of it is shared with the tree
 * but the layout of entries and results. */

#ifndef COHORT_TESTS_TREE_MODEL_H
#define COHORT_TESTS_TREE_MODEL_H

#include "client/base/buf.h"
#include "server/tree/entry.h"
#include "server/tree/tree.h"

#define MODEL_NODES_MAX      600
#define MODEL_SESSIONS_MAX   64
#define MODEL_RESULTS_MAX    64
#define MODEL_PATH_MAX       200
#define MODEL_DATA_MAX       64
#define MODEL_RESULT_MAX     2048
#define MODEL_ID_MAX         64
#define MODEL_ITEMS_MAX      16
#define MODEL_IDENTITIES_MAX 8

/* Who somebody is, and whom a list means; schemes have the numbers of entries. */
struct model_identity {
    uint8_t scheme, size;
    uint8_t id[MODEL_ID_MAX];
};

struct model_identities {
    size_t count;
    struct model_identity items[MODEL_IDENTITIES_MAX];
};

struct model_item {
    uint8_t perms;
    struct model_identity who;
};

struct model_list {
    size_t count; /* 0: of a znode: open to all; of administrators, and as a default: none */
    struct model_item items[MODEL_ITEMS_MAX];
};

struct model_node {
    char path[MODEL_PATH_MAX];
    uint8_t data[MODEL_DATA_MAX];
    cohort_stat_t stat;
    uint64_t sequence;
    struct model_list acl;
    struct model_list inherited; /* the default of what is created below */
};

struct model_result {
    uint64_t number;
    size_t size;
    uint8_t bytes[MODEL_RESULT_MAX];
};

struct model_session {
    uint64_t id;
    uint8_t nonce[16], process[16];
    uint8_t password_hash[ENTRY_PASSWORD_HASH];
    uint32_t timeout_ms, grace_ms, incarnation, server;
    uint64_t attach_no, last, acked;
    bool condemned; /* an administrator has killed it */
    struct model_identities who;
    size_t results_count;
    struct model_result results[MODEL_RESULTS_MAX];
};

struct model_nodes {
    size_t count;
    struct model_node items[MODEL_NODES_MAX]; /* by path, component by component */
};

struct model {
    zxid_t zxid;
    int64_t stamp_ms;
    struct entry_limits limits;
    struct model_nodes nodes, before; /* before: of a multi */
    size_t sessions_count;
    struct model_session sessions[MODEL_SESSIONS_MAX];
    uint64_t last_session;
    uint64_t trimmed;   /* by the write under way */
    uint32_t crossed;   /* limits of quotas that warn, by it */
    uint64_t stores[2]; /* of members 1 and 2 */
    struct model_list admins;
};

/* What must be in the outcome. */
struct model_outcome {
    int code;
    bool executed, closed, gone, config_changed, admins_changed;
    uint64_t session, expected, killed;
    uint32_t crossed;
    bool has_result;
    struct model_result result;
};

struct model *model_new (const struct entry_limits *limits, zxid_t zxid, int64_t stamp_ms);
void model_destroy (struct model **self_p);
void model_apply (struct model *self, zxid_t zxid, int64_t stamp_ms, const struct entry *entry,
                  struct model_outcome *outcome);
struct model_session *model_session (struct model *self, uint64_t id);
struct model_node *model_node (struct model_nodes *nodes, const char *path);

/* Whether the order of a walk has a before b; also the order of nodes. */
int model_compare (const char *a, const char *b);
/* Inserts, in order; the path must not be there. */
struct model_node *model_insert (struct model_nodes *nodes, const char *path);
void model_remove (struct model_nodes *nodes, struct model_node *node);
/* The parent's path into out. */
void model_parent (const char *path, char out[MODEL_PATH_MAX]);

#endif

/* What the tests of server/tree share. */

#include "tests/unit/tree/fixture.h"

#include <stdio.h>

#include "server/tree/path.h"

#define TEXT_SIZE 1024

const struct entry_limits fixture_limits = {
    .data_size_max = 1 << 20,
    .path_size_max = 4096,
    .window = 8,
    .results_size_max = 1 << 20,
    .timeout_min_ms = 100,
    .timeout_max_ms = 100000,
    .grace_min_ms = 50,
};

void fixture_cluster (struct entry *entry, const struct entry_limits *limits)
{
    *entry = (struct entry){.kind = ENTRY_CLUSTER};
    memcpy (entry->u.cluster.cluster_id, "0123456789abcdef", 16);
    entry->u.cluster.config.count = 2;
    entry->u.cluster.config.members[0] = (struct config_member){1, CONFIG_VOTER, 11};
    entry->u.cluster.config.members[1] = (struct config_member){2, CONFIG_OBSERVER, 22};
    entry->u.cluster.limits = *limits;
}

void fixture_init_with (struct fixture *self, const struct tree_options *options,
                        const struct entry_limits *limits)
{
    *self = (struct fixture){.zxid = zxid_make (1, 0), .stamp_ms = 1000, .check = true};
    self->tree = tree_new (options);
    assert_non_null (self->tree);
    struct entry entry;
    fixture_cluster (&entry, limits);
    fixture_entry (self, &entry);
    assert_int_equal (self->outcome.code, 0);
    assert_true (self->outcome.config_changed);
}

void fixture_init (struct fixture *self, const struct tree_options *options)
{
    fixture_init_with (self, options, &fixture_limits);
}

void fixture_deinit (struct fixture *self)
{
    tree_destroy (&self->tree);
    assert_null (self->tree);
    buf_deinit (&self->entry);
}

/* What is foreseen of an entry is what is found by the same path. */
static void check_foreseen (const struct fixture *self)
{
    struct tree_key key = tree_key_of_entry (self->tree, self->entry.data, self->entry.size);
    tree_key_fetch (self->tree, &key);
    if (key.path != NULL) {
        struct tree_key same = tree_key_of (self->tree, key.path, key.path_size);
        assert_int_equal (key.hash, same.hash);
        assert_int_equal (self->entry.data[0], ENTRY_WRITE);
    }
}

void fixture_apply (struct fixture *self)
{
    assert_false (self->entry.failed);
    check_foreseen (self);
    self->zxid++;
    self->stamp_ms += 10;
    assert_true (tree_apply (self->tree, self->zxid, self->stamp_ms, self->entry.data,
                             self->entry.size, &self->outcome));
    assert_int_equal (tree_zxid (self->tree), self->zxid);
    assert_int_equal (tree_stamp_ms (self->tree), self->stamp_ms);
    if (self->check) {
        tree_check (self->tree);
    }
}

void fixture_entry (struct fixture *self, const struct entry *entry)
{
    buf_clear (&self->entry);
    entry_encode (&self->entry, entry);
    fixture_apply (self);
}

/* ---- Sessions ---------------------------------------------------------------------------- */

void fixture_nonce (uint8_t nonce[16], uint64_t name)
{
    memset (nonce, 0x5a, 16);
    bytes_put_u64 (nonce, name);
}

void fixture_password (uint8_t hash[ENTRY_PASSWORD_HASH], uint64_t password)
{
    uint8_t bytes[16] = {0};
    bytes_put_u64 (bytes, password);
    tree_password_hash (bytes, hash);
}

void fixture_create_session (struct fixture *self, uint64_t name, uint64_t attach_no,
                             uint32_t server, uint64_t password)
{
    struct entry entry = {.kind = ENTRY_CREATE_SESSION};
    entry.u.create_session = (struct entry_create_session){
        .timeout_ms = 10000,
        .grace_ms = 1000,
        .server = server,
        .attach_no = attach_no,
    };
    fixture_nonce (entry.u.create_session.nonce, name);
    fixture_password (entry.u.create_session.password_hash, password);
    fixture_entry (self, &entry);
}

uint64_t fixture_session (struct fixture *self, uint64_t name)
{
    fixture_create_session (self, name, 1, 1, name + 1000);
    assert_int_equal (self->outcome.code, 0);
    return self->outcome.session;
}

void fixture_attach (struct fixture *self, uint64_t session, uint32_t incarnation,
                     uint64_t attach_no, uint32_t server, uint64_t process)
{
    struct session *found = session_find (&self->tree->sessions, session);
    struct entry entry = {.kind = ENTRY_ATTACH};
    entry.u.attach = (struct entry_attach){
        .session = session,
        .attach_no = attach_no,
        .incarnation = incarnation,
        .server = server,
    };
    if (found != NULL) {
        memcpy (entry.u.attach.password_hash, found->password_hash, ENTRY_PASSWORD_HASH);
    }
    fixture_nonce (entry.u.attach.nonce, process);
    fixture_entry (self, &entry);
}

void fixture_close (struct fixture *self, uint64_t session, uint64_t attach_no,
                    uint32_t incarnation, enum entry_close_reason reason)
{
    struct entry entry = {.kind = ENTRY_CLOSE};
    entry.u.close = (struct entry_close){
        .session = session,
        .attach_no = attach_no,
        .incarnation = incarnation,
        .reason = reason,
    };
    fixture_entry (self, &entry);
}

void fixture_reap (struct fixture *self, uint64_t session)
{
    struct entry entry = {.kind = ENTRY_REAP, .u.reap.session = session};
    fixture_entry (self, &entry);
}

/* ---- Writes ------------------------------------------------------------------------------ */

void fixture_write (struct fixture *self, const struct entry_write *write, const struct op *ops)
{
    struct entry entry = {.kind = ENTRY_WRITE, .u.write = *write};
    buf_clear (&self->entry);
    entry_encode (&self->entry, &entry);
    for (uint32_t i = 0; i < write->count; i++) {
        op_encode (&self->entry, &ops[i]);
    }
    fixture_apply (self);
}

static int write_next (struct fixture *self, uint64_t session, const struct op *ops, uint32_t count,
                       bool multi)
{
    struct tree_session known;
    assert_true (tree_session (self->tree, session, &known));
    struct entry_write write = {
        .session = session,
        .incarnation = known.incarnation,
        .number = known.last_number + 1,
        .ack_to = known.last_number,
        .multi = multi,
        .count = count,
    };
    fixture_write (self, &write, ops);
    assert_true (self->outcome.executed);
    struct result result;
    assert_true (result_decode (&result, self->outcome.result, self->outcome.result_size));
    assert_int_equal (result.code, self->outcome.code);
    assert_int_equal (result.zxid, self->zxid);
    assert_int_equal (result.count, count);
    return self->outcome.code;
}

int fixture_op (struct fixture *self, uint64_t session, const struct op *op)
{
    return write_next (self, session, op, 1, false);
}

int fixture_multi (struct fixture *self, uint64_t session, const struct op *ops, uint32_t count)
{
    return write_next (self, session, ops, count, true);
}

struct op op_with_acl (struct op op, const char *user, int perms)
{
    static uint8_t lists[4][ACL_SIZE_MAX];
    static size_t next;
    struct buf list = {0};
    const char *who = perms != 0 ? user : "nobody:at-all";
    struct acl_item item = {
        .perms = (uint8_t) (perms != 0 ? perms : COHORT_PERM_ALL),
        .identity = {IDENTITY_DIGEST, (const uint8_t *) who, (uint8_t) strlen (who)},
    };
    acl_item_encode (&list, &item);
    uint8_t *bytes = lists[next++ % 4];
    memcpy (bytes, list.data, list.size);
    op.acl = bytes;
    op.acl_size = (uint32_t) list.size;
    buf_deinit (&list);
    return op;
}

struct op op_set_acl_of (const char *path, const char *user, int perms)
{
    struct op op = {.kind = OP_SET_ACL, .path = path, .version = COHORT_ANY_VERSION};
    op.path_size = (uint32_t) strlen (path);
    return op_with_acl (op, user, perms);
}

int fixture_prove (struct fixture *self, uint64_t session, const char *user)
{
    struct buf bytes = {0};
    identity_encode (&bytes, &(struct identity){IDENTITY_DIGEST, (const uint8_t *) user,
                                                (uint8_t) strlen (user)});
    struct op op = {.kind = OP_ADD_AUTH, .data = bytes.data, .data_size = (uint32_t) bytes.size};
    int rc = fixture_op (self, session, &op);
    buf_deinit (&bytes);
    return rc;
}

struct op op_giving (const struct fixture *self, uint64_t from, uint64_t to)
{
    static uint8_t tokens[4][ENTRY_TOKEN_SIZE];
    static size_t next;
    uint8_t *token = tokens[next++ % 4];
    const struct session *receiver = session_find (&self->tree->sessions, to);
    assert_non_null (receiver);
    hand_over_token (from, to, receiver->password_hash, token);
    return (struct op){.kind = OP_HAND_OVER, .session = to, .token = token};
}

struct op op_create (const char *path, const char *data, uint8_t mode)
{
    return (struct op){
        .kind = OP_CREATE,
        .path = path,
        .path_size = (uint32_t) strlen (path),
        .data = (const uint8_t *) data,
        .data_size = (uint32_t) strlen (data),
        .mode = mode,
    };
}

struct op op_delete (const char *path, int32_t version)
{
    return (struct op){
        .kind = OP_DELETE,
        .path = path,
        .path_size = (uint32_t) strlen (path),
        .version = version,
    };
}

struct op op_set (const char *path, const char *data, int32_t version)
{
    return (struct op){
        .kind = OP_SET,
        .path = path,
        .path_size = (uint32_t) strlen (path),
        .data = (const uint8_t *) data,
        .data_size = (uint32_t) strlen (data),
        .version = version,
    };
}

struct op op_check (const char *path, int32_t version)
{
    return (struct op){
        .kind = OP_CHECK_VERSION,
        .path = path,
        .path_size = (uint32_t) strlen (path),
        .version = version,
    };
}

int fixture_create (struct fixture *self, uint64_t session, const char *path, const char *data,
                    uint8_t mode)
{
    struct op op = op_create (path, data, mode);
    return fixture_op (self, session, &op);
}

int fixture_delete (struct fixture *self, uint64_t session, const char *path, int32_t version)
{
    struct op op = op_delete (path, version);
    return fixture_op (self, session, &op);
}

int fixture_set (struct fixture *self, uint64_t session, const char *path, const char *data,
                 int32_t version)
{
    struct op op = op_set (path, data, version);
    return fixture_op (self, session, &op);
}

/* ---- Results and reads ------------------------------------------------------------------- */

struct result_op fixture_result (const struct fixture *self, uint32_t i)
{
    struct result result;
    assert_true (result_decode (&result, self->outcome.result, self->outcome.result_size));
    assert_true (i < result.count);
    struct result_op op;
    do {
        assert_true (result_op_decode (&op, &result.ops));
    } while (i-- > 0);
    return op;
}

void fixture_expect_path (const struct fixture *self, uint32_t i, const char *path)
{
    struct result_op op = fixture_result (self, i);
    assert_true (op.has_path);
    assert_int_equal (op.path_size, strlen (path));
    assert_memory_equal (op.path, path, op.path_size);
}

cohort_stat_t fixture_stat (const struct fixture *self, const char *path)
{
    struct tree_node node;
    assert_int_equal (tree_get (self->tree, path, strlen (path), &node), 0);
    assert_string_equal (node.path, path);
    assert_int_equal (node.stat.data_size, node.data_size);
    return node.stat;
}

bool fixture_exists (const struct fixture *self, const char *path)
{
    struct tree_node node;
    return tree_get (self->tree, path, strlen (path), &node) == 0;
}

static bool add_name (void *arg, const struct tree_child *child)
{
    char *out = arg;
    size_t size = child->name_size;
    size_t used = strlen (out);
    assert_true (used + size + 2 < TEXT_SIZE);
    if (used > 0) {
        out[used++] = ' ';
    }
    memcpy (out + used, child->name, size);
    out[used + size] = 0;
    return true;
}

const char *fixture_children (const struct fixture *self, const char *path, char *out)
{
    out[0] = 0;
    struct tree_list all = {0};
    fixture_list (self, path, &all, out);
    return out;
}

size_t fixture_list (const struct fixture *self, const char *path, const struct tree_list *list,
                     char *out)
{
    struct tree_name next;
    out[0] = 0;
    assert_int_equal (tree_children (self->tree, path, strlen (path), list, add_name, out, &next),
                      0);
    if (next.size > 0) {
        size_t used = strlen (out);
        snprintf (out + used, TEXT_SIZE - used, " ...%.*s", (int) next.size, next.name);
    }
    return next.size;
}

/* ---- States as bytes --------------------------------------------------------------------- */

static bool dump_node (void *arg, const struct tree_node *node)
{
    struct buf *out = arg;
    buf_string (out, node->path);
    buf_blob (out, node->data, node->data_size);
    result_stat_encode (out, &node->stat);
    return true;
}

static void dump_session (const struct tree *tree, const struct tree_session *session,
                          struct buf *out)
{
    buf_u64 (out, session->id);
    buf_u32 (out, session->timeout_ms);
    buf_u32 (out, session->grace_ms);
    buf_u32 (out, session->incarnation);
    buf_u64 (out, session->attach_no);
    buf_u32 (out, session->server);
    buf_u64 (out, session->last_number);
    buf_u64 (out, session->acked);
    buf_u64 (out, session->ephemerals);
    buf_u8 (out, session->dead);
    for (uint64_t number = session->acked + 1; number <= session->last_number; number++) {
        size_t size;
        const uint8_t *result = tree_session_result (tree, session->id, number, &size);
        assert_true (session->dead || result != NULL);
        if (result != NULL) {
            buf_blob (out, result, size);
        }
    }
}

void fixture_renew (struct tree *tree, struct znode *znode, const char *path)
{
    uint64_t name = tree_path_hash (PATH_HASH_ROOT, path, strlen (path), NULL);
    tree->digest -= digest_share (name, znode->stat_digest);
    znode->stat_digest = digest_stat (znode);
    tree->digest += digest_share (name, znode->stat_digest);
}

void fixture_dump (const struct tree *tree, struct buf *out)
{
    buf_u64 (out, tree_zxid (tree));
    buf_i64 (out, tree_stamp_ms (tree));
    buf_u8 (out, tree_level (tree));
    if (tree_level (tree) > 0) {
        buf_append (out, tree_cluster_id (tree), 16);
        uint8_t scalars[IMAGE_SCALARS_SIZE_MAX];
        size_t size = image_scalars_bytes (&tree->scalars, scalars);
        buf_append (out, scalars, size);
    }
    buf_u64 (out, tree_node_count (tree));
    assert_int_equal (tree_walk (tree, "/", 1, NULL, dump_node, out), 0);
    for (struct map_node *at = map_first (&tree->znodes); at != NULL;
         at = map_next (&tree->znodes, at)) {
        /* What no read shows, in an order that does not matter. */
        struct znode *znode = map_entry (at, struct znode, node);
        assert_int_equal (znode->parent == NULL, znode == tree->root);
    }
    buf_u64 (out, tree_session_count (tree));
    struct tree_session session = {0};
    while (tree_session_next (tree, session.id, &session)) {
        dump_session (tree, &session, out);
    }
    buf_u64 (out, tree_digest (tree));
    assert_false (out->failed);
}

void fixture_save (struct tree *tree, struct buf *out)
{
    struct tree_snapshot *snapshot = tree_snapshot_begin (tree);
    assert_non_null (snapshot);
    assert_int_equal (tree_snapshot_zxid (snapshot), tree_zxid (tree));
    while (tree_snapshot_next (snapshot, out, 1000)) {
    }
    assert_false (out->failed);
    tree_snapshot_end (&snapshot);
    assert_null (snapshot);
}

struct tree *fixture_load (const uint8_t *data, size_t size)
{
    struct tree_loader *loader = tree_loader_new (NULL);
    assert_non_null (loader);
    if (!tree_loader_feed (loader, data, size)) {
        tree_loader_destroy (&loader);
        return NULL;
    }
    struct tree *tree = tree_loader_finish (&loader);
    assert_null (loader);
    return tree;
}

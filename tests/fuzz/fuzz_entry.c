/* The requests in the log, decoded from any bytes. There is one way to write an entry: what decodes
 * is encoded to the very same bytes. */

#include <string.h>

#include "cohort/types.h"
#include "server/tree/entry.h"
#include "tests/fuzz/fuzz.h"

static void encode_operations (struct buf *out, const struct entry_write *write)
{
    struct reader ops = write->ops;
    for (uint32_t i = 0; i < write->count; i++) {
        struct op op;
        COHORT_ASSERT (op_decode (&op, &ops));
        op_encode (out, &op);
    }
    COHORT_ASSERT (reader_done (&ops));
}

static void encode_items (struct buf *out, const struct entry_lapse *lapse)
{
    struct reader items = lapse->items;
    for (uint32_t i = 0; i < lapse->count; i++) {
        struct lapse_item item;
        COHORT_ASSERT (lapse_decode (&item, &items));
        lapse_encode (out, item.path, item.path_size, item.czxid);
    }
}

static void one (const uint8_t *data, size_t size)
{
    struct entry entry;
    uint64_t session = 0, number = 0;
    bool write = entry_peek_write (data, size, &session, &number);
    if (!entry_decode (&entry, data, size)) {
        return;
    }
    struct buf out = {0};
    entry_encode (&out, &entry);
    COHORT_ASSERT (write == (entry.kind == ENTRY_WRITE));
    if (write) {
        COHORT_ASSERT (session == entry.u.write.session);
        COHORT_ASSERT (number == entry.u.write.number);
        encode_operations (&out, &entry.u.write);
    }
    if (entry.kind == ENTRY_LAPSE) {
        encode_items (&out, &entry.u.lapse);
    }
    COHORT_ASSERT (out.size == size);
    COHORT_ASSERT (memcmp (out.data, data, size) == 0);
    buf_deinit (&out);
}

/* ---- Seeds ----------------------------------------------------------------------------------- */

static void add_entry (fuzz_seed_fn *add, void *arg, const char *name, const struct entry *entry,
                       const struct op *ops, uint32_t count)
{
    struct buf out = {0};
    entry_encode (&out, entry);
    for (uint32_t i = 0; i < count; i++) {
        op_encode (&out, &ops[i]);
    }
    COHORT_ASSERT (!out.failed);
    add (arg, name, out.data, out.size);
    buf_deinit (&out);
}

static void add_writes (fuzz_seed_fn *add, void *arg)
{
    static const struct op ops[] = {
        {.kind = OP_CREATE,
         .path = "/a",
         .path_size = 2,
         .data = (const uint8_t *) "x",
         .data_size = 1,
         .mode = 1},
        {.kind = OP_DELETE, .path = "/b", .path_size = 2, .version = -1},
        {.kind = OP_DELETE_IF_PRESENT, .path = "/b", .path_size = 2, .version = 3},
        {.kind = OP_SET, .path = "/c", .path_size = 2, .version = 5},
        {.kind = OP_CHECK_VERSION, .path = "/d", .path_size = 2, .version = 6},
        {.kind = OP_CHECK_CZXID, .path = "/e", .path_size = 2, .czxid = 7},
        {.kind = OP_CHECK_OWNER, .path = "/f", .path_size = 2, .session = 3, .ozxid = 4},
        {.kind = OP_CHECK_ABSENT, .path = "/g", .path_size = 2},
        {.kind = OP_ADD, .path = "/h", .path_size = 2, .delta = -5, .floor = -9, .ceiling = 9},
        {.kind = OP_DELETE_TREE, .path = "/i", .path_size = 2, .version = 8, .limit = 1000},
    };
    static const uint8_t acl[] = {COHORT_PERM_ALL,  IDENTITY_DIGEST, 3, 'a', ':', 'h',
                                  COHORT_PERM_READ, IDENTITY_WORLD,  0};
    static const struct op set_acl = {.kind = OP_SET_ACL,
                                      .path = "/j",
                                      .path_size = 2,
                                      .version = 1,
                                      .inherited = true,
                                      .acl = acl,
                                      .acl_size = sizeof (acl)};
    static const struct op add_auth = {.kind = OP_ADD_AUTH, .data = acl + 1, .data_size = 5};
    static const struct op admins = {.kind = OP_SET_ADMINS, .acl = acl, .acl_size = 6};
    static const struct op kill = {.kind = OP_KILL_SESSION, .session = 9};
    static const uint8_t token[ENTRY_TOKEN_SIZE] = {1};
    static const struct op hand_over = {.kind = OP_HAND_OVER, .session = 9, .token = token};
    static const struct op close = {.kind = OP_CLOSE_SESSION}, reject = {.kind = OP_REJECT};
    struct entry entry = {.kind = ENTRY_WRITE,
                          .u.write = {.session = 1, .incarnation = 1, .number = 2, .count = 1}};
    add_entry (add, arg, "write", &entry, ops, 1);
    add_entry (add, arg, "write-close", &entry, &close, 1);
    add_entry (add, arg, "write-reject", &entry, &reject, 1);
    add_entry (add, arg, "write-set-acl", &entry, &set_acl, 1);
    add_entry (add, arg, "write-add-auth", &entry, &add_auth, 1);
    add_entry (add, arg, "write-set-admins", &entry, &admins, 1);
    add_entry (add, arg, "write-kill", &entry, &kill, 1);
    add_entry (add, arg, "write-hand-over", &entry, &hand_over, 1);
    entry.u.write.multi = true;
    entry.u.write.count = 9;
    add_entry (add, arg, "write-multi", &entry, ops, 9);
}

static void seeds (fuzz_seed_fn *add, void *arg)
{
    struct entry cluster = {.kind = ENTRY_CLUSTER};
    cluster.u.cluster.config.count = 2;
    cluster.u.cluster.config.members[0] = (struct config_member){1, CONFIG_VOTER, 11};
    cluster.u.cluster.config.members[1] = (struct config_member){2, CONFIG_OBSERVER, 22};
    cluster.u.cluster.limits = (struct entry_limits){1, 1, 1, 1, 0, 1, 0};
    add_entry (add, arg, "cluster", &cluster, NULL, 0);
    struct entry store = {.kind = ENTRY_MEMBER_STORE, .u.member_store = {1, 11, 12}};
    add_entry (add, arg, "member-store", &store, NULL, 0);
    struct entry create = {.kind = ENTRY_CREATE_SESSION, .u.create_session = {.timeout_ms = 9}};
    add_entry (add, arg, "create-session", &create, NULL, 0);
    struct entry attach = {.kind = ENTRY_ATTACH, .u.attach = {.session = 1, .incarnation = 1}};
    add_entry (add, arg, "attach", &attach, NULL, 0);
    struct entry close = {.kind = ENTRY_CLOSE, .u.close = {1, 1, 1, ENTRY_EXPIRED}};
    add_entry (add, arg, "close", &close, NULL, 0);
    struct entry reap = {.kind = ENTRY_REAP, .u.reap = {1}};
    add_entry (add, arg, "reap", &reap, NULL, 0);
    static const uint8_t list[] = {COHORT_PERM_ALL, IDENTITY_DIGEST, 3, 'a', ':', 'h'};
    struct entry admins = {.kind = ENTRY_ADMINS, .u.admins = {list, sizeof (list)}};
    add_entry (add, arg, "admins", &admins, NULL, 0);
    admins.kind = ENTRY_REPLACE_ADMINS;
    add_entry (add, arg, "replace-admins", &admins, NULL, 0);
    struct buf lapse = {0};
    struct entry lapses = {.kind = ENTRY_LAPSE, .u.lapse = {.count = 1}};
    entry_encode (&lapse, &lapses);
    lapse_encode (&lapse, "/a", 2, 7);
    add (arg, "lapse", lapse.data, lapse.size);
    buf_deinit (&lapse);
    add_writes (add, arg);
}

const struct fuzz_target fuzz_target = {
    .name = "entry",
    .size_max = 4096,
    .memory_base = 1024,
    .memory_factor = 8,
    .one = one,
    .seeds = seeds,
};

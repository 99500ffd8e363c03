/* Random entries for test_property.c. */

#include "tests/unit/tree/property.h"

#include <stdio.h>
#include <string.h>

#include "server/tree/quota.h"

/* A quota of some path, or what is beside it. */
static void random_quota_path (struct run *run, char *out)
{
    static const char *const targets[] = {"", "/a", "/b", "/a/b", "/a/a0000000000"};
    static const char *const names[] = {"/zookeeper_limits", "/zookeeper_limits",
                                        "/zookeeper_stats", ""};
    struct prng *prng = &run->prng;
    snprintf (out, MODEL_PATH_MAX, "/zookeeper/quota%s%s", targets[prng_below (prng, 5)],
              names[prng_below (prng, 4)]);
}

/* Limits that a few znodes reach; now and then none at all. */
static uint32_t random_limits (struct run *run, uint8_t data[MODEL_DATA_MAX])
{
    static const char *const names[] = {"count", "bytes", "countHardLimit", "byteHardLimit"};
    struct prng *prng = &run->prng;
    char *text = (char *) data;
    size_t used = 0;
    for (int i = 0; i < 4; i++) {
        if (prng_chance (prng, 1, 2) && used < 36) {
            int most = i % 2 == 0 ? 12 : 60;
            used += (size_t) snprintf (text + used, MODEL_DATA_MAX - used, "%s%s=%d",
                                       used > 0 ? "," : "", names[i],
                                       (int) prng_below (prng, (uint64_t) most) - 1);
        }
    }
    if (prng_chance (prng, 1, 20)) {
        used = (size_t) snprintf (text, MODEL_DATA_MAX, "acount=1");
    }
    return (uint32_t) used;
}

void random_path (struct run *run, char *out)
{
    static const char *const names[] = {"a", "b", "c", "a0000000000", "b0000000001", "-"};
    static const char *const bad[] = {"", "a", "//", "/a/", "/a//b", "/.", "/a/..", "/a/./b"};
    struct prng *prng = &run->prng;
    if (prng_chance (prng, 1, 60)) {
        snprintf (out, MODEL_PATH_MAX, "%s", bad[prng_below (prng, 8)]);
        return;
    }
    if (prng_chance (prng, 1, 12)) {
        random_quota_path (run, out);
        return;
    }
    if (prng_chance (prng, 1, 2)) {
        /* One that is there. */
        size_t at = prng_below (prng, run->model->nodes.count);
        snprintf (out, MODEL_PATH_MAX, "%s", run->model->nodes.items[at].path);
        return;
    }
    size_t used = 0;
    for (uint64_t depth = prng_between (prng, 1, 3); depth > 0; depth--) {
        used += (size_t) snprintf (out + used, MODEL_PATH_MAX - used, "/%s",
                                   names[prng_below (prng, 6)]);
    }
}

uint64_t random_session (struct run *run)
{
    struct model *model = run->model;
    if (model->sessions_count == 0 || prng_chance (&run->prng, 1, 40)) {
        return prng_between (&run->prng, 0, model->last_session + 1);
    }
    return model->sessions[prng_below (&run->prng, model->sessions_count)].id;
}

/* Mostly with the consent of a session that lives. */
static void random_hand_over (struct run *run, uint64_t from, struct op *op, unsigned slot)
{
    op->kind = OP_HAND_OVER;
    op->session = random_session (run);
    op->token = run->tokens[slot];
    const struct model_session *to = model_session (run->model, op->session);
    if (to != NULL) {
        hand_over_token (from, to->id, to->password_hash, run->tokens[slot]);
        run->tokens[slot][0] ^= prng_chance (&run->prng, 1, 20);
    }
}

/* ---- Who may do what --------------------------------------------------------------------- */

static void random_identity (struct run *run, struct buf *out, bool in_list)
{
    static const char *const users[] = {"root:x", "anna:y", "bob:z"};
    struct prng *prng = &run->prng;
    uint8_t bytes[IDENTITY_CURVE_SIZE] = {[10] = 0xff, [11] = 0xff, [12] = 10};
    struct identity who = {.scheme = IDENTITY_DIGEST};
    uint64_t dice = prng_below (prng, 8);
    if (dice < 5) {
        const char *user = users[prng_below (prng, 3)];
        who.id = (const uint8_t *) user;
        who.size = (uint8_t) strlen (user);
    } else if (dice < 7) {
        /* 10.0.0.0 to 10.0.0.3, and networks of them */
        who.scheme = IDENTITY_IP;
        who.id = bytes;
        who.size = IDENTITY_IP_SIZE + in_list;
        bytes[IDENTITY_IP_SIZE - 1] = (uint8_t) prng_below (prng, 4);
        bytes[IDENTITY_IP_SIZE] = (uint8_t) (128 - prng_below (prng, 3));
    } else {
        who.scheme = IDENTITY_CURVE;
        who.id = bytes;
        who.size = IDENTITY_CURVE_SIZE;
        bytes[0] = (uint8_t) prng_below (prng, 2);
    }
    identity_encode (out, &who);
}

static void random_item (struct run *run, struct buf *list)
{
    static const uint8_t few[] = {COHORT_PERM_READ, COHORT_PERM_READ | COHORT_PERM_WRITE,
                                  COHORT_PERM_CREATE | COHORT_PERM_DELETE, COHORT_PERM_ADMIN};
    struct prng *prng = &run->prng;
    buf_u8 (list, prng_chance (prng, 2, 3) ? COHORT_PERM_ALL : few[prng_below (prng, 4)]);
    uint64_t dice = prng_below (prng, 10);
    if (dice < 6) {
        buf_u8 (list, prng_chance (prng, 1, 3) ? IDENTITY_AUTH : IDENTITY_WORLD);
        buf_u8 (list, 0);
    } else {
        random_identity (run, list, true);
    }
}

/* Now and then one that is none; and what stands at the top would stop everything. */
static void random_list (struct run *run, struct op *op, unsigned slot)
{
    struct prng *prng = &run->prng;
    struct buf list = {0};
    uint64_t items = prng_between (prng, 1, 3);
    bool top = op->path_size <= 2;
    for (uint64_t i = 0; i < items && !top; i++) {
        random_item (run, &list);
    }
    if (top || prng_chance (prng, 1, 2)) {
        buf_u8 (&list, COHORT_PERM_ALL);
        buf_u8 (&list, IDENTITY_WORLD);
        buf_u8 (&list, 0);
    }
    if (prng_chance (prng, 1, 25)) {
        list.data[prng_below (prng, 3)] ^= (uint8_t) prng_between (prng, 32, 255);
    }
    assert_true (list.size <= LIST_MAX);
    memcpy (run->lists[slot], list.data, list.size);
    op->acl = run->lists[slot];
    op->acl_size = (uint32_t) list.size;
    buf_deinit (&list);
}

static void random_set_acl (struct run *run, struct op *op, unsigned slot)
{
    struct prng *prng = &run->prng;
    const struct model_node *node = model_node (&run->model->nodes, run->paths[slot]);
    op->kind = OP_SET_ACL;
    op->path_size = (uint32_t) strlen (op->path);
    op->inherited = prng_chance (prng, 1, 3);
    op->version = prng_chance (prng, 2, 3) ? -1 : node != NULL ? node->stat.aversion : 0;
    if (!op->inherited || prng_chance (prng, 2, 3)) {
        random_list (run, op, slot);
    }
}

/* All with all permissions, of those that prove something. */
static void random_admins (struct run *run, struct buf *list)
{
    for (uint64_t i = prng_between (&run->prng, 1, 2); i > 0; i--) {
        buf_u8 (list, COHORT_PERM_ALL);
        random_identity (run, list, true);
    }
}

/* What stands alone. */
static void random_alone (struct run *run, struct op *op, unsigned slot)
{
    struct prng *prng = &run->prng;
    struct buf bytes = {0};
    switch (prng_below (prng, 6)) {
    case 0:
        op->kind = OP_CLOSE_SESSION;
        break;
    case 1:
        op->kind = OP_REJECT;
        op->code = COHORT_EQUOTA;
        break;
    case 2:
        op->kind = OP_SET_ADMINS;
        random_admins (run, &bytes);
        memcpy (run->lists[slot], bytes.data, bytes.size);
        op->acl = run->lists[slot];
        op->acl_size = prng_chance (prng, 1, 10) ? 0 : (uint32_t) bytes.size;
        break;
    case 3:
        op->kind = OP_KILL_SESSION;
        op->session = random_session (run);
        break;
    default:
        op->kind = OP_ADD_AUTH;
        random_identity (run, &bytes, false);
        memcpy (run->data[slot], bytes.data, bytes.size);
        op->data_size = (uint32_t) bytes.size;
        break;
    }
    buf_deinit (&bytes);
}

/* What a connection shows. */
static void random_origin (struct run *run, struct buf *origin)
{
    uint8_t bytes[IDENTITY_CURVE_SIZE] = {[10] = 0xff, [11] = 0xff, [12] = 10};
    struct prng *prng = &run->prng;
    if (prng_chance (prng, 3, 4)) {
        bytes[IDENTITY_IP_SIZE - 1] = (uint8_t) prng_below (prng, 4);
        identity_encode (origin, &(struct identity){IDENTITY_IP, bytes, IDENTITY_IP_SIZE});
    }
    if (prng_chance (prng, 1, 4)) {
        memset (bytes, 0, sizeof (bytes));
        bytes[0] = (uint8_t) prng_below (prng, 2);
        identity_encode (origin, &(struct identity){IDENTITY_CURVE, bytes, IDENTITY_CURVE_SIZE});
    }
}

/* ---- Writes ------------------------------------------------------------------------------ */

static void random_op (struct run *run, uint64_t session, struct op *op, unsigned slot)
{
    struct prng *prng = &run->prng;
    *op = (struct op){.path = run->paths[slot], .data = run->data[slot], .version = -1};
    random_path (run, run->paths[slot]);
    struct model_node *node = model_node (&run->model->nodes, run->paths[slot]);
    for (size_t i = 0; i < MODEL_DATA_MAX; i++) {
        run->data[slot][i] = (uint8_t) prng_u64 (prng);
    }
    op->data_size = (uint32_t) prng_below (prng, prng_chance (prng, 1, 4) ? MODEL_DATA_MAX : 12);
    if (prng_chance (prng, 1, 3)) {
        op->version = node != NULL && prng_chance (prng, 3, 4) ? node->stat.version
                                                               : (int32_t) prng_below (prng, 3);
    }
    if (prng_chance (prng, 1, 15)) {
        random_hand_over (run, session, op, slot);
        return;
    }
    if (prng_chance (prng, 1, 15)) {
        random_set_acl (run, op, slot);
        return;
    }
    switch (prng_below (prng, 15)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        op->kind = OP_CREATE;
        op->mode = (uint8_t) prng_below (prng, prng_chance (prng, 1, 3) ? 9 : 4);
        op->if_absent = prng_chance (prng, 1, 6);
        op->ttl_ms = prng_chance (prng, 1, 5) ? prng_between (prng, 1, 400) : 0;
        if (prng_chance (prng, 1, 6)) {
            op->data_size = (uint32_t) snprintf ((char *) run->data[slot], MODEL_DATA_MAX, "%lld",
                                                 (long long) prng_u64 (prng));
        }
        if (prng_chance (prng, 1, 8)) {
            random_list (run, op, slot);
        }
        if ((op->mode & COHORT_SEQUENTIAL) != 0 && prng_chance (prng, 1, 3)) {
            snprintf (run->paths[slot] + strlen (run->paths[slot]), 2, "/");
        }
        break;
    case 5:
    case 6:
    case 7:
        op->kind = prng_chance (prng, 1, 3) ? OP_DELETE_IF_PRESENT : OP_DELETE;
        break;
    case 8:
    case 9:
        op->kind = OP_SET;
        break;
    case 10:
        op->kind = OP_CHECK_VERSION;
        break;
    case 11:
        op->kind = OP_CHECK_ABSENT;
        break;
    case 12:
        op->kind = OP_DELETE_TREE;
        op->limit = (uint32_t) prng_below (prng, 4);
        break;
    case 13:
        op->kind = OP_ADD;
        op->delta = prng_chance (prng, 1, 6) ? (int64_t) prng_u64 (prng)
                                             : (int64_t) prng_below (prng, 20) - 10;
        op->floor = prng_chance (prng, 1, 2) ? -5 : INT64_MIN;
        op->ceiling = prng_chance (prng, 1, 2) ? 100 : INT64_MAX;
        break;
    default:
        op->kind = prng_chance (prng, 1, 2) ? OP_CHECK_CZXID : OP_CHECK_OWNER;
        op->czxid = node != NULL ? node->stat.czxid : 1;
        op->session = node != NULL ? node->stat.ephemeral_owner : 1;
        op->ozxid = node != NULL ? node->stat.ozxid + prng_below (prng, 2) : 1;
    }
    op->path_size = (uint32_t) strlen (op->path);
    if (quota_is_limits (op->path, op->path_size) && prng_chance (prng, 7, 8)) {
        op->data_size = random_limits (run, run->data[slot]);
    }
}

static void build_write (struct run *run)
{
    struct prng *prng = &run->prng;
    struct entry entry = {.kind = ENTRY_WRITE};
    struct entry_write *write = &entry.u.write;
    write->session = random_session (run);
    struct model_session *session = model_session (run->model, write->session);
    write->incarnation = session != NULL ? session->incarnation : 1;
    uint64_t last = session != NULL ? session->last : 0;
    write->number = last + 1;
    write->ack_to = last;
    if (prng_chance (prng, 1, 3)) {
        write->ack_to = prng_between (prng, last > 3 ? last - 3 : 0, last + 1);
    }
    if (prng_chance (prng, 1, 10)) {
        write->ack_to = 0;
    }
    if (prng_chance (prng, 1, 10)) {
        write->number = prng_between (prng, last > 5 ? last - 5 : 0, last + 3);
    }
    if (prng_chance (prng, 1, 30)) {
        write->incarnation += (uint32_t) prng_below (prng, 3) - 1;
    }
    write->multi = prng_chance (prng, 1, 3);
    write->count = write->multi ? (uint32_t) prng_below (prng, OPS_MAX) : 1;
    buf_clear (&run->f.entry);
    entry_encode (&run->f.entry, &entry);
    for (unsigned i = 0; i < write->count; i++) {
        struct op op;
        random_op (run, write->session, &op, i);
        if (!write->multi && prng_chance (prng, 1, 25)) {
            random_alone (run, &op, i);
        }
        op_encode (&run->f.entry, &op);
    }
}

static void build_session (struct run *run)
{
    struct prng *prng = &run->prng;
    struct entry entry = {.kind = ENTRY_CREATE_SESSION};
    struct entry_create_session *create = &entry.u.create_session;
    uint64_t name = prng_below (prng, 8);
    fixture_nonce (create->nonce, name);
    fixture_password (create->password_hash, name + (prng_chance (prng, 1, 20) ? 1 : 0));
    create->timeout_ms = (uint32_t) prng_below (prng, 200000);
    create->grace_ms = (uint32_t) prng_below (prng, 4) * 100;
    create->attach_no = prng_below (prng, 4);
    create->server = (uint32_t) prng_between (prng, 1, 2);
    struct buf origin = {0};
    random_origin (run, &origin);
    create->origin = origin.data;
    create->origin_size = (uint32_t) origin.size;
    buf_clear (&run->f.entry);
    entry_encode (&run->f.entry, &entry);
    buf_deinit (&origin);
}

static void build_attach (struct run *run)
{
    struct prng *prng = &run->prng;
    struct entry entry = {.kind = ENTRY_ATTACH};
    struct entry_attach *attach = &entry.u.attach;
    attach->session = random_session (run);
    struct model_session *session = model_session (run->model, attach->session);
    attach->incarnation = 1;
    attach->attach_no = 1;
    if (session != NULL) {
        memcpy (attach->password_hash, session->password_hash, ENTRY_PASSWORD_HASH);
        attach->password_hash[prng_below (prng, ENTRY_PASSWORD_HASH)] ^=
            prng_chance (prng, 1, 20) ? 1 : 0;
        attach->incarnation = session->incarnation + (uint32_t) prng_below (prng, 8) / 6 *
                                                         (1 + (uint32_t) prng_below (prng, 3));
        attach->attach_no = session->attach_no + prng_below (prng, 3);
        if (attach->attach_no > 0 && prng_chance (prng, 1, 10)) {
            attach->attach_no--;
        }
        memcpy (attach->nonce, session->process, 16);
    }
    if (prng_chance (prng, 1, 5)) {
        fixture_nonce (attach->nonce, prng_below (prng, 4));
    }
    attach->server = (uint32_t) prng_between (prng, 1, 2);
    struct buf origin = {0};
    random_origin (run, &origin);
    attach->origin = origin.data;
    attach->origin_size = (uint32_t) origin.size;
    buf_clear (&run->f.entry);
    entry_encode (&run->f.entry, &entry);
    buf_deinit (&origin);
}

static void build_other (struct run *run)
{
    struct prng *prng = &run->prng;
    struct entry entry;
    struct buf admins = {0};
    uint64_t id = random_session (run);
    struct model_session *session = model_session (run->model, id);
    switch (prng_below (prng, 9)) {
    case 0:
        fixture_cluster (&entry, &fixture_limits);
        break;
    case 1:
        entry = (struct entry){.kind = ENTRY_MEMBER_STORE};
        entry.u.member_store.id = (uint32_t) prng_between (prng, 1, 3);
        entry.u.member_store.old_store_id = run->model->stores[prng_below (prng, 2)];
        entry.u.member_store.new_store_id = prng_below (prng, 100);
        break;
    case 2:
        entry = (struct entry){.kind = ENTRY_REAP, .u.reap.session = id};
        break;
    case 3:
        random_admins (run, &admins);
        entry =
            (struct entry){.kind = prng_chance (prng, 1, 4) ? ENTRY_REPLACE_ADMINS : ENTRY_ADMINS};
        entry.u.admins.list = admins.data;
        entry.u.admins.size = (uint32_t) admins.size;
        break;
    default:
        entry = (struct entry){.kind = ENTRY_CLOSE};
        entry.u.close.session = id;
        entry.u.close.attach_no = session != NULL ? session->attach_no : 1;
        entry.u.close.attach_no += prng_chance (prng, 1, 3);
        entry.u.close.incarnation = session != NULL && prng_chance (prng, 2, 3)
                                        ? session->incarnation + (uint32_t) prng_below (prng, 5) / 4
                                        : 0;
        entry.u.close.reason = (enum entry_close_reason) prng_between (prng, 1, 3);
    }
    buf_clear (&run->f.entry);
    entry_encode (&run->f.entry, &entry);
    buf_deinit (&admins);
}

/* What the tree itself says is due; or any path at all. */
static void build_lapse (struct run *run)
{
    struct prng *prng = &run->prng;
    struct buf items = {0};
    struct entry entry = {.kind = ENTRY_LAPSE};
    if (prng_chance (prng, 2, 3)) {
        entry.u.lapse.count =
            tree_lapses (run->f.tree, run->f.stamp_ms + (int64_t) prng_below (prng, 2000), &items);
    } else {
        char path[MODEL_PATH_MAX];
        random_path (run, path);
        const struct model_node *node = model_node (&run->model->nodes, path);
        lapse_encode (&items, path, strlen (path), node != NULL ? node->stat.czxid : 1);
        entry.u.lapse.count = 1;
    }
    buf_clear (&run->f.entry);
    entry_encode (&run->f.entry, &entry);
    buf_append (&run->f.entry, items.data, items.size);
    buf_deinit (&items);
}

void property_build (struct run *run)
{
    uint64_t kind = prng_below (&run->prng, 100);
    if (run->model->sessions_count == 0 || kind < 4) {
        build_session (run);
    } else if (kind < 8) {
        build_attach (run);
    } else if (kind < 12) {
        build_other (run);
    } else if (kind < 16) {
        build_lapse (run);
    } else {
        build_write (run);
    }
}

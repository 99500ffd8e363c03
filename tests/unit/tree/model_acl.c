/* A naive model of the replicated state: who may do what (docs/acl.md). */

#include "tests/unit/tree/model_acl.h"

#include <stdio.h>
#include <string.h>

#include "cohort/error.h"
#include "tests/unit/tree/model_system.h"
#include "tests/unit/unit.h"

/* The numbers of the schemes in entries. */
enum { WORLD = 1, AUTH, DIGEST, IP, CURVE };

enum {
    R = COHORT_PERM_READ,
    W = COHORT_PERM_WRITE,
    C = COHORT_PERM_CREATE,
    D = COHORT_PERM_DELETE
};

/* ---- In ---------------------------------------------------------------------------------- */

/* What the tests write is short. */
static bool read_identity (struct model_identity *who, struct reader *in)
{
    *who = (struct model_identity){.scheme = reader_u8 (in)};
    who->size = reader_u8 (in);
    const uint8_t *id = reader_bytes (in, who->size);
    if (in->failed || who->scheme < WORLD || who->scheme > CURVE) {
        return false;
    }
    assert_true (who->size <= sizeof (who->id));
    if (who->size > 0) {
        memcpy (who->id, id, who->size);
    }
    return true;
}

/* USER:HASH, printable. */
static bool is_user (const struct model_identity *who)
{
    char text[MODEL_ID_MAX + 1] = {0};
    memcpy (text, who->id, who->size);
    const char *colon = strchr (text, ':');
    for (size_t i = 0; i < who->size; i++) {
        if (who->id[i] < ' ' || who->id[i] == 0x7f) {
            return false;
        }
    }
    return colon != NULL && colon > text && colon[1] != 0;
}

bool model_read_identities (struct model_identities *who, const uint8_t *bytes, size_t size)
{
    struct reader in;
    reader_init (&in, bytes, size);
    who->count = 0;
    while (reader_left (&in) > 0) {
        struct model_identity one;
        if (!read_identity (&one, &in) ||
            !(one.scheme == DIGEST ? is_user (&one)
              : one.scheme == IP   ? one.size == 16
                                   : one.scheme == CURVE && one.size == 32)) {
            return false;
        }
        assert_true (who->count < MODEL_IDENTITIES_MAX);
        who->items[who->count++] = one;
    }
    return true;
}

static bool sound (const struct model_item *item)
{
    const struct model_identity *who = &item->who;
    bool meant = who->scheme <= AUTH     ? who->size == 0
                 : who->scheme == DIGEST ? is_user (who)
                 : who->scheme == IP     ? who->size == 17 && who->id[16] <= 128
                                         : who->size == 32;
    return meant && item->perms >= 1 && item->perms <= COHORT_PERM_ALL;
}

bool model_read_list (struct model_list *list, const uint8_t *bytes, size_t size)
{
    struct reader in;
    reader_init (&in, bytes, size);
    list->count = 0;
    while (reader_left (&in) > 0) {
        struct model_item item = {.perms = reader_u8 (&in)};
        if (!read_identity (&item.who, &in) || !sound (&item)) {
            return false;
        }
        assert_true (list->count < MODEL_ITEMS_MAX);
        list->items[list->count++] = item;
    }
    return list->count > 0;
}

static bool equal (const struct model_identity *a, const struct model_identity *b)
{
    return a->scheme == b->scheme && a->size == b->size && memcmp (a->id, b->id, a->size) == 0;
}

static void add (struct model_list *list, uint8_t perms, const struct model_identity *who)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].perms == perms && equal (&list->items[i].who, who)) {
            return;
        }
    }
    assert_true (list->count < MODEL_ITEMS_MAX);
    list->items[list->count++] = (struct model_item){perms, *who};
}

int model_resolve (struct model_list *list, const struct model_session *session,
                   const uint8_t *bytes, size_t size)
{
    struct model_list given;
    if (!model_read_list (&given, bytes, size)) {
        return COHORT_EINVALIDACL;
    }
    list->count = 0;
    for (size_t i = 0; i < given.count; i++) {
        bool proven = false;
        if (given.items[i].who.scheme != AUTH) {
            add (list, given.items[i].perms, &given.items[i].who);
            continue;
        }
        for (size_t k = 0; k < session->who.count; k++) {
            if (session->who.items[k].scheme != IP) {
                add (list, given.items[i].perms, &session->who.items[k]);
                proven = true;
            }
        }
        if (!proven) {
            return COHORT_EINVALIDACL;
        }
    }
    return 0;
}

bool model_is_open (const struct model_list *list)
{
    return list->count == 0 || (list->count == 1 && list->items[0].who.scheme == WORLD &&
                                list->items[0].perms == COHORT_PERM_ALL);
}

/* ---- Who is meant ------------------------------------------------------------------------ */

static bool bit (const uint8_t *bytes, int at)
{
    return (bytes[at / 8] >> (7 - at % 8) & 1) != 0;
}

static bool means (const struct model_identity *meant, const struct model_identity *is)
{
    if (meant->scheme != IP || is->scheme != IP) {
        return equal (meant, is);
    }
    for (int i = 0; i < meant->id[16]; i++) {
        if (bit (meant->id, i) != bit (is->id, i)) {
            return false;
        }
    }
    return true;
}

static int granted (const struct model_list *list, const struct model_session *session)
{
    int perms = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct model_identity *meant = &list->items[i].who;
        bool any = meant->scheme == WORLD;
        for (size_t k = 0; session != NULL && k < session->who.count; k++) {
            any |= means (meant, &session->who.items[k]);
        }
        perms |= any ? list->items[i].perms : 0;
    }
    return perms;
}

bool model_is_admin (const struct model *self, const struct model_session *session)
{
    return session != NULL && granted (&self->admins, session) != 0;
}

bool model_permits (const struct model *self, const struct model_session *session,
                    const struct model_node *node, int perms)
{
    int may = node->acl.count == 0 ? COHORT_PERM_ALL : granted (&node->acl, session);
    return (may & perms) == perms || model_is_admin (self, session);
}

/* ---- What operations need ---------------------------------------------------------------- */

/* NULL: the root. */
static const struct model_node *parent_of (struct model *self, const struct model_node *node)
{
    char above[MODEL_PATH_MAX];
    model_parent (node->path, above);
    return strcmp (node->path, "/") == 0 ? NULL : model_node (&self->nodes, above);
}

static int need_of_parent (enum op_kind kind)
{
    bool deletes = kind == OP_DELETE || kind == OP_DELETE_IF_PRESENT || kind == OP_DELETE_TREE;
    return kind == OP_CREATE ? C : deletes ? D : 0;
}

int model_permit (struct model *self, const struct model_session *session, enum op_kind kind,
                  const struct model_node *node)
{
    const struct model_node *parent = kind == OP_CREATE ? node : parent_of (self, node);
    int need = kind == OP_SET                                       ? W
               : kind == OP_ADD                                     ? R | W
               : kind == OP_SET_ACL                                 ? COHORT_PERM_ADMIN
               : kind >= OP_CHECK_VERSION && kind <= OP_CHECK_OWNER ? R
                                                                    : 0;
    bool ok = model_permits (self, session, node, need) &&
              (parent == NULL || model_permits (self, session, parent, need_of_parent (kind)));
    if (kind == OP_CHECK_ABSENT) {
        ok = model_permits (self, session, node, R) ||
             (parent != NULL && model_permits (self, session, parent, R));
    }
    return ok ? 0 : COHORT_ENOAUTH;
}

int model_permit_absent (struct model *self, const struct model_session *session, enum op_kind kind,
                         const char *path)
{
    char above[MODEL_PATH_MAX], next[MODEL_PATH_MAX];
    const struct model_node *node;
    model_parent (path, above);
    int need = need_of_parent (kind);
    while ((node = model_node (&self->nodes, above)) == NULL) {
        model_parent (above, next);
        memcpy (above, next, sizeof (above));
        need = 0;
    }
    bool ok = model_permits (self, session, node, R) ||
              (need != 0 && model_permits (self, session, node, need));
    return ok ? COHORT_ENONODE : COHORT_ENOAUTH;
}

bool model_permits_trim (const struct model *self, const struct model_session *session,
                         const char *top)
{
    for (size_t i = 0; i < self->nodes.count; i++) {
        const struct model_node *node = &self->nodes.items[i];
        if (model_within (node->path, top) && node->stat.child_count > 0 &&
            !model_permits (self, session, node, D)) {
            return false;
        }
    }
    return true;
}

/* ---- The operations ---------------------------------------------------------------------- */

int model_set_acl (struct model *self, const struct model_session *session, const struct op *op,
                   struct model_node *node, struct result_op *result)
{
    (void) self;
    struct model_list list = {.count = 0};
    if (op->version != -1 && op->version != node->stat.aversion) {
        return COHORT_EBADVERSION;
    }
    if (op->inherited && node->stat.ephemeral_owner != 0) {
        return COHORT_ENOCHILDREN4EPHEMERALS;
    }
    bool none = op->inherited && op->acl_size == 0;
    int rc = none ? 0 : model_resolve (&list, session, op->acl, op->acl_size);
    if (rc != 0) {
        return rc;
    }
    if (op->inherited) {
        node->inherited = list;
    } else {
        node->acl = model_is_open (&list) ? (struct model_list){.count = 0} : list;
        node->stat.aversion++;
    }
    result->has_stat = true;
    result->stat = node->stat;
    return 0;
}

int model_create_acl (struct model *self, const struct model_session *session, const struct op *op,
                      const char *parent, struct model_list *list)
{
    *list = (struct model_list){.count = 0};
    int rc = op->acl_size > 0 ? model_resolve (list, session, op->acl, op->acl_size) : 0;
    char at[MODEL_PATH_MAX], next[MODEL_PATH_MAX];
    snprintf (at, sizeof (at), "%s", parent);
    for (bool root = false; op->acl_size == 0 && !root;) {
        root = strcmp (at, "/") == 0;
        const struct model_node *node = model_node (&self->nodes, at);
        if (node->inherited.count > 0) {
            *list = node->inherited;
            break;
        }
        model_parent (at, next);
        memcpy (at, next, sizeof (at));
    }
    if (model_is_open (list)) {
        list->count = 0;
    }
    return rc;
}

int model_add_auth (struct model_session *session, const struct op *op)
{
    struct model_identities one;
    if (!model_read_identities (&one, op->data, op->data_size) || one.count != 1 ||
        one.items[0].scheme != DIGEST) {
        return COHORT_EINVAL;
    }
    for (size_t i = 0; i < session->who.count; i++) {
        if (equal (&session->who.items[i], &one.items[0])) {
            return 0;
        }
    }
    assert_true (session->who.count < MODEL_IDENTITIES_MAX);
    session->who.items[session->who.count++] = one.items[0];
    return 0;
}

static bool may_rule (const struct model_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct model_item *item = &list->items[i];
        if (item->who.scheme < DIGEST || item->perms != COHORT_PERM_ALL) {
            return false;
        }
    }
    return list->count > 0;
}

int model_set_admins (struct model *self, const struct model_session *session, const struct op *op)
{
    struct model_list list;
    if (!model_is_admin (self, session)) {
        return COHORT_ENOAUTH;
    }
    if (!model_read_list (&list, op->acl, op->acl_size) || !may_rule (&list)) {
        return COHORT_EINVALIDACL;
    }
    self->admins = list;
    return 0;
}

int model_kill_session (struct model *self, const struct model_session *session,
                        const struct op *op, struct result_op *result)
{
    if (!model_is_admin (self, session)) {
        return COHORT_ENOAUTH;
    }
    struct model_session *killed = model_session (self, op->session);
    result->existed = killed != NULL && !killed->condemned;
    if (result->existed) {
        killed->condemned = true;
    }
    return 0;
}

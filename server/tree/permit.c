/*
 * server/tree/permit.c - what a session may do, decided in one place
 *
 * PURE.
 */
#include "server/tree/permit.h"

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/tree/children.h"
#include "server/tree/path.h"
#include "server/tree/verify.h"

/* What each operation needs: ZooKeeper's, and for what ZooKeeper does not have what the nearest of
 * its operations needs.  ADD shows the sum, so it reads. */
static const struct need {
    uint8_t of_parent, of_znode;
} needs[] = {
    [OP_CREATE] = {.of_parent = COHORT_PERM_CREATE},
    [OP_DELETE] = {.of_parent = COHORT_PERM_DELETE},
    [OP_DELETE_IF_PRESENT] = {.of_parent = COHORT_PERM_DELETE},
    [OP_DELETE_TREE] = {.of_parent = COHORT_PERM_DELETE}, /* and permits_trim */
    [OP_SET] = {.of_znode = COHORT_PERM_WRITE},
    [OP_ADD] = {.of_znode = COHORT_PERM_READ | COHORT_PERM_WRITE},
    [OP_SET_ACL] = {.of_znode = COHORT_PERM_ADMIN},
    [OP_CHECK_VERSION] = {.of_znode = COHORT_PERM_READ},
    [OP_CHECK_CZXID] = {.of_znode = COHORT_PERM_READ},
    [OP_CHECK_OWNER] = {.of_znode = COHORT_PERM_READ},
    [OP_CHECK_ABSENT] = {0}, /* permits_sight */
    [OP_ADD_AUTH] = {0},
    [OP_SET_ADMINS] = {0},   /* op_set_admins: an administrator */
    [OP_KILL_SESSION] = {0}, /* likewise */
    [OP_HAND_OVER] = {0},    /* op_hand_over: who gets it has agreed */
};

static int granted (const struct tree *self, const struct session *session,
                    const struct znode *znode)
{
    const struct acl *acl = znode_acl (znode);
    if (session == NULL || acl == NULL || acl->size == 0) {
        return COHORT_PERM_ALL;
    }
    if (!verify_acl (self, acl)) {
        return 0; /* the state is given up */
    }
    return acl_granted (acl->bytes, acl->size, session->identities, session->identities_size);
}

bool permits (const struct tree *self, const struct session *session, const struct znode *znode,
              int perms)
{
    return (granted (self, session, znode) & perms) == perms || session_is_admin (self, session);
}

bool permits_sight (const struct tree *self, const struct session *session,
                    const struct znode *znode)
{
    const struct znode *parent = znode->parent;
    return permits (self, session, znode, COHORT_PERM_READ) ||
           (parent != NULL && permits (self, session, parent, COHORT_PERM_READ));
}

int permit_op (const struct tree *self, const struct session *session, enum op_kind kind,
               const struct znode *znode)
{
    COHORT_ASSERT (kind < sizeof (needs) / sizeof (needs[0]));
    const struct need *need = &needs[kind];
    const struct znode *parent = kind == OP_CREATE ? znode : znode->parent;
    bool ok = kind == OP_CHECK_ABSENT
                  ? permits_sight (self, session, znode)
                  : permits (self, session, znode, need->of_znode) &&
                        (parent == NULL || permits (self, session, parent, need->of_parent));
    return ok || COHORT_MUTATED (lists_ignored) ? 0 : COHORT_ENOAUTH;
}

int permit_absent (const struct tree *self, const struct session *session, enum op_kind kind,
                   const char *path, size_t path_size)
{
    COHORT_ASSERT (kind < sizeof (needs) / sizeof (needs[0]));
    const struct znode *at = NULL;
    bool is_parent = true;
    size_t size = path_size;
    if (map_count (&self->acls) == 0) {
        return COHORT_ENONODE;
    }
    for (;;) {
        size = size > 1 ? tree_path_parent_size (path, size) : 1;
        at = size > 1 ? znode_find (&self->znodes, self->root, path, size) : self->root;
        if (at != NULL) {
            break;
        }
        is_parent = false;
    }
    int of_parent = is_parent ? needs[kind].of_parent : 0;
    bool ok = permits (self, session, at, COHORT_PERM_READ) ||
              (of_parent != 0 && permits (self, session, at, of_parent));
    return ok ? COHORT_ENONODE : COHORT_ENOAUTH;
}

bool permits_trim (const struct tree *self, const struct session *session, const struct znode *top)
{
    struct children_iterator siblings;
    const struct znode *at = top;
    if (map_count (&self->acls) == 0) {
        return true;
    }
    for (;;) {
        if (znode_child_count (at) > 0) {
            if (!permits (self, session, at, COHORT_PERM_DELETE)) {
                return false;
            }
            children_begin (&at->u.family->children, &siblings);
            at = children_next (&siblings);
            continue;
        }
        const struct znode *next = NULL;
        while (at != top && next == NULL) {
            children_seek (&at->parent->u.family->children, at->bytes, at->name_size, &siblings);
            next = children_next (&siblings);
            at = next != NULL ? next : at->parent;
        }
        if (next == NULL) {
            return true;
        }
    }
}

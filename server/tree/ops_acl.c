/*
 * server/tree/ops_acl.c - the operations on who may do what
 *
 * PURE.
 */
#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/tree/change.h"
#include "server/tree/ops.h"
#include "server/tree/verify.h"

/* What the operation's list means, in self->acl: 0, COHORT_EINVALIDACL. */
static int resolve (struct tree *self, const struct session *session, const struct op *op)
{
    struct buf *out = &self->acl;
    buf_clear (out);
    bool ok =
        acl_resolve (out, op->acl, op->acl_size, session->identities, session->identities_size);
    MEM_NEED (!out->failed);
    return ok ? 0 : COHORT_EINVALIDACL;
}

static struct acl *take (struct tree *self, const uint8_t *bytes, size_t size, int32_t aversion)
{
    struct acl *acl;
    bool ok = acl_take (self, bytes, size, aversion, &acl);
    MEM_NEED (ok);
    return acl;
}

int op_create_acl (struct tree *self, const struct session *session, const struct op *op,
                   const struct znode *parent, struct acl **acl)
{
    if (op->acl_size > 0) {
        int rc = resolve (self, session, op);
        if (rc == 0) {
            *acl = take (self, self->acl.data, self->acl.size, 0);
        }
        return rc;
    }
    /* The nearest default there is on the way up. */
    const struct acl *inherited = NULL;
    for (const struct znode *at = self->defaults > 0 && !COHORT_MUTATED (defaults_ignored) ? parent
                                                                                           : NULL;
         at != NULL && inherited == NULL;
         at = COHORT_MUTATED (default_of_parent) ? NULL : at->parent) {
        const struct family *family = znode_family (at);
        inherited = family != NULL ? family->inherited : NULL;
    }
    if (inherited != NULL && !verify_acl (self, inherited)) {
        return COHORT_ECORRUPT;
    }
    *acl = inherited != NULL ? take (self, inherited->bytes, inherited->size, 0) : NULL;
    return 0;
}

static int32_t aversion_after (int32_t aversion)
{
    return aversion == INT32_MAX ? 1 : aversion + 1;
}

static int set_inherited (struct tree *self, const struct session *session, const struct op *op,
                          struct znode *znode)
{
    struct acl *acl = NULL;
    if (znode_ephemeral (znode)) {
        return COHORT_ENOCHILDREN4EPHEMERALS;
    }
    if (op->acl_size > 0) {
        int rc = resolve (self, session, op);
        if (rc != 0) {
            return rc;
        }
        /* That what is created below is open may have to be said. */
        bool open = acl_open (self->acl.data, self->acl.size);
        acl = take (self, self->acl.data, self->acl.size, open);
    }
    change_inherited (self, znode, op->path, op->path_size, acl);
    return 0;
}

int op_set_acl (struct tree *self, const struct session *session, const struct op *op,
                struct znode *znode, struct result_op *result)
{
    int32_t aversion = acl_aversion (znode_acl (znode));
    if (op->version != COHORT_ANY_VERSION && op->version != aversion) {
        return COHORT_EBADVERSION;
    }
    int rc = op->inherited ? set_inherited (self, session, op, znode) : resolve (self, session, op);
    if (rc != 0) {
        return rc;
    }
    if (!op->inherited) {
        /* Whoever may read it from now on is told of its data. */
        if (!verify_znode (self, znode)) {
            return COHORT_ECORRUPT;
        }
        struct acl *acl = take (self, self->acl.data, self->acl.size, aversion_after (aversion));
        change_acl (self, znode, op->path, op->path_size, acl);
        COHORT_ASSERT (acl_aversion (znode_acl (znode)) > 0);
    }
    result->has_stat = true;
    znode_stat (znode, &result->stat);
    return 0;
}

int op_add_auth (struct tree *self, struct session *session, const struct op *op)
{
    struct reader in;
    struct identity identity;
    reader_init (&in, op->data, op->data_size);
    if (!identity_decode (&identity, &in) || !reader_done (&in) ||
        identity_of_connection (&identity) || !identities_valid (op->data, op->data_size)) {
        return COHORT_EINVAL;
    }
    if (identities_have (session->identities, session->identities_size, &identity)) {
        return 0;
    }
    /* The connection's, of a later attach too, have their room. */
    size_t room = IDENTITIES_SIZE_MAX - 2 * (2 + IDENTITY_CURVE_SIZE);
    if (identities_count (session->identities, session->identities_size) >= IDENTITIES_MAX - 2 ||
        session->identities_size + op->data_size > room) {
        return COHORT_ELIMIT;
    }
    change_session_identity (self, session, &identity);
    COHORT_ASSERT (identities_valid (session->identities, session->identities_size));
    return 0;
}

int op_set_admins (struct tree *self, const struct session *session, const struct op *op)
{
    if (!session_is_admin (self, session)) {
        return COHORT_ENOAUTH;
    }
    /* Without any there would be no way back. */
    if (op->acl_size == 0 || !admins_valid (op->acl, op->acl_size)) {
        return COHORT_EINVALIDACL;
    }
    change_admins (self, op->acl, op->acl_size);
    COHORT_ASSERT (self->scalars.admins_size == op->acl_size);
    return 0;
}

/*
 * server/tree/ops_acl.c - the operations on who may do what
 *
 * PURE.
 */
#include "client/base/assert.h"
#include "server/tree/change.h"
#include "server/tree/ops.h"

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

/*
 * server/tree/apply.c - the next entry of the log
 *
 * PURE.  tree_apply and the entries that concern the ensemble and the attachment of sessions.
 */
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/tree/change.h"
#include "server/tree/lapse.h"
#include "server/tree/ops.h"
#include "server/tree/system.h"

static void apply_cluster (struct tree *self, const struct entry *entry,
                           struct tree_outcome *outcome)
{
    if (self->scalars.level != 0) {
        outcome->code = COHORT_ESTATE;
        return;
    }
    change_cluster (self, &entry->u.cluster, entry->level);
    system_found (self, &entry->u.cluster);
    outcome->config_changed = true;
    outcome->admins_changed = true;
}

/* Compare and set: only who knows the store that is listed may replace it. */
static void apply_member_store (struct tree *self, const struct entry_member_store *what,
                                struct tree_outcome *outcome)
{
    const struct config_member *member = config_set_find (&self->scalars.configs, what->id);
    if (member == NULL || member->store_id != what->old_store_id) {
        outcome->code = COHORT_ESTATE;
        return;
    }
    change_store (self, what->id, what->new_store_id);
    COHORT_ASSERT (member->store_id == what->new_store_id);
    outcome->config_changed = true;
}

/* Who has some already keeps them: from then on they say who comes next.  Unless all of them have
 * lost their passwords and keys, and whoever may read a server's files says who takes their place.
 */
static void apply_admins (struct tree *self, const struct entry_admins *what, bool replace,
                          struct tree_outcome *outcome)
{
    if (self->scalars.admins_size > 0 && !replace) {
        outcome->code = COHORT_ESTATE;
        return;
    }
    change_admins (self, what->list, what->size);
    COHORT_ASSERT (self->scalars.admins_size > 0);
    outcome->admins_changed = true;
}

/* The nonce was seen before: another attempt of the same client, through whichever server. */
static int repeat_creation (struct tree *self, struct session *session,
                            const struct entry_create_session *what)
{
    uint64_t attach_no = what->attach_no != 0 ? what->attach_no : 1;
    if (!session_admits (session, what->password_hash)) {
        return COHORT_EAUTHFAILED;
    }
    if (session_over (session)) {
        return COHORT_ESESSIONEXPIRED;
    }
    if (session->incarnation != 1 || attach_no < session->attach_no) {
        return COHORT_ESESSIONMOVED;
    }
    if (attach_no == session->attach_no) {
        return what->server == session->server ? 0 : COHORT_ESESSIONMOVED;
    }
    struct change_attach how = {attach_no, what->server, what->origin, what->origin_size};
    change_session_attach (self, session, &how);
    return 0;
}

static void apply_create_session (struct tree *self, const struct entry_create_session *what,
                                  struct tree_outcome *outcome)
{
    COHORT_ASSERT (outcome->kind == ENTRY_CREATE_SESSION);
    memcpy (self->nonce, what->nonce, sizeof (self->nonce));
    outcome->nonce = self->nonce;
    outcome->server = what->server;
    struct session *session = session_find_nonce (self, what->nonce);
    if (session != NULL) {
        outcome->code = repeat_creation (self, session, what);
    } else if (self->scalars.last_session == SESSION_ID_MAX) {
        outcome->code = COHORT_ELIMIT;
        return;
    } else {
        session = change_session_create (self, what);
    }
    outcome->session = session->id;
    outcome->attach_no = session->attach_no;
}

/* Attaches are ordered by (incarnation, attach_no).  A process that lost its request state takes
 * the next incarnation, the first to ask for it gets it, and its nonce keeps another process with
 * the same idea out. */
static int attach (struct tree *self, struct session *session, const struct entry_attach *what)
{
    if (session == NULL || session_over (session)) {
        return COHORT_ESESSIONEXPIRED;
    }
    if (!session_admits (session, what->password_hash)) {
        return COHORT_EAUTHFAILED;
    }
    if (what->incarnation == session->incarnation) {
        bool same_process = session->incarnation == 1 ||
                            memcmp (session->process, what->nonce, sizeof (what->nonce)) == 0;
        if ((!same_process && !COHORT_MUTATED (any_process)) ||
            (what->attach_no < session->attach_no && !COHORT_MUTATED (older_attach))) {
            return COHORT_ESESSIONMOVED;
        }
        if (what->attach_no == session->attach_no) {
            return what->server == session->server ? 0 : COHORT_ESESSIONMOVED;
        }
    } else if (what->incarnation > session->incarnation) {
        /* Not only the next: a process may have taken a number, and died before it used it. */
        change_session_renew (self, session, what->incarnation, what->nonce);
    } else {
        return COHORT_ESESSIONMOVED;
    }
    struct change_attach how = {what->attach_no, what->server, what->origin, what->origin_size};
    change_session_attach (self, session, &how);
    COHORT_ASSERT (session->incarnation == what->incarnation);
    return 0;
}

static void apply_attach (struct tree *self, const struct entry_attach *what,
                          struct tree_outcome *outcome)
{
    memcpy (self->nonce, what->nonce, sizeof (self->nonce));
    outcome->nonce = self->nonce;
    outcome->session = what->session;
    outcome->attach_no = what->attach_no;
    outcome->server = what->server;
    outcome->code = attach (self, session_find (&self->sessions, what->session), what);
}

static void dispatch (struct tree *self, const struct entry *entry, struct tree_outcome *outcome)
{
    switch (entry->kind) {
    case ENTRY_CLUSTER:
        apply_cluster (self, entry, outcome);
        return;
    case ENTRY_MEMBER_STORE:
        apply_member_store (self, &entry->u.member_store, outcome);
        return;
    case ENTRY_CREATE_SESSION:
        apply_create_session (self, &entry->u.create_session, outcome);
        return;
    case ENTRY_ATTACH:
        apply_attach (self, &entry->u.attach, outcome);
        return;
    case ENTRY_CLOSE:
        close_apply (self, &entry->u.close, outcome);
        return;
    case ENTRY_REAP:
        reap_apply (self, &entry->u.reap, outcome);
        return;
    case ENTRY_WRITE:
        write_apply (self, &entry->u.write, outcome);
        return;
    case ENTRY_LAPSE:
        lapse_apply (self, &entry->u.lapse);
        return;
    case ENTRY_ADMINS:
    case ENTRY_REPLACE_ADMINS:
        apply_admins (self, &entry->u.admins, entry->kind == ENTRY_REPLACE_ADMINS, outcome);
        return;
    }
    assert_fail ("the kind of the entry is known", __FILE__, __LINE__);
}

struct tree_key tree_key_of_entry (const struct tree *self, const uint8_t *data, size_t size)
{
    struct entry entry;
    struct op first;
    bool known = self->scalars.level > 0 && entry_decode (&entry, data, size) &&
                 entry.kind == ENTRY_WRITE && op_decode (&first, &entry.u.write.ops) &&
                 first.path_size > 0;
    return known ? tree_key_of (self, first.path, first.path_size) : (struct tree_key){0};
}

bool tree_apply (struct tree *self, zxid_t zxid, int64_t stamp_ms, const uint8_t *data, size_t size,
                 struct tree_outcome *outcome)
{
    COHORT_ASSERT (zxid > self->scalars.zxid);
    COHORT_ASSERT (zxid <= INT64_MAX);
    struct entry entry;
    if (!entry_decode (&entry, data, size)) {
        return false;
    }
    if (self->scalars.level == 0 && entry.kind != ENTRY_CLUSTER) {
        return false;
    }
    *outcome = (struct tree_outcome){.kind = entry.kind};
    change_begin (self, zxid, stamp_ms);
    effects_begin (&self->effects);
    dispatch (self, &entry, outcome);
    outcome->effects = effects_end (&self->effects);
    change_estates_free (self);
    COHORT_ASSERT (self->scalars.zxid == zxid);
    COHORT_ASSERT (!self->undo.active);
    return true;
}

void tree_refound (struct tree *self, zxid_t zxid, const uint8_t cluster_id[16],
                   const struct config *config)
{
    COHORT_ASSERT (map_count (&self->sessions) == 0);
    COHORT_ASSERT (self->snapshot == NULL);
    change_begin (self, zxid, self->scalars.stamp_ms);
    effects_begin (&self->effects);
    change_founder (self, cluster_id, config);
    system_configure (self);
    (void) effects_end (&self->effects);
}

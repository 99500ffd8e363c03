/*
 * server/tree/change_session.c - the choke point: sessions and results
 *
 * PURE.
 */
#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/tree/change.h"
#include "server/tree/digest.h"
#include "server/tree/snapshot.h"

/* Around each change of a session that is part of the state. */
static void begin_session (struct tree *self, struct session *session)
{
    if (self->snapshot != NULL && session->generation != self->generation) {
        snapshot_hand_over_session (self->snapshot, session);
    }
    self->digest -= session->digest;
}

static void finish_session (struct tree *self, struct session *session)
{
    session->digest = digest_session (session);
    self->digest += session->digest;
}

/* Gives up the oldest result. */
static void drop_result (struct tree *self, struct session *session)
{
    struct stored *stored = *(struct stored **) ring_front (&session->results);
    if (self->snapshot != NULL) {
        snapshot_result_goes (self->snapshot, stored);
    }
    self->digest -= stored->digest;
    list_remove (&stored->node);
    ring_pop (&session->results);
    COHORT_ASSERT (session->results_size >= stored->size);
    COHORT_ASSERT (self->result_count > 0);
    session->results_size -= stored->size;
    self->result_count--;
    stored_free (&self->slab, stored);
}

static void drop_results (struct tree *self, struct session *session, uint64_t through)
{
    while (!ring_empty (&session->results)) {
        const struct stored *oldest = *(struct stored **) ring_front (&session->results);
        if (oldest->number > through) {
            return;
        }
        drop_result (self, session);
    }
}

/* What the ensemble's limits make of the time limits asked for. */
static void clamp_times (const struct entry_limits *limits, struct session *session)
{
    uint32_t timeout = session->timeout_ms;
    timeout = timeout < limits->timeout_min_ms ? limits->timeout_min_ms : timeout;
    timeout = timeout > limits->timeout_max_ms ? limits->timeout_max_ms : timeout;
    uint32_t grace = session->grace_ms == 0 ? timeout : session->grace_ms;
    grace = grace < limits->grace_min_ms ? limits->grace_min_ms : grace;
    grace = grace > timeout ? timeout : grace;
    session->timeout_ms = timeout;
    session->grace_ms = grace;
}

struct session *change_session_create (struct tree *self, const struct entry_create_session *what)
{
    COHORT_ASSERT (self->scalars.last_session < SESSION_ID_MAX);
    struct session *session = session_alloc ();
    MEM_NEED (session != NULL);
    session->id = ++self->scalars.last_session;
    memcpy (session->nonce, what->nonce, sizeof (session->nonce));
    memcpy (session->process, what->nonce, sizeof (session->process));
    memcpy (session->password_hash, what->password_hash, sizeof (session->password_hash));
    session->timeout_ms = what->timeout_ms;
    session->grace_ms = what->grace_ms;
    clamp_times (&self->scalars.limits, session);
    session->incarnation = 1;
    session->attach_no = what->attach_no != 0 ? what->attach_no : 1;
    session->server = what->server;
    session->generation = self->generation;
    bool ok = session_set_identities (session, what->origin, what->origin_size);
    MEM_NEED (ok);
    session->node.hash = session->id;
    session->nonce_node.hash = session_nonce_hash (self, session->nonce);
    map_insert (&self->sessions, &session->node);
    map_insert (&self->nonces, &session->nonce_node);
    list_push_back (&self->session_order, &session->order);
    finish_session (self, session);
    return session;
}

/* Appends those of the session's identities that its client has proven. */
static void keep_proven (const struct session *session, struct buf *out)
{
    struct reader in;
    struct identity identity;
    reader_init (&in, session->identities, session->identities_size);
    while (reader_left (&in) > 0 && identity_decode (&identity, &in)) {
        if (!identity_of_connection (&identity)) {
            identity_encode (out, &identity);
        }
    }
}

static void replace_identities (struct session *session, const struct buf *bytes)
{
    MEM_NEED (!bytes->failed);
    bool ok = session_set_identities (session, bytes->data, bytes->size);
    MEM_NEED (ok);
}

void change_session_attach (struct tree *self, struct session *session,
                            const struct change_attach *what)
{
    COHORT_ASSERT (!session->dead);
    begin_session (self, session);
    session->attach_no = what->attach_no;
    session->server = what->server;
    buf_clear (&self->identities);
    buf_append (&self->identities, what->origin, what->origin_size);
    if (!COHORT_MUTATED (proofs_lost)) {
        keep_proven (session, &self->identities);
    }
    replace_identities (session, &self->identities);
    finish_session (self, session);
}

void change_session_identity (struct tree *self, struct session *session,
                              const struct identity *identity)
{
    COHORT_ASSERT (!session->dead);
    begin_session (self, session);
    buf_clear (&self->identities);
    buf_append (&self->identities, session->identities, session->identities_size);
    identity_encode (&self->identities, identity);
    replace_identities (session, &self->identities);
    finish_session (self, session);
}

void change_session_renew (struct tree *self, struct session *session, uint32_t incarnation,
                           const uint8_t process[16])
{
    COHORT_ASSERT (!session->dead);
    COHORT_ASSERT (incarnation > session->incarnation);
    begin_session (self, session);
    drop_results (self, session, UINT64_MAX);
    session->incarnation = incarnation;
    memcpy (session->process, process, sizeof (session->process));
    session->last_number = COHORT_MUTATED (numbers_go_on) ? session->last_number : 0;
    session->acked = session->last_number;
    finish_session (self, session);
}

void change_session_number (struct tree *self, struct session *session, uint64_t ack_to)
{
    COHORT_ASSERT (!session->dead);
    begin_session (self, session);
    ack_to = ack_to < session->last_number ? ack_to : session->last_number;
    if (ack_to > session->acked && !COHORT_MUTATED (results_kept)) {
        drop_results (self, session, ack_to + COHORT_MUTATED (result_forgotten));
        session->acked = ack_to;
    }
    session->last_number++;
    finish_session (self, session);
}

void change_session_result (struct tree *self, struct session *session, const uint8_t *bytes,
                            size_t size)
{
    COHORT_ASSERT (!session->dead);
    COHORT_ASSERT (ring_count (&session->results) < self->scalars.limits.window);
    struct stored *stored = stored_new (&self->slab, session, session->last_number, bytes, size);
    MEM_NEED (stored != NULL);
    stored->generation = self->generation;
    stored->digest = digest_result (stored);
    bool pushed = ring_push (&session->results, &stored);
    MEM_NEED (pushed);
    list_push_back (&self->results, &stored->node);
    session->results_size += size;
    self->result_count++;
    self->digest += stored->digest;
}

void change_session_condemn (struct tree *self, struct session *session)
{
    COHORT_ASSERT (!session->dead);
    COHORT_ASSERT (!session->condemned);
    begin_session (self, session);
    session->condemned = true;
    finish_session (self, session);
}

void change_session_kill (struct tree *self, struct session *session)
{
    COHORT_ASSERT (!session->dead);
    begin_session (self, session);
    drop_results (self, session, UINT64_MAX);
    session->acked = session->last_number;
    session->dead = true;
    list_push_back (&self->dead, &session->dead_node);
    finish_session (self, session);
}

void change_session_remove (struct tree *self, struct session *session)
{
    COHORT_ASSERT (session->dead);
    COHORT_ASSERT (session->ephemeral_count == 0);
    COHORT_ASSERT (ring_empty (&session->results));
    change_estates_free (self);
    COHORT_ASSERT (list_empty (&session->estates));
    begin_session (self, session);
    list_remove (&session->dead_node);
    list_remove (&session->order);
    map_remove (&self->sessions, &session->node);
    map_remove (&self->nonces, &session->nonce_node);
    session_release (&self->slab, session);
}

/*
 * server/tree/session.c - a session in memory, and what can be asked about sessions
 *
 * PURE.
 */
#include "server/tree/session.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "client/base/mutation.h"
#include "client/base/sha256.h"
#include "server/tree/digest.h"
#include "server/tree/state.h"
#include "server/tree/verify.h"

struct session *session_alloc (void)
{
    struct session *self = mem_calloc (1, sizeof (*self));
    if (self != NULL) {
        list_init (&self->estates);
        ring_init (&self->results, sizeof (struct stored *), ENTRY_WINDOW_MAX);
    }
    return self;
}

void session_release (struct slab *slab, struct session *self)
{
    COHORT_ASSERT (!list_linked (&self->dead_node) || self->dead);
    for (size_t i = 0; i < ring_count (&self->results); i++) {
        stored_free (slab, *(struct stored **) ring_at (&self->results, i));
    }
    ring_deinit (&self->results);
    mem_free (self->identities);
    mem_free (self);
}

bool session_set_identities (struct session *self, const uint8_t *bytes, size_t size)
{
    COHORT_ASSERT (size <= IDENTITIES_SIZE_MAX);
    uint8_t *copy = NULL;
    if (size > 0) {
        copy = mem_alloc (size);
        if (copy == NULL) {
            return false;
        }
        memcpy (copy, bytes, size);
    }
    mem_free (self->identities);
    self->identities = copy;
    self->identities_size = (uint32_t) size;
    self->identities_digest = digest_identities (self);
    return true;
}

struct stored *stored_new (struct slab *slab, struct session *session, uint64_t number,
                           const uint8_t *bytes, size_t size)
{
    COHORT_ASSERT (size <= UINT32_MAX);
    struct stored *self = slab_alloc (slab, sizeof (*self) + size);
    if (self == NULL) {
        return NULL;
    }
    *self = (struct stored){.session = session, .number = number, .size = (uint32_t) size};
    if (size > 0) {
        memcpy (self->bytes, bytes, size);
    }
    return self;
}

void stored_free (struct slab *slab, struct stored *self)
{
    slab_free (slab, self, sizeof (*self) + self->size);
}

struct stored *session_stored (const struct session *self, uint64_t number)
{
    size_t count = ring_count (&self->results);
    if (count == 0 || number > self->last_number || self->last_number - number >= count ||
        COHORT_MUTATED (result_kept_in_vain)) {
        return NULL;
    }
    size_t from_back = (size_t) (self->last_number - number);
    struct stored *stored = *(struct stored **) ring_at (&self->results, count - 1 - from_back);
    COHORT_ASSERT (stored->number == number);
    return stored;
}

static bool has_id (const struct map_node *node, const void *key)
{
    /* The hash is the id, and it was compared. */
    (void) node;
    (void) key;
    return true;
}

struct session *session_find (const struct map *sessions, uint64_t id)
{
    struct map_node *found = map_find (sessions, id, has_id, NULL);
    return found != NULL ? map_entry (found, struct session, node) : NULL;
}

uint64_t session_nonce_hash (const struct tree *tree, const uint8_t nonce[16])
{
    /* Clients draw them: their table has the secret of the paths' one. */
    return hash64 (nonce, 16, tree->root->node.hash);
}

static bool has_nonce (const struct map_node *node, const void *key)
{
    return memcmp (map_entry (node, struct session, nonce_node)->nonce, key, 16) == 0;
}

struct session *session_find_nonce (const struct tree *tree, const uint8_t nonce[16])
{
    struct map_node *found =
        map_find (&tree->nonces, session_nonce_hash (tree, nonce), has_nonce, nonce);
    return found != NULL ? map_entry (found, struct session, nonce_node) : NULL;
}

/* ---- Questions --------------------------------------------------------------------------- */

static size_t before_newest (const struct session *session)
{
    size_t count = ring_count (&session->results);
    if (count == 0) {
        return 0;
    }
    const struct stored *newest = *(struct stored **) ring_at (&session->results, count - 1);
    COHORT_ASSERT (session->results_size >= newest->size);
    return session->results_size - newest->size;
}

static void describe (const struct session *session, struct tree_session *out)
{
    *out = (struct tree_session){
        .id = session->id,
        .timeout_ms = session->timeout_ms,
        .grace_ms = session->grace_ms,
        .incarnation = session->incarnation,
        .attach_no = session->attach_no,
        .server = session->server,
        .last_number = session->last_number,
        .acked = session->acked,
        .results = ring_count (&session->results),
        .results_before_newest = before_newest (session),
        .ephemerals = session->ephemeral_count,
        .condemned = session->condemned,
        .dead = session->dead,
    };
}

bool tree_session (const struct tree *self, uint64_t id, struct tree_session *session)
{
    const struct session *found = session_find (&self->sessions, id);
    if (found == NULL) {
        return false;
    }
    describe (found, session);
    return true;
}

uint64_t tree_session_count (const struct tree *self)
{
    return map_count (&self->sessions);
}

bool tree_session_next (const struct tree *self, uint64_t after, struct tree_session *session)
{
    const struct list *order = &self->session_order;
    const struct session *known = session_find (&self->sessions, after);
    struct list_node *at = known != NULL ? list_next (order, &known->order) : list_first (order);
    /* Only where the session that the caller saw last has gone is there something to pass. */
    while (at != NULL && list_entry (at, struct session, order)->id <= after) {
        at = list_next (order, at);
    }
    if (at == NULL) {
        return false;
    }
    describe (list_entry (at, struct session, order), session);
    COHORT_ASSERT (session->id > after);
    return true;
}

bool tree_session_dead (const struct tree *self, struct tree_session *session)
{
    struct list_node *first = list_first (&self->dead);
    if (first == NULL) {
        return false;
    }
    describe (list_entry (first, struct session, dead_node), session);
    COHORT_ASSERT (session->dead);
    return true;
}

const uint8_t *tree_session_identities (const struct tree *self, uint64_t id, size_t *size)
{
    const struct session *session = session_find (&self->sessions, id);
    *size = session != NULL ? session->identities_size : 0;
    return *size > 0 ? session->identities : NULL;
}

bool session_is_admin (const struct tree *self, const struct session *session)
{
    const struct scalars *scalars = &self->scalars;
    return session != NULL && scalars->admins_size > 0 &&
           acl_granted (scalars->admins, scalars->admins_size, session->identities,
                        session->identities_size) != 0;
}

bool tree_session_is_admin (const struct tree *self, uint64_t id)
{
    const struct session *session = session_find (&self->sessions, id);
    return session != NULL && session_is_admin (self, session);
}

const uint8_t *tree_admins (const struct tree *self, size_t *size)
{
    *size = self->scalars.admins_size;
    return *size > 0 ? self->scalars.admins : NULL;
}

const uint8_t *tree_session_result (const struct tree *self, uint64_t session, uint64_t number,
                                    size_t *size)
{
    const struct session *found = session_find (&self->sessions, session);
    const struct stored *stored = found != NULL ? session_stored (found, number) : NULL;
    if (stored == NULL || !verify_result (self, stored)) {
        return NULL;
    }
    COHORT_ASSERT (stored->session == found);
    *size = stored->size;
    return stored->bytes;
}

/* ---- Passwords --------------------------------------------------------------------------- */

bool session_over (const struct session *self)
{
    return self->dead || self->condemned;
}

bool session_admits (const struct session *self, const uint8_t password_hash[ENTRY_PASSWORD_HASH])
{
    return COHORT_MUTATED (any_password) ||
           secret_equal (self->password_hash, password_hash, ENTRY_PASSWORD_HASH);
}

void tree_password_hash (const uint8_t password[16], uint8_t hash[ENTRY_PASSWORD_HASH])
{
    uint8_t whole[SHA256_SIZE];
    sha256 (password, 16, whole);
    memcpy (hash, whole, ENTRY_PASSWORD_HASH);
}

bool tree_session_admits (const struct tree *self, uint64_t id,
                          const uint8_t hash[ENTRY_PASSWORD_HASH])
{
    const struct session *session = session_find (&self->sessions, id);
    return session != NULL && session_admits (session, hash);
}

_Static_assert((int) ENTRY_PASSWORD_HASH <= (int) SHA256_SIZE, "the hash is a part of SHA-256's");

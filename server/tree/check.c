/*
 * server/tree/check.c - every invariant of a state, asserted
 *
 * PURE.
 */
#include "client/base/assert.h"
#include "server/tree/digest.h"
#include "server/tree/estate.h"
#include "server/tree/lapse.h"
#include "server/tree/path.h"
#include "server/tree/state.h"
#include "server/tree/system.h"

struct sums {
    const struct znode *parent;
    uint64_t count, size;
};

static bool check_child (void *arg, const struct znode *child)
{
    struct sums *sums = arg;
    COHORT_ASSERT (child->parent == sums->parent);
    sums->count += 1 + znode_below (child);
    sums->size += child->data_size + znode_below_size (child);
    return true;
}

static void check_acl (const struct tree *self, const struct acl *acl)
{
    if (acl != NULL) {
        COHORT_ASSERT (acl->references > 0);
        COHORT_ASSERT (acl->digest == digest_acl (acl));
        COHORT_ASSERT (acl->size > 0 ? acl_valid (acl->bytes, acl->size) : acl->aversion > 0);
        COHORT_ASSERT (acl->generation <= self->generation);
    }
}

static void check_family (const struct tree *self, const struct znode *znode,
                          const struct family *family)
{
    children_check (&family->children);
    struct sums sums = {.parent = znode};
    children_visit (&family->children, NULL, check_child, &sums);
    COHORT_ASSERT (family->below == sums.count);
    COHORT_ASSERT (family->below_size == sums.size);
    COHORT_ASSERT (family->pzxid >= znode->czxid);
    COHORT_ASSERT (family->pzxid <= self->scalars.zxid);
    COHORT_ASSERT (family->sequence <= INT64_MAX);
    COHORT_ASSERT (family->cversion >= 0);
    check_acl (self, family->inherited);
}

static void check_znode (const struct tree *self, const struct znode *znode)
{
    const struct family *family = znode_family (znode);
    const struct tenure *tenure = znode_tenure (znode);
    const struct znode *parent = znode->parent;
    COHORT_ASSERT ((parent == NULL) == (znode == self->root));
    COHORT_ASSERT (tree_life_valid (znode->mode, znode_ttl_ms (znode)));
    lapse_check (self, znode);
    check_acl (self, znode_acl (znode));
    COHORT_ASSERT (znode->czxid <= znode_mzxid (znode));
    COHORT_ASSERT (znode_mzxid (znode) <= self->scalars.zxid);
    COHORT_ASSERT (znode->version >= 0);
    COHORT_ASSERT (znode_ephemeral (znode) == (znode->kin == ZNODE_TENURE));
    COHORT_ASSERT (znode->capacity >= sizeof (void *));
    COHORT_ASSERT (znode->data_digest == digest_data (znode));
    COHORT_ASSERT (znode->stat_digest == digest_stat (znode));
    COHORT_ASSERT (znode->generation <= self->generation);
    if (parent == NULL) {
        COHORT_ASSERT (family != NULL);
    } else {
        COHORT_ASSERT (tree_name_valid (znode->bytes, znode->name_size));
        COHORT_ASSERT (znode->node.hash ==
                       tree_path_hash_child (parent->node.hash, znode->bytes, znode->name_size));
        COHORT_ASSERT (znode_family (parent) != NULL);
    }
    if (family != NULL) {
        check_family (self, znode, family);
    }
    if (tenure != NULL) {
        COHORT_ASSERT (tenure->znode == znode);
        COHORT_ASSERT (estate_find (&self->estates, tenure->estate->id) == tenure->estate);
    }
}

/* Results are those of the numbers acked + 1 to last_number. */
static void check_results (const struct tree *self, const struct session *session)
{
    size_t count = ring_count (&session->results);
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        const struct stored *stored = *(struct stored **) ring_at (&session->results, i);
        COHORT_ASSERT (stored->session == session);
        COHORT_ASSERT (stored->number == session->acked + 1 + i);
        COHORT_ASSERT (list_linked (&stored->node));
        size += stored->size;
    }
    COHORT_ASSERT (size == session->results_size);
    COHORT_ASSERT (count == session->last_number - session->acked);
    COHORT_ASSERT (count <= self->scalars.limits.window);
}

static void check_estate (const struct tree *self, const struct estate *estate)
{
    uint64_t count = 0;
    zxid_t last = 0;
    for (struct list_node *at = list_first (&estate->tenures); at != NULL;
         at = list_next (&estate->tenures, at)) {
        const struct tenure *tenure = list_entry (at, struct tenure, node);
        COHORT_ASSERT (tenure->estate == estate);
        COHORT_ASSERT (tenure->znode->czxid >= last);
        last = tenure->znode->czxid;
        count++;
    }
    COHORT_ASSERT (count == estate->count);
    COHORT_ASSERT (count > 0);
    COHORT_ASSERT (estate_find (&self->estates, estate->id) == estate);
    COHORT_ASSERT (estate->id <= self->scalars.last_estate);
    COHORT_ASSERT (estate->ozxid <= self->scalars.zxid);
    COHORT_ASSERT (estate->digest == digest_estate (estate));
    COHORT_ASSERT (estate->generation <= self->generation);
}

/* Returns how many estates it has. */
static uint32_t check_estates (const struct tree *self, const struct session *session)
{
    uint64_t count = 0, last = 0;
    uint32_t estates = 0;
    for (struct list_node *at = list_first (&session->estates); at != NULL;
         at = list_next (&session->estates, at)) {
        const struct estate *estate = list_entry (at, struct estate, owned);
        COHORT_ASSERT (estate->session == session);
        COHORT_ASSERT (estate->id > last);
        check_estate (self, estate);
        last = estate->id;
        count += estate->count;
        estates++;
    }
    COHORT_ASSERT (count == session->ephemeral_count);
    COHORT_ASSERT (estates == session->estate_count);
    COHORT_ASSERT (estates <= ENTRY_ESTATES_MAX);
    return estates;
}

static void check_session (const struct tree *self, const struct session *session)
{
    COHORT_ASSERT (session->node.hash == session->id);
    COHORT_ASSERT (session_find_nonce (self, session->nonce) == session);
    COHORT_ASSERT (session->incarnation > 0);
    COHORT_ASSERT (session->grace_ms <= session->timeout_ms);
    COHORT_ASSERT (session->dead == list_linked (&session->dead_node));
    /* A dead session stays for its ephemerals only. */
    COHORT_ASSERT (!session->dead || session->ephemeral_count > 0);
    COHORT_ASSERT (session->digest == digest_session (session));
    COHORT_ASSERT (session->identities_digest == digest_identities (session));
    COHORT_ASSERT (identities_valid (session->identities, session->identities_size));
    check_results (self, session);
}

void tree_check (const struct tree *self)
{
    uint64_t children = 0, lists = 0, defaults = 0;
    for (struct map_node *at = map_first (&self->znodes); at != NULL;
         at = map_next (&self->znodes, at)) {
        const struct znode *znode = map_entry (at, struct znode, node);
        check_znode (self, znode);
        const struct family *family = znode_family (znode);
        children += znode_child_count (znode);
        defaults += family != NULL && family->inherited != NULL;
        lists +=
            (znode_acl (znode) != NULL) + (uint64_t) (family != NULL && family->inherited != NULL);
    }
    for (struct map_node *at = map_first (&self->acls); at != NULL;
         at = map_next (&self->acls, at)) {
        lists -= map_entry (at, struct acl, node)->references;
    }
    COHORT_ASSERT (lists == 0);
    system_check (self);
    COHORT_ASSERT (defaults == self->defaults);
    COHORT_ASSERT (children + 1 == map_count (&self->znodes));
    heap_check (&self->lapses);
    uint64_t last = 0;
    uint64_t sessions = 0, estates = 0;
    uint64_t results = 0;
    for (struct list_node *at = list_first (&self->session_order); at != NULL;
         at = list_next (&self->session_order, at)) {
        const struct session *session = list_entry (at, struct session, order);
        COHORT_ASSERT (session->id > last);
        check_session (self, session);
        estates += check_estates (self, session);
        last = session->id;
        sessions++;
        results += ring_count (&session->results);
    }
    COHORT_ASSERT (last <= self->scalars.last_session);
    COHORT_ASSERT (sessions == map_count (&self->sessions));
    COHORT_ASSERT (sessions == map_count (&self->nonces));
    COHORT_ASSERT (estates == map_count (&self->estates));
    COHORT_ASSERT (list_empty (&self->idle));
    COHORT_ASSERT (results == self->result_count);
    for (struct list_node *at = list_first (&self->results); at != NULL;
         at = list_next (&self->results, at)) {
        COHORT_ASSERT (results > 0);
        results--;
    }
    COHORT_ASSERT (results == 0);
    COHORT_ASSERT (!self->undo.active);
    COHORT_ASSERT (self->effects.floor <= self->scalars.zxid);
    COHORT_ASSERT (self->scratch->damage.kind == TREE_SOUND);
    COHORT_ASSERT (self->digest == digest_recompute (self));
}

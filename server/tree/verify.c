/*
 * server/tree/verify.c - memory that changes by itself is noticed
 *
 * PURE.
 */
#include "server/tree/verify.h"

#include "client/base/assert.h"
#include "client/base/buf.h"
#include "client/base/mutation.h"
#include "server/tree/digest.h"
#include "server/tree/estate.h"
#include "server/tree/path.h"

/* The first damage stands: what is found later may come from it. */
static struct tree_damage *first_damage (const struct tree *tree, enum tree_damage_kind kind,
                                         uint64_t expected, uint64_t found)
{
    struct tree_damage *damage = &tree->scratch->damage;
    COHORT_ASSERT (expected != found);
    if (damage->kind != TREE_SOUND) {
        return NULL;
    }
    *damage = (struct tree_damage){
        .kind = kind, .zxid = tree->scalars.zxid, .expected = expected, .found = found};
    return damage;
}

static void damaged_znode (const struct tree *tree, const struct znode *znode,
                           enum tree_damage_kind kind, uint64_t expected, uint64_t found)
{
    struct tree_damage *damage = first_damage (tree, kind, expected, found);
    size_t size = 0;
    if (damage == NULL || !znode_path (znode, &tree->scratch->get_path, &size)) {
        return;
    }
    size = size < sizeof (damage->path) ? size : sizeof (damage->path) - 1;
    memcpy (damage->path, tree->scratch->get_path.data, size);
    damage->path[size] = 0;
}

bool verify_stat (const struct tree *tree, const struct znode *znode)
{
    uint64_t found = digest_stat (znode);
    if (found == znode->stat_digest) {
        const struct tenure *tenure = znode_tenure (znode);
        return tenure == NULL || verify_estate (tree, tenure->estate);
    }
    damaged_znode (tree, znode, TREE_DAMAGED_STAT, znode->stat_digest, found);
    return false;
}

bool verify_znode (const struct tree *tree, const struct znode *znode)
{
    if (!verify_stat (tree, znode)) {
        return COHORT_MUTATED (rot_unseen);
    }
    uint64_t found = digest_data (znode);
    if (found == znode->data_digest || COHORT_MUTATED (rot_unseen)) {
        return true;
    }
    damaged_znode (tree, znode, TREE_DAMAGED_DATA, znode->data_digest, found);
    return false;
}

/* Lookups fail where the name, or the hash that stands for the path, is damaged. */
static bool verify_name (const struct tree *tree, const struct znode *znode)
{
    if (znode->parent == NULL) {
        return true;
    }
    uint64_t hash = tree_path_hash_child (znode->parent->node.hash, znode->bytes, znode->name_size);
    if (hash == znode->node.hash) {
        return true;
    }
    damaged_znode (tree, znode, TREE_DAMAGED_NAME, znode->node.hash, hash);
    return false;
}

bool verify_acl (const struct tree *tree, const struct acl *acl)
{
    uint64_t found = digest_acl (acl);
    if (found == acl->digest) {
        return true;
    }
    (void) first_damage (tree, TREE_DAMAGED_ACL, acl->digest, found);
    return false;
}

bool verify_session (const struct tree *tree, const struct session *session)
{
    uint64_t found = digest_session (session);
    if (found == session->digest && digest_identities (session) == session->identities_digest) {
        return true;
    }
    struct tree_damage *damage = first_damage (tree, TREE_DAMAGED_SESSION, session->digest, found);
    if (damage != NULL) {
        damage->session = session->id;
    }
    return false;
}

bool verify_estate (const struct tree *tree, const struct estate *estate)
{
    uint64_t found = digest_estate (estate);
    if (found == estate->digest) {
        return true;
    }
    struct tree_damage *damage = first_damage (tree, TREE_DAMAGED_ESTATE, estate->digest, found);
    if (damage != NULL) {
        damage->session = estate->session->id;
    }
    return false;
}

bool verify_result (const struct tree *tree, const struct stored *stored)
{
    uint64_t found = digest_result (stored);
    if (found == stored->digest) {
        return true;
    }
    struct tree_damage *damage = first_damage (tree, TREE_DAMAGED_RESULT, stored->digest, found);
    if (damage != NULL) {
        damage->session = stored->session->id;
    }
    return false;
}

const struct tree_damage *tree_damage (const struct tree *self)
{
    const struct tree_damage *damage = &self->scratch->damage;
    return damage->kind != TREE_SOUND ? damage : NULL;
}

const char *tree_damage_name (enum tree_damage_kind kind)
{
    static const char *const names[] = {
        [TREE_SOUND] = "nothing",
        [TREE_DAMAGED_STAT] = "the stat of a znode",
        [TREE_DAMAGED_DATA] = "the data of a znode",
        [TREE_DAMAGED_NAME] = "the name of a znode",
        [TREE_DAMAGED_SESSION] = "a session",
        [TREE_DAMAGED_RESULT] = "a result",
        [TREE_DAMAGED_ACL] = "an access control list",
        [TREE_DAMAGED_ESTATE] = "what a session owns",
    };
    COHORT_ASSERT (kind < sizeof (names) / sizeof (names[0]));
    return names[kind];
}

/* ---- Scrubbing --------------------------------------------------------------------------- */

struct scrubbing {
    const struct tree *tree;
    size_t objects;
    size_t bytes;
};

static void scrub_session (struct map_node *node, void *arg)
{
    struct scrubbing *scrubbing = arg;
    const struct session *session = map_entry (node, struct session, node);
    if (!verify_session (scrubbing->tree, session)) {
        return;
    }
    for (size_t i = 0; i < ring_count (&session->results); i++) {
        const struct stored *stored = *(struct stored **) ring_at (&session->results, i);
        (void) verify_result (scrubbing->tree, stored);
        scrubbing->bytes += stored->size;
    }
    scrubbing->objects += 1 + ring_count (&session->results);
}

static void scrub_znode (struct map_node *node, void *arg)
{
    struct scrubbing *scrubbing = arg;
    const struct znode *znode = map_entry (node, struct znode, node);
    const struct acl *acl = znode_acl (znode);
    if (!verify_name (scrubbing->tree, znode) || !verify_znode (scrubbing->tree, znode) ||
        (acl != NULL && !verify_acl (scrubbing->tree, acl))) {
        return;
    }
    scrubbing->bytes += znode->data_size;
    scrubbing->objects++;
}

bool tree_scrub (struct tree *self, size_t objects_max, size_t bytes_max)
{
    struct scrub *scrub = &self->scrub;
    struct scrubbing scrubbing = {.tree = self};
    COHORT_ASSERT (objects_max > 0);
    /* Empty buckets are steps too. */
    for (size_t steps = 0;
         steps < 2 * objects_max && scrubbing.objects < objects_max && scrubbing.bytes < bytes_max;
         steps++) {
        if (self->scratch->damage.kind != TREE_SOUND) {
            return false;
        }
        if (!scrub->znodes) {
            scrub->znodes = !map_scan (&self->sessions, &scrub->cursor, scrub_session, &scrubbing);
            if (scrub->znodes) {
                scrub->cursor = (struct map_cursor){0};
            }
        } else if (!map_scan (&self->znodes, &scrub->cursor, scrub_znode, &scrubbing)) {
            *scrub = (struct scrub){0};
            return true;
        }
    }
    return false;
}

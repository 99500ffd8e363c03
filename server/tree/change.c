/*
 * server/tree/change.c - the choke point: scalars and znodes
 *
 * PURE.
 */
#include "server/tree/change.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "server/tree/digest.h"
#include "server/tree/estate.h"
#include "server/tree/lapse.h"
#include "server/tree/path.h"
#include "server/tree/snapshot.h"

/* Blocks for the old data of one multi; more than one value of the largest size is rare. */
enum { UNDO_BLOCK_SIZE = 64 << 10, UNDO_KEEP_MAX = 256 << 10 };

/* ---- Scalars ----------------------------------------------------------------------------- */

void change_begin (struct tree *self, zxid_t zxid, int64_t stamp_ms)
{
    COHORT_ASSERT (zxid > self->scalars.zxid);
    COHORT_ASSERT (!self->undo.active);
    self->scalars.zxid = zxid;
    if (stamp_ms > self->scalars.stamp_ms) {
        self->scalars.stamp_ms = stamp_ms;
    }
}

void change_cluster (struct tree *self, const struct entry_cluster *cluster, uint8_t level)
{
    struct scalars *scalars = &self->scalars;
    COHORT_ASSERT (scalars->level == 0);
    COHORT_ASSERT (level > 0);
    scalars->level = level;
    memcpy (scalars->cluster_id, cluster->cluster_id, sizeof (scalars->cluster_id));
    scalars->configs = (struct config_set){.count = 1};
    scalars->configs.configs[0] = cluster->config;
    scalars->configs.configs[0].version = scalars->zxid;
    scalars->limits = cluster->limits;
    change_admins (self, cluster->admins, cluster->admins_size);
}

void change_admins (struct tree *self, const uint8_t *acl, size_t size)
{
    COHORT_ASSERT (admins_valid (acl, size));
    self->scalars.admins_size = (uint16_t) size;
    if (size > 0) {
        memcpy (self->scalars.admins, acl, size);
    }
}

void change_founder (struct tree *self, const uint8_t cluster_id[16], const struct config *config)
{
    struct scalars *scalars = &self->scalars;
    COHORT_ASSERT (scalars->level > 0);
    memcpy (scalars->cluster_id, cluster_id, sizeof (scalars->cluster_id));
    scalars->configs = (struct config_set){.count = 1};
    scalars->configs.configs[0] = *config;
    scalars->configs.configs[0].version = scalars->zxid;
}

void change_store (struct tree *self, uint32_t member, uint64_t store_id)
{
    struct config_set *configs = &self->scalars.configs;
    for (size_t c = 0; c < configs->count; c++) {
        struct config *config = &configs->configs[c];
        for (size_t i = 0; i < config->count; i++) {
            if (config->members[i].id == member) {
                config->members[i].store_id = store_id;
                config->version = self->scalars.zxid;
            }
        }
    }
}

/* ---- Znodes: the parts of a change ------------------------------------------------------- */

/* Before the first change of a znode since a snapshot began. */
static void hand_over (struct tree *self, struct znode *znode)
{
    if (self->snapshot != NULL && znode->generation != self->generation) {
        snapshot_hand_over_znode (self->snapshot, znode);
    }
}

/* The digest's names of a path and of its parent. */
struct names {
    uint64_t own, parent;
};

static struct names names_of (const char *path, size_t path_size)
{
    struct names names;
    names.own = tree_path_hash (PATH_HASH_ROOT, path, path_size, &names.parent);
    return names;
}

/* What a znode with this name adds to the digest. */
static uint64_t share (const struct znode *znode, uint64_t name)
{
    return digest_share (name, znode->data_digest) + digest_share (name, znode->stat_digest);
}

/* Exchanges one of the parts. */
static void replace_part (struct tree *self, uint64_t name, uint64_t *part, uint64_t value)
{
    self->digest += digest_share (name, value) - digest_share (name, *part);
    *part = value;
}

static void renew_stat (struct tree *self, struct znode *znode, uint64_t name)
{
    replace_part (self, name, &znode->stat_digest, digest_stat (znode));
}

static void renew_data (struct tree *self, struct znode *znode, uint64_t name)
{
    replace_part (self, name, &znode->data_digest, digest_data (znode));
}

/* Puts a znode that has all its fields into index, lists and digest; the parent's numbers are the
 * caller's, before the call.  next_owned: what it precedes in its estate, NULL: nothing. */
static void join (struct tree *self, struct znode *znode, uint64_t name, struct znode *parent,
                  struct list_node *next_owned)
{
    bool ok = znode_link (znode, parent);
    MEM_NEED (ok);
    znode_account (parent, 1 + znode_below (znode), znode->data_size + znode_below_size (znode));
    lapse_update (self, znode);
    map_insert (&self->znodes, &znode->node);
    struct tenure *tenure = znode_tenure (znode);
    if (tenure != NULL) {
        change_estate_join (self, tenure, next_owned);
    }
    self->digest += share (znode, name);
}

/* The reverse. */
static void leave (struct tree *self, struct znode *znode, uint64_t name)
{
    self->digest -= share (znode, name);
    struct tenure *tenure = znode_tenure (znode);
    if (tenure != NULL) {
        change_estate_leave (self, tenure);
    }
    map_remove (&self->znodes, &znode->node);
    znode_account (znode->parent, -(1 + znode_below (znode)),
                   -(znode->data_size + znode_below_size (znode)));
    lapse_remove (self, znode);
    znode_unlink (znode);
}

static void replace_data (struct znode *znode, const uint8_t *data, size_t size)
{
    if (znode->parent != NULL) {
        znode_account (znode->parent, 0, (uint64_t) size - znode->data_size);
    }
    bool ok = znode_set_data (znode, data, size);
    MEM_NEED (ok);
}

/* Of a znode that is in no list any more. */
static void free_znode (struct tree *self, struct znode *znode)
{
    struct family *family = znode_family (znode);
    acl_release (self, znode_acl (znode));
    if (family != NULL && family->inherited != NULL) {
        COHORT_ASSERT (self->defaults > 0);
        self->defaults--;
        acl_release (self, family->inherited);
    }
    znode_free (&self->slab, znode);
}

/* A place for the way back, or NULL when none is needed. */
static struct undo_step *undo_step (struct tree *self, enum undo_kind kind, struct znode *znode)
{
    if (!self->undo.active) {
        return NULL;
    }
    COHORT_ASSERT (self->undo.count < UNDO_STEPS_MAX);
    struct undo_step *step = &self->undo.steps[self->undo.count++];
    *step = (struct undo_step){.kind = kind, .znode = znode};
    return step;
}

static void note_parent (struct undo_step *step, const struct znode *parent)
{
    if (step != NULL) {
        const struct family *family = parent->u.family;
        step->stat_digest = parent->stat_digest;
        step->pzxid = family->pzxid;
        step->sequence = family->sequence;
        step->cversion = family->cversion;
        step->lapse_ms = lapse_due_ms (parent);
    }
}

/* Versions never become negative, for -1 means any. */
static int32_t version_after (int32_t version)
{
    return version == INT32_MAX ? 0 : version + 1;
}

/* Completes the effect - kind, path, the list before - and reports it. */
static void report_effect (struct tree *self, struct effect *effect, const struct znode *znode)
{
    effect->zxid = self->scalars.zxid;
    if (effect->kind != EFFECT_DELETED) {
        effect->data = znode_data (znode);
        effect->data_size = znode->data_size;
    }
    znode_stat (znode, &effect->stat);
    const struct acl *acl = znode_acl (znode);
    if (acl != NULL) {
        effect->acl = acl->bytes;
        effect->acl_size = acl->size;
    }
    const struct acl *of_parent = znode->parent != NULL ? znode_acl (znode->parent) : NULL;
    if (of_parent != NULL) {
        effect->parent_acl = of_parent->bytes;
        effect->parent_acl_size = of_parent->size;
    }
    uint64_t parent_hash = znode->parent != NULL ? znode->parent->node.hash : 0;
    effects_add (&self->effects, effect, znode->node.hash, parent_hash);
}

static void report (struct tree *self, enum effect_kind kind, const struct znode *znode,
                    const char *path, size_t path_size)
{
    struct effect effect = {.kind = kind, .path = path, .path_size = (uint32_t) path_size};
    report_effect (self, &effect, znode);
}

/* ---- Znodes: the changes ----------------------------------------------------------------- */

struct znode *change_create (struct tree *self, const struct change_create *what)
{
    struct znode *parent = what->parent;
    COHORT_ASSERT (what->name_at > 0);
    COHORT_ASSERT (what->name_at < what->path_size);
    COHORT_ASSERT ((what->owner != NULL) == ((what->mode & COHORT_EPHEMERAL) != 0));
    bool lapses = (what->mode & COHORT_CONTAINER) != 0 || what->ttl_ms > 0;
    hand_over (self, parent);
    bool ok = znode_need_family (&self->slab, parent);
    MEM_NEED (ok);
    struct family *family = parent->u.family;
    COHORT_ASSERT (what->sequence >= family->sequence);

    struct znode *znode =
        znode_new (&self->slab, what->path + what->name_at, what->path_size - what->name_at,
                   what->data, what->data_size, what->mode);
    MEM_NEED (znode != NULL);
    znode->node.hash = what->hash;
    ok = znode_set_acl (&self->slab, znode, what->acl);
    MEM_NEED (ok);
    znode->czxid = self->scalars.zxid;
    *znode_mzxid_place (znode) = self->scalars.zxid;
    znode->ctime = znode->mtime = short_time_of (self->scalars.stamp_ms);
    znode_set_generation (znode, self->generation);
    if (lapses) {
        ok = znode_need_lapse (&self->slab, znode, what->ttl_ms);
        MEM_NEED (ok);
    }
    if (what->owner != NULL) {
        znode->u.tenure->estate = change_estate (self, what->owner);
    }

    note_parent (undo_step (self, UNDO_CREATE, znode), parent);
    struct names names = names_of (what->path, what->path_size);
    family->pzxid = self->scalars.zxid;
    family->cversion = version_after (family->cversion);
    family->sequence = what->sequence;
    znode->data_digest = digest_data (znode);
    znode->stat_digest = digest_stat (znode);
    join (self, znode, names.own, parent, NULL);
    renew_stat (self, parent, names.parent);
    lapse_update (self, parent);
    report (self, EFFECT_CREATED, znode, what->path, what->path_size);
    return znode;
}

void change_delete (struct tree *self, struct znode *znode, const char *path, size_t path_size)
{
    struct znode *parent = znode->parent;
    COHORT_ASSERT (parent != NULL);
    COHORT_ASSERT (znode_child_count (znode) == 0);
    hand_over (self, znode);
    hand_over (self, parent);
    report (self, EFFECT_DELETED, znode, path, path_size);

    struct family *family = parent->u.family;
    struct undo_step *step = undo_step (self, UNDO_DELETE, znode);
    note_parent (step, parent);
    if (step != NULL) {
        step->next_owned = znode_ephemeral (znode) ? znode->u.tenure->node.next : NULL;
        step->own_lapse_ms = lapse_due_ms (znode);
    }
    struct names names = names_of (path, path_size);
    family->pzxid = self->scalars.zxid;
    family->cversion = version_after (family->cversion);
    leave (self, znode, names.own);
    renew_stat (self, parent, names.parent);
    lapse_update (self, parent);
    if (step == NULL) {
        free_znode (self, znode);
    }
}

void change_set (struct tree *self, struct znode *znode, const char *path, size_t path_size,
                 const uint8_t *data, size_t data_size)
{
    hand_over (self, znode);
    struct undo_step *step = undo_step (self, UNDO_SET, znode);
    if (step != NULL) {
        step->version = znode->version;
        step->mzxid = znode_mzxid (znode);
        step->mtime = znode->mtime;
        step->stat_digest = znode->stat_digest;
        step->data_digest = znode->data_digest;
        step->data_size = znode->data_size;
        step->data = arena_dup (&self->undo.data, znode_data (znode), znode->data_size);
        MEM_NEED (step->data != NULL);
    }
    replace_data (znode, data, data_size);
    znode->version = version_after (znode->version);
    *znode_mzxid_place (znode) = self->scalars.zxid;
    znode->mtime = short_time_of (self->scalars.stamp_ms);
    struct names names = names_of (path, path_size);
    renew_data (self, znode, names.own);
    renew_stat (self, znode, names.own);
    lapse_update (self, znode);
    report (self, EFFECT_DATA, znode, path, path_size);
}

void change_acl (struct tree *self, struct znode *znode, const char *path, size_t path_size,
                 struct acl *acl)
{
    struct acl *before = znode_acl (znode);
    hand_over (self, znode);
    struct undo_step *step = undo_step (self, UNDO_ACL, znode);
    if (step != NULL) {
        step->stat_digest = znode->stat_digest;
        step->acl = before;
    }
    bool ok = znode_set_acl (&self->slab, znode, acl);
    MEM_NEED (ok);
    renew_stat (self, znode, names_of (path, path_size).own);
    struct effect effect = {.kind = EFFECT_ACL, .path = path, .path_size = (uint32_t) path_size};
    if (before != NULL) {
        effect.was_acl = before->bytes;
        effect.was_acl_size = before->size;
    }
    report_effect (self, &effect, znode);
    if (step == NULL) {
        acl_release (self, before);
    }
}

static void replace_inherited (struct tree *self, struct znode *znode, struct acl *acl)
{
    struct family *family = znode->u.family;
    COHORT_ASSERT (family->inherited == NULL || self->defaults > 0);
    self->defaults += (uint64_t) (acl != NULL) - (family->inherited != NULL);
    family->inherited = acl;
}

void change_inherited (struct tree *self, struct znode *znode, const char *path, size_t path_size,
                       struct acl *acl)
{
    hand_over (self, znode);
    bool ok = znode_need_family (&self->slab, znode);
    MEM_NEED (ok);
    struct undo_step *step = undo_step (self, UNDO_INHERITED, znode);
    struct acl *before = znode->u.family->inherited;
    replace_inherited (self, znode, acl);
    if (step != NULL) {
        step->stat_digest = znode->stat_digest;
        step->acl = before;
    } else {
        acl_release (self, before);
    }
    renew_stat (self, znode, names_of (path, path_size).own);
}

/* ---- Undo -------------------------------------------------------------------------------- */

void change_undo_begin (struct tree *self)
{
    struct undo *undo = &self->undo;
    COHORT_ASSERT (!undo->active);
    if (undo->steps == NULL) {
        undo->steps = mem_alloc (UNDO_STEPS_MAX * sizeof (*undo->steps));
        MEM_NEED (undo->steps != NULL);
        arena_init (&undo->data, UNDO_BLOCK_SIZE, UNDO_KEEP_MAX);
    }
    undo->active = true;
    undo->count = 0;
    undo->digest = self->digest;
    undo->last_estate = self->scalars.last_estate;
}

void change_undo_discard (struct tree *self)
{
    struct undo *undo = &self->undo;
    COHORT_ASSERT (undo->active);
    for (size_t i = 0; i < undo->count; i++) {
        const struct undo_step *step = &undo->steps[i];
        if (step->kind == UNDO_DELETE) {
            free_znode (self, step->znode);
        } else if (step->kind == UNDO_ACL || step->kind == UNDO_INHERITED) {
            acl_release (self, step->acl);
        }
    }
    arena_reset (&undo->data);
    undo->active = false;
}

/* The parts of the digest come back as they were noted, not computed anew: what had changed by
 * itself before the multi is still to be seen after it. */
static void restore_parent (struct tree *self, struct znode *parent, uint64_t name,
                            const struct undo_step *step)
{
    replace_part (self, name, &parent->stat_digest, step->stat_digest);
    parent->u.family->pzxid = step->pzxid;
    parent->u.family->sequence = step->sequence;
    parent->u.family->cversion = step->cversion;
    lapse_restore (self, parent, step->lapse_ms);
}

static void undo_one (struct tree *self, const struct undo_step *step)
{
    if (step->kind == UNDO_HAND_OVER) {
        change_undo_hand_over (self, step);
        return;
    }
    struct znode *znode = step->znode;
    struct znode *parent = znode->parent;
    size_t path_size;
    bool ok = znode_path (znode, &self->path, &path_size);
    MEM_NEED (ok);
    struct names names = names_of ((const char *) self->path.data, path_size);
    switch (step->kind) {
    case UNDO_CREATE:
        leave (self, znode, names.own);
        restore_parent (self, parent, names.parent, step);
        free_znode (self, znode);
        return;
    case UNDO_DELETE:
        join (self, znode, names.own, parent, step->next_owned);
        lapse_restore (self, znode, step->own_lapse_ms);
        restore_parent (self, parent, names.parent, step);
        return;
    case UNDO_SET:
        replace_data (znode, step->data, step->data_size);
        znode->version = step->version;
        *znode_mzxid_place (znode) = step->mzxid;
        znode->mtime = step->mtime;
        replace_part (self, names.own, &znode->data_digest, step->data_digest);
        replace_part (self, names.own, &znode->stat_digest, step->stat_digest);
        lapse_update (self, znode);
        return;
    case UNDO_ACL:
        acl_release (self, znode_acl (znode));
        ok = znode_set_acl (&self->slab, znode, step->acl);
        MEM_NEED (ok);
        replace_part (self, names.own, &znode->stat_digest, step->stat_digest);
        return;
    case UNDO_INHERITED:
        acl_release (self, znode->u.family->inherited);
        replace_inherited (self, znode, step->acl);
        replace_part (self, names.own, &znode->stat_digest, step->stat_digest);
        return;
    case UNDO_HAND_OVER:
        break;
    }
    assert_fail ("the kind of the step is known", __FILE__, __LINE__);
}

void change_undo_all (struct tree *self)
{
    struct undo *undo = &self->undo;
    COHORT_ASSERT (undo->active);
    while (undo->count > 0) {
        undo_one (self, &undo->steps[--undo->count]);
    }
    effects_rollback (&self->effects);
    /* Those with later ids are idle, and go with the entry. */
    self->scalars.last_estate = undo->last_estate;
    COHORT_ASSERT (self->digest == undo->digest);
    arena_reset (&undo->data);
    undo->active = false;
}

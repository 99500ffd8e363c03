/* What is known of a history so far: who may see what, and when (docs/acl.md).
 *
 * A change that happens is judged by the lists as they are then, and by who its hearer is. What is
 * told late may besides be kept from who may not see it any more. A stream shows nothing while its
 * top may not be read, and begins anew where more changes for its client than one znode's data. */

#include <string.h>

#include "client/base/assert.h"
#include "tests/history/facts.h"

/* ---- States ---------------------------------------------------------------------------------- */

bool facts_denied (const struct facts *self, const struct fact_client *client, const char *path,
                   bool whole, uint64_t zxid)
{
    const struct model_znode *znode = model_find (&self->model, path);
    const struct model_version *version = model_at (znode, zxid);
    if (!self->model.lists) {
        return false;
    }
    struct model_who who = facts_who (self, client, zxid);
    if (version == NULL) {
        return model_absence (&self->model, who, path, zxid, 0) == COHORT_ENOAUTH;
    }
    return whole ? !model_may (who, version, COHORT_PERM_READ) : !model_sees (who, znode, zxid);
}

/* Whether it may be that from this change on the path can be seen by others. */
static bool moves_sight (const struct model_change *change, const char *path)
{
    const struct model_znode *znode = change->znode;
    return znode != NULL && znode->versions[change->version].change != MODEL_DATA &&
           model_covers (znode->path, path);
}

bool facts_ever (const struct facts *self, const struct fact_client *client, const char *path,
                 bool whole, uint64_t since, bool denied)
{
    const struct model *model = &self->model;
    const struct model_session *session = model_session (model, client->session);
    if (facts_denied (self, client, path, whole, since) == denied) {
        return true;
    }
    for (size_t i = model_changes_after (model, since); i < model->changes_count; i++) {
        if (moves_sight (&model->changes[i], path) &&
            facts_denied (self, client, path, whole, model->changes[i].zxid) == denied) {
            return true;
        }
    }
    for (size_t i = 0; i < model->admins_count; i++) {
        uint64_t zxid = model->admins[i].zxid;
        if (zxid > since && facts_denied (self, client, path, whole, zxid) == denied) {
            return true;
        }
    }
    for (size_t i = 0; session != NULL && i < session->origins_count; i++) {
        uint64_t zxid = session->origins[i].zxid;
        if (zxid > since && facts_denied (self, client, path, whole, zxid) == denied) {
            return true;
        }
    }
    return false;
}

/* To others, and as an administrator. */
static bool is_same (const struct facts *self, const struct fact_client *client, uint64_t since)
{
    const struct model *model = &self->model;
    const struct model_session *session = model_session (model, client->session);
    struct model_who who = facts_who (self, client, since);
    for (size_t i = 0; session != NULL && i < session->origins_count; i++) {
        const struct model_origin *origin = &session->origins[i];
        if (origin->zxid > since && origin->incarnation == client->incarnation &&
            strcmp (origin->identities, who.identities) != 0) {
            return false;
        }
    }
    bool admin = model_is_admin (who);
    for (size_t i = model->admins_count; i-- > 0 && model->admins[i].zxid > since;) {
        who.admins = model->admins[i].list;
        if (model_is_admin (who) != admin) {
            return false;
        }
    }
    return true;
}

/* ---- Changes --------------------------------------------------------------------------------- */

static bool reads (struct model_who who, const struct model_version *version)
{
    return version != NULL && model_may (who, version, COHORT_PERM_READ);
}

/* Whether somebody who heard of it at once might: of a znode who could see it, of its children who
 * could list them. */
bool fact_may_hear (struct model_who who, const struct model_znode *znode,
                    const struct model_version *version)
{
    return reads (who, version) || (version->change != MODEL_CHILDREN &&
                                    reads (who, model_behind (znode->parent, version->order)));
}

/* The top of the stream, which the znode is below. */
static const struct model_znode *top_of (const struct facts *self, const struct fact_stream *stream,
                                         const struct model_znode *znode)
{
    if (stream->path[1] == '\0') {
        return self->model.root;
    }
    if (znode == NULL) {
        return model_find (&self->model, stream->path);
    }
    while (strcmp (znode->path, stream->path) != 0) {
        COHORT_ASSERT (znode->parent != NULL);
        znode = znode->parent;
    }
    return znode;
}

struct scene {
    struct model_who who;
    const struct model_znode *top, *znode;
    const struct model_version *version;
    bool watch;
    bool shut; /* the top could not be read before the change */
};

/* Whether a list that was set changes more than whether one znode's data is shown. */
static bool turns (const struct scene *scene)
{
    const struct model_version *version = scene->version;
    const struct model_version *parent = model_behind (scene->znode->parent, version->order);
    bool before = reads (scene->who, version - 1), after = reads (scene->who, version);
    if (scene->znode == scene->top && after == scene->shut) {
        return true;
    }
    return !scene->shut && before != after &&
           (version->stat.child_count > 0 || !reads (scene->who, parent));
}

/* What is made of a change by who tells it at once. */
static unsigned live_fate (const struct scene *scene)
{
    const struct model_version *version = scene->version;
    bool top = scene->znode == scene->top;
    if (scene->znode == NULL) {
        return scene->shut ? FACT_PASSED : FACT_TOLD;
    }
    if (version->change == MODEL_ACL && turns (scene)) {
        return FACT_TURNED;
    }
    if ((version->change == MODEL_ACL && scene->watch) ||
        (scene->shut && !(top && version->change == MODEL_CREATED))) {
        return FACT_PASSED;
    }
    bool seen = top && version->change != MODEL_DELETED
                    ? reads (scene->who, version)
                    : fact_may_hear (scene->who, scene->znode, version);
    return seen ? FACT_TOLD : FACT_PASSED;
}

/* As much of it as its hearer could see in some state behind it: 0 nothing, 1 that it is there, 2
 * all. What is another znode by then, or none, is not kept from anybody. */
static int sight_at (const struct facts *self, const struct fact_client *client,
                     const struct model_znode *znode, const struct model_version *version,
                     uint64_t zxid)
{
    const struct model_version *at = model_at (znode, zxid);
    struct model_who who = facts_who (self, client, zxid);
    if (at == NULL || at->stat.czxid != version->stat.czxid) {
        return 2;
    }
    return reads (who, at) ? 2 : model_sees (who, znode, zxid);
}

/* The least, or the most, of all states since then. */
static int sight_since (const struct facts *self, const struct fact_client *client,
                        const struct model_znode *znode, const struct model_version *version,
                        uint64_t since, bool most)
{
    const struct model *model = &self->model;
    int found = sight_at (self, client, znode, version, since);
    for (const struct model_znode *at = znode; at != NULL;
         at = at == znode ? znode->parent : NULL) {
        for (size_t i = model_after (at, since); i < at->versions_count; i++) {
            const struct model_version *later = &at->versions[i];
            if (later->change == MODEL_DATA || later->change == MODEL_CHILDREN) {
                continue;
            }
            int sight = sight_at (self, client, znode, version, later->zxid);
            found = (sight > found) == most ? sight : found;
        }
    }
    return is_same (self, client, since) || model->zxid == since ? found : most ? 2 : 0;
}

static bool is_kept_later (const struct facts *self, const struct fact_client *client,
                           const struct scene *scene, uint64_t zxid)
{
    if (scene->znode == NULL || scene->version->change == MODEL_DELETED) {
        return false;
    }
    int least = sight_since (self, client, scene->znode, scene->version, zxid, false);
    return least < (scene->znode == scene->top ? 2 : 1);
}

int fact_sight_of_late (const struct facts *self, const struct fact_client *client,
                        const struct model_change *change)
{
    const struct model_znode *znode = change->znode;
    if (!znode->listed || client->attach_zxid <= change->zxid) {
        return 2;
    }
    return sight_since (self, client, znode, &znode->versions[change->version], client->attach_zxid,
                        true);
}

/* A shallow one tells of the znode itself, and of the coming and going of its children. Of
 * hand-overs all are told; but watches of none. */
static bool concerns (const struct model_change *change, const struct fact_stream *stream)
{
    const struct model_znode *znode = change->znode;
    const char *path = stream->path;
    if (znode == NULL) {
        return (stream->flags & HISTORY_STREAM_WATCH) == 0;
    }
    if ((stream->flags & HISTORY_STREAM_SHALLOW) == 0) {
        return model_covers (path, znode->path);
    }
    enum model_change_kind kind = znode->versions[change->version].change;
    return strcmp (znode->path, path) == 0 ||
           (znode->parent != NULL && strcmp (znode->parent->path, path) == 0 &&
            (kind == MODEL_CREATED || kind == MODEL_DELETED));
}

/* Whether it may be taken for one whose top may be read, where that was not so then: what is gone
 * on with is judged by what is so when its server is asked for it. */
static bool may_be_open (const struct facts *self, const struct fact_client *client,
                         const struct fact_stream *stream, uint64_t zxid)
{
    return stream->resumes && (stream->judged == 0 || zxid <= stream->judged) &&
           facts_ever (self, client, stream->path, true, zxid, false);
}

unsigned fact_fate (const struct facts *self, const struct fact_client *client,
                    const struct fact_stream *stream, size_t at)
{
    const struct model_change *change = &self->model.changes[at];
    const struct model_znode *znode = change->znode;
    if (!concerns (change, stream)) {
        return FACT_PASSED;
    }
    const struct model_znode *top = self->model.lists ? top_of (self, stream, znode) : NULL;
    bool guarded = top != NULL && top->listed;
    if (znode == NULL && self->model.lists && model_behind (top, at) == NULL) {
        /* Whether its top may be read was asked when there was nothing. */
        return FACT_TOLD | FACT_PASSED | FACT_TURNED;
    }
    if (!guarded && (znode == NULL || !znode->listed)) {
        return FACT_TOLD;
    }
    uint64_t since = guarded && stream->since < change->zxid ? stream->since : change->zxid;
    const struct model_version *before = guarded ? model_behind (top, at) : NULL;
    struct scene scene = {.who = facts_who (self, client, change->zxid),
                          .top = top,
                          .znode = znode,
                          .version = znode != NULL ? &znode->versions[change->version] : NULL,
                          .watch = (stream->flags & HISTORY_STREAM_WATCH) != 0};
    scene.shut = before != NULL && !reads (scene.who, before);
    bool unsure = scene.shut && may_be_open (self, client, stream, change->zxid);
    if (unsure || !is_same (self, client, since)) {
        return FACT_TOLD | FACT_PASSED | FACT_TURNED;
    }
    unsigned fate = live_fate (&scene);
    bool kept = fate == FACT_TOLD && is_kept_later (self, client, &scene, change->zxid);
    return kept ? fate | FACT_PASSED : fate;
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

struct fact_extent fact_extent (const struct facts *self, const struct fact_client *client,
                                const char *path, uint64_t since, uint64_t zxid)
{
    const struct model *model = &self->model;
    struct model_who who = facts_who (self, client, zxid);
    struct fact_extent extent = {0, 0};
    for (struct map_node *node = map_first (&model->znodes); node != NULL;
         node = map_next (&model->znodes, node)) {
        const struct model_znode *znode = map_entry (node, struct model_znode, node);
        if (model_covers (path, znode->path) && model_at (znode, zxid) != NULL) {
            extent.most++;
            extent.least += !znode->listed || model_sees (who, znode, zxid);
        }
    }
    if (!model->lists) {
        return extent;
    }
    const struct model_znode *top = model_find (model, path);
    if (top != NULL && top->listed && facts_denied (self, client, path, true, zxid)) {
        extent.least = 0;
    }
    if (is_same (self, client, since)) {
        extent.most = extent.least;
    } else {
        extent.least = 0;
    }
    return extent;
}

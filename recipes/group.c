/* Who is in a group: the recipe behind cohort/group.h, a member (cohort/member.h) and a mirror
 * (cohort/mirror.h) of the path, of which the ephemeral znodes right below it count.
 * May include: the client's public headers, member, mirror, recipes' support, libc. */

#include "cohort/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cohort/member.h"
#include "cohort/mirror.h"
#include "support.h"

struct cohort_group {
    cohort_t *client;
    char *path;
    cohort_member_t *member; /* NULL: it only looks on */
    cohort_mirror_t *mirror;
    cohort_group_member_t shown; /* what get and at return */
    struct recipe_guard guard;
    cohort_group_fn *fn;
    void *arg;
};

static void group_free (cohort_group_t *self)
{
    free (self->path);
    free (self);
}

static void group_leave (cohort_group_t *self)
{
    if (recipe_leave (&self->guard)) {
        group_free (self);
    }
}

static void report (cohort_group_t *self, cohort_group_event_t event)
{
    event.path = self->path;
    if (self->fn != NULL && !self->guard.destroyed) {
        self->fn (self, &event, self->arg);
    }
}

/* ---- The list -------------------------------------------------------------------------------- */

/* Whether the node is a member of the group. */
static bool is_member (const cohort_group_t *self, const cohort_node_t *node)
{
    return node != NULL && node->stat.ephemeral_owner != 0 &&
           (size_t) (strrchr (node->path, '/') - node->path) == strlen (self->path);
}

static cohort_group_member_t member_of (const cohort_node_t *node)
{
    return (cohort_group_member_t){.name = strrchr (node->path, '/') + 1,
                                   .data = node->data,
                                   .size = node->size,
                                   .token = {.czxid = node->stat.czxid, .ozxid = node->stat.ozxid},
                                   .session = node->stat.ephemeral_owner,
                                   .since_ms = node->stat.ctime_ms};
}

static const cohort_group_member_t *show (cohort_group_t *self, const cohort_node_t *node)
{
    if (!is_member (self, node)) {
        return NULL;
    }
    self->shown = member_of (node);
    return &self->shown;
}

size_t cohort_group_count (cohort_group_t *self)
{
    size_t count = 0;
    for (const cohort_node_t *node = cohort_mirror_first_child (self->mirror, self->path);
         node != NULL; node = cohort_mirror_next_child (self->mirror, node)) {
        count += is_member (self, node);
    }
    return count;
}

const cohort_group_member_t *cohort_group_get (cohort_group_t *self, const char *name)
{
    for (const cohort_node_t *node =
             name == NULL ? NULL : cohort_mirror_first_child (self->mirror, self->path);
         node != NULL; node = cohort_mirror_next_child (self->mirror, node)) {
        if (strcmp (strrchr (node->path, '/') + 1, name) == 0) {
            return show (self, node);
        }
    }
    return NULL;
}

/* Of all members created by a later transaction than `after`, or in the same one and behind it in
 * the order of names, the first. */
static const cohort_node_t *next_in_age (cohort_group_t *self, const cohort_node_t *after)
{
    const cohort_node_t *best = NULL;
    bool passed = false;
    for (const cohort_node_t *node = cohort_mirror_first_child (self->mirror, self->path);
         node != NULL; node = cohort_mirror_next_child (self->mirror, node)) {
        passed = passed || node == after;
        if (!is_member (self, node) || node == after) {
            continue;
        }
        uint64_t czxid = node->stat.czxid;
        bool behind =
            after == NULL || czxid > after->stat.czxid || (czxid == after->stat.czxid && passed);
        best = behind && (best == NULL || czxid < best->stat.czxid) ? node : best;
    }
    return best;
}

const cohort_group_member_t *cohort_group_at (cohort_group_t *self, size_t index)
{
    const cohort_node_t *node = next_in_age (self, NULL);
    for (; node != NULL && index > 0; index--) {
        node = next_in_age (self, node);
    }
    return show (self, node);
}

int64_t cohort_group_stale_ms (cohort_group_t *self)
{
    return cohort_mirror_stale_ms (self->mirror);
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* What a change of a node is for the group. */
static void changed (cohort_group_t *self, const cohort_mirror_event_t *event)
{
    bool is = is_member (self, event->node), was = is_member (self, event->before);
    if (!is && !was) {
        return;
    }
    cohort_group_member_t member = member_of (is ? event->node : event->before);
    cohort_group_kind_t kind = !was  ? COHORT_GROUP_ADDED
                               : !is ? COHORT_GROUP_REMOVED
                                     : COHORT_GROUP_CHANGED;
    report (self, (cohort_group_event_t){.kind = kind, .member = &member});
}

static void on_mirror (cohort_mirror_t *mirror, const cohort_mirror_event_t *event, void *arg)
{
    cohort_group_t *self = arg;
    (void) mirror;
    recipe_enter (&self->guard);
    switch (event->kind) {
    case COHORT_MIRROR_ADDED:
    case COHORT_MIRROR_CHANGED:
    case COHORT_MIRROR_REMOVED:
        changed (self, event);
        break;
    case COHORT_MIRROR_SYNCED:
        report (self, (cohort_group_event_t){.kind = COHORT_GROUP_SYNCED});
        break;
    case COHORT_MIRROR_ERROR:
        report (self, (cohort_group_event_t){.kind = COHORT_GROUP_ERROR, .rc = event->rc});
        break;
    case COHORT_MIRROR_BATCH:
    case COHORT_MIRROR_LOST:
        break;
    }
    group_leave (self);
}

static void on_member (cohort_member_t *member, const cohort_member_event_t *event, void *arg)
{
    static const cohort_group_kind_t kinds[] = {[COHORT_MEMBER_REGISTERED] = COHORT_GROUP_JOINED,
                                                [COHORT_MEMBER_CONFLICT] = COHORT_GROUP_CONFLICT,
                                                [COHORT_MEMBER_LOST] = COHORT_GROUP_LOST,
                                                [COHORT_MEMBER_ERROR] = COHORT_GROUP_ERROR};
    cohort_group_t *self = arg;
    (void) member;
    if (event->kind == COHORT_MEMBER_UPDATED) {
        return; /* the list shows it */
    }
    recipe_enter (&self->guard);
    report (self, (cohort_group_event_t){
                      .kind = kinds[event->kind], .rc = event->rc, .token = event->token});
    group_leave (self);
}

/* ---- Life ------------------------------------------------------------------------------------ */

cohort_group_t *cohort_group_new (cohort_t *client, const char *path, const char *name,
                                  const void *data, size_t size)
{
    bool valid = client != NULL && path != NULL && path[0] == '/' && path[1] != 0 &&
                 path[strlen (path) - 1] != '/' && (data != NULL || size == 0) &&
                 (name == NULL || (name[0] != 0 && strchr (name, '/') == NULL));
    cohort_group_t *self = valid ? malloc (sizeof (*self)) : NULL;
    if (self == NULL) {
        return NULL;
    }
    *self = (cohort_group_t){.client = client, .path = recipe_copy (path, strlen (path))};
    size_t node_size = strlen (path) + (name == NULL ? 0 : strlen (name)) + 2;
    char *node = malloc (node_size);
    if (self->path != NULL && node != NULL) {
        self->mirror = cohort_mirror_new (client, path, NULL);
        snprintf (node, node_size, "%s/%s", path, name == NULL ? "" : name);
        if (self->mirror != NULL && name != NULL) {
            self->member = cohort_member_new (client, node, data, size, COHORT_MEMBER_WAIT);
        }
    }
    free (node);
    if (self->mirror == NULL || (name != NULL && self->member == NULL)) {
        cohort_group_destroy (&self);
        return NULL;
    }
    cohort_mirror_set_handler (self->mirror, on_mirror, self);
    if (self->member != NULL) {
        cohort_member_set_handler (self->member, on_member, self);
    }
    return self;
}

void cohort_group_destroy (cohort_group_t **self_p)
{
    cohort_group_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->guard.destroyed);
    cohort_member_destroy (&self->member);
    cohort_mirror_destroy (&self->mirror);
    if (recipe_bury (&self->guard)) {
        group_free (self);
    }
}

void cohort_group_set_handler (cohort_group_t *self, cohort_group_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

int cohort_group_update (cohort_group_t *self, const void *data, size_t size)
{
    return self->member == NULL ? COHORT_ESTATE : cohort_member_update (self->member, data, size);
}

int cohort_group_retry (cohort_group_t *self)
{
    int rc = cohort_mirror_retry (self->mirror);
    return rc == 0 && self->member != NULL ? cohort_member_retry (self->member) : rc;
}

int cohort_group_wait (cohort_group_t *self, int timeout_ms)
{
    int64_t deadline = timeout_ms < 0 ? 0 : recipe_clock (NULL) + timeout_ms;
    recipe_enter (&self->guard);
    int rc = cohort_mirror_wait (self->mirror, timeout_ms);
    if (rc == 0 && !self->guard.destroyed && self->member != NULL) {
        int64_t left = deadline - recipe_clock (NULL);
        rc = cohort_member_wait (self->member, timeout_ms < 0 ? -1 : left > 0 ? (int) left : 0);
    }
    rc = self->guard.destroyed ? COHORT_ECLOSING : rc;
    group_leave (self);
    return rc;
}

cohort_token_t cohort_group_token (cohort_group_t *self)
{
    return self->member == NULL ? (cohort_token_t){0} : cohort_member_token (self->member);
}

int cohort_group_valid (cohort_group_t *self, int margin_ms)
{
    return self->member != NULL && cohort_member_valid (self->member, margin_ms);
}

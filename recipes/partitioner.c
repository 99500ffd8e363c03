/* Partitions that are shared out: the recipe behind cohort/partitioner.h. A member
 * (cohort/member.h) and a mirror (cohort/mirror.h) of the members, as a group has them, tell what
 * our share is; a lock (cohort/lock.h) for each partition decides who owns it.
 *
 * A partition is, for us:
 *
 *   idle -> waiting -> held -> asked -> idle
 *
 * and settle () takes each of them one step towards the share. Nothing is done while our own znode
 * is not in the list: what others make of that they see for themselves.
 * May include: partitioner_private.h, recipes' shares, libc.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "partitioner_private.h"
#include "shares.h"

/* "/499" */
#define SUFFIX_SIZE 16

/* Until what could not be sent is tried again. */
#define AGAIN_MS 100

static void partitioner_free (cohort_partitioner_t *self)
{
    cohort_timer_destroy (&self->timer);
    free (self->path);
    free (self->members);
    free (self->locks);
    free (self->node);
    free (self);
}

void partitioner_leave (cohort_partitioner_t *self)
{
    if (recipe_leave (&self->guard)) {
        partitioner_free (self);
    }
}

static void report (cohort_partitioner_t *self, cohort_partitioner_event_t event)
{
    if (self->fn != NULL && !self->guard.destroyed) {
        self->fn (self, &event, self->arg);
    }
}

static void report_part (struct part *part, cohort_partitioner_kind_t kind, int rc,
                         cohort_token_t token)
{
    cohort_partitioner_t *self = part->partitioner;
    report (self,
            (cohort_partitioner_event_t){
                .kind = kind, .rc = rc, .number = (int) (part - self->parts), .token = token});
}

void partitioner_fail (cohort_partitioner_t *self, int rc)
{
    self->error = rc;
    report (self,
            (cohort_partitioner_event_t){.kind = COHORT_PARTITIONER_ERROR, .rc = rc, .number = -1});
}

static struct part *part_of (cohort_partitioner_t *self, int number)
{
    return number >= 0 && number < self->count ? &self->parts[number] : NULL;
}

static char *join (const char *path, const char *suffix)
{
    size_t size = strlen (path) + strlen (suffix) + 1;
    char *joined = malloc (size);
    if (joined != NULL) {
        snprintf (joined, size, "%s%s", path, suffix);
    }
    return joined;
}

/* Has itself called when something is due: at once, or when a grace is over. */
static void arm (cohort_partitioner_t *self)
{
    int64_t due_ms = self->settles || self->arranges ? COHORT_TIMER_NOW : COHORT_TIMER_NEVER;
    for (int i = 0; i < self->count; i++) {
        const struct part *part = &self->parts[i];
        due_ms = part->asked && part->late_ms < due_ms ? part->late_ms : due_ms;
    }
    cohort_timer_set (self->timer, due_ms);
}

/* ---- Shares ---------------------------------------------------------------------------------- */

/* Who has a name in the list; children come in the order of names. */
static int list_members (cohort_partitioner_t *self, struct share_member *members)
{
    int count = 0;
    for (const cohort_node_t *node = cohort_mirror_first_child (self->mirror, self->members);
         node != NULL; node = cohort_mirror_next_child (self->mirror, node)) {
        if (node->stat.ephemeral_owner == 0) {
            continue;
        }
        if (members != NULL) {
            members[count] =
                (struct share_member){.hash = share_hash (strrchr (node->path, '/') + 1),
                                      .own = strcmp (node->path, self->node) == 0};
        }
        count++;
    }
    return count;
}

/* Whether the list has our own znode, of the session of now. */
static bool is_member (cohort_partitioner_t *self)
{
    if (self->member == NULL) {
        return false;
    }
    const cohort_node_t *node = cohort_mirror_get (self->mirror, self->node);
    return node != NULL && node->stat.czxid == cohort_member_token (self->member).czxid &&
           cohort_state (self->client) != COHORT_LOST &&
           node->stat.ephemeral_owner == cohort_session_id (self->client);
}

/* Computes our share. */
static int take_share (cohort_partitioner_t *self)
{
    bool mine[COHORT_PARTITIONER_MAX] = {false};
    if (!self->out) {
        int count = list_members (self, NULL);
        struct share_member *members = malloc ((size_t) count * sizeof (*members));
        if (members == NULL) {
            return COHORT_ENOMEM;
        }
        (void) list_members (self, members);
        share_out (members, count, mine, self->count);
        free (members);
    }
    for (int i = 0; i < self->count; i++) {
        self->parts[i].mine = mine[i];
    }
    return 0;
}

/* ---- One partition ----------------------------------------------------------------------------
 */

static cohort_lock_fn on_lock;

static int make_lock (struct part *part)
{
    cohort_partitioner_t *self = part->partitioner;
    char suffix[SUFFIX_SIZE];
    snprintf (suffix, sizeof (suffix), "/%d", (int) (part - self->parts));
    char *path = part->lock != NULL ? NULL : join (self->locks, suffix);
    if (path != NULL) {
        part->lock = cohort_lock_new (self->client, path, self->name, strlen (self->name));
        free (path);
        if (part->lock != NULL) {
            cohort_lock_set_handler (part->lock, on_lock, part);
        }
    }
    return part->lock != NULL ? 0 : COHORT_ENOMEM;
}

static void refuse (struct part *part, int rc)
{
    part->refused = rc;
    report_part (part, COHORT_PARTITIONER_ERROR, rc, (cohort_token_t){0});
}

static void acquire (struct part *part)
{
    int rc = make_lock (part);
    rc = rc == 0 ? cohort_lock_acquire (part->lock, COHORT_LOCK_EXCLUSIVE) : rc;
    if (rc != 0) {
        refuse (part, rc);
        return;
    }
    part->waiting = true;
}

static void ask (struct part *part)
{
    cohort_partitioner_t *self = part->partitioner;
    part->asked = true;
    part->deadline_ms =
        self->grace_ms < 0 ? COHORT_TIMER_NEVER : cohort_now_ms (self->client) + self->grace_ms;
    part->late_ms = part->deadline_ms;
    arm (self);
    report_part (part, COHORT_PARTITIONER_RELEASE_ASKED, 0, cohort_lock_token (part->lock));
}

static int give_up (struct part *part)
{
    int rc = cohort_lock_release (part->lock);
    if (rc == 0) {
        part->held = part->asked = false;
    }
    return rc;
}

/* One step towards what it is to be. */
static void settle (struct part *part)
{
    cohort_partitioner_t *self = part->partitioner;
    if (self->guard.destroyed) {
        return;
    }
    if (part->held && !part->mine && !part->asked) {
        ask (part);
    } else if (part->waiting && !part->mine) {
        /* If there is no memory for it, it is granted, and asked back. */
        part->waiting = cohort_lock_release (part->lock) != 0;
    } else if (part->mine && !part->held && !part->waiting && part->refused == 0 &&
               is_member (self)) {
        acquire (part);
    }
}

static void on_lock (cohort_lock_t *lock, const cohort_lock_event_t *event, void *arg)
{
    struct part *part = arg;
    cohort_partitioner_t *self = part->partitioner;
    bool ended = event->rc == COHORT_ESESSIONEXPIRED || event->rc == COHORT_ENONODE;
    (void) lock;
    recipe_enter (&self->guard);
    switch (event->kind) {
    case COHORT_LOCK_GRANTED:
        part->waiting = false;
        part->held = true;
        report_part (part, COHORT_PARTITIONER_ACQUIRED, 0, event->token);
        break;
    case COHORT_LOCK_REVOKED:
        part->held = part->asked = false;
        report_part (part, COHORT_PARTITIONER_REVOKED, event->rc, event->token);
        break;
    case COHORT_LOCK_FAILED:
        part->waiting = false;
        if (!ended) {
            refuse (part, event->rc);
        }
        break;
    case COHORT_LOCK_WAITING:
        break;
    }
    settle (part);
    partitioner_leave (self);
}

/* ---- The members ----------------------------------------------------------------------------- */

/* The members have changed, or somebody wants it tried again. The caller holds the guard. */
static void arrange (cohort_partitioner_t *self)
{
    if (!self->out && !is_member (self)) {
        return;
    }
    int rc = take_share (self);
    if (rc != 0) {
        partitioner_fail (self, rc);
        return;
    }
    for (int i = 0; i < self->count && !self->guard.destroyed; i++) {
        self->parts[i].refused = 0;
        settle (&self->parts[i]);
    }
}

/* A grace is over: the partition is given up. */
static void late (struct part *part)
{
    cohort_partitioner_t *self = part->partitioner;
    cohort_token_t token = cohort_lock_token (part->lock);
    if (give_up (part) == 0) {
        report_part (part, COHORT_PARTITIONER_RELEASED, 0, token);
        settle (part);
    } else {
        part->late_ms = cohort_now_ms (self->client) + AGAIN_MS;
    }
}

/* Something is due, by time alone or because somebody has asked for it. */
static void on_timer (cohort_t *client, void *arg)
{
    cohort_partitioner_t *self = arg;
    int64_t now_ms = cohort_now_ms (client);
    recipe_enter (&self->guard);
    for (int i = 0; i < self->count && !self->guard.destroyed; i++) {
        struct part *part = &self->parts[i];
        if (part->asked && now_ms >= part->late_ms) {
            late (part);
        }
    }
    bool settles = self->settles, arranges = self->arranges;
    self->settles = self->arranges = false;
    if (arranges && !self->guard.destroyed) {
        arrange (self);
    }
    for (int i = 0; i < self->count && settles && !self->guard.destroyed; i++) {
        settle (&self->parts[i]);
    }
    if (!self->guard.destroyed) {
        arm (self);
    }
    partitioner_leave (self);
}

static void on_mirror (cohort_mirror_t *mirror, const cohort_mirror_event_t *event, void *arg)
{
    cohort_partitioner_t *self = arg;
    (void) mirror;
    recipe_enter (&self->guard);
    if (event->kind == COHORT_MIRROR_BATCH) {
        arrange (self);
    } else if (event->kind == COHORT_MIRROR_ERROR) {
        partitioner_fail (self, event->rc);
    }
    partitioner_leave (self);
}

static void on_member (cohort_member_t *member, const cohort_member_event_t *event, void *arg)
{
    cohort_partitioner_t *self = arg;
    (void) member;
    recipe_enter (&self->guard);
    switch (event->kind) {
    case COHORT_MEMBER_REGISTERED:
        self->out = false;
        break;
    case COHORT_MEMBER_CONFLICT:
        self->out = true;
        report (self, (cohort_partitioner_event_t){
                          .kind = COHORT_PARTITIONER_CONFLICT, .rc = event->rc, .number = -1});
        break;
    case COHORT_MEMBER_ERROR:
        self->out = true;
        partitioner_fail (self, event->rc);
        break;
    case COHORT_MEMBER_LOST:
    case COHORT_MEMBER_UPDATED:
        break;
    }
    if (!self->guard.destroyed) {
        arrange (self);
    }
    partitioner_leave (self);
}

/* All agree on the number of partitions. */
int partitioner_take_part (cohort_partitioner_t *self)
{
    if (self->mirror == NULL) {
        self->mirror = cohort_mirror_new (self->client, self->members, NULL);
        if (self->mirror == NULL) {
            return COHORT_ENOMEM;
        }
        cohort_mirror_set_handler (self->mirror, on_mirror, self);
    }
    self->member = cohort_member_new (self->client, self->node, NULL, 0, COHORT_MEMBER_WAIT);
    if (self->member == NULL) {
        return COHORT_ENOMEM;
    }
    cohort_member_set_handler (self->member, on_member, self);
    return 0;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static bool is_valid (const cohort_t *client, const char *path, const char *name, int partitions)
{
    return client != NULL && path != NULL && path[0] == '/' && path[1] != 0 &&
           path[strlen (path) - 1] != '/' && name != NULL && name[0] != 0 &&
           strchr (name, '/') == NULL && partitions > 0 && partitions <= COHORT_PARTITIONER_MAX;
}

cohort_partitioner_t *cohort_partitioner_new (cohort_t *client, const char *path, const char *name,
                                              int partitions,
                                              const cohort_partitioner_options_t *options)
{
    bool valid = is_valid (client, path, name, partitions);
    cohort_partitioner_t *self =
        valid ? malloc (sizeof (*self) + (size_t) partitions * sizeof (self->parts[0])) : NULL;
    if (self == NULL) {
        return NULL;
    }
    cohort_partitioner_options_t chosen = {0};
    if (options != NULL) {
        memcpy (&chosen, options,
                options->size < sizeof (chosen) ? options->size : sizeof (chosen));
    }
    *self = (cohort_partitioner_t){.client = client,
                                   .grace_ms = chosen.grace_ms != 0 ? chosen.grace_ms
                                                                    : COHORT_PARTITIONER_GRACE_MS,
                                   .count = partitions};
    for (int i = 0; i < partitions; i++) {
        self->parts[i] = (struct part){.partitioner = self};
    }
    self->timer = cohort_timer_new (client, on_timer, self);
    self->path = join (path, "");
    self->members = join (path, "/members");
    self->locks = join (path, "/partitions");
    char *folder = join (path, "/members/");
    self->node = folder == NULL ? NULL : join (folder, name);
    free (folder);
    bool whole = self->timer != NULL && self->path != NULL && self->members != NULL &&
                 self->locks != NULL && self->node != NULL;
    if (!whole || partitioner_agree (self, true) != 0) {
        partitioner_free (self);
        return NULL;
    }
    self->name = strrchr (self->node, '/') + 1;
    return self;
}

void cohort_partitioner_destroy (cohort_partitioner_t **self_p)
{
    cohort_partitioner_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->guard.destroyed);
    recipe_calls_forget (&self->calls);
    cohort_timer_destroy (&self->timer);
    for (int i = 0; i < self->count; i++) {
        cohort_lock_destroy (&self->parts[i].lock);
    }
    cohort_member_destroy (&self->member);
    cohort_mirror_destroy (&self->mirror);
    if (recipe_bury (&self->guard)) {
        partitioner_free (self);
    }
}

void cohort_partitioner_set_handler (cohort_partitioner_t *self, cohort_partitioner_fn *fn,
                                     void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

static int begin_again (cohort_partitioner_t *self)
{
    if (self->member != NULL) {
        int rc = cohort_mirror_retry (self->mirror);
        return rc == 0 ? cohort_member_retry (self->member) : rc;
    }
    return self->asking ? 0 : partitioner_agree (self, true);
}

int cohort_partitioner_retry (cohort_partitioner_t *self)
{
    int rc = begin_again (self);
    if (rc == 0) {
        self->error = 0;
        for (int i = 0; i < self->count; i++) {
            self->parts[i].refused = 0;
        }
        self->arranges = true;
        arm (self);
    }
    return rc;
}

/* ---- Giving up, and waiting ------------------------------------------------------------------ */

int cohort_partitioner_release (cohort_partitioner_t *self, int number)
{
    struct part *part = part_of (self, number);
    if (part == NULL) {
        return COHORT_EINVAL;
    }
    int rc = part->asked ? give_up (part) : COHORT_ESTATE;
    if (rc == 0) {
        self->settles = true;
        arm (self);
    }
    return rc;
}

/* As a recipe_done_fn. */
static int is_settled (cohort_partitioner_t *self)
{
    if (self->error != 0) {
        return self->error;
    }
    bool settled = is_member (self) && cohort_mirror_stale_ms (self->mirror) == 0;
    for (int i = 0; i < self->count && settled; i++) {
        const struct part *part = &self->parts[i];
        if (part->refused != 0) {
            return part->refused;
        }
        settled = part->held == part->mine && !part->asked && !part->waiting;
    }
    return settled;
}

static int is_settled_now (void *arg)
{
    return is_settled (arg);
}

int cohort_partitioner_wait (cohort_partitioner_t *self, int timeout_ms)
{
    recipe_enter (&self->guard);
    int rc = recipe_wait (self->client, &self->guard, timeout_ms, is_settled_now, self);
    partitioner_leave (self);
    return rc;
}

/* ---- What is owned --------------------------------------------------------------------------- */

int cohort_partitioner_count (cohort_partitioner_t *self)
{
    int count = 0;
    for (int i = 0; i < self->count; i++) {
        count += self->parts[i].held;
    }
    return count;
}

int cohort_partitioner_owns (cohort_partitioner_t *self, int number)
{
    const struct part *part = part_of (self, number);
    return part != NULL && part->held;
}

int cohort_partitioner_valid (cohort_partitioner_t *self, int number, int margin_ms)
{
    const struct part *part = part_of (self, number);
    if (part == NULL || !part->held || !cohort_lock_valid (part->lock, margin_ms)) {
        return 0;
    }
    int64_t margin = margin_ms > 0 ? margin_ms : 0;
    return !part->asked || part->deadline_ms - cohort_now_ms (self->client) > margin;
}

cohort_token_t cohort_partitioner_token (cohort_partitioner_t *self, int number)
{
    const struct part *part = part_of (self, number);
    return part != NULL && part->held ? cohort_lock_token (part->lock) : (cohort_token_t){0};
}

int cohort_partitioner_guard (cohort_partitioner_t *self, int number, cohort_txn_t *txn)
{
    const struct part *part = part_of (self, number);
    return part != NULL && part->held ? cohort_lock_guard (part->lock, txn) : COHORT_ESTATE;
}

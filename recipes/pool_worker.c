/* A worker of a pool: its registration, and the tasks that it is given. A task is this worker's by
 * an assignment that names the czxid of its registration; one that names another is of an earlier
 * registration of that name, and is put back by the master.
 * May include: pool_private.h, libc. */

#include <stdlib.h>
#include <string.h>

#include "pool_private.h"

static struct pool_task **find (cohort_pool_t *self, const char *id)
{
    struct pool_task **at = &self->held;
    while (*at != NULL && strcmp ((*at)->id, id) != 0) {
        at = &(*at)->next;
    }
    return at;
}

struct pool_task *pool_worker_find (const cohort_pool_t *self, const char *id, int attempt)
{
    struct pool_task *task = self->held;
    while (task != NULL && strcmp (task->id, id) != 0) {
        task = task->next;
    }
    return task != NULL && task->attempt == attempt && !task->over ? task : NULL;
}

/* The task is this worker's no more. */
static bool withdraw (cohort_pool_t *self, struct pool_task *task, int rc)
{
    *find (self, task->id) = task->next;
    if (task->over) {
        free (task);
        return true;
    }
    cohort_task_t gone = {.id = task->id, .attempt = task->attempt};
    bool alive = pool_report (
        self, (cohort_pool_event_t){.kind = COHORT_POOL_WITHDRAWN, .rc = rc, .task = &gone});
    free (task);
    return alive;
}

static void withdraw_all (cohort_pool_t *self)
{
    while (self->held != NULL && withdraw (self, self->held, COHORT_EFENCED)) {
    }
}

void pool_worker_recorded (cohort_pool_t *self, const char *id, int attempt, int rc)
{
    struct pool_task *task = pool_worker_find (self, id, attempt);
    if (task == NULL || !task->done) {
        return;
    }
    task->done = false;
    task->over = rc == 0 || rc == COHORT_EDUPLICATE || rc == COHORT_EFENCED;
    if (task->over && !task->listed) {
        *find (self, id) = task->next;
        free (task);
    }
}

/* Those that the mirror has no more. A handler may end it all. */
static bool withdraw_unlisted (cohort_pool_t *self)
{
    struct pool_task *task = self->held;
    while (task != NULL) {
        if (task->listed || task->done) {
            task = task->next;
        } else if (!withdraw (self, task, COHORT_ENONODE)) {
            return false;
        } else {
            task = self->held;
        }
    }
    return true;
}

/* An assignment; false: the pool was destroyed. */
static bool take (cohort_pool_t *self, const cohort_node_t *node, const struct pool_text *text)
{
    const char *id = pool_name (node->path);
    struct pool_task *task = malloc (sizeof (*task) + strlen (id) + 1);
    if (task == NULL) {
        return pool_report (self,
                            (cohort_pool_event_t){.kind = COHORT_POOL_ERROR, .rc = COHORT_ENOMEM});
    }
    *task = (struct pool_task){
        .next = self->held, .czxid = node->stat.czxid, .attempt = text->attempt, .listed = true};
    memcpy (task->id, id, strlen (id) + 1);
    self->held = task;
    cohort_task_t given = {
        .id = id, .attempt = text->attempt, .data = text->payload, .size = text->payload_size};
    return pool_report (self, (cohort_pool_event_t){.kind = COHORT_POOL_TASK, .task = &given});
}

/* Compares what the mirror has with what is held. If that is out of date, it tells when it is no
 * more. */
static void look (cohort_pool_t *self)
{
    cohort_token_t token = cohort_member_token (self->member);
    if (token.czxid == 0 || cohort_mirror_stale_ms (self->own) != 0) {
        return;
    }
    for (struct pool_task *task = self->held; task != NULL; task = task->next) {
        task->listed = false;
    }
    for (const cohort_node_t *node = cohort_mirror_first (self->own); node != NULL;
         node = cohort_mirror_next (self->own, node)) {
        struct pool_task *task = *find (self, pool_name (node->path));
        if (task != NULL && task->czxid == node->stat.czxid) {
            task->listed = true;
        }
    }
    if (!withdraw_unlisted (self)) {
        return;
    }
    for (const cohort_node_t *node = cohort_mirror_first (self->own); node != NULL;) {
        struct pool_text text;
        if (pool_text_parse (&text, "task", node->data, node->size) && text.czxid == token.czxid &&
            *find (self, pool_name (node->path)) == NULL && !take (self, node, &text)) {
            return;
        }
        node = cohort_mirror_next (self->own, node);
    }
}

static void on_own (cohort_mirror_t *mirror, const cohort_mirror_event_t *event, void *arg)
{
    cohort_pool_t *self = arg;
    (void) mirror;
    recipe_enter (&self->guard);
    if (event->kind == COHORT_MIRROR_BATCH || event->kind == COHORT_MIRROR_SYNCED) {
        look (self);
    } else if (event->kind == COHORT_MIRROR_ERROR) {
        pool_report (self, (cohort_pool_event_t){.kind = COHORT_POOL_ERROR, .rc = event->rc});
    }
    pool_leave (self);
}

static void on_member (cohort_member_t *member, const cohort_member_event_t *event, void *arg)
{
    cohort_pool_t *self = arg;
    (void) member;
    recipe_enter (&self->guard);
    if (event->kind == COHORT_MEMBER_REGISTERED) {
        withdraw_all (self);
        if (!self->guard.destroyed &&
            pool_report (self, (cohort_pool_event_t){.kind = COHORT_POOL_REGISTERED,
                                                     .token = event->token})) {
            look (self);
        }
    } else if (event->kind == COHORT_MEMBER_LOST) {
        withdraw_all (self);
    } else if (event->kind == COHORT_MEMBER_ERROR || event->kind == COHORT_MEMBER_CONFLICT) {
        pool_report (self, (cohort_pool_event_t){.kind = COHORT_POOL_ERROR, .rc = event->rc});
    }
    pool_leave (self);
}

int pool_worker_start (cohort_pool_t *self, const void *data, size_t size)
{
    struct pool_text text = {
        .kind = "worker", .capacity = self->capacity, .payload = data, .payload_size = size};
    size_t text_size = 0;
    char *bytes = pool_text_make (&text, &text_size);
    char *worker = pool_path (self, "workers", self->name, NULL);
    char *assigned = pool_path (self, "assign", self->name, NULL);
    if (bytes != NULL && worker != NULL && assigned != NULL) {
        self->member =
            cohort_member_new (self->client, worker, bytes, text_size, COHORT_MEMBER_WAIT);
        self->own = cohort_mirror_new (self->client, assigned, NULL);
    }
    free (bytes);
    free (worker);
    free (assigned);
    if (self->member == NULL || self->own == NULL) {
        return COHORT_ENOMEM;
    }
    cohort_member_set_handler (self->member, on_member, self);
    cohort_mirror_set_handler (self->own, on_own, self);
    return 0;
}

void pool_worker_stop (cohort_pool_t *self)
{
    cohort_member_destroy (&self->member);
    cohort_mirror_destroy (&self->own);
    while (self->held != NULL) {
        struct pool_task *task = self->held;
        self->held = task->next;
        free (task);
    }
}

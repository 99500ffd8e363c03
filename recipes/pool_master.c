/* The master of a pool: what is put back because its worker has died, and who is given what waits.
 *
 * The leading one follows workers, waiting tasks and assignments. Each of these is a mirror of its
 * own, so they may differ by a transaction; every write is conditional on the znodes that it was
 * decided for, and on this master's leading, and what was refused is decided anew when the mirrors
 * have shown something new. What is on its way counts as if it were done.
 * May include: pool_private.h, libc. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool_private.h"

struct pool_write {
    struct recipe_call base; /* owner: the pool, while it leads */
    bool orphan;             /* it is put back; otherwise it is assigned */
    bool failed;             /* it is put back no more */
    bool dropped;            /* it has a result already */
    int attempt;
    uint64_t news; /* that the mirrors had told when it was decided */
    size_t status; /* of an assignment: the operation that says there is no result */
    char *worker;  /* name, in the same allocation */
    char id[];
};

struct candidates {
    cohort_pool_worker_t *items;
    const cohort_node_t **nodes;
    size_t count;
};

static cohort_result_fn on_written;

/* ---- What there is --------------------------------------------------------------------------- */

/* If they are not, they tell when they are again. */
static bool is_current (cohort_pool_t *self)
{
    if (self->workers == NULL || self->tasks == NULL || self->assigned == NULL) {
        return false; /* there was no memory for them */
    }
    return cohort_mirror_stale_ms (self->workers) == 0 &&
           cohort_mirror_stale_ms (self->tasks) == 0 &&
           cohort_mirror_stale_ms (self->assigned) == 0;
}

static const struct pool_write *write_of (const cohort_pool_t *self, const char *id)
{
    for (const struct recipe_call *call = self->writes.first; call != NULL; call = call->next) {
        const struct pool_write *write = (const struct pool_write *) (const void *) call;
        if (strcmp (write->id, id) == 0) {
            return write;
        }
    }
    return NULL;
}

/* Assignments on their way to a worker. */
static int on_the_way (const cohort_pool_t *self, const char *worker)
{
    int count = 0;
    for (const struct recipe_call *call = self->writes.first; call != NULL; call = call->next) {
        const struct pool_write *write = (const struct pool_write *) (const void *) call;
        count += !write->orphan && !write->dropped && strcmp (write->worker, worker) == 0;
    }
    return count;
}

static int tasks_of (cohort_pool_t *self, const char *worker)
{
    int count = on_the_way (self, worker);
    char *path = pool_path (self, "assign", worker, NULL);
    if (path == NULL) {
        return -1;
    }
    for (const cohort_node_t *node = cohort_mirror_first_child (self->assigned, path); node != NULL;
         node = cohort_mirror_next_child (self->assigned, node)) {
        count++;
    }
    free (path);
    return count;
}

/* All workers that have room. COHORT_ENOMEM. */
static int find_candidates (cohort_pool_t *self, struct candidates *found)
{
    char *path = pool_path (self, "workers", NULL, NULL);
    size_t room = cohort_mirror_count (self->workers);
    *found = (struct candidates){.items = malloc ((room + 1) * sizeof (*found->items)),
                                 .nodes = malloc ((room + 1) * sizeof (*found->nodes))};
    int rc = path == NULL || found->items == NULL || found->nodes == NULL ? COHORT_ENOMEM : 0;
    for (const cohort_node_t *node = rc == 0 ? cohort_mirror_first_child (self->workers, path)
                                             : NULL;
         node != NULL && rc == 0; node = cohort_mirror_next_child (self->workers, node)) {
        struct pool_text text;
        if (node->stat.ephemeral_owner == 0 ||
            !pool_text_parse (&text, "worker", node->data, node->size)) {
            continue;
        }
        const char *name = pool_name (node->path);
        int tasks = tasks_of (self, name);
        rc = tasks < 0 ? COHORT_ENOMEM : 0;
        if (rc == 0 && tasks < text.capacity) {
            found->items[found->count] = (cohort_pool_worker_t){.name = name,
                                                                .data = text.payload,
                                                                .size = text.payload_size,
                                                                .capacity = text.capacity,
                                                                .tasks = tasks};
            found->nodes[found->count++] = node;
        }
    }
    free (path);
    return rc;
}

static void candidates_free (struct candidates *found)
{
    free (found->items);
    free (found->nodes);
}

/* Is the task, which waits as well, somebody's already? */
static bool is_assigned (cohort_pool_t *self, const char *id)
{
    char *path = pool_path (self, "assign", NULL, NULL);
    bool found = path == NULL;
    for (const cohort_node_t *worker =
             path == NULL ? NULL : cohort_mirror_first_child (self->assigned, path);
         worker != NULL && !found; worker = cohort_mirror_next_child (self->assigned, worker)) {
        char *task = pool_path (self, "assign", pool_name (worker->path), id);
        found = task == NULL || cohort_mirror_get (self->assigned, task) != NULL;
        free (task);
    }
    free (path);
    return found;
}

/* ---- Writes ---------------------------------------------------------------------------------- */

static struct pool_write *write_new (const char *id, const char *worker)
{
    size_t id_size = strlen (id) + 1, worker_size = strlen (worker) + 1;
    struct pool_write *self = malloc (sizeof (*self) + id_size + worker_size);
    if (self != NULL) {
        *self = (struct pool_write){0};
        memcpy (self->id, id, id_size);
        self->worker = self->id + id_size;
        memcpy (self->worker, worker, worker_size);
    }
    return self;
}

/* Sends what the functions below have put together; takes both. */
static int send (cohort_pool_t *self, struct pool_write *write, cohort_txn_t *txn, int rc)
{
    rc = rc == 0 ? cohort_multi_async (self->client, txn, on_written, write) : rc;
    if (txn != NULL) {
        cohort_txn_destroy (&txn);
    }
    if (rc == 0) {
        recipe_call_begin (&self->writes, &write->base, self);
        self->writes_count++;
        write->news = self->news;
    } else {
        free (write);
    }
    return rc;
}

/* A transaction of this master; NULL: no memory. */
static cohort_txn_t *txn_new (cohort_pool_t *self)
{
    cohort_txn_t *txn = cohort_txn_new ();
    if (txn != NULL && cohort_election_guard (self->election, txn) != 0) {
        cohort_txn_destroy (&txn);
    }
    return txn;
}

/* A task that waits is the worker's from now on. */
static int assign (cohort_pool_t *self, const cohort_node_t *task, const struct pool_text *text,
                   const cohort_node_t *worker)
{
    const char *id = pool_name (task->path), *name = pool_name (worker->path);
    struct pool_write *write = write_new (id, name);
    cohort_txn_t *txn = txn_new (self);
    char *status = pool_path (self, "status", id, NULL);
    char *folder = pool_path (self, "assign", name, NULL);
    char *path = pool_path (self, "assign", name, id);
    struct pool_text copy = *text;
    copy.czxid = worker->stat.czxid;
    int rc = COHORT_ENOMEM;
    if (write != NULL && txn != NULL && status != NULL && folder != NULL && path != NULL) {
        write->attempt = text->attempt;
        cohort_txn_check_czxid (txn, worker->path, worker->stat.czxid);
        write->status = cohort_txn_count (txn);
        cohort_txn_check_absent (txn, status);
        cohort_txn_check_czxid (txn, task->path, task->stat.czxid);
        cohort_txn_delete (txn, task->path, COHORT_ANY_VERSION);
        rc = recipe_txn_parents (txn, folder);
        recipe_txn_ensure (txn, folder, NULL, 0, COHORT_CONTAINER);
        size_t size = 0;
        char *data = rc == 0 ? pool_text_make (&copy, &size) : NULL;
        rc = data == NULL ? COHORT_ENOMEM
                          : cohort_txn_create (txn, path, data, size, COHORT_PERSISTENT, NULL);
        free (data);
    }
    free (status);
    free (folder);
    free (path);
    return send (self, write, txn, rc);
}

/* Where a task goes back to. It may be there already: it was submitted again meanwhile, or has a
 * result of another attempt. */
static int add_place (cohort_pool_t *self, cohort_txn_t *txn, const char *to,
                      const struct pool_text *text)
{
    const cohort_node_t *again = text->failed ? NULL : cohort_mirror_get (self->tasks, to);
    size_t size = 0;
    char *data = pool_text_make (text, &size);
    int rc = data == NULL ? COHORT_ENOMEM : recipe_txn_parents (txn, to);
    if (rc == 0 && again != NULL) {
        cohort_txn_check_czxid (txn, to, again->stat.czxid);
        rc = cohort_txn_set (txn, to, data, size, COHORT_ANY_VERSION);
    } else if (rc == 0 && text->failed) {
        recipe_txn_ensure (txn, to, data, size, COHORT_PERSISTENT);
    } else if (rc == 0) {
        rc = cohort_txn_create (txn, to, data, size, COHORT_PERSISTENT, NULL);
    }
    free (data);
    return rc;
}

/* A task's worker has died: it waits again, or is recorded as failed. */
static int put_back (cohort_pool_t *self, const cohort_node_t *node, const struct pool_text *text,
                     const char *worker, const cohort_node_t *now)
{
    const char *id = pool_name (node->path);
    struct pool_write *write = write_new (id, worker);
    cohort_txn_t *txn = txn_new (self);
    char *path = pool_path (self, "workers", worker, NULL);
    bool failed = self->attempts_max > 0 && text->attempt >= self->attempts_max;
    char *to = pool_path (self, failed ? "status" : "tasks", id, NULL);
    struct pool_text copy = *text;
    copy.czxid = 0;
    copy.kind = failed ? "status" : "task";
    copy.attempt += failed ? 0 : 1;
    copy.failed = failed;
    copy.payload_size = failed ? 0 : text->payload_size;
    int rc = COHORT_ENOMEM;
    if (write != NULL && txn != NULL && path != NULL && to != NULL) {
        write->orphan = true;
        write->failed = failed;
        write->attempt = copy.attempt;
        if (now != NULL) {
            cohort_txn_check_czxid (txn, path, now->stat.czxid);
        } else {
            cohort_txn_check_absent (txn, path);
        }
        cohort_txn_check_czxid (txn, node->path, node->stat.czxid);
        cohort_txn_delete (txn, node->path, COHORT_ANY_VERSION);
        rc = add_place (self, txn, to, &copy);
    }
    free (path);
    free (to);
    return send (self, write, txn, rc);
}

/* A task that was submitted again has a result already. */
static int drop (cohort_pool_t *self, const char *id)
{
    struct pool_write *write = write_new (id, "");
    cohort_txn_t *txn = txn_new (self);
    char *status = pool_path (self, "status", id, NULL),
         *task = pool_path (self, "tasks", id, NULL);
    int rc = COHORT_ENOMEM;
    if (write != NULL && txn != NULL && status != NULL && task != NULL) {
        write->dropped = true;
        cohort_txn_check (txn, status, COHORT_ANY_VERSION);
        rc = cohort_txn_delete (txn, task, COHORT_ANY_VERSION);
    }
    free (status);
    free (task);
    return send (self, write, txn, rc);
}

/* ---- What is to be done ---------------------------------------------------------------------- */

static int put_back_orphans (cohort_pool_t *self)
{
    int rc = 0;
    size_t length = strlen (self->path) + strlen ("/assign/");
    for (const cohort_node_t *node = cohort_mirror_first (self->assigned);
         node != NULL && rc == 0 && self->writes_count < POOL_WRITES_MAX;
         node = cohort_mirror_next (self->assigned, node)) {
        struct pool_text text;
        const char *name = strlen (node->path) > length ? node->path + length : "";
        const char *slash = strchr (name, '/');
        if (slash == NULL || strchr (slash + 1, '/') != NULL ||
            !pool_text_parse (&text, "task", node->data, node->size) ||
            write_of (self, slash + 1) != NULL) {
            continue;
        }
        char *worker = recipe_copy (name, (size_t) (slash - name));
        char *path = worker == NULL ? NULL : pool_path (self, "workers", worker, NULL);
        const cohort_node_t *now = path == NULL ? NULL : cohort_mirror_get (self->workers, path);
        if (path == NULL) {
            rc = COHORT_ENOMEM;
        } else if (now == NULL || now->stat.czxid != text.czxid) {
            rc = put_back (self, node, &text, worker, now);
        }
        free (path);
        free (worker);
    }
    return rc;
}

static size_t choose (cohort_pool_t *self, const cohort_task_t *task,
                      const struct candidates *found)
{
    if (self->choose != NULL) {
        int index = self->choose (self, task, found->items, found->count, self->choose_arg);
        return index < 0 ? found->count : (size_t) index;
    }
    size_t best = 0;
    for (size_t i = 1; i < found->count; i++) {
        const cohort_pool_worker_t *a = &found->items[i], *b = &found->items[best];
        /* a.tasks / a.capacity < b.tasks / b.capacity */
        best = (int64_t) a->tasks * b->capacity < (int64_t) b->tasks * a->capacity ? i : best;
    }
    return best;
}

static int assign_waiting (cohort_pool_t *self)
{
    struct candidates found;
    int rc = find_candidates (self, &found);
    char *path = pool_path (self, "tasks", NULL, NULL);
    rc = path == NULL ? COHORT_ENOMEM : rc;
    for (const cohort_node_t *node = rc == 0 ? cohort_mirror_first_child (self->tasks, path) : NULL;
         node != NULL && rc == 0 && found.count > 0 && self->writes_count < POOL_WRITES_MAX;
         node = cohort_mirror_next_child (self->tasks, node)) {
        struct pool_text text;
        const char *id = pool_name (node->path);
        if (!pool_text_parse (&text, "task", node->data, node->size) ||
            write_of (self, id) != NULL || is_assigned (self, id)) {
            continue;
        }
        cohort_task_t task = {
            .id = id, .attempt = text.attempt, .data = text.payload, .size = text.payload_size};
        size_t chosen = choose (self, &task, &found);
        if (chosen >= found.count) {
            continue;
        }
        rc = assign (self, node, &text, found.nodes[chosen]);
        if (rc == 0 && ++found.items[chosen].tasks >= found.items[chosen].capacity) {
            found.count--;
            found.items[chosen] = found.items[found.count];
            found.nodes[chosen] = found.nodes[found.count];
        }
    }
    free (path);
    candidates_free (&found);
    return rc;
}

void pool_master_go (cohort_pool_t *self)
{
    if (!self->leading || self->guard.destroyed || !is_current (self)) {
        return;
    }
    int rc = put_back_orphans (self);
    rc = rc == 0 ? assign_waiting (self) : rc;
    /* Of the end of the session the election tells. */
    if (rc != 0 && rc != COHORT_ESESSIONEXPIRED) {
        pool_report (self, (cohort_pool_event_t){.kind = COHORT_POOL_ERROR, .rc = rc});
    }
}

/* It was carried out. */
static void written (cohort_pool_t *self, const struct pool_write *write)
{
    cohort_task_t task = {.id = write->id, .attempt = write->attempt};
    cohort_pool_event_t event = {.kind =
                                     write->orphan ? COHORT_POOL_ORPHANED : COHORT_POOL_ASSIGNED,
                                 .rc = write->failed ? COHORT_ELIMIT : 0,
                                 .task = &task,
                                 .worker = write->worker};
    if (write->dropped || pool_report (self, event)) {
        pool_master_go (self);
    }
}

/* It was refused: another one was faster, unless it is something else. What has refused it may have
 * been told already, and passed over because this write was on its way. */
static void refused (cohort_pool_t *self, const struct pool_write *write,
                     const cohort_result_t *result)
{
    int rc = result->rc;
    bool has_status = !write->orphan && !write->dropped && result->ops_count > write->status &&
                      result->ops[write->status].rc == COHORT_ENODEEXISTS;
    if (has_status) {
        rc = drop (self, write->id);
    }
    bool outdated = rc == 0 || rc == COHORT_ENONODE || rc == COHORT_ENODEEXISTS ||
                    rc == COHORT_EBADCZXID || rc == COHORT_EBADOWNER ||
                    rc == COHORT_ESESSIONEXPIRED;
    bool alive =
        outdated || pool_report (self, (cohort_pool_event_t){.kind = COHORT_POOL_ERROR, .rc = rc});
    if (alive && self->news != write->news) {
        pool_master_go (self);
    }
}

static void on_written (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct pool_write *write = arg;
    cohort_pool_t *self = write->base.owner;
    (void) client;
    recipe_call_end (&write->base);
    if (self != NULL) {
        recipe_enter (&self->guard);
        self->writes_count--;
        if (result->rc == 0) {
            written (self, write);
        } else {
            refused (self, write, result);
        }
        pool_leave (self);
    }
    free (write);
}

/* ---- Leading --------------------------------------------------------------------------------- */

static void on_mirror (cohort_mirror_t *mirror, const cohort_mirror_event_t *event, void *arg)
{
    cohort_pool_t *self = arg;
    (void) mirror;
    if (event->kind != COHORT_MIRROR_BATCH && event->kind != COHORT_MIRROR_SYNCED &&
        event->kind != COHORT_MIRROR_ERROR) {
        return;
    }
    recipe_enter (&self->guard);
    if (event->kind == COHORT_MIRROR_ERROR) {
        pool_report (self, (cohort_pool_event_t){.kind = COHORT_POOL_ERROR, .rc = event->rc});
    } else {
        self->news++;
        pool_master_go (self);
    }
    pool_leave (self);
}

static int follow (cohort_pool_t *self, cohort_mirror_t **mirror, const char *folder)
{
    char *path = pool_path (self, folder, NULL, NULL);
    if (path != NULL && *mirror == NULL) {
        *mirror = cohort_mirror_new (self->client, path, NULL);
        if (*mirror != NULL) {
            cohort_mirror_set_handler (*mirror, on_mirror, self);
        }
    }
    free (path);
    return *mirror == NULL ? COHORT_ENOMEM : cohort_mirror_retry (*mirror);
}

static int follow_all (cohort_pool_t *self)
{
    int rc = follow (self, &self->workers, "workers");
    rc = rc == 0 ? follow (self, &self->tasks, "tasks") : rc;
    return rc == 0 ? follow (self, &self->assigned, "assign") : rc;
}

static void depose (cohort_pool_t *self)
{
    self->leading = false;
    recipe_calls_forget (&self->writes);
    self->writes_count = 0;
    cohort_mirror_destroy (&self->workers);
    cohort_mirror_destroy (&self->tasks);
    cohort_mirror_destroy (&self->assigned);
}

static void on_election (cohort_election_t *election, const cohort_election_event_t *event,
                         void *arg)
{
    cohort_pool_t *self = arg;
    (void) election;
    recipe_enter (&self->guard);
    if (event->kind == COHORT_ELECTION_ELECTED) {
        self->leading = true;
        int rc = follow_all (self);
        if (pool_report (self,
                         (cohort_pool_event_t){.kind = COHORT_POOL_LEADS, .token = event->token}) &&
            rc != 0) {
            pool_report (self, (cohort_pool_event_t){.kind = COHORT_POOL_ERROR, .rc = rc});
        }
    } else if (event->kind == COHORT_ELECTION_REVOKED) {
        depose (self);
        pool_report (self, (cohort_pool_event_t){.kind = COHORT_POOL_DEPOSED,
                                                 .rc = event->rc,
                                                 .token = event->token});
    } else if (event->kind == COHORT_ELECTION_FAILED && event->rc != COHORT_ESESSIONEXPIRED &&
               event->rc != COHORT_ENONODE) {
        pool_report (self, (cohort_pool_event_t){.kind = COHORT_POOL_ERROR, .rc = event->rc});
    }
    pool_leave (self);
}

static void on_due (cohort_t *client, void *arg)
{
    cohort_pool_t *self = arg;
    (void) client;
    recipe_enter (&self->guard);
    pool_master_go (self);
    pool_leave (self);
}

int pool_master_start (cohort_pool_t *self)
{
    if (self->due == NULL) {
        self->due = cohort_timer_new (self->client, on_due, self);
    }
    if (self->due == NULL) {
        return COHORT_ENOMEM;
    }
    if (self->election == NULL) {
        char *path = pool_path (self, "master", NULL, NULL);
        self->election =
            path == NULL ? NULL : cohort_election_new (self->client, path, COHORT_ELECTION_AGAIN);
        free (path);
        if (self->election == NULL) {
            return COHORT_ENOMEM;
        }
        cohort_election_set_handler (self->election, on_election, self);
    }
    if (self->leading) {
        cohort_timer_set (self->due, COHORT_TIMER_NOW);
        return follow_all (self);
    }
    int rc = cohort_election_campaign (self->election, NULL, 0);
    return rc == COHORT_ESTATE ? 0 : rc;
}

void pool_master_stop (cohort_pool_t *self)
{
    depose (self);
    cohort_election_destroy (&self->election);
    cohort_timer_destroy (&self->due);
}

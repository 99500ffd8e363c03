/* A queue: the recipe behind cohort/queue.h; see queue_private.h for what is where. Its life, and
 * what is taken.
 *
 * A consumer wants so many items; what is missing is looked for (queue_look.c), and waited for in
 * line (queue_line.c). All of that belongs to one session: when it ends, the requests of the
 * consumer are forgotten, and it begins anew. A write that somebody waits for (queue_write.c) keeps
 * the queue in memory until its answer, also when it was destroyed. May include: queue_private.h,
 * libc. */

#include <stdlib.h>
#include <string.h>

#include "queue_private.h"

char *queue_path (const char *path, const char *name)
{
    size_t length = strlen (path), size = strlen (name);
    char *joined = malloc (length + size + 2);
    if (joined != NULL) {
        bool root = length == 1;
        memcpy (joined, path, length);
        joined[length] = '/';
        memcpy (joined + length + (root ? 0 : 1), name, size + 1);
    }
    return joined;
}

static void queue_free (cohort_queue_t *self)
{
    RECIPE_ASSERT (self->ready == NULL && self->taken == NULL);
    free (self->path);
    free (self->items);
    free (self->delayed);
    free (self->ids);
    free (self->waiting);
    free (self);
}

void queue_leave (cohort_queue_t *self)
{
    if (recipe_leave (&self->guard)) {
        queue_free (self);
    }
}

/* ---- Events -------------------------------------------------------------------------------- */

bool queue_report (cohort_queue_t *self, cohort_queue_event_t event)
{
    if (event.path == NULL) {
        event.path = self->path;
    }
    if (self->fn != NULL && !self->guard.destroyed) {
        self->fn (self, &event, self->arg);
    }
    return !self->guard.destroyed;
}

/* False: it has stopped already. */
static bool queue_stop (cohort_queue_t *self, int rc)
{
    RECIPE_ASSERT (rc < 0);
    if (self->error != 0 || self->guard.destroyed) {
        return false;
    }
    self->error = rc;
    self->looking = false;
    queue_line_leave (self);
    return true;
}

static void report_error (cohort_queue_t *self)
{
    queue_report (self, (cohort_queue_event_t){.kind = COHORT_QUEUE_ERROR, .rc = self->error});
}

void queue_fail (cohort_queue_t *self, int rc)
{
    if (queue_stop (self, rc)) {
        report_error (self);
    }
}

static void on_later (cohort_t *client, void *arg)
{
    cohort_queue_t *self = arg;
    (void) client;
    recipe_enter (&self->guard);
    if (self->error != 0) {
        report_error (self);
    }
    queue_leave (self);
}

void queue_fill_asked (cohort_queue_t *self)
{
    int rc = queue_look (self);
    if (rc != 0 && queue_stop (self, rc)) {
        cohort_timer_set (self->later, COHORT_TIMER_NOW);
    }
}

/* ---- Items --------------------------------------------------------------------------------- */

size_t queue_wanted (const cohort_queue_t *self)
{
    size_t ahead = self->claiming + self->ready_count;
    if (self->max_inflight == 0) {
        return self->takers > 0 && ahead == 0 ? 1 : 0;
    }
    size_t have = ahead + self->taken_count;
    size_t missing = have < self->max_inflight ? self->max_inflight - have : 0;
    /* A look for several is no dearer than a look for one. */
    return ahead > 0 && missing * 2 < self->max_inflight ? 0 : missing;
}

void queue_add_ready (cohort_queue_t *self, cohort_item_t *item)
{
    cohort_item_t **place = &self->ready;
    while (*place != NULL && strcmp ((*place)->path, item->path) < 0) {
        place = &(*place)->next;
    }
    queue_item_link (item, place);
    self->ready_count++;
    if (self->max_inflight > 0 &&
        !queue_report (self, (cohort_queue_event_t){.kind = COHORT_QUEUE_READY})) {
        return;
    }
    bool told = self->line.place == QUEUE_FIRST && !self->more;
    if (queue_wanted (self) == 0 || !told) {
        queue_fill (self);
    }
}

static cohort_item_t *pop_ready (cohort_queue_t *self)
{
    cohort_item_t *item = self->ready;
    queue_item_unlink (item);
    self->ready_count--;
    queue_item_link (item, &self->taken);
    self->taken_count++;
    return item;
}

/* Nobody wants them any more. free: for others; else they are that already. */
static void drop_ready (cohort_queue_t *self, bool for_others)
{
    while (self->ready != NULL) {
        cohort_item_t *item = self->ready;
        queue_item_unlink (item);
        char *mark = for_others ? queue_mark (item->path) : NULL;
        if (mark != NULL) {
            /* If there is no memory for it the item is free again when the session ends. */
            (void) recipe_withdraw (self->client, mark, item->token.czxid);
        }
        free (mark);
        queue_item_free (item);
    }
    self->ready_count = 0;
}

/* The caller has them, and they are not its own any more. */
static void disown_taken (cohort_queue_t *self, bool for_others)
{
    while (self->taken != NULL) {
        cohort_item_t *item = self->taken;
        queue_item_unlink (item);
        item->queue = NULL;
        char *mark = for_others ? queue_mark (item->path) : NULL;
        if (mark != NULL) {
            (void) recipe_withdraw (self->client, mark, item->token.czxid);
        }
        free (mark);
    }
    self->taken_count = 0;
}

/* Claims on their way are given up when their answers come. */
static void stop_consuming (cohort_queue_t *self)
{
    recipe_calls_forget (&self->calls);
    self->claiming = 0;
    self->looking = false;
    self->look_again = false;
}

/* ---- Sessions ------------------------------------------------------------------------------ */

static cohort_batch_fn on_sentinel;

/* Begins in the session that there is, or in a new one. asked: by the application. */
static int queue_open (cohort_queue_t *self, bool asked)
{
    RECIPE_ASSERT (self->sentinel == NULL);
    int rc = recipe_renew (self->client, asked ? NULL : &self->lost_session);
    if (rc != 0) {
        return rc;
    }
    cohort_stream_options_t options = {.size = sizeof (options),
                                       .flags = COHORT_STREAM_NO_SNAPSHOT | COHORT_STREAM_SHALLOW |
                                                COHORT_STREAM_NO_DATA};
    self->sentinel = cohort_stream_new_with (self->client, self->path, &options, on_sentinel, self);
    if (self->sentinel == NULL) {
        return COHORT_ENOMEM;
    }
    self->error = 0;
    self->conflicts = 0;
    self->random ^= cohort_session_id (self->client);
    return queue_look (self);
}

static void queue_lost (cohort_queue_t *self)
{
    cohort_stream_destroy (&self->sentinel);
    stop_consuming (self);
    /* The ticket went with the session. */
    free (self->line.ticket);
    self->line.ticket = NULL;
    queue_line_leave (self);
    drop_ready (self, false);
    disown_taken (self, false);
    cohort_queue_event_t event = {.kind = COHORT_QUEUE_LOST, .rc = COHORT_ESESSIONEXPIRED};
    /* The handler may have opened the queue anew. */
    if (!queue_report (self, event) || self->sentinel != NULL) {
        return;
    }
    int rc = queue_open (self, false);
    if (rc != 0 && self->error == 0) {
        queue_fail (self, rc);
    }
}

static void on_sentinel (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    cohort_queue_t *self = arg;
    if (batch != NULL) {
        return;
    }
    recipe_enter (&self->guard);
    int rc = cohort_stream_error (stream);
    if (rc == COHORT_ESESSIONEXPIRED) {
        queue_lost (self);
    } else {
        cohort_stream_destroy (&self->sentinel);
        queue_fail (self, rc);
    }
    queue_leave (self);
}

/* ---- The public functions ------------------------------------------------------------------ */

static bool options_valid (const cohort_queue_options_t *options)
{
    return options == NULL ||
           (options->size == sizeof (*options) && options->max_inflight >= 0 &&
            options->max_inflight <= COHORT_QUEUE_INFLIGHT_MAX && options->remember_ms >= 0);
}

cohort_queue_t *cohort_queue_new (cohort_t *client, const char *path,
                                  const cohort_queue_options_t *options)
{
    bool valid = client != NULL && path != NULL && options_valid (options);
    cohort_queue_t *self = valid ? malloc (sizeof (*self)) : NULL;
    if (self == NULL) {
        return NULL;
    }
    *self = (cohort_queue_t){.client = client};
    if (options != NULL) {
        self->max_inflight = (size_t) options->max_inflight;
        self->remember_ms = options->remember_ms;
    }
    self->path = recipe_copy (path, strlen (path));
    self->items = queue_path (path, "items");
    self->delayed = queue_path (path, "delayed");
    self->ids = queue_path (path, "ids");
    self->waiting = queue_path (path, "waiting");
    self->later = cohort_timer_new (client, on_later, self);
    bool whole = self->later != NULL && self->path != NULL && self->items != NULL &&
                 self->delayed != NULL && self->ids != NULL && self->waiting != NULL;
    if (!whole || queue_open (self, true) != 0) {
        cohort_queue_destroy (&self);
    }
    return self;
}

void cohort_queue_destroy (cohort_queue_t **self_p)
{
    cohort_queue_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->guard.destroyed);
    self->guard.destroyed = true;
    stop_consuming (self);
    queue_line_leave (self);
    drop_ready (self, true);
    disown_taken (self, true);
    if (self->sentinel != NULL) {
        cohort_stream_destroy (&self->sentinel);
    }
    cohort_timer_destroy (&self->later);
    if (recipe_bury (&self->guard)) {
        queue_free (self);
    }
}

void cohort_queue_set_handler (cohort_queue_t *self, cohort_queue_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

/* What was claimed in a session that has ended is not handed out; the queue will hear of it. */
static bool has_item (const cohort_queue_t *self)
{
    return self->ready != NULL && cohort_state (self->client) != COHORT_LOST &&
           cohort_session_id (self->client) == self->ready->session;
}

static int is_ready (void *arg)
{
    const cohort_queue_t *self = arg;
    if (has_item (self)) {
        return 1;
    }
    return self->error;
}

/* Waits with the wish for an item; 0: one is ready. */
static int wait_for_item (cohort_queue_t *self, int timeout_ms)
{
    int rc = recipe_may_wait (self->client, &self->guard);
    if (rc != 0) {
        return rc == COHORT_EDEADLK && timeout_ms == 0 ? COHORT_ETIMEDOUT : rc;
    }
    self->takers++;
    queue_fill_asked (self);
    rc = recipe_wait (self->client, &self->guard, timeout_ms, is_ready, self);
    self->takers--;
    return rc;
}

int cohort_queue_take (cohort_queue_t *self, int timeout_ms, cohort_item_t **item)
{
    recipe_enter (&self->guard);
    int rc = has_item (self) ? 0 : wait_for_item (self, timeout_ms);
    if (rc == 0) {
        *item = pop_ready (self);
        queue_fill_asked (self);
    } else if (!self->guard.destroyed && self->max_inflight == 0 && self->takers == 0) {
        stop_consuming (self);
        queue_line_leave (self);
    }
    queue_leave (self);
    return rc;
}

int cohort_queue_retry (cohort_queue_t *self)
{
    self->error = 0;
    int rc = self->sentinel == NULL ? queue_open (self, true) : queue_look (self);
    /* Who asks is told here, and nowhere else. */
    cohort_timer_set (self->later, COHORT_TIMER_NEVER);
    if (rc != 0) {
        (void) queue_stop (self, rc);
    }
    return rc;
}

size_t cohort_queue_ready (cohort_queue_t *self)
{
    return self->ready_count;
}

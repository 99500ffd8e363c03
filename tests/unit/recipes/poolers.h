/* Members of a pool, each with a client of its own; what they are told is traced. */

#ifndef COHORT_TESTS_RECIPES_POOLERS_H
#define COHORT_TESTS_RECIPES_POOLERS_H

#include <stdlib.h>

#include "cohort/pool.h"
#include "tests/unit/recipes/fixture.h"

#define POOL "/pool"

struct pooler {
    cohort_t *client;
    cohort_pool_t *pool;
};

static inline void on_pool (cohort_pool_t *self, const cohort_pool_event_t *event, void *arg)
{
    fake_in_handler ();
    static const char *const names[] = {"",           "leads", "deposed",   "assigned", "orphaned",
                                        "registered", "task",  "withdrawn", "error"};
    (void) self;
    trace ("%s %s", (const char *) arg, names[event->kind]);
    if (event->task != NULL) {
        trace (" %s%d", event->task->id, event->task->attempt);
    }
    if (event->worker != NULL) {
        trace (" %s", event->worker);
    }
    if (event->rc != 0) {
        trace (" %d", event->rc);
    }
    trace ("; ");
}

static inline struct pooler pooler_with (const char *name, cohort_pool_options_t options)
{
    struct pooler self = {.client = fake_client ()};
    options.size = sizeof (options);
    options.worker = (options.roles & COHORT_POOL_WORKER) != 0 ? name : NULL;
    self.pool = cohort_pool_new (self.client, POOL, &options);
    assert_non_null (self.pool);
    cohort_pool_set_handler (self.pool, on_pool, (void *) name);
    fake_settle (self.client);
    return self;
}

static inline struct pooler pooler (const char *name, int roles)
{
    return pooler_with (name, (cohort_pool_options_t){.roles = roles});
}

/* Everybody does what is to be done. */
static inline void settle_pool (struct pooler *all, size_t count)
{
    for (size_t turn = 0; turn < 8; turn++) {
        for (size_t i = 0; i < count; i++) {
            if (all[i].client != NULL) {
                fake_settle (all[i].client);
            }
        }
    }
}

static inline void pooler_leaves (struct pooler *self)
{
    cohort_pool_destroy (&self->pool);
    fake_settle (self->client);
    assert_int_equal (fake_streams (self->client), 0);
}

static inline void submit (struct pooler *self, const char *id, const char *data)
{
    assert_int_equal (cohort_pool_submit (self->pool, id, data, strlen (data), -1), 0);
}

static inline void done (struct pooler *self, const char *id, int attempt, int expected)
{
    assert_int_equal (cohort_pool_done (self->pool, id, attempt, "ok", 2, -1), expected);
}

#endif

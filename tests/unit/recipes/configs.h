/* A configuration on the fake client, and what its callbacks are told, traced. */

#ifndef COHORT_TESTS_RECIPES_CONFIGS_H
#define COHORT_TESTS_RECIPES_CONFIGS_H

#include "cohort/config.h"

#include "tests/unit/recipes/fixture.h"

#define CONFIG "/app/config"

static const char *const names[] = {"", "bad", "synced", "lost", "error"};

static cohort_config_t *doomed;
static const char *doom_at = ""; /* what is being told when it is destroyed */
static bool watch_more;

static inline void doom (const char *what)
{
    if (doomed != NULL && strcmp (what, doom_at) == 0) {
        cohort_config_destroy (&doomed);
    }
}

static inline void on_event (cohort_config_t *self, const cohort_config_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) self;
    (void) arg;
    assert_string_equal (event->path, CONFIG);
    trace ("%s", names[event->kind]);
    if (event->kind == COHORT_CONFIG_BAD) {
        trace (" %s=%s is not %s", event->key, (const char *) event->value.data, event->expected);
    }
    if (event->rc != 0) {
        trace (" %d", event->rc);
    }
    trace ("; ");
    doom (names[event->kind]);
}

static inline void on_changes (cohort_config_t *self, const cohort_config_changes_t *changes,
                               void *arg)
{
    fake_in_handler ();
    trace ("%s%s:", (const char *) arg, changes->whole ? " whole" : "");
    for (size_t i = 0; i < changes->count; i++) {
        const cohort_config_change_t *item = &changes->items[i];
        trace (" %s", item->key);
        assert_true (changes->zxid >= item->now.mzxid && changes->zxid > item->before.mzxid);
        if (item->before.data != NULL) {
            trace (" was %s", (const char *) item->before.data);
        }
        if (item->now.data != NULL) {
            trace (" is %s", (const char *) item->now.data);
        }
    }
    trace ("; ");
    if (watch_more) {
        watch_more = false;
        assert_int_equal (cohort_config_watch (self, "limit", on_changes, "more"), 0);
    }
    doom (arg);
}

static inline cohort_config_t *config (cohort_t *client)
{
    cohort_config_t *self = cohort_config_new (client, CONFIG);
    assert_non_null (self);
    cohort_config_set_handler (self, on_event, NULL);
    return self;
}

static inline void end (cohort_config_t **self, cohort_t *client)
{
    cohort_config_destroy (self);
    fake_settle (client);
    assert_int_equal (fake_streams (client), 0);
}

static inline int start (void **state)
{
    (void) fake_start (state);
    doomed = NULL;
    watch_more = false;
    fake_create ("/app", "", 0);
    fake_create (CONFIG, "", 0);
    fake_create (CONFIG "/db", "", 0);
    fake_create (CONFIG "/db/host", "a", 0);
    fake_create (CONFIG "/db/pool", "8", 0);
    fake_create (CONFIG "/limit", "5", 0);
    return 0;
}

static inline uint64_t read_of (cohort_config_t *self, const char *key)
{
    cohort_config_value_t value = {0};
    int rc = cohort_config_get (self, key, &value);
    assert_true (rc == 0 || rc == COHORT_ENONODE);
    return value.mzxid;
}

#endif

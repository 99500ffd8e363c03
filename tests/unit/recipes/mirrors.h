/* A mirror of the fake ensemble whose events are traced; it can be destroyed at one of them. */

#ifndef COHORT_TESTS_RECIPES_MIRRORS_H
#define COHORT_TESTS_RECIPES_MIRRORS_H

#include "cohort/mirror.h"

#include "tests/unit/recipes/fixture.h"

struct plan {
    cohort_mirror_kind_t at; /* 0: nothing */
    cohort_mirror_t **mirror;
    cohort_t **client; /* destroyed as well, unless NULL */
};

static struct plan plan;

static inline void on_event (cohort_mirror_t *self, const cohort_mirror_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) arg;
    static const char *const names[] = {"",      "add",    "change", "remove",
                                        "batch", "synced", "lost",   "error"};
    trace ("%s", names[event->kind]);
    if (event->node != NULL) {
        /* The copy has changed already. */
        assert_ptr_equal (cohort_mirror_get (self, event->path), event->node);
        assert_string_equal (event->node->path, event->path);
        trace (" %s=%s", event->path, (const char *) event->node->data);
    }
    if (event->before != NULL) {
        trace (" (%s=%s)", event->before->path, (const char *) event->before->data);
    }
    if (event->kind == COHORT_MIRROR_BATCH) {
        assert_int_equal (event->zxid, cohort_mirror_zxid (self));
        trace (" %zu", event->count);
    }
    if (event->rc != 0) {
        trace (" %d", event->rc);
    }
    trace ("; ");
    if (plan.at == event->kind && plan.at != 0) {
        plan.at = 0;
        cohort_mirror_destroy (plan.mirror);
        if (plan.client != NULL) {
            cohort_destroy (plan.client);
        }
    }
}

static inline cohort_mirror_t *mirror_of (cohort_t *client, const char *path)
{
    cohort_mirror_options_t options = {.size = sizeof (options), .clock = fake_clock};
    cohort_mirror_t *mirror = cohort_mirror_new (client, path, &options);
    assert_non_null (mirror);
    cohort_mirror_set_handler (mirror, on_event, NULL);
    return mirror;
}

/* A mirror of /s with /s/a and /s/b, synced. */
static inline cohort_mirror_t *synced (cohort_t *client)
{
    fake_create ("/s", "", 0);
    fake_create ("/s/a", "1", 0);
    fake_create ("/s/b", "2", 0);
    cohort_mirror_t *mirror = mirror_of (client, "/s");
    assert_int_equal (cohort_mirror_wait (mirror, -1), 0);
    assert_trace ("add /s=; add /s/a=1; add /s/b=2; batch 3; synced; ");
    return mirror;
}

static inline int start (void **state)
{
    (void) fake_start (state);
    plan = (struct plan){.at = 0};
    return 0;
}

#endif

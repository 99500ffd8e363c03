/* The queue /q on the fake client, for the tests of queues. */

#ifndef COHORT_TESTS_RECIPES_QUEUE_FIXTURE_H
#define COHORT_TESTS_RECIPES_QUEUE_FIXTURE_H

#include "cohort/queue.h"
#include "tests/unit/recipes/fixture.h"

static inline void on_event (cohort_queue_t *self, const cohort_queue_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) self;
    (void) arg;
    switch (event->kind) {
    case COHORT_QUEUE_READY:
        trace ("ready; ");
        break;
    case COHORT_QUEUE_LOST:
        assert_string_equal (event->path, "/q");
        trace ("lost; ");
        break;
    case COHORT_QUEUE_BAD:
        trace ("bad %s; ", event->path);
        break;
    case COHORT_QUEUE_ERROR:
        trace ("error %d; ", event->rc);
        break;
    }
}

/* arg: what was asked for, in a word. */
static inline void on_result (cohort_queue_t *self, const cohort_queue_result_t *result, void *arg)
{
    fake_in_handler ();
    (void) self;
    trace ("%s %d%s; ", (const char *) arg, result->rc, result->existed ? " existed" : "");
}

/* Its events are traced; 0: the defaults. */
static inline cohort_queue_t *queue_with (cohort_t *client, int max_inflight, int64_t remember_ms)
{
    cohort_queue_options_t options = {
        .size = sizeof (options), .max_inflight = max_inflight, .remember_ms = remember_ms};
    cohort_queue_t *self = cohort_queue_new (client, "/q", &options);
    assert_non_null (self);
    cohort_queue_set_handler (self, on_event, NULL);
    return self;
}

/* Items that are there, not only their marks. */
static inline size_t items (void)
{
    return fake_count ("/q/items/0000-") - fake_count ("/q/items/0000-0000000000/") -
           fake_count ("/q/items/0000-0000000001/");
}

static inline void create_missing (const char *path, const char *data)
{
    if (fake_data (path) == NULL) {
        fake_create (path, data, 0);
    }
}

/* Two items, a and b. */
static inline void fill (void)
{
    create_missing ("/q", "");
    create_missing ("/q/items", "");
    fake_create ("/q/items/0000-0000000000", "1 0 \na", 0);
    fake_create ("/q/items/0000-0000000001", "1 0 \nb", 0);
    fake_set_sequence ("/q/items", 2);
}

/* Takes and acknowledges these, each of one letter, in this order, and then there is none. */
static inline void take_all (cohort_queue_t *self, const char *expected)
{
    cohort_item_t *item = NULL;
    for (; *expected != 0; expected++) {
        assert_int_equal (cohort_queue_take (self, -1, &item), 0);
        assert_int_equal (*(const char *) cohort_item_data (item, NULL), *expected);
        assert_int_equal (cohort_item_ack (&item, -1), 0);
    }
    assert_int_equal (cohort_queue_take (self, 1, &item), COHORT_ETIMEDOUT);
}

/* So many answers of the servers arrive. */
static inline void flush_steps (cohort_t *client, int steps)
{
    for (int i = 0; i < steps; i++) {
        if (!fake_flush_one (client)) {
            (void) cohort_dispatch (client, 0);
            (void) fake_flush_one (client);
        }
    }
}

#endif

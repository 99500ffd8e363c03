/* The public client API, faked: see fake.h. Its timers, and the clocks of its clients. */

#include <stdlib.h>

#include "tests/unit/recipes/fake_private.h"

int64_t cohort_now_ms (cohort_t *self)
{
    return fake_now_ms + fake_alive (self)->offset_ms;
}

void fake_set_clock (cohort_t *client, int64_t offset_ms)
{
    client->offset_ms = offset_ms;
}

int fake_timer_ms (cohort_t *client)
{
    int64_t left_ms = -1;
    for (const cohort_timer_t *timer = client->timers; timer != NULL; timer = timer->next) {
        int64_t after_ms = timer->at_ms - cohort_now_ms (client);
        after_ms = timer->due || after_ms < 0 ? 0 : after_ms;
        bool set = !timer->destroyed && (timer->due || timer->at_ms != COHORT_TIMER_NEVER);
        if (set && (left_ms < 0 || after_ms < left_ms)) {
            left_ms = after_ms;
        }
    }
    return (int) left_ms;
}

cohort_timer_t *cohort_timer_new (cohort_t *client, cohort_timer_fn *fn, void *arg)
{
    cohort_timer_t *timer = malloc (sizeof (*timer)); /* which may fail, as the client's */
    if (timer != NULL) {
        *timer = (cohort_timer_t){.next = fake_alive (client)->timers,
                                  .client = client,
                                  .fn = fn,
                                  .arg = arg,
                                  .at_ms = COHORT_TIMER_NEVER};
        client->timers = timer;
    }
    return timer;
}

void cohort_timer_set (cohort_timer_t *self, int64_t at_ms)
{
    if (self != NULL) {
        assert_false (self->destroyed);
        fake_alive (self->client);
        self->at_ms = at_ms;
        self->due = false;
    }
}

void cohort_timer_destroy (cohort_timer_t **self_p)
{
    if (*self_p != NULL) {
        assert_false ((*self_p)->destroyed);
        fake_alive ((*self_p)->client);
        (*self_p)->destroyed = true;
        *self_p = NULL;
    }
}

void fake_queue_timers (cohort_t *client)
{
    int64_t now_ms = cohort_now_ms (client);
    for (cohort_timer_t *timer = client->timers; timer != NULL; timer = timer->next) {
        if (timer->destroyed || timer->at_ms > now_ms) {
            continue;
        }
        timer->at_ms = COHORT_TIMER_NEVER;
        timer->due = true;
        if (!timer->queued) {
            timer->queued = true;
            struct fake_item *item = fake_must (calloc (1, sizeof (*item)));
            item->kind = ITEM_TIMER;
            item->timer = timer;
            fake_append_item (&client->items, item);
        }
    }
}

void fake_run_timer (cohort_timer_t *timer)
{
    bool due = timer->due && !timer->destroyed;
    timer->queued = timer->due = false;
    if (due) {
        timer->fn (timer->client, timer->arg);
    }
}

void fake_free_timers (cohort_t *client)
{
    while (client->timers != NULL) {
        cohort_timer_t *timer = client->timers;
        client->timers = timer->next;
        free (timer);
    }
}

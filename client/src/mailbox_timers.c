/* The application's timers. May include: mailbox_private.h and what it includes, libc. */

#include "client/src/mailbox_private.h"

#include "client/base/assert.h"

static struct cohort_timer *timer_of (struct heap_node *node)
{
    return container_of (node, struct cohort_timer, node);
}

/* A moment before the clock's beginning has passed, too. */
static uint64_t key_of (int64_t at_ms)
{
    return at_ms > 0 ? (uint64_t) at_ms : 0;
}

int mailbox_add_timer (struct mailbox *self, struct cohort_timer *timer)
{
    exchange_lock (self->exchange);
    timer->node.key = key_of (COHORT_TIMER_NEVER);
    bool added = heap_insert (&self->timers, &timer->node);
    exchange_unlock (self->exchange);
    return added ? COHORT_OK : COHORT_ENOMEM;
}

void mailbox_remove_timer (struct mailbox *self, struct cohort_timer *timer)
{
    exchange_lock (self->exchange);
    heap_remove (&self->timers, &timer->node);
    timer->due = false;
    exchange_unlock (self->exchange);
}

void mailbox_set_timer (struct mailbox *self, struct cohort_timer *timer, int64_t at_ms)
{
    exchange_lock (self->exchange);
    heap_move (&self->timers, &timer->node, key_of (at_ms));
    timer->due = false;
    if (at_ms < self->timers_ms) {
        mailbox_make_ready (self);
    }
    exchange_unlock (self->exchange);
}

int64_t mailbox_timers_ms (const struct mailbox *self)
{
    return self->timers_ms; /* which the driver alone changes */
}

bool mailbox_take_timer (struct mailbox *self, struct cohort_timer *timer)
{
    exchange_lock (self->exchange);
    bool due = timer->due;
    COHORT_ASSERT (timer->queued);
    timer->queued = timer->due = false;
    exchange_unlock (self->exchange);
    return due;
}

void mailbox_run_timers (struct mailbox *self, int64_t now_ms, struct list *heard,
                         struct list *dropped)
{
    struct heap_node *first;
    while (self->end == MAILBOX_OPEN && (first = heap_first (&self->timers)) != NULL &&
           first->key <= key_of (now_ms)) {
        struct cohort_timer *timer = timer_of (first);
        heap_move (&self->timers, first, key_of (COHORT_TIMER_NEVER));
        timer->due = true;
        if (!timer->queued) {
            timer->queued = true;
            timer_retain (timer);
            mailbox_queue (self, &timer->event, heard, dropped);
        }
    }
    first = self->end == MAILBOX_OPEN ? heap_first (&self->timers) : NULL;
    self->timers_ms = first != NULL ? (int64_t) first->key : COHORT_TIMER_NEVER;
}

/* The end of a mailbox: what is left of events and requests, and who waits for it.
 * May include: mailbox_private.h and what it includes, libc. */

#include "client/src/mailbox_private.h"

#include "client/base/assert.h"

/* Whether the application hears of it behind the end, too: exactly once it is told of each call,
 * and of each watch. */
static bool is_owed (const struct event *event)
{
    return event->kind == EVENT_RESULT || event->kind == EVENT_WATCH;
}

/* Lock held: what has come and is not owed. */
static void take_others (struct mailbox *self, struct list *others)
{
    for (struct list_node *next, *at = list_first (&self->incoming); at != NULL; at = next) {
        next = list_next (&self->incoming, at);
        if (!is_owed (list_entry (at, struct event, node))) {
            list_remove (at);
            list_push_back (others, at);
        }
    }
}

void mailbox_end (struct mailbox *self, enum mailbox_end end)
{
    struct exchange *exchange = self->exchange;
    struct list dropped;
    list_init (&dropped);
    exchange_lock (exchange);
    if (self->end == MAILBOX_OPEN) {
        COHORT_ASSERT (exchange->users > 0);
        exchange->users--;
    }
    if (self->end < end) {
        self->end = end;
    }
    take_others (self, &dropped);
    mailbox_make_ready (self);
    exchange_unlock (exchange);
    event_free_all (&dropped);
}

void mailbox_take_results (struct mailbox *self, struct list *dispatch, struct list *results)
{
    exchange_lock (self->exchange);
    COHORT_ASSERT (self->end != MAILBOX_OPEN);
    if (!self->dispatching || mailbox_is_inside (self)) {
        list_splice_back (results, dispatch);
    }
    list_splice_back (results, &self->incoming);
    exchange_unlock (self->exchange);
}

bool mailbox_next_asked (struct mailbox *self, cohort_result_fn **fn, void **arg)
{
    exchange_lock (self->exchange);
    COHORT_ASSERT (self->end != MAILBOX_OPEN);
    struct list_node *node = list_pop_front (&self->asked);
    if (node != NULL) {
        /* The driver has the request still: when it lets go nobody wants to hear of it. */
        struct request *request = list_entry (node, struct request, asked);
        *fn = request->fn;
        *arg = request->arg;
        request->fn = NULL;
    }
    exchange_unlock (self->exchange);
    return node != NULL;
}

bool mailbox_go_deaf (struct mailbox *self)
{
    exchange_lock (self->exchange);
    COHORT_ASSERT (self->end != MAILBOX_OPEN);
    self->deaf = list_empty (&self->asked) && list_empty (&self->incoming);
    bool deaf = self->deaf;
    exchange_unlock (self->exchange);
    return deaf;
}

void mailbox_wait_told (struct mailbox *self)
{
    struct exchange *exchange = self->exchange;
    exchange_lock (exchange);
    COHORT_ASSERT (self->end != MAILBOX_OPEN);
    while (!self->end_told && !self->finished) {
        if (!exchange->threaded && !exchange->driven) {
            exchange_drive_locked (exchange, 0);
        } else {
            exchange_cond_wait (exchange, &exchange->turn, exchange_until (-1));
        }
    }
    exchange_unlock (exchange);
}

bool mailbox_wait_finished (struct mailbox *self, int limit_ms)
{
    struct exchange *exchange = self->exchange;
    int64_t until = exchange_until (limit_ms);
    exchange_lock (exchange);
    while (!self->finished) {
        int64_t left = exchange_left_ms (until);
        if (left == 0) {
            break;
        }
        if (!exchange->threaded && !exchange->driven) {
            exchange_drive_locked (exchange, left);
        } else {
            exchange_cond_wait (exchange, &exchange->turn, until);
        }
    }
    bool finished = self->finished;
    exchange_unlock (exchange);
    return finished;
}

bool mailbox_finish (struct mailbox *self)
{
    struct exchange *exchange = self->exchange;
    exchange_lock (exchange);
    COHORT_ASSERT (!self->finished);
    COHORT_ASSERT (self->end != MAILBOX_OPEN);
    self->finished = true;
    if (list_linked (&self->ready)) {
        list_remove (&self->ready);
    }
    self->view.state = COHORT_LOST;
    self->view.rc = COHORT_ECLOSING;
    self->view.valid_until_ms = 0;
    mailbox_wake (self, WAITER_STATE);
    mailbox_wake (self, WAITER_EVENT);
    pthread_cond_broadcast (&exchange->turn);
    bool last = mailbox_let_go (self);
    exchange_unlock (exchange);
    return last;
}

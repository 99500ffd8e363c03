/* What the files of the mailbox share, all of it with the lock held. For mailbox*.c only.
 *
 *   mailbox.c         requests to the loop, events from it, blocked calls
 *   mailbox_end.c     the end
 *   mailbox_timers.c  timers */

#ifndef COHORT_CLIENT_MAILBOX_PRIVATE_H
#define COHORT_CLIENT_MAILBOX_PRIVATE_H

#include "client/src/mailbox.h"

/* The driver shall look into this mailbox. */
void mailbox_make_ready (struct mailbox *self);
/* Gives a reference back; true if it was the last. */
bool mailbox_let_go (struct mailbox *self);
/* Whether this very thread is inside a callback of the handle. */
bool mailbox_is_inside (const struct mailbox *self);
/* Those who wait for that. */
void mailbox_wake (struct mailbox *self, enum waiter_kind kind);
/* Puts the event at the end of `heard`, which goes behind what is queued, or of `dropped`. */
void mailbox_queue (struct mailbox *self, struct event *event, struct list *heard,
                    struct list *dropped);
/* The same with the events of the timers that are due. */
void mailbox_run_timers (struct mailbox *self, int64_t now_ms, struct list *heard,
                         struct list *dropped);

#endif

/*
 *  server/store/queue.h - where owner and worker meet
 *
 *  Lanes, each in order: the log's, which stands still while the disk is full; that of snapshots
 *  and removal, which goes on (it is what makes space); and that of what the owner wants to be
 *  read.  May include: base, lock.h.
 */
#ifndef SERVER_STORE_QUEUE_H
#define SERVER_STORE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/base/list.h"

enum queue_lane { LANE_LOG = 0, LANE_SNAPSHOT, LANE_READ, LANES };

enum queue_wake { QUEUE_WORK, QUEUE_TIMEOUT, QUEUE_STOP };

struct queue;

/*  NULL: out of memory. */
struct queue *queue_new (void);
/*  Elements still inside are the caller's: queue_take first. */
void queue_destroy (struct queue **self_p);

/*  Owner: moves all of `elements` to the end of the lane. */
void queue_push (struct queue *self, enum queue_lane lane, struct list *elements);

/*  Owner: the same, but the worker is not woken: queue_wake, queue_borrow or a queue_push follows.
 */
void queue_put (struct queue *self, enum queue_lane lane, struct list *elements);
void queue_wake (struct queue *self);

/*  Owner: takes the place of the worker, who does nothing until queue_return.  false: he is not
 *  waiting.  due_ms: when the worker, from now on, has something to do by himself; -1: never. */
bool queue_borrow (struct queue *self);
void queue_return (struct queue *self, int due_ms);

/*  Worker: moves all that is there to the ends of lists[LANES]. */
void queue_take (struct queue *self, struct list *lists);

/*  Worker: waits until something is there, or queue_stop, at most so long (-1: for ever).  If the
 *  owner has taken his place meanwhile the end of that time is QUEUE_WORK: it is to be reckoned
 * anew.
 */
enum queue_wake queue_wait (struct queue *self, int timeout_ms);
/*  Owner: the worker's next queue_wait with nothing there says QUEUE_STOP; or no more. */
void queue_stop (struct queue *self, bool stop);

/*  Worker: all up to ticket is done (UINT64_MAX: nothing more ever will be). */
void queue_announce (struct queue *self, uint64_t ticket);
/*  Owner: waits until ticket has been announced. */
void queue_await (struct queue *self, uint64_t ticket);

#endif

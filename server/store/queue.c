/*
 *  server/store/queue.c - where owner and worker meet
 *
 *  May include: base, lock.h.
 */
#include "server/store/queue.h"

#include "client/base/alloc.h"
#include "server/store/lock.h"

struct queue {
    struct lock *lock;
    struct list lanes[LANES];
    bool stop;
    uint64_t announced;
};

struct queue *queue_new (void)
{
    struct queue *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->lock = lock_new ();
    if (self->lock == NULL) {
        mem_free (self);
        return NULL;
    }
    for (int i = 0; i < LANES; i++) {
        list_init (&self->lanes[i]);
    }
    return self;
}

void queue_destroy (struct queue **self_p)
{
    struct queue *self = *self_p;
    if (self != NULL) {
        lock_destroy (&self->lock);
        mem_free (self);
        *self_p = NULL;
    }
}

void queue_push (struct queue *self, enum queue_lane lane, struct list *elements)
{
    lock_enter (self->lock);
    list_splice_back (&self->lanes[lane], elements);
    lock_wake (self->lock);
    lock_leave (self->lock);
}

void queue_take (struct queue *self, struct list *lists)
{
    lock_enter (self->lock);
    for (int i = 0; i < LANES; i++) {
        list_splice_back (&lists[i], &self->lanes[i]);
    }
    lock_leave (self->lock);
}

static bool has_work (const struct queue *self)
{
    for (int i = 0; i < LANES; i++) {
        if (!list_empty (&self->lanes[i])) {
            return true;
        }
    }
    return false;
}

enum queue_wake queue_wait (struct queue *self, int timeout_ms)
{
    enum queue_wake wake = QUEUE_WORK;
    lock_enter (self->lock);
    while (!has_work (self)) {
        if (self->stop) {
            wake = QUEUE_STOP;
            break;
        }
        /*  Woken without cause, it waits the whole time again: later than promised, never early. */
        if (timeout_ms == 0 || !lock_wait (self->lock, timeout_ms)) {
            wake = has_work (self) ? QUEUE_WORK : self->stop ? QUEUE_STOP : QUEUE_TIMEOUT;
            break;
        }
    }
    lock_leave (self->lock);
    return wake;
}

void queue_stop (struct queue *self, bool stop)
{
    lock_enter (self->lock);
    self->stop = stop;
    lock_wake (self->lock);
    lock_leave (self->lock);
}

void queue_announce (struct queue *self, uint64_t ticket)
{
    lock_enter (self->lock);
    self->announced = ticket;
    lock_wake (self->lock);
    lock_leave (self->lock);
}

void queue_await (struct queue *self, uint64_t ticket)
{
    lock_enter (self->lock);
    while (self->announced < ticket) {
        (void) lock_wait (self->lock, -1);
    }
    lock_leave (self->lock);
}

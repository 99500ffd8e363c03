/*
 *  server/store/queue.c - where owner and worker meet
 *
 *  May include: base, lock.h.
 */
#include "server/store/queue.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "server/store/lock.h"

struct queue {
    struct lock *lock;
    struct list lanes[LANES];
    bool stop;
    uint64_t announced;
    /*  Of a worker that waits: */
    bool waits;
    int wait_ms;
    bool over;     /*  his time */
    bool borrowed; /*  the owner works in his place */
    bool worked;   /*  ... and has done so since he waits */
    bool hurries;  /*  he has something to do earlier than he knows */
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

static bool has_work (const struct queue *self)
{
    for (int i = 0; i < LANES; i++) {
        if (!list_empty (&self->lanes[i])) {
            return true;
        }
    }
    return false;
}

void queue_push (struct queue *self, enum queue_lane lane, struct list *elements)
{
    lock_enter (self->lock);
    list_splice_back (&self->lanes[lane], elements);
    lock_wake (self->lock);
    lock_leave (self->lock);
}

void queue_put (struct queue *self, enum queue_lane lane, struct list *elements)
{
    lock_enter (self->lock);
    list_splice_back (&self->lanes[lane], elements);
    lock_leave (self->lock);
}

void queue_wake (struct queue *self)
{
    lock_enter (self->lock);
    lock_wake (self->lock);
    lock_leave (self->lock);
}

bool queue_borrow (struct queue *self)
{
    lock_enter (self->lock);
    bool borrowed = self->waits && !self->stop;
    self->borrowed = borrowed;
    lock_leave (self->lock);
    return borrowed;
}

void queue_return (struct queue *self, int due_ms)
{
    lock_enter (self->lock);
    COHORT_ASSERT (self->borrowed);
    self->borrowed = false;
    self->worked = true;
    self->hurries = due_ms >= 0 && (self->wait_ms < 0 || due_ms < self->wait_ms);
    if (has_work (self) || self->stop || self->hurries || self->over) {
        lock_wake (self->lock);
    }
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

/*  Woken without cause, it waits the whole time again: later than promised, never early. */
enum queue_wake queue_wait (struct queue *self, int timeout_ms)
{
    lock_enter (self->lock);
    self->waits = true;
    self->over = timeout_ms == 0;
    self->worked = self->hurries = false;
    self->wait_ms = timeout_ms;
    while (self->borrowed || !(has_work (self) || self->stop || self->hurries || self->over)) {
        self->over |= !lock_wait (self->lock, self->over ? -1 : timeout_ms);
    }
    self->waits = false;
    enum queue_wake wake = has_work (self)                 ? QUEUE_WORK
                           : self->stop                    ? QUEUE_STOP
                           : self->hurries || self->worked ? QUEUE_WORK
                                                           : QUEUE_TIMEOUT;
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

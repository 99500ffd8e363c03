/*
 *  server/store/ahead.c - a snapshot is read and unpacked while what came before is used
 *
 *  May include: base, lock.h, snapshot.h, pthreads.
 */
#include "server/store/ahead.h"

#include <pthread.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "cohort/error.h"
#include "server/store/lock.h"

/*  A few, so that neither waits for the other's longest piece. */
enum { PIECES = 4 };

struct ahead {
    struct snapshot_reader *file;
    pthread_t thread;
    struct lock *lock;
    /*  Under the lock.  Piece n is at n % PIECES: [taken, filled) are full, and the one before
     *  `taken` is being used. */
    uint64_t filled, taken;
    size_t sizes[PIECES];
    bool stop;  /*  by whoever takes */
    bool ended; /*  nothing comes any more, for `code` */
    int code;
    uint8_t bytes[PIECES][AHEAD_PIECE];
};

/* ---- The thread that reads ----------------------------------------------------------------- */

/*  Whether there is a piece to fill: one that is neither full nor used. */
static bool await_room (struct ahead *self)
{
    lock_enter (self->lock);
    while (!self->stop && self->filled - self->taken >= PIECES - 1) {
        (void) lock_wait (self->lock, -1);
    }
    bool room = !self->stop;
    lock_leave (self->lock);
    return room;
}

/*  Whether there is more. */
static bool hand_over (struct ahead *self, size_t size, int code)
{
    lock_enter (self->lock);
    if (code == 0 && size > 0) {
        self->sizes[self->filled++ % PIECES] = size;
    } else {
        self->code = code;
        self->ended = true;
    }
    bool more = !self->ended;
    lock_wake (self->lock);
    lock_leave (self->lock);
    return more;
}

static void *run (void *arg)
{
    struct ahead *self = arg;
    uint64_t offset = 0;
    bool more = true;
    while (more && await_room (self)) {
        struct fault fault;
        size_t done = 0;
        uint8_t *piece = self->bytes[self->filled % PIECES]; /* which only this thread moves on */
        int code = snapshot_read (self->file, offset, piece, AHEAD_PIECE, &done, &fault);
        offset += done;
        more = hand_over (self, done, code);
    }
    return NULL;
}

/* ---- The one that takes -------------------------------------------------------------------- */

int ahead_next (struct ahead *self, const uint8_t **data, size_t *size)
{
    int code = 0;
    lock_enter (self->lock);
    while (self->filled == self->taken && !self->ended) {
        (void) lock_wait (self->lock, -1);
    }
    *data = NULL;
    *size = 0;
    if (self->filled != self->taken) {
        unsigned at = (unsigned) (self->taken++ % PIECES);
        *data = self->bytes[at];
        *size = self->sizes[at];
        lock_wake (self->lock);
    } else {
        code = self->code;
    }
    lock_leave (self->lock);
    return code;
}

int ahead_new (struct snapshot_reader *file, struct ahead **ahead)
{
    struct ahead *self = mem_alloc (sizeof *self);
    struct lock *lock = lock_new ();
    if (self == NULL || lock == NULL) {
        lock_destroy (&lock);
        mem_free (self);
        return COHORT_ENOMEM;
    }
    self->lock = lock;
    self->file = file;
    self->filled = self->taken = 0;
    self->stop = self->ended = false;
    self->code = 0;
    if (pthread_create (&self->thread, NULL, run, self) != 0) {
        lock_destroy (&self->lock);
        mem_free (self);
        return COHORT_ESYSTEM;
    }
    *ahead = self;
    return 0;
}

void ahead_destroy (struct ahead **self_p)
{
    struct ahead *self = *self_p;
    if (self == NULL) {
        return;
    }
    *self_p = NULL;
    lock_enter (self->lock);
    self->stop = true;
    lock_wake (self->lock);
    lock_leave (self->lock);
    int rc = pthread_join (self->thread, NULL);
    COHORT_ASSERT (rc == 0);
    lock_destroy (&self->lock);
    mem_free (self);
}

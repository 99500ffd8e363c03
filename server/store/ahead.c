/*
 *  server/store/ahead.c - a snapshot is read and unpacked while what came before is used
 *
 *  May include: base, snapshot.h, pthreads.
 */
#include "server/store/ahead.h"

#include <pthread.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "cohort/error.h"

/*  A few, so that neither waits for the other's longest piece. */
enum { PIECES = 4 };

struct ahead {
    struct snapshot_reader *file;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /*  Under the mutex.  Piece n is at n % PIECES: [taken, filled) are full, and the one before
     *  `taken` is being used. */
    uint64_t filled, taken;
    size_t sizes[PIECES];
    bool stop;  /*  by whoever takes */
    bool ended; /*  nothing comes any more, for `code` */
    int code;
    uint8_t bytes[PIECES][AHEAD_PIECE];
};

static void lock (struct ahead *self)
{
    int rc = pthread_mutex_lock (&self->mutex);
    COHORT_ASSERT (rc == 0);
}

static void unlock (struct ahead *self)
{
    int rc = pthread_mutex_unlock (&self->mutex);
    COHORT_ASSERT (rc == 0);
}

static void tell (struct ahead *self)
{
    int rc = pthread_cond_signal (&self->changed);
    COHORT_ASSERT (rc == 0);
}

static void await_change (struct ahead *self)
{
    int rc = pthread_cond_wait (&self->changed, &self->mutex);
    COHORT_ASSERT (rc == 0);
}

/* ---- The thread that reads ----------------------------------------------------------------- */

/*  Whether there is a piece to fill: one that is neither full nor used. */
static bool await_room (struct ahead *self)
{
    lock (self);
    while (!self->stop && self->filled - self->taken >= PIECES - 1) {
        await_change (self);
    }
    bool room = !self->stop;
    unlock (self);
    return room;
}

/*  Whether there is more. */
static bool hand_over (struct ahead *self, size_t size, int code)
{
    lock (self);
    if (code == 0 && size > 0) {
        self->sizes[self->filled++ % PIECES] = size;
    } else {
        self->code = code;
        self->ended = true;
    }
    bool more = !self->ended;
    tell (self);
    unlock (self);
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
    lock (self);
    while (self->filled == self->taken && !self->ended) {
        await_change (self);
    }
    *data = NULL;
    *size = 0;
    if (self->filled != self->taken) {
        unsigned at = (unsigned) (self->taken++ % PIECES);
        *data = self->bytes[at];
        *size = self->sizes[at];
        tell (self);
    } else {
        code = self->code;
    }
    unlock (self);
    return code;
}

int ahead_new (struct snapshot_reader *file, struct ahead **ahead)
{
    struct ahead *self = mem_alloc (sizeof *self);
    if (self == NULL) {
        return COHORT_ENOMEM;
    }
    self->file = file;
    self->filled = self->taken = 0;
    self->stop = self->ended = false;
    self->code = 0;
    int rc = pthread_mutex_init (&self->mutex, NULL);
    COHORT_ASSERT (rc == 0);
    rc = pthread_cond_init (&self->changed, NULL);
    COHORT_ASSERT (rc == 0);
    if (pthread_create (&self->thread, NULL, run, self) != 0) {
        (void) pthread_cond_destroy (&self->changed);
        (void) pthread_mutex_destroy (&self->mutex);
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
    lock (self);
    self->stop = true;
    tell (self);
    unlock (self);
    int rc = pthread_join (self->thread, NULL);
    COHORT_ASSERT (rc == 0);
    (void) pthread_cond_destroy (&self->changed);
    (void) pthread_mutex_destroy (&self->mutex);
    mem_free (self);
}

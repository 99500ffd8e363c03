/*
 *  server/store/pages.c - pages of memory that will be used are asked for by another thread
 */
#define _DEFAULT_SOURCE /* madvise */
#include "server/store/pages.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/base/alloc.h"
#include "server/store/beside.h"
#include "server/store/lock.h"

/*  Linux 5.14.  An older kernel refuses it, and each page comes when it is touched. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

struct pages {
    struct beside *thread;
    struct lock *lock;
    void *block; /* NULL: none waits */
    size_t size;
    bool ending;
};

/*  For the pages that lie in the block as a whole. */
static void ask (void *block, size_t size)
{
    size_t page = (size_t) sysconf (_SC_PAGESIZE);
    size_t before = (page - (uintptr_t) block % page) % page;
    if (size < before + page) {
        return;
    }
    /*  Refused, or no memory left: whoever touches them will know. */
    (void) madvise ((uint8_t *) block + before, (size - before) / page * page, MADV_POPULATE_WRITE);
}

static void run (void *arg)
{
    struct pages *self = arg;
    lock_enter (self->lock);
    while (!self->ending) {
        void *block = self->block;
        size_t size = self->size;
        if (block == NULL) {
            (void) lock_wait (self->lock, -1);
            continue;
        }
        self->block = NULL;
        lock_leave (self->lock);
        ask (block, size);
        lock_enter (self->lock);
    }
    lock_leave (self->lock);
}

struct pages *pages_new (void)
{
    struct pages *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->lock = lock_new ();
    self->thread = self->lock != NULL ? beside_new (run, self) : NULL;
    if (self->thread == NULL) {
        lock_destroy (&self->lock);
        mem_free (self);
        return NULL;
    }
    return self;
}

void pages_coming (void *arg, void *block, size_t size)
{
    struct pages *self = arg;
    lock_enter (self->lock);
    self->block = block;
    self->size = size;
    lock_wake (self->lock);
    lock_leave (self->lock);
}

void pages_destroy (struct pages **self_p)
{
    struct pages *self = *self_p;
    if (self == NULL) {
        return;
    }
    *self_p = NULL;
    lock_enter (self->lock);
    self->ending = true;
    lock_wake (self->lock);
    lock_leave (self->lock);
    beside_join (&self->thread);
    lock_destroy (&self->lock);
    mem_free (self);
}

/*
 *  server/store/pages.h - pages of memory that will be used are asked for by another thread
 *
 *  Memory that the kernel has given out has no pages until it is touched, and each first touch is a
 *  fault.  Who builds a state of a million znodes spends a sixth of its time on them.  A thread
 *  that asks for those of the next block meanwhile takes that from it, where there is a second
 *  processor.  May include: base, lock.h, beside.h, the kernel's madvise.
 */
#ifndef SERVER_STORE_PAGES_H
#define SERVER_STORE_PAGES_H

#include <stddef.h>

struct pages;

/*  NULL: no memory, or no thread. */
struct pages *pages_new (void);

/*  As slab_foresight wants it: asks for the pages of the block.  One block waits at most: one that
 *  the thread has not begun when the next is told is left to whoever touches it.  What is in a
 *  block stays as it is, so that it may be used, and freed, at the same time. */
void pages_coming (void *self, void *block, size_t size);

/*  Ends the thread, and waits for that. */
void pages_destroy (struct pages **self_p);

#endif

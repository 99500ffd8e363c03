/*
 *  server/store/lock.h - the locks of the store: a mutex and a condition, nowhere else used
 * directly
 *
 *  Any thread.  May include: libc, pthreads.
 */
#ifndef SERVER_STORE_LOCK_H
#define SERVER_STORE_LOCK_H

#include <stdbool.h>

struct lock;

/*  NULL: out of memory. */
struct lock *lock_new (void);
void lock_destroy (struct lock **self_p);

void lock_enter (struct lock *self);
void lock_leave (struct lock *self);

/*  Inside: leaves, waits for lock_wake (or without cause), enters again.  timeout_ms -1: for ever.
 *  false: the time has passed. */
bool lock_wait (struct lock *self, int timeout_ms);

/*  Inside: wakes all that wait. */
void lock_wake (struct lock *self);

#endif

/*
 *  server/store/beside.h - a function that another thread runs meanwhile
 *
 *  May include: libc, pthreads.
 */
#ifndef SERVER_STORE_BESIDE_H
#define SERVER_STORE_BESIDE_H

struct beside;

/*  Begins; NULL: no memory, or no thread, and nothing runs. */
struct beside *beside_new (void (*run) (void *arg), void *arg);

/*  Waits for its end.  What it has written is to be seen then. */
void beside_join (struct beside **self_p);

#endif

/* What is allocated through client/base/alloc.h: for tests that bound it. */

#ifndef TESTS_SUPPORT_HEAP_H
#define TESTS_SUPPORT_HEAP_H

#include <stdint.h>

/* Begins to count, from 0 on: what is freed of what was there before counts as negative. */
void heap_watch_begin (void);
void heap_watch_end (void);

/* Bytes in use, and the most that there have been since the beginning or the last reset. */
int64_t heap_in_use (void);
int64_t heap_peak (void);
void heap_peak_reset (void);

#endif

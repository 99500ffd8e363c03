/* The words that stand for kinds, in the order of their numbers; for text_write.c and text_read.c.
 */

#ifndef TESTS_HISTORY_TEXT_KINDS_H
#define TESTS_HISTORY_TEXT_KINDS_H

#include <stddef.h>

/* Index 0 stands for no kind. */
extern const char *const text_events[], *const text_ops[], *const text_entries[];
extern const size_t text_events_count, text_ops_count, text_entries_count;

#endif

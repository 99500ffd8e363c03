/* A bar on stderr that shows how far a long command has come; nothing unless that is a terminal.
 * May include: libc only. */

#ifndef COHORT_CLI_PROGRESS_H
#define COHORT_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *title;
    uint64_t total;
    bool visible;
    int64_t start_ms;
    int64_t shown_ms; /* when the bar was last drawn, 0: never */
};

/* title is borrowed. total 0: it is not known, and there is a count instead of a bar. */
void progress_init (struct progress *self, const char *title, uint64_t total);

/* Draws the bar, at most ten times a second. */
void progress_show (struct progress *self, uint64_t done);

/* Takes it away. */
void progress_end (struct progress *self);

#endif

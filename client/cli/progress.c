#include "client/cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/clock.h"

#define PROGRESS_INTERVAL_MS 100
#define PROGRESS_WIDTH       30

void progress_init (struct progress *self, const char *title, uint64_t total)
{
    memset (self, 0, sizeof *self);
    self->title = title;
    self->total = total;
    self->visible = isatty (STDERR_FILENO) != 0;
    self->start_ms = clock_ms ();
}

void progress_show (struct progress *self, uint64_t done)
{
    if (!self->visible) {
        return;
    }
    int64_t now = clock_ms ();
    if (self->shown_ms != 0 && now - self->shown_ms < PROGRESS_INTERVAL_MS) {
        return;
    }
    self->shown_ms = now;
    double seconds = (double) (now - self->start_ms) / 1e3;
    double rate = seconds > 0 ? (double) done / seconds : 0.0;
    if (self->total == 0) {
        fprintf (stderr, "\r%s %" PRIu64 "  %.0f/s \033[K", self->title, done, rate);
    } else {
        char bar[PROGRESS_WIDTH + 1];
        uint64_t filled = done < self->total ? done * PROGRESS_WIDTH / self->total : PROGRESS_WIDTH;
        memset (bar, ' ', sizeof bar);
        memset (bar, '#', (size_t) filled);
        bar[PROGRESS_WIDTH] = 0;
        fprintf (stderr, "\r%s [%s] %" PRIu64 "/%" PRIu64 "  %.0f/s \033[K", self->title, bar, done,
                 self->total, rate);
    }
    fflush (stderr);
}

void progress_end (struct progress *self)
{
    if (self->shown_ms != 0) {
        fputs ("\r\033[K", stderr);
        fflush (stderr);
    }
}

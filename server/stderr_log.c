/*
 * server/stderr_log.c - see stderr_log.h
 */
#include "server/stderr_log.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cohort/server.h"

static _Atomic unsigned long dropped;

/* A pipe that says so takes PIPE_BUF bytes, which is more than a line has.  Files always do. */
static bool takes_a_line (void)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll (&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0 &&
           (out.revents & (POLLERR | POLLNVAL)) == 0;
}

static void put (int level, const char *event, const char *details)
{
    static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG"};
    struct timespec now;
    struct tm utc;
    char text[32];

    (void) clock_gettime (CLOCK_REALTIME, &now);
    (void) gmtime_r (&now.tv_sec, &utc);
    (void) strftime (text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    (void) fprintf (stderr, "%s.%03ldZ %-5s %s%s%s\n", text, now.tv_nsec / 1000000, names[level],
                    event, *details ? " " : "", details);
}

void log_to_stderr (int level, const char *event, const char *details, void *arg)
{
    char lines[48];
    (void) arg;
    if (!takes_a_line ()) {
        (void) atomic_fetch_add (&dropped, 1);
        return;
    }
    unsigned long before = atomic_exchange (&dropped, 0);
    if (before > 0) {
        (void) snprintf (lines, sizeof lines, "lines=%lu", before);
        put (COHORT_LOG_WARNING, "log-dropped", lines);
        if (!takes_a_line ()) {
            (void) atomic_fetch_add (&dropped, 1);
            return;
        }
    }
    put (level, event, details);
}

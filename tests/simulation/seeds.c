/* Many worlds, several at a time: see seeds.h. */

#include "tests/simulation/seeds.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/base/assert.h"
#include "tests/simulation/run.h"

enum { BAR_WIDTH = 40, NAMED_MAX = 1000 };

struct seeds {
    const struct arguments *arguments;
    struct run_child *children; /* of those that run; pid 0: none */
    uint64_t next;
    uint64_t worlds, failures;
    uint64_t failed[NAMED_MAX]; /* the first of them */
    int64_t simulated_ms;
    uint64_t searched, given_up; /* znodes */
    struct timespec begin;
    bool terminal;
};

/* ---- How far it is --------------------------------------------------------------------------- */

static double seconds_of (const struct timeval *time)
{
    return (double) time->tv_sec + (double) time->tv_usec / 1e6;
}

/* Of this process and of those that have ended. */
static double cpu_seconds (void)
{
    struct rusage self, children;
    COHORT_ASSERT (getrusage (RUSAGE_SELF, &self) == 0);
    COHORT_ASSERT (getrusage (RUSAGE_CHILDREN, &children) == 0);
    return seconds_of (&self.ru_utime) + seconds_of (&self.ru_stime) +
           seconds_of (&children.ru_utime) + seconds_of (&children.ru_stime);
}

static double real_seconds (const struct seeds *self)
{
    struct timespec now;
    (void) clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) (now.tv_sec - self->begin.tv_sec) +
           (double) (now.tv_nsec - self->begin.tv_nsec) / 1e9;
}

static double ratio (const struct seeds *self)
{
    double cpu = cpu_seconds ();
    return cpu > 0 ? (double) self->simulated_ms / 1000 / cpu : 0;
}

static void show_progress (const struct seeds *self)
{
    char bar[BAR_WIDTH + 1];
    uint64_t all = self->arguments->last - self->arguments->first + 1;
    size_t filled = (size_t) ((double) self->worlds / (double) all * BAR_WIDTH);
    memset (bar, ' ', BAR_WIDTH);
    memset (bar, '=', filled);
    bar[BAR_WIDTH] = '\0';
    printf ("\r[%s] %" PRIu64 " of %" PRIu64 ", %" PRIu64 " failed, %.0f times real time ", bar,
            self->worlds, all, self->failures, ratio (self));
    fflush (stdout);
}

static void show_end (const struct seeds *self)
{
    if (self->terminal) {
        printf ("\r%*s\r", BAR_WIDTH + 60, "");
    }
    printf ("%" PRIu64 " worlds, %" PRIu64 " failed: %.1f s simulated in %.1f s of CPU and %.1f s "
            "of time; %.0f simulated seconds per CPU second; %" PRIu64 " of %" PRIu64
            " searches given up\n",
            self->worlds, self->failures, (double) self->simulated_ms / 1000, cpu_seconds (),
            real_seconds (self), ratio (self), self->given_up, self->searched);
    fflush (stdout);
}

static int by_number (const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *) left, b = *(const uint64_t *) right;
    return a < b ? -1 : a > b;
}

static void name_failed (struct seeds *self)
{
    size_t count = self->failures < NAMED_MAX ? (size_t) self->failures : NAMED_MAX;
    qsort (self->failed, count, sizeof self->failed[0], by_number);
    fprintf (stderr, "failed seeds:");
    for (size_t i = 0; i < count; i++) {
        fprintf (stderr, " %" PRIu64, self->failed[i]);
    }
    fprintf (stderr, "%s\n", self->failures > count ? " ..." : "");
}

/* ---- Ends ------------------------------------------------------------------------------------ */

/* Once more, with all that can be told: the end of that is shown. */
static void show_failure (const struct seeds *self, const struct run_child *child,
                          const struct run_result *result)
{
    struct sim_options options = self->arguments->options;
    struct run_result again;
    FILE *output;
    options.seed = child->seed;
    options.kept = 2;
    run_apart (&options, &again, &output, NULL);
    if (again.failed && strcmp (again.kind, result->kind) == 0) {
        run_show (output, stderr);
        (void) fclose (child->output);
    } else {
        (void) fclose (output);
        run_show (child->output, stderr);
        fprintf (stderr,
                 "A second run of the seed did not fail like this: it is not repeatable.\n");
    }
    arguments_tell_again (stderr, self->arguments, child->seed);
}

static void take_result (struct seeds *self, struct run_child *child, int status)
{
    struct run_result result;
    run_end (child, status, &result);
    self->worlds++;
    self->simulated_ms += result.at_ms;
    self->searched += result.searched;
    self->given_up += result.given_up;
    if (!result.failed) {
        (void) fclose (child->output);
        if (!self->terminal) {
            puts (result.line);
        }
    } else {
        if (self->terminal) {
            printf ("\r%*s\r", BAR_WIDTH + 60, "");
            fflush (stdout);
        }
        if (self->failures < NAMED_MAX) {
            self->failed[self->failures] = child->seed;
        }
        self->failures++;
        fprintf (stderr, "seed %" PRIu64 " failed: %s\n", child->seed, result.text);
        show_failure (self, child, &result);
    }
    fflush (stdout);
}

/* ---- Jobs ------------------------------------------------------------------------------------ */

static bool begin_next (struct seeds *self, struct run_child *child)
{
    struct sim_options options = self->arguments->options;
    if (self->next > self->arguments->last) {
        return false;
    }
    options.seed = self->next++;
    run_begin (child, &options, false);
    return true;
}

/* Waits for one of the children to end. */
static struct run_child *wait_for_any (struct seeds *self, int *status)
{
    for (;;) {
        pid_t pid = waitpid (-1, status, 0);
        if (pid < 0 && errno != EINTR) {
            perror ("cohort-sim: waitpid");
            exit (EXIT_FAILURE);
        }
        for (unsigned i = 0; i < self->arguments->jobs && pid > 0; i++) {
            if (self->children[i].pid == pid) {
                return &self->children[i];
            }
        }
    }
}

/* Of the searches for an order so few are given up that what they would have found is found by the
 * others; one may be in a few worlds, too. */
enum { GIVEN_UP_PERCENT_MAX = 1 };

static bool too_many_given_up (const struct seeds *self)
{
    if (self->given_up <= 1 + self->searched * GIVEN_UP_PERCENT_MAX / 100) {
        return false;
    }
    fprintf (stderr, "of %" PRIu64 " znodes %" PRIu64 " were not searched to the end: too many\n",
             self->searched, self->given_up);
    return true;
}

bool seeds_run (const struct arguments *arguments)
{
    struct seeds *self = calloc (1, sizeof *self);
    COHORT_ASSERT (self != NULL);
    self->arguments = arguments;
    self->children = calloc (arguments->jobs, sizeof *self->children);
    COHORT_ASSERT (self->children != NULL);
    self->next = arguments->first;
    self->terminal = isatty (STDOUT_FILENO) && arguments->seeds;
    (void) clock_gettime (CLOCK_MONOTONIC, &self->begin);

    unsigned running = 0;
    while (running < arguments->jobs && begin_next (self, &self->children[running])) {
        running++;
    }
    while (running > 0) {
        int status;
        struct run_child *child = wait_for_any (self, &status);
        take_result (self, child, status);
        child->pid = 0;
        running -= !begin_next (self, child);
        if (self->terminal) {
            show_progress (self);
        }
    }
    show_end (self);
    if (self->failures > 0) {
        name_failed (self);
    }
    bool all_held = self->failures == 0 && !too_many_given_up (self);
    free (self->children);
    free (self);
    return all_held;
}

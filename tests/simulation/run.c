/* One world from its beginning to its end: see run.h. */

#include "tests/simulation/run.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/base/assert.h"
#include "tests/simulation/arguments.h"
#include "tests/simulation/hunt.h"

_Static_assert(sizeof (struct run_result) <= PIPE_BUF, "a result is written in one piece");

/* For an assertion in production code. */
static struct world *running;

static void on_assert (const char *expression, const char *file, int line)
{
    if (running == NULL) {
        fprintf (stderr, "cohort-sim: %s:%d: assertion failed: %s\n", file, line, expression);
        exit (EXIT_FAILURE);
    }
    world_fail (running, "%s:%d: assertion failed: %s", file, line, expression);
}

/* ---- Here ------------------------------------------------------------------------------------ */

static void put_counts (const struct fault_plan *plan, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < FAULT_KINDS && used < size; i++) {
        if (plan->counts[i] > 0) {
            int more = snprintf (text + used, size - used, " %s %" PRIu64,
                                 fault_name ((enum fault_kind) i), plan->counts[i]);
            used += more > 0 ? (size_t) more : 0;
        }
    }
    COHORT_ASSERT (used < size); /* all of them are in the line */
}

static void note_end (const struct world *world, struct run_result *result)
{
    char counts[RUN_LINE_SIZE / 2];
    result->at_ms = world->schedule.now_ms;
    result->requests = world->requests;
    result->searched = world->searched;
    result->given_up = world->given_up;
    memcpy (result->counts, world->plan.counts, sizeof result->counts);
    put_counts (&world->plan, counts, sizeof counts);
    (void) snprintf (result->line, sizeof result->line,
                     "seed %" PRIu64 " digest %016" PRIx64 " %" PRId64 " ms writes %" PRIu64
                     " reads %" PRIu64 " sessions lost %" PRIu64 ";%s",
                     world->options.seed, world_digest (world), world->schedule.now_ms,
                     world->writes_acked, world->reads, world->sessions_lost, counts);
}

void run_here (const struct sim_options *options, struct run_result *result)
{
    assert_set_handler (on_assert);
    *result = (struct run_result){.failed = false};
    struct world *world = world_new (options);
    running = world;
    phase_safety (world);
    phase_liveness (world);
    phase_reunion (world);
    check_end (world);
    note_end (world, result);
    phase_ruin (world);
    result->at_ms = world->schedule.now_ms;
    check_left_over (world);
    running = NULL;
    world_free (world);
}

/* ---- Apart ----------------------------------------------------------------------------------- */

/* What the child's callbacks write to. */
struct wires {
    int result;
    int faults; /* -1: nowhere */
};

static void write_all (int file, const void *data, size_t size)
{
    ssize_t done = write (file, data, size);
    if (done != (ssize_t) size) {
        perror ("cohort-sim: write");
        _exit (EXIT_FAILURE);
    }
}

/* At once, so that it is there whatever happens next. */
static void on_fault (void *arg, const struct sim_fault *fault)
{
    const struct wires *wires = arg;
    write_all (wires->faults, fault, sizeof *fault);
}

/* The same failure is told by the same format; what is in a table, and an assertion, by its name.
 */
static void name_failure (const char *format, const char *text, char kind[RUN_KIND_SIZE])
{
    const char *end = strstr (text, ": ");
    bool named = strncmp (format, "invariant", strlen ("invariant")) == 0 ||
                 strncmp (format, "history", strlen ("history")) == 0;
    if (named && end != NULL) {
        (void) snprintf (kind, RUN_KIND_SIZE, "%.*s", (int) (end - text), text);
    } else if (strstr (format, "assertion failed") != NULL) {
        (void) snprintf (kind, RUN_KIND_SIZE, "%s", text);
    } else {
        (void) snprintf (kind, RUN_KIND_SIZE, "%s", format);
    }
}

static void on_failure (void *arg, const char *format, const char *text, int64_t at_ms)
{
    const struct wires *wires = arg;
    struct run_result result = {.failed = true, .mutated = hunt_mutated (), .at_ms = at_ms};
    result.requests = running != NULL ? running->requests : 0;
    name_failure (format, text, result.kind);
    (void) snprintf (result.text, sizeof result.text, "%s", text);
    write_all (wires->result, &result, sizeof result);
}

/* ---- What stands still ----------------------------------------------------------------------- */

/* A millisecond of a world that takes so long, of CPU time, is not slow: it goes round in circles.
 */
enum { STILL_S = 20 };

static int still_result = -1; /* where to tell it */

/* Only what a handler of signals may do: the rest of the process is anywhere. */
static void on_time_spent (int number)
{
    static const char text[] = "stands still: no millisecond of it ends";
    static int64_t before_ms = -1;
    (void) number;
    if (running == NULL || running->schedule.now_ms != before_ms) {
        before_ms = running != NULL ? running->schedule.now_ms : -1;
        return;
    }
    struct run_result result = {.failed = true, .mutated = hunt_mutated (), .at_ms = before_ms};
    memcpy (result.kind, text, strlen ("stands still"));
    memcpy (result.text, text, sizeof text);
    (void) !write (still_result, &result, sizeof result);
    _exit (EXIT_FAILURE);
}

static void watch_time (int result)
{
    const struct itimerval each = {.it_interval = {.tv_sec = STILL_S},
                                   .it_value = {.tv_sec = STILL_S}};
    struct sigaction action = {.sa_handler = on_time_spent, .sa_flags = SA_RESTART};
    still_result = result;
    if (sigaction (SIGVTALRM, &action, NULL) != 0 || setitimer (ITIMER_VIRTUAL, &each, NULL) != 0) {
        perror ("cohort-sim: timer");
        _exit (EXIT_FAILURE);
    }
}

static void live (const struct sim_options *options, struct wires *wires)
{
    watch_time (wires->result);
    struct sim_options own = *options;
    struct run_result result;
    own.on_failure = on_failure;
    own.on_failure_arg = wires;
    if (wires->faults >= 0) {
        own.on_fault = on_fault;
        own.on_fault_arg = wires;
    }
    run_here (&own, &result);
    result.mutated = hunt_mutated ();
    write_all (wires->result, &result, sizeof result);
}

static FILE *temporary (void)
{
    FILE *file = tmpfile ();
    if (file == NULL) {
        perror ("cohort-sim: temporary file");
        exit (EXIT_FAILURE);
    }
    return file;
}

/* Of the child. */
static bool redirect (FILE *output)
{
    return output == NULL || (dup2 (fileno (output), STDOUT_FILENO) >= 0 &&
                              dup2 (fileno (output), STDERR_FILENO) >= 0);
}

static void begin (struct run_child *self, const struct sim_options *options)
{
    int ends[2];
    fflush (NULL);
    if (pipe (ends) != 0 || (self->pid = fork ()) < 0) {
        perror ("cohort-sim: process");
        exit (EXIT_FAILURE);
    }
    if (self->pid == 0) {
        struct wires wires = {ends[1], self->faults != NULL ? fileno (self->faults) : -1};
        (void) close (ends[0]);
        if (!redirect (self->output)) {
            _exit (EXIT_FAILURE);
        }
        live (options, &wires);
        exit (EXIT_SUCCESS); /* not _exit: the sanitizers look for leaks */
    }
    (void) close (ends[1]);
    self->result = ends[0];
}

void run_begin (struct run_child *self, const struct sim_options *options, bool record)
{
    *self = (struct run_child){.seed = options->seed, .output = temporary ()};
    self->faults = record ? temporary () : NULL;
    begin (self, options);
}

void run_end (struct run_child *self, int status, struct run_result *result)
{
    ssize_t size = read (self->result, result, sizeof *result);
    bool told = size == (ssize_t) sizeof *result;
    (void) close (self->result);
    if (!told) {
        *result = (struct run_result){.failed = true};
    }
    if (!told || (!result->failed && status != 0)) {
        result->failed = true;
        (void) snprintf (result->kind, sizeof result->kind, "its process %s %d",
                         WIFSIGNALED (status) ? "died of signal" : "ended with status",
                         WIFSIGNALED (status) ? WTERMSIG (status) : WEXITSTATUS (status));
        (void) snprintf (result->text, sizeof result->text, "%s", result->kind);
    }
}

static void take_faults (FILE *file, struct fault_list *faults)
{
    struct sim_fault fault;
    rewind (file);
    while (fread (&fault, sizeof fault, 1, file) == 1) {
        fault_list_add (faults, &fault);
    }
    (void) fclose (file);
    fault_list_sort_by_time (faults);
}

static void wait_and_end (struct run_child *child, struct run_result *result)
{
    int status = 0;
    while (waitpid (child->pid, &status, 0) < 0) {
        if (errno != EINTR) {
            perror ("cohort-sim: waitpid");
            exit (EXIT_FAILURE);
        }
    }
    run_end (child, status, result);
}

void run_aloud (const struct sim_options *options, struct run_result *result)
{
    struct run_child child = {.seed = options->seed};
    begin (&child, options);
    wait_and_end (&child, result);
}

void run_apart (const struct sim_options *options, struct run_result *result, FILE **output,
                struct fault_list *faults)
{
    struct run_child child;
    run_begin (&child, options, faults != NULL);
    wait_and_end (&child, result);
    if (output != NULL) {
        *output = child.output;
    } else {
        (void) fclose (child.output);
    }
    if (faults != NULL) {
        take_faults (child.faults, faults);
    }
}

void run_show (FILE *output, FILE *to)
{
    char bytes[4096];
    size_t size;
    rewind (output);
    while ((size = fread (bytes, 1, sizeof bytes, output)) > 0) {
        (void) fwrite (bytes, 1, size, to);
    }
    (void) fclose (output);
}

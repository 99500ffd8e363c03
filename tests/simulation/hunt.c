/* Looking for a seed that fails as expected: see hunt.h. */

#include "tests/simulation/hunt.h"

#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "tests/simulation/run.h"

enum { EXAMPLES_MAX = 3, ERROR_SIZE = 128 };

struct hunt {
    const struct arguments *arguments;
    regex_t expected;
    struct run_child *children; /* of those that run; pid 0: none */
    uint64_t next;
    uint64_t worlds, mutated, failures;
    uint64_t others[EXAMPLES_MAX];              /* seeds of failures of other kinds, */
    char examples[EXAMPLES_MAX][RUN_TEXT_SIZE]; /* and these */
    bool found;
    uint64_t seed; /* that was found, and how it failed */
    char text[RUN_TEXT_SIZE];
};

/* ---- Mutations ------------------------------------------------------------------------------- */

#ifdef COHORT_MUTATIONS

bool hunt_mutate (const char *name)
{
    mutation_select (name);
    return true;
}

bool hunt_forgive (const char *files)
{
    mutation_forgive (files);
    return true;
}

bool hunt_mutated (void)
{
    return mutation_reached ();
}

#else

bool hunt_mutate (const char *name)
{
    (void) name;
    fputs ("cohort-sim: this build has no mutations; see tests/mutations/run\n", stderr);
    return false;
}

bool hunt_forgive (const char *files)
{
    return hunt_mutate (files);
}

bool hunt_mutated (void)
{
    return false;
}

#endif

/* ---- Worlds ---------------------------------------------------------------------------------- */

static bool begin_next (struct hunt *self, struct run_child *child)
{
    struct sim_options options = self->arguments->options;
    child->pid = 0;
    if (self->found || self->next > self->arguments->last) {
        return false;
    }
    options.seed = self->next++;
    run_begin (child, &options, false);
    return true;
}

static void take_result (struct hunt *self, struct run_child *child, int status)
{
    struct run_result result;
    run_end (child, status, &result);
    (void) fclose (child->output);
    if (self->found) {
        return;
    }
    self->worlds++;
    self->mutated += result.mutated;
    if (!result.failed) {
        return;
    }
    /* Where the mutation's place was never reached, it is something else that failed. */
    bool guilty = self->arguments->mutation == NULL || result.mutated;
    self->found = guilty && regexec (&self->expected, result.text, 0, NULL, 0) == 0;
    if (self->found) {
        self->seed = child->seed;
        memcpy (self->text, result.text, sizeof self->text);
    } else if (self->failures++ < EXAMPLES_MAX) {
        self->others[self->failures - 1] = child->seed;
        memcpy (self->examples[self->failures - 1], result.text, sizeof result.text);
    }
}

static struct run_child *wait_for_any (struct hunt *self, int *status)
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

/* What still runs is of no interest any more. */
static void stop_others (const struct hunt *self)
{
    for (unsigned i = 0; i < self->arguments->jobs; i++) {
        if (self->children[i].pid > 0) {
            (void) kill (self->children[i].pid, SIGKILL);
        }
    }
}

static void run_all (struct hunt *self)
{
    unsigned running = 0;
    while (running < self->arguments->jobs && begin_next (self, &self->children[running])) {
        running++;
    }
    while (running > 0) {
        int status;
        struct run_child *child = wait_for_any (self, &status);
        bool had = self->found;
        child->pid = 0;
        take_result (self, child, status);
        if (self->found && !had) {
            stop_others (self);
        }
        running -= !begin_next (self, child);
    }
}

/* ---- What came of it ------------------------------------------------------------------------- */

static void show_end (const struct hunt *self)
{
    uint64_t count = self->failures < EXAMPLES_MAX ? self->failures : EXAMPLES_MAX;
    if (self->found) {
        printf ("found: seed %" PRIu64 ", the %" PRIu64 ". world: %s\n", self->seed, self->worlds,
                self->text);
        arguments_tell_again (stdout, self->arguments, self->seed);
        return;
    }
    printf ("not found in %" PRIu64 " worlds; %" PRIu64 " failed otherwise", self->worlds,
            self->failures);
    if (self->arguments->mutation != NULL) {
        printf (", %" PRIu64 " had the mutation's place in their way", self->mutated);
    }
    printf ("\n");
    for (uint64_t i = 0; i < count; i++) {
        printf ("  otherwise: seed %" PRIu64 ": %s\n", self->others[i], self->examples[i]);
    }
}

int hunt_run (const struct arguments *arguments)
{
    struct hunt *self = calloc (1, sizeof *self);
    COHORT_ASSERT (self != NULL);
    int code = regcomp (&self->expected, arguments->expect, REG_EXTENDED | REG_NOSUB);
    if (code != 0) {
        char error[ERROR_SIZE];
        (void) regerror (code, &self->expected, error, sizeof error);
        fprintf (stderr, "cohort-sim: --expect %s: %s\n", arguments->expect, error);
        free (self);
        return EXIT_USAGE;
    }
    self->arguments = arguments;
    self->next = arguments->first;
    self->children = calloc (arguments->jobs, sizeof *self->children);
    COHORT_ASSERT (self->children != NULL);
    run_all (self);
    show_end (self);
    int status = self->found ? EXIT_SUCCESS : EXIT_FAILURE;
    regfree (&self->expected);
    free (self->children);
    free (self);
    return status;
}

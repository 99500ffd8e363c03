/* From a run that fails to a smaller one that fails likewise: see shrink.h. */

#include "tests/simulation/shrink.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/base/assert.h"
#include "tests/simulation/ddmin.h"
#include "tests/simulation/replay.h"
#include "tests/simulation/run.h"

enum { PATH_SIZE = 64, BISECTIONS = 8 };

struct shrink {
    struct sim_options options; /* of the smallest run so far that fails, */
    struct fault_list faults;   /* with these */
    struct run_result result;   /* and how */
    uint64_t tries, tries_max;
    bool terminal;
};

/* ---- Trying ---------------------------------------------------------------------------------- */

static void show_progress (const struct shrink *self)
{
    if (self->terminal) {
        printf ("\r%" PRIu64 " runs: %zu faults, %zu servers, %zu clients, %" PRId64 " ms   ",
                self->tries, self->faults.count, self->options.servers, self->options.clients,
                self->options.safety_ms);
        fflush (stdout);
    }
}

/* Runs these; if it fails as before, it becomes the smallest. */
static bool try (struct shrink *self, const struct sim_options *options,
                 const struct fault_list *faults)
{
    struct sim_options trial = *options;
    struct run_result result;
    if (self->tries >= self->tries_max) {
        return false;
    }
    self->tries++;
    trial.replay = faults;
    run_apart (&trial, &result, NULL, NULL);
    if (!result.failed || strcmp (result.kind, self->result.kind) != 0) {
        return false;
    }
    struct fault_list kept = {0};
    for (size_t i = 0; i < faults->count; i++) {
        fault_list_add (&kept, &faults->items[i]);
    }
    fault_list_deinit (&self->faults);
    self->faults = kept;
    self->options = *options;
    self->result = result;
    show_progress (self);
    return true;
}

/* ---- Less time, fewer of everything ---------------------------------------------------------- */

/* What happens behind the failure had no part in it. */
static bool cut_time (struct shrink *self, int64_t safety_ms)
{
    struct sim_options options = self->options;
    struct fault_list faults = {0};
    options.safety_ms = safety_ms;
    for (size_t i = 0; i < self->faults.count; i++) {
        if (self->faults.items[i].at_ms <= safety_ms) {
            fault_list_add (&faults, &self->faults.items[i]);
        }
    }
    bool failed =
        safety_ms > 0 && safety_ms < self->options.safety_ms && try (self, &options, &faults);
    fault_list_deinit (&faults);
    return failed;
}

static bool shorten (struct shrink *self)
{
    bool any = cut_time (self, self->result.at_ms);
    while (cut_time (self, self->options.safety_ms / 2)) {
        any = true;
    }
    /* Between half of it, which is not enough, and all of it, which is. */
    int64_t low = self->options.safety_ms / 2;
    for (int i = 0; i < BISECTIONS && self->options.safety_ms - low > 1; i++) {
        int64_t middle = low + (self->options.safety_ms - low) / 2;
        if (cut_time (self, middle)) {
            any = true;
        } else {
            low = middle;
        }
    }
    return any;
}

static bool leave_out_kinds (struct shrink *self)
{
    bool any = false;
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        struct fault_list faults = {0};
        for (size_t i = 0; i < self->faults.count; i++) {
            if (self->faults.items[i].kind != (enum fault_kind) kind) {
                fault_list_add (&faults, &self->faults.items[i]);
            }
        }
        if (faults.count < self->faults.count) {
            any |= try (self, &self->options, &faults);
        }
        fault_list_deinit (&faults);
    }
    return any;
}

static bool leave_out_clients (struct shrink *self)
{
    struct sim_options options = self->options;
    for (options.clients = 1; options.clients < self->options.clients; options.clients++) {
        if (try (self, &options, &self->faults)) {
            return true;
        }
    }
    return false;
}

static bool leave_out_servers (struct shrink *self)
{
    struct sim_options options = self->options;
    options.observers = 0;
    if (self->options.observers != 0 && try (self, &options, &self->faults)) {
        return true;
    }
    options = self->options;
    for (options.servers = 1; options.servers < self->options.servers; options.servers++) {
        if (try (self, &options, &self->faults)) {
            return true;
        }
    }
    return false;
}

static bool limit_requests (struct shrink *self, uint64_t requests)
{
    struct sim_options options = self->options;
    options.requests_max = requests;
    return requests < self->options.requests_max && try (self, &options, &self->faults);
}

static bool leave_out_requests (struct shrink *self)
{
    bool any = limit_requests (self, 0) || limit_requests (self, self->result.requests);
    if (self->options.requests_max == UINT64_MAX) {
        return any;
    }
    uint64_t low = 0;
    for (int i = 0; i < 2 * BISECTIONS && self->options.requests_max - low > 1; i++) {
        uint64_t middle = low + (self->options.requests_max - low) / 2;
        if (limit_requests (self, middle)) {
            any = true;
        } else {
            low = middle;
        }
    }
    return any;
}

/* ---- Single faults --------------------------------------------------------------------------- */

struct part {
    struct shrink *shrink;
    const struct fault_list *all;
};

static bool try_part (void *arg, const bool *kept, size_t count, bool *over)
{
    struct part *part = arg;
    struct fault_list faults = {0};
    for (size_t i = 0; i < count; i++) {
        if (kept[i]) {
            fault_list_add (&faults, &part->all->items[i]);
        }
    }
    bool failed = try (part->shrink, &part->shrink->options, &faults);
    fault_list_deinit (&faults);
    *over = part->shrink->tries >= part->shrink->tries_max;
    return failed;
}

static bool leave_out_faults (struct shrink *self)
{
    struct fault_list all = {0};
    for (size_t i = 0; i < self->faults.count; i++) {
        fault_list_add (&all, &self->faults.items[i]);
    }
    bool *kept = calloc (all.count + 1, sizeof *kept);
    COHORT_ASSERT (kept != NULL);
    struct part part = {self, &all};
    ddmin (kept, all.count, try_part, &part);
    bool any = self->faults.count < all.count;
    free (kept);
    fault_list_deinit (&all);
    return any;
}

/* ---- From beginning to end ------------------------------------------------------------------- */

/* The run as it was asked for, with its faults written down. */
static bool record (struct shrink *self, const struct arguments *arguments)
{
    self->options = arguments->options;
    self->options.seed = arguments->first;
    run_apart (&self->options, &self->result, NULL, &self->faults);
    if (!self->result.failed) {
        fprintf (stderr, "cohort-sim: seed %" PRIu64 " does not fail\n", self->options.seed);
        return false;
    }
    struct run_result first = self->result;
    if (!try (self, &self->options, &self->faults)) {
        fprintf (stderr,
                 "cohort-sim: seed %" PRIu64 " fails (%s), but not when its faults are replayed\n",
                 self->options.seed, first.text);
        return false;
    }
    return true;
}

static bool write_replay (const struct shrink *self, const char *path)
{
    FILE *file = fopen (path, "w");
    if (file == NULL) {
        fprintf (stderr, "cohort-sim: %s: %s\n", path, strerror (errno));
        return false;
    }
    replay_write (file, &self->options, &self->faults);
    if (fclose (file) != 0) {
        fprintf (stderr, "cohort-sim: %s: %s\n", path, strerror (errno));
        return false;
    }
    return true;
}

/* The end of the story, and what is left. */
static void show (const struct shrink *self, const char *path)
{
    struct sim_options options = self->options;
    struct run_result result;
    FILE *output;
    options.replay = &self->faults;
    options.kept = 2;
    run_apart (&options, &result, &output, NULL);
    run_show (output, stdout);
    replay_write (stdout, &self->options, &self->faults);
    printf ("In %" PRIu64 " runs; this one again: cohort-sim --replay %s -v -v\n", self->tries,
            path);
}

bool shrink_run (const struct arguments *arguments)
{
    struct shrink self = {.tries_max = arguments->tries, .terminal = isatty (STDOUT_FILENO)};
    char own_path[PATH_SIZE];
    (void) snprintf (own_path, sizeof own_path, "seed-%" PRIu64 ".replay", arguments->first);
    const char *path = arguments->record != NULL ? arguments->record : own_path;

    bool done = record (&self, arguments);
    if (done) {
        printf ("seed %" PRIu64 " fails at %" PRId64 " ms, with %zu faults: %s\n",
                self.options.seed, self.result.at_ms, self.faults.count, self.result.text);
        fflush (stdout);
        bool any = true;
        while (any && self.tries < self.tries_max) {
            any = shorten (&self);
            any |= leave_out_kinds (&self);
            any |= leave_out_faults (&self);
            any |= leave_out_servers (&self);
            any |= leave_out_clients (&self);
            any |= leave_out_requests (&self);
        }
        if (self.terminal) {
            printf ("\r%*s\r", 78, "");
        }
        done = write_replay (&self, path);
    }
    if (done) {
        show (&self, path);
    }
    fault_list_deinit (&self.faults);
    return done;
}

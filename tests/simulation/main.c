/* cohort-sim: whole clusters in one process, from one seed. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/arguments.h"
#include "tests/simulation/hunt.h"
#include "tests/simulation/replay.h"
#include "tests/simulation/run.h"
#include "tests/simulation/seeds.h"
#include "tests/simulation/shrink.h"

/* One run in this very process, for a story or a debugger. */
static int run_one (const struct arguments *arguments)
{
    struct sim_options options = arguments->options;
    struct run_result result;
    options.seed = arguments->first;
    run_here (&options, &result);
    puts (result.line);
    return EXIT_SUCCESS;
}

static void note_fault (void *arg, const struct sim_fault *fault)
{
    fault_list_add (arg, fault);
}

/* Likewise, and what goes wrong is written down. */
static int record_one (struct arguments *arguments)
{
    struct fault_list faults = {0};
    FILE *file = fopen (arguments->record, "w");
    if (file == NULL) {
        fprintf (stderr, "cohort-sim: --record %s: %s\n", arguments->record, strerror (errno));
        return EXIT_USAGE;
    }
    arguments->options.on_fault = note_fault;
    arguments->options.on_fault_arg = &faults;
    int status = run_one (arguments);
    arguments->options.seed = arguments->first;
    fault_list_sort_by_time (&faults);
    replay_write (file, &arguments->options, &faults);
    fault_list_deinit (&faults);
    if (fclose (file) != 0) {
        fprintf (stderr, "cohort-sim: --record %s: %s\n", arguments->record, strerror (errno));
        return EXIT_USAGE;
    }
    return status;
}

/* Likewise, and what clients see is written down, also if it does not hold. */
static int history_of_one (struct arguments *arguments)
{
    FILE *file = fopen (arguments->history, "w");
    if (file == NULL) {
        fprintf (stderr, "cohort-sim: --history %s: %s\n", arguments->history, strerror (errno));
        return EXIT_USAGE;
    }
    arguments->options.history = file;
    int status = run_one (arguments);
    if (fclose (file) != 0) {
        fprintf (stderr, "cohort-sim: --history %s: %s\n", arguments->history, strerror (errno));
        return EXIT_USAGE;
    }
    return status;
}

int main (int argc, char **argv)
{
    struct arguments arguments;
    int status;
    if (arguments_parse (&arguments, argc, argv, &status)) {
        if (arguments.expect != NULL) {
            status = hunt_run (&arguments);
        } else if (arguments.shrink) {
            status = shrink_run (&arguments) ? EXIT_SUCCESS : EXIT_FAILURE;
        } else if (arguments.history != NULL) {
            status = history_of_one (&arguments);
        } else if (arguments.record != NULL && !arguments.seeds) {
            status = record_one (&arguments);
        } else if (arguments.options.verbose > 0 && !arguments.seeds) {
            status = run_one (&arguments);
        } else {
            status = seeds_run (&arguments) ? EXIT_SUCCESS : EXIT_FAILURE;
        }
    }
    arguments_deinit (&arguments);
    return status;
}

/* cohort-sim: whole clusters in one process, from one seed. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/arguments.h"
#include "tests/simulation/hunt.h"
#include "tests/simulation/replay.h"
#include "tests/simulation/run.h"
#include "tests/simulation/seeds.h"
#include "tests/simulation/shrink.h"

/* How it ended, and how to have that again. */
static int tell_end (const struct arguments *arguments, const struct run_result *result)
{
    if (!result->failed) {
        puts (result->line);
        return EXIT_SUCCESS;
    }
    fprintf (stderr, "seed %" PRIu64 " failed: %s\n", arguments->first, result->text);
    arguments_tell_again (stderr, arguments, arguments->first);
    return EXIT_FAILURE;
}

/* With its story as it goes. A debugger has to follow the child. */
static int run_one (const struct arguments *arguments)
{
    struct sim_options options = arguments->options;
    struct run_result result;
    options.seed = arguments->first;
    run_aloud (&options, &result);
    return tell_end (arguments, &result);
}

/* Likewise, and what goes wrong is written down, also if something does not hold. */
static int record_one (const struct arguments *arguments)
{
    struct sim_options options = arguments->options;
    struct fault_list faults = {0};
    struct run_result result;
    FILE *output;
    FILE *file = fopen (arguments->record, "w");
    if (file == NULL) {
        fprintf (stderr, "cohort-sim: --record %s: %s\n", arguments->record, strerror (errno));
        return EXIT_USAGE;
    }
    options.seed = arguments->first;
    run_apart (&options, &result, &output, &faults);
    replay_write (file, &options, &faults);
    fault_list_deinit (&faults);
    run_show (output, result.failed ? stderr : stdout);
    if (fclose (file) != 0) {
        fprintf (stderr, "cohort-sim: --record %s: %s\n", arguments->record, strerror (errno));
        return EXIT_USAGE;
    }
    return tell_end (arguments, &result);
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

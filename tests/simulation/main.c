/* cohort-sim: whole clusters in one process, from one seed. */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/base/assert.h"
#include "tests/simulation/world.h"

enum { TICKS_DEFAULT = 30000, LIVENESS_MS = 60000, EXIT_USAGE = 2 };

static const char usage[] =
    "cohort-sim - runs clusters of production code in a simulated world\n"
    "\n"
    "usage: cohort-sim [--seed N | --seeds A..B] [OPTIONS]\n"
    "\n"
    "  --seed N       the world to run; default 1\n"
    "  --seeds A..B   run all of these\n"
    "  --ticks N      ms of simulated time in which things go wrong; default 30000\n"
    "  --servers N    1 to 7; default 3\n"
    "  --clients N    1 to 16; default 4\n"
    "  --verbose      tell the story\n"
    "  -h, --help     this text\n"
    "\n"
    "Crashes with loss of what was not synced, pauses, partitions, and loss, doubling and\n"
    "overtaking of frames between servers, at rates drawn from the seed.  Then everything is\n"
    "healed, and the ensemble must come to rest: each acknowledged write is there exactly once,\n"
    "all servers agree, no ephemeral outlives its session.  All the time each client's stream "
    "must\n"
    "tell every change once, in order, no session ends that its client counts on, and a sync sees\n"
    "what anybody was told before.  One line a seed, with a digest that is the same in every run "
    "of\n"
    "that seed.  Exit status: 0 all hold, 1 something does not.\n";

struct arguments {
    uint64_t first, last; /* seeds */
    uint64_t ticks, servers, clients;
    unsigned verbose;
};

static struct world *running;

/* An assertion in production code fails: which world was it? */
static void on_assert (const char *expression, const char *file, int line)
{
    if (running == NULL) {
        fprintf (stderr, "cohort-sim: %s:%d: assertion failed: %s\n", file, line, expression);
        exit (EXIT_FAILURE);
    }
    world_fail (running, "%s:%d: assertion failed: %s", file, line, expression);
}

static bool parse (const char *text, uint64_t min, uint64_t max, uint64_t *number, char **end)
{
    errno = 0;
    *number = strtoull (text, end, 10);
    return *end != text && errno == 0 && *number >= min && *number <= max;
}

static bool parse_option (struct arguments *arguments, int option, const char *text)
{
    char *end;
    switch (option) {
    case 's':
        arguments->last = 0;
        return parse (text, 0, UINT64_MAX - 1, &arguments->first, &end) && *end == '\0' &&
               ((arguments->last = arguments->first), true);
    case 'S':
        return parse (text, 0, UINT64_MAX - 1, &arguments->first, &end) &&
               strncmp (end, "..", 2) == 0 &&
               parse (end + 2, arguments->first, UINT64_MAX - 1, &arguments->last, &end) &&
               *end == '\0';
    case 't':
        return parse (text, 1, UINT64_C (1) << 40, &arguments->ticks, &end) && *end == '\0';
    case 'n':
        return parse (text, 1, SIM_SERVERS_MAX, &arguments->servers, &end) && *end == '\0';
    default:
        return parse (text, 1, SIM_CLIENTS_MAX, &arguments->clients, &end) && *end == '\0';
    }
}

static void run_seed (const struct arguments *arguments, uint64_t seed)
{
    struct sim_options options = {
        .seed = seed,
        .servers = arguments->servers,
        .clients = arguments->clients,
        .safety_ms = (int64_t) arguments->ticks,
        .liveness_ms = LIVENESS_MS,
        .requests_max = UINT64_MAX,
        .verbose = arguments->verbose,
        .kept = 1,
    };
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        options.rates[i] = SIM_RATE_DRAWN;
    }
    struct world *world = world_new (&options);
    running = world;
    phase_safety (world);
    phase_liveness (world);
    phase_reunion (world);
    check_end (world);
    printf ("seed %" PRIu64 " digest %016" PRIx64 " writes %" PRIu64 " reads %" PRIu64
            " sessions lost %" PRIu64 " faults %zu time %" PRId64 " ms\n",
            seed, world_digest (world), world->writes_acked, world->reads, world->sessions_lost,
            world->plan.happened.count, world->schedule.now_ms);
    fflush (stdout);
    world_free (world);
    running = NULL;
}

int main (int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},    {"seeds", required_argument, NULL, 'S'},
        {"ticks", required_argument, NULL, 't'},   {"servers", required_argument, NULL, 'n'},
        {"clients", required_argument, NULL, 'c'}, {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    struct arguments arguments = {
        .first = 1, .last = 1, .ticks = TICKS_DEFAULT, .servers = 3, .clients = 4};
    int option;

    while ((option = getopt_long (argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs (usage, stdout);
            return EXIT_SUCCESS;
        }
        if (option == 'v') {
            arguments.verbose++;
        } else if (option == '?' || !parse_option (&arguments, option, optarg)) {
            fprintf (stderr, "cohort-sim: %s\nTry 'cohort-sim --help'.\n",
                     option == '?' ? "see above" : "a number is malformed or out of range");
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf (stderr, "cohort-sim: unexpected argument %s\n", argv[optind]);
        return EXIT_USAGE;
    }
    assert_set_handler (on_assert);
    for (uint64_t seed = arguments.first; seed <= arguments.last; seed++) {
        run_seed (&arguments, seed);
    }
    return EXIT_SUCCESS;
}

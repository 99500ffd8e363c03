/* The command line of cohort-sim. */

#include "tests/simulation/arguments.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "commit.h"
#include "tests/simulation/hunt.h"
#include "tests/simulation/replay.h"

enum {
    TICKS_DEFAULT = 30000,
    LIVENESS_DEFAULT = 20000,
    TRIES_DEFAULT = 1000,
    JOBS_MAX = 256,
    RATE_MAX = 1000000000
};

static const char usage[] =
    "cohort-sim - runs clusters of production code in simulated worlds\n"
    "\n"
    "usage: cohort-sim [--seed N | --seeds A..B | --replay FILE] [OPTIONS]\n"
    "\n"
    "  --seed N       the world to run; default 1\n"
    "  --seeds A..B   run all of these, in processes of their own\n"
    "  --jobs N       so many at a time; default 1\n"
    "  --servers N    1 to 7; default 3\n"
    "  --observers N  so many besides, without a vote, 7 servers in all; default: by the seed\n"
    "  --clients N    1 to 16; default 4\n"
    "  --ticks N      ms of simulated time in which things go wrong; default 30000\n"
    "  --liveness N   ms of simulated time in which what is well must come to rest; default 20000\n"
    "  --requests N   of all clients, while things go wrong; default: no limit\n"
    "\n"
    "  --kinds        list the kinds of faults\n"
    "  --without KIND[,KIND...]   these do not happen\n"
    "  --only KIND[,KIND...]      nothing else happens\n"
    "  --rate KIND=N              so many in a million, or about every N ms; see --kinds\n"
    "\n"
    "  --expect ERE   end at the first seed that fails with such a text: status 0, if one does\n"
    "  --mutation NAME            switch on this bug (docs/testing.md; in a build that has them)\n"
    "  --forgive PATH[,PATH...]   go on behind failed assertions in these files (likewise)\n"
    "\n"
    "  --shrink       find a smaller run that fails like this one, and show it\n"
    "  --tries N      runs that this may take; default 1000\n"
    "  --record FILE  write the faults that happen; with --shrink, those that are left\n"
    "  --replay FILE  the run that is written there\n"
    "  --history FILE write what clients ask for and are told, for cohort-check-history\n"
    "\n"
    "  -v, --verbose  tell the story; twice: with messages\n"
    "  --version      the commit this was built from\n"
    "  -h, --help     this text\n"
    "\n"
    "First things go wrong, at rates drawn from the seed.  Then a quorum is healed and the others\n"
    "stay dead or cut off: it must take a write of every client and come to rest.  Then the "
    "others\n"
    "return.  All the time the invariants must hold.  One line a seed, with a digest that is the\n"
    "same in every run of that seed.  docs/testing.md says more.\n"
    "Exit status: 0 all hold, 1 something does not, 2 the command line is wrong.\n";

enum {
    OPTION_SEED = 256,
    OPTION_SEEDS,
    OPTION_JOBS,
    OPTION_SERVERS,
    OPTION_OBSERVERS,
    OPTION_CLIENTS,
    OPTION_TICKS,
    OPTION_LIVENESS,
    OPTION_REQUESTS,
    OPTION_KINDS,
    OPTION_WITHOUT,
    OPTION_ONLY,
    OPTION_RATE,
    OPTION_EXPECT,
    OPTION_MUTATION,
    OPTION_FORGIVE,
    OPTION_SHRINK,
    OPTION_TRIES,
    OPTION_RECORD,
    OPTION_REPLAY,
    OPTION_HISTORY,
    OPTION_VERSION
};

static const struct option long_options[] = {
    {"seed", required_argument, NULL, OPTION_SEED},
    {"seeds", required_argument, NULL, OPTION_SEEDS},
    {"jobs", required_argument, NULL, OPTION_JOBS},
    {"servers", required_argument, NULL, OPTION_SERVERS},
    {"observers", required_argument, NULL, OPTION_OBSERVERS},
    {"clients", required_argument, NULL, OPTION_CLIENTS},
    {"ticks", required_argument, NULL, OPTION_TICKS},
    {"liveness", required_argument, NULL, OPTION_LIVENESS},
    {"requests", required_argument, NULL, OPTION_REQUESTS},
    {"kinds", no_argument, NULL, OPTION_KINDS},
    {"without", required_argument, NULL, OPTION_WITHOUT},
    {"only", required_argument, NULL, OPTION_ONLY},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"expect", required_argument, NULL, OPTION_EXPECT},
    {"mutation", required_argument, NULL, OPTION_MUTATION},
    {"forgive", required_argument, NULL, OPTION_FORGIVE},
    {"shrink", no_argument, NULL, OPTION_SHRINK},
    {"tries", required_argument, NULL, OPTION_TRIES},
    {"record", required_argument, NULL, OPTION_RECORD},
    {"replay", required_argument, NULL, OPTION_REPLAY},
    {"history", required_argument, NULL, OPTION_HISTORY},
    {"verbose", no_argument, NULL, 'v'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* ---- Values ---------------------------------------------------------------------------------- */

static bool read_number (const char *text, uint64_t min, uint64_t max, uint64_t *number, char **end)
{
    errno = 0;
    *number = strtoull (text, end, 10);
    return *end != text && text[0] != '-' && errno == 0 && *number >= min && *number <= max;
}

static bool read_whole (const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
    char *end;
    return read_number (text, min, max, number, &end) && *end == '\0';
}

static bool read_ms (const char *text, int64_t *ms)
{
    uint64_t number;
    if (!read_whole (text, 1, SIM_MS_MAX, &number)) {
        return false;
    }
    *ms = (int64_t) number;
    return true;
}

static bool read_size (const char *text, size_t max, size_t *size)
{
    uint64_t number;
    if (!read_whole (text, 1, max, &number)) {
        return false;
    }
    *size = (size_t) number;
    return true;
}

static bool read_seeds (struct arguments *self, const char *text)
{
    char *end;
    self->seeds = true;
    return read_number (text, 0, UINT64_MAX - 1, &self->first, &end) &&
           strncmp (end, "..", 2) == 0 &&
           read_whole (end + 2, self->first, UINT64_MAX - 1, &self->last);
}

static bool read_seed (struct arguments *self, const char *text)
{
    self->seeds = false;
    return read_whole (text, 0, UINT64_MAX - 1, &self->first) && ((self->last = self->first), true);
}

/* Names with commas between them: their rates become what is given. */
static bool set_rates (uint64_t rates[FAULT_KINDS], const char *names, uint64_t rate)
{
    for (const char *name = names;; name++) {
        size_t size = strcspn (name, ",");
        enum fault_kind kind;
        if (!fault_find_kind (name, size, &kind)) {
            return false;
        }
        rates[kind] = rate;
        name += size;
        if (*name == '\0') {
            return true;
        }
    }
}

static bool only (uint64_t rates[FAULT_KINDS], const char *names)
{
    uint64_t named[FAULT_KINDS] = {0};
    if (!set_rates (named, names, 1)) {
        return false;
    }
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        rates[i] = named[i] != 0 ? rates[i] : 0;
    }
    return true;
}

static bool read_rate (uint64_t rates[FAULT_KINDS], const char *text)
{
    size_t size = strcspn (text, "=");
    enum fault_kind kind;
    return text[size] == '=' && fault_find_kind (text, size, &kind) &&
           read_whole (text + size + 1, 0, RATE_MAX, &rates[kind]);
}

/* ---- Options --------------------------------------------------------------------------------- */

static bool take_option (struct arguments *self, int option, const char *text)
{
    struct sim_options *options = &self->options;
    uint64_t number = 0;
    switch (option) {
    case OPTION_SEED:
        return read_seed (self, text);
    case OPTION_SEEDS:
        return read_seeds (self, text);
    case OPTION_JOBS:
        return read_whole (text, 1, JOBS_MAX, &number) && ((self->jobs = (unsigned) number), true);
    case OPTION_SERVERS:
        return read_size (text, SIM_SERVERS_MAX, &options->servers);
    case OPTION_OBSERVERS:
        return read_whole (text, 0, SIM_SERVERS_MAX - 1, &number) &&
               ((options->observers = (size_t) number), true);
    case OPTION_CLIENTS:
        return read_size (text, SIM_CLIENTS_MAX, &options->clients);
    case OPTION_TICKS:
        return read_ms (text, &options->safety_ms);
    case OPTION_LIVENESS:
        return read_ms (text, &options->liveness_ms);
    case OPTION_REQUESTS:
        return read_whole (text, 0, UINT64_MAX, &options->requests_max);
    case OPTION_WITHOUT:
        return set_rates (options->rates, text, 0);
    case OPTION_ONLY:
        return only (options->rates, text);
    case OPTION_RATE:
        return read_rate (options->rates, text);
    case OPTION_EXPECT:
        return (self->expect = text) != NULL;
    case OPTION_MUTATION:
        self->mutation = text;
        return hunt_mutate (text);
    case OPTION_FORGIVE:
        return hunt_forgive (text);
    case OPTION_SHRINK:
        return (self->shrink = true);
    case OPTION_TRIES:
        return read_whole (text, 1, UINT64_MAX, &self->tries);
    case OPTION_RECORD:
        return (self->record = text) != NULL;
    case OPTION_REPLAY:
        return (self->replay = text) != NULL;
    case OPTION_HISTORY:
        return (self->history = text) != NULL;
    default:
        COHORT_ASSERT (option == 'v');
        options->verbose++;
        return true;
    }
}

static void print_kinds (void)
{
    for (int i = 0; i < FAULT_KINDS; i++) {
        enum fault_kind kind = (enum fault_kind) i;
        printf ("%-18s %-14s %s\n", fault_name (kind),
                fault_is_planned (kind) ? "about every ms" : "in a million", fault_text (kind));
    }
}

static const char *option_name (int option)
{
    for (const struct option *at = long_options; at->name != NULL; at++) {
        if (at->val == option) {
            return at->name;
        }
    }
    return "?";
}

static bool load_replay (struct arguments *self)
{
    char error[REPLAY_ERROR_SIZE];
    FILE *file = fopen (self->replay, "r");
    if (file == NULL) {
        fprintf (stderr, "cohort-sim: --replay %s: %s\n", self->replay, strerror (errno));
        return false;
    }
    bool read = replay_read (file, &self->options, &self->faults, error);
    (void) fclose (file);
    if (!read) {
        fprintf (stderr, "cohort-sim: --replay %s: %s\n", self->replay, error);
        return false;
    }
    self->first = self->last = self->options.seed;
    self->options.replay = &self->faults;
    return true;
}

bool arguments_parse (struct arguments *self, int argc, char **argv, int *status)
{
    int option;
    *self = (struct arguments){
        .first = 1,
        .last = 1,
        .jobs = 1,
        .tries = TRIES_DEFAULT,
        .options = {.servers = 3,
                    .observers = SIM_OBSERVERS_DRAWN,
                    .clients = 4,
                    .safety_ms = TICKS_DEFAULT,
                    .liveness_ms = LIVENESS_DEFAULT,
                    .requests_max = UINT64_MAX,
                    .kept = 1},
    };
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        self->options.rates[i] = SIM_RATE_DRAWN;
    }
    *status = EXIT_USAGE;
    while ((option = getopt_long (argc, argv, "vh", long_options, NULL)) != -1) {
        if (option == 'h' || option == OPTION_KINDS || option == OPTION_VERSION) {
            *status = EXIT_SUCCESS;
            if (option == OPTION_KINDS) {
                print_kinds ();
            } else {
                fputs (option == 'h' ? usage : "cohort-sim of commit " COHORT_COMMIT "\n", stdout);
            }
            return false;
        }
        if (option == '?') {
            fprintf (stderr, "Try 'cohort-sim --help'.\n");
            return false;
        }
        if (!take_option (self, option, optarg)) {
            fprintf (stderr,
                     "cohort-sim: --%s %s: malformed or out of range\nTry 'cohort-sim --help'.\n",
                     option_name (option), optarg);
            return false;
        }
    }
    if (optind < argc) {
        fprintf (stderr, "cohort-sim: unexpected argument %s\n", argv[optind]);
        return false;
    }
    if ((self->shrink || self->history != NULL) && self->seeds) {
        fprintf (stderr, "cohort-sim: --%s takes one seed\n", self->shrink ? "shrink" : "history");
        return false;
    }
    return self->replay == NULL || load_replay (self);
}

void arguments_deinit (struct arguments *self)
{
    fault_list_deinit (&self->faults);
}

/* The command line of such a run. */
static void print_run (FILE *file, const struct arguments *self, uint64_t seed)
{
    const struct sim_options *options = &self->options;
    if (self->replay != NULL) {
        fprintf (file, "--replay %s", self->replay);
        return;
    }
    fprintf (file, "--seed %" PRIu64 " --servers %zu --clients %zu --ticks %" PRId64, seed,
             options->servers, options->clients, options->safety_ms);
    if (options->observers != SIM_OBSERVERS_DRAWN) {
        fprintf (file, " --observers %zu", options->observers);
    }
    if (options->liveness_ms != LIVENESS_DEFAULT) {
        fprintf (file, " --liveness %" PRId64, options->liveness_ms);
    }
    if (options->requests_max != UINT64_MAX) {
        fprintf (file, " --requests %" PRIu64, options->requests_max);
    }
    for (int i = 0; i < FAULT_KINDS; i++) {
        if (options->rates[i] != SIM_RATE_DRAWN) {
            fprintf (file, " --rate %s=%" PRIu64, fault_name ((enum fault_kind) i),
                     options->rates[i]);
        }
    }
    if (self->mutation != NULL) {
        fprintf (file, " --mutation %s", self->mutation);
    }
}

void arguments_tell_again (FILE *file, const struct arguments *self, uint64_t seed)
{
    fprintf (file, "  commit: " COHORT_COMMIT "\n  again:  cohort-sim ");
    print_run (file, self, seed);
    fprintf (file, " -v\n  smaller: cohort-sim ");
    print_run (file, self, seed);
    fprintf (file, " --shrink\n");
}

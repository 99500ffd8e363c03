/* cohort-soak: real servers, while things go wrong, for as long as one likes. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/cluster/soak.h"

enum { EXIT_USAGE = 2, CALM_EVERY_MS = 15000, PROGRESS_EVERY_MS = 10000 };
enum { PATIENCE = 3 }; /* times as long as asked for */

static const char usage[] =
    "tests/cluster/soak - real servers, while things go wrong; what clients were told is judged\n"
    "\n"
    "usage: tests/cluster/soak [options]\n"
    "\n"
    "  --minutes N        how long (1); or --seconds N\n"
    "  --seed S           of the schedule and of what clients ask for (the time)\n"
    "  --faults LIST      only these, separated by commas; --kinds lists them\n"
    "  --without LIST     all but these\n"
    "  --script NAME      a schedule by hand in place of a random one; --scripts lists them\n"
    "  --servers N        3 to 5 (3)\n"
    "  --observers N      so many of these have no vote (0)\n"
    "  --clients N        up to 16 (6)\n"
    "  --packets          a network of packets in namespaces of its own, in place of a proxy of\n"
    "                     connections: loss, reordering; takes root or user namespaces\n"
    "  --folder F         keeps everything in this new folder, also if all goes well\n"
    "  -v                 tells what happens\n"
    "\n"
    "A schedule of faults is drawn from the seed; every 15 s nothing is wrong until every client\n"
    "was served, and for some seconds more.  In the end everything that clients have asked for\n"
    "and were told, with the log as it is on the servers' disks, is a history, which is judged\n"
    "(docs/testing.md).  Threads and processes run as they like: the same seed gives the same\n"
    "schedule, not the same run.\n"
    "\n"
    "Exit status: 0 all holds; 1 something does not: the last lines say what, and where history,\n"
    "logs and data are kept; 2 a mistake on the command line; 77 --packets may not be done here,\n"
    "or the machine stood still in each calm, for three times as long: nobody knows whether\n"
    "clients were served in time, although the rest holds.\n";

static void __attribute__ ((noreturn)) mistake (const char *argument, const char *what)
{
    fprintf (stderr, "soak: %s: %s\nTry 'tests/cluster/soak --help'.\n", argument, what);
    exit (EXIT_USAGE);
}

static uint64_t number (const char *option, const char *text, uint64_t min, uint64_t max)
{
    char *end;
    errno = 0;
    unsigned long long value = text != NULL ? strtoull (text, &end, 10) : 0;
    if (text == NULL || errno != 0 || end == text || *end != '\0' || value < min || value > max) {
        char what[128];
        (void) snprintf (what, sizeof what,
                         "%s: a number from %" PRIu64 " to %" PRIu64 " is wanted",
                         text != NULL ? text : "nothing", min, max);
        mistake (option, what);
    }
    return value;
}

static size_t kind_named (const char *name, size_t size)
{
    for (size_t i = 0; i < soak_kinds_count; i++) {
        if (strlen (soak_kinds[i].name) == size && memcmp (soak_kinds[i].name, name, size) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static void set_kinds (struct soak_options *options, const char *option, const char *list,
                       bool listed)
{
    if (list == NULL) {
        mistake (option, "a list of kinds is wanted");
    }
    for (size_t i = 0; i < soak_kinds_count && listed; i++) {
        options->kinds[i] = false;
    }
    while (*list != '\0') {
        size_t size = strcspn (list, ",");
        size_t kind = kind_named (list, size);
        if (kind == SIZE_MAX) {
            mistake (list, "there is no such kind of fault; --kinds lists them");
        }
        options->kinds[kind] = listed;
        list += size + (list[size] == ',');
    }
}

static void list_kinds (void)
{
    for (size_t i = 0; i < soak_kinds_count; i++) {
        static const char *const needs[] = {"", " (not with --packets)", " (with --packets)"};
        printf ("%-18s %s%s\n", soak_kinds[i].name, soak_kinds[i].text,
                needs[soak_kinds[i].network]);
    }
    exit (EXIT_SUCCESS);
}

/* One option and its value; returns how many arguments that were. */
static int take (struct soak_options *options, char **argv)
{
    const char *option = argv[0], *value = argv[1];
    if (strcmp (option, "--help") == 0 || strcmp (option, "-h") == 0) {
        fputs (usage, stdout);
        exit (EXIT_SUCCESS);
    } else if (strcmp (option, "--kinds") == 0) {
        list_kinds ();
    } else if (strcmp (option, "-v") == 0) {
        options->verbose = true;
        return 1;
    } else if (strcmp (option, "--packets") == 0) {
        options->packets = true;
        return 1;
    } else if (strcmp (option, "--minutes") == 0) {
        options->limit_ms = (int64_t) number (option, value, 1, 100000) * 60000;
    } else if (strcmp (option, "--seconds") == 0) {
        options->limit_ms = (int64_t) number (option, value, 1, 6000000) * 1000;
    } else if (strcmp (option, "--seed") == 0) {
        options->seed = number (option, value, 0, UINT64_MAX);
    } else if (strcmp (option, "--servers") == 0) {
        options->servers = number (option, value, 3, ENSEMBLE_MAX);
    } else if (strcmp (option, "--observers") == 0) {
        options->observers = number (option, value, 0, ENSEMBLE_MAX - 1);
    } else if (strcmp (option, "--clients") == 0) {
        options->clients = number (option, value, 1, WORKERS_MAX);
    } else if (strcmp (option, "--faults") == 0) {
        set_kinds (options, option, value, true);
    } else if (strcmp (option, "--without") == 0) {
        set_kinds (options, option, value, false);
    } else if (strcmp (option, "--folder") == 0 && value != NULL) {
        options->folder = value;
    } else if (strcmp (option, "--script") == 0 && value != NULL) {
        if (!soak_choose_script (options, value)) {
            mistake (value, "there is no such script; --scripts lists them");
        }
    } else if (strcmp (option, "--scripts") == 0) {
        soak_list_scripts ();
        exit (EXIT_SUCCESS);
    } else if (strcmp (option, "--cohortd") == 0 && value != NULL) {
        options->cohortd = value;
    } else if (strcmp (option, "--checker") == 0 && value != NULL) {
        options->checker = value;
    } else if (strcmp (option, "--preload") == 0 && value != NULL) {
        options->preload = value;
    } else {
        mistake (option, "not an option, or its value is missing");
    }
    return 2;
}

static void parse (struct soak_options *options, int argc, char **argv)
{
    bool any = false;
    *options = (struct soak_options){
        .seed = (uint64_t) time (NULL), .limit_ms = 60000, .servers = 3, .clients = 6};
    for (size_t i = 0; i < soak_kinds_count; i++) {
        options->kinds[i] = !soak_kinds[i].fatal;
    }
    for (int i = 1; i < argc;) {
        i += take (options, argv + i);
    }
    enum soak_network other = options->packets ? SOAK_CONNECTIONS : SOAK_PACKETS;
    for (size_t i = 0; i < soak_kinds_count; i++) {
        options->kinds[i] &= soak_kinds[i].network != other;
        any |= options->kinds[i];
    }
    if (options->observers >= options->servers) {
        mistake ("--observers", "somebody must have a vote");
    }
    if (!any) {
        mistake ("--faults", "nothing is left that may go wrong");
    }
    if (options->cohortd == NULL || options->checker == NULL || options->preload == NULL) {
        mistake ("--cohortd, --checker, --preload", "tests/cluster/soak gives these");
    }
}

static uint64_t faults_so_far (const struct soak *self)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < soak_kinds_count; i++) {
        sum += self->happened[i];
    }
    return sum;
}

static void tell_progress (const struct soak *self)
{
    printf ("soak: %4" PRId64 " s, %" PRIu64 " faults, %" PRIu64 " events, zxid %#" PRIx64 "\n",
            soak_now_ms (self) / 1000, faults_so_far (self), recorder_events (self->recorder),
            recorder_zxid (self->recorder));
    (void) fflush (stdout);
}

/* There were calms, and the machine stood still in each of them. */
static bool all_unjudged (const struct soak *self)
{
    return self->calms > 0 && self->calms_judged == 0;
}

static bool waits_for_calm (const struct soak *self)
{
    return all_unjudged (self) && soak_now_ms (self) < PATIENCE * self->options.limit_ms;
}

static void run (struct soak *self)
{
    int64_t calm_ms = CALM_EVERY_MS, progress_ms = PROGRESS_EVERY_MS;
    int64_t end_ms = soak_now_ms (self) + self->options.limit_ms;
    while (soak_now_ms (self) < end_ms || waits_for_calm (self)) {
        soak_schedule (self);
        soak_turn (self, true);
        if (soak_now_ms (self) >= calm_ms) {
            soak_calm (self);
            calm_ms = soak_now_ms (self) + CALM_EVERY_MS;
        }
        if (soak_now_ms (self) >= progress_ms) {
            tell_progress (self);
            progress_ms += PROGRESS_EVERY_MS;
        }
    }
}

static void tell_end (struct soak *self)
{
    for (size_t i = 0; i < soak_kinds_count; i++) {
        if (self->happened[i] > 0) {
            printf ("%s %" PRIu64 "  ", soak_kinds[i].name, self->happened[i]);
        }
    }
    if (self->net != NULL) {
        struct packet_net_counts counts;
        packet_net_counts (self->net, &counts);
        printf ("\n%" PRIu64 " packets carried, %" PRIu64 " lost, %" PRIu64 " doubled, %" PRIu64
                " overtaken",
                counts.carried, counts.lost, counts.duplicated, counts.overtaken);
    } else {
        struct tcp_proxy_counts counts;
        tcp_proxy_counts (self->proxy, &counts);
        printf ("\n%" PRIu64 " connections, %" PRIu64 " reset, %" PRIu64 " bytes, %" PRIu64 " lost",
                counts.connections, counts.resets, counts.bytes, counts.bytes_lost);
    }
    printf ("\n%" PRIu64 " calms, %" PRIu64 " of them judged", self->calms, self->calms_judged);
    if (all_unjudged (self)) {
        printf ("\nsoak: WARNING: no calm was judged, as the machine stood still in each of them: "
                "whether "
                "anybody was served in time is not known");
    }
    printf ("\nsoak: all holds: seed %" PRIu64 ", %" PRId64 " s, %zu servers, %" PRIu64
            " faults, %" PRIu64 " events, log through %#" PRIx64 "\n",
            self->options.seed, soak_now_ms (self) / 1000, self->options.servers,
            faults_so_far (self), recorder_events (self->recorder), log_copy_zxid (&self->log));
}

int main (int argc, char **argv)
{
    static struct soak soak;
    struct soak_options options;
    parse (&options, argc, argv);
    printf ("soak: seed %" PRIu64 ", %" PRId64 " s, %zu servers, %zu clients\n", options.seed,
            options.limit_ms / 1000, options.servers, options.clients);
    (void) fflush (stdout);
    soak_init (&soak, &options);
    if (options.script != NULL) {
        soak_script (&soak, options.script);
    } else {
        run (&soak);
    }
    soak_finish (&soak);
    tell_end (&soak);
    int status = all_unjudged (&soak) ? SOAK_SKIPPED : EXIT_SUCCESS;
    soak_deinit (&soak);
    return status;
}

/* cohort-check-history: judges histories that were written to files. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/history/judge.h"
#include "tests/history/text.h"

enum { EXIT_USAGE = 2, ARENA_BLOCK = 64 << 10, ARENA_KEEP = 1 << 20 };

static const char usage[] =
    "cohort-check-history - judges what clients were told\n"
    "\n"
    "usage: cohort-check-history FILE...\n"
    "\n"
    "Each FILE is a history: one line an event, in the order in which they happened, as written\n"
    "by cohort-sim --history and by the tests of real clusters.  Checked are: writes, and reads\n"
    "behind a sync, for linearizability, by the order that the zxids give and without them; local\n"
    "reads for sequential consistency; every write for taking effect once; watches, streams,\n"
    "ephemerals.  `-` is the standard input.\n"
    "\n"
    "Exit status: 0 all hold, 1 something does not, 2 a file cannot be read.\n";

/* One line after the other; false: what is wrong was told. */
static bool judge_lines (struct judge *judge, const char *name, FILE *file, size_t *events)
{
    struct arena arena;
    struct objection objection;
    struct history_event event;
    char *line = NULL;
    size_t room = 0, number = 0;
    bool good = true;
    arena_init (&arena, ARENA_BLOCK, ARENA_KEEP);
    while (good && getline (&line, &room, file) >= 0) {
        number++;
        arena_reset (&arena);
        if (history_is_blank (line)) {
            continue;
        }
        if (!history_parse (line, &arena, &event, &objection)) {
            fprintf (stderr, "%s:%zu: cannot be read: %s\n", name, number, objection.text);
            exit (EXIT_USAGE);
        }
        ++*events;
        good = judge_see (judge, &event);
        if (!good) {
            fprintf (stderr, "%s:%zu: %s: %s\n", name, number, judge->broken,
                     judge->objection.text);
        }
    }
    if (ferror (file)) {
        fprintf (stderr, "cohort-check-history: %s: %s\n", name, strerror (errno));
        exit (EXIT_USAGE);
    }
    free (line);
    arena_deinit (&arena);
    return good;
}

static bool check_file (const char *name)
{
    FILE *file = strcmp (name, "-") == 0 ? stdin : fopen (name, "r");
    struct judge judge;
    size_t events = 0;
    if (file == NULL) {
        fprintf (stderr, "cohort-check-history: %s: %s\n", name, strerror (errno));
        exit (EXIT_USAGE);
    }
    judge_init (&judge);
    bool good = judge_lines (&judge, name, file, &events);
    if (good && !judge_finish (&judge)) {
        fprintf (stderr, "%s: %s: %s\n", name, judge.broken, judge.objection.text);
        good = false;
    }
    if (good) {
        printf ("%s: %zu events, %zu clients, log through %#llx; %zu operations on %zu znodes "
                "searched, %zu znodes left out, %zu given up\n",
                name, events, map_count (&judge.facts.clients),
                (unsigned long long) judge.facts.model.zxid, judge.search.operations,
                judge.search.searched, judge.search.left_out, judge.search.given_up);
    }
    judge_deinit (&judge);
    if (file != stdin) {
        (void) fclose (file);
    }
    return good;
}

int main (int argc, char **argv)
{
    bool good = true;
    if (argc == 2 && (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0)) {
        fputs (usage, stdout);
        return EXIT_SUCCESS;
    }
    if (argc < 2 || (argv[1][0] == '-' && argv[1][1] != '\0')) {
        fprintf (stderr, "cohort-check-history: a file is wanted\nTry 'cohort-check-history "
                         "--help'.\n");
        return EXIT_USAGE;
    }
    for (int i = 1; i < argc; i++) {
        good &= check_file (argv[i]);
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

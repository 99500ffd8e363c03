/* server/inspect/command.c - cohortd inspect and cohortd repair: the command line */
#include "server/inspect/command.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/progress.h"
#include "cohort/error.h"
#include "server/inspect/overlay.h"
#include "server/inspect/print.h"
#include "server/inspect/repair.h"

enum { STATUS_SOUND = 0, STATUS_DAMAGE = 1, STATUS_USAGE = 2, SOURCES_MAX = 16 };

static const char inspect_usage[] =
    "Usage: cohortd inspect DIR [-o text|json] [--records [--from ZXID] [--to ZXID]]\n"
    "\n"
    "Shows what is in a server's data folder, verifies all of it, and says what a server would do\n"
    "with it. Nothing is written; the server must be stopped.\n"
    "\n"
    "Options:\n"
    "  -o, --output FORMAT   text (default) or json: one object; see docs/storage.md for its keys\n"
    "      --records         each record of the log: offset, zxid, kind, bytes, the commit index\n"
    "                        and the durable watermark that it carries, and what it asks for\n"
    "      --from ZXID       of the records, those from ZXID on: 4.17 or 0x40000000011\n"
    "      --to ZXID         of the records, those up to ZXID\n"
    "      --checksums-only  verify snapshots without loading them into memory\n"
    "  -h, --help            this text\n"
    "\n"
    "Exit status: 0 sound, 1 damage found, 2 usage, or the folder cannot be looked at.\n"
    "A torn tail, which a crash leaves, and left-over files are no damage: a start sees to them.\n"
    "\n"
    "Example: cohortd inspect /var/lib/cohort -o json | jq .first_damage\n";

static const char repair_usage[] =
    "Usage: cohortd repair DIR [--from DIR]... [DECISION] [--apply]\n"
    "\n"
    "Repairs a server's data folder as far as nothing is given up by that: says what it would do,\n"
    "and does it with --apply. What is not used any more is kept as damaged.N.NAME. The server "
    "must\n"
    "be stopped.\n"
    "\n"
    "Options:\n"
    "      --apply           do it\n"
    "      --from DIR        the data folder, or a copy, of another server of the ensemble "
    "(stopped\n"
    "                        as well): entries that are lost here are brought back from there, if\n"
    "                        their hashes prove that they are the same. May be repeated\n"
    "  -h, --help            this text\n"
    "\n"
    "Decisions, for when too few servers are left to heal each other. Acknowledged writes that\n"
    "cannot be read any more are lost by them:\n"
    "      --give-up-unreadable-writes\n"
    "                        on every damaged voter, before any is started: all voters decide\n"
    "                        together, once all of them run; the most recent log that one of them\n"
    "                        can read counts. Lost is only what none of them can read\n"
    "      --discard-acknowledged-writes-after ZXID\n"
    "                        this server counts at once with its log up to ZXID, where it must\n"
    "                        end. Lost is what was acknowledged after that, unless the servers\n"
    "                        that it elects a leader with have it. For the only voter there is\n"
    "      --make-up-lost-metadata\n"
    "                        both copies of the metadata are lost, and with them what this server\n"
    "                        has promised: it is the one that its files name, promises nothing "
    "that\n"
    "                        it could have promised before, and has no vote until it is healed.\n"
    "                        Where nobody can heal it, the decisions above come next\n"
    "\n"
    "Exit status: 0 nothing (more) to repair, 1 something is left to do, 2 usage, or the folder\n"
    "cannot be looked at.\n"
    "\n"
    "Example: cohortd repair /var/lib/cohort --from /mnt/server2 --apply\n";

struct arguments {
    const char *folder;
    bool json, records, checksums_only, apply;
    zxid_t from, to;
    size_t sources_count;
    const char *sources[SOURCES_MAX];
    enum repair_decision decision;
    zxid_t discard_after;
};

bool inspect_is_command (const char *word)
{
    return strcmp (word, "inspect") == 0 || strcmp (word, "repair") == 0;
}

static int refuse (const char *command, const char *what, const char *value)
{
    (void) fprintf (stderr, "cohortd %s: %s%s%s\nTry 'cohortd %s --help'.\n", command, what,
                    *value ? ": " : "", value, command);
    return STATUS_USAGE;
}

static int complain (const char *folder, const char *text)
{
    (void) fprintf (stderr, "cohortd: %s: %s\n", folder, text);
    return STATUS_USAGE;
}

/* ---- The command line -------------------------------------------------------------------- */

enum { RECORDS = 256, FROM, TO, CHECKSUMS_ONLY, APPLY, SOURCE, GIVE_UP, DISCARD, MAKE_UP };

static const struct option inspect_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"records", no_argument, NULL, RECORDS},
    {"from", required_argument, NULL, FROM},
    {"to", required_argument, NULL, TO},
    {"checksums-only", no_argument, NULL, CHECKSUMS_ONLY},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const struct option repair_options[] = {
    {"apply", no_argument, NULL, APPLY},
    {"from", required_argument, NULL, SOURCE},
    {"give-up-unreadable-writes", no_argument, NULL, GIVE_UP},
    {"discard-acknowledged-writes-after", required_argument, NULL, DISCARD},
    {"make-up-lost-metadata", no_argument, NULL, MAKE_UP},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int take_zxid (const char *command, const char *text, zxid_t *zxid)
{
    return inspect_parse_zxid (text, zxid)
               ? -1
               : refuse (command, "not a zxid, such as 4.17 or 0x40000000011", text);
}

static int take_decision (struct arguments *arguments, enum repair_decision decision,
                          const char *text)
{
    if (arguments->decision != REPAIR_KEEP) {
        return refuse ("repair", "one decision at a time", "");
    }
    arguments->decision = decision;
    return text == NULL ? -1 : take_zxid ("repair", text, &arguments->discard_after);
}

/* -1: go on; else the exit status. */
static int take_option (const char *command, int option, struct arguments *arguments)
{
    switch (option) {
    case 'o':
        arguments->json = strcmp (optarg, "json") == 0;
        return arguments->json || strcmp (optarg, "text") == 0
                   ? -1
                   : refuse (command, "--output is text or json, not", optarg);
    case RECORDS:
        arguments->records = true;
        return -1;
    case FROM:
        return take_zxid (command, optarg, &arguments->from);
    case TO:
        return take_zxid (command, optarg, &arguments->to);
    case CHECKSUMS_ONLY:
        arguments->checksums_only = true;
        return -1;
    case APPLY:
        arguments->apply = true;
        return -1;
    case SOURCE:
        if (arguments->sources_count == SOURCES_MAX) {
            return refuse (command, "too many folders", optarg);
        }
        arguments->sources[arguments->sources_count++] = optarg;
        return -1;
    case GIVE_UP:
        return take_decision (arguments, REPAIR_GIVE_UP, NULL);
    case DISCARD:
        return take_decision (arguments, REPAIR_DISCARD, optarg);
    case MAKE_UP:
        return take_decision (arguments, REPAIR_MAKE_UP, NULL);
    default:
        return refuse (command, "see above", "");
    }
}

static int parse (int argc, char **argv, struct arguments *arguments)
{
    const char *command = argv[0];
    bool repairs = strcmp (command, "repair") == 0;
    int option;
    optind = 0; /* begins anew, for main has used it */
    while ((option = getopt_long (argc, argv, repairs ? "h" : "ho:",
                                  repairs ? repair_options : inspect_options, NULL)) != -1) {
        if (option == 'h') {
            (void) fputs (repairs ? repair_usage : inspect_usage, stdout);
            return STATUS_SOUND;
        }
        int status = take_option (command, option, arguments);
        if (status >= 0) {
            return status;
        }
    }
    if (argc - optind != 1) {
        return refuse (command, "give one data folder", "");
    }
    arguments->folder = argv[optind];
    if (!arguments->records && (arguments->from != 0 || arguments->to != 0)) {
        return refuse (command, "--from and --to go with --records", "");
    }
    return -1;
}

/* ---- Folders ----------------------------------------------------------------------------- */

/* To be read, and locked against servers meanwhile. NULL: refused. */
static struct disk *open_folder (const char *folder)
{
    struct disk *disk;
    int rc = posix_disk_read (folder, &disk);
    if (rc != 0) {
        (void) complain (folder, strerror (-rc));
        return NULL;
    }
    rc = disk->ops->lock (disk);
    if (rc != 0) {
        (void) complain (folder, rc == -EBUSY ? "the file `lock` in it is held by a running "
                                                "process: stop the server first"
                                              : strerror (-rc));
        disk->ops->destroy (disk);
        return NULL;
    }
    return disk;
}

static void show_progress (void *arg, const char *file, uint64_t done, uint64_t total)
{
    struct progress *progress = arg;
    progress->title = file;
    progress->total = total >> 20;
    progress_show (progress, done >> 20);
}

/* 0, or the exit status; the report is to be deinitialized if 0. */
static int look (const struct arguments *arguments, struct disk *disk,
                 struct inspect_report *report)
{
    struct fault fault;
    struct progress progress;
    progress_init (&progress, "", 0);
    struct inspect_options options = {.disk = disk,
                                      .checksums_only = arguments->checksums_only,
                                      .progress = show_progress,
                                      .progress_arg = &progress};
    int rc = inspect_run (&options, report, &fault);
    progress_end (&progress);
    if (rc == 0 && report->meta == NULL && report->segments_count == 0 &&
        report->snapshots_count == 0 && report->findings_count == 0) {
        rc = fault_set (&fault, COHORT_ENONODE, "no data folder: no file of a store is here");
    }
    if (rc != 0) {
        inspect_deinit (report);
        return complain (arguments->folder, fault.text);
    }
    return 0;
}

/* ---- Inspect ----------------------------------------------------------------------------- */

static int run_inspect (const struct arguments *arguments)
{
    static struct inspect_report report;
    struct fault fault;
    struct disk *disk = open_folder (arguments->folder);
    if (disk == NULL) {
        return STATUS_USAGE;
    }
    int status = look (arguments, disk, &report);
    if (status == 0) {
        struct print_options options = {.folder = arguments->folder,
                                        .disk = disk,
                                        .records = arguments->records,
                                        .from = arguments->from,
                                        .to = arguments->to};
        int rc = (arguments->json ? print_json : print_text) (stdout, &options, &report, &fault);
        status = rc != 0                     ? complain (arguments->folder, fault.text)
                 : report.damages_count == 0 ? STATUS_SOUND
                                             : STATUS_DAMAGE;
        if (fflush (stdout) != 0 || ferror (stdout)) {
            status = complain (arguments->folder, "standard output cannot be written");
        }
        inspect_deinit (&report);
    }
    disk->ops->destroy (disk);
    return status;
}

/* ---- Repair ------------------------------------------------------------------------------ */

static void print_findings (const struct inspect_report *report)
{
    char zxid[PRINT_TEXT_SIZE];
    for (size_t i = 0; i < report->findings_count; i++) {
        const struct inspect_finding *finding = &report->findings[i];
        (void) printf ("found    %s: %s", finding->file, finding->what);
        if (finding->offset > 0) {
            (void) printf (", at offset %" PRIu64, finding->offset);
        }
        if (finding->has_zxid) {
            (void) printf (", after zxid %s", print_zxid (finding->zxid, zxid));
        }
        (void) printf ("\n");
    }
}

static void print_lost (const struct repair_result *result)
{
    char last[PRINT_TEXT_SIZE];
    if (result->lost > 0) {
        (void) printf ("lost     at least %" PRIu64 " entries behind that, up to %s, of which "
                       "something can still be seen\n",
                       result->lost, print_zxid (result->lost_last, last));
    }
}

static void print_trust (const struct repair_result *result, const struct inspect_report *report)
{
    char last[PRINT_TEXT_SIZE];
    (void) printf ("log      up to zxid %s, ", print_zxid (result->last, last));
    if (result->trust == ZAB_WHOLE) {
        (void) printf ("whole: it counts\n");
    } else if (result->trust == ZAB_DAMAGED) {
        (void) printf ("damaged: no vote until %s\n",
                       report->healable ? "a leader has given back what is lost"
                                        : "it is decided to go on without what is lost");
    } else if (zxid_epoch (result->suspect) == ZXID_EPOCH_MAX) {
        (void) printf ("suspect: counts when all voters are there and agree on what is left\n");
    } else {
        char suspect[PRINT_TEXT_SIZE];
        (void) printf ("suspect up to %s: counts as far as others confirm it\n",
                       print_zxid (result->suspect, suspect));
    }
}

static void print_result (const struct repair_result *result, const struct inspect_report *report)
{
    if (result->aside[0] != '\0') {
        (void) printf ("store    %s\n", result->aside);
    }
    if (result->salvaged > 0) {
        (void) printf ("found    %" PRIu64 " entries elsewhere, and brought back\n",
                       result->salvaged);
    }
    print_trust (result, report);
    if (result->trust != ZAB_WHOLE || zxid_epoch (result->lost_last) != 0) {
        print_lost (result);
    }
}

/* On a disk in memory over the folder. */
static void rehearse (struct disk *disk, const struct repair_options *options,
                      struct repair_result *result)
{
    struct disk *overlay;
    int rc = overlay_new (disk, &overlay);
    if (rc == 0) {
        repair_folder (overlay, options, result);
        return;
    }
    *result = (struct repair_result){.code = COHORT_ESYSTEM};
    (void) snprintf (result->text, sizeof result->text, "%s", strerror (-rc));
}

/* What could be decided, if what can be done without a decision does not do. */
static void print_decisions (const struct arguments *arguments, struct disk *disk,
                             const struct repair_options *options)
{
    const struct inspect_report *report = options->report;
    struct repair_options what_if = *options;
    struct repair_result result;
    char last[PRINT_TEXT_SIZE];
    what_if.decision = REPAIR_DISCARD;
    what_if.discard_after = 0;
    if (report->outcome.code == COHORT_ECONFIG) {
        return; /* it is no damage that a decision could mend */
    }
    if (report->meta == NULL) {
        (void) printf ("\nIf a majority of the ensemble's other servers is whole, no repair is "
                       "needed: start this one. It keeps\nits files as damaged.*, joins as an "
                       "emptied server, and gets everything from the others. Otherwise, with\nall "
                       "servers stopped and copies of their folders made:\n"
                       "  cohortd repair %s --make-up-lost-metadata --apply\n"
                       "  cohortd repair %s\n"
                       "The second says what can be decided then. With a backup instead: cohort "
                       "snapshot restore.\n",
                       arguments->folder, arguments->folder);
        return;
    }
    rehearse (disk, &what_if, &result);
    if (result.code != 0) {
        return;
    }
    if (report->healable) {
        (void) printf ("\nA majority of whole servers heals it: start it. If there is none, and "
                       "every voter can still be\nstarted, on each damaged one:\n"
                       "  cohortd repair %s --give-up-unreadable-writes --apply\n"
                       "If voters are gone for good, docs/storage.md says which server to choose "
                       "for\n",
                       arguments->folder);
    } else {
        (void) printf ("\nNobody can give back what is lost. To go on with what is left:\n");
    }
    (void) printf ("  cohortd repair %s --discard-acknowledged-writes-after %s --apply\n",
                   arguments->folder, result.last == 0 ? "0x0" : print_zxid (result.last, last));
    print_lost (&result);
}

static int apply (const struct arguments *arguments, const struct repair_options *options,
                  struct repair_result *result)
{
    struct disk *disk;
    int rc = posix_disk_new (arguments->folder, &disk);
    if (rc != 0) {
        return complain (arguments->folder, strerror (-rc));
    }
    repair_folder (disk, options, result);
    if (result->code != 0) {
        return complain (arguments->folder, result->text);
    }
    print_result (result, options->report);
    (void) printf ("\nDone. What is not used any more is kept as damaged.*: remove it when you "
                   "do not need it.\n");
    return STATUS_SOUND;
}

/* The folder's lock for reading ends with the disk: what is then done takes it for itself. */
static int repair (const struct arguments *arguments, struct disk **disk,
                   const struct repair_options *options)
{
    static struct repair_result result;
    print_findings (options->report);
    if (!repair_is_needed (options->report)) {
        (void) printf ("Nothing to repair.\n");
        return STATUS_SOUND;
    }
    rehearse (*disk, options, &result);
    if (result.code != 0) {
        (void) printf ("refused  %s\n", result.text);
        print_decisions (arguments, *disk, options);
        return STATUS_DAMAGE;
    }
    if (!arguments->apply) {
        print_result (&result, options->report);
        (void) printf ("\nNothing was changed. With --apply this is done.\n");
        if (result.trust != ZAB_WHOLE && options->decision == REPAIR_KEEP) {
            print_decisions (arguments, *disk, options);
        }
        return STATUS_DAMAGE;
    }
    (*disk)->ops->destroy (*disk);
    *disk = NULL;
    return apply (arguments, options, &result);
}

static int run_repair (const struct arguments *arguments)
{
    static struct inspect_report report;
    struct disk *sources[SOURCES_MAX];
    struct repair_options options = {.report = &report,
                                     .sources = sources,
                                     .decision = arguments->decision,
                                     .discard_after = arguments->discard_after};
    struct disk *disk = open_folder (arguments->folder);
    int status = disk != NULL ? look (arguments, disk, &report) : STATUS_USAGE;
    bool looked = status == 0;
    while (status == 0 && options.sources_count < arguments->sources_count) {
        struct disk *source = open_folder (arguments->sources[options.sources_count]);
        if (source == NULL) {
            status = STATUS_USAGE;
        } else {
            sources[options.sources_count++] = source;
        }
    }
    if (status == 0) {
        status = repair (arguments, &disk, &options);
    }
    while (options.sources_count > 0) {
        struct disk *source = sources[--options.sources_count];
        source->ops->destroy (source);
    }
    if (looked) {
        inspect_deinit (&report);
    }
    if (disk != NULL) {
        disk->ops->destroy (disk);
    }
    return status;
}

int inspect_command (int argc, char **argv)
{
    struct arguments arguments = {.folder = NULL};
    int status = parse (argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    return strcmp (argv[0], "repair") == 0 ? run_repair (&arguments) : run_inspect (&arguments);
}

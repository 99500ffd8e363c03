/*
 * server/main.c - cohortd: the server as a process
 *
 * The main thread reads the configuration, starts a server (cohort/server.h) and waits for a
 * signal or for the server's end.  SIGTERM and SIGINT are a thread's of their own, which sees to it
 * that the process ends, whatever the others wait for.
 */
#include <czmq.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cohort/server.h"
#include "cohort/version.h"
#include "server/config_file.h"
#include "server/dev.h"
#include "server/inspect/command.h"
#include "server/stderr_log.h"

/* What ended the process; the names and numbers stand in the help text and the man page. */
enum { EXIT_USAGE = 2, EXIT_DISK_FULL = 3, EXIT_DISK_FAILED = 4, EXIT_DAMAGED = 5 };

enum { ENDPOINT_SIZE = 160, READY_LIMIT_MS = 10000 };

/* From a signal on: when the process ends as if killed, and when a second signal is taken for one.
 * Some send the first twice (timeout, and a terminal besides it).  The help text and the man page
 * have both numbers. */
enum { STOP_LIMIT_MS = 10000, STOP_AGAIN_MS = 1000, STOP_LOOK_MS = 100 };

static const char usage[] =
    "cohortd - a Cohort server\n"
    "\n"
    "usage: cohortd --config FILE    run a server of an ensemble, or one alone\n"
    "       cohortd dev [OPTIONS]    run a server in memory for trying things out\n"
    "       cohortd keygen FILE      make a CURVE certificate: FILE and FILE_secret\n"
    "       cohortd inspect DIR      show and verify a data folder (see inspect --help)\n"
    "       cohortd repair DIR       repair a damaged one (see repair --help)\n"
    "\n"
    "options\n"
    "  -c, --config FILE     configuration, in ZooKeeper's zoo.cfg syntax\n"
    "      --check           read the configuration, say what is wrong with it, and end\n"
    "      --log-level L     error, warning, info (default) or debug\n"
    "  -h, --help            this text\n"
    "      --version         the version\n"
    "\n"
    "options of dev\n"
    "      --clients LIST    endpoints for clients; default tcp://127.0.0.1:5181; port 0: any\n"
    "      --nodes N         an ensemble of N servers in this process, up to 7; in memory.  LIST\n"
    "                        is one endpoint for each, or the first, whose ports follow\n"
    "      --data DIR        keep data in DIR; default: in memory\n"
    "      --admin SCHEME:ID who is administrator, as admin= below; may be repeated\n"
    "      --insecure        serve other machines, without keys\n"
    "\n"
    "keys of the configuration\n"
    "  dataDir=DIR           where log and snapshots are kept; DIR/myid holds the server's id\n"
    "  clients=LIST          endpoints for clients: tcp://HOST:PORT or ipc://PATH, with commas\n"
    "  server.N=HOST:PORT    the servers of the ensemble, this one too (:observer: no vote)\n"
    "  clients.N=ENDPOINT    where clients reach server N: shown by `cohort status`\n"
    "  id=N                  this server's id, in place of DIR/myid\n"
    "  peerTimeout=MS        for which writes may stand still because a server is silent; its\n"
    "                        followers give a silent leader up after nine tenths; default 500\n"
    "  minSessionTimeout=MS, maxSessionTimeout=MS\n"
    "                        what clients may ask for; taken at the ensemble's first start\n"
    "  dataSizeMax=BYTES     of a znode's data, default 1048576; taken at the first start\n"
    "  pathSizeMax=BYTES     of a path, 256 to 4096 (the default); likewise\n"
    "  writeWindow=N         writes in flight a session, default 1024; likewise\n"
    "  historyBytes=BYTES    of changes in memory, from which streams catch up; default 16777216\n"
    "  snapshotBytes=BYTES   of log after which a snapshot is written; default 67108864,\n"
    "                        less on a small disk\n"
    "  snapshotCompression=L zstd's level for them, 1 (the default) to 9; 0: none\n"
    "  certificate=FILE      CURVE keys for the clients' endpoints (see keygen)\n"
    "  admin=SCHEME:ID       of an ensemble that has none: who passes every check of\n"
    "                        permissions; digest:USER:HASH, curve:KEY or ip:ADDRESS/BITS; may\n"
    "                        be repeated\n"
    "  replaceAdmins=yes     those of admin= take the place of the ensemble's, whoever they are,\n"
    "                        when this server leads first: if all passwords and keys are lost.\n"
    "                        Take it out again when it has worked\n"
    "  insecure=yes          serve other machines without keys\n"
    "  logLevel=L            as --log-level\n"
    "  and those of zoo.cfg: taken, with a notice where they mean nothing here\n"
    "\n"
    "Each event is one line on stderr: time, level, name, details.  Signals: SIGTERM and SIGINT\n"
    "hand over leadership and stop.  What is not over after 10 s, or when a second one comes a\n"
    "second later or more, ends as if killed (a disk that does not answer): nothing that was\n"
    "acknowledged is lost by that.\n"
    "\n"
    "exit status\n"
    "  0  stopped by a signal\n"
    "  1  another failure than these, an end as if killed among them; the last line says which\n"
    "  2  the command line\n"
    "  3  no space to start with; a server that runs goes on without, and waits for it\n"
    "  4  the disk failed: a write, fsync or rename; nobody knows what it holds.  Look at the\n"
    "     disk, then start again: the server checks what is there, and the others bring the rest\n"
    "  5  data, or the state in memory, is damaged, or contradicts that of the other servers\n";

/* ---- The end ------------------------------------------------------------------------------ */

static int fail (const char *text)
{
    (void) fprintf (stderr, "cohortd: %s\n", text);
    return EXIT_FAILURE;
}

/* The exit status of a server that could not start, or has ended by itself. */
static int exit_status_of (int code)
{
    switch (code) {
    case COHORT_EDISKFULL:
        return EXIT_DISK_FULL;
    case COHORT_ESYSTEM:
        return EXIT_DISK_FAILED;
    case COHORT_ECORRUPT:
        return EXIT_DAMAGED;
    default:
        return EXIT_FAILURE;
    }
}

/* Says why a server ends, and what to do if its disk is the reason. */
static int fail_server (const cohort_server_options_t *options, int code, const char *text)
{
    int status = exit_status_of (code);
    if (status == EXIT_DISK_FAILED) {
        (void) fprintf (
            stderr,
            "cohortd: %s: %s: look at the disk and at the kernel's messages, then start "
            "this server again\n",
            options->data_dir ? options->data_dir : "memory", text);
        return status;
    }
    (void) fail (text);
    return status;
}

static int fail_usage (const char *what, const char *value)
{
    (void) fprintf (stderr, "cohortd: %s%s%s\nTry 'cohortd --help'.\n", what, *value ? ": " : "",
                    value);
    return EXIT_USAGE;
}

/* ---- Running ----------------------------------------------------------------------------- */

/* What the thread of the signals works with; one for the process. */
static struct {
    sigset_t set;
    int asked; /* eventfd: the first one has come */
} signals;

/* Until another signal comes that is meant (true), or the limit is over.  Time in which this
 * process did not run does not count: so looks are counted. */
static bool wait_for_another (void)
{
    const struct timespec look = {.tv_nsec = STOP_LOOK_MS * 1000000L};
    bool came = false;
    for (int ms = 0; ms < STOP_LIMIT_MS && !came; ms += STOP_LOOK_MS) {
        if (ms < STOP_AGAIN_MS) {
            (void) poll (NULL, 0, STOP_LOOK_MS); /* what comes meanwhile waits, as one */
        } else {
            came = sigtimedwait (&signals.set, NULL, &look) > 0 && ms > STOP_AGAIN_MS;
        }
    }
    return came;
}

/* The first signal asks for the end.  Whoever sees to that may wait for a sync that never comes
 * back: then this thread ends the process.  Whatever was acknowledged is durable without any more.
 */
static void *await_signals (void *arg)
{
    int number;
    uint64_t one = 1;
    (void) arg;
    (void) sigwait (&signals.set, &number);
    ssize_t written = write (signals.asked, &one, sizeof one);
    bool again = written != (ssize_t) sizeof one || wait_for_another ();
    char text[128];
    (void) snprintf (text, sizeof text, "reason=\"%s, and something does not answer\"",
                     again ? "a second signal" : "10 s are over");
    log_to_stderr (COHORT_LOG_ERROR, "ended-as-if-killed", text, NULL);
    _exit (EXIT_FAILURE);
}

/* Before any thread is made, so that all of them leave these signals to that one.  A descriptor
 * that is readable when the process is to end; -1: there is none. */
static int signals_open (void)
{
    pthread_t thread;
    (void) sigemptyset (&signals.set);
    (void) sigaddset (&signals.set, SIGTERM);
    (void) sigaddset (&signals.set, SIGINT);
    /* A file that may not grow (ulimit -f) is a failed write, which is told, and no death. */
    (void) signal (SIGXFSZ, SIG_IGN);
    /* So is a log whose reader has gone: nobody hears of it, but clients are served. */
    (void) signal (SIGPIPE, SIG_IGN);
    signals.asked = eventfd (0, EFD_CLOEXEC);
    if (signals.asked < 0 || sigprocmask (SIG_BLOCK, &signals.set, NULL) != 0 ||
        pthread_create (&thread, NULL, await_signals, NULL) != 0) {
        return -1;
    }
    (void) pthread_detach (thread);
    return signals.asked;
}

/* Until a signal (true) or the server's own end (false). */
static bool wait_for_end (cohort_server_t *server, int asked)
{
    struct pollfd fds[2] = {{.fd = asked, .events = POLLIN},
                            {.fd = cohort_server_fd (server), .events = POLLIN}};
    while (poll (fds, 2, -1) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    return (fds[0].revents & POLLIN) != 0;
}

static void log_endpoints (cohort_server_t *server, const cohort_server_options_t *options)
{
    char details[ENDPOINT_SIZE + 64];
    const char *endpoint;
    for (size_t i = 0; (endpoint = cohort_server_endpoint (server, i)) != NULL; i++) {
        (void) snprintf (details, sizeof details, "clients=%s", endpoint);
        log_to_stderr (COHORT_LOG_INFO, "listening", details, NULL);
    }
    if (options->members_count < 2 && cohort_server_wait (server, READY_LIMIT_MS) == 0) {
        log_to_stderr (COHORT_LOG_INFO, "ready", "role=standalone", NULL);
    }
}

/* What the allocator does in one go holds up the server's thread: giving memory back to the system
 * takes tens of milliseconds where a state of a million znodes was, and so does joining the small
 * pieces that free has left apart.  What is freed stays this process's instead, for the next state,
 * and is joined piece by piece. */
static void bound_allocator (void)
{
#ifdef __GLIBC__
    enum { HEAP_SIZE = 64 << 20 }; /* with as much to spare none is given back */
    (void) mallopt (M_TRIM_THRESHOLD, -1);
    (void) mallopt (M_TOP_PAD, HEAP_SIZE);
    (void) mallopt (M_MXFAST, 0);
#endif
}

/* Each connection takes one: as many as the system admits. */
static void raise_descriptors (void)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit (RLIMIT_NOFILE, &limit);
    }
}

/* Where there are fewer ZeroMQ ends the process, in the middle of whatever it does. */
static bool has_descriptors (const cohort_server_options_t *options)
{
    enum { ALONE = 40, A_MEMBER = 8 };
    char text[160];
    struct rlimit limit;
    rlim_t least = ALONE + A_MEMBER * (rlim_t) options->members_count;
    if (getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= least) {
        return true;
    }
    (void) snprintf (text, sizeof text,
                     "%lu descriptors are too few: %lu, and one for each client (raise ulimit -n)",
                     (unsigned long) limit.rlim_cur, (unsigned long) least);
    (void) fail (text);
    return false;
}

static int run (const cohort_server_options_t *options)
{
    if (!has_descriptors (options)) {
        return EXIT_FAILURE;
    }
    bound_allocator ();
    int asked = signals_open ();
    if (asked < 0) {
        return fail ("signals cannot be handled");
    }
    cohort_server_t *server = cohort_server_new (options);
    if (!server) {
        const char *text;
        (void) cohort_server_new_error (&text);
        return fail (text);
    }
    int status = EXIT_SUCCESS;
    int rc = cohort_server_start (server);
    if (rc == COHORT_ESYSTEM) {
        status = fail (cohort_server_errmsg (server)); /* not of the disk alone: ports, too */
    } else if (rc != 0) {
        status = fail_server (options, rc, cohort_server_errmsg (server));
    } else {
        log_endpoints (server, options);
        if (wait_for_end (server, asked)) {
            log_to_stderr (COHORT_LOG_INFO, "stopping", "reason=signal", NULL);
            rc = cohort_server_stop (server);
            status = rc == 0 ? EXIT_SUCCESS : exit_status_of (rc);
            log_to_stderr (COHORT_LOG_INFO, "stopped", "", NULL);
        } else {
            rc = cohort_server_failure (server);
            status = fail_server (options, rc, cohort_server_errmsg (server));
        }
    }
    cohort_server_destroy (&server);
    return status;
}

/* ---- Certificates ------------------------------------------------------------------------ */

/* Never over an old one: what is locked with its keys would be lost. */
static int keygen (const char *path)
{
    char text[PATH_MAX + 64];
    (void) snprintf (text, sizeof text, "%s_secret", path);
    if (access (path, F_OK) == 0 || access (text, F_OK) == 0) {
        (void) snprintf (text, sizeof text,
                         "keygen: %s or %s_secret is there already: choose another FILE", path,
                         path);
        return fail (text);
    }
    zcert_t *certificate = zcert_new ();
    int rc = certificate ? zcert_save (certificate, path) : -1;
    if (rc == 0) {
        (void) printf ("%s\n", zcert_public_txt (certificate));
    } else {
        (void) snprintf (text, sizeof text, "keygen: %s cannot be written: %s", path,
                         strerror (errno));
    }
    zcert_destroy (&certificate);
    return rc == 0 ? EXIT_SUCCESS : fail (text);
}

/* The secret key of a certificate; `key` has room for 41 bytes. */
static bool load_certificate (const char *path, char *key)
{
    zcert_t *certificate = zcert_load (path);
    if (!certificate) {
        return false;
    }
    (void) snprintf (key, 41, "%s", zcert_secret_txt (certificate));
    zcert_destroy (&certificate);
    return strlen (key) == 40;
}

/* ---- The command line -------------------------------------------------------------------- */

struct arguments {
    const char *config;
    const char *clients;
    const char *data;
    char admins[CONFIG_VALUE_SIZE]; /* "": nobody */
    int log_level;                  /* -1: not given */
    bool check;
    bool insecure;
    size_t nodes; /* 0: not given */
};

static int parse_level (const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    for (int i = 0; i < 4; i++) {
        if (strcmp (text, names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

/* 0: not a number of servers. */
static size_t parse_nodes (const char *text)
{
    bool digit = text[0] > '0' && text[0] <= '0' + COHORT_TEST_SERVERS_MAX && text[1] == '\0';
    return digit ? (size_t) (text[0] - '0') : 0;
}

/* -1: go on; else the exit status. */
static int parse_arguments (int argc, char **argv, struct arguments *arguments)
{
    enum { CHECK = 256, LEVEL, VERSION, CLIENTS, DATA, ADMIN, INSECURE, NODES };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, CHECK},
        {"log-level", required_argument, NULL, LEVEL},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, VERSION},
        {"clients", required_argument, NULL, CLIENTS},
        {"data", required_argument, NULL, DATA},
        {"admin", required_argument, NULL, ADMIN},
        {"insecure", no_argument, NULL, INSECURE},
        {"nodes", required_argument, NULL, NODES},
        {NULL, 0, NULL, 0},
    };
    char wrong[CONFIG_TEXT_SIZE];
    int option;

    while ((option = getopt_long (argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            arguments->config = optarg;
            break;
        case CHECK:
            arguments->check = true;
            break;
        case LEVEL:
            arguments->log_level = parse_level (optarg);
            if (arguments->log_level < 0) {
                return fail_usage ("--log-level is error, warning, info or debug, not", optarg);
            }
            break;
        case CLIENTS:
            arguments->clients = optarg;
            break;
        case DATA:
            arguments->data = optarg;
            break;
        case ADMIN:
            if (!config_add_admins (arguments->admins, optarg, wrong, sizeof wrong)) {
                (void) fprintf (stderr, "cohortd: --admin: %s\nTry 'cohortd --help'.\n", wrong);
                return EXIT_USAGE;
            }
            break;
        case INSECURE:
            arguments->insecure = true;
            break;
        case NODES:
            arguments->nodes = parse_nodes (optarg);
            if (arguments->nodes == 0) {
                return fail_usage ("--nodes is a number of servers, 1 to 7, not", optarg);
            }
            break;
        case 'h':
            (void) fputs (usage, stdout);
            return EXIT_SUCCESS;
        case VERSION:
            (void) printf ("cohortd %d.%d.%d\n", COHORT_VERSION_MAJOR, COHORT_VERSION_MINOR,
                           COHORT_VERSION_PATCH);
            return EXIT_SUCCESS;
        default:
            return fail_usage ("see above", "");
        }
    }
    return -1;
}

static int run_ensemble (const struct arguments *arguments, const cohort_server_options_t *server)
{
    char error[CONFIG_TEXT_SIZE];
    struct dev_options options = {.nodes = arguments->nodes,
                                  .clients = server->clients,
                                  .admins = server->admins,
                                  .log = log_to_stderr,
                                  .log_level = server->log_level,
                                  .signals = signals_open ()};
    if (options.signals < 0) {
        return fail ("signals cannot be handled");
    }
    int rc = dev_run (&options, error, sizeof error);
    return rc == 0 ? EXIT_SUCCESS : fail (error);
}

static int run_dev (const struct arguments *arguments)
{
    cohort_server_options_t options = {
        .size = sizeof options,
        .clients = arguments->clients ? arguments->clients : "tcp://127.0.0.1:5181",
        .data_dir = arguments->data,
        .admins = *arguments->admins ? arguments->admins : NULL,
        .log = log_to_stderr,
        .log_level = arguments->log_level < 0 ? COHORT_LOG_INFO : arguments->log_level,
    };
    size_t size;
    const char *exposed = arguments->insecure ? NULL : config_exposed (options.clients, &size);
    if (exposed) {
        char error[CONFIG_TEXT_SIZE];
        (void) snprintf (
            error, sizeof error,
            "--clients: %.*s can be reached by other machines, and a server for trying "
            "things out has no keys: add --insecure if the network is trusted",
            (int) size, exposed);
        return fail (error);
    }
    return arguments->nodes > 1 ? run_ensemble (arguments, &options) : run (&options);
}

static int run_config (const struct arguments *arguments)
{
    static struct config_file config;
    cohort_server_member_t members[CONFIG_MEMBERS_MAX];
    char error[CONFIG_TEXT_SIZE + CONFIG_VALUE_SIZE];
    char secret_key[41];

    config_file_init (&config);
    if (config_file_load (&config, arguments->config, error, sizeof error) != 0) {
        return fail (error);
    }
    for (size_t i = 0; i < config.notices_count; i++) {
        log_to_stderr (COHORT_LOG_WARNING, "configuration", config.notices[i], NULL);
    }
    if (*config.certificate && !load_certificate (config.certificate, secret_key)) {
        (void) snprintf (error, sizeof error,
                         "%s: certificate=%s: cannot be loaded (make one with cohortd keygen)",
                         arguments->config, config.certificate);
        return fail (error);
    }
    for (size_t i = 0; i < config.servers_count; i++) {
        members[i] = (cohort_server_member_t){.id = config.servers[i].id,
                                              .address = config.servers[i].address,
                                              .client_address = config.servers[i].client_address,
                                              .observer = config.servers[i].observer};
    }
    cohort_server_options_t options = {
        .size = sizeof options,
        .id = config.id,
        .members = members,
        .members_count = config.servers_count,
        .clients = config.clients,
        .data_dir = config.data_dir,
        .peer_timeout_ms = config.peer_timeout_ms,
        .snapshot_bytes = config.snapshot_bytes,
        .history_bytes = config.history_bytes,
        .snapshot_compression = config.snapshot_compression,
        .data_size_max = config.data_size_max,
        .path_size_max = config.path_size_max,
        .write_window = config.write_window,
        .session_timeout_min_ms = config.session_timeout_min_ms,
        .session_timeout_max_ms = config.session_timeout_max_ms,
        .log = log_to_stderr,
        .log_level = arguments->log_level < 0 ? config.log_level : arguments->log_level,
        .secret_key = *config.certificate ? secret_key : NULL,
        .admins = *config.admins ? config.admins : NULL,
        .replace_admins = config.replace_admins,
    };
    return arguments->check ? EXIT_SUCCESS : run (&options);
}

int main (int argc, char **argv)
{
    if (argc > 1 && inspect_is_command (argv[1])) {
        return inspect_command (argc - 1, argv + 1); /* with options of their own */
    }
    struct arguments arguments = {.log_level = -1};
    int status = parse_arguments (argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    const char *command = optind < argc ? argv[optind] : "";
    int operands = argc - optind;

    raise_descriptors ();
    if (strcmp (command, "keygen") == 0) {
        return operands == 2 ? keygen (argv[optind + 1]) : fail_usage ("keygen wants a FILE", "");
    }
    if (strcmp (command, "dev") == 0) {
        if (arguments.data && arguments.nodes > 1) {
            return fail_usage ("--nodes keeps everything in memory: leave out", "--data");
        }
        return operands == 1 ? run_dev (&arguments)
                             : fail_usage ("dev takes options only", argv[optind + 1]);
    }
    if (*command) {
        return fail_usage ("unknown command (there are dev, keygen, inspect and repair)", command);
    }
    if (!arguments.config) {
        return fail_usage ("give --config FILE, or dev for a server to try things out with", "");
    }
    if (arguments.clients || arguments.data || *arguments.admins || arguments.insecure ||
        arguments.nodes > 0) {
        return fail_usage (
            "--clients, --data, --admin, --insecure and --nodes go with dev; the configuration has "
            "them",
            "");
    }
    return run_config (&arguments);
}

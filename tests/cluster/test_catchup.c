/* Real processes: a server that was away, or that has what nobody else has, ends up with just what
 * the ensemble has agreed on; what is not needed any more is removed; and watches live through it.
 *
 * usage: test-catchup COHORTD [cmocka's name filter] */

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cohort/client.h"
#include "tests/cluster/ensemble.h"
#include "tests/cluster/load.h"
#include "tests/support/again.h"
#include "tests/support/tcp_proxy.h"
#include "tests/unit/unit.h"

enum { START_MS = 60000, LOAD_MS = 120000, SESSIONS = 4, WINDOW = 32, LOOK_AGAIN_MS = 5 };

static const char *cohortd;
static struct ensemble ensemble;
static struct load load;
static struct tcp_proxy *proxy;
static size_t leader;
static bool finished;

/* Leaders that hear nothing lead on for longer than any test takes: what has gone is noticed by its
 * closed connections. */
static int set_up (void **state)
{
    (void) state;
    finished = false;
    proxy = tcp_proxy_new ();
    ensemble_init_with (&ensemble, &(struct ensemble_options){
                                       .cohortd = cohortd,
                                       .count = 3,
                                       .settings = "snapshotBytes=8000000\npeerTimeout=60000\n",
                                       .proxy = proxy});
    tcp_proxy_start (proxy);
    ensemble_start_all (&ensemble);
    leader = ensemble_wait_leader (&ensemble, 2, START_MS);
    return 0;
}

static int tear_down (void **state)
{
    (void) state;
    ensemble_deinit (&ensemble, !finished);
    tcp_proxy_destroy (&proxy);
    return 0;
}

static void verify_all (void)
{
    load_until (&load, load.total * SESSIONS, LOAD_MS);
    load_verify_all (&load, &ensemble);
    finished = true;
}

/* ---- Data folders ---------------------------------------------------------------------------- */

/* Calls fn with the path of each file whose name begins so; ends when it returns true, and returns
 * that.  Files may go meanwhile. */
typedef bool file_fn (const char *path, void *arg);

static bool any_file (size_t server, const char *prefix, file_fn *fn, void *arg)
{
    char path[2 * ENSEMBLE_TEXT];
    bool found = false;
    DIR *folder = opendir (ensemble.servers[server].data);
    assert_non_null (folder);
    for (struct dirent *entry; !found && (entry = readdir (folder)) != NULL;) {
        if (strncmp (entry->d_name, prefix, strlen (prefix)) == 0) {
            (void) snprintf (path, sizeof path, "%s/%s", ensemble.servers[server].data,
                             entry->d_name);
            found = fn (path, arg);
        }
    }
    (void) closedir (folder);
    return found;
}

static bool file_has (const char *path, void *arg)
{
    const char *text = arg;
    char bytes[65536];
    bool found = false;
    size_t size, kept = 0;
    FILE *file = fopen (path, "r");
    if (!file) {
        assert_int_equal (errno, ENOENT);
        return false;
    }
    while (!found && (size = fread (bytes + kept, 1, sizeof bytes - kept, file)) > 0) {
        size += kept;
        for (size_t i = 0; !found && i + strlen (text) <= size; i++) {
            found = memcmp (bytes + i, text, strlen (text)) == 0;
        }
        kept = size < strlen (text) ? size : strlen (text) - 1;
        memmove (bytes, bytes + size - kept, kept);
    }
    (void) fclose (file);
    return found;
}

static bool file_count (const char *path, void *arg)
{
    (void) path;
    ++*(int *) arg;
    return false;
}

static int count_files (size_t server, const char *prefix)
{
    int count = 0;
    (void) any_file (server, prefix, file_count, &count);
    return count;
}

/* Looks again and again until it is so. */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        int64_t until_ms = test_now_ms () + START_MS;                                              \
        while (!(condition)) {                                                                     \
            assert_true (test_now_ms () < until_ms);                                               \
            (void) poll (NULL, 0, LOOK_AGAIN_MS);                                                  \
        }                                                                                          \
    } while (0)

/* ---- TRUNC ----------------------------------------------------------------------------------- */

/* A process that is attached to a server, and writes once a byte comes: its argv[0]. */
#define WRITER "writer"

struct writer {
    pid_t pid;
    int go, attached;
};

static int write_when_told (const char *server, int attached, int go)
{
    char byte;
    cohort_t *client = cohort_new (server, NULL);
    if (!client || cohort_sync (client) != 0 || write (attached, "a", 1) != 1 ||
        read (go, &byte, 1) != 1 ||
        cohort_create_async (client, "/uncommitted", NULL, 0, COHORT_PERSISTENT, NULL, NULL,
                             NULL) != 0) {
        return 1;
    }
    for (;;) {
        (void) cohort_run (client, START_MS);
    }
}

static struct writer writer_new (const char *server)
{
    int attached[2], go[2];
    char byte;
    assert_int_equal (pipe (attached), 0);
    assert_int_equal (pipe (go), 0);
    char attached_end[AGAIN_NUMBER_SIZE], go_end[AGAIN_NUMBER_SIZE];
    const char *const arguments[] = {server, again_number (attached_end, attached[1]),
                                     again_number (go_end, go[0]), NULL};
    struct writer self = {
        .pid = again_start (WRITER, arguments), .go = go[1], .attached = attached[0]};
    assert_true (self.pid > 0);
    (void) close (attached[1]);
    (void) close (go[0]);
    assert_int_equal (read (self.attached, &byte, 1), 1);
    return self;
}

static void writer_kill (struct writer *self)
{
    assert_int_equal (kill (self->pid, SIGKILL), 0);
    assert_int_equal (waitpid (self->pid, NULL, 0), self->pid);
    (void) close (self->go);
    (void) close (self->attached);
}

/* What a server says to the others, and they to it, vanishes; or no longer. */
static void cut_off (size_t server, bool cut)
{
    struct tcp_proxy_fault fault = {.lose = {cut, cut}};
    for (size_t i = 0; i < ensemble.count; i++) {
        if (i != server) {
            tcp_proxy_set (proxy, ensemble.servers[server].peer_links[i], &fault);
            tcp_proxy_set (proxy, ensemble.servers[i].peer_links[server], &fault);
        }
    }
}

static void test_uncommitted_write_is_cut_off (void **state)
{
    (void) state;
    struct writer writer = writer_new (ensemble.servers[leader].clients);
    load_init (&load, ensemble.list, SESSIONS, WINDOW, 1000);
    load_until (&load, 1000, LOAD_MS);

    /* The leader alone has it, on its disk, where nobody else will ever see it. */
    cut_off (leader, true);
    assert_int_equal (write (writer.go, "g", 1), 1);
    AWAIT (any_file (leader, "log.", file_has, "/uncommitted"));
    writer_kill (&writer);
    ensemble_signal (&ensemble, leader, SIGKILL);
    cut_off (leader, false);

    load_until (&load, 3000, LOAD_MS);
    assert_false (ensemble_log_has (&ensemble, leader, "log-truncated"));
    ensemble_start (&ensemble, leader);
    AWAIT (ensemble_log_has (&ensemble, leader, "log-truncated"));
    (void) ensemble_wait_leader (&ensemble, 2, START_MS);
    for (size_t i = 0; i < ensemble.count; i++) {
        cohort_t *client = cohort_new (ensemble.servers[i].clients, NULL);
        assert_non_null (client);
        assert_int_equal (cohort_sync (client), 0);
        assert_int_equal (cohort_exists (client, "/uncommitted", NULL), COHORT_ENONODE);
        cohort_destroy (&client);
    }
    verify_all ();
}

/* ---- SNAP, and what is removed --------------------------------------------------------------- */

enum { SNAPSHOTS_KEPT = 2, BIG = 1000000, BIG_WRITES = 300 };

/* As many as it takes, until the first segment of the log is not needed any more. */
static void write_until_gone (const char *segment)
{
    cohort_t *client = cohort_new (ensemble.list, NULL);
    uint8_t *data = calloc (1, BIG);
    int count = 0;
    assert_non_null (client);
    assert_non_null (data);
    assert_int_equal (cohort_create (client, "/big", NULL, 0, COHORT_PERSISTENT, NULL, NULL, NULL),
                      0);
    for (; access (segment, F_OK) == 0; count++) {
        assert_in_range (count, 0, BIG_WRITES);
        assert_int_equal (cohort_set (client, "/big", data, BIG, -1, NULL), 0);
    }
    printf ("  the first segment is removed after %d megabytes\n", count);
    free (data);
    cohort_destroy (&client);
}

static void test_old_log_is_purged_and_a_snapshot_sent (void **state)
{
    size_t away = (leader + 1) % 3;
    char segment[2 * ENSEMBLE_TEXT];
    (void) state;
    load_init (&load, ensemble.list, SESSIONS, WINDOW, 1000);
    load_until (&load, 1000, LOAD_MS);
    ensemble_signal (&ensemble, away, SIGKILL);
    (void) snprintf (segment, sizeof segment, "%s/log.1", ensemble.servers[leader].data);
    assert_int_equal (access (segment, F_OK), 0);

    load_until (&load, 3000, LOAD_MS);
    write_until_gone (segment);
    AWAIT (count_files (leader, "snap.") <= SNAPSHOTS_KEPT);
    assert_true (count_files (leader, "snap.") > 0);
    assert_true (count_files (leader, "log.") > 0);

    /* What it has missed is in no log any more. */
    assert_false (ensemble_log_has (&ensemble, away, "snapshot-installed"));
    ensemble_start (&ensemble, away);
    AWAIT (ensemble_log_has (&ensemble, away, "snapshot-installed"));
    verify_all ();
}

/* ---- Watches --------------------------------------------------------------------------------- */

struct seen {
    int type, count;
    char path[64];
};

static void on_event (cohort_t *client, const cohort_event_t *event, void *arg)
{
    struct seen *seen = arg;
    (void) client;
    seen->type = (int) event->type;
    seen->count++;
    (void) snprintf (seen->path, sizeof seen->path, "%s", event->path);
}

static void on_answer (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    (void) result;
    ++*(int *) arg;
}

enum { WATCHES = 3 };

static void expect_events (cohort_t *client, const struct seen *seen)
{
    static const struct seen expected[WATCHES] = {
        {COHORT_EVENT_CHANGED, 1, "/w"},
        {COHORT_EVENT_CREATED, 1, "/later"},
        {COHORT_EVENT_CHILDREN, 1, "/w"},
    };
    for (int i = 0; i < WATCHES; i++) {
        while (seen[i].count == 0) {
            assert_true (cohort_run (client, START_MS) > 0);
        }
        assert_int_equal (seen[i].type, expected[i].type);
        assert_string_equal (seen[i].path, expected[i].path);
    }
}

static void change_all (cohort_t *writer)
{
    int rc = cohort_create (writer, "/later", NULL, 0, COHORT_PERSISTENT, NULL, NULL, NULL);
    assert_int_equal (rc, 0);
    rc = cohort_create (writer, "/w/child-", NULL, 0, COHORT_SEQUENTIAL, NULL, NULL, NULL);
    assert_int_equal (rc, 0);
    assert_int_equal (cohort_set (writer, "/w", "x", 1, -1, NULL), 0);
}

/* One-shot: each fires once, and no more; also if its server was killed, and what it waited for
 * happened before its client was attached to another. */
static void test_watches_fire_once (void **state)
{
    (void) state;
    cohort_t *writer = cohort_new (ensemble.servers[(leader + 1) % 3].clients, NULL);
    assert_non_null (writer);
    assert_int_equal (cohort_create (writer, "/w", NULL, 0, COHORT_PERSISTENT, NULL, NULL, NULL),
                      0);
    for (int killed = 0; killed <= 1; killed++) {
        struct seen seen[WATCHES] = {{0}};
        int answers = 0;
        char servers[2 * ENSEMBLE_TEXT];
        (void) snprintf (servers, sizeof servers, "%s,%s", ensemble.servers[leader].clients,
                         ensemble.servers[(leader + 2) % 3].clients);
        cohort_t *client = cohort_new (servers, NULL);
        assert_non_null (client);
        assert_int_equal (cohort_sync (client), 0);
        assert_int_equal (cohort_get_async (client, "/w", on_event, &seen[0], on_answer, &answers),
                          0);
        assert_int_equal (
            cohort_exists_async (client, "/later", on_event, &seen[1], on_answer, &answers), 0);
        assert_int_equal (
            cohort_children_async (client, "/w", on_event, &seen[2], on_answer, &answers), 0);
        while (answers < WATCHES) {
            assert_true (cohort_run (client, START_MS) > 0);
        }
        if (killed) {
            ensemble_signal (&ensemble, leader, SIGKILL);
        }
        change_all (writer);
        expect_events (client, seen);
        assert_int_equal (cohort_set (writer, "/w", "y", 1, -1, NULL), 0);
        assert_int_equal (cohort_delete (writer, "/later", -1), 0);
        assert_int_equal (cohort_sync (client), 0); /* whatever would come, comes before this */
        for (int i = 0; i < WATCHES; i++) {
            assert_int_equal (seen[i].count, 1);
        }
        cohort_destroy (&client);
    }
    cohort_destroy (&writer);
    finished = true;
}

int main (int argc, char **argv)
{
#define CATCHUP_TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CATCHUP_TEST (test_uncommitted_write_is_cut_off),
        CATCHUP_TEST (test_old_log_is_purged_and_a_snapshot_sent),
        CATCHUP_TEST (test_watches_fire_once),
    };
    if (argc == 4 && strcmp (argv[0], WRITER) == 0) {
        return write_when_told (argv[1], (int) strtol (argv[2], NULL, 10),
                                (int) strtol (argv[3], NULL, 10));
    }
    if (argc < 2) {
        fprintf (stderr, "usage: test-catchup COHORTD [NAME*]\n");
        return 2;
    }
    cohortd = argv[1];
    if (argc > 2) {
        cmocka_set_test_filter (argv[2]);
    }
    return cmocka_run_group_tests (tests, NULL, NULL);
}

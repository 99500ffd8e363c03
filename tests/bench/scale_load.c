/*
 * tests/bench/scale_load.c - much of something, for tests/bench/scale to look at
 *
 *     scale-load sessions SERVERS COUNT              COUNT sessions
 *     scale-load watches  SERVERS SESSIONS ZNODES    each session watches each of ZNODES znodes
 *     scale-load vanish   SERVERS COUNT              a process with COUNT ephemerals is killed
 *     scale-load catch-up SERVER BEHIND              a server that comes back has what SERVER has
 *
 * Prints a line when something is there, and keeps it until there is a line on stdin: the sessions;
 * the znodes to be watched, then the watches; the session of SERVER, whereupon BEHIND is asked.  No
 * part of Cohort, and no test: the public API alone.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cohort/client.h"

enum { TIMEOUT_MS = 30000, GRACE_MS = 100, WAIT_MS = 120000, WINDOW = 1000, SOON_MS = 50 };

static const char *servers;
static cohort_loop_t *loop;

static int64_t now_us (void)
{
    struct timespec now;
    (void) clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static _Noreturn void fail (const char *what, const char *why)
{
    (void) fprintf (stderr, "scale-load: %s: %s\n", what, why);
    exit (1);
}

static void check (cohort_t *client, const char *what, int rc)
{
    if (rc != COHORT_OK) {
        char text[512];
        cohort_errmsg (client, text, sizeof text);
        fail (what, text[0] != '\0' ? text : cohort_error_text (rc));
    }
}

static cohort_t *begin (void)
{
    cohort_options_t options = {
        .size = sizeof options,
        .loop = loop,
        .timeout_ms = TIMEOUT_MS,
        .disconnect_grace_ms = loop == NULL ? GRACE_MS : 0, /* vanish: a crash counts at once */
        .time_limit_ms = WAIT_MS,
    };
    cohort_t *client = cohort_new (servers, &options);
    if (client == NULL) {
        const char *why;
        (void) cohort_new_error (&why);
        fail ("a session", why);
    }
    return client;
}

static cohort_t *connect_one (void)
{
    cohort_t *client = begin ();
    check (client, "connecting", cohort_wait (client, WAIT_MS));
    return client;
}

static cohort_t **connect_all (size_t count)
{
    cohort_t **clients = calloc (count, sizeof (cohort_t *));
    if (clients == NULL) {
        fail ("sessions", "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        clients[i] = begin ();
    }
    for (size_t i = 0; i < count; i++) {
        check (clients[i], "connecting", cohort_wait (clients[i], WAIT_MS));
    }
    return clients;
}

static void end_all (cohort_t **clients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cohort_abandon (&clients[i]);
    }
    free (clients);
}

/* Says what is there, and keeps it until there is a line on stdin. */
static void hold (const char *what, size_t count, int64_t begun_us)
{
    (void) printf ("%s %zu ms %lld\n", what, count, (long long) (now_us () - begun_us) / 1000);
    (void) fflush (stdout);
    int next;
    do {
        next = getchar ();
    } while (next != '\n' && next != EOF);
}

/* ---- Sessions ---------------------------------------------------------------------------- */

static void run_sessions (size_t count)
{
    int64_t begun_us = now_us ();
    cohort_t **clients = connect_all (count);
    hold ("sessions", count, begun_us);
    end_all (clients, count);
}

/* ---- Requests in flight ------------------------------------------------------------------ */

static size_t pending;

static void on_done (cohort_t *client, const cohort_result_t *result, void *arg)
{
    pending--;
    check (client, arg, result->rc);
}

/* Waits until there is room for one more; with 0: for all. */
static void await_room (cohort_t *client, size_t window)
{
    while (pending > 0 && pending >= window) {
        if (cohort_run (client, WAIT_MS) <= 0) {
            fail ("an answer", "none came");
        }
    }
}

static void make_znodes (cohort_t *client, const char *folder, size_t count, int mode)
{
    char path[64];
    for (size_t i = 0; i < count; i++) {
        (void) snprintf (path, sizeof path, "%s/n%zu", folder, i);
        await_room (client, WINDOW);
        int rc = cohort_create_async (client, path, "", 0, mode, NULL, on_done, "creating znodes");
        check (client, "creating znodes", rc);
        pending++;
    }
    await_room (client, 0);
}

/* An empty folder for this run alone. */
static void make_folder (cohort_t *client, char *path, size_t size)
{
    (void) snprintf (path, size, "/scale-%ld", (long) getpid ());
    int rc = cohort_create (client, path, "", 0, COHORT_PERSISTENT, NULL, NULL, NULL);
    check (client, path, rc);
}

/* ---- Watches ----------------------------------------------------------------------------- */

static void on_event (cohort_t *client, const cohort_event_t *event, void *arg)
{
    (void) client;
    (void) event;
    (void) arg;
}

static void run_watches (size_t sessions, size_t znodes)
{
    cohort_t **clients = connect_all (sessions);
    char folder[32], path[64];
    make_folder (clients[0], folder, sizeof folder);
    make_znodes (clients[0], folder, znodes, COHORT_PERSISTENT);
    hold ("znodes", znodes, now_us ());
    int64_t begun_us = now_us ();
    for (size_t i = 0; i < sessions; i++) {
        check (clients[i], "sync", cohort_sync (clients[i]));
        for (size_t k = 0; k < znodes; k++) {
            (void) snprintf (path, sizeof path, "%s/n%zu", folder, k);
            await_room (clients[i], WINDOW);
            int rc = cohort_exists_async (clients[i], path, on_event, NULL, on_done, "watching");
            check (clients[i], "watching", rc);
            pending++;
        }
        await_room (clients[i], 0);
    }
    hold ("watches", sessions * znodes, begun_us);
    end_all (clients, sessions);
}

/* ---- Vanish ------------------------------------------------------------------------------ */

static pid_t start_owner (size_t count, char *folder, size_t size)
{
    int ready[2];
    if (pipe (ready) != 0) {
        fail ("a pipe", "none left");
    }
    pid_t pid = fork ();
    if (pid == 0) {
        cohort_t *client = connect_one ();
        make_folder (client, folder, size);
        make_znodes (client, folder, count, COHORT_EPHEMERAL);
        if (write (ready[1], folder, size) != (ssize_t) size) {
            _exit (1);
        }
        (void) pause ();
        _exit (0);
    }
    (void) close (ready[1]);
    if (pid < 0 || read (ready[0], folder, size) != (ssize_t) size) {
        fail ("the owner of the ephemerals", "has ended");
    }
    (void) close (ready[0]);
    return pid;
}

struct watcher {
    size_t gone;
    int64_t first_us, last_us;
};

static void on_change (cohort_t *client, const cohort_event_t *event, void *arg)
{
    struct watcher *self = arg;
    (void) client;
    if (event->type == COHORT_EVENT_RESET) {
        fail (event->path, "the history of changes is too short (historyBytes)");
    }
    if (event->type == COHORT_EVENT_DELETED) {
        self->last_us = now_us ();
        if (self->gone++ == 0) {
            self->first_us = self->last_us;
        }
    }
}

/* Writes of somebody else, one at a time, until all are gone: the longest. */
static int64_t write_meanwhile (cohort_t *writer, cohort_t *watching, const char *path,
                                const struct watcher *watcher, size_t count)
{
    int64_t longest_us = 0;
    while (watcher->gone < count) {
        int64_t begun_us = now_us ();
        check (writer, path, cohort_set (writer, path, "x", 1, COHORT_ANY_VERSION, NULL));
        int64_t took_us = now_us () - begun_us;
        longest_us = took_us > longest_us ? took_us : longest_us;
        (void) cohort_dispatch (watching, 0);
    }
    return longest_us;
}

static void run_vanish (size_t count)
{
    char folder[32];
    pid_t owner = start_owner (count, folder, sizeof folder); /* before there are threads here */
    cohort_t *watching = connect_one ();
    cohort_t *writer = connect_one ();
    struct watcher watcher = {.gone = 0};
    check (watching, "sync", cohort_sync (watching));
    cohort_stream_t *stream =
        cohort_watch_new (watching, folder, COHORT_WATCH_RECURSIVE, on_change, &watcher);
    if (stream == NULL) {
        fail (folder, "cannot be watched");
    }
    check (watching, "sync", cohort_sync (watching));
    int64_t begun_us = now_us ();
    (void) kill (owner, SIGKILL);
    (void) waitpid (owner, NULL, 0);
    int64_t longest_us = write_meanwhile (writer, watching, folder, &watcher, count);
    (void) printf ("vanish %zu first-us %lld last-us %lld longest-write-us %lld\n", watcher.gone,
                   (long long) (watcher.first_us - begun_us),
                   (long long) (watcher.last_us - begun_us), (long long) longest_us);
    cohort_stream_destroy (&stream);
    cohort_destroy (&writer);
    cohort_destroy (&watching);
}

/* ---- Catching up ------------------------------------------------------------------------- */

static void on_zxid (cohort_t *client, const cohort_result_t *result, void *arg)
{
    pending--;
    check (client, "reading", result->rc);
    *(uint64_t *) arg = result->zxid;
}

/* Of the state that the client's server has now. */
static uint64_t zxid_at (cohort_t *client)
{
    uint64_t zxid = 0;
    check (client, "reading", cohort_exists_async (client, "/", NULL, NULL, on_zxid, &zxid));
    pending++;
    await_room (client, 0);
    return zxid;
}

/* The pauses between the attempts of one handle grow to a second. */
static cohort_t *connect_soon (const char *server)
{
    servers = server;
    for (int64_t end_us = now_us () + (int64_t) WAIT_MS * 1000; now_us () < end_us;) {
        cohort_t *client = begin ();
        if (cohort_wait (client, SOON_MS) == COHORT_OK) {
            return client;
        }
        cohort_abandon (&client);
    }
    fail (server, "does not come back");
}

/* Both are asked over connections that stay: a process for each question, one after the other,
 * would take half of a small machine from those who are measured. */
static void run_catch_up (const char *behind)
{
    cohort_t *ahead = connect_one ();
    hold ("sessions", 1, now_us ());
    int64_t begun_us = now_us ();
    uint64_t from = zxid_at (ahead);
    cohort_t *client = connect_soon (behind);
    check (client, "sync", cohort_sync (client)); /* it has what has been written until now */
    int64_t took_us = now_us () - begun_us;
    uint64_t writes = zxid_at (ahead) - from;
    (void) printf ("catch-up ms %lld writes/s %lld\n", (long long) took_us / 1000,
                   (long long) writes * 1000000 / (long long) took_us);
    cohort_destroy (&client);
    cohort_destroy (&ahead);
}

/* ---- The command line -------------------------------------------------------------------- */

static size_t number (const char *text)
{
    char *end;
    unsigned long value = strtoul (text, &end, 10);
    if (*text == '\0' || *end != '\0' || value == 0) {
        fail (text, "is not a number from 1");
    }
    return value;
}

int main (int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    bool watches = strcmp (what, "watches") == 0;
    if (argc != (watches ? 5 : 4)) {
        fail ("usage",
              "scale-load sessions|vanish SERVERS COUNT | watches SERVERS SESSIONS ZNODES | "
              "catch-up SERVER BEHIND");
    }
    servers = argv[2];
    if (strcmp (what, "catch-up") == 0) {
        run_catch_up (argv[3]);
        return 0;
    }
    if (strcmp (what, "vanish") == 0) {
        run_vanish (number (argv[3]));
        return 0;
    }
    loop = cohort_loop_new (NULL);
    if (loop == NULL) {
        fail ("a loop", "out of memory");
    }
    if (watches) {
        run_watches (number (argv[3]), number (argv[4]));
    } else {
        run_sessions (number (argv[3]));
    }
    return cohort_loop_destroy (&loop) == COHORT_OK ? 0 : 1;
}

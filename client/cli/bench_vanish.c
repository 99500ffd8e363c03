/* vanish: TOTAL rounds; in each a process that holds an ephemeral is killed, and what counts is the
 * time until a watcher knows. WINDOW is the holder's session timeout in ms. */

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/cli/bench.h"
#include "client/cli/bench_report.h"
#include "client/cli/clock.h"
#include "client/cli/exit_code.h"
#include "client/cli/progress.h"
#include "client/cli/session.h"

#define VANISH_PATH "/vanish"

struct vanish {
    const struct bench_plan *plan;
    pid_t *holders;
    int holder_count;
    int ready[2]; /* a pipe: each holder writes a byte once its ephemeral is there  */
    int life[2];  /* a pipe: its end tells the holders that this process has gone   */
    bool armed;
    bool fired;
    int rc;
};

static void ephemeral_path (char *buffer, size_t size, int number)
{
    snprintf (buffer, size, VANISH_PATH "/e%d", number);
}

/* Makes the ephemeral; one that an earlier run left behind goes first. */
static int make_ephemeral (struct session *session, const char *path)
{
    int rc =
        cohort_create (session->client, VANISH_PATH, "", 0, COHORT_PERSISTENT, NULL, NULL, NULL);
    if (rc != COHORT_OK && rc != COHORT_ENODEEXISTS) {
        return rc;
    }
    rc = cohort_create (session->client, path, "", 0, COHORT_EPHEMERAL, NULL, NULL, NULL);
    if (rc == COHORT_ENODEEXISTS) {
        rc = cohort_delete (session->client, path, COHORT_ANY_VERSION);
        if (rc == COHORT_OK || rc == COHORT_ENONODE) {
            rc = cohort_create (session->client, path, "", 0, COHORT_EPHEMERAL, NULL, NULL, NULL);
        }
    }
    return rc;
}

/* A holder's whole life. The session lives on in a thread of its own. */
static int hold (const struct vanish *self, int number)
{
    const struct bench_plan *plan = self->plan;
    cohort_options_t options = {
        .size = sizeof options,
        .timeout_ms = plan->window,
        .disconnect_grace_ms = plan->grace_ms < plan->window ? plan->grace_ms : plan->window,
    };
    char path[64], byte = 0;
    ephemeral_path (path, sizeof path, number);
    struct session session;
    int code = session_open (&session, &plan->settings, &options);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    code = session_result (&session, ACTIVITY_CREATE, path, make_ephemeral (&session, path));
    if (code == CLI_EXIT_OK && write (self->ready[1], &byte, 1) == 1) {
        ssize_t count = 0;
        do {
            count = read (self->life[0], &byte, 1);
        } while (count < 0 && errno == EINTR);
    }
    session_close (&session);
    return code;
}

/* What is wrong with the servers is said once, and not by each holder. A process of its own: see
 * fork_holders. */
static int try_servers (const struct bench_plan *plan)
{
    pid_t pid = fork ();
    if (pid == 0) {
        cohort_options_t options = {.size = sizeof options, .timeout_ms = BENCH_SESSION_TIMEOUT_MS};
        struct session session;
        int code = session_open (&session, &plan->settings, &options);
        if (code == CLI_EXIT_OK) {
            session_close (&session);
        }
        _exit (code);
    }
    int status = 0;
    if (pid < 0 || waitpid (pid, &status, 0) != pid) {
        message ("vanish: a process cannot be started: %s", strerror (errno));
        return CLI_EXIT_FAILED;
    }
    return WIFEXITED (status) ? WEXITSTATUS (status) : CLI_EXIT_FAILED;
}

/* The first holder speaks for all. */
static void be_quiet (int number)
{
    if (number > 0 && freopen ("/dev/null", "w", stderr) == NULL) {
        close (STDERR_FILENO);
    }
}

/* Holders are forked before this process has a thread or a socket, so that nothing of it is open
 * in them that could keep a connection alive. */
static bool fork_holders (struct vanish *self)
{
    for (int i = 0; i < self->plan->total; i++) {
        pid_t pid = fork ();
        if (pid < 0) {
            message ("vanish: a process cannot be started: %s", strerror (errno));
            return false;
        }
        if (pid == 0) {
            close (self->life[1]);
            close (self->ready[0]);
            be_quiet (i);
            _exit (hold (self, i));
        }
        self->holders[i] = pid;
        self->holder_count++;
    }
    /* The end of `ready` then means that all holders have ended. */
    close (self->ready[1]);
    self->ready[1] = -1;
    return true;
}

static bool await_holders (struct vanish *self)
{
    for (int i = 0; i < self->holder_count; i++) {
        char byte = 0;
        ssize_t count = 0;
        do {
            count = read (self->ready[0], &byte, 1);
        } while (count < 0 && errno == EINTR);
        if (count != 1) {
            message ("vanish: holder %d of %d could not make its ephemeral: WINDOW, %d ms, is the "
                     "timeout of its session, and TOTAL how many there are at once",
                     i + 1, self->holder_count, self->plan->window);
            return false;
        }
    }
    return true;
}

static void on_armed (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct vanish *self = arg;
    self->armed = true;
    self->rc = result->rc;
}

static void on_event (cohort_t *client, const cohort_event_t *event, void *arg)
{
    (void) client;
    struct vanish *self = arg;
    self->fired = true;
    self->rc = event->type == COHORT_EVENT_DELETED ? COHORT_OK : COHORT_ESESSIONEXPIRED;
}

static int await (struct vanish *self, struct session *session, const bool *flag)
{
    int64_t end = clock_ms () + BENCH_SILENCE_MS + self->plan->window;
    while (!*flag && self->rc == COHORT_OK) {
        int64_t left = end - clock_ms ();
        if (left <= 0) {
            self->rc = COHORT_ETIMEDOUT;
        } else {
            cohort_run (session->client, (int) left);
        }
    }
    return self->rc;
}

static int vanish_round (struct vanish *self, struct session *session, int number,
                         int64_t *latency_ns)
{
    char path[64];
    ephemeral_path (path, sizeof path, number);
    self->armed = false;
    self->fired = false;
    self->rc = cohort_exists_async (session->client, path, on_event, self, on_armed, self);
    int rc = await (self, session, &self->armed);
    if (rc == COHORT_OK) {
        int64_t start = clock_ns ();
        kill (self->holders[number], SIGKILL);
        rc = await (self, session, &self->fired);
        *latency_ns = clock_ns () - start;
    }
    return session_result (session, ACTIVITY_READ, path, rc);
}

static int vanish_run (struct vanish *self, struct histogram *latencies)
{
    const struct bench_plan *plan = self->plan;
    cohort_options_t options = {.size = sizeof options, .timeout_ms = BENCH_SESSION_TIMEOUT_MS};
    struct session session;
    int code = session_open (&session, &plan->settings, &options);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    /* This session's server then knows the ephemerals. */
    code = session_result (&session, ACTIVITY_SYNC, "vanish", cohort_sync (session.client));
    struct progress progress;
    progress_init (&progress, plan->workload, (uint64_t) plan->total);
    int64_t start = clock_ns ();
    for (int i = 0; code == CLI_EXIT_OK && i < plan->total; i++) {
        int64_t latency_ns = 0;
        code = vanish_round (self, &session, i, &latency_ns);
        histogram_record (latencies, latency_ns);
        progress_show (&progress, (uint64_t) i + 1);
    }
    struct bench_result result = {
        .latencies = latencies,
        .seconds = (double) (clock_ns () - start) / 1e9,
        .events = BENCH_NO_EVENTS,
    };
    progress_end (&progress);
    session_close (&session);
    if (code == CLI_EXIT_OK) {
        code = bench_report (stdout, plan, &result);
    }
    return code;
}

static void close_end (int descriptor)
{
    if (descriptor >= 0) {
        close (descriptor);
    }
}

int bench_vanish (const struct bench_plan *plan)
{
    struct vanish vanish = {.plan = plan, .ready = {-1, -1}, .life = {-1, -1}};
    int tried = try_servers (plan);
    if (tried != CLI_EXIT_OK) {
        return tried;
    }
    struct histogram *latencies = histogram_new ();
    vanish.holders = calloc ((size_t) plan->total, sizeof *vanish.holders);
    int code = CLI_EXIT_FAILED;
    if (latencies == NULL || vanish.holders == NULL || pipe (vanish.ready) != 0 ||
        pipe (vanish.life) != 0) {
        message ("out of memory or descriptors");
    } else if (fork_holders (&vanish) && await_holders (&vanish)) {
        code = vanish_run (&vanish, latencies);
    }
    for (int i = 0; i < vanish.holder_count; i++) {
        kill (vanish.holders[i], SIGKILL);
        waitpid (vanish.holders[i], NULL, 0);
    }
    for (int i = 0; i < 2; i++) {
        close_end (vanish.ready[i]);
        close_end (vanish.life[i]);
    }
    free (vanish.holders);
    free (latencies);
    return code;
}

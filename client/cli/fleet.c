#include "client/cli/fleet.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "client/cli/auth.h"
#include "client/cli/clock.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"
#include "client/cli/session.h"

/* Requests of the set-up that are under way at once. */
#define SET_UP_WINDOW 4096
#define SET_UP_BYTES  (64 << 20)
/* What is looked at in one turn. */
#define EVENTS_MAX 256
/* In place of a session's number. */
enum { TIMER = -1, LOOP = -2 };
/* All sessions are given so long to end, and the loop to see that they have. */
#define CLOSE_MS 10000

static int create_sessions (struct fleet *self)
{
    cohort_loop_options_t loop_options = {.size = sizeof loop_options, .driver = self->driver};
    self->loop = cohort_loop_new (&loop_options);
    self->clients = calloc ((size_t) self->plan->sessions, sizeof *self->clients);
    if (self->loop == NULL || self->clients == NULL) {
        message ("out of memory or descriptors");
        return CLI_EXIT_FAILED;
    }
    cohort_options_t options = {
        .size = sizeof options,
        .loop = self->loop,
        .timeout_ms = BENCH_SESSION_TIMEOUT_MS,
    };
    struct security security;
    const struct settings *settings = &self->plan->settings;
    if (!security_init (&security, settings->server_key) ||
        (settings->key_file != NULL && !security_take_file (&security, settings->key_file))) {
        return CLI_EXIT_USAGE;
    }
    security_apply (&security, &options);
    for (int i = 0; i < self->plan->sessions; i++) {
        /* The first one explains what is wrong when there is something. */
        if (i == 0) {
            struct session session;
            int code = session_open (&session, settings, &options);
            if (code != CLI_EXIT_OK) {
                return code;
            }
            self->clients[0] = session.client;
        } else {
            self->clients[i] = cohort_new (settings->servers, &options);
            if (self->clients[i] == NULL) {
                message ("session %d of %d: out of memory or descriptors", i + 1,
                         self->plan->sessions);
                return CLI_EXIT_FAILED;
            }
        }
        self->count++;
    }
    for (int i = 1; i < self->count; i++) {
        int rc = cohort_wait (self->clients[i], BENCH_SILENCE_MS);
        if (rc != COHORT_OK) {
            message ("session %d of %d: %s", i + 1, self->count, cohort_error_text (rc));
            return exit_code_of (rc);
        }
        int code = auth_apply (self->clients[i], settings);
        if (code != CLI_EXIT_OK) {
            return code;
        }
    }
    return CLI_EXIT_OK;
}

static bool observe (struct fleet *self, int descriptor, int number)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = number};
    return epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

/* With a thread, all sessions; without, the timer brings the loop. */
static int observe_sessions (struct fleet *self)
{
    self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
    bool observed = self->epoll_fd >= 0;
    int count = self->driver == COHORT_DRIVER_THREAD ? self->count : 0;
    for (int i = 0; observed && i < count; i++) {
        observed = observe (self, cohort_fd (self->clients[i]), i);
    }
    if (!observed) {
        message ("%d sessions cannot be waited for: %s", self->count, strerror (errno));
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

static void on_set_up (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct fleet *self = arg;
    assert (self->pending > 0);
    self->pending--;
    /* It may all be there from an earlier run. */
    if (result->rc != COHORT_OK && result->rc != COHORT_ENODEEXISTS && self->rc == COHORT_OK) {
        self->rc = result->rc;
    }
}

static void note (struct fleet *self, int rc)
{
    if (rc == COHORT_OK) {
        self->pending++;
    } else if (self->rc == COHORT_OK) {
        self->rc = rc;
    }
}

static int await_set_up (struct fleet *self)
{
    while (self->pending > 0) {
        if (!fleet_turn (self)) {
            return CLI_EXIT_TIMED_OUT;
        }
    }
    if (self->rc != COHORT_OK) {
        message ("bench: the znodes cannot be made: %s", cohort_error_text (self->rc));
    }
    return exit_code_of (self->rc);
}

static void create_one (struct fleet *self, const char *path, size_t size)
{
    note (self, cohort_create_async (self->clients[0], path, self->plan->data, size,
                                     COHORT_PERSISTENT, NULL, on_set_up, self));
}

static void set_one (struct fleet *self, int session, const char *path, size_t size)
{
    note (self, cohort_set_async (self->clients[session], path, self->plan->data, size,
                                  COHORT_ANY_VERSION, on_set_up, self));
}

/* Answers come in the order of the requests: it is about key number `checked`. */
static void on_key (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct fleet *self = arg;
    assert (self->pending > 0);
    self->pending--;
    self->checked++;
    size_t size = (size_t) self->plan->size;
    if (result->rc == COHORT_ENONODE) {
        create_one (self, result->path, size);
    } else if (result->rc != COHORT_OK) {
        self->rc = self->rc == COHORT_OK ? result->rc : self->rc;
    } else if ((size_t) result->stat->data_size != size) {
        set_one (self, 0, result->path, size);
    }
}

/* As many as a client may have in flight when each of them becomes a write. */
static size_t set_up_window (const struct fleet *self)
{
    size_t most = SET_UP_BYTES / ((size_t) self->plan->size + 1);
    return most < 1 ? 1 : most < SET_UP_WINDOW ? most : SET_UP_WINDOW;
}

static int set_up_keys (struct fleet *self, char *path, char *name)
{
    size_t window = set_up_window (self);
    for (int i = 0; self->rc == COHORT_OK && i < self->plan->keys; i++) {
        snprintf (name, BENCH_NAME_MAX, "/k%d", i);
        note (self, cohort_exists_async (self->clients[0], path, NULL, NULL, on_key, self));
        while (self->pending >= window) {
            if (!fleet_turn (self)) {
                return CLI_EXIT_TIMED_OUT;
            }
        }
    }
    return await_set_up (self);
}

static int set_up (struct fleet *self, char *path)
{
    const char *folder = self->plan->folder;
    size_t length = strlen (folder);
    /* Each of the folders on the way. */
    for (size_t i = 1; i <= length; i++) {
        if (folder[i] == '/' || folder[i] == 0) {
            memcpy (path, folder, i);
            path[i] = 0;
            create_one (self, path, 0);
        }
    }
    char *name = path + length;
    for (int i = 0; i < self->count; i++) {
        snprintf (name, BENCH_NAME_MAX, "/s%d", i);
        create_one (self, path, 0);
    }
    int code = await_set_up (self);
    if (code == CLI_EXIT_OK) {
        code = set_up_keys (self, path, name);
    }
    for (int i = 0; code == CLI_EXIT_OK && i < self->count; i++) {
        set_one (self, i, BENCH_FOLDER, 0);
    }
    return code == CLI_EXIT_OK ? await_set_up (self) : code;
}

static void close_descriptor (int descriptor)
{
    if (descriptor >= 0) {
        close (descriptor);
    }
}

int fleet_open (struct fleet *self, const struct bench_plan *plan, int driver)
{
    *self = (struct fleet){.plan = plan, .driver = driver, .epoll_fd = -1, .timer_fd = -1};
    int code = create_sessions (self);
    if (code == CLI_EXIT_OK) {
        code = observe_sessions (self);
    }
    char *path = malloc (strlen (plan->folder) + BENCH_NAME_MAX);
    if (code == CLI_EXIT_OK && path == NULL) {
        message ("out of memory");
        code = CLI_EXIT_FAILED;
    }
    if (code == CLI_EXIT_OK) {
        code = set_up (self, path);
    }
    free (path);
    if (code != CLI_EXIT_OK) {
        fleet_close (self);
    }
    return code;
}

static void silence_timer (const struct fleet *self)
{
    uint64_t times = 0;
    ssize_t size = read (self->timer_fd, &times, sizeof times);
    assert (size == (ssize_t) sizeof times);
    (void) size;
}

/* Runs what is queued at any session. */
static int dispatch_all (struct fleet *self)
{
    int ran = 0;
    for (int i = 0; i < self->count; i++) {
        if (self->clients[i] != NULL) {
            ran += cohort_dispatch (self->clients[i], COHORT_DISPATCH_QUEUED);
        }
    }
    return ran;
}

static int await_descriptors (struct fleet *self, struct epoll_event events[EVENTS_MAX],
                              int wait_ms)
{
    int count = epoll_wait (self->epoll_fd, events, EVENTS_MAX, wait_ms);
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd == TIMER) {
            silence_timer (self);
        }
    }
    return count;
}

/* The loop's own thread drives it: only those sessions are looked at that have something. */
static int turn_of_threaded (struct fleet *self, int wait_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = await_descriptors (self, events, wait_ms);
    int ran = 0;
    for (int i = 0; i < count; i++) {
        int number = events[i].data.fd;
        if (number >= 0 && self->clients[number] != NULL) {
            ran += cohort_dispatch (self->clients[number], 0);
        }
    }
    return ran;
}

/* This thread drives it, once for all: what the callbacks of all sessions have asked for leaves
 * together. Nobody else waits for a descriptor as long as there is no timer. */
static int turn_of_driven (struct fleet *self, int wait_ms)
{
    bool waits = self->timer_fd < 0;
    cohort_loop_process (self->loop, waits ? wait_ms : 0);
    int ran = dispatch_all (self);
    if (ran > 0 || waits) {
        return ran;
    }
    int due_ms = cohort_loop_timeout (self->loop);
    struct epoll_event events[EVENTS_MAX];
    (void) await_descriptors (self, events, due_ms >= 0 && due_ms < wait_ms ? due_ms : wait_ms);
    cohort_loop_process (self->loop, 0);
    return dispatch_all (self);
}

static int turn (struct fleet *self, int wait_ms)
{
    return self->driver == COHORT_DRIVER_NONE ? turn_of_driven (self, wait_ms)
                                              : turn_of_threaded (self, wait_ms);
}

bool fleet_turn (struct fleet *self)
{
    int64_t give_up_ms = 0;
    while (turn (self, BENCH_SILENCE_MS) == 0) {
        int64_t now = clock_ms ();
        give_up_ms = give_up_ms == 0 ? now + BENCH_SILENCE_MS : give_up_ms;
        if (now >= give_up_ms) {
            message ("bench: no answer for %d s, giving up", BENCH_SILENCE_MS / 1000);
            return false;
        }
    }
    return true;
}

/* Milliseconds are too coarse: a timer of the kernel's wakes who waits. */
static bool set_timer (struct fleet *self, int64_t until_ns)
{
    if (self->timer_fd < 0) {
        self->timer_fd = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC);
        bool driven = self->driver == COHORT_DRIVER_NONE;
        if (self->timer_fd < 0 || !observe (self, self->timer_fd, TIMER) ||
            (driven && !observe (self, cohort_loop_fd (self->loop), LOOP))) {
            return false;
        }
    }
    struct itimerspec moment = {
        .it_value = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000}};
    return timerfd_settime (self->timer_fd, TFD_TIMER_ABSTIME, &moment, NULL) == 0;
}

bool fleet_await (struct fleet *self, int64_t until_ns)
{
    assert (self->epoll_fd >= 0);
    if (until_ns <= clock_ns ()) {
        turn (self, 0);
        return true;
    }
    if (!set_timer (self, until_ns)) {
        message ("bench: a moment cannot be waited for: %s", strerror (errno));
        return false;
    }
    turn (self, BENCH_SILENCE_MS);
    return true;
}

static void on_last_answer (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    (void) result;
    cohort_destroy (arg);
}

static bool any_left (const struct fleet *self)
{
    for (int i = 0; i < self->count; i++) {
        if (self->clients[i] != NULL) {
            return true;
        }
    }
    return false;
}

/* One after the other sessions end at the pace of single writes. Inside a callback nobody waits for
 * the end: the loop sees to it, for all of them together. */
static void close_together (struct fleet *self)
{
    for (int i = 0; i < self->count; i++) {
        if (cohort_exists_async (self->clients[i], "/", NULL, NULL, on_last_answer,
                                 &self->clients[i]) != COHORT_OK) {
            cohort_abandon (&self->clients[i]); /* it has ended already */
        }
    }
    int64_t give_up_ms = clock_ms () + CLOSE_MS;
    while (any_left (self) && clock_ms () < give_up_ms) {
        turn (self, CLOSE_MS / 100);
    }
    for (int i = 0; i < self->count; i++) {
        cohort_abandon (&self->clients[i]);
    }
}

void fleet_close (struct fleet *self)
{
    /* The loop's thread is what goes on when nobody turns any more. */
    if (self->driver == COHORT_DRIVER_THREAD && self->epoll_fd >= 0) {
        close_together (self);
    }
    for (int i = 0; i < self->count; i++) {
        cohort_destroy (&self->clients[i]);
    }
    int64_t give_up_ms = clock_ms () + CLOSE_MS;
    while (cohort_loop_destroy (&self->loop) != COHORT_OK) {
        if (clock_ms () >= give_up_ms) {
            message ("bench: sessions do not end within %d s", CLOSE_MS / 1000);
            self->loop = NULL;
        }
    }
    free (self->clients);
    close_descriptor (self->epoll_fd);
    close_descriptor (self->timer_fd);
    memset (self, 0, sizeof *self);
}

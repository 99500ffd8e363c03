/* lock and elect: run a program while something is held.
 *
 * The program is told to stop when the grant is lost, or may soon be: so long before that what it
 * is given to end in peace is over by then. So it does not run at the same time as the next
 * holder's, for whoever waits for it has to wait for the end of the session. */

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/arguments.h"
#include "client/cli/child.h"
#include "client/cli/clock.h"
#include "client/cli/exit_code.h"
#include "client/cli/interrupt.h"
#include "client/cli/message.h"
#include "client/cli/output.h"
#include "client/cli/paths.h"
#include "client/cli/session.h"
#include "cohort/lock.h"

#define TIMEOUT_MS     10000 /* of the session */
#define GRACE_MS       2000
#define SURE_MS        10 /* between two looks whether the session is sure of itself */
#define LAST_ANSWER_MS 1000
/* Heartbeats come about every third of the timeout: a healthy session is never valid for less than
 * this. */
#define GRACE_MS_MAX (TIMEOUT_MS / 3)

struct hold {
    struct session session;
    cohort_lock_t *lock;
    char path[PATHS_SIZE];
    int grace_ms;
    bool behind; /* somebody else holds it, or is ahead */
    bool failed; /* no grant, or no more */
    int rc;
    bool stopping;
    int64_t kill_at_ms;
};

static int at_most_a_minute (int64_t ms)
{
    return ms < 0 ? 0 : ms > 60000 ? 60000 : (int) ms;
}

static void on_lock (cohort_lock_t *lock, const cohort_lock_event_t *event, void *arg)
{
    struct hold *self = arg;
    (void) lock;
    self->behind = self->behind || event->kind == COHORT_LOCK_WAITING;
    if (event->kind == COHORT_LOCK_REVOKED || event->kind == COHORT_LOCK_FAILED) {
        self->failed = true;
        self->rc = event->rc;
    }
}

/* It is held, and surely so for longer than the program needs to end. A new session is not sure of
 * itself until its first heartbeat was confirmed. */
static bool is_sure (const struct hold *self)
{
    return cohort_lock_valid (self->lock, self->grace_ms);
}

/* Until it is granted. Returns what to exit with, or CLI_EXIT_OK. */
static int await_grant (struct hold *self, int64_t wait_ms)
{
    int64_t end_ms = wait_ms < 0 ? INT64_MAX : clock_ms () + wait_ms;
    while (!is_sure (self) && !self->failed) {
        int64_t left_ms = end_ms - clock_ms ();
        if (left_ms <= 0 && self->behind && !cohort_lock_held (self->lock)) {
            message ("%s is not free (see: cohort why %s)", self->path, self->path);
            return CLI_EXIT_TIMED_OUT;
        }
        if (left_ms <= -self->session.settings.timeout_ms) {
            return session_result (&self->session, ACTIVITY_CREATE, self->path, COHORT_ETIMEDOUT);
        }
        /* Whether it is free the servers have to say, whatever the limit of waiting. */
        int64_t pause_ms = left_ms > 0 ? left_ms : left_ms + self->session.settings.timeout_ms;
        if (cohort_lock_held (self->lock)) {
            pause_ms = SURE_MS;
        }
        int number = interrupt_wait (self->session.client, at_most_a_minute (pause_ms));
        if (number == SIGINT || number == SIGTERM) {
            return 128 + number;
        }
    }
    return self->failed ? session_result (&self->session, ACTIVITY_CREATE, self->path, self->rc)
                        : CLI_EXIT_OK;
}

static bool export_grant (const struct hold *self)
{
    char token[OUTPUT_ID_SIZE];
    output_id (cohort_lock_token (self->lock).czxid, token);
    bool set = setenv ("COHORT_TOKEN", token, 1) == 0 &&
               setenv ("COHORT_TOKEN_PATH", self->path, 1) == 0 &&
               setenv ("COHORT_TOKEN_NODE", cohort_lock_node (self->lock), 1) == 0;
    if (!set) {
        message ("out of memory");
    }
    return set;
}

/* For how long nothing needs to be done. */
static int pause_ms (const struct hold *self)
{
    int64_t ms = self->stopping ? self->kill_at_ms - clock_ms ()
                                : cohort_valid_ms (self->session.client) - self->grace_ms;
    return at_most_a_minute (ms);
}

static void stop_child (struct hold *self, struct child *child)
{
    message ("%s: the grant %s; %s is stopped", self->path,
             self->failed ? "is lost" : "may end before the servers can be reached", child->name);
    child_stop (child);
    self->stopping = true;
    self->kill_at_ms = clock_ms () + self->grace_ms;
}

/* While the program runs. */
static void supervise (struct hold *self, struct child *child)
{
    bool killed = false;
    while (!child_ended (child)) {
        if (!self->stopping && !is_sure (self)) {
            stop_child (self, child);
        } else if (self->stopping && !killed && clock_ms () >= self->kill_at_ms) {
            child_signal (child, SIGKILL);
            killed = true;
        }
        int number = interrupt_wait (self->session.client, killed ? -1 : pause_ms (self));
        if (number == SIGINT || number == SIGTERM) {
            child_signal (child, number);
        }
    }
}

static int run_held (struct hold *self, char *const *argv)
{
    struct child child;
    if (!export_grant (self) || !child_start (&child, argv)) {
        return CLI_EXIT_FAILED;
    }
    supervise (self, &child);
    return child.status;
}

/* /locks/NAME for a name, and a path as it is. */
static bool path_of (struct hold *self, const char *name, const char *folder)
{
    int size = snprintf (self->path, sizeof self->path, "%s%s", name[0] == '/' ? "" : folder, name);
    if (size <= 0 || (size_t) size >= sizeof self->path) {
        message ("the name is too long: %.100s...", name);
        return false;
    }
    return true;
}

/* What is on its way comes to its end, if a server is there. */
static void let_go (struct hold *self)
{
    cohort_lock_destroy (&self->lock);
    if (cohort_state (self->session.client) == COHORT_CONNECTED) {
        cohort_set_time_limit (self->session.client, LAST_ANSWER_MS);
        int rc = cohort_exists (self->session.client, "/", NULL);
        (void) rc; /* whatever it says, what was asked before has been answered */
    }
    cohort_dispatch (self->session.client, 0);
}

static int hold (const struct arguments *arguments, const char *folder, cohort_lock_mode_t mode)
{
    struct hold self = {.lock = NULL};
    int64_t wait_ms, grace_ms;
    const char *info = arguments_value (arguments, FLAG_INFO);
    info = info != NULL ? info : arguments->operands[1];
    if (!arguments_number (arguments, FLAG_WAIT, 0, INT32_MAX, -1, &wait_ms) ||
        !arguments_number (arguments, FLAG_GRACE, 0, GRACE_MS_MAX, GRACE_MS, &grace_ms) ||
        !path_of (&self, arguments->operands[0], folder)) {
        return CLI_EXIT_USAGE;
    }
    self.grace_ms = (int) grace_ms;
    cohort_options_t options = {.size = sizeof options, .timeout_ms = TIMEOUT_MS};
    int code = session_open (&self.session, &arguments->settings, &options);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    self.lock = cohort_lock_new (self.session.client, self.path, info, strlen (info));
    int rc = COHORT_ENOMEM;
    if (self.lock != NULL) {
        cohort_lock_set_handler (self.lock, on_lock, &self);
        rc = interrupt_catch () ? cohort_lock_acquire (self.lock, mode) : COHORT_ESYSTEM;
    }
    code = session_result (&self.session, ACTIVITY_CREATE, self.path, rc);
    code = code == CLI_EXIT_OK ? await_grant (&self, wait_ms) : code;
    code = code == CLI_EXIT_OK ? run_held (&self, arguments->operands + 1) : code;
    let_go (&self);
    interrupt_release ();
    session_close (&self.session);
    return code;
}

int cmd_lock (const struct arguments *arguments)
{
    bool shared = arguments_has (arguments, FLAG_SHARED);
    return hold (arguments, "/locks/", shared ? COHORT_LOCK_SHARED : COHORT_LOCK_EXCLUSIVE);
}

int cmd_elect (const struct arguments *arguments)
{
    return hold (arguments, "/elections/", COHORT_LOCK_EXCLUSIVE);
}

#include "client/cli/session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/auth.h"
#include "client/cli/clock.h"
#include "client/cli/exit_code.h"
#include "client/cli/status_query.h"

/* How long each server is given to say who it is when a time limit has passed. */
#define PROBE_MS 500
/* How long the end of a session may take, where the time limit is not about it. */
#define CLOSE_MS 1000

static int at_most (int a, int b)
{
    return a < b ? a : b;
}

/* Of the time limit, at least 0. */
static int left_ms (const struct session *self)
{
    int64_t left = self->until_ms - clock_ms ();
    return left > 0 ? (int) left : 0;
}

/* What is kept of the time limit for probe_servers. */
static int probe_ms (const struct session *self)
{
    return at_most (PROBE_MS, self->settings.timeout_ms / 4);
}

/* For what a command asks, at least 1. */
static int work_ms (const struct session *self)
{
    int work = left_ms (self) - probe_ms (self);
    return work > 1 ? work : 1;
}

/* Why there was no answer in time: CLI_EXIT_NO_CONNECTION, CLI_EXIT_NO_QUORUM, or
 * CLI_EXIT_TIMED_OUT when the servers look well. */
static int probe_servers (const struct session *self)
{
    struct ensemble_status *status = calloc (1, sizeof *status);
    int code = CLI_EXIT_TIMED_OUT;
    int limit = at_most (left_ms (self), PROBE_MS);
    if (status != NULL && limit > 0 &&
        status_query (status, self->settings.servers, &self->security, limit) == COHORT_OK) {
        code = status_exit_code (status);
        code = code == CLI_EXIT_OK ? CLI_EXIT_TIMED_OUT : code;
    }
    free (status);
    return code;
}

/* Servers answer, and yet nothing moves: what the library knows of it, such as that they hold
 * writes for want of disk space. */
static void report_detail (const struct session *self, int code)
{
    char detail[256] = "";
    cohort_errmsg (self->client, detail, sizeof detail);
    if (code == CLI_EXIT_TIMED_OUT && *detail) {
        message ("%s", detail);
    }
}

static int report_no_session (const struct session *self, int rc)
{
    const struct settings *settings = &self->settings;
    if (rc != COHORT_ETIMEDOUT) {
        char detail[256];
        cohort_errmsg (self->client, detail, sizeof detail);
        message ("%s: %s", settings->servers, detail);
        return exit_code_of (rc);
    }
    int code = probe_servers (self);
    if (code == CLI_EXIT_NO_CONNECTION) {
        message ("no server answers at %s (start one with: cohortd dev)", settings->servers);
    } else if (code == CLI_EXIT_NO_QUORUM) {
        message ("the servers have no quorum (see: cohort status)");
    } else {
        message ("no session could be started within %d ms, though servers answer (see: cohort "
                 "status)",
                 settings->timeout_ms);
        report_detail (self, code);
    }
    return code;
}

static int report_new_error (void)
{
    const char *text = NULL;
    int rc = cohort_new_error (&text);
    message ("%s", text != NULL && *text != 0 ? text : cohort_error_text (rc));
    return exit_code_of (rc);
}

bool session_servers_valid (const char *servers)
{
    cohort_loop_options_t still = {.size = sizeof still, .driver = COHORT_DRIVER_NONE};
    cohort_options_t options = {.size = sizeof options, .loop = cohort_loop_new (&still)};
    if (options.loop == NULL) {
        message ("out of memory or descriptors");
        return false;
    }
    cohort_t *client = cohort_new (servers, &options);
    bool valid = client != NULL;
    if (valid) {
        cohort_abandon (&client);
    } else {
        (void) report_new_error ();
    }
    int rc = cohort_loop_destroy (&options.loop);
    assert (rc == COHORT_OK);
    (void) rc;
    return valid;
}

int session_open (struct session *self, const struct settings *settings,
                  const cohort_options_t *options)
{
    if (settings->lender != NULL && options == NULL) {
        *self = *settings->lender;
        self->settings = *settings;
        self->lent = true;
        self->until_ms = clock_ms () + settings->timeout_ms;
        cohort_set_time_limit (self->client, work_ms (self));
        return CLI_EXIT_OK;
    }
    cohort_options_t all = {.size = sizeof all};
    if (options != NULL) {
        assert (options->size == sizeof all);
        all = *options;
    }
    all.time_limit_ms = settings->timeout_ms;
    self->settings = *settings;
    self->lent = self->timed_out = false;
    if (!security_init (&self->security, settings->server_key)) {
        return CLI_EXIT_USAGE;
    }
    if (settings->key_file != NULL && !security_take_file (&self->security, settings->key_file)) {
        return CLI_EXIT_USAGE;
    }
    security_apply (&self->security, &all);
    self->until_ms = clock_ms () + settings->timeout_ms;
    self->client = cohort_new (settings->servers, &all);
    if (self->client == NULL) {
        return report_new_error ();
    }
    int limit = work_ms (self);
    int first = settings->timeout_given ? limit : at_most (limit, SESSION_SILENCE_MS - PROBE_MS);
    int rc = cohort_wait (self->client, first);
    if (rc == COHORT_ETIMEDOUT && first < limit && probe_servers (self) != CLI_EXIT_NO_CONNECTION) {
        rc = cohort_wait (self->client, work_ms (self));
    }
    if (rc != COHORT_OK) {
        int code = report_no_session (self, rc);
        cohort_abandon (&self->client);
        return code;
    }
    int code = auth_apply (self->client, settings);
    if (code != CLI_EXIT_OK) {
        session_close (self);
        return code;
    }
    cohort_set_time_limit (self->client, work_ms (self));
    return CLI_EXIT_OK;
}

void session_close (struct session *self)
{
    if (self->lent) {
        self->client = NULL;
    } else {
        int left = left_ms (self);
        cohort_destroy_within (&self->client, left > 0 || self->timed_out ? left : CLOSE_MS);
    }
}

int session_result (struct session *self, enum activity activity, const char *path, int rc)
{
    if (rc == COHORT_OK) {
        return CLI_EXIT_OK;
    }
    if (rc != COHORT_ETIMEDOUT) {
        char detail[256] = "", text[1024];
        cohort_errmsg (self->client, detail, sizeof detail);
        explain (text, sizeof text, activity, path, rc, detail);
        message ("%s", text);
        return exit_code_of (rc);
    }
    self->timed_out = true;
    int code = probe_servers (self);
    const char *why = code == CLI_EXIT_NO_CONNECTION ? "no server answers any more"
                      : code == CLI_EXIT_NO_QUORUM   ? "the servers have no quorum"
                                                     : "no answer in time";
    bool write = activity != ACTIVITY_READ && activity != ACTIVITY_SYNC;
    message ("%s: %s, after %d ms%s", path, why, self->settings.timeout_ms,
             write ? " (the change may or may not take place)" : "");
    report_detail (self, code);
    return code;
}

int session_call (const struct settings *settings, enum activity activity, const char *path,
                  session_call_fn *fn, void *arg)
{
    struct session session;
    int code = session_open (&session, settings, NULL);
    if (code == CLI_EXIT_OK) {
        code = session_result (&session, activity, path, fn (session.client, arg));
        session_close (&session);
    }
    return code;
}

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

/* Why there was no answer in time: CLI_EXIT_NO_CONNECTION, CLI_EXIT_NO_QUORUM, or
 * CLI_EXIT_TIMED_OUT when the servers look well. */
static int probe_servers (const struct session *self)
{
    struct ensemble_status *status = calloc (1, sizeof *status);
    int code = CLI_EXIT_TIMED_OUT;
    if (status != NULL &&
        status_query (status, self->settings.servers, &self->security, PROBE_MS) == COHORT_OK) {
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

static int at_most (int a, int b)
{
    return a < b ? a : b;
}

static int report_new_error (void)
{
    const char *text = NULL;
    int rc = cohort_new_error (&text);
    message ("%s", text != NULL && *text != 0 ? text : cohort_error_text (rc));
    return exit_code_of (rc);
}

int session_open (struct session *self, const struct settings *settings,
                  const cohort_options_t *options)
{
    if (settings->lender != NULL && options == NULL) {
        *self = *settings->lender;
        self->settings = *settings;
        self->lent = true;
        cohort_set_time_limit (self->client, settings->timeout_ms);
        return CLI_EXIT_OK;
    }
    cohort_options_t all = {.size = sizeof all};
    if (options != NULL) {
        assert (options->size == sizeof all);
        all = *options;
    }
    all.time_limit_ms = settings->timeout_ms;
    self->settings = *settings;
    self->lent = false;
    if (!security_init (&self->security, settings->server_key)) {
        return CLI_EXIT_USAGE;
    }
    security_apply (&self->security, &all);
    int64_t start = clock_ms ();
    self->client = cohort_new (settings->servers, &all);
    if (self->client == NULL) {
        return report_new_error ();
    }
    int limit = settings->timeout_ms;
    int first = settings->timeout_given ? limit : at_most (limit, SESSION_SILENCE_MS - PROBE_MS);
    int rc = cohort_wait (self->client, first);
    if (rc == COHORT_ETIMEDOUT && first < limit && probe_servers (self) != CLI_EXIT_NO_CONNECTION) {
        rc = cohort_wait (self->client, limit - at_most ((int) (clock_ms () - start), limit));
    }
    if (rc != COHORT_OK) {
        int code = report_no_session (self, rc);
        cohort_abandon (&self->client);
        return code;
    }
    int code = auth_apply (self->client, settings);
    if (code != CLI_EXIT_OK) {
        cohort_destroy (&self->client);
        return code;
    }
    int passed = at_most ((int) (clock_ms () - start), limit - 1);
    cohort_set_time_limit (self->client, limit - passed);
    return CLI_EXIT_OK;
}

void session_close (struct session *self)
{
    if (self->lent) {
        self->client = NULL;
    } else {
        cohort_destroy (&self->client);
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

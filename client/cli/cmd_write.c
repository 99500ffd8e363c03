/* create, set, delete, deleteall. */

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/arguments.h"
#include "client/cli/data.h"
#include "client/cli/exit_code.h"
#include "client/cli/interrupt.h"
#include "client/cli/output.h"
#include "client/cli/progress.h"
#include "client/cli/session.h"
#include "client/cli/walk.h"

#define DELETEALL_BATCH_MAX 1000

static void on_state (cohort_t *client, cohort_state_t state, void *arg)
{
    (void) client;
    bool *lost = arg;
    if (state == COHORT_SUSPENDED) {
        message ("no server at the moment: waiting");
    }
    *lost = *lost || state == COHORT_LOST;
}

/* Keeps the session until a signal comes or it is lost. */
static int hold (struct session *session, const char *path)
{
    bool lost = false;
    cohort_set_state_handler (session->client, on_state, &lost);
    message ("holding %s until SIGINT or SIGTERM", path);
    while (!lost && interrupt_run (session->client)) {
    }
    if (lost) {
        message ("%s: %s, and with it its ephemerals", path,
                 cohort_error_text (COHORT_ESESSIONEXPIRED));
        return CLI_EXIT_NO_CONNECTION;
    }
    return CLI_EXIT_OK;
}

static int create (struct session *session, const struct arguments *arguments,
                   const struct data *data)
{
    const char *path = arguments->operands[0];
    bool ephemeral = arguments_has (arguments, 'e');
    int mode = ephemeral ? COHORT_EPHEMERAL : COHORT_PERSISTENT;
    if (arguments_has (arguments, 's')) {
        mode |= COHORT_SEQUENTIAL;
    }
    char *created = NULL;
    int rc =
        cohort_create (session->client, path, data->bytes, data->size, mode, NULL, &created, NULL);
    int code = session_result (session, ACTIVITY_CREATE, path, rc);
    if (code == CLI_EXIT_OK) {
        printf ("%s\n", created);
        /* Whoever reads a pipe shall know before the command holds, or the znode vanishes. */
        fflush (stdout);
        if (arguments_has (arguments, FLAG_HOLD)) {
            code = hold (session, created);
        } else if (ephemeral) {
            message ("%s is ephemeral: it vanishes now, as this command ends (--hold keeps it)",
                     created);
        }
    }
    cohort_free (created);
    return code;
}

int cmd_create (const struct arguments *arguments)
{
    int64_t grace = 0;
    if (!arguments_number (arguments, FLAG_GRACE, 1, INT32_MAX, 0, &grace)) {
        return CLI_EXIT_USAGE;
    }
    if (arguments_has (arguments, FLAG_HOLD) && !interrupt_catch ()) {
        message ("signals cannot be caught");
        return CLI_EXIT_FAILED;
    }
    struct data data;
    const char *operand = arguments->operand_count > 1 ? arguments->operands[1] : NULL;
    if (!data_read (&data, operand, arguments_has (arguments, 'b'))) {
        return CLI_EXIT_FAILED;
    }
    cohort_options_t options = {.size = sizeof options, .disconnect_grace_ms = (int) grace};
    struct session session;
    int code = session_open (&session, &arguments->settings, &options);
    if (code == CLI_EXIT_OK) {
        code = create (&session, arguments, &data);
        session_close (&session);
    }
    data_deinit (&data);
    return code;
}

static bool wanted_version (const struct arguments *arguments, int64_t *version)
{
    return arguments_number (arguments, 'v', COHORT_ANY_VERSION, INT32_MAX, COHORT_ANY_VERSION,
                             version);
}

int cmd_set (const struct arguments *arguments)
{
    int64_t version = COHORT_ANY_VERSION;
    if (!wanted_version (arguments, &version)) {
        return CLI_EXIT_USAGE;
    }
    struct data data;
    if (!data_read (&data, arguments->operands[1], arguments_has (arguments, 'b'))) {
        return CLI_EXIT_FAILED;
    }
    const char *path = arguments->operands[0];
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code == CLI_EXIT_OK) {
        cohort_stat_t stat;
        int rc = cohort_set (session.client, path, data.bytes, data.size, (int32_t) version, &stat);
        code = session_result (&session, ACTIVITY_SET, path, rc);
        session_close (&session);
        if (code == CLI_EXIT_OK && arguments_has (arguments, 's')) {
            output_stat (stdout, &stat);
        }
    }
    data_deinit (&data);
    return code;
}

int cmd_delete (const struct arguments *arguments)
{
    int64_t version = COHORT_ANY_VERSION;
    if (!wanted_version (arguments, &version)) {
        return CLI_EXIT_USAGE;
    }
    const char *path = arguments->operands[0];
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code == CLI_EXIT_OK) {
        int rc = cohort_delete (session.client, path, (int32_t) version);
        code = session_result (&session, ACTIVITY_DELETE, path, rc);
        session_close (&session);
    }
    return code;
}

/* Deletes a sorted list from its end, so that children go before their parents. */
struct deletion {
    const struct paths *paths;
    size_t asked;
    size_t answered; /* answers come in the order of the questions */
    size_t failed;
    int rc;           /* of the first that failed                  */
    const char *path; /* which that was                            */
};

static const char *deletion_path (const struct deletion *self, size_t index)
{
    assert (index < self->paths->count);
    return self->paths->items[self->paths->count - 1 - index];
}

static void on_deleted (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct deletion *self = arg;
    assert (self->answered < self->asked);
    const char *path = deletion_path (self, self->answered++);
    if (result->rc == COHORT_OK || result->rc == COHORT_ENONODE) {
        return; /* gone, whoever did it */
    }
    self->failed++;
    if (self->rc == COHORT_OK) {
        self->rc = result->rc;
        self->path = path;
    }
}

static int delete_paths (struct session *session, const struct paths *paths, size_t window)
{
    struct deletion deletion = {.paths = paths};
    struct progress progress;
    progress_init (&progress, "deleteall", paths->count);
    int rc = COHORT_OK;
    while (rc == COHORT_OK && deletion.answered < paths->count) {
        while (rc == COHORT_OK && deletion.asked < paths->count &&
               deletion.asked - deletion.answered < window) {
            rc = cohort_delete_async (session->client, deletion_path (&deletion, deletion.asked),
                                      COHORT_ANY_VERSION, on_deleted, &deletion);
            deletion.asked += rc == COHORT_OK;
        }
        if (rc == COHORT_OK && cohort_run (session->client, session->settings.timeout_ms) <= 0) {
            rc = COHORT_ETIMEDOUT;
        }
        progress_show (&progress, deletion.answered);
    }
    progress_end (&progress);
    if (rc == COHORT_OK && deletion.rc != COHORT_OK) {
        message ("%s: %s; %zu of %zu znodes remain", deletion.path,
                 deletion.rc == COHORT_ENOTEMPTY ? "somebody has created a child meanwhile"
                                                 : cohort_error_text (deletion.rc),
                 deletion.failed, paths->count);
        return exit_code_of (deletion.rc);
    }
    return session_result (session, ACTIVITY_DELETE, paths->items[0], rc);
}

int cmd_deleteall (const struct arguments *arguments)
{
    int64_t batch = 0;
    if (!arguments_number (arguments, 'b', 1, DELETEALL_BATCH_MAX, DELETEALL_BATCH_MAX, &batch)) {
        return CLI_EXIT_USAGE;
    }
    const char *path = arguments->operands[0];
    if (strcmp (path, "/") == 0) {
        message ("deleteall: / cannot be deleted; name the znodes below it (see: cohort ls /)");
        return CLI_EXIT_USAGE;
    }
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    struct paths paths;
    paths_init (&paths);
    int rc = walk_subtree (session.client, path, session.settings.timeout_ms, &paths);
    if (rc == COHORT_OK) {
        code = delete_paths (&session, &paths, (size_t) batch);
    } else {
        code = session_result (&session, ACTIVITY_DELETE, path, rc);
    }
    session_close (&session);
    paths_deinit (&paths);
    return code;
}

/* deleteall: in one transaction if that can be, else piece by piece, children first. */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/progress.h"
#include "client/cli/session.h"
#include "client/cli/tour.h"

#define DELETEALL_BATCH_MAX 1000
/* More than that are deleted only when a person has agreed to it. */
#define DELETEALL_UNASKED_MAX 100

/* A deletion in pieces. */
struct deletion {
    struct session *session;
    size_t window;
    size_t asked;
    size_t answered;
    int64_t deleted;
    int64_t remain;  /* that could not be deleted   */
    int rc;          /* of the first that failed    */
    char path[1024]; /* which that was, perhaps cut */
    struct progress progress;
};

static void on_deleted (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct deletion *self = arg;
    assert (self->answered < self->asked);
    self->answered++;
    if (result->rc == COHORT_OK) {
        self->deleted++;
    } else if (result->rc != COHORT_ENONODE) { /* else gone, whoever did it */
        self->remain++;
        if (self->rc == COHORT_OK) {
            self->rc = result->rc;
            snprintf (self->path, sizeof self->path, "%s", result->path);
        }
    }
}

/* Waits until at most `flying` requests have no answer. */
static int drain (struct deletion *self, size_t flying)
{
    while (self->asked - self->answered > flying) {
        if (cohort_run (self->session->client, self->session->settings.timeout_ms) <= 0) {
            return COHORT_ETIMEDOUT;
        }
    }
    progress_show (&self->progress, self->answered);
    return COHORT_OK;
}

static int on_enter (const struct tour_node *node, void *arg)
{
    (void) node;
    (void) arg;
    return COHORT_OK;
}

static int on_leave (const struct tour_node *node, void *arg)
{
    struct deletion *self = arg;
    int rc = drain (self, self->window - 1);
    if (rc == COHORT_OK) {
        rc = cohort_delete_async (self->session->client, node->path, COHORT_ANY_VERSION, on_deleted,
                                  self);
    }
    self->asked += rc == COHORT_OK;
    return rc;
}

static int delete_in_pieces (struct session *session, const char *path, int64_t total,
                             size_t window, int64_t *deleted)
{
    struct deletion deletion = {.session = session, .window = window};
    progress_init (&deletion.progress, "deleteall", (uint64_t) total);
    int rc = tour_run (session->client, path, 0, on_enter, on_leave, &deletion);
    if (rc == COHORT_OK) {
        rc = drain (&deletion, 0);
    }
    progress_end (&deletion.progress);
    *deleted = deletion.deleted;
    if (rc == COHORT_OK && deletion.rc != COHORT_OK) {
        message ("%s: %s; %" PRId64 " znodes remain", deletion.path,
                 deletion.rc == COHORT_ENOTEMPTY ? "somebody has created a child meanwhile"
                                                 : cohort_error_text (deletion.rc),
                 deletion.remain);
        return exit_code_of (deletion.rc);
    }
    return session_result (session, ACTIVITY_DELETE, path, rc);
}

/* Only a terminal can be asked: a script has said what it wants. */
static bool agreed (const char *path, int64_t total)
{
    if (!isatty (STDIN_FILENO) || !isatty (STDERR_FILENO)) {
        return true;
    }
    fprintf (stderr, "%s and all below it are %" PRId64 " znodes. Delete them? [y/N] ", path,
             total);
    char answer[16] = "";
    if (fgets (answer, sizeof answer, stdin) == NULL) {
        fputc ('\n', stderr);
    }
    return answer[0] == 'y' || answer[0] == 'Y';
}

static int delete_tree (struct session *session, const struct arguments *arguments, size_t window,
                        int64_t *deleted)
{
    const char *path = arguments->operands[0];
    int limit = arguments_has (arguments, FLAG_YES) ? 0 : DELETEALL_UNASKED_MAX;
    int rc = cohort_delete_tree (session->client, path, limit, COHORT_ANY_VERSION, deleted);
    if (rc == COHORT_ETOOBIG && limit > 0) {
        if (!agreed (path, *deleted)) {
            message ("%s: nothing has been deleted", path);
            return CLI_EXIT_FAILED;
        }
        rc = cohort_delete_tree (session->client, path, 0, COHORT_ANY_VERSION, deleted);
    }
    if (rc == COHORT_ETOOBIG) {
        return delete_in_pieces (session, path, *deleted, window, deleted);
    }
    return session_result (session, ACTIVITY_DELETE, path, rc);
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
    int64_t deleted = 0;
    code = delete_tree (&session, arguments, (size_t) batch, &deleted);
    session_close (&session);
    if (code == CLI_EXIT_OK && arguments->settings.format != FORMAT_TEXT) {
        code = emit_value (arguments->settings.format,
                           json_pack ("{s:s, s:I}", "path", path, "deleted", (json_int_t) deleted));
    }
    return code;
}

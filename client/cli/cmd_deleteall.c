/* deleteall: in one transaction if that can be, else piece by piece, children first. */

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
#include "client/cli/volley.h"

#define DELETEALL_BATCH_MAX 1000
/* More than that are deleted only when a person has agreed to it. */
#define DELETEALL_UNASKED_MAX 100

/* A deletion in pieces. */
struct deletion {
    struct session *session;
    size_t window;
    struct volley *volley;
    struct progress progress;
};

static int drain (struct deletion *self, size_t flying)
{
    int rc = volley_drain (self->volley, flying);
    if (rc == COHORT_OK) {
        progress_show (&self->progress, self->volley->answered);
    }
    return rc;
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
        rc = volley_asked (self->volley,
                           cohort_delete_async (self->session->client, node->path,
                                                COHORT_ANY_VERSION, volley_answered, self->volley));
    }
    return rc;
}

/* What became of a deletion in pieces that ended with rc. */
static int tell_outcome (const struct deletion *self, const char *path, int rc)
{
    const struct volley *volley = self->volley;
    if (rc == COHORT_OK && volley->rc != COHORT_OK) {
        message ("%s: %s; %" PRId64 " znodes remain", volley->path,
                 volley->rc == COHORT_ENOTEMPTY ? "somebody has created a child meanwhile"
                                                : cohort_error_text (volley->rc),
                 volley->remain);
        return exit_code_of (volley->rc);
    }
    return session_result (self->session, ACTIVITY_DELETE, path, rc);
}

static int delete_in_pieces (struct session *session, const char *path, int64_t total,
                             size_t window, int64_t *deleted)
{
    struct deletion deletion = {
        .session = session, .window = window, .volley = volley_new (session)};
    if (deletion.volley == NULL) {
        return session_result (session, ACTIVITY_DELETE, path, COHORT_ENOMEM);
    }
    progress_init (&deletion.progress, "deleteall", (uint64_t) total);
    int rc = tour_run (session->client, path, 0, on_enter, on_leave, &deletion);
    if (rc == COHORT_OK) {
        rc = drain (&deletion, 0);
    }
    progress_end (&deletion.progress);
    *deleted = deletion.volley->done;
    int code = tell_outcome (&deletion, path, rc);
    volley_end (&deletion.volley);
    return code;
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

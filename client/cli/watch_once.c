/* -w: see watch_once.h. */

#include "client/cli/watch_once.h"

#include <stdio.h>

#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/interrupt.h"
#include "client/cli/output.h"

static void on_event (cohort_t *client, const cohort_event_t *event, void *arg)
{
    struct watch_once *self = arg;
    (void) client;
    self->fired = true;
    self->type = (int) event->type;
    self->zxid = event->zxid;
}

int watch_once_set (struct watch_once *self, struct session *session, enum watch_once_kind kind,
                    const char *path)
{
    *self = (struct watch_once){.fired = false};
    if (!interrupt_catch ()) {
        message ("signals cannot be caught");
        return CLI_EXIT_FAILED;
    }
    int rc = kind == WATCH_ONCE_DATA
                 ? cohort_get_async (session->client, path, on_event, self, NULL, NULL)
                 : cohort_children_async (session->client, path, on_event, self, NULL, NULL);
    return session_result (session, ACTIVITY_READ, path, rc);
}

static const char *kind_name (int type)
{
    switch (type) {
    case COHORT_EVENT_CREATED:
        return "created";
    case COHORT_EVENT_DELETED:
        return "deleted";
    case COHORT_EVENT_CHANGED:
        return "changed";
    default:
        return "children";
    }
}

int watch_once_tell (const struct watch_once *self, struct session *session, const char *path)
{
    if (fflush (stdout) != 0) {
        return CLI_EXIT_FAILED;
    }
    while (!self->fired && interrupt_run (session->client)) {
    }
    if (!self->fired) {
        return CLI_EXIT_OK;
    }
    if (self->type == COHORT_EVENT_WATCH_LOST) {
        message ("%s: the session has ended, and the watch with it", path);
        return CLI_EXIT_NO_CONNECTION;
    }
    char id[OUTPUT_ID_SIZE];
    enum format format = session->settings.format;
    output_id (self->zxid, id);
    if (format != FORMAT_TEXT) {
        return emit_value (format, json_pack ("{s:s, s:s, s:s}", "zxid", id, "kind",
                                              kind_name (self->type), "path", path));
    }
    printf ("%s\t%s\t%s\n", id, kind_name (self->type), path);
    return fflush (stdout) == 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

/* -w: see watch_once.h. */

#include "client/cli/watch_once.h"

#include <stdint.h>
#include <stdio.h>

#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/interrupt.h"
#include "client/cli/output.h"

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

static int print_event (enum format format, int type, uint64_t zxid, const char *path)
{
    char id[OUTPUT_ID_SIZE];
    output_id (zxid, id);
    if (format != FORMAT_TEXT) {
        return emit_value (format, json_pack ("{s:s, s:s, s:s}", "zxid", id, "kind",
                                              kind_name (type), "path", path));
    }
    printf ("%s\t%s\t%s\n", id, kind_name (type), path);
    return fflush (stdout) == 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

/* In a shell: told whenever it comes, which is the end of it. arg: the format to tell it in. */
static void on_event_later (cohort_t *client, const cohort_event_t *event, void *arg)
{
    (void) client;
    bool ended = event->type == COHORT_EVENT_WATCH_LOST;
    bool removed = event->type == COHORT_EVENT_DATA_WATCH_REMOVED ||
                   event->type == COHORT_EVENT_CHILD_WATCH_REMOVED;
    if (ended || removed) {
        message ("%s: the watch has ended%s", event->path, ended ? " with the session" : "");
    } else {
        (void) print_event ((enum format) (uintptr_t) arg, (int) event->type, event->zxid,
                            event->path);
    }
}

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
    cohort_watch_fn *fn = session->lent ? on_event_later : on_event;
    void *arg = session->lent ? (void *) (uintptr_t) session->settings.format : self;
    if (!session->lent && !interrupt_catch ()) {
        message ("signals cannot be caught");
        return CLI_EXIT_FAILED;
    }
    int rc = kind == WATCH_ONCE_DATA
                 ? cohort_get_async (session->client, path, fn, arg, NULL, NULL)
                 : cohort_children_async (session->client, path, fn, arg, NULL, NULL);
    return session_result (session, ACTIVITY_READ, path, rc);
}

int watch_once_tell (const struct watch_once *self, struct session *session, const char *path)
{
    if (fflush (stdout) != 0) {
        return CLI_EXIT_FAILED;
    }
    if (session->lent) {
        return CLI_EXIT_OK;
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
    return print_event (session->settings.format, self->type, self->zxid, path);
}

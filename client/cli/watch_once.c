/* -w: see watch_once.h. */

#include "client/cli/watch_once.h"

#include <stdint.h>
#include <stdio.h>

#include "client/cli/event_line.h"
#include "client/cli/exit_code.h"
#include "client/cli/interrupt.h"

/* In a shell: told whenever it comes, which is the end of it. arg: the format to tell it in. */
static void on_event_later (cohort_t *client, const cohort_event_t *event, void *arg)
{
    (void) client;
    (void) event_line_print ((enum format) (uintptr_t) arg, event);
}

static void on_event (cohort_t *client, const cohort_event_t *event, void *arg)
{
    struct watch_once *self = arg;
    (void) client;
    self->fired = true;
    self->type = event->type;
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
    cohort_event_t event = {.type = self->type, .path = path, .zxid = self->zxid};
    return event_line_print (session->settings.format, &event);
}

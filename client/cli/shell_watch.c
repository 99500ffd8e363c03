#include "client/cli/shell_watch.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli/event_line.h"
#include "client/cli/exit_code.h"

struct shell_watch {
    struct shell_watch *next;
    cohort_stream_t *stream;
    cohort_watch_mode_t mode;
    enum format format;
    char path[];
};

static void on_event (cohort_t *client, const cohort_event_t *event, void *arg)
{
    const struct shell_watch *self = arg;
    (void) client;
    (void) event_line_print (self->format, event);
}

int shell_watches_add (struct shell_watches *self, struct session *session, const char *path,
                       cohort_watch_mode_t mode)
{
    size_t size = strlen (path) + 1;
    struct shell_watch *watch = malloc (sizeof *watch + size);
    if (watch == NULL) {
        return session_result (session, ACTIVITY_READ, path, COHORT_ENOMEM);
    }
    *watch =
        (struct shell_watch){.next = self->first, .mode = mode, .format = session->settings.format};
    memcpy (watch->path, path, size);
    watch->stream = cohort_watch_new (session->client, path, mode, on_event, watch);
    if (watch->stream == NULL) {
        free (watch);
        return session_result (session, ACTIVITY_READ, path, COHORT_EPATH);
    }
    self->first = watch;
    return CLI_EXIT_OK;
}

size_t shell_watches_remove (struct shell_watches *self, const char *path, cohort_watch_mode_t mode)
{
    size_t removed = 0;
    for (struct shell_watch **next = &self->first; *next != NULL;) {
        struct shell_watch *watch = *next;
        if (watch->mode != mode || strcmp (watch->path, path) != 0) {
            next = &watch->next;
            continue;
        }
        *next = watch->next;
        cohort_stream_destroy (&watch->stream);
        free (watch);
        removed++;
    }
    return removed;
}

void shell_watches_clear (struct shell_watches *self)
{
    while (self->first != NULL) {
        struct shell_watch *watch = self->first;
        self->first = watch->next;
        cohort_stream_destroy (&watch->stream);
        free (watch);
    }
}

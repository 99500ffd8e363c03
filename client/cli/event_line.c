#include "client/cli/event_line.h"

#include <stdio.h>

#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"
#include "client/cli/output.h"

static bool muted;

static const char *kind_name (int type)
{
    switch (type) {
    case COHORT_EVENT_CREATED:
        return "created";
    case COHORT_EVENT_DELETED:
        return "deleted";
    case COHORT_EVENT_CHANGED:
        return "changed";
    case COHORT_EVENT_RESET:
        return "reset";
    default:
        return "children";
    }
}

int event_line_print (enum format format, const cohort_event_t *event)
{
    char id[OUTPUT_ID_SIZE];
    if (event->type == COHORT_EVENT_WATCH_LOST) {
        message ("%s: the session has ended, and the watch with it", event->path);
        return CLI_EXIT_NO_CONNECTION;
    }
    if (event->type == COHORT_EVENT_DATA_WATCH_REMOVED ||
        event->type == COHORT_EVENT_CHILD_WATCH_REMOVED) {
        message ("%s: the watch has ended", event->path);
        return CLI_EXIT_OK;
    }
    if (muted) {
        return CLI_EXIT_OK;
    }
    output_id (event->zxid, id);
    const char *kind = kind_name ((int) event->type);
    if (format != FORMAT_TEXT) {
        return emit_value (
            format, json_pack ("{s:s, s:s, s:s}", "zxid", id, "kind", kind, "path", event->path));
    }
    printf ("%s\t%s\t%s\n", id, kind, event->path);
    return fflush (stdout) == 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

void event_line_enable (bool enabled)
{
    muted = !enabled;
}

bool event_line_enabled (void)
{
    return !muted;
}

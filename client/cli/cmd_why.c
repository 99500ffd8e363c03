/* why: who holds a lock, permits, items of a queue, or leads, and who waits. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "cohort/why.h"

static const char *name_of (const char *node)
{
    const char *slash = strrchr (node, '/');
    return slash == NULL ? node : slash + 1;
}

/* In the local zone; "-": there is none. */
static const char *time_text (int64_t ms, char text[32])
{
    time_t seconds = (time_t) (ms / 1000);
    struct tm parts;
    if (ms == 0 || localtime_r (&seconds, &parts) == NULL ||
        strftime (text, 32, "%Y-%m-%d %H:%M:%S", &parts) == 0) {
        return "-";
    }
    return text;
}

/* "holds", "waits shared", and of a semaphore "holds 3". */
static const char *state_of (const cohort_contender_t *item, char text[32])
{
    const char *state = item->holds ? "holds" : "waits";
    if (item->permits > 0) {
        snprintf (text, 32, "%s %" PRId64, state, item->permits);
    } else {
        snprintf (text, 32, "%s%s", state, item->shared ? " shared" : "");
    }
    return text;
}

static void print_line (const cohort_contender_t *item)
{
    char token[OUTPUT_ID_SIZE], session[OUTPUT_ID_SIZE], text[32], state[32];
    bool made = item->session != 0;
    printf ("%s\t%s\t%s\t%s\t", state_of (item, state),
            time_text (item->holds ? item->since_ms : item->asked_ms, text), name_of (item->node),
            output_id (item->token.czxid, token));
    printf ("%s\t%s\t%" PRId64 "\t", made ? output_id (item->session, session) : "-",
            item->host[0] != 0 ? item->host : "-", item->pid);
    output_escaped (stdout, item->data, item->size);
    putchar ('\n');
}

static void print_text (const cohort_why_t *why, const char *path)
{
    if (why->count == 0) {
        message ("%s: nobody holds it, and nobody waits: it is free, or no recipe's path (see: "
                 "cohort help why)",
                 path);
        return;
    }
    printf ("state\tsince\tname\ttoken\tsession\thost\tpid\tdata\n");
    for (size_t i = 0; i < why->count; i++) {
        print_line (&why->items[i]);
    }
}

static void print_json (const cohort_why_t *why, enum format format)
{
    struct emit emit;
    emit_begin (&emit, format);
    for (size_t i = 0; i < why->count; i++) {
        const cohort_contender_t *item = &why->items[i];
        char token[OUTPUT_ID_SIZE], ozxid[OUTPUT_ID_SIZE], session[OUTPUT_ID_SIZE];
        json_t *value = json_pack (
            "{s:s, s:b, s:b, s:s, s:s, s:s, s:I, s:I, s:s, s:I}", "path", item->node, "holds",
            item->holds, "shared", item->shared, "token", output_id (item->token.czxid, token),
            "ozxid", output_id (item->token.ozxid, ozxid), "session",
            output_id (item->session, session), "asked_ms", (json_int_t) item->asked_ms, "since_ms",
            (json_int_t) item->since_ms, "host", item->host, "pid", (json_int_t) item->pid);
        if (value != NULL && item->permits > 0) {
            json_object_set_new (value, "permits", json_integer ((json_int_t) item->permits));
        }
        if (value != NULL) {
            output_json_data (value, item->data, item->size);
        }
        emit_item (&emit, value);
    }
    emit_end (&emit);
}

struct question {
    const char *path;
    cohort_why_t *why;
};

static int call_why (cohort_t *client, void *arg)
{
    struct question *self = arg;
    int rc = cohort_why (client, self->path, &self->why);
    /* A line may be there without its znode (that of a claim), and the other way round. */
    return rc == COHORT_OK && self->why->count == 0 ? cohort_exists (client, self->path, NULL) : rc;
}

int cmd_why (const struct arguments *arguments)
{
    struct question self = {.path = arguments->operands[0]};
    int code = session_call (&arguments->settings, ACTIVITY_WHY, self.path, call_why, &self);
    if (code == CLI_EXIT_OK && arguments->settings.format == FORMAT_TEXT) {
        print_text (self.why, self.path);
    } else if (code == CLI_EXIT_OK) {
        print_json (self.why, arguments->settings.format);
    }
    cohort_why_destroy (&self.why);
    return code;
}

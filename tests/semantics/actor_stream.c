/* What streams tell, in words: "stream:*a=x,*a/b" a snapshot, "stream:+a/b=y,~a=z,-a/c" a
 * transaction; ! behind what is hidden, (acl) and (owner) what they are called. */

#include <stdio.h>
#include <string.h>

#include "tests/semantics/actor_parts.h"

static const struct {
    const char *kind;
    int flags;
} kinds[] = {{"stream", 0},
             {"changes", COHORT_STREAM_NO_SNAPSHOT},
             {"nodata", COHORT_STREAM_NO_SNAPSHOT | COHORT_STREAM_NO_DATA},
             {"shallow", COHORT_STREAM_NO_SNAPSHOT | COHORT_STREAM_SHALLOW},
             {"latest", COHORT_STREAM_LATEST}};

static void put_change (char text[ACTOR_TEXT_MAX], const cohort_change_t *change, bool snapshot)
{
    char word[512];
    const char *mark = snapshot                                ? "*"
                       : change->kind == COHORT_CHANGE_CREATED ? "+"
                       : change->kind == COHORT_CHANGE_DELETED ? "-"
                       : change->kind == COHORT_CHANGE_DATA    ? "~"
                       : change->kind == COHORT_CHANGE_ACL     ? "(acl)"
                                                               : "(owner)";
    (void) snprintf (word, sizeof word, "%s%s%s%.*s%s", mark, change->path,
                     change->size > 0 ? "=" : "", (int) change->size,
                     change->data != NULL ? (const char *) change->data : "",
                     change->hidden ? "!" : "");
    outcome_put (text, word);
}

/* A stream that ends, or begins a snapshot, says no more than that. */
static void on_batch (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct actor_watch *watch = arg;
    struct actor *self = watch->actor;
    char text[ACTOR_TEXT_MAX] = "";
    size_t used = strlen (self->events);
    if (batch == NULL) {
        (void) snprintf (text, sizeof text, "%s", outcome_code (cohort_stream_error (stream)));
    } else if (batch->first && batch->more && batch->count == 0) {
        return;
    } else if (batch->reset) {
        (void) snprintf (text, sizeof text, "RESET");
    }
    for (size_t i = 0; batch != NULL && i < batch->count; i++) {
        put_change (text, &batch->changes[i], batch->snapshot);
    }
    watch->whole |= batch == NULL || !batch->more;
    (void) snprintf (self->events + used, sizeof self->events - used, "%s%s:%s",
                     used > 0 ? " " : "", watch->kind, text);
}

bool stream_open (struct actor *self, struct actor_watch *watch, const char *path)
{
    size_t which = 0, count = sizeof kinds / sizeof kinds[0];
    while (which < count && strcmp (watch->kind, kinds[which].kind) != 0) {
        which++;
    }
    if (which == count) {
        return false;
    }
    cohort_stream_options_t options = {.size = sizeof options, .flags = kinds[which].flags};
    cohort_stream_t *stream =
        cohort_stream_new_with (self->client, path, &options, on_batch, watch);
    need (stream != NULL, "no stream can be opened");
    self->streams[self->watches_count] = stream;
    bool snapshot = (options.flags & COHORT_STREAM_NO_SNAPSHOT) == 0;
    need (cohort_sync (self->client) == 0, "a sync is not answered");
    while (snapshot && !watch->whole) {
        need (cohort_run (self->client, ACTOR_LIMIT_MS) > 0, "no snapshot comes");
    }
    return true;
}

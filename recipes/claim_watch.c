/* A stream on one znode, and what claims want to know of it: see claim_private.h.
 * May include: claim_private.h, libc. */

#include <stdlib.h>
#include <string.h>

#include "claim_private.h"

static void view_clear (struct claim_view *view)
{
    free (view->text);
    *view = (struct claim_view){0};
}

int claim_watch_open (struct claim_watch *self, cohort_t *client, const char *path, bool with_text,
                      cohort_batch_fn *fn, void *arg)
{
    RECIPE_ASSERT (self->stream == NULL);
    const cohort_stream_options_t options = {.size = sizeof (options),
                                             .flags = with_text ? 0 : COHORT_STREAM_NO_DATA};
    char *copy = recipe_copy (path, strlen (path));
    claim_watch_close (self);
    self->path = copy;
    self->with_text = with_text;
    if (copy != NULL) {
        self->stream = cohort_stream_new_with (client, copy, &options, fn, arg);
    }
    if (self->stream == NULL) {
        claim_watch_close (self);
        return COHORT_ENOMEM;
    }
    return 0;
}

void claim_watch_close (struct claim_watch *self)
{
    if (self->stream != NULL) {
        cohort_stream_destroy (&self->stream);
    }
    view_clear (&self->view);
    view_clear (&self->staged);
    free (self->path);
    *self = (struct claim_watch){0};
}

static int take_change (struct claim_watch *self, const cohort_change_t *change)
{
    struct claim_view *staged = &self->staged;
    if (change->kind == COHORT_CHANGE_OWNER) {
        (void) recipe_handed_over (change, &staged->stat.ephemeral_owner, &staged->stat.ozxid);
        return 0;
    }
    /* Strangers may have children. */
    if (strcmp (change->path, self->path) != 0) {
        return 0;
    }
    view_clear (staged);
    self->touched = true;
    staged->exists = change->kind != COHORT_CHANGE_DELETED;
    if (!staged->exists) {
        return 0;
    }
    staged->stat = change->stat;
    if (self->with_text) {
        staged->text = claim_text_parse (change->data, change->size);
    }
    return self->with_text && staged->text == NULL ? COHORT_ENOMEM : 0;
}

int claim_watch_take (struct claim_watch *self, const cohort_batch_t *batch)
{
    if (batch->first) {
        view_clear (&self->staged);
        self->touched = batch->snapshot != 0;
        if (!self->touched) {
            self->staged = self->view;
            self->staged.text = NULL; /* stays where it is unless the znode is changed */
        }
    }
    for (size_t i = 0; i < batch->count; i++) {
        int rc = take_change (self, &batch->changes[i]);
        if (rc != 0) {
            return rc;
        }
    }
    if (batch->more) {
        return 0;
    }
    if (self->touched) {
        free (self->view.text);
    } else {
        self->staged.text = self->view.text;
    }
    self->view = self->staged;
    self->staged = (struct claim_view){0};
    self->seen = true;
    return 1;
}

/* What a place in a line sees: its own znode, and the one ahead; see line.h.
 * May include: line.h, libc. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"

static cohort_batch_fn on_own, on_ahead;

void line_watch_close (struct line_watch *watch)
{
    if (watch->stream != NULL) {
        cohort_stream_destroy (&watch->stream);
    }
    *watch = (struct line_watch){0};
}

/* ---- Who is ahead ---------------------------------------------------------------------------- */

void line_behind (struct line *self)
{
    if (!self->behind) {
        self->behind = true;
        self->owner->fn (self->owner, self, LINE_BEHIND, 0);
    }
}

void line_found_none (struct line *self)
{
    line_grant (self);
}

/* The path of the contender's znode, or NULL. */
static char *path_of (const struct line *self, enum line_kind kind, uint64_t number)
{
    char name[LINE_NAME_SIZE];
    line_name (name, kind, number);
    size_t size = strlen (self->path) + LINE_NAME_SIZE;
    char *path = malloc (size);
    if (path != NULL) {
        snprintf (path, size, "%s/%s", self->path, name);
    }
    return path;
}

int line_depose (const struct line *self)
{
    const struct line_view *view = &self->ahead.view;
    RECIPE_ASSERT (self->phase == LINE_WAITING && view->exists);
    char *path = path_of (self, self->ahead_kind, self->ahead_number);
    cohort_txn_t *txn = cohort_txn_new ();
    int rc = COHORT_ENOMEM;
    if (path != NULL && txn != NULL) {
        cohort_txn_check_czxid (txn, path, view->czxid);
        cohort_txn_delete (txn, path, view->version);
        rc = cohort_multi_async (self->client, txn, NULL, NULL);
    }
    if (txn != NULL) {
        cohort_txn_destroy (&txn);
    }
    free (path);
    return rc;
}

void line_found (struct line *self, enum line_kind kind, uint64_t number)
{
    char *path = path_of (self, kind, number);
    line_watch_close (&self->ahead);
    self->ahead_kind = kind;
    self->ahead_number = number;
    self->ahead_first = self->first_known && self->first_number == number;
    self->first_known = false;
    if (path != NULL) {
        self->ahead.stream = cohort_stream_new (self->client, path, on_ahead, self);
        free (path);
    }
    if (self->ahead.stream == NULL) {
        line_end (self, COHORT_ENOMEM);
    }
}

/* What the stream shows of the one ahead. */
static void look_at_ahead (struct line *self)
{
    if (self->permits != NULL) {
        line_permits_ahead (self);
        return;
    }
    const struct line_view *view = &self->ahead.view;
    if (view->exists && view->record.granted && self->ahead_kind == LINE_EXCLUSIVE) {
        self->ahead_first = true; /* when it was granted, whoever was ahead of it had gone */
    }
    if (self->ahead_fn != NULL) {
        self->ahead_fn (self);
    }
    if (view->exists && !(self->kind == LINE_SHARED && view->record.shared)) {
        self->phase = LINE_WAITING;
        line_behind (self);
    } else if (self->ahead_first) {
        line_grant (self);
    } else {
        line_watch_close (&self->ahead);
        line_look_below (self, self->ahead_number);
    }
}

/* ---- Streams --------------------------------------------------------------------------------- */

static void take_change (struct line_view *view, const cohort_change_t *change)
{
    if (change->kind == COHORT_CHANGE_OWNER) {
        (void) recipe_handed_over (change, &view->owner, &view->ozxid);
        return;
    }
    view->exists = change->kind != COHORT_CHANGE_DELETED;
    view->czxid = view->exists ? change->stat.czxid : 0;
    view->owner = view->exists ? change->stat.ephemeral_owner : 0;
    view->ozxid = view->exists ? change->stat.ozxid : 0;
    view->mzxid = view->exists ? change->stat.mzxid : 0;
    view->version = view->exists ? change->stat.version : 0;
    record_parse (&view->record, view->exists ? change->data : NULL,
                  view->exists ? change->size : 0);
    view->record.payload = NULL;
    view->record.payload_size = 0;
}

/* True: the state of the znode is whole. The znode has no children: all changes are its
 * own, or of owners. */
static bool take_batch (struct line_watch *watch, const cohort_batch_t *batch)
{
    if (batch->first) {
        watch->staged = batch->snapshot ? (struct line_view){0} : watch->view;
    }
    for (size_t i = 0; i < batch->count; i++) {
        take_change (&watch->staged, &batch->changes[i]);
    }
    if (batch->more) {
        return false;
    }
    watch->view = watch->staged;
    watch->view.seen = true;
    return true;
}

static void look_at_own (struct line *self)
{
    const struct line_view *view = &self->own.view;
    if (!view->exists || view->czxid != self->token.czxid) {
        line_end (self, COHORT_ENONODE);
    } else if (view->ozxid != self->token.ozxid) {
        line_given_away (self);
    }
}

int line_watch_own (struct line *self)
{
    self->own.stream = cohort_stream_new (self->client, self->node, on_own, self);
    return self->own.stream == NULL ? COHORT_ENOMEM : 0;
}

static void on_own (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct line *self = arg;
    struct line_owner *owner = self->owner;
    RECIPE_ASSERT (stream == self->own.stream);
    recipe_enter (&owner->guard);
    if (batch == NULL) {
        line_end (self, cohort_stream_error (stream));
    } else if (take_batch (&self->own, batch)) {
        look_at_own (self);
    }
    if (recipe_leave (&owner->guard)) {
        owner->free (owner);
    }
}

static void on_ahead (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct line *self = arg;
    struct line_owner *owner = self->owner;
    RECIPE_ASSERT (stream == self->ahead.stream);
    recipe_enter (&owner->guard);
    if (batch == NULL) {
        line_end (self, cohort_stream_error (stream));
    } else if (take_batch (&self->ahead, batch)) {
        look_at_ahead (self);
    }
    if (recipe_leave (&owner->guard)) {
        owner->free (owner);
    }
}

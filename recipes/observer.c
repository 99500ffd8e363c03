/* Who is first in a line: see observer.h. */

#include "observer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct observer_look {
    struct observer *observer; /* NULL: nobody waits for it any more */
    bool whole;                /* through all names, for numbers of more than ten digits */
    bool found;
    uint64_t number;
};

#define NUMBER_SHORT_MAX UINT64_C (9999999999)

static cohort_result_fn on_page;
static cohort_batch_fn on_first, on_empty;

static void drop_look (struct observer *self)
{
    if (self->look != NULL) {
        self->look->observer = NULL;
        self->look = NULL;
    }
}

static void drop_staged (struct observer *self)
{
    free (self->staged_data);
    self->staged_data = NULL;
    self->staged_size = 0;
    self->staged_present = false;
}

static void close_all (struct observer *self)
{
    drop_look (self);
    drop_staged (self);
    if (self->stream != NULL) {
        cohort_stream_destroy (&self->stream);
    }
    if (self->empty != NULL) {
        cohort_stream_destroy (&self->empty);
    }
}

/* It follows nobody any more, and keeps what it knew. */
static void stop (struct observer *self, int rc)
{
    close_all (self);
    self->on = false;
    self->fn (self->owner, rc);
}

/* ---- Looking --------------------------------------------------------------------------------- */

static int ask (struct observer *self, struct observer_look *look, const char *after)
{
    cohort_list_options_t options = {.size = sizeof (options),
                                     .limit = look->whole ? 0 : 1,
                                     .prefix = line_prefix (LINE_EXCLUSIVE),
                                     .after = after};
    return cohort_list_async (self->client, self->path, &options, NULL, NULL, on_page, look);
}

static int start_look (struct observer *self, bool whole)
{
    drop_look (self);
    struct observer_look *look = malloc (sizeof (*look));
    if (look == NULL) {
        return COHORT_ENOMEM;
    }
    *look = (struct observer_look){.observer = self, .whole = whole};
    int rc = ask (self, look, NULL);
    if (rc == 0) {
        self->look = look;
    } else {
        free (look);
    }
    return rc;
}

static int begin (struct observer *self, bool asked)
{
    int rc = recipe_renew (self->client, asked ? NULL : &self->lost_session);
    return rc != 0 ? rc : start_look (self, false);
}

/* After an event, when nobody else would hear of a failure. */
static void look_again (struct observer *self, bool whole)
{
    int rc = start_look (self, whole);
    if (rc == COHORT_ESESSIONEXPIRED) {
        rc = begin (self, false);
    }
    if (rc != 0) {
        stop (self, rc);
    }
}

/* A new session: what was known stays until something else is. */
static void lost (struct observer *self)
{
    close_all (self);
    int rc = begin (self, false);
    if (rc != 0) {
        stop (self, rc);
    }
}

/* Nobody is there. Only a look behind the stream that would tell of somebody is the truth. */
static void found_nobody (struct observer *self)
{
    if (self->empty == NULL) {
        cohort_stream_options_t options = {
            .size = sizeof (options), .flags = COHORT_STREAM_NO_SNAPSHOT | COHORT_STREAM_SHALLOW};
        self->empty = cohort_stream_new_with (self->client, self->path, &options, on_empty, self);
        if (self->empty == NULL) {
            stop (self, COHORT_ENOMEM);
        } else {
            look_again (self, false);
        }
        return;
    }
    bool news = !self->known || self->present;
    self->known = true;
    self->present = false;
    if (news) {
        self->fn (self->owner, 0);
    }
}

static void found (struct observer *self, uint64_t number)
{
    char name[LINE_NAME_SIZE];
    line_name (name, LINE_EXCLUSIVE, number);
    size_t size = strlen (self->path) + LINE_NAME_SIZE;
    char *node = malloc (size);
    if (self->empty != NULL) {
        cohort_stream_destroy (&self->empty);
    }
    if (self->stream != NULL) {
        cohort_stream_destroy (&self->stream);
    }
    drop_staged (self);
    if (node != NULL) {
        snprintf (node, size, "%s/%s", self->path, name);
        self->stream = cohort_stream_new (self->client, node, on_first, self);
    }
    free (self->following);
    self->following = node;
    if (self->stream == NULL) {
        stop (self, COHORT_ENOMEM);
    }
}

/* Takes the names of a page. True: the next one is asked for. */
static bool take_page (struct observer *self, struct observer_look *look,
                       const cohort_result_t *result, int *rc)
{
    for (size_t i = 0; i < result->children->count; i++) {
        enum line_kind kind;
        uint64_t number;
        if (line_parse (result->children->items[i], &kind, &number) &&
            (!look->found || number < look->number)) {
            look->found = true;
            look->number = number;
        }
    }
    if (result->next == NULL || (look->found && !look->whole)) {
        return false;
    }
    *rc = ask (self, look, result->next);
    return *rc == 0;
}

static void looked (struct observer *self, const struct observer_look *look)
{
    if (!look->found) {
        found_nobody (self);
    } else if (look->number > NUMBER_SHORT_MAX && !look->whole) {
        look_again (self, true);
    } else {
        found (self, look->number);
    }
}

/* True: the look goes on. */
static bool take_answer (struct observer *self, struct observer_look *look,
                         const cohort_result_t *result)
{
    int rc = result->rc;
    if (rc == 0 && result->children != NULL && take_page (self, look, result, &rc)) {
        return true;
    }
    self->look = NULL;
    if (rc == COHORT_ESESSIONEXPIRED) {
        lost (self);
    } else if (rc != 0 && rc != COHORT_ENONODE) {
        stop (self, rc);
    } else {
        looked (self, look);
    }
    return false;
}

static void on_page (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct observer_look *look = arg;
    struct observer *self = look->observer;
    if (self == NULL) {
        free (look);
        return;
    }
    struct line_owner *owner = self->owner;
    recipe_enter (&owner->guard);
    if (!take_answer (self, look, result)) {
        free (look);
    }
    if (recipe_leave (&owner->guard)) {
        owner->free (owner);
    }
}

/* ---- Following ------------------------------------------------------------------------------- */

static int stage (struct observer *self, const cohort_batch_t *batch)
{
    if (batch->first && batch->snapshot) {
        drop_staged (self);
    }
    for (size_t i = 0; i < batch->count; i++) {
        const cohort_change_t *change = &batch->changes[i];
        if (change->kind == COHORT_CHANGE_OWNER) {
            continue; /* who leads is the same znode as before */
        }
        drop_staged (self);
        if (change->kind == COHORT_CHANGE_DELETED) {
            continue;
        }
        self->staged_data = recipe_copy (change->data, change->size);
        if (self->staged_data == NULL) {
            return COHORT_ENOMEM;
        }
        self->staged_present = true;
        self->staged_size = change->size;
        self->staged_stat = change->stat;
    }
    return 0;
}

/* What has come is what is known from now on. */
static void commit (struct observer *self)
{
    if (self->following != NULL) {
        free (self->node);
        self->node = self->following;
        self->following = NULL;
    }
    free (self->data);
    self->data = self->staged_data;
    self->staged_data = NULL;
    self->size = self->staged_size;
    self->stat = self->staged_stat;
    record_parse (&self->record, self->data, self->size);
    self->known = self->present = true;
}

/* The state of the first one's znode is whole. */
static void take_first (struct observer *self)
{
    if (!self->staged_present) {
        cohort_stream_destroy (&self->stream);
        look_again (self, false);
        return;
    }
    bool same = self->present && self->stat.czxid == self->staged_stat.czxid &&
                self->stat.mzxid == self->staged_stat.mzxid;
    if (!same) {
        commit (self);
        self->fn (self->owner, 0);
    }
}

static void on_first (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct observer *self = arg;
    struct line_owner *owner = self->owner;
    RECIPE_ASSERT (stream == self->stream);
    recipe_enter (&owner->guard);
    int rc = batch == NULL ? cohort_stream_error (stream) : stage (self, batch);
    if (rc == COHORT_ESESSIONEXPIRED) {
        lost (self);
    } else if (rc != 0) {
        stop (self, rc);
    } else if (!batch->more) {
        take_first (self);
    }
    if (recipe_leave (&owner->guard)) {
        owner->free (owner);
    }
}

/* Somebody may have come. */
static bool is_news (const cohort_batch_t *batch)
{
    bool news = batch->reset != 0;
    for (size_t i = 0; i < batch->count && !news; i++) {
        news = batch->changes[i].kind != COHORT_CHANGE_OWNER;
    }
    return news;
}

static void on_empty (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct observer *self = arg;
    struct line_owner *owner = self->owner;
    RECIPE_ASSERT (stream == self->empty);
    recipe_enter (&owner->guard);
    int rc = batch == NULL ? cohort_stream_error (stream) : 0;
    if (rc == COHORT_ESESSIONEXPIRED) {
        lost (self);
    } else if (rc != 0) {
        stop (self, rc);
    } else if (is_news (batch)) {
        look_again (self, false);
    }
    if (recipe_leave (&owner->guard)) {
        owner->free (owner);
    }
}

/* ---- Life ------------------------------------------------------------------------------------ */

void observer_init (struct observer *self, struct line_owner *owner, cohort_t *client,
                    const char *path, void (*fn) (struct line_owner *owner, int rc))
{
    *self = (struct observer){.owner = owner, .client = client, .path = path, .fn = fn};
}

void observer_deinit (struct observer *self)
{
    close_all (self);
    free (self->node);
    free (self->following);
    free (self->data);
    self->node = self->following = self->data = NULL;
    self->on = self->present = false;
}

int observer_start (struct observer *self)
{
    if (self->on) {
        return 0;
    }
    int rc = begin (self, true);
    self->on = rc == 0;
    return rc;
}

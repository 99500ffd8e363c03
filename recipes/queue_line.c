/* The line of those that wait for items: see queue_private.h.
 *
 * Who finds nothing makes a ticket, the last in line. The first QUEUE_FIRST_MAX follow the queue
 * and look when something comes; everybody else follows the one ticket that is so many places
 * ahead, and looks at the line again when that goes. So a put wakes QUEUE_FIRST_MAX of them, and
 * the leaving of one wakes one. There are two first ones, so that one that hangs holds up nobody.
 * May include: queue_private.h, libc. */

#include <stdlib.h>
#include <string.h>

#include "queue_private.h"
#include "record.h"

struct line_call {
    struct recipe_call base; /* its owner is the queue */
    bool ranking;            /* the list of those ahead; else the creation of the ticket */
    bool whole;              /* with the creation of what is missing */
};

static cohort_result_fn on_answer;

/* ---- Leaving ------------------------------------------------------------------------------- */

static void close_streams (struct queue_line *line)
{
    cohort_stream_t **streams[] = {&line->ahead, &line->items, &line->delayed};
    for (size_t i = 0; i < sizeof (streams) / sizeof (streams[0]); i++) {
        if (*streams[i] != NULL) {
            cohort_stream_destroy (streams[i]);
        }
    }
}

void queue_line_leave (cohort_queue_t *self)
{
    struct queue_line *line = &self->line;
    close_streams (line);
    if (line->ticket != NULL) {
        /* If there is no memory for it the ticket stays until the session ends; it is followed by
         * one more that looks. */
        (void) recipe_withdraw (self->client, line->ticket, line->czxid);
        free (line->ticket);
        line->ticket = NULL;
    }
    line->place = QUEUE_OUT;
}

/* ---- Following ----------------------------------------------------------------------------- */

static void look_at_line (cohort_queue_t *self);

/* Has this change made an item free? One whose mark went because it is done is not. */
static bool frees_item (const cohort_queue_t *self, const cohort_batch_t *batch, size_t index)
{
    const cohort_change_t *change = &batch->changes[index];
    if (change->kind == COHORT_CHANGE_OWNER) {
        return false; /* it has no path */
    }
    const char *name = change->path + strlen (self->items);
    if (*name != '/') {
        return false;
    }
    const char *below = strchr (name + 1, '/');
    if (below == NULL) {
        return change->kind == COHORT_CHANGE_CREATED;
    }
    size_t length = (size_t) (below - change->path);
    for (size_t i = 0; i < batch->count; i++) {
        const cohort_change_t *other = &batch->changes[i];
        if (other->kind == COHORT_CHANGE_DELETED &&
            strncmp (other->path, change->path, length) == 0 && other->path[length] == 0) {
            return false;
        }
    }
    return change->kind == COHORT_CHANGE_DELETED;
}

static bool is_news (const cohort_queue_t *self, const cohort_stream_t *stream,
                     const cohort_batch_t *batch)
{
    bool news = batch->reset != 0;
    for (size_t i = 0; i < batch->count && !news; i++) {
        news = stream == self->line.items
                   ? frees_item (self, batch, i)
                   : batch->changes[i].kind == COHORT_CHANGE_DELETED &&
                         strcmp (strrchr (batch->changes[i].path, '/'), "/due") == 0;
    }
    return news;
}

/* A stream that has ended for want of room; of the session's end the sentinel tells. */
static void stream_ended (cohort_queue_t *self, const cohort_stream_t *stream)
{
    int rc = cohort_stream_error (stream);
    if (rc != COHORT_ESESSIONEXPIRED) {
        queue_fail (self, rc);
    }
}

static void on_queue (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    cohort_queue_t *self = arg;
    recipe_enter (&self->guard);
    if (batch == NULL) {
        stream_ended (self, stream);
    } else if (is_news (self, stream, batch)) {
        queue_fill (self);
    }
    queue_leave (self);
}

static void on_ahead (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    cohort_queue_t *self = arg;
    recipe_enter (&self->guard);
    if (batch == NULL) {
        stream_ended (self, stream);
    } else {
        struct queue_line *line = &self->line;
        if (batch->snapshot && batch->first) {
            line->there = false;
        }
        for (size_t i = 0; i < batch->count; i++) {
            if (batch->changes[i].kind != COHORT_CHANGE_OWNER) {
                line->there = batch->changes[i].kind != COHORT_CHANGE_DELETED;
            }
        }
        if (!batch->more && !line->there) {
            cohort_stream_destroy (&self->line.ahead);
            look_at_line (self);
        }
    }
    queue_leave (self);
}

static cohort_stream_t *follow (cohort_queue_t *self, const char *path, int flags,
                                cohort_batch_fn *fn)
{
    cohort_stream_options_t options = {.size = sizeof (options),
                                       .flags = flags | COHORT_STREAM_NO_DATA};
    return cohort_stream_new_with (self->client, path, &options, fn, self);
}

/* Nobody is ahead that would look: it is for us to do. */
static void be_first (cohort_queue_t *self)
{
    struct queue_line *line = &self->line;
    line->items = follow (self, self->items, COHORT_STREAM_NO_SNAPSHOT, on_queue);
    line->delayed = follow (self, self->delayed, COHORT_STREAM_NO_SNAPSHOT, on_queue);
    if (line->items == NULL || line->delayed == NULL) {
        queue_fail (self, COHORT_ENOMEM);
        return;
    }
    line->place = QUEUE_FIRST;
    /* What came between the last look and the streams. */
    queue_fill (self);
}

static void be_behind (cohort_queue_t *self, const char *name)
{
    char *path = queue_path (self->waiting, name);
    self->line.ahead = path == NULL ? NULL : follow (self, path, 0, on_ahead);
    free (path);
    if (self->line.ahead == NULL) {
        queue_fail (self, COHORT_ENOMEM);
        return;
    }
    self->line.place = QUEUE_BEHIND;
}

/* ---- Requests ------------------------------------------------------------------------------ */

static int send_ticket (cohort_queue_t *self, struct line_call *call)
{
    char *path = queue_path (self->waiting, "w-");
    size_t size = 0;
    char *record = path == NULL ? NULL : record_own (&size);
    cohort_txn_t *txn = record == NULL ? NULL : cohort_txn_new ();
    if (txn == NULL) {
        free (record);
        free (path);
        return COHORT_ENOMEM;
    }
    int rc = call->whole ? recipe_txn_parents (txn, path) : 0;
    cohort_txn_create (txn, path, record, size, COHORT_EPHEMERAL | COHORT_SEQUENTIAL, NULL);
    free (record);
    free (path);
    rc = rc == 0 ? cohort_multi_async (self->client, txn, on_answer, call) : rc;
    cohort_txn_destroy (&txn);
    return rc;
}

static int send_ranking (cohort_queue_t *self, struct line_call *call)
{
    cohort_list_options_t options = {.size = sizeof (options),
                                     .flags = COHORT_LIST_STAT | COHORT_LIST_DESCENDING,
                                     .limit = QUEUE_FIRST_MAX,
                                     .prefix = "w-",
                                     .after = strrchr (self->line.ticket, '/') + 1};
    return cohort_list_async (self->client, self->waiting, &options, NULL, NULL, on_answer, call);
}

static void send (cohort_queue_t *self, struct line_call given)
{
    struct line_call *call = malloc (sizeof (*call));
    int rc = call == NULL ? COHORT_ENOMEM : 0;
    if (rc == 0) {
        *call = given;
        rc = call->ranking ? send_ranking (self, call) : send_ticket (self, call);
    }
    if (rc == 0) {
        recipe_call_begin (&self->calls, &call->base, self);
        return;
    }
    free (call);
    if (rc != COHORT_ESESSIONEXPIRED) {
        queue_fail (self, rc);
    }
}

static void look_at_line (cohort_queue_t *self)
{
    self->line.place = QUEUE_COMING;
    send (self, (struct line_call){.ranking = true});
}

void queue_line_join (cohort_queue_t *self)
{
    if (self->line.place == QUEUE_OUT) {
        self->line.place = QUEUE_COMING;
        send (self, (struct line_call){0});
    }
}

static const cohort_op_result_t *ticket_of (const cohort_result_t *result)
{
    const cohort_op_result_t *last =
        result->rc == 0 && result->ops_count > 0 ? &result->ops[result->ops_count - 1] : NULL;
    return last != NULL && last->path != NULL ? last : NULL;
}

static void ticket_made (cohort_queue_t *self, bool whole, const cohort_result_t *result)
{
    const cohort_op_result_t *made = ticket_of (result);
    if (made == NULL && result->rc == COHORT_ENONODE && !whole) {
        send (self, (struct line_call){.whole = true});
        return;
    }
    if (made == NULL) {
        self->line.place = QUEUE_OUT;
        if (result->rc != COHORT_ESESSIONEXPIRED) {
            queue_fail (self, result->rc != 0 ? result->rc : COHORT_EPROTOCOL);
        }
        return;
    }
    bool needed = self->line.place == QUEUE_COMING && self->line.ticket == NULL;
    if (!needed || queue_wanted (self) == 0) {
        self->line.place = needed ? QUEUE_OUT : self->line.place;
        (void) recipe_withdraw (self->client, made->path, made->stat.czxid);
        return;
    }
    self->line.ticket = recipe_copy (made->path, strlen (made->path));
    self->line.czxid = made->stat.czxid;
    if (self->line.ticket == NULL) {
        (void) recipe_withdraw (self->client, made->path, made->stat.czxid);
        queue_fail (self, COHORT_ENOMEM);
        return;
    }
    look_at_line (self);
}

static void ranked (cohort_queue_t *self, const cohort_result_t *result)
{
    if (self->line.place != QUEUE_COMING || self->line.ticket == NULL) {
        return;
    }
    if (result->rc != 0 && result->rc != COHORT_ENONODE) {
        if (result->rc != COHORT_ESESSIONEXPIRED) {
            queue_fail (self, result->rc);
        }
    } else if (result->listed_count < QUEUE_FIRST_MAX) {
        be_first (self);
    } else {
        be_behind (self, result->listed[result->listed_count - 1].name);
    }
}

static void on_answer (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct line_call *call = arg;
    cohort_queue_t *self = call->base.owner;
    if (self == NULL) {
        const cohort_op_result_t *made = ticket_of (result);
        if (made != NULL) {
            (void) recipe_withdraw (client, made->path, made->stat.czxid);
        }
        free (call);
        return;
    }
    recipe_enter (&self->guard);
    recipe_call_end (&call->base);
    if (call->ranking) {
        ranked (self, result);
    } else {
        ticket_made (self, call->whole, result);
    }
    free (call);
    queue_leave (self);
}

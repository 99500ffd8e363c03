/* A place in a line of contenders: see line.h. */

#include "line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A transaction that joins lines. Each of them may leave before the answer comes. */
struct line_join {
    size_t count;
    struct {
        struct line *line; /* NULL: it has left */
        size_t op;         /* the creation of its znode */
    } places[];
};

/* A record on its way. */
struct line_write {
    struct line *line; /* NULL: nobody waits for it any more */
    uint64_t generation;
};

static cohort_result_fn on_joined, on_written;
static cohort_batch_fn on_own, on_ahead;

/* ---- Leaving --------------------------------------------------------------------------------- */

/* Deletes the znode if it is still the one that was created by czxid. */
static int withdraw (cohort_t *client, const char *node, uint64_t czxid)
{
    cohort_txn_t *txn = cohort_txn_new ();
    if (txn == NULL) {
        return COHORT_ENOMEM;
    }
    cohort_txn_check_czxid (txn, node, czxid);
    cohort_txn_delete (txn, node, COHORT_ANY_VERSION);
    /* The first error of the functions above is the commit's. */
    int rc = cohort_multi_async (client, txn, NULL, NULL);
    cohort_txn_destroy (&txn);
    return rc;
}

static void watch_close (struct line_watch *watch)
{
    if (watch->stream != NULL) {
        cohort_stream_destroy (&watch->stream);
    }
    *watch = (struct line_watch){0};
}

static void drop_join (struct line *self)
{
    for (size_t i = 0; self->join != NULL && i < self->join->count; i++) {
        if (self->join->places[i].line == self) {
            self->join->places[i].line = NULL;
        }
    }
    self->join = NULL;
}

/* Forgets everything about the place, which is ours no more. */
static void close_place (struct line *self)
{
    watch_close (&self->own);
    watch_close (&self->ahead);
    line_look_drop (self);
    if (self->permits != NULL) {
        line_permits_drop (self);
    }
    drop_join (self);
    if (self->write != NULL) {
        self->write->line = NULL;
        self->write = NULL;
    }
    free (self->node);
    self->node = NULL;
    self->token = (cohort_token_t){0};
    self->session = 0;
    self->phase = LINE_OUT;
    self->ancestors = self->behind = self->followed = self->first_known = false;
    self->record.granted = self->record.shared = false;
    self->record.granted_ms = 0;
}

void line_forget (struct line *self)
{
    close_place (self);
}

int line_leave (struct line *self)
{
    int rc = self->node == NULL ? 0 : withdraw (self->client, self->node, self->token.czxid);
    /* With its session the znode goes in any case. */
    if (rc == 0 || rc == COHORT_ESESSIONEXPIRED) {
        close_place (self);
        rc = 0;
    }
    return rc;
}

void line_end (struct line *self, int rc)
{
    RECIPE_ASSERT (rc < 0);
    RECIPE_ASSERT (self->phase != LINE_OUT);
    /* If there is no memory for it the znode stays until the session ends. */
    (void) line_leave (self);
    close_place (self);
    self->owner->fn (self->owner, self, LINE_ENDED, rc);
}

/* The znode is another session's now: it is not for us to delete. */
static void given_away (struct line *self)
{
    close_place (self);
    self->owner->fn (self->owner, self, LINE_ENDED, COHORT_ENONODE);
}

/* ---- Joining --------------------------------------------------------------------------------- */

/* Containers that are missing on the way to the line, and the line itself. */
static void add_containers (const struct line *self, cohort_txn_t *txn, char *path)
{
    cohort_create_options_t options = {
        .size = sizeof (options), .mode = COHORT_CONTAINER, .if_absent = 1};
    for (char *slash = path + 1; self->ancestors && (slash = strchr (slash, '/')) != NULL;
         slash++) {
        *slash = 0;
        cohort_txn_create_with (txn, path, NULL, 0, &options);
        *slash = '/';
    }
    char text[LINE_PERMITS_SIZE] = "";
    if (self->permits != NULL) {
        line_permits_text (text, line_permits_count (self->permits));
    }
    cohort_txn_create_with (txn, path, text, strlen (text), &options);
}

/* Adds the creation of a place to the transaction. */
static int add_place (const struct line *self, cohort_txn_t *txn)
{
    size_t record_size = 0;
    size_t path_size = strlen (self->path) + LINE_NAME_SIZE;
    char *record = record_make (&self->record, &record_size);
    char *path = recipe_copy (self->path, strlen (self->path));
    char *node = malloc (path_size);
    int rc = COHORT_ENOMEM;
    if (record != NULL && path != NULL && node != NULL) {
        add_containers (self, txn, path);
        snprintf (node, path_size, "%s/%s", self->path, line_prefix (self->kind));
        rc = cohort_txn_create (txn, node, record, record_size,
                                COHORT_EPHEMERAL | COHORT_SEQUENTIAL, NULL);
    }
    free (node);
    free (path);
    free (record);
    return rc;
}

/* The transaction is sent, and behind it the first questions. */
static int send_join (struct line_join *join, const cohort_txn_t *txn)
{
    cohort_t *client = join->places[0].line->client;
    int rc = cohort_multi_async (client, txn, on_joined, join);
    if (rc != 0) {
        free (join);
        return rc;
    }
    for (size_t i = 0; i < join->count; i++) {
        struct line *line = join->places[i].line;
        line->phase = LINE_JOINING;
        line->join = join;
        line->generation++;
        line->stored = line->generation;
    }
    for (size_t i = 0; i < join->count && rc == 0; i++) {
        struct line *line = join->places[i].line;
        rc = line->permits != NULL ? line_permits_look (line) : line_look_first (line);
    }
    for (size_t i = 0; i < join->count && rc != 0; i++) {
        /* What has been sent is undone when its answer comes. */
        struct line *line = join->places[i].line;
        if (line != NULL) {
            close_place (line);
        }
    }
    return rc;
}

int line_join (struct line *const *lines, size_t count)
{
    RECIPE_ASSERT (count > 0);
    cohort_txn_t *txn = cohort_txn_new ();
    struct line_join *join = malloc (sizeof (*join) + count * sizeof (join->places[0]));
    if (txn == NULL || join == NULL) {
        free (join);
        if (txn != NULL) {
            cohort_txn_destroy (&txn);
        }
        return COHORT_ENOMEM;
    }
    int rc = 0;
    join->count = count;
    for (size_t i = 0; i < count && rc == 0; i++) {
        RECIPE_ASSERT (lines[i]->phase == LINE_OUT);
        rc = add_place (lines[i], txn);
        join->places[i].line = lines[i];
        join->places[i].op = cohort_txn_count (txn) - 1;
    }
    if (rc == 0) {
        rc = send_join (join, txn);
    } else {
        free (join);
    }
    cohort_txn_destroy (&txn);
    return rc;
}

/* Our znode is there: the stream on it tells when it goes, or the session. */
static void joined (struct line *self, const cohort_op_result_t *op)
{
    self->join = NULL;
    const char *slash = op->path == NULL ? NULL : strrchr (op->path, '/');
    enum line_kind kind;
    if (slash == NULL || !line_parse (slash + 1, &kind, &self->number) || kind != self->kind) {
        line_end (self, COHORT_EPROTOCOL);
        return;
    }
    self->token = (cohort_token_t){.czxid = op->stat.czxid, .ozxid = op->stat.ozxid};
    self->session = op->stat.ephemeral_owner;
    self->record.granted_ms = op->stat.ctime_ms;
    self->node = recipe_copy (op->path, strlen (op->path));
    if (self->node == NULL) {
        (void) withdraw (self->client, op->path, op->stat.czxid);
        line_end (self, COHORT_ENOMEM);
        return;
    }
    self->phase = LINE_LOOKING;
    self->own.stream = cohort_stream_new (self->client, self->node, on_own, self);
    if (self->own.stream == NULL) {
        line_end (self, COHORT_ENOMEM);
    }
}

/* The containers on the way to the line are missing: once more, with them. */
static int join_again (struct line_join *join)
{
    struct line **lines = malloc (join->count * sizeof (struct line *));
    if (lines == NULL) {
        return COHORT_ENOMEM;
    }
    size_t count = 0;
    for (size_t i = 0; i < join->count; i++) {
        struct line *line = join->places[i].line;
        if (line != NULL) {
            line_look_drop (line);
            if (line->permits != NULL) {
                line_permits_drop (line);
            }
            line->join = NULL;
            line->phase = LINE_OUT;
            line->ancestors = true;
            lines[count++] = line;
        }
    }
    int rc = line_join (lines, count);
    free (lines);
    return rc;
}

/* The owner may leave the others when it hears of the first. */
static void end_all (struct line_join *join, int rc)
{
    for (size_t i = 0; i < join->count; i++) {
        struct line *line = join->places[i].line;
        if (line != NULL) {
            line->join = join;
            line->phase = LINE_JOINING;
        }
    }
    for (size_t i = 0; i < join->count; i++) {
        struct line *line = join->places[i].line;
        if (line != NULL) {
            line_end (line, rc);
        }
    }
}

/* Nothing was created. */
static void refused (struct line_join *join, const struct line *one, int rc)
{
    if (rc == COHORT_ENONODE && !one->ancestors) {
        rc = join_again (join);
    }
    if (rc != 0) {
        end_all (join, rc);
    }
}

/* The answer for a place that was left meanwhile. */
static void undo (cohort_t *client, const cohort_op_result_t *op)
{
    if (op->path != NULL) {
        /* If there is no memory for it the znode stays until the session ends. */
        (void) withdraw (client, op->path, op->stat.czxid);
    }
}

static void take_results (cohort_t *client, struct line_join *join, const cohort_result_t *result)
{
    for (size_t i = 0; i < join->count; i++) {
        const cohort_op_result_t *op = &result->ops[join->places[i].op];
        struct line *line = join->places[i].line;
        if (line == NULL) {
            undo (client, op);
        } else {
            joined (line, op);
        }
    }
}

static struct line *any_line (const struct line_join *join)
{
    for (size_t i = 0; i < join->count; i++) {
        if (join->places[i].line != NULL) {
            return join->places[i].line;
        }
    }
    return NULL;
}

static void on_joined (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct line_join *join = arg;
    struct line *one = any_line (join);
    struct line_owner *owner = one == NULL ? NULL : one->owner;
    if (owner != NULL) {
        recipe_enter (&owner->guard);
    }
    bool whole = result->ops_count > join->places[join->count - 1].op;
    if (result->rc == 0 && whole) {
        take_results (client, join, result);
    } else if (owner != NULL) {
        refused (join, one, result->rc != 0 ? result->rc : COHORT_EPROTOCOL);
    }
    free (join);
    if (owner != NULL && recipe_leave (&owner->guard)) {
        owner->free (owner);
    }
}

/* ---- Who is ahead ---------------------------------------------------------------------------- */

static void granted (struct line *self)
{
    watch_close (&self->ahead);
    if (cohort_state (self->client) == COHORT_LOST ||
        cohort_session_id (self->client) != self->session) {
        /* Of the end of its session the streams are about to tell. */
        line_end (self, COHORT_ESESSIONEXPIRED);
        return;
    }
    self->phase = LINE_HELD;
    if (self->ahead_fn == NULL && (self->behind || self->followed)) {
        self->record.granted = true;
        self->record.granted_ms = 0;
        /* Without it the one behind has to look, and nobody sees since when. */
        (void) line_store (self);
    }
    self->owner->fn (self->owner, self, LINE_GRANTED, 0);
}

void line_behind (struct line *self)
{
    if (!self->behind) {
        self->behind = true;
        self->owner->fn (self->owner, self, LINE_BEHIND, 0);
    }
}

void line_found_none (struct line *self)
{
    granted (self);
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
    watch_close (&self->ahead);
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
        granted (self);
    } else {
        watch_close (&self->ahead);
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
        given_away (self);
    }
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

/* ---- The record ------------------------------------------------------------------------------ */

static int send_record (struct line *self, struct line_write *write)
{
    size_t size = 0;
    char *text = record_make (&self->record, &size);
    cohort_txn_t *txn = cohort_txn_new ();
    int rc = COHORT_ENOMEM;
    if (text != NULL && txn != NULL) {
        cohort_txn_check_czxid (txn, self->node, self->token.czxid);
        cohort_txn_set (txn, self->node, text, size, COHORT_ANY_VERSION);
        rc = cohort_multi_async (self->client, txn, on_written, write);
    }
    if (txn != NULL) {
        cohort_txn_destroy (&txn);
    }
    free (text);
    return rc;
}

/* Writes the record, unless a write is on its way, which is to come first. */
static int write_record (struct line *self)
{
    if (self->write != NULL) {
        return 0;
    }
    struct line_write *write = malloc (sizeof (*write));
    if (write == NULL) {
        return COHORT_ENOMEM;
    }
    *write = (struct line_write){.line = self, .generation = self->generation};
    int rc = send_record (self, write);
    if (rc == 0) {
        self->write = write;
    } else {
        free (write);
    }
    return rc;
}

int line_store (struct line *self)
{
    RECIPE_ASSERT (self->phase == LINE_HELD);
    self->generation++;
    int rc = write_record (self);
    if (rc != 0) {
        self->generation--;
    }
    return rc;
}

int line_downgrade (struct line *self)
{
    struct record earlier = self->record;
    self->record.granted = true; /* granted_ms is known, or will be when the write is answered */
    self->record.shared = true;
    int rc = line_store (self);
    if (rc != 0) {
        self->record = earlier;
    }
    return rc;
}

int line_give_back (struct line *self, int64_t count)
{
    RECIPE_ASSERT (count > 0 && count < self->record.count);
    self->record.count -= count;
    int rc = line_store (self);
    if (rc != 0) {
        self->record.count += count;
    }
    return rc;
}

static void written (struct line *self, uint64_t generation, const cohort_result_t *result)
{
    int rc = result->rc;
    if (rc == COHORT_ESESSIONEXPIRED) {
        line_end (self, rc);
        return;
    }
    if (rc == 0 && result->ops_count == 2 && self->record.granted_ms == 0) {
        self->record.granted_ms = result->ops[1].stat.mtime_ms;
    }
    /* If the znode has gone its stream tells so. */
    self->stored = generation;
    if (rc == 0 && self->stored != self->generation) {
        rc = write_record (self);
    }
    self->owner->fn (self->owner, self, LINE_STORED, rc);
}

static void on_written (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct line_write *write = arg;
    struct line *self = write->line;
    uint64_t generation = write->generation;
    free (write);
    if (self == NULL) {
        return;
    }
    struct line_owner *owner = self->owner;
    recipe_enter (&owner->guard);
    self->write = NULL;
    written (self, generation, result);
    if (recipe_leave (&owner->guard)) {
        owner->free (owner);
    }
}

/* ---- Life ------------------------------------------------------------------------------------ */

void line_init (struct line *self, struct line_owner *owner, cohort_t *client, const char *path,
                enum line_kind kind)
{
    *self = (struct line){.owner = owner, .client = client, .path = path, .kind = kind};
    record_init (&self->record);
}

int line_init_permits (struct line *self, struct line_owner *owner, cohort_t *client,
                       const char *path, int64_t permits)
{
    line_init (self, owner, client, path, LINE_PERMITS);
    self->permits = line_permits_new (permits);
    return self->permits == NULL ? COHORT_ENOMEM : 0;
}

void line_deinit (struct line *self)
{
    /* If there is no memory for it the znode stays until the session ends. */
    (void) line_leave (self);
    close_place (self);
    if (self->permits != NULL) {
        line_permits_destroy (&self->permits);
    }
    free ((void *) self->record.payload);
    self->record.payload = NULL;
    self->record.payload_size = 0;
}

int line_set_payload (struct line *self, const void *data, size_t size)
{
    void *copy = recipe_copy (data, size);
    if (copy == NULL) {
        return COHORT_ENOMEM;
    }
    free ((void *) self->record.payload);
    self->record.payload = copy;
    self->record.payload_size = size;
    return 0;
}

int line_replace_payload (struct line *self, const void *data, size_t size)
{
    struct record earlier = self->record;
    void *copy = recipe_copy (data, size);
    if (copy == NULL) {
        return COHORT_ENOMEM;
    }
    self->record.payload = copy;
    self->record.payload_size = size;
    int rc = line_store (self);
    if (rc == 0) {
        free ((void *) earlier.payload);
    } else {
        self->record = earlier;
        free (copy);
    }
    return rc;
}

bool line_valid (const struct line *self, int margin_ms)
{
    /* After a renewal that was not heard of yet the client speaks for another session. */
    return self->phase == LINE_HELD && cohort_session_id (self->client) == self->session &&
           cohort_valid_ms (self->client) > (margin_ms > 0 ? margin_ms : 0);
}

int line_guard (const struct line *self, cohort_txn_t *txn)
{
    return self->phase != LINE_HELD
               ? COHORT_ESTATE
               : cohort_txn_check_owner (txn, self->node, self->session, self->token.ozxid);
}

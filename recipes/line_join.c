/* How a place in a line is taken, and given up; see line.h.
 * May include: line.h, libc. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"

/* A transaction that joins lines. Each of them may leave before the answer comes. */
struct line_join {
    size_t count;
    struct {
        struct line *line; /* NULL: it has left */
        size_t first;      /* the creation of its first container */
        size_t op;         /* the creation of its znode */
    } places[];
};

static cohort_result_fn on_joined;

/* ---- Leaving --------------------------------------------------------------------------------- */

static void drop_join (struct line *self)
{
    for (size_t i = 0; self->join != NULL && i < self->join->count; i++) {
        if (self->join->places[i].line == self) {
            self->join->places[i].line = NULL;
        }
    }
    self->join = NULL;
}

void line_close (struct line *self)
{
    line_watch_close (&self->own);
    line_watch_close (&self->ahead);
    line_look_drop (self);
    if (self->permits != NULL) {
        line_permits_drop (self);
    }
    drop_join (self);
    line_write_drop (self);
    recipe_calls_forget (&self->asked);
    free (self->node);
    self->node = NULL;
    self->token = (cohort_token_t){0};
    self->session = 0;
    self->phase = LINE_OUT;
    self->behind = self->followed = self->first_known = false;
    self->record.granted = self->record.shared = false;
    self->record.granted_ms = 0;
}

void line_forget (struct line *self)
{
    line_close (self);
}

int line_leave (struct line *self)
{
    int rc = self->node == NULL ? 0 : recipe_withdraw (self->client, self->node, self->token.czxid);
    /* With its session the znode goes in any case. */
    if (rc == 0 || rc == COHORT_ESESSIONEXPIRED) {
        line_close (self);
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
    line_close (self);
    self->owner->fn (self->owner, self, LINE_ENDED, rc);
}

/* The znode is another session's now: it is not for us to delete. */
void line_given_away (struct line *self)
{
    line_close (self);
    self->owner->fn (self->owner, self, LINE_ENDED, COHORT_ENONODE);
}

/* ---- Joining --------------------------------------------------------------------------------- */

/* Containers on the way to the line, and the line itself: the servers remove empty ones, so they
 * may always be missing. */
static void add_containers (const struct line *self, cohort_txn_t *txn, char *path)
{
    cohort_create_options_t options = {
        .size = sizeof (options), .mode = COHORT_CONTAINER, .if_absent = 1};
    size_t level = 0;
    for (char *slash = path + 1; (slash = strchr (slash, '/')) != NULL; slash++, level++) {
        if (level >= self->given) {
            *slash = 0;
            cohort_txn_create_with (txn, path, NULL, 0, &options);
            *slash = '/';
        }
    }
    char text[LINE_PERMITS_SIZE] = "";
    if (self->permits != NULL) {
        line_permits_text (text, line_permits_count (self->permits));
    }
    if (level >= self->given) {
        cohort_txn_create_with (txn, path, text, strlen (text), &options);
    }
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
            line_close (line);
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
        join->places[i].first = cohort_txn_count (txn);
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
        (void) recipe_withdraw (self->client, op->path, op->stat.czxid);
        line_end (self, COHORT_ENOMEM);
        return;
    }
    self->phase = LINE_LOOKING;
    if (line_watch_own (self) != 0) {
        line_end (self, COHORT_ENOMEM);
    }
}

/* Once more, those that have not left. */
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

/* Who may not create a container may still find it there: the line does without it from now on.
 * False: that was not the reason. */
static bool do_without (struct line_join *join, const cohort_result_t *result)
{
    size_t op = 0;
    while (op < result->ops_count && result->ops[op].rc != COHORT_ENOAUTH) {
        op++;
    }
    for (size_t i = 0; i < join->count && op < result->ops_count; i++) {
        struct line *line = join->places[i].line;
        if (op >= join->places[i].first && op < join->places[i].op) {
            if (line != NULL) {
                line->given += op - join->places[i].first + 1;
            }
            return true;
        }
    }
    return false;
}

/* What one did without is not there: that is what it may not do. */
static int reason (struct line_join *join, int rc)
{
    for (size_t i = 0; i < join->count && rc == COHORT_ENONODE; i++) {
        struct line *line = join->places[i].line;
        if (line != NULL && line->given > 0) {
            line->given = 0;
            rc = COHORT_ENOAUTH;
        }
    }
    return rc;
}

/* Nothing was created. */
static void refused (struct line_join *join, const cohort_result_t *result)
{
    int rc = result->rc != 0 ? result->rc : COHORT_EPROTOCOL;
    rc = rc == COHORT_ENOAUTH && do_without (join, result) ? join_again (join) : reason (join, rc);
    if (rc != 0) {
        end_all (join, rc);
    }
}

/* The answer for a place that was left meanwhile. */
static void undo (cohort_t *client, const cohort_op_result_t *op)
{
    if (op->path != NULL) {
        /* If there is no memory for it the znode stays until the session ends. */
        (void) recipe_withdraw (client, op->path, op->stat.czxid);
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
        refused (join, result);
    }
    free (join);
    if (owner != NULL && recipe_leave (&owner->guard)) {
        owner->free (owner);
    }
}

/* A place in a line of contenders: its life, and the record that its znode carries; see line.h.
 * May include: line.h, libc. */

#include <stdlib.h>
#include <string.h>

#include "line.h"

/* A record on its way. */
struct line_write {
    struct line *line; /* NULL: nobody waits for it any more */
    uint64_t generation;
};

static cohort_result_fn on_written;

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

void line_write_drop (struct line *self)
{
    if (self->write != NULL) {
        self->write->line = NULL;
        self->write = NULL;
    }
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
    line_close (self);
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

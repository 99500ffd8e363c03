/* How a queue finds items and claims them: see queue_private.h.
 *
 * A look is two lists: the delayed items whose time is due soonest, and the first page of the
 * items; further pages only if everything before is claimed. The znodes tell without their data: a
 * delayed item without a child is due and is moved to the items, an item without a child is free.
 *
 * A claim is the creation of the mark below the item. It fails if another was faster, or if the
 * item is done; the read of the item is sent together with it. Who was not fast enough looks again,
 * and the more often that happened the more places it passes over, so that a crowd spreads. May
 * include: queue_private.h, libc. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue_private.h"
#include "record.h"

/* Names that are listed at once. */
#define PAGE_MAX 128
/* Delayed items that are looked at; those that are due are the first ones. */
#define DUE_MAX 16
/* Places that are passed over at most: 2 to the power of it, less one. */
#define CONFLICTS_MAX 6

enum look_step { LOOK_DELAYED, LOOK_ITEMS, LOOK_DUE, LOOK_MOVE, LOOK_CLAIM };

struct look_call {
    struct recipe_call base; /* its owner is the queue */
    enum look_step step;
    int answers; /* CLAIM: that are still to come */
    bool claimed;
    int rc;              /* CLAIM: why it was refused */
    cohort_item_t *item; /* CLAIM */
    char *path;          /* CLAIM: of the mark; DUE, MOVE: of the delayed item */
};

static cohort_result_fn on_answer;

static struct look_call *call_new (enum look_step step)
{
    struct look_call *call = malloc (sizeof (*call));
    if (call != NULL) {
        *call = (struct look_call){.step = step, .answers = 1};
    }
    return call;
}

static void call_free (struct look_call *call)
{
    queue_item_free (call->item);
    free (call->path);
    free (call);
}

/* A request that could not be sent. The end of the session is told by the sentinel. */
static void not_sent (cohort_queue_t *self, int rc)
{
    self->looking = false;
    if (rc != COHORT_ESESSIONEXPIRED) {
        queue_fail (self, rc);
    }
}

/* ---- Claims -------------------------------------------------------------------------------- */

/* 0: the call is on its way, or was given back with what it holds. */
static int send_claim (cohort_queue_t *self, struct look_call *call)
{
    call->path = queue_mark (call->item->path);
    if (call->path == NULL) {
        return COHORT_ENOMEM;
    }
    size_t size = 0;
    char *record = record_own (&size);
    if (record == NULL) {
        return COHORT_ENOMEM;
    }
    int rc = cohort_create_async (self->client, call->path, record, size, COHORT_EPHEMERAL, NULL,
                                  on_answer, call);
    free (record);
    if (rc != 0) {
        return rc;
    }
    if (cohort_get_async (self->client, call->item->path, NULL, NULL, on_answer, call) == 0) {
        call->answers++;
    }
    recipe_call_begin (&self->calls, &call->base, self);
    self->claiming++;
    return 0;
}

static int claim (cohort_queue_t *self, const char *name)
{
    struct look_call *call = call_new (LOOK_CLAIM);
    if (call == NULL) {
        return COHORT_ENOMEM;
    }
    call->item = malloc (sizeof (*call->item));
    if (call->item == NULL) {
        call_free (call);
        return COHORT_ENOMEM;
    }
    *call->item = (cohort_item_t){.queue = self, .priority = queue_priority (name)};
    call->item->path = queue_path (self->items, name);
    int rc = call->item->path == NULL ? COHORT_ENOMEM : send_claim (self, call);
    if (rc != 0) {
        call_free (call);
    }
    return rc;
}

/* What was read of an item that is claimed. */
static int fill_item (cohort_item_t *item, const cohort_result_t *result)
{
    item->content = recipe_copy (result->data, result->size);
    if (item->content == NULL) {
        return COHORT_ENOMEM;
    }
    /* One change of the list of children for each coming and going of a mark: now it is there. */
    item->attempt = (result->stat->cversion + 1) / 2;
    return queue_parse (item, result->size) ? 0 : COHORT_ECORRUPT;
}

/* The second answer of a claim that was successful. */
static void claim_read (cohort_queue_t *self, struct look_call *call, const cohort_result_t *result)
{
    int rc = result->rc;
    if (rc == 0) {
        rc = result->stat == NULL ? COHORT_EPROTOCOL : fill_item (call->item, result);
    }
    if (rc == 0) {
        cohort_item_t *item = call->item;
        call->item = NULL;
        queue_add_ready (self, item);
        return;
    }
    if (rc == COHORT_ECORRUPT) {
        /* The mark stays, so that nobody else stumbles over it. */
        cohort_queue_event_t event = {.kind = COHORT_QUEUE_BAD, .rc = rc, .path = call->item->path};
        if (queue_report (self, event)) {
            queue_fill (self);
        }
        return;
    }
    (void) recipe_withdraw (self->client, call->path, call->item->token.czxid);
    if (rc == COHORT_ENONODE) {
        queue_fill (self);
    } else if (rc != COHORT_ESESSIONEXPIRED) {
        queue_fail (self, rc);
    }
}

static void claim_failed (cohort_queue_t *self, int rc)
{
    if (rc == COHORT_ENODEEXISTS || rc == COHORT_ENONODE) {
        self->conflicts += self->conflicts < CONFLICTS_MAX;
        queue_fill (self);
    } else if (rc != COHORT_ESESSIONEXPIRED) {
        queue_fail (self, rc);
    }
}

static void claim_answered (cohort_queue_t *self, struct look_call *call,
                            const cohort_result_t *result, bool last)
{
    if (call->claimed) {
        claim_read (self, call, result);
        return;
    }
    if (call->rc == 0 && result->rc == 0 && result->stat != NULL) {
        self->conflicts = 0;
        call->claimed = true;
        call->item->session = result->stat->ephemeral_owner;
        call->item->token = (cohort_token_t){result->stat->czxid, result->stat->ozxid};
        if (last) {
            /* There was no memory for the read. */
            claim_read (self, call, &(cohort_result_t){.rc = COHORT_ENOMEM});
        }
        return;
    }
    if (call->rc == 0) {
        call->rc = result->rc != 0 ? result->rc : COHORT_EPROTOCOL;
    }
    if (last) {
        claim_failed (self, call->rc);
    }
}

/* ---- Delayed items that are due ------------------------------------------------------------ */

static void look_at_due (cohort_queue_t *self, const char *name)
{
    struct look_call *call = call_new (LOOK_DUE);
    if (call != NULL) {
        call->path = queue_path (self->delayed, name);
    }
    int rc = call == NULL || call->path == NULL ? COHORT_ENOMEM : 0;
    if (rc == 0) {
        rc = cohort_get_async (self->client, call->path, NULL, NULL, on_answer, call);
    }
    if (rc == 0) {
        recipe_call_begin (&self->calls, &call->base, self);
        return;
    }
    if (call != NULL) {
        call_free (call);
    }
    /* It stays where it is, for the next look. */
}

/* Moves a delayed item to the end of its priority, unless another was faster. True: sent. */
static bool move_due (cohort_queue_t *self, struct look_call *call, const cohort_result_t *result)
{
    char name[32];
    const char *digits = strrchr (call->path, '/') + 1;
    if (result->rc != 0 || result->stat == NULL || result->stat->child_count > 0) {
        return false;
    }
    snprintf (name, sizeof (name), "%04d-", queue_priority (strchr (digits, '-') + 1));
    char *path = queue_path (self->items, name);
    cohort_txn_t *txn = path == NULL ? NULL : cohort_txn_new ();
    if (txn == NULL) {
        free (path);
        return false;
    }
    cohort_txn_check_czxid (txn, call->path, result->stat->czxid);
    cohort_txn_delete (txn, call->path, result->stat->version);
    recipe_txn_ensure (txn, self->items, NULL, 0, COHORT_PERSISTENT);
    cohort_txn_create (txn, path, result->data, result->size, COHORT_PERSISTENT | COHORT_SEQUENTIAL,
                       NULL);
    free (path);
    call->step = LOOK_MOVE;
    int rc = cohort_multi_async (self->client, txn, on_answer, call);
    cohort_txn_destroy (&txn);
    return rc == 0;
}

static void delayed_listed (cohort_queue_t *self, const cohort_result_t *result)
{
    for (size_t i = 0; result->rc == 0 && i < result->listed_count; i++) {
        const cohort_child_t *child = &result->listed[i];
        if (child->stat.child_count == 0 && queue_is_delayed (child->name)) {
            look_at_due (self, child->name);
        }
    }
}

/* ---- Items --------------------------------------------------------------------------------- */

static int list_items (cohort_queue_t *self, const char *after)
{
    cohort_list_options_t options = {
        .size = sizeof (options), .flags = COHORT_LIST_STAT, .limit = PAGE_MAX, .after = after};
    struct look_call *call = call_new (LOOK_ITEMS);
    if (call == NULL) {
        return COHORT_ENOMEM;
    }
    int rc = cohort_list_async (self->client, self->items, &options, NULL, NULL, on_answer, call);
    if (rc != 0) {
        call_free (call);
        return rc;
    }
    recipe_call_begin (&self->calls, &call->base, self);
    return 0;
}

static int list_delayed (cohort_queue_t *self)
{
    cohort_list_options_t options = {
        .size = sizeof (options), .flags = COHORT_LIST_STAT, .limit = DUE_MAX};
    struct look_call *call = call_new (LOOK_DELAYED);
    if (call == NULL) {
        return COHORT_ENOMEM;
    }
    int rc = cohort_list_async (self->client, self->delayed, &options, NULL, NULL, on_answer, call);
    if (rc != 0) {
        call_free (call);
        return rc;
    }
    recipe_call_begin (&self->calls, &call->base, self);
    return 0;
}

static bool is_free (const cohort_child_t *child)
{
    return child->stat.child_count == 0 && queue_is_item (child->name);
}

/* How many free items of a page to leave to others. */
static size_t passed_over (cohort_queue_t *self, const cohort_result_t *result, size_t wanted)
{
    size_t count = 0;
    for (size_t i = 0; i < result->listed_count; i++) {
        count += is_free (&result->listed[i]);
    }
    if (self->conflicts == 0 || count <= wanted) {
        return 0;
    }
    /* Knuth's generator: who disturbs whom decides, not how good it is. */
    self->random = self->random * 6364136223846793005U + 1442695040888963407U;
    size_t places = (size_t) (self->random >> 33) & (((size_t) 1 << self->conflicts) - 1);
    return places < count - wanted ? places : count - wanted;
}

static void items_listed (cohort_queue_t *self, const cohort_result_t *result)
{
    if (result->rc != 0 && result->rc != COHORT_ENONODE) {
        not_sent (self, result->rc);
        return;
    }
    size_t wanted = queue_wanted (self), claimed = 0;
    if (wanted == 0) {
        self->looking = false;
        return;
    }
    size_t skip = passed_over (self, result, wanted);
    int rc = 0;
    for (size_t i = 0; i < result->listed_count && claimed < wanted && rc == 0; i++) {
        if (is_free (&result->listed[i]) && skip > 0) {
            skip--;
        } else if (is_free (&result->listed[i])) {
            rc = claim (self, result->listed[i].name);
            claimed += rc == 0;
        }
    }
    if (rc == 0 && claimed == 0 && result->next != NULL) {
        rc = list_items (self, result->next);
        if (rc == 0) {
            return;
        }
    }
    if (rc != 0) {
        not_sent (self, rc);
        return;
    }
    self->looking = false;
    self->more = result->next != NULL || claimed == wanted;
    if (claimed == 0 && !self->look_again) {
        self->conflicts = 0;
        queue_line_join (self);
    } else if (self->look_again) {
        queue_fill (self);
    }
}

int queue_look (cohort_queue_t *self)
{
    if (self->guard.destroyed || self->error != 0 || self->sentinel == NULL) {
        return 0;
    }
    if (queue_wanted (self) == 0) {
        if (self->claiming == 0) {
            queue_line_leave (self);
        }
        return 0;
    }
    if (self->looking) {
        self->look_again = true;
        return 0;
    }
    self->look_again = false;
    int rc = list_delayed (self);
    rc = rc == 0 ? list_items (self, NULL) : rc;
    self->looking = rc == 0;
    return rc == COHORT_ESESSIONEXPIRED ? 0 : rc;
}

void queue_fill (cohort_queue_t *self)
{
    int rc = queue_look (self);
    if (rc != 0) {
        queue_fail (self, rc);
    }
}

/* ---- Answers ------------------------------------------------------------------------------- */

/* The answer to what nobody waits for any more: a claim is given up. */
static void give_up (cohort_t *client, const struct look_call *call, const cohort_result_t *result)
{
    if (call->step != LOOK_CLAIM || result->rc == COHORT_ESESSIONEXPIRED) {
        return;
    }
    /* The mark has just been made, or was before it was given up; the item itself has no owner. */
    uint64_t czxid = call->claimed ? call->item->token.czxid : 0;
    if (result->rc == 0 && result->stat != NULL && result->stat->ephemeral_owner != 0) {
        czxid = result->stat->czxid;
    }
    if (czxid != 0) {
        /* If there is no memory for it the item is free again when the session ends. */
        (void) recipe_withdraw (client, call->path, czxid);
    }
}

/* True: the call has been used for a further request. */
static bool answered (cohort_queue_t *self, struct look_call *call, const cohort_result_t *result)
{
    switch (call->step) {
    case LOOK_DELAYED:
        delayed_listed (self, result);
        return false;
    case LOOK_ITEMS:
        items_listed (self, result);
        return false;
    case LOOK_DUE:
        return move_due (self, call, result);
    case LOOK_MOVE:
        if (result->rc == 0) {
            queue_fill (self);
        }
        return false;
    case LOOK_CLAIM:
        claim_answered (self, call, result, call->answers == 0);
        return false;
    }
    return false;
}

static void on_answer (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct look_call *call = arg;
    cohort_queue_t *self = call->base.owner;
    bool last = --call->answers == 0;
    if (self == NULL) {
        give_up (client, call, result);
        if (last) {
            call_free (call);
        }
        return;
    }
    recipe_enter (&self->guard);
    if (last) {
        recipe_call_end (&call->base);
        self->claiming -= call->step == LOOK_CLAIM;
    }
    if (answered (self, call, result)) {
        call->answers = 1;
        recipe_call_begin (&self->calls, &call->base, self);
    } else if (last) {
        call_free (call);
    }
    queue_leave (self);
}

/* Names that one of several servers has at a time: the recipe behind cohort/claim.h; see
 * claim_private.h for its parts.
 *
 * Every claim refers to the owner's znode, which one stream follows. When that goes all claims are
 * void, for everybody, in that moment; nothing is to be written. Claims that were on their way are
 * undone when their answers come.
 *
 * Handlers may destroy any claim and all of them. What is destroyed is freed when nobody is inside
 * any more, and a list of claims that is worked off is emptied from its front.
 * May include: claim_private.h, libc. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claim_private.h"

static cohort_result_fn on_taken;

/* ---- Lists and lives ------------------------------------------------------------------------- */

static void claim_link (cohort_claim_t *self, cohort_claim_t **list)
{
    self->next = *list;
    self->link = list;
    if (self->next != NULL) {
        self->next->link = &self->next;
    }
    *list = self;
}

static void claim_unlink (cohort_claim_t *self)
{
    *self->link = self->next;
    if (self->next != NULL) {
        self->next->link = self->link;
    }
}

void claim_move (cohort_claim_t *self, cohort_claim_t **list)
{
    claim_unlink (self);
    claim_link (self, list);
}

static void claims_free (cohort_claims_t *self)
{
    free (self->path);
    free (self->inbox_path);
    free (self->owner.path);
    free (self);
}

void claims_enter (cohort_claims_t *self)
{
    recipe_enter (&self->guard);
}

void claims_leave (cohort_claims_t *self)
{
    RECIPE_ASSERT (self->guard.depth > 0);
    if (--self->guard.depth > 0) {
        return;
    }
    while (self->graves != NULL) {
        cohort_claim_t *claim = self->graves;
        claim_unlink (claim);
        free (claim->data);
        free (claim);
    }
    if (self->guard.destroyed && self->all == NULL && self->work == NULL) {
        claims_free (self);
    }
}

void claim_report (cohort_claim_t *self, cohort_claim_event_t event)
{
    event.name = self->name;
    if (self->fn != NULL && !self->guard.destroyed && !self->claims->guard.destroyed) {
        self->fn (self, &event, self->arg);
    }
}

/* Nothing is held, and nothing on its way any more. */
static void claim_stop (cohort_claim_t *self)
{
    if (self->phase == CLAIM_HELD) {
        (void) nodemap_take (&self->claims->held, self->entry.path);
        claims_forget (self->claims, self);
    }
    if (self->contest != NULL) {
        contest_end (self);
    }
    recipe_calls_forget (&self->calls);
    self->phase = CLAIM_IDLE;
    self->token = (cohort_token_t){0};
    self->deadline_ms = 0;
}

void claim_end (cohort_claim_t *self, int rc, const cohort_claim_holder_t *holder)
{
    RECIPE_ASSERT (rc < 0);
    cohort_claim_event_t event = {.kind = self->phase == CLAIM_HELD ? COHORT_CLAIM_REVOKED
                                                                    : COHORT_CLAIM_FAILED,
                                  .rc = rc,
                                  .token = self->token,
                                  .holder = holder};
    claim_stop (self);
    self->error = rc;
    claim_report (self, event);
}

cohort_claim_holder_t claim_holder (const struct claim_text *text, cohort_token_t token,
                                    int64_t since_ms)
{
    return (cohort_claim_holder_t){.owner = text->owner,
                                   .token = token,
                                   .host = text->host,
                                   .pid = text->pid,
                                   .since_ms = since_ms,
                                   .data = text->payload,
                                   .size = text->payload_size};
}

cohort_claim_t *claim_find (cohort_claims_t *self, const char *path)
{
    struct nodemap_entry *entry = nodemap_find (&self->held, path);
    return entry == NULL ? NULL : nodemap_owner (entry, cohort_claim_t, entry);
}

char *claim_path (const cohort_claims_t *self, const char *middle, const char *name)
{
    size_t size = strlen (self->path) + strlen (middle) + strlen (name) + 3;
    char *path = malloc (size);
    if (path != NULL) {
        snprintf (path, size, "%s/%s/%s", self->path, middle, name);
    }
    return path;
}

/* ---- Taking ---------------------------------------------------------------------------------- */

void claim_add_owner (const cohort_claims_t *self, cohort_txn_t *txn)
{
    cohort_txn_check_owner (txn, self->owner.path, self->session, self->ozxid);
}

int claim_add_create (cohort_claim_t *self, cohort_txn_t *txn)
{
    cohort_claims_t *claims = self->claims;
    struct claim_text text = {.owner = claims->owner.path,
                              .czxid = claims->czxid,
                              .payload = self->data,
                              .payload_size = self->size};
    size_t size = 0;
    claim_text_here (&text, claims->host);
    char *data = claim_text_make (&text, &size);
    if (data == NULL) {
        return COHORT_ENOMEM;
    }
    int rc = cohort_txn_create (txn, self->entry.path, data, size, COHORT_PERSISTENT, NULL);
    free (data);
    return rc;
}

int claim_send (cohort_claim_t *self, cohort_txn_t *txn)
{
    struct claim_call *call = txn == NULL ? NULL : malloc (sizeof (*call));
    int rc = COHORT_ENOMEM;
    if (call != NULL) {
        *call = (struct claim_call){.op = cohort_txn_count (txn) - 1};
        /* The first error of what was added is the commit's. */
        rc = cohort_multi_async (self->claims->client, txn, on_taken, call);
    }
    if (rc == 0) {
        recipe_call_begin (&self->calls, &call->base, self);
    } else {
        free (call);
    }
    if (txn != NULL) {
        cohort_txn_destroy (&txn);
    }
    return rc;
}

/* Creates the claim, if it is free and nobody waits for it. */
static int claim_try (cohort_claim_t *self)
{
    cohort_txn_t *txn = cohort_txn_new ();
    char *line = claim_path (self->claims, CLAIM_WAITING, self->name);
    int rc = txn == NULL || line == NULL ? COHORT_ENOMEM : 0;
    if (rc == 0) {
        claim_add_owner (self->claims, txn);
        if (self->policy != COHORT_CLAIM_KICK) {
            cohort_txn_check_absent (txn, line);
        }
        if (self->parents) {
            rc = recipe_txn_parents (txn, self->entry.path);
        }
        rc = rc == 0 ? claim_add_create (self, txn) : rc;
    }
    free (line);
    if (rc != 0) {
        if (txn != NULL) {
            cohort_txn_destroy (&txn);
        }
        return rc;
    }
    self->phase = CLAIM_TRYING;
    return claim_send (self, txn);
}

void claim_go (cohort_claim_t *self)
{
    int rc = claim_try (self);
    if (rc != 0) {
        claim_end (self, rc, NULL);
    }
}

static void claim_granted (cohort_claim_t *self, const cohort_op_result_t *op)
{
    if (self->contest != NULL) {
        contest_won (self);
    }
    claim_stop (self);
    cohort_claims_t *claims = self->claims;
    self->token = (cohort_token_t){.czxid = op->stat.czxid, .ozxid = op->stat.ozxid};
    int rc = claim_follow (self);
    if (rc != 0) {
        self->token = (cohort_token_t){0};
        (void) recipe_withdraw (claims->client, self->entry.path, op->stat.czxid);
        claim_end (self, rc, NULL);
        return;
    }
    self->phase = CLAIM_HELD;
    self->error = 0;
    struct nodemap_entry *before = nodemap_put (&claims->held, &self->entry);
    if (before != NULL) {
        /* Another one of this owner, whose end has not been heard of. */
        cohort_claim_t *other = nodemap_owner (before, cohort_claim_t, entry);
        claims_forget (claims, other);
        cohort_token_t token = other->token;
        recipe_calls_forget (&other->calls);
        other->phase = CLAIM_IDLE;
        other->token = (cohort_token_t){0};
        other->error = COHORT_EFENCED;
        claim_report (other, (cohort_claim_event_t){.kind = COHORT_CLAIM_REVOKED,
                                                    .rc = COHORT_EFENCED,
                                                    .token = token});
    }
    if (self->phase == CLAIM_HELD && self->token.czxid == op->stat.czxid) {
        claim_report (self,
                      (cohort_claim_event_t){.kind = COHORT_CLAIM_GRANTED, .token = self->token});
    }
    if (!self->guard.destroyed && !claims->guard.destroyed && self->phase == CLAIM_HELD) {
        claims_granted (claims, self);
    }
}

/* The first try was. */
static void try_refused (cohort_claim_t *self, const cohort_result_t *result, size_t op)
{
    bool missing = result->ops_count > op && result->ops[op].rc == COHORT_ENONODE;
    bool line = result->ops_count > 1 && result->ops[1].rc == COHORT_ENODEEXISTS && op != 1;
    int rc = result->rc;
    if (missing && !self->parents) {
        self->parents = true;
        rc = claim_try (self);
    } else if (rc == COHORT_ENODEEXISTS) {
        rc = contest_begin (self, line || self->policy == COHORT_CLAIM_WAIT);
    }
    if (rc != 0) {
        claim_end (self, rc, NULL);
    }
}

static void on_taken (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct claim_call *call = arg;
    cohort_claim_t *self = call->base.owner;
    size_t op = call->op;
    recipe_call_end (&call->base);
    free (call);
    bool whole = result->ops_count > op;
    if (self == NULL) {
        if (result->rc == 0 && whole) {
            /* If there is no memory for it the claim stays as long as its owner. */
            (void) recipe_withdraw (client, result->ops[op].path, result->ops[op].stat.czxid);
        }
        return;
    }
    cohort_claims_t *claims = self->claims;
    claims_enter (claims);
    if (result->rc == 0 && whole) {
        claim_granted (self, &result->ops[op]);
    } else if (result->rc == 0 || result->rc == COHORT_ESESSIONEXPIRED) {
        claim_end (self, result->rc == 0 ? COHORT_EPROTOCOL : result->rc, NULL);
    } else if (self->phase == CLAIM_CONTESTED) {
        contest_refused (self, result);
    } else {
        try_refused (self, result, op);
    }
    claims_leave (claims);
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* Whether a path is one, as far as it concerns what is made of it here. */
static bool is_path (const char *path)
{
    return path[0] == '/' && path[1] != 0 && path[strlen (path) - 1] != '/' &&
           strchr (path, '\n') == NULL;
}

cohort_claims_t *cohort_claims_new (cohort_t *client, const char *path, const char *owner)
{
    bool valid =
        client != NULL && path != NULL && owner != NULL && is_path (path) && is_path (owner);
    cohort_claims_t *self = valid ? malloc (sizeof (*self)) : NULL;
    if (self == NULL) {
        return NULL;
    }
    *self = (cohort_claims_t){.client = client};
    self->path = recipe_copy (path, strlen (path));
    self->owner.path = recipe_copy (owner, strlen (owner));
    if (self->path == NULL || self->owner.path == NULL || claims_open (self, true) != 0) {
        claims_free (self);
        return NULL;
    }
    return self;
}

void cohort_claims_destroy (cohort_claims_t **self_p)
{
    cohort_claims_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->guard.destroyed);
    claims_enter (self);
    self->guard.destroyed = true;
    claims_close_inbox (self);
    if (self->owner.stream != NULL) {
        cohort_stream_destroy (&self->owner.stream);
    }
    for (int i = 0; i < 2; i++) {
        for (cohort_claim_t *claim = i == 0 ? self->all : self->work; claim != NULL;
             claim = claim->next) {
            claim_stop (claim);
        }
    }
    claims_leave (self);
}

size_t cohort_claims_count (cohort_claims_t *self)
{
    return self->held.count;
}

int cohort_claims_verify (cohort_claims_t *self)
{
    int rc = 0;
    for (struct nodemap_entry *entry = nodemap_first (&self->held); entry != NULL && rc == 0;
         entry = nodemap_next (entry)) {
        rc = claim_verify (nodemap_owner (entry, cohort_claim_t, entry));
    }
    return rc;
}

cohort_claim_t *cohort_claim_new (cohort_claims_t *claims, const char *name, const void *data,
                                  size_t size)
{
    bool valid = claims != NULL && name != NULL && name[0] != 0 && strpbrk (name, "/\n") == NULL &&
                 strcmp (name, CLAIM_WAITING) != 0 && strcmp (name, CLAIM_ASKED) != 0 &&
                 (data != NULL || size == 0);
    if (!valid || claims->guard.destroyed) {
        return NULL;
    }
    size_t path_size = strlen (claims->path) + strlen (name) + 2;
    char *path = malloc (path_size);
    if (path == NULL) {
        return NULL;
    }
    snprintf (path, path_size, "%s/%s", claims->path, name);
    size_t links_size = nodemap_levels (path) * sizeof (struct nodemap_entry *);
    cohort_claim_t *self = malloc (sizeof (*self) + links_size + path_size);
    void *copy = recipe_copy (data, size);
    if (self == NULL || copy == NULL) {
        free (self);
        self = NULL;
        free (copy);
    } else {
        *self = (cohort_claim_t){.claims = claims, .data = copy, .size = size};
        self->entry.next = (struct nodemap_entry **) (void *) (self + 1);
        char *own = (char *) (self + 1) + links_size;
        memcpy (own, path, path_size);
        self->entry.path = own;
        self->name = own + strlen (claims->path) + 1;
        claim_link (self, &claims->all);
    }
    free (path);
    return self;
}

void cohort_claim_destroy (cohort_claim_t **self_p)
{
    cohort_claim_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->guard.destroyed);
    cohort_claims_t *claims = self->claims;
    claims_enter (claims);
    if (!claims->guard.destroyed && self->phase == CLAIM_HELD) {
        /* If there is no memory for it the claim stays as long as its owner. */
        (void) recipe_withdraw (claims->client, self->entry.path, self->token.czxid);
    }
    claim_stop (self);
    self->guard.destroyed = true;
    claim_move (self, &claims->graves);
    claims_leave (claims);
}

void cohort_claim_set_handler (cohort_claim_t *self, cohort_claim_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

/* ---- The public functions of one ------------------------------------------------------------- */

int cohort_claim_take (cohort_claim_t *self, cohort_claim_policy_t policy, int grace_ms)
{
    cohort_claims_t *claims = self->claims;
    if (policy < COHORT_CLAIM_REJECT || policy > COHORT_CLAIM_KICK || grace_ms < 0) {
        return COHORT_EINVAL;
    }
    if (claims->guard.destroyed) {
        return COHORT_ECLOSING;
    }
    if (self->phase != CLAIM_IDLE) {
        return COHORT_ESTATE;
    }
    int rc = claims->owner.stream == NULL ? claims_open (claims, true) : 0;
    if (rc != 0) {
        return rc;
    }
    self->policy = policy;
    self->grace_ms = grace_ms;
    self->parents = false;
    self->error = 0;
    self->phase = CLAIM_PENDING;
    if (claims->session != 0) {
        rc = claim_try (self);
    }
    if (rc == COHORT_ESESSIONEXPIRED) {
        /* Of that the owner's stream is about to tell. */
        self->phase = CLAIM_PENDING;
        rc = 0;
    } else if (rc != 0) {
        self->phase = CLAIM_IDLE;
    }
    return rc;
}

static int is_granted (void *arg)
{
    const cohort_claim_t *self = arg;
    if (self->claims->guard.destroyed) {
        return COHORT_ECLOSING;
    }
    if (self->phase == CLAIM_IDLE) {
        return self->error != 0 ? self->error : COHORT_ESTATE;
    }
    return self->phase == CLAIM_HELD;
}

int cohort_claim_wait (cohort_claim_t *self, int timeout_ms)
{
    cohort_claims_t *claims = self->claims;
    cohort_t *client = claims->client;
    claims_enter (claims);
    recipe_enter (&self->guard);
    int rc = recipe_wait (client, &self->guard, timeout_ms, is_granted, self);
    if (rc == COHORT_ETIMEDOUT && !self->guard.destroyed) {
        int withdrawn = cohort_claim_yield (self);
        rc = withdrawn != 0 ? withdrawn : rc;
    }
    (void) recipe_leave (&self->guard);
    claims_leave (claims);
    return rc;
}

int cohort_claim_yield (cohort_claim_t *self)
{
    cohort_claims_t *claims = self->claims;
    if (claims->guard.destroyed) {
        return COHORT_ECLOSING;
    }
    if (self->phase == CLAIM_IDLE) {
        return COHORT_ESTATE;
    }
    int rc = 0;
    if (self->phase == CLAIM_HELD) {
        rc = recipe_withdraw (claims->client, self->entry.path, self->token.czxid);
    }
    /* With its owner's session it is void in any case. */
    if (rc == 0 || rc == COHORT_ESESSIONEXPIRED) {
        claim_stop (self);
        self->error = 0;
        rc = 0;
    }
    return rc;
}

int cohort_claim_held (cohort_claim_t *self)
{
    return self->phase == CLAIM_HELD;
}

int cohort_claim_valid (cohort_claim_t *self, int margin_ms)
{
    cohort_claims_t *claims = self->claims;
    int64_t margin = margin_ms > 0 ? margin_ms : 0;
    /* After a renewal that was not heard of yet the client speaks for another session. */
    return self->phase == CLAIM_HELD && cohort_session_id (claims->client) == claims->session &&
           cohort_valid_ms (claims->client) > margin &&
           (self->deadline_ms == 0 || self->deadline_ms - recipe_clock (NULL) > margin);
}

cohort_token_t cohort_claim_token (cohort_claim_t *self)
{
    return self->token;
}

int cohort_claim_guard (cohort_claim_t *self, cohort_txn_t *txn)
{
    if (self->phase != CLAIM_HELD) {
        return COHORT_ESTATE;
    }
    claim_add_owner (self->claims, txn);
    return cohort_txn_check_czxid (txn, self->entry.path, self->token.czxid);
}

const char *cohort_claim_name (cohort_claim_t *self)
{
    return self->name;
}

const char *cohort_claim_path (cohort_claim_t *self)
{
    return self->entry.path;
}

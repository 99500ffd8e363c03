/* How a name is taken that another one has, or had, or that others wait for; see claim_private.h.
 *
 * Who waits (and who is refused at once, if others wait) stands in a line, and only its first one
 * goes on from here; who kicks does not. What goes on follows the claim, and the znode that the
 * claim refers to:
 *
 *   there is no claim             -> create it
 *   its owner has died            -> one transaction, conditional on that: delete it, create ours
 *   its owner is this one,
 *    before it was started again  -> the same
 *   its owner lives               -> REJECT fails, WAIT waits; KICK asks, by a znode with a time to
 *                                    live, the grace; when that has gone, and the claim has not:
 *                                    delete it, create ours
 *
 * Each of these is conditional on the very claim that was seen. If it is refused, another was
 * faster, and what the streams show next decides anew.
 * May include: claim_private.h, libc. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claim_private.h"

struct contest {
    struct line_owner owner; /* first: line_fn gets it */
    cohort_claim_t *claim;   /* NULL: it has ended */
    char *line_path;
    struct line line;
    bool lined, first;
    struct claim_watch name, holder, ask;
    uint64_t asked; /* czxid of the claim that was asked for, 0: none */
    bool told;      /* WAITING */
    bool forced;    /* what is on its way leaves a note */
    bool busy;      /* a taking, or a request, is on its way */
    uint64_t news;  /* batches so far */
    uint64_t tried; /* news when a taking was refused that they did not explain */
};

static cohort_batch_fn on_name, on_holder, on_ask;
static cohort_result_fn on_asked;
static void contest_go (struct contest *self);

/* ---- Life ------------------------------------------------------------------------------------ */

static void contest_free (struct line_owner *owner)
{
    struct contest *self = (struct contest *) (void *) owner;
    RECIPE_ASSERT (self->claim == NULL);
    if (self->lined) {
        line_deinit (&self->line);
    }
    claim_watch_close (&self->name);
    claim_watch_close (&self->holder);
    claim_watch_close (&self->ask);
    free (self->line_path);
    free (self);
}

static void watch_stop (struct claim_watch *watch)
{
    if (watch->stream != NULL) {
        cohort_stream_destroy (&watch->stream);
    }
}

void contest_end (cohort_claim_t *claim)
{
    struct contest *self = claim->contest;
    claim->contest = NULL;
    self->claim = NULL;
    if (self->lined) {
        line_deinit (&self->line);
    }
    /* What they have seen may be what a handler is being told. */
    watch_stop (&self->name);
    watch_stop (&self->holder);
    watch_stop (&self->ask);
    self->owner.guard.destroyed = true;
    if (self->owner.guard.depth == 0) {
        contest_free (&self->owner);
    }
}

static void contest_leave (struct contest *self, cohort_claims_t *claims)
{
    if (recipe_leave (&self->owner.guard)) {
        contest_free (&self->owner);
    }
    claims_leave (claims);
}

static cohort_claims_t *contest_enter (struct contest *self)
{
    RECIPE_ASSERT (self->claim != NULL);
    claims_enter (self->claim->claims);
    recipe_enter (&self->owner.guard);
    return self->claim->claims;
}

/* ---- Asking for it --------------------------------------------------------------------------- */

/* What asks the owner of the claim that was seen. */
static char *ask_path (const struct contest *self)
{
    char name[2 * CLAIM_HEX_SIZE + 2];
    snprintf (name, sizeof (name), "%016" PRIx64 "/%016" PRIx64, self->name.view.text->czxid,
              self->name.view.stat.czxid);
    return claim_path (self->claim->claims, CLAIM_ASKED, name);
}

/* Adds the request; taken: the note that its time was over. */
static int add_ask (struct contest *self, cohort_txn_t *txn, bool taken)
{
    cohort_claim_t *claim = self->claim;
    struct claim_text text = {.owner = claim->claims->owner.path,
                              .name = claim->name,
                              .grace_ms = claim->grace_ms,
                              .taken = taken,
                              .payload = claim->data,
                              .payload_size = claim->size};
    size_t size = 0;
    claim_text_here (&text, claim->claims->host);
    char *data = claim_text_make (&text, &size);
    char *path = ask_path (self);
    int rc = COHORT_ENOMEM;
    if (data != NULL && path != NULL) {
        char *slash = strrchr (path, '/');
        *slash = 0;
        char *upper = strrchr (path, '/');
        *upper = 0;
        recipe_txn_ensure (txn, path, NULL, 0, COHORT_CONTAINER);
        *upper = '/';
        recipe_txn_ensure (txn, path, NULL, 0, COHORT_CONTAINER);
        *slash = '/';
        int64_t ttl_ms = claim->grace_ms > 0 ? claim->grace_ms : 1;
        cohort_create_options_t options = {.size = sizeof (options),
                                           .mode = COHORT_PERSISTENT,
                                           .ttl_ms = taken ? CLAIM_NOTE_MS : ttl_ms,
                                           .if_absent = 1};
        rc = cohort_txn_create_with (txn, path, data, size, &options);
    }
    free (path);
    free (data);
    return rc;
}

/* Asks the owner to yield; if somebody has asked him before, that counts. */
static int ask (struct contest *self)
{
    cohort_claim_t *claim = self->claim;
    cohort_txn_t *txn = cohort_txn_new ();
    struct claim_call *call = malloc (sizeof (*call));
    int rc = txn == NULL || call == NULL ? COHORT_ENOMEM : add_ask (self, txn, false);
    if (rc == 0) {
        *call = (struct claim_call){0};
        rc = cohort_multi_async (claim->claims->client, txn, on_asked, call);
    }
    if (txn != NULL) {
        cohort_txn_destroy (&txn);
    }
    if (rc != 0) {
        free (call);
        return rc;
    }
    recipe_call_begin (&claim->calls, &call->base, claim);
    self->asked = self->name.view.stat.czxid;
    self->busy = true;
    claim_watch_close (&self->ask);
    return 0;
}

static void on_asked (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct claim_call *call = arg;
    cohort_claim_t *claim = call->base.owner;
    (void) client;
    recipe_call_end (&call->base);
    free (call);
    if (claim == NULL) {
        return;
    }
    struct contest *self = claim->contest;
    cohort_claims_t *claims = contest_enter (self);
    self->busy = false;
    int rc = result->rc;
    /* From here on it is followed; it may have gone already. */
    if (rc == 0) {
        const char *path = result->ops[result->ops_count - 1].path;
        rc = path == NULL
                 ? COHORT_EPROTOCOL
                 : claim_watch_open (&self->ask, claims->client, path, false, on_ask, self);
    }
    if (rc == 0) {
        contest_go (self);
    } else {
        claim_end (claim, rc, NULL);
    }
    contest_leave (self, claims);
}

void contest_won (const cohort_claim_t *claim)
{
    const struct claim_watch *watch = &claim->contest->ask;
    if (watch->stream != NULL && !claim->contest->forced) {
        /* If there is no memory for it, it goes when its time is over. */
        int rc = cohort_delete_async (claim->claims->client, watch->path, COHORT_ANY_VERSION, NULL,
                                      NULL);
        (void) rc;
    }
}

/* ---- Taking it ------------------------------------------------------------------------------- */

/* Why the claim that is there may be replaced. */
enum ground { GROUND_FREE, GROUND_DEAD, GROUND_OWN, GROUND_TIME_OVER };

static int take (struct contest *self, enum ground ground)
{
    cohort_claim_t *claim = self->claim;
    cohort_txn_t *txn = cohort_txn_new ();
    if (txn == NULL) {
        return COHORT_ENOMEM;
    }
    claim_add_owner (claim->claims, txn);
    if (ground == GROUND_DEAD && self->holder.view.exists) {
        cohort_txn_check_czxid (txn, self->holder.path, self->holder.view.stat.czxid);
    } else if (ground == GROUND_DEAD) {
        cohort_txn_check_absent (txn, self->holder.path);
    }
    int rc = 0;
    if (ground != GROUND_FREE) {
        cohort_txn_check_czxid (txn, claim->entry.path, self->name.view.stat.czxid);
        cohort_txn_delete (txn, claim->entry.path, COHORT_ANY_VERSION);
        rc = ground == GROUND_TIME_OVER ? add_ask (self, txn, true) : 0;
    } else if (claim->parents) {
        rc = recipe_txn_parents (txn, claim->entry.path);
    }
    rc = rc == 0 ? claim_add_create (claim, txn) : rc;
    if (rc != 0) {
        cohort_txn_destroy (&txn);
        return rc;
    }
    rc = claim_send (claim, txn);
    self->busy = rc == 0;
    self->tried = self->news;
    self->forced = ground == GROUND_TIME_OVER;
    return rc;
}

void contest_refused (cohort_claim_t *claim, const cohort_result_t *result)
{
    struct contest *self = claim->contest;
    const cohort_op_result_t *last =
        result->ops_count > 0 ? &result->ops[result->ops_count - 1] : NULL;
    cohort_claims_t *claims = contest_enter (self);
    bool own = result->ops_count > 0 && result->ops[0].rc != COHORT_EROLLEDBACK;
    self->busy = false;
    if (last != NULL && last->rc == COHORT_ENONODE && !claim->parents) {
        claim->parents = true;
        self->tried = 0;
        contest_go (self);
    } else if (!own && (result->rc == COHORT_ENODEEXISTS || result->rc == COHORT_ENONODE ||
                        result->rc == COHORT_EBADCZXID)) {
        /* Another was faster: what the streams show, or are about to show. */
        contest_go (self);
    } else {
        claim_end (claim, result->rc, NULL);
    }
    contest_leave (self, claims);
}

/* ---- What is to be done ---------------------------------------------------------------------- */

static void tell (struct contest *self, const cohort_claim_holder_t *holder)
{
    if (!self->told) {
        self->told = true;
        claim_report (self->claim,
                      (cohort_claim_event_t){.kind = COHORT_CLAIM_WAITING, .holder = holder});
    }
}

/* The claim's owner lives. */
static int face (struct contest *self)
{
    const struct claim_view *view = &self->name.view;
    cohort_token_t token = {.czxid = view->stat.czxid, .ozxid = view->stat.ozxid};
    cohort_claim_holder_t holder = claim_holder (view->text, token, view->stat.ctime_ms);
    cohort_claim_t *claim = self->claim;
    if (claim->policy == COHORT_CLAIM_REJECT) {
        claim_end (claim, COHORT_EBUSY, &holder);
        return 0;
    }
    int rc = 0;
    if (claim->policy == COHORT_CLAIM_KICK && self->asked != view->stat.czxid) {
        rc = ask (self);
    } else if (claim->policy == COHORT_CLAIM_KICK && self->ask.seen && !self->ask.view.exists) {
        return take (self, GROUND_TIME_OVER);
    }
    if (rc == 0) {
        tell (self, &holder);
    }
    return rc;
}

/* There is a claim: is it valid? */
static int look_at_holder (struct contest *self)
{
    const cohort_claims_t *claims = self->claim->claims;
    const struct claim_text *text = self->name.view.text;
    if (text->owner == NULL || text->czxid == 0) {
        return COHORT_ENODEEXISTS; /* it is no claim */
    }
    bool own = strcmp (text->owner, claims->owner.path) == 0 && text->czxid == claims->czxid;
    cohort_claim_t *other = own ? claim_find (self->claim->claims, self->claim->entry.path) : NULL;
    if (own && (other == NULL || other->token.czxid < self->name.view.stat.czxid)) {
        return take (self, GROUND_OWN);
    }
    if (self->holder.path != NULL && strcmp (self->holder.path, text->owner) != 0) {
        claim_watch_close (&self->holder);
    }
    if (self->holder.stream == NULL) {
        return claim_watch_open (&self->holder, claims->client, text->owner, false, on_holder,
                                 self);
    }
    if (!self->holder.seen) {
        return 0;
    }
    bool lives = self->holder.view.exists && self->holder.view.stat.czxid == text->czxid;
    return lives ? face (self) : take (self, GROUND_DEAD);
}

/* Does what what has been seen asks for. The last thing that is done. */
static void contest_go (struct contest *self)
{
    bool waits = self->lined && !self->first;
    if (self->busy || waits || (self->tried != 0 && self->tried == self->news)) {
        return;
    }
    cohort_claim_t *claim = self->claim;
    int rc = 0;
    if (self->name.stream == NULL) {
        rc = claim_watch_open (&self->name, claim->claims->client, claim->entry.path, true, on_name,
                               self);
    } else if (self->name.seen && self->name.view.exists) {
        rc = look_at_holder (self);
    } else if (self->name.seen) {
        rc = take (self, GROUND_FREE);
    }
    if (rc != 0) {
        claim_end (claim, rc, NULL);
    }
}

static void on_line (struct line_owner *owner, struct line *line, enum line_news news, int rc)
{
    struct contest *self = (struct contest *) (void *) owner;
    RECIPE_ASSERT (line == &self->line);
    if (self->claim == NULL) {
        return;
    }
    cohort_claim_t *claim = self->claim;
    cohort_claims_t *claims = contest_enter (self);
    if (news == LINE_GRANTED) {
        self->first = true;
        contest_go (self);
    } else if (news == LINE_BEHIND && claim->policy == COHORT_CLAIM_REJECT) {
        claim_end (claim, COHORT_EBUSY, NULL);
    } else if (news == LINE_BEHIND) {
        tell (self, NULL);
    } else if (news == LINE_ENDED) {
        claim_end (claim, rc, NULL);
    }
    contest_leave (self, claims);
}

int contest_begin (cohort_claim_t *claim, bool line)
{
    struct contest *self = malloc (sizeof (*self));
    if (self == NULL) {
        return COHORT_ENOMEM;
    }
    *self = (struct contest){
        .owner = {.fn = on_line, .free = contest_free}, .claim = claim, .lined = line};
    claim->contest = self;
    claim->phase = CLAIM_CONTESTED;
    cohort_claims_t *claims = contest_enter (self);
    int rc = 0;
    if (line) {
        self->line_path = claim_path (claims, CLAIM_WAITING, claim->name);
        line_init (&self->line, &self->owner, claims->client, self->line_path, LINE_EXCLUSIVE);
        struct line *lines = &self->line;
        rc = self->line_path == NULL ? COHORT_ENOMEM
                                     : line_set_payload (&self->line, claim->data, claim->size);
        rc = rc == 0 ? line_join (&lines, 1) : rc;
    } else {
        contest_go (self);
    }
    contest_leave (self, claims);
    return rc;
}

/* ---- Streams --------------------------------------------------------------------------------- */

static void on_batch (struct contest *self, struct claim_watch *watch, cohort_stream_t *stream,
                      const cohort_batch_t *batch)
{
    RECIPE_ASSERT (stream == watch->stream);
    cohort_claims_t *claims = contest_enter (self);
    int rc = batch == NULL ? cohort_stream_error (stream) : claim_watch_take (watch, batch);
    if (rc < 0) {
        claim_end (self->claim, rc, NULL);
    } else if (rc > 0) {
        self->news++;
        contest_go (self);
    }
    contest_leave (self, claims);
}

static void on_name (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct contest *self = arg;
    on_batch (self, &self->name, stream, batch);
}

static void on_holder (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct contest *self = arg;
    on_batch (self, &self->holder, stream, batch);
}

static void on_ask (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct contest *self = arg;
    on_batch (self, &self->ask, stream, batch);
}

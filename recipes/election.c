/* One leader among several processes: the recipe behind cohort/election.h. A candidate is a place
 * in a line (line.h), an observer follows who is first in it (observer.h).
 * May include: the client's public headers, recipes' line, observer and support, libc. */

#include "cohort/election.h"

#include <stdlib.h>
#include <string.h>

#include "line.h"
#include "observer.h"

struct cohort_election {
    struct line_owner owner; /* first: line_fn gets it */
    cohort_t *client;
    char *path;
    int flags;
    struct line line;
    cohort_token_t token; /* while it leads */
    int error;            /* why the last campaign has ended */
    bool proclaimed;      /* data is on its way */
    bool again;           /* after an end against its will it campaigns again */
    uint64_t lost_session;
    struct observer observer;
    cohort_leader_t leader;
    cohort_election_fn *fn;
    void *arg;
};

static void report (cohort_election_t *self, cohort_election_event_t event)
{
    event.path = self->path;
    if (self->fn != NULL && !self->owner.guard.destroyed) {
        self->fn (self, &event, self->arg);
    }
}

/* ---- The candidate --------------------------------------------------------------------------- */

static int campaign (cohort_election_t *self, bool asked)
{
    int rc = recipe_renew (self->client, asked ? NULL : &self->lost_session);
    if (rc != 0) {
        return rc;
    }
    struct line *line = &self->line;
    rc = line_join (&line, 1);
    if (rc == 0) {
        self->error = 0;
        self->again = (self->flags & COHORT_ELECTION_AGAIN) != 0;
    }
    return rc;
}

static void ended (cohort_election_t *self, int rc)
{
    cohort_election_event_t event = {.kind = COHORT_ELECTION_FAILED, .rc = rc};
    if (self->token.czxid != 0) {
        event.kind = COHORT_ELECTION_REVOKED;
        event.token = self->token;
    }
    self->token = (cohort_token_t){0};
    self->error = rc;
    report (self, event);
    bool lost = rc == COHORT_ESESSIONEXPIRED || rc == COHORT_ENONODE;
    /* The handler may have resigned, or campaigned by itself. */
    if (self->owner.guard.destroyed || !self->again || !lost || self->line.phase != LINE_OUT) {
        return;
    }
    rc = campaign (self, false);
    if (rc != 0) {
        self->again = false;
        self->error = rc;
        report (self, (cohort_election_event_t){.kind = COHORT_ELECTION_FAILED, .rc = rc});
    }
}

static void on_news (struct line_owner *owner, struct line *line, enum line_news news, int rc)
{
    cohort_election_t *self = (cohort_election_t *) (void *) owner;
    RECIPE_ASSERT (line == &self->line);
    switch (news) {
    case LINE_GRANTED:
        self->token = line->token;
        report (self,
                (cohort_election_event_t){.kind = COHORT_ELECTION_ELECTED, .token = line->token});
        break;
    case LINE_BEHIND:
        break;
    case LINE_ENDED:
        ended (self, rc);
        break;
    case LINE_STORED:
        if (self->proclaimed && (rc != 0 || line->stored == line->generation)) {
            self->proclaimed = false;
            report (self, (cohort_election_event_t){
                              .kind = COHORT_ELECTION_PROCLAIMED, .rc = rc, .token = line->token});
        }
        break;
    }
}

/* ---- The observer ---------------------------------------------------------------------------- */

static void on_leader (struct line_owner *owner, int rc)
{
    cohort_election_t *self = (cohort_election_t *) (void *) owner;
    if (rc != 0) {
        report (self, (cohort_election_event_t){.kind = COHORT_ELECTION_BLIND, .rc = rc});
    } else {
        report (self, (cohort_election_event_t){.kind = COHORT_ELECTION_LEADER,
                                                .leader = cohort_election_leader (self)});
    }
}

const cohort_leader_t *cohort_election_leader (cohort_election_t *self)
{
    const struct observer *observer = &self->observer;
    const struct record *record = &observer->record;
    if (!observer->present) {
        return NULL;
    }
    const cohort_stat_t *stat = &observer->stat;
    int64_t granted_ms = record->granted_ms != 0 ? record->granted_ms : stat->mtime_ms;
    self->leader = (cohort_leader_t){.token = {.czxid = stat->czxid, .ozxid = stat->ozxid},
                                     .session = stat->ephemeral_owner,
                                     .data = record->payload,
                                     .size = record->payload_size,
                                     .node = observer->node,
                                     .host = record->host,
                                     .pid = record->pid,
                                     .since_ms = record->granted ? granted_ms : stat->ctime_ms};
    return &self->leader;
}

int cohort_election_observe (cohort_election_t *self)
{
    return observer_start (&self->observer);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void election_free (struct line_owner *owner)
{
    cohort_election_t *self = (cohort_election_t *) (void *) owner;
    line_deinit (&self->line);
    observer_deinit (&self->observer);
    free (self->path);
    free (self);
}

cohort_election_t *cohort_election_new (cohort_t *client, const char *path, int flags)
{
    bool valid = client != NULL && path != NULL && (flags & ~COHORT_ELECTION_AGAIN) == 0;
    cohort_election_t *self = valid ? malloc (sizeof (*self)) : NULL;
    if (self == NULL) {
        return NULL;
    }
    *self = (cohort_election_t){
        .client = client, .flags = flags, .owner = {.fn = on_news, .free = election_free}};
    self->path = recipe_copy (path, strlen (path));
    line_init (&self->line, &self->owner, client, self->path, LINE_EXCLUSIVE);
    observer_init (&self->observer, &self->owner, client, self->path, on_leader);
    if (self->path == NULL) {
        election_free (&self->owner);
        return NULL;
    }
    return self;
}

void cohort_election_destroy (cohort_election_t **self_p)
{
    cohort_election_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->owner.guard.destroyed);
    line_deinit (&self->line);
    observer_deinit (&self->observer);
    if (recipe_bury (&self->owner.guard)) {
        election_free (&self->owner);
    }
}

void cohort_election_set_handler (cohort_election_t *self, cohort_election_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

int cohort_election_campaign (cohort_election_t *self, const void *data, size_t size)
{
    if (data == NULL && size > 0) {
        return COHORT_EINVAL;
    }
    if (self->line.phase != LINE_OUT) {
        return COHORT_ESTATE;
    }
    int rc = line_set_payload (&self->line, data, size);
    return rc != 0 ? rc : campaign (self, true);
}

static int is_elected (void *arg)
{
    const cohort_election_t *self = arg;
    if (self->line.phase == LINE_OUT) {
        return self->error != 0 ? self->error : COHORT_ESTATE;
    }
    return self->token.czxid != 0 ? 1 : 0;
}

int cohort_election_wait (cohort_election_t *self, int timeout_ms)
{
    recipe_enter (&self->owner.guard);
    int rc = recipe_wait (self->client, &self->owner.guard, timeout_ms, is_elected, self);
    if (rc == COHORT_ETIMEDOUT && !self->owner.guard.destroyed) {
        int resigned = cohort_election_resign (self);
        rc = resigned != 0 ? resigned : rc;
    }
    if (recipe_leave (&self->owner.guard)) {
        election_free (&self->owner);
    }
    return rc;
}

int cohort_election_resign (cohort_election_t *self)
{
    if (self->line.phase == LINE_OUT) {
        /* In the handler of its end: it does not campaign again. */
        bool again = self->again;
        self->again = false;
        return again ? 0 : COHORT_ESTATE;
    }
    int rc = line_leave (&self->line);
    if (rc == 0) {
        self->again = false;
        self->error = 0;
        self->token = (cohort_token_t){0};
    }
    return rc;
}

int cohort_election_proclaim (cohort_election_t *self, const void *data, size_t size)
{
    if (data == NULL && size > 0) {
        return COHORT_EINVAL;
    }
    if (self->token.czxid == 0) {
        return COHORT_ESTATE;
    }
    int rc = line_replace_payload (&self->line, data, size);
    self->proclaimed = self->proclaimed || rc == 0;
    return rc;
}

/* ---- What it is ------------------------------------------------------------------------------ */

int cohort_election_valid (cohort_election_t *self, int margin_ms)
{
    return line_valid (&self->line, margin_ms);
}

cohort_token_t cohort_election_token (cohort_election_t *self)
{
    return self->token;
}

int cohort_election_guard (cohort_election_t *self, cohort_txn_t *txn)
{
    return line_guard (&self->line, txn);
}

const char *cohort_election_node (cohort_election_t *self)
{
    return self->line.node;
}

const char *cohort_election_path (cohort_election_t *self)
{
    return self->path;
}

/* The session machine: servers. Which to try, how to greet them, when to move, what ends a session.
 * May include: session_state and what it includes. */

#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "client/src/session_state.h"

/* ---- Opening and dropping -------------------------------------------------------------------- */

static void put_command (struct session *self, enum session_command_kind kind,
                         const struct link *link)
{
    COHORT_ASSERT (link->id != 0);
    COHORT_ASSERT (self->command_count < SESSION_COMMANDS_MAX);
    struct session_command *command = &self->commands[self->command_count++];
    command->kind = kind;
    command->link = link->id;
    command->endpoint[0] = '\0';
    if (kind == SESSION_CONNECT) {
        memcpy (command->endpoint, link->endpoint, sizeof (command->endpoint));
    }
}

/* Takes back the CONNECT of the link; false: the driver has it already. */
static bool withdraw (struct session *self, const struct link *link)
{
    for (size_t i = 0; i < self->command_count; i++) {
        if (self->commands[i].link == link->id) {
            COHORT_ASSERT (self->commands[i].kind == SESSION_CONNECT);
            self->command_count--;
            memmove (&self->commands[i], &self->commands[i + 1],
                     (self->command_count - i) * sizeof (self->commands[0]));
            return true;
        }
    }
    return false;
}

void link_drop (struct session *self, struct link *link)
{
    if (link->phase != LINK_NONE) {
        if (!withdraw (self, link)) {
            put_command (self, SESSION_DISCONNECT, link);
        }
        *link = (struct link){.phase = LINK_NONE};
    }
}

/* To begin a greeting anew leads nowhere while every server's disk is slower than the limit: once
 * all of them have let it pass, it is doubled. Not so for a server that says that it cannot take
 * the session: nothing is under way there, and another one may take it. */
static int64_t patient (const struct session *self, int64_t limit)
{
    size_t rounds = self->unanswered / self->hosts.count;
    if (self->candidate.phase != LINK_GREETING || self->candidate.held) {
        return limit;
    }
    return limit << (rounds < SESSION_GREETING_DOUBLINGS_MAX ? rounds
                                                             : SESSION_GREETING_DOUBLINGS_MAX);
}

int64_t link_attempt_ms (const struct session *self)
{
    int64_t limit = self->connect_timeout_ms;
    if (self->id == 0) {
        return patient (self, limit);
    }
    /* A known session must be able to try a few servers before it is lost. */
    int64_t third = self->timeout_ms / 3;
    third = third > SESSION_ATTACH_MS_MIN ? third : SESSION_ATTACH_MS_MIN;
    return patient (self, third < limit ? third : limit);
}

static void choose_endpoint (struct session *self, char *endpoint)
{
    if (self->redirect[0] != '\0') {
        memcpy (endpoint, self->redirect, HOSTS_ENDPOINT_MAX + 1);
        self->redirect[0] = '\0';
        return;
    }
    const char *next = self->hosts.endpoints[self->next_host++ % self->hosts.count];
    if (self->active.phase != LINK_NONE && self->hosts.count > 1 &&
        strcmp (next, self->active.endpoint) == 0) {
        next = self->hosts.endpoints[self->next_host++ % self->hosts.count];
    }
    snprintf (endpoint, HOSTS_ENDPOINT_MAX + 1, "%s", next);
}

void link_start (struct session *self, int64_t now_ms)
{
    struct link *link = &self->candidate;
    COHORT_ASSERT (link->phase == LINK_NONE);
    COHORT_ASSERT (self->state != COHORT_LOST);
    *link = (struct link){.phase = LINK_CONNECTING, .id = ++self->last_link, .since_ms = now_ms};
    choose_endpoint (self, link->endpoint);
    put_command (self, SESSION_CONNECT, link);
}

/* Counts a failed attempt and says when the next may begin: at once, until all servers have been
 * tried; then after a pause that doubles with every round. The pause is random in its second half,
 * so that the clients of a dead server do not come back in step. */
static void count_failure (struct session *self, int64_t now_ms)
{
    self->failures++;
    self->next_attempt_ms = now_ms;
    if (self->failures % self->hosts.count != 0) {
        return;
    }
    unsigned round = self->failures / (unsigned) self->hosts.count;
    int64_t pause = SESSION_BACKOFF_MS_MIN;
    while (round > 1 && pause < SESSION_BACKOFF_MS_MAX) {
        pause *= 2;
        round--;
    }
    pause = pause < SESSION_BACKOFF_MS_MAX ? pause : SESSION_BACKOFF_MS_MAX;
    self->next_attempt_ms +=
        (int64_t) prng_between (&self->prng, (uint64_t) pause / 2 + 1, (uint64_t) pause);
}

void link_fail_candidate (struct session *self, int64_t now_ms)
{
    COHORT_ASSERT (self->candidate.phase != LINK_NONE);
    link_drop (self, &self->candidate);
    count_failure (self, now_ms);
}

void link_suspend (struct session *self, int64_t now_ms)
{
    (void) now_ms;
    COHORT_ASSERT (self->active.phase == LINK_ATTACHED);
    if (self->state != COHORT_CONNECTED) {
        return;
    }
    /* Normally the ensemble cannot know the session longer than its timeout after the newest
     * confirmed heartbeat. While a server without a quorum held the session nobody could expire
     * it: then the last frame of that server counts. */
    int64_t base = self->touched_ms;
    if (self->active.heard_ms - base > session_silence_ms (self) &&
        !COHORT_MUTATED (given_up_while_held)) {
        base = self->active.heard_ms;
    }
    self->lost_at_ms = base +
                       (COHORT_MUTATED (given_up_early) ? self->timeout_ms / 3 : self->timeout_ms) +
                       session_margin_ms (self->timeout_ms);
    session_set_state (self, COHORT_SUSPENDED);
}

void link_lose_active (struct session *self, int64_t now_ms)
{
    COHORT_ASSERT (self->active.phase == LINK_ATTACHED);
    if (!COHORT_MUTATED (loss_untold)) {
        link_suspend (self, now_ms);
    }
    bool steady = now_ms - self->active.since_ms >= SESSION_STEADY_MS;
    link_drop (self, &self->active);
    self->moving = self->rearm_pending = self->held = self->no_quorum = false;
    if (self->candidate.phase != LINK_NONE) {
        return;
    }
    if (steady) {
        self->failures = 0;
        self->next_attempt_ms = now_ms;
    } else {
        count_failure (self, now_ms);
    }
}

void session_link_up (struct session *self, uint32_t link, int64_t now_ms)
{
    if (self->candidate.phase == LINK_CONNECTING && self->candidate.id == link) {
        self->candidate.phase = LINK_UP;
    }
    session_evaluate (self, now_ms);
}

/* A refusal that no other attempt at this server will change. When every server has said so in a
 * row, the session has no future. */
static bool refused_for_good (struct session *self, int rc)
{
    bool good = rc == COHORT_EVERSION || rc == COHORT_EAUTHFAILED;
    self->fatal = good ? self->fatal + 1 : 0;
    return self->fatal >= self->hosts.count && good;
}

void session_link_down (struct session *self, uint32_t link, int rc, int64_t now_ms)
{
    COHORT_ASSERT (rc < 0);
    if (self->candidate.phase != LINK_NONE && self->candidate.id == link) {
        session_note (self, "%s: %s", self->candidate.endpoint,
                      self->candidate.phase == LINK_CONNECTING ? cohort_error_text (rc)
                                                               : "the connection was closed");
        if (refused_for_good (self, rc)) {
            session_lose (self, rc);
            return;
        }
        link_fail_candidate (self, now_ms);
    } else if (self->active.phase != LINK_NONE && self->active.id == link) {
        session_note (self, "%s: the connection was closed", self->active.endpoint);
        link_lose_active (self, now_ms);
    } else if (self->retired.phase != LINK_NONE && self->retired.id == link) {
        link_drop (self, &self->retired);
    }
    session_evaluate (self, now_ms);
}

/* ---- Welcome --------------------------------------------------------------------------------- */

/* Why this session cannot be the one that is meant, or NULL. */
static const char *welcome_fault (const struct session *self, const struct wire_welcome *welcome)
{
    if (welcome->version < WIRE_VERSION_MIN || welcome->version > WIRE_VERSION_MAX) {
        return "chose a protocol version that was not offered";
    }
    if (self->id != 0 && welcome->session_id != self->id) {
        return "answered for another session";
    }
    if (welcome->attach_no > self->candidate.attach_no ||
        (welcome->attach_no < self->candidate.attach_no && !self->candidate.creating)) {
        return "answered another attach";
    }
    if (welcome->last_number < self->requests.acked) {
        return "has forgotten writes that were acknowledged";
    }
    return NULL;
}

static void take_identity (struct session *self, const struct wire_welcome *welcome)
{
    memcpy (self->cluster_id, welcome->cluster_id, WIRE_ID_SIZE);
    self->cluster_known = true;
    self->identity_new |= self->id == 0;
    self->id = welcome->session_id;
    self->timeout_ms = welcome->timeout_ms;
    self->grace_ms = welcome->grace_ms;
    self->data_size_max = welcome->data_size_max;
    self->path_size_max = welcome->path_size_max;
}

/* The session had been created by an earlier attempt whose welcome was lost, and this server's
 * connection counts as the first attach. The earlier server may report that one closed at any
 * time, so the session is attached once more, under a number of its own. */
static void attach_again (struct session *self, int64_t now_ms)
{
    link_drop (self, &self->retired);
    self->retired = self->candidate;
    self->candidate = (struct link){.phase = LINK_NONE};
    memcpy (self->redirect, self->retired.endpoint, sizeof (self->redirect));
    link_start (self, now_ms);
}

void link_welcome (struct session *self, const struct wire_welcome *welcome, int64_t now_ms)
{
    struct link *link = &self->candidate;
    COHORT_ASSERT (link->phase == LINK_GREETING);
    if (self->cluster_known && memcmp (self->cluster_id, welcome->cluster_id, WIRE_ID_SIZE) != 0) {
        session_note (self, "%s belongs to another cluster", link->endpoint);
        session_lose (self, COHORT_ECLUSTER);
        return;
    }
    const char *fault = welcome_fault (self, welcome);
    if (fault != NULL) {
        session_note (self, "%s %s", link->endpoint, fault);
        link_fail_candidate (self, now_ms);
        return;
    }
    if (welcome->last_number > self->requests.last_number) {
        session_note (self, "%s has writes of this session that it never made", link->endpoint);
        session_lose (self, COHORT_ESESSIONMOVED);
        return;
    }
    take_identity (self, welcome);
    if (welcome->attach_no < link->attach_no) {
        attach_again (self, now_ms);
        return;
    }
    /* A creation has nothing to tell the server about the past, unless it was attached again. */
    self->rearm_pending = !link->creating;
    link_drop (self, &self->retired);
    self->retired = self->active;
    self->active = *link;
    *link = (struct link){.phase = LINK_NONE};
    self->active.phase = LINK_ATTACHED;
    self->active.since_ms = self->active.heard_ms = now_ms;
    self->fatal = self->redirects = self->unanswered = 0;
    self->moving = self->held = self->no_quorum = false;
    if (self->touched_ms < self->active.hello_ms) {
        self->touched_ms = self->active.hello_ms;
    }
    beat_welcomed (self, now_ms);
    ask_welcomed (self, welcome->silence_ms);
    requests_rewind (&self->requests, welcome->window, welcome->credit_bytes);
    stream_table_rewind (&self->streams);
    if (!COHORT_MUTATED (rearm_goes_on)) {
        watch_table_rearm_begin (&self->watches);
    }
    stream_table_rearm_begin (&self->streams);
    if (!self->rearm_pending) {
        link_drop (self, &self->retired);
    }
    self->reason[0] = '\0';
    past_welcome (self, now_ms);
    if (self->past == PAST_NONE) {
        session_set_state (self, COHORT_CONNECTED);
    }
}

/* ---- Refusals -------------------------------------------------------------------------------- */

/* The nonce names one creation. The session that this one made has expired before anybody used it:
 * another name makes another session. */
static void next_nonce (struct session *self)
{
    for (size_t i = 0; i < WIRE_ID_SIZE && ++self->nonce[i] == 0; i++) {
    }
}

/* Whether the session itself is what the server refuses. */
static bool refusal_ends_session (struct session *self, const struct link *link, int rc)
{
    switch (rc) {
    case COHORT_ESESSIONEXPIRED:
        return self->id != 0;
    case COHORT_ECLUSTER:
        return true;
    case COHORT_EAUTHFAILED:
        /* What the attach came to at its place in the log: the same everywhere, and always, for a
         * session keeps its password. */
        return true;
    case COHORT_ESESSIONMOVED:
        /* To a greeting, which carries the newest number of all: a newer incarnation exists. On an
         * older link it only says that this session has attached elsewhere meanwhile. */
        return link->phase == LINK_GREETING || COHORT_MUTATED (moved_by_itself);
    default:
        return refused_for_good (self, rc);
    }
}

static void take_redirect (struct session *self, const char *redirect)
{
    if (hosts_endpoint_valid (redirect)) {
        snprintf (self->redirect, sizeof (self->redirect), "%s", redirect);
    }
}

void link_refused (struct session *self, struct link *link, const struct wire_refused *refused,
                   int64_t now_ms)
{
    int rc = refused->code < 0 ? refused->code : COHORT_EPROTOCOL;
    session_note (self, "%s refused: %s%s%s", link->endpoint, cohort_error_text (rc),
                  refused->text[0] != '\0' ? ": " : "", refused->text);
    if (rc == COHORT_ESESSIONEXPIRED && self->past != PAST_NONE) {
        past_over (self, now_ms);
        return;
    }
    if (refusal_ends_session (self, link, rc)) {
        session_lose (self, rc);
        return;
    }
    take_redirect (self, refused->redirect);
    if (link == &self->active) {
        link_lose_active (self, now_ms);
    } else {
        COHORT_ASSERT (link == &self->candidate);
        if (rc == COHORT_ESESSIONEXPIRED) {
            next_nonce (self);
            self->attach_no = 0;
        }
        link_fail_candidate (self, now_ms);
    }
    if (self->redirect[0] != '\0' && self->redirects < SESSION_REDIRECTS_MAX) {
        self->redirects++;
        self->next_attempt_ms = now_ms;
    }
}

/* The session machine: what the application asks, what time brings, what the session is like.
 * May include: session_state and what it includes. */

#include "client/src/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "client/src/session_state.h"

/* Frames are built in the scratch arena: what a full one needs is kept for the next. */
#define SCRATCH_BLOCK (64u << 10)
#define SCRATCH_KEEP  (1u << 20)

/* ---- Making and freeing ---------------------------------------------------------------------- */

/* Everything that belongs to one session and not to the handle; the lists are empty. */
static void reset (struct session *self, const struct session_random *random,
                   struct state_event *lost_event)
{
    uint64_t last_xid = self->requests.last_xid;
    COHORT_ASSERT (self->lost_event == NULL);
    self->lost_event = lost_event;
    self->lost_event->event.kind = EVENT_STATE;
    self->state = COHORT_CONNECTING;
    self->rc = COHORT_OK;
    memcpy (self->nonce, random->nonce, WIRE_ID_SIZE);
    memcpy (self->password, random->password, WIRE_ID_SIZE);
    self->cluster_known = false;
    self->id = self->attach_no = self->zxid_seen = self->zxid_events = 0;
    self->incarnation = 1;
    self->identity_new = false;
    self->past = PAST_NONE;
    self->valid_from_ms = 0;
    self->timeout_ms = self->wanted_timeout_ms;
    self->grace_ms = self->wanted_grace_ms;
    self->failures = self->fatal = self->redirects = self->unanswered = 0;
    self->redirect[0] = '\0';
    self->moving = self->rearm_pending = self->held = self->no_quorum = false;
    self->beat = self->confirmed = 0;
    self->next_beat_ms = self->next_attempt_ms = self->touched_ms = self->valid_until_ms = 0;
    requests_init (&self->requests);
    /* xids go on, so that no frame of the past can answer a request of the new session. */
    self->requests.last_xid = last_xid;
}

struct session *session_new (const struct session_options *options)
{
    COHORT_ASSERT (options->timeout_ms > 0);
    COHORT_ASSERT (options->grace_ms > 0);
    COHORT_ASSERT (options->connect_timeout_ms > 0);
    struct session *self = mem_calloc (1, sizeof (*self));
    struct state_event *lost_event = mem_calloc (1, sizeof (*lost_event));
    if (self == NULL || lost_event == NULL ||
        hosts_copy (&self->hosts, options->hosts) != COHORT_OK) {
        mem_free (lost_event);
        mem_free (self);
        return NULL;
    }
    self->wanted_timeout_ms = options->timeout_ms;
    self->wanted_grace_ms = options->grace_ms;
    self->connect_timeout_ms = options->connect_timeout_ms;
    prng_seed (&self->prng, options->random.seed);
    hosts_shuffle (&self->hosts, &self->prng);
    watch_table_init (&self->watches, prng_u64 (&self->prng));
    stream_table_init (&self->streams, prng_u64 (&self->prng), options->stream_bytes_max);
    list_init (&self->events);
    list_init (&self->proofs);
    arena_init (&self->scratch, SCRATCH_BLOCK, SCRATCH_KEEP);
    reset (self, &options->random, lost_event);
    if (options->past != NULL) {
        past_adopt (self, options->past, options->close_past);
    }
    return self;
}

static void forget_proofs (struct session *self)
{
    struct list_node *node;
    while ((node = list_pop_front (&self->proofs)) != NULL) {
        proof_release (list_entry (node, struct proof, node));
    }
}

void session_free (struct session **self_p)
{
    COHORT_ASSERT (self_p != NULL);
    struct session *self = *self_p;
    if (self == NULL) {
        return;
    }
    *self_p = NULL;
    requests_deinit (&self->requests);
    forget_proofs (self);
    watch_table_deinit (&self->watches);
    stream_table_deinit (&self->streams);
    event_free_all (&self->events);
    hosts_deinit (&self->hosts);
    arena_deinit (&self->scratch);
    buf_deinit (&self->rearm_watches);
    buf_deinit (&self->rearm_streams);
    buf_deinit (&self->taken);
    mem_free (self->lost_event);
    mem_free (self);
}

/* One request for each proof; false: no memory, and there are none. */
static bool prove_anew (const struct session *self, struct list *made)
{
    for (struct list_node *node = list_first (&self->proofs); node != NULL;
         node = list_next (&self->proofs, node)) {
        struct request *request = request_new_proof (list_entry (node, struct proof, node));
        if (request == NULL) {
            event_free_all (made);
            return false;
        }
        request->own = true;
        list_push_back (made, &request->event.node);
    }
    return true;
}

static void submit_own (struct session *self, struct list *made)
{
    struct list_node *node;
    while ((node = list_pop_front (made)) != NULL) {
        /* They are few, and the first: there is room for them. */
        int rc = requests_add (&self->requests, list_entry (node, struct request, event.node));
        COHORT_ASSERT (rc == COHORT_OK);
    }
}

int session_renew (struct session *self, const struct session_random *random, int64_t now_ms)
{
    if (self->state != COHORT_LOST || self->closing) {
        return COHORT_ESTATE;
    }
    struct state_event *lost_event = mem_calloc (1, sizeof (*lost_event));
    struct state_event *connecting = mem_calloc (1, sizeof (*connecting));
    struct list proving;
    list_init (&proving);
    if (lost_event == NULL || connecting == NULL || !prove_anew (self, &proving)) {
        mem_free (lost_event);
        mem_free (connecting);
        return COHORT_ENOMEM;
    }
    COHORT_ASSERT (self->requests.count == 0);
    COHORT_ASSERT (map_count (&self->watches.table) == 0);
    reset (self, random, lost_event);
    self->renewals++;
    if (COHORT_MUTATED (not_proven_anew)) {
        event_free_all (&proving);
    }
    submit_own (self, &proving);
    connecting->event.kind = EVENT_STATE;
    connecting->state = COHORT_CONNECTING;
    list_push_back (&self->events, &connecting->event.node);
    session_evaluate (self, now_ms);
    return COHORT_OK;
}

/* ---- State ----------------------------------------------------------------------------------- */

void session_note (struct session *self, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (self->reason, sizeof (self->reason), format, arguments);
    va_end (arguments);
}

static void report_state (struct session *self)
{
    struct state_event *event = mem_calloc (1, sizeof (*event));
    self->state_owed = event == NULL;
    if (event != NULL) {
        event->event.kind = EVENT_STATE;
        event->state = self->state;
        list_push_back (&self->events, &event->event.node);
    }
}

void session_set_state (struct session *self, cohort_state_t state)
{
    COHORT_ASSERT (state != COHORT_LOST);
    COHORT_ASSERT (self->state != COHORT_LOST);
    if (self->state != state) {
        self->state = state;
        report_state (self);
    }
}

void session_complete (struct session *self, struct request *request, int rc)
{
    COHORT_ASSERT (!list_linked (&request->event.node));
    if (request->wire.op.kind == WIRE_CLOSE) {
        /* The session's own. */
        self->closed = true;
        request_free (request);
        return;
    }
    if (request->own) {
        request_free (request);
        return;
    }
    request->rc = rc;
    list_push_back (&self->events, &request->event.node);
    if (request->wire.op.kind == WIRE_STREAM_OPEN && rc != COHORT_OK) {
        stream_table_end (&self->streams, request->stream, rc, &self->events);
    }
}

/* What a request hears that the lost session has not answered. Without a session of this process
 * nothing was ever sent, and the definite reason says more. */
static int unanswered_rc (const struct session *self)
{
    COHORT_ASSERT (self->state == COHORT_LOST);
    bool begun = self->id != 0 && self->past == PAST_NONE;
    return begun ? COHORT_ESESSIONEXPIRED : self->rc;
}

void session_lose (struct session *self, int rc)
{
    COHORT_ASSERT (rc < 0);
    COHORT_ASSERT (self->state != COHORT_LOST);
    self->state = COHORT_LOST;
    self->state_owed = false;
    self->rc = rc;
    self->valid_until_ms = 0;
    self->moving = self->rearm_pending = self->held = self->no_quorum = false;
    link_drop (self, &self->candidate);
    link_drop (self, &self->active);
    link_drop (self, &self->retired);
    /* The state first: whoever is told of a failed request can see why. */
    self->lost_event->state = COHORT_LOST;
    list_push_back (&self->events, &self->lost_event->event.node);
    self->lost_event = NULL;
    struct request *request;
    while ((request = requests_pop (&self->requests)) != NULL) {
        session_complete (self, request, unanswered_rc (self));
    }
    watch_table_lose (&self->watches, &self->events);
    struct list_node *node;
    while ((node = list_first (&self->streams.open)) != NULL) {
        stream_table_end (&self->streams, list_entry (node, struct cohort_stream, node),
                          COHORT_ESESSIONEXPIRED, &self->events);
    }
    self->closed = self->closed || self->closing;
}

void session_finish (struct session *self)
{
    self->closed = true;
    link_drop (self, &self->candidate);
    link_drop (self, &self->active);
    link_drop (self, &self->retired);
    struct request *request;
    while ((request = requests_pop (&self->requests)) != NULL) {
        session_complete (self, request, COHORT_ECLOSING);
    }
}

/* ---- Inputs ---------------------------------------------------------------------------------- */

void session_submit (struct session *self, struct request *request, int64_t now_ms)
{
    session_enqueue (self, request);
    session_evaluate (self, now_ms);
}

/* A callback that tells of a session from before its end asks in that session, although another
 * callback, or thread, may have renewed it: its application does not know yet that it is LOST, and
 * must not leave anything in the next one that it takes for gone when it hears of that. */
static bool is_of_the_past (const struct session *self, const struct request *request)
{
    return request->in_callback && request->losses_told < self->renewals;
}

void session_enqueue (struct session *self, struct request *request)
{
    COHORT_ASSERT (request != NULL);
    struct wire_op *op = &request->wire.op;
    COHORT_ASSERT ((request->stream != NULL) ==
                   (op->kind == WIRE_STREAM_OPEN || op->kind == WIRE_STREAM_CLOSE));
    op->watch = request->watch != NULL && op->kind != WIRE_UNWATCH;
    if (op->kind == WIRE_STREAM_CLOSE) {
        op->stream_id = request->stream->id;
        if (!list_linked (&request->stream->node)) {
            /* It was refused, or belonged to a session that is lost: there is nothing to close. */
            session_complete (self, request, COHORT_OK);
            return;
        }
        /* Batches that are still under way find no stream and are dropped. */
        stream_table_remove (&self->streams, request->stream);
    }
    int rc = self->closing                    ? COHORT_ECLOSING
             : self->state == COHORT_LOST     ? unanswered_rc (self)
             : is_of_the_past (self, request) ? COHORT_ESESSIONEXPIRED
                                              : requests_add (&self->requests, request);
    if (rc != COHORT_OK) {
        session_complete (self, request, rc);
    } else if (op->kind == WIRE_STREAM_OPEN) {
        op->stream_id = request->stream->id;
        stream_table_add (&self->streams, request->stream);
    }
}

void session_tick (struct session *self, int64_t now_ms)
{
    (void) stream_table_sweep (&self->streams);
    session_evaluate (self, now_ms);
}

void session_close (struct session *self, bool orderly, int64_t now_ms)
{
    if (self->closed) {
        return;
    }
    struct request *request = NULL;
    if (orderly && self->closing) {
        return;
    }
    /* The process before may count on the session: then its limits end it. */
    orderly = orderly && self->past == PAST_NONE && now_ms >= self->valid_from_ms;
    if (orderly && self->id != 0 && self->state != COHORT_LOST) {
        request = request_new (WIRE_CLOSE, "", NULL, NULL, 0);
    }
    self->closing = true;
    watch_table_lose (&self->watches, &self->events);
    if (request != NULL && requests_add (&self->requests, request) == COHORT_OK) {
        session_evaluate (self, now_ms);
        return;
    }
    request_free (request);
    session_finish (self);
}

void session_fail (struct session *self, int rc, const char *text)
{
    if (self->state != COHORT_LOST && !self->closed) {
        session_note (self, "%s", text);
        session_lose (self, rc);
    }
}

void session_mute (struct session *self, bool muted)
{
    self->muted = muted;
}

/* ---- Time ------------------------------------------------------------------------------------ */

int64_t session_silence_ms (const struct session *self)
{
    return (int64_t) self->timeout_ms * 2 / 3;
}

int64_t session_margin_ms (int64_t limit_ms)
{
    int64_t tenth = limit_ms / 10;
    return tenth > SESSION_MARGIN_MS_MIN ? tenth : SESSION_MARGIN_MS_MIN;
}

/* Whether the ensemble may not be hearing the session although its server does. */
static bool unsure (const struct session *self, int64_t now_ms)
{
    return self->no_quorum ||
           (!self->muted && now_ms - self->touched_ms >= session_silence_ms (self));
}

/* Notices that the active server is silent, or without the ensemble behind it, and that it is no
 * longer. */
static void watch_active (struct session *self, int64_t now_ms)
{
    if (self->active.phase == LINK_NONE) {
        return;
    }
    bool silent = now_ms - self->active.heard_ms >= session_silence_ms (self);
    bool elsewhere = ask_alarmed (self, now_ms) || (self->hosts.count > 1 && unsure (self, now_ms));
    if (silent && self->state == COHORT_CONNECTED && !COHORT_MUTATED (silence_untold)) {
        session_note (self, "%s is silent", self->active.endpoint);
        link_suspend (self, now_ms);
    }
    if ((silent || elsewhere) && !self->moving) {
        self->moving = true;
        self->next_attempt_ms = now_ms;
    } else if (!silent && !elsewhere && self->moving && self->candidate.phase != LINK_GREETING) {
        /* Nothing was said to another server yet: the old one will do. */
        self->moving = false;
        link_drop (self, &self->candidate);
    }
    if (!silent && self->past == PAST_NONE) {
        session_set_state (self, COHORT_CONNECTED);
    }
}

bool session_may_attach (const struct session *self)
{
    /* The first connection gives the application something to wait for, and to dispatch; and
     * whoever ends the session lives. */
    return !self->muted || self->state == COHORT_CONNECTING || self->closing;
}

void session_evaluate (struct session *self, int64_t now_ms)
{
    if (self->closed || self->state == COHORT_LOST) {
        return;
    }
    if (now_ms >= self->nomem_until_ms) {
        self->nomem_until_ms = 0;
    }
    if (self->state_owed) {
        report_state (self);
    }
    if (self->state == COHORT_SUSPENDED && now_ms >= self->lost_at_ms) {
        session_note (self, "no server was reached within the session's timeout of %u ms",
                      self->timeout_ms);
        session_lose (self, COHORT_ESESSIONEXPIRED);
        return;
    }
    watch_active (self, now_ms);
    if (!session_may_attach (self) && self->candidate.phase != LINK_GREETING) {
        link_drop (self, &self->candidate);
    }
    if (self->candidate.phase != LINK_NONE &&
        now_ms - self->candidate.since_ms >= link_attempt_ms (self)) {
        if (!self->candidate.held) {
            session_note (self, "%s did not answer within %lld ms", self->candidate.endpoint,
                          (long long) link_attempt_ms (self));
        }
        self->unanswered += self->candidate.phase == LINK_GREETING && !self->candidate.held;
        link_fail_candidate (self, now_ms);
    }
    bool wanted = self->active.phase == LINK_NONE || self->moving;
    if (wanted && session_may_attach (self) && self->candidate.phase == LINK_NONE &&
        now_ms >= self->next_attempt_ms && now_ms >= self->nomem_until_ms) {
        link_start (self, now_ms);
    }
}

static int64_t earlier (int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t session_deadline (const struct session *self)
{
    int64_t due = INT64_MAX;
    if (!self->closed && !stream_table_swept (&self->streams)) {
        return 0; /* at once: there is something to be freed */
    }
    if (self->closed || self->state == COHORT_LOST) {
        return due;
    }
    if (self->nomem_until_ms > 0) {
        /* What could not be done then is tried again. */
        return self->nomem_until_ms;
    }
    if (self->state == COHORT_SUSPENDED) {
        due = earlier (due, self->lost_at_ms);
    }
    if (self->candidate.phase != LINK_NONE) {
        due = earlier (due, self->candidate.since_ms + link_attempt_ms (self));
    } else if ((self->active.phase == LINK_NONE || self->moving) && session_may_attach (self)) {
        due = earlier (due, self->next_attempt_ms);
    }
    if (self->active.phase != LINK_NONE) {
        int64_t silence = session_silence_ms (self);
        if (!self->muted && !self->rearm_pending) {
            due = earlier (due, self->next_beat_ms);
        }
        if (self->state == COHORT_CONNECTED) {
            due = earlier (due, self->active.heard_ms + silence);
        }
        if (self->past == PAST_CLOSES && !self->close_sent && !self->rearm_pending) {
            due = earlier (due, self->valid_from_ms);
        }
        if (!self->moving && !self->muted && self->hosts.count > 1) {
            due = earlier (due, self->touched_ms + silence);
        }
        due = earlier (due, ask_deadline (self));
    }
    return due;
}

/* ---- What it is like ------------------------------------------------------------------------- */

void session_view (const struct session *self, struct session_view *view)
{
    *view = (struct session_view){
        .state = self->state,
        .rc = self->rc,
        .id = self->id,
        .password = self->password,
        .zxid = self->zxid_seen,
        .told = self->zxid_events,
        .valid_until_ms = self->valid_until_ms,
        .held = self->held,
        .no_quorum = self->no_quorum,
        .data_size_max = self->data_size_max,
        .path_size_max = self->path_size_max,
        .endpoint = self->state == COHORT_CONNECTED ? self->active.endpoint : "",
        .reason = self->reason,
    };
}

int64_t session_valid_ms (const struct session *self, int64_t now_ms)
{
    if (self->state == COHORT_LOST || self->closing || self->valid_until_ms <= now_ms) {
        return 0;
    }
    return self->valid_until_ms - now_ms;
}

bool session_take_identity (struct session *self, struct session_identity *identity)
{
    if (!self->identity_new || self->state == COHORT_LOST) {
        return false;
    }
    COHORT_ASSERT (self->id != 0);
    self->identity_new = false;
    identity->id = self->id;
    identity->incarnation = self->incarnation;
    identity->timeout_ms = self->timeout_ms;
    identity->grace_ms = self->grace_ms;
    memcpy (identity->cluster_id, self->cluster_id, WIRE_ID_SIZE);
    memcpy (identity->password, self->password, WIRE_ID_SIZE);
    return true;
}

bool session_closed (const struct session *self)
{
    return self->closed && self->command_count == 0;
}

bool session_frame_secret (const struct session *self)
{
    return self->secret_sent;
}

void session_take_events (struct session *self, struct list *events)
{
    list_splice_back (events, &self->events);
}

bool session_next_command (struct session *self, struct session_command *command)
{
    if (self->command_count == 0) {
        return false;
    }
    *command = self->commands[0];
    self->command_count--;
    memmove (&self->commands[0], &self->commands[1],
             self->command_count * sizeof (self->commands[0]));
    return true;
}

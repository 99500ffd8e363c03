/* tracker.c: see tracker.h. */

#include "server/node/tracker.h"

#include <inttypes.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/map.h"
#include "client/base/mutation.h"
#include "client/base/ring.h"
#include "cohort/error.h"
#include "server/node/points.h"

enum {
    NOT_IN_HEAP = -1,
    HEARTBEAT_ROUND_MS = 10, /* rounds for heartbeats alone are at least so far apart */
    TICKS = 8,               /* looks at the clock in a peer timeout, to notice a stall */
};

/* A session. Times are of the tracker's own clock. */
struct session {
    struct map_node node;
    uint64_t id;
    bool known;   /* of the applied state; else only a report has come */
    bool closing; /* a CLOSE is proposed and not decided */
    bool dead;
    bool condemned; /* an administrator has killed it: since */
    int64_t condemned_ms;
    bool gone; /* the connection of the current attach is dead: since */
    int64_t gone_ms;
    uint64_t attach_no; /* numbers begin anew with each incarnation ... */
    uint32_t incarnation;
    uint32_t server; /* ... so an attach is told by its server too */
    uint32_t timeout_ms;
    uint32_t grace_ms;
    int64_t heard_ms;
    uint64_t report_attach_no; /* the newest attach that was not applied here yet when ... */
    uint32_t report_server;    /* ... its server reported its connection dead: ... */
    int64_t report_ms;         /* ... then */
    zxid_t attaching;          /* every ATTACH of it that is proposed is at most there; 0: none */
    int64_t due_ms;            /* key in the heap: not later than the true deadline */
    ptrdiff_t position;        /* in the heap */
};

/* A heartbeat that waits for a round. */
struct waiting {
    uint64_t round;
    uint32_t server;      /* 0: it is gone */
    uint32_t incarnation; /* the session's current one at arrival */
    uint64_t session;
    uint64_t attach_no;
    uint64_t seq;
    zxid_t behind; /* what had been proposed of the session's attaches at arrival */
};

struct tracker {
    struct tracker_host host;
    struct logger logger;
    int64_t peer_timeout_ms;

    bool leading;
    bool ready;  /* the initial history is applied */
    bool filled; /* all sessions are taken over */
    uint64_t filled_to;
    uint64_t newest; /* the highest id known: they are given in ascending order */
    zxid_t applied;  /* since it leads */
    zxid_t unsure;   /* ATTACHes of sessions not known yet are proposed, up to there */

    int64_t now_ms;   /* of the server */
    int64_t clock_ms; /* the tracker's own: stands still while the server does */
    uint64_t begun;   /* rounds */
    uint64_t confirmed;
    uint64_t trust_round;       /* nothing expires before this round is confirmed */
    int64_t heartbeat_round_ms; /* the next round for heartbeats alone, now_ms */

    struct map sessions;
    struct session **heap;
    size_t heap_count;
    size_t heap_capacity;

    struct ring waiting;
    uint64_t beat_round; /* the newest that a heartbeat waits for */
    struct points points;

    bool reaping; /* a REAP is proposed and not decided */
    bool look_for_dead;
};

struct tracker *tracker_new (const struct tracker_host *host, int peer_timeout_ms,
                             const struct logger *logger, int64_t now_ms)
{
    COHORT_ASSERT (peer_timeout_ms > 0);
    struct tracker *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->host = *host;
    self->logger = *logger;
    self->peer_timeout_ms = peer_timeout_ms;
    self->now_ms = now_ms;
    map_init (&self->sessions);
    ring_init (&self->waiting, sizeof (struct waiting), TRACKER_WAITING_MAX);
    return self;
}

static void free_session (struct map_node *node, void *arg)
{
    (void) arg;
    mem_free (map_entry (node, struct session, node));
}

static void forget_all (struct tracker *self)
{
    if (COHORT_MUTATED (term_not_reset)) {
        return;
    }
    map_drain (&self->sessions, free_session, NULL);
    self->heap_count = 0;
    ring_clear (&self->waiting);
    self->beat_round = 0;
    self->points = (struct points){.count = 0};
}

void tracker_destroy (struct tracker **self_p)
{
    struct tracker *self = *self_p;
    if (self == NULL) {
        return;
    }
    forget_all (self);
    map_deinit (&self->sessions);
    ring_deinit (&self->waiting);
    mem_free (self->heap);
    mem_free (self);
    *self_p = NULL;
}

/* ---- The heap of deadlines: the earliest first ----------------------------------------------- */

static void heap_put (struct tracker *self, size_t position, struct session *session)
{
    self->heap[position] = session;
    session->position = (ptrdiff_t) position;
}

static void heap_up (struct tracker *self, size_t position)
{
    struct session *session = self->heap[position];
    while (position > 0) {
        size_t parent = (position - 1) / 2;
        if (self->heap[parent]->due_ms <= session->due_ms) {
            break;
        }
        heap_put (self, position, self->heap[parent]);
        position = parent;
    }
    heap_put (self, position, session);
}

static void heap_down (struct tracker *self, size_t position)
{
    struct session *session = self->heap[position];
    for (;;) {
        size_t child = 2 * position + 1;
        if (child >= self->heap_count) {
            break;
        }
        if (child + 1 < self->heap_count &&
            self->heap[child + 1]->due_ms < self->heap[child]->due_ms) {
            child++;
        }
        if (self->heap[child]->due_ms >= session->due_ms) {
            break;
        }
        heap_put (self, position, self->heap[child]);
        position = child;
    }
    heap_put (self, position, session);
}

static void heap_remove (struct tracker *self, struct session *session)
{
    if (session->position == NOT_IN_HEAP) {
        return;
    }
    size_t position = (size_t) session->position;
    session->position = NOT_IN_HEAP;
    self->heap_count--;
    if (position < self->heap_count) {
        heap_put (self, position, self->heap[self->heap_count]);
        heap_up (self, position);
        heap_down (self, (size_t) self->heap[position]->position);
    }
}

/* false: out of memory; the session then never expires under this leader. */
static bool heap_add (struct tracker *self, struct session *session)
{
    if (self->heap_count == self->heap_capacity) {
        size_t capacity = self->heap_capacity == 0 ? 256 : 2 * self->heap_capacity;
        struct session **heap = mem_realloc (self->heap, capacity * sizeof *heap);
        if (heap == NULL) {
            return false;
        }
        self->heap = heap;
        self->heap_capacity = capacity;
    }
    heap_put (self, self->heap_count++, session);
    heap_up (self, self->heap_count - 1);
    return true;
}

/* ---- Sessions -------------------------------------------------------------------------------- */

static bool has_id (const struct map_node *node, const void *key)
{
    return map_entry (node, const struct session, node)->id == *(const uint64_t *) key;
}

static struct session *find (const struct tracker *self, uint64_t id)
{
    struct map_node *node = map_find (&self->sessions, id, has_id, &id);
    return node != NULL ? map_entry (node, struct session, node) : NULL;
}

static struct session *find_or_add (struct tracker *self, uint64_t id)
{
    struct session *session = find (self, id);
    if (session == NULL) {
        session = mem_calloc (1, sizeof *session);
        if (session != NULL) {
            session->id = id;
            session->node.hash = id;
            session->position = NOT_IN_HEAP;
            map_insert (&self->sessions, &session->node);
        }
    }
    return session;
}

static void forget (struct tracker *self, struct session *session)
{
    heap_remove (self, session);
    map_remove (&self->sessions, &session->node);
    mem_free (session);
}

/* When it expires: silence, or the grace behind the death of its connection; if it is killed, as
 * soon as its client cannot count on it any more. */
static int64_t deadline (const struct session *session)
{
    if (session->condemned) {
        uint32_t limit_ms =
            COHORT_MUTATED (killed_late) ? 2 * session->timeout_ms : session->grace_ms;
        return session->condemned_ms + limit_ms; /* never longer than the timeout */
    }
    int64_t timeout_ms =
        COHORT_MUTATED (timeout_is_grace) ? session->grace_ms : session->timeout_ms;
    int64_t grace_ms = COHORT_MUTATED (grace_is_timeout) ? session->timeout_ms : session->grace_ms;
    grace_ms = COHORT_MUTATED (grace_halved) ? grace_ms / 2 : grace_ms;
    timeout_ms = COHORT_MUTATED (timeout_doubled) ? 2 * timeout_ms : timeout_ms;
    int64_t silent = session->heard_ms + timeout_ms;
    int64_t gone = session->gone ? session->gone_ms + grace_ms : INT64_MAX;
    return silent < gone ? silent : gone;
}

/* Sets its place in the heap. A deadline that moves back needs no move at once: it is looked at
 * again when the old one comes. */
static void arm (struct tracker *self, struct session *session)
{
    int64_t due = deadline (session);
    if (session->closing || session->dead) {
        heap_remove (self, session);
        return;
    }
    if (session->position == NOT_IN_HEAP) {
        session->due_ms = due;
        (void) heap_add (self, session);
    } else if (due < session->due_ms) {
        session->due_ms = due;
        heap_up (self, (size_t) session->position);
    }
}

static bool is_current (const struct session *session, uint32_t server, uint64_t attach_no)
{
    return session->known && session->attach_no == attach_no && session->server == server;
}

/* An attach is current from now on, or still.  Of a new one's connection nothing is known but what
 * has been reported before. */
static void take_attach (struct session *session, const struct tree_session *applied)
{
    bool still = is_current (session, applied->server, applied->attach_no) &&
                 session->incarnation == applied->incarnation;
    session->known = true;
    session->attach_no = applied->attach_no;
    session->incarnation = applied->incarnation;
    session->server = applied->server;
    if (!still) {
        session->gone = is_current (session, session->report_server, session->report_attach_no);
        session->gone_ms = session->report_ms;
    }
}

/* The applied state of the session, with its limits counted from now. */
static void take_over (struct tracker *self, const struct tree_session *applied)
{
    struct session *session = find_or_add (self, applied->id);
    if (session == NULL) {
        return; /* never expires, and is not confirmed */
    }
    take_attach (session, applied);
    session->dead = applied->dead;
    if (applied->condemned && !session->condemned) {
        session->condemned = true;
        session->condemned_ms = self->clock_ms;
    }
    session->timeout_ms = applied->timeout_ms;
    session->grace_ms = applied->grace_ms;
    session->heard_ms = self->clock_ms;
    if (COHORT_MUTATED (takeover_shortens)) {
        session->heard_ms -= applied->timeout_ms / 2;
    }
    self->newest = applied->id > self->newest ? applied->id : self->newest;
    arm (self, session);
}

/* ---- Leadership ------------------------------------------------------------------------------ */

void tracker_lead (struct tracker *self)
{
    forget_all (self);
    self->leading = true;
    self->ready = self->filled = false;
    self->filled_to = self->newest = 0;
    self->applied = self->unsure = 0;
    self->confirmed = self->begun; /* of an earlier term; nothing waits for it */
    self->trust_round = 0;
    self->reaping = false;
    self->look_for_dead = true;
    self->heartbeat_round_ms = self->now_ms;
}

void tracker_ready (struct tracker *self)
{
    COHORT_ASSERT (self->leading);
    self->ready = true;
}

void tracker_unlead (struct tracker *self)
{
    forget_all (self);
    self->leading = self->ready = self->filled = false;
}

bool tracker_leading (const struct tracker *self)
{
    return self->leading;
}

size_t tracker_count (const struct tracker *self)
{
    return map_count (&self->sessions);
}

/* ---- Input ----------------------------------------------------------------------------------- */

void tracker_time (struct tracker *self, int64_t now_ms)
{
    COHORT_ASSERT (now_ms >= self->now_ms);
    int64_t passed = now_ms - self->now_ms;
    self->now_ms = now_ms;
    if (passed <= self->peer_timeout_ms / 2 || COHORT_MUTATED (stall_unnoticed)) {
        self->clock_ms += passed;
        return;
    }
    /* A stall: its length does not count against anybody, and leadership is to be shown anew. */
    if (self->leading && tracker_deadline (self) != INT64_MAX) {
        logger_write (&self->logger, LOG_WARNING, "leader-stalled", "ms=%" PRId64, passed);
    }
    self->trust_round = self->begun + !COHORT_MUTATED (round_before_stall);
}

void tracker_heartbeat (struct tracker *self, uint32_t server, uint64_t id, uint64_t attach_no,
                        uint64_t seq)
{
    if (!self->leading) {
        return;
    }
    uint64_t round = self->begun + !COHORT_MUTATED (heartbeat_without_round);
    struct waiting waiting = {round, server, 0, id, attach_no, seq, 0};
    struct session *session = find (self, id);
    if (session != NULL && session->known) {
        waiting.incarnation = session->incarnation;
        waiting.behind = COHORT_MUTATED (attaching_ignored)  ? 0
                         : session->attaching > self->unsure ? session->attaching
                                                             : self->unsure;
        if (session->attach_no == attach_no && session->server == server) {
            session->heard_ms = self->clock_ms;
        }
    }
    if (ring_push (&self->waiting, &waiting)) {
        self->beat_round = waiting.round;
    }
}

void tracker_attaching (struct tracker *self, uint64_t id, zxid_t last)
{
    struct session *session = self->leading ? find (self, id) : NULL;
    zxid_t *attaching = session != NULL ? &session->attaching : &self->unsure;
    COHORT_ASSERT (last >= *attaching);
    *attaching = last;
}

void tracker_touch (struct tracker *self, uint64_t id)
{
    struct session *session = self->leading ? find (self, id) : NULL;
    if (session != NULL) {
        session->heard_ms = self->clock_ms;
    }
}

void tracker_disconnected (struct tracker *self, uint32_t server, uint64_t id, uint64_t attach_no)
{
    struct tree_session applied;
    if (!self->leading) {
        return;
    }
    struct session *session = find (self, id);
    if (session == NULL && self->filled && id <= self->newest &&
        !self->host.session (self->host.arg, id, &applied)) {
        return; /* it has ended */
    }
    session = session != NULL ? session : find_or_add (self, id);
    if (session == NULL) {
        return;
    }
    /* Repetitions change nothing: grace counts from the first report. */
    if (is_current (session, server, attach_no)) {
        if (!session->gone) {
            session->gone = true;
            session->gone_ms = self->clock_ms;
            arm (self, session);
        }
    } else if (attach_no > session->report_attach_no) {
        /* Each server reports when it applies the attach: so that of an older one may come later.
         * (Numbers grow; those that Cohort's client takes do so over its incarnations, too.) */
        session->report_attach_no = attach_no;
        session->report_server = server;
        session->report_ms = self->clock_ms;
    }
}

void tracker_sync (struct tracker *self, uint32_t server, uint64_t token, zxid_t last)
{
    if (!self->leading) {
        return;
    }
    if (COHORT_MUTATED (read_without_round)) {
        self->host.synced (self->host.arg, server, token, last);
        return;
    }
    points_add (&self->points, &(struct point){self->begun + !COHORT_MUTATED (sync_round_before),
                                               server, token, last});
}

void tracker_server_down (struct tracker *self, uint32_t server)
{
    for (size_t i = 0; i < ring_count (&self->waiting); i++) {
        struct waiting *waiting = ring_at (&self->waiting, i);
        if (waiting->server == server) {
            waiting->server = 0;
        }
    }
    points_forget (&self->points, server);
}

void tracker_applied (struct tracker *self, zxid_t zxid, const struct tree_outcome *outcome)
{
    self->applied = zxid;
    struct tree_session applied;
    if (!self->leading || outcome->session == 0) {
        return;
    }
    if (outcome->killed != 0 && self->host.session (self->host.arg, outcome->killed, &applied)) {
        take_over (self, &applied);
    }
    switch (outcome->kind) {
    case ENTRY_CREATE_SESSION:
    case ENTRY_ATTACH:
    case ENTRY_CLOSE:
        break;
    case ENTRY_REAP:
        self->reaping = COHORT_MUTATED (reaps_once);
        self->look_for_dead = true;
        break;
    default:
        if (!outcome->session_closed && !outcome->session_gone) {
            return;
        }
    }
    struct session *session = find (self, outcome->session);
    if (outcome->kind == ENTRY_CLOSE && session != NULL) {
        session->closing = false;
    }
    if (outcome->session_gone || !self->host.session (self->host.arg, outcome->session, &applied)) {
        if (session != NULL) {
            forget (self, session);
        }
        return;
    }
    self->look_for_dead |= applied.dead;
    bool vain = outcome->kind == ENTRY_CLOSE && COHORT_MUTATED (close_not_rearmed);
    if (outcome->kind == ENTRY_REAP || vain || (outcome->code != 0 && session != NULL)) {
        return;
    }
    take_over (self, &applied);
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

static void answer (struct tracker *self, const struct waiting *waiting)
{
    const struct session *session = find (self, waiting->session);
    if (self->filled && session != NULL && session->known && !session->dead &&
        !session->condemned && !session->closing && session->attach_no == waiting->attach_no &&
        session->server == waiting->server && session->incarnation == waiting->incarnation &&
        waiting->behind <= self->applied) {
        self->host.confirm (self->host.arg, waiting->server, waiting->session, waiting->attach_no,
                            waiting->seq);
    }
}

void tracker_rounds (struct tracker *self, uint64_t begun, uint64_t confirmed)
{
    if (begun > self->begun) {
        self->begun = begun;
        self->heartbeat_round_ms = self->now_ms + HEARTBEAT_ROUND_MS;
    }
    if (!self->leading || confirmed <= self->confirmed) {
        return;
    }
    self->confirmed = confirmed;
    const struct waiting *first = NULL;
    while ((first = ring_front (&self->waiting)) != NULL && first->round <= confirmed) {
        struct waiting waiting = *first;
        ring_pop (&self->waiting);
        if (waiting.server != 0) {
            answer (self, &waiting);
        }
    }
    struct point point;
    while (points_take (&self->points, confirmed, &point)) {
        self->host.synced (self->host.arg, point.server, point.token, point.zxid);
    }
}

bool tracker_wants_round (const struct tracker *self)
{
    if (!self->leading || self->begun > self->confirmed) {
        return false; /* one at a time */
    }
    if (points_due (&self->points, self->begun) || self->trust_round > self->begun) {
        return true;
    }
    return self->beat_round > self->begun && self->now_ms >= self->heartbeat_round_ms;
}

/* ---- Turns ----------------------------------------------------------------------------------- */

static void fill (struct tracker *self)
{
    struct tree_session applied;
    for (int i = 0; i < TRACKER_FILL_SLICE; i++) {
        if (!self->host.session_next (self->host.arg, self->filled_to, &applied)) {
            self->filled = true;
            return;
        }
        self->filled_to = applied.id;
        const struct session *session = find (self, applied.id);
        if (session == NULL || !session->known) {
            take_over (self, &applied);
        }
    }
}

static void close_session (struct tracker *self, struct session *session)
{
    bool gone = session->gone &&
                session->gone_ms + session->grace_ms < session->heard_ms + session->timeout_ms;
    struct entry entry = {.kind = ENTRY_CLOSE,
                          .u.close = {.session = session->id,
                                      .attach_no = session->attach_no,
                                      .incarnation = session->incarnation,
                                      .reason = session->condemned ? ENTRY_KILLED
                                                : gone             ? ENTRY_DISCONNECTED
                                                                   : ENTRY_EXPIRED}};
    session->closing = true;
    heap_remove (self, session);
    logger_write (&self->logger, LOG_INFO, "session-expired",
                  "session=%" PRIx64 " attach=%" PRIu64 " reason=%s", session->id,
                  session->attach_no,
                  session->condemned ? "killed"
                  : gone             ? "disconnected"
                                     : "silent");
    self->host.propose (self->host.arg, &entry);
}

int tracker_expire (struct tracker *self, uint64_t id)
{
    if (!self->ready || !self->filled) {
        return COHORT_ESTATE;
    }
    struct session *session = find (self, id);
    if (session == NULL || !session->known || session->dead || session->closing) {
        return COHORT_ESESSIONEXPIRED;
    }
    close_session (self, session);
    return 0;
}

/* Proposes CLOSE for sessions whose deadline has come; true: there are more. */
static bool expire (struct tracker *self)
{
    for (int i = 0; i < TRACKER_CLOSE_SLICE;) {
        if (self->heap_count == 0 || self->heap[0]->due_ms > self->clock_ms) {
            return false;
        }
        struct session *session = self->heap[0];
        int64_t due = deadline (session);
        if (due > self->clock_ms) {
            session->due_ms = due;
            heap_down (self, 0);
            continue;
        }
        close_session (self, session);
        i++;
    }
    return true;
}

static void reap (struct tracker *self)
{
    struct tree_session dead;
    self->look_for_dead = false;
    if (!self->host.session_dead (self->host.arg, &dead)) {
        return;
    }
    struct entry entry = {.kind = ENTRY_REAP, .u.reap = {.session = dead.id}};
    self->reaping = true;
    self->host.propose (self->host.arg, &entry);
}

bool tracker_turn (struct tracker *self)
{
    if (!self->ready) {
        return false;
    }
    if (!self->filled) {
        fill (self);
        return true;
    }
    if (self->look_for_dead && !self->reaping &&
        !(COHORT_MUTATED (reaps_seldom) && self->now_ms % 4096 > 64)) {
        reap (self);
    }
    bool leads = self->confirmed >= self->trust_round || COHORT_MUTATED (expiry_without_round);
    return leads && expire (self);
}

int64_t tracker_deadline (const struct tracker *self)
{
    if (!self->leading) {
        return INT64_MAX;
    }
    int64_t due = INT64_MAX;
    if (self->heap_count > 0) {
        int64_t expiry = self->now_ms + (self->heap[0]->due_ms - self->clock_ms);
        int64_t tick = self->now_ms + self->peer_timeout_ms / TICKS;
        due = expiry < tick ? expiry : tick;
        due = due < self->now_ms ? self->now_ms : due;
    }
    if (self->beat_round > self->begun && self->heartbeat_round_ms < due) {
        due = self->heartbeat_round_ms;
    }
    return due;
}

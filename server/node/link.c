/* link.c: see link.h. */

#include "server/node/link.h"

#include <inttypes.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"

#define LONG_AGO (INT64_MIN / 2)

struct flight {
    uint64_t seq;
    uint64_t bytes;
};

void link_init (struct link *self, uint32_t peer, const struct link_identity *identity,
                uint64_t incarnation, const struct logger *logger, int64_t now_ms)
{
    COHORT_ASSERT (incarnation > 0);
    COHORT_ASSERT (peer != identity->id);
    memset (self, 0, sizeof *self);
    self->peer = peer;
    self->identity = identity;
    self->logger = *logger;
    self->now_ms = now_ms;
    self->connect_at_ms = now_ms;
    self->attempt_ms = LONG_AGO;
    link_twin_init (&self->twin);
    self->backoff_ms = LINK_BACKOFF_MIN_MS;
    self->hello_wait_ms = LINK_HELLO_MIN_MS;
    self->mine = incarnation;
    self->window = LINK_WINDOW_BYTES;
    ring_init (&self->flights, sizeof (struct flight), LINK_FLIGHT_MAX);
}

void link_deinit (struct link *self)
{
    ring_deinit (&self->flights);
}

/* ---- States ---------------------------------------------------------------------------------- */

static uint64_t process_of (uint64_t incarnation)
{
    return incarnation >> LINK_INCARNATION_SHIFT;
}

/* A pair has changed: both directions begin anew. */
static void begin_pair (struct link *self)
{
    self->sent = 0;
    self->received = 0;
    self->announced = 0;
    self->unannounced = 0;
    self->heard = 0;
    self->in_flight = 0;
    ring_clear (&self->flights);
}

static void say_hello_soon (struct link *self)
{
    self->greeting_ms = self->now_ms;
    self->hello_at_ms = self->now_ms;
    self->hello_wait_ms = LINK_HELLO_MIN_MS;
}

static void go_up (struct link *self)
{
    COHORT_ASSERT (!self->up);
    COHORT_ASSERT (self->theirs != 0);
    begin_pair (self);
    self->up = self->met = true;
    self->up_due = true;
    self->probe_at_ms = self->now_ms + LINK_PROBE_MS;
    self->probes = 0;
    self->echoed = self->doubted = false;
    link_twin_settle (&self->twin, process_of (self->theirs));
    self->backoff_ms = LINK_BACKOFF_MIN_MS;
    self->refused = LINK_WELCOME;
    logger_write (&self->logger, LOG_DEBUG, "link-up",
                  "peer=%" PRIu32 " mine=%" PRIx64 " theirs=%" PRIx64, self->peer, self->mine,
                  self->theirs);
}

/* Leaves an UP link: the only place where my incarnation grows. */
static void go_down (struct link *self, const char *why)
{
    if (!self->up) {
        return;
    }
    self->up = false;
    if (self->up_due) {
        self->up_due = false; /* nobody has heard of it */
    } else {
        self->down_due = true;
    }
    self->mine++;
    begin_pair (self);
    self->answer_due = false;
    say_hello_soon (self);
    logger_write (&self->logger, LOG_INFO, "link-down", "peer=%" PRIu32 " reason=\"%s\"",
                  self->peer, why);
}

static void retry_later (struct link *self)
{
    self->connection = LINK_IDLE;
    self->connect_at_ms = self->now_ms + self->backoff_ms;
    self->backoff_ms = 2 * self->backoff_ms;
    if (self->backoff_ms > LINK_BACKOFF_MAX_MS) {
        self->backoff_ms = LINK_BACKOFF_MAX_MS;
    }
    self->answer_due = false;
    self->hello_due = false;
}

/* ---- Who is there ---------------------------------------------------------------------------- */

/* HELLO goes out, and the link has never been up: nobody has ever said anything, for who is there
 * answers somebody else; or the peer is heard, and what it should hear goes elsewhere. Counted are
 * questions, not time, in which this server may have stood still itself. */
static void note_silence (struct link *self)
{
    if (self->met || self->refused != LINK_WELCOME || ++self->unanswered != LINK_SILENT_MAX) {
        return;
    }
    if (self->theirs != 0) {
        logger_write (&self->logger, LOG_WARNING, "peer-deaf",
                      "peer=%" PRIu32 " reason=\"it is heard, and never answers: server.%" PRIu32
                      " leads to another server, or nothing gets through to it\"",
                      self->peer, self->peer);
    } else {
        logger_write (&self->logger, LOG_WARNING, "peer-silent",
                      "peer=%" PRIu32 " reason=\"it takes connections, and says nothing: it is "
                      "still starting, or hangs, or has another address for server %" PRIu32
                      ": is there a second server with this id?\"",
                      self->peer, self->identity->id);
    }
}

/* Whether this HELLO ends a link that is up. That of another process does if it is newer, or goes
 * on, unless what the address leads to is known: then it is a twin. */
static bool ends_link (struct link *self, const struct peer_frame *frame)
{
    uint64_t theirs = frame->header.mine;
    if (process_of (theirs) == process_of (self->theirs)) {
        return theirs > self->theirs;
    }
    struct link_twin *twin = &self->twin;
    link_twin_note (twin, process_of (theirs), frame->hello.store_id, self->now_ms);
    if (!link_twin_address_known (twin, self->attempt_ms)) {
        return theirs > self->theirs || link_twin_goes_on (twin);
    }
    if (link_twin_goes_on (twin)) {
        self->hello_due |=
            link_twin_tell (twin, self->peer, self->peer_store_id, &self->logger, self->now_ms);
    }
    return false;
}

/* ---- Input ----------------------------------------------------------------------------------- */

/* Questions are counted, not time: a server that was stopped itself must not blame its peers. */
static void probe (struct link *self)
{
    self->doubted = self->doubted && !self->echoed;
    self->probe_at_ms = self->now_ms + (self->doubted ? LINK_DOUBT_MS : LINK_PROBE_MS);
    if (self->echoed) {
        self->echoed = false;
        self->probes = 0;
    } else if (self->probes < LINK_PROBES_MAX) {
        self->probes++;
        self->hello_due = true;
    } else {
        link_reset (self, "it does not answer");
    }
}

void link_time (struct link *self, int64_t now_ms)
{
    COHORT_ASSERT (now_ms >= self->now_ms);
    self->now_ms = now_ms;
    if (self->connection == LINK_CONNECTING && now_ms >= self->connect_at_ms) {
        retry_later (self);
    }
    if (self->connection == LINK_CONNECTED && !self->up) {
        self->hello_due |= now_ms >= self->hello_at_ms;
        if (now_ms - self->greeting_ms >= LINK_GREETING_MAX_MS) {
            retry_later (self);
        }
    }
    if (self->up && now_ms >= self->probe_at_ms) {
        probe (self);
    }
}

void link_connected (struct link *self)
{
    if (self->connection != LINK_CONNECTING) {
        return; /* of an attempt that was given up */
    }
    self->connection = LINK_CONNECTED;
    say_hello_soon (self);
    self->hello_due = !self->up;
}

void link_disconnected (struct link *self)
{
    if (self->connection == LINK_IDLE) {
        return;
    }
    retry_later (self);
    go_down (self, "the connection has ended");
}

void link_reset (struct link *self, const char *why)
{
    if (!self->up) {
        return;
    }
    go_down (self, why);
    if (self->connection != LINK_IDLE) {
        retry_later (self);
    }
}

void link_hold (struct link *self, bool hold)
{
    self->hold = hold;
}

static enum link_refusal judge (const struct link *self, const struct peer_hello *hello)
{
    const struct link_identity *identity = self->identity;
    if (hello->magic != PEER_MAGIC) {
        return LINK_NO_COHORT;
    }
    if (hello->version_min > PEER_VERSION_MAX || hello->version_max < PEER_VERSION_MIN) {
        return LINK_OTHER_VERSION;
    }
    if (hello->has_cluster && identity->has_cluster &&
        memcmp (hello->cluster_id, identity->cluster_id, PEER_CLUSTER_SIZE) != 0) {
        return LINK_OTHER_CLUSTER;
    }
    return LINK_WELCOME;
}

static void log_refusal (struct link *self, enum link_refusal refusal)
{
    static const char *const texts[] = {"", "it does not speak Cohort's protocol",
                                        "no protocol version in common",
                                        "it belongs to another cluster"};
    if (self->refused == refusal) {
        return; /* said already */
    }
    self->refused = refusal;
    logger_write (&self->logger, LOG_ERROR, "peer-refused", "peer=%" PRIu32 " reason=\"%s\"",
                  self->peer, texts[refusal]);
}

static void doubt (struct link *self)
{
    if (!self->doubted) {
        self->doubted = true;
        self->echoed = false;
        self->probes = 0;
        self->probe_at_ms = self->now_ms + LINK_DOUBT_MS;
    }
}

/* false: the frame is stale or refused. */
static bool receive_hello (struct link *self, const struct peer_frame *frame)
{
    uint64_t theirs = frame->header.mine;
    if (theirs == 0) {
        return false;
    }
    bool anew = self->up && theirs != self->theirs;
    if (anew && !ends_link (self, frame)) {
        doubt (self);
        return false;
    }
    enum link_refusal refusal = judge (self, &frame->hello);
    if (refusal != LINK_WELCOME) {
        log_refusal (self, refusal);
        return false;
    }
    if (anew) {
        static const char why[] = "the peer has begun anew";
        if (process_of (theirs) == process_of (self->theirs)) {
            go_down (self, why);
        } else {
            link_reset (self, why); /* who is at its address now? */
        }
    }
    if (theirs != self->theirs) {
        self->theirs = theirs;
        begin_pair (self);
    }
    self->peer_store_id = frame->hello.store_id;
    if (frame->hello.twin != 0) {
        link_twin_hear (&self->twin, self->peer, self->identity->id, self->identity->store_id,
                        frame->hello.twin, &self->logger, self->now_ms);
    }
    self->answer_due = true;
    self->answer_with_hello = true;
    if (self->connection == LINK_IDLE &&
        self->connect_at_ms > self->attempt_ms + LINK_BACKOFF_MIN_MS) {
        /* It lives: no reason to wait longer. */
        self->connect_at_ms = self->attempt_ms + LINK_BACKOFF_MIN_MS;
    }
    return true;
}

static void acknowledged (struct link *self, uint64_t through)
{
    struct flight *flight = NULL;
    if (through > self->heard) {
        self->heard = through;
        self->echoed = true;
    }
    while ((flight = ring_front (&self->flights)) != NULL && flight->seq <= through) {
        COHORT_ASSERT (self->in_flight >= flight->bytes);
        self->in_flight -= flight->bytes;
        ring_pop (&self->flights);
    }
}

bool link_receive (struct link *self, const struct peer_frame *frame, size_t bulk)
{
    const struct peer_header *header = &frame->header;
    bool greeting = frame->has_hello || frame->has_hello_ack;
    if (frame->has_hello && !receive_hello (self, frame)) {
        return false;
    }
    bool confirms = header->yours == self->mine && header->mine == self->theirs &&
                    header->mine != 0 && (!frame->has_hello || frame->has_hello_ack);
    if (!confirms) {
        return false; /* stale, or a HELLO that will be answered */
    }
    self->answer_with_hello = false;
    if (!self->up) {
        if (self->connection != LINK_CONNECTED) {
            return false; /* nothing could be sent; the peer repeats itself, or hears of a gap */
        }
        go_up (self);
        self->answer_due = greeting;
    }
    acknowledged (self, header->received);
    self->echoed |= frame->has_hello_ack;
    if (greeting) {
        if (header->seq > self->received) {
            go_down (self, "frames are missing");
        }
        return false;
    }
    if (header->seq <= self->received) {
        return COHORT_MUTATED (link_repeats); /* twice */
    }
    if (header->seq != self->received + 1 && !COHORT_MUTATED (link_skips) &&
        !COHORT_MUTATED (gaps_ignored)) {
        go_down (self, "frames are missing");
        return false;
    }
    self->received = header->seq;
    self->unannounced += bulk;
    return true;
}

/* ---- Output ---------------------------------------------------------------------------------- */

enum link_event link_take_event (struct link *self)
{
    if (self->down_due) {
        self->down_due = false;
        return LINK_DOWN;
    }
    if (self->up_due) {
        self->up_due = false;
        return LINK_UP;
    }
    return LINK_NOTHING;
}

bool link_take_connect (struct link *self)
{
    if (self->connection != LINK_IDLE || self->now_ms < self->connect_at_ms) {
        return false;
    }
    self->connection = LINK_CONNECTING;
    self->attempt_ms = self->now_ms;
    self->connect_at_ms = self->now_ms + LINK_CONNECT_MAX_MS;
    return true;
}

bool link_take_hello (struct link *self, struct peer_frame *frame)
{
    if (self->connection != LINK_CONNECTED || (!self->hello_due && !self->answer_due)) {
        return false;
    }
    const struct link_identity *identity = self->identity;
    bool twin = self->up && link_twin_present (&self->twin, self->attempt_ms, self->now_ms);
    memset (frame, 0, sizeof *frame);
    frame->header = (struct peer_header){identity->id, self->peer, self->mine,
                                         self->theirs, self->sent, self->announced};
    frame->has_hello_ack = self->answer_due;
    if (self->hello_due || self->answer_with_hello) {
        frame->has_hello = true;
        frame->hello = (struct peer_hello){
            .magic = PEER_MAGIC,
            .version_min = PEER_VERSION_MIN,
            .version_max = PEER_VERSION_MAX,
            .has_cluster = identity->has_cluster,
            .store_id = identity->store_id,
            .role = identity->role,
            .twin = twin ? self->twin.store_id : 0,
        };
        memcpy (frame->hello.cluster_id, identity->cluster_id, PEER_CLUSTER_SIZE);
    }
    if (self->hello_due) {
        note_silence (self);
        self->hello_at_ms = self->now_ms + self->hello_wait_ms;
        self->hello_wait_ms = 2 * self->hello_wait_ms < LINK_HELLO_MAX_MS ? 2 * self->hello_wait_ms
                                                                          : LINK_HELLO_MAX_MS;
    }
    self->hello_due = false;
    self->answer_due = false;
    return true;
}

void link_stamp (struct link *self, struct peer_header *header, size_t bulk)
{
    COHORT_ASSERT (self->up);
    self->sent++;
    if (!self->hold) {
        self->announced = self->received;
        self->unannounced = 0;
    }
    *header = (struct peer_header){self->identity->id, self->peer, self->mine,
                                   self->theirs,       self->sent, self->announced};
    if (bulk > 0) {
        struct flight flight = {self->sent, bulk};
        if (ring_push (&self->flights, &flight)) {
            self->in_flight += bulk;
            self->largest_flight = bulk > self->largest_flight ? bulk : self->largest_flight;
        }
    }
}

bool link_ack_due (const struct link *self)
{
    return self->up && !self->hold && self->unannounced >= self->window / LINK_ACKS;
}

uint64_t link_credit (const struct link *self, unsigned share)
{
    COHORT_ASSERT (share >= 1 && share <= 4);
    uint64_t window = self->window / 4 * share;
    uint64_t used = COHORT_MUTATED (flights_ignored) ? 0 : self->in_flight;
    bool open = self->up && used < window && !ring_full (&self->flights);
    return open ? window - used : 0;
}

int64_t link_deadline (const struct link *self)
{
    if (self->connection != LINK_CONNECTED) {
        return self->connect_at_ms;
    }
    int64_t given_up_ms = self->greeting_ms + LINK_GREETING_MAX_MS;
    int64_t due_ms = self->hello_at_ms < given_up_ms ? self->hello_at_ms : given_up_ms;
    return self->up ? self->probe_at_ms : due_ms;
}

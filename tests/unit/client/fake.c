/* A small ensemble for tests: connections, faults, the thread. */

#include "tests/unit/client/fake.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "client/base/bundle.h"
#include "tests/unit/client/ended.h"
#include "tests/unit/client/fake_state.h"

void fake_happened (struct fake *self, enum fake_counter counter)
{
    pthread_mutex_lock (&self->lock);
    self->counters[counter]++;
    pthread_cond_broadcast (&self->changed);
    pthread_mutex_unlock (&self->lock);
}

/* ---- Sending --------------------------------------------------------------------------------- */

void fake_send (struct fake *self, const struct peer *peer, const Cohort__Wire__ServerFrame *frame)
{
    size_t size = cohort__wire__server_frame__get_packed_size (frame);
    uint8_t *bytes = malloc (BUNDLE_OVERHEAD + size);
    bundle_head (bytes, peer->channel, size);
    cohort__wire__server_frame__pack (frame, bytes + BUNDLE_OVERHEAD);
    void *router = self->routers[peer->server];
    /* Whoever is gone is told nothing. */
    if (router != NULL &&
        zmq_send (router, peer->id, peer->id_size, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0) {
        zmq_send (router, bytes, BUNDLE_OVERHEAD + size, ZMQ_DONTWAIT);
    }
    free (bytes);
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void refuse (struct fake *self, const struct peer *peer, int code)
{
    Cohort__Wire__Refused refused = COHORT__WIRE__REFUSED__INIT;
    refused.code = code;
    refused.text = "as the test wants";
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.refused = &refused;
    fake_send (self, peer, &frame);
}

static struct fake_session *create_session (struct fake *self, const Cohort__Wire__Hello *hello)
{
    for (int i = 0; i < self->session_count; i++) {
        if (memcmp (self->sessions[i].nonce, hello->nonce.data, 16) == 0) {
            return &self->sessions[i];
        }
    }
    assert (self->session_count < SESSIONS_MAX);
    struct fake_session *session = &self->sessions[self->session_count++];
    *session = (struct fake_session){.id = ++self->last_session, .attach_no = 1};
    memcpy (session->nonce, hello->nonce.data, 16);
    session->results = calloc (RESULTS_MAX, sizeof (*session->results));
    return session;
}

static void take_hello (struct fake *self, struct peer *peer, const Cohort__Wire__Hello *hello)
{
    pthread_mutex_lock (&self->lock);
    int code = self->refuse;
    pthread_mutex_unlock (&self->lock);
    struct fake_session *session = hello->session_id == 0
                                       ? create_session (self, hello)
                                       : fake_session_of (self, hello->session_id);
    if (code != 0 || session == NULL) {
        refuse (self, peer, code != 0 ? code : COHORT_ESESSIONEXPIRED);
        return;
    }
    peer->session = session->id;
    session->attach_no = hello->session_id != 0 ? hello->attach_no : session->attach_no;
    fake_close_stream (self, session->id, 0);
    static uint8_t cluster[16] = {1, 2, 3};
    Cohort__Wire__Welcome welcome = COHORT__WIRE__WELCOME__INIT;
    welcome.version = 1;
    welcome.cluster_id = (ProtobufCBinaryData){16, cluster};
    welcome.session_id = session->id;
    welcome.timeout_ms = hello->timeout_ms;
    welcome.grace_ms = hello->grace_ms;
    welcome.last_number = session->last_number;
    welcome.window = 1024;
    welcome.data_size_max = 1 << 20;
    welcome.attach_no = session->attach_no;
    welcome.credit_bytes = 4 << 20;
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.welcome = &welcome;
    fake_send (self, peer, &frame);
    fake_happened (self, FAKE_HELLOS);
}

static void take_rearm (struct fake *self, const struct peer *peer,
                        const Cohort__Wire__Rearm *rearm)
{
    /* The history is never cut: what was missed is what changed since. */
    for (size_t i = 0; i < rearm->n_watches; i++) {
        fake_set_watch (self, peer->session, (int) rearm->watches[i]->kind,
                        ended (rearm->watches[i]->path));
    }
    uint64_t zxid = self->zxid;
    for (int i = 0; i < self->history_count; i++) {
        const struct change *change = &self->history[i];
        if (change->zxid > rearm->last_zxid) {
            self->zxid = change->zxid;
            fake_fire (self, change->path, 1,
                       change->kind == COHORT_CHANGE_DELETED ? COHORT_EVENT_DELETED
                                                             : COHORT_EVENT_CHANGED);
        }
    }
    self->zxid = zxid;
    for (size_t i = 0; i < rearm->n_streams; i++) {
        fake_open_stream (self, peer, rearm->streams[i]);
    }
}

static bool is_held (struct fake *self, char *reason)
{
    pthread_mutex_lock (&self->lock);
    memcpy (reason, self->hold, sizeof (self->hold));
    pthread_mutex_unlock (&self->lock);
    return reason[0] != '\0';
}

static void send_held (struct fake *self, const struct peer *peer, char *reason)
{
    Cohort__Wire__Held held = COHORT__WIRE__HELD__INIT;
    held.reason = reason;
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.held = &held;
    fake_send (self, peer, &frame);
}

static void take_frame (struct fake *self, struct peer *peer, const uint8_t *bytes, size_t size)
{
    Cohort__Wire__ClientFrame *frame =
        cohort__wire__client_frame__unpack (ended_allocator (), size, bytes);
    assert (frame != NULL);
    char reason[64];
    if (frame->hello != NULL) {
        take_hello (self, peer, frame->hello);
    }
    if (frame->rearm != NULL) {
        take_rearm (self, peer, frame->rearm);
    }
    if (frame->heartbeat != NULL) {
        Cohort__Wire__ServerFrame answer = COHORT__WIRE__SERVER_FRAME__INIT;
        answer.confirmed = frame->heartbeat->seq;
        answer.zxid = self->zxid;
        if (!is_held (self, reason)) {
            fake_send (self, peer, &answer);
        }
        fake_happened (self, FAKE_BEATS);
    }
    if (frame->n_requests > 0 && is_held (self, reason)) {
        assert (self->held_count < HELD_MAX);
        struct held *held = &self->held[self->held_count++];
        *held = (struct held){.peer = *peer, .bytes = malloc (size), .size = size};
        memcpy (held->bytes, bytes, size);
        send_held (self, peer, reason);
    } else {
        for (size_t i = 0; i < frame->n_requests; i++) {
            fake_request (self, peer, frame->requests[i]);
        }
    }
    cohort__wire__client_frame__free_unpacked (frame, ended_allocator ());
}

static struct peer *peer_of (struct fake *self, int server, uint32_t channel, const void *id,
                             size_t size)
{
    for (int i = 0; i < self->peer_count; i++) {
        struct peer *peer = &self->peers[i];
        if (peer->server == server && peer->channel == channel && peer->id_size == size &&
            memcmp (peer->id, id, size) == 0) {
            return peer;
        }
    }
    assert (self->peer_count < PEERS_MAX && size <= 16);
    struct peer *peer = &self->peers[self->peer_count++];
    *peer = (struct peer){.server = server, .channel = channel, .id_size = size};
    memcpy (peer->id, id, size);
    return peer;
}

/* All that a client's sessions have to say at once. */
static void take_message (struct fake *self, int server, zmq_msg_t *id, zmq_msg_t *message)
{
    struct reader reader;
    struct letter letter;
    size_t letters;
    bool good = bundle_open (&reader, zmq_msg_data (message), zmq_msg_size (message), &letters);
    assert (good);
    (void) good;
    while (bundle_next (&reader, &letter)) {
        if (letter.size > 0) {
            take_frame (
                self, peer_of (self, server, letter.channel, zmq_msg_data (id), zmq_msg_size (id)),
                letter.data, letter.size);
        }
    }
}

static void read_router (struct fake *self, int server)
{
    for (;;) {
        void *router = self->routers[server];
        zmq_msg_t id, frame;
        zmq_msg_init (&id);
        zmq_msg_init (&frame);
        if (router == NULL || zmq_msg_recv (&id, router, ZMQ_DONTWAIT) < 0) {
            return;
        }
        zmq_msg_recv (&frame, router, ZMQ_DONTWAIT);
        pthread_mutex_lock (&self->lock);
        bool muted = self->muted[server];
        pthread_mutex_unlock (&self->lock);
        if (!muted) {
            take_message (self, server, &id, &frame);
        }
        zmq_msg_close (&id);
        zmq_msg_close (&frame);
    }
}

/* ---- The thread ------------------------------------------------------------------------------ */

static void *bind_router (struct fake *self, int index)
{
    int zero = 0;
    for (;;) {
        void *router = zmq_socket (self->context, ZMQ_ROUTER);
        zmq_setsockopt (router, ZMQ_LINGER, &zero, sizeof (zero));
        zmq_setsockopt (router, ZMQ_SNDHWM, &zero, sizeof (zero));
        if (self->secret_key != NULL) {
            int one = 1;
            zmq_setsockopt (router, ZMQ_CURVE_SERVER, &one, sizeof (one));
            zmq_setsockopt (router, ZMQ_CURVE_SECRETKEY, self->secret_key, 41);
        }
        if (zmq_bind (router, self->endpoints[index]) == 0) {
            size_t size = sizeof (self->endpoints[index]);
            zmq_getsockopt (router, ZMQ_LAST_ENDPOINT, self->endpoints[index], &size);
            return router;
        }
        /* The old listener is closed by another thread of libzmq, in a moment. */
        zmq_close (router);
    }
}

static void forget_peers (struct fake *self, int server)
{
    for (int i = 0; i < self->peer_count; i++) {
        if (self->peers[i].server == server) {
            self->peers[i--] = self->peers[--self->peer_count];
        }
    }
}

static void release_held (struct fake *self)
{
    char nothing[1] = "";
    int held_count = self->held_count;
    self->held_count = 0;
    for (int i = 0; i < held_count; i++) {
        send_held (self, &self->held[i].peer, nothing);
        take_frame (self, &self->held[i].peer, self->held[i].bytes, self->held[i].size);
        free (self->held[i].bytes);
    }
}

static void expire_all (struct fake *self)
{
    while (self->session_count > 0) {
        struct peer *peer = fake_peer_of_session (self, self->sessions[0].id);
        if (peer != NULL) {
            refuse (self, peer, COHORT_ESESSIONEXPIRED);
        }
        fake_end_session (self, self->sessions[0].id);
    }
}

/* Does what the test asked for; false: the end. */
static bool obey (struct fake *self)
{
    pthread_mutex_lock (&self->lock);
    bool stop = self->stop, expire = self->expire, release = self->release;
    self->expire = self->release = false;
    uint64_t wanted = self->wanted;
    bool stopped[SERVERS_MAX];
    memcpy (stopped, self->want_stopped, sizeof (stopped));
    pthread_mutex_unlock (&self->lock);
    if (expire) {
        expire_all (self);
    }
    if (release) {
        release_held (self);
    }
    for (int i = 0; i < self->count; i++) {
        if (stopped[i] && self->routers[i] != NULL) {
            zmq_close (self->routers[i]);
            self->routers[i] = NULL;
            forget_peers (self, i);
        } else if (!stopped[i] && self->routers[i] == NULL) {
            self->routers[i] = bind_router (self, i);
        }
    }
    pthread_mutex_lock (&self->lock);
    self->done = wanted;
    pthread_cond_broadcast (&self->changed);
    pthread_mutex_unlock (&self->lock);
    return !stop;
}

static void *run (void *arg)
{
    struct fake *self = arg;
    while (obey (self)) {
        zmq_pollitem_t items[SERVERS_MAX + 1];
        items[0] = (zmq_pollitem_t){.fd = self->wake_fd, .events = ZMQ_POLLIN};
        int used = 1;
        for (int i = 0; i < self->count; i++) {
            if (self->routers[i] != NULL) {
                items[used++] = (zmq_pollitem_t){.socket = self->routers[i], .events = ZMQ_POLLIN};
            }
        }
        zmq_poll (items, used, -1);
        if (items[0].revents != 0) {
            uint64_t value;
            ssize_t got = read (self->wake_fd, &value, sizeof (value));
            (void) got;
        }
        for (int i = 0; i < self->count; i++) {
            read_router (self, i);
        }
    }
    return NULL;
}

/* ---- For the test ---------------------------------------------------------------------------- */

static void wake (struct fake *self)
{
    uint64_t one = 1;
    ssize_t put = write (self->wake_fd, &one, sizeof (one));
    (void) put;
}

static void deadline_in (struct timespec *at, int seconds)
{
    clock_gettime (CLOCK_REALTIME, at);
    at->tv_sec += seconds;
}

/* Lock held: until the thread has seen everything. */
static void settle (struct fake *self)
{
    struct timespec until;
    deadline_in (&until, 10);
    uint64_t mine = ++self->wanted;
    wake (self);
    while (self->done < mine) {
        int rc = pthread_cond_timedwait (&self->changed, &self->lock, &until);
        assert (rc == 0);
        (void) rc;
    }
}

struct fake *fake_new (void *context, const char *const *endpoints, int count_given)
{
    return fake_new_secure (context, endpoints, count_given, NULL);
}

struct fake *fake_new_secure (void *context, const char *const *endpoints, int count_given,
                              const char *secret_key)
{
    struct fake *self = calloc (1, sizeof (*self));
    self->secret_key = secret_key;
    self->own_context = context == NULL;
    self->context = context != NULL ? context : zmq_ctx_new ();
    self->wake_fd = eventfd (0, EFD_NONBLOCK);
    self->zxid = 1;
    self->count = count_given;
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->changed, NULL);
    self->nodes[self->node_count++] = (struct node){.path = "/", .data = malloc (1)};
    for (int i = 0; i < count_given; i++) {
        snprintf (self->endpoints[i], sizeof (self->endpoints[i]), "%s", endpoints[i]);
        self->routers[i] = bind_router (self, i);
        size_t used = strlen (self->servers);
        snprintf (self->servers + used, sizeof (self->servers) - used, "%s%s", i > 0 ? "," : "",
                  self->endpoints[i]);
    }
    pthread_create (&self->thread, NULL, run, self);
    return self;
}

void fake_destroy (struct fake **self_p)
{
    struct fake *self = *self_p;
    *self_p = NULL;
    pthread_mutex_lock (&self->lock);
    self->stop = true;
    pthread_mutex_unlock (&self->lock);
    wake (self);
    pthread_join (self->thread, NULL);
    for (int i = 0; i < self->count; i++) {
        if (self->routers[i] != NULL) {
            zmq_close (self->routers[i]);
        }
    }
    if (self->own_context) {
        zmq_ctx_term (self->context);
    }
    for (int i = 0; i < self->node_count; i++) {
        free (self->nodes[i].data);
    }
    for (int i = 0; i < self->session_count; i++) {
        free (self->sessions[i].results);
    }
    for (int i = 0; i < self->held_count; i++) {
        free (self->held[i].bytes);
    }
    close (self->wake_fd);
    pthread_cond_destroy (&self->changed);
    pthread_mutex_destroy (&self->lock);
    free (self);
}

const char *fake_servers (struct fake *self)
{
    return self->servers;
}

const char *fake_endpoint (struct fake *self, int index)
{
    return self->endpoints[index];
}

#define WITH_LOCK(self, statement)                                                                 \
    do {                                                                                           \
        pthread_mutex_lock (&(self)->lock);                                                        \
        statement;                                                                                 \
        settle (self);                                                                             \
        pthread_mutex_unlock (&(self)->lock);                                                      \
    } while (0)

void fake_stop (struct fake *self, int index)
{
    WITH_LOCK (self, self->want_stopped[index] = true);
}

void fake_start (struct fake *self, int index)
{
    WITH_LOCK (self, self->want_stopped[index] = false);
}

void fake_mute (struct fake *self, int index, bool muted)
{
    WITH_LOCK (self, self->muted[index] = muted);
}

void fake_swallow (struct fake *self, int writes)
{
    WITH_LOCK (self, self->swallow = writes);
}

void fake_hold (struct fake *self, const char *reason)
{
    WITH_LOCK (self, (snprintf (self->hold, sizeof (self->hold), "%s", reason),
                      self->release = reason[0] == '\0'));
}

void fake_refuse (struct fake *self, int code)
{
    WITH_LOCK (self, self->refuse = code);
}

void fake_expire (struct fake *self)
{
    WITH_LOCK (self, self->expire = true);
}

bool fake_await (struct fake *self, enum fake_counter counter, uint64_t least)
{
    struct timespec until;
    deadline_in (&until, 10);
    pthread_mutex_lock (&self->lock);
    while (self->counters[counter] < least &&
           pthread_cond_timedwait (&self->changed, &self->lock, &until) == 0) {
    }
    bool reached = self->counters[counter] >= least;
    pthread_mutex_unlock (&self->lock);
    return reached;
}

uint64_t fake_count (struct fake *self, enum fake_counter counter)
{
    pthread_mutex_lock (&self->lock);
    uint64_t value = self->counters[counter];
    pthread_mutex_unlock (&self->lock);
    return value;
}

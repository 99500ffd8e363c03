/* Backups: a server's snapshot file, over a connection without a session. May include: wire, hosts,
 * io.h (for keys), proof, libzmq, base, libc. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "client/base/secret.h"
#include "client/src/hosts.h"
#include "client/src/io.h"
#include "client/src/proof.h"
#include "client/src/wire.h"

#define CONNECT_TIMEOUT_MS 1000
#define SILENCE_MS         10000
#define TICK_MS            200
#define HANDSHAKE_MS       500
#define PIECE_MAX          (1u << 20)
/* Not confirmed yet: above it the server is told. */
#define CONFIRM_BYTES (128u << 10)
/* What may wait in libzmq's queue: a server sends less ahead. */
#define QUEUE_FRAMES 64

struct download {
    cohort_snapshot_options_t options;
    cohort_snapshot_fn *fn;
    void *arg;
    void *context;
    char *error;
    size_t error_size;
    char public_key[41], secret_key[41]; /* if the caller has none */
    struct proof *proof;                 /* who asks, or NULL */
    int code;                            /* the reason, if all fail */
    uint64_t furthest;                   /* bytes that had come then, and one for an answer */

    /* Of the present server. */
    void *dealer, *monitor;
    const char *server;
    cohort_snapshot_t snapshot;
    uint64_t received, confirmed, sum;
    bool unsent;   /* a query is due */
    bool answered; /* it lives, and knows what is meant */
    bool whole;
    bool enough; /* the caller has said so: with `said` */
    int said;
    int64_t deadline_ms;
};

static int64_t clock_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Notes why this server does not do; of several reasons, that of the one which came furthest. */
static bool fail (struct download *self, int code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

static bool fail (struct download *self, int code, const char *format, ...)
{
    uint64_t came = self->received + (self->answered || code != COHORT_ECONNECT ? 1 : 0);
    COHORT_ASSERT (code < 0);
    if (self->code == 0 || came > self->furthest) {
        char text[256];
        va_list arguments;
        va_start (arguments, format);
        vsnprintf (text, sizeof (text), format, arguments);
        va_end (arguments);
        self->code = code;
        self->furthest = came;
        snprintf (self->error, self->error_size, "%s: %s", self->server, text);
    }
    return false;
}

/* ---- The connection -------------------------------------------------------------------------- */

static bool set_int (void *socket, int option, int value)
{
    return zmq_setsockopt (socket, option, &value, sizeof (value)) == 0;
}

static bool set_options (struct download *self)
{
    void *dealer = self->dealer;
    const cohort_snapshot_options_t *options = &self->options;
    bool good = set_int (dealer, ZMQ_RECONNECT_IVL, -1) && set_int (dealer, ZMQ_IMMEDIATE, 1) &&
                set_int (dealer, ZMQ_LINGER, 0) && set_int (dealer, ZMQ_RCVHWM, QUEUE_FRAMES) &&
                set_int (dealer, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    if (good && strchr (self->server, '[') != NULL) {
        good = set_int (dealer, ZMQ_IPV6, 1);
    }
    return good && (options->server_key == NULL ||
                    (zmq_setsockopt (dealer, ZMQ_CURVE_SERVERKEY, options->server_key, 41) == 0 &&
                     zmq_setsockopt (dealer, ZMQ_CURVE_PUBLICKEY, options->public_key, 41) == 0 &&
                     zmq_setsockopt (dealer, ZMQ_CURVE_SECRETKEY, options->secret_key, 41) == 0));
}

/* Its end is connected before anything happens, and never full: see docs/zeromq.md. */
static bool open_monitor (struct download *self)
{
    char name[96];
    struct timespec now; /* never the name of an earlier one, which may not be gone yet */
    clock_gettime (CLOCK_MONOTONIC, &now);
    snprintf (name, sizeof (name), "inproc://cohort-snapshot-%p-%lld-%ld", (void *) self,
              (long long) now.tv_sec, now.tv_nsec);
    self->monitor = zmq_socket (self->context, ZMQ_PAIR);
    int events = ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    return self->monitor != NULL && set_int (self->monitor, ZMQ_RCVHWM, 0) &&
           set_int (self->monitor, ZMQ_LINGER, 0) &&
           zmq_socket_monitor (self->dealer, name, events) == 0 &&
           zmq_connect (self->monitor, name) == 0;
}

static void close_connection (struct download *self)
{
    if (self->monitor != NULL) {
        /* In this order: a PAIR that is closed while its monitor is on hangs the I/O thread. */
        zmq_socket_monitor (self->dealer, NULL, 0);
        zmq_close (self->monitor);
    }
    if (self->dealer != NULL) {
        zmq_close (self->dealer);
    }
    self->dealer = self->monitor = NULL;
}

static bool open_connection (struct download *self)
{
    bool inproc = strncmp (self->server, "inproc:", 7) == 0; /* which has no such events */
    self->dealer = zmq_socket (self->context, ZMQ_DEALER);
    if (self->dealer == NULL || !set_options (self) || (!inproc && !open_monitor (self))) {
        return fail (self, COHORT_ESYSTEM, "no socket can be made: %s",
                     zmq_strerror (zmq_errno ()));
    }
    return zmq_connect (self->dealer, self->server) == 0 ||
           fail (self, COHORT_ECONNECT, "%s", zmq_strerror (zmq_errno ()));
}

/* The reason why the connection has ended. */
static bool take_end (struct download *self)
{
    uint16_t event = 0;
    zmq_msg_t message;
    zmq_msg_init (&message);
    if (zmq_msg_recv (&message, self->monitor, ZMQ_DONTWAIT) >= (int) sizeof (event)) {
        memcpy (&event, zmq_msg_data (&message), sizeof (event)); /* in the machine's byte order */
    }
    zmq_msg_close (&message);
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
        return fail (self, COHORT_EAUTHFAILED, "it does not take this key");
    }
    return fail (self, COHORT_ECONNECT,
                 self->answered ? "the connection has ended" : "it cannot be reached");
}

/* ---- What is said ---------------------------------------------------------------------------- */

static bool send_query (struct download *self)
{
    struct buf frame;
    struct wire_op auth = {.kind = WIRE_ADD_AUTH};
    const struct proof *proof = self->received == 0 ? self->proof : NULL;
    if (proof != NULL) {
        auth.scheme = proof->scheme;
        auth.user = proof->user;
        auth.data = proof->credential;
        auth.size = proof->size;
    }
    buf_init (&frame);
    if (wire_put_backup (&frame, self->received, proof != NULL ? &auth : NULL) != COHORT_OK) {
        buf_deinit (&frame);
        return fail (self, COHORT_ENOMEM, "out of memory");
    }
    if (zmq_send (self->dealer, frame.data, frame.size, ZMQ_DONTWAIT) == (int) frame.size) {
        self->unsent = false;
        self->confirmed = self->received;
    }
    secret_wipe (frame.data, frame.size);
    buf_deinit (&frame);
    return true;
}

/* Tells the caller; false: it has had enough. */
static bool tell (struct download *self, const void *data, size_t size)
{
    self->said = self->fn (self->arg, &self->snapshot, data, size);
    self->enough = self->said != 0;
    return !self->enough;
}

static bool take_part (struct download *self, const struct wire_backup *part)
{
    cohort_snapshot_t *snapshot = &self->snapshot;
    if (part->code < 0) {
        return fail (self, part->code, "%s", part->text);
    }
    if (part->data_size == 0) {
        return true; /* it is at work */
    }
    if (part->offset != self->received || part->data_size > PIECE_MAX ||
        (snapshot->size > 0 && (snapshot->size != part->size || snapshot->zxid != part->zxid))) {
        return fail (self, COHORT_EPROTOCOL, "pieces of the snapshot do not fit together");
    }
    snapshot->size = part->size;
    snapshot->zxid = part->zxid;
    snapshot->offset = part->offset;
    self->sum = hash64 (part->data, part->data_size, self->sum);
    self->received += part->data_size;
    self->unsent |= self->received - self->confirmed >= CONFIRM_BYTES;
    if (self->received == part->size && self->sum != part->sum) {
        return fail (self, COHORT_ECORRUPT, "what came is not what was sent");
    }
    self->whole = self->received == part->size;
    return tell (self, part->data, part->data_size);
}

static bool take_frame (struct download *self, const void *bytes, size_t size)
{
    struct wire_frame *frame = NULL;
    int rc = size > 0 ? wire_decode (bytes, size, &frame) : COHORT_OK;
    if (rc != COHORT_OK) {
        return fail (self, rc, "its answer cannot be understood");
    }
    if (frame == NULL) {
        return true; /* a probe of the connection */
    }
    bool good = true;
    if (frame->refused != NULL) {
        good = fail (self, frame->refused->code < 0 ? frame->refused->code : COHORT_EPROTOCOL, "%s",
                     frame->refused->text);
    } else if (frame->backup != NULL) {
        self->answered = true;
        self->deadline_ms = clock_ms () + self->options.silence_ms;
        good = take_part (self, frame->backup);
    }
    wire_frame_release (frame);
    return good;
}

/* All that has arrived. */
static bool receive (struct download *self)
{
    bool good = true;
    zmq_msg_t message;
    zmq_msg_init (&message);
    while (good && !self->whole && zmq_msg_recv (&message, self->dealer, ZMQ_DONTWAIT) >= 0) {
        good = take_frame (self, zmq_msg_data (&message), zmq_msg_size (&message));
    }
    zmq_msg_close (&message);
    return good;
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* Waits for something to happen and deals with it; false: it has come to an end. */
static bool turn (struct download *self)
{
    int64_t left = self->deadline_ms - clock_ms ();
    if (left <= 0) {
        return fail (self, self->answered ? COHORT_ETIMEDOUT : COHORT_ECONNECT,
                     self->answered ? "it has fallen silent" : "it does not answer");
    }
    short wanted = (short) (ZMQ_POLLIN | (self->unsent ? ZMQ_POLLOUT : 0));
    zmq_pollitem_t items[] = {{self->dealer, 0, wanted, 0}, {self->monitor, 0, ZMQ_POLLIN, 0}};
    int count = self->monitor != NULL ? 2 : 1;
    int ready = zmq_poll (items, count, left < TICK_MS ? (long) left : TICK_MS);
    if (ready <= 0) {
        return tell (self, NULL, 0); /* a signal, too */
    }
    if ((items[0].revents & ZMQ_POLLOUT) != 0 && !send_query (self)) {
        return false;
    }
    /* What arrived before the connection ended is good still. */
    if (!receive (self) || self->whole) {
        return false;
    }
    return count == 1 || items[1].revents == 0 || take_end (self);
}

/* Whether it has sent everything. */
static bool ask (struct download *self, const char *server)
{
    self->server = self->snapshot.server = server;
    self->snapshot.zxid = self->snapshot.size = self->snapshot.offset = 0;
    self->received = self->confirmed = self->sum = 0;
    self->answered = self->whole = false;
    self->unsent = true;
    self->deadline_ms = clock_ms () + self->options.connect_timeout_ms;
    bool open = open_connection (self);
    while (open && turn (self)) {
    }
    close_connection (self);
    return self->whole;
}

/* As cohort_new: without keys of its own the call makes a pair. */
static bool take_keys (struct download *self)
{
    cohort_snapshot_options_t *options = &self->options;
    if (options->server_key == NULL ||
        (options->public_key == NULL) != (options->secret_key == NULL)) {
        return options->server_key == NULL && options->public_key == NULL &&
               options->secret_key == NULL;
    }
    if (options->public_key == NULL) {
        options->public_key = self->public_key;
        options->secret_key = self->secret_key;
        return channel_key_valid (options->server_key) &&
               zmq_curve_keypair (self->public_key, self->secret_key) == 0;
    }
    return channel_key_valid (options->server_key) && channel_key_valid (options->public_key) &&
           channel_key_valid (options->secret_key);
}

static int take_auth (struct download *self)
{
    const cohort_snapshot_options_t *options = &self->options;
    if (options->auth_scheme == NULL && options->auth_user == NULL &&
        options->auth_password == NULL) {
        return COHORT_OK;
    }
    return proof_make (options->auth_scheme, options->auth_user, options->auth_password,
                       &self->proof, self->error, self->error_size);
}

static int take_options (struct download *self, const cohort_snapshot_options_t *options)
{
    cohort_snapshot_options_t *own = &self->options;
    if (options != NULL &&
        (options->size < sizeof (options->size) || options->size > sizeof (*own))) {
        snprintf (self->error, self->error_size, "options.size is %zu: not within %zu and %zu",
                  options->size, sizeof (options->size), sizeof (*own));
        return COHORT_EINVAL;
    }
    if (options != NULL) {
        memcpy (own, options, options->size);
    }
    if (own->connect_timeout_ms < 0 || own->silence_ms < 0) {
        snprintf (self->error, self->error_size, "a time limit is negative");
        return COHORT_EINVAL;
    }
    if (!take_keys (self)) {
        snprintf (self->error, self->error_size,
                  "a CURVE key is missing, or has not 40 characters");
        return COHORT_EINVAL;
    }
    own->connect_timeout_ms =
        own->connect_timeout_ms > 0 ? own->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    own->silence_ms = own->silence_ms > 0 ? own->silence_ms : SILENCE_MS;
    return take_auth (self);
}

int cohort_snapshot_read (const char *servers, const cohort_snapshot_options_t *options,
                          cohort_snapshot_fn *fn, void *arg, char *error, size_t error_size)
{
    struct download self = {.fn = fn, .arg = arg, .error = error, .error_size = error_size};
    struct hosts hosts;
    if (servers == NULL || fn == NULL || (error == NULL && error_size > 0)) {
        return COHORT_EINVAL;
    }
    int rc = take_options (&self, options);
    if (rc == COHORT_OK) {
        rc = hosts_parse (&hosts, servers, error, error_size);
    }
    if (rc != COHORT_OK) {
        proof_release (self.proof);
        return rc;
    }
    self.context = self.options.zmq_context != NULL ? self.options.zmq_context : zmq_ctx_new ();
    if (self.context == NULL) {
        hosts_deinit (&hosts);
        proof_release (self.proof);
        snprintf (error, error_size, "no ZeroMQ context can be made");
        return COHORT_ESYSTEM;
    }
    bool done = false;
    for (size_t i = 0; i < hosts.count && !done && !self.enough; i++) {
        done = ask (&self, hosts.endpoints[i]);
    }
    if (self.options.zmq_context == NULL) {
        zmq_ctx_term (self.context);
    }
    hosts_deinit (&hosts);
    proof_release (self.proof);
    return self.enough ? self.said : done ? COHORT_OK : self.code;
}

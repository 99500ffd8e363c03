/* Handles: their beginning, their end, and what can be asked of them.
 * May include: client, handle, loop, libzmq (keys), libc. */

#include "client/src/client.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <zmq.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/src/loop.h"
#include "client/src/state_file.h"

#define TIMEOUT_MS_DEFAULT         10000
#define TIME_LIMIT_MS_DEFAULT      30000
#define CONNECT_TIMEOUT_MS_DEFAULT 1000
#define STREAM_BYTES_DEFAULT       (UINT64_C (1) << 30)
/* The longest time limit, about twelve days: sums of a few stay far from overflow. */
#define LIMIT_MS_MAX 1000000000
/* How long cohort_destroy waits for the session's orderly end: the loop gives up after 1 s. */
#define DESTROY_MS 1500
#define EMPTY_MS   5000

/* The one thing that is not in a handle, because there is none when cohort_new fails. */
static _Thread_local struct {
    int rc;
    char text[MAILBOX_TEXT_SIZE];
} new_error;

static int refuse (int rc, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

static int refuse (int rc, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (new_error.text, sizeof (new_error.text), format, arguments);
    va_end (arguments);
    new_error.rc = rc;
    return rc;
}

int cohort_new_error (const char **text)
{
    if (text != NULL) {
        *text = new_error.text;
    }
    return new_error.rc;
}

/* ---- Options --------------------------------------------------------------------------------- */

static int check_limit (const char *name, int value, int least)
{
    if (value < least || value > LIMIT_MS_MAX) {
        return refuse (COHORT_EINVAL, "options.%s is %d: not within %d and %d ms", name, value,
                       least, LIMIT_MS_MAX);
    }
    return COHORT_OK;
}

static int check_key (const char *name, const char *key)
{
    if (key != NULL && !channel_key_valid (key)) {
        return refuse (COHORT_EINVAL, "options.%s is no CURVE key of 40 characters (Z85)", name);
    }
    return COHORT_OK;
}

static int check_options (const cohort_options_t *options)
{
    int rc = check_limit ("timeout_ms", options->timeout_ms, 0);
    rc = rc == 0 ? check_limit ("disconnect_grace_ms", options->disconnect_grace_ms, 0) : rc;
    rc = rc == 0 ? check_limit ("time_limit_ms", options->time_limit_ms, -1) : rc;
    rc = rc == 0 ? check_limit ("connect_timeout_ms", options->connect_timeout_ms, 0) : rc;
    rc = rc == 0 ? check_limit ("watchdog_ms", options->watchdog_ms, 0) : rc;
    rc = rc == 0 ? check_key ("server_key", options->server_key) : rc;
    rc = rc == 0 ? check_key ("public_key", options->public_key) : rc;
    rc = rc == 0 ? check_key ("secret_key", options->secret_key) : rc;
    if (rc == 0 && (options->public_key == NULL) != (options->secret_key == NULL)) {
        rc = refuse (COHORT_EINVAL, "options: public_key and secret_key go together");
    }
    if (rc == 0 && options->public_key != NULL && options->server_key == NULL) {
        rc = refuse (COHORT_EINVAL, "options: public_key without server_key encrypts nothing");
    }
    if (rc == 0 && options->state_file != NULL &&
        (options->state_file[0] == '\0' || strlen (options->state_file) > STATE_FILE_PATH_MAX)) {
        rc = refuse (COHORT_EINVAL, "options.state_file has %zu characters: not within 1 and %d",
                     strlen (options->state_file), STATE_FILE_PATH_MAX);
    }
    if (rc == 0 && options->close_predecessor != 0 && options->state_file == NULL) {
        rc = refuse (COHORT_EINVAL, "options.close_predecessor needs options.state_file");
    }
    return rc;
}

/* A client without keys of its own is anonymous: fresh ones for each handle. */
static int take_keys (cohort_t *self, const cohort_options_t *options)
{
    if (options->server_key == NULL) {
        return COHORT_OK;
    }
    self->encrypted = true;
    memcpy (self->keys.server, options->server_key, sizeof (self->keys.server));
    if (options->public_key != NULL) {
        memcpy (self->keys.public, options->public_key, sizeof (self->keys.public));
        memcpy (self->keys.secret, options->secret_key, sizeof (self->keys.secret));
    } else if (zmq_curve_keypair (self->keys.public, self->keys.secret) != 0) {
        return refuse (COHORT_EUNSUPPORTED, "options.server_key: this libzmq has no CURVE");
    }
    return COHORT_OK;
}

static bool draw_random (struct session_random *random)
{
    uint8_t *at = (uint8_t *) random;
    size_t left = sizeof (*random);
    while (left > 0) {
        ssize_t got = getrandom (at, left, 0);
        if (got < 0 && errno != EINTR) {
            return false;
        }
        if (got > 0) {
            at += got;
            left -= (size_t) got;
        }
    }
    return true;
}

/* ---- The beginning --------------------------------------------------------------------------- */

static int make_session (cohort_t *self, const struct hosts *hosts, const cohort_options_t *options,
                         const struct session_identity *past)
{
    uint32_t timeout_ms = (uint32_t) options->timeout_ms;
    uint32_t grace_ms = (uint32_t) options->disconnect_grace_ms;
    uint32_t connect_ms = (uint32_t) options->connect_timeout_ms;
    struct session_options made = {
        .hosts = hosts,
        .timeout_ms = timeout_ms > 0 ? timeout_ms : TIMEOUT_MS_DEFAULT,
        .connect_timeout_ms = connect_ms > 0 ? connect_ms : CONNECT_TIMEOUT_MS_DEFAULT,
        .stream_bytes_max =
            options->stream_bytes_max > 0 ? options->stream_bytes_max : STREAM_BYTES_DEFAULT,
    };
    made.past = past->id != 0 ? past : NULL;
    made.close_past = options->close_predecessor != 0;
    made.grace_ms = grace_ms > 0 ? grace_ms : made.timeout_ms;
    if (!draw_random (&made.random)) {
        return refuse (COHORT_ESYSTEM, "the system gives no random bytes");
    }
    self->session = session_new (&made);
    self->chroot = mem_strdup (hosts->chroot);
    if (self->session == NULL || self->chroot == NULL) {
        return refuse (COHORT_ENOMEM, "out of memory");
    }
    self->chroot_size = strlen (self->chroot);
    self->watchdog_ms = (uint32_t) options->watchdog_ms;
    return take_keys (self, options);
}

static int make_loop (cohort_t *self, const cohort_options_t *options)
{
    self->loop = options->loop;
    if (self->loop != NULL) {
        return COHORT_OK;
    }
    int rc = loop_new (NULL, &self->loop);
    if (rc != COHORT_OK) {
        return refuse (rc, "cannot start a loop: %s", cohort_error_text (rc));
    }
    self->own_loop = true;
    return COHORT_OK;
}

static void free_fixed (cohort_t *self)
{
    mem_free (self->chroot);
    mem_free (self->state_file);
    mem_free (self->servers);
}

void handle_free (cohort_t *self)
{
    session_free (&self->session);
    event_free_all (&self->dispatch);
    mailbox_deinit (&self->mailbox);
    free_fixed (self);
    mem_free (self);
}

static int keep_state_file (cohort_t *self, const char *servers, const cohort_options_t *options)
{
    if (options->state_file == NULL) {
        return COHORT_OK;
    }
    self->state_file = mem_strdup (options->state_file);
    self->servers = mem_strdup (servers);
    return self->state_file != NULL && self->servers != NULL
               ? COHORT_OK
               : refuse (COHORT_ENOMEM, "out of memory");
}

static cohort_t *make_handle (const struct hosts *hosts, const char *servers,
                              const cohort_options_t *options, const struct session_identity *past)
{
    cohort_t *self = mem_calloc (1, sizeof (*self));
    if (self == NULL) {
        refuse (COHORT_ENOMEM, "out of memory");
        return NULL;
    }
    list_init (&self->dispatch);
    if (keep_state_file (self, servers, options) != COHORT_OK ||
        make_session (self, hosts, options, past) != COHORT_OK ||
        make_loop (self, options) != COHORT_OK) {
        session_free (&self->session);
        free_fixed (self);
        mem_free (self);
        return NULL;
    }
    int limit_ms = options->time_limit_ms;
    mailbox_init (&self->mailbox, &self->loop->exchange,
                  limit_ms == 0 ? TIME_LIMIT_MS_DEFAULT : limit_ms, loop_now_ms (self->loop));
    mailbox_announce (&self->mailbox);
    return self;
}

/* What the process before has left; this one takes the next incarnation. */
static int read_past (const cohort_options_t *options, struct session_identity *past,
                      struct buf *servers)
{
    if (options->state_file == NULL) {
        return COHORT_OK;
    }
    int rc = state_file_read (options->state_file, past, servers, new_error.text,
                              sizeof (new_error.text));
    past->incarnation = past->id != 0 ? past->incarnation + 1 : 1;
    return rc;
}

/* The state file is written before anything is tried: that it cannot be is known at once. */
static cohort_t *begin (const char *servers, const cohort_options_t *options,
                        const struct session_identity *past)
{
    struct hosts hosts;
    new_error.rc = hosts_parse (&hosts, servers, new_error.text, sizeof (new_error.text));
    if (new_error.rc != COHORT_OK) {
        return NULL;
    }
    if (options->state_file != NULL) {
        new_error.rc = state_file_write (options->state_file, past, servers, new_error.text,
                                         sizeof (new_error.text));
    }
    cohort_t *self =
        new_error.rc == COHORT_OK ? make_handle (&hosts, servers, options, past) : NULL;
    hosts_deinit (&hosts);
    return self;
}

cohort_t *cohort_new (const char *servers, const cohort_options_t *given)
{
    new_error.rc = COHORT_OK;
    new_error.text[0] = '\0';
    cohort_options_t options = {0};
    if (given != NULL) {
        if (given->size < sizeof (given->size) || given->size > sizeof (options)) {
            refuse (COHORT_EINVAL, "options.size is %zu: not within %zu and %zu", given->size,
                    sizeof (given->size), sizeof (options));
            return NULL;
        }
        memcpy (&options, given, given->size);
    }
    if (check_options (&options) != COHORT_OK) {
        return NULL;
    }
    struct session_identity past = {0};
    struct buf known;
    buf_init (&known);
    cohort_t *self = NULL;
    new_error.rc = read_past (&options, &past, &known);
    if (new_error.rc == COHORT_OK) {
        servers = servers == NULL && known.size > 1 ? (const char *) known.data : servers;
        self = begin (servers, &options, &past);
    }
    buf_deinit (&known);
    return self;
}

/* ---- The end --------------------------------------------------------------------------------- */

static void release (cohort_t *self)
{
    if (mailbox_release (&self->mailbox)) {
        handle_free (self);
    }
}

static void end (cohort_t **self_p, enum mailbox_end how, int limit_ms)
{
    if (self_p == NULL || *self_p == NULL) {
        return;
    }
    cohort_t *self = *self_p;
    *self_p = NULL;
    cohort_loop_t *own = self->own_loop ? self->loop : NULL;
    bool inside = mailbox_in_callback (&self->mailbox);
    if (inside) {
        /* The dispatch that runs this callback ends with it; the loop ends the session later. */
        self->destroyed = true;
        mailbox_end (&self->mailbox, how);
        if (own != NULL) {
            exchange_orphan (&own->exchange);
        }
        release (self);
        return;
    }
    mailbox_end (&self->mailbox, how);
    if (!mailbox_wait_finished (&self->mailbox, limit_ms)) {
        mailbox_end (&self->mailbox, MAILBOX_ABANDON);
        mailbox_wait_finished (&self->mailbox, -1);
    }
    client_tell_rest (self);
    release (self);
    if (own != NULL) {
        /* Empty, unless another thread is in a callback of the handle for very long. */
        if (exchange_wait_empty (&own->exchange, EMPTY_MS) == COHORT_OK) {
            loop_free (own);
        } else {
            exchange_orphan (&own->exchange);
        }
    }
}

void cohort_destroy (cohort_t **self_p)
{
    end (self_p, MAILBOX_CLOSE, DESTROY_MS);
}

void cohort_destroy_within (cohort_t **self_p, int limit_ms)
{
    limit_ms = limit_ms > 0 ? limit_ms : 0;
    end (self_p, MAILBOX_CLOSE, limit_ms < DESTROY_MS ? limit_ms : DESTROY_MS);
}

void cohort_abandon (cohort_t **self_p)
{
    end (self_p, MAILBOX_ABANDON, DESTROY_MS);
}

int cohort_renew (cohort_t *self)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    struct renew_event *renew = mem_calloc (1, sizeof (*renew));
    if (renew == NULL) {
        return client_fail (self, COHORT_ENOMEM, "out of memory");
    }
    int rc = draw_random (&renew->random) ? mailbox_renew (&self->mailbox, renew) : COHORT_ESYSTEM;
    if (rc != COHORT_OK) {
        mem_free (renew);
        return client_fail (self, rc, "renew: the session is not lost");
    }
    return COHORT_OK;
}

/* ---- Questions ------------------------------------------------------------------------------- */

int client_fail (cohort_t *self, int rc, const char *format, ...)
{
    char text[MAILBOX_TEXT_SIZE];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (text, sizeof (text), format, arguments);
    va_end (arguments);
    mailbox_set_text (&self->mailbox, text);
    return rc;
}

int cohort_wait (cohort_t *self, int timeout_ms)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    if (mailbox_in_callback (&self->mailbox)) {
        return client_fail (self, COHORT_EDEADLK, "wait: called inside a callback");
    }
    struct waiter waiter;
    int rc = waiter_init (&waiter, &self->mailbox, WAITER_STATE);
    if (rc != COHORT_OK) {
        return rc;
    }
    struct published view;
    rc = waiter_wait (&waiter, timeout_ms, &view);
    waiter_deinit (&waiter);
    if (rc == COHORT_OK && view.state == COHORT_LOST) {
        return client_fail (self, view.rc, "wait: %s: %s", cohort_error_text (view.rc),
                            view.reason);
    }
    if (rc != COHORT_OK) {
        return client_fail (self, rc, "wait: not connected within %d ms%s%s", timeout_ms,
                            view.reason[0] != '\0' ? ": " : "", view.reason);
    }
    return COHORT_OK;
}

cohort_state_t cohort_state (cohort_t *self)
{
    struct published view;
    mailbox_view (&self->mailbox, &view);
    return view.state;
}

int64_t cohort_valid_ms (cohort_t *self)
{
    int64_t until_ms = mailbox_valid_until (&self->mailbox);
    int64_t now_ms = loop_now_ms (self->loop);
    return until_ms > now_ms ? until_ms - now_ms : 0;
}

uint64_t cohort_session_id (cohort_t *self)
{
    struct published view;
    mailbox_view (&self->mailbox, &view);
    return view.id;
}

uint64_t cohort_last_zxid (cohort_t *self)
{
    struct published view;
    mailbox_view (&self->mailbox, &view);
    return view.zxid;
}

void cohort_server (cohort_t *self, char *buffer, size_t size)
{
    struct published view;
    mailbox_view (&self->mailbox, &view);
    if (buffer != NULL && size > 0) {
        snprintf (buffer, size, "%s", view.endpoint);
    }
}

void cohort_errmsg (cohort_t *self, char *buffer, size_t size)
{
    if (buffer != NULL && size > 0) {
        mailbox_get_text (&self->mailbox, buffer, size);
    }
}

void cohort_set_time_limit (cohort_t *self, int time_limit_ms)
{
    mailbox_set_limit (&self->mailbox, time_limit_ms);
}

void cohort_set_state_handler (cohort_t *self, cohort_state_fn *fn, void *arg)
{
    mailbox_set_handler (&self->mailbox, fn, arg);
}

int cohort_fd (cohort_t *self)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    bool threaded = self->loop->exchange.threaded;
    return mailbox_fd (&self->mailbox, threaded ? -1 : cohort_loop_fd (self->loop));
}

int cohort_timeout (cohort_t *self)
{
    if (self == NULL) {
        return -1;
    }
    int due_ms = cohort_loop_timeout (self->loop);
    if (self->watchdog_ms > 0) {
        int64_t idle_ms = mailbox_idle_ms (&self->mailbox, loop_now_ms (self->loop));
        int64_t left_ms = idle_ms < self->watchdog_ms ? self->watchdog_ms - idle_ms : 0;
        due_ms = due_ms < 0 || left_ms < due_ms ? (int) left_ms : due_ms;
    }
    return due_ms;
}

/* ---- Timers ---------------------------------------------------------------------------------- */

int64_t cohort_now_ms (cohort_t *self)
{
    return loop_now_ms (self->loop);
}

cohort_timer_t *cohort_timer_new (cohort_t *client, cohort_timer_fn *fn, void *arg)
{
    struct cohort_timer *timer = client != NULL && fn != NULL ? timer_new (client, fn, arg) : NULL;
    if (timer != NULL && mailbox_add_timer (&client->mailbox, timer) != COHORT_OK) {
        timer_release (timer);
        return NULL;
    }
    return timer;
}

void cohort_timer_set (cohort_timer_t *self, int64_t at_ms)
{
    if (self != NULL) {
        mailbox_set_timer (&self->client->mailbox, self, at_ms);
    }
}

void cohort_timer_destroy (cohort_timer_t **self_p)
{
    if (self_p == NULL || *self_p == NULL) {
        return;
    }
    cohort_timer_t *self = *self_p;
    *self_p = NULL;
    mailbox_remove_timer (&self->client->mailbox, self);
    timer_release (self);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

void cohort_free (void *memory)
{
    mem_free (memory);
}

void cohort_strings_destroy (cohort_strings_t **strings_p)
{
    if (strings_p != NULL) {
        mem_free (*strings_p);
        *strings_p = NULL;
    }
}

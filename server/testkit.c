/*
 * server/testkit.c - cohort/test.h: embedded servers that know each other
 *
 * Endpoints are abstract sockets of Linux, whose names hold this process and a number: nobody else
 * has them, and nothing is left behind.  With a manual clock they are inproc, which server and
 * clients can be brought to rest on.
 */
#include "cohort/test.h"

#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/base/alloc.h"
#include "server/server_faults.h"

enum {
    ENDPOINT_SIZE = 128,
    TEXT_SIZE = 512,
    LOG_SIZE = 2048,
    READY_MS = 60000, /* real time in which servers have to begin to serve */
    EXPIRE_MS = 5000, /* likewise to learn of a session */
    POLL_MS = 2
};

/* A server and its place, which outlives a crash. */
struct seat {
    struct cohort_test *test;
    cohort_server_t *server;
    uint32_t id;
    bool runs;
    char peer[ENDPOINT_SIZE]; /* between servers */
    char clients[ENDPOINT_SIZE];
};

struct cohort_test {
    size_t count;
    bool manual_clock;
    struct seat seats[COHORT_TEST_SERVERS_MAX];
    cohort_loop_t *loop; /* not of a server */
    cohort_log_fn *log;
    void *log_arg;
    char endpoints[COHORT_TEST_SERVERS_MAX * ENDPOINT_SIZE];
    char text[TEXT_SIZE];
};

static _Thread_local int new_error;
static _Thread_local char new_error_text[TEXT_SIZE];

int cohort_test_new_error (const char **text)
{
    if (text) {
        *text = new_error_text;
    }
    return new_error;
}

#if defined(__GNUC__)
__attribute__ ((format (printf, 3, 4)))
#endif
static int
fail (cohort_test_t *self, int code, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    (void) vsnprintf (self->text, sizeof self->text, format, args);
    va_end (args);
    return code;
}

/* ---- Waiting ----------------------------------------------------------------------------- */

static int64_t real_ms (void)
{
    struct timespec now;
    (void) clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Who leads, as the servers see it; -1: nobody. */
static int find_leader (const cohort_test_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        const struct seat *seat = &self->seats[i];
        if (seat->runs && cohort_server_leader (seat->server) == i + 1) {
            return (int) i;
        }
    }
    return -1;
}

int cohort_test_leader (cohort_test_t *self, int timeout_ms)
{
    int64_t limit = real_ms () + timeout_ms;
    for (;;) {
        int leader = find_leader (self);
        if (leader >= 0) {
            return leader;
        }
        if (real_ms () >= limit) {
            return fail (self, COHORT_ETIMEDOUT, "no server leads after %d ms", timeout_ms);
        }
        (void) poll (NULL, 0, POLL_MS);
    }
}

static bool has_quorum (const cohort_test_t *self)
{
    size_t running = 0;
    for (size_t i = 0; i < self->count; i++) {
        running += self->seats[i].runs;
    }
    return running > self->count / 2;
}

static int await_all (cohort_test_t *self)
{
    int rc = 0;
    for (size_t i = 0; i < self->count && rc == 0; i++) {
        rc = cohort_server_wait (self->seats[i].server, READY_MS);
        if (rc != 0) {
            (void) fail (self, rc, "server %zu does not serve after %d ms", i, READY_MS);
        }
    }
    return rc;
}

/* ---- Log --------------------------------------------------------------------------------- */

/* Says whose event it is. */
static void on_log (int level, const char *event, const char *details, void *arg)
{
    const struct seat *seat = arg;
    const cohort_test_t *self = seat->test;
    char text[LOG_SIZE];
    if (self->count > 1) {
        (void) snprintf (text, sizeof text, "server=%u%s%s", seat->id, *details ? " " : "",
                         details);
        details = text;
    }
    self->log (level, event, details, self->log_arg);
}

/* ---- Beginning and ending ---------------------------------------------------------------- */

static int check (cohort_test_t *self, const cohort_test_options_t *options)
{
    if (options->size != sizeof *options) {
        return fail (self, COHORT_EINVAL, "options: size is not sizeof (cohort_test_options_t)");
    }
    if (options->servers > COHORT_TEST_SERVERS_MAX) {
        return fail (self, COHORT_EINVAL, "options: %zu servers; at most %d are possible",
                     options->servers, (int) COHORT_TEST_SERVERS_MAX);
    }
    if (options->manual_clock && options->servers > 1) {
        return fail (self, COHORT_EINVAL,
                     "options: manual_clock goes with one server, not with %zu", options->servers);
    }
    if (options->first_sequence > INT64_MAX) {
        return fail (self, COHORT_EINVAL, "options: first_sequence is above 2^63-1");
    }
    return 0;
}

/* Where clients reach a server, if that is known before it has started. */
static const char *known_address (const char *endpoint)
{
    const char *colon = strrchr (endpoint, ':');
    bool any = colon && (strcmp (colon, ":0") == 0 || strcmp (colon, ":*") == 0);
    return any ? NULL : endpoint;
}

/* Names that no other ensemble on this machine has. */
static void name_seats (cohort_test_t *self, const cohort_test_options_t *options)
{
    static atomic_uint number;
    unsigned mine = atomic_fetch_add (&number, 1);
    for (size_t i = 0; i < self->count; i++) {
        struct seat *seat = &self->seats[i];
        seat->test = self;
        seat->id = (uint32_t) i + 1;
        (void) snprintf (seat->peer, sizeof seat->peer, "ipc://@cohort-test-%ld-%u-%zu-peers",
                         (long) getpid (), mine, i);
        if (options->endpoints) {
            (void) snprintf (seat->clients, sizeof seat->clients, "%s", options->endpoints[i]);
        } else {
            (void) snprintf (seat->clients, sizeof seat->clients, "%s-%ld-%u-%zu",
                             self->manual_clock ? "inproc://cohort-test" : "ipc://@cohort-test",
                             (long) getpid (), mine, i);
        }
    }
}

static int make_server (cohort_test_t *self, const cohort_test_options_t *from, size_t at,
                        const cohort_server_member_t *members)
{
    const char *text = "";
    cohort_server_options_t options = {
        .size = sizeof options,
        .id = (uint32_t) at + 1,
        .members = self->count > 1 ? members : NULL,
        .members_count = self->count > 1 ? self->count : 0,
        .clients = self->seats[at].clients,
        .manual_clock = from->manual_clock,
        .peer_timeout_ms = from->peer_timeout_ms,
        .session_timeout_min_ms = from->session_timeout_min_ms,
        .session_timeout_max_ms = from->session_timeout_max_ms,
        .admins = from->admins,
        .log = from->log ? on_log : NULL,
        .log_arg = &self->seats[at],
        .log_level = from->log_level,
    };
    cohort_server_t *server = cohort_server_new (&options);
    if (!server) {
        int rc = cohort_server_new_error (&text);
        return fail (self, rc, "server %zu: %s", at, text);
    }
    server_first_sequence (server, from->first_sequence);
    self->seats[at].server = server;
    return 0;
}

static int start (cohort_test_t *self, size_t at)
{
    struct seat *seat = &self->seats[at];
    int rc = cohort_server_start (seat->server);
    if (rc != 0) {
        return fail (self, rc, "server %zu: %s", at, cohort_server_errmsg (seat->server));
    }
    seat->runs = true;
    return 0;
}

/* With the ports that the servers really have. */
static void list_endpoints (cohort_test_t *self)
{
    size_t used = 0;
    for (size_t i = 0; i < self->count; i++) {
        struct seat *seat = &self->seats[i];
        (void) snprintf (seat->clients, sizeof seat->clients, "%s",
                         cohort_server_endpoint (seat->server, 0));
        used += (size_t) snprintf (self->endpoints + used, sizeof self->endpoints - used, "%s%s",
                                   i > 0 ? "," : "", seat->clients);
    }
}

static int begin (cohort_test_t *self, const cohort_test_options_t *options)
{
    cohort_server_member_t members[COHORT_TEST_SERVERS_MAX] = {0};
    int rc = check (self, options);
    if (rc != 0) {
        return rc;
    }
    self->count = options->servers ? options->servers : 1;
    self->manual_clock = options->manual_clock != 0;
    self->log = options->log;
    self->log_arg = options->log_arg;
    name_seats (self, options);
    for (size_t i = 0; i < self->count; i++) {
        members[i] =
            (cohort_server_member_t){.id = (uint32_t) i + 1,
                                     .address = self->seats[i].peer,
                                     .client_address = known_address (self->seats[i].clients)};
    }
    for (size_t i = 0; i < self->count && rc == 0; i++) {
        rc = make_server (self, options, i, members);
        rc = rc ? rc : start (self, i);
    }
    rc = rc ? rc : await_all (self);
    if (rc == 0) {
        list_endpoints (self);
    }
    return rc;
}

cohort_test_t *cohort_test_new (const cohort_test_options_t *options)
{
    static const cohort_test_options_t defaults = {.size = sizeof defaults};
    cohort_test_t *self = mem_calloc (1, sizeof *self);
    if (!self) {
        new_error = COHORT_ENOMEM;
        (void) snprintf (new_error_text, sizeof new_error_text, "out of memory");
        return NULL;
    }
    int rc = begin (self, options ? options : &defaults);
    if (rc != 0) {
        new_error = rc;
        memcpy (new_error_text, self->text, sizeof new_error_text);
        cohort_test_destroy (&self);
    }
    return self;
}

void cohort_test_destroy (cohort_test_t **self_p)
{
    cohort_test_t *self = *self_p;
    if (!self) {
        return;
    }
    *self_p = NULL;
    if (self->loop && cohort_loop_destroy (&self->loop) != COHORT_OK) {
        /* It has clients, against the contract; it goes with the last of them no more. */
        self->loop = NULL;
    }
    /* Crashed: handing over from one to the next would only take time. */
    for (size_t i = 0; i < self->count; i++) {
        if (self->seats[i].runs && self->count > 1) {
            (void) cohort_server_crash (self->seats[i].server);
        }
    }
    for (size_t i = 0; i < self->count; i++) {
        cohort_server_destroy (&self->seats[i].server);
    }
    mem_free (self);
}

/* ---- Looking ----------------------------------------------------------------------------- */

const char *cohort_test_errmsg (cohort_test_t *self)
{
    return self->text;
}

const char *cohort_test_endpoints (cohort_test_t *self)
{
    return self->endpoints;
}

const char *cohort_test_endpoint (cohort_test_t *self, size_t server)
{
    return server < self->count ? self->seats[server].clients : NULL;
}

size_t cohort_test_servers (cohort_test_t *self)
{
    return self->count;
}

cohort_server_t *cohort_test_server (cohort_test_t *self, size_t server)
{
    return server < self->count ? self->seats[server].server : NULL;
}

cohort_loop_t *cohort_test_loop (cohort_test_t *self)
{
    if (self->manual_clock) {
        return cohort_server_loop (self->seats[0].server);
    }
    if (!self->loop) {
        self->loop = cohort_loop_new (NULL);
    }
    return self->loop;
}

/* ---- Servers ----------------------------------------------------------------------------- */

/* The seat of a server that runs, or that does not. */
static int find (cohort_test_t *self, size_t server, bool runs, struct seat **seat)
{
    if (server >= self->count) {
        return fail (self, COHORT_EINVAL, "server %zu: there are %zu, numbered from 0", server,
                     self->count);
    }
    *seat = &self->seats[server];
    return (*seat)->runs == runs ? 0
                                 : fail (self, COHORT_ESTATE, "server %zu %s", server,
                                         runs ? "does not run" : "runs already");
}

int cohort_test_kill (cohort_test_t *self, size_t server)
{
    struct seat *seat = NULL;
    int rc = find (self, server, true, &seat);
    if (rc == 0) {
        seat->runs = false;
        rc = cohort_server_crash (seat->server);
        if (rc != 0) {
            (void) fail (self, rc, "server %zu had stopped by itself: %s", server,
                         cohort_server_errmsg (seat->server));
        }
    }
    return rc;
}

int cohort_test_kill_leader (cohort_test_t *self)
{
    int leader = cohort_test_leader (self, READY_MS);
    int rc = leader < 0 ? leader : cohort_test_kill (self, (size_t) leader);
    return rc < 0 ? rc : leader;
}

int cohort_test_start (cohort_test_t *self, size_t server)
{
    struct seat *seat = NULL;
    int rc = find (self, server, false, &seat);
    rc = rc ? rc : start (self, server);
    if (rc == 0 && has_quorum (self)) {
        rc = cohort_server_wait (seat->server, READY_MS);
        if (rc != 0) {
            (void) fail (self, rc, "server %zu does not serve after %d ms", server, READY_MS);
        }
    }
    return rc;
}

int cohort_test_stall_disk (cohort_test_t *self, size_t server, int stalled)
{
    struct seat *seat = NULL;
    int rc = find (self, server, true, &seat);
    return rc ? rc : server_stall_disk (seat->server, stalled != 0);
}

int cohort_test_step_clock (cohort_test_t *self, size_t server, int64_t ms)
{
    if (server >= self->count) {
        return fail (self, COHORT_EINVAL, "server %zu: there are %zu, numbered from 0", server,
                     self->count);
    }
    server_step_wall (self->seats[server].server, ms);
    return 0;
}

int cohort_test_advance_ms (cohort_test_t *self, int64_t ms)
{
    int rc = cohort_server_advance_ms (self->seats[0].server, ms);
    return rc ? fail (self, rc, "the clock does not move: %s",
                      self->manual_clock ? cohort_error_text (rc)
                                         : "the option manual_clock is not set")
              : 0;
}

/* ---- Sessions ---------------------------------------------------------------------------- */

int cohort_test_expire (cohort_test_t *self, cohort_t *client)
{
    uint64_t session = cohort_session_id (client);
    int64_t limit = real_ms () + EXPIRE_MS;
    if (session == 0) {
        return fail (self, COHORT_ESTATE, "the client has no session yet");
    }
    /* A leader of a moment ago may not know its sessions yet, or lead no more. */
    for (;;) {
        int leader = cohort_test_leader (self, READY_MS);
        if (leader < 0) {
            return leader;
        }
        int rc = server_expire (self->seats[leader].server, session);
        if (rc == 0) {
            return 0;
        }
        if (rc != COHORT_ESTATE || real_ms () >= limit) {
            return fail (self, COHORT_ESTATE, "session 0x%llx: the leader knows none that lives",
                         (unsigned long long) session);
        }
        (void) poll (NULL, 0, POLL_MS);
    }
}

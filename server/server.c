/*
 * server/server.c - the embeddable server: cohort/server.h over a runner
 */
#include "cohort/server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <zmq.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "server/keep_disk.h"
#include "server/net/endpoint.h"
#include "server/net/runner.h"
#include "server/server_faults.h"
#ifdef COHORT_FAILPOINTS
#include <stdlib.h>

#include "server/failpoints/failpoints.h"
#endif

enum {
    TEXT_SIZE = 512,
    SOCKETS_MAX = 65535,
    SETTLE_LIMIT_MS = 10000, /* real time that a step of a manual clock may take */
    ADVANCE_STEP_MS = 10,
    SETTLE_ROUNDS = 3,
    MEMBERS_MAX = CONFIG_MEMBERS_MAX
};

struct cohort_server {
    cohort_server_options_t options; /* its strings are the copies below */
    char *clients;
    char *data_dir;
    char *secret_key;
    char *admins;
    struct node_member members[MEMBERS_MAX];
    size_t members_count;
    void *context;
    bool own_context;
    struct disk *memory; /* kept over a crash; NULL: a folder */
    struct runner *runner;
    cohort_loop_t *loop;
    _Atomic int64_t manual_ms;
    int64_t manual_wall_ms; /* wall clock at manual_ms 0 */
    _Atomic int64_t wall_step_ms;
    uint64_t first_sequence;
    int failure;
    char text[TEXT_SIZE];
};

static _Thread_local int new_error;
static _Thread_local char new_error_text[TEXT_SIZE];

#if defined(__GNUC__)
__attribute__ ((format (printf, 2, 3)))
#endif
static cohort_server_t *
refuse (int code, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    (void) vsnprintf (new_error_text, sizeof new_error_text, format, args);
    va_end (args);
    new_error = code;
    return NULL;
}

int cohort_server_new_error (const char **text)
{
    if (text) {
        *text = new_error_text;
    }
    return new_error;
}

/* ---- Clock ------------------------------------------------------------------------------- */

static int64_t clock_ms (clockid_t id)
{
    struct timespec now;
    COHORT_ASSERT (clock_gettime (id, &now) == 0);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_ms (void *arg)
{
    const cohort_server_t *self = arg;
    return self->options.manual_clock ? self->manual_ms : clock_ms (CLOCK_BOOTTIME);
}

static int64_t wall_ms (void *arg)
{
    const cohort_server_t *self = arg;
    int64_t ms = self->options.manual_clock ? self->manual_wall_ms + self->manual_ms
                                            : clock_ms (CLOCK_REALTIME);
    return ms + self->wall_step_ms;
}

/* ---- Options ----------------------------------------------------------------------------- */

static void on_log (void *arg, enum log_level level, const char *event, const char *details)
{
    const cohort_server_t *self = arg;
    self->options.log ((int) level, event, details, self->options.log_arg);
}

static bool copy_string (char **to, const char *from)
{
    if (!from) {
        return true;
    }
    size_t size = strlen (from) + 1;
    *to = mem_alloc (size);
    if (*to) {
        memcpy (*to, from, size);
    }
    return *to != NULL;
}

static bool copy_address (char to[NODE_ADDRESS_MAX], const char *from)
{
    size_t size = from ? strlen (from) : 0;
    if (size >= NODE_ADDRESS_MAX) {
        return false;
    }
    memcpy (to, from ? from : "", size);
    to[size] = '\0';
    return true;
}

/* Members in ascending order of id, as struct config wants them. */
static const char *copy_members (cohort_server_t *self, const cohort_server_options_t *options)
{
    if (options->members_count == 0) {
        self->members[0] = (struct node_member){.id = self->options.id, .role = CONFIG_VOTER};
        self->members_count = 1;
        return NULL;
    }
    if (options->members_count > MEMBERS_MAX) {
        return "there are more than 31 members";
    }
    bool has_self = false;
    for (size_t i = 0; i < options->members_count; i++) {
        const cohort_server_member_t *from = &options->members[i];
        size_t at = self->members_count;
        if (from->id == 0 || from->id > INT32_MAX) {
            return "a member's id is not between 1 and 2147483647";
        }
        while (at > 0 && self->members[at - 1].id > from->id) {
            self->members[at] = self->members[at - 1];
            at--;
        }
        if (at > 0 && self->members[at - 1].id == from->id) {
            return "two members have the same id";
        }
        struct node_member *to = &self->members[at];
        to->id = from->id;
        to->role = from->observer ? CONFIG_OBSERVER : CONFIG_VOTER;
        if (!copy_address (to->address, from->address) ||
            !copy_address (to->client_address, from->client_address)) {
            return "a member's address is longer than 127 bytes";
        }
        if (*to->address && !endpoint_is_sound (to->address, strlen (to->address))) {
            return "a member's address is not tcp://HOST:PORT";
        }
        has_self |= from->id == self->options.id;
        self->members_count++;
    }
    return has_self ? NULL : "the members do not name this server's own id";
}

enum { ENDPOINT_SHOWN_MAX = 80 };

/* The first of the endpoints, separated by commas, that is none; NULL: all are sound. */
static const char *unsound_endpoint (const char *endpoints, size_t *size)
{
    for (const char *at = endpoints;; at += *size + 1) {
        *size = strcspn (at, ",");
        if (!endpoint_is_sound (at, *size)) {
            return at;
        }
        if (at[*size] == '\0') {
            return NULL;
        }
    }
}

cohort_server_t *cohort_server_new (const cohort_server_options_t *options)
{
    if (!options || options->size != sizeof *options) {
        return refuse (COHORT_EINVAL, "options: size is not sizeof (cohort_server_options_t)");
    }
    if (options->snapshot_compression < -1 || options->snapshot_compression > 9) {
        return refuse (COHORT_EINVAL, "options: snapshot_compression %d is not -1 to 9",
                       options->snapshot_compression);
    }
    if (!options->clients || !*options->clients) {
        return refuse (COHORT_EINVAL, "options: clients names no endpoint, such as "
                                      "\"tcp://127.0.0.1:5181\" or \"inproc://test\"");
    }
    size_t wrong_size = 0;
    const char *endpoint = unsound_endpoint (options->clients, &wrong_size);
    if (endpoint && wrong_size == 0) {
        return refuse (COHORT_EINVAL, "clients: %.80s names an empty endpoint", options->clients);
    }
    if (endpoint) {
        return refuse (COHORT_EINVAL,
                       "clients: %.*s is not tcp://HOST:PORT (a port from 0 to 65535, * for a free "
                       "one), ipc://PATH or inproc://NAME",
                       wrong_size < ENDPOINT_SHOWN_MAX ? (int) wrong_size : ENDPOINT_SHOWN_MAX,
                       endpoint);
    }
    cohort_server_t *self = mem_calloc (1, sizeof *self);
    if (!self) {
        return refuse (COHORT_ENOMEM, "out of memory");
    }
    self->options = *options;
    self->options.id = options->id ? options->id : 1;
    self->manual_ms = 1;
    self->manual_wall_ms = clock_ms (CLOCK_REALTIME);
    const char *wrong = copy_members (self, options);
    if (wrong) {
        cohort_server_destroy (&self);
        return refuse (COHORT_EINVAL, "options: %s", wrong);
    }
    self->context = options->zmq_context ? options->zmq_context : zmq_ctx_new ();
    self->own_context = !options->zmq_context;
    if (!copy_string (&self->clients, options->clients) ||
        !copy_string (&self->data_dir, options->data_dir) ||
        !copy_string (&self->secret_key, options->secret_key) ||
        !copy_string (&self->admins, options->admins) || !self->context) {
        cohort_server_destroy (&self);
        return refuse (COHORT_ENOMEM, "out of memory");
    }
    if (self->own_context) {
        (void) zmq_ctx_set (self->context, ZMQ_MAX_SOCKETS, SOCKETS_MAX);
    }
    return self;
}

/* ---- Running ----------------------------------------------------------------------------- */

static int fail (cohort_server_t *self, int code, const char *text)
{
    (void) snprintf (self->text, sizeof self->text, "%s", text);
    self->failure = code;
    return code;
}

#ifdef COHORT_FAILPOINTS
/* In builds for tests alone: what the environment says fails. */
static int attach_failpoints (cohort_server_t *self, struct disk **disk)
{
    char text[TEXT_SIZE];
    if (!failpoints_set (getenv ("COHORT_FAILPOINTS"), text, sizeof text)) {
        (*disk)->ops->destroy (*disk);
        return fail (self, COHORT_ECONFIG, text);
    }
    *disk = failpoints_disk (*disk);
    return *disk ? 0 : fail (self, COHORT_ENOMEM, "out of memory");
}
#else
static int attach_failpoints (cohort_server_t *self, struct disk **disk)
{
    (void) self;
    (void) disk;
    return 0;
}
#endif

static int open_disk (cohort_server_t *self, struct disk **disk)
{
    if (self->data_dir) {
        int rc = posix_disk_new (self->data_dir, disk);
        if (rc != 0) {
            char text[TEXT_SIZE];
            (void) snprintf (text, sizeof text, "%s: the data folder cannot be used: %s",
                             self->data_dir, strerror (-rc));
            return fail (self, rc == -ENOSPC || rc == -EDQUOT ? COHORT_EDISKFULL : COHORT_ESYSTEM,
                         text);
        }
        return attach_failpoints (self, disk);
    }
    if (!self->memory) {
        self->memory = memory_disk_new ();
    }
    *disk = self->memory ? keep_disk_new (self->memory) : NULL;
    return *disk ? 0 : fail (self, COHORT_ENOMEM, "out of memory");
}

static int draw_random (cohort_server_t *self, struct runner_options *options)
{
    if (getrandom (&options->store_id, sizeof options->store_id, 0) < 0 ||
        getrandom (&options->node.seed, sizeof options->node.seed, 0) < 0 ||
        getrandom (&options->node.hash_seed, sizeof options->node.hash_seed, 0) < 0 ||
        getrandom (options->node.cluster_id, sizeof options->node.cluster_id, 0) < 0) {
        return fail (self, COHORT_ESYSTEM, "no random numbers to be had from the system");
    }
    options->store_id |= 1; /* 0 means none */
    return 0;
}

int cohort_server_start (cohort_server_t *self)
{
    struct runner_options options = {
        .disk_name = self->data_dir ? self->data_dir : "memory",
        .disk_thread = self->data_dir != NULL,
        .snapshot_level = self->options.snapshot_compression,
        .context = self->context,
        .clients = self->clients,
        .secret_key = self->secret_key,
        .now_ms = now_ms,
        .wall_ms = wall_ms,
        .clock_arg = self,
        .manual_clock = self->options.manual_clock != 0,
        .node = {.id = self->options.id,
                 .members = self->members,
                 .members_count = self->members_count,
                 .peer_timeout_ms = self->options.peer_timeout_ms,
                 .snapshot_bytes = self->options.snapshot_bytes,
                 .effects_bytes = self->options.history_bytes,
                 .admins = self->admins,
                 .replace_admins = self->options.replace_admins != 0,
                 .first_sequence = self->first_sequence,
                 .limits = {.data_size_max = self->options.data_size_max,
                            .path_size_max = self->options.path_size_max,
                            .window = self->options.write_window,
                            .timeout_min_ms = self->options.session_timeout_min_ms,
                            .timeout_max_ms = self->options.session_timeout_max_ms}},
    };
    char text[TEXT_SIZE];

    if (self->runner) {
        return COHORT_ESTATE;
    }
    if (self->options.log) {
        options.node.logger =
            (struct logger){on_log, self, (enum log_level) self->options.log_level};
    }
    int rc = draw_random (self, &options);
    rc = rc ? rc : open_disk (self, &options.disk);
    if (rc != 0) {
        return rc;
    }
    rc = runner_start (&options, &self->runner, text, sizeof text);
    return rc ? fail (self, rc, text) : fail (self, 0, "");
}

static int stop (cohort_server_t *self, enum runner_stop how)
{
    if (!self->runner) {
        return self->failure;
    }
    (void) cohort_server_failure (self); /* keeps the text */
    return runner_stop (&self->runner, how);
}

int cohort_server_stop (cohort_server_t *self)
{
    return stop (self, RUNNER_LEAVE);
}

int cohort_server_crash (cohort_server_t *self)
{
    return stop (self, RUNNER_CRASH);
}

void cohort_server_destroy (cohort_server_t **self_p)
{
    cohort_server_t *self = *self_p;
    if (!self) {
        return;
    }
    *self_p = NULL;
    (void) cohort_server_stop (self);
    if (self->loop && cohort_loop_destroy (&self->loop) != COHORT_OK) {
        /* It has clients, against the contract: their clock and their sockets are this server's. */
        return;
    }
    if (self->memory) {
        self->memory->ops->destroy (self->memory);
    }
    if (self->own_context && self->context) {
        (void) zmq_ctx_term (self->context);
    }
    mem_free (self->clients);
    mem_free (self->data_dir);
    mem_free (self->secret_key);
    mem_free (self->admins);
    mem_free (self);
}

/* ---- Looking ----------------------------------------------------------------------------- */

const char *cohort_server_errmsg (cohort_server_t *self)
{
    return self->text;
}

int cohort_server_failure (cohort_server_t *self)
{
    if (self->runner) {
        char text[TEXT_SIZE];
        int rc = runner_failure (self->runner, text, sizeof text);
        if (rc != 0) {
            return fail (self, rc, text);
        }
    }
    return self->failure;
}

int cohort_server_fd (cohort_server_t *self)
{
    return self->runner ? runner_failure_fd (self->runner) : -1;
}

const char *cohort_server_endpoint (cohort_server_t *self, size_t index)
{
    return self->runner ? runner_endpoint (self->runner, index) : NULL;
}

int cohort_server_wait (cohort_server_t *self, int timeout_ms)
{
    return self->runner ? runner_wait_ready (self->runner, timeout_ms) : COHORT_ESTATE;
}

uint32_t cohort_server_leader (cohort_server_t *self)
{
    return self->runner ? runner_leader (self->runner) : 0;
}

cohort_loop_t *cohort_server_loop (cohort_server_t *self)
{
    if (!self->loop) {
        cohort_loop_options_t options = {
            .size = sizeof options,
            .zmq_context = self->context,
            .clock = self->options.manual_clock ? now_ms : NULL,
            .clock_arg = self,
        };
        self->loop = cohort_loop_new (&options);
    }
    return self->loop;
}

/* Server and clients answer each other until both are at rest: a heartbeat is a question, an
 * answer, and a client that has taken it in. */
static int settle (cohort_server_t *self)
{
    int rc = 0;
    for (int i = 0; i < SETTLE_ROUNDS && rc == 0; i++) {
        rc = self->loop ? cohort_loop_settle (self->loop, SETTLE_LIMIT_MS) : 0;
        rc = rc ? rc : runner_settle (self->runner, SETTLE_LIMIT_MS);
    }
    return rc;
}

int cohort_server_advance_ms (cohort_server_t *self, int64_t ms)
{
    if (!self->options.manual_clock || !self->runner || ms < 0) {
        return COHORT_ESTATE;
    }
    int rc = settle (self);
    while (ms > 0 && rc == 0) {
        int64_t step = ms < ADVANCE_STEP_MS ? ms : ADVANCE_STEP_MS;
        self->manual_ms += step;
        ms -= step;
        rc = settle (self);
    }
    return rc;
}

/* ---- Faults ------------------------------------------------------------------------------ */

void server_first_sequence (cohort_server_t *self, uint64_t number)
{
    self->first_sequence = number;
}

void server_step_wall (cohort_server_t *self, int64_t ms)
{
    self->wall_step_ms += ms;
}

int server_stall_disk (cohort_server_t *self, bool stalled)
{
    return self->runner ? runner_stall_disk (self->runner, stalled) : COHORT_ESTATE;
}

int server_expire (cohort_server_t *self, uint64_t session)
{
    return self->runner ? runner_expire (self->runner, session) : COHORT_ESTATE;
}

/*
 * server/net/runner.c - runs one node
 *
 * The only file of the server with a lock beside store/lock.c: it guards what other threads
 * ask of the runner and what it tells them (struct shared); the node is its thread's alone.
 */
#include "server/net/runner.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "cohort/error.h"
#include "server/net/front.h"
#include "server/net/peers.h"
#include "server/store/pages.h"

enum { EPOLL_EVENTS = 64, TEXT_SIZE = 512, SLEEP_MS_MAX = 60000, EXPIRE_MS = 10000 };

/* Such a part of what is free is a segment of the log, and the log that makes a snapshot due. */
enum { FOLDER_SHARES = 16, FOLDER_SHARE_MIN = 4 << 20, FOLDER_SHARE_MAX = 64 << 20 };

/* Between the thread and everybody else. */
struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t asked;  /* number of the newest runner_settle */
    uint64_t rested; /* number of the newest one after which the thread has come to rest */
    bool stop;
    enum runner_stop how;
    bool ready;
    uint32_t leader;
    bool stalled;    /* what tests want: the disk rests */
    uint64_t expire; /* ... this session is to expire; 0: none */
    int expired;     /* ... with this result */
    bool ended;      /* the thread has left its loop */
    int failure;
    char text[TEXT_SIZE];
};

struct runner {
    struct runner_options options;
    struct store *store;
    struct recovery_early early; /* for the node */
    struct pages *pages;         /* of its state, until there is one; NULL: none */
    struct store_thread *store_thread;
    struct node *node;
    struct front *front;
    struct peers *peers; /* NULL: standalone */
    int epoll;
    int wake;       /* eventfd: the disk, or somebody asks */
    bool woken;     /* by that; each turn looks anyway */
    int failure_fd; /* eventfd */
    bool leaving;
    bool stalled;     /* a test wants the disk to rest */
    uint64_t used_us; /* processor time of the thread, up to its last turn */
    bool thread_started;
    pthread_t thread;
    struct shared shared;
};

/* ---- The node's network ------------------------------------------------------------------ */

static void peer_connect (void *arg, uint32_t peer)
{
    peers_connect (((struct runner *) arg)->peers, peer);
}

static void peer_close (void *arg, uint32_t peer)
{
    peers_close (((struct runner *) arg)->peers, peer);
}

static bool peer_send (void *arg, uint32_t peer, const uint8_t *data, size_t size)
{
    return peers_send (((struct runner *) arg)->peers, peer, data, size);
}

static void client_origin (void *arg, uint64_t connection, struct buf *identities)
{
    front_origin (((struct runner *) arg)->front, connection, identities);
}

static bool client_send (void *arg, uint64_t connection, const uint8_t *data, size_t size)
{
    return front_send (((struct runner *) arg)->front, connection, data, size);
}

static void client_drop (void *arg, uint64_t connection)
{
    front_drop (((struct runner *) arg)->front, connection);
}

static void client_flush (void *arg)
{
    front_flush (((struct runner *) arg)->front);
}

static void on_peer_connected (void *arg, uint32_t peer)
{
    node_peer_connected (((struct runner *) arg)->node, peer);
}

static void on_peer_disconnected (void *arg, uint32_t peer)
{
    node_peer_disconnected (((struct runner *) arg)->node, peer);
}

static void on_peer_frame (void *arg, const uint8_t *data, size_t size)
{
    node_peer_frame (((struct runner *) arg)->node, data, size);
}

static void on_client_frame (void *arg, uint64_t connection, const uint8_t *data, size_t size)
{
    node_client_frame (((struct runner *) arg)->node, connection, data, size);
}

static void on_client_closed (void *arg, uint64_t connection)
{
    node_client_closed (((struct runner *) arg)->node, connection);
}

/* ---- Waking and sleeping ----------------------------------------------------------------- */

static void signal_fd (int fd)
{
    uint64_t one = 1;
    ssize_t written = write (fd, &one, sizeof one);
    COHORT_ASSERT (written == (ssize_t) sizeof one); /* it has room for 2^64 - 2 of them */
}

static void wake (void *arg)
{
    signal_fd (((struct runner *) arg)->wake);
}

/* From now on *ready is set whenever fd is found readable; NULL: no longer. */
static void watch (void *arg, int fd, bool *ready)
{
    struct runner *self = arg;
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = ready}};
    int rc = epoll_ctl (self->epoll, ready ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event);
    COHORT_ASSERT (rc == 0 || !ready);
    if (ready) {
        *ready = true; /* what has come before is not told any more */
    }
}

/* Each write to it wakes, and nobody has to read what was written. */
static void watch_wake (struct runner *self)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.ptr = &self->woken}};
    int rc = epoll_ctl (self->epoll, EPOLL_CTL_ADD, self->wake, &event);
    COHORT_ASSERT (rc == 0);
}

/* How long the thread may sleep; -1: until it is woken. */
static int sleep_ms (const struct runner *self, int64_t now_ms)
{
    int64_t deadline = front_deadline (self->front);
    int64_t node_due = node_deadline (self->node);

    if (self->options.manual_clock) {
        /* Time stands still; only the probes of inproc connections need real time. */
        return deadline == INT64_MAX ? -1 : 10;
    }
    deadline = node_due < deadline ? node_due : deadline;
    if (!self->options.disk_thread && !self->stalled) {
        int due = store_work_due (self->store);
        if (due >= 0 && now_ms + due < deadline) {
            deadline = now_ms + due;
        }
    }
    if (deadline == INT64_MAX) {
        return -1;
    }
    if (deadline <= now_ms) {
        return 0;
    }
    return deadline - now_ms > SLEEP_MS_MAX ? SLEEP_MS_MAX : (int) (deadline - now_ms);
}

/* Learns which sockets there is something to look at, waiting for that if there is nothing. */
static void look_at_descriptors (struct runner *self, int wait_ms)
{
    struct epoll_event events[EPOLL_EVENTS];
    int n = epoll_wait (self->epoll, events, EPOLL_EVENTS, wait_ms);
    COHORT_ASSERT (n >= 0 || errno == EINTR);
    for (int i = 0; i < n; i++) {
        *(bool *) events[i].data.ptr = true;
    }
}

/* ---- The thread -------------------------------------------------------------------------- */

/* Receives and lets the node work; true: do it again before sleeping. */
static bool turn (struct runner *self, int64_t now_ms)
{
    bool busy = false;

    node_time (self->node, now_ms, self->options.wall_ms (self->options.clock_arg));
    store_gather (self->store);
    busy |= front_turn (self->front, now_ms);
    if (self->peers) {
        busy |= peers_turn (self->peers);
    }
    busy |= node_flush (self->node);
    front_flush (self->front);      /* what the node has said behind its replies */
    busy |= store_go (self->store); /* what others wait for has been sent */
    if (!self->options.disk_thread && !self->stalled) {
        busy |= store_work (self->store);
    }
    return busy || front_due (self->front);
}

/* Processor time of this thread: what others do on the machine counts as little as may be. */
static uint64_t thread_us (void)
{
    struct timespec time;
    int rc = clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
    COHORT_ASSERT (rc == 0);
    return (uint64_t) time.tv_sec * 1000000 + (uint64_t) time.tv_nsec / 1000;
}

/* With the look at the descriptors before the turn, which takes a system call. */
static void note_turn (struct runner *self)
{
    uint64_t now_us = thread_us ();
    node_turn_took (self->node, now_us - self->used_us);
    self->used_us = now_us;
}

/* Learns what others want; `asked` is set to the newest runner_settle.  true: stop now. */
static bool look_at_shared (struct runner *self, uint64_t *asked)
{
    uint32_t leader = node_leader (self->node);

    (void) pthread_mutex_lock (&self->shared.mutex);
    *asked = self->shared.asked;
    bool stop = self->shared.stop;
    enum runner_stop how = self->shared.how;
    self->stalled = self->shared.stalled;
    self->shared.leader = leader;
    if (self->shared.expire != 0) {
        self->shared.expired = node_expire (self->node, self->shared.expire);
        self->shared.expire = 0;
        (void) pthread_cond_broadcast (&self->shared.changed);
    }
    if (self->shared.ready != (leader != 0)) {
        self->shared.ready = leader != 0;
        (void) pthread_cond_broadcast (&self->shared.changed);
    }
    (void) pthread_mutex_unlock (&self->shared.mutex);

    if (stop && how == RUNNER_LEAVE && !self->leaving) {
        self->leaving = true;
        node_leave (self->node);
    }
    return stop && (how == RUNNER_CRASH || node_left (self->node));
}

static void rest (struct runner *self, uint64_t asked)
{
    if (store_backlog (self->store) > 0 && !self->stalled) {
        return;
    }
    (void) pthread_mutex_lock (&self->shared.mutex);
    if (self->shared.rested != asked) {
        self->shared.rested = asked;
        (void) pthread_cond_broadcast (&self->shared.changed);
    }
    (void) pthread_mutex_unlock (&self->shared.mutex);
}

static void end (struct runner *self)
{
    const char *text = "";
    int failure = node_failure (self->node, &text);

    front_flush (self->front); /* clients are told who sends them away */
    (void) pthread_mutex_lock (&self->shared.mutex);
    self->shared.ended = true;
    self->shared.ready = false;
    self->shared.failure = failure;
    if (failure) {
        (void) snprintf (self->shared.text, sizeof self->shared.text, "%s", text);
    }
    (void) pthread_cond_broadcast (&self->shared.changed);
    (void) pthread_mutex_unlock (&self->shared.mutex);
    if (failure) {
        logger_write (&self->options.node.logger, LOG_ERROR, "server-stopped", "reason=\"%s\"",
                      text);
        signal_fd (self->failure_fd);
    }
}

static void *run (void *arg)
{
    struct runner *self = arg;
    const char *text;
    uint64_t asked = 0;

    self->used_us = thread_us ();
    while (!look_at_shared (self, &asked) && node_failure (self->node, &text) == 0) {
        int64_t now_ms = self->options.now_ms (self->options.clock_arg);
        int wait_ms = 0;
        bool busy = turn (self, now_ms);
        note_turn (self);
        if (!busy) {
            rest (self, asked);
            wait_ms = sleep_ms (self, now_ms);
        }
        look_at_descriptors (self, wait_ms);
    }
    end (self);
    return NULL;
}

/* ---- Starting ---------------------------------------------------------------------------- */

static int code_of (int negative_errno)
{
    switch (-negative_errno) {
    case EADDRINUSE:
    case EBUSY:
        return COHORT_EINUSE;
    case ENOSPC:
        return COHORT_EDISKFULL;
    case ENOMEM:
        return COHORT_ENOMEM;
    case EINVAL:
    case EPROTONOSUPPORT:
    case ENODEV:
        return COHORT_ECONFIG;
    default:
        return COHORT_ESYSTEM;
    }
}

/* Who could bring back what this server has lost. */
static bool has_other_voters (const struct node_options *node)
{
    for (size_t i = 0; i < node->members_count; i++) {
        if (node->members[i].id != node->id && node->members[i].role == CONFIG_VOTER) {
            return true;
        }
    }
    return false;
}

/* The log is removed by whole segments, once snapshots have what is in them: with segments as large
 * disks have them it would fill a small one before the first has ended, and stay there. */
static void suit_folder (struct runner *self, struct store_options *options)
{
    struct disk *disk = self->options.disk;
    uint64_t free_bytes = 0;
    if (!self->options.disk_thread || disk->ops->space (disk, &free_bytes) != 0) {
        return;
    }
    uint64_t share = free_bytes / FOLDER_SHARES;
    share = share < FOLDER_SHARE_MIN ? FOLDER_SHARE_MIN : share;
    share = share > FOLDER_SHARE_MAX ? FOLDER_SHARE_MAX : share;
    options->segment_bytes = share;
    if (self->options.node.snapshot_bytes == 0) {
        self->options.node.snapshot_bytes = share;
    }
}

static int open_store (struct runner *self, char *error, size_t error_size)
{
    struct store_options options = {
        .disk = self->options.disk,
        .server_id = self->options.node.id,
        .store_id = self->options.store_id,
        .snapshot_level = self->options.snapshot_level,
        .repair = has_other_voters (&self->options.node),
        .reads_ahead = self->options.disk_thread,
        .meanwhile = recovery_early_load,
        .meanwhile_arg = &self->early,
    };
    char text[TEXT_SIZE];
    suit_folder (self, &options);
    self->early.options = node_tree_options (&self->options.node);
    self->pages = self->options.disk_thread ? pages_new () : NULL;
    if (self->pages != NULL) {
        self->early.options.foresight = (struct slab_foresight){pages_coming, self->pages};
    }
    self->options.disk = NULL; /* taken over */
    int rc = store_open (&options, &self->store, text, sizeof text);
    if (rc != 0) {
        (void) snprintf (error, error_size, "%s: %s", self->options.disk_name, text);
    }
    return rc;
}

static int open_descriptors (struct runner *self, char *error, size_t error_size)
{
    self->epoll = epoll_create1 (EPOLL_CLOEXEC);
    self->wake = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    self->failure_fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->epoll < 0 || self->wake < 0 || self->failure_fd < 0) {
        (void) snprintf (error, error_size, "no descriptors left: %s (raise ulimit -n)",
                         strerror (errno));
        return COHORT_ESYSTEM;
    }
    watch_wake (self);
    return 0;
}

static int open_peers (struct runner *self, char *error, size_t error_size)
{
    const struct node_options *node = &self->options.node;
    struct peers_options options = {
        .context = self->options.context,
        .handler = {self, on_peer_connected, on_peer_disconnected, on_peer_frame},
        .logger = node->logger,
        .watch = watch,
        .watch_arg = self,
    };
    if (node->members_count < 2) {
        return 0;
    }
    for (size_t i = 0; i < node->members_count; i++) {
        if (node->members[i].id == node->id) {
            options.endpoint = node->members[i].address;
        }
    }
    COHORT_ASSERT (options.endpoint != NULL);
    int rc = peers_new (&options, &self->peers, error, error_size);
    if (rc != 0) {
        return code_of (rc);
    }
    for (size_t i = 0; i < node->members_count; i++) {
        if (node->members[i].id != node->id &&
            peers_add (self->peers, node->members[i].id, node->members[i].address) != 0) {
            (void) snprintf (error, error_size, "server.%u: the address %s is too long",
                             node->members[i].id, node->members[i].address);
            return COHORT_ECONFIG;
        }
    }
    return 0;
}

static int open_front (struct runner *self, char *error, size_t error_size)
{
    struct front_options options = {
        .context = self->options.context,
        .endpoints = self->options.clients,
        .secret_key = self->options.secret_key,
        .handler = {self, on_client_frame, on_client_closed},
        .logger = self->options.node.logger,
        .hash_seed = self->options.node.hash_seed,
    };
    int rc = front_new (&options, &self->front, error, error_size);
    if (rc != 0) {
        return code_of (rc);
    }
    front_descriptors (self->front, watch, self);
    return 0;
}

static int open_node (struct runner *self, char *error, size_t error_size)
{
    struct node_options *options = &self->options.node;

    options->store = self->store;
    options->early = &self->early;
    options->folder = self->options.disk_name;
    options->transport =
        (struct node_transport){self,        peer_connect, peer_close,    peer_send,
                                client_send, client_drop,  client_origin, client_flush};
    self->node = node_new (options, error, error_size);
    if (!self->node) {
        return COHORT_ECONFIG;
    }
    int rc = node_start (self->node, self->options.now_ms (self->options.clock_arg),
                         self->options.wall_ms (self->options.clock_arg), error, error_size);
    if (rc == 0) {
        pages_destroy (&self->pages); /* nothing tells it of memory any more */
    }
    return rc;
}

static int start_threads (struct runner *self, char *error, size_t error_size)
{
    if (self->options.disk_thread &&
        store_thread_start (self->store, wake, self, &self->store_thread) != 0) {
        (void) snprintf (error, error_size, "cannot start the disk's thread");
        return COHORT_ESYSTEM;
    }
    if (pthread_create (&self->thread, NULL, run, self) != 0) {
        (void) snprintf (error, error_size, "cannot start the server's thread");
        return COHORT_ESYSTEM;
    }
    self->thread_started = true;
    return 0;
}

static void release (struct runner *self)
{
    if (self->store_thread) {
        store_thread_stop (&self->store_thread);
    }
    node_destroy (&self->node);
    recovery_early_deinit (&self->early);
    pages_destroy (&self->pages);
    front_destroy (&self->front);
    peers_destroy (&self->peers);
    if (self->store) {
        store_close (&self->store);
    }
    int fds[] = {self->epoll, self->wake, self->failure_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0) {
            (void) close (fds[i]);
        }
    }
    (void) pthread_cond_destroy (&self->shared.changed);
    (void) pthread_mutex_destroy (&self->shared.mutex);
    mem_free (self);
}

static int init_shared (struct shared *shared)
{
    pthread_condattr_t attributes;
    int rc = pthread_mutex_init (&shared->mutex, NULL);
    rc = rc ? rc : pthread_condattr_init (&attributes);
    rc = rc ? rc : pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    rc = rc ? rc : pthread_cond_init (&shared->changed, &attributes);
    (void) pthread_condattr_destroy (&attributes);
    return rc;
}

int runner_start (const struct runner_options *options, struct runner **runner, char *error,
                  size_t error_size)
{
    struct runner *self = mem_calloc (1, sizeof *self);
    if (!self || init_shared (&self->shared) != 0) {
        (void) snprintf (error, error_size, "out of memory");
        options->disk->ops->destroy (options->disk);
        mem_free (self);
        return COHORT_ENOMEM;
    }
    self->options = *options;
    self->epoll = self->wake = self->failure_fd = -1;

    int rc = open_store (self, error, error_size);
    rc = rc ? rc : open_descriptors (self, error, error_size);
    rc = rc ? rc : open_peers (self, error, error_size);
    rc = rc ? rc : open_front (self, error, error_size);
    rc = rc ? rc : open_node (self, error, error_size);
    rc = rc ? rc : start_threads (self, error, error_size);
    if (rc != 0) {
        release (self);
        return rc;
    }
    *runner = self;
    return 0;
}

/* ---- From other threads ------------------------------------------------------------------ */

int runner_stop (struct runner **self_p, enum runner_stop how)
{
    struct runner *self = *self_p;

    (void) pthread_mutex_lock (&self->shared.mutex);
    self->shared.stop = true;
    self->shared.how = how;
    (void) pthread_mutex_unlock (&self->shared.mutex);
    signal_fd (self->wake);
    if (self->thread_started) {
        COHORT_ASSERT (pthread_join (self->thread, NULL) == 0);
    }
    int failure = self->shared.failure;
    release (self);
    *self_p = NULL;
    return failure;
}

int runner_failure (struct runner *self, char *text, size_t size)
{
    (void) pthread_mutex_lock (&self->shared.mutex);
    int failure = self->shared.failure;
    (void) snprintf (text, size, "%s", self->shared.text);
    (void) pthread_mutex_unlock (&self->shared.mutex);
    return failure;
}

int runner_failure_fd (const struct runner *self)
{
    return self->failure_fd;
}

const char *runner_endpoint (const struct runner *self, size_t index)
{
    return front_endpoint (self->front, index);
}

static struct timespec time_limit (int limit_ms)
{
    struct timespec limit;
    (void) clock_gettime (CLOCK_MONOTONIC, &limit);
    limit.tv_sec += limit_ms / 1000;
    limit.tv_nsec += (long) (limit_ms % 1000) * 1000000;
    if (limit.tv_nsec >= 1000000000) {
        limit.tv_sec++;
        limit.tv_nsec -= 1000000000;
    }
    return limit;
}

/* Waits until `done`, with the mutex held. */
static int wait_for (struct runner *self, bool (*done) (const struct shared *, uint64_t),
                     uint64_t number, int limit_ms)
{
    struct timespec limit = time_limit (limit_ms);
    int rc = 0;

    while (!done (&self->shared, number) && !self->shared.ended && rc == 0) {
        rc = pthread_cond_timedwait (&self->shared.changed, &self->shared.mutex, &limit);
    }
    if (done (&self->shared, number)) {
        return 0;
    }
    return self->shared.ended ? COHORT_ESTATE : COHORT_ETIMEDOUT;
}

static bool is_ready (const struct shared *shared, uint64_t number)
{
    (void) number;
    return shared->ready;
}

static bool is_rested (const struct shared *shared, uint64_t number)
{
    return shared->rested >= number;
}

int runner_wait_ready (struct runner *self, int timeout_ms)
{
    (void) pthread_mutex_lock (&self->shared.mutex);
    int rc = wait_for (self, is_ready, 0, timeout_ms);
    (void) pthread_mutex_unlock (&self->shared.mutex);
    return rc;
}

int runner_settle (struct runner *self, int limit_ms)
{
    (void) pthread_mutex_lock (&self->shared.mutex);
    uint64_t number = ++self->shared.asked;
    (void) pthread_mutex_unlock (&self->shared.mutex);
    signal_fd (self->wake);
    (void) pthread_mutex_lock (&self->shared.mutex);
    int rc = wait_for (self, is_rested, number, limit_ms);
    (void) pthread_mutex_unlock (&self->shared.mutex);
    return rc;
}

uint32_t runner_leader (struct runner *self)
{
    (void) pthread_mutex_lock (&self->shared.mutex);
    uint32_t leader = self->shared.leader;
    (void) pthread_mutex_unlock (&self->shared.mutex);
    return leader;
}

int runner_stall_disk (struct runner *self, bool stalled)
{
    if (self->options.disk_thread) {
        return COHORT_ESTATE;
    }
    (void) pthread_mutex_lock (&self->shared.mutex);
    self->shared.stalled = stalled;
    (void) pthread_mutex_unlock (&self->shared.mutex);
    signal_fd (self->wake);
    return 0;
}

static bool is_tried (const struct shared *shared, uint64_t number)
{
    (void) number;
    return shared->expire == 0;
}

int runner_expire (struct runner *self, uint64_t session)
{
    (void) pthread_mutex_lock (&self->shared.mutex);
    self->shared.expire = session;
    signal_fd (self->wake);
    int rc = wait_for (self, is_tried, 0, EXPIRE_MS);
    rc = rc == 0 ? self->shared.expired : rc;
    (void) pthread_mutex_unlock (&self->shared.mutex);
    return rc;
}

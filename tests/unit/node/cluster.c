/* cluster.c: see cluster.h. */

#include "tests/unit/node/cluster.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/prng.h"
#include "client/base/ring.h"

enum { FLUSHES_MAX = 2000, PIPE_MAX = 1 << 16 };

struct frame {
    uint8_t *data;
    size_t size;
};

/* The outgoing connection of one server to another. */
struct cluster_pipe {
    struct cluster *cluster;
    uint32_t from, to;
    bool connected;
    bool answer_due; /* of peer_connect */
    bool broken_due; /* a disconnect to be told */
    struct ring frames;
};

/* ---- A disk that survives its store ---------------------------------------------------------- */

struct kept_disk {
    struct disk disk;
    struct disk_ops ops;
    struct disk *inner;
    unsigned lost; /* snapshots that cannot be read back when they have been written */
};

static struct disk *inner_of (struct disk *self)
{
    return ((struct kept_disk *) self)->inner;
}

static void kept_destroy (struct disk *self)
{
    (void) self;
}

static int kept_open (struct disk *self, const char *name, bool create, struct disk_file **file)
{
    struct kept_disk *kept = (struct kept_disk *) self;
    if (kept->lost > 0 && !create && strcmp (name, "snap.new") == 0) {
        kept->lost--;
        return -ENOENT;
    }
    return inner_of (self)->ops->open (inner_of (self), name, create, file);
}

static int kept_rename (struct disk *self, const char *from, const char *to)
{
    return inner_of (self)->ops->rename (inner_of (self), from, to);
}

static int kept_unlink (struct disk *self, const char *name)
{
    return inner_of (self)->ops->unlink (inner_of (self), name);
}

static int kept_sync_names (struct disk *self)
{
    return inner_of (self)->ops->sync_names (inner_of (self));
}

static int kept_list (struct disk *self, disk_name_fn *fn, void *arg)
{
    return inner_of (self)->ops->list (inner_of (self), fn, arg);
}

static int kept_space (struct disk *self, uint64_t *bytes)
{
    return inner_of (self)->ops->space (inner_of (self), bytes);
}

static int kept_lock (struct disk *self)
{
    (void) self;
    return 0;
}

static struct disk *kept_new (void)
{
    struct kept_disk *self = mem_calloc (1, sizeof *self);
    self->inner = memory_disk_new ();
    self->ops = *self->inner->ops;
    self->ops.destroy = kept_destroy;
    self->ops.open = kept_open;
    self->ops.rename = kept_rename;
    self->ops.unlink = kept_unlink;
    self->ops.sync_names = kept_sync_names;
    self->ops.list = kept_list;
    self->ops.space = kept_space;
    self->ops.lock = kept_lock;
    self->disk.ops = &self->ops;
    return &self->disk;
}

static void kept_free (struct disk *disk)
{
    struct kept_disk *self = (struct kept_disk *) disk;
    self->inner->ops->destroy (self->inner);
    mem_free (self);
}

/* ---- The network ----------------------------------------------------------------------------- */

static void drop_frames (struct cluster_pipe *pipe)
{
    while (!ring_empty (&pipe->frames)) {
        struct frame *frame = ring_front (&pipe->frames);
        mem_free (frame->data);
        ring_pop (&pipe->frames);
    }
}

static bool can_connect (struct cluster *self, uint32_t from, uint32_t to)
{
    return self->servers[to].node != NULL && !self->cut[from][to];
}

struct wire {
    struct cluster *cluster;
    uint32_t id;
};

static struct wire wires[CLUSTER_MAX];

static void peer_connect (void *arg, uint32_t to)
{
    struct wire *wire = arg;
    struct cluster_pipe *pipe = wire->cluster->pipes[wire->id][to];
    drop_frames (pipe);
    pipe->connected = false;
    pipe->broken_due = false;
    pipe->answer_due = true;
}

static void peer_close (void *arg, uint32_t to)
{
    struct wire *wire = arg;
    struct cluster_pipe *pipe = wire->cluster->pipes[wire->id][to];
    drop_frames (pipe);
    pipe->connected = pipe->answer_due = pipe->broken_due = false;
}

static bool peer_send (void *arg, uint32_t to, const uint8_t *data, size_t size)
{
    struct wire *wire = arg;
    struct cluster *self = wire->cluster;
    struct cluster_pipe *pipe = self->pipes[wire->id][to];
    if (!pipe->connected || self->servers[wire->id].hold_out) {
        return false;
    }
    self->frames++;
    self->bytes += size;
    struct frame frame = {mem_dup (data, size), size};
    bool ok = ring_push (&pipe->frames, &frame);
    COHORT_ASSERT (ok);
    return true;
}

static bool client_send (void *arg, uint64_t connection, const uint8_t *data, size_t size)
{
    (void) arg;
    (void) connection;
    (void) data;
    (void) size;
    return true;
}

static void client_drop (void *arg, uint64_t connection)
{
    (void) arg;
    (void) connection;
}

static void print_line (void *arg, enum log_level level, const char *event, const char *details)
{
    struct wire *wire = arg;
    (void) level;
    printf ("[%6lld] %u %s %s\n", (long long) wire->cluster->now_ms, wire->id, event, details);
}

/* ---- Life ------------------------------------------------------------------------------------ */

void cluster_init (struct cluster *self, size_t count, uint64_t seed)
{
    memset (self, 0, sizeof *self);
    COHORT_ASSERT (count < CLUSTER_MAX);
    self->seed = seed;
    self->count = count;
    self->now_ms = 1000;
    stub_forget_digests ();
    for (uint32_t id = 1; id <= count; id++) {
        self->members[id - 1] = (struct node_member){.id = id, .role = CONFIG_VOTER};
        self->servers[id].id = id;
        self->servers[id].disk = kept_new ();
        wires[id] = (struct wire){self, id};
        for (uint32_t to = 1; to <= count; to++) {
            struct cluster_pipe *pipe = mem_calloc (1, sizeof *pipe);
            pipe->cluster = self;
            pipe->from = id;
            pipe->to = to;
            ring_init (&pipe->frames, sizeof (struct frame), PIPE_MAX);
            self->pipes[id][to] = pipe;
        }
    }
}

void cluster_deinit (struct cluster *self)
{
    for (uint32_t id = 1; id <= self->count; id++) {
        cluster_kill (self, id);
    }
    for (uint32_t id = 1; id <= self->count; id++) {
        kept_free (self->servers[id].disk);
        for (uint32_t to = 1; to <= self->count; to++) {
            drop_frames (self->pipes[id][to]);
            ring_deinit (&self->pipes[id][to]->frames);
            mem_free (self->pipes[id][to]);
        }
    }
}

int cluster_open (struct cluster *self, uint32_t id, struct store **store, char *error,
                  size_t error_size)
{
    struct store_options options = {.disk = self->servers[id].disk,
                                    .server_id = id,
                                    .store_id = self->seed * 1000 + ++self->stores,
                                    .segment_bytes = 1 << 20,
                                    .repair = self->count > 1};
    return store_open (&options, store, error, error_size);
}

int cluster_start (struct cluster *self, uint32_t id)
{
    struct cluster_server *server = &self->servers[id];
    char error[512] = "";
    COHORT_ASSERT (server->node == NULL);
    int code = cluster_open (self, id, &server->store, error, sizeof error);
    if (code != 0) {
        printf ("server %u: the store does not open: %s\n", id, error);
    }
    COHORT_ASSERT (code == 0);
    struct node_options options = self->options;
    options.id = id;
    if (options.members == NULL) {
        options.members = self->members;
        options.members_count = self->count;
    }
    options.store = server->store;
    options.transport = (struct node_transport){&wires[id],  peer_connect, peer_close, peer_send,
                                                client_send, client_drop,  NULL,       NULL};
    if (getenv ("COHORT_TEST_LOG") != NULL) {
        options.logger = (struct logger){print_line, &wires[id], LOG_DEBUG};
    }
    options.seed = self->seed * 100 + self->stores;
    options.cluster_id[0] = (uint8_t) id;
    options.cluster_id[1] = (uint8_t) self->stores;
    server->node = node_new (&options, error, sizeof error);
    code = server->node != NULL ? node_start (server->node, self->now_ms, 1000000000 + self->now_ms,
                                              error, sizeof error)
                                : COHORT_ECONFIG;
    if (code != 0) {
        printf ("server %u does not start: %s\n", id, error);
        node_destroy (&server->node);
        store_close (&server->store);
    }
    return code;
}

void cluster_start_all (struct cluster *self)
{
    for (uint32_t id = 1; id <= self->count; id++) {
        int code = cluster_start (self, id);
        COHORT_ASSERT (code == 0);
    }
}

static void break_pipe (struct cluster_pipe *pipe)
{
    if (pipe->connected) {
        pipe->connected = false;
        pipe->broken_due = true;
        drop_frames (pipe);
    }
}

void cluster_break (struct cluster *self, uint32_t a, uint32_t b)
{
    break_pipe (self->pipes[a][b]);
    break_pipe (self->pipes[b][a]);
}

void cluster_partition (struct cluster *self, uint32_t a, uint32_t b, bool on)
{
    self->cut[a][b] = self->cut[b][a] = on;
    if (on) {
        cluster_break (self, a, b);
    }
}

void cluster_kill (struct cluster *self, uint32_t id)
{
    struct cluster_server *server = &self->servers[id];
    if (server->node == NULL) {
        return;
    }
    node_destroy (&server->node);
    store_close (&server->store);
    for (uint32_t other = 1; other <= self->count; other++) {
        struct cluster_pipe *mine = self->pipes[id][other];
        drop_frames (mine);
        mine->connected = mine->answer_due = mine->broken_due = false;
        break_pipe (self->pipes[other][id]);
    }
}

void cluster_empty (struct cluster *self, uint32_t id)
{
    COHORT_ASSERT (self->servers[id].node == NULL);
    kept_free (self->servers[id].disk);
    self->servers[id].disk = kept_new ();
}

void cluster_lose_snapshots (struct cluster *self, uint32_t id, unsigned count)
{
    ((struct kept_disk *) self->servers[id].disk)->lost = count;
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void deliver (struct cluster *self, struct cluster_pipe *pipe)
{
    struct cluster_server *from = &self->servers[pipe->from];
    struct cluster_server *to = &self->servers[pipe->to];
    if (from->node == NULL || from->paused) {
        return;
    }
    if (pipe->answer_due) {
        pipe->answer_due = false;
        if (can_connect (self, pipe->from, pipe->to)) {
            pipe->connected = true;
            node_peer_connected (from->node, pipe->to);
        } else {
            node_peer_disconnected (from->node, pipe->to);
        }
    }
    if (pipe->broken_due) {
        pipe->broken_due = false;
        node_peer_disconnected (from->node, pipe->to);
    }
    size_t count = ring_count (&pipe->frames);
    for (size_t i = 0; i < count && !to->paused && to->node != NULL; i++) {
        struct frame frame = *(struct frame *) ring_front (&pipe->frames);
        ring_pop (&pipe->frames);
        bool starved = self->starved == pipe->to && frame.size >= self->starved_size;
        if (starved) {
            mem_fail_at (self->fail_at);
        }
        if (!self->cut[pipe->from][pipe->to]) {
            node_peer_frame (to->node, frame.data, frame.size);
        }
        self->failed |= starved && mem_fail_clear ();
        mem_free (frame.data);
    }
}

/* What it keeps for others is bounded, whatever the test does. */
static void check_bounds (const struct cluster_server *server)
{
    struct bounds bounds = {.what = NULL};
    node_bounds (server->node, &bounds);
    if (bounds.what != NULL) {
        fprintf (stderr,
                 "server %" PRIu32 " has %" PRIu64 " %s for %" PRIu64 ", and at most %" PRIu64
                 " may be\n",
                 server->id, bounds.has, bounds.what, bounds.who, bounds.may);
    }
    COHORT_ASSERT (bounds.what == NULL);
}

static void turn (struct cluster_server *server)
{
    int flushes = 0;
    while (node_flush (server->node)) {
        COHORT_ASSERT (++flushes < FLUSHES_MAX);
    }
    while (!server->slow_disk && store_work (server->store)) {
    }
    while (node_flush (server->node)) {
        COHORT_ASSERT (++flushes < FLUSHES_MAX);
    }
    check_bounds (server);
}

void cluster_step (struct cluster *self)
{
    self->now_ms++;
    for (uint32_t id = 1; id <= self->count; id++) {
        struct cluster_server *server = &self->servers[id];
        if (server->node != NULL && !server->paused) {
            node_time (server->node, self->now_ms, 1000000000 + self->now_ms);
        }
    }
    for (uint32_t from = 1; from <= self->count; from++) {
        for (uint32_t to = 1; to <= self->count; to++) {
            deliver (self, self->pipes[from][to]);
        }
    }
    for (uint32_t id = 1; id <= self->count; id++) {
        struct cluster_server *server = &self->servers[id];
        if (server->node != NULL && !server->paused) {
            turn (server);
        }
    }
}

void cluster_run (struct cluster *self, int64_t ms)
{
    for (int64_t i = 0; i < ms; i++) {
        cluster_step (self);
    }
}

bool cluster_until (struct cluster *self, int64_t ms, cluster_fn *fn, void *arg)
{
    for (int64_t i = 0; i < ms; i++) {
        if (fn (self, arg)) {
            return true;
        }
        cluster_step (self);
    }
    return fn (self, arg);
}

/* ---- Looking --------------------------------------------------------------------------------- */

uint32_t cluster_leader (struct cluster *self)
{
    uint32_t leader = 0;
    uint32_t epoch = 0;
    for (uint32_t id = 1; id <= self->count; id++) {
        struct node_status status;
        if (self->servers[id].node == NULL) {
            continue;
        }
        node_status (self->servers[id].node, &status);
        if (status.zab.role == ZAB_LEADING && status.zab.activated &&
            status.zab.current_epoch > epoch) {
            leader = id;
            epoch = status.zab.current_epoch;
        }
    }
    return leader;
}

bool cluster_settled (struct cluster *self, void *unused)
{
    (void) unused;
    uint32_t leader = cluster_leader (self);
    if (leader == 0) {
        return false;
    }
    struct node_status first;
    node_status (self->servers[leader].node, &first);
    if (first.applied != first.zab.last) {
        return false;
    }
    for (uint32_t id = 1; id <= self->count; id++) {
        struct node_status status;
        if (self->servers[id].node == NULL || self->servers[id].paused) {
            continue;
        }
        node_status (self->servers[id].node, &status);
        COHORT_ASSERT (node_leader (self->servers[id].node) ==
                       (status.zab.activated ? status.zab.leader : 0));
        if (!status.zab.activated || status.zab.leader != leader ||
            status.applied != first.zab.last || status.zab.last != first.zab.last) {
            return false;
        }
        COHORT_ASSERT (status.digest == first.digest);
    }
    return true;
}

bool cluster_idle (struct cluster *self, void *unused)
{
    for (uint32_t id = 1; id <= self->count; id++) {
        if (self->servers[id].node != NULL && stub_pending (stub_clients (id)) > 0) {
            return false;
        }
    }
    return cluster_settled (self, unused);
}

void cluster_begin (struct cluster *self, size_t count, uint64_t seed)
{
    cluster_init (self, count, seed);
    cluster_start_all (self);
    bool settled = cluster_until (self, 1000, cluster_settled, NULL);
    COHORT_ASSERT (settled);
}

struct node_status cluster_status (struct cluster *self, uint32_t id)
{
    struct node_status status;
    node_status (self->servers[id].node, &status);
    return status;
}

uint64_t cluster_session (struct cluster *self, uint32_t id, uint8_t nonce)
{
    stub_create_session (stub_clients (id), nonce, 10000, 10000);
    bool idle = cluster_until (self, 1000, cluster_idle, NULL);
    uint64_t session = stub_clients (id)->created[nonce];
    COHORT_ASSERT (idle && session != 0);
    return session;
}

void cluster_write (uint32_t id, uint64_t session, uint64_t first, unsigned count, size_t size)
{
    static uint8_t data[64 << 10];
    COHORT_ASSERT (size <= sizeof data);
    for (unsigned i = 0; i < count; i++) {
        char path[64];
        snprintf (path, sizeof path, "/n-%llx-%llu", (unsigned long long) session,
                  (unsigned long long) (first + i));
        struct prng prng;
        prng_seed (&prng, first + i);
        for (size_t k = 0; k < size; k++) {
            data[k] = (uint8_t) prng_u64 (&prng);
        }
        stub_create (stub_clients (id), session, first + i, path, data, size, 0);
    }
}

/* How long a server's thread is held up by snapshots of a large state: not a test.
 *
 *     bench-turns [znodes]        1,000,000 by default, 100 bytes of data each
 *
 * Three servers in one process, with disks in memory whose work is done apart, as by a disk's
 * thread. A turn of a server is what it does with the frames that have come, and one node_flush.
 * While some writes go on in each millisecond, a snapshot is written by all of them for a backup,
 * and then one is sent to a server whose log the leader's cannot continue.  Prints processor times
 * of turns, so that what else the machine does counts as little as may be.
 *
 * bench_cluster.c makes the calls that a turn consists of come by here. */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/base/assert.h"
#include "tests/unit/node/cluster.h"

enum { BATCH = 100, CHILDREN = 1000, DATA_SIZE = 100, LOAD = 5, TURNS_MAX = 1 << 20 };
enum { STEPS_MAX = 1000000, LONG_NS = 2000000 };

void bench_frame (struct node *node, const uint8_t *data, size_t size);
bool bench_flush (struct node *node);

static struct cluster cluster;

/* ---- Turns ----------------------------------------------------------------------------------- */

static struct {
    const struct node *node;
    uint64_t now; /* of the turn that is under way */
    uint32_t turns[TURNS_MAX];
    size_t count;
} meters[CLUSTER_MAX];

static uint64_t now_ns (void)
{
    struct timespec time;
    (void) clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t) time.tv_sec * 1000000000 + (uint64_t) time.tv_nsec;
}

static size_t meter_of (const struct node *node)
{
    for (uint32_t id = 1; id <= cluster.count; id++) {
        if (cluster.servers[id].node == node) {
            return id;
        }
    }
    return 0; /* it is being made */
}

void bench_frame (struct node *node, const uint8_t *data, size_t size)
{
    uint64_t begun = now_ns ();
    node_peer_frame (node, data, size);
    meters[meter_of (node)].now += now_ns () - begun;
}

/* One a turn: it is always the last of those that the cluster asks for. */
bool bench_flush (struct node *node)
{
    size_t meter = meter_of (node);
    uint64_t begun = now_ns ();
    (void) node_flush (node);
    uint64_t time = meters[meter].now + (now_ns () - begun);
    meters[meter].now = 0;
    if (meters[meter].count < TURNS_MAX) {
        meters[meter].turns[meters[meter].count++] = (uint32_t) time;
    }
    return false;
}

static void begin (void)
{
    memset (meters, 0, sizeof meters);
}

static int compare (const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *) a, second = *(const uint32_t *) b;
    return first < second ? -1 : first > second;
}

static double ms_of (size_t meter, double share)
{
    size_t at = (size_t) (share * (double) (meters[meter].count - 1));
    return meters[meter].turns[at] / 1e6;
}

static void print (const char *what, uint32_t id)
{
    size_t late = 0;
    for (size_t i = 0; i < meters[id].count; i++) {
        late += meters[id].turns[i] > LONG_NS;
    }
    if (meters[id].count == 0) {
        return;
    }
    qsort (meters[id].turns, meters[id].count, sizeof meters[id].turns[0], compare);
    printf (
        "%-34s %8zu turns, median %6.3f ms, 99.9 %% %6.3f ms, longest %6.3f ms, %zu above 2 ms\n",
        what, meters[id].count, ms_of (id, 0.5), ms_of (id, 0.999), ms_of (id, 1), late);
}

/* ---- The state ------------------------------------------------------------------------------- */

static uint64_t session, number;
static uint32_t leader;
static uint64_t created;

/* An entry that creates a batch; each thousandth znode is the parent of the next. */
static void create_batch (void)
{
    char path[64];
    uint8_t data[DATA_SIZE];
    struct buf bytes;
    buf_init (&bytes);
    number++;
    struct entry entry = {.kind = ENTRY_WRITE,
                          .u.write = {.session = session,
                                      .incarnation = 1,
                                      .number = number,
                                      .ack_to = number - 1,
                                      .multi = true,
                                      .count = BATCH}};
    entry_encode (&bytes, &entry);
    for (int i = 0; i < BATCH; i++, created++) {
        unsigned long long parent = created / CHILDREN;
        (void) (created % CHILDREN == 0 ? snprintf (path, sizeof path, "/lobby-%llu", parent)
                                        : snprintf (path, sizeof path, "/lobby-%llu/room-%llu",
                                                    parent, (unsigned long long) created));
        memset (data, ' ', sizeof data);
        (void) snprintf ((char *) data, sizeof data, "{\"host\":\"10.0.%llu\",\"port\":%llu}",
                         parent, (unsigned long long) created * 0x9e3779b1 % 65536);
        struct op op = {.kind = OP_CREATE,
                        .path = path,
                        .path_size = (uint32_t) strlen (path),
                        .data = data,
                        .data_size = sizeof data};
        op_encode (&bytes, &op);
    }
    COHORT_ASSERT (!bytes.failed);
    struct clients *clients = stub_clients (leader);
    clients->options.host.submit (clients->options.host.arg, bytes.data, bytes.size);
    buf_deinit (&bytes);
}

/* Writes all over the state. */
static void load (void)
{
    static uint64_t next;
    struct clients *clients = stub_clients (leader);
    for (int i = 0; i < LOAD; i++) {
        char path[64];
        struct buf bytes;
        number++;
        next = (next + 7919) % created;
        next += next % CHILDREN == 0;
        (void) snprintf (path, sizeof path, "/lobby-%llu/room-%llu",
                         (unsigned long long) next / CHILDREN, (unsigned long long) next);
        struct entry entry = {.kind = ENTRY_WRITE,
                              .u.write = {.session = session,
                                          .incarnation = 1,
                                          .number = number,
                                          .ack_to = number - 1,
                                          .count = 1}};
        struct op op = {.kind = OP_SET,
                        .path = path,
                        .path_size = (uint32_t) strlen (path),
                        .data = (const uint8_t *) path,
                        .data_size = (uint32_t) strlen (path),
                        .version = -1};
        buf_init (&bytes);
        entry_encode (&bytes, &entry);
        op_encode (&bytes, &op);
        clients->options.host.submit (clients->options.host.arg, bytes.data, bytes.size);
        buf_deinit (&bytes);
    }
}

static bool is_settled (void)
{
    return cluster_settled (&cluster, NULL);
}

static bool has_session (void)
{
    session = stub_clients (leader)->created[1];
    return session != 0;
}

static bool has_backup (void)
{
    return stub_clients (leader)->backup_bytes > 0 || stub_clients (leader)->backup_code != 0;
}

/* Until something is so; with the load. */
static void until (bool (*fn) (void), bool loaded)
{
    for (int i = 0; !fn (); i++) {
        COHORT_ASSERT (i < STEPS_MAX);
        if (loaded) {
            load ();
        }
        cluster_step (&cluster);
    }
}

static uint32_t learner;

static bool has_installed (void)
{
    return stub_clients (learner)->resets > 0 && stub_clients (learner)->up;
}

static void build (uint64_t count)
{
    cluster_init (&cluster, 3, 1);
    cluster.options.snapshot_bytes = count * DATA_SIZE / 2; /* so that the log has no beginning */
    stub_ignore_digests ();
    cluster_start_all (&cluster);
    until (is_settled, false);
    leader = cluster_leader (&cluster);
    learner = leader % 3 + 1;
    stub_create_session (stub_clients (leader), 1, 600000, 600000);
    until (has_session, false);
    until (is_settled, false);
    cluster_kill (&cluster, learner);
    while (created < count) {
        create_batch ();
        cluster_step (&cluster);
    }
    until (is_settled, false);
}

int main (int argc, char **argv)
{
#ifdef __GLIBC__
    /* As cohortd does. */
    (void) mallopt (M_TRIM_THRESHOLD, -1);
    (void) mallopt (M_TOP_PAD, 64 << 20);
    (void) mallopt (M_MXFAST, 0);
#endif
    build (argc > 1 ? strtoull (argv[1], NULL, 10) : 1000000);
    printf ("%llu znodes\n",
            (unsigned long long) tree_node_count (node_tree (cluster.servers[leader].node)));
    begin ();
    for (int i = 0; i < 2000; i++) {
        load ();
        cluster_step (&cluster);
    }
    print ("leader, writes alone", leader);
    begin ();
    stub_backup (stub_clients (leader));
    until (has_backup, true);
    print ("leader, writes a snapshot", leader);
    begin ();
    int code = cluster_start (&cluster, learner);
    COHORT_ASSERT (code == 0);
    until (has_installed, true);
    print ("leader, sends a snapshot", leader);
    print ("learner, takes it over", learner);
    begin ();
    for (int i = 0; i < 2000; i++) {
        load ();
        cluster_step (&cluster);
    }
    print ("learner, frees what it replaced", learner);
    cluster_deinit (&cluster);
    return 0;
}

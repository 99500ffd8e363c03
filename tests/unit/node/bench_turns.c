/* How long a server's thread is held up by snapshots of a large state: not a test.
 *
 *     bench-turns [znodes [runs]]    1,000,000 by default, 100 bytes of data each; 5
 *
 * Three servers in one process, with disks in memory whose work is done apart, as by a disk's
 * thread. A turn of a server is what it does with the frames that have come, and one node_flush.
 * While some writes go on in each millisecond, a snapshot is written by all of them for a backup,
 * and then one is sent to a server whose log the leader's cannot continue.
 *
 * Times are the processor's: what else the machine does counts as little as may be.  It counts all
 * the same: a virtual machine that is stopped, and memory and caches that others use, are in them.
 * But all runs are the same to the byte, turn by turn, so the shortest time that a turn took in any
 * of them is what it does, and what is longer in single runs is the machine's.  Each run is a
 * process of its own.  The longest turn by the clock on the wall is told, too.
 *
 * bench_cluster.c makes the calls that a turn consists of come by here. */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/base/assert.h"
#include "tests/unit/node/cluster.h"

enum { BATCH = 100, CHILDREN = 1000, DATA_SIZE = 100, LOAD = 5, TURNS_MAX = 1 << 16 };
enum { STEPS_MAX = 1000000, LONG_NS = 2000000, RUNS_MAX = 100 };

void bench_frame (struct node *node, const uint8_t *data, size_t size);
bool bench_flush (struct node *node);

static struct cluster cluster;

/* ---- Turns ----------------------------------------------------------------------------------- */

/* What is measured, in the order in which it happens. */
enum part { WRITES, WRITES_SNAPSHOT, SENDS_SNAPSHOT, TAKES_OVER, FREES, PARTS };

static const char *const part_names[PARTS] = {"leader, writes alone", "leader, writes a snapshot",
                                              "leader, sends a snapshot", "learner, takes it over",
                                              "learner, frees what it replaced"};

struct turns {
    uint64_t count;
    uint64_t wall; /* ns, the longest */
    uint32_t cpu[TURNS_MAX];
};

/* A run's, in memory that it shares with the process that started it. */
struct run {
    uint64_t znodes;
    struct turns parts[PARTS];
};

static struct run *run;

static struct {
    uint64_t cpu, wall;  /* of the turn that is under way */
    struct turns *turns; /* where its turns go; NULL: nowhere */
} meters[CLUSTER_MAX];

static uint64_t clock_ns (clockid_t clock)
{
    struct timespec time;
    (void) clock_gettime (clock, &time);
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
    size_t meter = meter_of (node);
    uint64_t wall = clock_ns (CLOCK_MONOTONIC), cpu = clock_ns (CLOCK_THREAD_CPUTIME_ID);
    node_peer_frame (node, data, size);
    meters[meter].cpu += clock_ns (CLOCK_THREAD_CPUTIME_ID) - cpu;
    meters[meter].wall += clock_ns (CLOCK_MONOTONIC) - wall;
}

/* One a turn: it is always the last of those that the cluster asks for. */
bool bench_flush (struct node *node)
{
    size_t meter = meter_of (node);
    uint64_t begun_wall = clock_ns (CLOCK_MONOTONIC), begun = clock_ns (CLOCK_THREAD_CPUTIME_ID);
    (void) node_flush (node);
    uint64_t cpu = meters[meter].cpu + clock_ns (CLOCK_THREAD_CPUTIME_ID) - begun;
    uint64_t wall = meters[meter].wall + clock_ns (CLOCK_MONOTONIC) - begun_wall;
    struct turns *turns = meters[meter].turns;
    meters[meter].cpu = meters[meter].wall = 0;
    if (turns != NULL && turns->count < TURNS_MAX) {
        turns->cpu[turns->count++] = (uint32_t) cpu;
        turns->wall = wall > turns->wall ? wall : turns->wall;
    }
    return false;
}

/* From now on the turns of this server are those of a part. */
static void measure (uint32_t id, enum part part)
{
    meters[id].turns = &run->parts[part];
}

static void measure_nothing (void)
{
    memset (meters, 0, sizeof meters);
}

static int compare (const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *) a, second = *(const uint32_t *) b;
    return first < second ? -1 : first > second;
}

static double ms_of (const uint32_t *sorted, uint64_t count, double share)
{
    return sorted[(size_t) (share * (double) (count - 1))] / 1e6;
}

/* Of the times of each turn in the runs, the shortest. */
static uint32_t shortest (struct run *const *runs, size_t count, enum part part, size_t turn)
{
    uint32_t time = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        uint32_t other = runs[i]->parts[part].cpu[turn];
        time = other < time ? other : time;
    }
    return time;
}

static void print (struct run *const *runs, size_t runs_count, enum part part)
{
    static uint32_t times[TURNS_MAX];
    uint64_t count = runs[0]->parts[part].count, late = 0, wall = 0;
    uint32_t longest = 0;
    for (size_t i = 0; i < runs_count; i++) {
        const struct turns *turns = &runs[i]->parts[part];
        COHORT_ASSERT (turns->count == count); /* all runs are the same */
        wall = turns->wall > wall ? turns->wall : wall;
        for (size_t turn = 0; turn < count; turn++) {
            late += turns->cpu[turn] > LONG_NS;
            longest = turns->cpu[turn] > longest ? turns->cpu[turn] : longest;
        }
    }
    for (size_t turn = 0; turn < count; turn++) {
        times[turn] = shortest (runs, runs_count, part, turn);
    }
    qsort (times, count, sizeof times[0], compare);
    printf ("%-32s %6llu  %7.3f %7.3f %7.3f  %9.3f %5llu  %9.3f\n", part_names[part],
            (unsigned long long) count, ms_of (times, count, 0.5), ms_of (times, count, 0.999),
            ms_of (times, count, 1), longest / 1e6, (unsigned long long) late, (double) wall / 1e6);
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

static void write_for (int ms)
{
    for (int i = 0; i < ms; i++) {
        load ();
        cluster_step (&cluster);
    }
}

static void make_run (uint64_t znodes)
{
    build (znodes);
    run->znodes = tree_node_count (node_tree (cluster.servers[leader].node));
    measure (leader, WRITES);
    write_for (2000);
    measure (leader, WRITES_SNAPSHOT);
    stub_backup (stub_clients (leader));
    until (has_backup, true);
    measure (leader, SENDS_SNAPSHOT);
    measure (learner, TAKES_OVER);
    int code = cluster_start (&cluster, learner);
    COHORT_ASSERT (code == 0);
    until (has_installed, true);
    measure_nothing ();
    measure (learner, FREES);
    write_for (2000);
    measure_nothing ();
    cluster_deinit (&cluster);
}

/* In a process of its own; its times are in `run`. */
static void fork_run (uint64_t znodes)
{
    int status = 0;
    pid_t child = fork ();
    COHORT_ASSERT (child >= 0);
    if (child == 0) {
        make_run (znodes);
        _exit (0);
    }
    pid_t ended = waitpid (child, &status, 0);
    COHORT_ASSERT (ended == child && status == 0);
}

int main (int argc, char **argv)
{
    static struct run *runs[RUNS_MAX];
    uint64_t znodes = argc > 1 ? strtoull (argv[1], NULL, 10) : 1000000;
    uint64_t wanted = argc > 2 ? strtoull (argv[2], NULL, 10) : 5;
    size_t count = wanted < 1 ? 1 : wanted > RUNS_MAX ? RUNS_MAX : (size_t) wanted;
#ifdef __GLIBC__
    /* As cohortd does. */
    (void) mallopt (M_TRIM_THRESHOLD, -1);
    (void) mallopt (M_TOP_PAD, 64 << 20);
    (void) mallopt (M_MXFAST, 0);
#endif
    size_t size = count * sizeof (struct run);
    FILE *shared = tmpfile ();
    int code = shared != NULL ? ftruncate (fileno (shared), (off_t) size) : -1;
    COHORT_ASSERT (code == 0);
    struct run *memory = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fileno (shared), 0);
    COHORT_ASSERT (memory != MAP_FAILED);
    for (size_t i = 0; i < count; i++) {
        run = runs[i] = &memory[i];
        fork_run (znodes);
    }
    printf ("%llu znodes, %zu runs; ms of turns: in the shortest run of each, of any run\n"
            "%-32s %6s  %7s %7s %7s  %9s %5s  %9s\n",
            (unsigned long long) runs[0]->znodes, count, "", "turns", "median", "99.9 %", "longest",
            "longest", "> 2", "by clock");
    for (enum part part = 0; part < PARTS; part++) {
        print (runs, count, part);
    }
    (void) munmap (memory, size);
    (void) fclose (shared);
    return 0;
}

/* A cluster of cores under random faults, from one seed: messages late and links cut (a suffix is
 * lost, each end hears of it in its own time), disks that finish late, crashes between any two
 * operations of a disk, disks that lose what they had acknowledged, and disks whose last batch
 * cannot be read, servers that stand still, compaction, snapshots. The checker of the
 * cluster (tests/scenario/checker.c) looks at Zab's invariants after each step.
 *
 * Then the faults stop, and the cluster has to come to one mind within a bounded time.
 *
 *     test-core-random [first seed] [seeds] [steps] [trace]
 */

#include <stdlib.h>
#include <string.h>

#include "client/base/prng.h"
#include "tests/scenario/cluster.h"
#include "tests/unit/unit.h"

enum { HEAL_MS = 20000 };

static uint64_t first_seed = 1;
static uint64_t seeds = 60;
static uint64_t steps = 6000;
static bool traced;

struct run {
    struct cluster cluster;
    struct prng prng;
    uint32_t servers; /* 1 .. servers; the last may be observers, or have foreign stores */
    /* Chances of 1000. */
    unsigned cut, crash, pause, compact;
    unsigned power;           /* all crash */
    unsigned damage, suspect; /* of a crash */
    unsigned full;            /* a disk becomes full, or has room again */
    uint32_t slow;            /* this server is often behind; 0: none */
    struct run_counts {
        uint64_t crashes, cuts, pauses, snapshots, compactions, proposals, rounds, damages,
            suspects, shortages, withdrawals;
    } counts;
};

static struct run_counts totals;
static uint64_t total_activations, total_steps, total_committed;

static bool chance (struct run *run, unsigned of_thousand)
{
    return prng_chance (&run->prng, of_thousand, 1000);
}

static uint32_t any_server (struct run *run)
{
    return (uint32_t) prng_between (&run->prng, 1, run->servers);
}

static void setup (struct run *run, uint64_t seed)
{
    memset (run, 0, sizeof *run);
    prng_seed (&run->prng, seed);
    struct prng *prng = &run->prng;
    uint32_t voters = (uint32_t) prng_between (prng, 1, 5);
    if (voters < 3 && prng_chance (prng, 2, 3)) {
        voters = 3;
    }
    uint32_t observers = (uint32_t) prng_below (prng, 2);
    bool foreign = voters >= 3 && prng_chance (prng, 1, 5);
    run->servers = voters + observers;
    struct zab_options options = {.seed = seed, .configs = {.count = 1}};
    struct config *config = &options.configs.configs[0];
    for (uint32_t id = 1; id <= run->servers; id++) {
        config->members[config->count++] = (struct config_member){
            .id = id, .role = id <= voters ? CONFIG_VOTER : CONFIG_OBSERVER, .store_id = id};
    }
    if (prng_chance (prng, 1, 6) && voters >= (foreign ? 4 : 3)) {
        /* Two configurations: the second without the first voter. */
        options.configs.count = 2;
        options.configs.configs[1] = *config;
        options.configs.configs[1].members[0].role = CONFIG_OBSERVER;
    }
    options.sync_chunk_bytes = (uint32_t) prng_between (prng, 1, 100);
    options.sync_window = (uint32_t) prng_between (prng, 1, 4);
    if (prng_chance (prng, 1, 3)) {
        options.counter_max = prng_between (prng, 1, 50);
    }
    cluster_init (&run->cluster, &options);
    if (prng_chance (prng, 1, 2)) {
        run->cluster.reorder = &run->prng;
    }
    if (traced) {
        run->cluster.trace = stdout;
    }
    for (uint32_t id = 1; id <= run->servers; id++) {
        cluster_add (&run->cluster, id, foreign && id == voters ? 99 : id);
        cluster_start (&run->cluster, id);
    }
    /* Some clusters hardly come to serve: their elections and discoveries are what is tested. */
    unsigned storm = prng_chance (prng, 1, 3) ? 6 : 1;
    run->cut = storm * (unsigned) prng_below (prng, 12);
    run->crash = storm * (unsigned) prng_below (prng, 8);
    run->pause = (unsigned) prng_below (prng, 4);
    run->compact = (unsigned) prng_below (prng, 20);
    run->full = prng_chance (prng, 1, 3) ? 2 + (unsigned) prng_below (prng, 10) : 0;
    if (!foreign && prng_chance (prng, 1, 3)) {
        run->damage = 200 + 100 * (unsigned) prng_below (prng, 8);
        run->slow = prng_chance (prng, 1, 2) ? any_server (run) : 0;
        run->power = (unsigned) prng_below (prng, 4);
    } else if (!foreign && prng_chance (prng, 1, 2)) {
        run->suspect = 200 + 100 * (unsigned) prng_below (prng, 8);
        run->power = (unsigned) prng_below (prng, 4);
        run->crash += 4;
    }
}

/* Where recovery is promised: those with whole logs must be a quorum. */
static bool may_damage (const struct run *run, uint32_t damaged)
{
    struct id_set ids = {.count = 0};
    for (uint32_t id = 1; id <= run->servers; id++) {
        if (id != damaged && run->cluster.servers[id].disk.trust == ZAB_WHOLE) {
            id_set_add (&ids, id);
        }
    }
    return config_set_quorum (&run->cluster.options.configs, &ids);
}

/* Anything may go, whoever has acknowledged it; what is left, and the epochs, are sound. */
static void random_damage (struct run *run, uint32_t id)
{
    const struct image *disk = &run->cluster.servers[id].disk;
    zxid_t last = image_last (disk).zxid, kept = disk->base.zxid;
    if (!may_damage (run, id)) {
        return;
    }
    size_t lost = (size_t) prng_below (&run->prng, disk->log.count + 1);
    lost = chance (run, 500) && lost > 3 ? lost % 4 : lost;
    size_t entries = disk->log.count - lost;
    if (entries > 0) {
        kept = disk->log.items[entries - 1].entry.zxid;
    } else if (kept > 0 && chance (run, 300)) {
        kept--; /* the snapshot, too */
    }
    bool suspect = kept < last && kept >= disk->base.zxid && chance (run, 500);
    cluster_disk_damage (&run->cluster, id, kept, suspect ? last : 0);
    run->counts.damages++;
}

/* What the disk had just finished, and told nobody of, cannot be read. Every disk may do that. */
static void random_suspect (struct run *run, uint32_t id, struct zab_point before)
{
    const struct image *disk = &run->cluster.servers[id].disk;
    zxid_t last = image_last (disk).zxid;
    if (last > before.zxid && image_has (disk, before)) {
        cluster_disk_damage (&run->cluster, id, before.zxid, last);
        run->counts.suspects++;
    }
}

static void crash (struct run *run, uint32_t id)
{
    struct server *server = &run->cluster.servers[id];
    if (server->core == NULL) {
        return;
    }
    size_t done = chance (run, 500) ? 0 : prng_below (&run->prng, 6);
    struct zab_point before = image_last (&server->disk);
    cluster_crash (&run->cluster, id, done);
    run->counts.crashes++;
    if (chance (run, run->damage)) {
        random_damage (run, id);
    } else if (chance (run, run->suspect)) {
        random_suspect (run, id, before);
    }
}

/* Whoever starts again first has to do with what there is. */
static void random_power_failure (struct run *run)
{
    for (uint32_t id = 1; id <= run->servers; id++) {
        crash (run, id);
    }
    for (uint32_t id = 1; id <= run->servers; id++) {
        if (chance (run, 600)) {
            cluster_start (&run->cluster, id);
        }
    }
}

static void random_cut (struct run *run)
{
    uint32_t a = any_server (run), b = any_server (run);
    if (a != b && run->cluster.connected[a][b]) {
        size_t ab = run->cluster.queues[a][b].count, ba = run->cluster.queues[b][a].count;
        cluster_cut (&run->cluster, a, b, prng_below (&run->prng, ab + 1),
                     prng_below (&run->prng, ba + 1));
        run->counts.cuts++;
    }
}

static void random_propose (struct run *run)
{
    uint32_t id = any_server (run);
    if (cluster_can_propose (&run->cluster, id)) {
        cluster_propose (&run->cluster, id, prng_between (&run->prng, 1, 4),
                         (uint32_t) prng_between (&run->prng, 8, CLUSTER_DATA_MAX));
        run->counts.proposals++;
    }
}

static void random_compact (struct run *run)
{
    uint32_t id = any_server (run);
    const struct server *server = &run->cluster.servers[id];
    const struct records *log = &server->disk.log;
    if (server->core != NULL && log->count > 0) {
        cluster_compact (&run->cluster, id,
                         log->items[prng_below (&run->prng, log->count)].entry.zxid);
        run->counts.compactions++;
    }
}

static void random_space (struct run *run)
{
    uint32_t id = any_server (run);
    bool full = run->cluster.servers[id].full;
    cluster_space (&run->cluster, id, !full);
    run->counts.shortages += !full;
}

/* As a server would, some time after it has begun to look for a leader. */
static void random_withdrawal (struct run *run)
{
    uint32_t id = any_server (run);
    if (run->cluster.servers[id].full) {
        size_t done = (size_t) prng_below (&run->prng, 4);
        run->counts.withdrawals += cluster_withdraw (&run->cluster, id, done);
    }
}

static void random_round (struct run *run)
{
    uint32_t id = any_server (run);
    if (run->cluster.servers[id].core != NULL && !run->cluster.servers[id].paused) {
        cluster_event (&run->cluster, id, &(struct zab_event){.type = ZAB_EVENT_ROUND});
        run->counts.rounds++;
    }
}

/* Something that goes right: a message, a disk, a link, a start, time. */
static void random_progress (struct run *run)
{
    struct cluster *cluster = &run->cluster;
    uint32_t a = any_server (run), b = any_server (run);
    if (a == run->slow && !chance (run, 150)) {
        return;
    }
    switch (prng_below (&run->prng, 12)) {
    case 0:
    case 1:
    case 2:
    case 3:
        for (uint64_t i = prng_between (&run->prng, 1, 4); i > 0; i--) {
            cluster_deliver (cluster, b, a);
        }
        break;
    case 4:
    case 5:
        cluster_durable (cluster, a, prng_between (&run->prng, 1, 4));
        break;
    case 6:
        cluster_connect (cluster, a, b);
        break;
    case 7:
        if (cluster->servers[a].core == NULL && chance (run, 300)) {
            cluster_start (cluster, a);
        } else if (chance (run, 100)) {
            cluster->servers[a].paused = false;
        }
        break;
    case 8:
        run->counts.snapshots += cluster_snapshot (cluster, a, b);
        break;
    case 9:
        random_propose (run);
        break;
    case 10:
        random_round (run);
        break;
    default:
        cluster_advance (cluster, (int64_t) prng_below (&run->prng, chance (run, 20) ? 700 : 6));
        break;
    }
}

static void random_step (struct run *run)
{
    if (chance (run, run->cut)) {
        random_cut (run);
    } else if (chance (run, run->crash)) {
        crash (run, any_server (run));
    } else if (chance (run, run->power)) {
        random_power_failure (run);
    } else if (chance (run, run->pause)) {
        run->cluster.servers[any_server (run)].paused = true;
        run->counts.pauses++;
    } else if (chance (run, run->compact)) {
        random_compact (run);
    } else if (chance (run, run->full)) {
        random_space (run);
    } else if (run->full > 0 && chance (run, 20)) {
        random_withdrawal (run);
    } else {
        random_progress (run);
    }
}

/* Whether all follow one activated leader and have committed all that it has. A full server can
 * neither lead, for somebody else has room, nor have everything. */
static bool of_one_mind (const struct run *run)
{
    const struct cluster *cluster = &run->cluster;
    uint32_t leader = cluster_leader (cluster);
    if (leader == 0 || cluster->servers[leader].full) {
        return false;
    }
    const struct zab_status *lead = cluster_status (cluster, leader);
    for (uint32_t id = 1; id <= run->servers; id++) {
        const struct zab_status *status = cluster_status (cluster, id);
        if (cluster->servers[id].full) {
            continue;
        }
        if (!status->activated || status->leader != leader || status->committed != lead->last ||
            status->durable != lead->last || status->trust != ZAB_WHOLE) {
            return false;
        }
    }
    return true;
}

static void keep_connected (struct run *run)
{
    struct cluster *cluster = &run->cluster;
    for (uint32_t a = 1; a <= run->servers; a++) {
        for (uint32_t b = a + 1; b <= run->servers; b++) {
            cluster_connect (cluster, a, b);
        }
    }
}

static void run_snapshots (struct run *run)
{
    for (uint32_t a = 1; a <= run->servers; a++) {
        for (uint32_t b = 1; b <= run->servers; b++) {
            run->counts.snapshots += cluster_snapshot (&run->cluster, a, b);
        }
    }
}

/* All have room again; but one may stay full for a while, if the others can do without it. */
static uint32_t end_shortages (struct run *run)
{
    struct id_set others = {.count = 0};
    uint32_t kept = 0;
    for (uint32_t id = 1; id <= run->servers; id++) {
        if (kept == 0 && run->cluster.servers[id].full) {
            kept = id;
        } else if (run->cluster.servers[id].store_id == id) {
            id_set_add (&others, id);
        }
    }
    kept = config_set_quorum (&run->cluster.options.configs, &others) ? kept : 0;
    for (uint32_t id = 1; id <= run->servers; id++) {
        if (id != kept && run->cluster.servers[id].full) {
            cluster_space (&run->cluster, id, false);
        }
    }
    return kept;
}

/* The liveness phase. */
static void heal (struct run *run, uint64_t seed)
{
    struct cluster *cluster = &run->cluster;
    uint32_t full = end_shortages (run);
    for (uint32_t id = 1; id <= run->servers; id++) {
        struct server *server = &cluster->servers[id];
        server->paused = false;
        if (server->core != NULL && zab_status (server->core)->role == ZAB_HALTED) {
            checker_fail (cluster, server, "halted without a reason");
        }
        if (server->core == NULL) {
            cluster_start (cluster, id);
        }
    }
    int64_t limit = cluster->now_ms + HEAL_MS;
    bool proposed = false;
    while (cluster->now_ms < limit) {
        cluster_run (cluster);
        keep_connected (run);
        run_snapshots (run);
        cluster_run (cluster);
        if (full != 0) {
            cluster_withdraw (cluster, full, 0);
        }
        if (of_one_mind (run)) {
            if (proposed && full == 0) {
                return;
            }
            if (proposed) {
                cluster_space (cluster, full, false);
                full = 0;
            }
            cluster_propose (cluster, cluster_leader (cluster), 3, 16);
            proposed = true;
        } else {
            cluster_advance (cluster, 1);
        }
    }
    fprintf (stderr, "seed %llu: no agreement in %d ms\n", (unsigned long long) seed, HEAL_MS);
    checker_fail (cluster, &cluster->servers[1], "does not converge");
}

static void run_seed (uint64_t seed)
{
    struct run run;
    setup (&run, seed);
    for (uint64_t i = 0; i < steps; i++) {
        random_step (&run);
    }
    heal (&run, seed);
    totals.crashes += run.counts.crashes;
    totals.cuts += run.counts.cuts;
    totals.pauses += run.counts.pauses;
    totals.snapshots += run.counts.snapshots;
    totals.compactions += run.counts.compactions;
    totals.proposals += run.counts.proposals;
    totals.rounds += run.counts.rounds;
    totals.damages += run.counts.damages;
    totals.suspects += run.counts.suspects;
    totals.shortages += run.counts.shortages;
    totals.withdrawals += run.counts.withdrawals;
    total_activations += run.cluster.activations;
    total_steps += run.cluster.steps;
    total_committed += run.cluster.committed.count;
    cluster_deinit (&run.cluster);
}

static uint64_t seed_now;

/* An assertion of the core, too, shall say which seed it was. */
static void on_assert (const char *expr, const char *file, int line)
{
    fprintf (stderr, "seed %llu: %s:%d: %s\n", (unsigned long long) seed_now, file, line, expr);
}

#include "client/base/assert.h"

static void test_random (void **state)
{
    (void) state;
    assert_set_handler (on_assert);
    for (seed_now = first_seed; seed_now < first_seed + seeds; seed_now++) {
        run_seed (seed_now);
    }
    printf ("%llu steps of cores, %llu leaders activated, %llu entries committed; %llu crashes, "
            "%llu cuts, %llu pauses, %llu snapshots, %llu compactions, %llu logs damaged, %llu "
            "suspect, %llu full disks, %llu withdrawals\n",
            (unsigned long long) total_steps, (unsigned long long) total_activations,
            (unsigned long long) total_committed, (unsigned long long) totals.crashes,
            (unsigned long long) totals.cuts, (unsigned long long) totals.pauses,
            (unsigned long long) totals.snapshots, (unsigned long long) totals.compactions,
            (unsigned long long) totals.damages, (unsigned long long) totals.suspects,
            (unsigned long long) totals.shortages, (unsigned long long) totals.withdrawals);
    assert_true (total_activations > seeds);
    assert_true (total_committed > seeds);
}

int main (int argc, char **argv)
{
    if (argc > 1) {
        first_seed = strtoull (argv[1], NULL, 10);
        seeds = argc > 2 ? strtoull (argv[2], NULL, 10) : 1;
        steps = argc > 3 ? strtoull (argv[3], NULL, 10) : steps;
        traced = argc > 4;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_random)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}

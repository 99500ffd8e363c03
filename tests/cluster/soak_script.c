/* Schedules of faults by hand, for what chance hardly ever brings together. Each waits for what has
 * to be there while things are wrong, and ends in a calm. */

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/cluster/soak.h"

enum { SOON_MS = 10000, LONG_MS = 60000, QUERY_MS = 200 };

static size_t kind_of (const char *name)
{
    size_t kind = 0;
    while (kind < soak_kinds_count && strcmp (soak_kinds[kind].name, name) != 0) {
        kind++;
    }
    COHORT_ASSERT (kind < soak_kinds_count);
    return kind;
}

static void begin (struct soak *self, const char *name, size_t server, size_t other, uint64_t draw,
                   int64_t ms)
{
    struct soak_fault fault = {
        .kind = kind_of (name), .server = server, .other = other, .draw = draw};
    if (!soak_begin (self, &fault, ms)) {
        soak_tell (self, "%s: not now", name);
    }
}

static void go (struct soak *self, int64_t ms)
{
    int64_t until_ms = soak_now_ms (self) + ms;
    while (soak_now_ms (self) < until_ms) {
        soak_end_due (self);
        soak_turn (self, true);
    }
}

static size_t leader_of (struct soak *self)
{
    int64_t since_ms = soak_now_ms (self);
    for (;;) {
        size_t leader = ensemble_leader (&self->ensemble, QUERY_MS);
        if (leader != SIZE_MAX) {
            return leader;
        }
        if (soak_is_overdue (self, since_ms)) {
            soak_fail (self, "nobody leads");
        }
        soak_end_due (self);
        soak_turn (self, true);
    }
}

static void served (struct soak *self, int64_t limit_ms)
{
    int64_t since_ms = soak_now_ms (self);
    soak_await_served (self, limit_ms);
    printf ("  served within %" PRId64 " ms\n", soak_now_ms (self) - since_ms);
    (void) fflush (stdout);
}

static size_t next_to (const struct soak *self, size_t server, size_t steps)
{
    return (server + steps) % self->ensemble.count;
}

/* ---- Processes and disks --------------------------------------------------------------------- */

static void stop_full (struct soak *self)
{
    for (int i = 0; i < 2; i++) {
        size_t leader = leader_of (self);
        begin (self, "full-disk", next_to (self, leader, 1), 0, 0, 9000);
        go (self, 500);
        begin (self, "stop", leader, 0, 0, 5000);
        go (self, 9500);
        soak_calm (self);
    }
}

static void stop_turns (struct soak *self)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        begin (self, "stop", i, 0, 0, 10000 + (int64_t) i * 1000);
    }
    go (self, 13500);
    soak_calm (self);
}

static void slow_all (struct soak *self, uint32_t sync_ms)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        self->disks[i]->calls[BAD_DISK_SYNC].delay_ms = sync_ms;
    }
    go (self, 10000);
    served (self, LONG_MS);
    served (self, LONG_MS);
    go (self, 5000);
    served (self, LONG_MS);
    for (size_t i = 0; i < self->ensemble.count; i++) {
        soak_heal_disk (self, i);
    }
    soak_calm (self);
}

static void slow_2200 (struct soak *self)
{
    slow_all (self, 2200);
}

static void slow_500 (struct soak *self)
{
    slow_all (self, 500);
}

static void slow_leader (struct soak *self)
{
    size_t leader = leader_of (self);
    self->disks[leader]->calls[BAD_DISK_SYNC].delay_ms = 400;
    go (self, 5000);
    served (self, SOON_MS);
    soak_heal_disk (self, leader);
    self->disks[leader]->calls[BAD_DISK_WRITE].delay_ms = 100;
    go (self, 5000);
    served (self, SOON_MS);
    soak_heal_disk (self, leader);
    soak_calm (self);
    leader = leader_of (self);
    self->disks[leader]->calls[BAD_DISK_SYNC].delay_ms = 3000;
    go (self, 8000);
    served (self, 2 * SOON_MS);
    soak_heal_disk (self, leader);
    soak_calm (self);
}

static void full_all (struct soak *self)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        self->disks[i]->copies = 1;
        self->disks[i]->calls[BAD_DISK_WRITE].error = ENOSPC;
        self->disks[i]->calls[BAD_DISK_RENAME].error = ENOSPC;
    }
    go (self, 6000);
    for (size_t i = 0; i < self->ensemble.count; i++) {
        soak_heal_disk (self, i);
        go (self, 700);
    }
    soak_calm (self);
}

/* Room for so many writes, then none, again and again: in the middle of snapshots, too. */
static void full_often (struct soak *self)
{
    for (int i = 0; i < 30; i++) {
        size_t server = prng_below (&self->prng, self->ensemble.count);
        self->disks[server]->calls[BAD_DISK_WRITE].pass = (uint32_t) prng_below (&self->prng, 60);
        self->disks[server]->copies = prng_chance (&self->prng, 1, 2);
        self->disks[server]->calls[BAD_DISK_WRITE].error = ENOSPC;
        go (self, 400 + (int64_t) prng_below (&self->prng, 600));
        soak_heal_disk (self, server);
        go (self, 200);
    }
    soak_calm (self);
}

/* The disk of whoever leads takes nothing, then that of who does not, and round again. */
static void full_turns (struct soak *self)
{
    for (int i = 0; i < 12; i++) {
        size_t leader = leader_of (self);
        size_t server = i % 2 == 0 ? leader : next_to (self, leader, 1 + (size_t) i % 4 / 2);
        self->disks[server]->copies = i % 3 == 0;
        self->disks[server]->calls[BAD_DISK_WRITE].error = ENOSPC;
        go (self, 1500);
        soak_heal_disk (self, server);
        go (self, 300);
    }
    soak_calm (self);
}

/* What is written there fails as on a file system that has been mounted anew, to be read alone. */
static void read_only (struct soak *self)
{
    for (int i = 0; i < 4; i++) {
        size_t leader = leader_of (self), server = i % 2 == 0 ? leader : next_to (self, leader, 1);
        self->held[server] = true;
        self->ends[server] = SOAK_DISK_FAILS;
        self->disks[server]->calls[BAD_DISK_WRITE].error = EROFS;
        self->disks[server]->calls[BAD_DISK_RENAME].error = EROFS;
        soak_await_end (self, server, "a disk that may only be read");
        served (self, SOON_MS);
        soak_heal_disk (self, server);
        ensemble_start (&self->ensemble, server);
        self->held[server] = false;
        self->ends[server] = SOAK_GOES_ON;
        soak_calm (self);
    }
}

/* Whoever leads cannot read what others need of its log and snapshots, now and then or ever. */
static void read_fails (struct soak *self)
{
    for (uint32_t i = 0; i < 6; i++) {
        size_t leader = leader_of (self), learner = next_to (self, leader, 1);
        begin (self, "kill", learner, 0, 0, 60000);
        go (self, i % 2 == 0 ? 3000 : 9000);
        leader = leader_of (self);
        self->ends[leader] = SOAK_READ_FAILS;
        self->disks[leader]->calls[BAD_DISK_READ].pass = i;
        self->disks[leader]->calls[BAD_DISK_READ].error = EIO;
        soak_heal (self);
        go (self, 4000);
        printf ("  %" PRIu64 " reads of server %zu failed%s\n",
                self->disks[leader]->calls[BAD_DISK_READ].failed, leader + 1,
                self->ensemble.servers[leader].pid == 0 ? ", and it has ended" : "");
        served (self, SOON_MS);
        soak_heal_disk (self, leader);
        go (self, 500); /* what has failed is told */
        self->ends[leader] = SOAK_GOES_ON;
        if (self->ensemble.servers[leader].pid == 0) {
            ensemble_start (&self->ensemble, leader);
        }
        soak_calm (self);
    }
}

/* The power of all fails, again and again: as they work, as they elect, as they start. */
static void blackouts (struct soak *self)
{
    for (int i = 0; i < 25; i++) {
        begin (self, "blackout", 0, 0, prng_u64 (&self->prng), 1);
        go (self, 10);
        go (self, (int64_t) prng_below (&self->prng, i % 3 == 0 ? 2500 : 400));
    }
    soak_calm (self);
}

/* Two of three stand still for long, which two changes. */
static void stop_two (struct soak *self)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        begin (self, "stop", i, 0, 0, 12000);
        begin (self, "stop", next_to (self, i, 1), 0, 0, 12000 + (int64_t) i * 700);
        go (self, 12500);
        soak_heal (self);
        served (self, LONG_MS);
    }
    soak_calm (self);
}

static void kill_leaders (struct soak *self)
{
    for (int i = 0; i < 20; i++) {
        size_t leader = leader_of (self);
        go (self, (int64_t) prng_below (&self->prng, 150));
        begin (self, "kill", leader, 0, 0, 1 + (int64_t) prng_below (&self->prng, 300));
        go (self, 20);
        soak_end_due (self);
    }
    int64_t since_ms = soak_now_ms (self);
    soak_heal (self);
    (void) leader_of (self);
    printf ("  a leader %" PRId64 " ms after the last\n", soak_now_ms (self) - since_ms);
    soak_calm (self);
}

static void rolling (struct soak *self)
{
    for (size_t i = 0; i < 2 * self->ensemble.count; i++) {
        begin (self, "terminate", i % self->ensemble.count, 0, 0, 500);
        go (self, 1500);
        served (self, SOON_MS);
    }
    soak_calm (self);
}

static void terminate_all (struct soak *self)
{
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < self->ensemble.count; i++) {
            begin (self, "terminate", i, 0, 0, 300);
        }
        go (self, 1500);
        soak_calm (self);
    }
}

/* The log of those who stay is compacted beyond what the learner has; it is killed while it is sent
 * a snapshot, and then who sends it. */
static void install (struct soak *self)
{
    for (int round = 0; round < 3; round++) {
        size_t leader = leader_of (self), learner = next_to (self, leader, 1);
        begin (self, "kill", learner, 0, 0, 20000);
        go (self, 12000);
        soak_heal (self);
        for (int i = 0; i < 8; i++) {
            go (self, 5 + (int64_t) prng_below (&self->prng, 150));
            begin (self, "kill", learner, 0, 0, 1);
            go (self, 5);
        }
        go (self, (int64_t) prng_below (&self->prng, 100));
        begin (self, "kill", leader_of (self), 0, 0, 500);
        go (self, 1000);
        soak_calm (self);
    }
    for (size_t i = 0; i < self->ensemble.count; i++) {
        printf ("  server %zu: %zu snapshots installed\n", i + 1,
                ensemble_log_count (&self->ensemble, i, "snapshot-installed"));
    }
}

/* ---- Networks -------------------------------------------------------------------------------- */

/* What the leader has alone is cut off as it comes back, and then the power fails. */
static void truncated (struct soak *self)
{
    for (int round = 0; round < 10; round++) {
        size_t leader = leader_of (self);
        begin (self, "partition", leader, 0, 0, 300 + (int64_t) prng_below (&self->prng, 900));
        while (self->faults_count > 0) {
            go (self, 5);
        }
        go (self, (int64_t) prng_below (&self->prng, 80));
        begin (self, "power-cut", leader, 0, prng_u64 (&self->prng),
               (int64_t) prng_below (&self->prng, 300));
        go (self, 1000);
    }
    soak_calm (self);
    for (size_t i = 0; i < self->ensemble.count; i++) {
        printf ("  server %zu: %zu times truncated\n", i + 1,
                ensemble_log_count (&self->ensemble, i, "log-truncated"));
    }
}

static void one_way_clock (struct soak *self)
{
    for (int round = 0; round < 4; round++) {
        size_t leader = leader_of (self);
        begin (self, "clock-step", leader, 0, round % 2 == 0 ? 59000 : 60000 + 59000, 6000);
        begin (self, "one-way", leader, next_to (self, leader, 1), 0, 3000);
        go (self, 2000);
        begin (self, "one-way", next_to (self, leader, 2), leader, 0, 2500);
        go (self, 5000);
        soak_calm (self);
    }
}

static void cut_one_way (struct soak *self)
{
    for (int round = 0; round < 3; round++) {
        size_t leader = leader_of (self);
        size_t follower = next_to (self, leader, 1), other = next_to (self, leader, 2);
        const struct ensemble_server *from =
            &self->ensemble.servers[round % 2 == 0 ? leader : follower];
        size_t link = from->peer_links[round % 2 == 0 ? follower : leader];
        begin (self, "terminate", other, 0, 0, 2000);
        for (int i = 0; i < 40; i++) {
            tcp_proxy_cut (self->proxy, link, (uint32_t) prng_below (&self->prng, 3000));
            go (self, 50 + (int64_t) prng_below (&self->prng, 100));
        }
        soak_calm (self);
    }
}

static void set_both (struct soak *self, size_t a, size_t b, bool stall)
{
    struct tcp_proxy_fault fault = {.stall = {stall, stall}};
    tcp_proxy_set (self->proxy, self->ensemble.servers[a].peer_links[b], &fault);
    tcp_proxy_set (self->proxy, self->ensemble.servers[b].peer_links[a], &fault);
}

/* Of five: two halves of two that one server joins; who that is changes. */
static void bridge (struct soak *self)
{
    COHORT_ASSERT (self->ensemble.count == 5);
    for (size_t joint = 0; joint < 5; joint += 2) {
        for (int on = 1; on >= 0; on--) {
            for (size_t i = 1; i <= 2; i++) {
                for (size_t k = 3; k <= 4; k++) {
                    set_both (self, (joint + i) % 5, (joint + k) % 5, on != 0);
                }
            }
            if (on != 0) {
                go (self, 4000);
                served (self, LONG_MS);
            }
        }
        soak_calm (self);
    }
}

/* With more round trips lost than peerTimeout allows for nobody leads for long: what counts is what
 * comes of it. */
static void loss (struct soak *self)
{
    COHORT_ASSERT (self->net != NULL);
    for (int round = 0; round < 2; round++) {
        for (size_t from = 1; from <= self->ensemble.count; from++) {
            for (size_t to = 1; to <= self->ensemble.count; to++) {
                struct packet_rule rule = {
                    .lose = 300, .delay_ms = round == 0 ? 100 : 200, .jitter_ms = 20};
                if (from != to) {
                    packet_net_set (self->net, from, to, &rule);
                }
            }
        }
        go (self, 2000);
        begin (self, "kill", leader_of (self), 0, 0, 500);
        go (self, SOON_MS);
        for (size_t from = 1; from <= self->ensemble.count; from++) {
            for (size_t to = 1; to <= self->ensemble.count; to++) {
                if (from != to) {
                    packet_net_set (self->net, from, to, &(struct packet_rule){.lose = 0});
                }
            }
        }
        soak_calm (self);
    }
}

/* ---- Folders --------------------------------------------------------------------------------- */

static void flip_byte (const struct soak *self, size_t server, const char *pattern, size_t nth_last,
                       long at)
{
    ensemble_shell ("cd '%s' && f=$(ls %s | sort -V | tail -n %zu | head -n 1) && "
                    "printf '\\377\\125' | dd of=\"$f\" bs=1 seek=%ld conv=notrunc 2>/dev/null",
                    self->ensemble.servers[server].data, pattern, nth_last, at);
}

static void metadata (struct soak *self)
{
    for (int round = 0; round < 3; round++) {
        size_t leader = leader_of (self), a = next_to (self, leader, 1),
               b = next_to (self, leader, 2);
        begin (self, "kill", a, 0, 0, 600);
        begin (self, "kill", b, 0, 0, 600);
        flip_byte (self, a, round == 0 ? "meta.0" : "meta.1", 1, 40);
        flip_byte (self, b, round == 1 ? "meta.0" : "meta.1", 1, 60);
        go (self, 1500);
        soak_calm (self);
    }
    size_t server = next_to (self, leader_of (self), 1);
    self->harmed[server] = true;
    begin (self, "kill", server, 0, 0, 600);
    flip_byte (self, server, "meta.0", 1, 40);
    flip_byte (self, server, "meta.1", 1, 40);
    go (self, 1500);
    soak_calm (self);
}

/* They are written when enough was done. */
static void await_snapshot (struct soak *self, size_t server)
{
    char pattern[ENSEMBLE_TEXT + 16];
    glob_t found;
    int64_t since_ms = soak_now_ms (self);
    (void) snprintf (pattern, sizeof pattern, "%s/snap.*", self->ensemble.servers[server].data);
    while (glob (pattern, 0, NULL, &found) != 0) {
        if (soak_is_overdue (self, since_ms + LONG_MS)) {
            soak_fail (self, "server %zu writes no snapshot", server + 1);
        }
        go (self, QUERY_MS);
    }
    globfree (&found);
}

static void snapshots (struct soak *self)
{
    for (int round = 0; round < 3; round++) {
        size_t server = next_to (self, leader_of (self), (size_t) round);
        await_snapshot (self, server);
        self->harmed[server] = true;
        begin (self, "kill", server, 0, 0, 600);
        flip_byte (self, server, "snap.*", 1, 700);
        if (round > 0) {
            ensemble_shell ("cd '%s' && f=$(ls log.* | sort -V | tail -n 1) && "
                            "truncate -s $(($(stat -c %%s \"$f\") / 8)) \"$f\"",
                            self->ensemble.servers[server].data);
        }
        go (self, 1500);
        soak_calm (self);
    }
}

/* A server's log is damaged; while it is healed, an old copy of its folder is put back on another:
 * the third has everything. */
static void old_folder (struct soak *self)
{
    COHORT_ASSERT (self->ensemble.count == 3);
    for (int round = 0; round < 3; round++) {
        size_t leader = leader_of (self), a, b = next_to (self, leader, 2);
        const char *folder = self->ensemble.servers[b].data;
        begin (self, "stop", b, 0, 0, 60000);
        ensemble_shell ("rm -rf '%s-old' && cp -a '%s' '%s-old'", folder, folder, folder);
        soak_heal (self);
        go (self, 4000);
        leader = leader_of (self);
        if (leader == b) {
            continue; /* it is the one that has everything */
        }
        a = 0 + 1 + 2 - leader - b;
        self->harmed[a] = true;
        begin (self, "kill", a, 0, 0, 60000);
        flip_byte (self, a, "log.*", 1, 9000);
        begin (self, "kill", b, 0, 0, 60000);
        (void) bad_disk_forget (self->ensemble.servers[b].disk, &self->prng, NULL);
        ensemble_shell ("rm -rf '%s' && mv '%s-old' '%s'", folder, folder, folder);
        soak_heal (self);
        go (self, 2000);
        soak_calm (self);
    }
}

static const struct {
    const char *name, *text;
    void (*run) (struct soak *self);
} scripts[] = {
    {"stop-full", "the leader stands still while a follower's disk is full", stop_full},
    {"stop-turns", "all stand still for 10 s, and go on in turns", stop_turns},
    {"slow-500", "each sync of all disks takes 0.5 s", slow_500},
    {"slow-2200", "each sync of all disks takes 2.2 s", slow_2200},
    {"slow-leader", "the leader's disk alone is slow, in several ways", slow_leader},
    {"full-all", "no disk takes a byte", full_all},
    {"full-often", "disks are full after some writes, in the middle of snapshots, too", full_often},
    {"full-turns", "the leader's disk is full, then a follower's, and so on", full_turns},
    {"read-only", "a disk may only be read any more, while its server writes", read_only},
    {"read-fails", "the leader cannot read what a learner needs of it", read_fails},
    {"blackouts", "the power of all fails, 25 times", blackouts},
    {"stop-two", "two of three stand still for 12 s, in turns", stop_two},
    {"old-folder", "one log is damaged, and an old copy of another folder put back", old_folder},
    {"kill-leaders", "20 leaders are killed, each soon after it was elected", kill_leaders},
    {"rolling", "one after the other ends by SIGTERM, twice", rolling},
    {"terminate-all", "all end by SIGTERM at once", terminate_all},
    {"install", "who is sent a snapshot is killed, and then who sends it", install},
    {"truncated", "the power of an old leader fails while its log is cut off", truncated},
    {"one-way-clock", "the leader's clock is set while it hears or is heard only in part",
     one_way_clock},
    {"cut-one-way", "connections of one direction end in frames, while a server is away",
     cut_one_way},
    {"bridge", "one of five joins two halves (--servers 5)", bridge},
    {"loss", "a third of the packets is lost, and all are late (--packets)", loss},
    {"metadata", "one copy of the metadata is damaged on two servers, then both of one", metadata},
    {"snapshots", "the newest snapshot is damaged, and the log cut", snapshots},
};

void soak_list_scripts (void)
{
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        printf ("%-18s %s\n", scripts[i].name, scripts[i].text);
    }
}

bool soak_has_script (const char *name)
{
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        if (strcmp (scripts[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

void soak_script (struct soak *self, const char *name)
{
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        if (strcmp (scripts[i].name, name) == 0) {
            scripts[i].run (self);
        }
    }
}

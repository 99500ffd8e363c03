/* Schedules of faults by hand, for what chance hardly ever brings together. Each waits for what has
 * to be there while things are wrong, and ends in a calm. */

#include "tests/cluster/soak_script.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"

/* How often each server has said this, in all its lives. */
static void tell_counts (struct soak *self, const char *event)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        printf ("  server %zu: %zu times %s\n", i + 1,
                ensemble_log_count (&self->ensemble, i, event), event);
    }
}

/* ---- Processes and disks --------------------------------------------------------------------- */

static void stop_full (struct soak *self)
{
    for (int i = 0; i < 2; i++) {
        size_t leader = script_leader (self);
        script_begin (self, "full-disk", script_next (self, leader, 1), 0, 0, 9000);
        script_go (self, 500);
        script_begin (self, "stop", leader, 0, 0, 5000);
        script_go (self, 9500);
        soak_calm (self);
    }
}

static void stop_turns (struct soak *self)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        script_begin (self, "stop", i, 0, 0, 10000 + (int64_t) i * 1000);
    }
    script_go (self, 13500);
    soak_calm (self);
}

static void slow_all (struct soak *self, uint32_t sync_ms)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        self->disks[i]->calls[BAD_DISK_SYNC].delay_ms = sync_ms;
    }
    script_go (self, 10000);
    script_served (self, SCRIPT_LONG_MS);
    script_served (self, SCRIPT_LONG_MS);
    script_go (self, 5000);
    script_served (self, SCRIPT_LONG_MS);
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
    size_t leader = script_leader (self);
    self->disks[leader]->calls[BAD_DISK_SYNC].delay_ms = 400;
    script_go (self, 5000);
    script_served (self, SCRIPT_SOON_MS);
    soak_heal_disk (self, leader);
    self->disks[leader]->calls[BAD_DISK_WRITE].delay_ms = 100;
    script_go (self, 5000);
    script_served (self, SCRIPT_SOON_MS);
    soak_heal_disk (self, leader);
    soak_calm (self);
    leader = script_leader (self);
    self->disks[leader]->calls[BAD_DISK_SYNC].delay_ms = 3000;
    script_go (self, 8000);
    script_served (self, 2 * SCRIPT_SOON_MS);
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
    script_go (self, 6000);
    for (size_t i = 0; i < self->ensemble.count; i++) {
        soak_heal_disk (self, i);
        script_go (self, 700);
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
        script_go (self, 400 + (int64_t) prng_below (&self->prng, 600));
        soak_heal_disk (self, server);
        script_go (self, 200);
    }
    soak_calm (self);
}

/* The disk of whoever leads takes nothing, then that of who does not, and round again. */
static void full_turns (struct soak *self)
{
    for (int i = 0; i < 12; i++) {
        size_t leader = script_leader (self);
        size_t server = i % 2 == 0 ? leader : script_next (self, leader, 1 + (size_t) i % 4 / 2);
        self->disks[server]->copies = i % 3 == 0;
        self->disks[server]->calls[BAD_DISK_WRITE].error = ENOSPC;
        script_go (self, 1500);
        soak_heal_disk (self, server);
        script_go (self, 300);
    }
    soak_calm (self);
}

/* What is written there fails as on a file system that has been mounted anew, to be read alone. */
static void read_only (struct soak *self)
{
    for (int i = 0; i < 4; i++) {
        size_t leader = script_leader (self),
               server = i % 2 == 0 ? leader : script_next (self, leader, 1);
        self->held[server] = true;
        self->ends[server] = SOAK_DISK_FAILS;
        self->disks[server]->calls[BAD_DISK_WRITE].error = EROFS;
        self->disks[server]->calls[BAD_DISK_RENAME].error = EROFS;
        soak_await_end (self, server, "a disk that may only be read");
        script_served (self, SCRIPT_SOON_MS);
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
        size_t leader = script_leader (self), learner = script_next (self, leader, 1);
        script_begin (self, "kill", learner, 0, 0, 60000);
        script_go (self, i % 2 == 0 ? 3000 : 9000);
        leader = script_leader (self);
        self->ends[leader] = SOAK_READ_FAILS;
        self->disks[leader]->calls[BAD_DISK_READ].pass = i;
        self->disks[leader]->calls[BAD_DISK_READ].error = EIO;
        soak_heal (self);
        script_go (self, 4000);
        printf ("  %" PRIu64 " reads of server %zu failed%s\n",
                self->disks[leader]->calls[BAD_DISK_READ].failed, leader + 1,
                self->ensemble.servers[leader].pid == 0 ? ", and it has ended" : "");
        script_served (self, SCRIPT_SOON_MS);
        soak_heal_disk (self, leader);
        script_go (self, 500); /* what has failed is told */
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
        script_begin (self, "blackout", 0, 0, prng_u64 (&self->prng), 1);
        script_go (self, 10);
        script_go (self, (int64_t) prng_below (&self->prng, i % 3 == 0 ? 2500 : 400));
    }
    soak_calm (self);
}

/* Two of three stand still for long, which two changes. */
static void stop_two (struct soak *self)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        script_begin (self, "stop", i, 0, 0, 12000);
        script_begin (self, "stop", script_next (self, i, 1), 0, 0, 12000 + (int64_t) i * 700);
        script_go (self, 12500);
        soak_heal (self);
        script_served (self, SCRIPT_LONG_MS);
    }
    soak_calm (self);
}

static void kill_leaders (struct soak *self)
{
    for (int i = 0; i < 20; i++) {
        size_t leader = script_leader (self);
        script_go (self, (int64_t) prng_below (&self->prng, 150));
        script_begin (self, "kill", leader, 0, 0, 1 + (int64_t) prng_below (&self->prng, 300));
        script_go (self, 20);
        soak_end_due (self);
    }
    int64_t since_ms = soak_now_ms (self);
    soak_heal (self);
    (void) script_leader (self);
    printf ("  a leader %" PRId64 " ms after the last\n", soak_now_ms (self) - since_ms);
    soak_calm (self);
}

static void rolling (struct soak *self)
{
    for (size_t i = 0; i < 2 * self->ensemble.count; i++) {
        script_begin (self, "terminate", i % self->ensemble.count, 0, 0, 500);
        script_go (self, 1500);
        script_served (self, SCRIPT_SOON_MS);
    }
    soak_calm (self);
}

static void terminate_all (struct soak *self)
{
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < self->ensemble.count; i++) {
            script_begin (self, "terminate", i, 0, 0, 300);
        }
        script_go (self, 1500);
        soak_calm (self);
    }
}

/* The log of those who stay is compacted beyond what the learner has; it is killed while it is sent
 * a snapshot, and then who sends it. */
static void install (struct soak *self)
{
    for (int round = 0; round < 3; round++) {
        size_t leader = script_leader (self), learner = script_next (self, leader, 1);
        script_begin (self, "kill", learner, 0, 0, 20000);
        script_go (self, 12000);
        soak_heal (self);
        for (int i = 0; i < 8; i++) {
            script_go (self, 5 + (int64_t) prng_below (&self->prng, 150));
            script_begin (self, "kill", learner, 0, 0, 1);
            script_go (self, 5);
        }
        script_go (self, (int64_t) prng_below (&self->prng, 100));
        script_begin (self, "kill", script_leader (self), 0, 0, 500);
        script_go (self, 1000);
        soak_calm (self);
    }
    tell_counts (self, "snapshot-installed");
}

/* ---- Networks -------------------------------------------------------------------------------- */

/* What the leader has alone is cut off as it comes back, and then the power fails. */
static void truncated (struct soak *self)
{
    for (int round = 0; round < 10; round++) {
        size_t leader = script_leader (self);
        script_begin (self, "partition", leader, 0, 0,
                      300 + (int64_t) prng_below (&self->prng, 900));
        while (self->faults_count > 0) {
            script_go (self, 5);
        }
        script_go (self, (int64_t) prng_below (&self->prng, 80));
        script_begin (self, "power-cut", leader, 0, prng_u64 (&self->prng),
                      (int64_t) prng_below (&self->prng, 300));
        script_go (self, 1000);
    }
    soak_calm (self);
    tell_counts (self, "log-truncated");
}

static void one_way_clock (struct soak *self)
{
    for (int round = 0; round < 4; round++) {
        size_t leader = script_leader (self);
        script_begin (self, "clock-step", leader, 0, round % 2 == 0 ? 59000 : 60000 + 59000, 6000);
        script_begin (self, "one-way", leader, script_next (self, leader, 1), 0, 3000);
        script_go (self, 2000);
        script_begin (self, "one-way", script_next (self, leader, 2), leader, 0, 2500);
        script_go (self, 5000);
        soak_calm (self);
    }
}

static void cut_one_way (struct soak *self)
{
    for (int round = 0; round < 3; round++) {
        size_t leader = script_leader (self);
        size_t follower = script_next (self, leader, 1), other = script_next (self, leader, 2);
        const struct ensemble_server *from =
            &self->ensemble.servers[round % 2 == 0 ? leader : follower];
        size_t link = from->peer_links[round % 2 == 0 ? follower : leader];
        script_begin (self, "terminate", other, 0, 0, 2000);
        for (int i = 0; i < 40; i++) {
            tcp_proxy_cut (self->proxy, link, (uint32_t) prng_below (&self->prng, 3000));
            script_go (self, 50 + (int64_t) prng_below (&self->prng, 100));
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
                script_go (self, 4000);
                script_served (self, SCRIPT_LONG_MS);
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
        script_go (self, 2000);
        script_begin (self, "kill", script_leader (self), 0, 0, 500);
        script_go (self, SCRIPT_SOON_MS);
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

static void metadata (struct soak *self)
{
    for (int round = 0; round < 3; round++) {
        size_t leader = script_leader (self), a = script_next (self, leader, 1),
               b = script_next (self, leader, 2);
        script_begin (self, "kill", a, 0, 0, 600);
        script_begin (self, "kill", b, 0, 0, 600);
        script_flip_byte (self, a, round == 0 ? "meta.0" : "meta.1", 1, 40);
        script_flip_byte (self, b, round == 1 ? "meta.0" : "meta.1", 1, 60);
        script_go (self, 1500);
        soak_calm (self);
    }
    size_t server = script_next (self, script_leader (self), 1);
    self->harmed[server] = true;
    script_begin (self, "kill", server, 0, 0, 600);
    script_flip_byte (self, server, "meta.0", 1, 40);
    script_flip_byte (self, server, "meta.1", 1, 40);
    script_go (self, 1500);
    soak_calm (self);
}

static void snapshots (struct soak *self)
{
    for (int round = 0; round < 3; round++) {
        size_t server = script_next (self, script_leader (self), (size_t) round);
        script_await_snapshot (self, server);
        self->harmed[server] = true;
        script_begin (self, "kill", server, 0, 0, 600);
        script_flip_byte (self, server, "snap.*", 1, 700);
        if (round > 0) {
            ensemble_shell ("cd '%s' && f=$(ls log.* | sort -V | tail -n 1) && "
                            "truncate -s $(($(stat -c %%s \"$f\") / 8)) \"$f\"",
                            self->ensemble.servers[server].data);
        }
        script_go (self, 1500);
        soak_calm (self);
    }
}

/* A server's log is damaged; while it is healed, an old copy of its folder is put back on another:
 * the third has everything. */
static void old_folder (struct soak *self)
{
    COHORT_ASSERT (self->ensemble.count == 3);
    for (int round = 0; round < 3; round++) {
        size_t leader = script_leader (self), a, b = script_next (self, leader, 2);
        const char *folder = self->ensemble.servers[b].data;
        script_begin (self, "stop", b, 0, 0, 60000);
        ensemble_shell ("rm -rf '%s-old' && cp -a '%s' '%s-old'", folder, folder, folder);
        soak_heal (self);
        script_go (self, 4000);
        leader = script_leader (self);
        if (leader == b) {
            continue; /* it is the one that has everything */
        }
        a = 0 + 1 + 2 - leader - b;
        self->harmed[a] = true;
        script_begin (self, "kill", a, 0, 0, 60000);
        script_flip_byte (self, a, "log.*", 1, 9000);
        script_begin (self, "kill", b, 0, 0, 60000);
        (void) bad_disk_forget (self->ensemble.servers[b].disk, &self->prng, NULL);
        ensemble_shell ("rm -rf '%s' && mv '%s-old' '%s'", folder, folder, folder);
        soak_heal (self);
        script_go (self, 2000);
        soak_calm (self);
    }
}

struct script {
    const char *name, *text;
    void (*run) (struct soak *self);
    size_t servers; /* that it is made for; 0: as many as there are */
    size_t observers;
    bool packets;
};

static const struct script scripts[] = {
    {.name = "stop-full",
     .text = "the leader stands still while a follower's disk is full",
     .run = stop_full},
    {.name = "stop-turns",
     .text = "all stand still for 10 s, and go on in turns",
     .run = stop_turns},
    {.name = "slow-500", .text = "each sync of all disks takes 0.5 s", .run = slow_500},
    {.name = "slow-2200", .text = "each sync of all disks takes 2.2 s", .run = slow_2200},
    {.name = "slow-leader",
     .text = "the leader's disk alone is slow, in several ways",
     .run = slow_leader},
    {.name = "full-all", .text = "no disk takes a byte", .run = full_all},
    {.name = "full-often",
     .text = "disks are full after some writes, in the middle of snapshots, too",
     .run = full_often},
    {.name = "full-turns",
     .text = "the leader's disk is full, then a follower's, and so on",
     .run = full_turns},
    {.name = "read-only",
     .text = "a disk may only be read any more, while its server writes",
     .run = read_only},
    {.name = "read-fails",
     .text = "the leader cannot read what a learner needs of it",
     .run = read_fails},
    {.name = "blackouts", .text = "the power of all fails, 25 times", .run = blackouts},
    {.name = "stop-two", .text = "two of three stand still for 12 s, in turns", .run = stop_two},
    {.name = "old-folder",
     .text = "one log is damaged, and an old copy of another folder put back",
     .run = old_folder},
    {.name = "kill-leaders",
     .text = "20 leaders are killed, each soon after it was elected",
     .run = kill_leaders},
    {.name = "rolling", .text = "one after the other ends by SIGTERM, twice", .run = rolling},
    {.name = "terminate-all", .text = "all end by SIGTERM at once", .run = terminate_all},
    {.name = "install",
     .text = "who is sent a snapshot is killed, and then who sends it",
     .run = install},
    {.name = "truncated",
     .text = "the power of an old leader fails while its log is cut off",
     .run = truncated},
    {.name = "one-way-clock",
     .text = "the leader's clock is set while it hears or is heard only in part",
     .run = one_way_clock},
    {.name = "cut-one-way",
     .text = "connections of one direction end in frames, while a server is away",
     .run = cut_one_way},
    {.name = "bridge", .text = "one of five joins two halves", .run = bridge, .servers = 5},
    {.name = "loss",
     .text = "a third of the packets is lost, and all are late",
     .run = loss,
     .packets = true},
    {.name = "metadata",
     .text = "one copy of the metadata is damaged on two servers, then both of one",
     .run = metadata},
    {.name = "snapshots",
     .text = "the newest snapshot is damaged, and the log cut",
     .run = snapshots},
    {.name = "forgetful-leaders",
     .text = "leaders lose what they had not synced while the others hear each other "
             "one way",
     .run = script_forgetful_leaders},
    {.name = "hanging-disks",
     .text = "syncs do not come back, on the leader and then on the next one",
     .run = script_hanging_disks},
    {.name = "rot-below",
     .text = "bytes rot under a leader that runs, and a learner needs them",
     .run = script_rot_below},
    {.name = "wiped-thrice",
     .text = "a follower is emptied again and again while it is sent a snapshot slowly",
     .run = script_wiped_thrice},
    {.name = "full-chain",
     .text = "the leader's disk is full, the next one's, all; the power fails meanwhile",
     .run = script_full_chain},
    {.name = "pauses-rolling",
     .text = "leader and follower stand still in turns while the third ends and starts",
     .run = script_pauses_rolling},
    {.name = "still-starts",
     .text = "servers stand still as they start, and while snapshots come and go",
     .run = script_still_starts},
    {.name = "clocks-apart",
     .text = "clocks are hours apart, while leaders are killed",
     .run = script_clocks_apart},
    {.name = "moving-clients",
     .text = "clients are moved between servers that partitions cut off in turns",
     .run = script_moving_clients},
    {.name = "dark-and-damaged",
     .text = "the power of all fails while a damaged log is healed",
     .run = script_dark_and_damaged},
    {.name = "observers",
     .text = "observers are the majority of who runs",
     .run = script_observers,
     .servers = 5,
     .observers = 2},
};

void soak_list_scripts (void)
{
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        printf ("%-18s %s\n", scripts[i].name, scripts[i].text);
    }
}

static const struct script *find_script (const char *name)
{
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        if (strcmp (scripts[i].name, name) == 0) {
            return &scripts[i];
        }
    }
    return NULL;
}

bool soak_choose_script (struct soak_options *options, const char *name)
{
    const struct script *script = find_script (name);
    if (script == NULL) {
        return false;
    }
    options->script = script->name;
    options->servers = script->servers > 0 ? script->servers : options->servers;
    options->observers = script->observers;
    options->packets = options->packets || script->packets;
    return true;
}

void soak_script (struct soak *self, const char *name)
{
    find_script (name)->run (self);
}

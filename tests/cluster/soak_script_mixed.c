/* Schedules by hand: several things at once. */

#include "tests/cluster/soak_script.h"

#include <errno.h>
#include <stdio.h>

#include "client/base/assert.h"

enum {
    SLOW_SYNC_MS = 40, /* so that a power cut finds something that was not synced */
    FULL_MS = 2500     /* until a server has noticed, and somebody else leads */
};

static const int64_t HOUR_MS = 3600000, YEAR_MS = INT64_C (31557600000);

static void slow_syncs (struct soak *self)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        self->disks[i]->calls[BAD_DISK_SYNC].delay_ms = SLOW_SYNC_MS;
    }
}

static void heal_disks (struct soak *self)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        soak_heal_disk (self, i);
    }
}

static int64_t up_to (struct soak *self, uint64_t ms)
{
    return (int64_t) prng_below (&self->prng, ms);
}

/* ---- Power ----------------------------------------------------------------------------------- */

/* One follower is not heard by the other while the leader's power fails; then that of whoever leads
 * next, while the first is hardly back; then that of all. */
void script_forgetful_leaders (struct soak *self)
{
    for (size_t round = 0; round < 8; round++) {
        size_t leader = script_leader (self);
        size_t mute = script_next (self, leader, 1 + round % 2);
        size_t other = script_next (self, leader, 2 - round % 2);
        slow_syncs (self);
        script_begin (self, "one-way", mute, other, 0, 2500);
        script_go (self, 50 + up_to (self, 200));
        script_begin (self, "power-cut", leader, 0, prng_u64 (&self->prng),
                      100 + up_to (self, 1500));
        script_go (self, 1700);
        script_begin (self, "power-cut", script_leader (self), 0, prng_u64 (&self->prng), 300);
        script_go (self, 10 + up_to (self, 300));
        script_begin (self, "blackout", 0, 0, prng_u64 (&self->prng), 1);
        script_go (self, up_to (self, 800));
        soak_heal (self);
        heal_disks (self);
        script_served (self, SCRIPT_LONG_MS);
    }
    soak_calm (self);
}

/* What is brought back from others is on no disk yet, and what they have is not synced either. */
void script_dark_and_damaged (struct soak *self)
{
    for (size_t round = 0; round < 4; round++) {
        size_t damaged = script_next (self, script_leader (self), round % 2);
        script_await_snapshot (self, damaged);
        self->harmed[damaged] = true;
        slow_syncs (self);
        script_begin (self, "kill", damaged, 0, 0, 1);
        script_flip_byte (self, damaged, "log.*", 1, 9000);
        for (int i = 0; i < 4; i++) {
            script_go (self, 100 + up_to (self, 500));
            script_begin (self, "blackout", 0, 0, prng_u64 (&self->prng), 1);
        }
        script_go (self, 100);
        heal_disks (self);
        soak_calm (self);
    }
}

/* ---- Disks ----------------------------------------------------------------------------------- */

/* all: not even what a file has already can be written anew. */
static void fill (struct soak *self, size_t server, bool all)
{
    self->disks[server]->copies = all;
    self->disks[server]->calls[BAD_DISK_RENAME].error = all ? ENOSPC : 0;
    self->disks[server]->calls[BAD_DISK_WRITE].error = ENOSPC;
}

void script_full_chain (struct soak *self)
{
    for (size_t round = 0; round < 4; round++) {
        size_t count = self->ensemble.count, first = script_leader (self);
        fill (self, first, round % 2 == 1);
        script_go (self, FULL_MS);
        size_t second = script_leader (self);
        fill (self, second, round % 2 == 1);
        script_go (self, FULL_MS);
        for (size_t i = 0; i < count; i++) {
            fill (self, i, round % 2 == 1);
        }
        script_go (self, FULL_MS);
        if (round < 2) {
            self->ends[second] = SOAK_NO_ROOM;
            script_begin (self, "power-cut", second, 0, prng_u64 (&self->prng), 500);
            script_go (self, 1500);
        } else {
            script_begin (self, "stop", first, 0, 0, 4000);
        }
        for (size_t i = 0; i < count; i++) {
            soak_heal_disk (self, script_next (self, second, i));
            script_go (self, 300);
        }
        self->ends[second] = SOAK_GOES_ON;
        if (self->ensemble.servers[second].pid == 0) {
            ensemble_start (&self->ensemble, second);
        }
        soak_heal (self);
        script_served (self, SCRIPT_SOON_MS);
        soak_calm (self);
    }
}

/* A sync does not come back: first on the leader, then on the next one. What helps is to end them.
 */
void script_hanging_disks (struct soak *self)
{
    enum { HANGS_MS = 600000 };
    for (int round = 0; round < 3; round++) {
        size_t first = script_leader (self);
        self->disks[first]->calls[BAD_DISK_SYNC].delay_ms = HANGS_MS;
        script_go (self, 4000);
        script_served (self, SCRIPT_SOON_MS);
        size_t second = script_leader (self);
        self->disks[second]->calls[BAD_DISK_SYNC].delay_ms = HANGS_MS;
        script_go (self, 3000);
        heal_disks (self);
        script_begin (self, "power-cut", first, 0, prng_u64 (&self->prng), 500);
        script_go (self, 1000);
        script_served (self, SCRIPT_SOON_MS);
        script_begin (self, "power-cut", second, 0, prng_u64 (&self->prng), 500);
        script_go (self, 1000);
        soak_calm (self);
    }
}

/* Bytes rot under the leader that runs, and a learner needs them. */
void script_rot_below (struct soak *self)
{
    for (size_t round = 0; round < 4; round++) {
        size_t leader = script_leader (self), learner = script_next (self, leader, 1);
        script_begin (self, "kill", learner, 0, 0, 60000);
        script_go (self, round % 2 == 0 ? 1500 : 9000);
        leader = script_leader (self);
        self->harmed[leader] = true;
        self->ends[leader] = SOAK_READ_FAILS;
        for (long at = 5000; at < 100000; at += 3000) {
            script_flip_byte (self, leader, round < 2 ? "log.*" : "snap.*", 1 + round % 2, at);
        }
        soak_heal (self);
        script_go (self, 4000);
        printf ("  server %zu goes on: %d\n", leader + 1, self->ensemble.servers[leader].pid != 0);
        script_served (self, SCRIPT_SOON_MS);
        if (self->ensemble.servers[leader].pid != 0) {
            script_begin (self, "kill", leader, 0, 0, 1);
            script_go (self, 100);
        } else {
            ensemble_start (&self->ensemble, leader);
        }
        self->ends[leader] = SOAK_GOES_ON;
        soak_calm (self);
    }
}

/* With its links so slow that this takes seconds. */
void script_wiped_thrice (struct soak *self)
{
    enum { RATE = 20000, RATE_MIN = 2000 };
    for (int round = 0; round < 3; round++) {
        size_t leader = script_leader (self), learner = script_next (self, leader, 1);
        script_await_snapshot (self, leader);
        script_begin (self, "throttle", learner, 0, RATE - RATE_MIN, 30000);
        for (int i = 0; i < 3; i++) {
            soak_begin_empty (
                self, &(struct soak_fault){.server = learner, .draw = prng_u64 (&self->prng)});
            ensemble_start (&self->ensemble, learner);
            self->held[learner] = false;
            script_go (self, 300 + up_to (self, 2500));
        }
        if (round > 0) {
            script_begin (self, round == 1 ? "kill" : "power-cut", script_leader (self), 0,
                          prng_u64 (&self->prng), 1000);
            script_go (self, 4000);
        }
        soak_heal (self);
        soak_calm (self);
    }
}

/* ---- Processes and clocks -------------------------------------------------------------------- */

void script_pauses_rolling (struct soak *self)
{
    for (size_t i = 0; i < 4 * self->ensemble.count; i++) {
        size_t leader = script_leader (self);
        size_t still = script_next (self, leader, i % 2), other = script_next (self, leader, 2);
        script_begin (self, "stop", still, 0, 0, 700 + up_to (self, 1500));
        script_go (self, up_to (self, 400));
        script_begin (self, "terminate", other, 0, 0, 200 + up_to (self, 600));
        script_go (self, 1000 + up_to (self, 500));
        if (i % 3 == 2) {
            soak_heal (self);
            script_served (self, SCRIPT_SOON_MS);
        }
    }
    soak_calm (self);
}

/* A server stands still as it starts, or while it is sent a snapshot, or while it sends one; what
 * it believed then it goes on believing, and meanwhile others have led. */
void script_still_starts (struct soak *self)
{
    for (size_t round = 0; round < 9; round++) {
        size_t leader = script_leader (self), learner = script_next (self, leader, 1);
        if (round % 3 == 0) {
            script_begin (self, "kill", learner, 0, 0, 1);
        } else {
            soak_begin_empty (
                self, &(struct soak_fault){.server = learner, .draw = prng_u64 (&self->prng)});
            ensemble_start (&self->ensemble, learner);
            self->held[learner] = false;
        }
        script_go (self, 2 + up_to (self, 60));
        script_begin (self, "stop", round % 3 == 2 ? leader : learner, 0, 0, 2500);
        script_go (self, 300);
        script_begin (self, "kill", script_next (self, leader, round % 3 == 2 ? 2 : 0), 0, 0, 800);
        script_go (self, 3000);
        soak_heal (self);
        soak_calm (self);
    }
}

/* One is before 1970, one years ahead, one an hour. */
void script_clocks_apart (struct soak *self)
{
    const int64_t steps[] = {-60 * YEAR_MS, 10 * YEAR_MS, HOUR_MS};
    recorder_doubt (self->recorder);
    self->clocks_wrong++; /* and it stays so: stamps are ahead for years */
    for (int64_t round = 0; round < 9; round++) {
        for (size_t i = 0; i < self->ensemble.count; i++) {
            self->disks[i]->clock_ms = steps[(i + (size_t) round) % 3];
        }
        script_begin (self, "kill", script_leader (self), 0, 0, 500);
        script_go (self, 1500);
        script_served (self, SCRIPT_SOON_MS);
    }
    for (size_t i = 0; i < self->ensemble.count; i++) {
        self->disks[i]->clock_ms = 0;
    }
    soak_calm (self);
}

/* ---- Clients --------------------------------------------------------------------------------- */

/* Whoever serves them is cut off from the others soon, and they are from it. */
void script_moving_clients (struct soak *self)
{
    for (size_t i = 0; i < 40; i++) {
        size_t server = i % 3 == 0 ? script_leader (self) : script_next (self, i, 0);
        script_begin (self, i % 4 == 1 ? "mute" : "partition", server, 0, i, 700);
        script_begin (self, "client-stall", script_next (self, server, 1), 0, i, 500);
        script_begin (self, "client-cut", script_next (self, server, 2), 0, prng_u64 (&self->prng),
                      1);
        script_go (self, 200 + up_to (self, 500));
        if (i % 8 == 7) {
            soak_heal (self);
            script_served (self, SCRIPT_SOON_MS);
        }
    }
    soak_calm (self);
}

/* ---- Observers ------------------------------------------------------------------------------- */

static void nobody_leads (struct soak *self)
{
    enum { QUERY_MS = 300 };
    if (ensemble_leader (&self->ensemble, QUERY_MS) != SIZE_MAX) {
        soak_fail (self, "one voter of three and observers have a leader");
    }
}

/* Three voters and two observers: one voter goes, and a second, and comes back. */
void script_observers (struct soak *self)
{
    size_t voters = self->ensemble.count - self->ensemble.observers;
    COHORT_ASSERT (voters == 3 && self->ensemble.observers == 2);
    for (size_t round = 0; round < 2; round++) {
        size_t leader = script_leader (self), first = (leader + 1) % voters;
        script_begin (self, "kill", first, 0, 0, 60000);
        script_go (self, 1000);
        script_served (self, SCRIPT_SOON_MS);
        leader = script_leader (self);
        script_begin (self, round % 2 == 0 ? "kill" : "stop", leader, 0, 0, 60000);
        script_go (self, 3000);
        nobody_leads (self);
        script_begin (self, "power-cut", voters + round % 2, 0, prng_u64 (&self->prng), 500);
        script_go (self, 1000);
        nobody_leads (self);
        soak_begin_empty (self, &(struct soak_fault){.server = voters + round % 2});
        soak_heal (self);
        ensemble_start (&self->ensemble, voters + round % 2);
        self->held[voters + round % 2] = false;
        if (script_leader (self) >= voters) {
            soak_fail (self, "an observer leads");
        }
        soak_calm (self);
    }
}

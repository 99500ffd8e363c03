/* What goes wrong with disks. */

#include <errno.h>
#include <inttypes.h>

#include "tests/simulation/world.h"

enum {
    SPACE_LEFT_MAX = 1 << 19,
    LITTLE_SPACE_MAX = 1 << 14,
    NAMES_MAX = 4,
    METAS_MAX = 8,
    RELAPSE_BITS = 6
};

/* Which operations of the disk a crash point counts: those that change names, and those on the
 * metadata, are few, and the order around them is what matters; so they get points of their own.
 * Returns which of them it will be. */
static uint32_t count_operations (struct sim_server *server, const struct sim_fault *fault,
                                  const char **what)
{
    switch ((fault->value >> 2) & 3) {
    case 0:
        crash_disk_count_names (server->disk);
        *what = " on names";
        return 1 + (fault->b - 1) % NAMES_MAX;
    case 1:
        crash_disk_count_files (server->disk, "meta");
        *what = " on the metadata";
        return 1 + (fault->b - 1) % METAS_MAX;
    default:
        crash_disk_count_all (server->disk);
        *what = "";
        return fault->b;
    }
}

/* What a process that was killed had written and not synced is in the system's cache, and the next
 * one reads it, and tells others: so it must not be lost when the power is cut after that. Each
 * 2^n-th operation of the next start is as likely to be the one; where only some are counted, each
 * of the first. */
static uint32_t draw_relapse (const struct sim_fault *fault)
{
    uint64_t dice = fault->value >> 16, bits = (fault->value >> 8) % RELAPSE_BITS + 1;
    if ((fault->value & 1) != 0 || ((fault->value >> 6) & 3) != 0) {
        return 0;
    }
    bool counts_all = ((fault->value >> 2) & 3) > 1;
    return 1 + (uint32_t) (dice % (counts_all ? UINT64_C (1) << bits : NAMES_MAX));
}

/* The n-th operation from now on will be its process's last. */
static bool set_crash_point (struct world *self, struct sim_server *server,
                             const struct sim_fault *fault)
{
    const char *what;
    uint32_t nth = count_operations (server, fault, &what);
    server->point_cuts = (fault->value & 1) != 0;
    server->point_down_ms = fault->length_ms;
    server->point_takes_leader = ((fault->value >> 4) & 3) == 0;
    server->point_relapse = draw_relapse (fault);
    if (fault->value & 2) {
        crash_disk_stop_after (server->disk, nth);
    } else {
        crash_disk_stop_at (server->disk, nth);
    }
    world_tell (self, "server %u: %s %s operation %u%s of its disk from now", server->id,
                server->point_cuts ? "the power is cut" : "is killed",
                fault->value & 2 ? "after" : "within", nth, what);
    return true;
}

static bool fill (struct world *self, struct sim_server *server, const struct sim_fault *fault)
{
    /* As often as not so little that it matters at once. */
    bool little = ((fault->value >> 32) & 1) != 0;
    uint64_t left = fault->value % (little ? LITTLE_SPACE_MAX : SPACE_LEFT_MAX);
    /* Then the metadata find no room either. */
    bool copies = (fault->value >> 33) % 3 == 0;
    if (server->full) {
        return false;
    }
    server->full = true;
    crash_disk_copy_on_write (server->disk, copies);
    crash_disk_set_space (server->disk, crash_disk_used (server->disk) + left);
    world_tell (self, "server %u: %" PRIu64 " bytes are left on its disk%s, for %" PRId64 " ms",
                server->id, left, copies ? ", also for what is overwritten" : "", fault->length_ms);
    return true;
}

static void give_space (struct sim_server *server)
{
    server->full = false;
    crash_disk_copy_on_write (server->disk, false);
    crash_disk_set_space (server->disk, UINT64_MAX);
}

static void on_strike (void *arg, enum crash_strike what)
{
    static const enum fault_kind kinds[] = {[CRASH_STOPPED] = FAULT_CRASH_POINT,
                                            [CRASH_FAILED] = FAULT_WRITE_ERROR,
                                            [CRASH_READ_FAILED] = FAULT_READ_ERROR};
    const struct sim_server *server = arg;
    plan_struck (server->world, kinds[what]);
}

void fault_disks_watch (struct sim_server *server)
{
    crash_disk_tell_strikes (server->disk, on_strike, server);
}

bool fault_disks_begin (struct world *self, const struct sim_fault *fault)
{
    if (fault->a >= self->servers_count) {
        return false;
    }
    struct sim_server *server = &self->servers[fault->a];
    switch (fault->kind) {
    case FAULT_CRASH_POINT:
        return set_crash_point (self, server, fault);
    case FAULT_FULL_DISK:
        return fill (self, server, fault);
    case FAULT_WRITE_ERROR:
        world_tell (self, "server %u: operation %u of its disk from now fails", server->id,
                    fault->b);
        crash_disk_fail_at (server->disk, fault->b, -EIO);
        return true;
    case FAULT_READ_ERROR:
        world_tell (self, "server %u: read %u of its disk from now fails", server->id, fault->b);
        crash_disk_fail_read_at (server->disk, fault->b);
        return true;
    default:
        return false;
    }
}

void fault_disks_end (struct world *self, const struct sim_fault *fault)
{
    struct sim_server *server = &self->servers[fault->a];
    world_tell (self, "server %u: its disk has space again", server->id);
    give_space (server);
}

void fault_disks_disarm (struct world *self)
{
    for (size_t i = 0; i < self->servers_count; i++) {
        struct sim_server *server = &self->servers[i];
        crash_disk_stop_at (server->disk, 0);
        crash_disk_fail_at (server->disk, 0, 0);
        crash_disk_fail_read_at (server->disk, 0);
        crash_disk_misread_at (server->disk, 0, NULL, NULL);
    }
}

void fault_disks_mend (struct world *self)
{
    fault_disks_disarm (self);
    for (size_t i = 0; i < self->servers_count; i++) {
        give_space (&self->servers[i]);
    }
}

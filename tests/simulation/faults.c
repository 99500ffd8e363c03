/* When what is planned happens, and when nothing goes wrong any more. */

#include "tests/simulation/rogues.h"
#include "tests/simulation/world.h"

static bool begin (struct world *self, const struct sim_fault *fault)
{
    switch (fault->kind) {
    case FAULT_PARTITION:
    case FAULT_ONE_WAY:
    case FAULT_BRIDGE:
    case FAULT_CUT:
    case FAULT_BREAK:
        return fault_links_begin (self, fault);
    case FAULT_WRITE_ERROR:
    case FAULT_READ_ERROR:
    case FAULT_FULL_DISK:
    case FAULT_CRASH_POINT:
        return fault_disks_begin (self, fault);
    case FAULT_ROT:
    case FAULT_BAD_SECTOR:
    case FAULT_END_ROT:
    case FAULT_LOST_WRITE:
    case FAULT_WRONG_READ:
    case FAULT_STALE_READ:
        return fault_rot_begin (self, fault);
    case FAULT_CLIENT_KILL:
    case FAULT_CLIENT_CLOSE:
    case FAULT_CLIENT_MOVE:
    case FAULT_CLIENT_PAUSE:
    case FAULT_SESSION_KILL:
    case FAULT_SESSION_TAKE:
        return fault_clients_begin (self, fault);
    case FAULT_OLD_MANIFEST:
        return fault_manifest_begin (self, fault);
    case FAULT_MEMORY_ROT:
        return fault_memory_begin (self, fault);
    case FAULT_ROGUE:
        return rogue_begin (self, fault);
    default:
        return fault_servers_begin (self, fault);
    }
}

/* Clients come and go at any time. A lull is announced behind the first event in it, which this may
 * be. */
static bool waits (const struct world *self, const struct sim_fault *fault)
{
    enum fault_kind kind = fault->kind;
    const struct sim_lull *due = &self->lull_due;
    int64_t now_ms = self->schedule.now_ms;
    bool lull = self->lull || (now_ms >= due->from_ms && now_ms < due->until_ms);
    return lull && fault->nth < FAULT_OF_LULL && kind != FAULT_CLIENT_KILL &&
           kind != FAULT_CLIENT_CLOSE && kind != FAULT_SESSION_KILL && kind != FAULT_SESSION_TAKE &&
           kind != FAULT_ROGUE;
}

static bool has_end (enum fault_kind kind)
{
    return kind == FAULT_PARTITION || kind == FAULT_ONE_WAY || kind == FAULT_BRIDGE ||
           kind == FAULT_CUT || kind == FAULT_BREAK || kind == FAULT_FULL_DISK ||
           kind == FAULT_MEMORY_ROT || kind == FAULT_ROGUE;
}

static void end (struct world *self, const struct sim_fault *fault)
{
    if (fault->kind == FAULT_FULL_DISK) {
        fault_disks_end (self, fault);
    } else if (fault->kind == FAULT_MEMORY_ROT) {
        fault_memory_end (self, fault);
    } else if (fault->kind == FAULT_ROGUE) {
        rogue_end (self, fault);
    } else {
        fault_links_end (self, fault);
    }
}

void faults_begin (struct world *self)
{
    self->plan.over = false;
    plan_print (self);
    for (size_t i = 0; i < self->plan.planned.count; i++) {
        schedule_add (&self->schedule,
                      (struct sim_event){.at_ms = self->plan.planned.items[i].at_ms,
                                         .type = SIM_FAULT_BEGIN,
                                         .number = i});
    }
}

void faults_event (struct world *self, struct sim_event *event)
{
    const struct sim_fault *fault = &self->plan.planned.items[event->number];
    if (self->plan.over) {
        return;
    }
    if (event->type == SIM_FAULT_END) {
        end (self, fault);
    } else if (!waits (self, fault) && begin (self, fault)) {
        plan_happened (self, fault);
        if (has_end (fault->kind)) {
            schedule_add (&self->schedule,
                          (struct sim_event){.at_ms = self->schedule.now_ms + fault->length_ms,
                                             .type = SIM_FAULT_END,
                                             .number = event->number});
        }
    }
}

void faults_end (struct world *self)
{
    world_tell (self, "nothing goes wrong any more");
    self->plan.over = true;
    fault_links_mend (self);
    fault_disks_mend (self);
    fault_memory_mend (self);
    rogues_end (self);
    for (size_t i = 0; i < self->servers_count; i++) {
        self->servers[i].paused_until_ms = self->servers[i].apart_until_ms = self->schedule.now_ms;
    }
    for (size_t i = 0; i < self->clients_count; i++) {
        self->clients[i].paused_until_ms = self->schedule.now_ms;
    }
}

/* When all is over: looks at what a power cut leaves on each disk, as people do who come then. */

#include <inttypes.h>

#include "server/inspect/inspect.h"
#include "tests/simulation/ghost.h"
#include "tests/simulation/world.h"

static void judge (struct world *world, const struct sim_server *server,
                   const struct ghost_server *ghost, const struct inspect_report *report)
{
    zxid_t durable = shadow_last (&ghost->durable).zxid;
    if (report->damages_count > 0) {
        world_fail (world, "server %u: people find damage that nobody has made: %s: %s", server->id,
                    report->findings[0].file, report->findings[0].what);
    }
    if (report->outcome.code != 0 || report->outcome.text[0] != '\0') {
        world_fail (world, "server %u would not start just so any more: %s", server->id,
                    report->outcome.text);
    }
    if (report->outcome.last < durable || report->meta->accepted_epoch < ghost->accepted_epoch ||
        report->meta->current_epoch < ghost->current_epoch) {
        world_fail (world,
                    "server %u: people find (%u, %u) and %#" PRIx64 "; (%u, %u) and %#" PRIx64
                    " were durable",
                    server->id, report->meta->accepted_epoch, report->meta->current_epoch,
                    report->outcome.last, ghost->accepted_epoch, ghost->current_epoch, durable);
    }
}

void check_left (struct world *world, struct sim_server *server, const struct ghost_server *ghost)
{
    struct inspect_report report;
    struct fault fault;
    struct inspect_options options = {.disk = crash_disk_open (server->disk)};
    crash_disk_spare (server->disk, true);
    if (inspect_run (&options, &report, &fault) != 0) {
        world_fail (world, "server %u: people cannot read its folder: %s", server->id, fault.text);
    }
    judge (world, server, ghost, &report);
    inspect_deinit (&report);
    crash_disk_spare (server->disk, false);
    options.disk->ops->destroy (options.disk);
}

/* A manifest that is an older one: somebody has put one file back from a copy, or a disk has lost
 * the renames of those that came later. What they named is there all the same. When: atlas.c. */

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "server/store/format.h"
#include "server/store/manifest.h"
#include "tests/simulation/world.h"

enum { WITHIN_MS = 8000, LATER_MS_MAX = 3000 };

static const uint8_t *read_now (const struct sim_server *server, uint64_t *size)
{
    *size = 0;
    return crash_disk_bytes (server->disk, NAME_MANIFEST, size);
}

void fault_manifest_forget (struct sim_server *server)
{
    free (server->kept);
    server->kept = NULL;
    server->kept_size = 0;
}

bool fault_manifest_begin (struct world *self, const struct sim_fault *fault)
{
    struct sim_server *server = &self->servers[fault->a];
    struct prng prng;
    uint64_t size;
    if (!atlas_is_weak (self, fault->a) || !server->up || !atlas_allows_old_manifest (server)) {
        return false;
    }
    const uint8_t *bytes = read_now (server, &size);
    if (bytes == NULL) {
        return false;
    }
    fault_manifest_forget (server);
    server->kept = malloc ((size_t) size);
    COHORT_ASSERT (server->kept != NULL);
    memcpy (server->kept, bytes, (size_t) size);
    server->kept_size = (size_t) size;
    server->keeps = *fault;
    prng_seed (&prng, fault->value);
    server->kept_until_ms = self->schedule.now_ms + WITHIN_MS;
    server->put_back_ms = self->schedule.now_ms + (int64_t) prng_below (&prng, LATER_MS_MAX);
    world_tell (self, "server %u: its manifest will become what it is now", server->id);
    return true;
}

/* Whether both are of one store, which has got another manifest since. */
static bool is_older (const struct sim_server *server, const uint8_t *bytes, uint64_t size)
{
    struct manifest kept = {.number = 0}, now = {.number = 0};
    struct file_ids kept_ids, ids;
    bool out_of_memory = false;
    bool older = manifest_decode (server->kept, server->kept_size, &kept_ids, &kept,
                                  &out_of_memory) == FORMAT_OK;
    older = older &&
            manifest_decode (bytes, (size_t) size, &ids, &now, &out_of_memory) == FORMAT_OK &&
            ids.store_id == kept_ids.store_id && now.number > kept.number;
    manifest_deinit (&kept);
    manifest_deinit (&now);
    return older;
}

/* Its process is dead. */
static void put_back (struct world *self, struct sim_server *server)
{
    uint64_t size;
    const uint8_t *bytes = read_now (server, &size);
    if (bytes != NULL && atlas_allows_old_manifest (server) && is_older (server, bytes, size) &&
        crash_disk_put_back (server->disk, NAME_MANIFEST, server->kept, server->kept_size)) {
        atlas_note_old_manifest (server);
        plan_struck (self, FAULT_OLD_MANIFEST);
        world_tell (self, "server %u: an older manifest is put back", server->id);
    }
}

bool fault_manifest_look (struct world *self, struct sim_server *server)
{
    uint64_t size;
    if (server->kept == NULL || self->schedule.now_ms < server->put_back_ms) {
        return false;
    }
    const uint8_t *bytes = read_now (server, &size);
    if (self->schedule.now_ms > server->kept_until_ms || self->plan.over || self->lull ||
        server->leaving || bytes == NULL) {
        fault_manifest_forget (server);
        return false;
    }
    if (!is_older (server, bytes, size)) {
        return false;
    }
    struct prng prng;
    prng_seed (&prng, server->keeps.value);
    server_crash (self, server, prng_chance (&prng, 1, 3));
    put_back (self, server);
    fault_manifest_forget (server);
    server_start_after (self, server, server->keeps.length_ms);
    return true;
}

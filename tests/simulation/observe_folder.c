/* Looks at the disks of servers that are idle, for the invariant about their folders. */

#include "client/base/assert.h"
#include "server/store/format.h"
#include "server/store/manifest.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/world.h"

/* Of a state that the others agree with, as all do at rest. */
enum { SNAPSHOTS_KEPT = 2 };

/* Of the records of a span the newest word about what was durable; 0: there are none. */
static zxid_t marked_in (const struct sim_server *server, const struct span *span)
{
    char name[NAME_SIZE];
    uint64_t size = 0, at = span->start;
    struct record record;
    zxid_t marked = 0;
    name_segment (name, span->segment);
    const uint8_t *bytes = crash_disk_bytes (server->disk, name, &size);
    uint64_t salt = record_salt (server->store_id, span->segment);
    while (bytes != NULL && at + RECORD_HEADER_SIZE <= size &&
           record_decode (bytes + at, salt, &record)) {
        marked = record.durable > marked ? record.durable : marked;
        at += record_total (record.size);
    }
    return marked;
}

/* The newest spans may be empty: they are made ahead of time. */
static zxid_t marked_in_log (const struct sim_server *server, const struct manifest *manifest)
{
    zxid_t marked = 0;
    for (size_t i = manifest->spans_count; i > 0 && marked == 0; i--) {
        marked = marked_in (server, &manifest->spans[i - 1]);
    }
    return marked > manifest->durable ? marked : manifest->durable;
}

/* A snapshot that was damaged, or of a state that was wrong, is written again, perhaps of the very
 * same zxid: a purge takes both or neither. */
static size_t count_points (const struct manifest *manifest)
{
    size_t count = 0;
    for (size_t i = 0; i < manifest->snapshots_count; i++) {
        count +=
            i == 0 || manifest->snapshots[i].point.zxid != manifest->snapshots[i - 1].point.zxid;
    }
    return count;
}

void check_folder_of (struct world *world, struct sim_server *server)
{
    struct manifest manifest = {.number = 0};
    struct file_ids ids;
    bool out_of_memory = false;
    uint64_t size = 0;
    bool was_wrong = ((world->wrong >> (server->id - 1)) & 1) != 0;
    const uint8_t *bytes = crash_disk_bytes (server->disk, NAME_MANIFEST, &size);
    COHORT_ASSERT (bytes != NULL);
    if (manifest_decode (bytes, (size_t) size, &ids, &manifest, &out_of_memory) != FORMAT_OK) {
        world_fail (world, "server %u, whose disk nobody has harmed, has no sound manifest",
                    server->id);
    }
    observe (world, &(struct sight){.kind = SIGHT_FOLDER,
                                    .server = server->id,
                                    .base = manifest.base,
                                    .end = store_last (server->store),
                                    .marked = marked_in_log (server, &manifest),
                                    .snapshots = count_points (&manifest),
                                    .snapshots_max = SNAPSHOTS_KEPT,
                                    .snapshot = manifest.snapshots_count > 0
                                                    ? manifest.snapshots[0].point.zxid
                                                    : 0,
                                    .alone = manifest.snapshots_count < 2 && !was_wrong &&
                                             check_has_purged (server, manifest.base.zxid)});
    manifest_deinit (&manifest);
}

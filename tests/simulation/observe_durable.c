/* Looks at disks, for whether a power cut would leave what servers call durable. */

#include "client/base/assert.h"
#include "server/store/format.h"
#include "server/store/manifest.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/world.h"

/* ---- The log --------------------------------------------------------------------------------- */

/* The record that begins at a place. false: none does. */
static bool read_record (const struct sim_server *server, const struct sim_walk *at,
                         struct record *record)
{
    char name[NAME_SIZE];
    uint64_t size = 0;
    name_segment (name, at->segment);
    const uint8_t *bytes = crash_disk_bytes (server->disk, name, &size);
    return bytes != NULL && at->offset + RECORD_HEADER_SIZE <= size &&
           record_decode (bytes + at->offset, record_salt (server->store_id, at->segment), record);
}

/* The first segment behind this one; 0: there is none. */
static uint32_t segment_behind (const struct crash_disk *disk, uint32_t segment)
{
    const char *name;
    uint32_t other, behind = 0;
    for (size_t i = 0; (name = crash_disk_name (disk, i)) != NULL; i++) {
        if (name_is_segment (name, &other) && other > segment && (behind == 0 || other < behind)) {
            behind = other;
        }
    }
    return behind;
}

/* The next record, and the place where it begins. A segment is read to its end before the one
 * behind it; what was truncated still stands there. */
static bool find_record (const struct sim_server *server, struct sim_walk *at,
                         struct record *record)
{
    while (at->segment == 0 || !read_record (server, at, record)) {
        *at = (struct sim_walk){segment_behind (server->disk, at->segment), SEGMENT_HEAD_SIZE};
        if (at->segment == 0) {
            return false;
        }
    }
    return true;
}

/* Whether the manifest that a power cut would leave has the segment. */
static bool is_listed (const struct sim_server *server, uint32_t segment)
{
    struct manifest manifest = {.number = 0};
    struct file_ids ids;
    bool out_of_memory = false;
    uint64_t size = 0;
    if (crash_disk_stopped (server->disk) || crash_disk_failed (server->disk)) {
        return true; /* the process is at its end, perhaps in the middle of writing another */
    }
    const uint8_t *bytes = crash_disk_bytes (server->disk, NAME_MANIFEST, &size);
    bool listed =
        bytes != NULL && crash_disk_keeps (server->disk, NAME_MANIFEST, 0, size) &&
        manifest_decode (bytes, (size_t) size, &ids, &manifest, &out_of_memory) == FORMAT_OK &&
        manifest_has_segment (&manifest, segment);
    manifest_deinit (&manifest);
    return listed;
}

/* Whether the entry stands somewhere behind what has been walked, and a power cut would leave it
 * there. */
static bool outlives (struct sim_server *server, struct zab_point point)
{
    struct sim_walk at = server->walk;
    struct record record;
    char name[NAME_SIZE];
    while (find_record (server, &at, &record)) {
        uint64_t begin = at.offset, size = record_total (record.size);
        at.offset += size;
        if (record.type != RECORD_ENTRY || record.zxid != point.zxid ||
            record.chain != point.chain) {
            continue;
        }
        name_segment (name, at.segment);
        bool known = at.segment == server->walk.segment;
        server->walk = at;
        return crash_disk_keeps (server->disk, name, begin, size) &&
               (known || (crash_disk_keeps (server->disk, name, 0, HEAD_SIZE) &&
                          is_listed (server, at.segment)));
    }
    return false;
}

/* The first of the entries that a power cut would take; 0: none. */
static zxid_t find_fleeting (struct sim_server *server, const struct zab_point *points,
                             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!outlives (server, points[i])) {
            return points[i].zxid;
        }
    }
    return 0;
}

/* ---- The metadata ---------------------------------------------------------------------------- */

/* Whether a power cut would leave this copy, and it says so. */
static bool copy_outlives (const struct sim_server *server, const char *name, uint32_t accepted,
                           uint32_t current)
{
    struct store_meta meta;
    uint64_t size = 0, number;
    const uint8_t *bytes = crash_disk_bytes (server->disk, name, &size);
    return bytes != NULL && crash_disk_keeps (server->disk, name, 0, size) &&
           meta_decode (bytes, (size_t) size, &number, &meta) == FORMAT_OK &&
           meta.accepted_epoch == accepted && meta.current_epoch == current;
}

/* Where there is no room, or the process is at its end, one may be half written again. */
static bool copies_outlive (const struct sim_server *server, uint32_t accepted, uint32_t current)
{
    return crash_disk_stopped (server->disk) || crash_disk_failed (server->disk) ||
           store_space (server->store) != 0 ||
           (copy_outlives (server, "meta.0", accepted, current) &&
            copy_outlives (server, "meta.1", accepted, current));
}

/* ---- Both ------------------------------------------------------------------------------------ */

static bool is_harmed (const struct sim_server *server)
{
    return ((server->world->harmed >> (server->id - 1)) & 1) != 0;
}

void check_found_durable (struct sim_server *server, struct sight *sight)
{
    server->walk = (struct sim_walk){.segment = 0};
    if (!is_harmed (server)) {
        sight->fleeting = find_fleeting (server, sight->log->points, sight->log->count);
        sight->copy_fleeting =
            !copies_outlive (server, sight->accepted_epoch, sight->current_epoch);
    }
}

void check_made_durable (struct sim_server *server, const struct ghost_server *ghost,
                         struct sight *sight)
{
    const struct ghost_persist *epochs = NULL;
    for (size_t i = 0; i < ring_count (&ghost->pending) && !is_harmed (server); i++) {
        const struct ghost_persist *persist = ring_at (&ghost->pending, i);
        if (persist->number > sight->completed) {
            break;
        }
        epochs = persist->epochs ? persist : epochs;
        if (sight->fleeting == 0) {
            sight->fleeting = find_fleeting (server, persist->points, persist->points_count);
        }
    }
    sight->copy_fleeting =
        epochs != NULL && !copies_outlive (server, epochs->accepted_epoch, epochs->current_epoch);
}

/* Whose state is wrong, or may be again: of what stands on its disk. Once nobody has anything of
 * the kind, all must be as if none ever had. */

#include <string.h>

#include "client/base/assert.h"
#include "server/backup/load.h"
#include "server/store/manifest.h"
#include "tests/simulation/world.h"

enum { LOOK_MS = 500, ERROR_SIZE = 128, SNAPSHOTS_MIN = 2 };

static bool has_wrong_limits (const struct tree *tree)
{
    const struct entry_limits *limits = tree_limits (tree);
    return limits != NULL && limits->data_size_max != SIM_DATA_SIZE_MAX;
}

bool server_is_wrong (const struct sim_server *server)
{
    return server->up && has_wrong_limits (node_tree (server->node));
}

void wrongs_note (struct world *self, struct sim_server *server)
{
    if (server_is_wrong (server)) {
        self->wrong |= UINT32_C (1) << (server->id - 1);
    } else {
        server->wrong_ms = self->schedule.now_ms;
    }
}

/* ---- Disks ----------------------------------------------------------------------------------- */

/* What a snapshot makes: of the bytes of its file, for its server works on the disk. One that makes
 * nothing, as it is harmed, may be read right again. */
static bool makes_wrong (const uint8_t *bytes, uint64_t size)
{
    struct disk *disk = memory_disk_new ();
    struct disk_file *file = NULL;
    struct backup backup = {.tree = NULL};
    struct snapshot_reader reader;
    struct fault fault = {.code = 0};
    char error[ERROR_SIZE];
    bool wrong = true;
    COHORT_ASSERT (disk != NULL);
    COHORT_ASSERT (disk->ops->open (disk, "snapshot", true, &file) == 0);
    COHORT_ASSERT (disk->ops->write (file, 0, bytes, (size_t) size) == 0);
    disk->ops->close (file);
    if (backup_ends (disk, "snapshot", &backup, error, sizeof error) == 0 &&
        snapshot_open (&reader, disk, &backup.head.ids, "snapshot", &backup.entry, &fault) == 0) {
        if (backup_read (&reader, &backup.tree, &fault) == 0) {
            wrong = has_wrong_limits (backup.tree);
            tree_destroy (&backup.tree);
        }
        snapshot_close (&reader);
    }
    disk->ops->destroy (disk);
    return wrong;
}

/* Whether a snapshot of it is wrong, or may be: one is being written. */
static bool has_wrong_snapshot (const struct sim_server *server)
{
    const char *name;
    for (size_t i = 0; (name = crash_disk_name (server->disk, i)) != NULL; i++) {
        zxid_t zxid;
        uint64_t serial, size = 0;
        bool is_new = strcmp (name, NAME_SNAPSHOT_NEW) == 0;
        if (!is_new && !name_is_snapshot (name, &zxid, &serial)) {
            continue;
        }
        const uint8_t *bytes = crash_disk_bytes (server->disk, name, &size);
        if (is_new || bytes == NULL || makes_wrong (bytes, size)) {
            return true;
        }
    }
    return false;
}

/* One that was wrong is struck off, so that there may be one alone for a while, and no log before
 * it. */
static bool lacks_snapshots (const struct sim_server *server)
{
    struct manifest manifest = {.number = 0};
    struct file_ids ids;
    bool out_of_memory = false, lacks = true;
    uint64_t size = 0;
    const uint8_t *bytes = crash_disk_bytes (server->disk, NAME_MANIFEST, &size);
    if (bytes != NULL &&
        manifest_decode (bytes, (size_t) size, &ids, &manifest, &out_of_memory) == FORMAT_OK) {
        lacks = manifest.snapshots_count < SNAPSHOTS_MIN &&
                check_has_purged (server, manifest.base.zxid);
        manifest_deinit (&manifest);
    }
    return lacks;
}

/* Of one that is down nobody knows what it will make of its disk. */
static bool is_over (const struct sim_server *server)
{
    return server->up && !server_is_wrong (server) && !store_meta (server->store)->condemned &&
           !lacks_snapshots (server) && !has_wrong_snapshot (server);
}

/* Whoever does not agree with one that was wrong is not sure of himself either. */
static bool all_are_sure (const struct world *self)
{
    for (size_t i = 0; i < self->servers_count; i++) {
        struct node_status status;
        if (self->servers[i].up) {
            node_status (self->servers[i].node, &status);
            if (status.state != NODE_STATE_SOUND) {
                return false;
            }
        }
    }
    return true;
}

void wrongs_look (struct world *self)
{
    if (self->wrong == 0 || self->schedule.now_ms - self->wrong_looked_ms < LOOK_MS) {
        return;
    }
    self->wrong_looked_ms = self->schedule.now_ms;
    if (!all_are_sure (self)) {
        return;
    }
    for (size_t i = 0; i < self->servers_count; i++) {
        if (((self->wrong >> i) & 1) != 0 && is_over (&self->servers[i])) {
            world_tell (self, "server %zu: nothing is left of what was wrong", i + 1);
            self->wrong &= ~(UINT32_C (1) << i);
        }
    }
}

/* server/inspect/make_up.c - metadata for a folder that has lost both copies of them */
#include "server/inspect/make_up.h"

#include <string.h>

#include "client/base/assert.h"
#include "cohort/error.h"
#include "server/inspect/overlay.h"
#include "server/node/recovery.h"
#include "server/store/aside.h"
#include "server/store/listing.h"
#include "server/store/meta.h"

/* Elections that came to nothing leave no entry behind; so many in a row there are never. */
enum { EPOCHS_SKIPPED = 10000 };

/* ---- The epochs that the files know of --------------------------------------------------- */

static bool see_record (void *arg, const struct inspect_record *record)
{
    zxid_t *highest = arg;
    zxid_t zxid = record->record->zxid;
    *highest = zxid > *highest ? zxid : *highest;
    return true;
}

static int highest_zxid (struct disk *disk, const struct inspect_report *report, zxid_t *highest,
                         struct fault *fault)
{
    *highest = 0;
    for (size_t i = 0; i < report->snapshots_count; i++) {
        zxid_t zxid = report->snapshots[i].entry.point.zxid;
        *highest = zxid > *highest ? zxid : *highest;
    }
    for (size_t i = 0; i < report->segments_count; i++) {
        const struct inspect_segment *segment = &report->segments[i];
        *highest = segment->lost_last > *highest ? segment->lost_last : *highest;
        int rc = inspect_records (disk, &report->ids, segment, see_record, highest, fault);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* ---- Metadata ---------------------------------------------------------------------------- */

static int set_aside (struct disk *disk, struct fault *fault)
{
    struct listing listing = {.names = NULL};
    struct aside aside = {.number = 0};
    int rc = listing_read (&listing, disk, fault);
    aside.number = listing.aside;
    listing_deinit (&listing);
    rc = rc == 0 ? aside_move (&aside, disk, "meta.0", fault) : rc;
    return rc == 0 ? aside_move (&aside, disk, "meta.1", fault) : rc;
}

static int write_metadata (struct disk *disk, const struct store_meta *meta, struct fault *fault)
{
    struct meta_file file;
    enum meta_found found;
    int rc = meta_read (&file, disk, &found, fault);
    COHORT_ASSERT (rc != 0 || found == META_NONE);
    if (rc == 0) {
        rc = meta_write (&file, meta, fault);
    }
    meta_close (&file);
    if (rc == 0) {
        int error = disk->ops->sync_names (disk);
        rc = error == 0 ? 0 : fault_final (fault, "the folder", "sync", error);
    }
    return rc;
}

/* What recovery makes of the folder with these metadata: the members, and where the log ends. */
static int read_log (struct disk *disk, struct store_meta *meta, struct fault *fault)
{
    struct tree_options tree_options = {.hash_seed = meta->store_id};
    struct store_options options = {
        .server_id = meta->server_id, .store_id = meta->store_id, .disk = disk, .repair = true};
    struct logger logger = {.fn = NULL};
    struct store *store = NULL;
    struct tree *tree = NULL;
    struct zab_point applied;
    char text[INSPECT_TEXT_SIZE];
    int rc = store_open (&options, &store, text, sizeof text);
    if (rc == 0) {
        rc =
            recovery_tree (store, &tree_options, NULL, &logger, &tree, &applied, text, sizeof text);
    }
    if (rc != 0) {
        store_close (&store);
        return fault_set (fault, rc, "%.400s", text);
    }
    const struct config_set *configs = tree_configs (tree);
    if (configs != NULL) { /* else it asks the others for them */
        meta->config = configs->configs[0];
        meta->bootstrapped = true;
    }
    meta->current_epoch = zxid_epoch (store_last (store));
    tree_destroy (&tree);
    store_close (&store);
    return 0;
}

/* On a disk in memory over the folder, so that what is then written is written once. */
static int complete (struct disk *disk, struct store_meta *meta, struct fault *fault)
{
    struct disk *overlay;
    int rc = overlay_new (disk, &overlay);
    if (rc != 0) {
        return fault_final (fault, "the folder", "list", rc);
    }
    rc = set_aside (overlay, fault);
    if (rc == 0) {
        rc = write_metadata (overlay, meta, fault);
    }
    if (rc != 0) {
        overlay->ops->destroy (overlay);
        return rc;
    }
    return read_log (overlay, meta, fault);
}

int make_up_metadata (struct disk *disk, const struct inspect_report *report, struct fault *fault)
{
    const struct file_ids *ids = &report->ids;
    zxid_t highest;
    COHORT_ASSERT (report->meta == NULL);
    if (ids->store_id == 0 || all_zero (ids->cluster_id, sizeof ids->cluster_id)) {
        return fault_set (fault, COHORT_ECORRUPT,
                          "no file that can be read says whose this folder is");
    }
    int rc = highest_zxid (disk, report, &highest, fault);
    if (rc != 0) {
        return rc;
    }
    if (zxid_epoch (highest) > ZXID_EPOCH_MAX - EPOCHS_SKIPPED) {
        return fault_set (fault, COHORT_ELIMIT, "too few epochs would be left");
    }
    struct store_meta meta = {.server_id = ids->server_id,
                              .store_id = ids->store_id,
                              .accepted_epoch = zxid_epoch (highest) + EPOCHS_SKIPPED,
                              .trust = ZAB_DAMAGED};
    memcpy (meta.cluster_id, ids->cluster_id, sizeof meta.cluster_id);
    rc = complete (disk, &meta, fault);
    if (rc == 0) {
        rc = set_aside (disk, fault);
    }
    return rc == 0 ? write_metadata (disk, &meta, fault) : rc;
}

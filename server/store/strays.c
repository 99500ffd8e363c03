/*
 *  server/store/strays.c - segments and snapshots that the manifest does not name
 */
#include "server/store/strays.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/store/manifest.h"
#include "server/store/scan.h"

bool stray_is_listed (const struct manifest *manifest, const char *name)
{
    uint32_t segment;
    zxid_t zxid;
    uint64_t serial;
    if (name_is_segment (name, &segment)) {
        return manifest_has_segment (manifest, segment);
    }
    if (!name_is_snapshot (name, &zxid, &serial)) {
        return false;
    }
    for (size_t i = 0; i < manifest->snapshots_count; i++) {
        if (manifest->snapshots[i].serial == serial && manifest->snapshots[i].point.zxid == zxid) {
            return true;
        }
    }
    return false;
}

/*  Whatever its head is like: that may be what is damaged. */
static int open_file (struct segment *segment, struct disk *disk, const struct file_ids *ids,
                      uint32_t number, struct fault *fault)
{
    *segment = (struct segment){.number = number, .salt = record_salt (ids->store_id, number)};
    name_segment (segment->name, number);
    int rc = disk->ops->open (disk, segment->name, false, &segment->file);
    if (rc != 0) {
        segment->file = NULL;
        return rc == -ENOENT ? 0 : fault_final (fault, segment->name, "open", rc);
    }
    rc = disk->ops->size (segment->file, &segment->reserved);
    return rc == 0 ? 0 : fault_final (fault, segment->name, "size", rc);
}

int stray_segment (struct disk *disk, const struct file_ids *ids, const struct manifest *manifest,
                   uint32_t number, struct stray *stray, struct fault *fault)
{
    *stray = (struct stray){.last = 0};
    if (number < manifest->next_segment) {
        return 0;
    }
    struct segment segment;
    struct scan_rest rest = {.garbage_end = SEGMENT_HEAD_SIZE};
    int rc = open_file (&segment, disk, ids, number, fault);
    if (rc == 0 && segment.file != NULL) {
        struct scan scan;
        scan_init (&scan, disk, &segment);
        rc = scan_rest (&scan, SEGMENT_HEAD_SIZE, &rest, fault);
        scan_deinit (&scan);
    }
    segment_close (&segment, disk);
    if (rc != 0 && rc != COHORT_ECORRUPT) {
        return rc;
    }
    /*  What cannot be read may be anything. */
    stray->acknowledged =
        (rc != 0 || rest.garbage_end > SEGMENT_HEAD_SIZE) && !COHORT_MUTATED (strays_overlooked);
    stray->last = rest.newest;
    return 0;
}

void stray_text (char text[STRAY_TEXT_SIZE], zxid_t last)
{
    static const char why[] = "that no manifest names: the manifest is an older one";
    if (last == 0) {
        (void) snprintf (text, STRAY_TEXT_SIZE, "something %s", why);
        return;
    }
    (void) snprintf (text, STRAY_TEXT_SIZE, "entries up to %" PRIu32 ".%" PRIu64 " %s",
                     zxid_epoch (last), zxid_counter (last), why);
}

bool stray_is_newer (const struct manifest *manifest, const char *name, zxid_t last)
{
    zxid_t zxid;
    uint64_t serial;
    return name_is_snapshot (name, &zxid, &serial) && zxid > last &&
           !stray_is_listed (manifest, name);
}

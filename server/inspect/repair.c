/* server/inspect/repair.c - a damaged data folder becomes one that a server can go on with */
#include "server/inspect/repair.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "cohort/error.h"
#include "server/inspect/make_up.h"
#include "server/inspect/salvage.h"
#include "server/store/aside.h"
#include "server/store/listing.h"

enum { CACHE_BYTES = 1 << 20, SOURCES_MAX = 32 };

struct repairing {
    const struct repair_options *options;
    struct repair_result *result;
    struct disk *disk; /* the store's, once that is open */
    struct aside aside;
    struct store *store;
    bool purges; /* an older snapshot is to be dropped */
};

static int fail (struct repairing *self, int code, const char *text)
{
    self->result->code = code;
    (void) snprintf (self->result->text, sizeof self->result->text, "%s", text);
    return code;
}

bool repair_is_needed (const struct inspect_report *report)
{
    return report->findings_count > 0;
}

/* Whether what is damaged may go: others can bring it back, or it was decided. */
static bool sets_damage_aside (const struct repairing *self)
{
    enum repair_decision decision = self->options->decision;
    return self->options->report->healable || decision == REPAIR_DISCARD ||
           decision == REPAIR_MAKE_UP;
}

/* ---- Snapshots --------------------------------------------------------------------------- */

/* Without this one the log can still be read: a sound one is left that the log goes back to. */
static bool can_spare (const struct inspect_report *report)
{
    for (size_t i = 0; i < report->snapshots_count; i++) {
        const struct inspect_snapshot *snapshot = &report->snapshots[i];
        if (snapshot->listed && snapshot->code == 0 &&
            snapshot->entry.point.zxid >= report->manifest.base.zxid) {
            return true;
        }
    }
    return false;
}

/* Damaged snapshots go first: a store looks at the newest alone, and not at what it means. */
static int set_snapshots_aside (struct repairing *self, struct fault *fault)
{
    const struct inspect_report *report = self->options->report;
    bool may = can_spare (report) || sets_damage_aside (self);
    bool sound_before = false, moved = false;
    struct listing listing = {.names = NULL};
    int rc = listing_read (&listing, self->disk, fault);
    self->aside.number = listing.aside;
    listing_deinit (&listing);
    for (size_t i = report->snapshots_count; i-- > 0 && may && rc == 0;) {
        const struct inspect_snapshot *snapshot = &report->snapshots[i];
        if (!snapshot->listed) {
            continue;
        }
        if (snapshot->code == COHORT_ECORRUPT) {
            rc = aside_move (&self->aside, self->disk, snapshot->name, fault);
            moved = true;
            self->purges |= sound_before;
        }
        sound_before |= snapshot->code == 0;
    }
    if (rc == 0 && moved) {
        int error = self->disk->ops->sync_names (self->disk);
        rc = error == 0 ? 0 : fault_final (fault, "the folder", "sync", error);
    }
    return rc;
}

/* ---- The store --------------------------------------------------------------------------- */

static int work (struct repairing *self)
{
    const char *text = "it has failed";
    while (store_work (self->store)) {
    }
    int rc = store_failure (self->store, &text);
    if (rc == 0 && store_space (self->store) != 0) {
        rc = COHORT_EDISKFULL;
        text = "the disk is full";
    }
    return rc == 0 ? 0 : fail (self, rc, text);
}

static int open_store (struct repairing *self)
{
    const struct inspect_report *report = self->options->report;
    char text[INSPECT_TEXT_SIZE];
    struct store_options options = {
        .disk = self->disk,
        .server_id = report->ids.server_id,
        .store_id = 1, /* none is made anew: there is metadata */
        .cache_bytes = CACHE_BYTES,
        .snapshots_kept = self->purges ? 1 : 0,
        .repair = sets_damage_aside (self),
    };
    int rc = store_open (&options, &self->store, text, sizeof text);
    if (rc != 0) {
        self->disk = NULL; /* taken over */
        return fail (self, rc, text);
    }
    const char *damage = store_damage (self->store);
    bool both = self->aside.text[0] != '\0' && damage[0] != '\0';
    (void) snprintf (self->result->aside, sizeof self->result->aside, "%s%s%s", self->aside.text,
                     both ? "; " : "", damage);
    struct zab_point base;
    int64_t stamp_ms;
    if (self->purges && store_compacted (self->store, &base, &stamp_ms)) {
        rc = work (self);
    }
    return rc;
}

static int set_trust (struct repairing *self, enum zab_trust trust, zxid_t suspect)
{
    struct store_meta meta = *store_meta (self->store);
    zxid_t last = store_last (self->store);
    meta.trust = trust;
    meta.suspect = suspect;
    /* Who has lost its whole log has to ask who the members are; a log says it. */
    meta.bootstrapped |= last > 0;
    /* currentEpoch says that the log holds what that epoch began with. Of a log that has lost its
     * end, only an entry of the epoch says so (docs/zab.md, section 12). */
    uint32_t epoch = zxid_epoch (last);
    if (trust == ZAB_WHOLE && epoch < meta.current_epoch) {
        meta.current_epoch = epoch;
    }
    int rc = store_set_meta (self->store, &meta);
    return rc == 0 ? 0 : fail (self, rc, cohort_error_text (rc));
}

/* ---- What is lost ------------------------------------------------------------------------ */

static int bring_back (struct repairing *self, struct fault *fault)
{
    const struct repair_options *options = self->options;
    struct repair_result *result = self->result;
    /* Of a condemned folder nothing is used, least of all its snapshots. */
    const struct store_meta *found = options->report->meta;
    struct disk *disks[SOURCES_MAX + 1] = {found != NULL && found->condemned ? NULL : self->disk};
    struct salvage *salvage = NULL;
    COHORT_ASSERT (options->sources_count <= SOURCES_MAX);
    for (size_t i = 0; i < options->sources_count; i++) {
        disks[i + 1] = options->sources[i];
    }
    int rc = salvage_new (disks, options->sources_count + 1, store_meta (self->store)->cluster_id,
                          &salvage, fault);
    if (rc == 0) {
        rc = salvage_append (salvage, self->store, &result->salvaged, fault);
    }
    if (rc == 0) {
        result->lost = salvage_count (salvage, store_last (self->store), &result->lost_last);
    }
    salvage_destroy (&salvage);
    return rc;
}

static int decide (struct repairing *self)
{
    const struct repair_options *options = self->options;
    const struct store_meta *meta = store_meta (self->store);
    zxid_t last = store_last (self->store);
    if (meta->trust == ZAB_SUSPECT && last >= meta->suspect) {
        /* All that could not be read has been found elsewhere, entry by entry. */
        return set_trust (self, ZAB_WHOLE, 0);
    }
    if (options->decision == REPAIR_GIVE_UP) {
        return set_trust (self, ZAB_SUSPECT, zxid_make (ZXID_EPOCH_MAX, ZXID_COUNTER_MAX));
    }
    if (options->decision != REPAIR_DISCARD) {
        return 0;
    }
    if (options->discard_after != 0 && options->discard_after != last) {
        char text[128];
        (void) snprintf (text, sizeof text,
                         "the log ends at %" PRIu32 ".%" PRIu64
                         ", and not at the zxid that was named",
                         zxid_epoch (last), zxid_counter (last));
        return fail (self, COHORT_ESTATE, text);
    }
    return set_trust (self, ZAB_WHOLE, 0);
}

static int restore_log (struct repairing *self)
{
    struct fault fault;
    if (store_meta (self->store)->trust == ZAB_WHOLE) {
        return 0;
    }
    int rc = bring_back (self, &fault);
    if (rc != 0) {
        return fail (self, rc, fault.text);
    }
    return decide (self);
}

static void describe (struct repairing *self)
{
    const struct store_meta *meta = store_meta (self->store);
    struct repair_result *result = self->result;
    result->cleaned = true;
    result->last = store_last (self->store);
    result->current_epoch = meta->current_epoch;
    result->trust = meta->trust;
    result->suspect = meta->suspect;
}

/* What is somebody else's, or half of a restore, is not repaired. Without metadata nothing can be
 * opened. */
static int begin (struct repairing *self, struct fault *fault)
{
    const struct inspect_report *report = self->options->report;
    bool make_up = self->options->decision == REPAIR_MAKE_UP;
    if (report->outcome.code == COHORT_ECONFIG) {
        return fault_set (fault, COHORT_ECONFIG, "%s", report->outcome.text);
    }
    if (report->meta == NULL && make_up) {
        return make_up_metadata (self->disk, report, fault);
    }
    if (report->meta == NULL) {
        return fault_set (fault, COHORT_ECORRUPT,
                          "both copies of the metadata are missing or damaged: what this server "
                          "has promised to others is not known");
    }
    return make_up ? fault_set (fault, COHORT_ESTATE,
                                "the metadata are not lost: %s is sound, so none are made up",
                                report->copies[0].code == 0 ? "meta.0" : "meta.1")
                   : 0;
}

void repair_folder (struct disk *disk, const struct repair_options *options,
                    struct repair_result *result)
{
    struct repairing self = {.options = options, .result = result, .disk = disk};
    struct fault fault;
    *result = (struct repair_result){.code = 0};
    int rc = begin (&self, &fault);
    if (rc == 0) {
        rc = set_snapshots_aside (&self, &fault);
    }
    if (rc != 0) {
        disk->ops->destroy (disk);
        (void) fail (&self, rc, fault.text);
        return;
    }
    rc = open_store (&self);
    if (rc == 0) {
        rc = restore_log (&self);
    }
    if (rc == 0) {
        rc = work (&self);
    }
    if (rc == 0) {
        describe (&self);
    }
    store_close (&self.store);
}

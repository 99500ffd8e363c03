/* The fault atlas: whom and what faults may strike that undo what was durable, so that it can be
 * told what must come of it (docs/testing.md).
 *
 * The weak are drawn when a world begins, and are a minority. What is older than a second may be
 * struck, on an ensemble that was founded. Three rules keep to what a single disk promises:
 *
 *   - The end of a log is told from one that was torn by what stands behind it. So of the two
 *     newest segments in use one sector may be harmed at a time; and it may look as if it had never
 *     been written only if something was written behind it, later, that says that it was: a record
 *     with a watermark, or any record of the next segment.
 *   - An older manifest is told by what stands in segments that it does not name yet. So nothing
 *     else is harmed until its server has started with it.
 *   - Of two copies of the metadata the newer one holds. So no other is harmed while one is there
 *     that may have become an older one. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "server/store/format.h"
#include "tests/simulation/world.h"

enum { AGE_MS = 1000, NEWEST = 2 };

/* ---- Whom ------------------------------------------------------------------------------------ */

/* As many voters as leave a quorum; and all observers, whom nobody counts on. */
void atlas_draw (struct world *self)
{
    size_t voters = self->options.servers, count = (voters - 1) / 2;
    uint64_t first = world_draw (self, SIM_DRAW_WEAK, 0, 0, 0) % voters;
    self->weak = 0;
    for (size_t i = 0, voter = 0; i < self->servers_count && count > 0; i++) {
        bool observes = world_observes (self, i);
        if (observes || (voter + voters - first) % voters < count) {
            self->weak |= UINT32_C (1) << i;
        }
        voter += !observes;
    }
}

bool atlas_is_weak (const struct world *self, uint32_t server)
{
    return server < self->servers_count && ((self->weak >> server) & 1) != 0;
}

/* Among two nobody can tell who is wrong: each agrees with himself. Until a third is there a wrong
 * leader may have overwritten all that shows it, on its own disk and on that of a server that comes
 * back; then those that are wrong are a quorum, though one of them bears no witness, and only
 * people can help. So the others that are right have to be a quorum at that time, and to follow a
 * leader. */
bool atlas_allows_wrong (const struct world *self, uint32_t server)
{
    size_t right = 0;
    for (size_t i = 0; i < self->servers_count; i++) {
        const struct sim_server *other = &self->servers[i];
        right += i != server && !world_observes (self, i) && other->up && !other->paused &&
                 check_status (other)->activated && !server_is_wrong (other);
    }
    return right > self->options.servers / 2;
}

uint32_t atlas_one_weak (const struct world *self, struct prng *prng)
{
    uint32_t weak = self->weak;
    COHORT_ASSERT (weak != 0);
    for (uint64_t n = prng_below (prng, world_count (weak)); n > 0; n--) {
        weak &= weak - 1;
    }
    uint32_t server = 0;
    while (((weak >> server) & 1) == 0) {
        server++;
    }
    return server;
}

bool atlas_concerns (enum fault_kind kind)
{
    return kind == FAULT_DIVERGENCE || kind == FAULT_ROT || kind == FAULT_LOST_WRITE ||
           kind == FAULT_WRONG_READ || kind == FAULT_STALE_READ || kind == FAULT_EMPTIED ||
           kind == FAULT_END_ROT || kind == FAULT_BAD_SECTOR || kind == FAULT_OLD_MANIFEST;
}

void atlas_print (struct world *self)
{
    for (size_t i = 0; i < self->servers_count; i++) {
        if (atlas_is_weak (self, (uint32_t) i)) {
            world_tell (self, "atlas: server %zu may lose what was durable", i + 1);
        }
    }
}

/* ---- Where ----------------------------------------------------------------------------------- */

enum atlas_area atlas_area (const char *name)
{
    uint32_t segment;
    zxid_t zxid;
    uint64_t serial;
    if (name_is_segment (name, &segment)) {
        return ATLAS_LOG;
    }
    if (name_is_snapshot (name, &zxid, &serial)) {
        return ATLAS_SNAPSHOT;
    }
    if (strcmp (name, "meta.0") == 0 || strcmp (name, "meta.1") == 0) {
        return ATLAS_META;
    }
    return strcmp (name, NAME_MANIFEST) == 0 ? ATLAS_MANIFEST : ATLAS_OTHER;
}

static bool holds_something (const struct crash_disk *disk, const char *name, uint64_t offset)
{
    uint8_t sector[CRASH_SECTOR_SIZE];
    return crash_disk_sector (disk, name, offset, false, sector) &&
           !all_zero (sector, sizeof sector);
}

/* Whether of the records of a segment one that begins behind the sector says that those in it were
 * durable. */
static bool is_vouched_for (const struct sim_server *server, const char *name, uint64_t offset)
{
    uint64_t size, at = SEGMENT_HEAD_SIZE, end = offset + CRASH_SECTOR_SIZE;
    const uint8_t *bytes = crash_disk_bytes (server->disk, name, &size);
    struct record record;
    uint32_t segment = 0;
    zxid_t last = 0;
    (void) name_is_segment (name, &segment);
    uint64_t salt = record_salt (server->store_id, segment);
    while (at + RECORD_HEADER_SIZE <= size && record_decode (bytes + at, salt, &record)) {
        if (at < end) {
            last = record.zxid;
        } else if (record.durable >= last && crash_disk_durable (server->disk, name, at)) {
            return true;
        }
        at += record_total (record.size);
    }
    return false;
}

/* Whether there is an entry in this segment: then the one before was sealed, and is whole. */
static bool is_begun (const struct sim_server *server, uint32_t segment)
{
    char name[NAME_SIZE];
    uint64_t size, at = SEGMENT_HEAD_SIZE;
    struct record record;
    name_segment (name, segment);
    const uint8_t *bytes = crash_disk_bytes (server->disk, name, &size);
    return bytes != NULL && at + RECORD_HEADER_SIZE <= size &&
           record_decode (bytes + at, record_salt (server->store_id, segment), &record) &&
           crash_disk_durable (server->disk, name, at);
}

/* The newest segments with anything in them behind their heads; 0: none. */
static void find_newest (const struct crash_disk *disk, uint32_t newest[NEWEST])
{
    const char *name;
    uint32_t segment;
    memset (newest, 0, NEWEST * sizeof *newest);
    for (size_t i = 0; (name = crash_disk_name (disk, i)) != NULL; i++) {
        if (!name_is_segment (name, &segment) || !holds_something (disk, name, SEGMENT_HEAD_SIZE)) {
            continue;
        }
        if (segment > newest[0]) {
            newest[1] = newest[0];
            newest[0] = segment;
        } else if (segment > newest[1]) {
            newest[1] = segment;
        }
    }
}

static bool allows_log (const struct sim_server *server, const char *name, uint64_t offset,
                        bool looks_unwritten)
{
    const struct crash_disk *disk = server->disk;
    uint32_t newest[NEWEST], segment = 0;
    size_t harmed = 0;
    (void) name_is_segment (name, &segment);
    find_newest (disk, newest);
    if (segment < newest[1]) {
        return true;
    }
    for (size_t i = 0; i < NEWEST; i++) {
        char other[NAME_SIZE];
        name_segment (other, newest[i]);
        harmed += newest[i] != 0 ? crash_disk_harmed (disk, other) : 0;
    }
    return harmed == 0 && (!looks_unwritten || offset < SEGMENT_HEAD_SIZE ||
                           (segment == newest[1] && is_begun (server, newest[0])) ||
                           is_vouched_for (server, name, offset));
}

static bool allows_meta (struct sim_server *server, bool looks_unwritten)
{
    size_t harmed = crash_disk_harmed (server->disk, "meta.0");
    harmed += crash_disk_harmed (server->disk, "meta.1");
    server->stale_meta &= harmed > 0;
    return !server->stale_meta && (harmed == 0 || !looks_unwritten);
}

static bool is_founded (const struct world *self)
{
    for (size_t i = 0; i < self->servers_count; i++) {
        if (!self->servers[i].founded) {
            return false;
        }
    }
    return true;
}

bool atlas_allows (struct sim_server *server, const char *name, uint64_t offset,
                   bool looks_unwritten)
{
    const struct world *world = server->world;
    if (world->plan.over || server->old_manifest || !is_founded (world) ||
        !atlas_is_weak (world, server->id - 1) ||
        !crash_disk_durable (server->disk, name, offset) ||
        (server->up &&
         world->schedule.now_ms - crash_disk_written (server->disk, name, offset) < AGE_MS)) {
        return false;
    }
    switch (atlas_area (name)) {
    case ATLAS_LOG:
        return allows_log (server, name, offset, looks_unwritten);
    case ATLAS_META:
        return allows_meta (server, looks_unwritten);
    case ATLAS_SNAPSHOT:
    case ATLAS_MANIFEST:
        return true;
    case ATLAS_OTHER:
        break;
    }
    return false;
}

bool atlas_allows_emptying (const struct sim_server *server)
{
    const struct world *world = server->world;
    return !world->plan.over && is_founded (world) && !server->full &&
           atlas_is_weak (world, server->id - 1);
}

/* What rots when it dies has not yet. */
bool atlas_allows_old_manifest (const struct sim_server *server)
{
    const struct world *world = server->world;
    return !world->plan.over && is_founded (world) && !server->full && !server->stale_meta &&
           !server->misled && server->rot_dice == 0 && !atlas_has_harm (server) &&
           atlas_is_weak (world, server->id - 1);
}

void atlas_note_old_manifest (struct sim_server *server)
{
    server->world->harmed |= UINT32_C (1) << (server->id - 1);
    server->old_manifest = true;
    server->old_had = check_had_durable (server);
}

void atlas_note (struct sim_server *server, const char *name, bool looks_unwritten)
{
    server->world->harmed |= UINT32_C (1) << (server->id - 1);
    server->stale_meta |= looks_unwritten && atlas_area (name) == ATLAS_META;
}

/* ---- What servers say of it ------------------------------------------------------------------ */

/* Adds the names of the files that are harmed to those that an earlier, interrupted opening found.
 */
static void note_harmed (struct sim_server *server)
{
    const char *name;
    for (size_t i = 0; (name = crash_disk_name (server->disk, i)) != NULL; i++) {
        size_t used = strlen (server->harmed);
        if (atlas_area (name) != ATLAS_OTHER && crash_disk_harmed (server->disk, name) > 0 &&
            strstr (server->harmed, name) == NULL) {
            (void) snprintf (server->harmed + used, sizeof server->harmed - used, "%s ", name);
        }
    }
}

bool atlas_has_harm (const struct sim_server *server)
{
    const char *name;
    for (size_t i = 0; (name = crash_disk_name (server->disk, i)) != NULL; i++) {
        if (atlas_area (name) != ATLAS_OTHER && crash_disk_harmed (server->disk, name) > 0) {
            return true;
        }
    }
    return server->old_manifest;
}

/* Whether the text names one of them; or the manifest, which does not fit what is left then. */
static bool tells_of_harm (const struct sim_server *server, const char *text)
{
    char name[NAME_SIZE];
    int size;
    for (const char *at = server->harmed; sscanf (at, "%63s %n", name, &size) == 1; at += size) {
        if (strstr (text, name) != NULL || strstr (text, NAME_MANIFEST) != NULL) {
            return true;
        }
    }
    return false;
}

/* What an opening found harmed makes it set files aside, sound ones as well; if it is interrupted,
 * the next one misses the first of those. */
static bool tells_of_interruption (const struct sim_server *server, const char *text)
{
    const char *name;
    for (size_t i = 0; (name = crash_disk_name (server->disk, i)) != NULL; i++) {
        char missing[NAME_SIZE + 16];
        uint32_t number;
        int size = 0;
        if (server->harmed[0] != '\0' &&
            sscanf (name, "damaged.%" SCNu32 ".%n", &number, &size) == 1 && size > 0) {
            (void) snprintf (missing, sizeof missing, "%s: missing", name + size);
            if (strncmp (text, missing, strlen (missing)) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* A server whose state went wrong may find that its disk makes the same; so may one that has been
 * given a snapshot of such a state. */
static bool is_condemned (const struct sim_server *server, const char *text)
{
    return ((server->world->wrong >> (server->id - 1)) & 1) != 0 &&
           strstr (text, "what log and snapshots make is not what") != NULL;
}

static bool is_explained (const struct sim_server *server, const char *text)
{
    return server->misled || server->old_manifest || is_condemned (server, text) ||
           tells_of_harm (server, text) || tells_of_interruption (server, text);
}

bool atlas_excuses (struct sim_server *server)
{
    note_harmed (server);
    return server->misled || server->old_manifest || server->harmed[0] != '\0';
}

void atlas_opening (struct sim_server *server)
{
    note_harmed (server);
    if (!atlas_is_weak (server->world, server->id - 1)) {
        crash_disk_spare (server->disk, true);
    } else if (server->stale_meta) {
        crash_disk_fail_read_at (server->disk, 0);
    }
}

void atlas_not_opened (struct sim_server *server)
{
    if (crash_disk_failures (server->disk) > server->failures) {
        server->misled = true;
        if (atlas_is_weak (server->world, server->id - 1)) {
            /* Also if it is interrupted now: what it has given up will be missing the next time. */
            server->world->harmed |= UINT32_C (1) << (server->id - 1);
        }
    }
}

void atlas_closing (struct sim_server *server)
{
    if (store_meta (server->store)->condemned) {
        server->condemned = true;
        server->world->harmed |= UINT32_C (1) << (server->id - 1);
    }
}

void atlas_opened (struct sim_server *server)
{
    const char *text = store_damage (server->store);
    server->store_id = store_meta (server->store)->store_id;
    atlas_not_opened (server);
    if (text[0] != '\0') {
        if (!is_explained (server, text)) {
            world_fail (server->world, "server %u reports damage that nobody has made: %s",
                        server->id, text);
        }
        server->world->harmed |= UINT32_C (1) << (server->id - 1);
    }
    server->started_empty = server->emptied || (server->unseen && server->started_empty);
    server->emptied = false;
    server->started_old = server->old_manifest || (server->unseen && server->started_old);
    bool whole = store_meta (server->store)->trust == ZAB_WHOLE;
    if (server->old_manifest && whole && store_last (server->store) < server->old_had) {
        world_fail (
            server->world,
            "server %u has an older manifest, and does not say that what is behind %#" PRIx64
            " is not in it, up to %#" PRIx64,
            server->id, store_last (server->store), server->old_had);
    }
    server->found = text[0] != '\0' || server->misled || server->condemned ||
                    server->old_manifest || server->harmed[0] != '\0' ||
                    (server->unseen && server->found);
    server->harmed[0] = '\0';
    server->misled = server->condemned = server->old_manifest = false;
}

/* What goes wrong with what was durable: sectors that rot, are written to, or read from, another
 * place, or are read as they were. Where: atlas.c. */

#include <inttypes.h>
#include <string.h>

#include "server/store/format.h"
#include "tests/simulation/world.h"

enum {
    TRIES = 8,
    PLACES_MAX = 4,
    TAIL_SECTORS = 12,
    NEXT_TO_END = 4,
    END_SECTORS = 2,
    VANISHING_SECTORS = 4,
    YOUNG_SECTORS = 16,
    MATES_MS = 1500,
    ROT_WITHIN_MS = 600,
    VANISH_WITHIN_MS = 2000
};

struct place {
    char name[NAME_SIZE];
    uint64_t offset;
};

/* ---- Places ---------------------------------------------------------------------------------- */

static enum atlas_area draw_area (struct prng *prng)
{
    uint64_t dice = prng_below (prng, 10);
    return dice < 5   ? ATLAS_LOG
           : dice < 7 ? ATLAS_SNAPSHOT
           : dice < 9 ? ATLAS_META
                      : ATLAS_MANIFEST;
}

/* One of the files of an area; false: there is none. */
static bool draw_file (const struct crash_disk *disk, struct prng *prng, enum atlas_area area,
                       char file[NAME_SIZE])
{
    const char *name;
    uint64_t found = 0;
    for (size_t i = 0; (name = crash_disk_name (disk, i)) != NULL; i++) {
        if (atlas_area (name) == area && prng_below (prng, ++found) == 0) {
            memcpy (file, name, strlen (name) + 1);
        }
    }
    return found > 0;
}

/* Behind the last sector that holds anything. */
static uint64_t sectors_used (const struct crash_disk *disk, const char *name)
{
    uint64_t size;
    const uint8_t *bytes = crash_disk_bytes (disk, name, &size);
    while (size > 0 && bytes[size - 1] == 0) {
        size--;
    }
    return (size + CRASH_SECTOR_SIZE - 1) / CRASH_SECTOR_SIZE;
}

/* Mostly where something is written, and often at its end; sometimes just behind it. */
static uint64_t draw_offset (const struct crash_disk *disk, struct prng *prng, const char *name)
{
    uint64_t used = sectors_used (disk, name), sector;
    uint64_t tail = used < TAIL_SECTORS ? used : TAIL_SECTORS;
    if (tail > 0 && prng_chance (prng, 1, 2)) {
        sector = used - 1 - prng_below (prng, tail);
    } else {
        sector = prng_below (prng, used + NEXT_TO_END);
    }
    return sector * CRASH_SECTOR_SIZE;
}

static bool draw_place (struct sim_server *server, struct prng *prng, bool looks_unwritten,
                        struct place *place)
{
    for (int i = 0; i < TRIES; i++) {
        enum atlas_area area = draw_area (prng);
        if (draw_file (server->disk, prng, area, place->name)) {
            place->offset = draw_offset (server->disk, prng, place->name);
            if (atlas_allows (server, place->name, place->offset, looks_unwritten)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- What stays ------------------------------------------------------------------------------ */

static bool harm (struct sim_server *server, const struct place *place, const uint8_t *sector,
                  bool looks_unwritten, const char *what)
{
    if (!crash_disk_harm (server->disk, place->name, place->offset, sector)) {
        return false;
    }
    atlas_note (server, place->name, looks_unwritten);
    world_tell (server->world, "server %u: %s, at offset %" PRIu64 ": %s", server->id, place->name,
                place->offset, what);
    return true;
}

static bool rot_sector (struct sim_server *server, const struct place *place, struct prng *prng)
{
    uint8_t sector[CRASH_SECTOR_SIZE];
    if (!crash_disk_sector (server->disk, place->name, place->offset, false, sector)) {
        return false;
    }
    uint64_t size = 0;
    (void) crash_disk_size (server->disk, place->name, &size);
    uint64_t left = size - place->offset;
    uint64_t bytes = left < sizeof sector ? left : sizeof sector;
    sector[prng_below (prng, bytes)] ^= (uint8_t) (1U << prng_below (prng, 8));
    return harm (server, place, sector, false, "rots");
}

/* From now on it cannot be read. */
static bool spoil_sector (struct sim_server *server, const struct place *place, struct prng *prng)
{
    (void) prng;
    if (!crash_disk_set_bad (server->disk, place->name, place->offset)) {
        return false;
    }
    atlas_note (server, place->name, false);
    world_tell (server->world, "server %u: %s, at offset %" PRIu64 ": becomes unreadable",
                server->id, place->name, place->offset);
    return true;
}

typedef bool harm_fn (struct sim_server *server, const struct place *place, struct prng *prng);

/* The other copy of the metadata, too. */
static bool harm_other (struct sim_server *server, const struct place *place, struct prng *prng,
                        harm_fn *harm_sector)
{
    struct place other = {.offset = 0};
    const char *name = strcmp (place->name, "meta.0") == 0 ? "meta.1" : "meta.0";
    memcpy (other.name, name, strlen (name) + 1);
    return atlas_allows (server, other.name, other.offset, false) &&
           harm_sector (server, &other, prng);
}

/* Mostly one sector; now and then a few. */
static bool harm_some (struct sim_server *server, struct prng *prng, harm_fn *harm_sector)
{
    uint64_t count = prng_chance (prng, 1, 4) ? 1 + prng_below (prng, PLACES_MAX) : 1;
    bool any = false;
    for (uint64_t i = 0; i < count; i++) {
        struct place place;
        if (!draw_place (server, prng, false, &place)) {
            continue;
        }
        any |= harm_sector (server, &place, prng);
        if (atlas_area (place.name) == ATLAS_META && prng_chance (prng, 1, 2)) {
            any |= harm_other (server, &place, prng, harm_sector);
        }
    }
    return any;
}

/* The newest segment in use below a number; 0: none. */
static uint32_t find_newest (const struct sim_server *server, uint32_t below)
{
    uint32_t newest = 0, segment;
    const char *name;
    for (size_t i = 0; (name = crash_disk_name (server->disk, i)) != NULL; i++) {
        if (name_is_segment (name, &segment) && segment > newest && segment < below &&
            sectors_used (server->disk, name) * CRASH_SECTOR_SIZE > SEGMENT_HEAD_SIZE) {
            newest = segment;
        }
    }
    return newest;
}

/* What no watermark covers when a server starts again must be told from what was never there: it is
 * what was written last. */
static bool harm_end (struct sim_server *server, struct prng *prng, harm_fn *harm_sector)
{
    struct place place = {.offset = 0};
    uint32_t newest = find_newest (server, UINT32_MAX);
    if (newest == 0) {
        return false;
    }
    name_segment (place.name, newest);
    uint64_t back = 1 + prng_below (prng, END_SECTORS);
    place.offset = (sectors_used (server->disk, place.name) - back) * CRASH_SECTOR_SIZE;
    return place.offset >= SEGMENT_HEAD_SIZE &&
           atlas_allows (server, place.name, place.offset, false) &&
           harm_sector (server, &place, prng);
}

/* The last entry of the newest segment in use, if no watermark covers it: a byte of it, mostly of
 * its data. Without its header nobody knows how much is lost. */
static bool find_unproved (const struct sim_server *server, struct prng *prng, struct place *place,
                           uint64_t *byte, zxid_t *last)
{
    uint32_t segment = find_newest (server, UINT32_MAX);
    uint64_t length, at = SEGMENT_HEAD_SIZE, salt = record_salt (server->store_id, segment);
    struct record record;
    zxid_t marked = 0;
    name_segment (place->name, segment);
    const uint8_t *bytes = crash_disk_bytes (server->disk, place->name, &length);
    while (bytes != NULL && at + RECORD_HEADER_SIZE <= length &&
           record_decode (bytes + at, salt, &record)) {
        if (record.type == RECORD_ENTRY && record.size > 0) {
            *last = record.zxid;
            uint64_t from = prng_chance (prng, 1, 4) ? 0 : RECORD_HEADER_SIZE;
            *byte = at + from + prng_below (prng, RECORD_HEADER_SIZE + record.size - from);
        }
        marked = record.durable > marked ? record.durable : marked;
        at += record_total (record.size);
    }
    place->offset = *last > marked ? *byte - *byte % CRASH_SECTOR_SIZE : 0;
    return *last > marked && crash_disk_durable (server->disk, place->name, place->offset);
}

/* Nobody but the others knows then whether it was acknowledged. */
static bool rot_unproved (struct sim_server *server, struct prng *prng)
{
    struct place place = {.offset = 0};
    uint8_t sector[CRASH_SECTOR_SIZE];
    uint64_t byte = 0;
    zxid_t last = 0;
    if (!find_unproved (server, prng, &place, &byte, &last) ||
        !atlas_allows (server, place.name, place.offset, false) ||
        !crash_disk_sector (server->disk, place.name, place.offset, false, sector)) {
        return false;
    }
    sector[byte % CRASH_SECTOR_SIZE] ^= (uint8_t) (1U << prng_below (prng, 8));
    return harm (server, &place, sector, false, "its last entry rots");
}

/* Whether hardly anything is in a segment yet: the manifest may not know of the end of the one
 * before. */
static bool is_young (const struct sim_server *server, uint32_t segment)
{
    char name[NAME_SIZE];
    name_segment (name, segment);
    return segment != 0 && sectors_used (server->disk, name) <= YOUNG_SECTORS;
}

/* A write that never came: an entry, or the seal of the segment before, reads as if the log had
 * ended there. What was written behind it says that it had not. */
static bool vanish (struct sim_server *server, struct prng *prng)
{
    struct place place = {.offset = 0};
    uint8_t before[CRASH_SECTOR_SIZE] = {0};
    bool zeros = prng_chance (prng, 1, 2);
    uint32_t segment = find_newest (server, UINT32_MAX);
    if (is_young (server, segment) || prng_chance (prng, 1, 4)) {
        segment = find_newest (server, segment);
    }
    if (segment == 0) {
        return false;
    }
    name_segment (place.name, segment);
    uint64_t used = sectors_used (server->disk, place.name);
    for (uint64_t back = 1; back <= VANISHING_SECTORS && back <= used; back++) {
        place.offset = (used - back) * CRASH_SECTOR_SIZE;
        if (place.offset >= SEGMENT_HEAD_SIZE &&
            atlas_allows (server, place.name, place.offset, true) &&
            (zeros || crash_disk_sector (server->disk, place.name, place.offset, true, before)) &&
            harm (server, &place, before, true, "what was written there last is gone")) {
            return true;
        }
    }
    return false;
}

void fault_rot_dead (struct world *self, struct sim_server *server)
{
    struct prng prng;
    prng_seed (&prng, server->rot_dice);
    if (server->rot_dice != 0 && !self->plan.over) {
        if (server->rot_end == SIM_END_ROTS || server->rot_end == SIM_END_SPOILS) {
            bool rots = server->rot_end == SIM_END_ROTS;
            if (harm_end (server, &prng, rots ? rot_sector : spoil_sector)) {
                plan_struck (self, rots ? FAULT_ROT : FAULT_BAD_SECTOR);
            }
        } else if (server->rot_end == SIM_END_VANISHES ? !vanish (server, &prng)
                                                       : !rot_unproved (server, &prng)) {
            return; /* the next time, perhaps */
        } else {
            plan_struck (self, FAULT_END_ROT);
        }
    }
    server->rot_dice = 0;
}

/* What was to be written here stands elsewhere, where something else is lost by it. */
static bool misdirect (struct sim_server *server, struct prng *prng)
{
    struct place from, to;
    uint8_t sector[CRASH_SECTOR_SIZE], before[CRASH_SECTOR_SIZE];
    if (!draw_place (server, prng, true, &from) ||
        !crash_disk_sector (server->disk, from.name, from.offset, false, sector) ||
        !crash_disk_sector (server->disk, from.name, from.offset, true, before) ||
        !harm (server, &from, before, true, "its write has gone elsewhere")) {
        return false;
    }
    if (draw_place (server, prng, true, &to)) {
        (void) harm (server, &to, sector, true, "written to, by mistake");
    }
    return true;
}

/* ---- What is read ---------------------------------------------------------------------------- */

/* Of the copies of the metadata one must be read as it is. */
static bool is_alone (struct sim_server *server, const char *name)
{
    if (atlas_area (name) != ATLAS_META) {
        return true;
    }
    if (crash_disk_failures (server->disk) > server->failures) {
        return false;
    }
    crash_disk_fail_read_at (server->disk, 0);
    return true;
}

static bool misread (void *arg, const char *name, uint64_t offset, size_t size, uint64_t *at,
                     uint8_t sector[CRASH_SECTOR_SIZE])
{
    struct sim_server *server = arg;
    struct prng prng;
    prng_seed (&prng, server->misread_dice);
    uint64_t first = offset / CRASH_SECTOR_SIZE;
    uint64_t sectors = (offset + size - 1) / CRASH_SECTOR_SIZE - first + 1;
    uint64_t used = sectors_used (server->disk, name);
    sectors = used > first && used - first < sectors ? used - first : sectors;
    *at = (first + prng_below (&prng, sectors)) * CRASH_SECTOR_SIZE;
    if (!atlas_allows (server, name, *at, true) || !is_alone (server, name)) {
        return false;
    }
    struct place place = {.offset = *at};
    memcpy (place.name, name, strlen (name) + 1);
    if (!server->misread_stale) {
        enum atlas_area area = prng_chance (&prng, 1, 2) ? atlas_area (name) : draw_area (&prng);
        if (!draw_file (server->disk, &prng, area, place.name)) {
            return false;
        }
        place.offset = draw_offset (server->disk, &prng, place.name);
    }
    if (!crash_disk_sector (server->disk, place.name, place.offset, server->misread_stale,
                            sector)) {
        return false;
    }
    server->world->harmed |= UINT32_C (1) << (server->id - 1);
    plan_struck (server->world, server->misread_stale ? FAULT_STALE_READ : FAULT_WRONG_READ);
    world_tell (server->world, "server %u: %s, at offset %" PRIu64 ": read as %s", server->id, name,
                *at, server->misread_stale ? "it was before" : "another sector");
    return true;
}

/* Half of the servers die of what happens to their disks, for it is when they start that they read
 * it; some of them with the power, and what else was not synced is lost with it. */
static bool die (struct world *self, struct sim_server *server, const struct sim_fault *fault,
                 struct prng *prng)
{
    if (!prng_chance (prng, 1, 2) || !server->up || server->leaving) {
        return false;
    }
    server_crash (self, server, prng_chance (prng, 1, 3));
    server_start_after (self, server, fault->length_ms);
    return true;
}

/* Another one dies with it: then what was lost may be had from nobody who is there. */
static void die_with (struct world *self, const struct sim_fault *fault, struct prng *prng)
{
    struct sim_server *other = &self->servers[prng_below (prng, self->servers_count)];
    if (prng_chance (prng, 1, 2) && other->up && !other->leaving) {
        server_crash (self, other, false);
        server_start_after (self, other, 2 * fault->length_ms);
    }
}

/* All the others that have the entry: those that are left do not know of it. */
static void mates_die (struct world *self, const struct sim_fault *fault)
{
    for (size_t i = 0; i < self->servers_count; i++) {
        struct sim_server *mate = &self->servers[i];
        if (((fault->b >> i) & 1) != 0 && mate->up && !mate->leaving) {
            server_crash (self, mate, false);
            server_start_after (self, mate, 2 * fault->length_ms + MATES_MS);
        }
    }
}

/* Where others die with it, the entry has to be committed, and new: those that are left lack it,
 * and often nothing else. */
static bool is_worth_it (struct sim_server *server)
{
    if (server->rot_end == SIM_END_VANISHES) {
        uint32_t newest = find_newest (server, UINT32_MAX);
        return is_young (server, newest) && find_newest (server, newest) != 0;
    }
    struct place place;
    uint64_t byte = 0;
    zxid_t last = 0;
    struct prng prng;
    prng_seed (&prng, server->rot_dice);
    return find_unproved (server, &prng, &place, &byte, &last) &&
           (server->rots.b == 0 ||
            (last > server->rot_after && last <= check_status (server)->committed));
}

bool fault_rot_look (struct world *self, struct sim_server *server)
{
    const struct sim_fault *fault = &server->rots;
    if (self->schedule.now_ms > server->rot_until_ms || self->plan.over || self->lull ||
        server->leaving || !is_worth_it (server)) {
        return false;
    }
    struct prng prng;
    prng_seed (&prng, fault->value);
    server->rot_until_ms = -1;
    server_crash (self, server, false);
    server_start_after (self, server, fault->length_ms);
    if (fault->b != 0) {
        mates_die (self, fault);
    } else if (server->rot_end == SIM_END_UNPROVED) {
        die_with (self, fault, &prng);
    }
    return true;
}

/* It dies as soon as it has such an entry: who leads it, or follows it, has the entry, or not yet.
 * What vanishes does so at once, or when a segment has just been sealed. */
static bool begin_end_rot (struct world *self, struct sim_server *server,
                           const struct sim_fault *fault, struct prng *prng)
{
    bool vanishes = fault->b == 0 && prng_chance (prng, 1, 2);
    bool waits = !vanishes || prng_chance (prng, 1, 2);
    server->rot_dice = fault->value | 1;
    server->rot_end = vanishes ? SIM_END_VANISHES : SIM_END_UNPROVED;
    world_tell (self, "server %u: its last entry %s when it dies", server->id,
                vanishes ? "vanishes" : "rots");
    if (waits) {
        server->rots = *fault;
        server->rot_after = server->up ? check_status (server)->last : 0;
        server->rot_until_ms =
            self->schedule.now_ms + (vanishes ? VANISH_WITHIN_MS : ROT_WITHIN_MS);
    } else if (server->up && !server->leaving) {
        server_crash (self, server, false);
        server_start_after (self, server, fault->length_ms);
    }
    return true;
}

/* Now, or at its end when it dies. */
static bool begin_harm (struct world *self, struct sim_server *server,
                        const struct sim_fault *fault, struct prng *prng)
{
    bool rots = fault->kind == FAULT_ROT;
    if (!prng_chance (prng, 1, 3)) {
        if (!harm_some (server, prng, rots ? rot_sector : spoil_sector)) {
            return false;
        }
        plan_struck (self, fault->kind);
        (void) die (self, server, fault, prng);
        return true;
    }
    server->rot_dice = fault->value | 1;
    server->rot_end = rots ? SIM_END_ROTS : SIM_END_SPOILS;
    world_tell (self, "server %u: the end of its log %s when it dies", server->id,
                rots ? "rots" : "becomes unreadable");
    if (die (self, server, fault, prng)) {
        die_with (self, fault, prng);
    }
    return true;
}

bool fault_rot_begin (struct world *self, const struct sim_fault *fault)
{
    struct prng prng;
    if (!atlas_is_weak (self, fault->a)) {
        return false;
    }
    struct sim_server *server = &self->servers[fault->a];
    prng_seed (&prng, fault->value);
    switch (fault->kind) {
    case FAULT_ROT:
    case FAULT_BAD_SECTOR:
        return begin_harm (self, server, fault, &prng);
    case FAULT_END_ROT:
        return begin_end_rot (self, server, fault, &prng);
    case FAULT_LOST_WRITE:
        return misdirect (server, &prng) && (die (self, server, fault, &prng), true);
    case FAULT_WRONG_READ:
    case FAULT_STALE_READ:
        server->misread_stale = fault->kind == FAULT_STALE_READ;
        server->misread_dice = fault->value;
        crash_disk_misread_at (server->disk, fault->b, misread, server);
        return true;
    default:
        return false;
    }
}

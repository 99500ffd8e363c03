/*
 *  tests/support/crash_harm.c - damage of a crash_disk that is remembered: which sectors are not
 * what was written, and what they should be
 */
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "tests/support/crash_image.h"

_Static_assert((int) CRASH_SECTOR_SIZE == (int) CRASH_SECTOR, "a sector is a sector");

/* ---- Versions ---------------------------------------------------------------------------- */

void crash_disk_keep_versions (struct crash_disk *self)
{
    self->keeps_versions = true;
}

void crash_disk_set_time (struct crash_disk *self, int64_t now_ms)
{
    self->now_ms = now_ms;
}

/*  What the bytes hold of a sector; zeros behind their end. */
static void copy_sector (const struct bytes *bytes, uint64_t sector, uint8_t *out)
{
    uint64_t start = sector * CRASH_SECTOR;
    uint64_t there = bytes->size > start ? bytes->size - start : 0;
    size_t size = there < CRASH_SECTOR ? (size_t) there : CRASH_SECTOR;
    memset (out, 0, CRASH_SECTOR);
    if (size > 0) {
        memcpy (out, bytes->data + start, size);
    }
}

static void note_time (struct crash_disk *self, struct image *image, uint64_t sector)
{
    if (sector >= image->written_room) {
        size_t room = (size_t) sector * 2 + 16;
        image->written = crash_must (mem_realloc (image->written, room * sizeof *image->written));
        memset (image->written + image->written_room, 0,
                (room - image->written_room) * sizeof *image->written);
        image->written_room = room;
    }
    image->written[sector] = self->now_ms;
}

static void keep_version (struct image *image, uint64_t sector)
{
    uint8_t before[CRASH_SECTOR];
    copy_sector (&image->cached, sector, before);
    crash_put (&image->earlier, sector * CRASH_SECTOR, before, CRASH_SECTOR);
}

/* ---- Harm -------------------------------------------------------------------------------- */

static struct harm *find_harm (const struct image *image, uint64_t sector)
{
    for (size_t i = 0; i < image->harms_count; i++) {
        if (image->harms[i].sector == sector && !image->harms[i].covered) {
            return &image->harms[i];
        }
    }
    return NULL;
}

/*  A write over all of a sector heals it, once it is durable; over a part of it, that part. */
static void overwrite (struct harm *harm, const struct image *image, uint64_t offset,
                       const uint8_t *data, size_t size)
{
    uint64_t start = harm->sector * CRASH_SECTOR, end = start + CRASH_SECTOR;
    uint64_t low = offset > start ? offset : start;
    uint64_t high = offset + size < end ? offset + size : end;
    if (low >= high || harm->covered) {
        return;
    }
    harm->covered = low == start && high == end;
    if (harm->covered) {
        copy_sector (&image->cached, harm->sector, harm->wrong);
    } else {
        memcpy (harm->right + (low - start), data + (low - offset), (size_t) (high - low));
    }
}

void crash_note_versions (struct crash_disk *self, struct image *image, uint64_t offset,
                          const void *data, size_t size)
{
    for (size_t i = 0; i < image->harms_count; i++) {
        overwrite (&image->harms[i], image, offset, data, size);
    }
    if (!self->keeps_versions || size == 0) {
        return;
    }
    uint64_t last = (offset + size - 1) / CRASH_SECTOR;
    for (uint64_t sector = offset / CRASH_SECTOR; sector <= last; sector++) {
        keep_version (image, sector);
        note_time (self, image, sector);
    }
}

static void drop_harm (struct image *image, size_t i)
{
    image->harms[i] = image->harms[--image->harms_count];
}

void crash_heal_covered (struct image *image)
{
    for (size_t i = image->harms_count; i > 0; i--) {
        if (image->harms[i - 1].covered) {
            drop_harm (image, i - 1);
        }
    }
}

void crash_uncover (struct image *image)
{
    for (size_t i = image->harms_count; i > 0; i--) {
        struct harm *harm = &image->harms[i - 1];
        uint8_t now[CRASH_SECTOR];
        copy_sector (&image->cached, harm->sector, now);
        if (harm->covered && memcmp (now, harm->wrong, CRASH_SECTOR) == 0) {
            harm->covered = false;
        } else if (harm->covered) {
            drop_harm (image, i - 1);
        }
    }
}

void crash_forget_harm (struct image *image)
{
    mem_free (image->earlier.data);
    mem_free (image->written);
    mem_free (image->harms);
}

/*  Puts what of the sector lies in [offset, offset + size) into data. */
static void patch (uint64_t sector, const uint8_t *bytes, uint64_t offset, uint8_t *data,
                   size_t size)
{
    uint64_t start = sector * CRASH_SECTOR, end = start + CRASH_SECTOR;
    uint64_t low = offset > start ? offset : start;
    uint64_t high = offset + size < end ? offset + size : end;
    if (low < high) {
        memcpy (data + (low - offset), bytes + (low - start), (size_t) (high - low));
    }
}

void crash_read_right (const struct image *image, uint64_t offset, uint8_t *data, size_t size)
{
    for (size_t i = 0; i < image->harms_count; i++) {
        if (!image->harms[i].covered) {
            patch (image->harms[i].sector, image->harms[i].right, offset, data, size);
        }
    }
}

/* ---- Reads ------------------------------------------------------------------------------- */

static const char *name_of (const struct crash_disk *self, const struct image *image)
{
    for (size_t i = 0; i < self->cached.count; i++) {
        if (self->cached.names[i].image == image) {
            return self->cached.names[i].name;
        }
    }
    return NULL;
}

void crash_disk_misread_at (struct crash_disk *self, uint64_t n, crash_misread_fn *fn, void *arg)
{
    self->misread_at = n;
    self->misread = fn;
    self->misread_arg = arg;
}

void crash_misread (struct crash_disk *self, const struct image *image, uint64_t offset,
                    uint8_t *data, size_t size)
{
    const char *name;
    uint64_t at;
    uint8_t sector[CRASH_SECTOR];
    if (self->misread_at == 0 || --self->misread_at > 0 || (name = name_of (self, image)) == NULL ||
        !self->misread (self->misread_arg, name, offset, size, &at, sector)) {
        return;
    }
    COHORT_ASSERT (at % CRASH_SECTOR == 0);
    self->failures++;
    patch (at / CRASH_SECTOR, sector, offset, data, size);
}

/* ---- What tests ask for ------------------------------------------------------------------ */

bool crash_disk_sector (const struct crash_disk *self, const char *name, uint64_t offset,
                        bool earlier, uint8_t sector[CRASH_SECTOR_SIZE])
{
    const struct image *image = crash_find (self, name);
    if (image == NULL || offset >= image->cached.size) {
        return false;
    }
    copy_sector (earlier ? &image->earlier : &image->cached, offset / CRASH_SECTOR, sector);
    return true;
}

const uint8_t *crash_disk_bytes (const struct crash_disk *self, const char *name, uint64_t *size)
{
    const struct image *image = crash_find (self, name);
    *size = image != NULL ? image->cached.size : 0;
    return *size > 0 ? image->cached.data : NULL;
}

int64_t crash_disk_written (const struct crash_disk *self, const char *name, uint64_t offset)
{
    const struct image *image = crash_find (self, name);
    uint64_t sector = offset / CRASH_SECTOR;
    return image != NULL && sector < image->written_room ? image->written[sector] : 0;
}

/*  Whether a change that is not synced has to do with the sector, or with the size. */
static bool is_changing (const struct image *image, uint64_t offset, uint64_t size)
{
    for (size_t i = 0; i < image->changes_count; i++) {
        const struct change *change = &image->changes[i];
        if (change->data == NULL
                ? change->size < offset + size
                : change->offset < offset + size && change->offset + change->size > offset) {
            return true;
        }
    }
    return false;
}

/*  Whether the image has this name, for good. */
static bool is_named (const struct crash_disk *self, const struct image *image, const char *name)
{
    bool named = false;
    for (size_t i = 0; i < self->durable.count; i++) {
        named |= self->durable.names[i].image == image &&
                 strcmp (self->durable.names[i].name, name) == 0;
    }
    for (size_t i = 0; i < self->changes_count; i++) {
        named &= self->changes[i].image != image;
    }
    return named;
}

bool crash_disk_durable (const struct crash_disk *self, const char *name, uint64_t offset)
{
    const struct image *image = crash_find (self, name);
    uint64_t sector = offset / CRASH_SECTOR;
    if (image == NULL || !is_named (self, image, name) || offset >= image->durable.size ||
        is_changing (image, sector * CRASH_SECTOR, CRASH_SECTOR)) {
        return false;
    }
    uint8_t cached[CRASH_SECTOR], durable[CRASH_SECTOR];
    copy_sector (&image->cached, sector, cached);
    copy_sector (&image->durable, sector, durable);
    return memcmp (cached, durable, CRASH_SECTOR) == 0;
}

bool crash_disk_keeps (const struct crash_disk *self, const char *name, uint64_t offset,
                       uint64_t size)
{
    const struct image *image = crash_find (self, name);
    return image != NULL && is_named (self, image, name) && offset + size <= image->cached.size &&
           offset + size <= image->durable.size && !is_changing (image, offset, size) &&
           memcmp (image->cached.data + offset, image->durable.data + offset, (size_t) size) == 0;
}

/*  Notes the harm of a sector, which may be known already. */
static struct harm *add_harm (struct image *image, uint64_t sector)
{
    struct harm *harm = find_harm (image, sector);
    if (harm != NULL) {
        return harm; /*  what it should be is known */
    }
    if (image->harms_count == image->harms_room) {
        image->harms_room = image->harms_room * 2 + 4;
        image->harms =
            crash_must (mem_realloc (image->harms, image->harms_room * sizeof *image->harms));
    }
    harm = &image->harms[image->harms_count++];
    *harm = (struct harm){.sector = sector};
    copy_sector (&image->cached, sector, harm->right);
    return harm;
}

bool crash_disk_harm (struct crash_disk *self, const char *name, uint64_t offset,
                      const uint8_t sector[CRASH_SECTOR_SIZE])
{
    struct image *image = crash_find (self, name);
    uint64_t number = offset / CRASH_SECTOR, start = number * CRASH_SECTOR;
    uint8_t right[CRASH_SECTOR];
    if (image == NULL || start >= image->cached.size || start >= image->durable.size) {
        return false;
    }
    uint64_t end =
        image->cached.size < image->durable.size ? image->cached.size : image->durable.size;
    size_t size = end - start < CRASH_SECTOR ? (size_t) (end - start) : CRASH_SECTOR;
    copy_sector (&image->cached, number, right);
    if (memcmp (right, sector, size) == 0) {
        return false;
    }
    (void) add_harm (image, number);
    memcpy (image->cached.data + start, sector, size);
    memcpy (image->durable.data + start, sector, size);
    return true;
}

bool crash_disk_put_back (struct crash_disk *self, const char *name, const uint8_t *data,
                          size_t size)
{
    struct image *image = crash_find (self, name);
    COHORT_ASSERT (!self->opened);
    if (image == NULL || self->changes_count > 0) {
        return false;
    }
    image->harms_count = 0;
    crash_truncate (image, 0);
    crash_write (self, image, 0, data, size);
    crash_sync (image);
    return true;
}

bool crash_disk_set_bad (struct crash_disk *self, const char *name, uint64_t offset)
{
    struct image *image = crash_find (self, name);
    if (image == NULL || offset >= image->cached.size) {
        return false;
    }
    add_harm (image, offset / CRASH_SECTOR)->bad = true;
    return true;
}

bool crash_is_bad (const struct image *image, uint64_t offset, size_t size)
{
    for (size_t i = 0; i < image->harms_count; i++) {
        const struct harm *harm = &image->harms[i];
        uint64_t start = harm->sector * CRASH_SECTOR;
        if (harm->bad && !harm->covered && offset < start + CRASH_SECTOR && offset + size > start) {
            return true;
        }
    }
    return false;
}

size_t crash_disk_harmed (const struct crash_disk *self, const char *name)
{
    const struct image *image = crash_find (self, name);
    size_t count = 0;
    for (size_t i = 0; image != NULL && i < image->harms_count; i++) {
        count += !image->harms[i].covered;
    }
    return count;
}

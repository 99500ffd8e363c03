/*
 *  tests/support/crash_image.c - what is on a crash_disk: durable, in the cache, and on the way
 */
#include "tests/support/crash_image.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"

void *crash_must (void *memory)
{
    COHORT_ASSERT (memory != NULL);
    return memory;
}

/* ---- Bytes ------------------------------------------------------------------------------- */

void crash_resize (struct bytes *self, uint64_t size)
{
    if (size > self->room) {
        self->room = size > 2 * self->room ? size : 2 * self->room;
        self->data = crash_must (mem_realloc (self->data, (size_t) self->room));
    }
    if (size > self->size) {
        memset (self->data + self->size, 0, (size_t) (size - self->size));
    }
    self->size = size;
}

void crash_put (struct bytes *self, uint64_t offset, const uint8_t *data, uint64_t size)
{
    if (offset + size > self->size) {
        crash_resize (self, offset + size);
    }
    memcpy (self->data + offset, data, (size_t) size);
}

static void bytes_copy (struct bytes *to, const struct bytes *from)
{
    crash_resize (to, 0);
    if (from->size > 0) {
        crash_put (to, 0, from->data, from->size);
    }
}

/* ---- Images ------------------------------------------------------------------------------ */

static void drop_changes (struct image *image)
{
    for (size_t i = 0; i < image->changes_count; i++) {
        mem_free (image->changes[i].data);
    }
    image->changes_count = 0;
}

void crash_release (struct crash_disk *self, struct image *image)
{
    (void) self;
    COHORT_ASSERT (image->references > 0);
    if (--image->references == 0) {
        drop_changes (image);
        mem_free (image->changes);
        mem_free (image->durable.data);
        mem_free (image->cached.data);
        crash_forget_harm (image);
        mem_free (image);
    }
}

static void add_change (struct image *image, uint64_t offset, const void *data, uint64_t size)
{
    if (image->changes_count == image->changes_room) {
        image->changes_room = image->changes_room * 2 + 8;
        image->changes =
            crash_must (mem_realloc (image->changes, image->changes_room * sizeof *image->changes));
    }
    image->changes[image->changes_count++] = (struct change){
        .offset = offset,
        .size = size,
        .data = data != NULL ? crash_must (mem_dup (data, (size_t) size)) : NULL,
    };
}

static void apply (struct bytes *bytes, const struct change *change)
{
    if (change->data != NULL) {
        crash_put (bytes, change->offset, change->data, change->size);
    } else {
        crash_resize (bytes, change->size);
    }
}

void crash_write (struct crash_disk *self, struct image *image, uint64_t offset, const void *data,
                  size_t size)
{
    crash_note_versions (self, image, offset, data, size);
    add_change (image, offset, data, size);
    apply (&image->cached, &image->changes[image->changes_count - 1]);
}

void crash_truncate (struct image *image, uint64_t size)
{
    add_change (image, 0, NULL, size);
    crash_resize (&image->cached, size);
}

void crash_sync (struct image *image)
{
    for (size_t i = 0; i < image->changes_count; i++) {
        apply (&image->durable, &image->changes[i]);
    }
    drop_changes (image);
    crash_heal_covered (image);
}

/*  How a power cut (or a failed sync) treats what was on the way. */
enum mood { MOOD_DROP_ALL = 0, MOOD_KEEP_ALL, MOOD_PREFIX, MOOD_MIX, MOODS };

/*  The sector becomes what it was at some moment since the last sync. */
static void settle_sector (struct image *image, uint64_t sector, struct bytes *from, size_t upto)
{
    uint64_t start = sector * CRASH_SECTOR, end = start + CRASH_SECTOR;
    for (size_t i = 0; i < upto; i++) {
        const struct change *change = &image->changes[i];
        if (change->data == NULL) {
            continue;
        }
        uint64_t low = change->offset > start ? change->offset : start;
        uint64_t high = change->offset + change->size < end ? change->offset + change->size : end;
        if (low < high && high <= from->size) {
            memcpy (from->data + low, change->data + (low - change->offset), (size_t) (high - low));
        }
    }
}

/*  The file's size is that of some moment; each of its sectors is that of some moment, each for
 *  itself. */
static void settle (struct crash_disk *self, struct image *image, enum mood mood)
{
    size_t count = image->changes_count;
    size_t prefix = (size_t) prng_below (&self->prng, count + 1);
    uint64_t size = image->durable.size;
    size_t size_upto = mood == MOOD_DROP_ALL   ? 0
                       : mood == MOOD_KEEP_ALL ? count
                       : mood == MOOD_PREFIX   ? prefix
                                               : (size_t) prng_below (&self->prng, count + 1);
    for (size_t i = 0; i < size_upto; i++) {
        const struct change *change = &image->changes[i];
        uint64_t end = change->offset + change->size;
        size = change->data == NULL ? change->size : end > size ? end : size;
    }
    crash_resize (&image->durable, size);
    uint64_t sectors = (size + CRASH_SECTOR - 1) / CRASH_SECTOR;
    for (uint64_t sector = 0; sector < sectors; sector++) {
        size_t upto = mood == MOOD_DROP_ALL   ? 0
                      : mood == MOOD_KEEP_ALL ? count
                      : mood == MOOD_PREFIX   ? prefix
                      : prng_chance (&self->prng, 1, 2)
                          ? (prng_chance (&self->prng, 1, 2) ? count : 0)
                          : (size_t) prng_below (&self->prng, count + 1);
        settle_sector (image, sector, &image->durable, upto);
    }
    drop_changes (image);
}

void crash_sync_fails (struct crash_disk *self, struct image *image)
{
    settle (self, image, (enum mood) prng_below (&self->prng, MOODS));
}

/* ---- Names ------------------------------------------------------------------------------- */

void crash_set_name (char to[CRASH_NAME_SIZE], const char *name)
{
    size_t size = strlen (name);
    COHORT_ASSERT (size < CRASH_NAME_SIZE);
    memcpy (to, name, size + 1);
}

static struct name *folder_find (const struct folder *folder, const char *name)
{
    for (size_t i = 0; i < folder->count; i++) {
        if (strcmp (folder->names[i].name, name) == 0) {
            return &folder->names[i];
        }
    }
    return NULL;
}

struct image *crash_find (const struct crash_disk *self, const char *name)
{
    const struct name *found = folder_find (&self->cached, name);
    return found != NULL ? found->image : NULL;
}

static void folder_remove (struct crash_disk *self, struct folder *folder, const char *name)
{
    struct name *found = folder_find (folder, name);
    if (found != NULL) {
        crash_release (self, found->image);
        size_t at = (size_t) (found - folder->names);
        folder->count--;
        memmove (found, found + 1, (folder->count - at) * sizeof *found);
    }
}

static void folder_set (struct crash_disk *self, struct folder *folder, const char *name,
                        struct image *image)
{
    image->references++;
    folder_remove (self, folder, name);
    if (folder->count == folder->room) {
        folder->room = folder->room * 2 + 8;
        folder->names =
            crash_must (mem_realloc (folder->names, folder->room * sizeof *folder->names));
    }
    struct name *at = &folder->names[folder->count++];
    crash_set_name (at->name, name);
    at->image = image;
}

static void apply_name (struct crash_disk *self, struct folder *folder,
                        const struct name_change *change)
{
    const struct name *found;
    switch (change->type) {
    case NAME_CREATE:
        folder_set (self, folder, change->name, change->image);
        break;
    case NAME_RENAME:
        found = folder_find (folder, change->name);
        if (found != NULL && found->image == change->image) {
            folder_set (self, folder, change->to, change->image);
            folder_remove (self, folder, change->name);
        }
        break;
    case NAME_UNLINK:
        found = folder_find (folder, change->name);
        if (found != NULL && found->image == change->image) {
            folder_remove (self, folder, change->name);
        }
        break;
    }
}

static void add_name_change (struct crash_disk *self, enum name_change_type type, const char *name,
                             const char *to, struct image *image)
{
    if (self->changes_count == self->changes_room) {
        self->changes_room = self->changes_room * 2 + 8;
        self->changes =
            crash_must (mem_realloc (self->changes, self->changes_room * sizeof *self->changes));
    }
    struct name_change *change = &self->changes[self->changes_count++];
    change->type = type;
    change->image = image;
    image->references++;
    crash_set_name (change->name, name);
    crash_set_name (change->to, to);
    apply_name (self, &self->cached, change);
}

struct image *crash_create (struct crash_disk *self, const char *name)
{
    struct image *image = crash_must (mem_calloc (1, sizeof *image));
    image->references = 1;
    add_name_change (self, NAME_CREATE, name, "", image);
    return image;
}

void crash_rename (struct crash_disk *self, const char *from, const char *to)
{
    add_name_change (self, NAME_RENAME, from, to, crash_find (self, from));
}

void crash_unlink (struct crash_disk *self, const char *name)
{
    add_name_change (self, NAME_UNLINK, name, "", crash_find (self, name));
}

static void drop_name_changes (struct crash_disk *self)
{
    for (size_t i = 0; i < self->changes_count; i++) {
        crash_release (self, self->changes[i].image);
    }
    self->changes_count = 0;
}

void crash_sync_names (struct crash_disk *self)
{
    for (size_t i = 0; i < self->changes_count; i++) {
        apply_name (self, &self->durable, &self->changes[i]);
    }
    drop_name_changes (self);
}

static void clear_folder (struct crash_disk *self, struct folder *folder)
{
    while (folder->count > 0) {
        folder_remove (self, folder, folder->names[folder->count - 1].name);
    }
}

/* ---- The whole disk ---------------------------------------------------------------------- */

struct crash_disk *crash_disk_new (uint64_t seed)
{
    struct crash_disk *self = crash_must (mem_calloc (1, sizeof *self));
    prng_seed (&self->prng, seed);
    self->space = UINT64_MAX;
    return self;
}

void crash_disk_destroy (struct crash_disk **self_p)
{
    struct crash_disk *self = *self_p;
    if (self != NULL) {
        COHORT_ASSERT (!self->opened);
        drop_name_changes (self);
        clear_folder (self, &self->durable);
        clear_folder (self, &self->cached);
        mem_free (self->durable.names);
        mem_free (self->cached.names);
        mem_free (self->changes);
        mem_free (self);
        *self_p = NULL;
    }
}

void crash_disk_power_cut (struct crash_disk *self)
{
    COHORT_ASSERT (!self->opened);
    enum mood mood = (enum mood) prng_below (&self->prng, MOODS);
    size_t prefix = (size_t) prng_below (&self->prng, self->changes_count + 1);
    for (size_t i = 0; i < self->changes_count; i++) {
        bool keep = mood == MOOD_KEEP_ALL || (mood == MOOD_PREFIX && i < prefix) ||
                    (mood == MOOD_MIX && prng_chance (&self->prng, 1, 2));
        if (keep) {
            apply_name (self, &self->durable, &self->changes[i]);
        }
    }
    drop_name_changes (self);
    clear_folder (self, &self->cached);
    for (size_t i = 0; i < self->durable.count; i++) {
        struct image *image = self->durable.names[i].image;
        settle (self, image, (enum mood) prng_below (&self->prng, MOODS));
        bytes_copy (&image->cached, &image->durable);
        crash_uncover (image);
        folder_set (self, &self->cached, self->durable.names[i].name, image);
    }
    self->stopped = self->failed = false;
    self->stop_at = self->fail_at = self->fail_read_at = self->misread_at = 0;
}

static struct image *copy_image (const struct image *from)
{
    struct image *image = crash_must (mem_calloc (1, sizeof *image));
    bytes_copy (&image->durable, &from->durable);
    bytes_copy (&image->cached, &from->cached);
    for (size_t i = 0; i < from->changes_count; i++) {
        add_change (image, from->changes[i].offset, from->changes[i].data, from->changes[i].size);
    }
    return image;
}

/*  Only of a disk on which all names are synced: each image has one name. */
struct crash_disk *crash_disk_copy (const struct crash_disk *from, uint64_t seed)
{
    COHORT_ASSERT (!from->opened);
    COHORT_ASSERT (from->changes_count == 0);
    struct crash_disk *self = crash_disk_new (seed);
    for (size_t i = 0; i < from->durable.count; i++) {
        struct image *image = copy_image (from->durable.names[i].image);
        folder_set (self, &self->durable, from->durable.names[i].name, image);
        folder_set (self, &self->cached, from->durable.names[i].name, image);
    }
    return self;
}

uint64_t crash_disk_used (const struct crash_disk *self)
{
    uint64_t used = 0;
    for (size_t i = 0; i < self->cached.count; i++) {
        used += self->cached.names[i].image->cached.size;
    }
    return used;
}

/* ---- Damage ------------------------------------------------------------------------------ */

bool crash_disk_flip (struct crash_disk *self, const char *name, uint64_t offset, uint8_t mask)
{
    struct image *image = crash_find (self, name);
    if (image == NULL || offset >= image->cached.size) {
        return false;
    }
    image->cached.data[offset] ^= mask;
    if (offset < image->durable.size) {
        image->durable.data[offset] = image->cached.data[offset];
    }
    return true;
}

static void zero_sector (struct bytes *bytes, uint64_t start)
{
    if (start < bytes->size) {
        uint64_t left = bytes->size - start;
        memset (bytes->data + start, 0, left < CRASH_SECTOR ? (size_t) left : CRASH_SECTOR);
    }
}

bool crash_disk_zero_sector (struct crash_disk *self, const char *name, uint64_t offset)
{
    struct image *image = crash_find (self, name);
    if (image == NULL || offset >= image->cached.size) {
        return false;
    }
    zero_sector (&image->cached, offset / CRASH_SECTOR * CRASH_SECTOR);
    zero_sector (&image->durable, offset / CRASH_SECTOR * CRASH_SECTOR);
    return true;
}

bool crash_disk_size (const struct crash_disk *self, const char *name, uint64_t *size)
{
    const struct image *image = crash_find (self, name);
    if (image != NULL) {
        *size = image->cached.size;
    }
    return image != NULL;
}

const char *crash_disk_name (const struct crash_disk *self, size_t i)
{
    return i < self->cached.count ? self->cached.names[i].name : NULL;
}

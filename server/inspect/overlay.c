/* server/inspect/overlay.c - a disk over a disk: what is done to it stays in memory
 *
 * A file is a row of sectors. Those that were written are kept here; of the others, the file below
 * is asked, as far as it counts (`below_size`); behind that there are zeros.
 */
#include "server/inspect/overlay.h"

#include <errno.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/container.h"
#include "server/store/format.h"
#include "server/store/named_files.h"

struct layer {
    struct named_file file; /* its blocks are sectors; NULL: not written */
    struct overlay *overlay;
    char *below_name;        /* NULL: it is not below */
    struct disk_file *below; /* NULL: not opened */
    uint64_t below_size;
};

struct overlay {
    struct disk base;
    struct disk *below;
    struct named_files layers;
    bool failed; /* memory, while names are listed */
};

struct disk_file {
    struct layer *layer;
};

static struct overlay *of (struct disk *disk)
{
    return container_of (disk, struct overlay, base);
}

/* ---- Files ------------------------------------------------------------------------------- */

static struct layer *layer_of (struct named_file *file)
{
    return container_of (file, struct layer, file);
}

static void free_layer (struct named_file *file)
{
    struct layer *layer = layer_of (file);
    if (layer->below != NULL) {
        layer->overlay->below->ops->close (layer->below);
    }
    mem_free (layer->below_name);
    mem_free (layer);
}

static struct layer *add (struct overlay *self, const char *name, bool below)
{
    struct layer *layer = mem_calloc (1, sizeof *layer);
    if (layer == NULL) {
        return NULL;
    }
    layer->overlay = self;
    layer->below_name = below ? mem_strdup (name) : NULL;
    if ((below && layer->below_name == NULL) ||
        !named_files_add (&self->layers, &layer->file, name)) {
        free_layer (&layer->file);
        return NULL;
    }
    return layer;
}

static int open_below (struct layer *layer)
{
    if (layer->below_name == NULL || layer->below != NULL) {
        return 0;
    }
    const struct disk_ops *ops = layer->overlay->below->ops;
    int rc = ops->open (layer->overlay->below, layer->below_name, false, &layer->below);
    if (rc == 0) {
        rc = ops->size (layer->below, &layer->below_size);
    } else {
        layer->below = NULL;
    }
    layer->file.size = layer->below_size;
    return rc;
}

static int open_file (struct disk *disk, const char *name, bool create, struct disk_file **file_p)
{
    struct overlay *self = of (disk);
    struct named_file *found = named_files_find (&self->layers, name);
    struct layer *layer = found != NULL ? layer_of (found) : NULL;
    if (create == (layer != NULL)) {
        return create ? -EEXIST : -ENOENT;
    }
    struct disk_file *file = mem_alloc (sizeof *file);
    if (file == NULL) {
        return -ENOMEM;
    }
    int rc = 0;
    if (create) {
        layer = add (self, name, false);
        rc = layer != NULL ? 0 : -ENOMEM;
    } else {
        rc = open_below (layer);
    }
    if (rc != 0) {
        mem_free (file);
        return rc;
    }
    layer->file.opened++;
    file->layer = layer;
    *file_p = file;
    return 0;
}

static void close_file (struct disk_file *file)
{
    struct layer *layer = file->layer;
    mem_free (file);
    named_files_close (&layer->overlay->layers, &layer->file);
}

static int size_of (struct disk_file *file, uint64_t *size)
{
    *size = file->layer->file.size;
    return 0;
}

/* ---- Bytes ------------------------------------------------------------------------------- */

static uint8_t *sector_of (const struct layer *layer, uint64_t offset)
{
    uint64_t index = offset / SECTOR_SIZE;
    return index < layer->file.blocks_count ? layer->file.blocks[index] : NULL;
}

/* How many bytes from offset on come from one place, up to `size`. */
static size_t run_of (const struct layer *layer, uint64_t offset, size_t size)
{
    bool written = sector_of (layer, offset) != NULL;
    size_t run = SECTOR_SIZE - (size_t) (offset % SECTOR_SIZE);
    while (!written && run < size && sector_of (layer, offset + run) == NULL) {
        run += SECTOR_SIZE;
    }
    return run < size ? run : size;
}

static int read_below (struct layer *layer, uint64_t offset, uint8_t *data, size_t size)
{
    memset (data, 0, size);
    if (layer->below == NULL || offset >= layer->below_size) {
        return 0;
    }
    uint64_t there = layer->below_size - offset;
    size_t done, wanted = there < size ? (size_t) there : size;
    return layer->overlay->below->ops->read (layer->below, offset, data, wanted, &done);
}

static int read_file (struct disk_file *file, uint64_t offset, void *data, size_t size,
                      size_t *done)
{
    struct layer *layer = file->layer;
    uint8_t *to = data;
    uint64_t left = offset < layer->file.size ? layer->file.size - offset : 0;
    size_t wanted = left < size ? (size_t) left : size;
    for (size_t got = 0; got < wanted;) {
        uint64_t at = offset + got;
        size_t part = run_of (layer, at, wanted - got);
        const uint8_t *sector = sector_of (layer, at);
        if (sector != NULL) {
            memcpy (to + got, sector + at % SECTOR_SIZE, part);
        } else {
            int rc = read_below (layer, at, to + got, part);
            if (rc != 0) {
                return rc;
            }
        }
        got += part;
    }
    *done = wanted;
    return 0;
}

/* The sector's memory, with what was there before; writing cures a sector that cannot be read. */
static uint8_t *own_sector (struct layer *layer, uint64_t offset)
{
    uint8_t **sector = &layer->file.blocks[offset / SECTOR_SIZE];
    if (*sector == NULL) {
        *sector = mem_alloc (SECTOR_SIZE);
        if (*sector != NULL &&
            read_below (layer, offset - offset % SECTOR_SIZE, *sector, SECTOR_SIZE) != 0) {
            memset (*sector, 0, SECTOR_SIZE);
        }
    }
    return *sector;
}

static int write_file (struct disk_file *file, uint64_t offset, const void *data, size_t size)
{
    struct layer *layer = file->layer;
    const uint8_t *from = data;
    for (size_t put = 0; put < size;) {
        uint64_t at = offset + put;
        size_t part = SECTOR_SIZE - (size_t) (at % SECTOR_SIZE);
        part = part < size - put ? part : size - put;
        /* Space that is filled with zeros ahead of time costs nothing. */
        bool needed = at - at % SECTOR_SIZE < layer->below_size || sector_of (layer, at) != NULL ||
                      !all_zero (from + put, part);
        if (needed) {
            uint8_t *sector = named_file_grow (&layer->file, (size_t) (at / SECTOR_SIZE) + 1)
                                  ? own_sector (layer, at)
                                  : NULL;
            if (sector == NULL) {
                return -ENOMEM;
            }
            memcpy (sector + at % SECTOR_SIZE, from + put, part);
        }
        put += part;
    }
    layer->file.size = offset + size > layer->file.size ? offset + size : layer->file.size;
    return 0;
}

static int sync_file (struct disk_file *file)
{
    (void) file;
    return 0;
}

static int truncate_file (struct disk_file *file, uint64_t size)
{
    struct layer *layer = file->layer;
    uint8_t *sector = sector_of (layer, size);
    if (sector != NULL) {
        memset (sector + size % SECTOR_SIZE, 0, SECTOR_SIZE - (size_t) (size % SECTOR_SIZE));
    }
    uint64_t kept = (size + SECTOR_SIZE - 1) / SECTOR_SIZE;
    if (kept < layer->file.blocks_count) {
        named_file_cut (&layer->file, (size_t) kept);
    }
    layer->below_size = size < layer->below_size ? size : layer->below_size;
    layer->file.size = size;
    return 0;
}

/* ---- Names ------------------------------------------------------------------------------- */

static int unlink_file (struct disk *disk, const char *name)
{
    return named_files_unlink (&of (disk)->layers, name);
}

static int rename_file (struct disk *disk, const char *from, const char *to)
{
    return named_files_rename (&of (disk)->layers, from, to);
}

static int sync_names (struct disk *disk)
{
    (void) disk;
    return 0;
}

static int list_names (struct disk *disk, disk_name_fn *fn, void *arg)
{
    named_files_list (&of (disk)->layers, fn, arg);
    return 0;
}

static int space (struct disk *disk, uint64_t *bytes)
{
    struct disk *below = of (disk)->below;
    return below->ops->space (below, bytes);
}

static int lock (struct disk *disk)
{
    (void) disk;
    return 0;
}

static void destroy (struct disk *disk)
{
    struct overlay *self = of (disk);
    named_files_deinit (&self->layers);
    mem_free (self);
}

static void collect (void *arg, const char *name)
{
    struct overlay *self = arg;
    self->failed |= add (self, name, true) == NULL;
}

int overlay_new (struct disk *below, struct disk **disk)
{
    static const struct disk_ops ops = {
        .destroy = destroy,
        .open = open_file,
        .close = close_file,
        .size = size_of,
        .read = read_file,
        .write = write_file,
        .sync = sync_file,
        .truncate = truncate_file,
        .rename = rename_file,
        .unlink = unlink_file,
        .sync_names = sync_names,
        .list = list_names,
        .space = space,
        .lock = lock,
    };
    struct overlay *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        return -ENOMEM;
    }
    self->base.ops = &ops;
    self->below = below;
    named_files_init (&self->layers, free_layer);
    int rc = below->ops->list (below, collect, self);
    if (rc == 0 && self->failed) {
        rc = -ENOMEM;
    }
    if (rc != 0) {
        destroy (&self->base);
        return rc;
    }
    *disk = &self->base;
    return 0;
}

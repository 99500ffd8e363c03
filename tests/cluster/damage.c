/* Damage to the data folder of a server. */

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/cluster/ensemble.h"
#include "tests/unit/unit.h"

enum { PATH_SIZE = 2 * ENSEMBLE_TEXT, SECTOR = 512, SECTORS_MAX = 16 };
enum {
    MANIFEST_MAX = 64 << 10,
    IDS_SIZE = 40 /* that its head begins with: of server and cluster */
};

/* What the newest segment ends with is left alone by what could make it look as if it had ended
 * before: more than a batch, which the watermark behind it covers. */
enum { BATCH_MAX = 128 << 10 };

struct files {
    const char *folder;
    struct dirent **names;
    size_t count;
};

/* ---- Files ----------------------------------------------------------------------------------- */

static int is_kept (const struct dirent *entry)
{
    return strncmp (entry->d_name, "log.", 4) == 0 || strncmp (entry->d_name, "snap.", 5) == 0 ||
           strncmp (entry->d_name, "meta.", 5) == 0 || strcmp (entry->d_name, "manifest") == 0;
}

static void list_files (struct files *self, const char *folder)
{
    int count = scandir (folder, &self->names, is_kept, alphasort);
    assert_true (count >= 0);
    self->folder = folder;
    self->count = (size_t) count;
}

static void forget_files (struct files *self)
{
    while (self->count > 0) {
        free (self->names[--self->count]);
    }
    free (self->names);
}

static void path_of (const struct files *self, size_t index, char path[PATH_SIZE])
{
    (void) snprintf (path, PATH_SIZE, "%s/%s", self->folder, self->names[index]->d_name);
}

/* The number of a segment of the log; 0: it is none. */
static unsigned long segment_of (const char *name)
{
    return strncmp (name, "log.", 4) == 0 ? strtoul (name + 4, NULL, 10) : 0;
}

static bool is_newest_segment (const struct files *self, size_t index)
{
    unsigned long segment = segment_of (self->names[index]->d_name);
    bool newest = segment != 0;
    for (size_t i = 0; i < self->count; i++) {
        newest = newest && segment_of (self->names[i]->d_name) <= segment;
    }
    return newest;
}

/* How much of it, up to the last byte that is not 0. */
static uint64_t used_of (const char *path)
{
    uint64_t used = 0, at = 0;
    FILE *file = fopen (path, "r");
    assert_non_null (file);
    for (int byte; (byte = fgetc (file)) != EOF;) {
        at++;
        used = byte != 0 ? at : used;
    }
    assert_int_equal (fclose (file), 0);
    return used;
}

/* ---- An older manifest ----------------------------------------------------------------------- */

static void manifest_paths (const struct ensemble_server *server, char path[PATH_SIZE],
                            char kept[PATH_SIZE])
{
    (void) snprintf (path, PATH_SIZE, "%s/manifest", server->data);
    (void) snprintf (kept, PATH_SIZE, "%s-manifest", server->data);
}

/* false: there is none. */
static bool read_manifest (const char *path, uint8_t bytes[MANIFEST_MAX], size_t *size)
{
    FILE *file = fopen (path, "r");
    if (file == NULL) {
        return false;
    }
    *size = fread (bytes, 1, MANIFEST_MAX, file);
    assert_true (*size < MANIFEST_MAX);
    assert_int_equal (fclose (file), 0);
    return *size >= IDS_SIZE;
}

static void write_manifest (const char *path, const uint8_t *bytes, size_t size)
{
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    assert_int_equal (fwrite (bytes, 1, size, file), size);
    assert_int_equal (fclose (file), 0);
}

void ensemble_keep_manifest (struct ensemble *self, size_t index)
{
    static uint8_t bytes[MANIFEST_MAX];
    char path[PATH_SIZE], kept[PATH_SIZE];
    size_t size;
    manifest_paths (&self->servers[index], path, kept);
    if (read_manifest (path, bytes, &size)) {
        write_manifest (kept, bytes, size);
    }
}

/* false: none was kept of this store, or it is the same. */
static bool put_manifest_back (const struct ensemble_server *server)
{
    static uint8_t now[MANIFEST_MAX], before[MANIFEST_MAX];
    char path[PATH_SIZE], kept[PATH_SIZE];
    size_t now_size, before_size;
    manifest_paths (server, path, kept);
    if (!read_manifest (path, now, &now_size) || !read_manifest (kept, before, &before_size) ||
        memcmp (now, before, IDS_SIZE) != 0 ||
        (now_size == before_size && memcmp (now, before, now_size) == 0)) {
        return false;
    }
    write_manifest (path, before, before_size);
    return true;
}

/* ---- What becomes of one --------------------------------------------------------------------- */

static void change_byte (const char *path, uint64_t offset, uint64_t draw)
{
    FILE *file = fopen (path, "r+");
    assert_non_null (file);
    assert_int_equal (fseek (file, (long) offset, SEEK_SET), 0);
    int byte = fgetc (file);
    assert_true (byte != EOF);
    assert_int_equal (fseek (file, (long) offset, SEEK_SET), 0);
    assert_true (fputc (byte ^ (1 << draw % 8), file) != EOF);
    assert_int_equal (fclose (file), 0);
}

/* Not behind its end. */
static void zero (const char *path, uint64_t offset, uint64_t end)
{
    static const uint8_t zeros[SECTOR * SECTORS_MAX];
    uint64_t size = end - offset < sizeof zeros ? end - offset : sizeof zeros;
    FILE *file = fopen (path, "r+");
    assert_non_null (file);
    assert_int_equal (fseek (file, (long) offset, SEEK_SET), 0);
    assert_int_equal (fwrite (zeros, 1, size, file), size);
    assert_int_equal (fclose (file), 0);
}

/* With the next one of its kind, around the end; false: there is none. */
static bool swap (const struct files *self, size_t index, char *what, size_t size)
{
    char path[PATH_SIZE], other_path[PATH_SIZE], aside[PATH_SIZE + 8];
    size_t other = (index + 1) % self->count;
    while (strncmp (self->names[other]->d_name, self->names[index]->d_name, 4) != 0) {
        other = (other + 1) % self->count;
    }
    if (other == index) {
        return false;
    }
    path_of (self, index, path);
    path_of (self, other, other_path);
    (void) snprintf (aside, sizeof aside, "%s.aside", path);
    assert_int_equal (rename (path, aside), 0);
    assert_int_equal (rename (other_path, path), 0);
    assert_int_equal (rename (aside, other_path), 0);
    (void) snprintf (what, size, "%s and %s have changed places", self->names[index]->d_name,
                     self->names[other]->d_name);
    return true;
}

static bool damage (const struct files *self, size_t index, uint64_t draw, char *what, size_t size)
{
    char path[PATH_SIZE];
    const char *name = self->names[index]->d_name;
    path_of (self, index, path);
    uint64_t used = used_of (path);
    if (used == 0) {
        return false;
    }
    uint64_t offset = draw % used, kind = (draw >> 40) % 8;
    if (kind == 0 && swap (self, index, what, size)) {
        return true;
    }
    bool last = is_newest_segment (self, index) && offset + BATCH_MAX > used;
    if (kind > 3 || kind == 0 || (last && kind != 3)) {
        change_byte (path, offset, draw >> 44);
        (void) snprintf (what, size, "%s at offset %" PRIu64, name, offset);
    } else if (kind == 1) {
        zero (path, offset, used);
        (void) snprintf (what, size, "%s is zeroed at offset %" PRIu64, name, offset);
    } else if (kind == 2) {
        assert_int_equal (truncate (path, (off_t) offset), 0);
        (void) snprintf (what, size, "%s is cut off at %" PRIu64, name, offset);
    } else {
        assert_int_equal (unlink (path), 0);
        (void) snprintf (what, size, "%s is removed", name);
    }
    return true;
}

bool ensemble_damage (struct ensemble *self, size_t index, uint64_t draw, char *what, size_t size)
{
    struct files files;
    assert_int_equal (self->servers[index].pid, 0);
    list_files (&files, self->servers[index].data);
    bool done = (draw >> 32) % 8 == 0 && put_manifest_back (&self->servers[index]);
    if (done) {
        (void) snprintf (what, size, "an older manifest is put back");
    }
    for (size_t i = 0; i < files.count && !done; i++) {
        done = damage (&files, ((draw >> 48) + i) % files.count, draw, what, size);
    }
    forget_files (&files);
    return done;
}

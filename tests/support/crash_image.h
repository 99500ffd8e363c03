/*
 *  tests/support/crash_image.h - what is on a crash_disk: durable, in the cache, and on the way
 *
 *  Private to crash_disk.
 */
#ifndef TESTS_SUPPORT_CRASH_IMAGE_H
#define TESTS_SUPPORT_CRASH_IMAGE_H

#include "client/base/container.h"
#include "client/base/prng.h"
#include "tests/support/crash_disk.h"

enum { CRASH_NAME_SIZE = 64, CRASH_SECTOR = 512 };

struct bytes {
    uint8_t *data;
    uint64_t size, room;
};

/*  A write, or (data NULL) a change of size, that no sync has covered. */
struct change {
    uint64_t offset, size;
    uint8_t *data;
};

/*  A sector that is not what was written, and what it should be; or (bad) that cannot be read.
 *  covered: it was written since, and if that is lost it is as before. */
struct harm {
    uint64_t sector;
    bool covered, bad;
    uint8_t right[CRASH_SECTOR], wrong[CRASH_SECTOR];
};

struct image {
    unsigned references; /*  names, durable and cached, operations on names, open files */
    struct bytes durable, cached;
    /*  With crash_disk_keep_versions: of each sector, when it was written, what it held before. */
    struct bytes earlier;
    int64_t *written;
    size_t written_room;
    struct harm *harms;
    size_t harms_count, harms_room;
    struct change *changes;
    size_t changes_count, changes_room;
};

struct name {
    char name[CRASH_NAME_SIZE];
    struct image *image;
};

struct folder {
    struct name *names;
    size_t count, room;
};

enum name_change_type { NAME_CREATE = 1, NAME_RENAME, NAME_UNLINK };

struct name_change {
    enum name_change_type type;
    char name[CRASH_NAME_SIZE], to[CRASH_NAME_SIZE];
    struct image *image;
};

struct crash_disk {
    struct prng prng;
    bool opened, stopped, failed, spared, keeps_versions;
    int64_t now_ms;
    bool stop_whole;                   /*  what stop_at counts to is done first */
    bool stop_names;                   /*  only what changes names is counted, */
    char stop_prefix[CRASH_NAME_SIZE]; /*  and only files whose names begin so */
    uint64_t operations, stop_at, fail_at, fail_read_at, failures, space;
    uint64_t allocated; /*  bytes, without being written */
    bool copies;        /*  on write */
    int fail_error;
    struct folder durable, cached;
    struct name_change *changes;
    size_t changes_count, changes_room;
    crash_disk_trace_fn *trace;
    void *trace_arg;
    crash_strike_fn *struck;
    void *struck_arg;
    uint64_t misread_at;
    crash_misread_fn *misread;
    void *misread_arg;
};

void crash_set_name (char to[CRASH_NAME_SIZE], const char *name);
struct image *crash_find (const struct crash_disk *self, const char *name);

/*  With a reference for the caller. */
struct image *crash_create (struct crash_disk *self, const char *name);
void crash_release (struct crash_disk *self, struct image *image);
void crash_rename (struct crash_disk *self, const char *from, const char *to);
void crash_unlink (struct crash_disk *self, const char *name);
void crash_sync_names (struct crash_disk *self);

void crash_write (struct crash_disk *self, struct image *image, uint64_t offset, const void *data,
                  size_t size);
void crash_truncate (struct image *image, uint64_t size);
/*  Before the bytes are in the cache. */
void crash_note_versions (struct crash_disk *self, struct image *image, uint64_t offset,
                          const void *data, size_t size);
/*  What covers harm is durable; or perhaps it was lost. */
void crash_heal_covered (struct image *image);
void crash_uncover (struct image *image);
void crash_forget_harm (struct image *image);
/*  What was read there, as it should be, or as the disk misreads it. */
void crash_read_right (const struct image *image, uint64_t offset, uint8_t *data, size_t size);
void crash_misread (struct crash_disk *self, const struct image *image, uint64_t offset,
                    uint8_t *data, size_t size);
void crash_sync (struct image *image);
/*  Some sectors reach the disk, the others never will. */
void crash_sync_fails (struct crash_disk *self, struct image *image);
bool crash_is_bad (const struct image *image, uint64_t offset, size_t size);

/*  For tests: there is always memory. */
void *crash_must (void *memory);
void crash_resize (struct bytes *self, uint64_t size);
void crash_put (struct bytes *self, uint64_t offset, const uint8_t *data, uint64_t size);

#endif

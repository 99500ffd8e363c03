/*
 * tests/unit/store/spoil.c - snapshots that are of no use although their checksums are right
 */
#include "tests/unit/store/spoil.h"

#include "server/store/format.h"
#include "server/store/manifest.h"
#include "tests/unit/unit.h"

static void newest_name (struct disk *disk, char name[NAME_SIZE])
{
    struct manifest manifest = {.number = 0};
    struct file_ids ids;
    struct fault fault;
    bool found;
    assert_int_equal (manifest_read (&manifest, disk, &ids, &found, &fault), 0);
    assert_true (manifest.snapshots_count > 0);
    const struct snapshot_entry *entry = &manifest.snapshots[manifest.snapshots_count - 1];
    name_snapshot (name, entry->point.zxid, entry->serial);
    manifest_deinit (&manifest);
}

void spoil_newest_snapshot (struct disk *disk)
{
    static uint8_t bytes[SNAPSHOT_BLOCK_HEADER_MAX + SNAPSHOT_BLOCK_SIZE];
    char name[NAME_SIZE];
    struct disk_file *file;
    struct snapshot_block block;
    size_t done;
    newest_name (disk, name);
    assert_int_equal (disk->ops->open (disk, name, false, &file), 0);
    assert_int_equal (disk->ops->read (file, SNAPSHOT_HEAD_SIZE, bytes, sizeof bytes, &done), 0);
    assert_true (snapshot_block_decode (SNAPSHOT_PACKED, bytes, &block));
    assert_true (block.body < block.size);
    bytes[block.header] ^= 0xff; /* of the frame's magic */
    size_t size = snapshot_block_encode (bytes, 0, block.body, block.size);
    assert_int_equal (disk->ops->write (file, SNAPSHOT_HEAD_SIZE, bytes, size), 0);
    disk->ops->close (file);
}

void damage_newest_snapshot (struct disk *disk)
{
    static const uint8_t nothing[SNAPSHOT_HEAD_SIZE];
    char name[NAME_SIZE];
    struct disk_file *file;
    newest_name (disk, name);
    assert_int_equal (disk->ops->open (disk, name, false, &file), 0);
    assert_int_equal (disk->ops->write (file, 0, nothing, sizeof nothing), 0);
    disk->ops->close (file);
}

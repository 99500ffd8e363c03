/*
 *  server/store/cache.h - the owner's index of the log, and the tail of it in memory
 *
 *  The log is a row of chunks.  A chunk in memory holds records as they are on the disk; they are
 *  built there once, the worker finishes and writes them from there, and readers get pointers into
 *  it.  Of a chunk that was evicted only the places of its records remain; it can be loaded again,
 *  one at a time.
 *
 *  A chunk may be changed or freed only when the worker has done all work up to its ticket.
 *  The owner's.  May include: base, format.h, disk.h.
 */
#ifndef SERVER_STORE_CACHE_H
#define SERVER_STORE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/list.h"
#include "server/store/disk.h"
#include "server/store/fault.h"
#include "server/store/format.h"

/*  Where consecutive records of a chunk are: [start, end) of a segment. */
struct run {
    uint32_t segment;
    uint64_t start, end;
};

struct chunk {
    struct list_node node; /*  in the limbo */
    uint8_t *data;         /*  NULL: not in memory.  Records from the front, their offsets (u32) */
    size_t capacity;       /*  from the end backwards                                            */
    size_t used;
    size_t count;
    size_t gone, gone_bytes; /*  records at the front that the base has passed; not in count */
    zxid_t first, last;      /*  of the records that count */
    uint64_t position;       /*  of its first byte in the stream of all records ever indexed */
    uint64_t ticket;
    bool closed; /*  takes no more records: cut, or evicted once */
    struct run *runs;
    size_t runs_count;
};

struct cache {
    struct disk *disk;
    struct file_ids ids;
    struct chunk **chunks;
    size_t count, room;
    size_t evicted;       /*  so many from the front are not in memory */
    struct chunk *loaded; /*  but this one is */
    struct list limbo;
    size_t bytes, bytes_max; /*  in memory */
    size_t chunk_bytes;
    uint8_t *spare; /*  chunk_bytes, or NULL: memory of the chunk evicted last */
    struct zab_point base, last;

    struct disk_file *file; /*  the segment read last */
    uint32_t file_segment;
    char file_name[NAME_SIZE];
};

void cache_init (struct cache *self, struct disk *disk, uint64_t bytes_max);
void cache_deinit (struct cache *self);

/*  Forgets everything; the log begins (and ends) at base.  done: work the worker has done. */
void cache_reset (struct cache *self, struct zab_point base, uint64_t done);

/*  Room for a record of `total` bytes at the end; NULL: out of memory.  *at stays until the chunk
 *  is evicted.  The record counts when cache_commit is called. */
struct chunk *cache_extend (struct cache *self, size_t total, uint8_t **at);
void cache_commit (struct cache *self, struct chunk *chunk, size_t total, zxid_t zxid,
                   uint64_t chain);

/*  Gives memory back: chunks from the front, as long as there is too much, and those that were
 *  cut off. */
void cache_evict (struct cache *self, uint64_t done);
/*  All that can be given back; the chunk that is being filled stays. */
void cache_rest (struct cache *self, uint64_t done);

/*  The record with the smallest zxid > after: its chunk and index in it; NULL: none. */
struct chunk *cache_find (const struct cache *self, zxid_t after, size_t *index);
struct chunk *cache_next (const struct cache *self, const struct chunk *chunk);
const uint8_t *cache_record (const struct chunk *chunk, size_t index);

/*  Makes the chunk's records readable.  0, COHORT_ECORRUPT, COHORT_ESYSTEM, COHORT_ENOMEM. */
int cache_load (struct cache *self, struct chunk *chunk, struct fault *fault);

/*  Cuts behind the record `index` of chunk (or behind the base: NULL). */
void cache_truncate (struct cache *self, struct chunk *chunk, size_t index, uint64_t done);

/*  Forgets what is at or before base; nothing of that will be read from the disk again.  Errors as
 *  cache_load. */
int cache_purge (struct cache *self, struct zab_point base, uint64_t done, struct fault *fault);

/*  Of all records ever indexed: bytes up to the end, and up to and with this zxid (roughly, if
 *  its chunk is not in memory). */
uint64_t cache_end (const struct cache *self);
uint64_t cache_position (const struct cache *self, zxid_t zxid);

/*  Closes the segment that is kept open for reading. */
void cache_close_file (struct cache *self);

#endif

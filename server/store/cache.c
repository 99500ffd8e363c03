/*
 *  server/store/cache.c - the owner's index of the log, and the tail of it in memory
 */
#include "server/store/cache.h"

#include <errno.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "cohort/error.h"

enum { CHUNK_MAX = 1 << 20, CHUNK_MIN = 16 << 10, CHUNKS_IN_CACHE = 32 };

void cache_init (struct cache *self, struct disk *disk, uint64_t bytes_max)
{
    uint64_t chunk_bytes = bytes_max / CHUNKS_IN_CACHE;
    *self = (struct cache){
        .disk = disk,
        .bytes_max = bytes_max < SIZE_MAX ? (size_t) bytes_max : SIZE_MAX,
        .chunk_bytes = chunk_bytes > CHUNK_MAX   ? CHUNK_MAX
                       : chunk_bytes < CHUNK_MIN ? CHUNK_MIN
                                                 : (size_t) chunk_bytes,
    };
    list_init (&self->limbo);
}

/* ---- Chunks ------------------------------------------------------------------------------ */

/*  Memory that was used once costs no page faults. */
static void free_data (struct cache *self, const struct chunk *chunk)
{
    if (chunk->data != NULL && self->spare == NULL && chunk->capacity == self->chunk_bytes) {
        self->spare = chunk->data;
    } else {
        mem_free (chunk->data);
    }
}

static void chunk_free (struct cache *self, struct chunk *chunk)
{
    free_data (self, chunk);
    mem_free (chunk->runs);
    mem_free (chunk);
}

/*  Takes the memory of a chunk out of the count. */
static void forget_bytes (struct cache *self, const struct chunk *chunk)
{
    if (chunk->data != NULL) {
        COHORT_ASSERT (self->bytes >= chunk->capacity);
        self->bytes -= chunk->capacity;
    }
}

static void drop (struct cache *self, struct chunk *chunk, uint64_t done)
{
    if (self->loaded == chunk) {
        self->loaded = NULL;
    }
    if (chunk->data != NULL && chunk->ticket > done) {
        list_push_back (&self->limbo, &chunk->node);
        return;
    }
    forget_bytes (self, chunk);
    chunk_free (self, chunk);
}

static void drop_limbo (struct cache *self, uint64_t done)
{
    struct list_node *at = list_first (&self->limbo);
    while (at != NULL) {
        struct chunk *chunk = list_entry (at, struct chunk, node);
        at = list_next (&self->limbo, at);
        if (chunk->ticket <= done) {
            list_remove (&chunk->node);
            forget_bytes (self, chunk);
            chunk_free (self, chunk);
        }
    }
}

void cache_reset (struct cache *self, struct zab_point base, uint64_t done)
{
    for (size_t i = 0; i < self->count; i++) {
        drop (self, self->chunks[i], done);
    }
    self->count = self->evicted = 0;
    self->base = self->last = base;
    cache_close_file (self);
}

void cache_deinit (struct cache *self)
{
    cache_reset (self, self->base, UINT64_MAX);
    drop_limbo (self, UINT64_MAX);
    mem_free (self->spare);
    self->spare = NULL;
    mem_free (self->chunks);
    self->chunks = NULL;
}

static uint8_t *offset_slot (const struct chunk *chunk, size_t index)
{
    return chunk->data + chunk->capacity - 4 * (index + 1);
}

const uint8_t *cache_record (const struct chunk *chunk, size_t index)
{
    COHORT_ASSERT (chunk->data != NULL);
    COHORT_ASSERT (index < chunk->count);
    return chunk->data + bytes_get_u32 (offset_slot (chunk, chunk->gone + index));
}

static size_t capacity_for (size_t records, size_t count)
{
    return (records + 4 * count + RECORD_ALIGN - 1) & ~(size_t) (RECORD_ALIGN - 1);
}

static bool fits (const struct chunk *chunk, size_t total)
{
    return !chunk->closed && chunk->data != NULL &&
           capacity_for (chunk->used + total, chunk->gone + chunk->count + 1) <= chunk->capacity;
}

static struct chunk *add_chunk (struct cache *self, size_t total)
{
    if (self->count == self->room) {
        size_t room = self->room * 2 + 16;
        struct chunk **chunks = mem_realloc (self->chunks, room * sizeof (struct chunk *));
        if (chunks == NULL) {
            return NULL;
        }
        self->chunks = chunks;
        self->room = room;
    }
    struct chunk *chunk = mem_calloc (1, sizeof *chunk);
    if (chunk == NULL) {
        return NULL;
    }
    size_t needed = capacity_for (total, 1);
    chunk->capacity = needed > self->chunk_bytes ? needed : self->chunk_bytes;
    if (self->spare != NULL && chunk->capacity == self->chunk_bytes) {
        chunk->data = self->spare;
        self->spare = NULL;
    } else {
        chunk->data = mem_alloc (chunk->capacity);
    }
    if (chunk->data == NULL) {
        mem_free (chunk);
        return NULL;
    }
    chunk->position = cache_end (self);
    self->bytes += chunk->capacity;
    self->chunks[self->count++] = chunk;
    return chunk;
}

struct chunk *cache_extend (struct cache *self, size_t total, uint8_t **at)
{
    struct chunk *chunk = self->count > 0 ? self->chunks[self->count - 1] : NULL;
    if (chunk == NULL || !fits (chunk, total)) {
        chunk = add_chunk (self, total);
        if (chunk == NULL) {
            return NULL;
        }
    }
    *at = chunk->data + chunk->used;
    return chunk;
}

void cache_commit (struct cache *self, struct chunk *chunk, size_t total, zxid_t zxid,
                   uint64_t chain)
{
    COHORT_ASSERT (self->count > 0 && self->chunks[self->count - 1] == chunk);
    COHORT_ASSERT (zxid > self->last.zxid);
    bytes_put_u32 (offset_slot (chunk, chunk->gone + chunk->count), (uint32_t) chunk->used);
    if (chunk->count == 0) {
        chunk->first = zxid;
    }
    chunk->count++;
    chunk->used += total;
    chunk->last = zxid;
    self->last = (struct zab_point){.zxid = zxid, .chain = chain};
}

/* ---- Finding ----------------------------------------------------------------------------- */

/*  Index of the first chunk with a last zxid > after; count: none. */
static size_t find_chunk (const struct cache *self, zxid_t after)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->chunks[middle]->count == 0 || self->chunks[middle]->last > after) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

struct chunk *cache_find (const struct cache *self, zxid_t after, size_t *index)
{
    size_t at = find_chunk (self, after);
    if (at == self->count || self->chunks[at]->count == 0) {
        return NULL;
    }
    struct chunk *chunk = self->chunks[at];
    *index = 0;
    if (chunk->data == NULL || chunk->first > after) {
        return chunk; /*  the index is found when it has been loaded */
    }
    size_t low = 0, high = chunk->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (record_zxid (cache_record (chunk, middle)) > after) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    *index = low;
    return chunk;
}

struct chunk *cache_next (const struct cache *self, const struct chunk *chunk)
{
    size_t at = find_chunk (self, chunk->last);
    return at < self->count && self->chunks[at]->count > 0 ? self->chunks[at] : NULL;
}

uint64_t cache_end (const struct cache *self)
{
    if (self->count == 0) {
        return 0;
    }
    const struct chunk *chunk = self->chunks[self->count - 1];
    return chunk->position + chunk->used;
}

uint64_t cache_position (const struct cache *self, zxid_t zxid)
{
    size_t index;
    const struct chunk *chunk = cache_find (self, zxid, &index);
    if (chunk == NULL) {
        return cache_end (self);
    }
    return chunk->position +
           (chunk->data != NULL ? (size_t) (cache_record (chunk, index) - chunk->data) : 0);
}

/* ---- Dropping ---------------------------------------------------------------------------- */

/*  The first of the records [from, count) that is not in the segment of record `from`.  Segments
 *  rise, and old records are in no processor's cache: so as few as possible are looked at. */
static size_t run_end (const struct chunk *chunk, size_t from)
{
    uint32_t segment = record_segment (cache_record (chunk, from));
    size_t low = from + 1, high = chunk->count;
    if (record_segment (cache_record (chunk, chunk->count - 1)) == segment) {
        return chunk->count;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (record_segment (cache_record (chunk, middle)) == segment) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/*  Notes where the records of a durable chunk are. */
static bool note_runs (struct chunk *chunk)
{
    if (chunk->runs != NULL) {
        return true;
    }
    size_t room = 0;
    for (size_t i = 0; i < chunk->count; i = run_end (chunk, i)) {
        room++;
    }
    struct run *runs = mem_calloc (room, sizeof *runs);
    if (runs == NULL) {
        return false;
    }
    size_t count = 0;
    for (size_t i = 0; i < chunk->count; count++) {
        size_t end = run_end (chunk, i);
        const uint8_t *first = cache_record (chunk, i), *last = cache_record (chunk, end - 1);
        runs[count] = (struct run){
            .segment = record_segment (first),
            .start = record_offset (first),
            .end = record_offset (last) + record_total (record_size (last)),
        };
        i = end;
    }
    COHORT_ASSERT (count == room);
    chunk->runs = runs;
    chunk->runs_count = count;
    return true;
}

static void unload (struct cache *self, struct chunk *chunk)
{
    forget_bytes (self, chunk);
    free_data (self, chunk);
    chunk->data = NULL;
    /*  It will be loaded without what the base has passed. */
    chunk->position += chunk->gone_bytes;
    chunk->used -= chunk->gone_bytes;
    chunk->gone = chunk->gone_bytes = 0;
    if (self->loaded == chunk) {
        self->loaded = NULL;
    }
}

/*  A chunk that was evicted once, and loaded, has been changed. */
static void note_runs_again (struct cache *self, struct chunk *chunk)
{
    if (chunk->runs == NULL) {
        return;
    }
    mem_free (chunk->runs);
    chunk->runs = NULL;
    if (!note_runs (chunk)) {
        /*  It stays in memory then, until memory is there to evict it. */
        COHORT_ASSERT (self->loaded == chunk);
        self->loaded = NULL;
    }
}

static void evict_to (struct cache *self, size_t bytes_max, uint64_t done)
{
    drop_limbo (self, done);
    /*  The last chunk stays: it is being filled. */
    while (self->bytes > bytes_max && self->evicted + 1 < self->count) {
        struct chunk *chunk = self->chunks[self->evicted];
        if (chunk->data == NULL) {
            self->evicted++;
            continue;
        }
        if (chunk->ticket > done || !note_runs (chunk)) {
            return;
        }
        chunk->closed = true;
        unload (self, chunk);
        self->evicted++;
    }
}

void cache_evict (struct cache *self, uint64_t done)
{
    evict_to (self, self->bytes_max, done);
}

void cache_rest (struct cache *self, uint64_t done)
{
    evict_to (self, 0, done);
    mem_free (self->spare);
    self->spare = NULL;
}

void cache_truncate (struct cache *self, struct chunk *chunk, size_t index, uint64_t done)
{
    size_t kept = chunk == NULL ? 0 : find_chunk (self, chunk->last - 1) + 1;
    COHORT_ASSERT (kept <= self->count);
    while (self->count > kept) {
        drop (self, self->chunks[--self->count], done);
    }
    if (self->evicted > self->count) {
        self->evicted = self->count;
    }
    self->last = self->base;
    if (chunk != NULL) {
        const uint8_t *record = cache_record (chunk, index);
        chunk->count = index + 1;
        chunk->used = (size_t) (record - chunk->data) + record_total (record_size (record));
        chunk->last = record_zxid (record);
        chunk->closed = true;
        self->last = (struct zab_point){.zxid = chunk->last, .chain = record_chain (record)};
        note_runs_again (self, chunk);
    }
    cache_close_file (self);
}

/* ---- Loading ----------------------------------------------------------------------------- */

void cache_close_file (struct cache *self)
{
    if (self->file != NULL) {
        self->disk->ops->close (self->file);
        self->file = NULL;
    }
}

static int open_segment (struct cache *self, uint32_t segment, struct fault *fault)
{
    if (self->file != NULL && self->file_segment == segment) {
        return 0;
    }
    cache_close_file (self);
    name_segment (self->file_name, segment);
    int rc = self->disk->ops->open (self->disk, self->file_name, false, &self->file);
    if (rc != 0) {
        self->file = NULL;
        return rc == -ENOENT ? fault_set (fault, COHORT_ECORRUPT, "%s: missing", self->file_name)
                             : fault_final (fault, self->file_name, "open", rc);
    }
    self->file_segment = segment;
    return 0;
}

/*  Takes the entries out of bytes read from [run->start, run->end), leaving marks out. */
static int take_records (const struct cache *self, struct chunk *chunk, const struct run *run,
                         const uint8_t *bytes, struct fault *fault)
{
    uint64_t salt = record_salt (self->ids.store_id, run->segment);
    size_t size = (size_t) (run->end - run->start), at = 0;
    while (at < size) {
        struct record record;
        size_t total = 0;
        bool sound = size - at >= RECORD_HEADER_SIZE && record_decode (bytes + at, salt, &record);
        if (sound) {
            total = record_total (record.size);
            sound = total <= size - at && record.offset == run->start + at &&
                    record.segment == run->segment && record_body_sound (bytes + at, &record);
        }
        if (!sound) {
            return fault_set (fault, COHORT_ECORRUPT,
                              "%s: damaged: the record at offset %llu, which was sound before",
                              self->file_name, (unsigned long long) (run->start + at));
        }
        if (record.type == RECORD_ENTRY) {
            if (capacity_for (chunk->used + total, chunk->count + 1) > chunk->capacity) {
                return fault_set (fault, COHORT_ECORRUPT, "%s: damaged: it holds more than before",
                                  self->file_name);
            }
            memcpy (chunk->data + chunk->used, bytes + at, total);
            bytes_put_u32 (offset_slot (chunk, chunk->count), (uint32_t) chunk->used);
            chunk->used += total;
            chunk->count++;
        }
        at += total;
    }
    return 0;
}

static int load_run (struct cache *self, struct chunk *chunk, const struct run *run,
                     struct fault *fault)
{
    int rc = open_segment (self, run->segment, fault);
    if (rc != 0) {
        return rc;
    }
    size_t size = (size_t) (run->end - run->start), done;
    uint8_t *bytes = mem_alloc (size);
    if (bytes == NULL) {
        return fault_memory (fault);
    }
    rc = self->disk->ops->read (self->file, run->start, bytes, size, &done);
    if (rc != 0 || done < size) {
        rc = fault_set (fault, COHORT_ECORRUPT, "%s: damaged: cannot be read at offset %llu",
                        self->file_name, (unsigned long long) run->start);
    } else {
        rc = take_records (self, chunk, run, bytes, fault);
    }
    mem_free (bytes);
    return rc;
}

int cache_load (struct cache *self, struct chunk *chunk, struct fault *fault)
{
    if (chunk->data != NULL) {
        return 0;
    }
    COHORT_ASSERT (chunk->runs != NULL);
    if (self->loaded != NULL) {
        unload (self, self->loaded);
    }
    size_t count = chunk->count, used = chunk->used;
    chunk->capacity = capacity_for (used, count);
    chunk->data = mem_alloc (chunk->capacity);
    if (chunk->data == NULL) {
        return fault_memory (fault);
    }
    self->bytes += chunk->capacity;
    self->loaded = chunk;
    chunk->count = chunk->used = 0;
    int rc = 0;
    for (size_t i = 0; i < chunk->runs_count && rc == 0; i++) {
        rc = load_run (self, chunk, &chunk->runs[i], fault);
    }
    if (rc == 0 && (chunk->count != count || chunk->used != used)) {
        rc =
            fault_set (fault, COHORT_ECORRUPT, "%s: damaged: records are missing", self->file_name);
    }
    if (rc != 0) {
        unload (self, chunk);
        chunk->count = count;
        chunk->used = used;
    }
    return rc;
}

/* ---- Purging ----------------------------------------------------------------------------- */

/*  The base lies inside the chunk: what it has passed goes, also from the places on disk. */
static int pass (struct cache *self, struct chunk *chunk, zxid_t base, struct fault *fault)
{
    int rc = cache_load (self, chunk, fault);
    if (rc != 0) {
        return rc;
    }
    size_t index;
    struct chunk *found = cache_find (self, base, &index);
    COHORT_ASSERT (found == chunk);
    const uint8_t *record = cache_record (chunk, index);
    chunk->gone += index;
    chunk->count -= index;
    chunk->gone_bytes = (size_t) (record - chunk->data);
    chunk->first = record_zxid (record);
    note_runs_again (self, chunk);
    return 0;
}

int cache_purge (struct cache *self, struct zab_point base, uint64_t done, struct fault *fault)
{
    COHORT_ASSERT (base.zxid >= self->base.zxid);
    size_t count = find_chunk (self, base.zxid);
    if (count < self->count && self->chunks[count]->first <= base.zxid) {
        int rc = pass (self, self->chunks[count], base.zxid, fault);
        if (rc != 0) {
            return rc;
        }
    }
    for (size_t i = 0; i < count; i++) {
        drop (self, self->chunks[i], done);
    }
    self->count -= count;
    memmove (self->chunks, self->chunks + count, self->count * sizeof (struct chunk *));
    self->evicted -= count < self->evicted ? count : self->evicted;
    self->base = base;
    if (self->last.zxid < base.zxid) {
        self->last = base;
    }
    cache_close_file (self);
    return 0;
}

/* A hash map with chains, resized in steps.
 *
 * A bucket is chosen by the TOP bits of the mixed hash. So bucket i of any table holds exactly the
 * elements of one interval of mixed hashes, tables of all sizes order these intervals alike, and
 *  - a resize empties the old table from its first bucket on, and everything below that frontier
 *    is found in the new table: a look-up needs one chain, never two;
 *  - a scan is a position in the space of mixed hashes, which means the same in every table.
 *
 * Buckets live in segments. A resize makes those of the new table when the frontier gets there and
 * frees those of the old one behind it: giving back a single large array would hold up the caller
 * for milliseconds.
 * May include: base, libc. */

#include "client/base/map.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"

/* The smallest allocated table has 2^3 buckets. */
#define MAP_BITS_MIN 3
#define MAP_BITS_MAX 48
/* Buckets of a segment: small enough to be made in microseconds, and large enough that the
 * directory of a table with a hundred million buckets still is, too. */
#define MAP_SEGMENT_BITS 12
/* Old buckets moved by one insertion or removal. A resize must be over before the next one is due,
 * which any step above 1 ensures; a step must stay within one segment of each table; and it must be
 * a multiple of the factor by which tables shrink, so that the frontier never cuts a bucket of the
 * new table. */
#define MAP_STEP 8
/* Tables shrink by 2^2 when they have more than 2^3 buckets for each element. */
#define MAP_SHRINK_BITS 2
#define MAP_SPARSE_BITS 3
/* Empty buckets that one call of map_scan may pass. */
#define MAP_SCAN_EMPTY_MAX 64

_Static_assert((1 << MAP_BITS_MIN) % MAP_STEP == 0, "a step may not end inside a table");
_Static_assert(MAP_STEP % (1 << MAP_SHRINK_BITS) == 0, "the frontier may not cut a bucket");
_Static_assert((1 << MAP_SEGMENT_BITS) % (2 * MAP_STEP) == 0, "a step is within a segment");

/* Multiplication by an odd number is a bijection, and it spreads even sequential hashes over the
 * top bits (Knuth's Fibonacci hashing). */
static inline uint64_t mix (uint64_t hash)
{
    return hash * UINT64_C (0x9e3779b97f4a7c15);
}

static inline size_t bucket_index (const struct map_table *table, uint64_t mixed)
{
    /* In two shifts, for a single one by 64 (the table with one bucket) is undefined. */
    return (size_t) (mixed >> 1 >> (63 - table->bits));
}

/* The last mixed hash of the bucket that `mixed` belongs to. */
static inline uint64_t bucket_end (const struct map_table *table, uint64_t mixed)
{
    return mixed | (table->bits == 0 ? UINT64_MAX : UINT64_MAX >> table->bits);
}

static inline struct map_node **bucket_at (const struct map_table *table, size_t index)
{
    size_t mask = ((size_t) 1 << MAP_SEGMENT_BITS) - 1;
    return &table->segments[index >> MAP_SEGMENT_BITS][index & mask];
}

static inline size_t table_size (const struct map_table *table)
{
    return (size_t) 1 << table->bits;
}

static inline const struct map_table *old_table (const struct map *map)
{
    return &map->tables[1 - map->current];
}

/* The table that holds the elements with this mixed hash. */
static inline const struct map_table *table_of (const struct map *map, uint64_t mixed)
{
    const struct map_table *old = old_table (map);
    if (old->segments != NULL && bucket_index (old, mixed) >= map->migrated) {
        return old;
    }
    return &map->tables[map->current];
}

static inline struct map_node **chain_of (const struct map *map, uint64_t mixed)
{
    const struct map_table *table = table_of (map, mixed);
    return bucket_at (table, bucket_index (table, mixed));
}

static size_t segment_count (const struct map_table *table)
{
    return table->bits <= MAP_SEGMENT_BITS ? 1 : (size_t) 1 << (table->bits - MAP_SEGMENT_BITS);
}

/* A table without segments; false, and no table, when there is no memory. */
static bool table_open (struct map_table *table, unsigned bits)
{
    COHORT_ASSERT (table->segments == NULL);
    COHORT_ASSERT (bits >= MAP_BITS_MIN);
    COHORT_ASSERT (bits <= MAP_BITS_MAX);
    table->bits = (uint8_t) bits;
    table->only = NULL;
    size_t count = segment_count (table);
    table->segments = count == 1 ? &table->only : mem_calloc (count, sizeof (*table->segments));
    return table->segments != NULL;
}

/* Makes the segment of bucket `index`, if it is not there; false when there is no memory. */
static bool table_reach (struct map_table *table, size_t index)
{
    struct map_node ***segment = &table->segments[index >> MAP_SEGMENT_BITS];
    if (*segment == NULL) {
        size_t segment_max = (size_t) 1 << MAP_SEGMENT_BITS;
        size_t size = table_size (table) < segment_max ? table_size (table) : segment_max;
        *segment = mem_calloc (size, sizeof (**segment));
    }
    return *segment != NULL;
}

/* Frees one segment, if it is there. */
static void table_drop (struct map *map, struct map_table *table, size_t segment)
{
    if (table->segments[segment] != map->seed) {
        mem_free (table->segments[segment]);
    }
    table->segments[segment] = NULL;
}

/* Frees the table with what segments it still has. */
static void table_close (struct map *map, struct map_table *table)
{
    if (table->segments == NULL) {
        return;
    }
    for (size_t i = 0; i < segment_count (table); i++) {
        table_drop (map, table, i);
    }
    if (table->segments != &table->only) {
        mem_free (table->segments);
    }
    table->segments = NULL;
}

/* Begins to move to a table of 2^bits buckets. Without memory for it nothing changes, and the next
 * insertion or removal tries again. */
static void start_resize (struct map *map, unsigned bits)
{
    if (table_open (&map->tables[1 - map->current], bits)) {
        map->current = 1 - map->current;
        map->migrated = 0;
    }
}

static void migrate_bucket (struct map *map, struct map_table *old, size_t index)
{
    struct map_node **bucket = bucket_at (old, index);
    struct map_node *node = *bucket;
    *bucket = NULL;
    const struct map_table *table = &map->tables[map->current];
    while (node != NULL) {
        struct map_node *next = node->next;
        struct map_node **chain = bucket_at (table, bucket_index (table, mix (node->hash)));
        node->next = *chain;
        *chain = node;
        node = next;
    }
}

/* A step of the resize that is under way. Without memory for the segment that comes next the
 * frontier stays where it is. */
static void migrate (struct map *map, struct map_table *old)
{
    struct map_table *table = &map->tables[map->current];
    size_t size = table_size (old);
    size_t target = table->bits >= old->bits ? map->migrated << (table->bits - old->bits)
                                             : map->migrated >> (old->bits - table->bits);
    if (!table_reach (table, target)) {
        return;
    }
    size_t stop = size - map->migrated > MAP_STEP ? map->migrated + MAP_STEP : size;
    for (size_t i = map->migrated; i < stop; i++) {
        migrate_bucket (map, old, i);
    }
    map->migrated = stop;
    if (stop == size) {
        table_close (map, old);
    } else if (stop % ((size_t) 1 << MAP_SEGMENT_BITS) == 0) {
        table_drop (map, old, (stop >> MAP_SEGMENT_BITS) - 1);
    }
}

/* After each change: a step of the resize that is under way, or the start of one that is due.  Who
 * inserts may have reserved room: only a removal finds that there is too much. */
static void maintain (struct map *map, bool removed)
{
    /* While a bucket is being visited no chain may be moved. */
    if (map->visiting) {
        return;
    }
    struct map_table *old = &map->tables[1 - map->current];
    if (old->segments != NULL) {
        migrate (map, old);
        return;
    }
    const struct map_table *table = &map->tables[map->current];
    unsigned bits = table->bits;
    size_t size = table_size (table);
    if (map->count > size && bits < MAP_BITS_MAX) {
        start_resize (map, bits < MAP_BITS_MIN ? MAP_BITS_MIN : bits + 1);
    } else if (removed && map->count < size >> MAP_SPARSE_BITS &&
               bits >= MAP_BITS_MIN + MAP_SHRINK_BITS) {
        start_resize (map, bits - MAP_SHRINK_BITS);
    }
}

void map_init (struct map *map)
{
    *map = (struct map){0};
    map->tables[0].only = map->seed;
    map->tables[0].segments = &map->tables[0].only;
}

void map_deinit (struct map *map)
{
    COHORT_ASSERT (!map->visiting);
    table_close (map, &map->tables[0]);
    table_close (map, &map->tables[1]);
    map_init (map);
}

size_t map_count (const struct map *map)
{
    return map->count;
}

void map_insert (struct map *map, struct map_node *node)
{
    COHORT_ASSERT (!map->visiting);
    struct map_node **chain = chain_of (map, mix (node->hash));
    node->next = *chain;
    *chain = node;
    map->count++;
    maintain (map, false);
}

/* Moves everything out of the old table, if there is one; false: without memory for that. */
static bool finish_resize (struct map *map)
{
    struct map_table *old = &map->tables[1 - map->current];
    while (old->segments != NULL) {
        size_t before = map->migrated;
        migrate (map, old);
        if (old->segments != NULL && map->migrated == before) {
            return false;
        }
    }
    return true;
}

void map_reserve (struct map *map, size_t count)
{
    COHORT_ASSERT (!map->visiting);
    unsigned bits = MAP_BITS_MIN;
    while (bits < MAP_BITS_MAX && (size_t) 1 << bits < count) {
        bits++;
    }
    if (!finish_resize (map) || bits <= map->tables[map->current].bits) {
        return;
    }
    struct map_table *next = &map->tables[1 - map->current];
    if (!table_open (next, bits)) {
        return;
    }
    for (size_t i = 0; i < segment_count (next); i++) {
        if (!table_reach (next, i << MAP_SEGMENT_BITS)) {
            table_close (map, next);
            return;
        }
    }
    struct map_table *old = &map->tables[map->current];
    map->current = 1 - map->current;
    for (size_t i = 0; i < table_size (old); i++) {
        migrate_bucket (map, old, i);
    }
    table_close (map, old);
}

void map_prefetch (const struct map *map, uint64_t hash)
{
    __builtin_prefetch (chain_of (map, mix (hash)));
}

const struct map_node *map_peek (const struct map *map, uint64_t hash)
{
    return *chain_of (map, mix (hash));
}

struct map_node *map_find (const struct map *map, uint64_t hash, map_equal_fn *equal,
                           const void *key)
{
    struct map_node *node = *chain_of (map, mix (hash));
    while (node != NULL && (node->hash != hash || !equal (node, key))) {
        node = node->next;
    }
    return node;
}

void map_remove (struct map *map, struct map_node *node)
{
    struct map_node **link = chain_of (map, mix (node->hash));
    while (*link != node) {
        COHORT_ASSERT (*link != NULL);
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    COHORT_ASSERT (map->count > 0);
    map->count--;
    maintain (map, true);
}

bool map_scan (struct map *map, struct map_cursor *cursor, map_visit_fn *visit, void *arg)
{
    COHORT_ASSERT (!map->visiting);
    bool found = false;
    for (int passed = 0; !cursor->done && !found && passed < MAP_SCAN_EMPTY_MAX; passed++) {
        uint64_t end = bucket_end (table_of (map, cursor->position), cursor->position);
        struct map_node *node = *chain_of (map, cursor->position);
        map->visiting = true;
        while (node != NULL) {
            struct map_node *next = node->next;
            /* Elements below the position were visited when the table was larger. */
            if (mix (node->hash) >= cursor->position) {
                visit (node, arg);
                found = true;
            }
            node = next;
        }
        map->visiting = false;
        cursor->done = end == UINT64_MAX;
        cursor->position = end + 1;
    }
    return !cursor->done;
}

/* The first element of the first chain that is not empty, from the bucket that begins at `position`
 * on. */
static struct map_node *first_from (const struct map *map, uint64_t position)
{
    for (;;) {
        struct map_node *node = *chain_of (map, position);
        uint64_t end = bucket_end (table_of (map, position), position);
        if (node != NULL || end == UINT64_MAX) {
            return node;
        }
        position = end + 1;
    }
}

struct map_node *map_first (const struct map *map)
{
    return first_from (map, 0);
}

struct map_node *map_next (const struct map *map, const struct map_node *node)
{
    if (node->next != NULL) {
        return node->next;
    }
    uint64_t mixed = mix (node->hash);
    uint64_t end = bucket_end (table_of (map, mixed), mixed);
    return end == UINT64_MAX ? NULL : first_from (map, end + 1);
}

size_t map_chain_max (const struct map *map)
{
    size_t max = 0;
    for (uint64_t position = 0;;) {
        size_t length = 0;
        for (struct map_node *node = *chain_of (map, position); node != NULL; node = node->next) {
            length++;
        }
        max = length > max ? length : max;
        uint64_t end = bucket_end (table_of (map, position), position);
        if (end == UINT64_MAX) {
            return max;
        }
        position = end + 1;
    }
}

void map_drain (struct map *map, map_visit_fn *visit, void *arg)
{
    COHORT_ASSERT (!map->visiting);
    map->visiting = true;
    /* Nothing moves meanwhile, so the position can only advance. */
    for (uint64_t position = 0;;) {
        struct map_node **chain = chain_of (map, position);
        uint64_t end = bucket_end (table_of (map, position), position);
        while (*chain != NULL) {
            struct map_node *node = *chain;
            *chain = node->next;
            node->next = NULL;
            COHORT_ASSERT (map->count > 0);
            map->count--;
            if (visit != NULL) {
                visit (node, arg);
            }
        }
        if (end == UINT64_MAX) {
            break;
        }
        position = end + 1;
    }
    map->visiting = false;
    COHORT_ASSERT (map->count == 0);
    map_deinit (map);
}

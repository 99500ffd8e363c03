/* A hash map with chains, resized in steps.
 *
 * A bucket is chosen by the TOP bits of the mixed hash. So bucket i of any table holds exactly the
 * elements of one interval of mixed hashes, tables of all sizes order these intervals alike, and
 *  - a resize empties the old table from its first bucket on, and everything below that frontier
 *    is found in the new table: a look-up needs one chain, never two;
 *  - a scan is a position in the space of mixed hashes, which means the same in every table.
 * May include: base, libc. */

#include "client/base/map.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"

/* The smallest allocated table has 2^3 buckets. */
#define MAP_BITS_MIN 3
#define MAP_BITS_MAX 48
/* Old buckets moved by one insertion or removal. A resize must be over before the next one is due,
 * which any step above 1 ensures; and it must be a multiple of the factor by which tables shrink,
 * so that the frontier never cuts a bucket of the new table. */
#define MAP_STEP 8
/* Tables shrink by 2^2 when only one bucket in 2^3 would be in use. */
#define MAP_SHRINK_BITS 2
/* Empty buckets that one call of map_scan may pass. */
#define MAP_SCAN_EMPTY_MAX 64

_Static_assert((1 << MAP_BITS_MIN) % MAP_STEP == 0, "a step may not end inside a table");
_Static_assert(MAP_STEP % (1 << MAP_SHRINK_BITS) == 0, "the frontier may not cut a bucket");

/* Multiplication by an odd number is a bijection, and it spreads even sequential hashes over the
 * top bits (Knuth's Fibonacci hashing). */
static inline uint64_t mix (uint64_t hash)
{
    return hash * UINT64_C (0x9e3779b97f4a7c15);
}

static inline size_t bucket_index (uint64_t mixed, unsigned bits)
{
    /* In two shifts, for a single one by 64 (the table with one bucket) is undefined. */
    return (size_t) (mixed >> 1 >> (63 - bits));
}

/* The chain that holds the elements with this mixed hash; *bits gets the size of its table. */
static inline struct map_node **chain_of (const struct map *map, uint64_t mixed, unsigned *bits)
{
    if (map->old_buckets != NULL) {
        size_t index = bucket_index (mixed, map->old_bits);
        if (index >= map->migrated) {
            *bits = map->old_bits;
            return &map->old_buckets[index];
        }
    }
    *bits = map->bits;
    return &map->buckets[bucket_index (mixed, map->bits)];
}

static void release_table (struct map *map, struct map_node **buckets)
{
    if (buckets != map->seed) {
        mem_free (buckets);
    }
}

/* Begins to move to a table of 2^bits buckets. Without memory for it nothing changes, and the next
 * insertion or removal tries again. */
static void start_resize (struct map *map, unsigned bits)
{
    COHORT_ASSERT (map->old_buckets == NULL);
    COHORT_ASSERT (bits >= MAP_BITS_MIN);
    COHORT_ASSERT (bits <= MAP_BITS_MAX);
    /* Zeroed pages of a large area are made by the kernel when they are first touched. */
    struct map_node **buckets = mem_calloc ((size_t) 1 << bits, sizeof (*buckets));
    if (buckets == NULL) {
        return;
    }
    map->old_buckets = map->buckets;
    map->old_bits = map->bits;
    map->migrated = 0;
    map->buckets = buckets;
    map->bits = (uint8_t) bits;
}

static void migrate_bucket (struct map *map, size_t index)
{
    struct map_node *node = map->old_buckets[index];
    map->old_buckets[index] = NULL;
    while (node != NULL) {
        struct map_node *next = node->next;
        struct map_node **chain = &map->buckets[bucket_index (mix (node->hash), map->bits)];
        node->next = *chain;
        *chain = node;
        node = next;
    }
}

/* A step of the resize that is under way, or the start of one that is due. */
static void maintain (struct map *map)
{
    /* While a bucket is being visited no chain may be moved. */
    if (map->visiting) {
        return;
    }
    if (map->old_buckets != NULL) {
        size_t old_size = (size_t) 1 << map->old_bits;
        size_t stop = old_size - map->migrated > MAP_STEP ? map->migrated + MAP_STEP : old_size;
        for (; map->migrated < stop; map->migrated++) {
            migrate_bucket (map, map->migrated);
        }
        if (map->migrated == old_size) {
            release_table (map, map->old_buckets);
            map->old_buckets = NULL;
        }
        return;
    }
    size_t size = (size_t) 1 << map->bits;
    if (map->count > size && map->bits < MAP_BITS_MAX) {
        start_resize (map, map->bits < MAP_BITS_MIN ? MAP_BITS_MIN : map->bits + 1u);
    } else if (map->count < size >> 3 && map->bits >= MAP_BITS_MIN + MAP_SHRINK_BITS) {
        start_resize (map, map->bits - (unsigned) MAP_SHRINK_BITS);
    }
}

void map_init (struct map *map)
{
    *map = (struct map){0};
    map->buckets = map->seed;
}

void map_deinit (struct map *map)
{
    COHORT_ASSERT (!map->visiting);
    release_table (map, map->buckets);
    if (map->old_buckets != NULL) {
        release_table (map, map->old_buckets);
    }
    map_init (map);
}

size_t map_count (const struct map *map)
{
    return map->count;
}

void map_insert (struct map *map, struct map_node *node)
{
    COHORT_ASSERT (!map->visiting);
    unsigned bits;
    struct map_node **chain = chain_of (map, mix (node->hash), &bits);
    node->next = *chain;
    *chain = node;
    map->count++;
    maintain (map);
}

struct map_node *map_find (const struct map *map, uint64_t hash, map_equal_fn *equal,
                           const void *key)
{
    unsigned bits;
    struct map_node *node = *chain_of (map, mix (hash), &bits);
    while (node != NULL && (node->hash != hash || !equal (node, key))) {
        node = node->next;
    }
    return node;
}

void map_remove (struct map *map, struct map_node *node)
{
    unsigned bits;
    struct map_node **link = chain_of (map, mix (node->hash), &bits);
    while (*link != node) {
        COHORT_ASSERT (*link != NULL);
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    COHORT_ASSERT (map->count > 0);
    map->count--;
    maintain (map);
}

bool map_scan (struct map *map, struct map_cursor *cursor, map_visit_fn *visit, void *arg)
{
    COHORT_ASSERT (!map->visiting);
    bool found = false;
    for (int passed = 0; !cursor->done && !found && passed < MAP_SCAN_EMPTY_MAX; passed++) {
        unsigned bits;
        struct map_node *node = *chain_of (map, cursor->position, &bits);
        uint64_t last = cursor->position | (bits == 0 ? UINT64_MAX : UINT64_MAX >> bits);
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
        cursor->done = last == UINT64_MAX;
        cursor->position = last + 1;
    }
    return !cursor->done;
}

/* The first element whose chain begins at `position` or above. */
static struct map_node *first_from (const struct map *map, uint64_t position)
{
    for (;;) {
        unsigned bits;
        struct map_node *node = *chain_of (map, position, &bits);
        uint64_t last = position | (bits == 0 ? UINT64_MAX : UINT64_MAX >> bits);
        if (node != NULL || last == UINT64_MAX) {
            return node;
        }
        position = last + 1;
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
    unsigned bits;
    uint64_t position = mix (node->hash);
    chain_of (map, position, &bits);
    uint64_t last = position | (bits == 0 ? UINT64_MAX : UINT64_MAX >> bits);
    return last == UINT64_MAX ? NULL : first_from (map, last + 1);
}

static void drain_table (struct map *map, struct map_node **buckets, size_t size,
                         map_visit_fn *visit, void *arg)
{
    for (size_t i = 0; i < size; i++) {
        while (buckets[i] != NULL) {
            struct map_node *node = buckets[i];
            buckets[i] = node->next;
            node->next = NULL;
            COHORT_ASSERT (map->count > 0);
            map->count--;
            if (visit != NULL) {
                visit (node, arg);
            }
        }
    }
}

void map_drain (struct map *map, map_visit_fn *visit, void *arg)
{
    COHORT_ASSERT (!map->visiting);
    map->visiting = true;
    drain_table (map, map->buckets, (size_t) 1 << map->bits, visit, arg);
    if (map->old_buckets != NULL) {
        drain_table (map, map->old_buckets, (size_t) 1 << map->old_bits, visit, arg);
    }
    map->visiting = false;
    COHORT_ASSERT (map->count == 0);
    map_deinit (map);
}

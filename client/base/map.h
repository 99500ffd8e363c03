/* An intrusive hash map that never makes a caller wait.
 *
 * The links live inside the elements. The caller computes the hash and compares the keys:
 *
 *     struct user { char *name; struct map_node node; };
 *     static bool is_named (const struct map_node *node, const void *key)
 *     {
 *         return strcmp (map_entry (node, struct user, node)->name, key) == 0;
 *     }
 *     user->node.hash = hash64 (name, strlen (name), seed);
 *     map_insert (&users, &user->node);
 *     struct map_node *found = map_find (&users, hash, is_named, name);
 *
 * The table grows and shrinks in steps: each insertion and removal moves a few buckets, so that no
 * call takes long, however many elements there are. Inserting cannot fail: without memory for a
 * larger table the map goes on with the one it has, only slower.
 *
 * Any visiting order is a function of the hashes and of the history of insertions and removals,
 * never of addresses. One thread owns a map. May include: base, libc. */

#ifndef COHORT_BASE_MAP_H
#define COHORT_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/container.h"

/* Embedded in each element; `hash` is set by the caller before map_insert and must not change
 * while the element is in the map. Sequential numbers are good enough as hashes. */
struct map_node {
    struct map_node *next;
    uint64_t hash;
};

/* Private: 2^bits buckets, in segments that come and go one by one. */
struct map_table {
    struct map_node ***segments; /* a directory of them, or &only; NULL: no such table */
    struct map_node **only;      /* the one segment of a small table */
    uint8_t bits;
};

/* Private, and must not move in memory once initialised. */
struct map {
    struct map_table tables[2];
    uint8_t current; /* the other table is what a resize has not emptied yet, or unused */
    bool visiting;
    size_t count;
    size_t migrated;          /* buckets of the old table that are empty, from the first on */
    struct map_node *seed[1]; /* the first table's: makes an empty map free of allocations */
};

/* Where a scan stands; starts as all zeroes: `struct map_cursor cursor = {0};` */
struct map_cursor {
    uint64_t position;
    bool done;
};

/* The structure that holds `pointer` as its `member`. */
#define map_entry(pointer, type, member) container_of (pointer, type, member)

/* Whether the element has this key; only called for elements whose hash is equal. */
typedef bool map_equal_fn (const struct map_node *node, const void *key);

typedef void map_visit_fn (struct map_node *node, void *arg);

/* An empty map; allocates nothing. */
void map_init (struct map *map);
/* Releases the table. Elements still inside are the caller's and are not touched. */
void map_deinit (struct map *map);

size_t map_count (const struct map *map);
/* The most elements that share a bucket, for tests of hashes; takes time in proportion to the
 * size. */
size_t map_chain_max (const struct map *map);

/* Adds an element that is in no map. Equal keys are the caller's affair: look first. */
void map_insert (struct map *map, struct map_node *node);
/* Makes the table fit for so many elements at once, for who knows how many will come; takes time in
 * proportion to both, and is no promise: without memory nothing changes. */
void map_reserve (struct map *map, size_t count);
/* Tells the processor that an element with this hash will be inserted, or looked for, soon. */
void map_prefetch (const struct map *map, uint64_t hash);
/* The first element there, or NULL: for who brings closer what stands around it. */
const struct map_node *map_peek (const struct map *map, uint64_t hash);
/* The element with this hash that `equal` accepts, or NULL. */
struct map_node *map_find (const struct map *map, uint64_t hash, map_equal_fn *equal,
                           const void *key);
/* Takes out an element, which must be in the map. */
void map_remove (struct map *map, struct map_node *node);

/* Visits the next few elements (those of one bucket) and returns true while there may be more:
 *
 *     while (map_scan (&map, &cursor, visit, arg)) {
 *     }
 *
 * Between two calls the map may change in any way, growing and shrinking included: an element that
 * is present during the whole scan is visited exactly once, one that comes or goes meanwhile at
 * most once. `visit` may remove (and free) the element it is given and must not change the map
 * otherwise. A call does a bounded amount of work and may visit nothing although more will come. */
bool map_scan (struct map *map, struct map_cursor *cursor, map_visit_fn *visit, void *arg);

/* A plain loop over a map that does not change meanwhile: map_first, then map_next until NULL. */
struct map_node *map_first (const struct map *map);
struct map_node *map_next (const struct map *map, const struct map_node *node);

/* Empties the map and hands each element to `visit`, which may free it and must not touch the map;
 * for the end of an object's life: takes time in proportion to the size. visit may be NULL. */
void map_drain (struct map *map, map_visit_fn *visit, void *arg);

#endif

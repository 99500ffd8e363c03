/* An ordered map of paths: the skip list under mirrors and directories.
 *
 * Order: byte by byte, with '/' before every other byte. So a node is followed by all that is
 * below it, and then by its next sibling. The links live inside the elements, in an array that the
 * owner allocates with them: no operation allocates, and none can fail. How many levels an element
 * has is a function of its path. One thread owns a map.
 * May include: libc. */

#ifndef COHORT_RECIPES_NODEMAP_H
#define COHORT_RECIPES_NODEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODEMAP_LEVELS_MAX 16

/* Embedded in each element. path is the owner's and must not change while it is in a map. */
struct nodemap_entry {
    const char *path;
    struct nodemap_entry **next; /* nodemap_levels (path) pointers */
};

struct nodemap {
    struct nodemap_entry *heads[NODEMAP_LEVELS_MAX];
    size_t count;
};

/* The structure that holds `pointer` as its `member`. */
#define nodemap_owner(pointer, type, member)                                                       \
    ((type *) (void *) ((char *) (pointer) -offsetof (type, member)))

/* Below 0, 0, above 0: a comes before b, is b, comes after b. */
int nodemap_compare (const char *a, const char *b);

/* Whether path is below top ("/a/b" and "/a/b/c" are below "/a", "/a" itself is not). */
bool nodemap_is_below (const char *path, const char *top);

/* A well mixed hash of size bytes, the same on every machine. */
uint64_t nodemap_hash (const void *data, size_t size, uint64_t seed);

/* How many next pointers an element with this path needs: 1 to NODEMAP_LEVELS_MAX. */
unsigned nodemap_levels (const char *path);

/* The element at this path; the first of all; the first that comes after entry; the first that is
 * neither path nor before it nor below it. NULL: none. */
struct nodemap_entry *nodemap_find (const struct nodemap *map, const char *path);
struct nodemap_entry *nodemap_first (const struct nodemap *map);
struct nodemap_entry *nodemap_next (const struct nodemap_entry *entry);
struct nodemap_entry *nodemap_behind (const struct nodemap *map, const char *path);

/* Puts an element that is in no map into this one. Returns the element that had its path until
 * now and is in no map any more, or NULL. */
struct nodemap_entry *nodemap_put (struct nodemap *map, struct nodemap_entry *entry);

/* Takes out the element at this path; takes out the first. NULL: there is none. */
struct nodemap_entry *nodemap_take (struct nodemap *map, const char *path);
struct nodemap_entry *nodemap_pop (struct nodemap *map);

#endif

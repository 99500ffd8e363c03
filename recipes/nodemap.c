/* An ordered map of paths: see nodemap.h. */

#include "nodemap.h"

#include <string.h>

/* '/' comes right after the end of the string and before everything else. */
static inline unsigned rank (char c)
{
    unsigned byte = (unsigned char) c;
    return c == '/' ? 1 : byte == 0 ? 0 : byte + 1;
}

int nodemap_compare (const char *a, const char *b)
{
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return (int) rank (*a) - (int) rank (*b);
}

bool nodemap_is_below (const char *path, const char *top)
{
    size_t length = strlen (top);
    if (strncmp (path, top, length) != 0) {
        return false;
    }
    /* The root is the only path that ends with its slash. */
    if (length == 1) {
        return path[1] != 0;
    }
    return path[length] == '/';
}

uint64_t nodemap_hash (const void *data, size_t size, uint64_t seed)
{
    /* FNV-1a, and the finalizer of splitmix64 for the bits it leaves unmixed. */
    const unsigned char *bytes = data;
    uint64_t hash = UINT64_C (0xcbf29ce484222325) ^ seed;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C (0x100000001b3);
    }
    hash = (hash ^ (hash >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
    hash = (hash ^ (hash >> 27)) * UINT64_C (0x94d049bb133111eb);
    return hash ^ (hash >> 31);
}

unsigned nodemap_levels (const char *path)
{
    /* One element in four rises to the next level. */
    uint64_t hash = nodemap_hash (path, strlen (path), 0);
    unsigned levels = 1;
    while (levels < NODEMAP_LEVELS_MAX && (hash & 3) == 0) {
        hash >>= 2;
        levels++;
    }
    return levels;
}

/* Where to go on: links[i] is the pointer, at level i, to the first element that is not before
 * path (behind: nor at or below it). */
static void seek (struct nodemap *map, const char *path, bool behind,
                  struct nodemap_entry **links[NODEMAP_LEVELS_MAX])
{
    struct nodemap_entry **row = map->heads;
    for (unsigned level = NODEMAP_LEVELS_MAX; level-- > 0;) {
        for (;;) {
            struct nodemap_entry *entry = row[level];
            if (entry == NULL) {
                break;
            }
            int order = nodemap_compare (entry->path, path);
            if (order >= 0 && !(behind && (order == 0 || nodemap_is_below (entry->path, path)))) {
                break;
            }
            row = entry->next;
        }
        links[level] = &row[level];
    }
}

struct nodemap_entry *nodemap_find (const struct nodemap *map, const char *path)
{
    struct nodemap_entry *const *row = map->heads;
    for (unsigned level = NODEMAP_LEVELS_MAX; level-- > 0;) {
        for (struct nodemap_entry *entry = row[level]; entry != NULL; entry = row[level]) {
            int order = nodemap_compare (entry->path, path);
            if (order == 0) {
                return entry;
            }
            if (order > 0) {
                break;
            }
            row = entry->next;
        }
    }
    return NULL;
}

struct nodemap_entry *nodemap_first (const struct nodemap *map)
{
    return map->heads[0];
}

struct nodemap_entry *nodemap_next (const struct nodemap_entry *entry)
{
    return entry->next[0];
}

struct nodemap_entry *nodemap_behind (const struct nodemap *map, const char *path)
{
    struct nodemap_entry **links[NODEMAP_LEVELS_MAX];
    seek ((struct nodemap *) map, path, true, links);
    return *links[0];
}

/* Unlinks the element that links[0] points to. */
static struct nodemap_entry *unlink_entry (struct nodemap *map,
                                           struct nodemap_entry **links[NODEMAP_LEVELS_MAX])
{
    struct nodemap_entry *entry = *links[0];
    for (unsigned level = 0; level < NODEMAP_LEVELS_MAX && *links[level] == entry; level++) {
        *links[level] = entry->next[level];
    }
    map->count--;
    return entry;
}

struct nodemap_entry *nodemap_put (struct nodemap *map, struct nodemap_entry *entry)
{
    struct nodemap_entry **links[NODEMAP_LEVELS_MAX];
    seek (map, entry->path, false, links);
    struct nodemap_entry *before = NULL;
    if (*links[0] != NULL && nodemap_compare ((*links[0])->path, entry->path) == 0) {
        before = unlink_entry (map, links);
    }
    unsigned levels = nodemap_levels (entry->path);
    for (unsigned level = 0; level < levels; level++) {
        entry->next[level] = *links[level];
        *links[level] = entry;
    }
    map->count++;
    return before;
}

struct nodemap_entry *nodemap_take (struct nodemap *map, const char *path)
{
    struct nodemap_entry **links[NODEMAP_LEVELS_MAX];
    seek (map, path, false, links);
    if (*links[0] == NULL || nodemap_compare ((*links[0])->path, path) != 0) {
        return NULL;
    }
    return unlink_entry (map, links);
}

struct nodemap_entry *nodemap_pop (struct nodemap *map)
{
    struct nodemap_entry *first = map->heads[0];
    if (first == NULL) {
        return NULL;
    }
    struct nodemap_entry **links[NODEMAP_LEVELS_MAX];
    for (unsigned level = 0; level < NODEMAP_LEVELS_MAX; level++) {
        links[level] = &map->heads[level];
    }
    return unlink_entry (map, links);
}

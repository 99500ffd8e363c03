/*
 * server/tree/path.c - the rules of paths, and their hashes
 *
 * PURE.
 */
#include "server/tree/path.h"

#include <string.h>

#include "client/base/assert.h"
#include "client/base/hash.h"
#include "cohort/error.h"

/* Whether the code point, not of ASCII, may stand in a path: no control character, no surrogate (as
 * UTF-8 has it) and, as in ZooKeeper, none for private use and none of the specials at the end of
 * the first 65,536. */
static bool code_point_allowed (uint32_t c)
{
    return c >= 0xa0 && !(c >= 0xd800 && c <= 0xf8ff) && !(c >= 0xfff0 && c <= 0xffff) &&
           c <= 0x10ffff;
}

/* The bytes of the UTF-8 sequence at `at`, which is not ASCII; 0 if it is not valid, overlong
 * forms included, or not allowed. */
static size_t sequence_size (const uint8_t *at, size_t left)
{
    COHORT_ASSERT (left > 0);
    COHORT_ASSERT (at[0] >= 0x80);
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || size > left) {
        return 0;
    }
    uint32_t c = at[0] & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (at[i] & 0x3fu);
    }
    return c >= smallest[size] && code_point_allowed (c) ? size : 0;
}

/* Whether all characters of a component are allowed; '/' is none of them. */
static bool characters_valid (const char *name, size_t size)
{
    const uint8_t *at = (const uint8_t *) name;
    for (size_t i = 0; i < size;) {
        if (at[i] < 0x80) {
            if (at[i] < 0x20 || at[i] == 0x7f || at[i] == '/') {
                return false;
            }
            i++;
        } else {
            size_t step = sequence_size (at + i, size - i);
            if (step == 0) {
                return false;
            }
            i += step;
        }
    }
    return true;
}

static bool is_relative (const char *name, size_t size)
{
    return name[0] == '.' && (size == 1 || (size == 2 && name[1] == '.'));
}

bool tree_name_valid (const char *name, size_t size)
{
    return size > 0 && !is_relative (name, size) && characters_valid (name, size);
}

int tree_path_validate (const char *path, size_t size, size_t size_max, bool sequential)
{
    COHORT_ASSERT (path != NULL || size == 0);
    if (size == 0 || path[0] != '/') {
        return COHORT_EPATH;
    }
    if (size > size_max) {
        return COHORT_ETOOBIG;
    }
    if (size == 1) {
        return 0;
    }
    size_t begin = 1;
    while (begin <= size) {
        const char *slash = begin < size ? memchr (path + begin, '/', size - begin) : NULL;
        size_t end = slash != NULL ? (size_t) (slash - path) : size;
        bool number_only = sequential && begin == size;
        if (!number_only && !tree_name_valid (path + begin, end - begin)) {
            return COHORT_EPATH;
        }
        begin = end + 1;
    }
    return 0;
}

size_t tree_path_parent_size (const char *path, size_t size)
{
    COHORT_ASSERT (size > 1);
    size_t at = size - 1;
    while (at > 0 && path[at] != '/') {
        at--;
    }
    return at > 0 ? at : 1;
}

uint64_t tree_path_hash_child (uint64_t parent, const char *name, size_t size)
{
    return hash64 (name, size, parent);
}

uint64_t tree_path_hash_root (uint64_t seed)
{
    return hash64 ("/", 1, seed);
}

uint64_t tree_path_hash (uint64_t root, const char *path, size_t size, uint64_t *parent)
{
    COHORT_ASSERT (path != NULL);
    uint64_t above = root;
    uint64_t hash = root;
    size_t begin = 1;
    while (begin < size) {
        const char *slash = memchr (path + begin, '/', size - begin);
        size_t end = slash != NULL ? (size_t) (slash - path) : size;
        above = hash;
        hash = tree_path_hash_child (above, path + begin, end - begin);
        begin = end + 1;
    }
    if (parent != NULL) {
        *parent = above;
    }
    return hash;
}

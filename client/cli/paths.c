#include "client/cli/paths.h"

#include <stdio.h>
#include <string.h>

bool paths_join (char *path, size_t size, const char *base, const char *below)
{
    const char *first = strcmp (base, "/") == 0 ? "" : base;
    const char *second = strcmp (below, "/") == 0 ? "" : below;
    bool is_root = *first == 0 && *second == 0;
    int length = snprintf (path, size, "%s%s", first, is_root ? "/" : second);
    return length >= 0 && (size_t) length < size;
}

const char *paths_below (const char *base, const char *path)
{
    size_t size = strcmp (base, "/") == 0 ? 0 : strlen (base);
    if (strncmp (path, base, size) != 0 || (path[size] != '/' && path[size] != 0)) {
        return NULL;
    }
    return path[size] == 0 ? "/" : path + size;
}

bool paths_left_out (const char *base, uint64_t base_czxid, const char *path)
{
    /* The root is older than the first transaction. */
    return strcmp (base, "/") == 0 && base_czxid == 0 && paths_below ("/zookeeper", path) != NULL;
}

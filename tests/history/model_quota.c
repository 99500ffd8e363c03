/* The model: quotas (docs/quotas.md). */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/history/model_state.h"

enum { PATH_MAX_SIZE = 4096 + 32 };

static const char *const QUOTAS = "/zookeeper/quota";

/* What may be no more; -1: it may. The others only warn. */
struct limits {
    int64_t count, bytes;
};

/* KEY=NUMBER, with another '=' behind it or not. */
static bool read_pair (const char *text, size_t size, struct limits *limits)
{
    static const char *const keys[] = {"count", "bytes", "countHardLimit", "byteHardLimit"};
    char copy[HISTORY_VALUE_SIZE], *end;
    if (size >= sizeof copy) {
        return false;
    }
    memcpy (copy, text, size);
    copy[size] = '\0';
    char *value = strchr (copy, '=');
    if (value == NULL) {
        return false;
    }
    *value++ = '\0';
    errno = 0;
    long long number = strtoll (value, &end, 10);
    const char *digits = value + (*value == '-');
    if (*digits < '0' || *digits > '9' || errno != 0 || number < -1 ||
        (*end != '\0' && strcmp (end, "=") != 0)) {
        return false;
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp (copy, keys[i]) == 0) {
            limits->count = i == 2 ? number : limits->count;
            limits->bytes = i == 3 ? number : limits->bytes;
            return true;
        }
    }
    return false;
}

static bool read_limits (const char *text, struct limits *limits)
{
    *limits = (struct limits){-1, -1};
    while (*text != '\0') {
        size_t size = strcspn (text, ",;");
        if (!read_pair (text, size, limits)) {
            return false;
        }
        text += size + (text[size] != '\0');
    }
    return true;
}

bool model_is_quota (const char *text)
{
    struct limits limits;
    return read_limits (text, &limits);
}

/* What there is of a subtree; recursion ends with the depth of paths. */
static void count (const struct model_znode *znode, int64_t *znodes, int64_t *bytes)
{
    const struct model_version *now = znode != NULL ? model_now (znode) : NULL;
    if (now == NULL) {
        return;
    }
    ++*znodes;
    *bytes += now->stat.data_size;
    for (size_t i = 0; i < znode->children_count; i++) {
        count (znode->children[i], znodes, bytes);
    }
}

/* Compares with the quota of the first `size` bytes of the path. */
static int32_t admit_at (const struct model *self, const char *path, size_t size, int64_t znodes,
                         int64_t bytes)
{
    char place[PATH_MAX_SIZE], top[PATH_MAX_SIZE];
    struct limits limits;
    (void) snprintf (place, sizeof place, "%s%.*s/zookeeper_limits", QUOTAS, (int) size, path);
    (void) snprintf (top, sizeof top, "%.*s", size > 0 ? (int) size : 1, path);
    const struct model_znode *found = model_find (self, place);
    const struct model_version *quota = found != NULL ? model_now (found) : NULL;
    if (quota == NULL || !read_limits (quota->value, &limits)) {
        return 0;
    }
    int64_t has_znodes = 0, has_bytes = 0;
    count (model_find (self, top), &has_znodes, &has_bytes);
    bool many = znodes > 0 && limits.count >= 0 && has_znodes + znodes > limits.count;
    bool much = bytes > 0 && limits.bytes >= 0 && has_bytes + bytes > limits.bytes;
    return many || much ? COHORT_EQUOTA : 0;
}

int32_t model_admit (const struct model *self, const char *path, int64_t znodes, int64_t bytes)
{
    const struct model_version *now = model_now (self->quotas);
    if (now == NULL || now->stat.child_count == 0 || model_covers ("/zookeeper", path)) {
        return 0;
    }
    int32_t code = admit_at (self, path, 0, znodes, bytes);
    for (size_t size = 1; code == 0 && path[1] != '\0' && size <= strlen (path); size++) {
        if (path[size] == '/' || path[size] == '\0') {
            code = admit_at (self, path, size, znodes, bytes);
        }
    }
    return code;
}

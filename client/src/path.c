/* Path rules and chroot. May include: public types, base, libc. */

#include "client/src/path.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "cohort/types.h"

/* How much of a path an error text shows: enough to recognise it, little enough to leave room for
 * the reason. */
#define PATH_SHOWN_MAX 120

static int refuse (int code, const char *path, size_t at, const char *reason, char *text,
                   size_t text_size)
{
    bool cut = strlen (path) > PATH_SHOWN_MAX;
    snprintf (text, text_size, "path \"%.*s%s\", byte %zu: %s", PATH_SHOWN_MAX, path,
              cut ? "..." : "", at, reason);
    return code;
}

/* Behind the characters of one byte that are allowed, and no '/': nearly all are. */
static const char *skip_plain (const char *at)
{
    while (*at > 0x1f && *at < 0x7f && *at != '/') {
        at++;
    }
    return at;
}

/* The length of the UTF-8 character at `at`, 0 if there is none; *point gets its number. RFC 3629:
 * shortest form only, no surrogates, nothing above U+10FFFF. The terminator ends every sequence
 * because it is no continuation byte. */
static size_t utf8_length (const unsigned char *at, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (at[0] < 0x80) {
        *point = at[0];
        return 1;
    }
    size_t length = (at[0] & 0xe0) == 0xc0   ? 2
                    : (at[0] & 0xf0) == 0xe0 ? 3
                    : (at[0] & 0xf8) == 0xf0 ? 4
                                             : 0;
    if (length == 0) {
        return 0;
    }
    *point = at[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        *point = *point << 6 | (at[i] & 0x3f);
    }
    return *point >= least[length] && *point <= 0x10ffff ? length : 0;
}

static const char *character_fault (uint32_t point)
{
    if (point <= 0x1f || (point >= 0x7f && point <= 0x9f)) {
        return "a control character is not allowed";
    }
    if (point >= 0xd800 && point <= 0xdfff) {
        return "a surrogate is not allowed";
    }
    if ((point >= 0xe000 && point <= 0xf8ff) || (point >= 0xfff0 && point <= 0xffff)) {
        return "a character for private use, or a special one, is not allowed";
    }
    return NULL;
}

/* Why the name of `size` bytes is none, or NULL. */
static const char *name_fault (const char *name, size_t size)
{
    if (size == 0) {
        return "a name is empty";
    }
    if (size == 1 && name[0] == '.') {
        return "the name \".\" is not allowed";
    }
    if (size == 2 && name[0] == '.' && name[1] == '.') {
        return "the name \"..\" is not allowed";
    }
    return NULL;
}

int path_check (const char *path, bool sequential, char *text, size_t text_size)
{
    COHORT_ASSERT (text != NULL);
    COHORT_ASSERT (text_size > 0);
    if (path == NULL) {
        snprintf (text, text_size, "path is NULL");
        return COHORT_EINVAL;
    }
    if (path[0] != '/') {
        return refuse (COHORT_EPATH, path, 0, "a path begins with '/'", text, text_size);
    }
    size_t at = 1, name = 1;
    for (;;) {
        at = (size_t) (skip_plain (path + at) - path);
        if (at > PATH_SIZE_MAX) {
            return refuse (COHORT_ETOOBIG, path, PATH_SIZE_MAX, "a path has at most 4096 bytes",
                           text, text_size);
        }
        if (path[at] == '\0') {
            break;
        }
        if (path[at] == '/') {
            const char *fault = name_fault (path + name, at - name);
            if (fault != NULL) {
                return refuse (COHORT_EPATH, path, name, fault, text, text_size);
            }
            name = ++at;
            continue;
        }
        uint32_t point = 0;
        size_t length = utf8_length ((const unsigned char *) path + at, &point);
        const char *fault = length == 0 ? "not UTF-8" : character_fault (point);
        if (fault != NULL) {
            return refuse (COHORT_EPATH, path, at, fault, text, text_size);
        }
        at += length;
    }
    bool ends_in_slash = name == at;
    if (ends_in_slash && (at == 1 || sequential)) {
        return COHORT_OK;
    }
    const char *fault =
        ends_in_slash ? "a path does not end in '/'" : name_fault (path + name, at - name);
    return fault == NULL
               ? COHORT_OK
               : refuse (COHORT_EPATH, path, ends_in_slash ? at - 1 : name, fault, text, text_size);
}

/* The root of a chroot is the chroot itself, without the '/' behind it; a sequential create below
 * the root keeps its '/' only where the caller's path says more than "/". */
static bool is_root (const char *path)
{
    return path[0] == '/' && path[1] == '\0';
}

size_t path_joined_size (const char *chroot, const char *path)
{
    size_t chroot_size = strlen (chroot);
    return chroot_size > 0 && is_root (path) ? chroot_size : chroot_size + strlen (path);
}

void path_join (char *out, size_t size, const char *chroot, const char *path)
{
    COHORT_ASSERT (path[0] == '/');
    size_t chroot_size = strlen (chroot);
    COHORT_ASSERT (chroot_size == 0 || (chroot[0] == '/' && chroot[chroot_size - 1] != '/'));
    COHORT_ASSERT (chroot_size <= size);
    memcpy (out, chroot, chroot_size);
    memcpy (out + chroot_size, path, size - chroot_size);
    out[size] = '\0';
}

const char *path_strip (const char *chroot, size_t chroot_size, const char *path)
{
    COHORT_ASSERT (path != NULL);
    if (chroot_size == 0 || strncmp (path, chroot, chroot_size) != 0) {
        return path;
    }
    if (path[chroot_size] == '\0') {
        return "/";
    }
    return path[chroot_size] == '/' ? path + chroot_size : path;
}

/* The rules of znode paths, and the chroot of a handle.
 *
 * ZooKeeper's rules: absolute, no empty name, no "." or "..", no '/' at the end, no control
 * characters; and well-formed UTF-8, for the wire carries paths as strings. Pure.
 * May include: public types, base, libc. */

#ifndef COHORT_CLIENT_PATH_H
#define COHORT_CLIENT_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of a path, chroot included, without the terminator. */
#define PATH_SIZE_MAX 4096

/* An ensemble can be configured to take shorter ones only, but not shorter than these. */
#define PATH_SIZE_SURE 256

/* 0 if `path` follows the rules, else COHORT_EINVAL (NULL), COHORT_ETOOBIG or COHORT_EPATH; `text`
 * then names the path, the position in bytes from 0 and the reason. A `sequential` path may end in
 * '/': the name is then the number alone. */
int path_check (const char *path, bool sequential, char *text, size_t text_size);

/* Bytes that path_join writes, without the terminator. */
size_t path_joined_size (const char *chroot, const char *path);
/* Writes chroot (checked, or "" for none) and path (checked) as one path of that size, with a
 * terminator. */
void path_join (char *out, size_t size, const char *chroot, const char *path);

/* The part of `path` below a chroot of `chroot_size` bytes, inside `path` or static; the path of
 * the chroot itself is "/". What is not below the chroot is returned whole. */
const char *path_strip (const char *chroot, size_t chroot_size, const char *path);

#endif

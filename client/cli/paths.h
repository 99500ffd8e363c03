/* Paths that are moved from below one znode to below another.
 * May include: libc only. */

#ifndef COHORT_CLI_PATHS_H
#define COHORT_CLI_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATHS_SIZE 8192 /* of two together */

/* "/base" and "/below" as one path; "/" adds nothing on either side. False: too long. */
bool paths_join (char *path, size_t size, const char *base, const char *below);

/* What is left of path behind its ancestor base, "/" for base itself; NULL: it is not below. */
const char *paths_below (const char *base, const char *path);

/* Whether a copy of `base` leaves that path out: /zookeeper, or below it, which each ensemble has
 * of its own. base_czxid: of the znode `base`; in the chroot of a session "/" is another one, and
 * "/zookeeper" is anybody's. */
bool paths_left_out (const char *base, uint64_t base_czxid, const char *path);

#endif

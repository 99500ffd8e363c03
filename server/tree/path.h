/*
 * server/tree/path.h - the rules of paths, and their hashes
 *
 * PURE.  Internal to server/tree.
 *
 * The hash of a path is a chain: that of "/" is given, that of a child is made of the parent's hash
 * and the child's name.  So one pass over a path gives the hashes of all its ancestors, and a znode
 * that knows its parent knows its own.
 *
 * There are two such chains.  The digest's begins with PATH_HASH_ROOT and is the same on every
 * server.  That of tables in memory begins with a secret of this process: clients choose the paths,
 * and who can compute the hashes can choose a hundred thousand that fall into one bucket.
 */
#ifndef SERVER_TREE_PATH_H
#define SERVER_TREE_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATH_HASH_ROOT UINT64_C (0x9ae16a3b2f90404f) /* the digest's */

enum { PATH_SIZE_DEFAULT = 4096 /* the limit as long as the ensemble has set none */ };

/* ZooKeeper's rules: absolute, no empty component, none of "." and "..", no '/' at the end; valid
 * UTF-8 without control characters.  (ZooKeeper also refuses what UTF-16 makes difficult: private
 * use, U+FFF0 and beyond.  Cohort does not.)  sequential: the last component may be empty, the
 * name is then the number alone.  0, COHORT_EPATH, COHORT_ETOOBIG.  The client checks the same
 * (client/src/path.c). */
int tree_path_validate (const char *path, size_t size, size_t size_max, bool sequential);

/* Whether this may be a component. */
bool tree_name_valid (const char *name, size_t size);

/* The bytes of the path of the parent: 1 for those right below the root.  The path is at least
 * "/x". */
size_t tree_path_parent_size (const char *path, size_t size);

uint64_t tree_path_hash_child (uint64_t parent, const char *name, size_t size);

/* That of "/" in the tables of who has this seed. */
uint64_t tree_path_hash_root (uint64_t seed);

/* Of any sequence of bytes, in the chain that begins with `root`; for paths that are not valid it
 * has no meaning.  *parent, if not NULL, gets the hash of the parent ("/": its own). */
uint64_t tree_path_hash (uint64_t root, const char *path, size_t size, uint64_t *parent);

#endif

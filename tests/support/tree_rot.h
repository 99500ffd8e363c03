/* Memory that changes by itself: what a bit flip does to a state, past the choke point.
 *
 * The only code that reaches into a state from outside; no part of what is shipped. */

#ifndef TESTS_SUPPORT_TREE_ROT_H
#define TESTS_SUPPORT_TREE_ROT_H

#include "client/base/prng.h"
#include "server/tree/tree.h"

struct tree_rot {
    char path[TREE_DAMAGE_PATH_MAX]; /* of the znode; its beginning */
    const char *field;               /* "data", "czxid", "version" ... static */
    size_t bit;
};

/* Flips one bit of the data, of the stat or of what belongs to it, of a znode chosen at random. */
void tree_rot_somewhere (struct tree *tree, struct prng *prng, struct tree_rot *done);

/* The same of one znode; data: of its data (it has some), else of a field of its stat.  false:
 * there is no such znode. */
bool tree_rot (struct tree *tree, struct prng *prng, const char *path, bool data,
               struct tree_rot *done);

/* A state that went wrong by a change, its digest with it, as by an apply that is not the same
 * everywhere.  The ensemble's limit of a znode's data is lowered by so many bytes: nobody sees it,
 * and no entry takes it back.  false: not while a snapshot of it is being written. */
bool tree_diverge (struct tree *tree, uint32_t bytes);

/* The same, for all to see: other data in a znode.  false: there is no such znode. */
bool tree_diverge_data (struct tree *tree, const char *path, const void *data, size_t size);

#endif

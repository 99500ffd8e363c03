/* Which member has which partition: a pure function of the members' names and a number. Every
 * program computes the same, in every version of it: members of one group may run different ones.
 * Private. May include: libc. */

#ifndef COHORT_RECIPES_SHARES_H
#define COHORT_RECIPES_SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct share_member {
    uint64_t hash; /* of its name */
    bool own;      /* it is this program */
    int load;      /* 0 at first; the number of its partitions */
};

uint64_t share_hash (const char *name);

/* Shares `partitions` out among `count` members, 1 at least, in an order that is the same
 * everywhere: mine[number] says which ones are our own. */
void share_out (struct share_member *members, int count, bool *mine, int partitions);

#endif

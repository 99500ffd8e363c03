/* What the parts of the partitioner share: partitioner.c, and partitioner_config.c. Private. May
 * include: the client's public headers, lock, member, mirror, recipes' calls and support. */

#ifndef COHORT_RECIPES_PARTITIONER_PRIVATE_H
#define COHORT_RECIPES_PARTITIONER_PRIVATE_H

#include "cohort/partitioner.h"

#include "calls.h"
#include "cohort/lock.h"
#include "cohort/member.h"
#include "cohort/mirror.h"

struct part {
    cohort_partitioner_t *partitioner;
    cohort_lock_t *lock; /* made when it is wanted first */
    bool mine;           /* it is in our share */
    bool waiting;
    bool held;
    bool asked;  /* held, and the application is to be done with it */
    int refused; /* 0, or why it could not be acquired: tried again when the members change */
    int64_t deadline_ms; /* asked: the grace is over */
    int64_t late_ms;     /* ... and it is given up, for the first time or again */
};

struct cohort_partitioner {
    cohort_t *client;
    char *path, *members, *locks, *node;
    const char *name; /* in node */
    int64_t grace_ms;
    cohort_timer_t *timer; /* for the grace that is over first, or at once: */
    bool settles;          /* the partitions take a step each, */
    bool arranges;         /* the share is computed, too */
    struct recipe_calls calls;
    bool asking; /* how many partitions there are */
    uint64_t lost_session;
    cohort_mirror_t *mirror; /* both NULL until the number of partitions is agreed upon */
    cohort_member_t *member;
    bool out;  /* it cannot become a member: it is to own nothing */
    int error; /* of the last ERROR with number -1; 0: it goes on */
    struct recipe_guard guard;
    cohort_partitioner_fn *fn;
    void *arg;
    int count;
    struct part parts[];
};

void partitioner_leave (cohort_partitioner_t *self);

/* ERROR, of no partition. */
void partitioner_fail (cohort_partitioner_t *self, int rc);

/* Sees to it that the path says how many partitions there are, and that it is our number; then
 * partitioner_take_part, or partitioner_fail. creates: it may be missing. 0, or why nothing was
 * sent. */
int partitioner_agree (cohort_partitioner_t *self, bool creates);

/* All agree: begins to be a member. */
int partitioner_take_part (cohort_partitioner_t *self);

#endif

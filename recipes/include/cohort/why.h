/*
 * cohort/why.h - who holds a lock or permits, or leads, who waits, in which order, since when, from
 * where
 *
 * For people and tools that ask why something does not go on.  It reads; whoever stands in the line
 * does not notice.  It works for every path that cohort/lock.h, cohort/election.h and
 * cohort/sem.h use, and for that of a claim (cohort/claim.h): who holds it, if its owner lives, and
 * then who waits for it.  Further for
 *    - the path of a queue (cohort/queue.h): who has taken which items, in their order, node being
 *      that of the item; then who waits for items, in the order of their line, of which the first
 *      two look;
 *    - the path of a round of a barrier (cohort/barrier.h, PATH/ROUND): its parties in the order in
 *      which they came; those that have entered hold, since all were there;
 *    - the path of a gate: who has closed it, if it is closed.
 */
#ifndef COHORT_WHY_H
#define COHORT_WHY_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One who stands in the line. */
typedef struct cohort_contender {
    const char *node;     /* its znode's path */
    int shared;           /* 1: it holds, or wants, it together with other shared ones */
    int holds;            /* 1: it holds; 0: it waits */
    cohort_token_t token; /* of its grant, should it be granted */
    uint64_t session;     /* whose it is; 0: of none, the znode was made by hand and stays */
    int64_t asked_ms;     /* when it came, ms since 1970, the servers' time */
    int64_t since_ms; /* since when it holds; 0: it waits.  A moment after the grant it may still
                         be asked_ms */
    const char *host; /* "": not known */
    int64_t pid;      /* 0: not known */
    const void *data; /* what it says about itself, followed by one 0 that is not counted */
    size_t size;
    int64_t permits; /* of a semaphore, that it has or wants; else 0 */
} cohort_contender_t;

/* A line, in one allocation. */
typedef struct cohort_why {
    size_t count;
    const cohort_contender_t *items; /* in the order in which they are served */
} cohort_why_t;

/* Who stands in the line at `path` now: as this session's server knows it, and, if more than some
 * thousand stand there, page by page, so that it is not all of one moment.  *why is freed with
 * cohort_why_destroy.  Nobody: count is 0, also when the path does not exist.  Any thread; blocks:
 * COHORT_EDEADLK inside a handler; and what any operation can return (cohort/client.h). */
COHORT_API int cohort_why (cohort_t *client, const char *path,
                           cohort_why_t **why) COHORT_MUST_CHECK;
COHORT_API void cohort_why_destroy (cohort_why_t **why_p);

#ifdef __cplusplus
}
#endif
#endif

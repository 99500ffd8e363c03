/* Who holds, and who waits, where there is no line of contenders: queues, barriers and gates.
 * Private. May include: cohort/why.h. */

#ifndef COHORT_RECIPES_WHY_PLACES_H
#define COHORT_RECIPES_WHY_PLACES_H

#include "cohort/why.h"

/* As cohort_why, for a path that may be a queue's, a round's of a barrier, or a gate's; nobody:
 * count is 0. */
int why_places (cohort_t *client, const char *path, cohort_why_t **why);

#endif

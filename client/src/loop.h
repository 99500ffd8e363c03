/* Loops: who drives which sessions. The public functions are in cohort/client.h.
 * May include: handle. */

#ifndef COHORT_CLIENT_LOOP_H
#define COHORT_CLIENT_LOOP_H

#include "client/src/handle.h"

/* A loop as cohort_loop_new makes it; COHORT_ENOMEM, COHORT_ESYSTEM, COHORT_EINVAL. */
int loop_new (const cohort_loop_options_t *given, cohort_loop_t **loop);
/* One without handles. Not on its own thread. */
void loop_free (cohort_loop_t *self);

#endif

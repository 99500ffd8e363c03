/* Many requests of one kind, some of them on their way at any time: how many have worked, and the
 * first that failed. What it counts outlives its user until the last answer has come: in the shell
 * a session lives on behind a command that was given up. May include: session.h, libc. */

#ifndef COHORT_CLI_VOLLEY_H
#define COHORT_CLI_VOLLEY_H

#include <stddef.h>
#include <stdint.h>

#include "client/cli/session.h"

struct volley {
    struct session *session; /* NULL: nobody wants to know any more */
    size_t asked, answered;
    int64_t done;    /* worked */
    int64_t remain;  /* failed, other than with COHORT_ENONODE: what is gone needs nothing */
    int rc;          /* of the first that failed */
    char path[1024]; /* which that was, perhaps cut */
};

/* NULL: out of memory. */
struct volley *volley_new (struct session *session);
/* Sets *self_p to NULL; answers that are still to come find nobody. */
void volley_end (struct volley **self_p);

/* Notes the outcome of an asynchronous call that has volley_answered and the volley; returns rc. */
int volley_asked (struct volley *self, int rc);
void volley_answered (cohort_t *client, const cohort_result_t *result, void *arg);

/* Waits until at most `flying` requests have no answer: 0, COHORT_ETIMEDOUT. */
int volley_drain (struct volley *self, size_t flying);

#endif

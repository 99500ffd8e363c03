/* Who is first in a line, followed from outside: the observer of an election.
 *
 *   LOOKING: the first name is asked for
 *    |   ^
 *    v   |  it has gone
 *   FOLLOWING: a stream on the first one's znode, with data
 *   EMPTY: nobody is there; a stream on the container tells when somebody comes
 *
 * Only a look at names decides who is first, never the order in which events come. What it costs
 * does not depend on how many stand behind the first one.
 * Private. May include: the client's public headers, recipes' line, record and support. */

#ifndef COHORT_RECIPES_OBSERVER_H
#define COHORT_RECIPES_OBSERVER_H

#include "line.h"

struct observer_look;

struct observer {
    struct line_owner *owner;
    cohort_t *client;
    const char *path; /* of the line; borrowed */
    /* The first one has changed, or (rc) nobody is followed any more. The last thing that is done
     * in a callback: it may destroy the owner. */
    void (*fn) (struct line_owner *owner, int rc);

    bool on;
    struct observer_look *look;
    cohort_stream_t *stream; /* FOLLOWING */
    cohort_stream_t *empty;  /* EMPTY */
    uint64_t lost_session;

    bool known;      /* something was told */
    bool present;    /* somebody is first, as follows */
    char *node;      /* of what is known */
    char *following; /* of a stream that has told nothing yet */
    cohort_stat_t stat;
    char *data;
    size_t size;
    struct record record; /* payload inside data */

    /* Fragments of the stream so far. */
    bool staged_present;
    cohort_stat_t staged_stat;
    char *staged_data;
    size_t staged_size;
};

void observer_init (struct observer *self, struct line_owner *owner, cohort_t *client,
                    const char *path, void (*fn) (struct line_owner *owner, int rc));
void observer_deinit (struct observer *self);

/* Begins, or begins anew after an error. 0 also while it follows; COHORT_ENOMEM, and what the
 * client refuses. */
int observer_start (struct observer *self);

#endif

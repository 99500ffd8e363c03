/* What the parts of the barrier share: barrier.c, its life; barrier_steps.c, how it is entered and
 * left. A half of the recipe behind cohort/barrier.h.
 *
 *   PATH/ROUND                a container; its data says for how many parties
 *   PATH/ROUND/m-NAME         ephemeral: a party; by their czxids, in the order in which they came
 *   PATH/ROUND/ready          names the parties that enter, by the czxids of their znodes
 *
 * Entering: a party creates its znode, and asks how many there are. The name is the party's own
 * choice, drawn anew for each time: so it can be taken back before it is known to be there, by a
 * deletion that the session carries out right behind the creation. Who finds enough of them lists
 * them, and creates `ready` in a transaction that checks each one; the last one to come finds all
 * that are still there, so somebody always does. Everybody follows `ready` alone. Those it names
 * are always in front of others in the list. If the first one there is not named, `ready` is left
 * over, and is replaced.
 *
 * Leaving: all but the first one there delete their znodes and wait for that of the first one. The
 * first waits for the last one there, looks again, and deletes its own znode and `ready` when it is
 * alone.
 *
 * Private. May include: cohort/barrier.h, cohort/mirror.h, recipes' calls and support. */

#ifndef COHORT_RECIPES_BARRIER_PRIVATE_H
#define COHORT_RECIPES_BARRIER_PRIVATE_H

#include "calls.h"
#include "cohort/barrier.h"
#include "cohort/mirror.h"
#include "support.h"

enum barrier_phase { BARRIER_OUTSIDE, BARRIER_ENTERING, BARRIER_INSIDE, BARRIER_LEAVING };

enum barrier_step { STEP_CREATE, STEP_COUNT, STEP_LIST, STEP_READY, STEP_GO, STEP_END };

struct barrier_call {
    struct recipe_call base; /* its owner is the barrier */
    enum barrier_step step;
    bool whole; /* CREATE: with the creation of parents */
    bool undo;  /* CREATE: it was given up, and there was no memory for the deletion behind it */
};

struct cohort_barrier {
    cohort_t *client;
    char *folder, *ready_path;
    int parties;
    enum barrier_phase phase;
    int outcome;                   /* what waiting for it returns, once it is over */
    char *member;                  /* path of our znode, NULL: there is none */
    uint64_t czxid;                /* 0: it is not known to be there */
    struct barrier_call *creating; /* on its way */
    cohort_mirror_t *ready;        /* exists unless OUTSIDE */
    cohort_mirror_t *awaited;      /* LEAVING: the party that is waited for, or NULL */
    char *crew;                    /* INSIDE and LEAVING: the data of `ready` that named us */
    uint64_t ready_czxid;
    struct recipe_calls calls;
    struct recipe_guard guard;
    cohort_barrier_fn *fn;
    void *arg;
};

/* PATH/NAME, or NULL. */
char *barrier_path (const char *path, const char *name);

/* Called by whoever uses a barrier that may have been destroyed meanwhile. */
void barrier_unguard (cohort_barrier_t *self);

/* Runs the handler. */
void barrier_report (cohort_barrier_t *self, cohort_barrier_event_t event);

/* Outside, and why: the handler is told. */
void barrier_fail (cohort_barrier_t *self, int rc);

/* All have left: the handler is told. */
void barrier_left (cohort_barrier_t *self, uint64_t zxid);

/* Sends what a step needs; whole: CREATE with the creation of parents. */
int barrier_begin (cohort_barrier_t *self, enum barrier_step step, bool whole);

/* Does `ready`, which has this data, name the znode that was created by czxid? NULL: it names none.
 */
bool barrier_names (const char *crew, uint64_t czxid);

/* For how many parties a round is, by the data of its container; 0: it is no round. */
int barrier_parties (const void *data, size_t size);

/* Of the mirror of `ready`. */
cohort_mirror_fn barrier_on_ready;

#endif

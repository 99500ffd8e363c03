/* What a test has asked to go wrong on a handle's connections: cohort/fault.h.
 *
 * Asked for from any thread, carried out by the driver, between channel and session. May include:
 * wire, libc. */

#ifndef COHORT_CLIENT_FAULTS_H
#define COHORT_CLIENT_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct faults {
    atomic_int drop_replies; /* so many frames with replies are still to be lost */
    atomic_int hold;         /* COHORT_HOLD_... */
    atomic_bool cut;         /* the connections there are shall end */
    atomic_bool isolated;    /* none shall come about */
    atomic_bool used;        /* ever: until then nobody looks at the others */
};

enum faults_verdict {
    FAULTS_PASS, /* it goes to the session */
    FAULTS_LOSE, /* it is lost, and the connection with it */
    FAULTS_HOLD  /* it waits, and everything behind it */
};

/* What happens to a frame that has arrived. */
enum faults_verdict faults_judge (struct faults *self, const void *frame, size_t size);

/* Whether the connections are to end now; asked once for each wish. */
bool faults_take_cut (struct faults *self);

#endif

/* A program that is run while something is held, and stopped when it is not.
 * May include: libc only. */

#ifndef COHORT_CLI_CHILD_H
#define COHORT_CLI_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct child {
    const char *name; /* borrowed */
    pid_t pid;
    bool group;   /* it leads a process group: what it has started is stopped with it */
    bool stopped; /* it was told to end: nothing of its group may be left */
    bool ended;
    int status; /* as a shell has it: 128 and the signal for one that a signal has ended */
};

/* Starts argv (ended with NULL). On a terminal it stays in the group of this process, so that it
 * can be typed at. False: it cannot be run; a message has been printed. */
bool child_start (struct child *self, char *const *argv);

/* Whether it has ended. Does not block. */
bool child_ended (struct child *self);

/* Sends it a signal, if it has not ended. */
void child_signal (const struct child *self, int number);

/* Tells it to end; when it has, what is left of its group is killed. */
void child_stop (struct child *self);

#endif

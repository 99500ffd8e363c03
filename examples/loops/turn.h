/* What the programs of this folder have in common: a turn with a lock that they share.  Each waits
 * for it, holds it for some ticks of its own loop, releases it, and ends. */
#ifndef TURN_H
#define TURN_H

#include <cohort/cohort.h>
#include <stdio.h>

enum { TICK_MS = 20, TICKS = 3 };

struct turn {
    cohort_t *client;
    cohort_lock_t *lock;
    const char *loop;
    int ticks; /* while it was held */
    int rc;
    int over;
};

static inline void on_lock (cohort_lock_t *lock, const cohort_lock_event_t *event, void *arg)
{
    struct turn *turn = arg;
    (void) lock;
    if (event->kind == COHORT_LOCK_GRANTED) {
        printf ("%s has it, token %llx\n", turn->loop, (unsigned long long) event->token.czxid);
    } else if (event->kind != COHORT_LOCK_WAITING) {
        printf ("%s: %s\n", turn->loop, cohort_error_text (event->rc));
        turn->rc = event->rc;
        turn->over = 1;
    }
}

/* 0, or an exit status. */
static inline int turn_begin (struct turn *turn, const char *loop, int argc, char **argv)
{
    *turn = (struct turn){.loop = loop, .client = argc == 2 ? cohort_new (argv[1], NULL) : NULL};
    setvbuf (stdout, NULL, _IOLBF, 0);
    if (turn->client == NULL) {
        fprintf (stderr, "usage: %s SERVERS\n", loop);
        return 2;
    }
    turn->lock = cohort_lock_new (turn->client, "/locks/turn", loop, 0);
    if (turn->lock == NULL) {
        return 1;
    }
    cohort_lock_set_handler (turn->lock, on_lock, turn);
    return cohort_lock_acquire (turn->lock, COHORT_LOCK_EXCLUSIVE) == 0 ? 0 : 1;
}

/* A tick of the loop: whether the lock is held is asked without any I/O. */
static inline void turn_tick (struct turn *turn)
{
    turn->ticks += cohort_lock_valid (turn->lock, TICK_MS);
    turn->over = turn->over || turn->ticks == TICKS;
}

static inline int turn_end (struct turn *turn)
{
    if (turn->rc == 0) {
        printf ("%s releases it after %d ticks\n", turn->loop, turn->ticks);
    }
    cohort_lock_destroy (&turn->lock);
    cohort_destroy (&turn->client);
    return turn->rc != 0;
}

#endif

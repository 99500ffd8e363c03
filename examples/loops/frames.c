/*
 * frames - a game loop of 60 frames a second that asks in each one whether its lock is held
 *
 *      frames SERVERS
 *
 * Nothing in a frame waits for a server: cohort_dispatch runs handlers of what has arrived, and
 * cohort_lock_valid compares a clock.
 */
#include "turn.h"

#include <time.h>

enum { FRAME_NS = 1000000000 / 60, SECOND_NS = 1000000000 };

static long long now_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return now.tv_sec * (long long) SECOND_NS + now.tv_nsec;
}

int main (int argc, char **argv)
{
    struct turn turn;
    int status = turn_begin (&turn, "frames", argc, argv);
    if (status != 0) {
        return status;
    }
    long long next_ns = now_ns (), longest_ns = 0;
    int frames = 0;
    while (!turn.over) {
        long long before_ns = now_ns ();
        cohort_dispatch (turn.client, 16); /* handlers run in here */
        turn_tick (&turn);
        long long took_ns = now_ns () - before_ns;
        longest_ns = took_ns > longest_ns ? took_ns : longest_ns;
        frames++; /* ... and here the game would draw */
        next_ns += FRAME_NS;
        struct timespec wake = {next_ns / SECOND_NS, next_ns % SECOND_NS};
        clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL);
    }
    printf ("frames: %d frames, in the longest of them Cohort took %lld us\n", frames,
            longest_ns / 1000);
    return turn_end (&turn);
}

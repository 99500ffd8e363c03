/*
 * zloop - a recipe in a loop of CZMQ
 *
 *      zloop SERVERS
 */
#include "turn.h"

#include <czmq.h>

static int on_readable (zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    (void) loop;
    (void) item;
    struct turn *turn = arg;
    cohort_dispatch (turn->client, 64); /* handlers run in here */
    return turn->over ? -1 : 0;
}

/* More often than any deadline of its own, so that those are kept, too. */
static int on_timer (zloop_t *loop, int id, void *arg)
{
    (void) loop;
    (void) id;
    struct turn *turn = arg;
    cohort_dispatch (turn->client, 64);
    turn_tick (turn);
    return turn->over ? -1 : 0;
}

int main (int argc, char **argv)
{
    struct turn turn;
    int status = turn_begin (&turn, "zloop", argc, argv);
    if (status != 0) {
        return status;
    }
    zloop_t *loop = zloop_new ();
    zmq_pollitem_t item = {.fd = cohort_fd (turn.client), .events = ZMQ_POLLIN};
    zloop_poller (loop, &item, on_readable, &turn);
    zloop_timer (loop, TICK_MS, 0, on_timer, &turn);
    zloop_start (loop);
    zloop_destroy (&loop);
    return turn_end (&turn);
}

/*
 * libuv - a recipe in a loop of libuv
 *
 *      libuv SERVERS
 */
#include "turn.h"

#include <uv.h>

static void stop_if_over (uv_handle_t *handle)
{
    struct turn *turn = handle->data;
    if (turn->over) {
        uv_stop (handle->loop);
    }
}

static void on_readable (uv_poll_t *poll, int status, int events)
{
    (void) status;
    (void) events;
    struct turn *turn = poll->data;
    cohort_dispatch (turn->client, 64); /* handlers run in here */
    stop_if_over ((uv_handle_t *) poll);
}

/* More often than any deadline of its own, so that those are kept, too. */
static void on_timer (uv_timer_t *timer)
{
    struct turn *turn = timer->data;
    cohort_dispatch (turn->client, 64);
    turn_tick (turn);
    stop_if_over ((uv_handle_t *) timer);
}

int main (int argc, char **argv)
{
    struct turn turn;
    int status = turn_begin (&turn, "libuv", argc, argv);
    if (status != 0) {
        return status;
    }
    uv_loop_t *loop = uv_default_loop ();
    uv_poll_t poll = {.data = &turn};
    uv_timer_t timer = {.data = &turn};
    uv_poll_init (loop, &poll, cohort_fd (turn.client));
    uv_poll_start (&poll, UV_READABLE, on_readable);
    uv_timer_init (loop, &timer);
    uv_timer_start (&timer, on_timer, TICK_MS, TICK_MS);
    uv_run (loop, UV_RUN_DEFAULT);
    uv_close ((uv_handle_t *) &poll, NULL); /* before its descriptor goes */
    uv_close ((uv_handle_t *) &timer, NULL);
    uv_run (loop, UV_RUN_DEFAULT);
    uv_loop_close (loop);
    return turn_end (&turn);
}

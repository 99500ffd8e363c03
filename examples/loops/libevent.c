/*
 * libevent - a recipe in a loop of libevent
 *
 *      libevent SERVERS
 */
#include "turn.h"

#include <event2/event.h>

struct game {
    struct turn turn;
    struct event_base *base;
};

static void stop_if_over (struct game *game)
{
    if (game->turn.over) {
        event_base_loopbreak (game->base);
    }
}

static void on_readable (evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct game *game = arg;
    cohort_dispatch (game->turn.client, 64); /* handlers run in here */
    stop_if_over (game);
}

/* More often than any deadline of its own, so that those are kept, too. */
static void on_timer (evutil_socket_t fd, short what, void *arg)
{
    struct game *game = arg;
    on_readable (fd, what, arg);
    turn_tick (&game->turn);
    stop_if_over (game);
}

int main (int argc, char **argv)
{
    struct game game;
    int status = turn_begin (&game.turn, "libevent", argc, argv);
    if (status != 0) {
        return status;
    }
    const struct timeval tick = {0, TICK_MS * 1000};
    game.base = event_base_new ();
    struct event *readable = event_new (game.base, cohort_fd (game.turn.client),
                                        EV_READ | EV_PERSIST, on_readable, &game);
    struct event *timer = event_new (game.base, -1, EV_PERSIST, on_timer, &game);
    event_add (readable, NULL);
    event_add (timer, &tick);
    event_base_dispatch (game.base);
    event_free (readable);
    event_free (timer);
    event_base_free (game.base);
    return turn_end (&game.turn);
}

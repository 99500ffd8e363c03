/*
 * epoll - a recipe in a loop of epoll
 *
 *      epoll SERVERS
 */
#include "turn.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

int main (int argc, char **argv)
{
    struct turn turn;
    int status = turn_begin (&turn, "epoll", argc, argv);
    if (status != 0) {
        return status;
    }
    const struct itimerspec ticks = {{0, TICK_MS * 1000000}, {0, TICK_MS * 1000000}};
    int timer = timerfd_create (CLOCK_MONOTONIC, TFD_NONBLOCK), epoll = epoll_create1 (0);
    struct epoll_event cohort_event = {.events = EPOLLIN, .data.fd = cohort_fd (turn.client)};
    struct epoll_event timer_event = {.events = EPOLLIN, .data.fd = timer};
    timerfd_settime (timer, 0, &ticks, NULL);
    epoll_ctl (epoll, EPOLL_CTL_ADD, cohort_fd (turn.client), &cohort_event);
    epoll_ctl (epoll, EPOLL_CTL_ADD, timer, &timer_event);
    while (!turn.over) {
        struct epoll_event event;
        unsigned long long expired;
        /* Its own deadlines, too, are to be kept. */
        int count = epoll_wait (epoll, &event, 1, cohort_timeout (turn.client));
        if (count == 1 && event.data.fd == timer) {
            if (read (timer, &expired, sizeof expired) == sizeof expired) {
                turn_tick (&turn);
            }
        } else {
            cohort_dispatch (turn.client, 64); /* handlers run in here */
        }
    }
    close (timer);
    close (epoll);
    return turn_end (&turn);
}

#include "client/cli/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

/* A handler may do little more than write: this end wakes the poll below. */
static int pipe_ends[2] = {-1, -1};

static void on_signal (int number)
{
    int saved = errno;
    char byte = (char) number;
    /* A full pipe wakes as well. */
    ssize_t written = write (pipe_ends[1], &byte, 1);
    (void) written;
    errno = saved;
}

bool interrupt_catch (void)
{
    if (pipe (pipe_ends) != 0) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (fcntl (pipe_ends[i], F_SETFL, O_NONBLOCK) != 0 ||
            fcntl (pipe_ends[i], F_SETFD, FD_CLOEXEC) != 0) {
            return false;
        }
    }
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset (&action.sa_mask);
    struct sigaction child = action;
    child.sa_flags |= SA_NOCLDSTOP;
    return sigaction (SIGINT, &action, NULL) == 0 && sigaction (SIGTERM, &action, NULL) == 0 &&
           sigaction (SIGCHLD, &child, NULL) == 0;
}

static int sooner (int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

int interrupt_wait (cohort_t *client, int timeout_ms)
{
    struct pollfd items[] = {{pipe_ends[0], POLLIN, 0}, {cohort_fd (client), POLLIN, 0}};
    int ready = poll (items, 2, sooner (cohort_timeout (client), timeout_ms));
    char byte = 0;
    if (ready > 0 && items[0].revents != 0 && read (pipe_ends[0], &byte, 1) != 1) {
        byte = 0;
    }
    cohort_dispatch (client, 0);
    return byte;
}

bool interrupt_run (cohort_t *client)
{
    int number = interrupt_wait (client, -1);
    return number == 0 || number == SIGCHLD;
}

void interrupt_release (void)
{
    if (pipe_ends[0] < 0) {
        return;
    }
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigemptyset (&action.sa_mask);
    /* They cannot fail for signals that were caught before. */
    (void) sigaction (SIGINT, &action, NULL);
    (void) sigaction (SIGTERM, &action, NULL);
    (void) sigaction (SIGCHLD, &action, NULL);
    for (int i = 0; i < 2; i++) {
        close (pipe_ends[i]);
        pipe_ends[i] = -1;
    }
}

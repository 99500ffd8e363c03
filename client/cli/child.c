#include "client/cli/child.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/cli/message.h"

extern char **environ;

bool child_start (struct child *self, char *const *argv)
{
    *self = (struct child){.name = argv[0], .group = !isatty (STDIN_FILENO)};
    posix_spawnattr_t attributes;
    int rc = posix_spawnattr_init (&attributes);
    if (rc == 0) {
        short flags = self->group ? POSIX_SPAWN_SETPGROUP : 0;
        rc = posix_spawnattr_setflags (&attributes, flags);
        rc = rc == 0 ? posix_spawnattr_setpgroup (&attributes, 0) : rc;
        fflush (stdout);
        rc = rc == 0 ? posix_spawnp (&self->pid, argv[0], NULL, &attributes, argv, environ) : rc;
        posix_spawnattr_destroy (&attributes);
    }
    if (rc != 0) {
        message ("%s: %s", argv[0], strerror (rc));
    }
    return rc == 0;
}

bool child_ended (struct child *self)
{
    siginfo_t info = {.si_pid = 0};
    if (self->ended || waitid (P_PID, (id_t) self->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid != self->pid) {
        return self->ended;
    }
    if (self->stopped && self->group) {
        /* Until it is waited for its number is nobody else's. */
        (void) kill (-self->pid, SIGKILL);
    }
    int status = 0;
    (void) waitpid (self->pid, &status, 0);
    self->ended = true;
    self->status = WIFSIGNALED (status) ? 128 + WTERMSIG (status) : WEXITSTATUS (status);
    return true;
}

void child_signal (const struct child *self, int number)
{
    if (!self->ended) {
        /* A zombie does not mind. */
        (void) kill (self->group ? -self->pid : self->pid, number);
    }
}

void child_stop (struct child *self)
{
    self->stopped = true;
    child_signal (self, SIGTERM);
}

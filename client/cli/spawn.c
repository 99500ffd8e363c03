#include "client/cli/spawn.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/cli/message.h"

extern char **environ;

/* A file and no pipe: a program need not read its input. */
static FILE *input_of (const void *data, size_t size)
{
    FILE *file = tmpfile ();
    if (file != NULL && ((size > 0 && fwrite (data, 1, size, file) != size) || fflush (file) != 0 ||
                         fseek (file, 0, SEEK_SET) != 0)) {
        fclose (file);
        file = NULL;
    }
    return file;
}

static int start (char *const *argv, FILE *input, pid_t *child)
{
    posix_spawn_file_actions_t actions;
    int rc = posix_spawn_file_actions_init (&actions);
    if (rc != 0) {
        return rc;
    }
    rc = posix_spawn_file_actions_adddup2 (&actions, fileno (input), STDIN_FILENO);
    if (rc == 0) {
        rc = posix_spawnp (child, argv[0], &actions, NULL, argv, environ);
    }
    posix_spawn_file_actions_destroy (&actions);
    return rc;
}

static bool wait_for (const char *name, pid_t child)
{
    int status = 0;
    pid_t ended;
    do {
        ended = waitpid (child, &status, 0);
    } while (ended < 0 && errno == EINTR);
    if (ended < 0) {
        message ("%s: %s", name, strerror (errno));
        return false;
    }
    if (WIFSIGNALED (status)) {
        message ("%s: ended by signal %d", name, WTERMSIG (status));
        return false;
    }
    if (WEXITSTATUS (status) != 0) {
        message ("%s: exit status %d", name, WEXITSTATUS (status));
        return false;
    }
    return true;
}

bool spawn_wait (char *const *argv, const char *const *names, const char *const *values,
                 size_t count, const void *data, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (setenv (names[i], values[i], 1) != 0) {
            message ("out of memory");
            return false;
        }
    }
    FILE *input = input_of (data, size);
    if (input == NULL) {
        message ("a temporary file for %s: %s", argv[0], strerror (errno));
        return false;
    }
    fflush (stdout);
    pid_t child = 0;
    int rc = start (argv, input, &child);
    fclose (input);
    if (rc != 0) {
        message ("%s: %s", argv[0], strerror (rc));
        return false;
    }
    return wait_for (argv[0], child);
}

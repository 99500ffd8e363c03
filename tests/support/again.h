/* This test's program once more, as a process of its own: what is to be killed, or to run beside.
 * It is no fork, which would find the locks of the allocator as the threads of the test held them
 * at that moment: with sanitizers for ever. May include: POSIX. */

#ifndef COHORT_TESTS_AGAIN_H
#define COHORT_TESTS_AGAIN_H

#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

extern char **environ;

/* Bytes of a descriptor as an argument. */
enum { AGAIN_NUMBER_SIZE = 16 };

/* Its main has `what` as argv[0], and then the arguments, up to NULL. Descriptors stay open. -1: it
 * does not start. */
static inline pid_t again_start (const char *what, const char *const *arguments)
{
    enum { ARGUMENTS_MAX = 8 };
    char *argv[ARGUMENTS_MAX + 2] = {(char *) (uintptr_t) what};
    for (size_t i = 0; arguments[i] != NULL; i++) {
        if (i == ARGUMENTS_MAX) {
            return -1;
        }
        argv[i + 1] = (char *) (uintptr_t) arguments[i];
    }
    pid_t pid;
    return posix_spawn (&pid, "/proc/self/exe", NULL, NULL, argv, environ) == 0 ? pid : -1;
}

static inline const char *again_number (char text[AGAIN_NUMBER_SIZE], int number)
{
    (void) snprintf (text, AGAIN_NUMBER_SIZE, "%d", number);
    return text;
}

#endif

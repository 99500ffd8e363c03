/* What the exit status of `cohort` says. Scripts rely on it: a number never changes its meaning.
 * May include: the public client API. */

#ifndef COHORT_CLI_EXIT_CODE_H
#define COHORT_CLI_EXIT_CODE_H

enum cli_exit {
    CLI_EXIT_OK = 0,
    CLI_EXIT_FAILED = 1,
    CLI_EXIT_USAGE = 2,
    CLI_EXIT_NO_CONNECTION = 3,
    CLI_EXIT_NO_NODE = 4,
    CLI_EXIT_EXISTS = 5,
    CLI_EXIT_BAD_VERSION = 6,
    CLI_EXIT_NO_PERMISSION = 7,
    CLI_EXIT_NO_QUORUM = 8,
    CLI_EXIT_TIMED_OUT = 124 /* as timeout(1) has it */
};

/* The list above in words, for the help. */
extern const char exit_code_list[];

/* The exit status for a result of the client library. */
int exit_code_of (int rc);

#endif

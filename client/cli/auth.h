/* Who a session is to be: passwords from the command line, a file, a variable or a terminal.
 * May include: arguments, the public client API. */

#ifndef COHORT_CLI_AUTH_H
#define COHORT_CLI_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "client/cli/arguments.h"
#include "cohort/acl.h"

/* What cohort_add_auth takes; wiped by credential_wipe. */
#define CREDENTIAL_SIZE 1280
struct credential {
    char text[CREDENTIAL_SIZE]; /* scheme, user and password lie in it */
    const char *scheme, *user, *password;
};

/* As many as a session can be. */
#define CREDENTIALS_MAX 30

/* Users whom sessions are to be that begin later: those of addauth in a shell, and whose password
 * was asked for once. Begins as {0}. */
struct credentials {
    struct credential *items[CREDENTIALS_MAX];
    size_t count;
};

/* Keeps a copy, unless it is there already. False: no memory, or too many; a message has been
 * printed. */
bool credentials_keep (struct credentials *self, const struct credential *credential);
/* All that the settings say, asking for passwords once. The exit status; a message has been printed
 * unless it is CLI_EXIT_OK. */
int credentials_load (struct credentials *self, const struct settings *settings);
/* Wipes and forgets all of them. */
void credentials_deinit (struct credentials *self);

/* Where a password comes from that is not given. */
enum password_source {
    PASSWORD_TERMINAL, /* its terminal only: standard input belongs to the command */
    PASSWORD_INPUT     /* a line of standard input, if that is no terminal */
};

/* Reads "SCHEME:USER:PASSWORD"; "SCHEME:USER" asks for the password. `what` says in messages where
 * the text stands. False: a message has been printed, which does not repeat the password. */
bool credential_parse (struct credential *self, const char *text, const char *what,
                       enum password_source source);
/* The password of a user whose scheme is known; `twice`: typed blindly, it is asked for again. */
bool credential_ask (struct credential *self, const char *scheme, const char *user,
                     enum password_source source, bool twice);
void credential_wipe (struct credential *self);

/* Makes the session all that --auth, --auth-file and their variables say, and settings->users. The
 * exit status; a message has been printed unless it is CLI_EXIT_OK. Blocks. */
int auth_apply (cohort_t *client, const struct settings *settings);

/* Hands out one after the other of what they say, wiped afterwards, until fn returns something else
 * than CLI_EXIT_OK; that, or as above. May ask for a password. */
typedef int credential_fn (void *arg, const struct credential *credential);
int auth_each (const struct settings *settings, credential_fn *fn, void *arg);

/* Proves one: the exit status, as above. */
int auth_prove (cohort_t *client, const struct credential *credential);

#endif

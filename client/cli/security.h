/* CURVE: with the ensemble's public key everything is encrypted, with a key pair of this process.
 * May include: the public client API, libzmq. */

#ifndef COHORT_CLI_SECURITY_H
#define COHORT_CLI_SECURITY_H

#include <stdbool.h>

#include "cohort/client.h"

#define SECURITY_KEY_SIZE 41 /* in Z85, its terminating 0 counted */

struct security {
    const char *server_key; /* borrowed; NULL: no encryption */
    char public_key[SECURITY_KEY_SIZE];
    char secret_key[SECURITY_KEY_SIZE];
};

/* False: server_key is no key, or libzmq lacks CURVE; a message has been printed. */
bool security_init (struct security *self, const char *server_key);

/* Takes the key pair of a certificate (cohortd keygen FILE: its secret is in FILE_secret). False:
 * there is no encryption, or no such pair; a message has been printed. */
bool security_take_file (struct security *self, const char *file);

/* For a session: what options then borrow lives in self. */
void security_apply (const struct security *self, cohort_options_t *options);

/* For a socket that has not been connected yet. */
bool security_apply_socket (const struct security *self, void *socket);

#endif

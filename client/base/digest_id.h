/* The ids of digest users, as access control lists name them: docs/acl.md. Clients write them into
 * lists, servers make them of what add_auth sends.
 *
 * May include: base, libc. */

#ifndef COHORT_BASE_DIGEST_ID_H
#define COHORT_BASE_DIGEST_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DIGEST_USER_MAX = 128,      /* bytes of a user's name */
    DIGEST_PASSWORD_MAX = 1024, /* bytes of a password */
    DIGEST_SALT_SIZE = 16,
    DIGEST_CREDENTIAL_SIZE = 32, /* what Argon2id makes of a password; its cost is: */
    DIGEST_PASSES = 2,
    DIGEST_MEMORY_KIB = 64 << 10,
    DIGEST_ID_SIZE = 192 /* of an id, with a 0 */
};

/* Whether this is a name: something, not too much, no ':' and no control characters. */
bool digest_user_valid (const char *user, size_t size);

/* Whether it is one of the two ids. Both contain a hash: a password is none. */
bool digest_id_valid (const char *id, size_t size);

/* The salt of a user's password. */
void digest_salt (const char *user, size_t size, uint8_t salt[DIGEST_SALT_SIZE]);

/* USER:argon2id:HASH, of the credential; ended with 0. The name is valid. */
void digest_id (const char *user, size_t user_size,
                const uint8_t credential[DIGEST_CREDENTIAL_SIZE], char id[DIGEST_ID_SIZE]);

/* USER:HASH as ZooKeeper has it. The name is valid, the password not longer than its limit. */
void digest_id_sha1 (const char *user, size_t user_size, const void *password, size_t size,
                     char id[DIGEST_ID_SIZE]);

#endif

/* What a session has proven of itself with: kept for the session that may come after it.
 *
 * May include: wire, base, libc. */

#ifndef COHORT_CLIENT_PROOF_H
#define COHORT_CLIENT_PROOF_H

#include <stdatomic.h>
#include <stdint.h>

#include "client/base/list.h"
#include "client/src/wire.h"

struct proof {
    struct list_node node;       /* in the session's list */
    _Atomic uint32_t references; /* requests end on other threads */
    const char *scheme;          /* static */
    const char *user;            /* inside this allocation, as the credential is */
    const uint8_t *credential;
    size_t size, total; /* of the credential; of the allocation */
};

/* One reference; with copies of user and credential. scheme is static. NULL without memory. */
struct proof *proof_new (const char *scheme, const char *user, const void *credential, size_t size);
/* What a password proves, by scheme (docs/acl.md); slow and large, by intention. COHORT_EINVAL,
 * COHORT_ENOMEM: with the reason in wrong. */
int proof_make (const char *scheme, const char *user, const char *password, struct proof **proof_p,
                char *wrong, size_t wrong_size);
void proof_retain (struct proof *proof);
/* With the last reference it is wiped. NULL is allowed. */
void proof_release (struct proof *proof);
bool proof_equal (const struct proof *a, const struct proof *b);

#endif

/* Proofs of who a session is. May include: proof, base, libc. */

#include "client/src/proof.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/secret.h"

struct proof *proof_new (const char *scheme, const char *user, const void *credential, size_t size)
{
    size_t user_size = strlen (user) + 1, total = sizeof (struct proof) + user_size + size;
    struct proof *proof = mem_alloc (total);
    if (proof == NULL) {
        return NULL;
    }
    char *tail = (char *) (proof + 1);
    memcpy (tail, user, user_size);
    memcpy (tail + user_size, credential, size);
    *proof = (struct proof){.scheme = scheme,
                            .user = tail,
                            .credential = (const uint8_t *) tail + user_size,
                            .size = size,
                            .total = total};
    list_node_init (&proof->node);
    atomic_init (&proof->references, 1);
    return proof;
}

void proof_retain (struct proof *proof)
{
    uint32_t before = atomic_fetch_add_explicit (&proof->references, 1, memory_order_relaxed);
    COHORT_ASSERT (before > 0);
}

void proof_release (struct proof *proof)
{
    if (proof == NULL) {
        return;
    }
    uint32_t before = atomic_fetch_sub_explicit (&proof->references, 1, memory_order_acq_rel);
    COHORT_ASSERT (before > 0);
    if (before == 1) {
        COHORT_ASSERT (!list_linked (&proof->node));
        secret_wipe (proof, proof->total);
        mem_free (proof);
    }
}

bool proof_equal (const struct proof *a, const struct proof *b)
{
    return strcmp (a->scheme, b->scheme) == 0 && strcmp (a->user, b->user) == 0 &&
           a->size == b->size && memcmp (a->credential, b->credential, a->size) == 0;
}

/*
 * server/tree/estate.c - what a session owns: ephemerals that change their owner together
 *
 * PURE.  The estates themselves, and the operation that hands them over.
 */
#include "server/tree/estate.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hand_over.h"
#include "client/base/mutation.h"
#include "client/base/sha256.h"
#include "server/tree/change.h"
#include "server/tree/ops.h"
#include "server/tree/verify.h"

struct estate *estate_alloc (void)
{
    struct estate *self = mem_calloc (1, sizeof (*self));
    if (self != NULL) {
        list_init (&self->tenures);
    }
    return self;
}

void estate_release (struct estate *self)
{
    COHORT_ASSERT (!list_linked (&self->idle));
    mem_free (self);
}

static bool has_id (const struct map_node *node, const void *key)
{
    /* The hash is the id, and it was compared. */
    (void) node;
    (void) key;
    return true;
}

struct estate *estate_find (const struct map *estates, uint64_t id)
{
    struct map_node *found = map_find (estates, id, has_id, NULL);
    return found != NULL ? map_entry (found, struct estate, node) : NULL;
}

/* Whether the receiver has agreed.  That there is no such session looks just like a wrong token:
 * who has none learns nothing of others' sessions. */
static bool agrees (const struct session *giver, const struct session *receiver,
                    const uint8_t token[HAND_OVER_TOKEN_SIZE])
{
    uint8_t expected[HAND_OVER_TOKEN_SIZE];
    if (receiver == NULL || session_over (receiver)) {
        return false;
    }
    hand_over_token (giver->id, receiver->id, receiver->password_hash, expected);
    return secret_equal (expected, token, sizeof (expected)) || COHORT_MUTATED (consent_unasked);
}

int op_hand_over (struct tree *self, struct session *giver, const struct op *op,
                  struct result_op *result)
{
    struct session *receiver = session_find (&self->sessions, op->session);
    if (receiver == giver) {
        return COHORT_EINVAL;
    }
    if (!agrees (giver, receiver, op->token)) {
        return COHORT_ENOAUTH;
    }
    uint64_t estates = (uint64_t) giver->estate_count + receiver->estate_count;
    result->has_value = true;
    if (estates > ENTRY_ESTATES_MAX) {
        result->value = (int64_t) estates;
        return COHORT_ELIMIT;
    }
    for (struct list_node *at = list_first (&giver->estates); at != NULL;
         at = list_next (&giver->estates, at)) {
        const struct estate *estate = list_entry (at, struct estate, owned);
        if (estate->count > 0 && !verify_estate (self, estate)) {
            return COHORT_ECORRUPT; /* nobody will see it: the state is given up */
        }
    }
    result->value = (int64_t) giver->ephemeral_count;
    if (giver->ephemeral_count > 0 && !COHORT_MUTATED (hand_over_undone)) {
        change_hand_over (self, giver, receiver);
    }
    return 0;
}

_Static_assert((int) HAND_OVER_TOKEN_SIZE == (int) ENTRY_TOKEN_SIZE, "entries carry the token");
_Static_assert((int) HAND_OVER_HASH_SIZE == (int) ENTRY_PASSWORD_HASH, "it is made of that hash");

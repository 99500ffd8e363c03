/* The model: who owns which ephemerals, and their end with him.
 *
 * A session's ephemerals belong to an estate, the newest that it owns, or a new one if it owns
 * none. One whose last ephemeral goes is its owner's to the end of that entry. Estates are what is
 * handed over; and a session's ephemerals go estate by estate, in each in the order of their
 * creation, then of their paths. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/hand_over.h"
#include "tests/history/model_state.h"

static bool owns (const struct model_session *session, const struct model_znode *znode)
{
    const struct model_version *now = model_now (znode);
    return now != NULL && now->stat.ephemeral_owner == session->id;
}

static void take (struct model_session *session, struct model_znode *znode)
{
    session->ephemerals = model_grow (session->ephemerals, session->ephemerals_count,
                                      &session->ephemerals_capacity, sizeof (struct model_znode *));
    session->ephemerals[session->ephemerals_count++] = znode;
}

static uint64_t newest_with_ephemerals (const struct model_session *session)
{
    uint64_t newest = 0;
    for (size_t i = 0; i < session->ephemerals_count; i++) {
        if (owns (session, session->ephemerals[i])) {
            uint64_t estate = model_now (session->ephemerals[i])->estate;
            newest = estate > newest ? estate : newest;
        }
    }
    return newest;
}

static const struct model_version *touched (const struct model *self, size_t at)
{
    return &self->touched[at].znode->versions[self->touched[at].version];
}

/* Of those that the present entry has changed: what it did with one last says whose it is now, for
 * without ephemerals none is handed over. */
static uint64_t newest_changed (const struct model *self, const struct model_session *session)
{
    uint64_t newest = 0;
    for (size_t i = self->touched_count; i-- > 0;) {
        uint64_t estate = touched (self, i)->estate;
        bool last = estate > newest;
        for (size_t j = i + 1; j < self->touched_count && last; j++) {
            last = touched (self, j)->estate != estate;
        }
        if (last && touched (self, i)->stat.ephemeral_owner == session->id) {
            newest = estate;
        }
    }
    return newest;
}

void model_own (struct model *self, struct model_session *session, struct model_znode *znode)
{
    uint64_t newest = newest_with_ephemerals (session), changed = newest_changed (self, session);
    newest = changed > newest ? changed : newest;
    struct model_version *version = &znode->versions[znode->versions_count - 1];
    version->stat.ephemeral_owner = session->id;
    version->stat.ozxid = self->zxid;
    version->estate = newest != 0 ? newest : ++self->last_estate;
    take (session, znode);
}

/* ---- In order -------------------------------------------------------------------------------- */

static int by_age (const void *left, const void *right)
{
    const struct model_znode *a = *(struct model_znode *const *) left;
    const struct model_znode *b = *(struct model_znode *const *) right;
    const struct model_version *x = model_now (a), *y = model_now (b);
    if (x->estate != y->estate) {
        return x->estate < y->estate ? -1 : 1;
    }
    if (x->stat.czxid != y->stat.czxid) {
        return x->stat.czxid < y->stat.czxid ? -1 : 1;
    }
    return strcmp (a->path, b->path);
}

/* What it owns, in a list that is to be freed. What it made or was given before is forgotten. */
static struct model_znode **owned (struct model_session *session, size_t *count)
{
    struct model_znode **list = calloc (session->ephemerals_count + 1, sizeof *list);
    COHORT_ASSERT (list != NULL);
    size_t all = 0;
    *count = 0;
    for (size_t i = 0; i < session->ephemerals_count; i++) {
        if (owns (session, session->ephemerals[i])) {
            list[all++] = session->ephemerals[i];
        }
    }
    qsort (list, all, sizeof *list, by_age);
    /* Made twice, under one name: listed twice. */
    for (size_t i = 0; i < all; i++) {
        if (*count == 0 || list[*count - 1] != list[i]) {
            list[(*count)++] = list[i];
        }
    }
    return list;
}

/* ---- Hand-over ------------------------------------------------------------------------------- */

/* Whether the receiver has agreed, by the token that only he can make. */
static bool agrees (const struct model_session *giver, const struct model_session *receiver,
                    const char *told)
{
    uint8_t token[HAND_OVER_TOKEN_SIZE];
    char text[2 * HAND_OVER_TOKEN_SIZE + 1];
    if (receiver == NULL || receiver->dead || receiver->killed) {
        return false;
    }
    hand_over_token (giver->id, receiver->id, receiver->password, token);
    for (size_t i = 0; i < sizeof token; i++) {
        (void) snprintf (text + 2 * i, 3, "%02x", token[i]);
    }
    return strcmp (text, told) == 0;
}

int32_t model_hand_over (struct model *self, struct model_session *giver,
                         const struct history_op *op, int64_t *count)
{
    struct model_session *receiver = model_find_session (self, op->session);
    if (receiver == giver) {
        return COHORT_EINVAL;
    }
    if (!agrees (giver, receiver, op->value)) {
        return COHORT_ENOAUTH;
    }
    size_t given = 0;
    struct model_znode **list = owned (giver, &given);
    for (size_t i = 0; i < given; i++) {
        struct model_version *version = model_push (self, list[i], MODEL_ASIDE);
        version->stat.ephemeral_owner = receiver->id;
        version->stat.ozxid = self->zxid;
        take (receiver, list[i]);
    }
    free (list);
    if (given > 0) {
        model_tell (self, &(struct model_change){.from = giver->id, .to = receiver->id});
    }
    *count = (int64_t) given;
    return 0;
}

/* ---- The end of a session -------------------------------------------------------------------- */

void model_reap (struct model *self, struct model_session *session)
{
    size_t count = 0;
    struct model_znode **list = owned (session, &count);
    for (size_t i = 0; i < count && i < MODEL_REAP_MAX; i++) {
        model_take_away (self, list[i]);
    }
    session->gone = count <= MODEL_REAP_MAX;
    session->gone_zxid = session->gone ? self->zxid : 0;
    free (list);
}

bool model_has_session (const struct model_session *session, uint64_t zxid)
{
    return session != NULL && session->origins[0].zxid <= zxid &&
           (session->gone_zxid == 0 || zxid < session->gone_zxid);
}

static int by_address (const void *left, const void *right)
{
    const struct model_znode *a = *(const struct model_znode *const *) left;
    const struct model_znode *b = *(const struct model_znode *const *) right;
    return (a > b) - (a < b);
}

/* A path that was made again, or given back, is there several times. */
uint64_t model_owned_count (const struct model_session *session, uint64_t zxid)
{
    uint64_t count = 0;
    size_t found = 0;
    const struct model_znode **znodes = calloc (session->ephemerals_count + 1, sizeof *znodes);
    COHORT_ASSERT (znodes != NULL);
    for (size_t i = 0; i < session->ephemerals_count; i++) {
        const struct model_version *version = model_at (session->ephemerals[i], zxid);
        if (version != NULL && version->stat.ephemeral_owner == session->id) {
            znodes[found++] = session->ephemerals[i];
        }
    }
    qsort (znodes, found, sizeof *znodes, by_address);
    for (size_t i = 0; i < found; i++) {
        count += i == 0 || znodes[i] != znodes[i - 1];
    }
    free (znodes);
    return count;
}

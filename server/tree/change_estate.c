/*
 * server/tree/change_estate.c - the choke point: who owns which ephemerals
 *
 * PURE.
 */
#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/tree/change.h"
#include "server/tree/digest.h"
#include "server/tree/estate.h"
#include "server/tree/snapshot.h"

/* ---- Estates come and go ----------------------------------------------------------------- */

static struct estate *estate_new (struct tree *self, struct session *session)
{
    struct estate *estate = estate_alloc ();
    MEM_NEED (estate != NULL);
    COHORT_ASSERT (self->scalars.last_estate < UINT64_MAX);
    estate->id = ++self->scalars.last_estate;
    estate->session = session;
    estate->generation = self->generation;
    estate->digest = digest_estate (estate);
    estate->node.hash = estate->id;
    map_insert (&self->estates, &estate->node);
    /* No id is greater: the order stays. */
    list_push_back (&session->estates, &estate->owned);
    list_push_back (&self->idle, &estate->idle);
    return estate;
}

struct estate *change_estate (struct tree *self, struct session *session)
{
    struct list_node *newest = list_last (&session->estates);
    return newest != NULL ? list_entry (newest, struct estate, owned) : estate_new (self, session);
}

void change_estate_join (struct tree *self, struct tenure *tenure, struct list_node *next)
{
    struct estate *estate = tenure->estate;
    if (next != NULL) {
        list_insert_before (next, &tenure->node);
    } else {
        list_push_back (&estate->tenures, &tenure->node);
    }
    estate->session->ephemeral_count++;
    if (estate->count++ == 0) {
        list_remove (&estate->idle);
        estate->session->estate_count++;
        self->digest += estate->digest;
    }
}

void change_estate_leave (struct tree *self, struct tenure *tenure)
{
    struct estate *estate = tenure->estate;
    COHORT_ASSERT (estate->count > 0);
    COHORT_ASSERT (estate->session->ephemeral_count >= estate->count);
    list_remove (&tenure->node);
    estate->session->ephemeral_count--;
    if (--estate->count == 0) {
        /* Its last ephemeral was written before it left, and the estate before that; of a snapshot
         * that has failed nothing is written any more. */
        COHORT_ASSERT (self->snapshot == NULL || snapshot_failed (self->snapshot) ||
                       estate->generation == self->generation);
        COHORT_ASSERT (estate->session->estate_count > 0);
        estate->session->estate_count--;
        list_push_back (&self->idle, &estate->idle);
        self->digest -= estate->digest;
    }
}

static void free_idle (struct tree *self, struct estate *estate)
{
    COHORT_ASSERT (estate->count == 0);
    list_remove (&estate->idle);
    list_remove (&estate->owned);
    map_remove (&self->estates, &estate->node);
    estate_release (estate);
}

void change_estates_free (struct tree *self)
{
    struct list_node *first;
    while ((first = list_first (&self->idle)) != NULL) {
        free_idle (self, list_entry (first, struct estate, idle));
    }
}

/* ---- Hand-over --------------------------------------------------------------------------- */

/* An estate that was handed over, and what it was before. */
struct moved {
    struct estate *estate;
    zxid_t ozxid;
    uint64_t digest;
};

static void own (struct tree *self, struct estate *estate, struct session *session, zxid_t ozxid)
{
    COHORT_ASSERT (estate->count > 0);
    COHORT_ASSERT (estate->session->ephemeral_count >= estate->count);
    COHORT_ASSERT (estate->session->estate_count > 0);
    estate->session->ephemeral_count -= estate->count;
    estate->session->estate_count--;
    session->ephemeral_count += estate->count;
    session->estate_count++;
    estate->session = session;
    estate->ozxid = ozxid;
    self->digest -= estate->digest;
    estate->digest = digest_estate (estate);
    self->digest += estate->digest;
}

static void report_owner (struct tree *self, uint64_t from, uint64_t to)
{
    struct effect effect = {
        .zxid = self->scalars.zxid,
        .kind = EFFECT_OWNER,
        .path = "/",
        .path_size = 1,
        .from = from,
    };
    effect.stat.ephemeral_owner = to;
    effect.stat.ozxid = self->scalars.zxid;
    effects_add (&self->effects, &effect, 0, 0);
}

/* A place for the way back, and in it one for each estate; NULL: none is needed. */
static struct moved *note_hand_over (struct tree *self, struct session *giver,
                                     struct session *receiver)
{
    struct undo *undo = &self->undo;
    if (!undo->active) {
        return NULL;
    }
    COHORT_ASSERT (undo->count < UNDO_STEPS_MAX);
    struct moved *moved = arena_alloc (&undo->data, giver->estate_count * sizeof (*moved));
    MEM_NEED (moved != NULL);
    undo->steps[undo->count++] = (struct undo_step){
        .kind = UNDO_HAND_OVER,
        .giver = giver,
        .receiver = receiver,
        .moved = moved,
        .moved_count = giver->estate_count,
    };
    return moved;
}

/* From the list it is in to another one, in its place there, which is *place or behind it. */
static void move (struct estate *estate, struct list *to, struct list_node **place)
{
    while (*place != NULL && list_entry (*place, struct estate, owned)->id < estate->id) {
        *place = list_next (to, *place);
    }
    list_remove (&estate->owned);
    if (*place != NULL) {
        list_insert_before (*place, &estate->owned);
    } else {
        list_push_back (to, &estate->owned);
    }
}

void change_hand_over (struct tree *self, struct session *giver, struct session *receiver)
{
    COHORT_ASSERT (giver != receiver);
    COHORT_ASSERT (giver->ephemeral_count > 0);
    uint32_t count = giver->estate_count, done = 0;
    struct moved *moved = note_hand_over (self, giver, receiver);
    struct list_node *place = list_first (&receiver->estates);
    struct list_node *at = list_first (&giver->estates);
    while (at != NULL) {
        struct estate *estate = list_entry (at, struct estate, owned);
        at = list_next (&giver->estates, at);
        if (estate->count == 0) {
            continue; /* an undo may bring its ephemerals back, and they were never handed over */
        }
        if (self->snapshot != NULL && estate->generation != self->generation) {
            snapshot_hand_over_estate (self->snapshot, estate);
        }
        if (moved != NULL) {
            moved[done] = (struct moved){estate, estate->ozxid, estate->digest};
        }
        done++;
        move (estate, &receiver->estates, &place);
        own (self, estate, receiver,
             COHORT_MUTATED (old_tokens) ? estate->ozxid : self->scalars.zxid);
        if (COHORT_MUTATED (hand_over_half)) {
            break;
        }
    }
    COHORT_ASSERT (done == count);
    COHORT_ASSERT (giver->ephemeral_count == 0);
    report_owner (self, giver->id, receiver->id);
}

void change_undo_hand_over (struct tree *self, const struct undo_step *step)
{
    struct list_node *place = list_first (&step->giver->estates);
    for (uint32_t i = 0; i < step->moved_count; i++) {
        const struct moved *moved = &step->moved[i];
        struct estate *estate = moved->estate;
        COHORT_ASSERT (estate->session == step->receiver);
        move (estate, &step->giver->estates, &place);
        own (self, estate, step->giver, moved->ozxid);
        /* As it was noted, not computed anew, like all that is undone. */
        self->digest += moved->digest - estate->digest;
        estate->digest = moved->digest;
    }
}

/* Faults on wish. May include: handle, wire, libc. */

#include "client/src/faults.h"

#include "client/src/handle.h"
#include "client/src/wire.h"
#include "cohort/fault.h"

/* ---- The driver's side ----------------------------------------------------------------------- */

/* What is in a frame; one that cannot be understood has nothing, and is the session's to refuse. */
static void look_into (const void *bytes, size_t size, bool *replies, bool *events)
{
    struct wire_frame *frame = NULL;
    *replies = *events = false;
    if (size == 0 || wire_decode (bytes, size, &frame) != COHORT_OK) {
        return;
    }
    for (size_t i = 0; i < frame->item_count; i++) {
        bool reply = frame->items[i].kind == WIRE_ITEM_REPLY;
        *replies = *replies || reply;
        *events = *events || !reply;
    }
    wire_frame_release (frame);
}

enum faults_verdict faults_judge (struct faults *self, const void *frame, size_t size)
{
    if (!atomic_load (&self->used)) {
        return FAULTS_PASS;
    }
    int hold = atomic_load (&self->hold), drop = atomic_load (&self->drop_replies);
    if (hold == COHORT_HOLD_ALL) {
        return FAULTS_HOLD;
    }
    if (hold == COHORT_HOLD_NOTHING && drop == 0) {
        return FAULTS_PASS;
    }
    bool replies, events;
    look_into (frame, size, &replies, &events);
    if (replies && drop > 0) {
        /* Taken back meanwhile: then this one was the last. */
        (void) atomic_compare_exchange_strong (&self->drop_replies, &drop, drop - 1);
        return FAULTS_LOSE;
    }
    return events && hold == COHORT_HOLD_EVENTS ? FAULTS_HOLD : FAULTS_PASS;
}

bool faults_take_cut (struct faults *self)
{
    return atomic_load (&self->used) && atomic_exchange (&self->cut, false);
}

/* ---- The public functions -------------------------------------------------------------------- */

static void announce (cohort_t *client)
{
    atomic_store (&client->faults.used, true);
    mailbox_announce (&client->mailbox);
}

int cohort_fault_drop_replies (cohort_t *client, int count)
{
    if (count < 0) {
        return COHORT_EINVAL;
    }
    atomic_store (&client->faults.drop_replies, count);
    announce (client);
    return COHORT_OK;
}

void cohort_fault_cut (cohort_t *client)
{
    atomic_store (&client->faults.cut, true);
    announce (client);
}

void cohort_fault_isolate (cohort_t *client, int isolated)
{
    atomic_store (&client->faults.isolated, isolated != 0);
    if (isolated != 0) {
        atomic_store (&client->faults.cut, true);
    }
    announce (client);
}

int cohort_fault_hold (cohort_t *client, int what)
{
    if (what < COHORT_HOLD_NOTHING || what > COHORT_HOLD_ALL) {
        return COHORT_EINVAL;
    }
    atomic_store (&client->faults.hold, what);
    announce (client);
    return COHORT_OK;
}

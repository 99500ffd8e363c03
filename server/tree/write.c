/*
 * server/tree/write.c - numbered requests: each takes effect once, in the order of the numbers
 *
 * PURE.
 */
#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/tree/change.h"
#include "server/tree/ops.h"
#include "server/tree/verify.h"

/* Whether the results that the client has not acknowledged leave no room for another.  ack_to of
 * the write itself counts, for it is what the client knows now; it is taken over only if the
 * write is. */
static bool window_full (const struct tree *self, const struct session *session, uint64_t ack_to)
{
    size_t count = ring_count (&session->results);
    size_t size = session->results_size;
    for (size_t i = 0; i < ring_count (&session->results) && !COHORT_MUTATED (window_ignored);
         i++) {
        if (count < self->scalars.limits.window && size < self->scalars.limits.results_size_max) {
            return false;
        }
        const struct stored *stored = *(struct stored **) ring_at (&session->results, i);
        if (stored->number > ack_to) {
            return true;
        }
        count--;
        size -= stored->size;
    }
    return false;
}

/* A number that was applied before: what it gave then, if that is still there. */
static void repeat (const struct tree *self, const struct session *session, uint64_t number,
                    struct tree_outcome *outcome)
{
    const struct stored *stored = session_stored (session, number);
    outcome->code = COHORT_EDUPLICATE;
    if (stored != NULL && verify_result (self, stored)) {
        struct result result;
        bool decoded = result_decode (&result, stored->bytes, stored->size);
        COHORT_ASSERT (decoded);
        outcome->code = result.code;
        outcome->result = stored->bytes;
        outcome->result_size = stored->size;
    }
}

/* The session of a write that is to be executed now; NULL: outcome says why not. */
static struct session *admit (struct tree *self, const struct entry_write *write,
                              struct tree_outcome *outcome)
{
    struct session *session = session_find (&self->sessions, write->session);
    bool over = session == NULL ||
                (COHORT_MUTATED (killed_goes_on) ? session->dead : session_over (session));
    if (over) {
        outcome->code = COHORT_ESESSIONEXPIRED;
        return NULL;
    }
    if (write->incarnation != session->incarnation && !COHORT_MUTATED (past_writes)) {
        outcome->code = COHORT_ESESSIONMOVED;
        return NULL;
    }
    if (COHORT_MUTATED (executed_twice) && write->number == session->last_number) {
        session->last_number--;
    }
    if (write->number <= session->last_number) {
        repeat (self, session, write->number, outcome);
        return NULL;
    }
    if (write->number - session->last_number > 1) {
        outcome->code = COHORT_EGAP;
        outcome->expected = session->last_number + 1;
        return NULL;
    }
    if (window_full (self, session, write->ack_to)) {
        outcome->code = COHORT_EWINDOW;
        return NULL;
    }
    return session;
}

/* One operation alone; appends its result to `out`. */
static int execute_one (struct tree *self, struct session *session, const struct op *op,
                        struct buf *out)
{
    struct result_op result = {.code = op->code};
    if (op->kind != OP_REJECT && op->kind != OP_CLOSE_SESSION) {
        op_execute (self, session, op, &result);
    }
    result_encode (out, result.code, self->scalars.zxid, 1);
    result_op_encode (out, &result);
    return result.code;
}

void write_apply (struct tree *self, const struct entry_write *write, struct tree_outcome *outcome)
{
    outcome->session = write->session;
    outcome->number = write->number;
    struct session *session = admit (self, write, outcome);
    if (session == NULL) {
        return;
    }
    COHORT_ASSERT (ring_count (&session->results) <= self->scalars.limits.window);
    outcome->executed = true;
    change_session_number (self, session, write->ack_to);
    COHORT_ASSERT (session->last_number == write->number);

    struct buf *out = &self->result;
    buf_clear (out);
    self->trimmed = 0;
    self->crossings.count = 0;
    bool closes = false;
    if (write->multi) {
        outcome->code = multi_execute (self, session, write, out);
    } else {
        struct reader ops = write->ops;
        struct op op;
        bool decoded = op_decode (&op, &ops);
        COHORT_ASSERT (decoded);
        outcome->code = execute_one (self, session, &op, out);
        closes = op.kind == OP_CLOSE_SESSION;
        outcome->admins_changed = op.kind == OP_SET_ADMINS && outcome->code == 0;
        outcome->killed = op.kind == OP_KILL_SESSION && outcome->code == 0 ? op.session : 0;
    }
    MEM_NEED (!out->failed);
    outcome->result = out->data;
    outcome->result_size = out->size;
    outcome->crossed = self->crossings.items;
    outcome->crossed_count = outcome->code == 0 ? self->crossings.count : 0;
    if (closes) {
        /* A dead session keeps no results: whoever asks again hears that it has ended. */
        close_and_reap (self, session, outcome);
    } else {
        change_session_result (self, session, out->data, out->size);
        COHORT_ASSERT (session->last_number == write->number);
    }
}

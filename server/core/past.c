/* A log that is read back, until a core has it. May include: client/base, server/core. */

#include "client/base/alloc.h"
#include "cohort/error.h"
#include "server/core/state.h"

struct zab_past *zab_past_new (struct zab_point base, int64_t stamp_ms)
{
    struct zab_past *self = mem_alloc (sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    history_begin (&self->log);
    history_reset (&self->log, base);
    self->stamp_ms = stamp_ms;
    return self;
}

void zab_past_destroy (struct zab_past **self_p)
{
    struct zab_past *self = *self_p;
    if (self != NULL) {
        history_deinit (&self->log);
        mem_free (self);
        *self_p = NULL;
    }
}

int zab_past_add (struct zab_past *self, const struct zab_entry *entry)
{
    if (!zxid_follows (entry->zxid, self->log.last.zxid) ||
        entry->chain != zab_chain (self->log.last.chain, entry->zxid, entry->stamp_ms, entry->data,
                                   entry->size)) {
        return COHORT_ECORRUPT;
    }
    if (!history_append (&self->log, (struct zab_point){entry->zxid, entry->chain}, entry->size)) {
        return COHORT_ENOMEM;
    }
    if (self->stamp_ms < entry->stamp_ms) {
        self->stamp_ms = entry->stamp_ms;
    }
    return 0;
}

void zab_recover (struct zab *self, struct zab_past **past)
{
    COHORT_ASSERT (!self->started);
    COHORT_ASSERT (self->log.count == 0);
    history_deinit (&self->log);
    self->log = (*past)->log;
    self->stamp_ms = (*past)->stamp_ms;
    history_begin (&(*past)->log);
    zab_past_destroy (past);
}

/* What goes to the store, and what of it is durable.
 *
 * A step makes at most one request; requests are numbered, worked through in order, and reported
 * cumulatively. For each the core remembers what the store will hold with it, so that `durable`
 * always describes the disk and never the memory. May include: client/base, server/core. */

#include "client/base/mutation.h"
#include "server/core/state.h"

/* This step's request; the number is drawn at its first use. */
static struct zab_persist *request (struct zab *self)
{
    struct zab_persist *persist = &self->update.persist;
    if (persist->number == 0) {
        COHORT_ASSERT (self->install_number == 0);
        persist->number = ++self->request_number;
        persist->commit = COHORT_MUTATED (commit_unrecorded)       ? 0
                          : COHORT_MUTATED (commit_recorded_early) ? self->log.last.zxid
                                                                   : self->committed;
    }
    COHORT_ASSERT (!persist->install);
    return persist;
}

void persist_truncate (struct zab *self, zxid_t zxid)
{
    struct zab_persist *persist = request (self);
    COHORT_ASSERT (!persist->truncate);
    COHORT_ASSERT (persist->entries_count == 0);
    COHORT_ASSERT (zxid >= self->committed);
    persist->truncate = true;
    persist->truncate_to = zxid;
    history_truncate (&self->log, zxid);
    if (self->durable > zxid) {
        self->durable = zxid;
    }
    /* What earlier requests add behind that point will be gone again. */
    for (size_t i = 0; i < ring_count (&self->requests); i++) {
        struct request *earlier = ring_at (&self->requests, i);
        if (earlier->log_end > zxid) {
            earlier->log_end = zxid;
        }
    }
}

void persist_entries (struct zab *self, const struct zab_entry *entries, size_t count)
{
    COHORT_ASSERT (count > 0);
    COHORT_ASSERT (entries[count - 1].zxid == self->log.last.zxid);
    struct zab_persist *persist = request (self);
    COHORT_ASSERT (persist->entries_count == 0);
    persist->entries = entries;
    persist->entries_count = count;
}

void persist_epochs (struct zab *self, uint32_t accepted_epoch, uint32_t current_epoch)
{
    COHORT_ASSERT (accepted_epoch >= self->accepted_epoch);
    COHORT_ASSERT (current_epoch >= self->current_epoch);
    COHORT_ASSERT (current_epoch <= accepted_epoch);
    struct zab_persist *persist = request (self);
    persist->epochs = true;
    persist->accepted_epoch = self->accepted_epoch = accepted_epoch;
    persist->current_epoch = self->current_epoch = current_epoch;
}

/* What a damaged log has lost was, if it was committed, in the history that it holds now; so the
 * mark goes, in the same write that makes the history this server's own. */
void persist_history (struct zab *self, uint32_t epoch)
{
    persist_epochs (self, self->accepted_epoch, epoch);
    if (self->trust != ZAB_WHOLE) {
        self->update.persist.whole = true;
        self->trust = ZAB_WHOLE;
    }
}

void persist_install (struct zab *self, struct zab_point point)
{
    COHORT_ASSERT (self->update.persist.number == 0);
    COHORT_ASSERT (point.zxid >= self->delivered);
    struct zab_persist *persist = request (self);
    persist->install = true;
    self->install_number = persist->number;
    self->install_point = point;
}

void persist_flush (struct zab *self)
{
    const struct zab_persist *persist = &self->update.persist;
    if (persist->number == 0) {
        return;
    }
    COHORT_ASSERT (persist->number == self->request_number);
    struct request entry = {.number = persist->number,
                            .log_end = self->log.last.zxid,
                            .accepted_epoch = self->accepted_epoch,
                            .current_epoch = self->current_epoch,
                            .trust = self->trust,
                            .issued_ms = self->now_ms,
                            .open = self->log.last.zxid > self->committed};
    if (!ring_push (&self->requests, &entry)) {
        /* Too many, or no memory: it shares the record of its predecessor, which then counts as
         * durable only when this one is. */
        struct request *last = ring_back (&self->requests);
        COHORT_ASSERT (last != NULL);
        entry.issued_ms = last->issued_ms;
        *last = entry;
    }
}

/* ---- How long it takes ------------------------------------------------------------------- */

/* From when on the store could have been at work on its oldest request. */
static int64_t asked_ms (const struct zab *self, const struct request *oldest)
{
    return oldest->issued_ms > self->stored_ms ? oldest->issued_ms : self->stored_ms;
}

/* took_ms: what it has taken lately. */
static int64_t patience_ms (const struct zab *self, int timeouts, int64_t took_ms)
{
    int64_t least_ms = self->peer_timeout_ms * timeouts;
    int64_t most_ms = self->peer_timeout_ms * ZAB_SNAP_TIMEOUTS;
    int64_t ms = took_ms < most_ms / ZAB_STORE_TIMES ? took_ms * ZAB_STORE_TIMES : most_ms;
    return ms > least_ms ? ms : least_ms;
}

/* What has happened once says nothing. */
int64_t persist_patience_ms (const struct zab *self, int timeouts)
{
    int64_t stores_ms =
        self->stores_ms < self->stores_too_ms ? self->stores_ms : self->stores_too_ms;
    return patience_ms (self, timeouts, stores_ms);
}

/* The oldest request that adds something behind that point; they are in the order of their ends. */
static const struct request *first_behind (const struct zab *self, zxid_t zxid)
{
    size_t from = 0, to = ring_count (&self->requests);
    while (from < to) {
        size_t at = from + (to - from) / 2;
        const struct request *request = ring_at (&self->requests, at);
        if (request->log_end > zxid) {
            to = at;
        } else {
            from = at + 1;
        }
    }
    return from < ring_count (&self->requests) ? ring_at (&self->requests, from) : NULL;
}

void persist_compare (struct zab *self)
{
    if (self->committed <= self->compared) {
        return;
    }
    zxid_t from = self->compared > self->durable ? self->compared : self->durable;
    const struct request *request = first_behind (self, from);
    if (request != NULL && request->open && request->log_end <= self->committed) {
        self->outdone_ms = self->now_ms - request->issued_ms;
    }
    self->compared = self->committed;
}

bool persist_lags (const struct zab *self)
{
    return self->committed > self->durable &&
           persist_hangs (self, patience_ms (self, ZAB_STORE_TIMEOUTS, self->outdone_ms));
}

/* ---- What is done ------------------------------------------------------------------------ */

bool persist_durable (struct zab *self, uint64_t number)
{
    COHORT_ASSERT (number <= self->request_number);
    COHORT_ASSERT (self->install_number == 0 || number < self->install_number);
    bool news = false;
    const struct request *entry = ring_front (&self->requests);
    if (entry != NULL && entry->number <= number) {
        self->stores_too_ms = self->stores_ms;
        self->stores_ms = self->now_ms - asked_ms (self, entry);
    }
    while ((entry = ring_front (&self->requests)) != NULL && entry->number <= number) {
        COHORT_ASSERT (entry->log_end <= self->log.last.zxid);
        COHORT_ASSERT (entry->accepted_epoch >= self->accepted_durable);
        COHORT_ASSERT (entry->current_epoch >= self->current_durable);
        self->durable = entry->log_end;
        self->accepted_durable = entry->accepted_epoch;
        self->current_durable = entry->current_epoch;
        if (self->trust_durable != entry->trust) {
            self->trust_durable = entry->trust;
            self->votes_owed = true; /* whoever counts votes shall know */
        }
        self->request_durable = entry->number;
        ring_pop (&self->requests);
        self->stored_ms = self->now_ms;
        news = true;
    }
    return news;
}

void persist_installed (struct zab *self)
{
    COHORT_ASSERT (self->install_number != 0);
    uint64_t number = self->install_number;
    struct zab_point point = self->install_point;
    COHORT_ASSERT (number == self->request_number);
    self->install_number = 0;
    persist_durable (self, number);
    COHORT_ASSERT (persist_drained (self));
    history_reset (&self->log, point);
    self->durable = point.zxid;
    self->delivered = point.zxid;
    if (self->committed < point.zxid) {
        self->committed = point.zxid;
    }
}

void persist_not_installed (struct zab *self)
{
    COHORT_ASSERT (self->install_number != 0);
    COHORT_ASSERT (self->install_number == self->request_number);
    COHORT_ASSERT (!persist_drained (self));
    self->install_number = 0;
}

/* As a restart would have it. What is known to be committed may be more than this log has now; then
 * it is known no longer, and the next leader says it again. */
void persist_withdrawn (struct zab *self, struct zab_point point)
{
    COHORT_ASSERT (self->install_number == 0);
    COHORT_ASSERT (self->update.persist.number == 0);
    COHORT_ASSERT (point.zxid >= self->durable);
    COHORT_ASSERT (point.zxid <= self->log.last.zxid);
    COHORT_ASSERT (history_agrees (&self->log, point));
    ring_clear (&self->requests);
    if (point.zxid < self->log.last.zxid) {
        history_truncate (&self->log, point.zxid);
    }
    self->durable = point.zxid;
    if (self->committed > point.zxid) {
        self->committed = point.zxid;
    }
    self->accepted_epoch = self->accepted_durable;
    self->current_epoch = self->current_durable;
    self->trust = self->trust_durable;
    self->request_durable = self->request_number;
}

bool persist_drained (const struct zab *self)
{
    return ring_empty (&self->requests);
}

bool persist_hangs (const struct zab *self, int64_t limit_ms)
{
    const struct request *oldest = ring_front (&self->requests);
    if (oldest == NULL) {
        return false;
    }
    return self->now_ms - asked_ms (self, oldest) >= limit_ms;
}

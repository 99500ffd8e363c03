/* ensemble_digests.c: comparing states, and what follows if they differ. See ensemble_state.h,
 * digests.h and docs/zab.md, section 14. */

#include "server/node/ensemble_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/node/error_text.h"

enum { REPORT_TEXT = 40, REPORTS_TEXT = REPORT_TEXT * CONFIG_MEMBERS_MAX };

/* Whether the state is known to be wrong, and another one is being made. */
static bool is_void (const struct ensemble *self)
{
    return self->state == NODE_STATE_QUARANTINED && self->rebuild.phase != REBUILD_NONE;
}

void ensemble_note_digest (struct ensemble *self)
{
    if (!is_void (self)) {
        digests_note (&self->digests, self->applied.zxid, tree_digest (self->tree));
    }
}

/* ---- Saying so ------------------------------------------------------------------------------- */

static void set_state (struct ensemble *self, enum node_state state, const char *reason)
{
    self->state = state;
    snprintf (self->state_reason, sizeof self->state_reason, "%s", reason);
    backups_bar (self->backups, state != NODE_STATE_SOUND ? reason : NULL);
}

/* "1:0123456789abcdef 2:..." */
static void put_reports (char text[REPORTS_TEXT], const struct digests_round *round)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < round->count; i++) {
        const struct digests_report *report = &round->reports[i];
        int size =
            snprintf (text + used, REPORTS_TEXT - used, "%s%" PRIu32 ":%016" PRIx64 "%s",
                      i > 0 ? " " : "", report->server, report->digest, report->witness ? "" : "*");
        COHORT_ASSERT (size > 0);
        used += (size_t) size;
        COHORT_ASSERT (used < REPORTS_TEXT);
    }
}

static void say (struct ensemble *self, const struct digests_round *round,
                 const struct digests_finding *finding)
{
    uint64_t pattern = digests_pattern (round);
    if (pattern == 0 && round->count < self->differed) {
        return; /* who differed has not told: perhaps it still does */
    }
    if (pattern == 0 && self->pattern != 0) {
        logger_write (&self->logger, LOG_INFO, "states-agree", "zxid=%" PRIx64, round->zxid);
    } else if (pattern != 0 &&
               (pattern != self->pattern || self->now_ms - self->alarm_ms >= ENSEMBLE_ALARM_MS)) {
        char reports[REPORTS_TEXT];
        put_reports (reports, round);
        self->alarm_ms = self->now_ms;
        logger_write (&self->logger, LOG_ERROR, "states-differ",
                      "zxid=%" PRIx64 " quorum=%s digest=%016" PRIx64 " reports=\"%s\"",
                      round->zxid, finding->quorum ? "yes" : "no", finding->right, reports);
    }
    self->pattern = pattern;
    self->differed = pattern != 0 ? round->count : 0;
}

/* ---- Quarantine ------------------------------------------------------------------------------ */

static void stand (struct ensemble *self, bool stands)
{
    self->stands = stands;
    ensemble_step (self, (struct zab_event){.type = ZAB_EVENT_STAND, .stands = stands});
}

/* A state that is not proven should not lead; but without a leader nothing is proven, and this may
 * be the only log with what is committed. */
static bool may_stand (const struct ensemble *self)
{
    return self->state != NODE_STATE_QUARANTINED || (!is_void (self) && ensemble_is_lost (self));
}

/* The state goes on following the log until another takes its place, but for nobody's eyes: not
 * for clients, nor for the disk, and its digests count no more. */
static void quarantine (struct ensemble *self, const char *reason)
{
    bool again = self->state == NODE_STATE_QUARANTINED;
    logger_write (&self->logger, LOG_ERROR, "state-quarantined", "reason=\"%s\" again=%s", reason,
                  again ? "yes" : "no");
    self->passes = again ? self->passes : 0;
    self->remade = self->convicted = false;
    set_state (self, NODE_STATE_QUARANTINED, reason);
    checkpoint_discard (&self->checkpoint);
    checkpoint_damaged (&self->checkpoint); /* the newest may be of the state that was wrong */
    digests_forget (&self->digests);
    stand (self, false);
    if (!again) {
        self->host.quarantined (self->host.arg, self->state_reason);
    }
}

/* What the state was made of is right, then; snapshots behind that are of the one that was not. */
static void release (struct ensemble *self, zxid_t zxid)
{
    if (self->remade) {
        store_snapshots_strike (self->store, self->rebuild.from);
    }
    logger_write (&self->logger, LOG_INFO, "state-proven", "zxid=%" PRIx64, zxid);
    set_state (self, NODE_STATE_SOUND, "");
    self->host.quarantined (self->host.arg, NULL);
}

/* Another digest than that of a quorum.  What was made anew of one snapshot and is still wrong is
 * made of an older one. */
static void found_wrong (struct ensemble *self, const struct digests_finding *finding, zxid_t zxid)
{
    char text[sizeof self->state_reason];
    bool again = self->state == NODE_STATE_QUARANTINED;
    if (COHORT_MUTATED (alarm_ignored)) {
        return;
    }
    snprintf (text, sizeof text,
              "quarantined: at zxid %" PRIx64 " its state had digest %016" PRIx64
              ", those of a quorum %016" PRIx64,
              zxid, finding->mine, finding->right);
    quarantine (self, text);
    self->convicted = true;
    if (self->failure == 0) {
        rebuild_begin (&self->rebuild, again ? self->rebuild.from : UINT64_MAX);
    }
}

/* States differ, and nobody knows who is wrong; but whoever makes his state anew and gets another
 * knows that he is.  For that the old one needs not go until there is an answer. */
static void check_oneself (struct ensemble *self)
{
    if (self->rebuild.phase == REBUILD_NONE && self->now_ms >= self->check_ms) {
        self->check_ms = self->now_ms + ENSEMBLE_CHECK_MS;
        rebuild_begin (&self->rebuild, UINT64_MAX);
    }
}

/* Likewise, of one that has found out already that he was wrong: what he has instead is not what
 * the others have, and of them one may be right. */
static void look_further (struct ensemble *self)
{
    if (self->rebuild.phase == REBUILD_NONE && self->now_ms >= self->check_ms) {
        self->check_ms = self->now_ms + ENSEMBLE_CHECK_MS;
        digests_forget (&self->digests);
        rebuild_begin (&self->rebuild, self->rebuild.from);
    }
}

/* The state that was made anew is no other.  Known to be wrong, the snapshot was so already; else
 * it may as well be right.  An older one knows more. */
static void try_older (struct ensemble *self, struct tree **tree)
{
    zxid_t from = self->rebuild.from;
    logger_write (&self->logger, LOG_WARNING, "state-checked",
                  "zxid=%" PRIx64 " from=%" PRIx64 " digest=%016" PRIx64, self->applied.zxid, from,
                  tree_digest (*tree));
    retired_add (&self->retired, tree);
    if (from != 0 || self->state == NODE_STATE_QUARANTINED) {
        rebuild_begin (&self->rebuild, from);
    }
}

static void replace (struct ensemble *self, struct tree *tree)
{
    struct tree *old = self->tree;
    logger_write (&self->logger, LOG_WARNING, "state-rebuilt",
                  "zxid=%" PRIx64 " from=%" PRIx64 " was=%016" PRIx64 " is=%016" PRIx64,
                  self->applied.zxid, self->rebuild.from, tree_digest (old), tree_digest (tree));
    self->tree = tree;
    self->remade = true;
    self->check_ms = self->now_ms; /* of this one nothing is known */
    self->host.tree (self->host.arg, tree);
    retired_add (&self->retired, &old);
    ensemble_note_digest (self);
    self->config_due = true;
}

static void finish_rebuild (struct ensemble *self)
{
    struct zab_point point;
    struct tree *tree = rebuild_take (&self->rebuild, &point);
    COHORT_ASSERT (point.zxid == self->applied.zxid);
    COHORT_ASSERT (point.chain == self->applied.chain);
    if (tree_digest (tree) == tree_digest (self->tree)) {
        try_older (self, &tree);
        return;
    }
    if (self->state != NODE_STATE_QUARANTINED) {
        char text[sizeof self->state_reason];
        snprintf (text, sizeof text,
                  "quarantined: at zxid %" PRIx64 " its state had digest %016" PRIx64
                  ", what its own log makes %016" PRIx64,
                  point.zxid, tree_digest (self->tree), tree_digest (tree));
        quarantine (self, text);
    }
    replace (self, tree);
}

/* Nothing on this disk makes another state.  The next start begins without, as one whose history is
 * lost: what the others have is enough for a quorum. */
static int condemn (struct ensemble *self)
{
    struct store_meta meta = *store_meta (self->store);
    if (store_space (self->store) != 0) {
        return COHORT_EDISKFULL; /* then it is found again */
    }
    meta.condemned = true;
    return store_set_meta (self->store, &meta);
}

static void fail_rebuild (struct ensemble *self)
{
    char text[sizeof self->text];
    int code = self->rebuild.code;
    if (self->state != NODE_STATE_QUARANTINED || !self->convicted) {
        rebuild_abort (&self->rebuild); /* then this server knows nothing of itself */
        return;
    }
    if (code == COHORT_ECORRUPT && ++self->passes < ENSEMBLE_PASSES) {
        rebuild_begin (&self->rebuild, UINT64_MAX); /* it may have gone wrong again meanwhile */
        return;
    }
    int condemned = code == COHORT_ECORRUPT ? condemn (self) : code;
    snprintf (text, sizeof text,
              "%.200s; it could not be made anew from this server's disk (%.40s)%s",
              self->state_reason, error_text (code),
              condemned == 0 ? ": start it again, all of it then comes from the others" : "");
    ensemble_fail (self, code, text);
}

static bool rebuild_goes_on (struct ensemble *self)
{
    bool more = rebuild_turn (&self->rebuild, self->applied.zxid);
    if (self->rebuild.phase == REBUILD_READY) {
        finish_rebuild (self);
        more = self->rebuild.phase != REBUILD_NONE;
    } else if (self->rebuild.phase == REBUILD_FAILED) {
        fail_rebuild (self);
        more = self->rebuild.phase != REBUILD_FAILED && self->rebuild.phase != REBUILD_NONE;
    }
    return more;
}

/* ---- Judgement ------------------------------------------------------------------------------- */

static void judge (struct ensemble *self, const struct digests_round *round)
{
    const struct config_set *configs = tree_configs (self->tree);
    struct digests_finding finding;
    uint64_t mine = 0;
    if (round->zxid == 0 || configs == NULL) {
        return;
    }
    digests_judge (round, configs, self->id, &finding);
    say (self, round, &finding);
    if (finding.verdict == DIGESTS_UNHEARD || !digests_find (&self->digests, round->zxid, &mine) ||
        mine != finding.mine) {
        return; /* it speaks of a state that has been replaced since */
    }
    if (finding.proven) {
        self->witness = store_prove (self->store);
        checkpoint_prove (&self->checkpoint, round->zxid);
        self->compact_due = true;
    }
    if (finding.verdict == DIGESTS_WRONG) {
        found_wrong (self, &finding, round->zxid);
    } else if (self->state == NODE_STATE_QUARANTINED) {
        if (finding.borne) {
            release (self, round->zxid);
        } else if (finding.verdict == DIGESTS_CONTESTED) {
            look_further (self);
        }
    } else if (finding.verdict == DIGESTS_CONTESTED) {
        set_state (self, NODE_STATE_CONTESTED,
                   "states differ, and no quorum agrees: see states-differ in the servers' logs");
        check_oneself (self);
    } else {
        set_state (self, NODE_STATE_SOUND, "");
        rebuild_abort (&self->rebuild);
        self->check_ms = self->now_ms;
    }
}

/* ---- Exchange -------------------------------------------------------------------------------- */

/* What this server tells of itself, but for the digest. */
static struct digests_report own_report (const struct ensemble *self)
{
    /* A start would take back what this server says of itself. */
    COHORT_ASSERT (!self->witness || !store_meta (self->store)->heir);
    const struct checkpoint *checkpoint = &self->checkpoint;
    struct digests_report report = {.server = self->id, .witness = self->witness};
    if (ensemble_takes_snapshots (self) && checkpoint_due (checkpoint)) {
        report.snapshot = checkpoint_at_it (checkpoint) ? DIGESTS_AT_IT : DIGESTS_DUE;
    }
    return report;
}

static void take_turns (struct ensemble *self, const struct digests_round *round)
{
    const struct config_set *configs = tree_configs (self->tree);
    if (round->zxid != 0 && configs != NULL) {
        checkpoint_set_turn (&self->checkpoint, digests_turn (round, configs, self->id));
    }
}

static bool takes_part (const struct ensemble *self, const struct ensemble_peer *peer)
{
    return peer->told && peer->acked_epoch == ensemble_zab (self)->current_epoch;
}

static bool all_have_told (const struct ensemble *self)
{
    for (size_t i = 0; i < self->peers_count; i++) {
        const struct ensemble_peer *peer = &self->peers[i];
        if (peer->asked && takes_part (self, peer) &&
            !digests_has (&self->digests.round, peer->id)) {
            return false;
        }
    }
    return true;
}

/* What was told goes out with the next question. */
static void send_round (struct ensemble *self, const struct digests_round *round)
{
    for (size_t i = 0; i < self->peers_count; i++) {
        struct ensemble_peer *peer = &self->peers[i];
        peer->asked = takes_part (self, peer);
        if (!peer->asked) {
            continue;
        }
        for (size_t k = 0; k < round->count; k++) {
            links_digest (self->links, peer->id, round->zxid, &round->reports[k]);
        }
        links_ask (self->links, peer->id, self->digests.round.zxid);
    }
}

static void lead_round (struct ensemble *self)
{
    struct digests *digests = &self->digests;
    int64_t patience = (int64_t) ENSEMBLE_PATIENCE * self->peer_timeout_ms;
    if (self->now_ms < self->round_ms || self->applied.zxid == 0 || is_void (self) ||
        (digests->round.zxid != 0 && !all_have_told (self) &&
         self->now_ms - digests->asked_ms < patience)) {
        return;
    }
    struct digests_round done = digests->round;
    self->round_ms = self->now_ms + self->peer_timeout_ms / ENSEMBLE_ROUNDS;
    take_turns (self, &done);
    struct digests_report mine = own_report (self);
    ensemble_note_digest (self);
    digests_begin (digests, &mine, digests_choose (digests, self->applied.zxid), self->now_ms);
    send_round (self, &done); /* also if it speaks against this server: the others shall know */
    judge (self, &done);
}

static void answer (struct ensemble *self)
{
    struct digests_report report = own_report (self);
    zxid_t zxid = 0;
    if (is_void (self)) {
        return; /* the state that is being made will answer */
    }
    ensemble_note_digest (self); /* it may have changed since the last entry: not by right */
    if (digests_answer (&self->digests, self->applied.zxid, &report.digest, &zxid)) {
        links_digest (self->links, self->up_leader, zxid, &report);
    }
}

bool ensemble_digests_turn (struct ensemble *self)
{
    if (ensemble_leads (self)) {
        lead_round (self);
    } else if (self->up) {
        answer (self);
    } else {
        digests_end (&self->digests);
        checkpoint_set_turn (&self->checkpoint, ensemble_is_lost (self)); /* then nobody tells */
    }
    bool more = self->failure == 0 && rebuild_goes_on (self);
    if (!self->stands && may_stand (self) && self->failure == 0) {
        stand (self, true);
    }
    return more;
}

/* A server speaks for itself only. */
static void read_report (struct reader *reader, zxid_t *zxid, struct digests_report *report)
{
    *zxid = reader_u64 (reader);
    report->digest = reader_u64 (reader);
    uint64_t server = reader_u64 (reader);
    report->server = (uint32_t) server;
    report->witness = (server & PEER_WITNESS) != 0;
    report->snapshot = (server & PEER_SNAPSHOT_AT_IT) != 0 ? DIGESTS_AT_IT
                       : (server & PEER_SNAPSHOT_DUE) != 0 ? DIGESTS_DUE
                                                           : DIGESTS_NONE;
}

static void take_answers (struct ensemble *self, uint32_t peer, struct reader *reader)
{
    while (reader_left (reader) > 0) {
        struct digests_report report;
        zxid_t zxid;
        read_report (reader, &zxid, &report);
        report.server = peer;
        digests_told (&self->digests, zxid, &report);
    }
}

static void take_round (struct ensemble *self, const struct digests_round *round)
{
    take_turns (self, round);
    judge (self, round);
}

static void take_rounds (struct ensemble *self, struct reader *reader)
{
    struct digests_round round = {.zxid = 0};
    while (reader_left (reader) > 0) {
        struct digests_report report;
        zxid_t zxid;
        read_report (reader, &zxid, &report);
        if (zxid != round.zxid) {
            take_round (self, &round);
            round = (struct digests_round){.zxid = zxid};
        }
        digests_add (&round, &report);
    }
    take_round (self, &round);
}

void ensemble_take_digests (struct ensemble *self, uint32_t peer, const struct peer_frame *frame)
{
    struct reader reader;
    reader_init (&reader, frame->digests.data, frame->digests.size);
    if (ensemble_leads (self)) {
        take_answers (self, peer, &reader);
    } else if (self->up && self->up_leader == peer) {
        take_rounds (self, &reader);
        reader_init (&reader, frame->asked.data, frame->asked.size);
        while (reader_left (&reader) > 0) {
            digests_ask (&self->digests, reader_u64 (&reader));
        }
    }
}

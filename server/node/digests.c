/* digests.c: see digests.h. */

#include "server/node/digests.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "client/base/mutation.h"

bool digests_init (struct digests *self)
{
    memset (self, 0, sizeof *self);
    self->past = mem_calloc (DIGESTS_PAST, sizeof *self->past);
    return self->past != NULL;
}

void digests_deinit (struct digests *self)
{
    mem_free (self->past);
    self->past = NULL;
}

/* ---- This server's own ----------------------------------------------------------------------- */

static struct digests_past *place (const struct digests *self, zxid_t zxid)
{
    return &self->past[zxid_counter (zxid) % DIGESTS_PAST];
}

bool digests_wants (const struct digests *self, zxid_t zxid)
{
    return zxid_counter (zxid) % DIGESTS_STRIDE == 0 || zxid == self->asked;
}

void digests_note (struct digests *self, zxid_t zxid, uint64_t digest)
{
    *place (self, zxid) = (struct digests_past){zxid, digest};
}

void digests_forget (struct digests *self)
{
    memset (self->past, 0, DIGESTS_PAST * sizeof *self->past);
}

bool digests_find (const struct digests *self, zxid_t zxid, uint64_t *digest)
{
    const struct digests_past *past = place (self, zxid);
    if (zxid == 0 || past->zxid != zxid) {
        return false;
    }
    *digest = past->digest;
    return true;
}

/* ---- Following ------------------------------------------------------------------------------- */

void digests_ask (struct digests *self, zxid_t zxid)
{
    self->asked = zxid;
}

bool digests_answer (struct digests *self, zxid_t applied, uint64_t *digest, zxid_t *zxid)
{
    if (self->asked == 0 || applied < self->asked) {
        return false;
    }
    *zxid = self->asked;
    self->asked = 0;
    return digests_find (self, *zxid, digest);
}

/* ---- Leading --------------------------------------------------------------------------------- */

zxid_t digests_choose (const struct digests *self, zxid_t applied)
{
    zxid_t last = applied - zxid_counter (applied) % DIGESTS_STRIDE;
    uint64_t digest;
    return last > self->round.zxid && digests_find (self, last, &digest) ? last : applied;
}

void digests_begin (struct digests *self, const struct digests_report *mine, zxid_t zxid,
                    int64_t now_ms)
{
    struct digests_report report = *mine;
    bool found = digests_find (self, zxid, &report.digest);
    COHORT_ASSERT (found);
    self->round = (struct digests_round){.zxid = zxid};
    self->asked_ms = now_ms;
    digests_add (&self->round, &report);
}

void digests_told (struct digests *self, zxid_t zxid, const struct digests_report *report)
{
    if (self->round.zxid != 0 && self->round.zxid == zxid) {
        digests_add (&self->round, report);
    }
}

void digests_end (struct digests *self)
{
    self->round = (struct digests_round){.zxid = 0};
    self->asked = 0;
}

/* ---- Judgement ------------------------------------------------------------------------------- */

static const struct digests_report *find (const struct digests_round *round, uint32_t server)
{
    for (size_t i = 0; i < round->count; i++) {
        if (round->reports[i].server == server) {
            return &round->reports[i];
        }
    }
    return NULL;
}

bool digests_has (const struct digests_round *round, uint32_t server)
{
    return find (round, server) != NULL;
}

bool digests_add (struct digests_round *round, const struct digests_report *report)
{
    if (round->count == CONFIG_MEMBERS_MAX || digests_has (round, report->server)) {
        return false;
    }
    round->reports[round->count++] = *report;
    return true;
}

/* Who has told this digest. */
static struct id_set tellers (const struct digests_round *round, uint64_t digest, bool witnesses)
{
    struct id_set ids = {.count = 0};
    for (size_t i = 0; i < round->count; i++) {
        const struct digests_report *report = &round->reports[i];
        if (report->digest == digest && (report->witness || !witnesses)) {
            id_set_add (&ids, report->server);
        }
    }
    return ids;
}

/* Of voters: observers are in no quorum. */
static bool has_quorum (const struct digests_round *round, const struct config_set *configs,
                        uint64_t digest, bool witnesses)
{
    struct id_set ids = tellers (round, digest, witnesses);
    return config_set_quorum (configs, &ids);
}

/* Then nobody is left who could know better. */
static bool has_all (const struct digests_round *round, const struct config_set *configs,
                     uint64_t digest)
{
    struct id_set ids = tellers (round, digest, false);
    return config_set_all (configs, &ids);
}

void digests_judge (const struct digests_round *round, const struct config_set *configs,
                    uint32_t id, struct digests_finding *finding)
{
    *finding = (struct digests_finding){.verdict = DIGESTS_UNHEARD};
    for (size_t i = 0; i < round->count; i++) {
        uint64_t digest = round->reports[i].digest;
        finding->differ |= digest != round->reports[0].digest;
        if (!finding->quorum && has_quorum (round, configs, digest, true)) {
            finding->quorum = true;
            finding->right = digest;
        }
    }
    const struct digests_report *mine = find (round, id);
    if (mine == NULL) {
        return;
    }
    finding->mine = mine->digest;
    bool right = finding->quorum && mine->digest == finding->right;
    if (right || !finding->differ) {
        finding->verdict = DIGESTS_SOUND;
        finding->borne = right || has_quorum (round, configs, mine->digest, false);
        finding->proven = right || has_all (round, configs, mine->digest);
    } else {
        finding->verdict = finding->quorum ? DIGESTS_WRONG : DIGESTS_CONTESTED;
    }
}

/* Whether a server's snapshot goes before that of the server which has told `mine`. */
static bool goes_before (const struct digests_report *other, const struct digests_report *mine)
{
    return other->snapshot == DIGESTS_AT_IT ||
           (other->snapshot == DIGESTS_DUE && mine->snapshot == DIGESTS_DUE &&
            other->server < mine->server);
}

bool digests_turn (const struct digests_round *round, const struct config_set *configs, uint32_t id)
{
    const struct digests_report *mine = find (round, id);
    if (mine == NULL || mine->snapshot == DIGESTS_NONE || COHORT_MUTATED (nobodys_turn)) {
        return false;
    }
    const struct config_member *member = config_set_find (configs, id);
    if (member != NULL && member->role == CONFIG_OBSERVER) {
        return true; /* no quorum misses it */
    }
    struct id_set busy = {.count = 0}, idle = {.count = 0};
    for (size_t i = 0; i < round->count; i++) {
        const struct digests_report *other = &round->reports[i];
        if (other->server != id && goes_before (other, mine)) {
            id_set_add (&busy, other->server);
        }
    }
    for (size_t c = 0; c < configs->count; c++) {
        for (size_t i = 0; i < configs->configs[c].count; i++) {
            uint32_t other = configs->configs[c].members[i].id;
            if (other != id && digests_has (round, other) && !id_set_has (&busy, other)) {
                id_set_add (&idle, other);
            }
        }
    }
    return busy.count == 0 || config_set_quorum (configs, &idle);
}

/* The lowest id of those that have told the same. */
static uint32_t first_alike (const struct digests_round *round, uint64_t digest)
{
    uint32_t first = UINT32_MAX;
    for (size_t i = 0; i < round->count; i++) {
        const struct digests_report *report = &round->reports[i];
        first = report->digest == digest && report->server < first ? report->server : first;
    }
    return first;
}

uint64_t digests_pattern (const struct digests_round *round)
{
    uint64_t pattern = 0;
    bool differ = false;
    for (size_t i = 0; i < round->count; i++) {
        const struct digests_report *report = &round->reports[i];
        uint32_t pair[2] = {report->server, first_alike (round, report->digest)};
        differ |= report->digest != round->reports[0].digest;
        pattern += hash64 (pair, sizeof pair, 0); /* a sum: the order is that of arrival */
    }
    return differ ? pattern | 1 : 0;
}

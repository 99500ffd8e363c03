/* A soak, while nothing is wrong: everybody is served then, and soon. */

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "client/base/assert.h"
#include "tests/cluster/observed_rights.h"
#include "tests/cluster/soak.h"

enum {
    CONFIRMED_MS = 1000,
    CALM_MS = 3000,
    LONG_CALM_MS = 9000, /* longer than sessions live without a word; now and then */
    LONG_EVERY = 3,
    WINDOW_MS = 1000,
    STILL_MS_MAX = 700, /* in a window */
    WRITE_EVERY_MS = 100,
    SECTOR = 512
};

/* ---- What is waited for ---------------------------------------------------------------------- */

/* How long the machine stood still; the witness goes by another clock. */
static int64_t still_ms (const struct soak *self, int64_t from_ms, int64_t to_ms)
{
    int64_t offset_ms = witness_now_ms () - soak_now_ms (self);
    return witness_still_ms (self->witness, from_ms + offset_ms, to_ms + offset_ms);
}

bool soak_is_overdue (const struct soak *self, int64_t since_ms)
{
    int64_t now_ms = soak_now_ms (self), over_ms = now_ms - since_ms - SOAK_LIMIT_MS;
    return over_ms > 0 && over_ms > still_ms (self, since_ms, now_ms);
}

void soak_fail_waiting (struct soak *self, const char *what)
{
    for (size_t i = 0; i < soak_observed_count (self); i++) {
        const struct observed *observed = soak_observed (self, i);
        fprintf (stderr,
                 "client %" PRIu32 ": state %d, %zu without an answer, stream at %#" PRIx64 "\n",
                 observed->number, (int) cohort_state (observed->client), observed->outstanding,
                 observed->streamed);
    }
    soak_fail (self, "nothing is wrong for %d s, and %s", SOAK_LIMIT_MS / 1000, what);
}

static bool all_well (struct soak *self)
{
    return ensemble_following (&self->ensemble, CONFIRMED_MS) == self->ensemble.count - 1 &&
           ensemble_whole (&self->ensemble, CONFIRMED_MS);
}

void soak_await_all_well (struct soak *self)
{
    int64_t since_ms = soak_now_ms (self);
    while (!all_well (self)) {
        if (soak_is_overdue (self, since_ms)) {
            soak_fail (self,
                       "nothing is wrong for %d s, and there is not one leader whom all follow, "
                       "with whole logs",
                       SOAK_LIMIT_MS / 1000);
        }
        soak_turn (self, true);
    }
}

void soak_await_served (struct soak *self, int64_t limit_ms)
{
    int64_t since_ms = soak_now_ms (self);
    size_t waiting = self->workers_count;
    for (size_t i = 0; i < self->workers_count; i++) {
        worker_write_fresh (&self->workers[i]);
    }
    while (waiting > 0) {
        if (soak_is_overdue (self, since_ms + limit_ms - SOAK_LIMIT_MS)) {
            soak_fail_waiting (self, "not every client is served");
        }
        soak_turn (self, true);
        waiting = 0;
        for (size_t i = 0; i < self->workers_count; i++) {
            waiting += self->workers[i].fresh_due;
        }
    }
    soak_tell (self, "everybody was served within %" PRId64 " ms", soak_now_ms (self) - since_ms);
}

/* ---- Sessions are killed --------------------------------------------------------------------- */

/* NULL: all are between two sessions. */
static struct observed *draw_victim (struct soak *self)
{
    size_t first = prng_below (&self->prng, self->workers_count);
    for (size_t i = 0; i < self->workers_count; i++) {
        struct observed *observed = &self->workers[(first + i) % self->workers_count].observed;
        if (observed->session != 0) {
            return observed;
        }
    }
    return NULL;
}

/* An administrator, of whom nothing is recorded, ends the session of a client: its ephemerals have
 * to go, as the log says that it was killed. Nothing else is done until he has his answer, so it is
 * no time to judge. false: it was not there. */
static bool kill_session (struct soak *self, uint64_t session)
{
    int existed = 0;
    cohort_t *admin = cohort_new (self->ensemble.list, NULL);
    COHORT_ASSERT (admin != NULL);
    int rc = cohort_add_auth (admin, RIGHTS_SCHEME, rights_name (0), RIGHTS_PASSWORD);
    rc = rc == 0 ? cohort_session_kill (admin, session, &existed) : rc;
    cohort_destroy (&admin);
    if (rc != 0) {
        soak_fail (self, "the administrator cannot end a session: %s", cohort_error_text (rc));
    }
    soak_tell (self, "session %" PRIx64 " is killed%s", session,
               existed ? "" : ", and was not there");
    return existed != 0;
}

static void await_word_of_kill (struct soak *self, const struct observed *victim, uint64_t session)
{
    int64_t since_ms = soak_now_ms (self);
    while (victim->session == session) {
        if (soak_is_overdue (self, since_ms)) {
            soak_fail (self, "a client does not hear that its session was killed");
        }
        soak_turn (self, true);
    }
}

/* ---- The history of it ----------------------------------------------------------------------- */

static void note (struct soak *self, enum history_kind kind, uint32_t client)
{
    recorder_note (self->recorder, (struct history_event){.kind = kind, .client = client});
}

/* A client that renews itself is another one, and served when it is connected. */
static void note_served (struct soak *self)
{
    for (size_t i = 0; i < soak_observed_count (self); i++) {
        const struct observed *observed = soak_observed (self, i);
        if (self->calm.served[i] != observed->number && !observed->lost && observed->session != 0 &&
            cohort_state (observed->client) == COHORT_CONNECTED) {
            self->calm.served[i] = observed->number;
            note (self, HISTORY_SERVED, observed->number);
        }
    }
}

/* How long a disk takes that nobody has made slow. */
static void try_disk (struct soak *self)
{
    static const uint8_t sector[SECTOR];
    char path[ENSEMBLE_TEXT];
    int64_t begun_ms = soak_now_ms (self);
    (void) snprintf (path, sizeof path, "%s/sector", self->folder);
    int fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    COHORT_ASSERT (fd >= 0);
    COHORT_ASSERT (pwrite (fd, sector, sizeof sector, 0) == SECTOR);
    COHORT_ASSERT (fdatasync (fd) == 0);
    (void) close (fd);
    int64_t took_ms = soak_now_ms (self) - begun_ms;
    self->calm.slowest_ms = took_ms > self->calm.slowest_ms ? took_ms : self->calm.slowest_ms;
    self->calm.next_write_ms = begun_ms + took_ms + WRITE_EVERY_MS;
}

void soak_begin_calm (struct soak *self)
{
    self->calm = (struct soak_calm){.is = true,
                                    .since_ms = soak_now_ms (self),
                                    .since_event = recorder_events (self->recorder)};
    note (self, HISTORY_LED, 0);
    note (self, HISTORY_CALM, 0);
    note_served (self);
}

void soak_watch_calm (struct soak *self)
{
    if (self->calm.is) {
        note_served (self);
        if (soak_now_ms (self) >= self->calm.next_write_ms) {
            try_disk (self);
        }
    }
}

/* In all, and in the worst second, which shows whether it did so at one go. */
static bool machine_was_well (const struct soak *self)
{
    int64_t from_ms = self->calm.since_ms, now_ms = soak_now_ms (self), worst_ms = 0;
    for (int64_t at_ms = from_ms; at_ms < now_ms; at_ms += WINDOW_MS) {
        int64_t ms = still_ms (self, at_ms, at_ms + WINDOW_MS);
        worst_ms = ms > worst_ms ? ms : worst_ms;
    }
    int64_t all_ms = still_ms (self, from_ms, now_ms);
    bool well = worst_ms <= STILL_MS_MAX && self->calm.slowest_ms <= STILL_MS_MAX &&
                all_ms <= (now_ms - from_ms) / 2;
    soak_tell (self,
               "calm for %" PRId64 " ms; the machine stood still for %" PRId64
               ", in a second for %" PRId64 ", its disk for %" PRId64 "%s",
               now_ms - from_ms, all_ms, worst_ms, self->calm.slowest_ms,
               well ? "" : ": not judged");
    return well;
}

bool soak_judge_calm (struct soak *self)
{
    bool well = machine_was_well (self);
    if (!well) {
        recorder_withdraw_calm (self->recorder, self->calm.since_event);
    }
    self->calm.is = false;
    return well;
}

/* Of those of whom it was said. */
static void end_calm (struct soak *self)
{
    for (size_t i = 0; i < soak_observed_count (self); i++) {
        const struct observed *observed = soak_observed (self, i);
        if (self->calm.served[i] == observed->number && !observed->lost) {
            note (self, HISTORY_UNSERVED, observed->number);
        }
    }
    note (self, HISTORY_UNCALM, 0);
    note (self, HISTORY_UNLED, 0);
    self->calms_judged += soak_judge_calm (self);
}

void soak_calm (struct soak *self)
{
    soak_heal (self);
    soak_tell (self, "calm");
    soak_await_served (self, SOAK_LIMIT_MS);
    soak_await_all_well (self);
    const struct observed *victim = draw_victim (self);
    uint64_t session = victim != NULL ? victim->session : 0;
    bool killed = session != 0 && kill_session (self, session);
    soak_begin_calm (self);
    self->calms++;
    int64_t end_ms = soak_now_ms (self) + (self->calms % LONG_EVERY == 0 ? LONG_CALM_MS : CALM_MS);
    if (killed) {
        await_word_of_kill (self, victim, session);
    }
    while (soak_now_ms (self) < end_ms) {
        soak_turn (self, true);
    }
    end_calm (self);
}

/* What goes wrong in a soak: data folders that are damaged, or of which there are two. */

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "client/base/assert.h"
#include "server/tree/entry.h"
#include "tests/cluster/soak.h"

enum {
    WHOLE_QUERY_MS = 100,
    SETTLED_ENTRIES = 300 /* some seconds of work */
};

/* ---- Damage ---------------------------------------------------------------------------------- */

/* Since the folder of a server was emptied the log has taken it in again: it counts, for those who
 * know. What only the next victim knows does not help, nor what it has not synced; so somebody
 * else's log has to say so, and to have gone on since. */
static bool counts_again (const struct soak *self, size_t server, size_t victim)
{
    uint64_t taken_in = 0;
    size_t since = 0;
    for (size_t i = self->log.count; i-- > 0 && taken_in == 0; since++) {
        const struct log_copy_entry *logged = &self->log.entries[i];
        struct entry entry;
        if (logged->zxid <= self->emptied[server]) {
            break;
        }
        COHORT_ASSERT (entry_decode (&entry, logged->data, logged->size));
        if (entry.kind == ENTRY_MEMBER_STORE && entry.u.member_store.id == server + 1) {
            taken_in = logged->zxid;
        }
    }
    if (self->emptied[server] == 0) {
        return true;
    }
    bool known = false;
    for (size_t i = 0; i < self->ensemble.count - self->ensemble.observers; i++) {
        known = known || (i != victim && i != server && self->known[i] > taken_in);
    }
    return taken_in != 0 && known && since > SETTLED_ENTRIES;
}

/* Without it there is a majority of the voters. One of two, or the only one, nobody can heal. */
static bool is_healed_by_others (const struct soak *self, size_t server)
{
    size_t voters = self->ensemble.count - self->ensemble.observers;
    return server >= voters || 2 * (voters - 1) > voters;
}

/* One at a time: what is lost is healed from the others. */
bool soak_may_damage (struct soak *self, const struct soak_fault *fault)
{
    bool may = is_healed_by_others (self, fault->server) &&
               ensemble_whole (&self->ensemble, WHOLE_QUERY_MS);
    soak_read_logs (self);
    for (size_t i = 0; i < self->ensemble.count; i++) {
        may = may && counts_again (self, i, fault->server);
    }
    return may;
}

static void kill_to_harm (struct soak *self, struct soak_fault *fault)
{
    self->held[fault->server] = true;
    ensemble_signal (&self->ensemble, fault->server, SIGKILL);
}

/* What it has in its place is new, and must be sound; so no later power cut may take back what the
 * old one had not synced. */
void soak_begin_empty (struct soak *self, struct soak_fault *fault)
{
    const struct ensemble_server *server = &self->ensemble.servers[fault->server];
    struct prng prng;
    kill_to_harm (self, fault);
    soak_read_logs (self);
    self->emptied[fault->server] = log_copy_zxid (&self->log);
    prng_seed (&prng, fault->draw);
    (void) bad_disk_forget (server->disk, &prng, NULL);
    ensemble_shell ("rm -rf '%s'", server->data);
    self->harmed[fault->server] = false;
}

void soak_begin_damage (struct soak *self, struct soak_fault *fault)
{
    char what[128] = "nothing";
    kill_to_harm (self, fault);
    self->harmed[fault->server] = true;
    (void) ensemble_damage (&self->ensemble, fault->server, fault->draw, what, sizeof what);
    soak_tell (self, "server %zu: damaged: %s", fault->server + 1, what);
}

/* ---- Two servers with one id ----------------------------------------------------------------- */

/* One at a time. */
bool soak_may_be_twin (struct soak *self, const struct soak_fault *fault)
{
    (void) fault;
    return self->ensemble.servers[self->ensemble.count].pid == 0;
}

/* The one that it is a twin of stands still while its folder is copied, and goes on. */
void soak_begin_twin (struct soak *self, struct soak_fault *fault)
{
    bool copied = fault->draw % 2 == 0;
    if (copied) {
        soak_begin_stop (self, fault);
    }
    ensemble_make_twin (&self->ensemble, fault->server, copied);
    if (copied) {
        soak_end_stop (self, fault);
    }
    ensemble_start (&self->ensemble, self->ensemble.count);
}

/* It may have ended: what it has copied was not closed in an orderly way. */
void soak_end_twin (struct soak *self, struct soak_fault *fault)
{
    size_t twin = self->ensemble.count;
    int status = ensemble_reap (&self->ensemble, twin);
    if (status != -1 &&
        !soak_end_is_expected (SOAK_IS_TWIN, status, soak_has_started (self, twin))) {
        soak_fail (self, "the twin of server %zu has ended with %s %d, which is wrong; see %s",
                   fault->server + 1, WIFEXITED (status) ? "status" : "signal",
                   WIFEXITED (status) ? WEXITSTATUS (status) : WTERMSIG (status),
                   self->ensemble.servers[twin].log);
    }
    if (status == -1) {
        ensemble_signal (&self->ensemble, twin, SIGKILL);
    }
}

/* ---- The end --------------------------------------------------------------------------------- */

void soak_inspect (struct soak *self)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        char command[3 * ENSEMBLE_TEXT];
        (void) snprintf (command, sizeof command, "'%s' inspect '%s' > '%s/inspected' 2>&1",
                         self->options.cohortd, self->ensemble.servers[i].data, self->folder);
        int status = system (command);
        COHORT_ASSERT (status != -1 && WIFEXITED (status));
        if (WEXITSTATUS (status) != 0 && !self->harmed[i]) {
            soak_fail (self,
                       "nobody has harmed the folder of server %zu, and it is not sound; see "
                       "%s/inspected",
                       i + 1, self->folder);
        }
    }
}

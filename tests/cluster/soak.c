/* A soak: servers, clients and recorder together; the turn; the end. */

#include "tests/cluster/soak.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/base/assert.h"
#include "tests/cluster/observed_rights.h"

enum {
    TURN_MS = 5,
    END_MS = 60000, /* for a server to end */
    LOG_EVERY_MS = 5000,
    SYNC_MS_MAX = 10
};

static const char settings[] = "minSessionTimeout=500\nmaxSessionTimeout=60000\n"
                               "snapshotBytes=100000\nlogLevel=info\nadmin=";

int64_t soak_now_ms (const struct soak *self)
{
    return recorder_now_ms (self->recorder);
}

void soak_tell (const struct soak *self, const char *format, ...)
{
    va_list arguments;
    if (!self->options.verbose) {
        return;
    }
    printf ("%8.3f  ", (double) soak_now_ms (self) / 1000);
    va_start (arguments, format);
    vprintf (format, arguments);
    va_end (arguments);
    printf ("\n");
    (void) fflush (stdout);
}

static void path_in (const struct soak *self, char path[ENSEMBLE_TEXT], const char *name)
{
    (void) snprintf (path, ENSEMBLE_TEXT, "%s/%s", self->folder, name);
}

/* ---- Failures -------------------------------------------------------------------------------- */

static void kill_servers (struct soak *self)
{
    for (size_t i = 0; i < self->ensemble.count + self->ensemble.twin; i++) {
        if (self->ensemble.servers[i].pid != 0) {
            ensemble_signal (&self->ensemble, i, SIGKILL);
        }
    }
}

void soak_fail (struct soak *self, const char *format, ...)
{
    char history[ENSEMBLE_TEXT];
    va_list arguments;
    (void) fflush (stdout);
    fprintf (stderr, "soak: seed %" PRIu64 ", after %.1f s: ", self->options.seed,
             (double) soak_now_ms (self) / 1000);
    va_start (arguments, format);
    vfprintf (stderr, format, arguments);
    va_end (arguments);
    fprintf (stderr, "\n");
    kill_servers (self);
    path_in (self, history, "history");
    if (access (history, F_OK) != 0 && recorder_merge (self->recorder, &self->log, history)) {
        fprintf (stderr, "what clients were told until then:  %s %s\n", self->options.checker,
                 history);
    }
    fprintf (stderr,
             "logs, data and history are kept in %s\n"
             "again:  tests/cluster/soak --seed %" PRIu64
             " --servers %zu --observers %zu --clients %zu%s\n",
             self->folder, self->options.seed, self->options.servers, self->options.observers,
             self->options.clients, self->options.packets ? " --packets" : "");
    exit (EXIT_FAILURE);
}

/* ---- Servers --------------------------------------------------------------------------------- */

/* through: as log_copy_read has it; each must have the log up to `least`. */
static void read_logs (struct soak *self, uint64_t through, uint64_t least)
{
    struct objection objection;
    for (size_t i = 0; i < self->ensemble.count; i++) {
        uint64_t last;
        if (!log_copy_read (&self->log, self->ensemble.servers[i].data, through, &last,
                            &objection)) {
            soak_fail (self, "%s", objection.text);
        }
        self->known[i] = last;
        if (last < least) {
            soak_fail (self,
                       "the log of server %zu ends at %#" PRIx64
                       ", its clients were told of %#" PRIx64,
                       i + 1, last, least);
        }
    }
}

void soak_read_logs (struct soak *self)
{
    read_logs (self, 0, 0);
}

bool soak_has_started (struct soak *self, size_t server)
{
    return ensemble_life_has (&self->ensemble, server, " listening clients=");
}

static void look_after_servers (struct soak *self)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        int status = ensemble_reap (&self->ensemble, i);
        if (status == -1) {
            continue;
        }
        soak_tell (self, "server %zu has ended: %s %d", i + 1,
                   WIFEXITED (status) ? "status" : "signal",
                   WIFEXITED (status) ? WEXITSTATUS (status) : WTERMSIG (status));
        if (!soak_end_is_expected (self->ends[i], status, soak_has_started (self, i))) {
            soak_fail (self, "server %zu has ended with %s %d, which is wrong; see the end of %s",
                       i + 1, WIFEXITED (status) ? "status" : "signal",
                       WIFEXITED (status) ? WEXITSTATUS (status) : WTERMSIG (status),
                       self->ensemble.servers[i].log);
        }
    }
}

void soak_await_end (struct soak *self, size_t server, const char *reason)
{
    int64_t limit = soak_now_ms (self) + END_MS;
    while (self->ensemble.servers[server].pid != 0) {
        if (soak_now_ms (self) > limit) {
            soak_fail (self, "server %zu does not end %d s after %s", server + 1, END_MS / 1000,
                       reason);
        }
        soak_turn (self, true);
    }
}

/* ---- Clients --------------------------------------------------------------------------------- */

static void start_client (struct soak *self, size_t index)
{
    (void) snprintf (self->state_files[index], sizeof self->state_files[index], "%s/session-%zu",
                     self->folder, index);
    struct observed_options options = {
        .recorder = self->recorder,
        .loop = self->loops[index] != NULL ? self->loops[index] : self->loop,
        .servers = self->net != NULL ? self->ensemble.list : self->ensemble.proxied,
        .timeout_ms = 1500 + (int) prng_below (&self->prng, 4000),
        .grace_ms = 300 + (int) prng_below (&self->prng, 4000),
        .stream = index % 3 == 0,
        .state_file = index % 3 == 1 ? self->state_files[index] : NULL,
    };
    worker_start (&self->workers[index], index, prng_u64 (&self->prng), &options);
}

void soak_replace_client (struct soak *self, size_t index, bool close)
{
    struct observed *observed = &self->workers[index].observed;
    if (close) {
        observed_close (observed);
    } else {
        observed_abandon (observed);
    }
    start_client (self, index);
}

static void no_answer (void *arg, struct observed *observed, const struct purpose *purpose,
                       const cohort_result_t *result)
{
    (void) arg;
    (void) observed;
    (void) purpose;
    (void) result;
}

static void no_renewal (void *arg, struct observed *observed)
{
    (void) arg;
    (void) observed;
}

/* On each server a client of its own, whose stream begins with all that the server has. */
static void start_auditors (struct soak *self)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        observed_start (&self->auditors[i],
                        &(struct observed_options){.recorder = self->recorder,
                                                   .loop = self->loop,
                                                   .servers = self->ensemble.servers[i].clients,
                                                   .timeout_ms = 30000,
                                                   .grace_ms = 30000,
                                                   .stream = true,
                                                   .answered = no_answer,
                                                   .renewed = no_renewal});
    }
    self->auditing = true;
}

/* ---- The turn -------------------------------------------------------------------------------- */

size_t soak_observed_count (const struct soak *self)
{
    return self->workers_count + (self->auditing ? self->ensemble.count : 0);
}

struct observed *soak_observed (struct soak *self, size_t index)
{
    return index < self->workers_count ? &self->workers[index].observed
                                       : &self->auditors[index - self->workers_count];
}

void soak_turn (struct soak *self, bool work)
{
    struct pollfd fds[WORKERS_MAX + ENSEMBLE_MAX];
    size_t count = soak_observed_count (self);
    for (size_t i = 0; i < count && !self->settled; i++) {
        bool runs = soak_observed (self, i)->stopped == 0;
        fds[i] = (struct pollfd){.fd = runs ? cohort_fd (soak_observed (self, i)->client) : -1,
                                 .events = POLLIN};
    }
    (void) poll (fds, self->settled ? 0 : (nfds_t) count, TURN_MS);
    for (size_t i = 0; i < count && !self->settled; i++) {
        if (soak_observed (self, i)->stopped == 0) {
            observed_turn (soak_observed (self, i));
        }
    }
    for (size_t i = 0; i < self->workers_count && work; i++) {
        if (self->workers[i].observed.stopped == 0) {
            worker_work (&self->workers[i]);
        }
    }
    look_after_servers (self);
    soak_watch_calm (self);
    if (self->clocks_wrong == 0 && soak_now_ms (self) >= self->doubt_until_ms) {
        recorder_trust (self->recorder);
    }
    if (soak_now_ms (self) >= self->next_log_ms) {
        soak_read_logs (self);
        self->next_log_ms = soak_now_ms (self) + LOG_EVERY_MS;
    }
}

/* ---- The end --------------------------------------------------------------------------------- */

typedef bool soak_condition_fn (struct soak *self);

static void await (struct soak *self, soak_condition_fn *holds, const char *otherwise)
{
    int64_t since_ms = soak_now_ms (self);
    while (!holds (self)) {
        if (soak_is_overdue (self, since_ms)) {
            soak_fail_waiting (self, otherwise);
        }
        soak_turn (self, false);
    }
}

static bool all_answered (struct soak *self)
{
    size_t outstanding = 0;
    for (size_t i = 0; i < soak_observed_count (self); i++) {
        outstanding += soak_observed (self, i)->outstanding;
    }
    return outstanding == 0;
}

static bool all_streamed (struct soak *self)
{
    for (size_t i = 0; i < soak_observed_count (self); i++) {
        const struct observed *observed = soak_observed (self, i);
        if (observed->options.stream && (!observed->whole || observed->streamed < self->marker)) {
            return false;
        }
    }
    return true;
}

static void ask_all (struct soak *self, enum history_op_kind kind, const char *path)
{
    struct history_op op = {.kind = kind, .path = path, .value = ""};
    for (size_t i = 0; i < soak_observed_count (self); i++) {
        observed_ask (soak_observed (self, i), false, &op, 1, &(struct purpose){.what = 0});
    }
    await (self, all_answered, "not everything is answered");
}

static void on_live (void *arg, struct observed *observed, const struct purpose *purpose,
                     const cohort_result_t *result)
{
    struct soak *self = arg;
    (void) observed;
    (void) purpose;
    if (result->rc == 0 && result->children != NULL) {
        self->live = result->children->count;
    }
}

/* Those whose clients are gone have ended: only those of the workers that are there are left. */
static void await_ends_of_sessions (struct soak *self)
{
    struct observed *auditor = &self->auditors[0];
    struct history_op op = {.kind = HISTORY_CHILDREN, .path = WORKLOAD_LIVE, .value = ""};
    int64_t since_ms = soak_now_ms (self);
    self->live = SIZE_MAX;
    auditor->options.answered = on_live;
    auditor->options.arg = self;
    while (self->live != self->options.clients) {
        if (soak_is_overdue (self, since_ms)) {
            soak_fail (self, "nothing is wrong for %d s, and %zu sessions live, of %zu clients",
                       SOAK_LIMIT_MS / 1000, self->live, self->options.clients);
        }
        if (auditor->outstanding == 0) {
            observed_ask (auditor, false, &op, 1, &(struct purpose){.what = 0});
        }
        soak_turn (self, false);
    }
}

/* What goes by itself has gone, and the containers were taken away. */
static void on_mortal (void *arg, struct observed *observed, const struct purpose *purpose,
                       const cohort_result_t *result)
{
    struct soak *self = arg;
    (void) purpose;
    if (result->children == NULL) {
        return;
    }
    self->mortal = 0;
    for (size_t i = 0; i < result->children->count; i++) {
        const char *name = result->children->items[i];
        bool box = strncmp (name, "box", 3) == 0;
        self->mortal += box || (name[0] == 't' && name[1] >= '0' && name[1] <= '9');
        if (box) {
            char path[OBSERVED_PATH_SIZE];
            (void) snprintf (path, sizeof path, "/%s", name);
            struct history_op op = {.kind = HISTORY_DELETE_TREE,
                                    .path = path,
                                    .value = "",
                                    .version = COHORT_ANY_VERSION};
            observed_ask (observed, false, &op, 1, &(struct purpose){.what = 0});
        }
    }
}

static void await_ends_of_mortals (struct soak *self)
{
    struct observed *auditor = &self->auditors[0];
    struct history_op op = {.kind = HISTORY_CHILDREN, .path = "/", .value = ""};
    int64_t since_ms = soak_now_ms (self);
    self->mortal = SIZE_MAX;
    auditor->options.answered = on_mortal;
    auditor->options.arg = self;
    while (self->mortal > 0) {
        if (soak_is_overdue (self, since_ms)) {
            soak_fail (self, "nothing is wrong for %d s, and %zu znodes do not go",
                       SOAK_LIMIT_MS / 1000, self->mortal);
        }
        if (auditor->outstanding == 0) {
            observed_ask (auditor, false, &op, 1, &(struct purpose){.what = 0});
        }
        soak_turn (self, false);
    }
    auditor->options.answered = no_answer;
}

/* Everybody is shown the same last state, behind all that they have to be told. */
static void settle (struct soak *self)
{
    await (self, all_answered, "not everything is answered");
    soak_begin_calm (self);
    start_auditors (self);
    ask_all (self, HISTORY_SYNC, "");
    await_ends_of_sessions (self);
    await_ends_of_mortals (self);
    for (size_t i = 0; i < self->workers_count; i++) {
        worker_write_fresh (&self->workers[i]);
    }
    await (self, all_answered, "not everything is answered");
    self->marker = recorder_zxid (self->recorder);
    ask_all (self, HISTORY_SYNC, "");
    ask_all (self, HISTORY_EXISTS, WORKLOAD_LIVE);
    await (self, all_streamed, "not every stream is complete");
    (void) soak_judge_calm (self);
    recorder_note (self->recorder, (struct history_event){.kind = HISTORY_SETTLED});
    self->settled = true;
}

/* false: the history does not hold; it has said why. */
static bool judge (struct soak *self, const char *history)
{
    int status;
    (void) fflush (stdout);
    pid_t pid = fork ();
    COHORT_ASSERT (pid >= 0);
    if (pid == 0) {
        (void) execl (self->options.checker, self->options.checker, history, (char *) NULL);
        fprintf (stderr, "%s: %s\n", self->options.checker, strerror (errno));
        _exit (127);
    }
    COHORT_ASSERT (waitpid (pid, &status, 0) == pid);
    return WIFEXITED (status) && WEXITSTATUS (status) == 0;
}

void soak_finish (struct soak *self)
{
    char history[ENSEMBLE_TEXT];
    soak_heal (self);
    soak_await_all_well (self);
    settle (self);
    for (size_t i = 0; i < self->ensemble.count; i++) {
        self->ends[i] = SOAK_TOLD_TO_END;
        ensemble_signal (&self->ensemble, i, SIGTERM);
        soak_await_end (self, i, "SIGTERM");
    }
    /* What begins with a snapshot continues what the others have: so they are taken in before. */
    read_logs (self, recorder_zxid (self->recorder), 0);
    read_logs (self, recorder_zxid (self->recorder), self->marker);
    soak_inspect (self);
    path_in (self, history, "history");
    if (!recorder_merge (self->recorder, &self->log, history)) {
        soak_fail (self, "the copy of the log ends at %#" PRIx64 ", clients were told of %#" PRIx64,
                   log_copy_zxid (&self->log), recorder_zxid (self->recorder));
    }
    if (!judge (self, history)) {
        soak_fail (self, "the history does not hold");
    }
}

/* ---- All ------------------------------------------------------------------------------------- */

static void make_folder (struct soak *self)
{
    const char *given = self->options.folder;
    bool made;
    if (given != NULL) {
        (void) snprintf (self->folder, sizeof self->folder, "%s", given);
        made = mkdir (self->folder, 0755) == 0;
    } else {
        (void) snprintf (self->folder, sizeof self->folder, "/tmp/cohort-soak-%" PRIu64 "-XXXXXX",
                         self->options.seed);
        made = mkdtemp (self->folder) != NULL;
    }
    if (!made) {
        fprintf (stderr, "soak: %s: %s\n", self->folder, strerror (errno));
        exit (EXIT_FAILURE);
    }
}

void soak_heal_disk (struct soak *self, size_t server)
{
    bad_disk_heal (self->disks[server]);
    self->disks[server]->calls[BAD_DISK_SYNC].delay_ms = self->sync_ms[server];
}

static void make_disks (struct soak *self)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        self->disks[i] = bad_disk_new (self->ensemble.servers[i].disk);
        COHORT_ASSERT (self->disks[i] != NULL);
        self->disks[i]->journal = 1;
        self->sync_ms[i] = (uint32_t) prng_below (&self->prng, SYNC_MS_MAX);
        soak_heal_disk (self, i);
    }
}

/* Before there are threads. */
static void make_network (struct soak *self)
{
    char why[256];
    if (!self->options.packets) {
        self->proxy = tcp_proxy_new ();
        return;
    }
    self->net = packet_net_new (self->options.servers + 1, self->options.seed, why, sizeof why);
    if (self->net == NULL) {
        printf ("soak: skipped: %s\n", why);
        exit (SOAK_SKIPPED);
    }
}

void soak_init (struct soak *self, const struct soak_options *options)
{
    char events[ENSEMBLE_TEXT], configured[sizeof settings + RIGHTS_WHO_SIZE + 8];
    char who[RIGHTS_WHO_SIZE];
    *self = (struct soak){.options = *options};
    prng_seed (&self->prng, options->seed);
    make_network (self);
    make_folder (self);
    self->witness = witness_new ();
    path_in (self, events, "events");
    self->recorder = recorder_new (events);
    recorder_note (self->recorder, (struct history_event){.kind = HISTORY_BLIND});
    log_copy_init (&self->log);
    (void) snprintf (configured, sizeof configured, "%s%s\n", settings, rights_user (0, who));
    ensemble_init_with (&self->ensemble, &(struct ensemble_options){.cohortd = options->cohortd,
                                                                    .count = options->servers,
                                                                    .observers = options->observers,
                                                                    .settings = configured,
                                                                    .folder = self->folder,
                                                                    .proxy = self->proxy,
                                                                    .net = self->net,
                                                                    .preload = options->preload});
    make_disks (self);
    if (self->proxy != NULL) {
        tcp_proxy_start (self->proxy);
    }
    ensemble_start_all (&self->ensemble);
    soak_await_all_well (self);
    self->loop = cohort_loop_new (NULL);
    COHORT_ASSERT (self->loop != NULL);
    for (size_t i = 1; i < options->clients; i += 2) {
        cohort_loop_options_t own = {.size = sizeof own, .driver = COHORT_DRIVER_NONE};
        self->loops[i] = cohort_loop_new (&own);
        COHORT_ASSERT (self->loops[i] != NULL);
    }
    while (self->workers_count < options->clients) {
        start_client (self, self->workers_count);
        self->workers_count++;
    }
}

void soak_deinit (struct soak *self)
{
    for (size_t i = 0; i < soak_observed_count (self); i++) {
        observed_abandon (soak_observed (self, i));
    }
    COHORT_ASSERT (cohort_loop_destroy (&self->loop) == 0);
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        COHORT_ASSERT (self->loops[i] == NULL || cohort_loop_destroy (&self->loops[i]) == 0);
    }
    if (self->options.folder == NULL) {
        ensemble_deinit (&self->ensemble, false);
    }
    tcp_proxy_destroy (&self->proxy);
    packet_net_destroy (&self->net);
    witness_destroy (&self->witness);
    log_copy_deinit (&self->log);
    recorder_free (&self->recorder);
    for (size_t i = 0; i < ENSEMBLE_MAX; i++) {
        bad_disk_free (&self->disks[i]);
    }
}

/* What goes wrong in a soak: kinds of faults, as a table; processes, clocks and disks. */

#include <errno.h>
#include <signal.h>

#include "tests/cluster/soak.h"
#include "tests/cluster/soak_links.h"

enum { LED_QUERY_MS = 100, STALL_MS = 300, RIGHT_AGAIN_MS = 1000 };

/* ---- Processes ------------------------------------------------------------------------------- */

/* What its manifest is now is an older one some time later. */
static void start_again (struct soak *self, struct soak_fault *fault)
{
    if (fault->draw % 3 == 0) {
        ensemble_keep_manifest (&self->ensemble, fault->server);
    }
    ensemble_start (&self->ensemble, fault->server);
    self->held[fault->server] = false;
}

static void begin_kill (struct soak *self, struct soak_fault *fault)
{
    self->held[fault->server] = true;
    ensemble_signal (&self->ensemble, fault->server, SIGKILL);
}

/* All that run, at the same time. */
static void begin_kill_all (struct soak *self, struct soak_fault *fault)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        if (!self->held[i] && self->ensemble.servers[i].pid != 0) {
            ensemble_signal (&self->ensemble, i, SIGKILL);
            self->held[i] = true;
            fault->draw |= UINT64_C (1) << i;
        } else {
            fault->draw &= ~(UINT64_C (1) << i);
        }
    }
}

/* In any order. */
static void end_kill_all (struct soak *self, struct soak_fault *fault)
{
    struct prng prng;
    prng_seed (&prng, fault->draw);
    size_t order[ENSEMBLE_MAX] = {0}, count = self->ensemble.count;
    for (size_t i = 0; i < count; i++) {
        size_t other = prng_below (&prng, i + 1);
        order[i] = order[other];
        order[other] = i;
    }
    for (size_t i = 0; i < count; i++) {
        if ((fault->draw >> order[i] & 1) != 0) {
            ensemble_start (&self->ensemble, order[i]);
            self->held[order[i]] = false;
        }
    }
}

/* epochs: that they lead, by their own words. */
static void stop (struct soak *self, size_t server, const uint32_t epochs[ENSEMBLE_MAX])
{
    self->held[server] = true;
    ensemble_signal (&self->ensemble, server, SIGSTOP);
    self->stops[server] = (struct soak_stop){epochs[server], soak_now_ms (self)};
}

void soak_begin_stop (struct soak *self, struct soak_fault *fault)
{
    uint32_t epochs[ENSEMBLE_MAX];
    ensemble_epochs (&self->ensemble, epochs, LED_QUERY_MS);
    stop (self, fault->server, epochs);
}

/* A leader notices that it was away if that was for longer than half the time for which servers may
 * be silent. */
void soak_end_stop (struct soak *self, struct soak_fault *fault)
{
    const struct soak_stop *stop = &self->stops[fault->server];
    if (stop->epoch != 0 && soak_now_ms (self) - stop->from_ms >= STALL_MS) {
        recorder_note (self->recorder,
                       (struct history_event){.kind = HISTORY_STALLED,
                                              .u.stalled = {stop->epoch, stop->from_ms}});
    }
    ensemble_signal (&self->ensemble, fault->server, SIGCONT);
    self->held[fault->server] = false;
}

static void begin_terminate (struct soak *self, struct soak_fault *fault)
{
    self->held[fault->server] = true;
    self->ends[fault->server] = SOAK_TOLD_TO_END;
    ensemble_signal (&self->ensemble, fault->server, SIGTERM);
}

static void end_terminate (struct soak *self, struct soak_fault *fault)
{
    soak_await_end (self, fault->server, "SIGTERM");
    self->ends[fault->server] = SOAK_GOES_ON;
    start_again (self, fault);
}

/* All that run, at the same time. */
static void begin_stop_all (struct soak *self, struct soak_fault *fault)
{
    uint32_t epochs[ENSEMBLE_MAX];
    ensemble_epochs (&self->ensemble, epochs, LED_QUERY_MS);
    fault->draw = 0;
    for (size_t i = 0; i < self->ensemble.count; i++) {
        if (!self->held[i] && self->ensemble.servers[i].pid != 0) {
            stop (self, i, epochs);
            fault->draw |= UINT64_C (1) << i;
        }
    }
}

static void end_stop_all (struct soak *self, struct soak_fault *fault)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        if ((fault->draw >> i & 1) != 0) {
            soak_end_stop (self, &(struct soak_fault){.server = i});
        }
    }
}

/* ---- Clocks ---------------------------------------------------------------------------------- */

/* By up to a minute, either way. */
static void begin_clock_step (struct soak *self, struct soak_fault *fault)
{
    int64_t step_ms = 100 + (int64_t) (fault->draw % 60000);
    fault->step_ms = fault->draw / 60000 % 2 == 0 ? step_ms : -step_ms;
    recorder_doubt (self->recorder);
    self->clocks_wrong++;
    self->disks[fault->server]->clock_ms = fault->step_ms;
}

/* The stamps of entries do not go back: it takes as long as the clock was ahead until they are
 * right again. */
static void end_clock_step (struct soak *self, struct soak_fault *fault)
{
    int64_t until_ms =
        soak_now_ms (self) + RIGHT_AGAIN_MS + (fault->step_ms > 0 ? fault->step_ms : 0);
    self->disks[fault->server]->clock_ms = 0;
    self->doubt_until_ms = until_ms > self->doubt_until_ms ? until_ms : self->doubt_until_ms;
    self->clocks_wrong--;
}

/* ---- Disks ----------------------------------------------------------------------------------- */

/* The process ends when it meets the failure, and is started again with a sound disk. */
static void begin_failing (struct soak *self, struct soak_fault *fault, enum bad_disk_call call)
{
    struct bad_disk *disk = self->disks[fault->server];
    self->held[fault->server] = true;
    self->ends[fault->server] = SOAK_DISK_FAILS;
    fault->failed = disk->calls[call].failed;
    fault->call = call;
    disk->calls[call].pass = (uint32_t) (fault->draw % 4);
    disk->calls[call].error = EIO;
}

static void begin_sync_fails (struct soak *self, struct soak_fault *fault)
{
    begin_failing (self, fault, BAD_DISK_SYNC);
}

static void begin_write_fails (struct soak *self, struct soak_fault *fault)
{
    begin_failing (self, fault, BAD_DISK_WRITE);
}

static void begin_rename_fails (struct soak *self, struct soak_fault *fault)
{
    begin_failing (self, fault, BAD_DISK_RENAME);
    self->disks[fault->server]->calls[BAD_DISK_RENAME].pass = 0;
}

static void end_failing (struct soak *self, struct soak_fault *fault)
{
    size_t server = fault->server;
    struct bad_disk *disk = self->disks[server];
    soak_heal_disk (self, server);
    if (disk->calls[fault->call].failed != fault->failed) {
        soak_await_end (self, server, "a disk that fails");
    }
    if (self->ensemble.servers[server].pid == 0) {
        ensemble_start (&self->ensemble, server);
    }
    self->held[server] = false;
    self->ends[server] = SOAK_GOES_ON;
}

/* It goes on, without writing; and comes back by itself when there is room again. */
static void begin_full (struct soak *self, struct soak_fault *fault)
{
    struct bad_disk *disk = self->disks[fault->server];
    self->held[fault->server] = true;
    disk->calls[BAD_DISK_WRITE].pass = (uint32_t) (fault->draw % 4);
    disk->calls[BAD_DISK_WRITE].error = ENOSPC;
}

static void end_full (struct soak *self, struct soak_fault *fault)
{
    soak_heal_disk (self, fault->server);
    self->held[fault->server] = false;
}

static void begin_slow (struct soak *self, struct soak_fault *fault)
{
    struct bad_disk *disk = self->disks[fault->server];
    uint64_t calls = fault->draw / 500 % 3;
    if (calls != 0) {
        disk->calls[BAD_DISK_SYNC].delay_ms = 20 + (uint32_t) (fault->draw % 500);
    }
    if (calls != 1) {
        disk->calls[BAD_DISK_WRITE].delay_ms = 5 + (uint32_t) (fault->draw % 100);
    }
}

static void end_slow (struct soak *self, struct soak_fault *fault)
{
    soak_heal_disk (self, fault->server);
}

static void forget (struct soak *self, size_t server, struct prng *prng)
{
    size_t entries, bytes;
    bytes = bad_disk_forget (self->ensemble.servers[server].disk, prng, &entries);
    soak_tell (self, "server %zu: %zu unsynced bytes are lost, %zu entries of folders", server + 1,
               bytes, entries);
}

static void begin_power_cut (struct soak *self, struct soak_fault *fault)
{
    struct prng prng;
    begin_kill (self, fault);
    prng_seed (&prng, fault->draw);
    forget (self, fault->server, &prng);
}

/* Nobody is left who has in memory what his disk has not: what was acknowledged is on disks. */
static void begin_blackout (struct soak *self, struct soak_fault *fault)
{
    struct prng prng;
    prng_seed (&prng, fault->draw);
    begin_kill_all (self, fault);
    for (size_t i = 0; i < self->ensemble.count; i++) {
        if ((fault->draw >> i & 1) != 0) {
            forget (self, i, &prng);
        }
    }
}

/* All disks lie, and then the power fails: what was acknowledged is lost. No server can stand that:
 * whoever judges must object. */
static void begin_lies (struct soak *self, struct soak_fault *fault)
{
    (void) fault;
    for (size_t i = 0; i < self->ensemble.count; i++) {
        self->disks[i]->lie = 1;
    }
}

static void end_lies (struct soak *self, struct soak_fault *fault)
{
    struct prng prng;
    prng_seed (&prng, fault->draw);
    begin_kill_all (self, fault);
    for (size_t i = 0; i < self->ensemble.count; i++) {
        (void) bad_disk_forget (self->ensemble.servers[i].disk, &prng, NULL);
        soak_heal_disk (self, i);
    }
    end_kill_all (self, fault);
}

/* ---- The table ------------------------------------------------------------------------------- */

const struct soak_kind soak_kinds[] = {
    {.name = "kill",
     .text = "SIGKILL, and started again",
     .process = true,
     .weight = 4,
     .ms_min = 50,
     .ms_max = 8000,
     .begin = begin_kill,
     .end = start_again},
    {.name = "kill-all",
     .text = "SIGKILL of all servers at the same time",
     .process = true,
     .weight = 1,
     .ms_min = 50,
     .ms_max = 2000,
     .begin = begin_kill_all,
     .end = end_kill_all},
    {.name = "stop",
     .text = "SIGSTOP, and SIGCONT",
     .process = true,
     .weight = 4,
     .ms_min = 50,
     .ms_max = 4000,
     .begin = soak_begin_stop,
     .end = soak_end_stop},
    {.name = "stop-all",
     .text = "SIGSTOP of all servers at the same time, and SIGCONT",
     .process = true,
     .weight = 1,
     .ms_min = 50,
     .ms_max = 6000,
     .begin = begin_stop_all,
     .end = end_stop_all},
    {.name = "clock-step",
     .text = "the clock of a server is set, by up to a minute, and set right again",
     .weight = 2,
     .ms_min = 50,
     .ms_max = 6000,
     .begin = begin_clock_step,
     .end = end_clock_step},
    {.name = "terminate",
     .text = "SIGTERM, and started again",
     .process = true,
     .weight = 2,
     .ms_min = 50,
     .ms_max = 1000,
     .begin = begin_terminate,
     .end = end_terminate},
    {.name = "sync-fails",
     .text = "fsync gives EIO; the server must end",
     .process = true,
     .weight = 2,
     .ms_min = 500,
     .ms_max = 3000,
     .begin = begin_sync_fails,
     .end = end_failing},
    {.name = "write-fails",
     .text = "pwrite gives EIO; the server must end",
     .process = true,
     .weight = 1,
     .ms_min = 500,
     .ms_max = 3000,
     .begin = begin_write_fails,
     .end = end_failing},
    {.name = "rename-fails",
     .text = "rename gives EIO; the server must end",
     .process = true,
     .weight = 1,
     .ms_min = 500,
     .ms_max = 5000,
     .begin = begin_rename_fails,
     .end = end_failing},
    {.name = "full-disk",
     .text =
         "pwrite gives ENOSPC where a file grows; the server must go on, and come back by itself",
     .process = true,
     .weight = 2,
     .ms_min = 200,
     .ms_max = 4000,
     .begin = begin_full,
     .end = end_full},
    {.name = "slow-disk",
     .text = "fsync takes long, or pwrite, or both",
     .weight = 2,
     .ms_min = 500,
     .ms_max = 4000,
     .begin = begin_slow,
     .end = end_slow},
    {.name = "power-cut",
     .text = "SIGKILL, and half of what was not synced is lost, entries of folders too",
     .process = true,
     .weight = 4,
     .ms_min = 50,
     .ms_max = 2000,
     .begin = begin_power_cut,
     .end = start_again},
    {.name = "blackout",
     .text = "SIGKILL of all servers at the same time, and half of what was not synced is lost",
     .process = true,
     .weight = 1,
     .ms_min = 50,
     .ms_max = 2000,
     .begin = begin_blackout,
     .end = end_kill_all},
    {.name = "lying-disks",
     .text = "nothing is synced, and the power fails; must be found out, so it happens only if "
             "asked for",
     .fatal = true,
     .weight = 1,
     .ms_min = 1000,
     .ms_max = 3000,
     .begin = begin_lies,
     .end = end_lies},
    {.name = "damage",
     .text = "SIGKILL, and a file is changed, zeroed, cut off, removed, or exchanged",
     .process = true,
     .weight = 4,
     .ms_min = 50,
     .ms_max = 2000,
     .begin = soak_begin_damage,
     .end = start_again,
     .may = soak_may_damage},
    {.name = "empty",
     .text = "SIGKILL, and its folder is emptied",
     .process = true,
     .weight = 4,
     .ms_min = 50,
     .ms_max = 2000,
     .begin = soak_begin_empty,
     .end = start_again,
     .may = soak_may_damage},
    {.name = "twin",
     .text = "a second server with the id of one, with an empty folder or a copy of its",
     .process = true,
     .weight = 3,
     .ms_min = 200,
     .ms_max = 6000,
     .begin = soak_begin_twin,
     .end = soak_end_twin,
     .may = soak_may_be_twin},
    {.name = "partition",
     .text = "a server and the others do not reach each other",
     .weight = 3,
     .ms_min = 200,
     .ms_max = 4000,
     .links = soak_links_partition},
    {.name = "one-way",
     .text = "nothing gets from one server to another",
     .weight = 3,
     .ms_min = 200,
     .ms_max = 4000,
     .links = soak_links_one_way},
    {.name = "mute",
     .text = "a server only hears, or is only heard",
     .weight = 2,
     .ms_min = 200,
     .ms_max = 4000,
     .links = soak_links_mute},
    {.name = "half-open",
     .text = "a connection between servers loses what one end sends",
     .network = SOAK_CONNECTIONS,
     .weight = 2,
     .ms_min = 200,
     .ms_max = 4000,
     .links = soak_links_half_open},
    {.name = "cut",
     .text = "connections between two servers end in the middle of a frame",
     .network = SOAK_CONNECTIONS,
     .weight = 5,
     .ms_min = 1,
     .ms_max = 10,
     .begin = soak_begin_cut},
    {.name = "delay",
     .text = "up to 0.3 s to and from a server",
     .weight = 2,
     .ms_min = 200,
     .ms_max = 4000,
     .links = soak_links_delay},
    {.name = "throttle",
     .text = "2 to 52 kB a second to and from a server",
     .network = SOAK_CONNECTIONS,
     .weight = 2,
     .ms_min = 200,
     .ms_max = 4000,
     .links = soak_links_throttle},
    {.name = "refuse",
     .text = "connections of a server are reset, new ones too",
     .network = SOAK_CONNECTIONS,
     .weight = 2,
     .ms_min = 200,
     .ms_max = 3000,
     .links = soak_links_refuse},
    {.name = "rough",
     .text = "packets of a server are lost, doubled, and overtake each other",
     .network = SOAK_PACKETS,
     .weight = 4,
     .ms_min = 200,
     .ms_max = 6000,
     .links = soak_links_rough},
    {.name = "tc",
     .text = "what a server sends is lost, late, doubled or throttled by the kernel",
     .network = SOAK_PACKETS,
     .weight = 3,
     .ms_min = 200,
     .ms_max = 6000,
     .begin = soak_begin_shape,
     .end = soak_end_shape},
    {.name = "client-kill",
     .text = "a client ends without a word",
     .weight = 2,
     .ms_min = 1,
     .ms_max = 10,
     .begin = soak_begin_client_kill},
    {.name = "client-close",
     .text = "a client closes its session",
     .weight = 1,
     .ms_min = 1,
     .ms_max = 10,
     .begin = soak_begin_client_close},
    {.name = "client-stop",
     .text = "a client does not run, as if by SIGSTOP",
     .weight = 2,
     .ms_min = 100,
     .ms_max = 9000,
     .begin = soak_begin_client_stop,
     .end = soak_end_client_stop,
     .may = soak_may_stop_client},
    {.name = "client-cut",
     .text = "a server's clients lose their connections in the middle of a frame",
     .network = SOAK_CONNECTIONS,
     .weight = 3,
     .ms_min = 1,
     .ms_max = 10,
     .begin = soak_begin_client_cut},
    {.name = "client-stall",
     .text = "a server and its clients do not reach each other, one way or both",
     .weight = 2,
     .ms_min = 200,
     .ms_max = 4000,
     .links = soak_links_client_stall},
    {.name = "client-half-open",
     .text = "connections of clients lose what one end sends",
     .network = SOAK_CONNECTIONS,
     .weight = 2,
     .ms_min = 200,
     .ms_max = 4000,
     .links = soak_links_client_half_open},
    {.name = "client-slow",
     .text = "a server's clients are far away",
     .network = SOAK_CONNECTIONS,
     .weight = 1,
     .ms_min = 200,
     .ms_max = 4000,
     .links = soak_links_client_slow},
};

const size_t soak_kinds_count = sizeof soak_kinds / sizeof soak_kinds[0];

_Static_assert(sizeof soak_kinds / sizeof soak_kinds[0] <= SOAK_KINDS_MAX, "room for all kinds");

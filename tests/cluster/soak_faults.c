/* What goes wrong in a soak, and when: kinds of faults as a table, and the schedule. */

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/cluster/soak.h"

enum { GAP_MS_MAX = 1500, LEADER_QUERY_MS = 100 };

/* ---- Processes ------------------------------------------------------------------------------- */

static void start_again (struct soak *self, struct soak_fault *fault)
{
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

static void end_kill_all (struct soak *self, struct soak_fault *fault)
{
    for (size_t i = 0; i < self->ensemble.count; i++) {
        if ((fault->draw >> i & 1) != 0) {
            ensemble_start (&self->ensemble, i);
            self->held[i] = false;
        }
    }
}

static void begin_stop (struct soak *self, struct soak_fault *fault)
{
    self->held[fault->server] = true;
    ensemble_signal (&self->ensemble, fault->server, SIGSTOP);
}

static void end_stop (struct soak *self, struct soak_fault *fault)
{
    ensemble_signal (&self->ensemble, fault->server, SIGCONT);
    self->held[fault->server] = false;
}

static void begin_terminate (struct soak *self, struct soak_fault *fault)
{
    self->held[fault->server] = true;
    self->frail[fault->server] = true; /* it ends by itself, with status 0 */
    ensemble_signal (&self->ensemble, fault->server, SIGTERM);
}

static void end_terminate (struct soak *self, struct soak_fault *fault)
{
    soak_await_end (self, fault->server, "SIGTERM");
    self->frail[fault->server] = false;
    start_again (self, fault);
}

/* ---- Disks ----------------------------------------------------------------------------------- */

/* The process ends when it meets the failure, and is started again with a sound disk. */
static void begin_failing (struct soak *self, struct soak_fault *fault, enum bad_disk_call call)
{
    struct bad_disk *disk = self->disks[fault->server];
    self->held[fault->server] = true;
    self->frail[fault->server] = true;
    fault->failed = disk->calls[call].failed;
    fault->call = call;
    disk->calls[call].pass = (uint32_t) (fault->draw % 4);
    disk->calls[call].error = 5; /* EIO */
}

static void begin_sync_fails (struct soak *self, struct soak_fault *fault)
{
    begin_failing (self, fault, BAD_DISK_SYNC);
}

static void begin_write_fails (struct soak *self, struct soak_fault *fault)
{
    begin_failing (self, fault, BAD_DISK_WRITE);
}

static void end_failing (struct soak *self, struct soak_fault *fault)
{
    size_t server = fault->server;
    struct bad_disk *disk = self->disks[server];
    bad_disk_heal (disk);
    if (disk->calls[fault->call].failed != fault->failed) {
        soak_await_end (self, server, "a disk that fails");
    }
    if (self->ensemble.servers[server].pid == 0) {
        ensemble_start (&self->ensemble, server);
    }
    self->held[server] = self->frail[server] = false;
}

static void begin_slow (struct soak *self, struct soak_fault *fault)
{
    struct bad_disk *disk = self->disks[fault->server];
    disk->calls[BAD_DISK_SYNC].delay_ms = 20 + (uint32_t) (fault->draw % 500);
}

static void end_slow (struct soak *self, struct soak_fault *fault)
{
    self->disks[fault->server]->calls[BAD_DISK_SYNC].delay_ms = 0;
}

static void begin_power_cut (struct soak *self, struct soak_fault *fault)
{
    struct prng prng;
    begin_kill (self, fault);
    prng_seed (&prng, fault->draw);
    size_t bytes = bad_disk_forget (self->ensemble.servers[fault->server].disk, &prng);
    soak_tell (self, "server %zu: %zu unsynced bytes are lost", fault->server + 1, bytes);
}

/* One at a time: what is damaged is healed from the others. */
static bool may_damage (struct soak *self)
{
    return ensemble_whole (&self->ensemble, LEADER_QUERY_MS);
}

static void begin_damage (struct soak *self, struct soak_fault *fault)
{
    char what[128] = "nothing";
    begin_kill (self, fault);
    (void) ensemble_damage (&self->ensemble, fault->server, fault->draw, what, sizeof what);
    soak_tell (self, "server %zu: damaged: %s", fault->server + 1, what);
}

/* ---- Connections ----------------------------------------------------------------------------- */

static bool touches (const struct soak_fault *fault, size_t from, size_t to)
{
    return to != SOAK_CLIENTS && (from == fault->server || to == fault->server);
}

static void links_partition (const struct soak *self, const struct soak_fault *fault, size_t from,
                             size_t to, struct tcp_proxy_fault *link)
{
    (void) self;
    if (touches (fault, from, to)) {
        link->stall[TCP_PROXY_FORTH] = link->stall[TCP_PROXY_BACK] = true;
    }
}

/* Nothing gets from the server to the other, on whichever connection. */
static void links_one_way (const struct soak *self, const struct soak_fault *fault, size_t from,
                           size_t to, struct tcp_proxy_fault *link)
{
    (void) self;
    if (from == fault->server && to == fault->other) {
        link->stall[TCP_PROXY_FORTH] = true;
    } else if (from == fault->other && to == fault->server) {
        link->stall[TCP_PROXY_BACK] = true;
    }
}

/* The server hears everybody and is heard by nobody; or the other way round. */
static void links_mute (const struct soak *self, const struct soak_fault *fault, size_t from,
                        size_t to, struct tcp_proxy_fault *link)
{
    (void) self;
    size_t mute = fault->draw % 2;
    if (to != SOAK_CLIENTS && from == fault->server) {
        link->stall[mute] = true;
    } else if (to == fault->server) {
        link->stall[!mute] = true;
    }
}

static void links_half_open (const struct soak *self, const struct soak_fault *fault, size_t from,
                             size_t to, struct tcp_proxy_fault *link)
{
    (void) self;
    if (from == fault->server && to == fault->other) {
        link->lose[fault->draw % 2] = true;
    }
}

static void links_delay (const struct soak *self, const struct soak_fault *fault, size_t from,
                         size_t to, struct tcp_proxy_fault *link)
{
    (void) self;
    if (touches (fault, from, to)) {
        link->delay_ms[TCP_PROXY_FORTH] = 5 + (uint32_t) (fault->draw % 300);
        link->delay_ms[TCP_PROXY_BACK] = 5 + (uint32_t) (fault->draw / 300 % 300);
    }
}

static void links_throttle (const struct soak *self, const struct soak_fault *fault, size_t from,
                            size_t to, struct tcp_proxy_fault *link)
{
    (void) self;
    if (touches (fault, from, to)) {
        uint32_t rate = 2000 + (uint32_t) (fault->draw % 50000);
        link->rate[TCP_PROXY_FORTH] = link->rate[TCP_PROXY_BACK] = rate;
    }
}

static void links_refuse (const struct soak *self, const struct soak_fault *fault, size_t from,
                          size_t to, struct tcp_proxy_fault *link)
{
    (void) self;
    link->refuse |= touches (fault, from, to);
}

/* In the middle of whatever is on its way. */
static void begin_cut (struct soak *self, struct soak_fault *fault)
{
    const struct ensemble_server *server = &self->ensemble.servers[fault->server];
    uint32_t after = (uint32_t) (fault->draw % 3000);
    tcp_proxy_cut (self->proxy, server->peer_links[fault->other], after);
    if (fault->draw / 3000 % 2 == 0) {
        tcp_proxy_cut (self->proxy, self->ensemble.servers[fault->other].peer_links[fault->server],
                       after / 2);
    }
}

/* ---- Clients --------------------------------------------------------------------------------- */

static void links_client_stall (const struct soak *self, const struct soak_fault *fault,
                                size_t from, size_t to, struct tcp_proxy_fault *link)
{
    (void) self;
    if (to == SOAK_CLIENTS && from == fault->server) {
        uint64_t ways = fault->draw % 3;
        link->stall[TCP_PROXY_FORTH] = ways != 0;
        link->stall[TCP_PROXY_BACK] = ways != 1;
    }
}

static void links_client_half_open (const struct soak *self, const struct soak_fault *fault,
                                    size_t from, size_t to, struct tcp_proxy_fault *link)
{
    (void) self;
    if (to == SOAK_CLIENTS && from == fault->server) {
        link->lose[fault->draw % 2] = true;
    }
}

static void links_client_slow (const struct soak *self, const struct soak_fault *fault, size_t from,
                               size_t to, struct tcp_proxy_fault *link)
{
    (void) self;
    if (to == SOAK_CLIENTS && from == fault->server) {
        link->delay_ms[TCP_PROXY_FORTH] = (uint32_t) (fault->draw % 200);
        link->rate[TCP_PROXY_BACK] = 1000 + (uint32_t) (fault->draw % 20000);
    }
}

static void begin_client_cut (struct soak *self, struct soak_fault *fault)
{
    tcp_proxy_cut (self->proxy, self->ensemble.servers[fault->server].client_link,
                   (uint32_t) (fault->draw % 2000));
}

static void begin_client_kill (struct soak *self, struct soak_fault *fault)
{
    soak_replace_client (self, fault->draw % self->options.clients, false);
}

static void begin_client_close (struct soak *self, struct soak_fault *fault)
{
    soak_replace_client (self, fault->draw % self->options.clients, true);
}

/* ---- The table ------------------------------------------------------------------------------- */

const struct soak_kind soak_kinds[] = {
    {.name = "kill",
     .text = "SIGKILL, and started again",
     .process = true,
     .weight = 4,
     .ms_min = 50,
     .ms_max = 3000,
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
     .begin = begin_stop,
     .end = end_stop},
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
    {.name = "slow-disk",
     .text = "fsync takes long",
     .weight = 2,
     .ms_min = 500,
     .ms_max = 4000,
     .begin = begin_slow,
     .end = end_slow},
    {.name = "power-cut",
     .text = "SIGKILL, and half of what was not synced is lost",
     .process = true,
     .weight = 4,
     .ms_min = 50,
     .ms_max = 2000,
     .begin = begin_power_cut,
     .end = start_again},
    {.name = "damage",
     .text = "SIGKILL, and a byte of a file is changed",
     .process = true,
     .weight = 1,
     .ms_min = 50,
     .ms_max = 2000,
     .begin = begin_damage,
     .end = start_again,
     .may = may_damage},
    {.name = "partition",
     .text = "a server and the others do not reach each other",
     .weight = 3,
     .ms_min = 200,
     .ms_max = 4000,
     .links = links_partition},
    {.name = "one-way",
     .text = "nothing gets from one server to another",
     .weight = 3,
     .ms_min = 200,
     .ms_max = 4000,
     .links = links_one_way},
    {.name = "mute",
     .text = "a server only hears, or is only heard",
     .weight = 2,
     .ms_min = 200,
     .ms_max = 4000,
     .links = links_mute},
    {.name = "half-open",
     .text = "a connection between servers loses what one end sends",
     .weight = 2,
     .ms_min = 200,
     .ms_max = 4000,
     .links = links_half_open},
    {.name = "cut",
     .text = "connections between two servers end in the middle of a frame",
     .weight = 5,
     .ms_min = 1,
     .ms_max = 10,
     .begin = begin_cut},
    {.name = "delay",
     .text = "up to 0.3 s to and from a server",
     .weight = 2,
     .ms_min = 200,
     .ms_max = 4000,
     .links = links_delay},
    {.name = "throttle",
     .text = "2 to 52 kB a second to and from a server",
     .weight = 2,
     .ms_min = 200,
     .ms_max = 4000,
     .links = links_throttle},
    {.name = "refuse",
     .text = "connections of a server are reset, new ones too",
     .weight = 2,
     .ms_min = 200,
     .ms_max = 3000,
     .links = links_refuse},
    {.name = "client-kill",
     .text = "a client ends without a word",
     .weight = 2,
     .ms_min = 1,
     .ms_max = 10,
     .begin = begin_client_kill},
    {.name = "client-close",
     .text = "a client closes its session",
     .weight = 1,
     .ms_min = 1,
     .ms_max = 10,
     .begin = begin_client_close},
    {.name = "client-cut",
     .text = "a server's clients lose their connections in the middle of a frame",
     .weight = 3,
     .ms_min = 1,
     .ms_max = 10,
     .begin = begin_client_cut},
    {.name = "client-stall",
     .text = "a server and its clients do not reach each other, one way or both",
     .weight = 2,
     .ms_min = 200,
     .ms_max = 4000,
     .links = links_client_stall},
    {.name = "client-half-open",
     .text = "connections of clients lose what one end sends",
     .weight = 2,
     .ms_min = 200,
     .ms_max = 4000,
     .links = links_client_half_open},
    {.name = "client-slow",
     .text = "a server's clients are far away",
     .weight = 1,
     .ms_min = 200,
     .ms_max = 4000,
     .links = links_client_slow},
};

const size_t soak_kinds_count = sizeof soak_kinds / sizeof soak_kinds[0];

_Static_assert(sizeof soak_kinds / sizeof soak_kinds[0] <= SOAK_KINDS_MAX, "room for all kinds");

/* ---- The schedule ---------------------------------------------------------------------------- */

/* The faults of all links, from the faults under way. */
static void set_links (struct soak *self)
{
    for (size_t from = 0; from < self->ensemble.count; from++) {
        const struct ensemble_server *server = &self->ensemble.servers[from];
        for (size_t i = 0; i <= self->ensemble.count; i++) {
            struct tcp_proxy_fault link = {.refuse = false};
            size_t to = i < self->ensemble.count ? i : SOAK_CLIENTS;
            if (to == from) {
                continue;
            }
            for (size_t f = 0; f < self->faults_count; f++) {
                const struct soak_kind *kind = &soak_kinds[self->faults[f].kind];
                if (kind->links != NULL) {
                    kind->links (self, &self->faults[f], from, to, &link);
                }
            }
            tcp_proxy_set (self->proxy,
                           to == SOAK_CLIENTS ? server->client_link : server->peer_links[to],
                           &link);
        }
    }
}

static size_t draw_kind (struct soak *self)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < soak_kinds_count; i++) {
        sum += self->options.kinds[i] ? soak_kinds[i].weight : 0;
    }
    COHORT_ASSERT (sum > 0);
    uint64_t dice = prng_below (&self->prng, sum);
    size_t kind = 0;
    for (;; kind++) {
        uint64_t weight = self->options.kinds[kind] ? soak_kinds[kind].weight : 0;
        if (dice < weight) {
            return kind;
        }
        dice -= weight;
    }
}

/* As often as not the leader. */
static size_t draw_server (struct soak *self)
{
    bool leader = prng_chance (&self->prng, 1, 2);
    size_t server = prng_below (&self->prng, self->ensemble.count);
    size_t found = leader ? ensemble_leader (&self->ensemble, LEADER_QUERY_MS) : SIZE_MAX;
    return found != SIZE_MAX ? found : server;
}

/* The same draws for the same seed, whatever the servers do meanwhile. */
static void begin_fault (struct soak *self)
{
    struct soak_fault fault = {.kind = draw_kind (self)};
    const struct soak_kind *kind = &soak_kinds[fault.kind];
    fault.server = draw_server (self);
    fault.other = (fault.server + 1 + prng_below (&self->prng, self->ensemble.count - 1)) %
                  self->ensemble.count;
    fault.draw = prng_u64 (&self->prng);
    int64_t ms =
        (int64_t) prng_between (&self->prng, (uint64_t) kind->ms_min, (uint64_t) kind->ms_max);
    if (self->faults_count == SOAK_FAULTS_MAX ||
        (kind->process &&
         (self->held[fault.server] || self->ensemble.servers[fault.server].pid == 0)) ||
        (kind->may != NULL && !kind->may (self))) {
        return;
    }
    soak_tell (self, "%s: server %zu, other %zu, %" PRId64 " ms", kind->name, fault.server + 1,
               fault.other + 1, ms);
    self->happened[fault.kind]++;
    if (kind->begin != NULL) {
        kind->begin (self, &fault);
    }
    fault.until_ms = soak_now_ms (self) + ms;
    self->faults[self->faults_count++] = fault;
    if (kind->links != NULL) {
        set_links (self);
    }
}

static void end_fault (struct soak *self, size_t index)
{
    struct soak_fault fault = self->faults[index];
    const struct soak_kind *kind = &soak_kinds[fault.kind];
    self->faults[index] = self->faults[--self->faults_count];
    soak_tell (self, "%s: server %zu: over", kind->name, fault.server + 1);
    if (kind->end != NULL) {
        kind->end (self, &fault);
    }
    if (kind->links != NULL) {
        set_links (self);
    }
}

void soak_schedule (struct soak *self)
{
    for (size_t i = self->faults_count; i-- > 0;) {
        if (i < self->faults_count && self->faults[i].until_ms <= soak_now_ms (self)) {
            end_fault (self, i);
        }
    }
    if (self->next_fault_ms <= soak_now_ms (self)) {
        begin_fault (self);
        self->next_fault_ms =
            soak_now_ms (self) + 10 + (int64_t) prng_below (&self->prng, GAP_MS_MAX);
    }
}

void soak_heal (struct soak *self)
{
    while (self->faults_count > 0) {
        end_fault (self, self->faults_count - 1);
    }
}

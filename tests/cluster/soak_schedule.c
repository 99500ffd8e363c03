/* When something goes wrong in a soak, and what that means for each connection. */

#include <inttypes.h>

#include "client/base/assert.h"
#include "tests/cluster/soak.h"

enum { GAP_MS_MAX = 1500, LEADER_QUERY_MS = 100 };

/* ---- Networks -------------------------------------------------------------------------------- */

/* What is wrong from one to the other, by the faults under way. */
static struct soak_link link_between (const struct soak *self, size_t from, size_t to)
{
    struct soak_link link = {.lose = 0};
    for (size_t i = 0; i < self->faults_count; i++) {
        const struct soak_kind *kind = &soak_kinds[self->faults[i].kind];
        if (kind->links != NULL) {
            kind->links (self, &self->faults[i], from, to, &link);
        }
    }
    return link;
}

/* Of packets in one direction, which those of connections made from either end share. */
static void set_packets (struct soak *self, size_t from, size_t to, const struct soak_link *forth,
                         size_t forth_way, const struct soak_link *back)
{
    struct packet_rule rule = {
        .cut = forth->tcp.stall[forth_way] || (back != NULL && back->tcp.stall[!forth_way]),
        .lose = forth->lose,
        .duplicate = forth->duplicate,
        .delay_ms = forth->tcp.delay_ms[forth_way],
        .jitter_ms = forth->jitter_ms,
    };
    packet_net_set (self->net, from, to, &rule);
}

static void set_link (struct soak *self, size_t from, size_t to)
{
    const struct ensemble_server *server = &self->ensemble.servers[from];
    struct soak_link link = link_between (self, from, to);
    if (self->proxy != NULL) {
        tcp_proxy_set (self->proxy,
                       to == SOAK_CLIENTS ? server->client_link : server->peer_links[to],
                       &link.tcp);
    } else if (to == SOAK_CLIENTS) {
        set_packets (self, 0, from + 1, &link, TCP_PROXY_FORTH, NULL);
        set_packets (self, from + 1, 0, &link, TCP_PROXY_BACK, NULL);
    } else {
        struct soak_link back = link_between (self, to, from);
        set_packets (self, from + 1, to + 1, &link, TCP_PROXY_FORTH, &back);
    }
}

static void set_links (struct soak *self)
{
    for (size_t from = 0; from < self->ensemble.count; from++) {
        for (size_t to = 0; to < self->ensemble.count; to++) {
            if (to != from) {
                set_link (self, from, to);
            }
        }
        set_link (self, from, SOAK_CLIENTS);
    }
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static uint64_t weight_of (const struct soak *self, size_t kind)
{
    return self->options.kinds[kind] ? soak_kinds[kind].weight : 0;
}

static size_t draw_kind (struct soak *self)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < soak_kinds_count; i++) {
        sum += weight_of (self, i);
    }
    COHORT_ASSERT (sum > 0);
    uint64_t dice = prng_below (&self->prng, sum);
    size_t kind = 0;
    for (;; kind++) {
        uint64_t weight = weight_of (self, kind);
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
    (void) soak_begin (self, &fault, ms);
}

bool soak_begin (struct soak *self, struct soak_fault *fault, int64_t ms)
{
    const struct soak_kind *kind = &soak_kinds[fault->kind];
    if (self->faults_count == SOAK_FAULTS_MAX ||
        (kind->process &&
         (self->held[fault->server] || self->ensemble.servers[fault->server].pid == 0)) ||
        (kind->may != NULL && !kind->may (self, fault))) {
        return false;
    }
    soak_tell (self, "%s: server %zu, other %zu, %" PRId64 " ms", kind->name, fault->server + 1,
               fault->other + 1, ms);
    self->happened[fault->kind]++;
    if (kind->begin != NULL) {
        kind->begin (self, fault);
    }
    fault->until_ms = soak_now_ms (self) + ms;
    self->faults[self->faults_count++] = *fault;
    if (kind->links != NULL) {
        set_links (self);
    }
    return true;
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

void soak_end_due (struct soak *self)
{
    for (size_t i = self->faults_count; i-- > 0;) {
        if (i < self->faults_count && self->faults[i].until_ms <= soak_now_ms (self)) {
            end_fault (self, i);
        }
    }
}

void soak_schedule (struct soak *self)
{
    soak_end_due (self);
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

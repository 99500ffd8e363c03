/* The plan of a run's faults: how often, and when. */

#include <inttypes.h>

#include "client/base/prng.h"
#include "tests/simulation/rogues.h"
#include "tests/simulation/world.h"

enum {
    WRONG_MAX = 1 << 10,
    MILLION = 1000000,
    DAY_MS = 24 * 3600 * 1000,
    CLOCK_PPM = 30000,
    PAUSE_LONG_MS = 500,
    APART_MS_MIN = 300,
    APART_MS_MAX = 2500,
    APART_AFTER_MS = 400,
    LULL_KILL_MS_MIN = 300,
    LULL_KILL_MS_MAX = 1500,
    LULL_ATTACH_MS = 80,
    LULL_SERVER_MS_MIN = 2500, /* when what was late before it is over */
    LULL_SERVER_MS_MAX = 3000
};

/* ---- Rates ----------------------------------------------------------------------------------- */

static const struct {
    uint64_t seldom, often;
} ranges[FAULT_KINDS] = {
#define X(NAME, name, class, seldom, often, text) {seldom, often},
    SIM_FAULTS (X)
#undef X
};

/* From min to max, small ones more often. */
static uint64_t rather_small (struct prng *prng, uint64_t min, uint64_t max)
{
    return min + prng_below (prng, 1 + prng_below (prng, max - min + 1));
}

static uint64_t draw_rate (struct prng *prng, enum fault_kind kind)
{
    uint64_t seldom = ranges[kind].seldom, often = ranges[kind].often;
    /* As often as not a kind does not occur at all: so the others are seen alone. */
    if (prng_chance (prng, 1, 2)) {
        return 0;
    }
    return seldom < often ? rather_small (prng, seldom, often) : rather_small (prng, often, seldom);
}

/* ---- What is planned ------------------------------------------------------------------------- */

static uint32_t one_server (const struct world *self, struct prng *prng)
{
    return (uint32_t) prng_below (prng, self->servers_count);
}

static uint32_t one_client (const struct world *self, struct prng *prng)
{
    return (uint32_t) prng_below (prng, self->options.clients);
}

/* One, or whoever leads then, or several at once. */
static uint32_t some_servers (const struct world *self, struct prng *prng)
{
    uint64_t dice = prng_below (prng, 10);
    if (dice < 6) {
        return UINT32_C (1) << one_server (self, prng);
    }
    if (dice < 8) {
        return SIM_LEADER;
    }
    return 1 + (uint32_t) prng_below (prng, (UINT64_C (1) << self->servers_count) - 1);
}

static uint32_t some_nodes (struct prng *prng)
{
    return (uint32_t) prng_below (prng, UINT64_C (1) << SIM_NODES_MAX);
}

static void plan_link (const struct world *self, struct prng *prng, struct sim_fault *fault)
{
    uint64_t max_ms = fault->kind == FAULT_BREAK ? 300 : 5000;
    fault->length_ms = 1 + (int64_t) rather_small (prng, 0, max_ms);
    if (fault->kind == FAULT_CUT || fault->kind == FAULT_BREAK) {
        fault->a = one_server (self, prng);
        fault->b = (fault->a + 1 + (uint32_t) prng_below (prng, self->servers_count)) %
                   (uint32_t) self->servers_count;
    } else {
        fault->a = some_nodes (prng);
        fault->b = fault->kind == FAULT_BRIDGE ? one_server (self, prng) : 0;
    }
}

static void plan_server (const struct world *self, struct prng *prng, struct sim_fault *fault)
{
    int64_t max_ms = fault->kind == FAULT_PAUSE || fault->kind == FAULT_SLEEP ? 2500 : 4000;
    fault->a = some_servers (self, prng);
    fault->length_ms = 1 + (int64_t) rather_small (prng, 0, (uint64_t) max_ms);
    if (fault->kind == FAULT_PAUSE && prng_chance (prng, 1, 4)) {
        fault->b = 1; /* of that its clients hear before the other servers do */
        fault->length_ms += PAUSE_LONG_MS;
    }
}

static void plan_clock (const struct world *self, struct prng *prng, struct sim_fault *fault)
{
    if (fault->kind == FAULT_CLOCK_STEP) {
        uint64_t ms = rather_small (prng, 1, UINT64_C (1) << (1 + prng_below (prng, 27)));
        fault->a = one_server (self, prng);
        fault->value = prng_chance (prng, 1, 2) ? ms : (uint64_t) - (int64_t) ms;
    } else {
        fault->a = (uint32_t) prng_below (prng, self->servers_count + self->options.clients);
        fault->a +=
            fault->a < self->servers_count ? 0 : (uint32_t) (SIM_SERVERS_MAX - self->servers_count);
        fault->value = prng_below (prng, 2 * CLOCK_PPM + 1) - CLOCK_PPM;
    }
}

/* Only of the weak: the others must know better. */
static void plan_divergence (const struct world *self, struct prng *prng, struct sim_fault *fault)
{
    fault->a = atlas_one_weak (self, prng);
    fault->value = 1 + prng_below (prng, WRONG_MAX);
}

/* So many others as are a quorum with this server; 0: it is no voter. */
static uint32_t draw_mates (const struct world *self, struct prng *prng, uint32_t server)
{
    uint32_t mates = 0, first = one_server (self, prng);
    size_t missing = world_observes (self, server) ? 0 : self->options.servers / 2;
    for (uint32_t i = 0; i < self->servers_count && missing > 0; i++) {
        uint32_t mate = (first + i) % (uint32_t) self->servers_count;
        if (mate != server && !world_observes (self, mate)) {
            mates |= UINT32_C (1) << mate;
            missing--;
        }
    }
    return mates;
}

/* Likewise: the others must have what is lost. A read counts from when it is planned, and there are
 * few but when a server starts. */
static void plan_rot (const struct world *self, struct prng *prng, struct sim_fault *fault)
{
    fault->a = atlas_one_weak (self, prng);
    fault->b = 1 + (uint32_t) prng_below (prng, UINT64_C (1) << prng_below (prng, 6));
    fault->value = prng_u64 (prng);
    fault->length_ms = 1 + (int64_t) rather_small (prng, 0, 3000); /* EMPTIED: until it starts */
    if (fault->kind == FAULT_END_ROT) {
        fault->b = prng_chance (prng, 1, 2) ? draw_mates (self, prng, fault->a) : 0;
    }
}

static void plan_memory (const struct world *self, struct prng *prng, struct sim_fault *fault)
{
    fault->a = one_server (self, prng);
    fault->length_ms = 1 + (int64_t) rather_small (prng, 0, 4000);
    fault->value = prng_u64 (prng);
}

static void plan_rogue (struct prng *prng, struct sim_fault *fault)
{
    fault->a = (uint32_t) prng_below (prng, ROGUE_WAYS);
    fault->length_ms = 200 + (int64_t) rather_small (prng, 0, 14000);
    fault->value = prng_u64 (prng);
}

/* Each 2^n-th operation is as likely to be the one. */
static void plan_disk (const struct world *self, struct prng *prng, struct sim_fault *fault)
{
    fault->a = one_server (self, prng);
    uint64_t max_ms = fault->kind == FAULT_FULL_DISK ? 12000 : 4000;
    fault->length_ms = 1 + (int64_t) rather_small (prng, 0, max_ms);
    fault->value = prng_u64 (prng);
    fault->b = 1 + (uint32_t) prng_below (prng, UINT64_C (1) << prng_below (prng, 8));
}

static void plan_client (const struct world *self, struct prng *prng, struct sim_fault *fault)
{
    fault->a = one_client (self, prng);
    fault->length_ms = 1 + (int64_t) rather_small (prng, 0, 6000);
    if (fault->kind == FAULT_SESSION_KILL || fault->kind == FAULT_SESSION_TAKE) {
        fault->b = one_client (self, prng);
        fault->value = prng_below (prng, fault->kind == FAULT_SESSION_KILL ? 4 : 10);
    }
    if (fault->kind == FAULT_SESSION_TAKE && prng_chance (prng, 1, 2)) {
        fault->b = fault->a;
    }
    if (fault->kind == FAULT_CLIENT_PAUSE) {
        fault->value = prng_chance (prng, 1, 3);
    }
}

static void plan_details (const struct world *self, struct prng *prng, struct sim_fault *fault)
{
    switch (fault->kind) {
    case FAULT_PARTITION:
    case FAULT_ONE_WAY:
    case FAULT_BRIDGE:
    case FAULT_CUT:
    case FAULT_BREAK:
        plan_link (self, prng, fault);
        break;
    case FAULT_KILL:
    case FAULT_LEAVE:
    case FAULT_POWER_CUT:
    case FAULT_PAUSE:
    case FAULT_SLEEP:
        plan_server (self, prng, fault);
        break;
    case FAULT_CLOCK_STEP:
    case FAULT_CLOCK_RATE:
        plan_clock (self, prng, fault);
        break;
    case FAULT_DIVERGENCE:
        plan_divergence (self, prng, fault);
        break;
    case FAULT_ROT:
    case FAULT_BAD_SECTOR:
    case FAULT_END_ROT:
    case FAULT_LOST_WRITE:
    case FAULT_WRONG_READ:
    case FAULT_STALE_READ:
    case FAULT_EMPTIED:
    case FAULT_OLD_MANIFEST:
        plan_rot (self, prng, fault);
        break;
    case FAULT_CLIENT_KILL:
    case FAULT_CLIENT_CLOSE:
    case FAULT_CLIENT_MOVE:
    case FAULT_CLIENT_PAUSE:
    case FAULT_SESSION_KILL:
    case FAULT_SESSION_TAKE:
        plan_client (self, prng, fault);
        break;
    case FAULT_MEMORY_ROT:
        plan_memory (self, prng, fault);
        break;
    case FAULT_ROGUE:
        plan_rogue (prng, fault);
        break;
    default:
        plan_disk (self, prng, fault);
        break;
    }
}

/* What begins before a lull, or in the very moment, is over when that has begun. */
static int64_t bounded_ms (const struct sim_lull *lull, const struct sim_fault *fault)
{
    int64_t left_ms = lull->from_ms - fault->at_ms;
    bool shorter = left_ms >= 0 && fault->length_ms >= left_ms;
    return !shorter ? fault->length_ms : left_ms > 1 ? left_ms - 1 : 1;
}

/* Until the end of its log rots, and perhaps for a while before, only this server and its mates
 * have what comes: then all of those who know of it are struck at once. */
static void plan_apart (struct world *self, struct prng *prng, const struct sim_fault *fault)
{
    bool before = prng_chance (prng, 1, 3);
    int64_t length_ms = before ? (int64_t) prng_between (prng, APART_MS_MIN, APART_MS_MAX) : 0;
    struct sim_fault apart = {.kind = FAULT_PARTITION,
                              .at_ms = fault->at_ms - length_ms,
                              .nth = FAULT_OF_ROT + fault->nth,
                              .length_ms = length_ms + APART_AFTER_MS};
    uint32_t together = fault->b | UINT32_C (1) << fault->a;
    for (size_t i = 0; i < self->servers_count; i++) {
        apart.a |= ((together >> i) & 1) == 0 ? UINT32_C (1) << i : 0;
    }
    if (apart.at_ms > self->schedule.now_ms) {
        apart.length_ms = bounded_ms (&self->lull_due, &apart);
        fault_list_add (&self->plan.planned, &apart);
    }
}

static void plan_kind (struct world *self, enum fault_kind kind, struct prng *prng)
{
    uint64_t mean_ms = self->plan.rates[kind];
    int64_t at_ms = self->schedule.now_ms;
    struct sim_fault fault = {.kind = kind};

    for (; mean_ms > 0; fault.nth++) {
        at_ms += 1 + (int64_t) prng_below (prng, 2 * mean_ms);
        if (at_ms >= self->schedule.now_ms + self->options.safety_ms) {
            break;
        }
        fault.at_ms = at_ms;
        plan_details (self, prng, &fault);
        if (kind != FAULT_ROGUE) { /* which is nobody's trouble */
            fault.length_ms = bounded_ms (&self->lull_due, &fault);
        }
        fault_list_add (&self->plan.planned, &fault);
        if (kind == FAULT_END_ROT && fault.b != 0) {
            plan_apart (self, prng, &fault);
        }
        if (kind == FAULT_FULL_DISK && prng_chance (prng, 1, 3)) {
            fault.nth++;
            fault.a = (fault.a + 1) % (uint32_t) self->servers_count; /* of the same room */
            fault_list_add (&self->plan.planned, &fault);
        }
    }
}

/* In some lulls whoever leads is killed, or told to end, or some server is stopped as by SIGSTOP,
 * and comes back behind it: the others have to have another leader, and its clients another server,
 * in time. */
static void plan_lull_server (struct world *self, const struct sim_lull *lull)
{
    struct prng prng;
    prng_seed (&prng, world_draw (self, SIM_DRAW_LULL, 2, 0, 0));
    static const enum fault_kind kinds[] = {FAULT_LEAVE, FAULT_KILL, FAULT_PAUSE};
    enum fault_kind kind = kinds[prng_below (&prng, 3)];
    uint32_t server = UINT32_C (1) << one_server (self, &prng);
    struct sim_fault fault = {
        .kind = kind,
        .at_ms =
            lull->from_ms + (int64_t) prng_between (&prng, LULL_SERVER_MS_MIN, LULL_SERVER_MS_MAX),
        .a = kind == FAULT_PAUSE ? server : SIM_LEADER,
        .nth = FAULT_OF_LULL,
    };
    bool enough = self->options.servers > 2; /* without one of them */
    if (enough && self->options.rates[kind] == SIM_RATE_DRAWN && prng_chance (&prng, 1, 2)) {
        fault.length_ms = lull->until_ms - lull->from_ms;
        fault_list_add (&self->plan.planned, &fault);
    }
}

/* One loses its connections, and dies while it is attached elsewhere: that its new connection has
 * ended is known before it was anybody's. */
static void plan_lull_attach (struct world *self, const struct sim_lull *lull, struct prng *prng)
{
    struct sim_fault fault = {
        .kind = FAULT_CLIENT_MOVE,
        .at_ms = lull->from_ms + (int64_t) prng_between (prng, LULL_KILL_MS_MIN, LULL_KILL_MS_MAX),
        .a = one_client (self, prng),
        .nth = FAULT_OF_LULL};
    if (self->options.rates[FAULT_CLIENT_MOVE] != SIM_RATE_DRAWN) {
        return;
    }
    fault_list_add (&self->plan.planned, &fault);
    fault.kind = FAULT_CLIENT_KILL;
    fault.at_ms += 1 + (int64_t) prng_below (prng, LULL_ATTACH_MS);
    fault.nth = FAULT_OF_LULL + 2;
    fault.length_ms = lull->until_ms - lull->from_ms;
    fault_list_add (&self->plan.planned, &fault);
}

/* In a lull one client dies, and one vanishes: their sessions have to end in time. */
static void plan_lull_clients (struct world *self, const struct sim_lull *lull)
{
    struct prng prng;
    if (self->options.rates[FAULT_CLIENT_KILL] != SIM_RATE_DRAWN) {
        return;
    }
    prng_seed (&prng, world_draw (self, SIM_DRAW_LULL, 1, 0, 0));
    for (uint64_t i = 0; i < 2; i++) {
        struct sim_fault fault = {
            .kind = FAULT_CLIENT_KILL,
            .at_ms =
                lull->from_ms + (int64_t) prng_between (&prng, LULL_KILL_MS_MIN, LULL_KILL_MS_MAX),
            .a = one_client (self, &prng),
            .nth = FAULT_OF_LULL + i,
            .length_ms = lull->until_ms - lull->from_ms,
            .value = i};
        fault_list_add (&self->plan.planned, &fault);
    }
    plan_lull_attach (self, lull, &prng);
}

static void plan_lull (struct world *self)
{
    if (self->lull_due.from_ms < self->lull_due.until_ms) {
        plan_lull_clients (self, &self->lull_due);
        plan_lull_server (self, &self->lull_due);
    }
}

static void take_replay (struct fault_plan *plan, const struct fault_list *replay)
{
    for (size_t i = 0; i < replay->count; i++) {
        const struct sim_fault *fault = &replay->items[i];
        fault_list_add (fault_is_planned (fault->kind) ? &plan->planned : &plan->chances, fault);
    }
    fault_list_sort_by_key (&plan->chances);
    plan->replayed = true;
}

void plan_make (struct world *self)
{
    struct fault_plan *plan = &self->plan;
    plan->over = true; /* until faults_begin */
    if (self->options.replay != NULL) {
        take_replay (plan, self->options.replay);
    } else {
        for (int i = 0; i < FAULT_KINDS; i++) {
            enum fault_kind kind = (enum fault_kind) i;
            struct prng prng;
            prng_seed (&prng, world_draw (self, SIM_DRAW_PLAN + (int) kind, 0, 0, 0));
            uint64_t drawn = draw_rate (&prng, kind), told = self->options.rates[kind];
            plan->rates[kind] = told != SIM_RATE_DRAWN ? told : drawn;
            if (atlas_concerns (kind) && self->weak == 0) {
                plan->rates[kind] = 0; /* nobody could tell who is wrong, or heal him */
            }
            if (fault_is_planned (kind)) {
                plan_kind (self, kind, &prng);
            }
        }
        plan_lull (self);
    }
    fault_list_sort_by_time (&plan->planned);
}

void plan_deinit (struct fault_plan *self)
{
    fault_list_deinit (&self->planned);
    fault_list_deinit (&self->chances);
    fault_list_deinit (&self->happened);
}

void plan_print (struct world *self)
{
    const struct fault_plan *plan = &self->plan;
    atlas_print (self);
    if (plan->replayed) {
        world_tell (self, "plan: %zu planned faults and %zu others, as recorded",
                    plan->planned.count, plan->chances.count);
        return;
    }
    for (int i = 0; i < FAULT_KINDS; i++) {
        enum fault_kind kind = (enum fault_kind) i;
        uint64_t rate = plan->rates[kind];
        if (rate > 0 && fault_is_planned (kind)) {
            world_tell (self, "plan: %s about every %" PRIu64 " ms: %s", fault_name (kind), rate,
                        fault_text (kind));
        } else if (rate > 0) {
            world_tell (self, "plan: %s %" PRIu64 " in a million: %s", fault_name (kind), rate,
                        fault_text (kind));
        }
    }
}

/* ---- What happens ---------------------------------------------------------------------------- */

/* Of these it is told when they have been set; whether they come to strike is seen later. */
static bool strikes_later (enum fault_kind kind)
{
    return kind == FAULT_CRASH_POINT || kind == FAULT_WRITE_ERROR || kind == FAULT_READ_ERROR ||
           kind == FAULT_ROT || kind == FAULT_BAD_SECTOR || kind == FAULT_END_ROT ||
           kind == FAULT_WRONG_READ || kind == FAULT_STALE_READ || kind == FAULT_OLD_MANIFEST;
}

void plan_struck (struct world *self, enum fault_kind kind)
{
    self->plan.counts[kind]++;
}

void plan_happened (struct world *self, const struct sim_fault *fault)
{
    if (!strikes_later (fault->kind)) {
        plan_struck (self, fault->kind);
    }
    self->calm_ms = self->schedule.now_ms;
    fault_list_add (&self->plan.happened, fault);
    if (self->options.on_fault != NULL) {
        self->options.on_fault (self->options.on_fault_arg, fault);
    }
}

bool plan_strikes (struct world *self, enum fault_kind kind, uint32_t a, uint32_t b, uint64_t nth,
                   uint64_t *value)
{
    const struct fault_plan *plan = &self->plan;
    struct sim_fault fault = {
        .kind = kind, .at_ms = self->schedule.now_ms, .a = a, .b = b, .nth = nth};

    if (plan->over || self->lull) {
        return false;
    }
    if (plan->replayed) {
        const struct sim_fault *found = fault_list_find (&plan->chances, &fault);
        if (found == NULL) {
            return false;
        }
        fault.value = found->value;
    } else {
        if (plan->rates[kind] == 0) {
            return false;
        }
        uint64_t dice = world_draw (self, SIM_DRAW_CHANCE + (int) kind, a, b, nth);
        if (dice % MILLION >= plan->rates[kind]) {
            return false;
        }
        fault.value = dice / MILLION;
    }
    plan_happened (self, &fault);
    world_tell_detail (self, "%s: %s, at %" PRIu32 ", %" PRIu32 ", number %" PRIu64,
                       fault_name (kind), fault_text (kind), a, b, nth);
    *value = fault.value;
    return true;
}

/* Programs in chaos, and their judges: see chaos.h. */

#include "tests/unit/recipes/chaos.h"

#include <poll.h>
#include <time.h>

enum { JUDGES_MAX = 32 };

static const struct chaos *chaos;
static cohort_t *tester; /* of the test itself: its session outlives whatever happens */
static atomic_bool over;
static struct program programs[CHAOS_PROGRAMS_MAX];
static size_t programs_count;
static struct judge *judges[JUDGES_MAX];
static size_t judges_count;

int64_t chaos_now_us (void)
{
    struct timespec now;
    (void) clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void chaos_require (bool condition, const char *what, const char *why)
{
    if (!condition) {
        fprintf (stderr, "seed %llu: %s: %s\n", (unsigned long long) chaos->seed, what, why);
        abort ();
    }
}

void chaos_require_soon (int64_t from_us, const char *what, const char *why)
{
    chaos_require (chaos_now_us () - from_us < (int64_t) CHAOS_LIMIT_MS * 1000, what, why);
}

bool chaos_is_over (void)
{
    return atomic_load (&over);
}

uint64_t chaos_seed (void)
{
    return chaos->seed;
}

void chaos_keep (cohort_t *client)
{
    if (cohort_state (client) == COHORT_LOST) {
        int rc = cohort_renew (client);
        (void) rc; /* somebody was quicker */
    }
}

/* ---- Judges ---------------------------------------------------------------------------------- */

void chaos_granted (struct judge *self, const struct program *program, uint64_t token)
{
    bool grows, taken = false;
    (void) pthread_mutex_lock (&self->lock);
    grows = token > self->granted[program->number];
    for (size_t i = 0; i < programs_count; i++) {
        taken = taken || (i != program->number && self->granted[i] == token);
    }
    self->granted[program->number] = token;
    self->grants++;
    (void) pthread_mutex_unlock (&self->lock);
    chaos_require (grows, self->what, "a token that does not grow");
    chaos_require (!taken, self->what, "a token that another has had");
}

/* Programs may be stopped between their question and this, so that an earlier tenure can be
 * reported later: only what lies behind this one is compared. */
static void judge (const struct judge *self, size_t number)
{
    const struct tenure *own = &self->tenures[number];
    int holders = 1;
    for (size_t i = 0; i < programs_count; i++) {
        const struct tenure *other = &self->tenures[i];
        if (i == number || other->until_us == 0 || other->from_us > own->from_us) {
            continue;
        }
        holders += other->until_us > own->from_us;
        chaos_require (self->permits > 1 || other->token < own->token, self->what,
                       "a smaller token than another's before");
    }
    chaos_require (holders <= self->permits, self->what, "too many hold it");
}

void chaos_holds (struct judge *self, const struct program *program, uint64_t token,
                  int64_t asked_us, int valid_ms)
{
    size_t number = program->number;
    (void) pthread_mutex_lock (&self->lock);
    if (self->ended[number] != cohort_session_id (program->client)) {
        struct tenure *own = &self->tenures[number];
        *own = (struct tenure){asked_us, asked_us + (int64_t) valid_ms * 1000, token};
        self->checks++;
        judge (self, number);
    }
    (void) pthread_mutex_unlock (&self->lock);
}

void chaos_lets_go (struct judge *self, const struct program *program)
{
    int64_t now_us = chaos_now_us ();
    (void) pthread_mutex_lock (&self->lock);
    struct tenure *own = &self->tenures[program->number];
    if (own->until_us > now_us) {
        own->until_us = now_us;
    }
    (void) pthread_mutex_unlock (&self->lock);
}

void chaos_expires (size_t number)
{
    for (size_t i = 0; i < judges_count; i++) {
        (void) pthread_mutex_lock (&judges[i]->lock);
        judges[i]->ended[number] = cohort_session_id (programs[number].client);
        judges[i]->tenures[number] = (struct tenure){0};
        (void) pthread_mutex_unlock (&judges[i]->lock);
    }
}

static size_t grants_of (struct judge *self)
{
    (void) pthread_mutex_lock (&self->lock);
    size_t grants = self->grants;
    (void) pthread_mutex_unlock (&self->lock);
    return grants;
}

void chaos_await_grants (void)
{
    size_t before[JUDGES_MAX];
    int64_t from_us = chaos_now_us ();
    for (size_t i = 0; i < judges_count; i++) {
        before[i] = grants_of (judges[i]);
    }
    for (size_t i = 0; i < judges_count; i++) {
        while (grants_of (judges[i]) == before[i]) {
            chaos_require_soon (from_us, judges[i]->what, "nobody gets it any more");
            chaos_pause_ms (1);
        }
    }
}

/* ---- Faults ---------------------------------------------------------------------------------- */

size_t chaos_programs (void)
{
    return programs_count;
}

cohort_t *chaos_client (size_t number)
{
    return programs[number].client;
}

void chaos_pause_ms (uint64_t ms)
{
    (void) poll (NULL, 0, (int) ms);
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void *run (void *arg)
{
    struct program *self = arg;
    self->run (self);
    /* What its recipe has asked for is answered before the client goes. */
    chaos_keep (self->client);
    cohort_set_time_limit (self->client, CHAOS_LIMIT_MS);
    int rc = cohort_sync (self->client);
    (void) rc;
    while (cohort_dispatch (self->client, 64) > 0) {
    }
    atomic_store (&self->ended, true);
    return NULL;
}

static void add (void (*run_program) (struct program *))
{
    cohort_options_t options = {.size = sizeof options, .timeout_ms = CHAOS_TIMEOUT_MS};
    assert_true (programs_count < CHAOS_PROGRAMS_MAX);
    struct program *self = &programs[programs_count];
    *self = (struct program){.number = programs_count++, .run = run_program};
    self->client = cohort_new (chaos->servers, &options);
    assert_non_null (self->client);
}

/* It is connected, and sees what was prepared. On a busy machine sessions end at any time. */
static void await (cohort_t *client)
{
    int64_t from_us = chaos_now_us ();
    while (cohort_sync (client) != 0) {
        chaos_require_soon (from_us, "a client", "it does not connect");
        chaos_keep (client);
    }
}

static void add_set (const struct chaos_set *set)
{
    for (const struct role *role = set->roles; role->count > 0; role++) {
        for (size_t i = 0; i < role->count; i++) {
            add (role->run);
        }
    }
    for (size_t i = 0; set->judges[i] != NULL; i++) {
        assert_true (judges_count < JUDGES_MAX);
        judges[judges_count++] = set->judges[i];
    }
}

static void begin (const struct chaos_set *const *sets)
{
    atomic_store (&over, false);
    programs_count = judges_count = 0;
    cohort_options_t options = {.size = sizeof options, .timeout_ms = CHAOS_LIMIT_MS};
    tester = cohort_new (chaos->servers, &options);
    assert_non_null (tester);
    cohort_set_time_limit (tester, CHAOS_LIMIT_MS);
    assert_int_equal (
        cohort_create (tester, "/chaos", NULL, 0, COHORT_PERSISTENT, NULL, NULL, NULL), 0);
    for (size_t i = 0; sets[i] != NULL; i++) {
        add_set (sets[i]);
        if (sets[i]->prepare != NULL) {
            sets[i]->prepare (tester);
        }
    }
    for (size_t i = 0; i < programs_count; i++) {
        await (programs[i].client);
    }
    for (size_t i = 0; i < programs_count; i++) {
        assert_int_equal (pthread_create (&programs[i].thread, NULL, run, &programs[i]), 0);
    }
}

static void conclude (const struct chaos_set *const *sets)
{
    for (size_t i = 0; sets[i] != NULL; i++) {
        if (sets[i]->conclude != NULL) {
            sets[i]->conclude (tester);
        }
    }
    for (size_t i = 0; i < judges_count; i++) {
        print_message ("  %s: %zu grants, held %zu times when asked\n", judges[i]->what,
                       judges[i]->grants, judges[i]->checks);
        assert_true (judges[i]->grants > 0 && judges[i]->checks > 0);
    }
}

void chaos_run (const struct chaos *self, const struct chaos_set *const *sets)
{
    struct prng prng;
    size_t faults = 0;
    chaos = self;
    begin (sets);
    prng_seed (&prng, self->seed);
    int64_t end_us = chaos_now_us () + (int64_t) self->seconds * 1000000;
    for (; chaos_now_us () < end_us || faults < self->faults_min; faults++) {
        self->fault (&prng);
    }
    for (size_t i = 0; i < programs_count; i++) {
        assert_int_equal (cohort_fault_drop_replies (programs[i].client, 0), 0);
    }
    atomic_store (&over, true);
    for (size_t i = 0; i < programs_count; i++) {
        assert_int_equal (pthread_join (programs[i].thread, NULL), 0);
    }
    conclude (sets);
    print_message ("  seed %llu: %zu faults\n", (unsigned long long) self->seed, faults);
    for (size_t i = 0; i < programs_count; i++) {
        cohort_destroy (&programs[i].client);
    }
    cohort_destroy (&tester);
}

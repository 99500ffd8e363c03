/* Barriers under random operations and faults, from a seed: who enters was named in a transaction
 * that saw all parties, and nobody has left before all of them leave. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/prng.h"
#include "cohort/barrier.h"
#include "tests/unit/recipes/fake.h"
#include "tests/unit/recipes/fake_tree.h"
#include "tests/unit/unit.h"

#define MANY       6
#define COUNT      3 /* parties of a round, of MANY who come */
#define OPERATIONS 1500
#define CREWS_MAX  4096

/* A transaction that has said that all are there, and whose sessions they were. */
struct crew {
    uint64_t czxid;
    uint64_t sessions[COUNT];
};

struct wanderer {
    uint64_t since; /* zxid when it began to enter */
    const struct crew *crew;
    bool inside;
};

static cohort_t *clients[MANY];
static cohort_barrier_t *barriers[MANY];
static struct prng prng;
static struct crew crews[CREWS_MAX];
static size_t crews_count;
static struct wanderer wanderers[MANY];
static unsigned rounds;

/* After each request that is carried out: those that `ready` names were all there. */
static void note_crew (void)
{
    const cohort_stat_t *ready = fake_stat ("/b/7/ready");
    if (ready == NULL || (crews_count > 0 && crews[crews_count - 1].czxid == ready->czxid)) {
        return;
    }
    assert_true (crews_count < CREWS_MAX);
    struct crew *crew = &crews[crews_count++];
    *crew = (struct crew){.czxid = ready->czxid};
    const char *data = fake_data ("/b/7/ready");
    size_t count = 0;
    for (size_t i = 0; i < fake_tree.nodes_count; i++) {
        const struct fake_node *node = &fake_tree.nodes[i];
        char name[20];
        snprintf (name, sizeof (name), "%016llx\n", (unsigned long long) node->stat.czxid);
        if (strncmp (node->path, "/b/7/m-", 7) == 0 && strstr (data, name) != NULL) {
            assert_true (count < COUNT);
            crew->sessions[count++] = node->stat.ephemeral_owner;
        }
    }
    assert_int_equal (count, COUNT);
}

static void settle (cohort_t *client)
{
    do {
        while (fake_flush_one (client)) {
            note_crew ();
        }
    } while (cohort_dispatch (client, 0) > 0);
}

static bool is_in (const struct crew *crew, uint64_t session)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (crew->sessions[i] == session) {
            return true;
        }
    }
    return false;
}

static void has_entered (struct wanderer *self, uint64_t session)
{
    self->crew = NULL;
    note_crew ();
    for (size_t i = 0; i < crews_count; i++) {
        if (crews[i].czxid > self->since && is_in (&crews[i], session)) {
            self->crew = &crews[i];
        }
    }
    assert_non_null (self->crew); /* nobody enters whom nobody has named */
    self->inside = true;
    rounds++;
}

static void has_left (const struct wanderer *self)
{
    for (int i = 0; i < MANY; i++) {
        /* Nobody of the same crew is still inside, unless its session has ended. */
        assert_true (wanderers[i].crew != self->crew || !wanderers[i].inside ||
                     !is_in (self->crew, cohort_session_id (clients[i])) ||
                     cohort_state (clients[i]) == COHORT_LOST);
    }
}

static void on_random_event (cohort_barrier_t *self, const cohort_barrier_event_t *event, void *arg)
{
    fake_in_handler ();
    struct wanderer *wanderer = arg;
    (void) self;
    if (event->kind == COHORT_BARRIER_ENTERED) {
        has_entered (wanderer, cohort_session_id (clients[wanderer - wanderers]));
    } else if (event->kind == COHORT_BARRIER_LEFT) {
        has_left (wanderer);
    } else {
        wanderer->inside = false;
    }
}

static void party_new (int index)
{
    barriers[index] = cohort_barrier_new (clients[index], "/b", COUNT, 7);
    cohort_barrier_set_handler (barriers[index], on_random_event, &wanderers[index]);
    wanderers[index] = (struct wanderer){.since = fake_zxid ()};
}

static void operate (int index)
{
    struct wanderer *wanderer = &wanderers[index];
    uint64_t what = prng_below (&prng, 100), session = cohort_session_id (clients[index]);
    if (what < 45) {
        uint64_t zxid = fake_zxid ();
        if (cohort_barrier_enter (barriers[index]) == 0) {
            *wanderer = (struct wanderer){.since = zxid};
        }
    } else if (what < 75) {
        wanderer->inside = cohort_barrier_leave (barriers[index]) != 0 && wanderer->inside;
    } else if (what < 79) {
        /* What it had asked for takes effect although it never hears of it, or not. */
        while (prng_chance (&prng, 1, 2) && fake_flush_one (clients[index])) {
            note_crew ();
        }
        fake_expire (clients[index], false, false);
        fake_reap (session);
    } else if (what < 84 && cohort_state (clients[index]) == COHORT_CONNECTED) {
        fake_suspend (clients[index]);
    } else if (what < 87) {
        cohort_barrier_destroy (&barriers[index]);
        party_new (index);
    }
}

static void take_turn (cohort_t *client)
{
    if (cohort_state (client) == COHORT_SUSPENDED && prng_chance (&prng, 1, 3)) {
        fake_resume (client, prng_chance (&prng, 1, 2));
    }
    for (uint64_t i = prng_below (&prng, 4); i > 0; i--) {
        (void) fake_flush_one (client);
        note_crew ();
    }
    (void) cohort_dispatch (client, 1 + (int) prng_below (&prng, 3));
}

static void random_run (uint64_t seed)
{
    prng_seed (&prng, seed);
    crews_count = 0;
    for (int i = 0; i < MANY; i++) {
        clients[i] = fake_client ();
        party_new (i);
    }
    for (int i = 0; i < OPERATIONS; i++) {
        operate ((int) prng_below (&prng, MANY));
        take_turn (clients[prng_below (&prng, MANY)]);
    }
    /* In the end all have left, and as many as it takes get through. */
    for (int i = 0; i < MANY; i++) {
        cohort_barrier_destroy (&barriers[i]);
        if (cohort_state (clients[i]) == COHORT_SUSPENDED) {
            fake_resume (clients[i], false);
        }
        settle (clients[i]);
    }
    assert_int_equal (fake_count ("/b/7/m-"), 0);
    for (int i = 0; i < COUNT; i++) {
        party_new (i);
        assert_int_equal (cohort_barrier_enter (barriers[i]), 0);
        settle (clients[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        settle (clients[i]);
        assert_true (wanderers[i].inside);
        cohort_barrier_destroy (&barriers[i]);
        settle (clients[i]);
    }
}

static void random_operations (void **state)
{
    (void) state;
    const char *fixed = getenv ("COHORT_SEED");
    uint64_t from = fixed == NULL ? 1 : strtoull (fixed, NULL, 10);
    for (uint64_t seed = from; seed <= (fixed == NULL ? 30 : from); seed++) {
        fake_reset ();
        rounds = 0;
        print_message ("seed %llu (COHORT_SEED)\n", (unsigned long long) seed);
        random_run (seed);
        print_message ("%u entered\n", rounds);
        assert_true (rounds > 10);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (random_operations),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

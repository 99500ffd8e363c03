/* The session machine: a driver that comes back late, after many inputs. What waits for it stays
 * bounded, and names each link once. */

#include <string.h>

#include "client/base/prng.h"
#include "tests/unit/client/rig.h"

#define THREE     "tcp://a:1,tcp://b:1,tcp://c:1"
#define SEEDS     500
#define BURST_MAX 24

/* A server that loses its quorum and finds it again, all read in one turn. */
static void test_wavering (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, THREE);
    rig.busy = true;
    for (int i = 0; i < 20; i++) {
        rig_hold (&rig, 1, "no quorum");
        rig_hold (&rig, 1, "");
    }
    rig.busy = false;
    rig_drain (&rig);
    rig_expect (&rig, "");
    rig_hold (&rig, 1, "no quorum");
    assert_true (rig.open[rig.last_link] && rig.last_link > 1);
    rig_end (&rig);
}

/* The server itself is dropped, the attempt that has begun meanwhile is not. */
static void test_order (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, "tcp://a:1,tcp://b:1");
    rig.busy = true;
    rig_hold (&rig, 1, "no quorum");
    rig_hold (&rig, 1, "");
    rig_hold (&rig, 1, "no quorum");
    rig_down (&rig, 1);
    rig.busy = false;
    rig_drain (&rig);
    assert_int_equal (rig.last_link, 3);
    assert_string_not_equal (rig.endpoint[3], rig.endpoint[1]);
    assert_true (rig.open[3] && !rig.open[1]);
    rig_end (&rig);
}

/* Something happens to one of the links that the driver has, or time passes. */
static void happen (struct rig *rig, struct prng *prng)
{
    uint32_t link = 0;
    for (uint32_t i = 1, seen = 0; i <= rig->last_link; i++) {
        if (rig->open[i] && prng_below (prng, ++seen) == 0) {
            link = i;
        }
    }
    uint64_t what = link > 0 ? prng_below (prng, 12) : 11;
    switch (what) {
    case 0:
        rig_down (rig, link);
        break;
    case 1:
        rig_refuse (rig, link, COHORT_ESTATE, prng_chance (prng, 1, 2) ? "tcp://d:1" : "");
        break;
    case 2:
    case 3:
        rig_hold (rig, link, "no quorum");
        break;
    case 4:
        rig_hold (rig, link, "");
        break;
    case 5:
        rig_confirm (rig, link, 1 + prng_below (prng, 4));
        break;
    case 6:
        rig_bytes (rig, link, NULL, 0);
        break;
    case 7:
    case 8:
    case 9:
        if (!rig->up[link]) {
            rig_up (rig, link);
        } else {
            /* Now and then for a greeting before: the session attaches once more. */
            uint64_t attach_no = rig->attach[link];
            rig_welcome (rig, link, attach_no - (attach_no > 1 && prng_chance (prng, 1, 4)));
        }
        break;
    default:
        rig_jump (rig, (int64_t) prng_below (prng, prng_chance (prng, 1, 2) ? 10 : 400));
        break;
    }
}

static void run (uint64_t seed)
{
    static struct rig rig;
    struct prng prng;
    prng_seed (&prng, seed);
    rig_begin (&rig, THREE);
    struct session_view view = {.state = COHORT_CONNECTING};
    while (view.state != COHORT_LOST && rig.last_link < RIG_LINKS_MAX - 2 * BURST_MAX) {
        rig.busy = true;
        for (uint64_t left = prng_below (&prng, BURST_MAX); left > 0; left--) {
            happen (&rig, &prng);
        }
        rig.busy = false;
        rig_jump (&rig, 1);
        rig_forget (&rig);
        session_view (rig.session, &view);
    }
    rig_end (&rig);
}

static void test_seeds (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run (seed);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_wavering),
        cmocka_unit_test (test_order),
        cmocka_unit_test (test_seeds),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

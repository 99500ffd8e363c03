/* Links that are up: whether the other end is still there, and hears. */

#include "tests/unit/unit.h"

#include <string.h>

#include "tests/unit/node/link_pair.h"

/* The clock of a machine moved back: its new process has a lower number, and nobody is told that
 * the old one has died. */
static void test_lower_incarnation_unnoticed (void **state)
{
    (void) state;
    struct pair pair;
    bring_up (&pair);
    link_deinit (&pair.b.link);
    end_init (&pair.b, 2, 1, 5, pair.now_ms);
    run (&pair, (LINK_PROBES_MAX + 2) * LINK_DOUBT_MS + LINK_HELLO_MAX_MS);
    assert_string_equal (pair.trace, "a down; a up; b up; ");
    pair_deinit (&pair);
}

/* A HELLO that was long under way raises doubt, which the answers to a few questions end. */
static void test_doubted (void **state)
{
    (void) state;
    struct pair pair;
    pair_init (&pair);
    act (&pair, &pair.b, true);
    struct peer_frame old = pair.b.wire[0];
    lose (&pair.b, 1);
    link_deinit (&pair.b.link);
    end_init (&pair.b, 2, 1, 1000, pair.now_ms);
    run (&pair, 3);
    forget_trace (&pair);
    for (int i = 0; i < 20; i++) {
        receive (&pair, &pair.a, &old);
        run (&pair, 77);
    }
    run (&pair, (LINK_PROBES_MAX + 2) * LINK_PROBE_MS);
    assert_string_equal (pair.trace, "");
    assert_int_equal (pair.a.link.mine, 10);
    pair_deinit (&pair);
}

/* b does not hear a any more, but goes on speaking: it must not be believed for ever. */
static void test_deaf (void **state)
{
    (void) state;
    struct pair pair;
    bring_up (&pair);
    for (int i = 0; i < (LINK_PROBES_MAX + 2) * LINK_PROBE_MS; i++) {
        pair.now_ms++;
        act (&pair, &pair.a, true);
        act (&pair, &pair.b, true);
        if (pair.b.link.up && i % 100 == 0) {
            send_data (&pair.b, 0);
        }
        lose (&pair.a, WIRE_MAX);
        deliver (&pair, &pair.b, WIRE_MAX);
    }
    assert_false (pair.a.link.up);
    assert_non_null (strstr (pair.trace, "a down; "));
    assert_null (strstr (pair.trace, "a up; "));
    /* It hears again. */
    forget_trace (&pair);
    run (&pair, 2 * LINK_GREETING_MAX_MS);
    assert_true (pair.a.link.up && pair.b.link.up);
    pair_deinit (&pair);
}

/* Idle or busy, while each hears the other nothing happens. */
static void test_answers (void **state)
{
    (void) state;
    struct pair pair;
    bring_up (&pair);
    run (&pair, 20000);
    for (int i = 0; i < 5000; i++) {
        send_data (&pair.a, 0);
        send_data (&pair.b, 0);
        deliver (&pair, &pair.a, WIRE_MAX);
        deliver (&pair, &pair.b, WIRE_MAX);
        forget_trace (&pair);
        run (&pair, 1);
        assert_string_equal (pair.trace, "");
    }
    assert_int_equal (pair.a.link.mine, 10);
    assert_int_equal (pair.b.link.mine, 20);
    pair_deinit (&pair);
}

/* One that was stopped for long asks first, before it takes the others for dead. */
static void test_own_stall (void **state)
{
    (void) state;
    struct pair pair;
    bring_up (&pair);
    pair.now_ms += 60000;
    link_time (&pair.b.link, pair.now_ms);
    assert_int_equal (link_deadline (&pair.b.link), pair.now_ms + LINK_PROBE_MS);
    run (&pair, 5000);
    assert_string_equal (pair.trace, "");
    pair_deinit (&pair);
}

/* ---- Two servers with one id ----------------------------------------------------------------- */

/* a's connections lead to b. The twin says that it is b, too, and hears nothing. */
struct trio {
    struct pair pair;
    struct end twin;
};

static uint64_t process (unsigned number)
{
    return (uint64_t) number << LINK_INCARNATION_SHIFT | 0x777;
}

static void restart (struct pair *pair, struct end *end, uint64_t incarnation)
{
    link_deinit (&end->link);
    end_init (end, end->identity.id, end->link.peer, incarnation, pair->now_ms);
}

/* b is the process `b`, its twin `twin`. */
static void trio_init (struct trio *self, unsigned b, unsigned twin)
{
    pair_init (&self->pair);
    restart (&self->pair, &self->pair.a, process (1));
    restart (&self->pair, &self->pair.b, process (b));
    end_init (&self->twin, 2, 1, process (twin), self->pair.now_ms);
    self->twin.identity.store_id = 7777;
    self->twin.told[0] = '\0';
}

static void trio_deinit (struct trio *self)
{
    link_deinit (&self->twin.link);
    pair_deinit (&self->pair);
}

static void run_trio (struct trio *self, int ms)
{
    for (int i = 0; i < ms; i++) {
        run (&self->pair, 1);
        act (&self->pair, &self->twin, true);
        for (size_t k = 0; k < self->twin.wire_count; k++) {
            receive (&self->pair, &self->pair.a, &self->twin.wire[k]);
        }
        self->twin.wire_count = 0;
    }
}

/* It begins later, so it has the higher number. */
static void test_twin (void **state)
{
    (void) state;
    struct trio trio;
    trio_init (&trio, 2, 3);
    run (&trio.pair, 3);
    forget_trace (&trio.pair);
    run_trio (&trio, 100);
    assert_string_equal (trio.pair.trace, "a down; b down; a up; b up; "); /* once */
    forget_trace (&trio.pair);
    run_trio (&trio, 5 * LINK_TWIN_MS);
    assert_string_equal (trio.pair.trace, "");
    assert_false (trio.twin.link.up);
    assert_string_equal (trio.pair.a.told, "peer-twin; ");
    assert_string_equal (trio.pair.b.told, "twin; ");
    assert_string_equal (trio.twin.told, "peer-silent; ");
    /* The one that counts is started anew: it counts again. */
    link_disconnected (&trio.pair.a.link);
    restart (&trio.pair, &trio.pair.b, process (4));
    run_trio (&trio, 300);
    assert_true (trio.pair.a.link.up && trio.pair.b.link.up);
    forget_trace (&trio.pair);
    run_trio (&trio, 5 * LINK_TWIN_MS);
    assert_string_equal (trio.pair.trace, "");
    assert_string_equal (trio.pair.b.told, "twin; twin; ");
    trio_deinit (&trio);
}

/* It was there before, so it has the lower number. */
static void test_twin_came_first (void **state)
{
    (void) state;
    struct trio trio;
    trio_init (&trio, 3, 2);
    run_trio (&trio, 300);
    assert_true (trio.pair.a.link.up && trio.pair.b.link.up);
    forget_trace (&trio.pair);
    run_trio (&trio, 5 * LINK_TWIN_MS);
    assert_string_equal (trio.pair.trace, "");
    assert_string_equal (trio.pair.a.told, "peer-twin; ");
    assert_string_equal (trio.pair.b.told, "twin; ");
    trio_deinit (&trio);
}

/* The one that counted is gone, and the other has its address now. */
static void test_twin_takes_its_place (void **state)
{
    (void) state;
    struct trio trio;
    trio_init (&trio, 2, 3);
    run_trio (&trio, 3 * LINK_TWIN_MS);
    assert_string_equal (trio.pair.b.told, "twin; ");
    link_disconnected (&trio.pair.a.link);
    restart (&trio.pair, &trio.pair.b, process (3));
    run (&trio.pair, 300);
    assert_true (trio.pair.a.link.up && trio.pair.b.link.up);
    forget_trace (&trio.pair);
    run (&trio.pair, 5 * LINK_TWIN_MS);
    assert_string_equal (trio.pair.trace, "");
    assert_string_equal (trio.pair.b.told, "twin; "); /* nothing new */
    trio_deinit (&trio);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_lower_incarnation_unnoticed),
        cmocka_unit_test (test_doubted),
        cmocka_unit_test (test_deaf),
        cmocka_unit_test (test_answers),
        cmocka_unit_test (test_own_stall),
        cmocka_unit_test (test_twin),
        cmocka_unit_test (test_twin_came_first),
        cmocka_unit_test (test_twin_takes_its_place),
    };
    return cmocka_run_group_tests_name ("link-probe", tests, NULL, NULL);
}

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

/* What a's connections find is b, or who is at its address later. The others say that they are b,
 * too: they come later, are at other addresses, and so they hear nothing. In the trace all are b.
 */
struct crowd {
    struct pair pair;
    struct end others[2];
    size_t others_count;
    struct end *address;
    struct end *found; /* by the connection that a has now */
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

static struct end *add_other (struct crowd *self, unsigned number)
{
    struct end *other = &self->others[self->others_count++];
    end_init (other, 2, 1, process (number), self->pair.now_ms);
    other->identity.store_id = 7000 + number;
    other->told[0] = '\0';
    return other;
}

/* b is the process `b`, its twin `twin`. */
static void crowd_init (struct crowd *self, unsigned b, unsigned twin)
{
    pair_init (&self->pair);
    restart (&self->pair, &self->pair.a, process (1));
    restart (&self->pair, &self->pair.b, process (b));
    self->address = self->found = &self->pair.b;
    self->others_count = 0;
    add_other (self, twin);
}

static void crowd_deinit (struct crowd *self)
{
    for (size_t i = 0; i < self->others_count; i++) {
        link_deinit (&self->others[i].link);
    }
    pair_deinit (&self->pair);
}

static void hand_over (struct crowd *self, struct end *from, struct end *to)
{
    for (size_t i = 0; i < from->wire_count; i++) {
        receive (&self->pair, to, &from->wire[i]);
    }
    from->wire_count = 0;
}

static void run_crowd (struct crowd *self, int ms)
{
    struct end *a = &self->pair.a;
    for (int i = 0; i < ms; i++) {
        int64_t attempt_ms = a->link.attempt_ms;
        self->pair.now_ms++;
        act (&self->pair, a, true);
        self->found = a->link.attempt_ms != attempt_ms ? self->address : self->found;
        act (&self->pair, &self->pair.b, true);
        hand_over (self, a, self->found);
        hand_over (self, &self->pair.b, a);
        for (size_t k = 0; k < self->others_count; k++) {
            act (&self->pair, &self->others[k], true);
            hand_over (self, &self->others[k], a);
        }
    }
}

static const char once[] = "a down; b down; a up; b up; ";

/* It begins later, so it has the higher number. */
static void test_twin (void **state)
{
    (void) state;
    struct crowd crowd;
    crowd_init (&crowd, 2, 3);
    run (&crowd.pair, 3);
    forget_trace (&crowd.pair);
    run_crowd (&crowd, 100);
    assert_string_equal (crowd.pair.trace, once);
    forget_trace (&crowd.pair);
    run_crowd (&crowd, 5 * LINK_TWIN_MS);
    assert_string_equal (crowd.pair.trace, "");
    assert_false (crowd.others[0].link.up);
    assert_string_equal (crowd.pair.a.told, "peer-twin; ");
    assert_string_equal (crowd.pair.b.told, "twin; ");
    run_crowd (&crowd, 15000);
    assert_string_equal (crowd.others[0].told, "peer-silent; ");
    /* The one that counts is started anew: it counts again. */
    link_disconnected (&crowd.pair.a.link);
    restart (&crowd.pair, &crowd.pair.b, process (4));
    run_crowd (&crowd, 300);
    assert_true (crowd.pair.a.link.up && crowd.pair.b.link.up);
    forget_trace (&crowd.pair);
    run_crowd (&crowd, 5 * LINK_TWIN_MS);
    assert_string_equal (crowd.pair.trace, "");
    assert_string_equal (crowd.pair.b.told, "twin; twin; ");
    crowd_deinit (&crowd);
}

/* It was there before, so it has the lower number: who is at the address is looked at once. */
static void test_twin_came_first (void **state)
{
    (void) state;
    struct crowd crowd;
    crowd_init (&crowd, 3, 2);
    run_crowd (&crowd, 300);
    assert_true (crowd.pair.a.link.up && crowd.pair.b.link.up);
    forget_trace (&crowd.pair);
    run_crowd (&crowd, 10 * LINK_TWIN_MS);
    assert_string_equal (crowd.pair.trace, once);
    assert_string_equal (crowd.pair.a.told, "peer-twin; ");
    assert_string_equal (crowd.pair.b.told, "twin; ");
    crowd_deinit (&crowd);
}

/* The one that counted is gone, and the other has its address now. */
static void test_twin_takes_its_place (void **state)
{
    (void) state;
    struct crowd crowd;
    crowd_init (&crowd, 2, 3);
    run_crowd (&crowd, 3 * LINK_TWIN_MS);
    assert_string_equal (crowd.pair.b.told, "twin; ");
    link_disconnected (&crowd.pair.a.link);
    restart (&crowd.pair, &crowd.pair.b, process (3));
    run (&crowd.pair, 300);
    assert_true (crowd.pair.a.link.up && crowd.pair.b.link.up);
    forget_trace (&crowd.pair);
    run (&crowd.pair, 5 * LINK_TWIN_MS);
    assert_string_equal (crowd.pair.trace, "");
    assert_string_equal (crowd.pair.b.told, "twin; "); /* nothing new */
    crowd_deinit (&crowd);
}

/* The address leads to another machine now, and on the old one the old process goes on. */
static void check_moved (unsigned before, unsigned after)
{
    struct crowd crowd;
    crowd_init (&crowd, before, after);
    run (&crowd.pair, 10);
    assert_true (crowd.pair.b.link.up);
    crowd.address = &crowd.others[0];
    run_crowd (&crowd, 10 * LINK_TWIN_MS);
    assert_true (crowd.others[0].link.up);
    assert_false (crowd.pair.b.link.up);
    assert_string_equal (crowd.pair.a.told, "peer-twin; ");
    assert_string_equal (crowd.others[0].told, "twin; ");
    assert_string_equal (crowd.pair.b.told, "");
    forget_trace (&crowd.pair);
    run_crowd (&crowd, 10 * LINK_TWIN_MS);
    assert_string_equal (crowd.pair.trace, "");
    crowd_deinit (&crowd);
}

static void test_moved (void **state)
{
    (void) state;
    check_moved (2, 3);
    check_moved (3, 2);
}

static void test_two_twins (void **state)
{
    (void) state;
    struct crowd crowd;
    crowd_init (&crowd, 2, 3);
    add_other (&crowd, 4);
    run (&crowd.pair, 3);
    forget_trace (&crowd.pair);
    run_crowd (&crowd, 20 * LINK_TWIN_MS);
    assert_string_equal (crowd.pair.trace, once);
    assert_string_equal (crowd.pair.a.told, "peer-twin; ");
    assert_string_equal (crowd.pair.b.told, "twin; ");
    crowd_deinit (&crowd);
}

/* It greets now and then: that is no new one, and told no oftener than of one that goes on. */
static void test_twin_stammers (void **state)
{
    (void) state;
    struct crowd crowd;
    crowd_init (&crowd, 2, 3);
    run (&crowd.pair, 3);
    forget_trace (&crowd.pair);
    for (int i = 0; i < LINK_TELL_AGAIN_MS / LINK_TWIN_MS / 2; i++) {
        crowd.others_count = 1;
        run_crowd (&crowd, LINK_TWIN_MS / 2);
        crowd.others_count = 0;
        run_crowd (&crowd, LINK_TWIN_MS * 3 / 2);
        crowd.others_count = 1;
    }
    assert_string_equal (crowd.pair.trace, once);
    assert_string_equal (crowd.pair.a.told, "peer-twin; ");
    assert_string_equal (crowd.pair.b.told, "twin; ");
    crowd_deinit (&crowd);
}

/* It is told again from time to time: someone may have looked away. */
static void test_twin_stays (void **state)
{
    (void) state;
    struct crowd crowd;
    crowd_init (&crowd, 2, 3);
    run_crowd (&crowd, LINK_TELL_AGAIN_MS);
    assert_string_equal (crowd.pair.a.told, "peer-twin; ");
    assert_string_equal (crowd.pair.b.told, "twin; ");
    run_crowd (&crowd, 3 * LINK_TWIN_MS);
    assert_string_equal (crowd.pair.a.told, "peer-twin; peer-twin; ");
    assert_string_equal (crowd.pair.b.told, "twin; twin; ");
    assert_string_equal (crowd.others[0].told, "peer-silent; ");
    crowd_deinit (&crowd);
}

/* ---- Silence --------------------------------------------------------------------------------- */

static void ask_in_vain (struct pair *pair, int times, int ms)
{
    for (int i = 0; i < times; i++) {
        pair->now_ms += ms;
        act (pair, &pair->a, true);
        lose (&pair->a, WIRE_MAX);
    }
}

/* Its socket is there before it has read its log: that takes a while, and is no reason to warn. */
static void test_silent (void **state)
{
    (void) state;
    struct pair pair;
    pair_init (&pair);
    ask_in_vain (&pair, 12000, 1);
    assert_string_equal (pair.a.told, "");
    ask_in_vain (&pair, 12000, 1);
    assert_string_equal (pair.a.told, "peer-silent; ");
    ask_in_vain (&pair, 60000, 1);
    assert_string_equal (pair.a.told, "peer-silent; ");
    pair_deinit (&pair);
}

/* What a says goes to somebody else, by a mistake in its configuration; b's finds it. */
static void test_deaf_from_the_beginning (void **state)
{
    (void) state;
    struct pair pair;
    pair_init (&pair);
    for (int i = 0; i < 90000; i++) {
        pair.now_ms++;
        act (&pair, &pair.a, true);
        act (&pair, &pair.b, true);
        lose (&pair.a, WIRE_MAX);
        deliver (&pair, &pair.b, WIRE_MAX);
        if (i == 12000) {
            assert_string_equal (pair.a.told, "");
        }
    }
    assert_string_equal (pair.a.told, "peer-deaf; ");
    assert_string_equal (pair.b.told, "peer-silent; ");
    pair_deinit (&pair);
}

/* The one that stands still is this one: who is not asked cannot answer. */
static void test_silent_own_stalls (void **state)
{
    (void) state;
    struct pair pair;
    pair_init (&pair);
    ask_in_vain (&pair, 60, 10000);
    assert_string_equal (pair.a.told, "");
    pair_deinit (&pair);
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
        cmocka_unit_test (test_moved),
        cmocka_unit_test (test_two_twins),
        cmocka_unit_test (test_twin_stammers),
        cmocka_unit_test (test_twin_stays),
        cmocka_unit_test (test_silent),
        cmocka_unit_test (test_deaf_from_the_beginning),
        cmocka_unit_test (test_silent_own_stalls),
    };
    return cmocka_run_group_tests_name ("link-probe", tests, NULL, NULL);
}

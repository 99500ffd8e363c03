/* What clients ask for, or are to be told, at once is done in slices, so that no turn is long: the
 * work of a turn is counted, in the units of clients_work, not its time. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/node/clients_world.h"

enum {
    WORK = 500, /* of a turn */
    STEP = 200, /* of the last of its steps */
    CHILDREN = 2000,
    LISTS = 400 /* that one client asks for */
};

/* One turn of the server; its work. */
static uint64_t turn (struct world *world)
{
    (void) clients_flush (world->servers[0].clients);
    return clients_work (world->servers[0].clients);
}

static void make_children (struct peer *peer, const char *parent, unsigned count)
{
    char path[64];
    for (unsigned i = 0; i < count; i++) {
        (void) snprintf (path, sizeof path, "%s/%u", parent, i);
        ask_create (peer, path, "", 0);
        if (i % 500 == 499 || i + 1 == count) {
            peer->ack_to = peer->number;
            peer_do (peer);
            forget_lines (peer);
        }
    }
}

/* Lists that find nothing are small, and may cost as much as any: who asks for many of them waits,
 * and who asks for one thing between them does not. */
static void lists_take_turns (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.turn_work = WORK});
    struct peer *flood = peer_attached (world, 0), *other = peer_attached (world, 0);
    ask_create (flood, "/all", "", 0);
    peer_do (flood);
    make_children (flood, "/all", CHILDREN);
    forget_lines (other);
    for (unsigned i = 0; i < LISTS; i++) {
        ask_list (flood, "/all", "", "")->filter = COHORT__WIRE__CHILD_FILTER__CHILDREN_EPHEMERAL;
    }
    peer_send (flood);
    unsigned turns = 0, answered = 0;
    while (answered < LISTS) {
        uint64_t asked = ask_get (other, "/all", false);
        peer_send (other);
        bool heard = false;
        for (int i = 0; i < 2 && !heard; i++, turns++) {
            assert_true (turn (world) <= WORK + STEP);
            heard = next_line (other) != NULL;
        }
        assert_true (heard); /* it was behind the flood once at most */
        (void) asked;
        while (next_line (flood) != NULL) {
            answered++;
        }
        assert_true (turns < LISTS * 4);
    }
    assert_true (turns >= LISTS * (CHILDREN / 16) / (WORK + STEP));
    assert_false (flood->dropped);
    world_free (&world);
}

/* Reads behind a write wait as well, once nothing is on its way that they must not see. */
static void reads_behind_a_write_take_turns (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.turn_work = WORK});
    struct peer *peer = peer_attached (world, 0);
    ask_create (peer, "/all", "", 0);
    peer_do (peer);
    forget_lines (peer);
    world->held = true;
    (void) ask_set (peer, "/all", "x", -1);
    for (unsigned i = 0; i < 4 * WORK; i++) {
        (void) ask_get (peer, "/all", false);
    }
    peer_send (peer);
    turn (world);
    expect (peer, NULL);
    world_commit (world, 1);
    size_t heard = 0;
    for (unsigned turns = 0; heard < 4 * WORK + 1; turns++) {
        assert_true (turns < 10);
        assert_true (turn (world) <= WORK + STEP);
        while (next_line (peer) != NULL) {
            heard++;
        }
    }
    world_free (&world);
}

/* The watches of a client that is gone are not looked for all at once, and hurt nobody. */
static void watches_go_in_slices (void **state)
{
    (void) state;
    enum { WATCHES = 5000, ASKS = 1000 };
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0), *writer = peer_attached (world, 0);
    char path[32];
    for (int i = 0; i < WATCHES; i++) {
        (void) snprintf (path, sizeof path, "/w%d", i);
        ask_exists (peer, path, true);
        if (i % ASKS == ASKS - 1) {
            peer_do (peer);
            forget_lines (peer);
        }
    }
    peer_disconnect (peer, true);
    forget_lines (writer);
    unsigned turns = 0;
    for (bool more = true; more; turns++) {
        more = clients_flush (world->servers[0].clients);
        /* They hear of what happens, and there is nobody to tell. */
        (void) snprintf (path, sizeof path, "/w%d", (int) (WATCHES - 1 - turns));
        ask_create (writer, path, "", 0);
        peer_send (writer);
        world_commit (world, 1);
    }
    assert_true (turns >= WATCHES / 1024);
    assert_true (turns <= WATCHES / 1024 + 2);
    world_run (world);
    for (unsigned i = 0; i < turns; i++) {
        expect_prefix (writer, "reply ");
    }
    world_free (&world);
}

/* Lists that come before a write of the same session must not see it, and so it waits for them: it
 * is no reason to make them all at once. */
static void lists_before_a_write_take_turns (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.turn_work = WORK});
    struct peer *flood = peer_attached (world, 0);
    ask_create (flood, "/all", "", 0);
    peer_do (flood);
    make_children (flood, "/all", CHILDREN);
    for (unsigned i = 0; i < LISTS; i++) {
        ask_list (flood, "/all", "", "")->filter = COHORT__WIRE__CHILD_FILTER__CHILDREN_EPHEMERAL;
    }
    ask_create (flood, "/all/behind", "", 1);
    peer_send (flood);
    unsigned turns = 0, answered = 0;
    for (; answered < LISTS + 1; turns++) {
        assert_true (turns < LISTS * 4);
        assert_true (turn (world) <= WORK + STEP);
        for (const char *line; (line = next_line (flood)) != NULL; answered++) {
            if (answered < LISTS) {
                assert_null (strstr (line, "behind"));
            } else {
                assert_non_null (strstr (line, "/all/behind"));
            }
        }
        world_commit (world, world->waiting_count);
    }
    assert_true (turns >= LISTS * (CHILDREN / 16) / (2 * WORK + STEP));
    assert_false (flood->dropped);
    world_free (&world);
}

enum { STREAMS = 56, CHANGES = 300 };

static void make_streams (struct world *world, struct peer **peers, const char *path)
{
    for (unsigned i = 0; i < STREAMS; i++) {
        peers[i] = peer_attached (world, 0);
        ask_stream (peers[i], 1, path, 0);
        peer_do (peers[i]);
        forget_lines (peers[i]);
    }
}

/* The last line of a transaction of that many changes, in fragments or not; 0: there was none. */
static unsigned batches_of (struct peer *peer)
{
    unsigned batches = 0;
    for (const char *line; (line = next_line (peer)) != NULL;) {
        assert_memory_equal (line, "batch 1 ", sizeof "batch 1 " - 1);
        batches++;
    }
    return batches;
}

/* One transaction of much that many follow is told to those that can be told in a turn, and to the
 * others in the next ones. */
static void streams_take_turns (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.turn_work = WORK});
    struct peer *writer = peer_attached (world, 0), *peers[STREAMS];
    static char paths[CHANGES][16];
    static const char *list[CHANGES + 1];
    ask_create (writer, "/all", "", 0);
    peer_do (writer);
    make_streams (world, peers, "/all");
    forget_lines (writer);
    for (unsigned i = 0; i < CHANGES; i++) {
        (void) snprintf (paths[i], sizeof paths[i], "/all/%u", i);
        list[i] = paths[i];
    }
    ask_multi (writer, list);
    peer_send (writer);
    turn (world);
    world_commit (world, 1);
    /* What was looked at, by whoever applies. */
    assert_true (world->servers[0].told <= 4 * WORK + 2 * STREAMS);
    unsigned turns = 0, told = 0;
    for (; told < STREAMS; turns++) {
        assert_true (turns < STREAMS);
        assert_true (turn (world) <= WORK + STEP);
        for (unsigned i = 0; i < STREAMS; i++) {
            told += batches_of (peers[i]);
        }
    }
    assert_true (turns >= 4);
    expect_prefix (writer, "reply ");
    /* They are told everything again, and once. */
    ask_set (writer, "/all/7", "x", -1);
    peer_do (writer);
    for (unsigned i = 0; i < STREAMS; i++) {
        assert_int_equal (batches_of (peers[i]), 1);
    }
    world_free (&world);
}

/* Whether one of a client's streams is late or another: what each is told stays in order. */
static void streams_of_one_client_stay_in_order (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.turn_work = 5});
    struct peer *writer = peer_attached (world, 0), *first = peer_attached (world, 0),
                *peer = peer_attached (world, 0);
    static const char *const paths[] = {"/y", "/a", "/a/b"};
    for (size_t i = 0; i < 3; i++) {
        ask_create (writer, paths[i], "", 0);
        peer_do (writer);
        ask_stream (i == 0 ? first : peer, i + 1, paths[i], 0);
        peer_do (i == 0 ? first : peer);
    }
    forget_lines (first);
    forget_lines (peer);
    /* What costs the first transaction is behind the stream of /a, and before it in the second. */
    ask_multi (writer, (const char *[]){"/z1", "/y/1", "/a/b/1", NULL});
    ask_multi (writer, (const char *[]){"/z2", "/y/2", "/y/3", "/y/4", "/y/5", "/y/6", "/y/7",
                                        "/a/2", "/a/b/2", NULL});
    peer_send (writer);
    turn (world);
    assert_int_equal (world->waiting_count, 2);
    world_commit (world, 2);
    world_run (world);
    size_t heard[2][2] = {{0}};
    for (const char *line; (line = next_line (peer)) != NULL;) {
        size_t stream = strstr (line, "batch 2") == NULL;
        size_t transaction = strstr (line, "/a/b/1") == NULL;
        assert_memory_equal (line, "batch ", sizeof "batch " - 1);
        assert_int_equal (heard[stream][1], 0); /* the second is the last */
        heard[stream][transaction]++;
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal (heard[i / 2][i % 2], 1);
    }
    world_free (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (lists_take_turns),
        cmocka_unit_test (reads_behind_a_write_take_turns),
        cmocka_unit_test (watches_go_in_slices),
        cmocka_unit_test (lists_before_a_write_take_turns),
        cmocka_unit_test (streams_take_turns),
        cmocka_unit_test (streams_of_one_client_stay_in_order),
    };
    return cmocka_run_group_tests_name ("clients-turns", tests, NULL, NULL);
}

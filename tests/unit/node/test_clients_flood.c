/* Clients that ask for as much as they can: they are slowed, and wait for nobody but themselves;
 * the others wait for a number of turns that is bounded, however long it goes on. What is counted
 * is turns, not time. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/node/clients_world.h"

enum {
    TURNS = 300,
    TURN_ENTRIES = 128, /* that a server applies in a turn, at least (ensemble_apply.c) */
    WINDOW = 1024,
    FLOODS = 6,
    UNDER_WAY = 1024, /* writes of all, as clients.h has it */
    DATA_SIZE = 1000,
    WRITE_OVERHEAD = 100 /* bytes that a set of /flood has besides, at most */
};

/* A client that always has as many writes in flight as it may, and reads between them. */
struct flood {
    struct peer *peer;
    unsigned in_flight; /* writes */
    uint64_t sets, gets, answered;
    uint64_t last_xid;
};

/* The next reply's xid; 0: there is none. */
static uint64_t next_reply (struct peer *peer)
{
    const char *line = next_line (peer);
    unsigned long long xid = 0;
    char code[32] = "";
    if (line == NULL) {
        return 0;
    }
    if (sscanf (line, "reply %llu %31s", &xid, code) != 2 || strcmp (code, "OK") != 0) {
        fail_msg ("a flood was told: %s", line);
    }
    return xid;
}

/* Replies come in the order of the requests: sets are even. */
static void take_replies (struct flood *self)
{
    for (uint64_t xid; (xid = next_reply (self->peer)) != 0;) {
        assert_int_equal (xid, self->last_xid + 1);
        self->last_xid = xid;
        self->in_flight -= xid % 2 == 0;
        self->answered++;
    }
}

static void top_up (struct flood *self, const char *data)
{
    static const char path[] = "/flood";
    self->peer->ack_to = self->peer->number - self->in_flight;
    size_t room = (size_t) (self->peer->credit / (strlen (data) + WRITE_OVERHEAD));
    for (; self->in_flight < WINDOW && self->in_flight < room; self->in_flight++) {
        (void) ask_get (self->peer, path, false);
        self->gets++;
        (void) ask_set (self->peer, path, data, -1);
        self->sets++;
    }
    peer_send (self->peer);
}

static void turn (struct world *world)
{
    world_commit (world, TURN_ENTRIES);
    world_flush (world);
}

static void prepare (struct world *world)
{
    struct peer *peer = peer_attached (world, 0);
    ask_create (peer, "/flood", "", 0);
    ask_create (peer, "/steady", "", 0);
    peer_do (peer);
}

/* How many turns one write and one read behind it wait at most, while `floods` clients flood. */
static unsigned longest_wait (unsigned floods)
{
    struct world *world = world_new (&(struct world_options){.window = WINDOW});
    struct flood flood[FLOODS] = {{.in_flight = 0}};
    char data[DATA_SIZE + 1];
    memset (data, 'x', DATA_SIZE);
    data[DATA_SIZE] = '\0';
    prepare (world);
    for (unsigned i = 0; i < floods; i++) {
        flood[i].peer = peer_attached (world, 0);
        forget_lines (flood[i].peer);
    }
    struct peer *steady = peer_attached (world, 0);
    forget_lines (steady);
    world->held = true;
    unsigned waits = 0, longest = 0;
    uint64_t asked = 0, answered = 0;
    for (unsigned i = 0; i < TURNS; i++) {
        for (unsigned k = 0; k < floods; k++) {
            top_up (&flood[k], data);
        }
        if (asked == answered) {
            steady->ack_to = steady->number;
            (void) ask_set (steady, "/steady", "x", -1);
            asked = ask_get (steady, "/steady", false);
            peer_send (steady);
            waits = 0;
        }
        turn (world);
        waits++;
        longest = waits > longest ? waits : longest;
        for (uint64_t xid; (xid = next_reply (steady)) != 0;) {
            answered = xid;
        }
        for (unsigned k = 0; k < floods; k++) {
            take_replies (&flood[k]);
        }
    }
    /* They were slowed, not stopped: between them they have had all that there was to have. */
    uint64_t writes = 0;
    for (unsigned k = 0; k < floods; k++) {
        assert_false (flood[k].peer->dropped);
        assert_true (flood[k].answered > 0);
        writes += flood[k].sets - flood[k].in_flight;
    }
    assert_true (floods == 0 || writes >= (TURNS - 1) * TURN_ENTRIES - TURNS);
    assert_false (steady->dropped);
    world_free (&world);
    return longest;
}

/* What a client waits for is what was under way before it, however many windows are full. */
static void others_wait_for_what_is_under_way (void **state)
{
    (void) state;
    for (unsigned floods = 0; floods <= FLOODS; floods++) {
        unsigned longest = longest_wait (floods);
        printf ("%u floods: %u turns\n", floods, longest);
        assert_true (longest <= (floods > 0 ? UNDER_WAY / TURN_ENTRIES : 0) + 2);
    }
}

/* Who only reads waits for no writes at all. */
static void readers_do_not_wait (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.window = WINDOW});
    prepare (world);
    struct flood flood = {.peer = peer_attached (world, 0)};
    struct peer *reader = peer_attached (world, 0);
    forget_lines (flood.peer);
    forget_lines (reader);
    world->held = true;
    for (unsigned i = 0; i < TURNS; i++) {
        top_up (&flood, "x");
        uint64_t asked = ask_get (reader, "/steady", false);
        peer_send (reader);
        turn (world);
        assert_int_equal (next_reply (reader), asked);
        take_replies (&flood);
    }
    assert_false (flood.peer->dropped);
    world_free (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (others_wait_for_what_is_under_way),
        cmocka_unit_test (readers_do_not_wait),
    };
    return cmocka_run_group_tests_name ("clients-flood", tests, NULL, NULL);
}

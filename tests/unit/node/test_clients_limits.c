/* How many of a kind there may be: one-shot watches of a client, requests that wait, and clients
 * that wait to be attached. */

#include "tests/unit/node/clients_world.h"

#include <stdio.h>
#include <string.h>

#include "client/base/bytes.h"

enum { HELLOS_MAX = 200, FIRST_CONNECTION = 1000000 };

/* One too many is refused, and no other client notices; what has fired makes room. */
static void watches_of_a_client (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.watches_max = 3});
    struct peer *peer = peer_attached (world, 0), *other = peer_attached (world, 0);
    ask_exists (peer, "/a", true);
    ask_exists (peer, "/b", true);
    ask_children (peer, "/", true);
    ask_exists (peer, "/c", true);
    ask_exists (peer, "/c", false);
    peer_do (peer);
    expect (peer, "reply 1 ENONODE");
    expect (peer, "reply 2 ENONODE");
    expect_prefix (peer, "reply 3 OK");
    expect_prefix (peer, "reply 4 ELIMIT");
    expect (peer, "reply 5 ENONODE");
    ask_exists (other, "/c", true);
    peer_do (other);
    expect (other, "reply 1 ENONODE");
    ask_create (other, "/a", "", 0);
    peer_do (other);
    forget_lines (peer);
    ask_exists (peer, "/c", true);
    ask_exists (peer, "/d", true);
    ask_exists (peer, "/e", true);
    peer_do (peer);
    expect (peer, "reply 6 ENONODE");
    expect (peer, "reply 7 ENONODE");
    expect_prefix (peer, "reply 8 ELIMIT");
    world_free (&world);
}

/* What a client says to have watched counts, too, though it has happened and it will hear of it; it
 * need not come to an end of telling that. */
static void watches_of_the_past (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.watches_max = 3});
    struct peer *peer = peer_attached (world, 0);
    for (int i = 0; i < 3; i++) {
        ask_rearm (peer, 1, true);
        ask_rearm_watch (peer, WATCH_DATA, "/gone");
        peer_do (peer);
    }
    assert_false (peer->dropped);
    ask_rearm (peer, 1, true);
    ask_rearm_watch (peer, WATCH_DATA, "/gone");
    peer_do (peer);
    expect (peer, "refused ELIMIT: too many watches");
    assert_true (peer->dropped);
    world_free (&world);
}

/* ---- Requests that wait -----------------------------------------------------------------------
 */

enum { LONG_PATH = 3000, ASKED_AT_ONCE = 100 };

/* So many reads, which have to wait for a write. */
static void ask_much (struct peer *peer, int reads)
{
    char path[LONG_PATH + 1];
    memset (path, 'x', LONG_PATH);
    path[0] = '/';
    path[LONG_PATH] = '\0';
    for (int i = 0; i < reads; i++) {
        ask_exists (peer, path, false);
        if (i % ASKED_AT_ONCE == ASKED_AT_ONCE - 1) {
            peer_send (peer);
        }
    }
    peer_send (peer);
}

/* There is room for 2 MiB of all together: where it is short the one goes who takes most of it, and
 * not who happens to ask next. */
static void whoever_asks_most_pays (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.pending_bytes = 1 << 20});
    struct peer *flood = peer_attached (world, 0), *other = peer_attached (world, 0);
    world->held = true;
    ask_set (flood, "/a", "", -1);
    ask_much (flood, 600);
    assert_false (flood->dropped);
    ask_set (other, "/a", "", -1);
    ask_much (other, 100);
    assert_false (other->dropped);
    assert_true (flood->dropped);
    expect (flood, "refused ELIMIT: too many requests wait");
    world->held = false;
    world_run (world);
    expect (other, "reply 1 ENONODE n=1");
    expect (other, "reply 2 ENONODE");
    world_free (&world);
}

/* ---- Clients that wait ------------------------------------------------------------------------
 */

struct crowd {
    size_t refused, answered;
    uint64_t last; /* connection that was refused */
};

static bool swallow (void *arg, size_t server, uint64_t connection, const uint8_t *data,
                     size_t size)
{
    struct crowd *crowd = arg;
    (void) server;
    (void) connection;
    (void) data;
    crowd->answered += size > 0;
    return true;
}

static void note_drop (void *arg, size_t server, uint64_t connection)
{
    struct crowd *crowd = arg;
    (void) server;
    crowd->refused++;
    crowd->last = connection;
}

/* A hello of a client of its own. */
static void hello (struct world *world, uint64_t connection)
{
    uint8_t nonce[16] = {0}, bytes[256];
    Cohort__Wire__ClientFrame frame = COHORT__WIRE__CLIENT_FRAME__INIT;
    Cohort__Wire__Hello hello = COHORT__WIRE__HELLO__INIT;
    bytes_put_u64 (nonce, connection);
    hello.magic = WIRE_CLIENT_MAGIC;
    hello.version_min = hello.version_max = 1;
    hello.nonce = hello.password = (ProtobufCBinaryData){sizeof nonce, nonce};
    hello.timeout_ms = 10000;
    hello.grace_ms = 1000;
    hello.attach_no = hello.next_number = 1;
    hello.incarnation = 1;
    frame.hello = &hello;
    size_t size = cohort__wire__client_frame__pack (&frame, bytes);
    assert_true (size <= sizeof bytes);
    clients_frame (world->servers[0].clients, connection, bytes, size);
}

/* One too many is sent to another server; when those before it are attached there is room again. */
static void clients_that_wait (void **state)
{
    (void) state;
    static struct crowd crowd;
    static const struct world_hooks hooks = {swallow, note_drop, NULL, NULL};
    struct world *world = world_new (&(struct world_options){.hellos_max = HELLOS_MAX});
    world_run (world);
    world->hooks = &hooks;
    world->hooks_arg = &crowd;
    world->held = true;
    for (uint64_t i = 0; i < HELLOS_MAX; i++) {
        hello (world, FIRST_CONNECTION + i);
    }
    assert_int_equal (crowd.refused, 0);
    hello (world, FIRST_CONNECTION + HELLOS_MAX);
    assert_int_equal (crowd.refused, 1);
    assert_int_equal (crowd.last, FIRST_CONNECTION + HELLOS_MAX);
    assert_non_null (strstr (world->servers[0].log, "ELIMIT"));
    assert_non_null (strstr (world->servers[0].log, "already waiting"));
    crowd.answered = 0;
    world->held = false;
    world_run (world);
    assert_int_equal (crowd.answered, HELLOS_MAX); /* each its welcome */
    hello (world, FIRST_CONNECTION + HELLOS_MAX);
    world_run (world);
    assert_int_equal (crowd.answered, HELLOS_MAX + 1);
    assert_int_equal (crowd.refused, 1);
    world_free (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (watches_of_a_client),
        cmocka_unit_test (watches_of_the_past),
        cmocka_unit_test (whoever_asks_most_pays),
        cmocka_unit_test (clients_that_wait),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

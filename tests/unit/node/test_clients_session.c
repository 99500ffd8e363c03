/* Sessions on a server: creation, attaching, moving, ending, and what is reported of them. */

#include "tests/unit/node/clients_world.h"

#include <stdio.h>
#include <string.h>

static void creates_a_session_once (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_new (world, 0);
    world->held = true;
    peer_hello (peer);
    world_run (world);
    expect (peer, NULL);
    assert_int_equal (world->waiting_count, 1);

    /* The leader goes and takes the entry with it; the next one gets it again. */
    world_lose_leader (world);
    world_new_leader (world);
    assert_int_equal (world->waiting_count, 1);
    /* And once more, this time as a duplicate. */
    clients_leader (world->servers[0].clients, true);
    assert_int_equal (world->waiting_count, 2);
    world->held = false;
    world_run (world);
    expect (peer, "welcome attach=1 last=0 timeout=10000");
    expect (peer, NULL);
    assert_int_equal (tree_session_count (world->servers[0].tree), 1);
    assert_int_equal (clients_connections (world->servers[0].clients), 1);
    world_free (&world);
}

static void a_creation_goes_on_at_another_server (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.servers = 2});
    struct peer *peer = peer_new (world, 0);
    world->held = true;
    peer_hello (peer);
    peer_disconnect (peer, true);
    peer_connect (peer, 1);
    peer_hello (peer);
    world->held = false;
    world_run (world);
    expect (peer, "welcome attach=2 last=0 timeout=10000");
    expect (peer, NULL);
    /* The first server saw the connection of its attach end; by now that is out of date. */
    expect_note (world, 0, "disconnected 1 1");
    expect_note (world, 0, NULL);
    forget_notes (world, 0);
    world_lose_leader (world);
    world_new_leader (world);
    expect_note (world, 0, NULL);
    assert_int_equal (tree_session_count (world->servers[0].tree), 1);
    world_free (&world);
}

static void a_session_moves (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.servers = 2});
    struct peer *peer = peer_attached (world, 0);
    ask_create (peer, "/a", "1", COHORT_EPHEMERAL);
    peer_do (peer);
    expect_prefix (peer, "reply 1 OK n=1 path=/a");

    /* It attaches to the new server before it leaves the old one. */
    struct peer *moved = peer_clone (peer, 1);
    moved->number = 1;
    peer_hello (moved);
    world_run (world);
    expect (moved, "welcome attach=2 last=1 timeout=10000");
    expect (peer, "refused ESESSIONMOVED: the session has attached anew");
    assert_true (peer->dropped);
    assert_int_equal (clients_connections (world->servers[0].clients), 0);

    /* The end of the old connection means nothing any more, that of the new one does. */
    peer_disconnect (peer, true);
    expect_note (world, 0, NULL);
    peer_disconnect (moved, true);
    expect_note (world, 1, "disconnected 1 2");
    world_free (&world);
}

static void a_newer_attach_here_supersedes (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *again = peer_clone (peer, 0);
    ask_create (peer, "/a", "", 0);
    world->held = true;
    peer_hello (again);
    peer_send (peer);
    world->held = false;
    world_run (world);
    /* Its write was on its way; whoever sends it again gets the answer. */
    expect (peer, "refused ESESSIONMOVED: the session has attached anew");
    expect (again, "welcome attach=2 last=0 timeout=10000");
    expect (again, NULL);
    ask_create (again, "/a", "", 0);
    peer_do (again);
    expect_prefix (again, "reply 1 OK n=1 path=/a");
    expect (again, NULL);
    world_free (&world);
}

static void refuses_what_is_not_for_it (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_new (world, 0);
    Cohort__Wire__Hello hello = COHORT__WIRE__HELLO__INIT;
    uint8_t id[16] = {1, 2, 3};
    hello.magic = WIRE_CLIENT_MAGIC;
    hello.version_min = 7;
    hello.version_max = 9;
    hello.nonce = hello.password = (ProtobufCBinaryData){16, id};
    hello.attach_no = 1;
    peer->frame.hello = &hello;
    peer_send (peer);
    expect (peer, "refused EVERSION: this server speaks versions 1 to 1, the client 7 to 9");
    assert_true (peer->dropped);

    hello.version_min = 1;
    hello.cluster_id = (ProtobufCBinaryData){16, id};
    peer_connect (peer, 0);
    peer->frame.hello = &hello;
    peer_send (peer);
    expect (peer, "refused ECLUSTER: this is cluster 6120636c757374657227732069642e2e, the session "
                  "is of cluster 01020300000000000000000000000000");

    hello.cluster_id.len = 0;
    hello.magic = 1;
    peer_connect (peer, 0);
    peer->frame.hello = &hello;
    peer_send (peer);
    expect (peer, "refused EPROTOCOL: this is not Cohort's protocol (magic 00000001)");

    hello.magic = WIRE_CLIENT_MAGIC;
    hello.password.len = 15;
    peer_connect (peer, 0);
    peer->frame.hello = &hello;
    peer_send (peer);
    expect (peer, "refused EPROTOCOL: a malformed hello");

    /* Requests without a hello. */
    peer_connect (peer, 0);
    ask_get (peer, "/", false);
    peer_send (peer);
    expect (peer, "refused ESTATE: this connection has not said hello");

    /* Requests before the welcome, and a second hello. */
    struct peer *hasty = peer_new (world, 0);
    world->held = true;
    peer_hello (hasty);
    ask_get (hasty, "/", false);
    peer_send (hasty);
    expect (hasty, "refused EPROTOCOL: requests before the welcome");
    world->held = false;
    struct peer *twice = peer_attached (world, 0);
    peer_hello (twice);
    expect (twice, "refused EPROTOCOL: a second hello on one connection");
    assert_int_equal (clients_connections (world->servers[0].clients), 0);
    world_free (&world);
}

static void refuses_wrong_passwords_and_unknown_sessions (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *thief = peer_clone (peer, 0);
    thief->password[3]++;
    peer_hello (thief);
    world_run (world);
    expect (thief, "refused EAUTHFAILED: the session has another password");
    thief->session = 77;
    peer_connect (thief, 0);
    peer_hello (thief);
    world_run (world);
    expect (thief, "refused ESESSIONEXPIRED: the session has ended");
    expect (peer, NULL);

    /* An older attach number of the same session. */
    struct peer *late = peer_clone (peer, 0);
    peer_connect (peer, 0);
    peer->attach_no = 5;
    peer_hello (peer);
    world_run (world);
    expect (peer, "welcome attach=6 last=0 timeout=10000");
    late->attach_no = 3;
    peer_hello (late);
    world_run (world);
    expect_prefix (late, "refused ESESSIONMOVED");
    expect (peer, NULL);
    world_free (&world);
}

static void a_new_incarnation_takes_over (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_create (peer, "/a", "", 0);
    peer_do (peer);
    expect_prefix (peer, "reply 1 OK");
    struct peer *process = peer_clone (peer, 0);
    process->incarnation = 2;
    process->attach_no = 0;
    peer_hello (process);
    world_run (world);
    expect (process, "welcome attach=1 last=0 timeout=10000");
    expect (peer, "refused ESESSIONMOVED: the session has attached anew");
    ask_create (process, "/b", "", 0);
    peer_do (process);
    expect_prefix (process, "reply 1 OK n=1 path=/b");
    world_free (&world);
}

static void a_session_ends (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *owner = peer_attached (world, 0);
    world_close_session (world, peer->session, 1, ENTRY_EXPIRED);
    world_run (world);
    expect (peer, "refused ESESSIONEXPIRED: the session has ended");
    assert_true (peer->dropped);

    /* By its own wish: the reply is the last word. */
    ask_create (owner, "/a", "", COHORT_EPHEMERAL);
    ask_close (owner);
    peer_do (owner);
    expect_prefix (owner, "reply 1 OK n=1 path=/a");
    expect (owner, "reply 2 OK n=2");
    expect (owner, NULL);
    assert_false (owner->dropped);
    assert_int_equal (clients_connections (world->servers[0].clients), 0);
    assert_int_equal (tree_session_count (world->servers[0].tree), 0);
    ask_get (owner, "/", false);
    peer_do (owner);
    expect_prefix (owner, "refused ESTATE");
    world_free (&world);
}

static void reports_dead_connections_to_each_leader (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *other = peer_attached (world, 0);
    peer_disconnect (peer, true);
    expect_note (world, 0, "disconnected 1 1");
    world_lose_leader (world);
    peer_disconnect (other, true);
    expect_note (world, 0, NULL);
    world_new_leader (world);
    expect_note (world, 0, "disconnected 2 1");
    expect_note (world, 0, "disconnected 1 1");

    /* An attach makes it out of date, an end too. */
    peer_connect (other, 0);
    peer_hello (other);
    world_run (world);
    world_close_session (world, peer->session, 1, ENTRY_DISCONNECTED);
    world_lose_leader (world);
    world_new_leader (world);
    expect_note (world, 0, NULL);
    world_free (&world);
}

static void reports_a_connection_that_ended_before_its_attach (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_new (world, 0);
    world->held = true;
    peer_hello (peer);
    peer_disconnect (peer, true);
    expect_note (world, 0, NULL);
    world->held = false;
    world_run (world);
    expect_note (world, 0, "disconnected 1 1");

    /* One that was never submitted leaves nothing behind. */
    world_lose_leader (world);
    struct peer *gone = peer_new (world, 0);
    peer_hello (gone);
    peer_disconnect (gone, true);
    world_new_leader (world);
    assert_int_equal (world->waiting_count, 0);
    forget_notes (world, 0);

    /* And one whose outcome never comes is forgotten. */
    world->held = true;
    peer_connect (gone, 0);
    peer_hello (gone);
    peer_disconnect (gone, true);
    world_lose_leader (world);
    assert_true (clients_deadline (world->servers[0].clients) < INT64_MAX);
    world_advance (world, 60000);
    assert_true (clients_deadline (world->servers[0].clients) == INT64_MAX);
    world_free (&world);
}

static void holds_while_there_is_no_quorum (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct clients *clients = world->servers[0].clients;
    struct peer *peer = peer_attached (world, 0);
    world_lose_leader (world);
    ask_get (peer, "/", false);
    peer_do (peer);
    expect_prefix (peer, "reply 1 OK");
    clients_held (clients, CLIENTS_NO_QUORUM);
    struct peer *late = peer_new (world, 0);
    peer_hello (late);
    ask_create (peer, "/a", "", 0);
    ask_get (peer, "/a", false);
    peer_do (peer);
    expect (peer, "held \"no quorum\"");
    expect (peer, NULL);
    expect (late, "held \"no quorum\"");

    world_new_leader (world);
    clients_held (clients, NULL);
    world_run (world);
    expect (peer, "held \"\"");
    expect_prefix (peer, "reply 2 OK n=1 path=/a");
    expect_prefix (peer, "reply 3 OK");
    expect (late, "welcome attach=1 last=0 timeout=10000");
    expect (late, "held \"\"");

    /* A read that waits must not see a write that came later. */
    world->held = true;
    clients_held (clients, CLIENTS_NO_QUORUM);
    ask_get (peer, "/a", false);
    ask_set (peer, "/a", "new", -1);
    peer_do (peer);
    assert_int_equal (world->waiting_count, 0);
    clients_held (clients, NULL);
    world->held = false;
    world_run (world);
    expect (peer, "held \"no quorum\"");
    expect (peer, "held \"\"");
    expect (peer, "reply 4 OK v=0");
    expect (peer, "reply 5 OK n=2 v=1");

    /* With a full disk writes wait, and reads do not. */
    clients_held (clients, "disk full");
    ask_get (peer, "/a", false);
    peer_do (peer);
    expect (peer, "held \"disk full\"");
    expect (peer, "reply 6 OK data=new v=1");

    /* And who comes later is told, too. */
    struct peer *next = peer_new (world, 0);
    peer_hello (next);
    world_run (world);
    expect (next, "welcome attach=1 last=0 timeout=10000");
    expect (next, "held \"disk full\"");
    expect (next, NULL);
    world_free (&world);
}

static void heartbeats_are_confirmed (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct clients *clients = world->servers[0].clients;
    struct peer *peer = peer_attached (world, 0);
    ask_heartbeat (peer, 7);
    peer_do (peer);
    expect_note (world, 0, "heartbeat 1 1 7");
    expect (peer, NULL);
    clients_confirmed (clients, peer->session, 1, 7);
    clients_confirmed (clients, peer->session, 1, 6);
    world_run (world);
    expect (peer, "confirmed 7");
    /* Of another attach, and of a session that is not here. */
    clients_confirmed (clients, peer->session, 2, 8);
    clients_confirmed (clients, 99, 1, 8);
    world_run (world);
    expect (peer, NULL);
    world_free (&world);
}

/* Whether it is there, whoever else is: at once, and to no stranger. */
static void says_that_it_is_there (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *stranger = peer_new (world, 0), *peer = peer_attached (world, 0);
    world->held = true;
    clients_held (world->servers[0].clients, CLIENTS_NO_QUORUM);
    world_flush (world);
    expect (peer, "held \"no quorum\"");
    (void) ask_set (peer, "/", "x", -1);
    peer->frame.ask = true;
    peer_send (peer);
    expect (peer, "there");
    peer->full = true;
    peer->frame.ask = true;
    peer_send (peer);
    expect (peer, NULL);
    stranger->frame.ask = true;
    peer_send (stranger);
    expect (stranger, NULL);
    world_free (&world);
}

static void tells_everybody_to_leave (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *late = peer_new (world, 0);
    ask_get (peer, "/", false);
    peer_send (peer);
    clients_leave (world->servers[0].clients);
    expect_prefix (peer, "reply 1 OK");
    expect (peer, "refused ECONNECT: server is shutting down");
    peer_hello (late);
    expect (late, "refused ECONNECT: server is shutting down");
    world_free (&world);
}

/* Whoever is here hears why, and so does whoever comes, until it is over. */
static void serves_nobody_in_quarantine (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct clients *clients = world->servers[0].clients;
    struct peer *peer = peer_attached (world, 0);
    struct peer *late = peer_new (world, 0), *later = peer_new (world, 0);
    struct peer *asker = peer_new (world, 0);
    clients_quarantine (clients, "its state is another");
    world_run (world);
    expect (peer, "refused ECONNECT: its state is another");
    assert_true (peer->dropped);
    assert_int_equal (clients_connections (clients), 0);
    peer_hello (late);
    world_run (world);
    expect (late, "refused ECONNECT: its state is another");
    ask_status (asker);
    peer_send (asker);
    expect_prefix (asker, "status server=1"); /* which says it, too */
    clients_quarantine (clients, NULL);
    peer_hello (later);
    world_run (world);
    expect_prefix (later, "welcome");
    world_free (&world);
}

static void tells_its_status (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_new (world, 0);
    ask_status (peer);
    peer_send (peer);
    expect (peer, "status server=1 role=follower zxid=1 members=2 digest=yes "
                  "1/voter/tcp://one:5181 2/observer/");
    assert_int_equal (clients_connections (world->servers[0].clients), 0);
    world_free (&world);
}

static void resets_everybody_when_the_tree_is_replaced (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.servers = 2});
    struct peer *peer = peer_attached (world, 0);
    struct peer *gone = peer_attached (world, 0);
    struct peer *waiting = peer_new (world, 0);
    peer_disconnect (gone, true);
    expect_note (world, 0, "disconnected 2 1");
    world->servers[0].lags = true;
    world->servers[0].leader = false;
    clients_leader (world->servers[0].clients, false);
    /* What it misses: one session moves away. */
    peer_connect (gone, 1);
    peer_hello (gone);
    world_run (world);
    peer_hello (waiting);

    world_install (world, 0, 1);
    world->servers[0].lags = false;
    expect_prefix (peer, "refused ECONNECT: this server had to take over");
    expect (waiting, NULL);

    world->servers[0].leader = true;
    clients_leader (world->servers[0].clients, true);
    expect_note (world, 0, NULL);
    world_run (world);
    expect (waiting, "welcome attach=1 last=0 timeout=10000");
    world_free (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (creates_a_session_once),
        cmocka_unit_test (a_creation_goes_on_at_another_server),
        cmocka_unit_test (a_session_moves),
        cmocka_unit_test (a_newer_attach_here_supersedes),
        cmocka_unit_test (refuses_what_is_not_for_it),
        cmocka_unit_test (refuses_wrong_passwords_and_unknown_sessions),
        cmocka_unit_test (a_new_incarnation_takes_over),
        cmocka_unit_test (a_session_ends),
        cmocka_unit_test (reports_dead_connections_to_each_leader),
        cmocka_unit_test (reports_a_connection_that_ended_before_its_attach),
        cmocka_unit_test (holds_while_there_is_no_quorum),
        cmocka_unit_test (heartbeats_are_confirmed),
        cmocka_unit_test (says_that_it_is_there),
        cmocka_unit_test (tells_everybody_to_leave),
        cmocka_unit_test (serves_nobody_in_quarantine),
        cmocka_unit_test (tells_its_status),
        cmocka_unit_test (resets_everybody_when_the_tree_is_replaced),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

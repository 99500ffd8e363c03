/* Reads: linearizable ones, several at once, counts, ephemerals, and watches that are taken back.
 */

#include "tests/unit/node/clients_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ProtobufCBinaryData bytes_of (const char *text)
{
    return (ProtobufCBinaryData){strlen (text), (uint8_t *) (uintptr_t) text};
}

/* The next read is linearizable: its request is the last one made. */
static void linearizable (struct peer *peer)
{
    assert_true (peer->frame.n_requests > 0);
    peer->requests[peer->frame.n_requests - 1]->linearizable = true;
}

static void a_linearizable_read_waits_for_a_round (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct clients *clients = world->servers[0].clients;
    struct peer *peer = peer_attached (world, 0);
    struct peer *other = peer_attached (world, 0);
    ask_create (peer, "/a", "0", 0);
    ask_get (peer, "/a", false);
    linearizable (peer);
    ask_get (peer, "/a", false);
    ask_set (peer, "/a", "1", -1);
    peer_do (peer);
    expect (peer, "reply 1 OK n=1 path=/a v=0");
    expect (peer, NULL);
    expect_note (world, 0, "sync 1");
    /* Nobody else waits for it, and its own later write does not overtake it. */
    assert_int_equal (world->waiting_count, 0);
    ask_set (other, "/a", "others", -1);
    ask_get (other, "/a", false);
    peer_do (other);
    expect (other, "reply 1 OK n=1 v=1");
    expect (other, "reply 2 OK data=others v=1");
    clients_synced (clients, 1, tree_zxid (world->servers[0].tree));
    world_run (world);
    expect (peer, "reply 2 OK data=others v=1");
    expect (peer, "reply 3 OK data=others v=1");
    expect (peer, "reply 4 OK n=2 v=2");
    expect (peer, NULL);
    world_free (&world);
}

/* What the old leader had answered, and what it had not, and what the new one has to. */
static void a_deposed_leader_confirms_nothing (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct clients *clients = world->servers[0].clients;
    struct peer *peer = peer_attached (world, 0);
    ask_children (peer, "/", false);
    linearizable (peer);
    peer_do (peer);
    expect_note (world, 0, "sync 1");
    world_lose_leader (world);
    world_run (world);
    expect (peer, NULL);
    world_new_leader (world);
    expect_note (world, 0, "sync 2");
    clients_synced (clients, 1, 1); /* late, of the old one */
    world_run (world);
    expect (peer, NULL);
    /* The point that was confirmed is ahead of this server. */
    clients_synced (clients, 2, tree_zxid (world->servers[0].tree) + 1);
    world_run (world);
    expect (peer, NULL);
    (void) peer_attached (world, 0);
    expect_prefix (peer, "reply 1 OK");
    /* One that nobody leads waits for whoever comes next. */
    world_lose_leader (world);
    ask_exists (peer, "/a", false);
    linearizable (peer);
    peer_do (peer);
    expect_note (world, 0, NULL);
    expect (peer, NULL);
    world_new_leader (world);
    expect_note (world, 0, "sync 4");
    clients_synced (clients, 4, 1);
    world_run (world);
    expect (peer, "reply 2 ENONODE");
    world_free (&world);
}

/* What was proposed last is ahead of this server, and goes with its leader: nothing may come that
 * is applied until somebody writes. */
static void what_was_confirmed_is_asked_again (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct clients *clients = world->servers[0].clients;
    struct peer *peer = peer_attached (world, 0);
    ask_exists (peer, "/a", false);
    linearizable (peer);
    ask_sync (peer);
    peer_do (peer);
    expect_note (world, 0, "sync 1");
    clients_synced (clients, 1, tree_zxid (world->servers[0].tree) + 1);
    world_run (world);
    expect (peer, NULL);
    world_lose_leader (world);
    world_new_leader (world);
    expect_note (world, 0, "sync 2");
    clients_synced (clients, 2, tree_zxid (world->servers[0].tree));
    world_run (world);
    expect (peer, "reply 1 ENONODE");
    expect (peer, "reply 2 OK");
    world_free (&world);
}

static void reads_of_a_turn_are_one_question (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct clients *clients = world->servers[0].clients;
    struct peer *peers[3];
    for (size_t i = 0; i < 3; i++) {
        peers[i] = peer_attached (world, 0);
    }
    for (size_t i = 0; i < 3; i++) {
        ask_get (peers[i], "/zz", false);
        linearizable (peers[i]);
        ask_exists (peers[i], "/zz", false);
        linearizable (peers[i]);
        peer_send (peers[i]);
    }
    world_run (world);
    expect_note (world, 0, "sync 1");
    expect_note (world, 0, NULL);
    peer_disconnect (peers[2], true);
    clients_synced (clients, 1, 1);
    world_run (world);
    for (size_t i = 0; i < 2; i++) {
        expect (peers[i], "reply 1 ENONODE");
        expect (peers[i], "reply 2 ENONODE");
        expect (peers[i], NULL);
    }
    world_free (&world);
}

/* A watch that is set with it is set when it is answered. */
static void a_linearizable_read_sets_its_watch (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *other = peer_attached (world, 0);
    ask_create (other, "/a", "0", 0);
    peer_do (other);
    ask_get (peer, "/a", true);
    linearizable (peer);
    peer_do (peer);
    ask_set (other, "/a", "1", -1);
    peer_do (other);
    expect (peer, NULL);
    clients_synced (world->servers[0].clients, 1, 1);
    world_run (world);
    expect (peer, "reply 1 OK data=1 v=1");
    ask_set (other, "/a", "2", -1);
    peer_do (other);
    expect (peer, "event CHANGED /a (data)");
    world_free (&world);
}

/* ---- Several at once --------------------------------------------------------------------- */

enum { PARTS_MAX = 1025 };

/* A multi-read that lives until the frame is sent. */
struct several {
    Cohort__Wire__MultiRead multi;
    Cohort__Wire__ReadOp ops[PARTS_MAX];
    Cohort__Wire__ReadOp *list[PARTS_MAX];
    Cohort__Wire__Read reads[PARTS_MAX];
    Cohort__Wire__List lists[PARTS_MAX];
};

static struct several *several_new (struct peer *peer)
{
    struct several *several = calloc (1, sizeof *several);
    assert_non_null (several);
    cohort__wire__multi_read__init (&several->multi);
    several->multi.ops = several->list;
    Cohort__Wire__Request *request = ask_raw (peer, false);
    request->op_case = COHORT__WIRE__REQUEST__OP_MULTI_READ;
    request->multi_read = &several->multi;
    return several;
}

static void add_read (struct several *several, Cohort__Wire__ReadOp__OpCase kind, const char *path)
{
    size_t i = several->multi.n_ops++;
    assert_true (i < PARTS_MAX);
    several->list[i] = &several->ops[i];
    cohort__wire__read_op__init (&several->ops[i]);
    cohort__wire__read__init (&several->reads[i]);
    several->reads[i].path = bytes_of (path);
    several->ops[i].op_case = kind;
    several->ops[i].get = &several->reads[i]; /* whichever of the three */
}

static Cohort__Wire__List *add_list (struct several *several, const char *path)
{
    size_t i = several->multi.n_ops++;
    assert_true (i < PARTS_MAX);
    several->list[i] = &several->ops[i];
    cohort__wire__read_op__init (&several->ops[i]);
    cohort__wire__list__init (&several->lists[i]);
    several->lists[i].path = bytes_of (path);
    several->ops[i].op_case = COHORT__WIRE__READ_OP__OP_CHILDREN;
    several->ops[i].children = &several->lists[i];
    return &several->lists[i];
}

static void several_reads_see_one_state (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_multi (peer, (const char *[]){"/a", "/a/b", "/a/c", NULL});
    peer_do (peer);
    forget_lines (peer);
    struct several *several = several_new (peer);
    add_read (several, COHORT__WIRE__READ_OP__OP_GET, "/a");
    add_read (several, COHORT__WIRE__READ_OP__OP_GET, "/none");
    add_read (several, COHORT__WIRE__READ_OP__OP_EXISTS, "/a/b");
    add_read (several, COHORT__WIRE__READ_OP__OP_COUNT, "/a");
    add_list (several, "/a")->limit = 1;
    add_list (several, "/a")->after = bytes_of ("b");
    add_read (several, COHORT__WIRE__READ_OP__OP_EXISTS, "no path");
    peer_do (peer);
    expect_prefix (peer, "reply 2 OK {OK data=");
    free (several);
    several = several_new (peer);
    add_read (several, COHORT__WIRE__READ_OP__OP_EXISTS, "/a/b");
    add_read (several, COHORT__WIRE__READ_OP__OP_EXISTS, "/none");
    add_read (several, COHORT__WIRE__READ_OP__OP_COUNT, "/a");
    add_list (several, "/a")->limit = 1;
    add_list (several, "/a")->after = bytes_of ("b");
    add_read (several, COHORT__WIRE__READ_OP__OP_EXISTS, "no path");
    peer_do (peer);
    expect (peer, "reply 3 OK {OK v=0} {ENONODE} {OK v=1 value=2} {OK v=1 children=b next=b} "
                  "{OK v=1 children=c} {EPATH}");
    free (several);
    several = several_new (peer);
    peer_do (peer);
    expect (peer, "reply 4 OK");
    free (several);
    world_free (&world);
}

static void several_reads_are_bounded (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct several *several = several_new (peer);
    for (int i = 0; i < 1025; i++) {
        add_read (several, COHORT__WIRE__READ_OP__OP_EXISTS, "/a");
    }
    peer_do (peer);
    expect (peer, "reply 1 ETOOBIG (1025 reads at once; the limit is 1024)");
    free (several);
    /* Five times a mebibyte: what fits is there, the rest says why it is not. */
    ask_create_bytes (peer, "/large", 1 << 20);
    peer_do (peer);
    forget_lines (peer);
    several = several_new (peer);
    for (int i = 0; i < 5; i++) {
        add_read (several, COHORT__WIRE__READ_OP__OP_GET, "/large");
    }
    add_read (several, COHORT__WIRE__READ_OP__OP_EXISTS, "/large");
    peer->largest = 0;
    peer_do (peer);
    assert_true (peer->largest > 3 << 20);
    assert_true (peer->largest < 5 << 20);
    const char *line = next_line (peer);
    assert_non_null (line);
    assert_non_null (strstr (line, "{ETOOBIG} {ETOOBIG} {OK v=0}"));
    free (several);
    world_free (&world);
}

/* ---- Counts, ephemerals, identities ------------------------------------------------------ */

static void all_that_is_below_is_counted (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_multi (peer, (const char *[]){"/a", "/a/b", "/a/b/c", NULL});
    peer_do (peer);
    forget_lines (peer);
    static const char *const paths[] = {"/a", "/a/b/c", "/none"};
    Cohort__Wire__Read reads[3];
    for (size_t i = 0; i < 3; i++) {
        Cohort__Wire__Request *request = ask_raw (peer, false);
        cohort__wire__read__init (&reads[i]);
        reads[i].path = bytes_of (paths[i]);
        request->op_case = COHORT__WIRE__REQUEST__OP_COUNT;
        request->count = &reads[i];
    }
    peer_do (peer);
    expect (peer, "reply 2 OK v=1 value=2");
    expect (peer, "reply 3 OK v=0");
    expect (peer, "reply 4 ENONODE");
    world_free (&world);
}

static Cohort__Wire__Ephemerals *ask_ephemerals (struct peer *peer,
                                                 Cohort__Wire__Ephemerals *message)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    cohort__wire__ephemerals__init (message);
    request->op_case = COHORT__WIRE__REQUEST__OP_EPHEMERALS;
    request->ephemerals = message;
    return message;
}

static void ephemerals_are_listed_to_their_owner (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *other = peer_attached (world, 0);
    ask_create (peer, "/a", "", COHORT_EPHEMERAL);
    ask_create (peer, "/b", "", COHORT_EPHEMERAL);
    ask_create (peer, "/p", "", 0);
    peer_do (peer);
    forget_lines (peer);
    Cohort__Wire__Ephemerals lists[3];
    ask_ephemerals (peer, &lists[0])->limit = 1;
    ask_ephemerals (peer, &lists[1])->prefix = bytes_of ("/b");
    ask_ephemerals (peer, &lists[2])->session = peer->session;
    peer_do (peer);
    const char *line = next_line (peer);
    static const char first[] = "reply 4 OK children=/a next=";
    assert_memory_equal (line, first, strlen (first));
    char next[64];
    (void) snprintf (next, sizeof next, "%s", line + strlen (first));
    expect (peer, "reply 5 OK children=/b");
    expect (peer, "reply 6 OK children=/a,/b");
    ask_ephemerals (peer, &lists[0])->after = bytes_of (next);
    ask_ephemerals (peer, &lists[1])->after = bytes_of ("/a");
    ask_ephemerals (peer, &lists[2])->session = 4711;
    peer_do (peer);
    expect (peer, "reply 7 OK children=/b");
    expect (peer, "reply 8 EINVAL");
    expect (peer, "reply 9 ENOAUTH");
    ask_ephemerals (other, &lists[0]);
    ask_ephemerals (other, &lists[1])->session = peer->session;
    peer_do (other);
    expect (other, "reply 1 OK");
    expect (other, "reply 2 ENOAUTH");
    world_free (&world);
}

static void who_somebody_is (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    Cohort__Wire__WhoAmI message = COHORT__WIRE__WHO_AM_I__INIT;
    Cohort__Wire__Request *request = ask_raw (peer, false);
    request->op_case = COHORT__WIRE__REQUEST__OP_WHOAMI;
    request->whoami = &message;
    peer_do (peer);
    expect (peer, "reply 1 OK world:anyone");
    world_free (&world);
}

/* ---- Watches ----------------------------------------------------------------------------- */

static void ask_unwatch (struct peer *peer, Cohort__Wire__Unwatch *message, const char *path,
                         int type, bool check)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    cohort__wire__unwatch__init (message);
    message->path = bytes_of (path);
    message->type = (Cohort__Wire__WatcherType) type;
    message->check = check;
    request->op_case = COHORT__WIRE__REQUEST__OP_UNWATCH;
    request->unwatch = message;
}

static void watches_are_taken_back (void **state)
{
    (void) state;
    enum {
        CHILDREN = COHORT__WIRE__WATCHER_TYPE__WATCHER_CHILDREN,
        DATA = COHORT__WIRE__WATCHER_TYPE__WATCHER_DATA,
        ANY = COHORT__WIRE__WATCHER_TYPE__WATCHER_ANY
    };
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *other = peer_attached (world, 0);
    Cohort__Wire__Unwatch words[9];
    ask_create (other, "/a", "", 0);
    peer_do (other);
    ask_get (peer, "/a", true);
    ask_exists (peer, "/b", true);
    ask_children (peer, "/a", true);
    ask_unwatch (peer, &words[0], "/a", DATA, true);
    ask_unwatch (peer, &words[1], "/a", DATA, false);
    ask_unwatch (peer, &words[2], "/a", DATA, true);
    ask_unwatch (peer, &words[3], "/a", CHILDREN, true);
    ask_unwatch (peer, &words[4], "/b", CHILDREN, false);
    ask_unwatch (peer, &words[5], "/b", ANY, false);
    ask_unwatch (peer, &words[6], "/b", ANY, false);
    peer_do (peer);
    expect (peer, "reply 1 OK v=0");
    expect (peer, "reply 2 ENONODE");
    expect (peer, "reply 3 OK v=0");
    expect (peer, "reply 4 OK");
    expect (peer, "reply 5 OK");
    expect (peer, "reply 6 ENOWATCHER");
    expect (peer, "reply 7 OK");
    expect (peer, "reply 8 ENOWATCHER");
    expect (peer, "reply 9 OK");
    expect (peer, "reply 10 ENOWATCHER");
    ask_set (other, "/a", "1", -1);
    ask_create (other, "/b", "", 0);
    ask_create (other, "/a/c", "", 0);
    peer_do (other);
    expect (peer, "event CHILDREN /a (children)");
    expect (peer, NULL);
    /* Whoever watches again is told again. */
    ask_get (peer, "/a", true);
    peer_do (peer);
    expect (peer, "reply 11 OK data=1 v=1");
    ask_set (other, "/a", "2", -1);
    peer_do (other);
    expect (peer, "event CHANGED /a (data)");
    /* What is no path is told so. */
    ask_unwatch (peer, &words[7], "a", ANY, false);
    ask_unwatch (peer, &words[8], "/a", ANY, false);
    words[8].path.len = 3; /* with a NUL, and what stands behind it */
    words[8].path.data = (uint8_t *) (uintptr_t) "/a\0";
    peer_do (peer);
    expect (peer, "reply 12 EPATH");
    expect (peer, "reply 13 EPATH");
    world_free (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_linearizable_read_waits_for_a_round),
        cmocka_unit_test (a_deposed_leader_confirms_nothing),
        cmocka_unit_test (what_was_confirmed_is_asked_again),
        cmocka_unit_test (reads_of_a_turn_are_one_question),
        cmocka_unit_test (a_linearizable_read_sets_its_watch),
        cmocka_unit_test (several_reads_see_one_state),
        cmocka_unit_test (several_reads_are_bounded),
        cmocka_unit_test (all_that_is_below_is_counted),
        cmocka_unit_test (ephemerals_are_listed_to_their_owner),
        cmocka_unit_test (who_somebody_is),
        cmocka_unit_test (watches_are_taken_back),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

/* Who may see what: what watches and streams tell, at the door, on the simulated wire. */

#include "tests/unit/node/clients_cast.h"

#include <stdio.h>
#include <string.h>

#include "client/base/prng.h"

/* ---- Watches ----------------------------------------------------------------------------- */

static void watches_tell_what_may_be_seen (void **state)
{
    (void) state;
    struct cast cast;
    cast_begin (&cast, (struct world_options){0});
    ask_create (cast.root, "/p", "", 0);
    ask_create (cast.root, "/p/a", "", 0);
    quietly (cast.root);
    ask_get (cast.other, "/p/a", true);
    ask_children (cast.other, "/p", true);
    ask_exists (cast.other, "/p/later", true);
    quietly (cast.other);
    /* It is taken from view, and everything happens. */
    ask_set_acl (cast.root, "/p", of_root);
    ask_set_acl (cast.root, "/p/a", of_root);
    ask_set (cast.root, "/p/a", "1", -1);
    ask_create_with (cast.root, "/p/later", "", of_root);
    quietly (cast.root);
    expect (cast.other, NULL);
    /* And back: they have waited. */
    ask_set_acl (cast.root, "/p", open_list);
    ask_set_acl (cast.root, "/p/a", open_list);
    quietly (cast.root);
    expect (cast.other, NULL);
    ask_set (cast.root, "/p/a", "2", -1);
    ask_delete (cast.root, "/p/later", -1);
    quietly (cast.root);
    expect (cast.other, "event CHANGED /p/a (data)");
    expect (cast.other, "event DELETED /p/later (exists)");
    expect (cast.other, "event CHILDREN /p (children)");
    expect (cast.other, NULL);
    world_free (&cast.world);
}

/* Whoever comes back, or says so, is told of what it may not see that it has gone, whatever is
 * there: it learns nothing, and does not wait for ever. */
static void watches_after_a_reconnect (void **state)
{
    (void) state;
    struct cast cast;
    cast_begin (&cast, (struct world_options){0});
    ask_create_with (cast.root, "/p", "", of_root);
    ask_create (cast.root, "/p/open", "", 0);
    ask_create_with (cast.root, "/p/a", "", of_root);
    quietly (cast.root);
    struct peer *peer = cast.other;
    peer_disconnect (peer, true);
    peer_connect (peer, 0);
    peer_hello (peer);
    world_run (cast.world);
    expect_prefix (peer, "welcome");
    peer->mad = true;
    ask_rearm (peer, tree_zxid (cast.world->servers[0].tree), false);
    ask_rearm_watch (peer, WATCH_DATA, "/p/a");
    ask_rearm_watch (peer, WATCH_DATA, "/p/none");
    ask_rearm_watch (peer, WATCH_CHILDREN, "/p");
    ask_rearm_watch (peer, WATCH_DATA, "/p/open");
    peer_do (peer);
    expect (peer, "event DELETED /p/a (data)");
    expect (peer, "event DELETED /p/none (data)");
    expect (peer, "event DELETED /p (children)");
    expect (peer, NULL);
    world_free (&cast.world);
}

/* ---- Streams ----------------------------------------------------------------------------- */

static void a_stream_shows_what_may_be_seen (void **state)
{
    (void) state;
    struct cast cast;
    cast_begin (&cast, (struct world_options){0});
    ask_create (cast.root, "/p", "", 0);
    ask_create_with (cast.root, "/p/bare", "secret", of_root);
    ask_create_with (cast.root, "/p/h", "", of_root);
    ask_create_with (cast.root, "/p/h/gone", "secret", of_root);
    ask_create (cast.root, "/p/h/open", "shown", 0);
    quietly (cast.root);
    ask_stream (cast.other, 1, "/p", 0);
    peer_do (cast.other);
    expect (cast.other, "reply 1 OK");
    expect (cast.other, "batch 1 snapshot first */p */p/bare! */p/h! */p/h/open=shown");
    ask_set (cast.root, "/p/bare", "secret too", -1);
    ask_set (cast.root, "/p/h/gone", "secret too", -1);
    ask_set (cast.root, "/p/h/open", "new", -1);
    ask_create_with (cast.root, "/p/h/more", "", of_root);
    ask_delete (cast.root, "/p/h/more", -1);
    quietly (cast.root);
    expect (cast.other, "batch 1 first ~/p/bare!");
    expect (cast.other, "batch 1 first ~/p/h/open=new");
    expect (cast.other, NULL);
    /* What becomes readable comes with its data; what does not, loses it. */
    ask_set_acl (cast.root, "/p/bare", open_list);
    ask_set_acl (cast.root, "/p/bare", of_root);
    quietly (cast.root);
    expect (cast.other, "batch 1 first a/p/bare=secret too");
    expect (cast.other, "batch 1 first a/p/bare!");
    /* Where more changes than one znode's data, the stream begins anew. */
    ask_set_acl (cast.root, "/p/h", open_list);
    quietly (cast.root);
    expect (cast.other, "batch 1 snapshot first more");
    expect (cast.other, "batch 1 snapshot */p */p/bare! */p/h */p/h/gone! */p/h/open=new");
    ask_set_acl (cast.root, "/p", of_root);
    quietly (cast.root);
    expect (cast.other, "batch 1 snapshot first more");
    expect (cast.other, "batch 1 snapshot");
    /* Of what happens there nothing is said, of what all may read below neither. */
    ask_set_acl (cast.root, "/p", of_anna);
    ask_set_acl (cast.root, "/p/bare", of_anna);
    ask_set (cast.root, "/p", "x", -1);
    ask_set (cast.root, "/p/bare", "x", -1);
    ask_set (cast.root, "/p/h/open", "x", -1);
    quietly (cast.root);
    expect (cast.other, NULL);
    world_free (&cast.world);
}

/* The same for who reads the ring: nothing of before shows through. */
static void a_stream_that_was_away (void **state)
{
    (void) state;
    static const uint32_t flags[] = {0, 64, 1};
    for (size_t i = 0; i < 3; i++) {
        struct cast cast;
        cast_begin (&cast, (struct world_options){0});
        ask_create (cast.root, "/p", "", 0);
        ask_create_with (cast.root, "/p/bare", "1", of_root);
        quietly (cast.root);
        uint64_t from = tree_zxid (cast.world->servers[0].tree);
        ask_set (cast.root, "/p/bare", "2", -1);
        ask_create (cast.root, "/p/open", "3", 0);
        quietly (cast.root);
        ask_stream (cast.other, 1, "/p", from);
        cast.other->requests[0]->stream_open->flags = flags[i];
        peer_do (cast.other);
        expect (cast.other, "reply 1 OK");
        if (flags[i] == 64) {
            expect (cast.other, "batch 1 first ~/p/bare! +/p/open=3");
        } else {
            expect (cast.other, "batch 1 first ~/p/bare!");
            expect (cast.other, "batch 1 first +/p/open=3");
        }
        ask_set_acl (cast.root, "/p", of_root);
        quietly (cast.root);
        forget_lines (cast.other);
        /* Behind a change of what may be seen. */
        ask_stream (cast.other, 2, "/p/open", from);
        ask_stream (cast.other, 3, "/", from);
        cast.other->requests[1]->stream_open->flags = flags[i];
        peer_do (cast.other);
        expect (cast.other, "reply 2 OK");
        expect_prefix (cast.other, "batch 2 first +/p/open=3");
        expect (cast.other, "reply 3 OK");
        const char *line;
        bool anew = false;
        while ((line = next_line (cast.other)) != NULL) {
            anew |= strstr (line, flags[i] == 1 ? "batch 3" : "batch 3 snapshot */ ") != NULL;
            assert_null (strstr (line, "=2"));
            assert_true (!anew || strstr (line, "/p/bare") == NULL || flags[i] == 1);
        }
        assert_true (anew);
        world_free (&cast.world);
    }
}

/* ---- A mirror, whatever happens ---------------------------------------------------------- */

/* What a stream has told of a few znodes; and what their session may see of them. */
static const char *const mirrored[] = {"/p", "/p/a", "/p/b", "/p/a/x", "/p/a/y", "/p/b/x"};
enum { MIRRORED = 6, TOLD_SIZE = 16, SEEDS = 60, STEPS = 60 };

struct mirror {
    char told[MIRRORED][TOLD_SIZE]; /* "": it is not there; "!": hidden; "=data" */
};

static void take_change (struct mirror *mirror, const char *word)
{
    size_t size = strcspn (word + 1, "=! "), i = 0;
    while (i < MIRRORED &&
           (strlen (mirrored[i]) != size || memcmp (mirrored[i], word + 1, size) != 0)) {
        i++;
    }
    assert_true (i < MIRRORED);
    bool comes = word[0] == '*' || word[0] == '+';
    if (word[0] == '-') {
        mirror->told[i][0] = '\0';
    } else if (comes || mirror->told[i][0] != '\0') {
        const char *rest = word + 1 + size;
        int rest_size = (int) strcspn (rest, " ");
        (void) snprintf (mirror->told[i], TOLD_SIZE, "%.*s", rest_size, rest);
        if (rest_size == 0) {
            (void) snprintf (mirror->told[i], TOLD_SIZE, "=");
        }
    }
}

static void take_lines (struct mirror *mirror, struct peer *peer)
{
    const char *line;
    while ((line = next_line (peer)) != NULL) {
        bool batch = strncmp (line, "batch ", 6) == 0;
        if (batch && strstr (line, " snapshot first") != NULL) {
            memset (mirror, 0, sizeof *mirror);
        }
        for (const char *at = line; batch && (at = strchr (at, ' ')) != NULL;) {
            at++;
            if (strchr ("*+~-a", at[0]) != NULL && at[1] == '/') {
                take_change (mirror, at);
            }
        }
    }
}

static void expect_mirror (const struct mirror *mirror, const struct peer *peer, uint64_t seed)
{
    const struct tree *tree = peer->world->servers[0].tree;
    struct tree_node node;
    /* A stream whose top may not be read shows nothing. */
    bool shut = tree_get_as (tree, peer->session, TREE_WHOLE, mirrored[0], strlen (mirrored[0]),
                             &node) != 0;
    for (size_t i = 0; i < MIRRORED; i++) {
        char seen[TOLD_SIZE] = "";
        size_t size = strlen (mirrored[i]);
        if (shut) {
            assert_int_equal (seen[0], '\0');
        } else if (tree_get_as (tree, peer->session, TREE_WHOLE, mirrored[i], size, &node) == 0) {
            (void) snprintf (seen, sizeof seen, "=%.*s", (int) node.data_size,
                             (const char *) node.data);
        } else if (tree_get_as (tree, peer->session, TREE_BARE, mirrored[i], size, &node) == 0) {
            (void) snprintf (seen, sizeof seen, "!");
        }
        if (strcmp (seen, mirror->told[i]) != 0) {
            print_error ("seed %llu: %s is \"%s\", told was \"%s\"\n", (unsigned long long) seed,
                         mirrored[i], seen, mirror->told[i]);
        }
        assert_string_equal (mirror->told[i], seen);
    }
}

static void change_something (struct peer *root, struct prng *prng)
{
    static const struct item blind[] = {{W | D, "world", "anyone"}, {0}};
    static const struct item *const lists[] = {open_list, of_root, of_anna, blind};
    const char *path = mirrored[prng_below (prng, MIRRORED)];
    const struct item *list = lists[prng_below (prng, 4)];
    char data[8];
    (void) snprintf (data, sizeof data, "%llu", (unsigned long long) prng_below (prng, 1000));
    switch (prng_below (prng, 6)) {
    case 0:
        ask_delete (root, path, -1);
        break;
    case 1:
        ask_set (root, path, data, -1);
        break;
    case 2:
    case 3:
        ask_create_with (root, path, data, prng_chance (prng, 1, 2) ? nothing : list);
        break;
    default:
        ask_set_acl (root, path, list);
    }
}

/* However lists and znodes change - while a snapshot is under way, live, or read from the ring - in
 * the end the stream has told what the session may see, and nothing else. */
static void a_mirror_is_what_may_be_seen (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct prng prng;
        struct cast cast;
        struct mirror mirror = {{""}};
        prng_seed (&prng, seed);
        cast_begin (&cast, (struct world_options){.walk_nodes = 1, .walk_window = 100});
        struct peer *peer = cast.other;
        ask_stream (peer, 1, "/p", 0);
        uint32_t flags = prng_chance (&prng, 1, 3) ? 64 : 0;
        peer->requests[0]->stream_open->flags = flags;
        peer_do (peer);
        for (int step = 0; step < STEPS; step++) {
            for (uint64_t n = prng_between (&prng, 1, 4); n > 0; n--) {
                change_something (cast.root, &prng);
            }
            if (prng_chance (&prng, 1, 2)) {
                peer_send (cast.root);
                world_commit (cast.world, 1); /* and no turn for the snapshots yet */
            } else {
                peer_do (cast.root);
            }
            forget_lines (cast.root);
            take_lines (&mirror, peer);
            if (prng_chance (&prng, 1, 6)) {
                world_run (cast.world);
                take_lines (&mirror, peer);
                expect_mirror (&mirror, peer, seed);
                /* It comes back later, and goes on from the ring. */
                uint64_t from = peer->batched;
                peer_disconnect (peer, true);
                change_something (cast.root, &prng);
                change_something (cast.root, &prng);
                quietly (cast.root);
                peer_connect (peer, 0);
                peer_hello (peer);
                world_run (cast.world);
                ask_rearm (peer, from, false);
                ask_rearm_stream (peer, 1, "/p", from);
                peer->frame.rearm->streams[0]->flags = flags;
                peer_send (peer);
            }
        }
        world_run (cast.world);
        take_lines (&mirror, peer);
        expect_mirror (&mirror, peer, seed);
        world_free (&cast.world);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (watches_tell_what_may_be_seen),
        cmocka_unit_test (watches_after_a_reconnect),
        cmocka_unit_test (a_stream_shows_what_may_be_seen),
        cmocka_unit_test (a_stream_that_was_away),
        cmocka_unit_test (a_mirror_is_what_may_be_seen),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

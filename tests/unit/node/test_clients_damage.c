/* clients.h and a state that changes by itself: whoever asks for more behind it is told nothing. */

#include "tests/support/tree_rot.h"
#include "tests/unit/node/clients_world.h"

/* An answer is missing where it was found; those behind it would come out of turn, and say that all
 * before them was told. */
static void nothing_is_told_behind_damage (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0), *other = peer_attached (world, 0);
    struct prng prng;
    struct tree_rot rot;
    ask_create (peer, "/a", "one", 0);
    ask_create (peer, "/b", "two", 0);
    peer_do (peer);
    forget_lines (peer);
    forget_lines (other);
    prng_seed (&prng, 1);
    assert_true (tree_rot (world->servers[0].tree, &prng, "/a", true, &rot));
    ask_get (peer, "/b", false);
    ask_get (peer, "/a", false);
    ask_get (peer, "/b", false);
    peer_send (peer);
    ask_get (other, "/b", false);
    peer_do (other);
    expect (peer, NULL);
    expect (other, NULL);
    world_free (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (nothing_is_told_behind_damage),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

/* Recipes under which somebody changes znodes by hand, with real servers: what was deleted under
 * its holder, in sight of it or while it was cut off. */

#include <stdio.h>
#include <string.h>

#include "tests/unit/recipes/ensembles.h"

/* ---- Claims ---------------------------------------------------------------------------------- */

enum { PLAYERS = 40 };

struct game {
    cohort_t *client;
    cohort_member_t *member;
    cohort_claims_t *claims;
    cohort_claim_t *players[PLAYERS];
    int granted, revoked, fenced;
};

static void on_player (cohort_claim_t *claim, const cohort_claim_event_t *event, void *arg)
{
    struct game *self = arg;
    self->granted += event->kind == COHORT_CLAIM_GRANTED;
    if (event->kind == COHORT_CLAIM_REVOKED) {
        assert_false (cohort_claim_held (claim));
        assert_true (event->rc == COHORT_ENONODE || event->rc == COHORT_EFENCED);
        self->revoked++;
        self->fenced += event->rc == COHORT_EFENCED;
    }
}

static void game_begin (struct game *self, const char *path)
{
    *self = (struct game){.client = join ()};
    self->member = cohort_member_new (self->client, path, "", 0, COHORT_MEMBER_WAIT);
    self->claims = cohort_claims_new (self->client, "/users", path);
    assert_non_null (self->member);
    assert_non_null (self->claims);
}

static void admit (struct game *self, int player)
{
    char name[16];
    snprintf (name, sizeof name, "p%d", player);
    self->players[player] = cohort_claim_new (self->claims, name, NULL, 0);
    assert_non_null (self->players[player]);
    cohort_claim_set_handler (self->players[player], on_player, self);
    assert_int_equal (cohort_claim_take (self->players[player], COHORT_CLAIM_REJECT, 0), 0);
}

static void game_end (struct game *self)
{
    for (int i = 0; i < PLAYERS; i++) {
        cohort_claim_destroy (&self->players[i]);
    }
    cohort_claims_destroy (&self->claims);
    cohort_member_destroy (&self->member);
    leave (&self->client);
}

static void delete_by_hand (cohort_t *hand, const char *path)
{
    assert_int_equal (cohort_delete (hand, path, COHORT_ANY_VERSION), 0);
}

/* Its holder hears of it, and nobody else does. */
static void a_claim_is_deleted_under_its_holder (void **state)
{
    (void) state;
    struct game games[2];
    cohort_t *hand = join ();
    game_begin (&games[0], "/server-a");
    game_begin (&games[1], "/server-b");
    cohort_t *clients[] = {games[0].client, games[1].client};
    for (int i = 0; i < PLAYERS; i++) {
        admit (&games[0], i);
    }
    until (clients, 2, games[0].granted == PLAYERS);
    delete_by_hand (hand, "/users/p3");
    until (clients, 2, games[0].revoked == 1);
    assert_false (cohort_claim_held (games[0].players[3]));
    assert_int_equal (games[0].fenced, 0);
    /* It is free, and all others are held. */
    admit (&games[1], 3);
    admit (&games[1], 4);
    assert_int_equal (cohort_claim_wait (games[1].players[3], LIMIT_MS), 0);
    assert_int_equal (cohort_claim_wait (games[1].players[4], LIMIT_MS), COHORT_EBUSY);
    /* While its holder is cut off, and the servers elect another leader; and given to another. */
    cohort_fault_isolate (games[0].client, 1);
    until (clients, 1, cohort_state (games[0].client) == COHORT_SUSPENDED);
    delete_by_hand (hand, "/users/p5");
    delete_by_hand (hand, "/users/p6");
    admit (&games[1], 6);
    assert_int_equal (cohort_claim_wait (games[1].players[6], LIMIT_MS), 0);
    kill_leader_and_start_it_anew ();
    cohort_fault_isolate (games[0].client, 0);
    until (clients, 2, games[0].revoked == 3);
    assert_int_equal (games[0].fenced, 1);
    assert_false (cohort_claim_held (games[0].players[5]));
    assert_false (cohort_claim_held (games[0].players[6]));
    assert_int_equal (cohort_claims_count (games[0].claims), PLAYERS - 3);
    /* All of them. */
    assert_int_equal (cohort_delete_tree (hand, "/users", 0, COHORT_ANY_VERSION, NULL), 0);
    until (clients, 2, games[0].revoked == PLAYERS && games[1].revoked == 2);
    assert_int_equal (cohort_claims_count (games[0].claims), 0);
    game_end (&games[0]);
    game_end (&games[1]);
    leave (&hand);
}

int main (void)
{
#define THREE(name) cmocka_unit_test_setup_teardown (name, begin_three, end)
    const struct CMUnitTest tests[] = {
        THREE (a_claim_is_deleted_under_its_holder),
    };
#undef THREE
    return cmocka_run_group_tests (tests, NULL, NULL);
}

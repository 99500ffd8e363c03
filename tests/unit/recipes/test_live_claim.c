/* Claims with the real client and a real server in this process: the life of players on game
 * servers, and random operations under faults, with a checker. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/base/prng.h"
#include "tests/unit/recipes/live.h"

/* A game server. */
struct game {
    char path[32];
    cohort_t *client;
    cohort_member_t *member;
    cohort_claims_t *claims;
};

/* On a clock that stands still: whoever is not dispatched for so long loses its session. */
static const cohort_options_t mortal = {
    .timeout_ms = 400, .disconnect_grace_ms = 400, .watchdog_ms = 100};

static void game_start (struct game *self, const char *name, cohort_options_t options)
{
    snprintf (self->path, sizeof (self->path), "/servers/%s", name);
    self->client = live_client_with (options);
    self->member = cohort_member_new (self->client, self->path, "", 0, COHORT_MEMBER_WAIT);
    self->claims = cohort_claims_new (self->client, "/users", self->path);
    assert_non_null (self->member);
    assert_non_null (self->claims);
}

static bool synced;

static void on_synced (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    (void) result;
    (void) arg;
    synced = true;
}

/* What is left behind comes to its end: its answers come before that of a sync. */
static void game_stop (struct game *self)
{
    synced = false;
    cohort_claims_destroy (&self->claims);
    cohort_member_destroy (&self->member);
    int rc = cohort_sync_async (self->client, on_synced, NULL);
    assert_true (rc == 0 || rc == COHORT_ESESSIONEXPIRED);
    for (int ms = 0; rc == 0 && !synced; ms += LIVE_STEP_MS) {
        assert_true (ms < LIVE_LIMIT_MS);
        (void) cohort_server_advance_ms (live_server, LIVE_STEP_MS); /* if its clock is ours */
        assert_true (cohort_run (self->client, 1) >= 0);
    }
    (void) cohort_dispatch (self->client, 0);
    cohort_destroy (&self->client);
}

static cohort_claim_t *claim_of (struct game *game, const char *name)
{
    cohort_claim_t *claim = cohort_claim_new (game->claims, name, "x", 1);
    assert_non_null (claim);
    return claim;
}

static cohort_claim_t *login (struct game *game, const char *name)
{
    cohort_claim_t *claim = claim_of (game, name);
    assert_int_equal (cohort_claim_take (claim, COHORT_CLAIM_REJECT, 0), 0);
    assert_int_equal (cohort_claim_wait (claim, LIVE_LIMIT_MS), 0);
    return claim;
}

/* ---- Lives ----------------------------------------------------------------------------------- */

static void save_and_yield (cohort_claim_t *self, const cohort_claim_event_t *event, void *arg)
{
    struct game *game = arg;
    if (event->kind == COHORT_CLAIM_ASKED) {
        cohort_txn_t *txn = cohort_txn_new ();
        assert_int_equal (cohort_claim_guard (self, txn), 0);
        cohort_txn_set (txn, "/save", "7", 1, COHORT_ANY_VERSION);
        assert_int_equal (cohort_multi_async (game->client, txn, NULL, NULL), 0);
        cohort_txn_destroy (&txn);
        assert_int_equal (cohort_claim_yield (self), 0);
    }
}

static void a_second_login_makes_the_first_one_save_and_yield (void **state)
{
    (void) state;
    struct game a, b;
    game_start (&a, "a", (cohort_options_t){0});
    game_start (&b, "b", (cohort_options_t){0});
    cohort_claim_t *first = login (&a, "alice");
    assert_int_equal (
        cohort_create (a.client, "/save", "6", 1, COHORT_PERSISTENT, NULL, NULL, NULL), 0);
    cohort_txn_t *late = cohort_txn_new ();
    assert_int_equal (cohort_claim_guard (first, late), 0);
    cohort_txn_set (late, "/save", "5", 1, COHORT_ANY_VERSION);
    cohort_claim_set_handler (first, save_and_yield, &a);
    cohort_claim_t *second = claim_of (&b, "alice");
    assert_int_equal (cohort_claim_take (second, COHORT_CLAIM_REJECT, 0), 0);
    assert_int_equal (cohort_claim_wait (second, LIVE_LIMIT_MS), COHORT_EBUSY);
    assert_int_equal (cohort_claim_take (second, COHORT_CLAIM_KICK, LIVE_LIMIT_MS), 0);
    live_until (a.client, cohort_dispatch (b.client, 0) >= 0 && !cohort_claim_held (first));
    assert_int_equal (cohort_claim_wait (second, LIVE_LIMIT_MS), 0);
    assert_int_equal (cohort_multi (a.client, late), COHORT_EBADCZXID);
    void *data = NULL;
    size_t size = 0;
    assert_int_equal (cohort_get (b.client, "/save", &data, &size, NULL), 0);
    assert_string_equal (data, "7");
    cohort_free (data);
    cohort_txn_destroy (&late);
    /* Nothing is left of it but who holds it. */
    cohort_why_t *why = NULL;
    assert_int_equal (cohort_why (b.client, "/users/alice", &why), 0);
    assert_int_equal (why->count, 1);
    assert_true (why->items[0].holds);
    assert_int_equal (why->items[0].token.czxid, cohort_claim_token (second).czxid);
    assert_int_equal (why->items[0].session, cohort_session_id (b.client));
    assert_string_equal (why->items[0].data, "x");
    cohort_why_destroy (&why);
    cohort_claim_destroy (&first);
    cohort_claim_destroy (&second);
    game_stop (&a);
    game_stop (&b);
}

static bool told;

static void on_waiting (cohort_claim_t *self, const cohort_claim_event_t *event, void *arg)
{
    (void) self;
    (void) arg;
    told = told || event->kind == COHORT_CLAIM_WAITING;
}

static void who_does_not_answer_loses_it_when_the_grace_is_over (void **state)
{
    (void) state;
    struct game a, b, c;
    game_start (&a, "a", (cohort_options_t){0});
    game_start (&b, "b", (cohort_options_t){0});
    game_start (&c, "c", (cohort_options_t){0});
    cohort_claim_t *first = login (&a, "alice");
    cohort_claim_t *waits = claim_of (&c, "alice");
    assert_int_equal (cohort_claim_take (waits, COHORT_CLAIM_WAIT, 0), 0);
    assert_int_equal (cohort_claim_wait (waits, 10), COHORT_ETIMEDOUT);
    told = false;
    cohort_claim_set_handler (waits, on_waiting, NULL);
    assert_int_equal (cohort_claim_take (waits, COHORT_CLAIM_WAIT, 0), 0);
    live_until (c.client, told);
    cohort_claim_t *second = claim_of (&b, "alice");
    assert_int_equal (cohort_claim_take (second, COHORT_CLAIM_KICK, 50), 0);
    assert_int_equal (cohort_claim_wait (second, LIVE_LIMIT_MS), 0);
    cohort_why_t *why = NULL;
    assert_int_equal (cohort_why (b.client, "/users/alice", &why), 0);
    assert_int_equal (why->count, 2);
    assert_true (why->items[0].holds);
    assert_false (why->items[1].holds);
    assert_int_equal (why->items[1].session, cohort_session_id (c.client));
    cohort_why_destroy (&why);
    live_until (a.client, !cohort_claim_held (first));
    cohort_claim_destroy (&second);
    live_until (c.client, cohort_claim_held (waits));
    cohort_claim_destroy (&waits);
    cohort_claim_destroy (&first);
    game_stop (&a);
    game_stop (&b);
    game_stop (&c);
}

#define PLAYERS 300

static void a_dead_game_server_frees_all_by_one_transaction (void **state)
{
    (void) state;
    struct game a, b;
    game_start (&a, "a", mortal);
    game_start (&b, "b", (cohort_options_t){.timeout_ms = 1000000});
    cohort_claim_t *players[PLAYERS];
    char name[16];
    for (int i = 0; i < PLAYERS; i++) {
        snprintf (name, sizeof (name), "p%d", i);
        players[i] = claim_of (&a, name);
        assert_int_equal (cohort_claim_take (players[i], COHORT_CLAIM_REJECT, 0), 0);
    }
    live_until (a.client, cohort_claims_count (a.claims) == PLAYERS);
    uint64_t session = cohort_session_id (a.client), count = 1;
    /* It hangs, and its session ends: it had one ephemeral znode, and has none. */
    cohort_sessions_t *page = NULL;
    assert_int_equal (cohort_sessions (b.client, session - 1, 1, &page), 0);
    assert_int_equal (page->items[0].id, session);
    assert_int_equal (page->items[0].ephemerals, 1);
    cohort_sessions_destroy (&page);
    while (count > 0) {
        assert_int_equal (cohort_server_advance_ms (live_server, LIVE_STEP_MS), 0);
        count = (uint64_t) (cohort_exists (b.client, a.path, NULL) == 0);
    }
    cohort_claim_t *taken = login (&b, "p7");
    int64_t left = 0;
    assert_int_equal (cohort_count (b.client, "/users", NULL, &left, NULL), 0);
    assert_int_equal (left, PLAYERS);
    /* What nobody takes can be swept away, and only that. */
    char *next = NULL;
    int swept = cohort_claims_sweep (b.claims, NULL, 100, &next);
    assert_true (swept >= 99);
    while (next != NULL) {
        char *after = next;
        int more = cohort_claims_sweep (b.claims, after, 100, &next);
        assert_true (more >= 0);
        swept += more;
        cohort_free (after);
    }
    assert_int_equal (swept, PLAYERS - 1);
    assert_int_equal (cohort_exists (b.client, cohort_claim_path (taken), NULL), 0);
    live_until (a.client, cohort_claims_count (a.claims) == 0);
    for (int i = 0; i < PLAYERS; i++) {
        cohort_claim_destroy (&players[i]);
    }
    cohort_claim_destroy (&taken);
    game_stop (&a);
    game_stop (&b);
}

static void a_game_server_comes_back_with_its_state_file (void **state)
{
    (void) state;
    char file[64];
    snprintf (file, sizeof (file), "/tmp/cohort-claim-%ld", (long) getpid ());
    struct game a, b;
    game_start (&a, "a", (cohort_options_t){.state_file = file});
    game_start (&b, "b", (cohort_options_t){0});
    cohort_claim_t *first = login (&a, "alice");
    uint64_t token = cohort_claim_token (first).czxid;
    cohort_txn_t *late = cohort_txn_new ();
    assert_int_equal (cohort_claim_guard (first, late), 0);
    cohort_txn_create (late, "/late", "", 0, COHORT_PERSISTENT, NULL);
    /* A crash: nothing is said to the servers. */
    cohort_claims_destroy (&a.claims);
    cohort_claim_destroy (&first);
    cohort_t *crashed = a.client;
    cohort_member_t *member = a.member;
    game_start (&a, "a", (cohort_options_t){.state_file = file});
    /* It need not wait for the session of before, and nobody else gets in between. */
    cohort_claim_t *second = claim_of (&b, "alice");
    assert_int_equal (cohort_claim_take (second, COHORT_CLAIM_REJECT, 0), 0);
    assert_int_equal (cohort_claim_wait (second, LIVE_LIMIT_MS), COHORT_EBUSY);
    first = login (&a, "alice");
    assert_true (cohort_claim_token (first).czxid > token);
    assert_int_equal (cohort_multi (a.client, late), COHORT_EBADCZXID);
    cohort_txn_destroy (&late);
    cohort_member_destroy (&member);
    cohort_abandon (&crashed);
    cohort_claim_destroy (&first);
    cohort_claim_destroy (&second);
    game_stop (&a);
    game_stop (&b);
    (void) unlink (file);
}

/* ---- Random operations ----------------------------------------------------------------------- */

#define GAMES      5
#define NAMES      2
#define OPERATIONS 500

struct player {
    cohort_claim_t *claim;
    uint64_t asked; /* token that it is asked for */
};

struct server {
    struct game game;
    struct player players[NAMES];
    unsigned hangs; /* turns in which it does nothing */
};

/* Saves that were carried out, in their order. */
struct history {
    uint64_t zxid, token;
};

static struct world {
    struct prng prng;
    struct server servers[GAMES];
    struct history last[NAMES];
    bool kicks; /* somebody who does not dispatch is made to yield, too */
    unsigned grants, losses, saves, refused;
} world;

static void on_event (cohort_claim_t *claim, const cohort_claim_event_t *event, void *arg)
{
    struct player *player = arg;
    assert_ptr_equal (claim, player->claim);
    world.grants += event->kind == COHORT_CLAIM_GRANTED;
    world.losses += event->kind == COHORT_CLAIM_REVOKED;
    if (event->kind == COHORT_CLAIM_ASKED) {
        player->asked = event->token.czxid;
    }
}

static void pass_ms (int64_t ms)
{
    assert_int_equal (cohort_server_advance_ms (live_server, ms), 0);
}

static void server_start (struct server *self)
{
    char name[8];
    snprintf (name, sizeof (name), "s%d", (int) (self - world.servers));
    *self = (struct server){0};
    game_start (&self->game, name, mortal);
    for (int i = 0; i < NAMES; i++) {
        struct player *player = &self->players[i];
        player->claim = claim_of (&self->game, i == 0 ? "alice" : "bob");
        cohort_claim_set_handler (player->claim, on_event, player);
    }
}

static void server_stop (struct server *self)
{
    for (int i = 0; i < NAMES; i++) {
        cohort_claim_destroy (&self->players[i].claim);
    }
    game_stop (&self->game);
}

/* Saves of a name are carried out in the order of tokens. */
static void on_saved (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct history *save = arg;
    int name = (int) (save->zxid);
    if (result->rc == 0) {
        struct history *last = &world.last[name];
        if (result->zxid > last->zxid) {
            assert_true (save->token >= last->token);
            *last = (struct history){.zxid = result->zxid, .token = save->token};
        } else {
            assert_true (save->token <= last->token);
        }
        world.saves++;
    } else if (result->rc != COHORT_ESESSIONEXPIRED) {
        world.refused++;
    }
    free (save);
}

static void save_name (struct server *server, int name)
{
    cohort_claim_t *claim = server->players[name].claim;
    cohort_txn_t *txn = cohort_txn_new ();
    if (cohort_claim_guard (claim, txn) == 0) {
        char path[8];
        snprintf (path, sizeof (path), "/save%d", name);
        cohort_create_options_t options = {.size = sizeof (options), .if_absent = 1};
        cohort_txn_create_with (txn, path, NULL, 0, &options);
        cohort_txn_set (txn, path, "", 0, COHORT_ANY_VERSION);
        struct history *save = malloc (sizeof (*save));
        assert_non_null (save);
        *save =
            (struct history){.zxid = (uint64_t) name, .token = cohort_claim_token (claim).czxid};
        if (cohort_multi_async (server->game.client, txn, on_saved, save) != 0) {
            free (save);
        }
    }
    cohort_txn_destroy (&txn);
}

static void restart_server (void)
{
    assert_int_equal (cohort_server_crash (live_server), 0);
    assert_int_equal (cohort_server_start (live_server), 0);
    assert_int_equal (cohort_server_wait (live_server, LIVE_LIMIT_MS), 0);
}

static void take (cohort_claim_t *claim)
{
    cohort_claim_policy_t policy =
        (cohort_claim_policy_t) prng_below (&world.prng, world.kicks ? 3 : 2);
    int rc = cohort_claim_take (claim, policy, (int) prng_below (&world.prng, 200));
    assert_true (rc == 0 || rc == COHORT_ESTATE || rc == COHORT_ESESSIONEXPIRED);
}

static void operate (void)
{
    struct server *self = &world.servers[prng_below (&world.prng, GAMES)];
    int name = (int) prng_below (&world.prng, NAMES);
    cohort_claim_t *claim = self->players[name].claim;
    uint64_t what = prng_below (&world.prng, 100);
    if (what < 35) {
        take (claim);
    } else if (what < 50) {
        int rc = cohort_claim_yield (claim);
        assert_true (rc == 0 || rc == COHORT_ESTATE);
    } else if (what < 75) {
        save_name (self, name);
    } else if (what < 78) {
        server_stop (self);
        server_start (self);
    } else if (what < 80) {
        self->hangs = 250;
    } else if (what < 82) {
        restart_server ();
    } else if (what < 84 && world.kicks) {
        int rc = cohort_delete_async (self->game.client, self->game.path, COHORT_ANY_VERSION, NULL,
                                      NULL);
        assert_true (rc == 0 || rc == COHORT_ESESSIONEXPIRED);
    } else {
        pass_ms ((int64_t) prng_below (&world.prng, 100));
    }
}

/* Where nobody is made to yield, and no znode is deleted by hand, at most one is valid. */
static void check (void)
{
    for (int name = 0; name < NAMES && !world.kicks; name++) {
        unsigned valid = 0;
        for (int i = 0; i < GAMES; i++) {
            valid += (unsigned) cohort_claim_valid (world.servers[i].players[name].claim, 0);
        }
        assert_true (valid <= 1);
    }
}

static void dispatch (void)
{
    for (int i = 0; i < GAMES; i++) {
        struct server *self = &world.servers[i];
        if (self->hangs > 0) {
            self->hangs--;
            continue;
        }
        if (prng_chance (&world.prng, 3, 4)) {
            cohort_dispatch (self->game.client, 0);
            check ();
        }
        for (int name = 0; name < NAMES; name++) {
            struct player *player = &self->players[name];
            if (player->asked != 0 && prng_chance (&world.prng, 1, 8)) {
                if (player->asked == cohort_claim_token (player->claim).czxid) {
                    save_name (self, name);
                    assert_int_equal (cohort_claim_yield (player->claim), 0);
                }
                player->asked = 0;
            }
        }
    }
}

static void random_run (uint64_t seed)
{
    world = (struct world){.kicks = seed % 2 == 0};
    prng_seed (&world.prng, seed);
    for (int i = 0; i < GAMES; i++) {
        server_start (&world.servers[i]);
    }
    for (int i = 0; i < OPERATIONS; i++) {
        operate ();
        pass_ms (prng_chance (&world.prng, 1, 4) ? 1 : 0);
        dispatch ();
    }
    /* In the end everybody can have it. */
    for (int i = 0; i < GAMES; i++) {
        server_stop (&world.servers[i]);
    }
    struct server *last = &world.servers[0];
    server_start (last);
    cohort_claim_t *claim = last->players[0].claim;
    assert_int_equal (cohort_claim_take (claim, COHORT_CLAIM_WAIT, 0), 0);
    for (int ms = 0; !cohort_claim_valid (claim, 0); ms += LIVE_STEP_MS) {
        assert_true (ms < LIVE_LIMIT_MS);
        assert_true (cohort_run (last->game.client, 1) >= 0);
        pass_ms (LIVE_STEP_MS);
    }
    server_stop (last);
}

static void random_operations_of_several_servers (void **state)
{
    const char *fixed = getenv ("COHORT_SEED");
    uint64_t from = fixed == NULL ? 1 : strtoull (fixed, NULL, 10);
    uint64_t to = fixed == NULL ? 4 : from;
    unsigned losses = 0;
    for (uint64_t seed = from; seed <= to; seed++) {
        print_message ("seed %llu (COHORT_SEED)\n", (unsigned long long) seed);
        random_run (seed);
        print_message ("%u grants, %u losses, %u saves, %u refused\n", world.grants, world.losses,
                       world.saves, world.refused);
        assert_true (world.grants > 10);
        assert_true (world.saves > 10);
        losses += world.losses;
        live_stop (state);
        assert_int_equal (live_start_manual (state), 0);
    }
    assert_true (losses > 0 || fixed != NULL);
}

int main (void)
{
#define TEST(name, start) cmocka_unit_test_setup_teardown (name, start, live_stop)
    const struct CMUnitTest tests[] = {
        TEST (a_second_login_makes_the_first_one_save_and_yield, live_start),
        TEST (who_does_not_answer_loses_it_when_the_grace_is_over, live_start),
        TEST (a_dead_game_server_frees_all_by_one_transaction, live_start_manual),
        TEST (a_game_server_comes_back_with_its_state_file, live_start),
        TEST (random_operations_of_several_servers, live_start_manual),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}

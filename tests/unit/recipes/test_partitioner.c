/* Partitions that are shared out: no two own one, all are owned at rest, evenly, and few move. */

#include "cohort/partitioner.h"

#include <stdlib.h>

#include "client/base/prng.h"
#include "cohort/lock.h"
#include "tests/unit/recipes/fake.h"
#include "tests/unit/recipes/trace.h"

#define PATH       "/maps/regions"
#define PARTITIONS 12
#define MEMBERS    5
#define SEEDS      30
#define OPERATIONS 400
#define GRACE_MS   500

static const char *const names[] = {"a", "b", "c", "d", "e"};

struct owner {
    cohort_t *client;
    cohort_partitioner_t *self;
    bool confirms; /* what is asked back, at once */
    cohort_partitioner_kind_t doom;
    int count[COHORT_PARTITIONER_ERROR + 1];
    int rc; /* of the last error */
};
static struct owner all[MEMBERS];

/* The token of the last grant of each partition. */
static uint64_t last_token[PARTITIONS + 1];

static void on_event (cohort_partitioner_t *self, const cohort_partitioner_event_t *event,
                      void *arg)
{
    fake_in_handler ();
    struct owner *owner = arg;
    owner->count[event->kind]++;
    owner->rc = event->rc != 0 ? event->rc : owner->rc;
    switch (event->kind) {
    case COHORT_PARTITIONER_ACQUIRED:
        assert_true (event->token.czxid > last_token[event->number]);
        last_token[event->number] = event->token.czxid;
        assert_true (cohort_partitioner_owns (self, event->number));
        break;
    case COHORT_PARTITIONER_RELEASE_ASKED:
        assert_true (cohort_partitioner_owns (self, event->number));
        assert_int_equal (event->token.czxid, cohort_partitioner_token (self, event->number).czxid);
        if (owner->confirms) {
            assert_int_equal (cohort_partitioner_release (self, event->number), 0);
        }
        break;
    case COHORT_PARTITIONER_RELEASED:
    case COHORT_PARTITIONER_REVOKED:
        assert_false (cohort_partitioner_owns (self, event->number));
        assert_int_not_equal (event->token.czxid, 0);
        break;
    case COHORT_PARTITIONER_CONFLICT:
    case COHORT_PARTITIONER_ERROR:
        assert_int_not_equal (event->rc, 0);
        break;
    }
    if (owner->doom == event->kind) {
        cohort_partitioner_destroy (&owner->self);
    }
}

static void enter_with (size_t i, int partitions, int64_t grace_ms)
{
    const cohort_partitioner_options_t options = {.size = sizeof (options), .grace_ms = grace_ms};
    all[i].self = cohort_partitioner_new (all[i].client, PATH, names[i], partitions, &options);
    assert_non_null (all[i].self);
    cohort_partitioner_set_handler (all[i].self, on_event, &all[i]);
}

static void enter (size_t i)
{
    enter_with (i, PARTITIONS, GRACE_MS);
}

static void settle (void)
{
    for (size_t turn = 0; turn < 4; turn++) {
        for (size_t i = 0; i < MEMBERS; i++) {
            fake_settle (all[i].client);
        }
    }
}

static void leave (size_t i)
{
    cohort_partitioner_destroy (&all[i].self);
    fake_settle (all[i].client);
    assert_int_equal (fake_streams (all[i].client), 0);
}

/* Nobody's word is valid at the same time as another's. */
static void check_owners (void)
{
    for (int n = 0; n < PARTITIONS; n++) {
        int valid = 0;
        for (size_t i = 0; i < MEMBERS; i++) {
            valid += all[i].self != NULL && cohort_partitioner_valid (all[i].self, n, 0);
        }
        assert_true (valid <= 1);
    }
}

/* Each partition has one owner, and no member has two more than another. */
static void check_rest (size_t members)
{
    for (int n = 0; n < PARTITIONS; n++) {
        int owners = 0;
        for (size_t i = 0; i < MEMBERS; i++) {
            owners += all[i].self != NULL && cohort_partitioner_owns (all[i].self, n);
        }
        assert_int_equal (owners, 1);
    }
    for (size_t i = 0; i < MEMBERS; i++) {
        int least = PARTITIONS / (int) members, more = PARTITIONS % (int) members != 0;
        int count = all[i].self == NULL ? least : cohort_partitioner_count (all[i].self);
        assert_true (count >= least && count <= least + more);
        assert_true (all[i].self == NULL || cohort_partitioner_wait (all[i].self, 0) == 0);
    }
}

static int start (void **state)
{
    (void) state;
    fake_reset ();
    fake_now_ms = 0;
    memset (all, 0, sizeof (all));
    memset (last_token, 0, sizeof (last_token));
    for (size_t i = 0; i < MEMBERS; i++) {
        all[i] = (struct owner){.client = fake_client (), .confirms = true};
    }
    return 0;
}

static int stop (void **state)
{
    (void) state;
    for (size_t i = 0; i < MEMBERS; i++) {
        cohort_partitioner_destroy (&all[i].self);
        fake_settle (all[i].client);
        assert_int_equal (fake_streams (all[i].client), 0);
    }
    assert_int_equal (fake_count (PATH "/members/"), 0);
    fake_reset ();
    return 0;
}

static void they_are_shared_out_evenly_and_few_move (void **state)
{
    (void) state;
    int moved = 0;
    for (size_t i = 0; i < MEMBERS; i++) {
        enter (i);
        settle ();
        check_rest (i + 1);
    }
    assert_string_equal (fake_data (PATH), "partitions=12\n");
    for (size_t i = 0; i < MEMBERS; i++) {
        moved += all[i].count[COHORT_PARTITIONER_RELEASE_ASKED];
        assert_int_equal (all[i].count[COHORT_PARTITIONER_RELEASED], 0);
    }
    /* 12 / 2 + 12 / 3 + 12 / 4 + 12 / 5 had to, 15 of 48. */
    print_message ("%d moved\n", moved);
    assert_true (moved >= 15 && moved <= 24);
    for (size_t i = 0; i + 1 < MEMBERS; i++) {
        leave (i);
        settle ();
        check_rest (MEMBERS - i - 1);
    }
    assert_int_equal (cohort_partitioner_count (all[4].self), PARTITIONS);
}

static void a_change_writes_only_what_moves (void **state)
{
    (void) state;
    enter (0);
    settle ();
    /* The path, the member, each partition. */
    assert_int_equal (fake_writes (), 1 + 1 + PARTITIONS);
    enter (1);
    settle ();
    /* To join, and of each that moves: the place, the release, the record of one who waited. */
    assert_true (fake_writes () <= 14 + 2 + 3 * PARTITIONS / 2);
    assert_int_equal (fake_streams (all[0].client), 2 + PARTITIONS / 2);
}

/* The first partition that the member does or does not own. */
static int first_of (size_t i, int owned)
{
    for (int n = 0; n < PARTITIONS; n++) {
        if (cohort_partitioner_owns (all[i].self, n) == owned) {
            return n;
        }
    }
    fail ();
    return -1;
}

static void what_is_asked_back_is_given_up_when_confirmed_or_late (void **state)
{
    (void) state;
    all[0].confirms = false;
    enter (0);
    settle ();
    assert_int_equal (fake_timer_ms (all[0].client), -1);
    assert_int_equal (cohort_partitioner_release (all[0].self, 0), COHORT_ESTATE);
    assert_int_equal (cohort_partitioner_release (all[0].self, PARTITIONS), COHORT_EINVAL);
    enter (1);
    settle ();
    /* It is owned still, until the grace is over. */
    assert_int_equal (all[0].count[COHORT_PARTITIONER_RELEASE_ASKED], PARTITIONS / 2);
    assert_int_equal (cohort_partitioner_count (all[0].self), PARTITIONS);
    assert_int_equal (cohort_partitioner_count (all[1].self), 0);
    assert_int_equal (fake_timer_ms (all[0].client), GRACE_MS);
    int asked = 0;
    while (cohort_partitioner_valid (all[0].self, asked, GRACE_MS)) {
        asked++;
    }
    assert_true (cohort_partitioner_valid (all[0].self, asked, GRACE_MS - 1));
    assert_int_equal (cohort_partitioner_release (all[0].self, asked), 0);
    assert_int_equal (cohort_partitioner_release (all[0].self, asked), COHORT_ESTATE);
    settle ();
    assert_true (cohort_partitioner_owns (all[1].self, asked));
    assert_int_equal (cohort_partitioner_wait (all[1].self, 0), COHORT_ETIMEDOUT);
    fake_now_ms += GRACE_MS - 1;
    (void) cohort_dispatch (all[0].client, 0);
    assert_int_equal (all[0].count[COHORT_PARTITIONER_RELEASED], 0);
    fake_now_ms += 1;
    int late = 0;
    while (cohort_partitioner_valid (all[0].self, late, 0) || late == asked) {
        late++;
    }
    assert_true (cohort_partitioner_owns (all[0].self, late)); /* nobody has looked at the time */
    assert_int_equal (fake_timer_ms (all[0].client), 0);
    (void) cohort_dispatch (all[0].client, 0);
    assert_int_equal (all[0].count[COHORT_PARTITIONER_RELEASED], PARTITIONS / 2 - 1);
    settle ();
    check_rest (2);
}

static void what_is_asked_back_and_ours_again_is_acquired_anew (void **state)
{
    (void) state;
    all[0].confirms = false;
    enter (0);
    settle ();
    enter (1);
    settle ();
    leave (1);
    settle ();
    assert_int_equal (cohort_partitioner_count (all[0].self), PARTITIONS);
    fake_now_ms += GRACE_MS;
    (void) cohort_dispatch (all[0].client, 0);
    assert_int_equal (cohort_partitioner_count (all[0].self), PARTITIONS / 2);
    settle ();
    check_rest (1);
}

static void a_lost_session_revokes_and_is_made_good (void **state)
{
    (void) state;
    enter (0);
    enter (1);
    settle ();
    check_rest (2);
    int one = first_of (0, 1);
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_partitioner_guard (all[0].self, one, txn), 0);
    assert_int_equal (cohort_partitioner_guard (all[0].self, first_of (0, 0), txn), COHORT_ESTATE);
    assert_int_equal (cohort_txn_count (txn), 1);
    cohort_txn_destroy (&txn);
    fake_expire (all[0].client, false, true);
    assert_false (cohort_partitioner_valid (all[0].self, one, 0));
    settle ();
    assert_int_equal (all[0].count[COHORT_PARTITIONER_REVOKED], PARTITIONS / 2);
    check_rest (2);
    fake_suspend (all[1].client);
    fake_set_valid_ms (all[1].client, 10);
    assert_true (cohort_partitioner_owns (all[1].self, first_of (0, 0)));
    assert_false (cohort_partitioner_valid (all[1].self, first_of (0, 0), 10));
    assert_true (cohort_partitioner_valid (all[1].self, first_of (0, 0), 9));
    fake_resume (all[1].client, true);
    settle ();
    check_rest (2);
}

static void znodes_that_are_deleted_by_hand_come_again (void **state)
{
    (void) state;
    enter (0);
    enter (1);
    settle ();
    int asked = all[0].count[COHORT_PARTITIONER_RELEASE_ASKED];
    fake_delete (PATH "/members/a");
    settle ();
    check_rest (2);
    assert_int_equal (all[0].count[COHORT_PARTITIONER_RELEASE_ASKED], asked);
    char place[96], path[64];
    snprintf (path, sizeof (path), PATH "/partitions/%d", first_of (0, 1));
    assert_true (fake_first_child (path, place, sizeof (place)));
    fake_delete (place);
    settle ();
    assert_int_equal (all[0].count[COHORT_PARTITIONER_REVOKED], 1);
    assert_int_equal (all[0].rc, COHORT_ENONODE);
    check_rest (2);
    fake_create (PATH "/members/folder", "", 0); /* is no member */
    settle ();
    check_rest (2);
    fake_delete (PATH "/members/folder");
}

static void another_number_of_partitions_is_refused (void **state)
{
    (void) state;
    enter (0);
    settle ();
    enter_with (1, PARTITIONS + 1, 0);
    settle ();
    assert_int_equal (all[1].rc, COHORT_ECONFIG);
    assert_int_equal (all[1].count[COHORT_PARTITIONER_ERROR], 1);
    assert_int_equal (cohort_partitioner_wait (all[1].self, -1), COHORT_ECONFIG);
    assert_int_equal (cohort_partitioner_count (all[1].self), 0);
    assert_int_equal (cohort_partitioner_count (all[0].self), PARTITIONS);
    leave (0);
    fake_set (PATH, "partitions=13\n");
    assert_int_equal (cohort_partitioner_retry (all[1].self), 0);
    settle ();
    assert_int_equal (cohort_partitioner_wait (all[1].self, -1), 0);
    assert_int_equal (cohort_partitioner_count (all[1].self), PARTITIONS + 1);
}

static void a_name_that_is_taken_is_waited_for (void **state)
{
    (void) state;
    enter (0);
    settle ();
    fake_begin ();
    fake_delete (PATH "/members/a");
    fake_create (PATH "/members/a", "", 7);
    fake_commit ();
    settle ();
    assert_int_equal (all[0].count[COHORT_PARTITIONER_CONFLICT], 1);
    assert_int_equal (cohort_partitioner_count (all[0].self), 0);
    fake_delete (PATH "/members/a");
    settle ();
    check_rest (1);
}

static void a_refusal_is_reported_and_tried_again (void **state)
{
    (void) state;
    enter (0);
    fake_fail_request (all[0].client, COHORT_ENOAUTH);
    settle ();
    assert_int_equal (all[0].rc, COHORT_ENOAUTH);
    assert_int_equal (cohort_partitioner_wait (all[0].self, -1), COHORT_ENOAUTH);
    assert_int_equal (cohort_partitioner_retry (all[0].self), 0);
    settle ();
    check_rest (1);
    /* Of one partition: the others go on, and a change of the members tries it again. */
    leave (0);
    enter (0);
    for (int i = 0; cohort_partitioner_count (all[0].self) == 0; i++) {
        fake_flush (all[0].client);
        if (fake_count (PATH "/members/") == 1 && all[0].rc != COHORT_ELIMIT) {
            fake_fail_later_call (all[0].client, 3, COHORT_ELIMIT);
            all[0].rc = COHORT_ELIMIT;
        }
        (void) cohort_dispatch (all[0].client, 1);
        assert_true (i < 100);
    }
    fake_settle (all[0].client);
    print_message ("%d of %d\n", cohort_partitioner_count (all[0].self), PARTITIONS);
    assert_int_equal (all[0].count[COHORT_PARTITIONER_ERROR], 2);
    assert_int_equal (cohort_partitioner_count (all[0].self), PARTITIONS - 1);
    assert_int_equal (cohort_partitioner_wait (all[0].self, -1), COHORT_ELIMIT);
    enter (1);
    settle ();
    check_rest (2);
    cohort_t *client = all[0].client;
    assert_null (cohort_partitioner_new (NULL, PATH, "x", 1, NULL));
    assert_null (cohort_partitioner_new (client, NULL, "x", 1, NULL));
    assert_null (cohort_partitioner_new (client, "/", "x", 1, NULL));
    assert_null (cohort_partitioner_new (client, PATH "/", "x", 1, NULL));
    assert_null (cohort_partitioner_new (client, PATH, NULL, 1, NULL));
    assert_null (cohort_partitioner_new (client, PATH, "", 1, NULL));
    assert_null (cohort_partitioner_new (client, PATH, "a/b", 1, NULL));
    assert_null (cohort_partitioner_new (client, PATH, "x", 0, NULL));
    assert_null (cohort_partitioner_new (client, PATH, "x", COHORT_PARTITIONER_MAX + 1, NULL));
}

static void destroyed_inside_its_handlers (void **state)
{
    for (int kind = COHORT_PARTITIONER_ACQUIRED; kind <= COHORT_PARTITIONER_ERROR; kind++) {
        (void) start (state);
        all[0].doom = (cohort_partitioner_kind_t) kind;
        all[0].confirms = false;
        enter (0);
        settle ();
        enter (1);
        settle ();
        if (kind == COHORT_PARTITIONER_RELEASED) {
            fake_now_ms += GRACE_MS;
            (void) cohort_dispatch (all[0].client, 0);
        } else if (kind == COHORT_PARTITIONER_REVOKED) {
            fake_expire (all[0].client, false, true);
        } else if (kind == COHORT_PARTITIONER_CONFLICT) {
            fake_begin ();
            fake_delete (PATH "/members/a");
            fake_create (PATH "/members/a", "", 7);
            fake_commit ();
        } else if (kind == COHORT_PARTITIONER_ERROR) {
            fake_delete (PATH "/members/a");
            (void) cohort_dispatch (all[0].client, 1); /* it sends what is refused */
            fake_fail_request (all[0].client, COHORT_ENOAUTH);
        }
        settle ();
        assert_null (all[0].self);
        if (kind == COHORT_PARTITIONER_CONFLICT) {
            fake_delete (PATH "/members/a");
        }
        settle ();
        check_rest (1);
        (void) stop (state);
    }
    (void) start (state);
}

/* ---- Under random faults --------------------------------------------------------------------- */

static struct prng prng;

static void delete_some_place (void)
{
    char place[96], path[64];
    snprintf (path, sizeof (path), PATH "/partitions/%d", (int) prng_below (&prng, PARTITIONS));
    if (fake_first_child (path, place, sizeof (place))) {
        fake_delete (place);
    }
}

/* deletes: also znodes of holders, of which only the tokens tell apart who has it. */
static void operate (bool deletes)
{
    size_t i = (size_t) prng_below (&prng, MEMBERS);
    struct owner *owner = &all[i];
    uint64_t what = prng_below (&prng, 100);
    char member[64];
    snprintf (member, sizeof (member), PATH "/members/%s", names[i]);
    if (what < 4) {
        fake_expire (owner->client, prng_chance (&prng, 1, 2), true);
    } else if (what < 8) {
        if (owner->self != NULL) {
            cohort_partitioner_destroy (&owner->self);
        } else {
            enter (i);
        }
    } else if (what < 10 && fake_data (member) != NULL) {
        fake_delete (member);
    } else if (what < 12 && deletes) {
        delete_some_place ();
    } else if (what < 15) {
        fake_hold (owner->client, prng_chance (&prng, 1, 3));
    } else if (what < 20) {
        fake_now_ms += (int64_t) prng_below (&prng, GRACE_MS);
    } else if (what < 30 && owner->self != NULL) {
        (void) cohort_dispatch (owner->client, 0);
    } else if (what < 40 && owner->self != NULL) {
        (void) cohort_partitioner_release (owner->self, (int) prng_below (&prng, PARTITIONS));
    } else {
        for (uint64_t n = prng_below (&prng, 12); n > 0; n--) {
            (void) fake_flush_one (owner->client);
            (void) cohort_dispatch (owner->client, (int) prng_between (&prng, 1, 4));
        }
    }
    if (!deletes) {
        check_owners ();
    }
}

static void random_run (uint64_t seed)
{
    (void) start (NULL);
    prng_seed (&prng, seed);
    for (size_t i = 0; i < MEMBERS; i++) {
        all[i].confirms = prng_chance (&prng, 1, 2);
        fake_set_order (all[i].client, (enum fake_order) prng_below (&prng, 3));
    }
    for (int i = 0; i < OPERATIONS; i++) {
        operate (seed % 2 == 0);
    }
    for (size_t i = 0; i < MEMBERS; i++) {
        fake_hold (all[i].client, false);
        if (all[i].self == NULL) {
            fake_settle (all[i].client);
            enter (i);
        }
    }
    for (int turn = 0; turn < 4; turn++) {
        settle ();
        fake_now_ms += GRACE_MS;
    }
    settle ();
    check_rest (MEMBERS);
}

static void no_two_own_one_and_each_has_an_owner_at_rest (void **state)
{
    const char *fixed = getenv ("COHORT_SEED");
    uint64_t from = fixed == NULL ? 1 : strtoull (fixed, NULL, 10);
    uint64_t to = fixed == NULL ? SEEDS : from;
    int acquired = 0, revoked = 0, released = 0;
    for (uint64_t seed = from; seed <= to; seed++) {
        print_message ("seed %llu (COHORT_SEED)\n", (unsigned long long) seed);
        random_run (seed);
        for (size_t i = 0; i < MEMBERS; i++) {
            acquired += all[i].count[COHORT_PARTITIONER_ACQUIRED];
            revoked += all[i].count[COHORT_PARTITIONER_REVOKED];
            released += all[i].count[COHORT_PARTITIONER_RELEASED];
        }
        (void) stop (state);
    }
    print_message ("%d acquired, %d revoked, %d released late\n", acquired, revoked, released);
    assert_true (fixed != NULL || (acquired > 20 * SEEDS && revoked > SEEDS && released > SEEDS));
    (void) start (state);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST (they_are_shared_out_evenly_and_few_move),
        TEST (a_change_writes_only_what_moves),
        TEST (what_is_asked_back_is_given_up_when_confirmed_or_late),
        TEST (what_is_asked_back_and_ours_again_is_acquired_anew),
        TEST (a_lost_session_revokes_and_is_made_good),
        TEST (znodes_that_are_deleted_by_hand_come_again),
        TEST (another_number_of_partitions_is_refused),
        TEST (a_name_that_is_taken_is_waited_for),
        TEST (a_refusal_is_reported_and_tried_again),
        TEST (destroyed_inside_its_handlers),
        TEST (no_two_own_one_and_each_has_an_owner_at_rest),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}

/* Unit tests of core/config.h: quorums over all small sets, against a naive model. */

#include "server/core/config.h"

#include <string.h>

#include "tests/unit/unit.h"

static struct config make (unsigned voters, unsigned observers)
{
    struct config config = {.count = 0};
    for (uint32_t id = 1; id <= 6; id++) {
        if ((voters | observers) & 1u << id) {
            config.members[config.count++] =
                (struct config_member){.id = id,
                                       .role = voters & 1u << id ? CONFIG_VOTER : CONFIG_OBSERVER,
                                       .store_id = id + 100};
        }
    }
    return config;
}

static struct id_set make_ids (unsigned bits)
{
    struct id_set ids;
    id_set_clear (&ids);
    for (uint32_t id = 6; id >= 1; id--) {
        if (bits & 1u << id) {
            assert_true (id_set_add (&ids, id));
            assert_false (id_set_add (&ids, id));
        }
    }
    return ids;
}

static int bits_in (unsigned bits)
{
    int count = 0;
    for (; bits != 0; bits &= bits - 1) {
        count++;
    }
    return count;
}

/* More than half of the voters, and nothing else matters. */
static bool naive_quorum (unsigned voters, unsigned present)
{
    return 2 * bits_in (voters & present) > bits_in (voters);
}

/* Bits 1 .. 6: every set of voters, every set of observers among the others, every set of ids. */
static void test_quorum_exhaustively (void **state)
{
    (void) state;
    for (unsigned voters = 2; voters < 128; voters += 2) {
        unsigned others = ~voters & 126u;
        unsigned observers = others;
        for (;;) {
            struct config_set set = {.count = 1, .configs = {make (voters, observers)}};
            assert_true (config_valid (&set.configs[0]));
            for (unsigned present = 0; present < 128; present += 2) {
                struct id_set ids = make_ids (present);
                assert_int_equal (config_set_quorum (&set, &ids), naive_quorum (voters, present));
                assert_int_equal (config_set_blocks (&set, &ids),
                                  !naive_quorum (voters, voters & ~present));
                assert_int_equal (config_set_all (&set, &ids), (voters & ~present) == 0);
            }
            if (observers == 0) {
                break;
            }
            observers = (observers - 1) & others;
        }
    }
}

/* Two configurations: both must agree. Any two quorums of a set have a voter in common in each of
 * its configurations; that is what everything stands on. */
static void test_joint_quorum_exhaustively (void **state)
{
    (void) state;
    for (unsigned first = 2; first < 64; first += 2) {
        for (unsigned second = 2; second < 64; second += 2) {
            struct config_set set = {.count = 2, .configs = {make (first, 0), make (second, 0)}};
            bool quorum[64] = {false};
            for (unsigned present = 0; present < 64; present += 2) {
                struct id_set ids = make_ids (present);
                quorum[present] = config_set_quorum (&set, &ids);
                assert_int_equal (quorum[present],
                                  naive_quorum (first, present) && naive_quorum (second, present));
                bool blocks = config_set_blocks (&set, &ids);
                assert_int_equal (blocks, !naive_quorum (first, first & ~present) &&
                                              !naive_quorum (second, second & ~present));
                assert_true (blocks || !quorum[present]); /* a quorum leaves none without it */
            }
            for (unsigned a = 0; a < 64; a += 2) {
                for (unsigned b = a; quorum[a] && b < 64; b += 2) {
                    assert_true (!quorum[b] || (a & b & first) != 0);
                    assert_true (!quorum[b] || (a & b & second) != 0);
                }
            }
        }
    }
}

static void test_stores (void **state)
{
    (void) state;
    struct config_set set = {.count = 1, .configs = {make (2 + 4 + 8, 16)}};
    assert_true (config_set_counts (&set, 1, 101));
    assert_false (config_set_counts (&set, 1, 102));
    assert_false (config_set_counts (&set, 4, 104)); /* an observer */
    assert_false (config_set_counts (&set, 5, 105)); /* nobody */
    assert_non_null (config_set_find (&set, 4));
    assert_null (config_set_find (&set, 5));

    /* A member of one of two, or of both with different stores: then neither counts. */
    set.count = 2;
    set.configs[1] = make (8 + 16 + 32, 0);
    assert_true (config_set_counts (&set, 1, 101));
    assert_true (config_set_counts (&set, 4, 104));
    assert_true (config_set_counts (&set, 5, 105));
    assert_true (config_set_counts (&set, 3, 103));
    set.configs[1].members[0].store_id = 7;
    assert_false (config_set_counts (&set, 3, 103));
    assert_false (config_set_counts (&set, 3, 7));
}

static void test_id_set (void **state)
{
    (void) state;
    struct id_set ids;
    id_set_clear (&ids);
    assert_false (id_set_has (&ids, 1));
    id_set_remove (&ids, 1);
    for (uint32_t id = 1; id <= 2 * CONFIG_MEMBERS_MAX; id++) {
        assert_true (id_set_add (&ids, id));
    }
    id_set_remove (&ids, 5);
    assert_false (id_set_has (&ids, 5));
    assert_int_equal (ids.count, 2 * CONFIG_MEMBERS_MAX - 1);
    assert_true (id_set_add (&ids, 5));
}

static void test_valid (void **state)
{
    (void) state;
    struct config config = make (2 + 4, 8);
    assert_true (config_valid (&config));

    struct config bad = config;
    bad.count = 0;
    assert_false (config_valid (&bad));
    bad.count = CONFIG_MEMBERS_MAX + 1;
    assert_false (config_valid (&bad));
    bad = config;
    bad.members[1].id = 1;
    assert_false (config_valid (&bad));
    bad = config;
    bad.members[0].id = 0;
    assert_false (config_valid (&bad));
    bad = config;
    bad.members[2].id = UINT32_C (1) << 31;
    assert_false (config_valid (&bad));
    bad.members[2].id = (UINT32_C (1) << 31) - 1;
    assert_true (config_valid (&bad));
    bad = config;
    memset (&bad.members[0].role, 0, sizeof bad.members[0].role);
    assert_false (config_valid (&bad));
    bad = make (0, 2 + 4);
    assert_false (config_valid (&bad)); /* no voter */
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_quorum_exhaustively),
        cmocka_unit_test (test_joint_quorum_exhaustively),
        cmocka_unit_test (test_stores),
        cmocka_unit_test (test_id_set),
        cmocka_unit_test (test_valid),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

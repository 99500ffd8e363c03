/* Unit tests of core/history.h, against an array; and of core/zxid.h, zab_chain. */

#include "server/core/history.h"

#include <stdlib.h>

#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "tests/unit/unit.h"

/* The model: every entry in an array; entries up to `base` are gone. */
struct model {
    struct zab_point points[40000];
    uint64_t bytes[40000]; /* of all up to this one */
    size_t begin, end;     /* points[begin] is the base, points[begin + 1 .. end - 1] the entries */
};

static struct model model;

static void model_reset (struct zab_point base)
{
    model.begin = 0;
    model.end = 1;
    model.points[0] = base;
    model.bytes[0] = 0;
}

static size_t model_floor (zxid_t zxid)
{
    size_t i = model.end - 1;
    while (i > model.begin && model.points[i].zxid > zxid) {
        i--;
    }
    return i;
}

static void add (struct history *log, struct zab_point point, uint32_t size)
{
    assert_true (history_append (log, point, size));
    model.points[model.end] = point;
    model.bytes[model.end] = model.bytes[model.end - 1] + size;
    model.end++;
}

static void compare_floor (const struct history *log, zxid_t zxid)
{
    struct zab_point point;
    if (zxid < model.points[model.begin].zxid) {
        assert_false (history_floor (log, zxid, &point));
        assert_false (history_has (log, zxid));
        return;
    }
    const struct zab_point *expected = &model.points[model_floor (zxid)];
    assert_true (history_floor (log, zxid, &point));
    assert_true (point.zxid == expected->zxid);
    assert_true (point.chain == expected->chain);
    assert_int_equal (history_has (log, zxid), expected->zxid == zxid);
    assert_true (history_agrees (log, *expected));
    assert_false (history_agrees (log, (struct zab_point){expected->zxid, expected->chain + 1}));
}

static void compare (const struct history *log, struct prng *prng)
{
    const struct zab_point *last = &model.points[model.end - 1];
    assert_true (log->base.zxid == model.points[model.begin].zxid);
    assert_true (log->base.chain == model.points[model.begin].chain);
    assert_true (log->last.zxid == last->zxid);
    assert_true (log->last.chain == last->chain);
    assert_int_equal (log->count, model.end - 1 - model.begin);
    for (int i = 0; i < 10; i++) {
        size_t at = prng_between (prng, model.begin, model.end - 1);
        zxid_t zxid = model.points[at].zxid;
        compare_floor (log, zxid);
        compare_floor (log, zxid + 1);
        compare_floor (log, zxid > 0 ? zxid - 1 : 0);
        compare_floor (log, prng_below (prng, last->zxid + 2));
        assert_true (history_bytes_after (log, zxid) ==
                     model.bytes[model.end - 1] - model.bytes[at]);

        uint64_t max = prng_below (prng, 5000);
        size_t end = at;
        while (end + 1 < model.end &&
               (end == at || model.bytes[end + 1] - model.bytes[at] <= max)) {
            end++;
        }
        assert_true (history_chunk_end (log, zxid, max) == model.points[end].zxid);
    }
}

/* The next zxid: usually the successor, sometimes the first of a later epoch. */
static struct zab_point next_point (struct prng *prng)
{
    zxid_t last = model.points[model.end - 1].zxid;
    bool new_epoch = last == 0 || prng_chance (prng, 1, 50);
    uint32_t epoch = zxid_epoch (last) + (uint32_t) prng_between (prng, 1, 3);
    return (struct zab_point){.zxid = new_epoch ? zxid_make (epoch, 1) : last + 1,
                              .chain = prng_u64 (prng)};
}

static void random_operation (struct history *log, struct prng *prng)
{
    uint64_t choice = prng_below (prng, 100);
    size_t at = prng_between (prng, model.begin, model.end - 1);
    if (choice < 2) {
        history_drop (log, model.points[at].zxid);
        model.begin = at;
    } else if (choice < 5) {
        if (at + 200 < model.end) {
            at = model.end - 200;
        }
        history_truncate (log, model.points[at].zxid);
        model.end = at + 1;
    } else {
        for (uint64_t i = prng_below (prng, 200); i > 0 && model.end < 39000; i--) {
            add (log, next_point (prng), (uint32_t) prng_below (prng, 300));
        }
    }
    if (model.end >= 39000) {
        struct zab_point base = {zxid_make (9, 17), 4711};
        history_reset (log, base);
        model_reset (base);
    }
}

static void test_against_model (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct prng prng;
        struct history log;
        prng_seed (&prng, seed);
        history_begin (&log);
        model_reset ((struct zab_point){0});
        for (int i = 0; i < 1500; i++) {
            random_operation (&log, &prng);
            compare (&log, &prng);
        }
        history_deinit (&log);
    }
}

/* Epochs that begin and end exactly at the edge of a block, and an empty log behind a base. */
static void test_block_edges (void **state)
{
    (void) state;
    struct prng prng;
    prng_seed (&prng, 3);
    struct history log;
    history_begin (&log);
    model_reset ((struct zab_point){0});
    for (uint32_t epoch = 1; epoch <= 3; epoch++) {
        for (uint64_t i = 1; i <= 4096; i++) {
            add (&log, (struct zab_point){zxid_make (epoch, i), i}, 1);
        }
        compare (&log, &prng);
    }
    history_drop (&log, zxid_make (1, 4096));
    model.begin = 4096;
    compare (&log, &prng);
    history_truncate (&log, zxid_make (2, 4096));
    model.end -= 4096;
    compare (&log, &prng);
    history_truncate (&log, zxid_make (1, 4096));
    model.end -= 4096;
    compare (&log, &prng);
    assert_int_equal (log.count, 0);
    add (&log, (struct zab_point){zxid_make (2, 1), 5}, 7);
    compare (&log, &prng);
    history_drop (&log, zxid_make (2, 1));
    model.begin = model.end - 1;
    compare (&log, &prng);
    add (&log, (struct zab_point){zxid_make (2, 2), 5}, 7);
    compare (&log, &prng);
    history_deinit (&log);
}

static void append_range (struct history *log, uint32_t epoch, uint64_t last, uint64_t salt)
{
    for (uint64_t i = 1; i <= last; i++) {
        zxid_t zxid = zxid_make (epoch, i);
        uint64_t chain = zab_chain (log->last.chain, zxid, 0, &salt, sizeof salt);
        assert_true (history_append (log, (struct zab_point){zxid, chain}, 8));
    }
}

static void test_points (void **state)
{
    (void) state;
    struct history log;
    struct zab_point points[ZAB_EPOCHS_MAX];
    history_begin (&log);
    assert_int_equal (history_points (&log, points, ZAB_EPOCHS_MAX), 1);
    assert_true (points[0].zxid == 0);
    for (uint32_t epoch = 1; epoch <= 100; epoch++) {
        append_range (&log, epoch, 2, 0);
    }
    history_drop (&log, zxid_make (10, 1));
    assert_int_equal (history_points (&log, points, ZAB_EPOCHS_MAX), ZAB_EPOCHS_MAX);
    assert_true (points[0].zxid == zxid_make (10, 1));
    assert_true (points[1].zxid == zxid_make (38, 2));
    assert_true (points[ZAB_EPOCHS_MAX - 1].zxid == zxid_make (100, 2));
    history_deinit (&log);
}

/* What the leader and the learner do with TRY; the number of questions. -1: a snapshot. */
static int agree (const struct history *leader, const struct history *learner,
                  struct zab_point *point)
{
    struct zab_point points[ZAB_EPOCHS_MAX];
    size_t count = history_points (learner, points, ZAB_EPOCHS_MAX);
    for (int questions = 0;; questions++) {
        switch (history_agree (leader, points, count, point)) {
        case HISTORY_AGREE_FOUND:
            return questions;
        case HISTORY_AGREE_NONE:
            return -1;
        case HISTORY_AGREE_TRY:
            count = 1;
            assert_true (history_floor (learner, point->zxid, &points[0]));
            /* With one primary for each epoch no number has two hashes. */
            assert_true (points[0].zxid != point->zxid || points[0].chain == point->chain);
            break;
        }
        assert_true (questions < 300);
    }
}

/* Histories as Zab makes them: each epoch's primary goes on from a prefix of some earlier log. */
static void test_agreement (void **state)
{
    (void) state;
    enum { LOGS = 6, ROUNDS = 120 };
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct prng prng;
        prng_seed (&prng, seed);
        struct history logs[LOGS];
        for (int i = 0; i < LOGS; i++) {
            history_begin (&logs[i]);
        }
        uint64_t committed = 0;
        for (uint32_t epoch = 1; epoch <= ROUNDS; epoch++) {
            struct history *primary = &logs[prng_below (&prng, LOGS)];
            append_range (primary, epoch, prng_between (&prng, 1, 5), seed);
            for (int i = 0; i < LOGS; i++) {
                struct zab_point point, zero = {0};
                if (&logs[i] == primary || prng_chance (&prng, 1, 2)) {
                    continue;
                }
                assert_true (agree (primary, &logs[i], &point) >= 0);
                /* The highest common point, by looking at all. */
                struct zab_point best = zero, mine;
                for (zxid_t at = primary->last.zxid;; at = mine.zxid - 1) {
                    assert_true (history_floor (primary, at, &mine));
                    if (history_agrees (&logs[i], mine)) {
                        best = mine;
                        break;
                    }
                }
                assert_true (point.zxid == best.zxid);
                assert_true (point.chain == best.chain);
                history_truncate (&logs[i], point.zxid);
                /* Only a part of what is missing: it will fork there. */
                while (logs[i].last.zxid != primary->last.zxid && !prng_chance (&prng, 1, 6)) {
                    zxid_t next = logs[i].last.zxid + 1;
                    if (!history_has (primary, next)) {
                        for (uint32_t e = zxid_epoch (next) + 1;; e++) {
                            if (history_has (primary, zxid_make (e, 1))) {
                                next = zxid_make (e, 1);
                                break;
                            }
                        }
                    }
                    assert_true (history_floor (primary, next, &mine));
                    assert_true (history_append (&logs[i], mine, 8));
                }
            }
            committed++;
        }
        assert_int_equal (committed, ROUNDS);
        for (int i = 0; i < LOGS; i++) {
            history_deinit (&logs[i]);
        }
    }
}

static void test_agreement_needs_a_snapshot (void **state)
{
    (void) state;
    struct history leader, learner;
    struct zab_point point;
    history_begin (&leader);
    history_begin (&learner);
    append_range (&leader, 1, 10, 0);
    append_range (&learner, 1, 4, 0);
    assert_int_equal (agree (&leader, &learner, &point), 0);
    assert_true (point.zxid == zxid_make (1, 4));
    history_drop (&leader, zxid_make (1, 4));
    assert_int_equal (agree (&leader, &learner, &point), 0); /* at the base itself */
    history_drop (&leader, zxid_make (1, 5));
    assert_int_equal (agree (&leader, &learner, &point), -1);
    history_deinit (&leader);
    history_deinit (&learner);
}

static void test_memory (void **state)
{
    (void) state;
    for (uint64_t n = 1;; n++) {
        struct history log;
        history_begin (&log);
        mem_fail_at (n);
        size_t refused = 0;
        for (uint32_t epoch = 1; epoch <= 40; epoch++) {
            for (uint64_t i = 1; i <= 300; i++) {
                struct zab_point point = {zxid_make (epoch, i), i};
                while (!history_append (&log, point, 3)) {
                    refused++;
                }
            }
        }
        bool failed = mem_fail_clear ();
        assert_int_equal (refused, failed);
        assert_int_equal (log.count, 40 * 300);
        assert_true (history_bytes_after (&log, 0) == 3 * 40 * 300);
        history_deinit (&log);
        if (!failed) {
            break;
        }
    }
}

static void test_zxid (void **state)
{
    (void) state;
    zxid_t last = zxid_make (ZXID_EPOCH_MAX, ZXID_COUNTER_MAX);
    assert_true (last <= INT64_MAX);
    assert_int_equal (zxid_epoch (last), ZXID_EPOCH_MAX);
    assert_true (zxid_counter (last) == ZXID_COUNTER_MAX);
    assert_true (zxid_follows (zxid_make (3, 8), zxid_make (3, 7)));
    assert_false (zxid_follows (zxid_make (3, 9), zxid_make (3, 7)));
    assert_false (zxid_follows (zxid_make (3, 7), zxid_make (3, 7)));
    assert_true (zxid_follows (zxid_make (5, 1), zxid_make (3, 7)));
    assert_false (zxid_follows (zxid_make (5, 2), zxid_make (3, 7)));
    assert_false (zxid_follows (zxid_make (5, 0), zxid_make (3, 7)));
    assert_false (zxid_follows (zxid_make (2, 1), zxid_make (3, 7)));
    assert_true (zxid_follows (zxid_make (1, 1), 0));
    /* The counter never runs over into the epoch. */
    assert_false (zxid_follows (zxid_make (4, 0), zxid_make (3, ZXID_COUNTER_MAX)));
}

/* Golden values: these hashes are on disks and on the wire. */
static void test_chain (void **state)
{
    (void) state;
    uint64_t empty = zab_chain (0, 0, 0, NULL, 0);
    uint64_t one = zab_chain (empty, zxid_make (1, 1), 1700000000000, "abc", 3);
    assert_true (empty == zab_chain (0, 0, 0, "", 0));
    assert_true (one != zab_chain (empty, zxid_make (1, 1), 1700000000001, "abc", 3));
    assert_true (one != zab_chain (empty, zxid_make (1, 2), 1700000000000, "abc", 3));
    assert_true (one != zab_chain (0, zxid_make (1, 1), 1700000000000, "abc", 3));
    assert_true (one != zab_chain (empty, zxid_make (1, 1), 1700000000000, "abd", 3));
    assert_true (empty == UINT64_C (0x9a15acb21c86375c));
    assert_true (one == UINT64_C (0x364a9ff2799e73c6));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_against_model), cmocka_unit_test (test_block_edges),
        cmocka_unit_test (test_points),        cmocka_unit_test (test_agreement),
        cmocka_unit_test (test_memory),        cmocka_unit_test (test_agreement_needs_a_snapshot),
        cmocka_unit_test (test_zxid),          cmocka_unit_test (test_chain),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

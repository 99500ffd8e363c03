/* The search for an order: histories that have one, histories that have none, and many of both
 * compared with trying everything. */

#include <stdio.h>
#include <string.h>

#include "client/base/prng.h"
#include "tests/unit/history/fixture.h"

/* Events without any log: the search must not need it. */
struct bench {
    struct facts facts;
    struct search search;
    uint64_t numbers[4]; /* of writes, by client */
};

static void open_bench (struct bench *self)
{
    memset (self, 0, sizeof *self);
    facts_init (&self->facts);
    search_init (&self->search);
}

static void see (struct bench *self, const struct history_event *event)
{
    search_see (&self->search, &self->facts, event);
    facts_see (&self->facts, event);
}

static void call (struct bench *self, uint32_t client, uint64_t id, struct history_op op)
{
    op.path = op.path != NULL ? op.path : "/r";
    op.value = op.value != NULL ? op.value : "";
    if (!history_is_write (op.kind)) {
        struct history_op sync = {.kind = HISTORY_SYNC, .path = "", .value = ""};
        struct history_event event = {.kind = HISTORY_CALL, .client = client};
        event.u.call = (struct history_call){.id = 1000 + id, .ops = &sync, .count = 1};
        see (self, &event);
    }
    struct history_event event = {.kind = HISTORY_CALL, .client = client};
    event.u.call = (struct history_call){.id = id, .ops = &op, .count = 1};
    event.u.call.number = history_is_write (op.kind) ? ++self->numbers[client] : 0;
    see (self, &event);
}

/* version -1: none is told. */
static void end (struct bench *self, uint32_t client, uint64_t id, int32_t code, int32_t version,
                 const char *value)
{
    cohort_stat_t stat = {.version = version};
    struct history_result result = {.code = code, .stat = version >= 0 ? &stat : NULL};
    struct history_event event = {.kind = HISTORY_RETURN, .client = client};
    event.u.result = (struct history_return){
        .id = id,
        .code = code,
        .zxid = 1, /* whatever the servers say */
        .ops = &result,
        .ops_count = 1,
        .stat = result.stat,
        .value = value,
    };
    see (self, &event);
}

static void lose (struct bench *self, uint32_t client, uint64_t id)
{
    see (self, &(struct history_event){.kind = HISTORY_UNKNOWN, .client = client, .u.id = id});
}

static bool close_bench (struct bench *self)
{
    struct objection objection = {.text = ""};
    bool good = search_run (&self->search, &self->facts, &objection);
    assert_true (good == (objection.text[0] == '\0'));
    search_deinit (&self->search);
    facts_deinit (&self->facts);
    return good;
}

static struct history_op create (const char *value)
{
    return (struct history_op){.kind = HISTORY_CREATE, .value = value};
}

static struct history_op set (const char *value, int32_t version)
{
    return (struct history_op){.kind = HISTORY_SET, .value = value, .version = version};
}

static struct history_op delete (int32_t version)
{
    return (struct history_op){.kind = HISTORY_DELETE, .version = version};
}

static const struct history_op get = {.kind = HISTORY_GET};

/* ---- By hand --------------------------------------------------------------------------------- */

static void begin (struct bench *self)
{
    open_bench (self);
    call (self, 1, 1, create ("0"));
    end (self, 1, 1, 0, 0, NULL);
}

static void test_read_after_write (void **state)
{
    (void) state;
    struct bench bench;
    for (int stale = 0; stale <= 1; stale++) {
        begin (&bench);
        call (&bench, 1, 2, set ("1", -1));
        end (&bench, 1, 2, 0, 1, NULL);
        call (&bench, 2, 3, get);
        end (&bench, 2, 3, 0, -1, stale ? "0" : "1");
        assert_true (close_bench (&bench) == !stale);
    }
    /* While the write is under way both are right; but not the new one first. */
    static const char *const values[][2] = {{"0", "0"}, {"0", "1"}, {"1", "1"}, {"1", "0"}};
    for (size_t i = 0; i < 4; i++) {
        begin (&bench);
        call (&bench, 1, 2, set ("1", -1));
        call (&bench, 2, 3, get);
        end (&bench, 2, 3, 0, -1, values[i][0]);
        call (&bench, 3, 4, get);
        end (&bench, 3, 4, 0, -1, values[i][1]);
        end (&bench, 1, 2, 0, 1, NULL);
        assert_true (close_bench (&bench) == (i < 3));
    }
}

/* Whether a delete of `path` may succeed that nothing but a create of "/r", in this mode, and whose
 * result nobody knows, can explain; told: that it is not known, or nothing ever again. */
static bool explains (uint32_t mode, const char *path, bool told)
{
    struct bench bench;
    struct history_op made = create ("1");
    struct history_op gone = delete (-1);
    made.mode = mode;
    gone.path = path;
    open_bench (&bench);
    call (&bench, 1, 1, made);
    if (told) {
        lose (&bench, 1, 1);
    }
    call (&bench, 2, 2, gone);
    end (&bench, 2, 2, 0, -1, NULL);
    return close_bench (&bench);
}

static void test_creates_without_an_answer (void **state)
{
    (void) state;
    for (int told = 0; told <= 1; told++) {
        assert_true (explains (COHORT_PERSISTENT, "/r", told));
        assert_true (explains (COHORT_EPHEMERAL, "/r", told));
        assert_true (explains (COHORT_SEQUENTIAL, "/r0000000007", told));
        assert_true (explains (COHORT_SEQUENTIAL | COHORT_EPHEMERAL, "/r0000000007", told));
        assert_false (explains (COHORT_EPHEMERAL, "/r0000000007", told));
        assert_false (explains (COHORT_SEQUENTIAL, "/r", told));
        assert_false (explains (COHORT_SEQUENTIAL, "/r000000007", told));
    }
}

static void test_root_is_there (void **state)
{
    for (int32_t code = 0; code <= 1; code++) {
        struct bench bench;
        (void) state;
        open_bench (&bench);
        call (&bench, 1, 1, (struct history_op){.kind = HISTORY_EXISTS, .path = "/"});
        end (&bench, 1, 1, code == 0 ? 0 : COHORT_ENONODE, code == 0 ? 0 : -1, NULL);
        assert_true (close_bench (&bench) == (code == 0));
    }
}

static void test_versions (void **state)
{
    (void) state;
    struct bench bench;
    /* Two that compare and set the same version: one of them must fail. */
    for (int both = 0; both <= 1; both++) {
        begin (&bench);
        call (&bench, 1, 2, set ("1", 0));
        call (&bench, 2, 3, set ("2", 0));
        end (&bench, 1, 2, 0, 1, NULL);
        end (&bench, 2, 3, both ? 0 : COHORT_EBADVERSION, both ? 1 : -1, NULL);
        assert_true (close_bench (&bench) == !both);
    }
    /* A lost update: two increments, and the version counts one. */
    for (int32_t version = 1; version <= 2; version++) {
        begin (&bench);
        call (&bench, 1, 2, set ("1", -1));
        end (&bench, 1, 2, 0, 1, NULL);
        call (&bench, 2, 3, set ("2", -1));
        end (&bench, 2, 3, 0, version, NULL);
        assert_true (close_bench (&bench) == (version == 2));
    }
}

static void test_create_and_delete (void **state)
{
    (void) state;
    struct bench bench;
    static const int32_t codes[] = {0, COHORT_ENODEEXISTS};
    for (size_t i = 0; i < 2; i++) {
        begin (&bench);
        call (&bench, 2, 2, delete (-1));
        end (&bench, 2, 2, 0, -1, NULL);
        call (&bench, 1, 3, create ("1"));
        end (&bench, 1, 3, codes[i], -1, NULL);
        assert_true (close_bench (&bench) == (i == 0));
    }
    begin (&bench);
    call (&bench, 2, 2, delete (-1));
    end (&bench, 2, 2, 0, -1, NULL);
    call (&bench, 2, 3, get);
    end (&bench, 2, 3, 0, -1, "0");
    assert_false (close_bench (&bench));
}

/* It may happen at once, later, or never; and not twice. */
static void test_unknown_outcomes (void **state)
{
    (void) state;
    struct bench bench;
    static const char *const values[][2] = {{"0", "0"}, {"0", "1"}, {"1", "1"}, {"1", "0"}};
    for (size_t i = 0; i < 4; i++) {
        begin (&bench);
        call (&bench, 1, 2, set ("1", -1));
        lose (&bench, 1, 2);
        call (&bench, 2, 3, get);
        end (&bench, 2, 3, 0, -1, values[i][0]);
        call (&bench, 3, 4, get);
        end (&bench, 3, 4, 0, -1, values[i][1]);
        assert_true (close_bench (&bench) == (i < 3));
    }
    for (int32_t version = 1; version <= 3; version++) {
        begin (&bench);
        call (&bench, 1, 2, set ("1", -1));
        lose (&bench, 1, 2);
        call (&bench, 2, 3, set ("2", -1));
        end (&bench, 2, 3, 0, version, NULL);
        assert_true (close_bench (&bench) == (version <= 2));
    }
    /* Not answered at all is unknown, too. */
    begin (&bench);
    call (&bench, 1, 2, set ("1", -1));
    call (&bench, 2, 3, get);
    end (&bench, 2, 3, 0, -1, "1");
    assert_true (close_bench (&bench));
    /* But not before it was asked for. */
    begin (&bench);
    call (&bench, 2, 3, get);
    end (&bench, 2, 3, 0, -1, "1");
    call (&bench, 1, 2, set ("1", -1));
    lose (&bench, 1, 2);
    assert_false (close_bench (&bench));
}

static void test_what_takes_no_part (void **state)
{
    (void) state;
    struct bench bench;
    struct objection objection;
    begin (&bench);
    /* A local read may be stale. */
    struct history_event event = {.kind = HISTORY_CALL, .client = 2};
    event.u.call = (struct history_call){
        .id = 2,
        .ops = &(struct history_op){.kind = HISTORY_GET, .path = "/r", .value = ""},
        .count = 1};
    see (&bench, &event);
    end (&bench, 2, 2, 0, -1, "long ago");
    /* A znode that is in a multi. */
    struct history_op ops[] = {
        {.kind = HISTORY_SET, .path = "/m", .value = "1", .version = -1},
        {.kind = HISTORY_CHECK, .path = "/r", .value = "", .version = -1},
    };
    event = (struct history_event){.kind = HISTORY_CALL, .client = 1};
    event.u.call =
        (struct history_call){.id = 3, .number = 2, .multi = true, .ops = ops, .count = 2};
    see (&bench, &event);
    end (&bench, 1, 3, 0, -1, NULL);
    assert_true (search_run (&bench.search, &bench.facts, &objection));
    assert_int_equal (bench.search.searched, 1);
    assert_int_equal (bench.search.left_out, 1);
    assert_int_equal (bench.search.operations, 1);
    search_deinit (&bench.search);
    facts_deinit (&bench.facts);
}

/* What it begins with changes no znode; what it goes on with makes one. It is told, or not. */
static void test_multis_that_begin_with_a_list (void **state)
{
    (void) state;
    for (int known = 0; known <= 1; known++) {
        struct bench bench;
        open_bench (&bench);
        struct history_op ops[] = {
            {.kind = HISTORY_SET_ACL, .path = "/r", .value = "", .version = -1},
            {.kind = HISTORY_CREATE, .path = "/m", .value = "1"},
        };
        struct history_event event = {.kind = HISTORY_CALL, .client = 1};
        event.u.call =
            (struct history_call){.id = 1, .number = 1, .multi = true, .ops = ops, .count = 2};
        see (&bench, &event);
        if (known) {
            end (&bench, 1, 1, 0, -1, NULL);
        } else {
            lose (&bench, 1, 1);
        }
        struct history_op again = create ("2");
        again.path = "/m";
        call (&bench, 2, 2, again);
        end (&bench, 2, 2, COHORT_ENODEEXISTS, -1, NULL);
        assert_true (close_bench (&bench));
    }
}

/* The answer to an addition; existed: to a create if absent. */
static void end_with (struct bench *self, uint64_t id, int32_t code, int64_t sum, bool existed)
{
    struct history_result result = {.code = code, .value = sum, .existed = existed};
    struct history_event event = {.kind = HISTORY_RETURN, .client = 1};
    event.u.result =
        (struct history_return){.id = id, .code = code, .zxid = 1, .ops = &result, .ops_count = 1};
    see (self, &event);
}

static struct history_op plus (int64_t delta, int64_t ceiling)
{
    return (struct history_op){
        .kind = HISTORY_ADD, .delta = delta, .floor = INT64_MIN, .ceiling = ceiling};
}

static void test_additions (void **state)
{
    (void) state;
    struct bench bench;
    /* Two at once: their sums differ; and a read behind them sees both. */
    for (int64_t sum = 4; sum <= 7; sum++) {
        for (int both = 0; both <= 1; both++) {
            begin (&bench);
            call (&bench, 1, 2, plus (3, INT64_MAX));
            call (&bench, 2, 3, plus (4, INT64_MAX));
            end_with (&bench, 2, 0, 7, false);
            end_with (&bench, 3, 0, sum, false);
            call (&bench, 2, 4, get);
            end (&bench, 2, 4, 0, -1, both ? "7" : "3");
            assert_true (close_bench (&bench) == (sum == 4 && both));
        }
    }
    /* Its bounds. */
    for (int64_t ceiling = 2; ceiling <= 3; ceiling++) {
        begin (&bench);
        call (&bench, 1, 2, plus (3, ceiling));
        end_with (&bench, 2, COHORT_EBOUNDS, 0, false);
        assert_true (close_bench (&bench) == (ceiling == 2));
    }
    begin (&bench);
    call (&bench, 1, 2, set ("x", -1));
    end (&bench, 1, 2, 0, 1, NULL);
    call (&bench, 1, 3, plus (3, INT64_MAX));
    end_with (&bench, 3, 0, 3, false);
    assert_false (close_bench (&bench));
}

static void test_creates_if_absent (void **state)
{
    (void) state;
    struct bench bench;
    struct history_op made = create ("1");
    made.if_absent = true;
    for (int existed = 0; existed <= 1; existed++) {
        begin (&bench);
        call (&bench, 1, 2, made);
        end_with (&bench, 2, 0, 0, existed);
        assert_true (close_bench (&bench) == existed);
        open_bench (&bench);
        call (&bench, 1, 2, made);
        end_with (&bench, 2, 0, 0, existed);
        assert_true (close_bench (&bench) == !existed);
    }
}

static void test_deletes_if_present (void **state)
{
    (void) state;
    struct bench bench;
    struct history_op deleted = {
        .kind = HISTORY_DELETE_IF_PRESENT, .path = "/r", .version = COHORT_ANY_VERSION};
    for (int existed = 0; existed <= 1; existed++) {
        begin (&bench); /* it is there */
        call (&bench, 1, 2, deleted);
        end_with (&bench, 2, 0, 0, existed);
        assert_true (close_bench (&bench) == existed);
        open_bench (&bench); /* and here it never was */
        call (&bench, 1, 2, deleted);
        end_with (&bench, 2, 0, 0, existed);
        assert_true (close_bench (&bench) == !existed);
    }
}

static void test_trees_take_no_part (void **state)
{
    (void) state;
    struct bench bench;
    struct objection objection;
    struct history_op below = create ("1"), tree = {.kind = HISTORY_DELETE_TREE, .path = "/r"};
    below.path = "/r/a";
    begin (&bench);
    call (&bench, 1, 2, below);
    end (&bench, 1, 2, 0, 0, NULL);
    call (&bench, 1, 3, tree);
    end_with (&bench, 3, 0, 2, false);
    below.path = "/rest";
    call (&bench, 1, 4, below);
    end (&bench, 1, 4, 0, 0, NULL);
    assert_true (search_run (&bench.search, &bench.facts, &objection));
    assert_int_equal (bench.search.searched, 1);
    assert_int_equal (bench.search.left_out, 2);
    search_deinit (&bench.search);
    facts_deinit (&bench.facts);
}

static void test_too_long (void **state)
{
    (void) state;
    struct bench bench;
    struct objection objection;
    begin (&bench);
    for (uint64_t i = 0; i < 20; i++) {
        char value[8];
        (void) snprintf (value, sizeof value, "%d", (int) i);
        call (&bench, 1, 2 + i, set (value, -1));
        lose (&bench, 1, 2 + i);
    }
    call (&bench, 2, 50, get);
    end (&bench, 2, 50, 0, -1, "what nobody wrote");
    bench.search.steps_max = 1000;
    assert_true (search_run (&bench.search, &bench.facts, &objection));
    assert_int_equal (bench.search.given_up, 1);
    search_deinit (&bench.search);
    facts_deinit (&bench.facts);
}

/* ---- Against trying everything --------------------------------------------------------------- */

enum { OPS_MAX = 7, CLIENTS = 3, RUNS = 4000 };

struct tried {
    struct history_op op;
    uint64_t from, to; /* UINT64_MAX: nobody knows what became of it */
    int32_t code, version;
    const char *value; /* read */
};

struct znode {
    bool exists;
    int32_t version;
    const char *value;
};

static int32_t step (const struct history_op *op, struct znode *znode)
{
    bool same = op->version == -1 || op->version == znode->version;
    if (op->kind == HISTORY_CREATE) {
        if (znode->exists) {
            return COHORT_ENODEEXISTS;
        }
        *znode = (struct znode){true, 0, op->value};
        return 0;
    }
    if (!znode->exists) {
        return COHORT_ENONODE;
    }
    if (op->kind == HISTORY_GET) {
        return 0;
    }
    if (!same) {
        return COHORT_EBADVERSION;
    }
    if (op->kind == HISTORY_DELETE) {
        znode->exists = false;
    } else {
        znode->version++;
        znode->value = op->value;
    }
    return 0;
}

/* Whether some order of what is not `used` explains what was told. */
static bool try_all (const struct tried *ops, size_t count, unsigned used, struct znode znode)
{
    uint64_t first_end = UINT64_MAX;
    bool known_left = false;
    for (size_t i = 0; i < count; i++) {
        if ((used & 1u << i) == 0 && ops[i].to != UINT64_MAX) {
            known_left = true;
            first_end = ops[i].to < first_end ? ops[i].to : first_end;
        }
    }
    if (!known_left) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        if ((used & 1u << i) != 0 || ops[i].from > first_end) {
            continue;
        }
        struct znode after = znode;
        int32_t code = step (&ops[i].op, &after);
        bool told =
            ops[i].to == UINT64_MAX ||
            (code == ops[i].code &&
             (code != 0 || ops[i].version < 0 || ops[i].version == after.version) &&
             (code != 0 || ops[i].value == NULL || strcmp (ops[i].value, after.value) == 0));
        if (told && try_all (ops, count, used | 1u << i, after)) {
            return true;
        }
    }
    return false;
}

static struct history_op some_op (struct prng *prng)
{
    static const char *const values[] = {"a", "b", "c", "d"};
    const char *value = values[prng_below (prng, 4)];
    int32_t version = (int32_t) prng_below (prng, 4) - 1;
    switch (prng_below (prng, 5)) {
    case 0:
        return create (value);
    case 1:
        return delete (version);
    case 2:
        return get;
    default:
        return set (value, version);
    }
}

/* A history of a real register: each operation takes effect somewhere between its ends; then, as
 * often as not, one answer is made another. */
static size_t some_history (struct prng *prng, struct tried *ops)
{
    size_t count = 2 + prng_below (prng, OPS_MAX - 1);
    struct znode znode = {.exists = false};
    uint64_t busy_until[CLIENTS] = {0};
    for (size_t i = 0; i < count; i++) {
        uint64_t at = 10 * (i + 1); /* when it takes effect */
        uint64_t *busy = &busy_until[prng_below (prng, CLIENTS)];
        uint64_t early = prng_below (prng, 30), late = 1 + prng_below (prng, 30);
        ops[i] = (struct tried){.op = some_op (prng), .version = -1};
        ops[i].from = at > early ? at - early : 0;
        ops[i].from = ops[i].from > *busy ? ops[i].from : *busy + 1;
        ops[i].to = (at > ops[i].from ? at : ops[i].from) + late;
        *busy = ops[i].to;
        ops[i].code = step (&ops[i].op, &znode);
        if (ops[i].code == 0 && ops[i].op.kind == HISTORY_SET) {
            ops[i].version = znode.version;
        }
        if (ops[i].code == 0 && ops[i].op.kind == HISTORY_GET) {
            ops[i].value = znode.value;
        }
        if (ops[i].op.kind != HISTORY_GET && prng_chance (prng, 1, 6)) {
            ops[i].to = UINT64_MAX;
        }
    }
    struct tried *odd = &ops[prng_below (prng, count)];
    if (prng_chance (prng, 1, 2) && odd->value != NULL) {
        odd->value = "b";
    } else if (prng_chance (prng, 1, 2) && odd->version >= 0) {
        odd->version ^= 1;
    }
    return count;
}

/* As events, in the order of time; client by client no two at a time is not needed here. */
static void play (struct bench *bench, const struct tried *ops, size_t count)
{
    for (uint64_t now = 0; now < 200; now++) {
        for (size_t i = 0; i < count; i++) {
            if (ops[i].from == now) {
                call (bench, 1, i + 1, ops[i].op);
            }
        }
        for (size_t i = 0; i < count; i++) {
            if (ops[i].to == now) {
                end (bench, 1, i + 1, ops[i].code, ops[i].version, ops[i].value);
            }
        }
    }
}

static void test_many (void **state)
{
    (void) state;
    struct prng prng;
    size_t found[2] = {0, 0};
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct tried ops[OPS_MAX + 1];
        struct bench bench;
        prng_seed (&prng, seed);
        size_t count = some_history (&prng, ops);
        open_bench (&bench);
        play (&bench, ops, count);
        bool expected = try_all (ops, count, 0, (struct znode){.exists = false});
        bool good = close_bench (&bench);
        if (good != expected) {
            fail_msg ("seed %d: the search says %d", (int) seed, good);
        }
        found[good]++;
    }
    /* Both kinds were among them. */
    assert_true (found[0] > RUNS / 50);
    assert_true (found[1] > RUNS / 2);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_read_after_write),
        cmocka_unit_test (test_creates_without_an_answer),
        cmocka_unit_test (test_root_is_there),
        cmocka_unit_test (test_versions),
        cmocka_unit_test (test_create_and_delete),
        cmocka_unit_test (test_unknown_outcomes),
        cmocka_unit_test (test_what_takes_no_part),
        cmocka_unit_test (test_multis_that_begin_with_a_list),
        cmocka_unit_test (test_additions),
        cmocka_unit_test (test_creates_if_absent),
        cmocka_unit_test (test_deletes_if_present),
        cmocka_unit_test (test_trees_take_no_part),
        cmocka_unit_test (test_too_long),
        cmocka_unit_test (test_many),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

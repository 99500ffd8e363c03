/* Entries as bytes: every kind there and back, golden bytes, and input that is not an entry. */

#include "tests/unit/tree/fixture.h"

#define OPS 12

/* One entry of each kind; i counts from 0; false: there are no more. */
static bool example (unsigned i, struct buf *out)
{
    static const uint8_t admins[] = {COHORT_PERM_ALL, IDENTITY_DIGEST, 3, 'a', ':', 'h'};
    struct entry entry = {0};
    static const struct op ops[OPS] = {
        {.kind = OP_CREATE,
         .path = "/a",
         .path_size = 2,
         .data = (const uint8_t *) "xyz",
         .data_size = 3,
         .mode = 3,
         .acl = (const uint8_t *) "\1\1",
         .acl_size = 2,
         .ttl_ms = 9},
        {.kind = OP_DELETE, .path = "/b", .path_size = 2, .version = -1},
        {.kind = OP_DELETE_IF_PRESENT, .path = "/b", .path_size = 2, .version = 3},
        {.kind = OP_SET, .path = "/c", .path_size = 2, .version = 5},
        {.kind = OP_CHECK_VERSION, .path = "/d", .path_size = 2, .version = 6},
        {.kind = OP_CHECK_CZXID, .path = "/e", .path_size = 2, .czxid = UINT64_C (1) << 60},
        {.kind = OP_CHECK_OWNER, .path = "/f", .path_size = 2, .session = 3, .ozxid = 4},
        {.kind = OP_CHECK_ABSENT, .path = "/g", .path_size = 2},
        {.kind = OP_ADD,
         .path = "/h",
         .path_size = 2,
         .delta = -5,
         .floor = INT64_MIN,
         .ceiling = INT64_MAX},
        {.kind = OP_DELETE_TREE, .path = "/i", .path_size = 2, .version = 8, .limit = 1000},
        {.kind = OP_CLOSE_SESSION},
        {.kind = OP_REJECT, .code = COHORT_EQUOTA},
    };
    uint32_t first = 0;
    switch (i) {
    case 0:
        fixture_cluster (&entry, &fixture_limits);
        break;
    case 1:
        entry.kind = ENTRY_MEMBER_STORE;
        entry.u.member_store = (struct entry_member_store){3, 4, 5};
        break;
    case 2:
        entry.kind = ENTRY_CREATE_SESSION;
        entry.u.create_session = (struct entry_create_session){.nonce = "0123456789abcde",
                                                               .password_hash = "fedcba987654321",
                                                               .timeout_ms = 2,
                                                               .grace_ms = 3,
                                                               .server = 4,
                                                               .attach_no = 5};
        break;
    case 3:
        entry.kind = ENTRY_ATTACH;
        entry.u.attach = (struct entry_attach){.session = 1,
                                               .password_hash = "fedcba987654321",
                                               .attach_no = 3,
                                               .incarnation = 4,
                                               .nonce = "0123456789abcde",
                                               .server = 5};
        break;
    case 4:
        entry.kind = ENTRY_CLOSE;
        entry.u.close = (struct entry_close){1, 2, 3, ENTRY_KILLED};
        break;
    case 5:
        entry.kind = ENTRY_REAP;
        entry.u.reap.session = UINT64_C (1) << 55;
        break;
    case 6:
        entry.kind = ENTRY_WRITE;
        entry.u.write = (struct entry_write){
            .session = 1, .incarnation = 2, .number = 3, .ack_to = 4, .multi = true, .count = 10};
        break;
    case 7:
    case 8:
        entry.kind = ENTRY_WRITE;
        entry.u.write = (struct entry_write){
            .session = 1, .incarnation = 2, .number = 3, .ack_to = 4, .count = 1};
        first = i + 3;
        break;
    case 9:
        entry.kind = ENTRY_WRITE;
        entry.u.write = (struct entry_write){.multi = true};
        break;
    case 10:
        entry.kind = ENTRY_LAPSE;
        entry.u.lapse.count = 2;
        break;
    case 11:
        entry.kind = ENTRY_ADMINS;
        entry.u.admins = (struct entry_admins){admins, sizeof (admins)};
        break;
    case 12:
        entry.kind = ENTRY_REPLACE_ADMINS;
        entry.u.admins = (struct entry_admins){admins, sizeof (admins)};
        break;
    default:
        return false;
    }
    entry_encode (out, &entry);
    for (uint32_t k = 0; entry.kind == ENTRY_WRITE && k < entry.u.write.count; k++) {
        op_encode (out, &ops[first + k]);
    }
    for (uint32_t k = 0; entry.kind == ENTRY_LAPSE && k < entry.u.lapse.count; k++) {
        lapse_encode (out, "/lapsed", 7 - k, k + 1);
    }
    return true;
}

/* Encodes what was decoded. */
static void encode_again (struct buf *out, const struct entry *entry)
{
    entry_encode (out, entry);
    if (entry->kind == ENTRY_WRITE) {
        struct reader ops = entry->u.write.ops;
        for (uint32_t i = 0; i < entry->u.write.count; i++) {
            struct op op;
            assert_true (op_decode (&op, &ops));
            op_encode (out, &op);
        }
        assert_true (reader_done (&ops));
    }
    if (entry->kind == ENTRY_LAPSE) {
        struct reader items = entry->u.lapse.items;
        for (uint32_t i = 0; i < entry->u.lapse.count; i++) {
            struct lapse_item item;
            assert_true (lapse_decode (&item, &items));
            lapse_encode (out, item.path, item.path_size, item.czxid);
        }
        assert_true (reader_done (&items));
    }
}

static void expect_same (const uint8_t *data, size_t size)
{
    struct entry entry;
    assert_true (entry_decode (&entry, data, size));
    struct buf again = {0};
    encode_again (&again, &entry);
    assert_int_equal (again.size, size);
    assert_memory_equal (again.data, data, size);
    buf_deinit (&again);
}

static void test_there_and_back (void **state)
{
    (void) state;
    struct buf out = {0};
    for (unsigned i = 0; example (i, &out); i++) {
        expect_same (out.data, out.size);
        buf_clear (&out);
    }
    buf_deinit (&out);
}

static void test_golden (void **state)
{
    (void) state;
    static const uint8_t close[] = {5, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2,
                                    0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 3};
    static const uint8_t reject[] = {7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0,    0,    2,    0,
                                     0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4,    0,    0,    0,
                                     0, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0x83, 0xff, 0xff, 0xff};
    struct buf out = {0};
    assert_true (example (4, &out));
    assert_int_equal (out.size, sizeof (close));
    assert_memory_equal (out.data, close, sizeof (close));
    buf_clear (&out);
    assert_true (example (8, &out));
    assert_int_equal (out.size, sizeof (reject));
    assert_memory_equal (out.data, reject, sizeof (reject));
    buf_deinit (&out);
}

static void test_fields (void **state)
{
    (void) state;
    struct buf out = {0};
    assert_true (example (3, &out));
    struct entry entry;
    assert_true (entry_decode (&entry, out.data, out.size));
    assert_int_equal (entry.kind, ENTRY_ATTACH);
    assert_int_equal (entry.level, ENTRY_LEVEL);
    assert_int_equal (entry.u.attach.session, 1);
    assert_memory_equal (entry.u.attach.password_hash, "fedcba987654321", 16);
    assert_int_equal (entry.u.attach.attach_no, 3);
    assert_int_equal (entry.u.attach.incarnation, 4);
    assert_memory_equal (entry.u.attach.nonce, "0123456789abcde", 16);
    assert_int_equal (entry.u.attach.server, 5);
    buf_clear (&out);
    assert_true (example (6, &out));
    assert_true (entry_decode (&entry, out.data, out.size));
    struct op op;
    assert_true (op_decode (&op, &entry.u.write.ops));
    assert_int_equal (op.kind, OP_CREATE);
    assert_int_equal (op.path_size, 2);
    assert_memory_equal (op.path, "/a", 2);
    assert_int_equal (op.data_size, 3);
    assert_memory_equal (op.data, "xyz", 3);
    assert_int_equal (op.mode, 3);
    assert_int_equal (op.acl_size, 2);
    assert_memory_equal (op.acl, "\1\1", 2);
    assert_int_equal (op.ttl_ms, 9);
    buf_deinit (&out);
}

static void test_cut_and_extended (void **state)
{
    (void) state;
    struct buf out = {0};
    struct entry entry;
    for (unsigned i = 0; example (i, &out); i++) {
        for (size_t size = 0; size < out.size; size++) {
            /* In memory of its own, so that reading beyond the end is seen. */
            uint8_t *cut = mem_dup (out.data, size);
            assert_non_null (cut);
            assert_false (entry_decode (&entry, cut, size));
            mem_free (cut);
        }
        buf_u8 (&out, 0);
        assert_false (entry_decode (&entry, out.data, out.size));
        buf_clear (&out);
    }
    assert_false (entry_decode (&entry, NULL, 0));
    buf_deinit (&out);
}

/* A copy of example i with one byte changed. */
static bool decode_changed (unsigned i, size_t at, uint8_t value)
{
    struct buf out = {0};
    assert_true (example (i, &out));
    assert_true (at < out.size);
    out.data[at] = value;
    struct entry entry;
    bool ok = entry_decode (&entry, out.data, out.size);
    buf_deinit (&out);
    return ok;
}

static void test_refused (void **state)
{
    (void) state;
    assert_false (decode_changed (5, 0, 0)); /* kind */
    assert_false (decode_changed (5, 0, 9));
    assert_false (decode_changed (5, 1, 0)); /* level */
    assert_false (decode_changed (5, 1, ENTRY_LEVEL + 1));
    assert_false (decode_changed (5, 2, 1)); /* reserved */
    assert_true (decode_changed (5, 4, 1));
    assert_false (decode_changed (4, 24, 0)); /* reason */
    assert_false (decode_changed (4, 24, 4));
    assert_true (decode_changed (4, 24, 1));
    assert_false (decode_changed (6, 32, 2));  /* multi is 0 or 1 */
    assert_false (decode_changed (6, 32, 0));  /* one alone, but nine of them */
    assert_false (decode_changed (6, 33, 11)); /* count */
    assert_false (decode_changed (6, 35, 1));
    assert_false (decode_changed (7, 32, 1));  /* a multi with CLOSE_SESSION */
    assert_false (decode_changed (8, 32, 1));  /* and with REJECT */
    assert_false (decode_changed (8, 37, 12)); /* kind of an operation */
    assert_false (decode_changed (8, 37, 0));
    assert_false (decode_changed (0, 20, 32)); /* members */
    assert_false (decode_changed (0, 20, 0));
    assert_false (decode_changed (0, 28, 3)); /* role */
    assert_false (decode_changed (0, 24, 3)); /* ids ascend */
}

static bool decode_limits (struct entry_limits limits)
{
    struct buf out = {0};
    struct entry entry;
    fixture_cluster (&entry, &limits);
    entry_encode (&out, &entry);
    bool ok = entry_decode (&entry, out.data, out.size);
    assert_int_equal (ok, entry_limits_valid (&limits));
    buf_deinit (&out);
    return ok;
}

static void test_limits (void **state)
{
    (void) state;
    struct entry_limits limits = fixture_limits;
    assert_true (decode_limits (limits));
#define EXPECT(field, value, valid)                                                                \
    limits = fixture_limits;                                                                       \
    limits.field = (value);                                                                        \
    assert_int_equal (decode_limits (limits), (valid))
    EXPECT (data_size_max, 0, false);
    EXPECT (data_size_max, 1, true);
    EXPECT (data_size_max, ENTRY_DATA_MAX, true);
    EXPECT (data_size_max, (uint32_t) ENTRY_DATA_MAX + 1, false);
    EXPECT (path_size_max, 0, false);
    EXPECT (path_size_max, ENTRY_PATH_MAX, true);
    EXPECT (path_size_max, ENTRY_PATH_MAX + 1, false);
    EXPECT (window, 0, false);
    EXPECT (window, ENTRY_WINDOW_MAX, true);
    EXPECT (window, ENTRY_WINDOW_MAX + 1, false);
    EXPECT (results_size_max, 0, false);
    EXPECT (timeout_max_ms, 0, false);
    EXPECT (timeout_min_ms, limits.timeout_max_ms, true);
    EXPECT (timeout_min_ms, limits.timeout_max_ms + 1, false);
    EXPECT (grace_min_ms, UINT32_MAX, true);
#undef EXPECT
}

static void test_ops_bound (void **state)
{
    (void) state;
    struct buf out = {0};
    struct entry entry = {.kind = ENTRY_WRITE};
    entry.u.write = (struct entry_write){.multi = true, .count = ENTRY_OPS_MAX};
    entry_encode (&out, &entry);
    struct op op = op_check ("/", -1);
    for (int i = 0; i < ENTRY_OPS_MAX; i++) {
        op_encode (&out, &op);
    }
    expect_same (out.data, out.size);
    op_encode (&out, &op);
    bytes_put_u32 (out.data + 33, ENTRY_OPS_MAX + 1);
    assert_false (entry_decode (&entry, out.data, out.size));
    buf_deinit (&out);
}

static void test_peek (void **state)
{
    (void) state;
    struct buf out = {0};
    uint64_t session = 0, number = 0;
    for (unsigned i = 0; example (i, &out); i++) {
        struct entry entry;
        assert_true (entry_decode (&entry, out.data, out.size));
        bool write = entry.kind == ENTRY_WRITE;
        assert_int_equal (entry_peek_write (out.data, out.size, &session, &number), write);
        if (write) {
            assert_int_equal (session, entry.u.write.session);
            assert_int_equal (number, entry.u.write.number);
        }
        buf_clear (&out);
    }
    assert_true (example (8, &out));
    assert_false (entry_peek_write (out.data, 36, &session, &number));
    out.data[1] = ENTRY_LEVEL + 1;
    assert_false (entry_peek_write (out.data, out.size, &session, &number));
    buf_deinit (&out);
}

/* Whatever the bytes: no crash, and what decodes encodes to the same. */
static void test_fuzz (void **state)
{
    (void) state;
    struct prng prng;
    prng_seed (&prng, 42);
    struct buf out = {0};
    unsigned decoded = 0;
    for (int round = 0; round < 60000; round++) {
        buf_clear (&out);
        assert_true (example ((unsigned) prng_below (&prng, 10), &out));
        for (uint64_t changes = prng_between (&prng, 1, 4); changes > 0; changes--) {
            uint64_t at = prng_below (&prng, out.size);
            out.data[at] =
                (uint8_t) (prng_chance (&prng, 1, 2) ? prng_below (&prng, 10) : prng_u64 (&prng));
        }
        size_t size = prng_chance (&prng, 1, 4) ? prng_below (&prng, out.size + 1) : out.size;
        uint8_t *copy = mem_dup (out.data, size);
        assert_non_null (copy);
        struct entry entry;
        if (entry_decode (&entry, copy, size)) {
            expect_same (copy, size);
            decoded++;
        }
        mem_free (copy);
    }
    assert_true (decoded > 1000);
    buf_deinit (&out);
}

/* A failing buffer never looks whole. */
static void test_no_memory (void **state)
{
    (void) state;
    for (uint64_t n = 1;; n++) {
        struct buf out = {0};
        mem_fail_at (n);
        assert_true (example (6, &out));
        bool failed = mem_fail_clear ();
        assert_int_equal (out.failed, failed);
        buf_deinit (&out);
        if (!failed) {
            break;
        }
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_there_and_back), cmocka_unit_test (test_golden),
        cmocka_unit_test (test_fields),         cmocka_unit_test (test_cut_and_extended),
        cmocka_unit_test (test_refused),        cmocka_unit_test (test_limits),
        cmocka_unit_test (test_ops_bound),      cmocka_unit_test (test_peek),
        cmocka_unit_test (test_fuzz),           cmocka_unit_test (test_no_memory),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

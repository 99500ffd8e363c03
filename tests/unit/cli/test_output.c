/* Unit tests of cli/output.h: the shapes, to the letter. */

#include "client/cli/output.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

struct capture {
    FILE *stream;
    char *text;
    size_t size;
};

static FILE *begin (struct capture *self)
{
    self->stream = open_memstream (&self->text, &self->size);
    assert_non_null (self->stream);
    return self->stream;
}

static void end (struct capture *self, const char *expected)
{
    assert_int_equal (fclose (self->stream), 0);
    assert_string_equal (self->text, expected);
    free (self->text);
}

static const cohort_stat_t stat = {
    .czxid = 0x100000002,
    .mzxid = 0x100000003,
    .pzxid = 0x100000004,
    .ctime_ms = 0,
    .mtime_ms = 1700000000999,
    .version = 1,
    .cversion = 2,
    .aversion = 3,
    .data_size = 5,
    .ephemeral_owner = 0x1f,
    .ozxid = 0x100000002,
    .child_count = 7,
};

static void test_stat (void **state)
{
    (void) state;
    struct capture self;
    output_stat (begin (&self), &stat);
    end (&self, "cZxid = 0x100000002\n"
                "ctime = Thu Jan 01 00:00:00 UTC 1970\n"
                "mZxid = 0x100000003\n"
                "mtime = Tue Nov 14 22:13:20 UTC 2023\n"
                "pZxid = 0x100000004\n"
                "cversion = 2\n"
                "dataVersion = 1\n"
                "aclVersion = 3\n"
                "ephemeralOwner = 0x1f\n"
                "dataLength = 5\n"
                "numChildren = 7\n");
}

static void test_stat_json (void **state)
{
    (void) state;
    struct capture self;
    assert_true (output_json (begin (&self), output_json_stat (&stat), 0));
    end (&self, "{\"czxid\": \"0x100000002\", \"mzxid\": \"0x100000003\", \"pzxid\": "
                "\"0x100000004\", \"ctime_ms\": 0, \"mtime_ms\": 1700000000999, \"version\": 1, "
                "\"cversion\": 2, \"aversion\": 3, \"ephemeral_owner\": \"0x1f\", \"ozxid\": "
                "\"0x100000002\", \"data_size\": 5, \"child_count\": 7, \"mode\": \"ephemeral\", "
                "\"ttl_ms\": 0}\n");
}

/* ZooKeeper shows containers and times to live as owners that no session can be. */
static void test_stat_modes (void **state)
{
    (void) state;
    cohort_stat_t container = {.mode = COHORT_CONTAINER}, ttl = {.ttl_ms = 0x1234567890};
    cohort_stat_t plain = {.mode = COHORT_SEQUENTIAL};
    const cohort_stat_t *const stats[] = {&container, &ttl, &plain};
    static const char *const owners[] = {"0x8000000000000000", "0xff00001234567890", "0x0"};
    static const char *const modes[] = {"container", "persistent", "persistent"};
    for (int i = 0; i < 3; i++) {
        struct capture self;
        output_stat (begin (&self), stats[i]);
        assert_int_equal (fclose (self.stream), 0);
        char line[64];
        snprintf (line, sizeof line, "ephemeralOwner = %s\n", owners[i]);
        assert_non_null (strstr (self.text, line));
        free (self.text);
        json_t *object = output_json_stat (stats[i]);
        assert_string_equal (json_string_value (json_object_get (object, "mode")), modes[i]);
        assert_int_equal (json_integer_value (json_object_get (object, "ttl_ms")),
                          stats[i]->ttl_ms);
        /* The object is exact: there a container has no owner. */
        assert_string_equal (json_string_value (json_object_get (object, "ephemeral_owner")),
                             "0x0");
        json_decref (object);
    }
}

static void test_hexdump (void **state)
{
    (void) state;
    struct capture self;
    output_hexdump (begin (&self), "", 0);
    end (&self, "");
    output_hexdump (begin (&self), "hello\n", 6);
    end (&self, "00000000  68 65 6c 6c 6f 0a                                 |hello.|\n"
                "00000006\n");
    output_hexdump (begin (&self), "0123456789abcdef\x7f\xff", 18);
    end (&self, "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n"
                "00000010  7f ff                                             |..|\n"
                "00000012\n");
}

static void test_base64 (void **state)
{
    (void) state;
    /* RFC 4648, section 10. */
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct capture self;
        output_base64 (begin (&self), pairs[i][0], strlen (pairs[i][0]));
        end (&self, pairs[i][1]);
        char text[16];
        size_t size = strlen (pairs[i][1]);
        memcpy (text, pairs[i][1], size + 1);
        assert_true (output_decode_base64 (text, &size));
        assert_int_equal (size, strlen (pairs[i][0]));
        assert_memory_equal (text, pairs[i][0], size);
    }
    char folded[] = "Zm9v\nYmFy\n";
    size_t size = sizeof folded - 1;
    assert_true (output_decode_base64 (folded, &size));
    assert_int_equal (size, 6);
    static const char *const wrong[] = {
        "Z", "Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9*", "=Zm9"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[16];
        size = strlen (wrong[i]);
        memcpy (text, wrong[i], size + 1);
        assert_false (output_decode_base64 (text, &size));
    }
}

static void test_escaped (void **state)
{
    (void) state;
    struct capture self;
    output_escaped (begin (&self), "a b\n\t\r\\\0\x01\x7f", 10);
    end (&self, "a b\\n\\t\\r\\\\\\x00\\x01\\x7f");
    output_escaped (begin (&self), "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\xae", 15);
    end (&self, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\xae");
    /* Cut off, overlong, a surrogate, above the last code point, a stray continuation. */
    output_escaped (begin (&self), "\xe2\x82", 2);
    end (&self, "\\xe2\\x82");
    output_escaped (begin (&self), "\xc0\xaf\xe0\x80\xaf", 5);
    end (&self, "\\xc0\\xaf\\xe0\\x80\\xaf");
    output_escaped (begin (&self), "\xed\xa0\x80\xf4\x90\x80\x80\x80", 8);
    end (&self, "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\x80");
}

static void test_lists (void **state)
{
    (void) state;
    static const char *const items[] = {"a", "b", "c"};
    struct capture self;
    output_list_inline (begin (&self), items, 3);
    end (&self, "[a, b, c]\n");
    output_list_inline (begin (&self), items, 0);
    end (&self, "[]\n");
    output_list_lines (begin (&self), items, 2);
    end (&self, "a\nb\n");
    output_list_lines (begin (&self), items, 0);
    end (&self, "");
}

static void test_table (void **state)
{
    (void) state;
    static const char *const cells[] = {"ID", "ADDRESS", "ROLE", "10", "x", "leader"};
    struct capture self;
    output_table (begin (&self), cells, 2, 3);
    end (&self, "ID  ADDRESS  ROLE\n"
                "10  x        leader\n");
    output_table (begin (&self), cells, 1, 3);
    end (&self, "ID  ADDRESS  ROLE\n");
}

static void expect_json_data (const void *data, size_t size, const char *expected)
{
    json_t *object = json_object ();
    output_json_data (object, data, size);
    struct capture self;
    assert_true (output_json (begin (&self), object, 0));
    end (&self, expected);
}

static void test_json_data (void **state)
{
    (void) state;
    expect_json_data ("", 0, "{\"data\": \"\"}\n");
    expect_json_data (NULL, 0, "{\"data\": \"\"}\n"); /* as lists have no data */
    expect_json_data ("a\"\n", 3, "{\"data\": \"a\\\"\\n\"}\n");
    expect_json_data ("\xc3\xbc", 2, "{\"data\": \"\xc3\xbc\"}\n");
    expect_json_data ("\xff", 1, "{\"data_base64\": \"/w==\"}\n");
    expect_json_data ("a\0b", 3, "{\"data_base64\": \"YQBi\"}\n");
    struct capture self;
    assert_false (output_json (begin (&self), NULL, 0));
    end (&self, "");
}

static void test_id (void **state)
{
    (void) state;
    char buffer[OUTPUT_ID_SIZE];
    assert_string_equal (output_id (0, buffer), "0x0");
    assert_string_equal (output_id (UINT64_MAX, buffer), "0xffffffffffffffff");
}

int main (void)
{
    setenv ("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_stat),      cmocka_unit_test (test_stat_modes),
        cmocka_unit_test (test_stat_json), cmocka_unit_test (test_hexdump),
        cmocka_unit_test (test_base64),    cmocka_unit_test (test_escaped),
        cmocka_unit_test (test_lists),     cmocka_unit_test (test_table),
        cmocka_unit_test (test_json_data), cmocka_unit_test (test_id),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

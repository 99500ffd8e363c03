/* Histories as text: what is written is read back; what is malformed is refused, and named. */

#include "tests/history/text.h"

#include <string.h>

#include "tests/unit/unit.h"

/* Read, and written again. */
static void expect_same (const char *line)
{
    struct arena arena;
    struct buf out = {0};
    struct history_event event;
    struct objection objection;
    char copy[1024];
    assert_true (strlen (line) < sizeof copy);
    memcpy (copy, line, strlen (line) + 1);
    arena_init (&arena, 4096, 0);
    if (!history_parse (copy, &arena, &event, &objection)) {
        fail_msg ("%s: %s", line, objection.text);
    }
    history_format (&out, &event);
    assert_false (out.failed);
    buf_append (&out, "", 1);
    assert_string_equal ((const char *) out.data, line);
    buf_deinit (&out);
    arena_deinit (&arena);
}

static void test_every_kind (void **state)
{
    (void) state;
    expect_same ("5 c1 session session=72057594037927936 timeout=1000 grace=200\n");
    expect_same ("5 c1 session session=7 timeout=1000 grace=200 incarnation=2\n");
    expect_same ("5 c1 call id=1 number=3 multi=0 op=kill|||0|0|0|7|0|0\n");
    expect_same ("5 c1 attached server=2\n");
    expect_same ("-5 c1 valid until=9223372036854775807\n");
    expect_same ("5 c4294967295 lost\n");
    expect_same ("5 c1 gone\n");
    expect_same ("5 c1 call id=18446744073709551615 number=3 multi=0 "
                 "op=create|/a%20b|x%25%7c%3d%23%c3%a4|3|-1|0|0|0|0\n");
    expect_same ("5 c1 call id=1 number=0 multi=0 op=get|/a||0|0|0|0|0|1\n");
    expect_same ("5 c1 call id=1 number=2 multi=1 op=check-owner|/a||0|0|7|8|0|0 "
                 "op=delete|/a||0|4|0|0|0|0 op=set|/|v|0|-1|0|0|0|0 op=check||%7f|0|0|0|0|0|0\n");
    expect_same (
        "5 c1 call id=1 number=2 multi=1 op=check-absent|/a||0|0|0|0|0|0 "
        "op=create|/a||0|0|0|0|0|0|absent:1|ttl:5000 op=delete-tree|/b||0|-1|0|0|0|0|limit:7 "
        "op=add|/c||0|0|0|0|0|0|delta:-1|floor:-9223372036854775808|ceiling:9\n");
    expect_same ("5 c1 return id=1 code=0 zxid=9 r=0|||value:-5 r=0|/a||existed:1\n");
    expect_same ("5 c1 return id=1 code=-101 zxid=0\n");
    expect_same ("5 c1 return id=1 code=0 zxid=9 r=0|/a0000000001|1/2/3/-4/5/6/7/8/9/10/11/12/1/0 "
                 "r=-205||\n");
    expect_same ("5 c1 return id=1 code=0 zxid=9 stat=1/2/3/4/5/6/7/8/9/10/11/12/0/5000 value=\n");
    expect_same ("5 c1 return id=1 code=0 zxid=9 child=a child=b%20 child=c\n");
    expect_same ("5 c1 call id=1 number=0 multi=1 op=get|/a||0|0|0|0|0|0|current:1 "
                 "op=count|/||0|0|0|0|0|0|current:1\n");
    expect_same ("5 c1 call id=1 number=0 multi=0 op=ephemerals||/e|0|0|0|0|0|0|limit:3\n");
    expect_same ("5 c1 call id=1 number=0 multi=0 op=page|/a|q|3|0|0|0|0|0|limit:3|after:q1\n");
    expect_same ("5 c1 call id=1 number=0 multi=0 op=get-acl|/a||0|0|0|0|0|0|inherited:1\n");
    expect_same ("5 c1 call id=1 number=0 multi=0 op=whoami|||0|0|0|0|0|0\n");
    expect_same ("5 c1 call id=1 number=0 multi=0 op=unwatch|/a||3|0|0|0|0|0|check:1\n");
    expect_same ("5 c1 return id=1 code=0 zxid=9 r=0|||data:x%20 r=0|||data: r=0|||value:7 "
                 "r=0|||children:a/b%20/c r=-101||\n");
    expect_same ("5 c1 return id=1 code=0 zxid=9 below=7\n");
    expect_same ("5 c1 unknown id=1\n");
    expect_same ("5 c1 seen zxid=9\n");
    expect_same ("5 c1 fired watch=3 type=4 path=/a zxid=9\n");
    expect_same ("5 c1 fired watch=1 type=-1 path=/ zxid=0\n");
    expect_same ("5 c1 batch stream=1 path=/ zxid=9 snapshot=1 first=1 more=1 "
                 "change=1|/a|x|1/2/3/4/5/6/7/8/9/10/11/12/0/5000 change=2|/b||\n");
    expect_same ("5 c1 batch stream=1 path=/ zxid=9 snapshot=0 first=1 more=0 reset=1\n");
    expect_same ("5 c1 opened stream=1 path=/a flags=7 from=9\n");
    expect_same ("5 c1 closed stream=1\n");
    expect_same ("5 c1 told stream=1 type=-2 path=/a zxid=9\n");
    expect_same ("5 c1 refused stream=1\n");
    expect_same ("5 c0 stalled epoch=3 from=-4\n");
    expect_same ("5 c0 entry zxid=1 stamp=1700000000000 what=session attach=1 incarnation=1 "
                 "server=2 nonce=00112233445566778899aabbccddeeff\n");
    expect_same ("5 c0 entry zxid=1 stamp=2 what=attach session=3 attach=4 incarnation=5 "
                 "server=6 nonce=ffffffffffffffffffffffffffffffff\n");
    expect_same ("5 c0 entry zxid=1 stamp=2 what=attach session=3 attach=4 incarnation=5 "
                 "server=6 nonce=ffffffffffffffffffffffffffffffff "
                 "password=ffeeddccbbaa99887766554433221100\n");
    expect_same ("5 c0 entry zxid=1 stamp=2 what=close session=3 attach=4 incarnation=5 "
                 "killed=0 silent=1\n");
    expect_same ("5 c0 entry zxid=1 stamp=2 what=reap session=3\n");
    expect_same ("5 c0 entry zxid=1 stamp=2 what=write session=3 number=4 incarnation=1 multi=0 "
                 "op=reject|||0|0|0|0|-202|0\n");
    expect_same ("5 c0 entry zxid=1 stamp=2 what=lapse op=lapsed|/a||0|0|7|0|0|0 "
                 "op=lapsed|/b||0|0|8|0|0|0\n");
    expect_same ("5 c0 entry zxid=1 stamp=2 what=other\n");
    expect_same ("5 c0 entry zxid=1 stamp=2 what=admins admins=ip:10.0.0.1:rwcda\n");
    expect_same ("5 c0 entry zxid=1 stamp=2 what=session attach=1 incarnation=1 server=2 "
                 "nonce=00112233445566778899aabbccddeeff origin=ip:10.0.0.1 "
                 "password=ffeeddccbbaa99887766554433221100\n");
    expect_same ("5 c0 entry zxid=1 stamp=2 what=write session=3 number=4 incarnation=1 multi=0 "
                 "op=set-acl|/a||0|-1|0|0|0|0|inherited:1|acl:world:anyone:r,auth::rwcda\n");
    expect_same ("5 c0 entry zxid=1 stamp=2 what=write session=3 number=4 incarnation=1 multi=0 "
                 "op=hand-over||ffeeddccbbaa99887766554433221100|0|0|0|7|0|0\n");
    expect_same ("5 c1 batch stream=1 path=/ zxid=4 snapshot=0 first=1 more=0 "
                 "change=40|/a||4/4/4/10/10/0/0/1/0/0/0/0/0/0|hidden:1 "
                 "change=80|||0/0/0/0/0/0/0/0/0/2/4/0/0/0|from:1\n");
    expect_same ("5 c0 led\n");
    expect_same ("5 c0 led epoch=7\n");
    expect_same ("5 c0 ended client=3 server=2 attach=18446744073709551615\n");
    expect_same ("5 c0 forgot server=2\n");
    expect_same ("5 c0 heard server=2\n");
    expect_same ("5 c0 calm\n");
    expect_same ("5 c0 uncalm\n");
    expect_same ("5 c1 served\n");
    expect_same ("5 c1 unserved\n");
    expect_same ("5 c0 unled\n");
    expect_same ("5 c0 settled\n");
}

static void test_malformed (void **state)
{
    static const char *const lines[] = {
        "",
        "5",
        "5 c1",
        "5 1 lost",
        "x c1 lost",
        "5 cx lost",
        "5 c1 found",
        "5 c1 lost now",
        "5 c1 lost it=1",
        "5 c1 attached server=x",
        "5 c1 attached server=",
        "5 c1 attached servers=1",
        "5 c1 valid until=99999999999999999999",
        "5 c1 call id=-1",
        "5 c1 call op=get|/a",
        "5 c1 call op=got|/a||0|0|0|0|0|1",
        "5 c1 call op=get|/a%2||0|0|0|0|0|1",
        "5 c1 call op=get|/a%zz||0|0|0|0|0|1",
        "5 c1 call op=get|/a||0|0|0|0|0|1|ttl",
        "5 c1 call op=get|/a||0|0|0|0|0|1|colour:5",
        "5 c1 return r=0|/a",
        "5 c1 return r=0|||colour:5",
        "5 c1 return stat=1/2/3",
        "5 c1 batch change=1|/a|x",
        "5 c0 entry nonce=00",
        "5 c0 entry nonce=0011223344556677889900112233445g",
        "5 c0 entry what=nothing",
        "5 c0 entry password=00",
        "5 c1 call op=set|/a||0|0|0|0|0|0|acl",
        "5 c1 batch change=1|/a|||gone:1",
        "5 c1 batch change=1|/a|",
    };
    (void) state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct arena arena;
        struct history_event event;
        struct objection objection = {.text = ""};
        char copy[256];
        memcpy (copy, lines[i], strlen (lines[i]) + 1);
        arena_init (&arena, 4096, 0);
        if (history_parse (copy, &arena, &event, &objection)) {
            fail_msg ("\"%s\" is taken for an event", lines[i]);
        }
        assert_string_not_equal (objection.text, "");
        arena_deinit (&arena);
    }
}

static void test_values (void **state)
{
    char text[HISTORY_VALUE_SIZE], other[HISTORY_VALUE_SIZE];
    char data[1000];
    (void) state;
    assert_string_equal (history_value (NULL, 0, text), "");
    assert_string_equal (history_value ("12 %", 4, text), "12 %");
    assert_string_equal (history_value ("ab", 1, text), "a");
    history_value ("#1", 2, text);
    assert_memory_equal (text, "#2:", 3);
    history_value ("a\n", 2, text);
    assert_memory_equal (text, "#2:", 3);
    memset (data, 'x', sizeof data);
    assert_int_equal (strlen (history_value (data, 64, text)), 64);
    history_value (data, 65, text);
    assert_memory_equal (text, "#65:", 4);
    history_value (data, sizeof data, text);
    assert_memory_equal (text, "#1000:", 6);
    data[500] = 'y';
    assert_string_not_equal (history_value (data, sizeof data, other), text);
}

static void test_blank (void **state)
{
    (void) state;
    assert_true (history_is_blank (""));
    assert_true (history_is_blank ("  \r\n"));
    assert_true (history_is_blank (HISTORY_HEADER));
    assert_false (history_is_blank ("5 c0 led\n"));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_every_kind),
        cmocka_unit_test (test_malformed),
        cmocka_unit_test (test_values),
        cmocka_unit_test (test_blank),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

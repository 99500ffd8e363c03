/* Streams: whose subtree holds a path. */

#include <stdio.h>

#include "server/tree/watch.h"
#include "tests/unit/tree/fixture.h"

#define TEXT_MAX 256

static void note (void *arg, uint64_t owner, uint64_t stream_id)
{
    char *text = arg;
    size_t used = strlen (text);
    snprintf (text + used, TEXT_MAX - used, " %u.%u", (unsigned) owner, (unsigned) stream_id);
}

static void expect (const struct streams *streams, const char *path, const char *matches)
{
    char text[TEXT_MAX] = "";
    streams_match (streams, path, strlen (path), note, text);
    assert_string_equal (text, matches);
}

static void test_match (void **state)
{
    (void) state;
    struct streams *streams = streams_new (7);
    assert_non_null (streams);
    expect (streams, "/a", "");
    assert_true (streams_add (streams, 1, 1, "/", 1));
    assert_true (streams_add (streams, 1, 2, "/a", 2));
    assert_true (streams_add (streams, 2, 1, "/a", 2));
    assert_true (streams_add (streams, 2, 2, "/a/b", 4));
    assert_true (streams_add (streams, 3, 1, "/ab", 3));
    expect (streams, "/", " 1.1");
    expect (streams, "/a", " 1.1 1.2 2.1");
    expect (streams, "/a/b", " 1.1 1.2 2.1 2.2");
    expect (streams, "/a/b/c/d", " 1.1 1.2 2.1 2.2");
    expect (streams, "/ab", " 1.1 3.1");
    expect (streams, "/ab/x", " 1.1 3.1");
    expect (streams, "/abc", " 1.1");
    streams_remove (streams, 1, 2);
    streams_remove (streams, 1, 2);
    streams_remove (streams, 9, 9);
    expect (streams, "/a/b", " 1.1 2.1 2.2");
    /* Opened again elsewhere: it is there and nowhere else. */
    assert_true (streams_add (streams, 2, 1, "/c", 2));
    expect (streams, "/a/b", " 1.1 2.2");
    expect (streams, "/c", " 1.1 2.1");
    streams_remove_owner (streams, 2);
    streams_remove_owner (streams, 2);
    expect (streams, "/a/b", " 1.1");
    expect (streams, "/c", " 1.1");
    streams_remove_owner (streams, 1);
    expect (streams, "/ab", " 3.1");
    streams_destroy (&streams);
    assert_null (streams);
}

static void test_covers (void **state)
{
    (void) state;
    static const struct {
        const char *root, *path;
        bool covers;
    } cases[] = {
        {"/", "/", true},      {"/", "/a", true},       {"/a", "/a", true},
        {"/a", "/a/b", true},  {"/a", "/ab", false},    {"/a", "/", false},
        {"/a/b", "/a", false}, {"/a/b", "/a/c", false}, {"/a/b", "/a/b/c", true},
    };
    for (size_t i = 0; i < sizeof (cases) / sizeof (cases[0]); i++) {
        assert_int_equal (stream_covers (TEXT (cases[i].root), TEXT (cases[i].path)),
                          cases[i].covers);
    }
}

/* Both ways to ask give the same. */
static void test_agree (void **state)
{
    (void) state;
    static const char *const paths[] = {"/",     "/a",   "/a/a", "/a/b",  "/b",
                                        "/b/aa", "/b/a", "/ab",  "/a/a/a"};
    size_t count = sizeof (paths) / sizeof (paths[0]);
    for (size_t i = 0; i < count; i++) {
        struct streams *streams = streams_new (7);
        assert_non_null (streams);
        assert_true (streams_add (streams, 1, 1, TEXT (paths[i])));
        for (size_t k = 0; k < count; k++) {
            bool covers = stream_covers (TEXT (paths[i]), TEXT (paths[k]));
            expect (streams, paths[k], covers ? " 1.1" : "");
        }
        streams_destroy (&streams);
    }
}

static void test_no_memory (void **state)
{
    (void) state;
    for (uint64_t n = 1;; n++) {
        mem_fail_at (n);
        struct streams *streams = streams_new (7);
        bool added = streams != NULL && streams_add (streams, 1, 1, "/a", 2);
        bool failed = mem_fail_clear ();
        assert_int_equal (added, !failed);
        if (streams != NULL) {
            expect (streams, "/a", added ? " 1.1" : "");
            assert_true (streams_add (streams, 1, 1, "/a", 2));
            expect (streams, "/a", " 1.1");
        }
        streams_destroy (&streams);
        if (!failed) {
            break;
        }
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_match),
        cmocka_unit_test (test_covers),
        cmocka_unit_test (test_agree),
        cmocka_unit_test (test_no_memory),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

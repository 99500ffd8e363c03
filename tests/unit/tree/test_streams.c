/* Streams: whose subtree holds a path. */

#include <stdio.h>

#include "server/tree/watch.h"
#include "tests/unit/tree/fixture.h"

#define TEXT_MAX 256

struct named {
    struct stream stream;
    const char *name;
};

static void note (void *arg, struct stream *stream)
{
    char *text = arg;
    size_t used = strlen (text);
    snprintf (text + used, TEXT_MAX - used, " %s",
              container_of (stream, struct named, stream)->name);
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
    struct named all = {.name = "all"}, a = {.name = "a"}, a2 = {.name = "a2"}, b = {.name = "b"},
                 ab = {.name = "ab"};
    assert_non_null (streams);
    expect (streams, "/a", "");
    assert_true (streams_add (streams, &all.stream, "/", 1));
    assert_true (streams_add (streams, &a.stream, "/a", 2));
    assert_true (streams_add (streams, &a2.stream, "/a", 2));
    assert_true (streams_add (streams, &b.stream, "/a/b", 4));
    assert_true (streams_add (streams, &ab.stream, "/ab", 3));
    expect (streams, "/", " all");
    expect (streams, "/a", " all a a2");
    expect (streams, "/a/b", " all a a2 b");
    expect (streams, "/a/b/c/d", " all a a2 b");
    expect (streams, "/ab", " all ab");
    expect (streams, "/ab/x", " all ab");
    expect (streams, "/abc", " all");
    streams_remove (streams, &a.stream);
    streams_remove (streams, &a.stream);
    expect (streams, "/a/b", " all a2 b");
    /* Registered again it is the last. */
    assert_true (streams_add (streams, &a.stream, "/a", 2));
    expect (streams, "/a/b", " all a2 a b");
    streams_remove (streams, &a.stream);
    streams_remove (streams, &a2.stream);
    streams_remove (streams, &b.stream);
    expect (streams, "/a/b", " all");
    streams_remove (streams, &all.stream);
    expect (streams, "/ab", " ab");
    streams_remove (streams, &ab.stream);
    streams_destroy (&streams);
    assert_null (streams);
}

/* Who is deaf is there all the same, and the last to hear again. */
static void test_deaf (void **state)
{
    (void) state;
    struct streams *streams = streams_new (7);
    struct named a = {.name = "a"}, a2 = {.name = "a2"};
    assert_non_null (streams);
    assert_true (streams_add (streams, &a.stream, "/a", 2));
    assert_true (streams_add (streams, &a2.stream, "/a", 2));
    stream_deafen (&a.stream, true);
    stream_deafen (&a.stream, true);
    expect (streams, "/a", " a2");
    streams_remove (streams, &a2.stream);
    expect (streams, "/a", "");
    assert_true (streams_add (streams, &a2.stream, "/a", 2));
    stream_deafen (&a.stream, false);
    expect (streams, "/a", " a2 a");
    stream_deafen (&a2.stream, true);
    streams_remove (streams, &a2.stream);
    streams_remove (streams, &a.stream);
    expect (streams, "/a", "");
    streams_destroy (&streams);
}

static void leave (void *arg, struct stream *stream)
{
    streams_remove (arg, stream);
}

/* Whoever is told may go, also the last. */
static void test_leave (void **state)
{
    (void) state;
    struct streams *streams = streams_new (7);
    struct named all = {.name = "all"}, a = {.name = "a"}, a2 = {.name = "a2"};
    assert_non_null (streams);
    assert_true (streams_add (streams, &all.stream, "/", 1));
    assert_true (streams_add (streams, &a.stream, "/a", 2));
    assert_true (streams_add (streams, &a2.stream, "/a", 2));
    streams_match (streams, "/a/b", 4, leave, streams);
    expect (streams, "/a/b", "");
    streams_destroy (&streams);
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
        struct named one = {.name = "one"};
        assert_true (streams_add (streams, &one.stream, TEXT (paths[i])));
        for (size_t k = 0; k < count; k++) {
            bool covers = stream_covers (TEXT (paths[i]), TEXT (paths[k]));
            expect (streams, paths[k], covers ? " one" : "");
        }
        streams_remove (streams, &one.stream);
        streams_destroy (&streams);
    }
}

static void test_no_memory (void **state)
{
    (void) state;
    for (uint64_t n = 1;; n++) {
        struct named one = {.name = "one"};
        mem_fail_at (n);
        struct streams *streams = streams_new (7);
        bool added = streams != NULL && streams_add (streams, &one.stream, "/a", 2);
        bool failed = mem_fail_clear ();
        assert_int_equal (added, !failed);
        if (streams != NULL) {
            expect (streams, "/a", added ? " one" : "");
            assert_true (added || streams_add (streams, &one.stream, "/a", 2));
            expect (streams, "/a", " one");
            streams_remove (streams, &one.stream);
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
        cmocka_unit_test (test_match), cmocka_unit_test (test_deaf),
        cmocka_unit_test (test_leave), cmocka_unit_test (test_covers),
        cmocka_unit_test (test_agree), cmocka_unit_test (test_no_memory),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

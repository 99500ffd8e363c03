/* One-shot watches: what fires what, once; and what was missed. */

#include <stdio.h>

#include "server/tree/watch.h"
#include "tests/unit/tree/fixture.h"

#define EVENTS_MAX 2000

struct event {
    uint64_t owner;
    enum watch_kind kind;
    cohort_event_type_t type;
    char path[32];
    zxid_t zxid;
};

struct events {
    size_t count;
    struct event items[EVENTS_MAX];
    struct watches *watches;
    uint64_t remove; /* owner to remove at the first event; 0: none */
    bool again;      /* set each watch anew */
};

static void note (void *arg, uint64_t owner, enum watch_kind kind, cohort_event_type_t type,
                  const char *path, size_t path_size, zxid_t zxid)
{
    struct events *events = arg;
    assert_true (events->count < EVENTS_MAX);
    struct event *event = &events->items[events->count++];
    *event = (struct event){.owner = owner, .kind = kind, .type = type, .zxid = zxid};
    assert_true (path_size < sizeof (event->path));
    memcpy (event->path, path, path_size);
    if (events->remove != 0) {
        watches_remove_owner (events->watches, events->remove);
        events->remove = 0;
    }
    if (events->again) {
        assert_true (watches_add (events->watches, owner, kind, path, path_size));
    }
}

static void fire (struct events *events, enum effect_kind kind, const char *path)
{
    struct effect effect = {
        .zxid = 77, .kind = kind, .path = path, .path_size = (uint32_t) strlen (path)};
    watches_fire (events->watches, &effect, note, events);
}

/* The table: each kind of watch on /a/b, on its parent and on a child, against each effect on
 * /a/b. */
static void test_table (void **state)
{
    (void) state;
    static const struct {
        enum watch_kind kind;
        const char *path;
        enum effect_kind effect;
        int event;
    } table[] = {
        {WATCH_DATA, "/a/b", EFFECT_CREATED, 0},
        {WATCH_DATA, "/a/b", EFFECT_DELETED, COHORT_EVENT_DELETED},
        {WATCH_DATA, "/a/b", EFFECT_DATA, COHORT_EVENT_CHANGED},
        {WATCH_EXISTS, "/a/b", EFFECT_CREATED, COHORT_EVENT_CREATED},
        {WATCH_EXISTS, "/a/b", EFFECT_DELETED, COHORT_EVENT_DELETED},
        {WATCH_EXISTS, "/a/b", EFFECT_DATA, COHORT_EVENT_CHANGED},
        {WATCH_CHILDREN, "/a/b", EFFECT_CREATED, 0},
        {WATCH_CHILDREN, "/a/b", EFFECT_DELETED, COHORT_EVENT_DELETED},
        {WATCH_CHILDREN, "/a/b", EFFECT_DATA, 0},
        {WATCH_DATA, "/a", EFFECT_CREATED, 0},
        {WATCH_DATA, "/a", EFFECT_DELETED, 0},
        {WATCH_DATA, "/a", EFFECT_DATA, 0},
        {WATCH_EXISTS, "/a", EFFECT_CREATED, 0},
        {WATCH_EXISTS, "/a", EFFECT_DELETED, 0},
        {WATCH_EXISTS, "/a", EFFECT_DATA, 0},
        {WATCH_CHILDREN, "/a", EFFECT_CREATED, COHORT_EVENT_CHILDREN},
        {WATCH_CHILDREN, "/a", EFFECT_DELETED, COHORT_EVENT_CHILDREN},
        {WATCH_CHILDREN, "/a", EFFECT_DATA, 0},
        {WATCH_CHILDREN, "/", EFFECT_CREATED, 0},
        {WATCH_CHILDREN, "/", EFFECT_DELETED, 0},
        {WATCH_DATA, "/a/b/c", EFFECT_DELETED, 0},
        {WATCH_EXISTS, "/a/b/c", EFFECT_DELETED, 0},
        {WATCH_EXISTS, "/a/bc", EFFECT_CREATED, 0},
        {WATCH_CHILDREN, "/a/b/c", EFFECT_DELETED, 0},
    };
    static struct events events;
    for (size_t i = 0; i < sizeof (table) / sizeof (table[0]); i++) {
        struct watches *watches = watches_new (7);
        assert_non_null (watches);
        events = (struct events){.watches = watches};
        assert_true (watches_add (watches, 5, table[i].kind, TEXT (table[i].path)));
        assert_int_equal (watches_count (watches), 1);
        fire (&events, table[i].effect, "/a/b");
        bool fires = table[i].event != 0;
        assert_int_equal (events.count, fires);
        assert_int_equal (watches_count (watches), !fires);
        if (fires) {
            assert_int_equal (events.items[0].owner, 5);
            assert_int_equal (events.items[0].kind, table[i].kind);
            assert_int_equal (events.items[0].type, table[i].event);
            assert_string_equal (events.items[0].path, table[i].path);
            assert_int_equal (events.items[0].zxid, 77);
            fire (&events, table[i].effect, "/a/b");
            assert_int_equal (events.count, 1);
        }
        watches_destroy (&watches);
        assert_null (watches);
    }
}

static void test_root (void **state)
{
    (void) state;
    static struct events events;
    events = (struct events){.watches = watches_new (7)};
    assert_true (watches_add (events.watches, 1, WATCH_CHILDREN, "/", 1));
    assert_true (watches_add (events.watches, 1, WATCH_DATA, "/", 1));
    fire (&events, EFFECT_DATA, "/");
    assert_int_equal (events.count, 1);
    assert_int_equal (events.items[0].type, COHORT_EVENT_CHANGED);
    fire (&events, EFFECT_CREATED, "/x");
    assert_int_equal (events.count, 2);
    assert_int_equal (events.items[1].type, COHORT_EVENT_CHILDREN);
    assert_string_equal (events.items[1].path, "/");
    watches_destroy (&events.watches);
}

static void test_same_twice (void **state)
{
    (void) state;
    static struct events events;
    events = (struct events){.watches = watches_new (7)};
    for (int i = 0; i < 3; i++) {
        assert_true (watches_add (events.watches, 1, WATCH_DATA, "/a", 2));
    }
    assert_int_equal (watches_count (events.watches), 1);
    assert_true (watches_add (events.watches, 2, WATCH_DATA, "/a", 2));
    assert_true (watches_add (events.watches, 1, WATCH_EXISTS, "/a", 2));
    assert_true (watches_add (events.watches, 1, WATCH_DATA, "/b", 2));
    assert_int_equal (watches_count (events.watches), 4);
    fire (&events, EFFECT_DELETED, "/a");
    assert_int_equal (events.count, 3);
    /* By kind, and in the order in which they were set. */
    assert_int_equal (events.items[0].owner, 1);
    assert_int_equal (events.items[1].owner, 2);
    assert_int_equal (events.items[2].kind, WATCH_EXISTS);
    watches_remove_owner (events.watches, 1);
    assert_int_equal (watches_count (events.watches), 0);
    watches_remove_owner (events.watches, 1);
    watches_destroy (&events.watches);
}

static void test_within_callback (void **state)
{
    (void) state;
    static struct events events;
    events = (struct events){.watches = watches_new (7)};
    for (uint64_t owner = 1; owner <= 4; owner++) {
        assert_true (watches_add (events.watches, owner, WATCH_DATA, "/a", 2));
        assert_true (watches_add (events.watches, owner, WATCH_DATA, "/b", 2));
    }
    /* An owner that goes while its event is due hears no more. */
    events.remove = 3;
    fire (&events, EFFECT_DATA, "/a");
    assert_int_equal (events.count, 3);
    assert_int_equal (watches_count (events.watches), 3);
    /* Nor does the one that is being told, but for this event. */
    events.remove = 1;
    events.again = true;
    fire (&events, EFFECT_DATA, "/b");
    assert_int_equal (events.count, 6);
    /* What was set anew waits for the next. */
    assert_int_equal (watches_count (events.watches), 3);
    fire (&events, EFFECT_DATA, "/b");
    assert_int_equal (events.count, 9);
    watches_destroy (&events.watches);
}

static void test_many (void **state)
{
    (void) state;
    static struct events events;
    events = (struct events){.watches = watches_new (7)};
    struct prng prng;
    prng_seed (&prng, 5);
    static bool set[20][3][50];
    size_t count = 0;
    char path[32];
    for (int i = 0; i < 6000; i++) {
        uint64_t owner = prng_below (&prng, 20), node = prng_below (&prng, 50);
        enum watch_kind kind = (enum watch_kind) prng_between (&prng, 1, 3);
        snprintf (path, sizeof (path), "/%u", (unsigned) node);
        uint64_t what = prng_below (&prng, 20);
        if (what == 0) {
            watches_remove_owner (events.watches, owner);
            for (int k = 0; k < 3 * 50; k++) {
                count -= set[owner][k / 50][k % 50];
                set[owner][k / 50][k % 50] = false;
            }
        } else if (what < 3) {
            events.count = 0;
            fire (&events, EFFECT_DATA, path);
            size_t expected = 0;
            for (int o = 0; o < 20; o++) {
                for (int k = 0; k < 2; k++) {
                    expected += set[o][k][node];
                    set[o][k][node] = false;
                }
            }
            assert_int_equal (events.count, expected);
            count -= expected;
        } else {
            assert_true (watches_add (events.watches, owner, kind, TEXT (path)));
            count += !set[owner][kind - 1][node];
            set[owner][kind - 1][node] = true;
        }
        assert_int_equal (watches_count (events.watches), count);
    }
    watches_destroy (&events.watches);
}

static void test_no_memory (void **state)
{
    (void) state;
    for (uint64_t n = 1;; n++) {
        mem_fail_at (n);
        struct watches *watches = watches_new (7);
        bool added = watches != NULL && watches_add (watches, 1, WATCH_DATA, "/a", 2);
        bool failed = mem_fail_clear ();
        assert_int_equal (added, !failed);
        if (watches != NULL) {
            assert_int_equal (watches_count (watches), added);
            assert_true (watches_add (watches, 1, WATCH_DATA, "/a", 2));
            assert_int_equal (watches_count (watches), 1);
        }
        watches_destroy (&watches);
        if (!failed) {
            break;
        }
    }
}

/* ---- What was missed --------------------------------------------------------------------- */

struct missed_case {
    const char *name;
    enum watch_kind kind;
    bool there;         /* when the watch was set */
    const char *script; /* what happened since: c reate, d elete, s et, + child, - child, o ther */
    int from_ring, by_znode;
};

static const struct missed_case missed_cases[] = {
    {"quiet", WATCH_DATA, true, "o", 0, 0},
    {"quiet", WATCH_EXISTS, true, "o", 0, 0},
    {"quiet", WATCH_CHILDREN, true, "o", 0, 0},
    {"set", WATCH_DATA, true, "s", COHORT_EVENT_CHANGED, COHORT_EVENT_CHANGED},
    {"set", WATCH_EXISTS, true, "s", COHORT_EVENT_CHANGED, COHORT_EVENT_CHANGED},
    {"set", WATCH_CHILDREN, true, "s", 0, 0},
    {"deleted", WATCH_DATA, true, "d", COHORT_EVENT_DELETED, COHORT_EVENT_DELETED},
    {"deleted", WATCH_EXISTS, true, "d", COHORT_EVENT_DELETED, COHORT_EVENT_DELETED},
    {"deleted", WATCH_CHILDREN, true, "d", COHORT_EVENT_DELETED, COHORT_EVENT_DELETED},
    {"set and deleted", WATCH_DATA, true, "sd", COHORT_EVENT_CHANGED, COHORT_EVENT_DELETED},
    {"replaced", WATCH_DATA, true, "dc", COHORT_EVENT_DELETED, COHORT_EVENT_CHANGED},
    {"replaced", WATCH_EXISTS, true, "dc", COHORT_EVENT_DELETED, COHORT_EVENT_CREATED},
    {"replaced", WATCH_CHILDREN, true, "dc", COHORT_EVENT_DELETED, COHORT_EVENT_CHILDREN},
    {"child", WATCH_DATA, true, "+", 0, 0},
    {"child", WATCH_EXISTS, true, "+", 0, 0},
    {"child", WATCH_CHILDREN, true, "+", COHORT_EVENT_CHILDREN, COHORT_EVENT_CHILDREN},
    {"child came and went", WATCH_CHILDREN, true, "+-", COHORT_EVENT_CHILDREN,
     COHORT_EVENT_CHILDREN},
    {"child, then deleted", WATCH_CHILDREN, true, "+-d", COHORT_EVENT_CHILDREN,
     COHORT_EVENT_DELETED},
    {"still absent", WATCH_EXISTS, false, "", 0, 0},
    /* A sibling is all that by_znode can see: it fires for nothing, rather than never. */
    {"still absent", WATCH_EXISTS, false, "o", 0, COHORT_EVENT_DELETED},
    {"created", WATCH_EXISTS, false, "c", COHORT_EVENT_CREATED, COHORT_EVENT_CREATED},
    {"created and set", WATCH_EXISTS, false, "cs", COHORT_EVENT_CREATED, COHORT_EVENT_CREATED},
    {"came and went", WATCH_EXISTS, false, "cd", COHORT_EVENT_CREATED, COHORT_EVENT_DELETED},
};

static void happen (struct fixture *f, uint64_t id, char what, unsigned i)
{
    char other[32];
    snprintf (other, sizeof (other), "/p/o%u", i);
    int code = what == 'c'   ? fixture_create (f, id, "/p/w", "", 0)
               : what == 'd' ? fixture_delete (f, id, "/p/w", -1)
               : what == 's' ? fixture_set (f, id, "/p/w", "x", -1)
               : what == '+' ? fixture_create (f, id, "/p/w/k", "", 0)
               : what == '-' ? fixture_delete (f, id, "/p/w/k", -1)
                             : fixture_create (f, id, other, "", 0);
    assert_int_equal (code, 0);
}

/* With as many looks as it wants. */
static int missed (const struct tree *tree, enum watch_kind kind, const char *path, size_t size,
                   zxid_t seen, zxid_t *zxid)
{
    uint64_t looks = UINT64_MAX;
    return watch_missed (tree, kind, path, size, seen, &looks, zxid);
}

static void check_missed (const struct missed_case *c, bool ring)
{
    struct fixture f;
    struct tree_options options = {.effects_bytes_max = ring ? 0 : 1};
    fixture_init (&f, &options);
    uint64_t id = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, id, "/p", "", 0), 0);
    if (c->there) {
        happen (&f, id, 'c', 0);
    }
    assert_int_equal (fixture_set (&f, id, "/", "x", -1), 0);
    zxid_t seen = f.zxid;
    zxid_t first = 0;
    for (unsigned i = 0; c->script[i] != 0; i++) {
        happen (&f, id, c->script[i], i);
        first = first == 0 ? f.zxid : first;
    }
    zxid_t last = f.zxid;
    if (!ring) {
        /* So much that the history is gone. */
        for (int i = 0; i < 100; i++) {
            assert_int_equal (fixture_set (&f, id, "/", "much more than that", -1), 0);
        }
        assert_true (tree_effects_floor (f.tree) > seen);
    }
    zxid_t zxid = 0;
    int event = missed (f.tree, c->kind, "/p/w", 4, seen, &zxid);
    int expected = ring ? c->from_ring : c->by_znode;
    if (event != expected) {
        print_error ("%s, kind %d, %s\n", c->name, c->kind, ring ? "ring" : "znode");
    }
    assert_int_equal (event, expected);
    if (event != 0) {
        assert_true (zxid > seen);
        assert_true (zxid <= last);
        assert_true (!ring || zxid == first);
        /* Seen up to there, nothing more is missed, or what came later. */
        assert_int_equal (missed (f.tree, c->kind, "/p/w", 4, f.zxid, &zxid) != 0,
                          c->kind != WATCH_EXISTS && !fixture_exists (&f, "/p/w"));
    }
    fixture_deinit (&f);
}

static void test_missed (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof (missed_cases) / sizeof (missed_cases[0]); i++) {
        check_missed (&missed_cases[i], true);
        check_missed (&missed_cases[i], false);
    }
}

/* The nearest ancestor that is there may be far up. */
static void test_missed_deep (void **state)
{
    (void) state;
    struct fixture f;
    fixture_init (&f, NULL);
    uint64_t id = fixture_session (&f, 1);
    assert_int_equal (fixture_create (&f, id, "/p", "", 0), 0);
    zxid_t zxid;
    zxid_t seen = f.zxid;
    assert_int_equal (fixture_create (&f, id, "/x", "", 0), 0);
    assert_int_equal (missed (f.tree, WATCH_EXISTS, TEXT ("/p/a/b/c"), seen, &zxid), 0);
    assert_int_equal (fixture_create (&f, id, "/p/a", "", 0), 0);
    assert_int_equal (missed (f.tree, WATCH_EXISTS, TEXT ("/p/a/b/c"), seen, &zxid), 0);
    assert_int_equal (fixture_create (&f, id, "/p/a/b", "", 0), 0);
    assert_int_equal (fixture_create (&f, id, "/p/a/b/c", "", 0), 0);
    assert_int_equal (missed (f.tree, WATCH_EXISTS, TEXT ("/p/a/b/c"), seen, &zxid),
                      COHORT_EVENT_CREATED);
    assert_int_equal (zxid, f.zxid);
    assert_int_equal (missed (f.tree, WATCH_CHILDREN, "/", 1, seen, &zxid), COHORT_EVENT_CHILDREN);
    assert_int_equal (zxid, seen + 1);
    fixture_deinit (&f);
}

/* The node went, its parent with it, and the parent is there again, as if nothing had been. */
static void test_missed_with_its_parent (void **state)
{
    (void) state;
    for (int ring = 0; ring < 2; ring++) {
        struct fixture f;
        struct tree_options options = {.effects_bytes_max = ring ? 0 : 1};
        fixture_init (&f, &options);
        uint64_t id = fixture_session (&f, 1);
        assert_int_equal (fixture_create (&f, id, "/p", "", 0), 0);
        assert_int_equal (fixture_create (&f, id, "/p/w", "", 0), 0);
        zxid_t seen = f.zxid;
        assert_int_equal (fixture_delete (&f, id, "/p/w", -1), 0);
        zxid_t gone = f.zxid;
        assert_int_equal (fixture_delete (&f, id, "/p", -1), 0);
        assert_int_equal (fixture_create (&f, id, "/p", "", 0), 0);
        for (int i = 0; ring == 0 && i < 100; i++) {
            assert_int_equal (fixture_set (&f, id, "/", "so that the history is gone", -1), 0);
        }
        zxid_t zxid = 0;
        assert_int_equal (missed (f.tree, WATCH_EXISTS, TEXT ("/p/w"), seen, &zxid),
                          COHORT_EVENT_DELETED);
        assert_true (ring ? zxid == gone : zxid > seen);
        assert_int_equal (missed (f.tree, WATCH_EXISTS, TEXT ("/p/w"), f.zxid, &zxid), 0);
        fixture_deinit (&f);
    }
}

/* One watch is taken back; what shares its path, its owner or its kind stays. */
static void test_remove (void **state)
{
    (void) state;
    struct watches *watches = watches_new (1);
    assert_non_null (watches);
    assert_false (watches_remove (watches, 1, WATCH_DATA, TEXT ("/a")));
    assert_true (watches_add (watches, 1, WATCH_DATA, TEXT ("/a")));
    assert_true (watches_add (watches, 1, WATCH_CHILDREN, TEXT ("/a")));
    assert_true (watches_add (watches, 2, WATCH_DATA, TEXT ("/a")));
    assert_true (watches_add (watches, 1, WATCH_DATA, TEXT ("/b")));
    assert_true (watches_has (watches, 1, WATCH_DATA, TEXT ("/a")));
    assert_false (watches_has (watches, 1, WATCH_EXISTS, TEXT ("/a")));
    assert_false (watches_has (watches, 3, WATCH_DATA, TEXT ("/a")));
    assert_true (watches_remove (watches, 1, WATCH_DATA, TEXT ("/a")));
    assert_false (watches_remove (watches, 1, WATCH_DATA, TEXT ("/a")));
    assert_int_equal (watches_count (watches), 3);
    assert_true (watches_has (watches, 1, WATCH_CHILDREN, TEXT ("/a")));
    assert_true (watches_has (watches, 2, WATCH_DATA, TEXT ("/a")));
    assert_true (watches_has (watches, 1, WATCH_DATA, TEXT ("/b")));
    watches_remove_owner (watches, 1);
    assert_true (watches_remove (watches, 2, WATCH_DATA, TEXT ("/a")));
    assert_int_equal (watches_count (watches), 0);
    watches_destroy (&watches);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_table),           cmocka_unit_test (test_root),
        cmocka_unit_test (test_remove),          cmocka_unit_test (test_same_twice),
        cmocka_unit_test (test_within_callback), cmocka_unit_test (test_many),
        cmocka_unit_test (test_no_memory),       cmocka_unit_test (test_missed),
        cmocka_unit_test (test_missed_deep),     cmocka_unit_test (test_missed_with_its_parent),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

/* The rules of what clients look at in other ways than one znode at a time, and of watches that
 * they take back: what must be, and what must not. */

#include "tests/unit/history/fixture.h"

#define COUNT(path)              "op=count|" path "||0|0|0|0|0|0"
#define EPHEMERALS(prefix)       "op=ephemerals||" prefix "|0|0|0|0|0|0"
#define PAGE(prefix, limit)      EPHEMERALS (prefix) "|limit:" limit
#define EXISTS(path)             "op=exists|" path "||0|0|0|0|0|0"
#define UNWATCH(path, type)      "op=unwatch|" path "||" type "|0|0|0|0|0"
#define LOOK_FOR(path, type)     UNWATCH (path, type) "|check:1"
#define SEVERAL(client, id, ops) MULTI (client, id, "0", ops)

/* /a is "x" at 4 and "y" at 6; /a/b comes at 5. */
#define HAPPENED                                                                                   \
    TWO_CLIENTS, WRITTEN ("c1", "1", "1", "1", "4", CREATE ("/a", "x")),                           \
        WRITTEN ("c1", "1", "2", "2", "5", CREATE ("/a/b", "")),                                   \
        WRITTEN ("c1", "1", "3", "3", "6", SET ("/a", "y"))

static void test_several_reads (void **state)
{
    (void) state;
    const char *rule = "values of reads";
#define THREE_READS         GET ("/a") " " CHILDREN ("/a") " " EXISTS ("/c")
#define ASKED               HAPPENED, SEVERAL ("c2", "9", THREE_READS)
#define TOLD(zxid, results) READ ("c2", "9", zxid, results)
    GOOD (ASKED, TOLD ("6", "r=0|||data:y r=0|||children:b r=-101||"));
    GOOD (ASKED, TOLD ("4", "r=0|||data:x r=0|| r=-101||"));
    /* Of two states. */
    BROKEN (rule, ASKED, TOLD ("6", "r=0|||data:x r=0|||children:b r=-101||"));
    BROKEN (rule, ASKED, TOLD ("4", "r=0|||data:x r=0|||children:b r=-101||"));
    BROKEN (rule, ASKED, TOLD ("5", "r=0|||data:x r=0|| r=-101||"));
    BROKEN (rule, ASKED, TOLD ("6", "r=0|||data:y r=0|||children:b/c r=-101||"));
    BROKEN (rule, ASKED, TOLD ("6", "r=0|||data:y r=0|||children:b r=0||"));
    BROKEN (rule, ASKED, TOLD ("6", "r=0|||data:y r=-101|| r=-101||"));
    BROKEN (rule, ASKED, TOLD ("6", "r=0|||data:y r=0|||children:b"));
    BROKEN (rule, ASKED, TOLD ("7", "r=0|||data:y r=0|||children:b r=-101||"));
    BROKEN (rule, ASKED,
            TOLD ("6", "r=0||4/4/5/10/10/0/0/0/1/0/0/0/0/0|data:y r=0|||children:b r=-101||"));
    GOOD (ASKED, TOLD ("6", "r=0||4/6/5/10/10/1/1/0/1/0/0/1/0/0|data:y r=0|||children:b r=-101||"));
}

static void test_several_reads_go_forward (void **state)
{
    (void) state;
    GOOD (HAPPENED, CALL ("c2", "8", "0", GET ("/a")), READ ("c2", "8", "5", "value=x"),
          SEVERAL ("c2", "9", GET ("/a")), READ ("c2", "9", "5", "r=0|||data:x"));
    BROKEN ("reads go forward", HAPPENED, CALL ("c2", "8", "0", GET ("/a")),
            READ ("c2", "8", "5", "value=x"), SEVERAL ("c2", "9", GET ("/a")),
            READ ("c2", "9", "4", "r=0|||data:x"));
    BROKEN ("linearizable reads", HAPPENED, SEVERAL ("c2", "9", GET_CURRENT ("/a")),
            READ ("c2", "9", "5", "r=0|||data:x"));
}

static void test_count (void **state)
{
    (void) state;
    const char *rule = "values of reads";
#define COUNTED(path) HAPPENED, CALL ("c2", "9", "0", COUNT (path))
    GOOD (COUNTED ("/"), READ ("c2", "9", "6", "below=2"));
    GOOD (COUNTED ("/"), READ ("c2", "9", "4", "below=1"));
    GOOD (COUNTED ("/a"), READ ("c2", "9", "6", "below=1"));
    GOOD (COUNTED ("/a/b"), READ ("c2", "9", "6", ""));
    GOOD (COUNTED ("/c"), RETURN ("c2", "9", "-101", "6"));
    BROKEN (rule, COUNTED ("/"), READ ("c2", "9", "6", "below=3"));
    BROKEN (rule, COUNTED ("/"), READ ("c2", "9", "4", "below=2"));
    BROKEN (rule, COUNTED ("/a"), READ ("c2", "9", "6", ""));
    BROKEN (rule, COUNTED ("/c"), READ ("c2", "9", "6", ""));
    BROKEN (rule, HAPPENED, SEVERAL ("c2", "9", COUNT ("/a") " " COUNT ("/")),
            READ ("c2", "9", "6", "r=0|||value:1 r=0|||value:1"));
}

static void test_ephemerals (void **state)
{
    (void) state;
    const char *rule = "values of reads";
#define OWNED(op)                                                                                  \
    TWO_CLIENTS, WRITTEN ("c1", "1", "1", "1", "4", EPHEMERAL ("/f")),                             \
        WRITTEN ("c1", "1", "2", "2", "5", EPHEMERAL ("/e")),                                      \
        WRITTEN ("c2", "2", "3", "1", "6", EPHEMERAL ("/g")), CALL ("c1", "9", "0", op)
#define LISTED(zxid, children) READ ("c1", "9", zxid, children)
    GOOD (OWNED (EPHEMERALS ("")), LISTED ("6", "child=/f child=/e"));
    GOOD (OWNED (EPHEMERALS ("/e")), LISTED ("6", "child=/e"));
    GOOD (OWNED (PAGE ("", "1")), LISTED ("6", "child=/f"));
    GOOD (OWNED (PAGE ("", "3")), LISTED ("6", "child=/f child=/e"));
    BROKEN (rule, OWNED (EPHEMERALS ("")), LISTED ("6", "child=/e child=/f")); /* by age */
    BROKEN (rule, OWNED (EPHEMERALS ("")), LISTED ("6", "child=/f"));          /* one is left out */
    BROKEN (rule, OWNED (EPHEMERALS ("")), LISTED ("6", "child=/f child=/e child=/g"));
    BROKEN (rule, OWNED (EPHEMERALS ("")), LISTED ("6", "child=/f child=/f child=/e"));
    BROKEN (rule, OWNED (EPHEMERALS ("")), LISTED ("6", "child=/f child=/e child=/h"));
    BROKEN (rule, OWNED (EPHEMERALS ("/e")), LISTED ("6", "child=/f child=/e"));
    BROKEN (rule, OWNED (PAGE ("", "1")), LISTED ("6", "child=/e"));
    BROKEN (rule, OWNED (PAGE ("", "1")), LISTED ("6", "child=/f child=/e"));
    BROKEN (rule, OWNED (PAGE ("", "3")), LISTED ("6", "child=/f"));
    BROKEN (rule, OWNED (EPHEMERALS ("")), RETURN ("c1", "9", "-112", "6"));
}

/* Behind the place that an earlier page ended at, as far as that is still there. */
static void test_ephemerals_go_on (void **state)
{
    (void) state;
    const char *rule = "values of reads";
#define BEHIND_F "|after:00000000000000010000000000000004/f"
#define BEHIND_H "|after:00000000000000010000000000000004/h"
    GOOD (OWNED (EPHEMERALS ("") BEHIND_F), LISTED ("6", "child=/e"));
    GOOD (OWNED (EPHEMERALS ("") BEHIND_H), LISTED ("6", "child=/e"));
    BROKEN (rule, OWNED (EPHEMERALS ("") BEHIND_F), LISTED ("6", "child=/f child=/e"));
    BROKEN (rule, OWNED (EPHEMERALS ("") BEHIND_F), LISTED ("6", ""));
    BROKEN (rule, OWNED (EPHEMERALS ("") BEHIND_H), LISTED ("6", "child=/g"));
}

/* Sessions 1 and 2 there are; nobody is an administrator, and so all may ask. */
static void test_sessions (void **state)
{
    (void) state;
    const char *rule = "values of reads";
#define SESSIONS(behind) "op=sessions|||0|0|0|" behind "|0|0"
    GOOD (OWNED (SESSIONS ("0")), LISTED ("6", "child=1/2/1/0 child=2/1/1/0"));
    GOOD (OWNED (SESSIONS ("0")), LISTED ("5", "child=1/2/1/0 child=2/0/1/0"));
    GOOD (OWNED (SESSIONS ("1")), LISTED ("6", "child=2/1/1/0"));
    GOOD (OWNED (SESSIONS ("0") "|limit:1"), LISTED ("6", "child=1/2/1/0 below=1"));
    BROKEN (rule, OWNED (SESSIONS ("0") "|limit:1"), LISTED ("6", "child=1/2/1/0"));
    BROKEN (rule, OWNED (SESSIONS ("0")), LISTED ("6", "child=1/1/1/0 child=2/1/1/0"));
    BROKEN (rule, OWNED (SESSIONS ("0")), LISTED ("6", "child=1/2/1/2 child=2/1/1/0"));
    BROKEN (rule, OWNED (SESSIONS ("0")), LISTED ("6", "child=1/2/1/0"));
    BROKEN (rule, OWNED (SESSIONS ("0")), LISTED ("6", "child=2/1/1/0 child=1/2/1/0"));
    BROKEN (rule, OWNED (SESSIONS ("2")), LISTED ("6", "child=2/1/1/0"));
    BROKEN (rule, OWNED (SESSIONS ("0")), RETURN ("c1", "9", "-102", "6"));
    /* Of another's ephemerals only an administrator is told. */
    GOOD (OWNED ("op=ephemerals|||0|0|0|2|0|0"), RETURN ("c1", "9", "-102", "6"));
    BROKEN (rule, OWNED ("op=ephemerals|||0|0|0|2|0|0"), LISTED ("6", "child=/g"));
}

/* /a has the children b, which is ephemeral, c, d. */
static void test_pages (void **state)
{
    (void) state;
    const char *rule = "values of reads";
#define CHILDREN_OF_A(op)                                                                          \
    TWO_CLIENTS, WRITTEN ("c1", "1", "1", "1", "4", CREATE ("/a", "")),                            \
        WRITTEN ("c1", "1", "2", "2", "5", CREATE ("/a/d", "4")),                                  \
        WRITTEN ("c1", "1", "3", "3", "6", EPHEMERAL ("/a/b")),                                    \
        WRITTEN ("c1", "1", "4", "4", "7", CREATE ("/a/c", "3")), CALL ("c1", "9", "0", op)
#define PAGE_OF_A(prefix, mode) "op=page|/a|" prefix "|" mode "|0|0|0|0|0"
    GOOD (CHILDREN_OF_A (PAGE_OF_A ("", "0")), LISTED ("7", "child=b child=c child=d"));
    GOOD (CHILDREN_OF_A (PAGE_OF_A ("", "1")), LISTED ("7", "child=d child=c child=b"));
    GOOD (CHILDREN_OF_A (PAGE_OF_A ("", "2")), LISTED ("7", "child=b/ child=c/3 child=d/4"));
    GOOD (CHILDREN_OF_A (PAGE_OF_A ("", "4")), LISTED ("7", "child=c child=d"));
    GOOD (CHILDREN_OF_A (PAGE_OF_A ("", "8")), LISTED ("7", "child=b"));
    GOOD (CHILDREN_OF_A (PAGE_OF_A ("c", "0")), LISTED ("7", "child=c"));
#define STAT_OF_C "7/7/7/10/10/0/0/0/1/0/0/0/0/0"
    GOOD (CHILDREN_OF_A (PAGE_OF_A ("c", "16")), LISTED ("7", "child=c@" STAT_OF_C));
    GOOD (CHILDREN_OF_A (PAGE_OF_A ("c", "18")), LISTED ("7", "child=c@" STAT_OF_C "/3"));
    BROKEN (rule, CHILDREN_OF_A (PAGE_OF_A ("c", "16")), LISTED ("7", "child=c"));
    BROKEN (rule, CHILDREN_OF_A (PAGE_OF_A ("c", "16")),
            LISTED ("7", "child=c@7/7/7/10/10/0/0/0/0/0/0/0/0/0"));
    BROKEN (rule, CHILDREN_OF_A (PAGE_OF_A ("c", "18")), LISTED ("7", "child=c@" STAT_OF_C "/4"));
    GOOD (CHILDREN_OF_A (PAGE_OF_A ("", "0") "|after:b"), LISTED ("7", "child=c child=d"));
    GOOD (CHILDREN_OF_A (PAGE_OF_A ("", "1") "|after:c"), LISTED ("7", "child=b"));
    GOOD (CHILDREN_OF_A (PAGE_OF_A ("", "0") "|limit:2"), LISTED ("7", "child=b child=c below=1"));
    BROKEN (rule, CHILDREN_OF_A (PAGE_OF_A ("", "0")), LISTED ("7", "child=d child=c child=b"));
    BROKEN (rule, CHILDREN_OF_A (PAGE_OF_A ("", "1")), LISTED ("7", "child=b child=c child=d"));
    BROKEN (rule, CHILDREN_OF_A (PAGE_OF_A ("", "2")), LISTED ("7", "child=b/ child=c/ child=d/"));
    BROKEN (rule, CHILDREN_OF_A (PAGE_OF_A ("", "2")),
            LISTED ("7", "child=b/ child=c/? child=d/4"));
    BROKEN (rule, CHILDREN_OF_A (PAGE_OF_A ("", "4")), LISTED ("7", "child=b child=c child=d"));
    BROKEN (rule, CHILDREN_OF_A (PAGE_OF_A ("", "8")), LISTED ("7", "child=b child=c child=d"));
    BROKEN (rule, CHILDREN_OF_A (PAGE_OF_A ("c", "0")), LISTED ("7", "child=c child=d"));
    BROKEN (rule, CHILDREN_OF_A (PAGE_OF_A ("", "0") "|after:b"), LISTED ("7", "child=b child=c"));
    BROKEN (rule, CHILDREN_OF_A (PAGE_OF_A ("", "0") "|limit:2"), LISTED ("7", "child=b child=c"));
    BROKEN (rule, CHILDREN_OF_A (PAGE_OF_A ("", "0") "|limit:2"),
            LISTED ("7", "child=b child=c child=d"));
    BROKEN (rule, CHILDREN_OF_A (PAGE_OF_A ("", "0") "|limit:2"),
            LISTED ("7", "child=b child=d below=1"));
    GOOD (CHILDREN_OF_A ("op=page|/e||0|0|0|0|0|0"), RETURN ("c1", "9", "-101", "7"));
    BROKEN (rule, CHILDREN_OF_A ("op=page|/e||0|0|0|0|0|0"), LISTED ("7", ""));
}

/* ---- Watches taken back ---------------------------------------------------------------------- */

#define CHILDREN_TYPE "1"
#define DATA_TYPE     "2"
#define ANY_TYPE      "3"

/* Client 2 watches the data and the children of /a at 5. */
#define WATCHING(op)                                                                               \
    HAPPENED, CALL ("c2", "6", "0", GET_WATCH ("/a")), READ ("c2", "6", "6", "value=y"),           \
        CALL ("c2", "7", "0", CHILDREN_WATCH ("/a")), READ ("c2", "7", "6", "child=b"),            \
        CALL ("c2", "9", "0", op)
#define DATA_REMOVED  FIRED ("c2", "1", "5", "/a", "0")
#define CHILD_REMOVED FIRED ("c2", "3", "6", "/a", "0")
#define DONE          RETURN ("c2", "9", "0", "6")
#define NO_WATCHER    RETURN ("c2", "9", "-121", "6")
#define CHANGED       WRITTEN ("c1", "1", "4", "4", "7", SET ("/a", "z"))

static void test_watches_are_taken_back (void **state)
{
    (void) state;
    const char *rule = "watches taken back";
    GOOD (WATCHING (UNWATCH ("/a", DATA_TYPE)), DATA_REMOVED, DONE, CHANGED, SETTLED);
    GOOD (WATCHING (UNWATCH ("/a", ANY_TYPE)), DATA_REMOVED, CHILD_REMOVED, DONE);
    GOOD (WATCHING (UNWATCH ("/b", ANY_TYPE)), NO_WATCHER);
    BROKEN (rule, WATCHING (UNWATCH ("/a", DATA_TYPE)), DATA_REMOVED, NO_WATCHER);
    BROKEN (rule, WATCHING (UNWATCH ("/b", DATA_TYPE)), DONE);
    BROKEN (rule, WATCHING (UNWATCH ("/a", DATA_TYPE)), DONE); /* the watch was not told */
    BROKEN (rule, WATCHING (UNWATCH ("/a", ANY_TYPE)), DATA_REMOVED, DONE);
    BROKEN (rule, WATCHING (UNWATCH ("/a", DATA_TYPE)), NO_WATCHER);
    /* It is gone for good; and not without having been asked for. */
    BROKEN ("watches fire", WATCHING (UNWATCH ("/a", DATA_TYPE)), DATA_REMOVED, DONE, CHANGED,
            FIRED ("c2", "1", "3", "/a", "7"));
    BROKEN ("watches fire", WATCHING (UNWATCH ("/a", DATA_TYPE)), CHILD_REMOVED);
    BROKEN ("watches fire", WATCHING (UNWATCH ("/b", DATA_TYPE)), DATA_REMOVED);
    BROKEN ("watches fire", WATCHING (UNWATCH ("/a", DATA_TYPE)),
            FIRED ("c2", "1", "6", "/a", "0"));
    BROKEN ("watches fire", WATCHING (LOOK_FOR ("/a", DATA_TYPE)), DATA_REMOVED);
    BROKEN ("no watch is lost", WATCHING (UNWATCH ("/a", CHILDREN_TYPE)), CHILD_REMOVED, DONE,
            CHANGED, SETTLED); /* the other stays */
}

/* What happened before is told before. */
static void test_watch_fires_before_it_is_taken_back (void **state)
{
    (void) state;
    GOOD (WATCHING (UNWATCH ("/a", DATA_TYPE)), CHANGED, FIRED ("c2", "1", "3", "/a", "7"),
          RETURN ("c2", "9", "-121", "7"));
    GOOD (WATCHING (UNWATCH ("/a", DATA_TYPE)), CHANGED, DATA_REMOVED, DONE);
    BROKEN ("no watch is lost", WATCHING (UNWATCH ("/a", DATA_TYPE)), CHANGED, DATA_REMOVED,
            RETURN ("c2", "9", "0", "7"));
}

static void test_watches_are_looked_for (void **state)
{
    (void) state;
    const char *rule = "watches taken back";
    GOOD (WATCHING (LOOK_FOR ("/a", DATA_TYPE)), DONE, CHANGED, FIRED ("c2", "1", "3", "/a", "7"));
    GOOD (WATCHING (LOOK_FOR ("/b", ANY_TYPE)), NO_WATCHER);
    BROKEN (rule, WATCHING (LOOK_FOR ("/a", CHILDREN_TYPE)), NO_WATCHER);
    BROKEN (rule, WATCHING (LOOK_FOR ("/b", ANY_TYPE)), DONE);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_several_reads),
        cmocka_unit_test (test_several_reads_go_forward),
        cmocka_unit_test (test_count),
        cmocka_unit_test (test_ephemerals),
        cmocka_unit_test (test_ephemerals_go_on),
        cmocka_unit_test (test_sessions),
        cmocka_unit_test (test_pages),
        cmocka_unit_test (test_watches_are_taken_back),
        cmocka_unit_test (test_watch_fires_before_it_is_taken_back),
        cmocka_unit_test (test_watches_are_looked_for),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

/* The rules of who may hear of what: nothing of what may not be seen, and all of what may. */

#include "tests/unit/history/fixture.h"

/* Event types and watch kinds, as in the text. */
#define DELETED     "2"
#define CHANGED     "3"
#define RESET       "-2"
#define EXISTENCE   "2"
#define CHILDREN_OF "3"

#define OWNER          "ip:10.0.0.01:rwcda"
#define ALL            "world:anyone:rwcda"
#define WITH(op, list) op "|acl:" list
#define SET_ACL(path)  OP ("set-acl", path, "", "0", "-1")
/* Session 1 does it, as its write with this number. */
#define DOES(zxid, number, op) WRITTEN ("c1", "1", "10" number, number, zxid, op)
#define SEEN(zxid)             AT "c2 seen zxid=" zxid "\n"

/* /v and /v/x, which are open; hidden, both; shown, both. */
#define PLANTED                                                                                    \
    TWO_CLIENTS, DOES ("4", "1", CREATE ("/v", "")), DOES ("5", "2", CREATE ("/v/x", "a"))
#define HIDDEN                                                                                     \
    DOES ("6", "3", WITH (SET_ACL ("/v"), OWNER)), DOES ("7", "4", WITH (SET_ACL ("/v/x"), OWNER))
#define CHANGED_UNSEEN DOES ("8", "5", SET ("/v/x", "b"))
#define SHOWN                                                                                      \
    DOES ("9", "6", WITH (SET_ACL ("/v"), ALL)), DOES ("10", "7", WITH (SET_ACL ("/v/x"), ALL))
#define CHANGED_SEEN DOES ("11", "8", SET ("/v/x", "c"))
/* Client 2 goes to server 2. */
#define MOVES(zxid)                                                                                \
    AT "c0 entry zxid=" zxid " stamp=10 what=attach session=2 attach=2 incarnation=1 server=2 "    \
       "nonce=00000000000000000000000000000002 origin=ip:10.0.0.02\n",                             \
        ATTACHED ("c2", "2")

/* ---- One-shot watches ------------------------------------------------------------------------ */

#define WATCHES PLANTED, CALL ("c2", "2", "0", EXISTS_WATCH ("/v/x")), RETURN ("c2", "2", "0", "5")

static void test_watch_waits_for_what_may_be_seen (void **state)
{
    (void) state;
    GOOD (WATCHES, HIDDEN, CHANGED_UNSEEN, SETTLED);
    BROKEN ("watches fire", WATCHES, HIDDEN, CHANGED_UNSEEN,
            FIRED ("c2", EXISTENCE, CHANGED, "/v/x", "8"));
    GOOD (WATCHES, HIDDEN, CHANGED_UNSEEN, SHOWN, CHANGED_SEEN,
          FIRED ("c2", EXISTENCE, CHANGED, "/v/x", "11"), SETTLED);
    BROKEN ("no watch is lost", WATCHES, HIDDEN, CHANGED_UNSEEN, SHOWN, CHANGED_SEEN, SETTLED);
    BROKEN ("no watch is lost", WATCHES, HIDDEN, CHANGED_UNSEEN, SHOWN, CHANGED_SEEN, SEEN ("11"));
    /* One of the two lists that let it be seen is enough. */
    BROKEN ("no watch is lost", WATCHES, DOES ("6", "3", WITH (SET_ACL ("/v/x"), OWNER)),
            DOES ("7", "4", SET ("/v/x", "b")), SETTLED);
    GOOD (WATCHES, DOES ("6", "3", WITH (SET_ACL ("/v/x"), OWNER)),
          DOES ("7", "4", SET ("/v/x", "b")), FIRED ("c2", EXISTENCE, CHANGED, "/v/x", "7"));
}

/* What goes unseen, or comes, fires nothing, of its own and of who lists it. */
static void test_watch_of_what_comes_and_goes (void **state)
{
    (void) state;
#define LISTS                                                                                      \
    PLANTED, CALL ("c2", "2", "0", CHILDREN_WATCH ("/v")), READ ("c2", "2", "5", "child=x"), HIDDEN
#define GOES DOES ("8", "5", DELETE ("/v/x"))
    GOOD (LISTS, GOES, SETTLED);
    BROKEN ("watches fire", LISTS, GOES, FIRED ("c2", CHILDREN_OF, "4", "/v", "8"));
    GOOD (WATCHES, HIDDEN, GOES, SETTLED);
    BROKEN ("watches fire", WATCHES, HIDDEN, GOES, FIRED ("c2", EXISTENCE, DELETED, "/v/x", "8"));
}

/* By the lists as they are in the midst of a transaction. */
static void test_watch_in_a_transaction (void **state)
{
    (void) state;
#define BEFORE  SET ("/v/x", "b") " " WITH (SET_ACL ("/v"), OWNER) " "
#define FLICKER WITH (SET_ACL ("/v/x"), OWNER)
    BROKEN ("no watch is lost", WATCHES, MULTI ("c1", "9", "3", BEFORE FLICKER),
            LOG_MULTI ("6", "1", "3", BEFORE FLICKER), SETTLED);
#define BEHIND WITH (SET_ACL ("/v"), OWNER) " " FLICKER " " SET ("/v/x", "b")
    GOOD (WATCHES, MULTI ("c1", "9", "3", BEHIND), LOG_MULTI ("6", "1", "3", BEHIND), SETTLED);
    BROKEN ("watches fire", WATCHES, MULTI ("c1", "9", "3", BEHIND),
            LOG_MULTI ("6", "1", "3", BEHIND), FIRED ("c2", EXISTENCE, CHANGED, "/v/x", "6"));
}

/* On another server what may not be seen has gone, and that is told. */
static void test_watch_is_set_anew_out_of_sight (void **state)
{
    (void) state;
#define AWAY WATCHES, HIDDEN, CHANGED_UNSEEN, MOVES ("9")
    GOOD (AWAY, FIRED ("c2", EXISTENCE, DELETED, "/v/x", "9"), SETTLED);
    BROKEN ("watches fire", AWAY, FIRED ("c2", EXISTENCE, CHANGED, "/v/x", "8"));
    BROKEN ("no watch is lost", AWAY, SETTLED);
    /* It may have been set anew before it was hidden, or behind that. */
    GOOD (WATCHES, MOVES ("6"), DOES ("7", "3", WITH (SET_ACL ("/v"), OWNER)),
          DOES ("8", "4", WITH (SET_ACL ("/v/x"), OWNER)), SETTLED);
    GOOD (AWAY, DOES ("10", "6", WITH (SET_ACL ("/v"), ALL)),
          FIRED ("c2", EXISTENCE, CHANGED, "/v/x", "8"));
}

/* ---- Streams --------------------------------------------------------------------------------- */

#define OPENED(path, flags) AT "c2 opened stream=1 path=" path " flags=" flags " from=5\n"
#define BATCH(path, zxid, how, changes)                                                            \
    AT "c2 batch stream=1 path=" path " zxid=" zxid " " how " more=0 " changes "\n"
#define SNAPSHOT "snapshot=1 first=1"
#define CHANGES  "snapshot=0 first=1"
#define RESETS   "snapshot=0 first=1 reset=1"

/* As they are at these zxids. */
#define ROOT       "change=1|/||0/0/4/0/0/0/1/0/0/0/0/1/0/0"
#define V_STAT6    "4/4/5/10/10/0/1/1/0/0/0/1/0/0"
#define V6         "change=1|/v||" V_STAT6 "|hidden:1"
#define X5         "change=1|/v/x|a|5/5/5/10/10/0/0/0/1/0/0/0/0/0"
#define X7         "change=1|/v/x||5/5/5/10/10/0/0/1/1/0/0/0/0/0|hidden:1"
#define X8_CHANGED "change=3|/v/x|b|5/8/5/10/10/1/0/1/1/0/0/0/0/0"

#define HIDES_V DOES ("6", "3", WITH (SET_ACL ("/v"), OWNER))
#define HIDES_X DOES ("7", "4", WITH (SET_ACL ("/v/x"), OWNER))

/* Where more changes for its client than one znode's data it begins anew. */
static void test_stream_begins_anew (void **state)
{
    (void) state;
    const char *rule = "streams";
#define ROOTED PLANTED, OPENED ("/", "0"), HIDES_V
    GOOD (ROOTED, BATCH ("/", "6", SNAPSHOT, ROOT " " V6 " " X5), SETTLED);
    BROKEN (rule, ROOTED, BATCH ("/", "6", CHANGES, "change=40|/v||" V_STAT6 "|hidden:1"));
    BROKEN (rule, ROOTED, SETTLED);
    /* A list that hides one znode's data changes no more than that. */
    GOOD (PLANTED, OPENED ("/", "0"), DOES ("6", "3", WITH (SET_ACL ("/v/x"), OWNER)),
          BATCH ("/", "6", CHANGES, "change=40|/v/x||5/5/5/10/10/0/0/1/1/0/0/0/0/0|hidden:1"),
          SETTLED);
}

static void test_stream_leaves_out_what_may_not_be_seen (void **state)
{
    (void) state;
    const char *rule = "streams";
#define VEILED ROOTED, HIDES_X
    GOOD (VEILED, BATCH ("/", "7", SNAPSHOT, ROOT " " V6), SETTLED);
    BROKEN (rule, VEILED, BATCH ("/", "7", SNAPSHOT, ROOT " " V6 " " X7));
    BROKEN (rule, VEILED, BATCH ("/", "7", SNAPSHOT, ROOT));
    GOOD (VEILED, BATCH ("/", "7", SNAPSHOT, ROOT " " V6), CHANGED_UNSEEN, SETTLED);
    BROKEN (rule, VEILED, BATCH ("/", "7", SNAPSHOT, ROOT " " V6), CHANGED_UNSEEN,
            BATCH ("/", "8", CHANGES, X8_CHANGED));
    /* Nor is it left out when it may. */
    BROKEN (rule, PLANTED, OPENED ("/", "0"), DOES ("6", "3", SET ("/v/x", "b")), SETTLED);
}

/* What the stat says of children that may not be seen is as it was when their parent was told. */
static void test_stream_counts_what_it_shows (void **state)
{
    (void) state;
    const char *rule = "streams";
#define OLD_V   "change=1|/v||4/4/5/10/10/0/1/1/0/0/0/1/0/0|hidden:1"
#define WRONG_V "change=1|/v||4/4/5/10/10/0/1/1/0/0/0/7/0/0|hidden:1"
#define GONE_X  VEILED, DOES ("8", "5", DELETE ("/v/x"))
    GOOD (GONE_X, BATCH ("/", "8", SNAPSHOT, ROOT " " OLD_V));
    BROKEN (rule, GONE_X, BATCH ("/", "8", SNAPSHOT, ROOT " " WRONG_V));
    /* But not of those that may. */
    BROKEN (rule, PLANTED, OPENED ("/", "0"), DOES ("6", "3", DELETE ("/v/x")),
            BATCH ("/", "6", SNAPSHOT, ROOT " change=1|/v||4/4/5/10/10/0/1/0/0/0/0/1/0/0"));
}

/* It shows nothing while its top may not be read. */
static void test_stream_is_shut (void **state)
{
    (void) state;
    const char *rule = "streams";
#define TOPPED PLANTED, OPENED ("/v", "0"), HIDES_V
#define SHUT   TOPPED, BATCH ("/v", "6", SNAPSHOT, "")
#define V7     "change=1|/v||4/4/5/10/10/0/1/2/0/0/0/1/0/0"
    GOOD (SHUT, SETTLED);
    BROKEN (rule, TOPPED, BATCH ("/v", "6", SNAPSHOT, V6 " " X5));
    BROKEN (rule, TOPPED, SETTLED);
    GOOD (SHUT, DOES ("7", "4", SET ("/v/x", "b")), SETTLED);
    BROKEN (rule, SHUT, DOES ("7", "4", SET ("/v/x", "b")),
            BATCH ("/v", "7", CHANGES, "change=3|/v/x|b|5/7/5/10/10/1/0/0/1/0/0/0/0/0"));
#define OPENS DOES ("7", "4", WITH (SET_ACL ("/v"), ALL))
    GOOD (SHUT, OPENS, BATCH ("/v", "7", SNAPSHOT, V7 " " X5), SETTLED);
    BROKEN (rule, SHUT, OPENS, SETTLED);
    BROKEN (rule, SHUT, OPENS, BATCH ("/v", "7", SNAPSHOT, ""));
    BROKEN (rule, SHUT, OPENS,
            BATCH ("/v", "7", CHANGES, "change=40|/v||4/4/5/10/10/0/1/2/0/0/0/1/0/0"));
    /* Without snapshots it says so. */
    GOOD (PLANTED, OPENED ("/v", "1"), HIDES_V, BATCH ("/v", "6", RESETS, ""), SETTLED);
    BROKEN (rule, PLANTED, OPENED ("/v", "1"), HIDES_V, SETTLED);
}

/* What is told late is kept from who may not see it any more. */
static void test_stream_is_late (void **state)
{
    (void) state;
    const char *rule = "streams";
#define LATE                                                                                       \
    PLANTED, OPENED ("/", "0"), DOES ("6", "3", SET ("/v/x", "b")),                                \
        DOES ("7", "4", WITH (SET_ACL ("/v/x"), OWNER))
#define X6 "change=3|/v/x|b|5/6/5/10/10/1/0/0/1/0/0/0/0/0"
    GOOD (LATE, BATCH ("/", "6", CHANGES, X6));
    BROKEN (rule, LATE, MOVES ("8"), BATCH ("/", "6", CHANGES, X6));
    GOOD (LATE, MOVES ("8"),
          BATCH ("/", "6", CHANGES, "change=3|/v/x||5/6/5/10/10/1/0/0/1/0/0/0/0/0|hidden:1"));
    BROKEN (rule, LATE, DOES ("8", "5", WITH (SET_ACL ("/v"), OWNER)), MOVES ("9"),
            BATCH ("/", "6", CHANGES, "change=3|/v/x||5/6/5/10/10/1/0/0/1/0/0/0/0/0|hidden:1"));
}

/* Nobody follows what he may not read, and everybody what he may. */
static void test_stream_is_refused (void **state)
{
    (void) state;
    const char *rule = "streams";
#define ASKS    AT "c2 opened stream=1 path=/v flags=0 from=0\n"
#define REFUSED AT "c2 refused stream=1\n"
    GOOD (PLANTED, HIDES_V, SEEN ("6"), ASKS, REFUSED);
    BROKEN (rule, PLANTED, HIDES_V, SEEN ("6"), ASKS, BATCH ("/v", "6", SNAPSHOT, ""));
    BROKEN (rule, PLANTED, SEEN ("5"), ASKS, REFUSED);
    BROKEN (rule, PLANTED, REFUSED);
    /* Its server may have been asked when it was so, or when it was not. */
    GOOD (PLANTED, SEEN ("5"), ASKS, HIDES_V, REFUSED);
    GOOD (PLANTED, SEEN ("5"), ASKS, HIDES_V, BATCH ("/v", "6", SNAPSHOT, ""));
}

/* What is gone on with is judged when its server is asked for it. */
static void test_stream_goes_on (void **state)
{
    (void) state;
    const char *rule = "streams";
#define GOES_ON                                                                                    \
    PLANTED, DOES ("6", "3", WITH (SET_ACL ("/v/x"), OWNER)),                                      \
        AT "c2 opened stream=1 path=/v/x flags=0 from=6\n", DOES ("7", "4", CREATE ("/v/x/y", ""))
#define Y7 "change=1|/v/x/y||7/7/7/10/10/0/0/0/0/0/0/0/0/0"
    BROKEN (rule, GOES_ON, BATCH ("/v/x", "7", CHANGES, Y7));
    GOOD (GOES_ON, DOES ("8", "5", WITH (SET_ACL ("/v/x"), ALL)), BATCH ("/v/x", "7", CHANGES, Y7));
    GOOD (GOES_ON, SETTLED);
}

/* A batch of the latest tells of no more than may be told. */
static void test_stream_of_the_latest (void **state)
{
    (void) state;
    const char *rule = "streams";
#define LATEST PLANTED, OPENED ("/", "64"), DOES ("6", "3", SET ("/v/x", "b"))
    GOOD (LATEST, BATCH ("/", "6", CHANGES, X6));
    BROKEN (rule, LATEST, DOES ("7", "4", WITH (SET_ACL ("/v"), OWNER)),
            BATCH ("/", "7", CHANGES, X6 " change=40|/v||" V_STAT6 "|hidden:1"));
    BROKEN (rule, PLANTED, OPENED ("/", "64"), HIDES_V, HIDES_X,
            BATCH ("/", "7", SNAPSHOT, ROOT " " V6), CHANGED_UNSEEN,
            BATCH ("/", "8", CHANGES, X8_CHANGED));
}

/* ---- Persistent watches ---------------------------------------------------------------------- */

static void test_persistent_watch (void **state)
{
    (void) state;
    const char *rule = "streams";
#define LISTENS                 PLANTED, SEEN ("5"), OPENED ("/", "19"), HIDES_V, HIDES_X
#define TELLS(type, path, zxid) AT "c2 told stream=1 type=" type " path=" path " zxid=" zxid "\n"
    GOOD (LISTENS, TELLS (RESET, "/", "7"), CHANGED_UNSEEN, SETTLED);
    BROKEN (rule, LISTENS, TELLS (RESET, "/", "7"), CHANGED_UNSEEN, TELLS (CHANGED, "/v/x", "8"));
    BROKEN (rule, LISTENS, SETTLED);
    BROKEN (rule, LISTENS, CHANGED_UNSEEN, TELLS (CHANGED, "/v/x", "8"));
    BROKEN (rule, PLANTED, SEEN ("5"), OPENED ("/", "19"), DOES ("6", "3", SET ("/v/x", "b")),
            SETTLED);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_watch_waits_for_what_may_be_seen),
        cmocka_unit_test (test_watch_of_what_comes_and_goes),
        cmocka_unit_test (test_watch_in_a_transaction),
        cmocka_unit_test (test_watch_is_set_anew_out_of_sight),
        cmocka_unit_test (test_stream_begins_anew),
        cmocka_unit_test (test_stream_leaves_out_what_may_not_be_seen),
        cmocka_unit_test (test_stream_counts_what_it_shows),
        cmocka_unit_test (test_stream_is_shut),
        cmocka_unit_test (test_stream_is_late),
        cmocka_unit_test (test_stream_is_refused),
        cmocka_unit_test (test_stream_goes_on),
        cmocka_unit_test (test_stream_of_the_latest),
        cmocka_unit_test (test_persistent_watch),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

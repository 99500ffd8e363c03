/* The rules of writes and of reads: what must be, and what must not. */

#include "tests/unit/history/fixture.h"

#define MADE WRITTEN ("c1", "1", "1", "1", "4", CREATE ("/a", "x"))

/* ---- Well formed ----------------------------------------------------------------------------- */

static void test_recorders_mistakes (void **state)
{
    (void) state;
    const char *rule = "well formed";
    GOOD (TWO_CLIENTS, CALL ("c1", "1", "1", CREATE ("/a", "x")));
    BROKEN (rule, TWO_CLIENTS, CALL ("c1", "1", "2", CREATE ("/a", "x"))); /* number 1 first */
    BROKEN (rule, TWO_CLIENTS, CALL ("c1", "1", "0", CREATE ("/a", "x")));
    BROKEN (rule, TWO_CLIENTS, CALL ("c1", "1", "1", GET ("/a")));
    BROKEN (rule, TWO_CLIENTS, CALL ("c1", "1", "0", GET ("/a")),
            CALL ("c2", "1", "0", GET ("/a")));
    BROKEN (rule, TWO_CLIENTS, RETURN ("c1", "1", "0", "2")); /* nobody has asked */
    BROKEN (rule, TWO_CLIENTS, CALL ("c1", "1", "0", SYNC), RETURN ("c2", "1", "0", "2"));
    BROKEN (rule, TWO_CLIENTS, UNKNOWN ("c1", "1"));
    BROKEN (rule, TWO_CLIENTS, "5 c1 lost\n"); /* time goes back */
    BROKEN (rule, TWO_CLIENTS, AT "c0 lost\n");
    BROKEN (rule, TWO_CLIENTS, AT "c1 gone\n", ATTACHED ("c1", "2"));
    BROKEN (rule, TWO_CLIENTS, AT "c3 session session=1 timeout=1 grace=1\n");
    BROKEN (rule, TWO_CLIENTS, LOG_CLOSE ("2", "1", "1")); /* the log repeats a zxid */
}

/* ---- Real time ------------------------------------------------------------------------------- */

static void test_write_before_what_was_told (void **state)
{
    (void) state;
    /* The second write is asked for when the first was answered with 4. */
    GOOD (TWO_CLIENTS, MADE, WRITTEN ("c2", "2", "2", "1", "5", CREATE ("/b", "x")));
    BROKEN ("real time", TWO_CLIENTS, CALL ("c1", "1", "1", CREATE ("/a", "x")),
            LOG_WRITE ("3", "1", "1", CREATE ("/a", "x")), LOG_SESSION ("4", "03"),
            CALL ("c2", "2", "0", SYNC), RETURN ("c2", "2", "0", "4"),
            CALL ("c1", "3", "2", SET ("/a", "y")), RETURN ("c1", "3", "0", "3"));
}

static void test_sync_before_what_was_told (void **state)
{
    (void) state;
    GOOD (TWO_CLIENTS, MADE, CALL ("c2", "2", "0", SYNC), RETURN ("c2", "2", "0", "4"));
    BROKEN ("real time", TWO_CLIENTS, MADE, CALL ("c2", "2", "0", SYNC),
            RETURN ("c2", "2", "0", "3"));
    /* Asked for before: then it may. */
    GOOD (TWO_CLIENTS, CALL ("c2", "2", "0", SYNC), MADE, RETURN ("c2", "2", "0", "2"));
}

static void test_stale_read_behind_a_sync (void **state)
{
    (void) state;
    GOOD (TWO_CLIENTS, MADE, CALL ("c2", "2", "0", SYNC), CALL ("c2", "3", "0", GET ("/a")),
          RETURN ("c2", "2", "0", "4"), READ ("c2", "3", "4", "value=x"));
    BROKEN ("linearizable reads", TWO_CLIENTS, MADE, CALL ("c2", "2", "0", SYNC),
            CALL ("c2", "3", "0", GET ("/a")), RETURN ("c2", "3", "-101", "2"));
    /* Without the sync it is a local read, and may be late. */
    GOOD (TWO_CLIENTS, MADE, CALL ("c2", "3", "0", GET ("/a")), RETURN ("c2", "3", "-101", "2"));
}

/* One that says so itself needs no sync; the search takes it, too. */
static void test_stale_linearizable_read (void **state)
{
    (void) state;
    GOOD (TWO_CLIENTS, MADE, CALL ("c2", "2", "0", GET_CURRENT ("/a")),
          READ ("c2", "2", "4", "value=x"));
    BROKEN ("linearizable reads", TWO_CLIENTS, MADE, CALL ("c2", "2", "0", GET_CURRENT ("/a")),
            RETURN ("c2", "2", "-101", "2"));
    /* Asked for before: then it may. */
    GOOD (TWO_CLIENTS, CALL ("c2", "2", "0", GET_CURRENT ("/a")), MADE,
          RETURN ("c2", "2", "-101", "2"));
}

/* ---- Results --------------------------------------------------------------------------------- */

static void test_result_is_not_the_logs (void **state)
{
    (void) state;
    const char *rule = "results of writes";
#define AGAIN                                                                                      \
    TWO_CLIENTS, MADE, CALL ("c2", "2", "1", CREATE ("/a", "y")),                                  \
        LOG_WRITE ("5", "2", "1", CREATE ("/a", "y"))
    GOOD (AGAIN, RETURN ("c2", "2", "-110", "5"));
    BROKEN (rule, AGAIN, RETURN ("c2", "2", "0", "5"));
    BROKEN (rule, AGAIN, RETURN ("c2", "2", "-101", "5"));
}

static void test_stat_is_not_the_logs (void **state)
{
    (void) state;
#define CHANGED                                                                                    \
    TWO_CLIENTS, MADE, CALL ("c1", "2", "2", SET ("/a", "yz")),                                    \
        LOG_WRITE ("5", "1", "2", SET ("/a", "yz"))
    GOOD (CHANGED, READ ("c1", "2", "5", "r=0||4/5/4/10/10/1/0/0/2/0/0/0/0/0"));
    /* Version 2: as if it had been done twice. */
    BROKEN ("results of writes", CHANGED,
            READ ("c1", "2", "5", "r=0||4/5/4/10/10/2/0/0/2/0/0/0/0/0"));
}

static void test_multi_result (void **state)
{
    (void) state;
#define OPS         CREATE ("/a", "x") " " CHECK ("/a", "3") " " CREATE ("/b", "x")
#define MULTI_FAILS TWO_CLIENTS, MULTI ("c1", "1", "1", OPS), LOG_MULTI ("3", "1", "1", OPS)
    GOOD (MULTI_FAILS, AT "c1 return id=1 code=-103 zxid=3 r=-205|| r=-103|| r=-205||\n");
    BROKEN ("results of writes", MULTI_FAILS,
            AT "c1 return id=1 code=-103 zxid=3 r=0|| r=-103|| r=-205||\n");
    BROKEN ("results of writes", MULTI_FAILS,
            AT "c1 return id=1 code=-103 zxid=3 r=-205|| r=-103||\n");
}

/* What the client is told of a write that the log has as 5, of client 1. */
#define TOLD_OF(op, rest)                                                                          \
    CALL ("c1", "9", "2", op), LOG_WRITE ("5", "1", "2", op), READ ("c1", "9", "5", rest)

static void test_result_of_an_addition (void **state)
{
    (void) state;
    const char *rule = "results of writes";
#define COUNTER(value) TWO_CLIENTS, WRITTEN ("c1", "1", "1", "1", "4", CREATE ("/a", value))
#define STAT5          "4/5/4/10/10/1/0/0/1/0/0/0/0/0"
#define SUM(sum)       "r=0||" STAT5 "|value:" sum
    GOOD (COUNTER ("4"), TOLD_OF (ADD ("/a", "3", "9"), SUM ("7")));
    BROKEN (rule, COUNTER ("4"), TOLD_OF (ADD ("/a", "3", "9"), SUM ("8")));
    BROKEN (rule, COUNTER ("4"), TOLD_OF (ADD ("/a", "3", "6"), SUM ("7"))); /* the ceiling */
    BROKEN (rule, COUNTER ("x"), TOLD_OF (ADD ("/a", "3", "9"), SUM ("3")));
#define REFUSED(code, op)                                                                          \
    CALL ("c1", "9", "2", op), LOG_WRITE ("5", "1", "2", op), RETURN ("c1", "9", code, "5")
    GOOD (COUNTER ("4"), REFUSED ("-218", ADD ("/a", "3", "6")));
    BROKEN (rule, COUNTER ("4"), REFUSED ("-218", ADD ("/a", "3", "9")));
    GOOD (COUNTER ("x"), REFUSED ("-219", ADD ("/a", "3", "9")));
    GOOD (COUNTER ("4"), REFUSED ("-101", ADD ("/b", "3", "9")));
    GOOD (COUNTER ("9223372036854775807"),
          REFUSED ("-218", ADD ("/a", "1", "9223372036854775807")));
}

static void test_result_of_a_trees_end (void **state)
{
    (void) state;
    const char *rule = "results of writes";
#define FAMILY                                                                                     \
    TWO_CLIENTS, WRITTEN ("c1", "1", "1", "1", "3", CREATE ("/a", "")),                            \
        WRITTEN ("c2", "2", "1", "1", "4", CREATE ("/a/b", ""))
#define GOES(limit) TOLD_OF (DELETE_TREE ("/a", limit), "r=0|||value:2")
#define LEFT(path)  CALL ("c2", "3", "0", GET (path)), RETURN ("c2", "3", "-101", "5")
    GOOD (FAMILY, GOES ("2"), LEFT ("/a/b"));
    BROKEN (rule, FAMILY, TOLD_OF (DELETE_TREE ("/a", "0"), "r=0|||value:1"));
    BROKEN (rule, FAMILY, GOES ("1"));
    GOOD (FAMILY, REFUSED ("-202", DELETE_TREE ("/a", "1")));
    BROKEN ("values of reads", FAMILY, GOES ("0"), CALL ("c2", "3", "0", GET ("/a/b")),
            READ ("c2", "3", "5", "value="));
}

static void test_create_if_absent (void **state)
{
    (void) state;
    const char *rule = "results of writes";
#define STAT4 "4/4/4/10/10/0/0/0/1/0/0/0/0/0"
    GOOD (COUNTER ("4"), TOLD_OF (CREATE_IF_ABSENT ("/a", "5"), "r=0|/a|" STAT4 "|existed:1"));
    BROKEN (rule, COUNTER ("4"), TOLD_OF (CREATE_IF_ABSENT ("/a", "5"), "r=0|/a|" STAT4));
    BROKEN (rule, COUNTER ("4"), REFUSED ("-110", CREATE_IF_ABSENT ("/a", "5")));
    BROKEN (rule, COUNTER ("4"), TOLD_OF (CREATE ("/a", "5"), "r=0|/a|" STAT4 "|existed:1"));
    /* What it would have written is not there. */
    BROKEN ("values of reads", COUNTER ("4"),
            TOLD_OF (CREATE_IF_ABSENT ("/a", "5"), "r=0|/a|" STAT4 "|existed:1"),
            CALL ("c2", "3", "0", GET ("/a")), READ ("c2", "3", "5", "value=5"));
}

static void test_check_absent (void **state)
{
    (void) state;
#define ABSENT_OPS(path) CHECK_ABSENT (path) " " CREATE ("/c", "")
#define ABSENT(path)                                                                               \
    COUNTER ("4"), MULTI ("c1", "9", "2", ABSENT_OPS (path)),                                      \
        LOG_MULTI ("5", "1", "2", ABSENT_OPS (path))
    GOOD (ABSENT ("/b"), RETURN ("c1", "9", "0", "5"));
    GOOD (ABSENT ("/a"), RETURN ("c1", "9", "-110", "5"));
    BROKEN ("results of writes", ABSENT ("/a"), RETURN ("c1", "9", "0", "5"));
}

/* The log must have what is asked for to the last of its numbers. */
static void test_logged_with_another_number (void **state)
{
    (void) state;
    const char *rule = "logged as asked for";
    BROKEN (rule, TWO_CLIENTS, CALL ("c1", "1", "1", ADD ("/a", "1", "9")),
            LOG_WRITE ("3", "1", "1", ADD ("/a", "2", "9")));
    BROKEN (rule, TWO_CLIENTS, CALL ("c1", "1", "1", ADD ("/a", "1", "9")),
            LOG_WRITE ("3", "1", "1", ADD ("/a", "1", "8")));
    BROKEN (rule, TWO_CLIENTS, CALL ("c1", "1", "1", DELETE_TREE ("/a", "1")),
            LOG_WRITE ("3", "1", "1", DELETE_TREE ("/a", "2")));
    BROKEN (rule, TWO_CLIENTS, CALL ("c1", "1", "1", CREATE_TTL ("/a", "1")),
            LOG_WRITE ("3", "1", "1", CREATE_TTL ("/a", "2")));
    BROKEN (rule, TWO_CLIENTS, CALL ("c1", "1", "1", CREATE ("/a", "1")),
            LOG_WRITE ("3", "1", "1", CREATE_IF_ABSENT ("/a", "1")));
}

/* ---- Znodes that go by themselves ------------------------------------------------------------ */

static void test_goes_in_its_time (void **state)
{
    (void) state;
    const char *rule = "values of reads";
#define MORTAL           TWO_CLIENTS, WRITTEN ("c1", "1", "1", "1", "3", CREATE_TTL ("/a", "50"))
#define ASK(time)        time " c2 call id=2 number=0 multi=0 " GET ("/a") "\n"
#define TOLD_GONE(time)  time " c2 return id=2 code=-101 zxid=4\n"
#define TOLD_THERE(time) time " c2 return id=2 code=0 zxid=4 value=\n"
    GOOD (MORTAL, LOG_LAPSE ("60", "4", LAPSED ("/a", "3")), ASK ("60"), TOLD_GONE ("60"));
    BROKEN (rule, MORTAL, LOG_LAPSE ("60", "4", LAPSED ("/a", "3")), ASK ("60"), TOLD_THERE ("60"));
    /* Too early, or another znode than was meant. */
    GOOD (MORTAL, LOG_LAPSE ("59", "4", LAPSED ("/a", "3")), ASK ("60"), TOLD_THERE ("60"));
    BROKEN (rule, MORTAL, LOG_LAPSE ("59", "4", LAPSED ("/a", "3")), ASK ("60"), TOLD_GONE ("60"));
    BROKEN (rule, MORTAL, LOG_LAPSE ("60", "4", LAPSED ("/a", "2")), ASK ("60"), TOLD_GONE ("60"));
}

#define LED               AT "c0 led\n"
#define WHILE(time, zxid) time " c0 entry zxid=" zxid " stamp=" time " what=other\n"

static void test_outlives_its_time (void **state)
{
    (void) state;
    const char *rule = "time to live";
    GOOD (LED, MORTAL, WHILE ("60", "4"), WHILE ("5060", "5"));
    BROKEN (rule, LED, MORTAL, WHILE ("60", "4"), WHILE ("5061", "5"));
    GOOD (MORTAL, WHILE ("60", "4"), WHILE ("9000", "5"), WHILE ("9001", "6")); /* nobody leads */
    GOOD (LED, MORTAL, LOG_LAPSE ("60", "4", LAPSED ("/a", "3")), WHILE ("9000", "5"));
    /* One that has children stays; so does a container that never had any. */
    GOOD (LED, MORTAL, WRITTEN ("c1", "1", "5", "2", "4", CREATE ("/a/b", "")), WHILE ("60", "5"),
          WHILE ("9000", "6"), WHILE ("9001", "7"));
#define BOX TWO_CLIENTS, WRITTEN ("c1", "1", "1", "1", "3", CONTAINER ("/a"))
    GOOD (LED, BOX, WHILE ("60", "4"), WHILE ("9000", "5"), WHILE ("9001", "6"));
    BROKEN (rule, LED, BOX, WRITTEN ("c1", "1", "5", "2", "4", CREATE ("/a/b", "")),
            WRITTEN ("c1", "1", "6", "3", "5", DELETE ("/a/b")), WHILE ("1010", "6"),
            WHILE ("6011", "7"));
}

/* ---- Once ------------------------------------------------------------------------------------ */

static void test_acknowledged_and_not_logged (void **state)
{
    (void) state;
    const char *rule = "acknowledged once";
#define ASKED    TWO_CLIENTS, CALL ("c1", "1", "1", CREATE ("/a", "x"))
#define LOGGED   LOG_WRITE ("3", "1", "1", CREATE ("/a", "x"))
#define REPEATED LOG_WRITE ("4", "1", "1", CREATE ("/a", "x"))
    BROKEN (rule, ASKED, RETURN ("c1", "1", "0", "3"));
    /* Sent again, and logged again; but answered as if it had been done again. */
    GOOD (ASKED, LOGGED, REPEATED, RETURN ("c1", "1", "0", "3"));
    BROKEN (rule, ASKED, LOGGED, REPEATED, RETURN ("c1", "1", "0", "4"));
    BROKEN (rule, ASKED, LOGGED, RETURN ("c1", "1", "-212", "4")); /* EDUPLICATE */
    /* Refused by the client itself, and logged all the same. */
    GOOD (ASKED, RETURN ("c1", "1", "-201", "0"));
    BROKEN (rule, ASKED, LOGGED, RETURN ("c1", "1", "-201", "0"));
}

/* Number 2 is logged before number 1: it must not be executed, so it cannot be answered. */
static void test_number_left_out (void **state)
{
    (void) state;
    BROKEN ("acknowledged once", ASKED, CALL ("c1", "2", "2", CREATE ("/b", "x")),
            LOG_WRITE ("3", "1", "2", CREATE ("/b", "x")), RETURN ("c1", "2", "0", "3"));
}

/* The numbers of a session and the zxids go the same way. */
static void test_numbers_out_of_order (void **state)
{
    (void) state;
    struct judge judge;
    struct objection objection;
    judge_init (&judge);
    struct fact_client client = {.number = 1, .session = 1, .written = 9};
    client.node.hash = 1;
    map_insert (&judge.facts.clients, &client.node);
    struct model_result results[] = {{.zxid = 9}, {.zxid = 8}};
    struct model_session session = {.id = 1, .results = results, .results_count = 2};
    session.node.hash = 1;
    map_insert (&judge.facts.model.sessions, &session.node);
    struct fact_call call = {.id = 5, .number = 2, .client = 1};
    call.node.hash = 5;
    map_insert (&judge.facts.calls, &call.node);
    struct history_event event = {.kind = HISTORY_RETURN, .client = 1};
    event.u.result = (struct history_return){.id = 5, .zxid = 8};
    assert_false (rule_acknowledged_once (&judge.facts, &event, &objection));
    results[1].zxid = event.u.result.zxid = 10;
    assert_true (rule_acknowledged_once (&judge.facts, &event, &objection));
    map_remove (&judge.facts.clients, &client.node);
    map_remove (&judge.facts.model.sessions, &session.node);
    map_remove (&judge.facts.calls, &call.node);
    judge_deinit (&judge);
}

static void test_logged_as_something_else (void **state)
{
    (void) state;
    const char *rule = "logged as asked for";
    BROKEN (rule, ASKED, LOG_WRITE ("3", "1", "1", CREATE ("/a", "y")));
    BROKEN (rule, ASKED, LOG_MULTI ("3", "1", "1", CREATE ("/a", "x")));
    BROKEN (rule, TWO_CLIENTS, LOGGED);
    GOOD (ASKED, LOG_WRITE ("3", "1", "1", REJECT ("-202")), RETURN ("c1", "1", "-202", "3"));
    /* Of a session that nobody has recorded: it may do what it likes. */
    GOOD (TWO_CLIENTS, LOG_SESSION ("3", "03"), LOG_WRITE ("4", "3", "1", CREATE ("/a", "x")));
}

static void test_sequential_names (void **state)
{
    (void) state;
#define FIRST                                                                                      \
    TWO_CLIENTS, CALL ("c1", "1", "1", SEQUENTIAL ("/q")),                                         \
        LOG_WRITE ("3", "1", "1", SEQUENTIAL ("/q")),                                              \
        READ ("c1", "1", "3", "r=0|/q0000000000|3/3/3/10/10/0/0/0/0/0/0/0/2/0")
#define SECOND                                                                                     \
    FIRST, CALL ("c1", "2", "2", SEQUENTIAL ("/q")), LOG_WRITE ("4", "1", "2", SEQUENTIAL ("/q"))
    GOOD (SECOND, READ ("c1", "2", "4", "r=0|/q0000000001|4/4/4/10/10/0/0/0/0/0/0/0/2/0"));
    /* The model counts, too. */
    BROKEN ("results of writes", SECOND,
            READ ("c1", "2", "4", "r=0|/q0000000000|4/4/4/10/10/0/0/0/0/0/0/0/2/0"));
}

/* Without the model. */
static void test_sequential_name_again (void **state)
{
    (void) state;
    struct judge judge;
    struct objection objection;
    judge_init (&judge);
    struct history_op op = {
        .kind = HISTORY_CREATE, .path = "/q", .value = "", .mode = COHORT_SEQUENTIAL};
    struct history_result result = {.path = "/q0000000000"};
    for (uint64_t id = 1; id <= 2; id++) {
        struct history_event call = {.kind = HISTORY_CALL, .client = 1};
        call.u.call = (struct history_call){.id = id, .number = id, .ops = &op, .count = 1};
        facts_see (&judge.facts, &call);
        struct history_event event = {.kind = HISTORY_RETURN, .client = 1};
        event.u.result = (struct history_return){.id = id, .ops = &result, .ops_count = 1};
        assert_true (rule_names_differ (&judge.facts, &event, &objection) == (id == 1));
        facts_see (&judge.facts, &event);
    }
    judge_deinit (&judge);
}

/* ---- Reads ----------------------------------------------------------------------------------- */

static void test_read_goes_back (void **state)
{
    (void) state;
    const char *rule = "reads go forward";
    GOOD (TWO_CLIENTS, MADE, CALL ("c1", "2", "0", GET ("/a")), READ ("c1", "2", "4", "value=x"));
    /* Behind its own write. */
    BROKEN (rule, TWO_CLIENTS, MADE, CALL ("c1", "2", "0", GET ("/a")),
            RETURN ("c1", "2", "-101", "3"));
    /* Behind a read of its own, on another server. */
    BROKEN (rule, TWO_CLIENTS, MADE, CALL ("c2", "2", "0", GET ("/a")),
            READ ("c2", "2", "4", "value=x"), ATTACHED ("c2", "1"),
            CALL ("c2", "3", "0", GET ("/a")), RETURN ("c2", "3", "-101", "2"));
}

static void test_read_shows_what_is_asked_for_behind_it (void **state)
{
    (void) state;
    const char *rule = "order of a session";
#define TWO_ASKED                                                                                  \
    TWO_CLIENTS, WRITTEN ("c2", "2", "9", "1", "4", CREATE ("/a", "x")),                           \
        CALL ("c1", "1", "0", GET ("/a")), CALL ("c1", "2", "1", SET ("/a", "y")),                 \
        LOG_WRITE ("5", "1", "1", SET ("/a", "y"))
    GOOD (TWO_ASKED, READ ("c1", "1", "4", "value=x"), RETURN ("c1", "2", "0", "5"));
    BROKEN (rule, TWO_ASKED, READ ("c1", "1", "5", "value=y"), RETURN ("c1", "2", "0", "5"));
    /* Asked for anew on another server. */
    GOOD (TWO_ASKED, ATTACHED ("c1", "2"), READ ("c1", "1", "5", "value=y"),
          RETURN ("c1", "2", "0", "5"));
}

/* Where nobody sees servers the log says when clients attach: a read that was asked for behind
 * something of the present attach was not evaluated anew since. */
static void test_order_of_a_session_of_a_real_server (void **state)
{
    (void) state;
    const char *rule = "order of a session";
#define SHOWN            "0 c0 blind\n", TWO_CLIENTS, MADE, CALL ("c2", "2", "0", GET ("/a"))
#define BOTH_ASKED       CALL ("c2", "3", "0", GET ("/a")), CALL ("c2", "4", "1", SET ("/a", "y"))
#define WRITTEN_AT(zxid) LOG_WRITE (zxid, "2", "1", SET ("/a", "y"))
#define WRONG(zxid)      READ ("c2", "3", zxid, "value=y"), RETURN ("c2", "4", "0", zxid)
    GOOD (SHOWN, READ ("c2", "2", "4", "value=x"), BOTH_ASKED, WRITTEN_AT ("5"),
          READ ("c2", "3", "4", "value=x"), RETURN ("c2", "4", "0", "5"));
    BROKEN (rule, SHOWN, READ ("c2", "2", "4", "value=x"), BOTH_ASKED, WRITTEN_AT ("5"),
            WRONG ("5"));
    /* It has attached since; or may have asked before it was attached at all. */
    GOOD (SHOWN, READ ("c2", "2", "4", "value=x"), BOTH_ASKED, LOG_ATTACH ("5", "2", "2"),
          WRITTEN_AT ("6"), WRONG ("6"));
    GOOD (SHOWN, BOTH_ASKED, WRITTEN_AT ("5"), WRONG ("5"), READ ("c2", "2", "5", "value=y"));
}

static void test_read_of_what_was_not (void **state)
{
    (void) state;
    const char *rule = "values of reads";
#define READING                                                                                    \
    TWO_CLIENTS, MADE, WRITTEN ("c1", "1", "2", "2", "5", SET ("/a", "y")),                        \
        CALL ("c2", "3", "0", GET ("/a"))
    GOOD (READING, READ ("c2", "3", "5", "value=y stat=4/5/4/10/10/1/0/0/1/0/0/0/0/0"));
    GOOD (READING, READ ("c2", "3", "4", "value=x stat=4/4/4/10/10/0/0/0/1/0/0/0/0/0"));
    GOOD (READING, RETURN ("c2", "3", "-101", "3"));
    BROKEN (rule, READING, READ ("c2", "3", "4", "value=y"));
    BROKEN (rule, READING, READ ("c2", "3", "5", "value=x"));
    BROKEN (rule, READING, READ ("c2", "3", "5", "value=y stat=4/5/4/10/10/2/0/0/1/0/0/0/0/0"));
    BROKEN (rule, READING, RETURN ("c2", "3", "-101", "5"));
    BROKEN (rule, READING, READ ("c2", "3", "3", "value=x"));
    BROKEN (rule, READING, READ ("c2", "3", "6", "value=y")); /* beyond the log */
}

static void test_read_of_children (void **state)
{
    (void) state;
    const char *rule = "values of reads";
#define LISTING                                                                                    \
    TWO_CLIENTS, MADE, WRITTEN ("c1", "1", "2", "2", "5", CREATE ("/a/c", "")),                    \
        WRITTEN ("c1", "1", "3", "3", "6", CREATE ("/a/b", "")),                                   \
        CALL ("c2", "4", "0", CHILDREN ("/a"))
    GOOD (LISTING, READ ("c2", "4", "6", "child=b child=c"));
    GOOD (LISTING, READ ("c2", "4", "5", "child=c"));
    BROKEN (rule, LISTING, READ ("c2", "4", "6", "child=c"));
    BROKEN (rule, LISTING, READ ("c2", "4", "6", "child=c child=b"));
    BROKEN (rule, LISTING, READ ("c2", "4", "5", "child=b child=c"));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_recorders_mistakes),
        cmocka_unit_test (test_write_before_what_was_told),
        cmocka_unit_test (test_sync_before_what_was_told),
        cmocka_unit_test (test_stale_read_behind_a_sync),
        cmocka_unit_test (test_stale_linearizable_read),
        cmocka_unit_test (test_result_is_not_the_logs),
        cmocka_unit_test (test_stat_is_not_the_logs),
        cmocka_unit_test (test_multi_result),
        cmocka_unit_test (test_result_of_an_addition),
        cmocka_unit_test (test_result_of_a_trees_end),
        cmocka_unit_test (test_create_if_absent),
        cmocka_unit_test (test_check_absent),
        cmocka_unit_test (test_logged_with_another_number),
        cmocka_unit_test (test_goes_in_its_time),
        cmocka_unit_test (test_outlives_its_time),
        cmocka_unit_test (test_acknowledged_and_not_logged),
        cmocka_unit_test (test_number_left_out),
        cmocka_unit_test (test_numbers_out_of_order),
        cmocka_unit_test (test_logged_as_something_else),
        cmocka_unit_test (test_sequential_names),
        cmocka_unit_test (test_sequential_name_again),
        cmocka_unit_test (test_read_goes_back),
        cmocka_unit_test (test_read_shows_what_is_asked_for_behind_it),
        cmocka_unit_test (test_order_of_a_session_of_a_real_server),
        cmocka_unit_test (test_read_of_what_was_not),
        cmocka_unit_test (test_read_of_children),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

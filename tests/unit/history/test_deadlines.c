/* The rules of deadlines: sessions end neither before their limits nor, in calm, much later; and in
 * calm everything is answered soon. */

#include "tests/unit/history/fixture.h"

/* Of epoch 1, whose leader leads since 10. */
#define LED        AT "c0 led epoch=1\n"
#define OF_EPOCH_1 "1099511627777"
#define CALM(time) time " c0 calm\n"
/* Clients with a timeout of 3 s and a grace of 1 s; attached since 10. */
#define TWO                                                                                        \
    LED AT "c1 session session=1 timeout=3000 grace=1000\n" AT                                     \
           "c2 session session=2 timeout=3000 grace=1000\n" LOG_SESSION ("1", "01")                \
               LOG_SESSION ("2", "02")
#define CLOSED(time, zxid, attach, silent)                                                         \
    time " c0 entry zxid=" zxid " stamp=1 what=close session=1 attach=" attach                     \
         " incarnation=1 killed=0 silent=" silent "\n"
#define ENDED(time, attach, server) time " c0 ended client=1 server=" server " attach=" attach "\n"
#define VALID(until)                AT "c1 valid until=" until "\n"
#define LATER(time)                 time " c0 entry zxid=9 stamp=1 what=other\n"
#define GONE                        AT "c1 gone\n"
#define SERVED(client, at)          at " " client " served\n"

static void test_silence_is_taken_too_early (void **state)
{
    (void) state;
    const char *rule = "sessions have their time";
    BROKEN (rule, TWO, CLOSED ("2800", OF_EPOCH_1, "1", "1"));
    GOOD (TWO, CLOSED ("3010", OF_EPOCH_1, "1", "1"));
    GOOD (TWO, CLOSED ("2900", OF_EPOCH_1, "1", "1")); /* by a clock that is fast */
    /* It was heard since: valid until 1900 means that it was at 1000, for a grace of 1000. */
    BROKEN (rule, TWO, VALID ("1900"), CLOSED ("3600", OF_EPOCH_1, "1", "1"));
    GOOD (TWO, VALID ("1900"), CLOSED ("4000", OF_EPOCH_1, "1", "1"));
    /* A new leader, since 1000; one of whom nothing is known. */
    BROKEN (rule, TWO, "1000 c0 unled\n", "1000 c0 led epoch=2\n",
            CLOSED ("3500", "2199023255553", "1", "1"));
    GOOD (TWO, CLOSED ("100", "2199023255553", "1", "1"));
    /* It is attached anew; and that its attach is in the log twice is nothing new. */
#define ANEW(time, attach)                                                                         \
    time " c0 entry zxid=3 stamp=10 what=attach session=1 attach=" attach                          \
         " incarnation=1 server=1 nonce=00000000000000000000000000000000\n"
    BROKEN (rule, TWO, ANEW ("2000", "2"), CLOSED ("3500", OF_EPOCH_1, "2", "1"));
    GOOD (TWO, ANEW ("2000", "1"), CLOSED ("3500", OF_EPOCH_1, "1", "1"));
    /* It does not end the session. */
    GOOD (TWO, ANEW ("2000", "2"), CLOSED ("2500", OF_EPOCH_1, "1", "1"));
}

static void test_grace_is_cut_short (void **state)
{
    (void) state;
    const char *rule = "sessions have their time";
    BROKEN (rule, TWO, ENDED ("500", "1", "1"), CLOSED ("1400", OF_EPOCH_1, "1", "0"));
    GOOD (TWO, ENDED ("500", "1", "1"), CLOSED ("1500", OF_EPOCH_1, "1", "0"));
    /* Nobody has seen the connection of this attach end. */
    BROKEN (rule, TWO, CLOSED ("2500", OF_EPOCH_1, "1", "0"));
    BROKEN (rule, TWO, ENDED ("500", "1", "2"), CLOSED ("2500", OF_EPOCH_1, "1", "0"));
    BROKEN (rule, TWO, ENDED ("500", "1", "1"), ANEW ("600", "2"),
            CLOSED ("2500", OF_EPOCH_1, "2", "0"));
    /* Whoever leads since gives it the whole grace. */
    BROKEN (rule, TWO, ENDED ("500", "1", "1"), "1000 c0 unled\n", "1000 c0 led epoch=2\n",
            CLOSED ("1900", "2199023255553", "1", "0"));
    /* It ends while the client is still to be told of its session. */
    GOOD (LED LOG_SESSION ("1", "01"), ENDED ("500", "1", "1"),
          "501 c1 session session=1 timeout=3000 grace=1000\n",
          CLOSED ("1500", OF_EPOCH_1, "1", "0"));
}

static void test_session_ends_too_late (void **state)
{
    (void) state;
    const char *rule = "sessions end in time";
    BROKEN (rule, TWO, CALM ("10"), ENDED ("10", "1", "1"), GONE, LATER ("2200"));
    GOOD (TWO, CALM ("10"), ENDED ("10", "1", "1"), GONE, LATER ("2000"));
    GOOD (TWO, ENDED ("10", "1", "1"), GONE, LATER ("2200")); /* it is not calm */
    GOOD (TWO, ENDED ("10", "1", "1"), GONE, CALM ("500"), LATER ("2200"));
    BROKEN (rule, TWO, ENDED ("10", "1", "1"), GONE, CALM ("500"), "2700 c0 uncalm\n");
    /* Who has seen it go cannot tell, or nobody has: its timeout counts. */
    GOOD (TWO, CALM ("10"), ENDED ("10", "1", "1"), AT "c0 forgot server=1\n", GONE,
          LATER ("2200"));
    BROKEN (rule, TWO, CALM ("10"), ENDED ("10", "1", "1"), AT "c0 forgot server=1\n", GONE,
            LATER ("4200"));
    BROKEN (rule, TWO, CALM ("10"), GONE, "4200 c0 settled\n");
    /* Who sees it go while nobody hears him: likewise, until he is heard. */
    GOOD (TWO, AT "c0 forgot server=1\n", CALM ("10"), ENDED ("10", "1", "1"), GONE,
          LATER ("2200"));
    GOOD (TWO, AT "c0 forgot server=2\n", AT "c0 forgot server=1\n", AT "c0 heard server=2\n",
          CALM ("10"), ENDED ("10", "1", "1"), GONE, LATER ("2200"));
    BROKEN (rule, TWO, AT "c0 forgot server=1\n", CALM ("10"), ENDED ("10", "1", "1"), GONE,
            "500 c0 uncalm\n", "500 c0 heard server=1\n", CALM ("500"), LATER ("2700"));
    BROKEN (rule, TWO, AT "c0 forgot server=1\n", AT "c0 heard server=1\n", CALM ("10"),
            ENDED ("10", "1", "1"), GONE, LATER ("2200"));
    BROKEN (rule, TWO, AT "c0 forgot server=2\n", CALM ("10"), ENDED ("10", "1", "1"), GONE,
            LATER ("2200"));
    GOOD (TWO, CALM ("10"), GONE, CLOSED ("3100", OF_EPOCH_1, "1", "1"));
}

static void test_session_of_the_served_ends (void **state)
{
    (void) state;
    const char *rule = "sessions of the served";
    BROKEN (rule, TWO, CALM ("10"), SERVED ("c1", "10"), CLOSED ("4200", OF_EPOCH_1, "1", "1"));
    GOOD (TWO, CALM ("10"), SERVED ("c1", "10"), "11 c1 unserved\n",
          CLOSED ("4200", OF_EPOCH_1, "1", "1"));
    GOOD (TWO, CALM ("10"), SERVED ("c1", "1000"), CLOSED ("4200", OF_EPOCH_1, "1", "1"));
    BROKEN (rule, TWO, CALM ("10"), SERVED ("c1", "10"), ENDED ("20", "1", "1"),
            CLOSED ("2200", OF_EPOCH_1, "1", "0"));
    /* By its own wish. */
    GOOD (TWO, CALM ("10"), SERVED ("c1", "10"), CALL ("c1", "1", "1", CLOSE),
          LOG_WRITE ("3", "1", "1", CLOSE));
}

static void test_answer_is_late (void **state)
{
    (void) state;
    const char *rule = "answers in calm";
#define ASKED      TWO, CALM ("10"), SERVED ("c1", "10"), CALL ("c1", "1", "0", SYNC)
#define ANSWERED   "2020 c1 return id=1 code=0 zxid=2\n"
#define UNSERVED_1 "2020 c1 unserved\n"
    BROKEN (rule, ASKED, ANSWERED);
    BROKEN (rule, ASKED, UNSERVED_1);
    BROKEN (rule, ASKED, "2020 c0 settled\n");
    GOOD (ASKED, "2000 c1 unserved\n");
    GOOD (ASKED, "2020 c2 unserved\n");
    GOOD (TWO, CALM ("10"), CALL ("c1", "1", "0", SYNC), SERVED ("c1", "500"), UNSERVED_1);
    GOOD (TWO, CALM ("10"), CALL ("c1", "1", "0", SYNC), UNSERVED_1);
}

/* Servers are real ones, of which nobody knows what they see: it counts what their clients know. */
static void test_blind (void **state)
{
    (void) state;
#define BLIND "0 c0 blind\n"
#define REAL  BLIND AT "c1 session session=1 timeout=3000 grace=1000\n" LOG_SESSION ("1", "01")
    const char *time = "sessions have their time";
    /* Heard of at 1000, whoever leads since when. */
    BROKEN (time, REAL, VALID ("1900"), CLOSED ("3600", OF_EPOCH_1, "1", "1"));
    GOOD (REAL, VALID ("1900"), CLOSED ("4000", OF_EPOCH_1, "1", "1"));
    GOOD (REAL, CLOSED ("2800", OF_EPOCH_1, "1", "1"));
    /* The connection was there when what was answered was asked for. */
#define ASKED_AT(at)    at " c1 call id=1 number=0 multi=0 " SYNC "\n"
#define ANSWER_AT(time) time " c1 return id=1 code=0 zxid=1\n"
    BROKEN (time, REAL, ASKED_AT ("500"), ANSWER_AT ("510"), CLOSED ("1400", OF_EPOCH_1, "1", "0"));
    GOOD (REAL, ASKED_AT ("500"), ANSWER_AT ("900"), CLOSED ("1500", OF_EPOCH_1, "1", "0"));
    GOOD (REAL, ASKED_AT ("500"), CLOSED ("1400", OF_EPOCH_1, "1", "0"));
    /* Too late. */
    const char *end = "sessions end in time";
    BROKEN (end, REAL, AT "c0 led epoch=0\n", CALM ("10"), GONE, LATER ("6200"));
    GOOD (REAL, AT "c0 led epoch=0\n", CALM ("10"), GONE, LATER ("6000"));
    const char *served = "sessions of the served";
    BROKEN (served, REAL, CALM ("10"), SERVED ("c1", "10"), CLOSED ("6200", OF_EPOCH_1, "1", "1"));
    GOOD (REAL, CALM ("10"), SERVED ("c1", "10"), CLOSED ("6000", OF_EPOCH_1, "1", "1"));
    const char *answer = "answers in calm";
    BROKEN (answer, REAL, CALM ("10"), SERVED ("c1", "10"), ASKED_AT ("20"), ANSWER_AT ("4030"));
    BROKEN (answer, REAL, CALM ("10"), SERVED ("c1", "10"), ASKED_AT ("20"), "4030 c1 unserved\n");
    GOOD (REAL, CALM ("10"), SERVED ("c1", "10"), ASKED_AT ("20"), ANSWER_AT ("4020"));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_silence_is_taken_too_early),
        cmocka_unit_test (test_grace_is_cut_short),
        cmocka_unit_test (test_session_ends_too_late),
        cmocka_unit_test (test_session_of_the_served_ends),
        cmocka_unit_test (test_answer_is_late),
        cmocka_unit_test (test_blind),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

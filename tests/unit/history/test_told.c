/* The rules of what clients are told unasked - watches, streams, ends of sessions: what must be,
 * and what must not. */

#include "tests/unit/history/fixture.h"

/* Event types and watch kinds, as in the text. */
#define CREATED     "1"
#define DELETED     "2"
#define CHANGED     "3"
#define FAMILY      "4"
#define DATA        "1"
#define EXISTENCE   "2"
#define CHILDREN_OF "3"

#define MADE WRITTEN ("c1", "1", "1", "1", "4", CREATE ("/a", "x"))

/* ---- Watches --------------------------------------------------------------------------------- */

/* Client 2 watches /a, which is "x", since 4. */
#define WATCHING                                                                                   \
    TWO_CLIENTS, MADE, CALL ("c2", "2", "0", GET_WATCH ("/a")), READ ("c2", "2", "4", "value=x")
#define CHANGE  WRITTEN ("c1", "1", "3", "2", "5", SET ("/a", "y"))
#define CHANGE2 WRITTEN ("c1", "1", "4", "3", "6", SET ("/a", "z"))
#define LOOK    CALL ("c2", "5", "0", GET ("/a"))

static void test_watch_fires (void **state)
{
    (void) state;
    const char *rule = "watches fire";
    GOOD (WATCHING, CHANGE, FIRED ("c2", DATA, CHANGED, "/a", "5"));
    BROKEN (rule, WATCHING, CHANGE, FIRED ("c2", DATA, DELETED, "/a", "5"));
    BROKEN (rule, WATCHING, CHANGE, FIRED ("c2", DATA, CHANGED, "/a", "4"));
    BROKEN (rule, WATCHING, CHANGE, CHANGE2, FIRED ("c2", DATA, CHANGED, "/a", "6"));
    BROKEN (rule, WATCHING, FIRED ("c2", DATA, CHANGED, "/a", "4")); /* without cause */
    BROKEN (rule, WATCHING, CHANGE, FIRED ("c2", EXISTENCE, CHANGED, "/a", "5"));
    BROKEN (rule, WATCHING, CHANGE, FIRED ("c1", DATA, CHANGED, "/a", "5"));
    BROKEN (rule, WATCHING, CHANGE, FIRED ("c2", DATA, CHANGED, "/a", "5"), CHANGE2,
            FIRED ("c2", DATA, CHANGED, "/a", "6")); /* one-shot */
    BROKEN (rule, WATCHING, AT "c2 fired watch=1 type=-1 path=/a zxid=0\n");
}

static void test_watch_is_set_by_what_succeeds (void **state)
{
    (void) state;
#define ABSENT(op) TWO_CLIENTS, CALL ("c2", "2", "0", op), RETURN ("c2", "2", "-101", "2"), MADE
    BROKEN ("watches fire", ABSENT (GET_WATCH ("/a")), FIRED ("c2", EXISTENCE, CREATED, "/a", "4"));
    GOOD (ABSENT (EXISTS_WATCH ("/a")), FIRED ("c2", EXISTENCE, CREATED, "/a", "4"));
    BROKEN ("watches fire", ABSENT (EXISTS_WATCH ("/a")),
            FIRED ("c2", EXISTENCE, CHANGED, "/a", "4"));
}

static void test_watch_on_children (void **state)
{
    (void) state;
#define LISTED                                                                                     \
    TWO_CLIENTS, MADE, CALL ("c2", "2", "0", CHILDREN_WATCH ("/a")), READ ("c2", "2", "4", ""),    \
        WRITTEN ("c1", "1", "3", "2", "5", SET ("/a", "y")),                                       \
        WRITTEN ("c1", "1", "4", "3", "6", CREATE ("/a/b", ""))
    GOOD (LISTED, FIRED ("c2", CHILDREN_OF, FAMILY, "/a", "6"));
    BROKEN ("watches fire", LISTED, FIRED ("c2", CHILDREN_OF, FAMILY, "/a", "5"));
}

/* On another server that does not remember what happened, it compares what is there. */
static void test_watch_after_a_move (void **state)
{
    (void) state;
    const char *rule = "watches fire";
#define MOVED ATTACHED ("c2", "1")
    GOOD (WATCHING, CHANGE, CHANGE2, MOVED, FIRED ("c2", DATA, CHANGED, "/a", "6"));
    BROKEN (rule, WATCHING, CHANGE, MOVED, FIRED ("c2", DATA, DELETED, "/a", "5"));
    BROKEN (rule, WATCHING, MOVED, FIRED ("c2", DATA, CHANGED, "/a", "4"));
    /* An absent znode may have come and gone: nobody knows. */
#define NOTHING                                                                                    \
    TWO_CLIENTS, CALL ("c2", "1", "0", EXISTS_WATCH ("/b")), RETURN ("c2", "1", "-101", "2")
    GOOD (NOTHING, WRITTEN ("c1", "1", "2", "1", "4", CREATE ("/a", "x")), MOVED,
          FIRED ("c2", EXISTENCE, DELETED, "/b", "4"));
    BROKEN (rule, NOTHING, WRITTEN ("c1", "1", "2", "1", "4", CREATE ("/a", "x")),
            FIRED ("c2", EXISTENCE, DELETED, "/b", "4"));
}

static void test_watch_is_lost (void **state)
{
    (void) state;
    const char *rule = "no watch is lost";
    GOOD (WATCHING, CHANGE, FIRED ("c2", DATA, CHANGED, "/a", "5"), LOOK,
          READ ("c2", "5", "5", "value=y"));
    /* The later state is shown before the event; or the event never comes. */
    BROKEN (rule, WATCHING, CHANGE, LOOK, READ ("c2", "5", "5", "value=y"));
    GOOD (WATCHING, CHANGE, LOOK, READ ("c2", "5", "4", "value=x"));
    BROKEN (rule, WATCHING, CHANGE, SETTLED);
    GOOD (WATCHING, SETTLED);
    GOOD (WATCHING, CHANGE, AT "c2 gone\n", SETTLED);
    /* To be taken to have seen it is as bad. */
#define SEEN(zxid) AT "c2 seen zxid=" zxid "\n"
    GOOD (WATCHING, CHANGE, FIRED ("c2", DATA, CHANGED, "/a", "5"), SEEN ("5"));
    GOOD (WATCHING, CHANGE, SEEN ("4"));
    BROKEN (rule, WATCHING, CHANGE, SEEN ("5"));
    BROKEN ("reads go forward", WATCHING, LOOK, SEEN ("5"), READ ("c2", "5", "4", "value=x"));
    /* Who closes its session has lost them, and gets its answers all the same. */
    GOOD (WATCHING, CHANGE, LOOK, CALL ("c2", "6", "1", CLOSE), READ ("c2", "5", "5", "value=y"));
    BROKEN (rule, WATCHING, CHANGE, LOOK, CALL ("c1", "6", "3", CLOSE),
            READ ("c2", "5", "5", "value=y"));
}

static void test_events_out_of_order (void **state)
{
    (void) state;
#define TWO_WATCHES                                                                                \
    WATCHING, CALL ("c2", "6", "0", EXISTS_WATCH ("/b")), RETURN ("c2", "6", "-101", "4"), CHANGE, \
        WRITTEN ("c1", "1", "4", "3", "6", CREATE ("/b", ""))
    GOOD (TWO_WATCHES, FIRED ("c2", DATA, CHANGED, "/a", "5"),
          FIRED ("c2", EXISTENCE, CREATED, "/b", "6"));
    BROKEN ("no watch is lost", TWO_WATCHES, FIRED ("c2", EXISTENCE, CREATED, "/b", "6"));
    /* On another server: both are compared, and both changes are the only ones. */
    GOOD (TWO_WATCHES, MOVED, FIRED ("c2", DATA, CHANGED, "/a", "5"),
          FIRED ("c2", EXISTENCE, CREATED, "/b", "6"));
    BROKEN ("no watch is lost", TWO_WATCHES, MOVED, FIRED ("c2", EXISTENCE, CREATED, "/b", "6"));
    GOOD (TWO_WATCHES, WRITTEN ("c1", "1", "7", "4", "7", SET ("/a", "z")), MOVED,
          FIRED ("c2", EXISTENCE, CREATED, "/b", "6"), FIRED ("c2", DATA, CHANGED, "/a", "7"));
    /* A znode goes with its child, which is told first; another server finds an absence, and just
     * that it is so by now. */
#define GONE_WHOLE                                                                                 \
    TWO_CLIENTS, MADE, WRITTEN ("c1", "1", "3", "2", "5", CREATE ("/a/b", "")),                    \
        CALL ("c2", "2", "0", CHILDREN_WATCH ("/a")), READ ("c2", "2", "5", "child=b"),            \
        CALL ("c2", "6", "0", EXISTS_WATCH ("/b")), RETURN ("c2", "6", "-101", "5"),               \
        WRITTEN ("c1", "1", "4", "3", "6", DELETE_TREE ("/a", "10")),                              \
        WRITTEN ("c1", "1", "7", "4", "7", CREATE ("/b", ""))
    GOOD (GONE_WHOLE, MOVED, FIRED ("c2", EXISTENCE, CREATED, "/b", "7"),
          FIRED ("c2", CHILDREN_OF, DELETED, "/a", "7"));
    BROKEN ("no watch is lost", GONE_WHOLE, FIRED ("c2", EXISTENCE, CREATED, "/b", "7"));
}

/* ---- Sessions -------------------------------------------------------------------------------- */

#define VALID(client, until) AT client " valid until=" until "\n"

static void test_session_ends_too_early (void **state)
{
    (void) state;
    const char *rule = "sessions are kept";
    GOOD (TWO_CLIENTS, VALID ("c1", "500"),
          "500 c0 entry zxid=3 stamp=1 what=close session=1 "
          "attach=1 incarnation=1 killed=0\n");
    BROKEN (rule, TWO_CLIENTS, VALID ("c1", "500"),
            "499 c0 entry zxid=3 stamp=1 what=close session=1 attach=1 incarnation=1 killed=0\n");
    /* It has moved meanwhile: the entry does nothing. */
    GOOD (TWO_CLIENTS, VALID ("c1", "500"), LOG_ATTACH ("3", "1", "2"), LOG_CLOSE ("4", "1", "1"));
    BROKEN (rule, TWO_CLIENTS, VALID ("c1", "500"), LOG_ATTACH ("3", "1", "2"),
            LOG_CLOSE ("4", "1", "2"));
    /* By its owner. */
    GOOD (TWO_CLIENTS, VALID ("c1", "500"), CALL ("c1", "1", "1", CLOSE),
          LOG_WRITE ("3", "1", "1", CLOSE));
}

#define STALLED(from) AT "c0 stalled epoch=1 from=" from "\n"
#define SILENT(time, zxid)                                                                         \
    time " c0 entry zxid=" zxid " stamp=1 what=close session=1 attach=1 incarnation=1 killed=0 "   \
         "silent=1\n"
#define OF_EPOCH_1 "1099511627777"
#define OF_EPOCH_2 "2199023255553"

/* At 4 its client had 11 ms left; so it has when the leader goes on, at 10. */
static void test_session_ends_for_a_stall (void **state)
{
    (void) state;
    const char *rule = "sessions survive stalls";
    BROKEN (rule, TWO_CLIENTS, VALID ("c1", "15"), STALLED ("4"), SILENT ("20", OF_EPOCH_1));
    GOOD (TWO_CLIENTS, VALID ("c1", "15"), STALLED ("4"), SILENT ("21", OF_EPOCH_1));
    GOOD (TWO_CLIENTS, VALID ("c1", "15"), STALLED ("4"), SILENT ("20", OF_EPOCH_2));
    /* Nobody could count on it when the leader stopped. */
    GOOD (TWO_CLIENTS, VALID ("c1", "4"), STALLED ("4"), SILENT ("10", OF_EPOCH_1));
    /* Two stalls. */
    BROKEN (rule, TWO_CLIENTS, VALID ("c1", "15"), STALLED ("4"), STALLED ("8"),
            SILENT ("22", OF_EPOCH_1));
    GOOD (TWO_CLIENTS, VALID ("c1", "15"), STALLED ("4"), STALLED ("8"), SILENT ("23", OF_EPOCH_1));
}

static void test_client_gives_its_session_up_too_early (void **state)
{
    (void) state;
    const char *rule = "sessions are lost for a reason";
    /* Valid until 910: its heartbeat of 10 was confirmed, for a timeout of 1000. */
    BROKEN (rule, TWO_CLIENTS, VALID ("c1", "910"), "940 c1 lost\n");
    GOOD (TWO_CLIENTS, VALID ("c1", "910"), "1010 c1 lost\n");
    GOOD (TWO_CLIENTS, VALID ("c1", "910"),
          "911 c0 entry zxid=3 stamp=1 what=close session=1 attach=1 incarnation=1 killed=0\n",
          "940 c1 lost\n");
}

static void test_client_counts_on_a_dead_session (void **state)
{
    (void) state;
    BROKEN ("sessions are kept", TWO_CLIENTS, LOG_CLOSE ("3", "1", "1"), VALID ("c1", "11"));
    GOOD (TWO_CLIENTS, LOG_CLOSE ("3", "1", "1"), VALID ("c1", "10"));
}

/* Processes 1 and 3 of one session: the second one is its second incarnation. */
#define TAKEN                                                                                      \
    TWO_CLIENTS,                                                                                   \
        AT "c3 session session=1 timeout=1000 grace=1000 incarnation=2\n"                          \
           "10 c0 entry zxid=3 stamp=10 what=attach session=1 attach=9 incarnation=2 server=1 "    \
           "nonce=00000000000000000000000000000003\n"
#define OF_THE_NEXT(zxid, number, op)                                                              \
    AT "c0 entry zxid=" zxid " stamp=10 what=write session=1 number=" number                       \
       " incarnation=2 multi=0 " op "\n"

static void test_two_processes_count_on_a_session (void **state)
{
    (void) state;
    const char *rule = "sessions are kept";
    GOOD (TAKEN, VALID ("c3", "500"));
    GOOD (TAKEN, VALID ("c1", "10"), VALID ("c3", "500"));
    BROKEN (rule, TAKEN, VALID ("c1", "11"), VALID ("c3", "500"));
    BROKEN (rule, TAKEN, VALID ("c3", "500"), VALID ("c1", "11"));
    /* By a heartbeat of before the attach, or of behind it; it may be 70 ms late. */
    GOOD (TAKEN, VALID ("c1", "980"));
    BROKEN (rule, TAKEN, VALID ("c1", "981"));
    /* The next closes it while the process before counts on it; or when it does not any more. */
    BROKEN (rule, TAKEN, VALID ("c1", "11"), CALL ("c3", "1", "1", CLOSE),
            OF_THE_NEXT ("4", "1", CLOSE));
    GOOD (TAKEN, VALID ("c3", "500"), CALL ("c3", "1", "1", CLOSE), OF_THE_NEXT ("4", "1", CLOSE));
    BROKEN (rule, TAKEN, CALL ("c3", "1", "1", CLOSE), OF_THE_NEXT ("4", "1", CLOSE),
            VALID ("c1", "11"));
}

/* Numbers begin anew, and what the process before asks for has no effect. */
static void test_next_process_asks (void **state)
{
    (void) state;
    GOOD (TAKEN, CALL ("c1", "1", "1", CREATE ("/a", "")),
          LOG_WRITE ("4", "1", "1", CREATE ("/a", "")), UNKNOWN ("c1", "1"),
          CALL ("c3", "2", "1", CREATE ("/b", "")), OF_THE_NEXT ("5", "1", CREATE ("/b", "")),
          RETURN ("c3", "2", "0", "5"));
    BROKEN ("acknowledged once", TAKEN, CALL ("c1", "1", "1", CREATE ("/a", "")),
            LOG_WRITE ("4", "1", "1", CREATE ("/a", "")), RETURN ("c1", "1", "0", "4"));
    BROKEN ("logged as asked for", TAKEN, CALL ("c1", "1", "1", CREATE ("/a", "")),
            OF_THE_NEXT ("4", "1", CREATE ("/a", "")));
    /* What it was told before stays true. */
    GOOD (TWO_CLIENTS, CALL ("c1", "1", "1", CREATE ("/a", "")),
          LOG_WRITE ("3", "1", "1", CREATE ("/a", "")),
          "10 c0 entry zxid=4 stamp=10 what=attach session=1 attach=9 incarnation=2 server=1 "
          "nonce=00000000000000000000000000000003\n",
          RETURN ("c1", "1", "0", "3"));
}

/* A gone process is none whose session must end if another has taken it. */
static void test_taken_session_lives_on (void **state)
{
    (void) state;
    const char *rule = "sessions are ended";
    GOOD (TAKEN, AT "c0 led\n", AT "c1 gone\n", "7000 c0 entry zxid=4 stamp=1 what=other\n");
    BROKEN (rule, TAKEN, AT "c0 led\n", AT "c1 gone\n", AT "c3 gone\n",
            "7000 c0 entry zxid=4 stamp=1 what=other\n");
}

#define KILL_1 "op=kill|||0|0|0|1|0|0"
#define ADMINS TWO_CLIENTS, AT "c0 entry zxid=3 stamp=1 what=admins admins=ip:10.0.0.02:a\n"
#define KILLED ADMINS, CALL ("c2", "9", "1", KILL_1), LOG_WRITE ("4", "2", "1", KILL_1)
#define KILLED_AT(time)                                                                            \
    time " c0 entry zxid=5 stamp=1 what=close session=1 attach=1 incarnation=1 "                   \
         "killed=1\n"

static void test_session_is_killed (void **state)
{
    (void) state;
    GOOD (KILLED, READ ("c2", "9", "4", "r=0|||existed:1"), KILLED_AT ("10"));
    BROKEN ("results of writes", KILLED, READ ("c2", "9", "4", "r=0||"));
    BROKEN ("sessions are kept", KILLED, VALID ("c1", "20"), KILLED_AT ("19"));
    GOOD (KILLED, VALID ("c1", "20"), KILLED_AT ("20"));
    BROKEN ("sessions are kept", ADMINS, KILLED_AT ("10")); /* nobody has killed it */
    /* It does nothing any more, and ends in time. */
    BROKEN ("acknowledged once", KILLED, CALL ("c1", "1", "1", CREATE ("/a", "")),
            LOG_WRITE ("5", "1", "1", CREATE ("/a", "")), RETURN ("c1", "1", "0", "5"));
    BROKEN ("sessions are ended", ADMINS, AT "c0 led\n", CALL ("c2", "9", "1", KILL_1),
            LOG_WRITE ("4", "2", "1", KILL_1), "7000 c0 entry zxid=5 stamp=1 what=other\n");
    /* Without administrators nobody may. */
    GOOD (TWO_CLIENTS, CALL ("c2", "9", "1", KILL_1), LOG_WRITE ("4", "2", "1", KILL_1),
          RETURN ("c2", "9", "-102", "4"));
    BROKEN ("results of writes", TWO_CLIENTS, CALL ("c2", "9", "1", KILL_1),
            LOG_WRITE ("4", "2", "1", KILL_1), RETURN ("c2", "9", "0", "4"));
}

static void test_session_lives_on (void **state)
{
    (void) state;
    const char *rule = "sessions are ended";
#define GONE  AT "c1 gone\n"
#define LATER "7000 c0 entry zxid=3 stamp=1 what=other\n"
    BROKEN (rule, TWO_CLIENTS, AT "c0 led\n", GONE, LATER);
    GOOD (TWO_CLIENTS, AT "c0 led\n", LATER); /* it is still there */
    GOOD (TWO_CLIENTS, GONE, LATER);          /* nobody leads */
    GOOD (TWO_CLIENTS, AT "c0 led\n", GONE, AT "c0 unled\n", "5000 c0 led\n", LATER);
    GOOD (TWO_CLIENTS, AT "c0 led\n", GONE, LOG_CLOSE ("3", "1", "1"),
          "7000 c0 entry zxid=4 stamp=1 what=other\n");
}

/* What it made goes with it, in one step: reads tell. */
static void test_ephemeral_outlives_its_session (void **state)
{
    (void) state;
#define HELD                                                                                       \
    TWO_CLIENTS, WRITTEN ("c1", "1", "1", "1", "4", EPHEMERAL ("/e")),                             \
        WRITTEN ("c1", "1", "2", "2", "5", EPHEMERAL ("/f")), LOG_CLOSE ("6", "1", "1"),           \
        LOG_SESSION ("7", "03"), CALL ("c2", "3", "0", GET ("/e")),                                \
        CALL ("c2", "4", "0", GET ("/f"))
    GOOD (HELD, READ ("c2", "3", "5", "value="), RETURN ("c2", "4", "-101", "6"));
    BROKEN ("values of reads", HELD, READ ("c2", "3", "6", "value="));
    BROKEN ("values of reads", HELD, RETURN ("c2", "3", "-101", "6"),
            READ ("c2", "4", "7", "value="));
}

/* ---- Streams --------------------------------------------------------------------------------- */

#define BATCH(zxid, how, changes) AT "c2 batch stream=1 path=/a zxid=" zxid " " how " " changes "\n"
#define OPENED(flags, from)       AT "c2 opened stream=1 path=/a flags=" flags " from=" from "\n"
#define SNAPSHOT                  "snapshot=1 first=1 more=0"
#define CHANGES                   "snapshot=0 first=1 more=0"
#define A4                        "change=1|/a|x|4/4/4/10/10/0/0/0/1/0/0/0/0/0"
#define A5                        "change=3|/a|y|4/5/4/10/10/1/0/0/1/0/0/0/0/0"
#define A5_NEW                    "change=1|/a|y|4/5/4/10/10/1/0/0/1/0/0/0/0/0"
#define B6                        "change=1|/a/b||6/6/6/10/10/0/0/0/0/0/0/0/0/0"
#define A6                        "change=1|/a|y|4/5/6/10/10/1/1/0/1/0/0/1/0/0"
#define BORN                      WRITTEN ("c1", "1", "4", "3", "6", CREATE ("/a/b", ""))
#define HAPPENED                  MADE, CHANGE, BORN

static void test_stream (void **state)
{
    (void) state;
    const char *rule = "streams";
    GOOD (TWO_CLIENTS, HAPPENED, BATCH ("4", SNAPSHOT, A4), BATCH ("5", CHANGES, A5),
          BATCH ("6", CHANGES, B6), SETTLED);
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("4", SNAPSHOT, A4), BATCH ("6", CHANGES, B6));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("4", SNAPSHOT, A4), BATCH ("5", CHANGES, A5),
            BATCH ("5", CHANGES, A5));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("4", SNAPSHOT, A4), BATCH ("5", CHANGES, A4));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("4", SNAPSHOT, A4), BATCH ("6", CHANGES, A5));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("5", CHANGES, A5)); /* before its snapshot */
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("4", SNAPSHOT, A4), BATCH ("5", CHANGES, A5),
            SETTLED); /* something is missing at the end */
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("7", SNAPSHOT, A6 " " B6)); /* beyond the log */
}

static void test_stream_snapshot (void **state)
{
    (void) state;
    const char *rule = "streams";
    GOOD (TWO_CLIENTS, HAPPENED, BATCH ("6", SNAPSHOT, A6 " " B6), SETTLED);
    GOOD (TWO_CLIENTS, HAPPENED, BATCH ("3", SNAPSHOT, "")); /* of nothing */
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("6", SNAPSHOT, A6));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("5", SNAPSHOT, A4));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("6", SNAPSHOT, A6 " " B6 " " B6));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("6", SNAPSHOT, A6 " " A6));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("6", SNAPSHOT, A6 " " B6),
            BATCH ("4", SNAPSHOT, A4)); /* goes back */
    /* A further one: what came between is forgotten. */
    GOOD (TWO_CLIENTS, HAPPENED, BATCH ("4", SNAPSHOT, A4), BATCH ("6", SNAPSHOT, A6 " " B6));
    /* Which has begun: then nothing goes on where the one before it was. */
#define BEGUN "snapshot=1 first=1 more=1"
    GOOD (TWO_CLIENTS, HAPPENED, BATCH ("4", SNAPSHOT, A4), BATCH ("4", BEGUN, ""),
          BATCH ("5", SNAPSHOT, A5_NEW), BATCH ("6", CHANGES, B6), SETTLED);
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("4", SNAPSHOT, A4), BATCH ("4", BEGUN, ""),
            BATCH ("5", CHANGES, A5));
}

static void test_stream_in_fragments (void **state)
{
    (void) state;
    const char *rule = "streams";
#define HEAD "snapshot=1 first=1 more=1"
#define TAIL "snapshot=1 first=0 more=0"
    GOOD (TWO_CLIENTS, HAPPENED, BATCH ("6", HEAD, A6), BATCH ("6", TAIL, B6));
    GOOD (TWO_CLIENTS, HAPPENED, BATCH ("6", HEAD, A6), BATCH ("6", HEAD, A6),
          BATCH ("6", TAIL, B6)); /* cut off, and begun anew */
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("6", HEAD, A6), BATCH ("6", TAIL, A6));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("6", HEAD, A6), BATCH ("6", TAIL, ""));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("6", TAIL, B6));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("4", HEAD, A4), BATCH ("6", TAIL, B6));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, BATCH ("6", HEAD, A6), SETTLED);
}

/* A snapshot overtakes answers that were ready before it; another server must not fall behind it.
 */
static void test_stream_and_reads (void **state)
{
    (void) state;
#define ASKED_BEFORE TWO_CLIENTS, CALL ("c2", "9", "0", GET ("/b")), HAPPENED
    GOOD (ASKED_BEFORE, BATCH ("6", SNAPSHOT, A6 " " B6), RETURN ("c2", "9", "-101", "5"));
    BROKEN ("reads go forward", ASKED_BEFORE, BATCH ("6", SNAPSHOT, A6 " " B6), MOVED,
            RETURN ("c2", "9", "-101", "5"));
}

/* What shows a change comes behind it. */
static void test_stream_is_overtaken (void **state)
{
    (void) state;
    const char *rule = "streams";
#define FOLLOWED TWO_CLIENTS, MADE, BATCH ("4", SNAPSHOT, A4)
    GOOD (FOLLOWED, CHANGE, BATCH ("5", CHANGES, A5), LOOK, READ ("c2", "5", "5", "value=y"));
    BROKEN (rule, FOLLOWED, CHANGE, LOOK, READ ("c2", "5", "5", "value=y"));
    /* Who closes its session gets its answers all the same. */
    GOOD (FOLLOWED, CHANGE, LOOK, CALL ("c2", "6", "1", CLOSE), READ ("c2", "5", "5", "value=y"));
    /* Nobody is taken to have seen it before that; unless its server may not know the stream yet.
     */
    GOOD (FOLLOWED, CHANGE, BATCH ("5", CHANGES, A5), SEEN ("5"));
    BROKEN (rule, FOLLOWED, CHANGE, SEEN ("5"));
    GOOD (TWO_CLIENTS, MADE, OPENED ("0", "4"), CHANGE, SEEN ("5"));
    /* Nor has a stream told it that is opened behind what its client knows: but the answer to that
     * comes first, and for once says where its server is. */
    GOOD (TWO_CLIENTS, MADE, OPENED ("0", "4"), CHANGE, CHANGE2, BATCH ("5", CHANGES, A5),
          SEEN ("6"));
    BROKEN (rule, TWO_CLIENTS, MADE, OPENED ("0", "4"), CHANGE, CHANGE2, BATCH ("5", CHANGES, A5),
            SEEN ("5"), SEEN ("6"));
    /* What is read behind it is not older. */
    BROKEN ("reads go forward", FOLLOWED, CHANGE, LOOK, BATCH ("5", CHANGES, A5),
            READ ("c2", "5", "4", "value=x"));
    /* While a new snapshot is made, results may be ahead of it. */
    GOOD (FOLLOWED, CHANGE, BATCH ("5", HEAD, ""), LOOK, READ ("c2", "5", "5", "value=y"));
}

/* ---- Streams with options, and persistent watches -------------------------------------------- */

#define RESET(zxid)                                                                                \
    AT "c2 batch stream=1 path=/a zxid=" zxid " snapshot=0 first=1 more=0 "                        \
       "reset=1\n"
#define NO_SNAPSHOT "1"
#define BORN7       WRITTEN ("c1", "1", "6", "4", "7", CREATE ("/a/b", ""))
#define B7_BORN     "change=1|/a/b||7/7/7/10/10/0/0/0/0/0/0/0/0/0"

static void test_stream_resumed (void **state)
{
    (void) state;
    const char *rule = "streams";
    GOOD (TWO_CLIENTS, HAPPENED, OPENED ("0", "4"), BATCH ("5", CHANGES, A5),
          BATCH ("6", CHANGES, B6), SETTLED);
    BROKEN (rule, TWO_CLIENTS, HAPPENED, OPENED ("0", "4"), BATCH ("6", CHANGES, B6));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, OPENED ("0", "4"), SETTLED);
    /* Nobody knows any more: a snapshot. */
    GOOD (TWO_CLIENTS, HAPPENED, OPENED ("0", "4"), BATCH ("6", SNAPSHOT, A6 " " B6), SETTLED);
    BROKEN (rule, TWO_CLIENTS, HAPPENED, OPENED (NO_SNAPSHOT, "4"),
            BATCH ("6", SNAPSHOT, A6 " " B6));
}

static void test_stream_without_a_snapshot (void **state)
{
    (void) state;
    const char *rule = "streams";
    /* It begins wherever its client was or later. */
    GOOD (TWO_CLIENTS, MADE, OPENED (NO_SNAPSHOT, "0"), CHANGE, BORN, BATCH ("5", CHANGES, A5),
          BATCH ("6", CHANGES, B6), SETTLED);
    GOOD (TWO_CLIENTS, MADE, OPENED (NO_SNAPSHOT, "0"), CHANGE, BORN, BATCH ("6", CHANGES, B6),
          SETTLED);
    GOOD (TWO_CLIENTS, MADE, OPENED (NO_SNAPSHOT, "0"), CHANGE, BORN, SETTLED);
    BROKEN (rule, TWO_CLIENTS, MADE, OPENED (NO_SNAPSHOT, "0"), CHANGE, CHANGE2, BORN7,
            BATCH ("5", CHANGES, A5), BATCH ("7", CHANGES, B7_BORN));
    /* An answer behind it says where it has begun at the latest. */
    BROKEN (rule, TWO_CLIENTS, MADE, OPENED (NO_SNAPSHOT, "0"), LOOK,
            READ ("c2", "5", "4", "value=x"), CHANGE, SETTLED);
    GOOD (TWO_CLIENTS, MADE, OPENED (NO_SNAPSHOT, "0"), LOOK, READ ("c2", "5", "4", "value=x"),
          CHANGE, BATCH ("5", CHANGES, A5), SETTLED);
    GOOD (TWO_CLIENTS, MADE, LOOK, OPENED (NO_SNAPSHOT, "0"), READ ("c2", "5", "4", "value=x"),
          CHANGE, SETTLED);
    /* Before its client was there. */
    BROKEN (rule, TWO_CLIENTS, MADE, CHANGE, LOOK, READ ("c2", "5", "5", "value=y"),
            OPENED (NO_SNAPSHOT, "0"), BATCH ("4", CHANGES, A4));
    GOOD (TWO_CLIENTS, MADE, OPENED (NO_SNAPSHOT, "0"), LOOK, READ ("c2", "5", "4", "value=x"),
          AT "c2 closed stream=1\n", CHANGE, SETTLED);
}

static void test_stream_is_reset (void **state)
{
    (void) state;
    const char *rule = "streams";
    GOOD (TWO_CLIENTS, HAPPENED, OPENED (NO_SNAPSHOT, "4"), RESET ("5"), BATCH ("6", CHANGES, B6),
          SETTLED);
    BROKEN (rule, TWO_CLIENTS, HAPPENED, OPENED (NO_SNAPSHOT, "4"), RESET ("5"), SETTLED);
    BROKEN (rule, TWO_CLIENTS, HAPPENED, OPENED (NO_SNAPSHOT, "4"), RESET ("7"));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, OPENED ("0", "4"), RESET ("5"));
}

static void test_stream_with_less (void **state)
{
    (void) state;
    const char *rule = "streams";
#define BARE_A5 "change=3|/a||4/5/4/10/10/1/0/0/1/0/0/0/0/0"
    GOOD (TWO_CLIENTS, MADE, CHANGE, OPENED ("2", "4"), BATCH ("5", CHANGES, BARE_A5));
    BROKEN (rule, TWO_CLIENTS, MADE, CHANGE, OPENED ("2", "4"), BATCH ("5", CHANGES, A5));
    BROKEN (rule, TWO_CLIENTS, MADE, CHANGE, OPENED ("0", "4"), BATCH ("5", CHANGES, BARE_A5));
    /* Shallow: not what a child holds. */
#define CHILD_SET WRITTEN ("c1", "1", "6", "4", "7", SET ("/a/b", "z"))
#define B7        "change=3|/a/b|z|6/7/6/10/10/1/0/0/1/0/0/0/0/0"
    GOOD (TWO_CLIENTS, HAPPENED, CHILD_SET, OPENED ("5", "5"), BATCH ("6", CHANGES, B6), SETTLED);
    BROKEN (rule, TWO_CLIENTS, HAPPENED, CHILD_SET, OPENED ("5", "5"), BATCH ("6", CHANGES, B6),
            BATCH ("7", CHANGES, B7));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, OPENED ("5", "5"), SETTLED);
}

/* What may stand for all that happened up to it. */
static void test_stream_of_the_latest (void **state)
{
    (void) state;
    const char *rule = "streams";
#define LATEST "64"
#define GROWN                                                                                      \
    TWO_CLIENTS, HAPPENED, WRITTEN ("c1", "1", "6", "4", "7", SET ("/a/b", "z")),                  \
        WRITTEN ("c1", "1", "7", "5", "8", CREATE ("/a/c", "")),                                   \
        WRITTEN ("c1", "1", "8", "6", "9", DELETE ("/a/c"))
#define B_NEW           "change=1|/a/b|z|6/7/6/10/10/1/0/0/1/0/0/0/0/0"
#define B_SET           "change=3|/a/b|z|6/7/6/10/10/1/0/0/1/0/0/0/0/0"
#define C_GONE          "change=2|/a/c||"
#define C_NEW           "change=1|/a/c||8/8/8/10/10/0/0/0/0/0/0/0/0/0"
#define FOLLOWING(from) GROWN, OPENED (LATEST, from)
    GOOD (FOLLOWING ("4"), BATCH ("9", CHANGES, A5 " " B_NEW " " C_GONE), SETTLED);
    GOOD (FOLLOWING ("4"), BATCH ("7", CHANGES, A5 " " B_NEW), BATCH ("9", CHANGES, C_GONE),
          SETTLED);
    GOOD (FOLLOWING ("6"), BATCH ("7", CHANGES, B_SET), BATCH ("8", CHANGES, C_NEW),
          BATCH ("9", CHANGES, C_GONE), SETTLED);
    /* In fragments. */
    GOOD (FOLLOWING ("4"), BATCH ("9", "snapshot=0 first=1 more=1", A5 " " B_NEW),
          BATCH ("9", "snapshot=0 first=0 more=0", C_GONE), SETTLED);
    BROKEN (rule, FOLLOWING ("4"), BATCH ("9", "snapshot=0 first=1 more=1", A5 " " B_NEW),
            BATCH ("9", "snapshot=0 first=0 more=0", B_NEW));
    /* The first value; out of order; left out; too much; one that was not told as new. */
    BROKEN (rule, FOLLOWING ("4"), BATCH ("9", CHANGES, A5 " " B6 " " C_GONE));
    BROKEN (rule, FOLLOWING ("4"), BATCH ("9", CHANGES, B_NEW " " A5 " " C_GONE));
    BROKEN (rule, FOLLOWING ("4"), BATCH ("9", CHANGES, A5 " " B_NEW));
    BROKEN (rule, FOLLOWING ("4"), BATCH ("9", CHANGES, A5 " " B_NEW " " C_NEW " " C_GONE));
    BROKEN (rule, FOLLOWING ("4"), BATCH ("9", CHANGES, A5 " " B_SET " " C_GONE));
    BROKEN (rule, FOLLOWING ("4"), BATCH ("7", CHANGES, A5 " " B_NEW), SETTLED);
    /* Others tell each. */
    BROKEN (rule, GROWN, OPENED ("0", "4"), BATCH ("9", CHANGES, A5 " " B_NEW " " C_GONE));
}

static void test_stream_marks_its_progress (void **state)
{
    (void) state;
    const char *rule = "streams";
#define MARK(zxid) BATCH (zxid, "snapshot=0 first=0 more=0", "")
    GOOD (TWO_CLIENTS, MADE, CHANGE, OPENED ("8", "4"), BATCH ("5", CHANGES, A5), MARK ("5"));
    BROKEN (rule, TWO_CLIENTS, MADE, CHANGE, OPENED ("8", "4"), MARK ("5"));
    BROKEN (rule, TWO_CLIENTS, MADE, CHANGE, OPENED ("0", "5"), MARK ("5"));
}

/* In calm, with each heartbeat; a few may find it, or another one, catching up. */
static void test_stream_marks_come (void **state)
{
    (void) state;
    const char *rule = "streams";
#define BEAT   VALID ("c2", "910")
#define BEATS  BEAT, BEAT, BEAT, BEAT
#define ELSE   WRITTEN ("c1", "1", "5", "4", "7", CREATE ("/c", ""))
#define MARKED TWO_CLIENTS, HAPPENED, OPENED ("8", "6"), ELSE, SEEN ("7")
#define CALM   AT "c0 calm\n", AT "c2 served\n"
    BROKEN (rule, MARKED, CALM, BEATS, BEAT);
    GOOD (MARKED, CALM, BEATS, MARK ("7"), BEAT);
    GOOD (MARKED, CALM, BEATS);
    GOOD (MARKED, BEATS, BEAT);
    GOOD (TWO_CLIENTS, HAPPENED, OPENED ("0", "6"), ELSE, SEEN ("7"), CALM, BEATS, BEAT);
}

#define TELLS(type, path, zxid) AT "c2 told stream=1 type=" type " path=" path " zxid=" zxid "\n"
#define RECURSIVE               "19"
#define PERSISTENT              "23"

static void test_persistent_watch (void **state)
{
    (void) state;
    const char *rule = "streams";
#define PERSISTENTLY(mode) TWO_CLIENTS, MADE, OPENED (mode, "0"), CHANGE, BORN
    GOOD (PERSISTENTLY (RECURSIVE), TELLS (CHANGED, "/a", "5"), TELLS (CREATED, "/a/b", "6"),
          SETTLED);
    GOOD (PERSISTENTLY (PERSISTENT), TELLS (CHANGED, "/a", "5"), TELLS (FAMILY, "/a", "6"),
          SETTLED);
    BROKEN (rule, PERSISTENTLY (RECURSIVE), TELLS (FAMILY, "/a", "6"));
    BROKEN (rule, PERSISTENTLY (PERSISTENT), TELLS (CREATED, "/a/b", "6"));
    BROKEN (rule, PERSISTENTLY (PERSISTENT), TELLS (DELETED, "/a", "5"));
    BROKEN (rule, PERSISTENTLY (PERSISTENT), TELLS (CHANGED, "/a", "6"));
    /* Lost, doubled, out of order, without cause. */
    BROKEN (rule, PERSISTENTLY (RECURSIVE), TELLS (CHANGED, "/a", "5"), SETTLED);
    BROKEN (rule, PERSISTENTLY (RECURSIVE), TELLS (CHANGED, "/a", "5"), TELLS (CHANGED, "/a", "5"));
    BROKEN (rule, PERSISTENTLY (RECURSIVE), TELLS (CREATED, "/a/b", "6"),
            TELLS (CHANGED, "/a", "5"));
    BROKEN (rule, TWO_CLIENTS, MADE, OPENED (RECURSIVE, "0"), TELLS (CHANGED, "/a", "4"));
    BROKEN (rule, TWO_CLIENTS, HAPPENED, TELLS (CHANGED, "/a", "5"));
    /* Reset: what came before is not told any more. */
    GOOD (PERSISTENTLY (RECURSIVE), TELLS ("-2", "/a", "5"), TELLS (CREATED, "/a/b", "6"), SETTLED);
    BROKEN (rule, PERSISTENTLY (RECURSIVE), TELLS ("-2", "/a", "5"), TELLS (CHANGED, "/a", "5"));
    BROKEN (rule, PERSISTENTLY (RECURSIVE), TELLS ("-2", "/a", "7"));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_watch_fires),
        cmocka_unit_test (test_watch_is_set_by_what_succeeds),
        cmocka_unit_test (test_watch_on_children),
        cmocka_unit_test (test_watch_after_a_move),
        cmocka_unit_test (test_watch_is_lost),
        cmocka_unit_test (test_events_out_of_order),
        cmocka_unit_test (test_session_ends_too_early),
        cmocka_unit_test (test_session_ends_for_a_stall),
        cmocka_unit_test (test_client_gives_its_session_up_too_early),
        cmocka_unit_test (test_client_counts_on_a_dead_session),
        cmocka_unit_test (test_two_processes_count_on_a_session),
        cmocka_unit_test (test_next_process_asks),
        cmocka_unit_test (test_taken_session_lives_on),
        cmocka_unit_test (test_session_is_killed),
        cmocka_unit_test (test_session_lives_on),
        cmocka_unit_test (test_ephemeral_outlives_its_session),
        cmocka_unit_test (test_stream),
        cmocka_unit_test (test_stream_snapshot),
        cmocka_unit_test (test_stream_in_fragments),
        cmocka_unit_test (test_stream_and_reads),
        cmocka_unit_test (test_stream_is_overtaken),
        cmocka_unit_test (test_stream_resumed),
        cmocka_unit_test (test_stream_without_a_snapshot),
        cmocka_unit_test (test_stream_is_reset),
        cmocka_unit_test (test_stream_with_less),
        cmocka_unit_test (test_stream_of_the_latest),
        cmocka_unit_test (test_stream_marks_its_progress),
        cmocka_unit_test (test_stream_marks_come),
        cmocka_unit_test (test_persistent_watch),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

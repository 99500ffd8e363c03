/* The rules of who may do what, and how much; of who owns an ephemeral; and of what administrators
 * do: what must be, and what must not. */

#include "tests/unit/history/fixture.h"

#define OWNER          "ip:10.0.0.01:rwcda"
#define READERS        OWNER ",world:anyone:r"
#define WITH(op, list) op "|acl:" list
#define SET_ACL(path)  OP ("set-acl", path, "", "0", "-1")
#define EXISTS(path)   "op=exists|" path "||0|0|0|0|0|0"
#define COUNT(path)    "op=count|" path "||0|0|0|0|0|0"
#define NOAUTH         "-102"
#define NONODE         "-101"
#define QUOTA          "-125"
#define ASKS(id, op)   CALL ("c2", id, "0", op)
#define TOLD(id, code) RETURN ("c2", id, code, "4")

/* Client 2 asks for a write, which is logged at zxid 5, and told so. */
#define WRITES(op, code)                                                                           \
    CALL ("c2", "9", "1", op), LOG_WRITE ("5", "2", "1", op), RETURN ("c2", "9", code, "5")

/* Session 1 has made /a, with a list, at 4. */
#define GUARDED(list)                                                                              \
    TWO_CLIENTS, WRITTEN ("c1", "1", "1", "1", "4", WITH (CREATE ("/a", "x"), list))

/* ---- Lists ----------------------------------------------------------------------------------- */

static void test_write_without_permission (void **state)
{
    (void) state;
    const char *rule = "results of writes";
    GOOD (GUARDED (OWNER), WRITES (SET ("/a", "y"), NOAUTH));
    BROKEN (rule, GUARDED (OWNER), WRITES (SET ("/a", "y"), "0"));
    BROKEN (rule, GUARDED (READERS), WRITES (SET ("/a", "y"), "0"));
    GOOD (GUARDED (READERS ",ip:10.0.0.02:w"), WRITES (SET ("/a", "y"), "0"));
    BROKEN (rule, GUARDED (READERS ",ip:10.0.0.02:w"), WRITES (SET ("/a", "y"), NOAUTH));
    GOOD (GUARDED (READERS), WRITES (CREATE ("/a/b", ""), NOAUTH));
    BROKEN (rule, GUARDED (READERS), WRITES (CREATE ("/a/b", ""), "0"));
    GOOD (GUARDED (OWNER ",ip:10.0.0.02:c"), WRITES (CREATE ("/a/b", ""), "0"));
    /* To delete it takes a permission of the parent, which is open. */
    GOOD (GUARDED (OWNER), WRITES (DELETE ("/a"), "0"));
    BROKEN (rule, GUARDED (OWNER), WRITES (DELETE ("/a"), NOAUTH));
    GOOD (GUARDED (OWNER), WRITES (WITH (SET_ACL ("/a"), OWNER), NOAUTH));
    BROKEN (rule, GUARDED (READERS), WRITES (WITH (SET_ACL ("/a"), OWNER), "0"));
    BROKEN (rule, GUARDED (READERS), WRITES (ADD ("/a", "1", "9"), "-218"));
    /* What is not there is not said to who may not look. */
    GOOD (GUARDED (OWNER), WRITES (SET ("/a/b", "y"), NOAUTH));
    BROKEN (rule, GUARDED (OWNER), WRITES (SET ("/a/b", "y"), NONODE));
    GOOD (GUARDED (READERS), WRITES (SET ("/a/b", "y"), NONODE));
}

static void test_its_writer_may (void **state)
{
    (void) state;
#define OWN(op, code)                                                                              \
    CALL ("c1", "9", "2", op), LOG_WRITE ("5", "1", "2", op), RETURN ("c1", "9", code, "5")
    GOOD (GUARDED (OWNER), OWN (SET ("/a", "y"), "0"));
    BROKEN ("results of writes", GUARDED (OWNER), OWN (SET ("/a", "y"), NOAUTH));
    BROKEN ("logged as asked for", GUARDED (OWNER), CALL ("c1", "9", "2", SET ("/a", "y")),
            LOG_WRITE ("5", "1", "2", WITH (SET ("/a", "y"), OWNER)));
    /* AUTH is nobody who has only an address. */
    GOOD (TWO_CLIENTS, WRITES (WITH (CREATE ("/a", ""), "auth::r"), "-114"));
    BROKEN ("results of writes", TWO_CLIENTS, WRITES (WITH (CREATE ("/a", ""), "auth::r"), "0"));
}

static void test_read_without_permission (void **state)
{
    (void) state;
    const char *rule = "values of reads";
    GOOD (GUARDED (OWNER), ASKS ("9", GET ("/a")), TOLD ("9", NOAUTH));
    BROKEN (rule, GUARDED (OWNER), ASKS ("9", GET ("/a")), READ ("c2", "9", "4", "value=x"));
    BROKEN (rule, GUARDED (READERS), ASKS ("9", GET ("/a")), TOLD ("9", NOAUTH));
    GOOD (GUARDED (READERS), ASKS ("9", GET ("/a")), READ ("c2", "9", "4", "value=x"));
    BROKEN (rule, GUARDED (OWNER), ASKS ("9", CHILDREN ("/a")), TOLD ("9", "0"));
    BROKEN (rule, GUARDED (OWNER), ASKS ("9", COUNT ("/a")), TOLD ("9", "0"));
    /* Who may list the parent may know that it is there; and of nothing below it. */
    GOOD (GUARDED (OWNER), ASKS ("9", EXISTS ("/a")), TOLD ("9", "0"));
    GOOD (GUARDED (OWNER), ASKS ("9", EXISTS ("/a/b")), TOLD ("9", NOAUTH));
    BROKEN (rule, GUARDED (OWNER), ASKS ("9", EXISTS ("/a/b")), TOLD ("9", NONODE));
    /* By the list of the state that is shown. */
    GOOD (GUARDED (READERS), OWN (WITH (SET_ACL ("/a"), OWNER), "0"), ASKS ("9", GET ("/a")),
          READ ("c2", "9", "4", "value=x"));
    BROKEN (rule, GUARDED (READERS), OWN (WITH (SET_ACL ("/a"), OWNER), "0"),
            ASKS ("9", GET ("/a")), READ ("c2", "9", "5", "value=x"));
}

static void test_default_list (void **state)
{
    (void) state;
#define DEFAULT                                                                                    \
    TWO_CLIENTS, WRITTEN ("c1", "1", "1", "1", "3", CREATE ("/d", "")),                            \
        WRITTEN ("c1", "1", "2", "2", "4", WITH (SET_ACL ("/d"), OWNER) "|inherited:1"),           \
        WRITTEN ("c1", "1", "3", "3", "5", CREATE ("/d/a", "x")),                                  \
        CALL ("c2", "9", "0", GET ("/d/a"))
    GOOD (DEFAULT, RETURN ("c2", "9", NOAUTH, "5"));
    BROKEN ("values of reads", DEFAULT, READ ("c2", "9", "5", "value=x"));
}

/* Who may not list a znode does not hear of its children. */
static void test_watch_without_permission (void **state)
{
    (void) state;
#define LISTENS                                                                                    \
    GUARDED (READERS), ASKS ("8", CHILDREN_WATCH ("/a")), READ ("c2", "8", "4", ""),               \
        OWN (WITH (SET_ACL ("/a"), OWNER), "0"),                                                   \
        WRITTEN ("c1", "1", "10", "3", "6", CREATE ("/a/b", ""))
    GOOD (LISTENS, AT "c0 settled\n");
    BROKEN ("watches fire", LISTENS, FIRED ("c2", "3", "4", "/a", "6"));
    BROKEN ("watches fire", LISTENS, FIRED ("c2", "3", "4", "/a", "5"));
    /* On another server it is as if it had gone. */
    GOOD (LISTENS, ATTACHED ("c2", "1"), FIRED ("c2", "3", "2", "/a", "6"));
    BROKEN ("watches fire", LISTENS, FIRED ("c2", "3", "2", "/a", "6"));
}

#define ROOT4    "change=1|/||0/0/4/0/0/0/1/0/0/0/0/1/0/0"
#define A4(rest) "change=1|/a|" rest
#define A4_STAT  "4/4/4/10/10/0/0/0/1/0/0/0/0/0"
#define A5_STAT  "4/4/4/10/10/0/0/1/1/0/0/0/0/0"
#define BATCH(zxid, snapshot, changes)                                                             \
    AT "c2 batch stream=1 path=/ zxid=" zxid " snapshot=" snapshot " first=1 more=0 " changes "\n"
#define SHOWN(rest) BATCH ("4", "1", ROOT4 " " A4 (rest))
#define HIDDEN_A    SHOWN ("|" A4_STAT "|hidden:1")

static void test_stream_hides (void **state)
{
    (void) state;
    const char *rule = "streams";
    GOOD (GUARDED (OWNER), HIDDEN_A);
    GOOD (GUARDED (READERS), SHOWN ("x|" A4_STAT));
    BROKEN (rule, GUARDED (OWNER), SHOWN ("x|" A4_STAT));
    BROKEN (rule, GUARDED (OWNER), SHOWN ("x|" A4_STAT "|hidden:1"));
    BROKEN (rule, GUARDED (READERS), HIDDEN_A);
    /* What becomes readable comes with the change of the list. */
#define OPENED_UP GUARDED (OWNER), HIDDEN_A, OWN (WITH (SET_ACL ("/a"), READERS), "0")
    GOOD (OPENED_UP, BATCH ("5", "0", "change=40|/a|x|" A5_STAT), AT "c0 settled\n");
    BROKEN (rule, OPENED_UP, BATCH ("5", "0", "change=40|/a||" A5_STAT "|hidden:1"));
    BROKEN (rule, OPENED_UP, BATCH ("5", "0", "change=3|/a|x|" A5_STAT));
    BROKEN (rule, OPENED_UP, BATCH ("5", "0", "change=40|/a|x|" A4_STAT));
    BROKEN (rule, OPENED_UP, AT "c0 settled\n");
    /* What is told late is not shown either if it may not be read any more. */
#define CLOSED_UP                                                                                  \
    GUARDED (READERS), OWN (WITH (SET_ACL ("/a"), OWNER), "0"),                                    \
        AT "c2 opened stream=1 path=/ flags=0 from=2\n"
    GOOD (CLOSED_UP, BATCH ("4", "0", "change=1|/a|x|" A4_STAT));
    GOOD (CLOSED_UP, BATCH ("4", "0", "change=1|/a||" A4_STAT "|hidden:1"));
    BROKEN (rule, CLOSED_UP, BATCH ("4", "0", "change=1|/a||" A4_STAT "|hidden:1"),
            BATCH ("5", "0", "change=40|/a|x|" A5_STAT));
    /* Watches are not told of it. */
    GOOD (GUARDED (OWNER), AT "c2 opened stream=2 path=/a flags=19 from=4\n",
          OWN (WITH (SET_ACL ("/a"), READERS), "0"), AT "c0 settled\n");
}

/* A snapshot shows a znode as it was when it was come to. */
static void test_stream_of_who_proves_himself (void **state)
{
    (void) state;
    const char *rule = "streams";
#define KNOWN       "digest:u1:none"
#define PROVES(at)  WRITTEN ("c2", "2", "9", "1", at, "op=add-auth||" KNOWN "|0|0|0|0|0|0")
#define AGAIN(rest) BATCH ("5", "1", ROOT4 " " A4 (rest))
#define FOR_USERS   GUARDED (OWNER "," KNOWN ":r")
    BROKEN (rule, FOR_USERS, SHOWN ("x|" A4_STAT));
    GOOD (FOR_USERS, HIDDEN_A, PROVES ("5"), AGAIN ("x|" A4_STAT));
    GOOD (FOR_USERS, HIDDEN_A, PROVES ("5"), AGAIN ("|" A4_STAT "|hidden:1"));
    BROKEN (rule, FOR_USERS, HIDDEN_A, PROVES ("5"), AGAIN ("x|" A4_STAT),
            AGAIN ("|" A4_STAT "|hidden:1"));
}

/* ---- Quotas ---------------------------------------------------------------------------------- */

#define FOUND_WITH(admins)                                                                         \
    AT "c0 entry zxid=1 stamp=1 what=found " admins "op=create|/zookeeper||0|0|0|0|0|0 "           \
       "op=create|/zookeeper/config||0|0|0|0|0|0 op=create|/zookeeper/quota||0|0|0|0|0|0\n" AT     \
       "c1 session session=1 timeout=1000 grace=1000\n" AT                                         \
       "c2 session session=2 timeout=1000 grace=1000\n" LOG_SESSION ("2", "01")                    \
           LOG_SESSION ("3", "02")
#define LIMITS(text) CREATE ("/zookeeper/quota/q/zookeeper_limits", text)
/* A quota of /q, where there are two znodes and three bytes. */
#define LIMITED(text)                                                                              \
    FOUND_WITH (""), WRITTEN ("c1", "1", "1", "1", "4", CREATE ("/q", "abc")),                     \
        WRITTEN ("c1", "1", "2", "2", "5", CREATE ("/q/a", "")),                                   \
        WRITTEN ("c1", "1", "3", "3", "6", CREATE ("/zookeeper/quota/q", "")),                     \
        WRITTEN ("c1", "1", "4", "4", "7", LIMITS (text))
#define THEN(op, code)                                                                             \
    CALL ("c2", "9", "1", op), LOG_WRITE ("8", "2", "1", op), RETURN ("c2", "9", code, "8")

static void test_quota (void **state)
{
    (void) state;
    const char *rule = "results of writes";
    GOOD (LIMITED ("countHardLimit%3d2"), THEN (CREATE ("/q/b", ""), QUOTA));
    BROKEN (rule, LIMITED ("countHardLimit%3d2"), THEN (CREATE ("/q/b", ""), "0"));
    BROKEN (rule, LIMITED ("countHardLimit%3d3"), THEN (CREATE ("/q/b", ""), QUOTA));
    GOOD (LIMITED ("countHardLimit%3d2"), THEN (CREATE ("/r", ""), "0"));
    /* A warning is none. */
    BROKEN (rule, LIMITED ("count%3d2"), THEN (CREATE ("/q/b", ""), QUOTA));
    GOOD (LIMITED ("byteHardLimit%3d5"), THEN (SET ("/q/a", "ab"), "0"));
    GOOD (LIMITED ("byteHardLimit%3d4"), THEN (SET ("/q/a", "ab"), QUOTA));
    BROKEN (rule, LIMITED ("byteHardLimit%3d4"), THEN (SET ("/q/a", "ab"), "0"));
    /* What is too much already may become less. */
    GOOD (LIMITED ("byteHardLimit%3d1"), THEN (SET ("/q", "ab"), "0"));
    BROKEN (rule, LIMITED ("byteHardLimit%3d1"), THEN (SET ("/q", "ab"), QUOTA));
    GOOD (LIMITED ("byteHardLimit%3d1"), THEN (SET ("/zookeeper/quota/q", "abcdef"), "0"));
    /* What is no quota is refused, and so is what is the servers' own. */
    GOOD (LIMITED ("count%3d9"), THEN (LIMITS ("none"), "-8"));
    BROKEN (rule, LIMITED ("count%3d9"), THEN (SET ("/zookeeper/config", ""), "0"));
    BROKEN (rule, LIMITED ("count%3d9"), THEN (DELETE ("/zookeeper/quota"), "-111"));
}

static void test_quotas_are_the_administrators (void **state)
{
    (void) state;
#define SETS(admins, code)                                                                         \
    FOUND_WITH (admins), CALL ("c2", "9", "1", Q), LOG_WRITE ("4", "2", "1", Q),                   \
        RETURN ("c2", "9", code, "4")
#define Q CREATE ("/zookeeper/quota/q", "")
    GOOD (SETS ("", "0"));
    GOOD (SETS ("admins=ip:10.0.0.01:rwcda ", NOAUTH));
    BROKEN ("results of writes", SETS ("admins=ip:10.0.0.01:rwcda ", "0"));
    GOOD (SETS ("admins=ip:10.0.0.02:rwcda ", "0"));
    BROKEN ("results of writes", SETS ("admins=ip:10.0.0.02:rwcda ", NOAUTH));
}

/* ---- Administrators -------------------------------------------------------------------------- */

#define ADMINS_ARE(zxid, list) AT "c0 entry zxid=" zxid " stamp=1 what=admins admins=" list "\n"
#define SECOND                 "ip:10.0.0.02:rwcda"
#define KILL_1                 "op=kill|||0|0|0|1|0|0"
#define NAME_ADMINS            "op=set-admins|||0|0|0|0|0|0|acl:" SECOND

static void test_administrators (void **state)
{
    (void) state;
    const char *rule = "results of writes";
    /* They pass every check. */
    GOOD (GUARDED (OWNER), ADMINS_ARE ("5", SECOND), ASKS ("8", GET ("/a")),
          READ ("c2", "8", "5", "value=x"));
    BROKEN ("values of reads", GUARDED (OWNER), ADMINS_ARE ("5", SECOND), ASKS ("8", GET ("/a")),
            RETURN ("c2", "8", NOAUTH, "5"));
    /* The leader names some where there are none; then they name who comes next. */
#define NAMED(first)                                                                               \
    TWO_CLIENTS, ADMINS_ARE ("3", first), CALL ("c2", "8", "1", NAME_ADMINS),                      \
        LOG_WRITE ("4", "2", "1", NAME_ADMINS)
    GOOD (NAMED (SECOND), RETURN ("c2", "8", "0", "4"));
    BROKEN (rule, NAMED (OWNER), RETURN ("c2", "8", "0", "4"));
    BROKEN (rule, NAMED (SECOND), RETURN ("c2", "8", NOAUTH, "4"));
    BROKEN (rule, TWO_CLIENTS, ADMINS_ARE ("3", OWNER), ADMINS_ARE ("4", SECOND),
            WRITES (KILL_1, "0"));
}

/* ---- Killed ---------------------------------------------------------------------------------- */

/* Session 1 has an ephemeral, and is killed at 5. */
#define KILLED                                                                                     \
    TWO_CLIENTS, ADMINS_ARE ("3", SECOND), WRITTEN ("c1", "1", "1", "1", "4", EPHEMERAL ("/e")),   \
        CALL ("c2", "9", "1", KILL_1), LOG_WRITE ("5", "2", "1", KILL_1),                          \
        READ ("c2", "9", "5", "r=0|||existed:1")
#define CLOSED(session)                                                                            \
    AT "c0 entry zxid=6 stamp=1 what=close session=" session " attach=1 incarnation=1 killed=1\n"
#define LOST(client) AT client " lost\n"

static void test_kill (void **state)
{
    (void) state;
    GOOD (KILLED, LOST ("c1"), CLOSED ("1"), AT "c0 settled\n");
    GOOD (KILLED, CALL ("c1", "8", "2", CLOSE), CLOSED ("1"), AT "c0 led\n", AT "c0 settled\n");
    /* Its client hears of it, and nobody else does. */
    BROKEN ("sessions are ended", KILLED, CLOSED ("1"), AT "c0 led\n", AT "c0 settled\n");
    BROKEN ("sessions are lost for a reason", KILLED, AT "c2 valid until=99\n", LOST ("c2"));
    GOOD (KILLED, LOST ("c2")); /* it counts on nothing */
    BROKEN ("sessions are kept", KILLED, CLOSED ("2"));
    /* Its ephemerals go with it. */
#define AFTER KILLED, CLOSED ("1"), ASKS ("8", GET ("/e"))
    GOOD (AFTER, RETURN ("c2", "8", NONODE, "6"));
    BROKEN ("values of reads", AFTER, READ ("c2", "8", "6", "value="));
    /* It does nothing any more. */
    BROKEN ("acknowledged once", KILLED, CALL ("c1", "7", "2", DELETE ("/e")),
            LOG_WRITE ("6", "1", "2", DELETE ("/e")), RETURN ("c1", "7", "0", "6"));
    BROKEN ("results of writes", KILLED, CALL ("c2", "7", "2", KILL_1),
            LOG_WRITE ("6", "2", "2", KILL_1), READ ("c2", "7", "6", "r=0|||existed:1"));
}

/* ---- Hand-over ------------------------------------------------------------------------------- */

/* What sessions 2, 1 have agreed to: SHA-256 ("cohort hand-over", from, to, password), 16 bytes. */
#define TOKEN_1_TO_2 "47ba5c5e523185fc152f1cea33cd1320"
#define TOKEN_2_TO_1 "9cd90527d0308b88fb59814ed02b6a6e"
#define GIVE(token)  "op=hand-over||" token "|0|0|0|2|0|0"
/* Session 1 has /e and /f; session 2 /g. */
#define OWNED                                                                                      \
    TWO_CLIENTS, WRITTEN ("c1", "1", "1", "1", "3", EPHEMERAL ("/e")),                             \
        WRITTEN ("c1", "1", "2", "2", "4", EPHEMERAL ("/f")),                                      \
        WRITTEN ("c2", "2", "3", "1", "5", EPHEMERAL ("/g"))
#define GIVES(token, result)                                                                       \
    OWNED, CALL ("c1", "4", "3", GIVE (token)), LOG_WRITE ("6", "1", "3", GIVE (token)),           \
        READ ("c1", "4", "6", result)
#define GIVEN GIVES (TOKEN_1_TO_2, "r=0|||value:2")
#define ENDS(session)                                                                              \
    AT "c0 entry zxid=7 stamp=10 what=close session=" session " attach=1 incarnation=1 killed=0\n"
#define LOOKS(client, id, op) CALL (client, id, "0", op)
#define E_STAT(owner, ozxid)  "stat=3/3/3/10/10/0/0/0/0/" owner "/" ozxid "/0/1/0"
#define EPHEMERALS            "op=ephemerals|||0|0|0|0|0|0"

static void test_hand_over (void **state)
{
    (void) state;
    const char *rule = "values of reads";
    GOOD (GIVEN, LOOKS ("c1", "8", EXISTS ("/e")), READ ("c1", "8", "6", E_STAT ("2", "6")));
    BROKEN (rule, GIVEN, LOOKS ("c1", "8", EXISTS ("/e")),
            READ ("c1", "8", "6", E_STAT ("1", "3")));
    /* The token of a lock is another from then on. */
    BROKEN (rule, GIVEN, LOOKS ("c1", "8", EXISTS ("/e")),
            READ ("c1", "8", "6", E_STAT ("2", "3")));
    GOOD (GIVEN, LOOKS ("c2", "8", EXISTS ("/e")), READ ("c2", "8", "5", E_STAT ("1", "3")));
    /* Lost, or two times there. */
    GOOD (GIVEN, LOOKS ("c1", "8", EPHEMERALS), READ ("c1", "8", "6", ""));
    BROKEN (rule, GIVEN, LOOKS ("c1", "8", EPHEMERALS), READ ("c1", "8", "6", "child=/e child=/f"));
    GOOD (GIVEN, LOOKS ("c2", "8", EPHEMERALS),
          READ ("c2", "8", "6", "child=/e child=/f child=/g"));
    BROKEN (rule, GIVEN, LOOKS ("c2", "8", EPHEMERALS), READ ("c2", "8", "6", "child=/g"));
    BROKEN (rule, GIVEN, LOOKS ("c2", "8", EPHEMERALS), READ ("c2", "8", "6", "child=/e child=/g"));
    BROKEN (rule, GIVEN, LOOKS ("c2", "8", EPHEMERALS),
            READ ("c2", "8", "6", "child=/g child=/e child=/f"));
    BROKEN ("results of writes", GIVES (TOKEN_1_TO_2, "r=0|||value:1"));
}

/* Who gets it has agreed. */
static void test_hand_over_without_consent (void **state)
{
    (void) state;
#define TOLD_CODE(token, code)                                                                     \
    OWNED, CALL ("c1", "4", "3", GIVE (token)), LOG_WRITE ("6", "1", "3", GIVE (token)),           \
        RETURN ("c1", "4", code, "6")
    GOOD (TOLD_CODE (TOKEN_2_TO_1, NOAUTH));
    BROKEN ("results of writes", GIVES (TOKEN_2_TO_1, "r=0|||value:2"));
    BROKEN ("results of writes", TOLD_CODE (TOKEN_1_TO_2, NOAUTH));
    /* To a session that was killed, or has ended, nothing is given. */
#define TO_DEAD                                                                                    \
    OWNED, CALL ("c1", "4", "3", GIVE (TOKEN_1_TO_2)), ENDS ("2"),                                 \
        LOG_WRITE ("8", "1", "3", GIVE (TOKEN_1_TO_2))
    GOOD (TO_DEAD, RETURN ("c1", "4", NOAUTH, "8"));
    BROKEN ("results of writes", TO_DEAD, READ ("c1", "4", "8", "r=0|||value:2"));
}

/* An ephemeral lives as long as the session that holds it now. */
static void test_life_after_a_hand_over (void **state)
{
    (void) state;
    const char *rule = "values of reads";
#define GIVER_ENDS    GIVEN, ENDS ("1"), LOOKS ("c2", "8", GET ("/e"))
#define RECEIVER_ENDS GIVEN, ENDS ("2"), LOOKS ("c1", "8", GET ("/e"))
    GOOD (GIVER_ENDS, READ ("c2", "8", "7", "value="));
    BROKEN (rule, GIVER_ENDS, RETURN ("c2", "8", NONODE, "7"));
    GOOD (RECEIVER_ENDS, RETURN ("c1", "8", NONODE, "7"));
    BROKEN (rule, RECEIVER_ENDS, READ ("c1", "8", "7", "value="));
    /* What it makes later is its own. */
#define MAKES_MORE                                                                                 \
    GIVEN, WRITTEN ("c1", "1", "5", "4", "7", EPHEMERAL ("/h")),                                   \
        AT "c0 entry zxid=8 stamp=10 what=close session=1 attach=1 incarnation=1 killed=0\n",      \
        LOOKS ("c2", "8", GET ("/h")), LOOKS ("c2", "9", GET ("/f"))
    GOOD (MAKES_MORE, RETURN ("c2", "8", NONODE, "8"), READ ("c2", "9", "8", "value="));
    BROKEN (rule, MAKES_MORE, READ ("c2", "8", "8", "value="));
    BROKEN (rule, MAKES_MORE, RETURN ("c2", "8", NONODE, "8"), RETURN ("c2", "9", NONODE, "8"));
}

/* What a list says is for who may change it, or may read the znode: but then without what is to be
 * kept from others. */
static void test_lists_are_shown (void **state)
{
    (void) state;
    const char *rule = "values of reads";
#define LIST(path)       "op=get-acl|" path "||0|0|0|0|0|0"
#define IS_LIST(text)    READ ("c2", "8", "4", "value=" text)
#define SECRET           ",digest:u:h:r"
#define READER(inherits) GUARDED (OWNER SECRET ",ip:10.0.0.02:r"), ASKS ("8", LIST ("/a") inherits)
#define CHANGER          GUARDED (OWNER SECRET ",ip:10.0.0.02:a"), ASKS ("8", LIST ("/a"))
    GOOD (READER (""), IS_LIST (OWNER ",digest:u:x:r,ip:10.0.0.02:r"));
    BROKEN (rule, READER (""), IS_LIST (OWNER SECRET ",ip:10.0.0.02:r"));
    BROKEN (rule, READER (""), IS_LIST (OWNER ",digest:u:x:r"));
    BROKEN (rule, READER (""), RETURN ("c2", "8", NOAUTH, "4"));
    GOOD (READER ("|inherited:1"), IS_LIST (""));
    BROKEN (rule, READER ("|inherited:1"), IS_LIST ("world:anyone:rwcda"));
    GOOD (CHANGER, IS_LIST (OWNER SECRET ",ip:10.0.0.02:a"));
    BROKEN (rule, CHANGER, IS_LIST (OWNER ",digest:u:x:r,ip:10.0.0.02:a"));
    GOOD (GUARDED (OWNER), ASKS ("8", LIST ("/a")), RETURN ("c2", "8", NOAUTH, "4"));
    BROKEN (rule, GUARDED (OWNER), ASKS ("8", LIST ("/a")), IS_LIST (OWNER));
    GOOD (GUARDED (OWNER), ASKS ("8", LIST ("/")), IS_LIST ("world:anyone:rwcda"));
    BROKEN (rule, GUARDED (OWNER), ASKS ("8", LIST ("/")), IS_LIST (""));
}

static void test_administrators_are_shown (void **state)
{
    (void) state;
    const char *rule = "values of reads";
#define WHO_ARE       "op=get-admins|||0|0|0|0|0|0"
#define ADMINS_OF(of) TWO_CLIENTS, ADMINS_ARE ("4", of), ASKS ("8", WHO_ARE)
    GOOD (ADMINS_OF (SECOND), IS_LIST (SECOND));
    BROKEN (rule, ADMINS_OF (SECOND), IS_LIST (""));
    GOOD (ADMINS_OF (OWNER), RETURN ("c2", "8", NOAUTH, "4"));
    BROKEN (rule, ADMINS_OF (OWNER), IS_LIST (OWNER));
    GOOD (TWO_CLIENTS, ASKS ("8", WHO_ARE), READ ("c2", "8", "2", "value="));
    BROKEN (rule, TWO_CLIENTS, ASKS ("8", WHO_ARE), RETURN ("c2", "8", NOAUTH, "2"));
}

/* Who somebody is: by its connection, and from a zxid on by what it has proven. */
static void test_who_it_is (void **state)
{
    (void) state;
    const char *rule = "values of reads";
#define USER   "op=add-auth||digest:u:h|0|0|0|0|0|0"
#define WHO    CALL ("c1", "8", "0", "op=whoami|||0|0|0|0|0|0")
#define PROVEN TWO_CLIENTS, WRITTEN ("c1", "1", "1", "1", "3", USER), WHO
    GOOD (TWO_CLIENTS, WHO, READ ("c1", "8", "2", "value=world:anyone,ip:10.0.0.01"));
    BROKEN (rule, TWO_CLIENTS, WHO, READ ("c1", "8", "2", "value=world:anyone,ip:10.0.0.02"));
    BROKEN (rule, TWO_CLIENTS, WHO, READ ("c1", "8", "2", "value=ip:10.0.0.01"));
    GOOD (PROVEN, READ ("c1", "8", "3", "value=world:anyone,ip:10.0.0.01,digest:u:h"));
    BROKEN (rule, PROVEN, READ ("c1", "8", "3", "value=world:anyone,ip:10.0.0.01"));
    BROKEN (rule, PROVEN, READ ("c1", "8", "3", "value=world:anyone,digest:u:h"));
}

static void test_streams_tell_of_hand_overs (void **state)
{
    (void) state;
    const char *rule = "streams";
#define FOLLOWS(path, flags)                                                                       \
    OWNED, AT "c2 opened stream=1 path=" path " flags=" flags " from=5\n",                         \
        CALL ("c1", "4", "3", GIVE (TOKEN_1_TO_2)),                                                \
        LOG_WRITE ("6", "1", "3", GIVE (TOKEN_1_TO_2)), READ ("c1", "4", "6", "r=0|||value:2")
#define OWNERS(from, to, ozxid)                                                                    \
    AT "c2 batch stream=1 path=/none zxid=6 snapshot=0 first=1 more=0 change=80|||"                \
       "0/0/0/0/0/0/0/0/0/" to "/" ozxid "/0/0/0|from:" from "\n"
    /* Of no subtree: each stream is told, once; watches are not. */
    GOOD (FOLLOWS ("/none", "0"), OWNERS ("1", "2", "6"), AT "c0 settled\n");
    BROKEN (rule, FOLLOWS ("/none", "0"), AT "c0 settled\n");
    BROKEN (rule, FOLLOWS ("/none", "0"), OWNERS ("2", "1", "6"));
    BROKEN (rule, FOLLOWS ("/none", "0"), OWNERS ("1", "2", "5"));
    BROKEN (rule, FOLLOWS ("/none", "0"), OWNERS ("1", "2", "6"), OWNERS ("1", "2", "6"));
    GOOD (FOLLOWS ("/none", "64"), OWNERS ("1", "2", "6"), AT "c0 settled\n");
    BROKEN (rule, FOLLOWS ("/none", "64"), OWNERS ("2", "2", "6"));
    GOOD (FOLLOWS ("/none", "19"), AT "c0 settled\n");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_write_without_permission),
        cmocka_unit_test (test_its_writer_may),
        cmocka_unit_test (test_read_without_permission),
        cmocka_unit_test (test_default_list),
        cmocka_unit_test (test_watch_without_permission),
        cmocka_unit_test (test_stream_hides),
        cmocka_unit_test (test_stream_of_who_proves_himself),
        cmocka_unit_test (test_quota),
        cmocka_unit_test (test_quotas_are_the_administrators),
        cmocka_unit_test (test_administrators),
        cmocka_unit_test (test_kill),
        cmocka_unit_test (test_hand_over),
        cmocka_unit_test (test_hand_over_without_consent),
        cmocka_unit_test (test_life_after_a_hand_over),
        cmocka_unit_test (test_lists_are_shown),
        cmocka_unit_test (test_administrators_are_shown),
        cmocka_unit_test (test_who_it_is),
        cmocka_unit_test (test_streams_tell_of_hand_overs),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

/* Histories written by hand, as text: pieces to be put together. Every number is a string. */

#ifndef TESTS_UNIT_HISTORY_FIXTURE_H
#define TESTS_UNIT_HISTORY_FIXTURE_H

#include "tests/history/judge.h"
#include "tests/unit/unit.h"

/* ---- Operations ------------------------------------------------------------------------------ */

#define OP(kind, path, value, mode, version)                                                       \
    "op=" kind "|" path "|" value "|" mode "|" version "|0|0|0|0"
#define CREATE(path, value)               OP ("create", path, value, "0", "-1")
#define EPHEMERAL(path)                   OP ("create", path, "", "1", "-1")
#define SEQUENTIAL(path)                  OP ("create", path, "", "2", "-1")
#define SET(path, value)                  OP ("set", path, value, "0", "-1")
#define SET_IF(path, value, version)      OP ("set", path, value, "0", version)
#define DELETE(path)                      OP ("delete", path, "", "0", "-1")
#define CHECK(path, version)              OP ("check", path, "", "0", version)
#define CHECK_CZXID(path, czxid)          "op=check-czxid|" path "||0|0|" czxid "|0|0|0"
#define CHECK_OWNER(path, session, ozxid) "op=check-owner|" path "||0|0|" ozxid "|" session "|0|0"
#define CREATE_IF_ABSENT(path, value)     CREATE (path, value) "|absent:1"
#define CREATE_TTL(path, ttl)             CREATE (path, "") "|ttl:" ttl
#define CONTAINER(path)                   OP ("create", path, "", "4", "-1")
#define ADD(path, delta, ceiling)                                                                  \
    "op=add|" path "||0|0|0|0|0|0|delta:" delta "|floor:-9|ceiling:" ceiling
#define DELETE_TREE(path, limit) "op=delete-tree|" path "||0|-1|0|0|0|0|limit:" limit
#define CHECK_ABSENT(path)       "op=check-absent|" path "||0|0|0|0|0|0"
#define LAPSED(path, czxid)      "op=lapsed|" path "||0|0|" czxid "|0|0|0"
#define CLOSE                    "op=close|||0|0|0|0|0|0"
#define REJECT(code)             "op=reject|||0|0|0|0|" code "|0"
#define GET(path)                "op=get|" path "||0|0|0|0|0|0"
#define GET_CURRENT(path)        GET (path) "|current:1"
#define GET_WATCH(path)          "op=get|" path "||0|0|0|0|0|1"
#define EXISTS_WATCH(path)       "op=exists|" path "||0|0|0|0|0|1"
#define CHILDREN(path)           "op=children|" path "||0|0|0|0|0|0"
#define CHILDREN_WATCH(path)     "op=children|" path "||0|0|0|0|0|1"
#define SYNC                     "op=sync|||0|0|0|0|0|0"

/* ---- Events, at a time that passes elsewhere ------------------------------------------------- */

#define AT                           "10 "
#define CALL(client, id, number, op) AT client " call id=" id " number=" number " multi=0 " op "\n"
#define MULTI(client, id, number, ops)                                                             \
    AT client " call id=" id " number=" number " multi=1 " ops "\n"
#define RETURN(client, id, code, zxid) AT client " return id=" id " code=" code " zxid=" zxid "\n"
#define READ(client, id, zxid, rest)   AT client " return id=" id " code=0 zxid=" zxid " " rest "\n"
#define UNKNOWN(client, id)            AT client " unknown id=" id "\n"
#define FIRED(client, watch, type, path, zxid)                                                     \
    AT client " fired watch=" watch " type=" type " path=" path " zxid=" zxid "\n"
#define ATTACHED(client, server) AT client " attached server=" server "\n"

/* Of the log. */
#define LOG_WRITE(zxid, session, number, op)                                                       \
    AT "c0 entry zxid=" zxid " stamp=10 what=write session=" session " number=" number             \
       " incarnation=1 multi=0 " op "\n"
#define LOG_MULTI(zxid, session, number, ops)                                                      \
    AT "c0 entry zxid=" zxid " stamp=10 what=write session=" session " number=" number             \
       " incarnation=1 multi=1 " ops "\n"
/* Its client is by its connection ip:10.0.0.NONCE. */
#define LOG_SESSION(zxid, nonce)                                                                   \
    AT "c0 entry zxid=" zxid " stamp=10 what=session attach=1 incarnation=1 server=1 nonce="       \
       "000000000000000000000000000000" nonce " origin=ip:10.0.0." nonce " password="              \
       "000000000000000000000000000000" nonce "\n"
#define LOG_ATTACH(zxid, session, attach)                                                          \
    AT "c0 entry zxid=" zxid " stamp=10 what=attach session=" session " attach=" attach            \
       " incarnation=1 server=2 nonce=00000000000000000000000000000000\n"
#define LOG_CLOSE(zxid, session, attach)                                                           \
    AT "c0 entry zxid=" zxid " stamp=10 what=close session=" session " attach=" attach             \
       " incarnation=1 killed=0\n"
#define LOG_LAPSE(stamp, zxid, items)                                                              \
    stamp " c0 entry zxid=" zxid " stamp=" stamp " what=lapse " items "\n"
#define SETTLED AT "c0 settled\n"

/* A write that is asked for, logged and answered, without its result. */
#define WRITTEN(client, session, id, number, zxid, op)                                             \
    CALL (client, id, number, op)                                                                  \
    LOG_WRITE (zxid, session, number, op) RETURN (client, id, "0", zxid)

/* Clients 1 and 2 have sessions 1 and 2, made at zxids 1 and 2. */
#define TWO_CLIENTS                                                                                \
    AT "c1 session session=1 timeout=1000 grace=1000\n" AT "c1 attached server=1\n" AT             \
       "c2 session session=2 timeout=1000 grace=1000\n" AT                                         \
       "c2 attached server=2\n" LOG_SESSION ("1", "01") LOG_SESSION ("2", "02")

/* A history in pieces, NULL behind the last: it is in order; or it is up to its last event, and
 * that one, or the search in the end, breaks this rule. */
void expect_good (const char *const *pieces);
void expect_broken (const char *rule, const char *const *pieces);

#define GOOD(...)         expect_good ((const char *const[]){__VA_ARGS__, NULL})
#define BROKEN(rule, ...) expect_broken (rule, (const char *const[]){__VA_ARGS__, NULL})

#endif

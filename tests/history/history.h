/* What clients have asked for and been told, and what the ensemble has logged: a history.
 *
 * A history is a sequence of events in the order in which they happened, as seen by one recorder:
 * an event that is recorded before another did not happen after it. It comes from simulated or from
 * real clients; nothing here knows which. check.h judges it, text.c writes and reads it as lines.
 *
 *      a client    one process's part of one session, from its beginning to its end; another
 * session is another client, and so is a process that goes on with the session of one before a call
 * what a client has asked for, until it is told the result, or that nobody knows the log     what
 * the ensemble has agreed on, in order; the only thing here that is not seen by clients. It may be
 * left out: then what clients are told has to do.
 *
 * Plain data; what pointers lead to lives as long as whoever hands out the event says.
 * May include: cohort/types.h, client/base. */

#ifndef TESTS_HISTORY_HISTORY_H
#define TESTS_HISTORY_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cohort/types.h"

/* ---- Values ---------------------------------------------------------------------------------- */

enum { HISTORY_VALUE_SIZE = 65 };

/* Data as text: itself if it is short, printable and does not begin with '#'; else its size and
 * hash. Equal data give equal texts. Returns `text`. */
const char *history_value (const void *data, size_t size, char text[HISTORY_VALUE_SIZE]);

enum { HISTORY_STAT_SIZE = 320 };

/* All fields of a stat as text, separated by '/'. Returns `text`. */
const char *history_stat (const cohort_stat_t *stat, char text[HISTORY_STAT_SIZE]);

/* ---- What is asked for, and logged ----------------------------------------------------------- */

enum history_op_kind {
    HISTORY_CREATE = 1,
    HISTORY_DELETE,
    HISTORY_SET,
    HISTORY_CHECK,
    HISTORY_CHECK_CZXID,
    HISTORY_CHECK_OWNER,
    HISTORY_CHECK_ABSENT,
    HISTORY_ADD,
    HISTORY_DELETE_TREE,
    HISTORY_CLOSE, /* of the own session */
    HISTORY_KILL,  /* of any session, by an administrator; never in a multi */
    HISTORY_SET_ACL,
    HISTORY_SET_ADMINS,        /* alone, by an administrator */
    HISTORY_ADD_AUTH,          /* alone: the own session has proven to be somebody */
    HISTORY_HAND_OVER,         /* of all ephemerals of the own session to another */
    HISTORY_DELETE_IF_PRESENT, /* that there is no such znode is no error */
    HISTORY_REJECT,            /* in the log only: a write that was refused, with `code`; */
    HISTORY_LAPSED, /* and a znode that goes by itself if its time is over and its czxid is zxid */
    HISTORY_OTHER,  /* that changes nothing of the tree, and succeeds */
    HISTORY_EXISTS, /* from here on: reads */
    HISTORY_GET,
    HISTORY_CHILDREN,
    HISTORY_SYNC,
    HISTORY_COUNT,
    HISTORY_EPHEMERALS, /* the paths of a session's, by age: its own, or for administrators any */
    HISTORY_UNWATCH,    /* one-shot watches are taken back, or (check) only looked for */
    HISTORY_WHOAMI,     /* who the client is taken for */
    HISTORY_PAGE,       /* some of the children, and where to go on */
    HISTORY_GET_ACL,
    HISTORY_GET_ADMINS,
    HISTORY_SESSIONS /* who there is, by their ids: for administrators, if there are any */
};

/* Identities and access control lists are texts, their parts separated by commas: SCHEME:ID of who
 * somebody is, SCHEME:ID:PERMISSIONS of whom a list means, the permissions being some of "rwcda"
 * (docs/acl.md). "": nobody; or no list of its own, which is open to all. */

/* UNWATCH: of which kinds, or both; the numbers are client.proto's WatcherType. */
enum { HISTORY_WATCHER_CHILDREN = 1, HISTORY_WATCHER_DATA = 2 };

/* PAGE: in which order, with data and stats or not, and of which children. */
enum {
    HISTORY_PAGE_DESCENDING = 1,
    HISTORY_PAGE_DATA = 2,
    HISTORY_PAGE_PERSISTENT = 4,
    HISTORY_PAGE_EPHEMERAL = 8,
    HISTORY_PAGE_STAT = 16
};

/* SESSIONS: what becomes of a session; the numbers are client.proto's SessionState. */
enum { HISTORY_LIVES, HISTORY_KILLED, HISTORY_ENDS };

struct history_op {
    enum history_op_kind kind;
    const char *path;  /* "" where there is none */
    const char *value; /* CREATE, SET: history_value; EPHEMERALS, PAGE: prefix; HAND_OVER:
                          the token, hexadecimal; ADD_AUTH: who; else "" */
    const char *after; /* PAGE: the name that it comes behind, EPHEMERALS:
                          the place; or ""; NULL is "", too */
    const char *acl;   /* CREATE, SET_ACL, SET_ADMINS: a list, or ""; NULL is "", too */
    bool inherited;    /* SET_ACL, GET_ACL: the default of what is created below */
    uint32_t mode;     /* CREATE: COHORT_EPHEMERAL ...; UNWATCH: HISTORY_WATCHER_...; PAGE:
                          HISTORY_PAGE_... */
    bool if_absent;    /* CREATE: what is there already is no error */
    int64_t ttl_ms;    /* CREATE */
    int32_t version;   /* DELETE, DELETE_TREE, SET, CHECK; SET_ACL: aversion */
    uint32_t limit;    /* DELETE_TREE; EPHEMERALS, PAGE, SESSIONS: of them, 0: none */
    int64_t delta, floor, ceiling; /* ADD */
    uint64_t zxid;                 /* CHECK_CZXID, LAPSED: czxid, CHECK_OWNER: ozxid */
    uint64_t session;              /* CHECK_OWNER, KILL; HAND_OVER: to whom; EPHEMERALS: whose, 0:
                                      one's own; SESSIONS: behind it */
    int32_t code;                  /* REJECT */
    bool watch;                    /* reads: a one-shot watch is set with it */
    bool check;                    /* UNWATCH */
    bool linearizable;             /* reads: of a state that is current after the call */
};

bool history_is_write (enum history_op_kind kind);

/* What a call asks for: several operations are a multi, of writes and conditions, or of reads of
 * one state. */
struct history_call {
    uint64_t id;     /* of the call: never used twice in a history */
    uint64_t number; /* of a write: 1, 2, 3 ... in each session; 0: a read */
    bool multi;
    const struct history_op *ops;
    size_t count;
};

/* Of one operation of a write, or of several reads. */
struct history_result {
    int32_t code;
    const char *path;            /* CREATE; or NULL */
    const cohort_stat_t *stat;   /* CREATE, SET, ADD, SET_ACL, reads; or NULL */
    int64_t value;               /* ADD: the sum; DELETE_TREE, COUNT, HAND_OVER: how many; else 0 */
    bool existed;                /* CREATE if absent, KILL: it was there */
    const char *data;            /* GET; or NULL */
    const char *const *children; /* CHILDREN: sorted */
    size_t children_count;
};

struct history_return {
    uint64_t id; /* of the call */
    int32_t code;
    uint64_t zxid;                    /* of the write; of the state that a read has seen */
    const struct history_result *ops; /* of a write, or several reads: one for each operation */
    size_t ops_count;                 /* 0 also if nothing but the code is known */
    const cohort_stat_t *stat;        /* of a read; or NULL */
    const char *value;           /* GET; WHOAMI: identities; GET_ACL, GET_ADMINS: a list; or NULL */
    const char *const *children; /* CHILDREN: sorted; EPHEMERALS: by age; PAGE: in its order,
                                    with stats NAME@history_stat, with data behind that
                                    /history_value, or /? if it is hidden; SESSIONS:
                                    ID/EPHEMERALS/INCARNATION/STATE, of HISTORY_LIVES ... */
    size_t children_count;
    int64_t below; /* COUNT; PAGE, SESSIONS: whether there is more behind it */
};

enum history_entry_kind {
    HISTORY_ENTRY_SESSION = 1, /* a new session, named by its nonce; or the nonce again */
    HISTORY_ENTRY_ATTACH,
    HISTORY_ENTRY_CLOSE, /* conditional on attach_no and incarnation, unless killed */
    HISTORY_ENTRY_REAP,
    HISTORY_ENTRY_WRITE,
    HISTORY_ENTRY_LAPSE,  /* its operations are LAPSED */
    HISTORY_ENTRY_FOUND,  /* the first of all: its operations CREATE what there is from then on */
    HISTORY_ENTRY_ADMINS, /* by the leader: who the administrators are, if there are none */
    HISTORY_ENTRY_REPLACE_ADMINS, /* whoever they were */
    HISTORY_ENTRY_OTHER           /* changes nothing that clients see */
};

struct history_entry {
    uint64_t zxid;
    int64_t stamp_ms;
    enum history_entry_kind kind;
    uint64_t session, attach_no, number;
    uint32_t incarnation, server;
    const char *admins; /* FOUND, ADMINS: a list; NULL or "": nobody */
    const char
        *origin; /* SESSION, ATTACH: who its client is by its connection; NULL or "": nobody */
    uint8_t password[16]; /* SESSION, ATTACH: the first bytes of the SHA-256 of its password */
    bool killed;          /* CLOSE: by somebody else's wish; */
    bool silent;          /* for its client was not heard for its timeout */
    uint8_t nonce[16];    /* SESSION, ATTACH */
    bool multi;           /* WRITE; and LAPSE and FOUND have */
    const struct history_op *ops;
    size_t count;
};

/* ---- What clients are told unasked ----------------------------------------------------------- */

/* The numbers are those of client.proto's WatchKind. */
enum history_watch_kind {
    HISTORY_WATCH_DATA = 1, /* set by a GET that succeeds */
    HISTORY_WATCH_EXISTS,   /* by an EXISTS, also of what does not exist */
    HISTORY_WATCH_CHILDREN  /* by a CHILDREN that succeeds */
};

struct history_fired {
    enum history_watch_kind kind;
    cohort_event_type_t type; /* also COHORT_EVENT_DATA_WATCH_REMOVED ...: by its own UNWATCH */
    const char *path;
    uint64_t zxid;
};

/* The numbers are those of cohort_change_kind_t. */
enum history_change_kind {
    HISTORY_CREATED = 1,
    HISTORY_DELETED = 2,
    HISTORY_DATA = 3,
    HISTORY_ACL = 40,
    HISTORY_OWNER = 80 /* of no path: all ephemerals of `from` are another's */
};

struct history_change {
    enum history_change_kind kind;
    const char *path;
    const char *value;         /* CREATED, DATA, ACL */
    const cohort_stat_t *stat; /* likewise; OWNER: whose they are, and since when */
    uint64_t from;             /* OWNER */
    bool hidden;               /* without data, which its client may not read */
};

/* What a stream is to tell; the numbers are COHORT_STREAM_..., and WATCH is a persistent watch:
 * with SHALLOW one of a znode and the list of its children, else a recursive one. */
enum {
    HISTORY_STREAM_NO_SNAPSHOT = 1,
    HISTORY_STREAM_NO_DATA = 2,
    HISTORY_STREAM_SHALLOW = 4,
    HISTORY_STREAM_PROGRESS = 8,
    HISTORY_STREAM_WATCH = 16,
    HISTORY_STREAM_LATEST = 64
};

/* A stream of the subtree at `path`. One that was not opened has no flags. */
struct history_stream {
    uint64_t id; /* of this client, never used twice */
    const char *path;
    uint32_t flags;
    uint64_t from_zxid;
};

/* What a persistent watch tells: as cohort_event_t. */
struct history_told {
    uint64_t stream;
    cohort_event_type_t type;
    const char *path;
    uint64_t zxid;
};

/* Of a stream of the subtree at `path`: as cohort_batch_t. */
struct history_batch {
    uint64_t stream; /* its id, of this client */
    const char *path;
    bool snapshot, first, more, reset;
    uint64_t zxid;
    const struct history_change *changes;
    size_t count;
};

/* ---- Events ---------------------------------------------------------------------------------- */

enum history_kind {
    HISTORY_SESSION = 1, /* the client has a session: id, limits */
    HISTORY_ATTACHED,    /* and is served by this server from now on */
    HISTORY_VALID,       /* it knows its session to live until until_ms */
    HISTORY_LOST,        /* it was told that its session has ended; nothing further from it */
    HISTORY_GONE,        /* its process has ended, or is silent for ever */
    HISTORY_CALL,
    HISTORY_RETURN,
    HISTORY_UNKNOWN, /* nobody knows what became of the call */
    HISTORY_FIRED,   /* a one-shot watch reports */
    HISTORY_BATCH,
    HISTORY_OPENED,  /* a stream, or a persistent watch, is asked for, */
    HISTORY_CLOSED,  /* and not wanted any more, or at its end */
    HISTORY_REFUSED, /* or not granted: what it is of may not be read */
    HISTORY_TOLD,    /* a persistent watch reports */
    HISTORY_SERVED,  /* it is connected, and neither its server nor what is between is disturbed, */
    HISTORY_UNSERVED, /* and from now on perhaps not */
    HISTORY_SEEN,     /* it has been told all that its watches and streams had to tell up to zxid */
    HISTORY_ENTRY,    /* the next of the log; client 0, as in all that follow */
    HISTORY_LED,      /* from now on a leader with a quorum leads undisturbed: of `epoch`, or 0 */
    HISTORY_UNLED,    /* from now on perhaps not */
    HISTORY_ENDED,    /* a server sees the connection of an attach end */
    HISTORY_FORGOT,   /* a server has died, or is cut off: nobody hears of it what it has seen, */
    HISTORY_HEARD,    /* and from now on they do hear of it what it sees */
    HISTORY_CALM,     /* nothing is disturbed any more, and the servers follow one leader; */
    HISTORY_UNCALM,   /* from now on that may be otherwise */
    HISTORY_STALLED,  /* the leader of an epoch has stood still and goes on now */
    HISTORY_BLIND,    /* the first of all: servers are real ones, and what they do is not seen */
    HISTORY_SETTLED   /* everything that was asked for has been answered, and who is still there has
                         been told everything */
};

struct history_session {
    uint64_t id;
    uint32_t timeout_ms, grace_ms;
    uint32_t incarnation; /* 1, or which of the processes that have had the session */
};

struct history_stall {
    uint32_t epoch; /* its zxids', if it ends sessions from now on */
    int64_t from_ms;
};

/* Of the client's attach with this number. */
struct history_ended {
    uint32_t client, server;
    uint64_t attach_no;
};

struct history_event {
    enum history_kind kind;
    int64_t time_ms;
    uint32_t client; /* from 1 on; 0: none */
    union {
        struct history_session session; /* SESSION */
        uint32_t server;                /* ATTACHED, FORGOT, HEARD */
        uint32_t epoch;                 /* LED */
        struct history_ended ended;
        int64_t until_ms; /* VALID */
        uint64_t zxid;    /* SEEN */
        uint64_t id;      /* UNKNOWN: of the call; CLOSED, REFUSED: of the stream */
        struct history_call call;
        struct history_return result; /* RETURN */
        struct history_fired fired;
        struct history_batch batch;
        struct history_stream opened;
        struct history_told told;
        struct history_entry entry;
        struct history_stall stalled;
    } u;
};

#endif

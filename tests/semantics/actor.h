/* A client of an embedded server that does what a few words say, and says in words what came of it.
 *
 * Operations, one line each:
 *
 *      create PATH [DATA] [-e] [-s] [-c] [-i] [-t MS]
 *          ephemeral, sequential, container, if absent, time to live
 *      delete PATH [VERSION], trydelete PATH [VERSION]: if it is there
 *      set PATH DATA [VERSION]
 *      add PATH DELTA [FLOOR CEILING]
 *      deltree PATH [LIMIT [VERSION]]
 *      exists PATH, get PATH, children PATH, count PATH, sync; lexists, lget, lcount: linearizable
 *      list PATH [stat] [data] [descending] [persistent] [ephemeral] [limit=N] [after=NAME]
 *           [prefix=TEXT]
 *      ephemerals [of=me|other|nobody] [prefix=TEXT] [limit=N]
 *      reads exists PATH , get PATH , children PATH , count PATH
 *      unwatch PATH data|children|any, checkwatch PATH data|children|any
 *      give [bad|nobody|self]             all ephemerals to the other session
 *      whoami, sessions [limit=N], kill [other|nobody], admins, setadmins LIST
 *      multi OPERATION , OPERATION ...                   of create ... deltree, and
 *            check PATH VERSION, absent PATH, czxid PATH same|other, owner PATH me|other
 *
 *      addauth USER PASSWORD, setacl PATH LIST [VERSION], default PATH LIST, getacl PATH,
 *      getdefault PATH, and create ... -a LIST; a list is world:anyone:r,auth::cdrwa, or - for none
 *
 * In words {x*5} is xxxxx, "" is nothing, \xNN a byte. One thread; a failure of the test's own ends
 * the program. May include: cohort/client.h. */

#ifndef TESTS_SEMANTICS_ACTOR_H
#define TESTS_SEMANTICS_ACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cohort/acl.h"
#include "cohort/client.h"

enum { ACTOR_WATCHES_MAX = 8, ACTOR_WORDS_MAX = 48, ACTOR_TEXT_MAX = 4096, ACTOR_LIMIT_MS = 20000 };

struct actor_watch {
    struct actor *actor;
    char kind[16];
    bool whole; /* a stream: its snapshot is */
};

struct actor {
    cohort_t *client;
    struct actor *other; /* the other session's; NULL: there is none */
    cohort_stream_t *streams[ACTOR_WATCHES_MAX];
    struct actor_watch watches[ACTOR_WATCHES_MAX];
    size_t watches_count;
    char events[ACTOR_TEXT_MAX]; /* "get:/a:CHANGED children:/a:CHILDREN" */
};

/* What came of an operation; texts are cut to their room. */
struct outcome {
    int rc;
    uint64_t zxid;
    bool has_stat, done;
    cohort_stat_t stat;
    int64_t value;
    int existed;
    char path[ACTOR_TEXT_MAX], data[ACTOR_TEXT_MAX], next[ACTOR_TEXT_MAX];
    char children[ACTOR_TEXT_MAX]; /* "a,b": of a list with name=data/version, as asked for */
    char ops[ACTOR_TEXT_MAX];      /* of a multi: "OK,ROLLEDBACK" */
    char who[ACTOR_TEXT_MAX];      /* "world:anyone,digest:..." */
    char acl[ACTOR_TEXT_MAX];      /* "world:anyone:r,auth::cdrwa"; "-": none */
};

/* timeout_ms: of the session. */
void actor_start (struct actor *self, cohort_loop_t *loop, const char *servers, int timeout_ms);
/* Closes the session, or leaves it as a crash does. */
void actor_stop (struct actor *self, bool abandon);

/* Does what the line says, which it changes, and waits for what comes of it. false: that is no
 * operation. */
bool actor_do (struct actor *self, char *line, struct outcome *outcome);

/* Sets a watch: "get", "exists", "children", or "persistent" or "recursive", which stay; or opens a
 * stream (actor_stream.c). */
bool actor_watch (struct actor *self, const char *kind, const char *path);

/* Everything that has happened until now has been told. */
void actor_settle (struct actor *self);

/* Of a word, into text[ACTOR_TEXT_MAX] or more: `room` bytes. */
const char *actor_expand (const char *word, char *text, size_t room);

#endif

/* What the two halves of the member share: member.c, its life and the stream on its znode, and
 * member_steps.c, the requests that lead from one phase to the next.
 * Private. May include: cohort/member.h, recipes' support. */

#ifndef COHORT_RECIPES_MEMBER_PRIVATE_H
#define COHORT_RECIPES_MEMBER_PRIVATE_H

#include "calls.h"
#include "cohort/member.h"
#include "support.h"

/* Sessions of our own that are remembered, the newest ones. */
#define MEMBER_SESSIONS_MAX 8
/* How often in a row the parents are created anew because somebody deletes them meanwhile. */
#define MEMBER_PARENTS_MAX 8

enum member_phase {
    MEMBER_CREATE,
    MEMBER_EXAMINE,
    MEMBER_REPLACE,
    MEMBER_BLOCKED,
    MEMBER_HELD,
    MEMBER_FAILED
};

struct member_request {
    cohort_member_t *member; /* NULL: destroyed, or its session has ended */
    enum member_phase phase; /* in which it was sent */
    size_t parent;           /* CREATE: length of the parent's path, 0: the znode itself */
    uint64_t generation;     /* of the data it carries */
    char *makes;             /* path of the znode, to withdraw it without a member; NULL: none */
};

/* What the stream has shown of the znode. */
struct member_view {
    uint64_t zxid; /* 0: nothing yet */
    bool exists;
    uint64_t czxid;
    uint64_t owner;
    uint64_t ozxid;
};

struct cohort_member {
    cohort_t *client;
    cohort_stream_t *stream;
    char *path;
    char *data;
    size_t size;
    uint64_t generation; /* of data; grows with every update */
    uint64_t stored;     /* generation that the znode carries */
    uint64_t announced;  /* generation of the last UPDATED; the first needs none */
    uint64_t refused;    /* generation that a set was refused for, not to be tried again */
    cohort_member_policy_t policy;

    enum member_phase phase;
    struct member_request *request; /* in flight, or NULL */
    size_t parent;                  /* CREATE: length of the parent's path to be created first */
    unsigned parents_made;
    cohort_stat_t found;  /* EXAMINE found, REPLACE replaces, BLOCKED waits for */
    cohort_token_t token; /* HELD */
    uint64_t session;     /* HELD: the owner */
    int error;            /* FAILED */

    struct member_view view;
    struct member_view staged; /* fragments of a batch so far */
    bool touched;

    uint64_t sessions[MEMBER_SESSIONS_MAX]; /* that were ours before, a ring */
    size_t sessions_count;
    uint64_t lost_session;

    struct recipe_guard guard;
    cohort_member_fn *fn;
    void *arg;
};

/* Runs the handler. False: the member was destroyed by it, or before. */
bool member_report (cohort_member_t *self, cohort_member_event_t event);

/* A write was refused: nothing more is tried. */
void member_fail (cohort_member_t *self, int rc);

/* The session has ended, and with it the request in flight. */
void member_lost (cohort_member_t *self);

/* The znode that was ours is there no more, or is another's now. */
void member_vanished (cohort_member_t *self);

/* Sends what the phase asks for, unless a request is in flight. */
int member_step (cohort_member_t *self);

/* The same after an event, when nobody else would hear of a failure. */
void member_go (cohort_member_t *self);

/* Has the stream shown that the znode is another session's since this one has had it? */
bool member_given_away (const cohort_member_t *self, cohort_token_t token);

/* Has the stream shown that the znode created by czxid is there no more? */
bool member_has_gone (const cohort_member_t *self, uint64_t czxid);

/* Whether this was the session of an earlier registration of ours. */
bool member_owned (const cohort_member_t *self, uint64_t session);

/* Frees what a destroyed member leaves to the last one that uses it. */
void member_free (cohort_member_t *self);

#endif

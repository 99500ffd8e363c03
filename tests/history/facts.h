/* What is known of a history so far: the model of what was logged, and of each client what it has
 * asked for, been told and waits for.
 *
 * An event is first judged (rules.h) by the facts before it, and then becomes one; taking it in
 * judges nothing. Memory that runs out ends the program. May include: history.h, model.h,
 * client/base. */

#ifndef TESTS_HISTORY_FACTS_H
#define TESTS_HISTORY_FACTS_H

#include "tests/history/history.h"
#include "tests/history/model.h"

/* A call without an answer. */
struct fact_call {
    struct map_node node; /* the hash is the id */
    uint64_t id, number;
    uint32_t client;
    bool multi;
    struct history_op *ops; /* copies, behind this structure */
    size_t count;
    uint64_t order; /* of the event that made it */
    int64_t made_ms;
    uint64_t floor; /* the highest zxid that anybody had been told before, */
    uint64_t seen;  /* and its own client */
    /* A read that says so is linearizable, and one right behind a sync of the same client, from the
     * sync on. */
    bool linearizable;
    uint64_t sync_order, sync_floor;
};

/* The connection of an attach has ended, and its server has seen it. */
struct fact_ending {
    uint64_t attach_no;
    uint32_t server;
    int64_t ended_ms;
    bool forgotten; /* nobody else hears of it */
};

/* A session's present attach, and when it was the first time in the log that anybody applied. */
struct fact_attach {
    struct map_node node; /* the hash is the session */
    uint64_t attach_no;
    uint32_t incarnation, server;
    int64_t applied_ms;
    uint64_t zxid;
};

/* A leader, and since when it leads. */
struct fact_term {
    uint32_t epoch;
    int64_t led_ms;
};

/* A one-shot watch that has not fired. */
struct fact_watch {
    enum history_watch_kind kind;
    char *path;
    uint64_t zxid;     /* of the state that it was set in */
    uint64_t attaches; /* of its client, at that time */
    bool removed;      /* it was told to be taken back, and the answer to that is still to come */
};

struct fact_stream {
    uint64_t id;
    char *path;
    uint32_t flags;
    uint64_t order;    /* of the event that opened it */
    uint64_t floor;    /* its client had seen this when it did, */
    uint64_t attaches; /* and had attached so often */
    uint64_t since;    /* its server has looked behind this whether it may be followed */
    /* It goes on behind what its client knows; whether its top may be read its server has asked by
     * `judged`, 0: perhaps not yet. */
    bool resumes;
    uint64_t judged;
    bool whole;  /* there was a snapshot, or none is wanted, and it is complete up to `zxid` */
    bool told;   /* it has told something: its server knows it; */
    bool behind; /* but it was opened behind an old zxid, and the answer to that names a new one */
    uint64_t zxid; /* nothing of it is missing through this */
    size_t change; /* index in the model's changes of the first that has not been told */
    /* A batch in fragments, not complete. */
    bool partial, partial_snapshot;
    uint64_t partial_zxid;
    size_t partial_change;             /* as `change` */
    size_t partial_told;               /* so many changes, of a stream of the latest */
    const struct model_znode **znodes; /* of a snapshot: those told */
    size_t znodes_count, znodes_capacity;
};

/* A heartbeat that was confirmed to its client, which had seen this then. */
struct fact_beat {
    uint64_t seen, order;
    int64_t time_ms;
};

enum { FACT_BEATS = 4 };

struct fact_client {
    struct map_node node; /* the hash is the number */
    uint32_t number;
    struct map_node owner_node; /* by session and incarnation */
    uint64_t session;           /* 0: none yet */
    uint32_t incarnation;
    uint32_t timeout_ms, grace_ms;
    uint32_t server;
    uint64_t attaches;
    uint64_t attach_order; /* of the event that was the newest of them, */
    uint64_t attach_zxid;  /* and of its entry in the log; 0: not known */
    uint64_t read;         /* the highest zxid that a read has shown it which it asked for since */
    uint64_t seen;         /* the highest zxid that it was shown */
    /* By streams: a snapshot overtakes answers that were ready before it, on one connection; what
     * another server shows must not be older. */
    uint64_t streamed;
    uint64_t followed; /* of that the newest change, if it did not come in a snapshot */
    uint64_t written;  /* of its newest answered write */
    int64_t valid_until_ms;
    int64_t heard_ms;    /* 0, or when the newest heartbeat was sent that a quorum has confirmed */
    int64_t answered_ms; /* 0, or when the newest call was made that a server has answered */
    bool served;         /* since served_ms */
    int64_t served_ms;
    struct fact_beat beats[FACT_BEATS]; /* the newest, the n-th at n % FACT_BEATS */
    size_t beats_count;
    struct fact_ending *endings;
    size_t endings_count, endings_capacity;
    uint32_t kept_epoch;   /* whose leader has stood still: it owes the session that time, */
    int64_t kept_until_ms; /* and does not end it for silence before */
    bool gone, lost;
    bool closes; /* it has asked for the end of its session */
    int64_t gone_ms;
    int64_t killed_ms; /* when an administrator has ended its session; 0: nobody has */

    uint64_t *asked; /* hashes of what its writes 1, 2, 3 ... ask for */
    size_t asked_count, asked_capacity;
    bool synced; /* its newest call was a sync: */
    uint64_t sync_order, sync_floor;

    struct fact_watch *watches;
    size_t watches_count, watches_capacity;
    struct fact_stream *streams;
    size_t streams_count, streams_capacity;
};

struct facts {
    struct model model;
    struct map clients, owners, calls, names, attaches;
    struct fact_term *terms;
    size_t terms_count, terms_capacity;
    uint32_t *unheard; /* servers that have died, or are cut off */
    size_t unheard_count, unheard_capacity;
    uint64_t events;
    uint64_t told; /* the highest zxid in any answer */
    bool led;      /* since led_ms a leader with a quorum leads */
    int64_t led_ms;
    bool blind; /* nobody says what servers see, and when entries are logged may be told late */
    bool calm;  /* since calm_ms */
    int64_t calm_ms;
    int64_t now_ms;
    struct model_applied applied; /* by the newest entry */
};

void facts_init (struct facts *self);
void facts_deinit (struct facts *self);

/* Takes the event in. */
void facts_see (struct facts *self, const struct history_event *event);

/* ---- Looking --------------------------------------------------------------------------------- */

/* NULL: unknown. */
const struct fact_client *facts_client (const struct facts *self, uint32_t number);
const struct fact_client *facts_owner (const struct facts *self, uint64_t session,
                                       uint32_t incarnation);
const struct fact_call *facts_call (const struct facts *self, uint64_t id);
const struct fact_stream *facts_stream (const struct fact_client *client, uint64_t id);

/* Of all who have, or had, the session: the next behind this one (NULL: the first); NULL: no more.
 */
const struct fact_client *facts_next_owner (const struct facts *self, uint64_t session,
                                            const struct fact_client *before);

/* Whether its session lives, and it is its process, and not one before or behind it. */
bool facts_has_session (const struct facts *self, const struct fact_client *client);

/* NULL: no server has seen the connection of this attach end. */
const struct fact_ending *facts_ending (const struct fact_client *client, uint64_t attach_no,
                                        uint32_t server);

/* Whether the others hear of this server what it sees. */
bool facts_is_heard (const struct facts *self, uint32_t server);

/* When a heartbeat was sent by which its client knows its session to be valid until then. */
int64_t facts_beat_ms (const struct fact_client *client, int64_t until_ms);

/* When the session's present attach was applied for the first time; 0: not known. */
int64_t facts_attached_ms (const struct facts *self, uint64_t session);

/* Whether the log has it attach anew behind this zxid, or says nothing of it. */
bool facts_attaches_behind (const struct facts *self, uint64_t session, uint64_t zxid);

/* Of its entry, if it is one to this server; 0: not known. */
uint64_t facts_attached_zxid (const struct facts *self, uint64_t session, uint32_t server);

/* Since when the leader of this epoch leads; -1: not known. */
int64_t facts_led_ms (const struct facts *self, uint32_t epoch);

/* A sequential create was answered with this path before. */
bool facts_has_name (const struct facts *self, const char *path);

/* Whether it asks for what was there. */
bool fact_is_read (const struct fact_call *call);

/* Of what a write asks for. */
uint64_t history_ops_hash (bool multi, const struct history_op *ops, size_t count);

/* Whether the answer sets the watch that the call asks for, and of which kind. */
bool fact_sets_watch (const struct fact_call *call, const struct history_return *result,
                      enum history_watch_kind *kind);

/* Whether the operation takes back, or looks for, this watch. */
bool fact_unwatches (const struct history_op *op, const struct fact_watch *watch);

/* Whether such an event says that a watch was taken back. */
bool fact_is_removal (cohort_event_type_t type);

/* Who a client is, by the connections of its process; and who was an administrator then. */
struct model_who facts_who (const struct facts *self, const struct fact_client *client,
                            uint64_t zxid);

/* The first change behind zxid that a watch of this kind reports to this client (NULL: to somebody
 * who may hear of everything), and as what; NULL: none so far. */
const struct model_version *fact_first_event (const struct facts *self,
                                              const struct fact_client *client,
                                              enum history_watch_kind kind, const char *path,
                                              uint64_t zxid, cohort_event_type_t *type);

/* ---- facts_sight.c: who may see what --------------------------------------------------------- */

/* Whether the client was refused to look at the path: to know whether there is anything, or (whole)
 * to read it. */
bool facts_denied (const struct facts *self, const struct fact_client *client, const char *path,
                   bool whole, uint64_t zxid);

/* Whether that was so, or (denied is false) was not so, in any state since that one. */
bool facts_ever (const struct facts *self, const struct fact_client *client, const char *path,
                 bool whole, uint64_t since, bool denied);

/* Whether somebody may hear at once of what has made the version of the znode. */
bool fact_may_hear (struct model_who who, const struct model_znode *znode,
                    const struct model_version *version);

/* What may become of a change for a stream: it is told; is not; or the stream begins anew in its
 * place. Several, where it is not known who its client was taken for when, or what was told late.
 */
enum { FACT_TOLD = 1, FACT_PASSED = 2, FACT_TURNED = 4 };
unsigned fact_fate (const struct facts *self, const struct fact_client *client,
                    const struct fact_stream *stream, size_t change);

/* As much as may be told of a change before the client's present attach: 0 nothing, 1 that it was,
 * 2 all; for it was read behind that. */
int fact_sight_of_late (const struct facts *self, const struct fact_client *client,
                        const struct model_change *change);

/* How many znodes a snapshot has; since: whoever the client has been since then counts. */
struct fact_extent {
    uint64_t least, most;
};
struct fact_extent fact_extent (const struct facts *self, const struct fact_client *client,
                                const char *path, uint64_t since, uint64_t zxid);

/* ---- facts_streams.c: what streams have yet to tell ------------------------------------------ */

/* Of the model's changes from this one on, the first that the stream may tell, or begin anew for;
 * changes_count: none so far. */
size_t fact_next_change (const struct facts *self, const struct fact_client *client,
                         const struct fact_stream *stream, size_t change);

/* Likewise the first that cannot have been passed over, through this zxid. */
size_t fact_due_change (const struct facts *self, const struct fact_client *client,
                        const struct fact_stream *stream, size_t change, uint64_t zxid);

/* Likewise the one that is told as of this znode (NULL: a hand-over) at the zxid; or the first that
 * should have been told before. */
size_t fact_told_change (const struct facts *self, const struct fact_client *client,
                         const struct fact_stream *stream, size_t change, uint64_t zxid,
                         const char *path);

/* Likewise of a persistent watch; and whether it is that one. */
size_t fact_told_event (const struct facts *self, const struct fact_client *client,
                        const struct fact_stream *stream, const struct history_told *told);
bool fact_is_told (const struct facts *self, const struct fact_client *client,
                   const struct fact_stream *stream, size_t change,
                   const struct history_told *told);

/* Whether any of these, through the zxid, is one of that znode that may be told. */
bool fact_may_be_told (const struct facts *self, const struct fact_client *client,
                       const struct fact_stream *stream, size_t change, uint64_t zxid,
                       const char *path);

/* Where what a stream has to tell at the zxid begins: at that, if it is not known where it does
 * itself. */
size_t fact_first_change (const struct facts *self, const struct fact_stream *stream,
                          uint64_t zxid);

#endif

/*
 * server/node/digests.h - whether the states of the servers are equal, and who is wrong if not
 *
 * Equal zxids must mean equal states.  Several times in a peer timeout the leader names a zxid that
 * it has applied; whoever follows it tells it the digest of its own state at just that zxid, as
 * soon as it gets there.  When all have told, or have had time to, these reports are a round: the
 * leader sends it to everybody, together with its next question, and each server judges it for
 * itself, the leader like the others:
 *
 *    SOUND      nobody has told anything else than I, or a quorum of the voters bears me out;
 *    WRONG      a quorum of the voters has told one digest, each as a witness, and I another;
 *    CONTESTED  they differ, and none has a quorum.  Nobody knows who is wrong.
 *
 * It makes no difference who leads.  docs/zab.md, section 14, has the reasons, and what follows
 * from a verdict.
 *
 * Reports also say who writes a snapshot of that state, or is about to: one after the other
 * (checkpoint.h).
 *
 * Pure: no I/O; time comes in.
 */
#ifndef SERVER_NODE_DIGESTS_H
#define SERVER_NODE_DIGESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/config.h"
#include "server/core/zxid.h"

enum {
    DIGESTS_STRIDE = 64, /* of every so many zxids the digest is noted, whether asked for or not */
    DIGESTS_PAST = 4096  /* zxids back it is known */
};

/* What a server does about a snapshot of its own state. */
enum digests_snapshot { DIGESTS_NONE = 0, DIGESTS_DUE, DIGESTS_AT_IT };

/* witness: the server has made this state by itself, from its own log.  One that has taken over the
 * snapshot of another, an heir, says what that one would say, until its state is proven, also after
 * a restart. */
struct digests_report {
    uint32_t server;
    bool witness;
    uint64_t digest;
    enum digests_snapshot snapshot;
};

/* What servers have told of one zxid, each once. */
struct digests_round {
    zxid_t zxid; /* 0: there is none */
    size_t count;
    struct digests_report reports[CONFIG_MEMBERS_MAX];
};

/* Private, but for reading. */
struct digests {
    struct digests_past {
        zxid_t zxid;
        uint64_t digest;
    } * past;                   /* each zxid has its place */
    zxid_t asked;               /* following: what has not been answered; 0: nothing */
    struct digests_round round; /* leading: what was asked last */
    int64_t asked_ms;
};

/* false: out of memory. */
bool digests_init (struct digests *self);
void digests_deinit (struct digests *self);

/* ---- This server's own ------------------------------------------------------------------- */

/* Whether the digest behind this entry, which was applied just now, is to be noted: to make one
 * costs too much to do it for each. */
bool digests_wants (const struct digests *self, zxid_t zxid);
void digests_note (struct digests *self, zxid_t zxid, uint64_t digest);

/* The state is another than before, or of no use: nothing is known of its past. */
void digests_forget (struct digests *self);

/* false: this server has not been there, or it is too long ago. */
bool digests_find (const struct digests *self, zxid_t zxid, uint64_t *digest);

/* ---- Following --------------------------------------------------------------------------- */

/* The leader asks; earlier questions need no answer any more. */
void digests_ask (struct digests *self, zxid_t zxid);

/* What is to be told to the leader now, once. */
bool digests_answer (struct digests *self, zxid_t applied, uint64_t *digest, zxid_t *zxid);

/* ---- Leading ----------------------------------------------------------------------------- */

/* What to ask for, given that `applied` is noted: where many entries come, the last of a stride,
 * for who is ahead of the leader has noted it, too; else just this. */
zxid_t digests_choose (const struct digests *self, zxid_t applied);

/* Begins a round with this server's own report, whose digest is found here; zxid is among those
 * noted. */
void digests_begin (struct digests *self, const struct digests_report *mine, zxid_t zxid,
                    int64_t now_ms);

/* What a server has told; of another zxid than that of the round: ignored. */
void digests_told (struct digests *self, zxid_t zxid, const struct digests_report *report);

/* Whether a server has told its digest in this round. */
bool digests_has (const struct digests_round *round, uint32_t server);

/* No leader any more, or another: whatever was asked needs no answer. */
void digests_end (struct digests *self);

/* ---- Judgement --------------------------------------------------------------------------- */

/* false: it is there already, or there are too many. */
bool digests_add (struct digests_round *round, const struct digests_report *report);

enum digests_verdict {
    DIGESTS_UNHEARD = 0, /* this server is not among those that have told */
    DIGESTS_SOUND,
    DIGESTS_CONTESTED,
    DIGESTS_WRONG
};

struct digests_finding {
    enum digests_verdict verdict; /* of the server that was asked for */
    bool differ;                  /* not all have told the same */
    bool quorum;                  /* a quorum of the voters bears witness to one digest: */
    uint64_t right;
    uint64_t mine; /* unless UNHEARD */
    bool borne;    /* SOUND, and a quorum of the voters, heirs among them, has told the same as I */
    bool proven;   /* ... and nobody can come back who knows better: they are witnesses, or all */
};

void digests_judge (const struct digests_round *round, const struct config_set *configs,
                    uint32_t id, struct digests_finding *finding);

/* Whether it is this server's turn: its snapshot is due, as all others know, and without those that
 * are at it, or that are due and have a lower id, a quorum is left of servers that have told and
 * are not busy with that; or there are none of those; or it is an observer.  Who has told nothing
 * is perhaps not there, and no quorum can count on him. */
bool digests_turn (const struct digests_round *round, const struct config_set *configs,
                   uint32_t id);

/* Who agrees with whom, as a number: equal as long as that does not change; 0: all agree. */
uint64_t digests_pattern (const struct digests_round *round);

#endif

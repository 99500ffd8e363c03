/* A place in a line of contenders: what lock, multi-lock, semaphore and election stand on.
 *
 * The line is a container. Each contender is an ephemeral sequential child of it; the numbers in
 * the names are the order. Nobody can come in front of one who is in the line, so whom it waits for
 * only becomes fewer: to look at an older state errs on the side of waiting.
 *
 *   OUT -> JOINING: one transaction creates the container, with those above it, and our znode in
 *    ^        |     it; the questions for who is first in the line are sent right behind it, so
 * that |        |     an uncontended place costs one round trip, also where nothing was before | v
 *    |     LOOKING <-> WAITING: a stream on the nearest one that is in our way, with data
 *    |        |           |
 *    |        v           v
 *    +------ HELD <-------+
 *
 * From the creation on a second stream follows our own znode, and with it the session: if either
 * goes, the owner hears LINE_ENDED, while it waits too. One who had to wait records in its znode
 * that it waits no more; the one behind learns from that that nobody else is ahead, and needs no
 * look when this one leaves.
 *
 * A semaphore (line_permits.c) is a line in which several hold: whoever, together with all who are
 * ahead, wants no more than there are permits. The first who waits follows the holders; everybody
 * behind follows the one ahead, until that holds or goes. What a hand-over costs depends on the
 * number of permits, not on how many wait.
 *
 * To leave the line is a write with a number, conditional on the znode being ours: it cannot be
 * lost while the session lives. If our znode's name is not known yet, it is sent when the answer
 * to the creation comes.
 *
 * line.c has its life and its record, line_join.c how it is taken and given up, line_look.c who is
 * ahead, line_watch.c what is seen of that one, line_grant.c when it is HELD, line_permits.c the
 * line of a semaphore.
 *
 * Private. May include: the client's public headers, recipes' calls, record and support. */

#ifndef COHORT_RECIPES_LINE_H
#define COHORT_RECIPES_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "calls.h"
#include "cohort/client.h"
#include "record.h"
#include "support.h"

/* The longest name of a contender: prefix and number. */
#define LINE_NAME_SIZE 40

/* Whom a contender waits for: an exclusive one for everybody ahead, a shared one for the exclusive
 * ones that were not downgraded. One who wants permits has nothing to do with these two. */
enum line_kind { LINE_EXCLUSIVE, LINE_SHARED, LINE_PERMITS, LINE_KINDS };

enum line_phase { LINE_OUT, LINE_JOINING, LINE_LOOKING, LINE_WAITING, LINE_HELD };

enum line_news {
    LINE_GRANTED, /* it is our turn: HELD */
    LINE_BEHIND,  /* somebody is in the way; the first time only */
    LINE_ENDED,   /* OUT, against our will. rc COHORT_ESESSIONEXPIRED; COHORT_ENONODE: our znode was
                     deleted by somebody, or handed over; or what was refused */
    LINE_STORED   /* our record was written, or (rc) refused */
};

struct line;
struct line_owner;
struct line_join;
struct line_look;
struct line_permits;
struct line_write;

/* What is seen of the one ahead has changed. It must not touch the line. */
typedef void line_ahead_fn (struct line *line);

typedef void line_fn (struct line_owner *owner, struct line *line, enum line_news news, int rc);

/* Embedded in each object that has lines. */
struct line_owner {
    struct recipe_guard guard;
    line_fn *fn; /* may leave, join anew, and destroy the owner */
    void (*free) (struct line_owner *self);
};

/* What a stream has shown of a znode. */
struct line_view {
    bool seen;
    bool exists;
    uint64_t czxid;
    uint64_t owner;
    uint64_t ozxid;
    uint64_t mzxid;
    int32_t version;
    struct record record; /* without payload */
};

struct line_watch {
    cohort_stream_t *stream;
    struct line_view view;
    struct line_view staged; /* fragments so far */
};

struct line {
    struct line_owner *owner;
    cohort_t *client;
    const char *path; /* of the container; borrowed */
    enum line_kind kind;
    enum line_phase phase;
    line_ahead_fn
        *ahead_fn; /* of a lease, whose owner records itself that it was granted, else NULL */

    struct line_join *join; /* on its way, or NULL */
    struct line_look *look;
    struct line_permits *permits; /* LINE_PERMITS alone, else NULL; owned */
    struct line_write *write;
    struct recipe_calls asked; /* whether the session lives, before it is HELD */
    int64_t asked_ms;          /* of the client's clock */
    int64_t answer_age_max;    /* in ms: what is older does not say enough */
    size_t given; /* so many of the containers on the way, from the first one on, are not created:
                     that was refused, and they may be there */

    char *node; /* our znode's path; NULL: none, or not known yet */
    uint64_t number;
    cohort_token_t token;
    uint64_t session;
    struct line_watch own;

    bool first_known; /* who was the first one in our way */
    uint64_t first_number;
    enum line_kind ahead_kind; /* of whom we wait for */
    uint64_t ahead_number;
    bool ahead_first; /* nobody in our way is ahead of it */
    bool behind;      /* LINE_BEHIND was told */
    bool followed;    /* LINE_PERMITS: when it was granted somebody stood behind */
    struct line_watch ahead;

    struct record record; /* the payload is owned */
    uint64_t generation;  /* of record */
    uint64_t stored;      /* that the znode carries */
};

void line_init (struct line *self, struct line_owner *owner, cohort_t *client, const char *path,
                enum line_kind kind);

/* The same for a semaphore of so many permits. COHORT_ENOMEM: as line_init. */
int line_init_permits (struct line *self, struct line_owner *owner, cohort_t *client,
                       const char *path, int64_t permits);

/* Leaves the line, as far as memory allows, and frees what it has. */
void line_deinit (struct line *self);

/* OUT only: replaces the application's bytes that the next znode carries. COHORT_ENOMEM. */
int line_set_payload (struct line *self, const void *data, size_t size);

/* All of these lines, which are OUT and have one owner and one client, are joined by one
 * transaction: then the order is the same in each of them, and two who join the same lines cannot
 * wait for each other. 0, or why nothing was sent. */
int line_join (struct line *const *lines, size_t count);

/* WAITING: deletes the znode ahead, if it is still as it was seen. 0, or why nothing was sent. */
int line_depose (const struct line *self);

/* HELD: writes the record anew, after a write on its way; LINE_STORED tells. */
int line_store (struct line *self);

/* HELD, exclusive: the same as one that shared ones do not wait for. It keeps its place and its
 * token. On an error nothing has changed. */
int line_downgrade (struct line *self);

/* HELD, of a semaphore: so many of its permits are given back, but not all. On an error nothing has
 * changed. */
int line_give_back (struct line *self, int64_t count);

/* The same with other payload. On an error nothing has changed. */
int line_replace_payload (struct line *self, const void *data, size_t size);

/* Leaves the line: OUT. An error (COHORT_ENOMEM, COHORT_ELIMIT): nothing has changed. */
int line_leave (struct line *self);

/* OUT, without a write: the znode, if there is one, is another's to delete; one that is still on
 * its way is deleted when its answer comes. */
void line_forget (struct line *self);

/* Whether it surely stays HELD for more than margin_ms. No I/O. */
bool line_valid (const struct line *self, int margin_ms);

/* Adds to a transaction the condition that the place is still held. COHORT_ESTATE: it is not. */
int line_guard (const struct line *self, cohort_txn_t *txn);

/* ---- Names of contenders --------------------------------------------------------------------- */

/* Kind and number of the contender of that name; false: it is none. */
bool line_parse (const char *name, enum line_kind *kind, uint64_t *number);

void line_name (char name[LINE_NAME_SIZE], enum line_kind kind, uint64_t number);

/* "exclusive-" and so on. */
const char *line_prefix (enum line_kind kind);

/* ---- line.c ---------------------------------------------------------------------------------- */

/* Nobody waits any more for a record that is on its way. */
void line_write_drop (struct line *self);

/* ---- line_join.c ------------------------------------------------------------------------------
 */

/* Forgets everything about the place, which is ours no more. */
void line_close (struct line *self);

/* The znode is another session's now: LINE_ENDED, and it is not for us to delete. */
void line_given_away (struct line *self);

/* ---- line_watch.c -----------------------------------------------------------------------------
 */

/* Follows our own znode. 0, COHORT_ENOMEM. */
int line_watch_own (struct line *self);
void line_watch_close (struct line_watch *watch);

/* ---- line_grant.c -----------------------------------------------------------------------------
 */

/* Nobody is ahead any more: HELD and LINE_GRANTED, at once or, if the session may have ended, when
 * it is seen to live. */
void line_grant (struct line *self);

/* ---- line_permits.c ---------------------------------------------------------------------------
 */

/* What the container of a semaphore says, in a buffer of that size. */
#define LINE_PERMITS_SIZE 32
void line_permits_text (char text[LINE_PERMITS_SIZE], int64_t permits);

/* The number in it; 0: it is not a semaphore's. */
int64_t line_permits_of (const void *data, size_t size);

struct line_permits *line_permits_new (int64_t permits);
void line_permits_destroy (struct line_permits **self_p);
int64_t line_permits_count (const struct line_permits *self);

/* Asks who is ahead; of the first one, right behind the creation, also how many permits there are.
 */
int line_permits_look (struct line *self);
void line_permits_drop (struct line *self);

/* The one ahead has changed. */
void line_permits_ahead (struct line *self);

/* ---- line_look.c, and what it has found -------------------------------------------------------
 */

/* Asks who is ahead: first, right behind the creation, for the first ones of the line; otherwise
 * for the nearest one in our way ahead of number `below`. */
int line_look_first (struct line *self);
void line_look_below (struct line *self, uint64_t below);

/* Nobody waits for the answer any more. */
void line_look_drop (struct line *self);

/* What a look has found. */
void line_found_none (struct line *self);
void line_found (struct line *self, enum line_kind kind, uint64_t number);

/* Somebody is in our way: LINE_BEHIND, unless that was told. The last thing that is done. */
void line_behind (struct line *self);

/* It cannot go on: leaves the line, and LINE_ENDED. */
void line_end (struct line *self, int rc);

#endif

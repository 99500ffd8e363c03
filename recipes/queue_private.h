/* What the parts of the queue share: queue.c, its life and what is taken; queue_look.c, how items
 * are found and claimed; queue_line.c, the line of those that wait; queue_write.c, what is put,
 * acknowledged and returned; queue_item.c, how an item is stored.
 *
 *   PATH/items/PPPP-NNNNNNNNNN            an item: priority, number; its data is a header of one
 * line (queue_item.c), and what was put. Its children come and go with claims alone: its cversion
 * counts them PATH/items/PPPP-NNNNNNNNNN/taken      ephemeral: claimed by the session that owns it
 *   PATH/delayed/DUE-PPPP-ZXID            an item whose time has not come; DUE orders the list
 *   PATH/delayed/DUE-PPPP-ZXID/due        goes by itself when its time has come
 *   PATH/ids/ID                           there is an item with this id, or was a while ago
 *   PATH/waiting/w-NNNNNNNNNN             ephemeral: somebody waits for an item
 *
 * Private. May include: cohort/queue.h, recipes' calls and support. */

#ifndef COHORT_RECIPES_QUEUE_PRIVATE_H
#define COHORT_RECIPES_QUEUE_PRIVATE_H

#include "calls.h"
#include "cohort/queue.h"
#include "support.h"

/* Of those in line, how many follow the queue. One would do, if it never hung. */
#define QUEUE_FIRST_MAX 2

struct cohort_item {
    cohort_item_t *next, **link; /* among the queue's ready or taken ones, or NULL */
    cohort_queue_t *queue;       /* NULL: not ours any more */
    char *path;
    char *content; /* what the znode holds, with one 0 behind it */
    char *id;      /* in content, or NULL */
    const char *data;
    size_t size;
    int priority;
    int attempt;
    cohort_token_t token;
    uint64_t session;
};

enum queue_place {
    QUEUE_OUT,    /* of the line */
    QUEUE_COMING, /* the ticket is being made, or looked at */
    QUEUE_BEHIND, /* follows the ticket that is QUEUE_FIRST_MAX places ahead */
    QUEUE_FIRST   /* follows the queue */
};

struct queue_line {
    enum queue_place place;
    char *ticket; /* its path */
    uint64_t czxid;
    cohort_stream_t *ahead;
    bool there; /* the ticket that is followed */
    cohort_stream_t *items, *delayed;
};

struct cohort_queue {
    cohort_t *client;
    char *path, *items, *delayed, *ids, *waiting;
    size_t max_inflight;
    int64_t remember_ms;
    unsigned takers; /* calls of take that wait */

    cohort_stream_t *sentinel; /* tells of the end of the session */
    uint64_t lost_session;
    int error;             /* COHORT_QUEUE_ERROR */
    cohort_timer_t *later; /* tells of it, if it came up in a call of the application's */

    size_t claiming;      /* claims on their way */
    cohort_item_t *ready; /* in the order of their paths */
    cohort_item_t *taken; /* the caller has them, and they are still ours */
    size_t ready_count, taken_count;
    bool looking, look_again;
    bool more;          /* the last look may have left something */
    unsigned conflicts; /* claims in a row that others were faster with */
    uint64_t random;
    struct queue_line line;

    struct recipe_calls calls;  /* of the consumer: their answers mean nothing in a later session */
    struct recipe_calls writes; /* that somebody waits for */
    struct recipe_guard guard;
    cohort_queue_fn *fn;
    void *arg;
};

/* ---- queue.c ------------------------------------------------------------------------------- */

/* Runs the handler. False: the queue was destroyed by it, or before. */
bool queue_report (cohort_queue_t *self, cohort_queue_event_t event);

/* Nothing more is claimed; inside a callback of the client's. */
void queue_fail (cohort_queue_t *self, int rc);

/* Looks for items as queue_fill, in a call of the application's: handlers are called by the client
 * alone. */
void queue_fill_asked (cohort_queue_t *self);

/* An item has been claimed. */
void queue_add_ready (cohort_queue_t *self, cohort_item_t *item);

/* How many items are to be claimed now. */
size_t queue_wanted (const cohort_queue_t *self);

/* Called by whoever uses a queue that may have been destroyed meanwhile. */
void queue_leave (cohort_queue_t *self);

/* PATH/NAME, or NULL. */
char *queue_path (const char *path, const char *name);

/* ---- queue_look.c -------------------------------------------------------------------------- */

/* Looks for items if some are wanted, and goes into the line if there are none. queue_fill: inside
 * a callback of the client's; queue_look: 0, or why the servers could not be asked, which is no
 * business of whoever follows the session if that has ended. */
void queue_fill (cohort_queue_t *self);
int queue_look (cohort_queue_t *self);

/* ---- queue_line.c -------------------------------------------------------------------------- */

void queue_line_join (cohort_queue_t *self);
void queue_line_leave (cohort_queue_t *self);

/* ---- queue_item.c -------------------------------------------------------------------------- */

/* The path of the mark on an item, or NULL. */
char *queue_mark (const char *item_path);

/* What a znode of an item holds; *size: of it. NULL: no memory. */
char *queue_content (const char *id, int attempts, const void *data, size_t size, size_t *whole);

/* Is this the name of an item, or of a delayed one? */
bool queue_is_item (const char *name);
bool queue_is_delayed (const char *name);

/* The priority in a name. */
int queue_priority (const char *digits);

/* Reads item->content of so many bytes; false: it is none. Attempts of earlier places are in
 * item->attempt. */
bool queue_parse (cohort_item_t *item, size_t size);

void queue_item_free (cohort_item_t *item);
void queue_item_link (cohort_item_t *item, cohort_item_t **list);
void queue_item_unlink (cohort_item_t *item);

#endif

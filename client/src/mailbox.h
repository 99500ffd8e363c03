/* What a handle and its loop say to each other.
 *
 * Requests go from any thread into the mailbox and from there to whoever drives the loop; events
 * come back and wait for the thread that dispatches, or go straight to the thread that is blocked
 * for them. May include: thread, event, requests, session, libc, pthread. */

#ifndef COHORT_CLIENT_MAILBOX_H
#define COHORT_CLIENT_MAILBOX_H

#include "client/src/session.h"
#include "client/src/thread.h"
#include "client/src/timer.h"

/* Bytes received and not dispatched beyond which a handle's links are not read any more. */
#define MAILBOX_BACKLOG_MAX (256u << 20)
/* Changes of state that are queued one by one, when nothing else comes between them. */
#define MAILBOX_STATES_MAX 64
/* Bytes of an error text. */
#define MAILBOX_TEXT_SIZE 256

/* What the application may know of a session without asking its thread. */
struct published {
    cohort_state_t state;
    int rc;
    uint64_t id, zxid;
    uint8_t password[WIRE_ID_SIZE];
    int64_t valid_until_ms;
    bool held, no_quorum;
    char endpoint[HOSTS_ENDPOINT_MAX + 1];
    char reason[MAILBOX_TEXT_SIZE];
};

enum mailbox_end { MAILBOX_OPEN, MAILBOX_CLOSE, MAILBOX_ABANDON };

struct mailbox {
    struct exchange *exchange;
    struct list_node ready;         /* in the exchange's list */
    struct list outgoing;           /* requests and renewals, for the driver */
    struct list incoming;           /* events, for the dispatcher */
    struct list asked;              /* requests with a callback, until they are published */
    size_t states;                  /* changes of state at its end, in a row */
    size_t requests, request_bytes; /* submitted and not done with */
    size_t backlog;                 /* bytes received since `incoming` was last empty */
    bool paused;                    /* the backlog is full: links are not read */
    int event_fd;                   /* -1 until asked for; readable while events wait */
    bool event_set;
    int poll_fd;          /* epoll over event_fd and the loop's, -1 until asked for */
    enum mailbox_end end; /* what the owner wants */
    bool end_seen;        /* the driver has begun with that */
    bool end_told;        /* ... and has said what its session had for the application then */
    bool deaf;            /* nobody takes results and watches any more */
    bool finished;        /* the loop has let go */
    unsigned references;  /* owner, loop, dispatcher */
    bool dispatching;
    bool dispatched_all; /* nothing is left with the dispatcher */
    pthread_t dispatcher;
    unsigned runners; /* threads that wait for something to dispatch: the application lives */
    int64_t alive_ms; /* when it last began a dispatch or ended a callback */
    bool hung;        /* that was too long ago */
    size_t backlog_max;
    uint64_t renewals, renewals_seen; /* while they differ the driver's view is of the past */
    uint64_t losses_told;             /* by the dispatcher */
    uint64_t last_stream;
    struct heap timers; /* of the application, all of them; key NEVER: not set */
    int64_t timers_ms;  /* the earliest as the driver knows it, INT64_MAX: none */
    struct published view;
    /* The ensemble's limits, 0: not known.  Each write asks for them: without the lock. */
    _Atomic uint32_t data_size_max, path_size_max;
    cohort_state_fn *state_fn;
    void *state_arg;
    int time_limit_ms;
    char text[MAILBOX_TEXT_SIZE]; /* of the last error */
};

/* A blocked call. */
enum waiter_kind { WAITER_RESULT, WAITER_STATE, WAITER_EVENT };

struct waiter {
    struct blocked blocked;
    struct mailbox *mailbox;
    enum waiter_kind kind;
    bool done;
    bool drove;              /* the loop, while it waited */
    struct request *request; /* RESULT: once done, the waiter's to free */
};

/* ---- Mailboxes ------------------------------------------------------------------------------- */

/* One reference for the owner, one for the loop; known to the loop after mailbox_announce. */
void mailbox_init (struct mailbox *self, struct exchange *exchange, int time_limit_ms,
                   int64_t now_ms);
/* With everything in it. */
void mailbox_deinit (struct mailbox *self);
/* Gives a reference back; true if it was the last: the handle is then to be freed, and the exchange
 * must not be used for it any more. */
bool mailbox_release (struct mailbox *self);

/* Any thread: hands a request over, with the waiter that blocks for it or NULL. 0, COHORT_ELIMIT or
 * COHORT_ECLOSING: then it is still the caller's. */
int mailbox_submit (struct mailbox *self, struct request *request, struct waiter *waiter);
/* COHORT_ESTATE: the session is not LOST. */
int mailbox_renew (struct mailbox *self, struct renew_event *renew);
/* Announces the handle to the loop. */
void mailbox_announce (struct mailbox *self);
/* The owner is done with it: nothing but results and watches is queued any more. May be called
 * again, to abandon what did not close in time. */
void mailbox_end (struct mailbox *self, enum mailbox_end end);
/* After that: moves the results and watches that nobody has dispatched to the end of `results`,
 * behind those that a dispatch has left in `dispatch`, unless another thread is busy with that. */
void mailbox_take_results (struct mailbox *self, struct list *dispatch, struct list *results);
/* After that: the callback of a request that was not answered, once; false: there is none left. */
bool mailbox_next_asked (struct mailbox *self, cohort_result_fn **fn, void **arg);
/* After both: false: there are more again. True: what comes from now on is dropped. */
bool mailbox_go_deaf (struct mailbox *self);
/* After mailbox_end, in its callback's dispatch: waits for the driver's next turn, in which all
 * watches that are set are lost. */
void mailbox_wait_told (struct mailbox *self);
/* Waits until the loop has let go: true, or false after limit_ms. */
bool mailbox_wait_finished (struct mailbox *self, int limit_ms);

/* For the driver: takes the first out of a list of exchange_collect; NULL: it is empty. */
struct mailbox *mailbox_pop (struct exchange *exchange, struct list *mailboxes);
/* For the driver. */
enum mailbox_end mailbox_collect (struct mailbox *self, struct list *outgoing);
/* Hands events over, timers that are due behind them, and what the session is like; returns whether
 * links shall be read. */
bool mailbox_publish (struct mailbox *self, struct list *events, size_t bytes,
                      const struct session_view *view, int64_t now_ms);
/* The loop has let go: blocked calls return. True if the loop's was the last reference. */
bool mailbox_finish (struct mailbox *self);
/* The application has ended a callback. */
void mailbox_alive (struct mailbox *self, int64_t now_ms);
/* Milliseconds since it last did, or began to dispatch; 0: a thread waits to dispatch. */
int64_t mailbox_idle_ms (struct mailbox *self, int64_t now_ms);
/* For the driver: whether that is limit_ms or more. If so, the next dispatch wakes the loop. */
bool mailbox_hung (struct mailbox *self, int64_t now_ms, int64_t limit_ms);

/* For the dispatcher: begin moves what is queued to the end of `events`; false: another dispatch is
 * under way. It takes a reference that end gives back. end is told what was left over and how many
 * requests are done with; true if its was the last reference. */
bool mailbox_dispatch_begin (struct mailbox *self, struct list *events, int64_t now_ms);
bool mailbox_dispatch_end (struct mailbox *self, bool left, size_t requests, size_t bytes);
/* For the dispatcher: what callbacks ask from now on, they ask knowing that a session is LOST. */
void mailbox_tell_loss (struct mailbox *self);
/* The waiter's request is freed: it counts no more. */
void mailbox_settled (struct mailbox *self, size_t bytes);
/* Whether this very thread is inside a callback of the handle. */
bool mailbox_in_callback (struct mailbox *self);
/* The descriptor that is readable while events wait, or, unless loop_fd is -1, that is readable;
 * COHORT_ESYSTEM. */
int mailbox_fd (struct mailbox *self, int loop_fd);

/* ---- Timers ---------------------------------------------------------------------------------- */

/* Takes a timer in, which is not set: COHORT_ENOMEM; and out, for good. */
int mailbox_add_timer (struct mailbox *self, struct cohort_timer *timer);
void mailbox_remove_timer (struct mailbox *self, struct cohort_timer *timer);
void mailbox_set_timer (struct mailbox *self, struct cohort_timer *timer, int64_t at_ms);
/* For the driver, as of mailbox_publish: when it is to publish again, INT64_MAX: not for timers. */
int64_t mailbox_timers_ms (const struct mailbox *self);
/* For the dispatcher, whose event it was: whether its moment still holds. */
bool mailbox_take_timer (struct mailbox *self, struct cohort_timer *timer);

/* ---- Blocking -------------------------------------------------------------------------------- */

/* 0, COHORT_ESYSTEM. */
int waiter_init (struct waiter *self, struct mailbox *mailbox, enum waiter_kind kind);
/* Blocks: 0 or COHORT_ETIMEDOUT (limit_ms of real time, -1: none). With RESULT and 0, `request` is
 * then the caller's. With STATE, until `view` is CONNECTED or LOST. */
int waiter_wait (struct waiter *self, int64_t limit_ms, struct published *view);
void waiter_deinit (struct waiter *self);

/* ---- What the application may know ----------------------------------------------------------- */

void mailbox_view (struct mailbox *self, struct published *view);
int64_t mailbox_valid_until (struct mailbox *self);
void mailbox_set_text (struct mailbox *self, const char *text);
void mailbox_get_text (struct mailbox *self, char *text, size_t size);
void mailbox_set_handler (struct mailbox *self, cohort_state_fn *fn, void *arg);
cohort_state_fn *mailbox_get_handler (struct mailbox *self, void **arg);
void mailbox_set_limit (struct mailbox *self, int time_limit_ms);
int mailbox_get_limit (struct mailbox *self);
uint64_t mailbox_next_stream (struct mailbox *self);

#endif

/* The inside of a session, for session*.c only.
 *
 *   session_ask.c    whether the server answers
 *   session.c        inputs from the application, time, what it is like
 *   session_link.c   servers: choosing, greeting, moving, losing
 *   session_past.c   the session of the process before
 *   session_recv.c   frames of the server
 *   session_send.c   frames to the server */

#ifndef COHORT_CLIENT_SESSION_STATE_H
#define COHORT_CLIENT_SESSION_STATE_H

#include "client/base/arena.h"
#include "client/base/prng.h"
#include "client/src/session.h"
#include "client/src/streams.h"
#include "client/src/watches.h"

/* Heartbeats whose sending times are remembered. With three of them a time limit, an answer that
 * is later than this many tells nothing any more. */
#define SESSION_BEATS 64
/* Limits of the heartbeats' distance. */
#define SESSION_BEAT_MS_MIN 20
#define SESSION_BEAT_MS_MAX 10000
/* The least time for a heartbeat to be confirmed before the next one is sent early. */
#define SESSION_REPEAT_MS_MIN 300
/* Commands that wait for the driver, after however many inputs: one for each link that it has,
 * which are three at most (active, candidate, retired), and one for the candidate that it is to
 * open. A CONNECT that it has not seen is taken back when its link is dropped. */
#define SESSION_COMMANDS_MAX 4
/* The first and the longest pause between rounds through all servers. */
#define SESSION_BACKOFF_MS_MIN 10
#define SESSION_BACKOFF_MS_MAX 1000
/* A connection that ends sooner after its welcome counts as a failed attempt: a server that
 * welcomes and drops must not be courted without pause. */
#define SESSION_STEADY_MS 1000
/* How often the time for the answer to a greeting is doubled. */
#define SESSION_GREETING_DOUBLINGS_MAX 5
/* Redirects in a row that are followed without a pause. */
#define SESSION_REDIRECTS_MAX 4
/* The pause after memory ran out. */
#define SESSION_NOMEM_MS 20
/* The least of session_margin_ms. */
#define SESSION_MARGIN_MS_MIN 50
/* The least patience with a server that is asked whether it is there; how often an answer may come
 * too late because this process did not run; and after what time on one server what was learnt of
 * its network is forgotten. */
#define SESSION_ASK_MS_MIN      100
#define SESSION_ASK_EXCUSES_MAX 3
#define SESSION_ASK_STEADY_MS   10000
/* The least time for a server to answer a known session. */
#define SESSION_ATTACH_MS_MIN 100

enum link_phase {
    LINK_NONE,
    LINK_CONNECTING, /* asked for */
    LINK_UP,         /* stands; hello is to be sent */
    LINK_GREETING,   /* hello sent */
    LINK_ATTACHED    /* welcomed */
};

struct link {
    enum link_phase phase;
    uint32_t id;
    char endpoint[HOSTS_ENDPOINT_MAX + 1];
    int64_t since_ms; /* when the phase CONNECTING, or ATTACHED, began */
    int64_t heard_ms; /* the last frame */
    int64_t hello_ms; /* when hello was made */
    uint64_t attach_no;
    bool creating; /* its hello asks for a new session */
    bool held;     /* candidate: the server has said what it waits for */
};

/* Whether the server answers: session_ask.c. */
struct asking {
    int64_t limit_ms;    /* that the server has named; 0: it cannot be asked */
    int64_t patience_ms; /* the same, or longer after alarms */
    int64_t pause_ms;    /* how long what was sent waits before the question */
    int64_t since_ms;    /* waiting: since when */
    int64_t asked_ms;    /* asked: since when the answer is due */
    bool waiting;        /* something was sent, and nothing was heard since */
    bool asked;          /* a question is sent, or */
    bool owed;           /* still to be sent */
    bool alarmed;        /* no answer has come */
    unsigned excuses;
};

/* What is done with the session of the process before this one. */
enum past {
    PAST_NONE,    /* there is none, or it is this one's now */
    PAST_RESUMES, /* is to be attached to, as the next incarnation */
    PAST_CLOSES   /* the same, and then closed */
};

struct session {
    /* What it was made with. */
    struct hosts hosts;
    uint32_t wanted_timeout_ms, wanted_grace_ms, connect_timeout_ms;
    struct prng prng;

    /* Who it is. */
    cohort_state_t state;
    int rc; /* why it is LOST */
    char reason[192];
    uint8_t nonce[WIRE_ID_SIZE], password[WIRE_ID_SIZE], cluster_id[WIRE_ID_SIZE];
    bool cluster_known;
    uint64_t id;
    uint64_t renewals; /* how many of the handle there were before it */
    uint32_t timeout_ms, grace_ms;
    uint32_t incarnation;
    uint64_t attach_no;   /* the highest used */
    bool identity_new;    /* to be taken by session_take_identity */
    uint64_t zxid_seen;   /* the highest of all */
    uint64_t zxid_events; /* all events up to it have been handed up */
    uint32_t data_size_max, path_size_max;

    /* Connections: the one in use, the one being made, and the one that is left as soon as the
     * first has been told what was watched. */
    struct link active, candidate, retired;
    uint32_t last_link;
    size_t next_host;
    unsigned failures;                     /* attempts in a row */
    unsigned unanswered;                   /* greetings in a row that took too long */
    unsigned fatal;                        /* of these, those refused for good */
    unsigned redirects;                    /* in a row */
    char redirect[HOSTS_ENDPOINT_MAX + 1]; /* where to try next, or "" */
    int64_t next_attempt_ms;
    bool moving;        /* another server is wanted although there is an active link */
    bool rearm_pending; /* what was watched has still to be told */
    int64_t lost_at_ms; /* SUSPENDED: when the session cannot be alive any more */

    /* Liveness. */
    uint64_t beat; /* the newest heartbeat sent */
    int64_t beat_sent_ms[SESSION_BEATS];
    int64_t next_beat_ms;
    int64_t repeat_ms;  /* so long the next heartbeat waits for its confirmation */
    uint64_t confirmed; /* the newest heartbeat confirmed */
    int64_t touched_ms; /* sending time of the newest message that surely kept it alive */
    int64_t valid_until_ms;
    int64_t valid_from_ms; /* until then another process may count on the session; 0: none */
    bool muted;
    bool held, no_quorum;
    struct asking asking;

    /* The process before. */
    enum past past;
    uint8_t fresh_password[WIRE_ID_SIZE]; /* of the session that follows */
    bool close_sent;
    uint64_t close_xid;

    /* What it does for the application. */
    struct requests requests;
    struct list proofs; /* those that the servers have taken: for the next session, too */
    bool secret_sent;   /* there is one in the newest frame */
    struct watch_table watches;
    struct stream_table streams;
    struct list events;
    struct state_event *lost_event; /* made beforehand: LOST is never left unsaid */
    bool state_owed;                /* a change of state is to be reported when memory allows */
    bool closing, closed;
    int64_t nomem_until_ms;

    struct session_command commands[SESSION_COMMANDS_MAX];
    size_t command_count;

    struct arena scratch;
    struct buf rearm_watches, rearm_streams, taken;
};

/* ---- session.c ------------------------------------------------------------------------------- */

/* Sets the state and reports it. */
void session_set_state (struct session *self, cohort_state_t state);
/* Ends the session: everything that waits is told so. */
void session_lose (struct session *self, int rc);
/* The end of session_close: what waits is told so, links are left. */
void session_finish (struct session *self);
/* Hands up the result of a request that is out of the queue. */
void session_complete (struct session *self, struct request *request, int rc);
/* Does what is due. Each input ends with it. */
void session_evaluate (struct session *self, int64_t now_ms);
/* Whether a server may be greeted now, which begins a session, or renews it. */
bool session_may_attach (const struct session *self);
/* Notes what went wrong, for people. */
void session_note (struct session *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));
/* Silence of a server that is taken for its death. */
int64_t session_silence_ms (const struct session *self);
/* By how much the client counts a limit shorter, for its validity, or longer, for its expiry:
 * clocks that run apart drift in proportion to what they measure. */
int64_t session_margin_ms (int64_t limit_ms);

/* ---- session_send.c ------------------------------------------------------------------------- */

/* A connection has begun: a heartbeat is due at once. */
void beat_welcomed (struct session *self, int64_t now_ms);
/* The heartbeat that was sent then is confirmed. */
void beat_confirmed (struct session *self, int64_t sent_ms, int64_t now_ms);

/* ---- session_ask.c --------------------------------------------------------------------------- */

/* The active link begins; silence_ms: as the server has named it. */
void ask_welcomed (struct session *self, uint32_t silence_ms);
/* Something was sent to the server; a question with it, or not. */
void ask_sent (struct session *self, bool question, int64_t now_ms);
/* Something came from it: an answer and nothing else, or more. */
void ask_heard (struct session *self, bool answer, int64_t now_ms);
/* Goes on; true: the server does not answer. */
bool ask_alarmed (struct session *self, int64_t now_ms);
int64_t ask_deadline (const struct session *self);

/* ---- session_past.c ------------------------------------------------------------------------- */

/* A session that was reset becomes the next incarnation of the past one. */
void past_adopt (struct session *self, const struct session_identity *past, bool close);
/* A server has taken the session. */
void past_welcome (struct session *self, int64_t now_ms);
/* The past session has ended: a new one begins. */
void past_over (struct session *self, int64_t now_ms);
/* Whether it is time to close it; and the request that does. */
bool past_close_due (const struct session *self, int64_t now_ms);
void past_close (struct session *self, struct wire_request *request);

/* ---- session_link.c -------------------------------------------------------------------------- */

/* Ends the link, if there is one; the driver never hears of one that it has not opened yet. */
void link_drop (struct session *self, struct link *link);
/* Opens a candidate. */
void link_start (struct session *self, int64_t now_ms);
/* The attempt has failed; the reason has been noted. */
void link_fail_candidate (struct session *self, int64_t now_ms);
/* The active link has ended, or must. */
void link_lose_active (struct session *self, int64_t now_ms);
/* The server of the candidate has taken the session. */
void link_welcome (struct session *self, const struct wire_welcome *welcome, int64_t now_ms);
/* A server will not have the session on this link. */
void link_refused (struct session *self, struct link *link, const struct wire_refused *refused,
                   int64_t now_ms);
/* From CONNECTED to SUSPENDED. */
void link_suspend (struct session *self, int64_t now_ms);
/* How long the candidate may take. */
int64_t link_attempt_ms (const struct session *self);

#endif

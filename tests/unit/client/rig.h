/* A session under test: the test plays transport, clock and servers, with real frames.
 *
 * What the session does becomes a trace, one line for each thing, which the tests compare:
 *
 *     connect 1 tcp://a:1                 a command, with the link it names
 *     drop 1
 *     1> hello create attach 1 next 1     a frame of the client on link 1
 *     1> beat 1 | set /a #3 n2 ack 1      xid 3, write number 2
 *     1> ask                              whether the server is there
 *     connected                           a state
 *     result #3 OK                        the end of a request
 *     watch CHANGED /a at 7
 *     1> taken 1/500                      so much of stream 1 has come
 *     batch 1 snapshot first at 5: /a=x */

#ifndef COHORT_TESTS_CLIENT_RIG_H
#define COHORT_TESTS_CLIENT_RIG_H

#include "client.pb-c.h"
#include "client/src/requests.h"
#include "client/src/session.h"
#include "client/src/streams.h"
#include "client/src/watches.h"
#include "tests/unit/unit.h"

#define RIG_LINKS_MAX    256
#define RIG_OPEN_MAX     3 /* as many as a driver has room for: HANDLE_CHANNELS */
#define RIG_STREAM_BYTES 10000

struct rig {
    struct session *session;
    int64_t now;
    char trace[64 * 1024];
    size_t trace_size;
    bool busy;                      /* the driver is elsewhere: rig_drain does nothing */
    bool open[RIG_LINKS_MAX];       /* asked for, and not dropped since */
    bool up[RIG_LINKS_MAX];         /* the test has brought the link up */
    uint64_t attach[RIG_LINKS_MAX]; /* of its hello; 0: not greeted */
    char endpoint[RIG_LINKS_MAX][256];
    uint32_t last_link;   /* the newest that was asked for */
    uint64_t zxid;        /* of replies, unless said otherwise */
    uint64_t last_number; /* Welcome.last_number */
    uint64_t sent;        /* of snapshots */
    uint32_t timeout_ms, grace_ms, window;
    uint32_t silence_ms; /* Welcome.silence_ms */
    uint64_t credit;
    uint8_t cluster;      /* every byte of the cluster id */
    size_t out_of_memory; /* results and the like with COHORT_ENOMEM */
};

/* timeout and grace of 900 ms, connect time-out 200, beats every 300. The hosts' order is as given
 * when there is one; with more it depends on the seed alone. */
void rig_begin (struct rig *rig, const char *servers);
/* Returns false, and has nothing, when memory runs out. */
bool rig_try_begin (struct rig *rig, const char *servers);
/* With the session of the process before. */
void rig_begin_past (struct rig *rig, const char *servers, const struct session_identity *past,
                     bool close_past);
void rig_end (struct rig *rig);

/* Takes all outputs into the trace. Every function below ends with it. */
void rig_drain (struct rig *rig);
/* Fails unless the trace is this; empties it. */
void rig_expect (struct rig *rig, const char *trace);
void rig_forget (struct rig *rig);

/* The clock. rig_wait moves it in steps to what is due, up to `ms`. */
void rig_wait (struct rig *rig, int64_t ms);
void rig_jump (struct rig *rig, int64_t ms);

/* The transport. */
void rig_up (struct rig *rig, uint32_t link);
void rig_down (struct rig *rig, uint32_t link);

/* The application. */
void rig_submit (struct rig *rig, enum wire_kind kind, const char *path, const char *data);
void rig_submit_watch (struct rig *rig, enum wire_kind kind, const char *path);
struct cohort_stream *rig_stream (struct rig *rig, uint64_t id, const char *path);
void rig_stream_close (struct rig *rig, struct cohort_stream *stream);

/* Servers. */
void rig_welcome (struct rig *rig, uint32_t link, uint64_t attach_no);
void rig_refuse (struct rig *rig, uint32_t link, int code, const char *redirect);
void rig_reply (struct rig *rig, uint32_t link, uint64_t xid, int code);
void rig_gap (struct rig *rig, uint32_t link, uint64_t xid, uint64_t number, uint64_t expected);
void rig_confirm (struct rig *rig, uint32_t link, uint64_t beat);
void rig_hold (struct rig *rig, uint32_t link, const char *reason);
void rig_event (struct rig *rig, uint32_t link, int type, int kind, const char *path);
/* A batch of one change; path NULL: none. Flags: s(napshot), f(irst), m(ore); c: created, d:
 * deleted, else found in a snapshot, and a change of data otherwise; t: to be confirmed, 100 more
 * each time. */
void rig_batch (struct rig *rig, uint32_t link, uint64_t stream, uint64_t zxid, const char *flags,
                const char *path, const char *data);
void rig_zxid (struct rig *rig, uint32_t link, uint64_t zxid);
void rig_send (struct rig *rig, uint32_t link, const Cohort__Wire__ServerFrame *frame);
void rig_bytes (struct rig *rig, uint32_t link, const void *bytes, size_t size);

/* rig_begin, the first link brought up and welcomed, the trace forgotten. */
void rig_connected (struct rig *rig, const char *servers);

#endif

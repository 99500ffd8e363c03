/* A session of a real client, of which everything is recorded: what it asks for, is told, and
 * counts on. Built on the public header alone, as applications are.
 *
 * It renews itself: after LOST it goes on as another client of the history. It may have a stream of
 * the whole tree. One thread. May include: cohort/client.h, recorder.h. */

#ifndef TESTS_CLUSTER_OBSERVED_H
#define TESTS_CLUSTER_OBSERVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/list.h"
#include "cohort/client.h"
#include "tests/cluster/recorder.h"

enum { OBSERVED_OPS_MAX = 4, OBSERVED_VALUE_SIZE = 48, OBSERVED_PATH_SIZE = 96 };

struct observed;

/* What a call was for; handed back with its answer. */
struct purpose {
    int what; /* the caller's */
    size_t index;
    uint64_t window;
    char value[OBSERVED_VALUE_SIZE];
};

/* An answer that is not "unknown". */
typedef void observed_answer_fn (void *arg, struct observed *self, const struct purpose *purpose,
                                 const cohort_result_t *result);
/* A new session has begun: nothing that was learnt from the old one holds. */
typedef void observed_renewed_fn (void *arg, struct observed *self);

struct observed_options {
    struct recorder *recorder;
    cohort_loop_t *loop;
    const char *servers;
    int timeout_ms, grace_ms;
    bool stream;
    observed_answer_fn *answered;
    observed_renewed_fn *renewed;
    void *arg;
};

struct observed {
    struct observed_options options;
    cohort_t *client;
    cohort_stream_t *stream;
    uint32_t number; /* in the history */
    uint64_t session, asked, streams;
    int64_t valid_until_ms;
    uint64_t streamed; /* the last batch that was complete */
    bool whole;        /* ... and nothing of another has come since */
    bool lost;
    size_t outstanding, watches;
    uint64_t acknowledged; /* writes, since the session began */
    struct list calls, armed;
};

void observed_start (struct observed *self, const struct observed_options *options);

/* What a crash looks like, and an orderly end. */
void observed_abandon (struct observed *self);
void observed_close (struct observed *self);

/* Asks: several operations are a multi, and then `multi` must be set. A read is one operation. */
void observed_ask (struct observed *self, bool multi, const struct history_op *ops, size_t count,
                   const struct purpose *purpose);

/* Takes what has come; says what it counts on; begins a new session after LOST. */
void observed_turn (struct observed *self);

#endif

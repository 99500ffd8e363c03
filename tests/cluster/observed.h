/* A session of a real client, of which everything is recorded: what it asks for, is told, and
 * counts on. Built on the public header alone, as applications are.
 *
 * It renews itself: after LOST it goes on as another client of the history. It may have a stream of
 * the whole tree, and follow a few places more. One thread. May include: cohort/client.h,
 * recorder.h. */

#ifndef TESTS_CLUSTER_OBSERVED_H
#define TESTS_CLUSTER_OBSERVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/list.h"
#include "cohort/client.h"
#include "tests/cluster/recorder.h"

enum {
    OBSERVED_OPS_MAX = 4,
    OBSERVED_VALUE_SIZE = 48,
    OBSERVED_PATH_SIZE = 96,
    OBSERVED_FOLLOWED_MAX = 3,
    OBSERVED_USERS_MAX = 2,
    OBSERVED_WHO_SIZE = 128
};

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
    const char *state_file; /* NULL: none; else of the process before, whose session goes on */
    observed_answer_fn *answered;
    observed_renewed_fn *renewed;
    void *arg;
};

/* A stream with options, or a persistent watch. */
struct followed {
    struct observed *owner;
    cohort_stream_t *stream; /* NULL: none */
    uint64_t id;
    char path[OBSERVED_PATH_SIZE];
};

struct observed {
    struct observed_options options;
    cohort_t *client;
    cohort_stream_t *stream;
    uint32_t number; /* in the history */
    uint64_t session, asked, streams;
    int64_t valid_until_ms;
    uint64_t whole_id; /* of the stream of the whole tree */
    uint64_t streamed; /* the last batch that was complete */
    bool whole;        /* ... and nothing of another has come since */
    bool lost;
    bool crashed;     /* it is being abandoned */
    unsigned stopped; /* by so many: it is not to be given its turn */
    size_t outstanding, watches;
    uint64_t acknowledged; /* writes, since the session began */
    struct list calls, armed;
    char proven[OBSERVED_USERS_MAX][OBSERVED_WHO_SIZE]; /* who its process has proven to be */
    size_t proven_count;
    struct followed followed[OBSERVED_FOLLOWED_MAX];
};

void observed_start (struct observed *self, const struct observed_options *options);

/* What a crash looks like, and an orderly end. */
void observed_abandon (struct observed *self);
void observed_close (struct observed *self);

/* Asks: several operations are a multi, of writes or of reads, and then `multi` must be set. */
void observed_ask (struct observed *self, bool multi, const struct history_op *ops, size_t count,
                   const struct purpose *purpose);

/* Follows a place, in a place of its own that is free: flags are HISTORY_STREAM_..., WATCH for a
 * persistent watch; from_zxid as in cohort_stream_options_t. */
void observed_follow (struct observed *self, size_t index, const char *path, uint32_t flags,
                      uint64_t from_zxid);
/* Does nothing if nothing is followed there. */
void observed_leave (struct observed *self, size_t index);

/* Takes what has come; says what it counts on; begins a new session after LOST. */
void observed_turn (struct observed *self);

#endif

/* Between the files of what must hold of streams. */

#ifndef TESTS_HISTORY_STREAMS_H
#define TESTS_HISTORY_STREAMS_H

#include "tests/history/rules.h"

/* Of whom, and with which options, what is told is judged. */
struct stream_view {
    const struct facts *facts;
    const struct fact_client *client;
    uint32_t flags;
    uint64_t from; /* of a snapshot: whoever the client has been since then counts; 0: now */
};

/* Whether what is told is this version of the znode: with its data, if the stream has any, unless
 * its client may not read it, or may not any more. */
bool stream_shows (const struct stream_view *view, const struct model_znode *znode,
                   const struct model_version *version, uint64_t zxid,
                   const struct history_change *told);

/* Whether what is told is the change; kind: and as what of it. */
bool stream_tells (const struct stream_view *view, const struct model_change *change,
                   enum model_change_kind kind, const struct history_change *told);

/* Of which path it is, for people. */
const char *stream_change_path (const struct model *model, size_t change);

/* streams_latest.c: whether the next batch of a stream with HISTORY_STREAM_LATEST, which is no
 * snapshot, may be this. */
bool stream_latest_fits (const struct facts *facts, const struct fact_stream *stream,
                         const struct history_event *event, struct objection *objection);

#endif

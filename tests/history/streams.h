/* Between the files of what must hold of streams. */

#ifndef TESTS_HISTORY_STREAMS_H
#define TESTS_HISTORY_STREAMS_H

#include "tests/history/rules.h"

/* Whether a change shows this version, as far as such a stream shows any. */
bool stream_version_fits (const struct model_version *version, const struct history_change *change,
                          uint32_t flags);

/* streams_latest.c: whether the next batch of a stream with HISTORY_STREAM_LATEST, which is no
 * snapshot, may be this. */
bool stream_latest_fits (const struct facts *facts, const struct fact_stream *stream,
                         const struct history_event *event, struct objection *objection);

#endif

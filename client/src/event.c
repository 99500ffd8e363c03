/* The end of events. May include: fold, requests, watches, streams, timer,
 * base. */

#include "client/src/event.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/src/fold.h"
#include "client/src/requests.h"
#include "client/src/streams.h"
#include "client/src/timer.h"
#include "client/src/watches.h"

static void batch_event_free (struct batch_event *batch)
{
    wire_frame_release (batch->event.frame);
    fold_free (batch->fold);
    stream_release (batch->stream);
    mem_free (batch);
}

bool batch_event_next (struct batch_event *event, cohort_batch_t *batch, cohort_change_t **changes)
{
    *changes = NULL;
    if (event->batch != NULL) {
        *batch = event->batch->batch;
        *changes = event->batch->changes;
        return false;
    }
    *batch = (cohort_batch_t){.snapshot = 1, .first = !event->begun, .more = 1};
    batch->zxid = event->zxid;
    if (event->fold == NULL) {
        return false;
    }
    event->begun = true;
    batch->count = fold_next (event->fold, changes);
    batch->changes = *changes;
    batch->more = !fold_empty (event->fold);
    return batch->more != 0;
}

void event_free (struct event *event)
{
    COHORT_ASSERT (event != NULL);
    switch (event->kind) {
    case EVENT_RESULT:
        request_free (container_of (event, struct request, event));
        break;
    case EVENT_WATCH:
        watch_free (container_of (event, struct watch, event));
        break;
    case EVENT_BATCH:
        batch_event_free (container_of (event, struct batch_event, event));
        break;
    case EVENT_ENDED:
        stream_release (container_of (event, struct cohort_stream, ended));
        break;
    case EVENT_TIMER:
        timer_release (container_of (event, struct cohort_timer, event));
        break;
    case EVENT_STATE:
        mem_free (container_of (event, struct state_event, event));
        break;
    case EVENT_RENEW:
        mem_free (container_of (event, struct renew_event, event));
        break;
    }
}

void event_free_all (struct list *events)
{
    struct list_node *node;
    while ((node = list_pop_front (events)) != NULL) {
        event_free (list_entry (node, struct event, node));
    }
}

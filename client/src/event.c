/* The end of events. May include: requests, watches, streams, base. */

#include "client/src/event.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/src/requests.h"
#include "client/src/streams.h"
#include "client/src/watches.h"

static void batch_event_free (struct batch_event *batch)
{
    wire_frame_release (batch->event.frame);
    stream_release (batch->stream);
    mem_free (batch);
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

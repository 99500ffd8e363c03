/* The clients' streams with options: each client follows a few places, for a while at a time, with
 * and without a snapshot, data and depth, from now on or from what it knows. What they tell is
 * judged as a history; a mirror is kept of the plain ones alone (mirror.c). */

#include <stdlib.h>

#include "client/base/assert.h"
#include "client/src/event.h"
#include "client/src/streams.h"
#include "tests/simulation/workload.h"

static const char *some_place (struct world *self, struct sim_client *client, char path[PATH_SIZE])
{
    static const char *const prefixes[] = {"/r", "/d", "/box", "/tree", "/t"};
    if (workload_veils (self) && prng_chance (&client->prng, 1, 2)) {
        return workload_veiled (self, client, path);
    }
    size_t place = prng_below (&client->prng, 7);
    /* Nobody makes the last one, but others' names begin with it. */
    return place == 5   ? "/"
           : place == 6 ? "/k"
                        : path_of (path, prefixes[place], 0, window_of (self));
}

static void open_one (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    const char *place = some_place (self, client, path);
    struct cohort_stream *stream = stream_new (++client->streams, "", place);
    struct request *open = request_new (WIRE_STREAM_OPEN, "", place, NULL, 0);
    COHORT_ASSERT (stream != NULL && open != NULL);
    bool resumes = client->mirror_whole && prng_chance (&client->prng, 1, 3);
    uint64_t from = resumes ? client->mirror_zxid : 0;
    uint32_t flags = (uint32_t) prng_below (&client->prng, 4); /* NO_SNAPSHOT, NO_DATA */
    if ((flags & WIRE_STREAM_NO_SNAPSHOT) != 0 && prng_chance (&client->prng, 1, 2)) {
        flags |= WIRE_STREAM_SHALLOW;
    }
    if (((flags & WIRE_STREAM_NO_SNAPSHOT) == 0 || from != 0) &&
        prng_chance (&client->prng, 1, 3)) {
        flags |= WIRE_STREAM_LATEST; /* where nobody knows where it begins it cannot be judged */
    }
    stream->marks = prng_chance (&client->prng, 1, 4);
    flags |= stream->marks ? WIRE_STREAM_PROGRESS : 0u;
    stream->flags = open->wire.op.flags = flags;
    stream->last_zxid = from;
    stream_retain (stream);
    open->stream = stream;
    client->followed[client->followed_count++] = stream;
    record_opened (self, client, stream);
    session_submit (client->session, open, client_now_ms (self, client));
}

static void take_out (struct sim_client *client, size_t index)
{
    stream_release (client->followed[index]);
    client->followed[index] = client->followed[--client->followed_count];
}

static void close_one (struct world *self, struct sim_client *client, size_t index)
{
    struct request *close = request_new (WIRE_STREAM_CLOSE, "", NULL, NULL, 0);
    COHORT_ASSERT (close != NULL);
    stream_retain (client->followed[index]);
    close->stream = client->followed[index];
    record_closed (self, client, client->followed[index]);
    take_out (client, index);
    session_submit (client->session, close, client_now_ms (self, client));
}

void follower_change (struct world *self, struct sim_client *client)
{
    size_t count = client->followed_count;
    if (count == SIM_FOLLOWED_MAX || (count > 0 && prng_chance (&client->prng, 1, 3))) {
        close_one (self, client, prng_below (&client->prng, count));
    } else {
        open_one (self, client);
    }
}

void follower_forget (struct sim_client *client)
{
    while (client->followed_count > 0) {
        take_out (client, client->followed_count - 1);
    }
}

static bool is_followed (const struct sim_client *client, const struct cohort_stream *stream)
{
    for (size_t i = 0; i < client->followed_count; i++) {
        if (client->followed[i] == stream) {
            return true;
        }
    }
    return false;
}

void follower_batch (struct world *self, struct sim_client *client, struct batch_event *event)
{
    bool more = is_followed (client, event->stream);
    while (more) {
        cohort_batch_t batch;
        cohort_change_t *changes;
        more = batch_event_next (event, &batch, &changes);
        record_batch (self, client, event->stream, &batch);
    }
}

void follower_ended (struct world *self, struct sim_client *client, struct event *event)
{
    for (size_t i = 0; i < client->followed_count; i++) {
        struct cohort_stream *stream = client->followed[i];
        if (event == &stream->ended && stream->rc == COHORT_ENOAUTH) {
            record_refused (self, client, stream);
            take_out (client, i);
            return;
        }
    }
}

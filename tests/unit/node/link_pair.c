/* Two links and a network between them: see link_pair.h. */

#include "tests/unit/node/link_pair.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"

static void note_line (void *arg, enum log_level level, const char *event, const char *details)
{
    struct end *end = arg;
    (void) details;
    if (level == LOG_ERROR && strcmp (event, "peer-refused") == 0) {
        end->refusals++;
    }
    size_t used = strlen (end->told);
    (void) snprintf (end->told + used, sizeof end->told - used, "%s; ", event);
}

void end_init (struct end *end, uint32_t id, uint32_t peer, uint64_t incarnation, int64_t now_ms)
{
    struct logger logger = {note_line, end, LOG_WARNING};
    end->identity = (struct link_identity){.id = id, .store_id = 100 + id, .role = CONFIG_VOTER};
    link_init (&end->link, peer, &end->identity, incarnation, &logger, now_ms);
    end->wire_count = 0;
    end->data_sent = 0;
}

void pair_init (struct pair *pair)
{
    memset (pair, 0, sizeof *pair);
    pair->now_ms = 1000;
    end_init (&pair->a, 1, 2, 10, pair->now_ms);
    end_init (&pair->b, 2, 1, 20, pair->now_ms);
}

void pair_deinit (struct pair *pair)
{
    link_deinit (&pair->a.link);
    link_deinit (&pair->b.link);
}

static void note (struct pair *pair, const struct end *end, const char *what, uint64_t number)
{
    const char *name = end == &pair->a ? "a" : "b";
    char line[64];
    if (number != 0) {
        snprintf (line, sizeof line, "%s %s %llu; ", name, what, (unsigned long long) number);
    } else {
        snprintf (line, sizeof line, "%s %s; ", name, what);
    }
    size_t size = strlen (line);
    assert_true (pair->trace_size + size < TRACE_MAX);
    memcpy (pair->trace + pair->trace_size, line, size + 1);
    pair->trace_size += size;
}

void take_events (struct pair *pair, struct end *end)
{
    enum link_event event;
    while ((event = link_take_event (&end->link)) != LINK_NOTHING) {
        note (pair, end, event == LINK_UP ? "up" : "down", 0);
    }
}

void act (struct pair *pair, struct end *end, bool listening)
{
    link_time (&end->link, pair->now_ms);
    if (link_take_connect (&end->link)) {
        if (listening) {
            link_connected (&end->link);
        } else {
            link_disconnected (&end->link);
        }
    }
    struct peer_frame frame;
    if (link_take_hello (&end->link, &frame)) {
        assert_true (end->wire_count < WIRE_MAX);
        end->wire[end->wire_count++] = frame;
    }
    take_events (pair, end);
}

void receive (struct pair *pair, struct end *end, const struct peer_frame *frame)
{
    bool taken = link_receive (&end->link, frame, frame->chunk.size);
    take_events (pair, end);
    if (taken) {
        note (pair, end, "got", frame->heartbeats.size); /* the number of the test's data */
    }
}

void deliver (struct pair *pair, struct end *from, size_t count)
{
    struct end *to = from == &pair->a ? &pair->b : &pair->a;
    for (size_t i = 0; i < count && from->wire_count > 0; i++) {
        struct peer_frame frame = from->wire[0];
        from->wire_count--;
        memmove (from->wire, from->wire + 1, from->wire_count * sizeof frame);
        receive (pair, to, &frame);
    }
}

void lose (struct end *from, size_t count)
{
    count = count < from->wire_count ? count : from->wire_count;
    from->wire_count -= count;
    memmove (from->wire, from->wire + count, from->wire_count * sizeof from->wire[0]);
}

void send_data (struct end *end, size_t bulk)
{
    struct peer_frame frame;
    memset (&frame, 0, sizeof frame);
    link_stamp (&end->link, &frame.header, bulk);
    frame.heartbeats.size = (size_t) ++end->data_sent;
    frame.chunk.size = bulk;
    assert_true (end->wire_count < WIRE_MAX);
    end->wire[end->wire_count++] = frame;
}

void run (struct pair *pair, int ms)
{
    for (int i = 0; i < ms; i++) {
        pair->now_ms++;
        for (int k = 0; k < 4; k++) {
            act (pair, &pair->a, true);
            act (pair, &pair->b, true);
            deliver (pair, &pair->a, WIRE_MAX);
            deliver (pair, &pair->b, WIRE_MAX);
        }
    }
}

void forget_trace (struct pair *pair)
{
    pair->trace_size = 0;
    pair->trace[0] = 0;
}

void bring_up (struct pair *pair)
{
    pair_init (pair);
    run (pair, 3);
    assert_true (pair->a.link.up);
    assert_true (pair->b.link.up);
    forget_trace (pair);
}

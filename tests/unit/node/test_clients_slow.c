/* A consumer that does not read for long: it is cut off and costs nobody else anything; it comes
 * back and has lost nothing within the history's bound, and is told when it is beyond. For each
 * kind of stream, and for the watches that stay, which are streams. */

#include "tests/support/heap.h"
#include "tests/unit/node/clients_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 12000, A_FRAME = 100, KNOWN = 10, STALL_MS = 10000 };

/* The numbers of client.proto's StreamFlag. */
enum { NO_SNAPSHOT = 1, NO_DATA = 2, SHALLOW = 4, LATEST = 64 };

static const struct {
    const char *name;
    uint32_t flags;
} kinds[] = {{"stream", 0},
             {"stream, latest", LATEST},
             {"changes", NO_SNAPSHOT},
             {"changes, latest", NO_SNAPSHOT | LATEST},
             {"recursive watch", NO_SNAPSHOT | NO_DATA},
             {"persistent watch", NO_SNAPSHOT | NO_DATA | SHALLOW}};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* The writer sets /g to the numbers behind `from`, up to `to`, and is answered each time at once.
 */
static void write_on (struct peer *writer, int from, int to)
{
    char text[16];
    for (int i = from; i < to;) {
        int end = i + A_FRAME < to ? i + A_FRAME : to;
        for (; i < end; i++) {
            (void) snprintf (text, sizeof text, "%d", i + 1);
            ask_set (writer, "/g", text, -1);
        }
        size_t frames = writer->frames;
        writer->ack_to = writer->number - A_FRAME;
        peer_do (writer);
        assert_true (writer->frames > frames);
        assert_true (writer->replied == tree_zxid (writer->world->servers[0].tree));
        forget_lines (writer);
    }
}

/* What a peer was told: that it begins anew, and the sets of /g. */
struct told {
    int anew;
    int count, first, last; /* of sets; numbers where there are data */
    bool gap;
};

static void take_change (struct told *told, const char *change)
{
    const char *equals = strncmp (change, "~/g=", 4) == 0 ? change + 3 : NULL;
    if (strncmp (change, "~/g", 3) != 0) {
        return;
    }
    int number = equals != NULL ? (int) strtol (equals + 1, NULL, 10) : 0;
    told->first = told->count == 0 ? number : told->first;
    told->gap |= told->count > 0 && number != told->last + 1;
    told->last = number;
    told->count++;
}

static struct told listen (struct peer *peer)
{
    struct told told = {.count = 0};
    for (const char *line; (line = next_line (peer)) != NULL;) {
        bool change = strstr (line, "~/g") != NULL;
        told.anew += strncmp (line, "batch 1", 7) == 0 && strstr (line, "first") != NULL && !change;
        if (change) {
            take_change (&told, strstr (line, "~/g"));
        }
    }
    return told;
}

static struct peer *follow (struct world *world, size_t kind)
{
    struct peer *peer = peer_attached (world, 0);
    ask_stream (peer, 1, "/g", 0);
    peer->requests[0]->stream_open->flags = kinds[kind].flags;
    peer_do (peer);
    forget_lines (peer);
    return peer;
}

/* It reads nothing, is cut off, and comes back behind the last batch that it has. */
static struct told stay_away (struct world *world, struct peer *writer, size_t kind)
{
    struct peer *peer = follow (world, kind);
    write_on (writer, 0, KNOWN);
    struct told told = listen (peer);
    assert_int_equal (told.count, KNOWN);
    peer->full = true;
    write_on (writer, KNOWN, SETS / 2);
    assert_false (peer->dropped);
    world_advance (world, STALL_MS + 1000);
    assert_true (peer->dropped);
    assert_non_null (strstr (world->servers[0].log, "stalled"));
    assert_int_equal (clients_connections (world->servers[0].clients), 1);
    write_on (writer, SETS / 2, SETS);
    uint64_t from = peer->batched;
    peer->full = peer->dropped = false;
    peer_connect (peer, 0);
    peer_hello (peer);
    world_run (world);
    expect_prefix (peer, "welcome attach=2");
    ask_rearm (peer, from, false);
    ask_rearm_stream (peer, 1, "/g", from);
    peer->frame.rearm->streams[0]->flags = kinds[kind].flags;
    peer_do (peer);
    world_advance (world, 100);
    return listen (peer);
}

static void loses_nothing_within_the_history (void **state)
{
    (void) state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct world *world = world_new (NULL);
        struct peer *writer = peer_attached (world, 0);
        ask_create (writer, "/g", "0", 0);
        peer_do (writer);
        struct told told = stay_away (world, writer, kind);
        bool latest = (kinds[kind].flags & LATEST) != 0;
        bool data = (kinds[kind].flags & NO_DATA) == 0;
        if (told.anew != 0 || (latest ? told.count > 10 : told.count != SETS - KNOWN) ||
            (data && told.last != SETS) ||
            (data && !latest && (told.gap || told.first != KNOWN + 1))) {
            fail_msg ("%s: anew %d, %d sets from %d to %d, gap %d", kinds[kind].name, told.anew,
                      told.count, told.first, told.last, told.gap);
        }
        world_free (&world);
    }
}

static void is_told_when_the_history_is_gone (void **state)
{
    (void) state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct world *world = world_new (&(struct world_options){.effects_bytes = 128 << 10});
        struct peer *writer = peer_attached (world, 0);
        ask_create (writer, "/g", "0", 0);
        peer_do (writer);
        struct told told = stay_away (world, writer, kind);
        if (told.anew < 1 || told.count != 0) {
            fail_msg ("%s: anew %d, %d sets", kinds[kind].name, told.anew, told.count);
        }
        world_free (&world);
    }
}

/* What the server has in memory at most while `count` consumers read nothing, and so many changes
 * are made that each is to hear of. */
static int64_t cost_of (size_t count, int changes)
{
    struct world *world = world_new (NULL);
    struct peer *writer = peer_attached (world, 0);
    ask_create (writer, "/g", "0", 0);
    peer_do (writer);
    for (size_t i = 0; i < count; i++) {
        follow (world, i % KINDS)->full = true;
    }
    heap_watch_begin ();
    write_on (writer, 0, changes);
    int64_t peak = heap_peak ();
    heap_watch_end ();
    world_free (&world);
    return peak;
}

/* So much for each that reads nothing, and no more however much happens. */
static void costs_bounded_memory (void **state)
{
    enum { SLOW = 24, MOST = 1 << 20, FEW = SETS / 2 };
    (void) state;
    int64_t few = cost_of (SLOW, FEW) - cost_of (0, FEW);
    int64_t many = cost_of (SLOW, SETS) - cost_of (0, SETS);
    assert_true (few < (int64_t) SLOW * MOST);
    assert_true (many < (int64_t) SLOW * MOST);
    assert_true (many - few < MOST);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (loses_nothing_within_the_history),
        cmocka_unit_test (is_told_when_the_history_is_gone),
        cmocka_unit_test (costs_bounded_memory),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

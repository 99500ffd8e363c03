/* Requests, watches and streams by themselves. */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/src/requests.h"
#include "client/src/streams.h"
#include "client/src/watches.h"
#include "tests/unit/unit.h"

/* ---- Requests -------------------------------------------------------------------------------- */

static struct requests requests;

static void add (enum wire_kind kind, size_t size)
{
    char *data = calloc (1, size + 1);
    struct request *request = request_new (kind, "", "/a", size > 0 ? data : NULL, size);
    assert_non_null (request);
    assert_int_equal (requests_add (&requests, request), 0);
    free (data);
}

static size_t next (void)
{
    const struct wire_request *batch[REQUESTS_FRAME_COUNT_MAX];
    return requests_next (&requests, batch);
}

static enum requests_verdict answer (uint64_t xid, int code, uint64_t number, uint64_t expected)
{
    const struct wire_reply_more more = {.expected = expected};
    struct wire_reply reply = {.xid = xid, .code = code, .number = number, .more = &more};
    struct request *request = NULL;
    enum requests_verdict verdict = requests_answer (&requests, &reply, &request);
    assert_true ((verdict == REQUESTS_ANSWERED) == (request != NULL));
    request_free (request);
    return verdict;
}

static void test_order (void **state)
{
    (void) state;
    requests_init (&requests);
    add (WIRE_SET, 1);
    add (WIRE_GET, 0);
    add (WIRE_SET, 1);
    assert_int_equal (answer (1, 0, 0, 0), REQUESTS_WRONG); /* not sent */
    assert_int_equal (next (), 3);
    assert_int_equal (next (), 0);
    assert_int_equal (answer (2, 0, 0, 0), REQUESTS_WRONG);
    assert_int_equal (answer (1, 0, 7, 0), REQUESTS_WRONG); /* another number */
    assert_int_equal (answer (1, 0, 1, 0), REQUESTS_ANSWERED);
    assert_int_equal (answer (1, 0, 1, 0), REQUESTS_IGNORED);
    assert_int_equal (requests_next_number (&requests), 2);
    assert_int_equal (answer (2, COHORT_ENONODE, 0, 0), REQUESTS_ANSWERED);
    assert_int_equal (answer (3, 0, 2, 0), REQUESTS_ANSWERED);
    assert_int_equal (requests.count, 0);
    assert_int_equal (requests.bytes, 0);
    assert_int_equal (requests.flight_bytes, 0);
    requests_deinit (&requests);
}

static void test_rewind (void **state)
{
    (void) state;
    requests_init (&requests);
    for (int i = 0; i < 10; i++) {
        add (i % 2 == 0 ? WIRE_SET : WIRE_GET, 0);
    }
    assert_int_equal (next (), 10);
    requests_unsend (&requests, 4);
    assert_int_equal (requests.flight, 6);
    assert_int_equal (next (), 4);
    requests_rewind (&requests, 0, 0);
    assert_int_equal (requests.flight, 0);
    assert_int_equal (requests.window, REQUESTS_WINDOW_DEFAULT);
    assert_int_equal (next (), 10);
    assert_int_equal (requests.flight_writes, 5);
    requests_deinit (&requests);
    assert_int_equal (requests.count, 0);
}

static void test_frame_bytes (void **state)
{
    (void) state;
    requests_init (&requests);
    requests_rewind (&requests, 1000, 64 << 20);
    for (int i = 0; i < 6; i++) {
        add (WIRE_SET, 100 << 10);
    }
    add (WIRE_SET, 1 << 20);
    assert_int_equal (next (), 2);
    assert_int_equal (next (), 2);
    assert_int_equal (next (), 2);
    assert_int_equal (next (), 1);
    requests_deinit (&requests);
}

static void test_flight_of_reads (void **state)
{
    (void) state;
    requests_init (&requests);
    for (unsigned i = 0; i < REQUESTS_FLIGHT_MAX + 10; i++) {
        add (WIRE_SYNC, 0);
    }
    size_t sent = 0, count;
    while ((count = next ()) > 0) {
        sent += count;
    }
    assert_int_equal (sent, REQUESTS_FLIGHT_MAX);
    assert_int_equal (answer (1, 0, 0, 0), REQUESTS_ANSWERED);
    assert_int_equal (next (), 1);
    requests_deinit (&requests);
}

static void test_limit (void **state)
{
    (void) state;
    requests_init (&requests);
    for (int i = 0; i < 3; i++) {
        add (WIRE_SET, 80 << 20);
    }
    char *data = calloc (1, 80 << 20);
    struct request *request = request_new (WIRE_SET, "", "/a", data, 80 << 20);
    assert_int_equal (requests_add (&requests, request), COHORT_ELIMIT);
    /* A refused request has taken no number, and what closes is never refused. */
    assert_int_equal (requests.last_number, 3);
    request->wire.op.kind = WIRE_CLOSE;
    assert_int_equal (requests_add (&requests, request), 0);
    free (data);
    requests_deinit (&requests);
}

static void test_window_errors (void **state)
{
    (void) state;
    requests_init (&requests);
    add (WIRE_SET, 0);
    add (WIRE_SET, 0);
    add (WIRE_SET, 0);
    assert_int_equal (next (), 3);
    assert_int_equal (answer (1, 0, 1, 0), REQUESTS_ANSWERED);
    assert_int_equal (answer (2, COHORT_EWINDOW, 2, 0), REQUESTS_RESEND);
    assert_int_equal (answer (3, COHORT_EGAP, 3, 2), REQUESTS_IGNORED);
    assert_int_equal (answer (3, 0, 3, 0), REQUESTS_IGNORED); /* impossible, and harmless */
    const struct wire_request *batch[REQUESTS_FRAME_COUNT_MAX];
    assert_int_equal (requests_next (&requests, batch), 2);
    assert_int_equal (batch[0]->number, 2);
    assert_int_equal (batch[0]->ack_to, 1);
    assert_int_equal (answer (2, 0, 2, 0), REQUESTS_ANSWERED);
    assert_int_equal (answer (3, 0, 3, 0), REQUESTS_ANSWERED);
    /* Gaps that name what was never sent. */
    add (WIRE_SET, 0);
    assert_int_equal (next (), 1);
    assert_int_equal (answer (4, COHORT_EGAP, 4, 5), REQUESTS_WRONG);
    assert_int_equal (answer (4, COHORT_EGAP, 4, 0), REQUESTS_WRONG);
    assert_int_equal (answer (4, COHORT_EGAP, 4, 3), REQUESTS_WRONG);
    requests_deinit (&requests);
}

static void test_multi_copies (void **state)
{
    (void) state;
    char path[] = "/a", data[] = "xyz";
    struct wire_op ops[] = {{.kind = WIRE_CREATE, .path = path, .data = data, .size = 3},
                            {.kind = WIRE_DELETE, .path = "/", .version = -1}};
    struct request *request = request_new_multi (WIRE_MULTI, "/root", ops, 2);
    assert_non_null (request);
    memset (path, 0, sizeof (path));
    memset (data, 0, sizeof (data));
    assert_string_equal (request->wire.ops[0].path, "/root/a");
    assert_memory_equal (request->wire.ops[0].data, "xyz", 3);
    assert_string_equal (request->wire.ops[1].path, "/root");
    request_free (request);
}

/* ---- Watches --------------------------------------------------------------------------------- */

static void no_watch (cohort_t *self, const cohort_event_t *event, void *arg)
{
    (void) self;
    (void) event;
    (void) arg;
}

static struct watch *set_watch (struct watch_table *watches, enum wire_watch_kind kind,
                                const char *path)
{
    struct watch *watch = watch_new (kind, "", path, no_watch, NULL);
    assert_non_null (watch);
    watch_table_add (watches, watch);
    return watch;
}

static void test_watches (void **state)
{
    (void) state;
    struct watch_table watches;
    struct list fired;
    list_init (&fired);
    watch_table_init (&watches, 1);
    struct watch *first = set_watch (&watches, WIRE_WATCH_DATA, "/a");
    struct watch *second = set_watch (&watches, WIRE_WATCH_DATA, "/a");
    set_watch (&watches, WIRE_WATCH_CHILDREN, "/a");
    set_watch (&watches, WIRE_WATCH_DATA, "/b");
    struct wire_event event = {COHORT_EVENT_CHANGED, WIRE_WATCH_DATA, "/a", 9};
    watch_table_fire (&watches, &event, &fired);
    assert_ptr_equal (list_first (&fired), &first->event.node);
    assert_ptr_equal (list_last (&fired), &second->event.node);
    assert_int_equal (first->zxid, 9);
    event_free_all (&fired);
    watch_table_fire (&watches, &event, &fired);
    assert_true (list_empty (&fired));
    watch_table_lose (&watches, &fired);
    size_t lost = 0;
    struct list_node *node;
    while ((node = list_pop_front (&fired)) != NULL) {
        struct watch *watch = list_entry (node, struct watch, event.node);
        assert_int_equal (watch->type, COHORT_EVENT_WATCH_LOST);
        watch_free (watch);
        lost++;
    }
    assert_int_equal (lost, 2);
    watch_table_deinit (&watches);
}

static void test_watches_rearm (void **state)
{
    (void) state;
    struct watch_table watches;
    watch_table_init (&watches, 1);
    char path[300];
    for (int i = 0; i < 5000; i++) {
        snprintf (path, sizeof (path), "/%0200d", i);
        set_watch (&watches, WIRE_WATCH_DATA, path);
        if (i % 10 == 0) {
            set_watch (&watches, WIRE_WATCH_DATA, path);
        }
    }
    static char seen[5000];
    memset (seen, 0, sizeof (seen));
    watch_table_rearm_begin (&watches);
    bool more = true;
    while (more) {
        struct buf chunk = {0};
        more = watch_table_rearm (&watches, &chunk);
        size_t bytes = 0;
        const struct wire_watch *entries = (const struct wire_watch *) (const void *) chunk.data;
        for (size_t i = 0; i < chunk.size / sizeof (*entries); i++) {
            bytes += strlen (entries[i].path) + 8;
            long number = strtol (entries[i].path + 1, NULL, 10);
            assert_int_equal (seen[number], 0);
            seen[number] = 1;
        }
        assert_true (bytes <= 128 << 10);
        buf_deinit (&chunk);
    }
    for (int i = 0; i < 5000; i++) {
        assert_int_equal (seen[i], 1);
    }
    watch_table_deinit (&watches);
}

/* ---- Streams --------------------------------------------------------------------------------- */

/* Takes a batch without changes; how many events come of it, or the error. */
static int take (struct stream_table *streams, struct cohort_stream *stream, const char *flags,
                 uint64_t zxid)
{
    struct wire_frame frame = {0};
    struct wire_batch batch = {.stream_id = stream->id};
    struct list events;
    list_init (&events);
    atomic_init (&frame.references, 2);
    batch.batch.snapshot = strchr (flags, 's') != NULL;
    batch.batch.first = strchr (flags, 'f') != NULL;
    batch.batch.more = strchr (flags, 'm') != NULL;
    batch.batch.zxid = zxid;
    int rc = stream_table_take (streams, stream, &frame, &batch, &events);
    struct list_node *node;
    while ((node = list_pop_front (&events)) != NULL) {
        rc++;
        struct event *event = list_entry (node, struct event, node);
        event_free (event);
    }
    return rc;
}

static void test_stream_takes (void **state)
{
    (void) state;
    struct stream_table streams;
    stream_table_init (&streams, 1, 1000);
    struct cohort_stream *stream = stream_new (1, "", "/s");
    assert_int_equal (take (&streams, stream, "f", 5), COHORT_EPROTOCOL); /* before any snapshot */
    assert_int_equal (take (&streams, stream, "sm", 5), COHORT_EPROTOCOL);
    assert_int_equal (take (&streams, stream, "sfm", 4), 0);
    assert_int_equal (take (&streams, stream, "f", 5), COHORT_EPROTOCOL); /* in the midst of it */
    assert_int_equal (take (&streams, stream, "sm", 4), 0);
    assert_int_equal (stream->last_zxid, 0);
    assert_int_equal (take (&streams, stream, "s", 5), 1);
    assert_int_equal (stream->last_zxid, 5);
    assert_int_equal (take (&streams, stream, "s", 6), COHORT_EPROTOCOL); /* it has ended */
    assert_int_equal (take (&streams, stream, "f", 5), COHORT_EPROTOCOL); /* the past */
    assert_int_equal (take (&streams, stream, "fm", 6), 1);
    assert_int_equal (stream->last_zxid, 5);
    assert_true (stream->partial);
    assert_int_equal (take (&streams, stream, "", 6), 0);
    assert_int_equal (stream->last_zxid, 6);
    assert_false (stream->partial);
    /* A snapshot that begins takes the old position away, which the application hears once. */
    assert_int_equal (take (&streams, stream, "sfm", 9), 1);
    assert_int_equal (stream->last_zxid, 0);
    assert_int_equal (take (&streams, stream, "sfm", 10), 0);
    /* Another connection, and what the old one has begun is void. */
    stream_table_add (&streams, stream);
    stream_table_rewind (&streams);
    assert_int_equal (take (&streams, stream, "s", 11), COHORT_EPROTOCOL);
    assert_int_equal (take (&streams, stream, "sf", 11), 1);
    stream_table_deinit (&streams);
    stream_release (stream);
}

static void test_stream_registry (void **state)
{
    (void) state;
    struct stream_table streams;
    stream_table_init (&streams, 1, 1000);
    struct cohort_stream *list[4000];
    for (size_t i = 0; i < 4000; i++) {
        char path[200];
        snprintf (path, sizeof (path), "/%0150zu", i);
        list[i] = stream_new (i + 1, "/c", path);
    }
    for (size_t i = 4000; i > 0; i--) {
        stream_table_add (&streams, list[i - 1]);
        list[i - 1]->opened = i % 2 == 0;
    }
    assert_ptr_equal (stream_table_find (&streams, 7), list[6]);
    uint64_t expected = 2;
    bool more = true;
    stream_table_rearm_begin (&streams);
    while (more) {
        struct buf chunk = {0};
        more = stream_table_rearm (&streams, &chunk);
        const struct wire_stream *entries = (const struct wire_stream *) (const void *) chunk.data;
        for (size_t i = 0; i < chunk.size / sizeof (*entries); i++) {
            assert_int_equal (entries[i].id, expected);
            expected += 2;
        }
        assert_true (chunk.size / sizeof (*entries) * 160 <= 128 << 10);
        buf_deinit (&chunk);
        /* The next one may be closed between two frames. */
        if (more) {
            stream_table_remove (&streams, list[expected - 1]);
            expected += 2;
        }
    }
    assert_int_equal (expected, 4002);
    stream_table_remove (&streams, list[6]);
    stream_table_remove (&streams, list[6]);
    assert_null (stream_table_find (&streams, 7));
    stream_table_deinit (&streams);
    for (size_t i = 0; i < 4000; i++) {
        stream_release (list[i]);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_order),           cmocka_unit_test (test_rewind),
        cmocka_unit_test (test_frame_bytes),     cmocka_unit_test (test_flight_of_reads),
        cmocka_unit_test (test_limit),           cmocka_unit_test (test_window_errors),
        cmocka_unit_test (test_multi_copies),    cmocka_unit_test (test_watches),
        cmocka_unit_test (test_watches_rearm),   cmocka_unit_test (test_stream_takes),
        cmocka_unit_test (test_stream_registry),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

/* The session machine: watches and streams across servers, and memory that runs out. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/src/fold.h"
#include "client/src/session_state.h"
#include "tests/unit/client/rig.h"

#define ONE "tcp://a:1"

/* A new connection, greeted and welcomed, after the pause between attempts. */
static void reconnect (struct rig *rig, uint64_t attach_no)
{
    rig_down (rig, rig->last_link);
    rig_wait (rig, 40);
    rig_up (rig, rig->last_link);
    rig_forget (rig);
    rig_welcome (rig, rig->last_link, attach_no);
}

static void test_watch_fires (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_submit_watch (&rig, WIRE_GET, "/a");
    rig_submit_watch (&rig, WIRE_GET, "/none");
    rig_submit_watch (&rig, WIRE_EXISTS, "/none");
    rig_submit_watch (&rig, WIRE_CHILDREN, "/a");
    rig_reply (&rig, 1, 1, 0);
    rig_reply (&rig, 1, 2, COHORT_ENONODE);
    rig_reply (&rig, 1, 3, COHORT_ENONODE);
    rig_reply (&rig, 1, 4, 0);
    rig_forget (&rig);
    rig_event (&rig, 1, COHORT_EVENT_CREATED, WIRE_WATCH_EXISTS, "/none");
    rig_event (&rig, 1, COHORT_EVENT_CHANGED, WIRE_WATCH_DATA, "/a");
    rig_event (&rig, 1, COHORT_EVENT_CHANGED, WIRE_WATCH_DATA, "/a");
    rig_event (&rig, 1, COHORT_EVENT_CHANGED, WIRE_WATCH_DATA, "/none");
    rig_event (&rig, 1, COHORT_EVENT_CHILDREN, WIRE_WATCH_CHILDREN, "/a");
    /* get set no watch on what is not there; and a watch fires once. */
    rig_expect (&rig, "watch CREATED /none at 100\n"
                      "watch CHANGED /a at 100\n"
                      "watch CHILDREN /a at 100\n");
    rig_end (&rig);
}

static void test_watch_replay (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_submit_watch (&rig, WIRE_GET, "/a");
    rig_reply (&rig, 1, 1, 0);
    rig_zxid (&rig, 1, 120);
    rig_submit_watch (&rig, WIRE_CHILDREN, "/b"); /* never answered */
    reconnect (&rig, 2);
    rig_expect (&rig, "2> rearm from 120 watch 1 /a\n"
                      "2> beat 2 | children+w /b #2\n"
                      "connected\n");
    rig.zxid = 121;
    rig_event (&rig, 2, COHORT_EVENT_DELETED, WIRE_WATCH_DATA, "/a");
    rig_expect (&rig, "watch DELETED /a at 121\n");
    /* It is gone, and is not registered again. */
    reconnect (&rig, 3);
    assert_non_null (strstr (rig.trace, "3> rearm from 120\n"));
    rig_end (&rig);
}

static void test_rearm_in_chunks (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    char path[256];
    for (int i = 0; i < 3000; i++) {
        snprintf (path, sizeof (path), "/%0100d", i);
        rig_submit_watch (&rig, WIRE_GET, path);
        rig_reply (&rig, 1, (uint64_t) i + 1, 0);
        rig_forget (&rig);
    }
    reconnect (&rig, 2);
    int chunks = 0;
    long watches = 0;
    for (const char *at = rig.trace; (at = strstr (at, "2> rearm from 100 ")) != NULL; at++) {
        chunks++;
        watches += strtol (at + strlen ("2> rearm from 100 "), NULL, 10);
        const char *line_end = strchr (at, '\n');
        bool more = strncmp (line_end - 5, " more", 5) == 0;
        assert_int_equal (more, strstr (line_end, "rearm") != NULL);
    }
    assert_int_equal (watches, 3000);
    assert_true (chunks >= 3);
    /* The first requests come behind the last of them. */
    assert_true (strstr (rig.trace, "beat") > strstr (rig.trace, "rearm"));
    rig_end (&rig);
}

static void test_stream (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    struct cohort_stream *stream = rig_stream (&rig, 7, "/s");
    rig_expect (&rig, "1> | open /s #1\n");
    rig_reply (&rig, 1, 1, 0);
    rig_batch (&rig, 1, 7, 110, "sfm", "/s", "0");
    rig_expect (&rig, "result #1 OK\n"); /* the rest is still to come */
    rig_batch (&rig, 1, 7, 110, "s", "/s/a", "1");
    rig_batch (&rig, 1, 7, 111, "f", "/s/a", "2");
    rig_batch (&rig, 1, 8, 111, "f", "/other", "2");
    rig_expect (&rig, "batch 7 snapshot first at 110: /s=0 /s/a=1\n"
                      "batch 7 first at 111: /s/a=2\n");
    /* In the midst of a transaction the connection ends: it is asked for again as a whole. */
    rig_zxid (&rig, 1, 111);
    rig_batch (&rig, 1, 7, 112, "fm", "/s/a", "3");
    rig_zxid (&rig, 1, 112);
    reconnect (&rig, 2);
    rig_expect (&rig, "2> rearm from 111 stream 7 /s from 111\n2> beat 2\nconnected\n");
    /* A mark without changes only says how far it is. */
    rig_batch (&rig, 2, 7, 200, "", NULL, "");
    rig_expect (&rig, "");
    reconnect (&rig, 3);
    rig_expect (&rig, "3> rearm from 111 stream 7 /s from 200\n3> beat 3\nconnected\n");
    rig_stream_close (&rig, stream);
    rig_expect (&rig, "3> | unstream #2\n");
    rig_batch (&rig, 3, 7, 201, "f", "/s", "4");
    rig_expect (&rig, "");
    rig_end (&rig);
}

/* An answer, and behind it in one frame the first fragment of a transaction. */
static void reply_and_fragment (struct rig *rig, uint64_t xid, uint64_t stream, uint64_t zxid)
{
    Cohort__Wire__Stat stat = COHORT__WIRE__STAT__INIT;
    Cohort__Wire__Reply reply = COHORT__WIRE__REPLY__INIT;
    Cohort__Wire__StreamBatch batch = COHORT__WIRE__STREAM_BATCH__INIT;
    Cohort__Wire__Item first = COHORT__WIRE__ITEM__INIT, second = COHORT__WIRE__ITEM__INIT;
    Cohort__Wire__Item *items[] = {&first, &second};
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    reply.xid = xid;
    reply.zxid = zxid;
    reply.stat = &stat;
    first.item_case = COHORT__WIRE__ITEM__ITEM_REPLY;
    first.reply = &reply;
    batch.stream_id = stream;
    batch.zxid = zxid + 1;
    batch.first = batch.more = true;
    second.item_case = COHORT__WIRE__ITEM__ITEM_BATCH;
    second.batch = &batch;
    frame.items = items;
    frame.n_items = 2;
    rig_send (rig, rig->last_link, &frame);
}

/* A watch is not asked for from before it was set, whatever was to come behind the answer. */
static void test_stream_behind_watch (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    struct cohort_stream *stream = rig_stream (&rig, 7, "/s");
    rig_reply (&rig, 1, 1, 0);
    rig_batch (&rig, 1, 7, 110, "sf", "/s", "0");
    rig_submit_watch (&rig, WIRE_GET, "/a");
    reply_and_fragment (&rig, 2, 7, 115);
    reconnect (&rig, 2);
    rig_expect (&rig, "2> rearm from 115 watch 1 /a stream 7 /s from 110\n2> beat 2\nconnected\n");
    rig_stream_close (&rig, stream);
    rig_end (&rig);
}

/* A snapshot is put together of what was found and what changed on the way; it is confirmed on the
 * way, and comes out as one, at the zxid of its last piece. */
static void test_stream_snapshot (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    struct cohort_stream *stream = rig_stream (&rig, 1, "/s");
    struct cohort_stream *other = rig_stream (&rig, 2, "/t");
    rig_reply (&rig, 1, 1, 0);
    rig_reply (&rig, 1, 2, 0);
    rig_forget (&rig);
    rig_batch (&rig, 1, 1, 110, "sfm", "/s", "0");
    rig_batch (&rig, 1, 1, 110, "smt", "/s/b", "1");
    rig_expect (&rig, "1> taken 1/100\n");
    rig_batch (&rig, 1, 1, 111, "smc", "/s/a", "2");
    rig_batch (&rig, 1, 1, 112, "smd", "/s/b", "");
    rig_batch (&rig, 1, 2, 112, "sfmt", "/t", "");
    rig_batch (&rig, 1, 1, 113, "sm", "/s/c", "3");
    rig_submit (&rig, WIRE_GET, "/x", NULL);
    rig_expect (&rig, "1> taken 2/200\n"
                      "1> | get /x #3\n");
    rig_batch (&rig, 1, 1, 120, "st", NULL, "");
    rig_expect (&rig, "1> taken 1/300\n"
                      "batch 1 snapshot first at 120: /s=0 /s/a=2 /s/c=3\n");
    rig_batch (&rig, 1, 1, 121, "f", "/s/c", "4");
    rig_expect (&rig, "batch 1 first at 121: /s/c=4\n");
    /* A server that begins again: nothing of before counts. */
    rig_batch (&rig, 1, 2, 122, "sfm", "/t", "");
    rig_batch (&rig, 1, 2, 122, "smt", "/t/a", "");
    rig_batch (&rig, 1, 2, 123, "sfm", "/t", "");
    rig_batch (&rig, 1, 2, 124, "s", "/t/b", "");
    rig_expect (&rig, "1> taken 2/400\n"
                      "batch 2 snapshot first at 124: /t= /t/b=\n");
    /* One that is closed while it is under way needs no confirmation. */
    rig_batch (&rig, 1, 2, 125, "sfm", "/t", "");
    rig_expect (&rig, "batch 2 snapshot first more at 125:\n");
    rig_stream_close (&rig, other);
    rig_batch (&rig, 1, 2, 125, "smt", "/t/a", "");
    rig_expect (&rig, "1> | unstream #4\n");
    stream_release (stream);
    rig_end (&rig);
}

/* A server that has said nothing for a while, and begins again, counts what it sends on: it waits
 * for the confirmation of what was sent before that. */
static void test_stream_snapshot_begun_again (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    struct cohort_stream *stream = rig_stream (&rig, 1, "/s");
    rig_reply (&rig, 1, 1, 0);
    rig_batch (&rig, 1, 1, 110, "sfm", "/s", "0");
    rig_forget (&rig);
    rig.busy = true;
    rig_batch (&rig, 1, 1, 110, "smt", "/s/a", "1");
    rig_batch (&rig, 1, 1, 111, "sfm", "/s", "2");
    rig.busy = false;
    rig_drain (&rig);
    rig_expect (&rig, "1> taken 1/100\n");
    /* On another connection it begins with nothing. */
    rig.busy = true;
    rig_batch (&rig, 1, 1, 111, "smt", "/s/a", "1");
    rig.busy = false;
    rig_drain (&rig);
    reconnect (&rig, 2);
    rig_expect (&rig, "2> rearm from 100 stream 1 /s from 0\n2> beat 2\nconnected\n");
    stream_release (stream);
    rig_end (&rig);
}

/* A snapshot that needs more memory than was allowed ends its stream, and nothing else. */
static void test_stream_too_large (void **state)
{
    (void) state;
    static struct rig rig;
    static char data[4000];
    memset (data, 'x', sizeof data - 1);
    rig_connected (&rig, ONE);
    struct cohort_stream *stream = rig_stream (&rig, 1, "/s");
    rig_reply (&rig, 1, 1, 0);
    rig_batch (&rig, 1, 1, 110, "sfm", "/s", data);
    rig_batch (&rig, 1, 1, 110, "smt", "/s/a", data);
    rig_expect (&rig, "1> | open /s #1\nresult #1 OK\n1> taken 1/100\n");
    assert_int_equal (stream->rc, 0);
    rig_batch (&rig, 1, 1, 110, "smt", "/s/b", data);
    rig_batch (&rig, 1, 1, 110, "smt", "/s/c", data);
    rig_batch (&rig, 1, 1, 110, "s", NULL, "");
    /* The server hears at once: it must not wait for this one's confirmations. */
    rig_expect (&rig, "1> | unstream #2\nstream 1 ended\n");
    assert_int_equal (stream->rc, COHORT_ETOOBIG);
    /* The next server is not asked for it; and who closes it himself has nothing left to close. */
    reconnect (&rig, 2);
    rig_expect (&rig, "2> rearm from 100\n2> beat 2 | unstream #2\nconnected\n");
    rig_reply (&rig, 2, 2, 0);
    rig_expect (&rig, "");
    rig_stream_close (&rig, stream);
    rig_expect (&rig, "result #0 OK\n");
    rig_end (&rig);
}

static void test_stream_snapshot_interrupted (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    struct cohort_stream *stream = rig_stream (&rig, 1, "/s");
    rig_reply (&rig, 1, 1, 0);
    rig_batch (&rig, 1, 1, 110, "sf", "/s", "0");
    /* A RESET that is cut off: the application has forgotten its state, so all comes anew. */
    rig_forget (&rig);
    rig_batch (&rig, 1, 1, 130, "sfm", "/s", "1");
    rig_expect (&rig, "batch 1 snapshot first more at 130:\n");
    reconnect (&rig, 2);
    rig_expect (&rig, "2> rearm from 100 stream 1 /s from 0\n2> beat 2\nconnected\n");
    rig_batch (&rig, 2, 1, 140, "sf", "/s", "2");
    rig_expect (&rig, "batch 1 snapshot first at 140: /s=2\n");
    stream_release (stream);
    rig_end (&rig);
}

static size_t freed;

static void count_freed (void *memory, int count)
{
    (void) memory;
    freed += count < 0;
}

/* A large snapshot that nobody wants any more is freed in steps, at once but one by one: the thread
 * has heartbeats to send, of other sessions, too. */
static void test_stream_snapshot_discarded (void **state)
{
    (void) state;
    enum { ZNODES = 3 * FOLD_FREED_COUNT, BESIDES = 100 };
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig.session->streams.bytes_max = UINT64_MAX;
    struct cohort_stream *stream = rig_stream (&rig, 1, "/s");
    rig_reply (&rig, 1, 1, 0);
    rig_batch (&rig, 1, 1, 110, "sfm", "/s", "");
    for (int i = 1; i < ZNODES; i++) {
        char path[32];
        snprintf (path, sizeof path, "/s/%d", i);
        rig_batch (&rig, 1, 1, 110, "sm", path, "data");
    }
    rig_forget (&rig);
    size_t all = 0, steps = 0;
    freed = 0;
    mem_watch (count_freed);
    rig_stream_close (&rig, stream);
    do {
        assert_in_range (freed, 1, FOLD_FREED_COUNT + BESIDES);
        all += freed;
        freed = 0;
        steps += session_deadline (rig.session) <= rig.now;
        session_tick (rig.session, rig.now);
        rig_drain (&rig);
    } while (freed > 0);
    mem_watch (NULL);
    assert_in_range (all, ZNODES, ZNODES + 2 * BESIDES);
    assert_in_range (steps, ZNODES / FOLD_FREED_COUNT - 1, ZNODES / FOLD_FREED_COUNT);
    assert_true (session_deadline (rig.session) > rig.now);
    rig_expect (&rig, "1> | unstream #2\n");
    rig_end (&rig);
}

static void test_stream_unanswered (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    struct cohort_stream *stream = rig_stream (&rig, 1, "/s");
    reconnect (&rig, 2);
    rig_expect (&rig, "2> rearm from 0\n2> beat 2 | open /s #1\nconnected\n");
    rig_reply (&rig, 2, 1, COHORT_ELIMIT);
    rig_expect (&rig, "result #1 ELIMIT\nstream 1 ended\n");
    rig_stream_close (&rig, stream);
    rig_expect (&rig, "result #0 OK\n");
    rig_end (&rig);
}

static void test_stream_past (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    struct cohort_stream *stream = rig_stream (&rig, 1, "/s");
    rig_reply (&rig, 1, 1, 0);
    rig_batch (&rig, 1, 1, 110, "sf", "/s", "0");
    rig_forget (&rig);
    rig_batch (&rig, 1, 1, 110, "f", "/s", "1");
    rig_expect (&rig, "drop 1\nsuspended\n");
    stream_release (stream);
    rig_end (&rig);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* A life with everything in it. Whatever fails, the session must stay sound, lose no result, and
 * go on: servers are patient. Returns false if there was no session to begin with. */
static bool live (struct rig *rig)
{
    if (!rig_try_begin (rig, ONE)) {
        return false;
    }
    rig_up (rig, 1);
    rig_welcome (rig, 1, 1);
    rig_submit_watch (rig, WIRE_GET, "/a");
    rig_submit (rig, WIRE_SET, "/a", "x");
    struct cohort_stream *stream = rig_stream (rig, 1, "/s");
    rig_wait (rig, 100);
    for (uint64_t xid = 1; xid <= 3; xid++) {
        rig_reply (rig, rig->last_link, xid, 0);
    }
    rig_batch (rig, rig->last_link, 1, 110, "sf", "/s", "0");
    rig_event (rig, rig->last_link, COHORT_EVENT_CHANGED, WIRE_WATCH_DATA, "/a");
    rig_down (rig, rig->last_link);
    rig_wait (rig, 30);
    if (!rig->up[rig->last_link]) {
        rig_up (rig, rig->last_link);
    }
    rig_wait (rig, 30);
    rig->last_number = 1;
    rig_welcome (rig, rig->last_link, 2);
    rig_wait (rig, 30);
    if (stream != NULL) {
        stream_release (stream);
    }
    return true;
}

static void test_out_of_memory (void **state)
{
    (void) state;
    static struct rig rig;
    uint64_t n = 1;
    for (;; n++) {
        mem_fail_at (n);
        bool lived = live (&rig);
        bool came = mem_fail_clear ();
        if (!lived) {
            assert_true (came);
            continue;
        }
        /* Left alone, the session ends, and nothing that was asked for waits any longer. */
        for (int i = 0; i < 20; i++) {
            rig_jump (&rig, 100);
        }
        struct session_view view;
        session_view (rig.session, &view);
        assert_int_equal (view.state, view.id != 0 ? COHORT_LOST : COHORT_CONNECTING);
        size_t expected = view.id != 0 ? 3 - rig.out_of_memory : 0;
        size_t results = 0;
        for (const char *at = rig.trace; (at = strstr (at, "result #")) != NULL; at++) {
            results++;
        }
        assert_true (results >= expected && results <= 3);
        rig_end (&rig);
        if (!came) {
            break;
        }
    }
    assert_true (n > 20);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_watch_fires),
        cmocka_unit_test (test_watch_replay),
        cmocka_unit_test (test_rearm_in_chunks),
        cmocka_unit_test (test_stream),
        cmocka_unit_test (test_stream_behind_watch),
        cmocka_unit_test (test_stream_snapshot),
        cmocka_unit_test (test_stream_snapshot_begun_again),
        cmocka_unit_test (test_stream_too_large),
        cmocka_unit_test (test_stream_snapshot_interrupted),
        cmocka_unit_test (test_stream_snapshot_discarded),
        cmocka_unit_test (test_stream_unanswered),
        cmocka_unit_test (test_stream_past),
        cmocka_unit_test (test_out_of_memory),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

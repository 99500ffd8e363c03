/* Memory runs out at every allocation of each part in turn: an error, or a reset link, and no leak.
 * (Apply is excepted: a server that cannot apply must stop.) */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "cohort/error.h"
#include "server/node/links.h"
#include "server/node/node.h"
#include "server/node/proposals.h"
#include "server/node/tracker.h"
#include "tests/unit/node/cluster.h"

static void test_wire (void **state)
{
    (void) state;
    struct zab_point points[2] = {{1, 2}, {3, 4}};
    struct zab_message messages[2] = {
        {.type = ZAB_ACKEPOCH, .points_count = 2, .points = points, .point = {5, 6}},
        {.type = ZAB_VOTE, .role = ZAB_LOOKING}};
    struct peer_snapshot part = {.kind = PEER_OFFER, .point = {1, 2}};
    struct peer_frame frame;
    memset (&frame, 0, sizeof frame);
    frame.messages = messages;
    frame.messages_count = 2;
    frame.snapshots = &part;
    frame.snapshots_count = 1;
    frame.has_bootstrap = true;
    frame.bootstrap =
        (struct peer_bootstrap){.stage = PEER_DONE,
                                .has_cluster = true,
                                .config = {.count = 1, .members = {{1, CONFIG_VOTER, 1}}}};
    for (uint64_t n = 1;; n++) {
        struct arena arena;
        struct buf bytes;
        struct peer_frame decoded;
        bool header_valid;
        arena_init (&arena, 64, 0); /* small blocks: many allocations */
        buf_init (&bytes);
        mem_fail_at (n);
        bool encoded = peer_frame_encode (&bytes, &arena, &frame);
        const char *wrong =
            encoded ? peer_frame_decode (&decoded, &arena, bytes.data, bytes.size, &header_valid)
                    : "";
        bool failed = mem_fail_clear ();
        arena_deinit (&arena);
        buf_deinit (&bytes);
        if (!failed) {
            assert_null (wrong);
            assert_true (n > 5);
            break;
        }
        assert_non_null (wrong);
    }
}

static bool read_nothing (void *arg, zxid_t after, zxid_t through, size_t max_bytes,
                          struct outbox_range *range)
{
    (void) arg;
    (void) after;
    (void) through;
    (void) max_bytes;
    (void) range;
    return false;
}

static void test_outbox (void **state)
{
    (void) state;
    struct zab_point point = {1, 2};
    for (uint64_t n = 1;; n++) {
        struct outbox outbox;
        struct arena arena;
        struct peer_frame frame;
        outbox_init (&outbox);
        arena_init (&arena, 64, 0);
        mem_fail_at (n);
        outbox_message (&outbox, &(struct zab_message){
                                     .type = ZAB_ACKEPOCH, .points_count = 1, .points = &point});
        outbox_message (&outbox, &(struct zab_message){.type = ZAB_PING});
        outbox_forward (&outbox, (const uint8_t *) "x", 1);
        outbox_record (&outbox.syncs, (uint64_t[]){1}, 1);
        outbox_snapshot (&outbox, &(struct peer_snapshot){.kind = PEER_CHUNK},
                         (const uint8_t *) "x", 1);
        struct outbox_credit credit = {1, 1, 1};
        enum outbox_result result =
            outbox_compose (&outbox, &credit, read_nothing, NULL, &arena, &frame);
        bool failed = mem_fail_clear ();
        if (!failed) {
            assert_int_equal (result, OUTBOX_FRAME);
            assert_int_equal (frame.messages_count, 2);
            assert_int_equal (frame.chunk.size, 1);
        } else {
            assert_int_equal (result, OUTBOX_BROKEN);
        }
        outbox_deinit (&outbox);
        arena_deinit (&arena);
        if (!failed) {
            break;
        }
    }
}

static bool no_session (void *arg, uint64_t id, struct tree_session *session)
{
    (void) arg;
    (void) id;
    (void) session;
    return false;
}

static bool some_sessions (void *arg, uint64_t after, struct tree_session *session)
{
    (void) arg;
    *session = (struct tree_session){.id = after + 1, .timeout_ms = 1000, .attach_no = 1};
    return after < 20;
}

static bool no_dead (void *arg, struct tree_session *session)
{
    (void) arg;
    (void) session;
    return false;
}

static void test_tracker (void **state)
{
    (void) state;
    struct tracker_host host = {NULL, no_session, some_sessions, no_dead, NULL, NULL, NULL};
    struct logger logger = {NULL, NULL, LOG_ERROR};
    for (uint64_t n = 1;; n++) {
        mem_fail_at (n);
        struct tracker *tracker = tracker_new (&host, 500, &logger, 0);
        if (tracker != NULL) {
            tracker_lead (tracker);
            tracker_ready (tracker);
            while (tracker_turn (tracker)) {
            }
            tracker_heartbeat (tracker, 1, 5, 1, 1);
            tracker_disconnected (tracker, 1, 5, 1);
        }
        bool failed = mem_fail_clear ();
        tracker_destroy (&tracker);
        if (!failed) {
            break;
        }
    }
}

static void test_proposals (void **state)
{
    (void) state;
    static struct proposals proposals;
    uint8_t entry[1000] = {0};
    for (uint64_t n = 1;; n++) {
        proposals_init (&proposals);
        size_t added = 0;
        mem_fail_at (n);
        for (int i = 0; i < 100; i++) {
            added += proposals_add (&proposals, 1, entry, sizeof entry) == 0;
        }
        bool failed = mem_fail_clear ();
        assert_int_equal (proposals_count (&proposals), added);
        const struct zab_proposal *list;
        assert_int_equal (proposals_take (&proposals, &list), added);
        assert_int_equal (list[added - 1].size, sizeof entry);
        proposals_deinit (&proposals);
        if (!failed) {
            assert_int_equal (added, 100);
            break;
        }
        assert_int_equal (added, 99);
    }
}

static void no_peer (void *arg, uint32_t peer)
{
    (void) arg;
    (void) peer;
}

static bool no_send (void *arg, uint32_t peer, const uint8_t *data, size_t size)
{
    (void) arg;
    (void) peer;
    (void) data;
    (void) size;
    return true;
}

/* A server of three starts, again and again: it starts, or says that memory ran out. */
static void test_start (void **state)
{
    (void) state;
    struct cluster cluster;
    cluster_init (&cluster, 3, 1);
    for (uint64_t n = 1;; n++) {
        char error[256] = "";
        struct store *store = NULL;
        struct store_options store_options = {
            .disk = memory_disk_new (), .server_id = 1, .store_id = 7};
        assert_int_equal (store_open (&store_options, &store, error, sizeof error), 0);
        struct node_options options = {
            .id = 1,
            .members = cluster.members,
            .members_count = 3,
            .store = store,
            .transport = {.peer_connect = no_peer, .peer_close = no_peer, .peer_send = no_send}};
        mem_fail_at (n);
        struct node *node = node_new (&options, error, sizeof error);
        int code = node != NULL ? node_start (node, 1, 1, error, sizeof error) : COHORT_ENOMEM;
        bool failed = mem_fail_clear ();
        if (failed) {
            assert_int_equal (code, COHORT_ENOMEM);
            assert_string_equal (error, "out of memory");
        } else {
            assert_int_equal (code, 0);
        }
        node_destroy (&node);
        store_close (&store);
        if (!failed) {
            assert_true (n > 5);
            break;
        }
    }
    cluster_deinit (&cluster);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_wire),    cmocka_unit_test (test_outbox),
        cmocka_unit_test (test_tracker), cmocka_unit_test (test_proposals),
        cmocka_unit_test (test_start),
    };
    return cmocka_run_group_tests_name ("memory", tests, NULL, NULL);
}

/* A server whose state differs from that of the others is quarantined, says so, makes its state
 * anew and comes back; where nobody knows who is wrong, all say so. */

#include "tests/unit/unit.h"

#include <string.h>

#include "cohort/error.h"
#include "tests/support/tree_rot.h"
#include "tests/unit/node/cluster.h"

/* From when a state is wrong until its server shows it to nobody: two rounds and what they take. */
enum { ALARM_MS = 400, HEAL_MS = 5000 };
/* One that heals at once is proven in the next rounds: nobody has waited for it in vain. */
enum { PROVEN_MS = 600 };

static struct cluster cluster;
static uint64_t snapshot_bytes; /* of all; 0: the default */

static bool has_session (struct cluster *self, void *arg)
{
    (void) self;
    return stub_clients (*(uint32_t *) arg)->created[1] != 0;
}

static bool is_idle (struct cluster *self, void *arg)
{
    uint32_t id = *(uint32_t *) arg;
    return stub_pending (stub_clients (id)) == 0 && cluster_settled (self, NULL);
}

static enum node_state state_of (uint32_t id)
{
    struct node_status status;
    node_status (cluster.servers[id].node, &status);
    assert_true ((status.state == NODE_STATE_SOUND) == (status.state_reason[0] == '\0'));
    return status.state;
}

static bool is_quarantined (struct cluster *self, void *arg)
{
    (void) self;
    return stub_clients (*(uint32_t *) arg)->quarantined != NULL;
}

static bool all_sound (struct cluster *self, void *arg)
{
    for (uint32_t id = 1; id <= self->count; id++) {
        if (self->servers[id].node != NULL &&
            (state_of (id) != NODE_STATE_SOUND || stub_clients (id)->quarantined != NULL)) {
            return false;
        }
    }
    return cluster_settled (self, arg);
}

static struct tree *tree_of (uint32_t id)
{
    return (struct tree *) (uintptr_t) node_tree (cluster.servers[id].node);
}

static bool has_data (uint32_t id, const char *data)
{
    struct tree_node node;
    return tree_get (tree_of (id), "/a", 2, &node) == 0 && node.data_size == strlen (data) &&
           memcmp (node.data, data, node.data_size) == 0;
}

static void expect_data (uint32_t id, const char *data)
{
    assert_true (has_data (id, data));
}

/* "/a" is on all of them, written through the leader; its session. */
static uint64_t begin (size_t count, uint32_t *leader)
{
    cluster_init (&cluster, count, 11);
    cluster.options.snapshot_bytes = snapshot_bytes;
    cluster_start_all (&cluster);
    assert_true (cluster_until (&cluster, 5000, cluster_settled, NULL));
    *leader = cluster_leader (&cluster);
    stub_create_session (stub_clients (*leader), 1, 600000, 600000);
    assert_true (cluster_until (&cluster, 5000, has_session, leader));
    uint64_t session = stub_clients (*leader)->created[1];
    stub_create (stub_clients (*leader), session, 1, "/a", "data", 4, 0);
    assert_true (cluster_until (&cluster, 5000, is_idle, leader));
    return session;
}

static void go_wrong (uint32_t id)
{
    stub_ignore_digests ();
    assert_true (tree_diverge_data (tree_of (id), "/a", "gone wrong", 10));
}

/* It serves nobody while the others go on, and comes back with what the log makes. */
static void follower_is_quarantined_and_heals (void **state)
{
    (void) state;
    uint32_t leader = 0;
    uint64_t session = begin (3, &leader);
    uint32_t wrong = leader % 3 + 1;
    go_wrong (wrong);
    stub_create (stub_clients (leader), session, 2, "/b", "", 0, 0);
    assert_true (cluster_until (&cluster, ALARM_MS, is_quarantined, &wrong));
    assert_int_equal (state_of (wrong), NODE_STATE_QUARANTINED);
    assert_non_null (strstr (stub_clients (wrong)->quarantined, "quarantined: at zxid"));
    assert_int_equal (state_of (leader), NODE_STATE_SOUND);
    assert_true (cluster_until (&cluster, PROVEN_MS, all_sound, NULL));
    expect_data (wrong, "data");
    assert_int_equal (cluster_leader (&cluster), leader);
    cluster_deinit (&cluster);
}

static bool has_backup (struct cluster *self, void *arg)
{
    (void) self;
    return stub_clients (*(uint32_t *) arg)->backup_whole;
}

/* Makes a server write a backup; the digest of what is in it. */
static uint64_t back_up (uint32_t id)
{
    struct store_snapshot_info newest = {.digest = 0};
    stub_backup (stub_clients (id));
    assert_true (cluster_until (&cluster, HEAL_MS, has_backup, &id));
    assert_true (store_snapshot_newest (cluster.servers[id].store, &newest));
    return newest.digest;
}

/* Its backups are no better than its state: not the one that is asked for while it is wrong, nor
 * the snapshot that it wrote before anybody knew. */
static void nothing_wrong_is_handed_out (void **state)
{
    (void) state;
    uint32_t leader = 0;
    (void) begin (3, &leader);
    uint32_t wrong = leader % 3 + 1;
    go_wrong (wrong);
    uint64_t before = back_up (wrong);
    assert_null (stub_clients (wrong)->quarantined);

    assert_true (cluster_until (&cluster, ALARM_MS, is_quarantined, &wrong));
    stub_backup (stub_clients (wrong));
    assert_int_equal (stub_clients (wrong)->backup_code, COHORT_ESTATE);
    assert_non_null (strstr (stub_clients (wrong)->backup_text, "quarantined: at zxid"));

    assert_true (cluster_until (&cluster, HEAL_MS, all_sound, NULL));
    uint64_t right = back_up (leader);
    assert_int_not_equal (before, right);
    assert_int_equal (back_up (wrong), right);
    cluster_deinit (&cluster);
}

/* A leader is one of many: it hands over, to one of those that agree. */
static void leader_steps_down (void **state)
{
    (void) state;
    uint32_t leader = 0;
    (void) begin (3, &leader);
    go_wrong (leader);
    cluster_run (&cluster, 50);
    assert_true (cluster_until (&cluster, ALARM_MS, is_quarantined, &leader));
    struct node_status status;
    node_status (cluster.servers[leader].node, &status);
    assert_int_not_equal (status.zab.role, ZAB_LEADING);
    assert_true (cluster_until (&cluster, HEAL_MS, all_sound, NULL));
    expect_data (leader, "data");
    assert_int_not_equal (cluster_leader (&cluster), leader);
    cluster_deinit (&cluster);
}

/* Of two nobody knows who is wrong; but who is finds that his own log makes another state. */
static void one_of_two_finds_out_by_himself (void **state)
{
    (void) state;
    for (uint32_t turn = 0; turn < 2; turn++) {
        uint32_t leader = 0;
        (void) begin (2, &leader);
        uint32_t wrong = turn == 0 ? leader : 3 - leader;
        go_wrong (wrong);
        assert_true (cluster_until (&cluster, ALARM_MS, is_quarantined, &wrong));
        assert_null (stub_clients (3 - wrong)->quarantined);
        assert_non_null (strstr (stub_clients (wrong)->quarantined, "what its own log makes"));
        assert_true (cluster_until (&cluster, HEAL_MS, all_sound, NULL));
        expect_data (wrong, "data");
        cluster_deinit (&cluster);
    }
}

static bool has_failed (struct cluster *self, void *arg)
{
    const char *text = NULL;
    return node_failure (self->servers[*(uint32_t *) arg].node, &text) == COHORT_ECORRUPT;
}

/* So much that a snapshot follows. */
static void write_one (uint32_t leader, uint64_t session, uint64_t number)
{
    static const char data[8192] = "more than a snapshot";
    char path[] = "/b0";
    path[2] = (char) (path[2] + (int) number);
    stub_create (stub_clients (leader), session, number, path, data, sizeof data, 0);
    cluster_run (&cluster, 6);
}

/* So fast that several are written before it is noticed that they are of what is wrong. */
static void write_much (uint32_t leader, uint64_t session, uint64_t number)
{
    for (uint64_t end = number + 8; number < end; number++) {
        write_one (leader, session, number);
    }
}

/* Those that were written while the state was wrong are struck off: what is left are those of when
 * it was right, and the one that was written when it was right again. */
static void expect_none_between (uint32_t id, zxid_t right, zxid_t wrong)
{
    struct store *store = cluster.servers[id].store;
    struct store_snapshot_info info;
    struct store_reader *reader;
    assert_true (store_snapshot_newest (store, &info));
    assert_true (info.point.zxid >= wrong);
    assert_int_equal (store_reader_below (store, info.point.zxid, &reader, &info), 0);
    assert_true (info.point.zxid <= right);
    store_reader_destroy (&reader);
}

/* Whatever it wrote since: there is a snapshot of when it was right. */
static void one_of_two_finds_out_however_much_is_written (void **state)
{
    (void) state;
    for (uint32_t turn = 0; turn < 2; turn++) {
        uint32_t leader = 0;
        snapshot_bytes = 1;
        uint64_t session = begin (2, &leader);
        snapshot_bytes = 0;
        uint32_t wrong = turn == 0 ? leader : 3 - leader;
        struct store_snapshot_info newest = {.point = {0, 0}};
        cluster_run (&cluster, PROVEN_MS);
        go_wrong (wrong);
        zxid_t since = tree_zxid (tree_of (wrong));
        write_much (leader, session, 2);
        assert_true (store_snapshot_newest (cluster.servers[wrong].store, &newest));
        assert_true (newest.point.zxid > since);
        assert_true (cluster_until (&cluster, HEAL_MS, is_quarantined, &wrong));
        assert_null (stub_clients (3 - wrong)->quarantined);
        assert_true (cluster_until (&cluster, HEAL_MS, all_sound, NULL));
        expect_data (wrong, "data");
        expect_none_between (wrong, since, newest.point.zxid);
        cluster_deinit (&cluster);
    }
}

/* What its newest snapshot makes is not what it had, and wrong as well: it goes on looking. */
static void one_of_two_went_wrong_twice (void **state)
{
    (void) state;
    for (uint32_t turn = 0; turn < 2; turn++) {
        uint32_t leader = 0;
        snapshot_bytes = 1;
        uint64_t session = begin (2, &leader);
        snapshot_bytes = 0;
        uint32_t wrong = turn == 0 ? leader : 3 - leader;
        cluster_run (&cluster, PROVEN_MS);
        go_wrong (wrong);
        write_one (leader, session, 2);
        assert_true (tree_diverge_data (tree_of (wrong), "/a", "once more", 9));
        assert_true (cluster_until (&cluster, HEAL_MS, is_quarantined, &wrong));
        assert_true (cluster_until (&cluster, HEAL_MS, all_sound, NULL));
        assert_null (stub_clients (3 - wrong)->quarantined);
        expect_data (wrong, "data");
        cluster_deinit (&cluster);
    }
}

/* The two others are alike, and nothing that it has makes what they have: it ends, and begins anew
 * with that. */
static void a_disk_that_is_wrong_is_given_up (void **state)
{
    (void) state;
    uint32_t leader = 0;
    snapshot_bytes = 1;
    uint64_t session = begin (3, &leader);
    snapshot_bytes = 0;
    uint32_t wrong = leader % 3 + 1;
    go_wrong (leader);
    go_wrong (wrong % 3 + 1);
    write_much (leader, session, 2);
    assert_true (cluster_until (&cluster, 10000, has_failed, &wrong));
    assert_true (store_meta (cluster.servers[wrong].store)->condemned);
    cluster_kill (&cluster, wrong);
    assert_int_equal (cluster_start (&cluster, wrong), 0);
    assert_false (store_meta (cluster.servers[wrong].store)->condemned);
    assert_int_equal (store_meta (cluster.servers[wrong].store)->trust, ZAB_DAMAGED);
    assert_true (cluster_until (&cluster, HEAL_MS, all_sound, NULL));
    assert_int_equal (store_meta (cluster.servers[wrong].store)->trust, ZAB_WHOLE);
    expect_data (wrong, "gone wrong");
    cluster_deinit (&cluster);
}

static bool follows (struct cluster *self, void *arg)
{
    struct node_status status;
    node_status (self->servers[*(uint32_t *) arg].node, &status);
    return status.zab.activated;
}

/* Of one that was away while the others went wrong, who were two. */
static bool others_give_way (struct cluster *self, void *arg)
{
    uint32_t right = *(uint32_t *) arg;
    assert_null (stub_clients (right)->quarantined);
    for (uint32_t id = 1; id <= self->count; id++) {
        if (id != right && self->servers[id].node != NULL && has_failed (self, &id)) {
            cluster_kill (self, id);
            assert_int_equal (cluster_start (self, id), 0);
        }
    }
    for (uint32_t id = 1; id <= self->count; id++) {
        if (!has_data (id, "data")) {
            return false;
        }
    }
    return all_sound (self, NULL);
}

/* While the third is away a leader goes wrong, writes that down, and gives it to one that comes
 * back.  The two are no quorum against the third, not even when what that one has been given is
 * what it finds on its own disk. */
static void who_was_filled_by_a_wrong_leader_outvotes_nobody (void **state)
{
    (void) state;
    for (int starts = 1; starts <= 2; starts++) {
        uint32_t leader = 0;
        snapshot_bytes = 1;
        uint64_t session = begin (3, &leader);
        snapshot_bytes = 0;
        uint32_t heir = leader % 3 + 1, away = heir % 3 + 1;
        cluster_kill (&cluster, heir);
        write_much (leader, session, 2);
        assert_true (cluster_until (&cluster, HEAL_MS, is_idle, &leader));
        cluster_run (&cluster, PROVEN_MS); /* its log begins behind what the heir has */
        go_wrong (leader);
        write_one (leader, session, 10);
        cluster_kill (&cluster, away);
        for (int i = 0; i < starts; i++) {
            cluster_kill (&cluster, heir);
            assert_int_equal (cluster_start (&cluster, heir), 0);
            assert_true (cluster_until (&cluster, HEAL_MS, follows, &heir));
            expect_data (heir, "gone wrong");
            cluster_run (&cluster, PROVEN_MS);
        }
        assert_int_equal (cluster_start (&cluster, away), 0);
        assert_true (cluster_until (&cluster, 6 * HEAL_MS, others_give_way, &away));
        cluster_deinit (&cluster);
    }
}

static bool is_contested (struct cluster *self, void *arg)
{
    (void) self;
    return state_of (*(uint32_t *) arg) == NODE_STATE_CONTESTED;
}

/* While it writes a snapshot states differ, of two, and the other one dies. The third, which was
 * away, takes a snapshot: without it there is no leader, and nothing is ever proven. */
static void who_is_contested_fills_others (void **state)
{
    (void) state;
    uint32_t leader = 0;
    snapshot_bytes = 1;
    uint64_t session = begin (3, &leader);
    snapshot_bytes = 0;
    uint32_t right = leader % 3 + 1, away = right % 3 + 1;
    cluster_kill (&cluster, away);
    write_much (leader, session, 2);
    cluster_run (&cluster, PROVEN_MS); /* its log begins behind what that one has */
    cluster.servers[right].slow_disk = true;
    write_one (leader, session, 10);
    (void) store_work (cluster.servers[right].store); /* the entry, and no more */
    cluster_run (&cluster, 6);
    go_wrong (leader);
    assert_true (cluster_until (&cluster, ALARM_MS, is_contested, &right));
    cluster.servers[right].slow_disk = false;
    cluster_kill (&cluster, leader);
    assert_int_equal (cluster_start (&cluster, away), 0);
    assert_true (cluster_until (&cluster, HEAL_MS, follows, &away));
    expect_data (away, "data");
    cluster_deinit (&cluster);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (follower_is_quarantined_and_heals),
        cmocka_unit_test (nothing_wrong_is_handed_out),
        cmocka_unit_test (leader_steps_down),
        cmocka_unit_test (one_of_two_finds_out_by_himself),
        cmocka_unit_test (one_of_two_finds_out_however_much_is_written),
        cmocka_unit_test (one_of_two_went_wrong_twice),
        cmocka_unit_test (a_disk_that_is_wrong_is_given_up),
        cmocka_unit_test (who_was_filled_by_a_wrong_leader_outvotes_nobody),
        cmocka_unit_test (who_is_contested_fills_others),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

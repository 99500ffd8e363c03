/* Administrators of the configuration, in three nodes: those of a new ensemble, and those that take
 * the place of others when all of them are lost. */

#include "tests/unit/unit.h"

#include <string.h>

#include "client/base/buf.h"
#include "server/node/identity_text.h"
#include "tests/unit/node/cluster.h"

/* Of equal logs that of the highest id leads. */
enum { SERVERS = 3, MIDDLE = 2, LAST = 3, LIMIT_MS = 3000, TRIES = 40 };

/* What the configuration of each server says, by id. */
static struct wanted {
    const char *admins;
    bool replace;
} wanted[SERVERS + 1];

static void start (struct cluster *cluster, uint32_t id)
{
    cluster->options.admins = wanted[id].admins;
    cluster->options.replace_admins = wanted[id].replace;
    assert_int_equal (cluster_start (cluster, id), 0);
}

static void restart (struct cluster *cluster, uint32_t id, struct wanted with)
{
    wanted[id] = with;
    cluster_kill (cluster, id);
    start (cluster, id);
    assert_true (cluster_until (cluster, LIMIT_MS, cluster_settled, NULL));
}

static void begin (struct cluster *cluster, const char *admins)
{
    cluster_init (cluster, SERVERS, 1);
    for (uint32_t id = 1; id <= SERVERS; id++) {
        wanted[id] = (struct wanted){admins, false};
        start (cluster, id);
    }
    assert_true (cluster_until (cluster, LIMIT_MS, cluster_settled, NULL));
}

/* Whoever else leads is restarted, until `id` does, which is not. */
static void let_lead (struct cluster *cluster, uint32_t id)
{
    for (int i = 0; i < TRIES && cluster_leader (cluster) != id; i++) {
        uint32_t leader = cluster_leader (cluster);
        restart (cluster, leader, wanted[leader]);
    }
    assert_int_equal (cluster_leader (cluster), id);
    assert_true (cluster_until (cluster, LIMIT_MS, cluster_settled, NULL));
}

static void expect (struct cluster *cluster, const char *admins)
{
    struct buf list = {0};
    char error[256];
    assert_true (admins_parse (&list, admins, error, sizeof error));
    for (uint32_t id = 1; id <= SERVERS; id++) {
        size_t size;
        const uint8_t *found = tree_admins (node_tree (cluster->servers[id].node), &size);
        assert_int_equal (size, list.size);
        assert_memory_equal (found, list.data, size);
    }
    buf_deinit (&list);
}

/* Those of a later configuration do nothing by themselves. */
static void test_kept (void **state)
{
    (void) state;
    struct cluster cluster;
    begin (&cluster, "ip:10.0.0.1");
    expect (&cluster, "ip:10.0.0.1");
    for (uint32_t id = 1; id <= SERVERS; id++) {
        restart (&cluster, id, (struct wanted){"ip:10.0.0.2", false});
    }
    expect (&cluster, "ip:10.0.0.1");
    cluster_deinit (&cluster);
}

static void test_replaced (void **state)
{
    (void) state;
    struct cluster cluster;
    begin (&cluster, "ip:10.0.0.1");
    restart (&cluster, LAST, (struct wanted){"ip:10.0.0.2", true});
    let_lead (&cluster, LAST);
    cluster_run (&cluster, 100);
    expect (&cluster, "ip:10.0.0.2");
    /* They are in the log, not in the configuration alone. */
    for (uint32_t id = 1; id <= SERVERS; id++) {
        restart (&cluster, id, (struct wanted){NULL, false});
    }
    expect (&cluster, "ip:10.0.0.2");
    cluster_deinit (&cluster);
}

static bool middle_leads (struct cluster *cluster, void *arg)
{
    (void) arg;
    return cluster_leader (cluster) == MIDDLE;
}

/* Once in the life of a process: who is named later stays, though the same one leads again. */
static void test_replaced_once (void **state)
{
    (void) state;
    struct cluster cluster;
    begin (&cluster, "ip:10.0.0.1");
    restart (&cluster, LAST, (struct wanted){"ip:10.0.0.2", true});
    let_lead (&cluster, LAST);
    cluster_run (&cluster, 100);
    expect (&cluster, "ip:10.0.0.2");
    restart (&cluster, MIDDLE, (struct wanted){"ip:10.0.0.3", true});
    cluster_partition (&cluster, LAST, 1, true);
    cluster_partition (&cluster, LAST, MIDDLE, true);
    assert_true (cluster_until (&cluster, LIMIT_MS, middle_leads, NULL));
    cluster_run (&cluster, 100);
    cluster_partition (&cluster, LAST, 1, false);
    cluster_partition (&cluster, LAST, MIDDLE, false);
    assert_true (cluster_until (&cluster, LIMIT_MS, cluster_settled, NULL));
    expect (&cluster, "ip:10.0.0.3");
    wanted[MIDDLE].replace = false;
    let_lead (&cluster, LAST);
    cluster_run (&cluster, 100);
    expect (&cluster, "ip:10.0.0.3");
    cluster_deinit (&cluster);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_kept),
        cmocka_unit_test (test_replaced),
        cmocka_unit_test (test_replaced_once),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

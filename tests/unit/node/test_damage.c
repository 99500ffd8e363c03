/* A server whose state changes by itself stops before it tells anybody, and comes back sound. */

#include "tests/unit/unit.h"

#include <string.h>

#include "cohort/error.h"
#include "tests/support/tree_rot.h"
#include "tests/unit/node/cluster.h"

static struct cluster cluster;

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

static bool has_failed (struct cluster *self, void *arg)
{
    const char *text = NULL;
    return node_failure (self->servers[*(uint32_t *) arg].node, &text) == COHORT_ECORRUPT;
}

/* Three servers, and "/a" on all of them, written through `id`; its session. */
static uint64_t begin (uint32_t id)
{
    cluster_init (&cluster, 3, 7);
    cluster_start_all (&cluster);
    assert_true (cluster_until (&cluster, 5000, cluster_settled, NULL));
    stub_create_session (stub_clients (id), 1, 600000, 600000);
    assert_true (cluster_until (&cluster, 5000, has_session, &id));
    uint64_t session = stub_clients (id)->created[1];
    stub_create (stub_clients (id), session, 1, "/a", "data", 4, 0);
    assert_true (cluster_until (&cluster, 5000, is_idle, &id));
    return session;
}

static void rot (uint32_t id, bool data)
{
    struct tree *tree = (struct tree *) (uintptr_t) node_tree (cluster.servers[id].node);
    struct prng prng;
    struct tree_rot done;
    prng_seed (&prng, 1);
    assert_true (tree_rot (tree, &prng, "/a", data, &done));
}

/* Nobody asks for it: scrubbing finds it, the others go on, and a restart heals. */
static void test_scrubbed (void **state)
{
    (void) state;
    for (uint32_t id = 1; id <= 3; id++) {
        uint32_t writer = id == 1 ? 2 : 1;
        uint64_t session = begin (writer);
        rot (id, true);
        assert_true (cluster_until (&cluster, 2000, has_failed, &id));
        const char *text = NULL;
        (void) node_failure (cluster.servers[id].node, &text);
        assert_non_null (strstr (text, "\"/a\""));
        assert_non_null (strstr (text, "start this server again"));
        cluster_kill (&cluster, id);
        stub_create (stub_clients (writer), session, 2, "/b", "", 0, 0);
        assert_true (cluster_until (&cluster, 10000, is_idle, &writer));
        assert_int_equal (cluster_start (&cluster, id), 0);
        assert_true (cluster_until (&cluster, 10000, cluster_settled, NULL));
        struct tree_node node;
        assert_int_equal (tree_get (node_tree (cluster.servers[id].node), "/a", 2, &node), 0);
        assert_memory_equal (node.data, "data", 4);
        cluster_deinit (&cluster);
    }
}

/* The server's own client writes by what has changed: it is told nothing. */
static void test_no_answer (void **state)
{
    (void) state;
    uint32_t id = 1;
    uint64_t session = begin (id);
    rot (id, false);
    stub_create (stub_clients (id), session, 2, "/a/child", "", 0, 0);
    assert_true (cluster_until (&cluster, 2000, has_failed, &id));
    assert_int_equal (stub_pending (stub_clients (id)), 1);
    cluster_deinit (&cluster);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_scrubbed),
        cmocka_unit_test (test_no_answer),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

/* Copies, waits and pools that are destroyed by their own handlers, and their clients after them,
 * with a real server: nothing is called any more, and nothing is left. */

#include "tests/unit/recipes/ensembles.h"

static struct doomed {
    cohort_t *client;
    cohort_mirror_t *mirror;
    cohort_directory_t *directory;
    cohort_config_t *config;
    cohort_await_t *await;
    cohort_pool_t *pool;
} doomed;

static void end_it_all (void)
{
    cohort_mirror_destroy (&doomed.mirror);
    cohort_directory_destroy (&doomed.directory);
    cohort_config_destroy (&doomed.config);
    cohort_await_destroy (&doomed.await);
    cohort_pool_destroy (&doomed.pool);
    cohort_destroy (&doomed.client);
}

static void on_doomed_mirror (cohort_mirror_t *mirror, const cohort_mirror_event_t *event,
                              void *arg)
{
    (void) mirror;
    if (event->kind == *(cohort_mirror_kind_t *) arg) {
        end_it_all ();
    }
}

static void on_doomed_directory (cohort_directory_t *directory,
                                 const cohort_directory_event_t *event, void *arg)
{
    (void) directory;
    (void) event;
    (void) arg;
    end_it_all ();
}

static void on_doomed_config (cohort_config_t *config, const cohort_config_changes_t *changes,
                              void *arg)
{
    (void) config;
    (void) changes;
    (void) arg;
    end_it_all ();
}

static void on_doomed_await (cohort_await_t *await, int rc, const cohort_seen_t *seen, void *arg)
{
    (void) await;
    (void) rc;
    (void) seen;
    (void) arg;
    end_it_all ();
}

static void on_doomed_pool (cohort_pool_t *pool, const cohort_pool_event_t *event, void *arg)
{
    (void) pool;
    if (event->kind == *(cohort_pool_kind_t *) arg) {
        end_it_all ();
    }
}

static void run_into_doom (void)
{
    for (int passed_ms = 0; doomed.client != NULL; passed_ms += STEP_MS) {
        assert_true (passed_ms < LIMIT_MS);
        assert_true (cohort_run (doomed.client, STEP_MS) >= 0);
    }
}

static void all_end_inside_their_handlers (void **state)
{
    (void) state;
    for (int kind = COHORT_MIRROR_ADDED; kind <= COHORT_MIRROR_LOST; kind++) {
        cohort_mirror_kind_t at = (cohort_mirror_kind_t) kind;
        doomed = (struct doomed){.client = join ()};
        doomed.mirror = cohort_mirror_new (doomed.client, "/", NULL);
        assert_int_equal (cohort_mirror_wait (doomed.mirror, LIMIT_MS), 0);
        cohort_mirror_set_handler (doomed.mirror, on_doomed_mirror, &at);
        assert_int_equal (
            cohort_create (doomed.client, "/m", "", 0, COHORT_PERSISTENT, NULL, NULL, NULL), 0);
        assert_int_equal (cohort_set (doomed.client, "/m", "x", 1, COHORT_ANY_VERSION, NULL), 0);
        assert_int_equal (cohort_delete (doomed.client, "/m", COHORT_ANY_VERSION), 0);
        if (at == COHORT_MIRROR_LOST) {
            assert_int_equal (cohort_test_expire (test, doomed.client), 0);
        } else if (at == COHORT_MIRROR_SYNCED) {
            cohort_fault_isolate (doomed.client, 1);
            until (&doomed.client, 1, cohort_mirror_stale_ms (doomed.mirror) > 0);
            cohort_fault_isolate (doomed.client, 0);
        }
        run_into_doom ();
    }
    doomed = (struct doomed){.client = join ()};
    doomed.directory = cohort_directory_new (doomed.client, "/", NULL);
    cohort_directory_set_handler (doomed.directory, on_doomed_directory, NULL);
    run_into_doom ();
    doomed = (struct doomed){.client = join ()};
    doomed.config = cohort_config_new (doomed.client, "/settings");
    assert_int_equal (cohort_config_watch_prefix (doomed.config, "", on_doomed_config, NULL), 0);
    run_into_doom ();
    doomed = (struct doomed){.client = join ()};
    doomed.await = cohort_await_new (doomed.client, "/settings", 0, cohort_await_test_gone, NULL);
    cohort_await_set_handler (doomed.await, on_doomed_await, NULL);
    run_into_doom ();
    static const cohort_pool_kind_t kinds[] = {COHORT_POOL_LEADS, COHORT_POOL_REGISTERED,
                                               COHORT_POOL_ASSIGNED, COHORT_POOL_TASK};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        cohort_pool_options_t options = {.size = sizeof options,
                                         .roles = COHORT_POOL_MASTER | COHORT_POOL_WORKER,
                                         .worker = "w"};
        cohort_pool_kind_t at = kinds[i];
        doomed = (struct doomed){.client = join ()};
        doomed.pool = cohort_pool_new (doomed.client, "/jobs", &options);
        cohort_pool_set_handler (doomed.pool, on_doomed_pool, &at);
        assert_int_equal (cohort_pool_submit_async (doomed.pool, "t", "", 0, NULL, NULL), 0);
        run_into_doom ();
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (all_end_inside_their_handlers, begin_one, end),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

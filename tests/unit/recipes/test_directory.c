/* The list of instances: what is listed, bad data, and destruction at any moment. */

#include "cohort/directory.h"

#include "tests/unit/recipes/fixture.h"

struct plan {
    int at; /* kind of event, 0: nothing */
    cohort_directory_t **directory;
    cohort_t **client; /* destroyed as well, unless NULL */
};

static struct plan plan;

static void on_event (cohort_directory_t *self, const cohort_directory_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) arg;
    static const char *const names[] = {"",      "add",    "change", "remove", "bad",
                                        "batch", "synced", "lost",   "error"};
    trace ("%s", names[event->kind]);
    if (event->instance != NULL) {
        assert_ptr_equal (cohort_directory_get (self, event->instance->group, event->instance->uid),
                          event->instance);
        trace (" %s/%s:%d", event->instance->group, event->instance->uid, event->instance->port);
    }
    if (event->before != NULL) {
        trace (" (%s/%s:%d)", event->before->group, event->before->uid, event->before->port);
    }
    if (event->kind == COHORT_DIRECTORY_BAD) {
        trace (" %s %s", event->path, event->text);
    }
    if (event->kind == COHORT_DIRECTORY_BATCH) {
        trace (" %zu", event->count);
    }
    if (event->rc != 0) {
        trace (" %d", event->rc);
    }
    trace ("; ");
    if (plan.at != 0 && plan.at == (int) event->kind) {
        plan.at = 0;
        cohort_directory_destroy (plan.directory);
        if (plan.client != NULL) {
            cohort_destroy (plan.client);
        }
    }
}

/* A directory of /s with e/1 and e/2 and w/3, synced. */
static cohort_directory_t *synced (cohort_t *client)
{
    fake_create ("/s", "", 0);
    fake_create ("/s/e", "", 0);
    fake_create ("/s/w", "", 0);
    fake_create ("/s/e/1", "ip=a\nport=1\n", 71);
    fake_create ("/s/e/2", "ip=b\nport=2\n", 72);
    fake_create ("/s/w/3", "ip=c\nport=3\n", 73);
    cohort_directory_options_t options = {.size = sizeof (options), .clock = fake_clock};
    cohort_directory_t *self = cohort_directory_new (client, "/s", &options);
    assert_non_null (self);
    cohort_directory_set_handler (self, on_event, NULL);
    assert_int_equal (cohort_directory_stale_ms (self), -1);
    assert_int_equal (cohort_directory_wait (self, -1), 0);
    assert_trace ("add e/1:1; add e/2:2; add w/3:3; batch 3; synced; ");
    return self;
}

static int start (void **state)
{
    (void) fake_start (state);
    plan = (struct plan){.at = 0};
    return 0;
}

static void list (cohort_directory_t *self, const char *group)
{
    const cohort_instance_t *instance = cohort_directory_first (self, group);
    for (; instance != NULL; instance = cohort_directory_next (self, group, instance)) {
        trace ("%s/%s ", instance->group, instance->uid);
    }
}

static void lists_instances (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_directory_t *self = synced (client);
    assert_int_equal (cohort_directory_count (self), 3);
    assert_int_equal (cohort_directory_zxid (self), fake_zxid ());
    list (self, NULL);
    assert_trace ("e/1 e/2 w/3 ");
    list (self, "e");
    assert_trace ("e/1 e/2 ");
    list (self, "w");
    assert_trace ("w/3 ");
    list (self, "n");
    assert_trace ("");
    const cohort_instance_t *instance = cohort_directory_get (self, "w", "3");
    assert_string_equal (instance->ip, "c");
    assert_int_equal (instance->session, 73);
    assert_int_equal (instance->token.czxid, fake_stat ("/s/w/3")->czxid);
    assert_int_equal (instance->mzxid, fake_stat ("/s/w/3")->mzxid);
    assert_null (cohort_directory_get (self, "w", "1"));
    assert_null (cohort_directory_get (self, NULL, "1"));
    assert_null (cohort_directory_get (self, "w", NULL));
    assert_null (cohort_directory_next (self, NULL, NULL));
    cohort_directory_destroy (&self);
    assert_null (self);
    cohort_directory_destroy (&self);
}

static void follows_changes (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_directory_t *self = synced (client);
    fake_begin ();
    fake_set ("/s/e/1", "ip=a\nport=11\n");
    fake_delete ("/s/e/2");
    fake_create ("/s/w/4", "ip=d\nport=4\n", 74);
    fake_commit ();
    fake_settle (client);
    assert_trace ("change e/1:11 (e/1:1); remove (e/2:2); add w/4:4; batch 3; ");
    /* Nodes at other depths are nobody's instances. */
    fake_create ("/s/n", "ip=d\nport=4\n", 74);
    fake_create ("/s/w/4/deep", "ip=d\nport=4\n", 74);
    fake_settle (client);
    assert_trace ("batch 0; batch 0; ");
    assert_int_equal (cohort_directory_count (self), 3);
    cohort_directory_destroy (&self);
}

/* Owners change although no znode does: heard live, or in a new snapshot. */
static void a_session_hands_its_instances_over (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_directory_t *self = synced (client);
    uint64_t ozxid = cohort_directory_get (self, "e", "1")->token.ozxid;
    fake_hand_over (71, 81);
    fake_settle (client);
    assert_trace ("batch 0; ");
    const cohort_instance_t *instance = cohort_directory_get (self, "e", "1");
    assert_int_equal (instance->session, 81);
    assert_true (instance->token.ozxid > ozxid);
    assert_int_equal (instance->token.ozxid, fake_stat ("/s/e/1")->ozxid);
    assert_int_equal (cohort_directory_get (self, "e", "2")->session, 72);
    fake_suspend (client);
    fake_hand_over (72, 82);
    fake_resume (client, true);
    fake_settle (client);
    assert_trace ("batch 0; synced; ");
    assert_int_equal (cohort_directory_get (self, "e", "1")->session, 81);
    assert_int_equal (cohort_directory_get (self, "e", "2")->session, 82);
    cohort_directory_destroy (&self);
}

static void over_the_whole_tree (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/e", "", 0);
    fake_create ("/e/1", "ip=a\nport=1\n", 71);
    cohort_directory_t *self = cohort_directory_new (client, "/", NULL);
    assert_int_equal (cohort_directory_wait (self, -1), 0);
    assert_non_null (cohort_directory_get (self, "e", "1"));
    cohort_directory_destroy (&self);
}

static void one_bad_entry_is_not_a_dead_list (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_directory_t *self = synced (client);
    fake_create ("/s/e/0", "garbage", 70);
    fake_settle (client);
    assert_trace ("bad /s/e/0 line 1: not key=value: garbage -215; batch 1; ");
    fake_set ("/s/e/1", "");
    fake_settle (client);
    assert_trace ("bad (e/1:1) /s/e/1 there is no ip -215; batch 1; ");
    assert_int_equal (cohort_directory_count (self), 2);
    assert_int_equal (cohort_directory_bad_count (self), 2);
    list (self, NULL);
    assert_trace ("e/2 w/3 ");
    assert_null (cohort_directory_get (self, "e", "0"));
    assert_int_equal (cohort_directory_report (self, "0", 0), COHORT_ENONODE);
    /* Still bad; good again; gone. */
    fake_set ("/s/e/0", "rubbish");
    fake_set ("/s/e/1", "ip=a\nport=12\n");
    fake_delete ("/s/e/0");
    fake_settle (client);
    assert_trace ("bad /s/e/0 line 1: not key=value: rubbish -215; batch 1; add e/1:12; batch 1; "
                  "batch 0; ");
    assert_int_equal (cohort_directory_count (self), 3);
    assert_int_equal (cohort_directory_bad_count (self), 0);
    cohort_directory_destroy (&self);
}

static void keeps_its_list_without_a_connection (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_directory_t *self = synced (client);
    assert_int_equal (cohort_directory_stale_ms (self), 0);
    fake_suspend (client);
    fake_now_ms = 300;
    assert_int_equal (cohort_directory_stale_ms (self), 300);
    assert_int_equal (cohort_directory_count (self), 3);
    assert_int_equal (cohort_directory_wait (self, 1), COHORT_ETIMEDOUT);
    fake_expire (client, false, true);
    fake_delete ("/s/e/1");
    cohort_dispatch (client, 0);
    assert_trace ("lost -112; ");
    assert_int_equal (cohort_directory_count (self), 3);
    fake_settle (client);
    assert_trace ("remove (e/1:1); batch 1; synced; ");
    fake_fail_stream (client);
    fake_expire (client, false, true);
    fake_settle (client);
    assert_trace ("lost -112; error -10; ");
    assert_int_equal (cohort_directory_retry (self), 0);
    assert_int_equal (cohort_directory_wait (self, -1), 0);
    assert_trace ("batch 0; synced; ");
    cohort_directory_destroy (&self);
}

static void a_long_list_in_fragments (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_fragment (client, 7);
    fake_create ("/s", "", 0);
    fake_create ("/s/e", "", 0);
    for (int i = 0; i < 500; i++) {
        char path[32];
        snprintf (path, sizeof (path), "/s/e/%d", i);
        fake_create (path, i % 100 == 0 ? "?" : "ip=a\nport=1\n", 1);
    }
    cohort_directory_t *self = cohort_directory_new (client, "/s", NULL);
    assert_int_equal (cohort_directory_wait (self, -1), 0);
    assert_int_equal (cohort_directory_count (self), 495);
    assert_int_equal (cohort_directory_bad_count (self), 5);
    cohort_directory_destroy (&self);
}

static void destroyed_in_its_own_handler (void **state)
{
    (void) state;
    for (int with_client = 0; with_client < 2; with_client++) {
        for (int kind = COHORT_DIRECTORY_ADDED; kind <= COHORT_DIRECTORY_ERROR; kind++) {
            cohort_t *client = fake_client ();
            cohort_t *used = client;
            cohort_directory_t *self = synced (client);
            plan = (struct plan){kind, &self, with_client ? &client : NULL};
            if (kind == COHORT_DIRECTORY_LOST || kind == COHORT_DIRECTORY_SYNCED) {
                fake_expire (used, false, true);
            } else if (kind == COHORT_DIRECTORY_ERROR) {
                fake_batch (used, &(cohort_batch_t){.zxid = 1000});
            } else {
                fake_begin ();
                fake_create ("/s/e/0", "ip=a\nport=1\n", 70);
                fake_set ("/s/e/1", "ip=a\nport=11\n");
                fake_delete ("/s/e/2");
                fake_create ("/s/e/9", "?", 79);
                fake_set ("/s/w/3", "ip=a\nport=1\n");
                fake_commit ();
            }
            cohort_dispatch (used, 0);
            if (self != NULL) {
                fake_flush (used);
                cohort_dispatch (used, 0);
            }
            assert_null (self);
            trace_text[0] = 0;
            fake_reset ();
        }
    }
}

static void destroyed_while_it_is_waited_for (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_directory_t *self = cohort_directory_new (client, "/s", NULL);
    cohort_directory_set_handler (self, on_event, NULL);
    plan = (struct plan){COHORT_DIRECTORY_BATCH, &self, &client};
    assert_int_equal (cohort_directory_wait (self, -1), COHORT_ECLOSING);
    assert_null (self);
}

static void bad_arguments (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    assert_null (cohort_directory_new (NULL, "/", NULL));
    assert_null (cohort_directory_new (client, NULL, NULL));
    assert_null (cohort_directory_new (client, "relative", NULL));
    const cohort_directory_options_t bad[] = {
        {.size = 1},
        {.size = sizeof (bad[0]), .strategy = -1},
        {.size = sizeof (bad[0]), .strategy = 4},
        {.size = sizeof (bad[0]), .quarantine_errors = -1},
        {.size = sizeof (bad[0]), .quarantine_ms = -1},
    };
    for (size_t i = 0; i < sizeof (bad) / sizeof (bad[0]); i++) {
        assert_null (cohort_directory_new (client, "/", &bad[i]));
    }
    assert_int_equal (fake_streams (client), 0);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (lists_instances),
        TEST (follows_changes),
        TEST (a_session_hands_its_instances_over),
        TEST (over_the_whole_tree),
        TEST (one_bad_entry_is_not_a_dead_list),
        TEST (keeps_its_list_without_a_connection),
        TEST (a_long_list_in_fragments),
        TEST (destroyed_in_its_own_handler),
        TEST (destroyed_while_it_is_waited_for),
        TEST (bad_arguments),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}

/* The live copy: whole transactions, differences after a gap, and destruction at any moment. */

#include "tests/unit/recipes/mirrors.h"

/* ---- Following ------------------------------------------------------------------------------- */

static void follows_a_subtree (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_mirror_t *self = synced (client);
    fake_create ("/s/c", "3", 0);
    fake_set ("/s/a", "one");
    fake_delete ("/s/b");
    fake_create ("/t", "elsewhere", 0);
    fake_settle (client);
    assert_trace ("add /s/c=3; batch 1; change /s/a=one (/s/a=1); batch 1; "
                  "remove (/s/b=2); batch 1; ");
    assert_int_equal (cohort_mirror_count (self), 3);
    const cohort_node_t *node = cohort_mirror_get (self, "/s/a");
    assert_int_equal (node->size, 3);
    assert_int_equal (node->stat.version, 1);
    assert_null (cohort_mirror_get (self, "/s/b"));
    assert_null (cohort_mirror_get (self, "/t"));
    assert_null (cohort_mirror_get (self, NULL));
    cohort_mirror_destroy (&self);
    assert_null (self);
    fake_delete ("/s/c");
    fake_settle (client);
    assert_trace ("");
}

static void a_node_that_does_not_exist_yet (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_mirror_t *self = mirror_of (client, "/later");
    assert_int_equal (cohort_mirror_zxid (self), 0);
    assert_int_equal (cohort_mirror_stale_ms (self), -1);
    assert_int_equal (cohort_mirror_wait (self, -1), 0);
    assert_trace ("batch 0; synced; ");
    assert_null (cohort_mirror_first (self));
    fake_create ("/later", "now", 0);
    fake_settle (client);
    assert_trace ("add /later=now; batch 1; ");
    cohort_mirror_destroy (&self);
}

static void iterates_in_order (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    static const char *const paths[] = {"/s",     "/s/a",   "/s/a/x", "/s/a/x/y",
                                        "/s/a/z", "/s/a-b", "/s/b",   "/s/c"};
    for (size_t i = 0; i < 8; i++) {
        fake_create (paths[i], "", 0);
    }
    cohort_mirror_t *self = mirror_of (client, "/s");
    fake_settle (client);
    const cohort_node_t *node = cohort_mirror_first (self);
    for (size_t i = 0; i < 8; i++) {
        assert_string_equal (node->path, paths[i]);
        node = cohort_mirror_next (self, node);
    }
    assert_null (node);
    assert_null (cohort_mirror_next (self, NULL));
    trace_text[0] = 0;
    node = cohort_mirror_first_child (self, "/s");
    for (; node != NULL; node = cohort_mirror_next_child (self, node)) {
        trace ("%s ", node->path);
    }
    node = cohort_mirror_first_child (self, "/s/a");
    for (; node != NULL; node = cohort_mirror_next_child (self, node)) {
        trace ("%s ", node->path);
    }
    assert_trace ("/s/a /s/a-b /s/b /s/c /s/a/x /s/a/z ");
    assert_null (cohort_mirror_first_child (self, "/s/c"));
    assert_null (cohort_mirror_first_child (self, "/nowhere"));
    assert_null (cohort_mirror_first_child (self, NULL));
    assert_null (cohort_mirror_next_child (self, NULL));
    cohort_mirror_destroy (&self);
}

static void the_whole_tree (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/a", "1", 0);
    fake_create ("/a/b", "2", 0);
    fake_create ("/c", "3", 0);
    cohort_mirror_t *self = mirror_of (client, "/");
    fake_settle (client);
    assert_trace ("add /a=1; add /a/b=2; add /c=3; batch 3; synced; ");
    const cohort_node_t *node = cohort_mirror_get (self, "/a");
    assert_string_equal (cohort_mirror_next_child (self, node)->path, "/c");
    cohort_mirror_destroy (&self);
}

static void a_transaction_is_seen_as_a_whole (void **state)
{
    (void) state;
    for (size_t fragment = 0; fragment <= 4; fragment++) {
        cohort_t *client = fake_client ();
        fake_fragment (client, fragment);
        cohort_mirror_t *self = synced (client);
        fake_begin ();
        fake_set ("/s/b", "two");
        fake_set ("/s/b", "three");
        fake_delete ("/s/a");
        fake_create ("/s/a", "new", 0);
        fake_create ("/s/c", "", 0);
        fake_delete ("/s/c");
        fake_create ("/s/d", "4", 0);
        fake_commit ();
        /* One fragment after the other: nothing shows before the last. */
        uint64_t before = cohort_mirror_zxid (self);
        while (fake_callbacks (client) > 1) {
            cohort_dispatch (client, 1);
            assert_int_equal (cohort_mirror_zxid (self), before);
            assert_string_equal (cohort_mirror_get (self, "/s/a")->data, "1");
            assert_string_equal (cohort_mirror_get (self, "/s/b")->data, "2");
            assert_trace ("");
        }
        fake_settle (client);
        assert_trace ("change /s/a=new (/s/a=1); change /s/b=three (/s/b=2); add /s/d=4; "
                      "batch 3; ");
        cohort_mirror_destroy (&self);
        fake_reset ();
    }
}

static void a_batch_that_is_cut_off_comes_again (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_mirror_t *self = synced (client);
    cohort_change_t change = {.kind = COHORT_CHANGE_DATA, .path = "/s/a", .data = "x", .size = 1};
    change.stat.mzxid = 1000;
    cohort_batch_t half = {.first = 1, .more = 1, .zxid = 1000, .changes = &change, .count = 1};
    fake_batch (client, &half);
    fake_settle (client);
    change.data = "y";
    half.more = 0;
    fake_batch (client, &half);
    fake_settle (client);
    assert_trace ("change /s/a=y (/s/a=1); batch 1; ");
    /* What was delivered already changes nothing. */
    change.data = "z";
    fake_batch (client, &half);
    fake_settle (client);
    assert_trace ("");
    cohort_mirror_destroy (&self);
}

static cohort_change_t owned (const char *path, uint64_t session, uint64_t ozxid)
{
    cohort_change_t change = {.kind = COHORT_CHANGE_CREATED, .path = path, .data = ""};
    change.stat.czxid = change.stat.mzxid = change.stat.ozxid = ozxid;
    change.stat.ephemeral_owner = session;
    return change;
}

static cohort_change_t handed_over (uint64_t from, uint64_t to, uint64_t zxid)
{
    cohort_change_t change = {.kind = COHORT_CHANGE_OWNER, .path = "", .from = from};
    change.stat.ephemeral_owner = to;
    change.stat.ozxid = zxid;
    return change;
}

static uint64_t owner_of (cohort_mirror_t *self, const char *path)
{
    return cohort_mirror_get (self, path)->stat.ephemeral_owner;
}

/* Nobody hears of each znode; what the same transaction created before counts, and what it created
 * after does not. */
static void owners_change (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_mirror_t *self = synced (client);
    cohort_change_t changes[] = {owned ("/s/x", 7, 1000), owned ("/s/y", 8, 1000)};
    cohort_batch_t batch = {.first = 1, .zxid = 1000, .changes = changes, .count = 2};
    fake_batch (client, &batch);
    fake_settle (client);
    assert_trace ("add /s/x=; add /s/y=; batch 2; ");
    cohort_change_t given[] = {owned ("/s/v", 7, 1001), handed_over (7, 9, 1001),
                               owned ("/s/w", 7, 1001)};
    batch = (cohort_batch_t){.first = 1, .zxid = 1001, .changes = given, .count = 3};
    fake_batch (client, &batch);
    fake_settle (client);
    assert_trace ("add /s/v=; add /s/w=; batch 2; ");
    assert_int_equal (owner_of (self, "/s/x"), 9);
    assert_int_equal (cohort_mirror_get (self, "/s/x")->stat.ozxid, 1001);
    assert_int_equal (owner_of (self, "/s/v"), 9);
    assert_int_equal (owner_of (self, "/s/w"), 7);
    assert_int_equal (owner_of (self, "/s/y"), 8);
    cohort_mirror_destroy (&self);
}

static void what_does_not_continue_is_refused (void **state)
{
    (void) state;
    cohort_change_t change = {.kind = COHORT_CHANGE_DATA, .path = "/s/a", .data = "x", .size = 1};
    const cohort_batch_t odd[] = {
        {.first = 0, .more = 0, .zxid = 1000, .changes = &change, .count = 1},
        {.first = 1, .more = 1, .zxid = 1000, .changes = &change, .count = 1},
    };
    for (int i = 0; i < 2; i++) {
        cohort_t *client = fake_client ();
        cohort_mirror_t *self = synced (client);
        fake_batch (client, &odd[i]);
        if (i == 1) {
            cohort_batch_t other = {.zxid = 1001, .changes = &change, .count = 1};
            fake_batch (client, &other);
        }
        fake_settle (client);
        assert_trace ("error -5; ");
        assert_int_equal (cohort_mirror_wait (self, -1), COHORT_EPROTOCOL);
        assert_string_equal (cohort_mirror_get (self, "/s/a")->data, "1");
        assert_int_equal (cohort_mirror_retry (self), 0);
        assert_int_equal (cohort_mirror_wait (self, -1), 0);
        assert_trace ("batch 0; synced; ");
        assert_int_equal (cohort_mirror_retry (self), 0);
        cohort_mirror_destroy (&self);
        fake_reset ();
    }
    /* A transaction before any snapshot. */
    cohort_t *client = fake_client ();
    cohort_mirror_t *self = mirror_of (client, "/s");
    cohort_batch_t early = {.first = 1, .zxid = 1, .changes = &change, .count = 1};
    fake_batch (client, &early);
    cohort_dispatch (client, 0);
    assert_trace ("error -5; ");
    cohort_mirror_destroy (&self);
}

/* ---- Gaps ------------------------------------------------------------------------------------ */

static void a_new_snapshot_is_a_difference (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_fragment (client, 2);
    cohort_mirror_t *self = synced (client);
    fake_create ("/s/d", "4", 0);
    fake_settle (client);
    trace_text[0] = 0;
    fake_suspend (client);
    fake_set ("/s/a", "one");
    fake_delete ("/s/b");
    fake_create ("/s/c", "3", 0);
    fake_resume (client, true);
    fake_settle (client);
    assert_trace ("change /s/a=one (/s/a=1); add /s/c=3; remove (/s/b=2); batch 3; synced; ");
    assert_int_equal (cohort_mirror_count (self), 4);
    cohort_mirror_destroy (&self);
}

static void recreated_with_the_same_version (void **state)
{
    (void) state;
    /* CURATOR-391: exactly one change, by whichever way the news comes. */
    for (int resnapshot = 0; resnapshot < 2; resnapshot++) {
        cohort_t *client = fake_client ();
        cohort_mirror_t *self = synced (client);
        fake_suspend (client);
        fake_begin ();
        fake_delete ("/s/a");
        fake_create ("/s/a", "1", 0);
        fake_commit ();
        fake_resume (client, resnapshot != 0);
        fake_settle (client);
        assert_trace (resnapshot ? "change /s/a=1 (/s/a=1); batch 1; synced; "
                                 : "change /s/a=1 (/s/a=1); batch 1; ");
        cohort_mirror_destroy (&self);
        fake_reset ();
    }
}

static void nothing_changed_meanwhile (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_mirror_t *self = synced (client);
    fake_suspend (client);
    fake_resume (client, true);
    fake_settle (client);
    assert_trace ("batch 0; synced; ");
    cohort_mirror_destroy (&self);
}

static void keeps_its_list_through_a_lost_session (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_mirror_t *self = synced (client);
    fake_expire (client, false, true);
    fake_delete ("/s/b");
    cohort_dispatch (client, 0);
    assert_trace ("lost -112; ");
    assert_int_equal (cohort_mirror_count (self), 3);
    assert_true (cohort_mirror_stale_ms (self) > 0);
    assert_int_equal (cohort_mirror_wait (self, -1), 0);
    assert_trace ("remove (/s/b=2); batch 1; synced; ");
    assert_int_equal (cohort_mirror_stale_ms (self), 0);
    assert_int_equal (fake_renewals (), 1);
    cohort_mirror_destroy (&self);
}

static void a_refused_session_is_not_renewed_for_ever (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_mirror_t *self = synced (client);
    fake_refuse_session (client);
    fake_expire (client, false, true);
    fake_settle (client);
    assert_trace ("lost -112; lost -112; error -112; ");
    assert_int_equal (cohort_mirror_wait (self, -1), COHORT_ESESSIONEXPIRED);
    assert_int_equal (cohort_mirror_count (self), 3);
    assert_int_equal (cohort_mirror_retry (self), 0);
    assert_int_equal (cohort_mirror_wait (self, -1), 0);
    assert_trace ("batch 0; synced; ");
    cohort_mirror_destroy (&self);
}

static void lost_in_the_middle_of_a_batch (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_fragment (client, 1);
    cohort_mirror_t *self = synced (client);
    fake_begin ();
    fake_set ("/s/a", "one");
    fake_set ("/s/b", "two");
    fake_commit ();
    cohort_dispatch (client, 1);
    fake_expire (client, false, true);
    fake_settle (client);
    assert_trace ("change /s/a=one (/s/a=1); change /s/b=two (/s/b=2); batch 2; "
                  "lost -112; batch 0; synced; ");
    cohort_mirror_destroy (&self);
}

static void no_stream_for_the_new_session (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_mirror_t *self = synced (client);
    fake_fail_stream (client);
    fake_expire (client, false, true);
    fake_settle (client);
    assert_trace ("lost -112; error -10; ");
    fake_fail_stream (client);
    assert_int_equal (cohort_mirror_retry (self), COHORT_ENOMEM);
    assert_int_equal (cohort_mirror_retry (self), 0);
    assert_int_equal (cohort_mirror_wait (self, -1), 0);
    cohort_mirror_destroy (&self);
}

/* Its stream ends, and not for the sake of the session: another one would end the same way. */
static void gives_up_when_its_stream_ends (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_mirror_t *self = synced (client);
    fake_end_streams (client, COHORT_ETOOBIG);
    fake_settle (client);
    assert_trace ("error -202; ");
    assert_int_equal (cohort_mirror_wait (self, -1), COHORT_ETOOBIG);
    assert_int_equal (cohort_mirror_count (self), 3);
    assert_int_equal (fake_renewals (), 0);
    assert_int_equal (cohort_mirror_retry (self), 0);
    assert_int_equal (cohort_mirror_wait (self, -1), 0);
    assert_trace ("batch 0; synced; ");
    cohort_mirror_destroy (&self);
}

/* ---- Destruction ----------------------------------------------------------------------------- */

static void destroyed_in_its_own_handler (void **state)
{
    (void) state;
    for (int with_client = 0; with_client < 2; with_client++) {
        for (int kind = COHORT_MIRROR_ADDED; kind <= COHORT_MIRROR_ERROR; kind++) {
            cohort_t *client = fake_client ();
            cohort_t *used = client;
            cohort_mirror_t *self = synced (client);
            plan = (struct plan){(cohort_mirror_kind_t) kind, &self, with_client ? &client : NULL};
            if (kind == COHORT_MIRROR_LOST || kind == COHORT_MIRROR_SYNCED) {
                fake_expire (used, false, true);
            } else if (kind == COHORT_MIRROR_ERROR) {
                fake_batch (used, &(cohort_batch_t){.zxid = 1000});
            } else {
                fake_begin ();
                fake_set ("/s/a", "one");
                fake_delete ("/s/b");
                fake_create ("/s/c", "3", 0);
                fake_create ("/s/d", "3", 0);
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
    cohort_mirror_t *self = mirror_of (client, "/");
    plan = (struct plan){COHORT_MIRROR_BATCH, &self, &client};
    assert_int_equal (cohort_mirror_wait (self, -1), COHORT_ECLOSING);
    assert_null (self);
    cohort_mirror_destroy (&self);
}

static void destroyed_between_two_fragments (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_fragment (client, 1);
    cohort_mirror_t *self = synced (client);
    fake_begin ();
    fake_set ("/s/a", "one");
    fake_set ("/s/b", "two");
    fake_commit ();
    cohort_dispatch (client, 1);
    cohort_mirror_destroy (&self);
    fake_settle (client);
    assert_trace ("");
}

static void bad_arguments (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_mirror_options_t options = {.size = 1};
    assert_null (cohort_mirror_new (NULL, "/", NULL));
    assert_null (cohort_mirror_new (client, NULL, NULL));
    assert_null (cohort_mirror_new (client, "relative", NULL));
    assert_null (cohort_mirror_new (client, "/", &options));
    cohort_mirror_t *self = cohort_mirror_new (client, "/", NULL);
    assert_int_equal (cohort_mirror_wait (self, -1), 0);
    cohort_mirror_destroy (&self);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (follows_a_subtree),
        TEST (a_node_that_does_not_exist_yet),
        TEST (iterates_in_order),
        TEST (the_whole_tree),
        TEST (a_transaction_is_seen_as_a_whole),
        TEST (a_batch_that_is_cut_off_comes_again),
        TEST (owners_change),
        TEST (what_does_not_continue_is_refused),
        TEST (a_new_snapshot_is_a_difference),
        TEST (recreated_with_the_same_version),
        TEST (nothing_changed_meanwhile),
        TEST (keeps_its_list_through_a_lost_session),
        TEST (a_refused_session_is_not_renewed_for_ever),
        TEST (lost_in_the_middle_of_a_batch),
        TEST (no_stream_for_the_new_session),
        TEST (gives_up_when_its_stream_ends),
        TEST (destroyed_in_its_own_handler),
        TEST (destroyed_while_it_is_waited_for),
        TEST (destroyed_between_two_fragments),
        TEST (bad_arguments),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}

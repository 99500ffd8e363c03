/* Invariants 8, 11, 12, 14 and 24: what must be, and what must not. */

#include "tests/unit/simulation/fixture.h"

static zxid_t z (uint32_t epoch, uint64_t counter)
{
    return zxid_make (epoch, counter);
}

/* ---- 8: what is committed stays where it is durable ------------------------------------------ */

static void test_truncated_although_committed (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    fixture_log (self, 2, ZAB_FOLLOWING, 1, 4, 5); /* not committed */
    sight_update (self, 2, ZAB_FOLLOWING, 1);
    self->update.persist = (struct zab_persist){.number = 9, .truncate = true};
    self->update.persist.truncate_to = z (1, 3);
    assert_true (fixture_holds (self, 8));
    self->update.persist.truncate_to = z (1, 2);
    assert_false (fixture_holds (self, 8));
}

/* Who has not accepted the epoch that commits something is not of the quorum that keeps it, and may
 * still follow one that tries to lead an epoch before. */
static void test_truncated_before_the_epoch_that_commits (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    fixture_log (self, 1, ZAB_LEADING, 1, 4, 4); /* committed by the next epoch alone */
    fixture_log (self, 2, ZAB_FOLLOWING, 1, 4, 4);
    fixture_log (self, 3, ZAB_FOLLOWING, 1, 1, 4);
    fixture_history (self, 4, 1, 1);
    for (uint32_t server = 2; server <= 3; server++) {
        sight_update (self, server, ZAB_FOLLOWING, 1);
        self->update.persist = (struct zab_persist){.number = 9, .truncate = true};
        self->update.persist.truncate_to = z (1, 3);
        assert_true (fixture_holds (self, 8) == (server == 3));
        self->update.persist.truncate_to = z (1, 2);
        assert_false (fixture_holds (self, 8));
    }
}

static void test_replaced_by_an_older_snapshot (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    sight_base (self, 2, z (1, 3), true);
    assert_true (fixture_holds (self, 8));
    sight_base (self, 2, z (1, 2), true);
    assert_false (fixture_holds (self, 8));
    sight_base (self, 2, z (1, 2), false);
    assert_true (fixture_holds (self, 8)); /* only compacted: what follows is kept */
    sight_base (self, 2, z (1, 3), true)->base.chain++;
    assert_false (fixture_holds (self, 8)); /* of another history */
}

static void test_crash_loses_what_is_committed (void **state)
{
    struct fixture *self = *state;
    struct shadow log = {.count = 0};
    fixture_history (self, 1, 1, 3);
    fixture_fill (&log, 1, 3);
    sight_started (self, 2, &log);
    assert_true (fixture_holds (self, 8));
    shadow_truncate (&log, z (1, 2));
    sight_started (self, 2, &log);
    assert_false (fixture_holds (self, 8));
    sight_started (self, 2, &log)->harmed = true;
    assert_false (fixture_holds (self, 8)); /* and it does not know */
    sight_started (self, 2, &log)->harmed = true;
    self->sight.trust = ZAB_DAMAGED;
    assert_true (fixture_holds (self, 8)); /* more than a crash: others must have it */
    self->sight.harmed = false;
    assert_false (fixture_holds (self, 8)); /* nobody has done anything to it */
    sight_started (self, 2, &log)->harmed = true;
    self->sight.trust = ZAB_SUSPECT;
    self->sight.suspect = z (1, 3);
    assert_true (fixture_holds (self, 8));
    self->sight.suspect = z (1, 2);
    assert_false (fixture_holds (self, 8)); /* of too little */
    sight_started (self, 3, &log);
    assert_true (fixture_holds (self, 8)); /* never had it */
    shadow_deinit (&log);
}

static void test_withdrawn_although_durable (void **state)
{
    struct fixture *self = *state;
    fixture_log (self, 2, ZAB_FOLLOWING, 1, 1, 3);
    sight_update (self, 2, ZAB_FOLLOWING, 1);
    update_entry (self, z (1, 4), fixture_chain (z (1, 4)));
    update_entry (self, z (1, 5), fixture_chain (z (1, 5)));
    fixture_see (self);
    for (uint64_t last = 2; last <= 6; last++) {
        struct sight *sight = sight_turn (self, 2, 0, 0);
        sight->kind = SIGHT_WITHDRAWN;
        sight->end = z (1, last);
        assert_true (fixture_holds (self, 8) == (last >= 3 && last <= 5));
    }
    self->sight.end = z (1, 4);
    fixture_see (self);
    assert_true (shadow_last (&self->ghost.servers[2].durable).zxid == z (1, 4));
    assert_true (shadow_last (&self->ghost.servers[2].log).zxid == z (1, 4));
}

/* ---- 11 -------------------------------------------------------------------------------------- */

static void test_commit_without_a_quorum_of_disks (void **state)
{
    struct fixture *self = *state;
    fixture_log (self, 1, ZAB_LEADING, 1, 1, 1);
    sight_update (self, 2, ZAB_FOLLOWING, 1);
    update_entry (self, z (1, 1), fixture_chain (z (1, 1)));
    fixture_see (self); /* on its way to the disk */
    sight_update (self, 1, ZAB_LEADING, 1);
    self->status.committed = z (1, 1);
    assert_false (fixture_holds (self, 11));
    fixture_durable (self, 2);
    sight_update (self, 1, ZAB_LEADING, 1);
    self->status.committed = z (1, 1);
    assert_true (fixture_holds (self, 11));
}

static void test_a_store_that_is_not_listed_does_not_count (void **state)
{
    struct fixture *self = *state;
    fixture_log (self, 1, ZAB_LEADING, 1, 1, 1);
    fixture_log (self, 2, ZAB_FOLLOWING, 1, 1, 1);
    self->ghost.servers[2].store_id = 666;
    sight_update (self, 1, ZAB_LEADING, 1);
    self->status.committed = z (1, 1);
    assert_false (fixture_holds (self, 11));
}

/* What a server has acknowledged and lost since, and knows that it has, still counts for that: it
 * is counted nowhere else until it is whole again. */
static void test_lost_behind_the_acknowledgement (void **state)
{
    struct fixture *self = *state;
    struct shadow empty = {.count = 0};
    fixture_log (self, 1, ZAB_LEADING, 1, 1, 2);
    fixture_log (self, 2, ZAB_FOLLOWING, 1, 1, 2);
    sight_started (self, 2, &empty)->trust = ZAB_DAMAGED;
    ghost_see (&self->ghost, &self->sight);
    sight_update (self, 1, ZAB_LEADING, 1);
    self->status.committed = zxid_make (1, 2);
    assert_true (fixture_holds (self, 11));
    self->ghost.servers[2].trust = ZAB_WHOLE;
    assert_false (fixture_holds (self, 11));
}

/* A folder that is lost takes its vote with it: nobody makes a quorum without the others. */
static void test_folder_lost_behind_the_acknowledgement (void **state)
{
    struct fixture *self = *state;
    struct shadow empty = {.count = 0};
    fixture_log (self, 1, ZAB_LEADING, 1, 1, 3);
    for (int times = 1; times <= 2; times++) {
        sight_started (self, 1, &empty);
        self->sight.harmed = self->sight.emptied = true;
        self->sight.store_id += (uint64_t) times;
        self->sight.accepted_epoch = self->sight.current_epoch = 0;
        fixture_see (self);
    }
    fixture_log (self, 2, ZAB_FOLLOWING, 1, 1, 4);
    sight_update (self, 2, ZAB_FOLLOWING, 1);
    self->status.committed = z (1, 4);
    assert_false (fixture_holds (self, 11)); /* it never had that */
    self->status.committed = z (1, 3);
    assert_true (fixture_holds (self, 11));
    self->ghost.configs.configs[0].members[0].store_id = self->ghost.servers[1].store_id;
    assert_false (fixture_holds (self, 11)); /* it counts again, with what it has now */
}

static void test_every_configuration_needs_its_quorum (void **state)
{
    struct fixture *self = *state;
    fixture_log (self, 1, ZAB_LEADING, 1, 1, 1);
    fixture_log (self, 2, ZAB_FOLLOWING, 1, 1, 1);
    /* The next configuration is servers 2 and 3. */
    self->ghost.configs.count = 2;
    self->ghost.configs.configs[1] = (struct config){.count = 2};
    for (size_t i = 0; i < 2; i++) {
        self->ghost.configs.configs[1].members[i] = self->configs.configs[0].members[i + 1];
    }
    sight_update (self, 1, ZAB_LEADING, 1);
    self->status.committed = z (1, 1);
    assert_false (fixture_holds (self, 11));
    self->ghost.configs.configs[1].members[1].role = CONFIG_OBSERVER;
    assert_true (fixture_holds (self, 11)); /* 2 alone is a quorum then */
}

/* ---- 12 -------------------------------------------------------------------------------------- */

static void test_epochs_out_of_order (void **state)
{
    struct fixture *self = *state;
    fixture_log (self, 1, ZAB_LEADING, 3, 1, 1);
    sight_update (self, 1, ZAB_LEADING, 3);
    struct zab_persist *persist = &self->update.persist;
    *persist = (struct zab_persist){.number = 9, .epochs = true};
    persist->accepted_epoch = 4;
    persist->current_epoch = 3;
    assert_true (fixture_holds (self, 12));
    persist->current_epoch = 5;
    assert_false (fixture_holds (self, 12)); /* current above accepted */
    persist->current_epoch = 2;
    assert_false (fixture_holds (self, 12)); /* goes back */
    persist->accepted_epoch = persist->current_epoch = 2;
    assert_false (fixture_holds (self, 12));
}

static void test_log_with_a_gap (void **state)
{
    struct fixture *self = *state;
    fixture_log (self, 1, ZAB_LEADING, 1, 1, 3);
    sight_update (self, 1, ZAB_FOLLOWING, 1);
    update_entry (self, z (1, 4), 4);
    update_entry (self, z (2, 1), 5);
    assert_true (fixture_holds (self, 12));
    sight_update (self, 1, ZAB_FOLLOWING, 1);
    update_entry (self, z (1, 5), 5);
    assert_false (fixture_holds (self, 12));
    sight_update (self, 1, ZAB_FOLLOWING, 1);
    update_entry (self, z (2, 2), 5);
    assert_false (fixture_holds (self, 12)); /* a later epoch begins with 1 */
    sight_update (self, 1, ZAB_FOLLOWING, 1);
    update_entry (self, z (1, 3), 5);
    assert_false (fixture_holds (self, 12)); /* it is there already */
    self->update.persist.truncate = true;
    self->update.persist.truncate_to = z (1, 2);
    assert_true (fixture_holds (self, 12)); /* not any more */
}

/* What a crash may leave: the durable log, and the first few steps of what was asked for since. */
static void test_log_whose_time_goes_back (void **state)
{
    struct fixture *self = *state;
    fixture_history (self, 1, 1, 3);
    sight_update (self, 1, ZAB_LEADING, 1);
    update_entry (self, z (1, 4), 4);
    update_entry (self, z (1, 5), 5);
    self->entries[0].stamp_ms = 20;
    self->entries[1].stamp_ms = 19;
    assert_false (fixture_holds (self, 12));
    self->entries[1].stamp_ms = 20;
    assert_true (fixture_holds (self, 12));
    fixture_see (self);
    sight_update (self, 1, ZAB_LEADING, 1);
    update_entry (self, z (1, 6), 6);
    self->entries[0].stamp_ms = 19;
    assert_false (fixture_holds (self, 12));
    self->entries[0].stamp_ms = 21;
    assert_true (fixture_holds (self, 12));
}

static void test_log_read_back (void **state)
{
    struct fixture *self = *state;
    struct shadow log = {.count = 0};
    fixture_log (self, 1, ZAB_LEADING, 1, 1, 3);
    sight_update (self, 1, ZAB_LEADING, 1);
    update_entry (self, z (1, 4), fixture_chain (z (1, 4)));
    update_entry (self, z (1, 5), fixture_chain (z (1, 5)));
    fixture_see (self);
    for (uint64_t last = 1; last <= 6; last++) {
        shadow_replace (&log, (struct zab_point){0, 0});
        fixture_fill (&log, 1, last);
        sight_started (self, 1, &log);
        assert_true (fixture_holds (self, 12) == (last >= 3 && last <= 5));
    }
    shadow_truncate (&log, z (1, 4));
    log.points[3].chain++;
    sight_started (self, 1, &log);
    assert_false (fixture_holds (self, 12)); /* something else in its place */
    shadow_deinit (&log);
}

/* A snapshot that was to replace the log has done so, or has not; it is of what is committed. */
static void test_snapshot_read_back (void **state)
{
    struct fixture *self = *state;
    struct shadow log = {.count = 0};
    fixture_history (self, 1, 1, 3);
    fixture_log (self, 3, ZAB_FOLLOWING, 1, 1, 1);
    sight_update (self, 3, ZAB_FOLLOWING, 1);
    self->update.persist = (struct zab_persist){.number = 9, .install = true};
    fixture_see (self);
    shadow_replace (&log, (struct zab_point){z (1, 3), fixture_chain (z (1, 3))});
    sight_started (self, 3, &log);
    assert_true (fixture_holds (self, 12));
    log.base.chain++;
    sight_started (self, 3, &log);
    assert_false (fixture_holds (self, 12)); /* of another history */
    log.base = (struct zab_point){z (1, 4), fixture_chain (z (1, 4))};
    sight_started (self, 3, &log);
    assert_false (fixture_holds (self, 12)); /* nobody has committed it */
    shadow_replace (&log, (struct zab_point){z (1, 2), fixture_chain (z (1, 2))});
    shadow_append (&log, (struct zab_point){z (1, 3), fixture_chain (z (1, 3))});
    sight_started (self, 3, &log);
    assert_false (fixture_holds (self, 12)); /* where is what stands behind it from? */
    shadow_deinit (&log);
}

/* What is durable says how much of it is committed: that of before the newest entries. */
static void test_commit_read_back (void **state)
{
    struct fixture *self = *state;
    struct shadow log = {.count = 0};
    fixture_history (self, 1, 1, 3);
    fixture_log (self, 2, ZAB_FOLLOWING, 1, 4, 4);
    fixture_fill (&log, 1, 4);
    for (uint64_t known = 2; known <= 4; known++) {
        sight_started (self, 2, &log)->committed = z (1, known);
        assert_true (fixture_holds (self, 12) == (known == 3));
    }
    sight_started (self, 2, &log)->harmed = true;
    assert_true (fixture_holds (self, 12)); /* its newest records may be gone */
    sight_started (self, 2, &log)->committed = z (1, 3);
    fixture_see (self);
    sight_update (self, 2, ZAB_LOOKING, 1);
    assert_true (fixture_holds (self, 3));
    self->status.committed = z (1, 2);
    assert_false (fixture_holds (self, 3)); /* and its core makes less of it */

    /* Records that are cut off take with them what they say. */
    sight_started (self, 2, &log)->committed = z (1, 3);
    fixture_see (self);
    sight_update (self, 2, ZAB_FOLLOWING, 2);
    self->status.committed = z (1, 3);
    self->update.persist =
        (struct zab_persist){.number = 9, .truncate = true, .truncate_to = z (1, 3)};
    fixture_see (self);
    sight_started (self, 2, &log)->committed = z (1, 2);
    assert_true (fixture_holds (self, 12));
    shadow_deinit (&log);
}

/* So does a snapshot, as long as it is there. */
static void test_commit_of_snapshot (void **state)
{
    struct fixture *self = *state;
    struct shadow log = {.count = 0};
    fixture_history (self, 1, 1, 3);
    fixture_log (self, 2, ZAB_FOLLOWING, 1, 4, 4);
    fixture_fill (&log, 1, 4);
    struct sight *sight = sight_started (self, 2, &log);
    sight->newest = z (1, 4);
    sight->committed = z (1, 3);
    assert_false (fixture_holds (self, 12)); /* it is of what is committed */
    sight->newest = z (1, 3);
    sight->recorded = z (1, 2);
    fixture_see (self);

    /* It is given up; what the log says itself is there. */
    for (uint64_t known = 1; known <= 3; known++) {
        sight_started (self, 2, &log)->committed = z (1, known);
        assert_true (fixture_holds (self, 12) == (known >= 2));
    }
    shadow_deinit (&log);
}

static void test_truncation_read_back (void **state)
{
    struct fixture *self = *state;
    struct shadow log = {.count = 0};
    fixture_log (self, 1, ZAB_LEADING, 1, 1, 3);
    sight_update (self, 1, ZAB_FOLLOWING, 2);
    self->update.persist =
        (struct zab_persist){.number = 9, .truncate = true, .truncate_to = z (1, 1)};
    fixture_see (self);
    for (uint64_t last = 0; last <= 3; last++) {
        shadow_replace (&log, (struct zab_point){0, 0});
        fixture_fill (&log, 1, last);
        sight_started (self, 1, &log);
        assert_true (fixture_holds (self, 12) == (last == 1 || last == 3));
    }
    shadow_deinit (&log);
}

static void test_epochs_read_back (void **state)
{
    struct fixture *self = *state;
    struct shadow log = {.count = 0};
    fixture_log (self, 1, ZAB_LEADING, 3, 1, 1);
    fixture_fill (&log, 3, 1);
    sight_started (self, 1, &log);
    assert_true (fixture_holds (self, 12));
    sight_started (self, 1, &log)->accepted_epoch = 2;
    assert_false (fixture_holds (self, 12));
    sight_started (self, 1, &log)->current_epoch = 2;
    assert_false (fixture_holds (self, 12));
    shadow_deinit (&log);
}

/* What a store calls durable, or finds when it is opened, and a power cut would take. */
static void test_durable_in_the_cache_alone (void **state)
{
    struct fixture *self = *state;
    struct shadow log = {.count = 0};
    fixture_log (self, 1, ZAB_LEADING, 1, 1, 3);
    fixture_fill (&log, 1, 3);
    for (int kind = 0; kind < 2; kind++) {
        struct sight *sight = sight_started (self, 1, &log);
        sight->kind = kind == 0 ? SIGHT_STARTED : SIGHT_DURABLE;
        assert_true (fixture_holds (self, 12));
        sight->fleeting = z (1, 3);
        assert_false (fixture_holds (self, 12));
        sight->fleeting = 0;
        sight->copy_fleeting = true;
        assert_false (fixture_holds (self, 12));
    }
    shadow_deinit (&log);
}

/* Who had another server's state when it ended has it again, unless damage was found. */
static void test_heir_forgets (void **state)
{
    struct fixture *self = *state;
    struct shadow log = {.count = 0};
    sight_started (self, 1, &log);
    self->sight.kind = SIGHT_STOPPED;
    self->sight.heir = true;
    fixture_see (self);
    sight_started (self, 1, &log)->found = false;
    assert_false (fixture_holds (self, 12));
    self->sight.heir = true;
    assert_true (fixture_holds (self, 12));
    self->sight.heir = false;
    self->sight.found = true;
    assert_true (fixture_holds (self, 12));
}

/* A disk that was harmed may have lost the end of its log, if the mark says so. */
static void test_harmed_log_read_back (void **state)
{
    struct fixture *self = *state;
    struct shadow log = {.count = 0};
    fixture_log (self, 1, ZAB_LEADING, 1, 1, 3);
    fixture_fill (&log, 1, 2);
    sight_started (self, 1, &log)->harmed = true;
    assert_false (fixture_holds (self, 12));
    self->sight.trust = ZAB_DAMAGED;
    assert_true (fixture_holds (self, 12));
    self->sight.accepted_epoch = 0;
    assert_false (fixture_holds (self, 12)); /* epochs are kept elsewhere */
    self->sight.store_id++;
    assert_true (fixture_holds (self, 12)); /* unless they are lost: then it is another server */
    self->sight.trust = ZAB_WHOLE;
    assert_false (fixture_holds (self, 12));
    log.points[1].chain++;
    sight_started (self, 1, &log)->harmed = true;
    self->sight.trust = ZAB_DAMAGED;
    assert_false (fixture_holds (self, 12)); /* what is left must be what there was */
    shadow_deinit (&log);
}

/* Who has lost its folder has forgotten what it promised, under its old name too; nobody else may.
 */
static void test_folder_is_lost (void **state)
{
    struct fixture *self = *state;
    struct shadow empty = {.count = 0};
    fixture_history (self, 1, 1, 3);
    sight_started (self, 2, &empty)->harmed = true;
    self->sight.store_id++;
    self->sight.accepted_epoch = self->sight.current_epoch = 0;
    assert_false (fixture_holds (self, 8));
    assert_false (fixture_holds (self, 12));
    self->sight.emptied = true;
    assert_true (fixture_holds (self, 8));
    assert_true (fixture_holds (self, 12));
    self->sight.accepted_epoch = 1;
    assert_false (fixture_holds (self, 12)); /* it has made that up */
}

/* The mark goes when a request that is to take it away may be durable, and not before. */
static void test_mark_read_back (void **state)
{
    struct fixture *self = *state;
    struct shadow log = {.count = 0};
    fixture_log (self, 1, ZAB_LEADING, 1, 1, 3);
    fixture_fill (&log, 1, 3);
    sight_started (self, 1, &log)->trust = ZAB_SUSPECT;
    self->sight.suspect = z (1, 5);
    fixture_see (self);
    sight_started (self, 1, &log)->trust = ZAB_WHOLE;
    assert_false (fixture_holds (self, 12));
    sight_started (self, 1, &log)->trust = ZAB_SUSPECT;
    self->sight.suspect = z (1, 4);
    assert_false (fixture_holds (self, 12));
    self->sight.trust = ZAB_DAMAGED;
    assert_true (fixture_holds (self, 12));
    sight_update (self, 1, ZAB_FOLLOWING, 1);
    self->update.persist = (struct zab_persist){
        .number = 9, .epochs = true, .accepted_epoch = 1, .current_epoch = 1, .whole = true};
    fixture_see (self);
    sight_started (self, 1, &log)->trust = ZAB_WHOLE;
    assert_true (fixture_holds (self, 12));
    shadow_deinit (&log);
}

/* A log that was healed is damaged again only if damage was found again. */
static void test_mark_comes_back (void **state)
{
    struct fixture *self = *state;
    struct shadow log = {.count = 0};
    fixture_log (self, 1, ZAB_LEADING, 1, 1, 3);
    fixture_fill (&log, 1, 3);
    sight_started (self, 1, &log)->trust = ZAB_DAMAGED;
    self->sight.harmed = true;
    self->sight.found = false;
    assert_false (fixture_holds (self, 12));
    self->sight.found = true;
    assert_true (fixture_holds (self, 12));
    fixture_see (self);
    sight_started (self, 1, &log)->trust = ZAB_DAMAGED;
    self->sight.found = false;
    assert_true (fixture_holds (self, 12)); /* not healed yet */
    sight_update (self, 1, ZAB_FOLLOWING, 1);
    self->update.persist = (struct zab_persist){
        .number = 9, .epochs = true, .accepted_epoch = 1, .current_epoch = 1, .whole = true};
    self->numbers[1] = 9;
    fixture_see (self);
    fixture_durable (self, 1);
    sight_started (self, 1, &log)->trust = ZAB_DAMAGED;
    self->sight.found = false;
    assert_false (fixture_holds (self, 12));
    shadow_deinit (&log);
}

/* ---- 24 -------------------------------------------------------------------------------------- */

static void test_folder_of_an_idle_server (void **state)
{
    struct fixture *self = *state;
    struct sight *sight = sight_base (self, 1, z (1, 5), false);
    sight->kind = SIGHT_FOLDER;
    sight->end = sight->marked = z (1, 9);
    assert_true (fixture_holds (self, 24)); /* without a snapshot */
    sight->snapshot = z (1, 5);
    assert_true (fixture_holds (self, 24));
    sight->snapshot = z (1, 4);
    assert_false (fixture_holds (self, 24)); /* the log behind it is gone */
    sight->snapshot = z (1, 7);
    sight->marked = z (1, 8);
    assert_false (fixture_holds (self, 24)); /* the end might be taken for torn */
}

/* ---- 31 -------------------------------------------------------------------------------------- */

static void test_no_snapshot (void **state)
{
    struct fixture *self = *state;
    fixture_log (self, 1, ZAB_LEADING, 1, 1, 9);
    struct sight *sight = sight_base (self, 1, 0, false);
    sight->kind = SIGHT_GROWS;
    sight->log_bytes = 1000;
    sight->overdue_ms = sight->overdue_ms_max = 100;
    assert_true (fixture_holds (self, 31));
    sight->overdue_ms = 101;
    assert_false (fixture_holds (self, 31));
    sight->overdue_ms = 100;
    sight->newest = z (1, 4);
    sight->end = z (1, 8);
    sight->entry_bytes = 250;
    assert_true (fixture_holds (self, 31)); /* of four entries behind its snapshot */
    sight->log_bytes = 999;
    assert_false (fixture_holds (self, 31)); /* it measures less than there are */
    sight->kind = SIGHT_FOLDER;
    sight->snapshots = sight->snapshots_max = 2;
    assert_true (fixture_holds (self, 31)); /* it is of another sight that the time speaks */
    sight->snapshots = 3;
    assert_false (fixture_holds (self, 31));
}

/* ---- 14 -------------------------------------------------------------------------------------- */

static void test_applied_before_it_is_durable (void **state)
{
    struct fixture *self = *state;
    fixture_log (self, 1, ZAB_LEADING, 1, 1, 2);
    sight_update (self, 1, ZAB_LEADING, 1);
    update_entry (self, z (1, 3), fixture_chain (z (1, 3)));
    self->update.deliver = z (1, 2);
    assert_true (fixture_holds (self, 14));
    self->update.deliver = z (1, 3);
    assert_false (fixture_holds (self, 14));
    sight_turn (self, 1, z (1, 2), 0);
    assert_true (fixture_holds (self, 14));
    sight_turn (self, 1, z (1, 3), 0);
    assert_false (fixture_holds (self, 14));
}

int main (void)
{
#define INVARIANT_TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown (name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        INVARIANT_TEST (test_truncated_although_committed),
        INVARIANT_TEST (test_truncated_before_the_epoch_that_commits),
        INVARIANT_TEST (test_replaced_by_an_older_snapshot),
        INVARIANT_TEST (test_crash_loses_what_is_committed),
        INVARIANT_TEST (test_withdrawn_although_durable),
        INVARIANT_TEST (test_commit_without_a_quorum_of_disks),
        INVARIANT_TEST (test_a_store_that_is_not_listed_does_not_count),
        INVARIANT_TEST (test_lost_behind_the_acknowledgement),
        INVARIANT_TEST (test_folder_lost_behind_the_acknowledgement),
        INVARIANT_TEST (test_every_configuration_needs_its_quorum),
        INVARIANT_TEST (test_epochs_out_of_order),
        INVARIANT_TEST (test_log_with_a_gap),
        INVARIANT_TEST (test_log_whose_time_goes_back),
        INVARIANT_TEST (test_log_read_back),
        INVARIANT_TEST (test_snapshot_read_back),
        INVARIANT_TEST (test_commit_read_back),
        INVARIANT_TEST (test_commit_of_snapshot),
        INVARIANT_TEST (test_truncation_read_back),
        INVARIANT_TEST (test_epochs_read_back),
        INVARIANT_TEST (test_durable_in_the_cache_alone),
        INVARIANT_TEST (test_heir_forgets),
        INVARIANT_TEST (test_harmed_log_read_back),
        INVARIANT_TEST (test_folder_is_lost),
        INVARIANT_TEST (test_mark_read_back),
        INVARIANT_TEST (test_mark_comes_back),
        INVARIANT_TEST (test_folder_of_an_idle_server),
        INVARIANT_TEST (test_no_snapshot),
        INVARIANT_TEST (test_applied_before_it_is_durable),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

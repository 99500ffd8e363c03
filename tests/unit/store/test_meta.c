/*
 *  tests/unit/store/test_meta.c - the two copies of the metadata, through two power cuts
 *
 *  With a configuration so large that a copy takes several sectors, and so can be torn.
 */
#include <errno.h>
#include <string.h>

#include "cohort/error.h"
#include "server/store/meta.h"
#include "tests/support/crash_disk.h"
#include "tests/unit/unit.h"

static struct store_meta meta_of (uint32_t epoch)
{
    struct store_meta meta = {
        .server_id = 1,
        .store_id = 2,
        .accepted_epoch = epoch,
        .current_epoch = epoch,
        .config = {.count = CONFIG_MEMBERS_MAX},
    };
    for (uint32_t i = 0; i < CONFIG_MEMBERS_MAX; i++) {
        meta.config.members[i] = (struct config_member){
            .id = i + 1,
            .role = CONFIG_VOTER,
            .store_id = epoch * 1000 + i,
        };
    }
    return meta;
}

/*  Reads, and writes the given epochs one after the other; the last one that was written is
 *  acknowledged.  Returns the epoch that was read first; 0: no copy is valid. */
static uint32_t session (struct crash_disk *hardware, uint32_t first, uint32_t last,
                         uint32_t *acknowledged)
{
    struct disk *disk = crash_disk_open (hardware);
    struct meta_file file;
    struct fault fault;
    enum meta_found found;
    uint32_t epoch = 0;
    if (meta_read (&file, disk, &found, &fault) == 0 && found == META_VALID) {
        epoch = file.meta.accepted_epoch;
        assert_int_equal (file.meta.config.members[30].store_id, epoch * 1000 + 30);
        assert_int_equal (file.meta.config.members[0].store_id, epoch * 1000);
    }
    /*  As at each opening: what was found is written again. */
    if (epoch != 0) {
        struct store_meta meta = file.meta;
        (void) meta_write (&file, &meta, &fault);
    }
    for (uint32_t i = first; i <= last; i++) {
        struct store_meta meta = meta_of (i);
        if (meta_write (&file, &meta, &fault) == 0) {
            (void) disk->ops->sync_names (disk);
            if (!crash_disk_stopped (hardware)) {
                *acknowledged = i;
            }
        }
    }
    meta_close (&file);
    disk->ops->destroy (disk);
    return epoch;
}

static void test_two_power_cuts (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 64; seed++) {
        for (uint64_t first = 1; first <= 14; first++) {
            for (uint64_t second = 1; second <= 8; second++) {
                struct crash_disk *hardware = crash_disk_new (seed * 1000 + first * 10 + second);
                uint32_t acknowledged = 0, none = 0;
                crash_disk_stop_at (hardware, first);
                (void) session (hardware, 1, 4, &acknowledged);
                crash_disk_power_cut (hardware);
                crash_disk_stop_at (hardware, second);
                (void) session (hardware, 1, 0, &none);
                crash_disk_power_cut (hardware);
                uint32_t found = session (hardware, 1, 0, &none);
                assert_true (found >= acknowledged);
                assert_true (found <= acknowledged + 1);
                crash_disk_destroy (&hardware);
            }
        }
    }
}

/*  The first process is only killed: what it wrote and did not sync the second one reads all the
 *  same, and the power is cut while it writes it again. */
static void test_killed_and_cut (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 64; seed++) {
        for (uint64_t first = 8; first <= 20; first++) {
            for (uint64_t second = 1; second <= 5; second++) {
                struct crash_disk *hardware = crash_disk_new (seed * 1000 + first * 10 + second);
                uint32_t acknowledged = 0, none = 0;
                crash_disk_stop_at (hardware, first);
                (void) session (hardware, 1, 4, &acknowledged);
                crash_disk_resume (hardware);
                crash_disk_stop_at (hardware, second);
                (void) session (hardware, 1, 0, &none);
                crash_disk_power_cut (hardware);
                uint32_t found = session (hardware, 1, 0, &none);
                assert_true (found >= acknowledged);
                assert_true (found <= acknowledged + 1);
                crash_disk_destroy (&hardware);
            }
        }
    }
}

/*  One copy rots: the other holds, and is written last. */
static void test_one_rots (void **state)
{
    (void) state;
    static const char *const names[] = {"meta.0", "meta.1"};
    for (size_t i = 0; i < 2; i++) {
        struct crash_disk *hardware = crash_disk_new (3);
        uint32_t acknowledged = 0;
        assert_int_equal (session (hardware, 1, 5, &acknowledged), 0);
        assert_int_equal (acknowledged, 5);
        assert_true (crash_disk_flip (hardware, names[i], 300, 4));
        assert_int_equal (session (hardware, 1, 0, &acknowledged), 5);
        /*  It has been repaired by that. */
        assert_true (crash_disk_flip (hardware, names[1 - i], 300, 4));
        assert_int_equal (session (hardware, 1, 0, &acknowledged), 5);
        assert_true (crash_disk_set_bad (hardware, names[i], 300));
        assert_int_equal (session (hardware, 1, 0, &acknowledged), 5);
        assert_true (crash_disk_flip (hardware, names[0], 300, 4));
        assert_true (crash_disk_flip (hardware, names[1], 300, 4));
        assert_int_equal (session (hardware, 1, 0, &acknowledged), 0);
        crash_disk_destroy (&hardware);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_two_power_cuts),
        cmocka_unit_test (test_killed_and_cut),
        cmocka_unit_test (test_one_rots),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

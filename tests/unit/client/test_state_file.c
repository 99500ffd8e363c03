/* The state file: what is written is read, and nothing else is. */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/src/state_file.h"
#include "cohort/error.h"

#define SERVERS "tcp://a:1,tcp://b:2/game"

static char folder[] = "/tmp/cohort-state-XXXXXX";
static char path[256];
static char text[512];

static const struct session_identity sample = {
    .cluster_id = {1, 0xab, 0xff},
    .id = UINT64_C (0xfedcba9876543210),
    .password = {0, 0x80, 3},
    .incarnation = 41,
    .timeout_ms = 10000,
    .grace_ms = 250,
};

static int set_up (void **state)
{
    (void) state;
    snprintf (folder, sizeof (folder), "/tmp/cohort-state-XXXXXX");
    assert_non_null (mkdtemp (folder));
    snprintf (path, sizeof (path), "%s/file", folder);
    return 0;
}

static int tear_down (void **state)
{
    char other[300];
    (void) state;
    snprintf (other, sizeof (other), "%s.new", path);
    unlink (other);
    unlink (path);
    return rmdir (folder);
}

static int read_it (struct session_identity *identity, struct buf *servers)
{
    buf_init (servers);
    text[0] = '\0';
    return state_file_read (path, identity, servers, text, sizeof (text));
}

static void test_round_trip (void **state)
{
    (void) state;
    struct session_identity found;
    struct buf servers;
    assert_int_equal (state_file_write (path, &sample, SERVERS, text, sizeof (text)), 0);
    assert_int_equal (read_it (&found, &servers), 0);
    assert_int_equal (found.id, sample.id);
    assert_int_equal (found.incarnation, 41);
    assert_int_equal (found.timeout_ms, 10000);
    assert_int_equal (found.grace_ms, 250);
    assert_memory_equal (found.cluster_id, sample.cluster_id, WIRE_ID_SIZE);
    assert_memory_equal (found.password, sample.password, WIRE_ID_SIZE);
    assert_string_equal ((const char *) servers.data, SERVERS);
    buf_deinit (&servers);
    struct stat info;
    assert_int_equal (stat (path, &info), 0);
    assert_int_equal (info.st_mode & 0777, 0600);
}

static void test_absent (void **state)
{
    (void) state;
    struct session_identity found = sample;
    struct buf servers;
    assert_int_equal (read_it (&found, &servers), 0);
    assert_int_equal (found.id, 0);
    assert_int_equal (servers.size, 0);
}

/* Another process was about to replace it, and died. */
static void test_left_over (void **state)
{
    (void) state;
    struct session_identity found;
    struct buf servers;
    char other[300];
    snprintf (other, sizeof (other), "%s.new", path);
    FILE *half = fopen (other, "w");
    assert_non_null (half);
    fputs ("# A sess", half);
    fclose (half);
    assert_int_equal (read_it (&found, &servers), 0);
    assert_int_equal (found.id, 0);
    assert_int_equal (state_file_write (path, &sample, SERVERS, text, sizeof (text)), 0);
    assert_int_equal (read_it (&found, &servers), 0);
    assert_int_equal (found.id, sample.id);
    buf_deinit (&servers);
}

static size_t load (uint8_t *bytes, size_t size)
{
    FILE *file = fopen (path, "r");
    assert_non_null (file);
    size = fread (bytes, 1, size, file);
    fclose (file);
    return size;
}

static void store (const uint8_t *bytes, size_t size)
{
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    assert_int_equal (fwrite (bytes, 1, size, file), size);
    assert_int_equal (fclose (file), 0);
}

/* Whatever byte is another, or missing: it is said which file it is, and nothing is taken. */
static void test_damaged (void **state)
{
    (void) state;
    uint8_t bytes[1024], other[1024];
    assert_int_equal (state_file_write (path, &sample, SERVERS, text, sizeof (text)), 0);
    size_t size = load (bytes, sizeof (bytes));
    for (size_t i = 0; i < size; i++) {
        struct session_identity found = {.id = 5};
        struct buf servers;
        memcpy (other, bytes, size);
        other[i] ^= 1;
        store (other, size);
        assert_int_equal (read_it (&found, &servers), COHORT_ECORRUPT);
        assert_non_null (strstr (text, path));
        assert_int_equal (found.id, 5);
        buf_deinit (&servers);
        if (i > 0) {
            store (bytes, i);
            assert_int_equal (read_it (&found, &servers), COHORT_ECORRUPT);
            buf_deinit (&servers);
        }
    }
}

static void test_unwritable (void **state)
{
    (void) state;
    char inside[300];
    assert_int_equal (state_file_write (path, &sample, SERVERS, text, sizeof (text)), 0);
    snprintf (inside, sizeof (inside), "%s/below-a-file", path);
    text[0] = '\0';
    assert_int_equal (state_file_write (inside, &sample, SERVERS, text, sizeof (text)),
                      COHORT_ESYSTEM);
    assert_non_null (strstr (text, inside));
    struct session_identity found;
    struct buf servers;
    buf_init (&servers);
    assert_int_equal (state_file_read (inside, &found, &servers, text, sizeof (text)),
                      COHORT_ESYSTEM);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown (test_absent, set_up, tear_down),
        cmocka_unit_test_setup_teardown (test_left_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown (test_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown (test_unwritable, set_up, tear_down),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

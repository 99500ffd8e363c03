/* Lists of servers, and the table of errors. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/src/hosts.h"
#include "cohort/types.h"
#include "tests/unit/unit.h"

static char text[256];

static void expect (const char *servers, const char *endpoints, const char *chroot)
{
    struct hosts hosts;
    int rc = hosts_parse (&hosts, servers, text, sizeof (text));
    assert_string_equal (text, "");
    assert_int_equal (rc, 0);
    char joined[1024] = "";
    for (size_t i = 0; i < hosts.count; i++) {
        assert_true (hosts_endpoint_valid (hosts.endpoints[i]));
        size_t used = strlen (joined);
        snprintf (joined + used, sizeof (joined) - used, "%s%s", i > 0 ? " " : "",
                  hosts.endpoints[i]);
    }
    assert_string_equal (joined, endpoints);
    assert_string_equal (hosts.chroot, chroot);
    hosts_deinit (&hosts);
}

static void test_valid (void **state)
{
    (void) state;
    expect ("tcp://a:5181", "tcp://a:5181", "");
    expect ("tcp://a:5181/", "tcp://a:5181", "");
    expect ("tcp://a:5181,tcp://b:1", "tcp://a:5181 tcp://b:1", "");
    expect ("tcp://a:5181,tcp://b:65535/game/x", "tcp://a:5181 tcp://b:65535", "/game/x");
    expect ("tcp://[::1]:5181/c", "tcp://[::1]:5181", "/c");
    expect ("tcp://10.0.0.1:5181", "tcp://10.0.0.1:5181", "");
    expect ("ipc:///run/cohort.sock", "ipc:///run/cohort.sock", "");
    expect ("ipc:///run/cohort.sock;/game", "ipc:///run/cohort.sock", "/game");
    expect ("inproc://one;/g", "inproc://one", "/g");
    expect ("tcp://a:1,inproc://one", "tcp://a:1 inproc://one", "");
}

static void refuse (const char *servers, int rc, const char *part)
{
    struct hosts hosts;
    assert_int_equal (hosts_parse (&hosts, servers, text, sizeof (text)), rc);
    if (strstr (text, part) == NULL) {
        fail_msg ("\"%s\" does not say \"%s\"", text, part);
    }
    assert_null (hosts.endpoints);
    assert_null (hosts.chroot);
}

static void test_malformed (void **state)
{
    (void) state;
    refuse (NULL, COHORT_EINVAL, "servers is NULL");
    refuse ("", COHORT_EINVAL, "servers is empty");
    refuse ("a:5181", COHORT_EINVAL, "a server is tcp://host:port");
    refuse ("udp://a:5181", COHORT_EINVAL, "servers, byte 0 (\"udp://a:5181\")");
    refuse ("tcp://", COHORT_EINVAL, "a server is");
    refuse ("ipc://", COHORT_EINVAL, "a server is");
    refuse ("tcp://a", COHORT_EINVAL, "port is missing");
    refuse ("tcp://a:", COHORT_EINVAL, "port is missing");
    refuse ("tcp://:5181", COHORT_EINVAL, "host is missing");
    refuse ("tcp://*:5181", COHORT_EINVAL, "host is missing");
    refuse ("tcp://a:0", COHORT_EINVAL, "not within 1 and 65535");
    refuse ("tcp://a:65536", COHORT_EINVAL, "not within 1 and 65535");
    refuse ("tcp://a:99999999999999999999", COHORT_EINVAL, "not within 1 and 65535");
    refuse ("tcp://::1:5181", COHORT_EINVAL, "host is not valid");
    refuse ("tcp://a b:5181", COHORT_EINVAL, "host is not valid");
    refuse ("tcp://a:1;tcp://b:2", COHORT_EINVAL, "servers, byte 0");
    refuse ("tcp://a:1,", COHORT_EINVAL, "servers, byte 10");
    refuse ("tcp://a:1,,tcp://b:1", COHORT_EINVAL, "servers, byte 10");
    refuse ("tcp://a:1/x,tcp://b:1", COHORT_EINVAL, "the chroot stands at the end");
    refuse ("tcp://a:1/x/", COHORT_EPATH, "does not end in '/'");
    refuse ("tcp://a:1//x", COHORT_EPATH, "a name is empty");
    char large[600];
    memset (large, 'a', sizeof (large));
    memcpy (large, "ipc://", 6);
    large[HOSTS_ENDPOINT_MAX + 1] = '\0';
    refuse (large, COHORT_EINVAL, "at most 255 bytes");
    large[HOSTS_ENDPOINT_MAX] = '\0';
    expect (large, large, "");
    assert_false (hosts_endpoint_valid (""));
    assert_false (hosts_endpoint_valid ("tcp://a:1/x"));
}

static void test_too_many (void **state)
{
    (void) state;
    static const char one[] = ",tcp://a:1";
    size_t size = sizeof (one) - 1;
    char *list = calloc (HOSTS_MAX + 2, size);
    assert_non_null (list);
    for (size_t i = 0; i <= HOSTS_MAX; i++) {
        memcpy (list + i * size, one, size);
    }
    /* One less than too many; the first comma is passed over. */
    list[HOSTS_MAX * size] = '\0';
    struct hosts hosts;
    assert_int_equal (hosts_parse (&hosts, list + 1, text, sizeof (text)), 0);
    hosts_deinit (&hosts);
    list[HOSTS_MAX * size] = ',';
    refuse (list + 1, COHORT_ELIMIT, "more than 256");
    free (list);
}

static void test_shuffle (void **state)
{
    (void) state;
    struct hosts hosts, copy;
    int first[3] = {0};
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct prng prng;
        prng_seed (&prng, seed);
        assert_int_equal (
            hosts_parse (&hosts, "tcp://a:1,tcp://b:1,tcp://c:1", text, sizeof (text)), 0);
        hosts_shuffle (&hosts, &prng);
        first[hosts.endpoints[0][6] - 'a']++;
        assert_int_equal (hosts_copy (&copy, &hosts), 0);
        assert_string_equal (copy.endpoints[2], hosts.endpoints[2]);
        hosts_deinit (&copy);
        hosts_deinit (&hosts);
    }
    for (int i = 0; i < 3; i++) {
        assert_true (first[i] > 70);
    }
}

static void test_out_of_memory (void **state)
{
    (void) state;
    for (uint64_t n = 1;; n++) {
        struct hosts hosts, copy;
        mem_fail_at (n);
        int rc = hosts_parse (&hosts, "tcp://a:1,tcp://b:1/x", text, sizeof (text));
        int copied = rc == 0 ? hosts_copy (&copy, &hosts) : COHORT_ENOMEM;
        bool came = mem_fail_clear ();
        if (copied == 0) {
            hosts_deinit (&copy);
        }
        hosts_deinit (&hosts);
        if (!came) {
            assert_int_equal (copied, 0);
            break;
        }
        assert_int_equal (copied, COHORT_ENOMEM);
    }
}

static void test_errors (void **state)
{
    (void) state;
    assert_string_equal (cohort_error_name (0), "COHORT_OK");
    assert_string_equal (cohort_error_name (COHORT_ENONODE), "COHORT_ENONODE");
    assert_string_equal (cohort_error_text (COHORT_ENONODE), "the znode does not exist");
    assert_int_equal (cohort_error_kind (COHORT_ENONODE), COHORT_KIND_DEFINITE);
    assert_int_equal (cohort_error_kind (COHORT_ENOMEM), COHORT_KIND_RETRYABLE);
    assert_int_equal (cohort_error_kind (COHORT_ESESSIONEXPIRED), COHORT_KIND_UNKNOWN);
    assert_string_equal (cohort_error_name (1), "COHORT_EUNKNOWN");
    assert_int_equal (cohort_error_kind (-9999), COHORT_KIND_UNKNOWN);
    /* No number has two meanings. */
    static const int codes[] = {
#define CODE(name, number, kind, words) number,
        COHORT_ERROR_MAP (CODE)
#undef CODE
    };
    size_t count = sizeof (codes) / sizeof (codes[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            assert_int_not_equal (codes[i], codes[j]);
        }
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_valid),         cmocka_unit_test (test_malformed),
        cmocka_unit_test (test_too_many),      cmocka_unit_test (test_shuffle),
        cmocka_unit_test (test_out_of_memory), cmocka_unit_test (test_errors),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

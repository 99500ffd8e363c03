/* The data of an instance: what is written is read, and what is wrong is named. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cohort/directory.h"
#include "tests/unit/unit.h"

#define TEXT_SIZE 256

static char text[TEXT_SIZE];
static cohort_instance_t instance;

static int decode (const char *data)
{
    instance = (cohort_instance_t){.load = -7};
    return cohort_instance_decode (data, strlen (data), &instance, text, sizeof (text));
}

static void written_and_read (void **state)
{
    (void) state;
    char buffer[128];
    const char *const extra[] = {"map=dust", "x.y-z_0=a=b", "empty="};
    cohort_instance_t out = {.ip = "10.0.0.7", .port = 7777, .load = 12, .draining = 5};
    int size = cohort_instance_encode (&out, extra, 3, buffer, sizeof (buffer));
    const char *expected = "ip=10.0.0.7\nport=7777\nload=12\ndraining=1\nmap=dust\nx.y-z_0=a=b\n"
                           "empty=\n";
    assert_int_equal (size, strlen (expected));
    assert_memory_equal (buffer, expected, (size_t) size);
    assert_int_equal (
        cohort_instance_decode (buffer, (size_t) size, &instance, text, sizeof (text)), 0);
    assert_string_equal (instance.ip, "10.0.0.7");
    assert_int_equal (instance.port, 7777);
    assert_int_equal (instance.load, 12);
    assert_int_equal (instance.draining, 1);
    assert_null (instance.group);
    assert_null (instance.uid);
    assert_string_equal (cohort_instance_value (&instance, "map"), "dust");
    assert_string_equal (cohort_instance_value (&instance, "x.y-z_0"), "a=b");
    assert_string_equal (cohort_instance_value (&instance, "empty"), "");
    assert_string_equal (cohort_instance_value (&instance, "port"), "7777");
    assert_null (cohort_instance_value (&instance, "ma"));
    assert_null (cohort_instance_value (&instance, "maps"));
    assert_null (cohort_instance_value (&instance, NULL));
    assert_null (cohort_instance_value (NULL, "map"));
}

static void room_to_the_byte (void **state)
{
    (void) state;
    cohort_instance_t out = {.ip = "a", .port = 1};
    const char *expected = "ip=a\nport=1\nload=0\ndraining=0\n";
    for (size_t size = 0; size <= strlen (expected) + 2; size++) {
        char *room = malloc (size + 1);
        int rc = cohort_instance_encode (&out, NULL, 0, room, size);
        /* One byte more than the text, for the ending 0 that is written and not counted. */
        assert_int_equal (rc, size > strlen (expected) ? (int) strlen (expected) : COHORT_ETOOBIG);
        free (room);
    }
    for (size_t size = 0; size < strlen (expected); size++) {
        char *room = malloc (size + 1);
        assert_int_equal (
            cohort_instance_decode (expected, strlen (expected), &instance, room, size + 1),
            COHORT_ETOOBIG);
        free (room);
    }
}

static void what_cannot_be_written (void **state)
{
    (void) state;
    char buffer[8192];
    const cohort_instance_t good = {.ip = "a", .port = 1};
    const cohort_instance_t bad[] = {
        {.ip = NULL, .port = 1},
        {.ip = "", .port = 1},
        {.ip = "a\nb", .port = 1},
        {.ip = "a", .port = 0},
        {.ip = "a", .port = 65536},
        {.ip = "a\r", .port = 1},
        {.ip = "a", .port = 1, .load = -1},
    };
    for (size_t i = 0; i < sizeof (bad) / sizeof (bad[0]); i++) {
        assert_int_equal (cohort_instance_encode (&bad[i], NULL, 0, buffer, sizeof (buffer)),
                          COHORT_EINVAL);
    }
    static const char *const extras[] = {"novalue", "=x",     "Upper=x",    "a b=c", "a=b\nc=d",
                                         "ip=x",    "port=1", "draining=1", "load=1"};
    for (size_t i = 0; i < sizeof (extras) / sizeof (extras[0]); i++) {
        assert_int_equal (cohort_instance_encode (&good, &extras[i], 1, buffer, sizeof (buffer)),
                          COHORT_EINVAL);
    }
    const char *const twice[] = {"a=1", "ab=2", "a=3"};
    assert_true (cohort_instance_encode (&good, twice, 2, buffer, sizeof (buffer)) > 0);
    assert_int_equal (cohort_instance_encode (&good, twice, 3, buffer, sizeof (buffer)),
                      COHORT_EINVAL);
    const char *none = NULL;
    assert_int_equal (cohort_instance_encode (&good, &none, 1, buffer, sizeof (buffer)),
                      COHORT_EINVAL);
    assert_int_equal (cohort_instance_encode (&good, NULL, 1, buffer, sizeof (buffer)),
                      COHORT_EINVAL);
    assert_int_equal (cohort_instance_encode (NULL, NULL, 0, buffer, sizeof (buffer)),
                      COHORT_EINVAL);
    assert_int_equal (cohort_instance_encode (&good, NULL, 0, NULL, 10), COHORT_EINVAL);
}

static void sixty_four_keys (void **state)
{
    (void) state;
    static char pairs[61][16];
    const char *extra[61];
    for (int i = 0; i < 61; i++) {
        snprintf (pairs[i], sizeof (pairs[i]), "k%d=v", i);
        extra[i] = pairs[i];
    }
    char buffer[4096], room[4096];
    const cohort_instance_t good = {.ip = "a", .port = 1};
    assert_int_equal (cohort_instance_encode (&good, extra, 61, buffer, sizeof (buffer)),
                      COHORT_EINVAL);
    int size = cohort_instance_encode (&good, extra, 60, buffer, sizeof (buffer));
    assert_true (size > 0);
    assert_int_equal (
        cohort_instance_decode (buffer, (size_t) size, &instance, room, sizeof (room)), 0);
    memcpy (buffer + size, "z=1", 4);
    assert_int_equal (
        cohort_instance_decode (buffer, (size_t) size + 3, &instance, room, sizeof (room)),
        COHORT_ECORRUPT);
    assert_string_equal (room, "line 65: more than 64 keys");
}

static void defaults (void **state)
{
    (void) state;
    assert_int_equal (decode ("port=1\nip=a"), 0);
    assert_int_equal (instance.load, 0);
    assert_int_equal (instance.draining, 0);
    assert_int_equal (decode ("port=65535\nip=a\nload=999999999999999999\ndraining=0\n"), 0);
    assert_true (instance.load == INT64_C (999999999999999999));
}

static void what_cannot_be_read (void **state)
{
    (void) state;
    static const struct {
        const char *data, *text;
    } cases[] = {
        {"", "there is no ip"},
        {"ip=a", "there is no port"},
        {"port=1", "there is no ip"},
        {"ip=\nport=1", "line 1: ip is empty"},
        {"ip=a\nport=0", "line 2: port is not 1 to 65535: 0"},
        {"ip=a\nport=65536", "line 2: port is not 1 to 65535: 65536"},
        {"ip=a\nport=-1", "line 2: port is not 1 to 65535: -1"},
        {"ip=a\nport=01", "line 2: port is not 1 to 65535: 01"},
        {"ip=a\nport=", "line 2: port is not 1 to 65535"},
        {"ip=a\nport=4294967297", "line 2: port is not 1 to 65535: 4294967297"},
        {"ip=a\nport=1 \n", "line 2: port is not 1 to 65535: 1 "},
        {"ip=a\nport=1\nload=x", "line 3: load is not a number of 0 or more: x"},
        {"ip=a\nport=1\nload=1000000000000000000",
         "line 3: load is not a number of 0 or more: 1000000000000000000"},
        {"ip=a\nport=1\ndraining=2", "line 3: draining is not 0 or 1: 2"},
        {"ip=a\nip=b\nport=1", "line 2: key occurs twice: ip"},
        {"ip=a\nport=1\n\n", "line 3: not key=value"},
        {"{\"ip\":\"a\"}", "line 1: not key=value: {\"ip\":\"a\"}"},
        {"ip=a\nport=1\nx", "line 3: not key=value: x"},
        {"ip=a\nport=1\n=x", "line 3: not key=value: =x"},
        {"ip=a\r\nport=1", "line 1: not text"},
        {"b\x01\xff", "line 1: not key=value: b??"},
    };
    for (size_t i = 0; i < sizeof (cases) / sizeof (cases[0]); i++) {
        assert_int_equal (decode (cases[i].data), COHORT_ECORRUPT);
        assert_string_equal (text, cases[i].text);
        assert_int_equal (instance.load, -7);
    }
    assert_int_equal (cohort_instance_decode ("ip=a\0b\nport=1", 13, &instance, text, TEXT_SIZE),
                      COHORT_ECORRUPT);
    assert_int_equal (cohort_instance_decode (NULL, 1, &instance, text, TEXT_SIZE), COHORT_EINVAL);
    assert_int_equal (cohort_instance_decode ("", 0, NULL, text, TEXT_SIZE), COHORT_EINVAL);
    assert_int_equal (cohort_instance_decode ("", 0, &instance, NULL, TEXT_SIZE), COHORT_EINVAL);
    /* A text that is too small for the reason is cut. */
    assert_int_equal (cohort_instance_decode ("", 0, &instance, text, 6), COHORT_ECORRUPT);
    assert_string_equal (text, "there");
}

/* Any bytes: no crash, and what was read can be written and read again. */
static void random_bytes (void **state)
{
    (void) state;
    static const char *const pieces[] = {
        "ip=", "port=", "load=", "draining=", "\n",           "1",      "65536",   "a",
        "=",   "\n\n",  "0",     "x=",        "draining=1\n", "ip=a\n", "port=1\n"};
    uint64_t seed = 7;
    int good = 0;
    for (int round = 0; round < 20000; round++) {
        char data[128];
        size_t size = 0;
        for (int i = 0; i < 8; i++) {
            seed = seed * UINT64_C (6364136223846793005) + 1;
            const char *piece = pieces[(seed >> 33) % (sizeof (pieces) / sizeof (pieces[0]))];
            for (; *piece != 0; piece++) {
                data[size++] = *piece;
            }
        }
        char *exact = malloc (size);
        memcpy (exact, data, size);
        if (cohort_instance_decode (exact, size, &instance, text, sizeof (text)) == 0) {
            good++;
            char buffer[256], again[256];
            int length = cohort_instance_encode (&instance, NULL, 0, buffer, sizeof (buffer));
            assert_true (length > 0);
            cohort_instance_t second;
            assert_int_equal (
                cohort_instance_decode (buffer, (size_t) length, &second, again, sizeof (again)),
                0);
            assert_string_equal (second.ip, instance.ip);
            assert_int_equal (second.port, instance.port);
            assert_int_equal (second.load, instance.load);
        }
        free (exact);
    }
    assert_true (good > 100);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (written_and_read),
        cmocka_unit_test (room_to_the_byte),
        cmocka_unit_test (what_cannot_be_written),
        cmocka_unit_test (sixty_four_keys),
        cmocka_unit_test (defaults),
        cmocka_unit_test (what_cannot_be_read),
        cmocka_unit_test (random_bytes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

/* Unit tests of base/sha1.h and base/secret.h. */

#include "client/base/sha1.h"

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/secret.h"
#include "tests/unit/unit.h"

static void expect (const void *data, size_t size, const char *hex)
{
    uint8_t hash[SHA1_SIZE];
    char text[2 * SHA1_SIZE + 1];
    sha1 (data, size, hash);
    for (size_t i = 0; i < sizeof (hash); i++) {
        snprintf (text + 2 * i, 3, "%02x", hash[i]);
    }
    assert_string_equal (text, hex);
}

/* The examples of FIPS 180. */
static void test_published (void **state)
{
    (void) state;
    expect (NULL, 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    expect ("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
    expect ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    size_t size = 1000000;
    char *million = mem_alloc (size);
    assert_non_null (million);
    memset (million, 'a', size);
    expect (million, size, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    mem_free (million);
}

/* Where the rest and its length stop fitting into one block; computed by another implementation. */
static void test_around_a_block (void **state)
{
    (void) state;
    static const struct {
        size_t size;
        const char *hex;
    } cases[] = {
        {55, "cef734ba81a024479e09eb5a75b6ddae62e6abf1"},
        {56, "901305367c259952f4e7af8323f480d59f81335b"},
        {57, "025ecbd5d70f8fb3c5457cd96bab13fda305dc59"},
        {63, "0ddc4e0cccd9a12850deb5abb0853a4425559fec"},
        {64, "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163"},
        {65, "78c741ddc482e4cdf8c474a0876347a0905b6233"},
        {119, "4300320394f7ee239bcdce7d3b8bcee173a0cd5c"},
        {120, "ceb2821639c4b6dcb10bce0e522ca2e608ce056d"},
        {128, "150fa3fbdc899bd0b8f95a9fb6027f564d953762"},
    };
    char bytes[128];
    memset (bytes, 'x', sizeof (bytes));
    for (size_t i = 0; i < sizeof (cases) / sizeof (cases[0]); i++) {
        expect (bytes, cases[i].size, cases[i].hex);
    }
}

/* ZooKeeper's documentation has this one: user "super", password "test". */
static void test_digest_of_a_user (void **state)
{
    (void) state;
    uint8_t hash[SHA1_SIZE];
    char text[BASE64_SIZE (SHA1_SIZE)];
    sha1 ("super:test", 10, hash);
    base64_encode (text, hash, sizeof (hash));
    assert_string_equal (text, "D/InIHSb7yEEbrWz8b9l71RjZJU=");
}

/* The examples of RFC 4648. */
static void test_base64 (void **state)
{
    (void) state;
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof (cases) / sizeof (cases[0]); i++) {
        char text[BASE64_SIZE (6)];
        size_t size = strlen (cases[i][0]);
        base64_encode (text, cases[i][0], size);
        assert_string_equal (text, cases[i][1]);
        assert_int_equal (strlen (text) + 1, BASE64_SIZE (size));
    }
}

static void test_wipe (void **state)
{
    (void) state;
    char bytes[] = "secret", around[] = {'a', 'b', 'c'};
    secret_wipe (bytes, sizeof (bytes));
    for (size_t i = 0; i < sizeof (bytes); i++) {
        assert_int_equal (bytes[i], 0);
    }
    secret_wipe (around + 1, 1);
    assert_memory_equal (around, "a\0c", 3);
    secret_wipe (NULL, 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_published),
        cmocka_unit_test (test_around_a_block),
        cmocka_unit_test (test_digest_of_a_user),
        cmocka_unit_test (test_base64),
        cmocka_unit_test (test_wipe),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

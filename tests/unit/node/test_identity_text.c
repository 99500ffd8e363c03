/* Identities as people read and write them. */

#include <string.h>

#include "server/node/identity_text.h"
#include "tests/unit/unit.h"

static void expect (enum identity_scheme scheme, const void *id, size_t size, const char *expected)
{
    struct identity identity = {scheme, id, (uint8_t) size};
    char text[IDENTITY_TEXT_SIZE];
    assert_string_equal (identity_text (&identity, text), expected);
}

static void test_text (void **state)
{
    (void) state;
    static const uint8_t v4[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 255, 7};
    static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7};
    /* RFC 32's own example, four times over. */
    static const uint8_t word[8] = {0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b};
    uint8_t key[32];
    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = word[i % sizeof word];
    }
    char longest[255];
    memset (longest, 'x', sizeof longest);
    char expected[256];
    memcpy (expected, longest, sizeof longest);
    expected[255] = '\0';
    expect (IDENTITY_WORLD, NULL, 0, "anyone");
    expect (IDENTITY_DIGEST, "super:hash", 10, "super:hash");
    expect (IDENTITY_DIGEST, longest, sizeof longest, expected);
    expect (IDENTITY_IP, v4, sizeof v4, "10.0.255.7");
    expect (IDENTITY_IP, v6, sizeof v6, "2001:db8:0:0:0:0:0:7");
    expect (IDENTITY_CURVE, key, sizeof key, "HelloWorldHelloWorldHelloWorldHelloWorld");
}

static void test_names (void **state)
{
    (void) state;
    assert_string_equal (identity_scheme_name (IDENTITY_WORLD), "world");
    assert_string_equal (identity_scheme_name (IDENTITY_AUTH), "auth");
    assert_string_equal (identity_scheme_name (IDENTITY_DIGEST), "digest");
    assert_string_equal (identity_scheme_name (IDENTITY_IP), "ip");
    assert_string_equal (identity_scheme_name (IDENTITY_CURVE), "curve");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_text),
        cmocka_unit_test (test_names),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

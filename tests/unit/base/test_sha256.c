/* Unit tests of base/sha256.h. */

#include "client/base/sha256.h"

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "tests/unit/unit.h"

static void expect (const void *data, size_t size, const char *hex)
{
    uint8_t hash[SHA256_SIZE];
    char text[2 * SHA256_SIZE + 1];
    sha256 (data, size, hash);
    for (size_t i = 0; i < sizeof (hash); i++) {
        snprintf (text + 2 * i, 3, "%02x", hash[i]);
    }
    assert_string_equal (text, hex);
}

/* The examples of FIPS 180. */
static void test_published (void **state)
{
    (void) state;
    expect (NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect ("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    size_t size = 1000000;
    char *million = mem_alloc (size);
    assert_non_null (million);
    memset (million, 'a', size);
    expect (million, size, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    mem_free (million);
}

/* Where the rest and its length stop fitting into one block; computed by GNU coreutils. */
static void test_around_a_block (void **state)
{
    (void) state;
    static const struct {
        size_t size;
        const char *hex;
    } cases[] = {
        {55, "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072"},
        {56, "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e"},
        {57, "ae14a2563ccf969d99aca69ce6bb74981f734bbf9f655f73b8f06db68cab5217"},
        {63, "75220b47218278e656f2013bb8f0c455a25eaf01e86c64924e9d48d89776d6f2"},
        {64, "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c"},
        {65, "9537c5fdf120482f7d58d25e9ed583f52c02b4e304ea814db1633ad565aed7e9"},
        {119, "000b48d4edf0fa7bee3c6236ecd2785baa5db4eeb8bb54341b029e0d9fa5fb0c"},
        {120, "13f05a0b594787f5ecd315edc96141bd3243203d1b7d4f0836f37308b276ba98"},
        {128, "24da1b81d0b16df6428eee73c69fcb2a93c76bc6df706f0c6670fe6bfe800464"},
    };
    char bytes[128];
    memset (bytes, 'x', sizeof (bytes));
    for (size_t i = 0; i < sizeof (cases) / sizeof (cases[0]); i++) {
        expect (bytes, cases[i].size, cases[i].hex);
    }
}

static void test_secret_equal (void **state)
{
    (void) state;
    uint8_t a[16] = {0}, b[16] = {0};
    assert_true (secret_equal (a, b, sizeof (a)));
    assert_true (secret_equal (NULL, NULL, 0));
    for (unsigned bit = 0; bit < 128; bit++) {
        b[bit / 8] ^= (uint8_t) (1u << bit % 8);
        assert_false (secret_equal (a, b, sizeof (a)));
        assert_true (secret_equal (a, b, bit / 8));
        b[bit / 8] ^= (uint8_t) (1u << bit % 8);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_published),
        cmocka_unit_test (test_around_a_block),
        cmocka_unit_test (test_secret_equal),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

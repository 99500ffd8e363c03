/* Unit tests of base/digest_id.h: the ids must be the same for ever, for lists name them. */

#include "client/base/digest_id.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"

/* ZooKeeper's documentation has the id of super:test; the others were computed with Python. */
static void test_ids (void **state)
{
    (void) state;
    char id[DIGEST_ID_SIZE];
    uint8_t credential[DIGEST_CREDENTIAL_SIZE];
    for (size_t i = 0; i < sizeof (credential); i++) {
        credential[i] = (uint8_t) i;
    }
    digest_id_sha1 ("super", 5, "test", 4, id);
    assert_string_equal (id, "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
    digest_id ("alice", 5, credential, id);
    assert_string_equal (id, "alice:argon2id:Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0=");
}

static void test_salt (void **state)
{
    (void) state;
    uint8_t salt[DIGEST_SALT_SIZE];
    char hex[2 * DIGEST_SALT_SIZE + 1];
    digest_salt ("alice", 5, salt);
    for (size_t i = 0; i < sizeof (salt); i++) {
        snprintf (hex + 2 * i, 3, "%02x", salt[i]);
    }
    assert_string_equal (hex, "71192bc31b87316a10106054fa290949");
}

/* The longest name, and one byte more. */
static void test_users (void **state)
{
    (void) state;
    char name[DIGEST_USER_MAX + 1], id[DIGEST_ID_SIZE];
    uint8_t credential[DIGEST_CREDENTIAL_SIZE] = {0};
    memset (name, 'u', sizeof (name));
    assert_true (digest_user_valid (name, DIGEST_USER_MAX));
    assert_false (digest_user_valid (name, DIGEST_USER_MAX + 1));
    digest_id (name, DIGEST_USER_MAX, credential, id);
    assert_true (digest_id_valid (id, strlen (id)));
    assert_false (digest_user_valid ("", 0));
    assert_false (digest_user_valid ("a:b", 3));
    assert_false (digest_user_valid ("a\nb", 3));
    assert_false (digest_user_valid ("a\0b", 3));
    assert_true (digest_user_valid ("J\xc3\xb6rg", 5));
}

static void expect_valid (const char *id, bool valid)
{
    assert_int_equal (digest_id_valid (id, strlen (id)), valid);
}

static void test_what_is_an_id (void **state)
{
    (void) state;
    expect_valid ("super:D/InIHSb7yEEbrWz8b9l71RjZJU=", true);
    expect_valid ("alice:argon2id:Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0=", true);
    expect_valid ("", false);
    expect_valid ("super", false);
    expect_valid ("super:", false);
    expect_valid ("super:test", false);
    expect_valid (":D/InIHSb7yEEbrWz8b9l71RjZJU=", false);
    expect_valid ("super:D/InIHSb7yEEbrWz8b9l71RjZJUx", false);  /* not padded */
    expect_valid ("super:D/InIHSb7yEEbrWz8b9l71RjZJ==", false);  /* too much of it */
    expect_valid ("super:D/InIHSb7yEEbrWz8b9l71RjZJU", false);   /* too short */
    expect_valid ("super:D/InIHSb7yEE rWz8b9l71RjZJU=", false);  /* no digit */
    expect_valid ("super:D/InIHSb7yEEbrWz8b9l71RjZJU==", false); /* too long */
    expect_valid ("alice:argon2id:", false);
    expect_valid ("alice:argon2id:D/InIHSb7yEEbrWz8b9l71RjZJU=", false);
    expect_valid ("alice:Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0=", false);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_ids),
        cmocka_unit_test (test_salt),
        cmocka_unit_test (test_users),
        cmocka_unit_test (test_what_is_an_id),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

/* cohort/acl.h: lists as values, digest users, and both against a small ensemble. */

#include "cohort/acl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "tests/unit/client/fake.h"
#include "tests/unit/unit.h"

#define ALICE      "alice:argon2id:DnCXjktdzRKLn65oHIdcOcFx5SJDGR987VmutGCYaIc="
#define ALICE_SHA1 "alice:kt1MH7DBZhNdoXBFZ4oDIhZRJ+A="
#define KEY        "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"

static void expect_print (const cohort_acl_t *acl, const char *expected)
{
    char *text = cohort_acl_print (acl, ",");
    assert_non_null (text);
    assert_string_equal (text, expected);
    cohort_free (text);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static void test_text (void **state)
{
    (void) state;
    static const char *const lists[] = {
        "world:anyone:cdrwa",
        "auth::cdrwa",
        "auth:whatever:r",
        "digest:" ALICE ":cdrwa",
        "digest:" ALICE_SHA1 ":rw",
        "ip:10.0.0.0/8:cdr",
        "ip:10.1.2.3:r",
        "ip:2001:db8::/32:r",
        "ip:::1:r",
        "curve:" KEY ":rw",
        "world:anyone:r,ip:10.0.0.0/8:w,digest:" ALICE ":cdrwa,curve:" KEY ":a",
    };
    for (size_t i = 0; i < sizeof (lists) / sizeof (lists[0]); i++) {
        const char *text;
        cohort_acl_t *acl = cohort_acl_parse (lists[i]);
        assert_int_equal (cohort_acl_error (acl, &text), 0);
        assert_string_equal (text, "");
        expect_print (acl, lists[i]);
        cohort_acl_t *copy = cohort_acl_copy (acl);
        expect_print (copy, lists[i]);
        cohort_acl_destroy (&copy);
        cohort_acl_destroy (&acl);
        assert_null (acl);
    }
}

static void test_items (void **state)
{
    (void) state;
    cohort_acl_t *acl = cohort_acl_new ();
    assert_int_equal (cohort_acl_count (acl), 0);
    assert_null (cohort_acl_item (acl, 0));
    assert_int_equal (cohort_acl_add (acl, COHORT_PERM_READ, "world", "anyone"), 0);
    assert_int_equal (cohort_acl_add (acl, COHORT_PERM_ALL, "digest", ALICE), 0);
    assert_int_equal (cohort_acl_count (acl), 2);
    assert_int_equal (cohort_acl_item (acl, 1)->perms, COHORT_PERM_ALL);
    assert_string_equal (cohort_acl_item (acl, 1)->scheme, "digest");
    assert_string_equal (cohort_acl_item (acl, 1)->id, ALICE);
    assert_null (cohort_acl_item (acl, 2));
    for (int i = 2; i < COHORT_ACL_ITEMS_MAX; i++) {
        assert_int_equal (cohort_acl_add (acl, COHORT_PERM_READ, "ip", "10.0.0.1"), 0);
    }
    assert_int_equal (cohort_acl_add (acl, 1, "world", "anyone"), COHORT_EINVALIDACL);
    assert_int_equal (cohort_acl_count (acl), COHORT_ACL_ITEMS_MAX);
    cohort_acl_destroy (&acl);
    assert_int_equal (cohort_acl_error (NULL, NULL), COHORT_EINVALIDACL);
}

/* Each error names the item and what is wrong with it. */
static void test_invalid (void **state)
{
    (void) state;
    static const char *const cases[][2] = {
        {"", "the list is empty: it has items such as world:anyone:r"},
        {"world", "item 1, 'world': it is not SCHEME:ID:PERMISSIONS"},
        {"world:anyone", "item 1, 'world:anyone': it is not SCHEME:ID:PERMISSIONS"},
        {"world:anyone:",
         "item 1, 'world:anyone:': its permissions '' are not of the letters c, d, "
         "r, w, a"},
        {"world:anyone:rx",
         "item 1, 'world:anyone:rx': its permissions 'rx' are not of the letters "
         "c, d, r, w, a"},
        {"world:anyone:r,", "item 2, '': it is not SCHEME:ID:PERMISSIONS"},
        {"world:me:r", "item 1, 'world:me': the one id of world is anyone"},
        {"auth::r,sasl:bob:r", "item 2, 'sasl:bob': its scheme is none of world, auth, digest, ip, "
                               "curve"},
        {"digest:bob:r",
         "item 1, 'digest:bob': its id is USER:HASH (cohort digest USER prints it)"},
        {"digest:bob:secret:r",
         "item 1, 'digest:bob:secret': behind the user comes no hash; a password does not stand in "
         "a list (cohort digest USER makes a hash of it)"},
        {"digest:bob:x:r",
         "item 1, 'digest:bob:x': its hash is hidden: a list can be copied by who "
         "may set it"},
        {"digest::DnCX:r", "item 1, 'digest::DnCX': the name of the user is empty"},
        {"ip:10.0.0.256:r", "item 1, 'ip:10.0.0.256': its id is no address such as 10.0.0.7, "
                            "10.0.0.0/8 or 2001:db8::/32"},
        {"ip:10.0.0.0/33:r", "item 1, 'ip:10.0.0.0/33': the bits of its network are 0 to 32"},
        {"ip:10.0.0.0/:r", "item 1, 'ip:10.0.0.0/': the bits of its network are 0 to 32"},
        {"ip:2001:db8::/129:r", "item 1, 'ip:2001:db8::/129': its bits are 0 to 128"},
        {"ip:host.example:r", "item 1, 'ip:host.example': its id is no address such as 10.0.0.7, "
                              "10.0.0.0/8 or 2001:db8::/32"},
        {"curve:abc:r", "item 1, 'curve:abc': its id is no public key of 40 characters (Z85)"},
    };
    for (size_t i = 0; i < sizeof (cases) / sizeof (cases[0]); i++) {
        const char *text;
        cohort_acl_t *acl = cohort_acl_parse (cases[i][0]);
        assert_int_equal (cohort_acl_error (acl, &text), COHORT_EINVALIDACL);
        assert_string_equal (text, cases[i][1]);
        cohort_acl_destroy (&acl);
    }
    /* The first error stays. */
    const char *text;
    cohort_acl_t *acl = cohort_acl_new ();
    assert_int_equal (cohort_acl_add (acl, 0, "world", "anyone"), COHORT_EINVALIDACL);
    assert_int_equal (cohort_acl_add (acl, 1, "world", "you"), COHORT_EINVALIDACL);
    assert_int_equal (cohort_acl_error (acl, &text), COHORT_EINVALIDACL);
    assert_string_equal (text,
                         "item 1, 'world:anyone': its permissions are none of COHORT_PERM_...");
    assert_int_equal (cohort_acl_add (NULL, 1, "world", "anyone"), COHORT_EINVAL);
    cohort_acl_destroy (&acl);
}

static void test_out_of_memory (void **state)
{
    (void) state;
    for (uint64_t n = 1;; n++) {
        mem_fail_at (n);
        cohort_acl_t *acl =
            cohort_acl_parse ("world:anyone:r,auth::w,ip:::1:r,ip:10.0.0.1:r,auth::r");
        bool whole = acl != NULL && cohort_acl_error (acl, NULL) == 0;
        bool failed = mem_fail_clear ();
        assert_int_not_equal (failed, whole);
        cohort_acl_destroy (&acl);
        if (!failed) {
            break;
        }
    }
}

/* ---- Digest users ---------------------------------------------------------------------------- */

/* The hashes were made by other implementations. */
static void test_digest (void **state)
{
    (void) state;
    char id[256] = "";
    assert_int_equal (cohort_acl_digest ("digest", "alice", "secret", id, sizeof (id)), 0);
    assert_string_equal (id, ALICE);
    assert_int_equal (cohort_acl_digest ("digest", "bob@game.example",
                                         "correct horse battery staple", id, sizeof (id)),
                      0);
    assert_string_equal (id,
                         "bob@game.example:argon2id:jwE9OdhDsbwJCpcmIY0dTkWPjuMBD4BJ2v3XHZCgkmM=");
    assert_int_equal (cohort_acl_digest ("digest-sha1", "super", "test", id, sizeof (id)), 0);
    assert_string_equal (id, "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
    assert_int_equal (cohort_acl_digest ("digest-sha1", "super", "test", id, 8), COHORT_ETOOBIG);
    assert_int_equal (cohort_acl_digest ("md5", "super", "test", id, 256), COHORT_EINVAL);
    assert_int_equal (cohort_acl_digest ("digest", "a:b", "test", id, 256), COHORT_EINVAL);
    assert_int_equal (cohort_acl_digest ("digest", "a,b", "test", id, 256), COHORT_EINVAL);
    assert_int_equal (cohort_acl_digest ("digest", "", "test", id, 256), COHORT_EINVAL);
    assert_int_equal (cohort_acl_digest ("digest", "super", "", id, 256), COHORT_EINVAL);
    assert_int_equal (cohort_acl_digest ("digest", "super", NULL, id, 256), COHORT_EINVAL);
    assert_int_equal (cohort_acl_digest ("digest", "super", "test", NULL, 0), COHORT_EINVAL);
    assert_string_equal (id, "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
}

/* ---- Against a server ------------------------------------------------------------------------ */

struct setup {
    struct fake *fake;
    cohort_t *client;
};

static void begin (struct setup *setup)
{
    static const char *const endpoints[] = {"tcp://127.0.0.1:*"};
    setup->fake = fake_new (NULL, endpoints, 1);
    setup->client = cohort_new (fake_servers (setup->fake), NULL);
    assert_non_null (setup->client);
    assert_int_equal (cohort_wait (setup->client, 10000), 0);
}

static void end (struct setup *setup)
{
    cohort_destroy (&setup->client);
    fake_destroy (&setup->fake);
}

static void expect_error (cohort_t *client, int rc, int expected, const char *text)
{
    char have[256];
    assert_int_equal (rc, expected);
    cohort_errmsg (client, have, sizeof (have));
    assert_string_equal (have, text);
}

static void expect_acl (cohort_t *client, const char *path, const char *expected)
{
    cohort_acl_t *acl = NULL;
    assert_int_equal (cohort_get_acl (client, path, &acl, NULL), 0);
    expect_print (acl, expected);
    cohort_acl_destroy (&acl);
}

static void test_lists (void **state)
{
    (void) state;
    struct setup setup;
    begin (&setup);
    cohort_t *client = setup.client;
    cohort_stat_t stat;
    cohort_acl_t *acl = cohort_acl_parse ("world:anyone:r,digest:" ALICE ":cdrwa");
    assert_int_equal (cohort_create (client, "/a", "data", 4, 0, acl, NULL, NULL), 0);
    assert_int_equal (cohort_create (client, "/open", NULL, 0, 0, NULL, NULL, NULL), 0);
    expect_acl (client, "/a", "world:anyone:r,digest:" ALICE ":cdrwa");
    expect_acl (client, "/open", "world:anyone:cdrwa");
    cohort_acl_destroy (&acl);
    /* What was read is what can be set. */
    assert_int_equal (cohort_get_acl (client, "/a", &acl, &stat), 0);
    assert_int_equal (stat.aversion, 0);
    assert_int_equal (cohort_set_acl (client, "/open", acl, 0, NULL), 0);
    expect_acl (client, "/open", "world:anyone:r,digest:" ALICE ":cdrwa");
    expect_error (client, cohort_set_acl (client, "/open", acl, 0, NULL), COHORT_EBADVERSION,
                  "set_acl /open: the version does not match");
    expect_error (client, cohort_set_acl (client, "/b", acl, -1, NULL), COHORT_ENONODE,
                  "set_acl /b: the znode does not exist");
    /* Defaults. */
    cohort_acl_t *none = acl;
    assert_int_equal (cohort_get_default_acl (client, "/a", &none, NULL), 0);
    assert_null (none);
    assert_int_equal (cohort_set_default_acl (client, "/a", acl, -1, NULL), 0);
    cohort_acl_t *inherited = NULL;
    assert_int_equal (cohort_get_default_acl (client, "/a", &inherited, NULL), 0);
    expect_print (inherited, "world:anyone:r,digest:" ALICE ":cdrwa");
    cohort_acl_destroy (&inherited);
    assert_int_equal (cohort_set_default_acl (client, "/a", NULL, -1, NULL), 0);
    assert_int_equal (cohort_get_default_acl (client, "/a", &none, NULL), 0);
    assert_null (none);
    cohort_acl_destroy (&acl);
    end (&setup);
}

static void test_transaction (void **state)
{
    (void) state;
    struct setup setup;
    begin (&setup);
    cohort_acl_t *acl = cohort_acl_parse ("ip:10.0.0.0/8:cdrwa");
    cohort_acl_t *bad = cohort_acl_parse ("ip:10.0.0.0/8:q");
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_txn_create (txn, "/a", NULL, 0, 0, acl), 0);
    assert_int_equal (cohort_txn_create (txn, "/b", "data", 4, 0, NULL), 0);
    assert_int_equal (cohort_multi (setup.client, txn), 0);
    cohort_txn_destroy (&txn);
    txn = cohort_txn_new ();
    assert_int_equal (cohort_txn_set (txn, "/a", "data", 4, -1), 0);
    assert_int_equal (cohort_txn_set_acl (txn, "/b", acl, -1), 0);
    cohort_acl_destroy (&acl);
    assert_int_equal (cohort_multi (setup.client, txn), 0);
    expect_acl (setup.client, "/a", "ip:10.0.0.0/8:cdrwa");
    expect_acl (setup.client, "/b", "ip:10.0.0.0/8:cdrwa");
    assert_int_equal (cohort_txn_set_acl (txn, "/a", bad, -1), COHORT_EINVALIDACL);
    expect_error (setup.client, cohort_multi (setup.client, txn), COHORT_EINVALIDACL,
                  "multi: operation 2: item 1, 'ip:10.0.0.0/8:q': its permissions 'q' are not of "
                  "the letters c, d, r, w, a");
    cohort_acl_destroy (&bad);
    cohort_txn_destroy (&txn);
    end (&setup);
}

/* Nothing of what is not valid is sent. */
static void test_refused (void **state)
{
    (void) state;
    struct setup setup;
    begin (&setup);
    cohort_t *client = setup.client;
    cohort_acl_t *acl = cohort_acl_parse ("world:anyone:r,digest:bob:secret:r");
    cohort_acl_t *empty = cohort_acl_new ();
    expect_error (client, cohort_create (client, "/a", NULL, 0, 0, acl, NULL, NULL),
                  COHORT_EINVALIDACL,
                  "create: acl: item 2, 'digest:bob:secret': behind the user comes no hash; a "
                  "password does not stand in a list (cohort digest USER makes a hash of it)");
    expect_error (client, cohort_set_acl (client, "/", empty, -1, NULL), COHORT_EINVALIDACL,
                  "set_acl: acl: the list is empty: it has items such as world:anyone:r");
    expect_error (client, cohort_set_acl (client, "/", NULL, -1, NULL), COHORT_EINVALIDACL,
                  "set_acl: acl is NULL");
    expect_error (client, cohort_set_admins (client, empty), COHORT_EINVALIDACL,
                  "set_admins: acl: the list is empty: it has items such as world:anyone:r");
    expect_error (client, cohort_add_auth (client, "sasl", "bob", "secret"), COHORT_EINVAL,
                  "add_auth: the scheme 'sasl' is neither digest nor digest-sha1");
    expect_error (client, cohort_add_auth (client, "digest", "bob:", "secret"), COHORT_EINVAL,
                  "add_auth: the name of a user has neither ':' nor ',' nor control characters");
    expect_error (client, cohort_add_auth (client, "digest", "bob", ""), COHORT_EINVAL,
                  "add_auth: the password is empty");
    assert_int_equal (fake_count (setup.fake, FAKE_REQUESTS), 0);
    cohort_acl_destroy (&acl);
    cohort_acl_destroy (&empty);
    end (&setup);
}

static void expect_identities (cohort_t *client, size_t count, const char *first)
{
    cohort_identities_t *identities = NULL;
    assert_int_equal (cohort_whoami (client, &identities), 0);
    assert_int_equal (identities->count, count);
    assert_string_equal (identities->items[0].scheme, "world");
    if (count > 1) {
        assert_string_equal (identities->items[1].scheme, "digest");
        assert_string_equal (identities->items[1].id, first);
    }
    cohort_identities_destroy (&identities);
}

static void on_result (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    *(int *) arg = result->rc == 0 ? 1 : result->rc;
}

/* What a session was, the one that is made after its loss is before anything else is asked of it.
 */
static void test_identities (void **state)
{
    (void) state;
    struct setup setup;
    begin (&setup);
    cohort_t *client = setup.client;
    int done = 0;
    expect_identities (client, 1, NULL);
    assert_int_equal (cohort_add_auth (client, "digest", "alice", "secret"), 0);
    expect_identities (client, 2, ALICE);
    assert_int_equal (
        cohort_add_auth_async (client, "digest-sha1", "super", "test", on_result, &done), 0);
    while (done == 0) {
        assert_true (cohort_run (client, 10000) > 0);
    }
    assert_int_equal (done, 1);
    expect_identities (client, 3, ALICE);
    fake_expire (setup.fake);
    while (cohort_state (client) != COHORT_LOST) {
        assert_true (cohort_run (client, 10000) > 0);
    }
    uint64_t applied = fake_count (setup.fake, FAKE_APPLIED);
    assert_int_equal (cohort_renew (client), 0);
    expect_identities (client, 3, ALICE);
    assert_int_equal (fake_count (setup.fake, FAKE_APPLIED), applied + 2);
    end (&setup);
}

/* The list of a result is the result's own. */
static void on_acl (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    assert_int_equal (result->rc, 0);
    assert_non_null (result->stat);
    *(char **) arg = cohort_acl_print (result->acl, ";");
}

static void test_asynchronous (void **state)
{
    (void) state;
    struct setup setup;
    begin (&setup);
    cohort_t *client = setup.client;
    int done = 0;
    char *text = NULL;
    cohort_acl_t *acl = cohort_acl_parse ("world:anyone:r,auth::w");
    assert_int_equal (cohort_set_acl_async (client, "/", acl, -1, on_result, &done), 0);
    assert_int_equal (cohort_set_default_acl_async (client, "/", acl, -1, NULL, NULL), 0);
    assert_int_equal (cohort_set_acl_async (client, "/", NULL, -1, NULL, NULL), COHORT_EINVALIDACL);
    cohort_acl_destroy (&acl);
    assert_int_equal (cohort_get_acl_async (client, "/", on_acl, &text), 0);
    while (text == NULL) {
        assert_true (cohort_run (client, 10000) > 0);
    }
    assert_int_equal (done, 1);
    assert_string_equal (text, "world:anyone:r;auth::w");
    cohort_free (text);
    end (&setup);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_text),        cmocka_unit_test (test_items),
        cmocka_unit_test (test_invalid),     cmocka_unit_test (test_out_of_memory),
        cmocka_unit_test (test_digest),      cmocka_unit_test (test_lists),
        cmocka_unit_test (test_transaction), cmocka_unit_test (test_refused),
        cmocka_unit_test (test_identities),  cmocka_unit_test (test_asynchronous),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

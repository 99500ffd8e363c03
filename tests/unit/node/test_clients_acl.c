/* Who clients are, and what they may do: at the door, on the simulated wire. The tree's own
 * tests have every operation; here it is what clients say and hear. */

#include "tests/unit/node/clients_cast.h"

#include <stdio.h>
#include <string.h>

#include "client/base/digest_id.h"
#include "client/base/prng.h"

#define KEY "HelloWorldHelloWorldHelloWorldHelloWorld"

/* ---- Who somebody is --------------------------------------------------------------------- */

static void what_is_proven_stays (void **state)
{
    (void) state;
    uint8_t credential[DIGEST_CREDENTIAL_SIZE];
    for (size_t i = 0; i < sizeof credential; i++) {
        credential[i] = (uint8_t) i;
    }
    struct world *world = world_new (&(struct world_options){.servers = 2});
    struct peer *peer = peer_from (world, "10.0.0.7", KEY);
    ask_add_auth (peer, "digest-sha1", "anna", "secret", 6);
    ask_add_auth (peer, "digest", "alice", credential, sizeof credential);
    ask_add_auth (peer, "digest", "alice", credential, sizeof credential);
    ask_whoami (peer);
    peer_do (peer);
    expect (peer, "reply 1 OK n=1");
    expect (peer, "reply 2 OK n=2");
    expect (peer, "reply 3 OK n=3");
    expect (peer, "reply 4 OK world:anyone ip:10.0.0.7 curve:" KEY " digest:" ANNA
                  " digest:alice:argon2id:Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0=");
    /* At another server, in another epoch, from elsewhere, without a key. */
    world_lose_leader (world);
    world_new_leader (world);
    peer_disconnect (peer, true);
    peer_connect (peer, 1);
    peer->address = "::ffff:10.1.1.1";
    peer->key = NULL;
    peer_hello (peer);
    world_run (world);
    expect_prefix (peer, "welcome attach=2");
    ask_rearm (peer, 0, false);
    ask_whoami (peer);
    peer_do (peer);
    expect (peer, "reply 5 OK world:anyone ip:10.1.1.1 digest:" ANNA
                  " digest:alice:argon2id:Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0=");
    world_free (&world);
}

static void what_proves_nothing (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_add_auth (peer, "kerberos", "anna", "secret", 6);
    ask_add_auth (peer, "ip", "10.0.0.1", "", 0);
    ask_add_auth (peer, "digest", "anna", "secret", 6);
    ask_add_auth (peer, "digest-sha1", "", "secret", 6);
    ask_add_auth (peer, "digest-sha1", "an:na", "secret", 6);
    ask_whoami (peer);
    peer_do (peer);
    expect_prefix (peer, "reply 1 EAUTHFAILED n=1 (kerberos:anna: there is no such scheme: digest");
    expect_prefix (peer, "reply 2 EAUTHFAILED n=2 (ip:10.0.0.1: there is no such scheme: digest");
    expect (peer, "reply 3 EAUTHFAILED n=3 (digest:anna: the credential of scheme digest is "
                  "Argon2id's output, 32 bytes)");
    expect_prefix (peer, "reply 4 EINVAL n=4 (digest-sha1:: a user's name has");
    expect_prefix (peer, "reply 5 EINVAL n=5 (digest-sha1:an:na: a user's name has");
    expect (peer, "reply 6 OK world:anyone");
    world_free (&world);
}

/* ---- Lists ------------------------------------------------------------------------------- */

/* What is wrong with one item is said of it; the numbers have no gap. */
static void lists_that_are_none (void **state)
{
    (void) state;
    static const struct {
        struct item items[3];
        const char *why;
    } wrong[] = {
        {{{R, "world", "anyone"}, {R, "ip", "10.0.0.300"}}, "item 2 of 2, ip:10.0.0.300: an ip id"},
        {{{R, "ip", "10.0.0.0/33"}}, "item 1 of 1, ip:10.0.0.0/33: an ip id"},
        {{{R, "ip", "10.0.0.0/"}}, "item 1 of 1, ip:10.0.0.0/: an ip id"},
        {{{R, "ip", "::/129"}}, "item 1 of 1, ip:::/129: an ip id"},
        {{{R, "ip", ""}}, "item 1 of 1, ip:: an ip id"},
        {{{R, "world", "all"}}, "item 1 of 1, world:all: the only id of world"},
        {{{R, "digest", "anna:secret"}}, "item 1 of 1, digest:anna:secret: a digest id"},
        {{{R, "curve", "short"}}, "item 1 of 1, curve:short: a curve id"},
        {{{R, "x509", "CN=anna"}}, "item 1 of 1, x509:CN=anna: there is no such scheme"},
        {{{R, "we\nird", "\x7f"}}, "item 1 of 1, we?ird:?: there is no such scheme"},
        {{{0, "world", "anyone"}}, "item 1 of 1, world:anyone: permissions are"},
        {{{32, "world", "anyone"}}, "item 1 of 1, world:anyone: permissions are"},
        {{{0, NULL, NULL}}, "the list is empty"},
    };
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char line[200];
        ask_set_acl (peer, "/", wrong[i].items);
        peer_do (peer);
        (void) snprintf (line, sizeof line, "reply %zu EINVALIDACL n=%zu (%s", i + 1, i + 1,
                         wrong[i].why);
        expect_prefix (peer, line);
    }
    static const struct item proven[] = {{R, "auth", ""}, {0}};
    ask_create_with (peer, "/a", "", wrong[0].items);
    ask_create_with (peer, "/a", "", proven);
    ask_multi (peer, (const char *[]){"/a", "/b", NULL});
    Cohort__Wire__Create *create = peer->requests[2]->multi->ops[1]->create;
    create->acl = list_of (peer, wrong[0].items, &create->n_acl);
    ask_create (peer, "/a", "", 0);
    peer_do (peer);
    expect_prefix (peer, "reply 14 EINVALIDACL n=14 (item 2 of 2, ip:10.0.0.300:");
    expect (peer, "reply 15 EINVALIDACL n=15");
    expect_prefix (peer, "reply 16 EINVALIDACL n=16 (operation 2 of 3: item 2 of 2, ip:");
    expect (peer, "reply 17 OK n=17 path=/a v=0");
    world_free (&world);
}

/* As they went in, so they come out; the hashes to those alone who may change the list. */
static void lists_in_and_out (void **state)
{
    (void) state;
    static const struct item items[] = {
        {R | W, "digest", ANNA},
        {A, "digest", ANNA},
        {C, "auth", "ignored"},
        {R, "ip", "10.0.0.0/8"},
        {R, "ip", "10.1.2.3"},
        {R, "ip", "2001:db8::/32"},
        {W, "ip", "0.0.0.0/0"},
        {W, "ip", "::/0"},
        {R, "curve", KEY},
        {R, "digest", "bert:argon2id:Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0="},
        {D, "world", "anyone"},
        {0}};
    struct cast cast;
    cast_begin (&cast, (struct world_options){0});
    ask_create_with (cast.anna, "/a", "", items);
    ask_get_acl (cast.anna, "/a", false);
    peer_do (cast.anna);
    expect (cast.anna, "reply 2 OK n=2 path=/a v=0");
    expect (cast.anna, "reply 3 OK v=0 3:digest:" ANNA " 16:digest:" ANNA " 4:digest:" ANNA
                       " 1:ip:10.0.0.0/8 1:ip:10.1.2.3 1:ip:2001:db8:0:0:0:0:0:0/32 2:ip:0.0.0.0/0"
                       " 2:ip:0:0:0:0:0:0:0:0/0 1:curve:" KEY
                       " 1:digest:bert:argon2id:Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0="
                       " 8:world:anyone");
    struct peer *reader = peer_from (cast.world, "10.77.0.1", NULL);
    ask_get_acl (reader, "/a", false);
    ask_get_acl (cast.other, "/a", false);
    ask_get_acl (cast.other, "/", true);
    peer_do (reader);
    peer_do (cast.other);
    expect_prefix (reader, "reply 1 OK v=0 3:digest:anna:x 16:digest:anna:x 4:digest:anna:x 1:ip:");
    expect (cast.other, "reply 1 ENOAUTH");
    expect (cast.other, "reply 2 OK v=0");
    /* A default for what is created below; an empty one takes it away. */
    ask_set_acl (cast.other, "/", of_anna)->inherited = true;
    ask_create (cast.other, "/b", "", 0);
    ask_get_acl (cast.other, "/b", false);
    ask_set_acl (cast.other, "/", nothing)->inherited = true;
    ask_create (cast.other, "/c", "", 0);
    ask_get_acl (cast.other, "/c", false);
    peer_do (cast.other);
    expect (cast.other, "reply 3 OK n=1 v=0");
    expect (cast.other, "reply 4 OK n=2 path=/b v=0");
    expect (cast.other, "reply 5 ENOAUTH");
    expect (cast.other, "reply 6 OK n=3 v=0");
    expect (cast.other, "reply 7 OK n=4 path=/c v=0");
    expect (cast.other, "reply 8 OK v=0 31:world:anyone");
    world_free (&cast.world);
}

/* ---- Administrators ---------------------------------------------------------------------- */

static void administrators (void **state)
{
    (void) state;
    static const struct item next[] = {{ALL, "digest", ANNA}, {0}};
    static const struct item everybody[] = {{ALL, "world", "anyone"}, {0}};
    static const struct item half[] = {{R, "digest", ANNA}, {0}};
    struct cast cast;
    cast_begin (&cast, (struct world_options){0});
    ask_set_admins (cast.anna, next);
    ask_get_admins (cast.anna);
    ask_set_acl (cast.anna, "/", of_anna);
    peer_do (cast.anna);
    expect (cast.anna, "reply 2 ENOAUTH n=2");
    expect (cast.anna, "reply 3 ENOAUTH");
    expect (cast.anna, "reply 4 OK n=3 v=0");
    ask_set_admins (cast.root, everybody);
    ask_set_admins (cast.root, half);
    ask_set_admins (cast.root, nothing);
    ask_get (cast.root, "/", false);
    ask_get_admins (cast.root);
    ask_set_admins (cast.root, next);
    ask_get_admins (cast.root);
    ask_get (cast.root, "/", false);
    peer_do (cast.root);
    expect_prefix (cast.root, "reply 1 EINVALIDACL n=1 (administrators are digest, curve and ip");
    expect_prefix (cast.root, "reply 2 EINVALIDACL n=2 (administrators are");
    expect_prefix (cast.root, "reply 3 EINVALIDACL n=3 (administrators are");
    expect (cast.root, "reply 4 OK v=0");
    expect (cast.root, "reply 5 OK 31:ip:" ROOT);
    expect (cast.root, "reply 6 OK n=4");
    expect (cast.root, "reply 7 ENOAUTH");
    expect (cast.root, "reply 8 ENOAUTH");
    ask_get_admins (cast.anna);
    ask_sessions (cast.anna, 2);
    ask_sessions (cast.anna, 3);
    peer_do (cast.anna);
    expect (cast.anna, "reply 5 OK 31:digest:" ANNA);
    expect (cast.anna, "reply 6 OK sessions=2 more");
    expect (cast.anna, "reply 7 OK sessions=3");
    ask_sessions (cast.other, 2);
    peer_do (cast.other);
    expect (cast.other, "reply 1 ENOAUTH");
    world_free (&cast.world);
}

/* ---- Without a session ------------------------------------------------------------------- */

/* How many users the first query of a backup names, the last of them being anna. */
static void ask_backup (struct peer *peer, uint64_t received, size_t users)
{
    Cohort__Wire__BackupQuery *query = make (peer, sizeof *query);
    cohort__wire__backup_query__init (query);
    query->received = received;
    query->n_auth = users;
    query->auth = make (peer, (users + 1) * sizeof *query->auth);
    for (size_t i = 0; i < users; i++) {
        query->auth[i] = make (peer, sizeof **query->auth);
        cohort__wire__add_auth__init (query->auth[i]);
        query->auth[i]->scheme = bytes_of (i % 2 == 0 ? "digest-sha1" : "kerberos");
        query->auth[i]->user = bytes_of ("anna");
        query->auth[i]->credential = bytes_of (i + 1 == users ? "secret" : "guess");
    }
    if (users > 0) {
        query->auth[users - 1]->scheme = bytes_of ("digest-sha1");
    }
    peer->frame.backup = query;
    peer_do (peer);
}

static void a_backup_takes_an_administrator (void **state)
{
    (void) state;
    static const char refused[] = "backup part ENOAUTH: a backup takes an administrator";
    struct world *world =
        world_new (&(struct world_options){.admins = "ip:" ROOT ",curve:" KEY ",digest:" ANNA});
    struct peer *other = peer_new (world, 0), *root = peer_new (world, 0);
    struct peer *key = peer_new (world, 0);
    other->address = "10.9.9.8";
    root->address = ROOT;
    key->key = KEY;
    ask_backup (other, 0, 0);
    expect (other, refused);
    ask_backup (other, 0, 1);
    expect (other, "backup from 0");
    ask_backup (other, 7, 0); /* of what was begun */
    expect (other, "backup from 7");
    ask_backup (other, 0, 30);
    expect (other, "backup from 0");
    ask_backup (other, 0, 31);
    expect (other, refused);
    ask_backup (root, 0, 0);
    expect (root, "backup from 0");
    ask_backup (key, 0, 0);
    expect (key, "backup from 0");
    /* Nor does a status tell strangers of the state. */
    ask_status (other);
    ask_status (root);
    peer_do (other);
    peer_do (root);
    assert_non_null (strstr (next_line (other), " digest=no"));
    assert_non_null (strstr (next_line (root), " digest=yes"));
    world_free (&world);
    /* Where nobody is one, nobody is asked. */
    world = world_new (NULL);
    other = peer_new (world, 0);
    ask_backup (other, 0, 0);
    expect (other, "backup from 0");
    world_free (&world);
}

/* ---- Reads ------------------------------------------------------------------------------- */

/* Whatever is asked for: of what may not be seen and of what is not there the same is said. */
static void nothing_is_learned (void **state)
{
    (void) state;
    static const char *const paths[] = {"/p/secret", "/p/none"};
    struct cast cast;
    cast_begin (&cast, (struct world_options){0});
    ask_create_with (cast.root, "/p", "", of_anna);
    ask_create_with (cast.root, "/p/secret", "data", of_root);
    quietly (cast.root);
    struct peer *peer = cast.other;
    for (size_t i = 0; i < 2; i++) {
        const char *path = paths[i];
        ask_get (peer, path, true);
        ask_exists (peer, path, true);
        ask_children (peer, path, true);
        ask_list (peer, path, "", "")->with_data = true;
        ask_count (peer, path);
        ask_two_reads (peer, path);
        ask_get_acl (peer, path, false);
        ask_get_acl (peer, path, true);
        ask_stream (peer, 1, path, 0);
        ask_set (peer, path, "", -1);
        ask_delete (peer, path, -1);
        ask_set_acl (peer, path, open_list);
        peer_do (peer);
        for (size_t k = 0; k < 12; k++) {
            const char *line = next_line (peer);
            assert_non_null (line);
            const char *said = strchr (line + strlen ("reply "), ' ');
            assert_true (k == 5 ? strcmp (said, " OK {ENOAUTH} {ENOAUTH}") == 0
                                : strncmp (said, " ENOAUTH", 8) == 0);
        }
        expect (peer, NULL);
    }
    /* Nor is it when something happens there: no watch was set. */
    ask_set (cast.root, "/p/secret", "new", -1);
    ask_create (cast.root, "/p/none", "", 0);
    quietly (cast.root);
    expect (peer, NULL);
    /* Who may list the children sees that it is there, and its stat. */
    ask_get (cast.anna, "/p/secret", false);
    ask_exists (cast.anna, "/p/secret", false);
    Cohort__Wire__List *list = ask_list (cast.anna, "/p", "", "");
    list->with_data = list->with_stat = true;
    ask_exists (cast.anna, "/p/not", false);
    peer_do (cast.anna);
    expect (cast.anna, "reply 2 ENOAUTH");
    expect (cast.anna, "reply 3 OK v=1");
    expect (cast.anna, "reply 4 OK v=0 (none v=0) (secret v=1 hidden)");
    expect (cast.anna, "reply 5 ENONODE");
    world_free (&cast.world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (what_is_proven_stays), cmocka_unit_test (what_proves_nothing),
        cmocka_unit_test (lists_that_are_none),  cmocka_unit_test (lists_in_and_out),
        cmocka_unit_test (administrators),       cmocka_unit_test (a_backup_takes_an_administrator),
        cmocka_unit_test (nothing_is_learned),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

/* Who clients are, and what they may do: at the door, on the simulated wire. The tree's own
 * tests have every operation; here it is what clients say and hear. */

#include "tests/unit/node/clients_world.h"

#include <stdio.h>
#include <string.h>

#include "client/base/digest_id.h"
#include "client/base/prng.h"

/* SHA-1 and a credential of the user anna, and the administrator's address. */
#define ANNA "anna:Wap/fLaD11BLJBT+7fkDcVxaT7c="
#define ROOT "10.9.9.9"
#define KEY  "HelloWorldHelloWorldHelloWorldHelloWorld"

enum { R = 1, W = 2, C = 4, D = 8, A = 16, ALL = 31 };

struct item {
    uint32_t perms;
    const char *scheme, *id;
};

static const struct item open_list[] = {{ALL, "world", "anyone"}, {0}};
static const struct item of_anna[] = {{ALL, "digest", ANNA}, {0}};
static const struct item of_root[] = {{ALL, "ip", ROOT}, {0}};
static const struct item nothing[] = {{0}};

static ProtobufCBinaryData bytes_of (const char *text)
{
    return (ProtobufCBinaryData){strlen (text), (uint8_t *) (uintptr_t) text};
}

/* In the frame's memory. */
static void *make (struct peer *peer, size_t size)
{
    void *made = arena_calloc (&peer->arena, 1, size);
    assert_non_null (made);
    return made;
}

static Cohort__Wire__AclItem **list_of (struct peer *peer, const struct item *items, size_t *count)
{
    *count = 0;
    while (items[*count].scheme != NULL) {
        ++*count;
    }
    Cohort__Wire__AclItem **list = make (peer, (*count + 1) * sizeof *list);
    for (size_t i = 0; i < *count; i++) {
        list[i] = make (peer, sizeof **list);
        cohort__wire__acl_item__init (list[i]);
        list[i]->perms = items[i].perms;
        list[i]->scheme = bytes_of (items[i].scheme);
        list[i]->id = bytes_of (items[i].id);
    }
    return list;
}

static Cohort__Wire__SetAcl *ask_set_acl (struct peer *peer, const char *path,
                                          const struct item *items)
{
    Cohort__Wire__Request *request = ask_raw (peer, true);
    Cohort__Wire__SetAcl *set = make (peer, sizeof *set);
    cohort__wire__set_acl__init (set);
    set->path = bytes_of (path);
    set->version = -1;
    set->acl = list_of (peer, items, &set->n_acl);
    request->op_case = COHORT__WIRE__REQUEST__OP_SET_ACL;
    request->set_acl = set;
    return set;
}

static void ask_create_with (struct peer *peer, const char *path, const char *data,
                             const struct item *items)
{
    ask_create (peer, path, data, 0);
    Cohort__Wire__Create *create = peer->requests[peer->frame.n_requests - 1]->create;
    create->acl = list_of (peer, items, &create->n_acl);
}

static void ask_get_acl (struct peer *peer, const char *path, bool inherited)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    Cohort__Wire__GetAcl *get = make (peer, sizeof *get);
    cohort__wire__get_acl__init (get);
    get->path = bytes_of (path);
    get->inherited = inherited;
    request->op_case = COHORT__WIRE__REQUEST__OP_GET_ACL;
    request->get_acl = get;
}

/* The credential is copied: the door wipes what it has read of it. */
static void ask_add_auth (struct peer *peer, const char *scheme, const char *user,
                          const void *credential, size_t size)
{
    Cohort__Wire__Request *request = ask_raw (peer, true);
    Cohort__Wire__AddAuth *add = make (peer, sizeof *add);
    cohort__wire__add_auth__init (add);
    add->scheme = bytes_of (scheme);
    add->user = bytes_of (user);
    add->credential.data = make (peer, size + 1);
    add->credential.len = size;
    memcpy (add->credential.data, credential, size);
    request->op_case = COHORT__WIRE__REQUEST__OP_ADD_AUTH;
    request->add_auth = add;
}

static void ask_set_admins (struct peer *peer, const struct item *items)
{
    Cohort__Wire__Request *request = ask_raw (peer, true);
    Cohort__Wire__SetAdmins *set = make (peer, sizeof *set);
    cohort__wire__set_admins__init (set);
    set->acl = list_of (peer, items, &set->n_acl);
    request->op_case = COHORT__WIRE__REQUEST__OP_SET_ADMINS;
    request->set_admins = set;
}

static void ask_get_admins (struct peer *peer)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    request->get_admins = make (peer, sizeof *request->get_admins);
    cohort__wire__get_admins__init (request->get_admins);
    request->op_case = COHORT__WIRE__REQUEST__OP_GET_ADMINS;
}

static void ask_whoami (struct peer *peer)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    request->whoami = make (peer, sizeof *request->whoami);
    cohort__wire__who_am_i__init (request->whoami);
    request->op_case = COHORT__WIRE__REQUEST__OP_WHOAMI;
}

static void ask_count (struct peer *peer, const char *path)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    request->count = make (peer, sizeof *request->count);
    cohort__wire__read__init (request->count);
    request->count->path = bytes_of (path);
    request->op_case = COHORT__WIRE__REQUEST__OP_COUNT;
}

/* get and exists of the path, as one. */
static void ask_two_reads (struct peer *peer, const char *path)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    Cohort__Wire__MultiRead *multi = make (peer, sizeof *multi);
    cohort__wire__multi_read__init (multi);
    multi->n_ops = 2;
    multi->ops = make (peer, 2 * sizeof *multi->ops);
    for (size_t i = 0; i < 2; i++) {
        Cohort__Wire__ReadOp *op = multi->ops[i] = make (peer, sizeof *op);
        cohort__wire__read_op__init (op);
        op->get = make (peer, sizeof *op->get);
        cohort__wire__read__init (op->get);
        op->get->path = bytes_of (path);
        op->op_case = i == 0 ? COHORT__WIRE__READ_OP__OP_GET : COHORT__WIRE__READ_OP__OP_EXISTS;
        if (i > 0) {
            op->exists = op->get;
        }
    }
    request->op_case = COHORT__WIRE__REQUEST__OP_MULTI_READ;
    request->multi_read = multi;
}

static void ask_sessions (struct peer *peer, uint32_t limit)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    request->sessions = make (peer, sizeof *request->sessions);
    cohort__wire__sessions__init (request->sessions);
    request->sessions->limit = limit;
    request->op_case = COHORT__WIRE__REQUEST__OP_SESSIONS;
}

static struct peer *peer_from (struct world *world, const char *address, const char *key)
{
    struct peer *peer = peer_new (world, 0);
    peer->address = address;
    peer->key = key;
    peer_hello (peer);
    world_run (world);
    expect_prefix (peer, "welcome attach=1");
    return peer;
}

/* A world with an administrator, somebody who is anna, and a stranger. */
struct cast {
    struct world *world;
    struct peer *root, *anna, *other;
};

static void cast_begin (struct cast *cast, struct world_options options)
{
    options.admins = "ip:" ROOT;
    cast->world = world_new (&options);
    cast->root = peer_from (cast->world, ROOT, NULL);
    cast->anna = peer_attached (cast->world, 0);
    cast->other = peer_attached (cast->world, 0);
    ask_add_auth (cast->anna, "digest-sha1", "anna", "secret", 6);
    peer_do (cast->anna);
    expect (cast->anna, "reply 1 OK n=1");
}

/* Does what was asked for, whose replies all are of no interest. */
static void quietly (struct peer *peer)
{
    peer_do (peer);
    forget_lines (peer);
}

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

/* ---- Watches ----------------------------------------------------------------------------- */

static void watches_tell_what_may_be_seen (void **state)
{
    (void) state;
    struct cast cast;
    cast_begin (&cast, (struct world_options){0});
    ask_create (cast.root, "/p", "", 0);
    ask_create (cast.root, "/p/a", "", 0);
    quietly (cast.root);
    ask_get (cast.other, "/p/a", true);
    ask_children (cast.other, "/p", true);
    ask_exists (cast.other, "/p/later", true);
    quietly (cast.other);
    /* It is taken from view, and everything happens. */
    ask_set_acl (cast.root, "/p", of_root);
    ask_set_acl (cast.root, "/p/a", of_root);
    ask_set (cast.root, "/p/a", "1", -1);
    ask_create_with (cast.root, "/p/later", "", of_root);
    quietly (cast.root);
    expect (cast.other, NULL);
    /* And back: they have waited. */
    ask_set_acl (cast.root, "/p", open_list);
    ask_set_acl (cast.root, "/p/a", open_list);
    quietly (cast.root);
    expect (cast.other, NULL);
    ask_set (cast.root, "/p/a", "2", -1);
    ask_delete (cast.root, "/p/later", -1);
    quietly (cast.root);
    expect (cast.other, "event CHANGED /p/a (data)");
    expect (cast.other, "event DELETED /p/later (exists)");
    expect (cast.other, "event CHILDREN /p (children)");
    expect (cast.other, NULL);
    world_free (&cast.world);
}

/* Whoever comes back, or says so, is told of what it may not see that it has gone, whatever is
 * there: it learns nothing, and does not wait for ever. */
static void watches_after_a_reconnect (void **state)
{
    (void) state;
    struct cast cast;
    cast_begin (&cast, (struct world_options){0});
    ask_create_with (cast.root, "/p", "", of_root);
    ask_create (cast.root, "/p/open", "", 0);
    ask_create_with (cast.root, "/p/a", "", of_root);
    quietly (cast.root);
    struct peer *peer = cast.other;
    peer_disconnect (peer, true);
    peer_connect (peer, 0);
    peer_hello (peer);
    world_run (cast.world);
    expect_prefix (peer, "welcome");
    peer->mad = true;
    ask_rearm (peer, tree_zxid (cast.world->servers[0].tree), false);
    ask_rearm_watch (peer, WATCH_DATA, "/p/a");
    ask_rearm_watch (peer, WATCH_DATA, "/p/none");
    ask_rearm_watch (peer, WATCH_CHILDREN, "/p");
    ask_rearm_watch (peer, WATCH_DATA, "/p/open");
    peer_do (peer);
    expect (peer, "event DELETED /p/a (data)");
    expect (peer, "event DELETED /p/none (data)");
    expect (peer, "event DELETED /p (children)");
    expect (peer, NULL);
    world_free (&cast.world);
}

/* ---- Streams ----------------------------------------------------------------------------- */

static void a_stream_shows_what_may_be_seen (void **state)
{
    (void) state;
    struct cast cast;
    cast_begin (&cast, (struct world_options){0});
    ask_create (cast.root, "/p", "", 0);
    ask_create_with (cast.root, "/p/bare", "secret", of_root);
    ask_create_with (cast.root, "/p/h", "", of_root);
    ask_create_with (cast.root, "/p/h/gone", "secret", of_root);
    ask_create (cast.root, "/p/h/open", "shown", 0);
    quietly (cast.root);
    ask_stream (cast.other, 1, "/p", 0);
    peer_do (cast.other);
    expect (cast.other, "reply 1 OK");
    expect (cast.other, "batch 1 snapshot first */p */p/bare! */p/h! */p/h/open=shown");
    ask_set (cast.root, "/p/bare", "secret too", -1);
    ask_set (cast.root, "/p/h/gone", "secret too", -1);
    ask_set (cast.root, "/p/h/open", "new", -1);
    ask_create_with (cast.root, "/p/h/more", "", of_root);
    ask_delete (cast.root, "/p/h/more", -1);
    quietly (cast.root);
    expect (cast.other, "batch 1 first ~/p/bare!");
    expect (cast.other, "batch 1 first ~/p/h/open=new");
    expect (cast.other, NULL);
    /* What becomes readable comes with its data; what does not, loses it. */
    ask_set_acl (cast.root, "/p/bare", open_list);
    ask_set_acl (cast.root, "/p/bare", of_root);
    quietly (cast.root);
    expect (cast.other, "batch 1 first a/p/bare=secret too");
    expect (cast.other, "batch 1 first a/p/bare!");
    /* Where more changes than one znode's data, the stream begins anew. */
    ask_set_acl (cast.root, "/p/h", open_list);
    quietly (cast.root);
    expect (cast.other, "batch 1 snapshot first more");
    expect (cast.other, "batch 1 snapshot */p */p/bare! */p/h */p/h/gone! */p/h/open=new");
    ask_set_acl (cast.root, "/p", of_root);
    quietly (cast.root);
    expect (cast.other, "batch 1 snapshot first more");
    expect (cast.other, "batch 1 snapshot");
    /* Of what happens there nothing is said, of what all may read below neither. */
    ask_set_acl (cast.root, "/p", of_anna);
    ask_set_acl (cast.root, "/p/bare", of_anna);
    ask_set (cast.root, "/p", "x", -1);
    ask_set (cast.root, "/p/bare", "x", -1);
    ask_set (cast.root, "/p/h/open", "x", -1);
    quietly (cast.root);
    expect (cast.other, NULL);
    world_free (&cast.world);
}

/* The same for who reads the ring: nothing of before shows through. */
static void a_stream_that_was_away (void **state)
{
    (void) state;
    static const uint32_t flags[] = {0, 64, 1};
    for (size_t i = 0; i < 3; i++) {
        struct cast cast;
        cast_begin (&cast, (struct world_options){0});
        ask_create (cast.root, "/p", "", 0);
        ask_create_with (cast.root, "/p/bare", "1", of_root);
        quietly (cast.root);
        uint64_t from = tree_zxid (cast.world->servers[0].tree);
        ask_set (cast.root, "/p/bare", "2", -1);
        ask_create (cast.root, "/p/open", "3", 0);
        quietly (cast.root);
        ask_stream (cast.other, 1, "/p", from);
        cast.other->requests[0]->stream_open->flags = flags[i];
        peer_do (cast.other);
        expect (cast.other, "reply 1 OK");
        if (flags[i] == 64) {
            expect (cast.other, "batch 1 first ~/p/bare! +/p/open=3");
        } else {
            expect (cast.other, "batch 1 first ~/p/bare!");
            expect (cast.other, "batch 1 first +/p/open=3");
        }
        ask_set_acl (cast.root, "/p", of_root);
        quietly (cast.root);
        forget_lines (cast.other);
        /* Behind a change of what may be seen. */
        ask_stream (cast.other, 2, "/p/open", from);
        ask_stream (cast.other, 3, "/", from);
        cast.other->requests[1]->stream_open->flags = flags[i];
        peer_do (cast.other);
        expect (cast.other, "reply 2 OK");
        expect_prefix (cast.other, "batch 2 first +/p/open=3");
        expect (cast.other, "reply 3 OK");
        const char *line;
        bool anew = false;
        while ((line = next_line (cast.other)) != NULL) {
            anew |= strstr (line, flags[i] == 1 ? "batch 3" : "batch 3 snapshot */ ") != NULL;
            assert_null (strstr (line, "=2"));
            assert_true (!anew || strstr (line, "/p/bare") == NULL || flags[i] == 1);
        }
        assert_true (anew);
        world_free (&cast.world);
    }
}

/* ---- A mirror, whatever happens ---------------------------------------------------------- */

/* What a stream has told of a few znodes; and what their session may see of them. */
static const char *const mirrored[] = {"/p", "/p/a", "/p/b", "/p/a/x", "/p/a/y", "/p/b/x"};
enum { MIRRORED = 6, TOLD_SIZE = 16, SEEDS = 60, STEPS = 60 };

struct mirror {
    char told[MIRRORED][TOLD_SIZE]; /* "": it is not there; "!": hidden; "=data" */
};

static void take_change (struct mirror *mirror, const char *word)
{
    size_t size = strcspn (word + 1, "=! "), i = 0;
    while (i < MIRRORED &&
           (strlen (mirrored[i]) != size || memcmp (mirrored[i], word + 1, size) != 0)) {
        i++;
    }
    assert_true (i < MIRRORED);
    bool comes = word[0] == '*' || word[0] == '+';
    if (word[0] == '-') {
        mirror->told[i][0] = '\0';
    } else if (comes || mirror->told[i][0] != '\0') {
        const char *rest = word + 1 + size;
        int rest_size = (int) strcspn (rest, " ");
        (void) snprintf (mirror->told[i], TOLD_SIZE, "%.*s", rest_size, rest);
        if (rest_size == 0) {
            (void) snprintf (mirror->told[i], TOLD_SIZE, "=");
        }
    }
}

static void take_lines (struct mirror *mirror, struct peer *peer)
{
    const char *line;
    while ((line = next_line (peer)) != NULL) {
        bool batch = strncmp (line, "batch ", 6) == 0;
        if (batch && strstr (line, " snapshot first") != NULL) {
            memset (mirror, 0, sizeof *mirror);
        }
        for (const char *at = line; batch && (at = strchr (at, ' ')) != NULL;) {
            at++;
            if (strchr ("*+~-a", at[0]) != NULL && at[1] == '/') {
                take_change (mirror, at);
            }
        }
    }
}

static void expect_mirror (const struct mirror *mirror, const struct peer *peer, uint64_t seed)
{
    const struct tree *tree = peer->world->servers[0].tree;
    struct tree_node node;
    /* A stream whose top may not be read shows nothing. */
    bool shut = tree_get_as (tree, peer->session, TREE_WHOLE, mirrored[0], strlen (mirrored[0]),
                             &node) != 0;
    for (size_t i = 0; i < MIRRORED; i++) {
        char seen[TOLD_SIZE] = "";
        size_t size = strlen (mirrored[i]);
        if (shut) {
            assert_int_equal (seen[0], '\0');
        } else if (tree_get_as (tree, peer->session, TREE_WHOLE, mirrored[i], size, &node) == 0) {
            (void) snprintf (seen, sizeof seen, "=%.*s", (int) node.data_size,
                             (const char *) node.data);
        } else if (tree_get_as (tree, peer->session, TREE_BARE, mirrored[i], size, &node) == 0) {
            (void) snprintf (seen, sizeof seen, "!");
        }
        if (strcmp (seen, mirror->told[i]) != 0) {
            print_error ("seed %llu: %s is \"%s\", told was \"%s\"\n", (unsigned long long) seed,
                         mirrored[i], seen, mirror->told[i]);
        }
        assert_string_equal (mirror->told[i], seen);
    }
}

static void change_something (struct peer *root, struct prng *prng)
{
    static const struct item blind[] = {{W | D, "world", "anyone"}, {0}};
    static const struct item *const lists[] = {open_list, of_root, of_anna, blind};
    const char *path = mirrored[prng_below (prng, MIRRORED)];
    const struct item *list = lists[prng_below (prng, 4)];
    char data[8];
    (void) snprintf (data, sizeof data, "%llu", (unsigned long long) prng_below (prng, 1000));
    switch (prng_below (prng, 6)) {
    case 0:
        ask_delete (root, path, -1);
        break;
    case 1:
        ask_set (root, path, data, -1);
        break;
    case 2:
    case 3:
        ask_create_with (root, path, data, prng_chance (prng, 1, 2) ? nothing : list);
        break;
    default:
        ask_set_acl (root, path, list);
    }
}

/* However lists and znodes change - while a snapshot is under way, live, or read from the ring - in
 * the end the stream has told what the session may see, and nothing else. */
static void a_mirror_is_what_may_be_seen (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct prng prng;
        struct cast cast;
        struct mirror mirror = {{""}};
        prng_seed (&prng, seed);
        cast_begin (&cast, (struct world_options){.walk_nodes = 1, .walk_window = 100});
        struct peer *peer = cast.other;
        ask_stream (peer, 1, "/p", 0);
        uint32_t flags = prng_chance (&prng, 1, 3) ? 64 : 0;
        peer->requests[0]->stream_open->flags = flags;
        peer_do (peer);
        for (int step = 0; step < STEPS; step++) {
            for (uint64_t n = prng_between (&prng, 1, 4); n > 0; n--) {
                change_something (cast.root, &prng);
            }
            if (prng_chance (&prng, 1, 2)) {
                peer_send (cast.root);
                world_commit (cast.world, 1); /* and no turn for the snapshots yet */
            } else {
                peer_do (cast.root);
            }
            forget_lines (cast.root);
            take_lines (&mirror, peer);
            if (prng_chance (&prng, 1, 6)) {
                world_run (cast.world);
                take_lines (&mirror, peer);
                expect_mirror (&mirror, peer, seed);
                /* It comes back later, and goes on from the ring. */
                uint64_t from = peer->batched;
                peer_disconnect (peer, true);
                change_something (cast.root, &prng);
                change_something (cast.root, &prng);
                quietly (cast.root);
                peer_connect (peer, 0);
                peer_hello (peer);
                world_run (cast.world);
                ask_rearm (peer, from, false);
                ask_rearm_stream (peer, 1, "/p", from);
                peer->frame.rearm->streams[0]->flags = flags;
                peer_send (peer);
            }
        }
        world_run (cast.world);
        take_lines (&mirror, peer);
        expect_mirror (&mirror, peer, seed);
        world_free (&cast.world);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (what_is_proven_stays),
        cmocka_unit_test (what_proves_nothing),
        cmocka_unit_test (lists_that_are_none),
        cmocka_unit_test (lists_in_and_out),
        cmocka_unit_test (administrators),
        cmocka_unit_test (a_backup_takes_an_administrator),
        cmocka_unit_test (nothing_is_learned),
        cmocka_unit_test (watches_tell_what_may_be_seen),
        cmocka_unit_test (watches_after_a_reconnect),
        cmocka_unit_test (a_stream_shows_what_may_be_seen),
        cmocka_unit_test (a_stream_that_was_away),
        cmocka_unit_test (a_mirror_is_what_may_be_seen),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

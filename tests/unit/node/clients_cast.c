/* clients_cast.c: see clients_cast.h. */

#include "tests/unit/node/clients_cast.h"

#include <string.h>

const struct item open_list[] = {{ALL, "world", "anyone"}, {0}};
const struct item of_anna[] = {{ALL, "digest", ANNA}, {0}};
const struct item of_root[] = {{ALL, "ip", ROOT}, {0}};
const struct item nothing[] = {{0}};

ProtobufCBinaryData bytes_of (const char *text)
{
    return (ProtobufCBinaryData){strlen (text), (uint8_t *) (uintptr_t) text};
}

void *make (struct peer *peer, size_t size)
{
    void *made = arena_calloc (&peer->arena, 1, size);
    assert_non_null (made);
    return made;
}

Cohort__Wire__AclItem **list_of (struct peer *peer, const struct item *items, size_t *count)
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

Cohort__Wire__SetAcl *ask_set_acl (struct peer *peer, const char *path, const struct item *items)
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

void ask_create_with (struct peer *peer, const char *path, const char *data,
                      const struct item *items)
{
    ask_create (peer, path, data, 0);
    Cohort__Wire__Create *create = peer->requests[peer->frame.n_requests - 1]->create;
    create->acl = list_of (peer, items, &create->n_acl);
}

void ask_get_acl (struct peer *peer, const char *path, bool inherited)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    Cohort__Wire__GetAcl *get = make (peer, sizeof *get);
    cohort__wire__get_acl__init (get);
    get->path = bytes_of (path);
    get->inherited = inherited;
    request->op_case = COHORT__WIRE__REQUEST__OP_GET_ACL;
    request->get_acl = get;
}

void ask_add_auth (struct peer *peer, const char *scheme, const char *user, const void *credential,
                   size_t size)
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

void ask_set_admins (struct peer *peer, const struct item *items)
{
    Cohort__Wire__Request *request = ask_raw (peer, true);
    Cohort__Wire__SetAdmins *set = make (peer, sizeof *set);
    cohort__wire__set_admins__init (set);
    set->acl = list_of (peer, items, &set->n_acl);
    request->op_case = COHORT__WIRE__REQUEST__OP_SET_ADMINS;
    request->set_admins = set;
}

void ask_get_admins (struct peer *peer)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    request->get_admins = make (peer, sizeof *request->get_admins);
    cohort__wire__get_admins__init (request->get_admins);
    request->op_case = COHORT__WIRE__REQUEST__OP_GET_ADMINS;
}

void ask_whoami (struct peer *peer)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    request->whoami = make (peer, sizeof *request->whoami);
    cohort__wire__who_am_i__init (request->whoami);
    request->op_case = COHORT__WIRE__REQUEST__OP_WHOAMI;
}

void ask_count (struct peer *peer, const char *path)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    request->count = make (peer, sizeof *request->count);
    cohort__wire__read__init (request->count);
    request->count->path = bytes_of (path);
    request->op_case = COHORT__WIRE__REQUEST__OP_COUNT;
}

void ask_two_reads (struct peer *peer, const char *path)
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

void ask_sessions (struct peer *peer, uint32_t limit)
{
    Cohort__Wire__Request *request = ask_raw (peer, false);
    request->sessions = make (peer, sizeof *request->sessions);
    cohort__wire__sessions__init (request->sessions);
    request->sessions->limit = limit;
    request->op_case = COHORT__WIRE__REQUEST__OP_SESSIONS;
}

struct peer *peer_from (struct world *world, const char *address, const char *key)
{
    struct peer *peer = peer_new (world, 0);
    peer->address = address;
    peer->key = key;
    peer_hello (peer);
    world_run (world);
    expect_prefix (peer, "welcome attach=1");
    return peer;
}

void cast_begin (struct cast *cast, struct world_options options)
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

void quietly (struct peer *peer)
{
    peer_do (peer);
    forget_lines (peer);
}

/* What the tests of access control at the door share: lists, what is asked about them, and who
 * there is. */

#ifndef TESTS_UNIT_NODE_CLIENTS_CAST_H
#define TESTS_UNIT_NODE_CLIENTS_CAST_H

#include "tests/unit/node/clients_world.h"

/* SHA-1 and a credential of the user anna, and the administrator's address. */
#define ANNA "anna:Wap/fLaD11BLJBT+7fkDcVxaT7c="
#define ROOT "10.9.9.9"

enum { R = 1, W = 2, C = 4, D = 8, A = 16, ALL = 31 };

/* Of a list, which ends with one of 0. */
struct item {
    uint32_t perms;
    const char *scheme, *id;
};

extern const struct item open_list[], of_anna[], of_root[], nothing[];

/* A world with an administrator, somebody who is anna, and a stranger. */
struct cast {
    struct world *world;
    struct peer *root, *anna, *other;
};

ProtobufCBinaryData bytes_of (const char *text);

/* In the memory of the frame that is made. */
void *make (struct peer *peer, size_t size);
Cohort__Wire__AclItem **list_of (struct peer *peer, const struct item *items, size_t *count);

/* Requests, as those of clients_world.h. */
Cohort__Wire__SetAcl *ask_set_acl (struct peer *peer, const char *path, const struct item *items);
void ask_create_with (struct peer *peer, const char *path, const char *data,
                      const struct item *items);
void ask_get_acl (struct peer *peer, const char *path, bool inherited);
/* The credential is copied: the door wipes what it has read of it. */
void ask_add_auth (struct peer *peer, const char *scheme, const char *user, const void *credential,
                   size_t size);
void ask_set_admins (struct peer *peer, const struct item *items);
void ask_get_admins (struct peer *peer);
void ask_whoami (struct peer *peer);
void ask_count (struct peer *peer, const char *path);
/* get and exists of the path, as one. */
void ask_two_reads (struct peer *peer, const char *path);
void ask_sessions (struct peer *peer, uint32_t limit);

/* Attached, and known by these. */
struct peer *peer_from (struct world *world, const char *address, const char *key);

void cast_begin (struct cast *cast, struct world_options options);

/* Does what was asked for, whose replies all are of no interest. */
void quietly (struct peer *peer);

#endif

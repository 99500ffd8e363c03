/*
 * server/core/config.h - who is a member, and what a quorum is
 *
 * Every quorum test of the server goes through config_set_quorum, over a set of configurations:
 * one normally, two while a reconfiguration is pending (both must agree).  Pure.
 */
#ifndef SERVER_CORE_CONFIG_H
#define SERVER_CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/zxid.h"

enum { CONFIG_MEMBERS_MAX = 31 };

enum config_role {
    CONFIG_VOTER = 1,
    CONFIG_OBSERVER = 2 /* in no quorum and no vote */
};

/* A member counts (its votes, promises and acknowledgements) only while its store is the one
 * listed here: an emptied or foreign store has forgotten what it promised. */
struct config_member {
    uint32_t id; /* 1 .. 2^31 - 1 */
    enum config_role role;
    uint64_t store_id;
};

/* Members in ascending order of id.  version: zxid of the entry that set it. */
struct config {
    zxid_t version;
    size_t count;
    struct config_member members[CONFIG_MEMBERS_MAX];
};

struct config_set {
    size_t count; /* 1 or 2 */
    struct config configs[2];
};

/* A set of server ids; at most CONFIG_MEMBERS_MAX of each configuration. */
struct id_set {
    size_t count;
    uint32_t ids[2 * CONFIG_MEMBERS_MAX];
};

void id_set_clear (struct id_set *self);
bool id_set_add (struct id_set *self, uint32_t id); /* false: there already */
bool id_set_has (const struct id_set *self, uint32_t id);
void id_set_remove (struct id_set *self, uint32_t id);

const struct config_member *config_find (const struct config *self, uint32_t id);

/* The member of any configuration of the set, or NULL. */
const struct config_member *config_set_find (const struct config_set *self, uint32_t id);

/* A voter of some configuration; and every one of which it is a voter lists this store. */
bool config_set_counts (const struct config_set *self, uint32_t id, uint64_t store_id);

/* Whether `ids` holds a majority of the voters of every configuration of the set. */
bool config_set_quorum (const struct config_set *self, const struct id_set *ids);

/* Whether no configuration of the set has a quorum without `ids`: what was committed under any of
 * them, one of `ids` has acknowledged. */
bool config_set_blocks (const struct config_set *self, const struct id_set *ids);

/* Whether `ids` holds every voter of every configuration of the set. */
bool config_set_all (const struct config_set *self, const struct id_set *ids);

/* Sound: 1..MEMBERS_MAX members, ascending unique ids, at least one voter. */
bool config_valid (const struct config *self);

#endif

/* Members and quorums: see config.h. May include: client/base, server/core. */

#include "server/core/config.h"

#include "client/base/assert.h"

void id_set_clear (struct id_set *self)
{
    self->count = 0;
}

bool id_set_add (struct id_set *self, uint32_t id)
{
    if (id_set_has (self, id)) {
        return false;
    }
    COHORT_ASSERT (self->count < sizeof self->ids / sizeof self->ids[0]);
    self->ids[self->count++] = id;
    return true;
}

bool id_set_has (const struct id_set *self, uint32_t id)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->ids[i] == id) {
            return true;
        }
    }
    return false;
}

void id_set_remove (struct id_set *self, uint32_t id)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->ids[i] == id) {
            self->ids[i] = self->ids[--self->count];
            return;
        }
    }
}

const struct config_member *config_find (const struct config *self, uint32_t id)
{
    COHORT_ASSERT (self->count <= CONFIG_MEMBERS_MAX);
    for (size_t i = 0; i < self->count; i++) {
        if (self->members[i].id == id) {
            return &self->members[i];
        }
    }
    return NULL;
}

const struct config_member *config_set_find (const struct config_set *self, uint32_t id)
{
    COHORT_ASSERT (self->count == 1 || self->count == 2);
    for (size_t i = 0; i < self->count; i++) {
        const struct config_member *member = config_find (&self->configs[i], id);
        if (member != NULL) {
            return member;
        }
    }
    return NULL;
}

bool config_set_counts (const struct config_set *self, uint32_t id, uint64_t store_id)
{
    COHORT_ASSERT (self->count == 1 || self->count == 2);
    bool counts = false;
    for (size_t i = 0; i < self->count; i++) {
        const struct config_member *member = config_find (&self->configs[i], id);
        if (member != NULL && member->role == CONFIG_VOTER) {
            /* config_set_quorum sees ids only, so a store must be the listed one everywhere. */
            if (member->store_id != store_id) {
                return false;
            }
            counts = true;
        }
    }
    return counts;
}

/* A majority of the voters; observers are not even looked up. */
static bool config_quorum (const struct config *self, const struct id_set *ids)
{
    size_t voters = 0, present = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (self->members[i].role == CONFIG_VOTER) {
            voters++;
            present += id_set_has (ids, self->members[i].id);
        }
    }
    COHORT_ASSERT (present <= voters);
    return present > voters / 2;
}

bool config_set_quorum (const struct config_set *self, const struct id_set *ids)
{
    COHORT_ASSERT (self->count == 1 || self->count == 2);
    for (size_t i = 0; i < self->count; i++) {
        if (!config_quorum (&self->configs[i], ids)) {
            return false;
        }
    }
    return true;
}

bool config_valid (const struct config *self)
{
    if (self->count < 1 || self->count > CONFIG_MEMBERS_MAX) {
        return false;
    }
    size_t voters = 0;
    uint32_t previous = 0;
    for (size_t i = 0; i < self->count; i++) {
        const struct config_member *member = &self->members[i];
        if (member->id <= previous || member->id > INT32_MAX) {
            return false;
        }
        if (member->role != CONFIG_VOTER && member->role != CONFIG_OBSERVER) {
            return false;
        }
        previous = member->id;
        voters += member->role == CONFIG_VOTER;
    }
    return voters >= 1;
}

/* Members and quorums: see config.h. May include: client/base, server/core. */

#include "server/core/config.h"

#include "client/base/assert.h"
#include "client/base/mutation.h"

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
            if (member->store_id != store_id && !COHORT_MUTATED (unlisted_counts)) {
                return false;
            }
            counts = true;
        }
    }
    return counts;
}

struct tally {
    size_t voters, present;
};

/* Of the voters, how many are in `ids`; observers are not even looked up. */
static struct tally config_tally (const struct config *self, const struct id_set *ids)
{
    struct tally tally = {.voters = 0};
    for (size_t i = 0; i < self->count; i++) {
        if (self->members[i].role == CONFIG_VOTER || COHORT_MUTATED (observers_in_quorum)) {
            tally.voters++;
            tally.present += id_set_has (ids, self->members[i].id);
        }
    }
    COHORT_ASSERT (tally.present <= tally.voters);
    return tally;
}

bool config_set_quorum (const struct config_set *self, const struct id_set *ids)
{
    COHORT_ASSERT (self->count == 1 || self->count == 2);
    for (size_t i = 0; i < self->count; i++) {
        struct tally tally = config_tally (&self->configs[i], ids);
        if (tally.present + COHORT_MUTATED (half_is_a_quorum) <= tally.voters / 2) {
            return false;
        }
    }
    return true;
}

bool config_set_blocks (const struct config_set *self, const struct id_set *ids)
{
    COHORT_ASSERT (self->count == 1 || self->count == 2);
    for (size_t i = 0; i < self->count; i++) {
        struct tally tally = config_tally (&self->configs[i], ids);
        if (tally.voters - tally.present > tally.voters / 2) {
            return false;
        }
    }
    return true;
}

bool config_set_all (const struct config_set *self, const struct id_set *ids)
{
    COHORT_ASSERT (self->count == 1 || self->count == 2);
    for (size_t i = 0; i < self->count; i++) {
        struct tally tally = config_tally (&self->configs[i], ids);
        if (tally.present < tally.voters) {
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

/* The one place that changes the role. A new role begins with nothing of the old one.
 * May include: client/base, server/core. */

#include "server/core/state.h"

#include <string.h>

#define ROLE(role) (1u << (role))

/* From each role, where to. There is no way from one leader to another, or from following to
 * leading, but through an election, and none back from HALTED. */
static const unsigned transitions[] = {
    [ZAB_LOOKING] =
        ROLE (ZAB_FOLLOWING) | ROLE (ZAB_OBSERVING) | ROLE (ZAB_LEADING) | ROLE (ZAB_HALTED),
    [ZAB_FOLLOWING] = ROLE (ZAB_LOOKING) | ROLE (ZAB_HALTED),
    [ZAB_LEADING] = ROLE (ZAB_LOOKING) | ROLE (ZAB_HALTED),
    [ZAB_OBSERVING] = ROLE (ZAB_LOOKING) | ROLE (ZAB_HALTED),
    [ZAB_HALTED] = 0,
};

bool role_is_learner (const struct zab *self)
{
    return self->role == ZAB_FOLLOWING || self->role == ZAB_OBSERVING;
}

void role_become (struct zab *self, enum zab_role role, uint32_t leader)
{
    COHORT_ASSERT (role >= ZAB_LOOKING && role <= ZAB_HALTED);
    COHORT_ASSERT ((transitions[self->role] & ROLE (role)) != 0);
    enum zab_role old = self->role;
    self->role = role;

    self->voting = false;
    memset (&self->vote, 0, sizeof self->vote);
    self->settled_ms = ZAB_NEVER;
    self->resend_ms = self->stuck_ms = ZAB_NEVER;
    id_set_clear (&self->barred);
    memset (&self->follow, 0, sizeof self->follow);
    memset (&self->lead, 0, sizeof self->lead);
    self->lead.stall_ms = ZAB_NEVER;
    for (size_t i = 0; i < self->peers_count; i++) {
        /* Who asked to follow before this server knew that it leads has asked in time. */
        if (!(old == ZAB_LOOKING && role == ZAB_LEADING)) {
            peer_forget_learner (self->peers[i]);
        }
    }

    switch (role) {
    case ZAB_LOOKING:
        COHORT_ASSERT (leader == 0);
        election_start (self);
        break;
    case ZAB_FOLLOWING:
    case ZAB_OBSERVING:
        COHORT_ASSERT (leader != 0 && leader != self->id);
        self->follow.leader = leader;
        follower_begin (self);
        break;
    case ZAB_LEADING:
        COHORT_ASSERT (leader == self->id);
        leader_begin (self);
        break;
    case ZAB_HALTED:
        break;
    }
}

void role_look (struct zab *self, const char *note, uint32_t peer)
{
    if (self->role == ZAB_LOOKING || self->role == ZAB_HALTED) {
        return;
    }
    zab_note (self, note, peer);
    bool served = self->follow.phase == FOLLOW_BROADCAST || self->lead.phase >= LEAD_BROADCAST;
    self->futile = served ? 0 : self->futile + 1;
    role_become (self, ZAB_LOOKING, 0);
}

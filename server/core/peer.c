/* Links, and what is known of whoever is behind them. A peer exists while its link is up; its
 * address is stable for that time. May include: client/base, server/core. */

#include "server/core/state.h"

#include <string.h>

struct peer *peer_find (const struct zab *self, uint32_t id)
{
    size_t low = 0, high = self->peers_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->peers[middle]->id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == self->peers_count || self->peers[low]->id != id || self->peers[low]->reset) {
        return NULL;
    }
    return self->peers[low];
}

bool peer_counts (const struct zab *self, const struct peer *peer)
{
    return config_set_counts (&self->configs, peer->id, peer->store_id);
}

bool peer_votes (const struct zab *self, const struct peer *peer)
{
    return peer_counts (self, peer) && peer->trust != ZAB_DAMAGED;
}

void peer_forget_learner (struct peer *peer)
{
    memset (&peer->learner, 0, sizeof peer->learner);
}

/* The consequences of a link that is gone. */
static void peer_gone (struct zab *self, uint32_t id, const char *note)
{
    if (role_is_learner (self) && self->follow.leader == id) {
        role_look (self, note, id);
    } else if (self->role == ZAB_LOOKING) {
        election_on_link_down (self, id);
    }
}

static void remove_at (struct zab *self, size_t index)
{
    COHORT_ASSERT (index < self->peers_count);
    COHORT_ASSERT (self->spare_count < ZAB_PEERS_MAX);
    self->spare[self->spare_count++] = self->peers[index];
    self->peers_count--;
    memmove (self->peers + index, self->peers + index + 1,
             (self->peers_count - index) * sizeof self->peers[0]);
}

void peer_link_down (struct zab *self, uint32_t id)
{
    struct peer *peer = peer_find (self, id);
    if (peer == NULL) {
        return; /* reset by ourselves before */
    }
    send_withdraw (self, id);
    for (size_t i = 0; i < self->peers_count; i++) {
        if (self->peers[i] == peer) {
            remove_at (self, i);
            break;
        }
    }
    peer_gone (self, id, "link to the leader is down");
}

void peer_link_up (struct zab *self, uint32_t id, uint64_t store_id)
{
    COHORT_ASSERT (id != self->id);
    COHORT_ASSERT (id != 0);
    peer_link_down (self, id);
    if (self->spare_count == 0) {
        COHORT_ASSERT (self->update.resets_count < ZAB_PEERS_MAX);
        self->resets[self->update.resets_count++] = id;
        zab_note (self, "too many links", id);
        return;
    }
    struct peer *peer = self->spare[--self->spare_count];
    memset (peer, 0, sizeof *peer);
    peer->id = id;
    peer->store_id = store_id;
    size_t at = self->peers_count;
    while (at > 0 && self->peers[at - 1]->id > id) {
        self->peers[at] = self->peers[at - 1];
        at--;
    }
    self->peers[at] = peer;
    self->peers_count++;
    if (self->role == ZAB_LEADING && !peer_counts (self, peer)) {
        /* The promise was made by a store that is gone. */
        id_set_remove (&self->lead.promises, id);
        id_set_remove (&self->lead.covered, id);
    }
    election_on_link_up (self, peer);
}

void peer_reset (struct zab *self, struct peer *peer, const char *note)
{
    COHORT_ASSERT (!peer->reset);
    COHORT_ASSERT (self->update.resets_count < ZAB_PEERS_MAX);
    peer->reset = true;
    peer->owed = false;
    peer_forget_learner (peer);
    send_withdraw (self, peer->id);
    self->resets[self->update.resets_count++] = peer->id;
    zab_note (self, note, peer->id);
    peer_gone (self, peer->id, note);
}

void peer_sweep (struct zab *self)
{
    for (size_t i = self->peers_count; i-- > 0;) {
        if (self->peers[i]->reset) {
            remove_at (self, i);
        }
    }
}

/* ---- Who is not heard -------------------------------------------------------------------- */

static enum zab_silence silence_of (const struct zab *self, uint32_t id)
{
    bool own = id == self->id;
    const struct peer *peer = own ? NULL : peer_find (self, id);
    if (!own && peer == NULL) {
        return ZAB_UNLINKED;
    }
    if (!config_set_counts (&self->configs, id, own ? self->store_id : peer->store_id)) {
        return ZAB_EMPTIED;
    }
    return (own ? self->trust : peer->trust) == ZAB_DAMAGED ? ZAB_UNHEALED : ZAB_HEARD;
}

size_t zab_silent (const struct zab *self, struct zab_silent list[CONFIG_MEMBERS_MAX])
{
    const struct config *config = &self->configs.configs[self->configs.count - 1];
    size_t count = 0;
    for (size_t i = 0; i < config->count; i++) {
        const struct config_member *member = &config->members[i];
        enum zab_silence why = silence_of (self, member->id);
        if (member->role == CONFIG_VOTER && why != ZAB_HEARD) {
            list[count++] = (struct zab_silent){member->id, why};
        }
    }
    COHORT_ASSERT (count <= config->count);
    return count;
}

/* What must hold in a simulated world: checkers that know nothing of how the servers work. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/hash.h"
#include "tests/simulation/world.h"

/* What some server was seen to hold at a zxid. */
struct sighting {
    struct map_node node;
    zxid_t zxid;
    uint64_t digest;
    uint32_t server;
};

/* Who was seen to lead an epoch. */
struct reign {
    uint32_t epoch, leader;
};

struct sim_checker {
    struct map sightings;
    struct reign *reigns;
    size_t reigns_count, reigns_capacity;
    zxid_t highest; /* applied by any server, ever: it must never be lost */
};

struct sim_checker *checker_new (void)
{
    struct sim_checker *self = calloc (1, sizeof *self);
    COHORT_ASSERT (self != NULL);
    map_init (&self->sightings);
    return self;
}

static void free_sighting (struct map_node *node, void *arg)
{
    (void) arg;
    free (map_entry (node, struct sighting, node));
}

void checker_free (struct sim_checker *self)
{
    map_drain (&self->sightings, free_sighting, NULL);
    map_deinit (&self->sightings);
    free (self->reigns);
    free (self);
}

static bool sighting_equal (const struct map_node *node, const void *key)
{
    return map_entry (node, struct sighting, node)->zxid == *(const zxid_t *) key;
}

/* Equal zxids mean equal state, whichever server and whenever. */
static void check_state (struct world *world, struct sim_server *server, zxid_t zxid,
                         uint64_t digest)
{
    struct sim_checker *self = world->checker;
    uint64_t hash = hash64 (&zxid, sizeof zxid, 0);
    struct map_node *node = map_find (&self->sightings, hash, sighting_equal, &zxid);
    if (node) {
        struct sighting *seen = map_entry (node, struct sighting, node);
        if (seen->digest != digest) {
            world_fail (world,
                        "server %u at %#" PRIx64 " has digest %016" PRIx64
                        ", server %u had %016" PRIx64,
                        server->id, zxid, digest, seen->server, seen->digest);
        }
        return;
    }
    struct sighting *seen = calloc (1, sizeof *seen);
    COHORT_ASSERT (seen != NULL);
    *seen =
        (struct sighting){.node.hash = hash, .zxid = zxid, .digest = digest, .server = server->id};
    map_insert (&self->sightings, &seen->node);
    self->highest = zxid > self->highest ? zxid : self->highest;
}

/* At most one server is ever established as the leader of an epoch. */
static void check_leader (struct world *world, const struct zab_status *zab, uint32_t id)
{
    struct sim_checker *self = world->checker;
    if (zab->role != ZAB_LEADING || !zab->activated) {
        return;
    }
    for (size_t i = 0; i < self->reigns_count; i++) {
        if (self->reigns[i].epoch == zab->current_epoch) {
            if (self->reigns[i].leader != id) {
                world_fail (world, "servers %u and %u both lead epoch %u", self->reigns[i].leader,
                            id, zab->current_epoch);
            }
            return;
        }
    }
    if (self->reigns_count == self->reigns_capacity) {
        self->reigns_capacity = self->reigns_capacity ? 2 * self->reigns_capacity : 64;
        self->reigns = realloc (self->reigns, self->reigns_capacity * sizeof *self->reigns);
        COHORT_ASSERT (self->reigns != NULL);
    }
    self->reigns[self->reigns_count++] = (struct reign){zab->current_epoch, id};
    world_tell (world, "server %u: leads epoch %u", id, zab->current_epoch);
}

/* A client that counts on its session (session_valid_ms) is right to: nobody has ended it. */
static void check_promises (struct world *world, const struct tree *tree)
{
    for (size_t i = 0; i < world->clients_count; i++) {
        const struct sim_client *client = &world->clients[i];
        int64_t valid_ms =
            client->up ? session_valid_ms (client->session, client_now_ms (world, client)) : 0;
        if (valid_ms == 0) {
            continue;
        }
        struct session_view view;
        struct tree_session session;
        session_view (client->session, &view);
        if (!tree_session (tree, view.id, &session) || session.dead) {
            world_fail (world,
                        "client %zu: its session %#" PRIx64 " has ended, %" PRId64
                        " ms before it may",
                        i, view.id, valid_ms);
        }
    }
}

void check_server (struct world *world, struct sim_server *server)
{
    struct node_status status;
    node_status (server->node, &status);
    check_leader (world, &status.zab, server->id);
    if (status.applied == 0) {
        return;
    }
    if (status.zab.durable < status.applied) {
        world_fail (world, "server %u has applied %#" PRIx64 " but logged durably only %#" PRIx64,
                    server->id, status.applied, status.zab.durable);
    }
    check_state (world, server, status.applied, status.digest);
    if (status.applied == world->checker->highest) {
        check_promises (world, node_tree (server->node));
    }
}

/* ---- At the end ------------------------------------------------------------------------------ */

static void check_key (struct world *world, const struct tree *tree, const struct sim_key *key)
{
    struct tree_node node;
    int rc = tree_get (tree, key->path, strlen (key->path), &node);
    if (rc == COHORT_ENONODE && key->acked == 0 && (key->settled || !key->created)) {
        return; /* its creation was never answered */
    }
    if (rc != 0) {
        world_fail (world, "%s: %" PRIu64 " writes were acknowledged, and it is gone", key->path,
                    key->acked);
    }
    char text[24] = "";
    COHORT_ASSERT (node.data_size < sizeof text);
    memcpy (text, node.data, node.data_size);
    uint64_t value = strtoull (text, NULL, 10);
    if (value != (uint64_t) node.stat.version) {
        world_fail (world, "%s: holds %" PRIu64 " after %d writes: one was lost or done twice",
                    key->path, value, node.stat.version);
    }
    if (value < key->acked || value > key->submitted || (!key->settled && value != key->acked)) {
        world_fail (world,
                    "%s: holds %" PRIu64 ", acknowledged were %" PRIu64 ", submitted %" PRIu64,
                    key->path, value, key->acked, key->submitted);
    }
}

struct ephemeral_check {
    struct world *world;
    const struct tree *tree;
};

static bool check_ephemeral (void *arg, const struct tree_node *node)
{
    struct ephemeral_check *check = arg;
    struct tree_session session;
    if (node->stat.ephemeral_owner != 0 &&
        (!tree_session (check->tree, node->stat.ephemeral_owner, &session) || session.dead)) {
        world_fail (check->world, "%s: outlives its session %#" PRIx64, node->path,
                    node->stat.ephemeral_owner);
    }
    return true;
}

void check_end (struct world *world)
{
    const struct tree *tree = node_tree (world->servers[0].node);
    if (tree_zxid (tree) < world->checker->highest) {
        world_fail (world, "the ensemble is at %#" PRIx64 ", %#" PRIx64 " was applied once",
                    tree_zxid (tree), world->checker->highest);
    }
    for (size_t i = 1; i < world->servers_count; i++) {
        const struct tree *other = node_tree (world->servers[i].node);
        if (tree_zxid (other) != tree_zxid (tree) || tree_digest (other) != tree_digest (tree)) {
            world_fail (world, "servers 1 and %zu end with different states", i + 1);
        }
    }
    for (size_t i = 0; i < world->keys_count; i++) {
        check_key (world, tree, &world->keys[i]);
    }
    struct ephemeral_check check = {world, tree};
    COHORT_ASSERT (tree_walk (tree, "/", 1, check_ephemeral, &check) == 0);
}

uint64_t world_digest (const struct world *self)
{
    const struct tree *tree = node_tree (self->servers[0].node);
    uint64_t words[] = {self->options.seed, tree_zxid (tree),
                        tree_digest (tree), self->frames,
                        self->writes_acked, self->reads,
                        self->crashes,      self->sessions_lost,
                        self->batches,      self->schedule.next_order};
    return hash64 (words, sizeof words, 0);
}

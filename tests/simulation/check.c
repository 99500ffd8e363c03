/* What the clients of a simulated world have written, at the end. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/hash.h"
#include "tests/simulation/world.h"

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

void check_end (struct world *world)
{
    const struct tree *tree = node_tree (world->servers[0].node);
    for (size_t i = 0; i < world->keys_count; i++) {
        check_key (world, tree, &world->keys[i]);
    }
}

uint64_t world_digest (const struct world *self)
{
    const struct tree *tree = node_tree (self->servers[0].node);
    uint64_t words[] = {self->options.seed,  tree_zxid (tree),
                        tree_digest (tree),  self->frames,
                        self->writes_acked,  self->reads,
                        self->sessions_lost, self->plan.happened.count,
                        self->batches,       self->schedule.next_order};
    return hash64 (words, sizeof words, 0);
}

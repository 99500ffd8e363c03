/* Memory that changes by itself: one bit of a state, behind the back of all that notes changes. Its
 * server has to end as soon as it is about to decide by it, or to show it to anybody, or finds it;
 * and to be right again when it has started anew. Until then judges do not look at that state. */

#include <string.h>

#include "client/base/prng.h"
#include "tests/simulation/world.h"
#include "tests/support/tree_rot.h"

/* Not how many children there are: then nothing of it could be given back when the process ends.
 * The same dice flip a bit back. */
static void flip (const struct sim_server *server, struct prng *prng, struct tree_rot *rot)
{
    struct tree *tree = (struct tree *) (uintptr_t) node_tree (server->node);
    struct prng again = *prng;
    tree_rot_somewhere (tree, prng, rot);
    while (strcmp (rot->field, "count") == 0) {
        tree_rot_somewhere (tree, &again, rot);
        again = *prng;
        tree_rot_somewhere (tree, prng, rot);
    }
}

bool fault_memory_begin (struct world *self, const struct sim_fault *fault)
{
    struct sim_server *server = &self->servers[fault->a];
    struct prng prng;
    struct tree_rot rot;
    if (fault->a >= self->servers_count || !server->up || server->paused || server->leaving ||
        server->memory_rots || tree_limits (node_tree (server->node)) == NULL) {
        return false;
    }
    prng_seed (&prng, fault->value);
    flip (server, &prng, &rot);
    server->memory_rots = true;
    world_tell (self, "server %u: a bit of %s of %s changes by itself", server->id, rot.field,
                rot.path);
    return true;
}

/* If nobody has come to it so far, its process is killed. */
static void end (struct world *self, struct sim_server *server)
{
    if (server->up && server->memory_rots) {
        server_crash (self, server, false);
        server_start_after (self, server, 1);
    }
}

void fault_memory_end (struct world *self, const struct sim_fault *fault)
{
    end (self, &self->servers[fault->a]);
}

void fault_memory_mend (struct world *self)
{
    for (size_t i = 0; i < self->servers_count; i++) {
        end (self, &self->servers[i]);
    }
}

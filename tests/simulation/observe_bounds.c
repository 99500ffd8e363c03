/* Looks at what a server keeps in memory for others. */

#include "tests/simulation/invariants.h"
#include "tests/simulation/world.h"

/* The results of a session are part of the state, and bounded as that says: what is known of it
 * when the next write comes counts, and that may have a result of any size. */
void check_results_of (const struct tree *tree, const struct tree_session *session,
                       struct bounds *bounds)
{
    const struct entry_limits *limits = tree_limits (tree);
    bounds_look (bounds, "results", session->id, session->results, limits->window);
    bounds_look (bounds, "bytes of results", session->id, session->results_before_newest,
                 limits->results_size_max);
}

void check_kept (struct world *world, const struct sim_server *server, const struct bounds *bounds)
{
    if (bounds->what != NULL) {
        observe (world, &(struct sight){.kind = SIGHT_KEPT,
                                        .server = server->id,
                                        .kept_what = bounds->what,
                                        .kept_for = bounds->who,
                                        .kept = bounds->has,
                                        .kept_max = bounds->may});
    }
}

void check_bounds_of (struct world *world, const struct sim_server *server)
{
    struct bounds bounds = {.what = NULL};
    size_t may, has = tree_effects_bytes (node_tree (server->node), &may);
    node_bounds (server->node, &bounds);
    bounds_look (&bounds, "bytes of changes", 0, has, may);
    check_kept (world, server, &bounds);
}

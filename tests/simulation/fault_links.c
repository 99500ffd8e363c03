/* Partitions of a simulated world: which nodes do not reach which others.
 *
 * Nodes are the servers, then the clients; a set of them is a mask. */

#include <stdio.h>
#include <string.h>

#include "tests/simulation/world.h"

enum { TEXT_SIZE = 160 };

static bool exists (const struct world *self, size_t node)
{
    return node < self->servers_count ||
           (node >= SIM_SERVERS_MAX && node - SIM_SERVERS_MAX < self->clients_count);
}

/* Whether this fault blocks what goes from one node to another. */
static bool blocks (const struct sim_fault *fault, size_t from, size_t to)
{
    bool from_inside = (fault->a >> from) & 1, to_inside = (fault->a >> to) & 1;
    switch (fault->kind) {
    case FAULT_CUT:
    case FAULT_BREAK:
        return (from == fault->a && to == fault->b) || (from == fault->b && to == fault->a);
    case FAULT_ONE_WAY:
        return from_inside && !to_inside;
    case FAULT_BRIDGE:
        return from != fault->b && to != fault->b && from_inside != to_inside;
    default:
        return from_inside != to_inside;
    }
}

/* Whether anything at all is blocked. */
static bool change (struct world *self, const struct sim_fault *fault, uint32_t by)
{
    bool any = false;
    for (size_t i = 0; i < SIM_NODES_MAX; i++) {
        for (size_t j = 0; j < SIM_NODES_MAX; j++) {
            if (i != j && exists (self, i) && exists (self, j) && blocks (fault, i, j)) {
                self->blocked[i][j] += by;
                any = true;
            }
        }
    }
    return any;
}

static void put_nodes (const struct world *self, uint32_t mask, char text[TEXT_SIZE])
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < SIM_NODES_MAX; i++) {
        if (exists (self, i) && ((mask >> i) & 1)) {
            bool server = i < SIM_SERVERS_MAX;
            used += (size_t) snprintf (text + used, TEXT_SIZE - used, " %s%zu", server ? "" : "c",
                                       server ? i + 1 : i - SIM_SERVERS_MAX);
        }
    }
}

static void tell (struct world *self, const struct sim_fault *fault)
{
    char nodes[TEXT_SIZE];
    long long ms = fault->length_ms;
    put_nodes (self, fault->a, nodes);
    if (fault->kind == FAULT_CUT || fault->kind == FAULT_BREAK) {
        world_tell (self, "%s: servers %u and %u, for %lld ms", fault_name (fault->kind),
                    fault->a + 1, fault->b + 1, ms);
    } else if (fault->kind == FAULT_BRIDGE) {
        world_tell (self, "bridge: server %u between%s and the others, for %lld ms", fault->b + 1,
                    nodes, ms);
    } else {
        world_tell (self, "%s:%s %s the others, for %lld ms", fault_name (fault->kind), nodes,
                    fault->kind == FAULT_ONE_WAY ? "not heard by" : "and", ms);
    }
}

bool fault_links_begin (struct world *self, const struct sim_fault *fault)
{
    if (!change (self, fault, 1)) {
        return false;
    }
    tell (self, fault);
    if (fault->kind == FAULT_BREAK) {
        network_break (self, fault->a, fault->b);
    }
    return true;
}

void fault_links_end (struct world *self, const struct sim_fault *fault)
{
    world_tell (self, "%s healed", fault_name (fault->kind));
    (void) change (self, fault, (uint32_t) -1);
}

void fault_links_mend (struct world *self)
{
    memset (self->blocked, 0, sizeof self->blocked);
}

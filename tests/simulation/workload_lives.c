/* What clients ask for of znodes that go by themselves, or many at once:
 *
 *      /box-W   containers, which go when the last of their children has gone
 *      /tN-W    znodes with a time to live, which is begun anew now and then
 *      /tree-W  trees, which are deleted as a whole, as often as not in vain
 *      /hoard   in some worlds: more ephemerals of one session than one entry reaps */

#include <stdio.h>

#include "client/base/assert.h"
#include "tests/simulation/workload.h"

enum { TTL_MS_MAX = 3000, HOARD = 64, HOARDERS = 8 };

static const char *below (char path[2 * PATH_SIZE], const char *above, const char *name)
{
    (void) snprintf (path, 2 * (size_t) PATH_SIZE, "%s/%s", above, name);
    return path;
}

static void make_box (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    struct request *request = request_of (WIRE_CREATE, path_of (path, "/box", 0, window_of (self)),
                                          "", COHORT_CONTAINER, 0);
    request->wire.op.if_absent = true;
    submit (self, client, request, &(struct purpose){.what = NOTHING});
}

static void fill_box (struct world *self, struct sim_client *client)
{
    char box[PATH_SIZE], path[2 * PATH_SIZE];
    bool ephemeral = prng_chance (&client->prng, 1, 3);
    path_of (box, "/box", 0, window_of (self));
    ask_for (self, client, WIRE_CREATE, below (path, box, ephemeral ? "e" : "a"), "",
             ephemeral ? COHORT_EPHEMERAL : COHORT_PERSISTENT);
}

/* An ephemeral has no children. */
static void fill_ephemeral (struct world *self, struct sim_client *client)
{
    char box[PATH_SIZE], path[2 * PATH_SIZE];
    path_of (box, "/box", 0, window_of (self));
    ask_for (self, client, WIRE_CREATE, below (path, box, "e/a"), "", 0);
}

static void empty_box (struct world *self, struct sim_client *client)
{
    char box[PATH_SIZE], path[2 * PATH_SIZE];
    path_of (box, "/box", 0, window_of (self));
    ask_for (self, client, WIRE_DELETE,
             below (path, box, prng_chance (&client->prng, 1, 3) ? "e" : "a"), NULL, 0);
}

static void list_box (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    ask_for (self, client, WIRE_CHILDREN, path_of (path, "/box", 0, window_of (self)), NULL, 0);
}

static const char *some_mortal (struct world *self, struct sim_client *client, char path[PATH_SIZE])
{
    return path_of (path, "/t", prng_below (&client->prng, 2), window_of (self));
}

static void make_mortal (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    struct request *request = request_of (WIRE_CREATE, some_mortal (self, client, path), "", 0, 0);
    request->wire.op.ttl_ms = 1 + prng_below (&client->prng, TTL_MS_MAX);
    submit (self, client, request, &(struct purpose){.what = NOTHING});
}

static void set_mortal (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    ask_for (self, client, WIRE_SET, some_mortal (self, client, path), "again", 0);
}

static void get_mortal (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    ask_for (self, client, WIRE_GET, some_mortal (self, client, path), NULL, 0);
}

/* Whatever of it is missing. */
static void plant_tree (struct world *self, struct sim_client *client)
{
    static const char *const names[] = {"a", "b", "a/c", "a/d"};
    char tree[PATH_SIZE], path[2 * PATH_SIZE];
    path_of (tree, "/tree", 0, window_of (self));
    struct wire_op ops[] = {
        {.kind = WIRE_CREATE, .path = tree, .if_absent = true},
        {.kind = WIRE_CREATE, .path = below (path, tree, names[prng_below (&client->prng, 4)])},
    };
    submit (self, client, request_new_multi (WIRE_MULTI, "", ops, 2),
            &(struct purpose){.what = NOTHING});
}

static void fell_tree (struct world *self, struct sim_client *client)
{
    char tree[PATH_SIZE], path[2 * PATH_SIZE];
    path_of (tree, "/tree", 0, window_of (self));
    bool whole = prng_chance (&client->prng, 1, 3);
    struct request *request =
        request_of (WIRE_DELETE_TREE, whole ? tree : below (path, tree, "a"), NULL, 0,
                    prng_chance (&client->prng, 1, 4) ? 1 : COHORT_ANY_VERSION);
    request->wire.op.limit = (uint32_t) prng_below (&client->prng, 5);
    submit (self, client, request, &(struct purpose){.what = NOTHING});
}

/* In one of a few worlds one client does. */
static bool hoards (const struct world *self, const struct sim_client *client)
{
    return client == &self->clients[0] &&
           world_draw (self, SIM_DRAW_HOARD, 0, 0, 0) % HOARDERS == 0;
}

static void hoard (struct world *self, struct sim_client *client)
{
    struct wire_op ops[1 + HOARD] = {{.kind = WIRE_CREATE, .path = "/hoard", .if_absent = true}};
    for (size_t i = 1; i <= HOARD; i++) {
        ops[i] = (struct wire_op){
            .kind = WIRE_CREATE, .path = "/hoard/e-", .mode = COHORT_EPHEMERAL | COHORT_SEQUENTIAL};
    }
    submit (self, client, request_new_multi (WIRE_MULTI, "", ops, 1 + HOARD),
            &(struct purpose){.what = NOTHING});
}

void workload_live (struct world *self, struct sim_client *client)
{
    static ask_fn *const asks[] = {make_box,    fill_box,   fill_box,   fill_ephemeral,
                                   empty_box,   empty_box,  list_box,   make_mortal,
                                   make_mortal, set_mortal, get_mortal, plant_tree,
                                   plant_tree,  plant_tree, fell_tree,  fell_tree};
    if (hoards (self, client)) {
        hoard (self, client);
        return;
    }
    asks[prng_below (&client->prng, sizeof asks / sizeof asks[0])](self, client);
}

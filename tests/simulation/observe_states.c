/* Looks at whole states: whether they are sound, and the same to the byte; and, when all is over,
 * whether a bit of one that changes by itself would be found. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/buf.h"
#include "client/base/prng.h"
#include "server/tree/image.h"
#include "tests/simulation/world.h"
#include "tests/support/tree_rot.h"

enum { RECORD_SIZE = 4, SLICE_BYTES = 1 << 16, SCRUB_BYTES = 1 << 20, SCRUB_OBJECTS = 1000 };

static struct tree *tree_of (const struct sim_server *server)
{
    return (struct tree *) (uintptr_t) node_tree (server->node);
}

struct piece {
    const uint8_t *at;
    size_t size;
};

static int by_bytes (const void *a, const void *b)
{
    const struct piece *one = a, *other = b;
    int order = memcmp (one->at, other->at, one->size < other->size ? one->size : other->size);
    return order != 0 ? order : (one->size > other->size) - (one->size < other->size);
}

/* Sessions have no order in a state, and stand in an image as they come. */
static void order_sessions (struct buf *image)
{
    uint8_t *copy = malloc (image->size);
    struct piece *pieces = malloc (image->size);
    size_t begin = IMAGE_HEAD_SIZE, count = 0, at;
    COHORT_ASSERT (copy != NULL && pieces != NULL);
    memcpy (copy, image->data, image->size);
    begin += RECORD_SIZE + bytes_get_u32 (copy + begin); /* the scalars */
    for (at = begin; copy[at + RECORD_SIZE] == IMAGE_SESSION; at += pieces[count++].size) {
        pieces[count] = (struct piece){copy + at, RECORD_SIZE + bytes_get_u32 (copy + at)};
    }
    qsort (pieces, count, sizeof *pieces, by_bytes);
    for (size_t i = 0; i < count; i++) {
        memcpy (image->data + begin, pieces[i].at, pieces[i].size);
        begin += pieces[i].size;
    }
    COHORT_ASSERT (begin == at);
    free (pieces);
    free (copy);
}

/* What a snapshot of it would be. false: one is being written. */
static bool write_image (struct world *world, const struct sim_server *server, struct buf *image)
{
    struct tree_snapshot *snapshot = tree_snapshot_begin (tree_of (server));
    if (snapshot == NULL) {
        return false;
    }
    while (tree_snapshot_next (snapshot, image, SLICE_BYTES)) {
    }
    tree_snapshot_end (&snapshot);
    if (image->failed) {
        world_fail (world, "server %u: no snapshot can be made of its state", server->id);
    }
    order_sessions (image);
    return true;
}

void check_states (struct world *world)
{
    const struct sim_server *first = NULL;
    struct buf one = {0}, other = {0};
    for (size_t i = 0; i < world->servers_count; i++) {
        const struct sim_server *server = &world->servers[i];
        if (((world->core >> i) & 1) == 0) {
            continue;
        }
        tree_check (tree_of (server));
        buf_clear (&other);
        if (!write_image (world, server, first == NULL ? &one : &other)) {
            continue;
        }
        first = first == NULL ? server : first;
        if (first != server &&
            (one.size != other.size || memcmp (one.data, other.data, one.size) != 0)) {
            world_fail (world,
                        "servers %u and %u are at rest at %#" PRIx64 ", and their states differ",
                        first->id, server->id, tree_zxid (tree_of (server)));
        }
    }
    buf_deinit (&one);
    buf_deinit (&other);
}

/* A round of it begins where the last one ended. */
static void scrub (struct tree *tree)
{
    for (int rounds = 0; rounds < 2 && tree_damage (tree) == NULL;) {
        rounds += tree_scrub (tree, SCRUB_OBJECTS, SCRUB_BYTES);
    }
}

/* The same dice flip the bit back. */
void check_rot_found (struct world *world, const struct sim_server *server)
{
    struct tree *tree = tree_of (server);
    struct prng prng, again;
    struct tree_rot rot;
    prng_seed (&prng, world_draw (world, SIM_DRAW_MEMORY, server->id, 0, 0));
    again = prng;
    tree_rot_somewhere (tree, &prng, &rot);
    scrub (tree);
    if (tree_damage (tree) == NULL) {
        world_fail (world, "server %u: %s of %s has changed by itself, and nobody finds it",
                    server->id, rot.field, rot.path);
    }
    tree_rot_somewhere (tree, &again, &rot);
}

/* Which member has which partition: see shares.h. May include: recipes' support, libc. */

#include "shares.h"

#include "support.h"

uint64_t share_hash (const char *name)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; *name != 0; name++) {
        hash = (hash ^ (unsigned char) *name) * 0x100000001b3;
    }
    return hash;
}

/* How much a member is made for a partition. */
static uint64_t weight (uint64_t hash, int number)
{
    uint64_t mixed = hash + (uint64_t) (number + 1) * 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}

/* Each partition goes to the one that is made for it most of those that have room: with few moves
 * when somebody comes or goes (rendezvous hashing), and evenly. */
void share_out (struct share_member *members, int count, bool *mine, int partitions)
{
    int base = partitions / count, more = partitions % count;
    for (int number = 0; number < partitions; number++) {
        struct share_member *best = NULL;
        uint64_t best_weight = 0;
        for (struct share_member *one = members; one < members + count; one++) {
            bool room = one->load < base || (one->load == base && more > 0);
            uint64_t its = room ? weight (one->hash, number) : 0;
            if (room && (best == NULL || its > best_weight)) {
                best = one;
                best_weight = its;
            }
        }
        RECIPE_ASSERT (best != NULL);
        more -= best->load == base;
        best->load++;
        mine[number] = best->own;
    }
}

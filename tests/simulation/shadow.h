/* The log of a server, as points: what it looked like from outside.
 *
 * A chain hash stands for a whole history, so two logs that share a point agree up to it. Memory
 * that runs out ends the program: this is for tests. May include: client/base, server/core/zab.h.
 */

#ifndef TESTS_SIMULATION_SHADOW_H
#define TESTS_SIMULATION_SHADOW_H

#include <stdbool.h>
#include <stddef.h>

#include "server/core/zab.h"

/* Everything up to `base` is in a snapshot; the entries behind it ascend. All zero: an empty one.
 */
struct shadow {
    struct zab_point base;
    struct zab_point *points;
    size_t count, capacity;
};

void shadow_deinit (struct shadow *self);

/* The last entry, or base. */
struct zab_point shadow_last (const struct shadow *self);

/* The entry, or NULL. */
const struct zab_point *shadow_find (const struct shadow *self, zxid_t zxid);

/* The last entry with a zxid not above this one; NULL: there is none. */
const struct zab_point *shadow_floor (const struct shadow *self, zxid_t zxid);

/* Whether it holds this very point: as an entry, as its base, or in the snapshot below that. What a
 * snapshot holds nobody sees; that its base is committed is a matter of its own. */
bool shadow_covers (const struct shadow *self, struct zab_point point);

void shadow_append (struct shadow *self, struct zab_point point);

/* Drops every entry after zxid. */
void shadow_truncate (struct shadow *self, zxid_t zxid);

/* Drops every entry up to and with this one, which becomes the base. */
void shadow_compact (struct shadow *self, struct zab_point base);

/* Nothing but a snapshot at this point. */
void shadow_replace (struct shadow *self, struct zab_point base);

void shadow_copy (struct shadow *self, const struct shadow *other);

#endif

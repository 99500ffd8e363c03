/* Schedules by hand: what they are made of, and those that are not in soak_script.c itself.
 * Internal to the soak's schedules. */

#ifndef TESTS_CLUSTER_SOAK_SCRIPT_H
#define TESTS_CLUSTER_SOAK_SCRIPT_H

#include "tests/cluster/soak.h"

enum { SCRIPT_SOON_MS = 10000, SCRIPT_LONG_MS = 60000 };

/* ---- soak_script_steps.c --------------------------------------------------------------------- */

/* A fault of this kind for so long; if it may not happen now, that is told, and nothing happens. */
void script_begin (struct soak *self, const char *name, size_t server, size_t other, uint64_t draw,
                   int64_t ms);

/* Work goes on, and faults end when their time has come. */
void script_go (struct soak *self, int64_t ms);

/* Waits until somebody leads. */
size_t script_leader (struct soak *self);

/* Waits until every client has a write acknowledged that it asks for now. */
void script_served (struct soak *self, int64_t limit_ms);

/* The server so many steps behind this one, around the end. */
size_t script_next (const struct soak *self, size_t server, size_t steps);

/* Two bytes of the n-th last file of that name, in the folder of a server that does not run. */
void script_flip_byte (const struct soak *self, size_t server, const char *pattern, size_t nth_last,
                       long at);

/* They are written when enough was done. */
void script_await_snapshot (struct soak *self, size_t server);

/* ---- soak_script_mixed.c: several things at once --------------------------------------------- */

void script_forgetful_leaders (struct soak *self);
void script_hanging_disks (struct soak *self);
void script_rot_below (struct soak *self);
void script_wiped_thrice (struct soak *self);
void script_full_chain (struct soak *self);
void script_still_starts (struct soak *self);
void script_pauses_rolling (struct soak *self);
void script_clocks_apart (struct soak *self);
void script_moving_clients (struct soak *self);
void script_dark_and_damaged (struct soak *self);
void script_observers (struct soak *self);

#endif

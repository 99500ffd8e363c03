/* What the recipes share: a clock, the renewal of sessions, waiting, and objects that may be
 * destroyed by their own handlers. Private. May include: the client's public headers, libc. */

#ifndef COHORT_RECIPES_SUPPORT_H
#define COHORT_RECIPES_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cohort/client.h"

/* What a recipe's own logic guarantees; never asserted on what a server or a caller says. */
#define RECIPE_ASSERT(cond)                                                                        \
    (__builtin_expect (!!(cond), 1) ? (void) 0 : recipe_assert_fail (#cond, __FILE__, __LINE__))

_Noreturn void recipe_assert_fail (const char *expr, const char *file, int line);

/* The default clock of recipes: CLOCK_BOOTTIME in ms. */
int64_t recipe_clock (void *unused);

/* A copy of size bytes with one 0 behind them, or NULL. */
void *recipe_copy (const void *data, size_t size);

/* A name that nothing else has, or will have: 32 random hexadecimal digits and one 0.
 * COHORT_ESYSTEM: the system gives no random numbers. */
#define RECIPE_NAME_SIZE 33
int recipe_unique_name (char name[RECIPE_NAME_SIZE]);

/* A decimal number as the servers read it, no digits: 0. 0, COHORT_ENOTNUMBER. */
int recipe_parse_number (const char *text, size_t size, int64_t *number);

/* Embedded in each object. While depth is not 0 the object is in use further up the stack, and
 * whoever destroys it leaves the freeing to the one that brings depth back to 0. */
struct recipe_guard {
    unsigned depth;
    bool destroyed;
};

static inline void recipe_enter (struct recipe_guard *guard)
{
    guard->depth++;
}

/* True: the object was destroyed meanwhile and nobody else uses it: free it. */
static inline bool recipe_leave (struct recipe_guard *guard)
{
    guard->depth--;
    return guard->destroyed && guard->depth == 0;
}

/* The object is destroyed. True: nobody uses it: free it; otherwise the last one to leave does. */
static inline bool recipe_bury (struct recipe_guard *guard)
{
    guard->destroyed = true;
    return guard->depth == 0;
}

/* Sees to it that the client has a session that has not ended: cohort_renew, unless somebody
 * renewed it already. *lost (0 at first) remembers which session this recipe had renewed: one that
 * ends before any server accepted it would end again, for it was refused, and is not renewed a
 * second time: COHORT_ESESSIONEXPIRED. lost NULL: somebody asked for it, so it is. */
int recipe_renew (cohort_t *client, uint64_t *lost);

/* A change of kind OWNER. True: the znode with this owner and ozxid is among what was handed over,
 * and they have been set to those of now. */
bool recipe_handed_over (const cohort_change_t *change, uint64_t *owner, uint64_t *ozxid);

/* 1: what is waited for has come; 0: not yet; negative: it will not come, and why. */
typedef int recipe_done_fn (void *self);

/* Dispatches the client until done says so, the time is over or the guarded object is destroyed.
 * The caller holds the guard. 0, COHORT_ETIMEDOUT, COHORT_EDEADLK, COHORT_ECLOSING, or what done
 * said. */
int recipe_wait (cohort_t *client, const struct recipe_guard *guard, int timeout_ms,
                 recipe_done_fn *done, void *self);

#endif

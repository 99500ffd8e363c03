/* What must always hold, as a table of checkers: the invariants of docs/zab.md.
 *
 * A checker is a predicate: given all that was seen before, may this be seen now? It changes
 * nothing, and knows nothing of how servers work. Each has a test that shows it something that must
 * not be, and sees it object (tests/unit/simulation): a checker that has never failed proves
 * nothing. What clients may see of it all is checked by tests/history.
 *
 *   check_agreement.c    1 to 7, 9, 10,  who leads, proposes, commits and applies what
 *                        21, 25 to 27
 *   check_durability.c   8, 11 to 14, 24, what is on which disk, and for how long
 *                        31
 *   check_outcome.c      15 to 20, 22,   states, answers, sessions, coming to rest, full disks and
 *                        28 to 30        those that hang, what clients are told, memory
 *   check_peace.c        23              what nothing disturbs
 *
 * Pure. May include: ghost, client/base, server/core/zab.h. */

#ifndef TESTS_SIMULATION_INVARIANTS_H
#define TESTS_SIMULATION_INVARIANTS_H

#include "tests/simulation/ghost.h"
#include "tests/support/objection.h"

/* true: the sight is in order. Otherwise says into `objection` why not. */
typedef bool invariant_fn (const struct ghost *ghost, const struct sight *sight,
                           struct objection *objection);

struct invariant {
    unsigned number;
    const char *name;
    unsigned when; /* sight_kind's bits: where it could break */
    invariant_fn *holds;
};

enum { INVARIANTS_COUNT = 31 };

/* In the order of their numbers, 1 to 31. */
extern const struct invariant invariants[INVARIANTS_COUNT];

/* Checks the sight against all of them, then takes it in. The first that does not hold, or NULL. */
const struct invariant *invariants_see (struct ghost *ghost, const struct sight *sight,
                                        struct objection *objection);

invariant_fn check_leadership, check_integrity, check_total_order, check_local_primary_order,
    check_global_primary_order, check_primary_integrity, check_commit_completeness,
    check_committed_durability, check_history_consistency, check_actions, check_quorum_durability,
    check_durable_image, check_justified_messages, check_applied_durable, check_equal_states,
    check_acknowledged, check_ephemerals, check_liveness, check_quarantine, check_full_disks,
    check_rounds, check_results, check_peace, check_folder, check_promises, check_beginnings,
    check_begun_epochs, check_hanging_disks, check_told, check_bounds, check_snapshots;

#endif

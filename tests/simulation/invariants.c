/* What must always hold, as a table of checkers. */

#include "tests/simulation/invariants.h"

/* Numbers and names are those of docs/zab.md, section 11. */
const struct invariant invariants[INVARIANTS_COUNT] = {
    {1, "leadership", SIGHT_UPDATE, check_leadership},
    {2, "integrity", SIGHT_TURN, check_integrity},
    {3, "total order", SIGHT_UPDATE | SIGHT_TURN, check_total_order},
    {4, "local primary order", SIGHT_TURN, check_local_primary_order},
    {5, "global primary order", SIGHT_TURN, check_global_primary_order},
    {6, "primary integrity", SIGHT_UPDATE, check_primary_integrity},
    {7, "commit completeness", SIGHT_UPDATE, check_commit_completeness},
    {8, "durability of the committed", SIGHT_STARTED | SIGHT_BASE | SIGHT_UPDATE | SIGHT_WITHDRAWN,
     check_committed_durability},
    {9, "history consistency", SIGHT_UPDATE, check_history_consistency},
    {10, "no illegal action", SIGHT_UPDATE, check_actions},
    {11, "committed by a quorum's disks", SIGHT_UPDATE, check_quorum_durability},
    {12, "durable image", SIGHT_STARTED | SIGHT_DURABLE | SIGHT_UPDATE, check_durable_image},
    {13, "messages justified by the disk", SIGHT_UPDATE, check_justified_messages},
    {14, "applied is durable", SIGHT_UPDATE | SIGHT_TURN, check_applied_durable},
    {15, "equal zxid, equal state", SIGHT_TURN, check_equal_states},
    {16, "acknowledged is committed", SIGHT_ANSWER | SIGHT_REST, check_acknowledged},
    {17, "ephemerals and names", SIGHT_TURN | SIGHT_ANSWER | SIGHT_PEACE, check_ephemerals},
    {18, "liveness", SIGHT_REST, check_liveness},
    {19, "what is wrong is hidden", SIGHT_TURN, check_quarantine},
    {20, "full disks make room", SIGHT_UPDATE | SIGHT_SPACE, check_full_disks},
    {21, "rounds are answered by a quorum", SIGHT_UPDATE, check_rounds},
    {22, "results are let go", SIGHT_TURN, check_results},
    {23, "peace is kept", SIGHT_PEACE, check_peace},
    {24, "folders are in order", SIGHT_FOLDER, check_folder},
    {25, "promises are given once", SIGHT_UPDATE, check_promises},
    {26, "beginnings are final", SIGHT_UPDATE, check_beginnings},
    {27, "epochs are begun with promises", SIGHT_UPDATE, check_begun_epochs},
    {28, "hanging disks give way", SIGHT_HANGS, check_hanging_disks},
    {29, "who waits is told", SIGHT_LOST, check_told},
    {30, "what is kept for others is bounded", SIGHT_KEPT, check_bounds},
    {31, "snapshots shorten the log", SIGHT_GROWS | SIGHT_FOLDER, check_snapshots},
};

const struct invariant *invariants_see (struct ghost *ghost, const struct sight *sight,
                                        struct objection *objection)
{
    for (size_t i = 0; i < INVARIANTS_COUNT; i++) {
        const struct invariant *invariant = &invariants[i];
        if ((invariant->when & sight->kind) != 0 && !invariant->holds (ghost, sight, objection)) {
            return invariant;
        }
    }
    ghost_see (ghost, sight);
    return NULL;
}

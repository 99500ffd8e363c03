/* A world for the tracker: sessions, what it proposes, and what it says to other servers. */

#ifndef TESTS_UNIT_NODE_TRACKER_WORLD_H
#define TESTS_UNIT_NODE_TRACKER_WORLD_H

#include "tests/unit/unit.h"

#include "server/node/tracker.h"

enum { TIMEOUT_MS = 500, SESSIONS_MAX = 60000, PROPOSED_MAX = 70000, ANSWERS_MAX = 1000 };

struct world {
    struct tracker *tracker;
    int64_t now_ms;
    uint64_t begun, confirmed;
    zxid_t applied;
    struct tree_session sessions[SESSIONS_MAX]; /* ascending ids */
    size_t sessions_count;
    struct entry proposed[PROPOSED_MAX];
    int64_t proposed_ms[PROPOSED_MAX];
    size_t proposed_count;
    struct {
        uint32_t server;
        uint64_t session, attach_no, seq;
    } confirms[ANSWERS_MAX];
    size_t confirms_count;
    struct {
        uint32_t server;
        uint64_t token;
        zxid_t zxid;
    } synced[ANSWERS_MAX];
    size_t synced_count;
};

/* The tracker follows nobody yet. */
struct world *world_new (void);
void world_free (struct world *world);

/* At server 1, with its first attach; ids ascend. */
void world_add (struct world *world, uint64_t id, uint32_t timeout_ms, uint32_t grace_ms);
/* NULL: it is gone. */
struct tree_session *world_session (struct world *world, uint64_t id);

/* All that is due now. Rounds succeed at once. */
void world_turn (struct world *world);
/* For so long, each millisecond. */
void world_run (struct world *world, int64_t ms);
void world_lead (struct world *world);

/* Applies a proposed CLOSE: the session goes at once (no ephemerals), or stays. */
void world_close (struct world *world, size_t i, bool closes);
void world_attach (struct world *world, uint64_t id, uint64_t attach_no, uint32_t server);

#endif

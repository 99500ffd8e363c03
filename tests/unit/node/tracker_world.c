/* tracker_world.c: see tracker_world.h. */

#include "tests/unit/node/tracker_world.h"

#include <stdlib.h>
#include <string.h>

struct tree_session *world_session (struct world *world, uint64_t id)
{
    for (size_t i = 0; i < world->sessions_count; i++) {
        if (world->sessions[i].id == id) {
            return &world->sessions[i];
        }
    }
    return NULL;
}

static bool session_of (void *arg, uint64_t id, struct tree_session *session)
{
    const struct tree_session *found = world_session (arg, id);
    if (found != NULL) {
        *session = *found;
    }
    return found != NULL;
}

static bool session_next (void *arg, uint64_t after, struct tree_session *session)
{
    struct world *world = arg;
    /* Ids are dense in the large test; a search would take for ever. */
    size_t from = 0;
    if (after > 0 && after <= world->sessions_count && world->sessions[after - 1].id == after) {
        from = after;
    }
    for (size_t i = from; i < world->sessions_count; i++) {
        if (world->sessions[i].id > after) {
            *session = world->sessions[i];
            return true;
        }
    }
    return false;
}

static bool session_dead (void *arg, struct tree_session *session)
{
    struct world *world = arg;
    for (size_t i = 0; i < world->sessions_count; i++) {
        if (world->sessions[i].dead) {
            *session = world->sessions[i];
            return true;
        }
    }
    return false;
}

static void propose (void *arg, const struct entry *entry)
{
    struct world *world = arg;
    assert_true (world->proposed_count < PROPOSED_MAX);
    world->proposed_ms[world->proposed_count] = world->now_ms;
    world->proposed[world->proposed_count++] = *entry;
}

static void confirm (void *arg, uint32_t server, uint64_t session, uint64_t attach_no, uint64_t seq)
{
    struct world *world = arg;
    assert_true (world->confirms_count < ANSWERS_MAX);
    world->confirms[world->confirms_count].server = server;
    world->confirms[world->confirms_count].session = session;
    world->confirms[world->confirms_count].attach_no = attach_no;
    world->confirms[world->confirms_count++].seq = seq;
}

static void synced (void *arg, uint32_t server, uint64_t token, zxid_t zxid)
{
    struct world *world = arg;
    assert_true (world->synced_count < ANSWERS_MAX);
    world->synced[world->synced_count].server = server;
    world->synced[world->synced_count].token = token;
    world->synced[world->synced_count++].zxid = zxid;
}

struct world *world_new (void)
{
    struct world *world = calloc (1, sizeof *world);
    struct tracker_host host = {world,   session_of, session_next, session_dead,
                                propose, confirm,    synced};
    struct logger logger = {NULL, NULL, LOG_ERROR};
    world->now_ms = 1000;
    world->tracker = tracker_new (&host, TIMEOUT_MS, &logger, world->now_ms);
    assert_non_null (world->tracker);
    return world;
}

void world_free (struct world *world)
{
    tracker_destroy (&world->tracker);
    free (world);
}

void world_add (struct world *world, uint64_t id, uint32_t timeout_ms, uint32_t grace_ms)
{
    world->sessions[world->sessions_count++] = (struct tree_session){.id = id,
                                                                     .timeout_ms = timeout_ms,
                                                                     .grace_ms = grace_ms,
                                                                     .incarnation = 1,
                                                                     .attach_no = 1,
                                                                     .server = 1};
}

void world_turn (struct world *world)
{
    while (tracker_turn (world->tracker)) {
    }
    if (tracker_wants_round (world->tracker)) {
        world->confirmed = ++world->begun;
        tracker_rounds (world->tracker, world->begun, world->confirmed);
        while (tracker_turn (world->tracker)) {
        }
    }
}

void world_run (struct world *world, int64_t ms)
{
    for (int64_t i = 0; i < ms; i++) {
        world->now_ms++;
        tracker_time (world->tracker, world->now_ms);
        world_turn (world);
    }
}

void world_lead (struct world *world)
{
    tracker_lead (world->tracker);
    tracker_ready (world->tracker);
    world_turn (world);
}

void world_close (struct world *world, size_t i, bool closes)
{
    const struct entry *entry = &world->proposed[i];
    assert_int_equal (entry->kind, ENTRY_CLOSE);
    struct tree_outcome outcome = {.kind = ENTRY_CLOSE, .session = entry->u.close.session};
    if (closes) {
        struct tree_session *session = world_session (world, outcome.session);
        size_t index = (size_t) (session - world->sessions);
        memmove (session, session + 1, (world->sessions_count - index - 1) * sizeof *session);
        world->sessions_count--;
        outcome.session_closed = outcome.session_gone = true;
    }
    tracker_applied (world->tracker, ++world->applied, &outcome);
}

void world_attach (struct world *world, uint64_t id, uint64_t attach_no, uint32_t server)
{
    struct tree_session *session = world_session (world, id);
    session->attach_no = attach_no;
    session->server = server;
    tracker_applied (world->tracker, ++world->applied,
                     &(struct tree_outcome){.kind = ENTRY_ATTACH, .session = id});
}

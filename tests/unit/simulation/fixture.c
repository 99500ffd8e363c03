/* Sights made by hand. */

#include "tests/unit/simulation/fixture.h"

#include <stdlib.h>
#include <string.h>

enum { STORE = 100 }; /* and the server's id: its store's */

int fixture_set_up (void **state)
{
    struct fixture *self = calloc (1, sizeof *self);
    assert_non_null (self);
    ghost_init (&self->ghost);
    self->configs.count = 1;
    self->configs.configs[0].count = 3;
    for (uint32_t id = 1; id <= 3; id++) {
        self->configs.configs[0].members[id - 1] =
            (struct config_member){.id = id, .role = CONFIG_VOTER, .store_id = STORE + id};
    }
    for (uint32_t id = 1; id <= 3; id++) {
        struct shadow empty = {.count = 0};
        sight_started (self, id, &empty);
        fixture_see (self);
        fixture_apply (self, id, 0);
    }
    *state = self;
    return 0;
}

int fixture_tear_down (void **state)
{
    struct fixture *self = *state;
    ghost_deinit (&self->ghost);
    free (self);
    return 0;
}

uint64_t fixture_chain (zxid_t zxid)
{
    return zxid != 0 ? zxid * 31 + 7 : 0;
}

void fixture_fill (struct shadow *log, uint32_t epoch, uint64_t last)
{
    for (uint64_t counter = 1; counter <= last; counter++) {
        zxid_t zxid = zxid_make (epoch, counter);
        shadow_append (log, (struct zab_point){zxid, fixture_chain (zxid)});
    }
}

/* ---- Sights ---------------------------------------------------------------------------------- */

static struct sight *begin (struct fixture *self, enum sight_kind kind, uint32_t server)
{
    self->update = (struct zab_update){.halt = ZAB_RUNNING};
    self->sight = (struct sight){.kind = kind,
                                 .server = server,
                                 .update = &self->update,
                                 .status = &self->status,
                                 .configs = &self->configs};
    return &self->sight;
}

struct sight *sight_started (struct fixture *self, uint32_t server, const struct shadow *log)
{
    struct sight *sight = begin (self, SIGHT_STARTED, server);
    sight->log = log;
    sight->store_id = STORE + server;
    sight->found = true;
    sight->accepted_epoch = self->ghost.servers[server].accepted_epoch;
    sight->current_epoch = self->ghost.servers[server].current_epoch;
    return sight;
}

struct sight *sight_update (struct fixture *self, uint32_t server, enum zab_role role,
                            uint32_t epoch)
{
    const struct ghost_server *known = &self->ghost.servers[server];
    begin (self, SIGHT_UPDATE, server);
    self->update.deliver = known->applied;
    self->status = (struct zab_status){
        .role = role,
        .leader = role == ZAB_LEADING ? server : 1,
        .activated = role != ZAB_LOOKING,
        .accepted_epoch = epoch,
        .current_epoch = epoch,
        .committed = known->status.committed,
    };
    return &self->sight;
}

struct sight *sight_turn (struct fixture *self, uint32_t server, zxid_t applied, uint64_t digest)
{
    struct sight *sight = begin (self, SIGHT_TURN, server);
    self->status = self->ghost.servers[server].status;
    sight->applied = applied;
    sight->digest = digest;
    return sight;
}

struct sight *sight_base (struct fixture *self, uint32_t server, zxid_t base, bool replaced)
{
    struct sight *sight = begin (self, SIGHT_BASE, server);
    sight->base = (struct zab_point){base, fixture_chain (base)};
    sight->replaced = replaced;
    return sight;
}

struct sight *sight_answer (struct fixture *self, zxid_t zxid, const char *name)
{
    struct sight *sight = begin (self, SIGHT_ANSWER, 0);
    sight->zxid = zxid;
    sight->name = name;
    return sight;
}

struct sight *sight_rest (struct fixture *self, bool reached, int64_t after_ms)
{
    struct sight *sight = begin (self, SIGHT_REST, 0);
    sight->reached = reached;
    sight->core = 0xe; /* servers 1 to 3 */
    sight->after_ms = after_ms;
    sight->limit_ms = 1000;
    return sight;
}

void update_entry (struct fixture *self, zxid_t zxid, uint64_t chain)
{
    struct zab_persist *persist = &self->update.persist;
    assert_true (persist->entries_count < FIXTURE_ENTRIES_MAX);
    if (persist->number == 0) {
        persist->number = ++self->numbers[self->sight.server];
        persist->entries = self->entries;
    }
    self->entries[persist->entries_count++] = (struct zab_entry){.zxid = zxid, .chain = chain};
}

void update_message (struct fixture *self, struct zab_message message)
{
    assert_true (self->update.messages_count < FIXTURE_MESSAGES_MAX);
    self->messages[self->update.messages_count++] = message;
    self->update.messages = self->messages;
}

void fixture_see (struct fixture *self)
{
    struct objection objection = {.text = ""};
    const struct invariant *broken = invariants_see (&self->ghost, &self->sight, &objection);
    if (broken != NULL) {
        fail_msg ("invariant %u, %s: %s", broken->number, broken->name, objection.text);
    }
}

bool fixture_holds (struct fixture *self, unsigned number)
{
    const struct invariant *invariant = &invariants[number - 1];
    struct objection objection = {.text = ""};
    assert_int_equal (invariant->number, number);
    assert_true ((invariant->when & self->sight.kind) != 0);
    bool holds = invariant->holds (&self->ghost, &self->sight, &objection);
    assert_true (holds == (objection.text[0] == '\0'));
    return holds;
}

/* ---- Whole steps ----------------------------------------------------------------------------- */

void fixture_log (struct fixture *self, uint32_t server, enum zab_role role, uint32_t epoch,
                  uint64_t first, uint64_t last)
{
    sight_update (self, server, role, epoch);
    for (uint64_t counter = first; counter <= last; counter++) {
        zxid_t zxid = zxid_make (epoch, counter);
        update_entry (self, zxid, fixture_chain (zxid));
    }
    self->update.persist.epochs = true;
    self->update.persist.accepted_epoch = epoch;
    self->update.persist.current_epoch = epoch;
    for (uint32_t id = 1; role == ZAB_LEADING && id <= 3; id++) {
        self->ghost.servers[id].promises[server] =
            (struct ghost_answer){.epoch = epoch, .listed = true};
    }
    fixture_see (self);
    fixture_durable (self, server);
}

void fixture_durable (struct fixture *self, uint32_t server)
{
    begin (self, SIGHT_DURABLE, server)->completed = self->numbers[server];
    fixture_see (self);
}

void fixture_commit (struct fixture *self, uint32_t server, enum zab_role role, zxid_t zxid)
{
    sight_update (self, server, role, zxid_epoch (zxid));
    self->status.committed = zxid;
    self->update.deliver = zxid;
    fixture_see (self);
}

void fixture_apply (struct fixture *self, uint32_t server, zxid_t zxid)
{
    sight_turn (self, server, zxid, zxid);
    fixture_see (self);
}

void fixture_history (struct fixture *self, uint32_t epoch, uint64_t first, uint64_t last)
{
    zxid_t zxid = zxid_make (epoch, last);
    fixture_log (self, 1, ZAB_LEADING, epoch, first, last);
    fixture_log (self, 2, ZAB_FOLLOWING, epoch, first, last);
    fixture_commit (self, 1, ZAB_LEADING, zxid);
    fixture_apply (self, 1, zxid);
    fixture_commit (self, 2, ZAB_FOLLOWING, zxid);
    fixture_apply (self, 2, zxid);
}

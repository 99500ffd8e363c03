/* Sights made by hand: a cluster of three that nobody runs. */

#ifndef TESTS_UNIT_SIMULATION_FIXTURE_H
#define TESTS_UNIT_SIMULATION_FIXTURE_H

#include "tests/simulation/invariants.h"
#include "tests/unit/unit.h"

enum { FIXTURE_ENTRIES_MAX = 16, FIXTURE_MESSAGES_MAX = 4 };

/* A ghost state, and the next sight. */
struct fixture {
    struct ghost ghost;
    struct config_set configs;
    uint64_t numbers[4]; /* of persist requests, by server */
    struct sight sight;
    struct zab_update update;
    struct zab_status status;
    struct zab_entry entries[FIXTURE_ENTRIES_MAX];
    struct zab_message messages[FIXTURE_MESSAGES_MAX];
};

/* Servers 1, 2 and 3 have started with empty logs, and are the voters. For cmocka. */
int fixture_set_up (void **state);
int fixture_tear_down (void **state);

/* The chain hash of every entry that is what it should be. */
uint64_t fixture_chain (zxid_t zxid);

/* Adds the entries 1 to `last` of this epoch. */
void fixture_fill (struct shadow *log, uint32_t epoch, uint64_t last);

/* Each makes a sight, which is the next until another is made. */
struct sight *sight_started (struct fixture *self, uint32_t server, const struct shadow *log);
struct sight *sight_update (struct fixture *self, uint32_t server, enum zab_role role,
                            uint32_t epoch);
struct sight *sight_turn (struct fixture *self, uint32_t server, zxid_t applied, uint64_t digest);
struct sight *sight_base (struct fixture *self, uint32_t server, zxid_t base, bool replaced);
struct sight *sight_answer (struct fixture *self, zxid_t zxid, const char *name);
struct sight *sight_rest (struct fixture *self, bool reached, int64_t after_ms);

/* Adds to an update: an entry to be kept; a message. */
void update_entry (struct fixture *self, zxid_t zxid, uint64_t chain);
void update_message (struct fixture *self, struct zab_message message);

/* The ghost state takes the next sight in, which must be in order as far as all of them go. */
void fixture_see (struct fixture *self);

/* Whether the invariant of this number finds the next sight in order; it must look at it. */
bool fixture_holds (struct fixture *self, unsigned number);

/* ---- Whole steps, all in order --------------------------------------------------------------- */

/* Server 1 leads this epoch and proposes the entries `first` to `last` (counters), which it and 2
 * have durably; commits and applies them; 2 does, too. 3 has not heard of it. */
void fixture_history (struct fixture *self, uint32_t epoch, uint64_t first, uint64_t last);

/* A server logs these entries, as a leader or a follower of this epoch; its disk has them. */
void fixture_log (struct fixture *self, uint32_t server, enum zab_role role, uint32_t epoch,
                  uint64_t first, uint64_t last);
void fixture_durable (struct fixture *self, uint32_t server);
void fixture_commit (struct fixture *self, uint32_t server, enum zab_role role, zxid_t zxid);
void fixture_apply (struct fixture *self, uint32_t server, zxid_t zxid);

#endif

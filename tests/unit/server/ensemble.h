/* Three embedded servers in one process, each of which may crash and come back. */

#ifndef TESTS_UNIT_SERVER_ENSEMBLE_H
#define TESTS_UNIT_SERVER_ENSEMBLE_H

#include <stdbool.h>

#include "client/base/prng.h"
#include "cohort/server.h"

enum { ENSEMBLE_SERVERS = 3, ENSEMBLE_LIMIT_MS = 60000, ENSEMBLE_TEXT_SIZE = 96 };

struct ensemble {
    char folder[32];
    char peers[ENSEMBLE_SERVERS][ENSEMBLE_TEXT_SIZE], clients[ENSEMBLE_SERVERS][ENSEMBLE_TEXT_SIZE];
    char list[ENSEMBLE_SERVERS * ENSEMBLE_TEXT_SIZE]; /* of all, for a client */
    cohort_server_member_t members[ENSEMBLE_SERVERS];
    cohort_server_t *servers[ENSEMBLE_SERVERS];
    bool down[ENSEMBLE_SERVERS];
};

/* admins: as of cohort_server_options_t; NULL: nobody. Failures end the test. */
void ensemble_start (struct ensemble *self, const char *admins);
void ensemble_stop (struct ensemble *self);

/* One is down at a time: whoever crashed before comes back first. */
void ensemble_crash_one (struct ensemble *self, struct prng *prng);
void ensemble_bring_back (struct ensemble *self);

#endif

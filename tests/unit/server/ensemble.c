/* ensemble.c: see ensemble.h. */

#include "tests/unit/server/ensemble.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/unit.h"

void ensemble_start (struct ensemble *self, const char *admins)
{
    (void) snprintf (self->folder, sizeof self->folder, "/tmp/cohort-ensemble-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    for (uint32_t i = 0; i < ENSEMBLE_SERVERS; i++) {
        (void) snprintf (self->peers[i], ENSEMBLE_TEXT_SIZE, "ipc://%s/peer%u", self->folder, i);
        (void) snprintf (self->clients[i], ENSEMBLE_TEXT_SIZE, "ipc://%s/client%u", self->folder,
                         i);
        self->members[i] = (cohort_server_member_t){
            .id = i + 1, .address = self->peers[i], .client_address = self->clients[i]};
    }
    (void) snprintf (self->list, sizeof self->list, "%s,%s,%s", self->clients[0], self->clients[1],
                     self->clients[2]);
    for (uint32_t i = 0; i < ENSEMBLE_SERVERS; i++) {
        cohort_server_options_t options = {.size = sizeof options,
                                           .id = i + 1,
                                           .members = self->members,
                                           .members_count = ENSEMBLE_SERVERS,
                                           .clients = self->clients[i],
                                           .admins = admins};
        self->servers[i] = cohort_server_new (&options);
        assert_non_null (self->servers[i]);
        assert_int_equal (cohort_server_start (self->servers[i]), 0);
    }
    assert_int_equal (cohort_server_wait (self->servers[0], ENSEMBLE_LIMIT_MS), 0);
}

void ensemble_stop (struct ensemble *self)
{
    char command[64];
    for (size_t i = 0; i < ENSEMBLE_SERVERS; i++) {
        cohort_server_destroy (&self->servers[i]);
    }
    (void) snprintf (command, sizeof command, "rm -rf '%s'", self->folder);
    assert_int_equal (system (command), 0);
}

void ensemble_bring_back (struct ensemble *self)
{
    for (size_t i = 0; i < ENSEMBLE_SERVERS; i++) {
        if (self->down[i]) {
            assert_int_equal (cohort_server_start (self->servers[i]), 0);
            assert_int_equal (cohort_server_wait (self->servers[i], ENSEMBLE_LIMIT_MS), 0);
            self->down[i] = false;
        }
    }
}

void ensemble_crash_one (struct ensemble *self, struct prng *prng)
{
    size_t victim = prng_below (prng, ENSEMBLE_SERVERS);
    ensemble_bring_back (self);
    assert_int_equal (cohort_server_crash (self->servers[victim]), 0);
    self->down[victim] = true;
}

/* Invariant 23: what must be while nothing disturbs anybody. */

#include <inttypes.h>

#include "tests/simulation/invariants.h"

/* 23. While nothing is amiss somebody leads, soon, whom all follow; and goes on leading. Whoever is
 * there and looks for a server is served, soon. */
bool check_peace (const struct ghost *ghost, const struct sight *sight, struct objection *objection)
{
    (void) ghost;
    if (!sight->led && sight->was_led) {
        return object (objection,
                       "the servers do not follow one leader any more, and nothing has been amiss "
                       "for %" PRId64 " ms",
                       sight->peace_ms);
    }
    if (!sight->led && sight->peace_ms > sight->peace_ms_max) {
        return object (objection,
                       "the servers do not follow one leader, and nothing has been amiss for "
                       "%" PRId64 " ms",
                       sight->peace_ms);
    }
    return sight->unserved_ms <= sight->unserved_ms_max ||
           object (objection,
                   "client %zu has not been served for %" PRId64 " ms, and nothing is "
                   "amiss",
                   sight->client, sight->unserved_ms);
}

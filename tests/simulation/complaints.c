/* What sessions say of their servers, and when they give up. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/simulation/world.h"

enum { MARGIN_MS_MIN = 50 };

/* A server keeps to the protocol, whatever happens: what a session leaves it for, if it does not,
 * is never the reason. */
void complaints_hear (struct world *self, struct sim_client *client)
{
    static const char *const complaints[] = {
        "out of turn",       "cannot be part of",   "that was never sent",
        "not be understood", "before it was",       "has forgotten writes",
        "was not offered",   "for another session", "answered another attach",
    };
    struct session_view view;
    session_view (client->session, &view);
    if (strcmp (view.reason, client->reason) == 0) {
        return;
    }
    (void) snprintf (client->reason, sizeof client->reason, "%s", view.reason);
    for (size_t i = 0; i < sizeof complaints / sizeof complaints[0]; i++) {
        if (strstr (view.reason, complaints[i]) != NULL) {
            world_fail (self, "client %zu complains: %s", (size_t) (client - self->clients),
                        view.reason);
        }
    }
}

/* Who says farewell to a session that is suspended does not hold it. */
static bool is_held_by (struct world *self, const struct sim_client *client, uint64_t connection)
{
    struct session_view view;
    session_view (client->session, &view);
    return view.state == COHORT_CONNECTED && record_attached_by (self, client, connection);
}

void complaints_heard (struct world *self, struct sim_client *client, uint64_t connection)
{
    if (client->up && is_held_by (self, client, connection)) {
        client->heard_ms = client_now_ms (self, client);
        client->heard_by = connection;
    }
}

/* Who gives its session up because time is over has heard of its server, which held it, for a good
 * while nothing: by the margin, and by what is left of the timeout when a server is left. */
static void check_patience (struct world *self, const struct sim_client *client,
                            const struct session_view *view)
{
    int64_t timeout_ms = client->identity.timeout_ms;
    int64_t margin_ms = timeout_ms / 10 > MARGIN_MS_MIN ? timeout_ms / 10 : MARGIN_MS_MIN;
    int64_t silent_ms = client_now_ms (self, client) - client->heard_ms;
    bool timed_out = strncmp (view->reason, "no server was reached", 21) == 0;
    if (timed_out && client->has_identity && client->identity.id == view->id &&
        record_attached_by (self, client, client->heard_by) &&
        silent_ms < timeout_ms / 3 + margin_ms) {
        world_fail (
            self, "client %zu gives its session up, and has heard its server %" PRId64 " ms before",
            (size_t) (client - self->clients), silent_ms);
    }
}

void complaints_lost (struct world *self, const struct sim_client *client)
{
    struct session_view view;
    session_view (client->session, &view);
    if (view.rc == COHORT_EAUTHFAILED && !client->guesses) {
        world_fail (self, "client %zu is told that it has not the password of its session",
                    (size_t) (client - self->clients));
    }
    check_patience (self, client, &view);
}

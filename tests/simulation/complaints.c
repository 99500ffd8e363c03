/* What sessions say of their servers, when they give up, and what they call connected. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/simulation/world.h"

enum {
    MARGIN_MS_MIN = 50,
    DEAF_MS_MAX = 250 /* until who has stood still gets to its timer: put_off in world.c */
};

/* A server keeps to the protocol, whatever happens: what a session leaves it for, if it does not,
 * is never the reason. */
void complaints_hear (struct world *self, struct sim_client *client)
{
    static const char *const complaints[] = {
        "out of turn",       "cannot be part of",   "that was never sent",
        "not be understood", "before it was",       "has forgotten writes",
        "was not offered",   "for another session", "answered another attach",
        "requests wait",     "does not count for",  "too many watches",
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

/* The connection by which its session is attached; NULL: it has ended. */
static const struct sim_connection *find_attached (const struct world *self,
                                                   const struct sim_client *client)
{
    for (struct list_node *at = list_first (&client->links); at != NULL;
         at = list_next (&client->links, at)) {
        const struct sim_connection *connection = list_entry (at, struct sim_connection, in_client);
        if (record_attached_by (self, client, connection->number)) {
            return connection;
        }
    }
    return NULL;
}

/* Whether there is another one to the same server: then nobody knows from outside which counts. */
static bool has_twin (const struct sim_client *client, const struct sim_connection *connection)
{
    for (struct list_node *at = list_first (&client->links); at != NULL;
         at = list_next (&client->links, at)) {
        const struct sim_connection *other = list_entry (at, struct sim_connection, in_client);
        if (other != connection && other->server == connection->server) {
            return true;
        }
    }
    return false;
}

/* Of twins it may be the other one by which the session is attached: then nobody knows. */
void complaints_heard (struct world *self, struct sim_client *client, uint64_t connection)
{
    const struct sim_connection *attached = find_attached (self, client);
    if (client->up && is_held_by (self, client, connection)) {
        client->heard_ms = client_now_ms (self, client);
        client->heard_by = connection;
    } else if (attached != NULL && has_twin (client, attached)) {
        client->heard_by = 0;
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
    if (view.rc == COHORT_ESESSIONMOVED && record_has_session (self, client, view.id)) {
        world_fail (self, "client %zu is told that another process has its session, and none has",
                    (size_t) (client - self->clients));
    }
    check_patience (self, client, &view);
}

/* ---- Whether it is connected ----------------------------------------------------------------- */

/* Whether it has heard nothing of its server for as long as a session bears that: two thirds of the
 * timeout. */
static bool is_deaf (const struct world *self, const struct sim_client *client,
                     const struct sim_connection *attached)
{
    struct session_view view;
    int64_t silent_ms = client_now_ms (self, client) - client->heard_ms;
    session_view (client->session, &view);
    return client->has_identity && client->identity.id == view.id &&
           client->heard_by == attached->number && !has_twin (client, attached) &&
           silent_ms > (int64_t) client->identity.timeout_ms * 2 / 3;
}

void complaints_told (struct world *self, struct sim_client *client)
{
    int64_t now_ms = client_now_ms (self, client);
    const struct sim_connection *attached = find_attached (self, client);
    size_t number = (size_t) (client - self->clients);
    if (client->told_connected && attached == NULL) {
        world_fail (self, "client %zu is told that it is connected, and has no connection", number);
    }
    bool deaf = client->told_connected && is_deaf (self, client, attached);
    if (!deaf || client->deaf_ms == INT64_MAX) {
        client->deaf_ms = deaf ? now_ms : INT64_MAX;
    } else if (now_ms - client->deaf_ms > DEAF_MS_MAX) {
        world_fail (self,
                    "client %zu is told that it is connected, and has heard nothing of its server "
                    "for %" PRId64 " ms",
                    number, now_ms - client->heard_ms);
    }
}

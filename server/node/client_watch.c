/* client_watch.c: one-shot watches: see client_state.h.
 *
 * The tree's registry knows who watches what; an owner there is a connection.  Watches end with
 * their connection: the session's client registers them again wherever it attaches next. */

#include <string.h>

#include "client/base/assert.h"
#include "server/node/client_state.h"

static void queue_event (struct clients *self, struct client *client, enum watch_kind kind,
                         int type, const char *path, size_t size, zxid_t zxid)
{
    struct buf *out = deliver_begin (self, client);
    if (out != NULL) {
        wire_client_event (out, kind, type, path, size, zxid);
        deliver_end (self, client);
    }
}

int client_watch_set (struct clients *self, struct client *client, enum watch_kind kind,
                      const char *path, size_t size)
{
    if (client->watches >= CLIENT_WATCHES_MAX) {
        return COHORT_ELIMIT;
    }
    size_t before = watches_count (self->watches);
    if (!watches_add (self->watches, client->connection, kind, path, size)) {
        return COHORT_ENOMEM;
    }
    client->watches += watches_count (self->watches) > before;
    return 0;
}

static void fired (void *arg, uint64_t owner, enum watch_kind kind, cohort_event_type_t type,
                   const char *path, size_t path_size, zxid_t zxid)
{
    struct clients *self = arg;
    struct client *client = client_find (self, owner);
    COHORT_ASSERT (client != NULL);
    COHORT_ASSERT (client->watches > 0);
    client->watches--;
    queue_event (self, client, kind, type, path, path_size, zxid);
}

void client_watch_fire (struct clients *self, const struct effect *effect)
{
    if (watches_count (self->watches) > 0) {
        watches_fire (self->watches, effect, fired, self);
    }
}

/* ---- After a reconnect ------------------------------------------------------------------- */

/* Registers what was watched before; or, if what it waited for has happened meanwhile, reports it
 * at once.  false: the client is doomed. */
static bool rearm_watch (struct clients *self, struct client *client,
                         const Cohort__Wire__Watch *watch, zxid_t seen)
{
    enum watch_kind kind = (enum watch_kind) watch->kind;
    size_t size = strlen (watch->path);
    zxid_t zxid = 0;
    if (kind < WATCH_DATA || kind > WATCH_CHILDREN ||
        tree_path_check (self->tree, watch->path, size, false) != 0) {
        client_doom (self, client, COHORT_EPROTOCOL, "a malformed watch");
        return false;
    }
    int type = watch_missed (self->tree, kind, watch->path, size, seen, &zxid);
    if (type != 0) {
        queue_event (self, client, kind, type, watch->path, size, zxid);
        return client->doom_text == NULL;
    }
    int rc = client_watch_set (self, client, kind, watch->path, size);
    if (rc != 0) {
        client_doom (self, client, rc, "too many watches");
    }
    return rc == 0;
}

void client_watch_rearm (struct clients *self, struct client *client,
                         const Cohort__Wire__Rearm *rearm)
{
    for (size_t i = 0; i < rearm->n_watches; i++) {
        if (!rearm_watch (self, client, rearm->watches[i], rearm->last_zxid)) {
            return;
        }
    }
    for (size_t i = 0; i < rearm->n_streams && client->doom_text == NULL; i++) {
        const Cohort__Wire__StreamOpen *open = rearm->streams[i];
        size_t size = strlen (open->path);
        if (open->stream_id == 0 || tree_path_check (self->tree, open->path, size, false) != 0) {
            client_doom (self, client, COHORT_EPROTOCOL, "a malformed stream");
        } else if (feed_room (self, client, open->stream_id) != 0) {
            client_doom (self, client, COHORT_ELIMIT, "too many streams");
        } else {
            feed_open (self, client, open->stream_id, open->path, size, open->from_zxid);
        }
    }
    client_dirty (self, client);
}

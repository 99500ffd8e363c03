/* What is known of time: since when somebody leads, a session is attached where it is, its client
 * was heard, its connection has ended. */

#include "tests/history/facts_state.h"

#include <stdlib.h>

#include "client/base/assert.h"

static void free_attach (struct map_node *node, void *arg)
{
    (void) arg;
    free (map_entry (node, struct fact_attach, node));
}

void facts_forget_times (struct facts *self)
{
    map_drain (&self->attaches, free_attach, NULL);
    map_deinit (&self->attaches);
    free (self->terms);
    free (self->unheard);
}

/* ---- Looking --------------------------------------------------------------------------------- */

static bool any_key (const struct map_node *node, const void *key)
{
    /* The hash is the key. */
    (void) node;
    (void) key;
    return true;
}

static struct fact_attach *find_attach (const struct facts *self, uint64_t session)
{
    struct map_node *node = map_find (&self->attaches, session, any_key, NULL);
    return node != NULL ? map_entry (node, struct fact_attach, node) : NULL;
}

int64_t facts_attached_ms (const struct facts *self, uint64_t session)
{
    const struct fact_attach *attach = find_attach (self, session);
    return attach != NULL ? attach->applied_ms : 0;
}

bool facts_attaches_behind (const struct facts *self, uint64_t session, uint64_t zxid)
{
    const struct fact_attach *attach = find_attach (self, session);
    return attach == NULL || attach->zxid > zxid;
}

uint64_t facts_attached_zxid (const struct facts *self, uint64_t session, uint32_t server)
{
    const struct fact_attach *attach = find_attach (self, session);
    return attach != NULL && attach->server == server ? attach->zxid : 0;
}

int64_t facts_led_ms (const struct facts *self, uint32_t epoch)
{
    for (size_t i = 0; i < self->terms_count; i++) {
        if (self->terms[i].epoch == epoch) {
            return self->terms[i].led_ms;
        }
    }
    return -1;
}

const struct fact_ending *facts_ending (const struct fact_client *client, uint64_t attach_no,
                                        uint32_t server)
{
    for (size_t i = client->endings_count; i-- > 0;) {
        const struct fact_ending *ending = &client->endings[i];
        if (ending->attach_no == attach_no && ending->server == server) {
            return ending;
        }
    }
    return NULL;
}

static size_t find_unheard (const struct facts *self, uint32_t server)
{
    size_t i = 0;
    while (i < self->unheard_count && self->unheard[i] != server) {
        i++;
    }
    return i;
}

bool facts_is_heard (const struct facts *self, uint32_t server)
{
    return find_unheard (self, server) == self->unheard_count;
}

/* ---- Taking in ------------------------------------------------------------------------------- */

void facts_see_led (struct facts *self, uint32_t epoch)
{
    self->led_ms = self->led ? self->led_ms : self->now_ms;
    self->led = true;
    if (epoch != 0 && facts_led_ms (self, epoch) < 0) {
        self->terms = facts_grow (self->terms, self->terms_count, &self->terms_capacity,
                                  sizeof (struct fact_term));
        self->terms[self->terms_count++] = (struct fact_term){epoch, self->now_ms};
    }
}

/* An attach that is in the log again is no other one. */
void facts_see_attach (struct facts *self, const struct history_entry *entry)
{
    const struct model_session *session = self->applied.session;
    if (session == NULL ||
        (entry->kind != HISTORY_ENTRY_SESSION && entry->kind != HISTORY_ENTRY_ATTACH)) {
        return;
    }
    struct fact_attach *attach = find_attach (self, session->id);
    if (attach == NULL) {
        attach = calloc (1, sizeof *attach);
        COHORT_ASSERT (attach != NULL);
        attach->node.hash = session->id;
        map_insert (&self->attaches, &attach->node);
    } else if (attach->attach_no == session->attach_no && attach->server == session->server &&
               attach->incarnation == session->incarnation) {
        return;
    }
    attach->attach_no = session->attach_no;
    attach->incarnation = session->incarnation;
    attach->server = session->server;
    attach->applied_ms = self->now_ms;
    attach->zxid = entry->zxid;
}

/* A client knows its session to be valid from when its heartbeat was sent: for the smaller one of
 * its limits, less a margin (docs/sessions.md). */
int64_t facts_beat_ms (const struct fact_client *client, int64_t until_ms)
{
    enum { MARGIN_MS_MIN = 50 };
    int64_t limit_ms =
        client->grace_ms < client->timeout_ms ? client->grace_ms : client->timeout_ms;
    int64_t margin_ms = limit_ms / 10 > MARGIN_MS_MIN ? limit_ms / 10 : MARGIN_MS_MIN;
    return until_ms - (limit_ms - margin_ms);
}

void facts_see_valid (struct fact_client *client, int64_t until_ms)
{
    client->valid_until_ms = until_ms;
    if (until_ms > 0) {
        client->heard_ms = facts_beat_ms (client, until_ms);
    }
}

void facts_see_ended (struct facts *self, struct fact_client *client,
                      const struct history_ended *ended)
{
    client->endings = facts_grow (client->endings, client->endings_count, &client->endings_capacity,
                                  sizeof (struct fact_ending));
    client->endings[client->endings_count++] =
        (struct fact_ending){ended->attach_no, ended->server, self->now_ms, false};
}

void facts_see_forgot (struct facts *self, uint32_t server)
{
    for (struct map_node *node = map_first (&self->clients); node != NULL;
         node = map_next (&self->clients, node)) {
        struct fact_client *client = map_entry (node, struct fact_client, node);
        for (size_t i = 0; i < client->endings_count; i++) {
            client->endings[i].forgotten |= client->endings[i].server == server;
        }
    }
    if (facts_is_heard (self, server)) {
        self->unheard = facts_grow (self->unheard, self->unheard_count, &self->unheard_capacity,
                                    sizeof *self->unheard);
        self->unheard[self->unheard_count++] = server;
    }
}

void facts_see_heard (struct facts *self, uint32_t server)
{
    size_t i = find_unheard (self, server);
    if (i < self->unheard_count) {
        self->unheard[i] = self->unheard[--self->unheard_count];
    }
}

/* A leader must not take its own absence for that of the clients: who might count on its session
 * when it stopped has as much time left when it goes on. */
void facts_see_stall (struct facts *self, const struct history_stall *stalled)
{
    for (struct map_node *node = map_first (&self->clients); node != NULL;
         node = map_next (&self->clients, node)) {
        struct fact_client *client = map_entry (node, struct fact_client, node);
        int64_t until_ms = client->valid_until_ms;
        if (client->kept_epoch == stalled->epoch && client->kept_until_ms > until_ms) {
            until_ms = client->kept_until_ms;
        }
        if (until_ms > stalled->from_ms) {
            client->kept_epoch = stalled->epoch;
            client->kept_until_ms = self->now_ms + (until_ms - stalled->from_ms);
        }
    }
}

/* client_hello.c: sessions begin, attach, move and end: see client_state.h.
 *
 * CREATE_SESSION and ATTACH are entries: a hello waits until this server applies the outcome of its
 * own, which it knows by nonce and attach number, and is submitted again to each new leader until
 * then.  Both are exactly-once at apply, so repetitions and late outcomes do no harm.
 *
 * An attach whose connection ended before its outcome was applied is dead on arrival: the leader
 * has to hear that too, or the session would live on its silence limit alone.  Such a hello is kept
 * as `forsaken` until its outcome comes. */

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "client/base/mutation.h"
#include "server/node/client_state.h"
#include "server/node/error_text.h"

enum { TEXT_SIZE = 256, ID_TEXT_SIZE = 2 * WIRE_CLIENT_ID_SIZE + 1 };

/* ---- A hello comes in -------------------------------------------------------------------- */

static void id_text (char text[ID_TEXT_SIZE], const uint8_t *id)
{
    for (size_t i = 0; i < WIRE_CLIENT_ID_SIZE; i++) {
        snprintf (text + 2 * i, 3, "%02x", id[i]);
    }
}

/* What is wrong with the greeting: 0, or a code and a text. */
static int check (const struct clients *self, const Cohort__Wire__Hello *hello, char *text)
{
    const uint8_t *cluster = tree_cluster_id (self->tree);
    if (hello->magic != WIRE_CLIENT_MAGIC) {
        snprintf (text, TEXT_SIZE, "this is not Cohort's protocol (magic %08x)",
                  (unsigned) hello->magic);
        return COHORT_EPROTOCOL;
    }
    if (hello->version_min > WIRE_CLIENT_VERSION_MAX ||
        hello->version_max < WIRE_CLIENT_VERSION_MIN) {
        snprintf (text, TEXT_SIZE, "this server speaks versions %d to %d, the client %u to %u",
                  WIRE_CLIENT_VERSION_MIN, WIRE_CLIENT_VERSION_MAX, (unsigned) hello->version_min,
                  (unsigned) hello->version_max);
        return COHORT_EVERSION;
    }
    if (hello->nonce.len != WIRE_CLIENT_ID_SIZE || hello->password.len != WIRE_CLIENT_ID_SIZE ||
        (hello->cluster_id.len != 0 && hello->cluster_id.len != WIRE_CLIENT_ID_SIZE) ||
        hello->attach_no == 0) {
        snprintf (text, TEXT_SIZE, "a malformed hello");
        return COHORT_EPROTOCOL;
    }
    if (cluster != NULL && hello->cluster_id.len != 0 &&
        memcmp (cluster, hello->cluster_id.data, WIRE_CLIENT_ID_SIZE) != 0) {
        char ours[ID_TEXT_SIZE];
        char theirs[ID_TEXT_SIZE];
        id_text (ours, cluster);
        id_text (theirs, hello->cluster_id.data);
        snprintf (text, TEXT_SIZE, "this is cluster %s, the session is of cluster %s", ours,
                  theirs);
        return COHORT_ECLUSTER;
    }
    if (self->gone) {
        snprintf (text, TEXT_SIZE, CLIENTS_LEAVING);
        return COHORT_ECONNECT;
    }
    if (self->quarantined[0] != '\0') {
        snprintf (text, TEXT_SIZE, "%s", self->quarantined);
        return COHORT_ECONNECT;
    }
    if (map_count (&self->hellos) >= self->options.hellos_max) {
        snprintf (text, TEXT_SIZE, "%u clients are already waiting to be attached",
                  (unsigned) self->options.hellos_max);
        return COHORT_ELIMIT;
    }
    return 0;
}

/* Which waiting hello is meant.  through: attach numbers up to it. */
struct hello_key {
    bool creating;
    const uint8_t *nonce; /* NULL: any */
    uint64_t from, through;
};

static bool is_hello (const struct map_node *node, const void *arg)
{
    const struct hello_key *key = arg;
    const struct client *client = map_entry (node, struct client, session_node);
    return client->doom_text == NULL && client->creating == key->creating &&
           client->attach_no >= key->from && client->attach_no <= key->through &&
           (key->nonce == NULL || memcmp (client->nonce, key->nonce, WIRE_CLIENT_ID_SIZE) == 0);
}

static struct client *find_hello (const struct clients *self, uint64_t hash,
                                  const struct hello_key *key)
{
    struct map_node *node = map_find (&self->hellos, hash, is_hello, key);
    return node != NULL ? map_entry (node, struct client, session_node) : NULL;
}

/* By the nonce or by the session that is asked for: strangers choose both. */
static uint64_t hello_hash (const struct clients *self, bool creating, const uint8_t *nonce,
                            uint64_t session)
{
    return creating ? hash64 (nonce, WIRE_CLIENT_ID_SIZE, self->options.hash_seed)
                    : hash64 (&session, sizeof session, self->options.hash_seed);
}

static struct client *client_new (struct clients *self, uint64_t connection,
                                  const Cohort__Wire__Hello *hello)
{
    struct client *client = mem_calloc (1, sizeof *client);
    if (client == NULL) {
        return NULL;
    }
    client->connection = connection;
    client->phase = CLIENT_HELLO;
    client->creating = hello->session_id == 0;
    memcpy (client->nonce, hello->nonce.data, WIRE_CLIENT_ID_SIZE);
    tree_password_hash (hello->password.data, client->password_hash);
    client->session = hello->session_id;
    client->attach_no = hello->attach_no;
    client->incarnation = hello->incarnation != 0 ? hello->incarnation : 1;
    client->timeout_ms = hello->timeout_ms;
    client->grace_ms = hello->grace_ms;
    client->last_zxid = hello->last_zxid;
    client->since_ms = self->now_ms;
    list_init (&client->out);
    list_init (&client->withheld);
    list_init (&client->feeds);
    list_init (&client->missed);
    list_init (&client->waiting);
    client->node.hash = connection;
    client->session_node.hash = hello_hash (self, client->creating, client->nonce, client->session);
    map_insert (&self->connections, &client->node);
    map_insert (&self->hellos, &client->session_node);
    list_push_back (&self->hello_order, &client->hello_node);
    return client;
}

void client_hello (struct clients *self, uint64_t connection, const Cohort__Wire__Hello *hello)
{
    char text[TEXT_SIZE];
    int rc = check (self, hello, text);
    if (rc != 0) {
        connection_refuse (self, connection, rc, text);
        return;
    }
    bool creating = hello->session_id == 0;
    struct hello_key key = {creating, hello->nonce.data, hello->attach_no, hello->attach_no};
    uint64_t hash = hello_hash (self, creating, hello->nonce.data, hello->session_id);
    if (find_hello (self, hash, &key) != NULL) {
        connection_refuse (self, connection, COHORT_EPROTOCOL,
                           "an attempt with this attach number is under way");
        return;
    }
    struct client *client = client_new (self, connection, hello);
    if (client == NULL) {
        connection_refuse (self, connection, COHORT_ENOMEM, "out of memory");
        return;
    }
    client_take_origin (self, client);
    if (self->leader) {
        client_hello_submit (self, client);
    }
    if (self->held[0] != '\0') {
        client_tell_held (self, client);
    }
}

void client_hello_submit (struct clients *self, struct client *client)
{
    struct entry entry = {.level = ENTRY_LEVEL};
    COHORT_ASSERT (client->phase == CLIENT_HELLO);
    COHORT_ASSERT (!client->forsaken);
    if (client->creating) {
        entry.kind = ENTRY_CREATE_SESSION;
        struct entry_create_session *create = &entry.u.create_session;
        memcpy (create->nonce, client->nonce, sizeof create->nonce);
        memcpy (create->password_hash, client->password_hash, sizeof create->password_hash);
        create->timeout_ms = client->timeout_ms;
        create->grace_ms = client->grace_ms;
        create->server = self->options.id;
        create->attach_no = client->attach_no;
        create->origin = client->origin;
        create->origin_size = client->origin_size;
    } else {
        entry.kind = ENTRY_ATTACH;
        struct entry_attach *attach = &entry.u.attach;
        attach->session = client->session;
        memcpy (attach->password_hash, client->password_hash, sizeof attach->password_hash);
        attach->attach_no = client->attach_no;
        attach->incarnation = client->incarnation;
        memcpy (attach->nonce, client->nonce, sizeof attach->nonce);
        attach->server = self->options.id;
        attach->origin = client->origin;
        attach->origin_size = client->origin_size;
    }
    buf_clear (&self->scratch);
    entry_encode (&self->scratch, &entry);
    if (self->scratch.failed) {
        client_doom (self, client, COHORT_ENOMEM, "out of memory");
        return;
    }
    client->submitted = true;
    self->options.host.submit (self->options.host.arg, self->scratch.data, self->scratch.size);
}

void client_forsake (struct clients *self, struct client *client)
{
    COHORT_ASSERT (client->phase == CLIENT_HELLO);
    if (!client->submitted) {
        client_destroy (self, client);
        return;
    }
    map_remove (&self->connections, &client->node);
    list_remove (&client->hello_node);
    list_push_back (&self->forsaken, &client->hello_node);
    deliver_discard (self, client);
    client->forsaken = true;
    client->since_ms = self->now_ms;
}

/* The oldest forsaken hello is the first of its list. */
static struct client *oldest_forsaken (const struct clients *self)
{
    struct list_node *first = list_first (&self->forsaken);
    return first != NULL ? list_entry (first, struct client, hello_node) : NULL;
}

void hellos_expire (struct clients *self)
{
    struct client *client;
    while ((client = oldest_forsaken (self)) != NULL &&
           self->now_ms - client->since_ms >= CLIENTS_FORSAKEN_MS) {
        client_destroy (self, client);
    }
}

int64_t hellos_deadline (const struct clients *self)
{
    const struct client *client = oldest_forsaken (self);
    return client != NULL ? client->since_ms + CLIENTS_FORSAKEN_MS : INT64_MAX;
}

/* ---- Its outcome ------------------------------------------------------------------------- */

/* What one session may have in flight: a share of what is still free, so that the sum of all stays
 * below the server's bound as long as that is possible. */
static uint64_t grant_credit (struct clients *self)
{
    uint64_t bound = self->options.pending_bytes_max;
    uint64_t left = bound > self->credit_granted ? bound - self->credit_granted : 0;
    uint64_t credit = left / 16;
    credit = credit < CLIENTS_CREDIT_MAX ? credit : CLIENTS_CREDIT_MAX;
    credit = credit > CLIENTS_CREDIT_MIN ? credit : CLIENTS_CREDIT_MIN;
    credit = COHORT_MUTATED (credit_without_end) ? bound : credit;
    self->credit_granted += credit;
    return credit;
}

/* Takes the session from an attached client, which ends. */
static void detach (struct clients *self, struct client *client)
{
    COHORT_ASSERT (client->phase == CLIENT_ATTACHED);
    map_remove (&self->sessions, &client->session_node);
    COHORT_ASSERT (self->credit_granted >= client->credit);
    self->credit_granted -= client->credit;
    client->phase = CLIENT_DETACHED;
}

/* An attach other than that of this server's client is current: the client ends.  Its writes are
 * sent again by the session's client, where that is attached now. */
static void supersede (struct clients *self, const struct tree_session *session)
{
    struct client *client = client_of_session (self, session->id);
    if (client != NULL &&
        (session->server != self->options.id || session->attach_no != client->attach_no ||
         session->incarnation != client->incarnation)) {
        detach (self, client);
        client_doom (self, client, COHORT_ESESSIONMOVED, "the session has attached anew");
    }
}

static void welcome (struct clients *self, struct client *client,
                     const struct tree_session *session)
{
    struct buf *out = deliver_begin (self, client);
    if (out == NULL) {
        return;
    }
    struct wire_client_welcome message = {
        .cluster_id = tree_cluster_id (self->tree),
        .session = session->id,
        .timeout_ms = session->timeout_ms,
        .grace_ms = session->grace_ms,
        .last_number = session->last_number,
        .server = self->options.id,
        .attach_no = session->attach_no,
        .credit_bytes = client->credit,
        .silence_ms = self->options.silence_ms,
        .streams_max = CLIENT_STREAMS_MAX,
        .watches_max = self->options.watches_max,
        .limits = tree_limits (self->tree),
    };
    wire_client_welcome (out, &message);
    if (self->held[0] != '\0') {
        /* Why its writes may wait; whoever was here before has been told. */
        wire_client_held (out, self->held);
    }
    deliver_end (self, client);
    logger_write (&self->options.logger, LOG_DEBUG, "session-attached",
                  "session=%llx connection=%llu attach=%llu last-number=%llu",
                  (unsigned long long) session->id, (unsigned long long) client->connection,
                  (unsigned long long) session->attach_no,
                  (unsigned long long) session->last_number);
}

/* The hello is current now: the session is attached here, to it. */
static void attach (struct clients *self, struct client *client, const struct tree_session *session)
{
    COHORT_ASSERT (client->phase == CLIENT_HELLO);
    COHORT_ASSERT (client_of_session (self, session->id) == NULL);
    if (client->forsaken) {
        if (!COHORT_MUTATED (forsaken_unreported)) {
            report_add (self, session->id, session->attach_no);
        }
        client_doom (self, client, 0, "its connection has ended");
        return;
    }
    if (client->last_zxid > tree_zxid (self->tree)) {
        /* This entry is newer than all that the session can have seen of this ensemble. */
        client_doom (self, client, COHORT_ECLUSTER,
                     "the session has seen a history that this ensemble does not have");
        return;
    }
    map_remove (&self->hellos, &client->session_node);
    list_remove (&client->hello_node);
    client->phase = CLIENT_ATTACHED;
    client->session = session->id;
    client->incarnation = session->incarnation;
    client->next_number = session->last_number + 1;
    client->credit = grant_credit (self);
    client->session_node.hash = session->id;
    map_insert (&self->sessions, &client->session_node);
    welcome (self, client, session);
}

static void refuse_all (struct clients *self, uint64_t hash, const struct hello_key *key, int code)
{
    const char *text =
        code == COHORT_EAUTHFAILED ? "the session has another password" : error_text (code);
    struct client *client;
    while ((client = find_hello (self, hash, key)) != NULL) {
        client_doom (self, client, client->forsaken ? 0 : code, text);
    }
}

/* Settles the waiting hellos that the key names, now that the session is what it is: those older
 * than its attach have been overtaken by an attempt of the same client. */
static void settle (struct clients *self, uint64_t hash, struct hello_key key,
                    const struct tree_session *session, bool here)
{
    struct client *client;
    key.through = session->attach_no;
    while ((client = find_hello (self, hash, &key)) != NULL) {
        if (here && client->attach_no == session->attach_no &&
            client_of_session (self, session->id) == NULL) {
            attach (self, client, session);
        } else {
            client_doom (self, client, 0, "overtaken by a newer attempt");
        }
    }
}

void client_hello_outcome (struct clients *self, const struct tree_outcome *outcome)
{
    struct tree_session session;
    bool creation = outcome->kind == ENTRY_CREATE_SESSION;
    bool known = outcome->session != 0 && tree_session (self->tree, outcome->session, &session);
    bool here = outcome->server == self->options.id;
    uint64_t hash = hello_hash (self, creation, outcome->nonce, outcome->session);
    struct hello_key key = {creation, outcome->nonce, 0, UINT64_MAX};
    if (known) {
        supersede (self, &session);
        report_prune (self, &session);
    }
    if (!creation) {
        key.from = key.through = outcome->attach_no;
    }
    if (outcome->code == COHORT_OK) {
        COHORT_ASSERT (known);
        if (creation || here) {
            settle (self, hash, key, &session, here);
        }
    } else if (here || (creation && outcome->code != COHORT_EAUTHFAILED)) {
        if (creation && outcome->code == COHORT_ESESSIONMOVED && known &&
            session.incarnation == 1) {
            key.through = session.attach_no;
        }
        refuse_all (self, hash, &key, outcome->code);
    }
}

void client_session_ended (struct clients *self, const struct tree_outcome *outcome)
{
    struct client *client = client_of_session (self, outcome->session);
    report_remove (self, outcome->session);
    if (client == NULL) {
        return;
    }
    detach (self, client);
    if (outcome->kind == ENTRY_WRITE) {
        /* Its own wish: the reply is all that is left to say. */
        client_doom (self, client, 0, "closed");
    } else {
        client_doom (self, client, COHORT_ESESSIONEXPIRED, "the session has ended");
    }
}

void client_session_killed (struct clients *self, uint64_t session)
{
    struct client *client = client_of_session (self, session);
    report_remove (self, session);
    if (client != NULL) {
        detach (self, client);
        client_doom (self, client, COHORT_ESESSIONEXPIRED,
                     "an administrator has ended the session");
    }
}

/* ---- Reports of dead connections --------------------------------------------------------- */

static bool is_session (const struct map_node *node, const void *key)
{
    (void) node;
    (void) key;
    return true;
}

static struct report *find_report (const struct clients *self, uint64_t session)
{
    struct map_node *node = map_find (&self->reports, session, is_session, NULL);
    return node != NULL ? map_entry (node, struct report, node) : NULL;
}

static void send_report (struct clients *self, const struct report *report)
{
    const struct clients_host *host = &self->options.host;
    host->disconnected (host->arg, report->session, report->attach_no);
}

void report_add (struct clients *self, uint64_t session, uint64_t attach_no)
{
    struct report *report = find_report (self, session);
    if (report == NULL) {
        report = mem_calloc (1, sizeof *report);
        if (report == NULL) {
            return; /* the session ends by its silence limit instead */
        }
        report->session = session;
        report->node.hash = session;
        map_insert (&self->reports, &report->node);
    }
    report->attach_no = attach_no;
    if (self->leader) {
        send_report (self, report);
    }
}

static void free_report (struct clients *self, struct report *report)
{
    map_remove (&self->reports, &report->node);
    mem_free (report);
}

void report_remove (struct clients *self, uint64_t session)
{
    struct report *report = find_report (self, session);
    if (report != NULL) {
        free_report (self, report);
    }
}

void report_prune (struct clients *self, const struct tree_session *session)
{
    struct report *report = find_report (self, session->id);
    if (report != NULL &&
        (session->server != self->options.id || session->attach_no != report->attach_no)) {
        free_report (self, report);
    }
}

void reports_repeat (struct clients *self)
{
    for (struct map_node *node = map_first (&self->reports); node != NULL;
         node = map_next (&self->reports, node)) {
        send_report (self, map_entry (node, struct report, node));
    }
}

static void prune_one (struct map_node *node, void *arg)
{
    struct clients *self = arg;
    struct report *report = map_entry (node, struct report, node);
    struct tree_session session;
    if (!tree_session (self->tree, report->session, &session) || session.dead) {
        free_report (self, report);
    } else {
        report_prune (self, &session);
    }
}

void reports_prune (struct clients *self)
{
    struct map_cursor cursor = {0};
    while (map_scan (&self->reports, &cursor, prune_one, self)) {
    }
}

void reports_clear (struct clients *self)
{
    struct map_node *node;
    while ((node = map_first (&self->reports)) != NULL) {
        free_report (self, map_entry (node, struct report, node));
    }
}

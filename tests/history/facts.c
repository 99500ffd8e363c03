/* What is known of a history so far. */

#include "tests/history/facts_state.h"

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/hash.h"

struct name {
    struct map_node node;
    char path[];
};

/* ---- Life ------------------------------------------------------------------------------------ */

void facts_init (struct facts *self)
{
    memset (self, 0, sizeof *self);
    model_init (&self->model);
    map_init (&self->clients);
    map_init (&self->owners);
    map_init (&self->calls);
    map_init (&self->names);
    map_init (&self->attaches);
}

static void forget_watches (struct fact_client *client)
{
    for (size_t i = 0; i < client->watches_count; i++) {
        free (client->watches[i].path);
    }
    client->watches_count = 0;
}

static void forget_streams (struct fact_client *client)
{
    for (size_t i = 0; i < client->streams_count; i++) {
        free (client->streams[i].path);
        free (client->streams[i].znodes);
    }
    client->streams_count = 0;
}

static void free_client (struct map_node *node, void *arg)
{
    struct fact_client *client = map_entry (node, struct fact_client, node);
    (void) arg;
    forget_watches (client);
    forget_streams (client);
    free (client->watches);
    free (client->streams);
    free (client->endings);
    free (client->asked);
    free (client);
}

static void free_call (struct map_node *node, void *arg)
{
    (void) arg;
    free (map_entry (node, struct fact_call, node));
}

static void free_name (struct map_node *node, void *arg)
{
    (void) arg;
    free (map_entry (node, struct name, node));
}

void facts_deinit (struct facts *self)
{
    map_drain (&self->clients, free_client, NULL);
    map_drain (&self->calls, free_call, NULL);
    map_drain (&self->names, free_name, NULL);
    map_deinit (&self->clients);
    map_deinit (&self->owners);
    map_deinit (&self->calls);
    map_deinit (&self->names);
    facts_forget_times (self);
    model_deinit (&self->model);
}

void *facts_grow (void *items, size_t count, size_t *capacity, size_t size)
{
    if (count == *capacity) {
        *capacity = *capacity > 0 ? 2 * *capacity : 8;
        items = realloc (items, *capacity * size);
        COHORT_ASSERT (items != NULL);
    }
    return items;
}

char *facts_copy (const char *text)
{
    size_t size = strlen (text) + 1;
    char *bytes = malloc (size);
    COHORT_ASSERT (bytes != NULL);
    return memcpy (bytes, text, size);
}

/* ---- Looking --------------------------------------------------------------------------------- */

static bool any_key (const struct map_node *node, const void *key)
{
    /* The hash is the key. */
    (void) node;
    (void) key;
    return true;
}

static struct fact_client *find_client (const struct facts *self, uint32_t number)
{
    struct map_node *node = map_find (&self->clients, number, any_key, NULL);
    return node != NULL ? map_entry (node, struct fact_client, node) : NULL;
}

const struct fact_client *facts_client (const struct facts *self, uint32_t number)
{
    return find_client (self, number);
}

struct owner_key {
    uint64_t session;
    uint32_t incarnation;
};

static uint64_t owner_hash (uint64_t session, uint32_t incarnation)
{
    uint64_t words[] = {session, incarnation};
    return hash64 (words, sizeof words, 0);
}

static bool is_owner (const struct map_node *node, const void *arg)
{
    const struct fact_client *client = map_entry (node, struct fact_client, owner_node);
    const struct owner_key *key = arg;
    return client->session == key->session && client->incarnation == key->incarnation;
}

static struct fact_client *find_owner (const struct facts *self, uint64_t session,
                                       uint32_t incarnation)
{
    struct owner_key key = {session, incarnation};
    struct map_node *node =
        map_find (&self->owners, owner_hash (session, incarnation), is_owner, &key);
    return node != NULL ? map_entry (node, struct fact_client, owner_node) : NULL;
}

const struct fact_client *facts_owner (const struct facts *self, uint64_t session,
                                       uint32_t incarnation)
{
    return find_owner (self, session, incarnation);
}

const struct fact_client *facts_next_owner (const struct facts *self, uint64_t session,
                                            const struct fact_client *before)
{
    struct map_node *node =
        before != NULL ? map_next (&self->clients, &before->node) : map_first (&self->clients);
    for (; node != NULL; node = map_next (&self->clients, node)) {
        const struct fact_client *client = map_entry (node, struct fact_client, node);
        if (session != 0 && client->session == session) {
            return client;
        }
    }
    return NULL;
}

bool facts_has_session (const struct facts *self, const struct fact_client *client)
{
    const struct model_session *session = model_session (&self->model, client->session);
    return session != NULL && !session->dead && session->incarnation == client->incarnation;
}

static struct fact_call *find_call (const struct facts *self, uint64_t id)
{
    struct map_node *node = map_find (&self->calls, id, any_key, NULL);
    return node != NULL ? map_entry (node, struct fact_call, node) : NULL;
}

const struct fact_call *facts_call (const struct facts *self, uint64_t id)
{
    return find_call (self, id);
}

static bool has_path (const struct map_node *node, const void *key)
{
    return strcmp (map_entry (node, struct name, node)->path, key) == 0;
}

bool facts_has_name (const struct facts *self, const char *path)
{
    return map_find (&self->names, hash64 (path, strlen (path), 0), has_path, path) != NULL;
}

uint64_t history_ops_hash (bool multi, const struct history_op *ops, size_t count)
{
    uint64_t hash = multi ? 1 : 0;
    for (size_t i = 0; i < count; i++) {
        const struct history_op *op = &ops[i];
        uint64_t words[] = {(uint64_t) op->kind,
                            op->mode,
                            (uint64_t) op->version,
                            op->zxid,
                            op->session,
                            op->if_absent,
                            (uint64_t) op->ttl_ms,
                            op->limit,
                            (uint64_t) op->delta,
                            (uint64_t) op->floor,
                            (uint64_t) op->ceiling,
                            op->inherited};
        hash = hash64 (words, sizeof words, hash);
        hash = hash64 (op->path, strlen (op->path), hash);
        hash = hash64 (op->value, strlen (op->value), hash);
        if (op->acl != NULL && op->acl[0] != '\0') {
            hash = hash64 (op->acl, strlen (op->acl), hash);
        }
    }
    return hash;
}

bool fact_sets_watch (const struct fact_call *call, const struct history_return *result,
                      enum history_watch_kind *kind)
{
    const struct history_op *op = &call->ops[0];
    if (!op->watch || call->multi) {
        return false;
    }
    *kind = op->kind == HISTORY_GET      ? HISTORY_WATCH_DATA
            : op->kind == HISTORY_EXISTS ? HISTORY_WATCH_EXISTS
                                         : HISTORY_WATCH_CHILDREN;
    return result->code == 0 || (op->kind == HISTORY_EXISTS && result->code == COHORT_ENONODE);
}

bool fact_is_read (const struct fact_call *call)
{
    return call->number == 0 && call->ops[0].kind != HISTORY_SYNC &&
           call->ops[0].kind != HISTORY_UNWATCH;
}

/* What a watch reports of a change; 0: nothing. */
static int event_of (enum history_watch_kind kind, int change)
{
    switch (change) {
    case MODEL_CREATED:
        return kind == HISTORY_WATCH_EXISTS ? COHORT_EVENT_CREATED : 0;
    case MODEL_DELETED:
        return COHORT_EVENT_DELETED;
    case MODEL_DATA:
        return kind != HISTORY_WATCH_CHILDREN ? COHORT_EVENT_CHANGED : 0;
    case MODEL_CHILDREN:
        return kind == HISTORY_WATCH_CHILDREN ? COHORT_EVENT_CHILDREN : 0;
    default:
        return 0; /* lists and owners fire no watch */
    }
}

struct model_who facts_who (const struct facts *self, const struct fact_client *client,
                            uint64_t zxid)
{
    const struct model_session *session = model_session (&self->model, client->session);
    struct model_who who = model_who (&self->model, session, zxid);
    who.identities = session != NULL ? model_origin (session, client->incarnation, zxid) : "";
    return who;
}

static bool may_hear (const struct facts *self, const struct fact_client *client,
                      const struct model_znode *znode, const struct model_version *version)
{
    return client == NULL || version->acl == NULL ||
           fact_may_hear (facts_who (self, client, version->zxid), znode, version);
}

const struct model_version *fact_first_event (const struct facts *self,
                                              const struct fact_client *client,
                                              enum history_watch_kind kind, const char *path,
                                              uint64_t zxid, cohort_event_type_t *type)
{
    const struct model_znode *znode = model_find (&self->model, path);
    if (znode == NULL) {
        return NULL;
    }
    for (size_t i = model_after (znode, zxid); i < znode->versions_count; i++) {
        const struct model_version *version = &znode->versions[i];
        int event = event_of (kind, (int) version->change);
        if (event != 0 && may_hear (self, client, znode, version)) {
            *type = (cohort_event_type_t) event;
            return version;
        }
    }
    return NULL;
}

bool fact_is_removal (cohort_event_type_t type)
{
    return type == COHORT_EVENT_DATA_WATCH_REMOVED || type == COHORT_EVENT_CHILD_WATCH_REMOVED;
}

bool fact_unwatches (const struct history_op *op, const struct fact_watch *watch)
{
    uint32_t type =
        watch->kind == HISTORY_WATCH_CHILDREN ? HISTORY_WATCHER_CHILDREN : HISTORY_WATCHER_DATA;
    return op->kind == HISTORY_UNWATCH && (op->mode & type) != 0 &&
           strcmp (op->path, watch->path) == 0;
}

/* ---- Taking in: calls and answers ------------------------------------------------------------ */

static struct fact_client *need_client (struct facts *self, uint32_t number)
{
    struct fact_client *client = find_client (self, number);
    if (client == NULL) {
        client = calloc (1, sizeof *client);
        COHORT_ASSERT (client != NULL);
        client->number = number;
        client->node.hash = number;
        map_insert (&self->clients, &client->node);
    }
    return client;
}

static const char *put_text (char **end, const char *text)
{
    size_t size = strlen (text) + 1;
    char *copied = memcpy (*end, text, size);
    *end += size;
    return copied;
}

/* With copies of all texts, in one allocation. */
static struct fact_call *new_call (const struct history_call *call)
{
    size_t texts = 0;
    for (size_t i = 0; i < call->count; i++) {
        const struct history_op *op = &call->ops[i];
        texts += strlen (op->path) + strlen (op->value) + 2;
        texts += op->acl != NULL ? strlen (op->acl) + 1 : 0;
        texts += op->after != NULL ? strlen (op->after) + 1 : 0;
    }
    struct fact_call *kept = calloc (1, sizeof *kept + call->count * sizeof *kept->ops + texts);
    COHORT_ASSERT (kept != NULL);
    kept->id = kept->node.hash = call->id;
    kept->number = call->number;
    kept->multi = call->multi;
    kept->count = call->count;
    kept->ops = (struct history_op *) (kept + 1);
    char *text = (char *) (kept->ops + call->count);
    for (size_t i = 0; i < call->count; i++) {
        kept->ops[i] = call->ops[i];
        kept->ops[i].path = put_text (&text, call->ops[i].path);
        kept->ops[i].value = put_text (&text, call->ops[i].value);
        kept->ops[i].acl = call->ops[i].acl != NULL ? put_text (&text, call->ops[i].acl) : NULL;
        kept->ops[i].after =
            call->ops[i].after != NULL ? put_text (&text, call->ops[i].after) : NULL;
    }
    return kept;
}

static void see_call (struct facts *self, struct fact_client *client,
                      const struct history_call *call)
{
    struct fact_call *kept = new_call (call);
    kept->client = client->number;
    kept->order = self->events;
    kept->made_ms = self->now_ms;
    kept->floor = self->told;
    kept->seen = client->seen;
    bool asks = call->ops[0].linearizable;
    bool read = !history_is_write (call->ops[0].kind) && call->ops[0].kind != HISTORY_SYNC;
    kept->linearizable = read && (asks || client->synced);
    kept->sync_order = asks ? kept->order : client->sync_order;
    kept->sync_floor = asks ? kept->floor : client->sync_floor;
    map_insert (&self->calls, &kept->node);
    client->closes |= call->ops[0].kind == HISTORY_CLOSE;
    client->synced = call->ops[0].kind == HISTORY_SYNC;
    client->sync_order = kept->order;
    client->sync_floor = kept->floor;
    if (call->number > 0) {
        client->asked = facts_grow (client->asked, client->asked_count, &client->asked_capacity,
                                    sizeof (uint64_t));
        client->asked[client->asked_count++] =
            history_ops_hash (call->multi, call->ops, call->count);
    }
}

static void add_watch (struct fact_client *client, enum history_watch_kind kind, const char *path,
                       uint64_t zxid)
{
    client->watches = facts_grow (client->watches, client->watches_count, &client->watches_capacity,
                                  sizeof (struct fact_watch));
    client->watches[client->watches_count++] = (struct fact_watch){
        .kind = kind, .path = facts_copy (path), .zxid = zxid, .attaches = client->attaches};
}

static void drop_watch (struct fact_client *client, size_t at)
{
    struct fact_watch *watch = &client->watches[at];
    free (watch->path);
    client->watches_count--;
    memmove (watch, watch + 1, (client->watches_count - at) * sizeof *watch);
}

/* Those that were taken back have told all that they had to tell. */
static void drop_removed (struct fact_client *client)
{
    for (size_t i = client->watches_count; i-- > 0;) {
        if (client->watches[i].removed) {
            drop_watch (client, i);
        }
    }
}

static void add_name (struct facts *self, const char *path)
{
    size_t size = strlen (path) + 1;
    struct name *name = malloc (sizeof *name + size);
    COHORT_ASSERT (name != NULL);
    memcpy (name->path, path, size);
    name->node.hash = hash64 (path, size - 1, 0);
    map_insert (&self->names, &name->node);
}

static void take_names (struct facts *self, const struct fact_call *call,
                        const struct history_return *result)
{
    for (size_t i = 0; i < call->count && i < result->ops_count; i++) {
        const char *path = result->ops[i].path;
        if (call->ops[i].kind == HISTORY_CREATE && (call->ops[i].mode & COHORT_SEQUENTIAL) != 0 &&
            path != NULL && !facts_has_name (self, path)) {
            add_name (self, path);
        }
    }
}

/* Whether the call was answered where it was asked, and not anew on another connection. Whoever has
 * been shown something behind an attach has it from the server of that attach, or a later one:
 * those before end with it. So where nobody sees servers the log says it, if nothing is attached
 * behind what the client had seen when it asked. */
static bool is_answered_there (const struct facts *self, const struct fact_client *client,
                               const struct fact_call *call)
{
    return call->order > client->attach_order &&
           (!self->blind || !facts_attaches_behind (self, client->session, call->seen));
}

static void see_return (struct facts *self, struct fact_client *client,
                        const struct history_return *result)
{
    struct fact_call *call = find_call (self, result->id);
    enum history_watch_kind kind;
    self->told = result->zxid > self->told ? result->zxid : self->told;
    client->seen = result->zxid > client->seen ? result->zxid : client->seen;
    if (call == NULL) {
        return;
    }
    if (result->zxid != 0 && call->made_ms > client->answered_ms) {
        client->answered_ms = call->made_ms;
    }
    if (fact_is_read (call) && result->zxid > client->read &&
        is_answered_there (self, client, call)) {
        client->read = result->zxid;
    }
    if (call->number > 0 && result->zxid > client->written) {
        client->written = result->zxid;
    }
    if (fact_sets_watch (call, result, &kind)) {
        add_watch (client, kind, call->ops[0].path, result->zxid);
    } else if (call->ops[0].kind == HISTORY_UNWATCH) {
        drop_removed (client);
    }
    take_names (self, call, result);
    facts_locate_streams (self, client, call, result->zxid);
    facts_pass_untold (self, client, call, result->zxid);
    map_remove (&self->calls, &call->node);
    free (call);
}

static void see_unknown (struct facts *self, uint64_t id)
{
    struct fact_call *call = find_call (self, id);
    if (call != NULL) {
        map_remove (&self->calls, &call->node);
        free (call);
    }
}

/* ---- Taking in: what clients are told unasked ------------------------------------------------ */

static void see_fired (struct fact_client *client, const struct history_fired *fired)
{
    for (size_t i = 0; i < client->watches_count; i++) {
        struct fact_watch *watch = &client->watches[i];
        if (watch->removed || watch->kind != fired->kind ||
            strcmp (watch->path, fired->path) != 0) {
            continue;
        }
        if (fact_is_removal (fired->type)) {
            watch->removed = true;
        } else {
            drop_watch (client, i);
        }
        break;
    }
    client->seen = fired->zxid > client->seen ? fired->zxid : client->seen;
}

/* ---- Taking in: all -------------------------------------------------------------------------- */

static void see_client (struct facts *self, struct fact_client *client,
                        const struct history_event *event)
{
    switch (event->kind) {
    case HISTORY_SESSION:
        if (client->session == 0) {
            client->session = event->u.session.id;
            client->incarnation = event->u.session.incarnation;
            client->owner_node.hash = owner_hash (client->session, client->incarnation);
            map_insert (&self->owners, &client->owner_node);
        }
        client->timeout_ms = event->u.session.timeout_ms;
        client->grace_ms = event->u.session.grace_ms;
        break;
    case HISTORY_ATTACHED:
        client->server = event->u.server;
        client->attaches++;
        client->attach_order = self->events;
        facts_see_resumed (self, client);
        client->attach_zxid = facts_attached_zxid (self, client->session, event->u.server);
        client->seen = client->streamed > client->seen ? client->streamed : client->seen;
        break;
    case HISTORY_VALID:
        client->beats[client->beats_count++ % FACT_BEATS] =
            (struct fact_beat){client->seen, self->events, self->now_ms};
        facts_see_valid (client, event->u.until_ms);
        break;
    case HISTORY_LOST:
        client->lost = true;
        client->served = false;
        client->valid_until_ms = 0;
        forget_watches (client);
        forget_streams (client);
        break;
    case HISTORY_GONE:
        client->gone = true;
        client->served = false;
        client->gone_ms = event->time_ms;
        client->valid_until_ms = 0;
        forget_watches (client);
        forget_streams (client);
        break;
    case HISTORY_CALL:
        see_call (self, client, &event->u.call);
        break;
    case HISTORY_RETURN:
        see_return (self, client, &event->u.result);
        break;
    case HISTORY_UNKNOWN:
        see_unknown (self, event->u.id);
        break;
    case HISTORY_FIRED:
        see_fired (client, &event->u.fired);
        break;
    case HISTORY_BATCH:
        facts_see_batch (self, client, &event->u.batch);
        break;
    case HISTORY_OPENED:
        facts_see_opened (self, client, &event->u.opened);
        break;
    case HISTORY_CLOSED:
    case HISTORY_REFUSED:
        facts_see_closed (client, event->u.id);
        break;
    case HISTORY_TOLD:
        facts_see_told (self, client, &event->u.told);
        break;
    case HISTORY_SEEN:
        client->seen = event->u.zxid > client->seen ? event->u.zxid : client->seen;
        facts_see_seen (client);
        break;
    case HISTORY_SERVED:
        client->served_ms = client->served ? client->served_ms : event->time_ms;
        client->served = true;
        break;
    case HISTORY_UNSERVED:
        client->served = false;
        break;
    default:
        break;
    }
}

static void see_kill (struct facts *self, const struct history_entry *entry)
{
    if (!self->applied.executed || entry->ops[0].kind != HISTORY_KILL) {
        return;
    }
    const struct model_session *killed = model_session (&self->model, entry->ops[0].session);
    struct fact_client *owner = killed != NULL && killed->killed
                                    ? find_owner (self, killed->id, killed->incarnation)
                                    : NULL;
    if (owner != NULL && owner->killed_ms == 0) {
        owner->killed_ms = self->now_ms;
    }
}

/* Since when each of those that go by themselves ought to be gone. What is gone is forgotten. */
static void see_lapses (struct facts *self)
{
    struct model *model = &self->model;
    size_t kept = 0;
    for (size_t i = 0; i < model->lapses_count; i++) {
        struct model_znode *znode = model->lapses[i];
        bool due = model_lapse_ms (znode) <= model->stamp_ms;
        znode->overdue_ms = !due ? 0 : znode->overdue_ms != 0 ? znode->overdue_ms : self->now_ms;
        znode->lapses = model_at (znode, model->zxid) != NULL;
        if (znode->lapses) {
            model->lapses[kept++] = znode;
        }
    }
    model->lapses_count = kept;
}

void facts_see (struct facts *self, const struct history_event *event)
{
    self->events++;
    self->now_ms = event->time_ms;
    switch (event->kind) {
    case HISTORY_ENTRY:
        self->applied = model_apply (&self->model, &event->u.entry);
        see_kill (self, &event->u.entry);
        see_lapses (self);
        facts_see_attach (self, &event->u.entry);
        break;
    case HISTORY_LED:
        facts_see_led (self, event->u.epoch);
        break;
    case HISTORY_UNLED:
        self->led = false;
        break;
    case HISTORY_ENDED:
        facts_see_ended (self, need_client (self, event->u.ended.client), &event->u.ended);
        break;
    case HISTORY_FORGOT:
        facts_see_forgot (self, event->u.server);
        break;
    case HISTORY_HEARD:
        facts_see_heard (self, event->u.server);
        break;
    case HISTORY_CALM:
        self->calm_ms = self->calm ? self->calm_ms : event->time_ms;
        self->calm = true;
        break;
    case HISTORY_UNCALM:
        self->calm = false;
        break;
    case HISTORY_STALLED:
        facts_see_stall (self, &event->u.stalled);
        break;
    case HISTORY_BLIND:
        self->blind = true;
        break;
    case HISTORY_SETTLED:
        break;
    default:
        see_client (self, need_client (self, event->client), event);
        break;
    }
}

/* client_watch.c: one-shot watches: see client_state.h.
 *
 * The tree's registry knows who watches what; an owner there is a connection.  Watches end with
 * their connection: the session's client registers them again wherever it attaches next. */

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/node/client_state.h"
#include "server/tree/sort.h"

enum {
    SORT_ALL = 1 << 30,
    ORPHANS = 1024 /* watches of clients that are gone, ended in one turn */
};

/* What a client will be told once it has said all that it watched. */
struct missed {
    struct list_node node;
    zxid_t zxid;
    enum watch_kind kind;
    int type;
    size_t size;
    char path[];
};

/* ---- Events ------------------------------------------------------------------------------ */

static void put_event (struct clients *self, struct client *client, enum watch_kind kind, int type,
                       const char *path, size_t size, zxid_t zxid)
{
    struct buf *out = deliver_begin (self, client);
    if (out != NULL) {
        wire_client_event (out, kind, type, path, size, zxid);
        deliver_end (self, client);
    }
}

static void hold_event (struct clients *self, struct client *client, enum watch_kind kind, int type,
                        const char *path, size_t size, zxid_t zxid)
{
    struct missed *missed = mem_alloc (sizeof *missed + size);
    if (missed == NULL) {
        client_doom (self, client, COHORT_ENOMEM, "out of memory");
        return;
    }
    *missed = (struct missed){.zxid = zxid, .kind = kind, .type = type, .size = size};
    memcpy (missed->path, path, size);
    list_push_back (&client->missed, &missed->node);
    client->missed_count++;
}

/* Events come in the order of their zxids.  What was missed is found in any order, and while a
 * client is still telling what it watched, more may happen: all of that is held back until then. */
static void queue_event (struct clients *self, struct client *client, enum watch_kind kind,
                         int type, const char *path, size_t size, zxid_t zxid)
{
    if (client->armed) {
        put_event (self, client, kind, type, path, size, zxid);
    } else {
        hold_event (self, client, kind, type, path, size, zxid);
    }
}

void client_watch_discard (struct client *client)
{
    struct list_node *node;
    while ((node = list_pop_front (&client->missed)) != NULL) {
        mem_free (list_entry (node, struct missed, node));
    }
    client->missed_count = 0;
}

static uint64_t zxid_of (const struct list_node *node)
{
    return list_entry (node, struct missed, node)->zxid;
}

/* Everything that it watched is known. */
static void tell_missed (struct clients *self, struct client *client)
{
    struct sorting sorting;
    if (client->missed_count == 0) {
        return;
    }
    if (!sorting_begin (&sorting, &client->missed, client->missed_count, zxid_of)) {
        client_doom (self, client, COHORT_ENOMEM, "out of memory");
        return;
    }
    while (sorting_step (&sorting, SORT_ALL)) {
    }
    for (struct list_node *at = list_first (&client->missed); at != NULL;
         at = list_next (&client->missed, at)) {
        const struct missed *missed = list_entry (at, struct missed, node);
        put_event (self, client, missed->kind, missed->type, missed->path, missed->size,
                   missed->zxid);
    }
    client_watch_discard (client);
}

/* ---- Watches ----------------------------------------------------------------------------- */

int client_watch_set (struct clients *self, struct client *client, enum watch_kind kind,
                      const char *path, size_t size)
{
    if (client->watches >= self->options.watches_max && !COHORT_MUTATED (watches_unbounded)) {
        return COHORT_ELIMIT;
    }
    size_t before = watches_count (self->watches);
    if (!watches_add (self->watches, client->connection, kind, path, size)) {
        return COHORT_ENOMEM;
    }
    client->watches += watches_count (self->watches) > before;
    self->work += WORK_WATCH;
    return 0;
}

bool client_watch_drop (struct clients *self, struct client *client, uint32_t type,
                        const char *path, size_t size, bool check)
{
    static const struct {
        enum watch_kind kind;
        uint32_t type;
    } kinds[] = {
        {WATCH_DATA, COHORT__WIRE__WATCHER_TYPE__WATCHER_DATA},
        {WATCH_EXISTS, COHORT__WIRE__WATCHER_TYPE__WATCHER_DATA},
        {WATCH_CHILDREN, COHORT__WIRE__WATCHER_TYPE__WATCHER_CHILDREN},
    };
    bool any = false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (type != COHORT__WIRE__WATCHER_TYPE__WATCHER_ANY && type != kinds[i].type) {
            continue;
        }
        if (check) {
            any |= watches_has (self->watches, client->connection, kinds[i].kind, path, size);
        } else if (watches_remove (self->watches, client->connection, kinds[i].kind, path, size)) {
            COHORT_ASSERT (client->watches > 0);
            client->watches--;
            any = true;
        }
    }
    return any;
}

/* Watches of a connection that is no more.  They are nobody's, whatever they hear. */
struct orphans {
    struct list_node node;
    uint64_t connection;
};

/* A client may have had a million of them, and others wait for the end of the turn. */
void client_watch_leave (struct clients *self, struct client *client)
{
    if (client->watches == 0 || !watches_remove_some (self->watches, client->connection, ORPHANS)) {
        return;
    }
    struct orphans *orphans = mem_calloc (1, sizeof *orphans);
    if (orphans == NULL) {
        watches_remove_owner (self->watches, client->connection);
        return;
    }
    orphans->connection = client->connection;
    list_push_back (&self->orphans, &orphans->node);
}

bool orphans_turn (struct clients *self)
{
    struct list_node *first = list_first (&self->orphans);
    if (first == NULL) {
        return false;
    }
    struct orphans *orphans = list_entry (first, struct orphans, node);
    if (!watches_remove_some (self->watches, orphans->connection, ORPHANS)) {
        list_remove (first);
        mem_free (orphans);
    }
    return !list_empty (&self->orphans);
}

void orphans_free (struct clients *self)
{
    struct list_node *node;
    while ((node = list_pop_front (&self->orphans)) != NULL) {
        mem_free (list_entry (node, struct orphans, node));
    }
}

struct firing {
    struct clients *self;
    const struct effect *effect;
};

/* Whether the client may hear of it: of a znode what it may see, of children what it may list. */
static bool may_hear (const struct firing *firing, const struct client *client,
                      cohort_event_type_t type)
{
    const struct tree *tree = firing->self->tree;
    return type == COHORT_EVENT_CHILDREN
               ? tree_effect_listed (tree, client->session, firing->effect)
               : tree_effect_sight (tree, client->session, firing->effect) != TREE_HIDDEN;
}

static void fired (void *arg, uint64_t owner, enum watch_kind kind, cohort_event_type_t type,
                   const char *path, size_t path_size, zxid_t zxid)
{
    const struct firing *firing = arg;
    struct clients *self = firing->self;
    struct client *client = client_find (self, owner);
    self->told++;
    if (client == NULL) {
        COHORT_ASSERT (!list_empty (&self->orphans));
        return;
    }
    COHORT_ASSERT (client->watches > 0);
    client->watches--;
    if (!may_hear (firing, client, type) && !COHORT_MUTATED (hidden_watch_fires)) {
        /* It waits on, for what the client may see. */
        if (!COHORT_MUTATED (hidden_watch_lost) &&
            client_watch_set (self, client, kind, path, path_size) != 0) {
            client_doom (self, client, COHORT_ENOMEM, "out of memory");
        }
        return;
    }
    queue_event (self, client, kind, type, path, path_size, zxid);
}

void client_watch_fire (struct clients *self, const struct effect *effect)
{
    if (watches_count (self->watches) > 0) {
        struct firing firing = {self, effect};
        watches_fire (self->watches, effect, fired, &firing);
    }
}

/* ---- After a reconnect ------------------------------------------------------------------- */

/* Registers what was watched before; or, if what it waited for has happened meanwhile, will report
 * it.  false: the client is doomed. */
static bool rearm_watch (struct clients *self, struct client *client,
                         const Cohort__Wire__Watch *watch, zxid_t seen)
{
    enum watch_kind kind = (enum watch_kind) watch->kind;
    const char *path = (const char *) watch->path.data;
    size_t size = watch->path.len;
    zxid_t zxid = 0;
    if (kind < WATCH_DATA || kind > WATCH_CHILDREN ||
        tree_path_check (self->tree, path, size, false) != 0) {
        client_doom (self, client, COHORT_EPROTOCOL, "a malformed watch");
        return false;
    }
    int type = watch_missed (self->tree, kind, path, size, seen + COHORT_MUTATED (watch_misses_one),
                             &self->looks, &zxid);
    enum tree_sight wanted = kind == WATCH_CHILDREN ? TREE_WHOLE : TREE_BARE;
    if (tree_permit (self->tree, client->session, wanted, path, size) == COHORT_ENOAUTH) {
        /* Whatever is there: for this client it has gone, and it need not wait for ever. */
        type = COHORT_EVENT_DELETED;
        zxid = tree_zxid (self->tree);
    }
    if (client->watches + client->missed_count >= self->options.watches_max &&
        !COHORT_MUTATED (missed_unbounded)) {
        client_doom (self, client, COHORT_ELIMIT, "too many watches");
        return false;
    }
    if (type != 0 && !COHORT_MUTATED (missed_watch_lost)) {
        queue_event (self, client, kind, type, path, size, zxid);
        return client->doom_text == NULL;
    }
    int rc = client_watch_set (self, client, kind, path, size);
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
        struct feed_request wanted = {
            open->stream_id, (const char *) open->path.data, open->path.len,
            open->from_zxid + COHORT_MUTATED (stream_misses_one), open->flags};
        if (feed_check (self, &wanted) != 0) {
            client_doom (self, client, COHORT_EPROTOCOL, "a malformed stream");
        } else if (feed_room (self, client, open->stream_id) != 0) {
            client_doom (self, client, COHORT_ELIMIT, "too many streams");
        } else {
            feed_open (self, client, &wanted);
        }
    }
    if (!rearm->more && client->doom_text == NULL) {
        tell_missed (self, client);
    }
    client_dirty (self, client);
}

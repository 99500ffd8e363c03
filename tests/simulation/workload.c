/* What the clients of a simulated world ask for.
 *
 * Each session pipelines writes to a key of its own. Besides, all of them share, and fight for,
 *
 *      /rN-W    registers, the first of them a counter: set, compared and set, deleted, read
 *               behind a sync or linearizable, watched
 *      /d-W     folders: sequential children, listed, watched, taken away
 *      /lock-W  ephemerals, which multis name as their condition
 *      /mN      created and deleted by multis, as often as not in vain
 *      /box-W, /tN-W, /tree-W: workload_lives.c
 *      /v-W     workload_veils.c
 *      /aN-W, /quota-W, and several of all these at once: workload_rights.c
 *
 * and read them in other ways, too (workload_reads.c).
 *
 * W changes every few seconds, so that each of them has a history short enough to be searched. What
 * they are told is recorded (record.c), and judged there. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/src/requests.h"
#include "client/src/watches.h"
#include "tests/simulation/workload.h"

enum { WINDOW_MS = 2000, WATCHES_MAX = 8, COUNTER = 0, SUM_MAX = 12, HIDING = 7, ONLOOKERS = 8 };

uint64_t window_of (const struct world *self)
{
    return (uint64_t) self->schedule.now_ms / WINDOW_MS;
}

const char *path_of (char path[PATH_SIZE], const char *prefix, size_t index, uint64_t window)
{
    (void) snprintf (path, PATH_SIZE, "%s%zu-%" PRIu64, prefix, index, window);
    return path;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

void submit (struct world *self, struct sim_client *client, struct request *request,
             const struct purpose *purpose)
{
    struct purpose *kept = malloc (sizeof *kept);
    COHORT_ASSERT (request != NULL);
    COHORT_ASSERT (kept != NULL);
    *kept = *purpose;
    list_push_back (&client->purposes, &kept->node);
    request->arg = kept;
    client->outstanding++;
    session_submit (client->session, request, client_now_ms (self, client));
    kept->call = record_call (self, client, request);
}

struct request *request_of (enum wire_kind kind, const char *path, const char *value, uint32_t mode,
                            int32_t version)
{
    struct request *request =
        request_new (kind, "", path, value, value != NULL ? strlen (value) : 0);
    COHORT_ASSERT (request != NULL);
    request->wire.op.mode = mode;
    request->wire.op.version = version;
    return request;
}

void ask_for (struct world *self, struct sim_client *client, enum wire_kind kind, const char *path,
              const char *value, uint32_t mode)
{
    submit (self, client, request_of (kind, path, value, mode, COHORT_ANY_VERSION),
            &(struct purpose){.what = NOTHING});
}

struct request *workload_watching (struct sim_client *client, enum wire_kind kind, const char *path,
                                   bool watched)
{
    struct request *request = request_of (kind, path, NULL, 0, 0);
    enum wire_watch_kind watch = kind == WIRE_GET      ? WIRE_WATCH_DATA
                                 : kind == WIRE_EXISTS ? WIRE_WATCH_EXISTS
                                                       : WIRE_WATCH_CHILDREN;
    if (watched && client->watches < WATCHES_MAX) {
        client->watches++;
        request->wire.op.watch = true;
        request->watch = watch_new (watch, "", path, NULL, NULL);
        COHORT_ASSERT (request->watch != NULL);
    }
    return request;
}

uint64_t workload_session (struct world *self, struct sim_client *client)
{
    const struct sim_client *other =
        &self->clients[prng_below (&client->prng, self->clients_count)];
    return other->has_identity ? other->identity.id : 0;
}

/* ---- The key of its own ---------------------------------------------------------------------- */

static void set_own (struct world *self, struct sim_client *client, bool fresh)
{
    char value[VALUE_SIZE];
    bool made = client->own_value > 0;
    (void) snprintf (value, sizeof value, "%" PRIu64, client->own_value++);
    submit (self, client,
            request_of (made ? WIRE_SET : WIRE_CREATE, client->own, value, 0, COHORT_ANY_VERSION),
            &(struct purpose){.fresh = fresh});
}

static void write_own (struct world *self, struct sim_client *client)
{
    set_own (self, client, false);
}

static void read_own (struct world *self, struct sim_client *client)
{
    submit (self, client, workload_watching (client, WIRE_GET, client->own, false),
            &(struct purpose){.what = NOTHING});
}

void workload_fresh (struct world *self, struct sim_client *client)
{
    set_own (self, client, true);
}

/* ---- Registers ------------------------------------------------------------------------------- */

static size_t some_register (struct sim_client *client)
{
    return prng_below (&client->prng, SIM_REGISTERS);
}

static void submit_register (struct world *self, struct sim_client *client, struct request *request,
                             size_t index, const char *value)
{
    struct purpose purpose = {.what = REGISTER, .index = index, .window = window_of (self)};
    (void) snprintf (purpose.value, sizeof purpose.value, "%s", value != NULL ? value : "");
    submit (self, client, request, &purpose);
}

/* Nobody else writes the same. */
static void new_value (struct world *self, struct sim_client *client, char value[VALUE_SIZE])
{
    (void) snprintf (value, VALUE_SIZE, "%zu.%" PRIu64, (size_t) (client - self->clients),
                     ++client->values);
}

static void read_register (struct world *self, struct sim_client *client, enum wire_kind kind,
                           size_t index, bool watched)
{
    char path[PATH_SIZE];
    path_of (path, "/r", index, window_of (self));
    submit_register (self, client, workload_watching (client, kind, path, watched), index, NULL);
}

static void get_register (struct world *self, struct sim_client *client)
{
    read_register (self, client, WIRE_GET, some_register (client), false);
}

static void watch_register (struct world *self, struct sim_client *client)
{
    bool exists = prng_chance (&client->prng, 1, 2);
    read_register (self, client, exists ? WIRE_EXISTS : WIRE_GET, some_register (client), true);
}

/* Linearizable: behind a sync, or by itself. */
static void get_current_register (struct world *self, struct sim_client *client)
{
    if (prng_chance (&client->prng, 1, 2)) {
        ask_for (self, client, WIRE_SYNC, NULL, NULL, 0);
        get_register (self, client);
        return;
    }
    char path[PATH_SIZE];
    size_t index = some_register (client);
    path_of (path, "/r", index, window_of (self));
    struct request *request = workload_watching (client, WIRE_GET, path, false);
    request->wire.op.linearizable = true;
    submit_register (self, client, request, index, NULL);
}

static void set_register (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE], value[VALUE_SIZE];
    size_t index = 1 + prng_below (&client->prng, SIM_REGISTERS - 1);
    new_value (self, client, value);
    path_of (path, "/r", index, window_of (self));
    submit_register (self, client, request_of (WIRE_SET, path, value, 0, COHORT_ANY_VERSION), index,
                     value);
}

static void create_register (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE], value[VALUE_SIZE] = "0";
    size_t index = some_register (client);
    if (index != COUNTER) {
        new_value (self, client, value);
    }
    path_of (path, "/r", index, window_of (self));
    submit_register (self, client, request_of (WIRE_CREATE, path, value, 0, 0), index, value);
}

/* Whoever comes first makes it, and the others are told that it is there. */
static void need_register (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE], value[VALUE_SIZE] = "0";
    size_t index = some_register (client);
    if (index != COUNTER) {
        new_value (self, client, value);
    }
    struct request *request =
        request_of (WIRE_CREATE, path_of (path, "/r", index, window_of (self)), value, 0, 0);
    request->wire.op.if_absent = true;
    submit (self, client, request, &(struct purpose){.what = NOTHING});
}

/* Most often of the counter, and up to its ceiling. */
static void add_register (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    size_t index = prng_chance (&client->prng, 5, 6) ? COUNTER : some_register (client);
    struct request *request =
        request_of (WIRE_ADD, path_of (path, "/r", index, window_of (self)), NULL, 0, 0);
    request->wire.op.delta = (int64_t) prng_below (&client->prng, 8) - 2;
    request->wire.op.floor = 0;
    request->wire.op.ceiling = SUM_MAX;
    submit (self, client, request, &(struct purpose){.what = NOTHING});
}

static void delete_register (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    size_t index = 1 + prng_below (&client->prng, SIM_REGISTERS - 1);
    path_of (path, "/r", index, window_of (self));
    int32_t version = prng_chance (&client->prng, 1, 3) ? (int32_t) prng_below (&client->prng, 3)
                                                        : COHORT_ANY_VERSION;
    struct request *request = request_of (WIRE_DELETE, path, NULL, 0, version);
    request->wire.op.if_present = prng_chance (&client->prng, 1, 3);
    submit_register (self, client, request, index, NULL);
}

/* Compare and set; the counter counts. Who does not know what there is looks first. */
static void swap_register (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE], value[VALUE_SIZE];
    size_t index = some_register (client);
    const struct sim_register *known = &client->registers[index];
    if (known->window != window_of (self) || known->version < 0) {
        read_register (self, client, WIRE_GET, index, false);
        return;
    }
    new_value (self, client, value);
    if (index == COUNTER) {
        (void) snprintf (value, sizeof value, "%" PRIu64, known->count + 1);
    }
    path_of (path, "/r", index, known->window);
    submit_register (self, client, request_of (WIRE_SET, path, value, 0, known->version), index,
                     value);
}

static void learn_register (struct sim_client *client, const struct purpose *purpose,
                            const struct request *request)
{
    struct sim_register *known = &client->registers[purpose->index];
    const struct wire_reply *reply = request->reply;
    bool get = request->wire.op.kind == WIRE_GET;
    if (known->window != purpose->window) {
        *known = (struct sim_register){.window = purpose->window, .version = -1};
    }
    if (request->rc != 0) {
        known->version = -1; /* look again */
    } else if (reply->stat != NULL && (get || purpose->value[0] != '\0')) {
        char text[VALUE_SIZE] = "";
        if (get) {
            memcpy (text, reply->data, reply->size < VALUE_SIZE - 1 ? reply->size : VALUE_SIZE - 1);
        }
        known->version = reply->stat->version;
        known->count = strtoull (get ? text : purpose->value, NULL, 10);
    }
}

/* ---- Folders --------------------------------------------------------------------------------- */

static void make_folder (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    ask_for (self, client, WIRE_CREATE, path_of (path, "/d", 0, window_of (self)), "", 0);
}

static void add_child (struct world *self, struct sim_client *client)
{
    char folder[PATH_SIZE], path[2 * PATH_SIZE];
    path_of (folder, "/d", 0, window_of (self));
    (void) snprintf (path, sizeof path, "%s/q-", folder);
    submit (self, client, request_of (WIRE_CREATE, path, "", COHORT_SEQUENTIAL, 0),
            &(struct purpose){.what = CHILD});
}

static void remove_child (struct world *self, struct sim_client *client)
{
    if (client->child[0] != '\0') {
        ask_for (self, client, WIRE_DELETE, client->child, NULL, 0);
        client->child[0] = '\0';
    }
}

static void list_folder (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    path_of (path, "/d", 0, window_of (self));
    submit (self, client,
            workload_watching (client, WIRE_CHILDREN, path, prng_chance (&client->prng, 1, 2)),
            &(struct purpose){.what = NOTHING});
}

/* ---- Ephemerals ------------------------------------------------------------------------------ */

static void create_ephemeral (struct world *self, struct sim_client *client)
{
    ask_for (self, client, WIRE_CREATE, "/e-", "", COHORT_EPHEMERAL | COHORT_SEQUENTIAL);
}

static void lock (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    path_of (path, "/lock", 0, window_of (self));
    submit (self, client, request_of (WIRE_CREATE, path, "", COHORT_EPHEMERAL, 0),
            &(struct purpose){.what = LOCK, .window = window_of (self)});
}

static void unlock (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    if (client->lock_window == window_of (self)) {
        ask_for (self, client, WIRE_DELETE, path_of (path, "/lock", 0, client->lock_window), NULL,
                 0);
    }
}

static void watch_lock (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    path_of (path, "/lock", 0, window_of (self));
    submit (self, client, workload_watching (client, WIRE_EXISTS, path, true),
            &(struct purpose){.what = NOTHING});
}

/* ---- Multis ---------------------------------------------------------------------------------- */

/* Of its own key: mostly the one that it has, or any, and now and then the one before or behind. */
static int32_t some_version (struct sim_client *client)
{
    int32_t version = (int32_t) client->own_value - 1;
    uint64_t dice = prng_below (&client->prng, 8);
    return dice < 4    ? COHORT_ANY_VERSION
           : dice == 4 ? version + 1
           : dice == 5 ? version + (version > 0 ? -1 : 0)
                       : version;
}

/* A condition that holds or does not, a creation, and as often as not a deletion, in any order: all
 * of it or nothing. */
static void submit_multi (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE], lock_path[PATH_SIZE];
    struct session_view view;
    session_view (client->session, &view);
    (void) snprintf (path, sizeof path, "/m%" PRIu64, prng_below (&client->prng, 4));
    path_of (lock_path, "/lock", 0, client->lock_window);
    uint64_t another = workload_session (self, client);
    bool own = another == 0 || prng_chance (&client->prng, 2, 3);
    struct wire_op conditions[] = {
        {.kind = WIRE_CHECK, .path = client->own, .version = some_version (client)},
        {.kind = WIRE_CHECK, .path = "/none", .version = COHORT_ANY_VERSION},
        {.kind = WIRE_CHECK_CZXID, .path = lock_path, .zxid = client->lock_zxid},
        {.kind = WIRE_CHECK_OWNER,
         .path = lock_path,
         .session = own ? view.id : another,
         .zxid = client->lock_zxid},
        {.kind = WIRE_CHECK_ABSENT, .path = path},
        {.kind = WIRE_CHECK_ABSENT, .path = "/none"},
    };
    struct wire_op ops[] = {
        conditions[prng_below (&client->prng, sizeof conditions / sizeof conditions[0])],
        {.kind = WIRE_CREATE, .path = path},
        {.kind = WIRE_DELETE,
         .path = path,
         .version = COHORT_ANY_VERSION,
         .if_present = prng_chance (&client->prng, 1, 4)},
    };
    size_t first = prng_below (&client->prng, 2), second = first + 1;
    struct wire_op other = ops[first];
    ops[first] = ops[second];
    ops[second] = other;
    submit (self, client,
            request_new_multi (WIRE_MULTI, "", ops, 2 + prng_below (&client->prng, 2)),
            &(struct purpose){.what = NOTHING});
}

static void clear_multi (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    (void) snprintf (path, sizeof path, "/m%" PRIu64, prng_below (&client->prng, 4));
    ask_for (self, client, WIRE_DELETE, path, NULL, 0);
}

/* ---- All ------------------------------------------------------------------------------------- */

struct ask {
    unsigned weight; /* of a hundred together */
    ask_fn *ask;
};

static ask_fn *draw_ask (struct sim_client *client, const struct ask *asks)
{
    uint64_t dice = prng_below (&client->prng, 100);
    while (dice >= asks->weight) {
        dice -= asks->weight;
        asks++;
    }
    return asks->ask;
}

/* For a while at a time a client only reads: behind writes that have not come about for want of a
 * quorum nothing could be read that is too old.  A few never do anything else, nor ask for what is
 * current: they notice how long a server without a quorum answers. */
void workload_ask (struct world *self, struct sim_client *client)
{
    static const struct ask asks[] = {
        {11, write_own},     {4, read_own},         {10, swap_register},
        {4, set_register},   {3, create_register},  {1, delete_register},
        {4, get_register},   {4, watch_register},   {5, get_current_register},
        {1, make_folder},    {3, add_child},        {2, remove_child},
        {4, list_folder},    {3, create_ephemeral}, {2, lock},
        {1, unlock},         {1, watch_lock},       {4, submit_multi},
        {1, clear_multi},    {2, need_register},    {3, add_register},
        {7, workload_live},  {2, follower_change},  {7, workload_look},
        {7, workload_claim}, {1, workload_give},    {3, workload_several},
    };
    static const struct ask reads[] = {{15, read_own},
                                       {15, get_register},
                                       {45, get_current_register},
                                       {15, list_folder},
                                       {10, workload_look}};
    static const struct ask looks[] = {{60, get_register}, {40, list_folder}};
    uint64_t number = (uint64_t) (client - self->clients);
    bool hides = workload_veils (self) && prng_chance (&client->prng, 1, HIDING);
    bool only_reads = world_draw (self, SIM_DRAW_MOOD, number, window_of (self), 0) % 3 == 0;
    bool looks_on = world_draw (self, SIM_DRAW_MOOD, number, 0, 1) % ONLOOKERS == 0;
    self->requests++;
    ask_fn *ask = looks_on ? draw_ask (client, looks)
                  : hides  ? workload_hide
                           : draw_ask (client, only_reads ? reads : asks);
    ask (self, client);
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* Where to go on. */
static void keep_next (char *next, size_t size, const struct request *request)
{
    const char *name = request->rc == 0 ? request->reply->more->next : "";
    (void) snprintf (next, size, "%s", strlen (name) < size ? name : "");
}

static void learn (struct sim_client *client, const struct purpose *purpose,
                   const struct request *request)
{
    switch (purpose->what) {
    case REGISTER:
        learn_register (client, purpose, request);
        break;
    case LOCK:
        if (request->rc == 0) {
            client->lock_window = purpose->window;
            client->lock_zxid = request->reply->stat->czxid;
        }
        break;
    case PROOF:
        if (request->rc == 0) {
            workload_proven (client, purpose->index);
        }
        break;
    case CHILD:
        if (request->rc == 0) {
            (void) snprintf (client->child, sizeof client->child, "%s", request->reply->path);
        }
        break;
    case PAGE:
        keep_next (client->page_next, sizeof client->page_next, request);
        break;
    case OWNED:
        keep_next (client->owned_next, sizeof client->owned_next, request);
        break;
    case NOTHING:
        break;
    }
}

static void count (struct world *self, const struct request *request)
{
    if (wire_is_write (request->wire.op.kind)) {
        self->writes_acked++;
    } else {
        self->reads++;
    }
}

/* What was set with it: on success, and exists also without. */
static bool sets_watch (const struct request *request)
{
    return request->rc == 0 ||
           (request->wire.op.kind == WIRE_EXISTS && request->rc == COHORT_ENONODE);
}

void workload_answered (struct world *self, struct sim_client *client, struct request *request)
{
    struct purpose *purpose = request->arg;
    bool sequential =
        request->wire.op.kind == WIRE_CREATE && (request->wire.op.mode & COHORT_SEQUENTIAL) != 0;

    list_remove (&purpose->node);
    request->arg = NULL;
    COHORT_ASSERT (client->outstanding > 0);
    client->outstanding--;
    if (request->wire.op.watch && !sets_watch (request)) {
        client->watches--;
    }
    if (request->rc == COHORT_ESESSIONEXPIRED ||
        (request->rc == COHORT_ECLOSING && client->closing)) {
        record_unknown (self, client, purpose->call);
    } else {
        if (request->reply == NULL) {
            world_fail (self, "%s is refused with %s",
                        request->wire.op.path != NULL ? request->wire.op.path : "a request",
                        cohort_error_name (request->rc));
        }
        if (request->rc == COHORT_EQUOTA && !workload_quota_named (request)) {
            world_fail (self, "%s is over the quota of \"%s\"",
                        request->wire.op.path != NULL ? request->wire.op.path : "a multi",
                        request->reply->more->quota_path);
        }
        check_answer (self, request->reply->zxid,
                      sequential && request->rc == 0 ? request->reply->path : NULL);
        record_return (self, client, purpose->call, request);
        count (self, request);
        learn (client, purpose, request);
        if (purpose->fresh && request->rc == 0) {
            client->fresh_due = false;
        }
    }
    free (purpose);
}

void workload_watch (struct world *self, struct sim_client *client, const struct watch *watch)
{
    COHORT_ASSERT (client->watches > 0);
    client->watches--;
    record_watch (self, client, watch);
}

void workload_kill (struct world *self, struct sim_client *client, uint64_t session)
{
    struct request *request = request_of (WIRE_KILL, NULL, NULL, 0, 0);
    request->wire.op.session = session;
    submit (self, client, request, &(struct purpose){.what = NOTHING});
}

void workload_begin (struct world *self, struct sim_client *client)
{
    list_init (&client->purposes);
    client->outstanding = 0;
    client->watches = 0;
    workload_renew (self, client);
}

void workload_renew (struct world *self, struct sim_client *client)
{
    (void) snprintf (client->own, sizeof client->own, "/k%zu-%" PRIu64,
                     (size_t) (client - self->clients), ++client->sessions);
    client->own_value = 0;
    client->child[0] = client->page_next[0] = client->owned_next[0] = '\0';
    client->lock_zxid = client->lock_window = 0;
    memset (client->registers, 0, sizeof client->registers);
    record_client (self, client);
    follower_forget (client);
}

void workload_end (struct sim_client *client)
{
    struct list_node *node;
    while ((node = list_pop_front (&client->purposes)) != NULL) {
        free (list_entry (node, struct purpose, node));
    }
}

/* What a cluster looks like to somebody who sees all of it, and remembers. */

#include "tests/simulation/ghost.h"

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/hash.h"

enum { PENDING_MAX = 1 << 20 };

struct name {
    struct map_node node;
    char path[];
};

/* ---- Life ------------------------------------------------------------------------------------ */

void ghost_init (struct ghost *self)
{
    memset (self, 0, sizeof *self);
    for (uint32_t id = 1; id <= GHOST_ID_MAX; id++) {
        ring_init (&self->servers[id].pending, sizeof (struct ghost_persist), PENDING_MAX);
    }
    map_init (&self->digests);
    map_init (&self->names);
}

static void drop_pending (struct ghost_server *server)
{
    while (!ring_empty (&server->pending)) {
        free (((struct ghost_persist *) ring_front (&server->pending))->points);
        ring_pop (&server->pending);
    }
}

static void free_digest (struct map_node *node, void *arg)
{
    (void) arg;
    free (map_entry (node, struct ghost_digest, node));
}

static void free_name (struct map_node *node, void *arg)
{
    (void) arg;
    free (map_entry (node, struct name, node));
}

void ghost_deinit (struct ghost *self)
{
    for (uint32_t id = 1; id <= GHOST_ID_MAX; id++) {
        struct ghost_server *server = &self->servers[id];
        drop_pending (server);
        ring_deinit (&server->pending);
        shadow_deinit (&server->log);
        shadow_deinit (&server->durable);
        shadow_deinit (&server->had);
    }
    for (size_t i = 0; i < self->epochs_count; i++) {
        shadow_deinit (&self->epochs[i].broadcast);
    }
    free (self->epochs);
    shadow_deinit (&self->committed);
    map_drain (&self->digests, free_digest, NULL);
    map_drain (&self->names, free_name, NULL);
    map_deinit (&self->digests);
    map_deinit (&self->names);
}

/* ---- Looking --------------------------------------------------------------------------------- */

/* Where the epoch is, or should be. */
static size_t epoch_index (const struct ghost *self, uint32_t epoch)
{
    size_t at = self->epochs_count;
    while (at > 0 && self->epochs[at - 1].epoch >= epoch) {
        at--;
    }
    return at;
}

const struct ghost_epoch *ghost_epoch (const struct ghost *self, uint32_t epoch)
{
    size_t at = epoch_index (self, epoch);
    return at < self->epochs_count && self->epochs[at].epoch == epoch ? &self->epochs[at] : NULL;
}

static bool any_key (const struct map_node *node, const void *key)
{
    /* The hash is the zxid. */
    (void) node;
    (void) key;
    return true;
}

const struct ghost_digest *ghost_digest (const struct ghost *self, zxid_t zxid)
{
    struct map_node *node = map_find (&self->digests, zxid, any_key, NULL);
    return node != NULL ? map_entry (node, struct ghost_digest, node) : NULL;
}

static bool has_path (const struct map_node *node, const void *key)
{
    return strcmp (map_entry (node, struct name, node)->path, key) == 0;
}

bool ghost_has_name (const struct ghost *self, const char *name)
{
    return map_find (&self->names, hash64 (name, strlen (name), 0), has_path, name) != NULL;
}

/* What a disk has lost since it was acknowledged counts as long as its server knows, or as another
 * store is listed than it has now: it makes up no quorum without those who have it (docs/zab.md,
 * sections 9 and 12). */
static bool holds (const struct ghost_server *server, uint64_t store_id, struct zab_point point)
{
    bool lost = server->store_id != store_id || server->trust != ZAB_WHOLE;
    return (server->store_id == store_id && shadow_covers (&server->durable, point)) ||
           (lost && server->had_store_id == store_id && shadow_covers (&server->had, point));
}

static bool majority_holds (const struct ghost *self, const struct config *config,
                            struct zab_point point)
{
    size_t voters = 0, holders = 0;
    for (size_t i = 0; i < config->count; i++) {
        const struct config_member *member = &config->members[i];
        if (member->role != CONFIG_VOTER) {
            continue;
        }
        COHORT_ASSERT (member->id <= GHOST_ID_MAX);
        const struct ghost_server *server = &self->servers[member->id];
        voters++;
        holders += holds (server, member->store_id, point);
    }
    return 2 * holders > voters;
}

bool ghost_quorum_holds (const struct ghost *self, struct zab_point point)
{
    for (size_t i = 0; i < self->configs.count; i++) {
        if (!majority_holds (self, &self->configs.configs[i], point)) {
            return false;
        }
    }
    return self->configs.count > 0;
}

/* What is asked of a quorum of one leader's. */
struct question {
    uint32_t leader;
    uint32_t epoch;
    uint64_t round; /* 0: it is the promise of the epoch */
};

static bool has_answered (const struct ghost_server *server, const struct config_member *member,
                          const struct question *question)
{
    const struct ghost_answer *answer = question->round != 0 ? &server->answers[question->leader]
                                                             : &server->promises[question->leader];
    bool matches = question->round != 0
                       ? answer->epoch == question->epoch && answer->round >= question->round
                       : answer->epoch >= question->epoch;
    return member->id == question->leader ||
           (matches && (answer->listed || answer->store_id == member->store_id));
}

static bool quorum_answered (const struct ghost *self, const struct question *question)
{
    for (size_t i = 0; i < self->configs.count; i++) {
        const struct config *config = &self->configs.configs[i];
        size_t voters = 0, answers = 0;
        for (size_t k = 0; k < config->count; k++) {
            const struct config_member *member = &config->members[k];
            if (member->role == CONFIG_VOTER) {
                voters++;
                answers += has_answered (&self->servers[member->id], member, question);
            }
        }
        if (2 * answers <= voters) {
            return false;
        }
    }
    return self->configs.count > 0;
}

bool ghost_quorum_answered (const struct ghost *self, uint32_t leader, uint32_t epoch,
                            uint64_t round)
{
    COHORT_ASSERT (round > 0);
    return quorum_answered (self, &(struct question){leader, epoch, round});
}

bool ghost_quorum_promised (const struct ghost *self, uint32_t leader, uint32_t epoch)
{
    return quorum_answered (self, &(struct question){leader, epoch, 0});
}

uint32_t ghost_vote_epoch (const struct ghost_server *server)
{
    uint32_t last = zxid_epoch (shadow_last (&server->durable).zxid);
    return server->trust == ZAB_SUSPECT && last < server->current_epoch ? last
                                                                        : server->current_epoch;
}

bool sight_leads (const struct sight *sight)
{
    return sight->status->role == ZAB_LEADING && sight->status->activated;
}

const struct zab_entry *sight_proposes (const struct sight *sight, size_t *count)
{
    const struct zab_persist *persist = &sight->update->persist;
    *count = sight->status->role == ZAB_LEADING ? persist->entries_count : 0;
    return *count > 0 ? persist->entries : NULL;
}

/* ---- Taking in ------------------------------------------------------------------------------- */

static struct ghost_epoch *need_epoch (struct ghost *self, uint32_t epoch)
{
    size_t at = epoch_index (self, epoch);
    if (at < self->epochs_count && self->epochs[at].epoch == epoch) {
        return &self->epochs[at];
    }
    if (self->epochs_count == self->epochs_capacity) {
        self->epochs_capacity = self->epochs_capacity > 0 ? 2 * self->epochs_capacity : 16;
        self->epochs = realloc (self->epochs, self->epochs_capacity * sizeof *self->epochs);
        COHORT_ASSERT (self->epochs != NULL);
    }
    memmove (self->epochs + at + 1, self->epochs + at,
             (self->epochs_count - at) * sizeof *self->epochs);
    self->epochs_count++;
    self->epochs[at] = (struct ghost_epoch){.epoch = epoch};
    return &self->epochs[at];
}

/* The last of what was committed by epochs that this server has accepted, or earlier ones. What a
 * later one commits is held by the quorum that has accepted it, to which this server does not
 * belong: it may still follow one that tries to lead an epoch before that. */
static struct zab_point committed_before (const struct ghost *self,
                                          const struct ghost_server *server)
{
    size_t at = epoch_index (self, server->accepted_epoch + 1);
    while (at > 0 && self->epochs[at - 1].newest.zxid == 0) {
        at--;
    }
    return at > 0 ? self->epochs[at - 1].newest : (struct zab_point){0};
}

/* The highest committed entry that is durable here. */
static void note_kept (struct ghost *self, struct ghost_server *server)
{
    struct zab_point mine = shadow_last (&server->durable);
    struct zab_point all = committed_before (self, server);
    if (mine.zxid <= all.zxid) {
        if (mine.zxid > server->kept && shadow_covers (&self->committed, mine)) {
            server->kept = mine.zxid;
        }
    } else if (all.zxid > server->kept && shadow_covers (&server->durable, all)) {
        server->kept = all.zxid;
    }
}

static bool is_listed (const struct ghost *self, uint32_t server, uint64_t store_id)
{
    for (size_t i = 0; i < self->configs.count; i++) {
        const struct config_member *member = config_find (&self->configs.configs[i], server);
        if (member != NULL && member->store_id == store_id) {
            return true;
        }
    }
    return false;
}

/* The first time, for then it had most; and not of a store in whose place another one still counts.
 */
static void note_loss (const struct ghost *self, struct ghost_server *server,
                       const struct sight *sight)
{
    bool loses = sight->trust != ZAB_WHOLE || sight->emptied;
    bool other_counts = server->had_store_id != server->store_id &&
                        is_listed (self, server->id, server->had_store_id);
    if (loses && server->trust == ZAB_WHOLE && !other_counts) {
        shadow_copy (&server->had, &server->durable);
        server->had_store_id = server->store_id;
    }
}

static void see_start (struct ghost *self, struct ghost_server *server, const struct sight *sight)
{
    server->id = sight->server;
    server->up = true;
    note_loss (self, server, sight);
    server->promised = server->store_id == sight->store_id ? server->promised : 0;
    server->store_id = sight->store_id;
    shadow_copy (&server->log, sight->log);
    shadow_copy (&server->durable, sight->log);
    server->accepted_epoch = sight->accepted_epoch;
    server->current_epoch = sight->current_epoch;
    server->trust = sight->trust;
    server->suspect = sight->suspect;
    server->installing = false;
    server->stamp_ms = 0;
    server->kept = 0;
    server->recorded = sight->recorded;
    server->applied = 0;
    server->status = (struct zab_status){.role = ZAB_LOOKING, .committed = sight->committed};
    drop_pending (server);
    note_kept (self, server);
}

static void complete (struct ghost_server *server, const struct ghost_persist *persist)
{
    if (persist->truncate) {
        shadow_truncate (&server->durable, persist->truncate_to);
        server->recorded = 0; /* perhaps by what is cut off */
    }
    for (size_t i = 0; i < persist->points_count; i++) {
        shadow_append (&server->durable, persist->points[i]);
    }
    if (persist->points_count > 0 && persist->committed > server->recorded) {
        server->recorded = persist->committed;
    }
    if (persist->epochs) {
        server->accepted_epoch = persist->accepted_epoch;
        server->current_epoch = persist->current_epoch;
    }
    if (persist->whole) {
        server->trust = ZAB_WHOLE;
        server->suspect = 0;
    }
}

/* Of the oldest request the beginning may be durable; nothing else is, or will be. */
static void withdraw (struct ghost_server *server, zxid_t last)
{
    struct ghost_persist *persist = ring_front (&server->pending);
    if (persist != NULL && persist->truncate) {
        shadow_truncate (&server->durable, persist->truncate_to);
    }
    for (size_t i = 0; persist != NULL && i < persist->points_count; i++) {
        if (persist->points[i].zxid <= last) {
            shadow_append (&server->durable, persist->points[i]);
        }
    }
    drop_pending (server);
    server->stamp_ms = 0;
    shadow_truncate (&server->log, last);
}

static void see_durable (struct ghost *self, struct ghost_server *server, uint64_t completed)
{
    struct ghost_persist *persist;
    while ((persist = ring_front (&server->pending)) != NULL && persist->number <= completed) {
        complete (server, persist);
        free (persist->points);
        ring_pop (&server->pending);
    }
    note_kept (self, server);
}

static void see_base (struct ghost *self, struct ghost_server *server, const struct sight *sight)
{
    if (sight->replaced) {
        shadow_replace (&server->log, sight->base);
        server->stamp_ms = 0;
        shadow_replace (&server->durable, sight->base);
        server->installing = false;
        note_kept (self, server);
    } else {
        shadow_compact (&server->log, sight->base);
        shadow_compact (&server->durable, sight->base);
    }
}

/* Points of a request to the store: kept until it is durable. */
static void take_persist (struct ghost_server *server, const struct sight *sight)
{
    const struct zab_persist *persist = &sight->update->persist;
    zxid_t before = server->status.committed, now = sight->status->committed;
    struct ghost_persist pending = {
        .number = persist->number,
        .committed = before < now ? before : now,
        .truncate = persist->truncate,
        .truncate_to = persist->truncate_to,
        .points_count = persist->entries_count,
        .epochs = persist->epochs,
        .accepted_epoch = persist->accepted_epoch,
        .current_epoch = persist->current_epoch,
        .whole = persist->whole,
    };
    if (persist->truncate) {
        shadow_truncate (&server->log, persist->truncate_to);
        server->stamp_ms = 0;
    }
    if (pending.points_count > 0) {
        server->stamp_ms = persist->entries[persist->entries_count - 1].stamp_ms;
        pending.points = malloc (pending.points_count * sizeof *pending.points);
        COHORT_ASSERT (pending.points != NULL);
    }
    for (size_t i = 0; i < persist->entries_count; i++) {
        struct zab_point point = {persist->entries[i].zxid, persist->entries[i].chain};
        pending.points[i] = point;
        shadow_append (&server->log, point);
    }
    bool pushed = ring_push (&server->pending, &pending);
    COHORT_ASSERT (pushed);
}

/* The committed sequence grows by what this log has above it. */
static void extend_committed (struct ghost *self, const struct ghost_server *server,
                              const struct zab_status *status)
{
    zxid_t known = shadow_last (&self->committed).zxid;
    const struct zab_point *point = shadow_floor (&server->log, known);
    size_t at = point != NULL ? (size_t) (point - server->log.points) + 1 : 0;
    while (at < server->log.count && server->log.points[at].zxid <= status->committed) {
        shadow_append (&self->committed, server->log.points[at++]);
    }
    need_epoch (self, status->current_epoch)->newest = shadow_last (&self->committed);
    for (uint32_t id = 1; id <= GHOST_ID_MAX; id++) {
        if (self->servers[id].id != 0) {
            note_kept (self, &self->servers[id]);
        }
    }
}

/* One that is not synchronized answers, too, and says that it does not count. */
static void note_answers (const struct ghost *self, struct ghost_server *server,
                          const struct zab_update *update)
{
    for (size_t i = 0; i < update->messages_count; i++) {
        const struct zab_message *message = &update->messages[i];
        if (message->type != ZAB_PONG || !message->counts) {
            continue;
        }
        COHORT_ASSERT (message->peer <= GHOST_ID_MAX);
        struct ghost_answer *answer = &server->answers[message->peer];
        if (answer->epoch != message->epoch || answer->store_id != server->store_id ||
            answer->round < message->nonce) {
            *answer = (struct ghost_answer){
                message->epoch, message->nonce, server->store_id,
                config_set_counts (&self->configs, server->id, server->store_id)};
        }
    }
}

/* Who offers an epoch has promised it to himself. */
static void note_promises (const struct ghost *self, struct ghost_server *server,
                           const struct sight *sight)
{
    for (size_t i = 0; i < sight->update->messages_count; i++) {
        const struct zab_message *message = &sight->update->messages[i];
        bool promise = message->type == ZAB_ACKEPOCH && message->counts;
        uint32_t epoch = sight->status->accepted_epoch;
        if (promise || message->type == ZAB_LEADERINFO) {
            server->promised = epoch > server->promised ? epoch : server->promised;
        }
        if (promise) {
            COHORT_ASSERT (message->peer <= GHOST_ID_MAX);
            server->promises[message->peer] = (struct ghost_answer){
                .epoch = epoch,
                .store_id = server->store_id,
                .listed = config_set_counts (&self->configs, server->id, server->store_id)};
        }
    }
}

/* It is established with what it has of earlier epochs. */
static void note_leader (struct ghost_epoch *epoch, const struct ghost_server *server)
{
    if (epoch->leaders == 0) {
        const struct zab_point *end = shadow_floor (&server->log, zxid_make (epoch->epoch, 0));
        epoch->begun = end != NULL ? *end : server->log.base;
    }
    epoch->leaders |= UINT32_C (1) << server->id;
}

static void see_update (struct ghost *self, struct ghost_server *server, const struct sight *sight)
{
    const struct zab_status *status = sight->status;
    if (self->configs.count > 0) {
        note_answers (self, server, sight->update);
        note_promises (self, server, sight);
    }
    server->confirmed = sight_leads (sight) ? sight->update->round : 0;
    size_t count;
    const struct zab_entry *proposed = sight_proposes (sight, &count);
    for (size_t i = 0; i < count; i++) {
        shadow_append (&need_epoch (self, zxid_epoch (proposed[i].zxid))->broadcast,
                       (struct zab_point){proposed[i].zxid, proposed[i].chain});
    }
    if (sight->update->persist.install) {
        server->installing = true;
    } else if (sight->update->persist.number != 0) {
        take_persist (server, sight);
    }
    if (sight_leads (sight)) {
        note_leader (need_epoch (self, status->current_epoch), server);
    }
    if (status->committed > shadow_last (&self->committed).zxid) {
        extend_committed (self, server, status);
    }
    server->status = *status;
}

static void note_digest (struct ghost *self, const struct sight *sight)
{
    if (sight->applied == 0 || ghost_digest (self, sight->applied) != NULL) {
        return;
    }
    struct ghost_digest *digest = calloc (1, sizeof *digest);
    COHORT_ASSERT (digest != NULL);
    digest->node.hash = sight->applied;
    digest->digest = sight->digest;
    digest->server = sight->server;
    map_insert (&self->digests, &digest->node);
}

static void see_config (struct ghost *self, const struct sight *sight)
{
    if (sight->configs != NULL &&
        (self->configs.count == 0 || sight->configs->configs[sight->configs->count - 1].version >
                                         self->configs.configs[self->configs.count - 1].version)) {
        self->configs = *sight->configs;
    }
}

static void see_turn (struct ghost *self, struct ghost_server *server, const struct sight *sight)
{
    see_config (self, sight);
    if (sight->applied == server->applied) {
        return;
    }
    const struct zab_point *point = shadow_find (&server->log, sight->applied);
    if (point != NULL) {
        struct ghost_epoch *epoch = need_epoch (self, zxid_epoch (point->zxid));
        epoch->applied = point->zxid > epoch->applied.zxid ? *point : epoch->applied;
    }
    server->applied = sight->applied;
    if (!sight->wrong) {
        note_digest (self, sight);
    }
}

static void see_answer (struct ghost *self, const struct sight *sight)
{
    if (sight->name == NULL || ghost_has_name (self, sight->name)) {
        return;
    }
    size_t size = strlen (sight->name) + 1;
    struct name *name = malloc (sizeof *name + size);
    COHORT_ASSERT (name != NULL);
    memcpy (name->path, sight->name, size);
    name->node.hash = hash64 (sight->name, size - 1, 0);
    map_insert (&self->names, &name->node);
}

void ghost_see (struct ghost *self, const struct sight *sight)
{
    COHORT_ASSERT (sight->server <= GHOST_ID_MAX);
    struct ghost_server *server = &self->servers[sight->server];
    switch (sight->kind) {
    case SIGHT_STARTED:
        see_start (self, server, sight);
        break;
    case SIGHT_STOPPED:
        server->up = false;
        server->heir = sight->heir;
        break;
    case SIGHT_DURABLE:
        see_durable (self, server, sight->completed);
        break;
    case SIGHT_WITHDRAWN:
        withdraw (server, sight->end);
        note_kept (self, server);
        break;
    case SIGHT_BASE:
        see_base (self, server, sight);
        break;
    case SIGHT_UPDATE:
        see_update (self, server, sight);
        break;
    case SIGHT_TURN:
        see_turn (self, server, sight);
        break;
    case SIGHT_CONFIG:
        see_config (self, sight);
        break;
    case SIGHT_ANSWER:
        see_answer (self, sight);
        break;
    case SIGHT_SPACE:
    case SIGHT_HANGS:
    case SIGHT_LOST:
    case SIGHT_KEPT:
    case SIGHT_GROWS:
    case SIGHT_PEACE:
    case SIGHT_FOLDER:
    case SIGHT_REST:
        break;
    }
}

/* Servers and disks of a cluster in one process: see cluster.h. */

#include "tests/scenario/cluster_links.h"

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"

enum { WALL_MS = 1000000, RUN_MAX = 100000 };

/* ---- Life -------------------------------------------------------------------------------- */

void cluster_init (struct cluster *self, const struct zab_options *options)
{
    memset (self, 0, sizeof *self);
    self->options = *options;
}

static void requests_free (struct server *server)
{
    while (server->requests != NULL) {
        struct disk_request *request = server->requests;
        server->requests = request->next;
        records_free (&request->log);
        free (request);
    }
    server->requests_last = NULL;
    server->requests_count = 0;
}

void cluster_deinit (struct cluster *self)
{
    for (uint32_t id = 1; id <= CLUSTER_SERVERS_MAX; id++) {
        struct server *server = &self->servers[id];
        zab_destroy (&server->core);
        requests_free (server);
        records_free (&server->disk.log);
        records_free (&server->memory.log);
        for (uint32_t to = 1; to <= CLUSTER_SERVERS_MAX; to++) {
            queue_cut (&self->queues[id][to], 0);
        }
    }
    checker_free (self);
}

void cluster_add (struct cluster *self, uint32_t id, uint64_t store_id)
{
    COHORT_ASSERT (id >= 1 && id <= CLUSTER_SERVERS_MAX);
    COHORT_ASSERT (self->servers[id].core == NULL);
    self->servers[id].id = id;
    self->servers[id].store_id = store_id;
}

void cluster_disk_append (struct cluster *self, uint32_t id, zxid_t zxid, uint64_t content)
{
    struct image *disk = &self->servers[id].disk;
    struct record record = {.commit = 0};
    record.entry.zxid = zxid;
    record.entry.stamp_ms = 1;
    record.entry.size = sizeof content;
    memcpy (record.data, &content, sizeof content);
    record.entry.chain =
        zab_chain (image_last (disk).chain, zxid, 1, record.data, record.entry.size);
    image_append (disk, &record);
}

void cluster_compact_disk (struct cluster *self, uint32_t id, zxid_t zxid)
{
    COHORT_ASSERT (self->servers[id].core == NULL);
    image_compact (&self->servers[id].disk, zxid);
}

/* A mark that is there already gets no weaker, as the store's recovery has it. */
void cluster_disk_damage (struct cluster *self, uint32_t id, zxid_t zxid, zxid_t suspect)
{
    COHORT_ASSERT (self->servers[id].core == NULL);
    struct image *disk = &self->servers[id].disk;
    if (zxid < disk->base.zxid) {
        /* No snapshot is sound either. */
        records_free (&disk->log);
        disk->base = (struct zab_point){0};
        disk->base_stamp_ms = 0;
    } else {
        image_truncate (disk, zxid);
    }
    if (suspect == 0 || disk->trust == ZAB_DAMAGED) {
        disk->trust = ZAB_DAMAGED;
    } else {
        disk->suspect =
            disk->trust == ZAB_SUSPECT && disk->suspect > suspect ? disk->suspect : suspect;
        disk->trust = ZAB_SUSPECT;
    }
}

/* ---- Steps ------------------------------------------------------------------------------- */

static void send (struct cluster *self, uint32_t from, const struct zab_message *message)
{
    uint32_t to = message->peer;
    COHORT_ASSERT (to >= 1 && to <= CLUSTER_SERVERS_MAX);
    if (!self->up[from][to] || !self->connected[from][to]) {
        return;
    }
    struct item *item = item_new (ITEM_MESSAGE);
    item->message = *message;
    item->message.peer = from;
    if (message->points_count > 0) {
        memcpy (item->points, message->points, message->points_count * sizeof item->points[0]);
    }
    const struct image *memory = &self->servers[from].memory;
    if (message->entries_through > message->entries_after) {
        COHORT_ASSERT (message->entries_after >= memory->base.zxid);
        for (size_t i = 0; i < memory->log.count; i++) {
            zxid_t zxid = memory->log.items[i].entry.zxid;
            if (zxid > message->entries_after && zxid <= message->entries_through) {
                records_append (&item->log, &memory->log.items[i]);
            }
        }
        COHORT_ASSERT (item->log.count > 0);
    }
    bool commit = message->type == ZAB_PING && message->zxid != 0;
    if (self->reorder != NULL && !commit && prng_chance (self->reorder, 1, 3)) {
        queue_overtake (&self->queues[from][to], item);
    } else {
        queue_push (&self->queues[from][to], item);
    }
}

static void store (struct server *server, const struct zab_persist *persist, struct zab_point point,
                   int64_t stamp_ms)
{
    struct disk_request *request = calloc (1, sizeof *request);
    COHORT_ASSERT (request != NULL);
    request->number = persist->number;
    request->truncate = persist->truncate;
    request->truncate_to = persist->truncate_to;
    request->epochs = persist->epochs;
    request->accepted_epoch = persist->accepted_epoch;
    request->current_epoch = persist->current_epoch;
    request->whole = persist->whole;
    request->install = persist->install;
    request->point = point;
    request->stamp_ms = stamp_ms;
    for (size_t i = 0; i < persist->entries_count; i++) {
        struct record record = {.entry = persist->entries[i], .commit = persist->commit};
        COHORT_ASSERT (record.entry.size <= CLUSTER_DATA_MAX);
        memcpy (record.data, record.entry.data, record.entry.size);
        records_append (&request->log, &record);
    }
    if (!persist->install) {
        image_execute (&server->memory, request, SIZE_MAX);
    }
    if (server->requests_last == NULL) {
        server->requests = request;
    } else {
        server->requests_last->next = request;
    }
    server->requests_last = request;
    server->requests_count++;
}

/* The near end is closed at once; the far end gets what is on its way, and then hears of it. */
static void reset_link (struct cluster *self, uint32_t id, uint32_t peer)
{
    self->up[id][peer] = false;
    queue_cut (&self->queues[peer][id], 0);
    if (self->connected[id][peer]) {
        self->connected[id][peer] = self->connected[peer][id] = false;
        queue_push (&self->queues[id][peer], item_new (ITEM_DOWN));
    }
}

static struct zab_point delivered_point (const struct server *server)
{
    const struct record *record = image_find (&server->memory, server->delivered);
    if (record == NULL) {
        COHORT_ASSERT (server->delivered == server->memory.base.zxid);
        return server->memory.base;
    }
    return (struct zab_point){record->entry.zxid, record->entry.chain};
}

static void perform (struct cluster *self, struct server *server, const struct zab_update *update,
                     struct zab_point point, int64_t stamp_ms)
{
    self->steps++;
    trace_update (self, server, update);
    for (size_t i = 0; i < update->resets_count; i++) {
        reset_link (self, server->id, update->resets[i]);
    }
    if (update->persist.number != 0) {
        store (server, &update->persist, point, stamp_ms);
    }
    for (size_t i = 0; i < update->messages_count; i++) {
        send (self, server->id, &update->messages[i]);
    }
    checker_after_step (self, server, update);
    for (size_t i = 0; i < update->snapshots_count; i++) {
        server->snapshot_due[update->snapshots[i]] = true;
        server->snapshot[update->snapshots[i]] = delivered_point (server);
    }
    if (zab_status (server->core)->role != ZAB_LEADING) {
        memset (server->snapshot_due, 0, sizeof server->snapshot_due);
    }
}

void cluster_step (struct cluster *self, uint32_t id, struct zab_event event)
{
    struct server *server = &self->servers[id];
    COHORT_ASSERT (server->core != NULL);
    event.now_ms = self->now_ms;
    event.wall_ms = self->now_ms + WALL_MS;
    trace_event (self, server, &event);
    perform (self, server, zab_step (server->core, &event), event.point, event.stamp_ms);
}

void cluster_event (struct cluster *self, uint32_t id, const struct zab_event *event)
{
    cluster_step (self, id, *event);
}

void cluster_space (struct cluster *self, uint32_t id, bool full)
{
    struct server *server = &self->servers[id];
    server->full = full;
    if (server->core != NULL) {
        cluster_step (self, id, (struct zab_event){.type = ZAB_EVENT_SPACE, .full = full});
    }
}

/* ---- Starting, crashing ------------------------------------------------------------------ */

static void records_copy (struct records *to, const struct records *from)
{
    to->count = 0;
    for (size_t i = 0; i < from->count; i++) {
        records_append (to, &from->items[i]);
    }
}

/* The memory is what the disk holds. */
static void remember (struct server *server)
{
    const struct image *disk = &server->disk;
    server->memory.base = disk->base;
    server->memory.base_stamp_ms = disk->base_stamp_ms;
    server->memory.accepted_epoch = disk->accepted_epoch;
    server->memory.current_epoch = disk->current_epoch;
    records_copy (&server->memory.log, &disk->log);
}

bool cluster_withdraw (struct cluster *self, uint32_t id, size_t done)
{
    struct server *server = &self->servers[id];
    if (server->core == NULL || server->paused || server->requests == NULL ||
        zab_status (server->core)->role != ZAB_LOOKING) {
        return false;
    }
    /* Room is needed for entries alone; and what a request does before them is done. */
    struct disk_request *first = server->requests;
    for (struct disk_request *request = first; request != NULL; request = request->next) {
        if (request->install || request->truncate) {
            return false;
        }
    }
    size_t entries = first->log.count;
    if (entries > 0) {
        image_execute (&server->disk, first, done < entries ? done : entries - 1);
    }
    requests_free (server);
    remember (server);
    cluster_step (
        self, id,
        (struct zab_event){.type = ZAB_EVENT_WITHDRAWN, .point = image_last (&server->disk)});
    return true;
}

void cluster_start (struct cluster *self, uint32_t id)
{
    struct server *server = &self->servers[id];
    COHORT_ASSERT (server->id == id);
    COHORT_ASSERT (server->core == NULL);
    struct zab_options options = self->options;
    options.id = id;
    options.store_id = server->store_id;
    options.seed = self->options.seed + id + 1000 * ++server->starts;
    if (server->stale) {
        options.configs = self->before;
        server->stale = false;
    }
    server->core = zab_new (&options);
    COHORT_ASSERT (server->core != NULL);

    const struct image *disk = &server->disk;
    zxid_t committed = disk->base.zxid;
    struct zab_past *past = zab_past_new (disk->base, disk->base_stamp_ms);
    COHORT_ASSERT (past != NULL);
    for (size_t i = 0; i < disk->log.count; i++) {
        struct zab_entry entry = disk->log.items[i].entry;
        entry.data = disk->log.items[i].data;
        int rc = zab_past_add (past, &entry);
        COHORT_ASSERT (rc == 0);
        if (disk->log.items[i].commit > committed) {
            committed = disk->log.items[i].commit;
        }
    }
    zab_recover (server->core, &past);
    zab_recover_trust (server->core, disk->trust, disk->suspect);
    remember (server);
    server->delivered = server->committed = disk->base.zxid;
    server->round = server->round_begun = 0;
    if (self->trace != NULL) {
        fprintf (self->trace, "%lld %u starts\n", (long long) self->now_ms, id);
    }
    const struct zab_update *update = zab_start (server->core, disk->accepted_epoch,
                                                 disk->current_epoch, committed, self->now_ms);
    perform (self, server, update, (struct zab_point){0}, 0);
    if (server->full) {
        cluster_space (self, id, true);
    }
}

void cluster_crash (struct cluster *self, uint32_t id, size_t done)
{
    struct server *server = &self->servers[id];
    COHORT_ASSERT (server->core != NULL);
    if (self->trace != NULL) {
        fprintf (self->trace, "%lld %u crashes\n", (long long) self->now_ms, id);
    }
    for (struct disk_request *request = server->requests; request != NULL && done > 0;
         request = request->next) {
        done -= image_execute (&server->disk, request, done);
    }
    requests_free (server);
    zab_destroy (&server->core);
    server->paused = false;
    memset (server->snapshot_due, 0, sizeof server->snapshot_due);
    for (uint32_t peer = 1; peer <= CLUSTER_SERVERS_MAX; peer++) {
        reset_link (self, id, peer);
    }
}

/* ---- Disks ------------------------------------------------------------------------------- */

static void report_durable (struct cluster *self, uint32_t id, uint64_t *number)
{
    if (*number != 0) {
        cluster_step (self, id,
                      (struct zab_event){.type = ZAB_EVENT_DURABLE, .persisted = *number});
        *number = 0;
    }
}

/* There is nothing to do, or no room for it: epochs need none, and a new segment is always there.
 */
static bool waits (const struct server *server)
{
    const struct disk_request *request = server->requests;
    return request == NULL || (server->full && request->log.count > 0);
}

bool cluster_durable (struct cluster *self, uint32_t id, size_t requests)
{
    struct server *server = &self->servers[id];
    if (server->core == NULL || server->paused || waits (server)) {
        return false;
    }
    uint64_t number = 0;
    for (size_t i = 0; i < requests && !waits (server); i++) {
        struct disk_request *request = server->requests;
        server->requests = request->next;
        if (server->requests == NULL) {
            server->requests_last = NULL;
        }
        server->requests_count--;
        if (request->install && server->install_fails) {
            server->install_fails = false;
            cluster_step (self, id, (struct zab_event){.type = ZAB_EVENT_NOT_INSTALLED});
            request->install = false;
        }
        image_execute (&server->disk, request, SIZE_MAX);
        if (request->install) {
            report_durable (self, id, &number);
            image_install (&server->memory, request->point, request->stamp_ms);
            if (server->delivered < request->point.zxid) {
                server->delivered = request->point.zxid;
            }
            cluster_step (self, id,
                          (struct zab_event){.type = ZAB_EVENT_INSTALLED,
                                             .point = request->point,
                                             .stamp_ms = request->stamp_ms});
        } else {
            number = request->number;
        }
        records_free (&request->log);
        free (request);
    }
    report_durable (self, id, &number);
    return true;
}

/* A snapshot comes on the link, behind SNAP. */
static bool snap_on_its_way (const struct queue *queue)
{
    for (const struct item *item = queue->first; item != NULL; item = item->next) {
        if (item->type == ITEM_MESSAGE && item->message.type == ZAB_SNAP) {
            return true;
        }
    }
    return false;
}

bool cluster_snapshot (struct cluster *self, uint32_t from, uint32_t to)
{
    struct server *server = &self->servers[from];
    if (!server->snapshot_due[to] || server->core == NULL || self->servers[to].core == NULL ||
        self->servers[to].paused || !self->up[from][to] || !self->up[to][from] ||
        snap_on_its_way (&self->queues[from][to])) {
        return false;
    }
    server->snapshot_due[to] = false;
    cluster_step (self, to,
                  (struct zab_event){.type = ZAB_EVENT_SNAPSHOT,
                                     .peer = from,
                                     .point = server->snapshot[to],
                                     .stamp_ms = WALL_MS});
    return true;
}

void cluster_fail_install (struct cluster *self, uint32_t id)
{
    self->servers[id].install_fails = true;
}

void cluster_compact (struct cluster *self, uint32_t id, zxid_t zxid)
{
    struct server *server = &self->servers[id];
    const struct record *record = image_find (&server->disk, zxid);
    if (record == NULL || zxid > server->delivered) {
        return;
    }
    struct zab_event event = {.type = ZAB_EVENT_COMPACTED,
                              .point = {record->entry.zxid, record->entry.chain},
                              .stamp_ms = record->entry.stamp_ms};
    image_compact (&server->disk, zxid);
    image_compact (&server->memory, zxid);
    cluster_step (self, id, event);
}

/* ---- Time -------------------------------------------------------------------------------- */

/* The server whose deadline comes first. */
static uint32_t earliest (const struct cluster *self, int64_t *deadline)
{
    uint32_t best = 0;
    *deadline = INT64_MAX;
    for (uint32_t id = 1; id <= CLUSTER_SERVERS_MAX; id++) {
        const struct server *server = &self->servers[id];
        if (server->core != NULL && !server->paused && zab_deadline (server->core) < *deadline) {
            *deadline = zab_deadline (server->core);
            best = id;
        }
    }
    return best;
}

int64_t cluster_deadline (const struct cluster *self)
{
    int64_t deadline;
    earliest (self, &deadline);
    return deadline;
}

void cluster_advance (struct cluster *self, int64_t ms)
{
    int64_t target = self->now_ms + ms;
    for (size_t i = 0; i < RUN_MAX; i++) {
        int64_t deadline;
        uint32_t id = earliest (self, &deadline);
        if (id == 0 || deadline > target) {
            self->now_ms = target;
            return;
        }
        if (deadline > self->now_ms) {
            self->now_ms = deadline;
        }
        cluster_step (self, id, (struct zab_event){.type = ZAB_EVENT_TICK});
    }
    COHORT_ASSERT (false); /* a deadline that a tick does not move */
}

bool cluster_exchange (struct cluster *self)
{
    size_t counts[CLUSTER_SERVERS_MAX + 1][CLUSTER_SERVERS_MAX + 1];
    bool any = false;
    for (uint32_t from = 1; from <= CLUSTER_SERVERS_MAX; from++) {
        for (uint32_t to = 1; to <= CLUSTER_SERVERS_MAX; to++) {
            counts[from][to] = self->queues[from][to].count;
        }
    }
    for (uint32_t from = 1; from <= CLUSTER_SERVERS_MAX; from++) {
        for (uint32_t to = 1; to <= CLUSTER_SERVERS_MAX; to++) {
            for (size_t i = 0; i < counts[from][to] && !self->queues[from][to].blocked; i++) {
                any |= cluster_deliver (self, from, to);
            }
        }
    }
    return any;
}

void cluster_run (struct cluster *self)
{
    for (size_t i = 0; i < RUN_MAX; i++) {
        bool any = cluster_exchange (self);
        for (uint32_t id = 1; id <= CLUSTER_SERVERS_MAX; id++) {
            if (!self->servers[id].held) {
                any |= cluster_durable (self, id, SIZE_MAX);
            }
        }
        if (!any) {
            return;
        }
    }
    COHORT_ASSERT (false); /* it never comes to rest */
}

/* ---- Proposals, and looking -------------------------------------------------------------- */

bool cluster_can_propose (const struct cluster *self, uint32_t id)
{
    const struct server *server = &self->servers[id];
    return server->core != NULL && !server->paused &&
           zab_status (server->core)->role == ZAB_LEADING && zab_status (server->core)->activated &&
           !zab_status (server->core)->starved;
}

void cluster_propose (struct cluster *self, uint32_t id, size_t count, uint32_t size)
{
    enum { COUNT_MAX = 64 };
    struct zab_proposal proposals[COUNT_MAX];
    uint8_t data[COUNT_MAX][CLUSTER_DATA_MAX] = {{0}};
    COHORT_ASSERT (count <= COUNT_MAX);
    COHORT_ASSERT (size >= sizeof self->proposals && size <= CLUSTER_DATA_MAX);
    COHORT_ASSERT (cluster_can_propose (self, id));
    for (size_t i = 0; i < count; i++) {
        self->proposals++;
        memcpy (data[i], &self->proposals, sizeof self->proposals);
        proposals[i] = (struct zab_proposal){.data = data[i], .size = size};
    }
    cluster_step (self, id,
                  (struct zab_event){
                      .type = ZAB_EVENT_PROPOSE, .proposals = proposals, .proposals_count = count});
}

const struct zab_status *cluster_status (const struct cluster *self, uint32_t id)
{
    const struct server *server = &self->servers[id];
    return server->core != NULL ? zab_status (server->core) : NULL;
}

uint32_t cluster_leader (const struct cluster *self)
{
    uint32_t best = 0, epoch = 0;
    for (uint32_t id = 1; id <= CLUSTER_SERVERS_MAX; id++) {
        const struct zab_status *status = cluster_status (self, id);
        if (status != NULL && status->role == ZAB_LEADING && status->activated &&
            status->accepted_epoch >= epoch) {
            best = id;
            epoch = status->accepted_epoch;
        }
    }
    return best;
}

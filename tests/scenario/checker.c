/* The invariants of docs/zab.md, section 11, against what has ever been committed anywhere.
 *
 * Committed is K: the checker extends it when a core says that something is committed, and only if
 * a quorum of every configuration has it on its disk at that instant. */

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/scenario/cluster.h"

_Noreturn void checker_fail (const struct cluster *self, const struct server *server,
                             const char *what)
{
    if (self->trace != NULL) {
        fprintf (self->trace, "VIOLATION at server %u: %s\n", server->id, what);
        trace_status (self, self->trace);
        fflush (self->trace);
    }
    fprintf (stderr, "seed %llu, step %llu, server %u: %s\n",
             (unsigned long long) self->options.seed, (unsigned long long) self->steps, server->id,
             what);
    trace_status (self, stderr);
    abort ();
}

static void require (const struct cluster *self, const struct server *server, bool holds,
                     const char *what)
{
    if (!holds) {
        checker_fail (self, server, what);
    }
}

/* Index in K of the entry zxid; SIZE_MAX: there is none. */
static size_t committed_index (const struct cluster *self, zxid_t zxid)
{
    size_t low = 0, high = self->committed.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->committed.items[middle].entry.zxid < zxid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < self->committed.count && self->committed.items[low].entry.zxid == zxid ? low
                                                                                        : SIZE_MAX;
}

static struct zab_point committed_last (const struct cluster *self)
{
    if (self->committed.count == 0) {
        return (struct zab_point){0};
    }
    const struct zab_entry *entry = &self->committed.items[self->committed.count - 1].entry;
    return (struct zab_point){entry->zxid, entry->chain};
}

/* Whether this disk holds a point of K: as an entry, or below its base, which is committed. */
static bool disk_holds (const struct server *server, struct zab_point point)
{
    return point.zxid < server->disk.base.zxid || image_has (&server->disk, point);
}

/* Disks that have lost something, and know it, count as if they held it: what they say of
 * themselves keeps anybody from taking their silence for an answer (check_message). */
static bool quorum_holds (const struct cluster *self, struct zab_point point)
{
    struct id_set ids = {.count = 0};
    for (uint32_t id = 1; id <= CLUSTER_SERVERS_MAX; id++) {
        const struct server *server = &self->servers[id];
        if (server->id != 0 && config_set_counts (&self->options.configs, id, server->store_id) &&
            (disk_holds (server, point) || server->disk.trust != ZAB_WHOLE)) {
            id_set_add (&ids, id);
        }
    }
    return config_set_quorum (&self->options.configs, &ids);
}

/* 7, 8, 11: what is committed stays on the disks of a quorum, whatever happens. */
static void check_durability (const struct cluster *self, const struct server *server)
{
    struct zab_point last = committed_last (self);
    require (self, server, last.zxid == 0 || quorum_holds (self, last),
             "the committed log is not on the disks of a quorum");
}

/* 2, 3, 5: one sequence; entries are added to K in the order of the log that has them. */
static void extend_committed (struct cluster *self, const struct server *server, zxid_t from,
                              zxid_t to)
{
    const struct image *memory = &server->memory;
    for (size_t i = 0; i < memory->log.count; i++) {
        const struct record *record = &memory->log.items[i];
        if (record->entry.zxid <= from || record->entry.zxid > to) {
            continue;
        }
        struct zab_point last = committed_last (self);
        if (record->entry.zxid <= last.zxid) {
            size_t index = committed_index (self, record->entry.zxid);
            require (self, server,
                     index != SIZE_MAX &&
                         self->committed.items[index].entry.chain == record->entry.chain,
                     "commits what was not committed, or something else");
            continue;
        }
        struct zab_point before = i > 0 ? (struct zab_point){memory->log.items[i - 1].entry.zxid,
                                                             memory->log.items[i - 1].entry.chain}
                                        : memory->base;
        require (self, server, before.zxid == last.zxid && before.chain == last.chain,
                 "commits an entry on top of another history");
        struct zab_point point = {record->entry.zxid, record->entry.chain};
        require (self, server, quorum_holds (self, point),
                 "commits what is not on the disks of a quorum");
        records_append (&self->committed, record);
    }
}

/* 3, 14: deliveries are durable here and follow K without a gap. */
static void check_delivered (const struct cluster *self, const struct server *server, zxid_t from,
                             zxid_t to)
{
    require (self, server, to >= from, "delivery goes backwards");
    require (self, server, to <= image_last (&server->disk).zxid, "delivers what is not durable");
    for (size_t i = 0; i < self->committed.count; i++) {
        const struct zab_entry *entry = &self->committed.items[i].entry;
        if (entry->zxid > from && entry->zxid <= to) {
            struct zab_point point = {entry->zxid, entry->chain};
            require (self, server, disk_holds (server, point), "delivers with a gap");
        }
    }
    require (self, server,
             to == 0 || committed_index (self, to) != SIZE_MAX || to <= server->disk.base.zxid,
             "delivers what is not committed");
}

/* 1: one leader for each epoch; 6, 7: it has everything that was committed. */
static void check_leadership (struct cluster *self, const struct server *server,
                              const struct zab_status *status)
{
    if (status->role != ZAB_LEADING || !status->activated) {
        return;
    }
    if (status->accepted_epoch >= self->leaders_capacity) {
        size_t capacity = status->accepted_epoch + 64u;
        self->leader_of_epoch =
            realloc (self->leader_of_epoch, capacity * sizeof *self->leader_of_epoch);
        COHORT_ASSERT (self->leader_of_epoch != NULL);
        memset (self->leader_of_epoch + self->leaders_capacity, 0,
                (capacity - self->leaders_capacity) * sizeof *self->leader_of_epoch);
        self->leaders_capacity = capacity;
    }
    uint32_t *leader = &self->leader_of_epoch[status->accepted_epoch];
    if (*leader == 0) {
        *leader = server->id;
        self->activations++;
        /* It may learn late that it was activated, when a later leader has already committed. */
        struct zab_point last = {0};
        for (size_t i = 0; i < self->committed.count; i++) {
            const struct zab_entry *entry = &self->committed.items[i].entry;
            if (zxid_epoch (entry->zxid) < status->accepted_epoch) {
                last = (struct zab_point){entry->zxid, entry->chain};
            }
        }
        require (self, server,
                 last.zxid < server->memory.base.zxid || last.zxid == 0 ||
                     image_has (&server->memory, last),
                 "a new leader lacks what is committed");
    }
    require (self, server, *leader == server->id, "two leaders in one epoch");
}

/* 13: whatever a message says of the sender's log and epochs, its disk says it too. */
static void check_message (const struct cluster *self, const struct server *server,
                           const struct zab_message *message)
{
    const struct image *disk = &server->disk;
    switch (message->type) {
    case ZAB_VOTE:
        if (message->role == ZAB_LOOKING && message->leader == server->id) {
            require (
                self, server,
                message->epoch == disk->current_epoch ||
                    (disk->trust == ZAB_SUSPECT && message->epoch == zxid_epoch (message->zxid)),
                "VOTE: epoch");
            require (self, server, message->zxid == image_last (disk).zxid, "VOTE: zxid");
            require (self, server, disk->trust != ZAB_DAMAGED, "VOTE: of a damaged log");
        }
        break;
    case ZAB_LEADERINFO:
        require (self, server, message->epoch == disk->accepted_epoch, "LEADERINFO");
        break;
    case ZAB_ACKEPOCH:
        require (self, server, message->epoch == disk->current_epoch, "ACKEPOCH: epoch");
        require (self, server, message->zxid == image_last (disk).zxid, "ACKEPOCH: zxid");
        require (self, server,
                 cluster_status (self, server->id)->accepted_epoch == disk->accepted_epoch,
                 "ACKEPOCH: promise");
        require (self, server, message->trust == disk->trust, "ACKEPOCH: trust");
        require (self, server,
                 disk->trust != ZAB_SUSPECT || message->suspect == disk->suspect ||
                     disk->suspect <= message->zxid,
                 "ACKEPOCH: suspect");
        require (self, server, !message->counts || disk->trust != ZAB_DAMAGED,
                 "ACKEPOCH: a promise of a damaged log");
        break;
    case ZAB_SYNC_POINT:
        require (self, server, image_has (disk, message->point), "SYNC_POINT");
        break;
    case ZAB_ACK:
        require (self, server, message->epoch == disk->current_epoch, "ACK: epoch");
        require (self, server, message->epoch == disk->accepted_epoch, "ACK: promise");
        require (self, server, disk->trust == ZAB_WHOLE, "ACK: of a log that is not whole");
        require (self, server,
                 zxid_counter (message->zxid) == 0 || image_find (disk, message->zxid) != NULL ||
                     message->zxid <= disk->base.zxid,
                 "ACK: entry");
        break;
    default:
        break;
    }
}

/* A confirmed round: when it began, nobody had committed anything that this leader lacks. */
static void check_rounds (const struct cluster *self, struct server *server,
                          const struct zab_status *status, const struct zab_update *update)
{
    if (status->role != ZAB_LEADING) {
        server->round = 0;
        return;
    }
    while (server->round_begun < status->round_begun) {
        server->round_begun++;
        server->round_floor[server->round_begun % 64] = committed_last (self);
    }
    if (update->round > server->round) {
        server->round = update->round;
        struct zab_point floor = server->round_floor[update->round % 64];
        if (server->round_begun - update->round < 64) {
            require (self, server,
                     floor.zxid <= server->memory.base.zxid || image_has (&server->memory, floor),
                     "a round is confirmed for a leader that has been replaced");
        }
    }
}

void checker_after_step (struct cluster *self, struct server *server,
                         const struct zab_update *update)
{
    const struct zab_status *status = zab_status (server->core);
    if (update->halt != ZAB_RUNNING) {
        return;
    }
    if (self->unchecked) {
        server->committed = status->committed;
        server->delivered = update->deliver;
        return;
    }
    for (size_t i = 0; i < update->messages_count; i++) {
        check_message (self, server, &update->messages[i]);
    }
    if (status->committed > server->committed) {
        extend_committed (self, server, server->committed, status->committed);
        server->committed = status->committed;
    }
    if (update->deliver != server->delivered) {
        check_delivered (self, server, server->delivered, update->deliver);
        server->delivered = update->deliver;
    }
    check_leadership (self, server, status);
    check_rounds (self, server, status, update);
    check_durability (self, server);
    zab_check (server->core);
}

void checker_seed (struct cluster *self, uint32_t id, zxid_t committed)
{
    const struct server *server = &self->servers[id];
    self->committed.count = 0;
    for (size_t i = 0; i < server->disk.log.count; i++) {
        if (server->disk.log.items[i].entry.zxid <= committed) {
            records_append (&self->committed, &server->disk.log.items[i]);
        }
    }
}

void checker_free (struct cluster *self)
{
    records_free (&self->committed);
    free (self->leader_of_epoch);
    self->leader_of_epoch = NULL;
}

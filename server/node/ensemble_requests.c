/* ensemble_requests.c: clients' requests, own and forwarded; what the tracker wants. See
 * ensemble_state.h. */

#include "server/node/ensemble_state.h"

#include <inttypes.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"

/* ---- Into the log ---------------------------------------------------------------------------- */

/* What the leader itself proposes is asked for once. Without memory for it he can lead no more. */
static void propose_entry (struct ensemble *self, const struct entry *entry)
{
    struct buf bytes;
    buf_init (&bytes);
    entry_encode (&bytes, entry);
    if (bytes.failed || proposals_add (&self->proposals, 0, bytes.data, bytes.size) != 0) {
        ensemble_fail (self, COHORT_ENOMEM, "out of memory for what the leader proposes");
    }
    buf_deinit (&bytes);
}

/* The first entry of every log. */
void ensemble_propose_cluster (struct ensemble *self)
{
    const struct store_meta *meta = store_meta (self->store);
    struct entry entry = {.kind = ENTRY_CLUSTER,
                          .u.cluster = {.config = meta->config,
                                        .limits = self->limits,
                                        .admins = self->admins,
                                        .admins_size = (uint32_t) self->admins_size}};
    memcpy (entry.u.cluster.cluster_id, meta->cluster_id, sizeof entry.u.cluster.cluster_id);
    if (self->addresses != NULL) {
        entry.u.cluster.addresses = self->addresses->data;
        entry.u.cluster.addresses_size = (uint32_t) self->addresses->size;
    }
    entry.u.cluster.config.version = zxid_make (ensemble_zab (self)->current_epoch, 1);
    propose_entry (self, &entry);
}

/* An ATTACH shows that its session's client lives, unless somebody else asks for it. */
static void touch (struct ensemble *self, const struct entry_attach *attach)
{
    if (tree_session_admits (self->tree, attach->session, attach->password_hash)) {
        tracker_touch (self->tracker, attach->session);
    }
}

/* Of a server's clients.  0, COHORT_EPROTOCOL: no server could apply it, COHORT_ENOMEM,
 * COHORT_ELIMIT: whoever has it must send it again. */
static int take_request (struct ensemble *self, uint32_t server, const uint8_t *data, size_t size)
{
    struct entry entry;
    if (!proposals_acceptable (data, size, &entry)) {
        return COHORT_EPROTOCOL;
    }
    if (entry.kind == ENTRY_ATTACH) {
        touch (self, &entry.u.attach);
    }
    return proposals_add (&self->proposals, server, data, size);
}

void ensemble_submit (struct ensemble *self, const uint8_t *entry, size_t size)
{
    if (!self->up) {
        return; /* submitted again to the next leader */
    }
    if (self->up_leader != self->id) {
        links_forward (self->links, self->up_leader, entry, size);
        return;
    }
    int code = take_request (self, self->id, entry, size);
    if (code == COHORT_EPROTOCOL) {
        logger_write (&self->logger, LOG_ERROR, "request-malformed", "size=%zu", size);
        return;
    }
    if (code == COHORT_ELIMIT) {
        proposals_forget (&self->proposals, self->id); /* much of it nobody may want any more */
    }
    if (code != 0 && self->resubmit_ms == INT64_MAX) {
        self->resubmit_ms = self->now_ms + ENSEMBLE_NOMEM_MS;
    }
}

/* As if there were a new leader: the clients submit again whatever is unanswered. */
void ensemble_resubmit (struct ensemble *self)
{
    if (self->now_ms < self->resubmit_ms) {
        return;
    }
    self->resubmit_ms = INT64_MAX;
    if (self->up) {
        logger_write (&self->logger, LOG_WARNING, "requests-repeated",
                      "reason=\"there was no room\"");
        self->host.leader (self->host.arg, false);
        self->host.leader (self->host.arg, true);
    }
}

static void take_forwarded (struct ensemble *self, uint32_t peer, struct peer_bytes forwarded)
{
    struct reader reader;
    struct peer_bytes request;
    reader_init (&reader, forwarded.data, forwarded.size);
    while (peer_forward_next (&reader, &request)) {
        int code = take_request (self, peer, request.data, request.size);
        if (code == COHORT_EPROTOCOL) {
            logger_write (&self->logger, LOG_ERROR, "request-malformed",
                          "peer=%" PRIu32 " size=%zu", peer, request.size);
        }
        if (code != 0) {
            /* It sends all of them again, to whoever leads then. */
            links_reset (self->links, peer,
                         code == COHORT_ENOMEM   ? "out of memory"
                         : code == COHORT_ELIMIT ? "too many of its requests wait"
                                                 : "a malformed request");
            return;
        }
    }
}

/* An emptied voter that has caught up counts again once an entry lists its new store. */
static void propose_stores (struct ensemble *self)
{
    const struct config_set *configs = tree_configs (self->tree);
    if (configs == NULL || self->applied.zxid < self->history) {
        return;
    }
    const struct zab_status *status = ensemble_zab (self);
    for (size_t i = 0; i < self->peers_count; i++) {
        struct ensemble_peer *peer = &self->peers[i];
        const struct config_member *member = config_find (&configs->configs[0], peer->id);
        uint64_t store_id = links_store_id (self->links, peer->id);
        if (member == NULL || member->role != CONFIG_VOTER || store_id == 0 ||
            member->store_id == store_id || peer->proposed == store_id ||
            peer->acked_epoch != status->current_epoch) {
            continue;
        }
        struct entry entry = {.kind = ENTRY_MEMBER_STORE,
                              .u.member_store = {.id = peer->id,
                                                 .old_store_id = member->store_id,
                                                 .new_store_id = store_id}};
        peer->proposed = store_id;
        logger_write (&self->logger, LOG_INFO, "member-store",
                      "peer=%" PRIu32 " old=%" PRIx64 " new=%" PRIx64, peer->id, member->store_id,
                      store_id);
        propose_entry (self, &entry);
    }
}

/* What is compared with the ends of znodes' lives: the stamp of what would be proposed now. */
static int64_t lapse_time_ms (const struct ensemble *self)
{
    return zab_stamp_ms (self->zab, self->now_ms, self->wall_ms);
}

bool ensemble_has_configured_admins (const struct ensemble *self)
{
    size_t size;
    const uint8_t *present = tree_admins (self->tree, &size);
    return size == self->admins_size && (size == 0 || memcmp (present, self->admins, size) == 0);
}

/* An ensemble that was founded without administrators gets those of its leader's configuration: who
 * can write that can do with the state what he likes anyway (docs/acl.md).  For the same reason a
 * configuration may say that they take the place of others, who cannot be reached any more. */
static void propose_admins (struct ensemble *self)
{
    if (self->admins_size == 0 || self->admins_done || tree_cluster_id (self->tree) == NULL ||
        self->applied.zxid < self->history) {
        return;
    }
    size_t size;
    struct entry entry = {.u.admins = {.list = self->admins, .size = (uint32_t) self->admins_size}};
    (void) tree_admins (self->tree, &size);
    self->admins_done = true;
    if (size == 0) {
        entry.kind = ENTRY_ADMINS;
        logger_write (&self->logger, LOG_INFO, "admins-proposed",
                      "reason=\"the ensemble has none\"");
        propose_entry (self, &entry);
    } else if (ensemble_has_configured_admins (self)) {
        self->replace_admins = false;
    } else if (self->replace_admins) {
        entry.kind = ENTRY_REPLACE_ADMINS;
        logger_write (&self->logger, LOG_WARNING, "admins-proposed",
                      "reason=\"replaceAdmins=yes in this server's configuration: take the line "
                      "out of it\"");
        propose_entry (self, &entry);
    } else {
        logger_write (&self->logger, LOG_INFO, "admins-ignored",
                      "reason=\"the ensemble has administrators, and they are not those of the "
                      "configuration: only they can name others\"");
    }
}

/* Znodes whose time is over go, some at a time; apply decides whether it is. */
static void propose_lapses (struct ensemble *self)
{
    if (ensemble_lapse_deadline (self) > self->now_ms) {
        return;
    }
    struct buf items, bytes;
    buf_init (&items);
    buf_init (&bytes);
    struct entry entry = {.kind = ENTRY_LAPSE};
    entry.u.lapse.count = tree_lapses (self->tree, lapse_time_ms (self), &items);
    entry_encode (&bytes, &entry);
    buf_append (&bytes, items.data, items.size);
    if (items.failed || bytes.failed ||
        proposals_add (&self->proposals, 0, bytes.data, bytes.size) != 0) {
        ensemble_fail (self, COHORT_ENOMEM, "out of memory for what the leader proposes");
    }
    self->lapsing = true;
    buf_deinit (&items);
    buf_deinit (&bytes);
}

/* The clock of time stamps is another than that of deadlines. */
int64_t ensemble_lapse_deadline (const struct ensemble *self)
{
    if (!ensemble_leads (self) || self->lapsing || self->applied.zxid < self->history) {
        return INT64_MAX;
    }
    int64_t due_ms = tree_lapse_ms (self->tree);
    int64_t time_ms = lapse_time_ms (self);
    int64_t left_ms = due_ms > time_ms ? due_ms - time_ms : 0;
    return left_ms < INT64_MAX - self->now_ms ? self->now_ms + left_ms : INT64_MAX;
}

/* Each server's newest question is its only one: the answer to it answers those before. */
static void answer_sync (struct ensemble *self, uint32_t server, uint64_t *token)
{
    if (*token != 0) {
        zxid_t last =
            COHORT_MUTATED (read_of_applied) ? self->applied.zxid : ensemble_zab (self)->last;
        tracker_sync (self->tracker, server, *token, last);
        *token = 0;
    }
}

/* The tracker has to know of attaches before anybody can have applied them.  As long as the initial
 * history is not applied here, whose they are cannot be told. */
static void note_attaches (struct ensemble *self, const struct zab_proposal *list, size_t count)
{
    zxid_t last = ensemble_zab (self)->last;
    bool blind = self->applied.zxid < self->history;
    for (size_t i = 0; i < count; i++) {
        struct entry entry;
        if (entry_peek_kind (list[i].data, list[i].size) == ENTRY_ATTACH &&
            entry_decode (&entry, list[i].data, list[i].size) &&
            (blind || tree_session_admits (self->tree, entry.u.attach.session,
                                           entry.u.attach.password_hash))) {
            tracker_attaching (self->tracker, entry.u.attach.session, last);
        }
    }
}

/* Everything of this turn at once, and behind it the points that reads have asked for. */
bool ensemble_propose (struct ensemble *self)
{
    if (!ensemble_leads (self)) {
        proposals_clear (&self->proposals);
        self->lapsing = false;
        self->admins_done = false;
        ensemble_forget_syncs (self);
        return false;
    }
    propose_stores (self);
    propose_admins (self);
    propose_lapses (self);
    const struct zab_proposal *list = NULL;
    bool starved = ensemble_starved (self) &&
                   !COHORT_MUTATED (full_proposes); /* they wait; points of reads do not */
    size_t count = starved ? 0 : proposals_take (&self->proposals, &list);
    if (count > 0) {
        ensemble_step (self, (struct zab_event){.type = ZAB_EVENT_PROPOSE,
                                                .proposals = list,
                                                .proposals_count = count});
        if (!ensemble_leads (self)) {
            return false; /* no longer: with the leadership the list has gone */
        }
        note_attaches (self, list, count);
    }
    if (proposals_count (&self->proposals) > 0 && !starved) {
        return true;
    }
    answer_sync (self, self->id, &self->sync);
    for (size_t i = 0; i < self->peers_count; i++) {
        answer_sync (self, self->peers[i].id, &self->peers[i].sync);
    }
    return false;
}

/* ---- The leader's business with sessions ----------------------------------------------------- */

int ensemble_expire (struct ensemble *self, uint64_t session)
{
    if (!self->up || self->up_leader != self->id) {
        return COHORT_ESTATE;
    }
    int code = tracker_expire (self->tracker, session);
    /* A follower may have committed the session's beginning, and told its client, a moment ago. */
    bool behind = tree_zxid (self->tree) < store_last (self->store);
    return code == COHORT_ESESSIONEXPIRED && behind ? COHORT_ESTATE : code;
}

void ensemble_heartbeat (struct ensemble *self, uint64_t session, uint64_t attach_no, uint64_t seq)
{
    if (!self->up) {
        return;
    }
    if (self->up_leader == self->id) {
        tracker_heartbeat (self->tracker, self->id, session, attach_no, seq);
    } else {
        links_heartbeat (self->links, self->up_leader, session, attach_no, seq);
    }
}

void ensemble_disconnected (struct ensemble *self, uint64_t session, uint64_t attach_no)
{
    if (!self->up) {
        return;
    }
    if (self->up_leader == self->id) {
        tracker_disconnected (self->tracker, self->id, session, attach_no);
    } else {
        links_disconnect (self->links, self->up_leader, session, attach_no);
    }
}

void ensemble_forget_syncs (struct ensemble *self)
{
    self->sync = 0;
    for (size_t i = 0; i < self->peers_count; i++) {
        self->peers[i].sync = 0;
    }
}

bool ensemble_sync_due (const struct ensemble *self)
{
    bool due = self->sync != 0;
    for (size_t i = 0; i < self->peers_count; i++) {
        due |= self->peers[i].sync != 0;
    }
    return due;
}

void ensemble_sync (struct ensemble *self, uint64_t token)
{
    if (!self->up) {
        return;
    }
    if (self->up_leader == self->id) {
        self->sync = token;
    } else {
        links_sync (self->links, self->up_leader, token);
    }
}

void ensemble_forget_questions (struct ensemble *self, uint32_t server)
{
    struct ensemble_peer *peer = ensemble_find (self, server);
    COHORT_ASSERT (peer != NULL);
    peer->sync = 0;
    tracker_server_down (self->tracker, server);
}

static void take_as_leader (struct ensemble *self, uint32_t peer, const struct peer_frame *frame)
{
    struct reader reader;
    take_forwarded (self, peer, frame->forwarded);
    reader_init (&reader, frame->disconnects.data, frame->disconnects.size);
    while (reader_left (&reader) > 0) {
        uint64_t session = reader_u64 (&reader);
        tracker_disconnected (self->tracker, peer, session, reader_u64 (&reader));
    }
    reader_init (&reader, frame->heartbeats.data, frame->heartbeats.size);
    while (reader_left (&reader) > 0) {
        uint64_t session = reader_u64 (&reader);
        uint64_t attach_no = reader_u64 (&reader);
        tracker_heartbeat (self->tracker, peer, session, attach_no, reader_u64 (&reader));
    }
    struct ensemble_peer *from = ensemble_find (self, peer);
    COHORT_ASSERT (from != NULL);
    reader_init (&reader, frame->syncs.data, frame->syncs.size);
    while (reader_left (&reader) > 0) {
        from->sync = reader_u64 (&reader);
    }
}

static void take_from_leader (struct ensemble *self, const struct peer_frame *frame)
{
    struct reader reader;
    reader_init (&reader, frame->confirmations.data, frame->confirmations.size);
    while (reader_left (&reader) > 0) {
        uint64_t session = reader_u64 (&reader);
        uint64_t attach_no = reader_u64 (&reader);
        self->host.confirmed (self->host.arg, session, attach_no, reader_u64 (&reader));
    }
    reader_init (&reader, frame->synced.data, frame->synced.size);
    while (reader_left (&reader) > 0) {
        uint64_t token = reader_u64 (&reader);
        self->host.synced (self->host.arg, token, reader_u64 (&reader));
    }
}

void ensemble_requests (struct ensemble *self, uint32_t peer, const struct peer_frame *frame)
{
    if (ensemble_leads (self)) {
        take_as_leader (self, peer, frame);
    } else if (self->up && self->up_leader == peer) {
        take_from_leader (self, frame);
    }
}

/* ---- The tracker's host ---------------------------------------------------------------------- */

static bool find_session (void *arg, uint64_t id, struct tree_session *session)
{
    return tree_session (((struct ensemble *) arg)->tree, id, session);
}

static bool next_session (void *arg, uint64_t after, struct tree_session *session)
{
    return tree_session_next (((struct ensemble *) arg)->tree, after, session);
}

static bool dead_session (void *arg, struct tree_session *session)
{
    return tree_session_dead (((struct ensemble *) arg)->tree, session);
}

static void propose_for_tracker (void *arg, const struct entry *entry)
{
    propose_entry (arg, entry);
}

static void confirm (void *arg, uint32_t server, uint64_t session, uint64_t attach_no, uint64_t seq)
{
    struct ensemble *self = arg;
    if (server == self->id) {
        self->host.confirmed (self->host.arg, session, attach_no, seq);
    } else {
        links_confirmation (self->links, server, session, attach_no, seq);
    }
}

static void synced (void *arg, uint32_t server, uint64_t token, zxid_t zxid)
{
    struct ensemble *self = arg;
    if (server == self->id) {
        self->host.synced (self->host.arg, token, zxid);
    } else {
        links_synced (self->links, server, token, zxid);
    }
}

bool ensemble_tracker_init (struct ensemble *self)
{
    struct tracker_host host = {
        self, find_session, next_session, dead_session, propose_for_tracker, confirm, synced};
    self->tracker = tracker_new (&host, self->peer_timeout_ms, &self->logger, self->now_ms);
    return self->tracker != NULL;
}

/* clients_world.c: see clients_world.h. */

#include "tests/unit/node/clients_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "server/node/error_text.h"
#include "server/node/identity_text.h"

static const uint8_t CLUSTER[16] = "a cluster's id..";

/* ---- Lines ----------------------------------------------------------------------------------- */

#if defined(__GNUC__)
__attribute__ ((format (printf, 2, 3)))
#endif
static void
write_text (struct buf *out, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start (args, format);
    int size = vsnprintf (text, sizeof text, format, args);
    va_end (args);
    assert_true (size >= 0);
    buf_append (out, text, (size_t) size < sizeof text ? (size_t) size : sizeof text - 1);
}

static const char *take_line (const struct buf *buf, size_t *read)
{
    static char line[1100];
    if (*read >= buf->size) {
        return NULL;
    }
    const char *at = (const char *) buf->data + *read;
    const char *end = memchr (at, '\n', buf->size - *read);
    assert_non_null (end);
    size_t size = (size_t) (end - at);
    *read += size + 1;
    size = size < sizeof line ? size : sizeof line - 1;
    memcpy (line, at, size);
    line[size] = '\0';
    return line;
}

static void check_line (const char *got, const char *wanted, size_t size)
{
    if (got == NULL && wanted == NULL) {
        return;
    }
    if (got == NULL || wanted == NULL || strncmp (got, wanted, size) != 0) {
        fail_msg ("expected \"%s\", got \"%s\"", wanted != NULL ? wanted : "(nothing)",
                  got != NULL ? got : "(nothing)");
    }
}

/* What is compared of a line that is to be all that comes. */
static size_t whole (const char *line)
{
    return line != NULL ? strlen (line) + 1 : 0;
}

const char *next_line (struct peer *peer)
{
    return take_line (&peer->trace, &peer->read);
}

void forget_lines (struct peer *peer)
{
    peer->read = peer->trace.size;
}

void expect (struct peer *peer, const char *line)
{
    check_line (next_line (peer), line, whole (line));
}

void expect_prefix (struct peer *peer, const char *prefix)
{
    check_line (next_line (peer), prefix, strlen (prefix));
}

void expect_note (struct world *world, size_t server, const char *line)
{
    struct world_server *self = &world->servers[server];
    check_line (take_line (&self->notes, &self->notes_read), line, whole (line));
}

void forget_notes (struct world *world, size_t server)
{
    world->servers[server].notes_read = world->servers[server].notes.size;
}

/* ---- What a client receives ------------------------------------------------------------------ */

static void trace_stat (struct peer *peer, const Cohort__Wire__Stat *stat)
{
    if (stat != NULL) {
        write_text (&peer->trace, " v=%d", stat->version);
        if (stat->ephemeral_owner != 0) {
            write_text (&peer->trace, " owner=%llx", (unsigned long long) stat->ephemeral_owner);
        }
    }
}

static void trace_data (struct peer *peer, ProtobufCBinaryData data)
{
    if (data.len > 64) {
        write_text (&peer->trace, "%zu bytes", data.len);
    } else {
        write_text (&peer->trace, "%.*s", (int) data.len, (const char *) data.data);
    }
}

static const char *code_text (int code)
{
    return error_name (code) + strlen ("COHORT_");
}

/* Of several reads. */
static void trace_read (struct peer *peer, const Cohort__Wire__ReadResult *read)
{
    write_text (&peer->trace, " {%s", code_text (read->code));
    if (read->data.len > 0) {
        write_text (&peer->trace, " data=");
        trace_data (peer, read->data);
    }
    trace_stat (peer, read->stat);
    for (size_t i = 0; i < read->n_children && i < 10; i++) {
        write_text (&peer->trace, "%s%s", i == 0 ? " children=" : ",", read->children[i]);
    }
    if (read->next[0] != '\0') {
        write_text (&peer->trace, " next=%s", read->next);
    }
    if (read->value != 0) {
        write_text (&peer->trace, " value=%lld", (long long) read->value);
    }
    write_text (&peer->trace, "}");
}

static void trace_reads (struct peer *peer, const Cohort__Wire__Reply *reply)
{
    for (size_t i = 0; i < reply->n_reads && i < 10; i++) {
        trace_read (peer, reply->reads[i]);
    }
    for (size_t i = 0; i < reply->n_identities; i++) {
        write_text (&peer->trace, " %s:%s", reply->identities[i]->scheme, reply->identities[i]->id);
    }
    for (size_t i = 0; i < reply->n_acl; i++) {
        const Cohort__Wire__AclItem *item = reply->acl[i];
        write_text (&peer->trace, " %u:%.*s:%.*s", item->perms, (int) item->scheme.len,
                    (const char *) item->scheme.data, (int) item->id.len,
                    (const char *) item->id.data);
    }
    if (reply->n_sessions > 0) {
        write_text (&peer->trace, " sessions=%zu%s", reply->n_sessions,
                    reply->more_sessions ? " more" : "");
    }
    if (reply->value != 0) {
        write_text (&peer->trace, " value=%lld", (long long) reply->value);
    }
    if (reply->detail[0] != '\0') {
        write_text (&peer->trace, " (%s)", reply->detail);
    }
}

static void take_reply (struct peer *peer, const Cohort__Wire__Reply *reply)
{
    write_text (&peer->trace, "reply %llu %s", (unsigned long long) reply->xid,
                code_text (reply->code));
    if (reply->number != 0) {
        write_text (&peer->trace, " n=%llu", (unsigned long long) reply->number);
    }
    if (reply->expected != 0) {
        write_text (&peer->trace, " expected=%llu", (unsigned long long) reply->expected);
    }
    if (reply->path[0] != '\0') {
        write_text (&peer->trace, " path=%s", reply->path);
    }
    if (reply->data.len > 0) {
        write_text (&peer->trace, " data=");
        trace_data (peer, reply->data);
    }
    trace_stat (peer, reply->stat);
    for (size_t i = 0; i < reply->n_children && i < 10; i++) {
        write_text (&peer->trace, "%s%s", i == 0 ? " children=" : ",", reply->children[i]);
    }
    for (size_t i = 0; i < reply->n_listed && i < 10; i++) {
        write_text (&peer->trace, " (%s", reply->listed[i]->name);
        trace_stat (peer, reply->listed[i]->stat);
        if (reply->listed[i]->data.len > 0) {
            write_text (&peer->trace, " data=");
            trace_data (peer, reply->listed[i]->data);
        }
        write_text (&peer->trace, "%s", reply->listed[i]->hidden ? " hidden" : "");
        write_text (&peer->trace, ")");
    }
    if (reply->next[0] != '\0') {
        write_text (&peer->trace, " next=%s", reply->next);
    }
    peer->listed += reply->n_children + reply->n_listed;
    for (size_t i = 0; i < reply->n_results; i++) {
        const Cohort__Wire__OpResult *result = reply->results[i];
        write_text (&peer->trace, " [%s %s", code_text (result->code), result->path);
        trace_stat (peer, result->stat);
        write_text (&peer->trace, "]");
    }
    trace_reads (peer, reply);
    write_text (&peer->trace, "\n");
    assert_true (reply->zxid > 0);
    peer->replied = reply->zxid;
    peer->settled = reply->zxid > peer->settled ? reply->zxid : peer->settled;
}

static void take_event (struct peer *peer, const Cohort__Wire__WatchEvent *event)
{
    static const char *const types[] = {"?", "CREATED", "DELETED", "CHANGED", "CHILDREN"};
    static const char *const kinds[] = {"?", "data", "exists", "children"};
    assert_in_range (event->type, 1, 4);
    assert_in_range (event->kind, 1, 3);
    assert_true (peer->mad || event->zxid > peer->settled);
    write_text (&peer->trace, "event %s %s (%s)\n", types[event->type], event->path,
                kinds[event->kind]);
}

static uint64_t stream_since (struct peer *peer, uint64_t id)
{
    for (size_t i = 0; i < WORLD_STREAMS_MAX; i++) {
        if (peer->streams[i].id == id) {
            return peer->streams[i].since;
        }
    }
    return UINT64_MAX;
}

static void count_piece (struct peer *peer, const Cohort__Wire__StreamBatch *piece)
{
    size_t found = 0, bytes = cohort__wire__stream_batch__get_packed_size (piece);
    for (size_t i = 0; i < piece->n_changes; i++) {
        found += piece->changes[i]->kind == 4;
    }
    peer->walk.pieces++;
    peer->walk.nodes += found;
    peer->walk.changes += piece->n_changes - found;
    peer->walk.firsts += piece->first ? 1 : 0;
    peer->walk.wholes += !piece->more;
    peer->walk.nodes_max = found > peer->walk.nodes_max ? found : peer->walk.nodes_max;
    peer->walk.bytes_max = bytes > peer->walk.bytes_max ? bytes : peer->walk.bytes_max;
    peer->walk.bytes += bytes;
    if (peer->walk.take != NULL) {
        peer->walk.take (peer->walk.arg, piece);
    }
}

static void take_batch (struct peer *peer, const Cohort__Wire__StreamBatch *batch)
{
    uint64_t since = stream_since (peer, batch->stream_id);
    /* What a stream has to catch up with lies before its opening. */
    assert_true (peer->mad || batch->zxid <= since || batch->zxid > peer->settled ||
                 batch->snapshot || (batch->n_changes == 0 && !batch->first));
    write_text (&peer->trace, "batch %llu%s%s%s", (unsigned long long) batch->stream_id,
                batch->snapshot ? " snapshot" : "", batch->first ? " first" : "",
                batch->more ? " more" : "");
    for (size_t i = 0; i < batch->n_changes && i < 10; i++) {
        const Cohort__Wire__Change *change = batch->changes[i];
        if (change->kind == EFFECT_OWNER) {
            assert_non_null (change->owner);
            write_text (&peer->trace, " owner=%llu>%llu", (unsigned long long) change->owner->from,
                        (unsigned long long) change->owner->to);
            continue;
        }
        bool list = change->kind == EFFECT_ACL;
        assert_true (list || (change->kind >= 1 && change->kind <= (batch->snapshot ? 4 : 3)));
        assert_int_equal (change->stat == NULL, change->kind == EFFECT_DELETED);
        assert_false (change->hidden && change->data.len > 0);
        write_text (&peer->trace, " %c%s%s", list ? 'a' : "?+-~*"[change->kind], change -> path,
                    change -> hidden ? "!" : "");
        if (change->data.len > 0) {
            write_text (&peer->trace, "=");
            trace_data (peer, change->data);
        }
    }
    if (batch->n_changes > 10) {
        write_text (&peer->trace, " ...%zu", batch->n_changes);
    }
    write_text (&peer->trace, "\n");
    if (!batch->more) {
        peer->batched = batch->zxid;
    }
    if (batch->snapshot && batch->stream_id == peer->walk.id) {
        count_piece (peer, batch);
    }
    if (batch->sent != 0 && !peer->hoards) {
        size_t at = 0;
        while (at < peer->taken_count && peer->taken[at].id != batch->stream_id) {
            at++;
        }
        assert_true (at < WORLD_STREAMS_MAX);
        peer->taken_count += at == peer->taken_count;
        peer->taken[at].id = batch->stream_id;
        peer->taken[at].bytes = batch->sent;
    }
}

static void take_status (struct peer *peer, const Cohort__Wire__Status *status)
{
    write_text (&peer->trace, "status server=%u role=%s zxid=%llu members=%zu digest=%s",
                status->server_id, status->role,
                (unsigned long long) (status->zxid & ZXID_COUNTER_MAX), status->n_members,
                status->digest != 0 ? "yes" : "no");
    for (size_t i = 0; i < status->n_members; i++) {
        write_text (&peer->trace, " %u/%s/%s", status->members[i]->id, status->members[i]->role,
                    status->members[i]->client_address);
    }
    write_text (&peer->trace, "\n");
}

static void take_frame (struct peer *peer, const Cohort__Wire__ServerFrame *frame)
{
    if (frame->welcome != NULL) {
        const Cohort__Wire__Welcome *welcome = frame->welcome;
        assert_memory_equal (welcome->cluster_id.data, CLUSTER, 16);
        peer->session = welcome->session_id;
        peer->credit = welcome->credit_bytes;
        write_text (&peer->trace, "welcome attach=%llu last=%llu timeout=%u\n",
                    (unsigned long long) welcome->attach_no,
                    (unsigned long long) welcome->last_number, welcome->timeout_ms);
    }
    if (frame->held != NULL) {
        write_text (&peer->trace, "held \"%s\"\n", frame->held->reason);
    }
    for (size_t i = 0; i < frame->n_items; i++) {
        const Cohort__Wire__Item *item = frame->items[i];
        if (item->item_case == COHORT__WIRE__ITEM__ITEM_REPLY) {
            take_reply (peer, item->reply);
        } else if (item->item_case == COHORT__WIRE__ITEM__ITEM_EVENT) {
            take_event (peer, item->event);
        } else {
            assert_int_equal (item->item_case, COHORT__WIRE__ITEM__ITEM_BATCH);
            take_batch (peer, item->batch);
        }
    }
    if (frame->zxid != 0) {
        assert_true (frame->zxid >= peer->settled);
        peer->settled = frame->zxid;
    }
    if (frame->confirmed != 0) {
        write_text (&peer->trace, "confirmed %llu\n", (unsigned long long) frame->confirmed);
    }
    if (frame->status != NULL) {
        take_status (peer, frame->status);
    }
    if (frame->backup != NULL) {
        write_text (&peer->trace, "backup part %s: %s\n", code_text (frame->backup->code),
                    frame->backup->text);
    }
    if (frame->refused != NULL) {
        write_text (&peer->trace, "refused %s: %s\n", code_text (frame->refused->code),
                    frame->refused->text);
    }
}

/* ---- What the server is given ---------------------------------------------------------------- */

static struct peer *find_peer (struct world *world, uint64_t connection)
{
    for (size_t i = 0; i < world->peers_count; i++) {
        if (world->peers[i]->connection == connection) {
            return world->peers[i];
        }
    }
    return NULL;
}

static bool client_send (void *arg, uint64_t connection, const uint8_t *data, size_t size)
{
    struct world_server *server = arg;
    struct world *world = server->world;
    if (world->hooks != NULL) {
        return world->hooks->send (world->hooks_arg, server->id - 1, connection, data, size);
    }
    struct peer *peer = find_peer (world, connection);
    if (peer == NULL) {
        return true;
    }
    if (peer->full) {
        return false;
    }
    assert_false (peer->dropped);
    if (size == 0) {
        write_text (&peer->trace, "there\n");
        return true;
    }
    Cohort__Wire__ServerFrame *frame = cohort__wire__server_frame__unpack (NULL, size, data);
    assert_non_null (frame);
    peer->frames++;
    peer->largest = size > peer->largest ? size : peer->largest;
    take_frame (peer, frame);
    cohort__wire__server_frame__free_unpacked (frame, NULL);
    return true;
}

static void client_origin (void *arg, uint64_t connection, struct buf *identities)
{
    struct world_server *server = arg;
    const struct peer *peer = find_peer (server->world, connection);
    if (peer != NULL) {
        identity_put_origin (identities, peer->address, peer->key);
    }
}

static void client_drop (void *arg, uint64_t connection)
{
    struct world_server *server = arg;
    struct world *world = server->world;
    if (world->hooks != NULL) {
        world->hooks->drop (world->hooks_arg, server->id - 1, connection);
        return;
    }
    struct peer *peer = find_peer (world, connection);
    if (peer != NULL) {
        peer->dropped = true;
    }
}

static void grow (struct world_entry **list, size_t count, size_t *capacity)
{
    if (count == *capacity) {
        *capacity = *capacity == 0 ? 64 : 2 * *capacity;
        *list = mem_realloc (*list, *capacity * sizeof **list);
        assert_non_null (*list);
    }
}

static void submit (struct world *world, size_t server, const uint8_t *entry, size_t size)
{
    grow (&world->waiting, world->waiting_count, &world->waiting_capacity);
    uint8_t *copy = mem_dup (entry, size);
    assert_non_null (copy);
    world->waiting[world->waiting_count++] = (struct world_entry){copy, size, server, 0};
}

static void host_submit (void *arg, const uint8_t *entry, size_t size)
{
    struct world_server *server = arg;
    struct entry decoded;
    assert_true (server->leader);
    assert_true (entry_decode (&decoded, entry, size));
    submit (server->world, server->id - 1, entry, size);
}

static void host_heartbeat (void *arg, uint64_t session, uint64_t attach_no, uint64_t seq)
{
    struct world_server *server = arg;
    struct world *world = server->world;
    if (world->hooks != NULL) {
        world->hooks->heartbeat (world->hooks_arg, server->id - 1, session, attach_no, seq);
        return;
    }
    write_text (&server->notes, "heartbeat %llx %llu %llu\n", (unsigned long long) session,
                (unsigned long long) attach_no, (unsigned long long) seq);
}

static void host_disconnected (void *arg, uint64_t session, uint64_t attach_no)
{
    struct world_server *server = arg;
    assert_true (server->leader);
    write_text (&server->notes, "disconnected %llx %llu\n", (unsigned long long) session,
                (unsigned long long) attach_no);
}

static void host_sync (void *arg, uint64_t token)
{
    struct world_server *server = arg;
    assert_true (server->leader);
    server->last_token = token;
    if (server->world->hooks != NULL) {
        server->world->hooks->sync (server->world->hooks_arg, server->id - 1, token);
        return;
    }
    write_text (&server->notes, "sync %llu\n", (unsigned long long) token);
}

static void host_log (void *arg, enum log_level level, const char *event, const char *details)
{
    struct world_server *server = arg;
    if (level <= LOG_INFO) {
        server->logged++;
        snprintf (server->log, sizeof server->log, "%s %s", event, details);
    }
}

static void host_status (void *arg, struct node_status *status)
{
    const struct world_server *server = arg;
    status->id = server->id;
    status->zab.role = ZAB_FOLLOWING;
    status->applied = tree_zxid (server->tree);
    status->digest = tree_digest (server->tree);
    status->cluster_id = tree_cluster_id (server->tree);
}

static void host_backup (void *arg, uint64_t connection, uint64_t received)
{
    struct world_server *server = arg;
    struct peer *peer = find_peer (server->world, connection);
    assert_non_null (peer);
    write_text (&peer->trace, "backup from %llu\n", (unsigned long long) received);
}

/* ---- The world ------------------------------------------------------------------------------- */

static const struct node_member MEMBERS[] = {
    {1, CONFIG_VOTER, "tcp://one:5188", "tcp://one:5181"},
    {2, CONFIG_OBSERVER, "tcp://two:5188", ""},
};

static void server_new (struct world *world, size_t index, const struct world_options *options)
{
    struct world_server *server = &world->servers[index];
    struct tree_options tree = {.effects_bytes_max = options->effects_bytes};
    server->world = world;
    server->id = (uint32_t) index + 1;
    server->tree = tree_new (&tree);
    assert_non_null (server->tree);
    struct clients_options clients = {
        .id = server->id,
        .host = {server, host_submit, host_heartbeat, host_disconnected, host_sync},
        .transport = {.arg = server,
                      .client_send = client_send,
                      .client_drop = client_drop,
                      .client_origin = client_origin},
        .logger = {host_log, server, LOG_INFO},
        .tree = server->tree,
        .pending_bytes_max = options->pending_bytes,
        .output_bytes_max = options->output_bytes,
        .walk_nodes = options->walk_nodes,
        .walk_window = options->walk_window,
        .turn_work = options->turn_work,
        .writes_under_way = options->writes_under_way,
        .watches_max = options->watches_max,
        .hellos_max = options->hellos_max,
        .status = host_status,
        .status_arg = server,
        .backup = host_backup,
        .backup_arg = server,
        .members = MEMBERS,
        .members_count = 2,
    };
    server->clients = clients_new (&clients);
    assert_non_null (server->clients);
    clients_time (server->clients, world->now_ms);
}

static void found_cluster (struct world *world, const struct world_options *options)
{
    struct entry entry = {.kind = ENTRY_CLUSTER};
    struct entry_cluster *cluster = &entry.u.cluster;
    struct buf admins = {0};
    char error[200];
    if (options->admins != NULL) {
        assert_true (admins_parse (&admins, options->admins, error, sizeof error));
        cluster->admins = admins.data;
        cluster->admins_size = (uint32_t) admins.size;
    }
    memcpy (cluster->cluster_id, CLUSTER, sizeof cluster->cluster_id);
    cluster->config.count = 1;
    cluster->config.members[0] = (struct config_member){1, CONFIG_VOTER, 1};
    cluster->limits = (struct entry_limits){
        .data_size_max = options->data_size_max != 0 ? options->data_size_max : 1 << 20,
        .path_size_max = 4096,
        .window = options->window != 0 ? options->window : 1024,
        .results_size_max = options->results_size_max != 0 ? options->results_size_max : 1 << 20,
        .timeout_min_ms = 100,
        .timeout_max_ms = 100000,
        .grace_min_ms = 10,
    };
    world_entry (world, &entry);
    buf_deinit (&admins);
}

struct world *world_new (const struct world_options *options)
{
    static const struct world_options defaults;
    struct world *world = mem_calloc (1, sizeof *world);
    assert_non_null (world);
    options = options != NULL ? options : &defaults;
    world->count = options->servers != 0 ? options->servers : 1;
    world->epoch = 1;
    world->now_ms = 1000;
    for (size_t i = 0; i < world->count; i++) {
        server_new (world, i, options);
    }
    found_cluster (world, options);
    for (size_t i = 0; i < world->count; i++) {
        world->servers[i].leader = !world->servers[i].behind;
        clients_leader (world->servers[i].clients, world->servers[i].leader);
    }
    return world;
}

static void peer_free (struct peer *peer)
{
    buf_deinit (&peer->trace);
    arena_deinit (&peer->arena);
    mem_free (peer);
}

void world_free (struct world **world_p)
{
    struct world *world = *world_p;
    for (size_t i = 1; i < world->count; i++) {
        assert_int_equal (tree_digest (world->servers[i].tree),
                          tree_digest (world->servers[0].tree));
    }
    for (size_t i = 0; i < world->count; i++) {
        struct world_server *server = &world->servers[i];
        clients_destroy (&server->clients);
        tree_destroy (&server->tree);
        buf_deinit (&server->notes);
    }
    for (size_t i = 0; i < world->waiting_count; i++) {
        mem_free (world->waiting[i].data);
    }
    for (size_t i = 0; i < world->log_count; i++) {
        mem_free (world->log[i].data);
    }
    for (size_t i = 0; i < world->peers_count; i++) {
        peer_free (world->peers[i]);
    }
    mem_free (world->waiting);
    mem_free (world->log);
    mem_free (world->zxids);
    mem_free (world);
    *world_p = NULL;
}

static void apply_next (struct world *world, struct world_server *server)
{
    size_t index = server->applied++;
    const struct world_entry *entry = &world->log[index];
    struct tree_outcome outcome;
    assert_true (tree_apply (server->tree, world->zxids[index], entry->stamp_ms, entry->data,
                             entry->size, &outcome));
    server->told = clients_applied (server->clients, world->zxids[index], &outcome);
}

bool world_apply (struct world *world, size_t index)
{
    struct world_server *server = &world->servers[index];
    if (server->applied == world->log_count) {
        return false;
    }
    apply_next (world, server);
    return true;
}

void world_commit (struct world *world, size_t count)
{
    count = count < world->waiting_count ? count : world->waiting_count;
    for (size_t i = 0; i < count; i++) {
        size_t before = world->log_capacity;
        grow (&world->log, world->log_count, &world->log_capacity);
        if (before != world->log_capacity) {
            world->zxids = mem_realloc (world->zxids, world->log_capacity * sizeof *world->zxids);
            assert_non_null (world->zxids);
        }
        world->zxids[world->log_count] = zxid_make (world->epoch, ++world->counter);
        world->waiting[i].stamp_ms = world->now_ms;
        world->log[world->log_count++] = world->waiting[i];
    }
    world->waiting_count -= count;
    memmove (world->waiting, world->waiting + count, world->waiting_count * sizeof *world->waiting);
    for (size_t i = 0; i < world->count; i++) {
        struct world_server *server = &world->servers[i];
        while (!server->lags && server->applied < world->log_count) {
            apply_next (world, server);
        }
    }
}

void world_flush (struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        for (int turns = 0; clients_flush (world->servers[i].clients); turns++) {
            assert_true (turns < 100000);
        }
    }
}

/* true: there was something. */
static bool confirm_all (struct world *world)
{
    bool any = false;
    for (size_t i = 0; i < world->peers_count; i++) {
        struct peer *peer = world->peers[i];
        if (peer->taken_count > 0) {
            any = true;
            peer_confirm (peer);
        }
    }
    return any;
}

void world_run (struct world *world)
{
    bool more = true;
    while (more) {
        if (!world->held) {
            world_commit (world, SIZE_MAX);
        }
        world_flush (world);
        more = !world->held && world->waiting_count > 0;
        more |= confirm_all (world);
    }
}

void world_advance (struct world *world, int64_t ms)
{
    world->now_ms += ms;
    for (size_t i = 0; i < world->count; i++) {
        clients_time (world->servers[i].clients, world->now_ms);
    }
    world_run (world);
}

void world_lose_leader (struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        world->servers[i].leader = false;
        clients_leader (world->servers[i].clients, false);
    }
    while (world->waiting_count > 0) {
        mem_free (world->waiting[--world->waiting_count].data);
    }
}

void world_new_leader (struct world *world)
{
    world->epoch++;
    world->counter = 0;
    for (size_t i = 0; i < world->count; i++) {
        world->servers[i].leader = !world->servers[i].behind;
        clients_leader (world->servers[i].clients, world->servers[i].leader);
    }
}

void world_install (struct world *world, size_t index, size_t from)
{
    struct world_server *server = &world->servers[index];
    struct tree *old = server->tree;
    struct tree_loader *loader = tree_loader_new (NULL);
    struct tree_snapshot *snapshot = tree_snapshot_begin (world->servers[from].tree);
    struct buf out = {0};
    assert_true (world->servers[from].applied >= server->applied);
    while (tree_snapshot_next (snapshot, &out, 4096)) {
    }
    tree_snapshot_end (&snapshot);
    assert_true (tree_loader_feed (loader, out.data, out.size));
    buf_deinit (&out);
    server->tree = tree_loader_finish (&loader);
    assert_non_null (server->tree);
    server->applied = world->servers[from].applied;
    clients_tree (server->clients, server->tree, true);
    tree_destroy (&old);
}

void world_entry (struct world *world, const struct entry *entry)
{
    struct buf out = {0};
    entry_encode (&out, entry);
    assert_false (out.failed);
    submit (world, 0, out.data, out.size);
    buf_deinit (&out);
    world_commit (world, SIZE_MAX);
}

void world_close_session (struct world *world, uint64_t session, uint64_t attach_no,
                          enum entry_close_reason reason)
{
    struct entry entry = {.kind = ENTRY_CLOSE};
    entry.u.close = (struct entry_close){session, attach_no, 0, reason};
    world_entry (world, &entry);
}

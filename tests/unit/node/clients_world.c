/* clients_world.c: see clients_world.h. */

#include "tests/unit/node/clients_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "server/node/error_text.h"
#include "server/node/identity_text.h"
#include "tests/unit/node/clients_trace.h"

const uint8_t world_cluster[16] = "a cluster's id..";

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
        trace_text (&peer->trace, "there\n");
        return true;
    }
    Cohort__Wire__ServerFrame *frame = cohort__wire__server_frame__unpack (NULL, size, data);
    assert_non_null (frame);
    peer->frames++;
    peer->largest = size > peer->largest ? size : peer->largest;
    trace_frame (peer, frame);
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
    trace_text (&server->notes, "heartbeat %llx %llu %llu\n", (unsigned long long) session,
                (unsigned long long) attach_no, (unsigned long long) seq);
}

static void host_disconnected (void *arg, uint64_t session, uint64_t attach_no)
{
    struct world_server *server = arg;
    assert_true (server->leader);
    trace_text (&server->notes, "disconnected %llx %llu\n", (unsigned long long) session,
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
    trace_text (&server->notes, "sync %llu\n", (unsigned long long) token);
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
    trace_text (&peer->trace, "backup from %llu\n", (unsigned long long) received);
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
    memcpy (cluster->cluster_id, world_cluster, sizeof cluster->cluster_id);
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

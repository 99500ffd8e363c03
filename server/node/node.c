/* node.c: joins the parts of a server. See node.h. */

#include "server/node/node.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/buf.h"
#include "cohort/error.h"
#include "server/node/bootstrap.h"
#include "server/node/clients.h"
#include "server/node/ensemble.h"
#include "server/node/error_text.h"
#include "server/node/identity_text.h"
#include "server/node/links.h"
#include "server/node/log_limit.h"

/* Of a new ensemble; where the options say nothing. */
enum {
    DATA_SIZE_MAX = 1 << 20,
    PATH_SIZE_MAX = 4096,
    WINDOW = 1024,
    RESULTS_SIZE_MAX = 1 << 20,
    TIMEOUT_MIN_MS = 100,
    TIMEOUT_MAX_MS = 600000,
    GRACE_MIN_MS = 0
};

/* Of long turns, so many lines in the log in so many ms. */
enum { LONG_TURN_LINES = 5, LONG_TURN_LINES_MS = 10000 };

/* What a turn has had to do, for whoever wonders why it was long. */
struct turn {
    uint64_t client_frames, peer_frames;
    zxid_t applied; /* before it */
};

struct node {
    uint32_t id;
    size_t members_count;
    struct node_member members[CONFIG_MEMBERS_MAX];
    struct config configured;
    struct buf admins;           /* of a new ensemble: an access control list */
    struct buf addresses;        /* of the members, as the founding entry has them */
    struct node_options options; /* members: those above */
    struct store *store;
    struct logger logger;
    int64_t now_ms;
    int64_t wall_ms;
    bool started;
    struct links *links;
    struct bootstrap *bootstrap;
    struct ensemble *ensemble;
    struct clients *clients;
    struct turn turn;     /* the present one */
    uint64_t turn_us_max; /* of those before: see node_turn_took */
    uint64_t long_turns;
    struct log_limit long_turns_told;
    int failure;
    char text[256];
};

static void fail (struct node *self, int code, const char *text)
{
    if (self->failure == 0) {
        self->failure = code;
        snprintf (self->text, sizeof self->text, "%s", text);
        logger_write (&self->logger, LOG_ERROR, "node-failed", "code=%s reason=\"%s\"",
                      error_name (code), self->text);
    }
}

/* ---- Configuration --------------------------------------------------------------------------- */

static void default_limit (uint32_t *limit, uint32_t value)
{
    if (*limit == 0) {
        *limit = value;
    }
}

static void default_limits (struct entry_limits *limits)
{
    default_limit (&limits->data_size_max, DATA_SIZE_MAX);
    default_limit (&limits->path_size_max, PATH_SIZE_MAX);
    default_limit (&limits->window, WINDOW);
    default_limit (&limits->results_size_max, RESULTS_SIZE_MAX);
    default_limit (&limits->timeout_min_ms, TIMEOUT_MIN_MS);
    default_limit (&limits->timeout_max_ms, TIMEOUT_MAX_MS);
    default_limit (&limits->grace_min_ms, GRACE_MIN_MS);
}

/* The members in ascending order of their ids. */
static int take_members (struct node *self, const struct node_options *options, char *error,
                         size_t error_size)
{
    if (options->members_count < 1 || options->members_count > CONFIG_MEMBERS_MAX) {
        snprintf (error, error_size, "an ensemble has 1 to %d members", CONFIG_MEMBERS_MAX);
        return COHORT_ECONFIG;
    }
    for (size_t i = 0; i < options->members_count; i++) {
        size_t at = self->members_count++;
        while (at > 0 && self->members[at - 1].id > options->members[i].id) {
            self->members[at] = self->members[at - 1];
            at--;
        }
        self->members[at] = options->members[i];
    }
    for (size_t i = 0; i < self->members_count; i++) {
        self->configured.members[self->configured.count++] =
            (struct config_member){.id = self->members[i].id, .role = self->members[i].role};
    }
    if (!config_valid (&self->configured)) {
        snprintf (error, error_size,
                  "the members need different ids, 1 to 2147483647, and at "
                  "least one of them must be a voter");
        return COHORT_ECONFIG;
    }
    if (config_find (&self->configured, self->id) == NULL) {
        snprintf (error, error_size, "this server, %" PRIu32 ", is not among the members",
                  self->id);
        return COHORT_ECONFIG;
    }
    return 0;
}

static int check (const struct node *self, char *error, size_t error_size)
{
    static const uint8_t none[PEER_CLUSTER_SIZE] = {0};
    const struct store_meta *meta = store_meta (self->store);
    if (meta->server_id != self->id) {
        snprintf (error, error_size, "the store is that of server %" PRIu32, meta->server_id);
        return COHORT_ECONFIG;
    }
    if (!entry_limits_valid (&self->options.limits)) {
        snprintf (error, error_size,
                  "the limits contradict each other: sessions' time limits from %" PRIu32
                  " to %" PRIu32 " ms (minSessionTimeout, maxSessionTimeout)",
                  self->options.limits.timeout_min_ms, self->options.limits.timeout_max_ms);
        return COHORT_ECONFIG;
    }
    if (memcmp (meta->cluster_id, none, sizeof none) != 0 && meta->bootstrapped &&
        !bootstrap_same_members (&self->configured, &meta->config, error, error_size)) {
        return COHORT_ECONFIG;
    }
    return 0;
}

struct node *node_new (const struct node_options *options, char *error, size_t error_size)
{
    struct node *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        snprintf (error, error_size, "out of memory");
        return NULL;
    }
    self->id = options->id;
    self->options = *options;
    self->store = options->store;
    self->logger = options->logger;
    default_limits (&self->options.limits);
    const char *admins = options->admins != NULL ? options->admins : "";
    if (take_members (self, options, error, error_size) != 0 ||
        check (self, error, error_size) != 0 ||
        !admins_parse (&self->admins, admins, error, error_size)) {
        buf_deinit (&self->admins);
        mem_free (self);
        return NULL;
    }
    self->options.members = self->members;
    return self;
}

void node_destroy (struct node **self_p)
{
    struct node *self = *self_p;
    if (self == NULL) {
        return;
    }
    clients_destroy (&self->clients);
    ensemble_destroy (&self->ensemble);
    bootstrap_destroy (&self->bootstrap);
    links_destroy (&self->links);
    buf_deinit (&self->admins);
    buf_deinit (&self->addresses);
    mem_free (self);
    *self_p = NULL;
}

/* ---- Between the parts: links, bootstrap, ensemble ------------------------------------------- */

static void link_is_up (void *arg, uint32_t peer, uint64_t store_id)
{
    struct node *self = arg;
    bootstrap_link_up (self->bootstrap, peer, store_id);
    ensemble_link_up (self->ensemble, peer, store_id);
}

static void link_is_down (void *arg, uint32_t peer)
{
    struct node *self = arg;
    bootstrap_link_down (self->bootstrap, peer);
    ensemble_link_down (self->ensemble, peer);
}

static void link_frame (void *arg, uint32_t peer, const struct peer_frame *frame)
{
    struct node *self = arg;
    if (frame->has_bootstrap) {
        bootstrap_message (self->bootstrap, peer, &frame->bootstrap);
    }
    ensemble_frame (self->ensemble, peer, frame);
}

static bool link_read (void *arg, zxid_t after, zxid_t through, size_t max_bytes,
                       struct outbox_range *range)
{
    return ensemble_read (((struct node *) arg)->ensemble, after, through, max_bytes, range);
}

static void bootstrap_send (void *arg, uint32_t peer, const struct peer_bootstrap *message)
{
    links_bootstrap (((struct node *) arg)->links, peer, message);
}

static int bootstrap_persist (void *arg, const struct store_meta *meta)
{
    return store_set_meta (((struct node *) arg)->store, meta);
}

static const struct config *bootstrap_config (void *arg)
{
    return ensemble_config (((struct node *) arg)->ensemble);
}

/* ---- Between the parts: clients and ensemble ------------------------------------------------- */

static void host_submit (void *arg, const uint8_t *entry, size_t size)
{
    ensemble_submit (((struct node *) arg)->ensemble, entry, size);
}

static void host_heartbeat (void *arg, uint64_t session, uint64_t attach_no, uint64_t seq)
{
    ensemble_heartbeat (((struct node *) arg)->ensemble, session, attach_no, seq);
}

static void host_disconnected (void *arg, uint64_t session, uint64_t attach_no)
{
    ensemble_disconnected (((struct node *) arg)->ensemble, session, attach_no);
}

static void host_sync (void *arg, uint64_t token)
{
    ensemble_sync (((struct node *) arg)->ensemble, token);
}

static void host_status (void *arg, struct node_status *status)
{
    node_status (arg, status);
}

static void host_backup (void *arg, uint64_t connection, uint64_t received)
{
    ensemble_backup (((struct node *) arg)->ensemble, connection, received);
}

static void on_leader (void *arg, bool up)
{
    clients_leader (((struct node *) arg)->clients, up);
}

static uint32_t on_applied (void *arg, zxid_t zxid, const struct tree_outcome *outcome)
{
    return clients_applied (((struct node *) arg)->clients, zxid, outcome);
}

static void on_tree (void *arg, struct tree *tree)
{
    clients_tree (((struct node *) arg)->clients, tree, true);
}

static void on_confirmed (void *arg, uint64_t session, uint64_t attach_no, uint64_t seq)
{
    clients_confirmed (((struct node *) arg)->clients, session, attach_no, seq);
}

static void on_synced (void *arg, uint64_t token, zxid_t zxid)
{
    clients_synced (((struct node *) arg)->clients, token, zxid);
}

static bool on_backup_part (void *arg, uint64_t connection, const struct backup_part *part)
{
    return clients_backup_part (((struct node *) arg)->clients, connection, part);
}

static void on_held (void *arg, const char *reason)
{
    clients_held (((struct node *) arg)->clients, reason);
}

static void on_quarantined (void *arg, const char *reason)
{
    clients_quarantine (((struct node *) arg)->clients, reason);
}

/* ---- Start ----------------------------------------------------------------------------------- */

/* It knows its ensemble, but has to ask who belongs to it (bootstrap.h). */
static bool has_lost_members (const struct store_meta *meta)
{
    static const uint8_t none[PEER_CLUSTER_SIZE] = {0};
    return meta->trust != ZAB_WHOLE && memcmp (meta->cluster_id, none, sizeof none) != 0;
}

static bool make_links (struct node *self)
{
    const struct store_meta *meta = store_meta (self->store);
    const struct config_member *me = config_find (&self->configured, self->id);
    struct links_options options = {
        .identity = {.id = self->id,
                     .store_id = meta->store_id,
                     .role = me->role,
                     .has_cluster = meta->bootstrapped || has_lost_members (meta)},
        .members = self->members,
        .members_count = self->members_count,
        .transport = self->options.transport,
        .logger = self->logger,
        .sink = {self, link_is_up, link_is_down, link_frame, link_read},
        .window = self->options.link_window,
        .now_ms = self->now_ms,
    };
    memcpy (options.identity.cluster_id, meta->cluster_id, PEER_CLUSTER_SIZE);
    /* Later processes of this server have higher ones; two of one millisecond different ones. */
    uint64_t wall_ms = self->wall_ms > 0 ? (uint64_t) self->wall_ms : 1;
    options.incarnation = (wall_ms << LINK_INCARNATION_SHIFT) +
                          (self->options.seed & ((UINT64_C (1) << LINK_INCARNATION_SHIFT) - 1));
    self->links = links_new (&options);
    return self->links != NULL;
}

/* What is no address in printable characters is not told. */
static bool is_printable (const char *text)
{
    while (*text > ' ' && *text <= '~') {
        text++;
    }
    return *text == '\0';
}

/* Within one process or machine they have names that are of no use to anybody else: such an
 * ensemble has no addresses. */
static bool all_tcp (const struct node_member *members, size_t count)
{
    static const char scheme[] = "tcp://";
    for (size_t i = 0; i < count; i++) {
        if (strncmp (members[i].address, scheme, sizeof scheme - 1) != 0) {
            return false;
        }
    }
    return true;
}

static bool gather_addresses (struct node *self)
{
    if (!all_tcp (self->members, self->members_count)) {
        return true;
    }
    for (size_t i = 0; i < self->members_count; i++) {
        const char *address = self->members[i].address;
        buf_string (&self->addresses, is_printable (address) ? address : "");
    }
    return !self->addresses.failed;
}

struct tree_options node_tree_options (const struct node_options *options)
{
    return (struct tree_options){
        .effects_bytes_max = options->effects_bytes,
        .hash_seed = options->hash_seed,
        .first_sequence = options->first_sequence,
    };
}

static bool make_ensemble (struct node *self)
{
    struct ensemble_options options = {
        .id = self->id,
        .configured = &self->configured,
        .addresses = &self->addresses,
        .store = self->store,
        .folder = self->options.folder,
        .links = self->links,
        .host = {self, on_leader, on_applied, on_tree, on_confirmed, on_synced, on_held,
                 on_backup_part, on_quarantined},
        .logger = self->logger,
        .seed = self->options.seed,
        .tree = node_tree_options (&self->options),
        .early = self->options.early,
        .peer_timeout_ms = self->options.peer_timeout_ms,
        .snapshot_bytes = self->options.snapshot_bytes,
        .snapshot_slice = self->options.snapshot_slice,
        .sync_chunk_bytes = self->options.sync_chunk_bytes,
        .counter_max = self->options.counter_max,
        .limits = self->options.limits,
        .admins = self->admins.data,
        .admins_size = self->admins.size,
        .replace_admins = self->options.replace_admins,
        .observer = self->options.observer,
        .now_ms = self->now_ms,
    };
    self->ensemble = ensemble_new (&options);
    return self->ensemble != NULL;
}

static bool make_bootstrap (struct node *self)
{
    struct bootstrap_options options = {
        .id = self->id,
        .configured = &self->configured,
        .meta = store_meta (self->store),
        .log_empty = store_last (self->store) == 0,
        .seed = self->options.seed ^ 0x626f6f74,
        .host = {self, bootstrap_send, bootstrap_persist, bootstrap_config},
        .logger = self->logger,
    };
    memcpy (options.cluster_id, self->options.cluster_id, sizeof options.cluster_id);
    self->bootstrap = bootstrap_new (&options);
    return self->bootstrap != NULL;
}

static bool make_clients (struct node *self)
{
    struct clients_options options = {
        .id = self->id,
        .host = {self, host_submit, host_heartbeat, host_disconnected, host_sync},
        .transport = self->options.transport,
        .logger = self->logger,
        .hash_seed = self->options.hash_seed,
        .tree = ensemble_tree (self->ensemble),
        .silence_ms = (uint32_t) ensemble_patience_ms (self->ensemble),
        .walk_nodes = self->options.walk_nodes,
        .walk_window = self->options.walk_window,
        .frame_bytes = self->options.frame_bytes,
        .turn_work = self->options.turn_work,
        .writes_under_way = self->options.writes_under_way,
        .watches_max = self->options.watches_max,
        .pending_bytes_max = self->options.pending_bytes_max,
        .queue_bytes_max = self->options.queue_bytes_max,
        .output_bytes_max = self->options.output_bytes_max,
        .output_low = self->options.output_low,
        .status = host_status,
        .status_arg = self,
        .backup = host_backup,
        .backup_arg = self,
        .members = self->members,
        .members_count = self->members_count,
    };
    self->clients = clients_new (&options);
    if (self->clients != NULL) {
        clients_time (self->clients, self->now_ms);
    }
    return self->clients != NULL;
}

/* As soon as this server belongs to an ensemble its core runs. */
static int start_core (struct node *self, char *error, size_t error_size)
{
    if (ensemble_started (self->ensemble) || !bootstrap_done (self->bootstrap)) {
        return 0;
    }
    links_set_cluster (self->links, store_meta (self->store)->cluster_id);
    return ensemble_start (self->ensemble, self->now_ms, error, error_size);
}

int node_start (struct node *self, int64_t now_ms, int64_t wall_ms, char *error, size_t error_size)
{
    COHORT_ASSERT (!self->started);
    self->now_ms = now_ms;
    self->wall_ms = wall_ms;
    if (!make_links (self) || !gather_addresses (self) || !make_ensemble (self) ||
        !make_bootstrap (self)) {
        snprintf (error, error_size, "out of memory");
        return COHORT_ENOMEM;
    }
    if (store_damage (self->store)[0] != '\0') {
        logger_write (&self->logger, LOG_ERROR, "store-damaged", "reason=\"%s\"",
                      store_damage (self->store));
    }
    int code = ensemble_recover (self->ensemble, error, error_size);
    if (code != 0) {
        return code;
    }
    if (!make_clients (self)) {
        snprintf (error, error_size, "out of memory");
        return COHORT_ENOMEM;
    }
    self->started = true;
    ensemble_time (self->ensemble, now_ms, wall_ms);
    bootstrap_time (self->bootstrap, now_ms);
    const char *text = NULL;
    code = bootstrap_failure (self->bootstrap, &text);
    if (code != 0) {
        snprintf (error, error_size, "%s", text);
        return code;
    }
    return start_core (self, error, error_size);
}

/* ---- A turn ---------------------------------------------------------------------------------- */

static bool runs (const struct node *self)
{
    return self->started && self->failure == 0;
}

void node_time (struct node *self, int64_t now_ms, int64_t wall_ms)
{
    /* What moves back is taken for a clock that stands still. */
    self->now_ms = now_ms > self->now_ms ? now_ms : self->now_ms;
    self->wall_ms = wall_ms;
    if (runs (self)) {
        ensemble_time (self->ensemble, self->now_ms, self->wall_ms);
        clients_time (self->clients, self->now_ms);
        links_time (self->links, self->now_ms);
        self->turn = (struct turn){.applied = tree_zxid (ensemble_tree (self->ensemble))};
    }
}

void node_peer_connected (struct node *self, uint32_t peer)
{
    if (runs (self)) {
        links_connected (self->links, peer);
    }
}

void node_peer_disconnected (struct node *self, uint32_t peer)
{
    if (runs (self)) {
        links_disconnected (self->links, peer);
    }
}

void node_peer_frame (struct node *self, const uint8_t *data, size_t size)
{
    if (runs (self)) {
        self->turn.peer_frames++;
        links_frame (self->links, data, size);
    }
}

void node_client_frame (struct node *self, uint64_t connection, const uint8_t *data, size_t size)
{
    if (runs (self)) {
        self->turn.client_frames++;
        clients_frame (self->clients, connection, data, size);
    }
}

void node_client_closed (struct node *self, uint64_t connection)
{
    if (runs (self)) {
        clients_closed (self->clients, connection);
        ensemble_backup_closed (self->ensemble, connection);
    }
}

/* Whether some part says that this server must stop. */
static bool has_failed (struct node *self)
{
    const char *text = NULL;
    int code = bootstrap_failure (self->bootstrap, &text);
    if (code == 0) {
        code = ensemble_failure (self->ensemble, &text);
    }
    if (code != 0) {
        fail (self, code, text);
    }
    return self->failure != 0;
}

bool node_flush (struct node *self)
{
    char error[sizeof self->text];
    if (!runs (self)) {
        return false;
    }
    bootstrap_time (self->bootstrap, self->now_ms);
    int code = start_core (self, error, sizeof error);
    if (code != 0) {
        fail (self, code, error);
        return false;
    }
    bool more = ensemble_flush (self->ensemble);
    if (has_failed (self)) {
        return false;
    }
    more |= clients_flush (self->clients);
    ensemble_look_for_damage (self->ensemble);
    more |= ensemble_waiting (self->ensemble);
    more |= links_flush (self->links);
    ensemble_flushed (self->ensemble);
    return !has_failed (self) && more;
}

void node_turn_took (struct node *self, uint64_t processor_us)
{
    uint64_t missed;
    self->turn_us_max = processor_us > self->turn_us_max ? processor_us : self->turn_us_max;
    if (processor_us <= NODE_LONG_TURN_US || !runs (self)) {
        return;
    }
    self->long_turns++;
    bool told = log_limit_admits (&self->long_turns_told, self->now_ms, LONG_TURN_LINES,
                                  LONG_TURN_LINES_MS, &missed);
    if (missed > 0) {
        logger_write (&self->logger, LOG_WARNING, "long-turns", "more=%" PRIu64, missed);
    }
    if (told) {
        zxid_t applied = tree_zxid (ensemble_tree (self->ensemble));
        logger_write (&self->logger, LOG_WARNING, "long-turn",
                      "processor_us=%" PRIu64 " client_frames=%" PRIu64 " peer_frames=%" PRIu64
                      " after=%" PRIx64 " zxid=%" PRIx64 " clients_work=%" PRIu64,
                      processor_us, self->turn.client_frames, self->turn.peer_frames,
                      self->turn.applied, applied, clients_work (self->clients));
    }
}

int64_t node_deadline (const struct node *self)
{
    if (!runs (self)) {
        return INT64_MAX;
    }
    int64_t all[] = {links_deadline (self->links), ensemble_deadline (self->ensemble),
                     bootstrap_deadline (self->bootstrap), clients_deadline (self->clients)};
    int64_t deadline = INT64_MAX;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        deadline = all[i] < deadline ? all[i] : deadline;
    }
    return deadline;
}

/* ---- Ending ---------------------------------------------------------------------------------- */

void node_leave (struct node *self)
{
    if (runs (self)) {
        clients_leave (self->clients);
        ensemble_leave (self->ensemble);
    }
}

bool node_left (const struct node *self)
{
    return !runs (self) || ensemble_left (self->ensemble);
}

int node_expire (struct node *self, uint64_t session)
{
    return runs (self) ? ensemble_expire (self->ensemble, session) : COHORT_ESTATE;
}

int node_failure (const struct node *self, const char **text)
{
    if (text != NULL) {
        *text = self->text;
    }
    return self->failure;
}

/* ---- Looking --------------------------------------------------------------------------------- */

void node_status (const struct node *self, struct node_status *status)
{
    memset (status, 0, sizeof *status);
    status->id = self->id;
    status->standalone = self->members_count == 1;
    status->disk = store_space (self->store) == 0 ? "ok" : "full";
    status->state_reason = "";
    status->turn_us_max = self->turn_us_max;
    status->long_turns = self->long_turns;
    if (!self->started) {
        status->zab.role = ZAB_LOOKING;
        return;
    }
    const struct tree *tree = ensemble_tree (self->ensemble);
    ensemble_status (self->ensemble, &status->zab);
    status->applied = tree_zxid (tree);
    status->digest = tree_digest (tree);
    status->znodes = tree_node_count (tree);
    status->sessions = tree_session_count (tree);
    status->state = ensemble_state (self->ensemble, &status->state_reason);
    status->connections = clients_connections (self->clients);
    if (bootstrap_done (self->bootstrap)) {
        status->cluster_id = bootstrap_meta (self->bootstrap)->cluster_id;
    }
}

uint32_t node_leader (const struct node *self)
{
    struct zab_status status = {.activated = false};
    if (self->started) {
        ensemble_status (self->ensemble, &status);
    }
    COHORT_ASSERT (!status.activated || status.leader != 0);
    return status.activated ? status.leader : 0;
}

const struct tree *node_tree (const struct node *self)
{
    return self->started ? ensemble_tree (self->ensemble) : NULL;
}

void node_bounds (const struct node *self, struct bounds *bounds)
{
    if (self->started) {
        clients_bounds (self->clients, bounds);
        links_bounds (self->links, bounds);
        ensemble_bounds (self->ensemble, bounds);
    }
}

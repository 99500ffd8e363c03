/* mirror: a copy of a subtree that follows every change, on the same servers or on others. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/interrupt.h"
#include "client/cli/output.h"
#include "client/cli/paths.h"
#include "client/cli/put.h"
#include "client/cli/session.h"
#include "client/cli/tour.h"

/* What one transaction of the copy takes; a larger one of the original's is divided. */
#define TXN_OPS_MAX   500
#define TXN_BYTES_MAX ((size_t) 512 * 1024)

/* The znodes of the snapshot, as paths below the top. */
struct names {
    char **items;
    size_t count, room;
};

struct mirror {
    const char *source;
    const char *target;
    struct session from, to;
    struct session lists;                /* reads the access control lists of source */
    bool acls;                           /* whether they are carried over */
    uint64_t synced_zxid;                /* up to which lists sees what from has told */
    uint64_t source_czxid, target_czxid; /* of "/", for what is left out */
    enum format format;
    bool once;
    struct put put; /* of the snapshot */
    struct names names;
    uint64_t left_out; /* ephemerals */
    uint64_t deleted;  /* that the snapshot did not have */
    cohort_txn_t *txn; /* of the batch that comes in */
    size_t txn_bytes;
    uint64_t changes; /* of the batch */
    bool changed_by_others;
    bool ended;
    int code;
};

static void end (struct mirror *self, int code)
{
    self->ended = true;
    self->code = code;
}

static bool out_of_memory (struct mirror *self)
{
    message ("mirror: out of memory");
    end (self, CLI_EXIT_FAILED);
    return false;
}

/* Where the copy of a znode is. False: nowhere, or an error that has been told. */
static bool copy_path (struct mirror *self, const char *path, char copy[PATHS_SIZE])
{
    const char *below = paths_below (self->source, path);
    if (below == NULL) {
        return false;
    }
    if (!paths_join (copy, PATHS_SIZE, self->target, below)) {
        message ("mirror: the copy of %.200s... would have too long a path", path);
        end (self, CLI_EXIT_FAILED);
        return false;
    }
    return true;
}

/* ---- The snapshot ---------------------------------------------------------------------- */

static void names_clear (struct names *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free (self->items[i]);
    }
    free (self->items);
    *self = (struct names){0};
}

static bool names_add (struct names *self, const char *name)
{
    if (self->count == self->room) {
        size_t room = self->room == 0 ? 1024 : 2 * self->room;
        char **items = realloc (self->items, room * sizeof *items);
        if (items == NULL) {
            return false;
        }
        self->items = items;
        self->room = room;
    }
    self->items[self->count] = strdup (name);
    return self->items[self->count++] != NULL;
}

static int by_name (const void *a, const void *b)
{
    return strcmp (*(char *const *) a, *(char *const *) b);
}

static bool names_have (const struct names *self, const char *name)
{
    return bsearch (&name, self->items, self->count, sizeof self->items[0], by_name) != NULL;
}

/* On leaving, so that what is below has gone already. */
static int prune (const struct tour_node *node, void *arg)
{
    struct mirror *self = arg;
    const char *below = paths_below (self->target, node->path);
    if (paths_left_out (self->target, self->target_czxid, node->path)) {
        return TOUR_SKIP;
    }
    if (names_have (&self->names, below)) {
        return COHORT_OK;
    }
    int rc = cohort_delete (self->to.client, node->path, COHORT_ANY_VERSION);
    self->deleted += rc == COHORT_OK;
    return rc == COHORT_ENONODE ? COHORT_OK : rc;
}

static int keep_going (const struct tour_node *node, void *arg)
{
    const struct mirror *self = arg;
    bool left_out = paths_left_out (self->target, self->target_czxid, node->path);
    return left_out ? TOUR_SKIP : COHORT_OK;
}

static void snapshot_begin (struct mirror *self)
{
    (void) put_finish (&self->put); /* of a snapshot that was cut off: nothing of it is left */
    names_clear (&self->names);
    put_deinit (&self->put);
    put_init (&self->put, &self->to, PUT_REPLACE);
    self->put.acls_client = self->lists.client;
    self->left_out = self->deleted = 0;
}

/* A copy without its data would be none. */
static void refuse_hidden (struct mirror *self, const char *path)
{
    message ("mirror: %s: its data may not be read by this session (see: cohort getAcl %s)", path,
             path);
    end (self, CLI_EXIT_NO_PERMISSION);
}

static void snapshot_add (struct mirror *self, const cohort_change_t *change)
{
    char copy[PATHS_SIZE];
    if (strcmp (change->path, self->source) == 0) {
        self->source_czxid = change->stat.czxid;
    }
    if (paths_left_out (self->source, self->source_czxid, change->path)) {
        return;
    }
    if (change->stat.ephemeral_owner != 0) {
        self->left_out++;
        return;
    }
    if (!copy_path (self, change->path, copy)) {
        return;
    }
    if (!names_add (&self->names, paths_below (self->source, change->path))) {
        out_of_memory (self);
        return;
    }
    if (change->hidden) {
        refuse_hidden (self, change->path);
        return;
    }
    struct put_order order = {.path = copy,
                              .data = change->data,
                              .size = change->size,
                              .mode = (int) change->stat.mode & COHORT_CONTAINER,
                              .ttl_ms = change->stat.ttl_ms,
                              .acls_path = self->acls ? change->path : NULL};
    int rc = put_znode (&self->put, &order);
    if (rc != COHORT_OK) {
        end (self, session_result (&self->to, ACTIVITY_CREATE, self->put.path, rc));
    }
}

static void snapshot_end (struct mirror *self, uint64_t zxid)
{
    int rc = put_finish (&self->put);
    if (rc != COHORT_OK) {
        end (self, session_result (&self->to, ACTIVITY_CREATE, self->put.path, rc));
        return;
    }
    if (self->names.count > 1) {
        qsort (self->names.items, self->names.count, sizeof self->names.items[0], by_name);
    }
    rc = tour_run (self->to.client, self->target, 0, keep_going, prune, self);
    if (rc != COHORT_OK && rc != COHORT_ENONODE) {
        end (self, session_result (&self->to, ACTIVITY_DELETE, self->target, rc));
        return;
    }
    char id[OUTPUT_ID_SIZE];
    message ("mirror: %s is as %s was at %s: %" PRIu64 " created, %" PRIu64 " replaced, %" PRIu64
             " deleted, %" PRIu64 " ephemerals left out",
             self->target, self->source, output_id (zxid, id), self->put.created,
             self->put.replaced, self->deleted, self->left_out);
    names_clear (&self->names);
    if (self->once) {
        end (self, CLI_EXIT_OK);
    }
}

/* ---- Changes --------------------------------------------------------------------------- */

static bool commit (struct mirror *self)
{
    int rc = cohort_txn_count (self->txn) > 0 ? cohort_multi (self->to.client, self->txn) : 0;
    cohort_txn_destroy (&self->txn);
    self->txn_bytes = 0;
    if (rc == COHORT_ENONODE || rc == COHORT_ENODEEXISTS || rc == COHORT_ENOTEMPTY) {
        message ("mirror: %s was changed by somebody else: it is compared anew", self->target);
        self->changed_by_others = true;
    } else if (rc != COHORT_OK) {
        end (self, session_result (&self->to, ACTIVITY_SET, self->target, rc));
    }
    return rc == COHORT_OK;
}

/* A deletion does not say what kind the znode was: what is not in the copy was an ephemeral. */
static int add_deletion (struct mirror *self, const char *copy)
{
    int rc = cohort_exists (self->to.client, copy, NULL);
    if (rc == COHORT_OK) {
        rc = cohort_txn_delete (self->txn, copy, COHORT_ANY_VERSION);
    }
    return rc == COHORT_ENONODE ? COHORT_OK : rc;
}

/* The list of a znode as of the batch, or of later: then it comes again. *acl NULL: it has gone
 * since, and its deletion comes. */
static int read_acl (struct mirror *self, const char *path, cohort_acl_t **acl)
{
    *acl = NULL;
    int rc = cohort_get_acl (self->lists.client, path, acl, NULL);
    return rc == COHORT_ENONODE ? COHORT_OK : rc;
}

/* With its list: before that is known, nothing of it is put anywhere. */
static int add_listed (struct mirror *self, const cohort_change_t *change, const char *copy)
{
    cohort_acl_t *acl;
    int rc = read_acl (self, change->path, &acl);
    bool gone = rc == COHORT_OK && acl == NULL;
    if (rc == COHORT_OK && change->kind == COHORT_CHANGE_CREATED) {
        cohort_create_options_t options = {.size = sizeof options,
                                           .mode = (int) change->stat.mode & COHORT_CONTAINER,
                                           .acl = acl,
                                           .ttl_ms = change->stat.ttl_ms};
        rc = cohort_txn_create_with (self->txn, copy, change->data, gone ? 0 : change->size,
                                     &options);
    } else if (rc == COHORT_OK && !gone) {
        rc = cohort_txn_set (self->txn, copy, change->data, change->size, COHORT_ANY_VERSION);
        rc = rc == COHORT_OK ? cohort_txn_set_acl (self->txn, copy, acl, COHORT_ANY_VERSION) : rc;
    }
    cohort_acl_destroy (&acl);
    return rc;
}

static int add_change (struct mirror *self, const cohort_change_t *change, const char *copy)
{
    if (change->kind == COHORT_CHANGE_DELETED) {
        return add_deletion (self, copy);
    }
    if (change->stat.ephemeral_owner != 0) {
        return COHORT_OK;
    }
    self->txn_bytes += change->size;
    if (self->acls &&
        (change->kind == COHORT_CHANGE_CREATED || change->kind == COHORT_CHANGE_ACL)) {
        return add_listed (self, change, copy);
    }
    if (change->kind != COHORT_CHANGE_CREATED) {
        return cohort_txn_set (self->txn, copy, change->data, change->size, COHORT_ANY_VERSION);
    }
    cohort_create_options_t options = {.size = sizeof options,
                                       .mode = (int) change->stat.mode & COHORT_CONTAINER,
                                       .ttl_ms = change->stat.ttl_ms};
    return cohort_txn_create_with (self->txn, copy, change->data, change->size, &options);
}

/* False: the rest of the batch is not wanted. */
static bool take_change (struct mirror *self, const cohort_change_t *change)
{
    char copy[PATHS_SIZE];
    if (change->kind == COHORT_CHANGE_OWNER) {
        return true; /* ephemerals are left out */
    }
    if (paths_left_out (self->source, self->source_czxid, change->path)) {
        return true;
    }
    if (!copy_path (self, change->path, copy)) {
        return !self->ended;
    }
    if (change->hidden && change->stat.ephemeral_owner == 0) {
        refuse_hidden (self, change->path);
        return false;
    }
    if (self->txn == NULL) {
        self->txn = cohort_txn_new ();
        if (self->txn == NULL) {
            return out_of_memory (self);
        }
    }
    int rc = add_change (self, change, copy);
    if (rc != COHORT_OK) {
        end (self, session_result (&self->to, ACTIVITY_SET, copy, rc));
        return false;
    }
    self->changes++;
    bool full = cohort_txn_count (self->txn) >= TXN_OPS_MAX || self->txn_bytes >= TXN_BYTES_MAX;
    return !full || commit (self);
}

static void report (struct mirror *self, uint64_t zxid)
{
    char id[OUTPUT_ID_SIZE];
    output_id (zxid, id);
    if (self->format == FORMAT_TEXT) {
        printf ("%s\t%" PRIu64 "\n", id, self->changes);
    } else if (emit_value (FORMAT_JSONL, json_pack ("{s:s, s:I}", "zxid", id, "changes",
                                                    (json_int_t) self->changes)) != CLI_EXIT_OK) {
        end (self, CLI_EXIT_FAILED);
    }
    if (fflush (stdout) != 0) {
        end (self, CLI_EXIT_FAILED); /* nobody listens any more, or the disk is full */
    }
    self->changes = 0;
}

/* Lists are read in a session of their own, perhaps at another server: it must not be behind. */
static bool sync_lists (struct mirror *self, uint64_t zxid)
{
    if (self->acls && self->synced_zxid < zxid) {
        int rc = cohort_sync (self->lists.client);
        self->synced_zxid = cohort_last_zxid (self->lists.client);
        if (rc != COHORT_OK) {
            end (self, session_result (&self->lists, ACTIVITY_SYNC, self->source, rc));
        }
    }
    return !self->ended;
}

static void on_batch (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct mirror *self = arg;
    if (self->ended || self->changed_by_others) {
        return;
    }
    if (batch == NULL) {
        int rc = cohort_stream_error (stream);
        end (self, session_result (&self->from, ACTIVITY_READ, self->source, rc));
        return;
    }
    if (batch->snapshot && batch->first) {
        snapshot_begin (self);
    }
    if (batch->first && !sync_lists (self, batch->zxid)) {
        return;
    }
    if (!batch->snapshot && batch->first) {
        cohort_txn_destroy (&self->txn); /* of a batch that was cut off, and comes again */
        self->changes = 0;
    }
    for (size_t i = 0; i < batch->count && !self->ended; i++) {
        if (batch->snapshot) {
            snapshot_add (self, &batch->changes[i]);
        } else if (!take_change (self, &batch->changes[i])) {
            return;
        }
    }
    if (batch->more || self->ended) {
        return;
    }
    if (batch->snapshot) {
        snapshot_end (self, batch->zxid);
    } else if (self->txn == NULL || commit (self)) {
        report (self, batch->zxid);
    }
}

/* ---- The command ----------------------------------------------------------------------- */

/* Whether the target may be written to: it is not there yet, or it was said that it may. */
static int check_target (struct mirror *self, bool overwrite)
{
    cohort_stat_t stat;
    int rc = cohort_exists (self->to.client, self->target, &stat);
    if (rc != COHORT_OK) {
        return rc == COHORT_ENONODE ? CLI_EXIT_OK
                                    : session_result (&self->to, ACTIVITY_READ, self->target, rc);
    }
    self->target_czxid = stat.czxid;
    uint32_t left_out = paths_left_out (self->target, stat.czxid, "/zookeeper");
    if (overwrite || (stat.child_count == left_out && stat.data_size == 0)) {
        return CLI_EXIT_OK;
    }
    message ("mirror: %s holds something already; with --overwrite it is replaced, and whatever "
             "is not in %s is deleted",
             self->target, self->source);
    return CLI_EXIT_EXISTS;
}

static int follow (struct mirror *self)
{
    do {
        self->changed_by_others = false;
        cohort_stream_t *stream =
            cohort_stream_new (self->from.client, self->source, on_batch, self);
        if (stream == NULL) {
            return session_result (&self->from, ACTIVITY_READ, self->source, COHORT_EPATH);
        }
        while (!self->ended && !self->changed_by_others) {
            if (!interrupt_run (self->from.client)) {
                end (self, CLI_EXIT_OK);
            }
        }
        cohort_stream_destroy (&stream);
        cohort_txn_destroy (&self->txn);
    } while (!self->ended);
    return self->code;
}

/* With options of its own, so that it is nobody else's. */
static int open_lists (struct mirror *self, const struct arguments *arguments)
{
    cohort_options_t options = {.size = sizeof options};
    return session_open (&self->lists, &arguments->settings, &options);
}

static void close_lists (struct mirror *self)
{
    if (self->lists.client != NULL) {
        session_close (&self->lists);
    }
}

static int mirror (struct mirror *self, const struct arguments *arguments)
{
    const char *servers = arguments_value (arguments, FLAG_TO);
    struct settings settings = arguments->settings;
    if (servers != NULL) {
        settings.servers = servers;
        settings.server_key = arguments_value (arguments, FLAG_TO_KEY);
        settings.key_file = settings.server_key != NULL ? settings.key_file : NULL;
        settings.lender = NULL;
    }
    int code = self->acls ? open_lists (self, arguments) : CLI_EXIT_OK;
    code = code == CLI_EXIT_OK ? session_open (&self->to, &settings, NULL) : code;
    if (code != CLI_EXIT_OK) {
        close_lists (self);
        return code;
    }
    put_init (&self->put, &self->to, PUT_REPLACE);
    code = check_target (self, arguments_has (arguments, FLAG_OVERWRITE));
    if (code == CLI_EXIT_OK) {
        code = follow (self);
    }
    session_close (&self->to);
    close_lists (self);
    put_deinit (&self->put);
    names_clear (&self->names);
    return code;
}

int cmd_mirror (const struct arguments *arguments)
{
    struct mirror self = {.source = arguments->operands[0],
                          .target = arguments->operands[1],
                          .format = arguments->settings.format,
                          .once = arguments_has (arguments, FLAG_ONCE),
                          .acls = arguments_has (arguments, FLAG_ACL)};
    bool apart = arguments_has (arguments, FLAG_TO);
    if (!apart && (paths_below (self.source, self.target) != NULL ||
                   paths_below (self.target, self.source) != NULL)) {
        message ("mirror: of %s and %s one lies in the other", self.source, self.target);
        return CLI_EXIT_USAGE;
    }
    if (!interrupt_catch ()) {
        message ("signals cannot be caught");
        return CLI_EXIT_FAILED;
    }
    cohort_options_t options = {.size = sizeof options, .stream_bytes_max = UINT64_MAX};
    int code = session_open (&self.from, &arguments->settings, &options);
    if (code == CLI_EXIT_OK) {
        /* What is not there would be copied as nothing: rather a mistake in the path. */
        int rc = cohort_exists (self.from.client, self.source, NULL);
        code = session_result (&self.from, ACTIVITY_READ, self.source, rc);
        code = code == CLI_EXIT_OK ? mirror (&self, arguments) : code;
        session_close (&self.from);
    }
    return code;
}

/* Updates of a configuration: a part of the recipe config. The mzxid that names a value stands for
 * the znode's czxid and version, which the copy knows, and the transaction checks both.
 * May include: the client's public headers, cohort/mirror.h, recipes' support, libc. */

#include <stdlib.h>
#include <string.h>

#include "config_private.h"

/* A change: the operations from those of the change before it up to `end` are its own. */
struct config_change {
    char *path;
    size_t end;
    bool conditional;
};

struct cohort_config_update {
    cohort_config_t *config;
    cohort_txn_t *txn;
    struct config_change *changes;
    size_t count;
    bool writes;
    bool committed;
    int rc;              /* the first error */
    const char *key;     /* that made it fail */
    unsigned references; /* the application's, and the call's on its way */
};

struct config_call {
    struct recipe_call base; /* its owner is the configuration */
    cohort_config_update_t *update;
    cohort_config_result_fn *fn;
    void *arg;
};

static void update_release (cohort_config_update_t *self)
{
    if (--self->references > 0) {
        return;
    }
    for (size_t i = 0; i < self->count; i++) {
        free (self->changes[i].path);
    }
    free (self->changes);
    if (self->txn != NULL) {
        cohort_txn_destroy (&self->txn);
    }
    free (self);
}

cohort_config_update_t *cohort_config_update_new (cohort_config_t *config)
{
    cohort_config_update_t *self = config == NULL ? NULL : malloc (sizeof (*self));
    if (self == NULL) {
        return NULL;
    }
    *self = (cohort_config_update_t){.config = config, .references = 1};
    self->txn = cohort_txn_new ();
    if (self->txn == NULL) {
        update_release (self);
        return NULL;
    }
    return self;
}

void cohort_config_update_destroy (cohort_config_update_t **self_p)
{
    cohort_config_update_t *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        update_release (self);
    }
}

const char *cohort_config_update_key (const cohort_config_update_t *self)
{
    return self->key;
}

/* ---- Changes --------------------------------------------------------------------------------- */

enum config_verb { CONFIG_SET, CONFIG_DELETE, CONFIG_CHECK };

static const char *key_of (const cohort_config_update_t *self, const struct config_change *change)
{
    return change->path + strlen (self->config->path) + 1;
}

/* One more change, of which nothing is in the transaction yet. */
static struct config_change *change_add (cohort_config_update_t *self, const char *key,
                                         uint64_t mzxid)
{
    struct config_change *changes =
        realloc (self->changes, (self->count + 1) * sizeof (*self->changes));
    if (changes == NULL) {
        return NULL;
    }
    self->changes = changes;
    char *path = config_path (self->config, key);
    if (path == NULL) {
        return NULL;
    }
    changes[self->count] =
        (struct config_change){.path = path, .conditional = mzxid != COHORT_CONFIG_ANY};
    return &changes[self->count++];
}

/* What makes the transaction fail if the value is another. */
static int add_condition (cohort_config_update_t *self, const char *path, uint64_t mzxid,
                          int32_t *version)
{
    *version = COHORT_ANY_VERSION;
    if (mzxid == COHORT_CONFIG_ANY) {
        return 0;
    }
    const cohort_node_t *node = cohort_mirror_get (self->config->mirror, path);
    if (mzxid != (node == NULL ? 0 : node->stat.mzxid)) {
        return COHORT_EBADVERSION;
    }
    if (node == NULL) {
        return cohort_txn_check_absent (self->txn, path);
    }
    *version = node->stat.version;
    return cohort_txn_check_czxid (self->txn, path, node->stat.czxid);
}

/* Whatever is missing is created with it. */
static int add_set (cohort_config_update_t *self, const char *path, const void *data, size_t size,
                    uint64_t mzxid, int32_t version)
{
    int rc = mzxid == 0 || mzxid == COHORT_CONFIG_ANY ? recipe_txn_parents (self->txn, path) : 0;
    if (rc == 0 && mzxid == 0) {
        return cohort_txn_create (self->txn, path, data, size, COHORT_PERSISTENT, NULL);
    }
    if (rc == 0 && mzxid == COHORT_CONFIG_ANY) {
        recipe_txn_ensure (self->txn, path, NULL, 0, COHORT_PERSISTENT);
    }
    return rc != 0 ? rc : cohort_txn_set (self->txn, path, data, size, version);
}

static int add (cohort_config_update_t *self, enum config_verb verb, const char *key,
                const void *data, size_t size, uint64_t mzxid)
{
    if (!config_is_key (key) || (data == NULL && size > 0)) {
        return COHORT_EINVAL;
    }
    struct config_change *change = change_add (self, key, mzxid);
    if (change == NULL) {
        return COHORT_ENOMEM;
    }
    int32_t version;
    int rc = add_condition (self, change->path, mzxid, &version);
    if (rc == 0 && verb == CONFIG_SET) {
        rc = add_set (self, change->path, data, size, mzxid, version);
    } else if (rc == 0 && verb == CONFIG_DELETE && mzxid != 0) {
        rc = cohort_txn_delete (self->txn, change->path, version);
    } else if (rc == 0 && verb == CONFIG_CHECK && version != COHORT_ANY_VERSION) {
        rc = cohort_txn_check (self->txn, change->path, version);
    }
    change->end = cohort_txn_count (self->txn);
    if (rc != 0 && self->rc == 0) {
        self->key = key_of (self, change);
    }
    return rc;
}

/* The first error stays. */
static int added (cohort_config_update_t *self, int rc)
{
    self->rc = self->rc == 0 ? rc : self->rc;
    return rc;
}

int cohort_config_update_set (cohort_config_update_t *self, const char *key, const void *data,
                              size_t size, uint64_t mzxid)
{
    self->writes = true;
    return added (self, add (self, CONFIG_SET, key, data, size, mzxid));
}

int cohort_config_update_delete (cohort_config_update_t *self, const char *key, uint64_t mzxid)
{
    self->writes = true;
    return added (self, add (self, CONFIG_DELETE, key, NULL, 0, mzxid));
}

int cohort_config_update_check (cohort_config_update_t *self, const char *key, uint64_t mzxid)
{
    return added (self, add (self, CONFIG_CHECK, key, NULL, 0, mzxid));
}

/* ---- Commits --------------------------------------------------------------------------------- */

/* Which key is to blame, and what the error means to whoever had read it. */
static int outcome_of (cohort_config_update_t *self, const cohort_result_t *result)
{
    size_t failed = 0;
    while (failed < result->ops_count &&
           (result->ops[failed].rc == 0 || result->ops[failed].rc == COHORT_EROLLEDBACK)) {
        failed++;
    }
    if (result->rc == 0 || failed >= result->ops_count) {
        return result->rc;
    }
    size_t i = 0;
    while (i < self->count && self->changes[i].end <= failed) {
        i++;
    }
    if (i == self->count) {
        return result->rc;
    }
    self->key = key_of (self, &self->changes[i]);
    int rc = result->ops[failed].rc;
    bool another = rc == COHORT_ENONODE || rc == COHORT_ENODEEXISTS || rc == COHORT_EBADCZXID;
    return another && self->changes[i].conditional ? COHORT_EBADVERSION : rc;
}

static void call_free (struct config_call *call)
{
    update_release (call->update);
    free (call);
}

static void on_result (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct config_call *call = arg;
    cohort_config_t *config = call->base.owner;
    (void) client;
    if (config == NULL) {
        call_free (call);
        return;
    }
    recipe_call_end (&call->base);
    recipe_enter (&config->guard);
    call->update->rc = outcome_of (call->update, result);
    if (call->fn != NULL) {
        call->fn (config, call->update->rc, call->update, call->arg);
    }
    call_free (call);
    config_leave (config);
}

static int begin (cohort_config_update_t *self, struct config_call given,
                  struct config_call **call_p)
{
    if (self->committed) {
        return COHORT_ESTATE;
    }
    if (self->rc != 0 || !self->writes) {
        return self->rc != 0 ? self->rc : COHORT_EINVAL;
    }
    struct config_call *call = malloc (sizeof (*call));
    if (call == NULL) {
        return COHORT_ENOMEM;
    }
    *call = given;
    call->update = self;
    cohort_t *client = self->config->client;
    int rc = cohort_multi_async (client, self->txn, on_result, call);
    if (rc == COHORT_ESESSIONEXPIRED) {
        rc = recipe_renew (client, NULL);
        rc = rc == 0 ? cohort_multi_async (client, self->txn, on_result, call) : rc;
    }
    if (rc != 0) {
        free (call);
        return rc;
    }
    self->committed = true;
    self->references++;
    recipe_call_begin (&self->config->calls, &call->base, self->config);
    *call_p = call;
    return 0;
}

int cohort_config_commit_async (cohort_config_update_t *update, cohort_config_result_fn *fn,
                                void *arg)
{
    struct config_call *call;
    return begin (update, (struct config_call){.fn = fn, .arg = arg}, &call);
}

struct config_waiting {
    bool done;
    int rc;
};

static void on_waited (cohort_config_t *self, int rc, const cohort_config_update_t *update,
                       void *arg)
{
    struct config_waiting *waiting = arg;
    (void) self;
    (void) update;
    *waiting = (struct config_waiting){.done = true, .rc = rc};
}

static int is_done (void *arg)
{
    const struct config_waiting *waiting = arg;
    return waiting->done ? 1 : 0;
}

int cohort_config_commit (cohort_config_update_t *update, int timeout_ms)
{
    struct config_waiting waiting = {0};
    struct config_call *call = NULL;
    cohort_config_t *config = update->config;
    recipe_enter (&config->guard);
    int rc = recipe_may_wait (config->client, &config->guard);
    rc = rc == 0 ? begin (update, (struct config_call){.fn = on_waited, .arg = &waiting}, &call)
                 : rc;
    if (call != NULL) {
        rc = recipe_wait (config->client, &config->guard, timeout_ms, is_done, &waiting);
        if (rc != 0 && rc != COHORT_ECLOSING && !waiting.done) {
            call->fn = NULL; /* nobody waits for it any more */
        }
        rc = waiting.done ? waiting.rc : rc;
    }
    config_leave (config);
    return rc;
}

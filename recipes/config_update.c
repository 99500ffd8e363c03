/* Updates of a configuration: a part of the recipe config. The mzxid that names a value stands for
 * the znode's czxid and version, which the copy knows, and the transaction checks both. All
 * conditions come first in it, for what is there before it, and what it creates is no hindrance.
 * May include: the client's public headers, cohort/mirror.h, recipes' support, libc. */

#include <stdlib.h>
#include <string.h>

#include "config_private.h"

enum config_verb { CONFIG_SET, CONFIG_DELETE, CONFIG_CHECK };

struct config_change {
    enum config_verb verb;
    char *path;
    void *data;
    size_t size;
    uint64_t mzxid;
    uint64_t czxid; /* that mzxid stands for, and version; 0: there is none, or whatever there is */
    int32_t version;
    size_t checked, written; /* where its operations end, of the two kinds */
};

struct cohort_config_update {
    cohort_config_t *config;
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
        free (self->changes[i].data);
    }
    free (self->changes);
    free (self);
}

cohort_config_update_t *cohort_config_update_new (cohort_config_t *config)
{
    cohort_config_update_t *self = config == NULL ? NULL : malloc (sizeof (*self));
    if (self != NULL) {
        *self = (cohort_config_update_t){.config = config, .references = 1};
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

static const char *key_of (const cohort_config_update_t *self, const struct config_change *change)
{
    return change->path + strlen (self->config->path) + 1;
}

/* One more change, of whatever there is. */
static struct config_change *change_add (cohort_config_update_t *self, enum config_verb verb,
                                         const char *key, const void *data, size_t size)
{
    struct config_change *changes =
        realloc (self->changes, (self->count + 1) * sizeof (*self->changes));
    if (changes == NULL) {
        return NULL;
    }
    self->changes = changes;
    struct config_change change = {
        .verb = verb, .size = size, .mzxid = COHORT_CONFIG_ANY, .version = COHORT_ANY_VERSION};
    change.path = config_path (self->config, key);
    change.data = recipe_copy (data, size);
    if (change.path == NULL || change.data == NULL) {
        free (change.path);
        free (change.data);
        return NULL;
    }
    changes[self->count] = change;
    return &changes[self->count++];
}

/* What mzxid stands for. */
static int resolve (const cohort_config_update_t *self, struct config_change *change,
                    uint64_t mzxid)
{
    const cohort_node_t *node = cohort_mirror_get (self->config->mirror, change->path);
    change->mzxid = mzxid;
    if (mzxid == COHORT_CONFIG_ANY) {
        return 0;
    }
    if (mzxid != (node == NULL ? 0 : node->stat.mzxid)) {
        return COHORT_EBADVERSION;
    }
    if (node != NULL) {
        change->czxid = node->stat.czxid;
        change->version = node->stat.version;
    }
    return 0;
}

/* ---- Operations ------------------------------------------------------------------------------ */

/* What makes the transaction fail if the value is another, but for the version that a write
 * names. */
static int put_condition (cohort_txn_t *txn, const struct config_change *change)
{
    if (change->mzxid == COHORT_CONFIG_ANY) {
        return 0;
    }
    if (change->mzxid == 0) {
        return cohort_txn_check_absent (txn, change->path);
    }
    int rc = cohort_txn_check_czxid (txn, change->path, change->czxid);
    return rc == 0 && change->verb == CONFIG_CHECK
               ? cohort_txn_check (txn, change->path, change->version)
               : rc;
}

/* Whatever is missing is created with it. made: it may have been, for a key below it. */
static int put_set (cohort_txn_t *txn, const struct config_change *change, bool made)
{
    bool may_be_absent = change->mzxid == 0 || change->mzxid == COHORT_CONFIG_ANY;
    int rc = may_be_absent ? recipe_txn_parents (txn, change->path) : 0;
    if (rc == 0 && change->mzxid == 0 && !made) {
        return cohort_txn_create (txn, change->path, change->data, change->size, COHORT_PERSISTENT,
                                  NULL);
    }
    if (rc == 0 && may_be_absent) {
        recipe_txn_ensure (txn, change->path, NULL, 0, COHORT_PERSISTENT);
    }
    return rc != 0
               ? rc
               : cohort_txn_set (txn, change->path, change->data, change->size, change->version);
}

static int put_write (cohort_txn_t *txn, const struct config_change *change, bool made)
{
    if (change->verb == CONFIG_SET) {
        return put_set (txn, change, made);
    }
    bool deletes = change->verb == CONFIG_DELETE && change->mzxid != 0;
    return deletes ? cohort_txn_delete (txn, change->path, change->version) : 0;
}

/* Whether a change before this one sets it, or a key below it. */
static bool is_made_before (const cohort_config_update_t *self, size_t index)
{
    const char *path = self->changes[index].path;
    size_t size = strlen (path);
    for (size_t i = 0; i < index; i++) {
        const char *other = self->changes[i].path;
        if (self->changes[i].verb == CONFIG_SET && strncmp (other, path, size) == 0 &&
            (other[size] == '/' || other[size] == 0)) {
            return true;
        }
    }
    return false;
}

static int put_all (cohort_config_update_t *self, cohort_txn_t *txn)
{
    int rc = 0;
    for (size_t i = 0; i < self->count && rc == 0; i++) {
        rc = put_condition (txn, &self->changes[i]);
        self->changes[i].checked = cohort_txn_count (txn);
    }
    for (size_t i = 0; i < self->count && rc == 0; i++) {
        rc = put_write (txn, &self->changes[i], is_made_before (self, i));
        self->changes[i].written = cohort_txn_count (txn);
    }
    return rc;
}

/* What no transaction could take is told at once. */
static int try_out (const struct config_change *change)
{
    cohort_txn_t *txn = cohort_txn_new ();
    if (txn == NULL) {
        return COHORT_ENOMEM;
    }
    int rc = put_condition (txn, change);
    rc = rc == 0 ? put_write (txn, change, false) : rc;
    cohort_txn_destroy (&txn);
    return rc;
}

static int add (cohort_config_update_t *self, enum config_verb verb, const char *key,
                const void *data, size_t size, uint64_t mzxid)
{
    if (!config_is_key (key) || (data == NULL && size > 0)) {
        return COHORT_EINVAL;
    }
    struct config_change *change = change_add (self, verb, key, data, size);
    if (change == NULL) {
        return COHORT_ENOMEM;
    }
    int rc = resolve (self, change, mzxid);
    rc = rc == 0 ? try_out (change) : rc;
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

/* The change that this operation belongs to, or NULL. */
static const struct config_change *change_of (const cohort_config_update_t *self, size_t operation)
{
    for (size_t i = 0; i < self->count; i++) {
        if (operation < self->changes[i].checked) {
            return &self->changes[i];
        }
    }
    for (size_t i = 0; i < self->count; i++) {
        if (operation < self->changes[i].written) {
            return &self->changes[i];
        }
    }
    return NULL;
}

/* Which key is to blame, and what the error means to whoever had read it. */
static int outcome_of (cohort_config_update_t *self, const cohort_result_t *result)
{
    size_t failed = 0;
    while (failed < result->ops_count &&
           (result->ops[failed].rc == 0 || result->ops[failed].rc == COHORT_EROLLEDBACK)) {
        failed++;
    }
    const struct config_change *change = change_of (self, failed);
    if (result->rc == 0 || failed >= result->ops_count || change == NULL) {
        return result->rc;
    }
    self->key = key_of (self, change);
    int rc = result->ops[failed].rc;
    bool another = rc == COHORT_ENONODE || rc == COHORT_ENODEEXISTS || rc == COHORT_EBADCZXID;
    return another && change->mzxid != COHORT_CONFIG_ANY ? COHORT_EBADVERSION : rc;
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

/* In a new session, if this one has ended. */
static int send (cohort_config_update_t *self, struct config_call *call)
{
    cohort_t *client = self->config->client;
    cohort_txn_t *txn = cohort_txn_new ();
    int rc = txn == NULL ? COHORT_ENOMEM : put_all (self, txn);
    if (rc == 0) {
        return recipe_commit (client, txn, on_result, call);
    }
    if (txn != NULL) {
        cohort_txn_destroy (&txn);
    }
    return rc;
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
    int rc = send (self, call);
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
    update->references++;
    int rc = recipe_may_wait (config->client, &config->guard);
    if (rc == 0 && update->references == 1) {
        rc = COHORT_ECLOSING; /* a handler has destroyed it */
    }
    rc = rc == 0 ? begin (update, (struct config_call){.fn = on_waited, .arg = &waiting}, &call)
                 : rc;
    if (call != NULL) {
        rc = recipe_wait (config->client, &config->guard, timeout_ms, is_done, &waiting);
        if (rc != 0 && rc != COHORT_ECLOSING && !waiting.done) {
            call->fn = NULL; /* nobody waits for it any more */
        }
        rc = waiting.done ? waiting.rc : rc;
    }
    update_release (update);
    config_leave (config);
    return rc;
}

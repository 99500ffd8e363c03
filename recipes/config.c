/* A subtree as configuration: the recipe behind cohort/config.h, a mirror (cohort/mirror.h) whose
 * events are told by key and by transaction. What a batch replaces is kept until its end; if there
 * is no memory for that, callbacks are told all that is there instead.
 * May include: the client's public headers, cohort/mirror.h, recipes' support, libc. */

#include "cohort/config.h"

#include <stdlib.h>
#include <string.h>

#include "config_private.h"

struct config_watch {
    struct config_watch *next;
    cohort_config_watch_fn *fn;
    void *arg;
    bool prefix; /* key is the beginning of keys */
    bool told;   /* of what was there; from then on of changes */
    char key[];
};

/* A change of the batch that is being delivered; one allocation holds its path and data. */
struct config_pending {
    struct config_pending *next;
    const char *path;
    cohort_config_value_t before;
};

char *config_path (const cohort_config_t *self, const char *key)
{
    size_t size = strlen (self->path), key_size = strlen (key) + 1;
    char *path = malloc (size + 1 + key_size);
    if (path != NULL) {
        memcpy (path, self->path, size);
        path[size] = '/';
        memcpy (path + size + 1, key, key_size);
    }
    return path;
}

bool config_is_key (const char *key)
{
    return key != NULL && key[0] != 0 && key[0] != '/' && key[strlen (key) - 1] != '/';
}

cohort_config_value_t config_value (const cohort_node_t *node)
{
    if (node == NULL) {
        return (cohort_config_value_t){0};
    }
    return (cohort_config_value_t){.data = node->data,
                                   .size = node->size,
                                   .mzxid = node->stat.mzxid,
                                   .mtime_ms = node->stat.mtime_ms,
                                   .hidden = node->hidden};
}

void config_report (cohort_config_t *self, cohort_config_event_t event)
{
    event.path = self->path;
    if (self->fn != NULL && !self->guard.destroyed) {
        self->fn (self, &event, self->arg);
    }
}

/* ---- Callbacks ------------------------------------------------------------------------------- */

static void pending_clear (cohort_config_t *self)
{
    while (self->pending != NULL) {
        struct config_pending *pending = self->pending;
        self->pending = pending->next;
        free (pending);
    }
    self->pending_last = &self->pending;
}

/* The key of a path at or below the configuration's. NULL: it is the configuration itself. */
static const char *key_of (const cohort_config_t *self, const char *path)
{
    size_t size = strlen (self->path);
    return path[size] == 0 ? NULL : path + size + 1;
}

static bool concerns (const struct config_watch *watch, const char *key)
{
    return watch->prefix ? strncmp (key, watch->key, strlen (watch->key)) == 0
                         : strcmp (key, watch->key) == 0;
}

/* What the callback is told; items NULL: how many they are. */
static size_t gather (cohort_config_t *self, const struct config_watch *watch,
                      cohort_config_change_t *items)
{
    size_t count = 0;
    if (watch->told) {
        for (const struct config_pending *it = self->pending; it != NULL; it = it->next) {
            const char *key = key_of (self, it->path);
            if (concerns (watch, key) && items != NULL) {
                const cohort_node_t *now = cohort_mirror_get (self->mirror, it->path);
                items[count] = (cohort_config_change_t){
                    .key = key, .now = config_value (now), .before = it->before};
            }
            count += concerns (watch, key);
        }
        return count;
    }
    for (const cohort_node_t *node = cohort_mirror_first (self->mirror); node != NULL;
         node = cohort_mirror_next (self->mirror, node)) {
        const char *key = key_of (self, node->path);
        if (key != NULL && concerns (watch, key)) {
            if (items != NULL) {
                items[count] = (cohort_config_change_t){.key = key, .now = config_value (node)};
            }
            count++;
        }
    }
    return count;
}

/* 0, COHORT_ENOMEM: it has to be told all, later. */
static int tell (cohort_config_t *self, struct config_watch *watch)
{
    size_t count = gather (self, watch, NULL);
    if (count == 0 && watch->told) {
        return 0;
    }
    cohort_config_change_t *items = count == 0 ? NULL : malloc (count * sizeof (*items));
    if (count > 0 && items == NULL) {
        watch->told = false;
        return COHORT_ENOMEM;
    }
    size_t gathered = items == NULL ? 0 : gather (self, watch, items);
    RECIPE_ASSERT (gathered == count);
    cohort_config_changes_t changes = {.whole = !watch->told,
                                       .zxid = cohort_mirror_zxid (self->mirror),
                                       .count = count,
                                       .items = items};
    watch->told = true;
    watch->fn (self, &changes, watch->arg);
    free (items);
    return 0;
}

/* Those that a callback adds are told at once. */
static void tell_all (cohort_config_t *self)
{
    int rc = 0;
    for (struct config_watch *it = self->watches; it != NULL && !self->guard.destroyed;
         it = it->next) {
        int told = tell (self, it);
        rc = told == 0 ? rc : told;
    }
    pending_clear (self);
    if (rc != 0) {
        config_report (self, (cohort_config_event_t){.kind = COHORT_CONFIG_ERROR, .rc = rc});
    }
}

/* Keeps what was replaced until the batch is whole. */
static void collect (cohort_config_t *self, const cohort_mirror_event_t *event)
{
    if (self->watches == NULL || key_of (self, event->path) == NULL) {
        return;
    }
    cohort_config_value_t before = config_value (event->before);
    size_t path_size = strlen (event->path) + 1;
    struct config_pending *pending = malloc (sizeof (*pending) + path_size + before.size + 1);
    if (pending == NULL) {
        for (struct config_watch *it = self->watches; it != NULL; it = it->next) {
            it->told = false;
        }
        return;
    }
    char *path = (char *) (pending + 1), *data = path + path_size;
    memcpy (path, event->path, path_size);
    if (before.data != NULL) {
        memcpy (data, before.data, before.size + 1);
        before.data = data;
    }
    *pending = (struct config_pending){.path = path, .before = before};
    *self->pending_last = pending;
    self->pending_last = &pending->next;
}

static void on_mirror (cohort_mirror_t *mirror, const cohort_mirror_event_t *event, void *arg)
{
    cohort_config_t *self = arg;
    (void) mirror;
    recipe_enter (&self->guard);
    switch (event->kind) {
    case COHORT_MIRROR_ADDED:
    case COHORT_MIRROR_CHANGED:
    case COHORT_MIRROR_REMOVED:
        collect (self, event);
        break;
    case COHORT_MIRROR_BATCH:
        config_look (self);
        tell_all (self);
        break;
    case COHORT_MIRROR_SYNCED:
        config_report (self, (cohort_config_event_t){.kind = COHORT_CONFIG_SYNCED});
        break;
    case COHORT_MIRROR_LOST:
        config_report (self, (cohort_config_event_t){.kind = COHORT_CONFIG_LOST, .rc = event->rc});
        break;
    case COHORT_MIRROR_ERROR:
        config_report (self, (cohort_config_event_t){.kind = COHORT_CONFIG_ERROR, .rc = event->rc});
        break;
    }
    config_leave (self);
}

/* Whatever the answer says: it is the moment at which callbacks may run. */
static void on_asked (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct recipe_call *call = arg;
    cohort_config_t *self = call->owner;
    (void) client;
    (void) result;
    recipe_call_end (call);
    free (call);
    if (self != NULL) {
        recipe_enter (&self->guard);
        config_look (self);
        tell_all (self);
        config_leave (self);
    }
}

/* Callbacks run only inside cohort_dispatch, and no batch may come for long: a read brings one. */
static int ask (cohort_config_t *self)
{
    if (cohort_mirror_zxid (self->mirror) == 0) {
        return 0; /* the first snapshot is on its way */
    }
    struct recipe_call *call = malloc (sizeof (*call));
    if (call == NULL) {
        return COHORT_ENOMEM;
    }
    int rc = cohort_exists_async (self->client, self->path, NULL, NULL, on_asked, call);
    if (rc != 0) {
        free (call);
        /* A new session begins with a snapshot. */
        return rc == COHORT_ESESSIONEXPIRED ? 0 : rc;
    }
    recipe_call_begin (&self->calls, call, self);
    return 0;
}

static int watch_add (cohort_config_t *self, const char *key, bool prefix,
                      cohort_config_watch_fn *fn, void *arg)
{
    size_t size = strlen (key) + 1;
    struct config_watch *watch = malloc (sizeof (*watch) + size);
    if (watch == NULL) {
        return COHORT_ENOMEM;
    }
    int rc = ask (self);
    if (rc != 0) {
        free (watch);
        return rc;
    }
    *watch = (struct config_watch){.fn = fn, .arg = arg, .prefix = prefix};
    memcpy (watch->key, key, size);
    struct config_watch **last = &self->watches;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = watch;
    return 0;
}

int cohort_config_watch (cohort_config_t *self, const char *key, cohort_config_watch_fn *fn,
                         void *arg)
{
    return config_is_key (key) && fn != NULL ? watch_add (self, key, false, fn, arg)
                                             : COHORT_EINVAL;
}

int cohort_config_watch_prefix (cohort_config_t *self, const char *prefix,
                                cohort_config_watch_fn *fn, void *arg)
{
    return prefix != NULL && fn != NULL ? watch_add (self, prefix, true, fn, arg) : COHORT_EINVAL;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void config_free (cohort_config_t *self)
{
    pending_clear (self);
    config_expected_free (self);
    while (self->watches != NULL) {
        struct config_watch *watch = self->watches;
        self->watches = watch->next;
        free (watch);
    }
    free (self->path);
    free (self);
}

void config_leave (cohort_config_t *self)
{
    if (recipe_leave (&self->guard)) {
        config_free (self);
    }
}

cohort_config_t *cohort_config_new (cohort_t *client, const char *path)
{
    bool valid = client != NULL && path != NULL && path[0] == '/' && path[1] != 0 &&
                 path[strlen (path) - 1] != '/';
    cohort_config_t *self = valid ? malloc (sizeof (*self)) : NULL;
    if (self == NULL) {
        return NULL;
    }
    *self = (cohort_config_t){.client = client, .path = recipe_copy (path, strlen (path))};
    self->pending_last = &self->pending;
    self->mirror = self->path == NULL ? NULL : cohort_mirror_new (client, path, NULL);
    if (self->mirror == NULL) {
        config_free (self);
        return NULL;
    }
    cohort_mirror_set_handler (self->mirror, on_mirror, self);
    return self;
}

void cohort_config_destroy (cohort_config_t **self_p)
{
    cohort_config_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->guard.destroyed);
    recipe_calls_forget (&self->calls);
    cohort_mirror_destroy (&self->mirror);
    if (recipe_bury (&self->guard)) {
        config_free (self);
    }
}

void cohort_config_set_handler (cohort_config_t *self, cohort_config_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

int cohort_config_wait (cohort_config_t *self, int timeout_ms)
{
    recipe_enter (&self->guard);
    int rc = cohort_mirror_wait (self->mirror, timeout_ms);
    config_leave (self);
    return rc;
}

int cohort_config_retry (cohort_config_t *self)
{
    int rc = cohort_mirror_retry (self->mirror);
    bool told = true;
    for (const struct config_watch *it = self->watches; it != NULL; it = it->next) {
        told = told && it->told;
    }
    return rc != 0 || told ? rc : ask (self);
}

int64_t cohort_config_stale_ms (cohort_config_t *self)
{
    return cohort_mirror_stale_ms (self->mirror);
}

int cohort_config_get (cohort_config_t *self, const char *key, cohort_config_value_t *value)
{
    if (!config_is_key (key)) {
        return COHORT_EINVAL;
    }
    if (cohort_mirror_zxid (self->mirror) == 0) {
        return COHORT_ESTATE;
    }
    char *path = config_path (self, key);
    if (path == NULL) {
        return COHORT_ENOMEM;
    }
    const cohort_node_t *node = cohort_mirror_get (self->mirror, path);
    free (path);
    if (node == NULL) {
        return COHORT_ENONODE;
    }
    *value = config_value (node);
    return 0;
}

/* Service discovery: the recipe behind cohort/directory.h; what is picked is decided in pick.c.
 *
 * A mirror follows the subtree; for each of its nodes at the depth of PATH/{group}/{uid} there is
 * an entry with the instance read from it. The mirror reports a batch node by node, so entries are
 * exchanged first and the events queued; the mirror's BATCH, when the list is whole, runs the
 * handler. A node that finds no memory for its entry is read again with every later batch.
 * May include: the client's public headers, cohort/mirror.h, recipes' support and nodemap, libc. */

#include "directory_private.h"

#include <stdlib.h>
#include <string.h>

#define QUARANTINE_ERRORS 2
#define QUARANTINE_MS     30000
/* Room for what cohort_instance_decode says of bad data. */
#define PROBLEM_SIZE 160

/* ---- Entries ------------------------------------------------------------------------------- */

/* The part of path behind "PATH/", if it is {group}/{uid}; else NULL. */
static const char *names_of (const cohort_directory_t *self, const char *path)
{
    if (!nodemap_is_below (path, self->path)) {
        return NULL;
    }
    size_t length = strlen (self->path);
    const char *names = path + length + (length == 1 ? 0 : 1);
    const char *slash = strchr (names, '/');
    return slash != NULL && strchr (slash + 1, '/') == NULL ? names : NULL;
}

static struct directory_entry *entry_new (const cohort_node_t *node, const char *names)
{
    size_t path_size = strlen (node->path) + 1;
    size_t names_size = strlen (names) + 1;
    size_t links_size = nodemap_levels (node->path) * sizeof (struct nodemap_entry *);
    size_t text_size = node->size < PROBLEM_SIZE ? PROBLEM_SIZE : node->size + 1;
    struct directory_entry *entry =
        malloc (sizeof (*entry) + links_size + path_size + names_size + text_size);
    if (entry == NULL) {
        return NULL;
    }
    *entry = (struct directory_entry){.mzxid = node->stat.mzxid};
    entry->link.next = (struct nodemap_entry **) (void *) (entry + 1);
    char *path = (char *) entry->link.next + links_size;
    char *group = path + path_size;
    char *text = group + names_size;
    memcpy (path, node->path, path_size);
    memcpy (group, names, names_size);
    char *slash = strchr (group, '/');
    *slash = 0;
    entry->link.path = path;
    entry->rc = cohort_instance_decode (node->data, node->size, &entry->instance, text, text_size);
    if (entry->rc != 0) {
        entry->instance = (cohort_instance_t){.text = text};
    }
    entry->instance.group = group;
    entry->instance.uid = slash + 1;
    entry->instance.token = (cohort_token_t){.czxid = node->stat.czxid, .ozxid = node->stat.ozxid};
    entry->instance.session = node->stat.ephemeral_owner;
    entry->instance.mzxid = node->stat.mzxid;
    return entry;
}

/* What this process knows of the instance goes on with it, unless it registered anew. */
static void inherit (struct directory_entry *entry, const struct directory_entry *before)
{
    if (entry->instance.token.czxid == before->instance.token.czxid) {
        entry->picked = before->picked;
        entry->errors = before->errors;
        entry->first_error_ms = before->first_error_ms;
        entry->quarantined_until_ms = before->quarantined_until_ms;
    }
}

static void enqueue (cohort_directory_t *self, struct directory_entry *entry,
                     cohort_directory_kind_t kind, struct directory_entry *before)
{
    RECIPE_ASSERT (!entry->in_queue);
    entry->in_queue = true;
    entry->kind = kind;
    entry->before = before;
    entry->queued = NULL;
    *self->last = entry;
    self->last = &entry->queued;
    self->events++;
}

/* The node is there, new or changed. COHORT_ENOMEM: nothing is done. */
static int put_node (cohort_directory_t *self, const cohort_node_t *node)
{
    const char *names = names_of (self, node->path);
    if (names == NULL) {
        return 0;
    }
    struct directory_entry *entry = entry_new (node, names);
    if (entry == NULL) {
        return COHORT_ENOMEM;
    }
    struct directory_entry *before =
        directory_entry_of (nodemap_put (&self->entries, &entry->link));
    if (before != NULL) {
        /* The mirror names a node once in a batch. */
        RECIPE_ASSERT (!before->in_queue);
        inherit (entry, before);
        if (before->rc != 0) {
            self->bad--;
            free (before);
            before = NULL;
        }
    }
    if (entry->rc != 0) {
        self->bad++;
        enqueue (self, entry, COHORT_DIRECTORY_BAD, before);
    } else {
        enqueue (self, entry, before == NULL ? COHORT_DIRECTORY_ADDED : COHORT_DIRECTORY_CHANGED,
                 before);
    }
    return 0;
}

static void remove_node (cohort_directory_t *self, const char *path)
{
    struct directory_entry *entry = directory_entry_of (nodemap_take (&self->entries, path));
    if (entry == NULL) {
        return;
    }
    if (entry->rc != 0) {
        self->bad--;
        free (entry);
    } else {
        enqueue (self, entry, COHORT_DIRECTORY_REMOVED, NULL);
    }
}

/* ---- Events -------------------------------------------------------------------------------- */

static void report (cohort_directory_t *self, const cohort_directory_event_t *event)
{
    if (self->fn != NULL && !self->guard.destroyed) {
        self->fn (self, event, self->arg);
    }
}

static void report_plain (cohort_directory_t *self, cohort_directory_kind_t kind, int rc,
                          uint64_t zxid, size_t count)
{
    cohort_directory_event_t event = {
        .kind = kind, .rc = rc, .zxid = zxid, .path = self->path, .count = count};
    report (self, &event);
}

/* Reports what is queued and frees what was replaced or removed. */
static void report_queue (cohort_directory_t *self, uint64_t zxid)
{
    struct directory_entry *entry = self->first;
    self->first = NULL;
    self->last = &self->first;
    self->events = 0;
    while (entry != NULL) {
        struct directory_entry *queued = entry->queued;
        bool removed = entry->kind == COHORT_DIRECTORY_REMOVED;
        bool bad = entry->kind == COHORT_DIRECTORY_BAD;
        const struct directory_entry *before = removed ? entry : entry->before;
        cohort_directory_event_t event = {.kind = entry->kind,
                                          .rc = entry->rc,
                                          .zxid = zxid,
                                          .path = entry->link.path,
                                          .instance = removed || bad ? NULL : &entry->instance,
                                          .before = before == NULL ? NULL : &before->instance,
                                          .text = bad ? entry->instance.text : NULL};
        report (self, &event);
        free (entry->before);
        entry->before = NULL;
        entry->in_queue = false;
        if (removed) {
            free (entry);
        }
        entry = queued;
    }
}

/* Reads the nodes again that had no entry, or only an older one. */
static void complete (cohort_directory_t *self)
{
    self->incomplete = false;
    const cohort_node_t *node = cohort_mirror_first (self->mirror);
    for (; node != NULL; node = cohort_mirror_next (self->mirror, node)) {
        const struct directory_entry *entry =
            directory_entry_of (nodemap_find (&self->entries, node->path));
        if (names_of (self, node->path) == NULL ||
            (entry != NULL && entry->mzxid == node->stat.mzxid)) {
            continue;
        }
        if (put_node (self, node) != 0) {
            self->incomplete = true;
        }
    }
}

/* Nodes for which there is no memory still. The mirror is walked with care: a handler may destroy
 * the directory, and with it the mirror. */
static void report_missing (cohort_directory_t *self, uint64_t zxid)
{
    const cohort_node_t *node = cohort_mirror_first (self->mirror);
    while (node != NULL && !self->guard.destroyed) {
        const struct directory_entry *entry =
            directory_entry_of (nodemap_find (&self->entries, node->path));
        if (names_of (self, node->path) != NULL &&
            (entry == NULL || entry->mzxid != node->stat.mzxid)) {
            cohort_directory_event_t event = {.kind = COHORT_DIRECTORY_BAD,
                                              .rc = COHORT_ENOMEM,
                                              .zxid = zxid,
                                              .path = node->path,
                                              .text = cohort_error_text (COHORT_ENOMEM)};
            report (self, &event);
        }
        node = self->guard.destroyed ? NULL : cohort_mirror_next (self->mirror, node);
    }
}

/* A session that hands its znodes over changes none of them: the mirror has their owners, and tells
 * of no event. */
static void look_at_owners (cohort_directory_t *self)
{
    for (struct nodemap_entry *link = nodemap_first (&self->entries); link != NULL;
         link = nodemap_next (link)) {
        const cohort_node_t *node = cohort_mirror_get (self->mirror, link->path);
        cohort_instance_t *instance = &directory_entry_of (link)->instance;
        if (node != NULL && node->stat.czxid == instance->token.czxid) {
            instance->token.ozxid = node->stat.ozxid;
            instance->session = node->stat.ephemeral_owner;
        }
    }
}

static void batch_ended (cohort_directory_t *self, uint64_t zxid)
{
    if (self->incomplete) {
        complete (self);
    }
    size_t count = self->events;
    report_queue (self, zxid);
    if (self->incomplete && !self->guard.destroyed) {
        report_missing (self, zxid);
    }
    report_plain (self, COHORT_DIRECTORY_BATCH, 0, zxid, count);
}

static void directory_free (cohort_directory_t *self)
{
    RECIPE_ASSERT (self->first == NULL);
    struct nodemap_entry *link;
    while ((link = nodemap_pop (&self->entries)) != NULL) {
        free (directory_entry_of (link));
    }
    free (self->candidates);
    free (self->sticky);
    free (self->path);
    free (self);
}

static void on_mirror (cohort_mirror_t *mirror, const cohort_mirror_event_t *event, void *arg)
{
    (void) mirror;
    cohort_directory_t *self = arg;
    recipe_enter (&self->guard);
    switch (event->kind) {
    case COHORT_MIRROR_ADDED:
    case COHORT_MIRROR_CHANGED:
        if (put_node (self, event->node) != 0) {
            self->incomplete = true;
        }
        break;
    case COHORT_MIRROR_REMOVED:
        remove_node (self, event->path);
        break;
    case COHORT_MIRROR_BATCH:
        if (event->count == 0) {
            look_at_owners (self);
        }
        batch_ended (self, event->zxid);
        break;
    case COHORT_MIRROR_SYNCED:
        look_at_owners (self);
        report_plain (self, COHORT_DIRECTORY_SYNCED, 0, event->zxid, 0);
        break;
    case COHORT_MIRROR_LOST:
        report_plain (self, COHORT_DIRECTORY_LOST, event->rc, event->zxid, 0);
        break;
    case COHORT_MIRROR_ERROR:
        report_plain (self, COHORT_DIRECTORY_ERROR, event->rc, event->zxid, 0);
        break;
    }
    if (recipe_leave (&self->guard)) {
        directory_free (self);
    }
}

/* ---- The public functions ------------------------------------------------------------------ */

static bool options_are_valid (const cohort_directory_options_t *options)
{
    return options == NULL ||
           (options->size >= sizeof (*options) && options->strategy >= COHORT_ROUND_ROBIN &&
            options->strategy <= COHORT_LEAST_LOAD && options->quarantine_errors >= 0 &&
            options->quarantine_ms >= 0);
}

cohort_directory_t *cohort_directory_new (cohort_t *client, const char *path,
                                          const cohort_directory_options_t *options)
{
    bool valid = client != NULL && path != NULL && options_are_valid (options);
    cohort_directory_t *self = valid ? malloc (sizeof (*self)) : NULL;
    if (self == NULL) {
        return NULL;
    }
    *self = (cohort_directory_t){.client = client,
                                 .quarantine_errors = QUARANTINE_ERRORS,
                                 .quarantine_ms = QUARANTINE_MS,
                                 .clock = recipe_clock};
    self->last = &self->first;
    if (options != NULL) {
        self->strategy = options->strategy;
        self->random = options->seed;
        self->quarantine_errors =
            options->quarantine_errors > 0 ? options->quarantine_errors : QUARANTINE_ERRORS;
        self->quarantine_ms = options->quarantine_ms > 0 ? options->quarantine_ms : QUARANTINE_MS;
        if (options->clock != NULL) {
            self->clock = options->clock;
            self->clock_arg = options->clock_arg;
        }
    }
    cohort_mirror_options_t mirror_options = {
        .size = sizeof (mirror_options), .clock = self->clock, .clock_arg = self->clock_arg};
    self->path = recipe_copy (path, strlen (path));
    self->mirror = self->path == NULL ? NULL : cohort_mirror_new (client, path, &mirror_options);
    if (self->mirror == NULL) {
        directory_free (self);
        return NULL;
    }
    cohort_mirror_set_handler (self->mirror, on_mirror, self);
    return self;
}

void cohort_directory_destroy (cohort_directory_t **self_p)
{
    cohort_directory_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->guard.destroyed);
    cohort_mirror_destroy (&self->mirror);
    if (recipe_bury (&self->guard)) {
        directory_free (self);
    }
}

void cohort_directory_set_handler (cohort_directory_t *self, cohort_directory_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

void cohort_directory_set_chooser (cohort_directory_t *self, cohort_choose_fn *fn, void *arg)
{
    self->choose = fn;
    self->choose_arg = arg;
}

int cohort_directory_wait (cohort_directory_t *self, int timeout_ms)
{
    recipe_enter (&self->guard);
    int rc = cohort_mirror_wait (self->mirror, timeout_ms);
    if (recipe_leave (&self->guard)) {
        directory_free (self);
    }
    return rc;
}

int cohort_directory_retry (cohort_directory_t *self)
{
    return cohort_mirror_retry (self->mirror);
}

const cohort_instance_t *cohort_directory_get (cohort_directory_t *self, const char *group,
                                               const char *uid)
{
    if (group == NULL || uid == NULL) {
        return NULL;
    }
    const cohort_instance_t *instance = cohort_directory_first (self, group);
    while (instance != NULL && strcmp (instance->uid, uid) != 0) {
        instance = cohort_directory_next (self, group, instance);
    }
    return instance;
}

static const cohort_instance_t *next_listed (struct nodemap_entry *link, const char *group)
{
    for (; link != NULL; link = nodemap_next (link)) {
        const struct directory_entry *entry = directory_entry_of (link);
        if (entry->rc == 0 && (group == NULL || strcmp (entry->instance.group, group) == 0)) {
            return &entry->instance;
        }
    }
    return NULL;
}

const cohort_instance_t *cohort_directory_first (cohort_directory_t *self, const char *group)
{
    return next_listed (nodemap_first (&self->entries), group);
}

const cohort_instance_t *cohort_directory_next (cohort_directory_t *self, const char *group,
                                                const cohort_instance_t *instance)
{
    (void) self;
    if (instance == NULL) {
        return NULL;
    }
    struct directory_entry *entry = nodemap_owner (instance, struct directory_entry, instance);
    return next_listed (nodemap_next (&entry->link), group);
}

size_t cohort_directory_count (cohort_directory_t *self)
{
    return self->entries.count - self->bad;
}

size_t cohort_directory_bad_count (cohort_directory_t *self)
{
    return self->bad;
}

uint64_t cohort_directory_zxid (cohort_directory_t *self)
{
    return cohort_mirror_zxid (self->mirror);
}

int64_t cohort_directory_stale_ms (cohort_directory_t *self)
{
    return cohort_mirror_stale_ms (self->mirror);
}

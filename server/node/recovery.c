/* recovery.c: see recovery.h; the log into a core is recovery_core.c. */

#include "server/node/recovery.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/node/error_text.h"

enum { ENTRIES = 512, ENTRIES_BYTES = 4 << 20 };

/* So many entries before it is applied, what an entry will change is looked for, and fetched. This
 * is not done for the first of a batch. */
enum { KEYS_AHEAD = 16, FETCHED_AHEAD = 8 };

_Static_assert(FETCHED_AHEAD < KEYS_AHEAD, "what is fetched has been looked for");

static int load (struct store_reader *reader, const struct store_snapshot_info *info,
                 const struct tree_options *options, struct tree **tree)
{
    struct tree_loader *loader = tree_loader_new (options);
    int code = loader != NULL ? 0 : COHORT_ENOMEM;
    bool expecting = false;
    while (code == 0) {
        const uint8_t *piece;
        size_t size;
        code = store_reader_next (reader, &piece, &size);
        if (code != 0 || size == 0) {
            break;
        }
        if (!tree_loader_feed (loader, piece, size)) {
            code = COHORT_ECORRUPT;
        } else if (!expecting) {
            expecting = tree_loader_expect (loader, info->size);
        }
    }
    if (code == 0) {
        *tree = tree_loader_finish (&loader);
        if (*tree == NULL || tree_zxid (*tree) != info->point.zxid) {
            tree_destroy (tree);
            code = COHORT_ECORRUPT;
        }
    }
    tree_loader_destroy (&loader);
    return code;
}

static int load_newest (struct store *store, const struct tree_options *options, struct tree **tree,
                        struct zab_point *applied, char *error, size_t error_size)
{
    struct store_reader *reader = NULL;
    struct store_snapshot_info info;
    int code = store_reader_new (store, &reader, &info);
    if (code != 0) {
        snprintf (error, error_size, "the newest snapshot cannot be opened: %s", error_text (code));
        return code;
    }
    code = load (reader, &info, options, tree);
    store_reader_destroy (&reader);
    if (code != 0) {
        snprintf (error, error_size, "the snapshot at zxid %" PRIx64 " cannot be loaded: %s",
                  info.point.zxid, error_text (code));
        return code;
    }
    *applied = info.point;
    return 0;
}

/* ---- While the store is opened --------------------------------------------------------------- */

void recovery_early_load (void *arg, struct store_reader *reader,
                          const struct store_snapshot_info *info)
{
    struct recovery_early *self = arg;
    tree_destroy (&self->tree);
    self->point = info->point;
    if (load (reader, info, &self->options, &self->tree) != 0) {
        self->tree = NULL; /* it will be tried again, and what is wrong be said */
    }
}

void recovery_early_deinit (struct recovery_early *self)
{
    tree_destroy (&self->tree);
}

/* Whether it is of the newest snapshot, and there. */
static bool take_early (struct recovery_early *self, const struct store_snapshot_info *newest,
                        struct tree **tree, struct zab_point *applied)
{
    if (self == NULL || self->tree == NULL || self->point.zxid != newest->point.zxid ||
        self->point.chain != newest->point.chain) {
        return false;
    }
    *tree = self->tree;
    *applied = self->point;
    self->tree = NULL;
    return true;
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* The newest that loads; an empty state, if there is none at all. */
static int load_any (struct store *store, const struct tree_options *options,
                     struct recovery_early *early, const struct logger *logger, struct tree **tree,
                     struct zab_point *applied, char *error, size_t error_size)
{
    struct store_snapshot_info info;
    if (!store_snapshot_newest (store, &info)) {
        *tree = tree_new (options);
        return *tree != NULL ? 0 : COHORT_ENOMEM;
    }
    if (take_early (early, &info, tree, applied)) {
        return 0;
    }
    int code = load_newest (store, options, tree, applied, error, error_size);
    while (code == COHORT_ECORRUPT) {
        logger_write (logger, LOG_ERROR, "snapshot-rejected", "reason=\"%s\"", error);
        char why[128];
        int rejected = store_snapshot_reject (store, why, sizeof why);
        if (rejected != 0) {
            size_t size = strlen (error);
            snprintf (error + size, error_size - size, "; %s", why);
            return rejected;
        }
        code = load_newest (store, options, tree, applied, error, error_size);
    }
    return code;
}

/* A state of many znodes does not fit into the processor's caches: what the memory takes to bring
 * closer its place in the index, and then the znode, passes while other entries are applied. */
static void foresee (const struct tree *tree, const struct zab_entry *entries, size_t count,
                     size_t next, struct tree_key keys[KEYS_AHEAD])
{
    size_t sought = next + KEYS_AHEAD;
    size_t fetched = next + FETCHED_AHEAD;
    if (sought < count) {
        keys[sought % KEYS_AHEAD] =
            tree_key_of_entry (tree, entries[sought].data, entries[sought].size);
    }
    if (fetched < count) {
        tree_key_fetch (tree, &keys[fetched % KEYS_AHEAD]);
    }
}

/* Applies what the log records as committed. */
static int replay (struct store *store, struct tree *tree, struct zab_point *applied, char *error,
                   size_t error_size)
{
    zxid_t committed = store_committed (store);
    zxid_t last = store_last (store);
    zxid_t through = committed < last && !COHORT_MUTATED (applied_at_start) ? committed : last;
    struct zab_entry *entries = mem_calloc (ENTRIES, sizeof *entries);
    if (entries == NULL) {
        return COHORT_ENOMEM;
    }
    int code = 0;
    while (code == 0 && applied->zxid < through) {
        size_t count = store_read (store, applied->zxid, through, ENTRIES_BYTES, entries, ENTRIES);
        if (count == 0) {
            code = COHORT_ECORRUPT;
            snprintf (error, error_size, "the log behind zxid %" PRIx64 " cannot be read",
                      applied->zxid);
        }
        struct tree_key keys[KEYS_AHEAD] = {0};
        for (size_t i = 0; i < count && code == 0; i++) {
            foresee (tree, entries, count, i, keys);
            struct tree_outcome outcome;
            if (!tree_apply (tree, entries[i].zxid, entries[i].stamp_ms, entries[i].data,
                             entries[i].size, &outcome)) {
                code = COHORT_ECORRUPT;
                snprintf (error, error_size,
                          "the entry at zxid %" PRIx64 " is malformed, or of a later version",
                          entries[i].zxid);
            } else {
                *applied = (struct zab_point){entries[i].zxid, entries[i].chain};
            }
        }
    }
    mem_free (entries);
    return code;
}

int recovery_tree (struct store *store, const struct tree_options *options,
                   struct recovery_early *early, const struct logger *logger, struct tree **tree,
                   struct zab_point *applied, char *error, size_t error_size)
{
    struct tree *loaded = NULL;
    *applied = (struct zab_point){0, 0};
    snprintf (error, error_size, "out of memory");
    int code = load_any (store, options, early, logger, &loaded, applied, error, error_size);
    if (early != NULL) {
        recovery_early_deinit (early);
    }
    if (code == 0) {
        code = replay (store, loaded, applied, error, error_size);
    }
    if (code != 0) {
        tree_destroy (&loaded);
        return code;
    }
    tree_foresee (loaded, (struct slab_foresight){NULL, NULL});
    *tree = loaded;
    return 0;
}

/* Which instance of a directory to use: strategies, and quarantine for those that do not answer.
 * Nothing here changes the list. May include: directory_private.h, libc. */

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "directory_private.h"

static int64_t now_ms (cohort_directory_t *self)
{
    return self->clock (self->clock_arg);
}

static bool may_be_picked (const struct directory_entry *entry, const char *group, int64_t now)
{
    return entry->rc == 0 && !entry->instance.draining && now >= entry->quarantined_until_ms &&
           (group == NULL || strcmp (entry->instance.group, group) == 0);
}

/* The next entry, in order, that may be picked; NULL as entry: the first one. */
static struct directory_entry *next_candidate (cohort_directory_t *self,
                                               struct directory_entry *entry, const char *group,
                                               int64_t now)
{
    struct nodemap_entry *link =
        entry == NULL ? nodemap_first (&self->entries) : nodemap_next (&entry->link);
    while (link != NULL && !may_be_picked (directory_entry_of (link), group, now)) {
        link = nodemap_next (link);
    }
    return directory_entry_of (link);
}

/* splitmix64: the state counts, the output mixes. */
static uint64_t draw (cohort_directory_t *self)
{
    self->random += UINT64_C (0x9e3779b97f4a7c15);
    uint64_t x = self->random;
    x = (x ^ (x >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C (0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Uniformly below `below`, without the bias of a plain remainder. */
static uint64_t draw_below (cohort_directory_t *self, uint64_t below)
{
    RECIPE_ASSERT (below > 0);
    uint64_t limit = UINT64_MAX - UINT64_MAX % below;
    uint64_t number = draw (self);
    while (number >= limit) {
        number = draw (self);
    }
    return number % below;
}

static struct directory_entry *pick_random (cohort_directory_t *self, const char *group,
                                            int64_t now)
{
    uint64_t count = 0;
    struct directory_entry *entry = next_candidate (self, NULL, group, now);
    for (; entry != NULL; entry = next_candidate (self, entry, group, now)) {
        count++;
    }
    if (count == 0) {
        return NULL;
    }
    entry = next_candidate (self, NULL, group, now);
    for (uint64_t index = draw_below (self, count); index > 0; index--) {
        entry = next_candidate (self, entry, group, now);
    }
    return entry;
}

/* Whether a is to be preferred: smaller load, if loads count; else longer not picked. */
static bool is_better (const struct directory_entry *a, const struct directory_entry *b,
                       bool by_load)
{
    /* Loads have at most 18 digits: the sums do not overflow. */
    int64_t a_load = a->instance.load + a->picks;
    int64_t b_load = b->instance.load + b->picks;
    if (by_load && a_load != b_load) {
        return a_load < b_load;
    }
    return a->picked < b->picked;
}

static struct directory_entry *pick_best (cohort_directory_t *self, const char *group, int64_t now,
                                          bool by_load)
{
    struct directory_entry *best = NULL;
    struct directory_entry *entry = next_candidate (self, NULL, group, now);
    for (; entry != NULL; entry = next_candidate (self, entry, group, now)) {
        if (best == NULL || is_better (entry, best, by_load)) {
            best = entry;
        }
    }
    return best;
}

/* The candidate whose name goes best with the key: each key has its own order of preference, so
 * one that leaves moves only its own keys. */
static struct directory_entry *pick_rendezvous (cohort_directory_t *self, const char *group,
                                                const char *key, int64_t now)
{
    uint64_t key_hash = nodemap_hash (key, strlen (key), 0);
    uint64_t best_weight = 0;
    struct directory_entry *best = NULL;
    struct directory_entry *entry = next_candidate (self, NULL, group, now);
    for (; entry != NULL; entry = next_candidate (self, entry, group, now)) {
        uint64_t weight = nodemap_hash (entry->link.path, strlen (entry->link.path), key_hash);
        if (best == NULL || weight > best_weight) {
            best = entry;
            best_weight = weight;
        }
    }
    return best;
}

/* The last one again if it can be; else the next in turn becomes it. */
static struct directory_entry *pick_last (cohort_directory_t *self, const char *group, int64_t now)
{
    struct directory_entry *entry =
        self->sticky == NULL ? NULL
                             : directory_entry_of (nodemap_find (&self->entries, self->sticky));
    if (entry != NULL && may_be_picked (entry, group, now)) {
        return entry;
    }
    entry = pick_best (self, group, now, false);
    if (entry != NULL) {
        free (self->sticky);
        /* Without memory for it the next pick chooses anew. */
        self->sticky = recipe_copy (entry->link.path, strlen (entry->link.path));
    }
    return entry;
}

static struct directory_entry *pick_chosen (cohort_directory_t *self, const char *group,
                                            const char *key, int64_t now)
{
    if (self->entries.count > self->candidates_size) {
        size_t size = self->entries.count + self->entries.count / 2;
        const cohort_instance_t **candidates =
            realloc (self->candidates, size * sizeof (candidates[0]));
        if (candidates == NULL) {
            return NULL;
        }
        self->candidates = candidates;
        self->candidates_size = size;
    }
    size_t count = 0;
    struct directory_entry *entry = next_candidate (self, NULL, group, now);
    for (; entry != NULL; entry = next_candidate (self, entry, group, now)) {
        self->candidates[count] = &entry->instance;
        count++;
    }
    int index = count == 0 ? -1 : self->choose (self->candidates, count, key, self->choose_arg);
    if (index < 0 || (size_t) index >= count) {
        return NULL;
    }
    return nodemap_owner (self->candidates[index], struct directory_entry, instance);
}

const cohort_instance_t *cohort_directory_pick (cohort_directory_t *self, const char *group,
                                                const char *key)
{
    int64_t now = now_ms (self);
    struct directory_entry *entry;
    if (self->choose != NULL) {
        entry = pick_chosen (self, group, key, now);
    } else if (self->strategy == COHORT_RANDOM) {
        entry = pick_random (self, group, now);
    } else if (self->strategy == COHORT_STICKY) {
        entry =
            key != NULL ? pick_rendezvous (self, group, key, now) : pick_last (self, group, now);
    } else {
        entry = pick_best (self, group, now, self->strategy == COHORT_LEAST_LOAD);
    }
    if (entry == NULL) {
        return NULL;
    }
    entry->picked = ++self->picks;
    entry->picks++;
    return &entry->instance;
}

/* ---- Quarantine ---------------------------------------------------------------------------- */

static struct directory_entry *find_uid (cohort_directory_t *self, struct nodemap_entry *from,
                                         const char *uid)
{
    struct nodemap_entry *link =
        from == NULL ? nodemap_first (&self->entries) : nodemap_next (from);
    while (link != NULL && (directory_entry_of (link)->rc != 0 ||
                            strcmp (directory_entry_of (link)->instance.uid, uid) != 0)) {
        link = nodemap_next (link);
    }
    return directory_entry_of (link);
}

static void count_error (const cohort_directory_t *self, struct directory_entry *entry, int64_t now)
{
    if (entry->errors == 0 || now - entry->first_error_ms > self->quarantine_ms) {
        entry->errors = 0;
        entry->first_error_ms = now;
    }
    if (entry->errors < INT_MAX) {
        entry->errors++;
    }
    if (entry->errors >= self->quarantine_errors) {
        entry->quarantined_until_ms = now + self->quarantine_ms;
    }
}

int cohort_directory_report (cohort_directory_t *self, const char *uid, int ok)
{
    struct directory_entry *entry = uid == NULL ? NULL : find_uid (self, NULL, uid);
    int rc = entry == NULL ? COHORT_ENONODE : 0;
    int64_t now = now_ms (self);
    for (; entry != NULL; entry = find_uid (self, &entry->link, uid)) {
        if (ok) {
            entry->errors = 0;
            entry->quarantined_until_ms = 0;
        } else {
            count_error (self, entry, now);
        }
    }
    return rc;
}

int64_t cohort_directory_quarantine_ms (cohort_directory_t *self, const char *uid)
{
    struct directory_entry *entry = uid == NULL ? NULL : find_uid (self, NULL, uid);
    int64_t now = now_ms (self);
    return entry != NULL && entry->quarantined_until_ms > now ? entry->quarantined_until_ms - now
                                                              : 0;
}

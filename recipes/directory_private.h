/* What the two halves of the directory share: directory.c, the list, and pick.c, the choice.
 * Private. May include: cohort/directory.h, cohort/mirror.h, recipes' support and nodemap. */

#ifndef COHORT_RECIPES_DIRECTORY_PRIVATE_H
#define COHORT_RECIPES_DIRECTORY_PRIVATE_H

#include "cohort/directory.h"
#include "cohort/mirror.h"
#include "nodemap.h"
#include "support.h"

/* A child; one allocation holds its links, names and text. */
struct directory_entry {
    cohort_instance_t instance;
    struct nodemap_entry link;
    uint64_t mzxid;
    int rc; /* why it is bad, or 0 */

    uint64_t picked; /* number of its last pick, 0: never */
    int64_t picks;   /* since the load was published */
    int errors;
    int64_t first_error_ms;
    int64_t quarantined_until_ms; /* 0: never */

    cohort_directory_kind_t kind;   /* event */
    struct directory_entry *before; /* event: what it replaced, owned */
    struct directory_entry *queued; /* event: the next one */
    bool in_queue;
};

struct cohort_directory {
    cohort_t *client;
    cohort_mirror_t *mirror;
    char *path;
    struct nodemap entries;
    size_t bad;
    bool incomplete; /* a node found no memory for its entry */

    struct directory_entry *first; /* events to be reported with the batch */
    struct directory_entry **last;
    size_t events;

    int strategy;
    uint64_t random;
    int quarantine_errors;
    int64_t quarantine_ms;
    uint64_t picks;
    char *sticky; /* path of the last pick without a key */
    cohort_choose_fn *choose;
    void *choose_arg;
    const cohort_instance_t **candidates;
    size_t candidates_size;

    struct recipe_guard guard;
    cohort_clock_fn *clock;
    void *clock_arg;
    cohort_directory_fn *fn;
    void *arg;
};

static inline struct directory_entry *directory_entry_of (struct nodemap_entry *link)
{
    return link == NULL ? NULL : nodemap_owner (link, struct directory_entry, link);
}

#endif

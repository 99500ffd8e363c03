/* server/inspect/salvage.h - entries that survive outside of a damaged log
 *
 * A recovery that meets damage sets aside what lies behind it: much of that is sound, and so are
 * the logs of other servers. An entry names its predecessor's chain hash, and its own covers that,
 * its zxid, time and data; so an entry whose predecessor's chain is that of the log's end is the
 * one that followed there, whatever file it is found in. Nothing is guessed, and nothing else is
 * taken.
 */
#ifndef SERVER_INSPECT_SALVAGE_H
#define SERVER_INSPECT_SALVAGE_H

#include "server/store/fault.h"
#include "server/store/format.h"
#include "server/store/store.h"

struct salvage;

/* What can be found in these folders: in what was set aside in each, and in the logs of all but the
 * first, as far as their manifests say that they count. Of other clusters: nothing. The disks are
 * borrowed and must outlive it; the first may be NULL. COHORT_ESYSTEM, COHORT_ENOMEM. */
int salvage_new (struct disk *const *disks, size_t count, const uint8_t cluster_id[16],
                 struct salvage **salvage, struct fault *fault);
void salvage_destroy (struct salvage **self_p);

/* Appends to the store what follows its end; of two ways to go on, the one that leads to the more
 * recent entry. An empty store gets the newest sound snapshot first. *appended: entries. Blocks
 * until all is durable. */
int salvage_append (struct salvage *self, struct store *store, uint64_t *appended,
                    struct fault *fault);

/* Entries behind a zxid that were found, or of which the header alone is left; and the last. */
uint64_t salvage_count (const struct salvage *self, zxid_t after, zxid_t *last);

#endif

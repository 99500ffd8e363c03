/* recovery_core.c: the log into a core; see recovery.h. */

#include "server/node/recovery.h"

#include <inttypes.h>
#include <stdio.h>

#include "cohort/error.h"

int recovery_core (struct store *store, struct zab *zab, char *error, size_t error_size)
{
    zxid_t chained;
    struct zab_past *past = store_take_past (store, &chained);
    if (past == NULL) {
        snprintf (error, error_size, "the log is damaged behind zxid %" PRIx64, chained);
        return COHORT_ECORRUPT;
    }
    zab_recover (zab, &past);
    return 0;
}

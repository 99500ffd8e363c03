/* recovery_core.c: the log into a core; see recovery.h. */

#include "server/node/recovery.h"

#include <inttypes.h>
#include <stdio.h>

#include "client/base/alloc.h"
#include "cohort/error.h"

enum { ENTRIES = 512, ENTRIES_BYTES = 4 << 20 };

int recovery_core (struct store *store, struct zab *zab, char *error, size_t error_size)
{
    struct zab_point base;
    int64_t stamp_ms = 0;
    store_base (store, &base, &stamp_ms);
    zab_recover_base (zab, base, stamp_ms);
    struct zab_entry *entries = mem_calloc (ENTRIES, sizeof *entries);
    if (entries == NULL) {
        snprintf (error, error_size, "out of memory");
        return COHORT_ENOMEM;
    }
    int code = 0;
    zxid_t at = base.zxid;
    zxid_t last = store_last (store);
    while (code == 0 && at < last) {
        size_t count = store_read (store, at, last, ENTRIES_BYTES, entries, ENTRIES);
        code = count > 0 ? 0 : COHORT_ECORRUPT;
        for (size_t i = 0; i < count && code == 0; i++) {
            code = zab_recover_entry (zab, &entries[i]) ? 0 : COHORT_ECORRUPT;
            at = entries[i].zxid;
        }
    }
    if (code != 0) {
        snprintf (error, error_size, "the log is damaged at zxid %" PRIx64, at);
    }
    mem_free (entries);
    return code;
}

/* The public error table, made from the map in cohort/error.h. May include: public types. */

#include "cohort/error.h"

#include <stddef.h>

struct error_entry {
    int code, kind;
    const char *name, *text;
};

static const struct error_entry table[] = {
#define ERROR_ENTRY(name, number, kind, text) {number, COHORT_KIND_##kind, "COHORT_" #name, text},
    COHORT_ERROR_MAP (ERROR_ENTRY)
#undef ERROR_ENTRY
};

/* A search through some fifty entries: errors are no hot path. */
static const struct error_entry *find (int code)
{
    for (size_t i = 0; i < sizeof (table) / sizeof (table[0]); i++) {
        if (table[i].code == code) {
            return &table[i];
        }
    }
    return NULL;
}

const char *cohort_error_name (int code)
{
    const struct error_entry *entry = find (code);
    return entry != NULL ? entry->name : "COHORT_EUNKNOWN";
}

const char *cohort_error_text (int code)
{
    const struct error_entry *entry = find (code);
    return entry != NULL ? entry->text : "an error that this version does not know";
}

int cohort_error_kind (int code)
{
    const struct error_entry *entry = find (code);
    return entry != NULL ? entry->kind : COHORT_KIND_UNKNOWN;
}

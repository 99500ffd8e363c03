/* error_text.c: see error_text.h. */

#include "server/node/error_text.h"

#include "cohort/error.h"

const char *error_name (int code)
{
    switch (code) {
#define NAME_CASE(name, number, kind, text)                                                        \
    case number:                                                                                   \
        return "COHORT_" #name;
        COHORT_ERROR_MAP (NAME_CASE)
#undef NAME_CASE
    default:
        return "COHORT_EUNKNOWN";
    }
}

const char *error_text (int code)
{
    switch (code) {
#define TEXT_CASE(name, number, kind, text)                                                        \
    case number:                                                                                   \
        return text;
        COHORT_ERROR_MAP (TEXT_CASE)
#undef TEXT_CASE
    default:
        return "an unknown error";
    }
}

/* What the errors of the library mean for whoever meets one: `cohort help CODE`.
 * May include: the public client API. */

#ifndef COHORT_CLI_ADVICE_H
#define COHORT_CLI_ADVICE_H

#include <stdbool.h>

/* The code that text names: "-101", "101", "COHORT_ENONODE", "enonode" or "NoNode". False: none. */
bool advice_parse (const char *text, int *code);

/* What to do about an error; NULL: nothing is known of that code. */
const char *advice_text (int code);

/* "definite", "retryable" or "unknown", and what that means. */
const char *advice_kind (int code, const char **meaning);

#endif

/* What the recipes share: see support.h. */

#include "support.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

_Noreturn void recipe_assert_fail (const char *expr, const char *file, int line)
{
    fprintf (stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
    abort ();
}

int64_t recipe_clock (void *unused)
{
    (void) unused;
    struct timespec now;
    int rc = clock_gettime (CLOCK_BOOTTIME, &now);
    RECIPE_ASSERT (rc == 0);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void *recipe_copy (const void *data, size_t size)
{
    if (size == SIZE_MAX) {
        return NULL;
    }
    char *copy = malloc (size + 1);
    if (copy != NULL) {
        if (size > 0) {
            memcpy (copy, data, size);
        }
        copy[size] = 0;
    }
    return copy;
}

int recipe_unique_name (char name[RECIPE_NAME_SIZE])
{
    uint64_t random[2];
    ssize_t got;
    /* So few bytes come all at once. */
    do {
        got = getrandom (random, sizeof (random), 0);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t) sizeof (random)) {
        return COHORT_ESYSTEM;
    }
    snprintf (name, RECIPE_NAME_SIZE, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    return 0;
}

/* Built up as a negative number, for there is one more of these. */
int recipe_parse_number (const char *text, size_t size, int64_t *number)
{
    bool negative = size > 0 && text[0] == '-';
    int64_t sum = 0;
    if (negative && size == 1) {
        return COHORT_ENOTNUMBER;
    }
    for (size_t i = negative ? 1 : 0; i < size; i++) {
        int digit = text[i] - '0';
        if (digit < 0 || digit > 9 || sum < (INT64_MIN + digit) / 10) {
            return COHORT_ENOTNUMBER;
        }
        sum = sum * 10 - digit;
    }
    if (!negative && sum == INT64_MIN) {
        return COHORT_ENOTNUMBER;
    }
    *number = negative ? sum : -sum;
    return 0;
}

int recipe_renew (cohort_t *client, uint64_t *lost)
{
    if (cohort_state (client) != COHORT_LOST) {
        return 0;
    }
    uint64_t session = cohort_session_id (client);
    if (lost != NULL && (session == 0 || session == *lost)) {
        return COHORT_ESESSIONEXPIRED;
    }
    int rc = cohort_renew (client);
    /* Another thread may have been faster. */
    if (rc == COHORT_ESTATE && cohort_state (client) != COHORT_LOST) {
        rc = 0;
    }
    if (rc == 0 && lost != NULL) {
        *lost = session;
    }
    return rc;
}

bool recipe_handed_over (const cohort_change_t *change, uint64_t *owner, uint64_t *ozxid)
{
    RECIPE_ASSERT (change->kind == COHORT_CHANGE_OWNER);
    if (*owner == 0 || *owner != change->from || *ozxid > change->stat.ozxid) {
        return false;
    }
    *owner = change->stat.ephemeral_owner;
    *ozxid = change->stat.ozxid;
    return true;
}

int recipe_wait (cohort_t *client, const struct recipe_guard *guard, int timeout_ms,
                 recipe_done_fn *done, void *self)
{
    RECIPE_ASSERT (guard->depth > 0);
    int64_t deadline = timeout_ms < 0 ? INT64_MAX : recipe_clock (NULL) + timeout_ms;
    for (bool last = false;;) {
        int rc = done (self);
        if (rc != 0) {
            return rc > 0 ? 0 : rc;
        }
        if (last) {
            return COHORT_ETIMEDOUT;
        }
        int left = -1;
        if (timeout_ms >= 0) {
            int64_t now = recipe_clock (NULL);
            left = deadline > now ? (int) (deadline - now) : 0;
            /* What is queued at the very end still counts. */
            last = left == 0;
        }
        rc = cohort_run (client, left);
        /* A handler that destroyed the object may have destroyed the client as well. */
        if (guard->destroyed) {
            return COHORT_ECLOSING;
        }
        if (rc < 0) {
            return rc;
        }
    }
}

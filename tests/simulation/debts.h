/* How long a quorum takes for what a server's own disk still owes: where that is long no disk
 * hangs, all of them are slow (docs/zab.md, section 13).
 *
 * Found out from outside, once a turn: where the log ended, and what was durable and committed. */

#ifndef COHORT_TESTS_DEBTS_H
#define COHORT_TESTS_DEBTS_H

#include <stddef.h>
#include <stdint.h>

#include "server/core/zxid.h"

enum { DEBTS_MAX = 64 };

/* Private. */
struct debts {
    struct debt {
        zxid_t from, end; /* the log grew by that */
        int64_t ms;
    } newest[DEBTS_MAX]; /* what is not durable, the oldest first; the last has what had no place */
    size_t count;
    zxid_t last, committed;
    int64_t took_ms, took_before_ms;
};

/* A process begins, whose log ends there. */
void debts_init (struct debts *self, zxid_t last, zxid_t committed);

void debts_look (struct debts *self, zxid_t last, zxid_t durable, zxid_t committed, int64_t now_ms);

/* The longer of the last two times. */
int64_t debts_took_ms (const struct debts *self);

#endif

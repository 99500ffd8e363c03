/* debts.c: see debts.h. */

#include "tests/simulation/debts.h"

#include <string.h>

void debts_init (struct debts *self, zxid_t last, zxid_t committed)
{
    memset (self, 0, sizeof *self);
    self->last = last;
    self->committed = committed;
}

/* Durable, or cut off. */
static void settle (struct debts *self, zxid_t last, zxid_t durable)
{
    while (self->count > 0 && self->newest[0].end <= durable) {
        self->count--;
        memmove (self->newest, self->newest + 1, self->count * sizeof self->newest[0]);
    }
    while (self->count > 0 && self->newest[self->count - 1].from >= last) {
        self->count--;
    }
}

static void grow (struct debts *self, zxid_t last, int64_t now_ms)
{
    if (self->count < DEBTS_MAX) {
        self->newest[self->count++] = (struct debt){self->last, last, now_ms};
    } else {
        self->newest[DEBTS_MAX - 1].end = last;
    }
}

/* The others have what was not durable here, nor known to be committed before. */
static void compare (struct debts *self, zxid_t committed, int64_t now_ms)
{
    for (size_t i = 0; i < self->count; i++) {
        const struct debt *debt = &self->newest[i];
        if (debt->end > self->committed && debt->from < committed) {
            self->took_before_ms = self->took_ms;
            self->took_ms = now_ms - debt->ms;
            break;
        }
    }
}

void debts_look (struct debts *self, zxid_t last, zxid_t durable, zxid_t committed, int64_t now_ms)
{
    settle (self, last, durable);
    if (committed > self->committed) {
        compare (self, committed, now_ms);
    }
    if (last > self->last) {
        grow (self, last, now_ms);
    }
    self->last = last;
    self->committed = committed;
}

int64_t debts_took_ms (const struct debts *self)
{
    return self->took_ms > self->took_before_ms ? self->took_ms : self->took_before_ms;
}

/* Judges a history, event by event: all rules, and in the end the search.
 *
 * May include: rules.h, search.h. */

#ifndef TESTS_HISTORY_JUDGE_H
#define TESTS_HISTORY_JUDGE_H

#include "tests/history/rules.h"
#include "tests/history/search.h"

struct judge {
    struct facts facts;
    struct search search;
    const char *broken; /* the name of what does not hold; NULL: all does so far */
    struct objection objection;
};

void judge_init (struct judge *self);
void judge_deinit (struct judge *self);

/* The next event. false: something does not hold (broken, objection); nothing may follow. */
bool judge_see (struct judge *self, const struct history_event *event);

/* There are no more events. */
bool judge_finish (struct judge *self);

#endif

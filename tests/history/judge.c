/* Judges a history, event by event. */

#include "tests/history/judge.h"

#include "client/base/assert.h"

void judge_init (struct judge *self)
{
    facts_init (&self->facts);
    search_init (&self->search);
    self->broken = NULL;
    self->objection.text[0] = '\0';
}

void judge_deinit (struct judge *self)
{
    facts_deinit (&self->facts);
    search_deinit (&self->search);
}

bool judge_see (struct judge *self, const struct history_event *event)
{
    COHORT_ASSERT (self->broken == NULL);
    search_see (&self->search, &self->facts, event);
    const struct history_rule *rule = history_see (&self->facts, event, &self->objection);
    self->broken = rule != NULL ? rule->name : NULL;
    return rule == NULL;
}

bool judge_finish (struct judge *self)
{
    COHORT_ASSERT (self->broken == NULL);
    if (!search_run (&self->search, &self->facts, &self->objection)) {
        self->broken = "linearizable without the log";
    }
    return self->broken == NULL;
}

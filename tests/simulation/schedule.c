/* A binary heap of events. */

#include "tests/simulation/schedule.h"

#include <stdlib.h>

#include "client/base/assert.h"

static bool before (const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void schedule_init (struct schedule *self)
{
    *self = (struct schedule){.now_ms = 1};
}

void schedule_deinit (struct schedule *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free (self->heap[i].data);
    }
    free (self->heap);
    *self = (struct schedule){0};
}

void schedule_add (struct schedule *self, struct sim_event event)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 1024;
        self->heap = realloc (self->heap, self->capacity * sizeof *self->heap);
        COHORT_ASSERT (self->heap != NULL);
    }
    if (event.at_ms < self->now_ms) {
        event.at_ms = self->now_ms;
    }
    event.order = self->next_order++;
    size_t i = self->count++;
    while (i > 0 && before (&event, &self->heap[(i - 1) / 2])) {
        self->heap[i] = self->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    self->heap[i] = event;
}

bool schedule_moment_over (const struct schedule *self)
{
    return self->count == 0 || self->heap[0].at_ms > self->now_ms;
}

bool schedule_next (struct schedule *self, struct sim_event *event)
{
    if (self->count == 0) {
        return false;
    }
    *event = self->heap[0];
    COHORT_ASSERT (event->at_ms >= self->now_ms);
    self->now_ms = event->at_ms;
    const struct sim_event *last = &self->heap[--self->count];
    size_t i = 0;
    for (size_t child = 1; child < self->count; child = 2 * i + 1) {
        bool right = child + 1 < self->count && before (&self->heap[child + 1], &self->heap[child]);
        child += right;
        if (!before (&self->heap[child], last)) {
            break;
        }
        self->heap[i] = self->heap[child];
        i = child;
    }
    self->heap[i] = *last;
    return true;
}

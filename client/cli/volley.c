/* Many requests of one kind. May include: volley.h, libc. */

#include "client/cli/volley.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct volley *volley_new (struct session *session)
{
    struct volley *self = calloc (1, sizeof *self);
    if (self != NULL) {
        self->session = session;
    }
    return self;
}

static void free_if_over (struct volley *self)
{
    if (self->session == NULL && self->answered == self->asked) {
        free (self);
    }
}

void volley_end (struct volley **self_p)
{
    (*self_p)->session = NULL;
    free_if_over (*self_p);
    *self_p = NULL;
}

int volley_asked (struct volley *self, int rc)
{
    self->asked += rc == COHORT_OK;
    return rc;
}

void volley_answered (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct volley *self = arg;
    assert (self->answered < self->asked);
    self->answered++;
    if (result->rc == COHORT_OK) {
        self->done++;
    } else if (result->rc != COHORT_ENONODE) {
        self->remain++;
        if (self->rc == COHORT_OK) {
            self->rc = result->rc;
            (void) snprintf (self->path, sizeof self->path, "%s",
                             result->path != NULL ? result->path : "");
        }
    }
    free_if_over (self);
}

int volley_drain (struct volley *self, size_t flying)
{
    while (self->asked - self->answered > flying) {
        if (cohort_run (self->session->client, self->session->settings.timeout_ms) <= 0) {
            return COHORT_ETIMEDOUT;
        }
    }
    return COHORT_OK;
}

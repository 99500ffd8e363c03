/* A partitioner, how its members agree on the number of partitions: whoever is first writes it, the
 * others compare. May include: partitioner_private.h, libc. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "partitioner_private.h"

/* "partitions=500\n" */
#define TEXT_SIZE 32

struct config_call {
    struct recipe_call base; /* first */
    bool creates;            /* else it reads */
};

static cohort_result_fn on_config;

static int send_config (cohort_partitioner_t *self, struct config_call *call)
{
    char text[TEXT_SIZE];
    if (!call->creates) {
        return cohort_get_async (self->client, self->path, NULL, NULL, on_config, call);
    }
    cohort_txn_t *txn = cohort_txn_new ();
    int rc = txn == NULL ? COHORT_ENOMEM : recipe_txn_parents (txn, self->path);
    if (rc == 0) {
        snprintf (text, sizeof (text), "partitions=%d\n", self->count);
        recipe_txn_ensure (txn, self->path, text, strlen (text), COHORT_PERSISTENT);
        recipe_txn_ensure (txn, self->members, NULL, 0, COHORT_PERSISTENT);
        recipe_txn_ensure (txn, self->locks, NULL, 0, COHORT_PERSISTENT);
        rc = cohort_multi_async (self->client, txn, on_config, call);
    }
    if (txn != NULL) {
        cohort_txn_destroy (&txn);
    }
    return rc;
}

int partitioner_agree (cohort_partitioner_t *self, bool creates)
{
    int rc = recipe_renew (self->client, &self->lost_session);
    struct config_call *call = rc == 0 ? malloc (sizeof (*call)) : NULL;
    if (call == NULL) {
        return rc != 0 ? rc : COHORT_ENOMEM;
    }
    *call = (struct config_call){.creates = creates};
    rc = send_config (self, call);
    if (rc != 0) {
        free (call);
        return rc;
    }
    recipe_call_begin (&self->calls, &call->base, self);
    self->asking = true;
    return 0;
}

static int take_config (cohort_partitioner_t *self, bool creates, const cohort_result_t *result)
{
    char text[TEXT_SIZE];
    if (result->rc == COHORT_ESESSIONEXPIRED || (!creates && result->rc == COHORT_ENONODE)) {
        return partitioner_agree (self, true);
    }
    if (result->rc != 0) {
        return result->rc;
    }
    if (creates) {
        /* Behind it come the two folders. */
        bool existed = result->ops_count < 3 || result->ops[result->ops_count - 3].existed;
        return existed ? partitioner_agree (self, false) : partitioner_take_part (self);
    }
    snprintf (text, sizeof (text), "partitions=%d\n", self->count);
    bool agreed = result->size == strlen (text) && memcmp (result->data, text, result->size) == 0;
    return agreed ? partitioner_take_part (self) : COHORT_ECONFIG;
}

static void on_config (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct config_call *call = arg;
    cohort_partitioner_t *self = call->base.owner;
    bool creates = call->creates;
    (void) client;
    recipe_call_end (&call->base);
    free (call);
    if (self == NULL) {
        return;
    }
    recipe_enter (&self->guard);
    self->asking = false;
    int rc = take_config (self, creates, result);
    if (rc != 0) {
        partitioner_fail (self, rc);
    }
    partitioner_leave (self);
}

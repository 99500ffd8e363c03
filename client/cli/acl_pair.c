#include "client/cli/acl_pair.h"

void acl_pair_deinit (struct acl_pair *self)
{
    cohort_acl_destroy (&self->acl);
    cohort_acl_destroy (&self->inherited);
}

/* NULL is copied as NULL. */
static bool copy_list (cohort_acl_t **copy, const cohort_acl_t *list)
{
    *copy = list != NULL ? cohort_acl_copy (list) : NULL;
    return *copy != NULL || list == NULL;
}

bool acl_pair_copy (struct acl_pair *self, const struct acl_pair *other)
{
    *self = (struct acl_pair){0};
    return copy_list (&self->acl, other->acl) && copy_list (&self->inherited, other->inherited);
}

static void on_inherited (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct acl_ask *self = arg;
    int rc = result->rc;
    if (rc == COHORT_OK && !copy_list (&self->pair.inherited, result->acl)) {
        rc = COHORT_ENOMEM;
    }
    self->fn (self, rc);
}

static void on_list (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct acl_ask *self = arg;
    int rc = result->rc;
    if (rc == COHORT_OK) {
        rc = copy_list (&self->pair.acl, result->acl)
                 ? cohort_get_default_acl_async (client, self->path, on_inherited, self)
                 : COHORT_ENOMEM;
    }
    if (rc != COHORT_OK) {
        self->fn (self, rc);
    }
}

int acl_ask_begin (struct acl_ask *self, cohort_t *client)
{
    self->pair = (struct acl_pair){0};
    return cohort_get_acl_async (client, self->path, on_list, self);
}

/* The access control lists of znodes, and the administrators. May include: acl, client, handle,
 * libc. */

#include "client/src/acl.h"
#include "client/src/client.h"

/* ---- Reading --------------------------------------------------------------------------------- */

static int get (cohort_t *self, const struct client_call *call, cohort_acl_t **acl,
                cohort_stat_t *stat)
{
    const char *name = client_op_name (call->kind);
    if (self != NULL && acl == NULL) {
        return client_fail (self, COHORT_EINVAL, "%s: the place for the list is NULL", name);
    }
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_call_blocking (self, call, &request, &result);
    if (rc != COHORT_OK) {
        return rc;
    }
    cohort_acl_t *copy = cohort_acl_copy (result.acl);
    if (copy == NULL && result.acl != NULL) {
        rc = client_fail (self, COHORT_ENOMEM, "%s: out of memory for the result", name);
    } else {
        *acl = copy;
        if (stat != NULL && result.stat != NULL) {
            *stat = *result.stat;
        }
    }
    client_finish (self, request);
    return rc;
}

int cohort_get_acl (cohort_t *self, const char *path, cohort_acl_t **acl, cohort_stat_t *stat)
{
    struct client_call call = {.kind = WIRE_GET_ACL, .path = path};
    return get (self, &call, acl, stat);
}

int cohort_get_default_acl (cohort_t *self, const char *path, cohort_acl_t **acl,
                            cohort_stat_t *stat)
{
    struct client_call call = {.kind = WIRE_GET_ACL, .path = path, .inherited = true};
    return get (self, &call, acl, stat);
}

int cohort_get_acl_async (cohort_t *self, const char *path, cohort_result_fn *fn, void *arg)
{
    struct client_call call = {.kind = WIRE_GET_ACL, .path = path};
    return client_call_async (self, &call, fn, arg);
}

int cohort_get_default_acl_async (cohort_t *self, const char *path, cohort_result_fn *fn, void *arg)
{
    struct client_call call = {.kind = WIRE_GET_ACL, .path = path, .inherited = true};
    return client_call_async (self, &call, fn, arg);
}

/* ---- Setting --------------------------------------------------------------------------------- */

/* A znode has a list, whatever else; it need not have a default. */
static int check_list (cohort_t *self, const struct client_call *call)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    if (call->acl == NULL && !call->inherited) {
        return client_fail (self, COHORT_EINVALIDACL, "%s: acl is NULL",
                            client_op_name (call->kind));
    }
    return COHORT_OK;
}

static int set (cohort_t *self, const struct client_call *call, cohort_stat_t *stat)
{
    struct request *request = NULL;
    cohort_result_t result;
    int rc = check_list (self, call);
    rc = rc == COHORT_OK ? client_call_blocking (self, call, &request, &result) : rc;
    if (rc == COHORT_OK) {
        if (stat != NULL && result.stat != NULL) {
            *stat = *result.stat;
        }
        client_finish (self, request);
    }
    return rc;
}

static int set_async (cohort_t *self, const struct client_call *call, cohort_result_fn *fn,
                      void *arg)
{
    int rc = check_list (self, call);
    return rc == COHORT_OK ? client_call_async (self, call, fn, arg) : rc;
}

int cohort_set_acl (cohort_t *self, const char *path, const cohort_acl_t *acl, int32_t aversion,
                    cohort_stat_t *stat)
{
    struct client_call call = {.kind = WIRE_SET_ACL, .path = path, .acl = acl, .version = aversion};
    return set (self, &call, stat);
}

int cohort_set_default_acl (cohort_t *self, const char *path, const cohort_acl_t *acl,
                            int32_t aversion, cohort_stat_t *stat)
{
    struct client_call call = {
        .kind = WIRE_SET_ACL, .path = path, .acl = acl, .version = aversion, .inherited = true};
    return set (self, &call, stat);
}

int cohort_set_acl_async (cohort_t *self, const char *path, const cohort_acl_t *acl,
                          int32_t aversion, cohort_result_fn *fn, void *arg)
{
    struct client_call call = {.kind = WIRE_SET_ACL, .path = path, .acl = acl, .version = aversion};
    return set_async (self, &call, fn, arg);
}

int cohort_set_default_acl_async (cohort_t *self, const char *path, const cohort_acl_t *acl,
                                  int32_t aversion, cohort_result_fn *fn, void *arg)
{
    struct client_call call = {
        .kind = WIRE_SET_ACL, .path = path, .acl = acl, .version = aversion, .inherited = true};
    return set_async (self, &call, fn, arg);
}

int cohort_get_admins (cohort_t *self, cohort_acl_t **admins)
{
    struct client_call call = {.kind = WIRE_GET_ADMINS};
    return get (self, &call, admins, NULL);
}

int cohort_set_admins (cohort_t *self, const cohort_acl_t *admins)
{
    struct client_call call = {.kind = WIRE_SET_ADMINS, .acl = admins};
    return set (self, &call, NULL);
}

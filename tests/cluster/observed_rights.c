/* Access control lists and users: between the public header and histories. */

#include "tests/cluster/observed_rights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"

static const char *const users[RIGHTS_USERS] = {"root", "u"};

const char *rights_name (size_t user)
{
    COHORT_ASSERT (user < RIGHTS_USERS);
    return users[user];
}

const char *rights_user (size_t user, char who[RIGHTS_WHO_SIZE])
{
    char id[RIGHTS_WHO_SIZE - sizeof "digest:"];
    COHORT_ASSERT (user < RIGHTS_USERS);
    COHORT_ASSERT (cohort_acl_digest (RIGHTS_SCHEME, users[user], RIGHTS_PASSWORD, id, sizeof id) ==
                   0);
    (void) snprintf (who, RIGHTS_WHO_SIZE, "digest:%s", id);
    return who;
}

bool rights_concern (enum history_op_kind kind)
{
    return kind == HISTORY_SET_ACL || kind == HISTORY_GET_ACL || kind == HISTORY_ADD_AUTH;
}

/* Of the user whom a history calls so. */
static const char *name_of (const char *who)
{
    char known[RIGHTS_WHO_SIZE];
    size_t user = 0;
    while (user + 1 < RIGHTS_USERS && strcmp (rights_user (user, known), who) != 0) {
        user++;
    }
    return users[user];
}

static int set_list (cohort_t *client, const struct history_op *op, cohort_result_fn *fn, void *arg)
{
    cohort_acl_t *acl = rights_list (op->acl);
    int rc = op->inherited
                 ? cohort_set_default_acl_async (client, op->path, acl, op->version, fn, arg)
                 : cohort_set_acl_async (client, op->path, acl, op->version, fn, arg);
    cohort_acl_destroy (&acl);
    return rc;
}

int rights_ask (cohort_t *client, const struct history_op *op, cohort_result_fn *fn, void *arg)
{
    switch (op->kind) {
    case HISTORY_SET_ACL:
        return set_list (client, op, fn, arg);
    case HISTORY_GET_ACL:
        return op->inherited ? cohort_get_default_acl_async (client, op->path, fn, arg)
                             : cohort_get_acl_async (client, op->path, fn, arg);
    default:
        COHORT_ASSERT (op->kind == HISTORY_ADD_AUTH);
        return cohort_add_auth_async (client, RIGHTS_SCHEME, name_of (op->value), RIGHTS_PASSWORD,
                                      fn, arg);
    }
}

cohort_acl_t *rights_list (const char *text)
{
    cohort_acl_t *acl = NULL;
    if (text != NULL && text[0] != '\0') {
        acl = cohort_acl_parse (text);
        COHORT_ASSERT (acl != NULL && cohort_acl_error (acl, NULL) == 0);
    }
    return acl;
}

char *rights_text (const cohort_acl_t *acl)
{
    static const char letters[] = "rwcda"; /* in the order of their bits */
    size_t count = acl != NULL ? cohort_acl_count (acl) : 0, used = 0;
    size_t room = count * (COHORT_ACL_ID_MAX + 32) + 1;
    char *text = calloc (1, room);
    COHORT_ASSERT (text != NULL);
    for (size_t i = 0; i < count; i++) {
        const cohort_acl_item_t *item = cohort_acl_item (acl, i);
        used += (size_t) snprintf (text + used, room - used, "%s%s:%s:", i > 0 ? "," : "",
                                   item->scheme, item->id);
        for (size_t bit = 0; letters[bit] != '\0'; bit++) {
            if ((item->perms & (1 << bit)) != 0) {
                text[used++] = letters[bit];
            }
        }
        COHORT_ASSERT (used < room);
    }
    return text;
}

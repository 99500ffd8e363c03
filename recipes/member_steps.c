/* The requests of a member: what each phase sends, and what each answer leads to; see member.c.
 * May include: member_private.h, libc. */

#include "member_private.h"

#include <stdlib.h>
#include <string.h>

/* check, delete, create */
#define REPLACE_OPS 3

/* ---- Requests ------------------------------------------------------------------------------ */

static cohort_result_fn on_result;

static int send_create (cohort_member_t *self, struct member_request *request)
{
    if (self->parent == 0) {
        return cohort_create_async (self->client, self->path, self->data, self->size,
                                    COHORT_EPHEMERAL, NULL, on_result, request);
    }
    char *path = recipe_copy (self->path, self->parent);
    if (path == NULL) {
        return COHORT_ENOMEM;
    }
    int rc = cohort_create_async (self->client, path, NULL, 0, COHORT_PERSISTENT, NULL, on_result,
                                  request);
    free (path);
    return rc;
}

/* One transaction, conditional on the znode being the one that is meant: it gets new data
 * (update), or is replaced by a new one of this session. */
static int send_multi (cohort_member_t *self, struct member_request *request, bool update)
{
    cohort_txn_t *txn = cohort_txn_new ();
    if (txn == NULL) {
        return COHORT_ENOMEM;
    }
    if (update) {
        cohort_txn_check_czxid (txn, self->path, self->token.czxid);
        cohort_txn_set (txn, self->path, self->data, self->size, COHORT_ANY_VERSION);
    } else {
        cohort_txn_check_czxid (txn, self->path, self->found.czxid);
        cohort_txn_delete (txn, self->path, COHORT_ANY_VERSION);
        cohort_txn_create (txn, self->path, self->data, self->size, COHORT_EPHEMERAL, NULL);
    }
    /* The first error of the functions above is the commit's. */
    int rc = cohort_multi_async (self->client, txn, on_result, request);
    cohort_txn_destroy (&txn);
    return rc;
}

static void request_free (struct member_request *request)
{
    free (request->makes);
    free (request);
}

int member_step (cohort_member_t *self)
{
    bool update = self->phase == MEMBER_HELD && self->stored != self->generation &&
                  self->refused != self->generation;
    bool idle = self->phase == MEMBER_BLOCKED || self->phase == MEMBER_FAILED ||
                (self->phase == MEMBER_HELD && !update);
    if (self->request != NULL || idle) {
        return 0;
    }
    struct member_request *request = malloc (sizeof (*request));
    if (request == NULL) {
        return COHORT_ENOMEM;
    }
    *request = (struct member_request){.member = self,
                                       .phase = self->phase,
                                       .parent = self->parent,
                                       .generation = self->generation};
    bool makes =
        (self->phase == MEMBER_CREATE && self->parent == 0) || self->phase == MEMBER_REPLACE;
    int rc;
    if (makes && (request->makes = recipe_copy (self->path, strlen (self->path))) == NULL) {
        rc = COHORT_ENOMEM;
    } else if (self->phase == MEMBER_CREATE) {
        rc = send_create (self, request);
    } else if (self->phase == MEMBER_EXAMINE) {
        rc = cohort_exists_async (self->client, self->path, NULL, NULL, on_result, request);
    } else {
        rc = send_multi (self, request, update);
    }
    if (rc == 0) {
        self->request = request;
    } else {
        request_free (request);
    }
    return rc;
}

void member_go (cohort_member_t *self)
{
    if (self->guard.destroyed) {
        return;
    }
    int rc = member_step (self);
    if (rc == COHORT_ESESSIONEXPIRED) {
        member_lost (self);
    } else if (rc != 0 && self->phase == MEMBER_HELD) {
        self->refused = self->generation;
        self->error = rc;
        member_report (self, (cohort_member_event_t){
                                 .kind = COHORT_MEMBER_ERROR, .rc = rc, .token = self->token});
    } else if (rc != 0) {
        member_fail (self, rc);
    }
}

/* ---- Registration -------------------------------------------------------------------------- */

static void announce_update (cohort_member_t *self, uint64_t zxid)
{
    if (self->stored == self->generation && self->announced < self->stored) {
        self->announced = self->stored;
        member_report (self, (cohort_member_event_t){.kind = COHORT_MEMBER_UPDATED,
                                                     .token = self->token,
                                                     .zxid = zxid});
    }
}

static void create_again (cohort_member_t *self)
{
    self->phase = MEMBER_CREATE;
    self->parent = 0;
    member_go (self);
}

/* The znode is there and this session owns it; stored: the generation of data that it carries, 0:
 * not known. */
static void member_held (cohort_member_t *self, const cohort_stat_t *stat, uint64_t stored,
                         uint64_t zxid)
{
    cohort_token_t token = {.czxid = stat->czxid, .ozxid = stat->ozxid};
    if (member_has_gone (self, stat->czxid) || member_given_away (self, token)) {
        /* The stream was faster. */
        create_again (self);
        return;
    }
    self->phase = MEMBER_HELD;
    self->token = token;
    self->session = stat->ephemeral_owner;
    self->stored = stored;
    self->refused = 0;
    self->error = 0;
    self->parents_made = 0;
    cohort_member_event_t event = {
        .kind = COHORT_MEMBER_REGISTERED, .token = self->token, .zxid = zxid};
    if (!member_report (self, event)) {
        return;
    }
    announce_update (self, zxid);
    member_go (self);
}

/* The stat of the znode that a creation or a replacement has made; NULL: the server does not say.
 */
static const cohort_stat_t *stat_of (const struct member_request *request,
                                     const cohort_result_t *result)
{
    if (request->phase == MEMBER_REPLACE) {
        return result->ops_count == REPLACE_OPS ? &result->ops[REPLACE_OPS - 1].stat : NULL;
    }
    return result->stat;
}

static void member_made (cohort_member_t *self, const struct member_request *request,
                         const cohort_result_t *result)
{
    const cohort_stat_t *stat = stat_of (request, result);
    if (stat != NULL) {
        member_held (self, stat, request->generation, result->zxid);
    } else {
        member_fail (self, COHORT_EPROTOCOL);
    }
}

/* Length of the path of the parent of the first `length` bytes of path, 0: it is the root. */
static size_t parent_length (const char *path, size_t length)
{
    while (length > 0 && path[length - 1] != '/') {
        length--;
    }
    return length > 0 ? length - 1 : 0;
}

/* A creation was refused, for a parent is missing: that one first. */
static void climb (cohort_member_t *self, size_t child)
{
    size_t parent = parent_length (self->path, child == 0 ? strlen (self->path) : child);
    if (child == 0) {
        self->parents_made++;
    }
    if (parent == 0 || self->parents_made > MEMBER_PARENTS_MAX) {
        member_fail (self, COHORT_ENONODE);
        return;
    }
    self->parent = parent;
    member_go (self);
}

/* A parent is there: the next one below it, and at last the znode itself. */
static void descend (cohort_member_t *self, size_t parent)
{
    const char *slash = strchr (self->path + parent + 1, '/');
    self->parent = slash == NULL ? 0 : (size_t) (slash - self->path);
    member_go (self);
}

static void created (cohort_member_t *self, const struct member_request *request,
                     const cohort_result_t *result)
{
    if (result->rc == COHORT_ENONODE) {
        climb (self, request->parent);
    } else if (request->parent > 0 && (result->rc == 0 || result->rc == COHORT_ENODEEXISTS)) {
        descend (self, request->parent);
    } else if (result->rc == 0) {
        member_made (self, request, result);
    } else if (result->rc == COHORT_ENODEEXISTS) {
        self->phase = MEMBER_EXAMINE;
        member_go (self);
    } else {
        member_fail (self, result->rc);
    }
}

/* A stranger's znode is at our path. */
static void blocked (cohort_member_t *self, uint64_t zxid)
{
    bool wait = self->policy == COHORT_MEMBER_WAIT;
    self->phase = wait ? MEMBER_BLOCKED : MEMBER_FAILED;
    self->error = COHORT_ENODEEXISTS;
    cohort_member_event_t event = {.kind = COHORT_MEMBER_CONFLICT,
                                   .rc = COHORT_ENODEEXISTS,
                                   .owner = self->found.ephemeral_owner,
                                   .zxid = zxid};
    member_report (self, event);
}

/* Whose znode is at our path? */
static void examined (cohort_member_t *self, const cohort_result_t *result)
{
    if (result->rc == COHORT_ENONODE) {
        create_again (self);
        return;
    }
    if (result->rc != 0 || result->stat == NULL) {
        member_fail (self, result->rc != 0 ? result->rc : COHORT_EPROTOCOL);
        return;
    }
    self->found = *result->stat;
    uint64_t owner = self->found.ephemeral_owner;
    if (owner != 0 && owner == cohort_session_id (self->client)) {
        /* Adopted; what it carries is not known, so the data is written. */
        member_held (self, &self->found, 0, result->zxid);
    } else if (member_has_gone (self, self->found.czxid)) {
        create_again (self);
    } else if (member_owned (self, owner)) {
        self->phase = MEMBER_REPLACE;
        member_go (self);
    } else {
        blocked (self, result->zxid);
    }
}

static void replaced (cohort_member_t *self, const struct member_request *request,
                      const cohort_result_t *result)
{
    if (result->rc == 0) {
        member_made (self, request, result);
    } else if (result->rc == COHORT_ENONODE || result->rc == COHORT_EBADCZXID) {
        /* The old session has been cleared away meanwhile. */
        create_again (self);
    } else {
        member_fail (self, result->rc);
    }
}

static void updated (cohort_member_t *self, const struct member_request *request,
                     const cohort_result_t *result)
{
    /* The znode may have vanished while the update was on its way; the stream said so. */
    if (self->phase != MEMBER_HELD) {
        member_go (self);
    } else if (result->rc == 0) {
        self->stored = request->generation;
        announce_update (self, result->zxid);
        member_go (self);
    } else if (result->rc == COHORT_ENONODE || result->rc == COHORT_EBADCZXID) {
        member_vanished (self);
    } else {
        self->refused = request->generation;
        self->error = result->rc;
        cohort_member_event_t event = {
            .kind = COHORT_MEMBER_ERROR, .rc = result->rc, .token = self->token};
        member_report (self, event);
        member_go (self);
    }
}

/* The answer to a request that nobody waits for. */
static void undo (cohort_t *client, const struct member_request *request,
                  const cohort_result_t *result)
{
    if (request->makes == NULL || result->rc != 0) {
        return;
    }
    const cohort_stat_t *stat = stat_of (request, result);
    if (stat != NULL) {
        /* If there is no memory for it the znode stays until the session ends. */
        (void) recipe_withdraw (client, request->makes, stat->czxid);
    }
}

static void on_result (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct member_request *request = arg;
    cohort_member_t *self = request->member;
    if (self == NULL) {
        undo (client, request, result);
    } else {
        RECIPE_ASSERT (self->request == request);
        recipe_enter (&self->guard);
        self->request = NULL;
        if (result->rc == COHORT_ESESSIONEXPIRED) {
            member_lost (self);
        } else if (request->phase == MEMBER_HELD) {
            updated (self, request, result);
        } else if (request->phase == MEMBER_CREATE) {
            created (self, request, result);
        } else if (request->phase == MEMBER_EXAMINE) {
            examined (self, result);
        } else {
            replaced (self, request, result);
        }
        if (recipe_leave (&self->guard)) {
            member_free (self);
        }
    }
    request_free (request);
}

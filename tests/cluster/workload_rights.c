/* What the clients of a soak ask for that not everybody may do, or not as much of as he likes:
 * lists and quotas. */

#include <inttypes.h>
#include <stdio.h>

#include "client/base/assert.h"
#include "tests/cluster/observed_rights.h"
#include "tests/cluster/workload.h"

enum { LIST_SIZE = 3 * RIGHTS_WHO_SIZE, GUARDED = 2, DATA_MAX = 12, QUOTA_MS = 10000 };

static void submit (struct worker *self, const struct history_op *op)
{
    observed_ask (&self->observed, false, op, 1, &(struct purpose){.what = 0});
}

static const char *some_perms (struct worker *self)
{
    static const char *const perms[] = {"rwcda", "rwcd", "rw", "r", "wcda", "ca"};
    return perms[prng_below (&self->prng, sizeof perms / sizeof perms[0])];
}

/* Of a user, and perhaps of all. */
static const char *some_list (struct worker *self, bool readable, char list[LIST_SIZE])
{
    char who[RIGHTS_WHO_SIZE];
    const char *all = prng_chance (&self->prng, 1, 3) ? ",world:anyone:rwcda" : ",world:anyone:r";
    bool open = readable || prng_chance (&self->prng, 1, 2);
    (void) snprintf (list, LIST_SIZE, "%s:%s%s",
                     rights_user (prng_below (&self->prng, RIGHTS_USERS), who), some_perms (self),
                     open ? all : "");
    return list;
}

static const char *guarded (struct worker *self, char path[OBSERVED_PATH_SIZE])
{
    return worker_path (self, path, "/a", prng_below (&self->prng, GUARDED));
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static void make_guarded (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE], list[LIST_SIZE];
    submit (self, &(struct history_op){.kind = HISTORY_CREATE,
                                       .path = guarded (self, path),
                                       .value = "secret",
                                       .acl = some_list (self, false, list)});
}

static void set_list (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE], list[LIST_SIZE];
    bool inherited = prng_chance (&self->prng, 1, 5);
    submit (self, &(struct history_op){.kind = HISTORY_SET_ACL,
                                       .path = guarded (self, path),
                                       .value = "",
                                       .acl = some_list (self, inherited, list),
                                       .inherited = inherited,
                                       .version = COHORT_ANY_VERSION});
}

static void get_list (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE];
    submit (self, &(struct history_op){.kind = HISTORY_GET_ACL,
                                       .path = guarded (self, path),
                                       .value = "",
                                       .inherited = prng_chance (&self->prng, 1, 4)});
}

static void use_guarded (struct worker *self)
{
    static const enum history_op_kind kinds[] = {HISTORY_GET,   HISTORY_EXISTS, HISTORY_CHILDREN,
                                                 HISTORY_SET,   HISTORY_DELETE, HISTORY_CREATE,
                                                 HISTORY_CREATE};
    char path[OBSERVED_PATH_SIZE], below[OBSERVED_PATH_SIZE + 2];
    enum history_op_kind kind = kinds[prng_below (&self->prng, sizeof kinds / sizeof kinds[0])];
    bool create = kind == HISTORY_CREATE;
    (void) snprintf (below, sizeof below, "%s/x", guarded (self, path));
    struct history_op op = {
        .kind = kind, .path = create ? below : path, .value = kind == HISTORY_SET ? "7" : ""};
    op.version = kind == HISTORY_SET || kind == HISTORY_DELETE ? COHORT_ANY_VERSION : 0;
    submit (self, &op);
}

/* ---- Quotas ---------------------------------------------------------------------------------- */

/* Longer than others, so that it is set and met. */
static const char *quota_path (const struct worker *self, char path[OBSERVED_PATH_SIZE])
{
    int64_t now_ms = recorder_now_ms (self->observed.options.recorder);
    (void) snprintf (path, OBSERVED_PATH_SIZE, "/quota-%" PRId64, now_ms / QUOTA_MS);
    return path;
}

/* Its znode and what is above it in /zookeeper/quota, whatever of that is missing. */
static void set_quota (struct worker *self)
{
    char top[OBSERVED_PATH_SIZE], folder[2 * OBSERVED_PATH_SIZE], path[3 * OBSERVED_PATH_SIZE];
    char limits[OBSERVED_VALUE_SIZE];
    bool count = prng_chance (&self->prng, 1, 2);
    quota_path (self, top);
    (void) snprintf (folder, sizeof folder, "/zookeeper/quota%s", top);
    (void) snprintf (path, sizeof path, "%s/zookeeper_limits", folder);
    (void) snprintf (limits, sizeof limits, "%s=%" PRIu64,
                     count ? "countHardLimit" : "byteHardLimit",
                     1 + prng_below (&self->prng, count ? 4 : 2 * DATA_MAX));
    struct history_op ops[] = {
        {.kind = HISTORY_CREATE, .path = folder, .value = "", .if_absent = true},
        {.kind = HISTORY_CREATE, .path = path, .value = limits, .if_absent = true},
        {.kind = HISTORY_SET, .path = path, .value = limits, .version = COHORT_ANY_VERSION},
    };
    observed_ask (&self->observed, true, ops, 3, &(struct purpose){.what = 0});
}

static void use_quota (struct worker *self)
{
    static const char data[DATA_MAX + 1] = "abcdefghijkl";
    char top[OBSERVED_PATH_SIZE], below[OBSERVED_PATH_SIZE + 8];
    quota_path (self, top);
    (void) snprintf (below, sizeof below, "%s/%" PRIu64, top, prng_below (&self->prng, 4));
    bool set = prng_chance (&self->prng, 1, 3);
    submit (self, &(struct history_op){.kind = set ? HISTORY_SET : HISTORY_CREATE,
                                       .path = prng_chance (&self->prng, 1, 3) ? top : below,
                                       .value = data + prng_below (&self->prng, DATA_MAX + 1),
                                       .version = set ? COHORT_ANY_VERSION : 0});
}

/* ---- Users ----------------------------------------------------------------------------------- */

/* Every third becomes the administrator. */
static void prove (struct worker *self)
{
    char who[RIGHTS_WHO_SIZE];
    submit (self, &(struct history_op){.kind = HISTORY_ADD_AUTH,
                                       .path = "",
                                       .value = rights_user (self->index % 3 == 0 ? 0 : 1, who)});
}

void worker_claim (struct worker *self)
{
    static void (*const asks[]) (struct worker * self) = {
        make_guarded, make_guarded, set_list,  set_list,  get_list,  use_guarded, use_guarded,
        use_guarded,  set_quota,    use_quota, use_quota, use_quota, prove};
    bool proven = self->observed.proven_count > 0;
    if (!proven && prng_chance (&self->prng, 1, 2)) {
        prove (self);
        return;
    }
    if (proven && prng_chance (&self->prng, 1, 5)) {
        set_quota (self); /* perhaps nobody else may */
        return;
    }
    asks[prng_below (&self->prng, sizeof asks / sizeof asks[0])](self);
}

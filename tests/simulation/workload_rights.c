/* What not everybody may do, or not as much of as he likes:
 *
 *      /aN-W     znodes with access control lists or defaults, and what is below them
 *      /quota-W  with a quota, which is exceeded now and then, and one within that
 *
 * and ephemerals that go from one session to another, and who the administrators are. Whom a list
 * keeps from reading a znode it does not keep from seeing it: what is below is open, or for all to
 * read. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/hand_over.h"
#include "client/base/sha256.h"
#include "client/src/proof.h"
#include "client/src/watches.h"
#include "tests/simulation/workload.h"

enum { GUARDED = 2, LIST_SIZE = 256, LIMITS_SIZE = 64, DATA_MAX = 12 };

/* ---- Lists ----------------------------------------------------------------------------------- */

static size_t add_item (char list[LIST_SIZE], size_t size, const char *who, const char *perms)
{
    return size + (size_t) snprintf (list + size, LIST_SIZE - size, "%s%s:%s", size > 0 ? "\n" : "",
                                     who, perms);
}

static const char *some_perms (struct sim_client *client)
{
    static const char *const perms[] = {"rwcda", "rwcd", "rw", "r", "wcda", "ca", "a", "rwcda"};
    return perms[prng_below (&client->prng, sizeof perms / sizeof perms[0])];
}

/* Of one or two clients, and often of all. */
static const char *some_list (struct world *self, struct sim_client *client, bool readable,
                              char list[LIST_SIZE])
{
    size_t size = 0;
    for (size_t count = 1 + prng_below (&client->prng, 2); count > 0; count--) {
        char address[WORLD_ADDRESS_SIZE], who[WORLD_ADDRESS_SIZE + 4];
        world_address (prng_below (&client->prng, self->clients_count), address);
        (void) snprintf (who, sizeof who, "ip:%s", address);
        size = add_item (list, size, who, some_perms (client));
    }
    if (readable || prng_chance (&client->prng, 1, 2)) {
        size = add_item (list, size, "world:anyone",
                         prng_chance (&client->prng, 1, 3) ? "rwcda" : "r");
    }
    if (prng_chance (&client->prng, 1, 3)) {
        char name[WORLD_USER_SIZE], id[DIGEST_ID_SIZE], who[DIGEST_ID_SIZE + 8];
        (void) world_user (prng_below (&client->prng, SIM_USERS), name);
        (void) snprintf (who, sizeof who, "digest:%s", world_user_id (name, id));
        size = add_item (list, size, who, some_perms (client));
    }
    if (prng_chance (&client->prng, 1, 16)) {
        (void) add_item (list, size, "auth:", "r"); /* whoever it has proven to be, if anybody */
    }
    return list;
}

static struct request *with_list (struct request *plain, const char *list)
{
    const struct wire_op *op = &plain->wire.op;
    struct request *request = request_new_acl (op->kind, "", op->path, op->data, op->size, list);
    COHORT_ASSERT (request != NULL);
    request->wire.op.version = op->version;
    request_free (plain);
    return request;
}

/* ---- Guarded znodes -------------------------------------------------------------------------- */

static const char *some_guarded (struct world *self, struct sim_client *client,
                                 char path[PATH_SIZE])
{
    return path_of (path, "/a", prng_below (&client->prng, GUARDED), window_of (self));
}

static const char *below_guarded (struct world *self, struct sim_client *client,
                                  char path[2 * PATH_SIZE])
{
    char above[PATH_SIZE];
    (void) snprintf (path, 2 * (size_t) PATH_SIZE, "%s/%s", some_guarded (self, client, above),
                     prng_chance (&client->prng, 1, 2) ? "x" : "y");
    return path;
}

static void submit_plain (struct world *self, struct sim_client *client, struct request *request)
{
    submit (self, client, request, &(struct purpose){.what = NOTHING});
}

static void make_guarded (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE], list[LIST_SIZE];
    struct request *plain =
        request_of (WIRE_CREATE, some_guarded (self, client, path), "secret", 0, 0);
    struct request *request = with_list (plain, some_list (self, client, false, list));
    request->wire.op.if_absent = prng_chance (&client->prng, 1, 4);
    submit_plain (self, client, request);
}

static void set_list (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE], list[LIST_SIZE];
    bool inherited = prng_chance (&client->prng, 1, 5);
    int32_t version =
        prng_chance (&client->prng, 1, 4) ? (int32_t) prng_below (&client->prng, 3) : -1;
    struct request *plain =
        request_of (WIRE_SET_ACL, some_guarded (self, client, path), NULL, 0, version);
    struct request *request = with_list (plain, some_list (self, client, inherited, list));
    request->wire.op.inherited = inherited;
    submit_plain (self, client, request);
}

static void use_guarded (struct world *self, struct sim_client *client)
{
    static const enum wire_kind kinds[] = {WIRE_GET,      WIRE_GET,   WIRE_EXISTS,
                                           WIRE_CHILDREN, WIRE_COUNT, WIRE_SET,
                                           WIRE_SET,      WIRE_ADD,   WIRE_DELETE};
    char path[PATH_SIZE];
    enum wire_kind kind = kinds[prng_below (&client->prng, sizeof kinds / sizeof kinds[0])];
    (void) some_guarded (self, client, path);
    if (kind == WIRE_GET || kind == WIRE_EXISTS || kind == WIRE_CHILDREN) {
        struct request *request =
            workload_watching (client, kind, path, prng_chance (&client->prng, 1, 3));
        request->wire.op.linearizable = prng_chance (&client->prng, 1, 3);
        submit_plain (self, client, request);
        return;
    }
    ask_for (self, client, kind, path, kind == WIRE_SET ? "7" : NULL, 0);
}

static void use_below_guarded (struct world *self, struct sim_client *client)
{
    static const enum wire_kind kinds[] = {WIRE_CREATE, WIRE_CREATE, WIRE_CREATE,
                                           WIRE_DELETE, WIRE_GET,    WIRE_EXISTS};
    char path[2 * PATH_SIZE];
    enum wire_kind kind = kinds[prng_below (&client->prng, sizeof kinds / sizeof kinds[0])];
    (void) below_guarded (self, client, path);
    ask_for (self, client, kind, path, kind == WIRE_CREATE ? "open" : NULL,
             kind == WIRE_CREATE && prng_chance (&client->prng, 1, 3) ? COHORT_EPHEMERAL : 0);
}

static void fell_guarded (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    struct request *request = request_of (WIRE_DELETE_TREE, some_guarded (self, client, path), NULL,
                                          0, COHORT_ANY_VERSION);
    request->wire.op.limit = (uint32_t) prng_below (&client->prng, 3);
    submit_plain (self, client, request);
}

/* A condition that may not be looked at refuses all. */
static void change_guarded (struct world *self, struct sim_client *client)
{
    char guarded[PATH_SIZE], path[2 * PATH_SIZE];
    struct wire_op ops[] = {
        {.kind = WIRE_CHECK,
         .path = some_guarded (self, client, guarded),
         .version = COHORT_ANY_VERSION},
        {.kind = WIRE_CREATE, .path = below_guarded (self, client, path)},
    };
    if (prng_chance (&client->prng, 1, 3)) {
        ops[0].kind = WIRE_CHECK_ABSENT;
    }
    submit_plain (self, client, request_new_multi (WIRE_MULTI, "", ops, 2));
}

/* A default, what is created below it anew, and what the list of that is then: the nearest default
 * on the way up. */
static void inherit (struct world *self, struct sim_client *client)
{
    char top[PATH_SIZE], inner[2 * PATH_SIZE], leaf[3 * PATH_SIZE], list[LIST_SIZE];
    (void) path_of (top, "/a", GUARDED, window_of (self));
    (void) snprintf (inner, sizeof inner, "%s/x", top);
    (void) snprintf (leaf, sizeof leaf, "%s/z", inner);
    struct wire_op ops[] = {
        {.kind = WIRE_CREATE, .path = top, .if_absent = true},
        {.kind = WIRE_CREATE, .path = inner, .if_absent = true},
        {.kind = WIRE_SET_ACL,
         .path = prng_chance (&client->prng, 2, 3) ? top : inner,
         .version = COHORT_ANY_VERSION,
         .acl = some_list (self, client, true, list),
         .inherited = true},
        {.kind = WIRE_DELETE, .path = leaf, .version = COHORT_ANY_VERSION, .if_present = true},
        {.kind = WIRE_CREATE, .path = leaf},
    };
    submit_plain (self, client,
                  request_new_multi (WIRE_MULTI, "", ops, sizeof ops / sizeof ops[0]));
    submit_plain (self, client, request_of (WIRE_GET_ACL, leaf, NULL, 0, 0));
}

/* ---- Several writes at once -------------------------------------------------------------------
 */

enum { SEVERAL_MAX = 4, KINDS_OF_SEVERAL = 10 };

/* All that a multi may do, in places where little is left of it to be read alone: if it ends with a
 * condition that does not hold, each has to be taken back. */
void workload_several (struct world *self, struct sim_client *client)
{
    char tree[PATH_SIZE], box[PATH_SIZE], folder[PATH_SIZE], guarded[PATH_SIZE], top[PATH_SIZE];
    char inner[2 * PATH_SIZE], child[2 * PATH_SIZE], filled[2 * PATH_SIZE], list[LIST_SIZE];
    uint64_t window = window_of (self);
    path_of (tree, "/tree", 0, window);
    path_of (box, "/box", 0, window);
    path_of (folder, "/d", 0, window);
    path_of (top, "/quota", 0, window / 2);
    (void) some_guarded (self, client, guarded);
    (void) snprintf (inner, sizeof inner, "%s/a", tree);
    (void) snprintf (child, sizeof child, "%s/q-", folder);
    (void) snprintf (filled, sizeof filled, "%s/a", box);
    (void) some_list (self, client, true, list);
    const struct wire_op all[KINDS_OF_SEVERAL] = {
        {.kind = WIRE_CREATE, .path = tree, .if_absent = true},
        {.kind = WIRE_CREATE, .path = inner, .if_absent = true, .acl = list},
        {.kind = WIRE_SET, .path = tree, .data = "5", .size = 1, .version = COHORT_ANY_VERSION},
        {.kind = WIRE_ADD, .path = tree, .delta = 2, .floor = 0, .ceiling = INT64_MAX},
        {.kind = WIRE_DELETE_TREE,
         .path = prng_chance (&client->prng, 1, 2) ? tree : box,
         .version = COHORT_ANY_VERSION},
        {.kind = WIRE_CREATE, .path = child, .mode = COHORT_SEQUENTIAL | COHORT_EPHEMERAL},
        {.kind = WIRE_CREATE, .path = filled, .if_absent = true},
        {.kind = WIRE_DELETE,
         .path = filled,
         .version = COHORT_ANY_VERSION,
         .if_present = prng_chance (&client->prng, 2, 3)},
        {.kind = WIRE_SET_ACL,
         .path = guarded,
         .version = COHORT_ANY_VERSION,
         .acl = list,
         .inherited = prng_chance (&client->prng, 1, 2)},
        {.kind = WIRE_SET, .path = top, .data = "ab", .size = 2, .version = COHORT_ANY_VERSION},
    };
    struct wire_op ops[SEVERAL_MAX + 1];
    size_t count = 1 + prng_below (&client->prng, SEVERAL_MAX);
    for (size_t i = 0; i < count; i++) {
        ops[i] = all[prng_below (&client->prng, KINDS_OF_SEVERAL)];
    }
    if (prng_chance (&client->prng, 1, 3)) {
        ops[count++] =
            (struct wire_op){.kind = WIRE_CHECK, .path = "/none", .version = COHORT_ANY_VERSION};
    }
    submit_plain (self, client, request_new_multi (WIRE_MULTI, "", ops, count));
}

/* ---- Quotas ---------------------------------------------------------------------------------- */

/* Longer than others, so that it is set and met. */
static const char *quota_path (const struct world *self, char path[PATH_SIZE])
{
    return path_of (path, "/quota", 0, window_of (self) / 2);
}

/* With all that has to be there for it; or of a znode below the one that has the other. */
static void set_quota (struct world *self, struct sim_client *client)
{
    char top[PATH_SIZE], folder[2 * PATH_SIZE], inner[3 * PATH_SIZE], path[4 * PATH_SIZE];
    char limits[LIMITS_SIZE];
    quota_path (self, top);
    (void) snprintf (folder, sizeof folder, "/zookeeper/quota%s", top);
    (void) snprintf (inner, sizeof inner, "%s%s", folder,
                     prng_chance (&client->prng, 1, 4) ? "/0" : "");
    (void) snprintf (path, sizeof path, "%s/zookeeper_limits", inner);
    bool count = prng_chance (&client->prng, 1, 2);
    int size =
        snprintf (limits, sizeof limits, "%s=%" PRIu64, count ? "countHardLimit" : "byteHardLimit",
                  1 + prng_below (&client->prng, count ? 4 : 2 * DATA_MAX));
    struct wire_op ops[] = {
        {.kind = WIRE_CREATE, .path = folder, .if_absent = true},
        {.kind = WIRE_CREATE, .path = inner, .if_absent = true},
        {.kind = WIRE_CREATE,
         .path = path,
         .data = limits,
         .size = (size_t) size,
         .if_absent = true},
        {.kind = WIRE_SET,
         .path = path,
         .data = limits,
         .size = (size_t) size,
         .version = COHORT_ANY_VERSION},
    };
    submit_plain (self, client,
                  request_new_multi (WIRE_MULTI, "", ops, sizeof ops / sizeof ops[0]));
}

static bool has_quota (const char *top, const char *path)
{
    size_t size = strlen (top);
    return strncmp (top, "/quota", strlen ("/quota")) == 0 && strncmp (top, path, size) == 0 &&
           (path[size] == '/' || path[size] == '\0');
}

bool workload_quota_named (const struct request *request)
{
    const struct wire_request *wire = &request->wire;
    const char *top = request->reply->more->quota_path;
    bool multi = wire->op.kind == WIRE_MULTI;
    bool named = !multi && has_quota (top, wire->op.path);
    for (size_t i = 0; multi && i < wire->ops_count && !named; i++) {
        named = has_quota (top, wire->ops[i].path);
    }
    return named;
}

static void delete_quota (struct world *self, struct sim_client *client)
{
    char top[PATH_SIZE], path[2 * PATH_SIZE];
    quota_path (self, top);
    (void) snprintf (path, sizeof path, "/zookeeper/quota%s/zookeeper_limits", top);
    ask_for (self, client, WIRE_DELETE, path, NULL, 0);
}

/* Below both quotas, whatever of it is missing. */
static void fill_inner (struct world *self, struct sim_client *client, const char *value)
{
    char top[PATH_SIZE], inner[2 * PATH_SIZE], path[3 * PATH_SIZE];
    quota_path (self, top);
    (void) snprintf (inner, sizeof inner, "%s/0", top);
    (void) snprintf (path, sizeof path, "%s/%" PRIu64, inner, prng_below (&client->prng, 3));
    struct wire_op ops[] = {
        {.kind = WIRE_CREATE, .path = top, .if_absent = true},
        {.kind = WIRE_CREATE, .path = inner, .if_absent = true},
        {.kind = WIRE_CREATE, .path = path, .data = value, .size = strlen (value)},
    };
    submit_plain (self, client,
                  request_new_multi (WIRE_MULTI, "", ops, sizeof ops / sizeof ops[0]));
}

/* The znode with the quota, what is below it, and more or less data in each. */
static void use_quota (struct world *self, struct sim_client *client)
{
    static const char data[DATA_MAX + 1] = "abcdefghijkl";
    char top[PATH_SIZE], path[2 * PATH_SIZE];
    const char *value = data + prng_below (&client->prng, DATA_MAX + 1);
    quota_path (self, top);
    (void) snprintf (path, sizeof path, "%s/%" PRIu64, top, prng_below (&client->prng, 4));
    switch (prng_below (&client->prng, 7)) {
    case 0:
        ask_for (self, client, WIRE_CREATE, top, value, 0);
        break;
    case 1:
        ask_for (self, client, WIRE_SET, top, value, 0);
        break;
    case 2:
        ask_for (self, client, WIRE_ADD, top, NULL, 0);
        break;
    case 3:
        ask_for (self, client, WIRE_SET, path, value, 0);
        break;
    case 4:
        fill_inner (self, client, value);
        break;
    default:
        ask_for (self, client, WIRE_CREATE, path, value, 0);
        break;
    }
}

/* ---- Users ----------------------------------------------------------------------------------- */

static void prove (struct world *self, struct sim_client *client)
{
    char name[WORLD_USER_SIZE];
    size_t user = prng_below (&client->prng, SIM_USERS);
    struct proof *proof =
        proof_new ("digest-sha1", world_user (user, name), WORLD_PASSWORD, strlen (WORLD_PASSWORD));
    COHORT_ASSERT (proof != NULL);
    struct request *request = request_new_proof (proof);
    proof_release (proof);
    submit (self, client, request, &(struct purpose){.what = PROOF, .index = user});
}

static void ask_who (struct world *self, struct sim_client *client)
{
    ask_for (self, client, WIRE_WHOAMI, NULL, NULL, 0);
}

void workload_proven (struct sim_client *client, size_t user)
{
    for (size_t i = 0; i < client->proven_count; i++) {
        if (client->proven[i] == user) {
            return;
        }
    }
    client->proven[client->proven_count++] = user;
}

/* ---- Administrators -------------------------------------------------------------------------- */

/* The one that there is remains one; sometimes another is one, too. */
static void set_admins (struct world *self, struct sim_client *client)
{
    char address[WORLD_ADDRESS_SIZE], who[WORLD_ADDRESS_SIZE + 4], list[LIST_SIZE];
    size_t other = prng_below (&client->prng, self->clients_count);
    (void) snprintf (who, sizeof who, "ip:%s", world_address (self->admin, address));
    size_t size = add_item (list, 0, who, "rwcda");
    if (other != self->admin) {
        (void) snprintf (who, sizeof who, "ip:%s", world_address (other, address));
        (void) add_item (list, size, who, "rwcda");
    }
    submit_plain (self, client, with_list (request_of (WIRE_SET_ADMINS, NULL, NULL, 0, 0), list));
}

void workload_claim (struct world *self, struct sim_client *client)
{
    static ask_fn *const asks[] = {
        make_guarded,   make_guarded, set_list,          set_list,          use_guarded,
        use_guarded,    use_guarded,  use_below_guarded, use_below_guarded, fell_guarded,
        change_guarded, set_quota,    use_quota,         use_quota,         use_quota,
        use_quota,      inherit};
    bool admin = (size_t) (client - self->clients) == self->admin;
    if (prng_chance (&client->prng, 1, 64)) {
        set_admins (self, client);
    } else if (prng_chance (&client->prng, 1, 32)) {
        prove (self, client);
    } else if (prng_chance (&client->prng, 1, 24)) {
        ask_who (self, client);
    } else if (admin && prng_chance (&client->prng, 1, 5)) {
        set_quota (self, client); /* perhaps nobody else may */
    } else if (prng_chance (&client->prng, 1, 24)) {
        delete_quota (self, client);
    } else {
        asks[prng_below (&client->prng, sizeof asks / sizeof asks[0])](self, client);
    }
}

/* ---- Hand-over ------------------------------------------------------------------------------- */

/* All ephemerals of its session to another client's, with its token, or another one. */
void workload_give (struct world *self, struct sim_client *client)
{
    uint8_t hash[SHA256_SIZE], token[HAND_OVER_TOKEN_SIZE];
    struct session_view view;
    struct sim_client *to = &self->clients[prng_below (&client->prng, self->clients_count)];
    session_view (client->session, &view);
    if (view.id == 0 || !to->has_identity) {
        ask_for (self, client, WIRE_SYNC, NULL, NULL, 0);
        return;
    }
    sha256 (to->identity.password, sizeof to->identity.password, hash);
    hash[0] ^= prng_chance (&client->prng, 1, 6);
    hand_over_token (view.id, to->identity.id, hash, token);
    struct request *request = request_new (WIRE_HAND_OVER, "", NULL, token, sizeof token);
    COHORT_ASSERT (request != NULL);
    request->wire.op.session = to->identity.id;
    submit_plain (self, client, request);
}

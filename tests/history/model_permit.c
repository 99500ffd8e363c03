/* The model: who somebody is, and what he may do (docs/acl.md). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/history/model_state.h"

enum { PATH_MAX_SIZE = 4096 + 32 };

/* ---- Texts ----------------------------------------------------------------------------------- */

/* One of the parts between commas. */
struct part {
    const char *at;
    size_t size;
};

/* false: there are no more. *text goes on behind it. */
static bool next_part (const char **text, struct part *part)
{
    if (**text == '\0') {
        return false;
    }
    *part = (struct part){*text, strcspn (*text, ",")};
    *text += part->size + ((*text)[part->size] == ',');
    return true;
}

static bool same (struct part a, struct part b)
{
    return a.size == b.size && memcmp (a.at, b.at, a.size) == 0;
}

static bool begins_with (struct part part, const char *prefix)
{
    size_t size = strlen (prefix);
    return part.size >= size && memcmp (part.at, prefix, size) == 0;
}

static bool has_part (const char *list, struct part wanted)
{
    struct part part;
    while (next_part (&list, &part)) {
        if (same (part, wanted)) {
            return true;
        }
    }
    return false;
}

static int perms_of (const char *letters, size_t size)
{
    static const struct {
        char letter;
        int perm;
    } all[] = {{'r', COHORT_PERM_READ},
               {'w', COHORT_PERM_WRITE},
               {'c', COHORT_PERM_CREATE},
               {'d', COHORT_PERM_DELETE},
               {'a', COHORT_PERM_ADMIN}};
    int perms = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        perms |= memchr (letters, all[i].letter, size) != NULL ? all[i].perm : 0;
    }
    return perms;
}

/* SCHEME:ID of an item, and its permissions. */
static struct part split_item (struct part item, int *perms)
{
    size_t size = item.size;
    while (size > 0 && item.at[size - 1] != ':') {
        size--;
    }
    *perms = perms_of (item.at + size, item.size - size);
    return (struct part){item.at, size > 0 ? size - 1 : 0};
}

/* ---- Who ------------------------------------------------------------------------------------- */

void model_set_admins (struct model *self, const char *list)
{
    if (list == NULL || list[0] == '\0') {
        return; /* nobody, and there was nobody */
    }
    self->admins = model_grow (self->admins, self->admins_count, &self->admins_capacity,
                               sizeof (struct model_admins));
    self->admins[self->admins_count++] = (struct model_admins){self->zxid, model_keep (self, list)};
}

static const char *admins_at (const struct model *self, uint64_t zxid)
{
    size_t count = self->admins_count;
    while (count > 0 && self->admins[count - 1].zxid > zxid) {
        count--;
    }
    return count > 0 ? self->admins[count - 1].list : "";
}

/* What it is by its connection and by what it has proven, together. */
static void identify (struct model *self, struct model_session *session, uint32_t incarnation)
{
    const char *a = session->connection, *b = session->proven != NULL ? session->proven : "";
    size_t room = strlen (a) + strlen (b) + 2;
    char *text = arena_calloc (&self->arena, room, 1);
    COHORT_ASSERT (text != NULL);
    (void) snprintf (text, room, "%s%s%s", a, *a != '\0' && *b != '\0' ? "," : "", b);
    session->origins = model_grow (session->origins, session->origins_count,
                                   &session->origins_capacity, sizeof (struct model_origin));
    session->origins[session->origins_count++] =
        (struct model_origin){self->zxid, incarnation, text};
}

void model_set_origin (struct model *self, struct model_session *session, uint32_t incarnation,
                       const char *origin)
{
    const struct model_origin *last =
        session->origins_count > 0 ? &session->origins[session->origins_count - 1] : NULL;
    origin = origin != NULL ? origin : "";
    if (last == NULL || last->incarnation != incarnation ||
        strcmp (session->connection, origin) != 0) {
        session->connection = model_keep (self, origin);
        identify (self, session, incarnation);
    }
}

void model_add_auth (struct model *self, struct model_session *session, const char *identity)
{
    const char *before = session->proven != NULL ? session->proven : "";
    size_t room = strlen (before) + strlen (identity) + 2;
    if (has_part (before, (struct part){identity, strlen (identity)})) {
        return;
    }
    char *text = arena_calloc (&self->arena, room, 1);
    COHORT_ASSERT (text != NULL);
    (void) snprintf (text, room, "%s%s%s", before, *before != '\0' ? "," : "", identity);
    session->proven = text;
    identify (self, session, session->incarnation);
}

static const char *origin_at (const struct model_session *session, uint64_t zxid)
{
    size_t count = session->origins_count;
    while (count > 0 && session->origins[count - 1].zxid > zxid) {
        count--;
    }
    return count > 0 ? session->origins[count - 1].identities : "";
}

const char *model_origin (const struct model_session *session, uint32_t incarnation, uint64_t zxid)
{
    const struct model_origin *origins = session->origins;
    size_t count = session->origins_count;
    while (count > 0 && origins[count - 1].incarnation > incarnation) {
        count--;
    }
    while (count > 1 && origins[count - 1].zxid > zxid &&
           origins[count - 2].incarnation == origins[count - 1].incarnation) {
        count--;
    }
    return count > 0 ? session->origins[count - 1].identities : "";
}

/* What a list gives to somebody: all that its items that mean him say. */
static int granted (const char *list, const char *identities)
{
    struct part item;
    int all = 0;
    while (next_part (&list, &item)) {
        int perms;
        struct part who = split_item (item, &perms);
        bool meant = same (who, (struct part){"world:anyone", strlen ("world:anyone")}) ||
                     has_part (identities, who);
        all |= meant ? perms : 0;
    }
    return all;
}

bool model_has_admins (const struct model *self, uint64_t zxid)
{
    return admins_at (self, zxid)[0] != '\0';
}

struct model_who model_who (const struct model *self, const struct model_session *session,
                            uint64_t zxid)
{
    return (struct model_who){
        .identities = session != NULL ? origin_at (session, zxid) : "",
        .admins = admins_at (self, zxid),
    };
}

bool model_is_admin (struct model_who who)
{
    return granted (who.admins, who.identities) != 0;
}

/* ---- What ------------------------------------------------------------------------------------ */

bool model_may (struct model_who who, const struct model_version *version, int perms)
{
    return version->acl == NULL || (granted (version->acl, who.identities) & perms) == perms ||
           model_is_admin (who);
}

bool model_sees (struct model_who who, const struct model_znode *znode, uint64_t zxid)
{
    const struct model_version *version = model_at (znode, zxid);
    const struct model_version *parent = model_at (znode->parent, zxid);
    COHORT_ASSERT (version != NULL);
    return model_may (who, version, COHORT_PERM_READ) ||
           (parent != NULL && model_may (who, parent, COHORT_PERM_READ));
}

/* Of the path itself: that of what is above it. */
static void go_up (char *path)
{
    char *slash = strrchr (path, '/');
    COHORT_ASSERT (slash != NULL);
    slash[slash == path] = '\0';
}

int32_t model_absence (const struct model *self, struct model_who who, const char *path,
                       uint64_t zxid, int of_parent)
{
    char above[PATH_MAX_SIZE];
    const struct model_version *found;
    if (!self->lists || path[0] == '\0') {
        return COHORT_ENONODE;
    }
    (void) snprintf (above, sizeof above, "%s", path);
    go_up (above);
    while ((found = model_at (model_find (self, above), zxid)) == NULL) {
        of_parent = 0;
        go_up (above);
    }
    bool told = model_may (who, found, COHORT_PERM_READ) ||
                (of_parent != 0 && model_may (who, found, of_parent));
    return told ? COHORT_ENONODE : COHORT_ENOAUTH;
}

/* What an operation needs, of the parent and of the znode itself. */
struct need {
    int of_parent, of_znode;
};

static struct need need_of (enum history_op_kind kind)
{
    switch (kind) {
    case HISTORY_CREATE:
        return (struct need){.of_parent = COHORT_PERM_CREATE};
    case HISTORY_DELETE:
    case HISTORY_DELETE_IF_PRESENT:
    case HISTORY_DELETE_TREE:
        return (struct need){.of_parent = COHORT_PERM_DELETE};
    case HISTORY_SET:
        return (struct need){.of_znode = COHORT_PERM_WRITE};
    case HISTORY_ADD:
        return (struct need){.of_znode = COHORT_PERM_READ | COHORT_PERM_WRITE};
    case HISTORY_SET_ACL:
        return (struct need){.of_znode = COHORT_PERM_ADMIN};
    case HISTORY_CHECK:
    case HISTORY_CHECK_CZXID:
    case HISTORY_CHECK_OWNER:
        return (struct need){.of_znode = COHORT_PERM_READ};
    default:
        return (struct need){0};
    }
}

int32_t model_permit (const struct model *self, const struct model_session *session,
                      const struct history_op *op, const struct model_znode *znode)
{
    struct model_who who = model_who (self, session, self->zxid);
    struct need need = need_of (op->kind);
    const struct model_version *now = model_now (znode);
    if (now == NULL) {
        return model_absence (self, who, op->path, self->zxid, need.of_parent);
    }
    if (op->kind == HISTORY_CREATE) {
        return model_may (who, now, need.of_parent) ? 0 : COHORT_ENOAUTH;
    }
    if (op->kind == HISTORY_CHECK_ABSENT) {
        return model_sees (who, znode, self->zxid) ? 0 : COHORT_ENOAUTH;
    }
    const struct model_version *parent = model_now (znode->parent);
    return model_may (who, now, need.of_znode) &&
                   (parent == NULL || model_may (who, parent, need.of_parent))
               ? 0
               : COHORT_ENOAUTH;
}

/* ---- What is the servers' own (docs/quotas.md) ----------------------------------------------- */

static bool ends_with (const char *path, const char *name)
{
    const char *slash = strrchr (path, '/');
    return slash != NULL && strcmp (slash + 1, name) == 0;
}

static int32_t permit_quota (const struct model *self, const struct model_session *session,
                             const struct history_op *op)
{
    bool sequential = op->kind == HISTORY_CREATE && (op->mode & COHORT_SEQUENTIAL) != 0;
    bool data = op->kind == HISTORY_SET || op->kind == HISTORY_ADD;
    if (model_has_admins (self, self->zxid) &&
        !model_is_admin (model_who (self, session, self->zxid))) {
        return COHORT_ENOAUTH;
    }
    if (data && ends_with (op->path, "zookeeper_stats")) {
        return COHORT_ERESERVED;
    }
    bool limits = ends_with (op->path, "zookeeper_limits") &&
                  (data || (op->kind == HISTORY_CREATE && !sequential));
    return limits && (op->kind == HISTORY_ADD || !model_is_quota (op->value)) ? COHORT_EINVAL : 0;
}

int32_t model_permit_system (const struct model *self, const struct model_session *session,
                             const struct history_op *op)
{
    const char *path = op->path;
    if (!model_covers ("/zookeeper", path)) {
        return 0;
    }
    bool own = strcmp (path, "/zookeeper") == 0 || strcmp (path, "/zookeeper/config") == 0 ||
               strcmp (path, "/zookeeper/quota") == 0;
    bool check = op->kind == HISTORY_CHECK || op->kind == HISTORY_CHECK_CZXID ||
                 op->kind == HISTORY_CHECK_OWNER || op->kind == HISTORY_CHECK_ABSENT;
    if (check || self->quotas == NULL) {
        return 0;
    }
    if (!own) {
        return model_covers ("/zookeeper/quota", path) ? permit_quota (self, session, op)
                                                       : COHORT_ERESERVED;
    }
    if (op->kind == HISTORY_CREATE) {
        bool sequential = (op->mode & COHORT_SEQUENTIAL) != 0;
        return !sequential || strcmp (path, "/zookeeper") == 0 ? 0 : COHORT_ERESERVED;
    }
    return op->kind == HISTORY_SET_ACL && model_is_admin (model_who (self, session, self->zxid))
               ? 0
               : COHORT_ERESERVED;
}

/* ---- Lists that come in ---------------------------------------------------------------------- */

/* What is put together, with room for all. */
struct list {
    char *text;
    size_t size;
};

static void add_item (struct list *list, struct part who, struct part perms)
{
    char *at = list->text + list->size;
    size_t comma = list->size > 0;
    if (comma > 0) {
        *at = ',';
    }
    memcpy (at + comma, who.at, who.size);
    at[comma + who.size] = ':';
    memcpy (at + comma + who.size + 1, perms.at, perms.size);
    at[comma + who.size + 1 + perms.size] = '\0';
    struct part added = {at + comma, who.size + 1 + perms.size};
    *at = '\0'; /* what was there before */
    if (has_part (list->text, added)) {
        return;
    }
    *at = comma > 0 ? ',' : *who.at;
    list->size += comma + added.size;
}

int32_t model_resolve (struct model *self, const struct model_session *session, const char *list,
                       const char **resolved)
{
    const char *identities = model_who (self, session, self->zxid).identities;
    struct list made = {.text = NULL};
    struct part item, proven;
    size_t room = (strlen (list) + 1) * (strlen (identities) + 2);
    made.text = arena_calloc (&self->arena, room, 1);
    COHORT_ASSERT (made.text != NULL);
    for (const char *rest = list; next_part (&rest, &item);) {
        int perms;
        struct part who = split_item (item, &perms);
        struct part letters = {who.at + who.size + 1, item.size - who.size - 1};
        if (!begins_with (who, "auth:")) {
            add_item (&made, who, letters);
            continue;
        }
        bool any = false;
        for (const char *all = identities; next_part (&all, &proven);) {
            if (!begins_with (proven, "ip:")) { /* an address proves nothing */
                add_item (&made, proven, letters);
                any = true;
            }
        }
        if (!any) {
            return COHORT_EINVALIDACL;
        }
    }
    if (made.size == 0) {
        return COHORT_EINVALIDACL;
    }
    *resolved = made.text;
    self->lists = true;
    return 0;
}

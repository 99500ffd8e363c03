/*
 * server/tree/system.c - the znodes that every ensemble has
 *
 * PURE.
 */
#include "server/tree/system.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "server/tree/change.h"
#include "server/tree/numbers.h"
#include "server/tree/path.h"
#include "server/tree/quota.h"

static bool equals (const char *path, size_t size, const char *other)
{
    return size == strlen (other) && memcmp (path, other, size) == 0;
}

/* Whether it is `root`, or below it. */
static bool within (const char *path, size_t size, const char *root)
{
    size_t root_size = strlen (root);
    return size >= root_size && memcmp (path, root, root_size) == 0 &&
           (size == root_size || path[root_size] == '/');
}

bool system_path (const char *path, size_t size)
{
    return within (path, size, SYSTEM_ROOT);
}

static struct znode *find (const struct tree *self, const char *path)
{
    return znode_find (&self->znodes, self->root, path, strlen (path));
}

/* ---- What the configuration says --------------------------------------------------------- */

static void append_text (struct buf *out, const char *text)
{
    buf_append (out, text, strlen (text));
}

static void append_number (struct buf *out, int64_t number)
{
    char text[NUMBER_TEXT_MAX];
    buf_append (out, text, number_print (text, number));
}

static void append_hex (struct buf *out, uint64_t number)
{
    char text[16];
    size_t at = sizeof (text);
    do {
        text[--at] = "0123456789abcdef"[number & 15];
        number >>= 4;
    } while (number > 0);
    buf_append (out, text + at, sizeof (text) - at);
}

/* "tcp://host:5188" is "host:5188"; what is no address of TCP stands as it is. */
static void append_address (struct buf *out, const char *address, size_t size)
{
    static const char scheme[] = "tcp://";
    size_t skipped = sizeof (scheme) - 1;
    if (size > skipped && memcmp (address, scheme, skipped) == 0) {
        address += skipped;
        size -= skipped;
    }
    if (size > 0) {
        buf_append (out, address, size);
        append_text (out, ":");
    }
}

/* ZooKeeper's form: a line for each server, and which version it is. */
static void describe (struct buf *out, const struct config *config, const uint8_t *addresses,
                      size_t addresses_size)
{
    struct reader in;
    reader_init (&in, addresses, addresses_size);
    for (size_t i = 0; i < config->count; i++) {
        const struct config_member *member = &config->members[i];
        append_text (out, "server.");
        append_number (out, member->id);
        append_text (out, "=");
        if (addresses_size > 0) {
            size_t size;
            const char *address = (const char *) reader_blob (&in, &size);
            append_address (out, address, size);
        }
        append_text (out, member->role == CONFIG_OBSERVER ? "observer\n" : "participant\n");
    }
    append_text (out, "version=");
    append_hex (out, config->version);
    MEM_NEED (!out->failed);
}

void system_configure (struct tree *self)
{
    struct znode *znode = find (self, SYSTEM_CONFIG);
    struct buf text = {0};
    COHORT_ASSERT (znode != NULL);
    describe (&text, &self->scalars.configs.configs[0], NULL, 0);
    change_set (self, znode, SYSTEM_CONFIG, sizeof (SYSTEM_CONFIG) - 1, text.data, text.size);
    buf_deinit (&text);
}

/* ---- They come into being ---------------------------------------------------------------- */

static struct znode *make (struct tree *self, struct znode *parent, const char *path,
                           const struct buf *data)
{
    size_t size = strlen (path);
    size_t name_at = parent == self->root ? 1 : tree_path_parent_size (path, size) + 1;
    const struct family *family = znode_family (parent);
    struct change_create what = {
        .parent = parent,
        .path = path,
        .path_size = size,
        .name_at = name_at,
        .hash = tree_path_hash_child (parent->node.hash, path + name_at, size - name_at),
        .data = data != NULL ? data->data : NULL,
        .data_size = data != NULL ? data->size : 0,
        .mode = COHORT_PERSISTENT,
        .sequence = family != NULL ? family->sequence : self->first_sequence,
    };
    return change_create (self, &what);
}

void system_found (struct tree *self, const struct entry_cluster *cluster)
{
    struct buf text = {0};
    COHORT_ASSERT (self->quotas == NULL);
    describe (&text, &self->scalars.configs.configs[0], cluster->addresses,
              cluster->addresses_size);
    struct znode *top = make (self, self->root, SYSTEM_ROOT, NULL);
    (void) make (self, top, SYSTEM_CONFIG, &text);
    self->quotas = make (self, top, SYSTEM_QUOTAS, NULL);
    buf_deinit (&text);
}

/* Whether it is there for good. */
static bool lasts (const struct znode *znode)
{
    return znode != NULL && znode->mode == COHORT_PERSISTENT && znode_lapse (znode) == NULL;
}

static bool are_there (const struct tree *self)
{
    return lasts (find (self, SYSTEM_ROOT)) && lasts (find (self, SYSTEM_CONFIG)) &&
           lasts (find (self, SYSTEM_QUOTAS));
}

bool system_adopt (struct tree *self)
{
    if (self->scalars.level == 0) {
        return true;
    }
    self->quotas = find (self, SYSTEM_QUOTAS);
    return are_there (self);
}

void system_check (const struct tree *self)
{
    bool founded = self->scalars.level > 0;
    COHORT_ASSERT (founded == (self->quotas != NULL));
    COHORT_ASSERT (!founded || self->quotas == find (self, SYSTEM_QUOTAS));
    COHORT_ASSERT (!founded || are_there (self));
}

/* ---- What may be done with them ---------------------------------------------------------- */

static bool is_check (enum op_kind kind)
{
    return kind == OP_CHECK_VERSION || kind == OP_CHECK_CZXID || kind == OP_CHECK_OWNER ||
           kind == OP_CHECK_ABSENT;
}

/* Below /zookeeper/quota: quotas are set by creating and setting znodes. */
static int permit_quota (const struct tree *self, const struct session *session,
                         const struct op *op)
{
    if (self->scalars.admins_size > 0 && !session_is_admin (self, session)) {
        return COHORT_ENOAUTH;
    }
    bool created = op->kind == OP_CREATE && (op->mode & COHORT_SEQUENTIAL) == 0;
    bool changed = op->kind == OP_SET || op->kind == OP_ADD;
    if (quota_is_stats (op->path, op->path_size) && changed) {
        return COHORT_ERESERVED;
    }
    if (quota_is_limits (op->path, op->path_size) && (created || changed)) {
        struct quota_limits limits;
        if (quota_level (op->path, op->path_size) > QUOTA_LEVELS_MAX) {
            return COHORT_ELIMIT;
        }
        bool sound = op->kind != OP_ADD && quota_parse (&limits, op->data, op->data_size);
        return sound ? 0 : COHORT_EINVAL;
    }
    return 0;
}

static bool is_own (const char *path, size_t size)
{
    return equals (path, size, SYSTEM_ROOT) || equals (path, size, SYSTEM_CONFIG) ||
           equals (path, size, SYSTEM_QUOTAS);
}

int system_permit (const struct tree *self, const struct session *session, const struct op *op)
{
    const char *path = op->path;
    size_t size = op->path_size;
    if (!system_path (path, size) || self->quotas == NULL || is_check (op->kind)) {
        return 0;
    }
    if (!is_own (path, size)) {
        return within (path, size, SYSTEM_QUOTAS) ? permit_quota (self, session, op)
                                                  : COHORT_ERESERVED;
    }
    if (op->kind == OP_CREATE) {
        /* It is there already; and "/zookeeper" may begin a sequential name of somebody's. */
        bool sequential = (op->mode & COHORT_SEQUENTIAL) != 0;
        return !sequential || equals (path, size, SYSTEM_ROOT) ? 0 : COHORT_ERESERVED;
    }
    return op->kind == OP_SET_ACL && session_is_admin (self, session) ? 0 : COHORT_ERESERVED;
}

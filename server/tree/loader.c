/*
 * server/tree/loader.c - a state from a snapshot: records to objects
 *
 * PURE.  The bytes are not trusted: whatever they are, feeding gives false or builds a sound tree,
 * and settling compares counts and digest.
 */
#include "server/tree/loader.h"
#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "server/tree/digest.h"
#include "server/tree/estate.h"
#include "server/tree/image.h"
#include "server/tree/lapse.h"
#include "server/tree/path.h"
#include "server/tree/result.h"

struct tree_loader *tree_loader_new (const struct tree_options *options)
{
    struct tree_loader *self = mem_calloc (1, sizeof (*self));
    if (self == NULL) {
        return NULL;
    }
    self->tree = tree_new (options);
    if (self->tree == NULL) {
        mem_free (self);
        return NULL;
    }
    list_init (&self->estates);
    return self;
}

/* ---- The index --------------------------------------------------------------------------- */

/* The znode comes into the index when as many others have come behind it. */
static void index_later (struct tree_loader *self, struct znode *znode)
{
    struct znode **place = &self->arriving[self->arrivals++ % LOADER_ARRIVING];
    map_prefetch (&self->tree->znodes, znode->node.hash);
    if (*place != NULL) {
        map_insert (&self->tree->znodes, &(*place)->node);
    }
    *place = znode;
}

static void index_all (struct tree_loader *self)
{
    for (size_t i = 0; i < LOADER_ARRIVING; i++) {
        struct znode **place = &self->arriving[self->arrivals++ % LOADER_ARRIVING];
        if (*place != NULL) {
            map_insert (&self->tree->znodes, &(*place)->node);
        }
        *place = NULL;
    }
}

/* So many tell how large the others will be. */
enum { EXPECT_FROM = 8 * LOADER_ARRIVING };

bool tree_loader_expect (struct tree_loader *self, uint64_t image_size)
{
    /* What comes first, sessions and their results, comes once; the rest is znodes. */
    uint64_t others = self->fed - self->znodes_fed;
    uint64_t count = map_count (&self->tree->znodes);
    if (count < EXPECT_FROM || image_size < others) {
        return false;
    }
    COHORT_ASSERT (self->znodes_fed >= count);
    map_reserve (&self->tree->znodes,
                 (size_t) ((image_size - others) / (self->znodes_fed / count)));
    return true;
}

struct tree *tree_loader_release (struct tree_loader **self_p)
{
    struct tree_loader *self = *self_p;
    COHORT_ASSERT (self != NULL);
    struct tree *tree = self->tree;
    index_all (self);
    sorting_abandon (&self->sorting);
    buf_deinit (&self->rest);
    for (size_t i = 0; i < self->acls_count; i++) {
        acl_release (tree, self->acls[i]);
    }
    mem_free (self->acls);
    mem_free (self->parents);
    mem_free (self);
    *self_p = NULL;
    return tree;
}

void tree_loader_destroy (struct tree_loader **self_p)
{
    if (*self_p != NULL) {
        struct tree *tree = tree_loader_release (self_p);
        tree_destroy (&tree);
    }
}

/* ---- Sessions and results ---------------------------------------------------------------- */

static bool load_session (struct tree *tree, const uint8_t *data, size_t size)
{
    struct session *session = session_alloc ();
    if (session == NULL) {
        return false;
    }
    if (!image_session_read (session, data, size) || session->id > tree->scalars.last_session ||
        session_find (&tree->sessions, session->id) != NULL ||
        session_find_nonce (tree, session->nonce) != NULL) {
        session_release (&tree->slab, session);
        return false;
    }
    session->node.hash = session->id;
    session->nonce_node.hash = session_nonce_hash (tree, session->nonce);
    map_insert (&tree->sessions, &session->node);
    map_insert (&tree->nonces, &session->nonce_node);
    /* The order is made in the end. */
    list_push_back (&tree->session_order, &session->order);
    session->digest = digest_session (session);
    tree->digest += session->digest;
    return true;
}

static bool load_estate (struct tree_loader *self, const uint8_t *data, size_t size)
{
    struct tree *tree = self->tree;
    struct reader in;
    reader_init (&in, data, size);
    uint64_t id = reader_u64 (&in);
    struct session *session = session_find (&tree->sessions, reader_u64 (&in));
    zxid_t ozxid = reader_u64 (&in);
    if (!reader_done (&in) || session == NULL || id == 0 || id > tree->scalars.last_estate ||
        ozxid > tree->scalars.zxid || session->estate_count == ENTRY_ESTATES_MAX ||
        estate_find (&tree->estates, id) != NULL) {
        return false;
    }
    struct estate *estate = estate_alloc ();
    if (estate == NULL) {
        return false;
    }
    estate->id = estate->node.hash = id;
    estate->session = session;
    estate->ozxid = ozxid;
    session->estate_count++;
    map_insert (&tree->estates, &estate->node);
    /* It comes into its session's list in the end, in the order of the ids. */
    list_push_back (&self->estates, &estate->owned);
    estate->digest = digest_estate (estate);
    tree->digest += estate->digest;
    return true;
}

static bool load_result (struct tree *tree, const uint8_t *data, size_t size)
{
    struct reader in;
    reader_init (&in, data, size);
    uint64_t id = reader_u64 (&in);
    uint64_t number = reader_u64 (&in);
    struct session *session = session_find (&tree->sessions, id);
    struct result result;
    if (in.failed || session == NULL || !result_decode (&result, in.at, reader_left (&in))) {
        return false;
    }
    /* They come in the order of their numbers, from the first that is not acknowledged. */
    if (session->last_number - session->acked <= ring_count (&session->results) ||
        number != session->acked + 1 + ring_count (&session->results)) {
        return false;
    }
    struct stored *stored = stored_new (&tree->slab, session, number, in.at, reader_left (&in));
    if (stored == NULL) {
        return false;
    }
    if (!ring_push (&session->results, &stored)) {
        stored_free (&tree->slab, stored);
        return false;
    }
    list_push_back (&tree->results, &stored->node);
    session->results_size += stored->size;
    tree->result_count++;
    stored->digest = digest_result (stored);
    tree->digest += stored->digest;
    return true;
}

/* ---- Access control lists ---------------------------------------------------------------- */

static bool load_acl (struct tree_loader *self, const uint8_t *bytes, size_t size)
{
    struct reader in;
    reader_init (&in, bytes, size);
    int32_t aversion = reader_i32 (&in);
    size_t acl_size = reader_left (&in);
    if (in.failed || aversion < 0 ||
        (acl_size > 0 ? !acl_valid (in.at, acl_size) : aversion == 0)) {
        return false;
    }
    if (self->acls_count == self->acls_capacity) {
        size_t capacity = self->acls_capacity > 0 ? self->acls_capacity * 2 : 16;
        struct acl **acls = mem_realloc (self->acls, capacity * sizeof (struct acl *));
        if (acls == NULL) {
            return false;
        }
        self->acls = acls;
        self->acls_capacity = capacity;
    }
    struct acl *acl;
    if (!acl_take (self->tree, in.at, acl_size, aversion, &acl) || acl == NULL) {
        return false; /* what is open needs no list */
    }
    self->acls[self->acls_count++] = acl;
    return true;
}

/* ---- Znodes ------------------------------------------------------------------------------ */

/* A record of a znode. */
struct record {
    uint8_t parts;
    uint8_t mode;
    uint64_t ttl_ms;
    uint32_t acl, inherited;
    uint32_t parent;
    zxid_t czxid;
    zxid_t mzxid;
    int64_t ctime_ms;
    int64_t mtime_ms;
    int32_t version;
    zxid_t pzxid;
    uint64_t sequence;
    int32_t cversion;
    uint64_t estate;
    const char *name;
    size_t name_size;
    const uint8_t *data;
    size_t data_size;
};

static bool lapses (const struct record *record)
{
    return (record->mode & COHORT_CONTAINER) != 0 || record->ttl_ms > 0;
}

static bool read_znode (struct record *record, const uint8_t *bytes, size_t size)
{
    struct reader in;
    reader_init (&in, bytes, size);
    record->pzxid = record->sequence = record->estate = 0;
    record->cversion = 0;
    record->inherited = 0;
    record->parts = reader_u8 (&in);
    record->mode = reader_u8 (&in);
    record->acl = reader_u32 (&in);
    record->ttl_ms = reader_u64 (&in);
    record->parent = reader_u32 (&in);
    record->czxid = reader_u64 (&in);
    record->mzxid = reader_u64 (&in);
    record->ctime_ms = reader_i64 (&in);
    record->mtime_ms = reader_i64 (&in);
    record->version = reader_i32 (&in);
    if ((record->parts & IMAGE_FAMILY) != 0) {
        record->pzxid = reader_u64 (&in);
        record->sequence = reader_u64 (&in);
        record->cversion = reader_i32 (&in);
        record->inherited = reader_u32 (&in);
    }
    if ((record->parts & IMAGE_TENURE) != 0) {
        record->estate = reader_u64 (&in);
    }
    record->name_size = reader_u16 (&in);
    record->name = (const char *) reader_bytes (&in, record->name_size);
    record->data_size = reader_left (&in);
    record->data = reader_bytes (&in, record->data_size);
    bool ephemeral = (record->mode & COHORT_EPHEMERAL) != 0;
    return !in.failed && record->parts <= (IMAGE_FAMILY | IMAGE_TENURE) &&
           tree_life_valid (record->mode, record->ttl_ms) &&
           (!lapses (record) || (record->parts & IMAGE_FAMILY) != 0) &&
           ephemeral == ((record->parts & IMAGE_TENURE) != 0) &&
           !(ephemeral && (record->parts & IMAGE_FAMILY) != 0) &&
           record->data_size <= ENTRY_DATA_MAX && record->sequence <= INT64_MAX;
}

/* Whether the numbers could be those of a znode of the state at `newest`: what tree_check demands.
 */
static bool numbers_sound (const struct record *record, zxid_t newest)
{
    bool family = (record->parts & IMAGE_FAMILY) != 0;
    return record->czxid <= record->mzxid && record->mzxid <= newest && record->version >= 0 &&
           (!family ||
            (record->pzxid >= record->czxid && record->pzxid <= newest && record->cversion >= 0));
}

/* The next ordinal is this znode's. */
static bool add_parent (struct tree_loader *self, struct znode *znode, size_t path_size,
                        uint64_t name)
{
    if (self->parents_count == self->parents_capacity) {
        size_t capacity = self->parents_capacity > 0 ? self->parents_capacity * 2 : 64;
        struct parent *parents = mem_realloc (self->parents, capacity * sizeof (*parents));
        if (parents == NULL) {
            return false;
        }
        self->parents = parents;
        self->parents_capacity = capacity;
    }
    COHORT_ASSERT (self->parents_count < self->parents_capacity);
    COHORT_ASSERT (znode_family (znode) != NULL);
    self->parents[self->parents_count++] = (struct parent){znode, path_size, name};
    return true;
}

/* The list of a number; 0: none. */
static struct acl *acl_of (const struct tree_loader *self, uint32_t number)
{
    return number > 0 ? acl_share (self->acls[number - 1]) : NULL;
}

/* What the record says of a znode, its family included. */
static bool take_fields (struct tree_loader *self, struct znode *znode, const struct record *record)
{
    if (record->acl > self->acls_count || record->inherited > self->acls_count) {
        return false;
    }
    struct slab *slab = &self->tree->slab;
    znode->czxid = record->czxid;
    *znode_mzxid_place (znode) = record->mzxid;
    znode->ctime = short_time_of (record->ctime_ms);
    znode->mtime = short_time_of (record->mtime_ms);
    znode->version = record->version;
    if (lapses (record) && !znode_need_lapse (slab, znode, record->ttl_ms)) {
        return false;
    }
    if ((record->parts & IMAGE_FAMILY) != 0) {
        if (!znode_need_family (slab, znode)) {
            return false;
        }
        znode->u.family->pzxid = record->pzxid;
        znode->u.family->sequence = record->sequence;
        znode->u.family->cversion = record->cversion;
        znode->u.family->inherited = acl_of (self, record->inherited);
        self->tree->defaults += record->inherited > 0;
    }
    struct acl *acl = acl_of (self, record->acl);
    if (!znode_set_acl (slab, znode, acl)) {
        acl_release (self->tree, acl);
        return false;
    }
    return true;
}

void loader_add_digest (struct tree_loader *self, struct znode *znode, uint64_t name)
{
    struct tree *tree = self->tree;
    znode->data_digest = digest_data (znode);
    znode->stat_digest = digest_stat (znode);
    tree->digest += digest_share (name, znode->data_digest);
    tree->digest += digest_share (name, znode->stat_digest);
}

/* The root is there already: it only gets its contents, once. */
static bool load_root (struct tree_loader *self, const struct record *record)
{
    struct tree *tree = self->tree;
    if (self->parents_count != 0 || record->name_size != 0 || record->parts != IMAGE_FAMILY ||
        record->mode != COHORT_PERSISTENT || record->ttl_ms != 0) {
        return false;
    }
    tree->digest -= digest_share (PATH_HASH_ROOT, tree->root->data_digest) +
                    digest_share (PATH_HASH_ROOT, tree->root->stat_digest);
    return znode_set_data (tree->root, record->data, record->data_size) &&
           take_fields (self, tree->root, record) &&
           add_parent (self, tree->root, 0, PATH_HASH_ROOT);
}

/* Puts a znode that has its fields into index and lists. */
static bool join (struct tree_loader *self, struct znode *znode, const struct parent *parent,
                  const struct record *record)
{
    struct tree *tree = self->tree;
    struct tenure *tenure = znode_tenure (znode);
    if (tenure != NULL) {
        tenure->estate = estate_find (&tree->estates, record->estate);
        if (tenure->estate == NULL) {
            return false;
        }
    }
    size_t path_size = parent->path_size + 1 + record->name_size;
    struct znode *above = parent->znode;
    uint64_t name = tree_path_hash_child (parent->name, record->name, record->name_size);
    if ((record->parts & IMAGE_FAMILY) != 0 && !add_parent (self, znode, path_size, name)) {
        return false;
    }
    if (!znode_link (znode, above)) {
        return false;
    }
    znode_account (above, 1, record->data_size);
    index_later (self, znode);
    if (tenure != NULL) {
        list_push_back (&tenure->estate->tenures, &tenure->node);
        tenure->estate->count++;
        tenure_session (tenure)->ephemeral_count++;
    }
    if ((record->parts & IMAGE_FAMILY) == 0) {
        loader_add_digest (self, znode, name);
    }
    return true;
}

/* Whether the parent has a child of this name.  Behind the last there is none: that is how names
 * come, as a rule, and it is known without looking into the index. */
static bool has_child (struct tree_loader *self, const struct znode *parent,
                       const struct znode *child)
{
    const struct znode *last = children_last (&parent->u.family->children);
    if (last == NULL || znode_compare_names (last, child) < 0) {
        return false;
    }
    index_all (self);
    return znode_find_child (&self->tree->znodes, parent, child->node.hash, child->bytes,
                             child->name_size) != NULL;
}

static bool load_znode (struct tree_loader *self, const uint8_t *bytes, size_t size)
{
    struct tree *tree = self->tree;
    struct record record;
    if (!read_znode (&record, bytes, size) || !numbers_sound (&record, tree->scalars.zxid)) {
        return false;
    }
    if (record.parent == 0) {
        return load_root (self, &record);
    }
    if (record.parent > self->parents_count || !tree_name_valid (record.name, record.name_size)) {
        return false;
    }
    const struct parent *parent = &self->parents[record.parent - 1];
    COHORT_ASSERT (znode_family (parent->znode) != NULL);
    if (parent->path_size + 1 + record.name_size > ENTRY_PATH_MAX) {
        return false;
    }
    struct znode *znode = znode_new (&tree->slab, record.name, record.name_size, record.data,
                                     record.data_size, record.mode);
    if (znode == NULL) {
        return false;
    }
    znode->node.hash =
        tree_path_hash_child (parent->znode->node.hash, record.name, record.name_size);
    if (has_child (self, parent->znode, znode) || !take_fields (self, znode, &record) ||
        !join (self, znode, parent, &record)) {
        znode_free (&tree->slab, znode);
        return false;
    }
    return true;
}

/* ---- Records ----------------------------------------------------------------------------- */

static bool load_end (struct tree_loader *self, const uint8_t *bytes, size_t size)
{
    struct reader in;
    reader_init (&in, bytes, size);
    uint64_t znodes = reader_u64 (&in);
    uint64_t sessions = reader_u64 (&in);
    uint64_t results = reader_u64 (&in);
    self->digest = reader_u64 (&in);
    self->stage = STAGE_END;
    index_all (self);
    return reader_done (&in) && znodes == map_count (&self->tree->znodes) &&
           sessions == map_count (&self->tree->sessions) && results == self->tree->result_count &&
           self->parents_count > 0;
}

/* One record without its size. */
static bool load_record (struct tree_loader *self, const uint8_t *bytes, size_t size)
{
    COHORT_ASSERT (size > 0);
    enum image_tag tag = (enum image_tag) bytes[0];
    bytes++;
    size--;
    if (self->stage == STAGE_SCALARS) {
        self->stage = STAGE_OBJECTS;
        return tag == IMAGE_SCALARS && image_scalars_read (&self->tree->scalars, bytes, size);
    }
    if (self->stage != STAGE_OBJECTS) {
        return false;
    }
    switch (tag) {
    case IMAGE_SESSION:
        return load_session (self->tree, bytes, size);
    case IMAGE_ESTATE:
        return load_estate (self, bytes, size);
    case IMAGE_RESULT:
        return load_result (self->tree, bytes, size);
    case IMAGE_ACL:
        return load_acl (self, bytes, size);
    case IMAGE_ZNODE:
        self->znodes_fed += 4 + 1 + size;
        return load_znode (self, bytes, size);
    case IMAGE_END:
        return load_end (self, bytes, size);
    default:
        return false;
    }
}

static bool load_head (struct tree_loader *self, const uint8_t *bytes)
{
    self->stage = STAGE_SCALARS;
    return memcmp (bytes, IMAGE_MAGIC, IMAGE_MAGIC_SIZE) == 0 &&
           bytes_get_u32 (bytes + IMAGE_MAGIC_SIZE) == IMAGE_VERSION;
}

/* The size of the head or record that begins at `bytes`, as far as that can be told from `size`
 * bytes: those that are needed at least.  0: it cannot be one. */
static size_t unit_size (const struct tree_loader *self, const uint8_t *bytes, size_t size)
{
    if (self->stage == STAGE_HEAD) {
        return IMAGE_HEAD_SIZE;
    }
    if (size < 4) {
        return 4;
    }
    uint32_t record = bytes_get_u32 (bytes);
    return record >= 1 && record <= IMAGE_RECORD_SIZE_MAX ? 4 + (size_t) record : 0;
}

static bool load_unit (struct tree_loader *self, const uint8_t *bytes, size_t size)
{
    return self->stage == STAGE_HEAD ? load_head (self, bytes)
                                     : load_record (self, bytes + 4, size - 4);
}

/* Completes what the last piece of input left over; *data and *size become what is behind it. */
static bool feed_rest (struct tree_loader *self, const uint8_t **data, size_t *size)
{
    while (self->rest.size > 0) {
        size_t unit = unit_size (self, self->rest.data, self->rest.size);
        if (unit == 0) {
            return false;
        }
        if (self->rest.size >= 4 && self->rest.size == unit) {
            if (!load_unit (self, self->rest.data, unit)) {
                return false;
            }
            buf_clear (&self->rest);
            return true;
        }
        size_t missing = unit - self->rest.size;
        size_t taken = missing < *size ? missing : *size;
        if (taken == 0) {
            return true;
        }
        buf_append (&self->rest, *data, taken);
        if (self->rest.failed) {
            return false;
        }
        *data += taken;
        *size -= taken;
    }
    return true;
}

static bool feed (struct tree_loader *self, const uint8_t *data, size_t size)
{
    if (!feed_rest (self, &data, &size)) {
        return false;
    }
    while (size > 0) {
        size_t unit = unit_size (self, data, size);
        if (unit == 0) {
            return false;
        }
        if (size < unit || (size == 4 && unit == 4)) {
            buf_append (&self->rest, data, size);
            return !self->rest.failed;
        }
        if (!load_unit (self, data, unit)) {
            return false;
        }
        data += unit;
        size -= unit;
    }
    return true;
}

bool tree_loader_feed (struct tree_loader *self, const uint8_t *data, size_t size)
{
    COHORT_ASSERT (data != NULL || size == 0);
    if (self->stage == STAGE_FAILED || !feed (self, data, size)) {
        self->stage = STAGE_FAILED;
        return false;
    }
    self->fed += size;
    return true;
}

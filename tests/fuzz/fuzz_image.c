/* Snapshots of the state, loaded from any bytes: they are refused, or what comes out is sound in
 * every respect, can be used and is saved as the same state again.
 *
 * Input: a byte of flags, a byte for the size of the pieces, the image. Without REPAIR the image is
 * whole; with it the record at the end is added, with the right sums, so that whatever lies before
 * is judged by what it says. */

#include <string.h>

#include "client/base/map.h"
#include "server/tree/image.h"
#include "server/tree/loader.h"
#include "server/tree/result.h"
#include "server/tree/tree.h"
#include "tests/fuzz/fuzz.h"

enum { REPAIR = 1, FEW_OBJECTS = 7, ENTRIES_MAX = 10000 };

/* ---- Loading --------------------------------------------------------------------------------- */

static bool feed (struct tree_loader *loader, const uint8_t *data, size_t size, size_t piece)
{
    for (size_t at = 0; at < size; at += piece) {
        size_t left = size - at;
        if (!tree_loader_feed (loader, data + at, piece < left ? piece : left)) {
            return false;
        }
    }
    return true;
}

static bool feed_end (struct tree_loader *loader)
{
    const struct tree *tree = loader->tree;
    struct image_counts counts = {map_count (&tree->znodes), map_count (&tree->sessions),
                                  tree->result_count};
    struct buf end = {0};
    image_put_end (&end, &counts, tree_digest (tree));
    bool fed = tree_loader_feed (loader, end.data, end.size);
    buf_deinit (&end);
    return fed;
}

/* NULL: refused. */
static struct tree *load (const uint8_t *data, size_t size, size_t piece, bool repair)
{
    struct tree_options options = {.hash_seed = 1, .effects_bytes_max = 20000};
    struct tree_loader *loader = tree_loader_new (&options);
    COHORT_ASSERT (loader != NULL);
    bool fed = feed (loader, data, size, piece);
    if (fed && repair && loader->stage == STAGE_OBJECTS) {
        fed = feed_end (loader);
    }
    if (!fed) {
        /* Once refused, always refused. */
        COHORT_ASSERT (!tree_loader_feed (loader, data, size));
        tree_loader_destroy (&loader);
        return NULL;
    }
    while (tree_loader_settle (loader, FEW_OBJECTS)) {
    }
    bool whole = tree_loader_whole (loader);
    struct tree *tree = tree_loader_release (&loader);
    if (!whole) {
        tree_destroy (&tree);
    }
    return tree;
}

/* ---- What a sound state can do --------------------------------------------------------------- */

static void check_saved (struct tree *tree)
{
    struct buf image = {0};
    struct tree_snapshot *snapshot = tree_snapshot_begin (tree);
    COHORT_ASSERT (snapshot != NULL);
    while (tree_snapshot_next (snapshot, &image, 500)) {
    }
    COHORT_ASSERT (!image.failed);
    tree_snapshot_end (&snapshot);
    struct tree *again = load (image.data, image.size, image.size, false);
    COHORT_ASSERT (again != NULL);
    COHORT_ASSERT (tree_digest (again) == tree_digest (tree));
    tree_destroy (&again);
    buf_deinit (&image);
}

static void apply (struct tree *tree, const struct entry *entry, const struct op *op)
{
    struct buf bytes = {0};
    struct tree_outcome outcome;
    entry_encode (&bytes, entry);
    if (op != NULL) {
        op_encode (&bytes, op);
    }
    COHORT_ASSERT (tree_apply (tree, tree_zxid (tree) + 1, 0, bytes.data, bytes.size, &outcome));
    buf_deinit (&bytes);
}

/* Every session writes once more, and ends; nothing of them is left. */
static void use (struct tree *tree)
{
    static const struct op op = {.kind = OP_CREATE, .path = "/x", .path_size = 2, .mode = 3};
    struct tree_session session;
    for (uint64_t id = 0; tree_session_next (tree, id, &session); id = session.id) {
        struct entry write = {.kind = ENTRY_WRITE,
                              .u.write = {.session = session.id,
                                          .incarnation = session.incarnation,
                                          .number = session.last_number + 1,
                                          .count = 1}};
        apply (tree, &write, &op);
    }
    for (int i = 0; tree_session_next (tree, 0, &session); i++) {
        struct entry close = {.kind = ENTRY_CLOSE,
                              .u.close = {.session = session.id, .reason = ENTRY_KILLED}};
        struct entry reap = {.kind = ENTRY_REAP, .u.reap = {session.id}};
        COHORT_ASSERT (i < ENTRIES_MAX);
        apply (tree, session.dead ? &reap : &close, NULL);
    }
    tree_check (tree);
}

static void one (const uint8_t *data, size_t size)
{
    if (size < 2) {
        return;
    }
    bool repair = (data[0] & REPAIR) != 0;
    struct tree *whole = load (data + 2, size - 2, size, repair);
    struct tree *pieces = load (data + 2, size - 2, 1 + (size_t) data[1], repair);
    COHORT_ASSERT ((whole == NULL) == (pieces == NULL));
    if (whole != NULL) {
        tree_check (whole);
        COHORT_ASSERT (tree_digest (whole) == tree_digest (pieces));
        check_saved (whole);
        /* There is no place behind the last zxid, and nothing to do without a cluster. */
        if (tree_zxid (whole) < INT64_MAX - ENTRIES_MAX && tree_level (whole) > 0) {
            use (whole);
        }
        tree_destroy (&whole);
        tree_destroy (&pieces);
    }
}

/* ---- Seeds ----------------------------------------------------------------------------------- */

static void write_op (struct tree *tree, uint64_t id, struct op op)
{
    struct tree_session session;
    COHORT_ASSERT (tree_session (tree, id, &session));
    struct entry write = {.kind = ENTRY_WRITE,
                          .u.write = {.session = id,
                                      .incarnation = 1,
                                      .number = session.last_number + 1,
                                      .ack_to = session.last_number / 2,
                                      .count = 1}};
    op.path_size = (uint32_t) strlen (op.path);
    apply (tree, &write, &op);
}

/* A state with something of everything. */
static struct tree *build (void)
{
    struct tree *tree = tree_new (NULL);
    struct entry cluster = {.kind = ENTRY_CLUSTER};
    cluster.u.cluster.config.count = 1;
    cluster.u.cluster.config.members[0] = (struct config_member){1, CONFIG_VOTER, 11};
    cluster.u.cluster.limits = (struct entry_limits){1000, 1000, 8, 10000, 1, 10000, 1};
    apply (tree, &cluster, NULL);
    for (uint8_t i = 1; i <= 2; i++) {
        struct entry create = {.kind = ENTRY_CREATE_SESSION,
                               .u.create_session = {.nonce = {i}, .timeout_ms = 1000}};
        apply (tree, &create, NULL);
    }
    write_op (tree, 1, (struct op){.kind = OP_CREATE, .path = "/a"});
    write_op (tree, 1, (struct op){.kind = OP_CREATE, .path = "/a/b"});
    write_op (tree, 2, (struct op){.kind = OP_CREATE, .path = "/a/e", .mode = 1});
    write_op (tree, 2, (struct op){.kind = OP_CREATE, .path = "/a/n-", .mode = 3});
    write_op (tree, 2,
              (struct op){.kind = OP_SET,
                          .path = "/a",
                          .data = (const uint8_t *) "data",
                          .data_size = 4,
                          .version = -1});
    return tree;
}

static void seeds (fuzz_seed_fn *add, void *arg)
{
    struct tree *tree = build ();
    struct buf out = {0};
    buf_u8 (&out, 0);
    buf_u8 (&out, 9);
    struct tree_snapshot *snapshot = tree_snapshot_begin (tree);
    while (tree_snapshot_next (snapshot, &out, 500)) {
    }
    tree_snapshot_end (&snapshot);
    COHORT_ASSERT (!out.failed);
    add (arg, "whole", out.data, out.size);
    /* Without the record at the end, which has 4 + 1 + 4 * 8 bytes. */
    out.data[0] = REPAIR;
    add (arg, "without-end", out.data, out.size - 37);
    buf_deinit (&out);
    tree_destroy (&tree);
}

const struct fuzz_target fuzz_target = {
    .name = "image",
    .size_max = 4096,
    .one = one,
    .seeds = seeds,
};

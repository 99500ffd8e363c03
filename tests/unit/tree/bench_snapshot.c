/* What snapshots cost the thread that takes or installs them: not a test.
 *
 *     bench-snapshot [znodes]        1,000,000 by default, 100 bytes of data each
 *
 * A tenth of the znodes are ephemerals, ten of a session.  Prints, for each kind of work that is
 * done in slices, how many there were and the processor time of the longest: what others do on the
 * machine does not count. */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/base/buf.h"
#include "client/base/prng.h"
#include "server/tree/tree.h"

enum { CHILDREN = 1000, EPHEMERALS = 10, DATA_SIZE = 100, DATA_ROOM = 200 };

struct bench {
    struct tree *tree;
    zxid_t zxid;
    uint64_t count; /* of znodes */
    struct buf entry;
    struct prng prng;
};

/* Slices of one kind. */
struct slices {
    const char *name;
    double begun, sum, longest;
    uint64_t count;
};

static double now_ns (void)
{
    struct timespec time;
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
    return (double) time.tv_sec * 1e9 + (double) time.tv_nsec;
}

static void slice_begin (struct slices *self)
{
    self->begun = now_ns ();
}

static void slice_end (struct slices *self)
{
    double time = now_ns () - self->begun;
    self->sum += time;
    self->longest = time > self->longest ? time : self->longest;
    self->count++;
}

static void slices_print (const struct slices *self)
{
    printf ("%-36s %8llu slices, %7.0f ms in all, longest %7.3f ms\n", self->name,
            (unsigned long long) self->count, self->sum / 1e6, self->longest / 1e6);
}

/* ---- The state --------------------------------------------------------------------------- */

static void apply (struct bench *bench, struct tree_outcome *outcome)
{
    bench->zxid++;
    if (!tree_apply (bench->tree, bench->zxid, (int64_t) (bench->zxid & 0xffffffff),
                     bench->entry.data, bench->entry.size, outcome) ||
        outcome->code != 0) {
        fprintf (stderr, "an entry failed: %d\n", outcome->code);
        exit (1);
    }
    buf_clear (&bench->entry);
}

static uint64_t session_new (struct bench *bench, uint64_t i)
{
    struct tree_outcome outcome;
    struct entry entry = {.kind = ENTRY_CREATE_SESSION};
    memcpy (entry.u.create_session.nonce, &i, sizeof i);
    entry_encode (&bench->entry, &entry);
    apply (bench, &outcome);
    return outcome.session;
}

static void write_op (struct bench *bench, uint64_t session, uint64_t number, const struct op *op)
{
    struct tree_outcome outcome;
    struct entry entry = {.kind = ENTRY_WRITE};
    entry.u.write = (struct entry_write){
        .session = session,
        .incarnation = 1,
        .number = number,
        .ack_to = number - 1,
        .count = 1,
    };
    entry_encode (&bench->entry, &entry);
    op_encode (&bench->entry, op);
    apply (bench, &outcome);
}

/* Something like what people keep: a record with addresses and numbers. */
static uint32_t make_data (struct bench *bench, char data[DATA_ROOM])
{
    int size = snprintf (
        data, DATA_ROOM,
        "{\"host\":\"10.%u.%u.%u\",\"port\":%u,\"players\":%u,\"map\":\"%08llx\","
        "\"mode\":\"ranked\",\"version\":\"1.%u.%u\"                            ",
        (unsigned) prng_below (&bench->prng, 256), (unsigned) prng_below (&bench->prng, 256),
        (unsigned) prng_below (&bench->prng, 256), (unsigned) prng_below (&bench->prng, 65536),
        (unsigned) prng_below (&bench->prng, 64),
        (unsigned long long) prng_below (&bench->prng, UINT32_MAX),
        (unsigned) prng_below (&bench->prng, 10), (unsigned) prng_below (&bench->prng, 100));
    return size < DATA_SIZE ? (uint32_t) size : DATA_SIZE;
}

static void create (struct bench *bench, uint64_t session, uint64_t number, const char *path,
                    int mode)
{
    char data[DATA_ROOM];
    struct op op = {.kind = OP_CREATE,
                    .path = path,
                    .path_size = (uint32_t) strlen (path),
                    .data = (const uint8_t *) data,
                    .mode = (uint8_t) mode};
    op.data_size = make_data (bench, data);
    write_op (bench, session, number, &op);
}

static void build (struct bench *bench)
{
    char path[64];
    struct tree_outcome outcome;
    struct entry entry = {.kind = ENTRY_CLUSTER};
    entry.u.cluster.config.count = 1;
    entry.u.cluster.config.members[0] = (struct config_member){1, CONFIG_VOTER, 1};
    entry.u.cluster.limits = (struct entry_limits){1 << 20, 4096, 1024, 1 << 20, 1, 100000, 1};
    entry_encode (&bench->entry, &entry);
    apply (bench, &outcome);
    uint64_t writer = session_new (bench, 1);
    uint64_t number = 0, owner = writer, owned = 0;
    for (uint64_t i = 0; i < bench->count; i++) {
        uint64_t parent = i / CHILDREN;
        if (i % CHILDREN == 0) {
            snprintf (path, sizeof path, "/lobby-%llu", (unsigned long long) parent);
            create (bench, writer, ++number, path, COHORT_PERSISTENT);
            continue;
        }
        snprintf (path, sizeof path, "/lobby-%llu/room-%08llx", (unsigned long long) parent,
                  (unsigned long long) (i * UINT64_C (0x9e3779b1) & UINT32_MAX));
        if (i % EPHEMERALS != 1) {
            create (bench, writer, ++number, path, COHORT_PERSISTENT);
            continue;
        }
        if (owned == EPHEMERALS || owner == writer) {
            owner = session_new (bench, i);
            owned = 0;
        }
        create (bench, owner, ++owned, path, COHORT_EPHEMERAL);
    }
}

/* ---- Taking ------------------------------------------------------------------------------ */

static void take (struct bench *bench, size_t budget, struct buf *image)
{
    char name[64];
    snprintf (name, sizeof name, "taking, %zu KiB a slice", budget >> 10);
    struct slices slices = {.name = name};
    struct buf out = {0};
    struct tree_snapshot *snapshot = tree_snapshot_begin (bench->tree);
    buf_clear (image);
    for (bool more = true; more;) {
        slice_begin (&slices);
        buf_clear (&out);
        more = tree_snapshot_next (snapshot, &out, budget);
        slice_end (&slices);
        buf_append (image, out.data, out.size);
    }
    tree_snapshot_end (&snapshot);
    buf_deinit (&out);
    slices_print (&slices);
}

/* ---- Installing -------------------------------------------------------------------------- */

static struct tree *load (const struct buf *image, size_t piece, size_t objects)
{
    char names[2][64];
    snprintf (names[0], sizeof names[0], "loading, %zu KiB a slice", piece >> 10);
    snprintf (names[1], sizeof names[1], "settling, %zu objects a slice", objects);
    struct slices feeding = {.name = names[0]};
    struct slices settling = {.name = names[1]};
    struct tree_loader *loader = tree_loader_new (NULL);
    bool ok = true;
    for (size_t at = 0; ok && at < image->size; at += piece) {
        size_t left = image->size - at;
        slice_begin (&feeding);
        ok = tree_loader_feed (loader, image->data + at, left < piece ? left : piece);
        slice_end (&feeding);
    }
    for (bool more = ok; more;) {
        slice_begin (&settling);
        more = tree_loader_settle (loader, objects);
        slice_end (&settling);
    }
    if (!tree_loader_whole (loader)) {
        fprintf (stderr, "the snapshot does not load\n");
        exit (1);
    }
    slices_print (&feeding);
    slices_print (&settling);
    return tree_loader_release (&loader);
}

static void dismantle (struct tree *tree, size_t objects)
{
    char name[64];
    snprintf (name, sizeof name, "dismantling, %zu objects a slice", objects);
    struct slices slices = {.name = name};
    for (bool more = true; more;) {
        slice_begin (&slices);
        more = tree_dismantle (&tree, objects);
        slice_end (&slices);
    }
    slices_print (&slices);
}

int main (int argc, char **argv)
{
    struct bench bench = {.count = argc > 1 ? strtoull (argv[1], NULL, 10) : 1000000};
    struct buf image = {0};
#ifdef __GLIBC__
    /* As cohortd does. */
    (void) mallopt (M_TRIM_THRESHOLD, -1);
    (void) mallopt (M_TOP_PAD, 64 << 20);
    (void) mallopt (M_MXFAST, 0);
#endif
    prng_seed (&bench.prng, 1);
    bench.tree = tree_new (NULL);
    bench.zxid = zxid_make (1, 0);
    build (&bench);
    for (size_t budget = 256 << 10; budget >= 32 << 10; budget /= 2) {
        take (&bench, budget, &image);
    }
    printf ("%.1f MiB, %llu znodes\n", (double) image.size / (1 << 20),
            (unsigned long long) tree_node_count (bench.tree));
    for (size_t piece = 64 << 10; piece >= 16 << 10; piece /= 2) {
        dismantle (load (&image, piece, piece / 32), piece / 32);
    }
    dismantle (bench.tree, 1000);
    buf_deinit (&image);
    buf_deinit (&bench.entry);
    return 0;
}

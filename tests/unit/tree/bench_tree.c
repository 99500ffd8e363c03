/* What the operations of the tree cost: not a test.
 *
 *     bench-tree [znodes]        1,000,000 by default, 100 bytes of data each
 *
 * Prints nanoseconds and bytes; entries are encoded outside of what is measured. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/base/buf.h"
#include "client/base/prng.h"
#include "server/tree/tree.h"
#include "server/tree/watch.h"

#define DATA_SIZE 100
#define BATCH     1000

static uint8_t data[DATA_SIZE];

struct bench {
    struct tree *tree;
    zxid_t zxid;
    uint64_t session, number;
    uint64_t count; /* of znodes */
    struct buf entries[BATCH];
    struct prng prng;
};

static double now_ns (void)
{
    struct timespec time;
    /* What others do on the machine does not count. */
    clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double) time.tv_sec * 1e9 + (double) time.tv_nsec;
}

static double resident_bytes (void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen ("/proc/self/statm", "r");
    if (file == NULL || fscanf (file, "%ld %ld", &pages, &resident) != 2) {
        resident = 0;
    }
    if (file != NULL) {
        fclose (file);
    }
    return (double) resident * (double) sysconf (_SC_PAGESIZE);
}

static void apply (struct bench *bench, const struct buf *entry)
{
    struct tree_outcome outcome;
    bench->zxid++;
    if (!tree_apply (bench->tree, bench->zxid, (int64_t) (bench->zxid & 0xffffffff), entry->data,
                     entry->size, &outcome) ||
        outcome.code != 0) {
        fprintf (stderr, "an entry failed: %d\n", outcome.code);
        exit (1);
    }
    if (outcome.kind == ENTRY_CREATE_SESSION) {
        bench->session = outcome.session;
    }
}

static void found (struct bench *bench)
{
    struct entry entry = {.kind = ENTRY_CLUSTER};
    entry.u.cluster.config.count = 1;
    entry.u.cluster.config.members[0] = (struct config_member){1, CONFIG_VOTER, 1};
    entry.u.cluster.limits = (struct entry_limits){1 << 20, 4096, 1024, 1 << 20, 1, 100000, 1};
    struct buf out = {0};
    entry_encode (&out, &entry);
    apply (bench, &out);
    buf_clear (&out);
    entry = (struct entry){.kind = ENTRY_CREATE_SESSION};
    entry_encode (&out, &entry);
    apply (bench, &out);
    buf_deinit (&out);
}

static void encode (struct bench *bench, struct buf *out, struct op *op, const char *path)
{
    bench->number++;
    struct entry entry = {.kind = ENTRY_WRITE};
    /* A client acknowledges some 100 behind. */
    entry.u.write = (struct entry_write){
        .session = bench->session,
        .incarnation = 1,
        .number = bench->number,
        .ack_to = bench->number > 100 ? bench->number - 100 : 0,
        .count = 1,
    };
    op->path = path;
    op->path_size = (uint32_t) strlen (path);
    buf_clear (out);
    entry_encode (out, &entry);
    op_encode (out, op);
}

static double apply_batch (struct bench *bench, size_t count)
{
    double begin = now_ns ();
    for (size_t i = 0; i < count; i++) {
        apply (bench, &bench->entries[i]);
    }
    return now_ns () - begin;
}

/* Children of "/bench", in a random order if `shuffled`. */
static void path_of (char *path, uint64_t i, uint64_t count, int shuffled)
{
    if (shuffled) {
        i = i * UINT64_C (7919) % count;
    }
    snprintf (path, 64, "/bench/n%08llu", (unsigned long long) i);
}

static void fill (struct bench *bench, int shuffled)
{
    char path[64];
    struct op op = {.kind = OP_CREATE};
    encode (bench, &bench->entries[0], &op, "/bench");
    apply_batch (bench, 1);
    double before = resident_bytes (), spent = 0, slowest = 0;
    op.data = data;
    op.data_size = DATA_SIZE;
    for (uint64_t i = 0; i < bench->count; i += BATCH) {
        for (size_t k = 0; k < BATCH; k++) {
            path_of (path, i + k, bench->count, shuffled);
            encode (bench, &bench->entries[k], &op, path);
        }
        double time = apply_batch (bench, BATCH);
        spent += time;
        slowest = time > slowest ? time : slowest;
    }
    double bytes = (resident_bytes () - before) / (double) bench->count;
    double ring = (double) (16 << 20) / (double) bench->count;
    printf ("create %s: %.0f ns each, slowest 1,000 %.2f ms; %.0f bytes each, %.0f without the "
            "effects ring\n",
            shuffled ? "in random order" : "in order", spent / (double) bench->count, slowest / 1e6,
            bytes, bytes - ring);
}

static void set_random (struct bench *bench, const char *what)
{
    char path[64];
    struct op op = {.kind = OP_SET, .data = data, .data_size = DATA_SIZE, .version = -1};
    double spent = 0;
    for (int i = 0; i < 200; i++) {
        for (size_t k = 0; k < BATCH; k++) {
            path_of (path, prng_below (&bench->prng, bench->count), bench->count, 0);
            encode (bench, &bench->entries[k], &op, path);
        }
        spent += apply_batch (bench, BATCH);
    }
    printf ("set %s: %.0f ns\n", what, spent / 200 / BATCH);
}

static void set_one (struct bench *bench)
{
    struct op op = {.kind = OP_SET, .data = data, .data_size = DATA_SIZE, .version = -1};
    double spent = 0;
    for (int i = 0; i < 200; i++) {
        for (size_t k = 0; k < BATCH; k++) {
            encode (bench, &bench->entries[k], &op, "/bench/n00000000");
        }
        spent += apply_batch (bench, BATCH);
    }
    printf ("set of one znode: %.0f ns\n", spent / 200 / BATCH);
}

static void get (struct bench *bench)
{
    static char paths[BATCH][64];
    double spent = 0;
    uint64_t sum = 0;
    for (int i = 0; i < 500; i++) {
        for (size_t k = 0; k < BATCH; k++) {
            path_of (paths[k], prng_below (&bench->prng, bench->count), bench->count, 0);
        }
        double begin = now_ns ();
        for (size_t k = 0; k < BATCH; k++) {
            struct tree_node node;
            if (tree_get (bench->tree, paths[k], strlen (paths[k]), &node) != 0) {
                exit (1);
            }
            sum += node.data[0];
        }
        spent += now_ns () - begin;
    }
    printf ("get at random: %.0f ns%s\n", spent / 500 / BATCH, sum == 1 ? " " : "");
}

static const struct tree_list all;
static struct tree_name next;

static bool count_child (void *arg, const struct tree_child *child)
{
    (void) child;
    ++*(uint64_t *) arg;
    return true;
}

static bool count_node (void *arg, const struct tree_node *node)
{
    (void) node;
    ++*(uint64_t *) arg;
    return true;
}

static void list (struct bench *bench)
{
    for (int i = 0; i < 2; i++) {
        uint64_t count = 0;
        double begin = now_ns ();
        (void) tree_children (bench->tree, "/bench", 6, &all, count_child, &count, &next);
        printf ("list of %llu children, %s time: %.1f ms\n", (unsigned long long) count,
                i == 0 ? "first" : "second", (now_ns () - begin) / 1e6);
    }
    uint64_t count = 0;
    double begin = now_ns ();
    (void) tree_walk (bench->tree, "/", 1, NULL, count_node, &count);
    printf ("walk of %llu znodes: %.1f ms\n", (unsigned long long) count,
            (now_ns () - begin) / 1e6);
}

/* Slices between batches of writes, as the node does it. */
static void snapshot (struct bench *bench, struct buf *image)
{
    char path[64];
    struct op op = {.kind = OP_SET, .data = data, .data_size = DATA_SIZE, .version = -1};
    struct tree_snapshot *snapshot = tree_snapshot_begin (bench->tree);
    double spent = 0, slowest = 0, writes = 0;
    uint64_t count = 0;
    buf_reserve (image, (size_t) bench->count * 250);
    for (bool more = true; more;) {
        double begin = now_ns ();
        more = tree_snapshot_next (snapshot, image, 256 << 10);
        double time = now_ns () - begin;
        spent += time;
        slowest = time > slowest ? time : slowest;
        for (size_t k = 0; k < 100; k++) {
            path_of (path, prng_below (&bench->prng, bench->count), bench->count, 0);
            encode (bench, &bench->entries[k], &op, path);
        }
        writes += apply_batch (bench, 100);
        count += 100;
    }
    tree_snapshot_end (&snapshot);
    printf ("snapshot of %.0f MiB: %.0f ms in slices of 256 KiB, slowest %.2f ms; sets meanwhile "
            "%.0f ns\n",
            (double) image->size / (1 << 20), spent / 1e6, slowest / 1e6, writes / (double) count);
}

static void load (const struct buf *image)
{
    double begin = now_ns ();
    struct tree_loader *loader = tree_loader_new (NULL);
    bool ok = true;
    for (size_t at = 0; ok && at < image->size; at += 1 << 20) {
        size_t left = image->size - at;
        ok = tree_loader_feed (loader, image->data + at, left < 1 << 20 ? left : 1 << 20);
        if (at == 0) {
            tree_loader_expect (loader, image->size); /* as a start does it */
        }
    }
    struct tree *tree = tree_loader_finish (&loader);
    if (tree == NULL) {
        fprintf (stderr, "the snapshot does not load\n");
        exit (1);
    }
    printf ("load: %.0f ms\n", (now_ns () - begin) / 1e6);
    uint64_t count = 0;
    begin = now_ns ();
    (void) tree_children (tree, "/bench", 6, &all, count_child, &count, &next);
    printf ("first list after it: %.0f ms\n", (now_ns () - begin) / 1e6);
    tree_destroy (&tree);
}

static void delete_all (struct bench *bench)
{
    char path[64];
    struct op op = {.kind = OP_DELETE, .version = -1};
    double spent = 0;
    for (uint64_t i = 0; i < bench->count; i += BATCH) {
        for (size_t k = 0; k < BATCH; k++) {
            path_of (path, i + k, bench->count, 1);
            encode (bench, &bench->entries[k], &op, path);
        }
        spent += apply_batch (bench, BATCH);
    }
    printf ("delete in random order: %.0f ns\n", spent / (double) bench->count);
}

int main (int argc, char **argv)
{
    struct bench bench = {.count = argc > 1 ? strtoull (argv[1], NULL, 10) : 1000000};
    bench.count = bench.count / BATCH * BATCH;
    memset (data, 'x', sizeof (data));
    prng_seed (&bench.prng, 1);
    for (int shuffled = 0; shuffled < 2; shuffled++) {
        bench.tree = tree_new (NULL);
        bench.zxid = zxid_make (1, 0);
        bench.number = 0;
        found (&bench);
        fill (&bench, shuffled);
        list (&bench);
        get (&bench);
        set_random (&bench, "at random");
        if (shuffled) {
            set_one (&bench);
            struct buf image = {0};
            snapshot (&bench, &image);
            load (&image);
            buf_deinit (&image);
            delete_all (&bench);
        }
        tree_destroy (&bench.tree);
    }
    for (size_t i = 0; i < BATCH; i++) {
        buf_deinit (&bench.entries[i]);
    }
    return 0;
}

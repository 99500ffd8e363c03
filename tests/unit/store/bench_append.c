/*
 *  tests/unit/store/bench_append.c - how fast the store appends; not a test
 *
 *      bench-store-append [folder] [batches]
 *
 *  Entries of 100 bytes in batches of 64: one batch at a time (each waits for its fdatasync), then
 *  with up to 16 batches under way (group commit), also while snapshots of 256 MiB are written, in
 *  a folder and in memory; then opening again.
 */
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "server/store/store.h"
#include "tests/unit/store/folder.h"

enum { ENTRY_BYTES = 100, BATCH = 64, UNDER_WAY = 16, SNAPSHOT_BYTES = 256 << 20 };

static sem_t woken;
static struct zab_point last;
static uint64_t number;

static void notify (void *arg)
{
    (void) arg;
    (void) sem_post (&woken);
}

static double now (void)
{
    struct timespec time;
    (void) clock_gettime (CLOCK_MONOTONIC, &time);
    return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static int compare (const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return x < y ? -1 : x > y;
}

static struct store *open_store (const char *folder)
{
    struct store_options options = {.server_id = 1, .store_id = 2};
    struct store *store;
    char error[256];
    if (folder == NULL) {
        options.disk = memory_disk_new ();
    } else if (posix_disk_new (folder, &options.disk) != 0) {
        fprintf (stderr, "%s: cannot be opened\n", folder);
        exit (1);
    }
    if (store_open (&options, &store, error, sizeof error) != 0) {
        fprintf (stderr, "%s\n", error);
        exit (1);
    }
    return store;
}

static double submit (struct store *store)
{
    static uint8_t data[ENTRY_BYTES] = "0123456789";
    struct zab_entry entries[BATCH];
    for (int i = 0; i < BATCH; i++) {
        last.zxid = last.zxid == 0 ? zxid_make (1, 1) : last.zxid + 1;
        last.chain = last.chain * 31 + 1;
        entries[i] = (struct zab_entry){
            .zxid = last.zxid,
            .chain = last.chain,
            .data = data,
            .size = sizeof data,
        };
    }
    struct zab_persist persist = {
        .number = ++number,
        .entries = entries,
        .entries_count = BATCH,
    };
    double start = now ();
    store_persist (store, &persist);
    return now () - start;
}

/*  One snapshot after the other, fed as fast as the disk takes it.  Returns how many are done. */
static int feed_snapshot (struct store *store, struct store_writer **writer, uint64_t *fed)
{
    static uint8_t piece[64 << 10] = "snapshot";
    if (*writer == NULL) {
        *fed = 0;
        if (store_writer_new (store, last, 0, writer) != 0) {
            exit (1);
        }
    }
    while (*fed < SNAPSHOT_BYTES && store_writer_pending (*writer) < 2 * sizeof piece) {
        store_writer_append (*writer, piece, sizeof piece);
        *fed += sizeof piece;
        if (*fed == SNAPSHOT_BYTES) {
            store_writer_finish (*writer, false);
        }
    }
    if (store_writer_state (*writer) != 1) {
        return 0;
    }
    store_writer_destroy (writer);
    struct zab_point base;
    int64_t stamp_ms;
    (void) store_compacted (store, &base, &stamp_ms);
    return 1;
}

static void measure (struct store *store, const char *name, int batches, int under_way,
                     bool snapshots)
{
    double *begun = mem_calloc ((size_t) batches, sizeof *begun);
    double *taken = mem_calloc ((size_t) batches, sizeof *taken);
    struct store_thread *thread;
    COHORT_ASSERT (begun != NULL && taken != NULL);
    if (store_thread_start (store, notify, NULL, &thread) != 0) {
        exit (1);
    }
    struct store_writer *writer = NULL;
    uint64_t fed = 0;
    int submitted = 0, done = 0, snapshots_done = 0;
    uint64_t base = number;
    double start = now (), owner = 0;
    while (done < batches) {
        while (submitted < batches && submitted - done < under_way) {
            begun[submitted++] = now ();
            owner += submit (store);
        }
        if (snapshots) {
            snapshots_done += feed_snapshot (store, &writer, &fed);
        }
        (void) sem_wait (&woken);
        double time = now ();
        while (base + (uint64_t) done < store_completed (store)) {
            taken[done] = time - begun[done];
            done++;
        }
    }
    double elapsed = now () - start;
    store_thread_stop (&thread);
    store_writer_destroy (&writer);
    if (snapshots) {
        printf ("%-28s %d snapshots of %d MiB meanwhile\n", "", snapshots_done,
                SNAPSHOT_BYTES >> 20);
    }
    qsort (taken, (size_t) batches, sizeof *taken, compare);
    printf ("%-28s %9.0f entries/s  batch: median %6.3f ms, p99 %7.3f, p99.9 %7.3f, max %7.3f;"
            "  owner %4.0f ns an entry\n",
            name, batches * (double) BATCH / elapsed, taken[batches / 2] * 1e3,
            taken[batches * 99 / 100] * 1e3, taken[batches * 999LL / 1000] * 1e3,
            taken[batches - 1] * 1e3, owner * 1e9 / batches / BATCH);
    mem_free (begun);
    mem_free (taken);
}

static void read_all (struct store *store, double opened)
{
    struct zab_entry entries[256];
    struct zab_point base;
    int64_t stamp_ms;
    store_base (store, &base, &stamp_ms);
    zxid_t after = base.zxid;
    size_t count, all = 0;
    double start = now ();
    while ((count = store_read (store, after, UINT64_MAX, 1 << 20, entries, 256)) > 0) {
        after = entries[count - 1].zxid;
        all += count;
    }
    printf ("%-28s %.3f s for %zu entries; reading them all: %.3f s\n", "opening", opened, all,
            now () - start);
}

int main (int argc, char **argv)
{
    char own[FOLDER_SIZE];
    const char *folder = argc > 1 ? argv[1] : own;
    int batches = argc > 2 ? (int) strtol (argv[2], NULL, 10) : 2000;
    if (argc <= 1) {
        folder_make (own);
    }
    (void) sem_init (&woken, 0, 0);
    struct store *store = open_store (folder);
    measure (store, "files, one at a time", batches, 1, false);
    measure (store, "files, 16 under way", 8 * batches, UNDER_WAY, false);
    measure (store, "files, 2 under way", 4 * batches, 2, false);
    measure (store, "files, 2, and snapshots", 4 * batches, 2, true);
    store_close (&store);
    double start = now ();
    store = open_store (folder);
    read_all (store, now () - start);
    store_close (&store);
    last = (struct zab_point){.zxid = 0};
    store = open_store (NULL);
    measure (store, "memory, one at a time", batches, 1, false);
    measure (store, "memory, 16 under way", 8 * batches, UNDER_WAY, false);
    store_close (&store);
    if (argc <= 1) {
        folder_remove (own);
    }
    return 0;
}

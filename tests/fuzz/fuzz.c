/* fuzz.c: see fuzz.h. */

#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"

enum { PATH_SIZE = 1024 };

/* What this input has cost so far; a target is one thread. */
static uint64_t memory_total;

static void measure (void *memory, int count)
{
    memory_total += count > 0 ? malloc_usable_size (memory) : 0;
}

void fuzz_run (const uint8_t *data, size_t size)
{
    size = size < fuzz_target.size_max ? size : fuzz_target.size_max;
    memory_total = 0;
    mem_watch (measure);
    fuzz_target.one (data, size);
    mem_watch (NULL);
    uint64_t allowed = fuzz_target.memory_base + fuzz_target.memory_factor * size;
    if (allowed > 0 && memory_total > allowed) {
        fprintf (stderr,
                 "%s: an input of %zu bytes costs %" PRIu64 " bytes of memory; %" PRIu64
                 " are allowed\n",
                 fuzz_target.name, size, memory_total, allowed);
        abort ();
    }
}

/* ---- Seeds as files -------------------------------------------------------------------------- */

struct writing {
    const char *folder;
    bool failed;
};

static bool write_file (const char *path, const void *data, size_t size)
{
    FILE *file = fopen (path, "wb");
    if (file == NULL) {
        return false;
    }
    bool written = size == 0 || fwrite (data, 1, size, file) == size;
    return fclose (file) == 0 && written;
}

static void write_seed (void *arg, const char *name, const void *data, size_t size)
{
    struct writing *writing = arg;
    char path[PATH_SIZE];
    int length = snprintf (path, sizeof (path), "%s/%s", writing->folder, name);
    if (length < 0 || (size_t) length >= sizeof (path) || !write_file (path, data, size)) {
        fprintf (stderr, "%s: cannot write %s/%s: %s\n", fuzz_target.name, writing->folder, name,
                 strerror (errno));
        writing->failed = true;
    }
}

bool fuzz_write_seeds (const char *folder)
{
    struct writing writing = {.folder = folder};
    fuzz_target.seeds (write_seed, &writing);
    return !writing.failed;
}

/* ---- Structure out of bytes ------------------------------------------------------------------ */

uint32_t fuzz_below (struct reader *input, uint32_t bound)
{
    COHORT_ASSERT (bound > 0);
    if (bound <= 256) {
        return reader_u8 (input) % bound;
    }
    return (bound <= 65536 ? reader_u16 (input) : reader_u32 (input)) % bound;
}

bool fuzz_one_in (struct reader *input, uint32_t n)
{
    return fuzz_below (input, n) == n - 1 && n > 1;
}

uint64_t fuzz_number (struct reader *input)
{
    uint8_t kind = reader_u8 (input);
    switch (kind >> 5) {
    case 5:
        return reader_u16 (input);
    case 6:
        return reader_u64 (input);
    case 7:
        /* Powers of two, and what lies beside them. */
        return (UINT64_C (1) << (reader_u8 (input) & 63)) + (kind & 3) - 2;
    default:
        return kind;
    }
}

const uint8_t *fuzz_bytes (struct reader *input, size_t size_max, size_t *size)
{
    size_t wanted = reader_u8 (input);
    if (wanted == 255) {
        wanted = reader_u16 (input);
    }
    size_t left = reader_left (input);
    wanted = wanted < size_max ? wanted : size_max;
    *size = wanted < left ? wanted : left;
    const uint8_t *bytes = reader_bytes (input, *size);
    return bytes != NULL ? bytes : (const uint8_t *) "";
}

/* Messages of a shared connection: any bytes. What is taken is written again as it came, each of
 * its letters lies inside it, and there are no more than the limit. */

#include "client/base/bundle.h"
#include "tests/fuzz/fuzz.h"

static void one (const uint8_t *data, size_t size)
{
    struct reader reader;
    struct letter letter;
    struct bundle again = {.letters = 0};
    struct buf all = {0};
    size_t letters, count = 0;
    if (!bundle_open (&reader, data, size, &letters)) {
        return;
    }
    COHORT_ASSERT (bundle_marked (data, size));
    COHORT_ASSERT (letters >= 1);
    COHORT_ASSERT (letters <= BUNDLE_LETTERS_MAX);
    buf_u8 (&all, BUNDLE_MARK);
    while (bundle_next (&reader, &letter)) {
        count++;
        COHORT_ASSERT (letter.channel != BUNDLE_BARE);
        COHORT_ASSERT (letter.data >= data + BUNDLE_OVERHEAD);
        COHORT_ASSERT (letter.data + letter.size <= data + size);
        /* Whoever wrote it may have gone on where we would have sent. */
        bundle_clear (&again);
        bundle_put (&again, letter.channel, letter.data, letter.size);
        uint8_t head[BUNDLE_OVERHEAD];
        bundle_head (head, letter.channel, letter.size);
        COHORT_ASSERT (memcmp (again.buf.data, head, sizeof (head)) == 0);
        buf_append (&all, again.buf.data + 1, again.buf.size - 1);
    }
    COHORT_ASSERT (count == letters);
    COHORT_ASSERT (all.size == size);
    COHORT_ASSERT (memcmp (all.data, data, size) == 0);
    bundle_deinit (&again);
    buf_deinit (&all);
}

static void seeds (fuzz_seed_fn *add, void *arg)
{
    struct bundle bundle = {.letters = 0};
    bundle_put (&bundle, 1, "frame", 5);
    add (arg, "one", bundle.buf.data, bundle.buf.size);
    bundle_put (&bundle, 2, NULL, 0);
    bundle_put (&bundle, UINT32_MAX, "another frame", 13);
    add (arg, "three", bundle.buf.data, bundle.buf.size);
    add (arg, "cut", bundle.buf.data, bundle.buf.size - 1);
    bundle_clear (&bundle);
    for (uint32_t i = 1; !bundle_full (&bundle); i++) {
        bundle_put (&bundle, i, "x", i % 2);
    }
    add (arg, "full", bundle.buf.data, bundle.buf.size);
    add (arg, "mark", "\0", 1);
    bundle_deinit (&bundle);
}

const struct fuzz_target fuzz_target = {
    .name = "bundle",
    .size_max = 16384,
    .memory_base = 4096,
    .memory_factor = 16,
    .one = one,
    .seeds = seeds,
};

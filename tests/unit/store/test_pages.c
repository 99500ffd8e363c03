/* Unit tests of store/pages.h. */

#include "server/store/pages.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "client/base/alloc.h"
#include "tests/unit/unit.h"

enum { PAGES = 64, LIMIT_S = 30 };

struct region {
    uint8_t *start;
    size_t page;
};

static struct region map_region (void)
{
    struct region region = {.page = (size_t) sysconf (_SC_PAGESIZE)};
    region.start = mmap (NULL, PAGES * region.page, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal (region.start, MAP_FAILED);
    return region;
}

static size_t count_present (const struct region *region, size_t from, size_t count)
{
    unsigned char present[PAGES];
    size_t sum = 0;
    assert_int_equal (mincore (region->start, PAGES * region->page, present), 0);
    for (size_t i = from; i < from + count; i++) {
        sum += present[i] & 1;
    }
    return sum;
}

/* Whether the kernel can do it at all. */
static bool is_supported (void)
{
    struct region region = map_region ();
    bool supported = madvise (region.start, region.page, 23) == 0; /* MADV_POPULATE_WRITE */
    munmap (region.start, PAGES * region.page);
    return supported;
}

/* All that lie in the block as a whole come, though nobody touches them, and no others; what was
 * written stays. */
static void test_pages_come (void **state)
{
    (void) state;
    if (!is_supported ()) {
        skip ();
    }
    struct region region = map_region ();
    uint8_t *written = region.start + 3 * region.page;
    *written = 77;
    struct pages *pages = pages_new ();
    assert_non_null (pages);
    pages_coming (pages, region.start + 1, (PAGES - 2) * region.page);
    time_t end = time (NULL) + LIMIT_S;
    while (count_present (&region, 1, PAGES - 3) < PAGES - 3 && time (NULL) < end) {
        sched_yield ();
    }
    assert_int_equal (count_present (&region, 1, PAGES - 3), PAGES - 3);
    assert_int_equal (count_present (&region, 0, 1), 0);
    assert_int_equal (count_present (&region, PAGES - 2, 2), 0);
    assert_int_equal (*written, 77);
    pages_destroy (&pages);
    assert_null (pages);
    munmap (region.start, PAGES * region.page);
}

/* A block that is gone when its turn comes, one that is smaller than a page, and none at all. */
static void test_ends_in_any_state (void **state)
{
    (void) state;
    for (int i = 0; i < 20; i++) {
        struct region region = map_region ();
        struct pages *pages = pages_new ();
        assert_non_null (pages);
        for (int k = 0; k < i; k++) {
            pages_coming (pages, region.start + 1, k % 2 == 0 ? 100 : PAGES * region.page - 1);
        }
        if (i % 2 == 0) {
            munmap (region.start, PAGES * region.page);
        }
        pages_destroy (&pages);
        if (i % 2 == 1) {
            munmap (region.start, PAGES * region.page);
        }
    }
    struct pages *none = NULL;
    pages_destroy (&none);
}

static void test_without_memory (void **state)
{
    (void) state;
    for (unsigned i = 1;; i++) {
        mem_fail_at (i);
        struct pages *pages = pages_new ();
        bool failed = mem_fail_clear ();
        assert_int_equal (pages == NULL, failed);
        pages_destroy (&pages);
        if (!failed) {
            return;
        }
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_pages_come),
        cmocka_unit_test (test_ends_in_any_state),
        cmocka_unit_test (test_without_memory),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

/*
 * server/tree/children.c - the children of a znode in order
 *
 * PURE.
 *
 * Names are compared by 8 of their bytes, those behind what all of them have in common, taken as a
 * number: a million names are in order after a fraction of a second.
 */
#include "server/tree/children.h"

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "server/tree/sort.h"

/* The 8 bytes from `at` on, the first being the highest.  A name that ends before is filled up
 * with zeroes, which occur in no name. */
static uint64_t key_of (const struct znode *znode, size_t at)
{
    uint64_t key = 0;
    for (size_t i = at; i < at + 8; i++) {
        key = key << 8 | (i < znode->name_size ? (uint8_t) znode->bytes[i] : 0u);
    }
    return key;
}

static size_t common_size (const struct znode *a, const struct znode *b, size_t max)
{
    max = a->name_size < max ? a->name_size : max;
    max = b->name_size < max ? b->name_size : max;
    size_t size = 0;
    while (size < max && a->bytes[size] == b->bytes[size]) {
        size++;
    }
    return size;
}

static int compare_names (const void *a, const void *b)
{
    return znode_compare_names (a, b);
}

bool children_sort (struct family *family)
{
    if (family->sorted) {
        return true;
    }
    size_t count = family->count;
    COHORT_ASSERT (count > 0);
    struct sort_item *items = mem_alloc (2 * count * sizeof (*items));
    if (items == NULL) {
        return false;
    }
    const struct znode *first = NULL;
    size_t common = 0;
    size_t i = 0;
    for (struct list_node *at = list_first (&family->children); at != NULL;
         at = list_next (&family->children, at)) {
        COHORT_ASSERT (i < count);
        struct znode *znode = list_entry (at, struct znode, sibling);
        common = first != NULL ? common_size (first, znode, common) : znode->name_size;
        first = first != NULL ? first : znode;
        items[i++].value = znode;
    }
    COHORT_ASSERT (i == count);
    for (i = 0; i < count; i++) {
        items[i].key = key_of (items[i].value, common);
    }
    sort_items (items, items + count, count, compare_names);
    list_init (&family->children);
    for (i = 0; i < count; i++) {
        struct znode *znode = items[i].value;
        list_node_init (&znode->sibling);
        list_push_back (&family->children, &znode->sibling);
    }
    COHORT_ASSERT (znode_compare_names (items[0].value, items[count - 1].value) <= 0);
    family->sorted = true;
    mem_free (items);
    return true;
}

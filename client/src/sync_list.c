/* The blocking forms of listing children and ephemerals. May include: client, handle, libc. */

#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/buf.h"
#include "client/src/client.h"

/* ---- Names ----------------------------------------------------------------------------------- */

/* The names of all pages so far, each ended with 0. */
struct names {
    struct buf bytes;
    size_t count;
};

static void add_names (struct names *names, const cohort_strings_t *page)
{
    for (size_t i = 0; i < page->count; i++) {
        buf_append (&names->bytes, page->items[i], strlen (page->items[i]) + 1);
    }
    names->count += page->count;
}

/* One allocation: the head, the pointers, the strings. */
static cohort_strings_t *strings_of (const struct names *names)
{
    size_t head = sizeof (cohort_strings_t) + names->count * sizeof (char *);
    cohort_strings_t *strings = names->bytes.failed ? NULL : mem_alloc (head + names->bytes.size);
    if (strings == NULL) {
        return NULL;
    }
    const char **items = (const char **) (void *) (strings + 1);
    char *tail = (char *) (items + names->count);
    if (names->bytes.size > 0) {
        memcpy (tail, names->bytes.data, names->bytes.size);
    }
    for (size_t i = 0; i < names->count; i++) {
        items[i] = tail;
        tail += strlen (tail) + 1;
    }
    COHORT_ASSERT (tail == (char *) strings + head + names->bytes.size);
    strings->count = names->count;
    strings->items = items;
    return strings;
}

/* One page more of what the call lists, behind *next; *next gets what to go on behind, with a 0,
 * and is empty when there is no more. */
static int more_names (cohort_t *self, struct client_call call, struct buf *next,
                       struct names *names, cohort_stat_t *stat)
{
    cohort_list_options_t options = *call.list;
    options.after = next->size > 0 ? (const char *) next->data : NULL;
    call.list = &options;
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_call_blocking (self, &call, &request, &result);
    if (rc != COHORT_OK) {
        return rc;
    }
    if (names->count == 0 && result.stat != NULL) {
        *stat = *result.stat;
    }
    add_names (names, result.children);
    buf_clear (next);
    if (result.next != NULL) {
        buf_append (next, result.next, strlen (result.next) + 1);
    }
    client_finish (self, request);
    return next->failed
               ? client_fail (self, COHORT_ENOMEM, "%s: out of memory", client_op_name (call.kind))
               : COHORT_OK;
}

/* All pages. */
static int all_names (cohort_t *self, const struct client_call *call, cohort_strings_t **strings_p,
                      cohort_stat_t *stat)
{
    struct names names = {0};
    struct buf next = {0};
    int rc;
    do {
        rc = more_names (self, *call, &next, &names, stat);
    } while (rc == COHORT_OK && next.size > 0);
    cohort_strings_t *strings = rc == COHORT_OK ? strings_of (&names) : NULL;
    if (rc == COHORT_OK && strings == NULL) {
        rc = client_fail (self, COHORT_ENOMEM, "%s: out of memory for the result",
                          client_op_name (call->kind));
    }
    buf_deinit (&next);
    buf_deinit (&names.bytes);
    if (rc == COHORT_OK) {
        *strings_p = strings;
    }
    return rc;
}

int cohort_children (cohort_t *self, const char *path, cohort_strings_t **children,
                     cohort_stat_t *stat)
{
    return cohort_children_with (self, path, NULL, children, stat);
}

int cohort_children_with (cohort_t *self, const char *path, const cohort_read_options_t *options,
                          cohort_strings_t **children, cohort_stat_t *stat)
{
    const cohort_list_options_t all = {.size = sizeof (all)};
    struct client_call call = {.kind = WIRE_CHILDREN, .path = path, .list = &all};
    cohort_strings_t *strings = NULL;
    cohort_stat_t first = {0};
    int rc = client_read_call (self, &call, options);
    rc = rc == COHORT_OK ? all_names (self, &call, &strings, &first) : rc;
    if (rc != COHORT_OK) {
        return rc;
    }
    if (children != NULL) {
        *children = strings;
    } else {
        mem_free (strings);
    }
    if (stat != NULL) {
        *stat = first;
    }
    return COHORT_OK;
}

/* ---- Ephemerals ------------------------------------------------------------------------------ */

static int compare_strings (const void *a, const void *b)
{
    return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* In order, and each once: a page may list again what an earlier one has. */
static void put_in_order (cohort_strings_t *strings)
{
    const char **items = (const char **) (void *) (strings + 1);
    COHORT_ASSERT (strings->items == items);
    size_t count = 0;
    qsort (items, strings->count, sizeof (*items), compare_strings);
    for (size_t i = 0; i < strings->count; i++) {
        if (count == 0 || strcmp (items[count - 1], items[i]) != 0) {
            items[count++] = items[i];
        }
    }
    strings->count = count;
}

int cohort_ephemerals (cohort_t *self, const cohort_ephemerals_options_t *options,
                       cohort_strings_t **paths)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    if (paths == NULL) {
        return client_fail (self, COHORT_EINVAL, "ephemerals: paths is NULL");
    }
    struct client_call call;
    cohort_list_options_t list;
    char *prefix = NULL;
    cohort_strings_t *strings = NULL;
    cohort_stat_t none;
    int rc = client_ephemerals_call (self, options, &call, &list, &prefix);
    rc = rc == COHORT_OK ? all_names (self, &call, &strings, &none) : rc;
    if (rc == COHORT_OK) {
        put_in_order (strings);
        *paths = strings;
    }
    mem_free (prefix);
    return rc;
}

/* ---- Pages ----------------------------------------------------------------------------------- */

/* What a page has of one child, as names alone or with more. */
static cohort_child_t child_of (const cohort_result_t *result, size_t i)
{
    return result->listed != NULL ? result->listed[i]
                                  : (cohort_child_t){.name = result->children->items[i]};
}

/* One allocation: the head, the children, their names and data. */
static cohort_page_t *page_of (const cohort_result_t *result)
{
    size_t count = result->listed != NULL     ? result->listed_count
                   : result->children != NULL ? result->children->count
                                              : 0;
    size_t total = sizeof (cohort_page_t) + count * sizeof (cohort_child_t);
    for (size_t i = 0; i < count; i++) {
        cohort_child_t child = child_of (result, i);
        total += strlen (child.name) + 1 + child.size;
    }
    total += result->next != NULL ? strlen (result->next) + 1 : 0;
    cohort_page_t *page = mem_alloc (total);
    if (page == NULL) {
        return NULL;
    }
    cohort_child_t *children = (cohort_child_t *) (void *) (page + 1);
    char *tail = (char *) (children + count);
    for (size_t i = 0; i < count; i++) {
        cohort_child_t from = child_of (result, i);
        size_t name_size = strlen (from.name) + 1;
        children[i] = from;
        children[i].name = memcpy (tail, from.name, name_size);
        tail += name_size;
        if (from.size > 0) {
            children[i].data = memcpy (tail, from.data, from.size);
            tail += from.size;
        }
    }
    *page = (cohort_page_t){.count = count, .children = children};
    if (result->next != NULL) {
        size_t next_size = strlen (result->next) + 1;
        page->next = memcpy (tail, result->next, next_size);
        tail += next_size;
    }
    COHORT_ASSERT (tail == (char *) page + total);
    return page;
}

int cohort_list (cohort_t *self, const char *path, const cohort_list_options_t *options,
                 cohort_page_t **page, cohort_stat_t *stat)
{
    if (self != NULL && page == NULL) {
        return client_fail (self, COHORT_EINVAL, "list: page is NULL");
    }
    struct client_call call = {.kind = WIRE_CHILDREN, .path = path, .list = options};
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_call_blocking (self, &call, &request, &result);
    if (rc != COHORT_OK) {
        return rc;
    }
    cohort_page_t *copy = page_of (&result);
    if (copy == NULL) {
        rc = client_fail (self, COHORT_ENOMEM, "list: out of memory for the result");
    } else {
        *page = copy;
        if (stat != NULL && result.stat != NULL) {
            *stat = *result.stat;
        }
    }
    client_finish (self, request);
    return rc;
}

void cohort_page_destroy (cohort_page_t **page_p)
{
    if (page_p != NULL) {
        mem_free (*page_p);
        *page_p = NULL;
    }
}

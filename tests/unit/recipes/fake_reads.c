/* The reads of the fake client: see fake.h. */

#include <stdlib.h>
#include <string.h>

#include "tests/unit/recipes/fake_private.h"

/* Of a page without a limit. */
#define PAGE_MAX 1000

/* ---- The calls ------------------------------------------------------------------------------- */

static int enqueue_read (cohort_t *self, enum fake_request_kind kind, const char *path,
                         cohort_result_fn *fn, void *arg)
{
    int rc;
    struct fake_request *request = fake_enqueue (self, kind, fn, arg, &rc);
    if (request != NULL) {
        request->path = fake_copy_text (path);
    }
    return rc;
}

int cohort_exists_async (cohort_t *self, const char *path, cohort_watch_fn *watch, void *watch_arg,
                         cohort_result_fn *fn, void *arg)
{
    int rc;
    struct fake_request *request = fake_enqueue (self, REQUEST_EXISTS, fn, arg, &rc);
    if (request != NULL) {
        request->path = fake_copy_text (path);
        request->watch = watch;
        request->watch_arg = watch_arg;
    }
    return rc;
}

int cohort_get_async (cohort_t *self, const char *path, cohort_watch_fn *watch, void *watch_arg,
                      cohort_result_fn *fn, void *arg)
{
    assert_null (watch);
    assert_null (watch_arg);
    return enqueue_read (self, REQUEST_GET, path, fn, arg);
}

int cohort_sync_async (cohort_t *self, cohort_result_fn *fn, void *arg)
{
    return enqueue_read (self, REQUEST_SYNC, "/", fn, arg);
}

int cohort_list_async (cohort_t *self, const char *path, const cohort_list_options_t *options,
                       cohort_watch_fn *watch, void *watch_arg, cohort_result_fn *fn, void *arg)
{
    int rc;
    assert_null (watch);
    assert_null (watch_arg);
    struct fake_request *request = fake_enqueue (self, REQUEST_LIST, fn, arg, &rc);
    if (request != NULL) {
        request->path = fake_copy_text (path);
        request->list = *options;
        request->prefix = options->prefix == NULL ? NULL : fake_copy_text (options->prefix);
        request->after = options->after == NULL ? NULL : fake_copy_text (options->after);
    }
    return rc;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static int by_name (const void *a, const void *b)
{
    return strcmp (((const cohort_child_t *) a)->name, ((const cohort_child_t *) b)->name);
}

static int by_name_descending (const void *a, const void *b)
{
    return by_name (b, a);
}

static bool is_listed (const struct fake_request *request, const struct fake_node *node)
{
    const char *slash = strrchr (node->path, '/');
    size_t length = (size_t) (slash - node->path);
    if (strlen (request->path) != length || strncmp (node->path, request->path, length) != 0) {
        return false;
    }
    bool descending = (request->list.flags & COHORT_LIST_DESCENDING) != 0;
    int order = request->after == NULL ? 1 : strcmp (slash + 1, request->after);
    bool ephemeral = node->stat.ephemeral_owner != 0;
    bool wanted = request->list.filter == COHORT_LIST_ALL ||
                  ephemeral == (request->list.filter == COHORT_LIST_EPHEMERAL);
    return wanted && (request->after == NULL || (descending ? order < 0 : order > 0)) &&
           (request->prefix == NULL ||
            strncmp (slash + 1, request->prefix, strlen (request->prefix)) == 0);
}

static void read_list (const struct fake_request *request, struct fake_item *item)
{
    static cohort_child_t all[FAKE_NODES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < fake_tree.nodes_count; i++) {
        const struct fake_node *node = &fake_tree.nodes[i];
        if (is_listed (request, node)) {
            all[count++] = (cohort_child_t){.name = strrchr (node->path, '/') + 1,
                                            .data = node->data,
                                            .size = node->size,
                                            .stat = node->stat};
        }
    }
    bool descending = (request->list.flags & COHORT_LIST_DESCENDING) != 0;
    qsort (all, count, sizeof (all[0]), descending ? by_name_descending : by_name);
    size_t limit = request->list.limit > 0 ? (size_t) request->list.limit : PAGE_MAX;
    size_t listed = count < limit ? count : limit;
    item->listed = fake_must (calloc (listed + 1, sizeof (all[0])));
    for (size_t i = 0; i < listed; i++) {
        item->listed[i] = all[i];
        item->listed[i].name = fake_copy_text (all[i].name);
        item->listed[i].data = NULL;
        if ((request->list.flags & COHORT_LIST_DATA) != 0) {
            item->listed[i].data = fake_copy (all[i].data, all[i].size);
        }
    }
    if (listed < count && listed > 0) {
        item->after = fake_copy_text (item->listed[listed - 1].name);
    }
    item->listed_count = listed;
    if ((request->list.flags & (COHORT_LIST_STAT | COHORT_LIST_DATA)) != 0) {
        item->result.listed = item->listed;
        item->result.listed_count = listed;
    } else {
        const char **names = fake_must (calloc (listed + 1, sizeof (*names)));
        for (size_t i = 0; i < listed; i++) {
            names[i] = item->listed[i].name;
        }
        item->names = (cohort_strings_t){.count = listed, .items = names};
        item->result.children = &item->names;
    }
    item->result.next = item->after;
}

/* ---- Answers --------------------------------------------------------------------------------- */

void fake_read (const struct fake_request *request, struct fake_item *item)
{
    cohort_result_t *result = &item->result;
    if (request->kind == REQUEST_SYNC) {
        return;
    }
    const struct fake_node *node = fake_find (request->path);
    if (node == NULL) {
        result->rc = COHORT_ENONODE;
        return;
    }
    item->path = fake_copy_text (request->path);
    result->path = item->path;
    item->stat = node->stat;
    result->stat = &item->stat;
    if (request->kind == REQUEST_GET) {
        item->data = fake_copy (node->data, node->size);
        result->data = item->data;
        result->size = node->size;
    } else if (request->kind == REQUEST_LIST) {
        read_list (request, item);
    }
}

void fake_free_result (struct fake_item *item)
{
    for (size_t i = 0; i < item->listed_count; i++) {
        free ((void *) item->listed[i].name);
        free ((void *) item->listed[i].data);
    }
    fake_results_clear (item->ops, FAKE_OPS_MAX);
    free ((void *) item->names.items);
    free (item->listed);
    free (item->path);
    free (item->data);
    free (item->after);
}

#include "client/cli/walk.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    struct paths *paths;
    size_t asked;  /* paths->items before it have been asked for their children */
    size_t flying; /* questions without an answer */
    int rc;        /* the first error */
};

void paths_init (struct paths *self)
{
    memset (self, 0, sizeof *self);
}

void paths_deinit (struct paths *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free (self->items[i]);
    }
    free (self->items);
    paths_init (self);
}

int paths_add (struct paths *self, const char *parent, const char *name)
{
    if (self->count == WALK_PATHS_MAX) {
        return COHORT_ELIMIT;
    }
    if (self->count == self->room) {
        size_t room = self->room == 0 ? 64 : 2 * self->room;
        char **grown = realloc (self->items, room * sizeof *grown);
        if (grown == NULL) {
            return COHORT_ENOMEM;
        }
        self->items = grown;
        self->room = room;
    }
    size_t parent_size = strlen (parent), name_size = name != NULL ? strlen (name) : 0;
    bool is_root = parent_size == 1;
    char *path = malloc (parent_size + name_size + 2);
    if (path == NULL) {
        return COHORT_ENOMEM;
    }
    memcpy (path, parent, parent_size + 1);
    if (name != NULL) {
        size_t start = is_root ? 0 : parent_size;
        path[start] = '/';
        memcpy (path + start + 1, name, name_size + 1);
    }
    self->items[self->count++] = path;
    return COHORT_OK;
}

int paths_compare (const char *a, const char *b)
{
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    /* A slash comes before all that can stand in a name, and the end before the slash: "/a/b" lies
     * between "/a" and "/a-b". */
    int x = *a == '/' ? 1 : *a == 0 ? 0 : (unsigned char) *a + 1;
    int y = *b == '/' ? 1 : *b == 0 ? 0 : (unsigned char) *b + 1;
    return x - y;
}

static int compare_items (const void *a, const void *b)
{
    return paths_compare (*(char *const *) a, *(char *const *) b);
}

void paths_sort (struct paths *self)
{
    if (self->count > 1) {
        qsort (self->items, self->count, sizeof *self->items, compare_items);
    }
}

static void on_children (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct walk *self = arg;
    assert (self->flying > 0);
    self->flying--;
    bool top = strcmp (result->path, self->paths->items[0]) == 0;
    if (result->rc == COHORT_ENONODE && !top) {
        return; /* deleted since its parent was read */
    }
    if (result->rc != COHORT_OK && self->rc == COHORT_OK) {
        self->rc = result->rc;
    }
    for (size_t i = 0; self->rc == COHORT_OK && i < result->children->count; i++) {
        self->rc = paths_add (self->paths, result->path, result->children->items[i]);
    }
    if (self->rc == COHORT_OK && result->next != NULL) {
        cohort_list_options_t rest = {.size = sizeof rest, .after = result->next};
        self->rc = cohort_list_async (client, result->path, &rest, NULL, NULL, on_children, self);
        self->flying += self->rc == COHORT_OK;
    }
}

int walk_subtree (cohort_t *client, const char *path, int timeout_ms, struct paths *paths)
{
    struct walk walk = {.paths = paths};
    assert (paths->count == 0);
    walk.rc = paths_add (paths, path, NULL);
    while (walk.rc == COHORT_OK && (walk.flying > 0 || walk.asked < paths->count)) {
        while (walk.rc == COHORT_OK && walk.asked < paths->count && walk.flying < WALK_WINDOW) {
            walk.rc = cohort_children_async (client, paths->items[walk.asked], NULL, NULL,
                                             on_children, &walk);
            walk.asked += walk.rc == COHORT_OK;
            walk.flying += walk.rc == COHORT_OK;
        }
        if (walk.rc == COHORT_OK && cohort_run (client, timeout_ms) <= 0) {
            walk.rc = COHORT_ETIMEDOUT;
        }
    }
    /* After an error, callbacks that are still to come would find this frame gone: the caller must
     * not run them, but end the session. */
    paths_sort (paths);
    return walk.rc;
}

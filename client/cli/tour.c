#include "client/cli/tour.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Longer than any path that a server takes (4,096 bytes), whatever it is configured to. */
#define PATH_SIZE_MAX 65536

/* The children of one znode that the tour has come to. */
struct level {
    cohort_page_t *page;  /* NULL: to be read from `after` on */
    cohort_page_t *ahead; /* the page behind it, if that had to be looked at */
    size_t index;         /* of the child that is next, in page */
    char *after;          /* the child that came last, NULL: none yet */
    size_t path_size;     /* of the parent's path; 0: the root, so that "/" and a name follow */
    bool exhausted;
};

struct tour {
    cohort_t *client;
    int flags;
    tour_fn *enter;
    tour_fn *leave;
    void *arg;
    char *path;
    size_t path_size;
    struct level *levels;
    size_t depth; /* levels in use */
    size_t room;
};

static int read_page (struct tour *self, const struct level *level, const char *after,
                      cohort_page_t **page)
{
    char saved = self->path[level->path_size];
    cohort_list_options_t options = {
        .size = sizeof options,
        .flags = COHORT_LIST_STAT | (self->flags & TOUR_DATA ? COHORT_LIST_DATA : 0),
        .after = after,
    };
    self->path[level->path_size] = 0;
    int rc =
        cohort_list (self->client, level->path_size > 0 ? self->path : "/", &options, page, NULL);
    self->path[level->path_size] = saved;
    return rc;
}

/* The next page that has children behind `after`, NULL when there is none. */
static int read_children (struct tour *self, struct level *level, const char *after,
                          cohort_page_t **page)
{
    int rc = read_page (self, level, after, page);
    while (rc == COHORT_OK && (*page)->count == 0 && (*page)->next != NULL) {
        cohort_page_t *empty = *page;
        rc = read_page (self, level, empty->next, page);
        cohort_page_destroy (&empty);
    }
    if (rc == COHORT_OK && (*page)->count == 0) {
        cohort_page_destroy (page);
    }
    /* Deleted since its parent was listed: there is nothing below it. */
    if (rc == COHORT_ENONODE) {
        *page = NULL;
        rc = COHORT_OK;
    }
    return rc;
}

/* Makes level->page[level->index] the next child, or level->exhausted true. */
static int advance (struct tour *self, struct level *level)
{
    if (level->page != NULL && level->index < level->page->count) {
        return COHORT_OK;
    }
    bool was_last = level->page != NULL && level->page->next == NULL;
    cohort_page_destroy (&level->page);
    level->index = 0;
    int rc = COHORT_OK;
    if (level->ahead != NULL) {
        level->page = level->ahead;
        level->ahead = NULL;
    } else if (!was_last && !level->exhausted) {
        rc = read_children (self, level, level->after, &level->page);
    }
    level->exhausted = rc == COHORT_OK && level->page == NULL;
    return rc;
}

/* Whether nothing follows the child at level->index: the last of a page asks for the next page. */
static int look_ahead (struct tour *self, struct level *level, bool *last)
{
    int rc = COHORT_OK;
    *last = level->index + 1 == level->page->count;
    if (*last && level->page->next != NULL) {
        rc = read_children (self, level, level->page->next, &level->ahead);
        *last = level->ahead == NULL;
        if (rc == COHORT_OK && *last) {
            level->exhausted = true;
        }
    }
    return rc;
}

static void level_deinit (struct level *self)
{
    cohort_page_destroy (&self->page);
    cohort_page_destroy (&self->ahead);
    free (self->after);
}

static int push (struct tour *self)
{
    if (self->depth == self->room) {
        size_t room = self->room == 0 ? 16 : 2 * self->room;
        struct level *grown = realloc (self->levels, room * sizeof *grown);
        if (grown == NULL) {
            return COHORT_ENOMEM;
        }
        self->levels = grown;
        self->room = room;
    }
    if (self->depth > TOUR_PAGES_MAX) {
        struct level *above = &self->levels[self->depth - 1];
        cohort_page_destroy (&above->page);
        cohort_page_destroy (&above->ahead);
    }
    self->levels[self->depth++] = (struct level){.path_size = self->path_size};
    return COHORT_OK;
}

static int set_path (struct tour *self, size_t parent_size, const char *name)
{
    size_t size = strlen (name);
    if (parent_size + size + 2 > PATH_SIZE_MAX) {
        return COHORT_ETOOBIG;
    }
    self->path[parent_size] = '/';
    memcpy (self->path + parent_size + 1, name, size + 1);
    self->path_size = parent_size + 1 + size;
    return COHORT_OK;
}

/* Enters a znode; if there is something below it, its level is pushed, else it is left again. */
static int meet (struct tour *self, const struct tour_node *node)
{
    int rc = self->enter (node, self->arg);
    if (rc == COHORT_OK && node->stat->child_count > 0) {
        return push (self);
    }
    if (rc >= 0 && self->leave != NULL) {
        struct tour_node left = *node;
        left.stat = NULL;
        rc = self->leave (&left, self->arg);
    }
    return rc < 0 ? rc : COHORT_OK;
}

static int meet_child (struct tour *self, struct level *level)
{
    bool last;
    int rc = look_ahead (self, level, &last);
    if (rc != COHORT_OK) {
        return rc;
    }
    const cohort_child_t *child = &level->page->children[level->index++];
    free (level->after);
    level->after = strdup (child->name);
    rc = level->after != NULL ? set_path (self, level->path_size, child->name) : COHORT_ENOMEM;
    if (rc != COHORT_OK) {
        return rc;
    }
    if (child->hidden) {
        /* To leave it out would pass for all there is: the session has the error's text now. */
        rc = cohort_get (self->client, self->path, NULL, NULL, NULL);
        return rc != COHORT_OK ? rc : COHORT_ENOAUTH;
    }
    struct tour_node node = {
        .path = self->path,
        .name = self->path + level->path_size + 1,
        .depth = self->depth,
        .last = last,
        .data = child->data,
        .size = child->size,
        .stat = &child->stat,
    };
    return meet (self, &node);
}

/* All of a level has been seen: leaves the znode whose children they are. */
static int pop (struct tour *self)
{
    struct level *level = &self->levels[--self->depth];
    self->path_size = level->path_size;
    self->path[self->path_size] = 0;
    level_deinit (level);
    if (self->leave == NULL) {
        return COHORT_OK;
    }
    struct tour_node node = {.path = self->path, .depth = self->depth};
    if (self->path_size == 0) {
        node.path = "/";
    }
    node.name = self->depth > 0 ? strrchr (self->path, '/') + 1 : node.path;
    int rc = self->leave (&node, self->arg);
    return rc < 0 ? rc : COHORT_OK;
}

static int meet_top (struct tour *self, const char *path)
{
    cohort_stat_t stat;
    void *data = NULL;
    size_t size = 0;
    int rc = self->flags & TOUR_DATA ? cohort_get (self->client, path, &data, &size, &stat)
                                     : cohort_exists (self->client, path, &stat);
    if (rc == COHORT_OK) {
        struct tour_node node = {
            .path = path, .name = path, .last = true, .data = data, .size = size, .stat = &stat};
        rc = meet (self, &node);
    }
    cohort_free (data);
    return rc;
}

int tour_run (cohort_t *client, const char *path, int flags, tour_fn *enter, tour_fn *leave,
              void *arg)
{
    struct tour self = {
        .client = client, .flags = flags, .enter = enter, .leave = leave, .arg = arg};
    size_t size = strlen (path);
    self.path = size < PATH_SIZE_MAX ? malloc (PATH_SIZE_MAX) : NULL;
    if (self.path == NULL) {
        return size < PATH_SIZE_MAX ? COHORT_ENOMEM : COHORT_ETOOBIG;
    }
    memcpy (self.path, path, size + 1);
    self.path_size = strcmp (path, "/") == 0 ? 0 : size;
    int rc = meet_top (&self, path);
    while (rc == COHORT_OK && self.depth > 0) {
        struct level *level = &self.levels[self.depth - 1];
        if (!level->exhausted || level->page != NULL) {
            rc = advance (&self, level);
        }
        if (rc == COHORT_OK) {
            rc = level->exhausted && level->page == NULL ? pop (&self) : meet_child (&self, level);
        }
    }
    while (self.depth > 0) {
        level_deinit (&self.levels[--self.depth]);
    }
    free (self.levels);
    free (self.path);
    return rc;
}

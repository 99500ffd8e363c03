/* Who holds, and who waits, where there is no line of contenders: queues, barriers and gates. A
 * part of the recipe behind cohort/why.h. May include: the client's public headers, cohort/why.h,
 * recipes' barrier, queue, record and support, libc. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "barrier_private.h"
#include "queue_private.h"
#include "record.h"
#include "why_places.h"

/* Those that were found; strings and data are owned. */
struct places {
    cohort_contender_t *items;
    size_t count, room;
};

static void places_clear (struct places *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free ((void *) self->items[i].node);
        free ((void *) self->items[i].host);
    }
    free (self->items);
    *self = (struct places){0};
}

/* One more, whose znode's data is its record. */
static int places_add (struct places *self, const char *node, const cohort_stat_t *stat,
                       const void *data, size_t size, int64_t since_ms)
{
    struct record record;
    if (self->count == self->room) {
        size_t room = self->room == 0 ? 16 : 2 * self->room;
        cohort_contender_t *items = realloc (self->items, room * sizeof (*items));
        if (items == NULL) {
            return COHORT_ENOMEM;
        }
        self->items = items;
        self->room = room;
    }
    record_parse (&record, data, size);
    cohort_contender_t item = {.holds = since_ms != 0,
                               .token = {.czxid = stat->czxid, .ozxid = stat->ozxid},
                               .session = stat->ephemeral_owner,
                               .asked_ms = stat->ctime_ms,
                               .since_ms = since_ms,
                               .node = recipe_copy (node, strlen (node)),
                               .host = recipe_copy (record.host, strlen (record.host)),
                               .pid = record.pid};
    if (item.node == NULL || item.host == NULL) {
        free ((void *) item.node);
        free ((void *) item.host);
        return COHORT_ENOMEM;
    }
    self->items[self->count++] = item;
    return 0;
}

/* Copies what ends at *at. */
static const char *put (char **at, const char *text)
{
    size_t size = strlen (text) + 1;
    char *begin = memcpy (*at, text, size);
    *at += size;
    return begin;
}

/* All of it in one allocation. */
static cohort_why_t *pack (const struct places *self)
{
    size_t size = sizeof (cohort_why_t) + self->count * sizeof (cohort_contender_t) + 1;
    for (size_t i = 0; i < self->count; i++) {
        size += strlen (self->items[i].node) + strlen (self->items[i].host) + 2;
    }
    cohort_why_t *why = malloc (size);
    if (why == NULL) {
        return NULL;
    }
    cohort_contender_t *items = (cohort_contender_t *) (void *) (why + 1);
    char *at = (char *) (items + self->count);
    *at = 0;
    const char *nothing = at++;
    for (size_t i = 0; i < self->count; i++) {
        items[i] = self->items[i];
        items[i].data = nothing;
        items[i].node = put (&at, self->items[i].node);
        items[i].host = put (&at, self->items[i].host);
    }
    *why = (cohort_why_t){.count = self->count, .items = items};
    return why;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

typedef int take_fn (struct places *places, cohort_t *client, const char *folder,
                     const cohort_child_t *child, void *arg);

/* Every child of a folder, page by page.  COHORT_ENONODE: there is no such folder. */
static int each_child (cohort_t *client, const char *folder, const char *prefix, int flags,
                       struct places *places, take_fn *take, void *arg)
{
    char *after = NULL;
    int rc = 0;
    for (bool more = true; rc == 0 && more;) {
        cohort_list_options_t options = {.size = sizeof (options),
                                         .flags = COHORT_LIST_STAT | flags,
                                         .prefix = prefix,
                                         .after = after};
        cohort_page_t *page = NULL;
        rc = cohort_list (client, folder, &options, &page, NULL);
        if (rc != 0) {
            break;
        }
        for (size_t i = 0; i < page->count && rc == 0; i++) {
            rc = take (places, client, folder, &page->children[i], arg);
        }
        free (after);
        more = page->next != NULL;
        after = more ? recipe_copy (page->next, strlen (page->next)) : NULL;
        rc = rc == 0 && more && after == NULL ? COHORT_ENOMEM : rc;
        cohort_page_destroy (&page);
    }
    free (after);
    return rc;
}

/* ---- Queues ---------------------------------------------------------------------------------- */

/* An item that somebody has taken: the mark is that of the one who has. */
static int take_item (struct places *places, cohort_t *client, const char *folder,
                      const cohort_child_t *child, void *arg)
{
    (void) arg;
    if (!queue_is_item (child->name) || child->stat.child_count == 0) {
        return 0;
    }
    char *path = queue_path (folder, child->name);
    char *mark = path == NULL ? NULL : queue_mark (path);
    void *data = NULL;
    size_t size = 0;
    cohort_stat_t stat;
    int rc = mark == NULL ? COHORT_ENOMEM : cohort_get (client, mark, &data, &size, &stat);
    if (rc == 0) {
        rc = places_add (places, path, &stat, data, size, stat.ctime_ms);
        cohort_free (data);
    } else if (rc == COHORT_ENONODE) {
        rc = 0; /* meanwhile it was acknowledged or returned */
    }
    free (mark);
    free (path);
    return rc;
}

static int take_ticket (struct places *places, cohort_t *client, const char *folder,
                        const cohort_child_t *child, void *arg)
{
    (void) client;
    (void) arg;
    char *path = queue_path (folder, child->name);
    int rc = path == NULL ? COHORT_ENOMEM
                          : places_add (places, path, &child->stat, child->data, child->size, 0);
    free (path);
    return rc;
}

static int read_queue (cohort_t *client, const char *path, struct places *places)
{
    char *items = queue_path (path, "items"), *waiting = queue_path (path, "waiting");
    int rc = items == NULL || waiting == NULL ? COHORT_ENOMEM : 0;
    rc = rc == 0 ? each_child (client, items, NULL, 0, places, take_item, NULL) : rc;
    rc = rc == COHORT_ENONODE ? 0 : rc;
    if (rc == 0) {
        rc = each_child (client, waiting, "w-", COHORT_LIST_DATA, places, take_ticket, NULL);
    }
    free (items);
    free (waiting);
    return rc == COHORT_ENONODE ? 0 : rc;
}

/* ---- Barriers and gates ---------------------------------------------------------------------- */

struct ready {
    char *crew; /* NULL: not all are there */
    int64_t since_ms;
};

static int take_party (struct places *places, cohort_t *client, const char *folder,
                       const cohort_child_t *child, void *arg)
{
    const struct ready *ready = arg;
    (void) client;
    char *path = barrier_path (folder, child->name);
    bool inside = barrier_names (ready->crew, child->stat.czxid);
    int rc = path == NULL ? COHORT_ENOMEM
                          : places_add (places, path, &child->stat, child->data, child->size,
                                        inside ? ready->since_ms : 0);
    free (path);
    return rc;
}

static int by_token (const void *a, const void *b)
{
    uint64_t one = ((const cohort_contender_t *) a)->token.czxid;
    uint64_t other = ((const cohort_contender_t *) b)->token.czxid;
    return one < other ? -1 : one > other;
}

static int read_round (cohort_t *client, const char *path, struct places *places)
{
    char *node = barrier_path (path, "ready");
    void *data = NULL;
    size_t size = 0;
    cohort_stat_t stat = {0};
    struct ready ready = {0};
    int rc = node == NULL ? COHORT_ENOMEM : cohort_get (client, node, &data, &size, &stat);
    if (rc == 0) {
        ready = (struct ready){.crew = data, .since_ms = stat.ctime_ms};
    }
    if (rc == 0 || rc == COHORT_ENONODE) {
        rc = each_child (client, path, "m-", COHORT_LIST_DATA, places, take_party, &ready);
    }
    if (places->count > 0) {
        qsort (places->items, places->count, sizeof (places->items[0]), by_token);
    }
    cohort_free (data);
    free (node);
    return rc == COHORT_ENONODE ? 0 : rc;
}

/* By what the znode itself says. */
static int read_all (cohort_t *client, const char *path, struct places *places)
{
    void *data = NULL;
    size_t size = 0;
    cohort_stat_t stat;
    struct record record;
    int rc = cohort_get (client, path, &data, &size, &stat);
    if (rc != 0) {
        return rc == COHORT_ENONODE ? 0 : rc;
    }
    record_parse (&record, data, size);
    if (record.host[0] != 0) {
        rc = places_add (places, path, &stat, data, size, stat.ctime_ms); /* a gate */
    } else if (barrier_parties (data, size) > 0) {
        rc = read_round (client, path, places);
    } else {
        rc = read_queue (client, path, places);
    }
    cohort_free (data);
    return rc;
}

int why_places (cohort_t *client, const char *path, cohort_why_t **why)
{
    struct places places = {0};
    int rc = read_all (client, path, &places);
    if (rc == 0) {
        cohort_why_t *made = pack (&places);
        rc = made == NULL ? COHORT_ENOMEM : 0;
        *why = made != NULL ? made : *why;
    }
    places_clear (&places);
    return rc;
}

/* The one-shot watches of the fake client: see fake.h. */

#include <stdlib.h>
#include <string.h>

#include "tests/unit/recipes/fake_private.h"

void fake_set_watch (cohort_t *client, const struct fake_request *request)
{
    if (request->watch != NULL) {
        struct fake_watch *watch = fake_must (calloc (1, sizeof (*watch)));
        *watch = (struct fake_watch){.next = client->watches,
                                     .path = fake_copy_text (request->path),
                                     .fn = request->watch,
                                     .arg = request->watch_arg};
        client->watches = watch;
    }
}

/* Takes the watch out of its list, into an event that is queued. */
static void queue (cohort_t *client, struct fake_watch **link, cohort_event_type_t type)
{
    struct fake_watch *watch = *link;
    struct fake_item *item = fake_must (calloc (1, sizeof (*item)));
    *link = watch->next;
    item->kind = ITEM_WATCH;
    item->watch = watch;
    item->event = (cohort_event_t){.type = type, .path = watch->path, .zxid = fake_tree.zxid};
    fake_append_item (client->suspended ? &client->missed : &client->items, item);
}

void fake_fire_watches (const char *path, cohort_event_type_t type)
{
    for (size_t c = 0; c < fake_world.clients_count; c++) {
        cohort_t *client = fake_world.clients[c];
        struct fake_watch **link = &client->watches;
        while (*link != NULL) {
            if (strcmp ((*link)->path, path) == 0) {
                queue (client, link, type);
            } else {
                link = &(*link)->next;
            }
        }
    }
}

void fake_lose_watches (cohort_t *client)
{
    while (client->watches != NULL) {
        queue (client, &client->watches, COHORT_EVENT_WATCH_LOST);
    }
}

void fake_run_watch (cohort_t *client, struct fake_item *item)
{
    struct fake_watch *watch = item->watch;
    item->watch = NULL;
    watch->fn (client, &item->event, watch->arg);
    free (watch->path);
    free (watch);
}

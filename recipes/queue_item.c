/* How an item is stored, and what its holder may ask of it: see queue_private.h.
 *
 * The content of an item's znode is one line, "1 ATTEMPTS ID\n", and what was put: 1 is the format,
 * ATTEMPTS those that it had before it was delayed anew, ID may be empty.
 * May include: queue_private.h, libc. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue_private.h"

#define PRIORITY_DIGITS 4
#define NUMBER_DIGITS   10
#define DUE_DIGITS      20

/* The longest number that is read back. */
#define ATTEMPTS_MAX 1000000000

static size_t digits_of (const char *text)
{
    return strspn (text, "0123456789");
}

bool queue_is_item (const char *name)
{
    return digits_of (name) == PRIORITY_DIGITS && name[PRIORITY_DIGITS] == '-' &&
           digits_of (name + PRIORITY_DIGITS + 1) >= NUMBER_DIGITS &&
           name[PRIORITY_DIGITS + 1 + digits_of (name + PRIORITY_DIGITS + 1)] == 0;
}

bool queue_is_delayed (const char *name)
{
    return digits_of (name) == DUE_DIGITS && name[DUE_DIGITS] == '-' &&
           digits_of (name + DUE_DIGITS + 1) == PRIORITY_DIGITS &&
           name[DUE_DIGITS + 1 + PRIORITY_DIGITS] == '-';
}

int queue_priority (const char *digits)
{
    int priority = 0;
    for (int i = 0; i < PRIORITY_DIGITS; i++) {
        priority = priority * 10 + (digits[i] - '0');
    }
    return priority;
}

char *queue_mark (const char *item_path)
{
    return queue_path (item_path, "taken");
}

char *queue_content (const char *id, int attempts, const void *data, size_t size, size_t *whole)
{
    id = id == NULL ? "" : id;
    size_t room = strlen (id) + 32;
    char *content = size < SIZE_MAX - room ? malloc (room + size) : NULL;
    if (content == NULL) {
        return NULL;
    }
    int header = snprintf (content, room, "1 %d %s\n", attempts, id);
    RECIPE_ASSERT (header > 0 && (size_t) header < room);
    if (size > 0) {
        memcpy (content + header, data, size);
    }
    *whole = (size_t) header + size;
    return content;
}

bool queue_parse (cohort_item_t *item, size_t size)
{
    char *content = item->content;
    char *end = memchr (content, '\n', size);
    size_t digits = size > 2 ? digits_of (content + 2) : 0;
    if (end == NULL || strncmp (content, "1 ", 2) != 0 || digits == 0 || digits > 9 ||
        content[2 + digits] != ' ') {
        return false;
    }
    int attempts = 0;
    for (size_t i = 0; i < digits; i++) {
        attempts = attempts * 10 + (content[2 + i] - '0');
    }
    RECIPE_ASSERT (attempts < ATTEMPTS_MAX);
    item->attempt += attempts;
    item->id = content + 2 + digits + 1;
    *end = 0;
    if (item->id == end) {
        item->id = NULL;
    }
    item->data = end + 1;
    item->size = size - (size_t) (item->data - content);
    return true;
}

void queue_item_free (cohort_item_t *item)
{
    if (item != NULL) {
        free (item->path);
        free (item->content);
        free (item);
    }
}

void queue_item_link (cohort_item_t *item, cohort_item_t **list)
{
    RECIPE_ASSERT (item->link == NULL);
    item->next = *list;
    item->link = list;
    if (item->next != NULL) {
        item->next->link = &item->next;
    }
    *list = item;
}

void queue_item_unlink (cohort_item_t *item)
{
    RECIPE_ASSERT (item->link != NULL);
    *item->link = item->next;
    if (item->next != NULL) {
        item->next->link = item->link;
    }
    item->next = NULL;
    item->link = NULL;
}

/* ---- The public functions ------------------------------------------------------------------ */

const void *cohort_item_data (const cohort_item_t *self, size_t *size)
{
    if (size != NULL) {
        *size = self->size;
    }
    return self->data;
}

const char *cohort_item_id (const cohort_item_t *self)
{
    return self->id;
}

const char *cohort_item_path (const cohort_item_t *self)
{
    return self->path;
}

int cohort_item_priority (const cohort_item_t *self)
{
    return self->priority;
}

int cohort_item_attempt (const cohort_item_t *self)
{
    return self->attempt;
}

cohort_token_t cohort_item_token (const cohort_item_t *self)
{
    return self->token;
}

int cohort_item_valid (const cohort_item_t *self, int margin_ms)
{
    /* After a renewal that the queue has not heard of yet the client speaks for another session. */
    return self->queue != NULL && cohort_session_id (self->queue->client) == self->session &&
           cohort_valid_ms (self->queue->client) > (margin_ms > 0 ? margin_ms : 0);
}

/* An intrusive doubly linked list: the links live inside the elements, nothing is allocated, and an
 * element leaves its list without a search.
 *
 *     struct job { int number; struct list_node node; };
 *     for (struct list_node *at = list_first (&jobs); at != NULL; at = list_next (&jobs, at)) {
 *         struct job *job = list_entry (at, struct job, node);
 *     }
 *
 * An element that may be removed inside the loop: take list_next first. May include: base, libc. */

#ifndef COHORT_BASE_LIST_H
#define COHORT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "client/base/assert.h"
#include "client/base/container.h"

/* A node that is in no list has both links NULL; all zeroes is such a node. */
struct list_node {
    struct list_node *next, *prev;
};

/* The ring's anchor; must not move while the list has elements. */
struct list {
    struct list_node anchor;
};

/* The structure that holds `pointer` as its `member`. */
#define list_entry(pointer, type, member) container_of (pointer, type, member)

static inline void list_init (struct list *list)
{
    list->anchor.next = list->anchor.prev = &list->anchor;
}

static inline bool list_empty (const struct list *list)
{
    return list->anchor.next == &list->anchor;
}

static inline void list_node_init (struct list_node *node)
{
    node->next = node->prev = NULL;
}

/* Whether the node is in a list; it must have been initialised. */
static inline bool list_linked (const struct list_node *node)
{
    return node->next != NULL;
}

/* Links `node`, which is in no list, after `at`, which is in one. */
static inline void list_insert_after (struct list_node *at, struct list_node *node)
{
    node->prev = at;
    node->next = at->next;
    at->next->prev = node;
    at->next = node;
}

/* Links `node`, which is in no list, before `at`, which is in one. */
static inline void list_insert_before (struct list_node *at, struct list_node *node)
{
    list_insert_after (at->prev, node);
}

static inline void list_push_back (struct list *list, struct list_node *node)
{
    list_insert_after (list->anchor.prev, node);
}

static inline void list_push_front (struct list *list, struct list_node *node)
{
    list_insert_after (&list->anchor, node);
}

/* Takes the node out of the list it is in. */
static inline void list_remove (struct list_node *node)
{
    COHORT_ASSERT (node->next != NULL);
    COHORT_ASSERT (node->next->prev == node);
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}

/* These four give NULL where the list ends. */
static inline struct list_node *list_first (const struct list *list)
{
    return list_empty (list) ? NULL : list->anchor.next;
}

static inline struct list_node *list_last (const struct list *list)
{
    return list_empty (list) ? NULL : list->anchor.prev;
}

static inline struct list_node *list_next (const struct list *list, const struct list_node *node)
{
    return node->next == &list->anchor ? NULL : node->next;
}

static inline struct list_node *list_prev (const struct list *list, const struct list_node *node)
{
    return node->prev == &list->anchor ? NULL : node->prev;
}

/* Takes the first element out and returns it; NULL if there is none. */
static inline struct list_node *list_pop_front (struct list *list)
{
    struct list_node *node = list_first (list);
    if (node != NULL) {
        list_remove (node);
    }
    return node;
}

/* Moves all elements of `from` to the end of `list`, in their order; `from` is empty then. */
static inline void list_splice_back (struct list *list, struct list *from)
{
    if (list_empty (from)) {
        return;
    }
    from->anchor.next->prev = list->anchor.prev;
    list->anchor.prev->next = from->anchor.next;
    from->anchor.prev->next = &list->anchor;
    list->anchor.prev = from->anchor.prev;
    list_init (from);
}

#endif

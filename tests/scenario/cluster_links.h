/* Links of a cluster: queues of what is on its way. For cluster.c, which steps the servers. */

#ifndef COHORT_TESTS_CLUSTER_LINKS_H
#define COHORT_TESTS_CLUSTER_LINKS_H

#include "tests/scenario/cluster.h"

struct item *item_new (enum item_type type);
void item_free (struct item *item);

/* Takes the item. */
void queue_push (struct queue *queue, struct item *item);
/* Inserts in front of the items of the other lane that wait at the end. */
void queue_overtake (struct queue *queue, struct item *item);
/* NULL: it is empty. */
struct item *queue_pop (struct queue *queue);
/* Drops all but the first `keep` items. */
void queue_cut (struct queue *queue, size_t keep);

/* Of cluster.c: a server hears of this, and what it does is done. */
void cluster_step (struct cluster *self, uint32_t id, struct zab_event event);

#endif

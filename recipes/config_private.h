/* What the parts of the recipe config share. Private. May include: the client's public headers,
 * cohort/mirror.h, recipes' support. */

#ifndef COHORT_RECIPES_CONFIG_PRIVATE_H
#define COHORT_RECIPES_CONFIG_PRIVATE_H

#include "calls.h"
#include "cohort/config.h"
#include "cohort/mirror.h"
#include "support.h"

struct config_expected;
struct config_watch;
struct config_pending;

struct cohort_config {
    cohort_t *client;
    cohort_mirror_t *mirror;
    char *path;
    struct config_expected *expected;
    struct config_watch *watches;   /* in the order in which they were set */
    struct config_pending *pending; /* what the events of this batch have replaced, in order */
    struct config_pending **pending_last;
    struct recipe_calls calls;
    struct recipe_guard guard;
    cohort_config_fn *fn;
    void *arg;
};

/* The path of a key, to be freed; NULL: out of memory. */
char *config_path (const cohort_config_t *self, const char *key);

/* False: NULL, empty, or it begins or ends with a slash. */
bool config_is_key (const char *key);

cohort_config_value_t config_value (const cohort_node_t *node);

void config_report (cohort_config_t *self, cohort_config_event_t event);

/* The end of what recipe_enter began. */
void config_leave (cohort_config_t *self);

/* Looks at the keys that are expected to be something, and tells of those that are bad. */
void config_look (cohort_config_t *self);
void config_expected_free (cohort_config_t *self);

#endif

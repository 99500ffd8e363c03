/*
 * server/failpoints/failpoints.c - the list of points, and what happens at each
 */
#include "server/failpoints/failpoints.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_SIZE = 64, EXIT_AT_POINT = 137, CHANCE_ONE = 1000000 };

enum action { ACT_NONE = 0, ACT_FAIL, ACT_EXIT, ACT_DELAY, ACT_DROP, ACT_FLIP };

struct point {
    const char *name;
    enum action action;
    int error;       /* ACT_FAIL: negative errno */
    int delay_ms;    /* ACT_DELAY */
    uint32_t chance; /* ACT_DROP: of CHANCE_ONE */
    uint64_t first;  /* from this passage on */
    bool once;
    _Atomic uint64_t passed;
};

static struct point points[FAILPOINTS] = {
    [FAIL_STORE_APPEND] = {.name = "store.append"}, [FAIL_STORE_WRITE] = {.name = "store.write"},
    [FAIL_STORE_READ] = {.name = "store.read"},     [FAIL_STORE_FSYNC] = {.name = "store.fsync"},
    [FAIL_STORE_RENAME] = {.name = "store.rename"}, [FAIL_STORE_UNLINK] = {.name = "store.unlink"},
    [FAIL_STORE_NAMES] = {.name = "store.names"},   [FAIL_LINK_SEND] = {.name = "link.send"},
    [FAIL_STATE_APPLY] = {.name = "state.apply"},
};

static struct point *find (const char *name)
{
    for (size_t i = 0; i < FAILPOINTS; i++) {
        if (strcmp (points[i].name, name) == 0) {
            return &points[i];
        }
    }
    return NULL;
}

static bool refuse (char *error, size_t error_size, const char *item, const char *what)
{
    size_t used = (size_t) snprintf (
        error, error_size,
        "COHORT_FAILPOINTS: %s: %s; POINT=ACTION[@N][+], with actions eio, enospc, exit, delay:MS, "
        "drop:P, flip, and points",
        item, what);
    for (size_t i = 0; i < FAILPOINTS && used < error_size; i++) {
        used += (size_t) snprintf (error + used, error_size - used, " %s", points[i].name);
    }
    return false;
}

/* A whole number at the end of a text. */
static bool take_number (const char *text, uint64_t *value)
{
    char *end = NULL;
    *value = strtoull (text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0';
}

static bool take_action (struct point *point, const char *action)
{
    uint64_t number = 0;
    if (strcmp (action, "eio") == 0 || strcmp (action, "enospc") == 0) {
        point->action = ACT_FAIL;
        point->error = action[1] == 'i' ? -EIO : -ENOSPC;
        return point != &points[FAIL_LINK_SEND] && point != &points[FAIL_STATE_APPLY];
    }
    if (strcmp (action, "flip") == 0) {
        point->action = ACT_FLIP;
        return point == &points[FAIL_STATE_APPLY];
    }
    if (strcmp (action, "exit") == 0) {
        point->action = ACT_EXIT;
        return true;
    }
    if (strncmp (action, "delay:", 6) == 0) {
        point->action = ACT_DELAY;
        bool sound = take_number (action + 6, &number) && number <= 3600000;
        point->delay_ms = (int) number;
        return sound;
    }
    if (strncmp (action, "drop:", 5) == 0 && point == &points[FAIL_LINK_SEND]) {
        char *end = NULL;
        double chance = strtod (action + 5, &end);
        point->action = ACT_DROP;
        point->chance = chance >= 0 && chance <= 1 ? (uint32_t) (chance * CHANCE_ONE) : 0;
        return end != action + 5 && *end == '\0' && chance >= 0 && chance <= 1;
    }
    return false;
}

static bool take_item (char *item, char *error, size_t error_size)
{
    char whole[TEXT_SIZE];
    (void) snprintf (whole, sizeof whole, "%s", item);
    char *action = strchr (item, '=');
    if (action == NULL) {
        return refuse (error, error_size, whole, "no action");
    }
    *action++ = '\0';
    struct point *point = find (item);
    if (point == NULL) {
        return refuse (error, error_size, whole, "no such point");
    }
    size_t size = strlen (action);
    bool plus = size > 0 && action[size - 1] == '+';
    if (plus) {
        action[size - 1] = '\0';
    }
    char *count = strchr (action, '@');
    point->first = 1;
    point->once = count != NULL && !plus;
    if (count != NULL) {
        *count++ = '\0';
        if (!take_number (count, &point->first) || point->first == 0) {
            return refuse (error, error_size, whole, "@N counts from 1");
        }
    }
    return take_action (point, action) || refuse (error, error_size, whole, "no such action here");
}

bool failpoints_set (const char *list, char *error, size_t error_size)
{
    char item[TEXT_SIZE];
    while (list != NULL && *list != '\0') {
        size_t size = strcspn (list, ";");
        if (size >= sizeof item) {
            return refuse (error, error_size, list, "too long");
        }
        memcpy (item, list, size);
        item[size] = '\0';
        if (size > 0 && !take_item (item, error, error_size)) {
            return false;
        }
        list += size + (list[size] == ';');
    }
    return true;
}

/* Whether the action is due at this passage; *n: which one it is. */
static bool is_due (struct point *point, uint64_t *n)
{
    if (point->action == ACT_NONE) {
        return false;
    }
    *n = atomic_fetch_add_explicit (&point->passed, 1, memory_order_relaxed) + 1;
    return point->once ? *n == point->first : *n >= point->first;
}

int failpoint (enum failpoint id)
{
    struct point *point = &points[id];
    uint64_t n;
    if (!is_due (point, &n)) {
        return 0;
    }
    switch (point->action) {
    case ACT_FAIL:
        return point->error;
    case ACT_EXIT:
        _exit (EXIT_AT_POINT);
    case ACT_DELAY:
        (void) poll (NULL, 0, point->delay_ms);
        return 0;
    default:
        return 0;
    }
}

bool failpoint_flips (enum failpoint id)
{
    struct point *point = &points[id];
    uint64_t n;
    if (point->action != ACT_FLIP) {
        (void) failpoint (id);
        return false;
    }
    return is_due (point, &n);
}

/* The passages are spread by a hash of their numbers, so that a run is lost in the same way again.
 */
bool failpoint_drops (enum failpoint id)
{
    struct point *point = &points[id];
    uint64_t n;
    if (point->action != ACT_DROP) {
        (void) failpoint (id);
        return false;
    }
    if (!is_due (point, &n)) {
        return false;
    }
    n *= UINT64_C (0x9e3779b97f4a7c15);
    n ^= n >> 32;
    n *= UINT64_C (0xd6e8feb86659fd93);
    return (n >> 32) % CHANCE_ONE < point->chance;
}

/* Recipes as test_hostile_random.c uses them: how each is made, what is done with it at random, and
 * whether it works when nobody disturbs it. */

#ifndef COHORT_TESTS_RECIPES_HOSTILE_RECIPES_H
#define COHORT_TESTS_RECIPES_HOSTILE_RECIPES_H

#include <stdbool.h>

#include "cohort/cohort.h"

enum {
    HOSTILE_RECIPES = 17,
    HOSTILE_CLIENTS = 3,
    HOSTILE_WAIT_MS = 20,     /* of what a turn waits for at most */
    HOSTILE_LIMIT_MS = 30000, /* of what works */
    HOSTILE_GRACE_MS = 5000,  /* longer than sessions live without a connection */
    HOSTILE_NODES_MAX = 512
};

#define HOSTILE_ROOT "/hostile"

struct slot {
    const struct recipe *recipe;
    cohort_t *client;
    int number; /* of the client */
    void *self; /* NULL: destroyed */
    cohort_claims_t *claims;
    cohort_item_t *item;
};

struct recipe {
    const char *name;
    void (*make) (struct slot *slot);
    void (*turn) (struct slot *slot);
    bool (*works) (struct slot *slot); /* now, as nobody disturbs it */
    void (*destroy) (struct slot *slot);
    int (*holds) (struct slot *slot); /* how much of it surely; NULL: nothing is held */
    int at_once;                      /* so much may be */
};

/* The group before the claims, whose owners are its members. */
extern const struct recipe hostile_recipes[HOSTILE_RECIPES];

/* One of 0 to below - 1. */
void hostile_seed (uint64_t seed);
unsigned hostile_dice (unsigned below);

int64_t hostile_now_ms (void);

/* Whether handlers end their objects, and recipes disagree. */
extern bool hostile_surprising;

/* Nobody deletes anything by hand, and sessions end by their limits alone: then no two hold what
 * one may hold. */
extern bool hostile_gentle;

/* Who changes znodes by hand. */
extern cohort_t *hostile_hand;

/* The marks of what is no item of a queue stay until their session ends: so it is documented. */
void hostile_forget_bad_items (void);
bool hostile_is_mark_of_bad_item (const char *path);

#endif

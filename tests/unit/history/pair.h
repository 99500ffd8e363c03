/* The model of histories beside server/tree: the same log, the same results, states and changes.
 * The two share nothing, so what one of them gets wrong shows. */

#ifndef TESTS_UNIT_HISTORY_PAIR_H
#define TESTS_UNIT_HISTORY_PAIR_H

#include "tests/history/model.h"
#include "tests/unit/tree/fixture.h"

enum { SESSIONS_MAX = 64 };

struct pair {
    struct fixture tree;
    struct model model;
    struct arena arena;
    struct prng prng;
    uint64_t sessions[SESSIONS_MAX]; /* ever made */
    uint64_t numbers[SESSIONS_MAX];  /* asked for */
    size_t sessions_count;
    zxid_t effects;      /* compared through here */
    struct buf lists[4]; /* of the operations of one write */
};

/* Both founded, and some sessions in them. */
void pair_begin (struct pair *self, size_t sessions);
void pair_end (struct pair *self);

/* Applies to the model what the tree has just applied, and compares what came of it. */
void pair_follow (struct pair *self);

/* Compares the states, and what has changed since it was called last. */
void pair_compare (struct pair *self);

/* What one session owns becomes the other's, if the password is (as fixture_password has it). `to`
 * is an index, that of none too. */
struct op pair_hand_over (const struct pair *self, size_t from, size_t to, uint64_t password,
                          uint8_t token[ENTRY_TOKEN_SIZE]);

#endif

/* Between the files of the actor. */

#ifndef TESTS_SEMANTICS_ACTOR_PARTS_H
#define TESTS_SEMANTICS_ACTOR_PARTS_H

#include "tests/semantics/actor.h"

/* One operation's words, with what they mean. */
struct words {
    char *const *word;
    size_t count;
    char *path; /* of BIG bytes */
    char *data;
    cohort_acl_t *acl; /* of the last create; or NULL */
};

/* What the test cannot do without. */
void need (bool good, const char *what);

const char *word_at (const struct words *words, size_t index, const char *otherwise);
bool word_is (const struct words *words, const char *name);
/* What follows "key=" in one of the words; NULL: none does. */
const char *word_behind (const struct words *words, const char *key);
int64_t word_number (const char *word);
/* NULL: "-". */
cohort_acl_t *word_list (const char *text);

/* Appends to text, behind a comma. */
void outcome_put (char text[ACTOR_TEXT_MAX], const char *value);
/* Without COHORT_E. */
const char *outcome_code (int rc);
void outcome_take (cohort_t *client, const cohort_result_t *result, void *arg);

/* actor_stream.c: "stream" and its kin: false: no such kind. */
bool stream_open (struct actor *self, struct actor_watch *watch, const char *path);

/* actor_more.c: what has no counterpart in ZooKeeper's first operations; COHORT_EUNSUPPORTED: no
 * such operation. */
int do_more (struct actor *self, struct words *words, struct outcome *outcome);

#endif

/* Between record.c and record_words.c. */

#ifndef TESTS_SIMULATION_RECORD_H
#define TESTS_SIMULATION_RECORD_H

#include "tests/history/judge.h"
#include "tests/simulation/world.h"

struct wire_op;

/* Memory, zeros, that lives until the next event has been recorded. */
struct arena *record_arena (struct world *world);
void *record_take (struct world *world, size_t count, size_t size);

/* What these return lives as long. */

const char *value_said (struct world *world, const void *data, size_t size);

/* Who has proven to be the user. */
const char *user_said (struct world *world, const char *name);

struct history_op op_asked (struct world *world, const struct wire_op *op);

/* All but the id of its call. */
void answer_said (struct world *world, const struct request *request,
                  struct history_return *result);

#endif

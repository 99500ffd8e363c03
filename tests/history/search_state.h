/* Between search.c and search_order.c. */

#ifndef TESTS_HISTORY_SEARCH_STATE_H
#define TESTS_HISTORY_SEARCH_STATE_H

#include "tests/history/search.h"

#define SEARCH_UNKNOWN UINT64_MAX
#define SEARCH_ANY     INT32_MIN

/* No counter of a test comes there. */
#define SEARCH_NO_NUMBER INT64_MIN

struct search_op {
    enum history_op_kind kind;
    uint64_t id;          /* of the call */
    uint64_t call, until; /* orders of its events; UNKNOWN: it may take effect at any later time */
    int32_t version;      /* asked for */
    uint64_t value;       /* hash of what is written */
    int32_t code, told_version;
    uint64_t told_value; /* hash of what was read */
    bool if_absent, told_existed;
    int64_t number; /* what is written, as a number */
    int64_t delta, floor, ceiling, told_sum;
};

struct search_register {
    struct map_node node;
    bool left_out;
    bool trimmed;  /* it was deleted with all below, or perhaps */
    bool numbered; /* a sequential create of this path has no answer: of some path + number */
    struct search_op *ops;
    size_t count, capacity;
    char path[];
};

enum search_verdict { SEARCH_ORDER = 1, SEARCH_NO_ORDER, SEARCH_TOO_LONG };

enum search_verdict search_order (struct search_register *reg, size_t steps_max,
                                  struct objection *objection);

#endif

/* Looks for an order of the operations on one register. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/arena.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "tests/history/search_state.h"

enum { ARENA_BLOCK = 256 << 10, WORD = 64, NUMBER_SIZE = 24 };

struct state {
    uint64_t value; /* 0: there is no znode */
    int64_t number; /* the same as a number; it says which value the next addition gives */
    int32_t version;
};

/* A call, or its return, in the list of those that are not in the order yet. */
struct moment {
    struct moment *previous, *next;
    struct moment *end; /* of a call: its return; NULL: of a return, or nobody knows */
    bool is_call;
    size_t op;
};

/* What was visited: which operations were done, and the state after them. */
struct visited {
    struct map_node node;
    struct state state;
    uint64_t done[];
};

struct step {
    struct moment *call;
    struct state before;
};

struct order {
    const struct search_register *reg;
    struct arena arena;
    struct moment head;
    struct state state;
    uint64_t *done;
    size_t words, waiting; /* operations whose return is still in the list */
    struct step *stack;
    size_t depth, deepest;
    const struct search_op *stuck; /* where the deepest attempt ended */
    struct map visited;
};

/* ---- The register ---------------------------------------------------------------------------- */

/* As search.c has it of the sum's text. */
static uint64_t value_of_sum (int64_t sum)
{
    char text[NUMBER_SIZE];
    int size = snprintf (text, sizeof text, "%" PRId64, sum);
    return hash64 (text, (size_t) size, 1);
}

static int32_t add (const struct search_op *op, struct state before, struct state *after)
{
    int64_t sum = (int64_t) ((uint64_t) before.number + (uint64_t) op->delta);
    if (before.number == SEARCH_NO_NUMBER) {
        return COHORT_ENOTNUMBER;
    }
    if ((op->delta > 0 && sum < before.number) || (op->delta < 0 && sum > before.number) ||
        sum < op->floor || sum > op->ceiling) {
        return COHORT_EBOUNDS;
    }
    *after = (struct state){value_of_sum (sum), sum, before.version + 1};
    return 0;
}

/* What the operation would be told in this state, and the state after it. */
static int32_t carry_out (const struct search_op *op, struct state before, struct state *after)
{
    bool exists = before.value != 0;
    *after = before;
    if (op->kind == HISTORY_CREATE) {
        if (exists) {
            return op->if_absent ? 0 : COHORT_ENODEEXISTS;
        }
        *after = (struct state){.value = op->value, .number = op->number};
        return 0;
    }
    if (!exists) {
        return op->kind == HISTORY_DELETE_IF_PRESENT ? 0 : COHORT_ENONODE;
    }
    if (op->kind == HISTORY_ADD) {
        return add (op, before, after);
    }
    if (op->kind != HISTORY_SET && op->kind != HISTORY_DELETE &&
        op->kind != HISTORY_DELETE_IF_PRESENT) {
        return 0; /* a read */
    }
    if (op->version != COHORT_ANY_VERSION && op->version != before.version) {
        return COHORT_EBADVERSION;
    }
    *after = op->kind == HISTORY_SET ? (struct state){op->value, op->number, before.version + 1}
                                     : (struct state){.value = 0};
    return 0;
}

/* Whether the operation may come next, by what its client was told of it. */
static bool fits (const struct search_op *op, struct state before, struct state *after)
{
    int32_t code = carry_out (op, before, after);
    if (op->until == SEARCH_UNKNOWN) {
        /* One that changes nothing is as good as one that never was. */
        return after->value != before.value || after->version != before.version;
    }
    if (op->code != code) {
        return false;
    }
    if (code == 0 && op->told_version != SEARCH_ANY && op->told_version != after->version) {
        return false;
    }
    bool tells = op->kind == HISTORY_CREATE || op->kind == HISTORY_DELETE_IF_PRESENT;
    if (op->told_existed != (code == 0 && tells && before.value != 0)) {
        return false;
    }
    if (code == 0 && op->kind == HISTORY_ADD && op->told_sum != after->number) {
        return false;
    }
    return code != 0 || op->kind != HISTORY_GET || op->told_value == before.value;
}

/* ---- Moments --------------------------------------------------------------------------------- */

static uint64_t order_of (const struct order *self, const struct moment *moment)
{
    const struct search_op *op = &self->reg->ops[moment->op];
    return moment->is_call ? op->call : op->until;
}

struct sortable {
    uint64_t order;
    struct moment *moment;
};

static int by_order (const void *left, const void *right)
{
    const struct sortable *a = left, *b = right;
    if (a->order != b->order) {
        return a->order < b->order ? -1 : 1;
    }
    /* Of two calls that share a sync, whichever; but always the same way. */
    return a->moment->op < b->moment->op ? -1 : a->moment->op > b->moment->op;
}

static void *take (struct order *self, size_t count, size_t size)
{
    void *memory = arena_calloc (&self->arena, count, size);
    COHORT_ASSERT (memory != NULL);
    return memory;
}

static void make_list (struct order *self)
{
    size_t count = 0, ops = self->reg->count;
    struct moment *moments = take (self, 2 * ops + 1, sizeof *moments);
    struct sortable *sorted = take (self, 2 * ops + 1, sizeof *sorted);
    for (size_t i = 0; i < ops; i++) {
        struct moment *call = &moments[count];
        *call = (struct moment){.is_call = true, .op = i};
        sorted[count++] = (struct sortable){order_of (self, call), call};
        if (self->reg->ops[i].until != SEARCH_UNKNOWN) {
            struct moment *end = &moments[count];
            *end = (struct moment){.op = i};
            call->end = end;
            sorted[count++] = (struct sortable){order_of (self, end), end};
            self->waiting++;
        }
    }
    qsort (sorted, count, sizeof *sorted, by_order);
    struct moment *last = &self->head;
    for (size_t i = 0; i < count; i++) {
        last->next = sorted[i].moment;
        sorted[i].moment->previous = last;
        last = sorted[i].moment;
    }
}

static void unlink_moment (struct moment *moment)
{
    moment->previous->next = moment->next;
    if (moment->next != NULL) {
        moment->next->previous = moment->previous;
    }
}

static void link_moment (struct moment *moment)
{
    moment->previous->next = moment;
    if (moment->next != NULL) {
        moment->next->previous = moment;
    }
}

/* ---- Visited --------------------------------------------------------------------------------- */

static bool is_same (const struct map_node *node, const void *key)
{
    const struct visited *visited = map_entry (node, struct visited, node);
    const struct order *self = key;
    return visited->state.value == self->state.value &&
           visited->state.version == self->state.version &&
           memcmp (visited->done, self->done, self->words * sizeof *self->done) == 0;
}

/* false: all that can come of what is done now was tried before. */
static bool visit (struct order *self)
{
    uint64_t hash = hash64 (self->done, self->words * sizeof *self->done,
                            self->state.value + (uint64_t) self->state.version);
    if (map_find (&self->visited, hash, is_same, self) != NULL) {
        return false;
    }
    struct visited *visited = take (self, 1, sizeof *visited + self->words * sizeof *self->done);
    visited->state = self->state;
    memcpy (visited->done, self->done, self->words * sizeof *self->done);
    visited->node.hash = hash;
    map_insert (&self->visited, &visited->node);
    return true;
}

/* ---- The search ------------------------------------------------------------------------------ */

static void flip (struct order *self, size_t op)
{
    self->done[op / WORD] ^= UINT64_C (1) << (op % WORD);
}

/* Puts the call next into the order; false: it leads nowhere. */
static bool advance (struct order *self, struct moment *call)
{
    struct state after, before = self->state;
    if (!fits (&self->reg->ops[call->op], before, &after)) {
        return false;
    }
    self->state = after;
    flip (self, call->op);
    if (!visit (self)) {
        self->state = before;
        flip (self, call->op);
        return false;
    }
    self->stack[self->depth++] = (struct step){call, before};
    unlink_moment (call);
    if (call->end != NULL) {
        unlink_moment (call->end);
        self->waiting--;
    }
    return true;
}

/* Takes the newest back; the moment behind its call. */
static struct moment *go_back (struct order *self)
{
    struct step *step = &self->stack[--self->depth];
    if (step->call->end != NULL) {
        link_moment (step->call->end);
        self->waiting++;
    }
    link_moment (step->call);
    flip (self, step->call->op);
    self->state = step->before;
    return step->call->next;
}

static enum search_verdict run (struct order *self, size_t steps_max)
{
    struct moment *moment = self->head.next;
    for (size_t steps = 0; self->waiting > 0; steps++) {
        if (steps == steps_max) {
            return SEARCH_TOO_LONG;
        }
        COHORT_ASSERT (moment != NULL);
        if (moment->is_call) {
            moment = advance (self, moment) ? self->head.next : moment->next;
            continue;
        }
        /* It has returned, and nothing before that fits. */
        if (self->depth >= self->deepest) {
            self->deepest = self->depth;
            self->stuck = &self->reg->ops[moment->op];
        }
        if (self->depth == 0) {
            return SEARCH_NO_ORDER;
        }
        moment = go_back (self);
    }
    return SEARCH_ORDER;
}

enum search_verdict search_order (struct search_register *reg, size_t steps_max,
                                  struct objection *objection)
{
    const struct state empty = {.value = hash64 ("", 0, 1), .number = SEARCH_NO_NUMBER};
    struct order self = {.reg = reg, .words = (reg->count + WORD - 1) / WORD};
    arena_init (&self.arena, ARENA_BLOCK, 0);
    map_init (&self.visited);
    self.done = take (&self, self.words + 1, sizeof *self.done);
    self.stack = take (&self, reg->count + 1, sizeof *self.stack);
    make_list (&self);
    if (strcmp (reg->path, "/") == 0) {
        self.state = empty; /* nobody has created it */
    }
    enum search_verdict verdict = run (&self, steps_max);
    if (verdict == SEARCH_NO_ORDER) {
        object (objection,
                "%s: no order of its %zu operations explains what clients were told; "
                "call %" PRIu64 " fits nowhere (after %zu others)",
                reg->path, reg->count, self.stuck->id, self.deepest);
    }
    map_deinit (&self.visited);
    arena_deinit (&self.arena);
    return verdict;
}

/* Linearizability without a witness: what takes part. The search itself is in search_order.c. */

#include "tests/history/search.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/hash.h"
#include "tests/history/search_state.h"

enum { NUMBER_SIZE = 10 }; /* digits behind the path of a sequential create */

void search_init (struct search *self)
{
    *self = (struct search){.searched = 0};
    map_init (&self->registers);
}

static void free_register (struct map_node *node, void *arg)
{
    struct search_register *reg = map_entry (node, struct search_register, node);
    (void) arg;
    free (reg->ops);
    free (reg);
}

void search_deinit (struct search *self)
{
    map_drain (&self->registers, free_register, NULL);
    map_deinit (&self->registers);
}

static bool has_path (const struct map_node *node, const void *key)
{
    return strcmp (map_entry (node, struct search_register, node)->path, key) == 0;
}

static struct search_register *need (struct search *self, const char *path)
{
    size_t size = strlen (path) + 1;
    uint64_t hash = hash64 (path, size - 1, 0);
    struct map_node *node = map_find (&self->registers, hash, has_path, path);
    if (node != NULL) {
        return map_entry (node, struct search_register, node);
    }
    struct search_register *reg = calloc (1, sizeof *reg + size);
    COHORT_ASSERT (reg != NULL);
    memcpy (reg->path, path, size);
    reg->node.hash = hash;
    map_insert (&self->registers, &reg->node);
    return reg;
}

static void add (struct search *self, const char *path, const struct search_op *op)
{
    struct search_register *reg = need (self, path);
    if (reg->left_out) {
        return;
    }
    if (reg->count == reg->capacity) {
        reg->capacity = reg->capacity > 0 ? 2 * reg->capacity : 16;
        reg->ops = realloc (reg->ops, reg->capacity * sizeof *reg->ops);
        COHORT_ASSERT (reg->ops != NULL);
    }
    reg->ops[reg->count++] = *op;
}

static void leave_out (struct search *self, const char *path)
{
    struct search_register *reg = need (self, path);
    reg->left_out = true;
    free (reg->ops);
    reg->ops = NULL;
    reg->count = reg->capacity = 0;
}

static uint64_t value_of (const char *value)
{
    return value != NULL ? hash64 (value, strlen (value), 1) : 0;
}

/* As far as a counter is meant: SEARCH_NO_NUMBER: none. */
static int64_t number_of (const char *value)
{
    char *end;
    errno = 0;
    long long number = strtoll (value, &end, 10);
    bool good = errno == 0 && *end == '\0' && strspn (value, "-0123456789") == strlen (value);
    return good ? number : SEARCH_NO_NUMBER;
}

static bool is_condition (enum history_op_kind kind)
{
    return kind == HISTORY_CHECK || kind == HISTORY_CHECK_CZXID || kind == HISTORY_CHECK_OWNER ||
           kind == HISTORY_CHECK_ABSENT;
}

/* Nothing but deletes ends it. */
static bool is_plain (const struct history_op *op)
{
    return op->mode == COHORT_PERSISTENT && op->ttl_ms == 0;
}

/* All below it, too; which znodes these are will be known in the end. */
static void leave_out_tree (struct search *self, const char *path)
{
    leave_out (self, path);
    need (self, path)->trimmed = true;
    self->trims = true;
}

/* Whether a call is about one znode by itself; if not, its znodes are left out. */
static bool stands_alone (struct search *self, const struct fact_call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        if (call->ops[i].kind == HISTORY_DELETE_TREE) {
            leave_out_tree (self, call->ops[i].path);
        } else if (call->multi && !is_condition (call->ops[i].kind)) {
            leave_out (self, call->ops[i].path);
        }
    }
    return !call->multi && call->ops[0].kind != HISTORY_DELETE_TREE &&
           (call->ops[0].kind != HISTORY_CREATE || is_plain (&call->ops[0]));
}

static struct search_op operation (const struct fact_call *call)
{
    const struct history_op *op = &call->ops[0];
    return (struct search_op){
        .kind = op->kind,
        .call = call->linearizable ? call->sync_order : call->order,
        .until = SEARCH_UNKNOWN,
        .id = call->id,
        .version = op->version,
        .value = value_of (op->value),
        .if_absent = op->if_absent,
        .number = number_of (op->value),
        .delta = op->delta,
        .floor = op->floor,
        .ceiling = op->ceiling,
    };
}

/* Whether an answer is explained by the znode alone. Others (no parent, children left) change
 * nothing, and are passed over. */
static bool is_about_one (enum history_op_kind kind, int32_t code)
{
    return code == 0 || code == COHORT_ENODEEXISTS || code == COHORT_EBADVERSION ||
           code == COHORT_EBOUNDS || code == COHORT_ENOTNUMBER ||
           (code == COHORT_ENONODE && kind != HISTORY_CREATE);
}

/* What changes nothing that a register has. In a multi that says nothing of what else it does. */
static bool is_of_no_znode (const struct fact_call *call)
{
    enum history_op_kind kind = call->ops[0].kind;
    return !call->multi &&
           (kind == HISTORY_CLOSE || kind == HISTORY_KILL || kind == HISTORY_HAND_OVER ||
            kind == HISTORY_SET_ACL || kind == HISTORY_SET_ADMINS || kind == HISTORY_ADD_AUTH);
}

static void see_return (struct search *self, const struct facts *facts,
                        const struct fact_call *call, const struct history_return *result)
{
    const struct history_op *asked = &call->ops[0];
    bool write = call->number > 0;
    if (result->zxid == 0 || asked->kind == HISTORY_SYNC || asked->kind == HISTORY_CHILDREN ||
        is_of_no_znode (call) || asked->kind > HISTORY_SYNC ||
        (!write && (call->multi || !call->linearizable))) {
        return;
    }
    if (!stands_alone (self, call)) {
        for (size_t i = 0; i < result->ops_count; i++) {
            if (result->ops[i].path != NULL) {
                leave_out (self, result->ops[i].path);
            }
        }
        return;
    }
    if (!is_about_one (asked->kind, result->code)) {
        return;
    }
    struct search_op op = operation (call);
    const cohort_stat_t *stat = !write                  ? result->stat
                                : result->ops_count > 0 ? result->ops[0].stat
                                                        : NULL;
    op.until = facts->events + 1; /* of this event */
    op.code = result->code;
    op.told_version = stat != NULL ? stat->version : SEARCH_ANY;
    op.told_value = value_of (result->value);
    op.told_sum = write && result->ops_count > 0 ? result->ops[0].value : 0;
    op.told_existed = write && result->ops_count > 0 && result->ops[0].existed;
    add (self, asked->path, &op);
}

/* Perhaps there is now what ends with its session, or under a number that nobody has been told. */
static void leave_out_created (struct search *self, const struct fact_call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        const struct history_op *op = &call->ops[i];
        if (op->kind == HISTORY_CREATE && (op->mode & COHORT_SEQUENTIAL) != 0) {
            need (self, op->path)->numbered = true;
        } else if (op->kind == HISTORY_CREATE && !is_plain (op)) {
            leave_out (self, op->path);
        }
    }
}

static void see_unknown (struct search *self, const struct fact_call *call)
{
    if (call->number == 0 || is_of_no_znode (call)) {
        return;
    }
    if (stands_alone (self, call)) {
        struct search_op op = operation (call);
        add (self, call->ops[0].path, &op);
    } else {
        leave_out_created (self, call);
    }
}

/* Whether a sequential create without an answer may have made this. */
static bool is_numbered (const struct search *self, const char *path)
{
    size_t size = strlen (path);
    if (size <= NUMBER_SIZE || strspn (path + size - NUMBER_SIZE, "0123456789") != NUMBER_SIZE) {
        return false;
    }
    char *prefix = malloc (size - NUMBER_SIZE + 1);
    COHORT_ASSERT (prefix != NULL);
    memcpy (prefix, path, size - NUMBER_SIZE);
    prefix[size - NUMBER_SIZE] = '\0';
    uint64_t hash = hash64 (prefix, size - NUMBER_SIZE, 0);
    const struct map_node *node = map_find (&self->registers, hash, has_path, prefix);
    free (prefix);
    return node != NULL && map_entry (node, const struct search_register, node)->numbered;
}

/* Whether a znode at it or above it was deleted with all below. */
static bool is_trimmed (const struct search *self, const char *path)
{
    for (struct map_node *node = map_first (&self->registers); node != NULL && self->trims;
         node = map_next (&self->registers, node)) {
        const struct search_register *reg = map_entry (node, const struct search_register, node);
        if (reg->trimmed && model_covers (reg->path, path)) {
            return true;
        }
    }
    return false;
}

void search_see (struct search *self, const struct facts *facts, const struct history_event *event)
{
    const struct fact_call *call = NULL;
    if (event->kind == HISTORY_RETURN) {
        call = facts_call (facts, event->u.result.id);
    } else if (event->kind == HISTORY_UNKNOWN) {
        call = facts_call (facts, event->u.id);
    }
    if (call == NULL) {
        return;
    }
    if (event->kind == HISTORY_RETURN) {
        see_return (self, facts, call, &event->u.result);
    } else {
        see_unknown (self, call);
    }
}

bool search_run (struct search *self, const struct facts *facts, struct objection *objection)
{
    for (struct map_node *node = map_first (&facts->calls); node != NULL;
         node = map_next (&facts->calls, node)) {
        see_unknown (self, map_entry (node, struct fact_call, node));
    }
    size_t steps_max = self->steps_max != 0 ? self->steps_max : SEARCH_STEPS_MAX;
    for (struct map_node *node = map_first (&self->registers); node != NULL;
         node = map_next (&self->registers, node)) {
        struct search_register *reg = map_entry (node, struct search_register, node);
        if (reg->left_out || is_numbered (self, reg->path) || is_trimmed (self, reg->path)) {
            self->left_out++;
            continue;
        }
        self->searched++;
        self->operations += reg->count;
        enum search_verdict verdict = search_order (reg, steps_max, objection);
        if (verdict == SEARCH_NO_ORDER) {
            return false;
        }
        self->given_up += verdict == SEARCH_TOO_LONG;
    }
    return true;
}

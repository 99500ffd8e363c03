/* txn: several operations, all of them or none. */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "client/cli/txn_operation.h"

/* What all delete-trees of a transaction may delete (docs/limits.md). */
#define TREES_MAX 1000

struct plan {
    cohort_txn_t *txn;
    size_t count;
    struct {
        const struct command *operation;
        char *path;
        int limit; /* of a delete-tree; 0: none of its own */
    } items[TXN_OPERATIONS_MAX];
};

/* `where`: the operand or line, counted from 1. */
static bool plan_add (struct plan *self, char *line, const char *what, size_t where)
{
    char error[256];
    const char *path;
    int limit = 0;
    const struct command *operation =
        txn_operation_add (self->txn, line, &path, &limit, error, sizeof error);
    if (operation == NULL && *error == 0) {
        return true;
    }
    assert (operation == NULL || self->count < TXN_OPERATIONS_MAX);
    char *copy = operation != NULL ? strdup (path) : NULL;
    if (copy == NULL) {
        message ("txn: %s %zu: %s", what, where, operation == NULL ? error : "out of memory");
        return false;
    }
    self->items[self->count].operation = operation;
    self->items[self->count].limit = limit;
    self->items[self->count++].path = copy;
    return true;
}

static bool plan_read (struct plan *self)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t size;
    bool worked = true;
    while (worked && (size = getline (&line, &room, stdin)) >= 0) {
        number++;
        if (memchr (line, 0, (size_t) size) != NULL) {
            message ("txn: line %zu: has a byte of 0 (give the data with -b, as base64)", number);
            worked = false;
        } else {
            worked = plan_add (self, line, "line", number);
        }
    }
    if (worked && ferror (stdin)) {
        message ("standard input cannot be read");
        worked = false;
    }
    free (line);
    return worked;
}

static bool plan_make (struct plan *self, const struct arguments *arguments)
{
    self->txn = cohort_txn_new ();
    if (self->txn == NULL) {
        message ("out of memory");
        return false;
    }
    bool worked = arguments->operand_count > 0 || plan_read (self);
    for (int i = 0; worked && i < arguments->operand_count; i++) {
        worked = plan_add (self, arguments->operands[i], "operation", (size_t) i + 1);
    }
    if (worked && self->count == 0) {
        message ("txn: there are no operations (see: cohort help txn)");
        worked = false;
    }
    return worked;
}

static void plan_destroy (struct plan *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free (self->items[i].path);
    }
    cohort_txn_destroy (&self->txn);
    free (self);
}

/* "ok", "undone", or the name of the error. */
static const char *outcome (const cohort_op_result_t *result)
{
    return result->rc == COHORT_OK            ? "ok"
           : result->rc == COHORT_EROLLEDBACK ? "undone"
                                              : cohort_error_name (result->rc) + strlen ("COHORT_");
}

static void print_line (const char *name, const char *path, const cohort_op_result_t *result)
{
    printf ("%s\t%s\t%s\t", outcome (result), name, result->path != NULL ? result->path : path);
    if (result->rc != COHORT_OK) {
        puts ("-");
    } else if (strcmp (name, "create") == 0) {
        puts (result->existed ? "existed" : "created");
    } else if (strcmp (name, "set") == 0) {
        printf ("version %" PRId32 "\n", result->stat.version);
    } else if (strcmp (name, "add") == 0) {
        printf ("%" PRId64 "\n", result->value);
    } else if (strcmp (name, "delete-tree") == 0) {
        printf ("%" PRId64 " znodes\n", result->value);
    } else {
        puts ("-");
    }
}

static json_t *result_json (const char *name, const char *path, const cohort_op_result_t *result)
{
    json_t *object = json_pack ("{s:s, s:s, s:s}", "outcome", outcome (result), "operation", name,
                                "path", result->path != NULL ? result->path : path);
    if (object == NULL || result->rc != COHORT_OK) {
        return object;
    }
    bool creates = strcmp (name, "create") == 0;
    if (creates) {
        json_object_set_new (object, "existed", json_boolean (result->existed));
    }
    if (strcmp (name, "add") == 0 || strcmp (name, "delete-tree") == 0) {
        json_object_set_new (object, "value", json_integer ((json_int_t) result->value));
    }
    if (creates || strcmp (name, "set") == 0 || strcmp (name, "add") == 0) {
        json_object_set_new (object, "stat", output_json_stat (&result->stat));
    }
    return object;
}

/* A tree with too many znodes: how many there are now, if this session may know, the limit, and
 * what to do. */
static void describe_tree (cohort_t *client, const char *path, int limit, char *text, size_t size)
{
    int64_t below = 0;
    char have[64] = "there are more znodes";
    bool counted = cohort_count (client, path, NULL, &below, NULL) == COHORT_OK;
    if (counted) {
        snprintf (have, sizeof have, "there are %" PRId64 " znodes", below + 1);
    }
    if (limit > 0 && limit < TREES_MAX) {
        snprintf (text, size, "%s, and --limit is %d (raise it, or use: cohort deleteall %s)", have,
                  limit, path);
    } else {
        snprintf (text, size,
                  "%s, and all that one transaction deletes with delete-tree is %d at most (use: "
                  "cohort deleteall %s)",
                  have, TREES_MAX, path);
    }
}

/* Which operation was to blame. */
static void blame (cohort_t *client, const struct plan *plan, size_t index, int rc)
{
    const char *name = plan->items[index].operation->name, *path = plan->items[index].path;
    char tree[512];
    const char *text = cohort_error_text (rc);
    if (rc == COHORT_EINVAL && strncmp (name, "delete", 6) == 0 && strcmp (path, "/") == 0) {
        text = "/ cannot be deleted";
    } else if (rc == COHORT_ETOOBIG && strcmp (name, "delete-tree") == 0) {
        describe_tree (client, path, plan->items[index].limit, tree, sizeof tree);
        text = tree;
    }
    message ("txn: operation %zu, %s %s: %s; nothing has been changed", index + 1, name, path,
             text);
}

/* What became of each operation; and on stderr which one was to blame. */
static void report (cohort_t *client, const struct plan *plan, enum format format)
{
    struct emit emit;
    if (format != FORMAT_TEXT) {
        emit_begin (&emit, format);
    }
    for (size_t i = 0; i < plan->count; i++) {
        const cohort_op_result_t *result = cohort_txn_result (plan->txn, i);
        const char *name = plan->items[i].operation->name, *path = plan->items[i].path;
        if (result == NULL) {
            continue; /* it never left this process: the message says why */
        }
        if (format == FORMAT_TEXT) {
            print_line (name, path, result);
        } else {
            emit_item (&emit, result_json (name, path, result));
        }
        if (result->rc != COHORT_OK && result->rc != COHORT_EROLLEDBACK) {
            blame (client, plan, i, result->rc);
        }
    }
    if (format != FORMAT_TEXT) {
        emit_end (&emit);
    }
}

int cmd_txn (const struct arguments *arguments)
{
    struct plan *plan = calloc (1, sizeof *plan);
    if (plan == NULL) {
        message ("out of memory");
        return CLI_EXIT_FAILED;
    }
    struct session session;
    int code = plan_make (plan, arguments) ? CLI_EXIT_OK : CLI_EXIT_USAGE;
    if (code == CLI_EXIT_OK) {
        code = session_open (&session, &arguments->settings, NULL);
    }
    if (code == CLI_EXIT_OK) {
        int rc = cohort_multi (session.client, plan->txn);
        if (rc == COHORT_OK || cohort_txn_result (plan->txn, 0) != NULL) {
            report (session.client, plan, arguments->settings.format);
            code = exit_code_of (rc);
        } else {
            code = session_result (&session, ACTIVITY_SET, "txn", rc);
        }
        session_close (&session);
    }
    plan_destroy (plan);
    return code;
}

#include "client/cli/txn_operation.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/nearest.h"
#include "client/cli/arguments.h"
#include "client/cli/command_flags.h"
#include "client/cli/output.h"
#include "client/cli/words.h"

static const struct flag create_flags[] = {
    {'s', "sequential", NULL, "add a number of the parent's to the name"},
    {'e', "ephemeral", NULL, "the znode vanishes with its session, when this command ends"},
    {'c', "container", NULL, "a container"},
    {'t', "ttl", "MS", "a time to live"},
    {FLAG_IF_ABSENT, "if-absent", NULL, "a znode that is there already is left alone"},
    {'b', "base64", NULL, "DATA is base64"},
    {0},
};

static const struct flag set_flags[] = {
    {'v', "if-version", "N", "only if the data has version N"},
    {'b', "base64", NULL, "DATA is base64"},
    {0},
};

static const struct flag acl_flags[] = {
    {'v', "if-version", "N", "only if the list has aclVersion N"},
    {0},
};

static const struct flag delete_flags[] = {
    {'v', "if-version", "N", "only if the data has version N"},
    {FLAG_IF_PRESENT, "if-present", NULL, "that there is no such znode is no error"},
    {0},
};

static const struct flag tree_flags[] = {
    {'v', "if-version", "N", "only if the data of PATH has version N"},
    {FLAG_LIMIT, "limit", "N", "at most so many znodes"},
    {0},
};

static const struct flag add_flags[] = {
    {FLAG_FLOOR, "floor", "N", "the sum must not be below"},
    {FLAG_CEILING, "ceiling", "N", "the sum must not be above"},
    {0},
};

const struct command txn_operations[] = {
    {"create", "PATH [DATA] [ACL]", 1, 3, "create a znode", "", create_flags, "", NULL},
    {"set", "PATH DATA", 2, 2, "replace the data", "", set_flags, "", NULL},
    {"delete", "PATH", 1, 1, "delete a znode without children", "", delete_flags, "", NULL},
    {"delete-tree", "PATH", 1, 1, "delete a znode and all below it", "", tree_flags, "", NULL},
    {"add", "PATH [DELTA]", 1, 2, "add to a counter", "", add_flags, "", NULL},
    {"set-acl", "PATH ACL", 2, 2, "say who may do what", "", acl_flags, "", NULL},
    {"check", "PATH VERSION", 2, 2, "the data has that version", "", command_no_flags, "", NULL},
    {"check-czxid", "PATH CZXID", 2, 2, "that zxid created it", "", command_no_flags, "", NULL},
    {"check-owner", "PATH SESSION OZXID", 3, 3, "that session owns it", "", command_no_flags, "",
     NULL},
    {"check-absent", "PATH", 1, 1, "there is no such znode", "", command_no_flags, "", NULL},
};

const size_t txn_operation_count = sizeof txn_operations / sizeof txn_operations[0];

/* One line while it is understood. */
struct parse {
    struct arguments arguments;
    cohort_txn_t *txn;
    char *error;
    size_t size;
    int limit; /* of a delete-tree; 0: none */
};

static bool flag_number (struct parse *self, int flag_id, int64_t min, int64_t max,
                         int64_t otherwise, int64_t *number)
{
    const char *text = arguments_value (&self->arguments, flag_id);
    *number = otherwise;
    if (text != NULL && !arguments_parse_number (text, min, max, number)) {
        snprintf (self->error, self->size, "'%s' is not a number from %" PRId64 " to %" PRId64,
                  text, min, max);
        return false;
    }
    return true;
}

/* An operand, as a zxid or session id is printed. */
static bool operand_id (struct parse *self, int index, uint64_t *id)
{
    const char *text = self->arguments.operands[index];
    if (!arguments_parse_id (text, id)) {
        snprintf (self->error, self->size, "'%s' is not a number such as 0x100000002", text);
        return false;
    }
    return true;
}

static bool operand_number (struct parse *self, int index, int64_t min, int64_t max,
                            int64_t *number)
{
    const char *text = self->arguments.operands[index];
    if (!arguments_parse_number (text, min, max, number)) {
        snprintf (self->error, self->size, "'%s' is not a number from %" PRId64 " to %" PRId64,
                  text, min, max);
        return false;
    }
    return true;
}

/* The DATA operand, decoded in place. */
static bool operand_data (struct parse *self, const char **data, size_t *size)
{
    *data = NULL;
    *size = 0;
    if (self->arguments.operand_count < 2) {
        return true;
    }
    char *text = self->arguments.operands[1];
    *data = text;
    *size = strlen (text);
    if (arguments_has (&self->arguments, 'b') && !output_decode_base64 (text, size)) {
        snprintf (self->error, self->size, "the data is not base64");
        return false;
    }
    return true;
}

static bool operand_acl (struct parse *self, int index, cohort_acl_t **acl)
{
    const char *wrong = "out of memory";
    *acl = cohort_acl_parse (self->arguments.operands[index]);
    if (*acl != NULL && cohort_acl_error (*acl, &wrong) == COHORT_OK) {
        return true;
    }
    snprintf (self->error, self->size, "the access control list: %s", wrong);
    cohort_acl_destroy (acl);
    return false;
}

static int add_create (struct parse *self, const char *path)
{
    const struct arguments *arguments = &self->arguments;
    bool ephemeral = arguments_has (arguments, 'e'), container = arguments_has (arguments, 'c');
    cohort_create_options_t options = {
        .size = sizeof options,
        .mode = (ephemeral ? COHORT_EPHEMERAL : 0) | (container ? COHORT_CONTAINER : 0) |
                (arguments_has (arguments, 's') ? COHORT_SEQUENTIAL : 0),
        .if_absent = arguments_has (arguments, FLAG_IF_ABSENT),
    };
    const char *data;
    size_t size;
    if (!flag_number (self, 't', 1, INT64_MAX, 0, &options.ttl_ms) ||
        !operand_data (self, &data, &size)) {
        return COHORT_EINVAL;
    }
    cohort_acl_t *acl = NULL;
    if (arguments->operand_count > 2 && !operand_acl (self, 2, &acl)) {
        return COHORT_EINVALIDACL;
    }
    options.acl = acl;
    int rc = cohort_txn_create_with (self->txn, path, data, size, &options);
    cohort_acl_destroy (&acl);
    return rc;
}

static int add_set_acl (struct parse *self, const char *path)
{
    int64_t version;
    cohort_acl_t *acl = NULL;
    if (!flag_number (self, 'v', COHORT_ANY_VERSION, INT32_MAX, COHORT_ANY_VERSION, &version)) {
        return COHORT_EINVAL;
    }
    if (!operand_acl (self, 1, &acl)) {
        return COHORT_EINVALIDACL;
    }
    int rc = cohort_txn_set_acl (self->txn, path, acl, (int32_t) version);
    cohort_acl_destroy (&acl);
    return rc;
}

static int add_counter (struct parse *self, const char *path)
{
    int64_t delta = 1, floor, ceiling;
    if (!flag_number (self, FLAG_FLOOR, INT64_MIN, INT64_MAX, INT64_MIN, &floor) ||
        !flag_number (self, FLAG_CEILING, INT64_MIN, INT64_MAX, INT64_MAX, &ceiling) ||
        (self->arguments.operand_count > 1 &&
         !operand_number (self, 1, INT64_MIN, INT64_MAX, &delta))) {
        return COHORT_EINVAL;
    }
    return cohort_txn_add (self->txn, path, delta, floor, ceiling);
}

static int add_check (struct parse *self, const char *name, const char *path)
{
    int64_t version = 0;
    uint64_t first = 0, second = 0;
    if (strcmp (name, "check-absent") == 0) {
        return cohort_txn_check_absent (self->txn, path);
    }
    if (strcmp (name, "check") == 0) {
        return operand_number (self, 1, COHORT_ANY_VERSION, INT32_MAX, &version)
                   ? cohort_txn_check (self->txn, path, (int32_t) version)
                   : COHORT_EINVAL;
    }
    if (!operand_id (self, 1, &first)) {
        return COHORT_EINVAL;
    }
    if (strcmp (name, "check-czxid") == 0) {
        return cohort_txn_check_czxid (self->txn, path, first);
    }
    return operand_id (self, 2, &second) ? cohort_txn_check_owner (self->txn, path, first, second)
                                         : COHORT_EINVAL;
}

static int add_operation (struct parse *self, const char *name, const char *path)
{
    int64_t version, limit;
    if (strcmp (name, "create") == 0) {
        return add_create (self, path);
    }
    if (strcmp (name, "set-acl") == 0) {
        return add_set_acl (self, path);
    }
    if (strcmp (name, "add") == 0) {
        return add_counter (self, path);
    }
    if (strncmp (name, "check", 5) == 0) {
        return add_check (self, name, path);
    }
    if (!flag_number (self, 'v', COHORT_ANY_VERSION, INT32_MAX, COHORT_ANY_VERSION, &version) ||
        !flag_number (self, FLAG_LIMIT, 1, INT32_MAX, 0, &limit)) {
        return COHORT_EINVAL;
    }
    if (strcmp (name, "delete") == 0 && arguments_has (&self->arguments, FLAG_IF_PRESENT)) {
        return cohort_txn_delete_if_present (self->txn, path, (int32_t) version);
    }
    if (strcmp (name, "delete") == 0) {
        return cohort_txn_delete (self->txn, path, (int32_t) version);
    }
    if (strcmp (name, "delete-tree") == 0) {
        self->limit = (int) limit;
        return cohort_txn_delete_tree (self->txn, path, self->limit, (int32_t) version);
    }
    const char *data;
    size_t size;
    return operand_data (self, &data, &size)
               ? cohort_txn_set (self->txn, path, data, size, (int32_t) version)
               : COHORT_EINVAL;
}

static const struct command *find (const char *name, char *error, size_t size)
{
    const char *names[16];
    for (size_t i = 0; i < txn_operation_count; i++) {
        names[i] = txn_operations[i].name;
        if (strcmp (names[i], name) == 0) {
            return &txn_operations[i];
        }
    }
    int nearest = nearest_word (name, names, txn_operation_count);
    if (nearest >= 0) {
        snprintf (error, size, "'%s' is not an operation (did you mean '%s'?)", name,
                  names[nearest]);
    } else {
        snprintf (error, size, "'%s' is not an operation (see: cohort help txn)", name);
    }
    return NULL;
}

const struct command *txn_operation_add (cohort_txn_t *txn, char *line, const char **path,
                                         int *limit, char *error, size_t size)
{
    struct words words;
    const char *problem;
    *error = 0;
    if (!words_split (&words, line, &problem)) {
        snprintf (error, size, "%s", problem);
        return NULL;
    }
    const struct command *operation = words.count > 0 ? find (words.items[0], error, size) : NULL;
    if (operation == NULL) {
        return NULL;
    }
    struct parse parse = {.txn = txn, .error = error, .size = size};
    if (!arguments_parse_words (&parse.arguments, operation, words.count, words.items)) {
        snprintf (error, size, "%s", parse.arguments.error);
        return NULL;
    }
    *path = parse.arguments.operands[0];
    size_t before = cohort_txn_count (txn);
    int rc = add_operation (&parse, operation->name, *path);
    if (rc == COHORT_ETOOBIG && before >= TXN_OPERATIONS_MAX) {
        snprintf (error, size, "a transaction has at most %d operations", TXN_OPERATIONS_MAX);
    } else if (rc != COHORT_OK && *error == 0) {
        snprintf (error, size, "%s: %s", *path, cohort_error_text (rc));
    }
    *limit = parse.limit;
    return rc == COHORT_OK ? operation : NULL;
}

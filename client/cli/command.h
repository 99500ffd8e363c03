/* The commands of `cohort`: one table from which parsing, help and suggestions are made.
 * May include: arguments, the public client API. */

#ifndef COHORT_CLI_COMMAND_H
#define COHORT_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

struct arguments;

/* Flags without a letter have an id above all letters. */
enum flag_id {
    FLAG_HELP = 'h',
    FLAG_OUTPUT = 'o',
    FLAG_SERVERS = 256,
    FLAG_SERVER_KEY,
    FLAG_TIMEOUT,
    FLAG_VERSION,
    FLAG_ACL,
    FLAG_AFTER,
    FLAG_AUTH,
    FLAG_AUTH_FILE,
    FLAG_BYTES,
    FLAG_CEILING,
    FLAG_CLUSTER_ID,
    FLAG_CONTEXT,
    FLAG_COUNT,
    FLAG_DATA_DIR,
    FLAG_DEFAULT,
    FLAG_DEPTH,
    FLAG_FILTER,
    FLAG_FLOOR,
    FLAG_GRACE,
    FLAG_HISTOGRAM,
    FLAG_HOLD,
    FLAG_IF_ABSENT,
    FLAG_IF_PRESENT,
    FLAG_INFO,
    FLAG_JSON,
    FLAG_KEY,
    FLAG_KEYS,
    FLAG_KIND,
    FLAG_LIMIT,
    FLAG_LINEARIZABLE,
    FLAG_MAN,
    FLAG_MEMBERS,
    FLAG_MTIME,
    FLAG_NAME,
    FLAG_ONCE,
    FLAG_ONE_LINE,
    FLAG_OVERWRITE,
    FLAG_PREFIX,
    FLAG_RATE,
    FLAG_SESSION,
    FLAG_SESSIONS,
    FLAG_SHA1,
    FLAG_SHARED,
    FLAG_SIZE,
    FLAG_SKIP_EPOCHS,
    FLAG_STATE_FILE,
    FLAG_TO,
    FLAG_TO_KEY,
    FLAG_TOTAL,
    FLAG_WAIT,
    FLAG_WINDOW,
    FLAG_YES
};

struct flag {
    int id;               /* its letter, or FLAG_...; 0 ends a list of flags                    */
    const char *name;     /* the long form, without dashes                                      */
    const char *argument; /* what the help calls its argument; NULL: it takes none              */
    const char *text;     /* what it does                                                       */
};

struct command {
    const char *name;
    const char *operands; /* as the usage line has them                                         */
    int operands_min;
    int operands_max;
    const char *summary;      /* one line                                                       */
    const char *details;      /* whole lines; "": the summary says it all                       */
    const struct flag *flags; /* of this command alone                                          */
    const char *example;      /* whole lines                                                    */
    int (*run) (const struct arguments *arguments); /* returns the exit status                  */
};

/* What every command understands; ended like each list of flags. */
extern const struct flag command_common_flags[];

/* `cohort` itself: flags may also stand in front of the command. */
extern const struct command command_root;

extern const struct command command_table[];
extern const size_t command_count;

/* What the commands of the table are about, from the one with that name on; the last one has
 * neither. */
struct command_group {
    const char *first;
    const char *title;
};
extern const struct command_group command_groups[];

/* The command of that name, or NULL. */
const struct command *command_find (const char *name);

/* The name of the command that was probably meant: one that is spelled much like it, or the one
 * that does what zkCli or etcdctl call by that name. NULL: no idea. */
const char *command_suggest (const char *name);

/* For a command of zkCli that is not there: why, and what to do instead. NULL: it is no such one.
 */
const char *command_missing (const char *name);

/* Whether it asks no server, and is what helps when the file of contexts is damaged. */
bool command_is_local (const struct command *command);

/* Each returns its exit status; arguments have been checked against the table. */
int cmd_addauth (const struct arguments *arguments);
int cmd_admins (const struct arguments *arguments);
int cmd_bench (const struct arguments *arguments);
int cmd_completion (const struct arguments *arguments);
int cmd_config (const struct arguments *arguments);
int cmd_context (const struct arguments *arguments);
int cmd_session (const struct arguments *arguments);
int cmd_cp (const struct arguments *arguments);
int cmd_create (const struct arguments *arguments);
int cmd_delete (const struct arguments *arguments);
int cmd_deleteall (const struct arguments *arguments);
int cmd_delquota (const struct arguments *arguments);
int cmd_count (const struct arguments *arguments);
int cmd_digest (const struct arguments *arguments);
int cmd_du (const struct arguments *arguments);
int cmd_edit (const struct arguments *arguments);
int cmd_elect (const struct arguments *arguments);
int cmd_ephemerals (const struct arguments *arguments);
int cmd_export (const struct arguments *arguments);
int cmd_find (const struct arguments *arguments);
int cmd_get (const struct arguments *arguments);
int cmd_get_acl (const struct arguments *arguments);
int cmd_grep (const struct arguments *arguments);
int cmd_help (const struct arguments *arguments);
int cmd_import (const struct arguments *arguments);
int cmd_incr (const struct arguments *arguments);
int cmd_listquota (const struct arguments *arguments);
int cmd_lock (const struct arguments *arguments);
int cmd_ls (const struct arguments *arguments);
int cmd_mirror (const struct arguments *arguments);
int cmd_set_acl (const struct arguments *arguments);
int cmd_set (const struct arguments *arguments);
int cmd_setquota (const struct arguments *arguments);
int cmd_shell (const struct arguments *arguments);
int cmd_snapshot (const struct arguments *arguments);
int cmd_stat (const struct arguments *arguments);
int cmd_status (const struct arguments *arguments);
int cmd_sync (const struct arguments *arguments);
int cmd_tree (const struct arguments *arguments);
int cmd_txn (const struct arguments *arguments);
int cmd_version (const struct arguments *arguments);
int cmd_watch (const struct arguments *arguments);
int cmd_whoami (const struct arguments *arguments);
int cmd_why (const struct arguments *arguments);

#endif

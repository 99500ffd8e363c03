/* The flags of each command, as the table has them: each list ends like all lists of flags.
 * May include: command. */

#ifndef COHORT_CLI_COMMAND_FLAGS_H
#define COHORT_CLI_COMMAND_FLAGS_H

#include "client/cli/command.h"

extern const struct flag command_create_flags[];
extern const struct flag command_get_flags[];
extern const struct flag command_config_flags[];
extern const struct flag command_session_flags[];
extern const struct flag command_set_flags[];
extern const struct flag command_get_acl_flags[];
extern const struct flag command_set_acl_flags[];
extern const struct flag command_digest_flags[];
extern const struct flag command_ls_flags[];
extern const struct flag command_stat_flags[];
extern const struct flag command_count_flags[];
extern const struct flag command_ephemerals_flags[];
extern const struct flag command_incr_flags[];
extern const struct flag command_tree_flags[];
extern const struct flag command_du_flags[];
extern const struct flag command_find_flags[];
extern const struct flag command_mirror_flags[];
extern const struct flag command_grep_flags[];
extern const struct flag command_copy_flags[];
extern const struct flag command_export_flags[];
extern const struct flag command_import_flags[];
extern const struct flag command_delete_flags[];
extern const struct flag command_deleteall_flags[];
extern const struct flag command_watch_flags[];
extern const struct flag command_setquota_flags[];
extern const struct flag command_delquota_flags[];
extern const struct flag command_status_flags[];
extern const struct flag command_snapshot_flags[];
extern const struct flag command_bench_flags[];
extern const struct flag command_lock_flags[];
extern const struct flag command_elect_flags[];
extern const struct flag command_help_flags[];
extern const struct flag command_no_flags[];

#endif

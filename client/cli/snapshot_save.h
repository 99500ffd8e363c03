/* A backup of a running ensemble, as a file.
 * May include: arguments, auth, exit_code, message, progress, session, the public client API,
 * server/backup. */

#ifndef COHORT_CLI_SNAPSHOT_SAVE_H
#define COHORT_CLI_SNAPSHOT_SAVE_H

#include "client/cli/arguments.h"
#include "server/backup/backup.h"

/* Asks the servers, one after the other, and writes what one of them sends to a temporary file next
 * to `file`; verified and synced it gets that name, in place of what was there. CLI_EXIT_OK, or
 * what to exit with: then a message has been printed and nothing is left. SIGINT and SIGTERM end it
 * in the same way. Bounded memory. Blocks. */
int snapshot_save (const struct settings *settings, const char *file, struct backup_info *info);

#endif

/* The state file: who the session of this process is, for the process after it.
 *
 * Text, one key=value a line, and the check sum of all of it. It is replaced as a whole: a new file
 * beside it (its name and ".new"), synced, takes its name, and then the folder is synced. Whoever
 * can read it can be the session, so only its owner can.
 *
 * An incarnation is written down before it is used: a process that dies in between leaves a number
 * unused, and two processes never use the same one, unless they read the file at the same time;
 * then the servers take the first of them.
 * May include: session, base, libc, POSIX files. */

#ifndef COHORT_CLIENT_STATE_FILE_H
#define COHORT_CLIENT_STATE_FILE_H

#include <stddef.h>

#include "client/base/buf.h"
#include "client/src/session.h"

#define STATE_FILE_PATH_MAX 4096

/* Reads it. 0: *identity is what it says, its id is 0 where there is no file, or no session in it;
 * `servers` is what they were, ended with 0. COHORT_ECORRUPT: it is damaged, COHORT_ESYSTEM: it
 * cannot be read, COHORT_ENOMEM: `text` names it, and says what to do. */
int state_file_read (const char *path, struct session_identity *identity, struct buf *servers,
                     char *text, size_t text_size);

/* Replaces it, durably. COHORT_ESYSTEM, COHORT_ENOMEM; `text` as above. */
int state_file_write (const char *path, const struct session_identity *identity,
                      const char *servers, char *text, size_t text_size);

#endif

/*
 * server/backup/backup.h - snapshots outside of a data folder: looked at, and made into an ensemble
 *
 * Offline: nothing here talks to a server.  A backup is a snapshot's file as the store writes it
 * (server/store/format.h), under any name.  All of it blocks.
 *
 * Errors: COHORT_E... with an English text that names the thing and says what to do.
 */
#ifndef SERVER_BACKUP_BACKUP_H
#define SERVER_BACKUP_BACKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/config.h"
#include "server/core/zxid.h"

struct backup_info {
    uint8_t cluster_id[16];
    uint32_t server_id; /* that wrote it */
    zxid_t zxid;
    int64_t time_ms; /* of the last entry in it */
    uint64_t znodes, sessions;
    uint64_t ephemerals; /* BACKUP_UNKNOWN: not counted                                   */
    uint64_t size;       /* bytes of content */
    uint64_t file_size;  /* bytes of the file */
    uint64_t digest;     /* of the state */
};

#define BACKUP_UNKNOWN UINT64_MAX

/* Verifies every checksum and the digest of the content, in bounded memory, and says what is in it
 * but for the ephemerals.  That it loads was verified by the server that wrote it.  Errors as of
 * backup_check. */
int backup_verify (const char *file, struct backup_info *info, char *error, size_t error_size);

/* Verifies everything - every checksum, the digest of the content, and that it loads and gives the
 * state whose digest it names - and says what is in it.  COHORT_ECORRUPT, COHORT_ECONFIG (another
 * version), COHORT_ENONODE (no such file), COHORT_ESYSTEM, COHORT_ENOMEM. */
int backup_check (const char *file, struct backup_info *info, char *error, size_t error_size);

/* How many epochs a restored ensemble leaves out, unless told otherwise: its zxids are above all
 * that the old one can have given out since, if that held no more elections. */
enum { BACKUP_EPOCHS_SKIPPED = 10000, BACKUP_SERVERS_MAX = CONFIG_MEMBERS_MAX };

struct backup_restore {
    const char *file;
    uint8_t cluster_id[16]; /* of the new ensemble */
    uint32_t epochs_skipped;
    size_t members_count; /* all of the new ensemble, ascending */
    struct {
        uint32_t id;
        bool observer;
        const char *folder; /* where its data shall be; NULL: not made here */
    } members[BACKUP_SERVERS_MAX];
};

/* Makes the data folders of a new ensemble from a backup.  Its members, cluster id and stores are
 * new; all sessions have ended, and their ephemerals are gone, as if an administrator had closed
 * them: entries of an epoch above all that the old ensemble can have had.  The same file, cluster
 * id, members and epochs give the same state anywhere, so that each machine may make its own
 * folder. A folder must be empty (a file myid, if it names the same id, excepted) or not be there:
 * COHORT_ENOTEMPTY; nothing was changed then.  Wherever else it fails, or is killed, the folders it
 * has begun are marked (format.h: NAME_RESTORING), and no server starts there.  info: of the new
 * state. */
int backup_restore (const struct backup_restore *options, struct backup_info *info, char *error,
                    size_t error_size);

#endif

/*
 * server/node/backups.h - this server's snapshot file, for clients that ask for it
 *
 * A backup is the state as this server has it when it is asked, or a little later: the newest
 * snapshot if that is of this very state, else one that is written for it.  The file goes out as it
 * is, piece by piece, read by the disk thread, a window ahead of what the client has confirmed; it
 * is kept while it is sent, whatever is purged meanwhile.
 *
 * At most BACKUPS_MAX at a time, a chunk of memory for each; a client that is silent is forgotten.
 */
#ifndef SERVER_NODE_BACKUPS_H
#define SERVER_NODE_BACKUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/node/bounds.h"
#include "server/node/checkpoint.h"
#include "server/node/logger.h"
#include "server/store/store.h"

enum {
    BACKUPS_MAX = 4,
    BACKUPS_CHUNK = 128 << 10,
    BACKUPS_WINDOW = 4 * BACKUPS_CHUNK,
    BACKUPS_WAIT_MS = 1000,     /* between two signs of life while the file is made */
    BACKUPS_MAKE_MS = 300000,   /* for the file to be made */
    BACKUPS_SILENCE_MS = 30000, /* of a client that should have confirmed something */
    BACKUPS_RETRY_MS = 5,       /* when its pipe is full */
    BACKUPS_TEXT = 400
};

/* Of client.proto: BackupPart. */
struct backup_part {
    uint64_t file_size; /* 0: not known yet */
    zxid_t zxid;
    uint64_t offset;
    const uint8_t *data;
    size_t size;
    uint64_t sum; /* with the last piece */
    int code;     /* 0, or it comes to nothing, and text says why */
    const char *text;
};

struct backups_host {
    void *arg;
    /* false: the pipe is full, nothing was taken. */
    bool (*send) (void *arg, uint64_t connection, const struct backup_part *part);
};

struct backups;

/* NULL: out of memory.  store and checkpoint are borrowed. */
struct backups *backups_new (struct store *store, struct checkpoint *checkpoint,
                             const struct backups_host *host, const struct logger *logger);
void backups_destroy (struct backups **self_p);

/* A client's BackupQuery; applied: where the state is, 0: there is none that could be saved. */
void backups_query (struct backups *self, uint64_t connection, uint64_t received, zxid_t applied,
                    int64_t now_ms);

/* Why this server's state may be wrong, so that nothing of it is handed out: those under way end
 * with this text, and others are refused.  NULL: that is over. */
void backups_bar (struct backups *self, const char *reason);

/* The connection has ended. */
void backups_closed (struct backups *self, uint64_t connection);

/* Sends what has been read, and asks for more.  The store wakes its owner when there is. */
void backups_turn (struct backups *self, zxid_t applied, int64_t now_ms);
int64_t backups_deadline (const struct backups *self);

size_t backups_count (const struct backups *self);

/* What of each is under way. */
void backups_bounds (const struct backups *self, struct bounds *bounds);

#endif

/*
 * cohort/snapshot.h - the whole state of a running server, as a file
 */
#ifndef COHORT_SNAPSHOT_H
#define COHORT_SNAPSHOT_H

#include "cohort/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cohort_snapshot_options {
    size_t size;            /* sizeof (cohort_snapshot_options_t) */
    void *zmq_context;      /* borrowed ZeroMQ context, NULL: a new one for the call */
    int connect_timeout_ms; /* for a server to answer before the next is tried; 0: 1,000 */
    int silence_ms;         /* of a server that has answered, before it is given up; 0: 10,000 */
    const char *server_key; /* CURVE: as in cohort_options_t */
    const char *public_key;
    const char *secret_key;
    const char *auth_scheme; /* who asks, as of cohort_add_auth; NULL, all three: nobody */
    const char *auth_user;
    const char *auth_password;
} cohort_snapshot_options_t;

typedef struct cohort_snapshot {
    const char *server; /* the endpoint that sends it */
    uint64_t zxid;      /* exactly the state behind this transaction */
    uint64_t size;      /* bytes of the whole file; 0: not known yet, the server is writing it */
    uint64_t offset;    /* of the data in the file */
} cohort_snapshot_t;

/* A piece of the file, in order.  Offset 0 again: a server broke off, and another begins from the
 * beginning with a file of its own.  data NULL: nothing has come for a moment (a few times a
 * second).  Runs inside cohort_snapshot_read, on its thread.  Other than 0: that is enough, and it
 * is what cohort_snapshot_read returns. */
typedef int cohort_snapshot_fn (void *arg, const cohort_snapshot_t *snapshot, const void *data,
                                size_t size);

/* Reads the state of a running server as a snapshot file, which `cohort snapshot status` and
 * `restore` take: all sessions, znodes and limits, exact at one zxid, with all that the server had
 * applied when it was asked, while requests go on.  Needs no session, and no quorum.  A follower
 * may be a moment behind its leader: call cohort_sync first, on a session with the same server, if
 * something has to be in it.
 *
 * Where the ensemble has administrators it takes one (docs/acl.md): by auth_scheme, auth_user and
 * auth_password, by the key, or by the address.  Of a password the call makes what cohort_add_auth
 * would send (about 0.1 s and 64 MiB), sends it to each server that it asks, and wipes it.
 *
 * servers: as of cohort_new (a chroot is of no meaning); they are asked one after the other, in the
 * order of the list, until one has sent everything.  Bounded memory, whatever the size: a piece is
 * at most 1 MiB, and a server waits for this call.  Everything is checksummed, on the way too.
 *
 * 0, what fn has returned, or the reason of the server that came furthest, with a text in
 * error[error_size] that names the server: COHORT_ECONNECT, COHORT_EAUTHFAILED, COHORT_ETIMEDOUT,
 * COHORT_ENOAUTH (it takes an administrator), COHORT_ESTATE (it has no state yet), COHORT_ELIMIT
 * (it is making as many backups as it can), COHORT_EDISKFULL (there; the file is written to its
 * disk first), COHORT_ECORRUPT (what came is not what was sent, or its file is damaged),
 * COHORT_EPROTOCOL; COHORT_EINVAL: servers or options are malformed, or what is proven is;
 * COHORT_ENOMEM, COHORT_ESYSTEM.  Any thread; blocks. */
COHORT_API int cohort_snapshot_read (const char *servers, const cohort_snapshot_options_t *options,
                                     cohort_snapshot_fn *fn, void *arg, char *error,
                                     size_t error_size) COHORT_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif

/*
 * server/node/bootstrap.h - how a server becomes part of an ensemble
 *
 * A store without cluster id has never counted and must not: it would take its emptiness for
 * everybody's.  So an ensemble is founded once, with all its voters present:
 *
 *      EMPTY     no cluster id
 *      PREPARED  cluster id and members (with their store ids) are persisted
 *      DONE      every voter was prepared; elections may take place
 *
 * The voter with the lowest id founds, when all voters are linked and none is DONE: it prepares
 * itself, then proposes; the others persist the proposal and say PREPARED; when all have, it
 * persists DONE and says so, and they do.  As long as nobody is DONE no voter can have an entry,
 * so a round may begin anew with whatever cluster id: a later proposal replaces an earlier one.
 *
 * Whoever is not DONE and hears from a server that is joins that ensemble: with the cluster id
 * and the members it is told.  If its store is listed there (it was prepared), it counts; if not
 * (emptied, or added later), it follows uncounted until an entry of the log lists it.  It has
 * promised nothing so far, for the core runs only when it is DONE.
 *
 * A store that has lost what it held of an ensemble (store_meta.trust, and no members) is as good
 * as empty, and must not be taken for one that never held anything: it says nothing, founds
 * nothing, and joins when a server that is DONE speaks to it.  It may have entries: what could not
 * be read may be readable again, before the repair that set out to remove it has done so.  They
 * are worth what its mark says.
 *
 * A standalone server is DONE at once.  Pure: time and messages come in, the host acts.
 */
#ifndef SERVER_NODE_BOOTSTRAP_H
#define SERVER_NODE_BOOTSTRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/node/logger.h"
#include "server/node/wire_peer.h"
#include "server/store/store.h"

struct bootstrap;

enum { BOOTSTRAP_REPEAT_MS = 100 };

struct bootstrap_host {
    void *arg;
    void (*send) (void *arg, uint32_t peer, const struct peer_bootstrap *message);

    /* Durable when it returns 0; else the server has failed. */
    int (*persist) (void *arg, const struct store_meta *meta);

    /* The members that count now, for those who join; NULL: those of the metadata. */
    const struct config *(*config) (void *arg);
};

struct bootstrap_options {
    uint32_t id;
    const struct config *configured; /* ids and roles; copied */
    const struct store_meta *meta;   /* as found; copied */
    bool log_empty;
    uint8_t cluster_id[PEER_CLUSTER_SIZE]; /* if this server founds */
    uint64_t seed;
    struct bootstrap_host host;
    struct logger logger;
};

/* NULL: out of memory. */
struct bootstrap *bootstrap_new (const struct bootstrap_options *options);
void bootstrap_destroy (struct bootstrap **self_p);

/* Whether the configured ids and roles are those of `config`; else a text that says how not. */
bool bootstrap_same_members (const struct config *configured, const struct config *config,
                             char *error, size_t error_size);

/* DONE: the core may run, with the members of bootstrap_meta (or those of the log). */
bool bootstrap_done (const struct bootstrap *self);
const struct store_meta *bootstrap_meta (const struct bootstrap *self);

/* 0, or COHORT_E... : stop; text says why. */
int bootstrap_failure (const struct bootstrap *self, const char **text);

void bootstrap_link_up (struct bootstrap *self, uint32_t peer, uint64_t store_id);
void bootstrap_link_down (struct bootstrap *self, uint32_t peer);
void bootstrap_message (struct bootstrap *self, uint32_t peer,
                        const struct peer_bootstrap *message);

/* Does what is due: repeats messages, founds.  Also right at the start. */
void bootstrap_time (struct bootstrap *self, int64_t now_ms);
int64_t bootstrap_deadline (const struct bootstrap *self);

#endif

/*
 * server/tree/session.h - a session in memory, and its results
 *
 * PURE.  Internal to server/tree; what belongs to the state is changed by change.h only.
 */
#ifndef SERVER_TREE_SESSION_H
#define SERVER_TREE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/list.h"
#include "client/base/map.h"
#include "client/base/ring.h"
#include "client/base/slab.h"
#include "server/tree/entry.h"

struct tree;

/* The result of a number above session.acked; results of a session are in a row, the newest is
 * that of last_number. */
struct stored {
    struct list_node node; /* of tree.results: in order of age, whatever the session */
    struct session *session;
    uint64_t number;
    uint64_t digest;     /* its part of the state's */
    uint32_t generation; /* newest snapshot that has no use for it any more */
    uint32_t size;
    uint8_t bytes[];
};

struct session {
    struct map_node node;       /* of tree.sessions; its hash is the id */
    struct map_node nonce_node; /* of tree.nonces */
    struct list_node order;     /* of tree.session_order: ascending ids */
    struct list_node dead_node; /* of tree.dead */
    struct list estates;        /* what it owns (estate.h): ascending ids */
    struct ring results;        /* of struct stored * */
    size_t results_size;        /* bytes in them */
    uint64_t ephemeral_count;   /* in its estates */
    uint32_t estate_count;      /* those that have some */
    uint64_t digest;            /* its part of the state's */
    uint32_t generation;        /* newest snapshot that has no use for it any more */

    /* What a snapshot holds, in image.h's layout. */
    uint64_t id;
    uint8_t nonce[16]; /* of the creation */
    uint8_t password_hash[ENTRY_PASSWORD_HASH];
    uint32_t timeout_ms;
    uint32_t grace_ms;
    uint32_t incarnation;
    uint8_t process[16]; /* nonce of the process of this incarnation */
    uint64_t attach_no;
    uint32_t server;
    uint64_t last_number;
    uint64_t acked;
    bool condemned; /* an administrator has killed it; CLOSE follows when nobody counts on it */
    bool dead;
    uint8_t *identities; /* identity.h; NULL: none */
    uint32_t identities_size;
    uint64_t identities_digest; /* a hash of them */
};

/* A session in no tree.  NULL: out of memory. */
struct session *session_alloc (void);
/* With its results, which are pieces of the slab; its ephemerals are gone already. */
void session_release (struct slab *slab, struct session *self);

/* Each write stores a result and gives up another: pieces of a slab, which the next one takes as
 * they were left.  NULL: out of memory. */
struct stored *stored_new (struct slab *slab, struct session *session, uint64_t number,
                           const uint8_t *bytes, size_t size);
/* Of a result that is in no list any more. */
void stored_free (struct slab *slab, struct stored *self);

/* Replaces its identities; false: out of memory, nothing was changed. */
bool session_set_identities (struct session *self, const uint8_t *bytes, size_t size);

/* Whether it has ended for its client. */
bool session_over (const struct session *self);

/* Whether it is the hash of this session's password. */
bool session_admits (const struct session *self, const uint8_t password_hash[ENTRY_PASSWORD_HASH]);

/* The result of a number, or NULL. */
struct stored *session_stored (const struct session *self, uint64_t number);

/* Whether it passes every check of permissions. */
bool session_is_admin (const struct tree *tree, const struct session *session);

/* By id and by nonce; NULL: none. */
struct session *session_find (const struct map *sessions, uint64_t id);
struct session *session_find_nonce (const struct tree *tree, const uint8_t nonce[16]);
uint64_t session_nonce_hash (const struct tree *tree, const uint8_t nonce[16]);

#endif

/* The inside of the small ensemble, for fake*.c only: fake.c has connections and the thread,
 * fake_tree.c the tree, the requests and what follows a change. */

#ifndef COHORT_TESTS_CLIENT_FAKE_STATE_H
#define COHORT_TESTS_CLIENT_FAKE_STATE_H

#include <pthread.h>

#include "client.pb-c.h"
#include "client/base/digest_id.h"
#include "cohort/client.h"
#include "tests/unit/client/fake.h"

#define PATH_MAX_SIZE 128
#define SERVERS_MAX   4
#define PEERS_MAX     256
#define SESSIONS_MAX  256
#define NODES_MAX     512
#define WATCHES_MAX   512
#define STREAMS_MAX   64
#define HISTORY_MAX   4096
#define RESULTS_MAX   4096
#define HELD_MAX      256
#define ACL_SIZE      512
#define PROVEN_MAX    4

struct node {
    char path[PATH_MAX_SIZE];
    uint8_t *data;
    size_t size;
    uint64_t czxid, mzxid, owner, sequence;
    int32_t version, aversion;
    char acl[ACL_SIZE], inherited[ACL_SIZE]; /* items, one a line; "": open, none */
};

struct change {
    char path[PATH_MAX_SIZE], data[128];
    uint64_t zxid;
    uint32_t kind;
};

/* The result of a write: its code and the path that a create made. */
struct result {
    int32_t code;
    uint64_t zxid;
    char path[PATH_MAX_SIZE];
};

struct fake_session {
    uint64_t id, attach_no, last_number;
    uint8_t nonce[16];
    struct result *results;                  /* by number */
    char proven[PROVEN_MAX][DIGEST_ID_SIZE]; /* digest users */
    int proven_count;
};

/* A connection, by its routing id. */
struct peer {
    int server;
    uint32_t channel;
    uint8_t id[16];
    size_t id_size;
    uint64_t session;
};

struct fake_watch {
    uint64_t session;
    int kind;
    char path[PATH_MAX_SIZE];
};

struct fake_stream {
    uint64_t session, id;
    char path[PATH_MAX_SIZE];
};

struct held {
    struct peer peer;
    uint8_t *bytes;
    size_t size;
};

struct fake {
    void *context;
    bool own_context;
    pthread_t thread;
    int wake_fd;
    void *routers[SERVERS_MAX];
    char endpoints[SERVERS_MAX][128];
    char servers[SERVERS_MAX * 128];
    int count;
    const char *secret_key; /* CURVE, or NULL */
    /* Under the lock: what the test wants, and what it may know. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop, want_stopped[SERVERS_MAX], stopped[SERVERS_MAX], muted[SERVERS_MAX];
    bool expire, release;
    int swallow, refuse;
    char hold[64];
    uint64_t wanted, done;
    uint64_t counters[FAKE_COUNTERS];
    /* The thread's own. */
    uint64_t zxid, last_session;
    struct peer peers[PEERS_MAX];
    int peer_count;
    struct fake_session sessions[SESSIONS_MAX];
    int session_count;
    struct node nodes[NODES_MAX];
    int node_count;
    struct fake_watch watches[WATCHES_MAX];
    int watch_count;
    struct fake_stream streams[STREAMS_MAX];
    int stream_count;
    struct change history[HISTORY_MAX];
    int history_count;
    struct held held[HELD_MAX];
    int held_count;
};

/* Counts something that happened, for fake_await. */
void fake_happened (struct fake *self, enum fake_counter counter);

void fake_send (struct fake *self, const struct peer *peer, const Cohort__Wire__ServerFrame *frame);

/* ---- fake_tree.c ----------------------------------------------------------------------------- */

struct peer *fake_peer_of_session (struct fake *self, uint64_t session);
struct fake_session *fake_session_of (struct fake *self, uint64_t id);
void fake_end_session (struct fake *self, uint64_t id);
struct node *fake_find (struct fake *self, const char *path);
void fake_send_reply (struct fake *self, const struct peer *peer, Cohort__Wire__Reply *reply);
void fake_fill_stat (const struct node *node, Cohort__Wire__Stat *stat);
void fake_request (struct fake *self, const struct peer *peer,
                   const Cohort__Wire__Request *request);
void fake_set_watch (struct fake *self, uint64_t session, int kind, const char *path);
void fake_fire (struct fake *self, const char *path, int kind, int type);
void fake_open_stream (struct fake *self, const struct peer *peer,
                       const Cohort__Wire__StreamOpen *open);
/* id 0: all of the session. */
void fake_close_stream (struct fake *self, uint64_t session, uint64_t id);

/* ---- fake_acl.c ------------------------------------------------------------------------------ */

/* They keep what they are told and look at nothing: what permissions mean is tested elsewhere. */
void fake_take_acl (char acl[ACL_SIZE], Cohort__Wire__AclItem *const *items, size_t count);
int fake_set_acl (struct fake *self, const Cohort__Wire__SetAcl *set);
int fake_add_auth (struct fake_session *session, const Cohort__Wire__AddAuth *add);
void fake_get_acl (struct fake *self, const struct peer *peer, uint64_t xid,
                   const Cohort__Wire__GetAcl *get);
void fake_whoami (struct fake *self, const struct peer *peer, uint64_t xid);

#endif

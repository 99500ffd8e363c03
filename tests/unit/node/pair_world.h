/* Production clients against the production server side: what test_clients_pair.c drives. In
 * pair_actor.c what each client asks for and is told; in pair_net.c the connections between them,
 * what breaks them, and the turns of it all. */

#ifndef COHORT_TESTS_NODE_PAIR_WORLD_H
#define COHORT_TESTS_NODE_PAIR_WORLD_H

#include "client/base/prng.h"
#include "client/src/session.h"
#include "tests/unit/node/clients_world.h"

enum {
    SERVERS = 3,
    ACTORS = 4,
    LINKS_MAX = 512,
    STEPS = 3000,
    MIRROR_MAX = 64,
    BEATS_MAX = 16384,
    WRITES = 150, /* of an actor */
    EPHEMERALS = 4
};

struct frame {
    struct list_node node;
    size_t size;
    uint8_t data[];
};

/* A connection: what is on its way in both directions. */
struct wire {
    struct actor *actor; /* NULL: free */
    uint32_t link;
    size_t server;
    uint64_t connection; /* as the server knows it now */
    bool up, told;       /* the client: that it stands */
    bool closed;         /* by the client, or lost: the server hears of it later */
    bool full;
    struct list to_server, to_client;
};

struct mirrored {
    char path[32];
    char data[16];
    uint64_t owner, ozxid;
};

struct actor {
    struct net *net;
    size_t index;
    struct session *session;
    struct cohort_stream *stream;
    unsigned sets, set_done; /* of its own znode */
    unsigned creates, created;
    unsigned ephemerals, given; /* created; and hand-overs that gave some */
    int32_t version;            /* of its znode, as its writes have told */
    int value_seen;             /* by its reads */
    bool reading;               /* the shared znode, with a watch */
    char shared[16];
    uint64_t batch_zxid;
    struct mirrored mirror[MIRROR_MAX];
    size_t mirror_count;
    unsigned resets, events;
};

struct beat {
    size_t server;
    uint64_t session, attach_no, seq, token;
};

struct net {
    struct world *world;
    struct prng prng;
    uint64_t seed;
    struct wire wires[LINKS_MAX];
    size_t wires_count;
    struct actor actors[ACTORS];
    struct beat beats[BEATS_MAX];
    size_t beats_count;
    bool calm;             /* no more faults, no more work */
    int64_t deaf_until_ms; /* heartbeats before are lost */
    unsigned installed;    /* states taken over from another server */
};

#define REQUIRE(cond)                                                                              \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fail_msg ("seed %llu: %s", (unsigned long long) net->seed, #cond);                     \
        }                                                                                          \
    } while (false)

/* ---- pair_actor.c -------------------------------------------------------------------------- */

struct request *actor_make (enum wire_kind kind, const char *path, const char *data);

/* Reads what everybody changes, with a watch. */
void actor_read_shared (struct actor *actor);

/* Asks for something. */
void actor_act (struct actor *actor);

/* Checks what it is told. */
void actor_take_events (struct actor *actor);

/* ---- pair_net.c ---------------------------------------------------------------------------- */

struct net *net_new (uint64_t seed, const struct world_options *options);
void net_free (struct net *net);
void net_step (struct net *net);

/* No more faults, no more work: what was broken is whole again. */
void net_calm (struct net *net);

#endif

/* Clients of a simulated world that break the protocol, or its spirit: FAULT_ROGUE.
 *
 * They are no session machines: each speaks the protocol's frames as it likes, and knows little of
 * what it is told. Nobody keeps a history of them, for what they ask for changes no znode. What has
 * to hold is that they harm nobody: all that is judged of the others goes on being judged, in
 * lulls, too; that what a server keeps for them is bounded (invariant 30); and that they are
 * answered as they deserve. No partition and no fault of the network concerns them. */

#ifndef TESTS_SIMULATION_ROGUES_H
#define TESTS_SIMULATION_ROGUES_H

#include "client/base/arena.h"
#include "client/base/buf.h"
#include "tests/simulation/world.h"

enum { ROGUES_MAX = 4, ROGUE_ID_SIZE = 16 };

enum rogue_way {
    ROGUE_DEAF,       /* asks on and on, and takes no answer */
    ROGUE_GREEDY,     /* writes beyond its credit and its window */
    ROGUE_BABBLER,    /* sends what is no frame, or half of one */
    ROGUE_IMPOSTOR,   /* has the id of another's session, and not its password; and other hellos */
    ROGUE_MISCOUNTER, /* numbers its requests wrongly */
    ROGUE_WATCHER,    /* watches and follows more than anybody may */
    ROGUE_REMEMBERER, /* has watched so much before that it never comes to an end of telling it */
    ROGUE_HOARDER,    /* acknowledges no result */
    ROGUE_PULSE,      /* says too often that it lives, or never */
    ROGUE_GREETER,    /* says hello again and again */
    ROGUE_WAYS
};

struct sim_rogue {
    bool up;
    uint64_t fault; /* its number: until that is over */
    uint64_t life;  /* which of all in this place: what is scheduled for an earlier one is void */
    enum rogue_way way;
    struct prng prng;
    struct list links;   /* connections */
    uint64_t connection; /* the one that it has its session by, or is about to; 0: none */
    bool greeted, welcomed, deaf;
    int owed;    /* the code that it is to be refused with, if it is; 0: any of those that happen */
    int refused; /* the code that it was refused with */
    uint64_t connects; /* that it has made */

    uint8_t nonce[ROGUE_ID_SIZE], password[ROGUE_ID_SIZE];
    uint64_t session; /* 0: it will begin one */
    uint64_t attach_no;
    uint32_t incarnation;
    uint64_t xid, number, beat;
    uint64_t places; /* that it has named */
};

struct sim_rogues {
    struct sim_rogue rogues[ROGUES_MAX];
    uint64_t *sessions; /* that they have had */
    size_t sessions_count, sessions_capacity;
    struct arena arena; /* of one frame */
    struct buf frame;
};

struct sim_rogues *rogues_new (void);
void rogues_free (struct world *world);

bool rogue_begin (struct world *world, const struct sim_fault *fault);
void rogue_end (struct world *world, const struct sim_fault *fault);
/* Of all of them. */
void rogues_end (struct world *world);
/* A session of theirs that has not ended; 0: there is none. */
uint64_t rogues_alive (const struct world *world, const struct tree *tree);
/* SIM_ROGUE_ACT */
void rogue_event (struct world *world, const struct sim_event *event);

/* ---- From the network: of one's connection --------------------------------------------------- */

struct sim_rogue *rogue_of (struct world *world, const struct sim_connection *connection);
void rogue_opened (struct world *world, struct sim_connection *connection);
void rogue_closed (struct world *world, struct sim_connection *connection);
/* Whether it takes what is sent to it. */
bool rogue_hears (struct world *world, const struct sim_connection *connection);
void rogue_hear (struct world *world, struct sim_connection *connection, const uint8_t *data,
                 size_t size);

/* ---- Inside ---------------------------------------------------------------------------------- */

void rogue_send (struct world *world, struct sim_rogue *rogue, const uint8_t *data, size_t size);
void rogue_connect (struct world *world, struct sim_rogue *rogue);
/* Leaves its connection, and is another one from then on, or goes on with its session. */
void rogue_start_again (struct world *world, struct sim_rogue *rogue);

/* rogue_words.c: what one says on a connection of its own as soon as that is open; and now and then
 * when it is welcomed, or has been refused. */
void rogue_greet (struct world *world, struct sim_rogue *rogue, struct sim_connection *connection);
void rogue_speak (struct world *world, struct sim_rogue *rogue);

#endif

/* A leader that sends a snapshot, a learner that takes it, and the parts on their way between them:
 * both ends over stores in memory. There is one. */

#ifndef TESTS_UNIT_NODE_SENDING_H
#define TESTS_UNIT_NODE_SENDING_H

#include "tests/unit/unit.h"

#include "server/node/install.h"
#include "server/node/snapshots.h"
#include "tests/unit/node/stored_server.h"

enum { QUEUE_MAX = 64 };

struct part {
    struct peer_snapshot part;
    uint8_t *chunk;
    size_t size;
};

struct sending {
    struct server leader, learner;
    struct checkpoint checkpoint;
    struct snapshots *snapshots;
    struct install install;
    struct retired retired;
    struct part down[QUEUE_MAX]; /* leader to learner */
    size_t down_count;
    struct part up[QUEUE_MAX];
    size_t up_count;
    unsigned progress, leader_resets, learner_resets, others;
    zxid_t oldest; /* what the learner takes */
    int64_t now_ms;
};

extern struct sending sending;

/* Of cmocka. */
int sending_set_up (void **state);
int sending_tear_down (void **state);

void sending_write (struct server *server, unsigned count, size_t size);

void sending_leader_turn (void);
void sending_learner_turn (void);
/* The first `count` parts on their way to the learner; all to the leader. */
void sending_deliver_down (size_t count);
void sending_deliver_up (void);
/* What is on its way is lost. */
void sending_lose_all (void);

/* Until the learner has all of it; false: it does not come to that. */
bool sending_run (int turns);
/* As far as that many stored bytes. */
void sending_run_to (uint64_t bytes);
/* Until the leader has opened its snapshot, and offered it. */
void sending_offer_again (void);
/* The learner has all of it: it takes it over. */
void sending_finish (void);

#endif

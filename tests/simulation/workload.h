/* Between the files of what clients ask for. */

#ifndef TESTS_SIMULATION_WORKLOAD_H
#define TESTS_SIMULATION_WORKLOAD_H

#include "client/src/requests.h"
#include "tests/simulation/world.h"

enum { PATH_SIZE = 64, VALUE_SIZE = 48 };

/* What a request was for, kept in request.arg until it is answered. */
struct purpose {
    struct list_node node; /* in the client's list, until the answer */
    uint64_t call;         /* in the history */
    bool fresh;            /* the write that the liveness phase waits for */
    enum { NOTHING, REGISTER, LOCK, CHILD, PROOF, PAGE, OWNED } what;
    size_t index; /* of the register; of the user */
    uint64_t window;
    char value[VALUE_SIZE]; /* REGISTER: what is written */
};

/* W of the paths. */
uint64_t window_of (const struct world *self);
const char *path_of (char path[PATH_SIZE], const char *prefix, size_t index, uint64_t window);

struct request *request_of (enum wire_kind kind, const char *path, const char *value, uint32_t mode,
                            int32_t version);
/* A read, with a watch if there is room for one. */
struct request *workload_watching (struct sim_client *client, enum wire_kind kind, const char *path,
                                   bool watched);
void submit (struct world *self, struct sim_client *client, struct request *request,
             const struct purpose *purpose);
/* Of some client, if that has had one; else 0. */
uint64_t workload_session (struct world *self, struct sim_client *client);
void ask_for (struct world *self, struct sim_client *client, enum wire_kind kind, const char *path,
              const char *value, uint32_t mode);

/* What a client may ask for next. */
typedef void ask_fn (struct world *self, struct sim_client *client);

/* Something with a life of its own: workload_lives.c. */
ask_fn workload_live;

/* Reads of other kinds, and watches taken back: workload_reads.c. */
ask_fn workload_look;

/* What not everybody may do, or as much of as he likes: workload_rights.c. */
ask_fn workload_claim, workload_give;

/* What not everybody may see, in the worlds that have such: workload_veils.c. */
ask_fn workload_hide;
bool workload_veils (const struct world *self);
const char *workload_veiled (struct world *self, struct sim_client *client, char path[PATH_SIZE]);

/* Several writes of many kinds at once, as often as not in vain. */
ask_fn workload_several;

/* Whether the answer to what a quota has not admitted says whose quota that is: of a znode that is
 * above something that was asked for, or is it. */
bool workload_quota_named (const struct request *request);

/* It has proven to be this user, and every further session of its process will be, too. */
void workload_proven (struct sim_client *client, size_t user);

/* ---- followers.c: streams with options ------------------------------------------------------- */

/* Opens one, or closes one. */
ask_fn follower_change;

/* A session begins: nothing is followed. */
void follower_forget (struct sim_client *client);

#endif

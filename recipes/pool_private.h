/* What the parts of the pool share: pool.c, its life, what is submitted and what has come of it;
 * pool_master.c, who assigns; pool_worker.c, who works; pool_text.c, what znodes say.
 * Private. May include: cohort/pool.h and the recipes that it stands on, recipes' calls and
 * support.
 */

#ifndef COHORT_RECIPES_POOL_PRIVATE_H
#define COHORT_RECIPES_POOL_PRIVATE_H

#include "calls.h"
#include "cohort/election.h"
#include "cohort/member.h"
#include "cohort/mirror.h"
#include "cohort/pool.h"
#include "support.h"

/* Writes of a master on their way. */
#define POOL_WRITES_MAX 64

/* ---- pool_text.c --------------------------------------------------------------------------- */

/* What a znode of a pool says: `key=value` a line, an empty line, then the application's bytes. */
struct pool_text {
    const char *kind; /* "task", "worker", "status": the first key */
    int attempt;
    int capacity;
    uint64_t czxid; /* of the worker's znode */
    bool failed;
    const void *payload; /* borrowed */
    size_t payload_size;
};

/* To be freed; NULL: no memory. */
char *pool_text_make (const struct pool_text *self, size_t *size);

/* False: it is nothing of that kind. The payload points into data. */
bool pool_text_parse (struct pool_text *self, const char *kind, const void *data, size_t size);

/* ---- The pool ------------------------------------------------------------------------------ */

/* A task that this worker has. */
struct pool_task {
    struct pool_task *next;
    uint64_t czxid; /* of the assignment */
    int attempt;
    bool listed; /* the mirror has it */
    bool done;   /* its result is on its way: what the mirror shows may be that */
    bool over;   /* it is this worker's no more, which the mirror has not shown yet */
    char id[];
};

struct cohort_pool {
    cohort_t *client;
    char *path;
    int attempts_max;

    cohort_election_t *election;
    bool leading;
    cohort_mirror_t *workers, *tasks, *assigned; /* while it leads */
    struct recipe_calls writes;                  /* of the master */
    size_t writes_count;
    uint64_t news;       /* how often the mirrors told something */
    cohort_timer_t *due; /* goes on in the client's next callback */
    cohort_pool_choose_fn *choose;
    void *choose_arg;

    char *name;
    int capacity;
    cohort_member_t *member;
    cohort_mirror_t *own;
    struct pool_task *held;

    struct recipe_calls calls; /* submissions and results */
    cohort_stream_t *awaited;  /* on the result that is waited for, or NULL */
    struct recipe_guard guard;
    cohort_pool_fn *fn;
    void *arg;
};

/* False: the pool was destroyed by its handler, or before. */
bool pool_report (cohort_pool_t *self, cohort_pool_event_t event);

/* Whoever is called by the client, or by a recipe, is in between. */
void pool_leave (cohort_pool_t *self);

/* PATH/FOLDER/A/B; a and b may be NULL. NULL: no memory. */
char *pool_path (const cohort_pool_t *self, const char *folder, const char *a, const char *b);

const char *pool_name (const char *path);

/* ---- pool_master.c ------------------------------------------------------------------------- */

int pool_master_start (cohort_pool_t *self);
void pool_master_stop (cohort_pool_t *self);

/* Does what there is to be done. */
void pool_master_go (cohort_pool_t *self);

/* ---- pool_worker.c ------------------------------------------------------------------------- */

int pool_worker_start (cohort_pool_t *self, const void *data, size_t size);
void pool_worker_stop (cohort_pool_t *self);

/* The task, if this worker has it. */
struct pool_task *pool_worker_find (const cohort_pool_t *self, const char *id, int attempt);

/* Its result was recorded (rc 0), or refused. */
void pool_worker_recorded (cohort_pool_t *self, const char *id, int attempt, int rc);

#endif

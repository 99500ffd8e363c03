/* A pool under random faults from a seed - sessions that end, clients that stand still, connections
 * that break, znodes that are deleted by hand, requests that are lost with their session - with a
 * checker: each task gets one result, of an attempt that had it, and none is lost. */

#include <stdio.h>

#include "client/base/prng.h"
#include "tests/unit/recipes/poolers.h"

#define SEEDS      25
#define POOLERS    6 /* two masters, three workers, one who submits */
#define TASKS      30
#define OPERATIONS 500
#define ATTEMPTS   64

struct known {
    size_t given[ATTEMPTS]; /* to which worker, plus 1, and in which of its lives */
    int life[ATTEMPTS];
    int done;   /* results that were recorded, as workers were told */
    bool asked; /* submitted */
};

static struct world {
    struct prng prng;
    struct pooler all[POOLERS];
    struct known tasks[TASKS];
    unsigned orphans, fenced, leaders;
} world;

static void on_done (cohort_pool_t *self, const char *id, int rc, void *arg)
{
    fake_in_handler ();
    (void) self;
    (void) arg;
    struct known *task = &world.tasks[strtol (id, NULL, 10)];
    task->done += rc == 0;
    world.fenced += rc == COHORT_EFENCED;
    assert_true (rc == 0 || rc == COHORT_EFENCED || rc == COHORT_ESESSIONEXPIRED ||
                 rc == COHORT_EDUPLICATE);
    assert_true (task->done <= 1);
}

/* Tasks that a worker has, to be done later. */
struct job {
    long id;
    int attempt;
};
static struct job jobs[POOLERS][64];
static size_t jobs_count[POOLERS];
static int lives[POOLERS];

static void on_random (cohort_pool_t *self, const cohort_pool_event_t *event, void *arg)
{
    fake_in_handler ();
    size_t i = (size_t) ((struct pooler *) arg - world.all);
    (void) self;
    world.orphans += event->kind == COHORT_POOL_ORPHANED;
    world.leaders += event->kind == COHORT_POOL_LEADS;
    if (event->kind == COHORT_POOL_TASK) {
        long id = strtol (event->task->id, NULL, 10);
        struct known *task = &world.tasks[id];
        int attempt = event->task->attempt;
        assert_true (attempt < ATTEMPTS);
        /* An attempt is one worker's, unless it was started again and found its registration. */
        assert_true (task->given[attempt] == 0 ||
                     (task->given[attempt] == i + 1 && task->life[attempt] < lives[i]));
        task->given[attempt] = i + 1;
        task->life[attempt] = lives[i];
        assert_true (jobs_count[i] < 64);
        jobs[i][jobs_count[i]++] = (struct job){.id = id, .attempt = event->task->attempt};
    }
}

static void enter (size_t i)
{
    static const char *const names[] = {"m", "n", "a", "b", "c", "s"};
    cohort_pool_options_t options = {.size = sizeof (options),
                                     .roles = i < 2   ? COHORT_POOL_MASTER
                                              : i < 5 ? COHORT_POOL_WORKER
                                                      : 0,
                                     .worker = names[i],
                                     .capacity = 1 + (int) (i % 3)};
    world.all[i].pool = cohort_pool_new (world.all[i].client, POOL, &options);
    assert_non_null (world.all[i].pool);
    cohort_pool_set_handler (world.all[i].pool, on_random, &world.all[i]);
}

static void work (size_t i)
{
    if (jobs_count[i] == 0 || world.all[i].pool == NULL) {
        return;
    }
    struct job job = jobs[i][--jobs_count[i]];
    char id[8];
    snprintf (id, sizeof (id), "%02ld", job.id);
    int rc = cohort_pool_done_async (world.all[i].pool, id, job.attempt, id, 2, on_done, NULL);
    assert_true (rc == 0 || rc == COHORT_EFENCED || rc == COHORT_ESESSIONEXPIRED);
}

static void submit_one (void)
{
    char id[8];
    size_t n = (size_t) prng_below (&world.prng, TASKS);
    snprintf (id, sizeof (id), "%02zu", n);
    /* Once, for a second one may begin to count attempts anew. */
    if (!world.tasks[n].asked) {
        world.tasks[n].asked = true;
        assert_int_equal (cohort_pool_submit_async (world.all[5].pool, id, id, 2, NULL, NULL), 0);
    }
}

/* Its connection goes, or comes back. */
static void break_or_mend (cohort_t *client)
{
    if (cohort_state (client) == COHORT_CONNECTED) {
        fake_suspend (client);
    } else if (cohort_state (client) == COHORT_SUSPENDED) {
        fake_resume (client, prng_chance (&world.prng, 1, 4));
    }
}

static void operate (void)
{
    size_t i = (size_t) prng_below (&world.prng, POOLERS);
    struct pooler *self = &world.all[i];
    uint64_t what = prng_below (&world.prng, 100);
    if (what < 15) {
        submit_one ();
    } else if (what < 25) {
        work (2 + (size_t) prng_below (&world.prng, 3));
    } else if (what < 28 && i < 5) {
        fake_expire (self->client, prng_chance (&world.prng, 1, 2), true);
    } else if (what < 30 && i < 5) {
        cohort_pool_destroy (&self->pool);
        fake_settle (self->client);
        jobs_count[i] = 0;
        lives[i]++;
        enter (i);
    } else if (what < 33) {
        char path[64];
        snprintf (path, sizeof (path), POOL "/workers/%c", (int) ("abc"[i % 3]));
        if (fake_data (path) != NULL) {
            fake_delete (path);
        }
    } else if (what < 34) {
        char path[64];
        if (fake_first_child (POOL "/master", path, sizeof (path))) {
            fake_delete (path);
        }
    } else if (what < 38) {
        fake_hold (self->client, prng_chance (&world.prng, 1, 4));
    } else if (what < 44) {
        break_or_mend (self->client);
    } else {
        for (uint64_t n = prng_below (&world.prng, 8); n > 0; n--) {
            (void) fake_flush_one (self->client);
            (void) cohort_dispatch (self->client, (int) prng_between (&world.prng, 1, 4));
        }
    }
}

static void finish (void)
{
    for (size_t i = 0; i < POOLERS; i++) {
        fake_hold (world.all[i].client, false);
        if (cohort_state (world.all[i].client) == COHORT_SUSPENDED) {
            fake_resume (world.all[i].client, false);
        }
    }
    for (int turn = 0; turn < 4 * TASKS; turn++) {
        for (size_t i = 0; i < POOLERS; i++) {
            fake_settle (world.all[i].client);
        }
        for (size_t i = 2; i < 5; i++) {
            work (i);
        }
    }
    size_t asked = 0;
    for (size_t n = 0; n < TASKS; n++) {
        char path[64];
        snprintf (path, sizeof (path), POOL "/status/%02zu", n);
        asked += world.tasks[n].asked;
        assert_int_equal (fake_data (path) != NULL, world.tasks[n].asked);
    }
    assert_int_equal (fake_count (POOL "/tasks/"), 0);
    assert_int_equal (fake_count (POOL "/status/"), asked);
    for (size_t i = 2; i < 5; i++) {
        char path[64];
        snprintf (path, sizeof (path), POOL "/assign/%c/", (int) ("abc"[i - 2]));
        assert_int_equal (fake_count (path), 0);
    }
}

static void random_run (uint64_t seed)
{
    fake_reset ();
    world = (struct world){0};
    memset (jobs_count, 0, sizeof (jobs_count));
    prng_seed (&world.prng, seed);
    for (size_t i = 0; i < POOLERS; i++) {
        world.all[i].client = fake_client ();
        fake_set_order (world.all[i].client, (enum fake_order) prng_below (&world.prng, 3));
        enter (i);
    }
    for (int i = 0; i < OPERATIONS; i++) {
        operate ();
    }
    finish ();
    for (size_t i = 0; i < POOLERS; i++) {
        pooler_leaves (&world.all[i]);
    }
    fake_reset ();
}

static void each_task_gets_one_result (void **state)
{
    (void) state;
    const char *fixed = getenv ("COHORT_SEED");
    uint64_t from = fixed == NULL ? 1 : strtoull (fixed, NULL, 10);
    uint64_t to = fixed == NULL ? SEEDS : from;
    unsigned orphans = 0, leaders = 0;
    for (uint64_t seed = from; seed <= to; seed++) {
        print_message ("seed %llu (COHORT_SEED)\n", (unsigned long long) seed);
        random_run (seed);
        orphans += world.orphans;
        leaders += world.leaders;
    }
    print_message ("%u orphans, %u leaders\n", orphans, leaders);
    assert_true (fixed != NULL || (orphans > SEEDS && leaders > 2 * SEEDS));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (each_task_gets_one_result),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

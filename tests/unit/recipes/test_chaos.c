/* The recipes on three real servers while everything goes wrong: leaders die, connections are cut,
 * answers are lost, events held back, disks stall, sessions expire. Programs, each a thread with a
 * client of its own, go on meanwhile, and are judged: no two holders at a time and tokens that only
 * grow, never more than the permits of a semaphore, one leader a token, each item of a queue
 * acknowledged exactly once, a mirror that is equal to the tree.
 *
 * usage: test-recipes-chaos [SECONDS [SEED]]. The seed decides the faults; threads and sockets are
 * as they are. */

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/base/prng.h"
#include "cohort/cohort.h"
#include "cohort/test.h"
#include "tests/unit/unit.h"

enum {
    LOCKERS = 3,
    SHARERS = 4,
    PERMITS = 2,
    CANDIDATES = 3,
    CONSUMERS = 2,
    PROGRAMS = LOCKERS + SHARERS + CANDIDATES + CONSUMERS + 3,
    ITEMS_MAX = 20000,
    WAIT_MS = 500,
    LIMIT_MS = 60000,
    TIMEOUT_MS = 2000
};

static cohort_test_t *test;
static uint64_t seed = 1;
static int seconds = 3;
static atomic_bool over; /* the faults are: what is under way ends */

/* ---- Judges ---------------------------------------------------------------------------------- */

static int64_t real_us (void)
{
    struct timespec now;
    (void) clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* What may be had by so many at a time. Each holder writes down until when it surely holds it; no
 * other may hold it before. */
struct judge {
    const char *what;
    pthread_mutex_t lock;
    int permits;
    int64_t until_us[PROGRAMS]; /* of each program, 0: it holds nothing */
    uint64_t ended[PROGRAMS];   /* sessions that the test has expired: before their time */
    size_t grants, checks;
};

static struct judge locks = {.what = "lock", .lock = PTHREAD_MUTEX_INITIALIZER, .permits = 1};
static struct judge sems = {
    .what = "semaphore", .lock = PTHREAD_MUTEX_INITIALIZER, .permits = PERMITS};
static struct judge leaders = {.what = "election", .lock = PTHREAD_MUTEX_INITIALIZER, .permits = 1};

static void fail_test (const char *what, const char *why)
{
    fprintf (stderr, "seed %llu: %s: %s\n", (unsigned long long) seed, what, why);
    abort ();
}

/* cmocka's assertions are the main thread's alone. */
static void require (bool condition, const char *what, const char *why)
{
    if (!condition) {
        fail_test (what, why);
    }
}

/* A program has asked at `asked_us` whether it holds, and was told that it surely does for more
 * than valid_ms. Nobody can be sure of a session that a test expires: it does not wait for its
 * limits. */
static void holds (struct judge *self, size_t program, uint64_t session, int64_t asked_us,
                   int valid_ms)
{
    int holders = 0;
    (void) pthread_mutex_lock (&self->lock);
    if (self->ended[program] != session) {
        self->until_us[program] = asked_us + (int64_t) valid_ms * 1000;
        self->checks++;
    }
    for (size_t i = 0; i < PROGRAMS; i++) {
        holders += self->until_us[i] > asked_us;
    }
    (void) pthread_mutex_unlock (&self->lock);
    require (holders <= self->permits, self->what, "too many hold it");
}

static void lets_go (struct judge *self, size_t program)
{
    (void) pthread_mutex_lock (&self->lock);
    self->until_us[program] = 0;
    (void) pthread_mutex_unlock (&self->lock);
}

/* The test is about to expire it. */
static void expires (struct judge *self, size_t program, uint64_t session)
{
    (void) pthread_mutex_lock (&self->lock);
    self->ended[program] = session;
    self->until_us[program] = 0;
    (void) pthread_mutex_unlock (&self->lock);
}

/* An exclusive grant, of which the program was told. Programs may be told late: those of one come
 * in order. */
static void granted (struct judge *self, uint64_t *own, uint64_t token)
{
    (void) pthread_mutex_lock (&self->lock);
    self->grants++;
    (void) pthread_mutex_unlock (&self->lock);
    require (token > *own, self->what, "a token that does not grow");
    *own = token;
}

/* ---- Programs -------------------------------------------------------------------------------- */

struct program {
    size_t number;
    pthread_t thread;
    void (*run) (struct program *self);
    cohort_t *client;
    atomic_bool ended;
};

static struct program programs[PROGRAMS];

/* A session that has ended is begun anew, unless a recipe has done so. */
static void keep (cohort_t *client)
{
    if (cohort_state (client) == COHORT_LOST) {
        int rc = cohort_renew (client);
        (void) rc; /* somebody was quicker */
    }
}

/* Works for a while under a grant: asks again and again whether it is still its own. */
#define work(judge, self, valid)                                                                   \
    for (int turn = 0; turn < 20 && !atomic_load (&over); turn++) {                                \
        int64_t asked_us = real_us ();                                                             \
        int margin_ms = 5;                                                                         \
        if (valid) {                                                                               \
            holds (judge, (self)->number, cohort_session_id ((self)->client), asked_us,            \
                   margin_ms);                                                                     \
        }                                                                                          \
        (void) cohort_run ((self)->client, 1);                                                     \
    }                                                                                              \
    lets_go (judge, (self)->number)

static void run_locker (struct program *self)
{
    uint64_t token = 0;
    cohort_lock_t *lock = cohort_lock_new (self->client, "/chaos/lock", NULL, 0);
    while (!atomic_load (&over)) {
        keep (self->client);
        if (cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE) != 0 ||
            cohort_lock_wait (lock, WAIT_MS) != 0) {
            (void) cohort_run (self->client, 1);
            continue;
        }
        granted (&locks, &token, cohort_lock_token (lock).czxid);
        work (&locks, self, cohort_lock_valid (lock, margin_ms));
        (void) cohort_lock_release (lock);
    }
    cohort_lock_destroy (&lock);
}

static void run_sharer (struct program *self)
{
    uint64_t token = 0;
    cohort_sem_t *sem = cohort_sem_new (self->client, "/chaos/sem", PERMITS, NULL, 0);
    while (!atomic_load (&over)) {
        keep (self->client);
        if (cohort_sem_acquire (sem, 1) != 0 || cohort_sem_wait (sem, WAIT_MS) != 0) {
            (void) cohort_run (self->client, 1);
            continue;
        }
        granted (&sems, &token, cohort_sem_token (sem).czxid);
        work (&sems, self, cohort_sem_valid (sem, margin_ms));
        (void) cohort_sem_release (sem, 1);
    }
    cohort_sem_destroy (&sem);
}

static void run_candidate (struct program *self)
{
    uint64_t token = 0;
    cohort_election_t *election = cohort_election_new (self->client, "/chaos/election", 0);
    while (!atomic_load (&over)) {
        keep (self->client);
        if (cohort_election_campaign (election, NULL, 0) != 0 ||
            cohort_election_wait (election, WAIT_MS) != 0) {
            (void) cohort_run (self->client, 1);
            continue;
        }
        granted (&leaders, &token, cohort_election_token (election).czxid);
        work (&leaders, self, cohort_election_valid (election, margin_ms));
        (void) cohort_election_resign (election);
    }
    cohort_election_destroy (&election);
}

/* ---- A queue --------------------------------------------------------------------------------- */

static atomic_int put_count;         /* items 0 to put_count - 1 are in the queue */
static atomic_int acked[ITEMS_MAX];  /* how often each was acknowledged, as its consumer was told */
static atomic_int unsure[ITEMS_MAX]; /* acknowledgements of which nobody knows */
static atomic_int done;

/* An id makes a put that has to be repeated one item. */
static void run_producer (struct program *self)
{
    cohort_queue_t *queue = cohort_queue_new (self->client, "/chaos/queue", NULL);
    while (!atomic_load (&over) && atomic_load (&put_count) < ITEMS_MAX) {
        char id[16];
        int number = atomic_load (&put_count);
        (void) snprintf (id, sizeof id, "i%d", number);
        cohort_put_options_t options = {.size = sizeof options, .id = id};
        int rc = COHORT_ETIMEDOUT;
        while (rc != 0) {
            keep (self->client);
            rc = cohort_queue_put (queue, &number, sizeof number, &options, LIMIT_MS, NULL);
        }
        atomic_fetch_add (&put_count, 1);
    }
    cohort_queue_destroy (&queue);
}

static void run_consumer (struct program *self)
{
    cohort_queue_t *queue = cohort_queue_new (self->client, "/chaos/queue", NULL);
    for (bool empty = false; !empty;) {
        bool last = atomic_load (&over);
        cohort_item_t *item = NULL;
        keep (self->client);
        int rc = cohort_queue_take (queue, WAIT_MS, &item);
        if (rc != 0) {
            (void) cohort_queue_retry (queue);
            empty = last && atomic_load (&done) >= atomic_load (&put_count);
            continue;
        }
        int number;
        size_t size;
        const void *data = cohort_item_data (item, &size);
        require (size == sizeof number, "queue", "an item that nobody has put");
        memcpy (&number, data, size);
        rc = cohort_item_ack (&item, LIMIT_MS);
        if (rc == 0) {
            atomic_fetch_add (&acked[number], 1);
            atomic_fetch_add (&done, 1);
        } else if (rc != COHORT_EFENCED) {
            /* The session has ended: it may have been carried out, and then nobody gets it again.
             */
            if (atomic_exchange (&unsure[number], 1) == 0) {
                atomic_fetch_add (&done, 1);
            }
        }
    }
    cohort_queue_destroy (&queue);
}

static void judge_queue (void)
{
    int puts = atomic_load (&put_count), doubtful = 0;
    for (int i = 0; i < puts; i++) {
        int times = atomic_load (&acked[i]);
        doubtful += times == 0;
        if (times > 1) {
            fail_test ("queue", "an item was acknowledged twice");
        }
        if (times == 0 && atomic_load (&unsure[i]) == 0) {
            fail_test ("queue", "an item was lost");
        }
    }
    print_message ("  queue: %d items, %d of which the session ended in their acknowledgement\n",
                   puts, doubtful);
}

/* ---- A mirror -------------------------------------------------------------------------------- */

static void run_writer (struct program *self)
{
    size_t written = 0;
    struct prng prng;
    prng_seed (&prng, seed + 1000);
    cohort_set_time_limit (self->client, LIMIT_MS);
    while (!atomic_load (&over)) {
        char path[64], data[16];
        keep (self->client);
        (void) snprintf (path, sizeof path, "/chaos/tree/n%llu",
                         (unsigned long long) prng_below (&prng, 30));
        (void) snprintf (data, sizeof data, "%llu", (unsigned long long) prng_below (&prng, 1000));
        /* Whatever becomes of it, the mirror says the same as the tree. */
        int rc = 0;
        switch (prng_below (&prng, 3)) {
        case 0:
            rc = cohort_create (self->client, path, data, strlen (data), COHORT_PERSISTENT, NULL,
                                NULL, NULL);
            break;
        case 1:
            rc = cohort_set (self->client, path, data, strlen (data), COHORT_ANY_VERSION, NULL);
            break;
        default:
            rc = cohort_delete (self->client, path, COHORT_ANY_VERSION);
            break;
        }
        written += rc == 0;
    }
    require (written > 0, "writer", "nothing was written");
}

/* The last change is its own: when that is there, everything is. */
static void compare (cohort_t *client, cohort_mirror_t *mirror)
{
    cohort_strings_t *names = NULL;
    cohort_stat_t last;
    require (cohort_set (client, "/chaos/tree", "end", 3, COHORT_ANY_VERSION, &last) == 0, "mirror",
             "the last write");
    while (cohort_mirror_zxid (mirror) < last.mzxid) {
        (void) cohort_run (client, 10);
    }
    require (cohort_children (client, "/chaos/tree", &names, NULL) == 0 &&
                 names->count + 1 == cohort_mirror_count (mirror),
             "mirror", "it has another number of nodes than the tree");
    for (size_t i = 0; i < names->count; i++) {
        char path[128];
        void *data = NULL;
        size_t size = 0;
        cohort_stat_t stat;
        (void) snprintf (path, sizeof path, "/chaos/tree/%s", names->items[i]);
        const cohort_node_t *node = cohort_mirror_get (mirror, path);
        require (node != NULL && cohort_get (client, path, &data, &size, &stat) == 0 &&
                     node->size == size && memcmp (node->data, data, size) == 0 &&
                     node->stat.mzxid == stat.mzxid && node->stat.czxid == stat.czxid,
                 "mirror", "a node is not as in the tree");
        cohort_free (data);
    }
    print_message ("  mirror: %zu nodes, equal to the tree at 0x%llx\n", names->count,
                   (unsigned long long) last.mzxid);
    cohort_strings_destroy (&names);
}

/* Follows until the writer has ended. */
static void run_mirror (struct program *self)
{
    cohort_mirror_t *mirror = cohort_mirror_new (self->client, "/chaos/tree", NULL);
    require (mirror != NULL, "mirror", "it cannot be made");
    struct program *writer = self - 1;
    while (!atomic_load (&over) || !atomic_load (&writer->ended)) {
        (void) cohort_run (self->client, 10);
    }
    require (cohort_mirror_wait (mirror, LIMIT_MS) == 0, "mirror", "it does not follow");
    compare (self->client, mirror);
    cohort_mirror_destroy (&mirror);
}

/* ---- Faults ---------------------------------------------------------------------------------- */

/* For how long a fault lasts, and peace. */
static void pause_ms (uint64_t ms)
{
    (void) poll (NULL, 0, (int) ms);
}

static void one_fault (struct prng *prng)
{
    size_t number = (size_t) prng_below (prng, PROGRAMS);
    cohort_t *client = programs[number].client;
    size_t server = (size_t) prng_below (prng, 3);
    switch (prng_below (prng, 8)) {
    case 0: {
        int leader = cohort_test_kill_leader (test);
        assert_in_range (leader, 0, 2);
        pause_ms (prng_below (prng, 300));
        assert_int_equal (cohort_test_start (test, (size_t) leader), 0);
        break;
    }
    case 1:
        assert_int_equal (cohort_fault_drop_replies (client, 1 + (int) prng_below (prng, 3)), 0);
        break;
    case 2:
        assert_int_equal (cohort_fault_hold (client, COHORT_HOLD_EVENTS), 0);
        pause_ms (prng_below (prng, 100));
        assert_int_equal (cohort_fault_hold (client, COHORT_HOLD_NOTHING), 0);
        break;
    case 3:
        cohort_fault_isolate (client, 1);
        pause_ms (prng_below (prng, 400));
        cohort_fault_isolate (client, 0);
        break;
    case 4: {
        struct judge *judges[] = {&locks, &sems, &leaders};
        for (size_t i = 0; i < 3; i++) {
            expires (judges[i], number, cohort_session_id (client));
        }
        int rc = cohort_test_expire (test, client);
        assert_true (rc == 0 || rc == COHORT_ESTATE); /* it was ending already */
        break;
    }
    case 5:
        assert_int_equal (cohort_test_stall_disk (test, server, 1), 0);
        pause_ms (prng_below (prng, 100));
        assert_int_equal (cohort_test_stall_disk (test, server, 0), 0);
        break;
    case 6:
        assert_int_equal (
            cohort_test_step_clock (test, server, (int64_t) prng_below (prng, 2000) - 1000), 0);
        break;
    default:
        cohort_fault_cut (client);
        break;
    }
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void *run (void *arg)
{
    struct program *self = arg;
    self->run (self);
    /* What its recipe has asked for is answered before the client goes. */
    keep (self->client);
    cohort_set_time_limit (self->client, LIMIT_MS);
    int rc = cohort_sync (self->client);
    (void) rc;
    while (cohort_dispatch (self->client, 64) > 0) {
    }
    atomic_store (&self->ended, true);
    return NULL;
}

static void (*role_of (size_t number)) (struct program *)
{
    static const struct {
        size_t count;
        void (*run) (struct program *);
    } roles[] = {{LOCKERS, run_locker},
                 {SHARERS, run_sharer},
                 {CANDIDATES, run_candidate},
                 {CONSUMERS, run_consumer},
                 {1, run_producer},
                 {1, run_writer},
                 {1, run_mirror}};
    size_t role = 0;
    while (number >= roles[role].count) {
        number -= roles[role++].count;
    }
    return roles[role].run;
}

static void begin (void)
{
    cohort_test_options_t options = {.size = sizeof options, .servers = 3};
    test = cohort_test_new (&options);
    assert_non_null (test);
    for (size_t i = 0; i < PROGRAMS; i++) {
        cohort_options_t client = {.size = sizeof client, .timeout_ms = TIMEOUT_MS};
        programs[i] = (struct program){.number = i, .run = role_of (i)};
        programs[i].client = cohort_new (cohort_test_endpoints (test), &client);
        assert_non_null (programs[i].client);
        assert_int_equal (cohort_wait (programs[i].client, LIMIT_MS), 0);
    }
    cohort_t *first = programs[0].client;
    assert_int_equal (cohort_create (first, "/chaos", NULL, 0, COHORT_PERSISTENT, NULL, NULL, NULL),
                      0);
    assert_int_equal (
        cohort_create (first, "/chaos/tree", NULL, 0, COHORT_PERSISTENT, NULL, NULL, NULL), 0);
    for (size_t i = 0; i < PROGRAMS; i++) {
        assert_int_equal (cohort_sync (programs[i].client), 0);
    }
    for (size_t i = 0; i < PROGRAMS; i++) {
        assert_int_equal (pthread_create (&programs[i].thread, NULL, run, &programs[i]), 0);
    }
}

static void recipes_in_chaos (void **state)
{
    struct prng prng;
    size_t faults = 0;
    (void) state;
    begin ();
    prng_seed (&prng, seed);
    int64_t end_us = real_us () + (int64_t) seconds * 1000000;
    for (; real_us () < end_us; faults++) {
        one_fault (&prng);
        pause_ms (prng_below (&prng, 60));
    }
    for (size_t i = 0; i < PROGRAMS; i++) {
        assert_int_equal (cohort_fault_drop_replies (programs[i].client, 0), 0);
    }
    atomic_store (&over, true);
    for (size_t i = 0; i < PROGRAMS; i++) {
        assert_int_equal (pthread_join (programs[i].thread, NULL), 0);
    }
    judge_queue ();
    const struct judge *judges[] = {&locks, &sems, &leaders};
    for (size_t i = 0; i < 3; i++) {
        print_message ("  %s: %zu grants, held %zu times when asked\n", judges[i]->what,
                       judges[i]->grants, judges[i]->checks);
        assert_true (judges[i]->grants > 0 && judges[i]->checks > 0);
    }
    print_message ("  seed %llu: %zu faults\n", (unsigned long long) seed, faults);
    assert_true (faults > 0 && atomic_load (&put_count) > 0);
    for (size_t i = 0; i < PROGRAMS; i++) {
        cohort_destroy (&programs[i].client);
    }
    cohort_test_destroy (&test);
}

int main (int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (recipes_in_chaos)};
    seconds = argc > 1 ? (int) strtol (argv[1], NULL, 10) : seconds;
    seed = argc > 2 ? strtoull (argv[2], NULL, 10) : seed;
    if (seconds < 1 || argc > 3) {
        fprintf (stderr, "usage: test-recipes-chaos [SECONDS [SEED]]\n");
        return 2;
    }
    return cmocka_run_group_tests (tests, NULL, NULL);
}

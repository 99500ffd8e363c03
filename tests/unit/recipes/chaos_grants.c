/* Programs in chaos (chaos.h): locks, a semaphore, an election, a queue, a mirror. No two holders
 * at a time and tokens that only grow, never more than the permits of a semaphore, one leader a
 * token, each item of a queue acknowledged exactly once, a mirror that is equal to the tree. */

#include "tests/unit/recipes/chaos.h"

enum { LOCKERS = 3, SHARERS = 4, PERMITS = 2, CANDIDATES = 3, CONSUMERS = 2, ITEMS_MAX = 20000 };

static struct judge locks = JUDGE ("lock", 1), sems = JUDGE ("semaphore", PERMITS),
                    leaders = JUDGE ("election", 1);

/* ---- Grants ---------------------------------------------------------------------------------- */

static void run_locker (struct program *self)
{
    cohort_lock_t *lock = cohort_lock_new (self->client, "/chaos/lock", NULL, 0);
    while (!chaos_is_over ()) {
        chaos_keep (self->client);
        if (cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE) != 0 ||
            cohort_lock_wait (lock, CHAOS_WAIT_MS) != 0) {
            (void) cohort_run (self->client, 1);
            continue;
        }
        uint64_t token = cohort_lock_token (lock).czxid;
        chaos_granted (&locks, self, token);
        CHAOS_WORK (&locks, self, token, cohort_lock_valid (lock, CHAOS_MARGIN_MS));
        (void) cohort_lock_release (lock);
    }
    cohort_lock_destroy (&lock);
}

static void run_sharer (struct program *self)
{
    cohort_sem_t *sem = cohort_sem_new (self->client, "/chaos/sem", PERMITS, NULL, 0);
    while (!chaos_is_over ()) {
        chaos_keep (self->client);
        if (cohort_sem_acquire (sem, 1) != 0 || cohort_sem_wait (sem, CHAOS_WAIT_MS) != 0) {
            (void) cohort_run (self->client, 1);
            continue;
        }
        uint64_t token = cohort_sem_token (sem).czxid;
        chaos_granted (&sems, self, token);
        CHAOS_WORK (&sems, self, token, cohort_sem_valid (sem, CHAOS_MARGIN_MS));
        (void) cohort_sem_release (sem, 1);
    }
    cohort_sem_destroy (&sem);
}

static void run_candidate (struct program *self)
{
    cohort_election_t *election = cohort_election_new (self->client, "/chaos/election", 0);
    while (!chaos_is_over ()) {
        chaos_keep (self->client);
        if (cohort_election_campaign (election, NULL, 0) != 0 ||
            cohort_election_wait (election, CHAOS_WAIT_MS) != 0) {
            (void) cohort_run (self->client, 1);
            continue;
        }
        uint64_t token = cohort_election_token (election).czxid;
        chaos_granted (&leaders, self, token);
        CHAOS_WORK (&leaders, self, token, cohort_election_valid (election, CHAOS_MARGIN_MS));
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
    while (!chaos_is_over () && atomic_load (&put_count) < ITEMS_MAX) {
        char id[16];
        int number = atomic_load (&put_count);
        (void) snprintf (id, sizeof id, "i%d", number);
        cohort_put_options_t options = {.size = sizeof options, .id = id};
        int rc = COHORT_ETIMEDOUT;
        while (rc != 0) {
            chaos_keep (self->client);
            rc = cohort_queue_put (queue, &number, sizeof number, &options, CHAOS_LIMIT_MS, NULL);
        }
        atomic_fetch_add (&put_count, 1);
    }
    cohort_queue_destroy (&queue);
}

/* A put whose session ends is repeated in the next one, perhaps long after its item was carried
 * out, and acknowledged: its id must still be known then. */
static void run_consumer (struct program *self)
{
    cohort_queue_options_t options = {.size = sizeof options, .remember_ms = CHAOS_LIMIT_MS};
    cohort_queue_t *queue = cohort_queue_new (self->client, "/chaos/queue", &options);
    int64_t from_us = chaos_now_us ();
    for (bool empty = false; !empty;) {
        bool last = chaos_is_over ();
        from_us = last ? from_us : chaos_now_us ();
        chaos_require_soon (from_us, "queue", "an item was lost");
        cohort_item_t *item = NULL;
        chaos_keep (self->client);
        int rc = cohort_queue_take (queue, CHAOS_WAIT_MS, &item);
        if (rc != 0) {
            (void) cohort_queue_retry (queue);
            empty = last && atomic_load (&done) >= atomic_load (&put_count);
            continue;
        }
        int number;
        size_t size;
        const void *data = cohort_item_data (item, &size);
        chaos_require (size == sizeof number, "queue", "an item that nobody has put");
        memcpy (&number, data, size);
        chaos_require (number >= 0 && number < ITEMS_MAX, "queue", "an item that nobody has put");
        rc = cohort_item_ack (&item, CHAOS_LIMIT_MS);
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
        chaos_require (times <= 1, "queue", "an item was acknowledged twice");
        chaos_require (times == 1 || atomic_load (&unsure[i]) != 0, "queue", "an item was lost");
    }
    assert_true (puts > 0);
    print_message ("  queue: %d items, %d of which the session ended in their acknowledgement\n",
                   puts, doubtful);
}

/* ---- A mirror -------------------------------------------------------------------------------- */

static void run_writer (struct program *self)
{
    size_t written = 0;
    struct prng prng;
    prng_seed (&prng, chaos_seed () + 1000);
    cohort_set_time_limit (self->client, CHAOS_LIMIT_MS);
    while (!chaos_is_over ()) {
        char path[64], data[16];
        chaos_keep (self->client);
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
    chaos_require (written > 0, "writer", "nothing was written");
}

static cohort_mirror_t *mirror;
static struct program *follower; /* whose it is */

/* Follows as long as anybody does anything. */
static void run_mirror (struct program *self)
{
    follower = self;
    mirror = cohort_mirror_new (self->client, "/chaos/tree", NULL);
    chaos_require (mirror != NULL, "mirror", "it cannot be made");
    struct program *writer = self - 1;
    while (!chaos_is_over () || !atomic_load (&writer->ended)) {
        (void) cohort_run (self->client, 10);
        (void) cohort_mirror_retry (mirror);
    }
}

/* There is one more change: when that is there, everything is. */
static void judge_mirror (cohort_t *client)
{
    cohort_strings_t *names = NULL;
    cohort_stat_t last;
    int64_t from_us = chaos_now_us ();
    assert_int_equal (cohort_set (client, "/chaos/tree", "end", 3, COHORT_ANY_VERSION, &last), 0);
    while (cohort_mirror_zxid (mirror) < last.mzxid) {
        chaos_require_soon (from_us, "mirror", "it does not follow");
        (void) cohort_run (follower->client, 10);
        (void) cohort_mirror_retry (mirror);
    }
    assert_int_equal (cohort_children (client, "/chaos/tree", &names, NULL), 0);
    chaos_require (names->count + 1 == cohort_mirror_count (mirror), "mirror",
                   "it has another number of nodes than the tree");
    for (size_t i = 0; i < names->count; i++) {
        char path[128];
        void *data = NULL;
        size_t size = 0;
        cohort_stat_t stat;
        (void) snprintf (path, sizeof path, "/chaos/tree/%s", names->items[i]);
        assert_int_equal (cohort_get (client, path, &data, &size, &stat), 0);
        const cohort_node_t *node = cohort_mirror_get (mirror, path);
        chaos_require (node != NULL && node->size == size && memcmp (node->data, data, size) == 0 &&
                           node->stat.mzxid == stat.mzxid && node->stat.czxid == stat.czxid,
                       "mirror", "a node is not as in the tree");
        cohort_free (data);
    }
    print_message ("  mirror: %zu nodes, equal to the tree at 0x%llx\n", names->count,
                   (unsigned long long) last.mzxid);
    cohort_strings_destroy (&names);
    cohort_mirror_destroy (&mirror);
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void make_tree (cohort_t *client)
{
    assert_int_equal (
        cohort_create (client, "/chaos/tree", NULL, 0, COHORT_PERSISTENT, NULL, NULL, NULL), 0);
}

static void judge_all (cohort_t *client)
{
    judge_queue ();
    judge_mirror (client);
}

static const struct role roles[] = {{LOCKERS, run_locker},
                                    {SHARERS, run_sharer},
                                    {CANDIDATES, run_candidate},
                                    {CONSUMERS, run_consumer},
                                    {1, run_producer},
                                    {1, run_writer},
                                    {1, run_mirror},
                                    {0, NULL}};
static struct judge *const judges[] = {&locks, &sems, &leaders, NULL};

const struct chaos_set chaos_grants = {
    .roles = roles, .judges = judges, .prepare = make_tree, .conclude = judge_all};

/* Programs in chaos (chaos.h) that look at what others do: a configuration whose updates are whole,
 * each on top of the one before, and none of them lost; a directory that is equal to the members; a
 * gate that lets nobody through while it is surely closed. */

#include "tests/unit/recipes/chaos.h"

enum { EDITORS = 2, SERVERS = 3, WALKERS = 2 };

/* ---- A configuration ------------------------------------------------------------------------- */

static atomic_int committed, perhaps; /* updates: surely, and of which nobody knows */
static atomic_int editing = EDITORS;

/* Two keys that are always equal; each update adds one to both, if they are as they were read. */
static int edit (cohort_config_t *config)
{
    static const char *const keys[] = {"left", "deep/right"};
    char text[16];
    cohort_config_update_t *update = cohort_config_update_new (config);
    int rc = 0;
    for (size_t i = 0; i < 2 && rc == 0; i++) {
        cohort_config_value_t value = {0};
        rc = cohort_config_get (config, keys[i], &value);
        if (rc == 0 || rc == COHORT_ENONODE) {
            long number = rc == 0 ? strtol (value.data, NULL, 10) : 0;
            int size = snprintf (text, sizeof text, "%ld", number + 1);
            rc = cohort_config_update_set (update, keys[i], text, (size_t) size, value.mzxid);
        }
    }
    rc = rc == 0 ? cohort_config_commit (update, CHAOS_LIMIT_MS) : rc;
    cohort_config_update_destroy (&update);
    return rc;
}

static void run_editor (struct program *self)
{
    cohort_config_t *config = cohort_config_new (self->client, "/chaos/config");
    chaos_require (config != NULL, "config", "it cannot be made");
    while (!chaos_is_over ()) {
        chaos_keep (self->client);
        int rc = edit (config);
        atomic_fetch_add (&committed, rc == 0);
        atomic_fetch_add (&perhaps, rc == COHORT_ESESSIONEXPIRED);
        chaos_require (rc != COHORT_ETIMEDOUT, "config", "an update that hangs");
        (void) cohort_run (self->client, rc == 0 ? 0 : 1);
        (void) cohort_config_retry (config);
    }
    cohort_config_destroy (&config);
    atomic_fetch_sub (&editing, 1);
}

static long number_of (const cohort_config_value_t *value)
{
    return value->data == NULL ? 0 : strtol (value->data, NULL, 10);
}

/* Both in one transaction, and never the same twice. */
static void on_changes (cohort_config_t *config, const cohort_config_changes_t *changes, void *arg)
{
    long *newest = arg, seen = 0;
    size_t told = 0;
    (void) config;
    for (size_t i = 0; i < changes->count; i++) {
        const cohort_config_change_t *change = &changes->items[i];
        if (strcmp (change->key, "deep") == 0) {
            continue;
        }
        long now = number_of (&change->now);
        chaos_require (seen == 0 || now == seen, "config", "half of an update");
        chaos_require (changes->whole || number_of (&change->before) == *newest, "config",
                       "a value before that was not the last one");
        seen = now;
        told++;
    }
    chaos_require (told == 2 || changes->whole, "config", "half of an update");
    if (told > 0) {
        chaos_require (seen > *newest, "config", "a value that does not grow");
        *newest = seen;
    }
}

static long configured; /* as the reader has it in the end */

static void run_reader (struct program *self)
{
    static long newest;
    cohort_config_t *config = cohort_config_new (self->client, "/chaos/config");
    chaos_require (config != NULL &&
                       cohort_config_watch_prefix (config, "", on_changes, &newest) == 0,
                   "config", "it cannot be made");
    while (!chaos_is_over () || atomic_load (&editing) > 0) {
        (void) cohort_run (self->client, 10);
        (void) cohort_config_retry (config);
    }
    /* What its own update has found, has come. */
    int rc;
    do {
        chaos_keep (self->client);
        (void) cohort_run (self->client, 1);
        rc = edit (config);
        atomic_fetch_add (&committed, rc == 0);
        atomic_fetch_add (&perhaps, rc == COHORT_ESESSIONEXPIRED);
        (void) cohort_config_retry (config);
    } while (rc != 0);
    configured = newest;
    cohort_config_destroy (&config);
}

static void judge_config (void)
{
    int sure = atomic_load (&committed), doubtful = atomic_load (&perhaps);
    print_message ("  config: %ld, of %d updates and %d that may have been\n", configured, sure,
                   doubtful);
    chaos_require (configured >= sure && configured <= sure + doubtful, "config",
                   "an update was lost, or done twice");
    assert_true (sure > 1);
}

/* ---- A directory ----------------------------------------------------------------------------- */

static _Atomic (uint64_t) registered[CHAOS_PROGRAMS_MAX]; /* tokens of those that are there */
static atomic_bool all_listed;
static atomic_int picked;

static int publish (const cohort_instance_t *instance, char *data, size_t size)
{
    int used = cohort_instance_encode (instance, NULL, 0, data, size);
    chaos_require (used > 0, "directory", "an instance that cannot be written");
    return used;
}

/* Comes and goes, each time under another name, and publishes its load; in the end it stays. */
static void run_server (struct program *self)
{
    cohort_instance_t instance = {.ip = "10.0.0.1", .port = 1 + (int) self->number};
    for (int times = 0; !atomic_load (&all_listed); times++) {
        char path[64], data[128];
        (void) snprintf (path, sizeof path, "/chaos/servers/eu/%zu-%d", self->number, times);
        chaos_keep (self->client);
        int size = publish (&instance, data, sizeof data);
        cohort_member_t *member =
            cohort_member_new (self->client, path, data, (size_t) size, COHORT_MEMBER_WAIT);
        for (int turns = 0;
             member != NULL && (turns < 50 || chaos_is_over ()) && !atomic_load (&all_listed);) {
            if (cohort_member_valid (member, CHAOS_MARGIN_MS) && ++turns < 50) {
                instance.load++;
                size = publish (&instance, data, sizeof data);
                (void) cohort_member_update (member, data, (size_t) size);
            }
            (void) cohort_run (self->client, 2);
            (void) cohort_member_retry (member);
            atomic_store (&registered[self->number], cohort_member_token (member).czxid);
        }
        cohort_member_destroy (&member);
    }
}

/* Those that are there are listed, under their tokens, and nobody else is. */
static bool is_equal (cohort_directory_t *directory)
{
    const cohort_instance_t *instance = cohort_directory_first (directory, "eu");
    for (; instance != NULL; instance = cohort_directory_next (directory, "eu", instance)) {
        if (instance->token.czxid != atomic_load (&registered[instance->port - 1])) {
            return false;
        }
    }
    return cohort_directory_count (directory) == SERVERS;
}

static void run_lobby (struct program *self)
{
    cohort_directory_t *directory = cohort_directory_new (self->client, "/chaos/servers", NULL);
    chaos_require (directory != NULL, "directory", "it cannot be made");
    while (!chaos_is_over ()) {
        const cohort_instance_t *instance = cohort_directory_pick (directory, "eu", NULL);
        chaos_require (instance == NULL || cohort_directory_count (directory) > 0, "directory",
                       "one was picked that is not listed");
        atomic_fetch_add (&picked, instance != NULL);
        (void) cohort_run (self->client, 1);
        (void) cohort_directory_retry (directory);
        chaos_require (cohort_directory_bad_count (directory) == 0, "directory", "bad data");
    }
    int64_t from_us = chaos_now_us ();
    while (!is_equal (directory)) {
        chaos_require_soon (from_us, "directory", "it is not equal to the members");
        (void) cohort_run (self->client, 1);
        (void) cohort_directory_retry (directory);
    }
    atomic_store (&all_listed, true);
    cohort_directory_destroy (&directory);
}

/* ---- A gate ---------------------------------------------------------------------------------- */

static atomic_uint times; /* odd: the gate is surely closed */
static atomic_int closed_times, passes;
static atomic_int walking = WALKERS;

static void put_gate (struct program *self, cohort_gate_t *gate, bool open)
{
    int64_t from_us = chaos_now_us ();
    for (int turn = 0; cohort_gate_is_open (gate) != open; turn++) {
        chaos_require_soon (from_us, "gate", "it does not move");
        chaos_keep (self->client);
        (void) cohort_gate_retry (gate);
        if (turn % 200 == 0) { /* the session may have ended meanwhile */
            int rc = open ? cohort_gate_open (gate) : cohort_gate_close (gate);
            (void) rc;
        }
        (void) cohort_run (self->client, 1);
    }
}

/* It alone moves the gate: what it has closed in this session, as the whole ensemble has it, is
 * closed until it opens it. What a session that has ended had sent may have come later. */
static bool is_surely_closed (struct program *self, cohort_gate_t *gate, uint64_t session)
{
    bool synced = cohort_sync (self->client) == 0;
    while (cohort_dispatch (self->client, 0) > 0) {
    }
    return synced && cohort_session_id (self->client) == session && cohort_gate_is_open (gate) == 0;
}

static void run_keeper (struct program *self)
{
    cohort_gate_t *gate = cohort_gate_new (self->client, "/chaos/gate");
    chaos_require (gate != NULL, "gate", "it cannot be made");
    uint64_t session = 0;
    while (!chaos_is_over ()) {
        put_gate (self, gate, false);
        bool sure = is_surely_closed (self, gate, session);
        session = cohort_session_id (self->client);
        atomic_fetch_add (&times, sure);
        atomic_fetch_add (&closed_times, sure);
        for (int turn = 0; turn < 20; turn++) {
            (void) cohort_run (self->client, 1);
        }
        atomic_fetch_add (&times, sure);
        put_gate (self, gate, true);
    }
    while (atomic_load (&walking) > 0) {
        (void) cohort_run (self->client, 10);
    }
    cohort_gate_destroy (&gate);
}

static void run_walker (struct program *self)
{
    cohort_gate_t *gate = cohort_gate_new (self->client, "/chaos/gate");
    chaos_require (gate != NULL, "gate", "it cannot be made");
    for (bool last = false; !last;) {
        last = chaos_is_over ();
        chaos_keep (self->client);
        unsigned before = atomic_load (&times);
        int rc = cohort_gate_wait (gate, last ? CHAOS_LIMIT_MS : CHAOS_WAIT_MS);
        unsigned after = atomic_load (&times);
        chaos_require (rc != 0 || before != after || before % 2 == 0, "gate",
                       "somebody went through while it was closed");
        chaos_require (!last || rc != COHORT_ETIMEDOUT, "gate", "nobody gets through any more");
        atomic_fetch_add (&passes, rc == 0);
        last = last && rc == 0;
        (void) cohort_gate_retry (gate);
    }
    atomic_fetch_sub (&walking, 1);
    cohort_gate_destroy (&gate);
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void look_at_all (cohort_t *client)
{
    (void) client;
    judge_config ();
    print_message ("  directory: equal to its %d members, picked %d times\n", SERVERS,
                   atomic_load (&picked));
    print_message ("  gate: %d passes, closed %d times\n", atomic_load (&passes),
                   atomic_load (&closed_times));
    assert_true (atomic_load (&picked) > 0 && atomic_load (&passes) > 0 &&
                 atomic_load (&closed_times) > 0);
}

static const struct role roles[] = {
    {EDITORS, run_editor}, {1, run_reader}, {SERVERS, run_server}, {1, run_lobby}, {1, run_keeper},
    {WALKERS, run_walker}, {0, NULL}};
static struct judge *const judges[] = {NULL};

const struct chaos_set chaos_views = {.roles = roles, .judges = judges, .conclude = look_at_all};

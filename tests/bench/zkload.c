/* zkload: the workloads of `cohort bench`, by the same names and with the same line, against Apache
 * ZooKeeper and through its own C client (libzookeeper_mt). tests/bench/compare builds and runs it.
 *
 *     zkload HOSTS WORKLOAD SESSIONS WINDOW TOTAL SIZE DEPTH
 *
 * Workloads: set get mix watch create delete fill fanout vanish gap. Their parameters are those of
 * `cohort bench`, WINDOW being vanish's session timeout in ms and TOTAL gap's seconds. A session
 * has a thread of its own here besides the two that the client library gives it. May include:
 * client/cli/histogram; zookeeper, pthread. */

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

#include "client/cli/histogram.h"

#define KEYS        1000
#define CHILDREN    1000 /* of each parent that fill makes */
#define DEPTH_MAX   1000
#define FOLDER_MAX  (8 + 2 * DEPTH_MAX)
#define NAME_SIZE   (FOLDER_MAX + 64)
#define TIMEOUT_MS  30000
#define NS_A_SECOND INT64_C (1000000000)

struct plan {
    const char *hosts, *workload;
    int sessions, window, total, size, depth;
    int per_session;
    char folder[FOLDER_MAX];
    char *data;
};

struct session {
    const struct plan *plan;
    zhandle_t *zk;
    int id;
    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t cond;
    int sent, done, errors, events;
    bool fired;
    int64_t *starts_ns; /* a ring: answers come in the order of the requests */
    struct histogram *latencies;
};

static int64_t now_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * NS_A_SECOND + now.tv_nsec;
}

static void *must (void *memory)
{
    if (memory == NULL) {
        fputs ("zkload: out of memory\n", stderr);
        exit (1);
    }
    return memory;
}

static void must_be (int rc, const char *what)
{
    if (rc != ZOK && rc != ZNODEEXISTS) {
        fprintf (stderr, "zkload: %s: %s\n", what, zerror (rc));
        exit (1);
    }
}

static void report (const struct plan *plan, const struct histogram *latencies, double seconds,
                    int errors, int events)
{
    printf ("%-7s sessions %d window %d size %d: %.0f ops/s  p50 %.0f us  p99 %.0f us  "
            "p99.9 %.0f us  errors %d",
            plan->workload, plan->sessions, plan->window, plan->size,
            (double) latencies->count / seconds,
            (double) histogram_percentile (latencies, 1, 2) / 1e3,
            (double) histogram_percentile (latencies, 99, 100) / 1e3,
            (double) histogram_percentile (latencies, 999, 1000) / 1e3, errors);
    if (strcmp (plan->workload, "watch") == 0) {
        printf ("  events %d", events);
    }
    putchar ('\n');
}

/* ---- What the library calls --------------------------------------------------------------- */

static void on_end (const void *arg, int rc)
{
    struct session *self = (struct session *) (uintptr_t) arg;
    int64_t now = now_ns ();
    pthread_mutex_lock (&self->mutex);
    histogram_record (self->latencies, now - self->starts_ns[self->done % self->plan->window]);
    self->done++;
    self->errors += rc != ZOK;
    pthread_cond_signal (&self->cond);
    pthread_mutex_unlock (&self->mutex);
}

static void on_void (int rc, const void *arg)
{
    on_end (arg, rc);
}

static void on_string (int rc, const char *value, const void *arg)
{
    (void) value;
    on_end (arg, rc);
}

static void on_stat (int rc, const struct Stat *stat, const void *arg)
{
    (void) stat;
    on_end (arg, rc);
}

static void on_data (int rc, const char *value, int size, const struct Stat *stat, const void *arg)
{
    (void) value;
    (void) size;
    (void) stat;
    on_end (arg, rc);
}

static void on_event (zhandle_t *zk, int type, int state, const char *path, void *arg)
{
    (void) zk;
    (void) state;
    (void) path;
    struct session *self = arg;
    if (self == NULL || type == ZOO_SESSION_EVENT) {
        return;
    }
    pthread_mutex_lock (&self->mutex);
    self->fired = true;
    self->events++;
    pthread_cond_signal (&self->cond);
    pthread_mutex_unlock (&self->mutex);
}

static void await_event (struct session *self)
{
    pthread_mutex_lock (&self->mutex);
    while (!self->fired) {
        pthread_cond_wait (&self->cond, &self->mutex);
    }
    pthread_mutex_unlock (&self->mutex);
}

/* ---- Set-up ------------------------------------------------------------------------------- */

static zhandle_t *begin (const struct plan *plan, int timeout_ms, struct session *session)
{
    zhandle_t *zk = must (zookeeper_init (plan->hosts, on_event, timeout_ms, NULL, session, 0));
    while (zoo_state (zk) != ZOO_CONNECTED_STATE) {
        poll (NULL, 0, 1);
    }
    return zk;
}

static void create (zhandle_t *zk, const char *path, const char *data, int size, int flags)
{
    must_be (zoo_create (zk, path, data, size, &ZOO_OPEN_ACL_UNSAFE, flags, NULL, 0), path);
}

/* /bench, or /bench/d/d/d; below it a znode a session, and the keys with data of the right size. */
static void set_up (struct session *all, const struct plan *plan)
{
    char path[NAME_SIZE];
    zhandle_t *zk = all[0].zk;
    for (size_t i = 1; i <= strlen (plan->folder); i++) {
        if (plan->folder[i] == '/' || plan->folder[i] == 0) {
            snprintf (path, sizeof path, "%.*s", (int) i, plan->folder);
            create (zk, path, "", 0, 0);
        }
    }
    for (int i = 0; i < plan->sessions; i++) {
        snprintf (path, sizeof path, "%s/s%d", plan->folder, i);
        create (zk, path, "", 0, 0);
    }
    for (int i = 0; i < KEYS; i++) {
        struct Stat stat;
        snprintf (path, sizeof path, "%s/k%d", plan->folder, i);
        if (zoo_exists (zk, path, 0, &stat) != ZOK) {
            create (zk, path, plan->data, plan->size, 0);
        } else if (stat.dataLength != plan->size) {
            must_be (zoo_set (zk, path, plan->data, plan->size, -1), path);
        }
    }
    /* Every server has seen this before the clock starts. */
    for (int i = 0; i < plan->sessions; i++) {
        must_be (zoo_set (all[i].zk, "/bench", "", 0, -1), "/bench");
    }
}

static struct session *open_all (const struct plan *plan)
{
    struct session *all = must (calloc ((size_t) plan->sessions, sizeof *all));
    for (int i = 0; i < plan->sessions; i++) {
        struct session *self = &all[i];
        *self = (struct session){
            .plan = plan,
            .id = i,
            .starts_ns = must (calloc ((size_t) plan->window, sizeof *self->starts_ns)),
            .latencies = must (histogram_new ()),
        };
        pthread_mutex_init (&self->mutex, NULL);
        pthread_cond_init (&self->cond, NULL);
        self->zk = begin (plan, TIMEOUT_MS, self);
    }
    set_up (all, plan);
    return all;
}

/* ---- Many operations ---------------------------------------------------------------------- */

static int request_fill (struct session *self, int i)
{
    char path[NAME_SIZE];
    if (i % CHILDREN == 0) {
        snprintf (path, sizeof path, "%s/f%d-%d", self->plan->folder, self->id, i / CHILDREN);
        create (self->zk, path, "", 0, 0);
    }
    snprintf (path, sizeof path, "%s/f%d-%d/n%d", self->plan->folder, self->id, i / CHILDREN,
              i % CHILDREN);
    return zoo_acreate (self->zk, path, self->plan->data, self->plan->size, &ZOO_OPEN_ACL_UNSAFE, 0,
                        on_string, self);
}

/* Begins operation number i of this session. */
static int request (struct session *self, int i)
{
    const struct plan *plan = self->plan;
    const char *workload = plan->workload;
    char path[NAME_SIZE];
    bool creates = strcmp (workload, "create") == 0;
    if (strcmp (workload, "fill") == 0) {
        return request_fill (self, i);
    }
    if (creates || strcmp (workload, "delete") == 0) {
        snprintf (path, sizeof path, "%s/s%d/n%d", plan->folder, self->id, i);
        return creates ? zoo_acreate (self->zk, path, plan->data, plan->size, &ZOO_OPEN_ACL_UNSAFE,
                                      0, on_string, self)
                       : zoo_adelete (self->zk, path, -1, on_void, self);
    }
    bool watches = strcmp (workload, "watch") == 0;
    bool mixed = watches || strcmp (workload, "mix") == 0;
    snprintf (path, sizeof path, "%s/k%d", plan->folder,
              (int) (((int64_t) self->id * 7919 + i) % KEYS));
    if (strcmp (workload, "set") == 0 || (mixed && i % 10 == 0)) {
        return zoo_aset (self->zk, path, plan->data, plan->size, -1, on_stat, self);
    }
    return zoo_awget (self->zk, path, watches ? on_event : NULL, self, on_data, self);
}

static void *drive (void *arg)
{
    struct session *self = arg;
    const struct plan *plan = self->plan;
    for (int i = 0; i < plan->per_session; i++) {
        pthread_mutex_lock (&self->mutex);
        while (self->sent - self->done >= plan->window) {
            pthread_cond_wait (&self->cond, &self->mutex);
        }
        self->starts_ns[self->sent++ % plan->window] = now_ns ();
        pthread_mutex_unlock (&self->mutex);
        must_be (request (self, i), plan->workload);
    }
    pthread_mutex_lock (&self->mutex);
    while (self->done < plan->per_session) {
        pthread_cond_wait (&self->cond, &self->mutex);
    }
    pthread_mutex_unlock (&self->mutex);
    return NULL;
}

static void run_load (const struct plan *plan)
{
    struct session *all = open_all (plan);
    pthread_t *threads = must (calloc ((size_t) plan->sessions, sizeof *threads));
    int64_t start = now_ns ();
    for (int i = 0; i < plan->sessions; i++) {
        must_be (pthread_create (&threads[i], NULL, drive, &all[i]), "a thread");
    }
    for (int i = 0; i < plan->sessions; i++) {
        pthread_join (threads[i], NULL);
    }
    double seconds = (double) (now_ns () - start) / 1e9;
    struct histogram *latencies = must (histogram_new ());
    int errors = 0, events = 0;
    for (int i = 0; i < plan->sessions; i++) {
        histogram_add (latencies, all[i].latencies);
        errors += all[i].errors;
        events += all[i].events;
    }
    report (plan, latencies, seconds, errors, events);
}

/* ---- One thing at a time ------------------------------------------------------------------ */

static void run_fanout (const struct plan *plan)
{
    struct session *all = open_all (plan);
    struct histogram *latencies = must (histogram_new ());
    char path[NAME_SIZE];
    snprintf (path, sizeof path, "%s/k0", plan->folder);
    int64_t start = now_ns ();
    for (int round = 0; round < plan->total; round++) {
        struct Stat stat;
        for (int i = 0; i < plan->sessions; i++) {
            all[i].fired = false;
            must_be (zoo_wexists (all[i].zk, path, on_event, &all[i], &stat), path);
        }
        int64_t begun = now_ns ();
        must_be (zoo_set (all[round % plan->sessions].zk, path, plan->data, plan->size, -1), path);
        for (int i = 0; i < plan->sessions; i++) {
            await_event (&all[i]);
        }
        histogram_record (latencies, now_ns () - begun);
    }
    report (plan, latencies, (double) (now_ns () - start) / 1e9, 0, 0);
}

static void hold (const struct plan *plan, int number)
{
    char path[NAME_SIZE];
    zhandle_t *zk = begin (plan, plan->window, NULL);
    create (zk, "/vanish", "", 0, 0);
    snprintf (path, sizeof path, "/vanish/e%d", number);
    create (zk, path, "", 0, ZOO_EPHEMERAL);
    for (;;) {
        pause ();
    }
}

static void run_vanish (const struct plan *plan)
{
    struct histogram *latencies = must (histogram_new ());
    pid_t *holders = must (calloc ((size_t) plan->total, sizeof *holders));
    /* Forked before this process has a thread. */
    for (int i = 0; i < plan->total; i++) {
        holders[i] = fork ();
        if (holders[i] == 0) {
            hold (plan, i);
        }
    }
    struct session watcher = {
        .plan = plan, .mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    watcher.zk = begin (plan, TIMEOUT_MS, &watcher);
    int64_t start = now_ns ();
    for (int i = 0; i < plan->total; i++) {
        char path[NAME_SIZE];
        struct Stat stat;
        snprintf (path, sizeof path, "/vanish/e%d", i);
        while (zoo_exists (watcher.zk, path, 0, &stat) != ZOK) {
            poll (NULL, 0, 1);
        }
        watcher.fired = false;
        must_be (zoo_wexists (watcher.zk, path, on_event, &watcher, &stat), path);
        int64_t begun = now_ns ();
        kill (holders[i], SIGKILL);
        await_event (&watcher);
        histogram_record (latencies, now_ns () - begun);
        waitpid (holders[i], NULL, 0);
    }
    report (plan, latencies, (double) (now_ns () - start) / 1e9, 0, 0);
}

static void run_gap (const struct plan *plan)
{
    zhandle_t *zk = begin (plan, TIMEOUT_MS, NULL);
    create (zk, "/gap", "", 0, 0);
    int64_t last = now_ns (), end = last + plan->total * NS_A_SECOND, longest = 0;
    int acknowledged = 0, errors = 0;
    while (now_ns () < end) {
        if (zoo_set (zk, "/gap", "x", 1, -1) == ZOK) {
            int64_t now = now_ns ();
            longest = now - last > longest ? now - last : longest;
            last = now;
            acknowledged++;
        } else {
            poll (NULL, 0, 1);
            errors++;
        }
    }
    longest = end - last > longest ? end - last : longest;
    printf ("gap     acknowledged %d  errors %d  longest %.0f ms\n", acknowledged, errors,
            (double) longest / 1e6);
}

/* A number from min on. */
static int number (const char *text, int min)
{
    char *end = NULL;
    long value = strtol (text, &end, 10);
    if (end == text || *end != 0 || value < min || value > INT32_MAX) {
        fprintf (stderr, "zkload: '%s' is not a number from %d\n", text, min);
        exit (2);
    }
    return (int) value;
}

int main (int argc, char **argv)
{
    if (argc != 8) {
        fputs ("usage: zkload HOSTS WORKLOAD SESSIONS WINDOW TOTAL SIZE DEPTH\n", stderr);
        return 2;
    }
    static struct plan plan;
    plan.hosts = argv[1];
    plan.workload = argv[2];
    plan.sessions = number (argv[3], 1);
    plan.window = number (argv[4], 1);
    plan.total = number (argv[5], 1);
    plan.size = number (argv[6], 0);
    plan.depth = number (argv[7], 0);
    if (plan.depth > DEPTH_MAX) {
        fprintf (stderr, "zkload: not deeper than %d\n", DEPTH_MAX);
        return 2;
    }
    plan.per_session = plan.total / plan.sessions;
    plan.data = must (malloc ((size_t) plan.size + 1));
    memset (plan.data, 'x', (size_t) plan.size);
    char *end = stpcpy (plan.folder, "/bench");
    for (int i = 0; i < plan.depth; i++) {
        end = stpcpy (end, "/d");
    }
    zoo_set_debug_level (0);
    if (strcmp (plan.workload, "fanout") == 0) {
        run_fanout (&plan);
    } else if (strcmp (plan.workload, "vanish") == 0) {
        run_vanish (&plan);
    } else if (strcmp (plan.workload, "gap") == 0) {
        run_gap (&plan);
    } else {
        run_load (&plan);
    }
    fflush (stdout);
    /* Without the ends of all these sessions, one after the other. */
    _exit (0);
}

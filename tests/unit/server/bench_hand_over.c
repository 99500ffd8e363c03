/* What others feel of a hand-over: not a test.
 *
 *     bench-hand-over SERVERS [ephemerals]      100,000 by default
 *
 * A session creates ephemerals, hands them over to another, and that one ends. Meanwhile a third
 * one, with a thread and a connection of its own, writes one value after the other and notes how
 * long each write takes; so does a stream over all of the ephemerals, which is a fourth session's.
 * Prints the longest of each phase, and how many there were. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cohort/client.h"

enum { LIMIT_MS = 60000, BATCH = 1000, IDLE_MS = 2000, SAMPLES_MAX = 1 << 20 };

enum phase { IDLE, CREATES, HANDS_OVER, REAPS, PHASES, ENDED };

static const char *const names[PHASES] = {"nothing else", "they are created", "hand-over",
                                          "they are removed"};

struct samples {
    size_t count;
    float ms[SAMPLES_MAX];
};

static struct samples samples[PHASES];
static _Atomic int phase = IDLE;
static const char *servers;

static void require (int rc, const char *what)
{
    if (rc < 0) {
        fprintf (stderr, "%s: %s\n", what, cohort_error_text (rc));
        exit (1);
    }
}

static cohort_t *begin (void)
{
    cohort_t *client = cohort_new (servers, NULL);
    if (client == NULL) {
        const char *text;
        (void) cohort_new_error (&text);
        fprintf (stderr, "%s\n", text);
        exit (1);
    }
    require (cohort_wait (client, LIMIT_MS), "connect");
    return client;
}

static double now_ms (void)
{
    struct timespec time;
    (void) clock_gettime (CLOCK_MONOTONIC, &time);
    return (double) time.tv_sec * 1e3 + (double) time.tv_nsec / 1e6;
}

static void *other (void *arg)
{
    cohort_t *client = arg;
    while (phase != ENDED) {
        int in = phase;
        double from = now_ms ();
        require (cohort_set (client, "/bench-other", "x", 1, COHORT_ANY_VERSION, NULL), "set");
        struct samples *of = &samples[in < PHASES ? in : REAPS];
        if (of->count < SAMPLES_MAX) {
            of->ms[of->count++] = (float) (now_ms () - from);
        }
    }
    return NULL;
}

static void create_all (cohort_t *client, uint64_t count)
{
    for (uint64_t at = 0; at < count; at += BATCH) {
        cohort_txn_t *txn = cohort_txn_new ();
        for (uint64_t i = at; i < at + BATCH && i < count; i++) {
            char path[64];
            (void) snprintf (path, sizeof path, "/bench-players/%llu", (unsigned long long) i);
            require (cohort_txn_create (txn, path, "127.0.0.1:7000", 14, COHORT_EPHEMERAL, NULL),
                     "create");
        }
        require (cohort_multi (client, txn), "multi");
        cohort_txn_destroy (&txn);
    }
}

static void count_owners (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    (void) stream;
    for (size_t i = 0; batch != NULL && i < batch->count; i++) {
        *(unsigned *) arg += batch->changes[i].kind == COHORT_CHANGE_OWNER;
    }
}

/* Lets time pass, and hears meanwhile what the stream tells. */
static void let_pass (cohort_t *reader, int ms)
{
    double end = now_ms () + ms;
    for (double now = now_ms (); now < end; now = now_ms ()) {
        require (cohort_run (reader, (int) (end - now) + 1), "stream");
    }
}

static void make (cohort_t *client, const char *path)
{
    int rc = cohort_create (client, path, "", 0, COHORT_PERSISTENT, NULL, NULL, NULL);
    require (rc == COHORT_ENODEEXISTS ? 0 : rc, path);
}

static int ascending (const void *a, const void *b)
{
    float x = *(const float *) a, y = *(const float *) b;
    return (x > y) - (x < y);
}

static void print (void)
{
    for (int i = 0; i < PHASES; i++) {
        struct samples *of = &samples[i];
        if (of->count > 0) {
            qsort (of->ms, of->count, sizeof of->ms[0], ascending);
            printf ("others' writes while: %-17s %6zu, median %6.2f ms, longest %6.2f ms\n",
                    names[i], of->count, (double) of->ms[of->count / 2],
                    (double) of->ms[of->count - 1]);
        }
    }
}

int main (int argc, char **argv)
{
    uint64_t count = argc > 2 ? strtoull (argv[2], NULL, 10) : 100000, given = 0;
    unsigned owners = 0;
    if (argc < 2 || count == 0) {
        fprintf (stderr, "usage: bench-hand-over SERVERS [ephemerals]\n");
        return 2;
    }
    servers = argv[1];
    cohort_t *from = begin (), *to = begin (), *writer = begin (), *reader = begin ();
    make (writer, "/bench-other");
    make (writer, "/bench-players");
    cohort_stream_t *stream = cohort_stream_new (reader, "/bench-players", count_owners, &owners);
    pthread_t thread;
    if (stream == NULL || pthread_create (&thread, NULL, other, writer) != 0) {
        return 1;
    }
    let_pass (reader, IDLE_MS);
    phase = CREATES;
    create_all (from, count);
    phase = HANDS_OVER;
    uint8_t token[COHORT_TOKEN_SIZE];
    require (cohort_hand_over_token (to, cohort_session_id (from), token), "token");
    double begun = now_ms ();
    require (cohort_hand_over (from, cohort_session_id (to), token, &given), "hand_over");
    double took = now_ms () - begun;
    while (owners == 0) {
        require (cohort_run (reader, LIMIT_MS), "stream");
    }
    let_pass (reader, 100);
    printf ("%llu ephemerals handed over in %.2f ms, told by %u change of a stream\n",
            (unsigned long long) given, took, owners);
    phase = REAPS;
    begun = now_ms ();
    cohort_destroy (&to);
    cohort_stat_t stat = {.child_count = 1};
    while (stat.child_count > 0) {
        let_pass (reader, 5);
        require (cohort_exists (from, "/bench-players", &stat), "exists");
    }
    printf ("removed in %.0f ms\n", now_ms () - begun);
    phase = ENDED;
    (void) pthread_join (thread, NULL);
    print ();
    cohort_stream_destroy (&stream);
    cohort_destroy (&from);
    cohort_destroy (&writer);
    cohort_destroy (&reader);
    return given == count ? 0 : 1;
}

/* bound: what the machine allows, without any of Cohort: the bounds that tests/bench/compare prints
 * beside what the servers reach.
 *
 *     bound rtt ENDPOINT     one message of 100 bytes there and back over ZeroMQ: median, us
 *     bound echo SIZE        512 messages of SIZE bytes under way over TCP: messages a second
 *     bound answer SIZE      100 bytes there, SIZE bytes back that nobody copies; three servers, 8
 *                            under way at each: answers a second of all
 *     bound quorum DIR       a request of 100 bytes to a server that writes and syncs it, and sends
 * it to two others that do the same; the answer when its own sync and that of one of them are done;
 * one at a time: median, us bound fdatasync DIR    128 bytes written to a file that has room,
 * synced: median, us bound logs DIR         1 MiB at a time written to each of three files that
 * have room, synced: bytes a second of each bound memcpy           of 64 MiB: bytes a second
 *
 * One number on stdout.
 * May include: client/cli/histogram; zmq, pthread. */

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "client/cli/histogram.h"

#define RTT_SIZE      100
#define RTT_ROUNDS    20000
#define QUORUM_ROUNDS 3000
#define ECHO_WINDOW   512
#define ECHO_TOTAL    400000
#define SYNC_ROUNDS   1000
#define SYNC_SIZE     128
#define SYNC_ROOM     (4 << 20)
#define COPY_SIZE     (64 << 20)
#define COPY_ROUNDS   16
#define ENDPOINT_SIZE 256
#define MESSAGE_SIZE  65536
#define SERVERS       3
#define ANSWER_WINDOW 8
#define ANSWER_TOTAL  15000 /* of each server */
#define LOG_PIECE     (1 << 20)
#define LOG_SIZE      (32 << 20)

static int64_t now_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * INT64_C (1000000000) + now.tv_nsec;
}

static void must (bool worked, const char *what)
{
    if (!worked) {
        perror (what);
        exit (1);
    }
}

/* ---- ZeroMQ: a ROUTER that sends back what it gets, and a DEALER ----------------------------- */

struct echo {
    void *context;
    void *router;
    char endpoint[ENDPOINT_SIZE]; /* as bound: with the port that was free */
    int answer_size;              /* 0: what came is sent back */
};

/* What is sent stays: nobody frees it. */
static void keep (void *data, void *hint)
{
    (void) data;
    (void) hint;
}

static bool send_data (void *socket, char *data, size_t size)
{
    zmq_msg_t message;
    return zmq_msg_init_data (&message, data, size, keep, NULL) == 0 &&
           zmq_msg_send (&message, socket, 0) >= 0;
}

static void *answer (void *arg)
{
    static char stays[MESSAGE_SIZE]; /* of all servers */
    struct echo *self = arg;
    char identity[256], data[MESSAGE_SIZE];
    for (;;) {
        int identity_size = zmq_recv (self->router, identity, sizeof identity, 0);
        int size = identity_size < 0 ? -1 : zmq_recv (self->router, data, sizeof data, 0);
        if (size < 0) {
            return NULL; /* the context has ended */
        }
        must (zmq_send (self->router, identity, (size_t) identity_size, ZMQ_SNDMORE) >= 0,
              "zmq_send");
        must (self->answer_size > 0 ? send_data (self->router, stays, (size_t) self->answer_size)
                                    : zmq_send (self->router, data, (size_t) size, 0) >= 0,
              "zmq_send");
    }
}

static void *open_socket (void *context, int type)
{
    int none = 0;
    void *socket = zmq_socket (context, type);
    must (socket != NULL, "zmq_socket");
    must (zmq_setsockopt (socket, ZMQ_SNDHWM, &none, sizeof none) == 0 &&
              zmq_setsockopt (socket, ZMQ_RCVHWM, &none, sizeof none) == 0 &&
              zmq_setsockopt (socket, ZMQ_LINGER, &none, sizeof none) == 0,
          "zmq_setsockopt");
    return socket;
}

/* The two ends have contexts, and so threads of ZeroMQ's, of their own, as processes would; within
 * one process there is one. */
static void echo (const char *endpoint, int size, int answer_size, int window, int total,
                  struct histogram *latencies)
{
    bool inproc = strncmp (endpoint, "inproc:", 7) == 0;
    int wanted = answer_size > 0 ? answer_size : size;
    struct echo server = {.context = zmq_ctx_new (), .answer_size = answer_size};
    void *context = inproc ? server.context : zmq_ctx_new ();
    server.router = open_socket (server.context, ZMQ_ROUTER);
    must (zmq_bind (server.router, endpoint) == 0, endpoint);
    size_t length = sizeof server.endpoint;
    must (zmq_getsockopt (server.router, ZMQ_LAST_ENDPOINT, server.endpoint, &length) == 0,
          "ZMQ_LAST_ENDPOINT");
    pthread_t thread;
    must (pthread_create (&thread, NULL, answer, &server) == 0, "pthread_create");
    void *dealer = open_socket (context, ZMQ_DEALER);
    must (zmq_connect (dealer, server.endpoint) == 0, server.endpoint);
    char data[MESSAGE_SIZE];
    memset (data, 'x', sizeof data);
    int64_t *starts = calloc ((size_t) window, sizeof *starts);
    must (starts != NULL, "calloc");
    for (int sent = 0, got = 0; got < total;) {
        for (; sent < total && sent - got < window; sent++) {
            starts[sent % window] = now_ns ();
            must (zmq_send (dealer, data, (size_t) size, 0) == size, "zmq_send");
        }
        zmq_msg_t got_back;
        must (zmq_msg_init (&got_back) == 0 && zmq_msg_recv (&got_back, dealer, 0) == wanted,
              "zmq_msg_recv");
        zmq_msg_close (&got_back);
        histogram_record (latencies, now_ns () - starts[got++ % window]);
    }
    free (starts);
    zmq_close (dealer);
    if (!inproc) {
        zmq_ctx_term (context);
    }
    zmq_ctx_shutdown (server.context);
    pthread_join (thread, NULL);
    zmq_close (server.router);
    zmq_ctx_term (server.context);
}

static void *ask (void *arg)
{
    struct histogram *latencies = histogram_new ();
    must (latencies != NULL, "malloc");
    echo ("tcp://127.0.0.1:*", RTT_SIZE, *(const int *) arg, ANSWER_WINDOW, ANSWER_TOTAL,
          latencies);
    free (latencies);
    return NULL;
}

static double measure_answers (int size)
{
    pthread_t threads[SERVERS];
    int64_t start = now_ns ();
    for (int i = 0; i < SERVERS; i++) {
        must (pthread_create (&threads[i], NULL, ask, &size) == 0, "pthread_create");
    }
    for (int i = 0; i < SERVERS; i++) {
        pthread_join (threads[i], NULL);
    }
    return SERVERS * ANSWER_TOTAL / ((double) (now_ns () - start) / 1e9);
}

/* ---- The disk ---------------------------------------------------------------------------------
 */

static void measure_sync (const char *folder, struct histogram *latencies)
{
    char path[4096], *room = calloc (1, SYNC_ROOM);
    snprintf (path, sizeof path, "%s/bound-XXXXXX", folder);
    int file = mkstemp (path);
    must (file >= 0 && room != NULL, path);
    unlink (path);
    must (write (file, room, SYNC_ROOM) == SYNC_ROOM && fsync (file) == 0, path);
    memset (room, 'x', SYNC_SIZE);
    for (int i = 0; i < SYNC_ROUNDS; i++) {
        int64_t start = now_ns ();
        must (pwrite (file, room, SYNC_SIZE, (off_t) i * SYNC_SIZE) == SYNC_SIZE &&
                  fdatasync (file) == 0,
              path);
        histogram_record (latencies, now_ns () - start);
    }
    close (file);
    free (room);
}

static int open_room (const char *folder, size_t size)
{
    char path[4096], *zeros = calloc (1, LOG_PIECE);
    snprintf (path, sizeof path, "%s/bound-XXXXXX", folder);
    int file = mkstemp (path);
    must (file >= 0 && zeros != NULL, path);
    unlink (path);
    for (size_t at = 0; at < size; at += LOG_PIECE) {
        must (pwrite (file, zeros, LOG_PIECE, (off_t) at) == LOG_PIECE, path);
    }
    must (fsync (file) == 0, path);
    free (zeros);
    return file;
}

/* ---- A write of a quorum, and nothing else ----------------------------------------------------
 */

/* One that has a thread and a context of its own, as a process would. */
struct member {
    void *context;
    void *router;
    void *others[SERVERS - 1]; /* the first server's */
    char endpoint[ENDPOINT_SIZE];
    int log;
    off_t log_end;
};

static void member_bind (struct member *self, const char *folder)
{
    size_t length = sizeof self->endpoint;
    *self = (struct member){.context = zmq_ctx_new (), .log = open_room (folder, SYNC_ROOM)};
    self->router = open_socket (self->context, ZMQ_ROUTER);
    must (zmq_bind (self->router, "tcp://127.0.0.1:*") == 0 &&
              zmq_getsockopt (self->router, ZMQ_LAST_ENDPOINT, self->endpoint, &length) == 0,
          "zmq_bind");
}

static void member_write (struct member *self, const char *data)
{
    must (pwrite (self->log, data, RTT_SIZE, self->log_end) == RTT_SIZE &&
              fdatasync (self->log) == 0,
          "a log");
    self->log_end += SYNC_SIZE;
}

static void *follow (void *arg)
{
    struct member *self = arg;
    char identity[256], data[RTT_SIZE];
    for (;;) {
        int size = zmq_recv (self->router, identity, sizeof identity, 0);
        if (size < 0 || zmq_recv (self->router, data, sizeof data, 0) != RTT_SIZE) {
            return NULL; /* the context has ended */
        }
        member_write (self, data);
        must (zmq_send (self->router, identity, (size_t) size, ZMQ_SNDMORE) >= 0 &&
                  zmq_send (self->router, data, sizeof data, 0) >= 0,
              "zmq_send");
    }
}

/* Until one of the others has written as many as this one. */
static void await_other (struct member *self, int acknowledged[SERVERS - 1], int written)
{
    for (;;) {
        zmq_pollitem_t items[SERVERS - 1];
        for (int i = 0; i < SERVERS - 1; i++) {
            items[i] = (zmq_pollitem_t){.socket = self->others[i], .events = ZMQ_POLLIN};
        }
        must (zmq_poll (items, SERVERS - 1, -1) > 0, "zmq_poll");
        bool done = false;
        for (int i = 0; i < SERVERS - 1; i++) {
            char data[RTT_SIZE];
            while (zmq_recv (self->others[i], data, sizeof data, ZMQ_DONTWAIT) == RTT_SIZE) {
                acknowledged[i]++;
            }
            done = done || acknowledged[i] == written;
        }
        if (done) {
            return;
        }
    }
}

static void *lead (void *arg)
{
    struct member *self = arg;
    int acknowledged[SERVERS - 1] = {0};
    for (int written = 1;; written++) {
        char identity[256], data[RTT_SIZE];
        int size = zmq_recv (self->router, identity, sizeof identity, 0);
        if (size < 0 || zmq_recv (self->router, data, sizeof data, 0) != RTT_SIZE) {
            return NULL;
        }
        for (int i = 0; i < SERVERS - 1; i++) {
            must (zmq_send (self->others[i], data, sizeof data, 0) == RTT_SIZE, "zmq_send");
        }
        member_write (self, data);
        await_other (self, acknowledged, written);
        must (zmq_send (self->router, identity, (size_t) size, ZMQ_SNDMORE) >= 0 &&
                  zmq_send (self->router, data, sizeof data, 0) >= 0,
              "zmq_send");
    }
}

static void write_one_by_one (const char *endpoint, struct histogram *latencies)
{
    void *context = zmq_ctx_new ();
    void *dealer = open_socket (context, ZMQ_DEALER);
    must (zmq_connect (dealer, endpoint) == 0, endpoint);
    char data[RTT_SIZE];
    memset (data, 'x', sizeof data);
    for (int i = 0; i < QUORUM_ROUNDS; i++) {
        int64_t start = now_ns ();
        must (zmq_send (dealer, data, sizeof data, 0) == RTT_SIZE &&
                  zmq_recv (dealer, data, sizeof data, 0) == RTT_SIZE,
              "a write");
        histogram_record (latencies, now_ns () - start);
    }
    zmq_close (dealer);
    zmq_ctx_term (context);
}

static void measure_quorum (const char *folder, struct histogram *latencies)
{
    struct member members[SERVERS];
    pthread_t threads[SERVERS];
    for (int i = 0; i < SERVERS; i++) {
        member_bind (&members[i], folder);
    }
    for (int i = 0; i < SERVERS - 1; i++) {
        members[0].others[i] = open_socket (members[0].context, ZMQ_DEALER);
        must (zmq_connect (members[0].others[i], members[i + 1].endpoint) == 0, "zmq_connect");
    }
    for (int i = 0; i < SERVERS; i++) {
        must (pthread_create (&threads[i], NULL, i == 0 ? lead : follow, &members[i]) == 0,
              "pthread_create");
    }
    write_one_by_one (members[0].endpoint, latencies);
    for (int i = 0; i < SERVERS; i++) {
        zmq_ctx_shutdown (members[i].context);
        pthread_join (threads[i], NULL);
        for (int k = 0; k < SERVERS - 1 && i == 0; k++) {
            zmq_close (members[i].others[k]);
        }
        zmq_close (members[i].router);
        zmq_ctx_term (members[i].context);
        close (members[i].log);
    }
}

/* ---- Three logs, and the memory ---------------------------------------------------------------
 */

static void *write_log (void *arg)
{
    int file = *(int *) arg;
    char *piece = malloc (LOG_PIECE);
    must (piece != NULL, "malloc");
    memset (piece, 'x', LOG_PIECE);
    for (size_t at = 0; at < LOG_SIZE; at += LOG_PIECE) {
        must (pwrite (file, piece, LOG_PIECE, (off_t) at) == LOG_PIECE && fdatasync (file) == 0,
              "a log");
    }
    free (piece);
    return NULL;
}

/* The logs of three servers are on one disk, and all of them have everything. */
static double measure_logs (const char *folder)
{
    int files[SERVERS];
    pthread_t threads[SERVERS];
    for (int i = 0; i < SERVERS; i++) {
        files[i] = open_room (folder, LOG_SIZE);
    }
    int64_t start = now_ns ();
    for (int i = 0; i < SERVERS; i++) {
        must (pthread_create (&threads[i], NULL, write_log, &files[i]) == 0, "pthread_create");
    }
    for (int i = 0; i < SERVERS; i++) {
        pthread_join (threads[i], NULL);
    }
    double seconds = (double) (now_ns () - start) / 1e9;
    for (int i = 0; i < SERVERS; i++) {
        close (files[i]);
    }
    return LOG_SIZE / seconds;
}

static double measure_copy (void)
{
    char *from = malloc (COPY_SIZE), *to = malloc (COPY_SIZE);
    must (from != NULL && to != NULL, "malloc");
    memset (from, 'x', COPY_SIZE);
    memset (to, 'y', COPY_SIZE);
    int64_t start = now_ns ();
    for (int i = 0; i < COPY_ROUNDS; i++) {
        from[i] = (char) i;
        memcpy (to, from, COPY_SIZE);
        must (to[i] == (char) i, "memcpy");
    }
    double seconds = (double) (now_ns () - start) / 1e9;
    free (from);
    free (to);
    return (double) COPY_SIZE * COPY_ROUNDS / seconds;
}

static double median_us (const struct histogram *latencies)
{
    return (double) histogram_percentile (latencies, 1, 2) / 1e3;
}

int main (int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "", *argument = argc > 2 ? argv[2] : NULL;
    struct histogram *latencies = histogram_new ();
    must (latencies != NULL, "malloc");
    long size = argument != NULL ? strtol (argument, NULL, 10) : 0;
    if (strcmp (what, "rtt") == 0 && argument != NULL) {
        echo (argument, RTT_SIZE, 0, 1, RTT_ROUNDS, latencies);
        printf ("%.1f\n", median_us (latencies));
    } else if (strcmp (what, "echo") == 0 && size > 0 && size <= MESSAGE_SIZE) {
        int64_t start = now_ns ();
        echo ("tcp://127.0.0.1:*", (int) size, 0, ECHO_WINDOW, ECHO_TOTAL, latencies);
        printf ("%.0f\n", ECHO_TOTAL / ((double) (now_ns () - start) / 1e9));
    } else if (strcmp (what, "answer") == 0 && size > 0 && size <= MESSAGE_SIZE) {
        printf ("%.0f\n", measure_answers ((int) size));
    } else if (strcmp (what, "quorum") == 0 && argument != NULL) {
        measure_quorum (argument, latencies);
        printf ("%.1f\n", median_us (latencies));
    } else if (strcmp (what, "fdatasync") == 0 && argument != NULL) {
        measure_sync (argument, latencies);
        printf ("%.1f\n", median_us (latencies));
    } else if (strcmp (what, "logs") == 0 && argument != NULL) {
        printf ("%.0f\n", measure_logs (argument));
    } else if (strcmp (what, "memcpy") == 0) {
        printf ("%.0f\n", measure_copy ());
    } else {
        fputs ("usage: bound rtt ENDPOINT | echo SIZE | answer SIZE | quorum DIR | fdatasync DIR | "
               "logs DIR | memcpy\n",
               stderr);
        free (latencies);
        return 2;
    }
    free (latencies);
    return 0;
}

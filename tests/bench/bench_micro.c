/* What the parts of the pipeline cost by themselves; not a test:
 *
 *     bench-micro log|codec|link [ROUNDS]
 *
 * Each prints one line: nanoseconds of processor time of the whole process. build/bin/bench-tree is
 * the same for the state. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "client/base/assert.h"
#include "client/src/wire.h"
#include "server/net/peers.h"
#include "server/node/wire_client.h"
#include "server/store/disk.h"
#include "server/store/store.h"

enum { DATA_SIZE = 100, BATCH = 64, ROUNDS = 4000, PEER = 2, PORT = 28741 };

static const uint8_t data[DATA_SIZE];

static double now_ns (void)
{
    struct timespec time;
    (void) clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double) time.tv_sec * 1e9 + (double) time.tv_nsec;
}

/* ---- The log --------------------------------------------------------------------------------- */

/* Entries are built, summed, written and synced, on a disk in memory and without a thread. */
static void measure_log (int rounds)
{
    struct store_options options = {.disk = memory_disk_new (), .server_id = 1, .store_id = 1};
    struct zab_point last = {.zxid = zxid_make (1, 0)};
    struct zab_entry entries[BATCH];
    struct store *store;
    char error[256];
    int rc = store_open (&options, &store, error, sizeof error);
    COHORT_ASSERT (rc == 0);
    double start = now_ns ();
    for (int round = 1; round <= rounds; round++) {
        for (int i = 0; i < BATCH; i++) {
            last.zxid++;
            last.chain = last.chain * 31 + 1;
            entries[i] = (struct zab_entry){
                .zxid = last.zxid, .chain = last.chain, .data = data, .size = DATA_SIZE};
        }
        store_persist (store, &(struct zab_persist){.number = (uint64_t) round,
                                                    .entries = entries,
                                                    .entries_count = BATCH});
        while (store_completed (store) < (uint64_t) round) {
            (void) store_work (store);
        }
    }
    printf ("log: %.0f ns an entry of %d bytes, %d at a time\n",
            (now_ns () - start) / rounds / BATCH, DATA_SIZE, BATCH);
    store_close (&store);
}

/* ---- The codec ------------------------------------------------------------------------------- */

static void put_requests (struct buf *out, struct arena *scratch)
{
    struct wire_request requests[BATCH];
    const struct wire_request *all[BATCH];
    for (int i = 0; i < BATCH; i++) {
        requests[i] = (struct wire_request){.xid = (uint64_t) i + 1,
                                            .op = {.kind = WIRE_GET, .path = "/bench/k100"}};
        all[i] = &requests[i];
    }
    struct wire_words words = {.requests = all, .request_count = BATCH};
    int rc = wire_put_words (out, scratch, &words);
    COHORT_ASSERT (rc == COHORT_OK);
}

static void put_replies (struct buf *out)
{
    cohort_stat_t stat = {.czxid = 1 << 20,
                          .mzxid = 1 << 21,
                          .pzxid = 1 << 20,
                          .ctime_ms = INT64_C (1790000000000),
                          .mtime_ms = INT64_C (1790000000000),
                          .version = 7,
                          .data_size = DATA_SIZE};
    for (int i = 0; i < BATCH; i++) {
        struct wire_client_reply reply = {.xid = (uint64_t) i + 1, .zxid = 1 << 21};
        struct wire_mark mark = wire_client_reply_begin (out, &reply, DATA_SIZE);
        wire_client_reply_data (out, data, DATA_SIZE);
        wire_client_reply_stat (out, &stat);
        wire_client_item_end (out, mark);
    }
    COHORT_ASSERT (!out->failed);
}

/* A read's request and its reply, at both ends. */
static void measure_codec (int rounds)
{
    enum { STEPS = 4 };
    double took[STEPS] = {0};
    struct buf requests = {0}, replies = {0};
    struct arena scratch;
    arena_init (&scratch, 64 << 10, 1 << 20);
    for (int round = 0; round < rounds; round++) {
        double at[STEPS + 1];
        struct wire_frame *frame;
        buf_clear (&requests);
        buf_clear (&replies);
        at[0] = now_ns ();
        put_requests (&requests, &scratch);
        arena_reset (&scratch);
        at[1] = now_ns ();
        const void *decoded = wire_client_decode (&scratch, requests.data, requests.size);
        arena_reset (&scratch);
        at[2] = now_ns ();
        put_replies (&replies);
        at[3] = now_ns ();
        int rc = wire_decode (replies.data, replies.size, &frame);
        COHORT_ASSERT (decoded != NULL && rc == COHORT_OK);
        wire_frame_release (frame);
        at[4] = now_ns ();
        for (int i = 0; i < STEPS; i++) {
            took[i] += (at[i + 1] - at[i]) / rounds / BATCH;
        }
    }
    printf ("codec: a read of %d bytes, %d a frame: request %.0f ns written, %.0f read; reply %.0f "
            "ns written, %.0f read\n",
            DATA_SIZE, BATCH, took[0], took[1], took[2], took[3]);
    arena_deinit (&scratch);
    buf_deinit (&requests);
    buf_deinit (&replies);
}

/* ---- The link -------------------------------------------------------------------------------- */

/* One of two servers of this process. */
struct end {
    struct peers *peers;
    int epoll;
    bool connected;
    uint64_t received;
};

static void on_connected (void *arg, uint32_t peer)
{
    (void) peer;
    ((struct end *) arg)->connected = true;
}

static void on_disconnected (void *arg, uint32_t peer)
{
    (void) peer;
    ((struct end *) arg)->connected = false;
}

static void on_frame (void *arg, const uint8_t *bytes, size_t size)
{
    (void) bytes;
    COHORT_ASSERT (size == DATA_SIZE);
    ((struct end *) arg)->received++;
}

static void on_watch (void *arg, int fd, bool *ready)
{
    const struct end *self = arg;
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = ready}};
    (void) epoll_ctl (self->epoll, ready != NULL ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event);
    if (ready != NULL) {
        *ready = true;
    }
}

static void endpoint_of (int number, char text[64])
{
    (void) snprintf (text, 64, "tcp://127.0.0.1:%d", PORT + number);
}

static void end_begin (struct end *self, void *context, int number)
{
    char mine[64], other[64], error[256];
    endpoint_of (number, mine);
    endpoint_of (1 - number, other);
    *self = (struct end){.epoll = epoll_create1 (EPOLL_CLOEXEC)};
    struct peers_options options = {
        .context = context,
        .endpoint = mine,
        .handler = {self, on_connected, on_disconnected, on_frame},
        .watch = on_watch,
        .watch_arg = self,
    };
    if (peers_new (&options, &self->peers, error, sizeof error) != 0 ||
        peers_add (self->peers, PEER, other) != 0) {
        fprintf (stderr, "%s\n", error);
        exit (1);
    }
}

static void end_turn (struct end *self, int wait_ms)
{
    struct epoll_event events[8];
    int count = epoll_wait (self->epoll, events, 8, wait_ms);
    for (int i = 0; i < count; i++) {
        *(bool *) events[i].data.ptr = true;
    }
    while (peers_turn (self->peers)) {
    }
}

/* Frames of one server to another through TCP, both ends and ZeroMQ's thread together. */
static void measure_link (int rounds)
{
    struct end ends[2];
    void *context = zmq_ctx_new ();
    for (int i = 0; i < 2; i++) {
        end_begin (&ends[i], context, i);
    }
    peers_connect (ends[0].peers, PEER);
    while (!ends[0].connected) {
        end_turn (&ends[0], 10);
        end_turn (&ends[1], 0);
    }
    double start = now_ns ();
    for (int round = 1; round <= rounds; round++) {
        for (int i = 0; i < BATCH; i++) {
            bool taken = peers_send (ends[0].peers, PEER, data, DATA_SIZE);
            COHORT_ASSERT (taken);
        }
        while (ends[1].received < (uint64_t) round * BATCH) {
            end_turn (&ends[1], 10);
        }
        end_turn (&ends[0], 0);
    }
    printf ("link: %.0f ns a frame of %d bytes, %d under way\n",
            (now_ns () - start) / rounds / BATCH, DATA_SIZE, BATCH);
    for (int i = 0; i < 2; i++) {
        peers_destroy (&ends[i].peers);
        close (ends[i].epoll);
    }
    zmq_ctx_term (context);
}

int main (int argc, char **argv)
{
    const char *part = argc > 1 ? argv[1] : "";
    int rounds = argc > 2 ? (int) strtol (argv[2], NULL, 10) : ROUNDS;
    if (strcmp (part, "log") == 0 && rounds > 0) {
        measure_log (rounds);
    } else if (strcmp (part, "codec") == 0 && rounds > 0) {
        measure_codec (rounds);
    } else if (strcmp (part, "link") == 0 && rounds > 0) {
        measure_link (rounds);
    } else {
        fprintf (stderr, "usage: bench-micro log|codec|link [ROUNDS]\n");
        return 2;
    }
    return 0;
}

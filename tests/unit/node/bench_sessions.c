/* What sessions cost a server: not a test.
 *
 *     bench-sessions [sessions] [ephemerals]      50,000, and 100,000 of one session, by default
 *
 * Prints bytes, and CPU time, which what others do on the machine does not change. */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/base/buf.h"
#include "client/base/hand_over.h"
#include "server/node/tracker.h"
#include "server/tree/tree.h"

enum { PEER_TIMEOUT_MS = 500, TIMEOUT_MS = 10000, BEATS = 10, MULTI = 1000 };

struct bench {
    struct tree *tree;
    struct tracker *tracker;
    zxid_t zxid;
    uint64_t number; /* of the newest session's writes */
    int64_t now_ms;
    uint64_t round;
    struct buf entry;
    struct buf closes; /* of the tracker */
    uint64_t proposed, confirmed;
    double slowest_ns; /* of the entries since it was reset */
};

static double now_ns (void)
{
    struct timespec time;
    clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double) time.tv_sec * 1e9 + (double) time.tv_nsec;
}

static double heap_bytes (void)
{
    struct mallinfo2 info = mallinfo2 ();
    return (double) info.uordblks + (double) info.hblkhd;
}

static struct tree_outcome apply (struct bench *bench)
{
    struct tree_outcome outcome;
    double begin = now_ns ();
    bench->zxid++;
    if (!tree_apply (bench->tree, bench->zxid, (int64_t) bench->zxid, bench->entry.data,
                     bench->entry.size, &outcome) ||
        outcome.code != 0) {
        fprintf (stderr, "an entry failed: %d\n", outcome.code);
        exit (1);
    }
    double spent = now_ns () - begin;
    bench->slowest_ns = spent > bench->slowest_ns ? spent : bench->slowest_ns;
    buf_clear (&bench->entry);
    return outcome;
}

/* ---- The tracker's host -----------------------------------------------------------------------
 */

static bool find_session (void *arg, uint64_t id, struct tree_session *session)
{
    return tree_session (((struct bench *) arg)->tree, id, session);
}

static bool next_session (void *arg, uint64_t after, struct tree_session *session)
{
    return tree_session_next (((struct bench *) arg)->tree, after, session);
}

static bool dead_session (void *arg, struct tree_session *session)
{
    return tree_session_dead (((struct bench *) arg)->tree, session);
}

static void propose (void *arg, const struct entry *entry)
{
    struct bench *bench = arg;
    bench->proposed++;
    buf_append (&bench->closes, entry, sizeof (*entry));
}

static void confirm (void *arg, uint32_t server, uint64_t session, uint64_t attach_no, uint64_t seq)
{
    (void) server;
    (void) session;
    (void) attach_no;
    (void) seq;
    ((struct bench *) arg)->confirmed++;
}

static void synced (void *arg, uint32_t server, uint64_t token, zxid_t zxid)
{
    (void) arg;
    (void) server;
    (void) token;
    (void) zxid;
}

/* ---- Entries ----------------------------------------------------------------------------------
 */

static void found (struct bench *bench)
{
    struct entry entry = {.kind = ENTRY_CLUSTER};
    entry.u.cluster.config.count = 1;
    entry.u.cluster.config.members[0] = (struct config_member){1, CONFIG_VOTER, 1};
    entry.u.cluster.limits = (struct entry_limits){1 << 20, 4096, 1024, 1 << 20, 1, 100000, 1};
    entry_encode (&bench->entry, &entry);
    (void) apply (bench);
}

static uint64_t begin_session (struct bench *bench, uint64_t i)
{
    struct entry entry = {.kind = ENTRY_CREATE_SESSION};
    entry.u.create_session.timeout_ms = TIMEOUT_MS;
    entry.u.create_session.server = 1;
    memcpy (entry.u.create_session.nonce, &i, sizeof (i));
    entry_encode (&bench->entry, &entry);
    return apply (bench).session;
}

/* The next `count` ephemerals in one transaction; the parent first. */
static void create (struct bench *bench, uint64_t session, uint64_t first, uint32_t count)
{
    struct entry entry = {.kind = ENTRY_WRITE};
    bench->number++;
    entry.u.write = (struct entry_write){.session = session,
                                         .incarnation = 1,
                                         .number = bench->number,
                                         .ack_to = bench->number - 1,
                                         .multi = count > 1,
                                         .count = count};
    entry_encode (&bench->entry, &entry);
    for (uint32_t i = 0; i < count; i++) {
        char path[64];
        int size = first == 0 ? snprintf (path, sizeof (path), "/players")
                              : snprintf (path, sizeof (path), "/players/p%08llu",
                                          (unsigned long long) (first + i));
        struct op op = {.kind = OP_CREATE,
                        .path = path,
                        .path_size = (uint32_t) size,
                        .data = (const uint8_t *) "127.0.0.1:7000",
                        .data_size = 14,
                        .mode = first == 0 ? COHORT_PERSISTENT : COHORT_EPHEMERAL};
        op_encode (&bench->entry, &op);
    }
    (void) apply (bench);
}

/* ---- What is measured -------------------------------------------------------------------------
 */

static void turn (struct bench *bench, double *slowest)
{
    bool more = true;
    while (more) {
        double begin = now_ns ();
        more = tracker_turn (bench->tracker);
        double spent = now_ns () - begin;
        *slowest = spent > *slowest ? spent : *slowest;
    }
}

static void beat (struct bench *bench, uint64_t sessions)
{
    double spent = 0, slowest = 0;
    for (uint64_t seq = 1; seq <= BEATS; seq++) {
        bench->now_ms += 20;
        double begin = now_ns ();
        tracker_time (bench->tracker, bench->now_ms);
        for (uint64_t id = 1; id <= sessions; id++) {
            tracker_heartbeat (bench->tracker, 1, id, 1, seq);
        }
        bench->round++;
        tracker_rounds (bench->tracker, bench->round, bench->round);
        spent += now_ns () - begin;
        turn (bench, &slowest);
    }
    printf ("%8llu sessions: a heartbeat and its confirmation %5.0f ns (%llu confirmed)\n",
            (unsigned long long) sessions, spent / (double) (BEATS * sessions),
            (unsigned long long) bench->confirmed);
    bench->confirmed = 0;
}

static void expire (struct bench *bench, uint64_t sessions)
{
    double slowest = 0;
    for (int64_t ms = 0; ms <= TIMEOUT_MS; ms += 100) {
        bench->now_ms += 100;
        tracker_time (bench->tracker, bench->now_ms);
        turn (bench, &slowest);
    }
    printf ("all of them silent: %llu proposed to be closed; the longest turn %.2f ms\n",
            (unsigned long long) bench->proposed, slowest / 1e6);
    if (bench->proposed != sessions) {
        fprintf (stderr, "not all of them were noticed\n");
        exit (1);
    }
}

/* The slowest of the entries that make them. */
static double fill (struct bench *bench, uint64_t session, uint64_t count, uint32_t at_once)
{
    bench->number = 0;
    if (at_once == 1) {
        create (bench, session, 0, 1); /* their parent */
    }
    bench->slowest_ns = 0;
    for (uint64_t i = 1; i <= count; i += at_once) {
        create (bench, session, i, at_once);
    }
    return bench->slowest_ns;
}

static void vanish (struct bench *bench, uint64_t session, uint64_t count)
{
    double begin = now_ns ();
    uint64_t entries = 0;
    bench->slowest_ns = 0;
    struct entry entry = {.kind = ENTRY_CLOSE};
    entry.u.close.session = session;
    entry.u.close.reason = ENTRY_KILLED;
    bool gone = false;
    while (!gone) {
        entry_encode (&bench->entry, &entry);
        gone = apply (bench).session_gone;
        entry = (struct entry){.kind = ENTRY_REAP, .u.reap = {.session = session}};
        entries++;
    }
    printf ("%llu ephemerals: gone after %llu entries, %.0f ms in all, the longest %.2f ms\n",
            (unsigned long long) count, (unsigned long long) entries, (now_ns () - begin) / 1e6,
            bench->slowest_ns / 1e6);
}

/* From the newest session that has created something. */
static void hand_over (struct bench *bench, uint64_t from, uint64_t to)
{
    uint8_t token[ENTRY_TOKEN_SIZE];
    const uint8_t hash[ENTRY_PASSWORD_HASH] = {0}; /* as begin_session has it */
    hand_over_token (from, to, hash, token);
    struct op op = {.kind = OP_HAND_OVER, .session = to, .token = token};
    struct entry entry = {.kind = ENTRY_WRITE};
    bench->number++;
    entry.u.write = (struct entry_write){
        .session = from, .incarnation = 1, .number = bench->number, .count = 1};
    bench->slowest_ns = 0;
    entry_encode (&bench->entry, &entry);
    op_encode (&bench->entry, &op);
    (void) apply (bench);
    printf ("handed over to another session: %.4f ms\n", bench->slowest_ns / 1e6);
}

int main (int argc, char **argv)
{
    static struct bench bench;
    uint64_t sessions = argc > 1 ? strtoull (argv[1], NULL, 10) : 50000;
    uint64_t ephemerals = argc > 2 ? strtoull (argv[2], NULL, 10) : 100000;
    struct logger logger = {NULL, NULL, LOG_ERROR};
    struct tracker_host host = {&bench,  find_session, next_session, dead_session,
                                propose, confirm,      synced};
    bench.tree = tree_new (&(struct tree_options){.effects_bytes_max = 64 << 20});
    bench.tracker = tracker_new (&host, PEER_TIMEOUT_MS, &logger, 0);
    if (sessions < 10 || ephemerals < MULTI || bench.tree == NULL || bench.tracker == NULL) {
        fprintf (stderr, "usage: bench-sessions [sessions, from 10] [ephemerals, from 1000]\n");
        return 2;
    }
    found (&bench);
    double slowest = 0, before = heap_bytes ();
    for (uint64_t step = sessions / 10, i = 0; i < sessions; i += step) {
        uint64_t end = i + step < sessions ? i + step : sessions;
        for (uint64_t n = i; n < end; n++) {
            (void) begin_session (&bench, n + 1);
        }
        if (i == 0 || end == sessions) {
            tracker_lead (bench.tracker);
            double tree = heap_bytes ();
            slowest = 0;
            tracker_ready (bench.tracker);
            turn (&bench, &slowest);
            printf ("%8llu sessions: taken over in turns of at most %.2f ms",
                    (unsigned long long) end, slowest / 1e6);
            printf ("; bytes of a session: %.0f in the state, %.0f in the leader's tracker\n",
                    (tree - before) / (double) end, (heap_bytes () - tree) / (double) end);
            beat (&bench, end);
        }
    }
    expire (&bench, sessions);
    uint64_t first = begin_session (&bench, sessions + 1);
    double longest = fill (&bench, first, ephemerals, 1);
    printf ("ephemerals made one by one (the longest %.2f ms):\n", longest / 1e6);
    vanish (&bench, first, ephemerals);
    uint64_t second = begin_session (&bench, sessions + 2);
    uint64_t third = begin_session (&bench, sessions + 3);
    longest = fill (&bench, second, ephemerals / MULTI * MULTI, MULTI);
    printf ("made %d at once (the longest %.2f ms):\n", MULTI, longest / 1e6);
    hand_over (&bench, second, third);
    vanish (&bench, third, ephemerals / MULTI * MULTI);
    tracker_destroy (&bench.tracker);
    tree_destroy (&bench.tree);
    buf_deinit (&bench.entry);
    buf_deinit (&bench.closes);
    return 0;
}

/* A soak: clients at work on real servers while things go wrong, by a schedule from a seed.
 *
 *      soak_main.c     the command: options, phases, what is said
 *      soak.c          servers, clients and recorder together; the turn; the end
 *      soak_end.c      with which status a server may end
 *      soak_calm.c     when nothing is wrong any more: who has to be served then
 *      soak_faults.c   what goes wrong
 *      soak_links.c    likewise, with connections and clients
 *      soak_harm.c     likewise, with data folders
 *      soak_schedule.c when, and what that means for each connection
 *      soak_script*.c  schedules by hand
 *
 * One thread; the proxy and the clients' loop have their own. May include: all of tests/cluster and
 * tests/support. */

#ifndef TESTS_CLUSTER_SOAK_H
#define TESTS_CLUSTER_SOAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/cluster/ensemble.h"
#include "tests/cluster/log_copy.h"
#include "tests/cluster/recorder.h"
#include "tests/cluster/soak_end.h"
#include "tests/cluster/workload.h"
#include "tests/support/bad_disk.h"
#include "tests/support/packet_net.h"
#include "tests/support/tcp_proxy.h"
#include "tests/support/witness.h"

enum {
    SOAK_FAULTS_MAX = 8,
    SOAK_KINDS_MAX = 64,
    SOAK_LIMIT_MS = 30000, /* for anything that is waited for, when nothing is wrong any more */
    SOAK_SKIPPED = 77 /* the exit status if its network may not be made, or no calm was judged */
};

struct soak_options {
    const char *cohortd;
    const char *checker; /* cohort-check-history */
    const char *preload; /* cohort-bad-disk.so; NULL: disks are well */
    const char *folder;  /* where everything is kept; NULL: a new one below /tmp */
    const char *script;  /* one of soak_script.c, in place of a random schedule */
    uint64_t seed;
    int64_t limit_ms;
    size_t servers, clients;
    size_t observers; /* so many of the servers */
    bool packets;     /* a network of packets, in place of the proxy */
    bool verbose;
    bool kinds[SOAK_KINDS_MAX]; /* which of soak_kinds may happen */
};

/* The present calm, or the last one. */
struct soak_calm {
    bool is;
    int64_t since_ms;
    uint64_t since_event;
    int64_t next_write_ms;                       /* when a write of the soak's own is tried again */
    int64_t slowest_ms;                          /* so long did one take */
    uint32_t served[WORKERS_MAX + ENSEMBLE_MAX]; /* by which numbers clients are, in the history */
};

/* A server that does not run, by SIGSTOP. */
struct soak_stop {
    uint32_t epoch; /* that it led; 0: none */
    int64_t from_ms;
};

/* A fault under way. */
struct soak_fault {
    size_t kind; /* of soak_kinds */
    size_t server, other;
    int64_t until_ms; /* of the recorder's time */
    uint64_t draw;    /* whatever else is to be decided */
    int64_t step_ms;  /* by which a clock is wrong */
    enum bad_disk_call call;
    uint64_t failed; /* of these calls, when it began */
};

struct soak {
    struct soak_options options;
    char folder[256];
    struct tcp_proxy *proxy;
    struct packet_net *net; /* one of the two */
    struct ensemble ensemble;
    struct bad_disk *disks[ENSEMBLE_MAX];
    uint32_t sync_ms[ENSEMBLE_MAX]; /* that a sync takes when all is well, as on disks that spin */
    bool held[ENSEMBLE_MAX];        /* by a fault of the process: stopped, or down */
    uint64_t emptied[ENSEMBLE_MAX]; /* when its folder was emptied last, as a zxid; 0: never */
    uint64_t known[ENSEMBLE_MAX];   /* through this its log says itself what is committed */
    enum soak_end ends[ENSEMBLE_MAX]; /* how each may end now */
    bool harmed[ENSEMBLE_MAX]; /* somebody has damaged its folder, and not emptied it since */
    struct soak_stop stops[ENSEMBLE_MAX];
    size_t clocks_wrong;    /* faults under way that have set one */
    int64_t doubt_until_ms; /* until then stamps may be later than it is */
    struct recorder *recorder;
    struct log_copy log;
    struct witness *witness;
    cohort_loop_t *loop;
    cohort_loop_t
        *loops[WORKERS_MAX]; /* of clients that run when they are asked to; NULL: others */
    struct worker workers[WORKERS_MAX];
    size_t workers_count;
    char state_files[WORKERS_MAX][300]; /* of those that go on with the session of one before */
    struct observed auditors[ENSEMBLE_MAX];
    bool auditing;
    bool settled;        /* nothing more is taken from the clients */
    int64_t next_log_ms; /* when the logs are read again */
    uint64_t marker;     /* the last zxid that everybody has to be told of */
    size_t live;         /* sessions, as an auditor has seen it last */
    size_t mortal;       /* containers and znodes with a time to live, likewise */

    struct prng prng; /* of the schedule */
    struct soak_fault faults[SOAK_FAULTS_MAX];
    size_t faults_count;
    int64_t next_fault_ms;
    struct soak_calm calm;
    uint64_t calms, calms_judged; /* without the one at the end, which may be of no length */
    uint64_t happened[SOAK_KINDS_MAX];
};

/* ---- soak.c ---------------------------------------------------------------------------------- */

/* Everything stands, and has a leader; work has begun. */
void soak_init (struct soak *self, const struct soak_options *options);

/* Takes what has come, asks for more if `work`, looks after the servers. Waits a little if there is
 * nothing to do. */
void soak_turn (struct soak *self, bool work);

/* The end: all is well, everything is answered, nothing more is asked. Stops the servers, puts the
 * history together and has it judged. */
void soak_finish (struct soak *self);
void soak_deinit (struct soak *self);

int64_t soak_now_ms (const struct soak *self);

/* Says why, keeps everything, says where, and ends the program. */
#if defined(__GNUC__)
__attribute__ ((format (printf, 2, 3), noreturn))
#endif
void soak_fail (struct soak *self, const char *format, ...);

/* A line of the story, if it is wanted. */
#if defined(__GNUC__)
__attribute__ ((format (printf, 2, 3)))
#endif
void soak_tell (const struct soak *self, const char *format, ...);

/* The server has a reason to end: waits until it has. */
void soak_await_end (struct soak *self, size_t server, const char *reason);

/* Whether it has got so far as to listen, in this life, or the last. */
bool soak_has_started (struct soak *self, size_t server);

/* Takes in what the logs have, as they are now. */
void soak_read_logs (struct soak *self);

/* The disk is as it was at the beginning. */
void soak_heal_disk (struct soak *self, size_t server);

/* Clients that there are: of the work, and in the end one on each server. */
size_t soak_observed_count (const struct soak *self);
struct observed *soak_observed (struct soak *self, size_t index);

/* A client's process ends, abruptly or in order, and another begins. */
void soak_replace_client (struct soak *self, size_t index, bool close);

/* ---- soak_calm.c ----------------------------------------------------------------------------- */

/* All is well again: waits until every client has a write acknowledged that it asks for now, and
 * for some time goes on so, which is then judged. */
void soak_calm (struct soak *self);

/* The history says from now on that all is well, and so do all clients that are connected. */
void soak_begin_calm (struct soak *self);

/* Until every client has a write acknowledged that it asks for now. */
void soak_await_served (struct soak *self, int64_t limit_ms);

/* Looks after that: for each turn. */
void soak_watch_calm (struct soak *self);

/* If the machine has had too much else to do, it is not said: false. */
bool soak_judge_calm (struct soak *self);

/* Waits until there is one leader whom all follow, with whole logs. */
void soak_await_all_well (struct soak *self);

/* Whether what should have happened since, as nothing is wrong, is late; the time in which the
 * machine stood still does not count. */
bool soak_is_overdue (const struct soak *self, int64_t since_ms);

/* Says for what each client waits, and that this is wrong. */
#if defined(__GNUC__)
__attribute__ ((noreturn))
#endif
void soak_fail_waiting (struct soak *self, const char *what);

/* ---- soak_harm.c ----------------------------------------------------------------------------- */

bool soak_may_damage (struct soak *self, const struct soak_fault *fault);
void soak_begin_damage (struct soak *self, struct soak_fault *fault);
void soak_begin_empty (struct soak *self, struct soak_fault *fault);
bool soak_may_be_twin (struct soak *self, const struct soak_fault *fault);
void soak_begin_twin (struct soak *self, struct soak_fault *fault);
void soak_end_twin (struct soak *self, struct soak_fault *fault);

/* Of servers that do not run any more: the folders that nobody has harmed are sound. */
void soak_inspect (struct soak *self);

/* ---- soak_faults.c, soak_schedule.c ---------------------------------------------------------- */

/* SIGSTOP and SIGCONT; the history says so if it was a leader that stood still. */
void soak_begin_stop (struct soak *self, struct soak_fault *fault);
void soak_end_stop (struct soak *self, struct soak_fault *fault);

/* Which network can do it. */
enum soak_network { SOAK_ANY_NETWORK = 0, SOAK_CONNECTIONS, SOAK_PACKETS };

/* What is wrong between two: as the proxy does it, and what packets alone can suffer. */
struct soak_link {
    struct tcp_proxy_fault tcp;
    uint32_t lose, duplicate, jitter_ms; /* see struct packet_rule; both directions */
};

typedef void soak_fault_fn (struct soak *self, struct soak_fault *fault);
/* to: SOAK_CLIENTS: the link of from's clients. */
typedef void soak_links_fn (const struct soak *self, const struct soak_fault *fault, size_t from,
                            size_t to, struct soak_link *link);
typedef bool soak_may_fn (struct soak *self, const struct soak_fault *fault);

struct soak_kind {
    const char *name;
    const char *text;
    enum soak_network network;
    bool fatal;   /* nobody can stand it: it does not happen by default */
    bool process; /* of a process that is not held: it holds it until its end */
    unsigned weight;
    int64_t ms_min, ms_max; /* how long */
    soak_fault_fn *begin, *end;
    soak_links_fn *links;
    soak_may_fn *may; /* NULL: at any time */
};

#define SOAK_CLIENTS SIZE_MAX

extern const struct soak_kind soak_kinds[];
extern const size_t soak_kinds_count;

/* Begins and ends faults by the time; heal: ends all. */
void soak_schedule (struct soak *self);
void soak_end_due (struct soak *self);
/* One for so long, if it may happen now. */
bool soak_begin (struct soak *self, struct soak_fault *fault, int64_t ms);
void soak_heal (struct soak *self);

/* ---- soak_script.c --------------------------------------------------------------------------- */

void soak_list_scripts (void);
/* With as many servers as it is made for; false: there is none of that name. */
bool soak_choose_script (struct soak_options *options, const char *name);
void soak_script (struct soak *self, const char *name);

#endif

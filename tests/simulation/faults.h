/* What goes wrong in a simulated world.
 *
 * Each kind of fault has a rate of its own and draws from numbers of its own: to leave one out does
 * not change the others. Kinds are of two classes:
 *
 *   planned   has its time, drawn before the run begins, and perhaps a length;
 *   a chance  that each of many is exposed to: a frame, a connection, a turn of a disk.
 *
 * Every fault is known by its kind, whom it strikes, and which one in turn; so what happened in a
 * run is a list, and the run can be repeated from any part of that list (replay.h, shrink.h). */

#ifndef TESTS_SIMULATION_FAULTS_H
#define TESTS_SIMULATION_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_event;
struct sim_server;
struct world;

/* Name, text, class, and the range that its rate is drawn from: for a chance, times in a million;
 * if planned, the mean of the ms between two. */
#define SIM_FAULTS(X)                                                                              \
    X (LOSS, "loss", CHANCE, 100, 30000, "a frame between servers is lost")                        \
    X (DUPLICATION, "duplication", CHANCE, 100, 30000, "a frame between servers comes twice")      \
    X (REORDERING, "reordering", CHANCE, 100, 50000, "a frame is overtaken by later ones")         \
    X (DELAY, "delay", CHANCE, 100, 20000, "a frame comes late, and what follows it")              \
    X (LATE_NOTICE, "late-notice", CHANCE, 10000, 500000, "a connection's end is noticed late")    \
    X (NO_NOTICE, "missing-notice", CHANCE, 10000, 300000, "a connection's end is never noticed")  \
    X (SLOW_DISK, "slow-disk", CHANCE, 100, 20000, "a sync takes long")                            \
    X (PARTITION, "partition", PLANNED, 60000, 2000, "two sides do not reach each other")          \
    X (ONE_WAY, "one-way", PLANNED, 60000, 2000, "one side is not heard by the other")             \
    X (BRIDGE, "bridge", PLANNED, 60000, 2000, "two sides meet in one server only")                \
    X (CUT, "cut", PLANNED, 60000, 1000, "two servers do not reach each other")                    \
    X (KILL, "kill", PLANNED, 60000, 1500, "a server's process is killed")                         \
    X (LEAVE, "leave", PLANNED, 60000, 2000, "a server is told to end (SIGTERM)")                  \
    X (POWER_CUT, "power-cut", PLANNED, 60000, 1500, "and what was not synced is lost or torn")    \
    X (CRASH_POINT, "crash-point", PLANNED, 30000, 1000, "one of both, at a disk operation")       \
    X (WRITE_ERROR, "write-error", PLANNED, 60000, 3000, "a disk operation fails (EIO)")           \
    X (READ_ERROR, "read-error", PLANNED, 60000, 3000, "a read fails (EIO)")                       \
    X (FULL_DISK, "full-disk", PLANNED, 60000, 3000, "no space (ENOSPC), for a while")             \
    X (PAUSE, "pause", PLANNED, 60000, 1500, "a server stands still, as by SIGSTOP")               \
    X (SLEEP, "sleep", PLANNED, 60000, 3000, "a machine sleeps, and its clock with it")            \
    X (CLOCK_STEP, "clock-step", PLANNED, 60000, 1000, "the date of a server jumps")               \
    X (CLOCK_RATE, "clock-rate", PLANNED, 60000, 1000, "a clock gains or loses, up to 3 %")        \
    X (DIVERGENCE, "divergence", PLANNED, 60000, 3000, "a state goes wrong, its digest with it")   \
    X (CLIENT_KILL, "client-kill", PLANNED, 60000, 1000, "a client dies; later comes a new one")   \
    X (CLIENT_CLOSE, "client-close", PLANNED, 60000, 1000, "a client goes; later comes a new one") \
    X (CLIENT_MOVE, "client-move", PLANNED, 60000, 500, "a client loses its connections")          \
    X (CLIENT_PAUSE, "client-pause", PLANNED, 60000, 2000, "a client stands still")                \
    X (BREAK, "break", PLANNED, 60000, 500, "the connections of two servers end")                  \
    X (ROT, "bit-rot", PLANNED, 60000, 3000, "what was durable rots")                              \
    X (LOST_WRITE, "misdirected-write", PLANNED, 60000, 3000, "a sector went to another's place")  \
    X (WRONG_READ, "misdirected-read", PLANNED, 60000, 3000, "a read gives another sector")        \
    X (STALE_READ, "stale-read", PLANNED, 60000, 3000, "a read gives what was there before")       \
    X (SESSION_KILL, "session-kill", PLANNED, 60000, 2000, "an administrator ends a session")      \
    X (SESSION_TAKE, "session-take", PLANNED, 60000, 1500, "a process goes on with the session")   \
    X (EMPTIED, "emptied", PLANNED, 60000, 6000, "a server has lost its folder")                   \
    X (END_ROT, "end-rot", PLANNED, 60000, 3000, "a log's last entry rots when its server dies")   \
    X (TEAR, "tear", CHANCE, 1000, 200000, "a client's connection ends between two frames")        \
    X (LATE, "late", CHANCE, 100, 50000, "a frame of a client's connection comes late")            \
    X (BAD_SECTOR, "bad-sector", PLANNED, 60000, 3000, "what was durable cannot be read (EIO)")    \
    X (MEMORY_ROT, "memory-rot", PLANNED, 60000, 1500, "a bit of a state changes by itself")       \
    X (ROGUE, "rogue", PLANNED, 60000, 1500, "somebody comes who breaks the protocol")             \
    X (OLD_MANIFEST, "old-manifest", PLANNED, 60000, 3000, "an older manifest is put back")

enum fault_kind {
#define X(NAME, name, class, seldom, often, text) FAULT_##NAME,
    SIM_FAULTS (X)
#undef X
        FAULT_KINDS
};

/* Planned faults of a lull have numbers from here on: nothing else happens to servers then. */
enum { FAULT_OF_LULL = 1 << 20 };
/* And those that come with an end-rot, from here on. */
enum { FAULT_OF_ROT = 1 << 19 };

/* One that happens, or shall. What a, b, nth and value mean depends on the kind. */
struct sim_fault {
    enum fault_kind kind;
    int64_t at_ms;
    uint32_t a, b;     /* whom */
    uint64_t nth;      /* a chance: which of those that were exposed */
    int64_t length_ms; /* planned: until it is over */
    uint64_t value;
};

struct fault_list {
    struct sim_fault *items;
    size_t count, capacity;
};

struct fault_plan {
    uint64_t rates[FAULT_KINDS];
    uint64_t counts[FAULT_KINDS]; /* how many have struck */
    bool over;                    /* nothing goes wrong any more */
    struct fault_list planned;    /* by time */
    bool replayed;                /* these are all there are; else chances are drawn: */
    struct fault_list chances;    /* by kind, whom, which */
    struct fault_list happened;
};

/* ---- fault_list.c ---------------------------------------------------------------------------- */

const char *fault_name (enum fault_kind kind);
const char *fault_text (enum fault_kind kind);
bool fault_is_planned (enum fault_kind kind);
/* false: there is no such kind. */
bool fault_find_kind (const char *name, size_t size, enum fault_kind *kind);

void fault_list_add (struct fault_list *self, const struct sim_fault *fault);
void fault_list_deinit (struct fault_list *self);
void fault_list_sort_by_time (struct fault_list *self);
void fault_list_sort_by_key (struct fault_list *self);
/* In a list sorted by key; NULL: it is not in it. */
const struct sim_fault *fault_list_find (const struct fault_list *self,
                                         const struct sim_fault *key);

/* ---- plan.c ---------------------------------------------------------------------------------- */

/* How often what will go wrong, and for what is planned, when: by the seed, or as told. */
void plan_make (struct world *self);
void plan_deinit (struct fault_plan *self);
void plan_print (struct world *self);

/* Whether the nth that is exposed to this kind is struck, and if so, a number to say how. */
bool plan_strikes (struct world *self, enum fault_kind kind, uint32_t a, uint32_t b, uint64_t nth,
                   uint64_t *value);
/* A planned fault has taken effect, or has been set, on a disk, to strike later. */
void plan_happened (struct world *self, const struct sim_fault *fault);
/* One that was set has struck. */
void plan_struck (struct world *self, enum fault_kind kind);

/* ---- faults.c -------------------------------------------------------------------------------- */

/* From now on things go wrong. */
void faults_begin (struct world *self);
void faults_event (struct world *self, struct sim_event *event);
/* From now on nothing does, and what is wrong is mended: links, disks, pauses. Servers and clients
 * that are down stay so. */
void faults_end (struct world *self);

/* ---- One file for what can be struck: each carries out its kinds; false: without effect -------
 */

bool fault_links_begin (struct world *self, const struct sim_fault *fault);
void fault_links_end (struct world *self, const struct sim_fault *fault);
void fault_links_mend (struct world *self);
bool fault_servers_begin (struct world *self, const struct sim_fault *fault);

/* The server's folder is lost, and what runs on it ends; it starts again after so long. */
void fault_servers_empty (struct world *self, struct sim_server *server, uint64_t disk_seed,
                          int64_t away_ms);
bool fault_rot_begin (struct world *self, const struct sim_fault *fault);
/* A turn of its is over; true: it has died for what is to rot. */
bool fault_rot_look (struct world *self, struct sim_server *server);
/* Its process has just ended. */
void fault_rot_dead (struct world *self, struct sim_server *server);
bool fault_manifest_begin (struct world *self, const struct sim_fault *fault);
/* A turn of its is over; true: it has died, and has an older manifest now, perhaps. */
bool fault_manifest_look (struct world *self, struct sim_server *server);
/* What it keeps to be put back is of no use any more. */
void fault_manifest_forget (struct sim_server *server);
/* It has a new disk: what strikes there is counted. */
void fault_disks_watch (struct sim_server *server);
bool fault_disks_begin (struct world *self, const struct sim_fault *fault);
void fault_disks_end (struct world *self, const struct sim_fault *fault);
void fault_disks_mend (struct world *self);
/* What waits on disks for its operation does not happen. */
void fault_disks_disarm (struct world *self);
bool fault_clients_begin (struct world *self, const struct sim_fault *fault);
bool fault_memory_begin (struct world *self, const struct sim_fault *fault);
void fault_memory_end (struct world *self, const struct sim_fault *fault);
void fault_memory_mend (struct world *self);

#endif

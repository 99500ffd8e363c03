/*
 * server/net/runner.h - runs one node: sockets, clock, disk, and the thread that turns them
 *
 * The thread repeats turns - receive, monitors, node_flush - until one does nothing, and then
 * sleeps in epoll_wait until a socket, the disk or a timer has something.  Between two turns it
 * asks epoll_wait, too, which sockets there is something to look at: to ask each socket costs three
 * times as much as to ask for all of them at once.
 */
#ifndef SERVER_NET_RUNNER_H
#define SERVER_NET_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/node/node.h"

struct runner;

struct runner_options {
    struct node_options node; /* store and transport are set by the runner */
    struct disk *disk;        /* taken over */
    const char *disk_name;    /* the folder, for messages */
    bool disk_thread;         /* else the disk is worked on in the runner's turns (memory) */
    uint64_t store_id;        /* random, for a new store */
    int snapshot_level;       /* see store_options */
    void *context;            /* ZeroMQ's; borrowed */
    const char *clients;      /* endpoints for clients */
    const char *secret_key;   /* CURVE for them; NULL: none */

    int64_t (*now_ms) (void *arg); /* monotonic */
    int64_t (*wall_ms) (void *arg);
    void *clock_arg;
    bool manual_clock; /* timers are looked at after a runner_settle, never waited for */
};

/* Opens the store, recovers, binds, starts the thread.  0 or COHORT_E... and a text. */
int runner_start (const struct runner_options *options, struct runner **runner, char *error,
                  size_t error_size);

enum runner_stop {
    RUNNER_LEAVE, /* hand over first */
    RUNNER_CRASH  /* at once, sending nothing more */
};

/* Stops the thread and frees everything.  0, or why it had stopped by itself. */
int runner_stop (struct runner **self_p, enum runner_stop how);

/* 0, or why it stopped by itself; text (size bytes) says it. */
int runner_failure (struct runner *self, char *text, size_t size);

/* Readable once it has stopped by itself. */
int runner_failure_fd (const struct runner *self);

const char *runner_endpoint (const struct runner *self, size_t index);

/* Until this server has a leader or is one; 0 or COHORT_ETIMEDOUT.  timeout_ms is real time. */
int runner_wait_ready (struct runner *self, int timeout_ms);

/* Wakes the thread and waits until it rests again, with nothing left for the disk. */
int runner_settle (struct runner *self, int limit_ms);

/* Who leads, as far as this server knows; 0: nobody. */
uint32_t runner_leader (struct runner *self);

/* ---- For tests --------------------------------------------------------------------------- */

/* A disk in memory does no work while it is stalled.  COHORT_ESTATE: the disk has a thread. */
int runner_stall_disk (struct runner *self, bool stalled);

/* As node_expire. */
int runner_expire (struct runner *self, uint64_t session);

#endif

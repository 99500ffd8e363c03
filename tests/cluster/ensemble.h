/* Real servers on loopback: cohortd processes with folders of their own, started, killed and
 * stopped by tests. Everything ends with the test: the processes by id, the folders with them. */

#ifndef TESTS_CLUSTER_ENSEMBLE_H
#define TESTS_CLUSTER_ENSEMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { ENSEMBLE_MAX = 5, ENSEMBLE_TEXT = 512 };

struct ensemble_server {
    uint32_t id;
    pid_t pid; /* 0: not running */
    char config[ENSEMBLE_TEXT], log[ENSEMBLE_TEXT], data[ENSEMBLE_TEXT];
    char clients[64]; /* its endpoint for clients */
};

struct ensemble {
    const char *cohortd;
    char folder[64];
    size_t count;
    char list[ENSEMBLE_TEXT]; /* all endpoints for clients */
    struct ensemble_server servers[ENSEMBLE_MAX];
};

/* Lays out `count` servers with free ports, and `settings` (lines) in the configuration of each,
 * and starts none. Fails the test on error, like all of these. */
void ensemble_init (struct ensemble *self, const char *cohortd, size_t count, const char *settings);

/* Kills what runs, removes the folder; after a failure shows the ends of the logs. */
void ensemble_deinit (struct ensemble *self, bool failed);

void ensemble_start (struct ensemble *self, size_t index);
void ensemble_start_all (struct ensemble *self);

/* Sends a signal; SIGKILL waits for the end of the process. */
void ensemble_signal (struct ensemble *self, size_t index, int signal);

/* SIGTERM; it must end by itself with status 0 within limit_ms. */
void ensemble_stop (struct ensemble *self, size_t index, int limit_ms);

/* Waits until exactly one server leads and `following` others follow it; returns the leader's
 * index. */
size_t ensemble_wait_leader (struct ensemble *self, size_t following, int limit_ms);

/* Waits until all that run have applied the same zxid. */
void ensemble_wait_equal (struct ensemble *self, int limit_ms);

/* Runs cohortd until it ends by itself: its status; what it wrote goes to `output`. */
int ensemble_run (struct ensemble *self, const char *config, char *output, size_t size);

int64_t test_now_ms (void);

#endif

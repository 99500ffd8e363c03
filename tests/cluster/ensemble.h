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
    char disk[ENSEMBLE_TEXT]; /* the control file of its disk, see bad_disk.h */
    char address[16];
    char clients[64];                /* its endpoint for clients */
    long log_from;                   /* where its log begins that is of its present life, or last */
    size_t client_link;              /* with a proxy: that of its clients, */
    size_t peer_links[ENSEMBLE_MAX]; /* and of its connections to each other server */
};

struct ensemble {
    const char *cohortd;
    const char *preload; /* a library that servers are started with; NULL: none */
    struct packet_net *net;
    char folder[ENSEMBLE_TEXT / 2];
    size_t count, observers;     /* the last ones have no vote */
    bool twin;                   /* servers[count] is one */
    char list[ENSEMBLE_TEXT];    /* all endpoints for clients */
    char proxied[ENSEMBLE_TEXT]; /* with a proxy: likewise, through it */
    struct ensemble_server servers[ENSEMBLE_MAX + 1];
};

struct tcp_proxy;
struct packet_net;

struct ensemble_options {
    const char *cohortd;
    size_t count, observers; /* the last ones of them have no vote */
    const char *settings;    /* lines of every configuration */
    const char *folder;      /* an empty one, which is kept; NULL: one of its own */
    struct tcp_proxy *proxy; /* all connections between servers go through it, and `proxied`; it is
                                not started yet; NULL: none */
    struct packet_net *net;  /* server i is host i + 1 of it, whatever uses them host 0; not with a
                                proxy; NULL: loopback */
    const char *preload;
};

/* Lays out `count` servers with free ports, and `settings` (lines) in the configuration of each,
 * and starts none. Fails the test on error, like all of these. */
void ensemble_init (struct ensemble *self, const char *cohortd, size_t count, const char *settings);
void ensemble_init_with (struct ensemble *self, const struct ensemble_options *options);

/* Lays out one server more, which says that it is server `of`, too: with a folder of its own, empty
 * or a copy of the other's, and ports of its own, so that nobody's configuration leads to it. Does
 * not start it; its index is `count`. One that was there before must not run any more. */
void ensemble_make_twin (struct ensemble *self, size_t of, bool copied);

/* Keeps a copy of a server's manifest, in place of the one before. */
void ensemble_keep_manifest (struct ensemble *self, size_t index);

/* Damages one of the files in the folder of a server that does not run, of those that hold
 * something: changes one byte, not behind the last that is not 0; or zeroes some sectors, cuts it
 * off, removes it, or lets it and another of its kind change places; or puts the manifest that was
 * kept back. The newest segment of the log is neither zeroed nor cut where it ends: that it was
 * longer is what no disk can tell. Says what it has done; draw decides. false: there is no such
 * file. */
bool ensemble_damage (struct ensemble *self, size_t index, uint64_t draw, char *what, size_t size);

/* Kills what runs, removes the folder; after a failure shows the ends of the logs. */
void ensemble_deinit (struct ensemble *self, bool failed);

void ensemble_start (struct ensemble *self, size_t index);
void ensemble_start_all (struct ensemble *self);

/* Sends a signal; SIGKILL waits for the end of the process. */
void ensemble_signal (struct ensemble *self, size_t index, int signal);

/* Takes note of a server that has ended by itself: its wait status; -1: it runs, or was not
 * started. */
int ensemble_reap (struct ensemble *self, size_t index);

/* Waits until a server has ended by itself; its wait status. */
int ensemble_wait_end (struct ensemble *self, size_t index, int limit_ms);

/* SIGTERM; it must end by itself with status 0 within limit_ms. */
void ensemble_stop (struct ensemble *self, size_t index, int limit_ms);

/* Waits until exactly one server leads and `following` others follow it; returns the leader's
 * index. */
size_t ensemble_wait_leader (struct ensemble *self, size_t following, int limit_ms);

/* The index of who says that it leads, asked once; SIZE_MAX: nobody does. */
size_t ensemble_leader (struct ensemble *self, int limit_ms);

/* Which epoch each says that it leads, asked once; 0: none, or it does not answer. */
void ensemble_epochs (struct ensemble *self, uint32_t epochs[ENSEMBLE_MAX], int limit_ms);

/* How many follow, if exactly one leads; else SIZE_MAX. Asked once. */
size_t ensemble_following (struct ensemble *self, int limit_ms);

/* Waits until this server answers, whatever it says. */
void ensemble_wait_answer (struct ensemble *self, size_t index, int limit_ms);

/* Whether all servers answer, and say that their logs are whole. Asked once. */
bool ensemble_whole (struct ensemble *self, int limit_ms);
void ensemble_wait_whole (struct ensemble *self, int limit_ms);

/* Waits until all that run have applied the same zxid. */
void ensemble_wait_equal (struct ensemble *self, int limit_ms);

/* Whether a server, in all its lives, has logged a line with this text. */
bool ensemble_log_has (struct ensemble *self, size_t index, const char *text);
/* Likewise, in the present one, or the last. */
bool ensemble_life_has (struct ensemble *self, size_t index, const char *text);
/* Waits for that, in any. */
void ensemble_await_log (struct ensemble *self, size_t index, const char *text, int limit_ms);
/* How many lines of it do. */
size_t ensemble_log_count (struct ensemble *self, size_t index, const char *text);

/* Runs cohortd until it ends by itself: its status; what it wrote goes to `output`. */
int ensemble_run (struct ensemble *self, const char *config, char *output, size_t size);

/* Runs a line of the shell, which must succeed. */
#if defined(__GNUC__)
__attribute__ ((format (printf, 1, 2)))
#endif
void ensemble_shell (const char *format, ...);

/* A port that stays free while its server is down. The holder keeps it until it is closed. */
uint16_t ensemble_port (int *holder);

int64_t test_now_ms (void);

#endif

/* The public client API, faked in one process: what recipes are linked with in their tests.
 *
 * All clients share one small ensemble. A request waits in its client until fake_flush, or
 * cohort_run, carries it out; callbacks wait for cohort_dispatch or cohort_run. So a test decides
 * what happens between a request, its effect and its answer. Nothing runs in the background, no
 * clock is read. fake_reset ends everything and frees it. */

#ifndef COHORT_TESTS_RECIPES_FAKE_H
#define COHORT_TESTS_RECIPES_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cohort/client.h"

void fake_reset (void);

/* A client that is CONNECTED with a session of its own; CONNECTING: fake_resume connects it. */
cohort_t *fake_client (void);
cohort_t *fake_client_connecting (void);

/* ---- One client ------------------------------------------------------------------------------ */

/* Carries out what is waiting, in order; and the first of it only: false: there is none. */
void fake_flush (cohort_t *client);
bool fake_flush_one (cohort_t *client);
/* Carries out nothing, in cohort_run neither, until it is allowed again. */
void fake_hold (cohort_t *client, bool held);
/* Flushes and dispatches until nothing is left. */
void fake_settle (cohort_t *client);

/* Connection gone: nothing is carried out and nothing arrives; and back: what was missed arrives,
 * or, with resnapshot, a new snapshot in its place. */
void fake_suspend (cohort_t *client);
void fake_resume (cohort_t *client, bool resnapshot);

/* The session ends. applied: what was waiting took effect although the client never hears of it.
 * reaped: its ephemerals have gone already; otherwise fake_reap. */
void fake_expire (cohort_t *client, bool applied, bool reaped);
void fake_reap (uint64_t session);
/* The next session of this client is refused, and ends in LOST before it was CONNECTED. */
void fake_refuse_session (cohort_t *client);

/* The next request that is carried out answers with rc and does nothing; the next call of an
 * asynchronous function returns rc; cohort_stream_new returns NULL. */
void fake_fail_request (cohort_t *client, int rc);
void fake_fail_call (cohort_t *client, int rc);
void fake_fail_later_call (cohort_t *client, int calls, int rc); /* after so many that succeed */
void fake_fail_stream (cohort_t *client);
/* All of its streams end, and the session does not. */
void fake_end_streams (cohort_t *client, int rc);

/* In which order queued callbacks run; answers and batches may overtake each other. */
enum fake_order { FAKE_AS_IT_HAPPENED, FAKE_ANSWERS_FIRST, FAKE_BATCHES_FIRST };
void fake_set_order (cohort_t *client, enum fake_order order);

/* Batches come in fragments of at most `changes` changes; 0: whole. */
void fake_fragment (cohort_t *client, size_t changes);
/* Hands a batch of the test's own to all streams of the client. */
void fake_batch (cohort_t *client, const cohort_batch_t *batch);

void fake_set_valid_ms (cohort_t *client, int64_t valid_ms);

size_t fake_requests (cohort_t *client);  /* waiting */
size_t fake_callbacks (cohort_t *client); /* waiting */
size_t fake_streams (cohort_t *client);
size_t fake_writes (void);   /* transactions carried out for clients since fake_reset */
size_t fake_renewals (void); /* cohort_renew that did something, since fake_reset */

/* ---- The ensemble, as somebody else changes it -------------------------------------------------
 */

/* Each is a transaction, unless between fake_begin and fake_commit, which make one of several. */
void fake_begin (void);
void fake_commit (void);
void fake_create (const char *path, const char *data, uint64_t owner);
void fake_set (const char *path, const char *data);
void fake_delete (const char *path);
/* All ephemerals of one session become another's. */
void fake_hand_over (uint64_t from, uint64_t to);
void fake_set_sequence (const char *path, uint64_t next); /* number of the next sequential child */

/* Its data as a string, or NULL: there is no such node. */
const char *fake_data (const char *path);
const cohort_stat_t *fake_stat (const char *path);
uint64_t fake_zxid (void);
/* How many nodes there are whose path begins so. */
size_t fake_count (const char *prefix);
/* Path of the first child in the order of names; false: there is none. */
bool fake_first_child (const char *path, char *child, size_t size);

/* ---- A clock -----------------------------------------------------------------------------------
 */

/* Also the stamp of transactions. Nothing lapses by itself: a test deletes what its time to live is
 * over. */
extern int64_t fake_now_ms;
int64_t fake_clock (void *arg);
/* The clock of a client's loop: that much ahead. */
void fake_set_clock (cohort_t *client, int64_t offset_ms);
/* In how many ms the first of its timers is due, 0: it is; -1: none is set. */
int fake_timer_ms (cohort_t *client);
/* Asserts that some client runs callbacks: nowhere else handlers may be called. The first thing
 * that each handler of a test does. */
void fake_in_handler (void);

#endif

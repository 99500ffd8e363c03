/* A small ensemble for tests of the client's upper half: one thread, any number of ROUTERs, one
 * tree. It keeps the protocol of client.proto as far as the tests need it: sessions by nonce,
 * results remembered by number, one-shot watches, streams with a history that is never cut, and
 * faults on demand. Nothing here is fast or complete: the real server is tested elsewhere. */

#ifndef COHORT_TESTS_CLIENT_FAKE_H
#define COHORT_TESTS_CLIENT_FAKE_H

#include <stdbool.h>
#include <stdint.h>

struct fake;

/* Binds `count` endpoints ("tcp://127.0.0.1:*" and the like) in the given context, NULL: one of its
 * own. */
struct fake *fake_new (void *context, const char *const *endpoints, int count);
/* The same with CURVE; the server's secret key in Z85. */
struct fake *fake_new_secure (void *context, const char *const *endpoints, int count,
                              const char *secret_key);
void fake_destroy (struct fake **self_p);

/* "tcp://127.0.0.1:4711,..." of all the servers; lives as long as the fake. */
const char *fake_servers (struct fake *self);
const char *fake_endpoint (struct fake *self, int index);

/* ---- Faults: each returns when the server's thread has taken it --------------------------------
 */

/* Closes the ROUTER of a server, and binds it anew at the same endpoint. */
void fake_stop (struct fake *self, int index);
void fake_start (struct fake *self, int index);
/* Reads and says nothing. */
void fake_mute (struct fake *self, int index, bool muted);
/* Applies the next `count` writes without answering, and then closes that server. */
void fake_swallow (struct fake *self, int count);
/* Keeps requests unanswered, and tells why. "" answers them. */
void fake_hold (struct fake *self, const char *reason);
/* Refuses every hello with this code; 0: no more. */
void fake_refuse (struct fake *self, int code);
/* Forgets all sessions, and tells those that are connected. */
void fake_expire (struct fake *self);

/* ---- What happened --------------------------------------------------------------------------- */

/* Waits until a counter is at least this: false after 10 s. */
enum fake_counter {
    FAKE_HELLOS,   /* greetings answered with welcome */
    FAKE_REQUESTS, /* received, repeated ones included */
    FAKE_APPLIED,  /* writes that took effect */
    FAKE_CLOSED,   /* sessions ended by their owners */
    FAKE_BEATS,
    FAKE_COUNTERS
};
bool fake_await (struct fake *self, enum fake_counter counter, uint64_t least);
uint64_t fake_count (struct fake *self, enum fake_counter counter);

#endif

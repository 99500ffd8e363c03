/* A front of the clients' sockets and what it tells, driven by the test. */
#ifndef COHORT_TESTS_FRONT_RIG_H
#define COHORT_TESTS_FRONT_RIG_H

#include "server/net/front.h"
#include "tests/unit/unit.h"

enum { LIMIT_MS = 10000 };

struct seen {
    uint64_t frames, last_frame, last_size;
    uint64_t closed, last_closed;
    uint64_t frames_at_close; /* of all, when the last one was closed */
    uint8_t last[64];
    uint64_t lines; /* of the log */
    char last_line[256];
    void *flooder;  /* sends two for each frame that is received ... */
    uint64_t flood; /* ... so many in all */
};

extern void *context;
extern struct front *front;
extern struct seen seen;

int set_up (void **state);
int tear_down (void **state);
void open_front (const char *endpoints);
/* A client's socket. */
void *dealer (void *its_context, const char *endpoint);
/* As a server's thread does it. */
bool turn (int64_t now_ms);
void turn_until (const uint64_t *counter, uint64_t value);
void on_frame (void *arg, uint64_t connection, const uint8_t *data, size_t size);
void on_closed (void *arg, uint64_t connection);

#define FRONT_TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

#endif

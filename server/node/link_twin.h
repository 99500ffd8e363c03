/*
 * server/node/link_twin.h - two servers with one id, as a third one sees them
 *
 * Both say HELLO, and a connection to the configured address finds one of them: that one is the
 * peer (link.h).  What is kept here is what the other said, until it is known that it does not
 * come late, but is there, and people are told.
 *
 * Pure.
 */
#ifndef SERVER_NODE_LINK_TWIN_H
#define SERVER_NODE_LINK_TWIN_H

#include <stdbool.h>
#include <stdint.h>

#include "server/node/logger.h"

enum {
    LINK_TWIN_MS = 2000,        /* for so long another process says HELLO: it does not come late */
    LINK_TWIN_GAP_MS = 60000,   /* so long after its last HELLO it is gone */
    LINK_TELL_AGAIN_MS = 600000 /* between two lines on it in the log */
};

/* Private. */
struct link_twin {
    uint64_t process;  /* that says HELLO beside the one that answers, the last; */
    uint64_t store_id; /* its store; */
    int64_t since_ms;  /* since when there is such a one, and when it was heard last */
    int64_t last_ms;
    int64_t told_ms;  /* when it was in the log, */
    int64_t heard_ms; /* and when the peer's word that this server has one was */
};

void link_twin_init (struct link_twin *self);

/* Another process than the one that answers has said HELLO. */
void link_twin_note (struct link_twin *self, uint64_t process, uint64_t store_id, int64_t now_ms);

/* This process answers now: it is no other. */
void link_twin_settle (struct link_twin *self, uint64_t process);

/* It has gone on for longer than what comes late does. */
bool link_twin_goes_on (const struct link_twin *self);

/* Whether who is at the address was found out when the other had spoken already: by a connection
 * that was tried then. */
bool link_twin_address_known (const struct link_twin *self, int64_t attempt_ms);

/* Whether it is there now. */
bool link_twin_present (const struct link_twin *self, int64_t attempt_ms, int64_t now_ms);

/* Names both in the log, if that is not long enough ago; true: it was done.  store_id: of the one
 * that answers. */
bool link_twin_tell (struct link_twin *self, uint32_t peer, uint64_t store_id,
                     const struct logger *logger, int64_t now_ms);

/* The peer says that another process, with the store twin_store, has this server's id; likewise. */
void link_twin_hear (struct link_twin *self, uint32_t peer, uint32_t id, uint64_t store_id,
                     uint64_t twin_store, const struct logger *logger, int64_t now_ms);

#endif

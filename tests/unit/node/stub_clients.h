/* A stand-in for the client half of a node: it keeps what it is told, and submits what a test gives
 * it, again to each new leader, as clients.h demands. */

#ifndef COHORT_TESTS_NODE_STUB_CLIENTS_H
#define COHORT_TESTS_NODE_STUB_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/buf.h"
#include "server/node/clients.h"

enum { STUB_EVENTS_MAX = 4096, STUB_WRITES_MAX = 1 << 17 };

struct stub_write {
    uint64_t session;
    uint64_t number;
    uint8_t *entry;
    size_t size;
    bool answered;
};

struct clients {
    struct clients_options options;
    struct tree *tree;
    int64_t now_ms;
    bool up;
    unsigned ups, downs, resets;
    const char *held;
    const char *quarantined;
    zxid_t applied;
    uint64_t applied_count;

    uint64_t created[64]; /* sessions by the first byte of their nonce */

    struct stub_write *writes; /* unanswered and answered, in the order submitted */
    size_t writes_count;
    size_t writes_first; /* everything before it is answered */

    struct {
        uint64_t session, attach_no, seq;
    } confirmed[STUB_EVENTS_MAX];
    size_t confirmed_count;
    struct {
        uint64_t token;
        zxid_t zxid;
    } synced[STUB_EVENTS_MAX];
    size_t synced_count;
    uint64_t closed[STUB_EVENTS_MAX];
    size_t closed_count;

    /* Of the backup that was asked for last: bytes of it, and whether that is all; or why not. */
    uint64_t backup_bytes;
    bool backup_whole;
    int backup_code;
    char backup_text[512];
};

/* The one of a server, as long as its node lives. */
struct clients *stub_clients (uint32_t id);

/* A new ensemble: states known from another one are forgotten. */
void stub_forget_digests (void);

/* From now on the states of this ensemble may differ: the test has made them. */
void stub_ignore_digests (void);

/* Submits, and keeps for the next leader. */
void stub_create_session (struct clients *self, uint8_t nonce, uint32_t timeout_ms,
                          uint32_t grace_ms);
void stub_attach (struct clients *self, uint64_t session, uint64_t attach_no);
void stub_create (struct clients *self, uint64_t session, uint64_t number, const char *path,
                  const void *data, size_t size, uint8_t mode);

/* As a client that asks this server for a backup (a small one: it confirms nothing). */
void stub_backup (struct clients *self);

/* Not answered yet. */
size_t stub_pending (const struct clients *self);

#endif

/* A store in memory, and the state that is the result of its log: for tests of snapshots. */
#ifndef TESTS_UNIT_NODE_STORED_SERVER_H
#define TESTS_UNIT_NODE_STORED_SERVER_H

#include "server/store/store.h"
#include "server/tree/tree.h"
#include "tests/support/crash_disk.h"

/* One server: a log, and the state that is its result. */
struct server {
    struct crash_disk *disk;
    struct store *store;
    struct tree *tree;
    struct zab_point applied;
    uint64_t number; /* of the last request to the store */
};

/* With an ensemble of its own, and one session. */
void server_init (struct server *server, uint32_t id);
void server_deinit (struct server *server);

/* Creates `count` znodes of `size` bytes, which cannot be compressed. */
void server_create (struct server *server, unsigned count, size_t size, uint8_t mode);

/* What is waiting for the disk is done. */
void server_work (struct server *server);

/* The newest of its snapshots' files, and how many there are. */
const char *server_snapshot_name (const struct server *server);
size_t server_snapshot_files (const struct server *server);

#endif

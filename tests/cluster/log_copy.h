/* What the ensemble has agreed on, read out of the servers' folders, also while they run.
 *
 * Only what a log itself records as committed is taken: that never changes. So the copies of all
 * servers must agree wherever two of them have the same zxid, and follow on each other by their
 * chains. Reading changes nothing on the disk. Memory that runs out ends the program.
 * May include: server/store, client/base. */

#ifndef TESTS_CLUSTER_LOG_COPY_H
#define TESTS_CLUSTER_LOG_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/objection.h"

struct log_copy_entry {
    uint64_t zxid, previous, chain;
    int64_t stamp_ms;
    uint8_t *data;
    size_t size;
};

struct log_copy {
    struct log_copy_entry *entries; /* from the first of the ensemble on, without a gap */
    size_t count, capacity;
};

void log_copy_init (struct log_copy *self);
void log_copy_deinit (struct log_copy *self);

/* Of the last entry; 0: there is none. */
uint64_t log_copy_zxid (const struct log_copy *self);

/* Takes in what the log in `folder` has and the copy has not, as far as it follows. through: so far
 * it is known to be committed besides what it says itself (0: nothing is; a server that has
 * followed the leader to there); *last: of its last entry that is. false: it contradicts the copy,
 * and the objection says where. A folder that cannot be read, or begins too late, gives nothing. */
bool log_copy_read (struct log_copy *self, const char *folder, uint64_t through, uint64_t *last,
                    struct objection *objection);

#endif

/*
 *  tests/unit/store/history.h - a log to put into a store, and to compare with what comes out
 *
 *  The data of an entry follows from its zxid and a seed; the chain from all before it.
 */
#ifndef TESTS_UNIT_STORE_HISTORY_H
#define TESTS_UNIT_STORE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/store/store.h"

enum { HISTORY_MAX = 6000, ENTRY_SIZE_MAX = 40000 };

struct expected {
    zxid_t zxid;
    int64_t stamp_ms;
    uint64_t chain;
    uint64_t seed;
    uint32_t size;
};

/*  The entries behind base, in order. */
struct history {
    struct zab_point base;
    int64_t base_stamp_ms;
    size_t count;
    struct expected entries[HISTORY_MAX];
};

void history_init (struct history *self);
struct zab_point history_last (const struct history *self);
int64_t history_last_stamp (const struct history *self);

/*  Adds an entry with so many bytes of data; epoch 0: that of the last. */
void history_add (struct history *self, uint32_t epoch, uint32_t size, uint64_t seed);
/*  Forgets what follows the point; what precedes it; or everything. */
void history_cut (struct history *self, zxid_t to);
void history_purge (struct history *self, struct zab_point base, int64_t stamp_ms);
void history_restart (struct history *self, struct zab_point base, int64_t stamp_ms);
struct zab_point history_point (const struct history *self, zxid_t zxid);

/*  Fills data with the entry's bytes. */
void history_data (const struct expected *entry, uint8_t *data);

/*  Submits the entries [from, count) under this number. */
void history_submit (const struct history *self, struct store *store, size_t from, uint64_t number,
                     zxid_t commit);

/*  The same with the rest of the request as given. */
void history_submit_with (const struct history *self, struct store *store, size_t from,
                          const struct zab_persist *request);

/*  Reads the whole store; asserts that each entry it has is the one of the history, and returns
 *  how many there are.  Base must be the history's, or a point in it. */
size_t history_compare (const struct history *self, struct store *store);

/*  A digest of all that a store holds of its log: to see that two are equal. */
uint64_t store_digest (struct store *store);

#endif

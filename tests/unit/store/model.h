/*
 *  tests/unit/store/model.h - a store on a crash_disk, and what it may and must remember
 *
 *  Everything submitted is a change of a naive log, in order.  The store has said that all up to
 *  `acknowledged` is durable; after a crash it must be in the state after some change from there
 *  on: nothing less, and nothing that never was.
 */
#ifndef TESTS_UNIT_STORE_MODEL_H
#define TESTS_UNIT_STORE_MODEL_H

#include "client/base/prng.h"
#include "tests/support/crash_disk.h"
#include "tests/unit/store/history.h"

enum { CHANGES_MAX = 4000, MODEL_SNAPSHOTS_MAX = 400, MODEL_SERVER = 3, MODEL_STORE = 77 };

enum change_type { CHANGE_ENTRY = 1, CHANGE_TRUNCATE, CHANGE_EPOCHS, CHANGE_INSTALL };

struct change {
    enum change_type type;
    uint64_t number; /*  of the persist request; install: 0 */
    struct expected entry;
    struct zab_point point; /*  truncate, install */
    int64_t stamp_ms;
    uint32_t accepted, current;
};

struct model_snapshot {
    struct zab_point point;
    int64_t stamp_ms;
    size_t size;
    bool acknowledged;
};

struct model {
    struct crash_disk *disk;
    struct store *store; /*  NULL: not open */
    struct prng prng;
    struct store_options options;
    char error[256];

    /*  What is surely there: the state, and changes submitted after it. */
    struct history state;
    uint32_t accepted, current;
    size_t count, acknowledged;
    struct change changes[CHANGES_MAX];

    /*  The state after all changes. */
    struct history latest;
    uint32_t latest_accepted, latest_current;
    uint64_t number;

    struct store_writer *writer;
    size_t writing; /*  which snapshot */
    bool installing;
    size_t snapshots_count;
    struct model_snapshot snapshots[MODEL_SNAPSHOTS_MAX];
    size_t recovered_changes; /*  how many unacknowledged changes recoveries have found */
};

struct model *model_new (uint64_t seed, uint64_t disk_seed);
void model_destroy (struct model **self_p);

/*  0, or the code of store_open. */
int model_open (struct model *self);
/*  Ends the process: what is under way is lost. */
void model_close (struct model *self);

/*  A random step; false: the store has failed. */
bool model_step (struct model *self);
/*  Lets the worker do all it has, and takes the acknowledgements. */
bool model_settle (struct model *self);

/*  After model_open: asserts that what was acknowledged is there, and takes over what was found. */
void model_check (struct model *self);

#endif

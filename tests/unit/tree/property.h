/* Between the files of test_property.c. */

#ifndef COHORT_TESTS_TREE_PROPERTY_H
#define COHORT_TESTS_TREE_PROPERTY_H

#include "tests/unit/tree/fixture.h"
#include "tests/unit/tree/model.h"

#define REPLAY_MAX 400
#define OPS_MAX    6
#define LIST_MAX   160

/* A snapshot under way, or done and followed. */
struct copy {
    struct tree_snapshot *snapshot;
    struct buf at_begin; /* fixture_dump */
    struct buf image;
    struct tree *tree; /* what was loaded; follows the original */
    /* Entries since the snapshot began, for the loaded tree. */
    size_t count;
    struct buf entries[REPLAY_MAX];
    zxid_t zxids[REPLAY_MAX];
    int64_t stamps[REPLAY_MAX];
};

struct run {
    struct prng prng;
    struct fixture f;
    struct model *model;
    struct model_nodes *mirror;
    struct copy copy;
    /* A counterpart for each operation of the entry that is built. */
    char paths[OPS_MAX][MODEL_PATH_MAX];
    uint8_t data[OPS_MAX][MODEL_DATA_MAX];
    uint8_t tokens[OPS_MAX][ENTRY_TOKEN_SIZE];
    uint8_t lists[OPS_MAX][LIST_MAX];
    uint64_t writes, done; /* that were executed, and did something */
};

/* Replaces f.entry by a random one that the state makes likely to matter. */
void property_build (struct run *run);

/* Of random places and sessions. */
void random_path (struct run *run, char *out);
uint64_t random_session (struct run *run);

#endif

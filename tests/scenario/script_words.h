/* A scenario that is being run, and the words of its present command. */

#ifndef TESTS_SCENARIO_SCRIPT_WORDS_H
#define TESTS_SCENARIO_SCRIPT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/scenario/cluster.h"

enum { WORDS_MAX = 32, WORD_MAX = 32 };

struct script {
    const char *path;
    size_t line;
    struct cluster cluster;
    bool made;
    bool quiet;
    FILE *trace;
    /* The command being run. */
    char words[WORDS_MAX][WORD_MAX];
    size_t count;
    bool failed;
};

/* Of the present command; the scenario fails. */
void script_complain (struct script *self, const char *what);

/* Each reads one word; of one that is none such it complains, and gives 0. */
uint64_t word_number (struct script *self, size_t index);
uint64_t word_number_or (struct script *self, size_t index, uint64_t otherwise);
uint32_t word_server (struct script *self, size_t index);
uint32_t word_live_server (struct script *self, size_t index);
/* E:C, E:C..D or E:C..D/X. */
bool word_range (struct script *self, const char *word, zxid_t *first, uint64_t *count,
                 uint64_t *content);
zxid_t word_zxid (struct script *self, size_t index);

/* ---- script_setup.c -------------------------------------------------------------------------- */

typedef void command_fn (struct script *self);
command_fn command_cluster, command_second, command_option, command_disk, command_replace,
    command_committed;

#endif

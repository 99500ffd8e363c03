/* tree, du. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "client/cli/survey.h"

/* ---- tree -------------------------------------------------------------------------------- */

struct tree {
    enum format format;
    int64_t depth_max;
    bool *last; /* whether the ancestor at each depth is the last of its siblings */
    size_t room;
    struct emit emit;
};

static bool remember (struct tree *self, size_t depth, bool last)
{
    if (depth >= self->room) {
        size_t room = 2 * depth + 16;
        bool *grown = realloc (self->last, room * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        self->last = grown;
        self->room = room;
    }
    self->last[depth] = last;
    return true;
}

static int on_branch (const struct tour_node *node, void *arg)
{
    struct tree *self = arg;
    if (!remember (self, node->depth, node->last)) {
        return COHORT_ENOMEM;
    }
    if (self->format != FORMAT_TEXT) {
        json_t *item = json_pack ("{s:s, s:I, s:o}", "path", node->path, "depth",
                                  (json_int_t) node->depth, "stat", output_json_stat (node->stat));
        if (!emit_item (&self->emit, item)) {
            return COHORT_ENOMEM;
        }
    } else {
        for (size_t i = 1; i < node->depth; i++) {
            fputs (self->last[i] ? "    " : "|   ", stdout);
        }
        printf ("%s%s\n", node->depth == 0 ? "" : node->last ? "`-- " : "|-- ", node->name);
    }
    if (ferror (stdout)) {
        return COHORT_ESYSTEM;
    }
    return (int64_t) node->depth >= self->depth_max ? TOUR_SKIP : COHORT_OK;
}

int cmd_tree (const struct arguments *arguments)
{
    struct tree tree = {.format = arguments->settings.format};
    if (!arguments_number (arguments, 'L', 1, INT32_MAX, INT32_MAX, &tree.depth_max)) {
        return CLI_EXIT_USAGE;
    }
    struct survey survey = {.enter = on_branch, .arg = &tree, .emit = &tree.emit};
    int code = survey_run (arguments, &survey);
    free (tree.last);
    return code;
}

/* ---- du ---------------------------------------------------------------------------------- */

struct sum {
    int64_t bytes;
    int64_t znodes;
};

struct usage {
    enum format format;
    int64_t depth_max; /* sums are printed down to it */
    struct sum *sums;  /* of the znode at each depth that the tour is in */
    size_t room;
    struct emit emit;
};

static int on_counted (const struct tour_node *node, void *arg)
{
    struct usage *self = arg;
    if (node->depth >= self->room) {
        size_t room = 2 * node->depth + 16;
        struct sum *grown = realloc (self->sums, room * sizeof *grown);
        if (grown == NULL) {
            return COHORT_ENOMEM;
        }
        self->sums = grown;
        self->room = room;
    }
    self->sums[node->depth] = (struct sum){node->stat->data_size, 1};
    return COHORT_OK;
}

static int on_summed (const struct tour_node *node, void *arg)
{
    struct usage *self = arg;
    const struct sum *sum = &self->sums[node->depth];
    if (node->depth > 0) {
        self->sums[node->depth - 1].bytes += sum->bytes;
        self->sums[node->depth - 1].znodes += sum->znodes;
    }
    if ((int64_t) node->depth > self->depth_max) {
        return COHORT_OK;
    }
    if (self->format == FORMAT_TEXT) {
        printf ("%" PRId64 "\t%" PRId64 "\t%s\n", sum->bytes, sum->znodes, node->path);
        return ferror (stdout) ? COHORT_ESYSTEM : COHORT_OK;
    }
    json_t *item = json_pack ("{s:s, s:I, s:I}", "path", node->path, "bytes",
                              (json_int_t) sum->bytes, "znodes", (json_int_t) sum->znodes);
    return emit_item (&self->emit, item) ? COHORT_OK : COHORT_ENOMEM;
}

int cmd_du (const struct arguments *arguments)
{
    struct usage usage = {.format = arguments->settings.format};
    if (!arguments_number (arguments, 'L', 0, INT32_MAX, 1, &usage.depth_max)) {
        return CLI_EXIT_USAGE;
    }
    struct survey survey = {
        .enter = on_counted, .leave = on_summed, .arg = &usage, .emit = &usage.emit};
    int code = survey_run (arguments, &survey);
    free (usage.sums);
    return code;
}

/* What the clients of a soak ask for. */

#include "tests/cluster/workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/container.h"

enum {
    WINDOW_MS = 2000,
    WATCHES_MAX = 8,
    OUTSTANDING_MAX = 12,
    PAUSE_MS_MAX = 60,
    COUNTER = 0,
    SUM_MAX = 60,
    TTL_MS_MAX = 1500
};

enum what { NOTHING, FRESH, REGISTER, LOCK, CHILD, PRESENT };

static uint64_t window_of (const struct worker *self)
{
    return (uint64_t) recorder_now_ms (self->observed.options.recorder) / WINDOW_MS;
}

static const char *path_of (char path[OBSERVED_PATH_SIZE], const char *prefix, size_t index,
                            uint64_t window)
{
    (void) snprintf (path, OBSERVED_PATH_SIZE, "%s%zu-%" PRIu64, prefix, index, window);
    return path;
}

const char *worker_path (const struct worker *self, char path[OBSERVED_PATH_SIZE],
                         const char *prefix, size_t index)
{
    return path_of (path, prefix, index, window_of (self));
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static void submit (struct worker *self, const struct history_op *op, const struct purpose *purpose)
{
    observed_ask (&self->observed, false, op, 1, purpose);
}

static struct history_op write_of (enum history_op_kind kind, const char *path, const char *value,
                                   uint32_t mode, int32_t version)
{
    return (struct history_op){
        .kind = kind, .path = path, .value = value, .mode = mode, .version = version};
}

static void ask_for (struct worker *self, enum history_op_kind kind, const char *path,
                     const char *value, uint32_t mode, int32_t version)
{
    struct history_op op = write_of (kind, path, value, mode, version);
    submit (self, &op, &(struct purpose){.what = NOTHING});
}

/* A read, with a watch if there is room for one. */
static struct history_op read_of (const struct worker *self, enum history_op_kind kind,
                                  const char *path, bool watched)
{
    return (struct history_op){.kind = kind,
                               .path = path,
                               .value = "",
                               .watch = watched && self->observed.watches < WATCHES_MAX};
}

/* ---- The key of its own ---------------------------------------------------------------------- */

static void set_own (struct worker *self, enum what what)
{
    char value[OBSERVED_VALUE_SIZE];
    bool made = self->own_value > 0;
    (void) snprintf (value, sizeof value, "%" PRIu64, self->own_value++);
    struct history_op op = write_of (made ? HISTORY_SET : HISTORY_CREATE, self->own, value, 0,
                                     made ? COHORT_ANY_VERSION : 0);
    submit (self, &op, &(struct purpose){.what = (int) what});
}

static void write_own (struct worker *self)
{
    set_own (self, NOTHING);
}

void worker_write_fresh (struct worker *self)
{
    self->fresh_due = true;
    set_own (self, FRESH);
}

static void read_own (struct worker *self)
{
    struct history_op op = read_of (self, HISTORY_GET, self->own, false);
    submit (self, &op, &(struct purpose){.what = NOTHING});
}

/* ---- Registers ------------------------------------------------------------------------------- */

static size_t some_register (struct worker *self)
{
    return prng_below (&self->prng, REGISTERS);
}

static void new_value (struct worker *self, char value[OBSERVED_VALUE_SIZE])
{
    (void) snprintf (value, OBSERVED_VALUE_SIZE, "%zu-%" PRIu64, self->index,
                     prng_below (&self->prng, 1 << 30));
}

static void submit_register (struct worker *self, const struct history_op *op, size_t index,
                             uint64_t window)
{
    struct purpose purpose = {.what = REGISTER, .index = index, .window = window};
    (void) snprintf (purpose.value, sizeof purpose.value, "%s", op->value);
    submit (self, op, &purpose);
}

static void read_register (struct worker *self, enum history_op_kind kind, size_t index,
                           bool watched)
{
    char path[OBSERVED_PATH_SIZE];
    uint64_t window = window_of (self);
    struct history_op op = read_of (self, kind, path_of (path, "/r", index, window), watched);
    submit_register (self, &op, index, window);
}

static void get_register (struct worker *self)
{
    read_register (self, HISTORY_GET, some_register (self), false);
}

static void watch_register (struct worker *self)
{
    bool exists = prng_chance (&self->prng, 1, 2);
    read_register (self, exists ? HISTORY_EXISTS : HISTORY_GET, some_register (self), true);
}

/* Linearizable: behind a sync. */
static void sync_and_get_register (struct worker *self)
{
    struct history_op op = read_of (self, HISTORY_SYNC, "", false);
    submit (self, &op, &(struct purpose){.what = NOTHING});
    get_register (self);
}

/* Likewise, by itself. */
static void get_current_register (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE];
    uint64_t window = window_of (self);
    size_t index = some_register (self);
    struct history_op op = read_of (self, HISTORY_GET, path_of (path, "/r", index, window), false);
    op.linearizable = true;
    submit_register (self, &op, index, window);
}

static void write_register (struct worker *self, enum history_op_kind kind)
{
    char path[OBSERVED_PATH_SIZE], value[OBSERVED_VALUE_SIZE] = "";
    uint64_t window = window_of (self);
    size_t index =
        kind == HISTORY_CREATE ? some_register (self) : 1 + prng_below (&self->prng, REGISTERS - 1);
    if (index == COUNTER) {
        (void) snprintf (value, sizeof value, "0");
    } else if (kind != HISTORY_DELETE) {
        new_value (self, value);
    }
    struct history_op op = write_of (kind, path_of (path, "/r", index, window), value, 0,
                                     kind == HISTORY_CREATE ? 0 : COHORT_ANY_VERSION);
    submit_register (self, &op, index, window);
}

/* Whoever comes first makes it, and the others are told that it is there. */
static void need_register (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE];
    struct history_op op =
        write_of (HISTORY_CREATE, path_of (path, "/r", COUNTER, window_of (self)), "0", 0, 0);
    op.if_absent = true;
    submit (self, &op, &(struct purpose){.what = NOTHING});
}

static void add_register (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE];
    struct history_op op = {.kind = HISTORY_ADD,
                            .path = path_of (path, "/r", COUNTER, window_of (self)),
                            .value = "",
                            .delta = (int64_t) prng_below (&self->prng, 8) - 2,
                            .ceiling = SUM_MAX};
    submit (self, &op, &(struct purpose){.what = NOTHING});
}

static void set_register (struct worker *self)
{
    write_register (self, HISTORY_SET);
}

static void create_register (struct worker *self)
{
    write_register (self, HISTORY_CREATE);
}

static void delete_register (struct worker *self)
{
    write_register (self, HISTORY_DELETE);
}

/* Compare and set; the counter counts. Who does not know what there is looks first. */
static void swap_register (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE], value[OBSERVED_VALUE_SIZE];
    size_t index = some_register (self);
    const struct known_register *known = &self->registers[index];
    if (known->window != window_of (self) || known->version < 0) {
        read_register (self, HISTORY_GET, index, false);
        return;
    }
    new_value (self, value);
    if (index == COUNTER) {
        (void) snprintf (value, sizeof value, "%" PRIu64, known->count + 1);
    }
    struct history_op op = write_of (HISTORY_SET, path_of (path, "/r", index, known->window), value,
                                     0, known->version);
    submit_register (self, &op, index, known->window);
}

static void learn_register (struct worker *self, const struct purpose *purpose,
                            const cohort_result_t *result)
{
    struct known_register *known = &self->registers[purpose->index];
    bool get = result->data != NULL;
    if (known->window != purpose->window) {
        *known = (struct known_register){.window = purpose->window, .version = -1};
    }
    if (result->rc != 0) {
        known->version = -1; /* look again */
    } else if (result->stat != NULL && (get || purpose->value[0] != '\0')) {
        char text[OBSERVED_VALUE_SIZE] = "";
        if (get && result->size < sizeof text) {
            memcpy (text, result->data, result->size);
        }
        known->version = result->stat->version;
        known->count = strtoull (get ? text : purpose->value, NULL, 10);
    }
}

/* ---- Folders --------------------------------------------------------------------------------- */

static void make_folder (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE];
    ask_for (self, HISTORY_CREATE, path_of (path, "/d", 0, window_of (self)), "", 0, 0);
}

static void add_child (struct worker *self)
{
    char folder[OBSERVED_PATH_SIZE], path[OBSERVED_PATH_SIZE + 4];
    path_of (folder, "/d", 0, window_of (self));
    (void) snprintf (path, sizeof path, "%s/q-", folder);
    struct history_op op = write_of (HISTORY_CREATE, path, "", COHORT_SEQUENTIAL, 0);
    submit (self, &op, &(struct purpose){.what = CHILD});
}

static void remove_child (struct worker *self)
{
    if (self->child[0] != '\0') {
        ask_for (self, HISTORY_DELETE, self->child, "", 0, COHORT_ANY_VERSION);
        self->child[0] = '\0';
    }
}

static void list_folder (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE];
    struct history_op op =
        read_of (self, HISTORY_CHILDREN, path_of (path, "/d", 0, window_of (self)),
                 prng_chance (&self->prng, 1, 2));
    submit (self, &op, &(struct purpose){.what = NOTHING});
}

/* ---- Ephemerals ------------------------------------------------------------------------------ */

static void create_ephemeral (struct worker *self)
{
    ask_for (self, HISTORY_CREATE, "/e-", "", COHORT_EPHEMERAL | COHORT_SEQUENTIAL, 0);
}

static void lock (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE];
    uint64_t window = window_of (self);
    struct history_op op =
        write_of (HISTORY_CREATE, path_of (path, "/lock", 0, window), "", COHORT_EPHEMERAL, 0);
    submit (self, &op, &(struct purpose){.what = LOCK, .window = window});
}

static void unlock (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE];
    if (self->lock_window == window_of (self)) {
        ask_for (self, HISTORY_DELETE, path_of (path, "/lock", 0, self->lock_window), "", 0,
                 COHORT_ANY_VERSION);
    }
}

static void watch_lock (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE];
    struct history_op op =
        read_of (self, HISTORY_EXISTS, path_of (path, "/lock", 0, window_of (self)), true);
    submit (self, &op, &(struct purpose){.what = NOTHING});
}

/* ---- Multis ---------------------------------------------------------------------------------- */

/* A condition that holds or does not, a creation, and as often as not a deletion, in any order: all
 * of it or nothing. */
static void submit_multi (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE], lock_path[OBSERVED_PATH_SIZE];
    (void) snprintf (path, sizeof path, "/m%" PRIu64, prng_below (&self->prng, 4));
    path_of (lock_path, "/lock", 0, self->lock_window);
    struct history_op conditions[] = {
        write_of (HISTORY_CHECK, self->own, "", 0, COHORT_ANY_VERSION),
        write_of (HISTORY_CHECK, "/none", "", 0, COHORT_ANY_VERSION),
        {.kind = HISTORY_CHECK_CZXID, .path = lock_path, .value = "", .zxid = self->lock_zxid},
        {.kind = HISTORY_CHECK_OWNER,
         .path = lock_path,
         .value = "",
         .session = self->observed.session,
         .zxid = self->lock_zxid},
        {.kind = HISTORY_CHECK_ABSENT, .path = path, .value = ""},
        {.kind = HISTORY_CHECK_ABSENT, .path = "/none", .value = ""},
    };
    struct history_op ops[] = {
        conditions[prng_below (&self->prng, sizeof conditions / sizeof conditions[0])],
        write_of (HISTORY_CREATE, path, "", 0, 0),
        write_of (HISTORY_DELETE, path, "", 0, COHORT_ANY_VERSION),
    };
    size_t first = prng_below (&self->prng, 2), second = first + 1;
    struct history_op other = ops[first];
    ops[first] = ops[second];
    ops[second] = other;
    observed_ask (&self->observed, true, ops, 2 + prng_below (&self->prng, 2),
                  &(struct purpose){.what = NOTHING});
}

static void clear_multi (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE];
    (void) snprintf (path, sizeof path, "/m%" PRIu64, prng_below (&self->prng, 4));
    ask_for (self, HISTORY_DELETE, path, "", 0, COHORT_ANY_VERSION);
}

/* ---- Lives ----------------------------------------------------------------------------------- */

/* Makes the container, or one of its children, which may be ephemeral, or takes one away. */
static void use_box (struct worker *self)
{
    char box[OBSERVED_PATH_SIZE], path[OBSERVED_PATH_SIZE + 4];
    bool ephemeral = prng_chance (&self->prng, 1, 3);
    path_of (box, "/box", 0, window_of (self));
    (void) snprintf (path, sizeof path, "%s/%s", box, ephemeral ? "e" : "a");
    struct history_op made = write_of (HISTORY_CREATE, box, "", COHORT_CONTAINER, 0);
    made.if_absent = true;
    switch (prng_below (&self->prng, 3)) {
    case 0:
        submit (self, &made, &(struct purpose){.what = NOTHING});
        break;
    case 1:
        ask_for (self, HISTORY_CREATE, path, "", ephemeral ? COHORT_EPHEMERAL : 0, 0);
        break;
    default:
        ask_for (self, HISTORY_DELETE, path, "", 0, COHORT_ANY_VERSION);
        break;
    }
}

static void use_mortal (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE];
    path_of (path, "/t", prng_below (&self->prng, 2), window_of (self));
    struct history_op made = write_of (HISTORY_CREATE, path, "", 0, 0);
    struct history_op look = read_of (self, HISTORY_GET, path, prng_chance (&self->prng, 1, 2));
    made.ttl_ms = 1 + (int64_t) prng_below (&self->prng, TTL_MS_MAX);
    switch (prng_below (&self->prng, 4)) {
    case 0:
    case 1:
        submit (self, &made, &(struct purpose){.what = NOTHING});
        break;
    case 2:
        ask_for (self, HISTORY_SET, path, "again", 0, COHORT_ANY_VERSION);
        break;
    default:
        submit (self, &look, &(struct purpose){.what = NOTHING});
        break;
    }
}

static void plant_tree (struct worker *self)
{
    static const char *const names[] = {"a", "b", "a/c", "a/d"};
    char tree[OBSERVED_PATH_SIZE], path[OBSERVED_PATH_SIZE + 4];
    path_of (tree, "/tree", 0, window_of (self));
    (void) snprintf (path, sizeof path, "%s/%s", tree, names[prng_below (&self->prng, 4)]);
    struct history_op ops[] = {write_of (HISTORY_CREATE, tree, "", 0, 0),
                               write_of (HISTORY_CREATE, path, "", 0, 0)};
    ops[0].if_absent = true;
    observed_ask (&self->observed, true, ops, 2, &(struct purpose){.what = NOTHING});
}

static void fell_tree (struct worker *self)
{
    char tree[OBSERVED_PATH_SIZE], path[OBSERVED_PATH_SIZE + 4];
    path_of (tree, "/tree", 0, window_of (self));
    (void) snprintf (path, sizeof path, "%s/a", tree);
    struct history_op op =
        write_of (HISTORY_DELETE_TREE, prng_chance (&self->prng, 1, 3) ? tree : path, "", 0,
                  COHORT_ANY_VERSION);
    op.limit = (uint32_t) prng_below (&self->prng, 5);
    submit (self, &op, &(struct purpose){.what = NOTHING});
}

/* ---- Looking in other ways ------------------------------------------------------------------- */

static const char *some_place (struct worker *self, char path[OBSERVED_PATH_SIZE])
{
    static const char *const prefixes[] = {"/d", "/box", "/tree", "/t", "/lock", "/r", "/a"};
    size_t place = prng_below (&self->prng, 9);
    if (place >= 7) {
        return place == 7 ? self->own : "/";
    }
    return path_of (path, prefixes[place], place < 5 ? 0 : some_register (self), window_of (self));
}

/* All of one state. */
static void read_several (struct worker *self)
{
    static const enum history_op_kind kinds[] = {HISTORY_GET, HISTORY_EXISTS, HISTORY_CHILDREN,
                                                 HISTORY_COUNT};
    char paths[OBSERVED_OPS_MAX][OBSERVED_PATH_SIZE];
    struct history_op ops[OBSERVED_OPS_MAX];
    size_t count = 1 + prng_below (&self->prng, OBSERVED_OPS_MAX);
    bool linearizable = prng_chance (&self->prng, 1, 3);
    for (size_t i = 0; i < count; i++) {
        ops[i] =
            read_of (self, kinds[prng_below (&self->prng, 4)], some_place (self, paths[i]), false);
        ops[i].linearizable = linearizable;
    }
    observed_ask (&self->observed, true, ops, count, &(struct purpose){.what = NOTHING});
}

static void count_below (struct worker *self)
{
    char path[OBSERVED_PATH_SIZE];
    struct history_op op = read_of (self, HISTORY_COUNT, some_place (self, path), false);
    op.linearizable = prng_chance (&self->prng, 1, 3);
    submit (self, &op, &(struct purpose){.what = NOTHING});
}

static void list_ephemerals (struct worker *self)
{
    static const char *const prefixes[] = {"", "/e-", "/box", "/lock"};
    struct history_op op = read_of (self, HISTORY_EPHEMERALS, "", false);
    op.value = prefixes[prng_below (&self->prng, 4)];
    op.limit = (uint32_t) prng_below (&self->prng, 4);
    submit (self, &op, &(struct purpose){.what = NOTHING});
}

/* Follows another place, for a while, with a stream or a persistent watch. */
static void follow (struct worker *self)
{
    static const char *const prefixes[] = {"/r", "/d", "/box", "/tree", "/t"};
    char path[OBSERVED_PATH_SIZE];
    size_t index = prng_below (&self->prng, OBSERVED_FOLLOWED_MAX);
    size_t place = prng_below (&self->prng, 6);
    const char *root = place == 5 ? "/" : path_of (path, prefixes[place], 0, window_of (self));
    uint32_t flags = (uint32_t) prng_below (&self->prng, 4); /* NO_SNAPSHOT, NO_DATA */
    bool known = self->observed.whole && prng_chance (&self->prng, 1, 3);
    if (prng_chance (&self->prng, 1, 2)) {
        flags = HISTORY_STREAM_WATCH | HISTORY_STREAM_NO_SNAPSHOT | HISTORY_STREAM_NO_DATA;
        known = false;
    } else if (prng_chance (&self->prng, 1, 4)) {
        flags |= HISTORY_STREAM_PROGRESS;
    }
    if ((flags & HISTORY_STREAM_NO_SNAPSHOT) != 0 && prng_chance (&self->prng, 1, 2)) {
        flags |= HISTORY_STREAM_SHALLOW;
    }
    bool placed = (flags & HISTORY_STREAM_NO_SNAPSHOT) == 0 || known;
    if ((flags & HISTORY_STREAM_WATCH) == 0 && placed && prng_chance (&self->prng, 1, 3)) {
        flags |= HISTORY_STREAM_LATEST; /* where nobody knows where it begins it cannot be judged */
    }
    observed_leave (&self->observed, index);
    observed_follow (&self->observed, index, root, flags, known ? self->observed.streamed : 0);
}

/* ---- All ------------------------------------------------------------------------------------- */

static void ask_something (struct worker *self)
{
    static const struct {
        unsigned weight;
        void (*ask) (struct worker *self);
    } asks[] = {
        {12, write_own},   {4, read_own},         {10, swap_register},
        {5, set_register}, {3, create_register},  {1, delete_register},
        {3, get_register}, {5, watch_register},   {3, sync_and_get_register},
        {1, make_folder},  {4, add_child},        {2, remove_child},
        {4, list_folder},  {3, create_ephemeral}, {2, lock},
        {1, unlock},       {1, watch_lock},       {4, submit_multi},
        {1, clear_multi},  {1, need_register},    {4, add_register},
        {3, use_box},      {2, use_mortal},       {2, plant_tree},
        {1, fell_tree},    {2, follow},           {3, get_current_register},
        {3, read_several}, {2, count_below},      {1, list_ephemerals},
        {7, worker_claim},
    };
    enum { WEIGHTS = 100 };
    uint64_t dice = prng_below (&self->prng, WEIGHTS);
    size_t i = 0;
    while (i + 1 < sizeof asks / sizeof asks[0] && dice >= asks[i].weight) {
        dice -= asks[i++].weight;
    }
    asks[i].ask (self);
}

void worker_work (struct worker *self)
{
    int64_t now_ms = recorder_now_ms (self->observed.options.recorder);
    if (now_ms < self->next_ms) {
        return;
    }
    self->next_ms = now_ms + 1 + (int64_t) prng_below (&self->prng, PAUSE_MS_MAX);
    size_t burst = 1 + prng_below (&self->prng, 3);
    while (burst-- > 0 && self->observed.outstanding < OUTSTANDING_MAX) {
        ask_something (self);
    }
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void answered (void *arg, struct observed *observed, const struct purpose *purpose,
                      const cohort_result_t *result)
{
    struct worker *self = arg;
    if (purpose->what == FRESH) {
        self->fresh_due = self->fresh_due && result->rc != 0;
    } else if (purpose->what == REGISTER) {
        learn_register (self, purpose, result);
    } else if (purpose->what == LOCK && result->rc == 0) {
        self->lock_window = purpose->window;
        self->lock_zxid = result->stat->czxid;
    } else if (purpose->what == PRESENT && purpose->index == observed->number) {
        self->before[0] = observed->number; /* what it has asked for first was done */
        self->before_count = 1;
    } else if (purpose->what == CHILD && result->rc == 0) {
        (void) snprintf (self->child, sizeof self->child, "%s", result->path);
    }
}

/* What the processes before have made stays, if their session goes on: that of the newest one, and
 * of those before it, as long as none has heard that what is theirs is gone. */
static void clear_up (struct worker *self)
{
    for (size_t i = 0; i < self->before_count; i++) {
        char path[OBSERVED_PATH_SIZE];
        (void) snprintf (path, sizeof path, WORKLOAD_LIVE "/%" PRIu32, self->before[i]);
        ask_for (self, HISTORY_DELETE, path, "", 0, COHORT_ANY_VERSION);
    }
}

/* What a session does first. */
static void renewed (void *arg, struct observed *observed)
{
    struct worker *self = arg;
    char path[OBSERVED_PATH_SIZE];
    (void) snprintf (self->own, sizeof self->own, "/k%" PRIu32, observed->number);
    self->own_value = 0;
    self->child[0] = '\0';
    self->lock_zxid = self->lock_window = 0;
    memset (self->registers, 0, sizeof self->registers);
    ask_for (self, HISTORY_CREATE, WORKLOAD_LIVE, "", 0, 0);
    clear_up (self);
    COHORT_ASSERT (self->before_count < WORKER_BEFORE_MAX);
    self->before[self->before_count++] = observed->number;
    (void) snprintf (path, sizeof path, WORKLOAD_LIVE "/%" PRIu32, observed->number);
    struct history_op op = write_of (HISTORY_CREATE, path, "", COHORT_EPHEMERAL, 0);
    submit (self, &op, &(struct purpose){.what = PRESENT, .index = observed->number});
    if (self->fresh_due) {
        set_own (self, FRESH);
    }
}

void worker_start (struct worker *self, size_t index, uint64_t seed,
                   const struct observed_options *options)
{
    struct observed_options own = *options;
    struct worker before = *self;
    *self = (struct worker){.index = index, .before_count = before.before_count};
    memcpy (self->before, before.before, sizeof self->before);
    prng_seed (&self->prng, seed);
    own.answered = answered;
    own.renewed = renewed;
    own.arg = self;
    observed_start (&self->observed, &own);
    renewed (self, &self->observed);
}

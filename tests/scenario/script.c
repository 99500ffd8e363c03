/* The commands of the scenarios.
 *
 *   Setting up
 *     cluster ID...            servers; voters, with store ids equal to their ids. An ID may be
 *                              4o (an observer) or 3s99 (its store is 99, the listed one is 3)
 *     second ID...             a second configuration: both must agree from now on
 *     option NAME VALUE        before the first start: chunk, window, counter_max
 *     disk ID accepted E current E [base E:C] [E:C..C]... [E:C..C/X]...
 *                              what the disk of a server that is down holds; entries with the same
 *                              X (0 by default) are the same
 *     disk ID cut E:C          takes away what is behind E:C
 *     disk ID damaged E:C      likewise, and its recovery has noticed: nobody knows how much
 *     disk ID suspect E:C E:C  likewise, behind the first; but nothing was behind the second
 *     replace ID STORE         the disk of a server that is down is a new one, with that store id
 *     committed ID E:C         this log up to there is what has been committed so far
 *     unchecked                no checker from now on: disks have forgotten what they were given
 *   Servers
 *     start ID...   crash ID [OPERATIONS]   restart ID (and link it)
 *     pause ID   resume ID
 *     hold ID   release ID     its disk, in run and exchange
 *     full ID   room ID        its disk takes no entries any more; the core hears of it
 *     withdraw ID [N]          what waits for room is given up, but for N operations
 *   Links
 *     link [A B]               all, or one; link all that can be
 *     cut A B [KEEP_AB KEEP_BA]
 *     overtake A B N   delay A B   of what A sends to B, item N comes first; the first one last
 *     block A B   unblock A B  what A sends to B waits, in run and exchange
 *   Making things happen
 *     run                      deliver and finish disks until nothing is left
 *     exchange [N]             deliver what is on its way now, N times: half a round trip each
 *     disks                    finish all requests that the disks have now
 *     deliver A B [N]   drain A B   durable ID [N]
 *     pass MS                  time passes; ticks only
 *     wait MS                  time passes in steps of 5 ms, with a run after each
 *   Events
 *     propose ID N   round ID   leave ID   compact ID E:C
 *     store ID STORE [E:C [ONE]]   the configuration lists it, by this entry, for all or for one
 *     abstain ID   stand ID    from leading; or not any more
 *     stale ID                 a server that is down will start without the last `store`
 *     snapshot FROM TO         the one that FROM's core has asked for arrives
 *     offer FROM TO E:C        any other one arrives
 *     unfit ID                 the next one of this server cannot be installed
 *   Looking
 *     status   quiet   loud    (quiet: no trace until loud) */

#include "tests/scenario/script.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/scenario/script_words.h"

enum { WAIT_STEP_MS = 5 };

/* ---- Servers, links ---------------------------------------------------------------------- */

static void link_all (struct script *self)
{
    for (uint32_t a = 1; a <= CLUSTER_SERVERS_MAX; a++) {
        for (uint32_t b = a + 1; b <= CLUSTER_SERVERS_MAX; b++) {
            cluster_connect (&self->cluster, a, b);
        }
    }
}

static void command_start (struct script *self)
{
    for (size_t i = 1; i < self->count; i++) {
        uint32_t id = word_server (self, i);
        if (self->failed || self->cluster.servers[id].core != NULL) {
            script_complain (self, "the server runs");
            return;
        }
        cluster_start (&self->cluster, id);
    }
}

static void command_restart (struct script *self)
{
    command_start (self);
    for (size_t i = 1; i < self->count && !self->failed; i++) {
        uint32_t id = word_server (self, i);
        for (uint32_t peer = 1; peer <= CLUSTER_SERVERS_MAX; peer++) {
            /* What it sent before it died, and the end of that link. */
            while (!self->cluster.connected[id][peer] &&
                   cluster_deliver (&self->cluster, id, peer)) {
            }
        }
    }
    if (!self->failed) {
        link_all (self);
    }
}

static void command_crash (struct script *self)
{
    uint32_t id = word_live_server (self, 1);
    uint64_t operations = word_number_or (self, 2, 0);
    if (!self->failed) {
        cluster_crash (&self->cluster, id, operations);
    }
}

static void command_pause (struct script *self)
{
    self->cluster.servers[word_server (self, 1)].paused = true;
}

static void command_resume (struct script *self)
{
    self->cluster.servers[word_server (self, 1)].paused = false;
}

static void command_hold (struct script *self)
{
    self->cluster.servers[word_server (self, 1)].held = true;
}

static void command_release (struct script *self)
{
    self->cluster.servers[word_server (self, 1)].held = false;
}

static void command_full (struct script *self)
{
    cluster_space (&self->cluster, word_server (self, 1), true);
}

static void command_room (struct script *self)
{
    cluster_space (&self->cluster, word_server (self, 1), false);
}

static void command_withdraw (struct script *self)
{
    size_t done = self->count > 2 ? (size_t) word_number (self, 2) : 0;
    if (!cluster_withdraw (&self->cluster, word_server (self, 1), done)) {
        script_complain (self, "nothing waits for room, or it does not look for a leader");
    }
}

static void command_link (struct script *self)
{
    if (self->count == 1) {
        link_all (self);
    } else if (!cluster_connect (&self->cluster, word_server (self, 1), word_server (self, 2))) {
        script_complain (self, "the old link is not gone");
    }
}

static void command_cut (struct script *self)
{
    uint32_t a = word_server (self, 1), b = word_server (self, 2);
    cluster_cut (&self->cluster, a, b, word_number_or (self, 3, SIZE_MAX),
                 word_number_or (self, 4, SIZE_MAX));
}

static void command_overtake (struct script *self)
{
    cluster_overtake (&self->cluster, word_server (self, 1), word_server (self, 2),
                      word_number (self, 3));
}

static void command_delay (struct script *self)
{
    cluster_delay (&self->cluster, word_server (self, 1), word_server (self, 2));
}

static void command_unchecked (struct script *self)
{
    self->cluster.unchecked = true;
}

static void command_block (struct script *self)
{
    self->cluster.queues[word_server (self, 1)][word_server (self, 2)].blocked = true;
}

static void command_unblock (struct script *self)
{
    self->cluster.queues[word_server (self, 1)][word_server (self, 2)].blocked = false;
}

/* ---- Making things happen ---------------------------------------------------------------- */

static void command_run (struct script *self)
{
    cluster_run (&self->cluster);
}

static void command_exchange (struct script *self)
{
    for (uint64_t i = word_number_or (self, 1, 1); i > 0; i--) {
        cluster_exchange (&self->cluster);
    }
}

static void command_disks (struct script *self)
{
    for (uint32_t id = 1; id <= CLUSTER_SERVERS_MAX; id++) {
        if (!self->cluster.servers[id].held) {
            cluster_durable (&self->cluster, id, SIZE_MAX);
        }
    }
}

static void command_deliver (struct script *self)
{
    uint32_t from = word_server (self, 1), to = word_server (self, 2);
    for (uint64_t i = word_number_or (self, 3, 1); i > 0 && !self->failed; i--) {
        if (!cluster_deliver (&self->cluster, from, to)) {
            script_complain (self, "nothing is on its way");
        }
    }
}

static void command_drain (struct script *self)
{
    uint32_t from = word_server (self, 1), to = word_server (self, 2);
    while (!self->failed && cluster_deliver (&self->cluster, from, to)) {
    }
}

static void command_durable (struct script *self)
{
    uint32_t id = word_live_server (self, 1);
    uint64_t requests = word_number_or (self, 2, SIZE_MAX);
    if (!self->failed && !cluster_durable (&self->cluster, id, requests)) {
        script_complain (self, "the disk has nothing to do");
    }
}

static void command_pass (struct script *self)
{
    cluster_advance (&self->cluster, (int64_t) word_number (self, 1));
}

static void command_wait (struct script *self)
{
    int64_t left = (int64_t) word_number (self, 1);
    while (left > 0) {
        int64_t ms = left < WAIT_STEP_MS ? left : WAIT_STEP_MS;
        cluster_advance (&self->cluster, ms);
        cluster_run (&self->cluster);
        left -= ms;
    }
}

/* ---- Events ------------------------------------------------------------------------------ */

static void command_propose (struct script *self)
{
    uint32_t id = word_live_server (self, 1);
    uint64_t count = word_number (self, 2);
    if (self->failed || !cluster_can_propose (&self->cluster, id)) {
        script_complain (self, "it may not propose");
        return;
    }
    cluster_propose (&self->cluster, id, count, sizeof (uint64_t));
}

static void plain_event (struct script *self, enum zab_event_type type)
{
    uint32_t id = word_live_server (self, 1);
    if (!self->failed) {
        cluster_event (&self->cluster, id, &(struct zab_event){.type = type});
    }
}

static void command_round (struct script *self)
{
    plain_event (self, ZAB_EVENT_ROUND);
}

static void command_leave (struct script *self)
{
    plain_event (self, ZAB_EVENT_LEAVE);
}

static void stand (struct script *self, bool stands)
{
    uint32_t id = word_live_server (self, 1);
    if (!self->failed) {
        cluster_event (&self->cluster, id,
                       &(struct zab_event){.type = ZAB_EVENT_STAND, .stands = stands});
    }
}

static void command_abstain (struct script *self)
{
    stand (self, false);
}

static void command_stand (struct script *self)
{
    stand (self, true);
}

static void command_snapshot (struct script *self)
{
    if (!cluster_snapshot (&self->cluster, word_server (self, 1), word_server (self, 2))) {
        script_complain (self, "no snapshot is owed");
    }
}

static void command_offer (struct script *self)
{
    uint32_t from = word_live_server (self, 1), to = word_live_server (self, 2);
    zxid_t at = word_zxid (self, 3);
    const struct records *committed = &self->cluster.committed;
    for (size_t i = 0; i < committed->count && !self->failed; i++) {
        const struct zab_entry *entry = &committed->items[i].entry;
        if (entry->zxid == at) {
            cluster_event (&self->cluster, to,
                           &(struct zab_event){.type = ZAB_EVENT_SNAPSHOT,
                                               .peer = from,
                                               .point = {entry->zxid, entry->chain},
                                               .stamp_ms = entry->stamp_ms});
            return;
        }
    }
    script_complain (self, "that was never committed");
}

static void command_unfit (struct script *self)
{
    cluster_fail_install (&self->cluster, word_live_server (self, 1));
}

static void command_compact (struct script *self)
{
    uint32_t id = word_live_server (self, 1);
    if (!self->failed) {
        cluster_compact (&self->cluster, id, word_zxid (self, 2));
    }
}

/* The configuration now lists this store for this server; applied by all that run, or by one. */
static void command_store (struct script *self)
{
    uint32_t id = word_server (self, 1);
    uint32_t only = self->count > 4 ? word_live_server (self, 4) : 0;
    zxid_t version = self->count > 3 ? word_zxid (self, 3) : 0;
    struct config_set *configs = &self->cluster.options.configs;
    if (only == 0) {
        self->cluster.before = *configs;
    }
    for (size_t i = 0; i < configs->count; i++) {
        configs->configs[i].version = version > 0 ? version : configs->configs[i].version + 1;
        for (size_t k = 0; k < configs->configs[i].count; k++) {
            if (configs->configs[i].members[k].id == id) {
                configs->configs[i].members[k].store_id = word_number (self, 2);
            }
        }
    }
    for (uint32_t each = 1; each <= CLUSTER_SERVERS_MAX; each++) {
        if (self->cluster.servers[each].core != NULL && (only == 0 || each == only)) {
            cluster_event (&self->cluster, each,
                           &(struct zab_event){.type = ZAB_EVENT_CONFIG, .configs = configs});
        }
    }
}

static void command_stale (struct script *self)
{
    uint32_t id = word_server (self, 1);
    if (self->failed || self->cluster.servers[id].core != NULL) {
        script_complain (self, "the server runs");
        return;
    }
    self->cluster.servers[id].stale = true;
}

static void command_status (struct script *self)
{
    trace_status (&self->cluster, self->trace);
}

static void command_quiet (struct script *self)
{
    self->quiet = true;
}

static void command_loud (struct script *self)
{
    self->quiet = false;
}

/* ---- Running ----------------------------------------------------------------------------- */

static const struct command {
    const char *name;
    void (*run) (struct script *self);
} commands[] = {
    {"abstain", command_abstain},     {"stand", command_stand},
    {"block", command_block},         {"cluster", command_cluster},
    {"committed", command_committed}, {"compact", command_compact},
    {"crash", command_crash},         {"cut", command_cut},
    {"delay", command_delay},         {"deliver", command_deliver},
    {"disk", command_disk},           {"disks", command_disks},
    {"drain", command_drain},         {"durable", command_durable},
    {"exchange", command_exchange},   {"full", command_full},
    {"hold", command_hold},           {"leave", command_leave},
    {"link", command_link},           {"loud", command_loud},
    {"offer", command_offer},         {"option", command_option},
    {"overtake", command_overtake},   {"pass", command_pass},
    {"pause", command_pause},         {"propose", command_propose},
    {"quiet", command_quiet},         {"release", command_release},
    {"replace", command_replace},     {"restart", command_restart},
    {"resume", command_resume},       {"room", command_room},
    {"round", command_round},         {"run", command_run},
    {"second", command_second},       {"snapshot", command_snapshot},
    {"stale", command_stale},         {"start", command_start},
    {"status", command_status},       {"store", command_store},
    {"unblock", command_unblock},     {"unchecked", command_unchecked},
    {"unfit", command_unfit},         {"wait", command_wait},
    {"withdraw", command_withdraw},
};

static void run_line (struct script *self, const char *line, size_t size)
{
    self->count = 0;
    size_t at = 0;
    while (at < size) {
        size_t start = at;
        while (at < size && line[at] != ' ') {
            at++;
        }
        if (at > start) {
            if (self->count == WORDS_MAX || at - start >= WORD_MAX) {
                script_complain (self, "too long");
                return;
            }
            memcpy (self->words[self->count], line + start, at - start);
            self->words[self->count++][at - start] = '\0';
        }
        at++;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (self->count > 0 && strcmp (self->words[0], commands[i].name) == 0) {
            if (!self->made && commands[i].run != command_cluster) {
                script_complain (self, "the first command is cluster");
                return;
            }
            self->cluster.trace = self->quiet ? NULL : self->trace;
            commands[i].run (self);
            return;
        }
    }
    script_complain (self, "there is no such command");
}

static void take_trace (struct script *self, struct buf *result)
{
    char chunk[4096];
    size_t size;
    rewind (self->trace);
    while ((size = fread (chunk, 1, sizeof chunk, self->trace)) > 0) {
        buf_append (result, chunk, size);
    }
    fclose (self->trace);
    self->trace = tmpfile ();
    COHORT_ASSERT (self->trace != NULL);
}

/* Copies lines, runs commands, and puts the trace in the place of the old one. */
static void run_blocks (struct script *self, const char *text, struct buf *result)
{
    bool in_trace = false;
    while (*text != '\0' && !self->failed) {
        size_t size = strcspn (text, "\n");
        const char *next = text + size + (text[size] == '\n');
        self->line++;
        if (size == 0) {
            in_trace = false;
            buf_append (result, "\n", 1);
        } else if (in_trace) {
            /* the old trace */
        } else if (size == 4 && memcmp (text, "----", 4) == 0) {
            in_trace = true;
            buf_append (result, "----\n", 5);
            take_trace (self, result);
        } else {
            buf_append (result, text, size);
            buf_append (result, "\n", 1);
            if (*text != '#') {
                run_line (self, text, size);
            }
        }
        text = next;
    }
}

bool script_run (const char *path, const char *text, struct buf *result)
{
    struct script *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return false;
    }
    self->path = path;
    self->trace = tmpfile ();
    bool good = self->trace != NULL;
    if (good) {
        run_blocks (self, text, result);
        good = !self->failed;
        if (!good) {
            take_trace (self, result); /* how far it came */
        }
    }
    if (self->made) {
        cluster_deinit (&self->cluster);
    }
    if (self->trace != NULL) {
        fclose (self->trace);
    }
    free (self);
    return good;
}

/* bootstrap.c: see bootstrap.h. */

#include "server/node/bootstrap.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "client/base/prng.h"
#include "cohort/error.h"

/* What a peer has said, since its link came up. */
struct peer {
    uint32_t id;
    enum config_role role;
    bool up;
    bool heard;
    uint64_t store_id;
    struct peer_bootstrap said;
};

struct bootstrap {
    uint32_t id;
    struct config configured;
    struct store_meta meta;
    bool log_empty;
    bool started; /* bootstrap_time has been called */
    uint8_t cluster_id[PEER_CLUSTER_SIZE];
    struct bootstrap_host host;
    struct logger logger;
    struct prng prng;

    uint64_t round;       /* the one that is prepared here; 0: none in this process */
    bool founding;        /* it is mine: the others have been asked */
    struct config wanted; /* of the round */
    size_t count;
    struct peer peers[CONFIG_MEMBERS_MAX];
    int64_t repeat_at_ms;
    int failure;
    char text[256];
    bool waiting_logged;
};

struct bootstrap *bootstrap_new (const struct bootstrap_options *options)
{
    COHORT_ASSERT (config_valid (options->configured));
    COHORT_ASSERT (config_find (options->configured, options->id) != NULL);
    struct bootstrap *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->id = options->id;
    self->configured = *options->configured;
    self->meta = *options->meta;
    self->log_empty = options->log_empty;
    self->host = options->host;
    self->logger = options->logger;
    memcpy (self->cluster_id, options->cluster_id, sizeof self->cluster_id);
    prng_seed (&self->prng, options->seed);
    for (size_t i = 0; i < self->configured.count; i++) {
        const struct config_member *member = &self->configured.members[i];
        if (member->id != self->id) {
            self->peers[self->count++] = (struct peer){.id = member->id, .role = member->role};
        }
    }
    return self;
}

void bootstrap_destroy (struct bootstrap **self_p)
{
    mem_free (*self_p);
    *self_p = NULL;
}

static const char *role_name (enum config_role role)
{
    return role == CONFIG_OBSERVER ? "observer" : "voter";
}

bool bootstrap_same_members (const struct config *configured, const struct config *config,
                             char *error, size_t error_size)
{
    for (size_t i = 0; i < config->count; i++) {
        const struct config_member *theirs = &config->members[i];
        const struct config_member *ours = config_find (configured, theirs->id);
        if (ours == NULL) {
            snprintf (error, error_size,
                      "server %" PRIu32 " is a member of the ensemble but not of the configuration",
                      theirs->id);
            return false;
        }
        if (ours->role != theirs->role) {
            snprintf (error, error_size,
                      "server %" PRIu32 " is configured as %s, but the ensemble knows it as %s",
                      theirs->id, role_name (ours->role), role_name (theirs->role));
            return false;
        }
    }
    for (size_t i = 0; i < configured->count; i++) {
        if (config_find (config, configured->members[i].id) == NULL) {
            snprintf (error, error_size,
                      "server %" PRIu32 " is configured, but the ensemble that this data folder "
                      "belongs to was founded without it: take its line out of the configuration",
                      configured->members[i].id);
            return false;
        }
    }
    return true;
}

static enum peer_stage stage (const struct bootstrap *self)
{
    static const uint8_t none[PEER_CLUSTER_SIZE] = {0};
    if (self->meta.bootstrapped) {
        return PEER_DONE;
    }
    return memcmp (self->meta.cluster_id, none, sizeof none) == 0 ? PEER_EMPTY : PEER_PREPARED;
}

bool bootstrap_done (const struct bootstrap *self)
{
    return self->meta.bootstrapped;
}

const struct store_meta *bootstrap_meta (const struct bootstrap *self)
{
    return &self->meta;
}

int bootstrap_failure (const struct bootstrap *self, const char **text)
{
    *text = self->text;
    return self->failure;
}

/* It belonged to an ensemble, and has lost what it knew of it. */
static bool has_lost (const struct bootstrap *self)
{
    return self->meta.trust != ZAB_WHOLE && stage (self) != PEER_DONE;
}

static void fail (struct bootstrap *self, int code, const char *text)
{
    if (self->failure == 0) {
        self->failure = code;
        snprintf (self->text, sizeof self->text, "%s", text);
        logger_write (&self->logger, LOG_ERROR, "bootstrap-failed", "reason=\"%s\"", self->text);
    }
}

static struct peer *find (struct bootstrap *self, uint32_t id)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->peers[i].id == id) {
            return &self->peers[i];
        }
    }
    return NULL;
}

static bool persist (struct bootstrap *self, const uint8_t *cluster_id, const struct config *config,
                     bool done)
{
    struct store_meta meta = self->meta;
    memcpy (meta.cluster_id, cluster_id, sizeof meta.cluster_id);
    meta.config = *config;
    meta.bootstrapped = done;
    int code = self->host.persist (self->host.arg, &meta);
    if (code == COHORT_EDISKFULL) {
        return false; /* what is heard, or time, brings it here again */
    }
    if (code != 0) {
        fail (self, code, "the metadata could not be written");
        return false;
    }
    self->meta = meta;
    return true;
}

/* ---- Saying ---------------------------------------------------------------------------------- */

static void say (struct bootstrap *self, const struct peer *peer)
{
    if (has_lost (self)) {
        return;
    }
    struct peer_bootstrap message = {.stage = stage (self), .round = self->round};
    if (message.stage != PEER_EMPTY) {
        message.has_cluster = true;
        memcpy (message.cluster_id, self->meta.cluster_id, sizeof message.cluster_id);
        const struct config *config =
            message.stage == PEER_DONE ? self->host.config (self->host.arg) : NULL;
        message.config = config != NULL ? *config : self->meta.config;
        message.propose = self->founding && message.stage == PEER_PREPARED;
    }
    self->host.send (self->host.arg, peer->id, &message);
}

static void say_all (struct bootstrap *self)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->peers[i].up) {
            say (self, &self->peers[i]);
        }
    }
}

/* ---- Founding -------------------------------------------------------------------------------- */

static bool is_founder (const struct bootstrap *self)
{
    for (size_t i = 0; i < self->configured.count; i++) {
        if (self->configured.members[i].role == CONFIG_VOTER) {
            return self->configured.members[i].id == self->id; /* they ascend */
        }
    }
    return false;
}

/* So many voters found an ensemble: all of them, for a quorum of new ones may be what is left of an
 * older one, whose other members have what was acknowledged. */
static size_t founders (const struct bootstrap *self)
{
    size_t voters = 0;
    for (size_t i = 0; i < self->configured.count; i++) {
        voters += self->configured.members[i].role == CONFIG_VOTER;
    }
    return COHORT_MUTATED (empty_quorum_founds) ? voters / 2 + 1 : voters;
}

/* The members with the stores that are there now; false: a voter is missing, or done already. */
static bool gather (const struct bootstrap *self, struct config *config)
{
    size_t there = 1; /* itself */
    *config = self->configured;
    config->version = 0;
    for (size_t i = 0; i < config->count; i++) {
        struct config_member *member = &config->members[i];
        member->store_id = 0;
        if (member->id == self->id) {
            member->store_id = self->meta.store_id;
            continue;
        }
        const struct peer *peer = find ((struct bootstrap *) self, member->id);
        if (member->role == CONFIG_VOTER) {
            there += peer->up && peer->heard && peer->said.stage != PEER_DONE;
            member->store_id = peer->store_id;
        }
    }
    return there >= founders (self);
}

static bool same_config (const struct config *a, const struct config *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (a->members[i].id != b->members[i].id || a->members[i].role != b->members[i].role ||
            a->members[i].store_id != b->members[i].store_id) {
            return false;
        }
    }
    return true;
}

/* Whether this voter has persisted exactly this round. */
static bool is_prepared (const struct bootstrap *self, const struct peer *peer)
{
    const struct peer_bootstrap *said = &peer->said;
    return peer->up && peer->heard && said->stage == PEER_PREPARED && said->round == self->round &&
           memcmp (said->cluster_id, self->meta.cluster_id, PEER_CLUSTER_SIZE) == 0 &&
           same_config (&said->config, &self->wanted);
}

static void finish (struct bootstrap *self, const uint8_t *cluster_id, const struct config *config,
                    const char *how)
{
    if (persist (self, cluster_id, config, true)) {
        self->founding = false;
        logger_write (&self->logger, LOG_INFO, "bootstrap-done", "how=%s members=%zu", how,
                      config->count);
        say_all (self);
    }
}

static bool begin_round (struct bootstrap *self, const struct config *config)
{
    const uint8_t *cluster_id =
        stage (self) == PEER_PREPARED ? self->meta.cluster_id : self->cluster_id;
    uint8_t copy[PEER_CLUSTER_SIZE];
    memcpy (copy, cluster_id, sizeof copy);
    if (!persist (self, copy, config, false)) {
        return false;
    }
    do {
        self->round = prng_u64 (&self->prng);
    } while (self->round == 0);
    self->founding = true;
    self->wanted = *config;
    logger_write (&self->logger, LOG_INFO, "bootstrap-begun", "members=%zu", config->count);
    say_all (self);
    return true;
}

/* The founder's rule: begin when all are there, again when a store has changed, end when all are
 * prepared. */
static void found (struct bootstrap *self)
{
    struct config config;
    if (stage (self) == PEER_DONE || !self->log_empty || !is_founder (self) || has_lost (self) ||
        self->failure != 0) {
        return;
    }
    if (!gather (self, &config)) {
        return;
    }
    bool anew = !self->founding || !same_config (&config, &self->wanted);
    if (anew && !begin_round (self, &config)) {
        return;
    }
    size_t prepared = 1; /* itself */
    for (size_t i = 0; i < self->count; i++) {
        prepared += self->peers[i].role == CONFIG_VOTER && is_prepared (self, &self->peers[i]);
    }
    if (prepared >= founders (self) && self->failure == 0) {
        finish (self, self->meta.cluster_id, &self->wanted, "founded");
    }
}

/* ---- Hearing --------------------------------------------------------------------------------- */

static bool check_members (struct bootstrap *self, uint32_t peer, const struct config *config)
{
    char differs[160];
    if (bootstrap_same_members (&self->configured, config, differs, sizeof differs)) {
        return true;
    }
    char text[sizeof self->text];
    snprintf (text, sizeof text, "%s (told by server %" PRIu32 ")", differs, peer);
    fail (self, COHORT_ECONFIG, text);
    return false;
}

/* The founder proposes: from the lowest voter only, and only as long as nothing was done. */
static void prepare (struct bootstrap *self, const struct peer *peer,
                     const struct peer_bootstrap *message)
{
    if (stage (self) == PEER_DONE || !self->log_empty || is_founder (self) || has_lost (self)) {
        return;
    }
    const struct config_member *me = config_find (&message->config, self->id);
    if (!check_members (self, peer->id, &message->config)) {
        return;
    }
    if (me->role == CONFIG_VOTER && me->store_id != self->meta.store_id) {
        return; /* it speaks of a store that is gone; it will hear of this one */
    }
    if (self->round == message->round) {
        say (self, peer);
        return;
    }
    if (persist (self, message->cluster_id, &message->config, false)) {
        self->round = message->round;
        say (self, peer);
    }
}

static void join (struct bootstrap *self, const struct peer *peer,
                  const struct peer_bootstrap *message)
{
    if (!self->log_empty && (!has_lost (self) || COHORT_MUTATED (members_lost_refused))) {
        fail (self, COHORT_ECORRUPT, "the log has entries, but the metadata names no ensemble");
        return;
    }
    if (has_lost (self) && stage (self) == PEER_PREPARED &&
        memcmp (self->meta.cluster_id, message->cluster_id, PEER_CLUSTER_SIZE) != 0) {
        fail (self, COHORT_ECONFIG, "this server's folder is that of another ensemble");
        return;
    }
    if (check_members (self, peer->id, &message->config)) {
        finish (self, message->cluster_id, &message->config, "joined");
    }
}

void bootstrap_link_up (struct bootstrap *self, uint32_t id, uint64_t store_id)
{
    struct peer *peer = find (self, id);
    COHORT_ASSERT (peer != NULL);
    peer->up = true;
    peer->heard = false;
    peer->store_id = store_id;
    say (self, peer);
}

void bootstrap_link_down (struct bootstrap *self, uint32_t id)
{
    struct peer *peer = find (self, id);
    COHORT_ASSERT (peer != NULL);
    peer->up = false;
    peer->heard = false;
}

void bootstrap_message (struct bootstrap *self, uint32_t id, const struct peer_bootstrap *message)
{
    struct peer *peer = find (self, id);
    COHORT_ASSERT (peer != NULL);
    if (!peer->up || self->failure != 0) {
        return;
    }
    bool changed =
        !peer->heard || peer->said.stage != message->stage || peer->said.round != message->round;
    peer->heard = true;
    peer->said = *message;
    if (stage (self) == PEER_DONE) {
        if (message->stage != PEER_DONE) {
            say (self, peer);
        }
        return;
    }
    if (message->stage == PEER_DONE) {
        join (self, peer, message);
        return;
    }
    if (message->propose) {
        prepare (self, peer, message);
    }
    if (changed) {
        found (self);
    }
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void say_what_is_missing (struct bootstrap *self)
{
    if (self->waiting_logged) {
        return;
    }
    self->waiting_logged = true;
    if (has_lost (self)) {
        logger_write (&self->logger, LOG_WARNING, "bootstrap-waiting",
                      "reason=\"what this server held is lost: it waits for the others\"");
        return;
    }
    logger_write (&self->logger, LOG_INFO, "bootstrap-waiting",
                  "voters=%zu reason=\"an ensemble is founded when all its voters are there\"",
                  self->configured.count);
}

void bootstrap_time (struct bootstrap *self, int64_t now_ms)
{
    if (stage (self) == PEER_DONE || self->failure != 0) {
        return;
    }
    if (!self->started || now_ms >= self->repeat_at_ms) {
        self->started = true;
        self->repeat_at_ms = now_ms + BOOTSTRAP_REPEAT_MS;
        found (self);
        if (stage (self) != PEER_DONE) {
            say_what_is_missing (self);
            say_all (self);
        }
    }
}

int64_t bootstrap_deadline (const struct bootstrap *self)
{
    return stage (self) == PEER_DONE || self->failure != 0 ? INT64_MAX : self->repeat_at_ms;
}

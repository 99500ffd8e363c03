/* The commands of the scenarios that set up: see script.c. */

#include "tests/scenario/script_words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* 4, 4o or 3s99. */
static bool member (struct script *self, size_t index, struct config_member *result,
                    uint64_t *store_id)
{
    unsigned id = 0;
    char kind = '\0';
    uint64_t store = 0;
    int parts = sscanf (self->words[index], "%u%c%" SCNu64, &id, &kind, &store);
    if (parts < 1 || id < 1 || id > CLUSTER_SERVERS_MAX ||
        (parts > 1 && kind != 'o' && kind != 's')) {
        script_complain (self, "4, 4o or 3s99 is expected");
        return false;
    }
    *result = (struct config_member){
        .id = id, .role = kind == 'o' ? CONFIG_OBSERVER : CONFIG_VOTER, .store_id = id};
    *store_id = parts == 3 ? store : id;
    return true;
}

void command_cluster (struct script *self)
{
    struct zab_options options = {.seed = 1, .configs = {.count = 1}};
    struct config *config = &options.configs.configs[0];
    uint64_t stores[WORDS_MAX];
    for (size_t i = 1; i < self->count; i++) {
        if (!member (self, i, &config->members[config->count], &stores[config->count])) {
            return;
        }
        config->count++;
    }
    if (self->made || !config_valid (config)) {
        script_complain (self, "one cluster, ascending ids");
        return;
    }
    cluster_init (&self->cluster, &options);
    self->made = true;
    for (size_t i = 0; i < config->count; i++) {
        cluster_add (&self->cluster, config->members[i].id, stores[i]);
    }
}

void command_second (struct script *self)
{
    struct config_set *configs = &self->cluster.options.configs;
    struct config *config = &configs->configs[1];
    memset (config, 0, sizeof *config);
    configs->count = 2;
    for (size_t i = 1; i < self->count; i++) {
        uint64_t store;
        struct config_member *added = &config->members[config->count];
        if (!member (self, i, added, &store)) {
            return;
        }
        config->count++;
        if (self->cluster.servers[added->id].id == 0) {
            cluster_add (&self->cluster, added->id, store);
        }
    }
    if (!config_valid (config)) {
        script_complain (self, "ascending ids");
        return;
    }
    for (uint32_t id = 1; id <= CLUSTER_SERVERS_MAX; id++) {
        if (self->cluster.servers[id].core != NULL) {
            cluster_event (&self->cluster, id,
                           &(struct zab_event){.type = ZAB_EVENT_CONFIG, .configs = configs});
        }
    }
}

void command_option (struct script *self)
{
    struct zab_options *options = &self->cluster.options;
    uint64_t value = word_number (self, 2);
    if (strcmp (self->words[1], "chunk") == 0) {
        options->sync_chunk_bytes = (uint32_t) value;
    } else if (strcmp (self->words[1], "window") == 0) {
        options->sync_window = (uint32_t) value;
    } else if (strcmp (self->words[1], "counter_max") == 0) {
        options->counter_max = value;
    } else {
        script_complain (self, "chunk, window or counter_max is expected");
    }
}

void command_disk (struct script *self)
{
    uint32_t id = word_server (self, 1);
    struct image *disk = &self->cluster.servers[id].disk;
    size_t first = 2;
    for (; first + 1 < self->count && strchr (self->words[first], ':') == NULL; first += 2) {
        const char *name = self->words[first];
        if (strcmp (name, "accepted") == 0) {
            disk->accepted_epoch = (uint32_t) word_number (self, first + 1);
        } else if (strcmp (name, "current") == 0) {
            disk->current_epoch = (uint32_t) word_number (self, first + 1);
        } else if (strcmp (name, "base") == 0) {
            /* Everything up to there was written, and compacted. */
            cluster_compact_disk (&self->cluster, id, word_zxid (self, first + 1));
        } else if (strcmp (name, "cut") == 0) {
            image_truncate (disk, word_zxid (self, first + 1));
        } else if (strcmp (name, "damaged") == 0) {
            cluster_disk_damage (&self->cluster, id, word_zxid (self, first + 1), 0);
        } else if (strcmp (name, "suspect") == 0) {
            cluster_disk_damage (&self->cluster, id, word_zxid (self, first + 1),
                                 word_zxid (self, first + 2));
            first++;
        } else {
            script_complain (self, "accepted, current, base, cut, damaged or suspect is expected");
        }
    }
    for (size_t i = first; i < self->count && !self->failed; i++) {
        zxid_t from = 0;
        uint64_t count = 0, content = 0;
        if (word_range (self, self->words[i], &from, &count, &content)) {
            for (uint64_t k = 0; k < count; k++) {
                cluster_disk_append (&self->cluster, id, from + k, content);
            }
        }
    }
}

void command_replace (struct script *self)
{
    uint32_t id = word_server (self, 1);
    if (self->failed || self->cluster.servers[id].core != NULL) {
        script_complain (self, "the server runs");
        return;
    }
    struct image *disk = &self->cluster.servers[id].disk;
    records_free (&disk->log);
    memset (disk, 0, sizeof *disk);
    cluster_add (&self->cluster, id, word_number (self, 2));
}

void command_committed (struct script *self)
{
    uint32_t id = word_server (self, 1);
    checker_seed (&self->cluster, id, word_zxid (self, 2));
}

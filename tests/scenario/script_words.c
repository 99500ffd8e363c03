/* script_words.c: see script_words.h. */

#include "tests/scenario/script_words.h"

#include <inttypes.h>
#include <stdlib.h>

void script_complain (struct script *self, const char *what)
{
    if (!self->failed) {
        fprintf (stderr, "%s:%zu: %s: %s\n", self->path, self->line, self->words[0], what);
    }
    self->failed = true;
}

/* ---- Reading words ----------------------------------------------------------------------- */

uint64_t word_number (struct script *self, size_t index)
{
    char *end = NULL;
    uint64_t value = index < self->count ? strtoull (self->words[index], &end, 10) : 0;
    if (end == NULL || end == self->words[index] || *end != '\0') {
        script_complain (self, "a number is expected");
        return 0;
    }
    return value;
}

uint64_t word_number_or (struct script *self, size_t index, uint64_t otherwise)
{
    return index < self->count ? word_number (self, index) : otherwise;
}

uint32_t word_server (struct script *self, size_t index)
{
    uint64_t id = word_number (self, index);
    if (id < 1 || id > CLUSTER_SERVERS_MAX || self->cluster.servers[id].id == 0) {
        script_complain (self, "there is no such server");
        return 0;
    }
    return (uint32_t) id;
}

uint32_t word_live_server (struct script *self, size_t index)
{
    uint32_t id = word_server (self, index);
    if (id != 0 && self->cluster.servers[id].core == NULL) {
        script_complain (self, "the server is down");
        return 0;
    }
    return id;
}

bool word_range (struct script *self, const char *word, zxid_t *first, uint64_t *count,
                 uint64_t *content)
{
    unsigned epoch;
    uint64_t from, to;
    *content = 0;
    int parts = sscanf (word, "%u:%" SCNu64 "..%" SCNu64 "/%" SCNu64, &epoch, &from, &to, content);
    if (parts < 2) {
        script_complain (self, "E:C or E:C..D is expected");
        return false;
    }
    if (parts == 2) {
        to = from;
        sscanf (word, "%u:%" SCNu64 "/%" SCNu64, &epoch, &from, content);
    }
    *first = zxid_make (epoch, from);
    *count = to - from + 1;
    return true;
}

zxid_t word_zxid (struct script *self, size_t index)
{
    zxid_t first = 0;
    uint64_t count, content;
    if (index >= self->count || !word_range (self, self->words[index], &first, &count, &content)) {
        script_complain (self, "E:C is expected");
    }
    return first;
}

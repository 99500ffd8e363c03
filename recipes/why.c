/* Who holds a lock or a claim, and who waits for it: the recipe behind cohort/why.h.
 * May include: the client's public headers, recipes' claim_text, line, record, support and
 * why_places, libc. */

#include "cohort/why.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claim_private.h"
#include "line.h"
#include "why_places.h"

/* One who was listed; what it points to is in the same allocation. */
struct entry {
    uint64_t number;
    enum line_kind kind;
    cohort_stat_t stat;
    struct record record;
    char *node;
    bool claim; /* it is the claim, and not one who waits for it */
};

struct entries {
    struct entry **items;
    size_t count, room;
    bool of_claim; /* who is in the line waits, whoever is first */
};

static void entries_clear (struct entries *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free (self->items[i]);
    }
    free (self->items);
    *self = (struct entries){0};
}

/* Room for one more. */
static int entries_grow (struct entries *self)
{
    if (self->count == self->room) {
        size_t room = self->room == 0 ? 16 : 2 * self->room;
        struct entry **items = realloc (self->items, room * sizeof (struct entry *));
        if (items == NULL) {
            return COHORT_ENOMEM;
        }
        self->items = items;
        self->room = room;
    }
    return 0;
}

static int entries_add (struct entries *self, const char *path, const cohort_child_t *child)
{
    enum line_kind kind;
    uint64_t number;
    if (!line_parse (child->name, &kind, &number)) {
        return 0;
    }
    int rc = entries_grow (self);
    if (rc != 0) {
        return rc;
    }
    size_t node_size = strlen (path) + strlen (child->name) + 2;
    struct entry *entry = malloc (sizeof (*entry) + node_size + child->size + 1);
    if (entry == NULL) {
        return COHORT_ENOMEM;
    }
    *entry = (struct entry){
        .number = number, .kind = kind, .stat = child->stat, .node = (char *) (entry + 1)};
    snprintf (entry->node, node_size, "%s/%s", path, child->name);
    char *data = entry->node + node_size;
    if (child->size > 0) {
        memcpy (data, child->data, child->size);
    }
    data[child->size] = 0;
    record_parse (&entry->record, data, child->size);
    self->items[self->count++] = entry;
    return 0;
}

/* All contenders of one kind. */
static int read_kind (cohort_t *client, const char *path, enum line_kind kind,
                      struct entries *entries)
{
    char *after = NULL;
    int rc = 0;
    bool more = true;
    while (rc == 0 && more) {
        cohort_list_options_t options = {.size = sizeof (options),
                                         .flags = COHORT_LIST_STAT | COHORT_LIST_DATA,
                                         .prefix = line_prefix (kind),
                                         .after = after};
        cohort_page_t *page = NULL;
        rc = cohort_list (client, path, &options, &page, NULL);
        if (rc != 0) {
            break;
        }
        for (size_t i = 0; i < page->count && rc == 0; i++) {
            rc = entries_add (entries, path, &page->children[i]);
        }
        free (after);
        more = page->next != NULL;
        after = more ? recipe_copy (page->next, strlen (page->next)) : NULL;
        rc = rc == 0 && more && after == NULL ? COHORT_ENOMEM : rc;
        cohort_page_destroy (&page);
    }
    free (after);
    return rc == COHORT_ENONODE ? 0 : rc;
}

static int by_number (const void *a, const void *b)
{
    const struct entry *one = *(struct entry *const *) a, *other = *(struct entry *const *) b;
    if (one->claim != other->claim) {
        return one->claim ? -1 : 1;
    }
    return one->number < other->number ? -1 : one->number > other->number;
}

static size_t size_of (const struct entry *entry)
{
    return strlen (entry->node) + 1 + strlen (entry->record.host) + 1 + entry->record.payload_size +
           1;
}

/* Copies what ends at *at, with one 0 behind it. */
static const char *put (char **at, const void *bytes, size_t size)
{
    char *begin = *at;
    if (size > 0) {
        memcpy (begin, bytes, size);
    }
    begin[size] = 0;
    *at += size + 1;
    return begin;
}

static int64_t since_ms (const struct entry *entry)
{
    const struct record *record = &entry->record;
    int64_t granted_ms = record->granted_ms != 0 ? record->granted_ms : entry->stat.mtime_ms;
    return record->granted ? granted_ms : entry->stat.ctime_ms;
}

static int64_t permits_of (const struct entry *entry)
{
    return entry->kind == LINE_PERMITS ? entry->record.count : 0;
}

static void fill (cohort_contender_t *item, const struct entry *entry, bool holds, char **at)
{
    const struct record *record = &entry->record;
    *item = (cohort_contender_t){.node = put (at, entry->node, strlen (entry->node)),
                                 .shared = entry->kind == LINE_SHARED || record->shared,
                                 .holds = holds,
                                 .token = {.czxid = entry->stat.czxid, .ozxid = entry->stat.ozxid},
                                 .session = entry->stat.ephemeral_owner,
                                 .asked_ms = entry->stat.ctime_ms,
                                 .since_ms = holds ? since_ms (entry) : 0,
                                 .host = put (at, record->host, strlen (record->host)),
                                 .pid = record->pid,
                                 .data = put (at, record->payload, record->payload_size),
                                 .size = record->payload_size,
                                 .permits = permits_of (entry)};
}

/* Who holds: those of a semaphore have nothing to do with others. */
struct tally {
    size_t locks; /* that were before it */
    bool exclusive_ahead;
    int64_t permits; /* that are left */
};

static bool take_turn (struct tally *tally, const struct entry *entry)
{
    bool holds;
    if (entry->kind == LINE_PERMITS) {
        holds = permits_of (entry) <= tally->permits;
        /* Nobody passes one who waits. */
        tally->permits = holds ? tally->permits - permits_of (entry) : 0;
        return holds;
    }
    bool shared = entry->kind == LINE_SHARED || entry->record.shared;
    holds = shared ? !tally->exclusive_ahead : tally->locks == 0;
    tally->exclusive_ahead = tally->exclusive_ahead || !shared;
    tally->locks++;
    return holds;
}

static cohort_why_t *why_new (const struct entries *entries, int64_t permits)
{
    size_t size = sizeof (cohort_why_t) + entries->count * sizeof (cohort_contender_t);
    for (size_t i = 0; i < entries->count; i++) {
        size += size_of (entries->items[i]);
    }
    cohort_why_t *why = malloc (size);
    if (why == NULL) {
        return NULL;
    }
    cohort_contender_t *items = (cohort_contender_t *) (void *) (why + 1);
    char *at = (char *) (items + entries->count);
    struct tally tally = {.permits = permits};
    for (size_t i = 0; i < entries->count; i++) {
        const struct entry *entry = entries->items[i];
        bool holds = entries->of_claim ? entry->claim : take_turn (&tally, entry);
        fill (&items[i], entry, holds, &at);
    }
    *why = (cohort_why_t){.count = entries->count, .items = items};
    return why;
}

/* How many permits there are, if it is a semaphore. */
static int read_permits (cohort_t *client, const char *path, const struct entries *entries,
                         int64_t *permits)
{
    bool asked = false;
    for (size_t i = 0; i < entries->count; i++) {
        asked = asked || entries->items[i]->kind == LINE_PERMITS;
    }
    void *data = NULL;
    size_t size = 0;
    int rc = asked ? cohort_get (client, path, &data, &size, NULL) : 0;
    *permits = data == NULL ? 0 : line_permits_of (data, size);
    cohort_free (data);
    for (size_t i = 0; i < entries->count; i++) {
        struct record *record = &entries->items[i]->record;
        record->count = record->count == 0 ? *permits : record->count; /* as others take it */
    }
    return rc == COHORT_ENONODE ? 0 : rc;
}

/* ---- Claims ---------------------------------------------------------------------------------- */

/* The claim, if its owner lives. */
static int add_holder (cohort_t *client, const char *path, const struct claim_text *text,
                       const cohort_stat_t *stat, struct entries *entries)
{
    cohort_stat_t owner;
    int rc = cohort_exists (client, text->owner, &owner);
    if (rc == COHORT_ENONODE || (rc == 0 && owner.czxid != text->czxid)) {
        return 0;
    }
    rc = rc == 0 ? entries_grow (entries) : rc;
    if (rc != 0) {
        return rc;
    }
    size_t node_size = strlen (path) + 1;
    struct entry *entry = malloc (sizeof (*entry) + node_size + text->payload_size + 1);
    if (entry == NULL) {
        return COHORT_ENOMEM;
    }
    *entry = (struct entry){.stat = *stat, .node = (char *) (entry + 1), .claim = true};
    memcpy (entry->node, path, node_size);
    char *data = entry->node + node_size;
    memcpy (data, text->payload, text->payload_size);
    data[text->payload_size] = 0;
    entry->stat.ephemeral_owner = owner.ephemeral_owner;
    entry->record = (struct record){
        .pid = text->pid, .count = 1, .payload = data, .payload_size = text->payload_size};
    snprintf (entry->record.host, sizeof (entry->record.host), "%s", text->host);
    entries->items[entries->count++] = entry;
    return 0;
}

/* Those that wait for the claim. */
static int read_waiting (cohort_t *client, const char *path, struct entries *entries)
{
    size_t size = strlen (path) + sizeof (CLAIM_WAITING) + 1;
    const char *name = strrchr (path, '/');
    char *line = malloc (size);
    if (line == NULL) {
        return COHORT_ENOMEM;
    }
    snprintf (line, size, "%.*s/" CLAIM_WAITING "%s", (int) (name - path), path, name);
    int rc = read_kind (client, line, LINE_EXCLUSIVE, entries);
    free (line);
    return rc;
}

/* The same for the path of a claim. */
static int read_claim (cohort_t *client, const char *path, struct entries *entries)
{
    void *data = NULL;
    size_t size = 0;
    cohort_stat_t stat;
    int rc = cohort_get (client, path, &data, &size, &stat);
    if (rc != 0) {
        return rc == COHORT_ENONODE ? 0 : rc;
    }
    struct claim_text *text = claim_text_parse (data, size);
    cohort_free (data);
    if (text == NULL) {
        return COHORT_ENOMEM;
    }
    if (text->owner != NULL && text->czxid != 0) {
        entries->of_claim = true;
        rc = add_holder (client, path, text, &stat, entries);
        rc = rc == 0 ? read_waiting (client, path, entries) : rc;
    }
    free (text);
    return rc;
}

int cohort_why (cohort_t *client, const char *path, cohort_why_t **why)
{
    if (client == NULL || path == NULL || why == NULL) {
        return COHORT_EINVAL;
    }
    struct entries entries = {0};
    int rc = 0;
    for (int i = 0; i < LINE_KINDS && rc == 0; i++) {
        rc = read_kind (client, path, (enum line_kind) i, &entries);
    }
    int64_t permits = 0;
    rc = rc == 0 ? read_permits (client, path, &entries, &permits) : rc;
    if (rc == 0 && entries.count == 0) {
        rc = read_claim (client, path, &entries);
    }
    if (rc == 0 && entries.count == 0 && !entries.of_claim) {
        entries_clear (&entries);
        return why_places (client, path, why);
    }
    if (rc == 0) {
        if (entries.count > 0) {
            qsort (entries.items, entries.count, sizeof (struct entry *), by_number);
        }
        cohort_why_t *made = why_new (&entries, permits);
        rc = made == NULL ? COHORT_ENOMEM : 0;
        *why = made != NULL ? made : *why;
    }
    entries_clear (&entries);
    return rc;
}

void cohort_why_destroy (cohort_why_t **why_p)
{
    free (*why_p);
    *why_p = NULL;
}

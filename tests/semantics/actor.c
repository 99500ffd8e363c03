/* A client of an embedded server that does what a few words say. */

#include "tests/semantics/actor_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BIG = (1 << 20) + 64, OPS_MAX = 32 };

void need (bool good, const char *what)
{
    if (!good) {
        fprintf (stderr, "semantics: %s\n", what);
        exit (2);
    }
}

/* ---- Words ----------------------------------------------------------------------------------- */

static size_t put_repeated (const char *word, char *text, size_t room, size_t *used)
{
    char letter = word[1], *end;
    unsigned long count = strtoul (word + 3, &end, 10);
    need (word[2] == '*' && *end == '}' && *used + count < room, "a repetition is {x*5}");
    memset (text + *used, letter, count);
    *used += count;
    return (size_t) (end - word) + 1;
}

const char *actor_expand (const char *word, char *text, size_t room)
{
    size_t used = 0;
    for (const char *at = strcmp (word, "\"\"") == 0 ? "" : word; *at != '\0';) {
        need (used + 1 < room, "a word is too long");
        if (*at == '{') {
            at += put_repeated (at, text, room, &used);
        } else if (at[0] == '\\' && at[1] == 'x') {
            char digits[3] = {at[2], at[2] != '\0' ? at[3] : '\0', '\0'};
            text[used++] = (char) strtoul (digits, NULL, 16);
            at += 4;
        } else {
            text[used++] = *at++;
        }
    }
    text[used] = '\0';
    return text;
}

static size_t split (char *line, char *words[ACTOR_WORDS_MAX])
{
    char *place;
    size_t count = 0;
    for (char *word = strtok_r (line, " ", &place); word != NULL;
         word = strtok_r (NULL, " ", &place)) {
        need (count < ACTOR_WORDS_MAX, "too many words");
        words[count++] = word;
    }
    return count;
}

int64_t word_number (const char *word)
{
    char *end;
    int64_t value = strcmp (word, "min") == 0   ? INT64_MIN
                    : strcmp (word, "max") == 0 ? INT64_MAX
                                                : (int64_t) strtoll (word, &end, 10);
    return value;
}

/* ---- Life ------------------------------------------------------------------------------------ */

void actor_start (struct actor *self, cohort_loop_t *loop, const char *servers, int timeout_ms)
{
    cohort_options_t options = {.size = sizeof options, .loop = loop, .timeout_ms = timeout_ms};
    *self = (struct actor){.client = cohort_new (servers, &options)};
    need (self->client != NULL && cohort_wait (self->client, ACTOR_LIMIT_MS) == 0,
          "no session begins");
}

void actor_stop (struct actor *self, bool abandon)
{
    for (size_t i = 0; i < self->watches_count; i++) {
        cohort_stream_destroy (&self->streams[i]);
    }
    if (abandon) {
        cohort_abandon (&self->client);
    } else {
        cohort_destroy (&self->client);
    }
}

/* ---- Watches --------------------------------------------------------------------------------- */

static const char *event_name (int type)
{
    switch (type) {
    case COHORT_EVENT_CREATED:
        return "CREATED";
    case COHORT_EVENT_DELETED:
        return "DELETED";
    case COHORT_EVENT_CHANGED:
        return "CHANGED";
    case COHORT_EVENT_CHILDREN:
        return "CHILDREN";
    case COHORT_EVENT_DATA_WATCH_REMOVED:
        return "DATA_REMOVED";
    case COHORT_EVENT_CHILD_WATCH_REMOVED:
        return "CHILD_REMOVED";
    case COHORT_EVENT_WATCH_LOST:
        return "WATCH_LOST";
    default:
        return "another";
    }
}

static void on_event (cohort_t *client, const cohort_event_t *event, void *arg)
{
    const struct actor_watch *watch = arg;
    struct actor *self = watch->actor;
    size_t used = strlen (self->events);
    (void) client;
    (void) snprintf (self->events + used, sizeof self->events - used, "%s%s:%s:%s",
                     used > 0 ? " " : "", watch->kind, event->path, event_name (event->type));
}

static void await (struct actor *self, struct outcome *outcome)
{
    while (!outcome->done) {
        need (cohort_run (self->client, ACTOR_LIMIT_MS) > 0, "no answer comes");
    }
}

bool actor_watch (struct actor *self, const char *kind, const char *path)
{
    static const char *const kinds[] = {"get", "exists", "children", "persistent", "recursive"};
    struct outcome *outcome = calloc (1, sizeof *outcome);
    need (outcome != NULL && self->watches_count < ACTOR_WATCHES_MAX, "too many watches");
    struct actor_watch *watch = &self->watches[self->watches_count];
    size_t which = 0;
    while (which < 5 && strcmp (kind, kinds[which]) != 0) {
        which++;
    }
    *watch = (struct actor_watch){.actor = self};
    (void) snprintf (watch->kind, sizeof watch->kind, "%s", kind);
    int rc = COHORT_EINVAL;
    if (which == 0) {
        rc = cohort_get_async (self->client, path, on_event, watch, outcome_take, outcome);
    } else if (which == 1) {
        rc = cohort_exists_async (self->client, path, on_event, watch, outcome_take, outcome);
    } else if (which == 2) {
        rc = cohort_children_async (self->client, path, on_event, watch, outcome_take, outcome);
    } else if (which < 5) {
        self->streams[self->watches_count] = cohort_watch_new (
            self->client, path, which == 3 ? COHORT_WATCH_PERSISTENT : COHORT_WATCH_RECURSIVE,
            on_event, watch);
        need (self->streams[self->watches_count] != NULL, "no watch can be set");
        rc = cohort_sync_async (self->client, outcome_take, outcome);
    }
    bool streams = which == 5 && stream_open (self, watch, path);
    if (rc == 0) {
        await (self, outcome);
    }
    self->watches_count += rc == 0 || streams;
    free (outcome);
    return rc == 0 || streams;
}

void actor_settle (struct actor *self)
{
    need (cohort_sync (self->client) == 0, "a sync is not answered");
    (void) cohort_dispatch (self->client, 0);
}

/* ---- Answers --------------------------------------------------------------------------------- */

void outcome_put (char text[ACTOR_TEXT_MAX], const char *value)
{
    size_t used = strlen (text);
    (void) snprintf (text + used, ACTOR_TEXT_MAX - used, "%s%s", used > 0 ? "," : "", value);
}

const char *outcome_code (int rc)
{
    const char *name = cohort_error_name (rc) + strlen ("COHORT_");
    return rc != 0 && name[0] == 'E' ? name + 1 : name;
}

static void take_children (struct outcome *outcome, const cohort_result_t *result)
{
    for (size_t i = 0; result->children != NULL && i < result->children->count; i++) {
        outcome_put (outcome->children, result->children->items[i]);
    }
    for (size_t i = 0; i < result->listed_count; i++) {
        const cohort_child_t *child = &result->listed[i];
        char text[256];
        (void) snprintf (text, sizeof text, "%s=%s%.*s/%d", child->name, child->hidden ? "?" : "",
                         (int) child->size, child->data != NULL ? (const char *) child->data : "",
                         (int) child->stat.version);
        outcome_put (outcome->children, text);
    }
    (void) snprintf (outcome->next, sizeof outcome->next, "%s",
                     result->next != NULL ? result->next : "-");
}

static void take_acl (struct outcome *outcome, const cohort_result_t *result)
{
    char *text = result->acl != NULL ? cohort_acl_print (result->acl, ",") : NULL;
    (void) snprintf (outcome->acl, sizeof outcome->acl, "%s", text != NULL ? text : "-");
    cohort_free (text);
}

/* What each read of several has given: its error, or data, names of children, a count. */
static void take_reads (struct outcome *outcome, const cohort_result_t *result)
{
    for (size_t i = 0; i < result->reads_count; i++) {
        const cohort_read_result_t *read = &result->reads[i];
        char text[256] = "";
        (void) snprintf (text, sizeof text, "%.*s", (int) read->size,
                         read->data != NULL ? (const char *) read->data : "");
        for (size_t k = 0; read->children != NULL && k < read->children->count; k++) {
            size_t used = strlen (text);
            (void) snprintf (text + used, sizeof text - used, "%s%s", k > 0 ? "+" : "",
                             read->children->items[k]);
        }
        if (read->count > 0) {
            (void) snprintf (text, sizeof text, "%d", (int) read->count);
        }
        outcome_put (outcome->data, read->rc != 0 ? outcome_code (read->rc) : text);
    }
}

void outcome_take (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct outcome *outcome = arg;
    (void) client;
    outcome->rc = result->rc;
    outcome->zxid = result->zxid;
    outcome->value = result->value;
    outcome->existed = result->existed;
    outcome->has_stat = result->stat != NULL;
    if (result->stat != NULL) {
        outcome->stat = *result->stat;
    }
    (void) snprintf (outcome->path, sizeof outcome->path, "%s",
                     result->path != NULL ? result->path : "-");
    (void) snprintf (outcome->data, sizeof outcome->data, "%.*s", (int) result->size,
                     result->data != NULL ? (const char *) result->data : "");
    take_children (outcome, result);
    take_acl (outcome, result);
    for (size_t i = 0; i < result->ops_count; i++) {
        outcome_put (outcome->ops, outcome_code (result->ops[i].rc));
    }
    take_reads (outcome, result);
    for (size_t i = 0; i < result->identities_count; i++) {
        const cohort_identity_t *one = &result->identities[i];
        char text[256];
        (void) snprintf (text, sizeof text, "%s:%s", one->scheme, one->id);
        outcome_put (outcome->who, text);
    }
    outcome->done = true;
}

/* ---- Operations ------------------------------------------------------------------------------ */

const char *word_at (const struct words *words, size_t index, const char *otherwise)
{
    return index < words->count ? words->word[index] : otherwise;
}

bool word_is (const struct words *words, const char *name)
{
    return strcmp (words->word[0], name) == 0;
}

const char *word_behind (const struct words *words, const char *key)
{
    size_t size = strlen (key);
    for (size_t i = 1; i < words->count; i++) {
        if (strncmp (words->word[i], key, size) == 0 && words->word[i][size] == '=') {
            return words->word[i] + size + 1;
        }
    }
    return NULL;
}

cohort_acl_t *word_list (const char *text)
{
    cohort_acl_t *acl = strcmp (text, "-") != 0 ? cohort_acl_parse (text) : NULL;
    need (acl != NULL || strcmp (text, "-") == 0, "out of memory");
    return acl;
}

static cohort_create_options_t create_options (struct words *words)
{
    cohort_create_options_t options = {.size = sizeof options};
    cohort_acl_destroy (&words->acl);
    words->data[0] = '\0';
    for (size_t i = 2; i < words->count; i++) {
        const char *word = words->word[i];
        if (strcmp (word, "-e") == 0) {
            options.mode |= COHORT_EPHEMERAL;
        } else if (strcmp (word, "-s") == 0) {
            options.mode |= COHORT_SEQUENTIAL;
        } else if (strcmp (word, "-c") == 0) {
            options.mode |= COHORT_CONTAINER;
        } else if (strcmp (word, "-i") == 0) {
            options.if_absent = 1;
        } else if (strcmp (word, "-t") == 0) {
            options.ttl_ms = word_number (word_at (words, ++i, "0"));
        } else if (strcmp (word, "-a") == 0) {
            options.acl = words->acl = word_list (word_at (words, ++i, ""));
        } else {
            (void) actor_expand (word, words->data, BIG);
        }
    }
    return options;
}

static int32_t version_at (const struct words *words, size_t index)
{
    return (int32_t) word_number (word_at (words, index, "-1"));
}

static int do_list (struct actor *self, const struct words *words, struct outcome *outcome)
{
    cohort_list_options_t options = {.size = sizeof options};
    for (size_t i = 2; i < words->count; i++) {
        const char *word = words->word[i];
        options.flags |= strcmp (word, "stat") == 0         ? COHORT_LIST_STAT
                         : strcmp (word, "data") == 0       ? COHORT_LIST_DATA
                         : strcmp (word, "descending") == 0 ? COHORT_LIST_DESCENDING
                                                            : 0;
        options.filter = strcmp (word, "persistent") == 0  ? COHORT_LIST_PERSISTENT
                         : strcmp (word, "ephemeral") == 0 ? COHORT_LIST_EPHEMERAL
                                                           : options.filter;
        options.limit =
            strncmp (word, "limit=", 6) == 0 ? (int) word_number (word + 6) : options.limit;
        options.after = strncmp (word, "after=", 6) == 0 ? word + 6 : options.after;
        options.prefix = strncmp (word, "prefix=", 7) == 0 ? word + 7 : options.prefix;
    }
    return cohort_list_async (self->client, words->path, &options, NULL, NULL, outcome_take,
                              outcome);
}

/* Those on who may do what. */
static int do_acl (struct actor *self, struct words *words, struct outcome *outcome)
{
    cohort_t *client = self->client;
    if (word_is (words, "addauth")) {
        return cohort_add_auth_async (client, "digest-sha1", word_at (words, 1, ""),
                                      word_at (words, 2, ""), outcome_take, outcome);
    }
    if (word_is (words, "getacl")) {
        return cohort_get_acl_async (client, words->path, outcome_take, outcome);
    }
    if (word_is (words, "getdefault")) {
        return cohort_get_default_acl_async (client, words->path, outcome_take, outcome);
    }
    bool set = word_is (words, "setacl");
    if (!set && !word_is (words, "default")) {
        return COHORT_EUNSUPPORTED;
    }
    words->acl = word_list (word_at (words, 2, "-"));
    return set ? cohort_set_acl_async (client, words->path, words->acl, version_at (words, 3),
                                       outcome_take, outcome)
               : cohort_set_default_acl_async (client, words->path, words->acl, -1, outcome_take,
                                               outcome);
}

/* One that stands alone; COHORT_EUNSUPPORTED: no such operation. */
static int do_one (struct actor *self, struct words *words, struct outcome *outcome)
{
    cohort_t *client = self->client;
    const char *path = words->path;
    if (word_is (words, "create")) {
        cohort_create_options_t options = create_options (words);
        return cohort_create_with_async (client, path, words->data, strlen (words->data), &options,
                                         outcome_take, outcome);
    }
    if (word_is (words, "trydelete")) {
        return cohort_delete_if_present_async (client, path, version_at (words, 2), outcome_take,
                                               outcome);
    }
    if (word_is (words, "delete")) {
        return cohort_delete_async (client, path, version_at (words, 2), outcome_take, outcome);
    }
    if (word_is (words, "set")) {
        (void) actor_expand (word_at (words, 2, ""), words->data, BIG);
        return cohort_set_async (client, path, words->data, strlen (words->data),
                                 version_at (words, 3), outcome_take, outcome);
    }
    if (word_is (words, "add")) {
        return cohort_add_async (client, path, word_number (word_at (words, 2, "1")),
                                 word_number (word_at (words, 3, "min")),
                                 word_number (word_at (words, 4, "max")), outcome_take, outcome);
    }
    if (word_is (words, "deltree")) {
        return cohort_delete_tree_async (client, path, (int) word_number (word_at (words, 2, "0")),
                                         version_at (words, 3), outcome_take, outcome);
    }
    if (word_is (words, "exists")) {
        return cohort_exists_async (client, path, NULL, NULL, outcome_take, outcome);
    }
    if (word_is (words, "get")) {
        return cohort_get_async (client, path, NULL, NULL, outcome_take, outcome);
    }
    if (word_is (words, "children")) {
        return cohort_children_async (client, path, NULL, NULL, outcome_take, outcome);
    }
    if (word_is (words, "list")) {
        return do_list (self, words, outcome);
    }
    return word_is (words, "sync") ? cohort_sync_async (client, outcome_take, outcome)
                                   : do_acl (self, words, outcome);
}

/* ---- Multis ---------------------------------------------------------------------------------- */

/* What a condition names of the znode as it is now. */
static cohort_stat_t stat_now (struct actor *self, const char *path)
{
    cohort_stat_t stat = {.czxid = 1};
    int rc = cohort_exists (self->client, path, &stat);
    need (rc == 0 || rc == COHORT_ENONODE || rc == COHORT_EPATH, "exists fails");
    return stat;
}

static int add_condition (struct actor *self, cohort_txn_t *txn, struct words *words)
{
    const char *path = words->path;
    cohort_stat_t stat = stat_now (self, path);
    if (word_is (words, "check")) {
        return cohort_txn_check (txn, path, version_at (words, 2));
    }
    if (word_is (words, "absent")) {
        return cohort_txn_check_absent (txn, path);
    }
    if (word_is (words, "czxid")) {
        bool same = strcmp (word_at (words, 2, ""), "same") == 0;
        return cohort_txn_check_czxid (txn, path, same ? stat.czxid : stat.czxid + 1);
    }
    if (word_is (words, "owner")) {
        bool me = strcmp (word_at (words, 2, ""), "me") == 0;
        uint64_t session = cohort_session_id (self->client);
        return cohort_txn_check_owner (txn, path, me ? session : session + 1, stat.ozxid);
    }
    return COHORT_EUNSUPPORTED;
}

static int add_op (struct actor *self, cohort_txn_t *txn, struct words *words)
{
    const char *path = words->path;
    if (word_is (words, "create")) {
        cohort_create_options_t options = create_options (words);
        return cohort_txn_create_with (txn, path, words->data, strlen (words->data), &options);
    }
    if (word_is (words, "trydelete")) {
        return cohort_txn_delete_if_present (txn, path, version_at (words, 2));
    }
    if (word_is (words, "delete")) {
        return cohort_txn_delete (txn, path, version_at (words, 2));
    }
    if (word_is (words, "set")) {
        (void) actor_expand (word_at (words, 2, ""), words->data, BIG);
        return cohort_txn_set (txn, path, words->data, strlen (words->data), version_at (words, 3));
    }
    if (word_is (words, "add")) {
        return cohort_txn_add (txn, path, word_number (word_at (words, 2, "1")),
                               word_number (word_at (words, 3, "min")),
                               word_number (word_at (words, 4, "max")));
    }
    if (word_is (words, "deltree")) {
        return cohort_txn_delete_tree (txn, path, (int) word_number (word_at (words, 2, "0")),
                                       version_at (words, 3));
    }
    if (word_is (words, "setacl")) {
        words->acl = word_list (word_at (words, 2, "-"));
        return cohort_txn_set_acl (txn, path, words->acl, version_at (words, 3));
    }
    return add_condition (self, txn, words);
}

static int do_multi (struct actor *self, const struct words *all, struct outcome *outcome)
{
    cohort_txn_t *txn = cohort_txn_new ();
    int rc = 0;
    need (txn != NULL, "out of memory");
    for (size_t from = 1, to; from < all->count && rc == 0; from = to + 1) {
        for (to = from; to < all->count && strcmp (all->word[to], ",") != 0;) {
            to++;
        }
        struct words words = {&all->word[from], to - from, all->path, all->data, NULL};
        (void) actor_expand (word_at (&words, 1, ""), all->path, BIG);
        rc = add_op (self, txn, &words);
        cohort_acl_destroy (&words.acl);
    }
    if (rc == 0) {
        rc = cohort_multi_async (self->client, txn, outcome_take, outcome);
    }
    cohort_txn_destroy (&txn);
    return rc;
}

bool actor_do (struct actor *self, char *line, struct outcome *outcome)
{
    char *list[ACTOR_WORDS_MAX];
    struct words words = {list, split (line, list), malloc (BIG), malloc (BIG), NULL};
    need (words.path != NULL && words.data != NULL && words.count > 0, "out of memory, or words");
    memset (outcome, 0, sizeof *outcome);
    (void) actor_expand (word_at (&words, 1, ""), words.path, BIG);
    int rc = word_is (&words, "multi") ? do_multi (self, &words, outcome)
                                       : do_one (self, &words, outcome);
    if (rc == COHORT_EUNSUPPORTED) {
        rc = do_more (self, &words, outcome);
    }
    if (rc == 0) {
        await (self, outcome);
    }
    outcome->rc = rc != 0 ? rc : outcome->rc;
    cohort_acl_destroy (&words.acl);
    free (words.path);
    free (words.data);
    return rc != COHORT_EUNSUPPORTED;
}

/* The operations beyond ZooKeeper's first ones. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/semantics/actor_parts.h"

/* ---- Reads ----------------------------------------------------------------------------------- */

static uint64_t session_of (const struct actor *self, const char *name)
{
    bool other = strcmp (name, "other") == 0;
    const struct actor *actor = other ? self->other : self;
    need (actor != NULL, "there is no other session");
    return strcmp (name, "nobody") == 0 ? UINT64_C (0xffffff) : cohort_session_id (actor->client);
}

static int do_ephemerals (struct actor *self, const struct words *words, struct outcome *outcome)
{
    const char *limit = word_behind (words, "limit"), *of = word_behind (words, "of");
    cohort_ephemerals_options_t options = {.size = sizeof options,
                                           .prefix = word_behind (words, "prefix"),
                                           .limit = limit != NULL ? (int) word_number (limit) : 0,
                                           .session = of != NULL ? session_of (self, of) : 0};
    return cohort_ephemerals_async (self->client, &options, outcome_take, outcome);
}

/* reads exists PATH , get PATH , children PATH , count PATH */
static int do_reads (struct actor *self, const struct words *words, struct outcome *outcome)
{
    cohort_reads_t *reads = cohort_reads_new ();
    int rc = 0;
    need (reads != NULL, "out of memory");
    for (size_t i = 1; i + 1 < words->count && rc == 0; i += 3) {
        const char *kind = words->word[i], *path = words->word[i + 1];
        rc = strcmp (kind, "exists") == 0     ? cohort_reads_exists (reads, path)
             : strcmp (kind, "get") == 0      ? cohort_reads_get (reads, path)
             : strcmp (kind, "children") == 0 ? cohort_reads_children (reads, path)
                                              : cohort_reads_count (reads, path);
    }
    if (rc == 0) {
        rc = cohort_multi_read_async (self->client, reads, NULL, outcome_take, outcome);
    }
    cohort_reads_destroy (&reads);
    return rc;
}

static int do_read (struct actor *self, const struct words *words, struct outcome *outcome)
{
    cohort_t *client = self->client;
    const char *path = words->path;
    cohort_read_options_t linear = {.size = sizeof linear, .flags = COHORT_READ_LINEARIZABLE};
    if (word_is (words, "count")) {
        return cohort_count_async (client, path, NULL, outcome_take, outcome);
    }
    if (word_is (words, "lcount")) {
        return cohort_count_async (client, path, &linear, outcome_take, outcome);
    }
    if (word_is (words, "lget")) {
        return cohort_get_with_async (client, path, &linear, NULL, NULL, outcome_take, outcome);
    }
    if (word_is (words, "lexists")) {
        return cohort_exists_with_async (client, path, &linear, NULL, NULL, outcome_take, outcome);
    }
    if (word_is (words, "ephemerals")) {
        return do_ephemerals (self, words, outcome);
    }
    if (word_is (words, "whoami")) {
        return cohort_whoami_async (client, outcome_take, outcome);
    }
    return word_is (words, "reads") ? do_reads (self, words, outcome) : COHORT_EUNSUPPORTED;
}

/* ---- Watches taken back ---------------------------------------------------------------------- */

static cohort_watcher_t watcher_of (const char *name)
{
    return strcmp (name, "children") == 0 ? COHORT_WATCHER_CHILDREN
           : strcmp (name, "data") == 0   ? COHORT_WATCHER_DATA
                                          : COHORT_WATCHER_ANY;
}

static int do_watches (struct actor *self, const struct words *words, struct outcome *outcome)
{
    cohort_watcher_t type = watcher_of (word_at (words, 2, ""));
    if (word_is (words, "unwatch")) {
        return cohort_unwatch_async (self->client, words->path, type, NULL, NULL, outcome_take,
                                     outcome);
    }
    return word_is (words, "checkwatch")
               ? cohort_check_watch_async (self->client, words->path, type, NULL, NULL,
                                           outcome_take, outcome)
               : COHORT_EUNSUPPORTED;
}

/* ---- Sessions -------------------------------------------------------------------------------- */

/* What the library has in a blocking form alone. */
static int finished (struct outcome *outcome, int rc)
{
    outcome->done = true;
    outcome->rc = rc;
    return 0;
}

/* give [bad|nobody|self]: the session's ephemerals to the other one */
static int do_give (struct actor *self, const struct words *words, struct outcome *outcome)
{
    uint8_t token[COHORT_TOKEN_SIZE] = {0};
    const char *how = word_at (words, 1, "");
    uint64_t me = cohort_session_id (self->client);
    uint64_t to = session_of (self, strcmp (how, "self") == 0     ? "me"
                                    : strcmp (how, "nobody") == 0 ? how
                                                                  : "other");
    if (strcmp (how, "bad") != 0 && self->other != NULL) {
        int rc = cohort_hand_over_token (self->other->client, me, token);
        need (rc == 0 || rc == COHORT_EINVAL, "a token is not made");
    }
    return cohort_hand_over_async (self->client, to, token, outcome_take, outcome);
}

static int do_sessions (struct actor *self, const struct words *words, struct outcome *outcome)
{
    cohort_sessions_t *page = NULL;
    const char *limit = word_behind (words, "limit");
    int rc =
        cohort_sessions (self->client, 0, limit != NULL ? (int) word_number (limit) : 0, &page);
    if (rc == 0) {
        outcome->value = (int64_t) page->count;
        outcome->existed = page->more;
        cohort_sessions_destroy (&page);
    }
    return finished (outcome, rc);
}

static int do_admins (struct actor *self, struct words *words, struct outcome *outcome)
{
    if (word_is (words, "setadmins")) {
        words->acl = word_list (word_at (words, 1, "-"));
        return finished (outcome, cohort_set_admins (self->client, words->acl));
    }
    int rc = cohort_get_admins (self->client, &words->acl);
    char *text = rc == 0 && words->acl != NULL ? cohort_acl_print (words->acl, ",") : NULL;
    (void) snprintf (outcome->acl, sizeof outcome->acl, "%s", text != NULL ? text : "-");
    cohort_free (text);
    return finished (outcome, rc);
}

int do_more (struct actor *self, struct words *words, struct outcome *outcome)
{
    if (word_is (words, "give")) {
        return do_give (self, words, outcome);
    }
    if (word_is (words, "kill")) {
        uint64_t id = session_of (self, word_at (words, 1, "other"));
        return finished (outcome, cohort_session_kill (self->client, id, &outcome->existed));
    }
    if (word_is (words, "sessions")) {
        return do_sessions (self, words, outcome);
    }
    if (word_is (words, "admins") || word_is (words, "setadmins")) {
        return do_admins (self, words, outcome);
    }
    int rc = do_read (self, words, outcome);
    return rc == COHORT_EUNSUPPORTED ? do_watches (self, words, outcome) : rc;
}

/* Small facts of what operations do, one a line, checked with a client of an embedded server.
 *
 *      state before | operation | what comes of it | what watches tell
 *
 * State: `/a=x` a znode with data, `e:/a` ephemeral, `c:/a` a container, `s:/a-` sequential,
 * `t500:/a` with a time to live, `set:/a=y`, `del:/a`; with a 2 in front by another session
 * (`2e:/a`); `get?/a`, `exists?/a`, `children?/a`, `persistent?/a`, `recursive?/a`: watches;
 * `stream?/a` and its kin: streams (actor_stream.c).
 *
 * Operation: see actor.h; with `2: ` in front by the other session; `2: close` and `2: abandon` end
 * that, `wait MS` lets time pass. Several are separated by ` ; `, and the last one is meant.
 *
 * What comes of it: `ok` or an error without COHORT_E, then what is named of the result:
 * version, cversion, aversion, size, count (of children), mode, ttl, owner (me, other, none),
 * czxid, mzxid, pzxid, ozxid (now: of this operation; old: before it; none), mtime (same as, or
 * after ctime), path, data, children, next, value, existed, ops (of a multi), acl, who.
 * `/a.version=1`: of a znode, afterwards; `/a=gone`, `/a=there`.
 *
 * What watches tell: `get:/a:CHANGED` ..., in order; nothing else. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cohort/server.h"
#include "tests/semantics/actor.h"

enum { LINE_MAX_SIZE = 8192, SESSION_MS = 1000000000, OTHER_MS = 3000 };

static const char endpoint[] = "inproc://semantics";

struct world {
    cohort_server_t *server;
    struct actor admin, me, other;
    bool has_other;
    uint64_t other_session;
    char wrong[LINE_MAX_SIZE]; /* of the present fact: "" */
};

static struct outcome outcome, looked;

static void wrong (struct world *self, const char *what, const char *found, const char *expected)
{
    if (self->wrong[0] == '\0') {
        (void) snprintf (self->wrong, sizeof self->wrong, "%.200s is %.2000s, not %.2000s", what,
                         found, expected);
    }
}

static struct actor *actor_of (struct world *self, bool other)
{
    if (other && !self->has_other) {
        actor_start (&self->other, cohort_server_loop (self->server), endpoint, OTHER_MS);
        self->has_other = true;
        self->me.other = &self->other;
        self->other.other = &self->me;
        self->other_session = cohort_session_id (self->other.client);
    }
    return other ? &self->other : &self->me;
}

/* ---- State ----------------------------------------------------------------------------------- */

/* The line that makes a word of the state; false: none does. */
static bool line_of (const char *word, char line[LINE_MAX_SIZE])
{
    const char *path = strchr (word, '/');
    const char *data = path != NULL ? strchr (path, '=') : NULL;
    if (path == NULL) {
        return false;
    }
    int path_size = (int) (data != NULL ? data - path : (long) strlen (path));
    data = data != NULL && data[1] != '\0' ? data + 1 : "\"\"";
    size_t kind_size = (size_t) (path - word);
    char kind[32] = "";
    if (kind_size >= sizeof kind) {
        return false;
    }
    memcpy (kind, word, kind_size);
    static const char *const flags[][2] = {{"", ""},      {":", ""},     {"e:", " -e"},
                                           {"c:", " -c"}, {"s:", " -s"}, {"es:", " -e -s"}};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strcmp (kind, flags[i][0]) == 0) {
            (void) snprintf (line, LINE_MAX_SIZE, "create %.*s %s%s", path_size, path, data,
                             flags[i][1]);
            return true;
        }
    }
    if (kind[0] == 't') {
        (void) snprintf (line, LINE_MAX_SIZE, "create %.*s %s -t %d", path_size, path, data,
                         (int) strtol (kind + 1, NULL, 10));
        return true;
    }
    (void) snprintf (line, LINE_MAX_SIZE, "%s %.*s %s",
                     strcmp (kind, "set:") == 0 ? "set" : "delete", path_size, path,
                     strcmp (kind, "set:") == 0 ? data : "");
    return strcmp (kind, "set:") == 0 || strcmp (kind, "del:") == 0;
}

static void prepare_word (struct world *self, const char *word)
{
    char line[LINE_MAX_SIZE], text[ACTOR_TEXT_MAX], kind[32];
    bool other = word[0] == '2';
    struct actor *actor = actor_of (self, other);
    word += other;
    const char *mark = strchr (word, '?');
    if (mark != NULL && mark < strchr (word, '/')) {
        (void) snprintf (kind, sizeof kind, "%.*s", (int) (mark - word), word);
        if (!actor_watch (actor, kind, actor_expand (mark + 1, text, sizeof text))) {
            wrong (self, word, "no watch", "one");
        }
    } else if (!line_of (word, line) || !actor_do (actor, line, &looked) || looked.rc != 0) {
        wrong (self, word, cohort_error_name (looked.rc), "a state");
    }
}

static void prepare (struct world *self, char *state)
{
    char *place;
    for (char *word = strtok_r (state, " ", &place); word != NULL;
         word = strtok_r (NULL, " ", &place)) {
        prepare_word (self, word);
    }
}

/* ---- Operation ------------------------------------------------------------------------------- */

static void act_once (struct world *self, char *line)
{
    bool other = strncmp (line, "2: ", 3) == 0;
    line += other ? 3 : 0;
    if (strncmp (line, "wait ", 5) == 0) {
        outcome = (struct outcome){
            .rc = cohort_server_advance_ms (self->server, strtol (line + 5, NULL, 10))};
    } else if (other && (strcmp (line, "close") == 0 || strcmp (line, "abandon") == 0)) {
        (void) actor_of (self, true);
        actor_stop (&self->other, strcmp (line, "abandon") == 0);
        self->has_other = false;
        self->me.other = NULL;
        outcome = (struct outcome){.rc = 0};
    } else if (!actor_do (actor_of (self, other), line, &outcome)) {
        wrong (self, line, "unknown", "an operation");
    }
}

static char *trim (char *text)
{
    text += strspn (text, " \t");
    for (size_t size = strlen (text); size > 0 && strchr (" \t\r\n", text[size - 1]); size--) {
        text[size - 1] = '\0';
    }
    return text;
}

static void act (struct world *self, char *operation)
{
    for (char *next; operation != NULL; operation = next) {
        next = strstr (operation, " ; ");
        if (next != NULL) {
            *next = '\0';
            next += 3;
        }
        act_once (self, trim (operation));
    }
}

/* ---- What comes of it ------------------------------------------------------------------------ */

static const char *when (uint64_t zxid)
{
    return zxid == 0 ? "none" : zxid == outcome.zxid ? "now" : zxid < outcome.zxid ? "old" : "late";
}

/* A field of the outcome as a word; NULL: there is no such field. */
static const char *field (struct world *self, const struct outcome *of, const char *key,
                          char text[32])
{
    const cohort_stat_t *stat = &of->stat;
    const struct {
        const char *key;
        int64_t number;
    } numbers[] = {
        {"version", stat->version}, {"cversion", stat->cversion}, {"aversion", stat->aversion},
        {"size", stat->data_size},  {"count", stat->child_count}, {"mode", stat->mode},
        {"ttl", stat->ttl_ms},      {"value", of->value},         {"existed", of->existed}};
    const struct {
        const char *key, *text;
    } texts[] = {{"czxid", when (stat->czxid)},
                 {"mzxid", when (stat->mzxid)},
                 {"pzxid", when (stat->pzxid)},
                 {"ozxid", when (stat->ozxid)},
                 {"mtime", stat->mtime_ms == stat->ctime_ms ? "same" : "after"},
                 {"path", of->path},
                 {"data", of->data},
                 {"children", of->children},
                 {"next", of->next},
                 {"ops", of->ops},
                 {"who", of->who},
                 {"acl", of->acl}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp (key, numbers[i].key) == 0) {
            (void) snprintf (text, 32, "%" PRId64, numbers[i].number);
            return text;
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp (key, texts[i].key) == 0) {
            return texts[i].text;
        }
    }
    if (strcmp (key, "owner") == 0) {
        uint64_t owner = stat->ephemeral_owner;
        return owner == 0                                     ? "none"
               : owner == cohort_session_id (self->me.client) ? "me"
               : owner == self->other_session                 ? "other"
                                                              : "nobody";
    }
    return NULL;
}

static void expect_field (struct world *self, const struct outcome *of, const char *what, char *key,
                          const char *value)
{
    char text[32], expected[ACTOR_TEXT_MAX];
    const char *found = field (self, of, key, text);
    (void) actor_expand (value, expected, sizeof expected);
    if (found == NULL) {
        wrong (self, what, "unknown", "a field");
    } else if (strcmp (found, expected) != 0) {
        wrong (self, what, found[0] != '\0' ? found : "nothing", expected);
    }
}

/* /a=gone, /a=there, /a.version=1 */
static void expect_znode (struct world *self, const char *what, char *path, const char *value)
{
    char line[LINE_MAX_SIZE];
    char *key = strrchr (path, '.');
    if (key != NULL) {
        *key++ = '\0';
    }
    bool names = key != NULL && strcmp (key, "children") == 0;
    (void) snprintf (line, sizeof line, "%s %s", names ? "children" : "get", path);
    (void) actor_do (&self->me, line, &looked);
    if (key != NULL) {
        expect_field (self, &looked, what, key, value);
    } else if (strcmp (looked.rc == 0 ? "there" : "gone", value) != 0) {
        wrong (self, what, looked.rc == 0 ? "there" : "gone", value);
    }
}

static void expect_word (struct world *self, char *word)
{
    char what[256];
    (void) snprintf (what, sizeof what, "%s", word);
    char *value = strchr (word, '=');
    if (value != NULL) {
        *value++ = '\0';
        if (word[0] == '/') {
            expect_znode (self, what, word, value);
        } else {
            expect_field (self, &outcome, what, word, value);
        }
        return;
    }
    const char *name = cohort_error_name (outcome.rc) + strlen ("COHORT_");
    name = outcome.rc == 0 ? "ok" : name[0] == 'E' ? name + 1 : name;
    if (strcmp (name, word) != 0) {
        wrong (self, "the result", name, word);
    }
}

static void expect (struct world *self, char *result, const char *events)
{
    char *place;
    for (char *word = strtok_r (result, " ", &place); word != NULL;
         word = strtok_r (NULL, " ", &place)) {
        expect_word (self, word);
    }
    actor_settle (&self->me);
    if (strcmp (self->me.events, events) != 0) {
        wrong (self, "what watches tell", self->me.events[0] != '\0' ? self->me.events : "nothing",
               events[0] != '\0' ? events : "nothing");
    }
}

/* ---- Facts ----------------------------------------------------------------------------------- */

static void clean_quotas (struct world *self)
{
    cohort_strings_t *quotas = NULL;
    if (cohort_children (self->admin.client, "/zookeeper/quota", &quotas, NULL) != 0) {
        exit (2);
    }
    for (size_t i = 0; i < quotas->count; i++) {
        char path[ACTOR_TEXT_MAX + 32];
        (void) snprintf (path, sizeof path, "/zookeeper/quota/%s", quotas->items[i]);
        if (cohort_delete_tree (self->admin.client, path, 0, -1, NULL) != 0) {
            exit (2);
        }
    }
    cohort_strings_destroy (&quotas);
}

/* Nothing is left of the fact before. */
static void clean (struct world *self)
{
    cohort_strings_t *children = NULL;
    if (self->has_other) {
        actor_stop (&self->other, false);
        self->has_other = false;
    }
    actor_stop (&self->me, false);
    if (cohort_children (self->admin.client, "/", &children, NULL) != 0) {
        exit (2);
    }
    clean_quotas (self);
    for (size_t i = 0; i < children->count; i++) {
        char path[ACTOR_TEXT_MAX + 2];
        (void) snprintf (path, sizeof path, "/%s", children->items[i]);
        if (strcmp (path, "/zookeeper") != 0 &&
            cohort_delete_tree (self->admin.client, path, 0, -1, NULL) != 0) {
            exit (2);
        }
    }
    cohort_strings_destroy (&children);
}

static void check_fact (struct world *self, char *line)
{
    char *columns[4] = {"", "", "", ""};
    size_t count = 0;
    for (char *column = line; column != NULL && count < 4; count++) {
        columns[count] = column;
        column = strchr (column, '|');
        if (column != NULL) {
            *column++ = '\0';
        }
    }
    self->wrong[0] = '\0';
    actor_start (&self->me, cohort_server_loop (self->server), endpoint, SESSION_MS);
    prepare (self, trim (columns[0]));
    act (self, trim (columns[1]));
    expect (self, trim (columns[2]), trim (columns[3]));
    clean (self);
    if (count < 3) {
        wrong (self, "the line", "too short", "a fact");
    }
}

static size_t check_file (struct world *self, const char *name, size_t *failed)
{
    static char line[LINE_MAX_SIZE], copy[LINE_MAX_SIZE];
    FILE *file = fopen (name, "r");
    size_t facts = 0, number = 0;
    if (file == NULL) {
        perror (name);
        exit (2);
    }
    while (fgets (line, sizeof line, file) != NULL) {
        number++;
        if (line[0] == '#' || line[strspn (line, " \r\n")] == '\0') {
            continue;
        }
        memcpy (copy, line, sizeof copy);
        check_fact (self, line);
        facts++;
        if (self->wrong[0] != '\0') {
            printf ("%s:%zu: %s\n    %s", name, number, self->wrong, copy);
            ++*failed;
        }
    }
    (void) fclose (file);
    return facts;
}

int main (int argc, char **argv)
{
    static struct world world;
    size_t facts = 0, failed = 0;
    char root[COHORT_ACL_ID_MAX + 1], admins[COHORT_ACL_ID_MAX + 8];
    if (cohort_acl_digest ("digest-sha1", "root", "root", root, sizeof root) != 0) {
        return 2;
    }
    (void) snprintf (admins, sizeof admins, "digest:%s", root);
    /* Quotas are set by administrators alone, once there are any. */
    bool open = argc > 1 && strcmp (argv[1], "--open") == 0;
    cohort_server_options_t options = {
        .size = sizeof options, .clients = endpoint, .manual_clock = 1};
    options.admins = open ? NULL : admins;
    world.server = cohort_server_new (&options);
    if (world.server == NULL || cohort_server_start (world.server) != 0 ||
        cohort_server_wait (world.server, ACTOR_LIMIT_MS) != 0) {
        fprintf (stderr, "semantics: the server does not start\n");
        return 2;
    }
    actor_start (&world.admin, cohort_server_loop (world.server), endpoint, SESSION_MS);
    if (cohort_add_auth (world.admin.client, "digest-sha1", "root", "root") != 0) {
        return 2;
    }
    for (int i = open ? 2 : 1; i < argc; i++) {
        facts += check_file (&world, argv[i], &failed);
    }
    actor_stop (&world.admin, false);
    cohort_server_destroy (&world.server);
    printf ("%zu facts, %zu do not hold\n", facts, failed);
    return failed == 0 && facts > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

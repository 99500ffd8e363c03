/* setquota, listquota, delquota: quotas are znodes below /zookeeper/quota, as in ZooKeeper. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"
#include "client/cli/session.h"

#define SYSTEM "/zookeeper"
#define QUOTAS SYSTEM "/quota"
#define LIMITS "/zookeeper_limits"
#define STATS  "/zookeeper_stats"

enum { LIMITS_COUNT = 4, TEXT_SIZE = 160, TRIES_MAX = 16 };

/* What a quota can limit: the flag, and ZooKeeper's name; the first two warn. */
static const struct {
    int flag;
    const char *name;
} limits_table[LIMITS_COUNT] = {
    {'n', "count"},
    {'b', "bytes"},
    {'B', "byteHardLimit"},
    {'N', "countHardLimit"},
};

/* A quota, and the znodes that it is kept in. */
struct quota {
    const char *path; /* of the znode that it is for */
    char *home;       /* of the znode with the two others */
    char *limits, *stats;
    int64_t values[LIMITS_COUNT]; /* -1: no limit */
    int32_t version;              /* of the limits; -1: there are none */
};

static char *join (const char *a, const char *b)
{
    size_t size = strlen (a) + strlen (b) + 1;
    char *text = malloc (size);
    if (text != NULL) {
        (void) snprintf (text, size, "%s%s", a, b);
    }
    return text;
}

static void quota_deinit (struct quota *self)
{
    free (self->home);
    free (self->limits);
    free (self->stats);
}

static int quota_init (struct quota *self, const char *path)
{
    *self = (struct quota){.path = path, .version = -1};
    self->home = join (QUOTAS, strcmp (path, "/") == 0 ? "" : path);
    self->limits = self->home != NULL ? join (self->home, LIMITS) : NULL;
    self->stats = self->home != NULL ? join (self->home, STATS) : NULL;
    for (int i = 0; i < LIMITS_COUNT; i++) {
        self->values[i] = -1;
    }
    if (self->limits == NULL || self->stats == NULL) {
        message ("out of memory");
        quota_deinit (self);
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

/* ---- Text ------------------------------------------------------------------------------------ */

/* What stands behind a name, if it does; -1: nothing. */
static int64_t value_of (const char *text, const char *name)
{
    size_t size = strlen (name);
    for (const char *at = text; *at != '\0'; at += strcspn (at, ",;")) {
        at += strspn (at, ",;");
        if (strncmp (at, name, size) == 0 && at[size] == '=') {
            return strtoll (at + size + 1, NULL, 10);
        }
    }
    return -1;
}

/* As ZooKeeper's own tools write it, with an odd '=' for the oldest of them. */
static void limits_text (const struct quota *self, char text[TEXT_SIZE])
{
    int size = snprintf (text, TEXT_SIZE, "count=%" PRId64 ",bytes=%" PRId64, self->values[0],
                         self->values[1]);
    if (self->values[2] >= 0 || self->values[3] >= 0) {
        (void) snprintf (text + size, TEXT_SIZE - (size_t) size,
                         "=;byteHardLimit=%" PRId64 ";countHardLimit=%" PRId64, self->values[2],
                         self->values[3]);
    }
}

static json_t *limit_json (int64_t value)
{
    return value >= 0 ? json_integer ((json_int_t) value) : json_null ();
}

static json_t *limits_json (const struct quota *self)
{
    json_t *limits = json_object ();
    for (int i = 0; i < LIMITS_COUNT; i++) {
        json_object_set_new (limits, limits_table[i].name, limit_json (self->values[i]));
    }
    return limits;
}

/* ---- Reading and writing --------------------------------------------------------------------- */

/* What limits there are; COHORT_OK also if there are none. */
static int quota_load (struct quota *self, cohort_t *client)
{
    void *data = NULL;
    size_t size = 0;
    cohort_stat_t stat;
    int rc = cohort_get (client, self->limits, &data, &size, &stat);
    if (rc == COHORT_OK) {
        self->version = stat.version;
        for (int i = 0; i < LIMITS_COUNT; i++) {
            self->values[i] = value_of (data, limits_table[i].name);
        }
        cohort_free (data);
    } else if (rc == COHORT_ENONODE) {
        self->version = -1;
        rc = COHORT_OK;
    }
    return rc;
}

/* The znodes above the limits are containers: they go by themselves with the last quota in them. */
static int add_homes (cohort_txn_t *txn, const struct quota *self)
{
    cohort_create_options_t options = {
        .size = sizeof options, .mode = COHORT_CONTAINER, .if_absent = 1};
    int rc = COHORT_OK;
    for (char *at = self->home + strlen (QUOTAS); rc == COHORT_OK && *at == '/';) {
        char *end = at + 1 + strcspn (at + 1, "/");
        char kept = *end;
        *end = '\0';
        rc = cohort_txn_create_with (txn, self->home, NULL, 0, &options);
        *end = kept;
        at = end;
    }
    return rc;
}

static int create_all (const struct quota *self, cohort_t *client, const char *text)
{
    cohort_create_options_t options = {.size = sizeof options, .if_absent = 1};
    cohort_txn_t *txn = cohort_txn_new ();
    int rc = txn != NULL ? add_homes (txn, self) : COHORT_ENOMEM;
    if (rc == COHORT_OK) {
        rc = cohort_txn_create (txn, self->limits, text, strlen (text), COHORT_PERSISTENT, NULL);
    }
    if (rc == COHORT_OK) {
        rc = cohort_txn_create_with (txn, self->stats, NULL, 0, &options);
    }
    if (rc == COHORT_OK) {
        rc = cohort_multi (client, txn);
    }
    cohort_txn_destroy (&txn);
    return rc;
}

static int quota_store (const struct quota *self, cohort_t *client)
{
    char text[TEXT_SIZE];
    limits_text (self, text);
    return self->version < 0
               ? create_all (self, client, text)
               : cohort_set (client, self->limits, text, strlen (text), self->version, NULL);
}

/* Somebody else has set or deleted the same quota between reading and writing. */
static bool is_race (int rc)
{
    return rc == COHORT_EBADVERSION || rc == COHORT_ENODEEXISTS || rc == COHORT_ENONODE;
}

static int quota_delete (const struct quota *self, cohort_t *client)
{
    cohort_txn_t *txn = cohort_txn_new ();
    int rc = txn != NULL ? cohort_txn_delete (txn, self->limits, self->version) : COHORT_ENOMEM;
    cohort_stat_t stat;
    if (rc == COHORT_OK && cohort_exists (client, self->stats, &stat) == COHORT_OK) {
        rc = cohort_txn_delete (txn, self->stats, COHORT_ANY_VERSION);
    }
    if (rc == COHORT_OK) {
        rc = cohort_multi (client, txn);
    }
    cohort_txn_destroy (&txn);
    return rc;
}

/* ---- Commands -------------------------------------------------------------------------------- */

/* What a command does with a quota that is loaded: 0, or an error of the library. */
typedef int change_fn (struct quota *quota, cohort_t *client, const struct arguments *arguments);

static int report_missing (const char *path)
{
    message ("%s has no quota (set one with: cohort setquota -n COUNT %s)", path, path);
    return CLI_EXIT_NO_NODE;
}

struct change {
    const struct arguments *arguments;
    struct quota quota;
    change_fn *fn;
    bool must_exist;
    bool missing; /* there is none */
};

/* Loads, changes, and begins anew if somebody else came between. */
static int call_change (cohort_t *client, void *arg)
{
    struct change *self = arg;
    struct quota *quota = &self->quota;
    /* What there is not is not limited. */
    int rc = self->must_exist ? COHORT_OK : cohort_exists (client, quota->path, NULL);
    if (rc != COHORT_OK) {
        return rc;
    }
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        rc = quota_load (quota, client);
        self->missing = rc == COHORT_OK && self->must_exist && quota->version < 0;
        if (rc == COHORT_OK && !self->missing) {
            rc = self->fn (quota, client, self->arguments);
        }
        if (!is_race (rc)) {
            break;
        }
    }
    return rc;
}

/* A whole command: what it leaves is printed as JSON. */
static int change (const struct arguments *arguments, bool must_exist, change_fn *fn)
{
    struct change self = {.arguments = arguments, .fn = fn, .must_exist = must_exist};
    enum format format = arguments->settings.format;
    int code = quota_init (&self.quota, arguments->operands[0]);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    code = session_call (&arguments->settings, ACTIVITY_SET, self.quota.path, call_change, &self);
    if (code == CLI_EXIT_OK && self.missing) {
        code = report_missing (self.quota.path);
    } else if (code == CLI_EXIT_OK && format != FORMAT_TEXT) {
        code = emit_value (format, json_pack ("{s:s, s:o}", "path", self.quota.path, "limits",
                                              limits_json (&self.quota)));
    }
    quota_deinit (&self.quota);
    return code;
}

static int set_limits (struct quota *quota, cohort_t *client, const struct arguments *arguments)
{
    for (int i = 0; i < LIMITS_COUNT; i++) {
        const char *text = arguments_value (arguments, limits_table[i].flag);
        if (text != NULL) {
            quota->values[i] = strtoll (text, NULL, 10); /* it was checked */
        }
    }
    return quota_store (quota, client);
}

static int delete_limits (struct quota *quota, cohort_t *client, const struct arguments *arguments)
{
    bool all = true, left = false;
    for (int i = 0; i < LIMITS_COUNT; i++) {
        if (arguments_has (arguments, limits_table[i].flag)) {
            quota->values[i] = -1;
            all = false;
        }
        left = left || quota->values[i] >= 0;
    }
    return all || !left ? quota_delete (quota, client) : quota_store (quota, client);
}

/* What has no quota: the servers' own znodes. */
static bool is_system (const char *path)
{
    size_t size = strlen (SYSTEM);
    return strncmp (path, SYSTEM, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* Whether the flags are limits, and there is one at least. */
static bool check_limits (const struct arguments *arguments)
{
    bool any = false;
    for (int i = 0; i < LIMITS_COUNT; i++) {
        int64_t value;
        if (!arguments_number (arguments, limits_table[i].flag, 0, INT64_MAX, 0, &value)) {
            return false;
        }
        any = any || arguments_has (arguments, limits_table[i].flag);
    }
    if (!any) {
        message ("setquota: a limit is missing: -n, -b, -N or -B (see: cohort help setquota)");
    }
    return any;
}

int cmd_setquota (const struct arguments *arguments)
{
    if (!check_limits (arguments)) {
        return CLI_EXIT_USAGE;
    }
    if (is_system (arguments->operands[0])) {
        message ("setquota: " SYSTEM " and what is below it have no quota");
        return CLI_EXIT_USAGE;
    }
    return change (arguments, false, set_limits);
}

int cmd_delquota (const struct arguments *arguments)
{
    return change (arguments, true, delete_limits);
}

/* ---- listquota ------------------------------------------------------------------------------- */

static int print_quota (const struct quota *quota, enum format format, const char *counted)
{
    if (format == FORMAT_TEXT) {
        char text[TEXT_SIZE];
        limits_text (quota, text);
        printf ("Output quota for %s %s\n", quota->path, text);
        if (counted != NULL) {
            printf ("Output stat for %s %s\n", quota->path, counted);
        }
        return CLI_EXIT_OK;
    }
    json_t *stats = json_null ();
    if (counted != NULL) {
        stats = json_pack ("{s:I, s:I}", "count", (json_int_t) value_of (counted, "count"), "bytes",
                           (json_int_t) value_of (counted, "bytes"));
    }
    return emit_value (format, json_pack ("{s:s, s:o, s:o}", "path", quota->path, "limits",
                                          limits_json (quota), "stats", stats));
}

struct listing {
    struct quota quota;
    void *counted; /* NULL: whoever has created the limits by hand has left it out */
};

static int call_list (cohort_t *client, void *arg)
{
    struct listing *self = arg;
    size_t size = 0;
    int rc = quota_load (&self->quota, client);
    if (rc == COHORT_OK && self->quota.version >= 0) {
        rc = cohort_get (client, self->quota.stats, &self->counted, &size, NULL);
        rc = rc == COHORT_ENONODE ? COHORT_OK : rc;
    }
    return rc;
}

int cmd_listquota (const struct arguments *arguments)
{
    struct listing self = {.counted = NULL};
    int code = quota_init (&self.quota, arguments->operands[0]);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    code = session_call (&arguments->settings, ACTIVITY_READ, self.quota.limits, call_list, &self);
    if (code == CLI_EXIT_OK) {
        code = self.quota.version < 0
                   ? report_missing (self.quota.path)
                   : print_quota (&self.quota, arguments->settings.format, self.counted);
    }
    cohort_free (self.counted);
    quota_deinit (&self.quota);
    return code;
}

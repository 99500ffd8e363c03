/*
 * server/config_file.c - the configuration file of cohortd
 */
#include "server/config_file.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/nearest.h"
#include "server/net/endpoint.h"
#include "server/node/identity_text.h"

enum {
    FILE_SIZE_MAX = 1024 * 1024,
    WORD_SIZE = 64, /* of the parts of server.N */
    SHOWN_MAX = 80  /* bytes of a name or value that a message shows, and of each of its words */
};

/* One line being read, and where its complaint goes. */
struct line {
    struct config_file *config;
    const char *file;
    int number;
    const char *key;
    const char *value;
    int *set_at; /* by the index of the key: the line that has set it, 0: none has */
    char *error;
    size_t error_size;
};

typedef int key_fn (const struct line *line);

/* What is told goes to terminals and logs: control characters are shown as \xNN, or as '?' where
 * there is no room for that. */
static void escape_controls (char *text, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t length = strlen (text);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char) text[i];
        if (c >= 0x20 && c != 0x7f) {
            continue;
        }
        if (length + 3 >= size) {
            text[i] = '?';
            continue;
        }
        memmove (text + i + 4, text + i + 1, length - i);
        memcpy (text + i, "\\x", 2);
        text[i + 2] = digits[c >> 4];
        text[i + 3] = digits[c & 15];
        length += 3;
        i += 3;
    }
}

#if defined(__GNUC__)
__attribute__ ((format (printf, 2, 3)))
#endif
static int
complain (const struct line *line, const char *format, ...)
{
    va_list args;
    bool key_cut = strlen (line->key) > SHOWN_MAX;
    bool value_cut = strlen (line->value) > SHOWN_MAX;
    int size = snprintf (line->error, line->error_size, "%s:%d: %.*s%s=%.*s%s: ", line->file,
                         line->number, SHOWN_MAX, line->key, key_cut ? "..." : "", SHOWN_MAX,
                         line->value, value_cut ? "..." : "");
    if (size >= 0 && (size_t) size < line->error_size) {
        va_start (args, format);
        (void) vsnprintf (line->error + size, line->error_size - (size_t) size, format, args);
        va_end (args);
    }
    return COHORT_ECONFIG;
}

#if defined(__GNUC__)
__attribute__ ((format (printf, 2, 3)))
#endif
static void
notice (struct config_file *self, const char *format, ...)
{
    va_list args;
    if (self->notices_count < CONFIG_NOTICES_MAX) {
        va_start (args, format);
        (void) vsnprintf (self->notices[self->notices_count], CONFIG_TEXT_SIZE, format, args);
        va_end (args);
        escape_controls (self->notices[self->notices_count++], CONFIG_TEXT_SIZE);
    }
}

/* ---- Values ------------------------------------------------------------------------------ */

static int parse_number (const struct line *line, uint64_t min, uint64_t max, uint64_t *number)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull (line->value, &end, 10);
    if (!isdigit ((unsigned char) *line->value) || *end != '\0' || errno == ERANGE || value < min ||
        value > max) {
        return complain (line, "must be a number from %" PRIu64 " to %" PRIu64, min, max);
    }
    *number = value;
    return 0;
}

static int set_number32 (const struct line *line, uint32_t min, uint32_t max, uint32_t *field)
{
    uint64_t number;
    int rc = parse_number (line, min, max, &number);
    if (rc == 0) {
        *field = (uint32_t) number;
    }
    return rc;
}

static int set_string (const struct line *line, char *field, size_t size)
{
    if (strlen (line->value) >= size) {
        return complain (line, "longer than %zu bytes", size - 1);
    }
    memcpy (field, line->value, strlen (line->value) + 1);
    return 0;
}

static int key_data_dir (const struct line *line)
{
    return set_string (line, line->config->data_dir, sizeof line->config->data_dir);
}

static int key_clients (const struct line *line)
{
    const char *at = line->value;
    while (*at) {
        size_t size = strcspn (at, ",");
        /* inproc:// would be known to nobody else. */
        if (!endpoint_is_sound (at, size) || strncmp (at, "inproc://", 9) == 0) {
            return complain (
                line, "%.*s%s is not tcp://HOST:PORT (a port from 0 to 65535) or ipc://PATH",
                size > SHOWN_MAX ? SHOWN_MAX : (int) size, at, size > SHOWN_MAX ? "..." : "");
        }
        at += size;
        at += *at == ',';
    }
    return set_string (line, line->config->clients, sizeof line->config->clients);
}

static int key_id (const struct line *line)
{
    return set_number32 (line, 1, INT32_MAX, &line->config->id);
}

static int key_insecure (const struct line *line)
{
    if (strcmp (line->value, "yes") != 0 && strcmp (line->value, "no") != 0) {
        return complain (line, "must be yes or no");
    }
    line->config->insecure = line->value[0] == 'y';
    return 0;
}

static int key_peer_timeout (const struct line *line)
{
    uint32_t ms = 0;
    int rc = set_number32 (line, 50, 60000, &ms);
    if (rc == 0) {
        line->config->peer_timeout_ms = (int) ms;
    }
    return rc;
}

static int key_log_level (const struct line *line)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    for (int i = 0; i < 4; i++) {
        if (strcmp (line->value, names[i]) == 0) {
            line->config->log_level = i;
            return 0;
        }
    }
    return complain (line, "must be error, warning, info or debug");
}

static int key_snapshot_bytes (const struct line *line)
{
    return parse_number (line, 65536, UINT64_C (1) << 40, &line->config->snapshot_bytes);
}

static int key_history_bytes (const struct line *line)
{
    return parse_number (line, 65536, UINT64_C (1) << 36, &line->config->history_bytes);
}

static int key_snapshot_compression (const struct line *line)
{
    uint32_t level = 0;
    int rc = set_number32 (line, 0, 9, &level);
    if (rc == 0) {
        line->config->snapshot_compression = level > 0 ? (int) level : -1;
    }
    return rc;
}

static int key_data_size_max (const struct line *line)
{
    return set_number32 (line, 1024, 16 * 1024 * 1024, &line->config->data_size_max);
}

static int key_path_size_max (const struct line *line)
{
    return set_number32 (line, 256, 4096, &line->config->path_size_max);
}

static int key_write_window (const struct line *line)
{
    return set_number32 (line, 1, 65536, &line->config->write_window);
}

static int key_session_min (const struct line *line)
{
    return set_number32 (line, 1, INT32_MAX, &line->config->session_timeout_min_ms);
}

static int key_session_max (const struct line *line)
{
    return set_number32 (line, 1, INT32_MAX, &line->config->session_timeout_max_ms);
}

static int key_certificate (const struct line *line)
{
    return set_string (line, line->config->certificate, sizeof line->config->certificate);
}

/* May come more than once. */
static int key_admin (const struct line *line)
{
    char *admins = line->config->admins;
    char wrong[CONFIG_TEXT_SIZE];
    struct buf list = {0};
    bool ok = admins_parse (&list, line->value, wrong, sizeof wrong);
    buf_deinit (&list);
    size_t used = strlen (admins), size = strlen (line->value);
    if (!ok) {
        return complain (line, "%s", wrong);
    }
    if (used + 1 + size >= sizeof line->config->admins) {
        return complain (line, "too many administrators");
    }
    if (used > 0) {
        admins[used++] = ',';
    }
    memcpy (admins + used, line->value, size + 1);
    return 0;
}

static int key_client_port (const struct line *line)
{
    notice (line->config,
            "%s:%d: clientPort=%s: ZooKeeper's own protocol is not served yet; Cohort's clients "
            "connect to clients=%s",
            line->file, line->number, line->value, line->config->clients);
    return 0;
}

/* ZooKeeper's ticks govern sessions of its own protocol only. */
static int key_zookeeper_only (const struct line *line)
{
    notice (line->config, "%s:%d: %s=%s: has no effect in Cohort", line->file, line->number,
            line->key, line->value);
    return 0;
}

/* The times that every zoo.cfg has: ZooKeeper's own, which nobody misses here. A mistake in one is
 * told all the same. */
static int key_silent (const struct line *line)
{
    uint64_t unused;
    return parse_number (line, 1, INT32_MAX, &unused);
}

/* ---- server.N ---------------------------------------------------------------------------- */

/* Takes the text up to one of `ends` out of *at.  A host in [] may hold colons. */
static bool take_part (const char **at, const char *ends, char *part, size_t size)
{
    size_t length = **at == '[' && strchr (*at, ']') ? (size_t) (strchr (*at, ']') - *at) : 0;
    length += strcspn (*at + length, ends);
    if (length >= size) {
        return false;
    }
    memcpy (part, *at, length);
    part[length] = '\0';
    *at += length;
    return true;
}

static bool is_port (const char *text)
{
    char *end;
    unsigned long port = strtoul (text, &end, 10);
    return isdigit ((unsigned char) *text) && *end == '\0' && port > 0 && port <= 65535;
}

static bool parse_id (const char *text, uint32_t *id)
{
    char *end;
    unsigned long number = strtoul (text, &end, 10);
    *id = (uint32_t) number;
    return isdigit ((unsigned char) *text) && *end == '\0' && number > 0 && number <= INT32_MAX;
}

/* What follows host:port: ":port" (ZooKeeper's election port, not needed), ":role". */
static int parse_rest (const struct line *line, const char **at, struct config_file_server *server)
{
    char part[WORD_SIZE];
    while (**at == ':') {
        (*at)++;
        if (!take_part (at, ":;", part, sizeof part)) {
            return complain (line, "a part is too long");
        }
        if (strcmp (part, "observer") == 0) {
            server->observer = true;
        } else if (strcmp (part, "participant") != 0 && !is_port (part)) {
            return complain (line, "'%s' is neither a port nor participant nor observer", part);
        }
    }
    return 0;
}

/* server.N=host:port[:port][:participant|observer][;...]  What follows ';' is ZooKeeper's client
 * port. */
static int parse_server (const struct line *line, const char *id_text)
{
    struct config_file *config = line->config;
    struct config_file_server server = {0};
    char host[CONFIG_ADDRESS_SIZE - 16];
    char port[8];
    const char *at = line->value;

    if (!parse_id (id_text, &server.id)) {
        return complain (line, "the id after 'server.' must be a number from 1 to 2147483647");
    }
    if (!take_part (&at, ":;", host, sizeof host) || *at != ':' || !*host) {
        return complain (line, "must be HOST:PORT[:PORT][:participant|:observer]");
    }
    at++;
    if (!take_part (&at, ":;", port, sizeof port) || !is_port (port)) {
        return complain (line, "the port after the host must be a number from 1 to 65535");
    }
    int rc = parse_rest (line, &at, &server);
    if (rc != 0) {
        return rc;
    }
    (void) snprintf (server.address, sizeof server.address, "tcp://%s:%s", host, port);
    for (size_t i = 0; i < config->servers_count; i++) {
        if (config->servers[i].id == server.id) {
            return complain (line, "server.%u is given twice", server.id);
        }
        if (strcmp (config->servers[i].address, server.address) == 0) {
            return complain (line, "server.%u has this address already", config->servers[i].id);
        }
    }
    if (config->servers_count == CONFIG_MEMBERS_MAX) {
        return complain (line, "an ensemble has at most %d servers", CONFIG_MEMBERS_MAX);
    }
    config->servers[config->servers_count++] = server;
    return 0;
}

/* clients.N=tcp://host:port  Where server N's clients connect: for `cohort status`. */
static int parse_client_address (const struct line *line, const char *id_text)
{
    uint32_t id;
    if (!parse_id (id_text, &id)) {
        return complain (line, "the id after 'clients.' must be a number from 1 to 2147483647");
    }
    for (size_t i = 0; i < line->config->servers_count; i++) {
        struct config_file_server *server = &line->config->servers[i];
        if (server->id == id) {
            return endpoint_is_sound (line->value, strlen (line->value))
                       ? set_string (line, server->client_address, sizeof server->client_address)
                       : complain (line, "is not tcp://HOST:PORT or ipc://PATH");
        }
    }
    return complain (line, "there is no server.%s above this line", id_text);
}

/* ---- Keys -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    key_fn *fn;
} keys[] = {
    {"dataDir", key_data_dir},
    {"clients", key_clients},
    {"id", key_id},
    {"insecure", key_insecure},
    {"peerTimeout", key_peer_timeout},
    {"logLevel", key_log_level},
    {"snapshotBytes", key_snapshot_bytes},
    {"historyBytes", key_history_bytes},
    {"snapshotCompression", key_snapshot_compression},
    {"dataSizeMax", key_data_size_max},
    {"pathSizeMax", key_path_size_max},
    {"writeWindow", key_write_window},
    {"minSessionTimeout", key_session_min},
    {"maxSessionTimeout", key_session_max},
    {"certificate", key_certificate},
    {"admin", key_admin},
    {"clientPort", key_client_port},
    {"tickTime", key_silent},
    {"initLimit", key_silent},
    {"syncLimit", key_silent},
    {"clientPortAddress", key_zookeeper_only},
    {"secureClientPort", key_zookeeper_only},
    {"secureClientPortAddress", key_zookeeper_only},
    {"dataLogDir", key_zookeeper_only},
    {"maxClientCnxns", key_zookeeper_only},
    {"maxCnxns", key_zookeeper_only},
    {"autopurge.snapRetainCount", key_zookeeper_only},
    {"autopurge.purgeInterval", key_zookeeper_only},
    {"snapCount", key_zookeeper_only},
    {"preAllocSize", key_zookeeper_only},
    {"globalOutstandingLimit", key_zookeeper_only},
    {"standaloneEnabled", key_zookeeper_only},
    {"reconfigEnabled", key_zookeeper_only},
    {"electionAlg", key_zookeeper_only},
    {"forceSync", key_zookeeper_only},
    {"leaderServes", key_zookeeper_only},
    {"cnxTimeout", key_zookeeper_only},
    {"quorumListenOnAllIPs", key_zookeeper_only},
    {"4lw.commands.whitelist", key_zookeeper_only},
    {"admin.enableServer", key_zookeeper_only},
    {"admin.serverPort", key_zookeeper_only},
    {"admin.serverAddress", key_zookeeper_only},
    {"metricsProvider.className", key_zookeeper_only},
    {"metricsProvider.httpPort", key_zookeeper_only},
    {"metricsProvider.exportJvmInfo", key_zookeeper_only},
};
enum { KEYS = sizeof keys / sizeof *keys };

static int unknown_key (const struct line *line)
{
    const char *names[KEYS + 1] = {"server.N"};
    for (size_t i = 0; i < KEYS; i++) {
        names[i + 1] = keys[i].name;
    }
    int nearest = nearest_word (line->key, names, KEYS + 1);
    if (nearest >= 0) {
        return complain (line, "unknown key; did you mean %s?", names[nearest]);
    }
    return complain (line, "unknown key; see cohortd --help for those there are");
}

static int set_key (const struct line *line)
{
    if (strncmp (line->key, "server.", 7) == 0) {
        return parse_server (line, line->key + 7);
    }
    if (strncmp (line->key, "clients.", 8) == 0) {
        return parse_client_address (line, line->key + 8);
    }
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp (line->key, keys[i].name) == 0) {
            bool repeats = keys[i].fn == key_admin; /* one line for each */
            if (line->set_at[i] > 0 && !repeats) {
                return complain (line, "is set in line %d already", line->set_at[i]);
            }
            line->set_at[i] = line->number;
            return keys[i].fn (line);
        }
    }
    return unknown_key (line);
}

/* ---- Text -------------------------------------------------------------------------------- */

static char *trim (char *text)
{
    while (isspace ((unsigned char) *text)) {
        text++;
    }
    size_t size = strlen (text);
    while (size > 0 && isspace ((unsigned char) text[size - 1])) {
        text[--size] = '\0';
    }
    return text;
}

static int parse_line (struct line *line, char *text)
{
    char *key = trim (text);
    if (*key == '\0' || *key == '#' || *key == '!') {
        return 0;
    }
    char *equals = strchr (key, '=');
    if (!equals) {
        (void) snprintf (line->error, line->error_size,
                         "%s:%d: '%.100s' must be a line of the form key=value", line->file,
                         line->number, key);
        return COHORT_ECONFIG;
    }
    *equals = '\0';
    line->key = trim (key);
    line->value = trim (equals + 1);
    if (*line->value == '\0') {
        return complain (line, "has no value");
    }
    return set_key (line);
}

void config_file_init (struct config_file *self)
{
    memset (self, 0, sizeof *self);
    memcpy (self->clients, "tcp://127.0.0.1:5181", sizeof "tcp://127.0.0.1:5181");
    self->log_level = COHORT_LOG_INFO;
}

static int parse (struct config_file *self, const char *name, const char *text, char *error,
                  size_t error_size)
{
    int set_at[KEYS] = {0};
    struct line line = {
        .config = self, .file = name, .set_at = set_at, .error = error, .error_size = error_size};
    char copy[CONFIG_VALUE_SIZE * 2];

    while (*text) {
        size_t size = strcspn (text, "\n");
        line.number++;
        if (size >= sizeof copy) {
            (void) snprintf (error, error_size, "%s:%d: the line is longer than %zu bytes", name,
                             line.number, sizeof copy - 1);
            return COHORT_ECONFIG;
        }
        memcpy (copy, text, size);
        copy[size] = '\0';
        int rc = parse_line (&line, copy);
        if (rc != 0) {
            return rc;
        }
        text += size + (text[size] == '\n');
    }
    return 0;
}

int config_file_parse (struct config_file *self, const char *name, const char *text, char *error,
                       size_t error_size)
{
    int rc = parse (self, name, text, error, error_size);
    if (rc != 0) {
        escape_controls (error, error_size);
    }
    return rc;
}

/* ---- Files ------------------------------------------------------------------------------- */

/* The whole file, to be freed; NULL: error says why. */
static char *read_file (const char *path, const char *advice, char *error, size_t error_size)
{
    FILE *file = fopen (path, "r");
    char *text = file ? malloc (FILE_SIZE_MAX) : NULL;
    if (!text) {
        (void) snprintf (error, error_size, "%s: cannot be read: %s%s", path, strerror (errno),
                         advice);
        if (file) {
            (void) fclose (file);
        }
        return NULL;
    }
    errno = 0;
    size_t size = fread (text, 1, FILE_SIZE_MAX - 1, file);
    if (ferror (file)) {
        (void) snprintf (error, error_size, "%s: cannot be read: %s", path, strerror (errno));
        (void) fclose (file);
        free (text);
        return NULL;
    }
    bool bad = size == FILE_SIZE_MAX - 1 || memchr (text, '\0', size);
    (void) fclose (file);
    if (bad) {
        (void) snprintf (error, error_size, "%s: is no text file of less than 1 MiB", path);
        free (text);
        return NULL;
    }
    text[size] = '\0';
    return text;
}

static int read_myid (struct config_file *self, char *error, size_t error_size)
{
    char path[CONFIG_VALUE_SIZE + 8];
    (void) snprintf (path, sizeof path, "%s/myid", self->data_dir);
    char *text =
        read_file (path, " (it holds this server's id, the N of its server.N line; or set id=N)",
                   error, error_size);
    if (!text) {
        return COHORT_ECONFIG;
    }
    char *word = trim (text);
    bool good = parse_id (word, &self->id);
    if (!good) {
        (void) snprintf (error, error_size, "%s: '%.40s' is no server id (a number from 1)", path,
                         word);
    }
    free (text);
    return good ? 0 : COHORT_ECONFIG;
}

bool config_endpoint_is_local (const char *endpoint)
{
    static const char loopback[] = "tcp://127.";
    static const char *const local[] = {"ipc://", "inproc://", "tcp://localhost:", "tcp://[::1]:"};
    /* All of 127.0.0.0/8, but not a name that begins so. */
    if (strncmp (endpoint, loopback, strlen (loopback)) == 0) {
        return endpoint[strlen ("tcp://") + strspn (endpoint + strlen ("tcp://"), "0123456789.")] ==
               ':';
    }
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        if (strncmp (endpoint, local[i], strlen (local[i])) == 0) {
            return true;
        }
    }
    return false;
}

const char *config_exposed (const char *endpoints, size_t *size)
{
    for (const char *at = endpoints; *at; at += *size, at += *at == ',') {
        *size = strcspn (at, ",");
        if (!config_endpoint_is_local (at)) {
            return at;
        }
    }
    return NULL;
}

static int check_exposed (const struct config_file *self, const char *path, const char *endpoints,
                          const char *what, char *error, size_t error_size)
{
    size_t size;
    const char *exposed = self->insecure ? NULL : config_exposed (endpoints, &size);
    if (!exposed) {
        return 0;
    }
    (void) snprintf (error, error_size,
                     "%s: %s: %.*s can be reached by other machines, and no keys are configured: "
                     "set insecure=yes if the network is trusted",
                     path, what, (int) size, exposed);
    return COHORT_ECONFIG;
}

/* The whole: what the lines cannot say one by one. */
static int check (struct config_file *self, const char *path, char *error, size_t error_size)
{
    bool named = self->servers_count == 0;
    bool voter = self->servers_count == 0;

    if (!*self->data_dir) {
        (void) snprintf (error, error_size, "%s: dataDir is missing: set dataDir=FOLDER", path);
        return COHORT_ECONFIG;
    }
    int rc = self->servers_count > 0 && self->id == 0 ? read_myid (self, error, error_size) : 0;
    if (rc == 0 && !*self->certificate) {
        rc = check_exposed (self, path, self->clients, "clients", error, error_size);
    }
    for (size_t i = 0; rc == 0 && i < self->servers_count; i++) {
        named |= self->servers[i].id == self->id;
        voter |= !self->servers[i].observer;
        rc = check_exposed (self, path, self->servers[i].address, "server.N", error, error_size);
    }
    if (rc == 0 && !named) {
        (void) snprintf (error, error_size,
                         "%s: this server's id is %u (from id= or dataDir/myid), but there is no "
                         "server.%u",
                         path, self->id, self->id);
        return COHORT_ECONFIG;
    }
    if (rc == 0 && !voter) {
        (void) snprintf (error, error_size,
                         "%s: all servers are observers: one at least must have a vote", path);
        return COHORT_ECONFIG;
    }
    if (rc == 0 && self->session_timeout_max_ms > 0 &&
        self->session_timeout_min_ms > self->session_timeout_max_ms) {
        (void) snprintf (error, error_size,
                         "%s: minSessionTimeout=%" PRIu32
                         " is more than maxSessionTimeout=%" PRIu32,
                         path, self->session_timeout_min_ms, self->session_timeout_max_ms);
        return COHORT_ECONFIG;
    }
    return rc;
}

int config_file_load (struct config_file *self, const char *path, char *error, size_t error_size)
{
    char *text = read_file (path, "", error, error_size);
    int rc = text ? parse (self, path, text, error, error_size) : COHORT_ECONFIG;
    free (text);
    rc = rc ? rc : check (self, path, error, error_size);
    if (rc != 0) {
        escape_controls (error, error_size);
    }
    return rc;
}

/*
 * server/config_key.c - the keys of the configuration file
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/nearest.h"
#include "server/config_line.h"
#include "server/net/endpoint.h"
#include "server/node/identity_text.h"

typedef int key_fn (const struct config_line *line);

/* ---- Values ------------------------------------------------------------------------------ */

static int parse_number (const struct config_line *line, uint64_t min, uint64_t max,
                         uint64_t *number)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull (line->value, &end, 10);
    if (!isdigit ((unsigned char) *line->value) || *end != '\0' || errno == ERANGE || value < min ||
        value > max) {
        return config_complain (line, "must be a number from %" PRIu64 " to %" PRIu64, min, max);
    }
    *number = value;
    return 0;
}

static int set_number32 (const struct config_line *line, uint32_t min, uint32_t max,
                         uint32_t *field)
{
    uint64_t number = 0;
    int rc = parse_number (line, min, max, &number);
    if (rc == 0) {
        *field = (uint32_t) number;
    }
    return rc;
}

static int key_data_dir (const struct config_line *line)
{
    return config_set_string (line, line->config->data_dir, sizeof line->config->data_dir);
}

static int key_clients (const struct config_line *line)
{
    const char *at = line->value;
    while (*at) {
        size_t size = strcspn (at, ",");
        /* inproc:// would be known to nobody else. */
        if (!endpoint_is_sound (at, size) || strncmp (at, "inproc://", 9) == 0) {
            return config_complain (
                line, "%.*s%s is not tcp://HOST:PORT (a port from 0 to 65535) or ipc://PATH",
                size > CONFIG_SHOWN_MAX ? CONFIG_SHOWN_MAX : (int) size, at,
                size > CONFIG_SHOWN_MAX ? "..." : "");
        }
        at += size;
        at += *at == ',';
    }
    return config_set_string (line, line->config->clients, sizeof line->config->clients);
}

static int key_id (const struct config_line *line)
{
    return set_number32 (line, 1, INT32_MAX, &line->config->id);
}

static int set_yes (const struct config_line *line, bool *yes)
{
    if (strcmp (line->value, "yes") != 0 && strcmp (line->value, "no") != 0) {
        return config_complain (line, "must be yes or no");
    }
    *yes = line->value[0] == 'y';
    return 0;
}

static int key_insecure (const struct config_line *line)
{
    return set_yes (line, &line->config->insecure);
}

static int key_replace_admins (const struct config_line *line)
{
    return set_yes (line, &line->config->replace_admins);
}

static int key_peer_timeout (const struct config_line *line)
{
    uint32_t ms = 0;
    int rc = set_number32 (line, 50, 60000, &ms);
    if (rc == 0) {
        line->config->peer_timeout_ms = (int) ms;
    }
    return rc;
}

static int key_log_level (const struct config_line *line)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    for (int i = 0; i < 4; i++) {
        if (strcmp (line->value, names[i]) == 0) {
            line->config->log_level = i;
            return 0;
        }
    }
    return config_complain (line, "must be error, warning, info or debug");
}

static int key_snapshot_bytes (const struct config_line *line)
{
    return parse_number (line, 65536, UINT64_C (1) << 40, &line->config->snapshot_bytes);
}

static int key_history_bytes (const struct config_line *line)
{
    return parse_number (line, 65536, UINT64_C (1) << 36, &line->config->history_bytes);
}

static int key_snapshot_compression (const struct config_line *line)
{
    uint32_t level = 0;
    int rc = set_number32 (line, 0, 9, &level);
    if (rc == 0) {
        line->config->snapshot_compression = level > 0 ? (int) level : -1;
    }
    return rc;
}

static int key_data_size_max (const struct config_line *line)
{
    return set_number32 (line, 1024, 16 * 1024 * 1024, &line->config->data_size_max);
}

static int key_path_size_max (const struct config_line *line)
{
    return set_number32 (line, 256, 4096, &line->config->path_size_max);
}

static int key_write_window (const struct config_line *line)
{
    return set_number32 (line, 1, 65536, &line->config->write_window);
}

static int key_session_min (const struct config_line *line)
{
    return set_number32 (line, 1, INT32_MAX, &line->config->session_timeout_min_ms);
}

static int key_session_max (const struct config_line *line)
{
    return set_number32 (line, 1, INT32_MAX, &line->config->session_timeout_max_ms);
}

static int key_certificate (const struct config_line *line)
{
    return config_set_string (line, line->config->certificate, sizeof line->config->certificate);
}

bool config_add_admins (char admins[CONFIG_VALUE_SIZE], const char *value, char *wrong,
                        size_t wrong_size)
{
    struct buf list = {0};
    bool ok = admins_parse (&list, value, wrong, wrong_size);
    buf_deinit (&list);
    size_t used = strlen (admins), size = strlen (value);
    if (ok && used + 1 + size >= CONFIG_VALUE_SIZE) {
        (void) snprintf (wrong, wrong_size, "too many administrators");
        ok = false;
    }
    if (ok) {
        if (used > 0) {
            admins[used++] = ',';
        }
        memcpy (admins + used, value, size + 1);
    }
    return ok;
}

/* May come more than once. */
static int key_admin (const struct config_line *line)
{
    char wrong[CONFIG_TEXT_SIZE];
    return config_add_admins (line->config->admins, line->value, wrong, sizeof wrong)
               ? 0
               : config_complain (line, "%s", wrong);
}

static int key_client_port (const struct config_line *line)
{
    config_notice (
        line->config,
        "%s:%d: clientPort=%s: ZooKeeper's own protocol is not served yet; Cohort's clients "
        "connect to clients=%s",
        line->file, line->number, line->value, line->config->clients);
    return 0;
}

/* ZooKeeper's ticks govern sessions of its own protocol only. */
static int key_zookeeper_only (const struct config_line *line)
{
    config_notice (line->config, "%s:%d: %s=%s: has no effect in Cohort", line->file, line->number,
                   line->key, line->value);
    return 0;
}

/* The times that every zoo.cfg has: ZooKeeper's own, which nobody misses here. A mistake in one is
 * told all the same. */
static int key_silent (const struct config_line *line)
{
    uint64_t unused;
    return parse_number (line, 1, INT32_MAX, &unused);
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
    {"replaceAdmins", key_replace_admins},
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

_Static_assert((int) KEYS <= (int) CONFIG_KEYS_MAX, "there is a place for each key in set_at");

static int unknown_key (const struct config_line *line)
{
    const char *names[KEYS + 1] = {"server.N"};
    for (size_t i = 0; i < KEYS; i++) {
        names[i + 1] = keys[i].name;
    }
    int nearest = nearest_word (line->key, names, KEYS + 1);
    if (nearest >= 0) {
        return config_complain (line, "unknown key; did you mean %s?", names[nearest]);
    }
    return config_complain (line, "unknown key; see cohortd --help for those there are");
}

int config_set_key (const struct config_line *line)
{
    if (strncmp (line->key, "server.", 7) == 0) {
        return config_parse_server (line, line->key + 7);
    }
    if (strncmp (line->key, "clients.", 8) == 0) {
        return config_parse_client_address (line, line->key + 8);
    }
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp (line->key, keys[i].name) == 0) {
            bool repeats = keys[i].fn == key_admin; /* one line for each */
            if (line->set_at[i] > 0 && !repeats) {
                return config_complain (line, "is set in line %d already", line->set_at[i]);
            }
            line->set_at[i] = line->number;
            return keys[i].fn (line);
        }
    }
    return unknown_key (line);
}

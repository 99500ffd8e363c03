/* get, config, reconfig, stat, sync. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "client/cli/security.h"
#include "client/cli/session.h"
#include "client/cli/status_query.h"
#include "client/cli/watch_once.h"

/* How long each server has to say where its clients connect. */
#define CLIENTS_LIMIT_MS 1000

static json_t *get_json (const char *path, const void *data, size_t size, const cohort_stat_t *stat)
{
    json_t *object = json_object ();
    json_object_set_new (object, "path", json_string (path));
    output_json_data (object, data, size);
    json_object_set_new (object, "stat", output_json_stat (stat));
    return object;
}

/* `line`: it ends with a line feed, whoever reads it. */
static void print_get_text (const struct arguments *arguments, const void *data, size_t size,
                            const cohort_stat_t *stat, bool line)
{
    bool with_stat = arguments_has (arguments, 's');
    if (arguments_has (arguments, 'x')) {
        output_hexdump (stdout, data, size);
    } else if (arguments_has (arguments, 'b')) {
        output_base64 (stdout, data, size);
        fputc ('\n', stdout);
    } else if (size == 0 && isatty (STDOUT_FILENO)) {
        puts ("null"); /* as zkCli shows it: somebody looks on */
    } else {
        fwrite (data, 1, size, stdout);
        /* The stat begins on a line of its own, and an event does. */
        if (line || isatty (STDOUT_FILENO) || with_stat || arguments_has (arguments, 'w')) {
            fputc ('\n', stdout);
        }
    }
    if (with_stat) {
        output_stat (stdout, stat);
    }
}

static cohort_read_options_t read_options (const struct arguments *arguments)
{
    return (cohort_read_options_t){
        .size = sizeof (cohort_read_options_t),
        .flags = arguments_has (arguments, FLAG_LINEARIZABLE) ? COHORT_READ_LINEARIZABLE : 0,
    };
}

static int get (const struct arguments *arguments, const char *path, bool line)
{
    enum format format = arguments->settings.format;
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    void *data = NULL;
    size_t size = 0;
    cohort_stat_t stat;
    struct watch_once watch;
    bool watched = arguments_has (arguments, 'w');
    cohort_read_options_t options = read_options (arguments);
    if (watched) {
        code = watch_once_set (&watch, &session, WATCH_ONCE_DATA, path);
    }
    if (code == CLI_EXIT_OK) {
        int rc = cohort_get_with (session.client, path, &options, &data, &size, &stat);
        code = session_result (&session, ACTIVITY_READ, path, rc);
    }
    if (code == CLI_EXIT_OK && format != FORMAT_TEXT) {
        code = emit_value (format, get_json (path, data, size, &stat));
    } else if (code == CLI_EXIT_OK) {
        print_get_text (arguments, data, size, &stat, line);
    }
    if (code == CLI_EXIT_OK && watched) {
        code = watch_once_tell (&watch, &session, path);
    }
    session_close (&session);
    cohort_free (data);
    return code;
}

int cmd_get (const struct arguments *arguments)
{
    return get (arguments, arguments->operands[0], false);
}

/* One server may have been asked under two names. */
static bool is_repeated (const struct ensemble_status *status, size_t index)
{
    const struct server_status *server = &status->servers[index];
    for (size_t i = 0; i < index; i++) {
        if (server->answered && status->servers[i].answered &&
            status->servers[i].id == server->id) {
            return true;
        }
    }
    return false;
}

/* Where clients connect, of all servers of whom that is known. */
static int print_clients (const struct settings *settings, const struct ensemble_status *status)
{
    char list[ENDPOINTS_MAX * ENDPOINT_SIZE_MAX] = "";
    size_t used = 0;
    for (size_t i = 0; i < status->addresses.count; i++) {
        if (!is_repeated (status, i)) {
            used += (size_t) snprintf (list + used, sizeof list - used, "%s%s", used > 0 ? "," : "",
                                       status->addresses.items[i]);
        }
    }
    for (size_t i = 0; i < status->hidden_count; i++) {
        if (status_has_answered (status, status->hidden_ids[i])) {
            continue;
        }
        message ("config: where clients of server %u connect is not known: set clients.%u in the "
                 "servers' configuration",
                 status->hidden_ids[i], status->hidden_ids[i]);
    }
    if (settings->format != FORMAT_TEXT) {
        return emit_value (settings->format, json_pack ("{s:s}", "servers", list));
    }
    printf ("%s\n", list);
    return CLI_EXIT_OK;
}

/* Asks all servers, and those that they name. */
static int config_clients (const struct settings *settings)
{
    struct security security;
    struct ensemble_status *status = calloc (1, sizeof *status);
    int code = CLI_EXIT_FAILED;
    if (status == NULL) {
        message ("out of memory");
    } else if (!session_servers_valid (settings->servers)) {
        code = CLI_EXIT_USAGE;
    } else if (!security_init (&security, settings->server_key)) {
        code = CLI_EXIT_USAGE;
    } else if (status_query (status, settings->servers, &security, CLIENTS_LIMIT_MS) != COHORT_OK) {
        message ("out of memory or descriptors");
    } else if (status_answered (status) == 0) {
        message ("no server answers at %s (start one with: cohortd dev)", settings->servers);
        code = CLI_EXIT_NO_CONNECTION;
    } else {
        code = print_clients (settings, status);
    }
    free (status);
    return code;
}

/* The servers write it themselves. */
int cmd_config (const struct arguments *arguments)
{
    if (!arguments_has (arguments, 'c')) {
        return get (arguments, "/zookeeper/config", true);
    }
    if (arguments_has (arguments, 's') || arguments_has (arguments, 'w')) {
        message ("config: -c prints no znode: -s and -w go without it");
        return CLI_EXIT_USAGE;
    }
    return config_clients (&arguments->settings);
}

int cmd_stat (const struct arguments *arguments)
{
    enum format format = arguments->settings.format;
    const char *path = arguments->operands[0];
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    cohort_stat_t stat;
    struct watch_once watch;
    bool watched = arguments_has (arguments, 'w');
    cohort_read_options_t options = read_options (arguments);
    if (watched) {
        code = watch_once_set (&watch, &session, WATCH_ONCE_DATA, path);
    }
    if (code == CLI_EXIT_OK) {
        int rc = cohort_exists_with (session.client, path, &options, &stat);
        code = session_result (&session, ACTIVITY_READ, path, rc);
    }
    if (code == CLI_EXIT_OK && format != FORMAT_TEXT) {
        code = emit_value (format, output_json_stat (&stat));
    } else if (code == CLI_EXIT_OK) {
        output_stat (stdout, &stat);
    }
    if (code == CLI_EXIT_OK && watched) {
        code = watch_once_tell (&watch, &session, path);
    }
    session_close (&session);
    return code;
}

int cmd_sync (const struct arguments *arguments)
{
    enum format format = arguments->settings.format;
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    code = session_result (&session, ACTIVITY_SYNC, "sync", cohort_sync (session.client));
    char id[OUTPUT_ID_SIZE];
    output_id (cohort_last_zxid (session.client), id);
    session_close (&session);
    if (code == CLI_EXIT_OK && format != FORMAT_TEXT) {
        code = emit_value (format, json_pack ("{s:s}", "zxid", id));
    } else if (code == CLI_EXIT_OK) {
        printf ("%s\n", id);
    }
    return code;
}

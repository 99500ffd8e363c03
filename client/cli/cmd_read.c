/* get, stat, sync. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "client/cli/watch_once.h"

static json_t *get_json (const char *path, const void *data, size_t size, const cohort_stat_t *stat)
{
    json_t *object = json_object ();
    json_object_set_new (object, "path", json_string (path));
    output_json_data (object, data, size);
    json_object_set_new (object, "stat", output_json_stat (stat));
    return object;
}

static void print_get_text (const struct arguments *arguments, const void *data, size_t size,
                            const cohort_stat_t *stat)
{
    bool with_stat = arguments_has (arguments, 's');
    if (arguments_has (arguments, 'x')) {
        output_hexdump (stdout, data, size);
    } else if (arguments_has (arguments, 'b')) {
        output_base64 (stdout, data, size);
        fputc ('\n', stdout);
    } else {
        fwrite (data, 1, size, stdout);
        /* The stat begins on a line of its own, and an event does. */
        if (isatty (STDOUT_FILENO) || with_stat || arguments_has (arguments, 'w')) {
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

static int get (const struct arguments *arguments, const char *path)
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
        print_get_text (arguments, data, size, &stat);
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
    return get (arguments, arguments->operands[0]);
}

/* The servers write it themselves. */
int cmd_config (const struct arguments *arguments)
{
    return get (arguments, "/zookeeper/config");
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

/* get, ls, stat, sync. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/cli/format.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "client/cli/walk.h"

static int out_of_memory (void)
{
    message ("out of memory");
    return CLI_EXIT_FAILED;
}

static int print_get_json (const char *path, const void *data, size_t size,
                           const cohort_stat_t *stat)
{
    json_t *object = json_object ();
    json_object_set_new (object, "path", json_string (path));
    output_json_data (object, data, size);
    json_object_set_new (object, "stat", output_json_stat (stat));
    return output_json (stdout, object, 2) ? CLI_EXIT_OK : out_of_memory ();
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
        /* The stat begins on a line of its own. */
        if (isatty (STDOUT_FILENO) || with_stat) {
            fputc ('\n', stdout);
        }
    }
    if (with_stat) {
        output_stat (stdout, stat);
    }
}

int cmd_get (const struct arguments *arguments)
{
    enum format format = FORMAT_TEXT;
    if (!format_of (arguments, &format)) {
        return CLI_EXIT_USAGE;
    }
    const char *path = arguments->operands[0];
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    void *data = NULL;
    size_t size = 0;
    cohort_stat_t stat;
    int rc = cohort_get (session.client, path, &data, &size, &stat);
    code = session_result (&session, ACTIVITY_READ, path, rc);
    session_close (&session);
    if (code == CLI_EXIT_OK && format == FORMAT_JSON) {
        code = print_get_json (path, data, size, &stat);
    } else if (code == CLI_EXIT_OK) {
        print_get_text (arguments, data, size, &stat);
    }
    cohort_free (data);
    return code;
}

static int print_names_json (const char *const *items, size_t count)
{
    json_t *array = json_array ();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new (array, json_string (items[i]));
    }
    return output_json (stdout, array, 2) ? CLI_EXIT_OK : out_of_memory ();
}

static int list_subtree (struct session *session, const char *path, enum format format)
{
    struct paths paths;
    paths_init (&paths);
    int rc = walk_subtree (session->client, path, session->settings.timeout_ms, &paths);
    int code = session_result (session, ACTIVITY_READ, path, rc);
    if (code == CLI_EXIT_OK && format == FORMAT_JSON) {
        code = print_names_json ((const char *const *) paths.items, paths.count);
    } else if (code == CLI_EXIT_OK) {
        output_list_lines (stdout, (const char *const *) paths.items, paths.count);
    }
    paths_deinit (&paths);
    return code;
}

static int list_children (struct session *session, const char *path, enum format format,
                          bool with_stat)
{
    cohort_strings_t *children = NULL;
    cohort_stat_t stat;
    int rc = cohort_children (session->client, path, &children, &stat);
    int code = session_result (session, ACTIVITY_READ, path, rc);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    if (format == FORMAT_JSON) {
        code = print_names_json (children->items, children->count);
    } else if (isatty (STDOUT_FILENO)) {
        output_list_inline (stdout, children->items, children->count);
    } else {
        output_list_lines (stdout, children->items, children->count);
    }
    if (with_stat && format == FORMAT_TEXT) {
        output_stat (stdout, &stat);
    }
    cohort_strings_destroy (&children);
    return code;
}

int cmd_ls (const struct arguments *arguments)
{
    enum format format = FORMAT_TEXT;
    if (!format_of (arguments, &format)) {
        return CLI_EXIT_USAGE;
    }
    bool recursive = arguments_has (arguments, 'R'), with_stat = arguments_has (arguments, 's');
    if (with_stat && (recursive || format == FORMAT_JSON)) {
        message ("ls: -s goes with a plain list only (for JSON: cohort stat -o json)");
        return CLI_EXIT_USAGE;
    }
    const char *path = arguments->operand_count > 0 ? arguments->operands[0] : "/";
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code == CLI_EXIT_OK) {
        code = recursive ? list_subtree (&session, path, format)
                         : list_children (&session, path, format, with_stat);
        session_close (&session);
    }
    return code;
}

int cmd_stat (const struct arguments *arguments)
{
    enum format format = FORMAT_TEXT;
    if (!format_of (arguments, &format)) {
        return CLI_EXIT_USAGE;
    }
    const char *path = arguments->operands[0];
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    cohort_stat_t stat;
    int rc = cohort_exists (session.client, path, &stat);
    code = session_result (&session, ACTIVITY_READ, path, rc);
    session_close (&session);
    if (code == CLI_EXIT_OK && format == FORMAT_JSON) {
        code = output_json (stdout, output_json_stat (&stat), 2) ? CLI_EXIT_OK : out_of_memory ();
    } else if (code == CLI_EXIT_OK) {
        output_stat (stdout, &stat);
    }
    return code;
}

int cmd_sync (const struct arguments *arguments)
{
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    code = session_result (&session, ACTIVITY_SYNC, "sync", cohort_sync (session.client));
    if (code == CLI_EXIT_OK) {
        char id[OUTPUT_ID_SIZE];
        printf ("%s\n", output_id (cohort_last_zxid (session.client), id));
    }
    session_close (&session);
    return code;
}

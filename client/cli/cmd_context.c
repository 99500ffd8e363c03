/* context: add, use, ls, rm. */

#include <stdio.h>
#include <string.h>

#include "client/cli/arguments.h"
#include "client/cli/context.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"
#include "client/cli/session.h"

static int add (struct contexts *contexts, const char *name, const struct settings *settings)
{
    if (settings->servers_source == SOURCE_DEFAULT) {
        message ("context add: --servers is missing");
        return CLI_EXIT_USAGE;
    }
    if (!session_servers_valid (settings->servers)) {
        return CLI_EXIT_USAGE;
    }
    json_t *context = json_pack ("{s:s}", "servers", settings->servers);
    if (context != NULL && settings->server_key != NULL) {
        json_object_set_new (context, "server_key", json_string (settings->server_key));
    }
    if (context != NULL && settings->auth_file != NULL) {
        json_object_set_new (context, "auth_file", json_string (settings->auth_file));
    }
    if (json_object_set_new (json_object_get (contexts->root, "contexts"), name, context) != 0) {
        message ("out of memory, or the name is not valid UTF-8");
        return CLI_EXIT_FAILED;
    }
    return contexts_save (contexts) ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

static int use (struct contexts *contexts, const char *name)
{
    if (contexts_find (contexts, name) == NULL) {
        message ("there is no context '%s' (see: cohort context ls)", name);
        return CLI_EXIT_FAILED;
    }
    json_object_set_new (contexts->root, "current", json_string (name));
    return contexts_save (contexts) ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

static int remove_context (struct contexts *contexts, const char *name)
{
    const char *current = contexts_current (contexts);
    if (json_object_del (json_object_get (contexts->root, "contexts"), name) != 0) {
        message ("there is no context '%s' (see: cohort context ls)", name);
        return CLI_EXIT_FAILED;
    }
    if (current != NULL && strcmp (current, name) == 0) {
        json_object_del (contexts->root, "current");
    }
    return contexts_save (contexts) ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

/* Keys are not shown: they are in the file. */
static int list (const struct contexts *contexts, enum format format)
{
    const char *current = contexts_current (contexts), *name;
    json_t *context;
    struct emit emit;
    if (format != FORMAT_TEXT) {
        emit_begin (&emit, format);
    }
    json_object_foreach (json_object_get (contexts->root, "contexts"), name, context)
    {
        bool is_current = current != NULL && strcmp (current, name) == 0;
        const char *servers = json_string_value (json_object_get (context, "servers"));
        bool encrypted = json_object_get (context, "server_key") != NULL;
        if (format == FORMAT_TEXT) {
            printf ("%s\t%s\t%s%s\n", is_current ? "*" : "", name, servers,
                    encrypted ? "\tencrypted" : "");
        } else {
            emit_item (&emit, json_pack ("{s:s, s:s, s:b, s:b}", "name", name, "servers", servers,
                                         "encrypted", encrypted, "current", is_current));
        }
    }
    if (format != FORMAT_TEXT) {
        emit_end (&emit);
    }
    return CLI_EXIT_OK;
}

static int run (struct contexts *contexts, const struct arguments *arguments)
{
    const char *what = arguments->operands[0];
    const char *name = arguments->operand_count > 1 ? arguments->operands[1] : NULL;
    bool lists = strcmp (what, "ls") == 0;
    if (!lists && strcmp (what, "add") != 0 && strcmp (what, "use") != 0 &&
        strcmp (what, "rm") != 0) {
        message ("context knows add, use, ls and rm, not '%s'", what);
        return CLI_EXIT_USAGE;
    }
    if (lists && name != NULL) {
        message ("context ls takes no name");
        return CLI_EXIT_USAGE;
    }
    if (!lists && name == NULL) {
        message ("context %s: the name is missing", what);
        return CLI_EXIT_USAGE;
    }
    if (lists) {
        return list (contexts, arguments->settings.format);
    }
    enum format format = arguments->settings.format;
    int code = strcmp (what, "add") == 0   ? add (contexts, name, &arguments->settings)
               : strcmp (what, "use") == 0 ? use (contexts, name)
                                           : remove_context (contexts, name);
    return code == CLI_EXIT_OK && format != FORMAT_TEXT
               ? emit_value (format, json_pack ("{s:s}", "name", name))
               : code;
}

int cmd_context (const struct arguments *arguments)
{
    struct contexts contexts;
    int code = contexts_load (&contexts) ? run (&contexts, arguments) : CLI_EXIT_FAILED;
    contexts_deinit (&contexts);
    return code;
}

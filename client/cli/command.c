/* Looks into the table of commands. */

#include "client/cli/command.h"

#include <string.h>

#include "client/base/nearest.h"

const struct command *command_find (const char *name)
{
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp (command_table[i].name, name) == 0) {
            return &command_table[i];
        }
    }
    return NULL;
}

bool command_is_local (const struct command *command)
{
    return command->run == cmd_context || command->run == cmd_help || command->run == cmd_digest ||
           command->run == cmd_completion || command->run == cmd_version;
}

const char *command_suggest (const char *name)
{
    static const char *const others[][2] = {
        {"del", "delete"},      {"backup", "snapshot"},
        {"cat", "get"},         {"check", "status"},
        {"exists", "stat"},     {"lease", "session"},
        {"login", "addauth"},   {"make-mirror", "mirror"},
        {"mkdir", "create"},    {"mv", "cp"},
        {"perf", "bench"},      {"reconfig", "config"},
        {"user", "digest"},     {"list", "ls"},
        {"put", "set"},         {"rm", "delete"},
        {"rmr", "deleteall"},   {"touch", "create"},
        {"add", "incr"},        {"count", "getAllChildrenNumber"},
        {"srvr", "status"},     {"mntr", "status"},
        {"endpoint", "status"}, {"member", "status"},
        {"ruok", "status"},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp (others[i][0], name) == 0) {
            return others[i][1];
        }
    }
    const char *names[64];
    size_t count = 0;
    while (count < command_count && count < sizeof names / sizeof names[0]) {
        names[count] = command_table[count].name;
        count++;
    }
    int nearest = nearest_word (name, names, count);
    return nearest >= 0 ? names[nearest] : NULL;
}

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
        {"del", "delete"},    {"backup", "snapshot"},
        {"cat", "get"},       {"check", "status"},
        {"exists", "stat"},   {"lease", "session"},
        {"login", "addauth"}, {"make-mirror", "mirror"},
        {"mkdir", "create"},  {"mv", "cp"},
        {"perf", "bench"},    {"user", "digest"},
        {"list", "ls"},       {"put", "set"},
        {"rm", "delete"},     {"rmr", "deleteall"},
        {"touch", "create"},  {"add", "incr"},
        {"srvr", "status"},   {"count", "getAllChildrenNumber"},
        {"mntr", "status"},   {"endpoint", "status"},
        {"member", "status"}, {"ruok", "status"},
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

const char *command_missing (const char *name)
{
    static const char reconfig[] =
        "who the servers are cannot be changed while they run, yet. For another machine in place "
        "of "
        "one put its address into the configuration of all, and restart them one by one, the new "
        "one with the same id and an empty dataDir; for more or fewer servers make a new ensemble "
        "of a backup (see: cohort help snapshot, --members)";
    return strcmp (name, "reconfig") == 0 ? reconfig : NULL;
}

/* server/inspect/command.h - cohortd inspect and cohortd repair */
#ifndef SERVER_INSPECT_COMMAND_H
#define SERVER_INSPECT_COMMAND_H

#include <stdbool.h>

/* Whether the word is the name of one of the commands. */
bool inspect_is_command (const char *word);

/* argv[0] is the command. Prints, and returns the exit status: 0 sound, or repaired; 1 damage is
 * there; 2 usage, or the folder cannot be looked at. */
int inspect_command (int argc, char **argv);

#endif

/*
 *  tests/unit/store/folder.c - a folder for one test
 */
#include "tests/unit/store/folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/base/assert.h"

void folder_make (char folder[FOLDER_SIZE])
{
    const char *above = getenv ("TMPDIR");
    int size =
        snprintf (folder, FOLDER_SIZE, "%s/cohort-store-XXXXXX", above != NULL ? above : "/tmp");
    COHORT_ASSERT (size > 0 && size < FOLDER_SIZE);
    COHORT_ASSERT (mkdtemp (folder) != NULL);
}

static void remove_level (const char *folder, int depth)
{
    DIR *names = opendir (folder);
    COHORT_ASSERT (names != NULL);
    struct dirent *entry;
    while ((entry = readdir (names)) != NULL) {
        char path[2 * FOLDER_SIZE + 64];
        if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0) {
            continue;
        }
        (void) snprintf (path, sizeof path, "%s/%s", folder, entry->d_name);
        if (unlink (path) != 0 && depth > 0) {
            remove_level (path, depth - 1);
        }
    }
    (void) closedir (names);
    (void) rmdir (folder);
}

void folder_remove (const char *folder)
{
    remove_level (folder, 1);
}

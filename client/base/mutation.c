/* Bugs that tests can switch on: see mutation.h. Only in a build with COHORT_MUTATIONS. */

#include "client/base/mutation.h"

#include <string.h>

/* What is the same for the whole process, for there is no object to hang it on. */
static const char *selected, *forgiven;
static bool reached;

void mutation_select (const char *name)
{
    selected = name;
    reached = false;
}

bool mutation_is (const char *name)
{
    if (selected == NULL || strcmp (name, selected) != 0) {
        return false;
    }
    reached = true;
    return true;
}

bool mutation_reached (void)
{
    return reached;
}

void mutation_forgive (const char *files)
{
    forgiven = files;
}

bool mutation_forgives (const char *file)
{
    for (const char *at = forgiven; at != NULL && *at != '\0';) {
        size_t size = strcspn (at, ",");
        for (const char *part = file; *part != '\0'; part++) {
            if (strncmp (part, at, size) == 0) {
                return true;
            }
        }
        at += size + (at[size] == ',');
    }
    return false;
}

#include "client/cli/message.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cohort/error.h"

/* Bytes of a message; of a path in one that names it up to three times. */
#define MESSAGE_SIZE   2048
#define PATH_SHOWN_MAX 240
/* By so much of it a path is known again. */
#define PATH_KNOWN_MAX 60

void message (const char *format, ...)
{
    char text[MESSAGE_SIZE];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (text, sizeof text, format, arguments);
    va_end (arguments);
    /* One write: several processes of a command may have something to say at once. */
    char line[sizeof "cohort: \n" + 4 * MESSAGE_SIZE] = "cohort: ";
    size_t used = strlen (line);
    /* What people typed, or a server said, gives no orders to a terminal. */
    for (const unsigned char *at = (const unsigned char *) text; *at != 0; at++) {
        bool control = *at < 0x20 || *at == 0x7f;
        used +=
            (size_t) snprintf (line + used, sizeof line - used, control ? "\\x%02x" : "%c", *at);
    }
    line[used++] = '\n';
    fwrite (line, 1, used, stderr);
}

/* The parent of a path as precision and start of a "%.*s". */
static int parent_size (const char *path)
{
    const char *slash = strrchr (path, '/');
    return slash == NULL || slash == path ? 1 : (int) (slash - path);
}

static void explain_chroot (char *buffer, size_t size, const char *path)
{
    snprintf (
        buffer, size,
        "%s: there is no /: the chroot of --servers does not exist (create it without chroot)",
        path);
}

static bool explain_create (char *buffer, size_t size, const char *path, int rc)
{
    int parent = parent_size (path);
    switch (rc) {
    case COHORT_ENONODE:
        if (parent == 1) {
            explain_chroot (buffer, size, path);
            return true;
        }
        snprintf (buffer, size,
                  "%s: its parent %.*s does not exist (create it with: cohort create %.*s)", path,
                  parent, path, parent, path);
        return true;
    case COHORT_ENODEEXISTS:
        snprintf (buffer, size, "%s: the znode exists already (change it with: cohort set %s DATA)",
                  path, path);
        return true;
    case COHORT_ENOCHILDREN4EPHEMERALS:
        snprintf (buffer, size, "%s: its parent %.*s is ephemeral and so cannot have children",
                  path, parent, path);
        return true;
    default:
        return false;
    }
}

static bool explain_write (char *buffer, size_t size, enum activity activity, const char *path,
                           int rc)
{
    switch (rc) {
    case COHORT_EBADVERSION:
        snprintf (buffer, size,
                  "%s: the version does not match: somebody has changed the %s (see %s in: cohort "
                  "stat %s)",
                  path, activity == ACTIVITY_SET_ACL ? "list" : "znode",
                  activity == ACTIVITY_SET_ACL ? "aclVersion" : "dataVersion", path);
        return true;
    case COHORT_EINVAL:
        if (activity != ACTIVITY_DELETE || strcmp (path, "/") != 0) {
            return false;
        }
        snprintf (buffer, size, "/ cannot be deleted");
        return true;
    case COHORT_ENOTEMPTY:
        snprintf (buffer, size,
                  "%s: the znode has children (delete them as well with: cohort deleteall %s)",
                  path, path);
        return true;
    default:
        return false;
    }
}

static bool explain_missing (char *buffer, size_t size, enum activity activity, const char *path,
                             int rc)
{
    if (rc != COHORT_ENONODE) {
        return false;
    }
    if (strcmp (path, "/") == 0) {
        explain_chroot (buffer, size, path);
    } else if (activity == ACTIVITY_DELETE) {
        snprintf (buffer, size, "%s: the znode does not exist", path);
    } else if (activity == ACTIVITY_WHY) {
        snprintf (buffer, size, "%s: the znode does not exist: nobody holds it, and nobody waits",
                  path);
    } else {
        snprintf (buffer, size,
                  "%s: the znode does not exist (create it with: cohort create %s %s)", path, path,
                  activity == ACTIVITY_SET ? "DATA" : "[DATA]");
    }
    return true;
}

/* Whether what the library said names another znode than the command: one below, perhaps. */
static bool names_another (const char *detail, const char *path)
{
    const char *named = detail != NULL ? strstr (detail, " /") : NULL;
    size_t size = strlen (path);
    return named != NULL && (strncmp (named + 1, path, size) != 0 || named[1 + size] != ':');
}

static const char takes_admin[] = ": it takes an administrator";

static bool explain_access (char *buffer, size_t size, const char *path, int rc, const char *detail)
{
    if (rc == COHORT_EINVALIDACL && path[0] == '/') {
        snprintf (buffer, size,
                  "%s: the access control list is not valid (auth:: stands for users that the "
                  "session has proven to be: see cohort help addauth)",
                  path);
        return true;
    }
    if (rc != COHORT_ENOAUTH) {
        return false;
    }
    /* Where there are administrators quotas take one, whatever transaction sets them. */
    if (detail != NULL && path[0] == '/' && strstr (detail, " /zookeeper/quota") != NULL) {
        detail = takes_admin;
    }
    /* "get /a/b: no permission: it takes READ on it (...)" */
    const char *end = detail != NULL ? strstr (detail, ": no permission") : NULL;
    const char *needs = detail != NULL ? strstr (detail, ": it takes ") : NULL;
    size_t needs_size = needs != NULL ? strcspn (needs, "(") : 0;
    needs_size -= needs_size > 0 && needs[needs_size] == '(';
    bool another = end != NULL && names_another (detail, path);
    bool admin = needs != NULL && strncmp (needs, takes_admin, sizeof takes_admin - 1) == 0;
    snprintf (buffer, size, "%.*s: no permission%.*s (who this session is: cohort whoami%s)",
              another ? (int) (end - detail) : PATH_SHOWN_MAX + 4, another ? detail : path,
              (int) needs_size, needs != NULL ? needs : "",
              admin            ? "; how to be one: cohort help admins"
              : path[0] == '/' ? "; who may: cohort getAcl PATH"
                               : "");
    return true;
}

static bool explain_sum (char *buffer, size_t size, const char *path, int rc)
{
    switch (rc) {
    case COHORT_EBOUNDS:
        snprintf (buffer, size,
                  "%s: the sum would be below the floor or above the ceiling: nothing has been "
                  "changed (see it with: cohort get %s)",
                  path, path);
        return true;
    case COHORT_ENOTNUMBER:
        snprintf (buffer, size,
                  "%s: the data is not a decimal number of 64 bits (see it with: cohort get %s; "
                  "begin anew with: cohort set %s 0)",
                  path, path, path);
        return true;
    default:
        return false;
    }
}

static bool names (const char *text, const char *path)
{
    char known[PATH_KNOWN_MAX + 1];
    snprintf (known, sizeof known, "%s", path);
    return strstr (text, known) != NULL;
}

void explain (char *buffer, size_t size, enum activity activity, const char *path, int rc,
              const char *detail)
{
    char beginning[PATH_SHOWN_MAX + 4];
    if (strlen (path) > PATH_SHOWN_MAX) {
        snprintf (beginning, sizeof beginning, "%.*s...", PATH_SHOWN_MAX, path);
        path = beginning;
    }
    bool changes =
        activity == ACTIVITY_SET || activity == ACTIVITY_DELETE || activity == ACTIVITY_SET_ACL;
    if (explain_access (buffer, size, path, rc, detail) ||
        (activity == ACTIVITY_CREATE && explain_create (buffer, size, path, rc)) ||
        (changes && explain_write (buffer, size, activity, path, rc)) ||
        explain_sum (buffer, size, path, rc) ||
        explain_missing (buffer, size, activity, path, rc)) {
        return;
    }
    bool has_detail = detail != NULL && *detail != 0;
    const char *text = has_detail ? detail : cohort_error_text (rc);
    /* What the library says about an argument names it already. */
    if (activity == ACTIVITY_SYNC || names (text, path)) {
        snprintf (buffer, size, "%s", text);
    } else {
        snprintf (buffer, size, "%s: %s", path, text);
    }
}

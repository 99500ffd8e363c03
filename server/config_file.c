/*
 * server/config_file.c - the configuration file of cohortd
 */
#include "server/config_file.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config_line.h"

enum { FILE_SIZE_MAX = 1024 * 1024 };

/* ---- Text -------------------------------------------------------------------------------- */

static char *trim (char *text)
{
    while (isspace ((unsigned char) *text)) {
        text++;
    }
    size_t size = strlen (text);
    while (size > 0 && isspace ((unsigned char) text[size - 1])) {
        text[--size] = '\0';
    }
    return text;
}

static int parse_line (struct config_line *line, char *text)
{
    char *key = trim (text);
    if (*key == '\0' || *key == '#' || *key == '!') {
        return 0;
    }
    char *equals = strchr (key, '=');
    if (!equals) {
        (void) snprintf (line->error, line->error_size,
                         "%s:%d: '%.100s' must be a line of the form key=value", line->file,
                         line->number, key);
        return COHORT_ECONFIG;
    }
    *equals = '\0';
    line->key = trim (key);
    line->value = trim (equals + 1);
    if (*line->value == '\0') {
        return config_complain (line, "has no value");
    }
    return config_set_key (line);
}

void config_file_init (struct config_file *self)
{
    memset (self, 0, sizeof *self);
    memcpy (self->clients, "tcp://127.0.0.1:5181", sizeof "tcp://127.0.0.1:5181");
    self->log_level = COHORT_LOG_INFO;
}

static int parse (struct config_file *self, const char *name, const char *text, char *error,
                  size_t error_size)
{
    int set_at[CONFIG_KEYS_MAX] = {0};
    struct config_line line = {
        .config = self, .file = name, .set_at = set_at, .error = error, .error_size = error_size};
    char copy[CONFIG_VALUE_SIZE * 2];

    while (*text) {
        size_t size = strcspn (text, "\n");
        line.number++;
        if (size >= sizeof copy) {
            (void) snprintf (error, error_size, "%s:%d: the line is longer than %zu bytes", name,
                             line.number, sizeof copy - 1);
            return COHORT_ECONFIG;
        }
        memcpy (copy, text, size);
        copy[size] = '\0';
        int rc = parse_line (&line, copy);
        if (rc != 0) {
            return rc;
        }
        text += size + (text[size] == '\n');
    }
    return 0;
}

int config_file_parse (struct config_file *self, const char *name, const char *text, char *error,
                       size_t error_size)
{
    int rc = parse (self, name, text, error, error_size);
    if (rc != 0) {
        config_escape_controls (error, error_size);
    }
    return rc;
}

/* ---- Files ------------------------------------------------------------------------------- */

/* The whole file, to be freed; NULL: error says why. */
static char *read_file (const char *path, const char *advice, char *error, size_t error_size)
{
    FILE *file = fopen (path, "r");
    char *text = file ? malloc (FILE_SIZE_MAX) : NULL;
    if (!text) {
        (void) snprintf (error, error_size, "%s: cannot be read: %s%s", path, strerror (errno),
                         advice);
        if (file) {
            (void) fclose (file);
        }
        return NULL;
    }
    errno = 0;
    size_t size = fread (text, 1, FILE_SIZE_MAX - 1, file);
    if (ferror (file)) {
        (void) snprintf (error, error_size, "%s: cannot be read: %s", path, strerror (errno));
        (void) fclose (file);
        free (text);
        return NULL;
    }
    bool bad = size == FILE_SIZE_MAX - 1 || memchr (text, '\0', size);
    (void) fclose (file);
    if (bad) {
        (void) snprintf (error, error_size, "%s: is no text file of less than 1 MiB", path);
        free (text);
        return NULL;
    }
    text[size] = '\0';
    return text;
}

static int read_myid (struct config_file *self, char *error, size_t error_size)
{
    char path[CONFIG_VALUE_SIZE + 8];
    (void) snprintf (path, sizeof path, "%s/myid", self->data_dir);
    char *text =
        read_file (path, " (it holds this server's id, the N of its server.N line; or set id=N)",
                   error, error_size);
    if (!text) {
        return COHORT_ECONFIG;
    }
    char *word = trim (text);
    bool good = config_parse_id (word, &self->id);
    if (!good) {
        (void) snprintf (error, error_size, "%s: '%.40s' is no server id (a number from 1)", path,
                         word);
    }
    free (text);
    return good ? 0 : COHORT_ECONFIG;
}

bool config_endpoint_is_local (const char *endpoint)
{
    static const char loopback[] = "tcp://127.";
    static const char *const local[] = {"ipc://", "inproc://", "tcp://localhost:", "tcp://[::1]:"};
    /* All of 127.0.0.0/8, but not a name that begins so. */
    if (strncmp (endpoint, loopback, strlen (loopback)) == 0) {
        return endpoint[strlen ("tcp://") + strspn (endpoint + strlen ("tcp://"), "0123456789.")] ==
               ':';
    }
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        if (strncmp (endpoint, local[i], strlen (local[i])) == 0) {
            return true;
        }
    }
    return false;
}

const char *config_exposed (const char *endpoints, size_t *size)
{
    for (const char *at = endpoints; *at; at += *size, at += *at == ',') {
        *size = strcspn (at, ",");
        if (!config_endpoint_is_local (at)) {
            return at;
        }
    }
    return NULL;
}

static int check_exposed (const struct config_file *self, const char *path, const char *endpoints,
                          const char *what, char *error, size_t error_size)
{
    size_t size;
    const char *exposed = self->insecure ? NULL : config_exposed (endpoints, &size);
    if (!exposed) {
        return 0;
    }
    (void) snprintf (error, error_size,
                     "%s: %s: %.*s can be reached by other machines, and no keys are configured: "
                     "set insecure=yes if the network is trusted",
                     path, what, (int) size, exposed);
    return COHORT_ECONFIG;
}

/* The whole: what the lines cannot say one by one. */
static int check (struct config_file *self, const char *path, char *error, size_t error_size)
{
    bool named = self->servers_count == 0;
    bool voter = self->servers_count == 0;

    if (!*self->data_dir) {
        (void) snprintf (error, error_size, "%s: dataDir is missing: set dataDir=FOLDER", path);
        return COHORT_ECONFIG;
    }
    int rc = self->servers_count > 0 && self->id == 0 ? read_myid (self, error, error_size) : 0;
    if (rc == 0 && !*self->certificate) {
        rc = check_exposed (self, path, self->clients, "clients", error, error_size);
    }
    for (size_t i = 0; rc == 0 && i < self->servers_count; i++) {
        named |= self->servers[i].id == self->id;
        voter |= !self->servers[i].observer;
        rc = check_exposed (self, path, self->servers[i].address, "server.N", error, error_size);
    }
    if (rc == 0 && !named) {
        (void) snprintf (error, error_size,
                         "%s: this server's id is %u (from id= or dataDir/myid), but there is no "
                         "server.%u",
                         path, self->id, self->id);
        return COHORT_ECONFIG;
    }
    if (rc == 0 && !voter) {
        (void) snprintf (error, error_size,
                         "%s: all servers are observers: one at least must have a vote", path);
        return COHORT_ECONFIG;
    }
    if (rc == 0 && self->replace_admins && !*self->admins) {
        (void) snprintf (error, error_size,
                         "%s: replaceAdmins=yes, but by whom? Name them with admin=SCHEME:ID",
                         path);
        return COHORT_ECONFIG;
    }
    if (rc == 0 && self->session_timeout_max_ms > 0 &&
        self->session_timeout_min_ms > self->session_timeout_max_ms) {
        (void) snprintf (error, error_size,
                         "%s: minSessionTimeout=%" PRIu32
                         " is more than maxSessionTimeout=%" PRIu32,
                         path, self->session_timeout_min_ms, self->session_timeout_max_ms);
        return COHORT_ECONFIG;
    }
    return rc;
}

int config_file_load (struct config_file *self, const char *path, char *error, size_t error_size)
{
    char *text = read_file (path, "", error, error_size);
    int rc = text ? parse (self, path, text, error, error_size) : COHORT_ECONFIG;
    free (text);
    rc = rc ? rc : check (self, path, error, error_size);
    if (rc != 0) {
        config_escape_controls (error, error_size);
    }
    return rc;
}

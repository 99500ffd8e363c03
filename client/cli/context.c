#include "client/cli/context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/message.h"

static bool find_file (struct contexts *self)
{
    const char *config = getenv ("XDG_CONFIG_HOME"), *home = getenv ("HOME");
    int size = -1;
    if (config != NULL && *config == '/') {
        size = snprintf (self->file, sizeof self->file, "%s/cohort/contexts.json", config);
    } else if (home != NULL && *home != 0) {
        size = snprintf (self->file, sizeof self->file, "%s/.config/cohort/contexts.json", home);
    }
    if (size < 0 || (size_t) size >= sizeof self->file) {
        self->file[0] = 0;
    }
    return self->file[0] != 0;
}

static bool is_sound (const json_t *root)
{
    const json_t *list = json_object_get (root, "contexts");
    const char *name;
    json_t *context;
    if (!json_is_object (root) || !json_is_object (list)) {
        return false;
    }
    json_object_foreach ((json_t *) list, name, context)
    {
        if (!json_is_string (json_object_get (context, "servers"))) {
            return false;
        }
    }
    return true;
}

bool contexts_load (struct contexts *self)
{
    memset (self, 0, sizeof *self);
    FILE *file = find_file (self) ? fopen (self->file, "rb") : NULL;
    if (file == NULL) {
        if (self->file[0] != 0 && errno != ENOENT && errno != ENOTDIR) {
            message ("%s: %s", self->file, strerror (errno));
            return false;
        }
        self->root = json_pack ("{s:{}}", "contexts");
        return self->root != NULL;
    }
    json_error_t error;
    self->root = json_loadf (file, JSON_REJECT_DUPLICATES, &error);
    fclose (file);
    if (!is_sound (self->root)) {
        message ("%s: is damaged: correct it, or remove it and add the contexts again", self->file);
        return false;
    }
    return true;
}

/* The folder of the file, and those above it. */
static bool make_folders (const char *file)
{
    char path[CONTEXT_FILE_SIZE];
    snprintf (path, sizeof path, "%s", file);
    for (char *slash = strchr (path + 1, '/'); slash != NULL; slash = strchr (slash + 1, '/')) {
        *slash = 0;
        if (mkdir (path, 0700) != 0 && errno != EEXIST) {
            return false;
        }
        *slash = '/';
    }
    return true;
}

static bool write_file (const json_t *root, const char *path)
{
    int descriptor = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = descriptor >= 0 ? fdopen (descriptor, "wb") : NULL;
    if (file == NULL) {
        return false;
    }
    bool worked = json_dumpf (root, file, JSON_INDENT (2) | JSON_SORT_KEYS) == 0 &&
                  fputc ('\n', file) != EOF && fflush (file) == 0 && fsync (descriptor) == 0;
    return fclose (file) == 0 && worked;
}

bool contexts_save (const struct contexts *self)
{
    if (self->file[0] == 0) {
        message ("contexts have no place: neither XDG_CONFIG_HOME nor HOME is set");
        return false;
    }
    char temporary[CONTEXT_FILE_SIZE + 32];
    snprintf (temporary, sizeof temporary, "%s.%ld", self->file, (long) getpid ());
    if (!make_folders (self->file) || !write_file (self->root, temporary) ||
        rename (temporary, self->file) != 0) {
        message ("%s: %s", self->file, strerror (errno));
        unlink (temporary);
        return false;
    }
    return true;
}

void contexts_deinit (struct contexts *self)
{
    json_decref (self->root);
    self->root = NULL;
}

json_t *contexts_find (const struct contexts *self, const char *name)
{
    return json_object_get (json_object_get (self->root, "contexts"), name);
}

const char *contexts_current (const struct contexts *self)
{
    return json_string_value (json_object_get (self->root, "current"));
}

bool contexts_apply (const struct contexts *self, struct settings *settings)
{
    const char *name = settings->context;
    if (name == NULL || settings->context_source < settings->servers_source) {
        name = settings->servers_source == SOURCE_DEFAULT ? contexts_current (self) : NULL;
    }
    if (name == NULL) {
        return true;
    }
    if (settings->context != NULL && settings->context_source == settings->servers_source) {
        message ("--servers and --context exclude each other");
        return false;
    }
    const json_t *context = contexts_find (self, name);
    if (context == NULL) {
        message ("there is no context '%s' (see: cohort context ls)", name);
        return false;
    }
    settings->servers = json_string_value (json_object_get (context, "servers"));
    if (settings->server_key == NULL) {
        settings->server_key = json_string_value (json_object_get (context, "server_key"));
    }
    if (settings->auth == NULL && settings->auth_file == NULL) {
        settings->auth_file = json_string_value (json_object_get (context, "auth_file"));
    }
    return true;
}

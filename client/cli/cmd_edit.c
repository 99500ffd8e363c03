/* edit: the data of a znode in an editor, set if nobody has changed it meanwhile. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/cli/arguments.h"
#include "client/cli/data.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "client/cli/session.h"

struct edit {
    const char *path;
    char file[256];
    void *before;
    size_t before_size;
    struct data after;
    cohort_stat_t stat;
};

static bool write_file (struct edit *self)
{
    const char *folder = getenv ("TMPDIR");
    snprintf (self->file, sizeof self->file, "%.200s/cohort-edit.XXXXXX",
              folder != NULL && *folder != 0 ? folder : "/tmp");
    int descriptor = mkstemp (self->file); /* for its owner alone */
    FILE *file = descriptor >= 0 ? fdopen (descriptor, "wb") : NULL;
    bool worked =
        file != NULL && fwrite (self->before, 1, self->before_size, file) == self->before_size;
    if (file != NULL) {
        worked = fclose (file) == 0 && worked;
    }
    if (!worked) {
        message ("%s: %s", self->file, strerror (errno));
    }
    return worked;
}

static bool run_editor (const struct edit *self)
{
    const char *editor = getenv ("VISUAL");
    editor = editor != NULL && *editor != 0 ? editor : getenv ("EDITOR");
    editor = editor != NULL && *editor != 0 ? editor : "vi";
    fflush (NULL);
    pid_t child = fork ();
    if (child == 0) {
        /* Through a shell, for EDITOR may have arguments; the file is one of its own. */
        char command[512];
        int size = snprintf (command, sizeof command, "%s \"$1\"", editor);
        if (size > 0 && (size_t) size < sizeof command) {
            execl ("/bin/sh", "sh", "-c", command, "sh", self->file, (char *) NULL);
        }
        _exit (127);
    }
    int status = 0;
    if (child < 0 || waitpid (child, &status, 0) < 0) {
        message ("the editor could not be run: %s", strerror (errno));
        return false;
    }
    if (!WIFEXITED (status) || WEXITSTATUS (status) != 0) {
        message ("the editor '%s' failed: nothing has been changed", editor);
        return false;
    }
    return true;
}

static bool read_file (struct edit *self)
{
    FILE *file = fopen (self->file, "rb");
    bool worked = file != NULL && data_read_stream (&self->after, file, self->file);
    if (file == NULL) {
        message ("%s: %s", self->file, strerror (errno));
    } else {
        fclose (file);
    }
    return worked;
}

/* An editor adds a line feed at the end: it goes again if there was none. */
static void trim_feed (struct edit *self)
{
    const char *before = self->before;
    bool had = self->before_size > 0 && before[self->before_size - 1] == '\n';
    if (!had && self->after.size > 0 && self->after.bytes[self->after.size - 1] == '\n') {
        self->after.size--;
    }
}

static int read_znode (struct edit *self, const struct settings *settings)
{
    struct session session;
    int code = session_open (&session, settings, NULL);
    if (code == CLI_EXIT_OK) {
        int rc =
            cohort_get (session.client, self->path, &self->before, &self->before_size, &self->stat);
        code = session_result (&session, ACTIVITY_READ, self->path, rc);
        session_close (&session);
    }
    return code;
}

/* The session of before may have ended while somebody was thinking. */
static int write_znode (struct edit *self, const struct settings *settings)
{
    struct session session;
    int code = session_open (&session, settings, NULL);
    if (code == CLI_EXIT_OK) {
        int rc = cohort_set (session.client, self->path, self->after.bytes, self->after.size,
                             self->stat.version, &self->stat);
        code = session_result (&session, ACTIVITY_SET, self->path, rc);
        session_close (&session);
    }
    return code;
}

static int edit (struct edit *self, const struct settings *settings)
{
    if (!write_file (self) || !run_editor (self) || !read_file (self)) {
        return CLI_EXIT_FAILED;
    }
    trim_feed (self);
    if (self->after.size == self->before_size &&
        (self->after.size == 0 ||
         memcmp (self->after.bytes, self->before, self->after.size) == 0)) {
        message ("%s: not changed", self->path);
        unlink (self->file);
        return CLI_EXIT_OK;
    }
    int code = write_znode (self, settings);
    if (code == CLI_EXIT_OK) {
        unlink (self->file);
    } else {
        message ("what you wrote is in %s", self->file);
    }
    return code;
}

int cmd_edit (const struct arguments *arguments)
{
    struct edit self = {.path = arguments->operands[0]};
    int code = read_znode (&self, &arguments->settings);
    if (code == CLI_EXIT_OK) {
        code = edit (&self, &arguments->settings);
    }
    if (code == CLI_EXIT_OK && arguments->settings.format != FORMAT_TEXT) {
        code = emit_value (
            arguments->settings.format,
            json_pack ("{s:s, s:o}", "path", self.path, "stat", output_json_stat (&self.stat)));
    }
    cohort_free (self.before);
    data_deinit (&self.after);
    return code;
}

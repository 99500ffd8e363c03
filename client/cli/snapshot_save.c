#include "client/cli/snapshot_save.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/auth.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"
#include "client/cli/progress.h"
#include "client/cli/security.h"
#include "client/cli/session.h"
#include "cohort/client.h"

#define PATH_SIZE 4096

struct save {
    const char *file;
    char temporary[PATH_SIZE];
    int fd;
    struct progress progress;
    bool shown;
    char server[256]; /* that the last piece came from */
    uint64_t zxid;
    const char *servers;
    cohort_snapshot_options_t options;
    bool asked;
    int rc, system_error;
    char error[512];
};

/* ---- Signals --------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void on_signal (int number)
{
    interrupted = number;
}

/* Without SA_RESTART: who waits shall look. */
static void catch_signals (void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset (&action.sa_mask);
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
}

/* ---- The file -------------------------------------------------------------------------------- */

static int cannot (const char *what, const char *path)
{
    message ("%s: %s: %s", path, what, strerror (errno));
    return CLI_EXIT_FAILED;
}

/* Told before a server has been asked for everything. What is no file - a device - must not be
 * replaced by one. */
static bool can_replace (const char *file)
{
    struct stat info;
    if (stat (file, &info) != 0 || S_ISREG (info.st_mode)) {
        return true; /* if its name is not possible, it cannot be created */
    }
    if (S_ISDIR (info.st_mode)) {
        message ("%s is a folder: name a file in it", file);
    } else {
        message ("%s is no regular file: name another one", file);
    }
    return false;
}

static int create_temporary (struct save *self)
{
    int size = snprintf (self->temporary, sizeof self->temporary, "%s.part-XXXXXX", self->file);
    if (size < 0 || (size_t) size >= sizeof self->temporary) {
        message ("the name of the file is too long");
        return CLI_EXIT_USAGE;
    }
    self->fd = mkstemp (self->temporary);
    return self->fd >= 0 ? CLI_EXIT_OK : cannot ("cannot be created", self->temporary);
}

static bool write_all (int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write (fd, data, size);
        if (done < 0 && errno != EINTR) {
            return false;
        }
        if (done > 0) {
            data += done;
            size -= (size_t) done;
        }
    }
    return true;
}

/* Another server begins from the beginning. */
static bool begin_anew (struct save *self, const cohort_snapshot_t *snapshot)
{
    if (self->shown) {
        progress_end (&self->progress);
    }
    progress_init (&self->progress, "saving", snapshot->size);
    self->shown = true;
    self->zxid = snapshot->zxid;
    snprintf (self->server, sizeof self->server, "%s", snapshot->server);
    return ftruncate (self->fd, 0) == 0 && lseek (self->fd, 0, SEEK_SET) == 0;
}

static int take_piece (void *arg, const cohort_snapshot_t *snapshot, const void *data, size_t size)
{
    struct save *self = arg;
    if (interrupted != 0) {
        return COHORT_ECLOSING;
    }
    if (data == NULL) {
        return 0;
    }
    if ((snapshot->offset == 0 && !begin_anew (self, snapshot)) ||
        !write_all (self->fd, data, size)) {
        return COHORT_ESYSTEM;
    }
    progress_show (&self->progress, snapshot->offset + size);
    return 0;
}

/* The names in the file's folder are durable. */
static bool sync_folder (const char *file)
{
    char folder[PATH_SIZE];
    const char *slash = strrchr (file, '/');
    size_t size = slash == NULL ? 0 : slash == file ? 1 : (size_t) (slash - file);
    memcpy (folder, file, size);
    folder[size] = '\0';
    int fd = open (size > 0 ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync (fd) == 0;
    if (fd >= 0) {
        close (fd);
    }
    return good;
}

/* Durable and verified, and only then under its name. */
static int finish (struct save *self, struct backup_info *info)
{
    char error[512];
    bool good = fsync (self->fd) == 0;
    good = close (self->fd) == 0 && good;
    self->fd = -1;
    if (!good) {
        return cannot ("cannot be written", self->temporary);
    }
    if (backup_verify (self->temporary, info, error, sizeof error) != 0) {
        message ("what %s has sent is of no use: %s", self->server, error);
        return CLI_EXIT_FAILED;
    }
    if (info->zxid != self->zxid) {
        message ("what %s has sent is another snapshot than it says", self->server);
        return CLI_EXIT_FAILED;
    }
    if (rename (self->temporary, self->file) != 0) {
        return cannot ("cannot be renamed", self->temporary);
    }
    self->temporary[0] = '\0';
    return sync_folder (self->file) ? CLI_EXIT_OK
                                    : cannot ("its folder cannot be synced", self->file);
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void ask (struct save *self)
{
    self->asked = true;
    self->error[0] = '\0';
    self->rc = cohort_snapshot_read (self->servers, &self->options, take_piece, self, self->error,
                                     sizeof self->error);
    self->system_error = errno;
}

/* One of them is enough: the next is tried only if this one is no administrator. */
static int ask_as (void *arg, const struct credential *credential)
{
    struct save *self = arg;
    if (self->asked && self->rc != COHORT_ENOAUTH) {
        return CLI_EXIT_OK;
    }
    self->options.auth_scheme = credential->scheme;
    self->options.auth_user = credential->user;
    self->options.auth_password = credential->password;
    ask (self);
    return CLI_EXIT_OK;
}

static int receive (struct save *self, const struct settings *settings)
{
    struct security security;
    if (!security_init (&security, settings->server_key)) {
        return CLI_EXIT_USAGE;
    }
    if (settings->key_file != NULL && !security_take_file (&security, settings->key_file)) {
        return CLI_EXIT_USAGE;
    }
    cohort_options_t keys = {.size = sizeof keys};
    security_apply (&security, &keys);
    self->servers = settings->servers;
    self->options = (cohort_snapshot_options_t){
        .size = sizeof self->options,
        .connect_timeout_ms = settings->timeout_given ? settings->timeout_ms : SESSION_SILENCE_MS,
        .silence_ms = settings->timeout_ms,
        .server_key = keys.server_key,
        .public_key = keys.public_key,
        .secret_key = keys.secret_key};
    int code = auth_each (settings, ask_as, self);
    if (code == CLI_EXIT_OK && !self->asked) {
        ask (self);
    }
    if (self->shown) {
        progress_end (&self->progress);
    }
    if (code != CLI_EXIT_OK || self->rc == 0) {
        return code;
    }
    if (interrupted != 0) {
        message ("interrupted: nothing was saved");
        return 128 + interrupted;
    }
    if (self->rc == COHORT_ESYSTEM && self->error[0] == '\0') {
        errno = self->system_error;
        return cannot ("cannot be written", self->temporary);
    }
    message ("snapshot save: %s",
             self->error[0] != '\0' ? self->error : cohort_error_text (self->rc));
    return exit_code_of (self->rc);
}

int snapshot_save (const struct settings *settings, const char *file, struct backup_info *info)
{
    struct save self = {.file = file, .fd = -1};
    if (!can_replace (file)) {
        return CLI_EXIT_USAGE;
    }
    catch_signals ();
    int code = create_temporary (&self);
    if (code == CLI_EXIT_OK) {
        code = receive (&self, settings);
        if (code == CLI_EXIT_OK) {
            code = finish (&self, info);
        }
        if (self.fd >= 0) {
            close (self.fd);
        }
        if (self.temporary[0] != '\0') {
            unlink (self.temporary);
        }
    }
    return code;
}

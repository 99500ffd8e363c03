#include "client/cli/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "client/base/secret.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"

void credential_wipe (struct credential *self)
{
    secret_wipe (self, sizeof *self);
}

/* ---- Asking ------------------------------------------------------------------------------ */

/* A line without its feed. False: there is none, or it is too long. */
static bool read_line (int descriptor, char *line, size_t size)
{
    size_t used = 0;
    for (;;) {
        char byte;
        ssize_t got = read (descriptor, &byte, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0 || byte == '\n') {
            line[used] = 0;
            return got > 0 || used > 0;
        }
        if (used + 1 == size) {
            return false;
        }
        line[used++] = byte;
    }
}

/* What is typed is not shown. */
static bool ask_terminal (int terminal, const char *question, const char *user, char *line,
                          size_t size)
{
    struct termios before, quiet;
    if (tcgetattr (terminal, &before) != 0) {
        return false;
    }
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t) ECHO;
    quiet.c_lflag |= ICANON | ECHONL;
    /* The question comes last: whoever answers at once would answer into what is thrown away. */
    bool worked = tcsetattr (terminal, TCSAFLUSH, &quiet) == 0 &&
                  dprintf (terminal, "%s %s: ", question, user) > 0 &&
                  read_line (terminal, line, size);
    tcsetattr (terminal, TCSADRAIN, &before);
    return worked;
}

/* False: a message has been printed. */
static bool ask (char *line, size_t size, const char *user, enum password_source source, bool twice)
{
    if (source == PASSWORD_INPUT && !isatty (STDIN_FILENO)) {
        if (!read_line (STDIN_FILENO, line, size) || *line == 0) {
            message ("the password of %s is expected as a line of standard input", user);
            return false;
        }
        return true;
    }
    int terminal = open ("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0) {
        message ("the password of %s cannot be asked for: there is no terminal (see: cohort help "
                 "addauth)",
                 user);
        return false;
    }
    char again[CREDENTIAL_SIZE];
    bool worked = ask_terminal (terminal, "Password of", user, line, size);
    bool same = true;
    if (worked && *line != 0 && twice) {
        worked = ask_terminal (terminal, "Once more, the password of", user, again, sizeof again);
        same = worked && strcmp (line, again) == 0;
        secret_wipe (again, sizeof again);
    }
    close (terminal);
    if (!worked || !same || *line == 0) {
        message (worked && !same ? "the passwords differ" : "there is no password");
    }
    return worked && same && *line != 0;
}

bool credential_ask (struct credential *self, const char *scheme, const char *user,
                     enum password_source source, bool twice)
{
    int size = snprintf (self->text, sizeof self->text, "%s:%s:", scheme, user);
    if (size < 0 || (size_t) size >= sizeof self->text) {
        message ("the name of the user is too long");
        return false;
    }
    size_t scheme_size = strlen (scheme);
    self->text[scheme_size] = self->text[size - 1] = 0;
    self->scheme = self->text;
    self->user = self->text + scheme_size + 1;
    self->password = self->text + size;
    return ask (self->text + size, sizeof self->text - (size_t) size, user, source, twice);
}

bool credential_parse (struct credential *self, const char *text, const char *what,
                       enum password_source source)
{
    const char *colon = strchr (text, ':');
    size_t size = strlen (text);
    if (colon == NULL || size >= sizeof self->text) {
        message ("%s: is not SCHEME:USER:PASSWORD, such as digest:alice:...", what);
        return false;
    }
    memcpy (self->text, text, size + 1);
    char *user = self->text + (colon - text) + 1, *password = strchr (user, ':');
    user[-1] = 0;
    self->scheme = self->text;
    self->user = user;
    if (password == NULL) {
        struct credential asked;
        bool worked = credential_ask (&asked, self->scheme, user, source, false);
        if (worked) {
            size_t used = (size_t) (asked.password - asked.text) + strlen (asked.password) + 1;
            memcpy (self->text, asked.text, used);
            self->user = self->text + (asked.user - asked.text);
            self->password = self->text + (asked.password - asked.text);
        }
        credential_wipe (&asked);
        return worked;
    }
    *password = 0;
    self->password = password + 1;
    return true;
}

/* ---- Proving ----------------------------------------------------------------------------- */

int auth_prove (cohort_t *client, const struct credential *credential)
{
    int rc = cohort_add_auth (client, credential->scheme, credential->user, credential->password);
    if (rc != COHORT_OK) {
        char detail[256] = "";
        cohort_errmsg (client, detail, sizeof detail);
        message ("%s:%s: %s", credential->scheme, credential->user, detail);
    }
    return exit_code_of (rc);
}

static int hand_text (const char *text, const char *what, credential_fn *fn, void *arg)
{
    struct credential credential;
    int code = CLI_EXIT_USAGE;
    if (credential_parse (&credential, text, what, PASSWORD_TERMINAL)) {
        code = fn (arg, &credential);
    }
    credential_wipe (&credential);
    return code;
}

static int hand_file (const char *name, credential_fn *fn, void *arg)
{
    int descriptor = open (name, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        message ("--auth-file: %s: %s", name, strerror (errno));
        return CLI_EXIT_USAGE;
    }
    char line[CREDENTIAL_SIZE], what[256];
    int code = CLI_EXIT_OK, count = 0;
    for (int number = 1; code == CLI_EXIT_OK && read_line (descriptor, line, sizeof line);
         number++) {
        if (*line == 0 || *line == '#') {
            continue;
        }
        snprintf (what, sizeof what, "%.200s, line %d", name, number);
        code = hand_text (line, what, fn, arg);
        if (++count > CREDENTIALS_MAX) {
            message ("%s: has more than %d users", name, CREDENTIALS_MAX);
            code = CLI_EXIT_USAGE;
        }
    }
    secret_wipe (line, sizeof line);
    close (descriptor);
    if (code == CLI_EXIT_OK && count == 0) {
        message ("--auth-file: %s: there is no line SCHEME:USER:PASSWORD in it", name);
        code = CLI_EXIT_USAGE;
    }
    return code;
}

int auth_each (const struct settings *settings, credential_fn *fn, void *arg)
{
    int code = CLI_EXIT_OK;
    if (settings->auth_file != NULL) {
        code = hand_file (settings->auth_file, fn, arg);
    }
    if (code == CLI_EXIT_OK && settings->auth != NULL) {
        code = hand_text (settings->auth, "--auth", fn, arg);
    }
    return code;
}

static int prove (void *arg, const struct credential *credential)
{
    return auth_prove (arg, credential);
}

int auth_apply (cohort_t *client, const struct settings *settings)
{
    int code = CLI_EXIT_OK;
    for (size_t i = 0; settings->users != NULL && i < settings->users->count; i++) {
        if (code == CLI_EXIT_OK) {
            code = auth_prove (client, settings->users->items[i]);
        }
    }
    return code == CLI_EXIT_OK ? auth_each (settings, prove, client) : code;
}

/* ---- Keeping ----------------------------------------------------------------------------- */

/* The three lie in the text, one behind the other. */
static size_t text_size (const struct credential *credential)
{
    return (size_t) (credential->password - credential->text) + strlen (credential->password) + 1;
}

bool credentials_keep (struct credentials *self, const struct credential *credential)
{
    size_t size = text_size (credential);
    for (size_t i = 0; i < self->count; i++) {
        if (text_size (self->items[i]) == size &&
            memcmp (self->items[i]->text, credential->text, size) == 0) {
            return true;
        }
    }
    struct credential *copy = self->count < CREDENTIALS_MAX ? malloc (sizeof *copy) : NULL;
    if (copy == NULL) {
        message (self->count < CREDENTIALS_MAX ? "out of memory"
                                               : "a session can be no more than %d users",
                 CREDENTIALS_MAX);
        return false;
    }
    memcpy (copy->text, credential->text, size);
    copy->scheme = copy->text + (credential->scheme - credential->text);
    copy->user = copy->text + (credential->user - credential->text);
    copy->password = copy->text + (credential->password - credential->text);
    self->items[self->count++] = copy;
    return true;
}

static int keep (void *arg, const struct credential *credential)
{
    return credentials_keep (arg, credential) ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

int credentials_load (struct credentials *self, const struct settings *settings)
{
    return auth_each (settings, keep, self);
}

void credentials_deinit (struct credentials *self)
{
    while (self->count > 0) {
        struct credential *item = self->items[--self->count];
        credential_wipe (item);
        free (item);
    }
}

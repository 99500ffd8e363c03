#include "client/cli/shell_input.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "client/cli/message.h"

#define CANDIDATES_SHOWN_MAX 200

struct shell_input {
    FILE *file; /* NULL: the terminal */
    struct shell_asker asker;
    char *line; /* of the file */
    size_t room;
    History *history;
    HistEvent event;
    char *history_file;
    EditLine *editor;
};

/* ---- Terminal: keys ------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void on_interrupt (int number)
{
    (void) number;
    interrupted = 1;
}

/* Runs what has happened meanwhile; then the line is drawn again below whatever was printed. */
static void run_callbacks (struct shell_input *self, cohort_t *client)
{
    fputs ("\r\033[K", stdout);
    fflush (stdout);
    cohort_dispatch (client, 0);
    fflush (stdout);
    el_set (self->editor, EL_REFRESH);
}

/* Waits until a key is there, running callbacks. False: a signal has come. */
static bool await_key (struct shell_input *self)
{
    for (;;) {
        cohort_t *client = self->asker.client (self->asker.arg);
        struct pollfd items[] = {{STDIN_FILENO, POLLIN, 0},
                                 {client != NULL ? cohort_fd (client) : -1, POLLIN, 0}};
        int ready = poll (items, 2, client != NULL ? cohort_timeout (client) : -1);
        if (interrupted || (ready < 0 && errno != EINTR)) {
            return false;
        }
        if (ready > 0 && items[0].revents != 0) {
            return true;
        }
        if (ready > 0 && client != NULL) {
            run_callbacks (self, client);
        } else if (ready == 0 && client != NULL) {
            cohort_dispatch (client, 0);
        }
    }
}

/* libedit's: 1 and a character, 0: there are no more, -1: an error. */
static int read_key (EditLine *editor, wchar_t *key)
{
    struct shell_input *self;
    mbstate_t state = {0};
    el_get (editor, EL_CLIENTDATA, &self);
    for (;;) {
        char byte;
        if (!await_key (self)) {
            return -1;
        }
        ssize_t size = read (STDIN_FILENO, &byte, 1);
        if (size <= 0) {
            return (int) size;
        }
        size_t used = mbrtowc (key, &byte, 1, &state);
        if (used == (size_t) -1) {
            *key = (unsigned char) byte; /* of no character that is known here: as it is */
            return 1;
        }
        if (used != (size_t) -2) {
            return 1;
        }
    }
}

static char *show_prompt (EditLine *editor)
{
    struct shell_input *self;
    el_get (editor, EL_CLIENTDATA, &self);
    return (char *) (uintptr_t) self->asker.prompt (self->asker.arg);
}

/* ---- Terminal: completion ------------------------------------------------------------- */

static void show_candidates (const struct shell_completion *completion)
{
    putchar ('\n');
    for (size_t i = 0; i < completion->count && i < CANDIDATES_SHOWN_MAX; i++) {
        printf ("%s%s", i > 0 ? "  " : "", completion->names[i]);
    }
    if (completion->count > CANDIDATES_SHOWN_MAX) {
        printf ("  ... and %zu more", completion->count - CANDIDATES_SHOWN_MAX);
    }
    putchar ('\n');
    fflush (stdout);
}

/* Inserts what all candidates have in common; nothing is left to insert: shows them. */
static unsigned char insert_completion (EditLine *editor, const struct shell_completion *completion)
{
    if (completion->count == 0) {
        return CC_REFRESH_BEEP;
    }
    const char *name = completion->names[0];
    if (completion->common > completion->typed) {
        char *rest =
            shell_quoted (name + completion->typed, completion->common - completion->typed);
        int failed = rest == NULL || el_insertstr (editor, rest) != 0;
        free (rest);
        if (failed) {
            return CC_ERROR;
        }
    } else if (completion->count > 1) {
        show_candidates (completion);
        return CC_REDISPLAY;
    }
    /* A znode with children is probably not where the path ends. */
    bool done = completion->count == 1 && name[completion->common - 1] != '/';
    return done && el_insertstr (editor, " ") != 0 ? CC_ERROR : CC_REFRESH;
}

static unsigned char on_tab (EditLine *editor, int key)
{
    struct shell_input *self;
    struct shell_completion completion;
    (void) key;
    el_get (editor, EL_CLIENTDATA, &self);
    const LineInfo *line = el_line (editor);
    self->asker.complete (self->asker.arg, line->buffer, (size_t) (line->cursor - line->buffer),
                          &completion);
    unsigned char what = insert_completion (editor, &completion);
    shell_completion_deinit (&completion);
    return what;
}

static bool open_terminal (struct shell_input *self)
{
    /* Characters are those of the user's language; everything else stays as programs have it. */
    (void) setlocale (LC_CTYPE, "");
    self->editor = el_init ("cohort", stdin, stdout, stderr);
    if (self->editor == NULL) {
        message ("the terminal cannot be used");
        return false;
    }
    el_set (self->editor, EL_CLIENTDATA, self);
    el_set (self->editor, EL_PROMPT, show_prompt);
    el_set (self->editor, EL_EDITOR, "emacs");
    el_set (self->editor, EL_HIST, history, self->history);
    el_set (self->editor, EL_GETCFN, read_key);
    el_set (self->editor, EL_ADDFN, "cohort-complete", "completes commands, flags and paths",
            on_tab);
    el_set (self->editor, EL_BIND, "^I", "cohort-complete", NULL);
    el_source (self->editor, NULL); /* what the user wants otherwise: ~/.editrc */
    return true;
}

/* ---- History -------------------------------------------------------------------------- */

static bool open_history (struct shell_input *self, const char *file)
{
    self->history = history_init ();
    if (self->history == NULL) {
        return false;
    }
    history (self->history, &self->event, H_SETSIZE, SHELL_HISTORY_MAX);
    history (self->history, &self->event, H_SETUNIQUE, 1);
    if (file == NULL) {
        return true;
    }
    self->history_file = strdup (file);
    history (self->history, &self->event, H_LOAD, file); /* there may be none yet */
    return self->history_file != NULL;
}

/* It says what somebody did: for its owner alone. */
static void save_history (struct shell_input *self)
{
    if (self->history_file == NULL) {
        return;
    }
    mode_t mask = umask (077);
    if (history (self->history, &self->event, H_SAVE, self->history_file) < 0) {
        message ("%s: the history cannot be written: %s", self->history_file, strerror (errno));
    }
    umask (mask);
}

/* Lines that begin with a blank, and what holds a secret, are not remembered. */
static void remember (struct shell_input *self, const char *line)
{
    if (*line != 0 && *line != ' ' && strstr (line, "addauth") == NULL &&
        strstr (line, "--auth") == NULL && strstr (line, "--server-key") == NULL) {
        history (self->history, &self->event, H_ENTER, line);
    }
}

void shell_input_history (struct shell_input *self, int count, shell_line_fn *fn, void *arg)
{
    bool found = history (self->history, &self->event, H_FIRST) >= 0; /* the newest */
    for (int i = 1; found && i < count; i++) {
        if (history (self->history, &self->event, H_NEXT) < 0) {
            break;
        }
    }
    found = found && history (self->history, &self->event, H_CURR) >= 0;
    while (found && fn (arg, self->event.num, self->event.str)) {
        found = history (self->history, &self->event, H_PREV) >= 0;
    }
}

char *shell_input_recall (struct shell_input *self, int number)
{
    bool found = history (self->history, &self->event, H_FIRST) >= 0;
    while (found && self->event.num != number) {
        found = history (self->history, &self->event, H_NEXT) >= 0;
    }
    return found ? strdup (self->event.str) : NULL;
}

/* ---- Lines ---------------------------------------------------------------------------- */

struct shell_input *shell_input_new (FILE *file, const struct shell_asker *asker,
                                     const char *history_file)
{
    struct shell_input *self = calloc (1, sizeof *self);
    if (self == NULL) {
        message ("out of memory");
        return NULL;
    }
    self->file = file;
    self->asker = *asker;
    bool worked = open_history (self, file == NULL ? history_file : NULL);
    if (!worked) {
        message ("out of memory");
    } else if (file == NULL) {
        worked = open_terminal (self);
    }
    if (!worked) {
        free (self->history_file);
        self->history_file = NULL; /* what was not read is not written over */
        shell_input_destroy (&self);
    }
    return self;
}

void shell_input_destroy (struct shell_input **self_p)
{
    struct shell_input *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    if (self->editor != NULL) {
        el_end (self->editor);
    }
    if (self->history != NULL) {
        save_history (self);
        history_end (self->history);
    }
    free (self->history_file);
    free (self->line);
    free (self);
}

static char *read_file (struct shell_input *self)
{
    ssize_t size = getline (&self->line, &self->room, self->file);
    if (size < 0) {
        if (ferror (self->file)) {
            message ("the input cannot be read: %s", strerror (errno));
        }
        return NULL;
    }
    self->line[strcspn (self->line, "\r\n")] = 0;
    return self->line;
}

/* Ctrl-C gives up the line; Ctrl-D on an empty one is the end. */
static char *read_terminal (struct shell_input *self)
{
    struct sigaction action = {.sa_handler = on_interrupt}, before;
    int size = 0;
    const char *line;
    sigemptyset (&action.sa_mask);
    sigaction (SIGINT, &action, &before);
    do {
        interrupted = 0;
        line = el_gets (self->editor, &size);
        if (interrupted || line == NULL) {
            putchar ('\n');
            fflush (stdout);
        }
        if (interrupted) {
            el_reset (self->editor);
        }
    } while (interrupted);
    sigaction (SIGINT, &before, NULL);
    free (self->line);
    self->line = line != NULL && size > 0 ? strdup (line) : NULL;
    if (self->line != NULL) {
        self->line[strcspn (self->line, "\r\n")] = 0;
    }
    return self->line;
}

char *shell_input_read (struct shell_input *self)
{
    char *line = self->file != NULL ? read_file (self) : read_terminal (self);
    if (line != NULL) {
        remember (self, line);
    }
    return line;
}

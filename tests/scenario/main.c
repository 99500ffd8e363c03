/* Runs scenarios: files of prose, commands and the trace that is expected of them.
 *
 *     scenario [--update] file...
 *
 * A file is a row of blocks, each separated from the next by an empty line: lines of prose (they
 * begin with #), commands, a line of four dashes, and the trace that the commands leave. With
 * --update the traces are written anew; read them before committing. Commands: script.c. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/buf.h"
#include "tests/scenario/script.h"

static bool read_file (const char *path, struct buf *text)
{
    FILE *file = fopen (path, "r");
    if (file == NULL) {
        perror (path);
        return false;
    }
    char chunk[4096];
    size_t size;
    while ((size = fread (chunk, 1, sizeof chunk, file)) > 0) {
        buf_append (text, chunk, size);
    }
    fclose (file);
    buf_u8 (text, 0);
    return !text->failed;
}

static bool write_file (const char *path, const struct buf *text)
{
    FILE *file = fopen (path, "w");
    if (file == NULL) {
        perror (path);
        return false;
    }
    size_t written = fwrite (text->data, 1, text->size, file);
    return fclose (file) == 0 && written == text->size;
}

/* Shows where two texts begin to differ. */
static void show_difference (const char *path, const char *expected, const char *actual)
{
    size_t line = 1;
    while (*expected != '\0' && *expected == *actual) {
        const char *end = strchr (expected, '\n');
        size_t size = end != NULL ? (size_t) (end - expected) + 1 : strlen (expected);
        if (strncmp (expected, actual, size) != 0) {
            break;
        }
        expected += size;
        actual += size;
        line++;
    }
    fprintf (stderr, "%s:%zu: the trace differs\n", path, line);
    fprintf (stderr, "  expected: %.*s\n", (int) strcspn (expected, "\n"), expected);
    fprintf (stderr, "  actual:   %.*s\n", (int) strcspn (actual, "\n"), actual);
}

static bool run_file (const char *path, bool update)
{
    struct buf text = {0}, result = {0};
    bool good = read_file (path, &text);
    if (good) {
        good = script_run (path, (char *) text.data, &result);
        if (!good) {
            fprintf (stderr, "%.*s", (int) result.size, (char *) result.data);
        }
    }
    if (good && update) {
        good = write_file (path, &result);
    } else if (good) {
        buf_u8 (&result, 0);
        /* script_run leaves the text as it was. */
        if (strcmp ((char *) text.data, (char *) result.data) != 0) {
            show_difference (path, (char *) text.data, (char *) result.data);
            good = false;
        }
    }
    buf_deinit (&text);
    buf_deinit (&result);
    return good;
}

int main (int argc, char **argv)
{
    bool update = false;
    int failed = 0, run = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp (argv[i], "--update") == 0) {
            update = true;
            continue;
        }
        run++;
        failed += !run_file (argv[i], update);
    }
    printf ("%d scenarios, %d failed\n", run, failed);
    return run == 0 || failed > 0;
}

/* A target as a test, without libFuzzer, for any compiler: see `usage`.
 *
 * Each input lies in memory of exactly its size, so that a sanitizer sees every byte that is read
 * beyond. When the program dies, the input that did it is in a file. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/base/prng.h"
#include "tests/fuzz/fuzz.h"

static const char usage[] =
    "usage: fuzz-NAME [--rounds N] [FILE or FOLDER]...\n"
    "       fuzz-NAME --seeds FOLDER\n"
    "\n"
    "Works through the seeds of the target, through the files, and through N random changes of\n"
    "each of them. With --rounds 0 and a file: that input alone.\n"
    "\n"
    "  --rounds N      100\n"
    "  --seeds FOLDER  writes the seeds as files into the folder, and nothing else\n"
    "\n"
    "Exit status: 0 all held; anything else: an input, which is in the file named then.\n";

enum { PATH_SIZE = 1024, CHANGES_MAX = 6, ROUNDS_DEFAULT = 100, EXIT_USAGE = 2 };

struct input {
    char *name;
    uint8_t *data;
    size_t size;
};

struct inputs {
    struct input *items;
    size_t count;
};

/* ---- The input that is being worked on --------------------------------------------------------
 */

static const uint8_t *running;
static size_t running_size;
static char found_path[PATH_SIZE];

static void write_text (const char *text)
{
    (void) !write (STDERR_FILENO, text, strlen (text));
}

/* Only what a signal handler may do. */
static void save_running (void)
{
    if (running == NULL) {
        return;
    }
    const uint8_t *at = running;
    running = NULL;
    int fd = open (found_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    bool saved = fd >= 0 && write (fd, at, running_size) == (ssize_t) running_size;
    write_text (saved ? "\nthe input is in: " : "\nthe input could not be written to: ");
    write_text (found_path);
    write_text ("\nonce more:       fuzz-");
    write_text (fuzz_target.name);
    write_text (" --rounds 0 FILE\nto keep it:      copy it to tests/fuzz/regressions/");
    write_text (fuzz_target.name);
    write_text ("/WHAT-IT-SHOWS\n");
}

static void on_signal (int number)
{
    save_running ();
    signal (number, SIG_DFL);
    raise (number);
}

/* Of the sanitizers, where there is one. */
void __sanitizer_set_death_callback (void (*callback) (void)) __attribute__ ((weak));

static void prepare (void)
{
    static const int signals[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTERM};
    snprintf (found_path, sizeof (found_path), "found-%s", fuzz_target.name);
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback (save_running);
    }
    for (size_t i = 0; i < sizeof (signals) / sizeof (signals[0]); i++) {
        signal (signals[i], on_signal);
    }
}

static void *allocate (size_t size)
{
    void *memory = malloc (size > 0 ? size : 1);
    if (memory == NULL) {
        fprintf (stderr, "fuzz-%s: out of memory\n", fuzz_target.name);
        exit (EXIT_FAILURE);
    }
    return memory;
}

static void run (const uint8_t *data, size_t size)
{
    uint8_t *exact = allocate (size);
    if (size > 0) {
        memcpy (exact, data, size);
    }
    running = exact;
    running_size = size;
    fuzz_run (exact, size);
    running = NULL;
    free (exact);
}

/* ---- Inputs -----------------------------------------------------------------------------------
 */

static void add_input (void *arg, const char *name, const void *data, size_t size)
{
    struct inputs *inputs = arg;
    struct input input = {.size = size};
    input.name = allocate (strlen (name) + 1);
    memcpy (input.name, name, strlen (name) + 1);
    input.data = allocate (size);
    if (size > 0) {
        memcpy (input.data, data, size);
    }
    struct input *items = allocate ((inputs->count + 1) * sizeof (*items));
    if (inputs->count > 0) {
        memcpy (items, inputs->items, inputs->count * sizeof (*items));
    }
    free (inputs->items);
    inputs->items = items;
    inputs->items[inputs->count++] = input;
}

static void free_inputs (struct inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++) {
        free (inputs->items[i].name);
        free (inputs->items[i].data);
    }
    free (inputs->items);
}

static bool complain (const char *path)
{
    fprintf (stderr, "fuzz-%s: %s: %s\n", fuzz_target.name, path, strerror (errno));
    return false;
}

static bool add_file (struct inputs *inputs, const char *path)
{
    FILE *file = fopen (path, "rb");
    if (file == NULL) {
        return complain (path);
    }
    uint8_t *data = allocate (fuzz_target.size_max);
    size_t size = fread (data, 1, fuzz_target.size_max, file);
    bool good = ferror (file) == 0;
    fclose (file);
    if (good) {
        add_input (inputs, path, data, size);
    }
    free (data);
    return good || complain (path);
}

static int is_visible (const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* In the order of the names, so that every run is the same. */
static bool add_folder (struct inputs *inputs, const char *folder)
{
    struct dirent **entries;
    int count = scandir (folder, &entries, is_visible, alphasort);
    if (count < 0) {
        return complain (folder);
    }
    bool good = count > 0;
    if (!good) {
        fprintf (stderr, "fuzz-%s: %s: no inputs\n", fuzz_target.name, folder);
    }
    for (int i = 0; i < count; i++) {
        char path[PATH_SIZE];
        int length = snprintf (path, sizeof (path), "%s/%s", folder, entries[i]->d_name);
        good = good && length > 0 && (size_t) length < sizeof (path) && add_file (inputs, path);
        free (entries[i]);
    }
    free (entries);
    return good;
}

static bool add_path (struct inputs *inputs, const char *path)
{
    struct stat status;
    if (stat (path, &status) != 0) {
        return complain (path);
    }
    return S_ISDIR (status.st_mode) ? add_folder (inputs, path) : add_file (inputs, path);
}

/* ---- Random changes ---------------------------------------------------------------------------
 */

/* Numbers at which code changes its mind. */
static uint8_t odd_byte (struct prng *prng)
{
    static const uint8_t odd[] = {0, 1, 0x2f, 0x7f, 0x80, 0xff};
    return prng_chance (prng, 1, 2) ? odd[prng_below (prng, sizeof (odd))]
                                    : (uint8_t) prng_u64 (prng);
}

/* Takes `count` bytes at `at` out. */
static void cut (struct input *input, size_t at, size_t count)
{
    memmove (input->data + at, input->data + at + count, input->size - at - count);
    input->size -= count;
}

/* Puts bytes in, as far as there is room. */
static void insert (struct input *input, size_t at, const uint8_t *bytes, size_t count)
{
    size_t room = fuzz_target.size_max - input->size;
    count = count < room ? count : room;
    if (count > 0) {
        memmove (input->data + at + count, input->data + at, input->size - at);
        memcpy (input->data + at, bytes, count);
        input->size += count;
    }
}

static void change (struct input *input, const struct inputs *inputs, struct prng *prng)
{
    size_t at = (size_t) prng_below (prng, input->size + 1);
    size_t left = input->size - at;
    const struct input *other = &inputs->items[prng_below (prng, inputs->count)];
    switch (prng_below (prng, 6)) {
    case 0:
        input->size = at;
        return;
    case 1:
        cut (input, at, (size_t) prng_below (prng, (left < 16 ? left : 16) + 1));
        return;
    case 2: {
        size_t from = (size_t) prng_below (prng, other->size + 1);
        insert (input, at, other->data + from, (size_t) prng_below (prng, other->size - from + 1));
        return;
    }
    case 3: {
        uint8_t byte = odd_byte (prng);
        insert (input, at, &byte, 1);
        return;
    }
    default:
        if (left > 0 && prng_chance (prng, 1, 2)) {
            input->data[at] ^= (uint8_t) (1u << prng_below (prng, 8));
        } else if (left > 0) {
            input->data[at] = odd_byte (prng);
        }
        return;
    }
}

/* Truncated inputs, which are the commonest, and random changes. */
static void run_changed (const struct inputs *inputs, const struct input *from, uint64_t rounds,
                         struct prng *prng)
{
    struct input changed = {.data = allocate (fuzz_target.size_max)};
    for (uint64_t i = 0; i < rounds; i++) {
        changed.size = from->size < fuzz_target.size_max ? from->size : fuzz_target.size_max;
        memcpy (changed.data, from->data, changed.size);
        for (uint64_t changes = prng_between (prng, 1, CHANGES_MAX); changes > 0; changes--) {
            change (&changed, inputs, prng);
        }
        run (changed.data, changed.size);
    }
    free (changed.data);
}

/* ---- The program ------------------------------------------------------------------------------
 */

static void run_all (const struct inputs *inputs, uint64_t rounds)
{
    struct prng prng;
    prng_seed (&prng, 1);
    for (size_t i = 0; i < inputs->count; i++) {
        run (inputs->items[i].data, inputs->items[i].size);
    }
    for (size_t i = 0; i < inputs->count; i++) {
        run_changed (inputs, &inputs->items[i], rounds, &prng);
    }
}

static bool parse_rounds (const char *text, uint64_t *rounds)
{
    char *end;
    errno = 0;
    *rounds = strtoull (text, &end, 10);
    return end != text && *end == '\0' && errno == 0 && text[0] != '-';
}

int main (int argc, char **argv)
{
    static const struct option options[] = {
        {"rounds", required_argument, NULL, 'r'},
        {"seeds", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    uint64_t rounds = ROUNDS_DEFAULT;
    int option;
    while ((option = getopt_long (argc, argv, "h", options, NULL)) != -1) {
        if (option == 's') {
            return fuzz_write_seeds (optarg) ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        if (option == 'h' || option == '?' || !parse_rounds (optarg, &rounds)) {
            fputs (usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? EXIT_SUCCESS : EXIT_USAGE;
        }
    }
    struct inputs inputs = {0};
    bool good = true;
    for (int i = optind; i < argc; i++) {
        good = add_path (&inputs, argv[i]) && good;
    }
    size_t files = inputs.count;
    if (rounds > 0 || optind == argc) {
        fuzz_target.seeds (add_input, &inputs);
    }
    prepare ();
    if (good && inputs.count > 0) {
        run_all (&inputs, rounds);
        printf ("%s: %zu inputs, %zu of them files, and %llu changes of each\n", fuzz_target.name,
                inputs.count, files, (unsigned long long) rounds);
    }
    free_inputs (&inputs);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

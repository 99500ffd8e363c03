/* Paths: client and server have a judgement of their own each, and it must be the same; and what
 * the chroot adds it takes away.
 *
 * Input: a byte of flags, a byte that says how long the chroot is, chroot, path. */

#include <stdio.h>
#include <string.h>

#include "client/src/path.h"
#include "cohort/error.h"
#include "server/tree/path.h"
#include "tests/fuzz/fuzz.h"

enum { TEXT_SIZE = 256, SIZE_MAX_INPUT = 8200 };

/* A string of the rest of the input, up to the first 0. */
static void take_string (struct reader *input, size_t size, char *out)
{
    const uint8_t *bytes = reader_bytes (input, size);
    memcpy (out, bytes, size);
    out[size] = '\0';
}

/* Whether the path is good, for client and server alike. */
static bool judge (const char *path, bool sequential)
{
    char text[TEXT_SIZE] = "";
    size_t size = strlen (path);
    int client = path_check (path, sequential, text, sizeof (text));
    int server = tree_path_validate (path, size, PATH_SIZE_MAX, sequential);
    COHORT_ASSERT (client == 0 || client == COHORT_EPATH || client == COHORT_ETOOBIG);
    COHORT_ASSERT ((client == 0) == (server == 0));
    COHORT_ASSERT ((client == 0) == (text[0] == '\0'));
    if (client != 0) {
        /* The reason stands at the end: it must not have been cut off. */
        COHORT_ASSERT (strlen (text) < sizeof (text) - 1);
        COHORT_ASSERT (strstr (text, ", byte ") != NULL);
    }
    return client == 0;
}

/* The hashes of a path and its parent agree with those made name by name. */
static void check_hashes (const char *path)
{
    size_t size = strlen (path);
    uint64_t root = tree_path_hash_root (7), parent = 0;
    uint64_t hash = tree_path_hash (root, path, size, &parent);
    if (size == 1) {
        COHORT_ASSERT (hash == root);
        COHORT_ASSERT (parent == root);
        return;
    }
    size_t parent_size = tree_path_parent_size (path, size);
    size_t name = parent_size > 1 ? parent_size + 1 : 1;
    COHORT_ASSERT (tree_path_hash (root, path, parent_size, NULL) == parent);
    COHORT_ASSERT (tree_path_hash_child (parent, path + name, size - name) == hash);
    COHORT_ASSERT (tree_name_valid (path + name, size - name));
}

static void check_chroot (const char *chroot, const char *path, bool sequential)
{
    static char joined[2 * SIZE_MAX_INPUT + 2];
    if (strcmp (chroot, "/") == 0) {
        chroot = ""; /* as hosts.c does */
    }
    size_t size = path_joined_size (chroot, path);
    COHORT_ASSERT (size < sizeof (joined));
    path_join (joined, size, chroot, path);
    COHORT_ASSERT (strlen (joined) == size);
    /* Joined, it is a good path, unless it has become too long. */
    bool sequential_below = sequential && strcmp (path, "/") != 0;
    COHORT_ASSERT (judge (joined, sequential_below) || size > PATH_SIZE_MAX);
    COHORT_ASSERT (strcmp (path_strip (chroot, strlen (chroot), joined), path) == 0);
}

static void one (const uint8_t *data, size_t size)
{
    static char chroot[SIZE_MAX_INPUT + 1], path[SIZE_MAX_INPUT + 1];
    struct reader input;
    reader_init (&input, data, size);
    bool sequential = (reader_u8 (&input) & 1) != 0;
    size_t chroot_size = reader_u8 (&input);
    size_t left = reader_left (&input);
    chroot_size = chroot_size < left ? chroot_size : left;
    if (input.failed) {
        return;
    }
    take_string (&input, chroot_size, chroot);
    take_string (&input, reader_left (&input), path);
    bool good = judge (path, sequential);
    if (good && judge (path, false)) {
        check_hashes (path);
    }
    if (good && judge (chroot, false)) {
        check_chroot (chroot, path, sequential);
    }
    /* Whatever they are, the parts of a path are found without reading beyond. */
    uint64_t parent;
    (void) tree_path_hash (PATH_HASH_ROOT, path, strlen (path), &parent);
    (void) path_strip (chroot, strlen (chroot), path);
}

static void seeds (fuzz_seed_fn *add, void *arg)
{
    static const struct {
        const char *name, *chroot, *path;
    } cases[] = {
        {"root", "", "/"},
        {"chroot", "/game", "/lobby/server-0000000001"},
        {"root-of-chroot", "/game", "/"},
        {"number-alone", "/a", "/b/"},
        {"utf8", "", "/\xc3\xa4/\xe2\x82\xac/\xf0\x9f\x98\x80"},
        {"not-utf8", "", "/\xc0\xaf/\xed\xa0\x80/\xf4\x90\x80\x80"},
        {"dots", "", "/a/./../b"},
        {"empty-name", "", "/a//b"},
        {"control", "", "/a\x01/\x7f/\xc2\x80"},
        {"relative", "game", "lobby"},
    };
    for (size_t i = 0; i < sizeof (cases) / sizeof (cases[0]); i++) {
        struct buf out = {0};
        buf_u8 (&out, (uint8_t) (i & 1));
        buf_u8 (&out, (uint8_t) strlen (cases[i].chroot));
        buf_append (&out, cases[i].chroot, strlen (cases[i].chroot));
        buf_append (&out, cases[i].path, strlen (cases[i].path));
        add (arg, cases[i].name, out.data, out.size);
        buf_deinit (&out);
    }
    static char longest[2 + PATH_SIZE_MAX + 1];
    memset (longest, 'x', sizeof (longest));
    longest[0] = longest[1] = 0;
    longest[2] = '/';
    add (arg, "longest", longest, 2 + PATH_SIZE_MAX);
    add (arg, "too-long", longest, 2 + PATH_SIZE_MAX + 1);
}

const struct fuzz_target fuzz_target = {
    .name = "path",
    .size_max = SIZE_MAX_INPUT,
    .memory_base = 1,
    .one = one,
    .seeds = seeds,
};

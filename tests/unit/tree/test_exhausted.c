/* Memory that runs out while an entry is applied: the process ends and says so, and that is no
 * failed assertion. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/tree/fixture.h"

enum {
    STATUS_WORKED = 7,
    STATUS_NEVER_FAILED = 8,
    TEXT_MAX = 512,
    LARGE = 200 << 10,
    ENTRIES_MAX = 100
};

/* Entries that need memory for everything that a tree needs it for. */
struct entries {
    struct buf bytes[ENTRIES_MAX];
    size_t count;
};

static char large[LARGE + 1];

static void keep (struct entries *self, const struct fixture *f)
{
    assert_true (self->count < ENTRIES_MAX);
    buf_append (&self->bytes[self->count++], f->entry.data, f->entry.size);
}

static void create (struct entries *self, struct fixture *f, uint64_t session, const char *path,
                    const char *data, uint8_t mode)
{
    assert_int_equal (fixture_create (f, session, path, data, mode), 0);
    keep (self, f);
}

static void ask (struct entries *self, struct fixture *f, uint64_t session, const struct op *op)
{
    assert_int_equal (fixture_op (f, session, op), 0);
    keep (self, f);
}

static void collect (struct entries *self)
{
    struct fixture f;
    char path[32];
    fixture_init (&f, NULL);
    keep (self, &f);
    uint64_t first = fixture_session (&f, 1);
    keep (self, &f);
    uint64_t second = fixture_session (&f, 2);
    keep (self, &f);
    create (self, &f, first, "/a", large, COHORT_PERSISTENT);
    create (self, &f, first, "/a/n-", "", COHORT_SEQUENTIAL);
    create (self, &f, first, "/a/c", "", COHORT_CONTAINER);
    struct op op = op_create ("/a/t", "", COHORT_PERSISTENT);
    op.ttl_ms = 1000;
    ask (self, &f, first, &op);
    op = op_with_acl (op_create ("/a/l", "", COHORT_PERSISTENT), "anna:her-hash", COHORT_PERM_ALL);
    ask (self, &f, first, &op);
    struct op ops[] = {op_set ("/a", "short", -1), op_create ("/a/e", "", COHORT_EPHEMERAL),
                       op_giving (&f, first, second), op_create ("/a/x", large, COHORT_PERSISTENT),
                       op_check ("/a/none", 0)};
    assert_int_equal (fixture_multi (&f, first, ops, sizeof ops / sizeof *ops), COHORT_ENONODE);
    keep (self, &f);
    for (int i = 0; i < 40; i++) {
        (void) snprintf (path, sizeof path, "/a/c/%d", i);
        create (self, &f, first, path, "data", i % 2 ? COHORT_EPHEMERAL : COHORT_PERSISTENT);
    }
    op = op_giving (&f, first, second);
    ask (self, &f, first, &op);
    create (self, &f, second, "/b", "", COHORT_EPHEMERAL);
    fixture_close (&f, second, 1, 1, ENTRY_EXPIRED);
    keep (self, &f);
    fixture_deinit (&f);
}

/* In a process of its own, whose n-th allocation fails; its wait status, and what it said. */
static int run (const struct entries *entries, uint64_t n, char *said, size_t size)
{
    int out[2], status;
    assert_int_equal (pipe (out), 0);
    pid_t child = fork ();
    assert_true (child >= 0);
    if (child == 0) {
        struct tree *tree = tree_new (NULL);
        struct tree_outcome outcome;
        (void) dup2 (out[1], STDERR_FILENO);
        mem_fail_at (n);
        for (size_t i = 0; i < entries->count; i++) {
            (void) tree_apply (tree, zxid_make (1, (uint32_t) i + 1), (int64_t) i,
                               entries->bytes[i].data, entries->bytes[i].size, &outcome);
        }
        _exit (mem_fail_clear () ? STATUS_WORKED : STATUS_NEVER_FAILED);
    }
    (void) close (out[1]);
    size_t used = 0;
    ssize_t got;
    while (used + 1 < size && (got = read (out[0], said + used, size - used - 1)) > 0) {
        used += (size_t) got;
    }
    said[used] = '\0';
    (void) close (out[0]);
    assert_int_equal (waitpid (child, &status, 0), child);
    return status;
}

static void test_ends (void **state)
{
    struct entries entries = {.count = 0};
    char said[TEXT_MAX];
    int status = 0, ended = 0;
    (void) state;
    memset (large, 'x', LARGE);
    collect (&entries);
    for (uint64_t n = 1; !WIFEXITED (status) || WEXITSTATUS (status) != STATUS_NEVER_FAILED; n++) {
        status = run (&entries, n, said, sizeof said);
        if (!WIFEXITED (status)) {
            fail_msg ("allocation %d: signal %d: %s", (int) n, WTERMSIG (status), said);
        } else if (WEXITSTATUS (status) == EXIT_FAILURE) {
            assert_non_null (strstr (said, "out of memory"));
            ended++;
        } else {
            assert_string_equal (said, ""); /* it could do without */
        }
    }
    assert_true (ended > 20);
    for (size_t i = 0; i < entries.count; i++) {
        buf_deinit (&entries.bytes[i]);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_ends)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}

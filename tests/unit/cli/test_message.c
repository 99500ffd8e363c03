/* Unit tests of cli/message.h and cli/exit_code.h: errors, explained and numbered. */

#include "client/cli/message.h"

#include <string.h>

#include "client/cli/exit_code.h"
#include "cohort/error.h"
#include "tests/unit/unit.h"

static void expect (enum activity activity, const char *path, int rc, const char *detail,
                    const char *text)
{
    char buffer[512];
    explain (buffer, sizeof buffer, activity, path, rc, detail);
    assert_string_equal (buffer, text);
}

static void test_explanations (void **state)
{
    (void) state;
    expect (ACTIVITY_READ, "/a/b", COHORT_ENONODE, "",
            "/a/b: the znode does not exist (create it with: cohort create /a/b [DATA])");
    expect (ACTIVITY_SET, "/a", COHORT_ENONODE, "",
            "/a: the znode does not exist (create it with: cohort create /a DATA)");
    expect (ACTIVITY_DELETE, "/a", COHORT_ENONODE, "", "/a: the znode does not exist");
    expect (ACTIVITY_CREATE, "/a/b", COHORT_ENONODE, "",
            "/a/b: its parent /a does not exist (create it with: cohort create /a)");
    expect (ACTIVITY_CREATE, "/a", COHORT_ENONODE, "",
            "/a: there is no /: the chroot of --servers does not exist (create it without chroot)");
    expect (ACTIVITY_CREATE, "/a", COHORT_ENODEEXISTS, "",
            "/a: the znode exists already (change it with: cohort set /a DATA)");
    expect (ACTIVITY_CREATE, "/e/b", COHORT_ENOCHILDREN4EPHEMERALS, "",
            "/e/b: its parent /e is ephemeral and so cannot have children");
    expect (ACTIVITY_SET, "/a", COHORT_EBADVERSION, "",
            "/a: the version does not match: somebody has changed the znode (see dataVersion in: "
            "cohort stat /a)");
    expect (ACTIVITY_DELETE, "/a", COHORT_ENOTEMPTY, "",
            "/a: the znode has children (delete them as well with: cohort deleteall /a)");
    expect (ACTIVITY_DELETE, "/", COHORT_EINVAL, "", "/ cannot be deleted");
}

/* Whatever else comes: the library's words, or those of the table, and the path once. */
static void test_others (void **state)
{
    (void) state;
    expect (ACTIVITY_READ, "a", COHORT_EPATH, "path 'a' does not begin with '/'",
            "path 'a' does not begin with '/'");
    expect (ACTIVITY_READ, "/a", COHORT_ECORRUPT, "", "/a: stored data is damaged");
    expect (ACTIVITY_READ, "/a", COHORT_ECORRUPT, NULL, "/a: stored data is damaged");
    expect (ACTIVITY_READ, "/a", COHORT_ENOAUTH, "get /a: no permission",
            "/a: no permission (who this session is: cohort whoami; who may: cohort getAcl PATH)");
    expect (ACTIVITY_READ, "/a", COHORT_ENOAUTH, "get /a/b: no permission",
            "get /a/b: no permission (who this session is: cohort whoami; who may: cohort getAcl "
            "PATH)");
    expect (ACTIVITY_CREATE, "/a", COHORT_EINVALIDACL, "create /a: not valid",
            "/a: the access control list is not valid (auth:: stands for users that the session "
            "has proven to be: see cohort help addauth)");
    expect (ACTIVITY_READ, "session ls", COHORT_ENOAUTH, NULL,
            "session ls: no permission (who this session is: cohort whoami)");
    expect (ACTIVITY_SET, "/a", COHORT_ENOAUTH,
            "set /a: no permission: it takes WRITE on it (whoami tells who this session is)",
            "/a: no permission: it takes WRITE on it (who this session is: cohort whoami; who may: "
            "cohort getAcl PATH)");
    expect (ACTIVITY_READ, "session ls", COHORT_ENOAUTH,
            "sessions: no permission: it takes an administrator (whoami tells)",
            "session ls: no permission: it takes an administrator (who this session is: cohort "
            "whoami; how to be one: cohort help admins)");
    expect (ACTIVITY_SET, "/a", COHORT_ENOAUTH,
            "operation 1 of 3, create /zookeeper/quota/a: no permission: it takes what each of its "
            "operations needs (whoami tells who this session is)",
            "/a: no permission: it takes an administrator (who this session is: cohort whoami; how "
            "to be one: cohort help admins)");
    expect (ACTIVITY_READ, "/", COHORT_ENONODE, NULL,
            "/: there is no /: the chroot of --servers does not exist (create it without chroot)");
    expect (ACTIVITY_SET, "/a", COHORT_EBOUNDS, "add /a: the sum would be too large",
            "/a: the sum would be below the floor or above the ceiling: nothing has been changed "
            "(see it with: cohort get /a)");
    expect (ACTIVITY_SET, "/a", COHORT_ENOTNUMBER, "add /a: that is no number",
            "/a: the data is not a decimal number of 64 bits (see it with: cohort get /a; begin "
            "anew with: cohort set /a 0)");
    expect (ACTIVITY_SET_ACL, "/a", COHORT_EBADVERSION, NULL,
            "/a: the version does not match: somebody has changed the list (see aclVersion in: "
            "cohort stat /a)");
    expect (ACTIVITY_SET, "/a", COHORT_ETOOBIG, "data of 9 bytes, the limit is 8",
            "/a: data of 9 bytes, the limit is 8");
    expect (ACTIVITY_SYNC, "sync", COHORT_ENOQUORUM, "", "the servers have no quorum");
}

/* The reason is not lost behind a path that is too long. */
static void test_long_path (void **state)
{
    (void) state;
    char named[600] = "create: path \"", text[1024];
    memset (named + strlen (named), '/', 400);
    memset (text, '/', 400);
    text[400] = '\0';
    expect (ACTIVITY_CREATE, text, COHORT_EPATH, named, named);
    char path[5000], buffer[1024];
    memset (path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    explain (buffer, sizeof buffer, ACTIVITY_CREATE, path, COHORT_ETOOBIG, "at most 4096 bytes");
    assert_non_null (strstr (buffer, "xxx...: at most 4096 bytes"));
    explain (buffer, sizeof buffer, ACTIVITY_SET, path, COHORT_EBADVERSION, "");
    assert_non_null (strstr (buffer, "xxx...: the version does not match"));
}

static void test_short_buffer (void **state)
{
    (void) state;
    char buffer[8];
    explain (buffer, sizeof buffer, ACTIVITY_READ, "/a/b/c/d", COHORT_ENONODE, "");
    assert_string_equal (buffer, "/a/b/c/");
}

static void test_exit_codes (void **state)
{
    (void) state;
    assert_int_equal (exit_code_of (COHORT_OK), 0);
    assert_int_equal (exit_code_of (COHORT_ENOTEMPTY), 1);
    assert_int_equal (exit_code_of (COHORT_EPATH), 2);
    assert_int_equal (exit_code_of (COHORT_EINVAL), 2);
    assert_int_equal (exit_code_of (COHORT_ECONNECT), 3);
    assert_int_equal (exit_code_of (COHORT_ESESSIONEXPIRED), 3);
    assert_int_equal (exit_code_of (COHORT_ENONODE), 4);
    assert_int_equal (exit_code_of (COHORT_ENODEEXISTS), 5);
    assert_int_equal (exit_code_of (COHORT_EBADVERSION), 6);
    assert_int_equal (exit_code_of (COHORT_ENOAUTH), 7);
    assert_int_equal (exit_code_of (COHORT_EAUTHFAILED), 7);
    assert_int_equal (exit_code_of (COHORT_ENOQUORUM), 8);
    assert_int_equal (exit_code_of (COHORT_ETIMEDOUT), 124);
    assert_int_equal (exit_code_of (-99999), 1);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_explanations), cmocka_unit_test (test_others),
        cmocka_unit_test (test_long_path),    cmocka_unit_test (test_short_buffer),
        cmocka_unit_test (test_exit_codes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

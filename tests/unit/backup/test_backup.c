/* Backups: a server's snapshot is verified, damaged, and made into ensembles, which start and have
 * every znode of it. */

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/base/prng.h"
#include "cohort/client.h"
#include "cohort/server.h"
#include "server/backup/backup.h"
#include "tests/unit/store/folder.h"
#include "tests/unit/unit.h"

enum { LIMIT_MS = 30000, ZNODES = 300, DATA_SIZE = 400, SERVERS = 3, PATH_SIZE = 512 };

static struct {
    char folder[FOLDER_SIZE]; /* of everything */
    char snapshot[PATH_SIZE];
    cohort_stat_t stats[ZNODES];
    uint64_t newest; /* zxid that a client had seen */
} world;

static const uint8_t cluster_id[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static void path_in (char path[PATH_SIZE], const char *name)
{
    assert_true (snprintf (path, PATH_SIZE, "%s/%s", world.folder, name) < PATH_SIZE);
}

/* ---- The old ensemble -------------------------------------------------------------------- */

static void make_data (int i, char data[DATA_SIZE])
{
    for (int k = 0; k < DATA_SIZE; k++) {
        data[k] = (char) ('a' + (i * 31 + k * k) % 26);
    }
}

static void path_of (int i, char path[64])
{
    snprintf (path, 64, "/lobby/room-%03d", i);
}

static cohort_t *connect_to (cohort_server_t *server)
{
    cohort_options_t options = {.size = sizeof options, .loop = cohort_server_loop (server)};
    cohort_t *client = cohort_new (cohort_server_endpoint (server, 0), &options);
    assert_non_null (client);
    assert_int_equal (cohort_wait (client, LIMIT_MS), 0);
    return client;
}

/* The name of the newest snapshot in the folder; false: there is none. */
static bool find_snapshot (const char *folder)
{
    char best[64] = "";
    DIR *directory = opendir (folder);
    assert_non_null (directory);
    for (const struct dirent *entry; (entry = readdir (directory)) != NULL;) {
        if (strncmp (entry->d_name, "snap.0", 6) == 0 && strlen (entry->d_name) < sizeof best &&
            strcmp (entry->d_name, best) > 0) {
            memcpy (best, entry->d_name, strlen (entry->d_name) + 1);
        }
    }
    closedir (directory);
    return best[0] != '\0' &&
           snprintf (world.snapshot, sizeof world.snapshot, "%s/%s", folder, best) < PATH_SIZE;
}

static void fill (cohort_t *client)
{
    char path[64], data[DATA_SIZE];
    assert_int_equal (cohort_create (client, "/lobby", "", 0, 0, NULL, NULL, NULL), 0);
    assert_int_equal (cohort_create (client, "/queue", "", 0, 0, NULL, NULL, NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal (
            cohort_create (client, "/queue/n-", "", 0, COHORT_SEQUENTIAL, NULL, NULL, NULL), 0);
    }
    assert_int_equal (cohort_create (client, "/here", "", 0, COHORT_EPHEMERAL, NULL, NULL, NULL),
                      0);
    for (int i = 0; i < ZNODES; i++) {
        path_of (i, path);
        make_data (i, data);
        assert_int_equal (cohort_create (client, path, "", 0, 0, NULL, NULL, NULL), 0);
        assert_int_equal (cohort_set (client, path, data, sizeof data, -1, &world.stats[i]), 0);
    }
}

/* Writes until there is a snapshot of all of it, with more behind. */
static int setup (void **state)
{
    char folder[PATH_SIZE];
    (void) state;
    folder_make (world.folder);
    path_in (folder, "old");
    cohort_server_options_t options = {.size = sizeof options,
                                       .clients = "inproc://backup-old",
                                       .data_dir = folder,
                                       .snapshot_bytes = 65536};
    cohort_server_t *server = cohort_server_new (&options);
    assert_non_null (server);
    assert_int_equal (cohort_server_start (server), 0);
    cohort_t *client = connect_to (server);
    fill (client);
    uint64_t enough = world.stats[ZNODES - 1].mzxid;
    static char pad[4096];
    struct backup_info info = {.zxid = 0};
    char error[256];
    for (int i = 0; info.zxid < enough; i++) {
        cohort_stat_t stat;
        assert_true (i < 20000);
        assert_int_equal (cohort_set (client, "/", pad, sizeof pad, -1, &stat), 0);
        world.newest = stat.mzxid;
        if (find_snapshot (folder)) {
            /* It may go while it is being looked at. */
            (void) backup_check (world.snapshot, &info, error, sizeof error);
        }
    }
    cohort_destroy (&client);
    assert_int_equal (cohort_server_crash (server), 0);
    cohort_server_destroy (&server);
    assert_true (find_snapshot (folder));
    return 0;
}

static int teardown (void **state)
{
    char command[PATH_SIZE];
    (void) state;
    snprintf (command, sizeof command, "rm -rf '%s'", world.folder);
    return system (command);
}

/* ---- Looking at it ----------------------------------------------------------------------- */

static void check (struct backup_info *info)
{
    char error[256];
    if (backup_check (world.snapshot, info, error, sizeof error) != 0) {
        fail_msg ("%s", error);
    }
}

static void test_status (void **state)
{
    struct backup_info info;
    struct stat file;
    char error[256];
    (void) state;
    check (&info);
    /* /, /zookeeper with 2, /lobby, /queue with 3, /here */
    assert_int_equal (info.znodes, ZNODES + 10);
    assert_int_equal (info.ephemerals, 1);
    assert_int_equal (info.sessions, 1);
    assert_int_equal (info.server_id, 1);
    assert_true (info.size > ZNODES * DATA_SIZE);
    assert_int_equal (stat (world.snapshot, &file), 0);
    assert_int_equal (info.file_size, file.st_size);
    assert_int_equal (backup_check ("/nowhere/at/all", &info, error, sizeof error), COHORT_ENONODE);
    assert_non_null (strstr (error, "/nowhere/at/all"));
}

static void copy_with (const char *path, size_t size, size_t at, uint8_t mask)
{
    static uint8_t bytes[4 << 20];
    int from = open (world.snapshot, O_RDONLY);
    int to = open (path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true (from >= 0 && to >= 0);
    ssize_t got = read (from, bytes, sizeof bytes);
    assert_true (got > 0 && got < (ssize_t) sizeof bytes);
    bytes[at] ^= mask;
    size_t part = size < (size_t) got ? size : (size_t) got;
    assert_int_equal (write (to, bytes, part), part);
    close (from);
    close (to);
}

static void test_damaged (void **state)
{
    struct backup_info info;
    struct backup_restore restore = {.members_count = 1, .cluster_id = {1}};
    struct prng prng;
    char path[PATH_SIZE], folder[PATH_SIZE], error[256];
    (void) state;
    check (&info);
    path_in (path, "damaged");
    path_in (folder, "never");
    restore.file = path;
    restore.members[0].id = 1;
    restore.members[0].folder = folder;
    prng_seed (&prng, 5);
    for (int i = 0; i < 60; i++) {
        bool cut = i % 6 == 0;
        size_t at = (size_t) prng_below (&prng, info.file_size);
        /* Bytes that only fill the head up have no meaning. */
        at = at >= 96 && at < 4096 && !cut ? 4096 + at : at;
        uint8_t flip = (uint8_t) (1u << prng_below (&prng, 8));
        copy_with (path, cut ? at : SIZE_MAX, at, (uint8_t) (cut ? 0 : flip));
        error[0] = '\0';
        int code = backup_check (path, &info, error, sizeof error);
        assert_true (code == COHORT_ECORRUPT || code == COHORT_ECONFIG);
        assert_non_null (strstr (error, path));
        assert_int_equal (backup_restore (&restore, &info, error, sizeof error), code);
        assert_int_equal (access (folder, F_OK), -1); /* nothing was made */
        check (&info);
    }
}

/* ---- New ensembles ----------------------------------------------------------------------- */

static void compare (cohort_t *client)
{
    char path[64], data[DATA_SIZE];
    char *created = NULL;
    for (int i = 0; i < ZNODES; i++) {
        void *found = NULL;
        size_t size = 0;
        cohort_stat_t stat;
        path_of (i, path);
        make_data (i, data);
        assert_int_equal (cohort_get (client, path, &found, &size, &stat), 0);
        assert_int_equal (size, sizeof data);
        assert_memory_equal (found, data, size);
        assert_memory_equal (&stat, &world.stats[i], sizeof stat);
        cohort_free (found);
    }
    assert_int_equal (cohort_exists (client, "/here", NULL), COHORT_ENONODE);
    cohort_stat_t stat;
    assert_int_equal (
        cohort_create (client, "/queue/n-", "", 0, COHORT_SEQUENTIAL, NULL, &created, &stat), 0);
    assert_string_equal (created, "/queue/n-0000000003");
    assert_true (stat.czxid > world.newest); /* above all that the old ensemble had given out */
    cohort_free (created);
}

static void run_ensemble (size_t count, char folders[SERVERS][PATH_SIZE])
{
    static const char *const clients[] = {"inproc://new-1", "inproc://new-2", "inproc://new-3"};
    cohort_server_member_t members[SERVERS];
    char addresses[SERVERS][PATH_SIZE];
    cohort_server_t *servers[SERVERS];
    for (size_t i = 0; i < count; i++) {
        snprintf (addresses[i], sizeof addresses[i], "ipc://%s/p%zu", world.folder, i);
        members[i] = (cohort_server_member_t){.id = (uint32_t) i + 1, .address = addresses[i]};
    }
    for (size_t i = 0; i < count; i++) {
        cohort_server_options_t options = {.size = sizeof options,
                                           .id = (uint32_t) i + 1,
                                           .members = count > 1 ? members : NULL,
                                           .members_count = count > 1 ? count : 0,
                                           .clients = clients[i],
                                           .data_dir = folders[i]};
        servers[i] = cohort_server_new (&options);
        assert_non_null (servers[i]);
        if (cohort_server_start (servers[i]) != 0) {
            fail_msg ("%s", cohort_server_errmsg (servers[i]));
        }
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal (cohort_server_wait (servers[i], LIMIT_MS), 0);
    }
    cohort_t *client = connect_to (servers[count - 1]);
    compare (client);
    cohort_destroy (&client);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal (cohort_server_stop (servers[i]), 0);
        cohort_server_destroy (&servers[i]);
    }
}

static void restore_to (size_t count, char folders[SERVERS][PATH_SIZE], bool one_by_one)
{
    struct backup_restore restore = {
        .file = world.snapshot, .epochs_skipped = BACKUP_EPOCHS_SKIPPED, .members_count = count};
    struct backup_info info, old;
    char error[512];
    uint64_t digest = 0;
    check (&old);
    memcpy (restore.cluster_id, cluster_id, sizeof cluster_id);
    for (size_t round = 0; round < (one_by_one ? count : 1); round++) {
        for (size_t i = 0; i < count; i++) {
            restore.members[i].id = (uint32_t) i + 1;
            restore.members[i].folder = !one_by_one || i == round ? folders[i] : NULL;
        }
        if (backup_restore (&restore, &info, error, sizeof error) != 0) {
            fail_msg ("%s", error);
        }
        /* The same on every machine. */
        assert_true (round == 0 || digest == info.digest);
        digest = info.digest;
        assert_memory_equal (info.cluster_id, cluster_id, sizeof cluster_id);
        assert_int_equal (info.sessions, 0);
        assert_int_equal (info.ephemerals, 0);
        assert_int_equal (info.znodes, old.znodes - old.ephemerals);
        assert_int_equal (zxid_epoch (info.zxid),
                          zxid_epoch (old.zxid) + BACKUP_EPOCHS_SKIPPED + 1);
    }
}

static void test_restored (void **state)
{
    static const size_t counts[] = {1, SERVERS, SERVERS};
    (void) state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char folders[SERVERS][PATH_SIZE], name[32];
        for (size_t k = 0; k < counts[i]; k++) {
            snprintf (name, sizeof name, "new-%zu-%zu", i, k);
            path_in (folders[k], name);
        }
        restore_to (counts[i], folders, i == 2);
        run_ensemble (counts[i], folders);
    }
}

static void write_file (const char *folder, const char *name, const char *text)
{
    char path[PATH_SIZE];
    assert_true (snprintf (path, sizeof path, "%s/%s", folder, name) < PATH_SIZE);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    assert_true (fputs (text, file) >= 0);
    assert_int_equal (fclose (file), 0);
}

static void test_folders_refused (void **state)
{
    struct backup_restore restore = {.file = world.snapshot, .members_count = 1};
    struct backup_info info;
    char folder[PATH_SIZE], error[512];
    (void) state;
    memcpy (restore.cluster_id, cluster_id, sizeof cluster_id);
    path_in (folder, "used");
    assert_int_equal (mkdir (folder, 0700), 0);
    restore.members[0].id = 4;
    restore.members[0].folder = folder;
    write_file (folder, "myid", "5\n");
    assert_int_equal (backup_restore (&restore, &info, error, sizeof error), COHORT_ECONFIG);
    assert_non_null (strstr (error, folder));
    write_file (folder, "myid", "4\n");
    write_file (folder, "notes", "mine\n");
    assert_int_equal (backup_restore (&restore, &info, error, sizeof error), COHORT_ENOTEMPTY);
    assert_non_null (strstr (error, "not empty"));
    restore.members[0].observer = true;
    assert_int_equal (backup_restore (&restore, &info, error, sizeof error), COHORT_ENOTEMPTY);
    char path[PATH_SIZE];
    path_in (path, "used/notes");
    assert_int_equal (unlink (path), 0);
    assert_int_equal (backup_restore (&restore, &info, error, sizeof error), COHORT_ECONFIG);
    assert_non_null (strstr (error, "voter"));
    restore.members[0].observer = false;
    restore.epochs_skipped = ZXID_EPOCH_MAX;
    assert_int_equal (backup_restore (&restore, &info, error, sizeof error), COHORT_ELIMIT);
    restore.epochs_skipped = 0;
    assert_int_equal (backup_restore (&restore, &info, error, sizeof error), 0);
    assert_int_equal (backup_restore (&restore, &info, error, sizeof error), COHORT_ENOTEMPTY);
}

/* In a process of its own, which ends with the first byte of a file behind `limit`. */
static bool restore_within (const struct backup_restore *restore, rlim_t limit)
{
    struct rlimit files = {.rlim_cur = limit, .rlim_max = limit}, cores = {.rlim_cur = 0};
    int status;
    pid_t pid = fork ();
    assert_true (pid >= 0);
    if (pid == 0) {
        struct backup_info info;
        char error[512];
        if (setrlimit (RLIMIT_CORE, &cores) != 0 || setrlimit (RLIMIT_FSIZE, &files) != 0) {
            _exit (2);
        }
        _exit (backup_restore (restore, &info, error, sizeof error) == 0 ? 0 : 1);
    }
    assert_int_equal (waitpid (pid, &status, 0), pid);
    assert_true (WIFEXITED (status) ? WEXITSTATUS (status) == 0 : WTERMSIG (status) == SIGXFSZ);
    return WIFEXITED (status);
}

/* No server of the ensemble starts in a folder, empty as it may look, and another restore says
 * what it is. */
static void is_refused (const char *folder, const struct backup_restore *restore)
{
    struct backup_info info;
    char error[512];
    cohort_server_options_t options = {
        .size = sizeof options, .id = 1, .clients = "inproc://half", .data_dir = folder};
    cohort_server_t *server = cohort_server_new (&options);
    assert_non_null (server);
    assert_int_equal (cohort_server_start (server), COHORT_ECONFIG);
    assert_non_null (strstr (cohort_server_errmsg (server), folder));
    assert_non_null (strstr (cohort_server_errmsg (server),
                             "restoring: cohort snapshot restore did not get to its end here"));
    cohort_server_destroy (&server);
    assert_int_equal (backup_restore (restore, &info, error, sizeof error), COHORT_ENOTEMPTY);
    assert_non_null (strstr (error, "an earlier restore did not get to its end here"));
}

static void test_interrupted (void **state)
{
    struct backup_restore restore = {.file = world.snapshot, .members_count = 2};
    char folders[2][PATH_SIZE], name[32];
    rlim_t limit = 0;
    int interruptions = 0;
    (void) state;
    memcpy (restore.cluster_id, cluster_id, sizeof cluster_id);
    for (bool done = false; !done; limit = limit == 0 ? 64 : limit * 2) {
        for (size_t i = 0; i < 2; i++) {
            snprintf (name, sizeof name, "half-%d-%zu", interruptions, i);
            path_in (folders[i], name);
            restore.members[i].id = (uint32_t) i + 1;
            restore.members[i].folder = folders[i];
        }
        done = restore_within (&restore, limit);
        if (!done) {
            is_refused (folders[0], &restore);
            interruptions++;
        }
    }
    /* The mark, the metadata, the snapshot, the log. */
    assert_true (interruptions > 4);
    write_file (folders[0], "restoring", "");
    is_refused (folders[0], &restore);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_status),      cmocka_unit_test (test_damaged),
        cmocka_unit_test (test_restored),    cmocka_unit_test (test_folders_refused),
        cmocka_unit_test (test_interrupted),
    };
    return cmocka_run_group_tests (tests, setup, teardown);
}

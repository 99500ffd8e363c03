/* The configuration file: what zoo.cfg says, and what is wrong with a line. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/config_file.h"
#include "tests/unit/unit.h"

static struct config_file config;
static char error[CONFIG_TEXT_SIZE];

static int parse (const char *text)
{
    config_file_init (&config);
    error[0] = '\0';
    return config_file_parse (&config, "zoo.cfg", text, error, sizeof error);
}

static void assert_refused (const char *text, const char *expected)
{
    assert_int_equal (parse (text), COHORT_ECONFIG);
    assert_string_equal (error, expected);
}

static void test_zookeepers_own_sample (void **state)
{
    (void) state;
    assert_int_equal (parse ("# The number of milliseconds of each tick\n"
                             "tickTime=2000\ninitLimit=10\nsyncLimit=5\n"
                             "dataDir=/tmp/zookeeper\nclientPort=2181\n"
                             "maxClientCnxns=60\nautopurge.snapRetainCount=3\n"
                             "autopurge.purgeInterval=1\n"
                             "server.1=zoo1:2888:3888\nserver.2=zoo2:2888:3888\n"
                             "server.3=zoo3:2888:3888:observer;2181\n"),
                      0);
    assert_string_equal (config.data_dir, "/tmp/zookeeper");
    assert_int_equal (config.servers_count, 3);
    assert_string_equal (config.servers[1].address, "tcp://zoo2:2888");
    assert_false (config.servers[1].observer);
    assert_true (config.servers[2].observer);
    assert_int_equal (config.notices_count, 4); /* clientPort and three without effect */
}

static void test_own_keys (void **state)
{
    (void) state;
    assert_int_equal (parse ("  clients = tcp://10.0.0.1:5181,ipc:///run/cohort  \r\n"
                             "id=7\ninsecure=yes\npeerTimeout=250\nlogLevel=debug\n"
                             "snapshotBytes=1000000\nsnapshotCompression=3\ndataSizeMax=2048\n"
                             "pathSizeMax=512\nwriteWindow=16\n"
                             "historyBytes=1048576\n"
                             "minSessionTimeout=100\nmaxSessionTimeout=90000\n"
                             "server.7=[::1]:5188\nclients.7=tcp://10.0.0.1:5181\n"),
                      0);
    assert_string_equal (config.clients, "tcp://10.0.0.1:5181,ipc:///run/cohort");
    assert_int_equal (config.id, 7);
    assert_true (config.insecure);
    assert_int_equal (config.peer_timeout_ms, 250);
    assert_int_equal (config.log_level, COHORT_LOG_DEBUG);
    assert_int_equal (config.snapshot_bytes, 1000000);
    assert_int_equal (config.snapshot_compression, 3);
    assert_int_equal (config.history_bytes, 1048576);
    assert_int_equal (config.data_size_max, 2048);
    assert_int_equal (config.path_size_max, 512);
    assert_int_equal (config.write_window, 16);
    assert_int_equal (config.session_timeout_min_ms, 100);
    assert_int_equal (config.session_timeout_max_ms, 90000);
    assert_string_equal (config.servers[0].address, "tcp://[::1]:5188");
    assert_string_equal (config.servers[0].client_address, "tcp://10.0.0.1:5181");
}

static void test_errors_name_line_key_value_and_remedy (void **state)
{
    (void) state;
    assert_refused ("tickTime=2000\ndataDri=/x\n",
                    "zoo.cfg:2: dataDri=/x: unknown key; did you mean dataDir?");
    /* Nothing of it gets at a terminal. */
    assert_refused ("data\033[31mDir=a\001b\n",
                    "zoo.cfg:1: data\\x1b[31mDir=a\\x01b: unknown key; see cohortd --help for "
                    "those there are");
    assert_refused ("\033]0;x\007\n",
                    "zoo.cfg:1: '\\x1b]0;x\\x07' must be a line of the form key=value");
    assert_refused ("something.else=1\n", "zoo.cfg:1: something.else=1: unknown key; see cohortd "
                                          "--help for those there are");
    assert_refused ("just a line\n",
                    "zoo.cfg:1: 'just a line' must be a line of the form key=value");
    assert_refused ("tickTime=soon\n",
                    "zoo.cfg:1: tickTime=soon: must be a number from 1 to 2147483647");
    assert_refused ("id=1\n\nid=2\n", "zoo.cfg:3: id=2: is set in line 1 already");
    assert_int_equal (
        parse ("admin=ip:10.0.0.0/8\nadmin=digest:root:D/InIHSb7yEEbrWz8b9l71RjZJU=\n"), 0);
    assert_string_equal (config.admins, "ip:10.0.0.0/8,digest:root:D/InIHSb7yEEbrWz8b9l71RjZJU=");
    assert_false (config.replace_admins);
    assert_int_equal (parse ("admin=ip:10.0.0.0/8\nreplaceAdmins=yes\n"), 0);
    assert_true (config.replace_admins);
    assert_int_equal (parse ("replaceAdmins=1\n"), COHORT_ECONFIG);
    assert_int_equal (parse ("admin=ip:10.0.0.0/8\nadmin=world:anyone\n"), COHORT_ECONFIG);
    assert_int_equal (parse ("admin=digest:root:12345\n"), COHORT_ECONFIG);
    assert_non_null (strstr (error, "zoo.cfg:1: admin=digest:root:12345: "));
    assert_refused ("dataDir=\n", "zoo.cfg:1: dataDir=: has no value");
    assert_refused ("peerTimeout=5s\n",
                    "zoo.cfg:1: peerTimeout=5s: must be a number from 50 to 60000");
    assert_refused ("peerTimeout=49\n",
                    "zoo.cfg:1: peerTimeout=49: must be a number from 50 to 60000");
    assert_refused ("snapshotCompression=10\n",
                    "zoo.cfg:1: snapshotCompression=10: must be a number from 0 to 9");
    assert_refused ("insecure=true\n", "zoo.cfg:1: insecure=true: must be yes or no");
    assert_refused ("clients=127.0.0.1:5181\n",
                    "zoo.cfg:1: clients=127.0.0.1:5181: 127.0.0.1:5181 is not tcp://HOST:PORT "
                    "(a port from 0 to 65535) or ipc://PATH");
    /* libzmq would listen on 4464. */
    assert_refused ("clients=tcp://127.0.0.1:5181,tcp://127.0.0.1:70000\n",
                    "zoo.cfg:1: clients=tcp://127.0.0.1:5181,tcp://127.0.0.1:70000: "
                    "tcp://127.0.0.1:70000 is not tcp://HOST:PORT (a port from 0 to 65535) or "
                    "ipc://PATH");
    assert_refused ("logLevel=loud\n",
                    "zoo.cfg:1: logLevel=loud: must be error, warning, info or debug");
}

static void test_no_compression (void **state)
{
    (void) state;
    config_file_init (&config);
    assert_int_equal (config.snapshot_compression, 0); /* the default */
    assert_int_equal (
        config_file_parse (&config, "zoo.cfg", "snapshotCompression=0\n", error, sizeof error), 0);
    assert_int_equal (config.snapshot_compression, -1);
}

/* A value that fills the message may not take the reason's place. */
static void test_errors_keep_their_reason (void **state)
{
    (void) state;
    char text[CONFIG_VALUE_SIZE + 64] = "peerTimeout=";
    size_t size = strlen (text);
    memset (text + size, '7', CONFIG_VALUE_SIZE);
    text[size + CONFIG_VALUE_SIZE] = '\0';
    assert_int_equal (parse (text), COHORT_ECONFIG);
    assert_non_null (strstr (error, "...: must be a number from 50 to 60000"));
    memset (text, 'k', CONFIG_VALUE_SIZE);
    memcpy (text + CONFIG_VALUE_SIZE, "=1", 3);
    assert_int_equal (parse (text), COHORT_ECONFIG);
    assert_non_null (strstr (error, "...=1: unknown key"));
    /* Nor may what the reason quotes. */
    memcpy (text, "clients=x", 9);
    assert_int_equal (parse (text), COHORT_ECONFIG);
    assert_non_null (strstr (error, "... is not tcp://HOST:PORT (a port"));
}

static void test_malformed_servers (void **state)
{
    (void) state;
    assert_refused ("server.x=a:1\n", "zoo.cfg:1: server.x=a:1: the id after 'server.' must be a "
                                      "number from 1 to 2147483647");
    assert_refused ("server.0=a:1\n", "zoo.cfg:1: server.0=a:1: the id after 'server.' must be a "
                                      "number from 1 to 2147483647");
    assert_refused ("server.1=a\n", "zoo.cfg:1: server.1=a: must be "
                                    "HOST:PORT[:PORT][:participant|:observer]");
    assert_refused ("server.1=a:70000\n", "zoo.cfg:1: server.1=a:70000: the port after the host "
                                          "must be a number from 1 to 65535");
    assert_refused ("server.1=a:1:spectator\n",
                    "zoo.cfg:1: server.1=a:1:spectator: 'spectator' is neither a port nor "
                    "participant nor observer");
    assert_refused ("server.1=a:1\nserver.1=b:1\n",
                    "zoo.cfg:2: server.1=b:1: server.1 is given twice");
    assert_refused ("server.1=a:1:7\nserver.2=a:1:8\n",
                    "zoo.cfg:2: server.2=a:1:8: server.1 has this address already");
    assert_refused ("clients.4=tcp://a:1\n",
                    "zoo.cfg:1: clients.4=tcp://a:1: there is no server.4 above this line");
    assert_refused ("server.4=a:1\nclients.4=a:1\n",
                    "zoo.cfg:2: clients.4=a:1: is not tcp://HOST:PORT or ipc://PATH");
    assert_refused ("server.4=a:1\nclients.4x=tcp://a:1\n",
                    "zoo.cfg:2: clients.4x=tcp://a:1: the id after 'clients.' must be a number "
                    "from 1 to 2147483647");
}

static void test_local_endpoints (void **state)
{
    (void) state;
    assert_true (config_endpoint_is_local ("tcp://127.0.0.1:5181"));
    assert_true (config_endpoint_is_local ("tcp://localhost:5181"));
    assert_true (config_endpoint_is_local ("tcp://[::1]:5181"));
    assert_true (config_endpoint_is_local ("ipc:///run/x"));
    /* A name may begin with digits. */
    assert_false (config_endpoint_is_local ("tcp://127.example.org:5181"));
    assert_false (config_endpoint_is_local ("tcp://127.0.0.1.example.org:5181"));
    assert_false (config_endpoint_is_local ("tcp://*:5181"));
    assert_false (config_endpoint_is_local ("tcp://10.1.2.3:5181"));
    assert_false (config_endpoint_is_local ("tcp://localhost.example.org:5181"));
}

/* ---- Files ----------------------------------------------------------------------------------- */

static char folder[] = "/tmp/cohort-config-XXXXXX";
static char path[64];

static int make_folder (void **state)
{
    (void) state;
    (void) snprintf (path, sizeof path, "%s/zoo.cfg", mkdtemp (folder));
    return 0;
}

static int remove_folder (void **state)
{
    char myid[64];
    (void) state;
    (void) snprintf (myid, sizeof myid, "%s/myid", folder);
    (void) unlink (myid);
    (void) unlink (path);
    return rmdir (folder);
}

static void write_file (const char *name, const char *text)
{
    char file_path[64];
    (void) snprintf (file_path, sizeof file_path, "%s/%s", folder, name);
    FILE *file = fopen (file_path, "w");
    assert_non_null (file);
    assert_true (fputs (text, file) >= 0);
    assert_int_equal (fclose (file), 0);
}

/* Loads a file with `lines`, and dataDir if they are to follow it. */
static int load (bool with_folder, const char *lines)
{
    char text[512];
    (void) snprintf (text, sizeof text, "%s%s\n%s", with_folder ? "dataDir=" : "#", folder, lines);
    write_file ("zoo.cfg", text);
    config_file_init (&config);
    return config_file_load (&config, path, error, sizeof error);
}

static void test_file_with_myid (void **state)
{
    (void) state;
    write_file ("myid", "2\n");
    assert_int_equal (load (true, "server.1=127.0.0.1:1\nserver.2=127.0.0.1:2\n"), 0);
    assert_int_equal (config.id, 2);
    write_file ("myid", "3\n");
    assert_int_equal (load (true, "server.1=127.0.0.1:1\n"), COHORT_ECONFIG);
    assert_non_null (strstr (error, "id is 3"));
    write_file ("myid", "two\n");
    assert_int_equal (load (true, "server.1=127.0.0.1:1\n"), COHORT_ECONFIG);
    assert_non_null (strstr (error, "'two' is no server id"));
}

static void test_file_that_exposes (void **state)
{
    (void) state;
    assert_int_equal (load (true, "clients=tcp://*:5181\n"), COHORT_ECONFIG);
    assert_non_null (strstr (error, "insecure=yes"));
    assert_int_equal (load (true, "clients=tcp://*:5181\ninsecure=yes\n"), 0);
    assert_int_equal (load (true, "clients=tcp://*:5181\ncertificate=/k\n"), 0);
    assert_int_equal (load (true, "id=1\nserver.1=10.0.0.1:5188\n"), COHORT_ECONFIG);
    assert_non_null (strstr (error, "tcp://10.0.0.1:5188 can be reached by other machines"));
}

/* What no line is wrong about alone. */
static void test_file_that_contradicts_itself (void **state)
{
    (void) state;
    assert_int_equal (load (true, "minSessionTimeout=5000\nmaxSessionTimeout=1000\n"),
                      COHORT_ECONFIG);
    assert_non_null (strstr (error, "minSessionTimeout=5000 is more than maxSessionTimeout=1000"));
    assert_int_equal (load (true, "minSessionTimeout=1000\nmaxSessionTimeout=1000\n"), 0);
    assert_int_equal (load (true, "id=1\nserver.1=127.0.0.1:1:observer\n"), COHORT_ECONFIG);
    assert_non_null (strstr (error, "all servers are observers"));
    assert_int_equal (load (true, "replaceAdmins=yes\n"), COHORT_ECONFIG);
    assert_non_null (strstr (error, "replaceAdmins=yes, but by whom?"));
    assert_int_equal (load (true, "replaceAdmins=yes\nadmin=ip:10.0.0.0/8\n"), 0);
}

static void test_file_that_is_not_there (void **state)
{
    (void) state;
    assert_int_equal (config_file_load (&config, "/nonexistent", error, sizeof error),
                      COHORT_ECONFIG);
    assert_string_equal (error, "/nonexistent: cannot be read: No such file or directory");
    assert_int_equal (load (false, ""), COHORT_ECONFIG);
    assert_non_null (strstr (error, "dataDir is missing"));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_zookeepers_own_sample),
        cmocka_unit_test (test_own_keys),
        cmocka_unit_test (test_errors_name_line_key_value_and_remedy),
        cmocka_unit_test (test_no_compression),
        cmocka_unit_test (test_errors_keep_their_reason),
        cmocka_unit_test (test_malformed_servers),
        cmocka_unit_test (test_local_endpoints),
        cmocka_unit_test (test_file_with_myid),
        cmocka_unit_test (test_file_that_exposes),
        cmocka_unit_test (test_file_that_contradicts_itself),
        cmocka_unit_test (test_file_that_is_not_there),
    };
    return cmocka_run_group_tests (tests, make_folder, remove_folder);
}

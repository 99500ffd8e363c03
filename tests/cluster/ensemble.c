/* Real servers on loopback. */

#include "tests/cluster/ensemble.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/status_query.h"
#include "tests/unit/unit.h"

enum { QUERY_MS = 200, LOG_TAIL = 4000, POLL_NS = 5000000 };

int64_t test_now_ms (void)
{
    struct timespec now;
    assert_int_equal (clock_gettime (CLOCK_MONOTONIC, &now), 0);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Between two looks at a condition that no descriptor tells of. */
static void breathe (void)
{
    struct timespec pause = {.tv_nsec = POLL_NS};
    (void) clock_nanosleep (CLOCK_MONOTONIC, 0, &pause, NULL);
}

/* A port that stays free while its server is down: below those that the kernel gives to connections
 * that are made, and no other than this process was given before. */
static uint16_t free_port (int *holder)
{
    enum { FIRST = 10000, COUNT = 20000 };
    static unsigned given;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    *holder = socket (AF_INET, SOCK_STREAM, 0);
    assert_true (*holder >= 0);
    for (int tries = 0; tries < COUNT; tries++) {
        uint16_t port = (uint16_t) (FIRST + ((unsigned) getpid () * 64 + given++) % COUNT);
        address.sin_port = htons (port);
        if (bind (*holder, (struct sockaddr *) &address, sizeof address) == 0) {
            return port;
        }
        assert_int_equal (errno, EADDRINUSE);
    }
    fail_msg ("no port from %d to %d is free", FIRST, FIRST + COUNT - 1);
    return 0;
}

static void write_config (struct ensemble *self, size_t index, const uint16_t *ports,
                          const char *settings)
{
    struct ensemble_server *server = &self->servers[index];
    FILE *file = fopen (server->config, "w");
    assert_non_null (file);
    assert_true (fprintf (file, "dataDir=%s\nid=%u\nclients=%s\n%s", server->data, server->id,
                          server->clients, settings) > 0);
    for (size_t i = 0; i < self->count && self->count > 1; i++) {
        assert_true (fprintf (file, "server.%zu=127.0.0.1:%u\nclients.%zu=%s\n", i + 1, ports[i],
                              i + 1, self->servers[i].clients) > 0);
    }
    assert_int_equal (fclose (file), 0);
}

void ensemble_init (struct ensemble *self, const char *cohortd, size_t count, const char *settings)
{
    uint16_t ports[ENSEMBLE_MAX];
    int holders[2 * ENSEMBLE_MAX];

    memset (self, 0, sizeof *self);
    self->cohortd = cohortd;
    self->count = count;
    (void) snprintf (self->folder, sizeof self->folder, "/tmp/cohort-test-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    for (size_t i = 0; i < count; i++) {
        struct ensemble_server *server = &self->servers[i];
        server->id = (uint32_t) i + 1;
        ports[i] = free_port (&holders[2 * i]);
        (void) snprintf (server->clients, sizeof server->clients, "tcp://127.0.0.1:%u",
                         free_port (&holders[2 * i + 1]));
        (void) snprintf (server->config, sizeof server->config, "%s/%zu.cfg", self->folder, i + 1);
        (void) snprintf (server->log, sizeof server->log, "%s/%zu.log", self->folder, i + 1);
        (void) snprintf (server->data, sizeof server->data, "%s/%zu", self->folder, i + 1);
        size_t used = strlen (self->list);
        (void) snprintf (self->list + used, sizeof self->list - used, "%s%s", i ? "," : "",
                         server->clients);
    }
    for (size_t i = 0; i < 2 * count; i++) {
        (void) close (holders[i]);
    }
    for (size_t i = 0; i < count; i++) {
        write_config (self, i, ports, settings);
    }
}

static void show_log (const struct ensemble_server *server)
{
    char text[LOG_TAIL + 1];
    FILE *file = fopen (server->log, "r");
    if (!file) {
        return;
    }
    if (fseek (file, -LOG_TAIL, SEEK_END) != 0) {
        rewind (file);
    }
    size_t size = fread (text, 1, LOG_TAIL, file);
    text[size] = '\0';
    fprintf (stderr, "---- server %u\n%s", server->id, text);
    (void) fclose (file);
}

void ensemble_deinit (struct ensemble *self, bool failed)
{
    char command[128];
    for (size_t i = 0; i < self->count; i++) {
        if (self->servers[i].pid) {
            ensemble_signal (self, i, SIGKILL);
        }
        if (failed) {
            show_log (&self->servers[i]);
        }
    }
    (void) snprintf (command, sizeof command, "rm -rf '%s'", self->folder);
    assert_int_equal (system (command), 0);
}

/* ---- Processes ------------------------------------------------------------------------------- */

static pid_t spawn (struct ensemble *self, const char *config, const char *output)
{
    pid_t pid = fork ();
    assert_true (pid >= 0);
    if (pid == 0) {
        int fd = open (output, O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (fd < 0 || dup2 (fd, STDERR_FILENO) < 0 || dup2 (fd, STDOUT_FILENO) < 0) {
            _exit (127);
        }
        (void) execl (self->cohortd, self->cohortd, "--config", config, (char *) NULL);
        _exit (127);
    }
    return pid;
}

void ensemble_start (struct ensemble *self, size_t index)
{
    struct ensemble_server *server = &self->servers[index];
    assert_int_equal (server->pid, 0);
    server->pid = spawn (self, server->config, server->log);
}

void ensemble_start_all (struct ensemble *self)
{
    for (size_t i = 0; i < self->count; i++) {
        ensemble_start (self, i);
    }
}

void ensemble_signal (struct ensemble *self, size_t index, int signal)
{
    struct ensemble_server *server = &self->servers[index];
    assert_true (server->pid > 0);
    assert_int_equal (kill (server->pid, signal), 0);
    if (signal == SIGKILL) {
        assert_int_equal (waitpid (server->pid, NULL, 0), server->pid);
        server->pid = 0;
    }
}

/* The wait status; -1: it still runs. */
static int wait_exit (pid_t pid, int limit_ms)
{
    int end_status = -1;
    struct pollfd end = {.fd = pidfd_open (pid, 0), .events = POLLIN};
    assert_true (end.fd >= 0);
    if (poll (&end, 1, limit_ms) == 1) {
        assert_int_equal (waitpid (pid, &end_status, 0), pid);
    }
    (void) close (end.fd);
    return end_status;
}

void ensemble_stop (struct ensemble *self, size_t index, int limit_ms)
{
    struct ensemble_server *server = &self->servers[index];
    ensemble_signal (self, index, SIGTERM);
    int status = wait_exit (server->pid, limit_ms);
    assert_true (status >= 0);
    server->pid = 0;
    assert_true (WIFEXITED (status));
    assert_int_equal (WEXITSTATUS (status), 0);
}

int ensemble_run (struct ensemble *self, const char *config, char *output, size_t size)
{
    char path[ENSEMBLE_TEXT];
    (void) snprintf (path, sizeof path, "%s/output", self->folder);
    (void) unlink (path);
    pid_t pid = spawn (self, config, path);
    int status = wait_exit (pid, 10000);
    if (status < 0) {
        (void) kill (pid, SIGKILL);
        (void) waitpid (pid, NULL, 0);
    }
    assert_true (status >= 0 && WIFEXITED (status));
    FILE *file = fopen (path, "r");
    assert_non_null (file);
    output[fread (output, 1, size - 1, file)] = '\0';
    (void) fclose (file);
    return WEXITSTATUS (status);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static size_t index_of (const struct ensemble *self, const char *endpoint)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->servers[i].clients, endpoint) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static struct ensemble_status status;

static void ask (struct ensemble *self)
{
    static const struct security none;
    assert_int_equal (status_query (&status, self->list, &none, QUERY_MS), 0);
}

size_t ensemble_wait_leader (struct ensemble *self, size_t following, int limit_ms)
{
    int64_t limit = test_now_ms () + limit_ms;
    for (;;) {
        size_t leaders = 0, followers = 0, leader = 0;
        ask (self);
        for (size_t i = 0; i < status.addresses.count; i++) {
            const struct server_status *server = &status.servers[i];
            if (server->answered && (strcmp (server->role, "leader") == 0 ||
                                     strcmp (server->role, "standalone") == 0)) {
                leaders++;
                leader = index_of (self, status.addresses.items[i]);
            }
            followers += server->answered && strcmp (server->role, "follower") == 0;
        }
        if (leaders == 1 && followers >= following && leader < self->count) {
            return leader;
        }
        assert_true (test_now_ms () < limit);
        breathe ();
    }
}

void ensemble_wait_equal (struct ensemble *self, int limit_ms)
{
    int64_t limit = test_now_ms () + limit_ms;
    size_t running = 0;
    for (size_t i = 0; i < self->count; i++) {
        running += self->servers[i].pid != 0;
    }
    for (;;) {
        size_t equal = 0;
        uint64_t zxid = 0;
        ask (self);
        for (size_t i = 0; i < status.addresses.count; i++) {
            if (status.servers[i].answered) {
                zxid = equal == 0 ? status.servers[i].zxid : zxid;
                equal += status.servers[i].zxid == zxid;
            }
        }
        if (equal == running) {
            return;
        }
        assert_true (test_now_ms () < limit);
        breathe ();
    }
}

/* Real servers on loopback. */

#include "tests/cluster/ensemble.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/status_query.h"
#include "tests/support/bad_disk.h"
#include "tests/support/packet_net.h"
#include "tests/support/tcp_proxy.h"
#include "tests/unit/unit.h"

enum { QUERY_MS = 200, LOG_TAIL = 4000, POLL_NS = 5000000 };

void ensemble_shell (const char *format, ...)
{
    char line[4 * ENSEMBLE_TEXT];
    va_list arguments;
    va_start (arguments, format);
    int size = vsnprintf (line, sizeof line, format, arguments);
    va_end (arguments);
    assert_true (size >= 0 && (size_t) size < sizeof line);
    if (system (line) != 0) {
        fail_msg ("%s", line);
    }
}

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

/* Until this process ends no other that asks is given the port: an abstract socket has its name. */
static bool reserve_port (uint16_t port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    (void) snprintf (name.sun_path + 1, sizeof name.sun_path - 1, "cohort-test-port-%u", port);
    int holder = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true (holder >= 0);
    if (bind (holder, (struct sockaddr *) &name, sizeof name) == 0) {
        return true; /* and it stays open */
    }
    assert_int_equal (errno, EADDRINUSE);
    (void) close (holder);
    return false;
}

/* A port that stays free while its server is down: below those that the kernel gives to connections
 * that are made, and neither this process nor another test was given it before. */
uint16_t ensemble_port (int *holder)
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
        if (!reserve_port (port)) {
            continue;
        }
        if (bind (*holder, (struct sockaddr *) &address, sizeof address) == 0) {
            return port;
        }
        assert_int_equal (errno, EADDRINUSE);
    }
    fail_msg ("no port from %d to %d is free", FIRST, FIRST + COUNT - 1);
    return 0;
}

/* Where server `from` finds server `to`: itself where it really is, the others behind the proxy. */
static void write_config (struct ensemble *self, size_t from,
                          uint16_t ports[ENSEMBLE_MAX][ENSEMBLE_MAX], const char *settings)
{
    struct ensemble_server *server = &self->servers[from];
    FILE *file = fopen (server->config, "w");
    assert_non_null (file);
    assert_true (fprintf (file, "dataDir=%s\nid=%u\nclients=%s\n%s%s", server->data, server->id,
                          server->clients, self->net ? "insecure=yes\n" : "", settings) > 0);
    for (size_t to = 0; to < self->count && self->count > 1; to++) {
        assert_true (fprintf (file, "server.%zu=%s:%u%s\nclients.%zu=%s\n", to + 1,
                              self->servers[to].address, ports[from][to],
                              to + self->observers >= self->count ? ":observer" : "", to + 1,
                              self->servers[to].clients) > 0);
    }
    assert_int_equal (fclose (file), 0);
}

static void add_to_list (char list[ENSEMBLE_TEXT], const char *endpoint)
{
    size_t used = strlen (list);
    (void) snprintf (list + used, ENSEMBLE_TEXT - used, "%s%s", used > 0 ? "," : "", endpoint);
}

static void make_links (struct ensemble *self, struct tcp_proxy *proxy,
                        uint16_t ports[ENSEMBLE_MAX][ENSEMBLE_MAX], const uint16_t *client_ports)
{
    for (size_t i = 0; i < self->count; i++) {
        struct ensemble_server *server = &self->servers[i];
        uint16_t port;
        char endpoint[64];
        server->client_link = tcp_proxy_link (proxy, client_ports[i], &port);
        (void) snprintf (endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", port);
        add_to_list (self->proxied, endpoint);
        for (size_t to = 0; to < self->count; to++) {
            if (to != i) {
                server->peer_links[to] = tcp_proxy_link (proxy, ports[to][to], &ports[i][to]);
            }
        }
    }
}

static void name_files (struct ensemble *self, struct ensemble_server *server)
{
    const struct {
        char *path;
        const char *suffix;
    } files[] = {{server->config, ".cfg"},
                 {server->log, ".log"},
                 {server->data, ""},
                 {server->disk, ".disk"}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void) snprintf (files[i].path, ENSEMBLE_TEXT, "%s/%u%s", self->folder, server->id,
                         files[i].suffix);
    }
}

void ensemble_init (struct ensemble *self, const char *cohortd, size_t count, const char *settings)
{
    ensemble_init_with (
        self, &(struct ensemble_options){.cohortd = cohortd, .count = count, .settings = settings});
}

void ensemble_init_with (struct ensemble *self, const struct ensemble_options *options)
{
    uint16_t ports[ENSEMBLE_MAX][ENSEMBLE_MAX], client_ports[ENSEMBLE_MAX];
    int holders[2 * ENSEMBLE_MAX];

    memset (self, 0, sizeof *self);
    self->cohortd = options->cohortd;
    self->preload = options->preload;
    self->net = options->net;
    self->count = options->count;
    self->observers = options->observers;
    (void) snprintf (self->folder, sizeof self->folder, "%s",
                     options->folder ? options->folder : "/tmp/cohort-test-XXXXXX");
    assert_true (options->folder || mkdtemp (self->folder));
    for (size_t i = 0; i < self->count; i++) {
        struct ensemble_server *server = &self->servers[i];
        server->id = (uint32_t) i + 1;
        name_files (self, server);
        uint16_t port = ensemble_port (&holders[2 * i]);
        for (size_t from = 0; from < self->count; from++) {
            ports[from][i] = port;
        }
        client_ports[i] = ensemble_port (&holders[2 * i + 1]);
        (void) snprintf (server->address, sizeof server->address, "127.0.0.1");
        if (self->net) {
            (void) packet_net_address (self->net, i + 1, server->address);
        }
        (void) snprintf (server->clients, sizeof server->clients, "tcp://%s:%u", server->address,
                         client_ports[i]);
        add_to_list (self->list, server->clients);
    }
    for (size_t i = 0; i < 2 * self->count; i++) {
        (void) close (holders[i]);
    }
    if (options->proxy) {
        make_links (self, options->proxy, ports, client_ports);
    }
    for (size_t i = 0; i < self->count; i++) {
        write_config (self, i, ports, options->settings);
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
    for (size_t i = 0; i < self->count + self->twin; i++) {
        if (self->servers[i].pid) {
            ensemble_signal (self, i, SIGKILL);
        }
        if (failed) {
            show_log (&self->servers[i]);
        }
    }
    ensemble_shell ("rm -rf '%s'", self->folder);
}

/* ---- Processes ------------------------------------------------------------------------------- */

/* A library of the sanitizers may not be the first then, and has nothing against it. */
static void preload (const struct ensemble *self, const char *disk)
{
    char options[ENSEMBLE_TEXT];
    const char *given = getenv ("ASAN_OPTIONS");
    (void) snprintf (options, sizeof options, "%s%sverify_asan_link_order=0", given ? given : "",
                     given ? ":" : "");
    if (setenv ("LD_PRELOAD", self->preload, 1) != 0 || setenv (BAD_DISK_VARIABLE, disk, 1) != 0 ||
        setenv ("ASAN_OPTIONS", options, 1) != 0) {
        _exit (127);
    }
}

/* host: of the network; 0: there is none, or this process's own. */
static pid_t spawn (struct ensemble *self, const char *config, const char *output, const char *disk,
                    size_t host)
{
    pid_t pid = fork ();
    assert_true (pid >= 0);
    if (pid == 0) {
        int fd = open (output, O_WRONLY | O_CREAT | O_APPEND, 0644);
        /* However the test ends, its servers end with it. */
        if (prctl (PR_SET_PDEATHSIG, SIGKILL) != 0 || fd < 0 || dup2 (fd, STDERR_FILENO) < 0 ||
            dup2 (fd, STDOUT_FILENO) < 0) {
            _exit (127);
        }
        if (host > 0 && !packet_net_enter (self->net, host)) {
            _exit (127);
        }
        if (self->preload && disk && *disk) {
            preload (self, disk);
        }
        (void) execl (self->cohortd, self->cohortd, "--config", config, (char *) NULL);
        _exit (127);
    }
    return pid;
}

void ensemble_start (struct ensemble *self, size_t index)
{
    struct ensemble_server *server = &self->servers[index];
    struct stat log;
    assert_int_equal (server->pid, 0);
    server->log_from = stat (server->log, &log) == 0 ? (long) log.st_size : 0;
    server->pid =
        spawn (self, server->config, server->log, server->disk, self->net ? server->id : 0);
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

int ensemble_reap (struct ensemble *self, size_t index)
{
    struct ensemble_server *server = &self->servers[index];
    int end_status = -1;
    if (server->pid == 0 || waitpid (server->pid, &end_status, WNOHANG) != server->pid) {
        return -1;
    }
    server->pid = 0;
    return end_status;
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

int ensemble_wait_end (struct ensemble *self, size_t index, int limit_ms)
{
    int end_status = wait_exit (self->servers[index].pid, limit_ms);
    assert_true (end_status >= 0);
    self->servers[index].pid = 0;
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

static size_t count_lines (const struct ensemble_server *server, long from, const char *text)
{
    char line[1024];
    size_t found = 0;
    FILE *file = fopen (server->log, "r");
    assert_non_null (file);
    assert_int_equal (fseek (file, from, SEEK_SET), 0);
    while (fgets (line, sizeof line, file)) {
        found += strstr (line, text) != NULL;
    }
    (void) fclose (file);
    return found;
}

size_t ensemble_log_count (struct ensemble *self, size_t index, const char *text)
{
    return count_lines (&self->servers[index], 0, text);
}

bool ensemble_life_has (struct ensemble *self, size_t index, const char *text)
{
    const struct ensemble_server *server = &self->servers[index];
    return count_lines (server, server->log_from, text) > 0;
}

bool ensemble_log_has (struct ensemble *self, size_t index, const char *text)
{
    return ensemble_log_count (self, index, text) > 0;
}

void ensemble_await_log (struct ensemble *self, size_t index, const char *text, int limit_ms)
{
    int64_t limit = test_now_ms () + limit_ms;
    while (!ensemble_log_has (self, index, text)) {
        if (test_now_ms () > limit) {
            fail_msg ("server %zu does not say: %s", index + 1, text);
        }
        breathe ();
    }
}

int ensemble_run (struct ensemble *self, const char *config, char *output, size_t size)
{
    char path[ENSEMBLE_TEXT];
    (void) snprintf (path, sizeof path, "%s/output", self->folder);
    (void) unlink (path);
    pid_t pid = spawn (self, config, path, NULL, 0);
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

static void ask (struct ensemble *self, int limit_ms)
{
    static const struct security none;
    assert_int_equal (status_query (&status, self->list, &none, limit_ms), 0);
}

static bool leads (const struct server_status *server)
{
    return server->answered &&
           (strcmp (server->role, "leader") == 0 || strcmp (server->role, "standalone") == 0);
}

size_t ensemble_leader (struct ensemble *self, int limit_ms)
{
    size_t leader = SIZE_MAX;
    uint32_t epoch = 0;
    ask (self, limit_ms);
    for (size_t i = 0; i < status.addresses.count; i++) {
        const struct server_status *server = &status.servers[i];
        if (leads (server) && server->epoch >= epoch) {
            epoch = server->epoch;
            leader = index_of (self, status.addresses.items[i]);
        }
    }
    return leader;
}

void ensemble_epochs (struct ensemble *self, uint32_t epochs[ENSEMBLE_MAX], int limit_ms)
{
    memset (epochs, 0, ENSEMBLE_MAX * sizeof epochs[0]);
    ask (self, limit_ms);
    for (size_t i = 0; i < status.addresses.count; i++) {
        size_t index = index_of (self, status.addresses.items[i]);
        if (leads (&status.servers[i]) && index < self->count) {
            epochs[index] = status.servers[i].epoch;
        }
    }
}

/* Of those that have just been asked. */
static size_t count_following (const struct ensemble *self, size_t *leader)
{
    size_t leaders = 0, followers = 0;
    for (size_t i = 0; i < status.addresses.count; i++) {
        const struct server_status *server = &status.servers[i];
        if (leads (server)) {
            leaders++;
            *leader = index_of (self, status.addresses.items[i]);
        }
        followers += server->answered && (strcmp (server->role, "follower") == 0 ||
                                          strcmp (server->role, "observer") == 0);
    }
    return leaders == 1 && *leader < self->count ? followers : SIZE_MAX;
}

size_t ensemble_following (struct ensemble *self, int limit_ms)
{
    size_t leader;
    ask (self, limit_ms);
    return count_following (self, &leader);
}

bool ensemble_whole (struct ensemble *self, int limit_ms)
{
    size_t whole = 0;
    ask (self, limit_ms);
    for (size_t i = 0; i < status.addresses.count; i++) {
        whole += status.servers[i].answered && strcmp (status.servers[i].log, "whole") == 0;
    }
    return whole == self->count;
}

void ensemble_wait_whole (struct ensemble *self, int limit_ms)
{
    int64_t limit = test_now_ms () + limit_ms;
    while (!ensemble_whole (self, QUERY_MS)) {
        assert_true (test_now_ms () < limit);
        breathe ();
    }
}

void ensemble_wait_answer (struct ensemble *self, size_t index, int limit_ms)
{
    int64_t limit = test_now_ms () + limit_ms;
    for (bool answered = false; !answered;) {
        ask (self, QUERY_MS);
        for (size_t i = 0; i < status.addresses.count; i++) {
            answered |=
                status.servers[i].answered && index_of (self, status.addresses.items[i]) == index;
        }
        assert_true (answered || test_now_ms () < limit);
        breathe ();
    }
}

size_t ensemble_wait_leader (struct ensemble *self, size_t following, int limit_ms)
{
    int64_t limit = test_now_ms () + limit_ms;
    for (;;) {
        size_t leader = SIZE_MAX;
        ask (self, QUERY_MS);
        size_t followers = count_following (self, &leader);
        if (followers != SIZE_MAX && followers >= following) {
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
        ask (self, QUERY_MS);
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

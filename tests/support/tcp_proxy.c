/* A TCP proxy on loopback: one thread, one poll, commands over a pair of sockets. */

#include "tests/support/tcp_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 1024,
    ROOM = 64 << 10,
    MARKS = 64,
    BACKLOG = 128,
    BURST_MS = 50 /* a throttled direction may send at once what this time allows */
};

/* Bytes on their way, and when those before each mark may be handed on. */
struct flow {
    uint8_t bytes[ROOM];
    size_t begin, end;
    struct {
        size_t end;
        int64_t due_ms;
    } marks[MARKS];
    size_t marks_count;
    int64_t paid_ms; /* through this moment its rate has been used up */
    bool ended;      /* who sends has shut down */
    bool shut;       /* and who receives has been told */
    bool lost;
};

struct connection {
    int fds[2]; /* who has connected, and the target */
    size_t link;
    int64_t cut_after; /* bytes; -1: not at all */
    struct flow flows[2];
};

struct link {
    int listener;
    uint16_t target;
    struct tcp_proxy_fault fault;
};

enum command_kind { COMMAND_SET = 1, COMMAND_CUT, COMMAND_COUNTS, COMMAND_STOP };

struct command {
    enum command_kind kind;
    size_t link;
    uint32_t after_bytes;
    struct tcp_proxy_fault fault;
};

struct tcp_proxy {
    pthread_t thread;
    bool started;
    int commands[2]; /* the owner's end, the thread's end */
    struct link links[TCP_PROXY_LINKS_MAX];
    size_t links_count;
    struct connection *connections[CONNECTIONS_MAX];
    size_t connections_count;
    struct tcp_proxy_counts counts;
};

static void require (bool condition, const char *what)
{
    if (!condition) {
        fprintf (stderr, "tcp_proxy: %s: %s\n", what, strerror (errno));
        abort ();
    }
}

static int64_t now_ms (void)
{
    struct timespec now;
    require (clock_gettime (CLOCK_MONOTONIC, &now) == 0, "clock_gettime");
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t earlier (int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- Connections ----------------------------------------------------------------------------- */

/* With a reset, so that both ends hear of it and nothing that was on its way arrives. */
static void reset_fd (int fd)
{
    struct linger at_once = {.l_onoff = 1};
    (void) setsockopt (fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void) close (fd);
}

static void drop (struct tcp_proxy *self, size_t index, bool reset)
{
    struct connection *connection = self->connections[index];
    for (size_t i = 0; i < 2; i++) {
        if (reset) {
            reset_fd (connection->fds[i]);
        } else {
            (void) close (connection->fds[i]);
        }
    }
    self->counts.resets += reset;
    free (connection);
    self->connections[index] = self->connections[--self->connections_count];
}

static int connect_to (uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons (port),
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    require (fd >= 0, "socket");
    if (connect (fd, (struct sockaddr *) &address, sizeof address) != 0 && errno != EINPROGRESS) {
        (void) close (fd);
        return -1;
    }
    return fd;
}

static void set_nodelay (int fd)
{
    int one = 1;
    (void) setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void accept_from (struct tcp_proxy *self, size_t index)
{
    struct link *link = &self->links[index];
    int fd = accept4 (link->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return; /* it is gone again */
    }
    int target = link->fault.refuse || self->connections_count == CONNECTIONS_MAX
                     ? -1
                     : connect_to (link->target);
    if (target < 0) {
        reset_fd (fd);
        self->counts.resets++;
        return;
    }
    struct connection *connection = calloc (1, sizeof *connection);
    require (connection != NULL, "calloc");
    set_nodelay (fd);
    set_nodelay (target);
    connection->fds[0] = fd;
    connection->fds[1] = target;
    connection->link = index;
    connection->cut_after = -1;
    self->connections[self->connections_count++] = connection;
    self->counts.connections++;
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static bool may_receive (const struct connection *connection, const struct tcp_proxy_fault *fault,
                         size_t way)
{
    const struct flow *flow = &connection->flows[way];
    return !flow->ended && !fault->stall[way] && flow->end < ROOM && flow->marks_count < MARKS;
}

/* false: the connection has ended. */
static bool receive (struct tcp_proxy *self, struct connection *connection,
                     const struct tcp_proxy_fault *fault, size_t way, int64_t now)
{
    struct flow *flow = &connection->flows[way];
    ssize_t got = recv (connection->fds[way], flow->bytes + flow->end, ROOM - flow->end, 0);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (fault->lose[way]) {
        flow->lost = true; /* the end of it, too, would be a message that gets lost */
        flow->ended = got == 0;
        self->counts.bytes_lost += (uint64_t) got;
        return true;
    }
    flow->ended = got == 0;
    if (got > 0) {
        flow->end += (size_t) got;
        int64_t due = now + fault->delay_ms[way];
        size_t last = flow->marks_count;
        int64_t before = last > 0 ? flow->marks[last - 1].due_ms : 0;
        flow->marks[last].end = flow->end;
        flow->marks[last].due_ms = due > before ? due : before;
        flow->marks_count++;
    }
    return true;
}

/* How much may be handed on now; *wait_ms becomes smaller if something may be later. */
static size_t due_bytes (const struct flow *flow, const struct tcp_proxy_fault *fault, size_t way,
                         int64_t now, int64_t *wait_ms)
{
    size_t through = flow->begin;
    for (size_t i = 0; i < flow->marks_count; i++) {
        if (flow->marks[i].due_ms > now) {
            *wait_ms = earlier (*wait_ms, flow->marks[i].due_ms - now);
            break;
        }
        through = flow->marks[i].end;
    }
    size_t due = through - flow->begin;
    if (fault->rate[way] > 0 && due > 0) {
        int64_t since = now - flow->paid_ms;
        size_t allowed =
            (size_t) ((since < BURST_MS ? since : BURST_MS) * (int64_t) fault->rate[way] / 1000);
        if (allowed == 0) {
            *wait_ms = earlier (*wait_ms, 1000 / (int64_t) fault->rate[way] + 1);
        }
        due = due < allowed ? due : allowed;
    }
    return due;
}

static void take_out (struct flow *flow, size_t count)
{
    flow->begin += count;
    while (flow->marks_count > 0 && flow->marks[0].end <= flow->begin) {
        flow->marks_count--;
        memmove (flow->marks, flow->marks + 1, flow->marks_count * sizeof flow->marks[0]);
    }
    if (flow->begin == flow->end) {
        flow->begin = flow->end = 0;
    } else if (flow->begin > ROOM / 2) {
        memmove (flow->bytes, flow->bytes + flow->begin, flow->end - flow->begin);
        for (size_t i = 0; i < flow->marks_count; i++) {
            flow->marks[i].end -= flow->begin;
        }
        flow->end -= flow->begin;
        flow->begin = 0;
    }
}

/* false: the connection is to be reset. */
static bool hand_on (struct tcp_proxy *self, struct connection *connection,
                     const struct tcp_proxy_fault *fault, size_t way, size_t count, int64_t now)
{
    struct flow *flow = &connection->flows[way];
    if (connection->cut_after >= 0 && (int64_t) count > connection->cut_after) {
        count = (size_t) connection->cut_after;
    }
    ssize_t put = count > 0
                      ? send (connection->fds[!way], flow->bytes + flow->begin, count, MSG_NOSIGNAL)
                      : 0;
    if (put < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (put > 0 && fault->rate[way] > 0) {
        flow->paid_ms = now;
    }
    take_out (flow, (size_t) put);
    self->counts.bytes += (uint64_t) put;
    if (connection->cut_after >= 0) {
        connection->cut_after -= put;
        return connection->cut_after > 0;
    }
    return true;
}

/* ---- One turn -------------------------------------------------------------------------------- */

struct turn {
    struct pollfd fds[1 + TCP_PROXY_LINKS_MAX + 2 * CONNECTIONS_MAX];
    size_t count;
    int64_t wait_ms; /* INT64_MAX: until something happens */
};

static void watch (struct turn *turn, int fd, short events)
{
    /* A descriptor that nothing is wanted of is left out: its hang-up would be reported again and
     * again. */
    turn->fds[turn->count++] = (struct pollfd){.fd = events != 0 ? fd : -1, .events = events};
}

/* The events of both ends of a connection. */
static void watch_connection (struct tcp_proxy *self, struct turn *turn,
                              const struct connection *connection, int64_t now)
{
    const struct tcp_proxy_fault *fault = &self->links[connection->link].fault;
    short events[2] = {0, 0};
    for (size_t way = 0; way < 2; way++) {
        const struct flow *flow = &connection->flows[way];
        if (may_receive (connection, fault, way)) {
            events[way] |= POLLIN;
        }
        if (!fault->stall[way] && (due_bytes (flow, fault, way, now, &turn->wait_ms) > 0 ||
                                   (flow->ended && !flow->shut && flow->begin == flow->end))) {
            events[!way] |= POLLOUT;
        }
    }
    watch (turn, connection->fds[0], events[0]);
    watch (turn, connection->fds[1], events[1]);
}

/* One direction. false: the connection has ended, by a reset. */
static bool carry_way (struct tcp_proxy *self, struct connection *connection, size_t way,
                       const short happened[2], int64_t now)
{
    const struct tcp_proxy_fault *fault = &self->links[connection->link].fault;
    struct flow *flow = &connection->flows[way];
    int64_t wait_ms = INT64_MAX;
    if (flow->lost && !fault->lose[way]) {
        return false; /* it must not go on with a hole */
    }
    if (happened[way] != 0 && may_receive (connection, fault, way) &&
        !receive (self, connection, fault, way, now)) {
        return false;
    }
    if (fault->stall[way] || happened[!way] == 0) {
        return true;
    }
    size_t due = due_bytes (flow, fault, way, now, &wait_ms);
    if (due > 0 && !hand_on (self, connection, fault, way, due, now)) {
        return false;
    }
    if (flow->ended && !flow->shut && !flow->lost && flow->begin == flow->end) {
        flow->shut = true;
        (void) shutdown (connection->fds[!way], SHUT_WR);
    }
    return true;
}

static void carry (struct tcp_proxy *self, const struct turn *turn, size_t first, int64_t now)
{
    /* From the last: dropping one moves the last into its place. */
    for (size_t i = self->connections_count; i-- > 0;) {
        struct connection *connection = self->connections[i];
        const struct pollfd *fds = &turn->fds[first + 2 * i];
        short happened[2] = {fds[0].revents, fds[1].revents};
        if (self->links[connection->link].fault.refuse || connection->cut_after == 0 ||
            !carry_way (self, connection, 0, happened, now) ||
            !carry_way (self, connection, 1, happened, now)) {
            drop (self, i, true);
        } else if (connection->flows[0].shut && connection->flows[1].shut) {
            drop (self, i, false);
        }
    }
}

/* false: the end. */
static bool obey (struct tcp_proxy *self)
{
    struct command command;
    ssize_t got = recv (self->commands[1], &command, sizeof command, 0);
    require (got == (ssize_t) sizeof command, "a command");
    if (command.kind == COMMAND_SET) {
        self->links[command.link].fault = command.fault;
    } else if (command.kind == COMMAND_CUT) {
        for (size_t i = 0; i < self->connections_count; i++) {
            if (self->connections[i]->link == command.link) {
                self->connections[i]->cut_after = command.after_bytes;
            }
        }
    }
    require (send (self->commands[1], &self->counts, sizeof self->counts, 0) ==
                 (ssize_t) sizeof self->counts,
             "an answer");
    return command.kind != COMMAND_STOP;
}

static void *run (void *arg)
{
    struct tcp_proxy *self = arg;
    struct turn *turn = malloc (sizeof *turn);
    bool more = true, obeyed = false;
    require (turn != NULL, "malloc");
    while (more) {
        int64_t now = now_ms ();
        turn->count = 0;
        turn->wait_ms = obeyed ? 0 : INT64_MAX; /* what was said shows at once */
        watch (turn, self->commands[1], POLLIN);
        for (size_t i = 0; i < self->links_count; i++) {
            watch (turn, self->links[i].listener, POLLIN);
        }
        for (size_t i = 0; i < self->connections_count; i++) {
            watch_connection (self, turn, self->connections[i], now);
        }
        int wait = turn->wait_ms == INT64_MAX ? -1 : (int) earlier (turn->wait_ms, 1000);
        require (poll (turn->fds, (nfds_t) turn->count, wait) >= 0 || errno == EINTR, "poll");
        /* Connections first: they are found by their places. */
        carry (self, turn, 1 + self->links_count, now_ms ());
        for (size_t i = 0; i < self->links_count; i++) {
            if (turn->fds[1 + i].revents != 0) {
                accept_from (self, i);
            }
        }
        obeyed = turn->fds[0].revents != 0;
        if (obeyed) {
            more = obey (self);
        }
    }
    free (turn);
    return NULL;
}

/* ---- The owner's ----------------------------------------------------------------------------- */

struct tcp_proxy *tcp_proxy_new (void)
{
    struct tcp_proxy *self = calloc (1, sizeof *self);
    require (self != NULL, "calloc");
    require (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->commands) == 0,
             "socketpair");
    return self;
}

size_t tcp_proxy_link (struct tcp_proxy *self, uint16_t target, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    require (!self->started && self->links_count < TCP_PROXY_LINKS_MAX, "a link");
    struct link *link = &self->links[self->links_count];
    link->target = target;
    link->listener = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    require (link->listener >= 0, "socket");
    require (bind (link->listener, (struct sockaddr *) &address, sizeof address) == 0, "bind");
    require (listen (link->listener, BACKLOG) == 0, "listen");
    require (getsockname (link->listener, (struct sockaddr *) &address, &size) == 0, "getsockname");
    *port = ntohs (address.sin_port);
    return self->links_count++;
}

void tcp_proxy_start (struct tcp_proxy *self)
{
    self->started = true;
    require (pthread_create (&self->thread, NULL, run, self) == 0, "pthread_create");
}

static void command (struct tcp_proxy *self, const struct command *command,
                     struct tcp_proxy_counts *counts)
{
    require (self->started && command->link < TCP_PROXY_LINKS_MAX, "a command");
    require (send (self->commands[0], command, sizeof *command, 0) == (ssize_t) sizeof *command,
             "a command");
    require (recv (self->commands[0], counts, sizeof *counts, 0) == (ssize_t) sizeof *counts,
             "an answer");
}

void tcp_proxy_set (struct tcp_proxy *self, size_t link, const struct tcp_proxy_fault *fault)
{
    struct tcp_proxy_counts counts;
    command (self, &(struct command){.kind = COMMAND_SET, .link = link, .fault = *fault}, &counts);
}

void tcp_proxy_cut (struct tcp_proxy *self, size_t link, uint32_t after_bytes)
{
    struct tcp_proxy_counts counts;
    command (self, &(struct command){.kind = COMMAND_CUT, .link = link, .after_bytes = after_bytes},
             &counts);
}

void tcp_proxy_counts (struct tcp_proxy *self, struct tcp_proxy_counts *counts)
{
    command (self, &(struct command){.kind = COMMAND_COUNTS}, counts);
}

void tcp_proxy_destroy (struct tcp_proxy **self_p)
{
    struct tcp_proxy *self = *self_p;
    struct tcp_proxy_counts counts;
    if (self == NULL) {
        return;
    }
    *self_p = NULL;
    if (self->started) {
        command (self, &(struct command){.kind = COMMAND_STOP}, &counts);
        require (pthread_join (self->thread, NULL) == 0, "pthread_join");
    }
    while (self->connections_count > 0) {
        drop (self, self->connections_count - 1, true);
    }
    for (size_t i = 0; i < self->links_count; i++) {
        (void) close (self->links[i].listener);
    }
    (void) close (self->commands[0]);
    (void) close (self->commands[1]);
    free (self);
}

/* A network of the test's own: namespaces, TUN devices, and a thread that carries packets. */

#include "tests/support/packet_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/base/prng.h"

enum {
    PACKET_SIZE = 2048,
    WAITING_MAX = 1 << 14,
    BATCH = 64,
    IP4_HEADER = 20,
    IP4_DESTINATION = 16,
    FIRST_ADDRESS = 10 /* of 10.77.0.0 */
};

/* A packet that is late. */
struct waiting {
    int64_t due_us;
    uint64_t order; /* in which they came */
    size_t to, size;
    uint8_t bytes[PACKET_SIZE];
};

enum command_kind { COMMAND_SET = 1, COMMAND_COUNTS, COMMAND_STOP };

struct command {
    enum command_kind kind;
    size_t from, to;
    struct packet_rule rule;
};

struct packet_net {
    size_t hosts;
    int tuns[PACKET_NET_HOSTS_MAX], spaces[PACKET_NET_HOSTS_MAX];
    int commands[2];
    pthread_t thread;
    struct prng prng;
    struct packet_rule rules[PACKET_NET_HOSTS_MAX][PACKET_NET_HOSTS_MAX];
    struct waiting *waiting[WAITING_MAX]; /* a heap: the earliest first */
    size_t waiting_count;
    uint64_t order;
    uint64_t newest[PACKET_NET_HOSTS_MAX]; /* handed to each host */
    struct packet_net_counts counts;
};

static void require (bool condition, const char *what)
{
    if (!condition) {
        fprintf (stderr, "packet_net: %s: %s\n", what, strerror (errno));
        abort ();
    }
}

static int64_t now_us (void)
{
    struct timespec now;
    require (clock_gettime (CLOCK_MONOTONIC, &now) == 0, "clock_gettime");
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- Late packets ---------------------------------------------------------------------------- */

static bool is_before (const struct waiting *a, const struct waiting *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void exchange (struct packet_net *self, size_t a, size_t b)
{
    struct waiting *other = self->waiting[a];
    self->waiting[a] = self->waiting[b];
    self->waiting[b] = other;
}

static void push (struct packet_net *self, struct waiting *packet)
{
    size_t at = self->waiting_count++;
    self->waiting[at] = packet;
    while (at > 0 && is_before (self->waiting[at], self->waiting[(at - 1) / 2])) {
        exchange (self, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static struct waiting *pop (struct packet_net *self)
{
    struct waiting *first = self->waiting[0];
    self->waiting[0] = self->waiting[--self->waiting_count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < self->waiting_count &&
                is_before (self->waiting[child], self->waiting[least])) {
                least = child;
            }
        }
        if (least == at) {
            return first;
        }
        exchange (self, at, least);
        at = least;
    }
}

/* ---- Carrying -------------------------------------------------------------------------------- */

static void hand_over (struct packet_net *self, const struct waiting *packet)
{
    /* A host that takes no more loses it, as hosts do. */
    if (write (self->tuns[packet->to], packet->bytes, packet->size) == (ssize_t) packet->size) {
        self->counts.carried++;
    } else {
        self->counts.lost++;
    }
    self->counts.overtaken += packet->order < self->newest[packet->to];
    self->newest[packet->to] =
        packet->order > self->newest[packet->to] ? packet->order : self->newest[packet->to];
}

/* A copy that arrives when it should. */
static void send_later (struct packet_net *self, const uint8_t *bytes, size_t size, size_t to,
                        const struct packet_rule *rule)
{
    struct waiting *packet = malloc (sizeof *packet);
    require (packet != NULL, "malloc");
    int64_t late_us = (int64_t) rule->delay_ms * 1000;
    if (rule->jitter_ms > 0) {
        late_us += (int64_t) prng_below (&self->prng, (uint64_t) rule->jitter_ms * 1000);
    }
    packet->due_us = now_us () + late_us;
    packet->order = ++self->order;
    packet->to = to;
    packet->size = size;
    memcpy (packet->bytes, bytes, size);
    if (late_us == 0 || self->waiting_count == WAITING_MAX) {
        hand_over (self, packet);
        free (packet);
    } else {
        push (self, packet);
    }
}

static void carry (struct packet_net *self, size_t from, const uint8_t *bytes, size_t size)
{
    if (size < IP4_HEADER || bytes[0] >> 4 != 4) {
        return; /* IPv6 asks for routers */
    }
    size_t to = (size_t) bytes[IP4_DESTINATION + 3] - FIRST_ADDRESS;
    if (to >= self->hosts || to == from) {
        return;
    }
    const struct packet_rule *rule = &self->rules[from][to];
    if (rule->cut || prng_chance (&self->prng, rule->lose, 1000)) {
        self->counts.lost++;
        return;
    }
    send_later (self, bytes, size, to, rule);
    if (prng_chance (&self->prng, rule->duplicate, 1000)) {
        self->counts.duplicated++;
        send_later (self, bytes, size, to, rule);
    }
}

static void carry_all (struct packet_net *self, size_t from)
{
    uint8_t bytes[PACKET_SIZE];
    for (size_t i = 0; i < BATCH; i++) {
        ssize_t size = read (self->tuns[from], bytes, sizeof bytes);
        if (size <= 0) {
            return;
        }
        carry (self, from, bytes, (size_t) size);
    }
}

/* false: the end. */
static bool obey (struct packet_net *self)
{
    struct command command;
    require (recv (self->commands[1], &command, sizeof command, 0) == (ssize_t) sizeof command,
             "a command");
    if (command.kind == COMMAND_SET) {
        self->rules[command.from][command.to] = command.rule;
    }
    require (send (self->commands[1], &self->counts, sizeof self->counts, 0) ==
                 (ssize_t) sizeof self->counts,
             "an answer");
    return command.kind != COMMAND_STOP;
}

static void *run (void *arg)
{
    struct packet_net *self = arg;
    struct pollfd fds[PACKET_NET_HOSTS_MAX + 1];
    bool more = true;
    while (more) {
        struct timespec wait = {.tv_sec = 3600};
        if (self->waiting_count > 0) {
            int64_t us = self->waiting[0]->due_us - now_us ();
            us = us > 0 ? us : 0;
            wait = (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
        }
        for (size_t i = 0; i < self->hosts; i++) {
            fds[i] = (struct pollfd){.fd = self->tuns[i], .events = POLLIN};
        }
        fds[self->hosts] = (struct pollfd){.fd = self->commands[1], .events = POLLIN};
        require (ppoll (fds, (nfds_t) self->hosts + 1, &wait, NULL) >= 0 || errno == EINTR, "poll");
        for (size_t i = 0; i < self->hosts; i++) {
            if (fds[i].revents != 0) {
                carry_all (self, i);
            }
        }
        while (self->waiting_count > 0 && self->waiting[0]->due_us <= now_us ()) {
            struct waiting *packet = pop (self);
            hand_over (self, packet);
            free (packet);
        }
        if (fds[self->hosts].revents != 0) {
            more = obey (self);
        }
    }
    return NULL;
}

/* ---- Hosts ----------------------------------------------------------------------------------- */

static bool write_text (const char *path, const char *text)
{
    int fd = open (path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write (fd, text, strlen (text)) == (ssize_t) strlen (text);
    if (fd >= 0) {
        (void) close (fd);
    }
    return done;
}

/* Who is not root becomes it, in a user namespace of its own. */
static bool become_root (void)
{
    char map[64];
    unsigned uid = (unsigned) geteuid (), gid = (unsigned) getegid ();
    if (uid == 0) {
        return true;
    }
    if (unshare (CLONE_NEWUSER) != 0 || !write_text ("/proc/self/setgroups", "deny")) {
        return false;
    }
    (void) snprintf (map, sizeof map, "0 %u 1", uid);
    if (!write_text ("/proc/self/uid_map", map)) {
        return false;
    }
    (void) snprintf (map, sizeof map, "0 %u 1", gid);
    return write_text ("/proc/self/gid_map", map);
}

static bool bring_up (int any, const char *device, uint32_t address)
{
    struct ifreq request;
    struct sockaddr_in in = {.sin_family = AF_INET};
    memset (&request, 0, sizeof request);
    (void) snprintf (request.ifr_name, sizeof request.ifr_name, "%s", device);
    if (address != 0) {
        in.sin_addr.s_addr = htonl (address);
        memcpy (&request.ifr_addr, &in, sizeof in);
        if (ioctl (any, SIOCSIFADDR, &request) != 0) {
            return false;
        }
        in.sin_addr.s_addr = htonl (UINT32_C (0xffffff00));
        memcpy (&request.ifr_netmask, &in, sizeof in);
        if (ioctl (any, SIOCSIFNETMASK, &request) != 0) {
            return false;
        }
    }
    request.ifr_flags = IFF_UP;
    return ioctl (any, SIOCSIFFLAGS, &request) == 0;
}

/* The process moves to a new namespace; the descriptors of its device and of itself. false: errno.
 */
static bool make_host (size_t host, int *tun, int *space)
{
    struct ifreq request;
    uint32_t address = UINT32_C (0x0a4d0000) + FIRST_ADDRESS + (uint32_t) host;
    if (unshare (CLONE_NEWNET) != 0) {
        return false;
    }
    *space = open ("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    *tun = open ("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (*space < 0 || *tun < 0) {
        return false;
    }
    memset (&request, 0, sizeof request);
    (void) snprintf (request.ifr_name, sizeof request.ifr_name, "host%zu", host);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    int any = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool done = any >= 0 && ioctl (*tun, TUNSETIFF, &request) == 0 && bring_up (any, "lo", 0) &&
                bring_up (any, request.ifr_name, address);
    int error = errno;
    if (any >= 0) {
        (void) close (any);
    }
    errno = error;
    return done;
}

static bool send_fds (int socket_fd, const int fds[2])
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE (2 * sizeof (int))];
    } control;
    char byte = 0;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    memset (&control, 0, sizeof control);
    struct cmsghdr *head = CMSG_FIRSTHDR (&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN (2 * sizeof (int));
    memcpy (CMSG_DATA (head), fds, 2 * sizeof (int));
    return sendmsg (socket_fd, &message, 0) == 1;
}

static bool receive_fds (int socket_fd, int fds[2])
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE (2 * sizeof (int))];
    } control;
    char byte;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    if (recvmsg (socket_fd, &message, MSG_CMSG_CLOEXEC) != 1) {
        return false;
    }
    struct cmsghdr *head = CMSG_FIRSTHDR (&message);
    if (head == NULL || head->cmsg_type != SCM_RIGHTS) {
        return false;
    }
    memcpy (fds, CMSG_DATA (head), 2 * sizeof (int));
    return true;
}

/* Another process makes the namespace, and leaves it to this one. */
static bool make_other (size_t host, int *tun, int *space)
{
    int pair[2], fds[2] = {-1, -1}, status;
    if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return false;
    }
    pid_t pid = fork ();
    if (pid == 0) {
        _exit (make_host (host, &fds[0], &fds[1]) && send_fds (pair[1], fds) ? 0 : errno);
    }
    (void) close (pair[1]);
    bool done = pid > 0 && receive_fds (pair[0], fds);
    (void) close (pair[0]);
    require (pid < 0 || waitpid (pid, &status, 0) == pid, "waitpid");
    errno = pid > 0 && WIFEXITED (status) && !done ? WEXITSTATUS (status) : errno;
    *tun = fds[0];
    *space = fds[1];
    return done;
}

/* ---- The owner's ----------------------------------------------------------------------------- */

struct packet_net *packet_net_new (size_t hosts, uint64_t seed, char *why, size_t size)
{
    struct packet_net *self = calloc (1, sizeof *self);
    require (self != NULL && hosts >= 1 && hosts <= PACKET_NET_HOSTS_MAX, "so many hosts");
    prng_seed (&self->prng, seed);
    self->commands[0] = self->commands[1] = -1;
    for (size_t i = 0; i < PACKET_NET_HOSTS_MAX; i++) {
        self->tuns[i] = self->spaces[i] = -1;
    }
    bool made = become_root ();
    for (; self->hosts < hosts && made; self->hosts++) {
        size_t i = self->hosts;
        made = i == 0 ? make_host (i, &self->tuns[i], &self->spaces[i])
                      : make_other (i, &self->tuns[i], &self->spaces[i]);
    }
    if (!made) {
        (void) snprintf (why, size,
                         "network namespaces and TUN devices cannot be made here (%s): it takes "
                         "root, or user namespaces, and /dev/net/tun",
                         strerror (errno));
        packet_net_destroy (&self);
        return NULL;
    }
    require (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->commands) == 0,
             "socketpair");
    require (pthread_create (&self->thread, NULL, run, self) == 0, "pthread_create");
    return self;
}

static void command (struct packet_net *self, const struct command *command,
                     struct packet_net_counts *counts)
{
    require (command->from < self->hosts && command->to < self->hosts, "such a host");
    require (send (self->commands[0], command, sizeof *command, 0) == (ssize_t) sizeof *command,
             "a command");
    require (recv (self->commands[0], counts, sizeof *counts, 0) == (ssize_t) sizeof *counts,
             "an answer");
}

void packet_net_destroy (struct packet_net **self_p)
{
    struct packet_net *self = *self_p;
    struct packet_net_counts counts;
    if (self == NULL) {
        return;
    }
    *self_p = NULL;
    if (self->commands[0] >= 0) {
        command (self, &(struct command){.kind = COMMAND_STOP}, &counts);
        require (pthread_join (self->thread, NULL) == 0, "pthread_join");
        (void) close (self->commands[0]);
        (void) close (self->commands[1]);
    }
    while (self->waiting_count > 0) {
        free (pop (self));
    }
    for (size_t i = 0; i < PACKET_NET_HOSTS_MAX; i++) {
        if (self->tuns[i] >= 0) {
            (void) close (self->tuns[i]);
        }
        if (self->spaces[i] >= 0) {
            (void) close (self->spaces[i]);
        }
    }
    free (self);
}

const char *packet_net_address (const struct packet_net *self, size_t host,
                                char address[PACKET_NET_ADDRESS_SIZE])
{
    require (host < self->hosts, "such a host");
    (void) snprintf (address, PACKET_NET_ADDRESS_SIZE, "10.77.0.%u",
                     (unsigned) (FIRST_ADDRESS + host) & 0xff);
    return address;
}

bool packet_net_enter (const struct packet_net *self, size_t host)
{
    return host < self->hosts && setns (self->spaces[host], CLONE_NEWNET) == 0;
}

bool packet_net_shape (const struct packet_net *self, size_t host, const char *what)
{
    char line[512];
    int status;
    if (what != NULL) {
        (void) snprintf (line, sizeof line, "exec tc qdisc replace dev host%zu root %s", host,
                         what);
    } else {
        (void) snprintf (line, sizeof line, "exec tc qdisc del dev host%zu root", host);
    }
    pid_t pid = fork ();
    require (pid >= 0, "fork");
    if (pid == 0) {
        int nowhere = open ("/dev/null", O_RDWR | O_CLOEXEC);
        if (nowhere >= 0 && dup2 (nowhere, STDERR_FILENO) >= 0 && packet_net_enter (self, host)) {
            (void) execl ("/bin/sh", "sh", "-c", line, (char *) NULL);
        }
        _exit (127);
    }
    require (waitpid (pid, &status, 0) == pid, "waitpid");
    return WIFEXITED (status) && WEXITSTATUS (status) == 0;
}

void packet_net_set (struct packet_net *self, size_t from, size_t to,
                     const struct packet_rule *rule)
{
    struct packet_net_counts counts;
    command (self, &(struct command){.kind = COMMAND_SET, .from = from, .to = to, .rule = *rule},
             &counts);
}

void packet_net_counts (struct packet_net *self, struct packet_net_counts *counts)
{
    command (self, &(struct command){.kind = COMMAND_COUNTS}, counts);
}

/*
 * lobby - shows which game servers there are, and tells players where to go
 *
 *      lobby SERVERS
 *
 * Prints each change of the list, and the list after it.  Each line of standard input is the name
 * of a player, or "name group"; the answer is the server with the least load.  When no Cohort
 * server can be reached the lobby keeps its list, says how old it is, and goes on answering.
 * SIGTERM and SIGINT end it; the end of standard input does not.
 */
#include <cohort/cohort.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 50, SAY_AGE_MS = 500 };
struct lobby {
    cohort_t *client;
    cohort_directory_t *directory;
    int64_t said_ms; /* age of the list that was said last, 0: it is live */
    char input[256]; /* the beginning of a line */
    size_t input_size;
    int input_ended;
};

static volatile sig_atomic_t stopping;

static void on_signal (int number)
{
    (void) number;
    stopping = 1;
}

/* A line with the time, in ms since 1970. */
__attribute__ ((format (printf, 1, 2))) static void say (const char *format, ...)
{
    struct timespec now;
    va_list args;
    clock_gettime (CLOCK_REALTIME, &now);
    printf ("%" PRId64 " ", (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000);
    va_start (args, format);
    vprintf (format, args);
    va_end (args);
    printf ("\n");
}

static void say_list (cohort_directory_t *directory)
{
    char line[1024] = "";
    size_t used = 0;
    const cohort_instance_t *each = cohort_directory_first (directory, NULL);
    for (; each != NULL; each = cohort_directory_next (directory, NULL, each)) {
        int n = snprintf (line + used, sizeof line - used, " %s/%s(%" PRId64 "%s)", each->group,
                          each->uid, each->load, each->draining ? ", draining" : "");
        used = n < 0 || (size_t) n >= sizeof line - used ? sizeof line - 1 : used + (size_t) n;
    }
    say ("list %zu:%s", cohort_directory_count (directory), line);
}

/* Runs inside cohort_dispatch. */
static void on_event (cohort_directory_t *directory, const cohort_directory_event_t *event,
                      void *arg)
{
    (void) arg;
    switch (event->kind) {
    case COHORT_DIRECTORY_ADDED:
        say ("added %s/%s at %s:%d", event->instance->group, event->instance->uid,
             event->instance->ip, event->instance->port);
        break;
    case COHORT_DIRECTORY_REMOVED:
        say ("removed %s/%s", event->before->group, event->before->uid);
        break;
    case COHORT_DIRECTORY_CHANGED:
        if (event->instance->token.czxid != event->before->token.czxid) {
            say ("registered anew %s/%s", event->instance->group, event->instance->uid);
        }
        break;
    case COHORT_DIRECTORY_BAD:
        say ("cannot read %s: %s", event->path, event->text);
        break;
    case COHORT_DIRECTORY_BATCH:
        if (event->count > 0) {
            say_list (directory);
        }
        break;
    case COHORT_DIRECTORY_SYNCED:
        say ("synced");
        break;
    case COHORT_DIRECTORY_LOST:
    case COHORT_DIRECTORY_ERROR:
        say ("%s: %s", event->kind == COHORT_DIRECTORY_LOST ? "session lost" : "failed",
             cohort_error_text (event->rc));
        break;
    }
}

/* "name" or "name group". */
static void place (struct lobby *lobby, char *line)
{
    char *group = strchr (line, ' ');
    if (group != NULL) {
        *group++ = 0;
    }
    const cohort_instance_t *server = cohort_directory_pick (lobby->directory, group, line);
    if (server == NULL) {
        say ("%s: no server", line);
    } else {
        say ("%s: go to %s/%s at %s:%d (%" PRId64 " players)", line, server->group, server->uid,
             server->ip, server->port, server->load);
    }
}

static void read_players (struct lobby *lobby)
{
    size_t room = sizeof lobby->input - lobby->input_size;
    ssize_t n = read (STDIN_FILENO, lobby->input + lobby->input_size, room);
    lobby->input_ended = n <= 0;
    lobby->input_size += n > 0 ? (size_t) n : 0;
    char *end;
    while ((end = memchr (lobby->input, '\n', lobby->input_size)) != NULL) {
        *end = 0;
        place (lobby, lobby->input);
        lobby->input_size -= (size_t) (end + 1 - lobby->input);
        memmove (lobby->input, end + 1, lobby->input_size);
    }
    if (lobby->input_size == sizeof lobby->input) {
        lobby->input_size = 0; /* no name is that long */
    }
}

/* Says so when the list stops being live, how old it is while it is not, and when it is again. */
static void look_at_age (struct lobby *lobby)
{
    int64_t age_ms = cohort_directory_stale_ms (lobby->directory);
    if (age_ms < 0) {
        return; /* there is no list yet */
    }
    if (age_ms > 0 && (lobby->said_ms == 0 || age_ms - lobby->said_ms >= SAY_AGE_MS)) {
        say ("no connection: the list of %zu is %" PRId64 " ms old",
             cohort_directory_count (lobby->directory), age_ms);
        lobby->said_ms = age_ms;
    } else if (age_ms == 0 && lobby->said_ms > 0) {
        say ("live again: the list was %" PRId64 " ms old", lobby->said_ms);
        lobby->said_ms = 0;
    }
}

static void run (struct lobby *lobby)
{
    while (!stopping) {
        int timeout_ms = cohort_timeout (lobby->client);
        struct pollfd fds[2] = {{.fd = cohort_fd (lobby->client), .events = POLLIN},
                                {.fd = lobby->input_ended ? -1 : STDIN_FILENO, .events = POLLIN}};
        if (timeout_ms < 0 || timeout_ms > LOOK_MS) {
            timeout_ms = LOOK_MS;
        }
        if (poll (fds, 2, timeout_ms) > 0 && fds[1].revents != 0) {
            read_players (lobby);
        }
        cohort_dispatch (lobby->client, 0);
        look_at_age (lobby);
    }
}

int main (int argc, char **argv)
{
    if (argc != 2) {
        fprintf (stderr, "usage: lobby SERVERS\n");
        return 2;
    }
    setvbuf (stdout, NULL, _IOLBF, 0);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction (SIGTERM, &action, NULL);
    sigaction (SIGINT, &action, NULL);
    const char *text = "out of memory";
    cohort_directory_options_t options = {.size = sizeof options, .strategy = COHORT_LEAST_LOAD};
    struct lobby lobby = {.client = cohort_new (argv[1], NULL)};
    if (lobby.client == NULL) {
        cohort_new_error (&text);
    } else {
        lobby.directory = cohort_directory_new (lobby.client, "/servers", &options);
    }
    if (lobby.directory != NULL) {
        cohort_directory_set_handler (lobby.directory, on_event, NULL);
        run (&lobby);
        cohort_directory_destroy (&lobby.directory);
        text = NULL;
    }
    cohort_destroy (&lobby.client);
    if (text != NULL) {
        fprintf (stderr, "lobby: %s\n", text);
    }
    return text != NULL;
}

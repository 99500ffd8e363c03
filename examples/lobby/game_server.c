/*
 * game_server - one game server: keeps /servers/GROUP/UID true for as long as it lives
 *
 *      game_server SERVERS GROUP UID IP PORT [GRACE_MS]
 *
 * Players come and go; their number is published a few times a second.  The session is this
 * program's alone, with a short disconnect_grace: when the process dies, the kernel closes its
 * connection, and the lobby drops it GRACE_MS later; when only the network is slow, the long
 * timeout counts.  SIGTERM and SIGINT: announces that it takes nobody new, then withdraws.
 * Prints what happens, and at the end how long its slowest update took.
 */
#include <cohort/cohort.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TICK_MS = 100, TIMEOUT_MS = 10000, GRACE_MS = 200, LEAVE_MS = 1000, PLAYERS_MAX = 60 };

struct game {
    cohort_instance_t instance;
    const char *uid;
    unsigned seed;
    int64_t updated_ms; /* when the oldest update that is not stored was made, 0: all are */
    int64_t slowest_ms;
    int updates;
};

static volatile sig_atomic_t stopping;

static void on_signal (int number)
{
    (void) number;
    stopping = 1;
}

static int64_t now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say (const struct game *game, const char *text)
{
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    printf ("%" PRId64 " %s %s\n", (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000, game->uid,
            text);
}

/* Runs inside cohort_run.  There is nothing to do: the member heals itself. */
static void on_event (cohort_member_t *member, const cohort_member_event_t *event, void *arg)
{
    struct game *game = arg;
    char text[128];

    (void) member;
    switch (event->kind) {
    case COHORT_MEMBER_REGISTERED:
        snprintf (text, sizeof text, "registered token=%" PRIx64, event->token.czxid);
        say (game, text);
        break;
    case COHORT_MEMBER_UPDATED: {
        int64_t took_ms = now_ms () - game->updated_ms;
        game->slowest_ms = took_ms > game->slowest_ms ? took_ms : game->slowest_ms;
        game->updated_ms = 0;
        game->updates++;
        break;
    }
    case COHORT_MEMBER_CONFLICT:
        say (game, "waits: another server has this name");
        break;
    case COHORT_MEMBER_LOST:
    case COHORT_MEMBER_ERROR:
        snprintf (text, sizeof text, "%s: %s",
                  event->kind == COHORT_MEMBER_LOST ? "lost" : "failed",
                  cohort_error_text (event->rc));
        say (game, text);
        break;
    }
}

static void publish (struct game *game, cohort_member_t *member)
{
    char data[512];
    int size = cohort_instance_encode (&game->instance, NULL, 0, data, sizeof data);
    if (game->updated_ms == 0) {
        game->updated_ms = now_ms ();
    }
    if (size < 0 || cohort_member_update (member, data, (size_t) size) != 0) {
        say (game, "cannot publish");
    }
}

/* A player comes or goes. */
static void play (struct game *game)
{
    game->seed = game->seed * 1103515245u + 12345u;
    int64_t step = (game->seed >> 16) % 3 == 0 ? -1 : 1;
    if (game->instance.load + step >= 0 && game->instance.load + step <= PLAYERS_MAX) {
        game->instance.load += step;
    }
}

/* Until a signal, then in an orderly way out. */
static void run (struct game *game, cohort_t *client, cohort_member_t *member)
{
    int64_t next_ms = now_ms () + TICK_MS;
    while (!stopping) {
        int64_t left_ms = next_ms - now_ms ();
        if (left_ms > 0) {
            cohort_run (client, (int) left_ms);
        } else {
            next_ms += TICK_MS;
            play (game);
            publish (game, member);
        }
    }
    game->instance.draining = 1;
    publish (game, member);
    if (cohort_member_wait (member, LEAVE_MS) != 0) {
        say (game, "leaves without a goodbye");
    }
}

/* 0 if it is none: no port, and the library's default as grace. */
static int number (const char *text)
{
    long value = strtol (text, NULL, 10);
    return value > 0 && value <= 1000000 ? (int) value : 0;
}

static int usage (void)
{
    fprintf (stderr, "usage: game_server SERVERS GROUP UID IP PORT [GRACE_MS]\n");
    return 2;
}

int main (int argc, char **argv)
{
    if (argc < 6 || argc > 7) {
        return usage ();
    }
    setvbuf (stdout, NULL, _IOLBF, 0);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction (SIGTERM, &action, NULL);
    sigaction (SIGINT, &action, NULL);

    struct game game = {.uid = argv[3]};
    for (const char *c = game.uid; *c != 0; c++) {
        game.seed = game.seed * 31u + (unsigned char) *c;
    }
    game.instance =
        (cohort_instance_t){.ip = argv[4], .port = number (argv[5]), .load = (game.seed >> 3) % 20};

    char path[256], data[512];
    int length = snprintf (path, sizeof path, "/servers/%s/%s", argv[2], argv[3]);
    int size = cohort_instance_encode (&game.instance, NULL, 0, data, sizeof data);
    if (length >= (int) sizeof path || size < 0) {
        return usage ();
    }
    cohort_options_t options = {.size = sizeof options,
                                .timeout_ms = TIMEOUT_MS,
                                .disconnect_grace_ms = argc > 6 ? number (argv[6]) : GRACE_MS};
    cohort_t *client = cohort_new (argv[1], &options);
    if (client == NULL) {
        const char *text;
        cohort_new_error (&text);
        fprintf (stderr, "game_server: %s\n", text);
        return 1;
    }
    int status = 1;
    cohort_member_t *member =
        cohort_member_new (client, path, data, (size_t) size, COHORT_MEMBER_WAIT);
    if (member != NULL) {
        cohort_member_set_handler (member, on_event, &game);
        run (&game, client, member);
        cohort_member_destroy (&member);
        printf ("%s: %d updates, the slowest took %" PRId64 " ms\n", game.uid, game.updates,
                game.slowest_ms);
        status = 0;
    } else {
        char text[256];
        cohort_errmsg (client, text, sizeof text);
        fprintf (stderr, "game_server: %s\n", text);
    }
    cohort_destroy (&client);
    return status;
}

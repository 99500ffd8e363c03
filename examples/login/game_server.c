/*
 * game_server - one of several game servers: a player is on one of them at a time
 *
 *      game_server SERVERS UID GRACE_MS
 *
 * Each line of standard input is the name of a player who logs in here; where he played until then
 * he is kicked.  The server registers as /servers/UID, and claims /users/NAME for each player.
 * Players gain levels, which are saved when they leave, each save guarded by the claim: one that
 * comes late changes nothing.  (To show it, a server saves a player once more 300 ms after he was
 * kicked.)  Ends with its standard input; its players are saved, and free.
 */
#include <cohort/cohort.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLAYERS_MAX = 100, TICK_MS = 100, KICK_GRACE_MS = 2000, LATE_TICKS = 3 };

struct player {
    char name[32];
    cohort_claim_t *claim;
    int level;
    cohort_txn_t *late; /* a save that comes too late, after so many ticks */
    int late_ticks;
};

static cohort_t *client;
static cohort_claims_t *claims;
static struct player players[PLAYERS_MAX];
static int players_count;
static void on_saved (cohort_t *self, const cohort_result_t *result, void *arg)
{
    const struct player *player = arg;
    (void) self;
    if (result->rc != 0) {
        printf ("%s: saved too late, refused: %s\n", player->name, cohort_error_text (result->rc));
    }
}

/* A transaction that saves the player, if he is still here when it is carried out. */
static cohort_txn_t *save_new (const struct player *player)
{
    cohort_create_options_t options = {.size = sizeof options, .if_absent = 1};
    cohort_txn_t *txn = cohort_txn_new ();
    char path[64], data[16];
    snprintf (path, sizeof path, "/saves/%s", player->name);
    int size = snprintf (data, sizeof data, "%d", player->level);
    if (txn != NULL && cohort_claim_guard (player->claim, txn) == 0) {
        cohort_txn_create_with (txn, "/saves", NULL, 0, &options);
        cohort_txn_create_with (txn, path, NULL, 0, &options);
        cohort_txn_set (txn, path, data, (size_t) size, COHORT_ANY_VERSION);
    }
    return txn;
}

static void save (struct player *player, cohort_txn_t *txn)
{
    if (txn == NULL || cohort_multi_async (client, txn, on_saved, player) != 0) {
        printf ("%s: cannot be saved\n", player->name);
    }
    if (txn != NULL) {
        cohort_txn_destroy (&txn);
    }
}

static void on_loaded (cohort_t *self, const cohort_result_t *result, void *arg)
{
    struct player *player = arg;
    (void) self;
    player->level = result->rc == 0 ? (int) strtol (result->data, NULL, 10) : 1;
    printf ("%s plays here, from level %d\n", player->name, player->level);
}

static void load (struct player *player)
{
    char path[64];
    snprintf (path, sizeof path, "/saves/%s", player->name);
    if (cohort_get_async (client, path, NULL, NULL, on_loaded, player) != 0) {
        cohort_claim_yield (player->claim);
    }
}

static void on_claim (cohort_claim_t *claim, const cohort_claim_event_t *event, void *arg)
{
    struct player *player = arg;
    switch (event->kind) {
    case COHORT_CLAIM_GRANTED:
        load (player);
        break;
    case COHORT_CLAIM_WAITING:
        printf ("%s still plays on %s\n", player->name,
                event->holder != NULL ? event->holder->owner : "another server");
        break;
    case COHORT_CLAIM_ASKED:
        /* Requests of a session are carried out in their order: saved, then yielded. */
        save (player, save_new (player));
        player->late = save_new (player);
        player->late_ticks = LATE_TICKS;
        cohort_claim_yield (claim);
        printf ("%s logs in at %s: saved at level %d, and gone\n", player->name,
                event->holder->owner, player->level);
        break;
    case COHORT_CLAIM_REVOKED:
    case COHORT_CLAIM_FAILED:
        printf ("%s does not play here: %s\n", player->name, cohort_error_text (event->rc));
        break;
    }
}

static void login (const char *name)
{
    struct player *player = &players[players_count];
    if (players_count == PLAYERS_MAX) {
        printf ("%s: the server is full\n", name);
        return;
    }
    snprintf (player->name, sizeof player->name, "%s", name);
    player->claim = cohort_claim_new (claims, name, NULL, 0);
    int rc = COHORT_ENOMEM;
    if (player->claim != NULL) {
        players_count++;
        cohort_claim_set_handler (player->claim, on_claim, player);
        rc = cohort_claim_take (player->claim, COHORT_CLAIM_KICK, KICK_GRACE_MS);
    }
    if (rc != 0) {
        printf ("%s: %s\n", name, cohort_error_text (rc));
    }
}

static void tick (void)
{
    for (int i = 0; i < players_count; i++) {
        struct player *player = &players[i];
        player->level += cohort_claim_held (player->claim);
        if (player->late != NULL && --player->late_ticks == 0) {
            save (player, player->late);
            player->late = NULL;
        }
    }
}

static void run (void)
{
    char name[32];
    struct pollfd fds[2] = {{.fd = cohort_fd (client), .events = POLLIN},
                            {.fd = STDIN_FILENO, .events = POLLIN}};
    setvbuf (stdin, NULL, _IONBF, 0); /* what was read ahead poll would not see */
    for (;;) {
        if (poll (fds, 2, TICK_MS) == 0) {
            tick ();
        }
        if (fds[1].revents != 0 && scanf ("%31s", name) != 1) {
            break;
        }
        if (fds[1].revents != 0) {
            login (name);
        }
        cohort_dispatch (client, 0);
    }
    for (int i = 0; i < players_count; i++) {
        if (cohort_claim_held (players[i].claim)) {
            save (&players[i], save_new (&players[i]));
        }
        cohort_claim_destroy (&players[i].claim);
    }
}

int main (int argc, char **argv)
{
    char path[64];
    if (argc != 4) {
        fprintf (stderr, "usage: game_server SERVERS UID GRACE_MS\n");
        return 2;
    }
    int grace_ms = (int) strtol (argv[3], NULL, 10);
    cohort_options_t options = {.size = sizeof options, .disconnect_grace_ms = grace_ms};
    client = cohort_new (argv[1], &options);
    if (client == NULL) {
        const char *text;
        cohort_new_error (&text);
        fprintf (stderr, "game_server: %s\n", text);
        return 1;
    }
    setvbuf (stdout, NULL, _IOLBF, 0);
    snprintf (path, sizeof path, "/servers/%s", argv[2]);
    cohort_member_t *member = cohort_member_new (client, path, "", 0, COHORT_MEMBER_WAIT);
    claims = cohort_claims_new (client, "/users", path);
    if (member != NULL && claims != NULL) {
        run ();
    }
    cohort_claims_destroy (&claims);
    cohort_member_destroy (&member);
    int rc = cohort_sync (client); /* everything has been carried out */
    cohort_destroy (&client);
    return rc != 0;
}

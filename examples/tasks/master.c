/*
 * master - one of several masters of a pool: the one that leads hands tasks to workers
 *
 *      master SERVERS GRACE_MS
 *
 * When it is killed, its session ends GRACE_MS later, and another master goes on.
 */
#include <cohort/cohort.h>
#include <stdio.h>
#include <stdlib.h>

static void on_event (cohort_pool_t *pool, const cohort_pool_event_t *event, void *arg)
{
    (void) pool;
    (void) arg;
    switch (event->kind) {
    case COHORT_POOL_LEADS:
        printf ("leads, epoch %llx\n", (unsigned long long) event->token.czxid);
        break;
    case COHORT_POOL_ASSIGNED:
        printf ("%s (attempt %d) is given to %s\n", event->task->id, event->task->attempt,
                event->worker);
        break;
    case COHORT_POOL_ORPHANED:
        printf ("%s is dead: %s waits again (attempt %d)\n", event->worker, event->task->id,
                event->task->attempt);
        break;
    case COHORT_POOL_DEPOSED:
    case COHORT_POOL_ERROR:
        printf ("%s\n", cohort_error_text (event->rc));
        break;
    case COHORT_POOL_REGISTERED:
    case COHORT_POOL_TASK:
    case COHORT_POOL_WITHDRAWN:
        break; /* of workers */
    }
}

int main (int argc, char **argv)
{
    if (argc != 3) {
        fprintf (stderr, "usage: master SERVERS GRACE_MS\n");
        return 2;
    }
    setvbuf (stdout, NULL, _IOLBF, 0);
    int grace_ms = (int) strtol (argv[2], NULL, 10);
    cohort_options_t options = {.size = sizeof options, .disconnect_grace_ms = grace_ms};
    cohort_pool_options_t role = {.size = sizeof role, .roles = COHORT_POOL_MASTER};
    cohort_t *client = cohort_new (argv[1], &options);
    if (client == NULL) {
        const char *text;
        cohort_new_error (&text);
        fprintf (stderr, "master: %s\n", text);
        return 1;
    }
    cohort_pool_t *pool = cohort_pool_new (client, "/jobs", &role);
    if (pool != NULL) {
        cohort_pool_set_handler (pool, on_event, NULL);
        while (cohort_run (client, -1) >= 0) { /* handlers run in here, until it is killed */
        }
        cohort_pool_destroy (&pool);
    }
    cohort_destroy (&client);
    return 1;
}

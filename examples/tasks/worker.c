/*
 * worker - does tasks, one after the other: each takes as many milliseconds as it says
 *
 *      worker SERVERS NAME GRACE_MS
 *
 * What it does is not finished while it is killed: another worker gets the task, as the next
 * attempt. The result says who has done it.
 */
#include <cohort/cohort.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct work {
    char id[64];
    int attempt;
    int64_t until_ms; /* 0: nothing to do */
};

static int64_t now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_event (cohort_pool_t *pool, const cohort_pool_event_t *event, void *arg)
{
    struct work *work = arg;
    (void) pool;
    if (event->kind == COHORT_POOL_TASK) {
        /* Its capacity is 1: there is no other. */
        snprintf (work->id, sizeof work->id, "%s", event->task->id);
        work->attempt = event->task->attempt;
        work->until_ms = now_ms () + strtol (event->task->data, NULL, 10);
        printf ("begins %s (attempt %d)\n", work->id, work->attempt);
    } else if (event->kind == COHORT_POOL_WITHDRAWN) {
        printf ("%s is not mine any more: %s\n", event->task->id, cohort_error_text (event->rc));
        work->until_ms = 0;
    } else if (event->kind == COHORT_POOL_ERROR) {
        printf ("%s\n", cohort_error_text (event->rc));
    }
}

static void on_done (cohort_pool_t *pool, const char *id, int rc, void *arg)
{
    (void) pool;
    (void) arg;
    printf ("%s: %s\n", id, rc == 0 ? "recorded" : cohort_error_text (rc));
}

static void run (cohort_t *client, cohort_pool_t *pool, struct work *work, const char *name)
{
    int rc = 0;
    while (rc >= 0) {
        int64_t left_ms = work->until_ms == 0 ? 1000 : work->until_ms - now_ms ();
        if (left_ms > 0) {
            rc = cohort_run (client, (int) left_ms); /* handlers run in here */
            continue;
        }
        char result[96];
        int size = snprintf (result, sizeof result, "done by %s, attempt %d", name, work->attempt);
        work->until_ms = 0;
        int refused = cohort_pool_done_async (pool, work->id, work->attempt, result, (size_t) size,
                                              on_done, NULL);
        if (refused != 0) {
            printf ("%s: %s\n", work->id, cohort_error_text (refused));
        }
    }
}

int main (int argc, char **argv)
{
    if (argc != 4) {
        fprintf (stderr, "usage: worker SERVERS NAME GRACE_MS\n");
        return 2;
    }
    setvbuf (stdout, NULL, _IOLBF, 0);
    struct work work = {.until_ms = 0};
    int grace_ms = (int) strtol (argv[3], NULL, 10);
    cohort_options_t options = {.size = sizeof options, .disconnect_grace_ms = grace_ms};
    cohort_pool_options_t role = {
        .size = sizeof role, .roles = COHORT_POOL_WORKER, .worker = argv[2]};
    cohort_t *client = cohort_new (argv[1], &options);
    if (client == NULL) {
        const char *text;
        cohort_new_error (&text);
        fprintf (stderr, "worker: %s\n", text);
        return 1;
    }
    cohort_pool_t *pool = cohort_pool_new (client, "/jobs", &role);
    if (pool != NULL) {
        cohort_pool_set_handler (pool, on_event, &work);
        run (client, pool, &work, argv[2]);
        cohort_pool_destroy (&pool);
    }
    cohort_destroy (&client);
    return 1;
}

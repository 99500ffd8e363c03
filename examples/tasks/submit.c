/*
 * submit - submits tasks, waits for their results, and prints these
 *
 *      submit SERVERS ID=MS...
 */
#include <cohort/cohort.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_MS = 60000 };

int main (int argc, char **argv)
{
    if (argc < 3) {
        fprintf (stderr, "usage: submit SERVERS ID=MS...\n");
        return 2;
    }
    setvbuf (stdout, NULL, _IOLBF, 0);
    cohort_pool_options_t role = {.size = sizeof role};
    cohort_t *client = cohort_new (argv[1], NULL);
    cohort_pool_t *pool = client == NULL ? NULL : cohort_pool_new (client, "/jobs", &role);
    int rc = pool == NULL ? COHORT_EINVAL : 0;
    for (int i = 2; i < argc && rc == 0; i++) {
        char *ms = strchr (argv[i], '=');
        rc = COHORT_EINVAL;
        if (ms != NULL) {
            *ms++ = 0;
            rc = cohort_pool_submit (pool, argv[i], ms, strlen (ms), LIMIT_MS);
        }
    }
    for (int i = 2; i < argc && rc == 0; i++) {
        void *result;
        size_t size;
        rc = cohort_pool_result (pool, argv[i], LIMIT_MS, &result, &size, NULL);
        if (rc == 0) {
            printf ("%s: %s\n", argv[i], (char *) result);
            free (result);
        }
    }
    if (rc != 0) {
        fprintf (stderr, "submit: %s\n", cohort_error_text (rc));
    }
    cohort_pool_destroy (&pool);
    cohort_destroy (&client);
    return rc != 0;
}

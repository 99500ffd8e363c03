/* A program of a user: built against the installed package alone. */

#include <cohort/cohort.h>
#include <cohort/server.h>
#include <cohort/version.h>
#include <stdio.h>

int main (void)
{
    cohort_server_options_t server_options = {0};
    server_options.size = sizeof server_options;
    server_options.clients = "inproc://consumer";
    cohort_server_t *server = cohort_server_new (&server_options);
    if (!server || cohort_server_start (server) != 0 || cohort_server_wait (server, 10000) != 0) {
        const char *text = "";
        (void) cohort_server_new_error (&text);
        fprintf (stderr, "server: %s\n", server ? cohort_server_errmsg (server) : text);
        return 1;
    }
    cohort_options_t options = {0};
    options.size = sizeof options;
    options.loop = cohort_server_loop (server);
    cohort_t *client = cohort_new ("inproc://consumer", &options);
    char *created = NULL;
    int rc =
        cohort_create (client, "/greeting", "hello", 5, COHORT_PERSISTENT, NULL, &created, NULL);
    printf ("%s %s %d.%d.%d\n", cohort_error_name (rc), rc == 0 ? created : "-",
            COHORT_VERSION_MAJOR, COHORT_VERSION_MINOR, COHORT_VERSION_PATCH);
    cohort_free (created);
    cohort_destroy (&client);
    cohort_server_destroy (&server);
    return rc == 0 ? 0 : 1;
}

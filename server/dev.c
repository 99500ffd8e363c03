/*
 * server/dev.c - cohortd dev --nodes N
 */
#include "server/dev.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENDPOINT_SIZE = 128, PORT_MAX = 65535 };

struct endpoints {
    char text[COHORT_TEST_SERVERS_MAX][ENDPOINT_SIZE];
    const char *list[COHORT_TEST_SERVERS_MAX];
};

static int fail (char *error, size_t size, const char *clients, const char *what)
{
    (void) snprintf (error, size, "--clients: %s %s", clients, what);
    return COHORT_EINVAL;
}

/* The endpoints that are named, one after the other; *count: how many. */
static bool split (struct endpoints *self, const char *clients, size_t *count)
{
    *count = 0;
    for (const char *at = clients; at; *count += 1) {
        size_t size = strcspn (at, ",");
        if (*count == COHORT_TEST_SERVERS_MAX || size == 0 || size >= ENDPOINT_SIZE) {
            return false;
        }
        memcpy (self->text[*count], at, size);
        self->text[*count][size] = '\0';
        at = at[size] == ',' ? at + size + 1 : NULL;
    }
    return true;
}

/* Ports that follow that of the first; 0 and * are any port, each time anew. */
static bool follow (struct endpoints *self, size_t nodes)
{
    const char *first = self->text[0];
    const char *colon = strrchr (first, ':');
    char *end = NULL;
    if (strncmp (first, "tcp://", strlen ("tcp://")) != 0 || !colon) {
        return false;
    }
    bool any = strcmp (colon + 1, "*") == 0 || strcmp (colon + 1, "0") == 0;
    unsigned long port = any ? 0 : strtoul (colon + 1, &end, 10);
    if (!any && (end == colon + 1 || *end != '\0' || port + nodes - 1 > PORT_MAX)) {
        return false;
    }
    for (size_t i = 1; i < nodes; i++) {
        (void) snprintf (self->text[i], ENDPOINT_SIZE, "%.*s:%lu", (int) (colon - first), first,
                         any ? 0 : port + i);
    }
    return true;
}

static int name_endpoints (struct endpoints *self, const struct dev_options *options, char *error,
                           size_t error_size)
{
    size_t count;
    if (!split (self, options->clients, &count) || (count != 1 && count != options->nodes)) {
        return fail (error, error_size, options->clients,
                     "is neither one endpoint nor one for each of --nodes, separated by commas");
    }
    if (count < options->nodes && !follow (self, options->nodes)) {
        return fail (error, error_size, options->clients,
                     "is not tcp://HOST:PORT with enough ports behind it: name an endpoint for "
                     "each of --nodes");
    }
    for (size_t i = 0; i < options->nodes; i++) {
        self->list[i] = self->text[i];
    }
    return 0;
}

static void log_ready (cohort_test_t *test, const struct dev_options *options)
{
    char details[COHORT_TEST_SERVERS_MAX * (ENDPOINT_SIZE + 1) + 64];
    (void) snprintf (details, sizeof details, "role=ensemble nodes=%zu clients=%s", options->nodes,
                     cohort_test_endpoints (test));
    options->log (COHORT_LOG_INFO, "ready", details, NULL);
}

int dev_run (const struct dev_options *options, char *error, size_t error_size)
{
    static struct endpoints endpoints;
    int rc = name_endpoints (&endpoints, options, error, error_size);
    if (rc != 0) {
        return rc;
    }
    cohort_test_options_t what = {.size = sizeof what,
                                  .servers = options->nodes,
                                  .endpoints = endpoints.list,
                                  .admins = options->admins,
                                  .log = options->log,
                                  .log_level = options->log_level};
    cohort_test_t *test = cohort_test_new (&what);
    if (!test) {
        const char *text = "";
        rc = cohort_test_new_error (&text);
        (void) snprintf (error, error_size, "%s", text);
        return rc;
    }
    log_ready (test, options);
    struct pollfd signals = {.fd = options->signals, .events = POLLIN};
    while (poll (&signals, 1, -1) < 0 && errno == EINTR) {
    }
    options->log (COHORT_LOG_INFO, "stopping", "reason=signal", NULL);
    cohort_test_destroy (&test);
    options->log (COHORT_LOG_INFO, "stopped", "", NULL);
    return 0;
}

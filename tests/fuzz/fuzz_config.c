/* The configuration file of cohortd. Whatever the text is: settings within their ranges, or an
 * error that names file and line and is not cut off. */

#include <stdio.h>
#include <string.h>

#include "server/config_file.h"
#include "tests/fuzz/fuzz.h"

enum { SIZE_MAX_INPUT = 8192 };

static void check_string (const char *string, size_t size)
{
    COHORT_ASSERT (memchr (string, '\0', size) != NULL);
}

static void check_server (const struct config_file *config, size_t at)
{
    const struct config_file_server *server = &config->servers[at];
    COHORT_ASSERT (server->id > 0);
    COHORT_ASSERT (server->id <= INT32_MAX);
    check_string (server->address, sizeof (server->address));
    check_string (server->client_address, sizeof (server->client_address));
    COHORT_ASSERT (strncmp (server->address, "tcp://", 6) == 0);
    for (size_t i = 0; i < at; i++) {
        COHORT_ASSERT (config->servers[i].id != server->id);
    }
}

static void check (const struct config_file *config)
{
    check_string (config->data_dir, sizeof (config->data_dir));
    check_string (config->clients, sizeof (config->clients));
    check_string (config->certificate, sizeof (config->certificate));
    COHORT_ASSERT (config->peer_timeout_ms == 0 || config->peer_timeout_ms >= 50);
    COHORT_ASSERT (config->servers_count <= CONFIG_MEMBERS_MAX);
    COHORT_ASSERT (config->notices_count <= CONFIG_NOTICES_MAX);
    for (size_t i = 0; i < config->servers_count; i++) {
        check_server (config, i);
    }
    for (size_t i = 0; i < config->notices_count; i++) {
        check_string (config->notices[i], sizeof (config->notices[i]));
        COHORT_ASSERT (strncmp (config->notices[i], "zoo.cfg:", 8) == 0);
    }
    (void) config_endpoint_is_local (config->clients);
}

static int parse (struct config_file *config, const char *text, char error[CONFIG_TEXT_SIZE])
{
    config_file_init (config);
    memset (error, 0, CONFIG_TEXT_SIZE);
    return config_file_parse (config, "zoo.cfg", text, error, CONFIG_TEXT_SIZE);
}

static void one (const uint8_t *data, size_t size)
{
    static char text[SIZE_MAX_INPUT + 1], error[CONFIG_TEXT_SIZE], error_again[CONFIG_TEXT_SIZE];
    static struct config_file config, again;
    memcpy (text, data, size);
    text[size] = '\0'; /* files with a 0 inside are refused before */
    int rc = parse (&config, text, error);
    COHORT_ASSERT (rc == 0 || rc == COHORT_ECONFIG);
    COHORT_ASSERT ((rc == 0) == (error[0] == '\0'));
    COHORT_ASSERT (strlen (error) < sizeof (error) - 1);
    COHORT_ASSERT (rc == 0 || strncmp (error, "zoo.cfg:", 8) == 0);
    if (rc == 0) {
        check (&config);
    }
    COHORT_ASSERT (parse (&again, text, error_again) == rc);
    COHORT_ASSERT (memcmp (error, error_again, sizeof (error)) == 0);
    COHORT_ASSERT (rc != 0 || memcmp (&config, &again, sizeof (config)) == 0);
}

/* They are texts: see tests/fuzz/seeds/config. */
static void seeds (fuzz_seed_fn *add, void *arg)
{
    add (arg, "empty", "", 0);
}

const struct fuzz_target fuzz_target = {
    .name = "config",
    .size_max = SIZE_MAX_INPUT,
    .one = one,
    .seeds = seeds,
};

/*
 * server/config_file.h - the configuration file of cohortd
 *
 * "key=value" lines, '#' and '!' begin a comment: a superset of ZooKeeper's zoo.cfg.  A file that
 * works for ZooKeeper starts Cohort; what means nothing here is taken with a notice, what is
 * unknown is an error that names the nearest known key.
 */
#ifndef SERVER_CONFIG_FILE_H
#define SERVER_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cohort/server.h"
#include "server/core/config.h"

enum {
    CONFIG_TEXT_SIZE = 512,
    CONFIG_VALUE_SIZE = 1024,
    CONFIG_NOTICES_MAX = 32,
    CONFIG_ADDRESS_SIZE = 128
};

struct config_file_server {
    uint32_t id;
    char address[CONFIG_ADDRESS_SIZE];        /* tcp://host:port */
    char client_address[CONFIG_ADDRESS_SIZE]; /* "" if not given */
    bool observer;
};

struct config_file {
    char data_dir[CONFIG_VALUE_SIZE]; /* "": not given */
    char clients[CONFIG_VALUE_SIZE];  /* endpoints */
    uint32_t id;                      /* 0: from dataDir/myid */
    bool insecure;
    int peer_timeout_ms;
    int log_level;
    uint64_t snapshot_bytes;
    uint64_t history_bytes;
    int snapshot_compression; /* as cohort_server_options_t has it */
    uint32_t data_size_max;
    uint32_t path_size_max;
    uint32_t write_window;
    uint32_t session_timeout_min_ms;
    uint32_t session_timeout_max_ms;
    char certificate[CONFIG_VALUE_SIZE]; /* CURVE keys of the clients' endpoints; "": none */
    char admins[CONFIG_VALUE_SIZE];      /* as cohort_server_options_t has it; "": none */
    bool replace_admins;
    size_t servers_count;
    struct config_file_server servers[CONFIG_MEMBERS_MAX];

    /* What was understood and has no effect, or had to be guessed: for people. */
    size_t notices_count;
    char notices[CONFIG_NOTICES_MAX][CONFIG_TEXT_SIZE];
};

/* The defaults: clients=tcp://127.0.0.1:5181, the rest empty. */
void config_file_init (struct config_file *self);

/* Reads a text; `name` is for messages.  0, or COHORT_ECONFIG and an error that names file,
 * line, key, value and what to do. */
int config_file_parse (struct config_file *self, const char *name, const char *text, char *error,
                       size_t error_size);

/* Reads a file and, for an ensemble, dataDir/myid; checks that the whole makes sense. */
int config_file_load (struct config_file *self, const char *path, char *error, size_t error_size);

/* Adds to a list of administrators, which begins as "": SCHEME:ID, or several with commas. False:
 * it is not valid, `wrong` says why. */
bool config_add_admins (char admins[CONFIG_VALUE_SIZE], const char *value, char *wrong,
                        size_t wrong_size);

/* Whether an endpoint can be reached from this machine alone. */
bool config_endpoint_is_local (const char *endpoint);

/* The first endpoint of a list that other machines can reach, and its length; NULL: none. */
const char *config_exposed (const char *endpoints, size_t *size);

#endif

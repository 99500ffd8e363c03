/*
 * server/config_server.c - the lines of the configuration file that name servers
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config_line.h"
#include "server/net/endpoint.h"

enum { WORD_SIZE = 64 }; /* of the parts of server.N */

/* Takes the text up to one of `ends` out of *at.  A host in [] may hold colons. */
static bool take_part (const char **at, const char *ends, char *part, size_t size)
{
    size_t length = **at == '[' && strchr (*at, ']') ? (size_t) (strchr (*at, ']') - *at) : 0;
    length += strcspn (*at + length, ends);
    if (length >= size) {
        return false;
    }
    memcpy (part, *at, length);
    part[length] = '\0';
    *at += length;
    return true;
}

static bool is_port (const char *text)
{
    char *end;
    unsigned long port = strtoul (text, &end, 10);
    return isdigit ((unsigned char) *text) && *end == '\0' && port > 0 && port <= 65535;
}

/* What follows host:port: ":port" (ZooKeeper's election port, not needed), ":role". */
static int parse_rest (const struct config_line *line, const char **at,
                       struct config_file_server *server)
{
    char part[WORD_SIZE];
    while (**at == ':') {
        (*at)++;
        if (!take_part (at, ":;", part, sizeof part)) {
            return config_complain (line, "a part is too long");
        }
        if (strcmp (part, "observer") == 0) {
            server->observer = true;
        } else if (strcmp (part, "participant") != 0 && !is_port (part)) {
            return config_complain (line, "'%s' is neither a port nor participant nor observer",
                                    part);
        }
    }
    return 0;
}

/* server.N=host:port[:port][:participant|observer][;...]  What follows ';' is ZooKeeper's client
 * port. */
int config_parse_server (const struct config_line *line, const char *id_text)
{
    struct config_file *config = line->config;
    struct config_file_server server = {0};
    char host[CONFIG_ADDRESS_SIZE - 16];
    char port[8];
    const char *at = line->value;

    if (!config_parse_id (id_text, &server.id)) {
        return config_complain (line,
                                "the id after 'server.' must be a number from 1 to 2147483647");
    }
    if (!take_part (&at, ":;", host, sizeof host) || *at != ':' || !*host) {
        return config_complain (line, "must be HOST:PORT[:PORT][:participant|:observer]");
    }
    at++;
    if (!take_part (&at, ":;", port, sizeof port) || !is_port (port)) {
        return config_complain (line, "the port after the host must be a number from 1 to 65535");
    }
    int rc = parse_rest (line, &at, &server);
    if (rc != 0) {
        return rc;
    }
    (void) snprintf (server.address, sizeof server.address, "tcp://%s:%s", host, port);
    for (size_t i = 0; i < config->servers_count; i++) {
        if (config->servers[i].id == server.id) {
            return config_complain (line, "server.%u is given twice", server.id);
        }
        if (strcmp (config->servers[i].address, server.address) == 0) {
            return config_complain (line, "server.%u has this address already",
                                    config->servers[i].id);
        }
    }
    if (config->servers_count == CONFIG_MEMBERS_MAX) {
        return config_complain (line, "an ensemble has at most %d servers", CONFIG_MEMBERS_MAX);
    }
    config->servers[config->servers_count++] = server;
    return 0;
}

/* clients.N=tcp://host:port  Where server N's clients connect: for `cohort status`. */
int config_parse_client_address (const struct config_line *line, const char *id_text)
{
    uint32_t id;
    if (!config_parse_id (id_text, &id)) {
        return config_complain (line,
                                "the id after 'clients.' must be a number from 1 to 2147483647");
    }
    for (size_t i = 0; i < line->config->servers_count; i++) {
        struct config_file_server *server = &line->config->servers[i];
        if (server->id == id) {
            return endpoint_is_sound (line->value, strlen (line->value))
                       ? config_set_string (line, server->client_address,
                                            sizeof server->client_address)
                       : config_complain (line, "is not tcp://HOST:PORT or ipc://PATH");
        }
    }
    return config_complain (line, "there is no server.%s above this line", id_text);
}

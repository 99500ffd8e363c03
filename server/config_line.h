/*
 * server/config_line.h - one line of the configuration file, and what is said about it
 *
 * config_file.c takes lines out of files, config_key.c knows the keys, config_server.c the servers.
 */
#ifndef SERVER_CONFIG_LINE_H
#define SERVER_CONFIG_LINE_H

#include "server/config_file.h"

enum {
    CONFIG_KEYS_MAX = 64,
    CONFIG_SHOWN_MAX = 80 /* bytes of a name or value that a message shows, and of its words */
};

/* One line being read, and where its complaint goes. */
struct config_line {
    struct config_file *config;
    const char *file;
    int number;
    const char *key;
    const char *value;
    int *
        set_at; /* CONFIG_KEYS_MAX: by the index of the key the line that has set it, 0: none has */
    char *error;
    size_t error_size;
};

/* Stores what the value says. 0, or COHORT_ECONFIG with the line's error set. */
int config_set_key (const struct config_line *line);

/* server.N=host:port[:port][:participant|observer][;...] and clients.N=ENDPOINT: likewise. */
int config_parse_server (const struct config_line *line, const char *id_text);
int config_parse_client_address (const struct config_line *line, const char *id_text);

/* The value as text of a field. 0 or COHORT_ECONFIG, as above. */
int config_set_string (const struct config_line *line, char *field, size_t size);

/* The id of a server. */
bool config_parse_id (const char *text, uint32_t *id);

/* Says what is wrong with the line: COHORT_ECONFIG. */
#if defined(__GNUC__)
__attribute__ ((format (printf, 2, 3)))
#endif
int
config_complain (const struct config_line *line, const char *format, ...);

/* Adds to what people are told; what finds no room is left out. */
#if defined(__GNUC__)
__attribute__ ((format (printf, 2, 3)))
#endif
void
config_notice (struct config_file *self, const char *format, ...);

/* What is told goes to terminals and logs: control characters become \xNN, or '?' where there is no
 * room for that. */
void config_escape_controls (char *text, size_t size);

#endif

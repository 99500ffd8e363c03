/*
 * server/node/logger.h - one line an event: level, name, details
 *
 * Whoever embeds a node decides where lines go and adds the time.  `event` is a fixed name of
 * lower-case words joined with '-' ("leader-elected"); details are "key=value" pairs.
 */
#ifndef SERVER_NODE_LOGGER_H
#define SERVER_NODE_LOGGER_H

enum log_level { LOG_ERROR = 0, LOG_WARNING = 1, LOG_INFO = 2, LOG_DEBUG = 3 };

typedef void logger_fn (void *arg, enum log_level level, const char *event, const char *details);

struct logger {
    logger_fn *fn; /* NULL: nothing is logged */
    void *arg;
    enum log_level level; /* lines above it are not even formatted */
};

#if defined(__GNUC__)
__attribute__ ((format (printf, 4, 5)))
#endif
void logger_write (const struct logger *self, enum log_level level, const char *event,
                   const char *format, ...);

#endif

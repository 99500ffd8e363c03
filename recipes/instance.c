/* The data of an instance: key=value lines, written and read.
 * May include: the client's public headers, libc. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cohort/directory.h"

#define PORT_MAX 65535
/* ip, port, load, draining and the application's: bounds the search for repeated keys. */
#define PAIRS_MAX     64
#define PAIRS_OF_OURS 4
#define DECIMAL_BASE  10

/* A key, for comparisons: it is not ended with 0. */
struct key {
    const char *text;
    size_t size;
};

static bool is_key_char (char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/* The length of the key that "key=value" begins with, 0: it has none. */
static size_t key_size (const char *pair, size_t size)
{
    size_t n = 0;
    while (n < size && is_key_char (pair[n])) {
        n++;
    }
    return n < size && pair[n] == '=' ? n : 0;
}

static bool key_is (struct key key, const char *name)
{
    return strlen (name) == key.size && memcmp (key.text, name, key.size) == 0;
}

/* A decimal number of at most 18 digits without sign or leading zeroes, -1: it is none. */
static int64_t parse_number (const char *text)
{
    size_t length = strlen (text);
    if (length == 0 || length > 18 || (length > 1 && text[0] == '0')) {
        return -1;
    }
    int64_t number = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        number = number * DECIMAL_BASE + (text[i] - '0');
    }
    return number;
}

/* ---- Writing ------------------------------------------------------------------------------- */

struct writer {
    char *buffer;
    size_t size;
    size_t used;
    bool full;
};

__attribute__ ((format (printf, 2, 3))) static void put (struct writer *writer, const char *format,
                                                         ...)
{
    if (writer->full) {
        return;
    }
    size_t room = writer->size - writer->used;
    va_list args;
    va_start (args, format);
    int length = vsnprintf (writer->buffer + writer->used, room, format, args);
    va_end (args);
    /* The last byte is lost to the ending 0. */
    if (length < 0 || (size_t) length >= room) {
        writer->full = true;
    } else {
        writer->used += (size_t) length;
    }
}

static bool is_value (const char *text)
{
    return strpbrk (text, "\r\n") == NULL;
}

/* Whether extra[index] is a well-formed pair with a key that is new. */
static bool is_extra (const char *const *extra, size_t index)
{
    static const char *const taken[] = {"ip", "port", "load", "draining"};
    const char *pair = extra[index];
    if (pair == NULL || !is_value (pair)) {
        return false;
    }
    struct key key = {pair, key_size (pair, strlen (pair))};
    if (key.size == 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof (taken) / sizeof (taken[0]); i++) {
        if (key_is (key, taken[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < index; i++) {
        if (strncmp (extra[i], pair, key.size + 1) == 0) {
            return false;
        }
    }
    return true;
}

int cohort_instance_encode (const cohort_instance_t *instance, const char *const *extra,
                            size_t extra_count, char *buffer, size_t size)
{
    if (instance == NULL || buffer == NULL || (extra == NULL && extra_count > 0) ||
        extra_count > PAIRS_MAX - PAIRS_OF_OURS) {
        return COHORT_EINVAL;
    }
    if (instance->ip == NULL || instance->ip[0] == 0 || !is_value (instance->ip) ||
        instance->port < 1 || instance->port > PORT_MAX || instance->load < 0) {
        return COHORT_EINVAL;
    }
    struct writer writer = {.buffer = buffer, .size = size < INT32_MAX ? size : INT32_MAX};
    put (&writer, "ip=%s\nport=%d\nload=%" PRId64 "\ndraining=%d\n", instance->ip, instance->port,
         instance->load, instance->draining != 0);
    for (size_t i = 0; i < extra_count; i++) {
        if (!is_extra (extra, i)) {
            return COHORT_EINVAL;
        }
        put (&writer, "%s\n", extra[i]);
    }
    return writer.full ? COHORT_ETOOBIG : (int) writer.used;
}

/* ---- Reading ------------------------------------------------------------------------------- */

/* What is wrong, for people; `text` holds the copy that is being read, so quotes are taken from
 * the data itself. */
struct problem {
    const char *what;
    const char *quote;
    size_t quote_size;
    size_t line;
};

static int refuse (struct problem *problem, const char *what, const char *quote, size_t quote_size)
{
    problem->what = what;
    problem->quote = quote;
    problem->quote_size = quote_size < 64 ? quote_size : 64;
    return COHORT_ECORRUPT;
}

/* The value of a key among the first `size` bytes of pairs, or NULL. */
static const char *value_of (const char *text, size_t size, struct key key)
{
    size_t at = 0;
    while (at < size) {
        const char *pair = text + at;
        size_t length = strlen (pair);
        if (length > key.size && pair[key.size] == '=' && memcmp (pair, key.text, key.size) == 0) {
            return pair + key.size + 1;
        }
        at += length + 1;
    }
    return NULL;
}

/* Takes the meaning of one pair, which is ended with 0. */
static int read_pair (cohort_instance_t *instance, struct key key, const char *value,
                      struct problem *problem)
{
    size_t length = strlen (value);
    if (key_is (key, "ip")) {
        instance->ip = value;
        return length > 0 ? 0 : refuse (problem, "ip is empty", value, 0);
    }
    if (key_is (key, "port")) {
        int64_t port = parse_number (value);
        instance->port = (int) port;
        return port >= 1 && port <= PORT_MAX
                   ? 0
                   : refuse (problem, "port is not 1 to 65535", value, length);
    }
    if (key_is (key, "load")) {
        instance->load = parse_number (value);
        return instance->load >= 0
                   ? 0
                   : refuse (problem, "load is not a number of 0 or more", value, length);
    }
    if (key_is (key, "draining")) {
        int64_t draining = parse_number (value);
        instance->draining = draining == 1;
        return draining == 0 || draining == 1
                   ? 0
                   : refuse (problem, "draining is not 0 or 1", value, length);
    }
    return 0;
}

/* Reads the line at `at`; *next gets where the one behind it begins. */
static int read_line (cohort_instance_t *instance, char *text, size_t size, size_t at, size_t *next,
                      struct problem *problem)
{
    char *line = text + at;
    char *end = memchr (line, '\n', size - at);
    size_t length = end == NULL ? size - at : (size_t) (end - line);
    *next = at + length + 1;
    line[length] = 0;
    struct key key = {line, key_size (line, length)};
    if (memchr (line, 0, length) != NULL || memchr (line, '\r', length) != NULL) {
        return refuse (problem, "not text", line, 0);
    }
    if (key.size == 0) {
        return refuse (problem, "not key=value", line, length);
    }
    if (value_of (text, at, key) != NULL) {
        return refuse (problem, "key occurs twice", line, key.size);
    }
    return read_pair (instance, key, line + key.size + 1, problem);
}

static int read_all (cohort_instance_t *instance, char *text, size_t size, struct problem *problem)
{
    for (size_t at = 0; at < size;) {
        problem->line++;
        if (problem->line > PAIRS_MAX) {
            return refuse (problem, "more than 64 keys", "", 0);
        }
        int rc = read_line (instance, text, size, at, &at, problem);
        if (rc != 0) {
            return rc;
        }
    }
    problem->line = 0;
    if (instance->ip == NULL) {
        return refuse (problem, "there is no ip", "", 0);
    }
    if (instance->port == 0) {
        return refuse (problem, "there is no port", "", 0);
    }
    return 0;
}

/* Says what is wrong in `text`, whose quote has to be saved first. */
static void describe (const struct problem *problem, char *text, size_t text_size)
{
    char quote[65];
    size_t length = 0;
    for (; length < problem->quote_size; length++) {
        char c = problem->quote[length];
        quote[length] = '?';
        if (c >= ' ' && c <= '~') {
            quote[length] = c;
        }
    }
    quote[length] = 0;
    if (problem->line == 0) {
        snprintf (text, text_size, "%s", problem->what);
    } else if (length == 0) {
        snprintf (text, text_size, "line %zu: %s", problem->line, problem->what);
    } else {
        snprintf (text, text_size, "line %zu: %s: %s", problem->line, problem->what, quote);
    }
}

int cohort_instance_decode (const void *data, size_t size, cohort_instance_t *instance, char *text,
                            size_t text_size)
{
    if ((data == NULL && size > 0) || instance == NULL || text == NULL) {
        return COHORT_EINVAL;
    }
    if (text_size <= size) {
        return COHORT_ETOOBIG;
    }
    if (size > 0) {
        memcpy (text, data, size);
    }
    text[size] = 0;
    struct problem problem = {0};
    cohort_instance_t decoded = {.text = text, .text_size = size};
    int rc = read_all (&decoded, text, size, &problem);
    if (rc == 0) {
        *instance = decoded;
    } else {
        describe (&problem, text, text_size);
    }
    return rc;
}

const char *cohort_instance_value (const cohort_instance_t *instance, const char *key)
{
    if (instance == NULL || key == NULL || instance->text == NULL) {
        return NULL;
    }
    return value_of (instance->text, instance->text_size, (struct key){key, strlen (key)});
}

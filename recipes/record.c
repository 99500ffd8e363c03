/* What a contender's znode says about it: see record.h. */

#include "record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC       "contender=1\n"
#define MAGIC_SIZE  (sizeof (MAGIC) - 1)
#define HEADER_SIZE 256 /* more than all lines can take */

void record_init (struct record *self)
{
    *self = (struct record){.pid = (int64_t) getpid (), .count = 1};
    if (gethostname (self->host, sizeof (self->host)) != 0) {
        self->host[0] = 0;
    }
    /* A name that did not fit is not ended. */
    self->host[sizeof (self->host) - 1] = 0;
    self->host[strcspn (self->host, "\n")] = 0;
}

char *record_make (const struct record *self, size_t *size)
{
    char header[HEADER_SIZE];
    int used = snprintf (header, sizeof (header), MAGIC "host=%s\npid=%" PRId64 "\n", self->host,
                         self->pid);
    if (self->count != 1) {
        used += snprintf (header + used, sizeof (header) - (size_t) used, "count=%" PRId64 "\n",
                          self->count);
    }
    if (self->granted) {
        used += snprintf (header + used, sizeof (header) - (size_t) used, "granted=%" PRId64 "\n",
                          self->granted_ms);
    }
    if (self->lease_ms > 0) {
        used += snprintf (header + used, sizeof (header) - (size_t) used, "lease=%" PRId64 "\n",
                          self->lease_ms);
    }
    used += snprintf (header + used, sizeof (header) - (size_t) used, "%s\n",
                      self->shared ? "mode=shared\n" : "");
    size_t header_size = (size_t) used;
    if (self->payload_size > SIZE_MAX - header_size) {
        return NULL;
    }
    char *text = malloc (header_size + self->payload_size);
    if (text == NULL) {
        return NULL;
    }
    memcpy (text, header, header_size);
    if (self->payload_size > 0) {
        memcpy (text + header_size, self->payload, self->payload_size);
    }
    *size = header_size + self->payload_size;
    return text;
}

char *record_own (size_t *size)
{
    struct record record;
    record_init (&record);
    return record_make (&record, size);
}

/* The decimal number that the value is, not negative; fallback: it is none. */
static int64_t number_of (const char *value, size_t size, int64_t fallback)
{
    int64_t number = 0;
    if (size == 0 || size > 18) {
        return fallback;
    }
    for (size_t i = 0; i < size; i++) {
        if (value[i] < '0' || value[i] > '9') {
            return fallback;
        }
        number = number * 10 + (value[i] - '0');
    }
    return number;
}

static bool is_key (const char *line, size_t size, const char *key)
{
    return strlen (key) == size && memcmp (line, key, size) == 0;
}

static void take_line (struct record *self, const char *line, size_t size)
{
    const char *equals = memchr (line, '=', size);
    if (equals == NULL) {
        return;
    }
    size_t key_size = (size_t) (equals - line);
    const char *value = equals + 1;
    size_t value_size = size - key_size - 1;
    if (is_key (line, key_size, "host")) {
        size_t length = value_size < sizeof (self->host) ? value_size : sizeof (self->host) - 1;
        memcpy (self->host, value, length);
        self->host[length] = 0;
    } else if (is_key (line, key_size, "pid")) {
        self->pid = number_of (value, value_size, 0);
    } else if (is_key (line, key_size, "count")) {
        self->count = number_of (value, value_size, 0);
    } else if (is_key (line, key_size, "granted")) {
        self->granted = true;
        self->granted_ms = number_of (value, value_size, 0);
    } else if (is_key (line, key_size, "lease")) {
        self->lease_ms = number_of (value, value_size, 0);
    } else if (is_key (line, key_size, "mode")) {
        self->shared = is_key (value, value_size, "shared");
    }
}

void record_parse (struct record *self, const void *data, size_t size)
{
    *self = (struct record){.payload = data, .payload_size = size};
    if (size < MAGIC_SIZE || memcmp (data, MAGIC, MAGIC_SIZE) != 0) {
        return;
    }
    self->count = 1;
    const char *at = (const char *) data + MAGIC_SIZE;
    const char *end = (const char *) data + size;
    while (at < end) {
        const char *stop = memchr (at, '\n', (size_t) (end - at));
        const char *next = stop == NULL ? end : stop + 1;
        size_t length = (size_t) ((stop == NULL ? end : stop) - at);
        if (length == 0) {
            at = next;
            break;
        }
        take_line (self, at, length);
        at = next;
    }
    self->payload = at;
    self->payload_size = (size_t) (end - at);
}

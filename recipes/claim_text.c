/* What a claim's znode says: see claim_text.h. */

#include "claim_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC      "claim=1\n"
#define MAGIC_SIZE (sizeof (MAGIC) - 1)
#define LINES_SIZE 256 /* more than all lines can take, but for owner, name and host */

void claim_text_here (struct claim_text *self, char host[CLAIM_HOST_SIZE])
{
    if (gethostname (host, CLAIM_HOST_SIZE) != 0) {
        host[0] = 0;
    }
    /* A name that did not fit is not ended. */
    host[CLAIM_HOST_SIZE - 1] = 0;
    host[strcspn (host, "\n")] = 0;
    self->host = host;
    self->pid = (int64_t) getpid ();
}

char *claim_text_make (const struct claim_text *self, size_t *size)
{
    const char *name = self->name == NULL ? "" : self->name;
    size_t header_size = LINES_SIZE + strlen (self->owner) + strlen (name) + strlen (self->host);
    if (self->payload_size > SIZE_MAX - header_size) {
        return NULL;
    }
    char *text = malloc (header_size + self->payload_size);
    if (text == NULL) {
        return NULL;
    }
    int used = snprintf (text, header_size, MAGIC "owner=%s\n", self->owner);
    if (self->name == NULL) {
        used +=
            snprintf (text + used, header_size - (size_t) used, "czxid=%" PRIu64 "\n", self->czxid);
    } else {
        used +=
            snprintf (text + used, header_size - (size_t) used, "name=%s\ngrace=%" PRId64 "\n%s",
                      name, self->grace_ms, self->taken ? "taken=1\n" : "");
    }
    used += snprintf (text + used, header_size - (size_t) used, "host=%s\npid=%" PRId64 "\n\n",
                      self->host, self->pid);
    if (self->payload_size > 0) {
        memcpy (text + used, self->payload, self->payload_size);
    }
    *size = (size_t) used + self->payload_size;
    return text;
}

/* The decimal number that the value is; 0: it is none. */
static uint64_t number_of (const char *value)
{
    uint64_t number = 0;
    size_t size = strlen (value);
    if (size == 0 || size > 19 || strspn (value, "0123456789") != size) {
        return 0;
    }
    for (; *value != 0; value++) {
        number = number * 10 + (uint64_t) (*value - '0');
    }
    return number;
}

static void take_line (struct claim_text *self, char *line)
{
    char *value = strchr (line, '=');
    if (value == NULL) {
        return;
    }
    *value++ = 0;
    if (strcmp (line, "owner") == 0) {
        self->owner = value;
    } else if (strcmp (line, "czxid") == 0) {
        self->czxid = number_of (value);
    } else if (strcmp (line, "name") == 0) {
        self->name = value;
    } else if (strcmp (line, "grace") == 0) {
        self->grace_ms = (int64_t) number_of (value);
    } else if (strcmp (line, "taken") == 0) {
        self->taken = true;
    } else if (strcmp (line, "host") == 0) {
        self->host = value;
    } else if (strcmp (line, "pid") == 0) {
        self->pid = (int64_t) number_of (value);
    }
}

struct claim_text *claim_text_parse (const void *data, size_t size)
{
    struct claim_text *self = malloc (sizeof (*self) + size + 1);
    if (self == NULL) {
        return NULL;
    }
    char *at = (char *) (self + 1);
    char *end = at + size;
    if (size > 0) {
        memcpy (at, data, size);
    }
    *end = 0;
    *self = (struct claim_text){.host = "", .payload = end};
    if (size < MAGIC_SIZE || memcmp (at, MAGIC, MAGIC_SIZE) != 0) {
        return self;
    }
    at += MAGIC_SIZE;
    while (at < end && *at != '\n') {
        char *stop = memchr (at, '\n', (size_t) (end - at));
        char *next = stop == NULL ? end : stop + 1;
        if (stop != NULL) {
            *stop = 0;
        }
        take_line (self, at);
        at = next;
    }
    at += at < end;
    self->payload = at;
    self->payload_size = (size_t) (end - at);
    /* A claim says by which czxid its owner lives, a request which name it is about. */
    if (self->owner == NULL || self->owner[0] != '/' || (self->czxid == 0 && self->name == NULL)) {
        self->owner = NULL;
    }
    return self;
}

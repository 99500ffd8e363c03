#include "client/cli/endpoints.h"

#include <string.h>

/* The bytes of an endpoint without a chroot behind it. */
static size_t without_chroot (const char *endpoint, size_t size)
{
    static const char tcp[] = "tcp://";
    char mark = ';';
    size_t start = 0;
    if (size > sizeof tcp - 1 && strncmp (endpoint, tcp, sizeof tcp - 1) == 0) {
        mark = '/';
        start = sizeof tcp - 1;
    }
    const char *found = memchr (endpoint + start, mark, size - start);
    return found == NULL ? size : (size_t) (found - endpoint);
}

void endpoints_add (struct endpoints *self, const char *endpoint, size_t size)
{
    if (size == 0 || size >= ENDPOINT_SIZE_MAX || self->count == ENDPOINTS_MAX) {
        return;
    }
    for (size_t i = 0; i < self->count; i++) {
        if (strlen (self->items[i]) == size && memcmp (self->items[i], endpoint, size) == 0) {
            return;
        }
    }
    memcpy (self->items[self->count], endpoint, size);
    self->items[self->count][size] = 0;
    self->count++;
}

void endpoints_parse (struct endpoints *self, const char *servers)
{
    self->count = 0;
    while (*servers != 0) {
        size_t size = strcspn (servers, ",");
        endpoints_add (self, servers, without_chroot (servers, size));
        servers += size;
        servers += *servers == ',';
    }
}

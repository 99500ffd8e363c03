/* What the znodes of a pool say: see pool_private.h. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool_private.h"

#define HEADER_SIZE 160 /* more than all lines can take */

/* Numbers are as long as they may become: what could be submitted can be assigned, however large it
 * is, and put back. */
char *pool_text_make (const struct pool_text *self, size_t *size)
{
    if (self->payload_size > SIZE_MAX - HEADER_SIZE) {
        return NULL;
    }
    char *text = malloc (HEADER_SIZE + self->payload_size);
    if (text == NULL) {
        return NULL;
    }
    int used = snprintf (text, HEADER_SIZE,
                         "%s=1\nattempt=%010d\ncapacity=%d\nczxid=%019" PRIu64 "\nfailed=%d\n\n",
                         self->kind, self->attempt, self->capacity, self->czxid, self->failed);
    if (self->payload_size > 0) {
        memcpy (text + used, self->payload, self->payload_size);
    }
    *size = (size_t) used + self->payload_size;
    return text;
}

/* Takes the line KEY=NUMBER. False: it is not there. */
static bool take_number (const char **at, const char *end, const char *key, uint64_t max,
                         uint64_t *number)
{
    size_t length = strlen (key);
    const char *digits = *at + length + 1;
    if ((size_t) (end - *at) < length + 3 || memcmp (*at, key, length) != 0 ||
        (*at)[length] != '=') {
        return false;
    }
    uint64_t value = 0;
    const char *p = digits;
    for (; p < end && *p >= '0' && *p <= '9' && p - digits < 19; p++) {
        value = value * 10 + (uint64_t) (*p - '0');
    }
    if (p == digits || p == end || *p != '\n' || value > max) {
        return false;
    }
    *number = value;
    *at = p + 1;
    return true;
}

bool pool_text_parse (struct pool_text *self, const char *kind, const void *data, size_t size)
{
    const char *at = data, *end = at + size;
    uint64_t magic, attempt, capacity, czxid, failed;
    if (size == 0 || !take_number (&at, end, kind, 1, &magic) || magic != 1 ||
        !take_number (&at, end, "attempt", INT32_MAX - 1, &attempt) ||
        !take_number (&at, end, "capacity", INT32_MAX, &capacity) ||
        !take_number (&at, end, "czxid", INT64_MAX, &czxid) ||
        !take_number (&at, end, "failed", 1, &failed) || at == end || *at != '\n') {
        return false;
    }
    *self = (struct pool_text){.kind = kind,
                               .attempt = (int) attempt,
                               .capacity = (int) capacity,
                               .czxid = czxid,
                               .failed = failed != 0,
                               .payload = at + 1,
                               .payload_size = (size_t) (end - at - 1)};
    return true;
}

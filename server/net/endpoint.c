#include "server/net/endpoint.h"

#include <string.h>

enum { PORT_MAX = 65535, PORT_DIGITS_MAX = 5 };

static bool begins (const char *text, size_t size, const char *scheme)
{
    size_t length = strlen (scheme);
    return size > length && memcmp (text, scheme, length) == 0;
}

static bool is_port (const char *text, size_t size)
{
    unsigned port = 0;
    if (size == 1 && *text == '*') {
        return true;
    }
    for (size_t i = 0; i < size && i <= PORT_DIGITS_MAX; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        port = port * 10 + (unsigned) (text[i] - '0');
    }
    return size > 0 && size <= PORT_DIGITS_MAX && port <= PORT_MAX;
}

bool endpoint_is_sound (const char *text, size_t size)
{
    static const char tcp[] = "tcp://";
    if (!begins (text, size, tcp)) {
        return begins (text, size, "ipc://") || begins (text, size, "inproc://");
    }
    size_t host = strlen (tcp);
    size_t colon = size;
    while (colon > host && text[colon - 1] != ':') {
        colon--;
    }
    /* At colon the port begins; a host of one character at least is in front of the ':'. */
    return colon > host + 1 && is_port (text + colon, size - colon);
}

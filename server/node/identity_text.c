/* identity_text.c: see identity_text.h. */

#include "server/node/identity_text.h"

#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"

const char *identity_scheme_name (enum identity_scheme scheme)
{
    static const char *const names[] = {
        [IDENTITY_WORLD] = "world", [IDENTITY_AUTH] = "auth",   [IDENTITY_DIGEST] = "digest",
        [IDENTITY_IP] = "ip",       [IDENTITY_CURVE] = "curve",
    };
    COHORT_ASSERT (scheme >= IDENTITY_WORLD);
    COHORT_ASSERT (scheme <= IDENTITY_CURVE);
    return names[scheme];
}

static void put_address (const uint8_t ip[IDENTITY_IP_SIZE], char *text)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (memcmp (ip, mapped, sizeof mapped) == 0) {
        (void) snprintf (text, IDENTITY_TEXT_SIZE, "%d.%d.%d.%d", ip[12], ip[13], ip[14], ip[15]);
        return;
    }
    size_t used = 0;
    for (size_t i = 0; i < IDENTITY_IP_SIZE; i += 2) {
        unsigned group = (unsigned) ip[i] << 8 | ip[i + 1];
        int size =
            snprintf (text + used, IDENTITY_TEXT_SIZE - used, "%s%x", i > 0 ? ":" : "", group);
        used += (size_t) size;
    }
}

/* ZeroMQ's RFC 32: four bytes are a number of five digits of 85. */
static void put_key (const uint8_t key[IDENTITY_CURVE_SIZE], char *text)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 ".-:+=^!/*?&<>()[]{}@%$#";
    _Static_assert(sizeof digits == 85 + 1, "Z85 has 85 digits");
    for (size_t i = 0; i < IDENTITY_CURVE_SIZE; i += 4) {
        uint32_t value = (uint32_t) key[i] << 24 | (uint32_t) key[i + 1] << 16 |
                         (uint32_t) key[i + 2] << 8 | key[i + 3];
        for (size_t digit = 5; digit > 0; digit--) {
            text[i / 4 * 5 + digit - 1] = digits[value % 85];
            value /= 85;
        }
    }
    text[IDENTITY_CURVE_SIZE / 4 * 5] = '\0';
}

const char *identity_text (const struct identity *identity, char text[IDENTITY_TEXT_SIZE])
{
    switch (identity->scheme) {
    case IDENTITY_WORLD:
        memcpy (text, "anyone", sizeof "anyone");
        break;
    case IDENTITY_IP:
        put_address (identity->id, text);
        break;
    case IDENTITY_CURVE:
        put_key (identity->id, text);
        break;
    default:
        memcpy (text, identity->id, identity->size);
        text[identity->size] = '\0';
        break;
    }
    return text;
}

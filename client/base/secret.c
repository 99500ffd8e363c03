/* Secrets in memory, and bytes as text. May include: libc. */

#include "client/base/secret.h"

#include <stdint.h>

void secret_wipe (void *memory, size_t size)
{
    volatile uint8_t *at = memory;
    while (size > 0) {
        at[--size] = 0;
    }
}

void base64_encode (char *text, const void *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *at = data;
    for (size_t left = size; left > 0; left -= left < 3 ? left : 3) {
        uint32_t bits = (uint32_t) at[0] << 16;
        bits |= left > 1 ? (uint32_t) at[1] << 8 : 0;
        bits |= left > 2 ? at[2] : 0;
        *text++ = digits[bits >> 18];
        *text++ = digits[bits >> 12 & 63];
        *text++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *text++ = left > 2 ? digits[bits & 63] : '=';
        at += left < 3 ? left : 3;
    }
    *text = '\0';
}

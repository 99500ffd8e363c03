/*
 * server/tree/numbers.c - decimal numbers
 *
 * PURE.  Values of 64 bits are taken apart as negative ones, for there is one more of these.
 */
#include "server/tree/numbers.h"

#include <string.h>

#include "client/base/assert.h"

bool number_parse (const uint8_t *data, size_t size, int64_t *value)
{
    bool negative = size > 0 && data[0] == '-';
    int64_t result = 0;
    if (negative && size == 1) {
        return false;
    }
    for (size_t i = negative; i < size; i++) {
        if (data[i] < '0' || data[i] > '9') {
            return false;
        }
        int digit = data[i] - '0';
        if (result < (INT64_MIN + digit) / 10) {
            return false;
        }
        result = result * 10 - digit;
    }
    if (!negative && result == INT64_MIN) {
        return false;
    }
    *value = negative ? result : -result;
    return true;
}

size_t number_print (char text[NUMBER_TEXT_MAX], int64_t value)
{
    char digits[NUMBER_TEXT_MAX];
    size_t at = sizeof (digits);
    int64_t rest = value < 0 ? value : -value;
    do {
        digits[--at] = (char) ('0' - rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    COHORT_ASSERT (at < sizeof (digits));
    memcpy (text, digits + at, sizeof (digits) - at);
    return sizeof (digits) - at;
}

bool number_add (int64_t a, int64_t b, int64_t *sum)
{
    if ((b > 0 && a > INT64_MAX - b) || (b < 0 && a < INT64_MIN - b)) {
        return false;
    }
    *sum = a + b;
    return true;
}

/*
 * server/tree/numbers.h - a counter is a znode whose data is a decimal number
 *
 * PURE.  Internal to server/tree.
 */
#ifndef SERVER_TREE_NUMBERS_H
#define SERVER_TREE_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUMBER_TEXT_MAX = 20 }; /* bytes of the longest: "-9223372036854775808" */

/* An optional '-' and digits, nothing else; no data at all is 0.  false: it is no number, or none
 * of 64 bits. */
bool number_parse (const uint8_t *data, size_t size, int64_t *value);

/* Without a 0 behind it; returns the size. */
size_t number_print (char text[NUMBER_TEXT_MAX], int64_t value);

/* false: the sum is not of 64 bits. */
bool number_add (int64_t a, int64_t b, int64_t *sum);

#endif

/* The DATA operand: the bytes of an argument, or of standard input.
 * May include: output. */

#ifndef COHORT_CLI_DATA_H
#define COHORT_CLI_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* More than any server takes (the default is 1 MiB): reading ends there with an error. */
#define DATA_SIZE_MAX ((size_t) 64 * 1024 * 1024)

struct data {
    char *bytes; /* to be freed with data_deinit */
    size_t size;
};

/* operand NULL: no bytes; "-": all of standard input. False: a message has been printed. */
bool data_read (struct data *self, const char *operand, bool base64);

/* All of a stream; name is for messages. False: a message has been printed, and what there is of
 * the data is to be freed all the same. */
bool data_read_stream (struct data *self, FILE *stream, const char *name);

void data_deinit (struct data *self);

#endif

#include "client/cli/data.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/message.h"
#include "client/cli/output.h"

bool data_read_stream (struct data *self, FILE *stream, const char *name)
{
    self->bytes = NULL;
    self->size = 0;
    size_t room = 0;
    for (;;) {
        if (self->size == room) {
            room = room == 0 ? 64 * 1024 : 2 * room;
            char *grown = room <= 2 * DATA_SIZE_MAX ? realloc (self->bytes, room) : NULL;
            if (grown == NULL) {
                message ("%s: more than %zu bytes, or out of memory", name, DATA_SIZE_MAX);
                return false;
            }
            self->bytes = grown;
        }
        size_t count = fread (self->bytes + self->size, 1, room - self->size, stream);
        if (count == 0) {
            break;
        }
        self->size += count;
    }
    if (ferror (stream)) {
        message ("%s cannot be read: %s", name, strerror (errno));
        return false;
    }
    return true;
}

bool data_read (struct data *self, const char *operand, bool base64)
{
    self->bytes = NULL;
    self->size = 0;
    bool worked = true;
    if (operand != NULL && strcmp (operand, "-") == 0) {
        worked = data_read_stream (self, stdin, "standard input");
    } else if (operand != NULL) {
        self->size = strlen (operand);
        self->bytes = malloc (self->size + 1);
        worked = self->bytes != NULL;
        if (worked) {
            memcpy (self->bytes, operand, self->size + 1);
        } else {
            message ("out of memory");
        }
    }
    if (worked && base64 && self->size > 0 && !output_decode_base64 (self->bytes, &self->size)) {
        bool piped = strcmp (operand, "-") == 0;
        message ("--base64: %s%.60s%s is not base64", piped ? "" : "'",
                 piped ? "standard input" : operand, piped ? "" : "'");
        worked = false;
    }
    if (!worked) {
        data_deinit (self);
    }
    return worked;
}

void data_deinit (struct data *self)
{
    free (self->bytes);
    self->bytes = NULL;
    self->size = 0;
}

/* The endpoints in a list of servers as the client library takes it.
 * May include: libc only. */

#ifndef COHORT_CLI_ENDPOINTS_H
#define COHORT_CLI_ENDPOINTS_H

#include <stddef.h>

#define ENDPOINTS_MAX     64
#define ENDPOINT_SIZE_MAX 256 /* its terminating 0 counted */

struct endpoints {
    size_t count;
    char items[ENDPOINTS_MAX][ENDPOINT_SIZE_MAX];
};

/* Splits "tcp://host:port,tcp://host:port/chroot", without the chroot; what is empty, too long or
 * one too many is left out: the library's own reading of the list reports mistakes. */
void endpoints_parse (struct endpoints *self, const char *servers);

/* Adds one endpoint unless it is there already. */
void endpoints_add (struct endpoints *self, const char *endpoint, size_t size);

#endif

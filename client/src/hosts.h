/* The list of servers that an application gives: "tcp://a:5181,tcp://b:5181/game".
 *
 * Pure: names are resolved by the transport, on every attempt. May include: base, libc. */

#ifndef COHORT_CLIENT_HOSTS_H
#define COHORT_CLIENT_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "client/base/prng.h"

/* Servers in a list, and bytes of one endpoint. */
#define HOSTS_MAX          256
#define HOSTS_ENDPOINT_MAX 255

struct hosts {
    char **endpoints; /* "tcp://host:port", "ipc://path", "inproc://name" */
    size_t count;
    char *chroot; /* "" or "/a/b", no '/' at its end */
};

/* Reads the list (see cohort_new in cohort/client.h for its form). 0, COHORT_EINVAL or
 * COHORT_EPATH (a malformed chroot), COHORT_ELIMIT, COHORT_ENOMEM: then *hosts is empty and `text`
 * says what is wrong and where. */
int hosts_parse (struct hosts *hosts, const char *servers, char *text, size_t text_size);
/* A deep copy. 0 or COHORT_ENOMEM, then *hosts is empty. */
int hosts_copy (struct hosts *hosts, const struct hosts *from);
void hosts_deinit (struct hosts *hosts);

/* Puts the endpoints into a random order. */
void hosts_shuffle (struct hosts *hosts, struct prng *prng);

/* Whether this could be an endpoint: what a server's redirect is checked with. */
bool hosts_endpoint_valid (const char *endpoint);

#endif

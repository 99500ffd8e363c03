/* What a claim's znode says, and a request for one: text that every language can write and every
 * human can read, one `key=value` a line, then an empty line, then the application's bytes.
 *
 *   claim=1                                  claim=1
 *   owner=/servers/europe/eu-1               owner=/servers/europe/eu-2
 *   czxid=4711                               name=alice
 *   host=web-3                               grace=2000
 *   pid=17                                   host=web-4
 *                                            pid=18
 *   whatever the application gave
 *                                            whatever the application gave
 *
 * What was asked for and has been taken says `taken=1` as well.
 *
 * Private. May include: libc. */

#ifndef COHORT_RECIPES_CLAIM_TEXT_H
#define COHORT_RECIPES_CLAIM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct claim_text {
    const char *owner; /* path of the owner's znode */
    uint64_t czxid;    /* of the owner's znode; 0: it is a request */
    const char *name;  /* what is asked for; NULL: it is a claim */
    int64_t grace_ms;
    bool taken;       /* of what is asked for: the grace was over, and it has been taken */
    const char *host; /* "": not known */
    int64_t pid;      /* 0: not known */
    const void *payload;
    size_t payload_size;
};

/* This host and this process into host and pid; the host lives as long as the buffer. */
#define CLAIM_HOST_SIZE 65
void claim_text_here (struct claim_text *self, char host[CLAIM_HOST_SIZE]);

/* The text, to be freed, with its size; NULL: no memory. */
char *claim_text_make (const struct claim_text *self, size_t *size);

/* A copy of the bytes, read, in one allocation, to be freed. NULL: no memory. It is neither claim
 * nor request if owner is NULL. The payload is followed by one 0. */
struct claim_text *claim_text_parse (const void *data, size_t size);

#endif

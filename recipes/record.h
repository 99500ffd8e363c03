/* What a contender's znode says about it: text that every language can write and every human can
 * read, one `key=value` a line, then an empty line, then the application's bytes.
 *
 *   contender=1
 *   host=web-3
 *   pid=4711
 *   granted=1763793600000
 *   mode=shared
 *
 *   whatever the application gave
 *
 * Private. May include: libc. */

#ifndef COHORT_RECIPES_RECORD_H
#define COHORT_RECIPES_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_HOST_SIZE 65

struct record {
    char host[RECORD_HOST_SIZE]; /* "": not known */
    int64_t pid;
    int64_t count;       /* of permits; 1 unless it says otherwise; 0: nobody knows */
    bool granted;        /* it had to wait, and waits no more */
    int64_t granted_ms;  /* server time; 0: when the znode was changed last */
    bool shared;         /* an exclusive one that was downgraded */
    int64_t lease_ms;    /* for how long it holds without writing again; 0: for ever */
    const void *payload; /* borrowed */
    size_t payload_size;
};

/* This host and this process. */
void record_init (struct record *self);

/* The text, to be freed, with its size; NULL: no memory. */
char *record_make (const struct record *self, size_t *size);

/* The same of this host and this process alone. */
char *record_own (size_t *size);

/* Reads what record_make has made. Data that is anything else is all payload, of an unknown host
 * and count: whoever wrote it holds its place all the same. The payload points into data. */
void record_parse (struct record *self, const void *data, size_t size);

#endif

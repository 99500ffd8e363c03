/* Writes many znodes with many requests in flight: what cp and import do.
 * May include: acl_pair, session, the public client API. */

#ifndef COHORT_CLI_PUT_H
#define COHORT_CLI_PUT_H

#include <stddef.h>
#include <stdint.h>

#include "client/cli/acl_pair.h"
#include "client/cli/session.h"

/* Requests in flight, and what their data may take together. */
#define PUT_WINDOW    512
#define PUT_BYTES_MAX ((size_t) 16 * 1024 * 1024)

/* What is to happen to a znode that is there already. */
enum put_existing { PUT_FAIL, PUT_KEEP, PUT_REPLACE };

struct put_item;

/* A znode that is wanted. */
struct put_order {
    const char *path;
    const void *data;
    size_t size;
    int mode;
    int64_t ttl_ms;
    uint64_t mark;               /* what is to be reported with an error */
    const struct acl_pair *acls; /* NULL: it gets the default of where it comes to, unless ... */
    const char *acls_path; /* ... it is to get those of this znode, as put.acls_client sees it */
};

struct put {
    struct session *session;
    enum put_existing existing;
    cohort_t *acls_client;  /* borrowed; of session, or of other servers */
    size_t reading;         /* of the items, those whose lists are being read */
    struct put_item *items; /* in flight */
    size_t flying;
    size_t bytes;
    uint64_t created;
    uint64_t replaced;
    uint64_t kept;
    int rc;          /* the first error */
    uint64_t mark;   /* of what that concerned */
    char path[1024]; /* of what that concerned, perhaps cut */
};

void put_init (struct put *self, struct session *session, enum put_existing existing);

/* Asks for a znode, whose parent must exist or have been asked for. May wait for earlier ones.
 * Returns 0 or the first error of any, and then nothing more is to be asked for. Copies what it
 * needs. A znode that is to have lists has them from the moment it is there; one that is replaced
 * gets them together with its data. */
int put_znode (struct put *self, const struct put_order *order);

/* Waits for all of them. The first error of any. */
int put_finish (struct put *self);

/* What has no answer yet is freed with it. */
void put_deinit (struct put *self);

#endif

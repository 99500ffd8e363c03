/* Access control lists, inside. The public functions are in cohort/acl.h.
 *
 * For a request a list becomes its text, one item a line: the wire knows nothing else of it.
 * May include: public types, base, libc. */

#ifndef COHORT_CLIENT_ACL_H
#define COHORT_CLIENT_ACL_H

#include <stdbool.h>

#include "cohort/acl.h"

#define ACL_TEXT_SIZE 256 /* of an error */

struct cohort_acl {
    cohort_acl_item_t *items;
    size_t count, room; /* room 0: all of it is in a frame of the server's */
    int rc;             /* the first error */
    char text[ACL_TEXT_SIZE];
};

/* The letters of permissions, static: "cdrwa" or fewer. */
#define ACL_PERMS_SIZE 6
void acl_perms_print (int perms, char text[ACL_PERMS_SIZE]);

/* Whether the list can be given to a server: 0, or its error, with a text. A list that came from a
 * server is looked at, too. */
int acl_check (const cohort_acl_t *self, char *text, size_t size);

/* Whether a name may be that of a digest user; otherwise `text` says why not. */
bool acl_user_valid (const char *user, char *text, size_t size);

#endif

/* Access control lists as operands and as output.
 * May include: message, the public client API; jansson. */

#ifndef COHORT_CLI_ACL_TEXT_H
#define COHORT_CLI_ACL_TEXT_H

#include <jansson.h>
#include <stdbool.h>

#include "cohort/acl.h"

/* The list of an operand, to be freed with cohort_acl_destroy. False: it is not valid; a message
 * that begins with the command has been printed. */
bool acl_read (cohort_acl_t **acl, const char *command, const char *text);

/* As zkCli prints it, two lines an item: 'world,'anyone and : cdrwa. NULL: nothing. */
void acl_print (const cohort_acl_t *acl);

/* On one line, as setAcl takes it. NULL: nothing. */
void acl_print_line (const cohort_acl_t *acl);

/* An array of objects; NULL, the list, is null. */
json_t *acl_json (const cohort_acl_t *acl);

/* The list that acl_json has made, to be freed with cohort_acl_destroy. False: it is none, or not
 * valid. */
bool acl_from_json (const json_t *array, cohort_acl_t **acl);

#endif

#include "client/cli/acl_text.h"

#include <stdio.h>
#include <string.h>

#include "client/cli/message.h"

bool acl_read (cohort_acl_t **acl, const char *command, const char *text)
{
    const char *wrong = "out of memory";
    cohort_acl_t *list = cohort_acl_parse (text);
    if (list == NULL || cohort_acl_error (list, &wrong) != COHORT_OK) {
        message ("%s: the access control list: %s", command, wrong);
        cohort_acl_destroy (&list);
        return false;
    }
    *acl = list;
    return true;
}

void acl_print (const cohort_acl_t *acl)
{
    char *text = acl != NULL ? cohort_acl_print (acl, "\n") : NULL;
    if (text != NULL) {
        puts (text);
    }
    cohort_free (text);
}

static const char *perms_text (int perms, char text[6])
{
    static const struct {
        int perm;
        char letter;
    } letters[] = {{COHORT_PERM_CREATE, 'c'},
                   {COHORT_PERM_DELETE, 'd'},
                   {COHORT_PERM_READ, 'r'},
                   {COHORT_PERM_WRITE, 'w'},
                   {COHORT_PERM_ADMIN, 'a'}};
    char *at = text;
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        if ((perms & letters[i].perm) != 0) {
            *at++ = letters[i].letter;
        }
    }
    *at = 0;
    return text;
}

json_t *acl_json (const cohort_acl_t *acl)
{
    json_t *array = acl != NULL ? json_array () : json_null ();
    for (size_t i = 0; i < cohort_acl_count (acl); i++) {
        const cohort_acl_item_t *item = cohort_acl_item (acl, i);
        char perms[6];
        json_array_append_new (array,
                               json_pack ("{s:s, s:s, s:s}", "scheme", item->scheme, "id", item->id,
                                          "perms", perms_text (item->perms, perms)));
    }
    return array;
}

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

static const struct {
    int perm;
    char letter;
} letters[] = {{COHORT_PERM_CREATE, 'c'},
               {COHORT_PERM_DELETE, 'd'},
               {COHORT_PERM_READ, 'r'},
               {COHORT_PERM_WRITE, 'w'},
               {COHORT_PERM_ADMIN, 'a'}};

static const char *perms_text (int perms, char text[6])
{
    char *at = text;
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        if ((perms & letters[i].perm) != 0) {
            *at++ = letters[i].letter;
        }
    }
    *at = 0;
    return text;
}

void acl_print (const cohort_acl_t *acl)
{
    for (size_t i = 0; i < cohort_acl_count (acl); i++) {
        const cohort_acl_item_t *item = cohort_acl_item (acl, i);
        char perms[6];
        printf ("'%s,'%s\n: %s\n", item->scheme, item->id, perms_text (item->perms, perms));
    }
}

void acl_print_line (const cohort_acl_t *acl)
{
    char *text = acl != NULL ? cohort_acl_print (acl, ",") : NULL;
    if (text != NULL) {
        puts (text);
    }
    cohort_free (text);
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

static bool add_item (cohort_acl_t *acl, const json_t *item)
{
    const char *scheme = json_string_value (json_object_get (item, "scheme"));
    const char *id = json_string_value (json_object_get (item, "id"));
    const char *text = json_string_value (json_object_get (item, "perms"));
    int perms = 0;
    if (scheme == NULL || id == NULL || text == NULL) {
        return false;
    }
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        perms |= strchr (text, letters[i].letter) != NULL ? letters[i].perm : 0;
    }
    return strspn (text, "cdrwa") == strlen (text) &&
           cohort_acl_add (acl, perms, scheme, id) == COHORT_OK;
}

bool acl_from_json (const json_t *array, cohort_acl_t **acl)
{
    cohort_acl_t *list = json_is_array (array) ? cohort_acl_new () : NULL;
    bool good = list != NULL;
    for (size_t i = 0; good && i < json_array_size (array); i++) {
        good = add_item (list, json_array_get (array, i));
    }
    if (!good || cohort_acl_count (list) == 0) {
        cohort_acl_destroy (&list);
        return false;
    }
    *acl = list;
    return true;
}

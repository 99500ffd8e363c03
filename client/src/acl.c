/* Access control lists as values. May include: acl, io (keys), base, libc. */

#include "client/src/acl.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/buf.h"
#include "client/base/digest_id.h"
#include "client/src/io.h"

/* Of what is wrong, so much is shown. */
#define SHOWN_MAX 80
/* ADDRESS/BITS. */
#define NETWORK_SIZE 64

_Static_assert((int) COHORT_ACL_USER_MAX == (int) DIGEST_USER_MAX &&
                   (int) DIGEST_ID_SIZE <= (int) COHORT_ACL_ID_MAX + 1,
               "the limits of digest users are those of ids");

static const struct {
    char letter;
    int perm;
} letters[] = {{'c', COHORT_PERM_CREATE},
               {'d', COHORT_PERM_DELETE},
               {'r', COHORT_PERM_READ},
               {'w', COHORT_PERM_WRITE},
               {'a', COHORT_PERM_ADMIN}};
enum { LETTERS = sizeof (letters) / sizeof (letters[0]) };

void acl_perms_print (int perms, char text[ACL_PERMS_SIZE])
{
    for (size_t i = 0; i < LETTERS; i++) {
        if ((perms & letters[i].perm) != 0) {
            *text++ = letters[i].letter;
        }
    }
    *text = '\0';
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static int fail (cohort_acl_t *self, int rc, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* The first one stays. */
static int fail (cohort_acl_t *self, int rc, const char *format, ...)
{
    if (self->rc == COHORT_OK) {
        va_list arguments;
        va_start (arguments, format);
        vsnprintf (self->text, sizeof (self->text), format, arguments);
        va_end (arguments);
        self->rc = rc;
    }
    return rc;
}

int cohort_acl_error (const cohort_acl_t *self, const char **text)
{
    if (text != NULL) {
        *text = self != NULL ? self->text : "the list is NULL";
    }
    return self != NULL ? self->rc : COHORT_EINVALIDACL;
}

/* ---- Ids: NULL, or what is wrong with one ---------------------------------------------------- */

static bool has_control (const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char) *text < 0x20 || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

static const char *user_wrong (const char *user, size_t size)
{
    if (size == 0) {
        return "the name of the user is empty";
    }
    if (size > COHORT_ACL_USER_MAX) {
        return "the name of the user has more than 128 bytes";
    }
    if (memchr (user, ',', size) != NULL || !digest_user_valid (user, size)) {
        return "the name of a user has neither ':' nor ',' nor control characters";
    }
    return NULL;
}

bool acl_user_valid (const char *user, char *text, size_t size)
{
    const char *wrong =
        user == NULL ? "the name of the user is NULL" : user_wrong (user, strlen (user));
    if (wrong != NULL) {
        snprintf (text, size, "%s", wrong);
    }
    return wrong == NULL;
}

static const char *digest_wrong (const char *id)
{
    const char *colon = strchr (id, ':');
    if (colon == NULL) {
        return "its id is USER:HASH (cohort digest USER prints it)";
    }
    const char *wrong = user_wrong (id, (size_t) (colon - id));
    if (wrong != NULL) {
        return wrong;
    }
    if (strcmp (colon + 1, "x") == 0) {
        return "its hash is hidden: a list can be copied by who may set it";
    }
    return digest_id_valid (id, strlen (id))
               ? NULL
               : "behind the user comes no hash; a password does not stand in a list (cohort "
                 "digest USER makes a hash of it)";
}

static const char *ip_wrong (const char *id)
{
    uint8_t address[16];
    char text[NETWORK_SIZE];
    const char *slash = strchr (id, '/');
    size_t size = slash != NULL ? (size_t) (slash - id) : strlen (id);
    if (size >= sizeof (text)) {
        return "its id is no address";
    }
    memcpy (text, id, size);
    text[size] = '\0';
    bool four = inet_pton (AF_INET, text, address) == 1;
    if (!four && inet_pton (AF_INET6, text, address) != 1) {
        return "its id is no address such as 10.0.0.7, 10.0.0.0/8 or 2001:db8::/32";
    }
    if (slash == NULL) {
        return NULL;
    }
    size_t digits = strspn (slash + 1, "0123456789");
    int bits = 0;
    for (size_t i = 1; i <= digits && i <= 3; i++) {
        bits = bits * 10 + (slash[i] - '0');
    }
    bool good = digits > 0 && digits <= 3 && slash[1 + digits] == '\0' && bits <= (four ? 32 : 128);
    return good ? NULL : four ? "the bits of its network are 0 to 32" : "its bits are 0 to 128";
}

static const char *id_wrong (const char *scheme, const char *id)
{
    if (strlen (id) > COHORT_ACL_ID_MAX) {
        return "its id has more than 255 bytes";
    }
    if (has_control (id)) {
        return "there are control characters in its id";
    }
    if (strcmp (scheme, "world") == 0) {
        return strcmp (id, "anyone") == 0 ? NULL : "the one id of world is anyone";
    }
    if (strcmp (scheme, "auth") == 0) {
        return NULL; /* whatever it is, as in ZooKeeper */
    }
    if (strcmp (scheme, "digest") == 0) {
        return digest_wrong (id);
    }
    if (strcmp (scheme, "ip") == 0) {
        return ip_wrong (id);
    }
    if (strcmp (scheme, "curve") == 0) {
        return channel_key_valid (id) ? NULL : "its id is no public key of 40 characters (Z85)";
    }
    return "its scheme is none of world, auth, digest, ip, curve";
}

static const char *item_wrong (size_t index, int perms, const char *scheme, const char *id)
{
    const char *wrong = id_wrong (scheme, id);
    if (wrong == NULL && (perms <= 0 || perms > COHORT_PERM_ALL)) {
        wrong = "its permissions are none of COHORT_PERM_...";
    }
    return wrong == NULL && index >= COHORT_ACL_ITEMS_MAX ? "a list has at most 64 items" : wrong;
}

/* ---- Items ----------------------------------------------------------------------------------- */

cohort_acl_t *cohort_acl_new (void)
{
    return mem_calloc (1, sizeof (cohort_acl_t));
}

void cohort_acl_destroy (cohort_acl_t **self_p)
{
    if (self_p == NULL || *self_p == NULL) {
        return;
    }
    cohort_acl_t *self = *self_p;
    *self_p = NULL;
    for (size_t i = 0; i < self->count; i++) {
        mem_free ((void *) self->items[i].scheme);
    }
    mem_free (self->items);
    mem_free (self);
}

/* What is known to be valid, or comes from a server: scheme and id become one piece of memory. */
static int append (cohort_acl_t *self, int perms, const char *scheme, const char *id)
{
    if (self->count == self->room) {
        size_t room = self->room == 0 ? 4 : 2 * self->room;
        cohort_acl_item_t *items = mem_realloc (self->items, room * sizeof (*items));
        if (items == NULL) {
            return fail (self, COHORT_ENOMEM, "out of memory");
        }
        self->items = items;
        self->room = room;
    }
    size_t scheme_size = strlen (scheme) + 1, id_size = strlen (id) + 1;
    char *text = mem_alloc (scheme_size + id_size);
    if (text == NULL) {
        return fail (self, COHORT_ENOMEM, "out of memory");
    }
    memcpy (text, scheme, scheme_size);
    memcpy (text + scheme_size, id, id_size);
    self->items[self->count++] = (cohort_acl_item_t){perms, text, text + scheme_size};
    return COHORT_OK;
}

int cohort_acl_add (cohort_acl_t *self, int perms, const char *scheme, const char *id)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    if (scheme == NULL || id == NULL) {
        return fail (self, COHORT_EINVALIDACL, "item %zu: scheme or id is NULL", self->count + 1);
    }
    const char *wrong = item_wrong (self->count, perms, scheme, id);
    if (wrong != NULL) {
        return fail (self, COHORT_EINVALIDACL, "item %zu, '%.*s:%.*s': %s", self->count + 1,
                     SHOWN_MAX / 4, scheme, SHOWN_MAX, id, wrong);
    }
    return append (self, perms, scheme, id);
}

int acl_check (const cohort_acl_t *self, char *text, size_t size)
{
    if (self->rc != COHORT_OK) {
        snprintf (text, size, "%s", self->text);
        return self->rc;
    }
    if (self->count == 0) {
        snprintf (text, size, "the list is empty: it has items such as world:anyone:r");
        return COHORT_EINVALIDACL;
    }
    for (size_t i = 0; i < self->count; i++) {
        const cohort_acl_item_t *item = &self->items[i];
        const char *wrong = item_wrong (i, item->perms, item->scheme, item->id);
        if (wrong != NULL) {
            snprintf (text, size, "item %zu, '%.*s:%.*s': %s", i + 1, SHOWN_MAX / 4, item->scheme,
                      SHOWN_MAX, item->id, wrong);
            return COHORT_EINVALIDACL;
        }
    }
    return COHORT_OK;
}

cohort_acl_t *cohort_acl_copy (const cohort_acl_t *self)
{
    cohort_acl_t *copy = self != NULL ? cohort_acl_new () : NULL;
    if (copy == NULL) {
        return NULL;
    }
    int rc = COHORT_OK;
    for (size_t i = 0; i < self->count && rc == COHORT_OK; i++) {
        const cohort_acl_item_t *item = &self->items[i];
        rc = append (copy, item->perms, item->scheme, item->id);
    }
    if (rc != COHORT_OK) {
        cohort_acl_destroy (&copy);
    } else {
        copy->rc = self->rc;
        memcpy (copy->text, self->text, sizeof (copy->text));
    }
    return copy;
}

size_t cohort_acl_count (const cohort_acl_t *self)
{
    return self != NULL ? self->count : 0;
}

const cohort_acl_item_t *cohort_acl_item (const cohort_acl_t *self, size_t index)
{
    return self != NULL && index < self->count ? &self->items[index] : NULL;
}

/* ---- Text ------------------------------------------------------------------------------------ */

/* 0: it is not valid. */
static int perms_parse (const char *text)
{
    int perms = 0;
    for (; *text != '\0'; text++) {
        size_t i = 0;
        while (i < LETTERS && letters[i].letter != *text) {
            i++;
        }
        if (i == LETTERS) {
            return 0;
        }
        perms |= letters[i].perm;
    }
    return perms;
}

/* SCHEME:ID:PERMS, where an id may have colons too. Changes the text. */
static void parse_item (cohort_acl_t *self, char *text)
{
    char *first = strchr (text, ':'), *last = strrchr (text, ':');
    size_t number = self->count + 1;
    if (first == NULL || first == last) {
        fail (self, COHORT_EINVALIDACL, "item %zu, '%.*s': it is not SCHEME:ID:PERMISSIONS", number,
              SHOWN_MAX, text);
        return;
    }
    int perms = perms_parse (last + 1);
    if (perms == 0) {
        fail (self, COHORT_EINVALIDACL,
              "item %zu, '%.*s': its permissions '%.16s' are not of the letters c, d, r, w, a",
              number, SHOWN_MAX, text, last + 1);
        return;
    }
    *first = *last = '\0';
    /* Its error, if it has one, is the first of the list. */
    int rc = cohort_acl_add (self, perms, text, first + 1);
    (void) rc;
}

cohort_acl_t *cohort_acl_parse (const char *text)
{
    cohort_acl_t *self = cohort_acl_new ();
    char *copy = self != NULL && text != NULL ? mem_strdup (text) : NULL;
    if (self == NULL || (copy == NULL && text != NULL)) {
        cohort_acl_destroy (&self);
        return NULL;
    }
    if (text == NULL || text[0] == '\0') {
        fail (self, COHORT_EINVALIDACL, "the list is empty: it has items such as world:anyone:r");
    }
    bool more = copy != NULL && copy[0] != '\0';
    for (char *item = copy; more && self->rc == COHORT_OK;) {
        char *end = item + strcspn (item, ",");
        more = *end == ',';
        *end = '\0';
        parse_item (self, item);
        item = end + 1;
    }
    mem_free (copy);
    return self;
}

char *cohort_acl_print (const cohort_acl_t *self, const char *separator)
{
    struct buf out;
    buf_init (&out);
    for (size_t i = 0; self != NULL && i < self->count; i++) {
        const cohort_acl_item_t *item = &self->items[i];
        char perms[ACL_PERMS_SIZE];
        acl_perms_print (item->perms, perms);
        if (i > 0) {
            buf_append (&out, separator, strlen (separator));
        }
        buf_append (&out, item->scheme, strlen (item->scheme));
        buf_append (&out, ":", 1);
        buf_append (&out, item->id, strlen (item->id));
        buf_append (&out, ":", 1);
        buf_append (&out, perms, strlen (perms));
    }
    buf_append (&out, "", 1);
    char *text = out.failed ? NULL : mem_dup (out.data, out.size);
    buf_deinit (&out);
    return text;
}

/* addauth, whoami, digest, admins: who sessions are, and who may do everything. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/secret.h"
#include "client/cli/acl_text.h"
#include "client/cli/arguments.h"
#include "client/cli/auth.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/session.h"

/* ---- addauth ----------------------------------------------------------------------------- */

int cmd_addauth (const struct arguments *arguments)
{
    const char *scheme = arguments->operands[0], *auth = arguments->operands[1];
    struct credential credential = {.text = ""};
    char text[CREDENTIAL_SIZE];
    int size = snprintf (text, sizeof text, "%s:%s", scheme, auth);
    if (size < 0 || (size_t) size >= sizeof text) {
        message ("addauth: user and password are too long");
        return CLI_EXIT_USAGE;
    }
    struct session session;
    int code = CLI_EXIT_USAGE;
    if (credential_parse (&credential, text, "addauth", PASSWORD_INPUT)) {
        code = session_open (&session, &arguments->settings, NULL);
    }
    if (code == CLI_EXIT_OK) {
        code = auth_prove (session.client, &credential);
        bool lent = session.lent;
        session_close (&session);
        if (code == CLI_EXIT_OK && lent &&
            !credentials_keep (arguments->settings.users, &credential)) {
            code = CLI_EXIT_FAILED;
        }
        if (code == CLI_EXIT_OK && !lent) {
            message (
                "the session that is %s ends now, with this command: give other commands --auth "
                "or --auth-file, or use the shell",
                credential.user);
        }
        if (code == CLI_EXIT_OK && arguments->settings.format != FORMAT_TEXT) {
            code = emit_value (
                arguments->settings.format,
                json_pack ("{s:s, s:s}", "scheme", credential.scheme, "user", credential.user));
        }
    }
    secret_wipe (text, sizeof text);
    credential_wipe (&credential);
    return code;
}

/* ---- whoami ------------------------------------------------------------------------------ */

static int print_identities (enum format format, const cohort_identities_t *identities)
{
    if (format == FORMAT_TEXT) {
        printf ("Auth scheme: User\n");
    }
    struct emit emit;
    if (format != FORMAT_TEXT) {
        emit_begin (&emit, format);
    }
    for (size_t i = 0; i < identities->count; i++) {
        const cohort_identity_t *identity = &identities->items[i];
        if (format == FORMAT_TEXT) {
            printf ("%s: %s\n", identity->scheme, identity->id);
        } else if (!emit_item (&emit, json_pack ("{s:s, s:s}", "scheme", identity->scheme, "id",
                                                 identity->id))) {
            return CLI_EXIT_FAILED;
        }
    }
    if (format != FORMAT_TEXT) {
        emit_end (&emit);
    }
    return CLI_EXIT_OK;
}

static int call_whoami (cohort_t *client, void *arg)
{
    cohort_identities_t **identities = arg;
    return cohort_whoami (client, identities);
}

int cmd_whoami (const struct arguments *arguments)
{
    cohort_identities_t *identities = NULL;
    int code =
        session_call (&arguments->settings, ACTIVITY_READ, "whoami", call_whoami, &identities);
    if (code == CLI_EXIT_OK) {
        code = print_identities (arguments->settings.format, identities);
    }
    cohort_identities_destroy (&identities);
    return code;
}

/* ---- digest ------------------------------------------------------------------------------ */

int cmd_digest (const struct arguments *arguments)
{
    const char *user = arguments->operands[0];
    const char *scheme = arguments_has (arguments, FLAG_SHA1) ? "digest-sha1" : "digest";
    struct credential credential = {.text = ""};
    char id[COHORT_ACL_ID_MAX + 1];
    if (strchr (user, ':') != NULL) {
        message ("digest: '%.*s...': the password is asked for, or read from standard input",
                 (int) strcspn (user, ":"), user);
        return CLI_EXIT_USAGE;
    }
    if (!credential_ask (&credential, scheme, user, PASSWORD_INPUT, true)) {
        credential_wipe (&credential);
        return CLI_EXIT_USAGE;
    }
    int rc = cohort_acl_digest (scheme, user, credential.password, id, sizeof id);
    credential_wipe (&credential);
    if (rc == COHORT_EINVAL) {
        message ("digest: the name '%s' or its password is not valid: a name has 1 to %d bytes, "
                 "without ':', ',' and control characters, a password 1 to 1024",
                 user, COHORT_ACL_USER_MAX);
        return CLI_EXIT_USAGE;
    }
    if (rc != COHORT_OK) {
        message ("digest: %s", cohort_error_text (rc));
        return exit_code_of (rc);
    }
    if (arguments->settings.format != FORMAT_TEXT) {
        return emit_value (arguments->settings.format,
                           json_pack ("{s:s, s:s}", "scheme", "digest", "id", id));
    }
    printf ("digest:%s\n", id);
    return CLI_EXIT_OK;
}

/* ---- admins ------------------------------------------------------------------------------ */

static bool add_admin (cohort_acl_t *admins, char *item)
{
    const char *wrong = "";
    char *colon = strchr (item, ':');
    if (colon == NULL) {
        message ("admins: '%s' is not SCHEME:ID", item);
        return false;
    }
    *colon = 0;
    if (cohort_acl_add (admins, COHORT_PERM_ALL, item, colon + 1) != COHORT_OK) {
        cohort_acl_error (admins, &wrong);
        message ("admins: %s", wrong);
        return false;
    }
    return true;
}

/* As in the servers' configuration: SCHEME:ID, without permissions. */
static bool read_admins (cohort_acl_t **admins, const char *text)
{
    char *copy = strdup (text), *save = NULL;
    *admins = cohort_acl_new ();
    if (copy == NULL || *admins == NULL) {
        message ("out of memory");
        free (copy);
        return false;
    }
    bool good = true;
    for (char *item = strtok_r (copy, ",", &save); item != NULL && good;
         item = strtok_r (NULL, ",", &save)) {
        good = add_admin (*admins, item);
    }
    free (copy);
    if (good && cohort_acl_count (*admins) == 0) {
        message ("admins: there is always one: SCHEME:ID,...");
        good = false;
    }
    if (!good) {
        cohort_acl_destroy (admins);
    }
    return good;
}

static int print_admins (enum format format, const cohort_acl_t *admins)
{
    if (format != FORMAT_TEXT) {
        struct emit emit;
        emit_begin (&emit, format);
        for (size_t i = 0; i < cohort_acl_count (admins); i++) {
            const cohort_acl_item_t *item = cohort_acl_item (admins, i);
            emit_item (&emit, json_pack ("{s:s, s:s}", "scheme", item->scheme, "id", item->id));
        }
        emit_end (&emit);
        return CLI_EXIT_OK;
    }
    for (size_t i = 0; i < cohort_acl_count (admins); i++) {
        const cohort_acl_item_t *item = cohort_acl_item (admins, i);
        printf ("%s:%s\n", item->scheme, item->id);
    }
    return CLI_EXIT_OK;
}

static int call_get_admins (cohort_t *client, void *arg)
{
    cohort_acl_t **admins = arg;
    return cohort_get_admins (client, admins);
}

static int call_set_admins (cohort_t *client, void *arg)
{
    cohort_acl_t **admins = arg;
    return cohort_set_admins (client, *admins);
}

int cmd_admins (const struct arguments *arguments)
{
    const char *what = arguments->operands[0];
    const char *operand = arguments->operand_count > 1 ? arguments->operands[1] : NULL;
    bool lists = strcmp (what, "ls") == 0;
    if (!lists && strcmp (what, "set") != 0) {
        message ("admins knows ls and set, not '%s'", what);
        return CLI_EXIT_USAGE;
    }
    if (lists != (operand == NULL)) {
        message (lists ? "admins ls takes no operand"
                       : "admins set: who they shall be is missing: SCHEME:ID,...");
        return CLI_EXIT_USAGE;
    }
    cohort_acl_t *admins = NULL;
    if (!lists && !read_admins (&admins, operand)) {
        return CLI_EXIT_USAGE;
    }
    enum format format = arguments->settings.format;
    int code = session_call (&arguments->settings, lists ? ACTIVITY_READ : ACTIVITY_SET_ACL,
                             lists ? "admins ls" : "admins set",
                             lists ? call_get_admins : call_set_admins, &admins);
    if (code == CLI_EXIT_OK && (lists || format != FORMAT_TEXT)) {
        code = print_admins (format, admins);
    }
    if (code == CLI_EXIT_OK && admins == NULL) {
        message ("there are no administrators (see: cohort help admins)");
    }
    cohort_acl_destroy (&admins);
    return code;
}

/* session: all sessions of the ensemble, and the end of one. */

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"
#include "client/cli/session.h"

enum { ID_SIZE = 19 };

static const char *state_name (int state)
{
    static const char *const names[] = {"lives", "killed", "ends"};
    return state >= 0 && state <= COHORT_SESSION_ENDS ? names[state] : "?";
}

/* IPv4 addresses as such. */
static const char *address_text (const cohort_session_info_t *info, char text[INET6_ADDRSTRLEN])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (!info->address_known) {
        return "-";
    }
    bool is_mapped = memcmp (info->address, mapped, sizeof mapped) == 0;
    const char *shown =
        is_mapped ? inet_ntop (AF_INET, info->address + sizeof mapped, text, INET6_ADDRSTRLEN)
                  : inet_ntop (AF_INET6, info->address, text, INET6_ADDRSTRLEN);
    return shown != NULL ? shown : "-";
}

static void print_one (struct emit *emit, enum format format, const cohort_session_info_t *info)
{
    char id[ID_SIZE], address[INET6_ADDRSTRLEN];
    const char *shown = address_text (info, address);
    snprintf (id, sizeof id, "0x%" PRIx64, info->id);
    if (format == FORMAT_TEXT) {
        printf ("%s\t%s\t%" PRIu32 "\t%" PRIu64 "\t%" PRIu32 "\t%" PRIu32 "\t%s\n", id, shown,
                info->server, info->ephemerals, info->timeout_ms, info->grace_ms,
                state_name (info->state));
        return;
    }
    json_t *item = json_pack (
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:s}", "session", id, "server", (json_int_t) info->server,
        "ephemerals", (json_int_t) info->ephemerals, "timeout_ms", (json_int_t) info->timeout_ms,
        "grace_ms", (json_int_t) info->grace_ms, "incarnation", (json_int_t) info->incarnation,
        "state", state_name (info->state));
    if (item != NULL) {
        json_object_set_new (item, "address",
                             info->address_known ? json_string (shown) : json_null ());
    }
    emit_item (emit, item);
}

/* Page by page, so that any number of them costs neither side much. */
static int list (struct session *session, enum format format)
{
    struct emit emit;
    cohort_sessions_t *page = NULL;
    uint64_t after = 0;
    int code = CLI_EXIT_OK, more = 1;
    bool begun = false;
    while (more && code == CLI_EXIT_OK) {
        int rc = cohort_sessions (session->client, after, 0, &page);
        code = session_result (session, ACTIVITY_READ, "session ls", rc);
        if (code != CLI_EXIT_OK) {
            break;
        }
        if (!begun && format == FORMAT_TEXT) {
            printf ("session\taddress\tserver\tephemerals\ttimeout\tgrace\tstate\n");
        } else if (!begun) {
            emit_begin (&emit, format);
        }
        begun = true;
        for (size_t i = 0; i < page->count; i++) {
            print_one (&emit, format, &page->items[i]);
            after = page->items[i].id;
        }
        more = page->more && page->count > 0;
        cohort_sessions_destroy (&page);
    }
    if (begun && format != FORMAT_TEXT) {
        emit_end (&emit);
    }
    return code;
}

/* Decimal, or hexadecimal behind 0x. */
static bool read_id (const char *text, uint64_t *id)
{
    char *end;
    errno = 0;
    *id = strtoull (text, &end, 0);
    return errno == 0 && end != text && *end == '\0' && text[0] != '-' && *id != 0;
}

static int kill_session (struct session *session, const char *operand)
{
    uint64_t id = 0;
    int existed = 0;
    if (!read_id (operand, &id)) {
        message ("session kill: '%s' is no session's id (see: cohort session ls)", operand);
        return CLI_EXIT_USAGE;
    }
    int rc = cohort_session_kill (session->client, id, &existed);
    int code = session_result (session, ACTIVITY_SET, operand, rc);
    if (code == CLI_EXIT_OK && !existed) {
        message ("session kill: there is no session %s (see: cohort session ls)", operand);
        return CLI_EXIT_NO_NODE;
    }
    return code;
}

int cmd_session (const struct arguments *arguments)
{
    const char *what = arguments->operands[0];
    const char *operand = arguments->operand_count > 1 ? arguments->operands[1] : NULL;
    bool lists = strcmp (what, "ls") == 0;
    if (!lists && strcmp (what, "kill") != 0) {
        message ("session knows ls and kill, not '%s'", what);
        return CLI_EXIT_USAGE;
    }
    if (lists != (operand == NULL)) {
        message (lists ? "session ls takes no operand" : "session kill: the session is missing");
        return CLI_EXIT_USAGE;
    }
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    code = lists ? list (&session, arguments->settings.format) : kill_session (&session, operand);
    session_close (&session);
    return code;
}

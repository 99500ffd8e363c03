/* session: all sessions of the ensemble, the end of one, and who gets its ephemerals. */

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/arguments.h"
#include "client/cli/clock.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/hold.h"
#include "client/cli/interrupt.h"
#include "client/cli/message.h"
#include "client/cli/output.h"
#include "client/cli/session.h"

enum { TOKEN_TEXT_SIZE = 2 * COHORT_TOKEN_SIZE + 1, OWN_WAIT_MS = 50 };

/* The id of a session. False: a message has been printed. */
static bool read_id (const char *text, uint64_t *id)
{
    bool good = arguments_parse_id (text, id) && *id != 0;
    if (!good) {
        message ("'%s' is not the id of a session (see: cohort session ls)", text);
    }
    return good;
}

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
    char id[OUTPUT_ID_SIZE], address[INET6_ADDRSTRLEN];
    const char *shown = address_text (info, address);
    output_id (info->id, id);
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
        code == CLI_EXIT_OK ? emit_end (&emit) : emit_cut (&emit);
    }
    return code;
}

static int kill_session (struct session *session, const struct arguments *arguments)
{
    const char *operand = arguments->operands[1];
    enum format format = arguments->settings.format;
    uint64_t id = 0;
    int existed = 0;
    if (!read_id (operand, &id)) {
        return CLI_EXIT_USAGE;
    }
    int rc = cohort_session_kill (session->client, id, &existed);
    int code = session_result (session, ACTIVITY_SET, operand, rc);
    if (code == CLI_EXIT_OK && !existed) {
        message ("session kill: there is no session %s (see: cohort session ls)", operand);
        return CLI_EXIT_NO_NODE;
    }
    return code == CLI_EXIT_OK && format != FORMAT_TEXT
               ? emit_value (format, json_pack ("{s:s}", "session", operand))
               : code;
}

/* ---- Hand-over --------------------------------------------------------------------------- */

static void token_text (const uint8_t token[COHORT_TOKEN_SIZE], char text[TOKEN_TEXT_SIZE])
{
    for (size_t i = 0; i < COHORT_TOKEN_SIZE; i++) {
        snprintf (text + 2 * i, 3, "%02x", token[i]);
    }
}

static bool read_token (const char *text, uint8_t token[COHORT_TOKEN_SIZE])
{
    bool good = strlen (text) == TOKEN_TEXT_SIZE - 1;
    for (size_t i = 0; good && i < COHORT_TOKEN_SIZE; i++) {
        const char digits[3] = {text[2 * i], text[2 * i + 1], 0};
        good = isxdigit ((unsigned char) digits[0]) && isxdigit ((unsigned char) digits[1]);
        token[i] = (uint8_t) strtoul (digits, NULL, 16);
    }
    if (!good) {
        message ("session hand-over: '%s' is not a token: %d hexadecimal digits, as cohort session "
                 "token prints them",
                 text, TOKEN_TEXT_SIZE - 1);
    }
    return good;
}

/* A shell holds its session anyway. */
static int hold (struct session *session)
{
    char id[OUTPUT_ID_SIZE], what[64];
    snprintf (what, sizeof what, "session %s", output_id (cohort_session_id (session->client), id));
    fflush (stdout);
    return session->lent ? CLI_EXIT_OK : hold_session (session, what);
}

/* Agrees to get what another session owns. */
static int agree (struct session *session, const struct arguments *arguments)
{
    enum format format = arguments->settings.format;
    uint64_t from;
    uint8_t token[COHORT_TOKEN_SIZE];
    char id[OUTPUT_ID_SIZE], text[TOKEN_TEXT_SIZE];
    if (!read_id (arguments->operands[1], &from)) {
        return CLI_EXIT_USAGE;
    }
    int rc = cohort_hand_over_token (session->client, from, token);
    int code = session_result (session, ACTIVITY_READ, "session token", rc);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    token_text (token, text);
    output_id (cohort_session_id (session->client), id);
    if (format == FORMAT_TEXT) {
        printf ("%s %s\n", id, text);
    } else {
        code = emit_value (format, json_pack ("{s:s, s:s}", "session", id, "token", text));
    }
    return code == CLI_EXIT_OK ? hold (session) : code;
}

static int report_count (uint64_t count, enum format format)
{
    if (format != FORMAT_TEXT) {
        return emit_value (format, json_pack ("{s:I}", "ephemerals", (json_int_t) count));
    }
    printf ("%" PRIu64 "\n", count);
    return CLI_EXIT_OK;
}

/* What a process before has left may be counted on by it for a while: as cohort_take_over does. */
static int await_own (struct session *session)
{
    int64_t until_ms = clock_ms () + 2 * (int64_t) session->settings.timeout_ms;
    while (cohort_valid_ms (session->client) == 0 && clock_ms () < until_ms &&
           cohort_state (session->client) != COHORT_LOST) {
        cohort_run (session->client, OWN_WAIT_MS);
    }
    return cohort_state (session->client) == COHORT_LOST ? COHORT_ESESSIONEXPIRED
           : cohort_valid_ms (session->client) == 0      ? COHORT_ETIMEDOUT
                                                         : COHORT_OK;
}

static int give (struct session *session, const struct arguments *arguments)
{
    const char *operand = arguments->operands[1];
    uint64_t to, count = 0;
    uint8_t token[COHORT_TOKEN_SIZE];
    if (!read_id (operand, &to) || !read_token (arguments->operands[2], token)) {
        return CLI_EXIT_USAGE;
    }
    int rc = session->lent ? COHORT_OK : await_own (session);
    rc = rc == COHORT_OK ? cohort_hand_over (session->client, to, token, &count) : rc;
    if (rc == COHORT_ENOAUTH) {
        message (
            "session hand-over: there is no session %s, or it has not made that token for this "
            "session (see: cohort help session)",
            operand);
        return CLI_EXIT_NO_PERMISSION;
    }
    int code = session_result (session, ACTIVITY_SET, "session hand-over", rc);
    return code == CLI_EXIT_OK ? report_count (count, arguments->settings.format) : code;
}

static int take (struct session *session, const struct arguments *arguments)
{
    uint64_t count = 0;
    int rc = cohort_take_over (session->client, arguments->operands[1], &count);
    int code = session_result (session, ACTIVITY_SET, "session take-over", rc);
    if (code == CLI_EXIT_OK) {
        code = report_count (count, arguments->settings.format);
    }
    return code == CLI_EXIT_OK ? hold (session) : code;
}

/* ---- The command ------------------------------------------------------------------------- */

static int list_all (struct session *session, const struct arguments *arguments)
{
    return list (session, arguments->settings.format);
}

static const struct {
    const char *name;
    const char *operands; /* as the help calls them */
    int count;
    bool holds;
    int (*run) (struct session *session, const struct arguments *arguments);
} actions[] = {
    {"ls", "", 0, false, list_all},       {"kill", "SESSION", 1, false, kill_session},
    {"token", "FROM", 1, true, agree},    {"hand-over", "TO TOKEN", 2, false, give},
    {"take-over", "FILE", 1, true, take},
};

/* The session that gives: a shell's, or that of a state file. False: a message has been printed. */
static bool check_giver (const struct arguments *arguments, const char *state_file)
{
    if (state_file == NULL && arguments->settings.lender == NULL) {
        message ("session hand-over: the session of this command has no ephemerals: --state-file "
                 "names the one that gives (or use cohort shell)");
        return false;
    }
    if (state_file != NULL && access (state_file, R_OK) != 0) {
        message ("--state-file: %s: %s", state_file, strerror (errno));
        return false;
    }
    return true;
}

int cmd_session (const struct arguments *arguments)
{
    const char *what = arguments->operands[0];
    const char *state_file = arguments_value (arguments, FLAG_STATE_FILE);
    size_t i = 0;
    while (i < sizeof actions / sizeof actions[0] && strcmp (what, actions[i].name) != 0) {
        i++;
    }
    if (i == sizeof actions / sizeof actions[0]) {
        message ("session knows ls, kill, token, hand-over and take-over, not '%s'", what);
        return CLI_EXIT_USAGE;
    }
    if (arguments->operand_count - 1 != actions[i].count) {
        message ("session %s takes %s (see: cohort help session)", what,
                 actions[i].count == 0 ? "no operand" : actions[i].operands);
        return CLI_EXIT_USAGE;
    }
    bool gives = actions[i].run == give;
    if (gives && !check_giver (arguments, state_file)) {
        return CLI_EXIT_USAGE;
    }
    if (state_file != NULL && !gives) {
        message ("session %s: --state-file is for hand-over", what);
        return CLI_EXIT_USAGE;
    }
    if (actions[i].holds && !interrupt_catch ()) {
        message ("signals cannot be caught");
        return CLI_EXIT_FAILED;
    }
    cohort_options_t options = {.size = sizeof options, .state_file = state_file};
    struct session session;
    int code = session_open (&session, &arguments->settings, state_file != NULL ? &options : NULL);
    if (code == CLI_EXIT_OK) {
        code = actions[i].run (&session, arguments);
        session_close (&session);
    }
    if (code == CLI_EXIT_OK && state_file != NULL && remove (state_file) != 0 && errno != ENOENT) {
        message ("--state-file: %s cannot be removed: %s", state_file, strerror (errno));
    }
    return code;
}

/* status: a table of the servers. */

#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/arguments.h"
#include "client/cli/clock.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "client/cli/status_query.h"
#include "cohort/error.h"

/* How long a server has to answer unless --timeout says; between two rounds of --wait. */
#define STATUS_LIMIT_MS 1000
#define STATUS_PAUSE_MS 50
#define STATUS_COLUMNS  7

/* What is shown: the indexes of ensemble_status, each server once, by id, the unknown last. */
struct view {
    const struct ensemble_status *status;
    size_t rows[ENDPOINTS_MAX];
    size_t count;
};

static bool same_server (const struct server_status *a, const struct server_status *b)
{
    return a->answered && b->answered && a->id == b->id &&
           memcmp (a->cluster_id, b->cluster_id, STATUS_CLUSTER_SIZE) == 0;
}

static bool goes_before (const struct server_status *a, const struct server_status *b)
{
    if (a->has_id != b->has_id) {
        return a->has_id;
    }
    return a->has_id && a->id < b->id;
}

static void view_init (struct view *self, const struct ensemble_status *status)
{
    self->status = status;
    self->count = 0;
    for (size_t i = 0; i < status->addresses.count; i++) {
        const struct server_status *server = &status->servers[i];
        /* One server may have been asked under two names. */
        bool known = false;
        for (size_t k = 0; k < self->count; k++) {
            known = known || same_server (&status->servers[self->rows[k]], server);
        }
        size_t at = self->count;
        while (!known && at > 0 && goes_before (server, &status->servers[self->rows[at - 1]])) {
            self->rows[at] = self->rows[at - 1];
            at--;
        }
        if (!known) {
            self->rows[at] = i;
            self->count++;
        }
    }
}

static void print_table (const struct view *view)
{
    static const char *const head[STATUS_COLUMNS] = {"ID",   "ADDRESS",     "ROLE", "EPOCH",
                                                     "ZXID", "CONNECTIONS", "DISK"};
    const char *cells[(ENDPOINTS_MAX + 1) * STATUS_COLUMNS];
    char numbers[ENDPOINTS_MAX][4][OUTPUT_ID_SIZE];
    memcpy (cells, head, sizeof head);
    for (size_t i = 0; i < view->count; i++) {
        const struct server_status *server = &view->status->servers[view->rows[i]];
        const char **row = cells + (i + 1) * STATUS_COLUMNS;
        for (size_t column = 0; column < STATUS_COLUMNS; column++) {
            row[column] = "-";
        }
        if (server->has_id) {
            snprintf (numbers[i][0], OUTPUT_ID_SIZE, "%" PRIu32, server->id);
            row[0] = numbers[i][0];
        }
        row[1] = view->status->addresses.items[view->rows[i]];
        row[2] = server->answered ? server->role : "unreachable";
        if (server->answered) {
            snprintf (numbers[i][1], OUTPUT_ID_SIZE, "%" PRIu32, server->epoch);
            snprintf (numbers[i][3], OUTPUT_ID_SIZE, "%" PRIu32, server->connections);
            row[3] = numbers[i][1];
            row[4] = output_id (server->zxid, numbers[i][2]);
            row[5] = numbers[i][3];
            row[6] = *server->disk ? server->disk : "-";
        }
    }
    output_table (stdout, cells, view->count + 1, STATUS_COLUMNS);
}

/* Of what older servers do not count nothing is known. */
static json_t *counter_or_null (const struct server_status *server, uint64_t counter)
{
    return server->turn_us_max > 0 ? json_integer ((json_int_t) counter) : json_null ();
}

/* What is not known is null. */
static bool print_json (const struct view *view, enum format format)
{
    struct emit emit;
    emit_begin (&emit, format);
    bool worked = true;
    for (size_t i = 0; i < view->count; i++) {
        const struct server_status *server = &view->status->servers[view->rows[i]];
        bool answered = server->answered;
        char id[OUTPUT_ID_SIZE];
        json_t *row =
            json_pack ("{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
                       server->has_id ? json_integer (server->id) : json_null (), "address",
                       view->status->addresses.items[view->rows[i]], "role",
                       answered ? server->role : "unreachable", "epoch",
                       answered ? json_integer (server->epoch) : json_null (), "zxid",
                       answered ? json_string (output_id (server->zxid, id)) : json_null (),
                       "connections", answered ? json_integer (server->connections) : json_null (),
                       "log", *server->log ? json_string (server->log) : json_null (), "disk",
                       *server->disk ? json_string (server->disk) : json_null (), "state",
                       *server->state ? json_string (server->state) : json_null (), "turn_us_max",
                       counter_or_null (server, server->turn_us_max), "long_turns",
                       counter_or_null (server, server->long_turns));
        worked = worked && emit_item (&emit, row);
    }
    emit_end (&emit);
    return worked;
}

static void print_troubles (const struct view *view)
{
    for (size_t i = 0; i < view->count; i++) {
        const struct server_status *server = &view->status->servers[view->rows[i]];
        if (strcmp (server->log, "damaged") == 0) {
            message ("server %" PRIu32 ": its log is damaged; it has no vote until a leader has "
                     "brought back what is lost",
                     server->id);
        } else if (strcmp (server->log, "suspect") == 0) {
            message ("server %" PRIu32
                     ": the end of its log cannot be read; what its vote is worth "
                     "depends on what the others have",
                     server->id);
        }
        if (strcmp (server->disk, "full") == 0) {
            message ("server %" PRIu32 ": its disk is full; it takes no writes until there is "
                     "space in its data folder",
                     server->id);
        }
        if (*server->state_reason) {
            message ("server %" PRIu32 ": %s", server->id, server->state_reason);
        }
    }
}

static void print_remarks (const struct view *view)
{
    const struct ensemble_status *status = view->status;
    print_troubles (view);
    /* Members of whom no address is known; they may be those that do not answer at theirs. */
    size_t unseen = 0, silent = 0;
    for (size_t i = 0; i < status->hidden_count; i++) {
        unseen += !status_has_answered (status, status->hidden_ids[i]);
    }
    for (size_t k = 0; k < status->addresses.count; k++) {
        silent += !status->servers[k].has_id;
    }
    if (unseen > silent) {
        message ("%zu more server%s of the ensemble: add the address to --servers", unseen - silent,
                 unseen - silent > 1 ? "s" : "");
    }
    int code = status_exit_code (status);
    if (code == CLI_EXIT_NO_CONNECTION) {
        message ("no server answers (start one with: cohortd dev)");
    } else if (code == CLI_EXIT_NO_QUORUM) {
        message ("no leader: the servers that answer have no quorum");
    }
}

/* Asks until there is a leader, or wait_ms have passed; once at least. */
static int query (const struct settings *settings, const struct security *security, int64_t wait_ms,
                  struct ensemble_status *status)
{
    int64_t limit = settings->timeout_given ? settings->timeout_ms : STATUS_LIMIT_MS;
    int64_t end = clock_ms () + wait_ms;
    for (;;) {
        int rc = status_query (status, settings->servers, security, (int) limit);
        int64_t left = end - clock_ms ();
        if (rc != COHORT_OK || status_has_leader (status) || left <= 0) {
            return rc;
        }
        poll (NULL, 0, (int) (left < STATUS_PAUSE_MS ? left : STATUS_PAUSE_MS));
    }
}

int cmd_status (const struct arguments *arguments)
{
    enum format format = arguments->settings.format;
    int64_t wait_ms = 0;
    if (!arguments_number (arguments, FLAG_WAIT, 0, ARGUMENTS_TIMEOUT_MS_MAX, 0, &wait_ms)) {
        return CLI_EXIT_USAGE;
    }
    struct security security;
    if (!session_servers_valid (arguments->settings.servers) ||
        !security_init (&security, arguments->settings.server_key)) {
        return CLI_EXIT_USAGE;
    }
    struct ensemble_status *status = calloc (1, sizeof *status);
    int rc = COHORT_ENOMEM;
    if (status != NULL) {
        rc = query (&arguments->settings, &security, wait_ms, status);
    }
    int code = exit_code_of (rc);
    if (rc != COHORT_OK) {
        message ("status: %s", cohort_error_text (rc));
    } else {
        struct view view;
        view_init (&view, status);
        if (format == FORMAT_TEXT) {
            print_table (&view);
        } else if (!print_json (&view, format)) {
            message ("out of memory");
        }
        print_remarks (&view);
        code = status_exit_code (status);
    }
    free (status);
    return code;
}

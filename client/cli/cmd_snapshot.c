/* snapshot: backups are taken from a running ensemble, verified, and made into a new one. */

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"
#include "client/cli/output.h"
#include "client/cli/snapshot_save.h"
#include "cohort/error.h"
#include "server/backup/backup.h"

#define CLUSTER_TEXT 33
#define TIME_TEXT    32
#define LIST_SIZE    8192

/* ---- What is in a snapshot --------------------------------------------------------------- */

static void cluster_text (const uint8_t id[16], char text[CLUSTER_TEXT])
{
    for (size_t i = 0; i < 16; i++) {
        snprintf (text + 2 * i, 3, "%02x", id[i]);
    }
}

static void time_text (int64_t time_ms, char text[TIME_TEXT])
{
    time_t seconds = (time_t) (time_ms / 1000);
    struct tm utc;
    if (gmtime_r (&seconds, &utc) == NULL || strftime (text, TIME_TEXT, "%FT%TZ", &utc) == 0) {
        snprintf (text, TIME_TEXT, "-");
    }
}

static void print_text (const struct backup_info *info)
{
    char zxid[OUTPUT_ID_SIZE], digest[OUTPUT_ID_SIZE], cluster[CLUSTER_TEXT], when[TIME_TEXT];
    cluster_text (info->cluster_id, cluster);
    time_text (info->time_ms, when);
    printf ("zxid        %s\nepoch       %" PRIu32 "\ncluster     %s\ntime        %s\n",
            output_id (info->zxid, zxid), zxid_epoch (info->zxid), cluster, when);
    printf ("znodes      %" PRIu64 "\n", info->znodes);
    if (info->ephemerals != BACKUP_UNKNOWN) {
        printf ("ephemerals  %" PRIu64 "\n", info->ephemerals);
    }
    printf ("sessions    %" PRIu64 "\n", info->sessions);
    printf ("bytes       %" PRIu64 "\n", info->size);
    if (info->file_size > 0) {
        printf ("file        %" PRIu64 "\n", info->file_size);
    }
    printf ("digest      %s\n", output_id (info->digest, digest));
}

static int print_json (const struct backup_info *info, enum format format)
{
    char zxid[OUTPUT_ID_SIZE], digest[OUTPUT_ID_SIZE], cluster[CLUSTER_TEXT];
    cluster_text (info->cluster_id, cluster);
    json_t *object = json_pack (
        "{s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:s}", "zxid", output_id (info->zxid, zxid),
        "epoch", (json_int_t) zxid_epoch (info->zxid), "cluster_id", cluster, "time_ms",
        (json_int_t) info->time_ms, "znodes", (json_int_t) info->znodes, "ephemerals",
        (json_int_t) info->ephemerals, "sessions", (json_int_t) info->sessions, "bytes",
        (json_int_t) info->size, "digest", output_id (info->digest, digest));
    if (object != NULL && info->ephemerals == BACKUP_UNKNOWN) {
        json_object_del (object, "ephemerals");
    }
    if (object != NULL && info->file_size > 0) {
        json_object_set_new (object, "file_bytes", json_integer ((json_int_t) info->file_size));
    }
    return emit_value (format, object);
}

static int print_info (const struct backup_info *info, enum format format)
{
    if (format != FORMAT_TEXT) {
        return print_json (info, format);
    }
    print_text (info);
    return CLI_EXIT_OK;
}

/* ---- Restoring --------------------------------------------------------------------------- */

static bool parse_cluster (const char *text, uint8_t id[16])
{
    uint8_t any = 0;
    size_t size = strlen (text);
    for (size_t i = 0; i < 16 && size == 32; i++) {
        unsigned byte = 0;
        if (!isxdigit ((unsigned char) text[2 * i]) ||
            !isxdigit ((unsigned char) text[2 * i + 1]) ||
            sscanf (text + 2 * i, "%2x", &byte) != 1) {
            size = 0;
        }
        id[i] = (uint8_t) byte;
        any |= id[i];
    }
    if (size != 32 || any == 0) {
        message ("--cluster-id '%s' is not 32 hexadecimal digits", text);
        return false;
    }
    return true;
}

static bool draw_cluster (uint8_t id[16])
{
    FILE *file = fopen ("/dev/urandom", "rb");
    bool ok = file != NULL && fread (id, 1, 16, file) == 16;
    if (file != NULL) {
        fclose (file);
    }
    if (!ok) {
        message ("no random numbers to be had: name a --cluster-id");
    }
    return ok;
}

struct plan {
    struct backup_restore options;
    bool listed; /* the members are all named: a folder is of one of them */
};

/* Adds a member in the order of ids, or finds it. BACKUP_SERVERS_MAX: there are too many. */
static size_t member_of (struct backup_restore *options, uint32_t id)
{
    size_t at = options->members_count;
    for (size_t i = 0; i < options->members_count; i++) {
        if (options->members[i].id == id) {
            return i;
        }
    }
    if (at == BACKUP_SERVERS_MAX) {
        return at;
    }
    while (at > 0 && options->members[at - 1].id > id) {
        options->members[at] = options->members[at - 1];
        at--;
    }
    options->members_count++;
    memset (&options->members[at], 0, sizeof options->members[at]);
    options->members[at].id = id;
    return at;
}

static bool wrong_item (const char *flag, const char *item, const char *want)
{
    message ("--%s: '%s' is not %s", flag, item, want);
    return false;
}

static bool is_member (const struct backup_restore *options, int64_t id)
{
    for (size_t i = 0; i < options->members_count; i++) {
        if (options->members[i].id == id) {
            return true;
        }
    }
    return false;
}

/* "DIR" or "ID=DIR"; without an id it is the place in the list. */
static bool add_folder (struct plan *plan, char *item, int64_t place)
{
    struct backup_restore *options = &plan->options;
    char *equals = strchr (item, '=');
    int64_t id = place;
    if (equals != NULL) {
        *equals = '\0';
        if (!arguments_parse_number (item, 1, INT32_MAX, &id)) {
            return wrong_item ("data-dir", item, "the id of a server");
        }
        item = equals + 1;
    }
    if (plan->listed && !is_member (options, id)) {
        message ("--data-dir: server %" PRId64 " is not in --members, which names all servers of "
                 "the new ensemble",
                 id);
        return false;
    }
    size_t at = member_of (options, (uint32_t) id);
    if (*item == '\0' || at == BACKUP_SERVERS_MAX || options->members[at].folder != NULL) {
        return wrong_item ("data-dir", item, "a folder of a server of its own");
    }
    options->members[at].folder = item;
    return true;
}

/* "ID" or "ID:observer". */
static bool add_member (struct plan *plan, char *item, int64_t place)
{
    struct backup_restore *options = &plan->options;
    (void) place;
    char *colon = strchr (item, ':');
    int64_t id = 0;
    bool observer = colon != NULL && strcmp (colon, ":observer") == 0;
    if (observer) {
        *colon = '\0';
    }
    if (!arguments_parse_number (item, 1, INT32_MAX, &id)) {
        return wrong_item ("members", item, "ID or ID:observer");
    }
    if (is_member (options, id)) {
        return wrong_item ("members", item, "a server of its own: it is named twice");
    }
    plan->listed = true;
    size_t at = member_of (options, (uint32_t) id);
    if (at == BACKUP_SERVERS_MAX) {
        return wrong_item ("members", item, "one of few enough");
    }
    options->members[at].observer = observer;
    return true;
}

typedef bool item_fn (struct plan *plan, char *item, int64_t place);

/* The list is cut in place, and must outlive the plan. */
static bool each_item (struct plan *plan, char *list, item_fn *fn)
{
    int64_t place = 1;
    for (char *item = list; item != NULL; place++) {
        char *comma = strchr (item, ',');
        if (comma != NULL) {
            *comma++ = '\0';
        }
        if (!fn (plan, item, place)) {
            return false;
        }
        item = comma;
    }
    return true;
}

static bool copy_list (const char *text, char list[LIST_SIZE])
{
    size_t size = strlen (text);
    if (size >= LIST_SIZE) {
        message ("a list longer than %d bytes", LIST_SIZE - 1);
        return false;
    }
    memcpy (list, text, size + 1);
    return true;
}

static int restore (const struct arguments *arguments, enum format format)
{
    static char folders[LIST_SIZE], members[LIST_SIZE];
    static struct plan plan;
    struct backup_restore *options = &plan.options;
    struct backup_info info;
    char error[512], cluster[CLUSTER_TEXT];
    int64_t skipped = 0;
    const char *id = arguments_value (arguments, FLAG_CLUSTER_ID);
    const char *list = arguments_value (arguments, FLAG_DATA_DIR);
    const char *all = arguments_value (arguments, FLAG_MEMBERS);
    options->file = arguments->operands[1];
    if (list == NULL) {
        message ("restore needs --data-dir DIR[,DIR...], one for each server to be made here");
        return CLI_EXIT_USAGE;
    }
    if (!arguments_number (arguments, FLAG_SKIP_EPOCHS, 0, ZXID_EPOCH_MAX, BACKUP_EPOCHS_SKIPPED,
                           &skipped) ||
        (all != NULL && (!copy_list (all, members) || !each_item (&plan, members, add_member))) ||
        !copy_list (list, folders) || !each_item (&plan, folders, add_folder) ||
        !(id != NULL ? parse_cluster (id, options->cluster_id)
                     : draw_cluster (options->cluster_id))) {
        return CLI_EXIT_USAGE;
    }
    options->epochs_skipped = (uint32_t) skipped;
    if (backup_restore (options, &info, error, sizeof error) != 0) {
        message ("%s", error);
        return CLI_EXIT_FAILED;
    }
    cluster_text (options->cluster_id, cluster);
    int code = print_info (&info, format);
    if (format == FORMAT_TEXT) {
        message ("restored; on other machines name --cluster-id %s and all --members", cluster);
    }
    return code;
}

static int status (const struct arguments *arguments, enum format format)
{
    struct backup_info info;
    char error[512];
    if (backup_check (arguments->operands[1], &info, error, sizeof error) != 0) {
        message ("%s", error);
        return CLI_EXIT_FAILED;
    }
    return print_info (&info, format);
}

static int save (const struct arguments *arguments, enum format format)
{
    struct backup_info info;
    int code = snapshot_save (&arguments->settings, arguments->operands[1], &info);
    return code == CLI_EXIT_OK ? print_info (&info, format) : code;
}

int cmd_snapshot (const struct arguments *arguments)
{
    enum format format = arguments->settings.format;
    if (strcmp (arguments->operands[0], "status") == 0) {
        return status (arguments, format);
    }
    if (strcmp (arguments->operands[0], "restore") == 0) {
        return restore (arguments, format);
    }
    if (strcmp (arguments->operands[0], "save") == 0) {
        return save (arguments, format);
    }
    message ("snapshot knows save, status and restore, not '%s'", arguments->operands[0]);
    return CLI_EXIT_USAGE;
}

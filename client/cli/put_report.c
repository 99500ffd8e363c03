#include "client/cli/put_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "client/cli/emit.h"
#include "client/cli/exit_code.h"

bool put_existing (const struct arguments *arguments, enum put_existing *existing)
{
    bool keep = arguments_has (arguments, FLAG_IF_ABSENT);
    bool replace = arguments_has (arguments, FLAG_OVERWRITE);
    *existing = keep ? PUT_KEEP : replace ? PUT_REPLACE : PUT_FAIL;
    if (keep && replace) {
        message ("%s: --if-absent and --overwrite exclude each other", arguments->command->name);
    }
    return !(keep && replace);
}

int put_report (const struct put *put, const struct arguments *arguments, uint64_t skipped)
{
    const char *what = arguments->command->name;
    enum format format = arguments->settings.format;
    if (skipped > 0) {
        message ("%s: %" PRIu64 " ephemeral znodes were left out: their sessions own them", what,
                 skipped);
    }
    if (format != FORMAT_TEXT) {
        return emit_value (format,
                           json_pack ("{s:I, s:I, s:I, s:I}", "created", (json_int_t) put->created,
                                      "replaced", (json_int_t) put->replaced, "kept",
                                      (json_int_t) put->kept, "ephemerals_left_out",
                                      (json_int_t) skipped));
    }
    message ("%s: %" PRIu64 " created, %" PRIu64 " replaced, %" PRIu64 " kept", what, put->created,
             put->replaced, put->kept);
    return CLI_EXIT_OK;
}

int put_report_error (struct session *session, const struct put *put,
                      const struct arguments *arguments)
{
    const char *what = arguments->command->name;
    int code = session_result (session, ACTIVITY_CREATE, put->path, put->rc);
    if (put->rc == COHORT_EINVALIDACL || put->rc == COHORT_ENOAUTH) {
        message (
            "%s: %s", what,
            arguments_has (arguments, FLAG_ACL)
                ? "--acl takes ADMIN on all that is copied (without it the hashes in lists are "
                  "hidden), and on what is made: be an administrator (--auth), or leave it out"
                : "see who may do what there with: cohort getAcl PATH");
    }
    char line[32] = "";
    if (put->mark > 0) {
        snprintf (line, sizeof line, " at line %" PRIu64, put->mark);
    }
    message ("%s: stopped%s after %" PRIu64 " znodes, which stay; to go on, repeat it with "
             "--if-absent or --overwrite",
             what, line, put->created + put->replaced + put->kept);
    return code;
}

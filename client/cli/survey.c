/* survey.c: see survey.h. */

#include "client/cli/survey.h"

#include "client/cli/exit_code.h"
#include "client/cli/session.h"

int survey_run (const struct arguments *arguments, const struct survey *survey)
{
    const char *path =
        arguments->operand_count > survey->operand ? arguments->operands[survey->operand] : "/";
    enum format format = arguments->settings.format;
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    if (format != FORMAT_TEXT) {
        emit_begin (survey->emit, format);
    }
    int rc =
        tour_run (session.client, path, survey->flags, survey->enter, survey->leave, survey->arg);
    if (format != FORMAT_TEXT && rc == COHORT_OK) {
        emit_end (survey->emit);
    } else if (format != FORMAT_TEXT) {
        emit_cut (survey->emit);
    }
    code = session_result (&session, ACTIVITY_READ, path, rc);
    session_close (&session);
    return code;
}

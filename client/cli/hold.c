#include "client/cli/hold.h"

#include "client/cli/exit_code.h"
#include "client/cli/interrupt.h"

static void on_state (cohort_t *client, cohort_state_t state, void *arg)
{
    (void) client;
    bool *lost = arg;
    if (state == COHORT_SUSPENDED) {
        message ("no server at the moment: waiting");
    }
    *lost = *lost || state == COHORT_LOST;
}

int hold_session (struct session *session, const char *what)
{
    bool lost = false;
    cohort_set_state_handler (session->client, on_state, &lost);
    message ("holding %s until SIGINT or SIGTERM", what);
    while (!lost && interrupt_run (session->client)) {
    }
    if (lost) {
        message ("%s: %s, and with it its ephemerals", what,
                 cohort_error_text (COHORT_ESESSIONEXPIRED));
        return CLI_EXIT_NO_CONNECTION;
    }
    return CLI_EXIT_OK;
}

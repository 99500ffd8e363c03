/* gap: one session writes one at a time for TOTAL seconds; the longest time without an
 * acknowledged write, also one that lasts to the end. Somebody else kills the leader meanwhile. */

#include <poll.h>

#include "client/cli/bench.h"
#include "client/cli/bench_report.h"
#include "client/cli/clock.h"
#include "client/cli/exit_code.h"
#include "client/cli/progress.h"
#include "client/cli/session.h"

#define GAP_PATH "/gap"

int bench_gap (const struct bench_plan *plan)
{
    cohort_options_t options = {.size = sizeof options, .timeout_ms = BENCH_SESSION_TIMEOUT_MS};
    struct session session;
    int code = session_open (&session, &plan->settings, &options);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    /* A write that is never answered ends not much later than the whole. */
    int64_t silence_ms = plan->total * INT64_C (1000);
    cohort_set_time_limit (session.client,
                           silence_ms < BENCH_SILENCE_MS ? (int) silence_ms : BENCH_SILENCE_MS);
    int rc = cohort_create (session.client, GAP_PATH, "", 0, COHORT_PERSISTENT, NULL, NULL, NULL);
    if (rc != COHORT_ENODEEXISTS) {
        code = session_result (&session, ACTIVITY_CREATE, GAP_PATH, rc);
    }
    if (code != CLI_EXIT_OK) {
        session_close (&session);
        return code;
    }
    struct progress progress;
    progress_init (&progress, plan->workload, (uint64_t) plan->total);
    int acknowledged = 0, errors = 0;
    int64_t start = clock_ns (), last = start, longest = 0;
    int64_t end = start + (int64_t) plan->total * INT64_C (1000000000);
    for (int64_t now = start; now < end; now = clock_ns ()) {
        if (cohort_set (session.client, GAP_PATH, "x", 1, COHORT_ANY_VERSION, NULL) == COHORT_OK) {
            now = clock_ns ();
            longest = now - last > longest ? now - last : longest;
            last = now;
            acknowledged++;
        } else {
            errors++;
            poll (NULL, 0, 1);
        }
        progress_show (&progress, (uint64_t) (now - start) / 1000000000);
    }
    progress_end (&progress);
    session_close (&session);
    longest = end - last > longest ? end - last : longest;
    return bench_report_gap (stdout, plan, acknowledged, errors, longest);
}

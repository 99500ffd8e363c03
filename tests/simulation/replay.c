/* A run on paper: see replay.h. */

#include "tests/simulation/replay.h"

#include <inttypes.h>
#include <string.h>

#include "commit.h"

enum { LINE_SIZE = 256, NAME_SIZE = 32 };

void replay_write (FILE *file, const struct sim_options *options, const struct fault_list *faults)
{
    fprintf (file,
             "# A run of cohort-sim, of commit %s.\n"
             "seed %" PRIu64 "\nservers %zu\nclients %zu\nticks %" PRId64 "\nliveness %" PRId64
             "\nrequests %" PRIu64 "\n",
             COHORT_COMMIT, options->seed, options->servers, options->clients, options->safety_ms,
             options->liveness_ms, options->requests_max);
    if (options->observers != SIM_OBSERVERS_DRAWN) {
        fprintf (file, "observers %zu\n", options->observers);
    }
    for (size_t i = 0; i < faults->count; i++) {
        const struct sim_fault *fault = &faults->items[i];
        fprintf (file,
                 "fault %s at %" PRId64 " a %" PRIu32 " b %" PRIu32 " nth %" PRIu64
                 " length %" PRId64 " value %" PRIu64 "\n",
                 fault_name (fault->kind), fault->at_ms, fault->a, fault->b, fault->nth,
                 fault->length_ms, fault->value);
    }
}

static bool read_fault (const char *line, struct fault_list *faults)
{
    struct sim_fault fault;
    char name[NAME_SIZE];
    int end = 0;
    int count = sscanf (line,
                        "fault %31s at %" SCNd64 " a %" SCNu32 " b %" SCNu32 " nth %" SCNu64
                        " length %" SCNd64 " value %" SCNu64 " %n",
                        name, &fault.at_ms, &fault.a, &fault.b, &fault.nth, &fault.length_ms,
                        &fault.value, &end);
    if (count != 7 || line[end] != '\0' || fault.at_ms < 0 || fault.length_ms < 0 ||
        !fault_find_kind (name, strlen (name), &fault.kind)) {
        return false;
    }
    fault_list_add (faults, &fault);
    return true;
}

static bool read_number (const char *line, const char *name, uint64_t min, uint64_t max,
                         uint64_t *number)
{
    char found[NAME_SIZE];
    uint64_t value;
    int end = 0;
    if (sscanf (line, "%31s %" SCNu64 " %n", found, &value, &end) != 2 || line[end] != '\0' ||
        strcmp (found, name) != 0 || value < min || value > max) {
        return false;
    }
    *number = value;
    return true;
}

static bool read_option (const char *line, struct sim_options *options)
{
    uint64_t number;
    if (read_number (line, "seed", 0, UINT64_MAX, &options->seed) ||
        read_number (line, "requests", 0, UINT64_MAX, &options->requests_max)) {
        return true;
    }
    if (read_number (line, "servers", 1, SIM_SERVERS_MAX, &number)) {
        options->servers = (size_t) number;
        return true;
    }
    if (read_number (line, "observers", 0, SIM_SERVERS_MAX - 1, &number)) {
        options->observers = (size_t) number;
        return true;
    }
    if (read_number (line, "clients", 1, SIM_CLIENTS_MAX, &number)) {
        options->clients = (size_t) number;
        return true;
    }
    if (read_number (line, "ticks", 1, SIM_MS_MAX, &number)) {
        options->safety_ms = (int64_t) number;
        return true;
    }
    if (read_number (line, "liveness", 1, SIM_MS_MAX, &number)) {
        options->liveness_ms = (int64_t) number;
        return true;
    }
    return false;
}

bool replay_read (FILE *file, struct sim_options *options, struct fault_list *faults,
                  char error[REPLAY_ERROR_SIZE])
{
    char line[LINE_SIZE];
    for (unsigned number = 1; fgets (line, sizeof line, file) != NULL; number++) {
        line[strcspn (line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0') {
            continue;
        }
        if (!read_fault (line, faults) && !read_option (line, options)) {
            (void) snprintf (error, REPLAY_ERROR_SIZE, "line %u is malformed: %.100s", number,
                             line);
            return false;
        }
    }
    if (ferror (file)) {
        (void) snprintf (error, REPLAY_ERROR_SIZE, "cannot be read");
        return false;
    }
    return true;
}

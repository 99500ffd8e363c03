/* set, get, mix, watch, create, delete, fill: TOTAL operations over all sessions, each session
 * keeping WINDOW of them in flight, or with --rate beginning them when they are due. */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/bench.h"
#include "client/cli/bench_report.h"
#include "client/cli/clock.h"
#include "client/cli/exit_code.h"
#include "client/cli/fleet.h"
#include "client/cli/message.h"
#include "client/cli/progress.h"

#define LOAD_CHILDREN 1000 /* of each parent that fill makes */

enum operation {
    OPERATION_SET,
    OPERATION_GET,
    OPERATION_MIX,
    OPERATION_WATCH,
    OPERATION_CREATE,
    OPERATION_DELETE,
    OPERATION_FILL
};

struct load {
    const struct bench_plan *plan;
    enum operation operation;
    int per_session;
    int64_t start_ns;
    char *path; /* the folder, and behind it the name of the znode at hand */
    char *name; /* where that begins                                       */
    struct lane *lanes;
    int64_t *starts_ns; /* window for each lane */
    struct bench_result result;
    uint64_t released; /* operations that may begin: all of them, or with a rate those due */
    uint64_t done;
};

/* What one session does. Answers come in the order of the requests, so that the times at which
 * these left, or were to leave, are a ring. */
struct lane {
    struct load *load;
    cohort_t *client;
    int id;
    int released; /* operations that may begin                             */
    int sent;     /* operations begun, those that were refused at once too */
    int issued;   /* requests under way or answered                        */
    int answered; /* requests answered                                     */
    int key;      /* of the next operation that has one                    */
    int newest;   /* where in the ring the next request's time goes,       */
    int oldest;   /* and where that of the next answer stands              */
    int64_t *starts_ns;
};

static enum operation operation_of (const char *workload)
{
    static const char *const names[] = {"set", "get", "mix", "watch", "create", "delete", "fill"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp (names[i], workload) == 0) {
            return (enum operation) i;
        }
    }
    assert (false);
    return OPERATION_GET;
}

static void lane_go_on (struct lane *self, int64_t now_ns);

static void lane_done (struct lane *self, int64_t latency_ns, bool failed)
{
    histogram_record (self->load->result.latencies, latency_ns);
    self->load->result.errors += failed;
    self->load->done++;
}

/* Around a ring of `size`. */
static int step (int position, int size)
{
    return position + 1 < size ? position + 1 : 0;
}

static void on_result (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    struct lane *self = arg;
    assert (self->answered < self->issued);
    self->answered++;
    int64_t start = self->starts_ns[self->oldest];
    self->oldest = step (self->oldest, self->load->plan->window);
    /* One look at the clock an operation: the next one begins as this one ends. */
    int64_t now = clock_ns ();
    lane_done (self, now - start, result->rc != COHORT_OK);
    lane_go_on (self, now);
}

static void on_event (cohort_t *client, const cohort_event_t *event, void *arg)
{
    (void) client;
    struct lane *self = arg;
    self->load->result.events += event->type == COHORT_EVENT_CHANGED;
}

static int request_fill (struct lane *self, int i)
{
    const struct load *load = self->load;
    if (i % LOAD_CHILDREN == 0) {
        snprintf (load->name, BENCH_NAME_MAX, "/f%d-%d", self->id, i / LOAD_CHILDREN);
        int rc = cohort_create_async (self->client, load->path, "", 0, COHORT_PERSISTENT, NULL,
                                      NULL, NULL);
        if (rc != COHORT_OK) {
            return rc;
        }
    }
    snprintf (load->name, BENCH_NAME_MAX, "/f%d-%d/n%d", self->id, i / LOAD_CHILDREN,
              i % LOAD_CHILDREN);
    return cohort_create_async (self->client, load->path, load->plan->data,
                                (size_t) load->plan->size, COHORT_PERSISTENT, NULL, on_result,
                                self);
}

/* "/k" and the number, by hand: this is done for every operation. */
static void name_key (const struct load *load, int number)
{
    char digits[12];
    int count = 0;
    do {
        digits[count++] = (char) ('0' + number % 10);
        number /= 10;
    } while (number > 0);
    char *end = load->name;
    *end++ = '/';
    *end++ = 'k';
    while (count > 0) {
        *end++ = digits[--count];
    }
    *end = 0;
}

/* Begins operation number i of this session. */
static int request (struct lane *self, int i)
{
    const struct load *load = self->load;
    const char *path = load->path, *data = load->plan->data;
    size_t size = (size_t) load->plan->size;
    bool write = load->operation == OPERATION_SET;
    switch (load->operation) {
    case OPERATION_CREATE:
        snprintf (load->name, BENCH_NAME_MAX, "/s%d/n%d", self->id, i);
        return cohort_create_async (self->client, path, data, size, COHORT_PERSISTENT, NULL,
                                    on_result, self);
    case OPERATION_DELETE:
        snprintf (load->name, BENCH_NAME_MAX, "/s%d/n%d", self->id, i);
        return cohort_delete_async (self->client, path, COHORT_ANY_VERSION, on_result, self);
    case OPERATION_FILL:
        return request_fill (self, i);
    case OPERATION_MIX:
    case OPERATION_WATCH:
        write = i % 10 == 0;
        break;
    case OPERATION_SET:
    case OPERATION_GET:
        break;
    }
    name_key (load, self->key);
    self->key = step (self->key, load->plan->keys);
    if (write) {
        return cohort_set_async (self->client, path, data, size, COHORT_ANY_VERSION, on_result,
                                 self);
    }
    cohort_watch_fn *watch = load->operation == OPERATION_WATCH ? on_event : NULL;
    return cohort_get_async (self->client, path, watch, self, on_result, self);
}

/* With a rate the operations take turns at the sessions: when number i of this one is due. */
static int64_t due_ns (const struct load *load, uint64_t number)
{
    uint64_t rate = (uint64_t) load->plan->rate;
    return load->start_ns +
           (int64_t) (number / rate * 1000000000 + number % rate * 1000000000 / rate);
}

/* Fills the window with what may begin. */
static void lane_go_on (struct lane *self, int64_t now_ns)
{
    const struct load *load = self->load;
    int window = load->plan->window;
    while (self->sent < self->released && self->issued - self->answered < window) {
        int64_t start = now_ns;
        if (load->plan->rate > 0) {
            uint64_t sessions = (uint64_t) load->plan->sessions;
            start = due_ns (load, (uint64_t) self->sent * sessions + (uint64_t) self->id);
        }
        self->starts_ns[self->newest] = start;
        if (request (self, self->sent) == COHORT_OK) {
            self->issued++;
            self->newest = step (self->newest, window);
        } else {
            lane_done (self, clock_ns () - start, true);
        }
        self->sent++;
    }
}

static void load_deinit (struct load *self)
{
    free (self->path);
    free (self->lanes);
    free (self->starts_ns);
    free (self->result.latencies);
}

static bool load_init (struct load *self, const struct bench_plan *plan, const struct fleet *fleet)
{
    size_t sessions = (size_t) plan->sessions, window = (size_t) plan->window;
    size_t length = strlen (plan->folder);
    *self = (struct load){
        .plan = plan,
        .operation = operation_of (plan->workload),
        .per_session = plan->total / plan->sessions,
        .path = malloc (length + BENCH_NAME_MAX),
        .lanes = calloc (sessions, sizeof *self->lanes),
        .starts_ns = calloc (sessions * window, sizeof *self->starts_ns),
        .result = {.latencies = histogram_new (), .events = BENCH_NO_EVENTS},
    };
    if (self->path == NULL || self->lanes == NULL || self->starts_ns == NULL ||
        self->result.latencies == NULL) {
        load_deinit (self);
        return false;
    }
    if (self->operation == OPERATION_WATCH) {
        self->result.events = 0;
    }
    memcpy (self->path, plan->folder, length + 1);
    self->name = self->path + length;
    for (size_t i = 0; i < sessions; i++) {
        self->lanes[i] = (struct lane){
            .load = self,
            .client = fleet->clients[i],
            .id = (int) i,
            .key = (int) ((int64_t) i * 7919 % plan->keys),
            .starts_ns = self->starts_ns + i * window,
        };
    }
    return true;
}

/* Everything at once: whoever has room in its window begins. */
static bool run_closed (struct load *self, struct fleet *fleet, uint64_t total,
                        struct progress *progress)
{
    for (int i = 0; i < self->plan->sessions; i++) {
        self->lanes[i].released = self->per_session;
        lane_go_on (&self->lanes[i], clock_ns ());
    }
    bool alive = true;
    while (alive && self->done < total) {
        alive = fleet_turn (fleet);
        progress_show (progress, self->done);
    }
    return alive;
}

/* Operations begin when they are due, or as soon as this program, and the window, let them. */
static bool run_open (struct load *self, struct fleet *fleet, uint64_t total,
                      struct progress *progress)
{
    uint64_t sessions = (uint64_t) self->plan->sessions;
    bool alive = true;
    while (alive && self->done < total) {
        int64_t now = clock_ns ();
        while (self->released < total && due_ns (self, self->released) <= now) {
            struct lane *lane = &self->lanes[self->released++ % sessions];
            lane->released++;
            lane_go_on (lane, now);
        }
        alive = self->released < total ? fleet_await (fleet, due_ns (self, self->released))
                                       : self->done == total || fleet_turn (fleet);
        progress_show (progress, self->done);
    }
    return alive;
}

static int load_run (struct load *self, struct fleet *fleet)
{
    uint64_t total = (uint64_t) self->per_session * (uint64_t) self->plan->sessions;
    struct progress progress;
    progress_init (&progress, self->plan->workload, total);
    self->start_ns = clock_ns ();
    bool alive = self->plan->rate > 0 ? run_open (self, fleet, total, &progress)
                                      : run_closed (self, fleet, total, &progress);
    self->result.seconds = (double) (clock_ns () - self->start_ns) / 1e9;
    progress_end (&progress);
    return alive ? bench_report (stdout, self->plan, &self->result) : CLI_EXIT_TIMED_OUT;
}

int bench_load (const struct bench_plan *plan)
{
    struct fleet fleet;
    int driver = plan->sessions <= FLEET_POLLED_MAX ? COHORT_DRIVER_NONE : COHORT_DRIVER_THREAD;
    int code = fleet_open (&fleet, plan, driver);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    struct load load;
    if (load_init (&load, plan, &fleet)) {
        code = load_run (&load, &fleet);
        /* The sessions go first: when the run was given up, answers may still come. */
        fleet_close (&fleet);
        load_deinit (&load);
    } else {
        message ("out of memory");
        code = CLI_EXIT_FAILED;
        fleet_close (&fleet);
    }
    return code;
}

/* cp. */

#include <string.h>

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/cli/message.h"
#include "client/cli/paths.h"
#include "client/cli/progress.h"
#include "client/cli/put_report.h"
#include "client/cli/session.h"
#include "client/cli/tour.h"

struct copy {
    const char *source;
    const char *target;
    bool recursive;
    bool acls; /* the lists, too */
    uint64_t source_czxid;
    uint64_t skipped; /* ephemerals */
    struct put put;
    struct progress progress;
};

static int on_source (const struct tour_node *node, void *arg)
{
    struct copy *self = arg;
    self->source_czxid = node->depth == 0 ? node->stat->czxid : self->source_czxid;
    if (paths_left_out (self->source, self->source_czxid, node->path)) {
        return TOUR_SKIP;
    }
    if (node->stat->ephemeral_owner != 0) {
        self->skipped++;
        return COHORT_OK;
    }
    char path[PATHS_SIZE];
    if (!paths_join (path, sizeof path, self->target, paths_below (self->source, node->path))) {
        return COHORT_ETOOBIG;
    }
    put_znode (&self->put, &(struct put_order){.path = path,
                                               .data = node->data,
                                               .size = node->size,
                                               .mode = (int) node->stat->mode & COHORT_CONTAINER,
                                               .ttl_ms = node->stat->ttl_ms,
                                               .acls_path = self->acls ? node->path : NULL});
    progress_show (&self->progress, self->put.created + self->put.replaced + self->put.kept);
    if (self->put.rc != COHORT_OK) {
        return self->put.rc;
    }
    return self->recursive ? COHORT_OK : TOUR_SKIP;
}

static int copy (struct session *session, struct copy *self, const struct arguments *arguments)
{
    progress_init (&self->progress, "cp", 0);
    int rc = tour_run (session->client, self->source, TOUR_DATA, on_source, NULL, self);
    if (rc == COHORT_OK) {
        rc = put_finish (&self->put);
    }
    progress_end (&self->progress);
    if (self->put.rc != COHORT_OK) {
        return put_report_error (session, &self->put, arguments);
    }
    return rc == COHORT_OK ? put_report (&self->put, arguments, self->skipped)
                           : session_result (session, ACTIVITY_READ, self->source, rc);
}

int cmd_cp (const struct arguments *arguments)
{
    struct copy self = {.source = arguments->operands[0],
                        .target = arguments->operands[1],
                        .recursive = arguments_has (arguments, 'R'),
                        .acls = arguments_has (arguments, FLAG_ACL)};
    enum put_existing existing;
    if (!put_existing (arguments, &existing)) {
        return CLI_EXIT_USAGE;
    }
    if (paths_below (self.source, self.target) != NULL &&
        (self.recursive || strcmp (self.source, self.target) == 0)) {
        message ("cp: %s lies in %s", self.target, self.source);
        return CLI_EXIT_USAGE;
    }
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code == CLI_EXIT_OK) {
        put_init (&self.put, &session, existing);
        self.put.acls_client = session.client;
        code = copy (&session, &self, arguments);
        session_close (&session);
        put_deinit (&self.put);
    }
    return code;
}

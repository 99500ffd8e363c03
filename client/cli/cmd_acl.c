/* getAcl, setAcl: the access control lists of znodes. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/acl_text.h"
#include "client/cli/arguments.h"
#include "client/cli/emit.h"
#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "client/cli/tour.h"
#include "client/cli/volley.h"

#define SET_WINDOW 1000
/* Instead of a list: there shall be no default any more. */
#define NO_DEFAULT "none"

/* ---- getAcl ------------------------------------------------------------------------------ */

struct question {
    const char *path;
    bool inherited;
    cohort_acl_t *acl;
    cohort_stat_t stat;
};

static int call_get_acl (cohort_t *client, void *arg)
{
    struct question *self = arg;
    return self->inherited ? cohort_get_default_acl (client, self->path, &self->acl, &self->stat)
                           : cohort_get_acl (client, self->path, &self->acl, &self->stat);
}

int cmd_get_acl (const struct arguments *arguments)
{
    struct question self = {.path = arguments->operands[0],
                            .inherited = arguments_has (arguments, FLAG_DEFAULT)};
    enum format format = arguments->settings.format;
    int code = session_call (&arguments->settings, ACTIVITY_READ, self.path, call_get_acl, &self);
    if (code == CLI_EXIT_OK && format != FORMAT_TEXT) {
        code = emit_value (format,
                           json_pack ("{s:s, s:o, s:o}", "path", self.path, "acl",
                                      acl_json (self.acl), "stat", output_json_stat (&self.stat)));
    } else if (code == CLI_EXIT_OK) {
        arguments_has (arguments, FLAG_ONE_LINE) ? acl_print_line (self.acl) : acl_print (self.acl);
        if (arguments_has (arguments, 's')) {
            output_stat (stdout, &self.stat);
        }
    }
    cohort_acl_destroy (&self.acl);
    return code;
}

/* ---- setAcl ------------------------------------------------------------------------------ */

struct change {
    struct session *session;
    const cohort_acl_t *acl; /* NULL: no default */
    bool inherited;
    int32_t aversion;
    struct volley *below; /* what is done with the znodes below it */
    int64_t set;
};

/* Waits until at most `flying` requests have no answer; the first error there was. */
static int drain (struct change *self, size_t flying)
{
    int rc = volley_drain (self->below, flying);
    return rc == COHORT_OK ? self->below->rc : rc;
}

static int on_enter (const struct tour_node *node, void *arg)
{
    (void) node;
    (void) arg;
    return COHORT_OK;
}

/* What lies below comes first: the list may take from us what we need to see it. */
static int on_leave (const struct tour_node *node, void *arg)
{
    struct change *self = arg;
    if (node->depth == 0) {
        return COHORT_OK;
    }
    int rc = drain (self, SET_WINDOW - 1);
    if (rc == COHORT_OK) {
        rc = volley_asked (self->below,
                           cohort_set_acl_async (self->session->client, node->path, self->acl,
                                                 self->aversion, volley_answered, self->below));
    }
    return rc;
}

static int set_below (struct change *self, const char *path)
{
    self->below = volley_new (self->session);
    if (self->below == NULL) {
        return session_result (self->session, ACTIVITY_SET_ACL, path, COHORT_ENOMEM);
    }
    int rc = tour_run (self->session->client, path, 0, on_enter, on_leave, self);
    int drained = drain (self, 0);
    const struct volley *below = self->below;
    int code;
    self->set = below->done;
    if (below->rc != COHORT_OK) {
        code = session_result (self->session, ACTIVITY_SET_ACL, below->path, below->rc);
        message ("setAcl: %" PRId64 " znodes below %s were set, the others were not", self->set,
                 path);
    } else {
        code = session_result (self->session, ACTIVITY_READ, path, rc == COHORT_OK ? drained : rc);
    }
    volley_end (&self->below);
    return code;
}

static int set (struct change *self, const struct arguments *arguments, cohort_stat_t *stat)
{
    const char *path = arguments->operands[0];
    cohort_t *client = self->session->client;
    if (arguments_has (arguments, 'R')) {
        int code = set_below (self, path);
        if (code != CLI_EXIT_OK) {
            return code;
        }
    }
    int rc = self->inherited
                 ? cohort_set_default_acl (client, path, self->acl, self->aversion, stat)
                 : cohort_set_acl (client, path, self->acl, self->aversion, stat);
    self->set += rc == COHORT_OK;
    return session_result (self->session, ACTIVITY_SET_ACL, path, rc);
}

static int report (const struct change *self, const struct arguments *arguments,
                   const cohort_stat_t *stat)
{
    enum format format = arguments->settings.format;
    if (format != FORMAT_TEXT) {
        return emit_value (format,
                           json_pack ("{s:s, s:I, s:o}", "path", arguments->operands[0], "set",
                                      (json_int_t) self->set, "stat", output_json_stat (stat)));
    }
    if (arguments_has (arguments, 's')) {
        output_stat (stdout, stat);
    }
    return CLI_EXIT_OK;
}

int cmd_set_acl (const struct arguments *arguments)
{
    int64_t aversion = COHORT_ANY_VERSION;
    bool inherited = arguments_has (arguments, FLAG_DEFAULT);
    if (!arguments_number (arguments, 'v', COHORT_ANY_VERSION, INT32_MAX, COHORT_ANY_VERSION,
                           &aversion)) {
        return CLI_EXIT_USAGE;
    }
    if (inherited && arguments_has (arguments, 'R')) {
        message ("setAcl: -R and --default exclude each other: a default holds for all below");
        return CLI_EXIT_USAGE;
    }
    cohort_acl_t *acl = NULL;
    bool none = inherited && strcmp (arguments->operands[1], NO_DEFAULT) == 0;
    if (!none && !acl_read (&acl, "setAcl", arguments->operands[1])) {
        return CLI_EXIT_USAGE;
    }
    struct session session;
    int code = session_open (&session, &arguments->settings, NULL);
    if (code == CLI_EXIT_OK) {
        struct change change = {.session = &session,
                                .acl = acl,
                                .inherited = inherited,
                                .aversion = (int32_t) aversion};
        cohort_stat_t stat = {0};
        code = set (&change, arguments, &stat);
        session_close (&session);
        code = code == CLI_EXIT_OK ? report (&change, arguments, &stat) : code;
    }
    cohort_acl_destroy (&acl);
    return code;
}

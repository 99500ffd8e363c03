/* Ephemerals that change their owner. May include: client, handle, state_file, libc, POSIX files.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/hand_over.h"
#include "client/base/sha256.h"
#include "client/src/client.h"
#include "client/src/requests.h"
#include "client/src/state_file.h"

/* How long to wait at once for the moment from which on nobody else counts on a session. */
#define VALID_WAIT_MS 20

_Static_assert((int) COHORT_TOKEN_SIZE == (int) HAND_OVER_TOKEN_SIZE, "it is that token");
_Static_assert(WIRE_ID_SIZE == 16, "passwords are of 128 bits");

int cohort_hand_over_token (cohort_t *self, uint64_t from, uint8_t token[COHORT_TOKEN_SIZE])
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    struct published view;
    mailbox_view (&self->mailbox, &view);
    if (token == NULL || from == 0 || from == view.id) {
        return client_fail (self, COHORT_EINVAL, "hand_over_token: %s",
                            token == NULL ? "token is NULL"
                            : from == 0   ? "from is 0, which is no session"
                                          : "from is this session itself");
    }
    if (view.id == 0) {
        return client_fail (self, COHORT_ESTATE, "hand_over_token: there is no session yet: %s",
                            "call cohort_wait first");
    }
    uint8_t whole[SHA256_SIZE];
    sha256 (view.password, sizeof (view.password), whole);
    hand_over_token (from, view.id, whole, token);
    return COHORT_OK;
}

/* What the call needs, or the error that it returns. */
static int make_call (cohort_t *self, uint64_t to, const uint8_t *token, struct client_call *call)
{
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    if (to == 0 || token == NULL) {
        return client_fail (self, COHORT_EINVAL, "hand_over: %s",
                            to == 0 ? "to is 0, which is no session" : "token is NULL");
    }
    *call = (struct client_call){
        .kind = WIRE_HAND_OVER, .session = to, .data = token, .size = COHORT_TOKEN_SIZE};
    return COHORT_OK;
}

static int explain (cohort_t *self, int rc, uint64_t to)
{
    switch (rc) {
    case COHORT_ENOAUTH:
        return client_fail (self, rc,
                            "hand_over: session 0x%" PRIx64 " does not exist, has ended, or has "
                            "not made this token for this session (cohort_hand_over_token)",
                            to);
    case COHORT_ELIMIT:
        return client_fail (self, rc,
                            "hand_over: session 0x%" PRIx64 " would have ephemerals from more than "
                            "1024 sessions: let some of them go first",
                            to);
    case COHORT_EINVAL:
        return client_fail (self, rc, "hand_over: session 0x%" PRIx64 " is this session itself",
                            to);
    default:
        return rc;
    }
}

int cohort_hand_over (cohort_t *self, uint64_t to, const uint8_t token[COHORT_TOKEN_SIZE],
                      uint64_t *count)
{
    struct client_call call;
    struct request *request = NULL;
    cohort_result_t result;
    int rc = make_call (self, to, token, &call);
    if (rc != COHORT_OK) {
        return rc;
    }
    rc = client_call_blocking (self, &call, &request, &result);
    if (rc != COHORT_OK) {
        return explain (self, rc, to);
    }
    if (count != NULL) {
        *count = (uint64_t) result.value;
    }
    client_finish (self, request);
    return COHORT_OK;
}

int cohort_hand_over_async (cohort_t *self, uint64_t to, const uint8_t token[COHORT_TOKEN_SIZE],
                            cohort_result_fn *fn, void *arg)
{
    struct client_call call;
    int rc = make_call (self, to, token, &call);
    return rc == COHORT_OK ? client_call_async (self, &call, fn, arg) : rc;
}

/* ---- From the process before ----------------------------------------------------------------- */

/* Which session the file names; its id is 0: none. */
static int look (cohort_t *self, const char *state_file, struct session_identity *past)
{
    struct buf servers;
    char text[MAILBOX_TEXT_SIZE];
    buf_init (&servers);
    int rc = state_file_read (state_file, past, &servers, text, sizeof (text));
    buf_deinit (&servers);
    return rc == COHORT_OK ? rc : client_fail (self, rc, "take_over: %s", text);
}

/* A file may be named in many ways: this session's own would be taken over from under itself. */
static int check_other (cohort_t *self, const struct session_identity *past)
{
    struct published view;
    mailbox_view (&self->mailbox, &view);
    if (view.id == 0) {
        return client_fail (self, COHORT_ESTATE,
                            "take_over: there is no session yet: call cohort_wait first");
    }
    if (past->id == view.id &&
        memcmp (past->password, view.password, sizeof (view.password)) == 0) {
        return client_fail (self, COHORT_EINVAL,
                            "take_over: state_file is that of this session itself");
    }
    return COHORT_OK;
}

static int fail_as (cohort_t *self, cohort_t *other, int rc)
{
    char text[MAILBOX_TEXT_SIZE];
    cohort_errmsg (other, text, sizeof (text));
    return client_fail (self, rc, "take_over: %.230s",
                        text[0] != '\0' ? text : cohort_error_text (rc));
}

/* Until the process before cannot count on the session any more, and this one can. */
static int wait_valid (cohort_t *predecessor, int64_t limit_ms)
{
    int64_t begun_ms = loop_now_ms (predecessor->loop);
    while (cohort_valid_ms (predecessor) == 0) {
        if (cohort_state (predecessor) == COHORT_LOST) {
            return COHORT_ESESSIONEXPIRED;
        }
        if (limit_ms >= 0 && loop_now_ms (predecessor->loop) - begun_ms > limit_ms) {
            return COHORT_ETIMEDOUT;
        }
        int rc = cohort_run (predecessor, VALID_WAIT_MS);
        if (rc < 0) {
            return rc;
        }
    }
    return COHORT_OK;
}

static int give_all (cohort_t *self, cohort_t *predecessor, uint32_t wait_ms, uint64_t *count)
{
    uint8_t token[COHORT_TOKEN_SIZE];
    int limit_ms = mailbox_get_limit (&self->mailbox);
    int rc = cohort_wait (predecessor, limit_ms);
    rc = rc == COHORT_OK
             ? wait_valid (predecessor, limit_ms < 0 ? -1 : (int64_t) limit_ms + wait_ms)
             : rc;
    if (rc == COHORT_OK) {
        rc = cohort_hand_over_token (self, cohort_session_id (predecessor), token);
        if (rc != COHORT_OK) {
            return rc;
        }
        rc = cohort_hand_over (predecessor, cohort_session_id (self), token, count);
    }
    return rc == COHORT_OK ? rc : fail_as (self, predecessor, rc);
}

int cohort_take_over (cohort_t *self, const char *state_file, uint64_t *count)
{
    struct session_identity past = {0};
    uint64_t got = 0;
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    if (mailbox_in_callback (&self->mailbox)) {
        return client_fail (self, COHORT_EDEADLK, "take_over: called inside a callback");
    }
    if (state_file == NULL ||
        (self->state_file != NULL && strcmp (state_file, self->state_file) == 0)) {
        return client_fail (self, COHORT_EINVAL, "take_over: %s",
                            state_file == NULL ? "state_file is NULL"
                                               : "state_file is that of this session itself");
    }
    int rc = look (self, state_file, &past);
    if (rc != COHORT_OK) {
        return rc;
    }
    rc = past.id == 0 ? rc : check_other (self, &past);
    if (rc != COHORT_OK) {
        return rc;
    }
    if (past.id != 0) {
        cohort_options_t options = {
            .size = sizeof (options),
            .loop = self->loop,
            .state_file = state_file,
            .time_limit_ms = mailbox_get_limit (&self->mailbox),
            .server_key = self->encrypted ? self->keys.server : NULL,
            .public_key = self->encrypted ? self->keys.public : NULL,
            .secret_key = self->encrypted ? self->keys.secret : NULL,
        };
        cohort_t *predecessor = cohort_new (NULL, &options);
        if (predecessor == NULL) {
            const char *text;
            rc = cohort_new_error (&text);
            return client_fail (self, rc, "take_over: %.230s", text);
        }
        rc = give_all (self, predecessor, past.timeout_ms, &got);
        if (rc != COHORT_OK) {
            cohort_abandon (&predecessor);
            return rc;
        }
        cohort_destroy (&predecessor);
        if (remove (state_file) != 0 && errno != ENOENT) {
            return client_fail (self, COHORT_ESYSTEM, "take_over: cannot remove %.150s: %s",
                                state_file, strerror (errno));
        }
    }
    if (count != NULL) {
        *count = got;
    }
    return COHORT_OK;
}
